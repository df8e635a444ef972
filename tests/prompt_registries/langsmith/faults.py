"""How `llm-langsmith` is put through the fault matrix."""

from __future__ import annotations

from typing import Any

from faults.matrix import SECRET, At, over_http, version_less
from prompt_registries.langsmith.service import LangSmithService


def _server(recorded: object, **options: Any) -> LangSmithService:
    server = LangSmithService(**options)
    server.key = SECRET
    return server


FAULTS = (
    over_http(
        title="LangSmith",
        system="langsmith",
        store="LangSmith at 127.0.0.1",
        fixture="langsmith_typed",
        stub=_server,
        recipe=lambda url: {"url": url, "api_key": SECRET},
        listing=At(requests=lambda call: call.path == "/api/v1/repos"),
        # Its commits, and not its labels: several requests would look like tries of one.
        reading=At(
            requests=lambda call: (
                call.path.endswith("/commits/-/classify-ticket") and "tag" not in call.query
            ),
            item="classify-ticket",
        ),
        observing=At(requests=lambda call: call.path == "/api/v2/sessions"),
        item_of=version_less,
        # What did not change is not read again under the same options.
        again={"timeout_sec": 19.0},
    ),
)
