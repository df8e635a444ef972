"""Changes to what a system said: to values of JSON, and to bytes."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from typing import Any

Path = tuple[str | int, ...]


def _deep() -> object:
    value: object = 1
    for _ in range(120):
        value = {"a": [value]}
    return value


_ODD: tuple[object, ...] = (
    *(None, True, False, 0, -1, 1.5, 2**63, 2**70, -(2**70), 10**400, float("nan"), float("inf")),
    *(
        "",
        "\ud800",
        "\x00",
        "\x1b[2J\n\u202e",
        "9" * 5_000,
        "9" * 5_000 + ".1",
        "1e999",
        "../..",
        "a" * 70_000,
    ),
    *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"),
    *([], [[]], [{}], [None], {}, {"": ""}, {"\ud800": 1}, {"a": {}}, [{"name": "x"}] * 1_000, _deep()),
)


def mutate_json(value: Any, chance: random.Random) -> Any:
    """Return a copy of a JSON value that differs in one to three places."""
    changed = [copy.deepcopy(value)]
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        holder, key = chance.choice(list(_places(changed)))
        match chance.randrange(6):
            case 0 if isinstance(holder, dict):
                del holder[key]
            case 1 if isinstance(holder, list):
                holder.insert(key, copy.deepcopy(holder[key]))
            case 2 if isinstance(holder, list) and len(holder) > 1:
                chance.shuffle(holder)
            case 3 if isinstance(holder, dict):
                holder[f"{key}\ud800" if chance.random() < 0.3 else f"{key}x"] = holder.pop(key)
            case _:
                holder[key] = copy.deepcopy(chance.choice(_ODD))
        if not changed:
            changed = [None]
    return changed[0]


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    keys = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from _places(value[key])


def mutate_bytes(content: bytes, chance: random.Random) -> bytes:
    """Return other bytes: some changed, some missing, some twice."""
    changed = bytearray(content)
    for _ in range(chance.choice((1, 3, 10))):
        at = chance.randrange(len(changed) + 1)
        match chance.randrange(5):
            case 0:
                changed[at : at + chance.randrange(64)] = b""
            case 1:
                changed[at:at] = changed[at : at + chance.randrange(64)]
            case 2:
                changed[at:at] = chance.randbytes(chance.randrange(8))
            case 3:
                changed[at : at + 1] = chance.choice(
                    (b'"', b"{", b"[", b",", b"\\", b"\xff", b"\x00", b"1e9")
                )
            case _ if changed:
                changed[at % len(changed)] ^= 1 << chance.randrange(8)
    return bytes(changed)


def mutate_body(body: bytes, chance: random.Random) -> bytes:
    """Change the JSON in a body, or its bytes."""
    try:
        value = json.loads(body)
    except ValueError:
        return mutate_bytes(body, chance)
    if chance.random() < 0.15:
        return mutate_bytes(body, chance)
    return json.dumps(mutate_json(value, chance)).encode()
