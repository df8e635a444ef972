"""Adds up what a tool observed of applications into the same roll-up that the hooks' answers make.

The tool counts by day, and in its own dimensions. A total that it states as such is taken; otherwise it is the sum
of the finest rows that belong to it. Calls of models are never added up to answers.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import Final, TypeVar

from datahub.utilities.urns.error import InvalidUrnError

from datahub_llmops import urns
from datahub_llmops.assets.observations import Observed
from datahub_llmops.assets.prompts import PromptRef
from datahub_llmops.assets.usage import Totals
from datahub_llmops.ingestion.applications.rollup import DAY, Application, Newest, Rollup
from datahub_llmops.mapping.applications import application_urns

KeyT = TypeVar("KeyT", bound=Hashable)

_Dimensions = frozenset[str]
_PROMPT: Final = frozenset({"prompt"})
_MODEL: Final = frozenset({"model"})
_VERSION: Final = frozenset({"version"})
_OF_ANSWERS: Final[Sequence[_Dimensions]] = (frozenset(), _VERSION)
_OF_PROMPTS: Final[Sequence[_Dimensions]] = (_PROMPT, _PROMPT | _VERSION, _PROMPT | _MODEL)
_OF_MODELS: Final[Sequence[_Dimensions]] = (_MODEL, _MODEL | _VERSION, _PROMPT | _MODEL)
_FINEST: Final = _PROMPT | _MODEL | _VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """The tool that counted, and how its names become assets."""

    platform: str
    env: str
    currency: str
    prompt_urn: Callable[[PromptRef], str]


@dataclass(slots=True, kw_only=True)
class Seen:
    """Everything that a tool yielded in one window, without what could not be read."""

    rows: dict[tuple[str, date], list[Observed]] = field(default_factory=lambda: defaultdict(list))
    """By application and day."""
    missed_applications: set[str] = field(default_factory=set)
    missed_days: set[date] = field(default_factory=set)
    missed: set[tuple[str, date]] = field(default_factory=set)

    def is_missed(self, application: str, day: date) -> bool:
        """Whether something of an application's day could not be read, so that what was read of it is not a total."""
        return (
            application in self.missed_applications
            or day in self.missed_days
            or (application, day) in self.missed
        )

    def is_partial(self, day: date) -> bool:
        """Whether a total over all applications would lack one."""
        return (
            bool(self.missed_applications)
            or day in self.missed_days
            or any(day == other for _, other in self.missed)
        )


def add_up(seen: Seen, tool: Tool, platforms: Mapping[str, str]) -> Rollup:
    """Add up the rows of the applications in ``platforms``, which says on which platform each is drawn.

    What could not be read whole is left out: what the catalog knows of it stays.

    Raises:
        InvalidUrnError: the name of an application cannot be part of a URN.
    """
    found = Rollup()
    for (name, day), rows in sorted(seen.rows.items(), key=lambda item: item[0][1]):
        if name in platforms and not seen.is_missed(name, day):
            application = found.applications.get(name)
            if application is None:
                _, job, log = application_urns(name, platforms[name], tool.env)
                application = found.applications[name] = Application(
                    name=name, framework=None, platform=platforms[name], job=job, log=log
                )
            _Day(found, application, tool, day, shared=not seen.is_partial(day)).add(rows)
    return found


@dataclass(frozen=True, slots=True)
class _Day:
    """One day of one application. ``shared`` says whether assets of several applications are counted."""

    found: Rollup
    application: Application
    tool: Tool
    day: date
    shared: bool

    @property
    def start(self) -> int:
        return int(datetime.combine(self.day, time(), UTC).timestamp())

    def add(self, rows: Sequence[Observed]) -> None:
        application, found, who = self.application, self.found, self.tool.platform
        application.first = min(application.first, self.start)
        application.last = max(application.last, max(map(self._last, rows)))
        application.definition = next((row.definition for row in rows if row.definition), None) or (
            application.definition
        )
        whole = _first(rows, _OF_ANSWERS)
        self._total(found.whole, (application.name, self.start, who), whole)
        self._total(found.usage, (application.log, self.start, who), whole)
        versions = _first(rows, [_VERSION])
        for version, own in _grouped(versions or whole, lambda row: row.version or "").items():
            self._total(found.versions, (application.name, version, self.start, who), own)
            last = max(map(self._last, own))
            if version and (application.itself is None or last >= application.itself.when):
                application.itself = Newest(when=last, raw={"version": version})
        for ref, own in _grouped(rows, lambda row: row.prompt).items():
            if ref is not None:
                self._prompt(ref, _first(own, [*_OF_PROMPTS, _FINEST]))
        for model, own in _grouped(rows, lambda row: row.model).items():
            if model:
                self._model(model, _first(own, [*_OF_MODELS, _FINEST]))

    def _prompt(self, ref: PromptRef, rows: Sequence[Observed]) -> None:
        try:
            urn = self.tool.prompt_urn(ref)
        except InvalidUrnError:
            self.found.unnamed += 1
            return
        prompts = self.application.prompts
        prompts[urn] = max(prompts.get(urn, 0.0), *map(self._last, rows))
        if self.shared:
            self._total(self.found.usage, (urn, self.start, self.tool.platform), rows)

    def _model(self, model: str, rows: Sequence[Observed]) -> None:
        try:
            urns.model(model, env=self.tool.env)
        except InvalidUrnError:
            self.found.unnamed += 1
            return
        models = self.application.models
        models[model] = max(models.get(model, 0.0), *map(self._last, rows))
        if self.shared:
            self._total(self.found.models, (model, self.start, self.tool.platform), rows)

    def _total(self, totals: dict[KeyT, Totals], key: KeyT, rows: Iterable[Observed]) -> None:
        for row in rows:
            totals.setdefault(key, Totals()).add_sums(
                calls=row.calls,
                started=self.start,
                ended=self._last(row),
                errors=row.errors,
                tokens=row.tokens,
                cost=row.cost if row.currency == self.tool.currency else None,
                milliseconds=row.milliseconds,
            )

    def _last(self, row: Observed) -> float:
        """Time of the last call, within the day. If the tool does not state it, the day is all that is known."""
        end = self.start + DAY - 1
        return end if row.last is None else min(max(seconds(row.last), self.start), end)


def seconds(when: datetime) -> float:
    """Return seconds since the epoch. A time without a zone is UTC."""
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()


def _dimensions(row: Observed) -> _Dimensions:
    return frozenset(name for name in ("prompt", "model", "version") if getattr(row, name))


def _first(rows: Sequence[Observed], wanted: Iterable[_Dimensions]) -> list[Observed]:
    """Return the rows of the first of ``wanted`` dimensions that the tool counted by."""
    by = _grouped(rows, _dimensions)
    return next((by[dimensions] for dimensions in wanted if dimensions in by), [])


def _grouped(rows: Iterable[Observed], key: Callable[[Observed], KeyT]) -> dict[KeyT, list[Observed]]:
    found: dict[KeyT, list[Observed]] = defaultdict(list)
    for row in rows:
        found[key(row)].append(row)
    return found


def leave_out_counted(found: Rollup, days_of: Callable[[str], Collection[int]], *, env: str) -> None:
    """Remove the totals of days that hosts counted already.

    ``days_of`` lists these days of an asset, in seconds since the epoch. An application's are those of its answer log.
    ``env`` is that of the models.
    """
    logs = {name: application.log for name, application in found.applications.items()}
    for urn, day, who in list(found.usage):
        if day in days_of(urn):
            del found.usage[urn, day, who]
    for name, day, who in list(found.whole):
        if day in days_of(logs[name]):
            del found.whole[name, day, who]
    for name, version, day, who in list(found.versions):
        if day in days_of(logs[name]):
            del found.versions[name, version, day, who]
    for model, day, who in list(found.models):
        if day in days_of(urns.model(model, env=env)):
            del found.models[model, day, who]
