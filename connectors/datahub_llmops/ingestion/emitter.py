"""What the sources emit: their own aspects, and once a run the platforms, models and datasets that they mention.

Other recipes and stewards share the latter, so the catalog is read first and what it holds is kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from datahub.emitter.mcp import MetadataChangeProposalWrapper
from datahub.ingestion.api.common import PipelineContext
from datahub.ingestion.api.source import SourceReport
from datahub.metadata.urns import DataPlatformUrn, MlModelUrn

from datahub_llmops import urns
from datahub_llmops.aspects.base import LlmopsAspect
from datahub_llmops.catalog.protocol import FullCatalog
from datahub_llmops.errors import CatalogError, UnknownAssetError
from datahub_llmops.ingestion.run_target import RunTarget
from datahub_llmops.mapping.edge_properties import key_proposal
from datahub_llmops.mapping.embedding_jobs import model_key_proposal, model_proposal
from datahub_llmops.mapping.index_aspects import has_facts
from datahub_llmops.mapping.platforms import platform_info
from datahub_llmops.mapping.properties import definitions
from datahub_llmops.mapping.proposals import Proposal


@dataclass(frozen=True, slots=True)
class Emission:
    """A proposal on its way to the sink."""

    proposal: Proposal
    primary: bool = True
    """The asset is this recipe's own, so stale removal retires it; ``False`` for assets that others share or own."""


def emit(proposals: Iterable[Proposal], *, primary: bool = True) -> Iterator[Emission]:
    """Emit proposals that are all about the recipe's own assets, or all about shared ones."""
    return (Emission(proposal, primary) for proposal in proposals)


@dataclass(slots=True)
class RunEmitter:
    """Emits what one run shares with others. Every method that reads the catalog raises ``CatalogError``."""

    _ctx: PipelineContext
    _catalog: FullCatalog | None
    _target: RunTarget
    _report: SourceReport
    _env: str
    """That of the recipe's models."""
    _is_new: bool = False
    """There is no catalog to read because the sink begins one, so no model in it has a user."""
    _claimed: set[str] = field(default_factory=set)
    _users: dict[str, set[str]] = field(default_factory=dict)
    _dropped: dict[str, set[str]] = field(default_factory=dict)
    _facts: dict[str, dict[str, str]] = field(default_factory=dict)

    def read_aspect(self, urn: str, aspect: str) -> Mapping[str, Any]:
        """Read an aspect from the catalog; empty if it has none, or if there is no catalog."""
        return self._catalog.aspects(urn, [aspect]).get(aspect, {}) if self._catalog is not None else {}

    def list_jobs_into(self, dataset: str) -> list[str]:
        """List the jobs with an edge into a dataset according to the catalog, in order."""
        if self._catalog is None:
            return []
        try:
            walk = self._catalog.lineage(dataset, "up", 1, through_removed=True)
        except UnknownAssetError:
            return []
        return sorted(node.urn for node in walk.nodes if node.type == "dataJob")

    def read_aspects(self, urns: Iterable[str], names: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
        """Read the named aspects of many assets from the catalog at once."""
        return self._catalog.aspects_of(urns, names) if self._catalog is not None else {}

    def claim(self, key: str) -> bool:
        """Whether this run asks for ``key`` for the first time."""
        first = key not in self._claimed
        self._claimed.add(key)
        return first

    def emit_new(self, proposals: Iterable[Proposal]) -> Iterator[Emission]:
        """Emit the proposals whose asset and aspect this run has not emitted yet."""
        return emit(
            (proposal for proposal in proposals if self.claim(f"{proposal.entityUrn} {proposal.aspectName}")),
            primary=False,
        )

    def emit_first(
        self, proposal: MetadataChangeProposalWrapper, *, primary: bool = False
    ) -> Iterator[Emission]:
        """Emit what has to be stored before anything that names it."""
        if not self._target.store_first(proposal):
            yield Emission(proposal, primary)

    def emit_definitions(self) -> Iterator[Emission]:
        """Emit the definitions of structured properties that the catalog lacks, before anything is assigned.

        A property whose definition is refused, or cannot be read back, is not assigned in this run.
        """
        written = []
        for name, proposals in definitions():
            urn = urns.structured_property(name)
            if self.read_aspect(urn, "propertyDefinition"):
                continue
            written.append(name)
            try:
                for proposal in proposals:
                    # A server does not show an assignment whose definition came after it.
                    yield from self.emit_first(proposal)
            except CatalogError as error:
                self._leave_out(name, str(error))
        for name in written if self._target.stores_first else ():
            urn = urns.structured_property(name)
            if name not in self._target.undefined and not self.read_aspect(urn, "propertyDefinition"):
                self._leave_out(name, "it was accepted, but cannot be read back")

    def _leave_out(self, name: str, reason: str) -> None:
        self._target.undefined.add(name)
        self._report.failure(
            title="Could not write the definition of a structured property",
            message="Its values are not sent in this run: a server would never find them. Defining it needs the "
            "privilege to manage structured properties.",
            context=f"could not write the definition of {urns.PROPERTY_NAMESPACE}.{name}: {reason}",
        )

    def emit_platform(self, name: str) -> Iterator[Emission]:
        """Emit a platform with its logo, unless DataHub ships one or a steward chose one."""
        urn = urns.platform(name)
        if self.claim(urn) and not self.read_aspect(urn, "dataPlatformInfo").get("logoUrl"):
            # Only a server knows which platforms it ships.
            proposals = platform_info(name, any_logo=self._ctx.graph is not None)
            yield from emit(proposals, primary=False)

    def add_model_user(self, model: str, job: str) -> None:
        """Remember that a job or application uses a model, named ``provider/model``; ``emit_model`` writes it."""
        self._users.setdefault(model, set()).add(job)

    def drop_model_user(self, model: str, job: str) -> None:
        """Remember that a job no longer uses a model; ``emit_model`` writes it."""
        self._dropped.setdefault(model, set()).add(job)

    def add_model_fact(self, model: str, key: str, text: str) -> None:
        """Remember a custom property of a model that has a user; ``emit_model`` writes it."""
        self._facts.setdefault(model, {})[key] = text

    @property
    def changed_models(self) -> list[str]:
        """The models that have users, or had."""
        return sorted(self._users.keys() | self._dropped.keys())

    def emit_model(self, name: str) -> Iterator[Emission]:
        """Emit a model with its users, those of this run and those in the catalog."""
        urn = urns.model(name, env=self._env)
        yield from self._emit_model_platform(urn)
        if self._catalog is not None or self._is_new:
            present = self.read_aspect(urn, "mlModelProperties")
            users, gone = self._users.get(name, set()), self._dropped.get(name, set())
            yield Emission(
                model_proposal(
                    name, self._env, users, present, without=gone - users, facts=self._facts.get(name)
                ),
                primary=False,
            )
            return
        self._report.warning(
            title="Model without its jobs",
            message="Without a catalog it is not known which jobs use the model already, so it was not joined to its "
            "job. Set `catalog`.",
            context=name,
        )
        if self.claim(urn):
            yield Emission(model_key_proposal(name, self._env), primary=False)

    def emit_missing_models(self, names: Iterable[str]) -> Iterator[Emission]:
        """Emit the bare models that the catalog lacks, so that no edge ends at a missing asset."""
        for name in names:
            urn = urns.model(name, env=self._env)
            if self.claim(urn) and not self.read_aspect(urn, "mlModelProperties"):
                yield from self.emit_first(model_key_proposal(name, self._env))
                yield from self._emit_model_platform(urn)

    def emit_missing_datasets(self, datasets: Iterable[str]) -> Iterator[Emission]:
        """Emit the bare datasets that the catalog lacks."""
        for urn in datasets:
            if self._catalog is None or not self._catalog.nodes([urn]):
                yield from self.emit_new([key_proposal(urn)])

    def _emit_model_platform(self, model: str) -> Iterator[Emission]:
        provider = DataPlatformUrn.from_string(MlModelUrn.from_string(model).platform)
        yield from self.emit_platform(provider.platform_name)

    @property
    def writes_typed(self) -> bool:
        """Whether the target accepts any of our aspects."""
        return self._target.decision.enabled

    def emit_typed(
        self, urn: str, aspects: Iterable[LlmopsAspect], *, primary: bool = False
    ) -> Iterator[Emission]:
        """Emit those of our aspects that the target accepts and that hold a fact, or did so in the catalog."""
        worth = (
            aspect for aspect in aspects if has_facts(aspect) or self.read_aspect(urn, aspect.ASPECT_NAME)
        )
        return emit(self._target.admit(urn, worth), primary=primary)
