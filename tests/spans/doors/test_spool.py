from __future__ import annotations

import os
import tracemalloc
from collections import defaultdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datahub_llmops.spans.doors import spool as module
from datahub_llmops.spans.doors.spool import EDGE, Spool
from spans.doors.making import DAY, TODAY


def row(key: str, at: float, mark: Any = None) -> tuple[Any, ...]:
    return (key, mark, "", "", at)


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(-2 * DAY, 2 * DAY)), max_size=60),
    st.integers(0, 200_000),
)
def test_each_row_comes_on_its_own_day_with_the_others_of_its_key(
    made: list[tuple[int, int]], expected: int
) -> None:
    spool: Spool[tuple[Any, ...]] = Spool(expected)
    spool.put(row(str(key), TODAY + at, number) for number, (key, at) in enumerate(made))
    by_day: dict[int, list[int]] = defaultdict(list)
    for key, at in made:
        by_day[(TODAY + at) // DAY * DAY].append(key)
    assert spool.days() == sorted(by_day)
    for day in (TODAY - DAY, TODAY, TODAY + DAY):
        groups = {group[0][0]: group for group in spool.groups(day, 1_000, [])}
        assert set(groups) == {str(key) for key in by_day.get(day, [])}
        for key, group in groups.items():
            near = [
                number
                for number, (other, at) in enumerate(made)
                if str(other) == key and day - EDGE <= TODAY + at < day + DAY + EDGE
            ]
            assert sorted(one[1] for one in group) == near
    spool.close()


@pytest.mark.parametrize("many", [11, 20, 21, 50])
def test_of_a_key_with_too_many_rows_the_earliest_are_kept(many: int) -> None:
    spool: Spool[tuple[Any, ...]] = Spool()
    spool.put(row("a", TODAY + 5_000.0 + number, number) for number in reversed(range(many)))
    spool.put([row("b", TODAY + 5_000.0, 0)])
    cut: list[str] = []
    kept = {group[0][0]: [one[1] for one in group] for group in spool.groups(TODAY, 10, cut)}
    assert kept == {"a": list(range(10)), "b": [0]}
    assert cut == ["a"]


def test_a_key_whose_last_row_counts_for_more_than_the_rest_is_cut_too() -> None:
    spool: Spool[tuple[Any, ...]] = Spool(size=lambda one: int(one[1]))
    spool.put([row("a", TODAY + 5_000.0, 9), row("a", TODAY + 5_001.0, 5)])
    spool.put([row("b", TODAY + 5_000.0, 10)])
    cut: list[str] = []
    assert sorted(len(group) for group in spool.groups(TODAY, 10, cut)) == [1, 2]
    assert cut == ["a"]


def test_a_part_that_is_larger_than_expected_is_read_in_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PART", 100)
    monkeypatch.setattr(module, "BUFFERED", 50)
    spool: Spool[tuple[Any, ...]] = Spool()
    spool.put(row(str(number % 500), TODAY + 5_000.0 + number) for number in range(2_000))
    groups = list(spool.groups(TODAY, 1_000, []))
    assert len(groups) == 500
    assert all(len(group) == 4 for group in groups)


def test_memory_does_not_grow_with_the_rows() -> None:
    def peak(count: int) -> int:
        tracemalloc.start()
        spool: Spool[tuple[Any, ...]] = Spool(count)
        for start in range(0, count, 1_000):
            spool.put([row(f"{number:032x}", TODAY + 5_000.0) for number in range(start, start + 1_000)])
        assert sum(1 for _ in spool.groups(TODAY, 10, [])) == count
        spool.close()
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    assert peak(200_000) < 1.5 * peak(60_000)


def test_nobody_else_can_open_the_file() -> None:
    spool: Spool[tuple[Any, ...]] = Spool()
    spool.put([row("a", TODAY + 5_000.0)])
    list(spool.groups(TODAY, 10, []))
    stat = os.fstat(spool._file.fileno())
    assert stat.st_nlink == 0, "the file has a name"
    assert stat.st_mode & 0o077 == 0
    spool.close()
    spool.close()
