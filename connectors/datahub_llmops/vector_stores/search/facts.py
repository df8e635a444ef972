"""Turns the mapping and settings of an OpenSearch or Elasticsearch index into plain facts.

https://docs.opensearch.org/latest/mappings/supported-field-types/knn-vector/
https://www.elastic.co/docs/reference/elasticsearch/mapping-reference/dense-vector
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from datahub_llmops.assets.collections import FieldType, PayloadField, Vector
from datahub_llmops.assets.platforms import find
from datahub_llmops.ingestion.sampling import described, text_path
from datahub_llmops.net.json_values import mapping, plain, text, utc, whole, written_whole

_TYPES: Final[Mapping[str, FieldType]] = {
    **dict.fromkeys(("byte", "integer", "long", "short", "unsigned_long", "token_count"), "integer"),
    **dict.fromkeys(("double", "float", "half_float", "scaled_float"), "float"),
    **dict.fromkeys(("text", "keyword", "constant_keyword", "wildcard", "match_only_text"), "string"),
    **dict.fromkeys(("ip", "version", "completion", "search_as_you_type", "semantic"), "string"),
    **dict.fromkeys(("object", "nested", "flattened", "flat_object", "geo_point", "geo_shape"), "object"),
    **dict.fromkeys(("date", "date_nanos"), "datetime"),
    "boolean": "boolean",
    "binary": "bytes",
}
_QUANTIZED: Final = frozenset({"int8", "int4", "bbq"})
"""Prefixes of Elasticsearch's algorithms: ``int8_hnsw`` is an ``hnsw`` of ``int8``."""

_COUNTED: Final = frozenset(
    {"keyword", "constant_keyword", "wildcard", "long", "integer", "short", "byte", "unsigned_long", "ip"}
)
"""Types whose values the engine counts as they were written."""

_MODEL_KEYS: Final = ("model_id", "model", "deployment_id")
"""Settings in which inference services keep the name of their model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MappedField:
    """One field of a mapping. ``nested_in`` is the nearest ``nested`` object around it."""

    path: str
    schema_path: str
    kind: str
    spec: Mapping[str, Any] = field(repr=False)
    nested_in: str | None = None
    part_of: str | None = None
    """The field of which a multi-field is another form."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Countable:
    """Where the engine can count the values of a payload field: the field itself, or its form as a keyword."""

    path: str
    key: str
    nested_in: str | None = None
    may_ignore: bool = False
    """Longer values than ``ignore_above`` are missing; their documents name the field in ``_ignored``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """One index as ``GET /<index>`` describes it."""

    info: Mapping[str, Any] = field(repr=False)
    opensearch: bool

    @property
    def _mappings(self) -> Mapping[str, Any]:
        return mapping(self.info.get("mappings"))

    @property
    def _meta(self) -> Mapping[str, Any]:
        return mapping(self._mappings.get("_meta"))

    @property
    def _settings(self) -> Mapping[str, Any]:
        return mapping(mapping(self.info.get("settings")).get("index"))

    @property
    def mapped(self) -> list[MappedField]:
        """Every field of the mapping by path, including multi-fields."""
        return sorted(_walk(self._mappings), key=lambda item: item.path)

    def is_vector(self, item: MappedField) -> bool:
        """Whether it is a vector: ``rank_features`` are sparse vectors in OpenSearch, but anything in Elasticsearch."""
        return (
            item.kind in ("knn_vector", "dense_vector", "sparse_vector", "rank_vectors", "semantic_text")
            or (item.kind == "rank_features" and self.opensearch)
            # OpenSearch has a type of that name, too, with a knn_vector beside it.
            or (item.kind == "semantic" and "inference_id" in item.spec)
        )

    @property
    def has_vectors(self) -> bool:
        return any(map(self.is_vector, _walk(self._mappings)))

    @property
    def inference_ids(self) -> list[str]:
        """Ids of the inference endpoints that compute the index's vectors."""
        named = (text(item.spec.get("inference_id")) for item in self.mapped if self.is_vector(item))
        return sorted({name for name in named if name})

    def vectors(self, models: Mapping[str, str | None]) -> tuple[Vector, ...]:
        """Return dense, then sparse vectors by path. ``models`` are those of the inference endpoints by id."""
        found = [self._build_vector(item, models) for item in self.mapped if self.is_vector(item)]
        return tuple(sorted(found, key=lambda vector: (vector.sparse, vector.name)))

    def _build_vector(self, item: MappedField, models: Mapping[str, str | None]) -> Vector:
        if item.kind == "knn_vector":
            found = self._build_knn(item)
        elif "inference_id" in item.spec:
            found = _build_inferred(item)
        elif item.kind in ("dense_vector", "rank_vectors"):
            found = _build_dense(item, mapping(item.spec.get("index_options")))
        else:
            found = _build_sparse(item)
        parameters = dict(found.index_parameters)
        if item.nested_in is not None:
            parameters["nested_in"] = item.nested_in
        endpoint = text(item.spec.get("inference_id"))
        recorded = self._meta.get("embedding_model")
        named = mapping(recorded).get(item.path) if isinstance(recorded, Mapping) else recorded
        model = models.get(endpoint) if endpoint else None
        return replace(found, index_parameters=parameters, embedding_model=model or text(named))

    def _build_knn(self, item: MappedField) -> Vector:
        spec, method = item.spec, mapping(item.spec.get("method"))
        parameters = dict(mapping(method.get("parameters")))
        encoder = mapping(parameters.pop("encoder", None))
        given = {key: spec.get(key) for key in ("mode", "compression_level", "model_id")}
        encoding = dict(mapping(encoder.get("parameters")))
        kind = plain(encoding.pop("type", None))
        words = [word for word in (text(encoder.get("name")), kind) if word]
        level = text(spec.get("compression_level"))
        # Before 2.17 the index may set it for all vectors. Its key has a dot, because "knn" is a setting by itself.
        legacy = self._settings.get("knn.space_type")
        space = spec.get("space_type") or method.get("space_type") or legacy
        return Vector(
            name=item.path,
            schema_path=item.schema_path,
            dimension=whole(spec.get("dimension")),
            metric=text(space),
            index_type=text(method.get("name")),
            index_parameters=_flatten(
                {"engine": method.get("engine"), **parameters, "encoder": encoding, **given}
            ),
            # The answer is in capitals, though mappings write ``byte``.
            element_type=(text(spec.get("data_type")) or "").lower() or None,
            quantization=_name_encoder(" ".join(words)) or (level if level != "1x" else None),
        )

    def fields(self) -> tuple[PayloadField, ...]:
        """Return the payload fields with the engine's own types. A mapping never requires a field."""
        found = (
            PayloadField(
                path=item.path,
                schema_path=item.schema_path,
                type=_TYPES.get(item.kind, "unknown"),
                native_type=item.kind,
            )
            for item in self.mapped
            if not self.is_vector(item)
        )
        return described(tuple(found))

    def countable(self, path: str) -> Countable | None:
        """Return where the engine can count the values of the field ``path``; ``None`` if it cannot."""
        forms = [item for item in self.mapped if path in (item.path, item.part_of)]
        for item in sorted(forms, key=lambda form: (form.part_of is not None, form.path)):
            # A normalizer changes values, mostly to lower case, so that they would name other sources.
            changed = "normalizer" in item.spec or item.spec.get("doc_values") is False
            if item.kind in _COUNTED and not changed:
                return Countable(
                    path=path,
                    key=item.path,
                    nested_in=item.nested_in,
                    may_ignore="ignore_above" in item.spec or item.kind == "wildcard",
                )
        return None

    def flattened(self, wanted: Iterable[str]) -> list[Countable]:
        """Return the wanted keys of ``flattened`` objects, which can be counted although no mapping has them."""
        outer = [item for item in self.mapped if item.kind == "flattened"]
        keys = [f"{item.path}.{name}" for item in outer for name in wanted]
        return [Countable(path=key, key=key, may_ignore=True) for key in keys]

    def unmapped(self, wanted: Iterable[str]) -> list[str]:
        """Return the paths where unmapped fields may be, which only the documents show."""
        outer = [
            f"{item.path}." for item in self.mapped if item.kind == "flat_object" or _has_unmapped(item.spec)
        ]
        outer += [""] if _has_unmapped(self._mappings) else []
        return [f"{before}{name}" for before in outer for name in wanted]

    @property
    def largest_page(self) -> int:
        """The number of documents that one search may return."""
        return written_whole(self._settings.get("max_result_window")) or 10_000

    @property
    def created(self) -> datetime | None:
        millis = written_whole(self._settings.get("creation_date"))
        return utc(millis / 1000) if millis else None

    @property
    def aliases(self) -> list[str]:
        return visible_aliases(self.info)

    @property
    def description(self) -> str | None:
        return text(self._meta.get("description"))

    def properties(self) -> dict[str, str]:
        """Return facts without a field of their own. Only the keys of ``_meta``: values may be private."""
        words: dict[str, object] = {
            # Named as in DataHub's own source.
            "num_shards": self._settings.get("number_of_shards"),
            "num_replicas": self._settings.get("number_of_replicas"),
            **{key: self._settings.get(key) for key in ("default_pipeline", "final_pipeline", "mode")},
            "lifecycle": mapping(self._settings.get("lifecycle")).get("name"),
            "meta_keys": ", ".join(sorted(self._meta)),
        }
        for item in self.mapped:
            if self.is_vector(item) and "inference_id" in item.spec:
                chunking = _flatten({"chunking": item.spec.get("chunking_settings")})
                words |= {f"{item.path}.{key}": value for key, value in chunking.items()}
        known = {key: plain(value) for key, value in words.items()}
        return {key: value for key, value in known.items() if value}


def is_mapping(spec: object) -> bool:
    """Whether a mapping has the shape that the engines give it, so that what it lacks is truly not there.

    >>> is_mapping({}), is_mapping({"properties": {"v": {"type": "knn_vector"}}}), is_mapping({"properties": {"v": 5}})
    (True, True, False)
    """
    if not isinstance(spec, Mapping):
        return False
    inner = [spec.get("properties", {}), spec.get("fields", {})]
    return (
        text(spec.get("type", "object")) is not None
        and all(isinstance(fields, Mapping) for fields in inner)
        and all(is_mapping(other) for fields in inner for other in fields.values())
    )


def visible_aliases(info: Mapping[str, Any]) -> list[str]:
    """Return the aliases of an index or a data stream, sorted, without hidden ones."""
    named = mapping(info.get("aliases")).items()
    return sorted(name for name, spec in named if mapping(spec).get("is_hidden") is not True)


def model_of(endpoint: Mapping[str, Any]) -> str | None:
    """Return the model of an inference endpoint as ``service/model``, if the service names one.

    >>> model_of({"service": "openai", "service_settings": {"model_id": "text-embedding-3-small"}})
    'openai/text-embedding-3-small'
    """
    service, settings = text(endpoint.get("service")), mapping(endpoint.get("service_settings"))
    model = next(filter(None, (text(settings.get(key)) for key in _MODEL_KEYS)), None)
    return f"{service}/{model}" if service and model else None


def embedded_text(paths: Iterable[str]) -> str | None:
    """Return the field of the embedded text in an index of LangChain's or LlamaIndex's layout.

    >>> embedded_text(["text", "metadata", "metadata.source"]), embedded_text(["content", "metadata._node_content"])
    ('text', 'content')
    """
    known = frozenset(paths)
    if "metadata._node_content" in known and "content" in known:
        return "content"
    return find("elasticsearch").text_field(known) or text_path(known)


def _walk(
    spec: Mapping[str, Any], path: str = "", schema_path: str = "[version=2.0]", nested_in: str | None = None
) -> Iterator[MappedField]:
    """Yield all fields. Paths with types are written as in DataHub's own source, to mean the same field."""
    for name, value in mapping(spec.get("properties")).items():
        inner, here = mapping(value), f"{path}{name}"
        kind = text(inner.get("type")) or "object"
        spelled = f"{schema_path}.[type={'properties' if inner.get('properties') else kind}].{name}"
        yield MappedField(path=here, schema_path=spelled, kind=kind, spec=inner, nested_in=nested_in)
        for form, other in mapping(inner.get("fields")).items():
            other_kind = text(mapping(other).get("type")) or "object"
            yield MappedField(
                path=f"{here}.{form}",
                schema_path=f"{spelled}.[type={other_kind}].{form}",
                kind=other_kind,
                spec=mapping(other),
                nested_in=nested_in,
                part_of=here,
            )
        yield from _walk(inner, f"{here}.", spelled, here if kind == "nested" else nested_in)


def _build_dense(item: MappedField, options: Mapping[str, Any]) -> Vector:
    algorithm = text(options.get("type")) if item.spec.get("index") is not False else None
    before, _, after = (algorithm or "").partition("_")
    quantized = before in _QUANTIZED and bool(after)
    return Vector(
        name=item.path,
        schema_path=item.schema_path,
        dimension=whole(item.spec.get("dims")),
        metric=text(item.spec.get("similarity")),
        index_type=after if quantized else algorithm,
        index_parameters=_flatten({key: value for key, value in options.items() if key != "type"}),
        element_type=text(item.spec.get("element_type")),
        quantization=before if quantized else None,
        multivector=item.kind == "rank_vectors",
    )


def _build_inferred(item: MappedField) -> Vector:
    """Build the vector of ``semantic_text``. The engine records its properties with the first document."""
    settings, options = mapping(item.spec.get("model_settings")), mapping(item.spec.get("index_options"))
    sparse = settings.get("task_type") == "sparse_embedding"
    kept = mapping(options.get("sparse_vector" if sparse else "dense_vector"))
    found = _build_dense(item, {key: value for key, value in kept.items() if key != "element_type"})
    named = {"inference_id": item.spec.get("inference_id")}
    return replace(
        found,
        dimension=whole(settings.get("dimensions")),
        metric=text(settings.get("similarity")),
        element_type=text(kept.get("element_type")) or text(settings.get("element_type")),
        index_parameters={**found.index_parameters, **_flatten(named)},
        sparse=sparse,
    )


def _build_sparse(item: MappedField) -> Vector:
    method = mapping(item.spec.get("method"))
    given = {**mapping(item.spec.get("index_options")), **mapping(method.get("parameters"))}
    return Vector(
        name=item.path,
        schema_path=item.schema_path,
        index_type=text(method.get("name")),
        index_parameters=_flatten(given),
        sparse=True,
    )


def _flatten(values: Mapping[str, Any], before: str = "") -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            found |= _flatten(value, f"{before}{key}.")
        elif written := plain(value):
            found[f"{before}{key}"] = written
    return found


def _name_encoder(encoder: str) -> str | None:
    """Return the encoder; ``flat`` is Faiss's term for none."""
    return encoder if encoder and encoder != "flat" else None


def _has_unmapped(spec: Mapping[str, Any]) -> bool:
    """Whether it holds unmapped fields. The engine writes ``false`` as a string or as JSON's own."""
    return spec.get("enabled") is False or plain(spec.get("dynamic")) in ("false", "runtime")
