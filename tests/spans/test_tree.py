"""The tree of one trace, whatever is missing or odd."""

from __future__ import annotations

import itertools

from datahub_llmops.spans.span import Span
from datahub_llmops.spans.tree import Tree, build

from .world import span


def test_parents_that_come_last_are_found() -> None:
    root = span("root")
    child = span("child", root)
    inner = span("inner", child)
    for spans in itertools.permutations([root, child, inner]):
        assert by_name(build(spans)) == {"root": None, "child": "root", "inner": "child"}


def test_a_parent_whose_clock_is_late_comes_before_its_children() -> None:
    root = span("root")
    child = span("child", root)
    late = root._replace(started=child.started + 3_600)
    tree = build([child, late])
    assert [tree.spans[place].name for place in tree.order] == ["root", "child"]


def test_the_fuller_of_two_spans_with_one_id_counts() -> None:
    whole = span("whole", kind="LLM")
    open_one = whole._replace(name="open", ended=0.0)
    bare = whole._replace(name="bare", attributes={})
    for spans in itertools.permutations([whole, open_one, bare, whole]):
        tree = build(spans)
        assert ([one.name for one in tree.spans], tree.duplicates) == (["whole"], 3)


def test_a_span_whose_parent_is_missing_is_a_root() -> None:
    lost = span("lost", span("not exported"))
    child = span("child", lost)
    tree = build([child, lost])
    assert (by_name(tree), tree.orphans) == ({"lost": None, "child": "lost"}, 1)


def test_a_ring_is_cut_above_its_earliest_span() -> None:
    below = span("below")
    first = span("first")
    second = span("second", first)
    first = first._replace(parent=second.id)
    below = below._replace(parent=second.id)
    alone = span("alone")
    alone = alone._replace(parent=alone.id)
    for spans in itertools.permutations([below, first, second, alone]):
        tree = build(spans)
        assert by_name(tree) == {"first": None, "second": "first", "below": "second", "alone": None}
        assert (tree.cycles, sorted(tree.order)) == (2, [0, 1, 2, 3])


def by_name(tree: Tree) -> dict[str, str | None]:
    """Name of each span and of its parent."""
    spans: list[Span] = list(tree.spans)
    return {
        one.name: None if parent < 0 else spans[parent].name
        for one, parent in zip(spans, tree.parents, strict=True)
    }
