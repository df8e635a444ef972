"""A populated Qdrant engine for tests: collections by hand, by LangChain and by LlamaIndex."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_qdrant import QdrantVectorStore
from llama_index.core.schema import NodeRelationship, RelatedNodeInfo, TextNode
from llama_index.vector_stores.qdrant import QdrantVectorStore as LlamaStore
from qdrant_client import QdrantClient

from vector_stores.qdrant.engine import QdrantEngine, served

PLANTED = "planted-payload-c0ffee"
"""In every text, every metadata value and every provenance value: it must turn up nowhere."""

ODD = "odd é 漢'字.one-1_2 %2F,(x)"

COLLECTIONS = {"articles", "empty", "llama", "notes", "plain", ODD}


def fill(folder: Path) -> QdrantEngine:
    """Collections of every kind that the tests ask about."""
    engine = QdrantEngine(folder)
    _articles(engine)
    _plain(engine)
    engine.create("empty", {"vectors": {"size": 8, "distance": "Dot"}})
    engine.create(ODD, {"vectors": {"size": 2, "distance": "Manhattan"}})
    with served(engine) as stub:
        fill_with_langchain(stub.url)
        fill_with_llamaindex(stub.url)
    engine.index("notes", "metadata.source", "keyword")
    return engine


def _articles(engine: QdrantEngine) -> None:
    engine.create(
        "articles",
        {
            "vectors": {
                "dense": {"size": 4, "distance": "Cosine", "datatype": "float16", "on_disk": True},
                "late": {
                    "size": 3,
                    "distance": "Dot",
                    "multivector_config": {"comparator": "max_sim"},
                    "hnsw_config": {"m": 0, "ef_construct": 50, "full_scan_threshold": 10},
                    "quantization_config": {"binary": {"always_ram": True}},
                },
            },
            "sparse_vectors": {"bm25": {"modifier": "idf", "index": {"on_disk": True}}},
            "hnsw_config": {"m": 24, "ef_construct": 120, "full_scan_threshold": 20},
            "quantization_config": {"scalar": {"type": "int8", "quantile": 0.99}},
            "shard_number": 2,
            "replication_factor": 2,
            "sharding_method": "custom",
            "metadata": {
                "description": "Release notes",
                "owner": PLANTED,
                "embedding_model": {"dense": "openai/text-embedding-3-small"},
            },
        },
        shard_keys=("eu", "us"),
        created_at="2026-11-02T08:30:00.123456789Z",
    )
    engine.insert(
        "articles",
        [
            {
                "id": n,
                "vector": {
                    "dense": [1.0, 2.0, 3.0, float(n)],
                    "late": [[1.0, 2.0, 3.0], [float(n), 1.0, 0.0]],
                    "bm25": {"indices": [1, n + 2], "values": [0.5, 1.0]},
                },
                "payload": {
                    "source": f"kb:{PLANTED}:{n % 4}",
                    "uri": [f"s3://bucket/{n % 2}", "s3://bucket/all"],
                    "path": f"/kb/{n % 5}.md",
                    "page": n,
                    "table": n % 3,
                    "score": 0.5,
                    "tenant": PLANTED,
                    "seen": "2026-01-01T00:00:00Z",
                    "place": {"lon": 1.0, "lat": 2.0},
                    "dense": PLANTED,
                },
            }
            for n in range(40)
        ],
    )
    indexes: dict[str, str | dict[str, Any]] = {
        "source": "keyword",
        "uri": "keyword",
        "page": {"type": "integer", "lookup": False, "range": True},
        "table": "integer",
        "score": "float",
        "seen": "datetime",
        "place": "geo",
        "tenant": {"type": "keyword", "is_tenant": True},
    }
    for key, schema in indexes.items():
        engine.index("articles", key, schema)
    engine.aliases = {"current": "articles", "a-stable": "articles"}


def _plain(engine: QdrantEngine) -> None:
    """One vector without a name, no payload index, provenance that only a scroll can count, odd names in it."""
    engine.create("plain", {"vectors": {"size": 3, "distance": "Euclid"}})
    engine.insert(
        "plain",
        [
            {
                "id": f"00000000-0000-4000-8000-{n:012d}",
                "vector": [1.0, 2.0, float(n)],
                "payload": {
                    "vector": PLANTED,
                    "source": f"s3://b/{n % 3}",
                    "odd file": f"f{n % 2}",
                    "a.b": n % 2,
                },
            }
            for n in range(2_050)
        ],
    )


def fill_with_langchain(url: str) -> None:
    """Through its own package and Qdrant's own client."""
    store = QdrantVectorStore.from_documents(
        [
            Document(page_content=f"{PLANTED} {n}", metadata={"source": f"/kb/{n % 3}.md", "page": n})
            for n in range(30)
        ],
        DeterministicFakeEmbedding(size=8),
        url=url,
        collection_name="notes",
    )
    store.client.close()


def fill_with_llamaindex(url: str) -> None:
    """Through its own package and Qdrant's own client."""
    client = QdrantClient(url=url)
    nodes: list[Any] = [
        TextNode(
            text=f"{PLANTED} {n}",
            metadata={"file_path": f"/kb/{n}.md"},
            embedding=[1.0, 2.0, float(n)],
            relationships={NodeRelationship.SOURCE: RelatedNodeInfo(node_id=f"doc-{n}")},
        )
        for n in (1, 2)
    ]
    LlamaStore(collection_name="llama", client=client).add(nodes)
    client.close()
