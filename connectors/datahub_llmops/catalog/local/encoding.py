"""Converts aspects between DataHub's generated classes and the JSON of its metadata file format.

``to_obj()`` costs hundreds of microseconds an aspect, since it validates and copies defaults; here the inner
dictionaries are handed to the JSON encoder as they are, and only fields that need it (unions, bytes) are rewritten.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from avro.errors import AvroException
from avrogen.avrojson import get_global_json_converter
from avrogen.dict_wrapper import DictWrapper
from datahub.emitter.aspect import ASPECT_MAP
from datahub.emitter.serialization_helper import post_json_transform, pre_json_transform

_Rewrite: TypeAlias = Callable[[Any], Any]

_AVRO, _PLAIN = "com.linkedin.pegasus2avro.", "com.linkedin."
_DISCRIMINATOR = "fieldDiscriminator"
_DEEPEST = 200
"""Levels of an aspect of unknown name. A deeper one could be written, but some readers could not read it."""
_FLOATS = ("float", "double")


class InvalidAspectError(ValueError):
    """An aspect does not fit its schema. The message names the field's path, never a value."""


def aspect_text(aspect: DictWrapper) -> str:
    """Encode an aspect as one line of JSON, the same that ``pre_json_transform(aspect.to_obj())`` gives.

    Raises:
        InvalidAspectError: a required field is missing, or a value is of no type that JSON has.
    """
    try:
        return _ENCODER.encode(aspect)
    except InvalidAspectError:
        raise
    except (TypeError, ValueError, AttributeError, KeyError, AvroException):
        # What caused it may show a value, and DataHub logs causes too.
        raise InvalidAspectError(
            f"{type(aspect).__name__} cannot be written as JSON{_where(aspect)}"
        ) from None


def json_text(value: object) -> str:
    """Encode any JSON value in the form in which aspects are stored."""
    return _ENCODER.encode(value)


def normal_text(name: str, value: object) -> str:
    """Encode a raw aspect (parsed JSON) as its typed form would be. An aspect of unknown name stays as it is.

    Raises:
        InvalidAspectError: it does not fit the schema of its name.
    """
    if not isinstance(value, dict):
        raise InvalidAspectError(f"{name} is not a JSON object")
    aspect_class = ASPECT_MAP.get(name)
    if aspect_class is None:
        if not _is_flat(value, _DEEPEST):
            raise InvalidAspectError(f"{name} has values more than {_DEEPEST} levels down")
        return json_text(value)
    try:
        aspect = aspect_class.from_obj(post_json_transform(value))
        if not aspect.validate():
            raise InvalidAspectError(f"{name} does not fit its schema{_where(aspect)}")
    except InvalidAspectError:
        raise
    except (TypeError, ValueError, AttributeError, KeyError, AssertionError, AvroException):
        path = _misfit(aspect_class.RECORD_SCHEMA, post_json_transform(value))
        raise InvalidAspectError(f"{name} does not fit its schema{_shown(path)}") from None
    return aspect_text(aspect)


def _is_flat(value: object, levels: int) -> bool:
    """Whether no value is nested deeper than ``levels``."""
    layer: list[Any] = [value]
    for _ in range(levels):
        inner = (entry.values() if isinstance(entry, dict) else entry for entry in layer)
        layer = [entry for entries in inner for entry in entries if isinstance(entry, (dict, list))]
        if not layer:
            return True
    return False


def _where(aspect: DictWrapper) -> str:
    return _shown(_misfit(aspect.RECORD_SCHEMA, aspect))


def _shown(path: tuple[str, ...] | None) -> str:
    return f" at /{'/'.join(path)}" if path else ""


def _misfit(schema: Any, value: Any) -> tuple[str, ...] | None:
    """Return the path at which ``value`` first fails its schema, without the keys of maps, which may be a user's."""
    inner = value._inner_dict if isinstance(value, DictWrapper) else value
    if schema.type == "record" and isinstance(inner, dict):
        for field in schema.fields:
            if field.name not in inner and field.has_default:
                continue
            path = _misfit(field.type, inner.get(field.name))
            if path is not None:
                return (field.name, *path)
        return None
    if schema.type == "array" and isinstance(inner, list):
        for entry in inner:
            path = _misfit(schema.items, entry)
            if path is not None:
                return ("*", *path)
        return None
    if schema.type == "union":
        branches = [branch for branch in schema.schemas if branch.type != "null"]
        if inner is not None and len(branches) == 1:
            return _misfit(branches[0], value)
    converter: Any = get_global_json_converter()
    return None if converter.validate(schema, value) else ()


def _default(value: object) -> object:
    """Encode a value that the JSON encoder does not know."""
    if isinstance(value, DictWrapper):
        inner = value._inner_dict
        plan = _plan(type(value))
        if plan.discriminated:
            field = inner[_DISCRIMINATOR]
            return {field: inner[field]}
        written = {key: entry for key, entry in inner.items() if entry is not None}
        if not plan.required <= written.keys():
            missing = ", ".join(sorted(plan.required - written.keys()))
            raise InvalidAspectError(f"{type(value).__name__} lacks {missing}")
        for field, rewrite in plan.rewrites:
            if field in written:
                written[field] = rewrite(written[field])
        return written
    if isinstance(value, bytes):
        return value.decode()
    raise TypeError(f"{type(value).__name__} has no form in JSON")


class _Plan:
    __slots__ = ("discriminated", "required", "rewrites")

    def __init__(self, schema: Any) -> None:
        fields = {field.name: field for field in schema.fields}
        self.discriminated = _DISCRIMINATOR in fields
        self.required = frozenset(
            name for name, field in fields.items() if not field.has_default and not _nullable(field.type)
        )
        rewrites = ((name, _rewrite(field.type, in_array=False)) for name, field in fields.items())
        self.rewrites = tuple((name, rewrite) for name, rewrite in rewrites if rewrite is not None)


_PLANS: dict[type[DictWrapper], _Plan] = {}


def _plan(record: type[DictWrapper]) -> _Plan:
    plan = _PLANS.get(record)
    if plan is None:
        plan = _PLANS[record] = _Plan(record.RECORD_SCHEMA)
    return plan


def _nullable(schema: Any) -> bool:
    return bool(schema.type == "null" or (schema.type == "union" and any(map(_nullable, schema.schemas))))


def _rewrite(schema: Any, *, in_array: bool) -> _Rewrite | None:
    """Return the function that converts a field's value to its JSON form, or ``None`` if the encoder can do it."""
    if schema.type == "array":
        of_item = _rewrite(schema.items, in_array=True)
        return None if of_item is None else lambda items: [of_item(item) for item in items]
    if schema.type == "map":
        of_value = _rewrite(schema.values, in_array=False)
        return (
            None
            if of_value is None
            else lambda entries: {key: of_value(entry) for key, entry in entries.items()}
        )
    if schema.type != "union":
        return None
    branches = [branch for branch in schema.schemas if branch.type != "null"]
    if in_array or len(branches) > 1:
        return _wrap(schema, branches, in_array)
    return _rewrite(branches[0], in_array=False) if branches else None


def _wrap(schema: Any, branches: list[Any], in_array: bool) -> _Rewrite:
    """Wrap a union's value in the name of its type, as ``AvroJsonConverter._union_to_json`` does."""
    names = [
        branch.fullname.lstrip(".") if hasattr(branch, "fullname") else branch.type for branch in branches
    ]
    records = {name: name.replace(_AVRO, _PLAIN, 1) for name in names}
    plain_text = "string" in names and not any(branch.type == "enum" for branch in branches)
    number = next((name for name in reversed(names) if name in _FLOATS), None)

    def wrap(value: Any) -> Any:
        if value is None:
            return None
        if isinstance(value, DictWrapper):
            name = value.RECORD_SCHEMA.fullname
            if name in records:
                return {records[name]: value}
        elif plain_text and isinstance(value, str):
            return {"string": value}
        elif number is not None and isinstance(value, float):
            return {number: value}
        converter: Any = get_global_json_converter()
        return pre_json_transform(converter._union_to_json(value, schema, in_array))

    return wrap


_ENCODER = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, separators=(",", ":"), default=_default, sort_keys=False
)


_FACT_STAMPS: Mapping[str, frozenset[str]] = {
    "dataProcessInstanceProperties": frozenset({"created"}),
    "versionProperties": frozenset({"sourceCreatedTimestamp"}),
}
"""Audit stamps whose time is the fact itself: when a run began, when a version was made."""


def same_but_for_audit(name: str, old: str, new: str) -> bool:
    """Return whether two texts of an aspect are equal apart from the times in audit stamps (who wrote it when)."""
    if old == new:
        return True
    before, after = json.loads(old), json.loads(new)
    aspect_class = ASPECT_MAP.get(name)
    if aspect_class is not None:
        stamps = _stamps(aspect_class)
        _strip(before, stamps)
        _strip(after, stamps)
    return bool(before == after)


_STAMPS: dict[type[DictWrapper], dict[str, Any]] = {}
"""Where audit stamps stand: a tree of field names, ``*`` for entries of arrays and maps, ``None`` at a stamp."""


def _stamps(record: type[DictWrapper]) -> dict[str, Any]:
    if record not in _STAMPS:
        kept = _FACT_STAMPS.get(getattr(record, "ASPECT_NAME", None) or "", frozenset())
        tree = _stamp_tree(record.RECORD_SCHEMA, frozenset()) or {}
        _STAMPS[record] = {field: below for field, below in tree.items() if field not in kept}
    return _STAMPS[record]


def _stamp_tree(schema: Any, above: frozenset[str]) -> Any:
    """Build the (possibly empty) tree below ``schema``, or ``None`` if ``schema`` is an audit stamp itself."""
    if schema.type == "record":
        if schema.name in ("AuditStamp", "MetadataAttribution"):
            return None
        if schema.fullname in above:
            return {}
        below = above | {schema.fullname}
        return _grown({field.name: _stamp_tree(field.type, below) for field in schema.fields})
    if schema.type == "array":
        return _grown({"*": _stamp_tree(schema.items, above)})
    if schema.type == "map":
        return _grown({"*": _stamp_tree(schema.values, above)})
    if schema.type == "union":
        trees = [_stamp_tree(branch, above) for branch in schema.schemas if branch.type != "null"]
        if len(trees) == 1:
            return trees[0]
    return {}


def _grown(tree: dict[str, Any]) -> dict[str, Any]:
    return {key: below for key, below in tree.items() if below is None or below}


def _strip(value: Any, tree: Any) -> None:
    if tree is None:
        if isinstance(value, dict):
            value.pop("time", None)
    elif isinstance(value, list):
        below = tree.get("*", {})
        for entry in value:
            _strip(entry, below)
    elif isinstance(value, dict):
        if "*" in tree:
            for entry in value.values():
                _strip(entry, tree["*"])
        else:
            for key, below in tree.items():
                if key in value:
                    _strip(value[key], below)
