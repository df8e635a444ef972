"""The rows that functions in FROM give: files, elements of arrays and JSON, models of BigQuery, and unknown ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from sqlglot import exp

from datahub_llmops.lineage.sql.expressions import QUERIES, values_of
from datahub_llmops.lineage.sql.scopes import Walk
from datahub_llmops.lineage.sql.tables import Source
from datahub_llmops.lineage.sql.values import (
    NOTHING,
    Column,
    Field,
    Gap,
    Name,
    Row,
    Scope,
    Unlisted,
    Value,
    by_position,
    gap,
    row_of,
    union,
)

# Columns that an embedding function of BigQuery adds to those of its input.
# https://cloud.google.com/bigquery/docs/reference/standard-sql/bigqueryml-syntax-generate-embedding
_EMBEDDING_OUTPUT: Final = {
    "ML": (
        "ml_generate_embedding_result",
        "ml_generate_embedding_statistics",
        "ml_generate_embedding_status",
    ),
    "AI": ("embedding", "statistics", "status"),
}
_TEXT_EMBEDDING_OUTPUT: Final = ("text_embedding", "statistics", "status")
# The column of its input from which a function of BigQuery computes what it adds.
_INPUT: Final[dict[type[exp.Expr], str]] = {
    exp.GenerateEmbedding: "content",
    exp.GenerateText: "prompt",
    exp.GenerateTable: "prompt",
}
_MODELS: Final = (
    exp.GenerateEmbedding,
    exp.GenerateText,
    exp.GenerateTable,
    exp.MLTranslate,
    exp.MLForecast,
    exp.Predict,
)
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
# Columns that functions over one value return, if the statement does not name them. An empty source marks those that
# count or describe, as a position does.
_JSON_EACH: Final = ("key", "value", "type", "atom", "id", "parent", "fullkey", "path")
_FLATTEN: Final = ("seq", "key", "path", "index", "value", "this")
_OUTPUT: Final = {
    "json_each": _JSON_EACH,
    "json_tree": _JSON_EACH,
    "jsonb_each": ("key", "value"),
    "json_each_text": ("key", "value"),
    "jsonb_each_text": ("key", "value"),
    "openjson": ("key", "value", "type"),
    "string_split": ("value", "ordinal"),
    "split_to_table": ("seq", "index", "value"),
    "strtok_split_to_table": ("seq", "index", "value"),
    "table": ("column_value",),
    "posexplode": ("pos", "col"),
    "posexplode_outer": ("pos", "col"),
    "explode": ("col",),
    "explode_outer": ("col",),
}
# Functions that make columns of the keys of JSON.
_RECORDS: Final = ("to_record", "to_recordset", "populate_record", "populate_recordset")
_POSITIONS: Final = frozenset({"seq", "index", "ordinal", "pos", "parent"})
# Functions that generate rows. They read no dataset, so lineage through them is complete.
_GENERATORS: Final = frozenset(
    {"generate_series", "generate_date_array", "generate_array", "range", "sequence", "generator", "numbers"}
    | {"generate_timestamp_array", "exploding_generate_series", "zeros"}
    | {"generate_subscripts", "array_generate_range"}
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


def spread(walk: Walk, value: Value, names: Sequence[Name], label: str | None) -> Row:
    """The row of the elements of an array. Structs become columns where the dialect makes them so."""
    whole = value.without_parts()
    rest = Unlisted(value=whole, claims=False)
    row = value.row
    spreads = walk.language not in ("duckdb", "databricks", "spark", "hive", "snowflake", "clickhouse")
    if row is not None and spreads and len(names) != 1:
        return replace(row, unlisted=row.unlisted or None).named(names)
    name = names[0] if names else Name(key=label, written=label) if label else None
    if row is not None and spreads and name is not None and walk.language != "trino":
        # The alias is the element, and its fields are columns beside it.
        return replace(row, unlisted=None) if row.find(name) is None else row
    field = Field(key=name.key if name else None, shown=name.written if name else None, value=value)
    more = tuple(Field(key=one.key, shown=one.written, value=whole) for one in names[1:])
    if row is not None and row.unlisted is None:
        # Fields of the element by the alias of the row.
        return Row(fields=(field, *more), unlisted=Unlisted(value=whole, claims=False))
    return Row(fields=(field, *more), unlisted=rest)


def function_row(
    walk: Walk, function: exp.Expr, names: Sequence[Name], alias: str | None, scope: Scope
) -> Row:
    """The row that a function in FROM gives, under the names that the statement gives its columns."""
    addresses = _file_addresses(function)
    if addresses is not None:
        return _file_row(walk, addresses).named(names)
    if isinstance(function, exp.VectorSearch):
        return _vector_search(walk, function, scope).named(names)
    if isinstance(function, _MODELS) and isinstance(
        function.args.get("expression"), exp.Table | exp.Subquery
    ):
        return _model_row(walk, function, scope).named(names)
    name = _name(function)
    if name == "stack":
        return _stack(walk, function, scope).named(names)
    arguments = list(function.iter_expressions())
    declared = _declared_names(function)
    if isinstance(function, exp.JSONTable | exp.OpenJSON | exp.XMLTable):
        value = _argument_value(walk, function, scope)
        return row_of(names or declared or _default_names(walk, name, alias), value)
    value = union(values_of(walk, (one for one in arguments if not _is_relation(one)), scope))
    if name in _GENERATORS:
        label = [Name(key=alias, written=alias)] if alias else []
        return row_of(names or label or [walk.name("value")], value, Unlisted(value=value, claims=False))
    if any(_is_relation(one) for one in arguments):
        return _opaque(walk, function, names, scope)
    if not value.sources and not _is_given_values(function, scope):
        walk.unread.add(name)
        missing = gap("unknown_table", name)
        return row_of(names, missing, Unlisted(value=missing, star=missing.gaps))
    return _over_values(walk, function, names, alias, scope)


def _is_given_values(function: exp.Expr, scope: Scope) -> bool:
    """Whether an argument may be a value of the statement. Without rows, a name is that of a server or table."""
    if function.find(exp.Parameter):
        return True
    return function.find(exp.Column) is not None and any(level.rows for level in scope)


def _over_values(
    walk: Walk, function: exp.Expr, names: Sequence[Name], alias: str | None, scope: Scope
) -> Row:
    """A function over values of other columns: each column may come from each argument."""
    name = _name(function)
    arguments = list(function.iter_expressions())
    values = values_of(walk, arguments, scope)
    value = values[0].joined(union(values[1:])) if values else NOTHING
    explodes = isinstance(function, exp.Explode | exp.Inline) or name in ("inline", "explode", "posexplode")
    if value.row is not None and (name in ("inline", "inline_outer") or isinstance(function, exp.Inline)):
        return value.row.named(names)
    whole = value if explodes and not isinstance(function, exp.Posexplode) else value.without_parts()
    given = list(names)
    if _is_flatten(walk, function):
        default = [walk.name(one) for one in _FLATTEN]
        return Row(fields=tuple(_flattened(one, value) for one in (given or default)))
    if name.endswith(_RECORDS) and value.row is not None and value.row.unlisted is None:
        return (
            Row(fields=tuple(Field(key=one.key, shown=one.written, value=value.part(one)) for one in given))
            if given
            else value.row
        )
    if explodes and len(given) == 2 and value.row is not None and len(value.row.fields) == 2:
        return value.row.named(given)
    if not given:
        given = _default_names(walk, name, alias)
    fields = tuple(
        Field(
            key=one.key,
            shown=one.written,
            value=NOTHING if _is_position(walk, function, one, i, len(given)) else whole,
        )
        for i, one in enumerate(given)
    )
    listed = bool(names) or name in _OUTPUT or explodes
    star = frozenset[Gap]() if listed or len(given) == 1 else frozenset({Gap(why="star", name=name)})
    return Row(fields=fields, unlisted=Unlisted(value=value.without_parts(), claims=False, star=star))


def _is_flatten(walk: Walk, function: exp.Expr) -> bool:
    return walk.language == "snowflake" and isinstance(function, exp.Explode)


def _flattened(name: Name, value: Value) -> Field:
    counts = name.key.lower() in _POSITIONS
    part = NOTHING if counts else value if name.key.lower() == "value" else value.without_parts()
    return Field(key=name.key, shown=name.written, value=part)


def _is_position(walk: Walk, function: exp.Expr, name: Name, position: int, total: int) -> bool:
    if isinstance(function, exp.Posexplode) or _name(function).startswith("posexplode"):
        return position == 0 and total > 1
    return name.key.lower() in _POSITIONS and _name(function) in _OUTPUT


def _default_names(walk: Walk, function: str, alias: str | None) -> list[Name]:
    known = _OUTPUT.get(function)
    names = [walk.name(one) for one in known or ("value",)]
    label = alias or walk.fold(function)
    return [*names, Name(key=label, written=label)] if known is None or len(known) == 1 else names


def _declared_names(function: exp.Expr) -> list[Name]:
    kinds = (exp.JSONColumnDef, exp.OpenJSONColumnDef, exp.ColumnDef)
    return [Name.of(one.this) for one in function.find_all(*kinds) if isinstance(one.this, exp.Identifier)]


def _argument_value(walk: Walk, function: exp.Expr, scope: Scope) -> Value:
    passing = function.args.get("passing")
    given = [function.this, *(passing if isinstance(passing, list) else [passing])]
    return union(values_of(walk, (one for one in given if isinstance(one, exp.Expr)), scope))


def _stack(walk: Walk, function: exp.Expr, scope: Scope) -> Row:
    """Spark's ``stack(n, a1, b1, a2, b2)``: n rows of the values, in their order."""
    count, *values = function.expressions
    rows = int(count.name) if isinstance(count, exp.Literal) and count.name.isdigit() else 1
    width = max(1, -(-len(values) // max(1, rows)))
    given = values_of(walk, values, scope)
    groups = [given[start : start + width] for start in range(0, len(given), width)]
    return by_position(
        [
            Row(
                fields=tuple(
                    Field(key=walk.fold(f"col{i}"), shown=f"col{i}", value=value)
                    for i, value in enumerate(group)
                )
            )
            for group in groups
        ]
        or [Row()]
    )


def _is_relation(node: exp.Expr) -> bool:
    return isinstance(node, (*QUERIES, exp.Table)) or (
        isinstance(node, exp.Kwarg | exp.PropertyEQ) and _is_relation(node.expression)
    )


def _relation(walk: Walk, node: exp.Expr, scope: Scope) -> Row:
    """The row of a table or query that is an argument of a function."""
    inner = node.expression if isinstance(node, exp.Kwarg | exp.PropertyEQ) else node
    return walk.evaluate(walk, inner, scope)


def _opaque(walk: Walk, function: exp.Expr, names: Sequence[Name], scope: Scope) -> Row:
    """A function over tables or queries. It reads them, but which of their columns it gives is not known."""
    for one in function.iter_expressions():
        if _is_relation(one):
            _relation(walk, one, scope)
    return _hidden(names, _name(function))


def _hidden(names: Sequence[Name], function: str) -> Row:
    missing = gap("function", function)
    return row_of(names, missing, Unlisted(value=missing, star=missing.gaps))


def _file_row(walk: Walk, addresses: tuple[str, ...]) -> Row:
    source = walk.files(addresses)
    walk.inputs.update(source.datasets)
    if not addresses:
        walk.unread.add("files")
    return source_row(source, "file")


def _file_addresses(function: exp.Expr) -> tuple[str, ...] | None:
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


def _model_row(walk: Walk, function: exp.Expr, scope: Scope) -> Row:
    """``f(MODEL m, input)``: the columns of the input, and those that the model adds. The model is no table."""
    walk.seen.update(id(table) for table in function.this.find_all(exp.Table))
    row = walk.evaluate(walk, function.args["expression"], scope)
    wanted = next((column for kind, column in _INPUT.items() if isinstance(function, kind)), None)
    text = row.find(walk.name(wanted)) if wanted is not None else None
    if text is None and wanted is not None and row.unlisted is not None:
        text = row.unlisted.find(walk.name(wanted))
    computed = text if text is not None else row.value().without_parts()
    names: Sequence[str] = ()
    if isinstance(function, exp.GenerateEmbedding):
        parent = function.parent
        prefix = parent.text("db").upper() if isinstance(parent, exp.Table) else ""
        names = _EMBEDDING_OUTPUT.get(prefix, _EMBEDDING_OUTPUT["ML"])
        names = _TEXT_EMBEDDING_OUTPUT if function.args.get("is_text") else names
    added = tuple(
        Field(key=one.key, shown=one.written, value=computed) for one in (walk.name(text) for text in names)
    )
    unlisted = row.unlisted or (None if names else Unlisted(value=computed, claims=True))
    return Row(fields=(*row.fields, *added), unlisted=unlisted)


def _vector_search(walk: Walk, function: exp.VectorSearch, scope: Scope) -> Row:
    """BigQuery's VECTOR_SEARCH: a row of the query, a row of the base table, and their distance.

    https://cloud.google.com/bigquery/docs/reference/standard-sql/search_functions#vector_search
    """
    base = walk.evaluate(walk, function.this, scope).value()
    given = function.args.get("query_table")
    query = walk.evaluate(walk, given, scope).value() if isinstance(given, exp.Expr) else NOTHING
    column = function.args.get("column_to_search")
    searched = base.part(walk.name(column.name)) if isinstance(column, exp.Literal) else base
    values = {"query": query, "base": base, "distance": union((searched, query)).without_parts()}
    return Row(
        fields=tuple(Field(key=walk.fold(name), shown=name, value=value) for name, value in values.items())
    )


def _name(function: exp.Expr) -> str:
    if isinstance(function, exp.Anonymous):
        return function.name.lower()
    return function.sql_name().lower() if isinstance(function, exp.Func) else function.key
