from __future__ import annotations

import marshal

import pytest

from datahub_llmops.spans.doors.rows import Row, as_spans, hexadecimal, weight_of, whole
from datahub_llmops.spans.doors.span_classes import SpanClasses


def row(number: int, service: str) -> Row:
    ids = ("a" * 32, f"{number:016x}", "")
    return whole(ids, (1.0, 2.0), "work", None, {}, {"service.name": service, "host.name": "h"}, "scope")


def test_spans_of_one_process_share_its_attributes_wherever_they_were_put_away() -> None:
    pieces = [marshal.dumps([row(1, "a"), row(2, "b")]), marshal.dumps([row(3, "a"), row(4, "b")])]
    spans = as_spans([one for piece in pieces for one in marshal.loads(piece)], SpanClasses())
    assert [one.id[-1] for one in spans] == ["1", "2", "3", "4"]
    assert spans[0].resource is spans[2].resource
    assert spans[1].resource is spans[3].resource
    assert spans[0].resource != spans[1].resource


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("0AF7651916CD43DD8448EB211C80319C", "0af7651916cd43dd8448eb211c80319c"),
        ("CvdlGRbNQ92ESOshHIAxnA==", "0af7651916cd43dd8448eb211c80319c"),
        ("t61rcWkgMzE=", "b7ad6b7169203331"),
        ("0af76519-16cd-43dd-8448-eb211c80319c", "0af7651916cd43dd8448eb211c80319c"),
        ("0" * 16, ""),
        ("0" * 32, ""),
        ("AAAAAAAAAAA=", ""),
        ("observation-1", "observation-1"),
        ("x" * 1_000, ""),
        (None, ""),
        (7, ""),
    ],
)
def test_ids_in_every_form(given: object, found: str) -> None:
    assert hexadecimal(given) == found


@pytest.mark.parametrize(
    "state", ["ot=th:" + "f" * 14, "ot=th:" + "f" * 15, "ot=th:-1", "ot=th:", "ot=th: 8"]
)
def test_odd_thresholds_divide_by_nothing(state: str) -> None:
    assert weight_of(state) >= 1.0
