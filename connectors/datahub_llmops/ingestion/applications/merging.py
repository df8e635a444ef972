"""Puts roll-ups together: of two witnesses of the same applications, and of indexes that became known at the end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from datahub_llmops.assets.usage import Totals
from datahub_llmops.ingestion.applications.rollup import Application, Newest, Rollup, ScoreSums
from datahub_llmops.lineage.declared_jobs import FoundBy

KeyT = TypeVar("KeyT")


def note_witness(found: Rollup, way: FoundBy) -> None:
    """Note ``way`` on every edge into an application of a roll-up, before it is merged with another witness's."""
    for application in found.applications.values():
        seen = application.ways.setdefault(application.job, {})
        for urn in (*application.retrievers, *application.prompts, *application.unnamed_prompts):
            seen.setdefault(urn, set()).add(way)


def merge(into: Rollup, other: Rollup) -> None:
    """Add a roll-up of another witness. The keys say who counted, so no total is in both."""
    for mine, theirs in ((into.usage, other.usage), (into.whole, other.whole), (into.models, other.models)):
        _add(mine, theirs)
    _add(into.versions, other.versions)
    for name, application in other.applications.items():
        present = into.applications.setdefault(name, application)
        if present is not application:
            _merge_application(present, application)
    for index, queried in other.query_models.items():
        _latest(into.query_models.setdefault(index, {}), queried)
    for asked, days in other.served.items():
        served = into.served.setdefault(asked, {})
        for day, seen in days.items():
            served.setdefault(day, set()).update(seen)
    for scored, sums in other.scores.items():
        into.scores.setdefault(scored, ScoreSums()).merge(sums)
    into.scores_left_out += other.scores_left_out
    for key, count in other.unresolved.items():
        into.unresolved[key] = into.unresolved.get(key, 0) + count
    into.unnamed += other.unnamed
    into.answers += other.answers


def _add(into: dict[KeyT, Totals], other: Mapping[KeyT, Totals]) -> None:
    for key, total in other.items():
        if key in into:
            into[key].merge(total)
        else:
            into[key] = total


def _merge_application(into: Application, other: Application) -> None:
    _latest(into.retrievers, other.retrievers)
    _latest(into.prompts, other.prompts)
    _latest(into.models, other.models)
    _latest(into.sources, other.sources)
    for urn, (uses, last) in other.unnamed_prompts.items():
        before, seen = into.unnamed_prompts.get(urn, (0.0, 0.0))
        into.unnamed_prompts[urn] = before + uses, max(seen, last)
    for retriever, indexes in other.indexes_of.items():
        _latest(into.indexes_of.setdefault(retriever, {}), indexes)
    for end, ways in other.ways.items():
        known = into.ways.setdefault(end, {})
        for urn, found in ways.items():
            known.setdefault(urn, set()).update(found)
    for urn, fact in other.facts.items():
        into.facts[urn] = _newer(into.facts.get(urn), fact)
    if other.itself is not None:
        into.itself = _newer(into.itself, other.itself)
    into.framework_versions |= other.framework_versions
    into.first, into.last = min(into.first, other.first), max(into.last, other.last)


def _newer(one: Newest | None, other: Newest) -> Newest:
    return other if one is None or other.when >= one.when else one


def _latest(into: dict[KeyT, float], other: Mapping[KeyT, float]) -> None:
    for key, when in other.items():
        into[key] = max(into.get(key, 0.0), when)


def settle_indexes(found: Rollup, decided: Mapping[str, str | None], way: FoundBy) -> None:
    """Replace the keys by the indexes that ``way`` found for them. ``None``: it is not known."""
    for urn, day, who in [key for key in found.usage if key[0] in decided]:
        total = found.usage.pop((urn, day, who))
        index = decided[urn]
        if index is not None:
            _add(found.usage, {(index, day, who): total})
    for key in decided.keys() & found.query_models.keys():
        queried, index = found.query_models.pop(key), decided[key]
        if index is not None:
            _latest(found.query_models.setdefault(index, {}), queried)
    for application in found.applications.values():
        for retriever, indexes in application.indexes_of.items():
            for key in decided.keys() & indexes.keys():
                when, index = indexes.pop(key), decided[key]
                if index is not None:
                    indexes[index] = max(indexes.get(index, 0.0), when)
                    application.ways.setdefault(retriever, {}).setdefault(index, set()).add(way)
