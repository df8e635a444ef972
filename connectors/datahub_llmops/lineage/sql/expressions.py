"""The values of expressions: which columns each one is computed from, and which parts it has."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeAlias

from datahub.utilities.cooperative_timeout import cooperate
from sqlglot import exp

from datahub_llmops.lineage.sql.calls import (
    CARRIER_NODES,
    apply,
    carrier,
    comprehension,
    function,
    lambda_value,
    transform,
)
from datahub_llmops.lineage.sql.scopes import Walk, find_row, method_receiver, path, resolve
from datahub_llmops.lineage.sql.stars import star_row
from datahub_llmops.lineage.sql.structs import (
    array,
    bracket,
    cast,
    extract,
    json_object,
    map_of,
    part_at,
    struct,
)
from datahub_llmops.lineage.sql.values import (
    NOTHING,
    Name,
    Row,
    Scope,
    Value,
    either,
    gap,
    union,
)

QUERIES: Final = (exp.Select, exp.SetOperation, exp.Subquery, exp.Values)
"""Nodes that are queries."""


def value_of(walk: Walk, node: exp.Expr, scope: Scope) -> Value:
    """The value of an expression.

    An expression has the columns of all its operands. Only what is listed here has fewer, or has parts.
    """
    cooperate()
    handler = _HANDLERS.get(type(node))
    if handler is not None:
        return handler(walk, node, scope)
    found: list[Value] = []
    pending: list[exp.Expr] = [node]
    while pending:
        one = pending.pop()
        children = list(one.iter_expressions())
        if any(isinstance(child, exp.Lambda) for child in children):
            found.append(apply(walk, children, scope))
            continue
        for child in children:
            handler = _HANDLERS.get(type(child))
            if handler is not None:
                found.append(handler(walk, child, scope))
            else:
                pending.append(child)
    return union(found)


def values_of(walk: Walk, nodes: Iterable[exp.Expr], scope: Scope) -> list[Value]:
    """The values of several expressions."""
    return [value_of(walk, node, scope) for node in nodes]


def _column(walk: Walk, node: exp.Column, scope: Scope) -> Value:
    if isinstance(node.this, exp.Star):
        return star_value(walk, node, scope)
    names = path(node)
    if names is not None:
        return resolve(walk, names, scope)
    if isinstance(node.this, exp.Parameter):  # Snowflake's t.$1
        named = find_row([Name.of(part) for part in node.parts[:-1]], scope)
        return _numbered(named.row, node.this) if named is not None else NOTHING
    if isinstance(node.this, exp.Literal):  # ClickHouse's t.1
        return part_at(resolve(walk, [Name.of(part) for part in node.parts[:-1]], scope), node.this, 1)
    return gap("syntax", node.key)


def _parameter(walk: Walk, node: exp.Expr, scope: Scope) -> Value:
    """The value of ``$1``, which in Snowflake is a column of the only table."""
    if walk.language == "snowflake" and len(scope.rows) == 1 and node.name.isdigit():
        return _numbered(scope.rows[0].row, node)
    return walk.variable(f"@{node.name}") or walk.variable(node.name) or NOTHING


def _placeholder(walk: Walk, node: exp.Placeholder, scope: Scope) -> Value:
    return walk.variable(node.name) or NOTHING


def _numbered(row: Row, node: exp.Expr) -> Value:
    position = int(node.name) - 1 if node.name.isdigit() else -1
    if 0 <= position < len(row.fields):
        return row.fields[position].value
    return Value(gaps=row.unlisted.star) if row.unlisted is not None else NOTHING


def _identifier(walk: Walk, node: exp.Expr, scope: Scope) -> Value:
    """A parameter of a lambda. Other bare identifiers are keys, types and options."""
    name = Name.of(node)
    for level in scope:
        if name.key in level.parameters:
            return level.parameters[name.key]
    if _before_a_method(node):
        value = resolve(walk, [name], scope)
        return value if value.sources or node.arg_key == "expressions" else NOTHING
    return NOTHING


def _before_a_method(node: exp.Expr) -> bool:
    """Whether a column stands before a method, as in ``upper(title).lower()``, where sqlglot makes a name of it."""
    child, parent = node, node.parent
    while isinstance(parent, exp.Expr) and not isinstance(parent, QUERIES):
        if isinstance(parent, exp.Dot) and isinstance(parent.expression, exp.Func) and parent.this is child:
            return True
        child, parent = parent, parent.parent
    return False


def _dot(walk: Walk, node: exp.Expr, scope: Scope) -> Value:
    member = node.expression
    if isinstance(member, exp.Star):
        return value_of(walk, node.this, scope)
    names = path(node)
    if names is not None:
        return resolve(walk, names, scope)
    if isinstance(member, exp.Func) and isinstance(node.this, exp.Identifier | exp.Dot):
        return union((_receiver(walk, node.this, member, scope), value_of(walk, member, scope)))
    base = value_of(walk, node.this, scope)
    if isinstance(member, exp.Identifier):
        return base.part(Name.of(member))
    if isinstance(member, exp.Literal):
        return part_at(base, member, 1)
    return union((base, value_of(walk, member, scope)))


def _receiver(walk: Walk, node: exp.Expr, method: exp.Func, scope: Scope) -> Value:
    """What stands before a function: a value, as in DuckDB's ``d.title.upper()``, or the schema of the function."""
    names = path(node)
    if names is None:
        return value_of(walk, node, scope)
    return method_receiver(walk, names, method.name.lower(), scope) or NOTHING


def star_value(walk: Walk, node: exp.Expr, scope: Scope) -> Value:
    """The value of a whole row inside an expression, as in ``to_json(struct(*))`` or ``d.*::text``."""
    return star_row(walk, node, scope).value()


def _columns(walk: Walk, node: exp.Expr, scope: Scope) -> Value:
    return star_value(walk, node, scope)


def _first(walk: Walk, node: exp.Expr, scope: Scope) -> Value:
    return value_of(walk, node.this, scope)


def _query(walk: Walk, node: exp.Expr, scope: Scope) -> Value:
    """The value of a scalar subquery, or of the rows of an ARRAY subquery."""
    row = walk.evaluate(walk, node, scope)
    if len(row.fields) == 1 and row.whole:
        return row.fields[0].value
    return row.value()


def _exists(walk: Walk, node: exp.Expr, scope: Scope) -> Value:
    if isinstance(node.this, QUERIES):
        walk.evaluate(walk, node.this, scope)  # It reads tables, but no value of them.
        return NOTHING
    return union(values_of(walk, node.iter_expressions(), scope))


def _count(walk: Walk, node: exp.Expr, scope: Scope) -> Value:
    counted = node.this
    if isinstance(counted, exp.Star) or (
        isinstance(counted, exp.Column) and isinstance(counted.this, exp.Star)
    ):
        return NOTHING
    names = path(counted) if isinstance(counted, exp.Column) else None
    if names is not None and len(names) == 1:
        named = find_row(names, scope)
        if named is not None and named.row.find(names[0]) is None:
            return NOTHING
    return union(values_of(walk, node.iter_expressions(), scope))


def _kwarg(walk: Walk, node: exp.Expr, scope: Scope) -> Value:
    return value_of(walk, node.expression, scope)


def _window(walk: Walk, node: exp.Expr, scope: Scope) -> Value:
    """A window function: its arguments, and what it partitions and orders by."""
    value = value_of(walk, node.this, scope) if isinstance(node.this, exp.Expr) else NOTHING
    over = union(_window_values(walk, node, scope))
    walk.uses.add("window", over)
    return value.joined(over)


def _window_values(walk: Walk, node: exp.Expr, scope: Scope) -> list[Value]:
    found = values_of(walk, node.args.get("partition_by") or (), scope)
    order, based_on = node.args.get("order"), node.args.get("alias")
    if isinstance(order, exp.Expr):
        found.append(value_of(walk, order, scope))
    if isinstance(based_on, exp.Identifier):
        window = scope.windows.get(based_on.name)
        if window is not None and window is not node:
            found += _window_values(walk, window, scope)
    return found


def _order(walk: Walk, node: exp.Expr, scope: Scope) -> Value:
    """``array_agg(x ORDER BY y)``: the parts of x, each ordered by y."""
    rest = union(values_of(walk, node.expressions, scope))
    return value_of(walk, node.this, scope).joined(rest) if isinstance(node.this, exp.Expr) else rest


def _choice(walk: Walk, node: exp.Expr, scope: Scope) -> Value:
    return either(values_of(walk, node.iter_expressions(), scope))


def _nothing(walk: Walk, node: exp.Expr, scope: Scope) -> Value:
    return NOTHING


def _unsupported(walk: Walk, node: exp.Expr, scope: Scope) -> Value:
    return gap("syntax", node.key)


_Handler: TypeAlias = Callable[[Walk, Any, Scope], Value]

_HANDLERS: Final[Mapping[type[exp.Expr], _Handler]] = {
    exp.Alias: _first,
    exp.Anonymous: function,
    exp.AnonymousAggFunc: function,
    exp.Array: array,
    exp.Bracket: bracket,
    exp.Cast: cast,
    exp.Coalesce: _choice,
    exp.Column: _column,
    exp.Columns: _columns,
    exp.Command: _unsupported,
    exp.Comprehension: comprehension,
    exp.Count: _count,
    exp.DataType: _nothing,
    exp.Distinct: _choice,
    exp.Dot: _dot,
    exp.Except: _query,
    exp.Exists: _exists,
    exp.Filter: carrier,
    exp.GetExtract: extract,
    exp.Identifier: _identifier,
    exp.IgnoreNulls: _first,
    exp.Intersect: _query,
    exp.JSONExtract: extract,
    exp.JSONExtractScalar: extract,
    exp.JSONBExtract: extract,
    exp.JSONBExtractScalar: extract,
    exp.JSONObject: json_object,
    exp.Kwarg: _kwarg,
    exp.Lambda: lambda_value,
    exp.HavingMax: carrier,
    exp.Limit: _first,
    exp.Literal: _nothing,
    exp.Map: map_of,
    exp.Order: _order,
    exp.Parameter: _parameter,
    exp.Paren: _first,
    exp.Placeholder: _placeholder,
    exp.RespectNulls: _first,
    exp.Select: _query,
    exp.Star: star_value,
    exp.StarMap: _first,
    exp.Struct: struct,
    exp.StructExtract: extract,
    exp.Subquery: _query,
    exp.Transform: transform,
    exp.TryCast: cast,
    exp.Tuple: struct,
    exp.Union: _query,
    exp.VarMap: map_of,
    exp.Window: _window,
    exp.WithinGroup: carrier,
    **dict.fromkeys(CARRIER_NODES, carrier),
}
