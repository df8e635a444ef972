from __future__ import annotations

import threading

import pytest

from datahub_llmops.spans.doors.ahead import THREADS, ahead


def test_everything_comes_in_its_order_and_is_fetched_side_by_side() -> None:
    together = threading.Barrier(THREADS, timeout=20)

    def fetch(number: int) -> int:
        if number < THREADS:
            together.wait()  # Breaks unless as many calls run at the same time.
        return number * 2

    assert [(item, result()) for item, result in ahead(range(30), fetch)] == [
        (number, number * 2) for number in range(30)
    ]


def test_no_more_are_fetched_than_are_soon_needed() -> None:
    fetched: list[int] = []
    for item, result in ahead(range(100), lambda number: fetched.append(number)):
        result()
        assert len(fetched) <= item + THREADS


def test_an_error_belongs_to_its_item() -> None:
    def fetch(number: int) -> int:
        if number == 3:
            raise KeyError(number)
        return number

    found = list(ahead(range(5), fetch))
    with pytest.raises(KeyError):
        found[3][1]()
    assert [result() for item, result in found if item != 3] == [0, 1, 2, 4]
