"""What a sample tells: types and shapes, bounded, and never a value."""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datahub_llmops.assets.collections import PayloadField, ProvenanceCount
from datahub_llmops.ingestion.sampling import (
    MAX_KEYS_OF_OBJECT,
    ValueCounter,
    infer,
    merged,
    values_at,
)

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(max_size=8),
    st.binary(max_size=4),
)
KEYS = st.text(max_size=6)
PAYLOADS = st.recursive(
    st.dictionaries(KEYS, SCALARS, max_size=4),
    lambda inner: st.dictionaries(KEYS, st.one_of(SCALARS, inner, st.lists(SCALARS, max_size=3)), max_size=4),
    max_leaves=20,
)
ROWS = st.lists(PAYLOADS, max_size=8)


def types(*rows: dict[str, Any]) -> dict[str, str]:
    return {field.path: field.native_type for field in infer(rows)}


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("x", "string"),
        (True, "boolean"),
        (1, "integer"),
        (1.0, "float"),
        (b"x", "bytes"),
        (date(2026, 1, 1), "date"),
        (datetime(2026, 1, 1), "datetime"),
        ({}, "object"),
        ([], "array"),
        (object(), "unknown"),
        (None, "unknown"),
    ],
)
def test_every_kind_of_value(value: object, kind: str) -> None:
    assert infer([{"key": value}]) == (PayloadField(path="key", type=kind, native_type=kind),)  # type: ignore[arg-type]  # one of the literals


def test_integers_among_floats_are_floats_and_other_mixtures_say_so() -> None:
    assert types({"a": 1, "b": 1}, {"a": 1.5, "b": "x"}, {"a": None}) == {
        "a": "float",
        "b": "integer | string",
    }
    assert merged(["integer", "float", "string"]) == ("unknown", "float | string")


def test_arrays_say_what_they_hold() -> None:
    assert types({"a": ["x"], "b": [1, 2.0], "c": [], "d": [{"k": 1}], "e": [1, None, "x"]}) == {
        "a": "array<string>",
        "b": "array<float>",
        "c": "array",
        "d": "array<object>",
        "e": "array<integer | string>",
    }


def test_nesting_is_dotted_and_bounded() -> None:
    row: dict[str, Any] = {"v": 1}
    for _ in range(10):
        row = {"k": row}
    assert list(types(row)) == ["k", "k.k", "k.k.k", "k.k.k.k", "k.k.k.k.k"]


def test_a_field_is_never_missing_only_when_all_rows_were_seen() -> None:
    rows: list[dict[str, Any]] = [{"a": 1, "b": 1}, {"a": 2}, {"a": 3, "b": None}]
    assert all(field.nullable for field in infer(rows))
    assert {field.path: field.nullable for field in infer(rows, complete=True)} == {"a": False, "b": True}


def test_the_most_frequent_fields_are_kept() -> None:
    rows: list[dict[str, Any]] = [{f"rare{n}": 1, "always": 1} for n in range(50)]
    assert [field.path for field in infer(rows, max_fields=2)] == ["always", "rare0"]


def test_keys_that_are_data_are_not_fields() -> None:
    row = {"scores": {f"person{n}@example.org": n for n in range(MAX_KEYS_OF_OBJECT + 1)}, "page": 1}
    assert types(row) == {"page": "integer", "scores": "map"}


def test_what_a_framework_wrote_is_marked() -> None:
    fields = {
        field.path: field.description for field in infer([{"_node_content": "{}", "doc_id": "d", "page": 1}])
    }
    assert fields["_node_content"] is not None
    assert fields["doc_id"] is not None
    assert fields["page"] is None
    assert infer([{"doc_id": "d"}])[0].description is None


@given(ROWS)
def test_the_order_of_rows_does_not_matter(rows: list[dict[str, Any]]) -> None:
    assert infer(rows) == infer(list(reversed(rows)))


@given(ROWS, st.integers(0, 5), st.integers(0, 6))
def test_bounds_hold(rows: list[dict[str, Any]], max_fields: int, max_depth: int) -> None:
    fields = infer(rows, max_fields=max_fields, max_depth=max_depth)
    assert len(fields) <= max_fields
    paths = [field.path for field in fields]
    assert paths == sorted(set(paths))


@given(ROWS)
def test_top_level_keys_are_found_and_nothing_is_invented(rows: list[dict[str, Any]]) -> None:
    paths = {field.path for field in infer(rows)}
    keys = {key for row in rows for key in row if key}
    assert keys <= paths
    assert all(any(path == key or path.startswith(f"{key}.") for key in keys) for path in paths)


@given(st.lists(st.dictionaries(st.sampled_from("abc"), SCALARS), min_size=1))
def test_no_value_comes_out(rows: list[dict[str, Any]]) -> None:
    marked = [{key: f"planted{value!r}" for key, value in row.items()} for row in rows]
    assert "planted" not in repr(infer(marked))


@given(st.lists(st.sampled_from(["a", "b", "c", "d", "e"])), st.integers(1, 6))
def test_counting_loses_no_row(values: list[str], most: int) -> None:
    counter = ValueCounter(("source",), most)
    counter.add_rows({"source": value} for value in values)
    counted = Counter(values)
    for found in counter.result(len(values)):
        assert len(found.values) <= most
        assert sum(found.values.values()) + found.values_dropped == len(values)
        assert all(counted[value] >= times for value, times in found.values.items())
        assert len(counted) > most or found.values == counted


def test_counts_are_by_field_in_the_order_asked_for() -> None:
    counter = ValueCounter(("source", "metadata.file", "absent"), 10)
    counter.add_rows([{"source": "x", "metadata": {"file": "f"}}, None, {"metadata": {"file": ["f", "g"]}}])
    assert counter.result(7) == (
        ProvenanceCount(field="source", values={"x": 1}, rows_scanned=3, rows_total=7),
        ProvenanceCount(field="metadata.file", values={"f": 2, "g": 1}, rows_scanned=3, rows_total=7),
    )


@pytest.mark.parametrize(
    ("row", "path", "expected"),
    [
        ({"a": "x"}, "a", ["x"]),
        ({"a": 7}, "a", ["7"]),
        ({"a": True}, "a", []),
        ({"a": 1.5}, "a", []),
        ({"a": None}, "a", []),
        ({"a": ["x", 2, None, ["y"]]}, "a", ["x", "2"]),
        ({"a.b": "whole"}, "a.b", ["whole"]),
        ({"a": {"b": {"c": "x"}}}, "a.b.c", ["x"]),
        ({"a": "x"}, "a.b", []),
        ({}, "", []),
    ],
)
def test_values_at(row: dict[str, Any], path: str, expected: list[str]) -> None:
    assert list(values_at(row, path)) == expected
