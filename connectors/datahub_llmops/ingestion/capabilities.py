"""The facts that a store may state: each connector declares its own, and its contract test checks them."""

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


def always(*facts: Fact) -> dict[Fact, str]:
    """Declare facts that the store always states, without a remark."""
    return dict.fromkeys(facts, "yes")


def _any_vector(has: Callable[[Vector], object]) -> Callable[[Collection], object]:
    return lambda item: any(has(vector) for vector in item.vectors)


_PRESENT: Final[Mapping[Fact, Callable[[Collection], object]]] = {
    "dimension": _any_vector(lambda vector: vector.dimension),
    "metric": _any_vector(lambda vector: vector.metric),
    "index type": _any_vector(lambda vector: vector.index_type),
    "index parameters": _any_vector(lambda vector: vector.index_parameters),
    "element type": _any_vector(lambda vector: vector.element_type),
    "quantization": _any_vector(lambda vector: vector.quantization),
    "several vectors": lambda item: len(item.vectors) > 1,
    "sparse vectors": _any_vector(lambda vector: vector.sparse),
    "multivectors": _any_vector(lambda vector: vector.multivector),
    "embedding model": _any_vector(lambda vector: vector.embedding_model),
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


def present_facts(item: Collection) -> frozenset[Fact]:
    """Find the facts that a collection states.

    >>> sorted(present_facts(Collection(name=("docs",), count=3, vectors=(Vector(name="v", dimension=2),))))
    ['count', 'dimension']
    """
    return frozenset(fact for fact in FACTS if _PRESENT[fact](item))
