"""The columns that a query gives: SELECT, set operations, VALUES and WITH."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from datahub.utilities.cooperative_timeout import cooperate
from sqlglot import exp

from datahub_llmops.lineage.sql import from_clause
from datahub_llmops.lineage.sql.expressions import value_of
from datahub_llmops.lineage.sql.pivots import pivot_statement
from datahub_llmops.lineage.sql.scopes import Walk, path
from datahub_llmops.lineage.sql.stars import is_star, star_row
from datahub_llmops.lineage.sql.structs import struct_of
from datahub_llmops.lineage.sql.uses import Use
from datahub_llmops.lineage.sql.values import (
    NOTHING,
    Field,
    Gap,
    Name,
    Named,
    Row,
    Scope,
    Unlisted,
    Value,
    by_name,
    by_position,
    gap,
    union,
)

# Dialects in which a query in WITH may refer to itself without the word RECURSIVE.
_RECURSIVE: Final = frozenset({"tsql", "fabric", "oracle", "snowflake", "sqlite", "db2"})
# Parts of a SELECT that choose, group and sort rows. Their values do not reach the output.
_CLAUSES: Final[Mapping[str, Use]] = {
    **dict.fromkeys(
        ("where", "prewhere", "having", "qualify", "connect", "limit", "offset", "start"), "filter"
    ),
    **dict.fromkeys(("group", "distinct"), "group by"),
    **dict.fromkeys(("order", "sort", "cluster", "distribute"), "sort"),
}
_ROUNDS: Final = 50
_UNKNOWN_LOOP: Final = Value(gaps=frozenset({Gap(why="syntax", name="RECURSIVE")}))


def row_of(walk: Walk, node: exp.Expr, scope: Scope) -> Row:
    """The columns that a query gives in ``scope``, which is that of the query around it."""
    cooperate()
    if isinstance(node, exp.Alias) and node.this.name.lower() == "table":  # TABLE docs
        node = exp.Table(this=node.args["alias"])
    level = _with(walk, node, scope)
    if isinstance(node, exp.Select):
        return _select(walk, node, level)
    if isinstance(node, exp.SetOperation):
        return _set_operation(walk, node, level)
    if isinstance(node, exp.Subquery | exp.Paren):
        return _nested(walk, node, level)
    if isinstance(node, exp.Values):
        return values_row(walk, node, level)
    if isinstance(node, exp.Pivot):
        return pivot_statement(walk, node, level)
    if isinstance(node, exp.Table):
        inner = Scope(outer=level)
        from_clause.add(walk, node, inner)
        return star_row(walk, exp.Star(), inner)
    missing = gap("syntax", node.key.upper())
    return Row(unlisted=Unlisted(value=missing, star=missing.gaps))


def values_row(walk: Walk, node: exp.Values, scope: Scope) -> Row:
    """The columns of VALUES: each is one of those at its position."""
    rows = [struct_of(walk, _members(one), scope) for one in node.expressions]
    first = rows[0]
    numbered = tuple(
        replace(one, key=walk.fold(f"column{i + 1}"), shown=f"column{i + 1}")
        for i, one in enumerate(first.fields)
    )
    return by_position([replace(first, fields=numbered), *rows[1:]])


def _members(node: exp.Expr) -> Sequence[exp.Expr]:
    if isinstance(node, exp.Tuple) and len(node.expressions) == 1:
        only = node.expressions[0]
        if isinstance(only, exp.Anonymous) and only.name.lower() == "row":  # MySQL's VALUES ROW(...)
            return list(only.expressions)
    return list(node.expressions) if isinstance(node, exp.Tuple) else [node]


def _with(walk: Walk, node: exp.Expr, scope: Scope) -> Scope:
    """Read the queries of WITH, in their order. Returns the scope in which they are known."""
    clause = node.args.get("with_")
    if not isinstance(clause, exp.With):
        return scope
    level = Scope(outer=scope)
    for one in clause.expressions:
        name, body = one.args["alias"], one.this
        if one.args.get("scalar"):
            continue  # An expression; the SELECT reads it.
        columns = [Name.of(part) for part in name.columns]
        itself = name.this.name
        recursive = clause.recursive or walk.language in _RECURSIVE
        if recursive and isinstance(body, exp.SetOperation) and _refers_to(body, itself):
            row = _recursive(walk, body, level, itself, columns)
        else:
            row = row_of(walk, body, level).named(columns)
        level.queries[itself] = _searched(walk, clause, row, level)
    return level


def _searched(walk: Walk, clause: exp.With, row: Row, scope: Scope) -> Row:
    """Add the column of SEARCH and those of CYCLE to a recursive query."""
    search = clause.args.get("search")
    added = search.args.get("expression") if isinstance(search, exp.Expr) else None
    if not isinstance(added, exp.Identifier):
        return row
    keys = [one.key for one in row.fields]
    by = [one.name for one in search.find_all(exp.Identifier) if one.name in keys] if search else []
    value = union(row.find_key(key) or NOTHING for key in by)
    return replace(
        row, fields=(*row.fields, Field(key=added.name, shown=Name.of(added).written, value=value))
    )


def _refers_to(body: exp.Expr, name: str) -> bool:
    return any(len(table.parts) == 1 and table.name == name for table in body.find_all(exp.Table))


def _recursive(walk: Walk, body: exp.SetOperation, level: Scope, itself: str, columns: Sequence[Name]) -> Row:
    """The columns of a query that refers to itself: what it gives again and again until nothing is new."""
    before: tuple[Value, ...] = ()
    row = Row(unlisted=Unlisted())
    for _ in range(_ROUNDS):
        level.queries[itself] = row
        row = row_of(walk, body, level).named(columns)
        values = tuple(one.value.without_parts() for one in row.fields)
        if values == before:
            return row
        before = values
    return replace(
        row, fields=tuple(replace(one, value=union((one.value, _UNKNOWN_LOOP))) for one in row.fields)
    )


def _set_operation(walk: Walk, node: exp.SetOperation, scope: Scope) -> Row:
    branches, operations = _branches(node)
    rows = [row_of(walk, branch, scope) for branch in branches]
    total = rows[0]
    pending = [total]
    for operation, row in zip(operations, rows[1:], strict=True):
        if operation.args.get("by_name"):
            total = _by_name(walk, operation, by_position(pending), row)
            pending = [total]
        elif not isinstance(operation, exp.Except):  # EXCEPT only takes rows away.
            pending.append(row)
        if isinstance(operation, exp.Except):
            walk.uses.add("filter", row.value())
    result = by_position(pending) if len(pending) > 1 else pending[0]
    _use_clauses(walk, node, result, Scope(outer=scope, rows=[Named(alias=None, row=result)]))
    return result


def _branches(node: exp.SetOperation) -> tuple[list[exp.Expr], list[exp.SetOperation]]:
    """The queries of a chain of set operations, and the operation behind each but the last one."""
    branches: list[exp.Expr] = []
    operations: list[exp.SetOperation] = []
    left: exp.Expr = node
    while isinstance(left, exp.SetOperation) and (left is node or left.args.get("with_") is None):
        branches.append(left.expression)
        operations.append(left)
        left = left.this
    branches.append(left)
    return branches[::-1], operations[::-1]


def _by_name(walk: Walk, operation: exp.SetOperation, left: Row, right: Row) -> Row:
    """Combine two rows BY NAME or CORRESPONDING.

    The result has the columns of both, or with INNER those that are in both, or with LEFT those of the first one.
    BigQuery's BY NAME wants the same columns in both.
    """
    side, kind = str(operation.args.get("side") or "").upper(), str(operation.args.get("kind") or "").upper()
    on = [name.key for one in operation.args.get("on") or () if (name := _only_name(one)) is not None]
    known = set(right.keys)
    if side == "LEFT":
        keys = list(left.keys)
    elif kind == "INNER" and right.whole and left.whole:
        keys = [key for key in left.keys if key in known]
    else:
        keys = list(dict.fromkeys((*left.keys, *right.keys)))
    return by_name((left, right) if not isinstance(operation, exp.Except) else (left,), on or keys)


def _only_name(node: exp.Expr) -> Name | None:
    names = path(node)
    return names[-1] if names else None


def _nested(walk: Walk, node: exp.Expr, scope: Scope) -> Row:
    if isinstance(node.this, exp.Table):  # joined tables in parentheses
        inner = Scope(outer=scope)
        from_clause.add(walk, node, inner)
        return star_row(walk, exp.Star(), inner)
    row = row_of(walk, node.this, scope)
    _use_clauses(walk, node, row, Scope(outer=scope, rows=[Named(alias=None, row=row)]))
    return row


def _select(walk: Walk, node: exp.Select, outer: Scope) -> Row:
    scope = Scope(outer=outer)
    origin = node.args.get("from_")
    if isinstance(origin, exp.From):
        from_clause.add(walk, origin.this, scope)
    for lateral in node.args.get("laterals") or ():
        from_clause.add(walk, lateral, scope)
    for join in node.args.get("joins") or ():
        from_clause.add_join(walk, join, scope)
    from_clause.match(walk, node, scope)
    scope.windows.update({one.name: one for one in node.args.get("windows") or ()})
    _read_scalars(walk, node, scope)
    fields: list[Field] = []
    unlisted: list[Unlisted] = []
    for projection in node.expressions:
        row = _projection(walk, projection, scope)
        fields += row.fields
        if row.unlisted is not None:
            unlisted.append(row.unlisted)
        scope.aliases.update({one.key: one.value for one in row.fields if one.key and _renames(projection)})
    row = Row(fields=tuple(fields), unlisted=_all(unlisted))
    _use_clauses(walk, node, row, scope)
    written_as = node.args.get("for_")
    if isinstance(written_as, exp.ForClause) and str(written_as.args.get("kind")).upper() in ("JSON", "XML"):
        return Row(fields=(Field(key=None, shown=None, value=row.value().without_parts()),))
    kind = str(node.args.get("kind") or "").upper()
    if kind == "STRUCT":
        return Row(fields=(Field(key=None, shown=None, value=row.value()),))
    return row


def _renames(projection: exp.Expr) -> bool:
    return isinstance(projection, exp.Alias | exp.Aliases | exp.Star)


def _all(parts: Sequence[Unlisted]) -> Unlisted | None:
    """The unlisted columns of an output. Two stars over tables without a schema give columns of either."""
    if len(parts) < 2:
        return parts[0] if parts else None
    star = frozenset[Gap]().union(*(one.star for one in parts))
    return Unlisted(value=Value(gaps=star), star=star)


def _read_scalars(walk: Walk, node: exp.Select, scope: Scope) -> None:
    """Read the expressions that ClickHouse has in WITH."""
    clause = node.args.get("with_")
    for one in clause.expressions if isinstance(clause, exp.With) else ():
        if one.args.get("scalar"):
            scope.aliases[one.args["alias"].this.name] = value_of(walk, one.this, scope)


def _projection(walk: Walk, node: exp.Expr, scope: Scope) -> Row:
    """The columns of one item of SELECT."""
    if is_star(node):
        return star_row(walk, node, scope)
    if isinstance(node, exp.Aliases):
        return _aliases(walk, node, scope)
    templates = [one for one in node.find_all(exp.Columns) if not one.args.get("unpack")]
    if templates:
        return _for_each(walk, node, templates[0], scope)
    if isinstance(node, exp.Inline) or (isinstance(node, exp.Explode) and _recursive_unnest(node)):
        value = value_of(walk, node.this, scope)
        if value.row is not None:
            return value.row
    name = output_name(walk, node)
    value = value_of(walk, node, scope)
    return Row(
        fields=(Field(key=name.key if name else None, shown=name.written if name else None, value=value),)
    )


def _recursive_unnest(node: exp.Explode) -> bool:
    return any(isinstance(one, exp.PropertyEQ) for one in node.expressions)


def _aliases(walk: Walk, node: exp.Aliases, scope: Scope) -> Row:
    names = [Name.of(one) for one in node.expressions]
    return from_clause.function_row(walk, node.this, names, None, scope)


def _for_each(walk: Walk, node: exp.Expr, columns: exp.Columns, scope: Scope) -> Row:
    """``max(COLUMNS(*))``: the expression once for each column."""
    chosen = star_row(walk, columns, scope)
    fields: list[Field] = []
    copy = node.copy()
    inside = [one for one in copy.find_all(exp.Columns) if not one.args.get("unpack")]
    stand_in = exp.Identifier(this="llmops_each", quoted=True)
    for one in inside:
        one.replace(stand_in.copy())
    for column in chosen.fields:
        inner = Scope(outer=scope, parameters={stand_in.name: column.value})
        fields.append(replace(column, value=value_of(walk, copy, inner)))
    return Row(fields=tuple(fields), unlisted=chosen.unlisted)


def output_name(walk: Walk, node: exp.Expr) -> Name | None:
    """The name of an output column, or ``None`` if the statement does not give it one."""
    alias = node.args.get("alias")
    if isinstance(alias, exp.TableAlias):  # a subquery
        alias = alias.this
    if isinstance(alias, exp.Identifier):
        return Name.of(alias)
    if isinstance(node, exp.Paren):
        return output_name(walk, node.this)
    if isinstance(node, exp.Cast) and walk.language in ("postgres", "redshift"):
        return output_name(walk, node.this)
    if isinstance(node, exp.Column) and isinstance(node.this, exp.Identifier):
        return Name.of(node.this)
    if isinstance(node, exp.Dot) and isinstance(node.expression, exp.Identifier):
        return Name.of(node.expression)
    return None


def _use_clauses(walk: Walk, node: exp.Expr, row: Row, scope: Scope) -> None:
    """Note what the clauses behind FROM do with columns. ``row`` is the output of the query."""
    for key, use in _CLAUSES.items():
        clause = node.args.get(key)
        if not isinstance(clause, exp.Expr):
            continue
        if key == "group" and clause.args.get("all"):
            walk.uses.add(use, union(_ungrouped(walk, node, scope)))
        for one in clause.iter_expressions():
            listed = use == "sort" or key == "group"
            value = _item(walk, one, row, scope) if listed else value_of(walk, one, scope)
            walk.uses.add(use, value)


def _item(walk: Walk, node: exp.Expr, row: Row, scope: Scope) -> Value:
    """The value of one item of GROUP BY or ORDER BY, which may be the number or the name of an output column."""
    inner = node.this if isinstance(node, exp.Ordered) else node
    if isinstance(inner, exp.Literal) and not inner.is_string and inner.name.isdecimal():
        position = int(inner.name) - 1
        if 0 <= position < len(row.fields) and row.unlisted is None:
            return row.fields[position].value
        return Value(gaps=row.unlisted.star) if row.unlisted is not None else NOTHING
    if isinstance(inner, exp.Var) and inner.name.upper() == "ALL":
        return row.value().without_parts()
    names = path(inner)
    if names is not None and len(names) == 1 and not isinstance(inner, exp.Identifier):
        named = row.find_key(names[0].key)
        if named is not None and isinstance(node, exp.Ordered):
            return named
    return value_of(walk, inner, scope)


def _ungrouped(walk: Walk, node: exp.Expr, scope: Scope) -> Sequence[Value]:
    """The output columns by which GROUP BY ALL groups: those without an aggregate."""
    return [
        _projection(walk, one, scope).value().without_parts()
        for one in node.args.get("expressions") or ()
        if not one.find(exp.AggFunc)
    ]
