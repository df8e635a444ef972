"""What the reader says of scores, from the recorded feedback and from more of its shape."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from datahub_llmops.assets.collections import FailedListing
from datahub_llmops.assets.observations import Judge, Scores, Window
from datahub_llmops.assets.prompts import PromptRef
from datahub_llmops.errors import UnreadableError
from datahub_llmops.prompt_registries.weave import days
from prompt_registries.weave.service import WeaveService, digests, kept_calls, open_at

DAY = date(2026, 11, 30)
WINDOW = Window(first=DAY - timedelta(days=1), last=DAY)
OLD, NEW, _ = (PromptRef(name="support-answer", version=digest) for digest in digests("support-answer"))
HUMAN, CODE = Judge(kind="human"), Judge(kind="code")


@pytest.fixture
def service() -> Iterator[WeaveService]:
    with WeaveService() as server:
        server.trace()
        yield server


def scored(service: WeaveService) -> list[Any]:
    with closing(open_at(service.url)) as reader:
        return list(reader.scores(WINDOW))


def of_traffic(rows: list[Any]) -> set[tuple[Any, ...]]:
    assert all(isinstance(row, Scores) for row in rows), rows
    return {
        (row.metric, row.subject, row.kind, row.judge.kind, row.count, row.mean)
        for row in rows
        if row.data_set is None
    }


def test_scores_of_answers_belong_to_the_application_and_to_the_versions(service: WeaveService) -> None:
    found = scored(service)
    assert of_traffic(found) == {
        ("thumbs_up", "rag-bot", "boolean", "human", 2, 0.5),
        ("thumbs_up", NEW, "boolean", "human", 1, 1.0),
        ("thumbs_up", OLD, "boolean", "human", 1, 0.0),
        ("stars", "rag-bot", "numeric", "code", 2, 3.0),
        ("stars", NEW, "numeric", "code", 1, 4.0),
        ("stars", OLD, "numeric", "code", 1, 2.0),
        ("helpful", "rag-bot", "boolean", "human", 1, 1.0),
        ("helpful", OLD, "boolean", "human", 1, 1.0),
        ("length.short", "rag-bot", "boolean", "code", 1, 1.0),
        ("length.short", NEW, "boolean", "code", 1, 1.0),
        ("length.score", "rag-bot", "numeric", "code", 1, 0.5),
        ("length.score", NEW, "numeric", "code", 1, 0.5),
        ("Grounded", "rag-bot", "numeric", "code", 1, 0.25),
        ("Grounded", NEW, "numeric", "code", 1, 0.25),
    }
    assert {(row.run, row.at) for row in found if row.data_set is None} == {
        ("2026-11-30", datetime(2026, 11, 30, tzinfo=UTC))
    }


def test_an_evaluation_is_a_run_of_the_version_that_its_model_used(service: WeaveService) -> None:
    (root,) = (call for call in kept_calls() if "/op/Evaluation.evaluate:" in call["op_name"])
    found = [row for row in scored(service) if row.data_set is not None]
    assert {(row.metric, row.subject, row.count, row.mean) for row in found} == {
        ("length.short", NEW, 2, 1.0),
        ("length.score", NEW, 2, 0.5),
    }
    assert {(row.data_set, row.run, row.url) for row in found} == {
        ("tickets", root["id"], f"{service.url}/acme/rag-bot/weave/calls/{root['id']}")
    }


def test_an_evaluation_without_a_prompt_is_named(service: WeaveService) -> None:
    service.objects = []
    named = [row for row in scored(service) if isinstance(row, FailedListing)]
    assert [row.is_item for row in named] == [False]
    assert "1 evaluations" in str(named[0].error)


def test_a_scorer_that_used_a_model_is_one(service: WeaveService) -> None:
    (judge,) = (call for call in service.traced if "/op/Grounded.score:" in call["op_name"])
    judge["summary"]["usage"] = {"gpt-4o": {"requests": 1, "prompt_tokens": 5, "completion_tokens": 1}}
    (found,) = {row.judge for row in scored(service) if row.metric == "Grounded"}
    assert (found.kind, found.name, found.model) == ("llm", "Grounded", "gpt-4o")
    assert found.version


def test_texts_of_feedback_are_dropped(service: WeaveService) -> None:
    assert "planted" in json.dumps(service.feedback)
    assert "planted" not in str(scored(service))


def test_notes_are_not_asked_for(service: WeaveService) -> None:
    scored(service)
    asked = [call.json["query"] for call in service.calls if call.path == "/feedback/query"]
    assert asked
    note = {"$eq": [{"$getField": "feedback_type"}, {"$literal": "wandb.note.1"}]}
    assert all({"$not": [note]} in query["$expr"]["$and"] for query in asked)


@pytest.mark.parametrize(
    ("payload", "metrics"),
    [
        ({"value": True}, {"custom"}),
        ({"value": "good"}, set()),
        ({"a": 1, "b": {"c": 0.5, "d": "planted"}}, {"custom.a", "custom.b.c"}),
        ({"a": {"b": {"c": {"d": 1}}}}, set()),
        ({"a": float("inf"), "b": None, "c": [1, 2]}, set()),
        ({}, set()),
    ],
)
def test_numbers_of_a_payload(service: WeaveService, payload: dict[str, Any], metrics: set[str]) -> None:
    (shape, *_) = (entry for entry in service.feedback if entry["feedback_type"] == "stars")
    service.feedback = [{**shape, "feedback_type": "custom", "payload": payload}]
    assert {row.metric for row in scored(service)} == metrics


def test_feedback_on_what_is_gone_or_no_call_is_passed_over(service: WeaveService) -> None:
    (shape, *_) = (entry for entry in service.feedback if entry["feedback_type"] == "stars")
    service.feedback = [
        {**shape, "weave_ref": "weave:///acme/rag-bot/call/gone"},
        {**shape, "id": "2", "weave_ref": "weave:///acme/rag-bot/object/Dataset:d/attr/rows/id/x"},
    ]
    assert scored(service) == []


def test_a_day_with_too_much_feedback_is_left_out_and_named(
    service: WeaveService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(days, "MOST", 3)
    (cut,) = scored(service)
    assert isinstance(cut, FailedListing)
    assert (cut.name, cut.is_item) == (("2026-11-30",), False)


@pytest.mark.parametrize(
    "change", [{"id": 1}, {"weave_ref": None}, {"created_at": "x"}, {"feedback_type": None}]
)
def test_feedback_of_another_shape_is_a_failure(service: WeaveService, change: dict[str, Any]) -> None:
    service.feedback[0].update(change)
    with pytest.raises(UnreadableError, match="does not look like"):
        scored(service)
