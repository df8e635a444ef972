"""Which attributes of a day's spans are read, and as what: as a word that a kind of span has, as a number that is added
up, or as documents.

Only names that occur on the day stand in its statements.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from datahub_llmops.assets import span_names
from datahub_llmops.spans import attributes as names

TOKENS: Final = (
    *names.TOKENS_IN,
    *names.TOKENS_OUT,
    *names.TOKENS_CACHED,
    *names.TOKENS_CACHE_WRITE,
    *names.TOKENS_REASONING,
)
OBJECTS: Final = (*names.TOKENS_JSON, *names.COST_JSON)
"""JSON objects of numbers."""
_ANSWER_IDS: Final = (span_names.ANSWER_ID, span_names.ANSWER_IDS)
_NO_WORDS: Final = frozenset(
    (
        *TOKENS,
        *names.COST,
        *OBJECTS,
        *names.METADATA,
        *names.DOCUMENTS_JSON,
        *names.DOCUMENTS_OUTPUT,
        # They differ with each span.
        *names.HOST,
        *_ANSWER_IDS,
        span_names.SOURCES,
    )
)
_COMMON: Final = frozenset(
    (*names.SERVER, *names.PORT, *names.ERROR_TYPE, *names.SERVICE, *names.SERVICE_VERSION, *names.HOST)
)
"""Attributes that spans of HTTP and the like have too: by themselves they make no span one of an application."""
FLAT: Final = re.compile(
    r"(retrieval\.documents|reranker\.output_documents)\.(\d{1,6})\.document\.(id|score|metadata)"
)
"""OpenInference's documents: an attribute for each field of each."""
PREFIXES: Final = (
    span_names.PREFIX,
    "retrieval.documents.",
    "reranker.output_documents.",
    *(f"{one}." for one in names.EVALUATION_LISTS),
)
"""How names begin that are read although no list has them. They make a span one of an application."""


EVALUATIONS: Final = "evaluations."
"""How the names of evaluations begin that OpenInference lists. Events of evaluations are read under these names."""
EVALUATED: Final = ("evaluation.name", "evaluation.score", "evaluation.label")
MAX_EVALUATIONS: Final = 16
"""Most events of evaluations of a span that the engine adds up. A trace with more comes back as rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Names of attributes that occur, in a fixed order."""

    words: tuple[str, ...]
    """Their values tell spans apart."""
    marks: tuple[str, ...]
    """It matters only that they are there."""
    tokens: tuple[str, ...]
    costs: tuple[str, ...]
    scores: tuple[str, ...]
    objects: tuple[str, ...]
    metadata: bool
    flat: tuple[str, ...]
    outputs: tuple[str, ...]
    """Attributes that may hold documents as JSON."""
    evaluations: int
    """How many events of evaluations of a span are read as if they were attributes."""

    @classmethod
    def of(cls, present: Iterable[str], plain: frozenset[str], evaluations: int = 0) -> Wanted:
        """Choose among the names that are present. ``plain`` are those that ``Selection`` keeps by name.

        ``evaluations`` is how many events of evaluations a span has at most.
        """
        evaluations = min(evaluations, MAX_EVALUATIONS)
        listed = (f"{EVALUATIONS}{number}.{field}" for number in range(evaluations) for field in EVALUATED)
        found = sorted({*present, *listed})
        scores = tuple(
            one for one in found if one in names.EVALUATION_SCORE or names.evaluation_field(one) == "score"
        )
        ours = [
            one
            for one in found
            if one in plain or one.startswith(span_names.PREFIX) or names.evaluation_field(one) is not None
        ]
        return cls(
            words=tuple(one for one in ours if one not in _NO_WORDS and one not in scores),
            marks=tuple(one for one in ours if one in _ANSWER_IDS),
            tokens=tuple(one for one in found if one in TOKENS),
            costs=tuple(one for one in found if one in names.COST),
            scores=scores,
            objects=tuple(one for one in found if one in OBJECTS),
            metadata=names.METADATA[0] in found,
            flat=tuple(one for one in found if FLAT.fullmatch(one)),
            outputs=tuple(one for one in (*names.DOCUMENTS_JSON, *names.DOCUMENTS_OUTPUT) if one in found),
            evaluations=evaluations,
        )

    @property
    def labels(self) -> tuple[str, ...]:
        """Words that are labels of evaluations."""
        return tuple(
            one
            for one in self.words
            if one in names.EVALUATION_LABEL or names.evaluation_field(one) == "label"
        )

    @property
    def numbers(self) -> tuple[str, ...]:
        return (*self.tokens, *self.costs, *self.scores)

    @property
    def named(self) -> tuple[str, ...]:
        """Names whose presence tells spans apart."""
        return (*self.words, *self.marks, *self.numbers)

    @property
    def triggers(self) -> tuple[str, ...]:
        """Names of which one at least makes a span one that has to do with an application."""
        words = (one for one in self.words if one not in _COMMON)
        # An output alone says nothing: every chain has one.
        return (*words, *self.marks, *self.numbers, *self.objects, *self.flat, *names.DOCUMENTS_JSON)

    @property
    def everything(self) -> tuple[str, ...]:
        """All names whose values are read."""
        special = names.METADATA if self.metadata else ()
        return (
            *self.words, *self.marks, *self.numbers, *self.objects, *special, *self.flat, *self.outputs,
        )  # fmt: skip
