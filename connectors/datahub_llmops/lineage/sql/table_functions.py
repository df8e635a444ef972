"""The rows that functions in FROM give: files, elements of arrays and JSON, models of BigQuery, and unknown ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from sqlglot import exp

from datahub_llmops.lineage.sql.bigquery_models import is_model, model_row, vector_search
from datahub_llmops.lineage.sql.built_in_functions import is_built_in
from datahub_llmops.lineage.sql.catalog_rows import file_addresses, file_row
from datahub_llmops.lineage.sql.expressions import QUERIES, values_of
from datahub_llmops.lineage.sql.scopes import Walk, method_receiver, path
from datahub_llmops.lineage.sql.values import (
    NOTHING,
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
    "ts_parse": ("tokid", "token"),
    "each": ("key", "value"),
    "ai_generate_chunks": ("chunk", "chunk_order", "chunk_offset", "chunk_length"),
    "table": ("column_value",),
    "posexplode": ("pos", "col"),
    "posexplode_outer": ("pos", "col"),
    "explode": ("col",),
    "explode_outer": ("col",),
}
# Functions that make columns of the keys of JSON.
_RECORDS: Final = ("to_record", "to_recordset", "populate_record", "populate_recordset")
_POSITIONS: Final = frozenset(
    {"seq", "index", "ordinal", "pos", "parent", "chunk_order", "chunk_offset", "tokid"}
)
# Functions that generate rows. They read no dataset, so lineage through them is complete.
_GENERATORS: Final = frozenset(
    {"generate_series", "generate_date_array", "generate_array", "range", "sequence", "generator", "numbers"}
    | {"generate_timestamp_array", "exploding_generate_series", "zeros"}
    | {"generate_subscripts", "array_generate_range"}
)


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


def function_row(walk: Walk, call: exp.Expr, names: Sequence[Name], alias: str | None, scope: Scope) -> Row:
    """The row that a function in FROM gives, under the names that the statement gives its columns."""
    function, schema = _called(call)
    if schema:
        receiver = method_receiver(walk, schema, _name(function), scope)
        if receiver is not None:
            value = union((receiver, *values_of(walk, function.iter_expressions(), scope)))
            given = names or _default_names(walk, _name(function), alias)
            return row_of(given, value, Unlisted(value=value, claims=False))
    name = _name(function)
    addresses = file_addresses(function)
    if addresses is not None:
        row = file_row(walk, addresses) if addresses else unread(walk, name, ())
        return row.named(names)
    if isinstance(function, exp.VectorSearch):
        return vector_search(walk, function, scope).named(names)
    if is_model(function):
        return model_row(walk, function, scope).named(names)
    if isinstance(function, exp.JSONTable | exp.OpenJSON | exp.XMLTable):
        value = _argument_value(walk, function, scope)
        declared = _declared_names(function)
        return row_of(names or declared or _default_names(walk, name, alias), value)
    if any(_is_relation(one) for one in function.iter_expressions()):
        return _opaque(walk, function, names, scope)
    if not isinstance(function, exp.Func):
        return _over_values(walk, function, names, alias, scope)
    if not is_built_in(walk.language, function, name, [one.written for one in schema]):
        written = function.name if isinstance(function, exp.Anonymous) else name
        return unread(walk, ".".join((*(one.written for one in schema), written)), names)
    if name == "stack":
        return _stack(walk, function, scope).named(names)
    if name in _GENERATORS:
        value = union(values_of(walk, function.iter_expressions(), scope))
        label = [Name(key=alias, written=alias)] if alias else []
        return row_of(names or label or [walk.name("value")], value, Unlisted(value=value, claims=False))
    return _over_values(walk, function, names, alias, scope)


def unread(walk: Walk, function: str, names: Sequence[Name]) -> Row:
    """The row of a function that may read what the statement does not show. Its columns are not known."""
    walk.unread.add(function)
    missing = gap("unknown_function", function)
    return row_of(names, missing, Unlisted(value=missing, star=missing.gaps))


def _called(call: exp.Expr) -> tuple[exp.Expr, list[Name]]:
    """The function that a call in FROM means, and the names before it."""
    if isinstance(call, exp.Window):  # Snowflake's TABLE(f(x) OVER (...))
        return _called(call.this)
    if isinstance(call, exp.Dot) and isinstance(call.expression, exp.Func):
        return call.expression, path(call.this) or []
    if isinstance(call, exp.Anonymous) and call.name.lower() in ("table", "the"):
        inner = call.expressions[0].unnest() if len(call.expressions) == 1 else None
        if isinstance(inner, exp.Dot | exp.Anonymous) and _called(inner)[0] is not inner:
            return _called(inner)
        if isinstance(inner, exp.Anonymous) and inner.name.lower() != "multiset":
            return _called(inner)
        if isinstance(inner, exp.GenerateSeries):
            return inner, []
    parent = call.parent
    parts = parent.parts[:-1] if isinstance(parent, exp.Table) else ()
    return call, [Name.of(part) for part in parts if isinstance(part, exp.Identifier)]


def _over_values(
    walk: Walk, function: exp.Expr, names: Sequence[Name], alias: str | None, scope: Scope
) -> Row:
    """A function over values of other columns: each column may come from each argument."""
    name = _name(function)
    values = values_of(walk, _arguments(function, name), scope)
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


def _arguments(function: exp.Expr, name: str) -> list[exp.Expr]:
    """The arguments that are values. SQL Server's ``AI_GENERATE_CHUNKS(SOURCE = x, CHUNK_TYPE = FIXED)`` has one."""
    arguments = list(function.iter_expressions())
    if name == "ai_generate_chunks":
        return [one.expression for one in arguments if one.this.name.lower() == "source"]
    return arguments


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
    label = alias or walk.fold(function)
    if walk.language == "postgres":
        if function == "json_each":
            known = _OUTPUT["jsonb_each"]
        elif function.endswith(("array_elements", "array_elements_text")):
            return [walk.name("value")]
        elif known is None:
            return [Name(key=label, written=label)]
    names = [walk.name(one) for one in known or ("value",)]
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


def _name(function: exp.Expr) -> str:
    if isinstance(function, exp.Anonymous):
        return function.name.lower()
    return function.sql_name().lower() if isinstance(function, exp.Func) else function.key
