"""The newest recorded answers traced back, as a report shows them: ids and numbers, no question and no text."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from datahub.utilities.urns.error import InvalidUrnError

from datahub_llmops import urns
from datahub_llmops.answer_store.database import Store, reading
from datahub_llmops.answer_store.format import load_answer
from datahub_llmops.answer_store.location import default_store
from datahub_llmops.answer_store.recorded import Identities, RecordedAnswer
from datahub_llmops.answers.explain import Explanation, NotConfirmed, explain
from datahub_llmops.answers.resolver import MapConfig, Resolver
from datahub_llmops.answers.writers import WritingJob
from datahub_llmops.catalog.protocol import FullCatalog
from datahub_llmops.catalog.urn_text import entity_type, full_name
from datahub_llmops.errors import RecordError
from datahub_llmops.ingestion.applications.places import Places
from datahub_llmops.mapping.applications import application_urns
from datahub_llmops.report.model import Answer, AnswerDocument, AnswerJob, AnswerModel, AnswerPrompt
from datahub_llmops.report.times import iso_time

LOOKED_AT: Final = 10_000
"""Answers that are looked at for those of one part of a catalog."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecentAnswers:
    """Answers, newest first, and in sentences what is left out."""

    answers: tuple[Answer, ...] = ()
    notes: tuple[str, ...] = ()


def read_recent_answers(
    catalog: FullCatalog,
    count: int,
    *,
    inside: Collection[str] | None = None,
    store: Path | None = None,
    recipe: Path | None = None,
    step: Callable[[str], None] = lambda _: None,
) -> RecentAnswers:
    """Trace the newest answers of a store back.

    Args:
        catalog: where what feeds their indexes is looked up.
        count: the maximum number of answers.
        inside: the URNs of a part of the catalog: only answers of its applications, or out of its indexes.
        store: the answer store; by default that of this user.
        recipe: the recipe of ``llm-runs``, which decides which index is meant.
        step: told what is read next.

    Raises:
        StoreError: the store cannot be read.
        RecipeError: the recipe cannot be read, or is not valid.
        CatalogError: the catalog cannot answer.
    """
    config = MapConfig.read(recipe)
    with reading(store or default_store()) as opened:
        reader = _Reader(opened, catalog, config, inside)
        chosen = list(islice(reader.chosen(), count))
        answers = []
        for number, one in enumerate(chosen, start=1):
            step(f"answer {number:,} of {len(chosen):,}")
            urn = reader.application(one)
            answers.append(_answer(explain(opened, one, catalog, config), urn, config.env))
        return RecentAnswers(answers=tuple(answers), notes=tuple(reader.notes(len(answers))))


class _Reader:
    """Looks for the answers that belong to a part of a catalog."""

    def __init__(
        self, store: Store, catalog: FullCatalog, config: MapConfig, inside: Collection[str] | None
    ) -> None:
        self._store, self._inside, self._env = store, inside, config.env
        self._places = Places(catalog, config.env)
        self._resolver = Resolver(config.instances, env=config.env, catalog=catalog)
        self._looked_at = self._passed_over = 0

    def chosen(self) -> Iterator[RecordedAnswer]:
        known = Identities(self._store)
        limit = None if self._inside is None else LOOKED_AT
        for row in self._store.answers(limit=limit):
            self._looked_at += 1
            try:
                answer = load_answer(row, known)
            except RecordError:
                self._passed_over += 1
                continue
            if self._belongs(answer):
                yield answer

    def _belongs(self, answer: RecordedAnswer) -> bool:
        if self._inside is None or self.application(answer) in self._inside:
            return True
        return any(self._resolver.index(one.index) in self._inside for one in answer.retrievals)

    def application(self, answer: RecordedAnswer) -> str | None:
        """Return the URN of the application that gave an answer."""
        with contextlib.suppress(InvalidUrnError):
            return application_urns(answer.application, self._places.platform(answer), self._env)[1]
        return None

    def notes(self, found: int) -> Iterator[str]:
        if self._passed_over:
            many = self._passed_over > 1
            yield (
                f"{self._passed_over:,} recorded answer{'s' if many else ''} cannot be understood and "
                f"{'are' if many else 'is'} left out."
            )
        if self._inside is not None and self._looked_at >= LOOKED_AT:
            yield f"Only the newest {LOOKED_AT:,} recorded answers were looked at."
        if not found:
            what = "" if self._inside is None else " of an application or an index in this report"
            yield f"The answer store has no answer{what}."


def _answer(found: Explanation, application: str | None, env: str) -> Answer:
    answer = found.answer
    return Answer(
        id=answer.id,
        application=answer.application,
        urn=application,
        version=answer.version,
        started=_moment(answer.started),
        seconds=round(answer.ended - answer.started, 3),
        status=answer.status,
        prompts=tuple(AnswerPrompt(urn=one.urn, name=one.name, version=one.version) for one in found.prompts),
        models=tuple(
            AnswerModel(
                name=one.served,
                asked=one.asked,
                urn=one.urn,
                tokens_in=one.tokens_in,
                tokens_out=one.tokens_out,
                status=one.status,
            )
            for one in found.models
        ),
        documents=tuple(
            AnswerDocument(
                chunk=one.chunk, score=one.score, index=one.index, source=one.source, rests_on=one.rests_on
            )
            for one in found.documents
        ),
        jobs=tuple(_job(one, env) for one in found.writers),
        indexes=tuple(one.urn for one in found.indexes),
        # Runs are in the catalog too, but a report shows them on the pages of their jobs.
        sources=tuple(one.urn for one in found.origins if entity_type(one.urn) != "dataProcessInstance"),
        stale=tuple((one.index, one.source) for one in found.stale),
        gaps=(*found.gaps, *map(_not_confirmed, found.not_confirmed)),
    )


def _job(job: WritingJob, env: str) -> AnswerJob:
    urn = None
    with contextlib.suppress(InvalidUrnError):
        urn = urns.job(urns.flow(job.orchestrator, job.flow, env=env), job.job)
    return AnswerJob(urn=urn, name=job.job, run=job.run, ended=_moment(job.ended))


def _not_confirmed(edge: NotConfirmed) -> str:
    return f"whether {full_name(edge.upstream)} still feeds {full_name(edge.downstream)}"


def _moment(seconds: float) -> str | None:
    return iso_time(round(seconds * 1000))
