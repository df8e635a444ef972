"""Facts about collections as plain data, which readers return.

A fact that the system does not state is ``None`` or empty, never a default.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypeAlias

from datahub_llmops.errors import ConnectorError

Name: TypeAlias = tuple[str, ...]
"""Path of an item in its system, outermost first: ``("default_database", "docs")``."""

FieldType: TypeAlias = Literal[
    "string",
    "integer",
    "float",
    "boolean",
    "array",
    "object",
    "date",
    "datetime",
    "bytes",
    "vector",
    "unknown",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedListing:
    """A scope whose items could not be listed. ``Reader.names`` yields it in place of them.

    ``name`` is the path of the scope, for example ``("default_database",)``. ``is_item`` is false for an entry that is
    known to be none of the system's items: nothing was missed, so the run only warns.
    """

    name: Name
    error: ConnectorError
    is_item: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """One level above a collection, outermost first in ``Collection.containers``.

    ``kind`` is the store's own word and becomes the subtype: ``Server``, ``Tenant``, ``Database``. The properties
    ``version`` and ``region`` are those of the engine that serves the collections below.
    """

    kind: str
    name: str
    properties: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Vector:
    """One vector of a collection. ``name`` is its field path in the schema."""

    name: str
    dimension: int | None = None
    metric: str | None = None
    """The store's own word: ``cosine``, ``l2``, ``ip`` ..."""
    index_type: str | None = None
    index_parameters: Mapping[str, str] = field(default_factory=dict)
    element_type: str | None = None
    quantization: str | None = None
    sparse: bool = False
    multivector: bool = False
    embedding_model: str | None = None
    """As the store records it; ``None`` if it does not."""
    schema_path: str | None = None
    """The path in the schema if it differs from ``name``: DataHub's own sources write types into it."""

    @property
    def native_type(self) -> str:
        """The type in the schema: ``vector(768)``, ``vector`` if the dimension is unknown, ``sparsevector``."""
        word = "sparsevector" if self.sparse else "multivector" if self.multivector else "vector"
        return f"{word}({self.dimension})" if self.dimension else word


@dataclass(frozen=True, slots=True, kw_only=True)
class PayloadField:
    """One field of the payload. ``path`` is dotted where the payload nests."""

    path: str
    type: FieldType
    native_type: str
    nullable: bool = True
    description: str | None = None
    schema_path: str | None = None
    """The path in the schema if it differs from ``path``, as for a vector."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvenanceCount:
    """How many chunks have which value in one payload field. The values never leave the process as text.

    ``rows_scanned`` of ``rows_total`` rows were read; they are equal if all were. ``values_dropped`` counts the rows
    whose value exceeded the limit on distinct values.
    """

    field: str
    values: Mapping[str, int]
    rows_scanned: int
    rows_total: int | None = None
    values_dropped: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyCount:
    """How many different rows of the sources the chunks name in one payload field, and how many chunks name one.

    Both are exact: a field that was not counted over all chunks has no ``KeyCount``.
    """

    field: str
    distinct: int
    chunks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """Everything that a vector store says of one collection (index, table, class, namespace)."""

    name: Name
    containers: tuple[Container, ...] = ()
    vectors: tuple[Vector, ...] = ()
    fields: tuple[PayloadField, ...] = ()
    text_field: str | None = None
    """The payload field that holds the embedded text, where the store has one (Chroma: ``document``)."""
    count: int | None = None
    count_is_estimate: bool = False
    size_bytes: int | None = None
    created: datetime | None = None
    modified: datetime | None = None
    aliases: tuple[str, ...] = ()
    partitions: tuple[str, ...] = ()
    description: str | None = None
    region: str | None = None
    """Where a hosted store keeps it, in the store's own word: ``us-east-1``."""
    properties: Mapping[str, str] = field(default_factory=dict)
    """Facts without a place of their own that do not change from run to run, in the store's words."""
    provenance: tuple[ProvenanceCount, ...] = ()
    keys: tuple[KeyCount, ...] = ()
    """Counts of the payload fields that hold the keys of source rows. Readers count them as ``provenance``."""
    hidden: str | None = None
    """Why rows of it may be hidden from the reader. Its count is then not known, and ``provenance`` is only what was
    seen. ``None`` if the reader sees all rows, or cannot tell."""
