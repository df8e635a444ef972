"""A stand-in that answers what a real MLflow server with users answered: ``tests/wire/mlflow/auth.json``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from support.paths import WIRE
from support.stub import Call, Reply, Stub

_AUTH: Final = WIRE / "mlflow" / "auth.json"


@contextmanager
def recorded(caller: str) -> Iterator[Stub]:
    """The server as ``caller`` sees it: ``nobody``, ``without permission`` or ``admin``."""
    held = {}
    for exchange in json.loads(_AUTH.read_text())[caller]:
        asked, answered = exchange["request"], exchange["response"]
        held[_key(asked["method"], asked["path"], asked["query"])] = Reply(
            status=answered["status"],
            body=answered["body"].encode(),
            headers={"Content-Type": answered["type"]},
        )

    def answer(call: Call) -> Reply:
        query = {name: values[0] for name, values in call.query.items()}
        return held[_key(call.method, call.path, query)]

    with Stub(answer) as server:
        yield server


def _key(method: str, path: str, query: dict[str, str]) -> tuple[str, str, str]:
    """What is asked for; sizes of pages and orders are left out."""
    return method, path, query.get("name") or query.get("experiment_id") or query.get("filter") or ""
