"""Finds the indexes that no span names, by the id probe, after all answers are read.

Where the index stays unknown, the sources that the chunks name are edges of the application.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final

from datahub_llmops.assets.collections import ProvenanceCount
from datahub_llmops.ingestion.applications.merging import settle_indexes
from datahub_llmops.ingestion.applications.rollup import Application, Rollup
from datahub_llmops.ingestion.id_probe import StoreProbe
from datahub_llmops.ingestion.report import most_frequent, shown
from datahub_llmops.lineage import provenance
from datahub_llmops.lineage.schema_lookup import SchemaLookup
from datahub_llmops.spans.memory import MAX_FOUND, FoundIndex
from datahub_llmops.spans.pending import Group, Pending
from datahub_llmops.spans.report import SpansReport
from datahub_llmops.spans.resolve import SpanNames

MAX_UPSTREAMS: Final = 100
"""Sources that one application is given as edges by one retriever. More are collapsed to their common folders."""
MAX_MISSES: Final = 3
"""Parts of one retriever that are looked up in vain before the others count as not known too."""


@dataclass(kw_only=True)
class Settling:
    """One run's search for indexes. ``known`` is what earlier runs found, and is brought up to date."""

    probe: StoreProbe
    known: dict[str, FoundIndex]
    today: date
    source_rules: provenance.Rules
    lookup: SchemaLookup
    report: SpansReport
    is_final: bool = True
    """False if a store that might have the ids of a retriever was not asked, so that its days have to be counted again
    once it can be."""

    def __post_init__(self) -> None:
        self.known = {key: one for key, one in self.known.items() if one.holds(self.today)}

    def settle(self, found: Rollup, names: SpanNames) -> None:
        """Replace what is pending in a roll-up by indexes, and say how every index was found.

        Raises:
            CatalogError: the catalog cannot answer.
        """
        settle_indexes(found, self.decide(found, names), "id probe")
        for application in found.applications.values():
            for retriever in application.indexes_of.keys() & names.ways.keys():
                ways = application.ways.setdefault(retriever, {})
                for index, seen in names.ways[retriever].items():
                    ways.setdefault(index, set()).update(seen)
        self.report.indexes_found_by = {str(way): count for way, count in sorted(names.found.items())}
        self.report.indexes_not_known = most_frequent(self.report.indexes_not_known)
        self.known = dict(list(self.known.items())[-MAX_FOUND:])
        self._report_stores()

    def decide(self, found: Rollup, names: SpanNames) -> dict[str, str | None]:
        """Find what each key stands for; ``None`` if its index is not known, which the report counts with the reason.

        The applications of ``found`` get the sources of what is not known.
        """
        decided: dict[str, str | None] = {}
        for group in names.pending.values():
            self._settle_group(group, found, names, decided)
        return decided

    def _settle_group(
        self, group: Group, found: Rollup, names: SpanNames, decided: dict[str, str | None]
    ) -> None:
        search = _Search(self.probe, self.known.get(_key(group)), self.today)
        for part in group.all_parts():
            if part.joined is not None:
                continue
            index, reason = search.find(group, part)
            decided[part.key] = index
            if index is not None:
                names.found["id probe"] += part.retrievals
                continue
            store = group.store_class or group.platform or "unknown store"
            why = "; ".join(one for one in (group.why, reason) if one)
            text = shown(f"{group.application}, {store}: {why}")
            unknown = self.report.indexes_not_known
            unknown[text] = unknown.get(text, 0) + part.retrievals
            if group.application in found.applications:
                self._add_sources(found.applications[group.application], group.retriever, part)
        for part in group.all_parts():
            if part.joined is not None:
                decided[part.key] = decided[part.final().key]
        self.is_final &= search.is_final
        result = search.result()
        if result is not None:
            self.known[_key(group)] = result

    def _add_sources(self, application: Application, retriever: str, part: Pending) -> None:
        count = ProvenanceCount(field="source", values=part.sources, rows_scanned=sum(part.sources.values()))
        found = provenance.find_upstreams(
            self.source_rules, [count], max_upstreams=MAX_UPSTREAMS, lookup=self.lookup
        )
        if found.problem is not None:
            self.report.understood_less = True
            self.report.failure(
                title="A rule of `source_rules` takes too long",
                message="The sources of documents were left out. Correct the rule.",
                context=f"{application.name}: {found.problem}",
            )
            return
        self.report.sources_unmatched += found.unmatched_values
        if found.left_out or part.sources_left_out:
            self.report.warning(
                title="Too many sources",
                message="The most frequent ones are edges. Name the index of the retriever by `indexes`: then its own "
                "recipe knows them all.",
                context=f"{application.name}: {found.left_out + part.sources_left_out} left out",
            )
        last = application.retrievers.get(retriever, application.last)
        for source in found.sources:
            application.sources[source.urn] = max(application.sources.get(source.urn, 0.0), last)

    def _report_stores(self) -> None:
        self.report.probe_questions = self.probe.questions
        self.report.stores_not_asked = len(self.probe.problems)
        for recipe, problem in self.probe.problems.items():
            # Edges that exist may be missing from this run, so none is retired.
            self.report.understood_less = True
            self.report.failure(
                title="A store was not asked for ids",
                message="It might have had the chunks of retrievers whose index is not known, so no answer of another "
                "store about these was accepted. Everything else was written. Correct its recipe or its "
                "access, or take it out of `stores`.",
                context=f"{recipe}: {problem}",
            )


class _Search:
    """The search for the indexes of one retriever."""

    def __init__(self, probe: StoreProbe, before: FoundIndex | None, today: date) -> None:
        self._probe = probe
        self._before = before
        self._today = today.isoformat()
        self._indexes = dict(before.indexes) if before is not None else {}
        self._misses: list[str] = []
        self.is_final = True

    def find(self, group: Group, part: Pending) -> tuple[str | None, str]:
        """Return the index, or why it is not known. Indexes that were found before are asked first."""
        if part is group.without_ids:
            return None, "the retrieved chunks have no ids"
        if self._before is not None and not self._before.indexes:
            return None, f"{self._before.reason} (asked on {self._before.on})"
        if not self._indexes and len(self._misses) >= MAX_MISSES:
            return None, self._misses[-1]
        verdict = self._probe.find(part.ids, group.platform, likely=self._indexes)
        if verdict.index is not None:
            self._indexes.setdefault(verdict.index, self._today)
        elif verdict.asked:
            self._misses.append(verdict.reason)
            self.is_final &= verdict.final
        return verdict.index, verdict.reason

    def result(self) -> FoundIndex | None:
        """Return what is to be remembered."""
        if self._indexes:
            return FoundIndex(indexes=self._indexes, on=min(self._indexes.values()))
        if self._misses and self.is_final:
            return FoundIndex(reason=self._misses[-1], on=self._today)
        return self._before


def _key(group: Group) -> str:
    return "\n".join((group.application, group.retriever, group.store_class or "", group.platform or ""))
