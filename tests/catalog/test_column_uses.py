"""Columns that the SQL of jobs uses: what jobs say, what they do not say, and which of them a catalog finds."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from catalog.local.local_runs import column, dataset, raw, run
from datahub_llmops.catalog.column_uses import (
    USED_COLUMNS,
    ColumnUse,
    StatedUses,
    columns_named,
    find_uses,
    read_uses,
    uses_of,
    write_uses,
)
from datahub_llmops.catalog.local.catalog import LocalCatalog

DOCS, PEOPLE, INDEX, OTHER = (
    dataset("docs"),
    dataset("people"),
    dataset("kb", "chroma"),
    dataset("x", "chroma"),
)
JOB = "urn:li:dataJob:(urn:li:dataFlow:(airflow,kb,PROD),embed)"
SILENT = "urn:li:dataJob:(urn:li:dataFlow:(airflow,kb,PROD),silent)"
SINCE = "2026-11-29T05:30:00+00:00"


def edges(
    stated: Mapping[str, StatedUses] | None, index: str = INDEX, **properties: str
) -> Mapping[str, Any]:
    if stated is not None:
        properties[USED_COLUMNS] = write_uses(stated)
    return {
        "inputDatasets": [],
        "outputDatasets": [],
        "inputDatasetEdges": [{"destinationUrn": DOCS}, {"destinationUrn": PEOPLE}],
        "outputDatasetEdges": [{"destinationUrn": index, "properties": properties}],
    }


STATED = {"a": StatedUses(columns={PEOPLE: {"id": ["sort", "join"]}}, hidden=[DOCS])}


def test_a_job_says_what_it_does() -> None:
    assert find_uses({JOB: edges(STATED, not_confirmed_since=SINCE)}, [column(PEOPLE, "id")]) == (
        ColumnUse(
            column=column(PEOPLE, "id"),
            job=JOB,
            index=INDEX,
            used_in=("join", "sort"),
            not_confirmed_since=SINCE,
        ),
    )


@pytest.mark.parametrize("path", ["id", "[version=2.0].[type=struct].[type=string].id"])
def test_a_column_is_found_in_both_spellings(path: str) -> None:
    (found,) = find_uses({JOB: edges(STATED)}, [column(PEOPLE, path)])
    assert found.used_in == ("join", "sort")


def test_what_several_recipes_say_counts_together() -> None:
    both = {**STATED, "b": StatedUses(columns={PEOPLE: {"id": ["filter"]}})}
    (found,) = find_uses({JOB: edges(both)}, [column(PEOPLE, "id")])
    assert found.used_in == ("join", "filter", "sort")


def test_a_column_that_a_job_does_not_use_is_known() -> None:
    assert find_uses({JOB: edges(STATED)}, [column(PEOPLE, "name")]) == ()


def test_a_column_of_a_table_with_hidden_uses_is_not_known() -> None:
    assert find_uses({JOB: edges(STATED)}, [column(DOCS, "kind")]) == (
        ColumnUse(column=column(DOCS, "kind"), job=JOB, index=INDEX),
    )


@pytest.mark.parametrize("text", [None, "", "no json", "[]", "[" * 100_000])
def test_a_job_that_says_nothing_is_not_known(text: str | None) -> None:
    silent = edges(None, **({USED_COLUMNS: text} if text is not None else {}))
    assert read_uses(silent["outputDatasetEdges"][0]["properties"]) is None
    assert columns_named(silent) is None
    assert find_uses({JOB: silent}, [column(DOCS, "id"), column(OTHER, "id")]) == (
        ColumnUse(column=column(DOCS, "id"), job=JOB, index=None),
    )


@pytest.mark.parametrize(
    "content", [{"a": 1}, {"a": {"columns": [1], "hidden": "x"}}, {"a": {"columns": {DOCS: 3}}}]
)
def test_garbage_is_no_use(content: object) -> None:
    found = edges(None, **{USED_COLUMNS: json.dumps(content)})
    assert find_uses({JOB: found}, [column(DOCS, "id")]) == ()


def fill(path: Path) -> None:
    run(
        path,
        raw(JOB, "dataJobInfo", {"name": "embed", "type": {"string": "SQL"}}),
        raw(JOB, "dataJobInputOutput", edges(STATED)),
        raw(SILENT, "dataJobInfo", {"name": "silent", "type": {"string": "SQL"}}),
        raw(SILENT, "dataJobInputOutput", edges(None, OTHER)),
    )


def test_a_local_catalog_finds_the_jobs(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    fill(path)
    with LocalCatalog(path) as catalog:
        assert catalog.jobs_using([column(PEOPLE, "id")]) == [JOB, SILENT]
        assert catalog.jobs_using([column(PEOPLE, "name")]) == [SILENT]
        assert catalog.jobs_using([column(DOCS, "kind")]) == [JOB, SILENT]
        assert catalog.jobs_using([column(OTHER, "text")]) == []
        assert [(one.job, one.used_in) for one in uses_of(catalog, [column(PEOPLE, "id"), PEOPLE])] == [
            (JOB, ("join", "sort")),
            (SILENT, ()),
        ]
        assert uses_of(catalog, [PEOPLE]) == ()


def test_a_job_that_changes_is_indexed_anew(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    fill(path)
    run(
        path,
        raw(JOB, "dataJobInputOutput", edges({"a": StatedUses()})),
        raw(SILENT, "status", {"removed": True}),
    )
    with LocalCatalog(path) as catalog:
        assert catalog.jobs_using([column(PEOPLE, "id"), column(DOCS, "kind")]) == []


def test_a_file_of_an_earlier_release_says_nothing_of_uses(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    fill(path)
    with sqlite3.connect(path) as connection:
        connection.execute("drop table column_use")
    with LocalCatalog(path) as catalog:
        assert catalog.jobs_using([column(PEOPLE, "name")]) == [JOB, SILENT]
        assert [one.job for one in uses_of(catalog, [column(PEOPLE, "name")])] == [SILENT]
    run(path, raw(JOB, "dataJobInputOutput", edges({**STATED, "b": StatedUses()})))
    with LocalCatalog(path) as catalog:
        assert catalog.jobs_using([column(PEOPLE, "name")]) == [SILENT]
