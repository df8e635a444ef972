"""One project with every kind of index that the tests ask about."""

from __future__ import annotations

import json
from typing import Any

from vector_stores.pinecone.service import PLANTED, WIRE, FakeIndex, records

ODD_NAMESPACE = """tenant.1/a,b (c) "x" %2F?#&ids=1"""

NAMES: list[tuple[str, str]] = [
    ("articles", "news"),
    ("docs", "__default__"),
    ("docs", ODD_NAMESPACE),
    ("hybrid", "all"),
    ("integrated", "__default__"),
    ("podded", "__default__"),
    ("sparse", "terms"),
    ("written", "langchain"),
    ("written", "llama"),
]


def written() -> dict[str, dict[str, Any]]:
    """What LangChain and LlamaIndex wrote, by namespace and id, as their own packages sent it."""
    recorded = json.loads((WIRE / "upserts.json").read_text(encoding="utf-8"))
    found: dict[str, dict[str, Any]] = {}
    for entry in recorded.values():
        for body in entry["bodies"]:
            vectors = {vector["id"]: vector["metadata"] for vector in body["vectors"]}
            found.setdefault(body["namespace"], {}).update(vectors)
    return found


def estate() -> list[FakeIndex]:
    """New at every call: a test may change what it got."""
    docs = records(
        250, source="s3://kb/{n}.md", text=PLANTED, page=3, score=0.5, ready=True, tags=["a", PLANTED]
    )
    terms = {"_sparse_values": {"type": "sparse_vector"}}
    article = {
        "body": {
            "type": "string",
            "description": "What is read",
            "embed": {"model": "llama-text-embed-v2", "dimension": 512, "metric": "cosine"},
            "sparse_embed": {"model": "pinecone-sparse-english-v0"},
            "full_text_search": {"language": "en"},
        },
        "title": {"type": "string", "full_text_search": {}},
    }
    pod = {
        "deployment_type": "pod",
        "environment": "us-east1-gcp",
        "pod_type": "p1.x1",
        "replicas": 2,
        "shards": 1,
    }
    tagged = {"tags": {"team": PLANTED, "env": PLANTED}, "deletion_protection": "enabled"}
    return [
        FakeIndex(name="docs", namespaces={"": docs, ODD_NAMESPACE: records(3, source="plain")}, more=tagged),
        FakeIndex(
            name="hybrid",
            fields={"_values": {"type": "dense_vector", "dimension": 4, "metric": "dotproduct"}, **terms},
            namespaces={"all": records(1, source="s3://kb/h.md")},
        ),
        FakeIndex(
            name="sparse",
            fields=terms,
            namespaces={"terms": records(2, source="s3://kb/t.md")},
            stats={"vectorType": "sparse", "metric": "dotproduct"},
        ),
        FakeIndex(
            name="articles",
            fields=article,
            namespaces={"news": records(5, title=PLANTED, source="s3://kb/{n}.md", _id=PLANTED)},
        ),
        FakeIndex(
            name="integrated",
            fields={
                "chunk_text": {"type": "semantic_text", "model": "multilingual-e5-large", "metric": "cosine"}
            },
            namespaces={"": {}},
            stats={"dimension": 1024, "vectorType": "dense"},
        ),
        FakeIndex(name="podded", namespaces={"": records(7, source="s3://kb/p.md")}, deployment=pod),
        FakeIndex(name="written", namespaces=written()),
        FakeIndex(name="empty"),
    ]
