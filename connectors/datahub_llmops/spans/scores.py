"""Scores that spans carry: evaluations of answers, and what guardrails decided.

OpenTelemetry GenAI has an event for each evaluation, or the same attributes on a span. OpenInference has lists on the
span that was judged, or on any span of the trace. Names, numbers and labels are read, explanations never.

Sources:
    https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-events/
    https://github.com/Arize-ai/openinference/blob/main/spec/semantic_conventions.md
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

from datahub_llmops.answer_store.recorded import Score
from datahub_llmops.hooks.names import clean_name
from datahub_llmops.spans import attributes as names
from datahub_llmops.spans.models import finite
from datahub_llmops.spans.span import Attributes, Span

if TYPE_CHECKING:
    from datahub_llmops.assets.observations import JudgeKind

_MOST: Final = 2.0**53
_MAX_NAME: Final = 200
_JUDGES: Final[dict[str, JudgeKind]] = {"human": "human", "llm": "llm", "code": "code"}
_LISTS: Final = tuple((one, one.rpartition(".")[2].removesuffix("s")) for one in names.EVALUATION_LISTS)
MARKS: Final = frozenset(
    (
        names.EVALUATION_EVENT,
        *names.EVALUATION_NAME,
        *names.DECISION,
        *(f"{listed}.0.{word}.name" for listed, word in _LISTS),
    )
)
"""A span with scores has at least one of these attributes."""


def scores_of(spans: Iterable[Span]) -> tuple[Score, ...]:
    """Read the scores on some spans, in no order that matters."""
    return tuple([score for span in spans for score in _read(span)])


def _read(span: Span) -> Iterator[Score]:
    attributes = span.attributes
    for event in attributes.get(names.EVALUATION_EVENT, ()):
        failed = names.first(event, names.ERROR_TYPE) is not None
        yield from _evaluation(event, failed=failed)
    yield from _evaluation(attributes)
    for listed, word in _LISTS:
        for number in range(names.MAX_EVALUATIONS):
            prefix = f"{listed}.{number}.{word}."
            if f"{prefix}name" not in attributes:
                break
            found = {f"{word}.{field}": attributes.get(prefix + field) for field in _FIELDS}
            yield from _evaluation(found)
    decision = names.first(attributes, names.DECISION)
    if decision is not None:
        # A guardrail without a name takes that of its spans.
        yield from _score(names.first(attributes, names.GUARDRAIL) or span.name, "code", None, decision)


_FIELDS: Final = ("name", "score", "label", "annotator_kind")


def _evaluation(found: Attributes, *, failed: bool = False) -> Iterator[Score]:
    said = names.first(found, names.EVALUATION_BY)
    # A program wrote it, and may have passed on what a model or a person said.
    judge = _JUDGES.get(said.lower(), "code") if isinstance(said, str) else "code"
    score, label = names.first(found, names.EVALUATION_SCORE), names.first(found, names.EVALUATION_LABEL)
    yield from _score(names.first(found, names.EVALUATION_NAME), judge, score, label, failed=failed)


def _score(metric: Any, judge: JudgeKind, value: Any, label: Any, *, failed: bool = False) -> Iterator[Score]:
    name = clean_name(metric)
    number = finite(value)
    if number is not None and abs(number) > _MOST:
        number = None
    category = clean_name(label) if number is None and isinstance(label, str) else None
    if name is not None and (number is not None or category is not None or failed):
        yield Score(metric=name[:_MAX_NAME], judge=judge, value=number, category=category)
