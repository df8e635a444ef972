"""Where a run writes, and what it may write there of our own aspects: asked once, before the first proposal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from datahub.emitter.mcp import MetadataChangeProposalWrapper
from datahub.ingestion.api.common import PipelineContext
from datahub.ingestion.api.source import SourceReport

from datahub_llmops.aspects.admission import AspectGate, Decision, Mode, Target, decide
from datahub_llmops.aspects.base import LlmopsAspect
from datahub_llmops.aspects.generated import register
from datahub_llmops.catalog.server.client import Gms
from datahub_llmops.errors import AspectValueError, CatalogError
from datahub_llmops.ingestion.recipe_catalog import LOCAL_SINK

_SERVER_SINKS: Final = frozenset({"datahub-rest", "datahub-kafka"})


class RunTarget:
    """Where one run writes.

    ``decision`` says what it takes of our aspects; its message is for the report.
    """

    def __init__(self, ctx: PipelineContext, mode: Mode, report: SourceReport) -> None:
        """Asks a server for its plugin where ``mode`` leaves that to it."""
        register()
        self._report = report
        self._kind = _kind(ctx)
        self._server = Gms(ctx.graph) if self._kind == "server" and ctx.graph is not None else None
        self._writes = self._server if not ctx.dry_run_mode else None
        self.decision = self._decide(mode)
        if self.decision.warning:
            report.warning(
                title="Typed aspects",
                message="They are written in part or not at all; every fact of them is written elsewhere too.",
                context=self.decision.message,
            )
        self._gate = AspectGate(
            self.decision, send=self._writes.write if self._writes else None, report_rejection=self._refused
        )

    def _decide(self, mode: Mode) -> Decision:
        if mode != "auto" or self._kind != "server":
            return decide(mode, self._kind)
        if self._server is None:
            return decide(mode, self._kind, problem="the recipe's datahub_api names none to ask")
        try:
            return decide(mode, self._kind, config=self._server.config())
        except CatalogError as error:
            return decide(mode, self._kind, problem=str(error))

    def store_first(self, proposal: MetadataChangeProposalWrapper) -> bool:
        """Store a proposal at once where the sink might send it after what needs it; False where it keeps the order.

        Raises:
            CatalogError: the server refuses it, or fails.
        """
        if self._writes is None or proposal.entityUrn is None or proposal.aspect is None:
            return False
        self._writes.write(proposal.entityUrn, proposal.aspect)
        return True

    def admitted(self, urn: str, aspects: Iterable[LlmopsAspect]) -> Iterator[MetadataChangeProposalWrapper]:
        """Our aspects of one asset, as far as they may be written."""
        for aspect in aspects:
            try:
                taken = self._gate.admit(urn, aspect)
            except AspectValueError as error:
                self._report.warning(
                    title="Typed aspect left out",
                    message="The system says something that its schema does not allow.",
                    context=f"{urn}: {error}",
                )
                continue
            if taken is not None:
                yield MetadataChangeProposalWrapper(entityUrn=urn, aspect=taken)

    def _refused(self, aspect: str, reason: str) -> None:
        self._report.warning(
            title="Typed aspect refused",
            message="The server does not take it; the run went on without it.",
            context=f"{aspect}: {reason}",
        )


def _kind(ctx: PipelineContext) -> Target:
    config = ctx.pipeline_config
    if config is None:
        return "server" if ctx.graph is not None else "file"
    # Without a sink DataHub takes the server of ~/.datahubenv.
    if config.sink is None or config.sink.type in _SERVER_SINKS:
        return "server"
    return "local" if config.sink.type == LOCAL_SINK else "file"
