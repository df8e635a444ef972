"""Scores of evaluations that ``mlflow.genai.evaluate`` ran, and of traffic, against a real MLflow server."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from datahub_llmops.assets.collections import FailedListing
from datahub_llmops.assets.observations import Judge, Scores, Window
from datahub_llmops.assets.prompts import PromptRef
from datahub_llmops.errors import DeniedError
from prompt_registries.mlflow.engine import PLANTED, MlflowServer
from prompt_registries.mlflow.recorded import recorded
from prompt_registries.mlflow.test_reader import reader_of
from prompt_registries.mlflow.test_usage import FIRST, SECOND, WINDOW
from support.stub import Call, Reply, Stub, answer_json

GPT = Judge(kind="llm", model="openai/gpt-4o")
PERSON = Judge(kind="human")
SECOND_VERSION = PromptRef(name="support-answer", version="2")


def scores(server: Stub, window: Window = WINDOW) -> list[Scores]:
    with reader_of(server.url) as reader:
        found = list(reader.scores(window))
    assert not [row for row in found if isinstance(row, FailedListing)]
    return [row for row in found if isinstance(row, Scores)]


@pytest.fixture(scope="module")
def rated(mlflow: MlflowServer) -> list[Scores]:
    """The scores of traffic."""
    with reader_of(mlflow.url) as reader:
        return [row for row in reader.scores(WINDOW) if isinstance(row, Scores)]


@pytest.fixture(scope="module")
def evaluated(mlflow: MlflowServer) -> list[Scores]:
    """The scores of the day on which the server was filled: evaluations end when they run."""
    today = date.fromisoformat(mlflow.seeded["today"])
    with reader_of(mlflow.url) as reader:
        return [row for row in reader.scores(Window(first=today, last=today)) if isinstance(row, Scores)]


def test_traffic_is_scored_by_the_day_of_its_traces(rated: list[Scores]) -> None:
    found = {(row.metric, row.run): (row.kind, row.judge, row.count, row.mean, row.failed) for row in rated}
    first, second = FIRST.isoformat(), SECOND.isoformat()
    assert found == {
        ("faithfulness", first): ("numeric", GPT, 2, 0.75, 1),
        ("faithfulness", second): ("numeric", GPT, 1, 1.0, 0),
        ("helpful", first): ("boolean", PERSON, 2, 0.5, 0),
        ("tone", first): ("categorical", GPT, 2, None, 0),
        ("remark", first): ("categorical", PERSON, 1, None, 0),
    }
    assert {row.subject for row in rated} == {"support-bot"}
    assert rated[0].at == datetime(2026, 11, 20, tzinfo=UTC)


def test_the_words_of_a_judge_are_counted_and_what_a_person_typed_is_dropped(rated: list[Scores]) -> None:
    words = {row.metric: row.categories for row in rated if row.kind == "categorical"}
    assert words == {"tone": {"friendly": 1, "rude": 1}, "remark": {}}
    assert PLANTED not in repr(rated)
    assert "acme.example" not in repr(rated)


def test_an_evaluation_scores_the_versions_that_it_used(
    evaluated: list[Scores], mlflow: MlflowServer
) -> None:
    found = {(row.run, row.metric, row.subject): row for row in evaluated}
    nightly, golden = mlflow.seeded["nightly"], mlflow.seeded["golden"]
    exact = found[nightly, "exact", SECOND_VERSION]
    assert (exact.kind, exact.count, exact.mean, exact.data_set) == ("boolean", 2, 0.5, None)
    assert (exact.judge.kind, exact.judge.name) == ("code", "exact")
    assert exact.url == f"{mlflow.url}/#/experiments/1/runs/{nightly}"
    length = found[golden, "length", SECOND_VERSION]
    assert (length.kind, length.count, length.mean, length.data_set) == ("numeric", 4, 2.0, "qa-golden")
    # A scorer that is written anew begins another series.
    assert length.judge.version
    assert length.judge.version != exact.judge.version
    assert PLANTED not in repr(evaluated)


def test_an_evaluation_of_an_application_scores_the_application(
    evaluated: list[Scores], mlflow: MlflowServer
) -> None:
    found = {(row.run, row.metric): row.mean for row in evaluated if row.subject == "support-bot"}
    golden = mlflow.seeded["golden"]
    assert found == {(golden, "exact"): 0.75, (golden, "length"): 2.0}


def test_what_evaluations_gave_is_no_score_of_traffic(evaluated: list[Scores]) -> None:
    """They ran today, within the application, and no traffic did."""
    assert {len(row.run) for row in evaluated} == {32}


def test_more_values_than_mlflow_returns_are_counted_by_their_mean(mlflow_server: Stub) -> None:
    """As if MLflow returned no list of values at all: of numbers the mean is left, of words their number."""
    real = mlflow_server.answer

    def answer(call: Call) -> Reply:
        if b"assessment_value" not in call.body or b'"assessment_count"' not in call.body:
            return real(call)
        bucket = f"{FIRST}T00:00:00+00:00"
        dimensions = {"assessment_name": "faithfulness", "time_bucket": bucket, "assessment_value": "0.5"}
        point = {"metric_name": "assessment_count", "dimensions": dimensions, "values": {"COUNT": 1.0}}
        return answer_json({"data_points": [point] * 1_000})

    mlflow_server.answer = answer
    found = {(row.metric, row.run): (row.kind, row.count, row.mean) for row in scores(mlflow_server)}
    first = FIRST.isoformat()
    # The attempt that failed cannot be told from the others any more.
    assert found["faithfulness", first] == ("numeric", 3, 0.75)
    assert found["tone", first] == ("categorical", 2, None)


def test_a_user_who_may_not_see_traces_is_told_once() -> None:
    with (
        recorded("without permission") as server,
        reader_of(server.url) as reader,
        pytest.raises(DeniedError),
    ):
        list(reader.scores(WINDOW))
