"""Whether a source changed after the index was written: yes, no, or not known."""

from __future__ import annotations

from datahub_llmops.answers.explain import Origin, Stale, _find_stale

INDEX = "urn:li:dataset:(urn:li:dataPlatform:qdrant,docs,PROD)"
TABLE = "urn:li:dataset:(urn:li:dataPlatform:postgres,shop.public.reviews,PROD)"


def origin(urn: str, modified: int | None) -> Origin:
    return Origin(
        urn=urn,
        type="dataset",
        subtype=None,
        name=urn.split(",")[1],
        owners=(),
        terms=(),
        tags=(),
        rests_on="index",
        modified=modified,
    )


def stale(index: int | None, table: int | None, written: dict[str, int]) -> tuple[list[Stale], list[str]]:
    gaps: dict[str, None] = {}
    found = list(_find_stale([origin(INDEX, index)], [origin(TABLE, table)], written, gaps))
    return found, list(gaps)


def test_the_stores_own_time_decides() -> None:
    old = Stale(index=INDEX, source=TABLE, index_modified=5, source_modified=9)
    assert stale(5, 9, {}) == ([old], [])
    assert stale(9, 5, {}) == ([], [])


def test_where_the_store_tells_no_time_it_is_when_hooks_saw_the_writing() -> None:
    found, gaps = stale(None, 9, {INDEX: 5})
    assert [entry.index_modified for entry in found] == [5]
    assert gaps == []
    assert stale(None, 9, {INDEX: 10}) == ([], [])


def test_without_any_time_it_is_not_known() -> None:
    found, gaps = stale(None, 9, {})
    assert found == []
    assert gaps == ["when docs was written is not known, nor is whether its sources are newer"]
    # Nothing is known to have changed.
    assert stale(None, None, {}) == ([], [])
