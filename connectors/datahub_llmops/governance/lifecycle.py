"""When models are switched off, by exact provider and model. Where lists disagree, all of them are kept."""

from __future__ import annotations

from collections.abc import Iterable
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
        self._known: dict[tuple[str, str], list[tuple[LifecycleList, Listed]]] = {}
        for found in lists:
            for one in found.models:
                self._known.setdefault((one.provider, one.model), []).append((found, one))

    def of(self, urn: str) -> tuple[Retirement, ...]:
        """Return the dates that the lists state for a model, by its URN.

        A complete list that says it lives on overrules those of less weight.
        """
        stated = []
        for found, one in self._known.get(_key(urn), ()):
            if one.on is not None:
                stated.append(
                    Retirement(on=one.on, source=found.source, replacement=one.replacement, link=one.link)
                )
            elif found.complete:
                break
        return tuple(stated)

    def knows(self, urn: str) -> bool:
        """Return whether a list has a date for exactly this model, or a complete one says that it lives on."""
        return any(one.on is not None or found.complete for found, one in self._known.get(_key(urn), ()))

    def unread(self, urn: str) -> bool:
        """Return whether a list that could not be read may have an earlier date. One of the user's own would win."""
        return bool(self.problems) and not any(found.complete for found, _ in self._known.get(_key(urn), ()))

    def price(self, urn: str) -> float | None:
        """Return the price of a million tokens of an embedding model in USD, if a list states it."""
        prices = (one.price for _, one in self._known.get(_key(urn), ()))
        return next((price for price in prices if price is not None), None)


def _key(urn: str) -> tuple[str, str]:
    return provider_word(platform(urn) or ""), full_name(urn)
