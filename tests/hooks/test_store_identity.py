"""Which fields a filter names, in a bounded number of steps, and what a store tells without running its code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from typing_extensions import override

from datahub_llmops.hooks.store_identity import MAX_FILTER_PARTS, filter_keys, find_embedding_model


class Counted(Mapping[str, Any]):
    """A filter that counts how many of its members are looked at."""

    def __init__(self, members: dict[str, Any], steps: list[int]) -> None:
        self._members, self._steps = members, steps

    @override
    def __getitem__(self, key: str) -> Any:
        self._steps[0] += 1
        return self._members[key]

    @override
    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    @override
    def __len__(self) -> int:
        return len(self._members)


@pytest.mark.parametrize(
    ("value", "keys"),
    [
        ({"author": "ada", "$and": [{"year": {"$gt": 5}}, {"lang": "en"}]}, ["author", "lang", "year"]),
        ({"$or": [{"a": 1}, {"b": 2}]}, ["a", "b"]),
        ([{"a": 1}, ("b", {"c": 2})], ["a", "c"]),
        ("author = 'ada'", []),
        (None, []),
        ({1: {"a": 2}}, ["a"]),
    ],
)
def test_fields(value: object, keys: list[str]) -> None:
    assert filter_keys(value) == keys


def test_a_filter_that_holds_itself_ends() -> None:
    circle: list[object] = []
    circle.extend([circle] * 50)
    ring: dict[str, Any] = {"a": 1}
    ring["$and"] = [ring] * 50
    assert filter_keys(circle) == []
    assert filter_keys(ring) == ["a"]


@pytest.mark.parametrize("wide", [10_000, 100_000])
def test_a_huge_filter_takes_a_bounded_number_of_steps(wide: int) -> None:
    steps = [0]
    keys = filter_keys(Counted({f"$k{number}": {"x": number} for number in range(wide)}, steps))
    assert keys == ["x"]
    assert steps[0] <= MAX_FILTER_PARTS
    steps = [0]
    nested = Counted(
        {f"$o{n}": Counted({f"$i{m}": [{"x": 1}] * 50 for m in range(50)}, steps) for n in range(50)}, steps
    )
    filter_keys(nested)
    assert steps[0] <= 2 * MAX_FILTER_PARTS


class Loud(str):
    """A text whose methods are somebody's code."""

    @override
    def __str__(self) -> str:
        return PLANTED

    @override
    def __getitem__(self, key: Any) -> str:
        raise AssertionError


PLANTED = "planted-5k-9f8e7d"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("author", True),
        ("meta.author-id", True),
        ("Total Sales", True),
        ("h264_codec", True),
        ("gr\u00f6\u00dfe", True),
        (Loud("author"), True),
        ("jane@example.org", False),
        ("what did the board say about it", False),
        ("planted-sk-live-9f8e7d", False),
        ("sk-proj-planted", False),
        ("sk_live_51HabcDEF0123456789", False),
        ("550e8400-e29b-41d4-a716-446655440000", False),
        ("s3://bucket/a", False),
        ("$and", False),
    ],
)
def test_what_can_be_no_field_is_a_value(name: str, shown: bool) -> None:
    assert filter_keys({name: 1}) == ([str.__str__(name)] if shown else [])


class Embeddings:
    def embed_query(self, text: str) -> list[float]:
        return [float(len(text))]


class Store:
    """A store of the application's own, whose property ends the process."""

    def __init__(self, **own: object) -> None:
        vars(self).update(own)

    @property
    def embeddings(self) -> Embeddings:
        raise SystemExit(3)


def test_the_embedding_model_is_read_from_what_the_store_holds() -> None:
    model, other = Embeddings(), Embeddings()
    assert find_embedding_model(Store(_embeddings=model, sparse=other)) is model
    assert find_embedding_model(Store(mine=model, size=3)) is model
    assert find_embedding_model(Store(mine=model, sparse=other)) is None
    assert find_embedding_model(Store()) is None
