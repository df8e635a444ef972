"""The structured properties that people filter and sort indexes by, and the patches that assign them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from datahub.emitter.mcp import MetadataChangeProposalWrapper
from datahub.metadata.schema_classes import (
    PropertyCardinalityClass,
    StructuredPropertyDefinitionClass,
    StructuredPropertySettingsClass,
)
from datahub.specific.aspect_helpers.domains import HasDomainsPatch
from datahub.specific.aspect_helpers.ownership import HasOwnershipPatch
from datahub.specific.aspect_helpers.structured_properties import HasStructuredPropertiesPatch

from datahub_llmops import urns
from datahub_llmops.aspects.manifest import package_data


@dataclass(frozen=True, slots=True, kw_only=True)
class Property:
    """One structured property, ``datahub_llmops.<name>``."""

    name: str
    display_name: str
    description: str
    value_type: Literal["string", "number"]
    entity_types: Sequence[str]
    multiple: bool
    """Whether an asset may have several values."""
    badge: bool
    summary: bool
    search_filter: bool
    columns_table: bool


PROPERTIES: Final[tuple[Property, ...]] = tuple(Property(**spec) for spec in package_data()["properties"])
"""Generated from the PDL, as the aspects are; ``@LlmopsProperty`` on a field there defines one."""

PropertyValues = Mapping[str, str | float | None]
"""Property name without the namespace -> value; ``None`` is an unknown fact, which is not written."""
PropertyValue: TypeAlias = str | float | tuple[str, ...]
"""What is assigned; a tuple to a property that takes several values."""


class AssetPatch(HasOwnershipPatch, HasStructuredPropertiesPatch, HasDomainsPatch):
    """A patch of aspects that stewards edit too, on any kind of asset."""

    def set_properties(self, values: Mapping[str, PropertyValue | None]) -> AssetPatch:
        """Assign every known value."""
        for name, value in values.items():
            if value is not None:
                urn = urns.structured_property(name)
                self.set_structured_property(urn, [*value] if isinstance(value, tuple) else value)
        return self

    def remove_properties(self, names: Iterable[str]) -> AssetPatch:
        """Remove properties that an earlier run assigned."""
        for name in names:
            self.remove_structured_property(urns.structured_property(name))
        return self


def property_values(assigned: Mapping[str, Any]) -> dict[str, tuple[str | float, ...]]:
    """Read the values of our properties from a ``structuredProperties`` aspect, by their short names."""
    prefix = urns.structured_property("")
    return {
        entry["propertyUrn"].removeprefix(prefix): tuple(
            next(iter(value.values())) if isinstance(value, dict) else value for value in entry["values"]
        )
        for entry in assigned.get("properties") or []
        if entry["propertyUrn"].startswith(prefix)
    }


def definitions() -> Iterator[tuple[str, list[MetadataChangeProposalWrapper]]]:
    """List the name of each property with the proposals that define it.

    They must be in the catalog before the first assignment: a server stores an assignment without a definition, but
    does not show it.
    """
    for spec in PROPERTIES:
        urn = urns.structured_property(spec.name)
        definition = StructuredPropertyDefinitionClass(
            qualifiedName=f"{urns.PROPERTY_NAMESPACE}.{spec.name}",
            displayName=spec.display_name,
            description=spec.description,
            valueType=urns.data_type(spec.value_type),
            entityTypes=[urns.entity_type(kind) for kind in spec.entity_types],
            cardinality=PropertyCardinalityClass.MULTIPLE
            if spec.multiple
            else PropertyCardinalityClass.SINGLE,
        )
        settings = StructuredPropertySettingsClass(
            showInSearchFilters=spec.search_filter,
            showInAssetSummary=spec.summary,
            hideInAssetSummaryWhenEmpty=spec.summary,
            showAsAssetBadge=spec.badge,
            showInColumnsTable=spec.columns_table,
        )
        yield (
            spec.name,
            [
                MetadataChangeProposalWrapper(entityUrn=urn, aspect=definition),
                MetadataChangeProposalWrapper(entityUrn=urn, aspect=settings),
            ],
        )
