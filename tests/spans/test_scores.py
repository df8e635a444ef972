"""Scores on spans: which there are, whose they are, and that nothing of what was said beside them is kept."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

import pytest

from datahub_llmops.answer_store.recorded import Score
from datahub_llmops.spans.assemble import UNSCORED, AssembleOptions, assemble
from datahub_llmops.spans.assembler import Assembler
from datahub_llmops.spans.attributes import Selection
from datahub_llmops.spans.scores import scores_of
from spans.recordings import Recording

from .world import OTHER_SERVICE, span

RATED: Final = Recording("evaluations/rated")
OPTIONS: Final = AssembleOptions()


def scores(**attributes: Any) -> list[Score]:
    picked = Selection().pick(span(**attributes).attributes)
    return list(scores_of([span()._replace(attributes=picked)]))


def test_a_recorded_trace_has_the_scores_of_its_lists_its_events_and_its_guardrail() -> None:
    found = [
        score for trace in RATED.assembled.values() for answer in trace.answers for score in answer.scores
    ]
    assert Counter((one.metric, one.judge, one.value, one.category) for one in found) == {
        ("faithfulness", "llm", 0.9, None): 1,
        ("faithfulness", "llm", 0.4, None): 1,
        ("faithfulness", "llm", -0.1, None): 1,
        ("tone", "human", None, "good"): 2,
        ("tone", "human", None, "bad"): 1,
        ("Relevance", "code", 4.0, None): 2,
        ("Relevance", "code", None, None): 2,
        ("Content Safety", "code", None, "allow"): 2,
        ("Content Safety", "code", None, "deny"): 1,
    }
    assert "CANARY" not in repr(RATED.traces) + repr(found)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"gen_ai__evaluation__score__value": 0.5}, (0.5, None)),
        ({"gen_ai__evaluation__score__value": "0.5"}, (0.5, None)),
        ({"gen_ai__evaluation__score__label": " pass "}, (None, "pass")),
        # A number says more than its label.
        ({"gen_ai__evaluation__score__value": 1, "gen_ai__evaluation__score__label": "pass"}, (1, None)),
        ({"gen_ai__evaluation__score__value": float("nan")}, None),
        ({"gen_ai__evaluation__score__value": 1e300}, None),
        ({"gen_ai__evaluation__score__value": True}, None),
        ({"gen_ai__evaluation__score__label": "x" * 65}, None),
        ({"gen_ai__evaluation__score__label": ["pass"]}, None),
        ({}, None),
    ],
)
def test_a_score_is_a_number_or_a_short_label(
    given: dict[str, Any], expected: tuple[float | None, str | None] | None
) -> None:
    found = [(one.value, one.category) for one in scores(gen_ai__evaluation__name="tone", **given)]
    assert found == ([] if expected is None else [expected])


def test_a_score_without_a_metric_is_none() -> None:
    assert scores(gen_ai__evaluation__score__value=1.0) == []


def test_a_score_beside_the_answer_is_of_the_only_application_of_the_trace() -> None:
    top = span("POST /chat")
    chain = span("RunnableSequence", top, kind="CHAIN")
    call = span("ChatOpenAI", chain, kind="LLM")
    judge = span("judge", top, kind="EVALUATOR", evaluation__name="tone", evaluation__score=0.5)
    (answer,) = assemble([top, chain, call, judge], OPTIONS).answers
    assert answer.scores == (Score(metric="tone", judge="code", value=0.5),)


def test_a_score_that_two_applications_could_have_is_of_none_and_counted() -> None:
    top = span("POST /chat", evaluation__name="tone", evaluation__score=0.5)
    own = span("ChatOpenAI", top, kind="LLM")
    other = span("ChatOpenAI", top, kind="LLM", resource=OTHER_SERVICE)
    found = assemble([top, own, other], OPTIONS)
    assert [one.scores for one in found.answers] == [(), ()]
    assert found.others() == {UNSCORED: 1}
    assert assemble([top], OPTIONS).others() == {UNSCORED: 1}


def test_traces_of_one_shape_have_scores_of_their_own() -> None:
    assembler = Assembler(OPTIONS)
    values = []
    for number in range(4):
        top = span("POST /chat", evaluation__name="tone", evaluation__score=number / 4)._replace(of_class=1)
        call = span("ChatOpenAI", top, kind="LLM")._replace(of_class=2)
        (answer,) = assembler([top, call]).answers
        values += [one.value for one in answer.scores]
    assert values == [0.0, 0.25, 0.5, 0.75]
    assert [type(plan).__name__ for plan in assembler.plans.values()] == ["Plan"]


def test_a_guardrail_without_a_name_is_known_by_its_span() -> None:
    decided = {"gen_ai.security.decision.type": "deny"}
    named = span("apply_guardrail Model Armor")._replace(attributes=decided)
    given = span("check")._replace(attributes={**decided, "gen_ai.guardian.name": "Content Safety"})
    assert [(one.metric, one.category) for one in scores_of([named, given])] == [
        ("apply_guardrail Model Armor", "deny"),
        ("Content Safety", "deny"),
    ]
