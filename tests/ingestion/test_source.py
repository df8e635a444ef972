"""What a run makes of what a reader answers: reported, counted, never a wrong deletion. Through a real pipeline."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from datahub.configuration.common import ConfigurationError
from datahub.configuration.config_loader import load_config_file
from datahub.ingestion.run.pipeline import Pipeline, PipelineInitError

from datahub_llmops.assets.collections import FailedListing, Name, ProvenanceCount
from datahub_llmops.catalog.local.catalog import LocalCatalog
from datahub_llmops.errors import DeniedError, UnreachableError, UnreadableError, VanishedError
from support.paths import ROOT
from support.scripted import SOURCE, STORE, UNLISTED, ScriptedReader, ScriptedSource, collection

Run = Callable[..., Pipeline]


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    return tmp_path / "catalog.db"


@pytest.fixture
def run(catalog: Path) -> Run:
    STORE.clear()
    ScriptedReader.pause = 0.0
    ScriptedReader.most_busy = 0

    def _run(**options: Any) -> Pipeline:
        state = {"type": "llm-local", "config": {"path": str(catalog)}}
        recipe = {
            "pipeline_name": "scripted",
            "source": {
                "type": SOURCE,
                "config": {"stateful_ingestion": {"enabled": True, "state_provider": state}, **options},
            },
            "sink": {"type": "llm-local", "config": {"path": str(catalog)}},
        }
        pipeline = Pipeline.create(recipe, no_progress=True)
        pipeline.run()
        return pipeline

    return _run


def live(catalog: Path) -> set[str]:
    """Collections in the catalog that are not soft-deleted."""
    reader = LocalCatalog(catalog)
    try:
        return {node.name for node in reader.search("scripted", limit=100) if node.type == "dataset"}
    finally:
        reader.close()


def failures(pipeline: Pipeline) -> list[str]:
    return [str(context) for entry in pipeline.source.get_report().failures for context in entry.context]


def fill(*names: str) -> None:
    STORE.update({("db", name): collection("db", name) for name in names})


def report(pipeline: Pipeline) -> Any:
    return pipeline.source.get_report()


def test_what_was_deleted_in_the_store_goes_and_the_rest_stays(run: Run, catalog: Path) -> None:
    fill("docs", "faq", "old")
    first = run()
    first.raise_from_status()
    assert report(first).items_scanned == 3
    assert live(catalog) == {"docs", "faq", "old"}
    del STORE["db", "old"]
    run().raise_from_status()
    assert live(catalog) == {"docs", "faq"}


@pytest.mark.parametrize("error", [UnreadableError("time-out"), DeniedError("403")])
def test_an_unreadable_item_stays_and_the_others_are_read(run: Run, catalog: Path, error: Exception) -> None:
    fill("docs", "faq", "old")
    run().raise_from_status()
    STORE["db", "docs"] = error
    del STORE["db", "old"]
    fill("new")
    second = run()
    assert second.has_failures()
    assert any("db.docs" in failure for failure in failures(second))
    assert report(second).items_unreadable == 1
    # Not even what is really gone is deleted in a run that could not see everything.
    assert live(catalog) == {"docs", "faq", "old", "new"}
    fill("docs")
    run().raise_from_status()
    assert live(catalog) == {"docs", "faq", "new"}


@pytest.mark.parametrize("answer", [DeniedError("403: not for this key"), None])
def test_what_is_only_missing_in_the_list_is_not_gone(
    run: Run, catalog: Path, answer: DeniedError | None
) -> None:
    """A list leaves out what a role may not see; whether it is gone, the system says when it is asked by name."""
    fill("docs", "faq", "old")
    run().raise_from_status()
    if answer is not None:
        STORE["db", "docs"] = answer
    UNLISTED.add(("db", "docs"))
    del STORE["db", "old"]
    try:
        second = run()
        assert any("db.docs" in failure for failure in failures(second))
        assert live(catalog) == {"docs", "faq", "old"}
        # Somebody who knows that this role sees less says so.
        run(collection_pattern={"deny": ["docs"]}).raise_from_status()
        assert live(catalog) == {"faq"}
    finally:
        UNLISTED.clear()


def test_a_scope_that_cannot_be_listed_deletes_nothing(run: Run, catalog: Path) -> None:
    fill("docs", "faq")
    STORE["other", "a"] = collection("other", "a")
    run().raise_from_status()
    del STORE["other", "a"]
    STORE["other",] = FailedListing(name=("other",), error=DeniedError("no"))
    second = run()
    assert any("other" in failure for failure in failures(second))
    assert live(catalog) == {"docs", "faq", "a"}


def test_a_scope_that_the_filter_leaves_out_may_refuse(run: Run) -> None:
    fill("docs")
    STORE["secret",] = FailedListing(name=("secret",), error=DeniedError("no"))
    run(database_pattern={"deny": ["secret"]}).raise_from_status()


def test_a_listing_that_breaks_off_keeps_what_came_before(run: Run, catalog: Path) -> None:
    fill("docs")
    run().raise_from_status()
    STORE["broken listing",] = UnreadableError("half an answer")
    fill("later")
    second = run()
    assert any("half an answer" in failure for failure in failures(second))
    assert live(catalog) == {"docs"}


def test_a_store_that_goes_away_stops_the_run(run: Run, catalog: Path) -> None:
    fill("a", "b", "c", "d", "e", "f")
    run().raise_from_status()
    for name in ("b", "c", "d"):
        STORE["db", name] = UnreachableError("connection refused")
    second = run(max_workers=1)
    named = [f"db.{name}: connection refused" for name in ("b", "c", "d")]
    assert failures(second) == [*named, "connection refused"]
    assert report(second).items_scanned == 1
    assert live(catalog) == {"a", "b", "c", "d", "e", "f"}


def test_items_that_alone_cannot_be_reached_do_not_stop_the_run(run: Run, catalog: Path) -> None:
    fill("a", "b", "c", "d", "e", "f")
    run().raise_from_status()
    for name in ("a", "b", "d", "e"):
        STORE["db", name] = UnreachableError("a login page")
    second = run(max_workers=1)
    assert failures(second) == [f"db.{name}: a login page" for name in ("a", "b", "d", "e")]
    assert report(second).items_scanned == 2
    assert live(catalog) == {"a", "b", "c", "d", "e", "f"}


@pytest.mark.parametrize("between", [None, "b", "d"])
def test_scopes_that_cannot_be_reached_stop_the_listing_when_they_are_three_in_a_row(
    run: Run, catalog: Path, between: str | None
) -> None:
    fill("a", "e")
    run().raise_from_status()
    STORE.clear()
    fill("a")
    for scope in ("b", "c", "d"):
        STORE[scope,] = FailedListing(name=(scope,), error=UnreachableError("connection refused"))
        if scope == between:
            # Filtered out or not: it was there.
            STORE["other", "x"] = collection("other", "x")
    fill("new")
    second = run(database_pattern={"deny": ["other"]})
    named = [f"{scope}: connection refused" for scope in ("b", "c", "d")]
    stopped = between != "b"
    assert failures(second) == [*named, *(["connection refused"] if stopped else [])]
    assert live(catalog) == {"a", "e", *([] if stopped else ["new"])}


def test_scopes_that_the_filter_leaves_out_may_be_away(run: Run, catalog: Path) -> None:
    for scope in ("b", "c", "d"):
        STORE[scope,] = FailedListing(name=(scope,), error=UnreachableError("connection refused"))
    fill("new")
    run(database_pattern={"deny": ["[bcd]$"]}).raise_from_status()
    assert live(catalog) == {"new"}


def test_an_item_that_vanished_is_counted_and_retired(run: Run, catalog: Path) -> None:
    fill("a", "b", "c", "d", "e")
    run().raise_from_status()
    STORE["db", "c"] = VanishedError("gone")
    second = run()
    second.raise_from_status()
    assert report(second).items_vanished == 1
    assert live(catalog) == {"a", "b", "d", "e"}


@pytest.mark.parametrize("error", [ZeroDivisionError("planted-value"), RecursionError("planted-value")])
def test_a_bug_in_a_reader_costs_one_item_and_says_where_it_is(
    run: Run, catalog: Path, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    fill("a", "b", "c")
    run().raise_from_status()
    STORE["db", "b"] = error
    del STORE["db", "c"]
    fill("d")
    second = run()
    (failure,) = failures(second)
    assert failure.startswith("db.b: ")
    assert "nested too deeply" in failure or "ZeroDivisionError at " in failure
    assert "planted-value" not in failure + caplog.text
    assert report(second).items_unreadable == 1
    assert live(catalog) == {"a", "b", "c", "d"}


def test_a_bug_in_what_is_emitted_costs_one_item(
    run: Run, catalog: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill("a", "b", "c")
    place = ScriptedSource.place

    def broken(source: ScriptedSource, item: Any) -> Any:
        if item.name[-1] == "b":
            raise OverflowError("planted-value")
        return place(source, item)

    monkeypatch.setattr(ScriptedSource, "place", broken)
    pipeline = run()
    (failure,) = failures(pipeline)
    assert failure.startswith("db.b: ")
    assert live(catalog) == {"a", "c"}


def test_a_bug_in_a_listing_is_a_failure(run: Run, catalog: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill("a", "b")
    run().raise_from_status()
    monkeypatch.setattr(ScriptedReader, "names", lambda reader: iter([("db", "a"), 1 // 0]))
    (failure,) = failures(run())
    assert "ZeroDivisionError at " in failure
    assert live(catalog) == {"a", "b"}


def test_names_reach_no_log_raw(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    name = "docs\n2026-11-29 ERROR forged \x1b[2J\x1b]0;title\x07\u202egnp\x9b"
    STORE["db", name] = UnreadableError(f"{name}: planted")
    STORE["db", "other\x1b[31m"] = collection("db", "other\x1b[31m")
    pipeline = run()
    shown = caplog.text + "".join(failures(pipeline)) + report(pipeline).as_string()
    assert not set("\x1b\x07\u202e\x9b") & set(shown)
    assert "\n2026-11-29 ERROR forged" not in shown
    assert "forged" in failures(pipeline)[0]


def test_a_filter_that_takes_for_ever_leaves_out_one_name(
    run: Run, catalog: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("datahub_llmops.lineage.patterns.SECONDS", 0.1)
    fill("docs", "a" * 80)
    pipeline = run(collection_pattern={"allow": ["docs", "(a|aa)+$b"]})
    (failure,) = failures(pipeline)
    assert "takes too long" in failure
    assert live(catalog) == {"docs"}


def test_a_rule_that_takes_for_ever_keeps_the_edges_of_before(
    run: Run, catalog: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sources() -> set[str]:
        with LocalCatalog(catalog) as reader:
            (docs,) = (node.urn for node in reader.search("docs") if node.type == "dataset")
            return {edge.upstream for edge in reader.lineage(docs, "up").edges}

    def hold(*values: str) -> None:
        found = ProvenanceCount(field="source", values=dict.fromkeys(values, 1), rows_scanned=1, rows_total=1)
        STORE["db", "docs"] = replace(collection("db", "docs"), provenance=(found,))

    monkeypatch.setattr("datahub_llmops.lineage.provenance._SECONDS", 0.1)
    urn = "urn:li:dataset:(urn:li:dataPlatform:file,{p},PROD)"
    options = {"provenance": {"rules": [{"match": "(?P<p>(a|aa)+)$b", "urn": urn}]}}
    hold("s3://kb/a.md")
    run(**options).raise_from_status()
    before = sources()
    assert len(before) == 1
    hold("s3://kb/b.md", "a" * 80)
    (failure,) = failures(run(**options))
    assert failure.startswith("db.docs: ")
    assert "a" * 80 not in failure
    assert sources() == before


@pytest.mark.parametrize(
    ("first", "second"),
    [(("a.b", "c"), ("a", "b.c")), (("a", "b.c"), ("a.b", "c")), (("a,b", "c"), ("a%2Cb", "c"))],
)
def test_two_names_with_one_urn_are_named_both_and_neither_is_deleted(
    run: Run, catalog: Path, first: Name, second: Name
) -> None:
    STORE[first] = collection(*first)
    STORE["a", "d"] = collection("a", "d")
    run().raise_from_status()
    before = live(catalog)
    assert len(before) == 2
    STORE[second] = collection(*second)
    pipeline = run()
    assert any(str(list(first)) in failure and str(list(second)) in failure for failure in failures(pipeline))
    assert live(catalog) == before
    assert report(pipeline).items_scanned == 1
    # Renamed, the one that is left is read again.
    del STORE[first]
    run().raise_from_status()
    assert len(live(catalog)) == 2


def test_filters_speak_the_stores_words(run: Run, catalog: Path) -> None:
    fill("docs", "docs_tmp")
    STORE["test", "docs"] = collection("test", "docs")
    pipeline = run(database_pattern={"allow": ["db"]}, collection_pattern={"deny": [".*_tmp"]})
    assert live(catalog) == {"docs"}
    assert report(pipeline).items_filtered == 2


def test_reads_are_parallel_and_bounded(run: Run) -> None:
    fill(*(f"c{number}" for number in range(20)))
    ScriptedReader.pause = 0.02
    run(max_workers=4).raise_from_status()
    assert 1 < ScriptedReader.most_busy <= 4


def test_a_second_run_changes_nothing(run: Run, catalog: Path) -> None:
    fill("docs", "faq")
    run().raise_from_status()
    second = run()
    second.raise_from_status()
    assert second.sink.get_report().as_obj()["changed"] == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"no_such_option": 1}, "no_such_option"),
        ({"max_workers": 0}, "max_workers"),
        ({"embedding_jobs": [{"name": "a", "index": "b"}] * 2}, "declared twice for the index 'b'"),
        ({"provenance": {"rules": [{"match": "(", "urn": "x"}]}}, "("),
        ({"env": "NOWHERE"}, "env"),
        ({"collection_pattern": {"allow": ["["]}}, "collection_pattern: '['"),
        ({"domain": {"urn:li:domain:a": {"deny": ["("]}}}, "domain: '('"),
    ],
)
def test_a_wrong_recipe_says_what_is_wrong(
    run: Run, catalog: Path, options: Mapping[str, Any], said: str
) -> None:
    with pytest.raises((PipelineInitError, ConfigurationError, ValueError)) as caught:
        run(**options)
    chain = f"{caught.value} {caught.value.__cause__}"
    assert said in chain
    assert not catalog.exists()


def test_stateful_ingestion_needs_a_pipeline_name(catalog: Path) -> None:
    state = {"type": "llm-local", "config": {"path": str(catalog)}}
    recipe = {
        "source": {
            "type": SOURCE,
            "config": {"stateful_ingestion": {"enabled": True, "state_provider": state}},
        },
        "sink": {"type": "llm-local", "config": {"path": str(catalog)}},
    }
    with pytest.raises(PipelineInitError) as caught:
        Pipeline.create(recipe, no_progress=True)
    assert "pipeline_name" in f"{caught.value} {caught.value.__cause__}"


@pytest.mark.parametrize(
    ("answer", "capable", "said"),
    [
        (FailedListing(name=("db",), error=DeniedError("403")), False, "Not allowed"),
        (UnreachableError("refused"), False, "Cannot reach"),
        (DeniedError("401"), False, "Not allowed"),
        (None, True, "sees 1 collection."),
    ],
)
def test_test_connection_tells_the_cases_apart(
    run: Run, answer: Exception | FailedListing | None, capable: bool, said: str
) -> None:
    fill("docs")
    if isinstance(answer, FailedListing):
        STORE["db",] = answer
    elif answer is not None:
        STORE["broken listing",] = answer
    found = ScriptedSource.test_connection({}).basic_connectivity
    assert found is not None
    assert found.capable is capable
    assert said in f"{found.failure_reason} {found.mitigation_message}"


def test_a_variable_that_is_not_set_is_named_before_anything_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CHROMA_URL", "CHROMA_TOKEN", "DATAHUB_GMS_URL", "DATAHUB_GMS_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    recipe = ROOT / "recipes" / "chroma.rest.dhub.yaml"
    with pytest.raises(Exception, match="CHROMA_URL") as caught:
        load_config_file(recipe, resolve_env_vars=True)
    assert "unbound" in str(caught.value).lower()


def test_what_a_run_that_died_left_behind_is_no_catalog_yet(run: Run, catalog: Path) -> None:
    connection = sqlite3.connect(catalog)
    connection.execute("pragma journal_mode = wal")
    connection.close()
    assert catalog.stat().st_size > 0
    fill("docs")
    run().raise_from_status()
    assert live(catalog) == {"docs"}
