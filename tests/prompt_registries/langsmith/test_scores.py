"""What the reader says of feedback and experiments."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime
from typing import Any

import pytest

from datahub_llmops.assets.collections import FailedListing
from datahub_llmops.assets.observations import Judge, Scores, Window
from datahub_llmops.assets.prompts import PromptRef
from datahub_llmops.prompt_registries.langsmith import traffic
from prompt_registries.langsmith.service import (
    EXPERIMENT,
    PROJECT,
    WORKSPACE,
    B,
    C,
    LangSmithService,
    open_at,
    trace,
)

WINDOW = Window(first=date(2026, 11, 28), last=date(2026, 11, 29))
ANSWER = PromptRef(name="support-answer", version=B)


@pytest.fixture
def service() -> Iterator[LangSmithService]:
    with LangSmithService() as server:
        yield server


def scores(service: LangSmithService, window: Window = WINDOW) -> list[Any]:
    with closing(open_at(service.url)) as reader:
        return list(reader.scores(window))


def test_feedback_of_a_day_for_the_application_and_its_versions(service: LangSmithService) -> None:
    service.runs = [
        *trace("1", hash=B, feedback={"faithfulness": 1.0, "helpful": 1.0}),
        *trace("2", hash=B, feedback={"faithfulness": 0.5}),
        *trace("3", feedback={"faithfulness": 0.0}),
    ]
    found = [score for score in scores(service) if isinstance(score, Scores)]
    assert [(score.subject, score.metric, score.count, score.mean) for score in found] == [
        ("support-bot", "faithfulness", 3, 0.5),
        ("support-bot", "helpful", 1, 1.0),
        (ANSWER, "faithfulness", 2, 0.75),
        (ANSWER, "helpful", 1, 1.0),
    ]
    assert found[0] == Scores(
        metric="faithfulness",
        subject="support-bot",
        kind="numeric",
        judge=Judge(kind="llm", name="faithfulness"),
        run="2026-11-29",
        at=datetime(2026, 11, 29, tzinfo=UTC),
        count=3,
        mean=0.5,
        url=f"{service.url}/o/{WORKSPACE}/projects/p/{PROJECT}",
    )
    assert found[1].judge == Judge(kind="code")


def test_an_experiment_scores_each_version_that_it_used(service: LangSmithService) -> None:
    service.runs = [*trace("1", hash=B, session=EXPERIMENT), *trace("2", hash=C, session=EXPERIMENT)]
    first, second = scores(service)
    assert first == Scores(
        metric="faithfulness",
        subject=ANSWER,
        kind="numeric",
        judge=Judge(kind="llm", name="faithfulness"),
        run=EXPERIMENT,
        at=datetime(2026, 11, 29, 8, tzinfo=UTC),
        count=2,
        mean=0.8,
        data_set="qa-golden",
        url=f"{service.url}/o/{WORKSPACE}/projects/p/{EXPERIMENT}",
    )
    assert second.subject == PromptRef(name="support-answer", version=C)


def test_an_experiment_without_a_prompt_is_said(service: LangSmithService) -> None:
    (failed,) = scores(service)
    assert isinstance(failed, FailedListing)
    assert (failed.name, failed.is_item) == (("answer v2",), False)
    assert "used no prompt of LangSmith" in str(failed.error)


def test_an_experiment_of_another_time_is_left_out(service: LangSmithService) -> None:
    service.runs = trace("1", hash=B, session=EXPERIMENT)
    assert scores(service, Window(first=date(2026, 11, 28), last=date(2026, 11, 28))) == []


@pytest.mark.parametrize(
    ("told", "kind", "count", "failed"),
    [
        ({"n": 2, "avg": None, "values": {"planted": 2}}, "categorical", 2, 0),
        ({"n": 0, "avg": None, "values": {}, "errors": 3}, "numeric", 0, 3),
    ],
)
def test_categories_are_counted_without_their_names(
    service: LangSmithService, told: dict[str, Any], kind: str, count: int, failed: int
) -> None:
    service.runs = trace("1", hash=B, session=EXPERIMENT)
    service.sessions[1]["feedback_stats"] = {"tone": told}
    (only,) = scores(service)
    assert (only.kind, only.mean, only.count, only.failed, only.categories) == (kind, None, count, failed, {})
    assert "planted" not in str(only)


@pytest.mark.parametrize("told", [None, 3, {}, {"n": 0, "avg": 0.5}, {"n": 1}, {"n": "2", "avg": 1}])
def test_feedback_of_another_shape_is_no_score(service: LangSmithService, told: Any) -> None:
    service.runs = trace("1", hash=B, session=EXPERIMENT)
    service.sessions[1]["feedback_stats"] = {"tone": told}
    assert scores(service) == []


def test_without_the_right_to_evaluators_a_judge_has_no_name(service: LangSmithService) -> None:
    service.runs = trace("1", hash=B, session=EXPERIMENT)
    service.fail("403", when=lambda call: call.path.endswith("/evaluators"))
    assert [score.judge for score in scores(service)] == [Judge(kind="code")]


def test_a_day_that_cannot_be_read_fails_alone(service: LangSmithService) -> None:
    service.runs = [*trace("1", feedback={"a": 1.0}), *trace("2", hash=B, session=EXPERIMENT)]
    service.fail("500", when=lambda call: call.path.endswith("/stats") and b"2026-11-29" in call.body)
    failed, found = scores(service)
    assert (failed.name, failed.is_item) == (("support-bot", "2026-11-29"), True)
    assert found.run == EXPERIMENT


def test_versions_beyond_the_bound_are_said_to_be_missing(
    service: LangSmithService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(traffic, "_A_PAGE", 1)
    monkeypatch.setattr(traffic, "MOST_PAGES", 1)
    service.runs = [run for id in "12" for run in trace(id, hash=B, session=EXPERIMENT)]
    found, failed = scores(service)
    assert found.subject == ANSWER
    assert (failed.name, failed.is_item) == (("answer v2",), False)
