"""Reads a DataHub server as a ``Catalog``: each walk takes one lineage query, and reads the aspects of its assets."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from typing_extensions import override

from datahub_llmops.aspects.generated import register
from datahub_llmops.catalog import urn_text as names
from datahub_llmops.catalog.aspect_edges import edges_in
from datahub_llmops.catalog.aspect_facts import (
    PROPERTY_PREFIX,
    QUALITY_ASPECTS,
    read_columns,
    read_properties,
    read_subjects,
    urns_by_alias,
)
from datahub_llmops.catalog.labels import Label
from datahub_llmops.catalog.local.search_words import NOT_SEARCHED
from datahub_llmops.catalog.protocol import (
    LABELLED_TYPES,
    Aspect,
    Direction,
    Edge,
    FullCatalog,
    Group,
    Lineage,
    Node,
    Record,
)
from datahub_llmops.catalog.server.client import TIMEOUT, Gms, connect
from datahub_llmops.catalog.server.nodes import (
    build_column,
    build_node,
    column_urns,
    is_removed,
    labels_of,
)
from datahub_llmops.catalog.server.walk import AssetGraph, asset_lineage, column_lineage
from datahub_llmops.catalog.walk import sort_edges
from datahub_llmops.errors import UnknownAssetError
from datahub_llmops.net.paging import MOST_EMPTY_PAGES

if TYPE_CHECKING:
    from datahub.ingestion.graph.client import DataHubGraph
    from datahub.ingestion.graph.filters import RawSearchFilter

_LINEAGE: Final = (
    "query lineage($input: SearchAcrossLineageInput!) { searchAcrossLineage(input: $input) { start count total "
    "searchResults { degree entity { urn type } paths { path { urn type } } } } }"
)
_SEARCH: Final = (
    "query s($input: SearchAcrossEntitiesInput!){ searchAcrossEntities(input:$input){ total searchResults{ "
    "entity{ urn type } } } }"
)
_PAGE: Final = 1000
_CANDIDATES: Final = 100
_AT_ONCE: Final = 100
_JOBS_AT_ONCE: Final = 50
"""Jobs whose runs are searched together: with 20 runs of each, one page of a server holds them."""
_FILTERED_HOPS: Final = 2
"""Up to so many hops a server can be told to stop there; beyond, it knows "three and more" only."""

_LABEL_FIELDS: Final = (
    "glossaryTerms",
    "tags",
    "fieldGlossaryTerms",
    "fieldTags",
    "editedFieldGlossaryTerms",
    "editedFieldTags",
)
_TERM_FIELDS: Final = ("glossaryTerms", "fieldGlossaryTerms", "editedFieldGlossaryTerms")
_INPUT_FIELDS: Final = ("inputs", "inputDatasetEdges")
_OUTPUT_FIELDS: Final = ("outputs", "outputDatasetEdges")
"""How a server's index calls what jobs read and write, as ``dataJobInputOutput`` annotates its fields."""
_SUBJECT_FIELDS: Final = {"assertion": "entity", "incident": "entities"}
"""How a server's index calls the assets that an assertion or incident is about, as their ``Searchable`` fields say."""
_FIELD_LABELS: Final = ("glossaryTerms", "globalTags")
_COMPUTED: Final = {"versionProperties": "isLatest"}
"""A field that the server works out itself and refuses to be told."""

_EXPORTED: Final = (
    "structuredProperty",
    "corpuser",
    "corpGroup",
    "glossaryNode",
    "glossaryTerm",
    "tag",
    "domain",
    "container",
    "dataFlow",
    "dataJob",
    "dataset",
    "schemaField",
    "mlModelGroup",
    "mlModel",
    "dataProcessInstance",
    "versionSet",
)


class ServerCatalog(FullCatalog):
    """Read access to a DataHub server through DataHub's own client."""

    def __init__(self, graph: DataHubGraph, *, timeout: float = TIMEOUT) -> None:
        """``timeout`` limits one exchange including retries, in seconds. A source passes ``ctx.graph``."""
        # Edges are read by the annotations of registered aspects.
        register()
        self._gms = Gms(graph, timeout=timeout)
        self._on_platform: dict[str, list[str]] = {}
        self._owned = False

    @classmethod
    def at(cls, url: str, *, timeout: float = TIMEOUT) -> ServerCatalog:
        """Connect to the server at ``url``. The token comes from ``DATAHUB_GMS_TOKEN``, or else from ``~/.datahubenv``.

        Raises:
            CatalogError: the address is none, or holds a login.
        """
        catalog = cls(connect(url), timeout=timeout)
        catalog._owned = True
        return catalog

    @property
    @override
    def at_once(self) -> int:
        return _AT_ONCE

    @override
    def close(self) -> None:
        """Close the connections, unless the caller passed the graph in."""
        if self._owned:
            self._gms.close()

    @override
    def aspects(self, urn: str, names: Sequence[str] = ()) -> Mapping[str, Aspect]:
        found = _versioned(self._gms.batch_get([urn]).get(urn, {}))
        return {name: aspect for name, aspect in sorted(found.items()) if not names or name in names}

    @override
    def aspects_of(
        self, urns: Iterable[str], names: Sequence[str] = ()
    ) -> Mapping[str, Mapping[str, Aspect]]:
        return {urn: _versioned(found) for urn, found in self._gms.batch_get(urns, names).items()}

    @override
    def assets(self, types: Sequence[str]) -> Iterable[str]:
        return self._gms.scroll(types)

    @override
    def stated_edges(self, urns: Iterable[str]) -> Sequence[Edge]:
        return sort_edges(edges_in(self.aspects_of(urns)).values())

    @override
    def of_subtypes(self, subtypes: Sequence[str]) -> Iterable[str]:
        of_these: RawSearchFilter = [
            {"and": [{"field": "typeNames", "condition": "EQUAL", "values": list(subtypes)}]}
        ]
        return self._gms.scroll(("dataset", "dataJob"), either=of_these)

    @override
    def groups(self, subtype: str, properties: Sequence[str]) -> Iterable[Group]:
        wanted = {f"{PROPERTY_PREFIX}{name}": name for name in properties}
        urns = [urn for urn in self.of_subtypes([subtype]) if names.entity_type(urn) == "dataset"]
        aspects = self.aspects_of(urns, ["structuredProperties"])
        found: dict[tuple[str | None, str], list[str]] = {}
        for node in self.nodes(sorted(urns)):
            found.setdefault((node.platform, node.name), []).append(node.urn)
        assigned = {
            urn: read
            for urn, own in aspects.items()
            if (read := read_properties(own.get("structuredProperties", {}), wanted))
        }
        return [
            Group(platform, name, grouped, {urn: assigned[urn] for urn in grouped if urn in assigned})
            for (platform, name), grouped in found.items()
        ]

    @override
    def latest(self, urn: str) -> Mapping[str, Aspect]:
        return self.latest_of([urn]).get(urn, {})

    @override
    def latest_of(self, urns: Iterable[str]) -> Mapping[str, Mapping[str, Aspect]]:
        return {
            urn: {name: aspect for name, aspect in sorted(found.items()) if _is_series(aspect)}
            for urn, found in self._gms.batch_get(urns).items()
        }

    @override
    def series(self, urn: str, name: str, since: int) -> Sequence[Aspect]:
        return self._gms.series(urn, name, since)

    @override
    def series_of(
        self, urns: Iterable[str], names: Sequence[str]
    ) -> Mapping[str, Mapping[str, Sequence[Aspect]]]:
        # A server gives the newest records of many assets at once, and whole series one by one. It refuses a question
        # for an aspect that it does not know by name.
        return {
            urn: {name: self.series(urn, name, 0) for name in names if name in newest}
            for urn, newest in self.latest_of(urns).items()
        }

    @override
    def lineage(
        self, urn: str, direction: Direction, hops: int = 5, *, through_removed: bool = False
    ) -> Lineage:
        degrees, passed = self._degrees(urn, direction, hops)
        own = names.asset_of(urn)
        if through_removed:
            found = self.aspects_of([own, *degrees, *passed])
            walked = asset_lineage(urn, direction, hops, found)
            hops_of = {asset: hop for asset, hop in walked.hops.items() if asset != urn}
            return Lineage(
                root=urn, direction=direction, nodes=self._walked(urn, found, hops_of), edges=walked.edges
            )
        found = self.aspects_of([own, urn, *degrees])
        gone = {asset for asset, aspects in found.items() if is_removed(aspects)}
        known = {asset: aspects for asset, aspects in found.items() if asset not in gone}
        if gone & {own, urn}:
            raise self._unknown(urn, removed=True)
        walk = asset_lineage if own == urn else column_lineage
        walked = walk(urn, direction, hops, known, gone)
        more = self._removed_among({*map(names.asset_of, {*walked.hops, *passed})} - found.keys())
        if gone or more:
            # The server walks through removed assets and counts them as hops, so walk again without them.
            walked = walk(urn, direction, hops, known, gone | more)
            degrees = {asset: hop for asset, hop in walked.hops.items() if asset in degrees}
        return Lineage(
            root=urn, direction=direction, nodes=self._walked(urn, known, degrees), edges=walked.edges
        )

    def _walked(
        self, root: str, known: Mapping[str, Mapping[str, Aspect]], degrees: Mapping[str, int]
    ) -> tuple[Node, ...]:
        own = names.asset_of(root)
        assets = [
            asset for asset in (own, *degrees) if asset in known and (asset in degrees or asset == root)
        ]
        nodes = self._nodes({asset: known[asset] for asset in assets}, degrees)
        if own != root and own in known and (column := build_column(root, known.get(root, {}), known[own])):
            nodes.append(column)
        elif own != root or root not in known:
            if not degrees:
                raise self._unknown(root, removed=False)
            # Never emitted itself, and yet others say that they read or write it.
            nodes.append(build_node(root, {}, (), 0))
        return tuple(sorted(nodes, key=lambda node: (node.hops, node.urn)))

    def _degrees(self, urn: str, direction: Direction, hops: int) -> tuple[dict[str, int], set[str]]:
        """Every asset within ``hops``, by the server's own count, without the root; and all that it passed."""
        found: dict[str, int] = {}
        passed: set[str] = set()
        seen: set[str] = set()
        start, total, idle = 0, 1, 0
        while start < total:
            query: dict[str, Any] = {
                "urn": urn,
                "direction": "UPSTREAM" if direction == "up" else "DOWNSTREAM",
                "query": "*",
                "start": start,
                "count": _PAGE,
                "searchFlags": {"skipCache": True},
            }
            if hops <= _FILTERED_HOPS:
                degrees = [str(hop) for hop in range(1, hops + 1)]
                query["orFilters"] = [{"and": [{"field": "degree", "condition": "EQUAL", "values": degrees}]}]
            page = self._gms.search(_LINEAGE, {"input": query}, "searchAcrossLineage")
            listed = {asset for asset, _ in page.hits}
            idle = idle + 1 if listed <= seen else 0
            if idle > MOST_EMPTY_PAGES or (idle and len(listed) >= _PAGE):
                raise self._gms.endless()
            seen |= listed
            for asset, degree in page.hits:
                if degree <= hops and asset != urn:
                    found[asset] = min(degree, found.get(asset, degree))
            passed |= page.passed
            start, total = start + len(page.hits), page.total if page.hits else 0
        return found, passed

    def _removed_among(self, urns: Iterable[str]) -> set[str]:
        """Of assets on the way that the server did not return: those soft-deleted, not those never emitted."""
        states = self._gms.batch_get(urns, ("status",))
        return {urn for urn, aspects in states.items() if is_removed(aspects)}

    def _unknown(self, urn: str, *, removed: bool) -> UnknownAssetError:
        what = (
            f"{urn} was removed"
            if removed
            else f"it does not know {urn}; search for it: datahub-llmops search WORDS"
        )
        return UnknownAssetError(f"{self._gms.server}: {what}")

    def _nodes(self, assets: Mapping[str, Mapping[str, Aspect]], hops: Mapping[str, int]) -> list[Node]:
        """Build the nodes of assets from their aspects, and from what is attached to their columns."""
        columns_of = {column: urn for urn, aspects in assets.items() for column in column_urns(urn, aspects)}
        of_columns: dict[str, set[Label]] = {}
        for column, attached in self._gms.batch_get(columns_of, _FIELD_LABELS).items():
            of_columns.setdefault(columns_of[column], set()).update(labels_of(attached))
        return [
            build_node(urn, aspects, labels_of(aspects) | of_columns.get(urn, set()), hops.get(urn, 0))
            for urn, aspects in assets.items()
        ]

    @override
    def nodes(self, urns: Iterable[str]) -> Sequence[Node]:
        wanted = list(dict.fromkeys(urns))
        found = self.aspects_of([*wanted, *map(names.asset_of, wanted)])
        live = {urn: aspects for urn, aspects in found.items() if not is_removed(aspects)}
        assets = {urn: live[urn] for urn in wanted if urn in live and names.asset_of(urn) == urn}
        nodes = {node.urn: node for node in self._nodes(assets, {})}
        for urn in wanted:
            asset = names.asset_of(urn)
            removed = urn in found and urn not in live
            if (
                asset != urn
                and asset in live
                and not removed
                and (node := build_column(urn, live.get(urn, {}), live[asset]))
            ):
                nodes[urn] = node
        return [nodes[urn] for urn in wanted if urn in nodes]

    @override
    def search(self, words: str, limit: int = 20) -> Sequence[Node]:
        """Search with the server's own ranking and its own rules for what a word matches."""
        return self.nodes(self._found(words, limit)) if words.strip() else []

    def _found(self, words: str, limit: int) -> list[str]:
        query = {"query": words, "start": 0, "count": limit, "searchFlags": {"skipCache": True}}
        hits = self._gms.search(_SEARCH, {"input": query}, "searchAcrossEntities").hits
        return [urn for urn, _ in hits if names.entity_type(urn) not in NOT_SEARCHED]

    @override
    def candidates(self, short: str, limit: int = 20) -> Sequence[str]:
        short = short.strip()
        if short.startswith("urn:li:"):
            return [short] if self.nodes([short]) else []
        platform, colon, rest = short.partition(":")
        last = re.split(r"[./]", (rest if colon else short).rstrip("./"))[-1]
        # A server splits names into words as it indexes them; signs between them may mean something in a query.
        words = " ".join(re.findall(r"\w+", last))
        found = self._matching(short, self._found(words, _CANDIDATES)) if words else []
        if not found and colon:
            everything = self._platform_urns(platform)
            found = self._matching(short, [urn for urn in everything if names.matches_short(short, urn)])
        return found[:limit]

    def _matching(self, short: str, urns: Iterable[str]) -> list[str]:
        live = {urn: aspects for urn, aspects in self.aspects_of(urns).items() if not is_removed(aspects)}
        nodes = (build_node(urn, aspects, (), 0) for urn, aspects in live.items())
        return sorted(node.urn for node in nodes if names.matches_short(short, node.urn, node.name))

    @override
    def schemas(self, urn: str) -> Mapping[str, Mapping[str, str] | None]:
        """Read the dataset with exactly this URN. Only if there is none, ask the server for others."""
        exact = self._schemas([urn])
        if exact:
            return exact
        platform = names.platform(urn)
        if platform is None:
            return {}
        folded = urn.casefold()
        return self._schemas([other for other in self._platform_urns(platform) if other.casefold() == folded])

    def _schemas(self, urns: Sequence[str]) -> dict[str, Mapping[str, str] | None]:
        return {
            urn: read_columns(aspects["schemaMetadata"]) if "schemaMetadata" in aspects else None
            for urn, aspects in sorted(self.aspects_of(urns).items())
            if not is_removed(aspects)
        }

    @override
    def describes(self, platform: str) -> bool:
        urns = self._platform_urns(platform)
        parts = (urns[start : start + _CANDIDATES] for start in range(0, len(urns), _CANDIDATES))
        return any(
            "schemaMetadata" in aspects
            for part in parts
            for aspects in self._gms.batch_get(part, ("schemaMetadata",)).values()
        )

    @override
    def aliases(self, platform: str) -> Mapping[str, Sequence[str]]:
        found = self._gms.batch_get(self._platform_urns(platform), ("datasetProperties",))
        return urns_by_alias(
            (urn, aspects.get("datasetProperties", {})) for urn, aspects in sorted(found.items())
        )

    def _platform_urns(self, platform: str) -> Sequence[str]:
        """List every live dataset of a platform. The server is asked only once."""
        if platform not in self._on_platform:
            self._on_platform[platform] = list(self._gms.scroll(["dataset"], platform=platform))
        return self._on_platform[platform]

    @override
    def possibly_late(self, subtypes: Sequence[str]) -> Iterable[str]:
        """Implements the protocol. A server writes its index of the graph some time after the assets."""
        return self.of_subtypes(subtypes)

    @override
    def jobs_into(self, datasets: Iterable[str]) -> Iterable[str]:
        ahead = iter(dict.fromkeys(datasets))
        found: set[str] = set()
        while part := list(islice(ahead, _CANDIDATES)):
            into: RawSearchFilter = [
                {"and": [{"field": field, "condition": "EQUAL", "values": part}]} for field in _OUTPUT_FIELDS
            ]
            found.update(self._gms.scroll(["dataJob"], either=into))
        return sorted(found)

    @override
    def carrying(self, term: str) -> Iterable[str]:
        either: RawSearchFilter = [
            {"and": [{"field": field, "condition": "EQUAL", "values": [term]}]} for field in _TERM_FIELDS
        ]
        found = sorted(set(self._gms.scroll(LABELLED_TYPES, either=either)))
        states = self._gms.batch_get({names.asset_of(urn) for urn in found}, ("status",))
        live = {urn for urn, aspects in states.items() if not is_removed(aspects)}
        return [urn for urn in found if names.asset_of(urn) in live]

    @override
    def jobs_using(self, columns: Iterable[str]) -> Iterable[str]:
        """Implements the protocol: the jobs that read the tables of the columns, and those that write to them."""
        ahead = iter(dict.fromkeys(names.asset_of(column) for column in columns))
        found: set[str] = set()
        while part := list(islice(ahead, _CANDIDATES)):
            beside: RawSearchFilter = [
                {"and": [{"field": field, "condition": "EQUAL", "values": part}]}
                for field in (*_INPUT_FIELDS, *_OUTPUT_FIELDS)
            ]
            found.update(self._gms.scroll(["dataJob"], either=beside))
        return sorted(found)

    @override
    def labelled(self) -> Iterable[str]:
        either: RawSearchFilter = [
            {"and": [{"field": field, "condition": "EXISTS", "values": []}]} for field in _LABEL_FIELDS
        ]
        found = sorted(set(self._gms.scroll(LABELLED_TYPES, either=either)))
        holders = {names.asset_of(urn) for urn in found}
        live = {
            urn
            for urn, aspects in self._gms.batch_get(holders, ("status",)).items()
            if not is_removed(aspects)
        }
        return [urn for urn in found if names.asset_of(urn) in live]

    @override
    def upstreams(self, urns: Iterable[str], hops: int = 5) -> Mapping[str, Lineage]:
        """Implements the protocol without the server's own lineage, which answers for one asset at a time.

        The assets name most of their edges. Jobs and models name what they feed, so they are searched for.
        """
        roots = list(dict.fromkeys(urns))
        found = dict(self.aspects_of(self.models()))
        frontier, seen = set(roots), set(found)
        for _ in range(hops + 1):
            fresh = frontier - seen
            if not fresh:
                break
            seen |= fresh
            jobs = set(self.jobs_into(urn for urn in fresh if names.entity_type(urn) == "dataset")) - seen
            read = self.aspects_of([*sorted(fresh), *sorted(jobs)])
            found.update(read)
            seen |= jobs
            frontier = {edge.upstream for edge in edges_in(read).values()}
        gone = {urn for urn, aspects in found.items() if is_removed(aspects)}
        live = {urn: aspects for urn, aspects in found.items() if urn not in gone}
        graph = AssetGraph("up", live, gone)
        walks = {urn: graph.walk(urn, hops) for urn in roots if urn in live}
        passed = {asset for walk in walks.values() for asset in walk.hops if asset in live}
        nodes = {node.urn: node for node in self._nodes({urn: live[urn] for urn in sorted(passed)}, {})}
        return {
            urn: Lineage(
                root=urn,
                direction="up",
                nodes=tuple(
                    sorted(
                        (
                            replace(nodes[asset], hops=hop)
                            for asset, hop in walk.hops.items()
                            if asset in nodes
                        ),
                        key=lambda node: (node.hops, node.urn),
                    )
                ),
                edges=walk.edges,
            )
            for urn, walk in walks.items()
        }

    @override
    def models(self) -> Iterable[str]:
        return sorted(self._gms.scroll(["mlModel"]))

    @override
    def quality(self, urns: Iterable[str]) -> Mapping[str, Mapping[str, Mapping[str, Aspect]]]:
        wanted = dict.fromkeys(urns)
        ahead = iter(wanted)
        owners: set[str] = set()
        while part := list(islice(ahead, _CANDIDATES)):
            for kind, field in _SUBJECT_FIELDS.items():
                about: RawSearchFilter = [{"and": [{"field": field, "condition": "EQUAL", "values": part}]}]
                owners.update(self._gms.scroll([kind], either=about))
        found: dict[str, dict[str, Mapping[str, Aspect]]] = {}
        for owner, aspects in sorted(self._gms.batch_get(owners).items()):
            if is_removed(aspects):
                continue
            for urn in {
                urn for name in QUALITY_ASPECTS for urn in read_subjects(name, aspects.get(name, {}))
            }:
                if urn in wanted:
                    found.setdefault(urn, {})[owner] = aspects
        return found

    @override
    def runs(self, jobs: Iterable[str], most: int = 20) -> Mapping[str, Mapping[str, Mapping[str, Aspect]]]:
        ahead = iter(dict.fromkeys(jobs))
        found: dict[str, dict[str, Mapping[str, Aspect]]] = {}
        while part := list(islice(ahead, _JOBS_AT_ONCE)):
            found.update(self._runs_of(part, most))
        return found

    def _runs_of(self, jobs: Sequence[str], most: int) -> dict[str, dict[str, Mapping[str, Aspect]]]:
        """Search the newest runs of several jobs at once, then of each job that others crowded out."""
        listed, total = self._newest_runs(jobs, most * len(jobs))
        found = _by_job(self._gms.batch_get(listed), listed)
        for job in jobs:
            if total > len(listed) and len(jobs) > 1 and len(found.get(job, ())) < most:
                found.pop(job, None)
                found.update(self._runs_of([job], most))
        return {job: dict(islice(runs.items(), most)) for job, runs in found.items()}

    def _newest_runs(self, jobs: Sequence[str], most: int) -> tuple[list[str], int]:
        """Return the newest runs of all these jobs together, and how many there are."""
        wanted = {
            "types": ["DATA_PROCESS_INSTANCE"],
            "query": "*",
            "start": 0,
            "count": most,
            "orFilters": [{"and": [{"field": "parentTemplate", "condition": "EQUAL", "values": list(jobs)}]}],
            "sortInput": {"sortCriterion": {"field": "created", "sortOrder": "DESCENDING"}},
        }
        page = self._gms.search(_SEARCH, {"input": wanted}, "searchAcrossEntities")
        return [urn for urn, _ in page.hits], page.total

    @override
    def columns_at(self, urns: Iterable[str], at: int) -> None:
        """Implements the protocol. A server is not asked for its timeline."""

    @override
    def recipes_read(self) -> Mapping[str, int]:
        """Implements the protocol. A server is not asked for the runs of its recipes."""
        return {}

    @override
    def records(self) -> Iterator[Record]:
        """Yield the records of all assets. Of a time series, the server returns only the newest record."""
        for kind in _EXPORTED:
            urns = self._gms.scroll([kind], removed=True)
            while part := list(islice(urns, _CANDIDATES)):
                for urn, aspects in self._gms.batch_get(part).items():
                    for name, aspect in aspects.items():
                        yield Record(urn=urn, name=name, aspect=_without_computed(name, aspect))


def _versioned(aspects: Mapping[str, Aspect]) -> dict[str, Aspect]:
    return {name: aspect for name, aspect in aspects.items() if not _is_series(aspect)}


def _by_job(
    runs: Mapping[str, Mapping[str, Aspect]], order: Iterable[str]
) -> dict[str, dict[str, Mapping[str, Aspect]]]:
    """Sort live runs by the job that each names."""
    found: dict[str, dict[str, Mapping[str, Aspect]]] = {}
    for run in order:
        aspects = runs.get(run, {})
        job = aspects.get("dataProcessInstanceRelationships", {}).get("parentTemplate")
        if isinstance(job, str) and not is_removed(aspects):
            found.setdefault(job, {})[run] = aspects
    return found


def _is_series(aspect: Aspect) -> bool:
    """Return whether the aspect is a time series. Only time series have this field."""
    return "timestampMillis" in aspect


def _without_computed(name: str, aspect: Aspect) -> Aspect:
    computed = _COMPUTED.get(name)
    return {key: value for key, value in aspect.items() if key != computed}
