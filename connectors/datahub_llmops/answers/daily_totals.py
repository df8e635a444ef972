"""Counts answers by day in UTC, each dimension by itself and never as a cross product.

A million answers are some hundred events: a day of an index, a retriever, a prompt, a model, an application and its
version, per host. Whole days are counted again whenever one of their answers is new, so a repeat is harmless.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final, Protocol

from datahub.utilities.urns.error import InvalidUrnError

from datahub_llmops import urns
from datahub_llmops.answer_store.recorded import (
    ModelCall,
    Raw,
    RecordedAnswer,
    Retrieval,
    SampledChunks,
)
from datahub_llmops.answers.names import KnownNames, Names
from datahub_llmops.answers.resolver import shown
from datahub_llmops.assets.usage import ChunkSet, Totals
from datahub_llmops.errors import RecordError
from datahub_llmops.ingestion.applications.places import Places
from datahub_llmops.ingestion.applications.rollup import (
    DAY,
    Application,
    Newest,
    Rollup,
    Served,
)
from datahub_llmops.mapping.applications import application_urns

MAX_SERVED: Final = 1_000
"""Different models, with their fingerprints, that serve one application and model asked for on one day."""


class CountingOptions(Protocol):
    """The options of a recipe that counting needs."""

    env: str
    application_platform: str | None
    """Platform that applications are drawn on; ``None``: their framework."""

    def call_cost(self, call: ModelCall, /) -> float | None:
        """Compute the cost of a call, or ``None`` if it is unknown."""
        ...


def by_host(answer: RecordedAnswer, application: Application, day: int) -> str | None:
    """Return who counts an answer of the hooks: its host."""
    return answer.host or ""


def roll_up(
    answers: Iterable[RecordedAnswer],
    names: Names,
    options: CountingOptions,
    passed_over: Callable[[RecordedAnswer, RecordError], None],
    places: Places | None = None,
    counted_by: Callable[[RecordedAnswer, Application, int], str | None] = by_host,
) -> Rollup:
    """Count answers, oldest day first.

    Args:
        answers: the answers.
        names: the assets of what is in them.
        options: the recipe's.
        passed_over: is handed an answer whose application has no usable name.
        places: where the catalog has applications.
        counted_by: who counts an answer of a day; ``None``: it is in somebody else's totals, and gives edges only.

    Raises:
        CatalogError: the catalog behind ``places`` or ``names`` cannot answer.
    """
    counting = _Counting(names, options, places or Places(None, options.env), counted_by)
    for answer in answers:
        try:
            application = counting.application(answer)
        except RecordError as error:
            passed_over(answer, error)
        else:
            counting.add(answer, application)
    return counting.found


class _Counting:
    """The totals so far, and the day that is open."""

    def __init__(
        self,
        names: Names,
        options: CountingOptions,
        places: Places,
        counted_by: Callable[[RecordedAnswer, Application, int], str | None],
    ) -> None:
        self.found = Rollup()
        self._names = KnownNames(names)
        self._options = options
        self._places = places
        self._counted_by = counted_by
        self._unusable: set[str] = set()
        self._day = 0
        # What is counted elsewhere goes into a roll-up that nobody reads.
        self._elsewhere = Rollup()

    def application(self, answer: RecordedAnswer) -> Application:
        """Return the application of an answer. It keeps the framework of its first answer.

        Raises:
            RecordError: its name cannot be part of a URN.
        """
        name = answer.application
        known = self.found.applications.get(name)
        if known is not None:
            return known
        framework = answer.framework or urns.DEFAULT_FRAMEWORK
        try:
            if name in self._unusable:
                raise InvalidUrnError(name)
            platform = self._options.application_platform or self._places.joined(name, framework)
            _, job, log = application_urns(name, platform, self._options.env)
        except InvalidUrnError:
            if len(self._unusable) < 10_000:
                self._unusable.add(name)
            raise RecordError("its application, or its framework, has no usable name") from None
        return Application(name=name, framework=framework, platform=platform, job=job, log=log)

    def add(self, answer: RecordedAnswer, application: Application) -> None:
        found, names = self.found, self._names
        name, weight, started, ended = application.name, answer.weight, answer.started, answer.ended
        # Everything that may raise comes before anything is counted.
        own = application.framework or urns.DEFAULT_FRAMEWORK
        retrievers = [
            names.retriever(one.retriever, name, answer.framework or own) for one in answer.retrievals
        ]
        indexes = [
            # The parts of a composite read the indexes.
            None if one.composite else names.searched(one, urn, name)
            for one, urn in zip(answer.retrievals, retrievers, strict=True)
        ]
        prompts = [names.prompt(raw, name, own) for raw in answer.prompts]
        models = [names.usable(call) for call in answer.models]
        found.applications.setdefault(name, application)
        day = int(started) // DAY * DAY
        if day != self._day:
            found.close_day(self._day)
            self._day = day
        found.answers += answer.times
        _meet(application, answer)
        if answer.scores:  # Nobody else counts them.
            self._score(application, answer, prompts, day)
        who = self._counted_by(answer, application, day)
        into, at = (self._elsewhere, "") if who is None else (found, who)

        failed = answer.status == "error"
        spent = answer.milliseconds
        # The tokens of a summed answer are sums already.
        share = weight / answer.times
        versions = into.versions
        key = name, answer.version or "", day, at
        version = versions.get(key)
        if version is None:
            version = versions[key] = Totals()
        whole = (version, _total(into.whole, (name, day, at)))
        for total in (*whole, _total(into.usage, (application.log, day, at))):
            total.add(weight=weight, started=started, ended=ended)
            total.add_end(weight=weight, milliseconds=spent, failed=failed)
        counted: dict[int, Totals] = {}
        for place, (raw, urn) in enumerate(zip(answer.prompts, prompts, strict=True)):
            if urn is None:
                found.unnamed += bool(raw) * answer.times
                continue
            total = counted[place] = _total(into.usage, (urn, day, at))
            total.add(weight=weight, started=started, ended=ended)
            _use_prompt(application, answer, raw, urn)
        for call, model in zip(answer.models, models, strict=True):
            totals = [*whole]
            if model is not None:
                application.models[model] = max(application.models.get(model, 0.0), ended)
                total = _total(into.models, (model, day, at))
                total.add(weight=weight, started=started, ended=ended)
                total.add_end(weight=weight, milliseconds=call.milliseconds, failed=call.status == "error")
                totals.append(total)
            elif names.spelled(call.served) or names.spelled(call.asked):
                found.unnamed += answer.times
            if call.prompt is not None and call.prompt in counted:
                totals.append(counted[call.prompt])
            cost = self._options.call_cost(call)
            tokens = call.tokens
            for total in totals:
                total.add_tokens(weight=share, tokens=tokens, cost=cost)
            self._serve(application, call, day)
        for retrieval, urn, index in zip(answer.retrievals, retrievers, indexes, strict=True):
            self._retrieve(into, application, answer, retrieval, urn, index, day, at)

    def _score(
        self, application: Application, answer: RecordedAnswer, prompts: Sequence[str | None], day: int
    ) -> None:
        """Count the scores of an answer, also for the version of its prompt if it ran no other one."""
        scored = [application.log]
        if len(answer.prompts) == 1 and prompts[0] is not None and _is_named(answer.prompts[0]):
            scored.append(prompts[0])
        for score in answer.scores:
            for asset in scored:
                series = application.name, asset, day, score.metric, score.judge
                self.found.add_score(series, score)

    def _retrieve(
        self,
        into: Rollup,
        application: Application,
        answer: RecordedAnswer,
        retrieval: Retrieval,
        urn: str | None,
        index: str | None,
        day: int,
        at: str,
    ) -> None:
        found, weight, ended = self.found, answer.weight, answer.ended
        failed = retrieval.status == "error"
        if urn is None:
            found.unnamed += answer.times
            return
        application.retrievers[urn] = max(application.retrievers.get(urn, 0.0), ended)
        _keep(application.facts, urn, answer, retrieval.retriever)
        chunks = _chunks(answer, retrieval)
        for one in (urn,) if retrieval.composite or index is None else (urn, index):
            total = _total(into.usage, (one, day, at))
            total.add(weight=weight, started=answer.started, ended=ended)
            total.add_end(weight=weight, milliseconds=retrieval.milliseconds, failed=failed)
            total.add_chunks(chunks)
        if retrieval.composite:
            return
        if index is None:
            key = shown(retrieval.index)
            found.unresolved[key] = found.unresolved.get(key, 0) + retrieval.times
            return
        indexes = application.indexes_of.setdefault(urn, {})
        indexes[index] = max(indexes.get(index, 0.0), ended)
        model = self._names.spelled(retrieval.embedding)
        if model is not None:
            queried = found.query_models.setdefault(index, {})
            host = answer.host or ""
            queried[model, host] = max(queried.get((model, host), 0.0), ended)

    def _serve(self, application: Application, call: ModelCall, day: int) -> None:
        """Note which model served on a day. A call that failed or came from a cache was served by none."""
        asked = self._names.spelled(call.asked)
        if asked is None or call.cached or call.status == "error":
            return
        served = self.found.served.setdefault((application.name, asked), {})
        seen = Served(model=self._names.spelled(call.served), fingerprint=call.fingerprint)
        of_day = served.setdefault(day, set())
        if len(of_day) < MAX_SERVED:
            of_day.add(seen)


def _total(totals: dict[tuple[str, int, str], Totals], key: tuple[str, int, str]) -> Totals:
    total = totals.get(key)
    if total is None:
        total = totals[key] = Totals()
    return total


def _meet(application: Application, answer: RecordedAnswer) -> None:
    """Note when the application was seen, its version, and the version of each framework that made the answer."""
    if answer.started < application.first:
        application.first = answer.started
    if answer.ended > application.last:
        application.last = answer.ended
    newest = application.itself
    if newest is None or answer.ended >= newest.when:
        version = answer.version
        raw = newest.raw if newest is not None and newest.raw["version"] == version else {"version": version}
        application.itself = Newest(when=answer.ended, raw=raw)
    if answer.framework and answer.framework_version:
        application.framework_versions[answer.framework] = answer.framework_version
    for one in answer.retrievals:  # A retriever of another framework names its own.
        name, version = one.retriever.get("framework"), one.retriever.get("framework_version")
        if name and version:
            application.framework_versions[str(name)] = str(version)


def _chunks(answer: RecordedAnswer, retrieval: Retrieval) -> list[str] | ChunkSet | None:
    """List the ids of the chunks; ``None`` if some of them were not recorded."""
    if isinstance(retrieval.chunks, SampledChunks):
        return None if retrieval.chunks_cut or answer.weight != answer.times else retrieval.chunks.of
    ids = [chunk.id for chunk in retrieval.chunks if chunk.id is not None]
    whole = len(ids) == len(retrieval.chunks) and not retrieval.chunks_cut and answer.weight == 1.0
    return ids if whole else None


def _keep(facts: dict[str, Newest], urn: str, answer: RecordedAnswer, raw: Raw) -> None:
    if urn not in facts or answer.ended >= facts[urn].when:
        facts[urn] = Newest(when=answer.ended, raw=raw)


def _is_named(prompt: Raw) -> bool:
    """Whether a prompt is a version that a registry may have, and not only a template."""
    return "urn" in prompt or bool(prompt.get("version"))


def _use_prompt(application: Application, answer: RecordedAnswer, raw: Raw, urn: str) -> None:
    _keep(application.facts, urn, answer, raw)
    if _is_named(raw):
        application.prompts[urn] = max(application.prompts.get(urn, 0.0), answer.ended)
    else:
        uses, last = application.unnamed_prompts.get(urn, (0.0, 0.0))
        application.unnamed_prompts[urn] = (uses + answer.weight, max(last, answer.ended))
