"""A vector collection as a DataHub dataset of subtype ``Vector Collection``, in its containers.

https://docs.datahub.com/docs/generated/metamodel/entities/dataset
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final, TypeAlias

from datahub.emitter.mcp import MetadataChangeProposalWrapper
from datahub.metadata.schema_classes import (
    ArrayTypeClass,
    BooleanTypeClass,
    BytesTypeClass,
    ContainerClass,
    ContainerPropertiesClass,
    DataPlatformInstanceClass,
    DatasetProfileClass,
    DatasetPropertiesClass,
    DateTypeClass,
    MetadataChangeProposalClass,
    NullTypeClass,
    NumberTypeClass,
    OperationClass,
    OperationTypeClass,
    OtherSchemaClass,
    RecordTypeClass,
    SchemaFieldClass,
    SchemaFieldDataTypeClass,
    SchemaMetadataClass,
    StringTypeClass,
    SubTypesClass,
    TimeStampClass,
    TimeTypeClass,
)

from datahub_llmops import urns
from datahub_llmops.assets.collections import Collection, Container, FieldType, PayloadField, Vector
from datahub_llmops.mapping.properties import AssetPatch, PropertyValues
from datahub_llmops.urns import Deployment

Proposal: TypeAlias = MetadataChangeProposalWrapper | MetadataChangeProposalClass

SUBTYPE: Final = "Vector Collection"

OWN_PROFILE: Final = "datahub-llmops"
"""``messageId`` of a profile that we wrote: by it the next run knows it again, also when another source describes the
dataset by then."""

_DataType: TypeAlias = (
    type[ArrayTypeClass]
    | type[BooleanTypeClass]
    | type[BytesTypeClass]
    | type[DateTypeClass]
    | type[NullTypeClass]
    | type[NumberTypeClass]
    | type[RecordTypeClass]
    | type[StringTypeClass]
    | type[TimeTypeClass]
)

_TYPES: Final[Mapping[FieldType, _DataType]] = {
    "string": StringTypeClass,
    "integer": NumberTypeClass,
    "float": NumberTypeClass,
    "boolean": BooleanTypeClass,
    "array": ArrayTypeClass,
    "object": RecordTypeClass,
    "date": DateTypeClass,
    "datetime": TimeTypeClass,
    "bytes": BytesTypeClass,
    "vector": ArrayTypeClass,
    "unknown": NullTypeClass,
}


def container_proposals(path: tuple[Container, ...], deployment: Deployment) -> Iterator[Proposal]:
    """The innermost container of ``path``, inside its parent."""
    urn = urns.container(deployment, path)
    here = path[-1]
    yield MetadataChangeProposalWrapper(
        entityUrn=urn,
        aspect=ContainerPropertiesClass(
            name=here.name, customProperties=dict(here.properties), env=deployment.env
        ),
    )
    yield MetadataChangeProposalWrapper(entityUrn=urn, aspect=_platform_instance(deployment))
    yield MetadataChangeProposalWrapper(entityUrn=urn, aspect=SubTypesClass(typeNames=[here.kind]))
    if len(path) > 1:
        parent = urns.container(deployment, path[:-1])
        yield MetadataChangeProposalWrapper(entityUrn=urn, aspect=ContainerClass(container=parent))


def collection_proposals(
    collection: Collection, deployment: Deployment, *, now: datetime, declared: PropertyValues
) -> Iterator[Proposal]:
    """Everything about a dataset that is this recipe's own; lineage comes apart.

    ``declared`` are structured properties that the store does not record: the declared model and chunking. ``now``
    dates the profile.
    """
    yield from _description(collection, deployment)
    if collection.count is not None:
        urn = urns.collection(deployment, collection.name)
        yield MetadataChangeProposalWrapper(entityUrn=urn, aspect=_profile(collection, collection.count, now))
    yield from _dataset_facts(collection, deployment, declared)


def shared_proposals(
    collection: Collection,
    deployment: Deployment,
    *,
    now: datetime,
    declared: PropertyValues,
    present_profile: Mapping[str, Any] | None,
) -> Iterator[Proposal]:
    """What is added to a dataset that another source describes: facts that it has no place for.

    ``present_profile`` is the newest ``datasetProfile`` in the catalog: one that the other source wrote says more
    than ours, so ours is written only where there is none, or where the newest is ours.
    """
    mine = present_profile is None or present_profile.get("messageId") == OWN_PROFILE
    if collection.count is not None and mine:
        profile = _profile(collection, collection.count, now)
        # Its owner counts columns, not fields of a payload.
        profile.columnCount = None
        yield MetadataChangeProposalWrapper(
            entityUrn=urns.collection(deployment, collection.name), aspect=profile
        )
    yield from _dataset_facts(collection, deployment, declared)


def schema_proposal(collection: Collection, deployment: Deployment) -> Proposal:
    """The payload and its vectors as ``schemaMetadata``, for a dataset whose other source writes none."""
    urn = urns.collection(deployment, collection.name)
    return MetadataChangeProposalWrapper(entityUrn=urn, aspect=_schema(collection, deployment))


def vector_proposals(collection: Collection, deployment: Deployment) -> Iterator[Proposal]:
    """The facts of each vector on its ``schemaField``."""
    for urn, values in assignments(collection, deployment, {}).items():
        if urn != urns.collection(deployment, collection.name):
            yield from AssetPatch(urn).set_properties(values).build()


def assignments(
    collection: Collection, deployment: Deployment, declared: PropertyValues
) -> dict[str, dict[str, str | float]]:
    """Every structured property that is assigned for a collection: asset -> property name -> value.

    The facts of a vector sit on its ``schemaField``, and on the dataset too when it has one vector only.
    """
    urn = urns.collection(deployment, collection.name)
    own = collection.vectors[0] if len(collection.vectors) == 1 else None
    estimate = {"count_is_estimate": "true"} if collection.count_is_estimate else {}
    region = {"region": region_of(collection)}
    found = {urn: {**(vector_facts(own) if own else {}), **estimate, **region, **_known(declared)}}
    for vector in collection.vectors:
        found[vector_field(urn, vector)] = vector_facts(vector)
    known = {asset: _known(values) for asset, values in found.items()}
    return {asset: values for asset, values in known.items() if values}


def vector_field(dataset_urn: str, vector: Vector) -> str:
    """The ``schemaField`` that a vector's facts sit on."""
    return urns.schema_field(dataset_urn, vector.schema_path or vector.name)


def region_of(collection: Collection) -> str | None:
    """The region as the collection says it, else the nearest container that does."""
    return collection.region or container_fact(collection, "region")


def container_fact(collection: Collection, name: str) -> str | None:
    """A property of the collection itself, else of the nearest container that has it."""
    levels = (collection.properties, *(level.properties for level in reversed(collection.containers)))
    return next((properties[name] for properties in levels if properties.get(name)), None)


def vector_facts(vector: Vector) -> dict[str, str | float | None]:
    """What one vector says of itself, as structured properties."""
    parameters = ", ".join(f"{key}={value}" for key, value in sorted(vector.index_parameters.items()))
    return {
        "dimension": float(vector.dimension) if vector.dimension is not None else None,
        "metric": vector.metric,
        "index_type": vector.index_type,
        "index_parameters": parameters or None,
        "quantization": vector.quantization,
        "embedding_model": vector.embedding_model,
    }


def _description(collection: Collection, deployment: Deployment) -> Iterator[Proposal]:
    urn = urns.collection(deployment, collection.name)

    def proposal(aspect: object) -> Proposal:
        return MetadataChangeProposalWrapper(entityUrn=urn, aspect=aspect)  # type: ignore[arg-type]  # any aspect class

    yield proposal(_platform_instance(deployment))
    if collection.containers:
        yield proposal(ContainerClass(container=urns.container(deployment, collection.containers)))
    yield proposal(SubTypesClass(typeNames=[SUBTYPE]))
    yield proposal(_properties(collection))
    yield proposal(_schema(collection, deployment))


def _dataset_facts(
    collection: Collection, deployment: Deployment, declared: PropertyValues
) -> Iterator[Proposal]:
    urn = urns.collection(deployment, collection.name)
    if collection.modified is not None:
        yield MetadataChangeProposalWrapper(entityUrn=urn, aspect=_operation(collection.modified))
    if values := assignments(collection, deployment, declared).get(urn):
        yield from AssetPatch(urn).set_properties(values).build()


def _known(values: PropertyValues) -> dict[str, str | float]:
    return {name: value for name, value in values.items() if value is not None}


def _platform_instance(deployment: Deployment) -> DataPlatformInstanceClass:
    instance = (
        urns.platform_instance(deployment.platform, deployment.instance) if deployment.instance else None
    )
    return DataPlatformInstanceClass(platform=urns.platform(deployment.platform), instance=instance)


def _properties(collection: Collection) -> DatasetPropertiesClass:
    return DatasetPropertiesClass(
        name=collection.name[-1],
        qualifiedName=".".join(collection.name),
        description=collection.description,
        customProperties=_custom_properties(collection),
        created=_time_stamp(collection.created),
        lastModified=_time_stamp(collection.modified),
    )


def _custom_properties(collection: Collection) -> dict[str, str]:
    properties = dict(collection.properties)
    if collection.aliases:
        properties["aliases"] = ", ".join(collection.aliases)
    if collection.partitions:
        properties["partitions"] = ", ".join(collection.partitions)
    if collection.count_is_estimate:
        properties["count_is_estimate"] = "true"
    for vector in collection.vectors:
        # One vector needs no prefix; with several, each one's parameters are told apart by its name.
        prefix = f"{vector.name}." if len(collection.vectors) > 1 else ""
        if vector.element_type:
            properties[f"{prefix}element_type"] = vector.element_type
        properties.update({f"{prefix}{key}": value for key, value in vector.index_parameters.items()})
    return properties


def _schema(collection: Collection, deployment: Deployment) -> SchemaMetadataClass:
    vectors = [
        SchemaFieldClass(
            fieldPath=vector.schema_path or vector.name,
            type=SchemaFieldDataTypeClass(type=ArrayTypeClass(nestedType=["float"])),
            nativeDataType=vector.native_type,
        )
        for vector in collection.vectors
    ]
    return SchemaMetadataClass(
        schemaName=".".join(collection.name),
        platform=urns.platform(deployment.platform),
        version=0,
        hash="",
        platformSchema=OtherSchemaClass(rawSchema=""),
        fields=vectors + [_field(item) for item in collection.fields],
    )


def _field(item: PayloadField) -> SchemaFieldClass:
    return SchemaFieldClass(
        fieldPath=item.schema_path or item.path,
        type=SchemaFieldDataTypeClass(type=_TYPES[item.type]()),
        nativeDataType=item.native_type,
        nullable=item.nullable,
        description=item.description,
    )


def _profile(collection: Collection, count: int, now: datetime) -> DatasetProfileClass:
    return DatasetProfileClass(
        timestampMillis=_millis(now),
        messageId=OWN_PROFILE,
        rowCount=count,
        columnCount=len(collection.fields) + len(collection.vectors),
        sizeInBytes=collection.size_bytes,
    )


def _operation(modified: datetime) -> OperationClass:
    # Stamped with the change itself, so that a second run over an unchanged store repeats the same document.
    millis = _millis(modified)
    return OperationClass(
        timestampMillis=millis, lastUpdatedTimestamp=millis, operationType=OperationTypeClass.UPDATE
    )


def _time_stamp(moment: datetime | None) -> TimeStampClass | None:
    return TimeStampClass(time=_millis(moment)) if moment is not None else None


def _millis(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
