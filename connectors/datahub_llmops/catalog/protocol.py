"""What everything that reasons over the graph asks of a catalog, local file or DataHub server alike."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol, TypeAlias

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
"""Entity types that lie in lineage and carry glossary terms and tags; ``labelled`` looks at these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """An asset in a walk or a search result.

    ``terms`` and ``tags`` are its own and its fields', sorted. ``hops`` is the distance from the root as a DataHub
    server counts it (``degree``): a job counts, an asset that was never emitted is walked through, not returned.
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
    """Two ``schemaField`` URNs, the one feeding the other."""

    upstream: str
    downstream: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """One lineage edge between assets.

    ``aspect`` is the aspect that says so. ``columns`` stand on the edge that enters the asset: behind a job that is
    the job's outgoing edge. ``found_by`` as in the edge's ``properties``.
    """

    upstream: str
    downstream: str
    aspect: str
    found_by: tuple[str, ...] = ()
    columns: tuple[ColumnPair, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """A walk from ``root``; ``nodes`` holds the root too, at hop 0, nearest first, then by URN."""

    root: str
    direction: Direction
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One aspect as the metadata file format holds it; of a time series, one of its records."""

    urn: str
    name: str
    aspect: Aspect


class Catalog(Protocol):
    """Read access to one catalog. Every method raises ``CatalogError`` where the catalog cannot answer."""

    def aspects(self, urn: str, names: Sequence[str] = ()) -> Mapping[str, Aspect]:
        """The versioned aspects of one asset, all of them or those named; empty for an asset never emitted."""
        ...

    def lineage(self, urn: str, direction: Direction, hops: int = 5) -> Lineage:
        """Everything up or down of ``urn`` within ``hops``; soft-deleted assets are left out.

        A ``schemaField`` URN walks the column edges of its asset.

        Raises:
            UnknownAssetError: the catalog does not know the asset.
        """
        ...

    def nodes(self, urns: Iterable[str]) -> Sequence[Node]:
        """Those of the assets that exist and are not soft-deleted, as nodes with ``hops`` 0, in the order given."""
        ...

    def search(self, words: str, limit: int = 20) -> Sequence[Node]:
        """Assets whose name, URN or description holds every word, best first."""
        ...

    def candidates(self, short: str, limit: int = 20) -> Sequence[str]:
        """URNs that a short name may mean: ``docs``, ``default_database.docs``, ``chroma:default_database.docs``."""
        ...

    def schemas(self, urn: str) -> Mapping[str, Mapping[str, str] | None]:
        """Every live dataset whose URN equals ``urn`` without regard to case, with its columns.

        Columns are field path -> native type, field paths in simple (v1) form; ``None`` where no schema is known.
        """
        ...

    def aliases(self, platform: str) -> Mapping[str, Sequence[str]]:
        """Other names that the live datasets of a platform say they have, with the URNs of all that say so, sorted."""
        ...

    def labelled(self) -> Iterable[str]:
        """URNs of live assets and columns that carry a glossary term or tag, of their own or on a field.

        Of the types in ``LABELLED_TYPES``.
        """
        ...

    def close(self) -> None:
        """Give back connections. May be called twice."""
        ...


class FullCatalog(Catalog, Protocol):
    """What the command asks besides; both catalogs answer it, and nothing else needs it."""

    def aspects_of(self, urns: Iterable[str]) -> Mapping[str, Mapping[str, Aspect]]:
        """``aspects`` of many assets at once; those never emitted are left out."""
        ...

    def latest(self, urn: str) -> Mapping[str, Aspect]:
        """By aspect name the newest record of each time series (``datasetProfile``, ``operation`` ...) of one asset."""
        ...

    def latest_of(self, urns: Iterable[str]) -> Mapping[str, Mapping[str, Aspect]]:
        """``latest`` of many assets at once; those without a time series are left out."""
        ...

    def records(self) -> Iterator[Record]:
        """Everything that the catalog holds, soft-deleted assets and time series too.

        In an order in which a server takes it: structured property definitions before anything else, version sets
        after the versions in them.
        """
        ...
