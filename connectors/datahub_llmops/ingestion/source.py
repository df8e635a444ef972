"""One DataHub source that drives any reader: list, filter, read in a bounded pool, map, report, close.

A connector adds its config, its reader and ten lines. What a reader raises decides what happens to the run: see
``errors``. Stale-entity removal looks only at ``report.failures``, so whatever exists and could not be read is a
failure, never a warning.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, Self, TypeVar

from datahub.configuration.common import AllowDenyPattern
from datahub.configuration.source_common import EnvConfigMixin, PlatformInstanceConfigMixin
from datahub.emitter.mcp import MetadataChangeProposalWrapper
from datahub.ingestion.api.common import PipelineContext
from datahub.ingestion.api.source import CapabilityReport, TestableSource, TestConnectionReport
from datahub.ingestion.api.workunit import MetadataWorkUnit
from datahub.ingestion.source.state.stale_entity_removal_handler import (
    StaleEntityRemovalSourceReport,
    StatefulStaleMetadataRemovalConfig,
)
from datahub.ingestion.source.state.stateful_ingestion_base import (
    StatefulIngestionConfigBase,
    StatefulIngestionSourceBase,
)
from datahub.utilities.lossy_collections import LossyList
from pydantic import BaseModel, Field, model_validator
from typing_extensions import override

from datahub_llmops import urns
from datahub_llmops.aspects.admission import Mode
from datahub_llmops.assets.collections import Name, Unlisted
from datahub_llmops.errors import (
    AccessError,
    ConnectorError,
    DeniedError,
    UnreachableError,
    UnreadableError,
    VanishedError,
)
from datahub_llmops.ingestion.reader import Reader
from datahub_llmops.ingestion.run_target import RunTarget
from datahub_llmops.mapping.collections import Proposal
from datahub_llmops.net.attempts import Breaker
from datahub_llmops.urns import Deployment

_BREAK_AFTER = 3
"""Scopes, or items, in a row that cannot be reached, after which the rest is not tried.

A single one may be behind a gateway of its own; several in a row mean that the system is down.
"""

ItemT = TypeVar("ItemT")
ConfigT = TypeVar("ConfigT", bound="CatalogConfig")


class CatalogConfig(
    StatefulIngestionConfigBase[StatefulStaleMetadataRemovalConfig],
    PlatformInstanceConfigMixin,
    EnvConfigMixin,
):
    """What every source of this package can be told."""

    catalog: str | None = Field(
        default=None,
        description="Catalog to look up schemas and models in: a local file such as `./catalog.db`, or a server's "
        "URL. Default: the server of the recipe's sink, else the file of its `llm-local` sink.",
    )
    custom_aspects: Mode = Field(
        default="auto",
        description="Whether typed aspects are written, which a server takes only with the model plugin. `auto`: into "
        "a local catalog, and to a server as far as it has loaded the plugin; not into a file.",
    )
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
class CatalogReport(StaleEntityRemovalSourceReport):
    """What a run did, beside DataHub's own counters."""

    items_scanned: int = 0
    items_filtered: int = 0
    items_unreadable: int = 0
    items_vanished: int = 0
    custom_aspects: str = ""
    """What was decided about typed aspects, and why."""
    filtered: LossyList[str] = field(default_factory=LossyList)


class CatalogSource(StatefulIngestionSourceBase, TestableSource, Generic[ConfigT, ItemT]):
    """Base of all sources; a connector sets the class variables and ``open``."""

    platform: ClassVar[str]
    config_type: ClassVar[type[CatalogConfig]]
    name_filters: ClassVar[tuple[str, ...]]
    """The config's ``AllowDenyPattern`` fields, one for each part of a name, outermost first."""
    noun: ClassVar[str] = "item"

    config: ConfigT
    report: CatalogReport

    def __init__(self, config: ConfigT, ctx: PipelineContext) -> None:
        super().__init__(config, ctx)  # type: ignore[arg-type]  # the base asks for a config without ours' mixins
        self.config = config
        self.report = self.new_report()
        self.deployment = Deployment(
            platform=self.platform, env=config.env, instance=config.platform_instance
        )
        self.target = RunTarget(ctx, config.custom_aspects, self.report)
        self.report.custom_aspects = self.target.decision.message

    @classmethod
    @override
    def create(cls, config_dict: dict[str, Any], ctx: PipelineContext) -> Self:
        return cls(cls.config_type.model_validate(config_dict), ctx)  # type: ignore[arg-type]  # config_type is ConfigT

    @classmethod
    @abstractmethod
    def open(cls, config: ConfigT) -> Reader[ItemT]:
        """Connect. Raises ``AccessError``."""

    @classmethod
    def new_report(cls) -> CatalogReport:
        return CatalogReport()

    @abstractmethod
    def item_proposals(self, item: ItemT) -> Iterator[Proposal | MetadataWorkUnit]:
        """Everything about one item; a work unit where it is not this recipe's own asset."""

    def listed(self, names: Sequence[Name]) -> None:
        """Told the names of all items that will be read, before the first of them is."""

    def opening_proposals(self) -> Iterator[Proposal | MetadataWorkUnit]:
        """What has to be in the catalog before the first item."""
        yield from ()

    def concluding_proposals(self, reader: Reader[ItemT]) -> Iterator[Proposal | MetadataWorkUnit]:
        """What follows from having read every item; the reader is still open."""
        yield from ()

    def closing_proposals(self) -> Iterator[Proposal | MetadataWorkUnit]:
        """What is known only after the last item."""
        yield from ()

    @override
    def get_report(self) -> CatalogReport:
        return self.report

    @override
    def get_workunits_internal(self) -> Iterable[MetadataWorkUnit]:
        for proposal in self._proposals():
            yield proposal if isinstance(proposal, MetadataWorkUnit) else workunit(proposal)

    def _proposals(self) -> Iterator[Proposal | MetadataWorkUnit]:
        try:
            reader = self.open(self.config)
        except ConnectorError as error:
            self._refused(error)
            return
        with closing(reader):
            names = self._names(reader)
            self.listed(names)
            yield from self.opening_proposals()
            for item in self._items(reader, names):
                yield from self.item_proposals(item)
            yield from self.concluding_proposals(reader)
        yield from self.closing_proposals()

    def _refused(self, error: ConnectorError) -> None:
        self.report.failure(
            title="Cannot read the system",
            message="Nothing more was read, and nothing is deleted in this run.",
            context=str(error),
        )

    def _names(self, reader: Reader[ItemT]) -> list[Name]:
        names: dict[str, Name] = {}
        clashes: set[str] = set()
        breaker = Breaker(_BREAK_AFTER)
        try:
            for entry in reader.names():
                if isinstance(entry, Unlisted):
                    if self.allowed(entry.name):
                        self._unreadable(entry.name, entry.error)
                        breaker.record(failed=isinstance(entry.error, UnreachableError))
                        if breaker.is_open:
                            # As if the listing itself had broken off.
                            raise entry.error
                    continue
                breaker.record(failed=False)
                if not self.allowed(entry):
                    self.report.items_filtered += 1
                    self.report.filtered.append(".".join(entry))
                else:
                    urn = urns.collection(self.deployment, entry)
                    if names.setdefault(urn, entry) != entry:
                        clashes.add(urn)
                        self._clash(names[urn], entry, urn)
        except ConnectorError as error:
            self._refused(error)
        return [name for urn, name in names.items() if urn not in clashes]

    def _clash(self, first: Name, second: Name, urn: str) -> None:
        self.report.failure(
            title="Two names, one URN",
            message="Neither was read, since the catalog could not tell them apart. Rename one, filter one out, or "
            "read them by two recipes with a platform_instance each.",
            context=f"{list(first)} and {list(second)} are both {urn}",
        )

    def allowed(self, name: Name) -> bool:
        """Do the recipe's filters let this item, or the scope that it names, be read?"""
        patterns: Sequence[AllowDenyPattern] = [getattr(self.config, option) for option in self.name_filters]
        return all(pattern.allowed(part) for pattern, part in zip(patterns, name, strict=False))

    def _items(self, reader: Reader[ItemT], names: Sequence[Name]) -> Iterator[ItemT]:
        breaker = Breaker(_BREAK_AFTER)
        with closing(_read_in_order(reader, names, self.config.max_workers)) as results:
            for name, result in results:
                breaker.record(failed=isinstance(result, UnreachableError))
                if isinstance(result, VanishedError):
                    self.report.items_vanished += 1
                elif isinstance(result, ConnectorError):
                    self._unreadable(name, result)
                    if breaker.is_open:
                        self._refused(result)
                        return
                else:
                    self.report.items_scanned += 1
                    yield result

    def _unreadable(self, name: Name, error: ConnectorError) -> None:
        self.report.items_unreadable += 1
        self.report.failure(
            title="Could not be read",
            message="It was left out of this run, and nothing is deleted in this run.",
            context=f"{'.'.join(name)}: {error}",
        )

    @classmethod
    @override
    def test_connection(cls, config_dict: dict[str, Any]) -> TestConnectionReport:
        """Tell apart "cannot reach", "not allowed" and "works, sees n"."""
        try:
            config = cls.config_type.model_validate(config_dict)
            with closing(cls.open(config)) as reader:  # type: ignore[arg-type]  # config_type is ConfigT
                seen = 0
                for entry in reader.names():
                    if isinstance(entry, Unlisted):
                        return _no_connection(
                            f"{_verdict(entry.error)}: {'.'.join(entry.name)}: {entry.error}"
                        )
                    seen += 1
        except ConnectorError as error:
            return _no_connection(f"{_verdict(error)}: {error}")
        except ValueError as error:  # pydantic's ValidationError is one
            return TestConnectionReport(
                internal_failure=True, internal_failure_reason=f"The recipe is not valid: {error}"
            )
        works = f"Works, sees {seen} {cls.noun}{'' if seen == 1 else 's'}."
        return TestConnectionReport(
            basic_connectivity=CapabilityReport(capable=True, mitigation_message=works)
        )


def check_patterns(config: BaseModel) -> None:
    """DataHub compiles a pattern at its first use, in the middle of a run.

    Raises:
        ValueError: an ``allow`` or ``deny`` of one of the config's own fields is no regular expression.
    """
    for option in type(config).model_fields:
        value = getattr(config, option)
        for pattern in value.values() if isinstance(value, dict) else [value]:
            if isinstance(pattern, AllowDenyPattern):
                for text in (*pattern.allow, *pattern.deny):
                    try:
                        re.compile(text)
                    except re.error as error:
                        raise ValueError(
                            f"{option}: {text!r} is not a regular expression: {error}"
                        ) from error


def workunit(proposal: Proposal, *, primary: bool = True) -> MetadataWorkUnit:
    """A proposal on its way to the sink; ``primary=False`` for an asset that others share or own."""
    name = f"{proposal.entityUrn}-{proposal.aspectName}"
    if isinstance(proposal, MetadataChangeProposalWrapper):
        return MetadataWorkUnit(id=name, mcp=proposal, is_primary_source=primary)
    return MetadataWorkUnit(id=name, mcp_raw=proposal, is_primary_source=primary)


def _read_in_order(
    reader: Reader[ItemT], names: Sequence[Name], workers: int
) -> Generator[tuple[Name, ItemT | ConnectorError], None, None]:
    """Read with ``workers`` threads, in the order of ``names``, at most twice as many items in memory."""

    def read(name: Name) -> ItemT | ConnectorError:
        try:
            return reader.read(name)
        except ConnectorError as error:
            return error

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


def _no_connection(reason: str) -> TestConnectionReport:
    return TestConnectionReport(basic_connectivity=CapabilityReport(capable=False, failure_reason=reason))
