"""Finds the queries with which each statement reads data.

sqlglot's lineage sees only the names that a query itself gives its output columns. A statement that writes (INSERT,
MERGE, UPDATE, CREATE ... AS, SELECT INTO, COPY) is therefore turned into queries whose output columns have the names
of the target's columns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlglot import exp

from datahub_llmops.errors import StatementError


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A query with which a statement reads data.

    ``names`` are the target's columns in the order of the query's output, or ``None`` if the query names its output
    itself. ``positional`` is true if the output goes to the target's columns in their own order, which the statement
    does not show. ``target`` is the table that the statement writes, and ``creates`` whether it creates the table.
    """

    query: exp.Query
    names: tuple[str, ...] | None = None
    positional: bool = False
    target: exp.Table | None = None
    creates: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """An empty table that a statement creates, with the names of its columns."""

    target: exp.Table
    names: tuple[str, ...]


def readings(tree: exp.Expression) -> tuple[Reading | Definition, ...]:
    """Return the queries of a statement, or the table that it defines.

    The result is empty if the statement does neither (DELETE, COMMIT, VALUES).

    Raises:
        StatementError: the kind of statement is not supported.
    """
    for kind, read in _READERS.items():
        if isinstance(tree, kind):
            return read(tree)
    if isinstance(tree, _NO_DATA):
        return ()
    raise StatementError(
        "This is not a statement that reads data, or its syntax is not known in this dialect."
    )


_NO_DATA: Final = (
    exp.Alter,
    exp.Analyze,
    exp.Comment,
    exp.Commit,
    exp.Delete,
    exp.Drop,
    exp.Grant,
    exp.Pragma,
    exp.Rollback,
    exp.Set,
    exp.Transaction,
    exp.TruncateTable,
    exp.Values,
)


def _read_query(tree: exp.Query) -> tuple[Reading, ...]:
    into = tree.args.get("into")
    if into is None:
        return (Reading(query=tree),)
    tree.set("into", None)
    return (Reading(query=tree, target=_table(into.this), creates=True),)


def _read_insert(tree: exp.Insert) -> tuple[Reading, ...]:
    query = tree.expression
    if isinstance(query, exp.Table):  # INSERT INTO x TABLE y
        query = exp.select("*").from_(query)
    if query is None and not tree.args.get("default"):
        raise StatementError(
            "The INSERT has no query in it. Give the rows that it inserts, or name their tables."
        )
    if not isinstance(query, exp.Query) or isinstance(query, exp.Values):
        return ()
    outer = tree.args.get("with_")
    if outer is not None:
        inner = query.args.get("with_")
        query.set("with_", exp.With(expressions=[*outer.expressions, *(inner.expressions if inner else ())]))
    names = _column_list(tree.this)
    positional = names is None and not tree.args.get("by_name")
    return (Reading(query=query, names=names, positional=positional, target=_table(tree.this)),)


def _read_create(tree: exp.Create) -> tuple[Reading | Definition, ...]:
    query, target, names = tree.expression, _table(tree.this), _column_list(tree.this)
    if tree.kind not in ("TABLE", "VIEW"):
        return ()
    if not isinstance(query, exp.Query) or isinstance(query, exp.Values):
        return (Definition(target=target, names=names),) if target is not None and names else ()
    return (Reading(query=query, names=names, target=target, creates=True),)


def _read_copy(tree: exp.Copy) -> tuple[Reading, ...]:
    loads = tree.args.get("kind")
    for source in (tree.this, *tree.args.get("files", ())):
        query = source.unnest() if isinstance(source, exp.Subquery) else None
        if isinstance(query, exp.Query):
            return (Reading(query=query, target=_table(tree.this) if loads else None),)
    if loads:
        raise StatementError(
            "The statement loads a file or stage, which is not a table in a catalog. Name its source in `tables`."
        )
    names = _column_list(tree.this)
    table = _table(tree.this)
    if table is None:
        raise StatementError("The source of this COPY is not supported. Name its tables instead.")
    return (Reading(query=exp.select(*(names or ("*",))).from_(table.copy())),)


def _read_merge(tree: exp.Merge) -> tuple[Reading, ...]:
    target, source = _table(tree.this), tree.args["using"]
    actions: list[Reading] = []
    for when in tree.args["whens"].expressions:
        action = when.args.get("then")
        positional = False
        if isinstance(action, exp.Update):
            query = _assignments(action.expressions, source, tree.this)
        elif isinstance(action, exp.Insert):
            query = _merge_values(action, source)
            positional = isinstance(action.expression, exp.Tuple) and not isinstance(action.this, exp.Tuple)
        else:
            continue
        if query is not None:
            actions.append(Reading(query=query, positional=positional, target=target))
    if outer := tree.args.get("with_"):
        for reading in actions:
            reading.query.set("with_", outer.copy())
    return tuple(actions)


def _merge_values(action: exp.Insert, source: exp.Expression) -> exp.Select | None:
    if not isinstance(action.expression, exp.Tuple):  # INSERT *, INSERT ROW
        return exp.select("*").from_(source.copy())
    values = action.expression.expressions
    columns = action.this.expressions if isinstance(action.this, exp.Tuple) else ()
    if columns and len(columns) != len(values):
        raise StatementError("The INSERT of this MERGE has another number of columns than of values.")
    if not columns:
        return exp.select(*(value.copy() for value in values)).from_(source.copy())
    named = [exp.alias_(value.copy(), column.name) for column, value in zip(columns, values, strict=True)]
    return exp.select(*named).from_(source.copy())


def _read_update(tree: exp.Update) -> tuple[Reading, ...]:
    target = _table(tree.this)
    joined = [join.this for join in (tree.this.args.get("joins") or ())]
    origin = tree.args.get("from_")
    sources = [*joined, *([origin.this, *_detach_joins(origin.this)] if origin is not None else ())]
    query = _assignments(tree.expressions, sources[0] if sources else None, tree.this)
    if query is None:
        return ()
    for source in sources[1:]:
        query = query.join(source.copy(), join_type="cross")
    if outer := tree.args.get("with_"):
        query.set("with_", outer.copy())
    return (Reading(query=query, target=target),)


def _detach_joins(source: exp.Expression) -> list[exp.Expression]:
    joins = [join.this for join in (source.args.get("joins") or ())]
    source.set("joins", None)
    return joins


def _assignments(
    pairs: list[exp.Expression], source: exp.Expression | None, target: exp.Expression
) -> exp.Select | None:
    """Write ``SET a = x, b = y`` as ``SELECT x AS a, y AS b``. It also reads the target if a value refers to it."""
    if any(isinstance(pair, exp.Star) for pair in pairs):  # UPDATE SET *
        return exp.select("*").from_(source.copy()) if source is not None else None
    values = [value for pair in pairs if isinstance(pair, exp.EQ) for value in _named_values(pair)]
    if not values:
        return None
    query = exp.select(*values)
    if source is not None:
        query = query.from_(source.copy())
    table = _table(target)
    if table is None or (source is not None and not _refers_to(table, values)):
        return query
    bare = exp.Table(**{key: table.args.get(key) for key in ("this", "db", "catalog", "alias")}).copy()
    return query.from_(bare) if source is None else query.join(bare, join_type="cross")


def _named_values(pair: exp.EQ) -> list[exp.Expr]:
    """Write ``a = x`` as ``x AS a``, and ``(a, b) = (x, y)`` as one such value for each column."""
    column, value = pair.this, pair.expression
    if not isinstance(column, exp.Tuple):
        return [exp.alias_(value.copy(), column.name)]
    inner = value.unnest() if isinstance(value, exp.Subquery) else value
    values = inner.selects if isinstance(inner, exp.Query) else inner.expressions
    if len(values) != len(column.expressions):
        raise StatementError("The statement sets another number of columns than of values.")
    return [exp.alias_(_only(value, i), part.name) for i, part in enumerate(column.expressions)]


def _refers_to(table: exp.Table, values: Iterable[exp.Expr]) -> bool:
    name = table.alias_or_name.lower()
    return any(column.table.lower() == name for value in values for column in value.find_all(exp.Column))


def _only(value: exp.Expr, index: int) -> exp.Expr:
    """Return the part of a row value that goes to the column at ``index``."""
    part = value.copy()
    inner = part.unnest() if isinstance(part, exp.Subquery) else part
    if not isinstance(inner, exp.Select):
        expression: exp.Expr = inner.expressions[index]
        return expression
    inner.set("expressions", [inner.selects[index]])
    return part


def _table(node: exp.Expression | None) -> exp.Table | None:
    if isinstance(node, exp.Schema):
        node = node.this
    return node if isinstance(node, exp.Table) else None


def _column_list(node: exp.Expression) -> tuple[str, ...] | None:
    if not isinstance(node, exp.Schema) or not node.expressions:
        return None
    return tuple(
        column.name for column in node.expressions if isinstance(column, exp.Identifier | exp.ColumnDef)
    )


_READERS: Final[Mapping[type[exp.Expr], Callable[[Any], tuple[Reading | Definition, ...]]]] = {
    exp.Query: _read_query,
    exp.Insert: _read_insert,
    exp.Create: _read_create,
    exp.Merge: _read_merge,
    exp.Update: _read_update,
    exp.Copy: _read_copy,
}
