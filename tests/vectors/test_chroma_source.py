"""`llm-chroma` through DataHub's pipeline, twice, over stores that fail: nothing that exists is ever deleted."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from datahub.ingestion.run.pipeline import Pipeline
from pydantic import ValidationError

from datahub_llmops.catalog.local import LocalCatalog
from datahub_llmops.vectors.chroma import ChromaConfig, ChromaSource
from stub import Call, Stub, forward, refused_url
from vectors import runs
from vectors.chroma_stores import ODD_DATABASE, PLANTED, ChromaServer
from vectors.runs import failures, report

SECRET = "planted-token-5ec7e7"

COLLECTIONS = {
    f"default_database.{name}" for name in ("empty", "house", "llama", "mixed", "notes", "shadows")
} | {f"{ODD_DATABASE}.odd.one-1_2"}


ingest = partial(runs.ingest, system="chroma")
live = partial(runs.live, system="chroma")


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
        reply = forward_answer(call)
        if call.path.endswith("/databases/default_database/collections"):
            rest = [item for item in json.loads(reply.body) if item["name"] != "notes"]
            return type(reply)(body=json.dumps(rest).encode())
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


def test_a_second_run_changes_nothing(chroma_written: Path, tmp_path: Path) -> None:
    ingest(tmp_path, path=str(chroma_written))
    second: Any = ingest(tmp_path, path=str(chroma_written)).sink.get_report()
    assert (second.changed, second.removed) == (0, 0)


def test_the_filters_are_databases_and_collections(chroma_written: Path, tmp_path: Path) -> None:
    pipeline = ingest(
        tmp_path,
        path=str(chroma_written),
        database_pattern={"allow": ["default_.*"]},
        collection_pattern={"deny": ["(?i)LLAMA", "s.*"]},
    )
    assert live(tmp_path) == {f"default_database.{name}" for name in ("empty", "house", "mixed", "notes")}
    assert report(pipeline).items_filtered == 3


@pytest.mark.parametrize("header", ["Authorization", "X-Chroma-Token"])
def test_the_token_goes_where_it_is_asked_for(header: str, stub: Stub) -> None:
    config = ChromaConfig.model_validate({"url": stub.url, "token": SECRET, "token_header": header})
    with closing(ChromaSource.open(config)) as reader:
        assert list(reader.names())
    sent = {call.headers[header.title()] for call in stub.calls}
    assert sent == {f"Bearer {SECRET}" if header == "Authorization" else SECRET}


def test_no_secret_and_no_payload_in_logs_report_or_events(
    chroma_written: Path, stub: Stub, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    rules = [{"match": "kb:[^:]+:0", "urn": "urn:li:dataset:(urn:li:dataPlatform:s3,known,PROD)"}]
    provenance = {"fields": ["source", "tags"], "rules": rules}
    url = stub.url.replace("//", f"//user:{SECRET}@")
    by_url = {"url": url, "timeout_sec": 2.0, "retry_max_times": 1, "provenance": provenance}
    stub.fail("500", when=lambda call: call.path.endswith("/notes"))
    shown: list[str] = []
    for config in (by_url, {"path": str(chroma_written), "provenance": provenance}):
        for sink in ("llm-local", "file"):
            target = tmp_path / f"{sink}-{len(shown)}"
            option = {"path": str(target)} if sink == "llm-local" else {"filename": str(target)}
            recipe = {
                "source": {"type": "llm-chroma", "config": config},
                "sink": {"type": sink, "config": option},
            }
            pipeline = Pipeline.create(recipe, no_progress=True, report_to=None)
            pipeline.run()
            shown.append(pipeline.source.get_report().as_string() + pipeline.sink.get_report().as_string())
            shown.append(target.read_bytes().decode("utf-8", "replace"))
    assert "mixed" in shown[1]
    # The value that a rule matches became an edge to the dataset that the rule names.
    assert all("s3,known" in events for events in shown[1::2])
    for text in (*shown, caplog.text):
        assert SECRET not in text
        assert PLANTED not in text


def test_the_transformer_on_the_page_attaches_the_term(chroma_written: Path, tmp_path: Path) -> None:
    page = (Path(__file__).parent.parent.parent / "docs" / "connectors" / "chroma.md").read_text()
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


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, "give either path"),
        ({"path": "a", "url": f"http://u:{SECRET}@b"}, "give either path"),
        ({"path": "a", "token": SECRET}, "belongs to a url"),
        ({"url": "http://b", "tokn": SECRET}, "tokn"),
        ({"url": "http://b", "token_header": SECRET}, "token_header"),
        ({"url": "http://b", "timeout_sec": 0}, "timeout_sec"),
    ],
)
def test_a_wrong_recipe_says_what_is_wrong(config: Mapping[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message) as caught:
        ChromaConfig.model_validate(config)
    assert SECRET not in str(caught.value)


def test_test_connection_tells_the_cases_apart(stub: Stub, tmp_path: Path) -> None:
    def verdict(**config: Any) -> str:
        found = ChromaSource.test_connection(config).basic_connectivity
        assert found is not None
        return f"{found.capable}: {found.mitigation_message or found.failure_reason}"

    assert verdict(url=stub.url) == "True: Works, sees 7 collections."
    stub.fail("401")
    assert verdict(url=stub.url).startswith("False: Not allowed: ")
    with refused_url() as url:
        assert verdict(url=url, retry_max_times=0).startswith("False: Cannot reach: ")
    assert verdict(path=str(tmp_path / "nowhere")).startswith("False: Cannot reach: ")
