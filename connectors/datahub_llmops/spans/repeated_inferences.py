"""Leaves out inferences of an SDK that a framework reports too, where no tracer has tied the two spans together.

Some tracers of frameworks do not make their span the current one, so the span of the SDK below is not its child.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence, Set
from operator import itemgetter
from typing import Final

from datahub_llmops.spans import kinds, models
from datahub_llmops.spans.answers import framework_of_inference
from datahub_llmops.spans.drafts import Draft
from datahub_llmops.spans.span import Span

_CLOCK: Final = 0.001
"""Seconds by which the clock readings of two tracers of one process may differ."""
_BEFORE: Final = 100
"""How many inferences that began earlier are compared."""
_start: Final = itemgetter(0)


def leave_out(drafts: Sequence[Draft]) -> Sequence[Draft]:
    """Return the answers without single inferences that a framework's inference encloses in time.

    Both are of one service, and the tokens that both report are equal.
    """
    if not are_compared(drafts):
        return drafts
    bare = [draft for draft in drafts if _is_bare(draft)]
    around: dict[object, list[tuple[float, Span]]] = {}
    for draft in drafts:
        for _, span, _ in draft.inferences:
            if _framework(span) is not None:
                around.setdefault(draft.service, []).append((span.started, span))
    for spans in around.values():
        spans.sort(key=_start)
    left_out = {id(draft) for draft in bare if _is_reported(draft.top, around.get(draft.service, ()))}
    return [draft for draft in drafts if id(draft) not in left_out]


def are_compared(drafts: Sequence[Draft]) -> bool:
    """Return whether one answer may be left out for another: times and tokens decide then."""
    return 0 < sum([_is_bare(draft) for draft in drafts]) < len(drafts)


def _is_bare(draft: Draft) -> bool:
    return draft.kind == kinds.LLM and not draft.searches and _framework(draft.top) is None


def _framework(span: Span) -> str | None:
    return framework_of_inference(span.name, span.attributes, span.scope)


def beside(draft: Draft, outer: Set[int], nested: Set[int]) -> tuple[set[int], bool]:
    """Return places of an SDK's inferences that repeat a framework's inference beside them in the same answer.

    Tracers of frameworks have no current span around a stream, and some end their span before the first token is read.
    Also returns whether any were compared: times and tokens decide then.

    Args:
        draft: the answer.
        outer: places of inferences that a span below them reports too.
        nested: places of inferences below another one.
    """
    if len(draft.inferences) < 2:
        return set(), False
    left = [(place, span) for place, span, _ in draft.inferences if place not in outer]
    around = [one for one in left if _framework(one[1]) is not None]
    own = [one for one in left if one[0] not in nested and _framework(one[1]) is None]
    found: set[int] = set()
    for place, span in sorted(own) if around else ():
        reports = next((one for one in around if _is_beside(span, one[1])), None)
        if reports is not None:
            around.remove(reports)
            found.add(place)
    return found, bool(around or found) and bool(own)


def _is_beside(span: Span, other: Span) -> bool:
    if _is_reported(span, [(other.started, other)]):
        return True
    tokens = models.tokens_of(span.attributes)
    later = other.started <= span.started
    return later and None not in tokens and tokens == models.tokens_of(other.attributes)


def _is_reported(span: Span, around: Sequence[tuple[float, Span]]) -> bool:
    last = bisect_right(around, span.started + _CLOCK, key=_start)
    return any(
        span.ended <= one.ended + _CLOCK and models.may_be_same(span.attributes, one.attributes)
        for _, one in around[max(0, last - _BEFORE) : last]
    )
