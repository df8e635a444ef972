"""Reads glossary terms and tags out of aspects: the one reader for search, propagation and the asset page. Pure.

An asset's own labels are in ``glossaryTerms`` and ``globalTags``. Those of its columns are in the two schema aspects,
and in the ``glossaryTerms`` and ``globalTags`` of their ``schemaField`` entities.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

from datahub_llmops.catalog.aspect_facts import SCHEMA_ASPECTS, read_schema_fields
from datahub_llmops.catalog.urn_text import field_urns
from datahub_llmops.net.json_values import mapping, objects, text

LabelKind: TypeAlias = Literal["term", "tag"]

_LISTS: Final[tuple[tuple[str, str, str, LabelKind], ...]] = (
    ("glossaryTerms", "terms", "urn", "term"),
    ("globalTags", "tags", "tag", "tag"),
)
LABEL_ASPECTS: Final = frozenset({"glossaryTerms", "globalTags", *SCHEMA_ASPECTS})


@dataclass(frozen=True, slots=True, order=True)
class Label:
    """A glossary term or tag."""

    kind: LabelKind
    urn: str

    @property
    def name(self) -> str:
        """The part of the URN after its type. Patterns in recipes match it.

        >>> Label("term", "urn:li:glossaryTerm:Privacy.PersonalData").name
        'Privacy.PersonalData'
        """
        return self.urn.split(":", 3)[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachedLabel:
    """A label, the field that it is attached to, and who attached it."""

    label: Label
    path: str | None = None
    """The field path as the schema spells it; ``None`` if the label is attached to the entity itself."""
    attribution: Mapping[str, Any] = field(default_factory=dict)
    """DataHub's ``MetadataAttribution``; empty if there is none."""

    @property
    def detail(self) -> Mapping[str, Any]:
        """The details of the attribution: how the label got here."""
        return mapping(self.attribution.get("sourceDetail"))

    @property
    def origin(self) -> str | None:
        """The asset or column that the label was propagated from, if it was."""
        return text(self.detail.get("origin"))

    def targets(self, entity: str) -> tuple[str, ...]:
        """The URNs that carry the label, read from the aspects of ``entity``: it, or its column in both spellings."""
        return (entity,) if self.path is None else field_urns(entity, self.path)


def read_labels(aspects: Mapping[str, Mapping[str, Any]]) -> Iterator[AttachedLabel]:
    """Every label in the aspects of one entity, those on its fields too."""
    yield from labels_in(aspects)
    for name in SCHEMA_ASPECTS:
        for path, entry in read_schema_fields(name, aspects):
            yield from labels_in(entry, path)


def labels_in(record: Mapping[str, Any], path: str | None = None) -> Iterator[AttachedLabel]:
    """The labels under ``glossaryTerms`` and ``globalTags``: of an entity's aspects, or of one field of a schema."""
    for name, entries, key, kind in _LISTS:
        if name in record:
            for entry in objects(mapping(record[name]).get(entries)):
                if urn := text(entry.get(key)):
                    attribution = mapping(entry.get("attribution"))
                    yield AttachedLabel(label=Label(kind, urn), path=path, attribution=attribution)
