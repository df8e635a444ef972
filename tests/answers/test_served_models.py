"""Days on which another model served although the application asked for the same one."""

from __future__ import annotations

from collections.abc import Mapping

from datahub_llmops.answers.served_models import REMEMBERED_DAYS, ServedModels
from datahub_llmops.ingestion.applications.rollup import DAY, Rollup, Served

FIRST = 20_000 * DAY


def rollup(asked: str, days: Mapping[int, list[tuple[str | None, str | None]]]) -> Rollup:
    """One application that asked for one model. Days are numbered from the first."""
    found = Rollup()
    found.served["bot", asked] = {
        FIRST + day * DAY: {Served(model=model, fingerprint=fingerprint) for model, fingerprint in seen}
        for day, seen in days.items()
    }
    return found


def changes(models: ServedModels) -> list[tuple[str, tuple[str, ...], tuple[str, ...], int, int]]:
    return [
        (
            one.part,
            one.before,
            one.now,
            (one.seen_before - FIRST) // DAY,
            (one.day - FIRST) // DAY,
        )
        for one in models.changes
    ]


def test_the_first_sight_is_no_change_and_the_next_model_is_one() -> None:
    found = ServedModels(
        {}, rollup("openai/gpt", {0: [("a", "f1")], 1: [("a", "f1")], 2: [("a", "f1"), ("b", "f1")]})
    )
    assert changes(found) == [("model", ("a",), ("b",), 1, 2)]


def test_what_is_remembered_is_compared_with_and_a_repeat_changes_nothing() -> None:
    first = ServedModels({}, rollup("openai/gpt", {0: [("a", "f1")]}))
    again = rollup("openai/gpt", {0: [("a", "f1")], 1: [("b", "f2")]})
    second = ServedModels(first.state, again)
    assert changes(second) == [("fingerprint", ("f1",), ("f2",), 0, 1), ("model", ("a",), ("b",), 0, 1)]
    assert changes(ServedModels(second.state, again)) == []


def test_a_missing_fingerprint_is_not_unchanged() -> None:
    found = ServedModels({}, rollup("openai/gpt", {0: [("a", "f1")], 1: [("a", None)], 2: [("a", "f2")]}))
    # The change lies somewhere between the two days that tell.
    assert changes(found) == [("fingerprint", ("f1",), ("f2",), 0, 2)]


def test_two_that_serve_by_turns_change_once() -> None:
    days: dict[int, list[tuple[str | None, str | None]]] = {day: [("ab"[day % 2], None)] for day in range(6)}
    found = ServedModels({}, rollup("openai/gpt", days))
    assert changes(found) == [("model", ("a",), ("b",), 0, 1)]


def test_one_that_returns_after_long_is_a_change() -> None:
    later = REMEMBERED_DAYS + 2
    days: dict[int, list[tuple[str | None, str | None]]] = {
        0: [("a", None)],
        **{day: [("b", None)] for day in range(1, later)},
        later: [("a", None)],
    }
    found = ServedModels({}, rollup("openai/gpt", days))
    assert changes(found) == [("model", ("a",), ("b",), 0, 1), ("model", ("b",), ("a",), later - 1, later)]


def test_a_day_that_comes_late_changes_nothing() -> None:
    state = ServedModels({}, rollup("openai/gpt", {5: [("b", None)]})).state
    assert changes(ServedModels(state, rollup("openai/gpt", {3: [("a", None)], 5: [("b", None)]}))) == []


def test_an_alias_that_moves_is_not_observable_unless_a_response_names_what_served() -> None:
    assert ServedModels({}, rollup("openai/gpt-latest", {0: [(None, None)]})).not_observable == [
        "openai/gpt-latest"
    ]
    assert ServedModels({}, rollup("openai/gpt-latest", {0: [("openai/gpt-7", None)]})).not_observable == []
    assert ServedModels({}, rollup("openai/gpt-7", {0: [(None, None)]})).not_observable == []


def test_a_damaged_memory_is_an_empty_one() -> None:
    found = ServedModels({"bot\nopenai/gpt": {"model": ["a"]}}, rollup("openai/gpt", {0: [("b", None)]}))
    assert changes(found) == []
