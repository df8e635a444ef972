"""Times in the JSON of other systems. The examples of the other functions stand in their docstrings."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datahub_llmops.net.json_values import moment, utc, written_whole


@given(st.floats() | st.integers() | st.integers(-(10**400), 10**400))
def test_seconds_are_a_time_or_none(seconds: float) -> None:
    found = utc(seconds)
    assert found is None or int(found.timestamp() * 1000) is not None


@given(st.datetimes(timezones=st.timezones() | st.none()).map(datetime.isoformat) | st.text())
def test_a_written_time_is_a_time_or_none(written: str) -> None:
    found = moment(written)
    assert found is None or (found.tzinfo is UTC and found.isoformat())


@pytest.mark.parametrize(
    "value", [None, 5, float("nan"), "", "nan", "\ud800", "0001-01-01T00:00:00+14:00", "9" * 5_000, []]
)
def test_no_time(value: object) -> None:
    assert moment(value) is None


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), 1e30, -1e30, 10**400])
def test_no_seconds(seconds: float) -> None:
    assert utc(seconds) is None


@given(st.integers(-(10**400), 10**400) | st.text() | st.integers().map(str))
def test_a_written_number_fits_64_bits_or_is_none(value: object) -> None:
    found = written_whole(value)
    assert found is None or -(2**63) <= found < 2**63
