"""Finds the days on which another model served although applications asked for the same one.

A provider may move an alias to a newer snapshot, or change what runs behind a snapshot; the former shows in the model
that the response names, the latter in its fingerprint. What a response does not say is not known: it is neither a
change nor the absence of one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from datahub_llmops.assets.usage import moves
from datahub_llmops.ingestion.applications.rollup import DAY, Rollup, Served
from datahub_llmops.ingestion.applications.served import ServedChange

Part: TypeAlias = Literal["model", "fingerprint"]

REMEMBERED_DAYS: Final = 7
"""Days after which a model that serves again counts as another one. Providers serve several at a time."""
MAX_REMEMBERED: Final = 10_000
"""Pairs of an application and a model whose state a recipe remembers."""
MAX_VALUES: Final = 50
"""Different models, or fingerprints, that are remembered of one pair."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """The values of one part on one day."""

    day: int
    values: frozenset[str]


class ServedModels:
    """What the models of a roll-up say, compared with what an earlier run remembered."""

    def __init__(self, state: Mapping[str, Any], found: Rollup) -> None:
        """``state`` is that of the last run, empty in the first."""
        self.changes: list[ServedChange] = []
        """Oldest first."""
        self.not_observable: list[str] = []
        """Models asked for by a name that moves, of which no response says which one served."""
        self.state: dict[str, Any] = dict(state)
        """For the next run, as JSON: pair -> part -> value -> its last day."""
        hidden: dict[str, bool] = {}
        for (application, asked), days in found.served.items():
            key = f"{application}\n{asked}"
            before = self.state.pop(key, {})
            after = {}
            for part in _PARTS:
                remembered = _remembered(before.get(part))
                self.changes += _compare(application, asked, part, days, remembered)
                after[part] = dict(sorted(remembered.items(), key=lambda item: item[1])[-MAX_VALUES:])
            self.state[key] = after
            if moves(asked):
                hidden[asked] = hidden.get(asked, True) and not any(after.values())
        self.not_observable = sorted(asked for asked, is_hidden in hidden.items() if is_hidden)
        self.changes.sort(key=lambda change: (change.day, change.application, change.asked, change.part))
        self.state = dict(list(self.state.items())[-MAX_REMEMBERED:])


_PARTS: Final[tuple[Part, ...]] = ("model", "fingerprint")


def _remembered(stored: object) -> dict[str, int]:
    if not isinstance(stored, Mapping):
        return {}
    return {
        str(value): day for value, day in stored.items() if isinstance(day, int) and not isinstance(day, bool)
    }


def _compare(
    application: str, asked: str, part: Part, days: Mapping[int, set[Served]], known: dict[str, int]
) -> Iterator[ServedChange]:
    """Yield the changes of one part, and bring ``known``, value -> last day, up to date."""
    for seen in _by_day(days, part):
        newest = max(known.values(), default=None)
        if newest is not None and seen.day < newest:
            continue  # A day that came late: what served after it is known already.
        recent = {value for value, day in known.items() if seen.day - day <= REMEMBERED_DAYS * DAY}
        latest = {value for value, day in known.items() if day == newest}
        added = seen.values - recent
        if added and newest is not None:
            yield ServedChange(
                application=application,
                asked=asked,
                part=part,
                before=tuple(sorted(latest - added)) or tuple(sorted(latest)),
                now=tuple(sorted(added)),
                seen_before=newest,
                day=seen.day,
            )
        known.update(dict.fromkeys(seen.values, seen.day))


def _by_day(days: Mapping[int, set[Served]], part: Part) -> Iterator[_Seen]:
    for day in sorted(days):
        values = frozenset(
            value
            for one in days[day]
            if (value := one.model if part == "model" else one.fingerprint) is not None
        )
        if values:
            yield _Seen(day=day, values=values)
