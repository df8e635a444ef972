"""Whether a source changed after the index was written: yes, no, or not known."""

from __future__ import annotations

from dataclasses import replace

from datahub_llmops.answer_store.recorded import Chunk
from datahub_llmops.answers.explain import Origin, Stale, _Documents, _find_stale
from datahub_llmops.answers.resolver import Resolver
from datahub_llmops.lineage import provenance
from spans.recordings import Recording

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
    assert gaps == ["when docs was written, and whether its sources are newer"]
    # Nothing is known to have changed.
    assert stale(None, None, {}) == ([], [])


def test_the_folder_of_the_store_is_no_source_of_its_documents() -> None:
    """LangChain's package for LanceDB writes it over the source of each document that it finds."""
    [seen, *_] = Recording("openinference-langchain/lancedb").assembled.values()
    [answer] = seen.answers
    rules = provenance.compile_rules(provenance.ProvenanceConfig(), env="PROD")
    chunks = tuple(
        Chunk(id=value, source={"key": "source", "value": value}) for value in ("/kb/lance", "/kb/docs/a.md")
    )
    index = {"platform": "lancedb", "path": "/kb/lance", "collection": "docs"}
    retrieval = replace(answer.retrievals[0], index=index, index_number=0, chunks=chunks)
    documents, _ = _Documents(None, Resolver((), env="PROD"), rules, {}).read(
        replace(answer, retrievals=(retrieval,))
    )
    assert [one.source_shown for one in documents] == [None, "/kb/docs/a.md"]
    assert [one.rests_on for one in documents] == ["index", "source"]
