"""Which fields a filter names, whatever it is, in a bounded number of steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from typing_extensions import override

from datahub_llmops.hooks.store_identity import MAX_FILTER_PARTS, filter_keys


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
