"""Turns the Arrow schema, indexes and versions of a LanceDB table into plain facts.

https://lancedb.github.io/lancedb/ and https://lance.org/format/table/
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import pyarrow as pa

from datahub_llmops.assets.collections import FieldType, PayloadField, Vector
from datahub_llmops.ingestion.sampling import described
from datahub_llmops.net.json_values import mapping, mappings, plain, text

_FUNCTIONS: Final = b"embedding_functions"
_NOT_THE_USERS: Final = frozenset({"embedding_functions", "pandas", "description"})
_NOT_PARAMETERS: Final = frozenset({"runtime_hints", "metric_type", "compression"})
"""``runtime_hints`` belong to the machine that built the index; the others have fields of their own."""

_KINDS: Final[tuple[tuple[str, FieldType], ...]] = (
    ("is_string", "string"),
    ("is_large_string", "string"),
    ("is_string_view", "string"),
    ("is_boolean", "boolean"),
    ("is_integer", "integer"),
    ("is_floating", "float"),
    ("is_decimal", "float"),
    ("is_date", "date"),
    ("is_timestamp", "datetime"),
    ("is_binary", "bytes"),
    ("is_large_binary", "bytes"),
    ("is_binary_view", "bytes"),
    ("is_fixed_size_binary", "bytes"),
    ("is_struct", "object"),
    ("is_map", "object"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """An index of a vector or of any other column."""

    column: str
    kind: str
    metric: str | None = None
    details: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Column:
    path: str
    field: Any
    nullable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table's schema (``pyarrow.Schema``) and indexes."""

    schema: Any
    indexes: Sequence[Index] = ()

    @property
    def _metadata(self) -> Mapping[bytes, bytes]:
        return self.schema.metadata or {}

    def columns(self) -> Iterator[_Column]:
        """Yield every column and the fields of structs, depth first, without the elements of vectors and lists."""
        yield from _columns(self.schema, "", False)

    def vectors(self) -> tuple[Vector, ...]:
        """Return columns of fixed-size float lists, and integer lists that an index or function uses as vectors."""
        return tuple(
            self._build_vector(column, shape)
            for column in self.columns()
            if (shape := self._find_shape(column)) is not None
        )

    def fields(self) -> tuple[PayloadField, ...]:
        """Return all other columns with Arrow's own types."""
        found = (_build_field(column) for column in self.columns() if self._find_shape(column) is None)
        return described(tuple(found))

    def functions(self) -> tuple[Mapping[str, Any], ...]:
        """Return the declared embedding functions. Their arguments may hold keys: publish only their names.

        They are read from the schema's metadata: LanceDB's own method raises if a function is not registered here.
        """
        try:
            found = json.loads(self._metadata.get(_FUNCTIONS, b"[]"))
        except (ValueError, RecursionError):
            return ()
        return tuple(mappings(found))

    def source_column(self) -> str | None:
        """Return the column that the embedding functions read, if there is only one."""
        named = {text(function.get("source_column")) for function in self.functions()} - {None}
        return named.pop() if len(named) == 1 else None

    def properties(self) -> dict[str, str]:
        """Return facts without a field of their own. Only the keys of the user's metadata: values may be private."""
        result: dict[str, str] = {}
        names = sorted({name for function in self.functions() if (name := text(function.get("name")))})
        if names:
            result["embedding_functions"] = ", ".join(names)
        vectors = {vector.name for vector in self.vectors()}
        scalar = sorted(
            f"{index.column}: {index.kind}" for index in self.indexes if index.column not in vectors
        )
        if scalar:
            result["payload_indexes"] = ", ".join(scalar)
        keys = sorted({key.decode("utf-8", "replace") for key in self._metadata} - _NOT_THE_USERS)
        if keys:
            result["metadata_keys"] = ", ".join(keys)
        return result

    def description(self) -> str | None:
        """Return ``description`` of the schema's metadata, the only value that is written for readers."""
        return self._metadata.get(b"description", b"").decode("utf-8", "replace") or None

    def _find_shape(self, column: _Column) -> Any:
        """Return the fixed-size list type of a vector; ``None`` if the column is not a vector."""
        kind = column.field.type
        if pa.types.is_list(kind) or pa.types.is_large_list(kind):
            kind = kind.value_type
        if not pa.types.is_fixed_size_list(kind):
            return None
        if _is_float(kind.value_type) or (
            pa.types.is_integer(kind.value_type) and self._is_used_as_vector(column.path)
        ):
            return kind
        return None

    def _is_used_as_vector(self, path: str) -> bool:
        declared = {text(function.get("vector_column")) for function in self.functions()}
        return path in declared or any(index.column == path and index.metric for index in self.indexes)

    def _build_vector(self, column: _Column, shape: Any) -> Vector:
        index = next((index for index in self.indexes if index.column == column.path), None)
        details = index.details if index is not None else {}
        compression = mapping(details.get("compression"))
        return Vector(
            name=column.path,
            dimension=shape.list_size or None,
            metric=index.metric if index is not None else None,
            index_type=index.kind if index is not None else None,
            index_parameters=_parameters(details),
            element_type=_element_type(shape.value_type),
            quantization=text(compression.get("type")),
            multivector=column.field.type != shape,
            embedding_model=self._find_model(column.path),
        )

    def _find_model(self, vector: str) -> str | None:
        """Return ``function/model``. A function with its default model does not record which one that is."""
        for function in self.functions():
            arguments = mapping(function.get("model"))
            chosen = text(arguments.get("name")) or text(arguments.get("model"))
            name = text(function.get("name"))
            if function.get("vector_column") == vector and name and chosen:
                return f"{name}/{chosen}"
        return None


def index_of(config: Any, distance: str | None) -> Iterator[Index]:
    """One of LanceDB's ``IndexConfig``; ``distance`` is what its statistics say, for versions without details."""
    details = mapping(getattr(config, "index_details", None))
    metric = text(details.get("metric_type")) or text(distance)
    for column in config.columns:
        yield Index(
            column=str(column),
            kind=str(config.index_type),
            metric=metric.lower() if metric else None,
            details=details,
        )


def countable(schema: Any, path: str) -> str | None:
    """The SQL by which the engine gets at the values of a column, one a row; ``None`` for what names no source.

    Strings and whole numbers do, and lists of them.
    """
    column = next((column for column in _columns(schema, "", False) if column.path == path), None)
    if column is None or "`" in path:
        # Lance itself cannot select a column with a backtick in its name.
        return None
    kind = column.field.type
    several = pa.types.is_list(kind) or pa.types.is_large_list(kind)
    value = kind.value_type if several else kind
    if pa.types.is_dictionary(value):
        value = value.value_type
    if _field_type(value) not in ("string", "integer"):
        return None
    head, *inner = _split_path(schema, path)
    quoted = '"' + head.replace('"', '""') + '"'
    place = quoted + "".join("['" + part.replace("'", "''") + "']" for part in inner)
    return f"CAST(unnest({place}) AS VARCHAR)" if several else f"CAST({place} AS VARCHAR)"


def moment_of(version: Mapping[str, Any]) -> datetime | None:
    """Return when a version was written. Lance returns it in the machine's time zone, without a zone."""
    written = version.get("timestamp")
    try:
        return written.astimezone(UTC) if isinstance(written, datetime) else None
    except (ValueError, OverflowError):
        # A time in the first or last hours of years 1 and 9999 may lie outside of them in UTC.
        return None


def _columns(fields: Iterable[Any], prefix: str, optional: bool) -> Iterator[_Column]:
    for field in fields:
        path = f"{prefix}{field.name}"
        nullable = optional or field.nullable
        yield _Column(path, field, nullable)
        if pa.types.is_struct(field.type):
            children = [field.type.field(number) for number in range(field.type.num_fields)]
            yield from _columns(children, f"{path}.", nullable)


def _split_path(schema: Any, path: str) -> list[str]:
    """Split a path into names, which may contain dots themselves."""

    def walk(fields: Iterable[Any], rest: str) -> list[str] | None:
        for field in fields:
            if field.name == rest:
                return [field.name]
            if pa.types.is_struct(field.type) and rest.startswith(f"{field.name}."):
                children = [field.type.field(number) for number in range(field.type.num_fields)]
                below = walk(children, rest[len(field.name) + 1 :])
                if below is not None:
                    return [field.name, *below]
        return None

    return walk(schema, path) or [path]


def _build_field(column: _Column) -> PayloadField:
    note = (column.field.metadata or {}).get(b"description", b"").decode("utf-8", "replace")
    return PayloadField(
        path=column.path,
        type=_field_type(column.field.type),
        native_type=_native_type(column.field.type),
        nullable=column.nullable,
        description=note or None,
    )


def _field_type(kind: Any) -> FieldType:
    if pa.types.is_dictionary(kind):
        return _field_type(kind.value_type)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return "array"
    return next((word for check, word in _KINDS if getattr(pa.types, check)(kind)), "unknown")


def _native_type(kind: Any) -> str:
    """Return Arrow's own name. The members of a struct are fields of their own."""
    if pa.types.is_struct(kind):
        return "struct"
    if pa.types.is_fixed_size_list(kind):
        return f"fixed_size_list<{_native_type(kind.value_type)}>[{kind.list_size}]"
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return f"{'large_' if pa.types.is_large_list(kind) else ''}list<{_native_type(kind.value_type)}>"
    return f"dictionary<{kind.value_type}>" if pa.types.is_dictionary(kind) else str(kind)


def _element_type(kind: Any) -> str:
    """Return the common name of an element type: Arrow prints floats as C++ does."""
    written = str(getattr(kind, "extension_name", kind))
    return {"halffloat": "float16", "float": "float32", "double": "float64"}.get(written, written)


def _is_float(kind: Any) -> bool:
    return pa.types.is_floating(kind) or "bfloat16" in str(getattr(kind, "extension_name", ""))


def _parameters(details: Mapping[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in details.items():
        if key not in _NOT_PARAMETERS:
            inner = value.items() if isinstance(value, Mapping) else ((key, value),)
            found.update({name: written for name, item in inner if (written := plain(item))})
    compression = mapping(details.get("compression"))
    words = {name: plain(item) for name, item in compression.items() if name != "type"}
    found.update({name: word for name, word in words.items() if word})
    return found
