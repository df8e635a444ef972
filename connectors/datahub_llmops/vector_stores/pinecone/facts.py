"""Turns Pinecone's descriptions of indexes and namespaces into plain facts.

Since API version 2026-07 an index is described by ``schema.fields`` and ``deployment``, before by ``dimension``,
``metric``, ``spec`` and ``embed``. Both forms are read.
https://docs.pinecone.io/reference/api/2026-07/control-plane/list_indexes
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from datahub_llmops.assets.collections import Container, FieldType, PayloadField, Vector
from datahub_llmops.ingestion.sampling import described
from datahub_llmops.net.json_values import mapping, plain, text, written_whole

DEFAULT_NAMESPACE: Final = "__default__"
"""Name of the unnamed namespace in requests and URNs; counts still list it with an empty name."""

DENSE: Final = "_values"
SPARSE: Final = "_sparse_values"
"""Names that Pinecone reserves for the vectors of an index whose schema does not name them."""

_TYPES: Final[Mapping[str, FieldType]] = {
    "string": "string",
    "semantic_text": "string",
    "string_list": "array",
    "boolean": "boolean",
    "integer": "integer",
    "float": "float",
}
_PINECONE_TYPES: Final[Mapping[str, str]] = {
    "integer": "number",
    "float": "number",
    "array<string>": "list of strings",
}
"""Our type names -> Pinecone's. It stores every number as a float, though some look like integers in JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """The answer to ``describe_index_stats``."""

    dimension: int | None
    metric: str | None
    vector_type: str | None
    namespaces: Mapping[str, int | None]
    """Number of records of each namespace, if Pinecone has counted them."""
    ambiguous: bool = False
    """Whether both the empty name and ``DEFAULT_NAMESPACE`` are listed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Namespace:
    """What ``GET /namespaces`` returns beside the count."""

    size_bytes: int | None = None
    filterable: tuple[str, ...] = ()


def number(value: object) -> int | None:
    """Return a count. Some of Pinecone's answers contain 64-bit numbers as text.

    >>> number(20000), number("20000"), number("many"), number(None)
    (20000, 20000, None, None)
    """
    found = written_whole(value)
    return found if found is not None and found >= 0 else None


def parse_stats(answer: object) -> Stats | None:
    """Parse the counts; ``None`` if the answer has an unexpected shape, so that no namespace is known."""
    spec = mapping(answer)
    listed, total = spec.get("namespaces"), number(spec.get("totalVectorCount"))
    if not isinstance(listed, Mapping) and (listed is not None or total is None):
        return None
    counts = {name: number(mapping(item).get("vectorCount")) for name, item in mapping(listed).items()}
    named = {name or DEFAULT_NAMESPACE: count for name, count in counts.items()}
    if not named and total:
        named = {DEFAULT_NAMESPACE: total}
    return Stats(
        dimension=number(spec.get("dimension")) or None,
        metric=text(spec.get("metric")),
        vector_type=text(spec.get("vectorType")),
        namespaces=dict(sorted(named.items())),
        ambiguous=len(named) < len(counts),
    )


def parse_namespace(answer: object) -> tuple[str, Namespace] | None:
    """Parse one entry of ``GET /namespaces``, and return it with its name."""
    spec = mapping(answer)
    name = spec.get("name")
    if not isinstance(name, str):
        return None
    size = number(spec.get("size_bytes"))
    fields = mapping(mapping(spec.get("schema")).get("fields"))
    # A size of 0 means that the service does not know it.
    return name or DEFAULT_NAMESPACE, Namespace(size_bytes=size or None, filterable=tuple(sorted(fields)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """One index of ``GET /indexes`` or ``GET /indexes/{name}``."""

    name: str
    info: Mapping[str, Any] = field(repr=False)

    @property
    def host(self) -> str | None:
        """The host of its data; ``None`` while the index is being created."""
        return text(self.info.get("host"))

    @property
    def private_host(self) -> str | None:
        return text(self.info.get("private_host"))

    @property
    def state(self) -> str | None:
        return text(mapping(self.info.get("status")).get("state"))

    @property
    def _fields(self) -> Mapping[str, Mapping[str, Any]]:
        """Fields of the index by name; before 2026-07 only the filterable ones, without types."""
        for holder in (self.info, self._spec):
            found = mapping(mapping(holder.get("schema")).get("fields"))
            if found:
                return {name: mapping(spec) for name, spec in sorted(found.items())}
        indexed = mapping(self._spec.get("metadata_config")).get("indexed")
        return {name: {} for name in indexed if text(name)} if isinstance(indexed, list) else {}

    @property
    def _spec(self) -> Mapping[str, Any]:
        """``spec`` of API versions before 2026-07, without its outer level."""
        for inner in mapping(self.info.get("spec")).values():
            return mapping(inner)
        return {}

    @property
    def _embed(self) -> Mapping[str, Any]:
        return mapping(self.info.get("embed"))

    @property
    def deployment(self) -> str | None:
        """``serverless``, ``pod`` or ``byoc``."""
        word = text(mapping(self.info.get("deployment")).get("deployment_type"))
        if word is None:
            word = next(iter(mapping(self.info.get("spec"))), None)
        return "serverless" if word == "managed" else word

    @property
    def region(self) -> str | None:
        return text(mapping(self.info.get("deployment")).get("region")) or text(self._spec.get("region"))

    @property
    def can_list(self) -> bool:
        """Whether it can list its namespaces and records: pods cannot."""
        return self.deployment != "pod"

    @property
    def holds_documents(self) -> bool:
        """Whether its records have declared fields, which the API for vectors does not read."""
        kinds = {name: spec.get("type") for name, spec in self._fields.items()}
        return any(
            (kind in ("dense_vector", "sparse_vector") and name not in (DENSE, SPARSE))
            or (kind == "string" and not self._fields[name].get("filterable"))
            for name, kind in kinds.items()
        )

    def vectors(self, counted: Stats, taken: Iterable[str]) -> tuple[Vector, ...]:
        """Return dense, then sparse vectors by name, prefixed with ``#`` if a payload field has the same name.

        ``describe_index_stats`` supplies what the schema does not say about the only vector of an index.
        """
        found = sorted(self._list_vectors(counted), key=lambda vector: (vector.sparse, vector.name))
        if len(found) == 1:
            only = found[0]
            dimension = only.dimension or (None if only.sparse else counted.dimension)
            found = [replace(only, dimension=dimension, metric=only.metric or counted.metric)]
        names = set(taken)
        return tuple(
            replace(vector, name=f"#{vector.name}") if vector.name in names else vector for vector in found
        )

    def _list_vectors(self, counted: Stats) -> Iterator[Vector]:
        typed = False
        for name, spec in self._fields.items():
            kind = text(spec.get("type"))
            typed = typed or kind is not None
            if kind in ("dense_vector", "sparse_vector"):
                yield _build_vector(name, spec, sparse=kind == "sparse_vector")
            elif kind == "semantic_text":
                sparse = counted.vector_type == "sparse"
                yield _build_vector(SPARSE if sparse else DENSE, spec, sparse=sparse)
            elif kind == "string":
                for way in ("embed", "sparse_embed"):
                    if isinstance(spec.get(way), Mapping):
                        yield _build_vector(f"{name}.{way}", mapping(spec[way]), sparse=way == "sparse_embed")
        if not typed:
            sparse = text(self.info.get("vector_type")) == "sparse"
            merged = {**self._embed, **{key: self.info.get(key) for key in ("dimension", "metric")}}
            yield _build_vector(SPARSE if sparse else DENSE, merged, sparse=sparse)

    @property
    def text_field(self) -> str | None:
        """The field whose text Pinecone itself embeds; ``None`` if there are several."""
        embedded = [
            name
            for name, spec in self._fields.items()
            if spec.get("type") == "semantic_text" or spec.get("embed") or spec.get("sparse_embed")
        ]
        mapped = text(mapping(self._embed.get("field_map")).get("text"))
        return embedded[0] if len(embedded) == 1 else mapped

    def fields(
        self, sampled: Iterable[PayloadField], filterable: Iterable[str] = ()
    ) -> tuple[PayloadField, ...]:
        """Return the payload fields as declared by the schema, else as seen in the sample, else by name only."""
        found = {name: _unknown_field(name) for name in filterable}
        found |= {item.path: _use_pinecone_types(item) for item in sampled}
        if self.text_field is not None:
            found[self.text_field] = PayloadField(
                path=self.text_field, type="string", native_type="string", nullable=True
            )
        for name, spec in self._fields.items():
            kind = text(spec.get("type"))
            if kind is not None and kind in _TYPES:
                found[name] = PayloadField(
                    path=name, type=_TYPES[kind], native_type=kind, description=text(spec.get("description"))
                )
            elif kind is None:
                found.setdefault(name, _unknown_field(name))
        return described(tuple(found[name] for name in sorted(found)))

    def container(self) -> Container:
        """Return the index as the container of its namespaces, which are the collections."""
        return Container(kind="Index", name=self.name, properties=self.properties())

    def properties(self) -> dict[str, str]:
        """Return facts without a field of their own. Only the keys of tags: values may be private."""
        deployment = {**self._spec, **mapping(self.info.get("deployment"))}
        capacity = mapping(self.info.get("read_capacity") or self._spec.get("read_capacity"))
        words: dict[str, object] = {
            "deployment": self.deployment,
            **{key: deployment.get(key) for key in ("cloud", "region", "environment", "pod_type")},
            **{key: deployment.get(key) for key in ("pods", "replicas", "shards")},
            "read_capacity": capacity.get("mode"),
            "deletion_protection": self.info.get("deletion_protection"),
            "host": self.host,
            "source_collection": self.info.get("source_collection") or self._spec.get("source_collection"),
            "source_backup_id": self.info.get("source_backup_id"),
            "tag_keys": ", ".join(sorted(mapping(self.info.get("tags")))),
        }
        known = {key: plain(value) for key, value in words.items()}
        return {key: value for key, value in known.items() if value}


def parse_index(answer: object) -> Index | None:
    """Parse an index; ``None`` if the answer has an unexpected shape."""
    spec = mapping(answer)
    name = text(spec.get("name"))
    is_described = any(key in spec for key in ("schema", "deployment", "spec", "dimension", "metric"))
    return Index(name=name, info=spec) if name and is_described else None


def _build_vector(name: str, spec: Mapping[str, Any], *, sparse: bool) -> Vector:
    model = text(spec.get("model"))
    return Vector(
        name=name,
        dimension=None if sparse else number(spec.get("dimension")) or None,
        metric=text(spec.get("metric")),
        sparse=sparse,
        # Pinecone itself runs the models that an index names, and records them without a provider.
        embedding_model=f"pinecone/{model}" if model else None,
    )


def _unknown_field(name: str) -> PayloadField:
    return PayloadField(path=name, type="unknown", native_type="unknown")


def _use_pinecone_types(item: PayloadField) -> PayloadField:
    kind: FieldType = "float" if item.type == "integer" else item.type
    words = dict.fromkeys(_PINECONE_TYPES.get(word, word) for word in item.native_type.split(" | "))
    return replace(item, type=kind, native_type=" | ".join(words))
