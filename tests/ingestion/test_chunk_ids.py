"""How ids that frameworks report become the keys of a store."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datahub_llmops.ingestion.chunk_ids import find_ids, parse_integer, parse_keys, parse_text, parse_uuid
from datahub_llmops.ingestion.reader import MAX_IDS


@given(st.uuids())
def test_a_uuid_is_one_key_in_every_spelling(value: UUID) -> None:
    forms = [str(value), value.hex, str(value).upper(), value.urn]
    assert {parse_uuid(form) for form in forms} == {str(value)}
    keys = parse_keys(forms, parse_uuid)
    assert find_ids(keys, [str(value)]) == frozenset(forms)


@given(st.text())
def test_what_is_taken_for_a_uuid_is_one(written: str) -> None:
    found = parse_uuid(written)
    assert found is None or UUID(found) == UUID(written)


@pytest.mark.parametrize(
    "written",
    [
        "{0b9e6c2a-3f9e-4b1c-8d7a-6f5e4d3c2b1a}",
        "0b9e6c2a3f9e-4b1c-8d7a-6f5e4d3c2b1a",
        "0b9e6c2a-3f9e-4b1c-8d7a-6f5e4d3c2b1a\n",
        "0b9e6c2a-3f9e-4b1c-8d7a-6f5e4d3c2b1",
        "0b9e6c2a-3f9e-4b1c-8d7a-6f5e4d3c2b1g",
        "٠b9e6c2a-3f9e-4b1c-8d7a-6f5e4d3c2b1a",
    ],
)
def test_what_only_looks_like_a_uuid_is_none(written: str) -> None:
    assert parse_uuid(written) is None


@given(st.integers())
def test_an_integer_is_a_key_within_its_bounds_only(value: int) -> None:
    assert parse_integer(str(value)) == (value if -(2**63) <= value < 2**63 else None)
    assert parse_integer(str(value), 0, 2**64 - 1) == (value if 0 <= value < 2**64 else None)


@given(st.text())
def test_what_is_taken_for_an_integer_is_written_back_alike(written: str) -> None:
    found = parse_integer(written)
    assert found is None or str(found) == written


@given(st.text(alphabet=st.characters()))
def test_a_text_is_its_own_key_or_none(written: str) -> None:
    assert parse_text(written) in (written, None)


def test_keys_that_nobody_asked_for_count_for_nothing() -> None:
    keys = parse_keys(["a", "b", ""], parse_text)
    assert find_ids(keys, ["b", "c"]) == {"b"}
    assert find_ids(keys, []) == frozenset()


def test_more_ids_than_a_call_may_name_are_refused() -> None:
    assert len(parse_keys([str(n) for n in range(MAX_IDS)], parse_text)) == MAX_IDS
    with pytest.raises(ValueError, match="at most 20 ids at once, not for 21"):
        parse_keys(["same"] * (MAX_IDS + 1), parse_text)
