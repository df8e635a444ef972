"""How `llm-langfuse` is put through the fault matrix."""

from __future__ import annotations

from typing import Any

from faults.matrix import SECRET, At, over_http, version_less
from prompt_registries.langfuse.service import LangfuseService, authorization

PUBLIC_KEY = "user"
"""So that the header of the keys is one of the texts that must turn up nowhere."""


def _server(recorded: object, **options: Any) -> LangfuseService:
    server = LangfuseService(**options)
    server.authorization = authorization(PUBLIC_KEY, SECRET)
    # A template belongs into the catalog. What a configuration holds besides the usual settings does not.
    for prompt in server.prompts.values():
        for version in prompt.versions:
            version.config = {"model": "gpt-4o", "api_key": SECRET}
    return server


FAULTS = (
    over_http(
        title="Langfuse",
        system="langfuse",
        store="Langfuse at 127.0.0.1",
        fixture="langfuse_recorded",
        stub=_server,
        # Findings about use change from the first run to the second, whatever fails.
        recipe=lambda url: {
            "url": url,
            "public_key": PUBLIC_KEY,
            "secret_key": SECRET,
            "production_labels": [],
        },
        listing=At(requests=lambda call: call.path == "/api/public/v2/prompts"),
        reading=At(requests=lambda call: "support%2Fescalate" in call.path, item="support/escalate"),
        observing=At(requests=lambda call: call.path.endswith("/metrics")),
        item_of=version_less,
        # What did not change is not read again under the same options.
        again={"timeout_sec": 19.0},
    ),
)
