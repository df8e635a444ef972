"""Which real engines the tests ran against: printed at the end of a run, so that a skipped one is seen.

With ``REQUIRE_ENGINES=1``, as in CI, an engine that cannot run is a failure.
"""

from __future__ import annotations

import os
from typing import Final, NoReturn

import pytest

ENGINES: Final = (
    "Chroma",
    "Chromium",
    "ClickHouse's engine (chdb)",
    "LanceDB",
    "MLflow",
    "Milvus server",
    "Phoenix",
    "Postgres with pgvector",
    "Qdrant's segment engine",
    "instrumentations",
    "langchain-newest",
    "langchain-oldest",
    "llama-index-newest",
    "llama-index-oldest",
    "pinecone",
    "ray",
)

state: Final[dict[str, str]] = {}
"""Engine -> its version, or why it did not run in this process."""


def ran(engine: str, version: str) -> None:
    """Say that tests run against ``engine``."""
    assert engine in ENGINES, f"{engine} is not listed in engines.ENGINES"
    state[engine] = version


def cannot_run(engine: str, reason: str) -> NoReturn:
    """Skip the tests of ``engine``, or fail them where every engine has to run."""
    assert engine in ENGINES, f"{engine} is not listed in engines.ENGINES"
    state[engine] = f"did not run: {reason}"
    if os.environ.get("REQUIRE_ENGINES") == "1":
        pytest.fail(f"{engine} {state[engine]}", pytrace=False)
    pytest.skip(f"{engine} {state[engine]}")


def summary(seen: dict[str, str]) -> list[str]:
    """Lines about all engines, those first that ran."""
    good = {engine: words for engine, words in seen.items() if not words.startswith("did not run")}
    lines = [f"{len(good)} of {len(ENGINES)} engines ran"]
    lines += [f"  {engine} {good[engine]}" for engine in ENGINES if engine in good]
    lines += [
        f"  {engine} {seen.get(engine, 'was not asked for')}" for engine in ENGINES if engine not in good
    ]
    return lines
