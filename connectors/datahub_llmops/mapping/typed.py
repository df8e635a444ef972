"""A collection and its jobs as our own typed aspects: the tabs that a server with the model plugin shows.

They say in one place what structured properties, schema and job description say as well: a server without the plugin
misses the tabs, no fact.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from datahub_llmops.aspect_base import LlmopsAspect
from datahub_llmops.aspects import (
    EmbeddingInfoClass,
    EmbeddingJobInfoClass,
    VectorIndexInfoClass,
    VectorIndexVectorsClass,
    VectorRowClass,
)
from datahub_llmops.lineage.jobs import JobLineage
from datahub_llmops.mapping.properties import PropertyValues
from datahub_llmops.model import Collection, Vector

DECLARED: Final = "declared"
RECORDED: Final = "recorded"


def index_aspects(
    collection: Collection, *, engine: str, declared: PropertyValues, models: Mapping[str, str]
) -> Iterator[LlmopsAspect]:
    """Everything typed about one index.

    Args:
        collection: what the store says.
        engine: platform of the store.
        declared: what the jobs declare of it, as structured properties without their namespace.
        models: embedding model as provider/model -> URN of those that are in the catalog: no edge ends elsewhere.
    """
    yield VectorIndexInfoClass(
        engine=engine,
        engineVersion=_container_fact(collection, "version"),
        region=_container_fact(collection, "region"),
        indexType=joined(vector.index_type for vector in collection.vectors),
        vectorFields=len(collection.vectors),
        aliases=joined(collection.aliases),
    )
    if collection.vectors:
        # Rows with a dimension first: the UI takes its columns from the first one.
        ordered = sorted(collection.vectors, key=lambda vector: vector.dimension is None)
        yield VectorIndexVectorsClass(vectors=[_row(vector) for vector in ordered])
    embedding = _embedding(collection, declared, models)
    if embedding is not None:
        yield embedding


def job_aspect(lineage: JobLineage, model: str | None) -> EmbeddingJobInfoClass | None:
    """What a job declares, ``None`` where it declares nothing of this kind. ``model`` is its model's URN."""
    job = lineage.job
    chunking = job.chunking
    aspect = EmbeddingJobInfoClass(
        embeddingModel=job.embedding_model,
        embeddingModelUrn=model if job.embedding_model else None,
        chunkingMethod=chunking.method if chunking else None,
        chunkSize=chunking.size if chunking else None,
        chunkOverlap=chunking.overlap if chunking else None,
        textColumns=joined(job.text_columns),
        sqlDigest=_digest(lineage.sql),
        schedule=job.schedule,
    )
    return aspect if _says_something(aspect) else None


def joined(words: Iterable[str | None]) -> str | None:
    """Each word once, in order, as one text for a tab; ``None`` without any."""
    known = dict.fromkeys(word for word in words if word)
    return ", ".join(known) or None


def _row(vector: Vector) -> VectorRowClass:
    parameters = sorted(vector.index_parameters.items())
    return VectorRowClass(
        name=vector.name,
        dimension=vector.dimension,
        metric=vector.metric or "",
        indexType=vector.index_type or "",
        parameters=", ".join(f"{name}={value}" for name, value in parameters),
        quantization=vector.quantization or "",
        elementType=vector.element_type or "",
        sparse=vector.sparse,
        multivector=vector.multivector,
    )


def _embedding(
    collection: Collection, declared: PropertyValues, models: Mapping[str, str]
) -> EmbeddingInfoClass | None:
    recorded = [vector.embedding_model for vector in collection.vectors if vector.embedding_model]
    model = declared.get("embedding_model")
    names = [str(model)] if model else list(dict.fromkeys(recorded))
    method = declared.get("chunking_method")
    size, overlap = declared.get("chunk_size"), declared.get("chunk_overlap")
    aspect = EmbeddingInfoClass(
        embeddingModel=joined(names),
        embeddingModels=[models[name] for name in names if name in models] or None,
        embeddingModelKnownFrom=(DECLARED if model else RECORDED) if names else None,
        chunkingMethod=str(method) if method is not None else None,
        chunkSize=_whole(size),
        chunkOverlap=_whole(overlap),
        chunkingKnownFrom=None if method is size is overlap is None else DECLARED,
        textFields=collection.text_field,
        textFieldsKnownFrom=RECORDED if collection.text_field else None,
    )
    return aspect if _says_something(aspect) else None


def _whole(value: str | float | None) -> int | None:
    return int(value) if isinstance(value, int | float) else None


def _container_fact(collection: Collection, name: str) -> str | None:
    """A fact of the nearest container that has it, or of the collection itself."""
    for properties in (
        collection.properties,
        *(level.properties for level in reversed(collection.containers)),
    ):
        if properties.get(name):
            return properties[name]
    return None


def _digest(statements: Sequence[str]) -> str | None:
    if not statements:
        return None
    text = ";\n".join(statements)
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def _says_something(aspect: LlmopsAspect) -> bool:
    return any(value is not None for value in aspect._inner_dict.values())
