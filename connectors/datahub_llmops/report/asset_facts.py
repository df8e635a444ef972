"""Reads out of aspects what the page of an asset says, on a terminal as in a report. Pure.

The texts are as the catalog has them: whoever shows them makes them safe for where they are shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple, TypeAlias

from datahub_llmops.assets.usage import moves
from datahub_llmops.catalog import urn_text
from datahub_llmops.catalog.aspect_facts import read_schema_fields
from datahub_llmops.catalog.labels import Label, labels_in
from datahub_llmops.catalog.protocol import Aspect
from datahub_llmops.catalog.sizes import size_text
from datahub_llmops.catalog.usage_totals import UsageTotals
from datahub_llmops.net.json_values import array, mapping, objects, text

Aspects: TypeAlias = Mapping[str, Aspect]
Row: TypeAlias = tuple[str, str]
"""A title and a text."""

MOVING: Final = "Not observable: a provider moves this name, and did not say which version served."
_SQL: Final = (("viewProperties", "viewLogic"), ("dataTransformLogic", "transforms"))


class AttachedMark(NamedTuple):
    """A term or tag, and the URN that it was propagated from; ``None`` if it was not."""

    label: Label
    origin: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnFacts:
    """A column with what is attached to it. ``properties`` are structured properties: URN and value."""

    path: str
    type: str
    description: str
    marks: tuple[AttachedMark, ...]
    properties: tuple[Row, ...]


def read_column_facts(holder: str, schema: Aspects, fields: Mapping[str, Aspects]) -> Iterator[ColumnFacts]:
    """Yield the columns of the asset ``holder``, in order.

    Args:
        holder: its URN.
        schema: its aspects, at least those that describe columns.
        fields: the aspects of ``schemaField`` entities, by URN.
    """
    editable = dict(read_schema_fields("editableSchemaMetadata", schema))
    for path, entry in read_schema_fields("schemaMetadata", schema):
        edited = editable.get(path, {})
        own = [fields.get(urn, {}) for urn in urn_text.field_urns(holder, path)]
        marks = [mark for source in (entry, edited, *own) for mark in read_marks(source)]
        yield ColumnFacts(
            path=urn_text.simple_path(path),
            type=text(entry.get("nativeDataType")) or "",
            description=text(edited.get("description")) or text(entry.get("description")) or "",
            marks=tuple(dict.fromkeys(marks)),
            properties=tuple(dict.fromkeys(pair for aspects in own for pair in read_structured(aspects))),
        )


def read_marks(aspects: Mapping[str, Any]) -> Iterator[AttachedMark]:
    """Yield terms and tags of an asset's aspects, or of one field in a schema: there they have the same form."""
    for attached in labels_in(aspects):
        propagated = attached.detail.get("propagated") == "true"
        yield AttachedMark(attached.label, attached.origin if propagated else None)


def read_owner_roles(aspects: Aspects) -> list[tuple[str, str]]:
    """List the owners of an asset, each with its role in lower case; empty if the catalog states none."""
    entries = objects(mapping(aspects.get("ownership")).get("owners"))
    return [
        (
            owner,
            _role(
                urn_text.full_name(text(entry.get("typeUrn")) or "").removeprefix("__system__")
                or text(entry.get("type"))
                or ""
            ),
        )
        for entry in entries
        if (owner := text(entry.get("owner")))
    ]


def _role(role: str) -> str:
    return "" if role == "none" else role.replace("_", " ").lower()


def read_structured(aspects: Mapping[str, Any]) -> list[Row]:
    """List the structured properties: URN and values as text."""
    entries = objects(mapping(aspects.get("structuredProperties")).get("properties"))
    return [
        (urn, ", ".join(_value(value) for value in array(entry.get("values"))))
        for entry in entries
        if (urn := text(entry.get("propertyUrn")))
    ]


def _value(value: object) -> str:
    """Return the value in DataHub's union: ``{"double": 768.0}`` is 768."""
    if isinstance(value, dict) and len(value) == 1:
        value = next(iter(value.values()))
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value)


def read_container_path(aspects: Aspects) -> list[str]:
    """List the URNs or names of the asset's containers, outermost first."""
    entries = objects(mapping(aspects.get("browsePathsV2")).get("path"))
    path = [text(entry.get("urn")) or text(entry.get("id")) for entry in entries]
    container = text(mapping(aspects.get("container")).get("container"))
    return [step for step in path if step] or ([container] if container else [])


def read_domains(aspects: Aspects) -> list[str]:
    """List the URNs of the asset's domains."""
    return [urn for urn in array(mapping(aspects.get("domains")).get("domains")) if isinstance(urn, str)]


def read_version(aspects: Aspects) -> str:
    """Return the version in ``versionProperties``, or an empty text."""
    return text(mapping(mapping(aspects.get("versionProperties")).get("version")).get("versionTag")) or ""


def read_deprecation(aspects: Aspects) -> str:
    """Return why the asset is deprecated, or ``yes``; an empty text if it is not."""
    deprecation = mapping(aspects.get("deprecation"))
    return (text(deprecation.get("note")) or "yes") if deprecation.get("deprecated") is True else ""


def is_removed(aspects: Aspects) -> bool:
    """Whether the asset is soft-deleted."""
    return mapping(aspects.get("status")).get("removed") is True


def read_description(aspects: Aspects) -> str:
    """Return the description that people wrote in the catalog, or else that of the source."""
    edited = sorted(name for name in aspects if name.startswith("editable"))
    for name in (*edited, *sorted(aspects)):
        if found := text(aspects[name].get("description")) or text(aspects[name].get("definition")):
            return found
    return ""


def read_statements(aspects: Aspects) -> list[str]:
    """List the SQL, or other text, that the asset is made by. Of a prompt that is its template."""
    view, transforms = (mapping(aspects.get(aspect)).get(key) for aspect, key in _SQL)
    found = [text(view)]
    for entry in objects(transforms):
        found.append(text(mapping(entry.get("queryStatement")).get("value")))
    return [sql for sql in found if sql]


def custom_rows(aspects: Aspects) -> Iterator[Row]:
    """Yield the properties that the source gave as text, without those that repeat a statement."""
    shown = set(map(one_line, read_statements(aspects)))
    every = (mapping(aspect.get("customProperties")) for _, aspect in sorted(aspects.items()))
    for key, value in sorted(
        (str(key), str(value)) for properties in every for key, value in properties.items()
    ):
        if one_line(value) not in shown:
            yield key, value


def size_rows(latest: Aspects) -> Iterator[Row]:
    """Yield the size of a dataset in its newest profile."""
    profile = mapping(latest.get("datasetProfile"))
    for title, key, form in (
        ("Rows", "rowCount", number_text),
        ("Columns", "columnCount", number_text),
        ("Size", "sizeInBytes", size_text),
    ):
        if isinstance(value := profile.get(key), int):
            yield title, form(value)


def usage_rows(usage: UsageTotals) -> Iterator[Row]:
    """Yield what was counted of an asset. A sum with an unknown part is not known."""
    days = {time_text(usage.first_day)[:10]: None, time_text(usage.last_day)[:10]: None}
    counted = f"{number_text(usage.days)} day{'s' if usage.days > 1 else ''}"
    errors = f", {number_text(usage.errors)} of them with errors" if usage.errors else ""
    yield "Usage", f"{number_text(usage.calls)} calls on {counted} ({' to '.join(days)}){errors}"
    tokens = usage.input_tokens, usage.output_tokens
    yield "Tokens", "not known" if None in tokens else f"{tokens[0]:,} in, {tokens[1]:,} out"
    yield "Cost", "not known" if usage.cost is None else f"{usage.cost:,.4f} {usage.currency}"


def property_rows(aspects: Aspects, name: Callable[[str], str]) -> Iterator[Row]:
    """Yield the structured properties under their names."""
    for urn, value in read_structured(aspects):
        yield name(urn), value


def model_rows(entity_type: str, name: str) -> Iterator[Row]:
    """Say of a model whose name a provider moves that its version is not known."""
    if entity_type == "mlModel" and moves(name):
        yield "Version", MOVING


def last_change(aspects: Aspects, latest: Aspects) -> int | None:
    """Return when the asset changed last, in milliseconds since 1970, if the catalog knows."""
    times = [
        time
        for time in (
            mapping(mapping(aspects.get("datasetProperties")).get("lastModified")).get("time"),
            mapping(latest.get("operation")).get("lastUpdatedTimestamp"),
        )
        if isinstance(time, int) and time > 0
    ]
    return max(times, default=None)


def named_in(aspects: Aspects, columns: Sequence[ColumnFacts]) -> set[str]:
    """List the URNs that the page of an asset shows by name: owners, terms, properties, containers, origins."""
    marks = [*read_marks(aspects), *(mark for column in columns for mark in column.marks)]
    urns = {mark.label.urn for mark in marks} | {
        urn_text.asset_of(mark.origin) for mark in marks if mark.origin
    }
    urns |= {urn for column in columns for urn, _ in column.properties}
    urns |= {urn for urn, _ in read_structured(aspects)}
    urns |= {*read_container_path(aspects), *read_domains(aspects)}
    urns |= {owner for owner, _ in read_owner_roles(aspects)}
    return {urn for urn in urns if urn.startswith("urn:li:")}


def time_text(milliseconds: int) -> str:
    """Write a time for people, in UTC."""
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
    except (OverflowError, ValueError, OSError):
        return str(milliseconds)


def number_text(value: int) -> str:
    """Write a whole number with separators between thousands."""
    return f"{value:,}"


def one_line(text: str) -> str:
    """Return a text with single spaces in place of all white space."""
    return " ".join(text.split())
