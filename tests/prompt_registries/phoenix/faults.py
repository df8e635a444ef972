"""How `llm-phoenix` is put through the fault matrix."""

from __future__ import annotations

from faults.matrix import SECRET, At, over_http, version_less
from prompt_registries.phoenix.engine import ABSENT, PhoenixEngine, is_about
from support.stub import Call, Reply, Stub


def _stub(engine: PhoenixEngine, *, tls: bool = False) -> Stub:
    """Hands every request on once: a busy server takes longer than a cell with a time-out may."""
    known: dict[tuple[object, ...], Reply] = {}

    def answer(call: Call) -> Reply:
        key = (call.method, call.path, str(call.query), call.body)
        if key not in known:
            known[key] = engine.answer(call)
        return known[key]

    return Stub(answer, missing=ABSENT, tls=tls)


def _is_listing(call: Call) -> bool:
    return call.path == "/graphql" and b"{prompts(" in call.body and b"$name" not in call.body


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
            # Findings about use change from the first run to the second, whatever fails.
            "production_labels": [],
            "evaluations": False,
        },
        listing=At(requests=_is_listing),
        reading=At(requests=lambda call: is_about("support-answer", call), item="support-answer"),
        observing=At(requests=lambda call: call.path == "/graphql" and b"query($p:ID!){" in call.body),
        item_of=version_less,
        # What did not change is not read again, unless an option of the recipe did.
        again={"timeout_sec": 19.0},
    ),
)
