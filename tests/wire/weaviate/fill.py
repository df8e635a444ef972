"""Fill a running Weaviate for the recording: by its own client, by LangChain's and LlamaIndex's packages, by REST."""

from __future__ import annotations

import argparse
import importlib
import json
import urllib.request
from typing import Any
from uuid import UUID

import weaviate
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding
from llama_index.core.schema import NodeRelationship, RelatedNodeInfo, TextNode
from weaviate.classes.config import Configure, DataType, Property, ReferenceProperty, VectorDistances
from weaviate.classes.tenants import Tenant, TenantActivityStatus

PLANTED = "planted-payload-c0ffee"


def uid(block: int, n: int) -> UUID:
    return UUID(int=(block << 64) + n + 1)


def articles(client: weaviate.WeaviateClient) -> None:
    """Named vectors of every kind, every data type, references, aliases."""
    vectors = Configure.Vectors
    index = Configure.VectorIndex
    client.collections.create(
        "Article",
        description="Release notes",
        properties=[
            Property(name="title", data_type=DataType.TEXT, description="What is read first"),
            Property(name="body", data_type=DataType.TEXT),
            Property(name="source", data_type=DataType.TEXT),
            Property(name="uri", data_type=DataType.TEXT_ARRAY),
            Property(name="page", data_type=DataType.INT),
            Property(name="table", data_type=DataType.INT_ARRAY),
            Property(name="dataset", data_type=DataType.UUID),
            Property(name="score", data_type=DataType.NUMBER),
            Property(name="ready", data_type=DataType.BOOL),
            Property(name="seen", data_type=DataType.DATE),
            Property(name="place", data_type=DataType.GEO_COORDINATES),
            Property(name="phone", data_type=DataType.PHONE_NUMBER),
            Property(name="raw", data_type=DataType.BLOB),
            Property(
                name="metadata",
                data_type=DataType.OBJECT,
                nested_properties=[
                    Property(name="source", data_type=DataType.TEXT, description="Where a loader found it"),
                    Property(
                        name="more",
                        data_type=DataType.OBJECT_ARRAY,
                        nested_properties=[Property(name="lang", data_type=DataType.TEXT)],
                    ),
                ],
            ),
        ],
        references=[ReferenceProperty(name="writtenBy", target_collection="Author")],
        vector_config=[
            vectors.text2vec_openai(
                name="body",
                model="text-embedding-3-small",
                dimensions=512,
                source_properties=["body"],
                vector_index_config=index.hnsw(
                    ef_construction=120,
                    max_connections=24,
                    quantizer=index.Quantizer.sq(training_limit=5000, rescore_limit=10),
                ),
            ),
            vectors.self_provided(
                name="flat",
                vector_index_config=index.flat(
                    distance_metric=VectorDistances.DOT, quantizer=index.Quantizer.bq(rescore_limit=7)
                ),
            ),
            vectors.self_provided(
                name="grows",
                vector_index_config=index.dynamic(
                    threshold=20_000,
                    hnsw=index.hnsw(quantizer=index.Quantizer.pq(segments=2, centroids=64)),
                    flat=index.flat(quantizer=index.Quantizer.bq()),
                ),
            ),
            Configure.MultiVectors.self_provided(
                name="late", encoding=Configure.VectorIndex.MultiVector.Encoding.muvera(ksim=4)
            ),
            vectors.self_provided(name="unused", quantizer=index.Quantizer.none()),
        ],
        inverted_index_config=Configure.inverted_index(bm25_b=0.7, bm25_k1=1.1),
        generative_config=Configure.Generative.openai(),
        reranker_config=Configure.Reranker.cohere(),
    )
    authors = client.collections.get("Author")
    author = authors.data.insert({"name": PLANTED}, uuid=uid(1, 0), vector=[1.0, 2.0])
    with client.collections.get("Article").batch.fixed_size(50) as batch:
        for n in range(40):
            batch.add_object(
                uuid=uid(2, n),
                properties={
                    "title": f"{PLANTED} {n}",
                    "body": PLANTED,
                    "source": f"kb:{PLANTED}:{n % 4}",
                    "uri": [f"s3://bucket/{n % 2}", "s3://bucket/all"],
                    "page": n * 1_000_000,
                    "table": [n % 3],
                    "dataset": str(uid(9, n % 2)),
                    "score": 0.5,
                    "ready": True,
                    "seen": "2026-01-01T00:00:00Z",
                    "place": {"latitude": 1.0, "longitude": 2.0},
                    "metadata": {"source": f"/kb/{n % 5}.md", "more": [{"lang": "en"}]},
                },
                references={"writtenBy": author},
                vector={
                    "body": [float(n), 1.0, 2.0, 3.0],
                    "flat": [float(n), 1.0, 0.5],
                    "grows": [float(n), 1.0],
                    "late": [[1.0, 2.0, 3.0, float(n)], [0.0, 1.0, 1.0, 2.0]],
                },
            )
    assert not client.collections.get("Article").batch.failed_objects
    client.alias.create(alias_name="Current", target_collection="Article")
    client.alias.create(alias_name="Articles", target_collection="Article")


def plain(client: weaviate.WeaviateClient) -> None:
    """One vector called default, two shards, more objects than a page."""
    client.collections.create(
        "Plain",
        properties=[
            Property(name="default", data_type=DataType.TEXT),
            Property(name="source", data_type=DataType.TEXT),
            Property(name="path", data_type=DataType.INT),
        ],
        vector_config=Configure.Vectors.self_provided(
            vector_index_config=Configure.VectorIndex.hnsw(distance_metric=VectorDistances.L2_SQUARED)
        ),
        sharding_config=Configure.sharding(desired_count=2),
    )
    with client.collections.get("Plain").batch.fixed_size(100) as batch:
        for n in range(250):
            source = {"source": f"s3://b/{n % 3}"} if n % 5 else {}
            batch.add_object(
                uuid=uid(3, n),
                properties={"default": PLANTED, "path": n % 2, **source},
                vector=[1.0, 2.0, float(n)],
            )
    assert not client.collections.get("Plain").batch.failed_objects


def tenanted(client: weaviate.WeaviateClient) -> None:
    """Three tenants of which one sleeps, and would be woken by a question; and two of which none does."""
    for name in ("Tenanted", "Awake"):
        client.collections.create(
            name,
            properties=[Property(name="source", data_type=DataType.TEXT)],
            vector_config=Configure.Vectors.self_provided(),
            multi_tenancy_config=Configure.multi_tenancy(
                enabled=True, auto_tenant_creation=True, auto_tenant_activation=True
            ),
        )
        collection = client.collections.get(name)
        for at, tenant in enumerate(("globex", "acme", "initech")[: 3 if name == "Tenanted" else 2]):
            collection.tenants.create(Tenant(name=tenant))
            with collection.with_tenant(tenant).batch.fixed_size(50) as batch:
                for n in range(5 * (at + 1)):
                    batch.add_object(
                        uuid=uid(4 + at, n),
                        properties={"source": f"s3://{tenant}/{n % 2}"},
                        vector=[1.0, float(n)],
                    )
    sleeping = Tenant(name="initech", activity_status=TenantActivityStatus.INACTIVE)
    client.collections.get("Tenanted").tenants.update(sleeping)


def by_rest(url: str) -> None:
    """What today's clients do not make any more: one vector of the class itself, an old model's name, no graph."""
    for schema in (
        {
            "class": "Legacy",
            "vectorizer": "text2vec-openai",
            "moduleConfig": {
                "text2vec-openai": {"model": "ada", "modelVersion": "002", "type": "text"},
                "generative-openai": {},
            },
            "vectorIndexType": "hnsw",
            "vectorIndexConfig": {"distance": "dot", "skip": True},
            "properties": [{"name": "vector", "dataType": ["text"]}],
            "objectTtlConfig": {"enabled": True, "deleteOn": "_creationTimeUnix", "defaultTtl": 86_400_000},
        },
        {"class": "Empty", "vectorizer": "none"},
    ):
        post(f"{url}/v1/schema", schema)
    post(
        f"{url}/v1/objects",
        {
            "class": "Legacy",
            "id": str(uid(8, 0)),
            "properties": {"vector": PLANTED},
            "vector": [0.1, 0.2, 0.3],
        },
    )


def post(url: str, body: object) -> None:
    request = urllib.request.Request(
        url, data=json.dumps(body).encode(), headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as response:
        response.read()


def langchain(client: weaviate.WeaviateClient) -> None:
    importlib.import_module("langchain_weaviate").WeaviateVectorStore.from_documents(
        [
            Document(page_content=f"{PLANTED} {n}", metadata={"source": f"/kb/{n % 3}.md", "page": n})
            for n in range(12)
        ],
        DeterministicFakeEmbedding(size=8),
        client=client,
        index_name="Notes",
        text_key="text",
        ids=[str(uid(10, n)) for n in range(12)],
    )


def llamaindex(client: weaviate.WeaviateClient) -> None:
    nodes: list[Any] = [
        TextNode(
            id_=str(uid(11, n)),
            text=f"{PLANTED} {n}",
            metadata={"file_path": f"/kb/{n}.md"},
            embedding=[1.0, 2.0, float(n)],
            relationships={NodeRelationship.SOURCE: RelatedNodeInfo(node_id=f"doc-{n}")},
        )
        for n in (1, 2)
    ]
    writer = importlib.import_module("llama_index.vector_stores.weaviate").WeaviateVectorStore
    writer(weaviate_client=client, index_name="Llama").add(nodes)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--port", type=int, required=True)
    arguments.add_argument("--grpc-port", type=int, required=True)
    given = arguments.parse_args()
    with weaviate.connect_to_local(port=given.port, grpc_port=given.grpc_port) as client:
        client.collections.delete_all()
        client.collections.create(
            "Author",
            properties=[Property(name="name", data_type=DataType.TEXT)],
            vector_config=Configure.Vectors.self_provided(),
        )
        articles(client)
        plain(client)
        tenanted(client)
        langchain(client)
        llamaindex(client)
    by_rest(f"http://127.0.0.1:{given.port}")


if __name__ == "__main__":
    main()
