"""Where the walk of a column ends although its table leads on: an edge without columns, or along other columns."""

from __future__ import annotations

from datahub_llmops.catalog.column_stops import ColumnStop, edges_within, find_stops
from datahub_llmops.catalog.protocol import ColumnPair, Direction, Edge, Lineage, Node
from datahub_llmops.catalog.urn_text import entity_type

A, B, C, D, E = (f"urn:li:dataset:(urn:li:dataPlatform:sqlite,main.{name},PROD)" for name in "abcde")
JOB, OTHER = (f"urn:li:dataJob:(urn:li:dataFlow:(cron,nightly,PROD),{name})" for name in ("j", "k"))


def column(asset: str, name: str) -> str:
    return f"urn:li:schemaField:({asset},{name})"


def pair(up: str, first: str, down: str, second: str) -> ColumnPair:
    return ColumnPair(upstream=column(up, first), downstream=column(down, second))


def walk(root: str, direction: Direction, nodes: list[str], edges: list[Edge]) -> Lineage:
    return Lineage(
        root=root,
        direction=direction,
        nodes=tuple(Node(urn=urn, type=entity_type(urn), name=urn) for urn in nodes),
        edges=tuple(edges),
    )


def edge(up: str, down: str, *pairs: ColumnPair) -> Edge:
    return Edge(upstream=up, downstream=down, aspect="x", columns=pairs)


def test_downstream_it_names_readers_without_columns_and_readers_of_other_columns() -> None:
    edges = [
        edge(A, B, pair(A, "id", B, "id")),
        edge(A, C, pair(A, "name", C, "name")),
        edge(A, D),
        edge(A, JOB),
        edge(JOB, E, pair(A, "name", E, "name")),
        edge(A, OTHER),
        edge(OTHER, E),
        edge(B, D, pair(B, "id", D, "id")),
    ]
    columns = walk(column(A, "id"), "down", [column(A, "id"), B], edges[:1])
    assert find_stops(columns, walk(A, "down", [A, B, C, D, E, JOB, OTHER], edges)) == (
        ColumnStop(reached=A, beyond=JOB, columns_known=True),
        ColumnStop(reached=A, beyond=OTHER, columns_known=False),
        ColumnStop(reached=A, beyond=C, columns_known=True),
        ColumnStop(reached=A, beyond=D, columns_known=False),
        ColumnStop(reached=B, beyond=D, columns_known=True),
    )


def test_upstream_an_edge_with_other_columns_is_no_stop() -> None:
    edges = [edge(A, C, pair(A, "name", C, "name")), edge(B, C), edge(D, C, pair(D, "id", C, "id"))]
    columns = walk(column(C, "id"), "up", [column(C, "id"), D], edges[2:])
    assert find_stops(columns, walk(C, "up", [A, B, C, D], edges)) == (
        ColumnStop(reached=C, beyond=B, columns_known=False),
    )


def test_a_job_that_carries_the_column_elsewhere_by_known_columns_is_no_stop() -> None:
    edges = [
        edge(A, JOB),
        edge(JOB, B, pair(A, "id", B, "id")),
        edge(JOB, C, pair(A, "name", C, "name")),
        edge(JOB, D),
    ]
    columns = walk(column(A, "id"), "down", [column(A, "id"), JOB, B], edges[:2])
    assert find_stops(columns, walk(A, "down", [A, JOB, B, C, D], edges)) == (
        ColumnStop(reached=JOB, beyond=D, columns_known=False),
    )


def test_a_run_of_a_job_is_no_stop() -> None:
    run = "urn:li:dataProcessInstance:1"
    columns = walk(column(A, "id"), "down", [column(A, "id")], [])
    assert find_stops(columns, walk(A, "down", [A, run], [edge(A, run)])) == ()


def test_a_job_that_could_not_trace_all_columns_is_a_stop_for_those_without_an_edge() -> None:
    edges = [edge(A, JOB), edge(JOB, B, pair(A, "id", B, "id"))]
    untraced = {(JOB, B): frozenset({A})}
    lost = walk(column(A, "name"), "down", [column(A, "name")], [])
    assert find_stops(lost, walk(A, "down", [A, JOB, B], edges), untraced) == (
        ColumnStop(reached=A, beyond=JOB, columns_known=False, partly=True),
    )
    field = walk(column(B, "text"), "up", [column(B, "text")], [])
    assert find_stops(field, walk(B, "up", [A, JOB, B], edges), untraced) == (
        ColumnStop(reached=B, beyond=JOB, columns_known=False, partly=True),
    )
    carried = walk(column(A, "id"), "down", [column(A, "id"), JOB, B], edges)
    assert find_stops(carried, walk(A, "down", [A, JOB, B], edges), untraced) == ()


def test_columns_that_feed_others_of_their_table_are_found_above_it() -> None:
    above = [edge(JOB, A, pair(A, "body", A, "vector"), pair(B, "id", A, "id")), edge(B, JOB)]
    (found,) = edges_within(walk(A, "down", [A], []), above)
    assert found == edge(JOB, A, pair(A, "body", A, "vector"))
    assert edges_within(walk(A, "down", [A, JOB], [edge(A, JOB)]), above) == ()
