"""Expands ``*`` and its relatives into columns."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from sqlglot import exp

from datahub_llmops.lineage.sql.built_in_functions import is_built_in
from datahub_llmops.lineage.sql.scopes import Walk, find_row, path, resolve
from datahub_llmops.lineage.sql.values import (
    Field,
    Gap,
    Name,
    Row,
    Scope,
    Unlisted,
    Value,
    either,
    gap,
    merged,
)


def is_star(node: exp.Expr) -> bool:
    """Whether an output column stands for several columns of a row."""
    if isinstance(node, exp.Star | exp.Columns):
        return True
    if isinstance(node, exp.Like | exp.ILike | exp.SimilarTo | exp.RegexpLike) and isinstance(
        node.this, exp.Star
    ):
        return True
    return isinstance(node, exp.Column | exp.Dot) and isinstance(_last(node), exp.Star)


def star_row(walk: Walk, node: exp.Expr, scope: Scope) -> Row:
    """The columns that a ``*``, ``d.*``, ``(d).*`` or ``COLUMNS(...)`` stands for."""
    if isinstance(node, exp.Columns):
        return _chosen(walk, node, scope)
    if isinstance(node, exp.Binary) and isinstance(node.this, exp.Star):  # DuckDB's * LIKE 'x%'
        row = star_row(walk, node.this, scope)
        literal = node.expression
        if isinstance(node, exp.Like | exp.ILike) and isinstance(literal, exp.Literal):
            return _like(row, literal.this)
        return _unknown()
    star = _last(node)
    if isinstance(node, exp.Dot):
        return _edited(walk, _of_call(walk, node.this, walk.value(walk, node.this, scope)), star, scope)
    if isinstance(node, exp.Column):
        names = [Name.of(part) for part in node.parts[:-1]]
        named = find_row(names, scope)
        row = named.row if named is not None else _of_value(resolve(walk, names, scope))
        return _edited(walk, row, star, scope)
    level = next((one for one in scope if one.rows), scope)
    return _edited(walk, all_columns(level), star, scope)


def all_columns(scope: Scope) -> Row:
    """The columns of all tables in FROM. Those that USING merges come first, and once."""
    fields: list[Field] = []
    for key in _merged_keys(scope):
        same = [one for named in scope.rows for one in named.row.fields if one.key == key]
        fields.append(replace(same[0], value=either([one.value for one in same])))
    for named in scope.rows:
        fields += [one for one in named.row.fields if one.key not in scope.joined]
    return Row(
        fields=tuple(fields),
        unlisted=merged([one.row.unlisted for one in scope.rows if one.row.unlisted is not None]),
    )


def _merged_keys(scope: Scope) -> Iterable[str]:
    keys = (one.key for named in scope.rows for one in named.row.fields if one.key in scope.joined)
    return dict.fromkeys(key for key in keys if key is not None)


def _last(node: exp.Expr) -> exp.Expr:
    return (
        node.expression if isinstance(node, exp.Dot) else node.this if isinstance(node, exp.Column) else node
    )


def _of_value(value: Value) -> Row:
    """The parts of a struct. If they are unknown, so are its columns."""
    if value.row is not None:
        return value.row
    star = value.gaps or frozenset({Gap(why="star", name="*")})
    return Row(unlisted=Unlisted(value=value, claims=False, star=star))


def _of_call(walk: Walk, node: exp.Expr, value: Value) -> Row:
    """The columns of ``(f(x)).*``. Those of a function that is not built in are not known."""
    inner = node.unnest()
    function = inner.expression if isinstance(inner, exp.Dot) else inner
    if value.row is None and isinstance(function, exp.Anonymous):
        schema = [name.written for name in path(inner.this) or ()] if inner is not function else []
        if not is_built_in(walk.language, function, function.name.lower(), schema):
            name = ".".join((*schema, function.name))
            walk.unread.add(name)
            star = frozenset({Gap(why="unknown_function", name=name)})
            return Row(unlisted=Unlisted(value=Value(gaps=star), claims=False, star=star))
    return _of_value(value)


def _edited(walk: Walk, row: Row, star: exp.Expr, scope: Scope) -> Row:
    """Apply EXCEPT, REPLACE, RENAME and ILIKE of a ``*``."""
    if not isinstance(star, exp.Star):
        return row
    left_out = {_named(one).key for one in _nodes(star.args.get("except_")) if one.name}
    pattern = star.args.get("ilike")
    if isinstance(pattern, exp.Literal):
        row = _like(row, pattern.this)
    replaced = {
        _named(one).key: walk.value(walk, one, scope)
        for one in _nodes(star.args.get("replace"))
        if isinstance(one, exp.Alias)
    }
    renamed = {
        _named(one.this).key: _named(one)
        for one in _nodes(star.args.get("rename"))
        if isinstance(one, exp.Alias)
    }
    for one in row.fields:
        if one.key in left_out or one.key in replaced or one.key in renamed:
            walk.uses.named |= one.value.sources
    fields: list[Field] = []
    for one in row.fields:
        if one.key in left_out:
            continue
        if one.key in replaced:
            one = replace(one, value=replaced.pop(one.key))
        if one.key in renamed:
            one = one.renamed(renamed[one.key])
        fields.append(one)
    if row.unlisted is not None:
        fields += [Field(key=key, shown=key, value=value) for key, value in replaced.items()]
    return Row(fields=tuple(fields), unlisted=row.unlisted)


def _nodes(given: object) -> list[exp.Expr]:
    nodes = given if isinstance(given, list) else [given]
    return [one for one in nodes if isinstance(one, exp.Expr)]


def _named(node: exp.Expr) -> Name:
    """The name that an item of EXCEPT, REPLACE or RENAME has."""
    if isinstance(node, exp.Alias):
        return Name.of(node.args["alias"])
    return Name.of(node.this if isinstance(node, exp.Column) else node)


def _like(row: Row, pattern: str) -> Row:
    parts = (".*" if char == "%" else "." if char == "_" else re.escape(char) for char in pattern.lower())
    wanted = re.compile("".join(parts), re.DOTALL)
    fields = tuple(one for one in row.fields if one.shown and wanted.fullmatch(one.shown.lower()))
    return Row(fields=fields, unlisted=row.unlisted)


def _chosen(walk: Walk, node: exp.Columns, scope: Scope) -> Row:
    """``COLUMNS(*)`` and ``COLUMNS([a, b])``. Which columns a pattern or lambda chooses is not known."""
    chosen = node.this
    if isinstance(chosen, exp.Star) or (isinstance(chosen, exp.Column) and isinstance(chosen.this, exp.Star)):
        return star_row(walk, chosen, scope)
    every = star_row(walk, exp.Star(), scope)
    if isinstance(chosen, exp.Array | exp.Tuple):
        named = [one for one in chosen.expressions if isinstance(one, exp.Column | exp.Identifier)]
        if len(named) == len(chosen.expressions):
            names = [_named(one) for one in named]
            fields = (
                Field(
                    key=one.key,
                    shown=one.written,
                    value=every.find(one) or gap("unknown_column", one.written, [every]),
                )
                for one in names
            )
            return Row(fields=tuple(fields))
    return _unknown()


def _unknown() -> Row:
    star = frozenset({Gap(why="pattern", name="COLUMNS")})
    return Row(unlisted=Unlisted(value=Value(gaps=star), claims=False, star=star))
