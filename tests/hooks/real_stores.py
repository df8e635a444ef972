"""Stores of both frameworks over real engines, each written to and asked by its own integration package."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import chromadb
from elasticsearch import AsyncElasticsearch, Elasticsearch
from langchain_core.documents import Document
from llama_index.core import Document as LlamaDocument
from llama_index.core import MockEmbedding, StorageContext, VectorStoreIndex
from opensearchpy import AsyncOpenSearch

import datahub_llmops.hooks as lineage
from datahub_llmops.hooks import guard
from hooks.parts import NamedEmbedding
from support.paths import TESTS
from support.stub import Answer, Call, Reply
from vector_stores.chroma.stores import ChromaServer
from vector_stores.pgvector.stores import Postgres
from vector_stores.qdrant.engine import QdrantEngine
from vector_stores.search.stores import call

EMBEDDING = NamedEmbedding(size=8)
IDS = [f"00000000-0000-4000-8000-{number:012d}" for number in range(3)]
"""UUIDs: Qdrant takes no other text."""
DATABASE = "kb"


@dataclass(frozen=True, slots=True)
class Engines:
    """What the stores lie in."""

    folder: Path
    postgres: Postgres
    engine: QdrantEngine
    qdrant: str
    """Where the engine is served."""
    chroma: ChromaServer
    opensearch: str
    """Where the emulator is served, ``with_search``."""
    elasticsearch: str
    """Where the stand-in is served, ``with_search``."""


@dataclass(frozen=True, slots=True)
class Case:
    """One class of an integration package, and what the connector of its engine calls the index."""

    platform: str
    system: str
    """Of the connector: ``llm-<system>``."""
    index: str
    """Dataset name without the platform instance."""
    make: Callable[[Engines], Any]
    config: Callable[[Engines], dict[str, Any]]
    ids: bool = True
    """Whether what is found says its id."""
    how: tuple[str, ...] = ("sync", "async")
    apart: bool = False
    """Whether ``make`` says an address only, for a process of its own (``apart``)."""


def with_search(engine: Answer) -> Answer:
    """Before OpenSearch's emulator, which refuses k-NN: every document is as near as any other.

    The index and the documents found stay the engine's own; their order and scores mean nothing.
    """

    def answer(asked: Call) -> Reply:
        if asked.path.endswith("/_search"):
            body = asked.json
            nearest = body.pop("knn", None)  # Elasticsearch's is beside the query, OpenSearch's is one.
            if nearest is not None:
                body |= {"query": {"match_all": {}}, "size": nearest["k"]}
            elif "knn" in body.get("query", {}):
                body["query"] = {"match_all": {}}
            asked = replace(asked, body=json.dumps(body).encode())
        return engine(asked)

    return answer


def langchain_documents() -> list[Document]:
    return [
        Document(f"text {number}", id=one, metadata={"source": f"s3://kb/{number}.md"})
        for number, one in enumerate(IDS)
    ]


def langchain(store: Any, how: str) -> None:
    """A job writes, a retriever asks."""
    retriever = store.as_retriever(search_kwargs={"k": 2})
    if how == "sync":
        store.add_documents(langchain_documents(), ids=IDS)
        found = retriever.invoke("q")
    else:

        async def both() -> Any:
            await store.aadd_documents(langchain_documents(), ids=IDS)
            found = await retriever.ainvoke("q")
            await _closed(store)
            return found

        found = asyncio.run(both())
    assert len(found) == 2


async def _closed(store: Any) -> None:
    """What aiohttp would else complain of later, while any test runs."""
    for client in (getattr(store, "client", None), getattr(store, "async_client", None)):
        if isinstance(client, (AsyncElasticsearch, AsyncOpenSearch)):
            await client.close()


def llamaindex(store: Any, how: str) -> None:
    """The same."""
    documents = [
        LlamaDocument(text=f"text {number}", metadata={"source": f"s3://kb/{number}.md"})
        for number in range(3)
    ]
    index = VectorStoreIndex.from_documents(
        documents[:2],
        storage_context=StorageContext.from_defaults(vector_store=store),
        embed_model=MockEmbedding(8, model_name="text-embedding-3-small"),
    )
    retriever = index.as_retriever(similarity_top_k=2)
    if how == "sync":
        index.insert(documents[2])
        found = retriever.retrieve("q")
    else:

        async def both() -> Any:
            await index.ainsert(documents[2])
            return await retriever.aretrieve("q")

        found = asyncio.run(both())
    assert len(found) == 2


# LangChain


def _chroma(engines: Engines) -> Any:
    from langchain_chroma import Chroma

    return Chroma("docs", EMBEDDING, persist_directory=str(engines.folder / "chroma"))


def _chroma_served(engines: Engines) -> Any:
    from langchain_chroma import Chroma

    return Chroma("docs", EMBEDDING, client=engines.chroma.client())


def _pgvector(engines: Engines) -> Any:
    from langchain_postgres import PGVector

    return PGVector(
        EMBEDDING,
        connection=engines.postgres.sqlalchemy(DATABASE),
        collection_name="handbook",
        use_jsonb=True,
    )


def _pgvector_async(engines: Engines) -> Any:
    from langchain_postgres import PGVector

    return PGVector(
        EMBEDDING,
        connection=engines.postgres.sqlalchemy(DATABASE),
        collection_name="handbook",
        use_jsonb=True,
        async_mode=True,
        create_extension=False,
    )


def _pgvectorstore(engines: Engines) -> Any:
    from langchain_postgres import PGEngine, PGVectorStore

    engine = PGEngine.from_connection_string(engines.postgres.sqlalchemy(DATABASE))
    engine.init_vectorstore_table("store_docs", vector_size=8, overwrite_existing=True)
    return PGVectorStore.create_sync(engine=engine, table_name="store_docs", embedding_service=EMBEDDING)


def _qdrant(engines: Engines) -> Any:
    from langchain_qdrant import QdrantVectorStore

    return QdrantVectorStore.from_texts([], EMBEDDING, url=engines.qdrant, collection_name="docs")


def _lancedb(engines: Engines) -> Any:
    from langchain_lancedb import LanceDB  # type: ignore[import-untyped]  # ships no types

    return LanceDB(EMBEDDING, uri=str(engines.folder / "lance"), table_name="docs")


def _lancedb_community(engines: Engines) -> Any:
    from langchain_community.vectorstores import LanceDB

    return LanceDB(uri=str(engines.folder / "lance"), embedding=EMBEDDING, table_name="docs")


def _opensearch(engines: Engines, name: str = "docs") -> Any:
    from langchain_community.vectorstores import OpenSearchVectorSearch

    return OpenSearchVectorSearch(engines.opensearch, name, EMBEDDING, engine="faiss", timeout=60)


def _elasticsearch(engines: Engines, name: str = "docs") -> Any:
    from langchain_elasticsearch import ElasticsearchStore

    client = Elasticsearch(engines.elasticsearch, request_timeout=60)
    return ElasticsearchStore(name, embedding=EMBEDDING, client=client)


def _elasticsearch_async(engines: Engines) -> Any:
    from langchain_elasticsearch import AsyncElasticsearchStore

    client = AsyncElasticsearch(engines.elasticsearch, request_timeout=60)
    return AsyncElasticsearchStore("docs", embedding=EMBEDDING, client=client)


# LlamaIndex


def _llama_chroma(engines: Engines) -> Any:
    from llama_index.vector_stores.chroma import ChromaVectorStore

    client = chromadb.PersistentClient(str(engines.folder / "chroma"))
    return ChromaVectorStore(chroma_collection=client.get_or_create_collection("docs"))


def _llama_chroma_served(engines: Engines) -> Any:
    from llama_index.vector_stores.chroma import ChromaVectorStore

    return ChromaVectorStore(chroma_collection=engines.chroma.client().get_or_create_collection("docs"))


def _llama_postgres(engines: Engines) -> Any:
    from llama_index.vector_stores.postgres import PGVectorStore

    return PGVectorStore.from_params(
        connection_string=engines.postgres.sqlalchemy(DATABASE, "psycopg2"),
        async_connection_string=engines.postgres.sqlalchemy(DATABASE, "asyncpg"),
        table_name="Llama",
        embed_dim=8,
        use_jsonb=True,
    )


def _llama_qdrant(engines: Engines) -> Any:
    from llama_index.vector_stores.qdrant import QdrantVectorStore
    from qdrant_client import AsyncQdrantClient, QdrantClient

    return QdrantVectorStore(
        collection_name="docs",
        client=QdrantClient(url=engines.qdrant),
        aclient=AsyncQdrantClient(url=engines.qdrant),
    )


def _llama_lancedb(engines: Engines) -> Any:
    from llama_index.vector_stores.lancedb import LanceDBVectorStore

    return LanceDBVectorStore(uri=str(engines.folder / "lance"), table_name="docs")


def _llama_opensearch(engines: Engines) -> Any:
    from llama_index.vector_stores.opensearch import OpensearchVectorClient, OpensearchVectorStore

    return OpensearchVectorStore(OpensearchVectorClient(engines.opensearch, "docs", 8, timeout=60))


def _llama_elasticsearch(engines: Engines) -> str:
    """Where it is: the package patches the event loop of the process that makes a store."""
    return engines.elasticsearch


def apart(url: str, how: str, path: Path) -> None:
    """``used_apart`` in a process of its own, whose hooks write to the store at ``path``."""
    code = "import sys; from hooks.real_stores import used_apart; used_apart(*sys.argv[1:])"
    command = [sys.executable, "-c", code, url, how, str(path)]
    folder = TESTS
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


def used_apart(url: str, how: str, path: str) -> None:
    """LlamaIndex over Elasticsearch, as an application with the hooks attached."""
    from llama_index.vector_stores.elasticsearch import ElasticsearchStore

    guard.reraise = True
    handle = lineage.attach("support-bot", version="7", store=path)
    llamaindex(ElasticsearchStore("docs", AsyncElasticsearch(url, request_timeout=60)), how)
    assert handle.flush(10)
    assert handle.stats()["degraded"] == []
    handle.detach()


# By an alias


@dataclass(frozen=True, slots=True, kw_only=True)
class Alias:
    """How a collection of a ``Case`` gets another name, and who asks for it by that."""

    case: str
    give: Callable[[Engines, str, str], object]
    """Of a collection its alias."""
    make: Callable[[Engines, str], Any]


def _qdrant_alias(engines: Engines, collection: str, alias: str) -> None:
    engines.engine.aliases[alias] = collection


def _qdrant_by(engines: Engines, name: str) -> Any:
    from langchain_qdrant import QdrantVectorStore

    return QdrantVectorStore.from_existing_collection(name, EMBEDDING, url=engines.qdrant)


def _opensearch_alias(engines: Engines, collection: str, alias: str) -> None:
    call(engines.opensearch, "PUT", f"/{collection}/_alias/{alias}")


ALIASES = {
    "qdrant": Alias(case="qdrant", give=_qdrant_alias, make=_qdrant_by),
    "opensearch": Alias(case="opensearch", give=_opensearch_alias, make=_opensearch),
    "elasticsearch": Alias(case="elasticsearch", give=_opensearch_alias, make=_elasticsearch),
}


# Recipes of the connectors


def _of_chroma(engines: Engines) -> dict[str, Any]:
    return {"path": str(engines.folder / "chroma")}


def _of_chroma_served(engines: Engines) -> dict[str, Any]:
    return {"url": engines.chroma.url}


def _of_postgres(engines: Engines) -> dict[str, Any]:
    return {"connection": engines.postgres.uri(DATABASE)}


def _of_qdrant(engines: Engines) -> dict[str, Any]:
    return {"url": engines.qdrant}


def _of_lancedb(engines: Engines) -> dict[str, Any]:
    return {"path": str(engines.folder / "lance")}


def _of_opensearch(engines: Engines) -> dict[str, Any]:
    return {"url": engines.opensearch}


def _of_elasticsearch(engines: Engines) -> dict[str, Any]:
    return {"url": engines.elasticsearch}


CHROMA = "default_database.docs"
SHARED = f"{DATABASE}.public.langchain_pg_embedding.handbook"
LANGCHAIN = {
    "chroma folder": Case("chroma", "chroma", CHROMA, _chroma, _of_chroma),
    "chroma server": Case("chroma", "chroma", CHROMA, _chroma_served, _of_chroma_served),
    "PGVector": Case("postgres", "pgvector", SHARED, _pgvector, _of_postgres, how=("sync",)),
    "PGVector async": Case("postgres", "pgvector", SHARED, _pgvector_async, _of_postgres, how=("async",)),
    "PGVectorStore": Case(
        "postgres", "pgvector", f"{DATABASE}.public.store_docs", _pgvectorstore, _of_postgres
    ),
    "qdrant": Case("qdrant", "qdrant", "docs", _qdrant, _of_qdrant),
    "lancedb": Case("lancedb", "lancedb", "docs", _lancedb, _of_lancedb, ids=False),
    "lancedb community": Case("lancedb", "lancedb", "docs", _lancedb_community, _of_lancedb, ids=False),
    "opensearch": Case("elasticsearch", "opensearch", "docs", _opensearch, _of_opensearch),
    "elasticsearch": Case(
        "elasticsearch", "elasticsearch", "docs", _elasticsearch, _of_elasticsearch, ids=False
    ),
    "elasticsearch async": Case(
        "elasticsearch",
        "elasticsearch",
        "docs",
        _elasticsearch_async,
        _of_elasticsearch,
        ids=False,
        how=("async",),
    ),
}
LLAMAINDEX = {
    "chroma folder": Case("chroma", "chroma", CHROMA, _llama_chroma, _of_chroma),
    "chroma server": Case("chroma", "chroma", CHROMA, _llama_chroma_served, _of_chroma_served),
    "postgres": Case("postgres", "pgvector", f"{DATABASE}.public.data_llama", _llama_postgres, _of_postgres),
    "qdrant": Case("qdrant", "qdrant", "docs", _llama_qdrant, _of_qdrant),
    "lancedb": Case("lancedb", "lancedb", "docs", _llama_lancedb, _of_lancedb),
    "opensearch": Case("elasticsearch", "opensearch", "docs", _llama_opensearch, _of_opensearch),
    "elasticsearch": Case(
        "elasticsearch",
        "elasticsearch",
        "docs",
        _llama_elasticsearch,
        _of_elasticsearch,
        apart=True,
    ),
}
