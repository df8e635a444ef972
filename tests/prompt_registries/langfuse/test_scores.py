"""Scores of the recorded project: of traffic by the day, and of experiments."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime
from typing import Any

import pytest

from datahub_llmops.assets.collections import FailedListing
from datahub_llmops.assets.observations import Judge, Scores, Window
from datahub_llmops.assets.prompts import PromptRef
from datahub_llmops.errors import UnreadableError
from datahub_llmops.prompt_registries.langfuse.usage import ApplicationName
from prompt_registries.langfuse.service import LangfuseService, Mode, open_at

DAY = date(2026, 11, 29)
MONTH = Window(first=date(2026, 11, 1), last=date(2026, 11, 30))
JUDGE = Judge(
    kind="llm", name="faithfulness-judge", version="cmx16vebe0003k17dcdlity2a", model="acme-judge/judge-1"
)


def version(number: int) -> PromptRef:
    return PromptRef(name="support/answer", version=str(number))


@pytest.fixture
def service() -> Iterator[LangfuseService]:
    with LangfuseService() as server:
        yield server


def read(service: LangfuseService, name: ApplicationName = "trace_name") -> list[Scores | FailedListing]:
    with closing(open_at(service.url, application=name)) as reader:
        return list(reader.scores(MONTH))


def traffic(found: list[Scores | FailedListing]) -> dict[Any, Scores]:
    kept = [item for item in found if isinstance(item, Scores) and item.data_set is None]
    scores = {(item.subject, item.metric): item for item in kept}
    assert len(scores) == len(kept)
    return scores


@pytest.mark.parametrize("mode", ["dual", "events_only", "legacy"])
def test_scores_of_versions_and_of_applications(service: LangfuseService, mode: Mode) -> None:
    """Scores of traces have no version, those of calls belong to the application as well: asked for both ways."""
    service.mode = mode
    found = traffic(read(service))
    told: Any = {key: (item.count, item.mean) for key, item in found.items() if item.kind == "numeric"}
    assert told == {
        (version(1), "faithfulness"): (3, pytest.approx(0.65)),
        (version(2), "faithfulness"): (3, pytest.approx(0.7)),
        (version(3), "faithfulness"): (3, pytest.approx(0.75)),
        (version(2), "faithfulness-judge"): (3, pytest.approx(0.9)),
        ("support-bot", "faithfulness"): (9, pytest.approx(0.7)),
        ("support-bot", "faithfulness-judge"): (3, pytest.approx(0.9)),
    }
    helpful = found["support-bot", "helpful"]
    assert (helpful.kind, helpful.count) == ("boolean", 9)
    assert helpful.mean == pytest.approx(2 / 3)
    tone = found["support-bot", "tone"]
    assert (tone.kind, tone.count, tone.mean) == ("categorical", 9, None)
    assert tone.categories == {"friendly": 3, "neutral": 3, "rude": 3}
    assert {(item.run, item.at) for item in found.values()} == {
        ("2026-11-29", datetime(2026, 11, 29, tzinfo=UTC))
    }


def test_the_judge_is_the_evaluator_that_the_score_names(service: LangfuseService) -> None:
    found = traffic(read(service))
    assert found[version(2), "faithfulness-judge"].judge == JUDGE
    assert found[version(2), "faithfulness"].judge == Judge(kind="code")
    # One score a metric and day, and the list of evaluators once.
    assert service.count("/v3/scores") == 1
    assert service.count("/unstable/evaluators") == 1


def test_the_model_of_a_changed_evaluator_is_not_known(service: LangfuseService) -> None:
    for score in service.rows["scores_v3"]:
        # Before the evaluator was changed to what the listing tells.
        if score["source"] == "EVAL":
            score["timestamp"] = "2026-11-29T01:50:00.000Z"
    judge = traffic(read(service))[version(2), "faithfulness-judge"].judge
    assert judge == Judge(kind="llm", name=JUDGE.name, version=JUDGE.version)


@pytest.mark.parametrize("path", ["/unstable/evaluators", "/v3/scores"])
def test_a_server_that_does_not_tell_its_evaluators(service: LangfuseService, path: str) -> None:
    service.fail("gateway_404", when=lambda call: path in call.path)
    judge = traffic(read(service))[version(2), "faithfulness-judge"].judge
    known = JUDGE.version if path == "/unstable/evaluators" else None
    assert judge == Judge(kind="llm", version=known)


@pytest.mark.parametrize("configuration", [None, ""])
def test_free_categories_are_not_read(service: LangfuseService, configuration: str | None) -> None:
    for score in service.scores:
        if score["name"] == "tone":
            score |= {"configId": configuration, "stringValue": "planted-remark"}
    found = read(service)
    assert "tone" not in {item.metric for item in found if isinstance(item, Scores)}
    assert "planted-remark" not in repr(found)


def test_scores_of_experiments_are_not_those_of_an_application(service: LangfuseService) -> None:
    found = traffic(read(service))
    assert not {"exact", "mean-exact"} & {metric for _, metric in found}
    # The score of a session belongs to no application.
    assert "csat" not in {metric for _, metric in found}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("environment", set()),
        ("project", {"support-bot"}),
        ("release", {"2026.11.2", "2026.11.3"}),
        ("tag", {"rag", "v1", "v2", "v3"}),
    ],
)
def test_scores_belong_to_what_an_application_is(
    service: LangfuseService, name: ApplicationName, expected: set[str]
) -> None:
    found = traffic(read(service, name))
    assert {subject for subject, _ in found if isinstance(subject, str)} == expected
    assert (version(3), "faithfulness") in found


def test_an_experiment_scores_the_versions_that_it_used(service: LangfuseService) -> None:
    found = [item for item in read(service) if isinstance(item, Scores) and item.data_set]
    told: Any = {(item.subject, item.metric): (item.count, item.mean, item.data_set) for item in found}
    assert told == {
        (version(3), "mean-exact"): (1, 1.0, "qa/golden"),
        (version(3), "exact"): (3, 1.0, "qa/golden"),
        (version(2), "mean-exact"): (1, pytest.approx(1 / 3), "qa/golden"),
        (version(2), "exact"): (3, pytest.approx(1 / 3), "qa/golden"),
    }
    third = next(item for item in found if item.subject == version(3))
    assert third.run == "ce46d257-8556-46ec-a85f-dab03c39c7f3"
    assert third.at == datetime(2026, 11, 29, 1, 45, 32, 575000, UTC)
    assert third.url == (
        f"{service.url}/project/prj-support/datasets/cmx16g7xh00151f7d21wr8dg3/runs/{third.run}"
    )
    assert third.judge == Judge(kind="code")


def test_an_experiment_without_a_prompt_is_told(service: LangfuseService) -> None:
    for item in service.observations:
        if item["experimentId"]:
            item["promptName"] = None
    found = read(service)
    assert not [item for item in found if isinstance(item, Scores) and item.data_set]
    (failed,) = (item for item in found if isinstance(item, FailedListing))
    assert not failed.is_item
    assert "2 experiments used no prompt" in str(failed.error)


def test_an_experiment_that_cannot_be_read_leaves_the_others(service: LangfuseService) -> None:
    service.fail("garbage", when=lambda call: call.path.endswith("/experiment-items"), times=1)
    found = read(service)
    (failed,) = (item for item in found if isinstance(item, FailedListing))
    assert (failed.name, failed.is_item) == (("support/answer v3",), True)
    assert {item.subject for item in found if isinstance(item, Scores) and item.data_set} == {version(2)}


def test_a_large_experiment_is_not_read_row_by_row(service: LangfuseService) -> None:
    service.rows["experiments"][0]["itemCount"] = 5_001
    found = read(service)
    (failed,) = (entry for entry in found if isinstance(entry, FailedListing))
    assert not failed.is_item
    assert "more than 5,000 items" in str(failed.error)
    assert service.count("/experiment-items") == 1
    assert {item.subject for item in found if isinstance(item, Scores) and item.data_set} == {version(2)}


def test_an_experiment_with_more_items_than_it_says_fails(service: LangfuseService) -> None:
    item = service.rows["experiment_items"][0]
    service.rows["experiment_items"] = [{**item, "id": str(number)} for number in range(5_001)]
    (failed,) = (entry for entry in read(service) if isinstance(entry, FailedListing))
    assert failed.is_item
    assert service.count("/experiment-items") <= 52 + 1


def test_a_server_in_the_form_of_langfuse_3_says_once_that_experiments_are_missing(
    service: LangfuseService,
) -> None:
    service.mode = "legacy"
    (failed,) = (item for item in read(service) if isinstance(item, FailedListing))
    assert not failed.is_item
    assert "experiments cannot be read" in str(failed.error)


def test_requests_do_not_grow_with_scores(service: LangfuseService) -> None:
    read(service)
    few = len(service.calls)
    service.scores = service.scores * 1000
    service.calls.clear()
    assert traffic(read(service))["support-bot", "faithfulness"].count == 9_000
    assert len(service.calls) == few


def test_a_day_with_too_many_metrics_fails_and_no_other(service: LangfuseService) -> None:
    (template,) = (item for item in service.scores if item["name"] == "csat")
    found = next(item for item in service.scores if item["name"] == "helpful")
    many = [{**found, "name": f"m{number}"} for number in range(1001)]
    later = {**found, "startTime": "2026-11-30T10:00:00Z"}
    service.scores = [template, *many, later]
    told = read(service)
    failed = [item for item in told if isinstance(item, FailedListing)]
    assert [item.name for item in failed] == [("2026-11-29",)]
    assert {item.run for item in told if isinstance(item, Scores) and not item.data_set} == {"2026-11-30"}


def test_a_listing_that_breaks_off_is_an_error(service: LangfuseService) -> None:
    service.fail("garbage", when=lambda call: call.path.endswith("/experiments"))
    with pytest.raises(UnreadableError):
        read(service)


def test_no_text_of_a_score_is_kept(service: LangfuseService) -> None:
    for row in service.rows["scores_v3"]:
        row["comment"] = "planted-comment"
        if row["dataType"] in ("TEXT", "CORRECTION"):
            row["value"] = "planted-comment"
    assert "planted-comment" not in repr(read(service))
