"""Where labels flow, against a plain model that measures every distance between every two things."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datahub_llmops.catalog.labels import Label
from datahub_llmops.catalog.protocol import ColumnPair, Edge, Lineage, Node
from datahub_llmops.catalog.urn_text import asset_of, entity_type
from datahub_llmops.propagation.flow import Arrival, Graph, Stop, flow, nearest
from datahub_llmops.propagation.labels import canonical
from support.examples import examples

PII = Label("term", "urn:li:glossaryTerm:pii")
RAW = Label("tag", "urn:li:tag:raw")
DATASETS = [f"urn:li:dataset:(urn:li:dataPlatform:sqlite,main.t{n},PROD)" for n in range(4)]
JOBS = [f"urn:li:dataJob:(urn:li:dataFlow:(cron,nightly,PROD),j{n})" for n in range(2)]
COLUMNS = [f"urn:li:schemaField:({asset},{name})" for asset in DATASETS for name in ("a", "b")]
A, B, C, D = DATASETS
FAR = 1000


def column(asset: str, name: str = "a") -> str:
    return f"urn:li:schemaField:({asset},{name})"


@dataclass
class World:
    """Edges between assets, and between columns with the job in between; ``ghosts`` were never emitted."""

    edges: set[tuple[str, str]] = field(default_factory=set)
    columns: set[tuple[str, str, str | None]] = field(default_factory=set)
    ghosts: set[str] = field(default_factory=set)

    def graph(self) -> Graph:
        """As one walk would return it."""
        pairs: dict[tuple[str, str], list[ColumnPair]] = {edge: [] for edge in sorted(self.edges)}
        for up, down, via in sorted(self.columns, key=str):
            if via is not None:
                pairs.setdefault((asset_of(up), via), [])
            pairs.setdefault((via or asset_of(up), asset_of(down)), []).append(
                ColumnPair(upstream=up, downstream=down)
            )
        nodes = [Node(urn=urn, type=entity_type(urn), name=urn) for urn in (*DATASETS, *JOBS)]
        graph = Graph()
        graph.add(
            Lineage(
                root=A,
                direction="down",
                nodes=tuple(node for node in nodes if node.urn not in self.ghosts),
                edges=tuple(
                    Edge(upstream=up, downstream=down, aspect="x", columns=tuple(found))
                    for (up, down), found in pairs.items()
                ),
            )
        )
        return graph


def distances(steps: Mapping[tuple[str, str], int], things: Collection[str]) -> dict[tuple[str, str], int]:
    """Floyd and Warshall's."""
    found = {(x, y): 0 if x == y else steps.get((x, y), FAR) for x, y in product(things, things)}
    for middle, x, y in product(things, things, things):
        found[x, y] = min(found[x, y], found[x, middle] + found[middle, y])
    return found


def model(world: World, origins: Collection[str], max_hops: int) -> dict[str, str]:
    """Who should have one label, and from where: every origin is measured against every thing."""
    edges = set(world.edges)
    for up, down, via in world.columns:
        edges |= {(asset_of(up), via), (via, asset_of(down))} if via else {(asset_of(up), asset_of(down))}
    between_jobs = {(x, y) for x, y in edges if x in JOBS and y in JOBS}
    far = distances(dict.fromkeys(edges - between_jobs, 1), (*DATASETS, *JOBS))
    lengths: dict[tuple[str, str], int] = {}
    for up, down, via in world.columns:
        lengths[up, down] = min(lengths.get((up, down), FAR), 2 if via else 1)
    far.update(distances(lengths, COLUMNS))
    offers: list[tuple[str, int, str]] = []
    for origin in origins:
        if origin in DATASETS:
            offers += [
                (target, far[origin, target], origin) for target in (*DATASETS, *JOBS) if target != origin
            ]
            continue
        for target in COLUMNS:
            if target != origin:
                offers += [(at, far[origin, target], origin) for at in (target, asset_of(target))]
        for up, _, via in world.columns:
            if via and far[origin, up] + 2 <= max_hops:
                offers.append((via, far[origin, up] + 1, origin))
    found: dict[str, tuple[int, str]] = {}
    for target, hops, origin in offers:
        if hops <= max_hops and asset_of(target) not in world.ghosts:
            found[target] = min(found.get(target, (hops, origin)), (hops, origin))
    return {target: origin for target, (_, origin) in found.items()}


assets = st.sampled_from([*DATASETS, *JOBS])
worlds = st.builds(
    World,
    edges=st.sets(st.tuples(assets, assets).filter(lambda edge: edge[0] != edge[1]), max_size=8),
    columns=st.sets(
        st.tuples(st.sampled_from(COLUMNS), st.sampled_from(COLUMNS), st.sampled_from([None, *JOBS])),
        max_size=10,
    ),
    ghosts=st.sets(assets, max_size=1),
)


@settings(max_examples=examples(200))
@given(
    world=worlds,
    origins=st.sets(st.sampled_from([*DATASETS, *COLUMNS]), max_size=4),
    max_hops=st.integers(1, 7),
)
def test_labels_reach_what_the_plain_model_says(world: World, origins: set[str], max_hops: int) -> None:
    found = flow(world.graph(), {PII: origins}, max_hops).wanted
    assert {target: labels[PII] for target, labels in found.items()} == model(world, origins, max_hops)


@given(world=worlds, one=st.sampled_from(COLUMNS), two=st.sampled_from(DATASETS))
def test_labels_do_not_get_in_each_others_way(world: World, one: str, two: str) -> None:
    both = flow(world.graph(), {PII: {one}, RAW: {two}}, 20).wanted
    for label, origin in ((PII, one), (RAW, two)):
        alone = flow(world.graph(), {label: {origin}}, 20).wanted
        assert {at: {label: labels[label]} for at, labels in both.items() if label in labels} == alone


@given(world=worlds, origins=st.sets(st.sampled_from(COLUMNS), max_size=3), max_hops=st.integers(1, 7))
def test_a_column_label_stops_only_where_no_column_edge_joins_the_two_assets(
    world: World, origins: set[str], max_hops: int
) -> None:
    graph = world.graph()
    joined = {(asset_of(up), asset_of(down)) for up, down, _ in world.columns}
    for stop in flow(graph, {PII: origins}, max_hops).stops:
        assert (stop.upstream, stop.downstream) not in joined
        after = graph.assets[stop.upstream]
        assert stop.downstream in after | {
            end for job in after & {*JOBS} for end in graph.assets.get(job, ())
        }


def test_the_nearest_origin_counts_and_of_two_the_first_by_urn() -> None:
    world = World(edges={(B, C), (A, C), (C, D)})
    assert flow(world.graph(), {PII: {A, B, C}}, 9).wanted == {C: {PII: A}, D: {PII: C}}


def test_nothing_is_its_own_origin_in_a_cycle() -> None:
    world = World(columns={(column(A), column(B), None), (column(B), column(A), None)})
    found = flow(world.graph(), {PII: {column(A)}}, 9).wanted
    assert found == {column(B): {PII: column(A)}, B: {PII: column(A)}}
    both = flow(world.graph(), {PII: {column(A), column(B)}}, 9).wanted
    assert both[column(A)] == {PII: column(B)}
    assert both[column(B)] == {PII: column(A)}


def test_a_columns_label_does_not_flow_on_from_the_dataset_that_got_it() -> None:
    world = World(edges={(B, C)}, columns={(column(A), column(B), None)})
    found = flow(world.graph(), {PII: {column(A)}}, 9)
    assert set(found.wanted) == {column(B), B}
    assert found.stops == (Stop(B, C, PII),)


def test_a_job_gets_what_it_carries_from_column_to_column_and_nothing_else() -> None:
    carries, reads = JOBS
    world = World(edges={(A, reads)}, columns={(column(A), column(B), carries)})
    found = flow(world.graph(), {PII: {column(A)}, RAW: {column(A, "b")}}, 9)
    assert set(found.wanted) == {carries, column(B), B}
    assert found.stops == (Stop(A, reads, RAW), Stop(A, reads, PII))


def test_a_job_that_waits_for_another_gets_nothing_from_it() -> None:
    first, second = JOBS
    world = World(edges={(A, first), (first, second), (second, B)})
    assert set(flow(world.graph(), {PII: {A}}, 9).wanted) == {first}


@pytest.mark.parametrize(
    ("max_hops", "reached"), [(1, set()), (2, {column(B), B, JOBS[0]}), (3, {column(C), C})]
)
def test_a_job_is_a_hop_of_its_own(max_hops: int, reached: set[str]) -> None:
    world = World(columns={(column(A), column(B), JOBS[0]), (column(B), column(C), None)})
    before = flow(world.graph(), {PII: {column(A)}}, max_hops - 1).wanted
    assert set(flow(world.graph(), {PII: {column(A)}}, max_hops).wanted) - set(before) == reached


def test_what_was_never_emitted_is_walked_through_and_gets_nothing() -> None:
    world = World(edges={(A, B), (B, C)}, columns={(column(A), column(B), None)}, ghosts={B})
    assert flow(world.graph(), {PII: {A, column(A)}}, 9).wanted == {C: {PII: A}}


def test_both_spellings_of_a_path_are_one_column() -> None:
    typed = f"urn:li:schemaField:({A},[version=2.0].[type=struct].[type=string].a)"
    assert canonical(typed) == column(A)
    world = World(columns={(typed, column(B), None)})
    assert set(flow(world.graph(), {PII: {column(A)}}, 9).wanted) == {column(B), B}


def test_two_nearest_starts_each() -> None:
    steps = {"a": [("c", 1)], "b": [("c", 1)], "x": [("c", 3)], "c": []}
    found = nearest("xba", lambda here: steps[here], 9)
    assert found["c"] == [Arrival(1, "a"), Arrival(1, "b")]
    assert found["x"] == [Arrival(0, "x")]


def test_a_column_without_an_edge_stops_at_a_job_that_could_not_trace_all_columns_of_its_table() -> None:
    job = JOBS[0]
    carried = (column(A), column(B), job)
    world = World(edges={(A, job), (job, B), (C, job)}, columns={carried, (column(C), column(B), job)})
    graph = world.graph()
    origins = {PII: {column(A, "b")}, RAW: {column(A), column(C, "b")}}
    assert flow(graph, origins, 9).stops == ()
    graph.untraced = {(job, B): frozenset({A})}
    assert flow(graph, origins, 9).stops == (Stop(A, B, PII),)
    assert flow(graph, origins, 1).stops == ()


def test_a_table_whose_own_columns_could_not_be_traced_is_named_too() -> None:
    job = JOBS[0]
    graph = World(edges={(job, A)}, columns={(column(A), column(A, "vector"), job)}).graph()
    graph.untraced = {(job, A): frozenset({A})}
    assert flow(graph, {PII: {column(A)}}, 9).stops == ()
    assert flow(graph, {PII: {column(A, "b")}}, 9).stops == (Stop(A, A, PII),)
