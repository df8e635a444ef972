"""Values of stored records, of any kind."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datahub_llmops.answer_store import values
from datahub_llmops.answer_store.queries import start_of
from datahub_llmops.errors import RecordError

ODD = st.none() | st.booleans() | st.text(max_size=3) | st.lists(st.none(), max_size=1)


@given(st.floats() | st.integers() | st.integers(-(10**400), 10**400) | ODD)
def test_a_moment_is_a_date_or_an_error(value: object) -> None:
    try:
        found = values.moment(value)
    except RecordError:
        return
    assert 1970 <= datetime.fromtimestamp(found, UTC).year <= 9999
    assert time.strftime("%Y-%m-%d", time.localtime(found))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -0.001, values.LAST_MOMENT + 1, 10**400, True])
def test_no_moment(value: object) -> None:
    with pytest.raises(RecordError):
        values.moment(value)


@given(st.integers(0, 2**48 - 1))
def test_the_start_in_an_id_is_a_date_or_an_error(milliseconds: int) -> None:
    try:
        found = start_of(f"{milliseconds:012x}{0:016x}")
    except RecordError:
        assert milliseconds > values.LAST_MOMENT * 1000
        return
    assert datetime.fromtimestamp(found, UTC).year <= 9999
