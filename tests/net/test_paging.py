"""Listings that never end."""

from __future__ import annotations

import pytest

from datahub_llmops.errors import UnreadableError
from datahub_llmops.net.paging import EndlessError, Pages


def test_marks_in_a_circle_are_no_listing() -> None:
    pages = Pages("Shelf: /items")
    pages.turn("A")
    pages.turn("B")
    with pytest.raises(EndlessError, match="Shelf: /items returns the same page again"):
        pages.turn("A")


def test_ever_new_marks_end_at_the_bound() -> None:
    pages = Pages("Shelf: /items", most=3)
    for mark in range(3):
        pages.turn(mark)
    with pytest.raises(EndlessError, match="more than 3 pages"):
        pages.turn(3)


@pytest.mark.parametrize("mark", [None, [], {}, {"a": 1}, True, 1.5])
def test_a_mark_of_another_type_is_none(mark: object) -> None:
    with pytest.raises(UnreadableError, match="neither text nor a number"):
        Pages("Shelf: /items").turn(mark)
