"""Random estates, written to the local catalog and answered by a stand-in server: both catalogs walk them alike.

The server's part is a few lines of breadth-first search, by the rules that the recordings show: degrees count jobs,
assets that were never emitted are walked through and not returned, and a column's walk is grouped to datasets and jobs.
It also walks on behind soft-deleted assets, which the client has to cut off.
"""

from __future__ import annotations

import itertools
import json
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from datahub.emitter.mcp import MetadataChangeProposalWrapper
from datahub.ingestion.graph.client import DataHubGraph
from datahub.ingestion.graph.config import DatahubClientConfig
from datahub.metadata.schema_classes import (
    AuditStampClass,
    DataJobInputOutputClass,
    DatasetLineageTypeClass,
    FineGrainedLineageClass,
    GlossaryTermAssociationClass,
    GlossaryTermsClass,
    MetadataChangeProposalClass,
    StatusClass,
    SubTypesClass,
    UpstreamClass,
    UpstreamLineageClass,
    _Aspect,
)
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from catalog.recorded import write_local
from datahub_llmops.catalog.protocol import Catalog, Direction, Lineage
from datahub_llmops.catalog.server.catalog import ServerCatalog
from datahub_llmops.catalog.urn_text import asset_of, entity_type
from datahub_llmops.errors import UnknownAssetError
from support.examples import examples
from support.stub import Call, Reply, Stub, answer_json

TABLES = [f"urn:li:dataset:(urn:li:dataPlatform:sqlite,main.t{number},PROD)" for number in range(6)]
JOBS = [f"urn:li:dataJob:(urn:li:dataFlow:(airflow,f,PROD),j{number})" for number in range(3)]
NO_SHRINK = (Phase.explicit, Phase.reuse, Phase.generate)
TERM = "urn:li:glossaryTerm:Personal"


def column(asset: str, path: str) -> str:
    return f"urn:li:schemaField:({asset},{path})"


@dataclass(frozen=True)
class Estate:
    """State of every asset (live, removed, never emitted), and what feeds what."""

    states: Mapping[str, str]
    feeds: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]
    """By owner: a table's upstreams (and nothing), or a job's inputs and outputs."""
    columns: Mapping[str, tuple[tuple[str, str], ...]]
    """By owner: pairs of columns."""
    labelled: tuple[str, ...]

    def written(self) -> list[MetadataChangeProposalClass]:
        aspects: list[tuple[str, _Aspect]] = []
        for asset, state in self.states.items():
            if state == "unknown":
                continue
            aspects.append((asset, StatusClass(removed=state == "removed")))
            aspects.append((asset, SubTypesClass(typeNames=["Thing"])))
            aspects.append((asset, self._lineage(asset)))
            if asset in self.labelled:
                terms = GlossaryTermsClass(
                    terms=[GlossaryTermAssociationClass(urn=TERM)],
                    auditStamp=AuditStampClass(time=0, actor="urn:li:corpuser:ada"),
                )
                aspects.append((asset, terms))
        return [
            MetadataChangeProposalWrapper(entityUrn=urn, aspect=aspect).make_mcp() for urn, aspect in aspects
        ]

    def _lineage(self, asset: str) -> _Aspect:
        ups, downs = self.feeds[asset]
        fine = [
            FineGrainedLineageClass(
                upstreamType="FIELD_SET", downstreamType="FIELD", upstreams=[up], downstreams=[down]
            )
            for up, down in self.columns[asset]
        ]
        if entity_type(asset) == "dataJob":
            return DataJobInputOutputClass(
                inputDatasets=list(ups), outputDatasets=list(downs), fineGrainedLineages=fine
            )
        upstreams = [
            UpstreamClass(dataset=up, type=DatasetLineageTypeClass.COPY, properties={"found_by": "declared"})
            for up in ups
        ]
        return UpstreamLineageClass(upstreams=upstreams, fineGrainedLineages=fine)

    def asset_steps(self) -> list[tuple[str, str]]:
        owned = [(asset, self.feeds[asset]) for asset, state in self.states.items() if state != "unknown"]
        into = [(up, asset) for asset, (ups, _) in owned for up in ups]
        return into + [(asset, down) for asset, (_, downs) in owned for down in downs]

    def degrees(self, root: str, direction: Direction) -> dict[str, int]:
        """What a server returns: every live asset with its degree."""
        if entity_type(root) == "schemaField":
            found = self._column_degrees(root, direction)
        else:
            found = _distances(root, direction, [(up, down, "") for up, down in self.asset_steps()])
        found.pop(root, None)
        return {asset: hop for asset, hop in found.items() if self.states[asset] == "live"}

    def _column_degrees(self, root: str, direction: Direction) -> dict[str, int]:
        steps = [
            (up, down, owner if entity_type(owner) == "dataJob" else "")
            for owner, pairs in self.columns.items()
            if self.states[owner] != "unknown"
            for up, down in pairs
        ]
        reached = _distances(root, direction, steps)
        found: dict[str, int] = {}
        for at, hop in sorted(reached.items(), key=lambda item: item[1]):
            if entity_type(at) == "dataJob":
                found.setdefault(at, hop)
            elif at != root:
                found.setdefault(asset_of(at), hop)
        for up, down, _ in steps:
            # A column that leads back to the root counts its asset too.
            near, far = (down, up) if direction == "up" else (up, down)
            if far == root and near in reached:
                hop = reached[near] + 1
                found[asset_of(root)] = min(hop, found.get(asset_of(root), hop))
        return found


def _distances(root: str, direction: Direction, steps: list[tuple[str, str, str]]) -> dict[str, int]:
    found = {root: 0}
    frontier = [root]
    for hop in itertools.count(1):
        reached = []
        for up, down, via in steps:
            near, far = (down, up) if direction == "up" else (up, down)
            if near in frontier:
                if via:
                    found.setdefault(via, hop)
                if far not in found:
                    found[far] = hop
                    reached.append(far)
        frontier = reached
        if not frontier:
            return found
    raise AssertionError


@st.composite
def estates(draw: st.DrawFn) -> Estate:
    tables = st.lists(st.sampled_from(TABLES), max_size=3, unique=True).map(tuple)
    states = {asset: draw(st.sampled_from(["live"] * 5 + ["removed", "unknown"])) for asset in TABLES + JOBS}
    feeds: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {}
    columns: dict[str, tuple[tuple[str, str], ...]] = {}
    for asset in TABLES + JOBS:
        is_job = asset in JOBS
        ups = tuple(up for up in draw(tables) if up != asset)
        downs = tuple(down for down in draw(tables) if down not in ups) if is_job else ()
        feeds[asset] = (ups, downs)
        possible = [
            (column(up, first), column(down, second))
            for up in ups
            for down in (downs if is_job else (asset,))
            for first in "ab"
            for second in "ab"
        ]
        columns[asset] = (
            tuple(draw(st.lists(st.sampled_from(possible), max_size=4, unique=True))) if possible else ()
        )
    labelled = tuple(draw(st.lists(st.sampled_from(TABLES), max_size=2, unique=True)))
    return Estate(states=states, feeds=feeds, columns=columns, labelled=labelled)


def stand_in(estate: Estate) -> Stub:
    held: dict[str, dict[str, Any]] = {}
    for proposal in estate.written():
        assert proposal.aspect
        held.setdefault(str(proposal.entityUrn), {})[str(proposal.aspectName)] = json.loads(
            proposal.aspect.value
        )

    def answer(call: Call) -> Reply:
        if re.fullmatch(r"/openapi/v3/entity/\w+/batchGet", call.path):
            wanted = [entry["urn"] for entry in call.json]
            found = [
                {"urn": urn, **{name: {"value": value} for name, value in held[urn].items()}}
                for urn in wanted
                if urn in held
            ]
            return answer_json(found)
        query = call.json["variables"]["input"]
        degrees = estate.degrees(query["urn"], "up" if query["direction"] == "UPSTREAM" else "down")
        # One path to every hit is enough to name what lies on it; the order of its steps is not read.
        path = [{"urn": urn} for urn, state in estate.states.items() if state == "removed"]
        hits = [
            {"degree": hop, "entity": {"urn": urn}, "paths": [{"path": path}]} for urn, hop in degrees.items()
        ]
        return answer_json({"data": {"searchAcrossLineage": {"total": len(hits), "searchResults": hits}}})

    return Stub(answer)


@settings(max_examples=examples(25), phases=NO_SHRINK)
@given(estate=estates(), direction=st.sampled_from(["up", "down"]), hops=st.integers(1, 4), data=st.data())
def test_both_walk_alike(estate: Estate, direction: Direction, hops: int, data: st.DataObject) -> None:
    table = data.draw(st.sampled_from(TABLES))
    root = data.draw(st.sampled_from([table, column(table, "a")]))
    assert_alike(estate, root, direction, hops)


def test_behind_assets_that_were_never_emitted() -> None:
    """t0 <- j0 <- ? <- j1 <- t2, and t0 <- j0 <- ?: what leads on is an end of edges, what leads nowhere is not."""
    states = dict.fromkeys(TABLES + JOBS, "live") | {TABLES[1]: "unknown", TABLES[3]: "unknown"}
    feeds: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = dict.fromkeys(states, ((), ()))
    feeds[JOBS[0]] = ((TABLES[1], TABLES[3]), (TABLES[0],))
    feeds[JOBS[1]] = ((TABLES[2],), (TABLES[1],))
    estate = Estate(states=states, feeds=feeds, columns=dict.fromkeys(states, ()), labelled=())
    walk = assert_alike(estate, TABLES[0], "up", 5)
    assert walk
    assert [(node.urn, node.hops) for node in walk.nodes] == [
        (TABLES[0], 0),
        (JOBS[0], 1),
        (JOBS[1], 3),
        (TABLES[2], 4),
    ]
    ends = {end for edge in walk.edges for end in (edge.upstream, edge.downstream)}
    assert TABLES[1] in ends
    assert TABLES[3] not in ends


@pytest.mark.parametrize("direction", ["up", "down"])
@pytest.mark.parametrize("root", [TABLES[0], column(TABLES[0], "a"), column(TABLES[0], "b")])
def test_a_job_within_one_table(root: str, direction: Direction) -> None:
    """The job feeds t0.b from t0.a, and t0 is none of its inputs."""
    states = dict.fromkeys(TABLES + JOBS, "live")
    feeds: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = dict.fromkeys(states, ((), ()))
    feeds[JOBS[0]] = ((TABLES[1],), (TABLES[0],))
    columns: dict[str, tuple[tuple[str, str], ...]] = dict.fromkeys(states, ())
    columns[JOBS[0]] = ((column(TABLES[0], "a"), column(TABLES[0], "b")),)
    estate = Estate(states=states, feeds=feeds, columns=columns, labelled=())
    walk = assert_alike(estate, root, direction, 5)
    follows = (root, direction) in {(column(TABLES[0], "a"), "down"), (column(TABLES[0], "b"), "up")}
    found = {node.urn for node in walk.nodes} if walk else set()
    assert (JOBS[0] in found) == (follows or (root == TABLES[0] and direction == "up"))


def assert_alike(estate: Estate, root: str, direction: Direction, hops: int) -> Lineage | None:
    """The walk that both catalogs agree on; ``None`` where both say that they do not know the root."""
    with (
        tempfile.TemporaryDirectory() as folder,
        write_local(Path(folder) / "catalog.db", estate.written()) as local,
        stand_in(estate) as stub,
    ):
        server = ServerCatalog(DataHubGraph(DatahubClientConfig(server=stub.url, retry_max_times=0)))
        expected = walk_or_none(local, root, direction, hops)
        found = walk_or_none(server, root, direction, hops)
        if found is None and expected is not None and len(expected.nodes) == 1:
            # A file knows what its assets only mention; a server says nothing of it where it leads nowhere.
            assert not local.nodes([root])
            return found
        assert found == expected
        return found


def walk_or_none(catalog: Catalog, root: str, direction: Direction, hops: int) -> Lineage | None:
    try:
        return catalog.lineage(root, direction, hops)
    except UnknownAssetError:
        return None
