"""The structured properties that people filter and sort indexes by, and how assets are given them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Property:
    """One structured property, ``datahub_llmops.<name>``."""

    name: str
    display_name: str
    description: str
    value_type: Literal["string", "number"] = "string"
    entity_types: tuple[str, ...] = ("dataset", "schemaField")
    badge: bool = False
    summary: bool = True
    search_filter: bool = True
    columns_table: bool = False


PROPERTIES: Final[tuple[Property, ...]] = (
    Property(
        name="dimension",
        display_name="Dimension",
        description="Number of dimensions of the vector.",
        value_type="number",
        columns_table=True,
    ),
    Property(
        name="metric",
        display_name="Metric",
        description="Distance metric of the vector index, in the store's own word.",
        columns_table=True,
    ),
    Property(
        name="index_type",
        display_name="Index type",
        description="Kind of the vector index: hnsw, ivfflat, flat ...",
    ),
    Property(
        name="index_parameters",
        display_name="Index parameters",
        description="How the vector index was built, in the store's own words: m=16, ef_construction=64 ...",
        summary=False,
        search_filter=False,
    ),
    Property(
        name="count_is_estimate",
        display_name="Count is an estimate",
        description="Set to true where the row count of the profile is the store's estimate and not a count.",
        entity_types=("dataset",),
        summary=False,
        search_filter=False,
    ),
    Property(
        name="quantization",
        display_name="Quantization",
        description="How the stored vectors are compressed, in the store's own word.",
        summary=False,
    ),
    Property(
        name="region",
        display_name="Region",
        description="Region of the cloud that holds the data, in the store's own word: us-east-1 ...",
        entity_types=("dataset",),
    ),
    Property(
        name="embedding_model",
        display_name="Embedding model",
        description="Model that made the vectors, as provider/model: declared by a job or recorded by the store.",
        entity_types=("dataset", "schemaField", "dataJob"),
        badge=True,
    ),
    Property(
        name="chunking_method",
        display_name="Chunking",
        description="How documents are split before they are embedded.",
        entity_types=("dataset", "dataJob"),
    ),
    Property(
        name="chunk_size",
        display_name="Chunk size",
        description="Largest size of a chunk, in the unit of the splitter.",
        value_type="number",
        entity_types=("dataset", "dataJob"),
    ),
    Property(
        name="chunk_overlap",
        display_name="Chunk overlap",
        description="Overlap of neighbouring chunks, in the unit of the splitter.",
        value_type="number",
        entity_types=("dataset", "dataJob"),
        search_filter=False,
    ),
)

PropertyValues = Mapping[str, str | float | None]
"""Property name without the namespace -> value; ``None`` is a fact that is not known and is not written."""


class AssetPatch(HasOwnershipPatch, HasStructuredPropertiesPatch, HasDomainsPatch):
    """Patch of what stewards edit too, on any kind of asset."""

    def set_properties(self, values: PropertyValues) -> AssetPatch:
        """Assign every value that is known."""
        for name, value in values.items():
            if value is not None:
                self.set_structured_property(urns.structured_property(name), value)
        return self

    def take_back(self, names: Iterable[str]) -> AssetPatch:
        """Remove what an earlier run assigned."""
        for name in names:
            self.remove_structured_property(urns.structured_property(name))
        return self


def definitions() -> Iterator[tuple[str, list[MetadataChangeProposalWrapper]]]:
    """URN of each property with the proposals that define it.

    They must be in the catalog before the first assignment: a server stores an assignment without a definition and
    shows it nowhere.
    """
    for spec in PROPERTIES:
        urn = urns.structured_property(spec.name)
        definition = StructuredPropertyDefinitionClass(
            qualifiedName=f"{urns.PROPERTY_NAMESPACE}.{spec.name}",
            displayName=spec.display_name,
            description=spec.description,
            valueType=f"urn:li:dataType:datahub.{spec.value_type}",
            entityTypes=[f"urn:li:entityType:datahub.{kind}" for kind in spec.entity_types],
            cardinality=PropertyCardinalityClass.SINGLE,
        )
        settings = StructuredPropertySettingsClass(
            showInSearchFilters=spec.search_filter,
            showInAssetSummary=spec.summary,
            hideInAssetSummaryWhenEmpty=spec.summary,
            showAsAssetBadge=spec.badge,
            showInColumnsTable=spec.columns_table,
        )
        yield (
            urn,
            [
                MetadataChangeProposalWrapper(entityUrn=urn, aspect=definition),
                MetadataChangeProposalWrapper(entityUrn=urn, aspect=settings),
            ],
        )
