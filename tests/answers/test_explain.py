"""Whether a source changed after the index was written: yes, no, or not known."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from datahub_llmops.answer_store.recorded import Chunk
from datahub_llmops.answers.explain import Origin, Stale, _Documents, _find_stale, _not_embedded
from datahub_llmops.answers.resolver import Resolver
from datahub_llmops.lineage import provenance
from governance.cases import NOTHING, Change, both
from governance.estate import INDEX as DOCS
from governance.estate import JOB, REVIEWS, WRITTEN, estate, milliseconds, write
from governance.runs import run_of, running
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


CHANGED = WRITTEN + timedelta(hours=1)
IDLE = run_of(JOB, CHANGED + timedelta(hours=1), added=0, skipped=250)


@pytest.mark.parametrize(
    ("runs", "still_stale"),
    [
        (NOTHING, True),
        (IDLE, False),
        (run_of(JOB, CHANGED + timedelta(hours=1), took=timedelta(hours=2), added=0, skipped=250), True),
        (run_of(JOB, CHANGED + timedelta(hours=1), "FAILURE"), True),
        (both(IDLE, running(JOB, CHANGED + timedelta(hours=2))), True),
    ],
    ids=["no run", "an idle run after it", "a run that began before it", "a failed run", "a run at work"],
)
def test_a_run_that_found_all_rows_unchanged_has_seen_the_change(
    runs: Change, still_stale: bool, tmp_path: Path
) -> None:
    facts = estate()
    runs(facts)
    pair = Stale(
        index=DOCS,
        source=REVIEWS,
        index_modified=milliseconds(WRITTEN),
        source_modified=milliseconds(CHANGED),
    )
    with write(tmp_path / "catalog.db", facts) as catalog:
        assert list(_not_embedded(catalog, [pair])) == ([pair] if still_stale else [])


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
