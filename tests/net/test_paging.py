"""Listings that never end."""

from __future__ import annotations

import pytest

from datahub_llmops.errors import UnreadableError
from datahub_llmops.net.http import HttpClient
from datahub_llmops.net.paging import MOST_EMPTY_PAGES, EndlessError, Pages


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


def test_entries_that_come_again_under_new_marks_are_no_listing() -> None:
    pages = Pages("Shelf: /items")
    pages.add(["a", "b"])
    pages.add(["c"])
    with pytest.raises(EndlessError, match="same entries again"):
        pages.add(["b", "c"])


def test_a_page_that_repeats_an_entry_and_adds_one_goes_on() -> None:
    pages = Pages("Shelf: /items")
    pages.add(["a", "b"])
    pages.add(["b", "c"])
    pages.add([])
    pages.add(["d", None, {}])


def test_empty_pages_end_at_the_bound() -> None:
    pages = Pages("Shelf: /items")
    for number in range(3):
        for _ in range(MOST_EMPTY_PAGES):
            pages.add([])
        pages.add([number])
    for _ in range(MOST_EMPTY_PAGES):
        pages.add([])
    with pytest.raises(EndlessError, match="21 empty pages in a row"):
        pages.add([])


def test_a_listing_has_one_deadline() -> None:
    now = [0.0]
    pages = Pages("Shelf: /items", seconds=60, clock=lambda: now[0])
    now[0] = 30.0
    pages.add(["a"])
    now[0] = 500.0  # What is done with a page does not count.
    pages.turn("A")
    now[0] = 530.0
    pages.turn("B")
    now[0] = 530.5
    with pytest.raises(EndlessError, match="has not ended after 60 s"):
        pages.turn("C")


def test_the_deadline_follows_from_that_of_a_call() -> None:
    client = HttpClient(system="Shelf", base_url="http://shelf.invalid", timeout=0.0)
    pages = Pages.of(client, "/items")
    with pytest.raises(EndlessError, match=r"Shelf at shelf.invalid: /items has not ended after 0 s"):
        pages.turn("A")
