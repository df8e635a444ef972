"""Reads out of aspects what lists and graphs show of an asset: name, description, subtype, owners, columns.

Pure functions over aspects in the metadata file format. A value of an unexpected shape counts as absent, since a
catalog may hold anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from datahub_llmops.catalog.urn_text import simple_path
from datahub_llmops.net.json_values import array, mapping, objects, strings, text

PROPERTY_PREFIX: Final = "urn:li:structuredProperty:datahub_llmops."
"""URN of each of our structured properties, up to its short name."""

LISTED_PROPERTIES: Final = ("prompt_labels", "prompt_finding", "last_scores")
"""Those that lists of ten thousands of assets show."""

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
_FIELDS: Mapping[str, str] = {"schemaMetadata": "fields", "editableSchemaMetadata": "editableSchemaFieldInfo"}
SCHEMA_ASPECTS = tuple(_FIELDS)
"""Those that describe the fields of a dataset: what its source says, and what people edited."""
_OTHER = frozenset({"ownership", "subTypes", "status", "dataPlatformInstance"})

FACT_ASPECTS = (
    _NAMES.keys() | _EDITED_NAMES.keys() | _DESCRIPTIONS.keys() | _EDITED_DESCRIPTIONS.keys() | _OTHER
)


def read_facts(aspect_name: str, aspect: Mapping[str, Any]) -> dict[str, str | int | None]:
    """Read the columns of the catalog's ``asset`` table that this aspect sets. A missing value is ``None``.

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
            found[column] = text(aspect.get(fields[aspect_name]))
    if aspect_name == "subTypes":
        names = array(aspect.get("typeNames"))
        found["subtype"] = text(names[0]) if names else None
    elif aspect_name == "ownership":
        found["owners"] = "\n".join(read_owners(aspect))
    elif aspect_name == "status":
        found["removed"] = int(aspect.get("removed") is True)
    elif aspect_name == "dataPlatformInstance":
        platform = text(aspect.get("platform"))
        found["platform"] = platform.rpartition(":")[2] if platform else None
    return found


def read_owners(aspect: Mapping[str, Any]) -> list[str]:
    """List the distinct owner URNs of an ``ownership`` aspect, in order."""
    urns = (text(entry.get("owner")) for entry in objects(aspect.get("owners")))
    return list(dict.fromkeys(urn for urn in urns if urn))


QUALITY_ASPECTS: Final = ("assertionInfo", "incidentInfo")
"""Those that say which assets an assertion or an incident is about."""
RUN_ASPECT: Final = "dataProcessInstanceRelationships"
"""It says which job a process instance is a run of."""
SUBJECT_ASPECTS: Final = (*QUALITY_ASPECTS, RUN_ASPECT)
_ASSERTED: Final = (
    ("customAssertion", "entity"),
    ("datasetAssertion", "dataset"),
    ("fieldAssertion", "entity"),
    ("freshnessAssertion", "entity"),
    ("schemaAssertion", "entity"),
    ("sqlAssertion", "entity"),
    ("volumeAssertion", "entity"),
)


def read_subjects(aspect_name: str, aspect: Mapping[str, Any]) -> list[str]:
    """List the URNs of the assets that an assertion, an incident or a run is about.

    >>> read_subjects("incidentInfo", {"entities": ["urn:li:dataset:1"]})
    ['urn:li:dataset:1']
    """
    if aspect_name == "incidentInfo":
        return strings(aspect.get("entities"))
    if aspect_name == RUN_ASPECT:
        job = text(aspect.get("parentTemplate"))
        return [job] if job else []
    given = [text(mapping(aspect.get(kind)).get(key)) for kind, key in _ASSERTED]
    return list(dict.fromkeys(urn for urn in (*given, text(aspect.get("entityUrn"))) if urn))


def read_aliases(properties: Mapping[str, Any]) -> list[str]:
    """List the aliases of a collection in its ``datasetProperties``. DataHub's ``elasticsearch`` writes them alike.

    >>> read_aliases({"customProperties": {"aliases": "current, stable"}})
    ['current', 'stable']
    """
    listed = text(mapping(properties.get("customProperties")).get("aliases")) or ""
    return [name for part in listed.split(",") if (name := part.strip())]


def urns_by_alias(described: Iterable[tuple[str, Mapping[str, Any]]]) -> dict[str, list[str]]:
    """Map each alias to its URNs, from pairs of a URN and its ``datasetProperties``."""
    found: dict[str, list[str]] = {}
    for urn, properties in described:
        for name in dict.fromkeys(read_aliases(properties)):
            found.setdefault(name, []).append(urn)
    return found


def read_schema_fields(
    name: str, aspects: Mapping[str, Mapping[str, Any]]
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the path as spelled and the entry of every field in the schema aspect ``name``."""
    for entry in objects(mapping(aspects.get(name)).get(_FIELDS[name])):
        if path := text(entry.get("fieldPath")):
            yield path, entry


def read_columns(schema: Mapping[str, Any]) -> dict[str, str]:
    """Map the simple path of every field in a ``schemaMetadata`` aspect to its native type, in order."""
    fields = read_schema_fields("schemaMetadata", {"schemaMetadata": schema})
    return {simple_path(path): text(entry.get("nativeDataType")) or "" for path, entry in fields}


def last_part(name: str) -> str:
    """Return what follows the last dot or slash of a name. It is the short name of an asset."""
    return name.replace("/", ".").rstrip(".").rpartition(".")[2]


def read_properties(
    assigned: Mapping[str, Any], wanted: Mapping[str, str]
) -> dict[str, tuple[str | float, ...]]:
    """Read values out of ``structuredProperties``. ``wanted`` is URN -> the name that the result has it under.

    >>> read_properties({"properties": [{"propertyUrn": "a", "values": ["x", {"double": 2.0}]}]}, {"a": "kind"})
    {'kind': ('x', 2.0)}
    """
    found: dict[str, tuple[str | float, ...]] = {}
    for entry in objects(assigned.get("properties")):
        name = wanted.get(str(entry.get("propertyUrn")))
        if name is not None:
            values = (
                next(iter(value.values()), None) if isinstance(value, Mapping) else value
                for value in array(entry.get("values"))
            )
            found[name] = tuple(value for value in values if isinstance(value, (str, int, float)))
    return found
