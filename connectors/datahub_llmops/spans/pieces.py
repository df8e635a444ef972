"""Joins the pieces of one answer without a framework's span around them: a retrieval, and the inference after it.

OpenTelemetry GenAI for LlamaIndex has no span around the two, and an application without a framework has none either:
there are only the spans of the store's client and of the model's SDK. The span of the server is around both.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from datahub_llmops.spans import kinds
from datahub_llmops.spans.answers import framework_of
from datahub_llmops.spans.drafts import Draft

_CLOCK: Final = 0.001
"""Seconds by which the clock readings of two tracers of one process may differ."""
_RETRIEVES: Final = frozenset({kinds.RETRIEVER, kinds.DATABASE})


def join(drafts: Sequence[Draft]) -> list[Draft]:
    """Return the answers, with those that are pieces of one below the same span joined.

    An inference by an SDK belongs to the retrievals that ended before it, and so do further inferences until the next
    retrieval. LangChain has a span around what belongs together, so its pieces count as separate answers. A search by a
    store's client that no inference follows does not count as an answer.
    """
    if not any(map(_is_retrieval, drafts)):
        return list(drafts)
    beside: dict[tuple[object, str], list[Draft]] = {}
    for draft in drafts:
        if draft.top.parent and (_is_retrieval(draft) or _is_inference(draft)):
            beside.setdefault((draft.service, draft.top.parent), []).append(draft)
    gone: set[int] = set()
    for several in beside.values():
        for one in _groups(sorted(several, key=_start)):
            _merge(one)
            gone.update(map(id, one[1:]))
    return [
        draft
        for draft in drafts
        if id(draft) not in gone and (draft.kind != kinds.DATABASE or draft.inferences)
    ]


def are_compared(drafts: Sequence[Draft]) -> bool:
    """Return whether some answers may be pieces of one: their times decide then."""
    return any(map(_is_retrieval, drafts)) and any(map(_is_inference, drafts))


def _start(draft: Draft) -> tuple[float, str]:
    return draft.top.started, draft.top.id


def _is_retrieval(draft: Draft) -> bool:
    alone = draft.kind in _RETRIEVES and not draft.inferences
    return alone and bool(draft.searches) and framework_of(draft.top.scope) != "langchain"


def _is_inference(draft: Draft) -> bool:
    return draft.kind == kinds.LLM and not draft.searches and framework_of(draft.top.scope) is None


def _groups(drafts: Sequence[Draft]) -> Iterator[list[Draft]]:
    """Yield the retrievals with the inferences after them, as long as there are both."""
    group: list[Draft] = []
    retrieved = 0.0
    for draft in drafts:
        if _is_retrieval(draft):
            if group and group[-1].kind == kinds.LLM:
                yield group
                group, retrieved = [], 0.0
            group.append(draft)
            retrieved = max(retrieved, draft.top.ended or float("inf"))
        elif group and draft.top.started + _CLOCK >= retrieved:
            group.append(draft)
    if group and group[-1].kind == kinds.LLM:
        yield group


def _merge(pieces: Sequence[Draft]) -> None:
    """Put all pieces into the first one, which then ends when and how the last one ends."""
    first, *others = pieces
    for one in others:
        for search in one.searches:
            search.draft = first
            search.number = len(first.searches)
            first.searches.append(search)
        first.inferences += one.inferences
        first.tools += one.tools
        first.stamps += one.stamps
        first.indexes += one.indexes
        first.judged += one.judged
        for place, rendered in one.prompts.items():
            first.prompts.setdefault(place, []).extend(rendered)
    last = others[-1].top
    first.top = first.top._replace(ended=last.ended, error=last.error)
