"""The bases of all sources: what they emit becomes work units here, and one of them drives any reader.

``CatalogSource`` lists, filters, reads in a bounded pool, hands each item to its parts, reports and closes. A connector
adds its config, its reader and its parts. The error that a reader raises decides what happens to the run: see
``errors``. Stale-entity removal looks only at ``report.failures``, so an item that exists and could not be read is a
failure, never a warning.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar, Generic, Self, TypeVar

from datahub.configuration.common import AllowDenyPattern, ConfigModel
from datahub.configuration.source_common import EnvConfigMixin, PlatformInstanceConfigMixin
from datahub.emitter.mcp import MetadataChangeProposalWrapper
from datahub.ingestion.api.common import PipelineContext
from datahub.ingestion.api.source import (
    CapabilityReport,
    Source,
    SourceReport,
    TestableSource,
    TestConnectionReport,
)
from datahub.ingestion.api.workunit import MetadataWorkUnit
from datahub.ingestion.api.workunit_processor import WorkunitProcessor
from datahub.ingestion.source.state.stale_entity_removal_handler import (
    StaleEntityRemovalSourceReport,
    StatefulStaleMetadataRemovalConfig,
)
from datahub.ingestion.source.state.stateful_ingestion_base import (
    StatefulIngestionConfigBase,
    StatefulIngestionSourceBase,
)
from datahub.utilities.lossy_collections import LossyList
from pydantic import Field, model_validator
from typing_extensions import override

from datahub_llmops import urns
from datahub_llmops.assets.collections import FailedListing, Name
from datahub_llmops.assets.urn_length import MOST_BYTES, whole_asset
from datahub_llmops.catalog.pipeline_config import pipeline_config
from datahub_llmops.catalog.valid_config import valid_config
from datahub_llmops.errors import (
    AccessError,
    CatalogError,
    ConnectorError,
    DeniedError,
    LlmopsError,
    PatternError,
    RecipeError,
    UnreachableError,
    UnreadableError,
    VanishedError,
)
from datahub_llmops.ingestion.emitter import Emission, RunEmitter
from datahub_llmops.ingestion.options import CatalogOptions, check_patterns
from datahub_llmops.ingestion.parts import ItemT, SourcePart
from datahub_llmops.ingestion.reader import Reader
from datahub_llmops.ingestion.recipe_catalog import RecipeCatalog, recipe_catalog
from datahub_llmops.ingestion.report import CleanReport, unexpected
from datahub_llmops.ingestion.run_target import RunTarget, takes_urn, target_kind
from datahub_llmops.lineage.patterns import is_allowed
from datahub_llmops.mapping.property_patches import without_properties
from datahub_llmops.mapping.proposals import PlacedAsset, Proposal
from datahub_llmops.net.attempts import Breaker
from datahub_llmops.net.shown import clean
from datahub_llmops.urns import Deployment

_SHOWN_OF_URN = 200
"""Characters of a URN that is too long, in a message."""
_BREAK_AFTER = 3
"""Scopes, or items, in a row that cannot be reached, after which the rest is not tried.

A single one may be behind a gateway of its own; several in a row mean that the system is down.
"""

ConfigT = TypeVar("ConfigT", bound="CatalogConfig")


class EmittingSource(Source):
    """Base of every source of this package."""

    config_type: ClassVar[type[ConfigModel]]
    report: SourceReport

    @override
    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        # DataHub's decorator `config_class` gives each class a `create` that shows pydantic's text, unless it has one.
        cls.create = vars(EmittingSource)["create"]  # type: ignore[method-assign]

    @classmethod
    @override
    def create(cls, config_dict: dict[str, Any], ctx: PipelineContext) -> Self:
        config = pipeline_config(cls.config_type, config_dict)
        return cls(config, ctx)  # type: ignore[arg-type, call-arg]  # as subclasses

    @abstractmethod
    def emissions(self) -> Iterator[Emission]:
        """Emit everything that the run writes."""

    def admit(self, proposal: Proposal) -> Proposal | None:
        """Return what may be written of a proposal in this run; ``None`` if nothing."""
        return proposal

    @override
    def get_report(self) -> SourceReport:
        return self.report

    @override
    def get_workunits(self) -> Iterable[MetadataWorkUnit]:
        for unit in super().get_workunits():
            # DataHub logs the ids, also those of the work units that it adds itself. They hold names.
            unit.id = clean(unit.id)
            yield unit

    @override
    def get_workunits_internal(self) -> Iterable[MetadataWorkUnit]:
        target = target_kind(self.ctx)
        refused: set[str] = set()
        for emission in self.emissions():
            proposal, primary = self.admit(emission.proposal), emission.primary
            if proposal is None:
                continue
            if not takes_urn(target, proposal.entityUrn):
                asset = whole_asset(proposal.entityUrn or "")
                if asset not in refused:
                    refused.add(asset)
                    self._report_too_long(asset)
                continue
            name = f"{proposal.entityUrn}-{proposal.aspectName}"
            if isinstance(proposal, MetadataChangeProposalWrapper):
                yield MetadataWorkUnit(id=name, mcp=proposal, is_primary_source=primary)
            else:
                yield MetadataWorkUnit(id=name, mcp_raw=proposal, is_primary_source=primary)

    def _report_too_long(self, urn: str) -> None:
        self.report.failure(
            title="URN too long",
            message=f"A server refuses URNs of more than {MOST_BYTES} bytes in URL encoding, so this asset was not "
            "sent. All others were. Give it a shorter name, or filter it out.",
            context=urn[:_SHOWN_OF_URN],
        )


class TestedSource(EmittingSource, TestableSource):
    """Base of sources whose connection can be tested."""

    @classmethod
    @abstractmethod
    def try_connection(cls, config: Any) -> CapabilityReport:
        """Try to reach what a valid ``config`` names."""

    @classmethod
    @override
    def test_connection(cls, config_dict: dict[str, Any]) -> TestConnectionReport:
        try:
            config = valid_config(cls.config_type, config_dict)
        except RecipeError as error:
            return TestConnectionReport(
                internal_failure=True, internal_failure_reason=f"The recipe is not valid: {error}"
            )
        return TestConnectionReport(basic_connectivity=cls.try_connection(config))


class PatchingSource(EmittingSource):
    """Base of sources that write to assets of others."""

    @override
    def get_allowed_workunit_processors(self) -> list[str | type[WorkunitProcessor[Any]]]:
        # DataHub would add a status, a browse path or the key of a term to each of these assets.
        return ["AutoWorkunitsReporterProcessor"]


class CatalogConfig(
    CatalogOptions,
    StatefulIngestionConfigBase[StatefulStaleMetadataRemovalConfig],
    PlatformInstanceConfigMixin,
    EnvConfigMixin,
):
    """Options of every source that reads an external system."""

    max_workers: int = Field(
        default=8, ge=1, le=64, description="How many items are read at the same time, for example `8`."
    )
    stateful_ingestion: StatefulStaleMetadataRemovalConfig | None = Field(
        default=None,
        description="Removes what is gone since the last run; needs `pipeline_name`. Without a server add "
        "`state_provider: {type: llm-local, config: {path: ./catalog.db}}`.",
    )

    @model_validator(mode="after")
    def _patterns_compile(self) -> Self:
        check_patterns(self)
        return self


@dataclass
class CatalogReport(CleanReport, StaleEntityRemovalSourceReport):
    """What a run did, in addition to DataHub's own counters."""

    items_scanned: int = 0
    items_filtered: int = 0
    items_unreadable: int = 0
    items_vanished: int = 0
    custom_aspects: str = ""
    """What was decided about typed aspects, and why."""
    filtered: LossyList[str] = field(default_factory=LossyList)
    facts_taken_back: int = 0
    catalog: str = "none"

    def guard(self, emissions: Iterator[Emission]) -> Iterator[Emission]:
        """Pass ``emissions`` on. A catalog that cannot be read ends them with a failure."""
        try:
            yield from emissions
        except CatalogError as error:
            self.add_catalog_failure(error)

    def add_catalog_failure(self, error: CatalogError) -> None:
        """Report that the catalog cannot be read, which keeps stale removal from deleting anything."""
        self.failure(
            title="Cannot read the catalog",
            message="Lineage was written without what the catalog holds, and nothing is deleted in this run.",
            context=str(error),
        )


class CatalogSource(TestedSource, StatefulIngestionSourceBase, Generic[ConfigT, ItemT]):
    """Base of sources that read an external system.

    A connector sets the class variables and implements ``open``; a kind of assets implements ``place`` and
    ``build_parts``.
    """

    platform: ClassVar[str]
    config_type: ClassVar[type[CatalogConfig]]
    name_filters: ClassVar[tuple[str, ...]]
    """The config's ``AllowDenyPattern`` fields, one for each part of a name, outermost first."""
    noun: ClassVar[str] = "item"

    config: ConfigT
    report: CatalogReport

    def __init__(self, config: ConfigT, ctx: PipelineContext) -> None:
        super().__init__(config, ctx)  # type: ignore[arg-type]  # the base asks for a config without our mixins
        self.config = config
        self.report = self.new_report()
        self.now = datetime.now(UTC)
        self.deployment = Deployment(
            platform=self.platform, env=config.env, instance=config.platform_instance
        )
        self.target = RunTarget(ctx, config.custom_aspects, self.report)
        self.report.custom_aspects = self.target.decision.message
        self._resources = ExitStack()
        self.opened = self._open_catalog()
        self.catalog = self.opened.catalog
        self.emitter = RunEmitter(ctx, self.catalog, self.target, self.report, config.env, self.opened.is_new)
        self._parts = self.build_parts()

    def _open_catalog(self) -> RecipeCatalog:
        try:
            opened = recipe_catalog(self.ctx, self.config.catalog)
        except CatalogError as error:
            self.report.add_catalog_failure(error)
            return RecipeCatalog()
        if opened.catalog is not None:
            self._resources.callback(opened.catalog.close)
            self.report.catalog = type(opened.catalog).__name__
        return opened

    @override
    def admit(self, proposal: Proposal) -> Proposal | None:
        return without_properties(proposal, self.target.undefined)

    @classmethod
    @abstractmethod
    def open(cls, config: ConfigT) -> Reader[ItemT]:
        """Connect. Raises ``AccessError``."""

    @classmethod
    def new_report(cls) -> CatalogReport:
        """Create the empty report of a run."""
        return CatalogReport()

    @abstractmethod
    def build_parts(self) -> Sequence[SourcePart[ItemT]]:
        """Create the parts of the source, in the order in which they emit."""

    @abstractmethod
    def place(self, item: ItemT) -> PlacedAsset[ItemT]:
        """Compute once what all parts need to know of an item."""

    def asset_urn(self, name: Name) -> str:
        """Build the URN of the item called ``name``."""
        return urns.collection(self.deployment, name)

    def is_shared(self, name: Name) -> bool:
        """Whether another DataHub source describes the asset of this name too.

        Then this source only adds facts that the other one has no place for, and never retires the asset: outdated
        facts are retracted one by one.
        """
        return False

    @override
    def emissions(self) -> Iterator[Emission]:
        try:
            reader = self.open(self.config)
        except ConnectorError as error:
            self._report_stop(error)
            for part in self._parts:
                yield from part.abandoned()
            return
        with closing(reader):
            names = self._list_names(reader)
            for part in self._parts:
                part.prepare(names)
            for part in self._parts:
                yield from self.report.guard(part.opening())
            for name, item in self._read_items(reader, names):
                yield from self._emit_item(name, item)
            for part in self._parts:
                yield from part.conclusion(reader)

    def _emit_item(self, name: Name, item: ItemT) -> Iterator[Emission]:
        """Emit everything about one item. One that our own code cannot handle does not stop the others."""
        try:
            placed = self.place(item)
            for part in self._parts:
                yield from self.report.guard(part.emissions(placed))
        except Exception as error:  # noqa: BLE001 - what it is, is reported
            self._report_unreadable(name, unexpected(error))

    @override
    def close(self) -> None:
        for part in self._parts:
            part.close()
        self._resources.close()
        super().close()

    def _report_stop(self, error: ConnectorError) -> None:
        self.report.failure(
            title="Cannot read the system",
            message="Nothing more was read, and nothing is deleted in this run.",
            context=str(error),
        )

    def _list_names(self, reader: Reader[ItemT]) -> list[Name]:
        names: dict[str, Name] = {}
        clashes: set[str] = set()
        breaker = Breaker(_BREAK_AFTER)
        try:
            for entry in reader.names():
                if isinstance(entry, FailedListing):
                    if not entry.is_item:
                        self._warn_of_stray(entry)
                    elif self.is_wanted(entry.name):
                        self._report_unreadable(entry.name, entry.error)
                        breaker.record(failed=isinstance(entry.error, UnreachableError))
                        if breaker.is_open:
                            # As if the listing itself had broken off.
                            raise entry.error
                    continue
                breaker.record(failed=False)
                if not self.is_wanted(entry):
                    self.report.items_filtered += 1
                    self.report.filtered.append(".".join(entry))
                else:
                    urn = self.asset_urn(entry)
                    if names.setdefault(urn, entry) != entry:
                        clashes.add(urn)
                        self._report_clash(names[urn], entry, urn)
        except ConnectorError as error:
            self._report_stop(error)
        except Exception as error:  # noqa: BLE001 - what it is, is reported
            self._report_stop(unexpected(error))
        return [name for urn, name in names.items() if urn not in clashes]

    def _warn_of_stray(self, entry: FailedListing) -> None:
        if self.is_wanted(entry.name):
            self.report.warning(
                title=f"Not a {self.noun}",
                message="It was left out; everything else is read and removed as usual.",
                context=str(entry.error),
            )

    def _report_clash(self, first: Name, second: Name, urn: str) -> None:
        self.report.failure(
            title="Two names, one URN",
            message="Neither was read, since the catalog could not tell them apart. Rename one, filter one out, or "
            "read them by two recipes with a platform_instance each.",
            context=f"{list(first)} and {list(second)} are both {urn}",
        )

    def is_wanted(self, name: Name) -> bool:
        """Ask ``allowed``, and report a name over which a filter takes too long: it is left out of this run."""
        try:
            return self.allowed(name)
        except PatternError as error:
            self._report_unreadable(name, error)
            return False

    def allowed(self, name: Name) -> bool:
        """Whether the recipe's filters let this item, or the scope that it names, be read.

        Raises:
            PatternError: a filter takes too long.
        """
        patterns: Sequence[AllowDenyPattern] = [getattr(self.config, option) for option in self.name_filters]
        return all(is_allowed(pattern, part) for pattern, part in zip(patterns, name, strict=False))

    def _read_items(self, reader: Reader[ItemT], names: Sequence[Name]) -> Iterator[tuple[Name, ItemT]]:
        breaker = Breaker(_BREAK_AFTER)
        with closing(_read_in_order(reader, names, self.config.max_workers)) as results:
            for name, result in results:
                breaker.record(failed=isinstance(result, UnreachableError))
                if isinstance(result, VanishedError):
                    self.report.items_vanished += 1
                elif isinstance(result, ConnectorError):
                    self._report_unreadable(name, result)
                    if breaker.is_open:
                        self._report_stop(result)
                        return
                else:
                    self.report.items_scanned += 1
                    yield name, result

    def _report_unreadable(self, name: Name, error: LlmopsError) -> None:
        self.report.items_unreadable += 1
        self.report.failure(
            title="Could not be read",
            message="It was left out of this run, and nothing is deleted in this run.",
            context=f"{'.'.join(name)}: {error}",
        )

    @classmethod
    @override
    def try_connection(cls, config: ConfigT) -> CapabilityReport:
        """Distinguish "cannot reach", "not allowed" and "works, sees n"."""
        seen = 0
        try:
            with closing(cls.open(config)) as reader:
                for entry in reader.names():
                    if isinstance(entry, FailedListing):
                        if not entry.is_item:
                            continue
                        return no_connection(
                            f"{_verdict(entry.error)}: {'.'.join(entry.name)}: {entry.error}"
                        )
                    seen += 1
        except ConnectorError as error:
            return no_connection(f"{_verdict(error)}: {error}")
        works = f"Works, sees {seen} {cls.noun}{'' if seen == 1 else 's'}."
        return CapabilityReport(capable=True, mitigation_message=works)


def _read_in_order(
    reader: Reader[ItemT], names: Sequence[Name], workers: int
) -> Generator[tuple[Name, ItemT | ConnectorError], None, None]:
    """Read with ``workers`` threads, in the order of ``names``, at most twice as many items in memory."""

    def read(name: Name) -> ItemT | ConnectorError:
        try:
            return reader.read(name)
        except ConnectorError as error:
            return error
        except Exception as error:  # noqa: BLE001 - one item that our own code cannot handle does not stop the others
            return unexpected(error)

    pool = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="read")
    try:
        under_way: deque[tuple[Name, Future[ItemT | ConnectorError]]] = deque()
        for name in names:
            under_way.append((name, pool.submit(read, name)))
            if len(under_way) >= 2 * workers:
                done, future = under_way.popleft()
                yield done, future.result()
        while under_way:
            done, future = under_way.popleft()
            yield done, future.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _verdict(error: ConnectorError) -> str:
    if isinstance(error, DeniedError):
        return "Not allowed"
    if isinstance(error, (AccessError, UnreadableError)):
        return "Cannot reach"
    return "Cannot read"


def no_connection(reason: str) -> CapabilityReport:
    """Build the result of a failed test of a connection."""
    return CapabilityReport(capable=False, failure_reason=clean(reason))
