"""Gathers what the checks of one asset need, once, from a local catalog or a server."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any, Final

from datahub_llmops.catalog.aspect_facts import PROPERTY_PREFIX, read_properties, read_schema_fields
from datahub_llmops.catalog.column_uses import uses_on_edges
from datahub_llmops.catalog.protocol import Aspect, FullCatalog, Lineage, Node
from datahub_llmops.catalog.untraced import Untraced, untraced_of
from datahub_llmops.catalog.urn_text import asset_of, field_urns, platform
from datahub_llmops.governance.past_records import read_operations, read_profiles
from datahub_llmops.governance.runs import History, Run, history, read_runs
from datahub_llmops.governance.times import time_of
from datahub_llmops.net.json_values import array, mapping, objects, text, whole

HOPS: Final = 20
_PROFILES_BEFORE: Final = 30 * 86_400_000
"""How long before the index was written profiles are read, in milliseconds."""
VIEWS: Final = frozenset({"View"})
"""Subtypes of datasets without data of their own: what they show changes with their sources."""
INDEX: Final = "Vector Collection"
QUERY_MODEL: Final = "query_embedding_model"
"""Custom property of a retriever, as ``mapping.applications`` writes it."""
_NO_READERS: Final = ("llm-", "csv-enricher", "datahub-business-glossary")
"""Sources that do not read tables."""
EMBEDDING_JOB: Final = "Embedding Job"
RETRIEVER: Final = "Retriever"
NOT_SOURCES: Final = frozenset({INDEX, "Retriever", "Prompt", "Answer Log", "Guardrail"})
"""Our own subtypes of datasets, which are not data that an index is made of."""

_UNDESCRIBED: Final = frozenset(
    {"datasetKey", "browsePaths", "browsePathsV2", "dataPlatformInstance", "status"}
)
"""Aspects that an asset has as soon as somebody names it: ours write the key, a server derives the others."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """An asset with everything upstream of it. Assets that were gathered together share what was read."""

    root: Node
    upstream: Lineage
    aspects: Mapping[str, Mapping[str, Aspect]]
    """Versioned aspects of the asset and of everything upstream, by URN."""
    newest: Mapping[str, Mapping[str, Aspect]]
    """The newest record of each of their time series."""
    quality: Mapping[str, Mapping[str, Mapping[str, Aspect]]]
    """Assertions and incidents about them: see ``FullCatalog.quality``."""
    columns: Mapping[str, Mapping[str, Aspect]]
    """Aspects of the asset's own columns, and of those upstream that feed them, by URN."""
    profiles: Mapping[str, Sequence[Aspect]]
    """Profiles of silent sources since shortly before the index was written, oldest first."""
    operations: Mapping[str, Sequence[Aspect] | None]
    """Operations of sources that were reported after the index was written, if the newest report may not be of the last
    one. ``None`` if there are too many to read."""
    runs: Mapping[str, Sequence[Run]]
    """The runs of the jobs that write into the asset, by job, newest first."""
    columns_before: Mapping[str, Mapping[str, str]] | None
    """The columns with their types that sources had when the asset was last written, where they have changed since.

    ``None`` if the catalog does not tell. The first ones that it knows if it does not know when that was.
    """
    query_models: Mapping[str, str]
    """Retrievers that read the asset -> the model of the newest query that was seen there."""
    recipes: Mapping[str, datetime]
    """When the last good run of a recipe of each type of source began, if the catalog keeps it."""
    now: datetime
    hops: int = HOPS
    """How far upstream was walked."""

    def aspect(self, urn: str, name: str) -> Mapping[str, Any]:
        """Return an aspect, or an empty one."""
        return self.aspects.get(urn, {}).get(name, {})

    @property
    def is_dated(self) -> bool:
        """Whether it is known when the asset was last written."""
        return bool(_times(self))

    @property
    def is_cut(self) -> bool:
        """Whether more may lie upstream than was walked."""
        return any(node.hops >= self.hops for node in self.upstream.nodes)

    @cached_property
    def nodes(self) -> Mapping[str, Node]:
        """The asset and everything upstream, by URN."""
        return {node.urn: node for node in self.upstream.nodes}

    @cached_property
    def _next(self) -> Mapping[str, str]:
        """Each asset upstream -> the next one on a shortest way down to the root."""
        found: dict[str, str] = {}
        frontier = [self.root.urn]
        while frontier:
            reached = []
            for urn in frontier:
                for source in self.feeders(urn):
                    if source not in found and source != self.root.urn:
                        found[source] = urn
                        reached.append(source)
            frontier = reached
        return found

    def path(self, urn: str) -> tuple[str, ...]:
        """Return the URNs from ``urn`` down to the root on a shortest way; just these two if there is none."""
        way = [urn]
        while way[-1] != self.root.urn:
            way.append(self._next.get(way[-1], self.root.urn))
        return tuple(way)

    def feeders(self, urn: str) -> list[str]:
        """List what feeds an asset directly: what the walk found, and what the asset's own aspects name.

        A walk leaves out assets that the catalog does not hold, or that were removed. They feed the asset all the same.
        """
        return sorted({*self._into.get(urn, ()), *self._named(urn)})

    @cached_property
    def _into(self) -> Mapping[str, set[str]]:
        found: dict[str, set[str]] = {}
        for edge in self.upstream.edges:
            found.setdefault(edge.downstream, set()).add(edge.upstream)
        return found

    def _named(self, urn: str) -> set[str]:
        job, dataset = self.aspect(urn, "dataJobInputOutput"), self.aspect(urn, "upstreamLineage")
        named = [
            *array(job.get("inputDatasets")),
            *array(job.get("inputDatajobs")),
            *(edge.get("destinationUrn") for edge in objects(job.get("inputDatasetEdges"))),
            *(edge.get("dataset") for edge in objects(dataset.get("upstreams"))),
        ]
        return {one for one in named if isinstance(one, str)}

    @cached_property
    def jobs(self) -> Sequence[Node]:
        """The jobs that write into the asset."""
        return [
            node
            for urn in self.feeders(self.root.urn)
            if (node := self.nodes.get(urn)) is not None and node.type == "dataJob"
        ]

    @property
    def is_index(self) -> bool:
        """Whether the asset is a vector index: a collection, or a table that an embedding job writes vectors into.

        DataHub's own source describes a table with vectors, as any other table.
        """
        return self.root.subtype == INDEX or any(job.subtype == EMBEDDING_JOB for job in self.jobs)

    @cached_property
    def sources(self) -> Sequence[str]:
        """The nearest datasets with data of their own that feed the asset, by URN; views are walked through.

        A dataset that the catalog does not hold is one too: it is known by its URN only.
        """
        return self.sources_of(self.root.urn)

    @cached_property
    def unseen(self) -> Sequence[str]:
        """The sources of which the catalog has a URN only: no recipe described them, so what they carry is not known.

        A bare key is not a description. Ours write one for every dataset that a payload or a job names.
        """
        return [urn for urn in self.sources if self.aspects.get(urn, {}).keys() <= _UNDESCRIBED]

    def sources_of(self, asset: str) -> Sequence[str]:
        """Return the nearest datasets with data of their own that feed an asset upstream, such as one of the jobs."""
        found: set[str] = set()
        seen = {self.root.urn, asset}
        frontier = [asset]
        while frontier:
            reached: list[str] = []
            for urn in frontier:
                for source in self.feeders(urn):
                    if source in seen or not _carries_data(source):
                        continue
                    seen.add(source)
                    node = self.nodes.get(source)
                    subtype = node.subtype if node else None
                    if source.startswith("urn:li:dataset:") and subtype not in VIEWS:
                        if subtype not in NOT_SOURCES:
                            found.add(source)
                        else:
                            reached.append(source)
                    else:
                        reached.append(source)
            frontier = reached
        return sorted(found)

    @cached_property
    def feeding_columns(self) -> Mapping[str, frozenset[str]]:
        """Each column of the asset that others feed -> all columns upstream of it."""
        own = [column for column in self._columns_into if asset_of(column) == self.root.urn]
        return {column: _ancestors(column, self._columns_into) for column in own}

    @cached_property
    def _columns_into(self) -> Mapping[str, set[str]]:
        into: dict[str, set[str]] = {}
        for edge in self.upstream.edges:
            for pair in edge.columns:
                into.setdefault(pair.downstream, set()).add(pair.upstream)
        return into

    @cached_property
    def vague_sources(self) -> Sequence[str]:
        """The datasets upstream of which it is not known which of their columns feed the asset, if any.

        They are read by a job, or copied, without lineage of columns.
        """
        fed = {asset_of(column) for columns in self.feeding_columns.values() for column in columns}
        traced = {(edge.upstream, edge.downstream) for edge in self.upstream.edges if edge.columns}
        found: set[str] = set()
        frontier = [self.root.urn, *sorted(fed)]
        seen = set(frontier)
        while frontier:
            vague = {source for urn in frontier for source in self._vaguely_into(urn, traced)}
            found |= vague - {self.root.urn}
            frontier = sorted(vague - seen)
            seen |= vague
        return sorted(found)

    def _vaguely_into(self, dataset: str, traced: Collection[tuple[str, str]]) -> Iterator[str]:
        """List the datasets that feed one, and of which it is not known by which columns."""
        for feeder in self.feeders(dataset):
            yield from self._untraced.get((feeder, dataset), ())
            if (feeder, dataset) in traced:
                continue
            if feeder.startswith("urn:li:dataset:"):
                yield feeder
            elif not self._says_uses(feeder, dataset):
                yield from (one for one in self.feeders(feeder) if one.startswith("urn:li:dataset:"))

    @cached_property
    def vague_columns(self) -> frozenset[str]:
        """The columns that feed those of ``vague_sources``, and may feed the asset by them."""
        vague = set(self.vague_sources)
        starts = {column for column in self._columns_into if asset_of(column) in vague}
        return frozenset().union(starts, *(_ancestors(column, self._columns_into) for column in starts))

    @cached_property
    def _untraced(self) -> Untraced:
        jobs = (node.urn for node in self.upstream.nodes if node.type == "dataJob")
        return untraced_of({urn: self.aspects.get(urn, {}) for urn in jobs})

    def _says_uses(self, job: str, dataset: str) -> bool:
        return dataset in uses_on_edges(self.aspect(job, "dataJobInputOutput"))

    @cached_property
    def jobs_without_columns(self) -> Sequence[str]:
        """The jobs that fill the asset, and of which it is not known which columns they read and use."""
        traced = {
            edge.upstream for edge in self.upstream.edges if edge.downstream == self.root.urn and edge.columns
        }
        return [
            job.urn
            for job in self.jobs
            if (job.urn, self.root.urn) in self._untraced
            or (job.urn not in traced and not self._says_uses(job.urn, self.root.urn))
        ]

    @cached_property
    def jobs_without_model(self) -> Sequence[str]:
        """The jobs that fill the asset, and the embedding jobs upstream, of which no model is known."""
        with_model = {edge.downstream for edge in self.upstream.edges if edge.upstream in self.models}
        embedding = [node for node in self.upstream.nodes if node.subtype == EMBEDDING_JOB]
        filling = self.jobs if self.is_index else []
        return sorted({job.urn for job in (*filling, *embedding)} - with_model)

    @cached_property
    def models(self) -> Mapping[str, str]:
        """The models upstream by URN, each with the asset that uses it."""
        return {
            edge.upstream: edge.downstream
            for edge in self.upstream.edges
            if edge.upstream.startswith("urn:li:mlModel:")
        }

    def name(self, urn: str) -> str:
        """Return the name that people know an asset by, or the URN."""
        node = self.nodes.get(urn)
        return node.name if node else urn

    def property(self, urn: str, name: str) -> tuple[str | float, ...]:
        """Return the values of one of our structured properties of an asset or column, by its short name."""
        held = self.aspects.get(urn) or self.columns.get(urn, {})
        wanted = {f"{PROPERTY_PREFIX}{name}": name}
        return read_properties(held.get("structuredProperties", {}), wanted).get(name, ())

    def written(self, urn: str) -> tuple[datetime, str] | None:
        """Return when a dataset was last written, and the aspect that says so, if the catalog knows."""
        operation = self.last_operation(urn)
        properties = self.aspect(urn, "datasetProperties")
        known = [
            (at, aspect)
            for at, aspect in (
                (time_of(operation.get("lastUpdatedTimestamp")), "operation"),
                (
                    time_of(mapping(properties.get("lastModified")).get("time")),
                    "datasetProperties",
                ),
            )
            if at is not None
        ]
        return max(known) if known else None

    def read_at(self, urn: str) -> datetime | None:
        """Return when a recipe last began to read what a dataset is part of, if the catalog keeps that.

        Without a recipe of its platform it may have been any that reads other systems.
        """
        own = self.recipes.get(platform(urn) or "")
        others = [at for kind, at in self.recipes.items() if not kind.startswith(_NO_READERS)]
        return own or max(others, default=None)

    def last_operation(self, urn: str) -> Aspect:
        """Return the operation that was the last one on a dataset: not always the one that was reported last."""
        known = [self.newest.get(urn, {}).get("operation", {}), *(self.operations.get(urn) or ())]
        return max(known, key=lambda one: whole(one.get("lastUpdatedTimestamp")) or 0)

    def history(self, job: str) -> History:
        """Return what the runs of a job say about the asset."""
        return history(self.runs.get(job, ()), self.root.urn)

    def stated(self, job: str) -> Mapping[str, Any]:
        """Return what the recipe of a job states about it."""
        return mapping(self.aspect(job, "dataJobInfo").get("customProperties"))

    def owners(self) -> tuple[str, ...]:
        """Return the owners of the asset, else of the jobs that fill it."""
        own = self.root.owners
        return own or tuple(dict.fromkeys(owner for job in self.jobs for owner in job.owners))

    def schedule(self, job: str) -> str | None:
        """Return the schedule of a job as its recipe states it."""
        typed = text(self.aspect(job, "embeddingJobInfo").get("schedule"))
        return typed or text(self.stated(job).get("schedule"))


def gather(catalog: FullCatalog, urn: str, *, now: datetime, hops: int = HOPS) -> Facts:
    """Read everything that the checks of ``urn`` need.

    Raises:
        UnknownAssetError: the catalog does not know the asset.
        CatalogError: the catalog cannot answer.
    """
    walk = catalog.lineage(urn, "up", hops)
    down = catalog.lineage(urn, "down", 1)
    readers = [node.urn for node in down.nodes if node.subtype == RETRIEVER]
    return next(_gather(catalog, {urn: walk}, {urn: _query_models(catalog, readers)}, now, hops))


def gather_many(
    catalog: FullCatalog,
    urns: Iterable[str],
    queried: Mapping[str, Mapping[str, str]],
    *,
    now: datetime,
    hops: int = HOPS,
) -> Iterator[Facts]:
    """Read what the checks of many assets need at once, without those that the catalog does not know.

    ``queried`` is what ``read_query_models`` returns: it is read once for all assets of a catalog.

    Raises:
        CatalogError: the catalog cannot answer.
    """
    yield from _gather(catalog, catalog.upstreams(urns, hops), queried, now, hops)


def read_query_models(catalog: FullCatalog) -> Mapping[str, Mapping[str, str]]:
    """Map each index to the retrievers that search it, with the model that each was seen to embed queries with.

    Raises:
        CatalogError: the catalog cannot answer.
    """
    models = _query_models(catalog, sorted(catalog.of_subtypes([RETRIEVER])))
    found: dict[str, dict[str, str]] = {}
    for retriever, aspects in catalog.aspects_of(models, ["upstreamLineage"]).items():
        for entry in objects(mapping(aspects.get("upstreamLineage")).get("upstreams")):
            if index := text(entry.get("dataset")):
                found.setdefault(index, {})[retriever] = models[retriever]
    return found


def _gather(
    catalog: FullCatalog,
    walks: Mapping[str, Lineage],
    queried: Mapping[str, Mapping[str, str]],
    now: datetime,
    hops: int,
) -> Iterator[Facts]:
    urns = sorted({node.urn for walk in walks.values() for node in walk.nodes})
    aspects, newest, quality = catalog.aspects_of(urns), catalog.latest_of(urns), catalog.quality(urns)
    recipes = {kind: at for kind, ms in catalog.recipes_read().items() if (at := time_of(ms)) is not None}
    gathered = [
        Facts(
            root=next(node for node in walk.nodes if node.urn == urn),
            upstream=walk,
            aspects=aspects,
            newest=newest,
            quality=quality,
            columns={},
            profiles={},
            operations={},
            runs={},
            columns_before={},
            query_models={},
            recipes=recipes,
            now=now,
            hops=hops,
        )
        for urn, walk in walks.items()
    ]
    columns = catalog.aspects_of(sorted({column for facts in gathered for column in _columns(facts)}))
    runs = {
        job: read_runs(instances)
        for job, instances in catalog.runs(
            dict.fromkeys(job.urn for facts in gathered for job in facts.jobs)
        ).items()
    }
    gathered = [
        replace(
            facts,
            columns=columns,
            runs=runs,
            query_models=queried.get(facts.root.urn, {}) if facts.is_index else {},
        )
        for facts in gathered
    ]
    profiles, operations = (
        read_profiles(catalog, _silent_sources(gathered)),
        read_operations(catalog, _late_reports(gathered)),
    )
    for facts in gathered:
        since = _milliseconds(min(times)) if (times := _times(facts)) else 0
        before = catalog.columns_at(_feeding_tables(facts), since)
        yield replace(facts, columns_before=before, profiles=profiles, operations=operations)


def _query_models(catalog: FullCatalog, readers: Sequence[str]) -> dict[str, str]:
    found = catalog.aspects_of(readers, ["datasetProperties"]) if readers else {}
    stated = {
        urn: text(mapping(mapping(aspects.get("datasetProperties")).get("customProperties")).get(QUERY_MODEL))
        for urn, aspects in found.items()
    }
    return {urn: model for urn, model in stated.items() if model is not None}


def _columns(facts: Facts) -> Iterator[str]:
    """The asset's own columns, those that feed them, and those that may."""
    urn = facts.root.urn
    for path, _ in read_schema_fields("schemaMetadata", facts.aspects.get(urn, {})):
        yield from field_urns(urn, path)
    for feeding in facts.feeding_columns.values():
        yield from feeding
    yield from facts.vague_columns


def _times(facts: Facts) -> list[datetime]:
    """When the last good run of each job began, and without one of each, when the store says that it was written."""
    good = [facts.history(job.urn).good for job in facts.jobs]
    times = [run.began or run.at for run in good if run is not None]
    stated = facts.written(facts.root.urn)
    return times if stated is None or (times and None not in good) else [*times, stated[0]]


def _feeding_tables(facts: Facts) -> list[str]:
    return sorted({asset_of(column) for columns in facts.feeding_columns.values() for column in columns})


def _silent_sources(gathered: Iterable[Facts]) -> Mapping[str, int]:
    """Map the sources that tell by their profiles only to when the reading of these begins.

    A source without a profile since an asset was written is left out: its profiles do not tell.
    """
    since: dict[str, int] = {}
    for facts, first, _ in _dated(gathered):
        for urn in facts.sources:
            profiled = time_of(facts.newest.get(urn, {}).get("datasetProfile", {}).get("timestampMillis"))
            if facts.written(urn) is None and profiled is not None and profiled > first:
                begin = _milliseconds(first) - _PROFILES_BEFORE
                since[urn] = min(begin, since.get(urn, begin))
    return since


def _late_reports(gathered: Iterable[Facts]) -> Mapping[str, int]:
    """Map the sources whose newest report may not be of their last operation to when an asset was written.

    DataHub's connectors of warehouses report the operations of a day together, and some the latest one first.
    """
    since: dict[str, int] = {}
    for facts, first, last in _dated(gathered):
        for urn in facts.sources:
            newest = facts.newest.get(urn, {}).get("operation", {})
            reported, updated = (
                time_of(newest.get("timestampMillis")),
                time_of(newest.get("lastUpdatedTimestamp")),
            )
            if reported is not None and reported > first and (updated is None or updated <= last):
                begin = _milliseconds(first)
                since[urn] = min(begin, since.get(urn, begin))
    return since


def _dated(gathered: Iterable[Facts]) -> Iterator[tuple[Facts, datetime, datetime]]:
    """The assets of which it is known when they were written, with the first and the last of these times."""
    for facts in gathered:
        if times := _times(facts):
            yield facts, min(times), max(times)


def _milliseconds(when: datetime) -> int:
    return round(when.timestamp() * 1000)


def _ancestors(column: str, into: Mapping[str, set[str]]) -> frozenset[str]:
    found: set[str] = set()
    frontier = [column]
    while frontier:
        frontier = [
            one for near in frontier for one in into.get(near, ()) if one not in found and one != column
        ]
        found.update(frontier)
    return frozenset(found)


def _carries_data(urn: str) -> bool:
    return urn.startswith(("urn:li:dataset:", "urn:li:dataJob:"))
