"""The rows of tables and files as the catalog knows them."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from sqlglot import exp

from datahub_llmops.lineage.sql.scopes import Walk
from datahub_llmops.lineage.sql.tables import Source
from datahub_llmops.lineage.sql.values import Column, Field, Gap, Row, Unlisted, Value, gap

_FILE_READERS: Final = frozenset(
    {
        "delta_scan",
        "iceberg_scan",
        "parquet_scan",
        "read_blob",
        "read_csv_auto",
        "read_json",
        "read_json_auto",
        "read_json_objects",
        "read_ndjson",
        "read_ndjson_auto",
        "read_ndjson_objects",
        "read_text",
    }
)


def source_row(source: Source, name: str) -> Row:
    """The row of a table as the catalog knows it."""
    if source.row is not None:
        return source.row
    if source.columns is not None:
        return Row(fields=tuple(_catalog_fields(source)))
    if source.unknown:
        missing = gap("unknown_table", name)
        return Row(unlisted=Unlisted(value=missing, star=missing.gaps))
    star = frozenset({Gap(why="star", name=name)})
    return Row(unlisted=Unlisted(datasets=source.datasets, star=star))


def _catalog_fields(source: Source) -> list[Field]:
    """The columns of a table. Fields that the catalog lists below a column are its parts."""
    below: dict[str, dict[str, tuple[Column, ...]]] = {}
    columns = source.columns or {}
    for key, same in columns.items():
        head, dot, rest = key.partition(".")
        if dot and head in columns:
            below.setdefault(head, {})[rest] = same
    fields: list[Field] = []
    for key, same in columns.items():
        if "." in key and key.partition(".")[0] in columns:
            continue
        for column in same:
            fields.append(
                Field(key=key, shown=column.column, value=_catalog_value(column, below.get(key, {})))
            )
    return fields


def _catalog_value(column: Column, below: dict[str, tuple[Column, ...]]) -> Value:
    value = Value(sources=frozenset({column}))
    if not below:
        return value
    fields = [
        Field(
            key=key,
            shown=same[0].column.rpartition(".")[2],
            value=_catalog_value(
                same[0],
                {rest.partition(".")[2]: one for rest, one in below.items() if rest.startswith(f"{key}.")},
            ),
        )
        for key, same in below.items()
        if "." not in key
    ]
    # A field of a struct that the catalog does not list belongs to the struct.
    return replace(value, row=Row(fields=tuple(fields), unlisted=Unlisted(value=value, claims=False)))


def file_row(walk: Walk, addresses: tuple[str, ...]) -> Row:
    """The row of the files at these addresses."""
    source = walk.files(addresses)
    walk.inputs.update(source.datasets)
    return source_row(source, "file")


def file_addresses(function: exp.Expr) -> tuple[str, ...] | None:
    """Addresses of the files that a function reads: empty if they are an expression, ``None`` for other functions."""
    if isinstance(function, exp.ReadCSV):
        given = function.this
    elif isinstance(function, exp.ReadParquet) or (
        isinstance(function, exp.Anonymous) and function.name.lower() in _FILE_READERS
    ):
        given = function.expressions[0] if function.expressions else None
    else:
        return None
    values = given.expressions if isinstance(given, exp.Array) else [given]
    if not all(isinstance(value, exp.Literal) and value.is_string for value in values):
        return ()
    return tuple(str(value.this) for value in values)
