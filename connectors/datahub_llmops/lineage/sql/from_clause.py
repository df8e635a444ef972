"""The rows in FROM: tables, queries, LATERAL, arrays and functions, and how they are joined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlglot import exp

from datahub_llmops.lineage.sql import pivots
from datahub_llmops.lineage.sql.catalog_rows import source_row
from datahub_llmops.lineage.sql.expressions import value_of, values_of
from datahub_llmops.lineage.sql.scopes import Walk, path, resolve
from datahub_llmops.lineage.sql.stars import all_columns
from datahub_llmops.lineage.sql.table_functions import function_row, spread
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
    gap,
    union,
)

__all__ = ["add", "add_join", "function_row", "match", "pivoted"]


def add(walk: Walk, node: exp.Expr, scope: Scope) -> None:
    """Add what FROM has to the rows of ``scope``."""
    if isinstance(node, exp.Final | exp.Paren):
        add(walk, node.this, scope)
        return
    if isinstance(node, exp.Tuple):
        for one in node.expressions:
            add(walk, one, scope)
        return
    if isinstance(node, exp.Subquery) and isinstance(node.this, exp.Table):
        _add_group(walk, node, scope)
    else:
        scope.rows.append(pivoted(walk, node, _named(walk, node, scope), scope))
    for lateral in node.args.get("laterals") or ():
        add(walk, lateral, scope)
    for join in node.args.get("joins") or ():
        add_join(walk, join, scope)


def add_join(walk: Walk, join: exp.Join, scope: Scope) -> None:
    """Add the right side of a join. USING and NATURAL merge the columns that both sides have."""
    before = len(scope.rows)
    left = {key for one in scope.rows for key in one.row.keys}
    if str(join.args.get("kind") or "").upper() == "ARRAY":
        for one in (join.this, *join.expressions):
            _add_array(walk, one, scope)
        return
    add(walk, join.this, scope)
    for condition in (join.args.get("on"), join.args.get("match_condition")):
        if isinstance(condition, exp.Expr):
            walk.uses.add("join", value_of(walk, condition, scope))
    using = [
        Name.of(one.this if isinstance(one, exp.Column) else one) for one in join.args.get("using") or ()
    ]
    for name in using:
        _use_on_both_sides(walk, name, scope, before)
    scope.joined.update(one.key for one in using)
    if str(join.args.get("method") or "").upper() == "NATURAL":
        right = {key for one in scope.rows[before:] for key in one.row.keys}
        scope.joined.update(left & right)
        for key in left & right:
            _use_on_both_sides(walk, Name(key=key, written=key), scope, before)
        walk.uses.hidden = walk.uses.hidden or any(one.row.unlisted is not None for one in scope.rows)
    if str(join.args.get("kind") or "").upper() in ("SEMI", "ANTI") or str(
        join.args.get("side") or ""
    ).upper() in (
        "SEMI",
        "ANTI",
    ):
        del scope.rows[before:]  # They filter only.


def _use_on_both_sides(walk: Walk, name: Name, scope: Scope, before: int) -> None:
    """Note the columns that USING joins. ``before`` is the number of rows on the left side."""
    for side in (scope.rows[:before], scope.rows[before:]):
        listed = [value for one in side if (value := one.row.find(name)) is not None]
        rows = [one.row.unlisted for one in side if one.row.unlisted is not None and one.row.unlisted.claims]
        if not listed and len(rows) == 1:
            listed = [rows[0].find(name)]
        walk.uses.add("join", union(listed) if listed else gap("unknown_column", name.written))
        walk.uses.named |= union(listed).sources


def pivoted(walk: Walk, node: exp.Expr, named: Named, scope: Scope) -> Named:
    """Apply the PIVOTs and UNPIVOTs that stand behind a table."""
    for one in node.args.get("pivots") or ():
        row = pivots.apply(walk, one, named, scope)
        alias = one.args.get("alias")
        if isinstance(alias, exp.TableAlias):
            names = _alias_columns(alias)
            named = Named(alias=alias.this.name if alias.this else named.alias, row=row.named(names))
        else:
            named = replace(named, row=row)
    return named


def match(walk: Walk, node: exp.Select, scope: Scope) -> None:
    """Apply MATCH_RECOGNIZE: the rows get its measures."""
    clause = node.args.get("match")
    if not isinstance(clause, exp.MatchRecognize):
        return
    every = all_columns(scope)
    for one in (*(clause.args.get("partition_by") or ()), clause.args.get("order")):
        if isinstance(one, exp.Expr):
            walk.uses.add("window", value_of(walk, one, scope))
    # A variable of the pattern is another name of the row.
    variables = {column.table for column in clause.find_all(exp.Column) if column.table}
    rows = [*scope.rows, *(Named(alias=one, row=every) for one in sorted(variables))]
    inner = Scope(outer=scope.outer, rows=rows)
    for one in clause.args.get("define") or ():
        walk.uses.add("filter", value_of(walk, one, inner))
    if "ALL" in str(clause.args.get("rows") or "").upper():
        fields = list(every.fields)
    else:
        fields = [
            _field(names[-1] if (names := path(one)) else None, value_of(walk, one, inner))
            for one in clause.args.get("partition_by") or ()
        ]
    for measure in clause.args.get("measures") or ():
        named = measure.this
        name = Name.of(named.args["alias"]) if isinstance(named, exp.Alias) else None
        fields.append(_field(name, value_of(walk, named, inner)))
    row = Row(fields=tuple(fields), unlisted=every.unlisted)
    scope.rows[:] = [Named(alias=_alias(clause), row=row)]


def _field(name: Name | None, value: Value) -> Field:
    return Field(key=name.key if name else None, shown=name.written if name else None, value=value)


def _add_group(walk: Walk, node: exp.Subquery, scope: Scope) -> None:
    """Joined tables in parentheses. An alias makes one row of them."""
    alias = node.args.get("alias")
    if not isinstance(alias, exp.TableAlias) and not node.args.get("pivots"):
        add(walk, node.this, scope)
        return
    inner = Scope(outer=scope.outer)
    add(walk, node.this, inner)
    named = Named(alias=_alias(node), row=all_columns(inner).named(_alias_columns(alias)))
    scope.rows.append(pivoted(walk, node, named, inner))


def _named(walk: Walk, node: exp.Expr, scope: Scope) -> Named:
    """One row in FROM with its alias."""
    alias, names = _alias(node), _alias_columns(node.args.get("alias"))
    if isinstance(node, exp.Table):
        return _table(walk, node, alias, names, scope)
    if isinstance(node, exp.Subquery | exp.Values):
        # Only DuckDB's subqueries see the tables beside them without the word LATERAL.
        outer = scope if walk.language == "duckdb" else scope.outer
        row = walk.evaluate(walk, node, outer or Scope())
        return Named(alias=alias, row=_named_values(row, names, node, alias))
    if isinstance(node, exp.Lateral):
        return _lateral(walk, node, alias, names, scope)
    if isinstance(node, exp.Unnest):
        return _unnest(walk, node, alias, names, scope)
    if isinstance(node, exp.TableFromRows):
        return Named(alias=alias, row=function_row(walk, node.this, names, alias, scope))
    if isinstance(node, exp.AtIndex | exp.Alias | exp.Pivot):
        return _element(walk, node, scope)
    if isinstance(node, exp.Query):
        return Named(alias=alias, row=walk.evaluate(walk, node, scope.outer or Scope()).named(names))
    if isinstance(node, exp.Func):
        return Named(alias=alias, row=function_row(walk, node, names, alias, scope))
    missing = frozenset({Gap(why="syntax", name=node.key.upper())})
    return Named(
        alias=alias, row=Row(unlisted=Unlisted(value=Value(gaps=missing), star=missing)).named(names)
    )


def _named_values(row: Row, names: Sequence[Name], node: exp.Expr, alias: str | None) -> Row:
    inner = node.unnest() if isinstance(node, exp.Subquery) else node
    if isinstance(inner, exp.Values) and not names and alias and len(row.fields) == 1:
        return row.named([Name(key=alias, written=alias)])
    return row.named(names)


def _alias(node: exp.Expr) -> str | None:
    alias = node.args.get("alias")
    if isinstance(alias, exp.TableAlias):
        return alias.this.name if isinstance(alias.this, exp.Identifier) else None
    return alias.name if isinstance(alias, exp.Identifier) else None


def _alias_columns(alias: object) -> list[Name]:
    if not isinstance(alias, exp.TableAlias):
        return []
    columns = (one.this if isinstance(one, exp.ColumnDef) else one for one in alias.columns)
    return [Name.of(one) for one in columns if isinstance(one, exp.Identifier)]


def _table(walk: Walk, node: exp.Table, alias: str | None, names: Sequence[Name], scope: Scope) -> Named:
    walk.seen.add(id(node))
    if node.args.get("rows_from"):
        return Named(alias=alias, row=_rows_from(walk, node, scope).named(names))
    this = node.this
    if isinstance(this, exp.Func) and not isinstance(this, exp.DynamicIdentifier):
        label = alias or walk.fold(this.name if isinstance(this, exp.Anonymous) else this.sql_name())
        row = function_row(walk, this, names, alias, scope)
        if node.args.get("ordinality"):
            row = _with_ordinality(walk, row, names)
        return Named(alias=label, row=row)
    parts = node.parts
    if (
        len(parts) == 1 and this.name.lower() == "dual"
    ):  # One row without a value, in Oracle and its followers
        return Named(alias=alias or this.name, row=Row())
    if len(parts) == 1 and isinstance(this, exp.Identifier):
        if this.name.lower() == "table" and not this.args.get("quoted") and alias:  # TABLE docs
            return _table(walk, exp.Table(this=node.args["alias"].this), alias, [], scope)
        for level in scope:
            if this.name in level.queries:
                return Named(alias=alias or this.name, row=level.queries[this.name].named(names))
    elif all(isinstance(part, exp.Identifier) for part in parts):
        path_names = [Name.of(part) for part in parts]
        if any(path_names[0].key == one.alias for level in scope for one in level.rows):
            value = resolve(walk, path_names, scope)
            return Named(
                alias=alias or path_names[-1].key, row=spread(walk, value, names, alias or path_names[-1].key)
            )
    source = walk.resolve(node)
    walk.inputs.update(source.datasets)
    walk.uses.add_all(source.uses)
    own = tuple(part.name for part in parts if isinstance(part, exp.Identifier))
    row = source_row(source, node.name).named(names)
    return Named(alias=alias or (own[-1] if own else None), row=row, path=() if alias else own)


def _rows_from(walk: Walk, node: exp.Table, scope: Scope) -> Row:
    fields: list[Field] = []
    for one in node.args["rows_from"]:
        if isinstance(one, exp.Unnest):
            fields += [
                Field(key=None, shown=None, value=value) for value in values_of(walk, one.expressions, scope)
            ]
        else:
            row = function_row(walk, one.this if isinstance(one, exp.Table) else one, [], None, scope)
            if not row.whole:  # How many columns it has is not known, so neither are the positions behind it.
                return Row(unlisted=row.unlisted)
            fields += row.fields
    if node.args.get("ordinality"):
        fields.append(_field(walk.name("ordinality"), NOTHING))
    return Row(fields=tuple(fields))


def _with_ordinality(walk: Walk, row: Row, names: Sequence[Name]) -> Row:
    """The row with a number at its end, under the last of its names."""
    if len(names) > 1 and len(row.fields) >= len(names):
        fields = list(row.fields)
        fields[len(names) - 1] = replace(fields[len(names) - 1], value=NOTHING)
        return replace(row, fields=tuple(fields))
    return replace(row, fields=(*row.fields, _field(walk.name("ordinality"), NOTHING)))


def _lateral(walk: Walk, node: exp.Lateral, alias: str | None, names: Sequence[Name], scope: Scope) -> Named:
    this = node.this
    if isinstance(this, exp.Subquery | exp.Query):
        row = walk.evaluate(walk, this, scope)
        return Named(alias=alias, row=_named_values(row, names, this, alias))
    if isinstance(this, exp.Unnest):
        return _unnest(walk, this, alias, names or _alias_columns(this.args.get("alias")), scope)
    row = function_row(walk, this, names, alias, scope)
    if node.args.get("ordinality"):
        row = _with_ordinality(walk, row, names)
    return Named(alias=alias, row=row)


def _unnest(walk: Walk, node: exp.Unnest, alias: str | None, names: Sequence[Name], scope: Scope) -> Named:
    """The elements of one or several arrays, side by side."""
    values = values_of(walk, node.expressions, scope)
    label = alias or (names[0].key if len(names) == 1 else None)
    offset = node.args.get("offset")
    numbered = isinstance(offset, exp.Identifier) or offset is True
    if len(values) == 1:
        row = spread(walk, values[0], names, label)
    else:
        fields = tuple(Field(key=None, shown=None, value=value) for value in values)
        row = Row(fields=fields).named(names)
    if numbered:
        name = Name.of(offset) if isinstance(offset, exp.Identifier) else walk.name("offset")
        row = replace(row, fields=(*row.fields, _field(name, NOTHING)))
    return Named(alias=label, row=row)


def _add_array(walk: Walk, node: exp.Expr, scope: Scope) -> None:
    """ClickHouse's ARRAY JOIN: an element takes the name of its array, or a name of its own."""
    value = value_of(walk, node, scope)
    names = path(node.this if isinstance(node, exp.Alias) else node)
    name = Name.of(node.args["alias"]) if isinstance(node, exp.Alias) else names[-1] if names else None
    if name is None:
        return
    if not isinstance(node, exp.Alias):
        return  # The array's own column, with the same source.
    scope.rows.append(Named(alias=None, row=Row(fields=(_field(name, value),))))


def _element(walk: Walk, node: exp.Expr, scope: Scope) -> Named:
    """Redshift's ``FROM docs d, d.tags AS t AT i`` and ``UNPIVOT d.meta AS v AT k``."""
    unpivots = isinstance(node, exp.Pivot)
    inner = node.this if isinstance(node, exp.Pivot) else node
    index = None
    if isinstance(inner, exp.AtIndex):
        index, inner = inner.expression, inner.this
    alias = Name.of(inner.args["alias"]) if isinstance(inner, exp.Alias) else None
    value = value_of(walk, inner, scope)
    row = spread(walk, value, [], alias.key if alias else None)
    if isinstance(index, exp.Identifier | exp.Column):
        name = Name.of(index.this if isinstance(index, exp.Column) else index)
        key = value.without_parts() if unpivots else NOTHING
        row = replace(row, fields=(*row.fields, _field(name, key)))
    return Named(alias=alias.key if alias else None, row=row)
