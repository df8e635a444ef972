"""Which chunks an application was given, and which search found each."""

from __future__ import annotations

from typing import Any

from datahub_llmops.answer_store.recorded import Chunk, Retrieval
from datahub_llmops.answers.given_documents import list_given


def search(number: int | None, *chunks: Chunk, status: str = "ok", **more: Any) -> Retrieval:
    return Retrieval(
        retriever={},
        index=None,
        index_number=number,
        embedding=None,
        chunks=chunks,
        milliseconds=1,
        status=status,
        **more,
    )


def named(*retrievals: Retrieval) -> list[tuple[str | None, int | None, float | None]]:
    found = list_given(retrievals)
    return [(chunk.id, None if one is None else one.index_number, chunk.score) for one, chunk in found]


A, B = Chunk(id="a", score=0.1), Chunk(id="b", score=0.2)


def test_what_one_search_found() -> None:
    assert named(search(1, A, B)) == [("a", 1, 0.1), ("b", 1, 0.2)]


def test_what_a_retriever_kept_of_another_and_what_it_added() -> None:
    outer = search(None, Chunk(id="a"), Chunk(id="web"), composite=True)
    assert named(outer, search(1, A, B, within=0)) == [("a", 1, 0.1), ("web", None, None)]


def test_what_a_retriever_of_one_index_merged() -> None:
    outer = search(1, Chunk(id="parent"), Chunk(id="b"), composite=True)
    assert named(outer, search(1, A, B, within=0)) == [("parent", 1, None), ("b", 1, 0.2)]


def test_of_several_levels_the_outermost_counts_and_the_innermost_found() -> None:
    outer, middle = search(None, Chunk(id="b"), composite=True), search(None, B, A, composite=True, within=0)
    assert named(outer, middle, search(1, A, within=1), search(2, B, within=1)) == [("b", 2, 0.2)]


def test_a_chunk_that_two_searches_of_one_index_found_is_given_once() -> None:
    assert named(search(1, A), search(1, A, B), search(2, A)) == [
        ("a", 1, 0.1),
        ("b", 1, 0.2),
        ("a", 2, 0.1),
    ]


def test_chunks_without_an_id_are_all_given() -> None:
    assert len(list_given([search(1, Chunk(id=None), Chunk(id=None)), search(1, Chunk(id=None))])) == 3


def test_an_extract_is_of_the_search_that_found_its_source() -> None:
    source = {"key": "source", "value": "kb/a.md"}
    outer = search(None, Chunk(id="hmac:1", source=source), composite=True)
    inner = search(1, Chunk(id="a", score=0.1, source=source), within=0)
    assert named(outer, inner) == [("hmac:1", 1, None)]


def test_another_document_of_the_same_source_was_not_found_by_it() -> None:
    source = {"key": "source", "value": "kb/a.md"}
    outer = search(None, Chunk(id="own-id", source=source), composite=True)
    assert named(outer, search(1, Chunk(id="a", source=source), within=0)) == [("own-id", None, None)]


def test_a_retriever_that_dropped_everything_gave_nothing() -> None:
    assert named(search(None, composite=True), search(1, A, within=0)) == []
    assert named(search(None, composite=True, status="interrupted"), search(1, A, within=0)) == []


def test_before_a_retriever_has_ended_what_it_found_so_far_counts() -> None:
    assert named(search(None, composite=True, status="open"), search(1, A, within=0)) == [("a", 1, 0.1)]
