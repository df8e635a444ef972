"""What a real Phoenix server saw applications do, by its own aggregates."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest

from datahub_llmops.assets.collections import FailedListing
from datahub_llmops.assets.observations import Observed, Window
from datahub_llmops.assets.prompts import PromptRef
from datahub_llmops.assets.usage import Tokens
from datahub_llmops.net.http import HttpClient
from datahub_llmops.prompt_registries.phoenix.client import PhoenixServer, absent
from datahub_llmops.prompt_registries.phoenix.reader import PhoenixReader
from datahub_llmops.prompt_registries.phoenix.usage import months
from prompt_registries.phoenix.engine import PLANTED, PhoenixEngine
from support.stub import Stub, answer_json

FIRST, SECOND = date(2026, 11, 20), date(2026, 11, 21)
WINDOW = Window(first=date(2026, 11, 18), last=date(2026, 11, 22))
CLAUDE = "anthropic/claude-sonnet-4-20250514"


def read(url: str, window: Window = WINDOW, **options: Any) -> Iterator[Observed | FailedListing]:
    client = HttpClient(system="Phoenix", base_url=url, absent=absent, retries=0)
    with closing(PhoenixReader(PhoenixServer(client), **options)) as reader:
        yield from reader.observed(window)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one reading returned, and how many requests it took."""

    entries: list[Observed | FailedListing]
    requests: int

    @property
    def failed(self) -> list[FailedListing]:
        return [entry for entry in self.entries if isinstance(entry, FailedListing)]

    @property
    def rows(self) -> dict[tuple[Any, ...], Observed]:
        """By application, day of the month, and version or model."""
        found = [entry for entry in self.entries if isinstance(entry, Observed)]
        rows = {(entry.application, entry.day.day, entry.prompt or entry.model): entry for entry in found}
        assert len(rows) == len(found)
        return rows


def see(engine: PhoenixEngine, **options: Any) -> Seen:
    with engine.served() as server:
        return Seen(entries=list(read(server.url, **options)), requests=server.count())


@pytest.fixture(scope="module")
def by_project(phoenix: PhoenixEngine) -> Seen:
    return see(phoenix)


@pytest.fixture(scope="module")
def by_metadata(phoenix: PhoenixEngine) -> Seen:
    return see(phoenix, named_by="metadata.application")


def ref(number: int) -> PromptRef:
    return PromptRef(name="support-answer", version=str(number))


def test_answers_calls_of_versions_and_of_models_by_the_day(by_project: Seen) -> None:
    rows = by_project.rows
    assert {key: (row.calls, row.errors) for key, row in rows.items()} == {
        ("support-bot", 20, None): (3, 0),
        ("support-bot", 21, None): (4, 1),
        ("support-bot", 20, ref(1)): (1, 0),
        ("support-bot", 20, ref(2)): (2, 0),
        ("support-bot", 21, ref(1)): (1, 1),
        ("support-bot", 21, ref(3)): (1, 0),
        ("support-bot", 20, "openai/gpt-4o-mini"): (1, 0),
        ("support-bot", 21, "openai/gpt-4o-mini"): (1, 1),
        # Two providers serve it, so none is named.
        ("support-bot", 20, "gpt-4o"): (2, 0),
        ("support-bot", 21, "gpt-4o"): (1, 0),
        ("support-bot", 21, CLAUDE): (1, 0),
        ("support-bot", 21, 'it\'s "mine"'): (1, 0),
        ("batch", 21, None): (1, 0),
        ("batch", 21, ref(2)): (1, 0),
        ("batch", 21, "openai/gpt-4o"): (1, 0),
    }
    assert rows["support-bot", 20, None].tokens == Tokens(input=400, output=80)
    assert rows["support-bot", 20, ref(2)].tokens == Tokens(input=300, output=60)
    assert rows["support-bot", 21, ref(1)].tokens == Tokens()
    assert "/projects/" in str(rows["batch", 21, None].definition)


def test_a_cost_without_a_price_is_not_known(by_project: Seen) -> None:
    """Phoenix tells 0 for it, and adds this 0 to what it knows."""
    rows = by_project.rows
    assert rows["support-bot", 20, None].cost == pytest.approx(0.00135 + 0.000027)
    assert rows["support-bot", 20, "gpt-4o"].cost == pytest.approx(0.00135)
    assert rows["support-bot", 21, CLAUDE].cost is None
    assert rows["support-bot", 21, ref(3)].cost is None
    assert rows["support-bot", 21, None].cost is None


def test_an_application_may_be_a_value_of_the_metadata(by_metadata: Seen) -> None:
    rows = by_metadata.rows
    answers = {(name, day): row.calls for (name, day, rest), row in rows.items() if rest is None}
    assert answers == {
        ("support-bot", 20): 3,
        ("support-bot", 21): 3,
        ("other-bot", 21): 1,
        ("nightly", 21): 1,
    }


def test_answers_without_the_metadata_are_counted(phoenix_server: Stub) -> None:
    said = []
    for entry in read(phoenix_server.url, named_by="metadata.team"):
        assert isinstance(entry, FailedListing)
        assert not entry.is_item
        said.append(str(entry.error).partition(": ")[2].partition(" of ")[0])
    assert sorted(said) == ["1 answers", "7 answers"]


def test_only_wanted_applications_are_asked_about(phoenix: PhoenixEngine) -> None:
    seen = see(phoenix, is_wanted=lambda name: name == "batch")
    assert {name for name, _, _ in seen.rows} == {"batch"}


def test_what_names_no_version_of_phoenix_is_said(by_project: Seen) -> None:
    (failed,) = by_project.failed
    assert (failed.name, failed.is_item) == (("support-bot",), False)
    assert "1 values of llm.prompt_template.version" in str(failed.error)
    assert "1.2-of-the-application" not in str(failed.error)


def test_no_text_of_a_trace_is_in_what_is_returned(by_project: Seen, by_metadata: Seen) -> None:
    assert PLANTED not in repr([*by_project.entries, *by_metadata.entries])


def test_requests_grow_with_values_and_days_only(by_project: Seen) -> None:
    # One list of prompts with one more page of versions, one of projects, and the price list. For each project that is
    # not empty: its days, and one for each version, model and provider, with one that finds no other; then the sums.
    assert by_project.requests < 50


def test_a_day_without_traces_costs_one_request_a_project(phoenix_server: Stub) -> None:
    empty = Window(first=date(2026, 9, 1), last=date(2026, 9, 30))
    assert list(read(phoenix_server.url, empty)) == []
    assert phoenix_server.count() == 1 + 3


def test_an_application_that_cannot_be_read_fails_alone(by_project: Seen, phoenix_server: Stub) -> None:
    hit = str(by_project.rows["support-bot", 20, None].definition).rpartition("/")[2].replace("%3D", "=")
    phoenix_server.fail("500", when=lambda call: hit.encode() in call.body)
    entries = list(read(phoenix_server.url))
    assert [entry.name for entry in entries if isinstance(entry, FailedListing)] == [("support-bot",)]
    assert {entry.application for entry in entries if isinstance(entry, Observed)} == {"batch"}


def test_a_moved_graphql_is_an_error_of_the_applications() -> None:
    moved = {"data": None, "errors": [{"message": "Cannot query field 'nosuch' on type 'Project'."}]}
    with Stub(lambda call: answer_json(moved)) as server, pytest.raises(Exception, match="Upgrade"):
        list(read(server.url))


def test_a_long_window_is_read_month_by_month() -> None:
    parts = list(months(Window(first=date(2026, 1, 1), last=date(2026, 3, 5))))
    assert [(part.first.isoformat(), part.last.isoformat()) for part in parts] == [
        ("2026-01-01", "2026-01-31"),
        ("2026-02-01", "2026-03-03"),
        ("2026-03-04", "2026-03-05"),
    ]
