"""Edges of declared jobs: whatever order runs come in, an edge stays until the recipe that declared it withdraws it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from datahub.metadata.schema_classes import MetadataChangeProposalClass
from hypothesis import given
from hypothesis import strategies as st

from datahub_llmops import urns
from datahub_llmops.catalog.column_uses import StatedUses, read_uses
from datahub_llmops.catalog.local.patches import apply_patch, parse_patch
from datahub_llmops.catalog.untraced import untraced_of
from datahub_llmops.catalog.urn_text import asset_of
from datahub_llmops.lineage.declared_jobs import ColumnEdge, FoundBy, Input, JobLineage, JobUses
from datahub_llmops.lineage.job_config import EmbeddingJobConfig
from datahub_llmops.lineage.sql.trace import UsedColumn
from datahub_llmops.mapping.edge_properties import column_edges
from datahub_llmops.mapping.job_edges import Declaration, JobEdges

ASPECT = "dataJobInputOutput"
JOB = "urn:li:dataJob:(urn:li:dataFlow:(airflow,kb,PROD),embed)"
TABLES = [urns.dataset("postgres", f"shop.public.{name}", env="PROD") for name in "abc"]
INDEXES = [urns.dataset("chroma", f"db.{name}", env="PROD") for name in ("docs", "faq")]
A, B = Declaration("a", INDEXES[0]), Declaration("b", INDEXES[0])
CONFIG = EmbeddingJobConfig(name="embed", index="docs")


def lineage(
    index: str,
    tables: Sequence[str],
    found_by: tuple[FoundBy, ...] = ("declared",),
    chunks: int | None = None,
) -> JobLineage:
    return JobLineage(
        job=CONFIG,
        index_urn=index,
        inputs=tuple(Input(urn=urn, found_by=found_by, chunks=chunks) for urn in tables),
        columns=tuple(ColumnEdge(dataset=urn, column="body", field="text") for urn in tables),
    )


def stored(edges: JobEdges, present: Mapping[str, Any]) -> dict[str, Any]:
    """The aspect after the patches of a run."""
    current = dict(present)
    for proposal in edges.proposals():
        assert isinstance(proposal, MetadataChangeProposalClass)
        assert proposal.aspect is not None
        current = apply_patch(ASPECT, current or None, parse_patch(proposal.aspect.value))
    return current


def read(present: Mapping[str, Any], *, foreign: bool = False) -> JobEdges:
    return JobEdges(JOB, present, foreign=foreign)


def properties(present: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    edges = [*present.get("inputDatasetEdges", ()), *present.get("outputDatasetEdges", ())]
    return {edge["destinationUrn"]: edge.get("properties") or {} for edge in edges}


def declared(who: Declaration, *tables: str, present: Mapping[str, Any] | None = None) -> dict[str, Any]:
    edges = read(present or {})
    edges.declare(who, lineage(who.index, tables))
    return stored(edges, present or {})


def test_an_edge_says_who_declares_it() -> None:
    there = declared(B, TABLES[0], present=declared(A, TABLES[0]))
    owners = json.loads(properties(there)[TABLES[0]]["declared_by"])
    assert owners == {"a": {INDEXES[0]: ""}, "b": {INDEXES[0]: ""}}
    assert read(there).declarations == {A, B}


def test_an_edge_is_confirmed_while_one_of_its_owners_confirms_it() -> None:
    there = declared(B, TABLES[0], present=declared(A, TABLES[0], TABLES[1]))
    edges = read(there)
    assert edges.mark(A, "2026-01-02")
    there = stored(edges, there)
    found = properties(there)
    assert found[TABLES[1]]["not_confirmed_since"] == "2026-01-02"
    assert "not_confirmed_since" not in found[TABLES[0]]
    edges = read(there)
    assert edges.mark(A, "2026-01-09")  # A later run keeps the first instant.
    edges.mark(B, "2026-01-05")
    there = stored(edges, there)
    assert properties(there)[TABLES[0]]["not_confirmed_since"] == "2026-01-05"
    assert read(there).not_confirmed_since == "2026-01-02"


def test_nobody_takes_back_an_edge_whose_owners_cannot_be_read() -> None:
    there = declared(A, TABLES[0])
    there["inputDatasetEdges"][0]["properties"]["declared_by"] = "somebody"
    edges = read(there)
    edges.withdraw(A)
    assert TABLES[0] in properties(stored(edges, there))


@pytest.mark.parametrize("foreign", [False, True])
def test_what_a_hook_found_stays(foreign: bool) -> None:
    seen = {"found_by": "hook", "last_seen": "2026-01-02"}
    there = {
        "inputDatasetEdges": [{"destinationUrn": TABLES[0], "properties": seen}],
        "outputDatasetEdges": [{"destinationUrn": INDEXES[0], "properties": seen}],
    }
    edges = read(there, foreign=foreign)
    edges.declare(A, lineage(A.index, [TABLES[0]], ("declared", "payload"), 4))
    both = stored(edges, there)
    assert properties(both)[TABLES[0]]["found_by"] == "declared,payload,hook"
    assert properties(both)[INDEXES[0]]["found_by"] == "declared,hook"
    edges = read(both, foreign=foreign)
    edges.withdraw(A)
    assert properties(stored(edges, both)) == {TABLES[0]: seen, INDEXES[0]: seen}


def test_a_second_run_changes_nothing() -> None:
    there = declared(A, *TABLES)
    assert declared(A, *TABLES, present=there) == there


Action = tuple[str, Declaration, frozenset[str]]

actions = st.lists(
    st.tuples(
        st.sampled_from(["declare", "declare", "mark", "withdraw"]),
        st.builds(Declaration, st.sampled_from("ab"), st.sampled_from(INDEXES)),
        st.frozensets(st.sampled_from(TABLES)),
    ),
    max_size=12,
)


@given(actions, st.booleans())
def test_no_run_loses_an_edge_that_nobody_withdrew(runs: list[Action], foreign: bool) -> None:
    there: dict[str, Any] = {}
    holds: dict[Declaration, frozenset[str]] = {}
    marked: set[Declaration] = set()
    for number, (what, who, tables) in enumerate(runs):
        edges = read(there, foreign=foreign)
        if what == "declare":
            edges.declare(who, lineage(who.index, sorted(tables)))
            holds[who] = tables
            marked.discard(who)
        elif what == "mark":
            assert edges.mark(who, f"2026-01-{number + 1:02}") == (who in holds)
            marked |= {who} & holds.keys()
        else:
            edges.withdraw(who)
            holds.pop(who, None)
            marked.discard(who)
        there = stored(edges, there)
        found = properties(there)
        assert found.keys() == {one.index for one in holds} | {urn for urns in holds.values() for urn in urns}
        for urn, edge in found.items():
            owners = {one for one, its in holds.items() if urn in its or urn == one.index}
            assert ("not_confirmed_since" in edge) == (owners <= marked)
        pairs = {(asset_of(up), asset_of(down)) for up, down in column_edges(there)}
        assert pairs >= {(urn, one.index) for one, its in holds.items() for urn in its}
        assert {down for _, down in pairs} <= {one.index for one in holds}
        for index in INDEXES:
            alone = [its for one, its in holds.items() if one.index == index]
            last = what == "declare" and who.index == index
            if len(alone) == 1 and last:
                assert {up for up, down in pairs if down == index} == alone[0]


def test_the_edge_to_the_index_names_the_tables_whose_columns_could_not_be_traced() -> None:
    def declare(who: Declaration, present: Mapping[str, Any], *untraced: str) -> dict[str, Any]:
        edges = read(present)
        edges.declare(who, replace(lineage(who.index, TABLES[:2]), untraced=untraced))
        return stored(edges, present)

    def found(present: Mapping[str, Any]) -> Any:
        return untraced_of({JOB: {ASPECT: present}}).get((JOB, INDEXES[0]), frozenset())

    one = declare(A, {}, TABLES[0])
    assert found(one) == {TABLES[0]}
    both = declare(B, one, TABLES[1])
    assert found(both) == {*TABLES[:2]}
    edges = read(one)
    edges.mark(A, "2026-01-05")
    assert found(stored(edges, one)) == {TABLES[0]}
    assert found(declare(A, one)) == frozenset()


def used(who: Declaration, *uses: UsedColumn, present: Mapping[str, Any] | None = None) -> dict[str, Any]:
    edges = read(present or {})
    edges.declare(
        who, replace(lineage(who.index, TABLES[:1]), uses=JobUses(columns=uses, hidden=(TABLES[1],)))
    )
    return stored(edges, present or {})


def stated(present: Mapping[str, Any]) -> dict[str, Any] | None:
    return read_uses(properties(present)[INDEXES[0]])


JOIN = UsedColumn(dataset=TABLES[0], column="id", use="join")
SORT = UsedColumn(dataset=TABLES[0], column="id", use="sort")


def test_uses_stand_on_the_edge_to_the_index_by_recipe() -> None:
    there = used(B, SORT, present=used(A, JOIN, SORT))
    assert stated(there) == {
        "a": StatedUses(columns={TABLES[0]: {"id": ["join", "sort"]}}, hidden=[TABLES[1]]),
        "b": StatedUses(columns={TABLES[0]: {"id": ["sort"]}}, hidden=[TABLES[1]]),
    }
    assert column_edges(there) == column_edges(declared(A, TABLES[0]))  # A use is no edge between columns.


def test_uses_go_with_their_declaration() -> None:
    there = used(B, SORT, present=used(A, JOIN))
    edges = read(there)
    edges.withdraw(A)
    left = stored(edges, there)
    assert (stated(left) or {}).keys() == {"b"}
    edges = read(left)
    edges.withdraw(B)
    assert INDEXES[0] not in properties(stored(edges, left))


def test_a_recipe_of_an_earlier_release_leaves_uses_unknown() -> None:
    there = declared(A, TABLES[0])
    del properties(there)[INDEXES[0]]["used_columns"]
    assert stated(used(B, JOIN, present=there)) is None
