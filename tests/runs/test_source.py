"""From an application to the catalog and back: ``llm-runs`` into the local catalog, then ``explain``."""

from __future__ import annotations

import json
import os
from contextlib import closing
from pathlib import Path
from typing import Any

import chromadb
import pytest
from click.testing import CliRunner
from datahub.emitter.mcp import MetadataChangeProposalWrapper
from datahub.metadata.schema_classes import (
    AuditStampClass,
    DataPlatformInfoClass,
    DataProcessInstanceOutputClass,
    DataProcessInstancePropertiesClass,
    EdgeClass,
)
from langchain_core.documents import Document
from langchain_core.indexing import InMemoryRecordManager
from langchain_core.prompts import ChatPromptTemplate

import datahub_llmops.hooks as lineage
from datahub_llmops import urns
from datahub_llmops.answer_store.database import Store
from datahub_llmops.answers import explain
from datahub_llmops.answers.embedding_runs import run_key
from datahub_llmops.catalog.local.catalog import LocalCatalog
from datahub_llmops.cli import main
from datahub_llmops.errors import StoreError
from datahub_llmops.hooks import runtime
from datahub_llmops.mapping.edge_properties import key_proposal
from hooks.parts import Model, NamedEmbedding
from runs.world import INDEX, JOB, LOG, PROMPT, RETRIEVER, TABLE, World


class TestGraph:
    def test_an_application_is_drawn_whole(self, world: World) -> None:
        world.index()
        world.ask()
        report = world.runs()
        assert (report.answers_read, report.applications, report.embedding_runs) == (1, 1, 1)
        assert world.edges(JOB) == {RETRIEVER, PROMPT}
        assert world.edges(JOB, "outputDatasetEdges") == {LOG}
        [upstream] = world.aspect(RETRIEVER, "upstreamLineage")["upstreams"]
        assert upstream["dataset"] == INDEX
        assert upstream["properties"]["found_by"] == "hook"
        embed = "urn:li:dataJob:(urn:li:dataFlow:(langchain,support-bot,PROD),embed articles)"
        assert world.edges(embed) == {TABLE}
        assert world.edges(embed, "outputDatasetEdges") == {INDEX}
        catalog = LocalCatalog(world.catalog)
        walk = catalog.lineage(LOG, "up", 10)
        catalog.close()
        assert {TABLE, INDEX, RETRIEVER, JOB, LOG} <= {node.urn for node in walk.nodes}
        names = {node.urn: (node.name, node.subtype) for node in walk.nodes}
        assert names[LOG] == ("support-bot answers", "Answer Log")
        assert names[RETRIEVER][1] == "Retriever"

    def test_usage_is_counted_by_day_and_host(self, world: World) -> None:
        for _ in range(3):
            world.ask()
        world.runs()
        for urn in (INDEX, RETRIEVER, PROMPT, LOG):
            usage = world.aspect(urn, "datasetUsageStatistics")
            assert usage["totalSqlQueries"] == 3, urn
            assert usage["partitionSpec"]["partition"].startswith("host=")

    def test_a_repeat_is_harmless_and_a_late_answer_counts_its_bucket_again(self, world: World) -> None:
        world.ask()
        world.runs()
        again = world.runs()
        assert (again.answers_read, again.buckets) == (0, 0)
        world.ask()
        report = world.runs()
        assert report.buckets == 1
        assert report.answers_read == 2
        assert world.aspect(LOG, "datasetUsageStatistics")["totalSqlQueries"] == 2

    def test_without_state_everything_is_sent_each_time(self, world: World) -> None:
        world.ask()
        for _ in range(2):
            report = world.ingest("llm-runs", {"store": str(world.store)}, state=False)
            assert report.answers_read == 1

    def test_no_store_is_a_failure_that_says_so(self, world: World) -> None:
        world.handle.detach()
        with pytest.raises(Exception, match="no answer store"):
            world.runs(store=str(world.folder / "nowhere.db"))


class TestSameUrn:
    @pytest.mark.parametrize("instance", [None, "eu"])
    def test_connector_and_runs_end_at_one_urn(self, world: World, instance: str | None) -> None:
        world.index()
        world.ask()
        options: dict[str, Any] = {"env": "DEV"}
        rule: dict[str, Any] = {"platform": "chroma", "env": "DEV"}
        if instance:
            options["platform_instance"] = rule["platform_instance"] = instance
        world.connector(**options)
        world.runs(instances=[rule])
        name = f"{instance}.default_database.docs" if instance else "default_database.docs"
        index = f"urn:li:dataset:(urn:li:dataPlatform:chroma,{name},DEV)"
        assert world.aspect(index, "schemaMetadata")
        assert [one["dataset"] for one in world.aspect(RETRIEVER, "upstreamLineage")["upstreams"]] == [index]

    def test_the_catalog_is_asked_where_no_rule_says(self, world: World) -> None:
        world.index()
        world.ask()
        world.connector(env="DEV", platform_instance="eu")
        world.runs()
        index = "urn:li:dataset:(urn:li:dataPlatform:chroma,eu.default_database.docs,DEV)"
        assert [one["dataset"] for one in world.aspect(RETRIEVER, "upstreamLineage")["upstreams"]] == [index]

    def test_several_are_told_and_none_is_taken(self, world: World) -> None:
        world.index()
        world.ask()
        for instance in ("eu", "us"):
            world.ingest(
                "llm-chroma",
                {"path": str(world.folder / "chroma"), "platform_instance": instance},
                state=False,
            )
        report = world.runs()
        assert "Several indexes of this name" in str(report.warnings)
        assert world.aspect(RETRIEVER, "upstreamLineage") is None


class TestIncidents:
    def test_another_model_for_queries_and_back(self, world: World) -> None:
        from datahub_llmops.urns import embedding_mismatch

        world.index()
        world.embedding = NamedEmbedding(size=8, model="another")
        world.ask()
        world.runs()
        info = world.aspect(embedding_mismatch(INDEX), "incidentInfo")
        assert info["status"]["state"] == "ACTIVE"
        assert info["entities"] == [INDEX]
        assert "another" in info["description"]


class TestExplain:
    def test_from_an_answer_to_the_row(self, world: World) -> None:
        world.index()
        answer = world.ask()
        world.connector()
        world.runs()
        store = Store.read(world.store)
        catalog = LocalCatalog(world.catalog)
        found = explain.explain(store, explain.find(store, answer), catalog)
        by_text = explain.find_by_text(store, "forty two")[0]
        store.close()
        catalog.close()
        assert by_text.id == answer
        [prompt] = found.prompts
        assert (prompt.urn, prompt.version, prompt.in_catalog) == (PROMPT, "3", True)
        assert len(found.documents) == 2
        for document in found.documents:
            assert (document.index, document.source, document.rests_on) == (INDEX, TABLE, "row")
            assert document.key == (document.chunk or "").replace("chunk", "row")
            assert document.text_fields == ("body",)
        [writer] = found.writers
        assert (writer.job, writer.flow) == ("embed articles", "support-bot")
        assert {origin.urn: origin.rests_on for origin in found.origins}[TABLE] == "row"
        [model] = found.models
        assert (model.asked, model.served) == ("openai/gpt-test", "openai/gpt-test-2026-01")
        assert found.gaps == ()

    def test_documents_say_what_they_rest_on(self, world: World) -> None:
        documents = [
            Document("a", id="1", metadata={"source": "s3://papers/a.pdf"}),
            Document("b", id="2", metadata={}),
        ]
        world.chroma().add_documents(documents)
        world.handle.flush(5)
        answer = world.ask()
        assert world.handle.flush(5)
        store = Store.read(world.store)
        found = explain.explain(store, explain.find(store, answer), None)
        store.close()
        assert {one.chunk: one.rests_on for one in found.documents} == {"1": "source", "2": "index"}
        assert {one.run for one in found.documents} == {found.writers[0].run}

    def test_unknown_answers(self, world: World) -> None:
        world.ask()
        assert world.handle.flush(5)
        store = Store.read(world.store)
        with pytest.raises(StoreError, match="no answer"):
            explain.find(store, "ffff")
        with pytest.raises(StoreError, match="this text"):
            explain.find_by_text(store, "never said")
        assert explain.find(store, world.ids[0][:20]).id == world.ids[0]
        store.close()

    def test_an_index_of_llamaindex_read_by_langchain(self, world: World) -> None:
        from llama_index.core import Document as LlamaDocument
        from llama_index.core import MockEmbedding, StorageContext, VectorStoreIndex
        from llama_index.vector_stores.chroma import ChromaVectorStore

        client = chromadb.PersistentClient(str(world.folder / "chroma"))
        kept = ChromaVectorStore(chroma_collection=client.get_or_create_collection("docs"))
        with lineage.job("embed with llama", source=TABLE):
            VectorStoreIndex.from_documents(
                [LlamaDocument(text=f"t{n}", id_=f"d{n}") for n in range(3)],
                storage_context=StorageContext.from_defaults(vector_store=kept),
                embed_model=MockEmbedding(8),
            )
        answer = world.ask()
        assert world.handle.flush(5)
        store = Store.read(world.store)
        found = explain.explain(store, explain.find(store, answer), None)
        store.close()
        assert [one.job for one in found.writers] == ["embed with llama"]


class TestCommand:
    def run(self, world: World, *arguments: str) -> str:
        assert world.handle.flush(5)
        done = CliRunner().invoke(
            main.main, ["--catalog", str(world.catalog), *arguments, "--store", str(world.store)]
        )
        assert done.exit_code == 0, done.output
        return str(done.output)

    def test_answers(self, world: World) -> None:
        world.index()
        first, second = world.ask(), world.ask()
        shown = self.run(world, "answers", "--since", "1h").splitlines()
        assert {line.split()[0] for line in shown} == {first, second}
        found = json.loads(
            self.run(world, "answers", "--application", "support-bot", "--limit", "1", "--json")
        )
        assert found[0]["documents"] == 2
        assert json.loads(self.run(world, "answers", "--application", "other", "--json")) == []

    def test_export(self, world: World) -> None:
        answer = world.ask()
        out = world.folder / "out.jsonl"
        assert "1 answers" in self.run(world, "answers", "export", str(out))
        assert json.loads(out.read_text())["id"] == answer

    def test_explain(self, world: World) -> None:
        world.index()
        answer = world.ask()
        world.connector()
        world.runs()
        shown = self.run(world, "explain", answer)
        for expected in (
            "support version 3",
            "shop.public.articles",
            "[row]",
            "embed articles",
            "gpt-test-2026-01",
        ):
            assert expected in shown
        found = json.loads(self.run(world, "explain", "--text", "forty two", "--json"))
        assert found["answer"]["id"] == answer
        assert {one["rests_on"] for one in found["documents"]} == {"row"}

    def test_no_store(self, tmp_path: Path) -> None:
        done = CliRunner().invoke(main.main, ["answers", "--store", str(tmp_path / "none.db")])
        assert done.exit_code == 1
        assert "no answer store" in done.output


class TestDeclaredJobs:
    """A job that a recipe declares and that was seen at work is one job, and no run of either changes it back."""

    DECLARED = "urn:li:dataJob:(urn:li:dataFlow:(airflow,kb,PROD),embed articles)"
    OTHER = "urn:li:dataset:(urn:li:dataPlatform:postgres,shop.public.authors,PROD)"

    @pytest.fixture(autouse=True)
    def tables(self, world: World) -> None:
        """The catalog knows both: a table that it does not know gets no edge."""
        world.emit(key_proposal(TABLE), key_proposal(self.OTHER))

    def declare(self, world: World) -> None:
        world.connector(
            embedding_jobs=[
                {
                    "name": "embed articles",
                    "flow": "kb",
                    "orchestrator": "airflow",
                    "schedule": "@daily",
                    "index": "docs",
                    "upstream": {
                        "platform": "postgres",
                        "tables": ["shop.public.articles", "shop.public.authors"],
                    },
                    "text_columns": ["body"],
                }
            ]
        )

    def write(self, world: World, source: str) -> None:
        documents = [Document(f"of {source}", metadata={"row_id": "1"})]
        with lineage.job("embed articles", flow="kb", orchestrator="airflow", source=source):
            world.chroma().add_documents(documents)

    def inputs(self, world: World) -> dict[str, dict[str, str]]:
        found = world.aspect(self.DECLARED, "dataJobInputOutput")["inputDatasetEdges"]
        return {edge["destinationUrn"]: edge["properties"] for edge in found}

    def ways(self, world: World) -> dict[str, str]:
        return {urn: properties["found_by"] for urn, properties in self.inputs(world).items()}

    def test_what_is_declared_stays(self, world: World) -> None:
        self.write(world, TABLE)
        self.declare(world)
        declared = world.aspect(self.DECLARED, "dataJobInfo")
        assert declared["customProperties"]["schedule"] == "@daily"
        report = world.runs()
        assert report.embedding_runs == 1
        assert self.ways(world) == {TABLE: "declared,hook", self.OTHER: "declared"}
        both = self.inputs(world)
        self.declare(world)
        assert self.inputs(world) == both
        world.ingest("llm-runs", {"store": str(world.store)}, state=False)
        assert self.inputs(world) == both
        assert world.aspect(self.DECLARED, "dataJobInfo") == declared

    def test_what_only_the_hooks_saw_outlives_the_recipe(self, world: World) -> None:
        elsewhere = "urn:li:dataset:(urn:li:dataPlatform:postgres,shop.public.notes,PROD)"
        self.write(world, elsewhere)
        self.declare(world)
        world.runs()
        self.declare(world)
        assert self.ways(world) == {TABLE: "declared", self.OTHER: "declared", elsewhere: "hook"}

    def test_what_nobody_declared_is_added(self, world: World) -> None:
        elsewhere = "urn:li:dataset:(urn:li:dataPlatform:postgres,shop.public.notes,PROD)"
        self.write(world, elsewhere)
        self.declare(world)
        world.runs()
        assert self.ways(world) == {TABLE: "declared", self.OTHER: "declared", elsewhere: "hook"}

    def test_a_job_that_only_the_hooks_know_follows_what_they_see(self, world: World) -> None:
        self.write(world, TABLE)
        world.runs()
        with lineage.application("another-bot"):
            self.write(world, TABLE)
        world.runs()
        info = world.aspect(self.DECLARED, "dataJobInfo")
        assert info["customProperties"]["application"] == "another-bot"

    @pytest.mark.parametrize("name", ["embed articles", None])
    def test_indexing_says_its_flow_too(self, world: World, name: str | None) -> None:
        lineage.index(
            [Document("text", metadata={"row_id": "1"})],
            InMemoryRecordManager(namespace="kb"),
            world.chroma(),
            key_encoder="sha256",
            job_name=name,
            flow="kb",
            orchestrator="airflow",
        )
        world.runs()
        job = f"urn:li:dataJob:(urn:li:dataFlow:(airflow,kb,PROD),{name or 'index docs'})"
        assert world.edges(job, "outputDatasetEdges") == {INDEX}


def test_a_prompt_that_no_registry_has_is_a_prompt_in_the_catalog(world: World) -> None:
    prompt = ChatPromptTemplate.from_template("{question}")
    prompt.metadata = {"prompt_name": "answer", "prompt_version": "2"}
    with lineage.answer():
        Model().invoke(prompt.invoke({"question": "q"}))
    world.runs()
    urn = "urn:li:dataset:(urn:li:dataPlatform:custom,answer.v2,PROD)"
    assert world.edges(JOB) == {urn}
    assert world.aspect(urn, "subTypes")["typeNames"] == ["Prompt"]


def test_a_run_that_has_edges_of_its_own_is_shown_to_programs_only(world: World) -> None:
    """Such runs come from other sources; ours have none."""
    world.index()
    world.ask()
    world.runs()
    run = "urn:li:dataProcessInstance:of-airflow"
    stamp = AuditStampClass(time=0, actor="urn:li:corpuser:airflow")
    edges = [EdgeClass(destinationUrn=LOG)]
    world.emit(
        MetadataChangeProposalWrapper(
            entityUrn=run, aspect=DataProcessInstancePropertiesClass(name="nightly", created=stamp)
        ),
        MetadataChangeProposalWrapper(
            entityUrn=run, aspect=DataProcessInstanceOutputClass(outputs=[], outputEdges=edges)
        ),
    )
    command = ["--catalog", str(world.catalog), "lineage", LOG, "--up", "--hops", "10"]
    shown = CliRunner().invoke(main.main, command).output
    assert "embed articles  Embedding Job" in shown
    assert "Run" not in shown
    nodes = json.loads(CliRunner().invoke(main.main, [*command, "--json"]).output)["nodes"]
    assert [node["urn"] for node in nodes if node["type"] == "dataProcessInstance"] == [run]
    own = CliRunner().invoke(main.main, ["--catalog", str(world.catalog), "lineage", run, "--down"]).output
    assert "  Run" in own
    page = CliRunner().invoke(main.main, ["--catalog", str(world.catalog), "show", LOG]).output
    assert "1 LLM application, 1 run: support-bot" in page


def test_explain_tells_runs_once(world: World) -> None:
    world.index()
    answer = world.ask()
    world.connector()
    world.runs()
    shown = CliRunner().invoke(
        main.main, ["--catalog", str(world.catalog), "explain", answer, "--store", str(world.store)]
    )
    assert "dataProcessInstance" not in shown.output


def test_a_logo_that_somebody_chose_stays(world: World) -> None:
    platform = "urn:li:dataPlatform:langchain"
    chosen = DataPlatformInfoClass(
        name="langchain", type="OTHERS", datasetNameDelimiter=".", logoUrl="https://wiki.example/chain.png"
    )
    world.emit(MetadataChangeProposalWrapper(entityUrn=platform, aspect=chosen))
    world.ask()
    world.runs()
    assert world.aspect(platform, "dataPlatformInfo")["logoUrl"] == "https://wiki.example/chain.png"


class TestEndsOfRuns:
    """A run whose process is killed looks like one that raises: nobody says that it ended."""

    @staticmethod
    def events(world: World, run: str) -> dict[str, str | None]:
        """What is known of an embedding run: the status of each event, with its result."""
        world.runs()
        with closing(LocalCatalog(world.catalog)) as catalog:
            urn = urns.process_instance(run_key(run, INDEX))
            found = catalog.series(urn, "dataProcessInstanceRunEvent", 0)
        return {one["status"]: (one.get("result") or {}).get("type") for one in found}

    @staticmethod
    def write(world: World, *, fails: bool = False) -> None:
        world.chroma().add_documents([Document("text", id="chunk-0")])
        if fails:
            raise ZeroDivisionError

    def test_one_that_came_to_its_end_ended_well(self, world: World) -> None:
        with lineage.job("embed articles", source=TABLE) as run:
            self.write(world)
            assert self.events(world, run) == {"STARTED": None}
        assert self.events(world, run) == {"STARTED": None, "COMPLETE": "SUCCESS"}

    def test_one_that_did_not_come_to_its_end_has_not_ended(self, world: World) -> None:
        with pytest.raises(ZeroDivisionError), lineage.job("embed articles", source=TABLE) as run:
            self.write(world, fails=True)
        assert self.events(world, run) == {"STARTED": None}

    def test_a_process_that_is_forked_inside_of_it_does_not_say_how_it_stands(self, world: World) -> None:
        with lineage.job("embed articles", source=TABLE) as run:
            current = runtime.current_job.get()
            assert current is not None
            current._process = os.getpid() + 1  # As in a child.
            self.write(world)
            current.last = None
        assert self.events(world, run) == {"STARTED": None, "COMPLETE": "SUCCESS"}
