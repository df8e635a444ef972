"""Which values of assessments count as what, apart from the server that counts them."""

from __future__ import annotations

import json

import pytest

from datahub_llmops.assets.observations import Judge, ScoreKind
from datahub_llmops.prompt_registries.mlflow.ratings import Values, judge_of
from datahub_llmops.prompt_registries.mlflow.tracking import Rating

CODE = Judge(kind="code")


def values(*given: object) -> Values:
    made = Values(given=float(len(given)))
    for value in given:
        made.count_value(json.dumps(value), 1)
    return made


@pytest.mark.parametrize(
    ("given", "kind", "scored", "failed", "mean"),
    [
        ((0.5, 1), "numeric", 2, 0, 0.75),
        ((True, False, False), "boolean", 3, 0, 1 / 3),
        # MLflow's own judges say yes and no, and its aggregates count them as booleans.
        (("yes", "No"), "boolean", 2, 0, 0.5),
        (("yes", "unsure"), "categorical", 2, 0, None),
        ((0.5, None), "numeric", 1, 1, 0.5),
        ((None,), "boolean", 0, 1, None),
        (([1, 2],), "categorical", 1, 0, None),
    ],
)
def test_kind_count_and_mean(
    given: tuple[object, ...], kind: ScoreKind, scored: int, failed: int, mean: float | None
) -> None:
    found = values(*given)
    assert (found.kind, found.scored, found.failed) == (kind, scored, failed)
    assert found.mean == (None if mean is None else pytest.approx(mean))


def test_what_is_taken_away_is_as_if_it_had_never_been() -> None:
    found = values(0.5, 0.9, "rude", None)
    found.add(values(0.9, "rude", None), -1)
    assert (found.kind, found.scored, found.failed, found.mean) == ("numeric", 1, 0, 0.5)
    assert found.categories(CODE) == {}


@pytest.mark.parametrize("words", [("x" * 41,), tuple(str(number) + "th" for number in range(21)), ([1],)])
def test_long_many_and_nested_values_are_no_categories(words: tuple[object, ...]) -> None:
    assert values(*words).categories(CODE) == {}
    assert values("good", "bad").categories(CODE) == {"bad": 1, "good": 1}
    assert values("good").categories(Judge(kind="human")) == {}


@pytest.mark.parametrize(
    ("rating", "judge"),
    [
        (Rating(metric="m", source="HUMAN", by="ada@acme.example"), Judge(kind="human")),
        (
            Rating(metric="m", source="CODE", by="exact", version="sha256:" + "a" * 64),
            Judge(kind="code", name="exact", version="a" * 12),
        ),
        (Rating(metric="m", source="LLM_JUDGE", by="databricks"), Judge(kind="llm", name="databricks")),
        (
            Rating(metric="m", source="AI_JUDGE", by="anthropic:/claude"),
            Judge(kind="llm", model="anthropic/claude"),
        ),
    ],
)
def test_who_scored(rating: Rating, judge: Judge) -> None:
    assert judge_of(rating) == judge
