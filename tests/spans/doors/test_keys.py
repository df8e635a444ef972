from __future__ import annotations

from datetime import UTC, datetime

import pytest

from datahub_llmops.spans.doors.keys import period

SECONDS = {"year": 365 * 86_400, "month": 30 * 86_400, "day": 86_400, "hour": 3_600}


@pytest.mark.parametrize(
    ("key", "start", "length"),
    [
        ("b/year=2026/month=11/day=30/hour=03/minute=05/x.json", (2026, 11, 30, 3), "hour"),
        ("b/year=2026/month=11/day=30/x.json", (2026, 11, 30, 0), "day"),
        ("b/year=2026/month=11", (2026, 11, 1, 0), "month"),
        ("b/year=2026", (2026, 1, 1, 0), "year"),
        ("bot/2026-11-30/03/pod-1-01.jsonl.zst", (2026, 11, 30, 3), "hour"),
        ("b/dt=2026-11-30/x", (2026, 11, 30, 0), "day"),
    ],
)
def test_the_key_says_when_it_was_written(key: str, start: tuple[int, int, int, int], length: str) -> None:
    begin = datetime(*start, tzinfo=UTC).timestamp()
    assert period(key) == (begin, begin + SECONDS[length])


def test_december_ends_with_the_year() -> None:
    found = period("year=2026/month=12")
    assert found is not None
    assert datetime.fromtimestamp(found[1], UTC) == datetime(2027, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "key",
    ["b/traces.json", "b/year=26/x", "b/year=2026/month=13/day=1", "2026-02-30/x", "traces-2026-11-30.json"],
)
def test_other_keys_say_nothing(key: str) -> None:
    assert period(key) is None
