from __future__ import annotations

import json
import random

import pytest

from datahub_llmops.spans import attributes
from datahub_llmops.spans.doors import position as positions
from datahub_llmops.spans.doors.position import Entry, Position, load

HOUR_NOW = 1_796_000_000 // 3_600


def entries(count: int) -> dict[bytes, Entry]:
    chance = random.Random(1)
    made = (
        Entry(
            identity=chance.randbytes(8),
            version=chance.randbytes(8),
            end=chance.randrange(2**34),
            tail=chance.randrange(2**32),
            head=16_000,
            first=HOUR_NOW - number % 700,
            last=HOUR_NOW - number % 700,
        )
        for number in range(count)
    )
    return {one.identity: one for one in made}


def test_it_comes_back_as_it_was() -> None:
    made = Position(entries(500), closed=86_400)
    found = load(json.loads(json.dumps(made.dump())))
    assert found.entries == made.entries
    assert found.closed == 86_400


def test_a_hundred_thousand_objects_take_four_megabytes_and_more_close_the_oldest_days() -> None:
    dumped = Position(entries(positions.MAX_ENTRIES + 5_000)).dump()
    assert len(json.dumps(dumped)) < 4_500_000
    found = load(dumped)
    assert len(found.entries) == positions.MAX_ENTRIES
    oldest = (HOUR_NOW - 699) // 24 * 86_400
    assert found.closed > oldest
    assert min(one.last for one in found.entries.values()) * 3_600 < found.closed


@pytest.mark.parametrize(
    "change",
    [
        {"format": 99},
        {"attributes": attributes.VERSION - 1},
        {"objects": "no base64"},
        {"objects": "AAAA"},
        {"objects": None},
        {"closed": "never"},
    ],
)
def test_what_cannot_be_read_means_that_all_is_read_again(change: dict[str, object]) -> None:
    dumped = {**Position(entries(3)).dump(), **change}
    assert load(dumped) == Position()
    assert load({}) == Position()
