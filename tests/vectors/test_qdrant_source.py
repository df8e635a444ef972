"""`llm-qdrant` through DataHub's pipeline, twice, over servers that fail: nothing that exists is ever deleted."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from datahub_llmops import urns
from datahub_llmops.urns import Place as UrnPlace
from datahub_llmops.vectors.qdrant import QdrantConfig, QdrantSource
from stub import Call, Reply, Stub, refused_url
from vectors.qdrant_engine import QdrantEngine, served
from vectors.qdrant_stores import COLLECTIONS, PLANTED
from vectors.runs import aspect, assigned, column_edges, failures, ingest, live, outputs, report

SECRET = "planted-key-5ec7e7"
QDRANT = "qdrant"


def urn(name: str) -> str:
    return urns.collection(UrnPlace(platform=QDRANT), (name,))


@pytest.fixture(scope="session")
def read_once(qdrant_written: QdrantEngine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The catalog after one good run."""
    folder = tmp_path_factory.mktemp("catalog")
    with served(qdrant_written) as server:
        assert failures(ingest(folder, QDRANT, url=server.url)) == []
    assert live(folder, QDRANT) == COLLECTIONS
    return folder


@pytest.fixture
def known(read_once: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(read_once, tmp_path / "known"))


@pytest.mark.parametrize(
    "words", ["", "<h1>404</h1>", '{"error": "not found"}', '{"status": {"error": "Not found"}}']
)
def test_a_404_that_is_not_qdrants_own_deletes_nothing(
    words: str, qdrant_engine: QdrantEngine, qdrant_server: Stub, known: Path
) -> None:
    def answer(call: Call) -> Reply:
        gone = call.path.endswith("/articles")
        return Reply(status=404, body=words.encode()) if gone else qdrant_engine.answer(call)

    qdrant_server.answer = answer
    pipeline = ingest(known, QDRANT, url=qdrant_server.url)
    assert "not in the words of Qdrant" in failures(pipeline)[0]
    assert live(known, QDRANT) == COLLECTIONS


def without(name: str, engine: QdrantEngine) -> Callable[[Call], Reply]:
    """The engine, with a listing that lacks one collection, or all by ``*``."""

    def answer(call: Call) -> Reply:
        reply = engine.answer(call)
        if call.path != "/collections":
            return reply
        listed = json.loads(reply.body)
        entries = listed["result"]["collections"]
        listed["result"]["collections"] = [e for e in entries if name not in ("*", e["name"])]
        return replace(reply, body=json.dumps(listed).encode())

    return answer


def test_what_is_deleted_in_the_store_goes_and_the_rest_stays(
    known: Path, qdrant_engine: QdrantEngine, qdrant_server: Stub
) -> None:
    qdrant_server.answer = without("notes", qdrant_engine)
    assert failures(ingest(known, QDRANT, url=qdrant_server.url)) == []
    assert live(known, QDRANT) == COLLECTIONS - {"notes"}


def test_a_store_that_became_empty_fails_the_run(
    known: Path, qdrant_engine: QdrantEngine, qdrant_server: Stub
) -> None:
    qdrant_server.answer = without("*", qdrant_engine)
    pipeline = ingest(known, QDRANT, url=qdrant_server.url)
    assert live(known, QDRANT) == COLLECTIONS
    assert report(pipeline).failures


def test_a_second_run_changes_nothing(tmp_path: Path, qdrant_server: Stub) -> None:
    ingest(tmp_path, QDRANT, url=qdrant_server.url)
    second: Any = ingest(tmp_path, QDRANT, url=qdrant_server.url).sink.get_report()
    assert (second.changed, second.removed) == (0, 0)


def test_what_arrives_in_the_catalog(read_once: Path) -> None:
    properties = aspect(read_once, urn("articles"), "datasetProperties")
    assert properties["name"] == "articles"
    assert properties["created"]["time"] == 1793608200123
    custom = properties["customProperties"]
    assert (custom["aliases"], custom["partitions"]) == ("a-stable, current", "eu, us")
    assert (custom["#dense.m"], custom["late.m"], custom["bm25.modifier"]) == ("24", "0", "idf")
    fields = {
        field["fieldPath"]: field["nativeDataType"]
        for field in aspect(read_once, urn("articles"), "schemaMetadata")["fields"]
    }
    assert (fields["#dense"], fields["late"], fields["bm25"]) == (
        "vector(4)",
        "multivector(3)",
        "sparsevector",
    )
    assert (fields["dense"], fields["source"]) == ("string", "keyword")
    dense = urns.schema_field(urn("articles"), "#dense")
    assert assigned(read_once, dense) == {
        "dimension": 4.0,
        "metric": "Cosine",
        "index_type": "hnsw",
        "quantization": "scalar int8",
        "embedding_model": "openai/text-embedding-3-small",
        "index_parameters": "ef_construct=120, full_scan_threshold=20, m=24, quantization_quantile=0.99, "
        "vectors_on_disk=true",
    }
    # One vector: its facts are the collection's too.
    assert assigned(read_once, urn("notes"))["dimension"] == 8.0
    assert assigned(read_once, urn("articles")) == {}
    upstreams = aspect(read_once, urn("plain"), "upstreamLineage")["upstreams"]
    assert {edge["dataset"] for edge in upstreams} == {
        urns.dataset("s3", f"b/{n}", env="PROD") for n in range(3)
    }


def test_the_filter_is_the_collection(tmp_path: Path, qdrant_server: Stub) -> None:
    pipeline = ingest(
        tmp_path, QDRANT, url=qdrant_server.url, collection_pattern={"allow": ["[a-n].*"], "deny": ["EMPTY"]}
    )
    assert live(tmp_path, QDRANT) == {"articles", "llama", "notes"}
    assert report(pipeline).items_filtered == 3


def test_the_key_goes_where_qdrant_asks_for_it(qdrant_server: Stub) -> None:
    config = QdrantConfig.model_validate({"url": qdrant_server.url, "api_key": f"{SECRET}\n"})
    with closing(QdrantSource.open(config)) as reader:
        assert list(reader.names())
    assert {call.headers["Api-Key"] for call in qdrant_server.calls} == {SECRET}


def test_no_secret_and_no_payload_in_logs_report_or_events(
    qdrant_server: Stub, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    rules = [{"match": "kb:[^:]+:0", "urn": "urn:li:dataset:(urn:li:dataPlatform:s3,known,PROD)"}]
    config = {
        "url": qdrant_server.url,
        "api_key": SECRET,
        "timeout_sec": 2.0,
        "retry_max_times": 1,
        "provenance": {"fields": ["source", "tenant", "dense"], "rules": rules},
    }
    qdrant_server.fail("500", when=lambda call: call.path.endswith("/notes"))
    shown = outputs(tmp_path, QDRANT, config)
    # The value that a rule matches became an edge to the dataset that the rule names.
    assert all("s3,known" in events for events in shown[1::2])
    for text in (*shown, caplog.text):
        assert SECRET not in text
        assert PLANTED not in text


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, "url"),
        ({"url": "http://b", "api_kye": SECRET}, "api_kye"),
        ({"url": "http://b", "timeout_sec": 0, "api_key": SECRET}, "timeout_sec"),
        ({"url": "http://b", "collection_pattern": SECRET, "api_key": SECRET}, "collection_pattern"),
    ],
)
def test_a_wrong_recipe_says_what_is_wrong(config: Mapping[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message) as caught:
        QdrantConfig.model_validate(config)
    assert SECRET not in str(caught.value)


def test_test_connection_tells_the_cases_apart(qdrant_server: Stub) -> None:
    def verdict(**config: Any) -> str:
        found = QdrantSource.test_connection(config).basic_connectivity
        assert found is not None
        return f"{found.capable}: {found.mitigation_message or found.failure_reason}"

    assert verdict(url=qdrant_server.url) == "True: Works, sees 6 collections."
    # Qdrant says who it is to anybody, and asks for the key afterwards.
    qdrant_server.fail("403", when=lambda call: call.path != "/")
    assert verdict(url=qdrant_server.url).startswith("False: Not allowed: ")
    with refused_url() as url:
        assert verdict(url=url, retry_max_times=0).startswith("False: Cannot reach: ")


def test_a_declared_job_reaches_text_vector_and_fields(tmp_path: Path, qdrant_server: Stub) -> None:
    job = {
        "name": "embed-notes",
        "index": "notes",
        "upstream": {
            "platform": "sqlite",
            "sql": "select n.body, n.url from notes n",
        },
        "text_columns": ["body"],
        "fields": {"url": "metadata.source"},
        "embedding_model": "openai/text-embedding-3-small",
    }
    assert failures(ingest(tmp_path, QDRANT, url=qdrant_server.url, embedding_jobs=[job])) == []
    assert column_edges(tmp_path, "embed-notes") == {
        ("body", "page_content"),
        ("body", "vector"),
        ("url", "metadata.source"),
    }
    assert assigned(tmp_path, urn("notes"))["embedding_model"] == "openai/text-embedding-3-small"
