"""Edges from spans beside edges from our hooks in the same runs: nearly all of them, and none that is wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest

from datahub_llmops.answers.resolver import Resolver
from datahub_llmops.assets import platforms
from datahub_llmops.ingestion.applications.rollup import Rollup
from datahub_llmops.ingestion.id_probe import Verdict, decide
from datahub_llmops.lineage import provenance
from datahub_llmops.lineage.schema_lookup import NoCatalog
from datahub_llmops.spans.report import SpansReport
from datahub_llmops.spans.resolve import IndexRule, SpanNames
from datahub_llmops.spans.settling import Settling
from spans.recordings import Recording, recordings
from spans.seen import pairs, searches

WITHOUT_IDS = {"mlflow-semconv-langchain"}
"""MLflow's export in the form of OpenTelemetry GenAI has no ids of chunks at all."""


class Stores:
    """The indexes of one recording, by the ids that each of them holds: those that the real store had."""

    def __init__(self, recording: Recording) -> None:
        self.problems: dict[str, str] = {}
        self.questions = 0
        self.held = {}
        known = {
            tuple(sorted(one["index"].items())): one["index"]
            for answer in recording.expected["answers"]
            for one in answer["retrievals"]
            if one["index"]
        }
        resolver = Resolver((), env="PROD")
        some = next(iter(known.values()), None)
        for name, ids in recording.expected["indexes"].items():
            if some is not None:
                key = "partition" if "partition" in some else "collection"
                urn = resolver.index({**some, key: name})
                assert urn is not None
                self.held[urn] = frozenset(ids)
        platform = str(some["platform"]) if some is not None else ""
        self.platform = platforms.find(platform).cataloged_as or platform

    def find(self, ids: Sequence[str], platform: str | None, likely: Any = ()) -> Verdict:
        self.questions += 1
        if platform not in (None, self.platform):
            return Verdict(reason="another platform")
        held = {urn: len(have & set(ids)) for urn, have in self.held.items()}
        return decide({urn: count for urn, count in held.items() if count}, len(ids))


@dataclass(frozen=True)
class Edge:
    """The index of one retrieval."""

    by_hooks: str | None
    by_spans: str | None
    has_ids: bool
    has_chunks: bool
    """Nothing says which index a retrieval searched that failed."""


def edges(recording: Recording, rules: Sequence[IndexRule] = ()) -> list[Edge]:
    """What hooks and spans say of each retrieval. Nothing of the hooks is on the spans."""
    names = SpanNames(Resolver((), env="PROD"), data_sources={}, rules=rules)
    resolver = Resolver((), env="PROD")
    found: list[tuple[str | None, str | None, bool, bool]] = []
    for expected, seen in pairs(recording):
        for ours, theirs in searches(expected, seen):
            retriever = names.retriever(theirs.retriever, seen.application, seen.framework or "langchain")
            index = names.searched(theirs, retriever, seen.application)
            has_ids = any(chunk.id for chunk in theirs.chunks)
            found.append((resolver.index(ours["index"]), index, has_ids, bool(ours["chunks"])))
    stores: Any = Stores(recording)
    settling = Settling(
        probe=stores,
        known={},
        today=date(2026, 11, 30),
        source_rules=provenance.compile_rules(provenance.ProvenanceConfig(), env="PROD"),
        lookup=NoCatalog(),
        report=SpansReport(),
    )
    decided = settling.decide(Rollup(), names)
    return [
        Edge(
            by_hooks=ours,
            by_spans=decided.get(index, index) if index else None,
            has_ids=has_ids,
            has_chunks=has_chunks,
        )
        for ours, index, has_ids, has_chunks in found
    ]


@pytest.mark.parametrize("recording", recordings(), ids=lambda one: one.name)
def test_no_edge_is_wrong_and_every_retrieval_with_ids_has_one(recording: Recording) -> None:
    for edge in edges(recording):
        assert edge.by_spans in (edge.by_hooks, None)
        if edge.has_ids:
            assert edge.by_spans == edge.by_hooks


def test_with_a_rule_for_each_store_that_gives_no_ids_nearly_all_are_found() -> None:
    of, right = Counter[str](), Counter[str]()
    for recording in recordings():
        folder = recording.name.partition("/")[0]
        if folder in WITHOUT_IDS:
            continue
        docs = next((urn for urn in Stores(recording).held if urn.endswith("docs,PROD)")), None)
        # A case of one store has one index. Where there are several, no rule may say which it is.
        rules = [IndexRule(urn=docs)] if docs is not None and recording.case != "features" else []
        for edge in edges(recording, rules):
            if edge.by_hooks is not None and edge.has_chunks:
                assert edge.by_spans in (edge.by_hooks, None)
                of[folder] += 1
                right[folder] += edge.by_spans == edge.by_hooks
    assert {"openinference-langchain", "openinference-llama-index", "openllmetry-langchain"} <= of.keys()
    assert sum(right.values()) == sum(of.values()), dict(of - right)
