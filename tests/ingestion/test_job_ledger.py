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
from datahub_llmops.assets.collections import PayloadField
from datahub_llmops.errors import UnreachableError, UnreadableError
from ingestion.recipes import (
    DECLARED,
    DEPLOYMENT,
    DOCS,
    INDEX,
    JOB,
    PEOPLE,
    Emit,
    Run,
    aspect,
    docs,
    warnings,
)
from support.scripted import STORE, ScriptedSource, collection

FAQ = urns.collection(DEPLOYMENT, ("db", "faq"))
SQL = DECLARED["upstream"]["sql"]
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
        INDEX: {"declared_by": json.dumps({"b": {INDEX: ""}})},
    }


def test_what_lands_nowhere_is_counted(run: Run) -> None:
    pipeline: Pipeline = run(with_sql("select d.id, d.title, d.body from docs d", fields={}))
    report: Any = pipeline.source.get_report()
    assert report.outputs_without_field == 1
