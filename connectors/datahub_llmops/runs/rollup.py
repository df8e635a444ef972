"""Answers counted by hour and day: each dimension by itself, never as a cross product.

A million answers are some hundred events: an hour of an index, a retriever, a prompt, and a day of an application's
version, per host. Whole buckets are counted again whenever one of their answers is new, so a repeat is harmless.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from datahub_llmops.instances import Resolver, model_name
from datahub_llmops.recorded import RecordedAnswer, RecordedWrites, Retrieval

HOUR: Final = 3_600
DAY: Final = 86_400
MAX_UNNAMED_PROMPTS: Final = 20
"""Prompts without a name that an application is given in the graph, the most used ones."""


@dataclass(slots=True, kw_only=True)
class Totals:
    """Sums over answers or calls; weighted by sampling."""

    calls: float = 0.0
    errors: float = 0.0
    milliseconds: float = 0.0
    tokens_in: float = 0.0
    tokens_out: float = 0.0
    tokens_cached: float = 0.0
    tokens_reasoning: float = 0.0
    first: float = float("inf")
    last: float = 0.0

    def add(self, answer: RecordedAnswer, milliseconds: int | None, failed: bool) -> None:
        """One more."""
        self.calls += answer.weight
        self.errors += answer.weight if failed else 0.0
        self.milliseconds += (milliseconds or 0) * answer.weight
        self.first = min(self.first, answer.started)
        self.last = max(self.last, answer.ended)


@dataclass(slots=True, kw_only=True)
class Application:
    """One application: the assets that it was seen to use, by URN, with the time of the last use."""

    name: str
    framework: str
    retrievers: dict[str, float] = field(default_factory=dict)
    indexes_of: dict[str, dict[str, float]] = field(default_factory=dict)
    prompts: dict[str, float] = field(default_factory=dict)
    unnamed_prompts: dict[str, tuple[float, float]] = field(default_factory=dict)
    models: dict[str, float] = field(default_factory=dict)
    first: float = float("inf")
    last: float = 0.0
    framework_last: float = 0.0


@dataclass(slots=True, kw_only=True)
class Rollup:
    """Everything of the answers that were counted. Keys of ``usage`` are (dataset, hour, host)."""

    applications: dict[str, Application] = field(default_factory=dict)
    usage: dict[tuple[str, int, str], Totals] = field(default_factory=dict)
    days: dict[tuple[str, str, int, str], Totals] = field(default_factory=dict)
    """By (application, version, day, host)."""
    query_models: dict[str, dict[str, float]] = field(default_factory=dict)
    """Index -> embedding models that queries of it were embedded with, with the time of the last."""
    unresolved: dict[str, int] = field(default_factory=dict)
    answers: int = 0


def roll_up(answers: Iterable[RecordedAnswer], resolver: Resolver, answer_log: Mapping[str, str]) -> Rollup:
    """Count. ``answer_log`` gives the URN of an application's answer log; it is filled as applications are met."""
    found = Rollup()
    for answer in answers:
        found.answers += 1
        application = found.applications.setdefault(
            answer.application,
            Application(name=answer.application, framework=answer.framework or "langchain"),
        )
        application.first = min(application.first, answer.started)
        application.last = max(application.last, answer.ended)
        failed = answer.status == "error"
        spent = round((answer.ended - answer.started) * 1000)
        hour, day, host = (
            int(answer.started) // HOUR * HOUR,
            int(answer.started) // DAY * DAY,
            answer.host or "",
        )
        _count(found, answer_log[answer.application], hour, host).add(answer, spent, failed)
        total = found.days.setdefault((answer.application, answer.version or "", day, host), Totals())
        total.add(answer, spent, failed)
        for call in answer.models:
            total.tokens_in += call.tokens_in * answer.weight
            total.tokens_out += call.tokens_out * answer.weight
            total.tokens_cached += call.tokens_cached * answer.weight
            total.tokens_reasoning += call.tokens_reasoning * answer.weight
            for raw in (call.asked, call.served):
                name = model_name(raw)
                if name is not None and not (raw is call.asked and call.served is not None):
                    application.models[name] = max(application.models.get(name, 0.0), answer.ended)
        for retrieval in answer.retrievals:
            _retrieval(found, application, answer, retrieval, resolver, hour, host)
        _prompts(found, application, answer, resolver, hour, host)
    return found


def _count(found: Rollup, urn: str, hour: int, host: str) -> Totals:
    return found.usage.setdefault((urn, hour, host), Totals())


def _retrieval(
    found: Rollup,
    application: Application,
    answer: RecordedAnswer,
    retrieval: Retrieval,
    resolver: Resolver,
    hour: int,
    host: str,
) -> None:
    urn = resolver.retriever(retrieval.retriever, application.name, answer.framework or application.framework)
    failed = retrieval.status == "error"
    application.retrievers[urn] = max(application.retrievers.get(urn, 0.0), answer.ended)
    _count(found, urn, hour, host).add(answer, retrieval.milliseconds, failed)
    if retrieval.composite:
        return  # Its parts read the indexes.
    index = resolver.index(retrieval.index)
    if index is None:
        from datahub_llmops.instances import shown

        key = shown(retrieval.index)
        found.unresolved[key] = found.unresolved.get(key, 0) + 1
        return
    indexes = application.indexes_of.setdefault(urn, {})
    indexes[index] = max(indexes.get(index, 0.0), answer.ended)
    _count(found, index, hour, host).add(answer, retrieval.milliseconds, failed)
    model = model_name(retrieval.embedding)
    if model is not None:
        models = found.query_models.setdefault(index, {})
        models[model] = max(models.get(model, 0.0), answer.ended)


def _prompts(
    found: Rollup, application: Application, answer: RecordedAnswer, resolver: Resolver, hour: int, host: str
) -> None:
    for raw in answer.prompts:
        urn = resolver.prompt(raw, application.name, application.framework)
        if urn is None:
            continue
        _count(found, urn, hour, host).add(answer, None, False)
        if "urn" in raw or raw.get("version"):
            application.prompts[urn] = max(application.prompts.get(urn, 0.0), answer.ended)
        else:
            uses, last = application.unnamed_prompts.get(urn, (0.0, 0.0))
            application.unnamed_prompts[urn] = (uses + answer.weight, max(last, answer.ended))


def prompts_drawn(application: Application) -> dict[str, float]:
    """Prompts that become inputs: all with a name, the most used without one (a rendered one is new each time)."""
    ranked = sorted(application.unnamed_prompts.items(), key=lambda item: (-item[1][0], item[0]))
    return {**application.prompts, **{urn: last for urn, (_, last) in ranked[:MAX_UNNAMED_PROMPTS]}}


def built_with(writes: Iterable[RecordedWrites], resolver: Resolver) -> dict[str, str]:
    """Index -> the model that embedded what was last written into it."""
    found: dict[str, tuple[float, str]] = {}
    for one in writes:
        index, model = resolver.index(one.index), model_name(one.embedding)
        if index is not None and model is not None and one.ended >= found.get(index, (0.0, ""))[0]:
            found[index] = (one.ended, model)
    return {index: model for index, (_, model) in found.items()}
