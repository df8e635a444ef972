"""When models are switched off, by exact provider and model. Where lists disagree, all of them are kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date

from datahub_llmops.catalog.urn_text import full_name, platform
from datahub_llmops.governance.lifecycle_list import LifecycleList, Listed
from datahub_llmops.governance.providers import provider_word


@dataclass(frozen=True, slots=True, kw_only=True)
class Retirement:
    """One list's word on the end of a model. ``source`` names the list, ``link`` the provider's page if it has one."""

    on: date
    source: str
    replacement: str | None = None
    link: str | None = None


class Lifecycles:
    """Several lists, the one of greatest weight first. A model matches by its exact name only.

    ``gpt-4o`` says nothing of ``gpt-4o-mini``, nor of the snapshot ``gpt-4o-2024-08-06``.
    """

    def __init__(self, lists: Iterable[LifecycleList] = (), *, problems: Iterable[str] = ()) -> None:
        """``problems`` are the messages on lists that could not be read."""
        self.problems = tuple(problems)
        self._known: dict[tuple[str, str], list[tuple[str, Listed]]] = {}
        for found in lists:
            for one in found.models:
                self._known.setdefault((one.provider, one.model), []).append((found.source, one))

    def of(self, urn: str) -> tuple[Retirement, ...]:
        """Return the dates that the lists state for a model, by its URN."""
        return tuple(
            Retirement(on=one.on, source=source, replacement=one.replacement, link=one.link)
            for source, one in self._entries(urn)
            if one.on is not None
        )

    def knows(self, urn: str) -> bool:
        """Return whether a list has exactly this model, with a date or without."""
        return any(True for _ in self._entries(urn))

    def price(self, urn: str) -> float | None:
        """Return the price of a million tokens of an embedding model in USD, if a list states it."""
        return next((one.price for _, one in self._entries(urn) if one.price is not None), None)

    def _entries(self, urn: str) -> Iterator[tuple[str, Listed]]:
        yield from self._known.get((provider_word(platform(urn) or ""), full_name(urn)), ())
