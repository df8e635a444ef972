"""Counts answers by day in UTC, each dimension by itself and never as a cross product.

A million answers are some hundred events: a day of an index, a retriever, a prompt, a model, an application and its
version, per host. Whole days are counted again whenever one of their answers is new, so a repeat is harmless.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from datahub.utilities.urns.error import InvalidUrnError

from datahub_llmops import urns
from datahub_llmops.answer_store.recorded import ModelCall, Raw, RecordedAnswer, Retrieval
from datahub_llmops.answers.resolver import Resolver, shown
from datahub_llmops.assets.usage import Totals, model_name
from datahub_llmops.errors import RecordError
from datahub_llmops.ingestion.applications.places import Places
from datahub_llmops.ingestion.applications.rollup import DAY, Application, Newest, Rollup
from datahub_llmops.mapping.applications import application_urns


class CountingOptions(Protocol):
    """The options of a recipe that counting needs."""

    env: str
    application_platform: str | None
    """Platform that applications are drawn on; ``None``: their framework."""

    def call_cost(self, call: ModelCall, /) -> float | None:
        """Compute the cost of a call, or ``None`` if it is unknown."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Resolved:
    """One answer with the URNs of everything in it.

    Each list has a place for each part of its kind. ``None`` is a part that has no name, or none that fits a URN.
    """

    answer: RecordedAnswer
    platform: str
    job: str
    log: str
    retrievers: list[str | None]
    indexes: list[str | None]
    prompts: list[str | None]
    models: list[str | None]
    """Names of models, as ``urns.model`` takes them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bucket:
    """One answer, with the day and the host that it counts for."""

    resolved: _Resolved
    day: int
    host: str

    def total(self, totals: dict[tuple[str, int, str], Totals], key: str) -> Totals:
        """The total of the day for ``key``, with the answer added to it."""
        found = totals.setdefault((key, self.day, self.host), Totals())
        self.add(found)
        return found

    def add(self, total: Totals) -> None:
        answer = self.resolved.answer
        total.add(weight=answer.weight, started=answer.started, ended=answer.ended)

    def end(self, total: Totals, milliseconds: int | None, failed: bool) -> None:
        total.add_end(weight=self.resolved.answer.weight, milliseconds=milliseconds, failed=failed)


def roll_up(
    answers: Iterable[RecordedAnswer],
    resolver: Resolver,
    options: CountingOptions,
    passed_over: Callable[[RecordedAnswer, RecordError], None],
    places: Places | None = None,
) -> Rollup:
    """Count answers, oldest first. One whose application has no usable name is handed to ``passed_over``.

    Raises:
        CatalogError: the catalog behind ``places`` or ``resolver`` cannot answer.
    """
    found = Rollup()
    places = places or Places(None, options.env)
    for at, application in _buckets(found, _resolved(found, answers, resolver, options, passed_over, places)):
        answer = at.resolved.answer
        version = found.versions.setdefault(
            (application.name, answer.version or "", at.day, at.host), Totals()
        )
        at.add(version)
        whole = [version, at.total(found.whole, application.name)]
        spent = round((answer.ended - answer.started) * 1000)
        for total in (*whole, at.total(found.usage, application.log)):
            at.end(total, spent, answer.status == "error")
        prompts = _prompts(found, application, at)
        for call, name in zip(answer.models, at.resolved.models, strict=True):
            _model(found, application, at, call, name, whole, prompts, options)
        parts = zip(answer.retrievals, at.resolved.retrievers, at.resolved.indexes, strict=True)
        for retrieval, retriever, index in parts:
            _retrieval(found, application, at, retrieval, retriever, index)
    return found


def _resolved(
    found: Rollup,
    answers: Iterable[RecordedAnswer],
    resolver: Resolver,
    options: CountingOptions,
    passed_over: Callable[[RecordedAnswer, RecordError], None],
    places: Places,
) -> Iterator[_Resolved]:
    for answer in answers:
        try:
            yield _resolve(found, answer, resolver, options, places)
        except RecordError as error:
            passed_over(answer, error)


def _resolve(
    found: Rollup, answer: RecordedAnswer, resolver: Resolver, options: CountingOptions, places: Places
) -> _Resolved:
    """Find the URNs of an answer's parts before anything of it is counted.

    Raises:
        RecordError: the application's name cannot be part of a URN.
    """
    name = answer.application
    known = found.applications.get(name)
    # An application keeps the framework of its first answer.
    own = (known.framework if known else answer.framework) or urns.DEFAULT_FRAMEWORK
    try:
        platform = options.application_platform or (known.platform if known else places.joined(name, own))
        _, job, log = application_urns(name, platform, options.env)
    except InvalidUrnError:
        raise RecordError("its application, or its framework, has no usable name") from None
    return _Resolved(
        answer=answer,
        platform=platform,
        job=job,
        log=log,
        retrievers=[
            resolver.retriever(one.retriever, name, answer.framework or own) for one in answer.retrievals
        ],
        indexes=[
            None if one.composite else resolver.index(one.index)  # The parts of a composite read the indexes.
            for one in answer.retrievals
        ],
        prompts=[resolver.prompt(raw, name, own) for raw in answer.prompts],
        models=[_usable(resolver, call) for call in answer.models],
    )


def _usable(resolver: Resolver, call: ModelCall) -> str | None:
    for raw in (call.served, call.asked):
        if resolver.model(raw) is not None:
            return model_name(raw)
    return None


def _buckets(found: Rollup, answers: Iterable[_Resolved]) -> Iterator[tuple[_Bucket, Application]]:
    """Each answer in the bucket of its day, with its application; closes a day when the next one begins."""
    day = 0
    for resolved in answers:
        answer = resolved.answer
        found.answers += 1
        if answer.application not in found.applications:
            found.applications[answer.application] = Application(
                name=answer.application,
                framework=answer.framework or urns.DEFAULT_FRAMEWORK,
                platform=resolved.platform,
                job=resolved.job,
                log=resolved.log,
            )
        application = found.applications[answer.application]
        application.first = min(application.first, answer.started)
        application.last = max(application.last, answer.ended)
        if application.itself is None or answer.ended >= application.itself.when:
            application.itself = Newest(when=answer.ended, raw={"version": answer.version})
        application.framework_versions.update(_framework_versions(answer))
        at = _Bucket(resolved=resolved, day=int(answer.started) // DAY * DAY, host=answer.host or "")
        if at.day != day:
            found.close_day(day)
            day = at.day
        yield at, application


def _framework_versions(answer: RecordedAnswer) -> dict[str, str]:
    """The version of each framework that made an answer; a retriever of another framework names its own."""
    pairs = [
        (answer.framework, answer.framework_version),
        *(
            (one.retriever.get("framework"), one.retriever.get("framework_version"))
            for one in answer.retrievals
        ),
    ]
    return {str(name): str(version) for name, version in pairs if name and version}


def _model(
    found: Rollup,
    application: Application,
    at: _Bucket,
    call: ModelCall,
    name: str | None,
    whole: list[Totals],
    prompts: Mapping[int, Totals],
    options: CountingOptions,
) -> None:
    answer = at.resolved.answer
    totals = list(whole)
    if name is not None:
        application.models[name] = max(application.models.get(name, 0.0), answer.ended)
        own = at.total(found.models, name)
        at.end(own, call.milliseconds, call.status == "error")
        totals.append(own)
    elif model_name(call.served) or model_name(call.asked):
        found.unnamed += 1
    if call.prompt is not None and call.prompt in prompts:
        totals.append(prompts[call.prompt])
    cost = options.call_cost(call)
    for total in totals:
        total.add_tokens(weight=answer.weight, tokens=call.tokens, cost=cost)


def _retrieval(
    found: Rollup,
    application: Application,
    at: _Bucket,
    retrieval: Retrieval,
    urn: str | None,
    index: str | None,
) -> None:
    answer = at.resolved.answer
    failed = retrieval.status == "error"
    if urn is None:
        found.unnamed += 1
        return
    application.retrievers[urn] = max(application.retrievers.get(urn, 0.0), answer.ended)
    _keep(application.facts, urn, answer, retrieval.retriever)
    own = at.total(found.usage, urn)
    at.end(own, retrieval.milliseconds, failed)
    _chunks(own, answer, retrieval)
    if retrieval.composite:
        return
    if index is None:
        key = shown(retrieval.index)
        found.unresolved[key] = found.unresolved.get(key, 0) + 1
        return
    indexes = application.indexes_of.setdefault(urn, {})
    indexes[index] = max(indexes.get(index, 0.0), answer.ended)
    own = at.total(found.usage, index)
    at.end(own, retrieval.milliseconds, failed)
    _chunks(own, answer, retrieval)
    model = model_name(retrieval.embedding)
    if model is not None:
        models = found.query_models.setdefault(index, {})
        models[model, at.host] = max(models.get((model, at.host), 0.0), answer.ended)


def _chunks(total: Totals, answer: RecordedAnswer, retrieval: Retrieval) -> None:
    """Count the different chunks, unless some of them were not recorded."""
    ids = [chunk.id for chunk in retrieval.chunks if chunk.id is not None]
    whole = len(ids) == len(retrieval.chunks) and not retrieval.chunks_cut and answer.weight == 1.0
    total.add_chunks(ids if whole else None)


def _keep(facts: dict[str, Newest], urn: str, answer: RecordedAnswer, raw: Raw) -> None:
    if urn not in facts or answer.ended >= facts[urn].when:
        facts[urn] = Newest(when=answer.ended, raw=raw)


def _prompts(found: Rollup, application: Application, at: _Bucket) -> dict[int, Totals]:
    """The totals of an answer's prompts, by position."""
    answer = at.resolved.answer
    counted: dict[int, Totals] = {}
    for place, (raw, urn) in enumerate(zip(answer.prompts, at.resolved.prompts, strict=True)):
        if urn is None:
            found.unnamed += bool(raw)
            continue
        counted[place] = at.total(found.usage, urn)
        _keep(application.facts, urn, answer, raw)
        if "urn" in raw or raw.get("version"):
            application.prompts[urn] = max(application.prompts.get(urn, 0.0), answer.ended)
        else:
            uses, last = application.unnamed_prompts.get(urn, (0.0, 0.0))
            application.unnamed_prompts[urn] = (uses + answer.weight, max(last, answer.ended))
    return counted
