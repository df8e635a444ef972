"""What carries a term: labels that people set, and those that the real ``llm-propagation`` carried on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from catalog.local.local_runs import column, pipeline, raw, run
from datahub_llmops.catalog.column_uses import USED_COLUMNS, StatedUses, write_uses
from datahub_llmops.catalog.local.catalog import LocalCatalog
from datahub_llmops.cli.main import main
from datahub_llmops.governance.term_holders import holders_of, matching
from governance.estate import BOT, CUSTOMERS, INDEX, JOB, RETRIEVER, REVIEWS, estate, write

PERSONAL = "urn:li:glossaryTerm:Privacy.Personal"
PUBLIC = "urn:li:glossaryTerm:Public"
EMAIL = column(CUSTOMERS, "email")
FIELD = column(INDEX, "email")


def terms(*urns: str) -> dict[str, object]:
    stamp = {"time": 0, "actor": "urn:li:corpuser:ada"}
    return {"terms": [{"urn": urn} for urn in urns], "auditStamp": stamp}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    facts = estate()
    facts[EMAIL, "glossaryTerms"] = terms(PERSONAL)
    facts[REVIEWS, "glossaryTerms"] = terms(PUBLIC)
    facts[INDEX, "glossaryTerms"] = terms(PUBLIC)
    write(tmp_path / "catalog.db", facts).close()
    pipeline(tmp_path / "catalog.db", {"type": "llm-propagation", "config": {}})
    return tmp_path / "catalog.db"


@pytest.fixture
def catalog(path: Path) -> Iterator[LocalCatalog]:
    with LocalCatalog(path) as opened:
        yield opened


def test_a_propagated_term_has_the_way_from_its_column(catalog: LocalCatalog) -> None:
    way = (EMAIL, JOB, FIELD)
    assert {one.urn: (one.origin, one.path) for one in holders_of(catalog, PERSONAL)} == {
        EMAIL: (None, ()),
        JOB: (EMAIL, way[:2]),
        FIELD: (EMAIL, way),
        INDEX: (EMAIL, way),
    }


def test_indexes_come_first_and_before_their_columns(catalog: LocalCatalog) -> None:
    assert [one.urn for one in holders_of(catalog, PERSONAL)][:2] == [INDEX, FIELD]


def test_a_term_of_a_dataset_follows_every_edge(catalog: LocalCatalog) -> None:
    found = {one.urn: (one.origin, one.path) for one in holders_of(catalog, PUBLIC)}
    assert found[INDEX] == (None, ())  # Somebody set it there: from here it goes on.
    assert found[JOB] == (REVIEWS, (REVIEWS, JOB))
    assert found[RETRIEVER] == (INDEX, (INDEX, RETRIEVER))
    assert found[BOT] == (INDEX, (INDEX, RETRIEVER, BOT))


def test_a_way_that_is_gone_is_not_known(path: Path) -> None:
    run(
        path,
        raw(JOB, "status", {"removed": True}),
        raw(JOB, "dataJobInputOutput", {"inputDatasets": [], "outputDatasets": []}),
    )
    with LocalCatalog(path) as catalog:
        found = {one.urn: (one.origin, one.path) for one in holders_of(catalog, PERSONAL)}
    assert found == {EMAIL: (None, ()), FIELD: (EMAIL, ()), INDEX: (EMAIL, ())}


def test_removed_assets_carry_nothing(path: Path) -> None:
    run(path, raw(INDEX, "status", {"removed": True}))
    with LocalCatalog(path) as catalog:
        assert {one.urn for one in holders_of(catalog, PERSONAL)} == {EMAIL, JOB}


def test_words_narrow_the_list(catalog: LocalCatalog) -> None:
    assert {one.urn for one in matching(holders_of(catalog, PERSONAL), ["CHROMA", "docs"])} == {INDEX, FIELD}


def test_nothing_carries_an_unknown_term(catalog: LocalCatalog) -> None:
    assert holders_of(catalog, "urn:li:glossaryTerm:nope") == ()


@pytest.mark.parametrize("typed", ["Privacy.Personal", PERSONAL])
def test_the_commands_list_what_carries_a_term(path: Path, typed: str) -> None:
    for command in (["search", "--term", typed], ["show", typed]):
        shown = CliRunner().invoke(main, ["--catalog", str(path), *command])
        assert shown.exit_code == 0, shown.output
        assert "customers.email → embed-docs → docs.email" in shown.stdout
        found = json.loads(CliRunner().invoke(main, ["--catalog", str(path), *command, "--json"]).stdout)
        assert [one["urn"] for one in found["carried_by"]][:2] == [INDEX, FIELD]
        assert found["carried_by"][0]["path"] == [EMAIL, JOB, FIELD]


def test_what_cannot_be_found_is_said(path: Path) -> None:
    def failed(*command: str) -> str:
        result = CliRunner().invoke(main, ["--catalog", str(path), *command])
        assert result.exit_code != 0
        return result.output

    assert "no term in the catalog is named 'Nope'" in failed("search", "--term", "Nope")
    assert "nothing in the catalog carries the term" in failed("search", "--term", PERSONAL, "qdrant")
    assert "give words to search for, or --term TERM" in failed("search")
    limited = CliRunner().invoke(main, ["--catalog", str(path), "search", "--term", PERSONAL, "--limit", "1"])
    assert "3 more; --limit N lists them" in limited.stdout


def test_a_term_that_came_by_a_join_has_its_way_too(tmp_path: Path) -> None:
    facts = estate()
    uses = StatedUses(columns={REVIEWS: {"customer_id": ["join"]}})
    edges = facts[JOB, "dataJobInputOutput"]["outputDatasetEdges"]
    edges[0]["properties"] = {USED_COLUMNS: write_uses({"kb": uses})}
    key = column(REVIEWS, "customer_id")
    facts[key, "glossaryTerms"] = terms(PERSONAL)
    path = tmp_path / "catalog.db"
    write(path, facts).close()
    pipeline(path, {"type": "llm-propagation", "config": {"indirect": True}})
    with LocalCatalog(path) as catalog:
        found = {one.urn: one.path for one in holders_of(catalog, PERSONAL)}
    assert found[JOB] == (key, JOB)
    assert found[INDEX] == (key, JOB, INDEX)
    assert found[BOT] == (key, JOB, INDEX, RETRIEVER, BOT)
