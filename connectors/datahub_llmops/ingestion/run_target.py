"""Where a run writes, and which of our own aspects it may write there: decided once, before the first proposal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from datahub.emitter.mcp import MetadataChangeProposalWrapper
from datahub.ingestion.api.common import PipelineContext
from datahub.ingestion.api.source import SourceReport

from datahub_llmops.aspects.admission import AspectGate, Decision, Mode, Target, decide
from datahub_llmops.aspects.base import LlmopsAspect
from datahub_llmops.aspects.generated import register
from datahub_llmops.assets.urn_length import is_too_long
from datahub_llmops.catalog.server.client import Gms
from datahub_llmops.errors import AspectValueError, CatalogError
from datahub_llmops.ingestion.recipe_catalog import LOCAL_SINK
from datahub_llmops.mapping.proposals import propose

_SERVER_SINKS: Final = frozenset({"datahub-rest", "datahub-kafka"})

_LONGEST_TEXT: Final = 1_000_000
"""Bytes. A server hands each aspect on through Kafka, whose messages have 1 MiB where nobody changed it."""


class RunTarget:
    """The target of one run.

    ``decision`` says which of our aspects it accepts; its message is for the report.
    """

    def __init__(self, ctx: PipelineContext, mode: Mode, report: SourceReport) -> None:
        """If ``mode`` leaves the decision to the server, ask it for its plugin."""
        register()
        self._report = report
        self.undefined: set[str] = set()
        """Structured properties, by their short names, that cannot be assigned in this run."""
        self._kind = target_kind(ctx)
        self._server = Gms(ctx.graph) if self._kind == "server" and ctx.graph is not None else None
        self._writes = self._server if not ctx.dry_run_mode else None
        self.decision = self._decide(mode)
        if self.decision.warning:
            report.warning(
                title="Typed aspects",
                message="They are written in part or not at all. Each of their facts is written elsewhere too.",
                context=self.decision.message,
            )
        self._gate = AspectGate(
            self.decision,
            send=self._writes.write if self._writes else None,
            report_rejection=self._report_refusal,
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

    @property
    def stores_first(self) -> bool:
        """Whether ``store_first`` stores at once."""
        return self._writes is not None

    @property
    def longest_text(self) -> int | None:
        """The largest number of bytes of one text in one aspect; ``None`` if there is no limit."""
        return _LONGEST_TEXT if self._kind == "server" else None

    def takes(self, urn: str | None) -> bool:
        """Whether an asset with this URN can be written."""
        return takes_urn(self._kind, urn)

    def store_first(self, proposal: MetadataChangeProposalWrapper) -> bool:
        """Store a proposal at once if the sink might send it too late; return False if the sink keeps the order.

        Raises:
            CatalogError: the server refuses it, or fails.
        """
        if self._writes is None or proposal.entityUrn is None or proposal.aspect is None:
            return False
        if is_too_long(proposal.entityUrn):
            return False
        self._writes.write(proposal.entityUrn, proposal.aspect)
        return True

    def admit(self, urn: str, aspects: Iterable[LlmopsAspect]) -> Iterator[MetadataChangeProposalWrapper]:
        """Propose our aspects of one asset, as far as they may be written."""
        if not takes_urn(self._kind, urn):
            return
        for aspect in aspects:
            try:
                admitted = self._gate.admit(urn, aspect)
            except AspectValueError as error:
                self._report.warning(
                    title="Typed aspect left out",
                    message="The system reports a value that the aspect's schema does not allow.",
                    context=f"{urn}: {error}",
                )
                continue
            if admitted is not None:
                yield propose(urn, admitted)

    def _report_refusal(self, aspect: str, reason: str) -> None:
        self._report.warning(
            title="Typed aspect refused",
            message="The server does not accept it; the run continued without it.",
            context=f"{aspect}: {reason}",
        )


def takes_urn(target: Target, urn: str | None) -> bool:
    """Whether an asset with this URN can be written. Only a catalog in a file takes any length."""
    return target == "local" or urn is None or not is_too_long(urn)


def target_kind(ctx: PipelineContext) -> Target:
    """Return what kind of system the pipeline writes to."""
    config = ctx.pipeline_config
    if config is None:
        return "server" if ctx.graph is not None else "file"
    # Without a sink DataHub takes the server of ~/.datahubenv.
    if config.sink is None or config.sink.type in _SERVER_SINKS:
        return "server"
    return "local" if config.sink.type == LOCAL_SINK else "file"
