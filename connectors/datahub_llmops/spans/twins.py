"""Finds inferences of an SDK in separate traces that a framework's inference in another trace encloses in time.

OpenInference for LangChain does not make its span the current one. So its instrumentation of the SDK below reports a
separate trace, with the same tokens. Only the process, the times and the tokens connect the two.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Hashable, Iterable, Sequence
from typing import Final, NamedTuple

from datahub_llmops.spans import attributes as names
from datahub_llmops.spans import kinds, models
from datahub_llmops.spans.answers import framework_of, framework_of_inference, is_of_tool
from datahub_llmops.spans.kinds import kind_of
from datahub_llmops.spans.span import Attributes, Span

CLOCK: Final = 0.001
"""Seconds by which the clock readings of two tracers of one process may differ."""
_BEFORE: Final = 200
"""How many inferences that began earlier are compared."""
_NOT_KNOWN: Final = -1


class Inference(NamedTuple):
    """One inference, with what identifies it."""

    process: Hashable
    started: float
    ended: float
    tokens: tuple[int, int]
    """In and out; -1 for what is not known."""


def inference(attributes: Attributes, resource: Attributes, started: float, ended: float) -> Inference:
    """Return what is known of an inference by the attributes of its span and of its process."""
    tokens_in, tokens_out = models.tokens_of(attributes)
    service, host = resource.get(names.SERVICE[0]), names.first(resource, names.HOST)
    known = tuple(_NOT_KNOWN if one is None else one for one in (tokens_in, tokens_out))
    return Inference((str(service), str(host)), started, ended, (known[0], known[1]))


def _of(span: Span) -> Inference:
    return inference(span.attributes, span.resource, span.started, span.ended)


def is_one_of_two(name: str, attributes: Attributes, scope: str) -> bool:
    """Return whether the first span of a trace is a framework's, or itself an inference."""
    return framework_of(scope) is not None or kind_of(name, attributes) == kinds.LLM


def mixed_services(tracers: Iterable[Sequence[str]]) -> frozenset[str]:
    """Return the services in which a framework is traced and something else as well.

    ``tracers`` are pairs of a tracer's name and the service, of spans without a parent that are ``is_one_of_two``.
    """
    kinds_of: dict[str, set[bool]] = {}
    for scope, service in tracers:
        both = (True, False) if is_of_tool(scope) else (framework_of(scope) is not None,)
        kinds_of.setdefault(service, set()).update(both)
    return frozenset(service for service, found in kinds_of.items() if len(found) > 1)


def alone(spans: Sequence[Span]) -> Inference | None:
    """Return the SDK's inference if a trace has nothing else of an application, or ``None``."""
    roots = [span for span in spans if not span.parent]
    if len(roots) != 1 or not _is_of_sdk(roots[0]):
        return None
    if any(span is not roots[0] and kind_of(span.name, span.attributes) != kinds.OTHER for span in spans):
        return None
    return _of(roots[0])


def _is_of_sdk(span: Span) -> bool:
    of_sdk = framework_of_inference(span.name, span.attributes, span.scope) is None
    return of_sdk and kind_of(span.name, span.attributes) == kinds.LLM


def of_frameworks(spans: Iterable[Span]) -> list[Inference]:
    """Return the inferences that a framework reports."""
    return [_of(span) for span in spans if is_of_framework(span.name, span.attributes, span.scope)]


def is_of_framework(name: str, attributes: Attributes, scope: str) -> bool:
    """Return whether a span is an inference that a framework reports."""
    of_framework = framework_of_inference(name, attributes, scope) is not None
    return of_framework and kind_of(name, attributes) == kinds.LLM


class Twins:
    """The inferences of a day: forty bytes each."""

    def __init__(self) -> None:
        self._around: dict[Hashable, _Times] = {}
        self._alone: dict[Hashable, _Times] = {}
        self._held = 0

    def note(self, inferences: Iterable[Inference]) -> None:
        """Note inferences that frameworks report."""
        for one in inferences:
            self._around.setdefault(one.process, _Times()).add(one, 0)

    def hold(self, inference: Inference) -> int:
        """Note one of an SDK in a trace of its own, and return its number."""
        self._alone.setdefault(inference.process, _Times()).add(inference, self._held)
        self._held += 1
        return self._held - 1

    def repeated(self) -> bytearray:
        """Return for each number whether a framework reports the same inference. Each of the framework's matches
        once."""
        found = bytearray(self._held)
        for process, own in self._alone.items():
            around = self._around.get(process)
            if around is not None:
                for number in own.within(around):
                    found[number] = 1
        return found


class _Times:
    """Inferences of one process, in arrays."""

    def __init__(self) -> None:
        self.started, self.ended = array("d"), array("d")
        self.tokens_in, self.tokens_out = array("q"), array("q")
        self.numbers = array("q")

    def add(self, one: Inference, number: int) -> None:
        self.started.append(one.started)
        self.ended.append(one.ended or float("inf"))
        self.tokens_in.append(one.tokens[0])
        self.tokens_out.append(one.tokens[1])
        self.numbers.append(number)

    def within(self, around: _Times) -> Iterable[int]:
        """Yield the numbers of those that one of ``around`` encloses in time, with the same tokens, each only once."""
        order = sorted(
            range(len(around.started)), key=lambda place: (around.started[place], around.ended[place])
        )
        starts = array("d", [around.started[place] for place in order])
        used = bytearray(len(order))
        for place in sorted(range(len(self.started)), key=lambda one: (self.started[one], self.ended[one])):
            last = bisect_right(starts, self.started[place] + CLOCK)
            for at in range(last - 1, max(-1, last - 1 - _BEFORE), -1):
                other = order[at]
                if (
                    not used[at]
                    and self.ended[place] <= around.ended[other] + CLOCK
                    and self.tokens_in[place] == around.tokens_in[other]
                    and self.tokens_out[place] == around.tokens_out[other]
                ):
                    used[at] = 1
                    yield self.numbers[place]
                    break
