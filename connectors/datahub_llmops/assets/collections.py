"""Facts about assets as plain data, before anything of DataHub: what a reader returns.

What a system does not say is ``None`` or empty, never a default.
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
class Unlisted:
    """A scope whose items could not be listed: yielded by ``Reader.names`` in place of them.

    ``name`` is the scope's own path, for example ``("default_database",)``.
    """

    name: Name
    error: ConnectorError


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """One level above a collection, outermost first in ``Collection.containers``.

    ``kind`` is the store's own word and becomes the subtype: ``Server``, ``Tenant``, ``Database``. Of its properties
    ``version`` and ``region`` say by which engine, and where, the collections below are served.
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
    """In the store's own word: ``cosine``, ``l2``, ``ip`` ..."""
    index_type: str | None = None
    index_parameters: Mapping[str, str] = field(default_factory=dict)
    element_type: str | None = None
    quantization: str | None = None
    sparse: bool = False
    multivector: bool = False
    embedding_model: str | None = None
    """As the store records it; ``None`` where it does not."""
    schema_path: str | None = None
    """How the schema spells ``name``, where that is another way: with types, as DataHub's own source writes it."""

    @property
    def native_type(self) -> str:
        """How the schema shows it: ``vector(768)``, ``vector`` when the dimension is unknown, ``sparsevector``."""
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
    """As of a vector: how the schema spells ``path``, where that is another way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvenanceCount:
    """How many chunks carry which value in one payload field; the values never leave the process as text.

    ``rows_scanned`` of ``rows_total`` say what part of the collection was looked at; equal when it was all.
    ``values_dropped`` counts rows whose value was beyond the bound on distinct values.
    """

    field: str
    values: Mapping[str, int]
    rows_scanned: int
    rows_total: int | None = None
    values_dropped: int = 0


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
