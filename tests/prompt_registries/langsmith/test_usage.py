"""What the reader says of applications, from runs whose statistics the stand-in works out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime
from typing import Any

import pytest

from datahub_llmops.assets.collections import FailedListing
from datahub_llmops.assets.observations import Observed, Window
from datahub_llmops.assets.prompts import PromptRef
from datahub_llmops.assets.usage import Tokens
from datahub_llmops.errors import ConnectorError
from datahub_llmops.prompt_registries.langsmith import traffic
from prompt_registries.langsmith.service import (
    EXPERIMENT,
    PROJECT,
    WORKSPACE,
    A,
    B,
    FakeRun,
    LangSmithService,
    hub,
    open_at,
    trace,
)

DAY = date(2026, 11, 29)
WINDOW = Window(first=date(2026, 11, 28), last=DAY)
SPENT = Tokens(input=300, output=40)


@pytest.fixture
def service() -> Iterator[LangSmithService]:
    with LangSmithService() as server:
        yield server


def observed(service: LangSmithService, window: Window = WINDOW) -> list[Any]:
    with closing(open_at(service.url)) as reader:
        return list(reader.observed(window))


def rows(service: LangSmithService) -> list[Observed]:
    found = observed(service)
    assert all(isinstance(row, Observed) for row in found), found
    return found


def test_answers_models_and_versions_of_a_day(service: LangSmithService) -> None:
    service.runs = [
        *trace("1", hash=B),
        *trace("2", hash=B, failed=True, start="2026-11-29T23:59:59.500Z"),
        *trace("3"),
        *trace("4", start="2026-11-30T00:00:00Z"),
        *trace("5", session=EXPERIMENT),
    ]
    answers, model, version = rows(service)
    last = datetime(2026, 11, 29, 23, 59, 59, 500_000, tzinfo=UTC)
    page = f"{service.url}/o/{WORKSPACE}/projects/p/{PROJECT}"
    cost: Any = pytest.approx(0.00345)
    whole: dict[str, Any] = {"application": "support-bot", "day": DAY, "last": last, "definition": page}
    assert answers == Observed(**whole, calls=3, errors=1, tokens=Tokens(input=900, output=120), cost=cost)
    assert model == Observed(
        **whole,
        calls=3,
        errors=0,
        model="openai/gpt-4o",
        tokens=Tokens(input=900, output=120),
        cost=cost,
    )
    # The prompt is a step of its own: what the model after it took is not told for it.
    assert version == Observed(**whole, calls=2, errors=0, prompt=PromptRef(name="support-answer", version=B))


def test_calls_that_name_their_version_tell_what_it_cost(service: LangSmithService) -> None:
    service.runs = trace("1", hash=B, inherits=True)
    *_, version = rows(service)
    assert (version.prompt, version.calls, version.tokens, version.cost) == (
        PromptRef(name="support-answer", version=B),
        1,
        SPENT,
        0.00115,
    )


@pytest.mark.parametrize(
    ("owner", "name"), [("-", "support-answer"), ("acme", "support-answer"), ("rlm", "rlm/support-answer")]
)
def test_a_version_has_the_name_that_the_registry_gives_it(
    service: LangSmithService, owner: str, name: str
) -> None:
    service.runs = [*trace("1"), FakeRun(trace="1", type="prompt", metadata=hub(A, owner=owner))]
    assert [row.prompt for row in rows(service) if row.prompt] == [PromptRef(name=name, version=A)]


def test_a_cost_of_nothing_is_not_known(service: LangSmithService) -> None:
    service.runs = [FakeRun(trace="1", root=True, input=3)]
    (answers,) = rows(service)
    assert (answers.cost, answers.tokens) == (None, Tokens(input=3, output=0))
    service.runs = [FakeRun(trace="1", root=True)]
    assert rows(service)[0].tokens == Tokens()


def test_one_name_of_two_providers_is_the_name_alone(service: LangSmithService) -> None:
    service.runs = [
        FakeRun(trace="1", root=True),
        *(
            FakeRun(trace="1", type="llm", metadata={"ls_model_name": "m", **provider})
            for provider in ({"ls_provider": "openai"}, {"ls_provider": "azure"})
        ),
    ]
    assert [(row.model, row.calls) for row in rows(service) if row.model] == [("m", 2)]


def test_nothing_is_asked_of_a_day_without_answers(service: LangSmithService) -> None:
    assert rows(service) == []
    assert service.count("/runs/stats") == 2
    assert service.count("/runs/query") == 0
    service.calls.clear()
    assert observed(service, Window(first=date(2027, 1, 1), last=date(2027, 1, 31))) == []
    assert service.count("/runs/") == 0


def test_requests_do_not_grow_with_answers(service: LangSmithService) -> None:
    service.runs = trace("1", hash=B)
    rows(service)
    few = len(service.calls)
    service.calls.clear()
    service.runs = [run for number in range(900) for run in trace(str(number), hash=B)]
    assert rows(service)[0].calls == 900
    assert len(service.calls) == few


def test_names_beyond_the_bound_are_said_to_be_missing(
    service: LangSmithService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(traffic, "_A_PAGE", 2)
    monkeypatch.setattr(traffic, "MOST_PAGES", 2)
    service.runs = [run for number in range(4) for run in trace(str(number))]
    assert all(isinstance(row, Observed) for row in observed(service))
    service.runs += trace("4")
    *found, failed = observed(service)
    assert found[0].calls == 5
    assert isinstance(failed, FailedListing)
    assert (failed.name, failed.is_item) == (("support-bot", "2026-11-29"), False)
    assert "support-bot had more runs on 2026-11-29" in str(failed.error)


def test_a_day_that_cannot_be_read_fails_alone(service: LangSmithService) -> None:
    service.runs = [*trace("1"), *trace("2", start="2026-11-28T08:00:00Z")]
    service.fail("500", when=lambda call: b"2026-11-28" in call.body)
    failed, *found = observed(service)
    assert isinstance(failed, FailedListing)
    assert (failed.name, failed.is_item) == (("support-bot", "2026-11-28"), True)
    assert {row.day for row in found} == {DAY}


def test_projects_that_cannot_be_listed_fail(service: LangSmithService) -> None:
    service.fail("403", when=lambda call: "/sessions" in call.path)
    with pytest.raises(ConnectorError):
        observed(service)


def test_statistics_of_another_shape_are_a_failure(service: LangSmithService) -> None:
    answered = service.answer
    service.answer = lambda call: (
        answered(call)
        if not call.path.endswith("/stats")
        else type(answered(call))(body=b'{"run_count": "9"}')
    )
    assert [type(row) for row in observed(service)] == [FailedListing, FailedListing]
