"""The source ``llm-propagation``: it reads a catalog, and sends patches that make labels follow the data.

It needs no stateful ingestion: every label that it attached carries its attribution in the catalog itself, so each run
compares what should be there with what is, and removes what should not. Whatever anybody else attached is neither
changed nor removed, the same term on the same column included: DataHub keeps both apart by their attribution source.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import groupby
from typing import ClassVar, Self

from datahub.configuration.common import AllowDenyPattern, ConfigModel
from datahub.ingestion.api.common import PipelineContext
from datahub.ingestion.api.decorators import SupportStatus, config_class, platform_name, support_status
from datahub.ingestion.api.source import (
    CapabilityReport,
)
from datahub.metadata.schema_classes import (
    GlossaryTermAssociationClass,
    MetadataAttributionClass,
    TagAssociationClass,
)
from datahub.specific.aspect_helpers.tags import HasTagsPatch
from datahub.specific.aspect_helpers.terms import HasTermsPatch
from datahub.utilities.lossy_collections import LossyList
from pydantic import Field, model_validator
from typing_extensions import override

from datahub_llmops.catalog.labels import Label
from datahub_llmops.catalog.open import open_catalog
from datahub_llmops.errors import CatalogError, PatternError
from datahub_llmops.ingestion.emitter import Emission, emit
from datahub_llmops.ingestion.options import check_patterns
from datahub_llmops.ingestion.recipe_catalog import recipe_catalog
from datahub_llmops.ingestion.report import CleanReport, most_frequent
from datahub_llmops.ingestion.source import PatchingSource, TestedSource, no_connection
from datahub_llmops.lineage.patterns import is_allowed
from datahub_llmops.propagation.labels import source_detail
from datahub_llmops.propagation.plan import Change, Plan, plan
from datahub_llmops.urns import ACTOR, ATTRIBUTION_SOURCE


class PropagationConfig(ConfigModel):
    """Recipe options of `llm-propagation`."""

    catalog: str | None = Field(
        default=None,
        description="Catalog to read: a local file such as `./catalog.db`, or a server's URL. Default: the server of "
        "the recipe's sink, else the file of its `llm-local` sink. The patches go to the sink, so both must be one.",
    )
    propagate_terms: bool = Field(
        default=True,
        description="Whether glossary terms follow the data. `false` removes the propagated ones.",
    )
    propagate_tags: bool = Field(
        default=True, description="Whether tags follow the data. `false` removes the propagated ones."
    )
    term_pattern: AllowDenyPattern = Field(
        default_factory=AllowDenyPattern.allow_all,
        description="Terms that follow, by the part of the URN after `urn:li:glossaryTerm:`, for example `{allow: "
        "['Classification\\..*']}`. Propagated ones that are no longer allowed are removed.",
    )
    tag_pattern: AllowDenyPattern = Field(
        default_factory=AllowDenyPattern.allow_all,
        description="Tags that follow, by the part of the URN after `urn:li:tag:`, for example `{deny: ['Legacy']}`.",
    )
    max_hops: int = Field(
        default=20,
        ge=1,
        le=1000,
        description="How far a term or tag is carried from where it was set; a job counts as a hop, for example `4` "
        "for two jobs in a row.",
    )

    indirect: bool = Field(
        default=False,
        description="Whether terms and tags of a column also follow where a declared job joins, filters, groups or "
        "sorts by it: to the job, to its index as a whole, and on from there. No value of it is in the index.",
    )

    accept_not_confirmed: bool = Field(
        default=False,
        description="Whether a run succeeds with a warning although terms or tags on some assets are not confirmed. By "
        "default it fails. They stay in either case.",
    )

    @model_validator(mode="after")
    def _patterns_compile(self) -> Self:
        check_patterns(self)
        return self

    def allows(self, label: Label) -> bool:
        """Return whether the options allow the label to propagate.

        Raises:
            PatternError: an expression of the options takes too long.
        """
        if label.kind == "term":
            return self.propagate_terms and is_allowed(self.term_pattern, label.name)
        return self.propagate_tags and is_allowed(self.tag_pattern, label.name)


@dataclass
class PropagationReport(CleanReport):
    """The report of a run. A label is one term or tag on one asset or column."""

    # A catalog that needs no change is the rule, not a reason to check the recipe.
    event_not_produced_warn: bool = False
    assets_scanned: int = 0
    origins: int = 0
    labels_added: int = 0
    labels_moved: int = 0
    labels_removed: int = 0
    labels_kept: int = 0
    labels_by_urn: dict[str, int] = field(default_factory=dict)
    late_edges: int = 0
    labels_not_confirmed: int = 0
    not_confirmed: LossyList[str] = field(default_factory=LossyList)
    stopped_at_table_edges: int = 0
    table_edges: dict[str, int] = field(default_factory=dict)

    def count(self, found: Plan) -> None:
        """Count everything in a plan."""
        self.assets_scanned, self.origins, self.labels_kept = found.scanned, found.origins, len(found.kept)
        self.labels_removed = sum(change.origin is None for change in found.changes)
        self.labels_moved = sum(change.moved for change in found.changes)
        self.labels_added = len(found.changes) - self.labels_removed - self.labels_moved
        there = [label for _, label in found.kept]
        there += [change.label for change in found.changes if change.origin is not None]
        self.labels_by_urn = most_frequent(Counter(label.urn for label in there))
        self.late_edges = len(found.late)
        self.labels_not_confirmed = len(found.not_confirmed)
        for reason in found.reasons:
            self.not_confirmed.append(str(reason))
        self.stopped_at_table_edges = len(found.stops)
        self.table_edges = most_frequent(
            Counter(f"{stop.upstream} -> {stop.downstream}" for stop in found.stops)
        )


class _LabelPatch(HasTermsPatch, HasTagsPatch):
    """A patch of terms and tags for an entity of any type, built with DataHub's helpers."""


@platform_name("Term and tag propagation", id="datahub")
@config_class(PropagationConfig)
@support_status(SupportStatus.ALPHA)
class PropagationSource(PatchingSource, TestedSource):
    """Propagates glossary terms and tags downstream, column by column, and removes outdated ones."""

    config_type: ClassVar[type[PropagationConfig]] = PropagationConfig
    report: PropagationReport

    def __init__(
        self,
        config: PropagationConfig,
        ctx: PipelineContext,
        now: Callable[[], float] = time.time,
    ) -> None:
        """``now`` is the time of attributions, in seconds since the epoch."""
        super().__init__(ctx)
        self.config = config
        self.report = PropagationReport()
        self._now = now

    @override
    def emissions(self) -> Iterator[Emission]:
        found = self._plan()
        if found is not None:
            self.report.count(found)
            self._explain(found)
            yield from self._patches(found.changes)

    def _plan(self) -> Plan | None:
        """Make the whole plan before the first patch, because a partly read catalog would lose labels."""
        try:
            catalog = recipe_catalog(self.ctx, self.config.catalog).catalog
            if catalog is not None:
                with closing(catalog):
                    return plan(
                        catalog,
                        allowed=self.config.allows,
                        max_hops=self.config.max_hops,
                        indirect=self.config.indirect,
                    )
        except CatalogError as error:
            self.report.failure(
                title="Cannot read the catalog",
                message="Nothing was propagated and nothing removed.",
                context=str(error),
            )
            return None
        except PatternError as error:
            self.report.failure(
                title="A pattern takes too long",
                message="Nothing was propagated and nothing removed. Simplify `term_pattern` or `tag_pattern`.",
                context=str(error),
            )
            return None
        self.report.failure(
            title="No catalog to read",
            message="Name an existing one with the option `catalog`, or run this recipe after those that fill it, "
            "with a `datahub-rest` or `llm-local` sink.",
            context=self.config.catalog,
        )
        return None

    def _explain(self, found: Plan) -> None:
        if found.stops:
            self.report.info(
                title="Terms of columns stop where lineage knows tables only",
                message="See `table_edges` in the report. Give those edges column lineage, or set the terms on the "
                "dataset itself: a dataset's own terms follow every edge.",
            )
        self._explain_lag(found)
        self._explain_gone_origins(found)
        if found.not_confirmed:
            self._explain_doubt(found)
        elif not found.changes:
            self.report.info(title="Nothing changed", message="Every label is where it should be.")

    def _explain_lag(self, found: Plan) -> None:
        """Warn that other edges may still be missing. Those that the run read from the assets were used."""
        for edge in found.late:
            self.report.warning(
                title="The server's lineage is behind",
                message="These edges are not in its index yet and were read from the assets. Others may be missing: "
                "run this recipe again.",
                context=f"{edge.upstream} -> {edge.downstream}",
            )

    def _explain_gone_origins(self, found: Plan) -> None:
        for origin, count in found.gone_origins.items():
            self.report.warning(
                title="Labels were removed with their origin",
                message="The origin was removed or left its schema, and nothing names it any more. If it was renamed, "
                "set its labels on the new one.",
                context=f"{origin}: {count} labels",
            )

    def _explain_doubt(self, found: Plan) -> None:
        """Name what is not confirmed. It is a failure if a person has to see it, unless the recipe accepts it."""
        for reason in found.reasons:
            fails = reason.fails and not self.config.accept_not_confirmed
            tell = self.report.failure if fails else self.report.warning
            tell(
                title="Labels are not confirmed",
                message="They stay, because nobody removed them. Correct or run the recipe that describes the asset "
                "below. If the catalog is right as it is, set `accept_not_confirmed`.",
                context=str(reason),
            )

    def _patches(self, changes: Iterable[Change]) -> Iterator[Emission]:
        now = int(self._now() * 1000)
        for urn, group in groupby(changes, key=lambda change: change.urn):
            patch = _LabelPatch(urn)
            for change in group:
                _apply(patch, change, now)
            yield from emit(patch.build(), primary=False)

    @classmethod
    @override
    def try_connection(cls, config: PropagationConfig) -> CapabilityReport:
        """Test whether the catalog of the option can be read, and count what carries a label."""
        if config.catalog is None:
            return no_connection("name the catalog to test with the option `catalog`")
        try:
            with closing(open_catalog(config.catalog)) as catalog:
                seen = sum(1 for _ in catalog.labelled())
        except CatalogError as error:
            return no_connection(str(error))
        message = f"Works, sees {seen} assets and columns with terms or tags."
        return CapabilityReport(capable=True, mitigation_message=message)


def _apply(patch: _LabelPatch, change: Change, now: int) -> None:
    label = change.label
    if change.origin is None:
        # Never without the source: that would also remove what a person attached.
        if label.kind == "term":
            patch.remove_term(label.urn, attribution_source=ATTRIBUTION_SOURCE)
        else:
            patch.remove_tag(label.urn, attribution_source=ATTRIBUTION_SOURCE)
        return
    attribution = MetadataAttributionClass(
        time=now, actor=ACTOR, source=ATTRIBUTION_SOURCE, sourceDetail=source_detail(change.origin)
    )
    if label.kind == "term":
        patch.add_term(GlossaryTermAssociationClass(urn=label.urn, attribution=attribution))
    else:
        patch.add_tag(TagAssociationClass(tag=label.urn, attribution=attribution))
