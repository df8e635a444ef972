"""`llm-chroma` through DataHub's pipeline, twice, over stores that fail: nothing that exists is ever deleted."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import pytest
import yaml
from datahub.ingestion.run.pipeline import Pipeline

from datahub_llmops.catalog.local.catalog import LocalCatalog
from datahub_llmops.testing import Config, SourceContract, runs
from datahub_llmops.testing.runs import failures, report
from datahub_llmops.vector_stores.chroma.source import ChromaConfig, ChromaSource
from support.paths import ROOT
from support.stub import Call, Stub, answer_json, forward
from vector_stores.chroma.stores import ODD_DATABASE, PLANTED, ChromaServer

SECRET = "planted-token-5ec7e7"

COLLECTIONS = frozenset(
    f"default_database.{name}" for name in ("empty", "house", "llama", "mixed", "notes", "shadows")
) | {f"{ODD_DATABASE}.odd.one-1_2"}


ingest = partial(runs.ingest, system="chroma")
live = partial(runs.live, system="chroma")


class TestSource(SourceContract):
    source = ChromaSource
    system = "chroma"
    collections = COLLECTIONS
    filters: ClassVar[Config] = {
        "database_pattern": {"allow": ["default_.*"]},
        "collection_pattern": {"deny": ["(?i)LLAMA", "s.*"]},
    }
    kept = frozenset(f"default_database.{name}" for name in ("empty", "house", "mixed", "notes"))
    filtered = 3
    job: ClassVar[Config] = {"index": "default_database.notes", "fields": {"url": "source"}}
    job_edges = frozenset({("body", "document"), ("body", "embedding"), ("url", "source")})
    wrong_recipes = (
        ({}, "give either path"),
        ({"path": "a", "url": f"http://u:{SECRET}@b"}, "give either path"),
        ({"path": "a", "token": SECRET}, "belongs to a url"),
        ({"url": "http://b", "tokn": SECRET}, "tokn"),
        ({"url": "http://b", "token_header": SECRET}, "token_header"),
        ({"url": "http://b", "timeout_sec": 0}, "timeout_sec"),
    )
    secrets = (SECRET, PLANTED)
    provenance_fields = ("source", "tags")

    @pytest.fixture
    def recipe(self, stub: Stub) -> Config:
        return {"url": stub.url}

    @pytest.fixture
    def refused(self, stub: Stub) -> Config:
        stub.fail("401")
        return {"url": stub.url}

    @pytest.fixture
    def telling(self, stub: Stub) -> Config:
        stub.fail("500", when=lambda call: call.path.endswith("/notes"))
        url = stub.url.replace("//", f"//user:{SECRET}@")
        return {"url": url, "timeout_sec": 2.0, "retry_max_times": 1}


@pytest.fixture(scope="session")
def read_once(chroma_server: ChromaServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The catalog after one good run."""
    folder = tmp_path_factory.mktemp("catalog")
    pipeline = ingest(folder, url=chroma_server.url)
    assert failures(pipeline) == []
    assert live(folder) == COLLECTIONS
    return folder


@pytest.fixture
def stub(chroma_server: ChromaServer) -> Iterator[Stub]:
    """The real server, behind a proxy that fails as told."""
    missing = {"error": "NotFoundError", "message": "not there"}
    with Stub(forward(chroma_server.url), missing=missing) as server:
        yield server


def test_what_is_deleted_in_the_store_goes_and_the_rest_stays(known: Path, stub: Stub) -> None:
    def answer(call: Call) -> Any:
        # The server is shared: it is asked for a name that it does not have.
        reply = forward_answer(
            replace(call, path=re.sub("/collections/notes$", "/collections/gone", call.path))
        )
        if call.path.endswith("/databases/default_database/collections"):
            whole = forward_answer(replace(call, query={"offset": ["0"], "limit": ["100"]}))
            rest = [item for item in json.loads(whole.body) if item["name"] != "notes"]
            start, size = int(call.query["offset"][0]), int(call.query["limit"][0])
            return answer_json(rest[start : start + size])
        return reply

    forward_answer = stub.answer
    stub.answer = answer
    assert failures(ingest(known, url=stub.url)) == []
    assert live(known) == COLLECTIONS - {"default_database.notes"}


def test_a_store_that_became_empty_fails_the_run(known: Path, stub: Stub) -> None:
    def answer(call: Call) -> Any:
        reply = forward_answer(call)
        return type(reply)(body=b"[]") if call.path.endswith("/collections") else reply

    forward_answer = stub.answer
    stub.answer = answer
    pipeline = ingest(known, url=stub.url)
    assert live(known) == COLLECTIONS
    assert report(pipeline).failures


def test_both_ways_write_the_same_datasets(chroma_written: Path, tmp_path: Path, read_once: Path) -> None:
    assert failures(ingest(tmp_path, path=str(chroma_written))) == []
    assert live(tmp_path) == live(read_once)


def test_a_second_run_by_path_changes_nothing(chroma_written: Path, tmp_path: Path) -> None:
    ingest(tmp_path, path=str(chroma_written))
    second: Any = ingest(tmp_path, path=str(chroma_written)).sink.get_report()
    assert (second.changed, second.removed) == (0, 0)


@pytest.mark.parametrize("header", ["Authorization", "X-Chroma-Token"])
def test_the_token_goes_where_it_is_asked_for(header: str, stub: Stub) -> None:
    config = ChromaConfig.model_validate({"url": stub.url, "token": SECRET, "token_header": header})
    with closing(ChromaSource.open(config)) as reader:
        assert list(reader.names())
    sent = {call.headers[header.title()] for call in stub.calls}
    assert sent == {f"Bearer {SECRET}" if header == "Authorization" else SECRET}


def test_no_payload_of_a_folder_in_logs_report_or_events(
    chroma_written: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    config = {"path": str(chroma_written), "provenance": {"fields": ["source", "tags"]}}
    shown = runs.outputs(tmp_path, "chroma", config)
    assert "mixed" in shown[1]
    for text in (*shown, caplog.text):
        assert PLANTED not in text


def test_a_folder_that_is_not_there_cannot_be_reached(tmp_path: Path) -> None:
    found = ChromaSource.test_connection({"path": str(tmp_path / "nowhere")}).basic_connectivity
    assert found is not None
    assert str(found.failure_reason).startswith("Cannot reach: ")


def test_the_transformer_on_the_page_attaches_the_term(chroma_written: Path, tmp_path: Path) -> None:
    page = (ROOT / "docs" / "connectors" / "chroma.md").read_text()
    blocks = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)]
    (recipe,) = (block for block in blocks if "transformers" in block)
    recipe["source"]["config"]["path"] = str(chroma_written)
    recipe["sink"]["config"]["path"] = str(tmp_path / "catalog.db")
    rules = recipe["transformers"][0]["config"]["term_pattern"]["rules"]
    recipe["transformers"][0]["config"]["term_pattern"]["rules"] = {
        pattern.replace("docs", "notes"): terms for pattern, terms in rules.items()
    }
    pipeline = Pipeline.create(recipe, no_progress=True, report_to=None)
    pipeline.run()
    pipeline.raise_from_status()
    with closing(LocalCatalog(tmp_path / "catalog.db")) as catalog:
        terms = {
            node.name: node.terms for node in catalog.search("chroma", limit=100) if node.type == "dataset"
        }
    assert {name for name, found in terms.items() if found} == {"notes"}
    assert terms["notes"] == ("urn:li:glossaryTerm:public-documentation",)
