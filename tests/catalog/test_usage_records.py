"""Which records of usage are added up."""

from __future__ import annotations

from typing import Any

import pytest

from datahub_llmops.catalog.usage_records import counted_by, hosts_days, records_to_add


def record(partition: str | None, day: int = 0, calls: int = 1) -> dict[str, Any]:
    spec = {} if partition is None else {"partitionSpec": {"partition": partition}}
    return {"timestampMillis": day, "calls": calls, **spec}


def test_hosts_are_added_up_and_parts_are_not() -> None:
    every = [record("host=a"), record("host=b"), record("host=a/version=7"), record("host=a", day=1)]
    assert records_to_add(every) == [every[0], every[1], every[3]]


def test_a_tool_counts_only_on_days_without_hosts() -> None:
    every = [
        record("source=langfuse"),
        record("host=a"),
        record("source=langfuse", day=1),
        record("source=langfuse/version=7", day=1),
        record("source=phoenix", day=2),
    ]
    assert records_to_add(every) == [every[1], every[2], every[4]]
    assert hosts_days(every) == {0}


def test_spans_are_added_to_hosts_except_what_a_host_recorded_itself() -> None:
    every = [
        record("host=a"),
        record("source=spans"),
        record("source=spans@a"),
        record("source=spans@b"),
        record("source=langfuse"),
        record("source=spans@a", day=1),
        record("source=spans", day=2),
        record("source=langfuse", day=2),
        record("source=langfuse", day=3),
    ]
    assert records_to_add(every) == [every[0], every[1], every[3], every[5], every[6], every[8]]
    assert hosts_days(every) == {0, 1, 2}


@pytest.mark.parametrize("odd", [record(None), record("eu"), {}, {"partitionSpec": 3}])
def test_records_of_others_count(odd: dict[str, Any]) -> None:
    assert records_to_add([odd]) == [odd]
    assert hosts_days([odd]) == set()


def test_a_version_with_a_slash_is_a_part() -> None:
    assert counted_by(record("host=a/version=1/2")) == ("host=a", False)
