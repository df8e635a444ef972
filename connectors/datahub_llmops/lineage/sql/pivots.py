"""PIVOT and UNPIVOT: which columns they remove, and where the new ones come from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from sqlglot import exp

from datahub_llmops.lineage.sql.expressions import value_of
from datahub_llmops.lineage.sql.scopes import Walk, path
from datahub_llmops.lineage.sql.stars import is_star, star_row
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
    either,
    union,
)


def apply(walk: Walk, pivot: exp.Pivot, named: Named, outer: Scope) -> Row:
    """The row behind one PIVOT or UNPIVOT clause of a table."""
    scope = Scope(outer=outer, rows=[named])
    return (
        _unpivot(walk, pivot, named.row, scope)
        if pivot.args.get("unpivot")
        else _pivot(walk, pivot, named.row, scope)
    )


def pivot_statement(walk: Walk, pivot: exp.Pivot, outer: Scope) -> Row:
    """The row of DuckDB's statements ``PIVOT docs ON ...`` and ``UNPIVOT docs ON ...``."""
    row = walk.evaluate(walk, pivot.this, outer)
    scope = Scope(outer=outer, rows=[Named(alias=pivot.this.alias_or_name or None, row=row)])
    if pivot.args.get("unpivot"):
        into = pivot.args.get("into")
        label = _names([into.this]) if into is not None else [walk.name("name")]
        values = _names(into.expressions) if into is not None else [walk.name("value")]
        groups = [_members(walk, one, scope) for one in pivot.expressions]
        flat = [[field] for group in groups for field in group] if len(values) == 1 else groups
        return _turned(row, flat, label, values)
    on = {name.key for one in pivot.expressions for name in _columns_in(one)}
    walk.uses.add("group by", union(value_of(walk, one, scope) for one in pivot.expressions))
    return _grouped(walk, pivot, row, scope, _made_by_using(walk, pivot, scope), on)


def _made_by_using(walk: Walk, pivot: exp.Pivot, scope: Scope) -> list[Field] | Value:
    """The columns for the literals behind ON. Without literals their names depend on the data."""
    using = [(one, value_of(walk, one, scope)) for one in pivot.args.get("using") or ()]
    on = pivot.expressions[0] if len(pivot.expressions) == 1 else None
    literals = on.expressions if isinstance(on, exp.In) else []
    if not literals or not using or not all(isinstance(one, exp.Literal) for one in literals):
        return union(value for _, value in using)
    made: list[Field] = []
    for literal in literals:
        for node, value in using:
            bare = len(using) == 1 and not isinstance(node, exp.Alias)
            name = str(literal.this) if bare else f"{literal.this}_{node.alias or node.sql(walk.dialect)}"
            made.append(Field(key=walk.fold(name), shown=name, value=value))
    return made


def _unpivot(walk: Walk, pivot: exp.Pivot, row: Row, scope: Scope) -> Row:
    values = [name for one in pivot.expressions for name in _names(_flat(one))]
    fields = pivot.args.get("fields") or ()
    label: list[Name] = []
    groups: list[list[Field]] = []
    for one in fields:
        label += _names([one.this])
        groups += [_members(walk, member, scope) for member in one.expressions]
    if len(values) == 1:
        groups = [[field] for group in groups for field in group]
    return _turned(row, groups, label, values)


def _turned(
    row: Row, groups: Sequence[Sequence[Field]], label: Sequence[Name], values: Sequence[Name]
) -> Row:
    """Rows instead of columns: one for each group, with the names of its columns in ``label``."""
    gone = {field.key for group in groups for field in group}
    kept = [one for one in row.fields if one.key not in gone]
    fields = [*kept, *(Field(key=one.key, shown=one.written, value=NOTHING) for one in label)]
    for i, name in enumerate(values):
        same = [group[i].value for group in groups if i < len(group)]
        fields.append(Field(key=name.key, shown=name.written, value=either(same)))
    return Row(fields=tuple(fields), unlisted=row.unlisted)


def _members(walk: Walk, node: exp.Expr, scope: Scope) -> list[Field]:
    """The columns that one item of UNPIVOT names."""
    found: list[Field] = []
    for one in _flat(node):
        if is_star(one):
            found += star_row(walk, one, scope).fields
            continue
        names = path(one)
        name = names[-1] if names else None
        value = value_of(walk, one, scope)
        found.append(Field(key=name.key if name else None, shown=name.written if name else None, value=value))
    return found


def _flat(node: exp.Expr) -> list[exp.Expr]:
    if isinstance(node, exp.PivotAlias | exp.Alias | exp.Paren):
        return _flat(node.this)
    return list(node.expressions) if isinstance(node, exp.Tuple) else [node]


def _names(nodes: Iterable[exp.Expr]) -> list[Name]:
    return [names[-1] for one in nodes if (names := path(one))]


def _columns_in(node: exp.Expr) -> list[Name]:
    return [Name.of(one.this) for one in node.find_all(exp.Column) if isinstance(one.this, exp.Identifier)]


def _pivot(walk: Walk, pivot: exp.Pivot, row: Row, scope: Scope) -> Row:
    aggregates = [value_of(walk, one, scope) for one in pivot.expressions]
    used = {name.key for one in pivot.expressions for name in _columns_in(one)}
    for one in pivot.args.get("fields") or ():
        used.update(name.key for name in _columns_in(one.this))
        walk.uses.add("group by", value_of(walk, one.this, scope))
    names = [one for one in pivot.args.get("columns") or () if isinstance(one, exp.Identifier)]
    made: list[Field] | Value
    members = [member for one in pivot.args.get("fields") or () for member in one.expressions]
    if names and aggregates and not any(isinstance(one, exp.Query | exp.PivotAny) for one in members):
        made = [
            Field(
                key=walk.fold(one.name),
                shown=Name.of(one).written,
                value=aggregates[i % len(aggregates)],
            )
            for i, one in enumerate(names)
        ]
    else:
        made = union(aggregates)
    return _grouped(walk, pivot, row, scope, made, used)


def _grouped(
    walk: Walk, pivot: exp.Pivot, row: Row, scope: Scope, made: list[Field] | Value, used: set[str]
) -> Row:
    """The columns that group the rows of a PIVOT, and the new ones. ``made`` is their value if no name is known."""
    group = pivot.args.get("group")
    if isinstance(group, exp.Group):
        kept = [field for one in group.expressions for field in _members(walk, one, scope)]
    else:
        used = used | {name.key for one in pivot.args.get("using") or () for name in _columns_in(one)}
        kept = [one for one in row.fields if one.key not in used]
    if isinstance(made, Value):
        star = frozenset({Gap(why="star", name="PIVOT")})
        return Row(fields=tuple(kept), unlisted=Unlisted(value=made.without_parts(), star=star))
    unlisted = replace(row.unlisted, claims=False) if row.unlisted is not None else None
    return Row(fields=(*kept, *made), unlisted=None if isinstance(group, exp.Group) else unlisted)
