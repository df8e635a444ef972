"""A stand-in for Elasticsearch: what its reference documents, with OpenSearch's emulator doing the counting.

No Elasticsearch can be started here. Documents, dynamic mappings, counts and aggregations, which both engines have in
common, are those of ``osmem-server``. Ours, in the shapes of ``tests/wire/elasticsearch``: what the cluster says of
itself, mappings of the vectors that only Elasticsearch has (given back as they were put), inference endpoints, data
streams, API keys, and what Serverless leaves out.
"""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final
from urllib.parse import quote, unquote

from elasticsearch import AsyncElasticsearch, Elasticsearch
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_elasticsearch import DenseVectorStrategy, ElasticsearchStore
from llama_index.vector_stores.elasticsearch import ElasticsearchStore as LlamaStore

from support import paths
from support.stub import Answer, Call, Reply, Stub, answer_json, forward
from vector_stores.search.stores import PLANTED, call, insert, nodes, place

WIRE: Final = paths.WIRE / "elasticsearch"
KEY: Final = "VnVhQ2ZHY0JDZGJrUW0tZTVhT3g6dWkybHAyYXhUTm1zeWFrdzl0dk5udw=="
"""As the reference shows an encoded key (``POST /_security/api_key``)."""

STREAM: Final = "kb-stream"
BACKING: Final = (".ds-kb-stream-2026.01.01-000001", ".ds-kb-stream-2026.02.01-000002")
COLLECTIONS: Final = frozenset({"articles", "langchain", "llama", "semantic", STREAM})
_OURS: Final = frozenset({"dense_vector", "sparse_vector", "rank_vectors", "semantic_text"})


def documented(name: str) -> Any:
    """An example answer of Elasticsearch's reference."""
    answers = json.loads((WIRE / "answers.json").read_text(encoding="utf-8"))
    return copy.deepcopy(answers[name]["answer"])


@dataclass(slots=True)
class ElasticService:
    """Answers as Elasticsearch at the root; ``engine`` is the emulator's address."""

    engine: str
    key: str | None = None
    serverless: bool = False
    endpoints: dict[str, Any] = field(default_factory=dict)
    streams: dict[str, tuple[str, ...]] = field(default_factory=dict)
    vectors: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Index -> path -> how its mapping was put."""

    def served(self, **options: Any) -> Stub:
        return Stub(self.answer, missing=documented("404"), **options)

    def answer(self, asked: Call) -> Reply:
        # Without it the vendor's own client refuses to talk.
        product = {"X-Elastic-Product": "Elasticsearch", "Content-Type": "application/json"}
        return replace(self._answered(asked), headers=product)

    def _answered(self, asked: Call) -> Reply:
        if self.key is not None and asked.headers.get("Authorization") != f"ApiKey {self.key}":
            reason = "missing authentication credentials for REST request [/]"
            return answer_json(
                {"error": {"type": "security_exception", "reason": reason}, "status": 401}, 401
            )
        parts = [unquote(part) for part in asked.path.strip("/").split("/")]
        if parts == [""]:
            return answer_json(documented("GET / serverless" if self.serverless else "GET /"))
        if parts[0] == "_inference":
            found = self.endpoints.get(parts[1])
            return answer_json(found) if found else answer_json(documented("404 inference"), 404)
        if self.serverless and "_stats" in parts:
            return answer_json(documented("410 serverless"), 410)
        return self._of_engine(asked, parts)

    def _of_engine(self, asked: Call, parts: list[str]) -> Reply:
        names = parts[0].split(",")
        if asked.method == "PUT" and len(parts) == 1 and not parts[0].startswith("_"):
            asked = replace(asked, body=self._kept(parts[0], json.loads(asked.body or b"{}")))
        if any(name in self.streams for name in names):
            names = [one for name in names for one in self.streams.get(name, (name,))]
            path = "/".join(["", ",".join(quote(name, safe="") for name in names), *parts[1:]])
            asked = replace(asked, path=path)
        headers = {"Content-Type": "application/json"} if asked.body else {}
        if "_bulk" in parts:
            headers = {"Content-Type": "application/x-ndjson"}
        reply = forward(self.engine)(replace(asked, headers=headers))
        return replace(reply, body=self._put_back(parts, reply.body))

    def _kept(self, name: str, body: dict[str, Any]) -> bytes:
        """Remember the vectors, and let the engine take them for objects that it does not look into."""
        mappings = body.get("mappings") or {}
        for path, holder, key in list(_properties(mappings)):
            if holder[key].get("type") in _OURS:
                self.vectors.setdefault(name, {})[path] = holder[key]
                holder[key] = {"type": "object", "enabled": False}
        return json.dumps(body).encode()

    def _put_back(self, parts: list[str], body: bytes) -> bytes:
        if not body:
            return body
        answer = json.loads(body)
        if parts[:2] == ["_resolve", "index"]:
            self._with_streams(answer, parts[2])
        for name, info in answer.items() if isinstance(answer, dict) else ():
            if isinstance(info, dict) and "mappings" in info:
                for path, holder, key in _properties(info["mappings"]):
                    holder[key] = self.vectors.get(name, {}).get(path, holder[key])
                for stream, backing in self.streams.items():
                    if name in backing and len(parts) == 1:
                        info["data_stream"] = stream
        return json.dumps(answer).encode()

    def _with_streams(self, answer: dict[str, Any], expression: str) -> None:
        """As documented: https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-indices-resolve-index"""
        example = documented("GET /_resolve/index")["data_streams"][0]
        for stream, backing in self.streams.items():
            for entry in answer.get("indices", ()):
                if entry["name"] in backing:
                    entry["data_stream"] = stream
            if expression in ("*", stream):
                answer.pop("error", None)
                answer.setdefault("data_streams", []).append(
                    {**example, "name": stream, "backing_indices": list(backing)}
                )


def _properties(mappings: Any, before: str = "") -> Iterator[tuple[str, dict[str, Any], str]]:
    properties = mappings.get("properties") or {}
    for key in list(properties):
        yield f"{before}{key}", properties, key
        yield from _properties(properties[key], f"{before}{key}.")


ARTICLES: Final[dict[str, Any]] = {
    "_meta": {"description": "Release notes", "embedding_model": "cohere/embed-v4", "owner": PLANTED},
    "properties": {
        "dense": {
            "type": "dense_vector",
            "dims": 3,
            "index": True,
            "similarity": "cosine",
            "index_options": {"type": "int8_hnsw", "m": 16, "ef_construction": 100},
        },
        "bits": {"type": "dense_vector", "dims": 40, "element_type": "bit", "index": False},
        "late": {"type": "rank_vectors", "dims": 3, "element_type": "byte"},
        "text.tokens": {
            "type": "sparse_vector",
            "index_options": {"prune": True, "pruning_config": {"tokens_freq_ratio_threshold": 5}},
        },
        "source": {"type": "keyword"},
        "url": {"type": "text", "fields": {"keyword": {"type": "keyword", "ignore_above": 256}}},
    },
}
"""Vectors as https://www.elastic.co/docs/reference/elasticsearch/mapping-reference/dense-vector (9.1) and the pages of
their types write them."""

SEMANTIC: Final[dict[str, Any]] = {
    "properties": {
        "content": {
            "type": "semantic_text",
            "inference_id": "openai-embeddings",
            "model_settings": {
                "service": "openai",
                "task_type": "text_embedding",
                "dimensions": 1536,
                "similarity": "dot_product",
                "element_type": "float",
            },
            "index_options": {"dense_vector": {"type": "bbq_hnsw", "m": 16, "ef_construction": 100}},
            "chunking_settings": {"strategy": "sentence", "max_chunk_size": 250, "sentence_overlap": 1},
        },
        "terms": {
            "type": "semantic_text",
            "inference_id": "my-elser-model",
            "model_settings": {"task_type": "sparse_embedding"},
        },
        "source": {"type": "keyword"},
    }
}
"""After the first document: https://www.elastic.co/docs/reference/elasticsearch/mapping-reference/semantic-text, and
``10_semantic_text_field_mapping.yml`` of Elasticsearch's own tests."""


def filled(engine: str) -> ElasticService:
    """Every kind of index that the tests ask about, on an emulator without any."""
    service = ElasticService(engine)
    service.endpoints = {
        "openai-embeddings": documented("GET /_inference endpoints"),
        "my-elser-model": documented("GET /_inference/my-elser-model"),
    }
    with service.served() as server:
        _put(server.url, "articles", ARTICLES, aliases={"current": {}})
        insert(
            server.url, "articles", [{"source": f"kb:{PLANTED}:{n % 2}", "url": "s3://b/u"} for n in range(6)]
        )
        _put(server.url, "semantic", SEMANTIC)
        insert(server.url, "semantic", [{"content": PLANTED, "source": "s3://b/s"}])
        _put(server.url, "plain", {"properties": {"body": {"type": "text"}}})
        _put(
            server.url, ".security-7", {"properties": {"v": {"type": "dense_vector", "dims": 3}}}, hidden=True
        )
        for name in BACKING:
            vector = {"type": "dense_vector", "dims": 3, "similarity": "l2_norm"}
            _put(server.url, name, {"properties": {"v": vector, "path": {"type": "keyword"}}}, hidden=True)
            insert(server.url, name, [{"path": "/kb/a.md"}, {"path": "/kb/b.md"}])
        service.streams = {STREAM: BACKING}
        _langchain(server.url)
        _llama(server.url)
    return service


def _put(
    url: str,
    name: str,
    mappings: object,
    *,
    aliases: Mapping[str, object] | None = None,
    hidden: bool = False,
) -> None:
    settings = {"index": {"number_of_shards": 1, "hidden": hidden}}
    call(url, "PUT", place(name), {"mappings": mappings, "settings": settings, "aliases": aliases or {}})


def _langchain(url: str) -> None:
    """Through its own package and Elasticsearch's own client."""
    store = ElasticsearchStore(
        index_name="langchain",
        embedding=DeterministicFakeEmbedding(size=8),
        client=Elasticsearch(url, request_timeout=60),
        strategy=DenseVectorStrategy(),
    )
    store.add_documents(
        [
            Document(page_content=f"{PLANTED} {n}", metadata={"source": f"/kb/{n % 3}.md", "page": n})
            for n in range(9)
        ]
    )
    store.close()


def _llama(url: str) -> None:
    """Through its own package and Elasticsearch's own client; in a process of its own, whose event loop it patches."""
    written = (
        "from vector_stores.search import service; service.write_with_llamaindex(__import__('sys').argv[1])"
    )
    subprocess.run([sys.executable, "-c", written, url], check=True, cwd=paths.TESTS, timeout=120)


def write_with_llamaindex(url: str) -> None:
    """For ``_llama``."""
    LlamaStore(index_name="llama", es_client=AsyncElasticsearch(url, request_timeout=60)).add(nodes())


def answering(service: ElasticService, changes: Mapping[str, object]) -> Answer:
    """The service, with some answers replaced by their path."""

    def answer(asked: Call) -> Reply:
        return answer_json(changes[asked.path]) if asked.path in changes else service.answer(asked)

    return answer
