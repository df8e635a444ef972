"""How `llm-phoenix` is put through the fault matrix."""

from __future__ import annotations

from faults.matrix import SECRET, At, over_http, version_less
from prompt_registries.phoenix.engine import PhoenixEngine, is_about
from support.stub import Call, Stub


def _stub(engine: PhoenixEngine, **options: bool) -> Stub:
    return engine.served(**options)


def _is_listing(call: Call) -> bool:
    return call.path == "/graphql" and b"$name" not in call.body


FAULTS = (
    over_http(
        title="Phoenix",
        system="phoenix",
        store="Phoenix at 127.0.0.1",
        fixture="phoenix",
        stub=_stub,
        recipe=lambda url: {
            "url": url,
            "api_key": SECRET,
            "prompt_pattern": {"allow": ["support-answer", "summary"]},
            "applications": False,
            "evaluations": False,
        },
        listing=At(requests=_is_listing),
        reading=At(requests=lambda call: is_about("support-answer", call), item="support-answer"),
        item_of=version_less,
        # What did not change is not read again, unless something else is to be written about it.
        again={"include_text": False},
    ),
)
