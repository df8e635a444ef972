"""How `llm-elasticsearch` is put through the fault matrix."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from faults.matrix import SECRET, At, over_http
from support.stub import Stub


def _server(filled: Any, **options: Any) -> Stub:
    _, service = filled
    server: Stub = replace(service, key=SECRET).served(**options)
    return server


FAULTS = (
    over_http(
        title="Elasticsearch",
        system="elasticsearch",
        store="Elasticsearch at 127.0.0.1",
        fixture="elastic_filled",
        stub=_server,
        recipe=lambda url: {"url": url, "api_key": SECRET},
        listing=At(requests=lambda call: call.path == "/_resolve/index/*"),
        reading=At(requests=lambda call: call.path == "/semantic", item="semantic"),
        counting=At(requests=lambda call: call.path == "/articles/_search", item="articles"),
    ),
)
