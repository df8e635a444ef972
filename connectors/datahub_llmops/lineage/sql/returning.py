"""RETURNING and OUTPUT: the rows that a statement gives when it changes a table, as a query.

A column of the target has the value that the statement sets, or else the one that it had.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from sqlglot import exp

from datahub_llmops.lineage.sql.changes import bare, column_list, named_values, table_of, update_of

_OLD: Final = frozenset({"deleted", "old"})
_NEW: Final = frozenset({"inserted", "new"})
_ACTIONS: Final = frozenset({"$action", "merge_action"})
_NAMED_ROWS: Final = "llmops_inserted"

Values = Mapping[str, Sequence[exp.Expr]]
"""The values that a statement sets, by the folded names of the columns."""


def returned(tree: exp.Expr) -> exp.Select | None:
    """The query that gives what a statement returns, or ``None`` if it returns nothing."""
    clause = tree.args.get("returning")
    for kind, build in _BUILDERS.items():
        if isinstance(clause, exp.Returning) and isinstance(tree, kind):
            query = build(tree, [one.copy() for one in clause.expressions])
            if tree.args.get("with_") is not None:
                query.set("with_", tree.args["with_"].copy())
            return query
    return None


def target_of_output(tree: exp.Expr) -> tuple[exp.Table | None, tuple[str, ...] | None]:
    """The table behind OUTPUT ... INTO, with its columns. Variables of a program are not tables."""
    clause = tree.args.get("returning")
    into = clause.args.get("into") if isinstance(clause, exp.Returning) else None
    if isinstance(into, exp.Anonymous):
        names = tuple(one.name for one in into.expressions)
        return exp.Table(this=exp.to_identifier(into.name)), names
    if isinstance(into, exp.Parameter):
        return exp.Table(this=into.copy()), None
    return (table_of(into), column_list(into)) if isinstance(into, exp.Expr) else (None, None)


def _of_change(tree: exp.Update | exp.Delete, outputs: list[exp.Expr]) -> exp.Select:
    change = update_of(tree)
    values = named_values(tree.expressions) if isinstance(tree, exp.Update) else []
    assigned: dict[str, list[exp.Expr]] = {}
    for value in values:
        assigned.setdefault(value.alias.lower(), []).append(value.unalias())
    return _select(outputs, change.target, change.rows, assigned)


def _of_merge(tree: exp.Merge, outputs: list[exp.Expr]) -> exp.Select:
    target, source = table_of(tree.this), tree.args["using"]
    assigned: dict[str, list[exp.Expr]] = {}
    for when in tree.args["whens"].expressions:
        action = when.args.get("then")
        if isinstance(action, exp.Update):
            for value in named_values(action.expressions):
                assigned.setdefault(value.alias.lower(), []).append(value.unalias())
        elif isinstance(action, exp.Insert) and isinstance(action.expression, exp.Tuple):
            columns = action.this.expressions if isinstance(action.this, exp.Tuple) else ()
            for column, value in zip(columns, action.expression.expressions, strict=False):
                assigned.setdefault(column.name.lower(), []).append(value)
    return _select(outputs, target, (source,), assigned)


def _of_insert(tree: exp.Insert, outputs: list[exp.Expr]) -> exp.Select:
    target, names, rows = table_of(tree.this), column_list(tree.this), tree.expression
    if isinstance(rows, exp.Table):
        rows = exp.select("*").from_(rows.copy())
    if isinstance(rows, exp.Values):
        rows = exp.select("*").from_(exp.alias_(rows.copy(), "given", table=True))
    if not isinstance(rows, exp.Query):
        return exp.select(*(exp.alias_(exp.null(), one.output_name or "nothing") for one in outputs))
    alias = exp.TableAlias(
        this=exp.to_identifier(_NAMED_ROWS), columns=[exp.to_identifier(name) for name in names or ()]
    )
    source = exp.Subquery(this=rows.copy(), alias=alias)
    known = {name.lower() for name in names} if names is not None else None

    def inserted(column: exp.Column) -> exp.Expr:
        if known is not None and column.name.lower() not in known:
            return exp.null()  # The table makes it: a serial, a default.
        return exp.column(column.this.copy(), table=_NAMED_ROWS)

    return exp.select(*(_replaced(one, target, inserted) for one in outputs)).from_(source)


def _select(
    outputs: list[exp.Expr], target: exp.Table | None, rows: Sequence[exp.Expr], assigned: Values
) -> exp.Select:
    name = target.alias_or_name if target is not None else ""

    def new(column: exp.Column) -> exp.Expr:
        given = assigned.get(column.name.lower())
        if column.table.lower() in _OLD or not given:
            table = column.table if column.table.lower() not in _OLD | _NEW else name
            return exp.column(column.this.copy(), table=exp.to_identifier(table) if table else None)
        if len(given) == 1:
            return given[0].copy()
        return exp.Coalesce(this=given[0].copy(), expressions=[one.copy() for one in given[1:]])

    query = exp.select(*(_starred(_replaced(one, target, new), name, assigned) for one in outputs))
    sources = [*([bare(target)] if target is not None else ()), *(_alone(row) for row in rows)]
    for i, source in enumerate(sources):
        query = query.from_(source) if i == 0 else query.join(source, join_type="cross")
    return query


def _replaced(output: exp.Expr, target: exp.Table | None, new: Callable[[exp.Column], exp.Expr]) -> exp.Expr:
    """Replace the columns of the target in one output."""
    names = {"", *_OLD, *_NEW, *((target.alias_or_name.lower(),) if target is not None else ())}
    name = output.output_name
    holder = exp.Paren(this=output)
    for column in list(holder.find_all(exp.Column)):
        if column.name.lower() in _ACTIONS:
            column.replace(exp.null())
        elif column.table.lower() in names and not isinstance(column.this, exp.Star):
            column.replace(new(column))
    result: exp.Expr = holder.this
    if isinstance(output, exp.Column) and not output.is_star and name:
        return exp.alias_(result, name)
    return result


def _starred(output: exp.Expr, target: str, assigned: Values) -> exp.Expr:
    """Write the values that a statement sets into a * over the target."""
    star = output.this if isinstance(output, exp.Column) else output
    if not isinstance(star, exp.Star):
        return output
    table = output.table if isinstance(output, exp.Column) else ""
    if table.lower() not in {"", target.lower(), *_OLD, *_NEW}:
        return output
    if table.lower() not in _OLD and assigned:
        star.set("replace", [exp.alias_(values[0].copy(), name) for name, values in assigned.items()])
    if isinstance(output, exp.Column) and table.lower() in _OLD | _NEW:
        output.set("table", exp.to_identifier(target))
    return output


def _alone(row: exp.Expr) -> exp.Expr:
    copy = row.copy()
    copy.set("joins", None)
    return copy


_BUILDERS: Final[Mapping[type[exp.Expr], Callable[[Any, list[exp.Expr]], exp.Select]]] = {
    exp.Update: _of_change,
    exp.Delete: _of_change,
    exp.Merge: _of_merge,
    exp.Insert: _of_insert,
}
