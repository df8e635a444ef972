"""What comes out of bundles is what went in, however the spans of a trace are divided."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datahub_llmops.spans.attributes import Selection
from datahub_llmops.spans.doors import bundles as module
from datahub_llmops.spans.doors.bundles import Bundles, size_of
from datahub_llmops.spans.doors.door import ReadCounts
from datahub_llmops.spans.doors.reading import ObjectReader
from datahub_llmops.spans.doors.rows import Row, as_spans
from datahub_llmops.spans.doors.span_classes import SpanClasses
from datahub_llmops.spans.shapes import ShapedSpans
from datahub_llmops.spans.span import Span
from datahub_llmops.spans.status import milliseconds
from spans.doors.making import DAY, TODAY
from support.paths import WIRE

RECORDED = WIRE / "spans/openinference-langchain/features.otlp.pb.gz"


@functools.cache
def recorded() -> tuple[list[Row], SpanClasses]:
    rows: list[Row] = []
    reader = ObjectReader(Selection(), ReadCounts(), rows.extend, lambda answer: None)
    with Path(RECORDED).open("rb") as file:
        reader.read(file)
    return rows, reader.classes


def in_order(spans: Sequence[Span]) -> list[Span]:
    return sorted(spans, key=lambda span: (span.started, span.id))


@given(st.data())
def test_spans_are_the_same_in_bundles_of_any_size(data: st.DataObject) -> None:
    rows, classes = recorded()
    trace = data.draw(st.sampled_from(sorted({row[0] for row in rows})))
    chosen = [row for row in rows if row[0] == trace]
    chosen = data.draw(st.permutations(chosen + data.draw(st.lists(st.sampled_from(chosen), max_size=2))))
    bundles = Bundles(classes)
    packed = []
    while chosen:
        count = data.draw(st.integers(1, len(chosen)))
        packed += bundles.pack(chosen[:count])
        chosen = chosen[count:]
    found = bundles.spans(packed, 1_000)
    assert sum(map(size_of, packed)) == len(found)
    expected = as_spans([row for row in rows if row[0] == trace], classes)
    assert {span.id: span for span in found} == {span.id: span for span in expected}


def test_a_whole_trace_has_a_shape_that_another_trace_of_the_same_work_shares() -> None:
    rows, classes = recorded()
    bundles = Bundles(classes)
    for trace in {row[0] for row in rows}:
        chosen = [row for row in rows if row[0] == trace]
        again = [
            (
                "f" * 32,
                f"{int(row[1], 16) ^ 1:016x}",
                f"{int(row[2], 16) ^ 1:016x}" if row[2] else "",
                *row[3:],
            )
            for row in chosen
        ]
        (one,), (other,) = bundles.pack(chosen), bundles.pack(again)
        shaped, twin = bundles.spans([one], 1_000), bundles.spans([other], 1_000)
        assert isinstance(shaped, ShapedSpans)
        assert isinstance(twin, ShapedSpans)
        assert shaped.shape == twin.shape
        assert list(shaped) == in_order(as_spans(chosen, classes))
        assert [shaped.took(place) for place in range(len(shaped))] == [milliseconds(span) for span in shaped]
        for place, span in enumerate(shaped):
            assert shaped.own(place).items() <= span.attributes.items()


def test_a_trace_that_runs_past_midnight_is_a_bundle_for_each_day() -> None:
    rows, classes = recorded()
    first = min(row[4] for row in rows)
    chosen = [row for row in rows if row[0] == rows[0][0]]
    moved = [
        (
            *row[:4],
            row[4] - first + TODAY + DAY + (place % 2 - 0.5) * 10,
            row[5] - first + TODAY + DAY,
            *row[6:],
        )
        for place, row in enumerate(chosen)
    ]
    packed = Bundles(classes).pack(moved)
    assert len(packed) == 2
    assert sorted(bundle[4] < TODAY + DAY for bundle in packed) == [False, True]


@pytest.mark.parametrize("most", ["MAX_CELLS", "MAX_SPANS"])
def test_spans_for_which_there_is_no_shape_are_the_same(most: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, classes = recorded()
    monkeypatch.setattr(module, most, 0)
    bundles = Bundles(classes)
    for bundle in bundles.pack(rows):
        found = bundles.spans([bundle], 1_000)
        assert not isinstance(found, ShapedSpans)
        assert list(found) == in_order(as_spans([row for row in rows if row[0] == bundle[0]], classes))


def test_no_more_spans_come_out_than_are_wanted() -> None:
    rows, classes = recorded()
    bundles = Bundles(classes)
    chosen = [row for row in rows if row[0] == rows[0][0]]
    packed = [one for row in chosen for one in bundles.pack([row])]
    assert len(bundles.spans(packed, 2)) == 2
