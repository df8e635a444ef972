"""Declared jobs over several runs: what a run could not resolve is kept and marked, and only its own is taken back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from datahub.configuration.common import PipelineExecutionError
from datahub.emitter.mcp import MetadataChangeProposalWrapper
from datahub.ingestion.run.pipeline import Pipeline
from datahub.metadata.schema_classes import (
    DataJobInfoClass,
    DataJobInputOutputClass,
    EdgeClass,
    FineGrainedLineageClass,
    StatusClass,
)
from datahub.specific.datajob import DataJobPatchBuilder

from datahub_llmops import urns
from datahub_llmops.assets.collections import PayloadField, ProvenanceCount
from datahub_llmops.catalog.local.catalog import LocalCatalog
from datahub_llmops.errors import CatalogError, UnreachableError, UnreadableError
from ingestion.recipes import (
    DECLARED,
    DEPLOYMENT,
    DOCS,
    INDEX,
    JOB,
    MODEL,
    PEOPLE,
    S3,
    Emit,
    Run,
    aspect,
    docs,
    upstreams,
    warnings,
)
from support.scripted import STORE, ScriptedSource, collection

FAQ = urns.collection(DEPLOYMENT, ("db", "faq"))
SQL = DECLARED["upstream"]["sql"]
FACTS: Mapping[str, Any] = {
    "chunk_overlap": 64.0,
    "chunk_size": 512.0,
    "chunking_method": "recursive",
    "embedding_model": "openai/small",
}
FOREIGN: Mapping[str, Any] = {
    **{key: DECLARED[key] for key in ("name", "index", "upstream", "text_columns", "fields")},
    "job_urn": JOB,
}


def with_sql(text: str, job: Mapping[str, Any] = DECLARED, **options: Any) -> dict[str, Any]:
    return {**job, "upstream": {"platform": "sqlite", "sql": text}, **options}


def refused(run: Run, *jobs: Mapping[str, Any], **options: Any) -> str:
    """Run a recipe that fails, and return what it says."""
    with pytest.raises(PipelineExecutionError) as raised:
        run(*jobs, **options)
    return str(raised.value)


def edges(catalog: Path, job: str = JOB) -> dict[str, dict[str, str]]:
    stored = aspect(catalog, job, "dataJobInputOutput") or {}
    both = [*stored.get("inputDatasetEdges", ()), *stored.get("outputDatasetEdges", ())]
    return {edge["destinationUrn"]: edge.get("properties") or {} for edge in both}


def columns(catalog: Path, job: str = JOB) -> set[str]:
    stored = aspect(catalog, job, "dataJobInputOutput") or {}
    return {
        f"{up.split(',')[1]}.{up.split(',')[-1]} -> {down.split(',')[1]}.{down.split(',')[-1]}".replace(
            ")", ""
        )
        for fine in stored.get("fineGrainedLineages", ())
        for up in fine["upstreams"]
        for down in fine["downstreams"]
    }


def marks(catalog: Path, job: str = JOB) -> dict[str, str]:
    found = edges(catalog, job)
    return {urn: edge["not_confirmed_since"] for urn, edge in found.items() if "not_confirmed_since" in edge}


def stated(catalog: Path, urn: str, name: str) -> Any:
    stored = aspect(catalog, urn, "structuredProperties") or {"properties": []}
    values = {one["propertyUrn"].rpartition(".")[2]: one["values"] for one in stored["properties"]}
    return values.get(name, [{}])[0].get("string")


def facts(catalog: Path, urn: str = INDEX) -> dict[str, Any]:
    """What the structured properties of an asset say that jobs state."""
    stored = aspect(catalog, urn, "structuredProperties") or {"properties": []}
    values = {
        one["propertyUrn"].rpartition(".")[2]: next(iter(one["values"][0].values()))
        for one in stored["properties"]
    }
    return {name: value for name, value in sorted(values.items()) if name in FACTS}


def users(catalog: Path, model: str) -> list[str]:
    urn = MODEL.replace("small", model)
    found: list[str] = (aspect(catalog, urn, "mlModelProperties") or {}).get("downstreamJobs") or []
    return found


def removed(catalog: Path, urn: str = JOB) -> bool:
    return bool((aspect(catalog, urn, "status") or {}).get("removed"))


BROKEN = {
    "SQL that does not parse": with_sql(SQL.replace(" from ", " form ")),
    "a table that the catalog does not know": with_sql(SQL.replace("people", "poeple")),
    "a column that the table does not have": with_sql(SQL.replace("p.email", "p.e_mail")),
    "a text column that the SQL does not give": {**DECLARED, "text_columns": ["bdy"]},
    "a mapped column that the SQL does not give": {**DECLARED, "fields": {"contct": "maintainer"}},
    "a field that the index does not have": {**DECLARED, "fields": {"contact": "maintaner"}},
    "a column that no field takes": {**DECLARED, "fields": {}},
    "a missing index": {**DECLARED, "index": "dcos"},
    "an ambiguous index": {**DECLARED, "index": "twice"},
    "SQL without a statement": with_sql("-- nothing yet"),
    "a column without a name": with_sql(
        "select d.title, d.body, lower(p.email) from docs d join people p on true"
    ),
    "a listed table that the catalog does not know": {
        **DECLARED,
        "upstream": {"platform": "sqlite", "tables": ["main.docs", "main.poeple"]},
        "fields": {},
    },
    "a column that two listed tables have": {
        **DECLARED,
        "upstream": {"platform": "sqlite", "tables": ["main.docs", "main.people"]},
        "fields": {"id": "maintainer"},
    },
}


class TestAJobThatCannotBeResolved:
    @pytest.fixture(autouse=True)
    def two_of_one_name(self, run: Run) -> None:
        STORE["db", "twice"] = STORE["other", "twice"] = collection("db", "twice")
        STORE["other", "twice"] = collection("other", "twice")

    @pytest.mark.parametrize("job", BROKEN.values(), ids=BROKEN)
    def test_fails_and_keeps_what_was_there_with_a_mark(
        self, run: Run, catalog: Path, job: Mapping[str, Any]
    ) -> None:
        run(DECLARED)
        drawn, info, before = columns(catalog), aspect(catalog, JOB, "dataJobInfo"), edges(catalog)
        said = refused(run, job)
        assert "embed" in said
        assert (columns(catalog), aspect(catalog, JOB, "dataJobInfo")) == (drawn, info)
        first = marks(catalog)
        assert first.keys() == before.keys() == {DOCS, PEOPLE, INDEX}
        assert not removed(catalog)
        (since,) = set(first.values())
        assert stated(catalog, JOB, "not_confirmed_since") == since
        assert since.endswith("+00:00")
        # A later failing run keeps the first instant, and the next good run takes the mark away.
        refused(run, job)
        assert marks(catalog) == first
        run(DECLARED)
        assert marks(catalog) == {}
        assert stated(catalog, JOB, "not_confirmed_since") is None
        assert edges(catalog) == before

    @pytest.mark.parametrize("job", BROKEN.values(), ids=BROKEN)
    def test_writes_nothing_if_it_never_worked(self, run: Run, catalog: Path, job: Mapping[str, Any]) -> None:
        refused(run, job)
        for urn in (JOB, "urn:li:mlModel:(urn:li:dataPlatform:openai,small,PROD)"):
            assert aspect(catalog, urn, "dataJobInfo") is None
            assert aspect(catalog, urn, "mlModelProperties") is None
        assert edges(catalog) == {}
        assert stated(catalog, INDEX, "embedding_model") is None

    def test_of_an_orchestrators_plugin_keeps_its_edges_too(
        self, run: Run, catalog: Path, emit: Emit
    ) -> None:
        emit(MetadataChangeProposalWrapper(entityUrn=JOB, aspect=DataJobInfoClass(name="x", type="COMMAND")))
        run(FOREIGN)
        drawn = columns(catalog)
        refused(run, {**FOREIGN, "text_columns": ["bdy"]})
        assert marks(catalog).keys() == {DOCS, PEOPLE, INDEX}
        assert columns(catalog) == drawn
        run(FOREIGN)
        assert marks(catalog) == {}

    def test_does_not_hold_back_the_others(self, run: Run, catalog: Path) -> None:
        STORE["db", "faq"] = replace(docs(), name=("db", "faq"))
        other = {**DECLARED, "name": "good", "index": "faq"}
        refused(run, BROKEN["SQL that does not parse"], other)
        good = JOB.replace(",embed)", ",good)")
        assert edges(catalog, good).keys() == {DOCS, PEOPLE, FAQ}

    def test_whose_collection_cannot_be_read_is_marked(self, run: Run, catalog: Path) -> None:
        run(DECLARED)
        STORE["db", "docs"] = UnreadableError("not today")
        assert "Index of an embedding job was not read" in refused(run, DECLARED)
        assert marks(catalog).keys() == {DOCS, PEOPLE, INDEX}

    def test_whose_store_is_down_is_marked(
        self, run: Run, catalog: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run(DECLARED)
        drawn = columns(catalog)

        def refuse(config: object) -> Any:
            raise UnreachableError("the store does not answer")

        monkeypatch.setattr(ScriptedSource, "open", staticmethod(refuse))
        refused(run, DECLARED)
        assert marks(catalog).keys() == {DOCS, PEOPLE, INDEX}
        assert columns(catalog) == drawn
        monkeypatch.undo()
        run(DECLARED)
        assert marks(catalog) == {}

    def test_names_what_is_spelled_almost_alike(self, run: Run) -> None:
        fields = refused(run, BROKEN["a field that the index does not have"])
        assert "maintaner; the nearest fields are maintainer" in fields
        assert "bdy; the nearest columns are body" in refused(
            run, BROKEN["a text column that the SQL does not give"]
        )
        assert "the nearest collections are db.docs" in refused(run, {**DECLARED, "index": "db.dcos"})


class TestAccept:
    def test_what_was_resolved_is_written_and_the_gap_stands_in_the_catalog(
        self, run: Run, catalog: Path
    ) -> None:
        job = with_sql(
            "select d.title, d.body, p.email as contact from docs d join poeple p on p.id = d.person",
            accept=["unknown_table"],
        )
        pipeline = run(job)
        assert "Unknown table" in warnings(pipeline)
        assert stated(catalog, JOB, "accepted_gaps") == "unknown_table"
        assert edges(catalog).keys() == {DOCS, INDEX}
        run({**DECLARED, "accept": ["unknown_table"]})
        assert stated(catalog, JOB, "accepted_gaps") is None

    def test_a_missing_index_keeps_the_job(self, run: Run, catalog: Path) -> None:
        job = {**DECLARED, "accept": ["missing_index"]}
        STORE["db", "faq"] = collection("db", "faq")
        run(job)
        drawn = columns(catalog)
        del STORE["db", "docs"]
        assert "Index of an embedding job was not found" in warnings(run(job))
        assert not removed(catalog)
        assert columns(catalog) == drawn
        assert marks(catalog).keys() == {DOCS, PEOPLE, INDEX}

    @pytest.mark.parametrize("kind", ["unknown_tables", "stopped_at_tables", "all"])
    def test_another_word_is_refused(self, run: Run, kind: str) -> None:
        with pytest.raises(Exception, match=f"accept: '{kind}' is not a kind of gap"):
            run({**DECLARED, "accept": [kind]})


class TestOneJobForSeveral:
    """One declared job may fill several indexes, in one recipe or in several."""

    @pytest.fixture(autouse=True)
    def faq(self, run: Run) -> None:
        STORE["db", "faq"] = replace(docs(), name=("db", "faq"))

    FAQ_JOB: Mapping[str, Any] = with_sql("select title, body from docs", index="faq", fields={})

    @pytest.mark.parametrize("foreign", [False, True])
    def test_recipes_keep_each_others_lineage(
        self, run: Run, catalog: Path, emit: Emit, foreign: bool
    ) -> None:
        info = DataJobInfoClass(name="from the plugin", type="COMMAND")
        emit(MetadataChangeProposalWrapper(entityUrn=JOB, aspect=info))
        one, two = (
            ({key: value for key, value in job.items() if not foreign or key in FOREIGN})
            | ({"job_urn": JOB} if foreign else {})
            for job in (DECLARED, self.FAQ_JOB)
        )
        run(one, recipe="a")
        first = columns(catalog)
        run(two, recipe="b")
        both = columns(catalog)
        assert first < both
        run(one, recipe="a")
        run(two, recipe="b")
        assert columns(catalog) == both
        # Recipe b fails: its edges are marked, those of a are not.
        refused(run, {**two, "text_columns": ["bdy"]}, recipe="b")
        assert marks(catalog).keys() == {FAQ}
        run(two, recipe="b")
        # Recipe a declares it no more: what b declares stays.
        run(recipe="a")
        assert columns(catalog) == both - first
        assert edges(catalog).keys() == {DOCS, FAQ}
        assert not removed(catalog)
        run(recipe="b")
        assert removed(catalog) is not foreign
        if foreign:
            assert edges(catalog) == {}
            assert columns(catalog) == set()

    def test_one_recipe_may_name_two_indexes(self, run: Run, catalog: Path) -> None:
        run(DECLARED, self.FAQ_JOB)
        both = columns(catalog)
        assert edges(catalog).keys() == {DOCS, PEOPLE, INDEX, FAQ}
        logic = str(aspect(catalog, JOB, "dataTransformLogic"))
        assert SQL in logic
        assert "select title, body from docs" in logic
        second = run(DECLARED, self.FAQ_JOB)
        assert second.sink.get_report().as_obj()["changed"] == 0
        run(self.FAQ_JOB)
        assert edges(catalog).keys() == {DOCS, FAQ}
        assert columns(catalog) < both

    def test_two_recipes_may_name_the_same_index(self, run: Run, catalog: Path) -> None:
        run(DECLARED, recipe="a")
        run(with_sql("select title, body from docs", fields={}), recipe="b")
        both = columns(catalog)
        assert "main.people.email -> db.docs.maintainer" in both
        run(recipe="a")
        assert edges(catalog).keys() == {DOCS, INDEX}
        run(with_sql("select title, body from docs", fields={}), recipe="b")
        assert "main.people.email -> db.docs.maintainer" not in columns(catalog)

    def test_twice_for_one_collection_is_a_failure(self, run: Run) -> None:
        assert "declared twice" in refused(run, DECLARED, {**DECLARED, "index": "db.docs"})


class TestWhatJobsStateAboutOneIndex:
    """Structured properties and typed aspects of an index are those that some job states, whichever recipe runs."""

    OTHER: Mapping[str, Any] = {**DECLARED, "name": "other"}
    LARGE: Mapping[str, Any] = {
        **OTHER,
        "embedding_model": "openai/large",
        "chunking": {"method": "sentence"},
    }

    def test_what_the_other_recipes_job_states_stays(self, run: Run, catalog: Path) -> None:
        run(DECLARED, recipe="a")
        run(self.OTHER, recipe="b")
        run(recipe="a")
        assert facts(catalog) == FACTS
        typed = aspect(catalog, INDEX, "embeddingInfo")
        assert (typed["embeddingModelKnownFrom"], typed["chunkSize"]) == ("declared", 512)
        # A run that has nothing to take back does not take it either.
        assert run(recipe="a").sink.get_report().as_obj()["changed"] == 0
        run(recipe="b")
        assert facts(catalog) == {}
        assert "embeddingModel" not in aspect(catalog, INDEX, "embeddingInfo")
        run(recipe="a")
        assert facts(catalog) == {}

    def test_they_are_what_the_other_job_states(self, run: Run, catalog: Path) -> None:
        run(self.LARGE, recipe="b")
        run(DECLARED, recipe="a")
        assert facts(catalog) == FACTS
        run(recipe="a")
        assert facts(catalog) == {"chunking_method": "sentence", "embedding_model": "openai/large"}
        assert aspect(catalog, INDEX, "embeddingInfo")["embeddingModel"] == "openai/large"

    def test_both_may_go_in_one_night(self, run: Run, catalog: Path) -> None:
        run(DECLARED, recipe="a")
        run(self.OTHER, recipe="b")
        run(recipe="a")
        run(recipe="b")
        assert facts(catalog) == {}

    @pytest.mark.parametrize("sink", ["file", "local"])
    def test_a_job_of_an_orchestrators_plugin_states_them_too(
        self, run: Run, catalog: Path, emit: Emit, sink: str
    ) -> None:
        """With typed aspects and without, as on a server that does not have the model plugin."""
        foreign = JOB.replace("embed", "theirs")
        info = DataJobInfoClass(name="theirs", type="COMMAND")
        emit(MetadataChangeProposalWrapper(entityUrn=foreign, aspect=info))
        options = {} if sink == "local" else {"custom_aspects": "off"}
        theirs = {**FOREIGN, "job_urn": foreign, "embedding_model": "openai/small"}
        run(DECLARED, recipe="a", **options)
        run(theirs, recipe="b", **options)
        run(recipe="a", **options)
        assert facts(catalog) == {"embedding_model": "openai/small"}
        run(recipe="b", **options)
        assert facts(catalog) == {}

    def test_one_job_of_two_recipes_states_what_is_left(self, run: Run, catalog: Path) -> None:
        run(DECLARED, recipe="a")
        run({**DECLARED, "embedding_model": None}, recipe="b")
        run(recipe="a")
        rest = {name: value for name, value in FACTS.items() if name != "embedding_model"}
        assert facts(catalog) == rest
        run({**DECLARED, "embedding_model": None}, recipe="b")
        assert (facts(catalog), facts(catalog, JOB)) == (rest, rest)
        assert users(catalog, "small") == []

    def test_an_edge_of_an_earlier_release_keeps_them(self, run: Run, catalog: Path, emit: Emit) -> None:
        """It does not say what its recipe states. The recipe's next run says it."""
        run(DECLARED, recipe="a")
        run({**self.OTHER, "chunking": None}, recipe="b")
        other = JOB.replace("embed", "other")
        old = DataJobPatchBuilder(other)
        owned = {"declared_by": edges(catalog, other)[INDEX]["declared_by"]}
        old.add_output_dataset(EdgeClass(destinationUrn=INDEX, properties=owned))
        emit(*old.build())
        run(recipe="a")
        assert facts(catalog) == FACTS
        run({**self.OTHER, "chunking": None}, recipe="b")
        run(recipe="a")
        assert facts(catalog) == {"embedding_model": "openai/small"}

    def test_a_catalog_that_cannot_tell_keeps_them(
        self, run: Run, catalog: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run(DECLARED, recipe="a")

        def refuse(*_: object, **__: object) -> Any:
            raise CatalogError("it does not answer")

        monkeypatch.setattr(LocalCatalog, "lineage", refuse)
        assert "it does not answer" in refused(run, recipe="a")
        monkeypatch.undo()
        assert facts(catalog) == FACTS
        assert aspect(catalog, INDEX, "embeddingInfo")["chunkSize"] == 512
        run(recipe="a")
        assert facts(catalog) == {}

    def test_what_a_job_no_longer_states_leaves_the_job_and_the_model(self, run: Run, catalog: Path) -> None:
        run(DECLARED)
        assert (facts(catalog, JOB), users(catalog, "small")) == (FACTS, [JOB])
        run({**DECLARED, "embedding_model": "openai/large", "chunking": {"method": "sentence"}})
        assert facts(catalog, JOB) == {"chunking_method": "sentence", "embedding_model": "openai/large"}
        assert (users(catalog, "small"), users(catalog, "large")) == ([], [JOB])


class TestAJobOfAnOrchestratorsPlugin:
    THEIRS: Mapping[str, Any] = {**FOREIGN, "embedding_model": "openai/small"}

    def test_that_is_dropped_keeps_nothing_of_ours(self, run: Run, catalog: Path, emit: Emit) -> None:
        info = DataJobInfoClass(name="x", type="COMMAND")
        emit(MetadataChangeProposalWrapper(entityUrn=JOB, aspect=info))
        run(self.THEIRS)
        assert aspect(catalog, JOB, "embeddingJobInfo")["embeddingModel"] == "openai/small"
        assert users(catalog, "small") == [JOB]
        run()
        assert aspect(catalog, JOB, "embeddingJobInfo") == {}
        assert (edges(catalog), users(catalog, "small")) == ({}, [])
        assert aspect(catalog, JOB, "dataJobInfo")["name"] == "x"
        assert run().sink.get_report().as_obj()["changed"] == 0

    def test_that_another_recipe_declares_keeps_it(self, run: Run, catalog: Path) -> None:
        run(self.THEIRS, recipe="a")
        run(self.THEIRS, recipe="b")
        run(recipe="a")
        assert aspect(catalog, JOB, "embeddingJobInfo")["embeddingModel"] == "openai/small"
        assert users(catalog, "small") == [JOB]
        run(recipe="b")
        assert aspect(catalog, JOB, "embeddingJobInfo") == {}

    def test_whose_edges_the_plugin_replaced_keeps_nothing_of_ours_either(
        self, run: Run, catalog: Path, emit: Emit
    ) -> None:
        run(self.THEIRS)
        nothing = DataJobInputOutputClass(inputDatasets=[], outputDatasets=[])
        emit(MetadataChangeProposalWrapper(entityUrn=JOB, aspect=nothing))
        run()
        assert aspect(catalog, JOB, "embeddingJobInfo") == {}

    def test_a_run_that_fails_leaves_it(self, run: Run, catalog: Path) -> None:
        run(self.THEIRS)
        STORE["db", "bad"] = UnreadableError("not today")
        refused(run)
        assert aspect(catalog, JOB, "embeddingJobInfo")["embeddingModel"] == "openai/small"


UNSEEN: Mapping[str, dict[str, Any]] = {
    "rows are hidden": {"hidden": "row-level security applies to the role"},
    "no rows are read": {
        "provenance": (ProvenanceCount(field="source", values={}, rows_scanned=0, rows_total=9),)
    },
    "some rows are read": {
        "provenance": (
            ProvenanceCount(field="source", values={"s3://lake/other": 1}, rows_scanned=1, rows_total=9),
        )
    },
}


class TestWhatThePayloadSaysOfADeclaredEdge:
    """It stays, marked, while a run cannot see it, and the edge itself is confirmed by its declaration."""

    LAKE = S3.format("a.md")
    JOB_OF_FILES: Mapping[str, Any] = {
        **DECLARED,
        "upstream": {"platform": "s3", "tables": [LAKE]},
        "text_columns": [],
        "fields": {},
    }

    @pytest.fixture(autouse=True)
    def seen_once(self, run: Run, catalog: Path) -> None:
        STORE["db", "docs"] = docs(**{"a.md": 7})
        run(self.JOB_OF_FILES)
        edge = edges(catalog)[self.LAKE]
        assert (edge["found_by"], edge["chunks"]) == ("declared,payload", "7")

    def unseen(self, how: str) -> None:
        STORE["db", "docs"] = replace(docs(**{"a.md": 7}), **UNSEEN[how])

    @pytest.mark.parametrize("how", UNSEEN)
    def test_stays_and_is_marked(self, run: Run, catalog: Path, how: str) -> None:
        self.unseen(how)
        run(self.JOB_OF_FILES)
        first = edges(catalog)[self.LAKE]
        assert (first["found_by"], first["chunks"]) == ("declared,payload", "7")
        assert first["payload_not_confirmed_since"].endswith("+00:00")
        assert marks(catalog) == {}
        run(self.JOB_OF_FILES)
        assert edges(catalog)[self.LAKE] == first
        # It is seen again, and then it is gone.
        STORE["db", "docs"] = docs(**{"a.md": 3})
        run(self.JOB_OF_FILES)
        edge = edges(catalog)[self.LAKE]
        assert (edge["chunks"], "payload_not_confirmed_since" in edge) == ("3", False)
        self.unseen(how)
        run(self.JOB_OF_FILES)
        STORE["db", "docs"] = docs(**{"b.md": 3})
        run(self.JOB_OF_FILES)
        edge = edges(catalog)[self.LAKE]
        assert edge.keys() == {"declared_by", "found_by"}
        assert edge["found_by"] == "declared"

    def test_stays_where_a_rule_takes_too_long(
        self, run: Run, catalog: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("datahub_llmops.lineage.provenance._SECONDS", 0.1)
        rule = {"match": "s3://lake/(a|aa)+$b", "urn": self.LAKE}
        STORE["db", "docs"] = docs(**{"a.md": 7, "a" * 80: 1})
        assert "takes too long" in refused(run, self.JOB_OF_FILES, provenance={"rules": [rule]})
        edge = edges(catalog)[self.LAKE]
        assert (edge["found_by"], edge["chunks"]) == ("declared,payload", "7")

    def test_stays_where_there_are_more_sources_than_a_run_takes(self, run: Run, catalog: Path) -> None:
        STORE["db", "docs"] = replace(
            docs(),
            provenance=(
                ProvenanceCount(
                    field="source",
                    values={"s3://lake/a.md": 7, "s3://pond/b": 9},
                    rows_scanned=16,
                    rows_total=16,
                ),
            ),
        )
        run(self.JOB_OF_FILES, provenance={"max_upstreams": 1})
        edge = edges(catalog)[self.LAKE]
        assert (edge["found_by"], edge["chunks"]) == ("declared,payload", "7")

    @pytest.mark.parametrize("how", UNSEEN)
    @pytest.mark.parametrize("goes", ["table", "job", "index"])
    def test_outlives_the_declaration(self, run: Run, catalog: Path, how: str, goes: str) -> None:
        """The payload may still name the source, so that the index has the edge itself until all rows are read."""
        self.unseen(how)
        STORE["db", "v2"] = replace(docs(), name=("db", "v2"))
        left = {
            "table": [{**self.JOB_OF_FILES, "upstream": {"platform": "s3", "tables": [S3.format("b.md")]}}],
            "job": [],
            "index": [{**self.JOB_OF_FILES, "index": "v2"}],
        }[goes]
        run(*left)
        edge = upstreams(catalog)[self.LAKE]
        assert (edge["found_by"], edge["chunks"]) == ("payload", "7")
        assert ("not_confirmed_since" in edge) is (how != "rows are hidden")
        assert ("payload_not_confirmed_since" in edge) is (how == "rows are hidden")
        STORE["db", "docs"] = docs(**{"a.md": 2})
        run(*left)
        assert upstreams(catalog)[self.LAKE] == {"found_by": "payload", "chunks": "2"}
        STORE["db", "docs"] = docs(**{"c.md": 2})
        run(*left)
        assert self.LAKE not in upstreams(catalog)

    def test_a_count_that_is_not_known_keeps_the_one_of_before(self, run: Run, catalog: Path) -> None:
        """The same on edges that only the payload draws."""
        run()
        assert upstreams(catalog)[self.LAKE] == {"found_by": "payload", "chunks": "7"}
        self.unseen("rows are hidden")
        run()
        edge = upstreams(catalog)[self.LAKE]
        assert (edge["chunks"], "payload_not_confirmed_since" in edge) == ("7", True)
        STORE["db", "docs"] = docs(**{"a.md": 7})
        run()
        assert upstreams(catalog)[self.LAKE] == {"found_by": "payload", "chunks": "7"}


class TestADeclarationThatMoves:
    @pytest.mark.parametrize("job", [DECLARED, FOREIGN])
    def test_its_edges_move_with_it(self, run: Run, catalog: Path, job: Mapping[str, Any]) -> None:
        STORE["db", "v2"] = replace(docs(), name=("db", "v2"))
        run(job)
        run({**job, "index": "v2"})
        assert edges(catalog).keys() == {DOCS, PEOPLE, urns.collection(DEPLOYMENT, ("db", "v2"))}
        assert all(" -> db.v2." in pair for pair in columns(catalog))

    def test_without_a_memory_nothing_is_taken_back(self, run: Run, catalog: Path) -> None:
        STORE["db", "v2"] = replace(docs(), name=("db", "v2"))
        run(FOREIGN, stateful_ingestion={"enabled": False})
        run({**FOREIGN, "index": "v2"}, stateful_ingestion={"enabled": False})
        assert INDEX in edges(catalog)
        run(stateful_ingestion={"enabled": False})
        assert INDEX in edges(catalog)

    def test_a_run_that_fails_takes_nothing_back_and_the_next_good_one_does(
        self, run: Run, catalog: Path
    ) -> None:
        run(FOREIGN)
        STORE["db", "bad"] = UnreadableError("not today")
        refused(run)
        assert edges(catalog).keys() == {DOCS, PEOPLE, INDEX}
        del STORE["db", "bad"]
        run()
        assert edges(catalog) == {}

    def test_what_the_orchestrators_plugin_drew_stays(self, run: Run, catalog: Path, emit: Emit) -> None:
        theirs = DataJobPatchBuilder(JOB)
        theirs.add_output_dataset(INDEX)
        theirs.add_input_dataset(EdgeClass(destinationUrn=DOCS, properties={"dag": "kb"}))
        theirs.add_fine_grained_lineage(
            FineGrainedLineageClass(
                upstreamType="FIELD_SET",
                downstreamType="FIELD",
                transformOperation="COPY",
                upstreams=[urns.schema_field(DOCS, "id")],
                downstreams=[urns.schema_field(INDEX, "title")],
            )
        )
        emit(*theirs.build())
        run(FOREIGN)
        run()
        assert edges(catalog) == {INDEX: {}, DOCS: {"dag": "kb"}}
        assert columns(catalog) == {"main.Docs.id -> db.docs.title"}


class TestAliases:
    def test_a_job_may_name_an_alias(self, run: Run, catalog: Path) -> None:
        STORE["db", "v1"] = replace(docs(), name=("db", "v1"), aliases=("current",))
        STORE["db", "v2"] = replace(docs(), name=("db", "v2"))
        for index in ("current", "db.current"):
            run({**DECLARED, "index": index})
            assert urns.collection(DEPLOYMENT, ("db", "v1")) in edges(catalog)
        # The alias moves on, and the lineage with it.
        STORE["db", "v1"] = replace(docs(), name=("db", "v1"))
        STORE["db", "v2"] = replace(docs(), name=("db", "v2"), aliases=("current",))
        run({**DECLARED, "index": "current"})
        assert edges(catalog).keys() == {DOCS, PEOPLE, urns.collection(DEPLOYMENT, ("db", "v2"))}
        assert stated(catalog, urns.collection(DEPLOYMENT, ("db", "v2")), "embedding_model") == "openai/small"

    def test_an_alias_of_several_is_ambiguous(self, run: Run, catalog: Path) -> None:
        STORE["db", "v1"] = replace(docs(), name=("db", "v1"), aliases=("current",))
        run({**DECLARED, "index": "current"})
        drawn = columns(catalog)
        STORE["db", "v2"] = replace(docs(), name=("db", "v2"), aliases=("current",))
        assert "embed: current may be db.v1, db.v2" in refused(run, {**DECLARED, "index": "current"})
        assert columns(catalog) == drawn
        assert marks(catalog).keys() == edges(catalog).keys()

    def test_a_name_comes_before_an_alias(self, run: Run, catalog: Path) -> None:
        STORE["db", "v1"] = replace(docs(), name=("db", "v1"), aliases=("docs",))
        run(DECLARED)
        assert edges(catalog).keys() == {DOCS, PEOPLE, INDEX}


class TestLessThanBefore:
    def test_a_field_that_the_sample_does_not_show_any_more(self, run: Run, catalog: Path) -> None:
        with_id = replace(
            docs(), fields=(*docs().fields, PayloadField(path="id", type="string", native_type="s"))
        )
        job = with_sql("select d.id, d.title, d.body from docs d", fields={})
        STORE["db", "docs"] = with_id
        run(job)
        drawn = columns(catalog)
        assert "main.Docs.id -> db.docs.id" in drawn
        STORE["db", "docs"] = docs()
        refused(run, job)
        assert columns(catalog) == drawn
        # It was a declaration that went: the edge goes too.
        run(with_sql("select d.title, d.body from docs d", fields={}))
        assert "main.Docs.id -> db.docs.id" not in columns(catalog)

    def test_an_index_that_is_empty_for_a_run(self, run: Run, catalog: Path) -> None:
        job = with_sql("select d.title, d.body from docs d", fields={})
        run(job)
        drawn = columns(catalog)
        STORE["db", "docs"] = replace(docs(), fields=(), text_field=None)
        assert "less_than_before" in refused(run, job)
        assert columns(catalog) == drawn

    def test_a_misspelt_table_where_unknown_tables_are_accepted(self, run: Run, catalog: Path) -> None:
        job = {**with_sql("select d.title, d.body from docs d", fields={}), "accept": ["unknown_table"]}
        run(job)
        drawn = columns(catalog)
        typo = {**with_sql("select d.title, d.body from dosc d", fields={}), "accept": ["unknown_table"]}
        assert "less_than_before" in refused(run, typo)
        assert columns(catalog) == drawn
        run({**typo, "accept": ["unknown_table", "less_than_before"]})
        assert columns(catalog) != drawn

    def test_a_schema_that_is_gone(self, run: Run, catalog: Path, emit: Emit) -> None:
        job = with_sql("select * from docs", fields={})
        run(job)
        drawn = columns(catalog)
        emit(MetadataChangeProposalWrapper(entityUrn=DOCS, aspect=StatusClass(removed=True)))
        assert "Unknown table" in refused(run, job)
        emit(MetadataChangeProposalWrapper(entityUrn=PEOPLE, aspect=StatusClass(removed=True)))
        assert "less_than_before" in refused(run, job)
        assert columns(catalog) == drawn


class TestEarlierReleases:
    """Catalogs in which no edge says who declared it."""

    def legacy(self, emit: Emit, *outputs: str) -> None:
        found = {"found_by": "declared"}
        inputs = [EdgeClass(destinationUrn=urn, properties=found) for urn in (DOCS, PEOPLE)]
        emit(
            MetadataChangeProposalWrapper(
                entityUrn=JOB, aspect=DataJobInfoClass(name="embed", type="EMBEDDING")
            ),
            MetadataChangeProposalWrapper(
                entityUrn=JOB,
                aspect=DataJobInputOutputClass(
                    inputDatasets=[],
                    outputDatasets=[],
                    inputDatasetEdges=inputs,
                    outputDatasetEdges=[EdgeClass(destinationUrn=urn) for urn in outputs],
                ),
            ),
        )

    def test_the_edges_of_the_one_index_are_taken_over(self, run: Run, catalog: Path, emit: Emit) -> None:
        self.legacy(emit, INDEX)
        run(with_sql("select title, body from docs", fields={}))
        assert edges(catalog).keys() == {DOCS, INDEX}

    def test_a_failure_marks_them(self, run: Run, catalog: Path, emit: Emit) -> None:
        self.legacy(emit, INDEX)
        refused(run, BROKEN["a missing index"])
        assert marks(catalog).keys() == {DOCS, PEOPLE, INDEX}

    def test_what_another_recipe_may_have_declared_stays(self, run: Run, catalog: Path, emit: Emit) -> None:
        elsewhere = "urn:li:dataset:(urn:li:dataPlatform:lancedb,docs,PROD)"
        self.legacy(emit, elsewhere)
        run(with_sql("select title, body from docs", fields={}))
        assert edges(catalog).keys() == {DOCS, PEOPLE, INDEX, elsewhere}
        run()
        assert not removed(catalog)
        assert elsewhere in edges(catalog)


def test_two_runs_into_an_empty_catalog_say_the_same(run: Run, tmp_path: Path) -> None:
    new = {"type": "llm-local", "config": {"path": str(tmp_path / "new.db")}}
    listed = {**DECLARED, "upstream": {"platform": "postgres", "tables": ["shop.public.docs"]}, "fields": {}}
    seen = []
    for _ in range(2):
        run(listed, sink=new)
        seen.append(edges(tmp_path / "new.db"))
    assert seen[0] == seen[1]
    assert "urn:li:dataset:(urn:li:dataPlatform:postgres,shop.public.docs,PROD)" in seen[0]


def test_a_job_that_comes_back_brings_nothing_old_with_it(run: Run, catalog: Path) -> None:
    STORE["db", "faq"] = collection("db", "faq")
    run(DECLARED, recipe="a")
    run(recipe="a")
    assert removed(catalog)
    refused(run, BROKEN["SQL that does not parse"], recipe="b")
    assert removed(catalog)
    run(with_sql("select title, body from docs", fields={}), recipe="b")
    assert not removed(catalog)
    assert edges(catalog) == {
        DOCS: {"declared_by": json.dumps({"b": {INDEX: ""}}), "found_by": "declared"},
        INDEX: {
            "declared_by": json.dumps({"b": {INDEX: ""}}),
            "declares": json.dumps({"b": FACTS}),
            "used_columns": json.dumps({"b": {"columns": {}, "hidden": []}}),
        },
    }


def test_what_lands_nowhere_is_counted(run: Run) -> None:
    pipeline: Pipeline = run(with_sql("select d.id, d.title, d.body from docs d", fields={}))
    report: Any = pipeline.source.get_report()
    assert report.outputs_without_field == 1
