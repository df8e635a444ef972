"""What several sources write beside their own assets, each once a run: platforms, models, and typed aspects.

All of it is shared with other recipes and with stewards, so what the catalog holds is looked at first and kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from datahub.emitter.mcp import MetadataChangeProposalWrapper
from datahub.ingestion.api.common import PipelineContext
from datahub.ingestion.api.source import SourceReport
from datahub.ingestion.api.workunit import MetadataWorkUnit
from datahub.metadata.urns import DataPlatformUrn, MlModelUrn

from datahub_llmops import urns
from datahub_llmops.aspects.base import LlmopsAspect
from datahub_llmops.catalog.protocol import Catalog
from datahub_llmops.ingestion.run_target import RunTarget
from datahub_llmops.ingestion.source import workunit
from datahub_llmops.mapping import embedding_jobs
from datahub_llmops.mapping.collections import Proposal
from datahub_llmops.mapping.edge_properties import key_proposal
from datahub_llmops.mapping.index_aspects import says_something
from datahub_llmops.mapping.platforms import platform_info


class RunWriter:
    """One run's. Every method that asks the catalog raises ``CatalogError``."""

    def __init__(
        self,
        ctx: PipelineContext,
        catalog: Catalog | None,
        target: RunTarget,
        report: SourceReport,
        *,
        env: str,
    ) -> None:
        """``env`` is that of the recipe's models."""
        self._catalog = catalog
        self._target = target
        self._report = report
        self._env = env
        # Only a server can say that a platform is none of those that it ships.
        self._any_logo = ctx.graph is not None
        self._emitted: set[str] = set()
        self._users: dict[str, set[str]] = {}

    def present(self, urn: str, aspect: str) -> Mapping[str, Any]:
        """An aspect as the catalog holds it; empty where it does not, or where there is no catalog."""
        return self._catalog.aspects(urn, [aspect]).get(aspect, {}) if self._catalog is not None else {}

    def first_time(self, key: str) -> bool:
        """Whether this run asks so for the first time."""
        first = key not in self._emitted
        self._emitted.add(key)
        return first

    def once(self, proposals: Iterable[Proposal]) -> Iterator[MetadataWorkUnit]:
        """Those that this run has not written yet, by asset and aspect."""
        for proposal in proposals:
            if self.first_time(f"{proposal.entityUrn} {proposal.aspectName}"):
                yield workunit(proposal, primary=False)

    def first(self, proposal: MetadataChangeProposalWrapper) -> Iterator[MetadataWorkUnit]:
        """What has to be stored before anything that names it."""
        if not self._target.store_first(proposal):
            yield workunit(proposal, primary=False)

    def platform(self, name: str) -> Iterator[MetadataWorkUnit]:
        """The platform with its logo; one that DataHub ships, or a steward chose, stays."""
        urn = urns.platform(name)
        if self.first_time(urn) and not self.present(urn, "dataPlatformInfo").get("logoUrl"):
            for proposal in platform_info(name, any_logo=self._any_logo):
                yield workunit(proposal, primary=False)

    def uses(self, model: str, job: str) -> None:
        """A job or application uses a model, named as ``provider/model``; ``model`` writes it."""
        self._users.setdefault(model, set()).add(job)

    @property
    def models(self) -> list[str]:
        """The models that were said to be used."""
        return sorted(self._users)

    def model(self, name: str) -> Iterator[MetadataWorkUnit]:
        """The model with everything that uses it, here and as the catalog knows it."""
        urn = urns.model(name, env=self._env)
        yield from self._model_platform(urn)
        if self._catalog is not None:
            present = self.present(urn, "mlModelProperties")
            for proposal in embedding_jobs.model_proposals(
                name, self._env, self._users.get(name, ()), present
            ):
                yield workunit(proposal, primary=False)
            return
        self._report.warning(
            title="Model without its jobs",
            message="No catalog says which jobs the model is used by already, so it was not joined to its job. Set "
            "`catalog`.",
            context=name,
        )
        if self.first_time(urn):
            for key in embedding_jobs.model_key_proposals(name, self._env):
                yield workunit(key, primary=False)

    def models_known(self, names: Iterable[str]) -> Iterator[MetadataWorkUnit]:
        """Bare models for a catalog that does not have them yet: no edge ends at an asset that is not there."""
        for name in names:
            urn = urns.model(name, env=self._env)
            if self.first_time(urn) and not self.present(urn, "mlModelProperties"):
                for key in embedding_jobs.model_key_proposals(name, self._env):
                    yield from self.first(key)
                yield from self._model_platform(urn)

    def datasets_known(self, datasets: Iterable[str]) -> Iterator[MetadataWorkUnit]:
        """The same for datasets."""
        for urn in datasets:
            if self._catalog is None or not self._catalog.nodes([urn]):
                yield from self.once([key_proposal(urn)])

    def _model_platform(self, model: str) -> Iterator[MetadataWorkUnit]:
        provider = DataPlatformUrn.from_string(MlModelUrn.from_string(model).platform)
        yield from self.platform(provider.platform_name)

    @property
    def writes_typed(self) -> bool:
        """Whether the target takes any of our aspects."""
        return self._target.decision.enabled

    def typed(
        self, urn: str, aspects: Iterable[LlmopsAspect], *, primary: bool = False
    ) -> Iterator[MetadataWorkUnit]:
        """Our aspects as far as the target takes them, without those that say nothing and never did."""
        worth = (
            aspect for aspect in aspects if says_something(aspect) or self.present(urn, aspect.ASPECT_NAME)
        )
        for proposal in self._target.admitted(urn, worth):
            yield workunit(proposal, primary=primary)
