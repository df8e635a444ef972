"""What a statement that changes a table writes where: its target, its sources, and the values of columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlglot import exp

from datahub_llmops.errors import StatementError


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """The table that a statement changes, the other rows that it reads, and the conditions that join them."""

    target: exp.Table | None
    rows: tuple[exp.Expr, ...]
    on: tuple[exp.Expr, ...] = ()


def table_of(node: exp.Expr | None) -> exp.Table | None:
    """The table of a target, with or without a list of columns."""
    if isinstance(node, exp.Schema):
        node = node.this
    return node if isinstance(node, exp.Table) else None


def bare(table: exp.Table) -> exp.Table:
    """A copy of a table without what is joined to it."""
    return exp.Table(**{key: table.args.get(key) for key in ("this", "db", "catalog", "alias")}).copy()


def column_list(node: exp.Expr | None) -> tuple[str, ...] | None:
    """The names of the columns behind a target, or ``None`` if there are none."""
    if not isinstance(node, exp.Schema) or not node.expressions:
        return None
    return tuple(
        column.name for column in node.expressions if isinstance(column, exp.Identifier | exp.ColumnDef)
    )


def update_of(tree: exp.Update | exp.Delete) -> Update:
    """The target of an UPDATE or DELETE, and the other rows that it reads.

    A target may be the alias of a table in FROM (T-SQL, MySQL's DELETE).
    """
    named = tree.args["tables"][0] if tree.args.get("tables") else tree.this
    origin = tree.args.get("from_")
    rows = [
        *_joined(tree.this),
        *([origin.this, *_joined(origin.this)] if origin is not None else ()),
        *(one for using in tree.args.get("using") or () for one in (using, *_joined(using))),
    ]
    if named is not tree.this:
        rows.insert(0, tree.this)
    joined = [tree.this, *([origin.this] if origin is not None else ()), *(tree.args.get("using") or ())]
    on = tuple(
        condition
        for row in joined
        for join in row.args.get("joins") or ()
        if isinstance(condition := join.args.get("on"), exp.Expr)
    )
    target = table_of(named)
    alias = next((row for row in rows if target is not None and _is_meant(row, target)), None)
    if isinstance(alias, exp.Table):
        return Update(target=alias, rows=tuple(row for row in rows if row is not alias), on=on)
    return Update(target=target, rows=tuple(rows), on=on)


def named_values(pairs: Sequence[exp.Expr]) -> list[exp.Expr]:
    """Write ``a = x`` as ``x AS a``, and ``(a, b) = (x, y)`` as one such value for each column."""
    return [value for pair in pairs if isinstance(pair, exp.EQ) for value in _named_values(pair)]


def _joined(node: exp.Expr) -> list[exp.Expr]:
    return [join.this for join in (node.args.get("joins") or ())]


def _is_meant(row: exp.Expr, target: exp.Table) -> bool:
    """Return whether the name of a target means a table in FROM."""
    if not isinstance(row, exp.Table):
        return False
    if len(target.parts) == 1 and not target.args.get("alias"):
        return row.alias_or_name.lower() == target.name.lower()
    return not row.alias and [one.name.lower() for one in row.parts] == [
        one.name.lower() for one in target.parts
    ]


def _named_values(pair: exp.EQ) -> list[exp.Expr]:
    column, value = pair.this, pair.expression
    if not isinstance(column, exp.Tuple):
        return [exp.alias_(value.copy(), column.name)]
    inner = value.unnest() if isinstance(value, exp.Subquery) else value
    values = inner.selects if isinstance(inner, exp.Query) else inner.expressions
    if len(values) != len(column.expressions):
        raise StatementError("The statement sets another number of columns than of values.")
    return [exp.alias_(_only(value, i), part.name) for i, part in enumerate(column.expressions)]


def _only(value: exp.Expr, index: int) -> exp.Expr:
    """Return the part of a row value that goes to the column at ``index``."""
    part = value.copy()
    inner = part.unnest() if isinstance(part, exp.Subquery) else part
    if not isinstance(inner, exp.Select):
        expression: exp.Expr = inner.expressions[index]
        return expression
    inner.set("expressions", [inner.selects[index]])
    return part
