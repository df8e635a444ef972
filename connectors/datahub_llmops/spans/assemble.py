"""Puts the answers of applications together from the spans of one trace.

An answer is the topmost span of one application that has to do with a language model, with everything below it. Several
tracers may report one inference: the framework's, the SDK's, the gateway's. Only the innermost of their spans counts as
a call of a model; what a tool or an agent below it asks is another call. The order of the spans does not matter, and a
span of an odd shape is not an error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from datahub_llmops.answer_store.recorded import RecordedAnswer
from datahub_llmops.spans import answers, kinds, pieces, repeated_inferences
from datahub_llmops.spans import attributes as names
from datahub_llmops.spans.drafts import Draft
from datahub_llmops.spans.reading import Reading
from datahub_llmops.spans.scores import scores_of
from datahub_llmops.spans.span import Span
from datahub_llmops.spans.tree import Tree, build

_WRITES_ONLY: Final = ("IngestionPipeline.",)
"""How the names of LlamaIndex's indexing jobs begin, including those that ask a language model."""
_LANGFUSE_ITSELF: Final = "langfuse-"
"""How the environment of Langfuse's own work begins."""


REPEATED: Final = "inferences of an SDK that a framework reports too"
UNSCORED: Final = "scores of no answer"
UNNAMED: Final = "answers left out because nothing names their application"
_WORDS: Final = (
    UNNAMED,
    "evaluations by a model that are no answers",
    "work without an inference or a retrieval",
    REPEATED,
    "checks by guardrails",
    "evaluations",
    UNSCORED,
    "rings of parents",
)
"""What ``Assembled.others`` counts: the last fields."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssembleOptions:
    """``application`` is the attribute that names the application, of the process or of a span.

    ``default`` is what an application is called that nothing names.
    """

    application: str = "service.name"
    default: str | None = None


class Assembled(NamedTuple):
    """The answers of one trace by their start, and what else its spans were."""

    answers: tuple[RecordedAnswer, ...]
    orphans: int = 0
    """Spans whose parent is not there. Each is the root of what is below it."""
    duplicates: int = 0
    """Spans left out because another one has the same id."""
    unnamed: int = 0
    """Answers left out because nothing names their application."""
    judged: int = 0
    """Drafts that ask a model only to judge an answer, and are not answers."""
    indexing: int = 0
    """Work of frameworks without an inference and without a retrieval, such as that of indexing jobs."""
    repeated: int = 0
    """Inferences of an SDK, in a tree of their own, that the span of a framework reports too."""
    guardrails: int = 0
    """Checks by guardrails."""
    evaluations: int = 0
    """Evaluations, by models or others."""
    unscored: int = 0
    """Scores that belong to no answer, or could belong to answers of several applications."""
    cycles: int = 0
    """Rings of parents, each cut above its earliest span."""

    def others(self) -> dict[str, int]:
        """Return what else was counted, by words for a person, without zeros."""
        counted: tuple[int, ...] = self[-len(_WORDS) :]  # type: ignore[assignment]  # The last fields are counts.
        return (
            {word: number for word, number in zip(_WORDS, counted, strict=True) if number}
            if any(counted)
            else {}
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What was read from the spans of one trace, before answers are built from it."""

    tree: Tree
    reading: Reading
    drafts: Sequence[Draft]
    """Those that are answers."""
    by_time: bool
    """Whether times decided which they are."""
    judged: int
    indexing: int
    repeated: int

    def assembled(self, found: Sequence[RecordedAnswer | None]) -> Assembled:
        """Return the answers that were built from the drafts, with what else was counted."""
        made, unscored = found, 0
        if self.reading.scored:
            of_answers, of_none = self.scored(found)
            unscored = len(scores_of(of_none))
            made = [
                replace(answer, scores=scores_of(of_answers[place]))
                if answer is not None and place in of_answers
                else answer
                for place, answer in enumerate(found)
            ]
        kept = tuple([answer for answer in made if answer is not None])
        return Assembled(
            answers=kept,
            orphans=self.tree.orphans,
            duplicates=self.tree.duplicates,
            cycles=self.tree.cycles,
            unnamed=len(found) - len(kept),
            judged=self.judged,
            indexing=self.indexing,
            repeated=self.repeated,
            guardrails=self.reading.guardrails,
            evaluations=self.reading.evaluations,
            unscored=unscored,
        )

    def scored(self, found: Sequence[RecordedAnswer | None]) -> tuple[dict[int, list[Span]], list[Span]]:
        """Return the spans with scores by the place of their answer in ``found``, and those that belong to none.

        A score on a span around or beside the answers belongs to their application, if they all have the same one.
        """
        places = {id(draft): place for place, draft in enumerate(self.drafts)}
        kept = [place for place, answer in enumerate(found) if answer is not None]
        is_one = len({answer.application for answer in found if answer is not None}) == 1
        of_answers: dict[int, list[Span]] = {}
        of_none: list[Span] = []
        for draft, span in self.reading.scored:
            place = places.get(id(draft))
            if place is not None and found[place] is not None:
                of_answers.setdefault(place, []).append(span)
            elif is_one:
                of_answers.setdefault(kept[0], []).append(span)
            else:
                of_none.append(span)
        return of_answers, of_none


def assemble(spans: Sequence[Span], options: AssembleOptions) -> Assembled:
    """Assemble the answers in all spans of one trace."""
    found = read(spans, options)
    ids = answers.stamped_ids(found.drafts)
    outer = found.reading.outer
    return found.assembled(
        [
            answers.build(draft, outer, options.application, ids.get(id(draft)), options.default)
            for draft in found.drafts
        ]
    )


def read(spans: Sequence[Span], options: AssembleOptions) -> Read:
    """Read all spans of one trace."""
    tree = build(spans)
    reading = Reading(tree, options.application)
    made: list[Draft] = []
    judged = indexing = 0
    for draft in reading.drafts:
        if _is_judge(draft):
            judged += 1
        elif _is_answer(draft):
            made.append(draft)
        else:
            indexing += draft.kind != kinds.GUARDRAIL
    left = repeated_inferences.leave_out(made)
    by_time = repeated_inferences.are_compared(made) or pieces.are_compared(left)
    repeated = len(made) - len(left)
    for draft in left:
        found, compared = repeated_inferences.beside(draft, reading.outer, reading.nested)
        reading.outer |= found
        repeated += len(found)
        by_time |= compared
    return Read(
        tree=tree,
        reading=reading,
        drafts=pieces.join(left),
        by_time=by_time,
        judged=judged,
        indexing=indexing,
        repeated=repeated,
    )


def _is_judge(draft: Draft) -> bool:
    if draft.kind == kinds.EVALUATOR:
        return True
    if draft.judged and draft.judged == len(draft.inferences) and not draft.searches:
        return True
    attributes = draft.top.attributes
    environment = attributes.get(names.ENVIRONMENT[0])
    return names.JUDGE[0] in attributes or (
        isinstance(environment, str) and environment.startswith(_LANGFUSE_ITSELF)
    )


def _is_answer(draft: Draft) -> bool:
    if not draft.inferences and not draft.searches:
        return False
    if draft.kind == kinds.GUARDRAIL and not draft.searches:
        return False
    return not draft.top.name.startswith(_WRITES_ONLY)
