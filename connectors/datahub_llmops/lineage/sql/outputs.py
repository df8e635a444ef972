"""Reads and edits the syntax tree of a query: its output columns, its tables, and which scopes feed its output."""

from __future__ import annotations

from typing import Final

from sqlglot import exp
from sqlglot.optimizer.scope import Scope, traverse_scope

from datahub_llmops.errors import StatementError
from datahub_llmops.lineage.sql.tables import written

OUTPUT: Final = "llmops_c"
"""While output columns are traced, their names are this prefix and their position."""


class Spelling:
    """The names of a folded query as the statement spells them.

    ``names`` are the names of the output columns, or ``None`` if there is a * among them. ``written`` has every name;
    ``all`` and ``quoted`` map folded names to spellings.
    """

    def __init__(self, query: exp.Query) -> None:
        identifiers = list(query.find_all(exp.Identifier))
        self.written = frozenset(written(one) for one in identifiers)
        self.all = {one.name: written(one) for one in reversed(identifiers)}
        self.quoted = {one.name: written(one) for one in identifiers if one.args.get("quoted")}
        projections = leftmost(query).selects
        starred = any(projection.is_star for projection in projections)
        self.names = None if starred else tuple(_written_name(projection) for projection in projections)


def leftmost(query: exp.Expr) -> exp.Select:
    """Return the SELECT that gives the whole query its output names.

    Raises:
        StatementError: the query is neither a SELECT nor a set operation.
    """
    while not isinstance(query, exp.Select):
        if isinstance(query, exp.SetOperation | exp.Subquery):
            query = query.this
        else:
            raise StatementError(
                "The output columns of the statement cannot be determined. Name its tables instead."
            )
    return query


def _written_name(projection: exp.Expr) -> str | None:
    if projection.is_star:
        return None
    alias = projection.args.get("alias")
    if isinstance(alias, exp.TableAlias):  # a subquery
        alias = alias.this
    if isinstance(alias, exp.Identifier):
        return written(alias)
    if isinstance(projection, exp.Column) and isinstance(projection.this, exp.Identifier):
        return written(projection.this)
    if isinstance(projection, exp.Dot) and isinstance(projection.expression, exp.Identifier):
        return written(projection.expression)
    return None


def shorten(query: exp.Query) -> None:
    """Shorten IN lists of literals to one literal, in place.

    Such lists have no lineage, and make up nearly all of a large statement.
    """
    for node in query.find_all(exp.In):
        if len(node.expressions) > 1 and all(isinstance(one, exp.Literal) for one in node.expressions):
            node.set("expressions", node.expressions[:1])


def number_outputs(query: exp.Query) -> None:
    """Name output columns by their position. Two columns with one name would both get the sources of the first."""
    select = leftmost(query)
    numbered = [
        projection
        if projection.is_star
        else exp.alias_(projection.unalias(), f"{OUTPUT}{position}", quoted=True)
        for position, projection in enumerate(select.selects)
    ]
    select.set("expressions", numbered)
    # ORDER BY may use an old output name, and has no influence on where values come from.
    select.set("order", None)
    query.set("order", None)


def physical_tables(query: exp.Query) -> list[exp.Table]:
    """List the tables of a query, without its own CTEs."""
    tables: dict[int, exp.Table] = {}
    inner: set[int] = set()
    for scope in traverse_scope(query):
        for _, (node, source) in scope.selected_sources.items():
            if isinstance(source, exp.Table):
                tables[id(source)] = source
            elif isinstance(node, exp.Table):
                inner.add(id(node))
    for table in query.find_all(exp.Table):
        if id(table) not in tables and id(table) not in inner:
            tables[id(table)] = table
    return [
        table
        for table in tables.values()
        if not isinstance(table.this, exp.Func) or isinstance(table.this, exp.DynamicIdentifier)
    ]


def feeds_output(scope: Scope) -> bool:
    """Return whether the values that a scope selects can reach the output. Those of a subquery in a filter cannot."""
    node: exp.Expr = scope.expression
    while node.parent is not None:
        if node.arg_key in ("where", "having", "qualify", "on", "order", "group"):
            return False
        node = node.parent
    return True
