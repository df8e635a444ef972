"""The layout of a graph: edges lead to the right, nothing lies on anything else, circles end."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from datahub_llmops.notebook.layered import lay_out

NODES = [f"n{number}" for number in range(12)]
PAIRS = st.lists(st.tuples(st.sampled_from(NODES), st.sampled_from(NODES)), max_size=30)


def test_a_chain_is_one_row() -> None:
    layout = lay_out(["a", "b", "c"], [("a", "b"), ("b", "c")])
    assert layout.places == {"a": (0, 0.0), "b": (1, 0.0), "c": (2, 0.0)}
    assert (layout.columns, layout.rows) == (3, 1)


def test_an_edge_over_a_column_passes_beside_its_nodes() -> None:
    layout = lay_out(["a", "b", "c"], [("a", "b"), ("b", "c"), ("a", "c")])
    (_, between, _) = layout.ways["a", "c"]
    assert between[0] == layout.places["b"][0] == 1
    assert abs(between[1] - layout.places["b"][1]) >= 0.75


def test_of_a_circle_the_edge_into_the_first_node_leads_back() -> None:
    layout = lay_out(["a", "b", "c"], [("a", "b"), ("b", "c"), ("c", "a")])
    assert [layout.places[node][0] for node in "abc"] == [0, 1, 2]
    assert [place[0] for place in layout.ways["c", "a"]] == [2, 0]


def test_an_edge_of_a_node_to_itself_is_not_drawn() -> None:
    assert lay_out(["a"], [("a", "a")]).ways == {}


def test_nothing_has_no_size() -> None:
    layout = lay_out([], [])
    assert (layout.columns, layout.rows, layout.places) == (0, 0, {})


def test_a_mirror_turns_columns_and_edges() -> None:
    layout = lay_out(["root", "job", "table"], [("root", "job"), ("job", "table"), ("root", "table")])
    mirrored = layout.mirrored()
    assert [mirrored.places[node][0] for node in ("root", "job", "table")] == [2, 1, 0]
    assert set(mirrored.ways) == {("job", "root"), ("table", "job"), ("table", "root")}
    assert mirrored.mirrored() == layout


@given(PAIRS)
def test_edges_forward_lead_to_the_right(pairs: list[tuple[str, str]]) -> None:
    forward = [(min(pair), max(pair)) for pair in pairs]
    layout = lay_out(sorted(NODES), forward)
    for way in layout.ways.values():
        assert all(after[0] == before[0] + 1 for before, after in pairwise(way))


@given(PAIRS)
def test_no_node_lies_on_another(pairs: list[tuple[str, str]]) -> None:
    layout = lay_out(NODES, pairs)
    assert set(layout.places) == set(NODES)
    assert set(layout.ways) == {pair for pair in pairs if pair[0] != pair[1]}
    for column in range(layout.columns):
        rows = sorted(place[1] for place in layout.places.values() if place[0] == column)
        assert all(below - above >= 1 - 1e-9 for above, below in pairwise(rows))
    assert all(-1e-9 <= row <= layout.rows - 1 + 1e-9 for _, row in layout.places.values())
