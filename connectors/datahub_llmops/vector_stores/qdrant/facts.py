"""Turns the ``CollectionInfo`` of a Qdrant server into plain facts.

https://api.qdrant.tech/api-reference/collections/get-collection
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from datahub_llmops.assets.collections import FieldType, PayloadField, Vector
from datahub_llmops.ingestion.sampling import without_collisions
from datahub_llmops.net.json_values import mapping, mappings, moment, plain, text, whole

UNNAMED: Final = "vector"
"""Field path of an unnamed vector, as points in Qdrant's API call it."""

_TYPES: Final[Mapping[str, FieldType]] = {
    "keyword": "string",
    "text": "string",
    "uuid": "string",
    "integer": "integer",
    "float": "float",
    "bool": "boolean",
    "datetime": "datetime",
    "geo": "object",
}
_NOT_PARAMETERS: Final = frozenset({"max_indexing_threads"})
"""Parameters of the machine that builds the index, not of the index."""

_QUANTIZATION_WORDS: Final = ("type", "compression", "encoding", "bits")
_PLAIN_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionInfo:
    """A collection as the server describes it."""

    info: Mapping[str, Any]

    @property
    def _config(self) -> Mapping[str, Any]:
        return mapping(self.info.get("config"))

    @property
    def _params(self) -> Mapping[str, Any]:
        return mapping(self._config.get("params"))

    @property
    def _metadata(self) -> Mapping[str, Any]:
        return mapping(self._config.get("metadata"))

    @property
    def payload_schema(self) -> Mapping[str, Mapping[str, Any]]:
        """The indexed fields. Qdrant keeps no schema of the others."""
        return {key: mapping(spec) for key, spec in mapping(self.info.get("payload_schema")).items()}

    @property
    def is_sharded_by_key(self) -> bool:
        return self._params.get("sharding_method") == "custom"

    @property
    def approximate_count(self) -> int | None:
        return whole(self.info.get("points_count"))

    @property
    def created(self) -> datetime | None:
        """Known for collections created by Qdrant 1.19 or later."""
        return moment(self.info.get("created_at"))

    @property
    def largest_limit(self) -> int | None:
        """The number of results that strict mode, if it is on, allows at once."""
        strict = mapping(self._config.get("strict_mode_config"))
        return whole(strict.get("max_query_limit")) if strict.get("enabled") is True else None

    def vectors(self, taken: Iterable[str]) -> tuple[Vector, ...]:
        """Return dense, then sparse vectors by name, prefixed with ``#`` if a payload field has the same name."""
        return tuple(without_collisions(taken, (*self._dense(), *self._sparse())))

    def _dense(self) -> Iterator[Vector]:
        spec = mapping(self._params.get("vectors"))
        several = {} if "size" in spec else {name: mapping(item) for name, item in sorted(spec.items())}
        if "size" in spec:
            several = {UNNAMED: spec}
        graph = mapping(self._config.get("hnsw_config"))
        compression = mapping(self._config.get("quantization_config"))
        for name, item in several.items():
            parameters = {**graph, **_drop_nulls(mapping(item.get("hnsw_config")))}
            quantization = mapping(item.get("quantization_config")) or compression
            multivector = mapping(item.get("multivector_config"))
            extra = {"comparator": multivector.get("comparator"), "vectors_on_disk": item.get("on_disk")}
            extra |= {"vectors_memory": item.get("memory"), **_quantization_parameters(quantization)}
            yield Vector(
                name=name or UNNAMED,
                dimension=whole(item.get("size")),
                metric=text(item.get("distance")),
                index_type="hnsw" if _builds_graph(parameters) else None,
                index_parameters=_parameters({**parameters, **extra}),
                element_type=text(item.get("datatype")),
                quantization=_quantization(quantization),
                multivector=bool(multivector),
                embedding_model=self._model(name),
            )

    def _sparse(self) -> Iterator[Vector]:
        for name, spec in sorted(mapping(self._params.get("sparse_vectors")).items()):
            index = mapping(mapping(spec).get("index"))
            given = {"modifier": mapping(spec).get("modifier"), **index}
            yield Vector(
                name=name,
                sparse=True,
                element_type=text(index.get("datatype")),
                index_parameters=_parameters({k: v for k, v in given.items() if k != "datatype"}),
                embedding_model=self._model(name),
            )

    def _model(self, vector: str) -> str | None:
        """Return ``embedding_model`` of the collection's metadata: one for all vectors, or one for each name."""
        recorded = self._metadata.get("embedding_model")
        return text(mapping(recorded).get(vector)) if isinstance(recorded, Mapping) else text(recorded)

    def fields(self, sampled: Iterable[PayloadField]) -> tuple[PayloadField, ...]:
        """Return the fields seen in a sample, corrected by Qdrant's own types of the indexed ones."""
        found = {item.path: item for item in sampled}
        for key, spec in self.payload_schema.items():
            path = unquote(key)
            found[path] = _merge_index(path, spec, found.get(path))
        return tuple(found[path] for path in sorted(found))

    def facet_key(self, path: str) -> str | None:
        """Return the key by which the engine can count the values of a field; ``None`` if it has no index for that."""
        for key, spec in self.payload_schema.items():
            kind, params = spec.get("data_type"), mapping(spec.get("params"))
            counts = kind in ("keyword", "uuid") or (kind == "integer" and params.get("lookup") is not False)
            if counts and unquote(key) == path:
                return key
        return None

    def properties(self) -> dict[str, str]:
        """Return facts without a field of their own. Only the keys of the user's metadata: values may be private."""
        named = ("shard_number", "sharding_method", "replication_factor", "write_consistency_factor")
        facts = {key: self._params.get(key) for key in (*named, "on_disk_payload")}
        result = {key: written for key, value in facts.items() if (written := plain(value))}
        if mapping(self._config.get("strict_mode_config")).get("enabled") is True:
            result["strict_mode"] = "true"
        if tenants := self._tenant_fields():
            result["tenant_fields"] = ", ".join(tenants)
        if self._metadata:
            result["metadata_keys"] = ", ".join(sorted(self._metadata))
        return result

    def _tenant_fields(self) -> list[str]:
        specs = self.payload_schema.items()
        return sorted(
            unquote(key) for key, spec in specs if mapping(spec.get("params")).get("is_tenant") is True
        )

    def description(self) -> str | None:
        """Return ``description`` of the metadata, the only value that is written for readers."""
        return text(self._metadata.get("description"))


def json_path(path: str) -> str | None:
    """Return a dotted path in Qdrant's syntax; ``None`` if a quote in a name makes that impossible.

    >>> json_path("metadata.source"), json_path("metadata.source file"), json_path('a"b')
    ('metadata.source', 'metadata."source file"', None)
    """
    if '"' in path:
        return None
    return ".".join(part if _PLAIN_KEY.fullmatch(part) else f'"{part}"' for part in path.split("."))


def unquote(key: str) -> str:
    """Return the path of a payload key without the quotes that Qdrant puts around unusual names."""
    return key.replace('"', "")


def shard_keys(cluster: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the shard keys in a collection's cluster info."""
    keys: set[str] = set()
    for shard_list in ("local_shards", "remote_shards"):
        for shard in mappings(cluster.get(shard_list)):
            key = plain(shard.get("shard_key"))
            if key is not None:
                keys.add(key)
    return tuple(sorted(keys))


def _builds_graph(parameters: Mapping[str, Any]) -> bool:
    """Whether there is a graph: ``m: 0`` builds none, but ``payload_m`` may still build one for each tenant."""
    return bool(whole(parameters.get("m"))) or bool(whole(parameters.get("payload_m")))


def _quantization(config: Mapping[str, Any]) -> str | None:
    """Return for example ``scalar int8``, ``product x16`` or ``binary``."""
    for kind, spec in config.items():
        details = (plain(mapping(spec).get(word)) for word in _QUANTIZATION_WORDS)
        return " ".join((kind, *(detail for detail in details if detail)))
    return None


def _quantization_parameters(config: Mapping[str, Any]) -> dict[str, Any]:
    specs = (mapping(spec) for spec in config.values())
    return {
        f"quantization_{key}": value
        for spec in specs
        for key, value in spec.items()
        if key not in _QUANTIZATION_WORDS
    }


def _drop_nulls(override: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in override.items() if value is not None}


def _parameters(values: Mapping[str, Any]) -> dict[str, str]:
    return {
        key: written
        for key, value in values.items()
        if key not in _NOT_PARAMETERS and (written := plain(value))
    }


def _merge_index(path: str, spec: Mapping[str, Any], seen: PayloadField | None) -> PayloadField:
    native = text(spec.get("data_type"))
    kind = _TYPES.get(native or "", "unknown")
    if native is None or (seen is not None and seen.type == "object" and kind != "object"):
        return seen or PayloadField(path=path, type="unknown", native_type="unknown")
    if seen is None:
        return PayloadField(path=path, type=kind, native_type=native)
    if seen.type == "array":
        return replace(seen, native_type=f"array<{native}>")
    return replace(seen, type=kind, native_type=native)
