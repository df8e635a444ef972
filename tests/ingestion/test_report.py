"""What a run reports of many things that it counted."""

from __future__ import annotations

from datahub_llmops.ingestion.report import MAX_LISTED, OTHERS, most_frequent


def test_the_highest_counts_are_listed_and_no_count_is_lost() -> None:
    counts = {f"store {number}": number for number in range(MAX_LISTED + 20)}
    listed = most_frequent(counts)
    assert list(listed.values())[:2] == [MAX_LISTED + 19, MAX_LISTED + 18]
    assert len(listed) == MAX_LISTED + 1
    assert listed[OTHERS] == sum(range(20))


def test_few_counts_are_listed_without_others() -> None:
    assert most_frequent({"b": 1, "a": 1, "c": 2}) == {"c": 2, "a": 1, "b": 1}
    assert most_frequent({}) == {}
