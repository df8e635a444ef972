"""How `llm-weaviate` is put through the fault matrix.

GraphQL is switched off in it: what goes wrong there alone is not a failure, but has the objects scanned, which is what
``test_weaviate_source`` shows.
"""

from __future__ import annotations

from typing import Any

from faults.matrix import SECRET, At, over_http
from support.stub import Call
from vector_stores.weaviate.service import WeaviateService


def _server(recorded: object, **options: Any) -> WeaviateService:
    server = WeaviateService(**options)
    server.graphql = "off"
    server.key = SECRET
    return server


def _of_plain(call: Call, *, vectors: bool) -> bool:
    return call.query.get("class") == ["Plain"] and ("include" in call.query) == vectors


FAULTS = (
    over_http(
        title="Weaviate",
        system="weaviate",
        store="Weaviate at 127.0.0.1",
        fixture="weaviate_recorded",
        stub=_server,
        recipe=lambda url: {"url": url, "api_key": SECRET},
        listing=At(requests=lambda call: call.path == "/v1/schema"),
        reading=At(requests=lambda call: _of_plain(call, vectors=True), item="Plain"),
        counting=At(requests=lambda call: _of_plain(call, vectors=False), item="Plain"),
    ),
)
