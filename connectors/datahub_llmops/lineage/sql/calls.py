"""The values of functions, and of lambdas and comprehensions over lists."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from sqlglot import exp

from datahub_llmops.lineage.sql.scopes import Walk, path
from datahub_llmops.lineage.sql.structs import by_path, part_at, struct
from datahub_llmops.lineage.sql.values import NOTHING, Field, Name, Row, Scope, Value, either, gap, union

# Functions whose result is a struct of alternating names and values.
_PAIRS: Final = frozenset(
    {"json_build_object", "jsonb_build_object", "json_object", "named_struct", "object_construct_keep_null"}
)
# Functions that take a part of JSON by a path.
_EXTRACTORS: Final = frozenset(
    {"json_extract_path", "json_extract_path_text", "jsonb_extract_path", "jsonb_extract_path_text"}
    | {"jsonb_path_query", "jsonb_path_query_first", "jsonb_path_query_array", "get_ignore_case"}
)
# Functions that read a table, query or dictionary whose name or text is a string.
_READS_BY_NAME: Final = frozenset(
    {"cursor_to_xml", "getxml", "getxmltype", "query_to_xml", "query_to_xml_and_xmlschema", "schema_to_xml"}
    | {"table_to_xml", "table_to_xml_and_xmlschema"}
)
_READS_BY_NAME_BEGIN: Final = ("dictget", "joinget")  # ClickHouse has one for each type.
# Functions whose result has the parts of their first argument. Other arguments, as an order, are in each part.
_CARRIERS: Final = frozenset(
    {"arr_agg", "array_agg", "array_slice", "any_value", "arbitrary", "collect_list", "collect_set", "first"}
    | {"element_at", "group_array", "grouparray", "json_agg", "json_build_array", "jsonb_agg", "last"}
    | {"list", "list_extract", "list_reverse", "list_sort", "list_value", "max", "max_by", "min", "min_by"}
    | {"parse_json", "row_to_json", "to_json", "to_jsonb", "to_json_string", "to_variant", "tuple_element"}
    | {"array_to_json", "array_reverse", "array_sort", "flatten", "try_parse_json", "to_object", "unnest"}
)
CARRIER_NODES: Final = (
    exp.AnyValue,
    exp.ArgMax,
    exp.ArgMin,
    exp.ArrayAgg,
    exp.ArrayConcat,
    exp.Explode,
    exp.First,
    exp.FirstValue,
    exp.Inline,
    exp.JSONArrayAgg,
    exp.JSONFormat,
    exp.Lag,
    exp.Last,
    exp.LastValue,
    exp.Lead,
    exp.Max,
    exp.Min,
    exp.NthValue,
    exp.ParseJSON,
    exp.SortArray,
    exp.ToArray,
    exp.Try,
)


def _values(walk: Walk, nodes: Iterable[exp.Expr], scope: Scope) -> list[Value]:
    return [walk.value(walk, node, scope) for node in nodes]


def apply(walk: Walk, children: Sequence[exp.Expr], scope: Scope, maps: bool = False) -> Value:
    """The value of a function over lists and lambdas. The parameters of a lambda are elements of the lists.

    ``maps`` says that the result has what the lambda gives, and nothing else of the lists.
    """
    lists = _values(walk, (one for one in children if not isinstance(one, exp.Lambda)), scope)
    element = either(lists)
    found = [] if maps else [element]
    for one in children:
        if isinstance(one, exp.Lambda):
            parameters = {
                Name.of(name).key: element for name in one.expressions if isinstance(name, exp.Identifier)
            }
            found.append(walk.value(walk, one.this, Scope(outer=scope, parameters=parameters)))
    return found[0] if len(found) == 1 else union(found)


def transform(walk: Walk, node: exp.Expr, scope: Scope) -> Value:
    """``list_transform(list, lambda)``."""
    children = list(node.iter_expressions())
    return apply(walk, children, scope, maps=any(isinstance(one, exp.Lambda) for one in children))


def lambda_value(walk: Walk, node: exp.Expr, scope: Scope) -> Value:
    """The value of a lambda by itself."""
    return apply(walk, [node], scope)


def comprehension(walk: Walk, node: exp.Expr, scope: Scope) -> Value:
    """``[f(x) for x in list]``."""
    element = walk.value(walk, node.args["iterator"], scope)
    names = [path(one) for key in ("expression", "position") if (one := node.args.get(key)) is not None]
    inner = Scope(outer=scope, parameters={name[0].key: element for name in names if name})
    parts = [one for key in ("this", "condition") if (one := node.args.get(key)) is not None]
    return union((element, *_values(walk, parts, inner)))


def function(walk: Walk, node: exp.Expr, scope: Scope) -> Value:
    """The value of a function that sqlglot does not know."""
    name, arguments = node.name.lower(), node.expressions
    if any(isinstance(one, exp.Lambda) for one in arguments):
        return apply(walk, arguments, scope)
    if name in _READS_BY_NAME or name.startswith(_READS_BY_NAME_BEGIN):
        walk.unread.add(name)
        return union((gap("unknown_function", name), *_values(walk, arguments, scope)))
    if name == "getvariable" and arguments:
        return walk.variable(arguments[0].name) or NOTHING
    if name in ("row", "tuple"):
        return struct(walk, node, scope)
    if name in _PAIRS and arguments and all(isinstance(one, exp.Literal) for one in arguments[::2]):
        pairs = zip(arguments[::2], arguments[1::2], strict=False)
        names = [(walk.name(key.this), walk.value(walk, value, scope)) for key, value in pairs]
        return Row(
            fields=tuple(Field(key=key.key, shown=key.written, value=value) for key, value in names)
        ).value()
    if name in ("tupleelement", "struct_extract_at") and len(arguments) == 2:
        base = walk.value(walk, arguments[0], scope)
        return (
            part_at(base, arguments[1], 1) if isinstance(arguments[1], exp.Literal) else base.without_parts()
        )
    if name in _EXTRACTORS and len(arguments) == 2 and isinstance(arguments[1], exp.Literal):
        return by_path(walk, walk.value(walk, arguments[0], scope), arguments[1])
    if name in _CARRIERS and arguments:
        return _carried(walk, arguments[0], arguments[1:], scope)
    return union(_values(walk, node.iter_expressions(), scope))


def carrier(walk: Walk, node: exp.Expr, scope: Scope) -> Value:
    """The value of a function whose result has the parts of its first argument."""
    rest = [child for child in node.iter_expressions() if child is not node.this]
    return _carried(walk, node.this, rest, scope)


def _carried(walk: Walk, first: object, rest: Sequence[exp.Expr], scope: Scope) -> Value:
    if not isinstance(first, exp.Expr):
        return union(_values(walk, rest, scope))
    return walk.value(walk, first, scope).joined(union(_values(walk, rest, scope)))
