"""Retrievals whose index is not known, divided so that no part mixes two indexes."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datahub_llmops.spans import pending
from datahub_llmops.spans.pending import Group, Pending


def group() -> Group:
    return Group(key="g", application="bot", retriever="r", store_class=None, platform=None)


def live(of: Group) -> list[Pending]:
    return [part for part in of.all_parts() if part.joined is None]


def test_retrievals_with_a_chunk_in_common_are_one_part_whichever_came_first() -> None:
    found = group()
    first, second = found.part(["a", "b"]), found.part(["x", "y"])
    assert first is not second
    assert found.part(["b", "c"]) is first
    first.retrievals, second.retrievals = 2, 1
    first.add_source({"value": "s3://a"})
    second.add_source({"urn": "urn:li:x"})
    both = found.part(["c", "y"])
    assert [part.key for part in live(found)] == [both.key]
    assert (both.retrievals, both.ids) == (3, ["a", "b", "c", "x", "y"])
    assert both.sources == {"s3://a": 1, "urn:li:x": 1}
    assert first.final() is second.final() is both


@given(st.lists(st.lists(st.integers(0, 40), min_size=1, max_size=4), max_size=60), st.randoms())
def test_parts_are_the_connected_retrievals(retrievals: list[list[int]], chance: random.Random) -> None:
    """In any order the same parts, as a plain model has them."""
    model: list[set[int]] = []
    for ids in retrievals:
        touched = [one for one in model if one & set(ids)]
        model = [one for one in model if not one & set(ids)] + [set(ids).union(*touched)]
    chance.shuffle(retrievals)
    found = group()
    for ids in retrievals:
        found.part([f"chunk-{one}" for one in ids])
    if found.rest is not None:
        return
    assert sorted(sorted(part.ids) for part in live(found) if len(part.ids) < 20) == sorted(
        sorted(f"chunk-{one}" for one in ids) for ids in model if len(ids) < 20
    )


def test_what_fits_into_no_part_is_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pending, "MAX_PARTS", 2)
    found = group()
    parts = [found.part([one]) for one in "abcd"]
    assert parts[2] is parts[3] is found.rest
    assert parts[2].ids == ["c", "d"]
    # Two of them turn out to be one, so there is room again.
    found.part(["a", "b"])
    assert found.part(["e"]) is not found.rest


def test_retrievals_without_ids_are_apart() -> None:
    found = group()
    assert found.part([]) is found.part([]) is found.without_ids
    assert found.part(["a"]) is not found.without_ids


def test_the_sample_is_of_all_ids_and_does_not_depend_on_their_order() -> None:
    every = [f"chunk-{number}" for number in range(500)]
    samples = []
    for order in (every, every[::-1], every[250:] + every[:250] + every):
        part = Pending(key="p")
        for start in range(0, len(order), 4):
            part.add_ids(order[start : start + 4])
        samples.append(part.ids)
    assert samples[0] == samples[1] == samples[2]
    assert len(samples[0]) == 20
    assert len({one for one in samples[0] if int(one[6:]) >= 250}) > 2


def test_sources_are_bounded_and_what_is_left_out_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pending, "MAX_SOURCES", 1)
    part = Pending(key="p")
    for value in ("s3://a", "s3://a", "s3://b", ""):
        part.add_source({"value": value})
    assert (part.sources, part.sources_left_out) == ({"s3://a": 2}, 1)
