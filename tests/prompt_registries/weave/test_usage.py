"""What the reader says of applications, from the recorded calls and from more of their shape."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from datahub_llmops.assets.collections import FailedListing
from datahub_llmops.assets.observations import Observed, Window
from datahub_llmops.assets.prompts import PromptRef
from datahub_llmops.assets.usage import Tokens
from datahub_llmops.errors import ConnectorError, UnreadableError
from datahub_llmops.prompt_registries.weave import days
from datahub_llmops.prompt_registries.weave.calls import CallRow, ModelUse
from datahub_llmops.prompt_registries.weave.refs import object_ref
from datahub_llmops.prompt_registries.weave.usage import Naming, innermost
from prompt_registries.weave.service import PROJECT, WeaveService, call, digests, open_at, prompt

DAY = date(2026, 11, 30)
WINDOW = Window(first=DAY - timedelta(days=1), last=DAY)
OLD, NEW, _ = (PromptRef(name="support-answer", version=digest) for digest in digests("support-answer"))
TICKET = PromptRef(name="classify-ticket", version=digests("classify-ticket")[0])


@pytest.fixture
def service() -> Iterator[WeaveService]:
    with WeaveService() as server:
        server.trace()
        yield server


def observed(service: WeaveService, naming: Naming = "project", window: Window = WINDOW) -> list[Any]:
    with closing(open_at(service.url, naming=naming)) as reader:
        return list(reader.observed(window))


def shown(rows: list[Any]) -> list[tuple[Any, ...]]:
    assert all(isinstance(row, Observed) for row in rows), rows
    return [
        (row.application, row.prompt or row.model, row.calls, row.errors, row.tokens.input, row.tokens.output)
        for row in rows
    ]


def given(number: int, at: str, ref: PromptRef) -> dict[str, Any]:
    return call(number, at, inputs={"prompt": object_ref(PROJECT, ref.name, ref.version)})


def test_answers_models_and_versions_of_a_day(service: WeaveService) -> None:
    found = observed(service)
    # Of 13 first calls, one is an evaluation and two were made by scorers.
    assert shown(found) == [
        ("rag-bot", None, 10, 1, 900, 180),
        ("rag-bot", "gpt-4o", 3, None, 300, 60),
        ("rag-bot", "gpt-4o-mini", 6, None, 600, 120),
        ("rag-bot", TICKET, 2, 0, 200, 40),
        ("rag-bot", OLD, 2, 0, 200, 40),
        ("rag-bot", NEW, 6, 1, 500, 100),
    ]
    assert {row.day for row in found} == {DAY}
    assert {row.definition for row in found} == {f"{service.url}/acme/rag-bot/weave/traces"}
    assert found[0].milliseconds == pytest.approx(14.3, abs=0.1)
    assert found[0].last == datetime(2026, 11, 30, 4, 51, 28, 699084, tzinfo=UTC)
    assert all(row.cost is None for row in found), "this server knows no prices"


def test_an_application_may_be_the_op_that_began_the_trace(service: WeaveService) -> None:
    assert [row[:3] for row in shown(observed(service, "op"))] == [
        ("answer", None, 8),
        ("answer", "gpt-4o", 1),
        ("answer", "gpt-4o-mini", 6),
        ("classify", None, 2),
        ("classify", "gpt-4o", 2),
        ("classify", TICKET, 2),
        ("answer", OLD, 2),
        ("answer", NEW, 6),
    ]


def test_a_price_is_told_where_weave_has_one(service: WeaveService) -> None:
    def priced(number: int, costs: dict[str, Any]) -> dict[str, Any]:
        shape = call(number, "2026-11-30T01:00:00Z")
        summary = {**shape["summary"], "weave": {**shape["summary"]["weave"], "costs": costs}}
        return {**shape, "summary": summary}

    known = {"gpt-4o-mini": {"prompt_tokens_total_cost": 0.5, "completion_tokens_total_cost": 0.25}}
    service.traced = [priced(1, known), priced(2, known)]
    assert [row.cost for row in observed(service)] == [1.5, 1.5]
    unknown = {"gpt-4o-mini": {"prompt_tokens_total_cost": 0.0, "completion_tokens_total_cost": 0.0}}
    service.traced = [priced(1, known), priced(2, unknown)]
    assert [row.cost for row in observed(service)] == [None, None]


def test_days_are_days_in_utc(service: WeaveService) -> None:
    service.traced = [
        call(1, "2026-11-28T23:59:59.999Z"),
        call(2, "2026-11-29T00:00:00Z"),
        given(3, "2026-11-29T23:59:59.999Z", NEW),
        call(4, "2026-11-30T23:00:00Z"),
        call(5, "2026-12-01T00:00:00Z"),
    ]
    found = observed(service)
    assert [(row.day.day, row.calls) for row in found if not row.model and not row.prompt] == [
        (29, 2),
        (30, 1),
    ]
    assert [(row.day.day, row.calls) for row in found if row.prompt] == [(29, 1)]


def test_a_day_with_too_many_calls_is_left_out_and_named(
    service: WeaveService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(days, "MOST", 3)
    busy = [call(number, f"2026-11-29T00:00:{number:02d}Z") for number in range(5)]
    service.traced = [*busy, call(9, "2026-11-30T01:00:00Z")]
    cut, *rest = observed(service)
    assert isinstance(cut, FailedListing)
    assert (cut.name, cut.is_item) == (("rag-bot", "2026-11-29"), False)
    assert {row.day for row in rest} == {DAY}, "the days after it are read"


def test_all_pages_are_read(service: WeaveService, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datahub_llmops.prompt_registries.weave.calls.PAGE", 2)
    assert shown(observed(service))[0][:3] == ("rag-bot", None, 10)


def test_versions_that_nobody_used_take_few_requests(service: WeaveService) -> None:
    names = [f"p{number:03d}" for number in range(50)]
    service.objects = [entry for name in names for entry in prompt(name, *map(str, range(20)))]
    last = service.objects[-1]
    used = PromptRef(name=last["object_id"], version=last["digest"])
    service.traced = [given(1, "2026-11-30T01:00:00Z", used)]
    service.feedback = []
    assert [row.prompt for row in observed(service)][-1] == used
    counted = [one for one in service.calls if one.path == "/calls/query_stats"]
    # Of 1,000 versions one was used: 4 questions of 250 each, and two for each half.
    assert len(counted) <= 4 + 2 * 8


def test_the_innermost_call_that_used_a_model_counts() -> None:
    start = datetime(2026, 11, 30, tzinfo=UTC)

    def row(id: str, parent: str | None, first: int, last: int | None, *, models: bool = True) -> CallRow:
        use = {"m": ModelUse(calls=1, tokens=Tokens(), cost=None)} if models else {}
        return CallRow(
            id=id,
            trace="t",
            parent=parent,
            op=id,
            at=start + timedelta(seconds=first),
            ended=None if last is None else start + timedelta(seconds=last),
            failed=False,
            milliseconds=None,
            models=use,
        )

    def found(*rows: CallRow) -> list[str]:
        return [one.id for one in innermost(rows)]

    assert found(row("a", None, 0, 9), row("b", "a", 1, 8), row("c", "b", 2, 7)) == ["c"]
    # A call in between was not given the version.
    assert found(row("a", None, 0, 9), row("c", "unseen", 2, 7)) == ["c"]
    assert found(row("a", None, 0, 9), row("b", "a", 1, 3), row("c", "a", 4, 8)) == ["b", "c"]
    # Not ended yet, so that it told no tokens.
    assert found(row("a", None, 0, 9), row("b", "a", 1, None, models=False)) == ["a"]
    assert found(row("a", None, 0, 9, models=False), row("b", "a", 1, 8, models=False)) == ["a"]
    assert found(row("a", None, 0, 9), row("b", None, 0, 9)) == ["a", "b"]


def test_days_whose_versions_cannot_be_read_are_read_again(service: WeaveService) -> None:
    service.fail("500", when=lambda one: b'"input_refs"' in one.body and one.path == "/calls/stream_query")
    failed = [row for row in observed(service) if isinstance(row, FailedListing)]
    assert [row.name for row in failed] == [("2026-11-30",)]


@pytest.mark.parametrize("fault", ["403", "500", "half", "garbage", "empty", "login_page"])
def test_calls_that_cannot_be_read_are_a_failure(service: WeaveService, fault: Any) -> None:
    service.fail(fault, when=lambda one: one.path == "/calls/stream_query")
    with pytest.raises(ConnectorError):
        observed(service)


@pytest.mark.parametrize(
    "change", [{"id": None}, {"started_at": "yesterday"}, {"op_name": 3}, {"trace_id": ""}]
)
def test_a_call_of_another_shape_is_a_failure(service: WeaveService, change: dict[str, Any]) -> None:
    service.traced = [call(1, "2026-11-30T01:00:00Z", **change)]
    service._stream = lambda body: service.traced  # type: ignore[method-assign]
    with pytest.raises(UnreadableError, match="does not look like"):
        observed(service)


def test_nothing_of_what_calls_were_given_or_gave_is_kept(service: WeaveService) -> None:
    assert "planted" in json.dumps(service.traced)
    assert "planted" not in str(observed(service))
