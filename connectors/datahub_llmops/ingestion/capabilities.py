"""Which facts a collection tells: what each connector declares, the contract checks, and the comparison page shows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Literal, TypeAlias, get_args

from datahub_llmops.assets.collections import Collection, Vector

Fact: TypeAlias = Literal[
    "dimension",
    "metric",
    "index type",
    "index parameters",
    "element type",
    "quantization",
    "several vectors",
    "sparse vectors",
    "multivectors",
    "embedding model",
    "payload fields",
    "text field",
    "count",
    "estimated count",
    "size",
    "created",
    "modified",
    "aliases",
    "partitions",
    "description",
    "region",
    "sources of chunks",
]
FACTS: Final[tuple[Fact, ...]] = get_args(Fact)


def yes(*facts: Fact) -> dict[Fact, str]:
    """A declaration of facts about which there is nothing more to say."""
    return dict.fromkeys(facts, "yes")


def _vector(tells: Callable[[Vector], object]) -> Callable[[Collection], object]:
    return lambda item: any(tells(vector) for vector in item.vectors)


_TOLD: Final[Mapping[Fact, Callable[[Collection], object]]] = {
    "dimension": _vector(lambda vector: vector.dimension),
    "metric": _vector(lambda vector: vector.metric),
    "index type": _vector(lambda vector: vector.index_type),
    "index parameters": _vector(lambda vector: vector.index_parameters),
    "element type": _vector(lambda vector: vector.element_type),
    "quantization": _vector(lambda vector: vector.quantization),
    "several vectors": lambda item: len(item.vectors) > 1,
    "sparse vectors": _vector(lambda vector: vector.sparse),
    "multivectors": _vector(lambda vector: vector.multivector),
    "embedding model": _vector(lambda vector: vector.embedding_model),
    "payload fields": lambda item: item.fields,
    "text field": lambda item: item.text_field,
    "count": lambda item: item.count is not None and not item.count_is_estimate,
    "estimated count": lambda item: item.count is not None and item.count_is_estimate,
    "size": lambda item: item.size_bytes,
    "created": lambda item: item.created,
    "modified": lambda item: item.modified,
    "aliases": lambda item: item.aliases,
    "partitions": lambda item: item.partitions,
    "description": lambda item: item.description,
    "region": lambda item: item.region or any(level.properties.get("region") for level in item.containers),
    "sources of chunks": lambda item: item.provenance,
}


def told(item: Collection) -> frozenset[Fact]:
    """The facts that a collection tells.

    >>> sorted(told(Collection(name=("docs",), count=3, vectors=(Vector(name="v", dimension=2),))))
    ['count', 'dimension']
    """
    return frozenset(fact for fact in FACTS if _TOLD[fact](item))
