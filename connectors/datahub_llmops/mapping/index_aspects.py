"""A collection and its jobs as our own typed aspects: the tabs that a server with the model plugin shows.

They repeat in one place the facts of structured properties, schema and job description. Without the plugin a server
lacks the tabs, but no fact.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from datahub_llmops.aspects.base import LlmopsAspect
from datahub_llmops.aspects.generated import (
    EmbeddingInfoClass,
    EmbeddingJobInfoClass,
    VectorIndexInfoClass,
    VectorIndexVectorsClass,
    VectorRowClass,
)
from datahub_llmops.assets.collections import Collection, Vector
from datahub_llmops.mapping.collections import container_fact, region_of
from datahub_llmops.mapping.properties import PropertyValues

if TYPE_CHECKING:
    # It loads the parser of SQL, and sources without declared jobs need none.
    from datahub_llmops.lineage.declared_jobs import JobLineage

DECLARED: Final = "declared"
RECORDED: Final = "recorded"
NO_VECTOR: Final = "(none)"
"""The only row in the table of vectors of a dataset that is not an index any more."""

_DECLARED_FACTS: Final[Mapping[str, Sequence[str]]] = {
    "embeddingModelKnownFrom": ("embeddingModel", "embeddingModels"),
    "chunkingKnownFrom": ("chunkingMethod", "chunkSize", "chunkOverlap"),
}
"""Field that says how facts are known -> the fields that hold the facts."""


def embedding_models(collection: Collection, declared: PropertyValues) -> list[str]:
    """List the models that made the vectors, as provider/model. A declared one takes precedence over recorded ones."""
    if model := declared.get("embedding_model"):
        return [str(model)]
    recorded = (vector.embedding_model for vector in collection.vectors)
    return list(dict.fromkeys(name for name in recorded if name))


def index_aspects(
    collection: Collection, *, engine: str, declared: PropertyValues, models: Mapping[str, str]
) -> Iterator[LlmopsAspect]:
    """Build the typed aspects of one index; the last one may hold no fact.

    Args:
        collection: the facts of the store.
        engine: platform of the store.
        declared: what the jobs declare, as structured properties without their namespace.
        models: embedding model as provider/model -> URN, of models that are in the catalog.
    """
    yield VectorIndexInfoClass(
        engine=engine,
        engineVersion=container_fact(collection, "version"),
        region=region_of(collection),
        indexType=joined(vector.index_type for vector in collection.vectors),
        vectorFields=len(collection.vectors),
        countIsEstimate=True if collection.count_is_estimate else None,
        aliases=joined(collection.aliases),
    )
    if collection.vectors:
        # Rows with a dimension first: the UI takes its columns from the first one.
        ordered = sorted(collection.vectors, key=lambda vector: vector.dimension is None)
        yield VectorIndexVectorsClass(vectors=[_row(vector) for vector in ordered])
    yield _embedding(collection, declared, models)


def keep_declared(aspect: EmbeddingInfoClass, present: Mapping[str, Any]) -> EmbeddingInfoClass:
    """Add what jobs declared according to the catalog's ``present`` aspect, where this run knows of no declaration."""
    kept = {
        name: present[name]
        for known_from, names in _DECLARED_FACTS.items()
        if present.get(known_from) == DECLARED and getattr(aspect, known_from) != DECLARED
        for name in (known_from, *names)
        if present.get(name) is not None
    }
    return EmbeddingInfoClass.from_obj({**aspect.to_obj(), **kept})


def empty_index_aspects(engine: str) -> list[LlmopsAspect]:
    """Build what replaces the typed aspects of a dataset that is not an index any more.

    A server accepts no proposal that deletes a single aspect, and its UI shows no table without a row.
    """
    return [
        VectorIndexInfoClass(engine=engine, vectorFields=0),
        VectorIndexVectorsClass(vectors=[_row(Vector(name=NO_VECTOR))]),
        EmbeddingInfoClass(),
    ]


def job_aspect(lineage: JobLineage, model: str | None) -> EmbeddingJobInfoClass:
    """Build what a job declares, which may be no fact of this kind. ``model`` is its model's URN."""
    job = lineage.job
    chunking = job.chunking
    return EmbeddingJobInfoClass(
        embeddingModel=job.embedding_model,
        embeddingModelUrn=model if job.embedding_model else None,
        chunkingMethod=chunking.method if chunking else None,
        chunkSize=chunking.size if chunking else None,
        chunkOverlap=chunking.overlap if chunking else None,
        textColumns=joined(job.text_columns),
        sqlDigest=_digest(lineage.sql),
        schedule=job.schedule,
        acceptedGaps=joined(lineage.accepted),
    )


def joined(words: Iterable[str | None]) -> str | None:
    """Join the words for a tab, each once and in order; ``None`` without any."""
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
) -> EmbeddingInfoClass:
    names = embedding_models(collection, declared)
    method = declared.get("chunking_method")
    size, overlap = declared.get("chunk_size"), declared.get("chunk_overlap")
    return EmbeddingInfoClass(
        embeddingModel=joined(names),
        embeddingModels=[models[name] for name in names if name in models] or None,
        embeddingModelKnownFrom=(DECLARED if declared.get("embedding_model") else RECORDED)
        if names
        else None,
        chunkingMethod=str(method) if method is not None else None,
        chunkSize=_integer(size),
        chunkOverlap=_integer(overlap),
        chunkingKnownFrom=None if method is size is overlap is None else DECLARED,
        textFields=collection.text_field,
        textFieldsKnownFrom=RECORDED if collection.text_field else None,
    )


def _integer(value: str | float | None) -> int | None:
    return int(value) if isinstance(value, int | float) else None


def _digest(statements: Sequence[str]) -> str | None:
    if not statements:
        return None
    text = ";\n".join(statements)
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def has_facts(aspect: LlmopsAspect) -> bool:
    """Whether any field is set."""
    return any(value is not None for value in aspect._inner_dict.values())
