"""Settles, after all answers are read, which indexes the retrievers searched that no span names: by the id probe.

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
from datahub_llmops.ingestion.report import shown
from datahub_llmops.lineage import provenance
from datahub_llmops.lineage.schema_lookup import SchemaLookup
from datahub_llmops.spans.memory import MAX_FOUND, FoundIndex
from datahub_llmops.spans.report import SpansReport
from datahub_llmops.spans.resolve import Pending, SpanNames

MAX_UPSTREAMS: Final = 100
"""Sources that one application is given as edges by one retriever. More are collapsed to their common folders."""


@dataclass(kw_only=True)
class Settling:
    """One run's search for indexes. ``known`` is what earlier runs found, and is brought up to date."""

    probe: StoreProbe
    known: dict[str, FoundIndex]
    today: date
    source_rules: provenance.Rules
    lookup: SchemaLookup
    report: SpansReport

    def __post_init__(self) -> None:
        self.known = {key: one for key, one in self.known.items() if one.holds(self.today)}

    def settle(self, found: Rollup, names: SpanNames) -> None:
        """Put indexes into the places of what is pending in a roll-up, and say how every index was found.

        Raises:
            CatalogError: the catalog cannot answer.
        """
        decided: dict[str, str | None] = {}
        for pending in names.pending.values():
            index, reason = self._find(pending)
            decided[pending.key] = index
            if index is not None:
                names.found["id probe"] += pending.retrievals
                continue
            text = shown(
                f"{pending.application}, {pending.store_class or pending.platform or 'unknown store'}: {reason}"
            )
            unknown = self.report.indexes_not_known
            unknown[text] = unknown.get(text, 0) + pending.retrievals
            if pending.application in found.applications:
                self._add_sources(found.applications[pending.application], pending)
        settle_indexes(found, decided, "id probe")
        for application in found.applications.values():
            for retriever in application.indexes_of.keys() & names.ways.keys():
                ways = application.ways.setdefault(retriever, {})
                for index, seen in names.ways[retriever].items():
                    ways.setdefault(index, set()).update(seen)
        self.report.indexes_found_by = {str(way): count for way, count in sorted(names.found.items())}
        self.known = dict(list(self.known.items())[-MAX_FOUND:])
        self._report_stores()

    def _find(self, pending: Pending) -> tuple[str | None, str]:
        """Return the index, or why it is not known. An index that an earlier run found is asked alone."""
        key = "\n".join(
            (pending.application, pending.retriever, pending.store_class or "", pending.platform or "")
        )
        before = self.known.get(key)
        if before is not None and before.index is None:
            return None, f"{before.reason} (asked on {before.on})"
        verdict = self.probe.find(
            pending.ids, pending.platform, likely=before.index if before is not None else None
        )
        if verdict.asked and verdict.final:
            is_same = before is not None and before.index == verdict.index
            on = before.on if before is not None and is_same else self.today.isoformat()
            self.known[key] = FoundIndex(index=verdict.index, reason=verdict.reason, on=on)
        return verdict.index, "; ".join(one for one in (pending.why, verdict.reason) if one)

    def _add_sources(self, application: Application, pending: Pending) -> None:
        count = ProvenanceCount(
            field="source", values=pending.sources, rows_scanned=sum(pending.sources.values())
        )
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
        if found.left_out or pending.sources_left_out:
            self.report.warning(
                title="Too many sources",
                message="The most frequent ones are edges. Name the index of the retriever by `indexes`: then its own "
                "recipe knows them all.",
                context=f"{application.name}: {found.left_out + pending.sources_left_out} left out",
            )
        last = application.retrievers.get(pending.retriever, application.last)
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
                message="It might have had the chunks of retrievers whose index is not known, so nothing that other "
                "stores said of these was accepted. Everything else was written.",
                context=f"{recipe}: {problem}",
            )
