"""When models are switched off, by exact provider and model. Where lists disagree, all of them are kept."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from datahub_llmops.catalog.urn_text import full_name, platform


@dataclass(frozen=True, slots=True, kw_only=True)
class Retirement:
    """One list's word on one model. ``source`` is the name of the list, ``link`` the provider's page if it has one."""

    provider: str
    model: str
    on: date
    source: str
    replacement: str | None = None
    link: str | None = None


class Lifecycles:
    """The retirements of several lists, those of greater weight first, and the models that they name without a date."""

    def __init__(
        self, retirements: Iterable[Retirement] = (), listed: Iterable[tuple[str, str]] = ()
    ) -> None:
        """``listed`` are providers and models whose end no list states, though one of them has the model."""
        self._listed = {(provider.casefold(), model) for provider, model in listed}
        self._known: dict[tuple[str, str], list[Retirement]] = {}
        for one in retirements:
            self._known.setdefault((one.provider.casefold(), one.model), []).append(one)

    def of(self, urn: str) -> tuple[Retirement, ...]:
        """Return what the lists say of a model by its URN; nothing if none of them names exactly this model."""
        return tuple(self._known.get(_key(urn), ()))

    def knows(self, urn: str) -> bool:
        """Return whether a list has exactly this model, with a date or without."""
        return _key(urn) in self._known or _key(urn) in self._listed


def _key(urn: str) -> tuple[str, str]:
    return (platform(urn) or "").casefold(), full_name(urn)
