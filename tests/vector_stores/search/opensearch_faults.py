"""How `llm-opensearch` is put through the fault matrix."""

from __future__ import annotations

from faults.matrix import SECRET, At, over_http
from support.stub import Stub, forward
from vector_stores.search.stores import NO_INDEX

FAULTS = (
    over_http(
        title="OpenSearch",
        system="opensearch",
        store="OpenSearch at 127.0.0.1",
        fixture="osmem",
        stub=lambda server, **options: Stub(forward(server.url), missing=NO_INDEX, **options),
        recipe=lambda url: {"url": url, "username": "user", "password": SECRET},
        listing=At(requests=lambda call: call.path == "/_resolve/index/*"),
        reading=At(requests=lambda call: call.path == "/articles", item="articles"),
        counting=At(requests=lambda call: call.path == "/articles/_search", item="articles"),
    ),
)
