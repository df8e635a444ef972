"""Record the spans of every instrumentation over real stores; README.md says what for.

``cd tests && python -m wire.spans.record [NAME ...]`` with names such as ``openinference-langchain`` or
``openinference-langchain/chroma``; without one, everything. ``make environments`` makes what it needs.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, nullcontext
from pathlib import Path
from typing import Final

from osmem_server import OsmemServer  # type: ignore[import-untyped]  # it has no types

from hooks.real_stores import with_search
from support.paths import ENVIRONMENTS, ROOT, TESTS, WIRE
from support.stub import Stub
from vector_stores.chroma.stores import ChromaServer
from vector_stores.milvus.engine import running as milvus
from vector_stores.pgvector.stores import running as postgres
from vector_stores.qdrant.engine import QdrantEngine, served
from vector_stores.search.service import ElasticService
from wire.spans.openai_server import OpenAiServer
from wire.spans.steps import STAMPED, STORES

INSTRUMENTATIONS: Final = {
    "langchain": (
        "openinference",
        "openinference-openai",
        "openinference-openllmetry",
        "openllmetry",
        "genai",
        "mlflow",
        "mlflow-openai",
        "mlflow-semconv",
        "langfuse",
        "langsmith",
    ),
    "llama-index": (
        "openinference",
        "openinference-openai",
        "openinference-openllmetry",
        "openllmetry",
        "genai",
        "mlflow",
        "mlflow-openai",
    ),
}
STORES_OF: Final = {
    "openinference-openai": ("qdrant",),
    "openinference-openllmetry": ("qdrant",),
    "mlflow-openai": ("chroma",),
    "mlflow-semconv": ("chroma",),
    "langfuse": ("chroma",),
    "langsmith": ("chroma",),
}
"""Where the stores make no difference to what is seen, one is enough."""
_STAMPED: Final = ("openinference", "openllmetry", "genai")
_WITHOUT: Final = {("llama-index", "milvus")}
"""LlamaIndex's package for Milvus needs another pymilvus than LangChain's."""


def cases(instrumentation: str, framework: str) -> list[str]:
    """What is recorded of one instrumentation."""
    found = [*STORES_OF.get(instrumentation, STORES), "features"]
    if instrumentation in _STAMPED:
        found.append(STAMPED)
    return [one for one in found if (framework, one) not in _WITHOUT]


@contextmanager
def _chroma(folder: Path) -> Iterator[str]:
    with ChromaServer(folder) as server:
        yield server.url


@contextmanager
def _qdrant(folder: Path) -> Iterator[str]:
    with closing(QdrantEngine(folder)) as engine, served(engine) as stub:
        yield stub.url


@contextmanager
def _pgvector(folder: Path) -> Iterator[str]:
    with postgres() as server:
        server.create("kb")
        yield server.sqlalchemy("kb")


@contextmanager
def _elasticsearch(folder: Path) -> Iterator[str]:
    with (
        OsmemServer.start() as emulator,
        Stub(with_search(ElasticService(emulator.url).answer)) as stub,
    ):
        yield stub.url


@contextmanager
def _milvus(folder: Path) -> Iterator[str]:
    with milvus(folder, lambda engine: None) as engine:
        yield engine.url


_ENGINES: Final[dict[str, Callable[[Path], AbstractContextManager[str]]]] = {
    "chroma": _chroma,
    "qdrant": _qdrant,
    "lancedb": lambda folder: nullcontext(str(folder)),
    "pgvector": _pgvector,
    "elasticsearch": _elasticsearch,
    "milvus": _milvus,
}


def record(instrumentation: str, framework: str, cases: list[str]) -> bool:
    """Whether the application came to its end."""
    with tempfile.TemporaryDirectory(prefix="kb-") as scratch, ExitStack() as stack:
        addresses = {}
        for case in cases:
            kind = case if case in STORES else "chroma"
            folder = Path(scratch) / case
            folder.mkdir()
            openai = stack.enter_context(Stub(OpenAiServer().answer)).url + "/v1"
            addresses[case] = {"openai": openai, kind: stack.enter_context(_ENGINES[kind](folder))}
        command = [
            str(ENVIRONMENTS / "instrumentations" / "bin" / "python"),
            *("-W", "ignore", "-m", "wire.spans.application", instrumentation, framework),
            json.dumps(addresses),
            str(WIRE / "spans" / f"{instrumentation}-{framework}"),
        ]
        paths = os.pathsep.join((str(ROOT / "connectors"), str(TESTS)))
        environment = {**os.environ, "PYTHONPATH": paths}
        return subprocess.run(command, env=environment, check=False, timeout=600).returncode == 0


def main(names: list[str]) -> None:
    failed = []
    for framework, instrumentations in INSTRUMENTATIONS.items():
        for instrumentation in instrumentations:
            name = f"{instrumentation}-{framework}"
            wanted = [
                case
                for case in cases(instrumentation, framework)
                if not names or name in names or f"{name}/{case}" in names
            ]
            if wanted:
                print(name, *wanted, flush=True)  # noqa: T201  # a script
                if not record(instrumentation, framework, wanted):
                    failed.append(name)
    sys.exit(f"failed: {' '.join(failed)}" if failed else None)


if __name__ == "__main__":
    main(sys.argv[1:])
