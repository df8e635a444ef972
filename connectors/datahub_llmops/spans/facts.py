"""Picks facts out of attributes in one pass: a span has fewer attributes than there are names of a fact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

_LAST: Final = 1_000


class Facts:
    """Facts by the tuples of their names, the preferred one first. No two facts have a name in common."""

    def __init__(self, *groups: Sequence[str]) -> None:
        self._places = {
            name: (fact, rank)
            for fact, group in reversed(list(enumerate(groups)))
            for rank, name in reversed(list(enumerate(group)))
        }
        self._nothing = [None] * len(groups)
        self._ranks = [_LAST] * len(groups)

    def read(self, attributes: Mapping[str, Any]) -> list[Any]:
        """Return the value of each fact, ``None`` for one that is not there.

        A name may also be one of the members that are kept of OpenInference's ``metadata``.

        >>> Facts(("new", "old"), ("other",)).read({"old": 1, "new": 2, "metadata": {"other": 3}})
        [2, 3]
        """
        found: list[Any] = self._nothing.copy()
        ranks = self._ranks.copy()
        places = self._places
        for name, value in attributes.items():
            place = places.get(name)
            if place is not None and place[1] < ranks[place[0]] and value != "":
                found[place[0]] = value
                ranks[place[0]] = place[1]
        members = attributes.get("metadata")
        if type(members) is dict:
            for name, value in members.items():
                place = places.get(name)
                if place is not None and place[1] < ranks[place[0]] and value != "":
                    found[place[0]] = value
                    ranks[place[0]] = place[1]
        return found
