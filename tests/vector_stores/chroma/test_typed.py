"""Typed aspects of a real Chroma store: in the local catalog, in files, and on the page of ``show``."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from datahub.configuration.common import PipelineExecutionError
from datahub.ingestion.run.pipeline import Pipeline

from datahub_llmops.aspects.generated import (
    EmbeddingInfoClass,
    EmbeddingJobInfoClass,
    VectorIndexInfoClass,
    VectorIndexVectorsClass,
)
from datahub_llmops.aspects.manifest import aspect_names
from datahub_llmops.catalog.local.catalog import LocalCatalog
from datahub_llmops.cli.main import main
from ingestion.test_server_run import StandIn
from support.stub import Stub

NOTES = "urn:li:dataset:(urn:li:dataPlatform:chroma,default_database.notes,PROD)"
HOUSE = "urn:li:dataset:(urn:li:dataPlatform:chroma,default_database.house,PROD)"
JOB = "urn:li:dataJob:(urn:li:dataFlow:(airflow,kb,PROD),embed)"
DECLARED = "urn:li:mlModel:(urn:li:dataPlatform:openai,small,PROD)"
RECORDED = "urn:li:mlModel:(urn:li:dataPlatform:house,acme/encoder-2,PROD)"
EMBED = {
    "name": "embed",
    "flow": "kb",
    "orchestrator": "airflow",
    "schedule": "@daily",
    "index": "notes",
    "embedding_model": "openai/small",
    "chunking": {"method": "recursive", "size": 512, "overlap": 64},
}


def ingest(store: Path, sink: dict[str, Any], *jobs: dict[str, Any], **options: Any) -> Pipeline:
    config = {"path": str(store), "embedding_jobs": list(jobs), **options}
    recipe = {"source": {"type": "llm-chroma", "config": config}, "sink": sink}
    pipeline = Pipeline.create(recipe, no_progress=True, report_to=None)
    pipeline.run()
    pipeline.raise_from_status()
    return pipeline


def local(folder: Path) -> dict[str, Any]:
    return {"type": "llm-local", "config": {"path": str(folder / "catalog.db")}}


def lineage(folder: Path, urn: str) -> dict[str, int]:
    with closing(LocalCatalog(folder / "catalog.db")) as catalog:
        return {node.urn: node.hops for node in catalog.lineage(urn, "up").nodes}


def ours(records: list[dict[str, Any]]) -> set[str]:
    return {record["aspectName"] for record in records} & aspect_names()


@pytest.fixture
def filled(chroma_written: Path, tmp_path: Path) -> Path:
    ingest(chroma_written, local(tmp_path), EMBED)
    return tmp_path


def test_they_are_stored_and_come_back_typed(filled: Path) -> None:
    with closing(LocalCatalog(filled / "catalog.db")) as catalog:
        notes, job = catalog.aspects(NOTES), catalog.aspects(JOB)
    assert VectorIndexInfoClass.from_obj(dict(notes["vectorIndexInfo"])) == VectorIndexInfoClass(
        engine="chroma", indexType="hnsw", vectorFields=1
    )
    (row,) = VectorIndexVectorsClass.from_obj(dict(notes["vectorIndexVectors"])).vectors
    assert (row.name, row.dimension, row.metric, row.indexType) == ("embedding", 8, "l2", "hnsw")
    assert "max_neighbors=16" in row.parameters
    assert EmbeddingInfoClass.from_obj(dict(notes["embeddingInfo"])) == EmbeddingInfoClass(
        embeddingModel="openai/small",
        embeddingModels=[DECLARED],
        embeddingModelKnownFrom="declared",
        chunkingMethod="recursive",
        chunkSize=512,
        chunkOverlap=64,
        chunkingKnownFrom="declared",
        textFields="document",
        textFieldsKnownFrom="recorded",
    )
    declared = EmbeddingJobInfoClass.from_obj(dict(job["embeddingJobInfo"]))
    assert (declared.embeddingModelUrn, declared.chunkSize, declared.schedule) == (DECLARED, 512, "@daily")


def test_lineage_to_the_model_is_that_of_a_server_with_the_plugin(filled: Path) -> None:
    assert lineage(filled, NOTES)[DECLARED] == 1
    # Chroma records this one, and no job is declared.
    assert lineage(filled, HOUSE) == {HOUSE: 0, RECORDED: 1}
    with closing(LocalCatalog(filled / "catalog.db")) as catalog:
        (edge,) = catalog.lineage(HOUSE, "up").edges
        assert (edge.upstream, edge.downstream, edge.aspect) == (RECORDED, HOUSE, "embeddingInfo")
        assert [node.urn for node in catalog.lineage(RECORDED, "down").nodes] == [RECORDED, HOUSE]


def test_off_is_a_server_without_the_plugin(chroma_written: Path, tmp_path: Path) -> None:
    ingest(chroma_written, local(tmp_path), custom_aspects="off")
    # The second run finds the catalog, and joins the model to its job.
    pipeline = ingest(chroma_written, local(tmp_path), EMBED, custom_aspects="off")
    found = lineage(tmp_path, NOTES)
    assert (found[JOB], found[DECLARED]) == (1, 2)
    assert lineage(tmp_path, HOUSE) == {HOUSE: 0}
    with closing(LocalCatalog(tmp_path / "catalog.db")) as catalog:
        assert not {record.name for record in catalog.records()} & aspect_names()
        assert RECORDED not in {record.urn for record in catalog.records()}
    assert "custom_aspects is off" in pipeline.source.get_report().as_string()


def test_an_edge_goes_when_nobody_declares_the_model_any_more(chroma_written: Path, filled: Path) -> None:
    ingest(chroma_written, local(filled))
    # The store still says which field holds the text.
    assert lineage(filled, NOTES).get(DECLARED) != 1
    with closing(LocalCatalog(filled / "catalog.db")) as catalog:
        assert catalog.aspects(NOTES)["embeddingInfo"] == {
            "textFields": "document",
            "textFieldsKnownFrom": "recorded",
        }


@pytest.mark.parametrize(
    "typo",
    [{"index": "ntoes"}, {"upstream": {"platform": "sqlite", "sql": "selec body form docs"}}],
    ids=["index", "sql"],
)
def test_what_a_job_declared_stays_while_it_cannot_be_resolved(
    chroma_written: Path, filled: Path, typo: dict[str, Any]
) -> None:
    with closing(LocalCatalog(filled / "catalog.db")) as catalog:
        before = catalog.aspects(NOTES)["embeddingInfo"]
    with pytest.raises(PipelineExecutionError):
        ingest(chroma_written, local(filled), EMBED | typo)
    assert lineage(filled, NOTES)[DECLARED] == 1
    with closing(LocalCatalog(filled / "catalog.db")) as catalog:
        assert catalog.aspects(NOTES)["embeddingInfo"] == before
    assert before["embeddingModelKnownFrom"] == before["chunkingKnownFrom"] == "declared"


def test_what_a_job_does_not_declare_any_more_is_taken_back(chroma_written: Path, filled: Path) -> None:
    silent = {key: EMBED[key] for key in ("name", "flow", "orchestrator", "index")}
    ingest(chroma_written, local(filled), silent)
    with closing(LocalCatalog(filled / "catalog.db")) as catalog:
        assert catalog.aspects(JOB)["embeddingJobInfo"] == {}


def test_a_third_run_changes_nothing(chroma_written: Path, filled: Path) -> None:
    # The first one found no catalog to say which jobs the model is used by.
    ingest(chroma_written, local(filled), EMBED)
    third: Any = ingest(chroma_written, local(filled), EMBED).sink.get_report()
    assert (third.changed, third.removed, third.refused) == (0, 0, 0)


def show(folder: Path, *arguments: str) -> str:
    done = CliRunner().invoke(main, ["--catalog", str(folder / "catalog.db"), "show", *arguments])
    assert done.exit_code == 0, done.output
    return done.output


def test_show_has_the_tabs(filled: Path) -> None:
    page = show(filled, NOTES)
    for title in ("Vector Index", "Vectors", "Embedding"):
        assert f"\n{title}\n" in page
    rows = [line.split() for line in page.splitlines()]
    assert ["engine", "chroma"] in rows
    assert ["embeddingModel", "openai/small"] in rows
    assert ["embeddingModelKnownFrom", "declared"] in rows
    assert ["chunkSize", "512"] in rows
    assert ["schedule", "@daily"] in [line.split() for line in show(filled, JOB).splitlines()]
    aspects = json.loads(show(filled, NOTES, "--json"))["aspects"]
    assert aspects["embeddingInfo"]["embeddingModels"] == [DECLARED]


@pytest.mark.parametrize(
    ("mode", "written"),
    [
        ("auto", set()),
        ("off", set()),
        ("on", {"vectorIndexInfo", "vectorIndexVectors", "embeddingInfo", "embeddingJobInfo"}),
    ],
)
def test_a_file_holds_them_only_when_told(
    chroma_written: Path, tmp_path: Path, mode: str, written: set[str]
) -> None:
    file = tmp_path / "events.json"
    sink = {"type": "file", "config": {"filename": str(file)}}
    ingest(chroma_written, sink, EMBED, custom_aspects=mode)
    assert ours(json.loads(file.read_text())) == written
    stand_in = StandIn(refuses=aspect_names() - written)
    with Stub(stand_in.answer) as stub:
        replay(file, {"type": "datahub-rest", "config": {"server": stub.url}})
    assert {name for aspects in stand_in.held.values() for name in aspects} & aspect_names() == written


def replay(file: Path, sink: dict[str, Any]) -> None:
    source = {"type": "file", "config": {"path": str(file)}}
    pipeline = Pipeline.create({"source": source, "sink": sink}, no_progress=True, report_to=None)
    pipeline.run()
    pipeline.raise_from_status()


def test_an_export_leaves_them_out_unless_told(filled: Path, tmp_path: Path) -> None:
    command = ["--catalog", str(filled / "catalog.db"), "export"]
    plain, whole = tmp_path / "plain.json", tmp_path / "whole.json"
    done = CliRunner().invoke(main, [*command, str(plain)])
    assert done.exit_code == 0, done.output
    assert ours(json.loads(plain.read_text())) == set()
    assert "Left out 22 typed aspects" in done.output
    done = CliRunner().invoke(main, [*command, str(whole), "--custom-aspects"])
    assert done.exit_code == 0, done.output
    assert "left out" not in done.output
    assert "embeddingInfo" in ours(json.loads(whole.read_text()))
    again = tmp_path / "again"
    again.mkdir()
    replay(whole, local(again))
    with (
        closing(LocalCatalog(filled / "catalog.db")) as one,
        closing(LocalCatalog(again / "catalog.db")) as two,
    ):
        assert list(one.records()) == list(two.records())


def test_a_process_without_any_source_of_ours_reads_their_lineage_too(filled: Path, tmp_path: Path) -> None:
    """A file that DataHub's own source replays; in a process of its own, since registering cannot be undone."""
    whole = tmp_path / "whole.json"
    command = ["--catalog", str(filled / "catalog.db"), "export", str(whole), "--custom-aspects"]
    assert CliRunner().invoke(main, command).exit_code == 0
    again = tmp_path / "again"
    again.mkdir()
    recipe = {"source": {"type": "file", "config": {"path": str(whole)}}, "sink": local(again)}
    code = (
        "import json, sys; from datahub.ingestion.run.pipeline import Pipeline\n"
        "done = Pipeline.create(json.loads(sys.argv[1]), no_progress=True, report_to=None)\n"
        "done.run(); done.raise_from_status()"
    )
    subprocess.run([sys.executable, "-c", code, json.dumps(recipe)], check=True, capture_output=True)
    assert lineage(again, HOUSE) == {HOUSE: 0, RECORDED: 1}


def test_a_catalog_on_a_server_is_read_with_their_lineage() -> None:
    code = (
        "from datahub_llmops.catalog.aspect_edges import carries_lineage\n"
        "assert not carries_lineage('embeddingInfo')\n"
        "from datahub_llmops.catalog.server.catalog import ServerCatalog\n"
        "ServerCatalog.at('http://127.0.0.1:9').close()\n"
        "assert carries_lineage('embeddingInfo')"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
