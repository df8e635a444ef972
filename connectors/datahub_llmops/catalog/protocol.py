"""The interface of a catalog, whether it is a local file or a DataHub server."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple, Protocol, TypeAlias

Direction: TypeAlias = Literal["up", "down"]
Aspect: TypeAlias = Mapping[str, Any]
"""An aspect as DataHub's metadata file format writes it (``to_obj``): plain JSON, unions by their short name."""

LABELLED_TYPES: Final = (
    "dataset",
    "dataJob",
    "chart",
    "dashboard",
    "mlModel",
    "mlModelGroup",
    "mlFeature",
    "mlPrimaryKey",
    "schemaField",
)
"""Entity types that have lineage and carry glossary terms and tags; ``labelled`` looks at these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """An asset in a walk or a search result.

    ``terms`` and ``tags`` are its own and its fields', sorted. ``hops`` is the distance from the root as a DataHub
    server counts it (``degree``): a job counts; an asset that was never emitted is passed through, not returned.
    """

    urn: str
    type: str
    subtype: str | None = None
    platform: str | None = None
    name: str
    owners: tuple[str, ...] = ()
    terms: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    hops: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class ColumnPair:
    """Two ``schemaField`` URNs, of which the first feeds the second."""

    upstream: str
    downstream: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """One lineage edge between assets.

    ``aspect`` is the aspect that says so. ``columns`` are on the edge that enters the asset: behind a job that is the
    job's outgoing edge. ``found_by`` and ``not_confirmed_since`` are as in the edge's ``properties``: the latter is the
    instant of the first run that could not confirm the edge, in ISO format.
    """

    upstream: str
    downstream: str
    aspect: str
    found_by: tuple[str, ...] = ()
    columns: tuple[ColumnPair, ...] = ()
    not_confirmed_since: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """A walk from ``root``; ``nodes`` holds the root too, at hop 0, nearest first, then by URN."""

    root: str
    direction: Direction
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One aspect, or one record of a time series, in the metadata file format."""

    urn: str
    name: str
    aspect: Aspect


class Group(NamedTuple):
    """The assets of one display name on one platform, in a list of many."""

    platform: str | None
    name: str
    urns: Sequence[str]
    """Sorted."""
    properties: Mapping[str, Mapping[str, tuple[str | float, ...]]]
    """URN -> those of its structured properties that were asked for, by their short names; only URNs that have some."""


class Catalog(Protocol):
    """Read access to one catalog. Every method raises ``CatalogError`` if the catalog cannot answer."""

    def aspects(self, urn: str, names: Sequence[str] = ()) -> Mapping[str, Aspect]:
        """Read the versioned aspects of one asset, all or the named ones. An asset that was never emitted has none."""
        ...

    def lineage(
        self, urn: str, direction: Direction, hops: int = 5, *, through_removed: bool = False
    ) -> Lineage:
        """Read everything upstream or downstream of ``urn`` within ``hops``, without soft-deleted assets.

        A ``schemaField`` URN walks the column edges of its asset. ``through_removed`` walks from assets and takes the
        soft-deleted ones for what they were: it returns them too, and walks on behind them.

        Raises:
            UnknownAssetError: the catalog does not know the asset.
        """
        ...

    def nodes(self, urns: Iterable[str]) -> Sequence[Node]:
        """Read the existing assets that are not soft-deleted, as nodes with ``hops`` 0, in the given order."""
        ...

    def search(self, words: str, limit: int = 20) -> Sequence[Node]:
        """Find assets whose name, URN or description contains every word, best first."""
        ...

    def candidates(self, short: str, limit: int = 20) -> Sequence[str]:
        """List the URNs that a short name may mean, such as ``docs`` or ``chroma:default_database.docs``."""
        ...

    def schemas(self, urn: str) -> Mapping[str, Mapping[str, str] | None]:
        """Return the existing datasets whose URN equals ``urn`` apart from case, with their columns.

        Columns are field path -> native type, field paths in simple (v1) form; ``None`` where no schema is known.
        """
        ...

    def describes(self, platform: str) -> bool:
        """Whether any live dataset of a platform has a schema."""
        ...

    def aliases(self, platform: str) -> Mapping[str, Sequence[str]]:
        """Map each alias of the live datasets of a platform to their URNs, sorted."""
        ...

    def possibly_late(self, subtypes: Sequence[str]) -> Iterable[str]:
        """List live assets of these subtypes whose edges a walk may not show yet; none if a walk shows every edge."""
        ...

    def jobs_into(self, datasets: Iterable[str]) -> Iterable[str]:
        """List the live jobs that have an edge into one of these datasets.

        A walk down from a table does not show a job that feeds columns of it from other columns of it: the table is
        not its own upstream.
        """
        ...

    def series(self, urn: str, name: str, since: int) -> Sequence[Aspect]:
        """Read the records of one time series from ``since`` on, in milliseconds since 1970, oldest first."""
        ...

    def labelled(self) -> Iterable[str]:
        """List the URNs of live assets and columns that have a glossary term or tag, themselves or on a field.

        Of the types in ``LABELLED_TYPES``.
        """
        ...

    def close(self) -> None:
        """Release the connections. It may be called twice."""
        ...


class FullCatalog(Catalog, Protocol):
    """A catalog with the methods that only the command needs."""

    @property
    def at_once(self) -> int:
        """How many assets are best gathered together.

        A server answers for many in one request. A file answers for each as fast, and few take less memory.
        """
        ...

    def aspects_of(
        self, urns: Iterable[str], names: Sequence[str] = ()
    ) -> Mapping[str, Mapping[str, Aspect]]:
        """Read ``aspects`` of many assets at once. Assets without any, or never emitted, are left out."""
        ...

    def assets(self, types: Sequence[str]) -> Iterable[str]:
        """List the live assets of these entity types. A server may not list yet what was written just now."""
        ...

    def stated_edges(self, urns: Iterable[str]) -> Sequence[Edge]:
        """Read the lineage edges that the aspects of these assets state, as ``lineage`` returns edges, in its order.

        An end may be an asset that was never emitted, or was soft-deleted. Edges that only other assets state are not
        among them: of a whole catalog, ask for all its assets.
        """
        ...

    def of_subtypes(self, subtypes: Sequence[str]) -> Iterable[str]:
        """List the live datasets and jobs of these subtypes. A server may not list yet what was written just now."""
        ...

    def groups(self, subtype: str, properties: Sequence[str]) -> Iterable[Group]:
        """List the live datasets of a subtype by platform and name, with those of ``properties`` that each has.

        It is for ten thousands of assets: a local catalog reads nothing else of them.
        """
        ...

    def series_of(
        self, urns: Iterable[str], names: Sequence[str]
    ) -> Mapping[str, Mapping[str, Sequence[Aspect]]]:
        """Read whole time series of many assets at once, as ``series`` does. Those without a record are left out."""
        ...

    def latest(self, urn: str) -> Mapping[str, Aspect]:
        """Read the newest record of each time series (``datasetProfile``, ``operation`` ...), by aspect name."""
        ...

    def latest_of(self, urns: Iterable[str]) -> Mapping[str, Mapping[str, Aspect]]:
        """Read ``latest`` of many assets at once. Assets without a time series are left out."""
        ...

    def upstreams(self, urns: Iterable[str], hops: int = 5) -> Mapping[str, Lineage]:
        """Read ``lineage`` upstream of many assets at once. Those that the catalog does not know are left out."""
        ...

    def models(self) -> Iterable[str]:
        """List the live models, in order. A server may not list yet what was written just now."""
        ...

    def carrying(self, term: str) -> Iterable[str]:
        """List the URNs of live assets and columns that have a glossary term, themselves or on a field.

        A server lists the asset of a field; its aspects say which field it is.
        """
        ...

    def jobs_using(self, columns: Iterable[str]) -> Iterable[str]:
        """List the live jobs whose SQL may use one of these columns besides selecting it.

        Those that say so, and those that read its table and do not say what they do with its columns. There may be
        others among them: ``catalog.column_uses`` reads what each job says.
        """
        ...

    def quality(self, urns: Iterable[str]) -> Mapping[str, Mapping[str, Mapping[str, Aspect]]]:
        """Read the live assertions and incidents about assets: by asset and URN, their aspects and newest records.

        Assets without any are left out. A server may not list yet what was written just now.
        """
        ...

    def runs(self, jobs: Iterable[str], most: int = 20) -> Mapping[str, Mapping[str, Mapping[str, Aspect]]]:
        """Read the newest live process instances of jobs, up to ``most`` of each: by job and URN, newest first.

        Each with its aspects and its newest records. Jobs without any are left out. A server may not list yet what was
        written just now.
        """
        ...

    def columns_at(self, urns: Iterable[str], at: int) -> Mapping[str, Mapping[str, str]] | None:
        """Read the columns that datasets had at a time, in milliseconds since 1970, if they have had others since.

        As in ``schemas``. Datasets whose columns are the same ones, or of which the catalog keeps nothing, are left
        out. ``None`` if the catalog does not tell earlier columns at all, as a server.
        """
        ...

    def recipes_read(self) -> Mapping[str, int]:
        """Map types of sources to when the last good run of one of their recipes began, in milliseconds since 1970.

        Empty if the catalog does not keep that, as a server.
        """
        ...

    def records(self) -> Iterator[Record]:
        """Yield everything in the catalog, including soft-deleted assets and time series.

        In an order in which a server takes it: structured property definitions before anything else, version sets
        after the versions in them.
        """
        ...
