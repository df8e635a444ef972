"""What an aspect says about its asset that lists and graphs show: name, description, subtype, owners, labels.

Pure functions over aspects in the metadata file format; they bear with any shape, since a catalog may hold anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, TypeAlias

from datahub_llmops.catalog.urn_text import schema_field, simple_path

LabelKind: TypeAlias = Literal["term", "tag"]


_NAMES: Mapping[str, str] = {
    "applicationProperties": "name",
    "businessAttributeInfo": "name",
    "chartInfo": "title",
    "containerProperties": "name",
    "corpGroupInfo": "displayName",
    "corpUserInfo": "displayName",
    "dashboardInfo": "title",
    "dataFlowInfo": "name",
    "dataJobInfo": "name",
    "dataPlatformInfo": "displayName",
    "dataPlatformInstanceProperties": "name",
    "dataProcessInstanceProperties": "name",
    "dataProductProperties": "name",
    "datasetProperties": "name",
    "documentInfo": "title",
    "domainProperties": "name",
    "glossaryNodeInfo": "name",
    "glossaryTermInfo": "name",
    "incidentInfo": "title",
    "mlModelGroupProperties": "name",
    "mlModelProperties": "name",
    "notebookInfo": "title",
    "ownershipTypeInfo": "name",
    "propertyDefinition": "displayName",
    "queryProperties": "name",
    "tagProperties": "name",
    "versionSetProperties": "name",
}
_EDITED_NAMES: Mapping[str, str] = {
    "corpGroupEditableInfo": "displayName",
    "corpUserEditableInfo": "displayName",
    "editableDatasetProperties": "name",
}
_DESCRIPTIONS: Mapping[str, str] = {
    **dict.fromkeys(_NAMES, "description"),
    "corpUserInfo": "title",
    "glossaryNodeInfo": "definition",
    "glossaryTermInfo": "definition",
    "mlFeatureProperties": "description",
    "mlFeatureTableProperties": "description",
    "mlPrimaryKeyProperties": "description",
}
_EDITED_DESCRIPTIONS: Mapping[str, str] = {
    "editableChartProperties": "description",
    "editableContainerProperties": "description",
    "editableDashboardProperties": "description",
    "editableDataFlowProperties": "description",
    "editableDataJobProperties": "description",
    "editableDatasetProperties": "description",
    "editableMlModelGroupProperties": "description",
    "editableMlModelProperties": "description",
}
_OTHER = frozenset({"ownership", "subTypes", "status", "dataPlatformInstance"})

LABEL_ASPECTS = frozenset({"glossaryTerms", "globalTags", "schemaMetadata", "editableSchemaMetadata"})
FACT_ASPECTS = (
    _NAMES.keys() | _EDITED_NAMES.keys() | _DESCRIPTIONS.keys() | _EDITED_DESCRIPTIONS.keys() | _OTHER
)


def facts(aspect_name: str, aspect: Mapping[str, Any]) -> dict[str, str | int | None]:
    """Columns of the asset that this aspect decides, with their values; an empty mapping says "no longer known".

    Keys: name, edited_name, description, edited_description, subtype, owners (one URN a line), platform, removed.
    """
    found: dict[str, str | int | None] = {}
    for column, fields in (
        ("name", _NAMES),
        ("edited_name", _EDITED_NAMES),
        ("description", _DESCRIPTIONS),
        ("edited_description", _EDITED_DESCRIPTIONS),
    ):
        if aspect_name in fields:
            found[column] = _text(aspect.get(fields[aspect_name]))
    if aspect_name == "subTypes":
        names = _list(aspect.get("typeNames"))
        found["subtype"] = _text(names[0]) if names else None
    elif aspect_name == "ownership":
        found["owners"] = "\n".join(owners(aspect))
    elif aspect_name == "status":
        found["removed"] = int(aspect.get("removed") is True)
    elif aspect_name == "dataPlatformInstance":
        platform = _text(aspect.get("platform"))
        found["platform"] = platform.rpartition(":")[2] if platform else None
    return found


def owners(aspect: Mapping[str, Any]) -> list[str]:
    """Owner URNs of an ``ownership`` aspect, in order, each once."""
    urns = (_text(_dict(entry).get("owner")) for entry in _list(aspect.get("owners")))
    return list(dict.fromkeys(urn for urn in urns if urn))


def aliases(properties: Mapping[str, Any]) -> list[str]:
    """Other names of a collection in its ``datasetProperties``; DataHub's ``elasticsearch`` writes them as ours do.

    >>> aliases({"customProperties": {"aliases": "current, stable"}})
    ['current', 'stable']
    """
    said = _text(_dict(properties.get("customProperties")).get("aliases")) or ""
    return [name for one in said.split(",") if (name := one.strip())]


def by_alias(described: Iterable[tuple[str, Mapping[str, Any]]]) -> dict[str, list[str]]:
    """Alias -> URNs, of pairs of a URN and its ``datasetProperties``."""
    found: dict[str, list[str]] = {}
    for urn, properties in described:
        for name in dict.fromkeys(aliases(properties)):
            found.setdefault(name, []).append(urn)
    return found


def labels(urn: str, aspect_name: str, aspect: Mapping[str, Any]) -> Iterator[tuple[str, LabelKind, str]]:
    """(asset or ``schemaField`` URN, kind, term or tag URN) for every glossary term and tag in the aspect.

    A field with a path of the v2 form is named by both of its forms: column lineage uses either.
    """
    if aspect_name == "glossaryTerms":
        yield from ((urn, "term", term) for term in _terms(aspect))
    elif aspect_name == "globalTags":
        yield from ((urn, "tag", tag) for tag in _tags(aspect))
    elif aspect_name in LABEL_ASPECTS:
        fields = "fields" if aspect_name == "schemaMetadata" else "editableSchemaFieldInfo"
        for entry in map(_dict, _list(aspect.get(fields))):
            path = _text(entry.get("fieldPath"))
            terms, tags = _terms(entry.get("glossaryTerms")), _tags(entry.get("globalTags"))
            if path and (terms or tags):
                for form in dict.fromkeys((path, simple_path(path))):
                    target = schema_field(urn, form)
                    yield from ((target, "term", term) for term in terms)
                    yield from ((target, "tag", tag) for tag in tags)


def _terms(value: object) -> list[str]:
    return _urns(_dict(value).get("terms"), "urn")


def _tags(value: object) -> list[str]:
    return _urns(_dict(value).get("tags"), "tag")


def _urns(entries: object, key: str) -> list[str]:
    return [urn for entry in _list(entries) if (urn := _text(_dict(entry).get(key)))]


def columns(schema: Mapping[str, Any]) -> dict[str, str]:
    """Field path in simple form -> native type, of a ``schemaMetadata`` aspect, in its order."""
    found: dict[str, str] = {}
    for entry in map(_dict, _list(schema.get("fields"))):
        path = _text(entry.get("fieldPath"))
        if path:
            found[simple_path(path)] = _text(entry.get("nativeDataType")) or ""
    return found


def last_part(name: str) -> str:
    """What follows the last dot or slash of a name; by it an asset is found under a short name."""
    return name.replace("/", ".").rstrip(".").rpartition(".")[2]


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _dict(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
