"""Scores of a tool as assertions, time series and last values, through a real pipeline into a local catalog."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from datahub.emitter.mcp import MetadataChangeProposalWrapper
from datahub.ingestion.run.pipeline import Pipeline
from datahub.ingestion.sink.file import write_metadata_file
from datahub.metadata.schema_classes import (
    AssertionInfoClass,
    AssertionNoteClass,
    AuditStampClass,
    CustomAssertionInfoClass,
)
from pydantic import ValidationError

from datahub_llmops import urns
from datahub_llmops.assets.collections import FailedListing
from datahub_llmops.assets.observations import Judge, Limit, Scores
from datahub_llmops.assets.prompts import PromptRef
from datahub_llmops.catalog.local.catalog import LocalCatalog
from datahub_llmops.errors import DeniedError, UnreachableError, UnreadableError
from datahub_llmops.ingestion.score_options import Threshold
from datahub_llmops.testing import runs
from support.scripted_prompts import PLATFORM, clear, fill, prompt
from support.scripted_tool import NOW, OBSERVED, SCORE_WINDOWS, SCORES, SOURCE, WINDOWS, observed, on, reset

ANSWER = PromptRef(name="support/answer", version="1")
PROMPT = urns.prompt_version(PLATFORM, "support/answer", "1", env="PROD")
LOG = "urn:li:dataset:(urn:li:dataPlatform:langchain,support-bot.answers,PROD)"
JUDGE = Judge(kind="llm", name="grader", version="3", model="openai/gpt-5")
FAITHFUL = {"metric": "faithfulness", "at_least": 0.8}
EXPERIMENT = Scores(
    metric="faithfulness",
    subject=ANSWER,
    kind="numeric",
    judge=JUDGE,
    run="exp-1",
    at=on(19),
    count=120,
    mean=0.91,
    unexpected=4,
    data_set="qa",
    url="https://tool/exp-1",
)
TRAFFIC = replace(EXPERIMENT, subject="support-bot", run="2026-11-19", data_set=None, url=None)


@pytest.fixture(autouse=True)
def scripted() -> Iterator[None]:
    clear()
    reset()
    fill(prompt("support/answer"))
    yield
    clear()
    reset()


def run(folder: Path, *thresholds: dict[str, Any], **options: Any) -> Pipeline:
    evaluations = {"thresholds": list(thresholds), **options.pop("evaluations", {})}
    return runs.run(folder, SOURCE, {"evaluations": evaluations, **options})


def failures(pipeline: Pipeline) -> dict[str | None, list[str]]:
    return {entry.title: list(entry.context) for entry in pipeline.source.get_report().failures}


def events(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """The runs of every assertion."""
    with closing(LocalCatalog(folder / "catalog.db")) as catalog:
        found: dict[str, list[dict[str, Any]]] = {}
        for record in catalog.records():
            if record.name == "assertionInfo":
                found.setdefault(record.urn, [])
            if record.name == "assertionRunEvent":
                found.setdefault(record.urn, []).append(dict(record.aspect))
        return found


def history(folder: Path, asset: str) -> list[dict[str, Any]]:
    with closing(LocalCatalog(folder / "catalog.db")) as catalog:
        return [dict(one) for one in catalog.series(asset, "llmScores", 0)]


def last(folder: Path, asset: str) -> list[str]:
    found = runs.aspect(folder, asset, "structuredProperties").get("properties") or []
    urn = urns.structured_property("last_scores")
    return [next(iter(v.values())) for one in found if one["propertyUrn"] == urn for v in one["values"]]


def test_a_metric_with_a_threshold_is_an_assertion_with_its_runs(tmp_path: Path) -> None:
    SCORES.append(EXPERIMENT)
    run(tmp_path, FAITHFUL).raise_from_status()
    [(urn, [event])] = events(tmp_path).items()
    info = runs.aspect(tmp_path, urn, "assertionInfo")
    assert info["type"] == "CUSTOM"
    assert info["source"] == {"type": "EXTERNAL"}
    assert info["description"] == (
        "faithfulness at least 0.8 on data set qa, judged by an LLM (grader 3) with openai/gpt-5"
    )
    custom = info["customAssertion"]
    assert (custom["type"], custom["entity"]) == ("LLM Evaluation", PROMPT)
    assert (custom["aggregation"], custom["operator"]) == ("MEAN", "GREATER_THAN_OR_EQUAL_TO")
    assert custom["parameters"] == {"value": {"value": "0.8", "type": "NUMBER"}}
    assert runs.aspect(tmp_path, urn, "dataPlatformInstance")["platform"] == urns.platform(PLATFORM)
    assert (event["runId"], event["asserteeUrn"], event["status"]) == ("exp-1", PROMPT, "COMPLETE")
    assert event["timestampMillis"] == on(19).timestamp() * 1000
    assert event["result"] == {
        "type": "SUCCESS",
        "rowCount": 120,
        "unexpectedCount": 4,
        "actualAggValue": 0.91,
        "nativeResults": {
            "judge": "grader",
            "judge_kind": "llm",
            "judge_model": "openai/gpt-5",
            "judge_version": "3",
            "mean": "0.91",
            "data_set": "qa",
        },
        "externalUrl": "https://tool/exp-1",
    }
    [record] = history(tmp_path, PROMPT)
    assert (record["metric"], record["mean"], record["scores"], record["passed"]) == (
        "faithfulness",
        0.91,
        120,
        True,
    )
    assert last(tmp_path, PROMPT) == ["faithfulness 0.91 of 120, passed"]


def test_without_a_threshold_there_is_no_assertion_and_all_of_the_history(tmp_path: Path) -> None:
    SCORES.append(EXPERIMENT)
    run(tmp_path, {**FAITHFUL, "prompt": "billing/.*"}, {**FAITHFUL, "metric": "tone"}).raise_from_status()
    assert events(tmp_path) == {}
    [record] = history(tmp_path, PROMPT)
    assert {"passed", "atLeast", "atMost"}.isdisjoint(record)
    assert last(tmp_path, PROMPT) == ["faithfulness 0.91 of 120"]


def test_the_recipes_threshold_goes_before_that_of_the_tool(tmp_path: Path) -> None:
    SCORES.append(replace(EXPERIMENT, limit=Limit(at_most=0.5)))
    run(tmp_path).raise_from_status()
    assert last(tmp_path, PROMPT) == ["faithfulness 0.91 of 120, failed"]
    run(tmp_path, {**FAITHFUL, "prompt": "support/.*"}, {**FAITHFUL, "at_least": 0.99}).raise_from_status()
    assert last(tmp_path, PROMPT) == ["faithfulness 0.91 of 120, passed"]
    [(_, [event])] = events(tmp_path).items()
    assert event["result"]["type"] == "SUCCESS"


@pytest.mark.parametrize(
    ("facts", "limit", "kind"),
    [
        ({"mean": 0.79}, FAITHFUL, "FAILURE"),
        ({"mean": 0.8}, FAITHFUL, "SUCCESS"),
        ({"mean": 0.5}, {"metric": "faithfulness", "at_most": 0.5}, "SUCCESS"),
        ({"mean": 0.6}, {"metric": "faithfulness", "at_least": 0.1, "at_most": 0.5}, "FAILURE"),
        ({"kind": "boolean", "mean": 1.0}, FAITHFUL, "SUCCESS"),
        ({"count": 0, "mean": None, "failed": 7}, FAITHFUL, "ERROR"),
        ({"mean": None}, FAITHFUL, "ERROR"),
        ({"mean": float("nan")}, FAITHFUL, "ERROR"),
    ],
)
def test_verdicts(tmp_path: Path, facts: dict[str, Any], limit: dict[str, Any], kind: str) -> None:
    SCORES.append(replace(EXPERIMENT, **facts))
    run(tmp_path, limit).raise_from_status()
    [(_, [event])] = events(tmp_path).items()
    assert event["result"]["type"] == kind
    assert event["result"].get("error") == ({"type": "INSUFFICIENT_DATA"} if kind == "ERROR" else None)
    [record] = history(tmp_path, PROMPT)
    assert record.get("passed") == {"SUCCESS": True, "FAILURE": False, "ERROR": None}[kind]
    if kind == "ERROR":
        assert last(tmp_path, PROMPT) == ["faithfulness not known"]


def test_categories_have_a_history_and_no_verdict(tmp_path: Path) -> None:
    tone = replace(
        EXPERIMENT,
        metric="tone",
        kind="categorical",
        mean=None,
        categories={"kind": 80, 'very "rude"': 90},
        count=170,
    )
    SCORES.extend([tone, replace(tone, data_set="other")])
    pipeline = run(tmp_path, {"metric": "tone", "at_least": 0.5})
    pipeline.raise_from_status()
    warned = [one for one in pipeline.source.get_report().warnings if one.title == "Threshold without effect"]
    assert [list(one.context) for one in warned] == [["tone"]]
    assert events(tmp_path) == {}
    [record, _] = history(tmp_path, PROMPT)
    assert [(one["category"], one["count"]) for one in record["categories"]] == [
        ("kind", 80),
        ('very "rude"', 90),
    ]
    assert last(tmp_path, PROMPT) == ["tone \"very 'rude'\" 90 of 170"]


@pytest.mark.parametrize(
    "judge",
    [
        replace(JUDGE, name="other"),
        replace(JUDGE, version="4"),
        replace(JUDGE, model="openai/gpt-6"),
        replace(JUDGE, kind="code"),
        replace(JUDGE, prompt=PromptRef(name="judge", version="1")),
    ],
)
def test_another_judge_begins_another_series(tmp_path: Path, judge: Judge) -> None:
    SCORES.append(EXPERIMENT)
    run(tmp_path, FAITHFUL).raise_from_status()
    before = events(tmp_path)
    SCORES[:] = [replace(EXPERIMENT, judge=judge, mean=0.1, at=on(20), run="exp-2")]
    run(tmp_path, FAITHFUL).raise_from_status()
    after = events(tmp_path)
    assert len(after) == 2
    assert {urn: after[urn] for urn in before} == before
    assert len({one["partitionSpec"]["partition"] for one in history(tmp_path, PROMPT)}) == 2
    assert last(tmp_path, PROMPT) == ["faithfulness 0.1 of 120, failed"]


def test_each_data_set_and_traffic_is_a_series(tmp_path: Path) -> None:
    SCORES.extend(
        [
            EXPERIMENT,
            replace(EXPERIMENT, data_set="hard"),
            replace(EXPERIMENT, data_set=None, run="2026-11-19"),
        ]
    )
    run(tmp_path, FAITHFUL).raise_from_status()
    assert len(events(tmp_path)) == 3


def test_a_repeat_replaces_the_run_and_a_day_has_one_time(tmp_path: Path) -> None:
    SCORES.append(TRAFFIC)
    run(tmp_path, FAITHFUL).raise_from_status()
    SCORES[:] = [replace(TRAFFIC, at=on(19, 23), count=150, mean=0.7)]
    for _ in range(2):
        run(tmp_path, FAITHFUL).raise_from_status()
    [(_, [event])] = events(tmp_path).items()
    assert event["timestampMillis"] == on(19, 0).timestamp() * 1000
    assert (event["asserteeUrn"], event["result"]["rowCount"]) == (LOG, 150)
    assert [one["scores"] for one in history(tmp_path, LOG)] == [150]
    assert last(tmp_path, LOG) == ["faithfulness 0.7 of 150, failed"]
    assert runs.aspect(tmp_path, LOG, "subTypes") == {"typeNames": ["Answer Log"]}


def test_last_scores_of_other_metrics_stay(tmp_path: Path) -> None:
    SCORES.extend(
        [
            EXPERIMENT,
            replace(EXPERIMENT, metric="faithfulness strict", mean=0.5),
            replace(EXPERIMENT, metric="faith", mean=0.4),
        ]
    )
    run(tmp_path).raise_from_status()
    SCORES[:] = [replace(EXPERIMENT, metric="faith", mean=0.6, at=on(20))]
    run(tmp_path).raise_from_status()
    assert last(tmp_path, PROMPT) == [
        "faith 0.6 of 120",
        "faithfulness 0.91 of 120",
        "faithfulness strict 0.5 of 120",
    ]


def test_the_newest_of_a_window_is_the_last_score(tmp_path: Path) -> None:
    SCORES.extend(
        [
            replace(EXPERIMENT, at=on(18), mean=0.9),
            replace(EXPERIMENT, at=on(19), mean=0.5),
            replace(EXPERIMENT, at=on(17)),
        ]
    )
    run(tmp_path).raise_from_status()
    assert last(tmp_path, PROMPT) == ["faithfulness 0.5 of 120"]


def test_notes_and_assertions_of_people_stay(tmp_path: Path) -> None:
    SCORES.append(EXPERIMENT)
    run(tmp_path, FAITHFUL).raise_from_status()
    [ours] = events(tmp_path)
    note = AssertionNoteClass("Known problem", AuditStampClass(0, "urn:li:corpuser:ada"))
    written = AssertionInfoClass.from_obj({**runs.aspect(tmp_path, ours, "assertionInfo")})
    written.note = note
    theirs = AssertionInfoClass(
        type="CUSTOM",
        customAssertion=CustomAssertionInfoClass(type="Manual", entity=PROMPT),
        description="Ada's",
    )
    by_hand = tmp_path / "hand.json"
    write_metadata_file(
        by_hand,
        [
            MetadataChangeProposalWrapper(entityUrn=ours, aspect=written),
            MetadataChangeProposalWrapper(entityUrn="urn:li:assertion:ada", aspect=theirs),
        ],
    )
    runs.run(tmp_path, "file", {"path": str(by_hand), "stateful_ingestion": None})
    SCORES[:] = [replace(EXPERIMENT, at=on(20), run="exp-2")]
    run(tmp_path, FAITHFUL).raise_from_status()
    SCORES.clear()
    run(tmp_path, FAITHFUL).raise_from_status()
    assert runs.aspect(tmp_path, ours, "assertionInfo")["note"]["content"] == "Known problem"
    assert runs.aspect(tmp_path, "urn:li:assertion:ada", "assertionInfo")["description"] == "Ada's"
    # One without new scores is not a stale one.
    assert runs.aspect(tmp_path, ours, "status") in ({}, {"removed": False})
    assert len(events(tmp_path)[ours]) == 2


@pytest.mark.parametrize(
    ("fault", "title", "next_first"),
    [
        (UnreachableError("tool: it is down"), "Cannot read the tool's scores", 14),
        (DeniedError("tool: it is down"), "No right to read scores", 14),
        (
            FailedListing(name=("qa", "2026-11-18"), error=UnreadableError("tool: it is down")),
            "Scores could not be read",
            17,
        ),
        (
            FailedListing(name=("qa",), error=UnreadableError("tool: it is down")),
            "Scores could not be read",
            14,
        ),
    ],
)
def test_what_was_read_before_a_failure_is_written_and_the_rest_is_read_again(
    tmp_path: Path, fault: Any, title: str, next_first: int
) -> None:
    options: dict[str, Any] = {"evaluations": {"first_days": 7}, "applications": False}
    SCORES.extend([EXPERIMENT, fault, replace(EXPERIMENT, metric="tone")])
    pipeline = run(tmp_path, FAITHFUL, **options)
    assert list(failures(pipeline)) == [title]
    assert "tool: it is down" in failures(pipeline)[title][0]
    assert "faithfulness 0.91 of 120, passed" in last(tmp_path, PROMPT)
    assert runs.live(tmp_path, PLATFORM) == {"support/answer.v1"}
    SCORES.remove(fault)
    run(tmp_path, FAITHFUL, **options).raise_from_status()
    assert SCORE_WINDOWS[-1].first.day == next_first
    assert len(history(tmp_path, PROMPT)) == 2
    NOW[:] = [on(21)]
    run(tmp_path, FAITHFUL, **options).raise_from_status()
    assert SCORE_WINDOWS[-1].first.day == 19


def test_only_what_the_recipe_wants(tmp_path: Path) -> None:
    SCORES.extend(
        [
            EXPERIMENT,
            replace(EXPERIMENT, metric="debug_x"),
            replace(EXPERIMENT, subject=PromptRef(name="internal", version="1")),
            TRAFFIC,
            replace(TRAFFIC, subject="test-bot"),
        ]
    )
    pipeline = run(
        tmp_path,
        FAITHFUL,
        evaluations={"metric_pattern": {"deny": ["debug_.*"]}},
        prompt_pattern={"allow": ["support/.*"]},
        applications={"pattern": {"deny": ["test-.*"]}},
    )
    pipeline.raise_from_status()
    report: Any = pipeline.source.get_report()
    assert (report.scores_read, report.assertions) == (2, 2)
    assert {event["asserteeUrn"] for [event] in events(tmp_path).values()} == {PROMPT, LOG}


def test_scores_of_an_application_stand_where_the_hooks_drew_it(tmp_path: Path) -> None:
    OBSERVED.append(observed(19, definition="https://tool/bot"))
    run(tmp_path, applications={"platform": "llama-index"}).raise_from_status()
    SCORES.append(TRAFFIC)
    run(tmp_path, applications=False).raise_from_status()
    llama = LOG.replace("langchain", "llama-index")
    assert last(tmp_path, llama) == ["faithfulness 0.91 of 120"]
    assert last(tmp_path, LOG) == []
    job = "urn:li:dataJob:(urn:li:dataFlow:(llama-index,support-bot,PROD),support-bot)"
    assert runs.aspect(tmp_path, job, "dataJobInfo")["externalUrl"] == "https://tool/bot"


def test_evaluations_can_be_left_out(tmp_path: Path) -> None:
    SCORES.append(EXPERIMENT)
    runs.run(tmp_path, SOURCE, {"evaluations": False, "applications": False}).raise_from_status()
    assert SCORE_WINDOWS == WINDOWS == []


def test_a_threshold_whose_expression_is_none_is_refused() -> None:
    with pytest.raises(ValidationError, match="is not a regular expression"):
        Threshold(metric="m", at_least=1, prompt="(")
