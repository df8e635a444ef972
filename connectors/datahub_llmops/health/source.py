"""The source ``llm-health``: it checks assets of a catalog, and writes what it finds as assertions and incidents.

Nothing is resolved by a failure to look: an asset that could not be read keeps its assertions and incidents as they
are, and the run fails by its name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import ClassVar, Final, Self

from datahub.configuration.common import AllowDenyPattern
from datahub.ingestion.api.common import PipelineContext
from datahub.ingestion.api.decorators import SupportStatus, config_class, platform_name, support_status
from datahub.ingestion.api.source import CapabilityReport
from datahub.ingestion.source.state.stale_entity_removal_handler import (
    StatefulStaleMetadataRemovalConfig,
)
from datahub.ingestion.source.state.stateful_ingestion_base import (
    StatefulIngestionConfigBase,
    StatefulIngestionReport,
    StatefulIngestionSourceBase,
)
from datahub.utilities.lossy_collections import LossyList
from pydantic import Field, model_validator
from typing_extensions import override

from datahub_llmops import urns
from datahub_llmops.catalog.open import open_catalog
from datahub_llmops.catalog.protocol import FullCatalog
from datahub_llmops.catalog.urn_text import full_name
from datahub_llmops.errors import CatalogError, PatternError, RecipeError
from datahub_llmops.governance.facts import gather_many, read_query_models
from datahub_llmops.governance.finding import CheckReport
from datahub_llmops.governance.indexes import list_embedded
from datahub_llmops.governance.policy import Policy
from datahub_llmops.governance.policy_names import compared, short
from datahub_llmops.governance.verdict import CHECKS, report
from datahub_llmops.health.checked_assets import CheckedAssets
from datahub_llmops.health.options import PolicyConfig
from datahub_llmops.ingestion.emitter import Emission, emit
from datahub_llmops.ingestion.options import check_patterns
from datahub_llmops.ingestion.recipe_catalog import recipe_catalog
from datahub_llmops.ingestion.report import CleanReport
from datahub_llmops.ingestion.source import PatchingSource, TestedSource, no_connection
from datahub_llmops.lineage.patterns import is_allowed
from datahub_llmops.mapping import health as mapping

SUBTYPES: Final = ("Vector Collection", "Answer Log")
"""What can be checked. Assertions stand on datasets only, so an application is checked at its answer log."""
RAISED_ELSEWHERE: Final = frozenset({"other_query_model"})
"""Codes of findings whose incident ``llm-runs`` raises and resolves: its hosts alone see the queries."""


class HealthConfig(PolicyConfig, StatefulIngestionConfigBase[StatefulStaleMetadataRemovalConfig]):
    """Recipe options of `llm-health`."""

    catalog: str | None = Field(
        default=None,
        description="Catalog to check: a local file such as `./catalog.db`, or a server's URL. Default: the server of "
        "the recipe's sink, else the file of its `llm-local` sink. Findings go to the sink, so both must be one.",
    )
    asset_pattern: AllowDenyPattern = Field(
        default_factory=AllowDenyPattern.allow_all,
        description="Assets to check, by name, for example `{allow: ['support\\..*']}`.",
    )
    incidents: bool = Field(
        default=True, description="Whether what is not ok becomes an incident too, for example `false`."
    )
    stateful_ingestion: StatefulStaleMetadataRemovalConfig | None = Field(
        default=None,
        description="Removes the assertions of assets that are gone; needs `pipeline_name`. Without a server add "
        "`state_provider: {type: llm-local, config: {path: ./catalog.db}}`.",
    )

    @model_validator(mode="after")
    def _patterns_compile(self) -> Self:
        check_patterns(self)
        return self


@dataclass
class HealthReport(CleanReport, StatefulIngestionReport):
    """The report of a run."""

    event_not_produced_warn: bool = False
    assets_checked: int = 0
    assets_filtered: int = 0
    ok: int = 0
    not_ok: int = 0
    not_known: int = 0
    assertions_removed: int = 0
    findings_by_code: dict[str, int] = field(default_factory=dict)
    assets_not_ok: LossyList[str] = field(default_factory=LossyList)


@platform_name("Index health", id="datahub")
@config_class(HealthConfig)
@support_status(SupportStatus.ALPHA)
class HealthSource(PatchingSource, TestedSource, StatefulIngestionSourceBase):
    """Checks whether indexes, and the applications that use them, can be trusted."""

    config_type: ClassVar[type[HealthConfig]] = HealthConfig
    report: HealthReport

    def __init__(
        self,
        config: HealthConfig,
        ctx: PipelineContext,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """``now`` is the time of the checks."""
        super().__init__(config, ctx)  # type: ignore[arg-type]  # the base asks for a config without our mixins
        self.config = config
        self.report = HealthReport()
        self._now = now
        self._checked = CheckedAssets(self.state_provider, config.stateful_ingestion, ctx, "llm-health")

    @override
    def emissions(self) -> Iterator[Emission]:
        try:
            policy = self.config.policy()
            catalog = recipe_catalog(self.ctx, self.config.catalog).catalog
            if catalog is None:
                self._no_catalog()
                return
            for problem in policy.lifecycles.problems:
                self.report.warning(
                    title="A list of model lifecycles cannot be read", message="See below.", context=problem
                )
            with closing(catalog):
                policy = compared(policy, catalog)
                self._warn_of_names(policy)
                yield from self._check_all(catalog, policy)
        except (CatalogError, RecipeError, PatternError) as error:
            self.report.failure(
                title="Cannot check",
                message="Assertions and incidents of what was not checked stay as they are.",
                context=str(error),
            )

    def _warn_of_names(self, policy: Policy) -> None:
        for name, nearest in sorted(policy.unknown.items()):
            self.report.warning(
                title="The policy names what the catalog does not have",
                message="Checks that depend on it are not known. Correct the option, or ingest what it names.",
                context=f"{short(name)}; did you mean {nearest}?" if nearest else short(name),
            )

    def _no_catalog(self) -> None:
        self.report.failure(
            title="No catalog to check",
            message="Name an existing one with the option `catalog`, or run this recipe after those that fill it, "
            "with a `datahub-rest` or `llm-local` sink.",
            context=self.config.catalog,
        )

    def _check_all(self, catalog: FullCatalog, policy: Policy) -> Iterator[Emission]:
        seen: Counter[str] = Counter()
        now = self._now()
        assets = self._assets(catalog)
        queried = read_query_models(catalog)
        checked: set[str] = set()
        while part := list(islice(assets, catalog.at_once)):
            reports = [report(facts, policy, ()) for facts in gather_many(catalog, part, queried, now=now)]
            for found in reports:
                seen.update(one.code for one in found.findings)
                self._count(found)
                checked.add(found.urn)
            yield from self._emit(catalog, reports, now)
        yield from self._remove(catalog, self._checked.last() - checked)
        self._checked.remember(checked)
        self.report.findings_by_code = dict(sorted(seen.items()))

    def _assets(self, catalog: FullCatalog) -> Iterator[str]:
        for urn in sorted({*catalog.of_subtypes(SUBTYPES), *list_embedded(catalog)}):
            if is_allowed(self.config.asset_pattern, full_name(urn)):
                yield urn
            else:
                self.report.assets_filtered += 1

    def _count(self, report: CheckReport) -> None:
        self.report.assets_checked += 1
        match report.verdict:
            case "ok":
                self.report.ok += 1
            case "not ok":
                self.report.not_ok += 1
                self.report.assets_not_ok.append(report.urn)
            case "not known":
                self.report.not_known += 1

    def _emit(self, catalog: FullCatalog, reports: list[CheckReport], now: datetime) -> Iterator[Emission]:
        pairs = [(found, finding) for found in reports for finding in found.findings]
        assertions = [urns.check_assertion(found.urn, finding.check) for found, finding in pairs]
        incidents = [urns.check_incident(found.urn, finding.check) for found, finding in pairs]
        known = {
            **catalog.aspects_of(assertions, ["assertionInfo", "status"]),
            **catalog.aspects_of(incidents, ["incidentInfo"]),
        }
        for (found, finding), assertion, incident in zip(pairs, assertions, incidents, strict=True):
            info = known.get(assertion, {}).get("assertionInfo", {})
            yield from emit(
                [
                    mapping.assertion_proposal(found.urn, finding, info),
                    mapping.run_event(found.urn, finding, run=self.ctx.run_id, now=now),
                ],
                primary=False,
            )
            if known.get(assertion, {}).get("status", {}).get("removed") is True:
                yield from emit([mapping.removed(assertion, False)], primary=False)
            if self.config.incidents and finding.code not in RAISED_ELSEWHERE:
                raised = known.get(incident, {}).get("incidentInfo", {})
                yield from emit(mapping.incident_proposal(found, finding, raised, now), primary=False)

    def _remove(self, catalog: FullCatalog, assets: Iterable[str]) -> Iterator[Emission]:
        """Remove the assertions of assets that are gone, or that the recipe does not name any more."""
        assertions = [urns.check_assertion(asset, check) for asset in sorted(assets) for check in CHECKS]
        for urn, aspects in sorted(catalog.aspects_of(assertions, ["assertionInfo", "status"]).items()):
            if aspects.get("status", {}).get("removed") is not True:
                self.report.assertions_removed += 1
                yield from emit([mapping.removed(urn, True)], primary=False)

    @override
    def close(self) -> None:
        self._checked.keep()
        super().close()

    @classmethod
    @override
    def try_connection(cls, config: HealthConfig) -> CapabilityReport:
        """Test whether the catalog of the option can be read, and count what can be checked."""
        if config.catalog is None:
            return no_connection("name the catalog to test with the option `catalog`")
        try:
            config.policy()
            with closing(open_catalog(config.catalog)) as catalog:
                seen = sum(1 for _ in catalog.of_subtypes(SUBTYPES))
        except (CatalogError, RecipeError) as error:
            return no_connection(str(error))
        return CapabilityReport(capable=True, mitigation_message=f"Works, sees {seen} assets to check.")
