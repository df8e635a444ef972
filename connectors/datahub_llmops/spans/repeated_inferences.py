"""Leaves out inferences of an SDK that a framework reports too, where no tracer has tied the two spans together.

Some tracers of frameworks do not put their span in force, so that the span of the SDK below is no child of it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from operator import itemgetter
from typing import Final

from datahub_llmops.spans import kinds, models
from datahub_llmops.spans.answers import framework_of
from datahub_llmops.spans.drafts import Draft
from datahub_llmops.spans.span import Span

_CLOCK: Final = 0.001
"""Seconds by which the clock readings of two tracers of one process may differ."""
_BEFORE: Final = 100
"""How many inferences that began earlier are compared."""
_start: Final = itemgetter(0)


def leave_out(drafts: Sequence[Draft]) -> Sequence[Draft]:
    """Return the answers without those that are one inference which an inference of a framework is around in time.

    Both are of one service, and report the same tokens, as far as they do.
    """
    if not are_compared(drafts):
        return drafts
    bare = [draft for draft in drafts if _is_bare(draft)]
    around: dict[object, list[tuple[float, Span]]] = {}
    for draft in drafts:
        for _, span, _ in draft.inferences:
            if framework_of(span.scope) is not None:
                around.setdefault(draft.service, []).append((span.started, span))
    for spans in around.values():
        spans.sort(key=_start)
    left_out = {id(draft) for draft in bare if _is_reported(draft.top, around.get(draft.service, ()))}
    return [draft for draft in drafts if id(draft) not in left_out]


def are_compared(drafts: Sequence[Draft]) -> bool:
    """Return whether one answer may be left out for another: times and tokens decide then."""
    return 0 < sum([_is_bare(draft) for draft in drafts]) < len(drafts)


def _is_bare(draft: Draft) -> bool:
    return draft.kind == kinds.LLM and not draft.searches and framework_of(draft.top.scope) is None


def _is_reported(span: Span, around: Sequence[tuple[float, Span]]) -> bool:
    last = bisect_right(around, span.started + _CLOCK, key=_start)
    return any(
        span.ended <= one.ended + _CLOCK and models.may_be_same(span.attributes, one.attributes)
        for _, one in around[max(0, last - _BEFORE) : last]
    )
