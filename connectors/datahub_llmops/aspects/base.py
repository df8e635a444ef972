"""Base classes of the generated aspects, with checks whose messages name the field.

DataHub's own ``validate()`` only returns False, and the errors of its encoder contain the whole aspect.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any, Final, Generic, Self, TypeVar, dataclass_transform, overload

import avro.schema
from avro.schema import ArraySchema, RecordSchema, UnionSchema
from avrogen.avrojson import get_global_json_converter
from avrogen.dict_wrapper import DictWrapper
from datahub._codegen.aspect import _Aspect
from datahub.emitter.aspect import ASPECT_MAP, TIMESERIES_ASPECT_MAP
from typing_extensions import override

from datahub_llmops.aspects.manifest import package_data
from datahub_llmops.errors import AspectValueError

_INTEGER_BITS: Final[Mapping[str, int]] = {"int": 32, "long": 64}
_WORDS: Final[Mapping[str, str]] = {
    "string": "a text",
    "boolean": "true or false",
    "int": "a whole number",
    "long": "a whole number",
    "double": "a number",
}
_ZERO: Final[Mapping[str, Any]] = {"string": "", "int": 0, "long": 0, "double": 0.0, "boolean": False}


@cache
def _schemas() -> Mapping[str, RecordSchema]:
    """Map the full name of every record to its schema."""
    schemas: dict[str, RecordSchema] = {}
    for raw in package_data()["schemas"]:
        for schema in _records(avro.schema.make_avsc_object(raw)):
            schemas.setdefault(schema.fullname, schema)
    return schemas


def _records(schema: Any) -> Iterator[RecordSchema]:
    if isinstance(schema, RecordSchema):
        yield schema
        for field in schema.fields:
            yield from _records(field.type)
    elif isinstance(schema, ArraySchema):
        yield from _records(schema.items)
    elif isinstance(schema, UnionSchema):
        for member in schema.schemas:
            yield from _records(member)


def schema_of(full_name: str) -> RecordSchema:
    """Return the Avro schema of one record."""
    return _schemas()[full_name]


_T = TypeVar("_T")


class Field(Generic[_T]):
    """A field of a record, read and written where avrogen keeps its values."""

    def __init__(self, doc: str, *, required: bool) -> None:
        self.__doc__ = doc
        self.required = required

    def __set_name__(self, owner: type[object], name: str) -> None:
        self._name = name

    @overload
    def __get__(self, record: None, owner: type[object]) -> Self: ...

    @overload
    def __get__(self, record: DictWrapper, owner: type[object]) -> _T: ...

    def __get__(self, record: DictWrapper | None, owner: type[object]) -> Self | _T:
        if record is None:
            return self
        value: _T = record._inner_dict[self._name]
        return value

    def __set__(self, record: DictWrapper, value: _T) -> None:
        record._inner_dict[self._name] = value


_REQUIRED: Final[Any] = object()


def field(doc: str, *, default: Any = _REQUIRED) -> Field[Any]:
    """Declare a field of a generated class; one without a default has to be given to the constructor."""
    return Field(doc, required=default is _REQUIRED)


def _fill(record: DictWrapper, values: Mapping[str, Any]) -> None:
    """Set every field of ``record``, those that are not given to ``None``.

    Raises:
        TypeError: a required field is missing, or one is unknown, as for any signature in Python.
    """
    fields = {name: one for name, one in vars(type(record)).items() if isinstance(one, Field)}
    missing = sorted(name for name, one in fields.items() if one.required and name not in values)
    if missing or not values.keys() <= fields.keys():
        unknown = sorted(values.keys() - fields.keys())
        raise TypeError(f"{type(record).__name__}: missing fields {missing}, unknown fields {unknown}")
    for name in fields:
        record._inner_dict[name] = values.get(name)


@dataclass_transform(kw_only_default=True, field_specifiers=(field,))
class LlmopsRecord(DictWrapper):
    """Base class of the records inside typed aspects."""

    def __init__(self, **values: Any) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # avrogen ships without annotations here
        _fill(self, values)

    @override
    def _restore_defaults(self) -> None:
        _restore(self)

    def problems(self) -> list[str]:
        """List what the schema does not allow, one line for each field."""
        return list(_record_problems(self, self.RECORD_SCHEMA, ""))


@dataclass_transform(kw_only_default=True, field_specifiers=(field,))
class LlmopsAspect(_Aspect):
    """Base class of the typed aspects."""

    def __init__(self, **values: Any) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # DataHub's base has no annotations here
        _fill(self, values)

    @override
    def _restore_defaults(self) -> None:
        _restore(self)

    def problems(self) -> list[str]:
        """List what the schema does not allow, one line for each field. No line contains a value."""
        return list(_aspect_problems(self))

    def check(self) -> None:
        """Check that a server accepts the aspect, and that its UI can show it.

        Raises:
            AspectValueError: the aspect is not valid. The message names it and each wrong field.
        """
        problems = self.problems()
        if problems:
            raise AspectValueError(f"{self.ASPECT_NAME}: {'; '.join(problems)}")

    @override
    def validate(self) -> bool:
        """Return whether the aspect is valid. Replaces DataHub's check."""
        return not self.problems()

    @override
    def to_obj(self, tuples: bool = False) -> dict[str, Any]:
        """Convert the aspect to plain JSON, as DataHub does, but check it first.

        Raises:
            AspectValueError: the aspect is not valid.
        """
        self.check()
        return super().to_obj(tuples=tuples)


def _restore(record: DictWrapper) -> None:
    # DataHub's decoder knows only the keys that are set here.
    for field in record.RECORD_SCHEMA.fields:
        kind = field.type.type
        value: Any = None if kind == "union" else [] if kind == "array" else _ZERO.get(kind)
        record._inner_dict[field.name] = value


def _aspect_problems(aspect: LlmopsAspect) -> Iterator[str]:
    schema = aspect.RECORD_SCHEMA
    yield from _record_problems(aspect, schema, "")
    annotation: Any = schema.other_props["Aspect"]
    render = annotation.get("renderSpec", {})
    if render.get("displayType") == "tabular":
        yield from _table_problems(aspect._inner_dict.get(render["key"]), render["key"])


def _table_problems(rows: Any, key: str) -> Iterator[str]:
    if not isinstance(rows, list) or not rows or not all(isinstance(row, DictWrapper) for row in rows):
        return
    columns = [{name for name, value in row.items() if value is not None} for row in rows]
    hidden = set[str]().union(*columns) - columns[0]
    if hidden:
        names = ", ".join(sorted(hidden))
        yield f"{key}[0] lacks {names}: put a row with it first, because the UI takes the columns from the first row"


def _record_problems(record: DictWrapper, schema: RecordSchema, prefix: str) -> Iterator[str]:
    for field in schema.fields:
        name = f"{prefix}{field.name}"
        value = record._inner_dict.get(field.name)
        kind = field.type
        if isinstance(kind, UnionSchema):
            if value is None:
                continue
            kind = kind.schemas[1]
        elif value is None:
            yield f"{name} is required"
            continue
        yield from _value_problems(value, kind, name, field.other_props)


def _value_problems(value: Any, kind: Any, name: str, annotations: Mapping[str, Any]) -> Iterator[str]:
    if isinstance(kind, ArraySchema):
        yield from _list_problems(value, kind, name, annotations)
    elif isinstance(kind, RecordSchema):
        if not isinstance(value, DictWrapper) or value.RECORD_SCHEMA.fullname != kind.fullname:
            yield f"{name} must be a {kind.name}Class, not {type(value).__name__}"
        else:
            yield from _record_problems(value, kind, f"{name}.")
    elif not _is_scalar(value, kind.type):
        yield f"{name} must be {_WORDS[kind.type]}, not {type(value).__name__}{_range_hint(value, kind.type)}"
    else:
        yield from _text_problems(value, name, annotations)


def _list_problems(value: Any, kind: ArraySchema, name: str, annotations: Mapping[str, Any]) -> Iterator[str]:
    if not isinstance(value, list):
        yield f"{name} must be a list, not {type(value).__name__}"
        return
    if not value:
        yield f"{name} must not be empty: omit it, because the table in the UI crashes on an empty list"
    relationship = annotations.get("Relationship", {}).get("/*")
    inner = {"Relationship": relationship} if relationship else {}
    for index, item in enumerate(value):
        yield from _value_problems(item, kind.items, f"{name}[{index}]", inner)


def _is_scalar(value: Any, kind: str) -> bool:
    if kind == "boolean":
        return isinstance(value, bool)
    if kind == "string":
        return isinstance(value, str)
    if isinstance(value, bool):
        return False
    if kind in _INTEGER_BITS:
        bound = 1 << (_INTEGER_BITS[kind] - 1)
        return isinstance(value, int) and -bound <= value < bound
    # JSON has neither NaN nor infinity. Neither lies within the bounds of a double.
    return isinstance(value, int | float) and abs(value) <= 1.7976931348623157e308


def _range_hint(value: Any, kind: str) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ""
    if kind in _INTEGER_BITS and isinstance(value, int):
        return f" beyond {_INTEGER_BITS[kind]} bits"
    return " without a finite value" if kind == "double" else ""


def _text_problems(value: Any, name: str, annotations: Mapping[str, Any]) -> Iterator[str]:
    allowed = annotations.get("LlmopsValues")
    if allowed and value not in allowed:
        yield f"{name} must be one of {', '.join(allowed)}"
    relationship = annotations.get("Relationship")
    if relationship:
        prefixes = tuple(f"urn:li:{kind}:" for kind in relationship["entityTypes"])
        if not value.startswith(prefixes):
            yield f"{name} must be a URN of {' or '.join(relationship['entityTypes'])}"


def register_classes(aspects: Iterable[type[LlmopsAspect]], records: Iterable[type[LlmopsRecord]]) -> None:
    """Register the classes for reading. DataHub needs both registrations; with only one, ``from_obj`` fails."""
    wanted: list[type[DictWrapper]] = [*aspects, *records]
    for aspect in wanted:
        if issubclass(aspect, LlmopsAspect):
            ASPECT_MAP[aspect.ASPECT_NAME] = aspect
            if aspect.ASPECT_TYPE == "timeseries":
                TIMESERIES_ASPECT_MAP[aspect.ASPECT_NAME] = aspect
    for tuples in (False, True):
        types = get_global_json_converter(tuples).schema_types
        for kind in wanted:
            types[kind.RECORD_SCHEMA.fullname] = kind
