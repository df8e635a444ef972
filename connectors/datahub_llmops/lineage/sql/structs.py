"""Values with parts: structs, rows, arrays, maps and JSON, and what takes a part of them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from sqlglot import exp

from datahub_llmops.lineage.sql.scopes import Walk, path
from datahub_llmops.lineage.sql.stars import star_row
from datahub_llmops.lineage.sql.values import (
    Field,
    Name,
    Row,
    Scope,
    Unlisted,
    Value,
    by_position,
    either,
    union,
)

# Dialects in which a member of a struct takes the name of its column.
_NAMED_MEMBERS: Final = frozenset({"bigquery", "databricks", "spark", "spark2", "hive", "snowflake"})
_PATH: Final = re.compile(r"^\$?[.{]?[\"']?([A-Za-z_][\w ]*)[\"']?")


def _values(walk: Walk, nodes: Iterable[exp.Expr], scope: Scope) -> list[Value]:
    return [walk.value(walk, node, scope) for node in nodes]


def struct(walk: Walk, node: exp.Expr, scope: Scope) -> Value:
    """A struct, row or tuple, with the parts that it lists."""
    return struct_of(walk, node.expressions, scope).value()


def struct_of(walk: Walk, members: Iterable[exp.Expr], scope: Scope) -> Row:
    """The row of the members of a struct."""
    fields: list[Field] = []
    unlisted = None
    for one in members:
        if isinstance(one, exp.Star | exp.Columns) or (
            isinstance(one, exp.Column) and isinstance(one.this, exp.Star)
        ):
            row = star_row(walk, one, scope)
            fields += row.fields
            unlisted = unlisted or row.unlisted
            continue
        key, value = _member(walk, one)
        name = key or (_name(one) if walk.language in _NAMED_MEMBERS else None)
        fields.append(
            Field(
                key=name.key if name else None,
                shown=name.written if name else None,
                value=walk.value(walk, value, scope),
            )
        )
    return Row(fields=tuple(fields), unlisted=unlisted)


def _member(walk: Walk, node: exp.Expr) -> tuple[Name | None, exp.Expr]:
    if isinstance(node, exp.PropertyEQ | exp.JSONKeyValue | exp.EQ | exp.Slice) and node.this is not None:
        key = node.this
        if isinstance(key, exp.Literal):
            return walk.name(key.this), node.expression
        if isinstance(node, exp.PropertyEQ):
            names = path(key)
            return (names[-1] if names else None), node.expression
    if isinstance(node, exp.Alias):
        return Name.of(node.args["alias"]), node.this
    return None, node


def _name(node: exp.Expr) -> Name | None:
    names = path(node)
    return names[-1] if names else None


def json_object(walk: Walk, node: exp.Expr, scope: Scope) -> Value:
    members = node.expressions
    if all(isinstance(one, exp.JSONKeyValue) and isinstance(one.this, exp.Literal) for one in members):
        return struct(walk, node, scope)
    return union(_values(walk, node.iter_expressions(), scope))


def map_of(walk: Walk, node: exp.Expr, scope: Scope) -> Value:
    """A map, whose entries have a key and a value."""
    keys, values = node.args.get("keys"), node.args.get("values")
    if not isinstance(keys, exp.Expr) or not isinstance(values, exp.Expr):
        return union(_values(walk, node.iter_expressions(), scope))
    key, value = walk.value(walk, keys, scope), walk.value(walk, values, scope)
    entry = [("key", key.without_parts()), ("value", value)]
    row = Row(
        fields=tuple(Field(key=walk.fold(name), shown=name, value=one) for name, one in entry),
        unlisted=Unlisted(value=value, claims=False),
    )
    return replace(union((key, value)), row=row)


def array(walk: Walk, node: exp.Expr, scope: Scope) -> Value:
    values = _values(walk, node.expressions, scope)
    rows = [value.row for value in values if value.row is not None]
    if len(rows) == len(values) > 0 and all(row.unlisted is None for row in rows):
        return replace(union(values), row=by_position(rows))
    return either(values)


def cast(walk: Walk, node: exp.Expr, scope: Scope) -> Value:
    value = walk.value(walk, node.this, scope)
    to = node.args.get("to")
    if value.row is None or not isinstance(to, exp.DataType):
        return value
    names = [Name.of(one.this) for one in to.expressions if isinstance(one, exp.ColumnDef)]
    return replace(value, row=value.row.named(names)) if names else value


def bracket(walk: Walk, node: exp.Expr, scope: Scope) -> Value:
    base = walk.value(walk, node.this, scope)
    keys = node.expressions
    if len(keys) == 1 and isinstance(keys[0], exp.Literal):
        if keys[0].is_string:
            return base.part(walk.name(keys[0].this))
        inner = node.this.unnest()
        struct = isinstance(inner, exp.Struct | exp.Tuple) or inner.name.lower() == "row"
        return base.at(int(keys[0].name)) if struct and keys[0].name.isdecimal() else base
    return base.joined(union(_values(walk, keys, scope)))


def extract(walk: Walk, node: exp.Expr, scope: Scope) -> Value:
    """A part of JSON or of a struct by a literal path. Without one it may be any part."""
    base = walk.value(walk, node.this, scope)
    keys = node.expression
    if isinstance(keys, exp.JSONPath):
        named = [one for one in keys.expressions if isinstance(one, exp.JSONPathKey)]
        if named and isinstance(named[0].this, str):
            return base.part(walk.name(named[0].this))
        return (
            base
            if all(isinstance(one, exp.JSONPathRoot | exp.JSONPathSubscript) for one in keys.expressions)
            else base.without_parts()
        )
    if isinstance(keys, exp.Literal) and not keys.is_string:
        return base
    if isinstance(keys, exp.Literal) and isinstance(node, exp.StructExtract):
        return base.part(walk.name(keys.this))
    if isinstance(keys, exp.Literal):
        return by_path(walk, base, keys)
    more = [child for child in node.iter_expressions() if child is not node.this]
    return union((base, *_values(walk, more, scope)))


def by_path(walk: Walk, base: Value, literal: exp.Literal) -> Value:
    found = _PATH.match(literal.this) if literal.is_string else None
    return base.part(walk.name(found[1])) if found else base.without_parts()


def part_at(base: Value, literal: exp.Expr, first: int) -> Value:
    text = str(literal.this)
    return base.at(int(text) - first) if text.isdigit() else base.without_parts()
