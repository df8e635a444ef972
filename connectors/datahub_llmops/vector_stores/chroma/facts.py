"""Turns what Chroma stores about a collection, the same over REST and in its file, into plain facts.

A collection is described by a schema (since 1.1), by a configuration (since 0.6) or by ``hnsw:`` keys in its metadata.
 https://docs.trychroma.com/docs/collections/configure
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from datahub_llmops.assets.collections import Container, FieldType, Name, PayloadField, Vector
from datahub_llmops.ingestion.sampling import described, merged
from datahub_llmops.net.json_values import mapping, text

EMBEDDING: Final = "#embedding"
DOCUMENT: Final = "#document"

_TYPES: Final[Mapping[str, FieldType]] = {
    "string": "string",
    "int": "integer",
    "float": "float",
    "bool": "boolean",
    "float_list": "vector",
}
_LEGACY_PARAMETERS: Final[Mapping[str, str]] = {
    "hnsw:M": "max_neighbors",
    "hnsw:construction_ef": "ef_construction",
    "hnsw:search_ef": "ef_search",
    "hnsw:batch_size": "batch_size",
    "hnsw:sync_threshold": "sync_threshold",
    "hnsw:resize_factor": "resize_factor",
}
_NOT_PARAMETERS: Final = frozenset({"space", "num_threads", "_type"})
"""``num_threads`` belongs to the machine that created the collection, not to the index."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """One collection as Chroma stores it; ``schema``, ``configuration`` and ``metadata`` are Chroma's own JSON."""

    identity: str
    name: Name
    dimension: int | None
    schema: Mapping[str, Any] = field(default_factory=dict)
    configuration: Mapping[str, Any] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    segment_type: str | None = None
    """The type of the vector segment in the file: ``urn:chroma:segment/vector/hnsw-local-persisted``."""

    @property
    def has_schema(self) -> bool:
        """Whether there is a schema. Without one the payload's fields have to be sampled."""
        return bool(self._keys)

    @property
    def _keys(self) -> Mapping[str, Any]:
        return mapping(self.schema.get("keys"))

    @property
    def _payload(self) -> Mapping[str, Mapping[str, Any]]:
        return {key: mapping(spec) for key, spec in self._keys.items() if not key.startswith("#")}

    @property
    def text_field(self) -> str:
        """Field path of the embedded text; Chroma's reserved key if the payload has a field ``document``."""
        return "document" if "document" not in self._payload else DOCUMENT

    def fields(self, sampled: tuple[PayloadField, ...] = ()) -> tuple[PayloadField, ...]:
        """Return the text and the payload fields of the schema, or else of a sample."""
        document = PayloadField(path=self.text_field, type="string", native_type="string")
        if not self.has_schema:
            return (document, *(_use_chroma_types(item) for item in sampled if item.path != document.path))
        payload = []
        for key, spec in sorted(self._payload.items()):
            kind, _ = merged(_TYPES[word] for word in spec if word in _TYPES)
            if "sparse_vector" not in spec:
                payload.append(PayloadField(path=key, type=kind, native_type=" | ".join(sorted(spec))))
        return (document, *described(tuple(payload)))

    def vectors(self) -> tuple[Vector, ...]:
        """Return the dense vector that every collection has, and the sparse ones (Chroma Cloud) by key."""
        name = "embedding" if "embedding" not in self._payload else EMBEDDING
        dense = self._build_dense(name)
        sparse = (
            Vector(name=key, sparse=True, embedding_model=model(_sparse(spec).get("embedding_function")))
            for key, spec in sorted(self._payload.items())
            if "sparse_vector" in spec
        )
        return (dense, *sparse)

    def _build_dense(self, name: str) -> Vector:
        described_index = self._index()
        kind, parameters = next(_indexes(described_index), (None, {}))
        legacy = {
            _LEGACY_PARAMETERS[key]: str(value)
            for key, value in self.metadata.items()
            if key in _LEGACY_PARAMETERS
        }
        metric = described_index.get("space") or parameters.get("space") or self.metadata.get("hnsw:space")
        if "hnsw_configuration" in self.configuration and not self.has_schema:
            # Chroma before 1.0 wrote a configuration, but built the index by the metadata.
            parameters, legacy = {**parameters, **legacy}, {}
            metric = self.metadata.get("hnsw:space") or metric
        return Vector(
            name=name,
            dimension=self.dimension,
            metric=metric if isinstance(metric, str) else None,
            index_type=kind or self._segment_index(),
            index_parameters={**legacy, **{k: v for k, v in parameters.items() if k not in _NOT_PARAMETERS}},
            embedding_model=model(described_index.get("embedding_function")),
        )

    def _index(self) -> Mapping[str, Any]:
        spec = mapping(mapping(self._keys.get(EMBEDDING)).get("float_list"))
        # The file of Chroma 1.0 has one level more than its answers.
        flat = {**self.configuration, **mapping(self.configuration.get("vector_index"))}
        return mapping(mapping(spec.get("vector_index")).get("config")) or flat

    def _segment_index(self) -> str | None:
        kind = (self.segment_type or "").rpartition("/")[2].partition("-")[0]
        return kind or None

    def properties(self) -> dict[str, str]:
        """Return facts without a field of their own. Only the keys of the user's metadata: values may be private."""
        result = {"collection_id": self.identity}
        function = mapping(self._index().get("embedding_function"))
        if function.get("type") == "known" and isinstance(function.get("name"), str):
            result["embedding_function"] = function["name"]
        keys = sorted(key for key in self.metadata if not key.startswith("hnsw:"))
        if keys:
            result["metadata_keys"] = ", ".join(keys)
        return result

    def description(self) -> str | None:
        """Return ``description`` of the metadata, the only value that is written for readers."""
        return text(self.metadata.get("description"))


def containers(server: Container, tenant: str, database: str) -> tuple[Container, ...]:
    """Return the containers of a collection, outermost first."""
    return (server, Container(kind="Tenant", name=tenant), Container(kind="Database", name=database))


def model(function: object) -> str | None:
    """Return the model of an embedding function as ``function/model``.

    A function without a model proves nothing: Chroma writes ``default`` if nobody chose one, even if the vectors
    come from elsewhere.

    >>> model({"type": "known", "name": "openai", "config": {"model_name": "text-embedding-3-small"}})
    'openai/text-embedding-3-small'
    >>> model({"type": "known", "name": "default", "config": {}})
    """
    spec = mapping(function)
    config = mapping(spec.get("config"))
    name = spec.get("name")
    chosen = config.get("model_name") or config.get("model")
    if spec.get("type") != "known" or not isinstance(name, str) or not isinstance(chosen, str):
        return None
    return f"{name}/{chosen}"


def _use_chroma_types(item: PayloadField) -> PayloadField:
    words: dict[str, str] = {kind: word for word, kind in _TYPES.items()}
    parts = item.native_type.split(" | ")
    return replace(item, native_type=" | ".join(sorted(words.get(part, part) for part in parts)))


def _sparse(spec: Mapping[str, Any]) -> Mapping[str, Any]:
    return mapping(mapping(mapping(spec.get("sparse_vector")).get("sparse_vector_index")).get("config"))


def _indexes(config: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, str]]]:
    for kind, key in (("hnsw", "hnsw"), ("spann", "spann"), ("hnsw", "hnsw_configuration")):
        spec = config.get(key)
        if isinstance(spec, Mapping):
            names = {"M": "max_neighbors"}
            values = {names.get(str(k), str(k)): v for k, v in spec.items()}
            yield kind, {k: str(v) for k, v in values.items() if isinstance(v, (str, int, float))}
