"""OpenSearch as its emulator ``osmem-server`` answers: a stand-in with mappings, documents and aggregations of its own.

What it does not have, and no test may rest on here: data streams, normalizers, ``_ignored``, k-NN search.
"""

from __future__ import annotations

import warnings
from typing import Any, Final
from urllib.parse import quote

import urllib3
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding
from llama_index.core.schema import NodeRelationship, RelatedNodeInfo, TextNode
from llama_index.vector_stores.opensearch import OpensearchVectorClient, OpensearchVectorStore

with warnings.catch_warnings():
    # The package says on import that it is looked after no more; there is no other of LangChain that resolves.
    warnings.simplefilter("ignore", DeprecationWarning)
    from langchain_community.vectorstores import OpenSearchVectorSearch

PLANTED: Final = "planted-payload-c0ffee"
"""In payload values: it must turn up nowhere."""

VECTOR: Final = {"type": "knn_vector", "dimension": 3}
ODD: Final = "größe(1)"
COLLECTIONS: Final = frozenset({"articles", "closed", "empty", "llama", "notes", ODD, "sparse"})
NO_INDEX: Final = {
    "error": {
        "root_cause": [
            {"type": "index_not_found_exception", "reason": "no such index [gone]", "index": "gone"}
        ],
        "type": "index_not_found_exception",
        "reason": "no such index [gone]",
        "index": "gone",
    },
    "status": 404,
}
"""In OpenSearch's own words."""

ARTICLES: Final[dict[str, Any]] = {
    "_meta": {
        "description": "Release notes",
        "owner": PLANTED,
        "embedding_model": {"dense": "openai/text-embedding-3-small"},
    },
    "properties": {
        "dense": {
            "type": "knn_vector",
            "dimension": 4,
            "space_type": "innerproduct",
            "method": {
                "name": "hnsw",
                "engine": "faiss",
                "parameters": {
                    "m": 24,
                    "ef_construction": 120,
                    "encoder": {"name": "sq", "parameters": {"type": "fp16", "clip": True}},
                },
            },
        },
        "disk": {
            "type": "knn_vector",
            "dimension": 8,
            "space_type": "l2",
            "data_type": "float",
            "mode": "on_disk",
            "compression_level": "16x",
        },
        "passages": {
            "type": "nested",
            "properties": {
                "vector": {"type": "knn_vector", "dimension": 2, "data_type": "byte"},
                "body": {"type": "text"},
            },
        },
        "source": {"type": "keyword"},
        "path": {"type": "text", "fields": {"raw": {"type": "keyword"}}},
        "url": {"type": "text"},
        "table": {"type": "integer"},
        "seen": {"type": "date"},
        "ready": {"type": "boolean"},
    },
}


def call(url: str, method: str, path: str, body: object = None) -> Any:
    """One request to a cluster."""
    # Its own limit of three seconds is too near on a busy machine.
    response = urllib3.request(method, f"{url}{path}", json=body, retries=False, timeout=60)
    assert response.status < 300, (method, path, response.status, response.data)
    return response.json()


def place(name: str) -> str:
    return f"/{quote(name, safe='')}"


def hits_of(url: str, name: str) -> list[str]:
    """The first ids of an index that a framework wrote."""
    found = call(url, "POST", f"{place(name)}/_search", {"size": 2, "_source": False})
    return [hit["_id"] for hit in found["hits"]["hits"]]


def create(url: str, name: str, mappings: object, **settings: Any) -> None:
    call(url, "PUT", place(name), {"mappings": mappings, "settings": {"index": {"knn": True, **settings}}})


def insert(url: str, name: str, documents: list[dict[str, Any]]) -> None:
    for number, document in enumerate(documents):
        call(url, "PUT", f"{place(name)}/_doc/{number}", document)
    call(url, "POST", f"{place(name)}/_refresh")


def fill(url: str) -> None:
    """Every kind of index that the tests ask about."""
    _articles(url)
    langchain(url, "notes")
    llama(url, "llama")
    create(
        url, "sparse", {"properties": {"tokens": {"type": "rank_features"}, "file_path": {"type": "text"}}}
    )
    insert(url, "sparse", [{"tokens": {"a": 0.5}, "file_path": f"/kb/{n}.md"} for n in range(3)])
    create(url, "empty", {"properties": {"v": VECTOR}})
    create(url, "closed", {"properties": {"v": VECTOR}})
    call(url, "POST", "/closed/_close")
    create(url, ODD, {"dynamic": False, "properties": {"v": VECTOR}})
    insert(url, ODD, [{"v": [1.0, 2.0, 3.0], "uri": f"s3://b/{n}", "other": PLANTED} for n in range(2)])
    create(url, "plain", {"properties": {"body": {"type": "text"}}})
    create(url, ".system", {"properties": {"v": VECTOR}}, hidden=True)
    create(url, "unseen", {"properties": {"v": VECTOR}}, hidden=True)


def _articles(url: str) -> None:
    create(url, "articles", ARTICLES, number_of_shards=2)
    call(url, "PUT", "/articles/_alias/current")
    insert(
        url,
        "articles",
        [
            {
                "dense": [1.0, 2.0, 3.0, float(n)],
                "disk": [1.0] * 8,
                "passages": [
                    {"vector": [1.0, 2.0], "body": PLANTED},
                    {"vector": [2.0, 1.0], "body": PLANTED},
                ],
                "source": f"kb:{PLANTED}:{n % 4}",
                "path": f"/kb/{n % 5}.md",
                "url": f"https://kb.example/{PLANTED}/{n % 2}",
                "table": n % 3,
                "seen": "2026-01-01T00:00:00Z",
                "ready": True,
            }
            for n in range(20)
        ],
    )


def langchain(url: str, name: str) -> None:
    """Through its own package and OpenSearch's own client."""
    OpenSearchVectorSearch.from_documents(
        [
            Document(page_content=f"{PLANTED} {n}", metadata={"source": f"/kb/{n % 3}.md", "page": n})
            for n in range(30)
        ],
        DeterministicFakeEmbedding(size=8),
        opensearch_url=url,
        index_name=name,
        engine="faiss",
        timeout=60,
    )


def llama(url: str, name: str) -> None:
    """Through its own package and OpenSearch's own client."""
    OpensearchVectorStore(OpensearchVectorClient(url, name, 3, timeout=60)).add(nodes())
    call(url, "POST", f"/{name}/_refresh")


def nodes() -> list[Any]:
    """Two chunks of two documents."""
    return [
        TextNode(
            text=f"{PLANTED} {n}",
            metadata={"file_path": f"/kb/{n}.md"},
            embedding=[1.0, 2.0, float(n)],
            relationships={NodeRelationship.SOURCE: RelatedNodeInfo(node_id=f"doc-{n}")},
        )
        for n in (1, 2)
    ]
