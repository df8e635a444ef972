"""Finds the queries with which each statement reads data.

The columns of a query have the names that it gives them itself. A statement that writes (INSERT, MERGE, UPDATE,
CREATE ... AS, SELECT INTO, COPY) is therefore turned into queries whose output columns have the names of the target's
columns. What it returns is one more query.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlglot import exp

from datahub_llmops.errors import StatementError
from datahub_llmops.lineage.sql.changes import bare, column_list, named_values, table_of, update_of
from datahub_llmops.lineage.sql.returning import returned, target_of_output
from datahub_llmops.lineage.sql.variables import assignments, key_of

FROM_VARIABLES: Final = (
    "The INSERT takes its values from variables, and where those come from is not known. Name the tables"
    " instead."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A query with which a statement reads data.

    ``names`` are the target's columns in the order of the query's output, or ``None`` if the query names its output
    itself. ``positional`` is true if the output goes to the target's columns in their own order, which the statement
    does not show. ``target`` is the table that the statement writes, and ``creates`` whether it creates the table.
    ``sole`` is true if the query reads no other table than the target, and ``silent`` if its output goes nowhere.
    ``assigns`` are the variables that take its output. ``temporary`` is true if it creates a temporary table,
    ``anew`` if no earlier table of its name can be left, and ``overwrites`` if all rows of its target go before.
    ``conditions`` is true if it only shows how the statement chooses rows: its output is nothing.
    """

    query: exp.Query
    names: tuple[str, ...] | None = None
    positional: bool = False
    target: exp.Table | None = None
    creates: bool = False
    sole: bool = False
    silent: bool = False
    assigns: tuple[str, ...] = ()
    temporary: bool = False
    anew: bool = False
    overwrites: bool = False
    conditions: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """An empty table that a statement creates, with the names of its columns.

    ``temporary`` and ``anew`` mean what they do for a ``Reading``.
    """

    target: exp.Table
    names: tuple[str, ...]
    temporary: bool = False
    anew: bool = False


def readings(
    tree: exp.Expression, is_variable: Callable[[str], bool] = lambda _: False
) -> tuple[Reading | Definition, ...]:
    """Return the queries of a statement, or the table that it defines.

    The result is empty if the statement does neither (COMMIT, VALUES). ``is_variable`` says whether the script
    has given a value to the variable of a name.

    Raises:
        StatementError: the kind of statement is not supported.
    """
    if isinstance(tree, exp.Insert):
        _write_values_as_query(tree, is_variable)
    return (*_changes_in_with(tree), *_readings(tree), *_returned(tree))


def _changes_in_with(tree: exp.Expr) -> list[Reading | Definition]:
    """The readings of statements in WITH that change tables. The rows that they return replace them, in place."""
    found: list[Reading | Definition] = []
    for clause in (tree.args.get("with_"), _with_of(tree.args.get("expression"))):
        before: list[exp.Expr] = []
        for one in clause.expressions if isinstance(clause, exp.With) else ():
            if isinstance(one.this, exp.DML) and not isinstance(one.this, exp.Query):
                change = one.this.copy()
                if before:
                    change.set("with_", exp.With(expressions=[part.copy() for part in before]))
                found += _readings(change)
                one.set("this", returned(one.this) or exp.select(exp.alias_(exp.null(), "nothing")))
            before.append(one)
    return found


def _with_of(node: object) -> object:
    return node.args.get("with_") if isinstance(node, exp.Expr) else None


def _readings(tree: exp.Expr) -> tuple[Reading | Definition, ...]:
    for kind, read in _READERS.items():
        if isinstance(tree, kind):
            return read(tree)
    if isinstance(tree, _NO_DATA):
        return ()
    raise StatementError(
        "This is not a statement that reads data, or its syntax is not known in this dialect."
    )


def _returned(tree: exp.Expr) -> tuple[Reading, ...]:
    query = returned(tree)
    if query is None:
        return ()
    target, names = target_of_output(tree)
    positional = target is not None and names is None
    return (Reading(query=query, names=names, positional=positional, target=target),)


_NO_DATA: Final = (
    exp.Alter,
    exp.Analyze,
    exp.Comment,
    exp.Commit,
    exp.Drop,
    exp.Grant,
    exp.Pragma,
    exp.Rollback,
    exp.Transaction,
    exp.TruncateTable,
    exp.Values,
)


def _read_query(tree: exp.Query) -> tuple[Reading, ...]:
    assigned = _read_assignments(tree)
    if assigned:
        return (*assigned, Reading(query=tree)) if tree.find(exp.PropertyEQ) else assigned
    into = tree.args.get("into")
    if into is None:
        return (Reading(query=tree),)
    tree.set("into", None)
    temporary = bool(into.args.get("temporary"))
    return (Reading(query=tree, target=table_of(into.this), creates=True, temporary=temporary, anew=True),)


def _read_assignments(tree: exp.Expr) -> tuple[Reading, ...]:
    return tuple(Reading(query=query, silent=True, assigns=names) for names, query in assignments(tree))


def _write_values_as_query(tree: exp.Insert, is_variable: Callable[[str], bool]) -> None:
    """Write the VALUES of an INSERT as a query if they have values from elsewhere."""
    values = tree.expression
    if not isinstance(values, exp.Values):
        return
    names = [key_of(one) for one in values.find_all(exp.Parameter, exp.Placeholder)]
    columns = [one.parts[0].name for one in values.find_all(exp.Column)]
    has_query = values.find(exp.Select) is not None
    if not has_query and not all(map(is_variable, columns)):
        raise StatementError(FROM_VARIABLES)
    if has_query or any(map(is_variable, (*names, *columns))):
        tree.set("expression", exp.select("*").from_(exp.alias_(values.copy(), "given", table=True)))


def _read_insert(tree: exp.Insert) -> tuple[Reading, ...]:
    query = tree.expression
    if isinstance(query, exp.Table):  # INSERT INTO x TABLE y
        query = exp.select("*").from_(query)
    if query is None and not tree.args.get("default"):
        raise StatementError(
            "The INSERT has no query in it. Give the rows that it inserts, or name their tables."
        )
    if not isinstance(query, exp.Query):
        return ()
    outer = tree.args.get("with_")
    if outer is not None:
        inner = query.args.get("with_")
        query.set("with_", exp.With(expressions=[*outer.expressions, *(inner.expressions if inner else ())]))
    names = column_list(tree.this)
    positional = names is None and not tree.args.get("by_name")
    target = table_of(tree.this)
    overwrites = bool(tree.args.get("overwrite")) and not (
        target is not None and target.args.get("partition")
    )
    return (Reading(query=query, names=names, positional=positional, target=target, overwrites=overwrites),)


def _read_create(tree: exp.Create) -> tuple[Reading | Definition, ...]:
    query, target, names = tree.expression, table_of(tree.this), column_list(tree.this)
    properties = tree.args.get("properties")
    found = properties and properties.find(exp.TemporaryProperty, exp.VolatileProperty)
    temporary = bool(found) or (target is not None and target.name.startswith("#"))
    anew = not tree.args.get("exists")
    clone = tree.args.get("clone")
    if isinstance(clone, exp.Clone) and isinstance(clone.this, exp.Table):
        query = exp.select("*").from_(bare(clone.this))
    elif tree.kind in ("FUNCTION", "PROCEDURE") and not isinstance(query, exp.Query):
        return _read_routine(tree)
    elif not isinstance(query, exp.Query) or isinstance(query, exp.Values):
        if target is None or not (names or tree.find(exp.LikeProperty)):
            return ()
        return (Definition(target=target, names=names or (), temporary=temporary, anew=anew),)
    return (Reading(query=query, names=names, target=target, creates=True, temporary=temporary, anew=anew),)


def _read_routine(tree: exp.Create) -> tuple[Reading, ...]:
    """The query behind RETURN. A function without a query computes one value."""
    query = tree.expression.find(exp.Query) if isinstance(tree.expression, exp.Expr) else None
    if query is not None:
        return (Reading(query=query.copy()),)
    if tree.kind == "PROCEDURE" or tree.find(exp.Query):
        raise StatementError("The body of the routine cannot be read. Name the tables that it reads instead.")
    return ()


def _read_declare(tree: exp.Declare | exp.Set) -> tuple[Reading | Definition, ...]:
    """The tables that variables are, and the queries that give others their values."""
    tables = [
        Definition(target=exp.Table(this=_variable(one)), names=column_list(kind) or ())
        for one in tree.find_all(exp.DeclareItem)
        if isinstance(kind := one.args.get("kind"), exp.Schema)
    ]
    assigned = _read_assignments(tree)
    return (*tables, *(assigned or _silent(tree)))


def _variable(item: exp.DeclareItem) -> exp.Expr:
    name = item.this[0] if isinstance(item.this, list) else item.this
    return exp.Parameter(this=exp.var(name.name))


def _silent(tree: exp.Expr) -> tuple[Reading, ...]:
    """The outermost queries in a statement, whose output goes nowhere that lineage sees."""
    queries = [one for one in tree.find_all(exp.Query) if not isinstance(one, exp.Subquery)]
    return tuple(
        Reading(query=one.copy(), silent=True)
        for one in queries
        if not any(id(one.find_ancestor(exp.Query)) == id(other) for other in queries)
    )


def _read_inner(tree: exp.Expr) -> tuple[Reading, ...]:
    """The query of EXPORT DATA, CACHE TABLE and LOCKING ROW."""
    given = tree.this if isinstance(tree.this, exp.Query) else tree.args.get("expression")
    target = table_of(tree.this)
    if not isinstance(given, exp.Query):
        return ()
    return (Reading(query=given, target=target, creates=target is not None),)


def _read_copy(tree: exp.Copy) -> tuple[Reading, ...]:
    loads = tree.args.get("kind")
    for source in (tree.this, *tree.args.get("files", ())):
        query = source.unnest() if isinstance(source, exp.Subquery) else None
        if isinstance(query, exp.Query):
            return (Reading(query=query, target=table_of(tree.this) if loads else None),)
    if loads:
        raise StatementError(
            "The statement loads a file or stage, which is not a table in a catalog. Name its source in `tables`."
        )
    names = column_list(tree.this)
    table = table_of(tree.this)
    if table is None:
        raise StatementError("The source of this COPY is not supported. Name its tables instead.")
    return (Reading(query=exp.select(*(names or ("*",))).from_(table.copy())),)


def _read_merge(tree: exp.Merge) -> tuple[Reading, ...]:
    target, source = table_of(tree.this), tree.args["using"]
    actions: list[Reading] = []
    for when in tree.args["whens"].expressions:
        action = when.args.get("then")
        positional = False
        if isinstance(action, exp.Update):
            query = _assignments(action.expressions, (source,), target)
        elif isinstance(action, exp.Insert):
            query = _merge_values(action, source)
            positional = isinstance(action.expression, exp.Tuple) and not isinstance(action.this, exp.Tuple)
        else:
            continue
        if query is not None:
            actions.append(Reading(query=query, positional=positional, target=target))
    if actions and target is not None:
        actions.append(Reading(query=_merge_conditions(tree, target), target=target, conditions=True))
    if outer := tree.args.get("with_"):
        for reading in actions:
            reading.query.set("with_", outer.copy())
    return tuple(actions)


def _merge_conditions(tree: exp.Merge, target: exp.Table) -> exp.Select:
    """Write the ON of a MERGE as a join, and the conditions of its actions as filters."""
    query = exp.select(exp.alias_(exp.null(), "nothing")).from_(tree.args["using"].copy())
    on = tree.args.get("on")
    query = query.join(bare(target), on=on.copy() if isinstance(on, exp.Expr) else None)
    for when in tree.args["whens"].expressions:
        if isinstance(condition := when.args.get("condition"), exp.Expr):
            query = query.where(condition.copy())
    return query


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
    update = update_of(tree)
    query = _assignments(tree.expressions, update.rows, update.target, update.on)
    if query is None:
        return ()
    if tree.args.get("where") is not None:
        query.set("where", tree.args["where"].copy())
    if outer := tree.args.get("with_"):
        query.set("with_", outer.copy())
    return (Reading(query=query, target=update.target, sole=not update.rows),)


def _read_delete(tree: exp.Delete) -> tuple[Reading, ...]:
    """Write the conditions of a DELETE as a query. Which rows are left depends on them, as on those of a SELECT."""
    delete = update_of(tree)
    query = _from_rows(exp.select(exp.alias_(exp.null(), "nothing")), delete.rows, delete.target, delete.on)
    if not isinstance(where := tree.args.get("where"), exp.Where) and not delete.on:
        return ()
    if isinstance(where, exp.Where):
        query.set("where", where.copy())
    if outer := tree.args.get("with_"):
        query.set("with_", outer.copy())
    return (Reading(query=query, target=delete.target, sole=not delete.rows, conditions=True),)


def _assignments(
    pairs: Sequence[exp.Expr],
    rows: Sequence[exp.Expr],
    target: exp.Table | None,
    on: Sequence[exp.Expr] = (),
) -> exp.Select | None:
    """Write ``SET a = x, b = y`` as ``SELECT x AS a, y AS b``. The target can be read too."""
    if any(isinstance(pair, exp.Star) for pair in pairs):  # UPDATE SET *
        return exp.select("*").from_(rows[0].copy()) if rows else None
    values = named_values(pairs)
    if not values:
        return None
    return _from_rows(exp.select(*values), rows, target, on)


def _from_rows(
    query: exp.Select, rows: Sequence[exp.Expr], target: exp.Table | None, on: Sequence[exp.Expr]
) -> exp.Select:
    """Let a query read rows beside those of a target, joined by conditions."""
    for row in (*rows, *((bare(target),) if target is not None else ())):
        alone = row.copy()
        alone.set("joins", None)
        query = query.join(alone, join_type="cross") if query.args.get("from_") else query.from_(alone)
    joins = query.args.get("joins") or ()
    if on and joins:  # The last of them sees every table.
        joins[-1].set("on", exp.and_(*(one.copy() for one in on)))
    return query


def _read_pivot(tree: exp.Pivot) -> tuple[Reading, ...]:
    return (Reading(query=exp.select("*").from_(exp.Subquery(this=tree))),)


_READERS: Final[Mapping[type[exp.Expr], Callable[[Any], tuple[Reading | Definition, ...]]]] = {
    exp.Query: _read_query,
    exp.Insert: _read_insert,
    exp.Create: _read_create,
    exp.Merge: _read_merge,
    exp.Update: _read_update,
    exp.Delete: _read_delete,
    exp.Copy: _read_copy,
    exp.Cache: _read_inner,
    exp.Declare: _read_declare,
    exp.Export: _read_inner,
    exp.LockingStatement: _read_inner,
    exp.Set: _read_declare,
    exp.Pivot: _read_pivot,
    exp.PropertyEQ: _read_assignments,
}
