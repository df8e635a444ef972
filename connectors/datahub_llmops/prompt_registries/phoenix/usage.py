"""What a Phoenix server saw applications do, by its own aggregates.

The requests grow with days, projects, and the versions and models in use; not with traces.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from typing import Final

from datahub_llmops.assets.collections import FailedListing
from datahub_llmops.assets.observations import Observed, Window
from datahub_llmops.assets.prompts import PromptRef
from datahub_llmops.assets.usage import Tokens
from datahub_llmops.errors import ConnectorError, UnreadableError
from datahub_llmops.net.http import path_part
from datahub_llmops.prompt_registries.phoenix.aggregates import IS_CALL, Aggregates, Cell, Sums, days_of
from datahub_llmops.prompt_registries.phoenix.client import PhoenixServer
from datahub_llmops.prompt_registries.phoenix.prices import Prices

PROJECT: Final = "project"
METADATA: Final = "metadata."
NOT_TRAFFIC: Final = frozenset({"evaluators"})
"""The project that Phoenix's own client writes the traces of evaluators into."""
VERSION: Final = "llm.prompt_template.version"
_MODEL: Final = "llm.model_name"
_MONTH: Final = timedelta(days=31)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the traces of an application are: a project, or those with a value of its metadata."""

    application: str
    project: str
    conditions: tuple[str, ...] = ()


class Usage:
    """A ``UsageReader`` of one server.

    ``named_by`` is ``project`` or ``metadata.<key>``. ``refs`` returns the versions of prompts by their ids.
    """

    def __init__(
        self,
        server: PhoenixServer,
        *,
        named_by: str,
        is_wanted: Callable[[str], bool],
        refs: Callable[[], Mapping[str, PromptRef]],
    ) -> None:
        self._server = server
        self._aggregates = Aggregates(server)
        self._prices = Prices(server)
        self._named_by = named_by
        self._is_wanted = is_wanted
        self._refs = refs

    def observed(self, window: Window) -> Iterator[Observed | FailedListing]:
        """Yield the usage of each day, month by month."""
        for month in months(window):
            for place in self.places(month):
                if isinstance(place, FailedListing):
                    yield place
                    continue
                try:
                    yield from list(self._observe(place, month))
                except ConnectorError as error:
                    yield FailedListing(name=(place.application,), error=error)

    def places(self, window: Window) -> Iterator[Place | FailedListing]:
        """List the applications that are wanted, with where their traces are."""
        for project, name in self._aggregates.projects():
            if name in NOT_TRAFFIC:
                continue
            if self._named_by == PROJECT:
                if self._is_wanted(name):
                    yield Place(application=name, project=project)
                continue
            try:
                yield from list(self._named_by_metadata(project, name, window))
            except ConnectorError as error:
                yield FailedListing(name=(name,), error=error)

    def _named_by_metadata(self, project: str, name: str, window: Window) -> Iterator[Place | FailedListing]:
        key = self._named_by.removeprefix(METADATA)
        attribute = f"metadata[{key!r}]"
        is_root = "parent_id is None"
        values = self._aggregates.find_values(project, window, attribute, is_root, "metadata", key)
        for value, _ in values:
            if self._is_wanted(value):
                yield Place(application=value, project=project, conditions=(f"{attribute} == {value!r}",))
        conditions = (is_root, f"{attribute} is None")
        cells = [Cell(day=day, conditions=conditions, counts_traces=True) for day in days_of(window)]
        if nameless := sum(self._aggregates.count(project, cells)):
            error = UnreadableError(
                f"{self._server.name}: {nameless:,} answers of project {name!r} belong to no application, since they "
                f"have no {self._named_by}. They were left out. Set it around the whole trace (using_attributes)."
            )
            yield FailedListing(name=(name,), error=error, is_item=False)

    def active_days(self, place: Place, window: Window) -> list[date]:
        """Return the days on which an application did anything."""
        cells = [Cell(day=day, conditions=place.conditions, counts_traces=True) for day in days_of(window)]
        counts = self._aggregates.count(place.project, cells)
        return [cell.day for cell, count in zip(cells, counts, strict=True) if count]

    def versions(self, place: Place, window: Window) -> dict[str, PromptRef | None]:
        """Return the versions of prompts that an application used, by what it wrote; ``None`` is none of Phoenix's."""
        refs = self._refs()
        written = self._aggregates.find_values(
            place.project, window, VERSION, _calls_of(place), "llm", "prompt_template", "version"
        )
        return {value: refs.get(value) for value, _ in written}

    def find_ref(self, version: str | None) -> PromptRef | None:
        """Return the version of a prompt that has this id."""
        return self._refs().get(version) if version else None

    def _observe(self, place: Place, window: Window) -> Iterator[Observed | FailedListing]:
        days = self.active_days(place, window)
        if not days:
            return
        versions = self.versions(place, window)
        models = self._models(place, window)
        if foreign := [value for value, ref in versions.items() if ref is None]:
            yield FailedListing(
                name=(place.application,), error=self._explain_foreign(place, len(foreign)), is_item=False
            )
        page = f"{self._server.address}/projects/{path_part(place.project)}"
        scopes: list[tuple[tuple[str, ...], PromptRef | None, str | None]] = [((), None, None)]
        scopes += [((f"{VERSION} == {value!r}",), ref, None) for value, ref in versions.items() if ref]
        scopes += [((f"{_MODEL} == {value!r}",), None, model) for value, model in models.items()]
        unpriced = [value for value in models if not self._prices.has_price(value)]
        for own, ref, model in scopes:
            is_whole = ref is None and model is None
            cells = [
                Cell(day=day, conditions=(*place.conditions, *own), counts_traces=is_whole) for day in days
            ]
            for cell, sums in zip(
                cells, self._aggregates.measure(place.project, cells, unpriced), strict=True
            ):
                if sums.calls:
                    row = partial(Observed, application=place.application, definition=page)
                    yield _build(row, cell.day, sums, ref, model)

    def _models(self, place: Place, window: Window) -> dict[str, str]:
        """Return the models that an application used, by what it wrote, with their providers if these are one."""
        found = self._aggregates.find_values(
            place.project, window, _MODEL, _calls_of(place), "llm", "model_name"
        )
        models: dict[str, str] = {}
        for value, llm in found:
            provider = llm.get("provider")
            models[value] = value
            if isinstance(provider, str) and provider:
                others = self._aggregates.find_values(
                    place.project,
                    window,
                    "llm.provider",
                    f"{_calls_of(place)} and {_MODEL} == {value!r}",
                    "llm",
                    "provider",
                )
                if len(others) == 1:
                    models[value] = f"{provider}/{value}"
        return models

    def _explain_foreign(self, place: Place, count: int) -> UnreadableError:
        return UnreadableError(
            f"{self._server.name}: {place.application!r} wrote {count} values of {VERSION} that are not ids of "
            "versions of Phoenix. What it did with them is counted, but for no version. Write the id that Phoenix's "
            "client returns."
        )


def months(window: Window) -> Iterator[Window]:
    """Split a window into parts that one request can name the days of."""
    first = window.first
    while first <= window.last:
        last = min(window.last, first + _MONTH - timedelta(days=1))
        yield Window(first=first, last=last)
        first = last + timedelta(days=1)


def _calls_of(place: Place) -> str:
    return " and ".join((*place.conditions, IS_CALL))


def _build(
    row: Callable[..., Observed], day: date, sums: Sums, ref: PromptRef | None, model: str | None
) -> Observed:
    """Phoenix tells no sum of latencies, and 0 tokens if it was told none."""
    has_tokens = bool(sums.input or sums.output)
    return row(
        day=day,
        calls=sums.calls,
        prompt=ref,
        model=model,
        errors=sums.errors,
        tokens=Tokens(input=sums.input, output=sums.output) if has_tokens else Tokens(),
        cost=sums.cost if has_tokens else None,
    )
