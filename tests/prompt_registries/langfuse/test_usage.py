"""What the recorded project's applications did, and what becomes of an estate that does not fit into one answer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from datahub_llmops.assets.collections import FailedListing
from datahub_llmops.assets.observations import Observed, RetrievedSource, Window
from datahub_llmops.assets.prompts import PromptRef
from datahub_llmops.assets.usage import Tokens
from datahub_llmops.errors import DeniedError, UnreachableError, UnreadableError
from datahub_llmops.prompt_registries.langfuse.usage import ApplicationName
from prompt_registries.langfuse.aggregates import Rows
from prompt_registries.langfuse.recordings import recorded
from prompt_registries.langfuse.service import LangfuseService, Mode, open_at, reply
from support.stub import Call, Reply

DAY = date(2026, 11, 29)
MONTH = Window(first=date(2026, 11, 1), last=date(2026, 11, 30))


@pytest.fixture
def service() -> Iterator[LangfuseService]:
    with LangfuseService() as server:
        yield server


def read(
    service: LangfuseService, window: Window = MONTH, name: ApplicationName = "trace_name"
) -> list[Observed | RetrievedSource | FailedListing]:
    with closing(open_at(service.url, application=name)) as reader:
        return list(reader.observed(window))


def observed(service: LangfuseService, **options: Any) -> list[Observed]:
    return [item for item in read(service, **options) if isinstance(item, Observed)]


def queries(service: LangfuseService) -> list[dict[str, Any]]:
    asked = [json.loads(call.query["query"][0]) for call in service.calls if "query" in call.query]
    return [query for query in asked if query["dimensions"]]


def test_answers_of_each_application(service: LangfuseService) -> None:
    answers = [item for item in observed(service) if item.prompt is None and item.model is None]
    bot = next(item for item in answers if item.application == "support-bot")
    assert {item.application for item in answers} == {"support-bot", "chat acme-chat", "nightly-import"}
    assert (bot.day, bot.calls, bot.errors) == (DAY, 12, 0)
    # By model as recorded, without the experiments: gpt-4o, claude, acme-chat, gpt-4o-mini, embeddings.
    assert bot.tokens == Tokens(input=1536 + 540 + 1434 + 1374 + 144, output=175 + 27 + 135 + 129)
    assert bot.cost == pytest.approx(0.005934179999 + 0.0008294 + 0.002475)
    assert bot.definition == f"{service.url}/project/prj-support/traces"


def test_calls_by_prompt_version_and_model(service: LangfuseService) -> None:
    calls = {
        (item.application, item.prompt, item.model): item
        for item in observed(service)
        if item.prompt or item.model
    }
    second = calls["support-bot", PromptRef(name="support/answer", version="2"), "gpt-4o"]
    # Of the recorded 9 calls, 3 are an experiment's.
    assert (second.calls, second.errors) == (6, 1)
    assert second.cost == pytest.approx(0.005269999999)
    assert calls["support-bot", None, "acme-embed-small"].tokens == Tokens(input=144, output=0)
    otlp = calls["chat acme-chat", PromptRef(name="classify-ticket", version="4"), "acme-chat-2026-10"]
    assert (otlp.calls, otlp.tokens, otlp.milliseconds) == (1, Tokens(input=210_000, output=50), 800)
    assert len(calls) == 6


def test_evaluators_and_experiments_are_no_applications(service: LangfuseService) -> None:
    found = observed(service)
    assert not {"experiment-item-run", "Execute evaluator: faithfulness-judge"} & {
        item.application for item in found
    }
    assert "judge-1" not in {item.model for item in found}


def test_a_month_is_three_requests(service: LangfuseService) -> None:
    read(service)
    # The probe for the endpoint, the calls, the answers. No price is in doubt.
    assert service.count("/v2/metrics") == 3
    assert not service.count("/models")
    first, second = queries(service)
    assert (first["fromTimestamp"], first["toTimestamp"]) == ("2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z")
    assert first["config"] == second["config"] == {"row_limit": 1000}


def test_requests_grow_with_months_not_with_traces(service: LangfuseService) -> None:
    service.observations = service.observations * 1000
    found = observed(service, window=Window(first=date(2026, 9, 1), last=date(2026, 12, 31)))
    bot = next(item for item in found if item.application == "support-bot" and item.model is None)
    assert bot.calls == 12_000
    assert service.count("/v2/metrics") == 1 + 2 * 4


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("trace_name", {"chat acme-chat": 1, "nightly-import": 1, "support-bot": 12}),
        ("environment", {"default": 1, "production": 12, "staging": 1}),
        ("release", {"2026.11.2": 10, "2026.11.3": 3}),
        ("tag", {"rag": 9, "v1": 3, "v2": 3, "v3": 3}),
        ("project", {"support-bot": 14}),
    ],
)
@pytest.mark.parametrize("mode", ["dual", "events_only", "legacy"])
def test_an_application_is_what_the_option_says(
    service: LangfuseService, mode: Mode, name: ApplicationName, expected: dict[str, int]
) -> None:
    """In every mode of a server the same: the older endpoint counts traces, the newer one their beginnings."""
    service.mode = mode
    found = observed(service, name=name)
    answers = [item for item in found if item.prompt is None and item.model is None and item.calls]
    assert {item.application: item.calls for item in answers} == expected
    assert {item.errors is None for item in answers} == {mode == "legacy"}


def row(service: LangfuseService, **values: Any) -> dict[str, Any]:
    """An observation like a recorded generation of the application."""
    found = next(item for item in service.observations if item["promptName"] == "support/answer")
    return {**found, **values}


def test_cost_0_without_a_price_is_not_known(service: LangfuseService) -> None:
    service.observations = [
        row(service, providedModelName="secret-model", totalCost=0.0),
        row(service, providedModelName="acme-chat-x", totalCost=0.0, traceName="free"),
        row(service, providedModelName="gpt-4o", totalCost=0.5),
    ]
    found = observed(service)
    by_model = {item.model: item.cost for item in found if item.model}
    # acme-chat-x matches the pattern of a model with a price: what it says is 0 is 0.
    assert by_model == {"secret-model": None, "acme-chat-x": 0.0, "gpt-4o": 0.5}
    # With one part unknown, so is the whole.
    assert {item.application: item.cost for item in found if not item.model} == {
        "support-bot": None,
        "free": 0.0,
    }
    assert service.count("/models") == 1


def test_a_pattern_that_cannot_be_read_tells_no_price(service: LangfuseService) -> None:
    service.models = [{**service.models[0], "matchPattern": "(?i)^(secret"}]
    service.observations = [row(service, providedModelName="secret", totalCost=0.0)]
    assert [item.cost for item in observed(service) if item.model] == [None]


def test_calls_without_usage_leave_tokens_and_cost_open(service: LangfuseService) -> None:
    service.observations = [row(service, inputTokens=0, outputTokens=0, totalCost=0.0)]
    answer, call = observed(service)
    assert (call.tokens, call.cost, answer.tokens, answer.cost) == (Tokens(), None, Tokens(), None)


def test_calls_of_no_application_are_told_once(service: LangfuseService) -> None:
    service.observations = [row(service, traceName=None)] * 3
    (failed,) = read(service)
    assert isinstance(failed, FailedListing)
    assert not failed.is_item
    assert "3 calls of models belong to no application" in str(failed.error)


def many(service: LangfuseService, *, names: int, days: int, hours: int = 1) -> Rows:
    """One call by each of so many applications in each of so many hours of so many days."""
    start = datetime(2026, 11, 1, tzinfo=UTC)
    return [
        row(
            service,
            traceName=f"app-{name:04d}",
            startTime=(start + timedelta(days=day, hours=hour)).isoformat(),
            isRootObservation=True,
        )
        for day in range(days)
        for hour in range(hours)
        for name in range(names)
    ]


def test_days_that_do_not_fit_into_one_answer_are_asked_for_in_parts(service: LangfuseService) -> None:
    service.observations = many(service, names=300, days=10)
    found = observed(service)
    answers = [item for item in found if not item.model]
    assert len(answers) == len({(item.application, item.day) for item in answers}) == 3000
    assert {item.calls for item in answers} == {1}
    # 3 whole days a request, for calls and for answers.
    assert service.count("/v2/metrics") <= 1 + 2 * 5


def test_a_day_that_does_not_fit_is_read_by_the_hour(service: LangfuseService) -> None:
    service.observations = many(service, names=300, days=2, hours=5)
    # At the very begin of a day: neither lost nor counted twice.
    service.observations += [
        row(service, startTime="2026-11-02T00:00:00Z", isRootObservation=True, traceName="support-bot")
    ]
    service.observations += many(service, names=800, days=1)
    answers = {(item.application, item.day): item.calls for item in observed(service) if not item.model}
    assert answers["app-0000", date(2026, 11, 1)] == 6
    assert answers["app-0299", date(2026, 11, 2)] == 5
    assert answers["support-bot", date(2026, 11, 2)] == 1
    assert sum(answers.values()) == 300 * 2 * 5 + 1 + 800


def test_what_happened_at_midnight_belongs_to_the_next_day(service: LangfuseService) -> None:
    """The end of a range belongs to it in Langfuse's answers."""
    service.observations = [row(service, startTime="2026-11-02T00:00:00Z", isRootObservation=True)]
    first, second = date(2026, 11, 1), date(2026, 11, 2)
    assert observed(service, window=Window(first=first, last=first)) == []
    assert {item.day for item in observed(service, window=Window(first=second, last=second))} == {second}


def test_an_hour_that_does_not_fit_fails_the_day_and_no_other(service: LangfuseService) -> None:
    service.observations = many(service, names=1000, days=1) + many(service, names=10, days=3)
    found = read(service)
    failed = [item for item in found if isinstance(item, FailedListing)]
    assert [(item.name, item.is_item) for item in failed] == [(("2026-11-01",), True)]
    assert "applications.name" in str(failed[0].error)
    days = {item.day for item in found if isinstance(item, Observed)}
    assert days == {date(2026, 11, 2), date(2026, 11, 3)}


def test_the_limit_of_the_hobby_plan_is_reported_at_once(service: LangfuseService) -> None:
    (limited,) = (exchange for exchange in recorded("rate_limit") if "metrics" in exchange["request"]["path"])
    answer = service.answer

    def refuse(call: Call) -> Reply:
        return reply(limited) if call.path.endswith("/metrics") else answer(call)

    service.answer = refuse
    with pytest.raises(UnreadableError, match="asks to wait 23 h 59 min"):
        read(service)
    assert service.count("/metrics") == 1


def test_a_key_without_the_right_to_traces_is_denied(service: LangfuseService) -> None:
    service.fail("403", when=lambda call: "metrics" in call.path)
    with pytest.raises(DeniedError):
        read(service)


@pytest.mark.parametrize("fault", ["gateway_404", "login_page"])
def test_a_gateway_in_between_is_unreachable(service: LangfuseService, fault: Any) -> None:
    service.fail(fault, when=lambda call: "metrics" in call.path)
    with pytest.raises(UnreachableError):
        read(service)


@pytest.mark.parametrize(
    "body",
    [{"data": None}, {"data": [{"count_count": 1}]}, {"data": [{"time_dimension": "x"}]}, []],
)
def test_an_answer_of_another_shape_is_unreadable(service: LangfuseService, body: Any) -> None:
    answer = service.answer

    def change(call: Call) -> Reply:
        if "query" in call.query and json.loads(call.query["query"][0])["dimensions"]:
            return Reply(body=json.dumps(body).encode())
        return answer(call)

    service.answer = change
    with pytest.raises(UnreadableError):
        read(service)
