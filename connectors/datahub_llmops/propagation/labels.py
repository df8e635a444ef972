"""Glossary terms and tags as the aspects of one asset or column say them, and who attached which. Pure.

A column's are read from all three places that hold them: ``schemaMetadata``, ``editableSchemaMetadata`` and the
aspects of its ``schemaField`` entity. Only in the last of these does DataHub keep attribution apart, so only there do
we write.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from datahub_llmops.catalog import urn_text
from datahub_llmops.catalog.aspect_facts import LabelKind
from datahub_llmops.catalog.protocol import Aspect
from datahub_llmops.urns import ATTRIBUTION_SOURCE

_FIELD_LISTS: Final = {"schemaMetadata": "fields", "editableSchemaMetadata": "editableSchemaFieldInfo"}


@dataclass(frozen=True, slots=True, order=True)
class Label:
    """A glossary term or tag."""

    kind: LabelKind
    urn: str

    @property
    def name(self) -> str:
        """What follows the type in the URN; filters match it.

        >>> Label("term", "urn:li:glossaryTerm:Privacy.PersonalData").name
        'Privacy.PersonalData'
        """
        return self.urn.split(":", 3)[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attached:
    """A label where it is attached; ``attribution`` is ``None`` where nobody is named."""

    label: Label
    attribution: Mapping[str, Any] | None = None

    @property
    def ours(self) -> bool:
        """Whether propagation attached it."""
        return self.attribution is not None and self.attribution.get("source") == ATTRIBUTION_SOURCE

    @property
    def origin(self) -> str | None:
        """The asset or column that it was carried from, where it says so."""
        origin = _record((self.attribution or {}).get("sourceDetail")).get("origin")
        return origin if isinstance(origin, str) else None

    def carried_from(self, origin: str) -> bool:
        """Whether the attribution says all of what we would write."""
        detail = _record((self.attribution or {}).get("sourceDetail"))
        return detail == source_detail(origin)


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """What propagation needs to know of one asset or ``schemaField``.

    ``own`` are the labels of the entity itself. Of a dataset, ``fields`` are those of its columns in the two schema
    aspects, by ``schemaField`` URN as the aspect spells the path, and ``columns`` the columns of its schema: canonical
    URN to the URNs that the schema spells, ``None`` where no schema is known.
    """

    urn: str
    exists: bool
    removed: bool = False
    own: tuple[Attached, ...] = ()
    fields: tuple[tuple[str, Attached], ...] = ()
    columns: Mapping[str, tuple[str, ...]] | None = None


def source_detail(origin: str) -> dict[str, str]:
    """Where a label came from, in the words of DataHub's own propagation."""
    return {"propagated": "true", "origin": origin}


def canonical(column: str) -> str:
    """One URN for a column, whether its path is in the form with types or without; lineage uses either.

    >>> table = "urn:li:dataset:(urn:li:dataPlatform:kafka,users,PROD)"
    >>> canonical(f"urn:li:schemaField:({table},[version=2.0].[type=struct].[type=string].email)")
    'urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:kafka,users,PROD),email)'
    """
    field = urn_text.split_field(column) if "[version=2.0]" in column else None
    return urn_text.schema_field(field[0], urn_text.simple_path(field[1])) if field else column


def is_origin(urn: str) -> bool:
    """Whether labels are carried from such a thing at all: datasets and columns. A job's own say what the job is."""
    return urn_text.entity_type(urn) in ("dataset", "schemaField")


def holder(urn: str, aspects: Mapping[str, Aspect]) -> Holder:
    """What the aspects of one entity say; one without any was never emitted. ``removed`` is soft-deleted."""
    return Holder(
        urn=urn,
        exists=bool(aspects),
        removed=_record(aspects.get("status")).get("removed") is True,
        own=tuple(_attached(aspects.get("glossaryTerms"), aspects.get("globalTags"))),
        fields=tuple(_fields(urn, aspects)),
        columns=_columns(urn, aspects.get("schemaMetadata")),
    )


def _fields(urn: str, aspects: Mapping[str, Aspect]) -> Iterator[tuple[str, Attached]]:
    for aspect, fields in _FIELD_LISTS.items():
        for field in _records(_record(aspects.get(aspect)).get(fields)):
            if isinstance(path := field.get("fieldPath"), str) and path:
                column = urn_text.schema_field(urn, path)
                for attached in _attached(field.get("glossaryTerms"), field.get("globalTags")):
                    yield column, attached


def _columns(urn: str, schema: Aspect | None) -> Mapping[str, tuple[str, ...]] | None:
    if schema is None:
        return None
    found: dict[str, tuple[str, ...]] = {}
    for field in _records(schema.get("fields")):
        if isinstance(path := field.get("fieldPath"), str) and path:
            column = urn_text.schema_field(urn, path)
            known = found.get(canonical(column), ())
            found[canonical(column)] = tuple(dict.fromkeys((*known, column)))
    return found


def _attached(terms: object, tags: object) -> Iterator[Attached]:
    for entry in _records(_record(terms).get("terms")):
        if isinstance(urn := entry.get("urn"), str):
            yield Attached(label=Label("term", urn), attribution=_attribution(entry))
    for entry in _records(_record(tags).get("tags")):
        if isinstance(urn := entry.get("tag"), str):
            yield Attached(label=Label("tag", urn), attribution=_attribution(entry))


def _attribution(entry: Mapping[str, Any]) -> Mapping[str, Any] | None:
    return _record(entry.get("attribution")) or None


def _records(value: object) -> list[Mapping[str, Any]]:
    return [entry for entry in value if isinstance(entry, Mapping)] if isinstance(value, list) else []


def _record(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
