"""Generates ``generated.py``, with a typed class for every record."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from generator.source import Field, Record, Schemas, SourceError

SCALARS = {"string": "str", "int": "int", "long": "int", "double": "float", "boolean": "bool"}

HEAD = '''\
"""Typed classes of the aspects of datahub-llmops, generated from the PDL in ``schemas/``: do not edit.

Change the PDL and run ``make schemas``. What each field means and where it is shown: ``docs/schemas.md``.
"""

from __future__ import annotations

from typing import ClassVar, Final

from datahub_llmops.aspects.base import Field, LlmopsAspect, LlmopsRecord, field, register_classes, schema_of

SCHEMAS_VERSION: Final = "{version}"
"""Version of the schemas, and of the model plugin in this package."""
'''

TAIL = '''

ASPECTS: Final[tuple[type[LlmopsAspect], ...]] = (
{aspects}
)
"""Every aspect, in the order of the registry."""

RECORDS: Final[tuple[type[LlmopsRecord], ...]] = (
{records}
)
"""Every record that an aspect holds."""


def register() -> None:
    """Let DataHub read our aspects back as these classes, from files and servers. May be called again."""
    register_classes(ASPECTS, RECORDS)
'''


def class_name(record: str) -> str:
    """Return the name of the class, formed as DataHub names its own generated classes."""
    return f"{record}Class"


def python_type(field: Field) -> str:
    record = field.record
    if field.is_array:
        inner = class_name(record["name"]) if record else scalar(field, field.item)
        base = f"list[{inner}]"
    else:
        base = class_name(record["name"]) if record else scalar(field, field.avro_type)
    return f"{base} | None" if field.optional else base


def scalar(field: Field, avro_type: object) -> str:
    if not isinstance(avro_type, str) or avro_type not in SCALARS:
        raise SourceError(f"Field {field.name} has the type {avro_type!r}: use a flat one or a list.")
    return SCALARS[avro_type]


def docstring(text: str, indent: str) -> str:
    """``text`` between triple quotes, wrapped to the width of a line below ``indent``."""
    lines = textwrap.wrap(text, width=110 - len(indent) - 6)
    if len(lines) == 1:
        return f'{indent}"""{lines[0]}"""'
    return "\n".join([f'{indent}"""{lines[0]}', *(f"{indent}{line}" for line in lines[1:]), f'{indent}"""'])


def field_doc(field: Field) -> str:
    values = field.annotations.get("LlmopsValues")
    return f"{field.doc} One of: {', '.join(values)}." if values else field.doc


def render_class(record: Record) -> Iterator[str]:
    base = "LlmopsAspect" if record.aspect else "LlmopsRecord"
    yield f"\n\nclass {class_name(record.name)}({base}):"
    yield docstring(record.doc, "    ")
    yield ""
    if record.aspect:
        kind = record.aspect.get("type", "default")
        yield f'    ASPECT_NAME: ClassVar[str] = "{record.aspect_name}"'
        yield f'    ASPECT_TYPE: ClassVar[str] = "{kind}"'
        yield "    ASPECT_INFO: ClassVar[dict[str, object]] = {}"
    yield f'    RECORD_SCHEMA = schema_of("{record.namespace}.{record.name}")'
    yield ""
    for field in record.fields:
        yield from render_field(field)


def render_field(field: Field) -> Iterator[str]:
    doc = field_doc(field).replace("\\", "\\\\").replace('"', '\\"')
    parts = [f'"{part}"' for part in textwrap.wrap(doc, width=98, drop_whitespace=False)]
    default = ", default=None" if field.optional else ""
    yield f"    {field.name}: Field[{python_type(field)}] = field({' '.join(parts)}{default})"


def render(schemas: Schemas) -> str:
    """Return the text of ``generated.py`` before formatting."""
    lines = [HEAD.format(version=schemas.version)]
    for record in (*schemas.nested, *schemas.aspects):
        lines.extend(render_class(record))
    aspects = "\n".join(f"    {class_name(record.name)}," for record in schemas.aspects)
    nested = "\n".join(f"    {class_name(record.name)}," for record in schemas.nested)
    lines.append(TAIL.format(aspects=aspects, records=nested))
    return "\n".join(lines)
