"""An application over Milvus by its framework's own package: ``ask.py FRAMEWORK URL TOKEN DATABASE STORE``.

It writes three chunks, asks for two and leaves what the hooks saw in STORE. As FRAMEWORK ``alias`` it is LangChain's,
and asks for the collection by another name.
"""

from __future__ import annotations

import asyncio
import sys

import datahub_llmops.hooks as lineage

FRAMEWORK, URL, TOKEN, DATABASE, STORE = sys.argv[1:]


def langchain(asked: str = "asked") -> None:
    from langchain_core.documents import Document
    from langchain_core.embeddings import DeterministicFakeEmbedding
    from langchain_milvus import Milvus

    def named(collection: str) -> Milvus:
        return Milvus(
            DeterministicFakeEmbedding(size=8),
            collection_name=collection,
            connection_args={"uri": URL, "token": TOKEN, "db_name": DATABASE},
            auto_id=True,
            consistency_level="Strong",
        )

    store = named("asked")
    store.add_documents([Document(f"text {n}", metadata={"source": f"s3://kb/{n}.md"}) for n in range(3)])
    if asked != "asked":
        store.client.create_alias("asked", asked)
        store = named(asked)
    retriever = store.as_retriever(search_kwargs={"k": 2})
    assert len(retriever.invoke("q")) == len(asyncio.run(retriever.ainvoke("q"))) == 2


def llamaindex() -> None:
    from llama_index.core import Document, MockEmbedding, StorageContext, VectorStoreIndex
    from llama_index.vector_stores.milvus import MilvusVectorStore

    store = MilvusVectorStore(
        uri=URL,
        token=TOKEN,
        db_name=DATABASE,
        collection_name="asked",
        dim=8,
        consistency_level="Strong",
        use_async_client=False,
    )
    index = VectorStoreIndex.from_documents(
        [Document(text=f"text {n}", metadata={"source": f"s3://kb/{n}.md"}) for n in range(3)],
        storage_context=StorageContext.from_defaults(vector_store=store),
        embed_model=MockEmbedding(8),
    )
    assert len(index.as_retriever(similarity_top_k=2).retrieve("q")) == 2


if __name__ == "__main__":
    handle = lineage.attach("support-bot", store=STORE)
    if FRAMEWORK == "llama-index":
        llamaindex()
    else:
        langchain("current" if FRAMEWORK == "alias" else "asked")
    assert handle.flush(10)
    assert handle.stats()["errors"] == {}
