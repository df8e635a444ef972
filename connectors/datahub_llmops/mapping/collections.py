"""A vector collection as a DataHub dataset of subtype ``Vector Collection``, in its containers.

https://docs.datahub.com/docs/generated/metamodel/entities/dataset
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final, TypeAlias

from datahub.metadata.schema_classes import (
    ArrayTypeClass,
    BooleanTypeClass,
    BytesTypeClass,
    ContainerClass,
    ContainerPropertiesClass,
    DatasetFieldProfileClass,
    DatasetProfileClass,
    DatasetPropertiesClass,
    DateTypeClass,
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
from datahub_llmops.assets.collections import Collection, Container, FieldType, KeyCount, PayloadField, Vector
from datahub_llmops.mapping.platforms import platform_instance
from datahub_llmops.mapping.properties import AssetPatch, PropertyValues
from datahub_llmops.mapping.proposals import PlacedAsset, Proposal, propose
from datahub_llmops.urns import Deployment

PlacedCollection: TypeAlias = PlacedAsset[Collection]

SUBTYPE: Final = "Vector Collection"

OWN_PROFILE: Final = "datahub-llmops"
"""``messageId`` of a profile that we wrote. The next run recognises it, even if another source describes the dataset by
then."""

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

_STAMP: Final = "dh_"
"""How the keys begin that hooks stamp onto chunks."""
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
    """Describe the innermost container of ``path``, inside its parent."""
    urn, innermost = urns.container(deployment, path), path[-1]
    properties = ContainerPropertiesClass(
        name=innermost.name, customProperties=dict(innermost.properties), env=deployment.env
    )
    yield propose(urn, properties)
    yield propose(urn, platform_instance(deployment))
    yield propose(urn, SubTypesClass(typeNames=[innermost.kind]))
    if len(path) > 1:
        yield propose(urn, ContainerClass(container=urns.container(deployment, path[:-1])))


def place_collection(
    collection: Collection,
    deployment: Deployment,
    *,
    shared: bool = False,
    declared: PropertyValues | None = None,
) -> PlacedCollection:
    """Compute once what every later step needs: the URN, and the structured properties that are assigned.

    The facts of a vector sit on its ``schemaField``, and on the dataset too when it is the only one.
    """
    urn, declared = urns.collection(deployment, collection.name), declared or {}
    only = collection.vectors[0] if len(collection.vectors) == 1 else None
    facts = {
        urn: {
            **(vector_facts(only) if only else {}),
            **({"count_is_estimate": "true"} if collection.count_is_estimate else {}),
            "region": region_of(collection),
            **{name: value for name, value in declared.items() if value is not None},
        }
    }
    for vector in collection.vectors:
        facts[vector_field(urn, vector)] = vector_facts(vector)
    known = {
        asset: {name: value for name, value in values.items() if value is not None}
        for asset, values in facts.items()
    }
    return PlacedAsset(
        item=collection,
        name=collection.name,
        urn=urn,
        deployment=deployment,
        shared=shared,
        declared=declared,
        assigned={asset: values for asset, values in known.items() if values},
    )


def collection_proposals(placed: PlacedCollection, *, now: datetime) -> Iterator[Proposal]:
    """Describe a dataset that is this recipe's own, without its lineage. ``now`` dates the profile."""
    collection = placed.item
    yield propose(placed.urn, platform_instance(placed.deployment))
    if collection.containers:
        container = urns.container(placed.deployment, collection.containers)
        yield propose(placed.urn, ContainerClass(container=container))
    yield propose(placed.urn, SubTypesClass(typeNames=[SUBTYPE]))
    yield propose(placed.urn, _properties(collection))
    yield schema_proposal(placed)
    if collection.count is not None:
        yield propose(placed.urn, _profile(collection, collection.count, now))
    yield from _dataset_facts(placed)


def shared_proposals(
    placed: PlacedCollection, *, now: datetime, present_profile: Mapping[str, Any] | None
) -> Iterator[Proposal]:
    """Add to a dataset that another source describes the facts that this source has no place for.

    ``present_profile`` is the newest ``datasetProfile`` in the catalog. A profile of the other source holds more than
    ours, so ours is written only where there is none, or where the newest is ours.
    """
    collection = placed.item
    ours = present_profile is None or present_profile.get("messageId") == OWN_PROFILE
    if collection.count is not None and ours:
        profile = _profile(collection, collection.count, now)
        # Its owner counts columns, not fields of a payload.
        profile.columnCount = None
        yield propose(placed.urn, profile)
    yield from _dataset_facts(placed)


def schema_proposal(placed: PlacedCollection) -> Proposal:
    """Describe the payload and its vectors as ``schemaMetadata``."""
    collection = placed.item
    vectors = [
        SchemaFieldClass(
            fieldPath=vector.schema_path or vector.name,
            type=SchemaFieldDataTypeClass(type=ArrayTypeClass(nestedType=["float"])),
            nativeDataType=vector.native_type,
        )
        for vector in collection.vectors
    ]
    schema = SchemaMetadataClass(
        schemaName=".".join(collection.name),
        platform=urns.platform(placed.deployment.platform),
        version=0,
        hash="",
        platformSchema=OtherSchemaClass(rawSchema=""),
        fields=vectors + [_field(item) for item in _in_order(collection)],
    )
    return propose(placed.urn, schema)


def _in_order(collection: Collection) -> list[PayloadField]:
    """Sort fields as people look for them: the text, the user's own fields, and what hooks stamped onto chunks."""

    def rank(field: PayloadField) -> int:
        stamped = field.path.rpartition(".")[2].startswith(_STAMP)
        return 0 if field.path == collection.text_field else 2 if stamped else 1

    return sorted(collection.fields, key=rank)


def vector_proposals(placed: PlacedCollection) -> Iterator[Proposal]:
    """Assign the facts of each vector to its ``schemaField``."""
    for urn, values in placed.assigned.items():
        if urn != placed.urn:
            yield from AssetPatch(urn).set_properties(values).build()


def vector_field(dataset_urn: str, vector: Vector) -> str:
    """URN of the ``schemaField`` that a vector's facts sit on."""
    return urns.schema_field(dataset_urn, vector.schema_path or vector.name)


def described_assets(dataset_urn: str, collection: Collection) -> set[str]:
    """List the URNs that facts of a collection may sit on: none if it is not a vector index any more."""
    fields = {vector_field(dataset_urn, vector) for vector in collection.vectors}
    return {dataset_urn, *fields} if fields else set()


def region_of(collection: Collection) -> str | None:
    """Find the region of a collection, else that of the nearest container that has one."""
    return collection.region or container_fact(collection, "region")


def container_fact(collection: Collection, name: str) -> str | None:
    """Find a property of the collection itself, else of the nearest container that has it."""
    levels = (collection.properties, *(level.properties for level in reversed(collection.containers)))
    return next((properties[name] for properties in levels if properties.get(name)), None)


def vector_facts(vector: Vector) -> dict[str, str | float | None]:
    """List the facts of one vector as structured properties."""
    parameters = ", ".join(f"{key}={value}" for key, value in sorted(vector.index_parameters.items()))
    return {
        "dimension": float(vector.dimension) if vector.dimension is not None else None,
        "metric": vector.metric,
        "index_type": vector.index_type,
        "index_parameters": parameters or None,
        "quantization": vector.quantization,
        "embedding_model": vector.embedding_model,
    }


def _dataset_facts(placed: PlacedCollection) -> Iterator[Proposal]:
    if placed.item.modified is not None:
        yield propose(placed.urn, _operation(placed.item.modified))
    if values := placed.assigned.get(placed.urn):
        yield from AssetPatch(placed.urn).set_properties(values).build()


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
        # With several vectors the name tells their parameters apart.
        prefix = f"{vector.name}." if len(collection.vectors) > 1 else ""
        if vector.element_type:
            properties[f"{prefix}element_type"] = vector.element_type
        properties.update({f"{prefix}{key}": value for key, value in vector.index_parameters.items()})
    return properties


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
        fieldProfiles=[_key_profile(key, count) for key in collection.keys] or None,
    )


def _key_profile(key: KeyCount, chunks: int) -> DatasetFieldProfileClass:
    return DatasetFieldProfileClass(
        fieldPath=key.field, uniqueCount=key.distinct, nullCount=max(0, chunks - key.chunks)
    )


def _operation(modified: datetime) -> OperationClass:
    # The time of the change, so that a second run over an unchanged store repeats the same document.
    millis = _millis(modified)
    return OperationClass(
        timestampMillis=millis, lastUpdatedTimestamp=millis, operationType=OperationTypeClass.UPDATE
    )


def _time_stamp(moment: datetime | None) -> TimeStampClass | None:
    return TimeStampClass(time=_millis(moment)) if moment is not None else None


def _millis(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
