"""For every store of both, what a hook saw of an index and what the connector says of it end at one URN."""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import weaviate
from datahub.ingestion.source.source_registry import source_registry
from llama_index.core import Document, MockEmbedding, VectorStoreIndex
from osmem_server import OsmemServer  # type: ignore[import-untyped]  # it has no types

from datahub_llmops.answer_store import digests
from datahub_llmops.answer_store.database import Store
from datahub_llmops.answers.explain import explain
from datahub_llmops.answers.resolver import InstanceConfig, MapConfig, Resolver
from datahub_llmops.catalog.local.catalog import LocalCatalog
from datahub_llmops.hooks.store_identity import identify_store
from datahub_llmops.testing.runs import aspect, failures, ingest, report
from hooks.real_stores import (
    ALIASES,
    DATABASE,
    EMBEDDING,
    IDS,
    LANGCHAIN,
    LLAMAINDEX,
    Alias,
    Case,
    Engines,
    apart,
    langchain,
    langchain_documents,
    llamaindex,
    with_search,
)
from hooks.seen import Host
from support.stub import Stub, forward
from vector_stores.chroma.stores import ChromaServer
from vector_stores.pgvector.stores import running
from vector_stores.qdrant.engine import QdrantEngine, served
from vector_stores.search.service import ElasticService
from vector_stores.search.stores import NO_INDEX, call
from vector_stores.weaviate import grpc
from vector_stores.weaviate.grpc import WeaviateGrpc
from vector_stores.weaviate.service import WeaviateService

pytestmark = pytest.mark.filterwarnings("ignore:.*langchain-community.*:DeprecationWarning")
CASES = [
    pytest.param(framework, use, case, how, id=f"{framework}-{name}-{how}")
    for framework, use, cases in (
        ("langchain", langchain, LANGCHAIN),
        ("llama-index", llamaindex, LLAMAINDEX),
    )
    for name, case in cases.items()
    for how in case.how
]


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engines]:
    folder = tmp_path_factory.mktemp("engines")
    (folder / "qdrant").mkdir()
    (folder / "chroma").mkdir()
    engine = QdrantEngine(folder / "qdrant")
    with (
        running() as postgres,
        served(engine) as qdrant,
        ChromaServer(folder / "chroma") as chroma,
        OsmemServer.start() as osmem,
        Stub(with_search(forward(osmem.url)), missing=NO_INDEX) as opensearch,
        Stub(with_search(ElasticService(osmem.url).answer)) as elasticsearch,
        closing(engine),
    ):
        yield Engines(folder, postgres, engine, qdrant.url, chroma, opensearch.url, elasticsearch.url)


@pytest.fixture
def engines(servers: Engines, tmp_path: Path) -> Engines:
    """Empty ones, but for the names."""
    servers.postgres.create(DATABASE)
    servers.engine.aliases.clear()
    for name in list(servers.engine.held):
        servers.engine.held.pop(name).shard.close()
    client = servers.chroma.client()
    for collection in client.list_collections():
        client.delete_collection(collection.name)
    for name in call(servers.opensearch, "GET", "/_alias"):
        call(servers.opensearch, "DELETE", f"/{name}")
    return replace(servers, folder=tmp_path)


@pytest.mark.parametrize(("framework", "use", "case", "how"), CASES)
def test_connector_and_hooks_end_at_one_urn(
    host: Host,
    engines: Engines,
    tmp_path: Path,
    framework: str,
    use: Callable[[Any, str], None],
    case: Case,
    how: str,
) -> None:
    store = case.make(engines)
    if case.apart:
        apart(store, how, host.path)
    else:
        use(store, how)
    [answer] = host.answers()
    [retrieval] = answer.retrievals
    [written] = host.writes()
    assert retrieval.index == written.index
    assert written.counts == {"added": 3}
    assert retrieval.embedding is not None
    assert retrieval.embedding["model"] == written.embedding["model"] == "text-embedding-3-small"  # type: ignore[index]
    assert host.handle.stats()["degraded"] == []
    assert writers(host, retrieval) == [written.run if case.ids else None] * 2
    finds_its_chunks(case, case.config(engines), retrieval)

    ends_at_the_connectors_urn(host, tmp_path, framework, case, case.config(engines))


def finds_its_chunks(case: Case, config: dict[str, Any], retrieval: Any) -> None:
    """What the framework says of its chunks is what the connector's reader finds in their index."""
    source: Any = source_registry.get(f"llm-{case.system}")
    # A chunk without an id is recorded by its digest.
    ids = [chunk.id for chunk in retrieval.chunks if not chunk.id.startswith("hmac:")]
    assert len(ids) == (2 if case.ids else 0)
    with closing(source.open(source.config_type.model_validate(config))) as reader:
        [name] = [name for name in reader.names() if ".".join(name) == case.index]
        assert reader.has(name, ids) == frozenset(ids)
        assert reader.has(name, [f"0dead0de{one[8:]}" for one in ids]) == frozenset()


def ends_at_the_connectors_urn(
    host: Host, tmp_path: Path, framework: str, case: Case, config: dict[str, Any]
) -> None:
    """What was recorded: by the catalog after a run of the connector and one of ``llm-runs``."""
    [written] = host.writes()
    assert written.index is not None
    connector = ingest(tmp_path, case.system, env="DEV", platform_instance="eu", **config)
    assert failures(connector) == []
    index = f"urn:li:dataset:(urn:li:dataPlatform:{case.platform},eu.{case.index},DEV)"
    with closing(LocalCatalog(tmp_path / "catalog.db")) as catalog:
        assert catalog.nodes([index])
    rule = {"platform": case.platform, "at": where(written.index), "platform_instance": "eu", "env": "DEV"}
    ingest(tmp_path, "runs", store=str(host.path), instances=[rule])

    kind = {"langchain": "VectorStoreRetriever", "llama-index": "VectorIndexRetriever"}[framework]
    retriever = f"urn:li:dataset:(urn:li:dataPlatform:{framework},support-bot.{kind},PROD)"
    assert [one["dataset"] for one in aspect(tmp_path, retriever, "upstreamLineage")["upstreams"]] == [index]
    flow = f"urn:li:dataFlow:({framework},support-bot,PROD)"
    job = f"urn:li:dataJob:({flow},index {written.index['collection']})"
    outputs = aspect(tmp_path, job, "dataJobInputOutput")["outputDatasetEdges"]
    assert [edge["destinationUrn"] for edge in outputs] == [index]


@pytest.mark.parametrize("ruled", [False, True], ids=["by the catalog", "by a rule"])
@pytest.mark.parametrize("alias", ALIASES.values(), ids=ALIASES)
def test_an_alias_ends_at_its_collection(
    host: Host, engines: Engines, tmp_path: Path, alias: Alias, ruled: bool
) -> None:
    case = LANGCHAIN[alias.case]
    case.make(engines).add_documents(langchain_documents(), ids=IDS)
    alias.give(engines, "docs", "current")
    assert len(alias.make(engines, "current").as_retriever(search_kwargs={"k": 2}).invoke("q")) == 2
    [answer] = host.answers()
    [written] = host.writes()
    [retrieval] = answer.retrievals
    assert retrieval.index is not None
    assert (retrieval.index["collection"], written.index["collection"]) == ("current", "docs")

    place = {"env": "DEV", "platform_instance": "eu"}
    connector = ingest(tmp_path, case.system, **place, **case.config(engines))
    assert failures(connector) == []
    rules = [{"platform": case.platform, "at": where(written.index), **place}] if ruled else []
    ingest(tmp_path, "runs", store=str(host.path), instances=rules)
    index = f"urn:li:dataset:(urn:li:dataPlatform:{case.platform},eu.docs,DEV)"
    retriever = "urn:li:dataset:(urn:li:dataPlatform:langchain,support-bot.VectorStoreRetriever,PROD)"
    assert [one["dataset"] for one in aspect(tmp_path, retriever, "upstreamLineage")["upstreams"]] == [index]

    store = Store.read(host.path)
    given = MapConfig.model_validate({"instances": rules})
    with closing(store), closing(LocalCatalog(tmp_path / "catalog.db")) as catalog:
        found = explain(store, answer, catalog, given)
    assert {one.index for one in found.documents} == {index}
    assert {one.run for one in found.documents} == {written.run if case.ids else None}
    assert not any(gap.startswith("index") or index in gap for gap in found.gaps)


def test_an_alias_of_several_collections_is_told_and_none_is_taken(
    host: Host, engines: Engines, tmp_path: Path
) -> None:
    alias, case = ALIASES["opensearch"], LANGCHAIN["opensearch"]
    for name in ("docs", "more"):
        alias.make(engines, name).add_documents(langchain_documents(), ids=IDS)
        alias.give(engines, name, "current")
    assert alias.make(engines, "current").as_retriever(search_kwargs={"k": 2}).invoke("q")
    assert host.answers()
    ingest(tmp_path, case.system, **case.config(engines))
    run = ingest(tmp_path, "runs", store=str(host.path))
    both = ", ".join(f"urn:li:dataset:(urn:li:dataPlatform:elasticsearch,{n},PROD)" for n in ("docs", "more"))
    assert f"elasticsearch:current: {both}" in str(report(run).warnings)
    retriever = "urn:li:dataset:(urn:li:dataPlatform:langchain,support-bot.VectorStoreRetriever,PROD)"
    assert aspect(tmp_path, retriever, "upstreamLineage") == {}


def test_an_alias_that_moved_stands_for_what_it_pointed_at_when_the_connector_ran(
    host: Host, engines: Engines, tmp_path: Path
) -> None:
    alias, case = ALIASES["opensearch"], LANGCHAIN["opensearch"]
    retriever = "urn:li:dataset:(urn:li:dataPlatform:langchain,support-bot.VectorStoreRetriever,PROD)"
    for name in ("docs", "more"):
        alias.make(engines, name).add_documents(langchain_documents(), ids=IDS)
        alias.give(engines, name, "current")
        assert alias.make(engines, "current").as_retriever(search_kwargs={"k": 2}).invoke("q")
        host.answers()
        ingest(tmp_path, case.system, **case.config(engines))
        ingest(tmp_path, "runs", store=str(host.path))
        call(engines.opensearch, "DELETE", f"/{name}/_alias/current")
    indexes = {n: f"urn:li:dataset:(urn:li:dataPlatform:elasticsearch,{n},PROD)" for n in ("docs", "more")}
    upstreams = aspect(tmp_path, retriever, "upstreamLineage")["upstreams"]
    assert {one["dataset"] for one in upstreams} == set(indexes.values())
    with closing(LocalCatalog(tmp_path / "catalog.db")) as catalog:
        calls = {n: catalog.latest(urn)["datasetUsageStatistics"] for n, urn in indexes.items()}
    # The first answer is of the day that was read again.
    assert {n: one["totalSqlQueries"] for n, one in calls.items()} == {"docs": 1, "more": 2}


@pytest.mark.parametrize("how", ["sync", "async"])
@pytest.mark.parametrize("framework", ["langchain", "llama-index"])
def test_stores_over_weaviate_end_at_the_connectors_urn(
    host: Host, tmp_path: Path, framework: str, how: str
) -> None:
    use, name, says_ids = {
        "langchain": (_langchain_over_weaviate, "Notes", False),
        "llama-index": (_llama_over_weaviate, "Llama", True),
    }[framework]
    with WeaviateService() as service, ExitStack() as stack:
        objects = WeaviateGrpc(service.schema_of)
        port = stack.enter_context(grpc.served(objects.answer))
        use(service.port, port, how)
        [answer] = host.answers()
        [retrieval] = answer.retrievals
        [written] = host.writes()
        assert retrieval.index == written.index
        assert written.counts == {"added": 3}
        assert host.handle.stats()["degraded"] == []
        assert writers(host, retrieval) == [written.run if says_ids else None] * 2
        case = Case("weaviate", "weaviate", name, lambda _: None, lambda _: {}, ids=says_ids)
        recorded = service.objects[name, None]
        service.objects[name, None] = [{"id": one} for one in objects.held[name]]
        finds_its_chunks(case, {"url": service.url}, retrieval)
        service.objects[name, None] = recorded
        ends_at_the_connectors_urn(host, tmp_path, framework, case, {"url": service.url})


def _langchain_over_weaviate(port: int, grpc_port: int, how: str) -> None:
    from langchain_weaviate import WeaviateVectorStore

    # The client makes the first letter of a name large.
    with weaviate.connect_to_local("127.0.0.1", port, grpc_port, skip_init_checks=True) as client:
        if how == "sync":
            langchain(WeaviateVectorStore(client, "notes", "text", EMBEDDING), how)
            return

        async def later() -> list[Any]:
            async with _weaviate_later(port, grpc_port) as asynchronous:
                store = WeaviateVectorStore(client, "notes", "text", EMBEDDING, client_async=asynchronous)
                await store.aadd_documents(langchain_documents(), ids=IDS)
                return await store.as_retriever(search_kwargs={"k": 2}).ainvoke("q")

        assert len(asyncio.run(later())) == 2


def _llama_over_weaviate(port: int, grpc_port: int, how: str) -> None:
    from llama_index.vector_stores.weaviate import WeaviateVectorStore

    if how == "sync":
        with weaviate.connect_to_local("127.0.0.1", port, grpc_port, skip_init_checks=True) as client:
            llamaindex(WeaviateVectorStore(weaviate_client=client, index_name="Llama"), how)
        return

    async def later() -> list[Any]:
        async with _weaviate_later(port, grpc_port) as client:
            index = VectorStoreIndex.from_vector_store(
                WeaviateVectorStore(weaviate_client=client, index_name="Llama"),
                embed_model=MockEmbedding(8, model_name="text-embedding-3-small"),
            )
            for number in range(3):
                await index.ainsert(Document(text=f"text {number}"))
            return await index.as_retriever(similarity_top_k=2).aretrieve("q")

    assert len(asyncio.run(later())) == 2


def _weaviate_later(port: int, grpc_port: int) -> weaviate.WeaviateAsyncClient:
    return weaviate.use_async_with_local("127.0.0.1", port, grpc_port, skip_init_checks=True)


def writers(host: Host, retrieval: Any) -> list[str | None]:
    """For each chunk that was found, the run that said it wrote it into the same index."""
    secret = digests.key(str(host.path)) or b""
    store = Store.read(host.path)
    found = [
        store.writer_of(retrieval.index_number, digests.chunk_key(secret, chunk.id))
        for chunk in retrieval.chunks
    ]
    store.close()
    return [None if writer is None else writer.run for writer in found]


def where(raw: Any) -> str:
    """A rule for this very place, as a user would write it."""
    return re.escape(str(raw.get("host") or raw["path"]))


@pytest.mark.parametrize("how", ["", "a"], ids=["sync", "async"])
@pytest.mark.parametrize("made_from", ["documents", "texts", "embeddings"])
def test_constructors_of_pgvector_reach_no_method_of_its_own(
    host: Host, engines: Engines, made_from: str, how: str
) -> None:
    from langchain_postgres import PGVector

    texts = [one.page_content for one in langchain_documents()]
    metadatas = [one.metadata for one in langchain_documents()]
    options: dict[str, Any] = {
        "connection": engines.postgres.sqlalchemy(DATABASE),
        "collection_name": "handbook",
        "ids": IDS,
    }
    if how:
        options["create_extension"] = False
    make = getattr(PGVector, f"{how}from_{made_from}")
    if made_from == "documents":
        done = make(langchain_documents(), EMBEDDING, **options)
    elif made_from == "texts":
        done = make(texts, EMBEDDING, metadatas, **options)
    else:
        pairs = list(zip(texts, EMBEDDING.embed_documents(texts), strict=True))
        done = make(pairs, EMBEDDING, metadatas=metadatas, **options)
    if inspect.iscoroutine(done):
        asyncio.run(done)
    [written] = host.writes()
    assert written.counts == {"added": 3}
    assert (written.index["collection"], written.index["partition"]) == ("langchain_pg_embedding", "handbook")
    assert sorted(str(raw["value"]) for raw, _ in written.sources) == [f"s3://kb/{n}.md" for n in range(3)]


def test_an_index_in_memory_is_no_asset_whatever_its_name() -> None:
    import chromadb
    from langchain_chroma import Chroma
    from langchain_qdrant import QdrantVectorStore
    from qdrant_client import QdrantClient

    stores = [
        Chroma("docs", EMBEDDING, client=chromadb.EphemeralClient()),
        QdrantVectorStore(QdrantClient(":memory:"), "docs", EMBEDDING, validate_collection_config=False),
    ]
    for store in stores:
        raw = identify_store(store)
        assert (raw["collection"], raw["path"]) == ("docs", ":memory:")
        rule = InstanceConfig(platform=raw["platform"], platform_instance="eu")
        assert Resolver([rule], env="PROD").index(raw) is None
