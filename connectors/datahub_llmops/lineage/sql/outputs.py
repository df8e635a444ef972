"""What lineage asks of a query's syntax tree: its output columns, its tables, what feeds its output."""

from __future__ import annotations

from typing import Final

from sqlglot import exp
from sqlglot.optimizer.scope import Scope, traverse_scope

from datahub_llmops.errors import StatementError
from datahub_llmops.lineage.sql.tables import written

OUTPUT: Final = "llmops_c"
"""Output columns are called this and their position while they are traced."""


class Spelling:
    """How a folded query spells its names: ``names`` are its outputs', ``None`` where a * is among them."""

    def __init__(self, query: exp.Query) -> None:
        identifiers = list(query.find_all(exp.Identifier))
        self.written = frozenset(written(one) for one in identifiers)
        self.all = {one.name: written(one) for one in reversed(identifiers)}
        self.quoted = {one.name: written(one) for one in identifiers if one.args.get("quoted")}
        projections = leftmost(query).selects
        starred = any(projection.is_star for projection in projections)
        self.names = None if starred else tuple(_written_name(projection) for projection in projections)


def leftmost(query: exp.Expr) -> exp.Select:
    """The SELECT whose output names are those of the whole query."""
    while not isinstance(query, exp.Select):
        if isinstance(query, exp.SetOperation | exp.Subquery):
            query = query.this
        else:
            raise StatementError("Its output columns are not understood: name its tables instead.")
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
    """Cut IN lists of literals in place: they say nothing about lineage and make up nearly all of a large statement."""
    for node in query.find_all(exp.In):
        if len(node.expressions) > 1 and all(isinstance(one, exp.Literal) for one in node.expressions):
            node.set("expressions", node.expressions[:1])


def number_outputs(query: exp.Query) -> None:
    """Name output columns by their position: two of the same name would get the sources of the first."""
    select = leftmost(query)
    numbered = [
        projection
        if projection.is_star
        else exp.alias_(projection.unalias(), f"{OUTPUT}{position}", quoted=True)
        for position, projection in enumerate(select.selects)
    ]
    select.set("expressions", numbered)
    # They may name an output column, and say nothing about where values come from.
    select.set("order", None)
    query.set("order", None)


def physical_tables(query: exp.Query) -> list[exp.Table]:
    """The tables of a query that are not its own CTEs."""
    found: dict[int, exp.Table] = {}
    inner: set[int] = set()
    for scope in traverse_scope(query):
        for _, (node, source) in scope.selected_sources.items():
            if isinstance(source, exp.Table):
                found[id(source)] = source
            elif isinstance(node, exp.Table):
                inner.add(id(node))
    for table in query.find_all(exp.Table):
        if id(table) not in found and id(table) not in inner:
            found[id(table)] = table
    return [
        table
        for table in found.values()
        if not isinstance(table.this, exp.Func) or isinstance(table.this, exp.DynamicIdentifier)
    ]


def feeds_output(scope: Scope) -> bool:
    """Whether what the scope selects can become an output value: a filter's subquery cannot."""
    node: exp.Expr = scope.expression
    while node.parent is not None:
        if node.arg_key in ("where", "having", "qualify", "on", "order", "group"):
            return False
        node = node.parent
    return True
