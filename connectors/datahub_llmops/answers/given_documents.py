"""Finds which chunks an application was given, and which search of an index found each."""

from __future__ import annotations

from collections.abc import Sequence

from datahub_llmops.answer_store.recorded import Chunk, Retrieval


def list_given(retrievals: Sequence[Retrieval]) -> list[tuple[Retrieval | None, Chunk]]:
    """List each chunk that the application was given once, with the search of an index that found it.

    A retriever that asks others may drop, merge, rewrite and add chunks, so what it returned counts. A chunk that it
    has added has no search, unless the retriever is known to return nothing but parts of one index.
    """
    given: dict[object, tuple[Retrieval | None, Chunk]] = {}
    for outer, retrieval in enumerate(retrievals):
        if retrieval.within is not None:
            continue
        leaves = _list_leaves(retrievals, outer)
        finders = {chunk.id: (leaf, chunk) for leaf in reversed(leaves) for chunk in leaf.chunks}
        # A retriever that has not ended has given nothing yet; what it found so far is all there is.
        found_so_far = (chunk for leaf in leaves for chunk in leaf.chunks)
        chunks = found_so_far if retrieval.status == "open" else retrieval.chunks
        for number, chunk in enumerate(chunks):
            known = retrieval if retrieval.index_number is not None else None
            leaf, found = finders.get(chunk.id) or (_find_by_source(leaves, chunk) or known, chunk)
            index = leaf.index_number if leaf is not None else None
            key = (outer, number) if chunk.id is None else (index, chunk.id)
            given.setdefault(key, (leaf, found))
    return list(given.values())


def _list_leaves(retrievals: Sequence[Retrieval], outer: int) -> list[Retrieval]:
    """List the searches that a retrieval made, directly or through others. Each stands behind the one that made it."""
    inside = {outer}
    for number, retrieval in enumerate(retrievals):
        if retrieval.within in inside:
            inside.add(number)
    return [retrievals[number] for number in sorted(inside) if not retrievals[number].composite]


def _find_by_source(leaves: Sequence[Retrieval], chunk: Chunk) -> Retrieval | None:
    """Return the search that found a chunk of the same source, of which this one is an extract without an id."""
    if chunk.source is None or not (chunk.id or "hmac:").startswith("hmac:"):
        return None
    return next((leaf for leaf in leaves if any(one.source == chunk.source for one in leaf.chunks)), None)
