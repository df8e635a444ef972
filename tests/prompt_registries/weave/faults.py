"""How `llm-weave` is put through the fault matrix."""

from __future__ import annotations

from typing import Any

from faults.matrix import SECRET, At, over_http, version_less
from prompt_registries.weave.service import PROJECT, WeaveService


def _server(recorded: object, **options: Any) -> WeaveService:
    server = WeaveService(**options)
    server.key = SECRET
    return server


FAULTS = (
    over_http(
        title="Weave",
        system="weave",
        store="Weave at 127.0.0.1",
        fixture="weave_recorded",
        stub=_server,
        recipe=lambda url: {"url": url, "api_key": SECRET, "project": PROJECT},
        # The first request of a run asks for an option that this server does not know; the listing follows.
        listing=At(requests=lambda call: call.path == "/objs/query" and b'"limit": 1000' in call.body),
        reading=At(
            requests=lambda call: b'"object_ids": ["classify-ticket"]' in call.body, item="classify-ticket"
        ),
        # The first calls of traces, and not of those that are scored.
        observing=At(
            requests=lambda call: b'"trace_roots_only": true' in call.body and b'"trace_ids"' not in call.body
        ),
        item_of=version_less,
        # What did not change is not read again under the same options.
        again={"timeout_sec": 19.0},
    ),
)
