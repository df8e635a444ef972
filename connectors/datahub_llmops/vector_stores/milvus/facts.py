"""Turns the ``DescribeCollectionResponse`` of a Milvus server into plain facts.

Messages are mappings with the names of
https://github.com/milvus-io/milvus-proto/blob/master/proto/milvus.proto, 64-bit numbers are text.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from datahub_llmops.assets.collections import FieldType, PayloadField, Vector
from datahub_llmops.net.json_values import mapping, mappings, plain, text, utc, written_whole

DYNAMIC: Final = "$meta"
"""The hidden column in which Milvus keeps fields that the schema does not declare."""

_ELEMENTS: Final[Mapping[str, str]] = {
    "FloatVector": "float32",
    "Float16Vector": "float16",
    "BFloat16Vector": "bfloat16",
    "Int8Vector": "int8",
    "BinaryVector": "binary",
    "SparseFloatVector": "float32",
}
_TYPES: Final[Mapping[str, FieldType]] = {
    "Bool": "boolean",
    "Int8": "integer",
    "Int16": "integer",
    "Int32": "integer",
    "Int64": "integer",
    "Float": "float",
    "Double": "float",
    "String": "string",
    "VarChar": "string",
    "Text": "string",
    "Array": "array",
    "JSON": "object",
    "Timestamptz": "datetime",
    "Date": "date",
    "Geometry": "object",
    "Struct": "object",
    "ArrayOfStruct": "array",
}
_READABLE: Final = frozenset(
    {"Int8", "Int16", "Int32", "Int64", "String", "VarChar", "Text", "Array", "JSON"}
)
"""Column types whose values can name a source."""

_COMPRESSED: Final = frozenset({"SQ8", "SQ", "PQ", "PRQ", "RABITQ"})
"""Last parts of the names of indexes that compress the vectors, such as ``IVF_SQ8``."""

_SHOWN_PROPERTIES: Final = ("collection.", "mmap.", "partitionkey.", "lazyload.", "timezone")
"""Prefixes of Milvus' own settings. Other properties are the user's, and their values may be private."""

_LAYOUTS: Final = (
    frozenset({"pk", "text", "vector"}),
    frozenset({"id", "doc_id", "text", "embedding"}),
)
"""Default columns of the collections that LangChain's and LlamaIndex's packages for Milvus create."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """A collection as the server's ``DescribeCollectionResponse`` and ``DescribeIndexResponse`` describe it."""

    info: Mapping[str, Any]
    indexes: Sequence[Mapping[str, Any]] = ()

    @property
    def _schema(self) -> Mapping[str, Any]:
        return mapping(self.info.get("schema"))

    @property
    def _fields(self) -> tuple[Mapping[str, Any], ...]:
        listed = mappings(self._schema.get("fields"))
        return tuple(item for item in listed if text(item.get("name")) and item.get("is_dynamic") is not True)

    @property
    def _functions(self) -> list[Mapping[str, Any]]:
        return mappings(self._schema.get("functions"))

    @property
    def name(self) -> str | None:
        """The collection's own name, even if it was asked for by an alias."""
        return text(self._schema.get("name"))

    @property
    def has_dynamic_fields(self) -> bool:
        return self._schema.get("enable_dynamic_field") is True

    @property
    def partition_key(self) -> str | None:
        keys = (item for item in self._fields if item.get("is_partition_key") is True)
        return next((text(item.get("name")) for item in keys), None)

    @property
    def primary_key(self) -> tuple[str, bool] | None:
        """The name of the column, and whether it is text."""
        for item in self._fields:
            if item.get("is_primary_key") is True:
                return str(item["name"]), item.get("data_type") != "Int64"
        return None

    @property
    def created(self) -> datetime | None:
        """Time of creation by the server's clock, which is in milliseconds shifted by 18 bits."""
        stamp = written_whole(self.info.get("created_timestamp"))
        return utc((stamp >> 18) / 1000) if stamp else None

    @property
    def aliases(self) -> tuple[str, ...]:
        return tuple(sorted(name for name in self.info.get("aliases") or () if text(name)))

    def vectors(self) -> tuple[Vector, ...]:
        """Return vectors in the order of the schema, those in struct arrays last, as ``struct.field``."""
        top_level = (self._build_vector(item, "") for item in self._fields if _is_vector(item))
        nested = (
            self._build_vector(item, f"{struct['name']}.")
            for struct in mappings(self._schema.get("struct_array_fields"))
            for item in mappings(struct.get("fields"))
            if text(struct.get("name")) and _is_vector(item)
        )
        return (*top_level, *nested)

    def _build_vector(self, item: Mapping[str, Any], prefix: str) -> Vector:
        kind, name = str(item["data_type"]), str(item["name"])
        several = kind == "ArrayOfVector"
        element = str(item.get("element_type")) if several else kind
        index = self._find_index(name)
        function = self._find_function(name)
        index_type = text(index.get("index_type"))
        return Vector(
            name=_build_path(prefix, name),
            dimension=written_whole(_pairs(item.get("type_params")).get("dim")),
            metric=text(index.get("metric_type")),
            index_type=index_type,
            index_parameters={**_index_parameters(index), **_function_parameters(function)},
            element_type=_ELEMENTS.get(element),
            quantization=_quantization(index_type),
            sparse=element == "SparseFloatVector",
            multivector=several,
            embedding_model=_model(function),
        )

    def _find_index(self, field: str) -> dict[str, str]:
        for index in self.indexes:
            if index.get("field_name") == field:
                return _flatten(_pairs(index.get("params")))
        return {}

    def _find_function(self, field: str) -> Mapping[str, Any]:
        for function in self._functions:
            if field in (function.get("output_field_names") or ()):
                return function
        return {}

    def declared_fields(self) -> tuple[PayloadField, ...]:
        """Return the columns other than vectors, in Milvus' own types."""
        flat = [_build_field(item, "") for item in self._fields if not _is_vector(item)]
        for struct in mappings(self._schema.get("struct_array_fields")):
            if outer := text(struct.get("name")):
                flat.append(
                    PayloadField(
                        path=outer,
                        type="array",
                        native_type="ARRAY<STRUCT>",
                        nullable=struct.get("nullable") is True,
                        description=text(struct.get("description")),
                    )
                )
                inner = (item for item in mappings(struct.get("fields")) if not _is_vector(item))
                flat += [_build_field(item, f"{outer}.") for item in inner if text(item.get("name"))]
        return tuple(flat)

    def fields(self, sampled: Iterable[PayloadField]) -> tuple[PayloadField, ...]:
        """Return the columns, and the fields that a sample showed in JSON columns and dynamic fields."""
        found = {item.path: item for item in sampled}
        found |= {item.path: item for item in self.declared_fields()}
        for vector in self.vectors():
            found.pop(vector.name, None)
        return tuple(found[path] for path in sorted(found))

    @property
    def json_columns(self) -> tuple[str, ...]:
        return tuple(str(item["name"]) for item in self._fields if item.get("data_type") == "JSON")

    def column_of(self, path: str) -> str | None:
        """Return the column that holds the values of a payload path; ``None`` if they cannot name a source."""
        for item in self._fields:
            name = str(item["name"])
            if name == path or (item.get("data_type") == "JSON" and path.startswith(f"{name}.")):
                return name if item.get("data_type") in _READABLE else None
        return DYNAMIC if self.has_dynamic_fields and "[" not in path else None

    def text_field(self) -> str | None:
        """Return the column that a function of the collection embeds, or the text column of a framework's layout."""
        names = {str(item["name"]) for item in self._fields}
        inputs = {name for function in self._functions for name in function.get("input_field_names") or ()}
        if len(inputs) == 1 and inputs <= names:
            return str(next(iter(inputs)))
        return "text" if any(layout <= names for layout in _LAYOUTS) else None

    def properties(self) -> dict[str, str]:
        """Return facts without a field of their own. Only the keys of properties that are not Milvus' own."""
        key = self.primary_key
        facts: dict[str, Any] = {
            "primary_key": key[0] if key else None,
            "auto_id": any(item.get("autoID") is True for item in self._fields) or None,
            "dynamic_fields": self.has_dynamic_fields or None,
            "partition_key": self.partition_key,
            "clustering_key": next(
                (item["name"] for item in self._fields if item.get("is_clustering_key") is True), None
            ),
            "num_partitions": self.info.get("num_partitions") if self.partition_key else None,
            "shards": self.info.get("shards_num"),
            "consistency_level": self.info.get("consistency_level"),
            "payload_indexes": ", ".join(self._payload_indexes()),
            "functions": ", ".join(_describe_function(function) for function in self._functions),
        }
        given = _pairs(self.info.get("properties"))
        known = {key: value for key, value in given.items() if key.startswith(_SHOWN_PROPERTIES)}
        facts |= known | {"property_keys": ", ".join(sorted(given.keys() - known.keys()))}
        return {key: written for key, value in facts.items() if (written := plain(value))}

    def _payload_indexes(self) -> list[str]:
        vectors = {str(item["name"]) for item in self._fields if _is_vector(item)}
        kinds = ((index.get("field_name"), _pairs(index.get("params"))) for index in self.indexes)
        return sorted(
            f"{field}: {kind}"
            for field, params in kinds
            if field not in vectors and (kind := params.get("index_type"))
        )

    def description(self) -> str | None:
        return text(self._schema.get("description"))


def row_count(stats: object) -> int | None:
    """Return the rows written, including deleted ones, from ``GetCollectionStatisticsResponse.stats``."""
    return written_whole(_pairs(stats).get("row_count"))


def _build_field(item: Mapping[str, Any], prefix: str) -> PayloadField:
    kind = str(item.get("data_type", "None"))
    return PayloadField(
        path=_build_path(prefix, str(item["name"])),
        type=_TYPES.get(kind, "unknown"),
        native_type=_native(item),
        nullable=item.get("nullable") is True,
        description=text(item.get("description")),
    )


def _build_path(prefix: str, name: str) -> str:
    """Return the path of a field of a struct array, which Milvus calls ``struct[field]``.

    >>> _build_path("clips.", "clips[page]"), _build_path("clips.", "page"), _build_path("", "page")
    ('clips.page', 'clips.page', 'page')
    """
    struct = prefix.rstrip(".")
    return prefix + name.removeprefix(f"{struct}[").removesuffix("]") if prefix else name


def _native(item: Mapping[str, Any]) -> str:
    """Return the type in the notation of Milvus' documentation: ``VARCHAR(512)``, ``ARRAY<INT64>(16)``."""
    params = _pairs(item.get("type_params"))
    kind = str(item.get("data_type", "unknown")).upper()
    length = params.get("max_length")
    if kind != "ARRAY":
        return f"{kind}({length})" if length else kind
    element = str(item.get("element_type", "unknown")).upper()
    inner = f"{element}({length})" if length else element
    capacity = params.get("max_capacity")
    return f"ARRAY<{inner}>({capacity})" if capacity else f"ARRAY<{inner}>"


def _is_vector(item: Mapping[str, Any]) -> bool:
    return item.get("data_type") in _ELEMENTS or item.get("data_type") == "ArrayOfVector"


def _pairs(value: object) -> dict[str, str]:
    """Return a list of Milvus' ``KeyValuePair`` as a dictionary."""
    pairs = ((text(item.get("key")), item.get("value")) for item in mappings(value))
    return {key: str(value) for key, value in pairs if key and value not in (None, "")}


def _flatten(params: Mapping[str, str]) -> dict[str, str]:
    """Return the parameters of an index. Some servers write those of its type as JSON under ``params``."""
    try:
        inner = mapping(json.loads(params.get("params", "{}")))
    except (ValueError, RecursionError):
        inner = {}
    outer = {key: value for key, value in params.items() if key != "params"}
    return {**outer, **{key: written for key, value in inner.items() if (written := plain(value))}}


def _index_parameters(index: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in index.items() if key not in ("index_type", "metric_type", "dim")}


def _function_parameters(function: Mapping[str, Any]) -> dict[str, str]:
    """Return which function of the collection computes the vector, and from which columns."""
    kind = text(function.get("type"))
    inputs = ", ".join(str(name) for name in function.get("input_field_names") or ())
    given = {"function": kind, "function_input": inputs}
    return {key: value for key, value in given.items() if value}


def _describe_function(function: Mapping[str, Any]) -> str:
    inputs = ", ".join(function.get("input_field_names") or ())
    outputs = ", ".join(function.get("output_field_names") or ())
    return f"{function.get('type', 'unknown')}({inputs}) -> {outputs}"


def _model(function: Mapping[str, Any]) -> str | None:
    """Return ``provider/model`` of a function that embeds text. Other parameters may be credentials."""
    if function.get("type") != "TextEmbedding":
        return None
    params = {key.lower(): value for key, value in _pairs(function.get("params")).items()}
    model, provider = params.get("model_name"), params.get("provider")
    return f"{provider}/{model}" if provider and model else model


def _quantization(index_type: str | None) -> str | None:
    """Return the compression in the name of an index.

    >>> _quantization("IVF_SQ8"), _quantization("HNSW"), _quantization("GPU_IVF_PQ")
    ('SQ8', None, 'PQ')
    """
    last = (index_type or "").rpartition("_")[2]
    return last if last in _COMPRESSED else None
