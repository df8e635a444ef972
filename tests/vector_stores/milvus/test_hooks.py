"""What the hooks saw of a Milvus collection, by both frameworks' own packages, ends at the URN of ``llm-milvus``."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from datahub_llmops.answer_store import digests
from datahub_llmops.answer_store.database import Store
from datahub_llmops.answers.explain import explain
from datahub_llmops.catalog.local.catalog import LocalCatalog
from datahub_llmops.testing.runs import aspect, failures, ingest
from datahub_llmops.vector_stores.milvus.client import MilvusGrpcClient
from datahub_llmops.vector_stores.milvus.reader import MilvusReader
from hooks.seen import stored_answers, stored_writes
from vector_stores.milvus.engine import OLDEST, ROOT, SERVER, MilvusEngine, run
from vector_stores.milvus.stores import client


@pytest.mark.parametrize(
    ("framework", "retriever", "python"),
    [
        ("langchain", "VectorStoreRetriever", SERVER),
        ("llama-index", "VectorIndexRetriever", OLDEST),
    ],
)
def test_connector_and_hooks_end_at_one_urn(
    milvus: MilvusEngine, tmp_path: Path, framework: str, retriever: str, python: Path
) -> None:
    database = f"own_asked_{framework.replace('-', '_')}"
    with closing(client(milvus)) as first:
        first.create_database(database)
    store = tmp_path / "answers.db"
    run(python, "ask.py", framework, milvus.url, ROOT, database, str(store))

    [written] = stored_writes(store)
    assert written.index == {
        "platform": "milvus",
        "host": f"127.0.0.1:{milvus.port}",
        "database": database,
        "collection": "asked",
    }
    assert written.counts == {"added": 3}
    retrievals = [one for answer in stored_answers(store) for one in answer.retrievals]
    assert {one.index_number for one in retrievals} == {written.index_number}
    secret = digests.key(str(store)) or b""
    opened = Store.read(store)
    for chunk in (chunk for one in retrievals for chunk in one.chunks):
        writer = opened.writer_of(written.index_number, digests.chunk_key(secret, str(chunk.id)))
        assert writer is not None
    opened.close()
    ids = [str(chunk.id) for one in retrievals for chunk in one.chunks]
    calls = MilvusGrpcClient(milvus.url, token=ROOT, timeout=20.0, retries=0)
    with closing(MilvusReader(calls, database=database)) as reader:
        assert reader.has((database, "asked"), ids) == frozenset(ids)

    place = {"env": "DEV", "platform_instance": "eu"}
    connector = ingest(tmp_path, "milvus", url=milvus.url, token=ROOT, **place)
    assert failures(connector) == []
    index = f"urn:li:dataset:(urn:li:dataPlatform:milvus,eu.{database}.asked,DEV)"
    with closing(LocalCatalog(tmp_path / "catalog.db")) as catalog:
        assert catalog.nodes([index])
    ingest(tmp_path, "runs", store=str(store), instances=[{"platform": "milvus", **place}])
    asks = f"urn:li:dataset:(urn:li:dataPlatform:{framework},support-bot.{retriever},PROD)"
    assert [one["dataset"] for one in aspect(tmp_path, asks, "upstreamLineage")["upstreams"]] == [index]


def test_an_alias_ends_at_the_collection_of_its_database(milvus: MilvusEngine, tmp_path: Path) -> None:
    with closing(client(milvus)) as first:
        first.create_database("own_alias")
    store = tmp_path / "answers.db"
    run(SERVER, "ask.py", "alias", milvus.url, ROOT, "own_alias", str(store))
    [written] = stored_writes(store)
    retrieval = stored_answers(store)[0].retrievals[0]
    assert retrieval.index is not None
    assert (retrieval.index["collection"], written.index["collection"]) == ("current", "asked")

    assert failures(ingest(tmp_path, "milvus", url=milvus.url, token=ROOT)) == []
    ingest(tmp_path, "runs", store=str(store))
    asks = "urn:li:dataset:(urn:li:dataPlatform:langchain,support-bot.VectorStoreRetriever,PROD)"
    index = "urn:li:dataset:(urn:li:dataPlatform:milvus,own_alias.asked,PROD)"
    assert [one["dataset"] for one in aspect(tmp_path, asks, "upstreamLineage")["upstreams"]] == [index]
    opened = Store.read(store)
    with closing(opened), closing(LocalCatalog(tmp_path / "catalog.db")) as catalog:
        found = explain(opened, stored_answers(store)[0], catalog)
    assert {(one.index, one.run) for one in found.documents} == {(index, written.run)}
