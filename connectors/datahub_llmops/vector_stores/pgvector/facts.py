"""Turns what Postgres's catalog says about a table with vectors into plain facts.

https://github.com/pgvector/pgvector#indexing
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from datahub_llmops.assets.collections import FieldType, PayloadField, ProvenanceCount, Vector
from datahub_llmops.ingestion.sampling import MAX_KEYS_OF_OBJECT, described, merged

Json = Mapping[str, Any]

_METRIC: Final = re.compile(r"_(l2|ip|cosine|l1|hamming|jaccard)_ops$")
_ELEMENTS: Final = {"vector": "float4", "halfvec": "float2", "bit": "bit"}
_HALF: Final = re.compile(r"::(?:[^():]*\.)?halfvec\b")
_MODEL: Final = re.compile(
    r"\bembedding[_ ]model\s*[:=]\s*[\"']?([\w.@:+-]+(?:/[\w.@:+/-]+)?)", re.IGNORECASE
)
_TYPES: Final[Mapping[str, FieldType]] = {
    "smallint": "integer",
    "integer": "integer",
    "bigint": "integer",
    "date": "date",
    "bytea": "bytes",
    "json": "object",
    "jsonb": "object",
    "hstore": "object",
    "uuid": "string",
}
_CATEGORIES: Final[Mapping[str, FieldType]] = {
    "A": "array",
    "B": "boolean",
    "D": "datetime",
    "E": "string",
    "N": "float",
    "S": "string",
}
_JSON_TYPES: Final[Mapping[str, FieldType]] = {
    "string": "string",
    "number": "float",
    "boolean": "boolean",
    "array": "array",
    "object": "object",
}
_TEXT_FIELDS: Final = (
    ({"collection_id", "cmetadata", "document"}, "document"),
    ({"langchain_id", "langchain_metadata", "content"}, "content"),
    ({"node_id", "metadata_", "text"}, "text"),
)
"""Columns that identify a framework's table, and the one of them that holds the text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One row of ``queries.TABLE``."""

    kind: str
    rows: int | None
    """The planner's estimate; ``None`` before the first ANALYZE or VACUUM."""
    size: int | None
    pages: int
    usable: bool
    """Whether the user may access its schema."""
    comment: str | None
    partitions: tuple[str, ...]
    columns: tuple[Json, ...]
    indexes: tuple[Json, ...]
    statistics: tuple[Json, ...]
    filtered: bool = False
    """Whether row-level security decides which rows the user sees."""

    @classmethod
    def of(cls, row: Sequence[Any]) -> Table:
        """Build it from a row of the query.

        >>> Table.of(("r", -1.0, 0, None, True, 8192, 1, None, None, None, None, 180004, False)).rows
        """
        kind, tuples, relpages, comment, usable, size, pages, parts, *more = row
        columns, indexes, statistics, version, filtered = more
        # Before Postgres 14 a table that was never analyzed looks like an empty one.
        known = tuples > 0 or (tuples == 0 and (version >= 140000 or relpages > 0))
        return cls(
            kind=kind,
            rows=int(tuples) if known else None,
            size=int(size) if size else None,
            pages=int(pages or 0),
            usable=usable,
            comment=comment,
            partitions=tuple(parts or ()),
            columns=tuple(columns or ()),
            indexes=_merge_partitions(tuple(indexes or ()), len(parts or ())),
            statistics=tuple(statistics or ()),
            filtered=bool(filtered),
        )

    @property
    def names(self) -> frozenset[str]:
        """Names of its columns."""
        return frozenset(column["name"] for column in self.columns)

    @property
    def documents(self) -> tuple[str, ...]:
        """Names of its JSON columns."""
        return tuple(column["name"] for column in self.columns if column["base"] in ("json", "jsonb"))

    @property
    def texts(self) -> tuple[str, ...]:
        """Names of the columns whose values may say where a row came from."""
        return tuple(
            column["name"]
            for column in self.columns
            if column["kind"] is None and _type(column) in ("string", "integer")
        )

    @property
    def text_field(self) -> str | None:
        """The column of the embedded text, if a known framework created the table."""
        return next((text for marks, text in _TEXT_FIELDS if marks <= self.names), None)

    def vectors(self) -> tuple[Vector, ...]:
        """Return columns of pgvector's types, and bit columns with an index of pgvector."""
        indexed = {index["column"] for index in self.indexes}
        columns = [
            column
            for column in self.columns
            if column["kind"] is not None or (column["base"] == "bit" and column["name"] in indexed)
        ]
        # A comment on the table is about its only vector.
        comment = self.comment if len(columns) == 1 else None
        return tuple(self._build_vector(column, comment) for column in columns)

    def _build_vector(self, column: Json, table_comment: str | None) -> Vector:
        mine = [index for index in self.indexes if _is_over(index, column["name"])]
        kind = column["kind"] or "bit"
        return Vector(
            name=column["name"],
            dimension=column["dimension"],
            metric=_join(found[1] for index in mine if (found := _METRIC.search(index["class"]))),
            index_type=_join(index["method"] for index in mine),
            index_parameters=_parameters(mine),
            element_type=_ELEMENTS.get(kind),
            quantization=_quantization(kind, mine),
            sparse=kind == "sparsevec",
            multivector=bool(column["multi"]),
            embedding_model=_find_model(column["comment"]) or _find_model(table_comment),
        )

    def fields(self, keys: Mapping[str, Iterable[str]]) -> tuple[PayloadField, ...]:
        """Return the other columns, and ``keys``: paths in JSON columns such as ``metadata.source`` -> JSON types."""
        vectors = {vector.name for vector in self.vectors()}
        columns = [
            PayloadField(
                path=column["name"],
                type=_type(column),
                native_type=column["type"],
                nullable=not column["not_null"],
                description=column["comment"] or None,
            )
            for column in self.columns
            if column["name"] not in vectors
        ]
        taken = self.names
        inner = [
            _build_key(path, keys[path])
            for column in self.documents
            for path in _limit_keys(
                [path for path in keys if path.startswith(f"{column}.") and path not in taken]
            )
        ]
        return described((*columns, *inner))

    def counted(self, field: str) -> ProvenanceCount | None:
        """Return the most common values of a column from the server's statistics, with the share of rows they cover."""
        found = next((one for one in self.statistics if one["column"] == field), None)
        if found is None or not found["values"] or self.rows is None:
            return None
        shares = dict(zip(found["values"], found["shares"], strict=True))
        values = {value: max(1, round(share * self.rows)) for value, share in shares.items()}
        covered = min(1.0, sum(found["shares"]) + found["nulls"])
        # The estimated shares of all values do not quite add up to 1.
        whole = covered > 0.999 or found["distinct"] == len(values)
        scanned = self.rows if whole else round(covered * self.rows)
        return ProvenanceCount(field=field, values=values, rows_scanned=scanned, rows_total=self.rows)

    def rows_of(self, value: str) -> int | None:
        """Estimate the rows of one LangChain collection by its id."""
        counted = self.counted("collection_id")
        if counted is None:
            return None
        whole = counted.rows_scanned == counted.rows_total
        return counted.values.get(value, 0 if whole else None)


def _merge_partitions(indexes: Sequence[Json], partitions: int) -> tuple[Json, ...]:
    """Keep one index of those that several partitions have alike, and say if only some partitions have it."""
    own = [index for index in indexes if index["partition"] is None]
    alike: dict[str, list[Json]] = {}
    for index in indexes:
        if index["partition"] is not None:
            key = repr(
                [index[fact] for fact in ("method", "class", "options", "partial", "column", "expression")]
            )
            alike.setdefault(key, []).append(index)
    merged_indexes = []
    for group in alike.values():
        covered = len({index["partition"] for index in group})
        options = list(group[0]["options"] or ())
        if covered < partitions:
            options.append(f"partitions={covered} of {partitions}")
        merged_indexes.append({**group[0], "options": options})
    return (*own, *merged_indexes)


def _type(column: Json) -> FieldType:
    if column["kind"] is not None:
        return "vector"
    return _TYPES.get(column["base"]) or _CATEGORIES.get(column["category"], "unknown")


def _is_over(index: Json, column: str) -> bool:
    if index["expression"] is None:
        return bool(index["column"] == column)
    plain = re.fullmatch(r"[a-z_][a-z0-9_$]*", column)
    spelled = column if plain else '"' + column.replace('"', '""') + '"'
    return re.search(rf"(?<![\w\"]){re.escape(spelled)}(?![\w\"])", index["expression"]) is not None


def _quantization(kind: str, indexes: Iterable[Json]) -> str | None:
    found = {"halfvec"} if kind == "halfvec" else set()
    for index in indexes:
        expression = index["expression"] or ""
        if "binary_quantize(" in expression:
            found.add("binary")
        elif _HALF.search(expression):
            found.add("halfvec")
    return _join(found)


def _parameters(indexes: Sequence[Json]) -> dict[str, str]:
    parameters: dict[str, str] = {}
    for index in indexes:
        prefix = f"{index['name']}." if len(indexes) > 1 else ""
        for option in index["options"] or ():
            key, _, value = option.partition("=")
            parameters[f"{prefix}{key}"] = value
        if index["partial"]:
            # Do not show its condition, which may contain values of the table.
            parameters[f"{prefix}partial"] = "true"
    return parameters


def _join(words: Iterable[str]) -> str | None:
    return ", ".join(sorted(set(words))) or None


def _find_model(comment: str | None) -> str | None:
    found = _MODEL.search(comment or "")
    return found[1].rstrip(".:") if found else None


def _limit_keys(paths: list[str]) -> list[str]:
    """Return the paths sorted, or none if there are so many that the keys themselves are data."""
    return sorted(paths) if len(paths) <= MAX_KEYS_OF_OBJECT else []


def _build_key(path: str, types: Iterable[str]) -> PayloadField:
    kind, native = merged(_JSON_TYPES[name] for name in types if name in _JSON_TYPES)
    return PayloadField(path=path, type=kind, native_type="number" if native == "float" else native)
