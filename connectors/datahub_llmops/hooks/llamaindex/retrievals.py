"""Describes what LlamaIndex's retrievers search, and what they find."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from datahub_llmops.hooks import chunk_sources, store_identity
from datahub_llmops.hooks.guard import guarded
from datahub_llmops.hooks.parts import Answer, Metadata, Retrieval, add_part
from datahub_llmops.hooks.retriever_cache import RetrieverInfo, find_cached, own_attributes
from datahub_llmops.hooks.vendor_attributes import find_attribute


def begin(answer: Answer, retriever: Any, within: Retrieval | None) -> Retrieval:
    """Begin the retrieval of a live retriever, as a part of the one that encloses it."""
    retrieval = Retrieval(answer, None)
    if within is not None:
        within.composite = True
        retrieval.within = within
    own = own_attributes(retriever)
    found = _find_info(retriever, own)
    framework = answer.framework
    retrieval.retriever = (
        found.named if framework == "llama-index" else found.named_in(framework, "llama-index")
    )
    retrieval.facts = found.facts
    store = found.store
    merges = own.get("_vector_retriever") if store is None else None
    if merges is not None:
        # AutoMergingRetriever returns nodes of one index, or their parents, which no search has found.
        found = _find_info(merges, own_attributes(merges))
        store = found.store
    if store is not None:
        retrieval.index = _index(found, store)
    given = own.get("metadata")
    if isinstance(given, dict) and isinstance(given.get("datahub_urn"), str):
        retrieval.index = {**(retrieval.index or {}), "urn": given["datahub_urn"]}
    retrieval.embedding = store_identity.identify_embedding(own.get("_embed_model"))
    add_part(answer, retrieval)
    return retrieval


def _find_info(retriever: Any, own: Mapping[str, Any]) -> RetrieverInfo:
    index_id = find_attribute(own.get("_index"), "index_id")
    known = find_cached(retriever, own, index_id)
    if known is not None:
        return known
    found = RetrieverInfo(*store_identity.describe_llamaindex_retriever(retriever))
    # Filters can change inside, and parts have options of their own.
    if own.get("_filters") is None and "_retrievers" not in own:
        found.cache(retriever, index_id)
    return found


def _index(found: RetrieverInfo, store: Any) -> Metadata:
    """Return the same dictionary while nothing changes. An index without a named store has LlamaIndex's own id."""
    raw = store_identity.identify_store(store)
    if raw is not found.raw:
        found.raw = found.index = raw
        index_id = found.facts.get("index_id")
        if index_id and "collection" not in raw and "urn" not in raw:
            found.index = {**raw, "index_id": index_id}
    return found.index


@guarded("llamaindex.nodes")
def take_nodes(retrieval: Retrieval, nodes: Sequence[Any]) -> None:
    """Take the nodes that a retriever returns, or that a postprocessor leaves of them, as chunks."""
    found: list[object] = []
    append = chunk_sources.append_chunk
    for one in nodes:
        node = one.node
        own = node.__dict__
        identity, begun = own.get("id_") or node.node_id, len(found)
        if not append(found, identity, one.score, None, own.get("metadata")):
            source = node.source_node
            if source is not None:
                del found[begun:]
                append(found, identity, one.score, None, source.metadata)
    retrieval.chunks = found
