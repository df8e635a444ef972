"""Counts what a door reads: answers become totals by day, and identities become URNs.

An answer from spans counts as ``source=spans``. If an answer store has it too, it counts as ``source=spans@<host>``,
and not at all if the totals of that host are known already: whoever adds usage up ignores such a record if the host has
one. An answer from a sealed segment counts as ``host=<host>``, as ``llm-runs`` counts it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from datahub.utilities.urns.error import InvalidUrnError
from typing_extensions import override

from datahub_llmops import urns
from datahub_llmops.answer_store.recorded import Raw, RecordedAnswer
from datahub_llmops.answers.daily_totals import CountingOptions, roll_up
from datahub_llmops.assets.usage import model_name
from datahub_llmops.catalog.protocol import Catalog
from datahub_llmops.catalog.usage_records import SPANS, by_host, by_spans, days_of_hosts
from datahub_llmops.errors import RecordError
from datahub_llmops.ingestion.applications.merging import merge, note_witness
from datahub_llmops.ingestion.applications.places import Places
from datahub_llmops.ingestion.applications.rollup import Application, Rollup
from datahub_llmops.mapping.applications import application_urns
from datahub_llmops.spans.pending import Group
from datahub_llmops.spans.resolve import SpanNames

_MILLISECONDS: Final = 1000


class SpanCounting:
    """What a run gives to its door: see ``doors.door.Counting``."""

    partition = SPANS
    """What replaces the host in the keys of a roll-up that a door builds from sums."""

    def __init__(
        self,
        names: SpanNames,
        options: CountingOptions,
        catalog: Catalog | None,
        passed_over: Callable[[RecordedAnswer, RecordError], None],
    ) -> None:
        self._names = names
        self._options = options
        self._places = Places(catalog, options.env)
        self._hosts = _HostDays(catalog)
        self._passed_over = passed_over
        self._applications: dict[str, Application | None] = {}
        self.recorded: set[tuple[str, int]] = set()
        """Applications and days, in seconds, with answers from spans that a host recorded too."""

    def roll_up(self, answers: Iterable[RecordedAnswer], recorded: Iterable[RecordedAnswer] = ()) -> Rollup:
        """Count answers of spans, and before them those of sealed segments, ``recorded``. Oldest day first."""
        kept = roll_up(
            recorded,
            self._names,
            self._options,
            self._passed_over,
            self._places,
            lambda answer, application, day: by_host(answer.host or ""),
        )

        def counted_by(answer: RecordedAnswer, application: Application, day: int) -> str | None:
            host = answer.recorded_on
            if host is not None:
                self.recorded.add((application.name, day))
            if host is not None and (
                (application.name, day, by_host(host)) in kept.whole
                or self._hosts.counted(application.log, day, host)
            ):
                return None
            return by_spans(host)

        places = _PlacesAfter(self._places, kept.applications)
        seen = roll_up(answers, self._names, self._options, self._passed_over, places, counted_by)
        if not kept.applications:
            return seen
        note_witness(kept, "hook")
        note_witness(seen, "trace")
        merge(kept, seen)
        return kept

    def index(self, raw: Raw | None) -> str | None:
        """Return the URN of an index that is known by its raw identity alone."""
        found = self._names.learn(raw, "", "", "")
        return found.part(()).key if isinstance(found, Group) else found

    def searched(
        self,
        raw: Raw | None,
        retriever: str,
        application: str,
        name: str,
        *,
        ids: Sequence[str | None] = (),
        sources: Iterable[tuple[Raw, int]] = (),
        times: int = 1,
    ) -> str | None:
        """Return the URN of the index of ``times`` retrievals, or the key of what is found at the end.

        Args:
            raw: what spans say of the index.
            retriever: URN of the retriever.
            application: name of the application.
            name: name or class of the retriever.
            ids: ids of chunks that were retrieved, as evidence.
            sources: sources that chunks name, with the number of chunks.
            times: how many retrievals this is.
        """
        found = self._names.learn(raw, retriever, application, name, times)
        if not isinstance(found, Group):
            return found
        part = found.part([one for one in ids if one is not None])
        part.retrievals += times
        for source, chunks in sources:
            part.add_source(source, chunks)
        return part.key

    def retriever(self, raw: Raw, application: str, framework: str | None = None) -> str | None:
        """Return the URN of an application's retriever."""
        return self._names.retriever(raw, application, framework or self._framework(application))

    def prompt(self, raw: Raw, application: str) -> str | None:
        """Return the URN of a prompt version."""
        return self._names.prompt(raw, application, self._framework(application))

    def model(self, raw: Raw | None) -> str | None:
        """Return the name of a model, as ``urns.model`` takes it, or ``None`` if it fits no URN."""
        return model_name(raw) if self._names.model(raw) is not None else None

    def application(self, name: str, framework: str | None = None) -> Application | None:
        """Return the application of this name, or ``None`` if the name cannot be part of a URN."""
        if name not in self._applications:
            own = framework or urns.DEFAULT_FRAMEWORK
            try:
                platform = self._options.application_platform or self._places.joined(name, own)
                _, job, log = application_urns(name, platform, self._options.env)
            except InvalidUrnError:
                self._applications[name] = None
            else:
                self._applications[name] = Application(
                    name=name, framework=framework, platform=platform, job=job, log=log
                )
        return self._applications[name]

    def _framework(self, application: str) -> str:
        known = self._applications.get(application)
        return (known.framework if known else None) or urns.DEFAULT_FRAMEWORK


class _PlacesAfter(Places):
    """The same applications as another roll-up of the run has, and those of the catalog."""

    def __init__(self, others: Places, known: Mapping[str, Application]) -> None:
        self._others = others
        self._present = known

    @override
    def of(self, application: str) -> tuple[str, ...]:
        return self._others.of(application)

    @override
    def joined(self, application: str, own: str) -> str:
        known = self._present.get(application)
        return known.platform if known is not None else self._others.joined(application, own)


class _HostDays:
    """The days of each application that hosts counted, by the catalog."""

    def __init__(self, catalog: Catalog | None) -> None:
        self._catalog = catalog
        self._known: dict[str, set[tuple[str, int]]] = {}

    def counted(self, log: str, day: int, host: str) -> bool:
        """Whether ``host`` counted a day, in seconds, of the application with this answer log."""
        if self._catalog is None:
            return False
        if log not in self._known:
            records = self._catalog.series(log, "datasetUsageStatistics", 0)
            self._known[log] = days_of_hosts(records)
        return (by_host(host), day * _MILLISECONDS) in self._known[log]
