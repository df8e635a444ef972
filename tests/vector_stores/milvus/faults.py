"""How `llm-milvus` is put through the fault matrix: a real server behind a proxy that breaks calls and connections."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from faults.matrix import SECRET, Cell, Config, Faults, Place
from vector_stores.milvus.engine import MilvusEngine
from vector_stores.milvus.proxy import FAULTS as INJECTED
from vector_stores.milvus.proxy import Fault, MilvusProxy
from vector_stores.milvus.stores import OTHER, PLANTED, client

# One server serves all workers of a run.
DATABASE: Final = f"own_faults_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
_USER: Final = "user"

_WORDS: Final[dict[Fault, str]] = {
    "UNAUTHENTICATED": "status UNAUTHENTICATED",
    "PERMISSION_DENIED": "status PERMISSION_DENIED",
    "NOT_FOUND": "status NOT_FOUND, of a gateway",
    "UNIMPLEMENTED": "status UNIMPLEMENTED",
    "RESOURCE_EXHAUSTED": "status RESOURCE_EXHAUSTED",
    "UNAVAILABLE": "status UNAVAILABLE",
    "INTERNAL": "status INTERNAL",
    "not_ready": "error 1, not ready",
    "rate_limit": "error 8, rate limit",
    "unexpected": "error 65535, unexpected",
    "not_permitted": "error 1401, not permitted",
    "empty": "an answer without content",
    "nonsense": "garbage in place of a message",
    "silence": "accepts and never answers",
    "reset": "reset in the middle",
    "killed": "killed in the middle, then refused",
    "frozen": "the connection freezes",
    "drip": "a byte at a time",
    "half": "half an answer",
    "garbage": "garbage on the connection",
    "login_page": "login page with 200",
}
WAIT_FOR_A_TIME_OUT: Final = frozenset({"silence", "frozen", "drip", "garbage"})

_PLACES: Final[dict[Place, tuple[str, bytes, str]]] = {
    "listing": ("ShowCollections", DATABASE.encode(), DATABASE),
    "reading": ("DescribeCollection", b"docs", f"{DATABASE}.docs"),
    "counting": ("Query", b"docs", f"{DATABASE}.docs"),
}
"""Method, what its request holds, and the item that it is about."""


@dataclass(frozen=True, slots=True)
class _Arena:
    engine: MilvusEngine
    proxy: MilvusProxy


@contextmanager
def _arena(engine: MilvusEngine, folder: Path) -> Iterator[_Arena]:
    _fill(engine)
    with MilvusProxy(f"127.0.0.1:{engine.port}") as proxy:
        yield _Arena(engine, proxy)


def _fill(engine: MilvusEngine) -> None:
    """Two collections, and a user with a planted password; what is there already stays."""
    with closing(client(engine)) as root:
        if DATABASE not in root.list_databases():
            root.create_database(DATABASE)
        if _USER not in root.list_users():
            root.create_user(_USER, SECRET)
            root.grant_role(_USER, "admin")
    with closing(client(engine, DATABASE)) as own:
        for name in ("docs", "notes"):
            if not own.has_collection(name):
                own.create_collection(name, dimension=2)
                row = {"id": 1, "vector": [1.0, 2.0], "source": "s3://kb/1.pdf", "tenant": PLANTED}
                own.insert(name, [row])
                own.query(name, filter="", output_fields=["count(*)"], consistency_level="Strong")


def _recipe(arena: _Arena) -> Config:
    return {
        "url": arena.proxy.url,
        "token": f"{_USER}:{SECRET}",
        "database_pattern": {"allow": [f"{DATABASE}$", f"{OTHER}$"]},
        "retry_max_times": 1,
        "timeout_sec": 20.0,
        "max_workers": 1,
    }


def _cell(fault: Fault, place: Place) -> Cell:
    method, part, item = _PLACES[place]

    @contextmanager
    def harm(arena: _Arena) -> Iterator[Config]:
        arena.proxy.fail(fault, when=lambda called, request: called == method and part in request)
        yield {"timeout_sec": 1.0} if fault in WAIT_FOR_A_TIME_OUT else {}
        arena.proxy.heal()

    return Cell(
        fault=_WORDS[fault],
        place=place,
        harm=harm,
        item=item,
        alone=fault == "killed",
        met=lambda arena: arena.proxy.met,
    )


@contextmanager
def _wrong_token(arena: _Arena) -> Iterator[Config]:
    yield {"token": f"{_USER}:planted-other"}


@contextmanager
def _dropped(arena: _Arena) -> Iterator[Config]:
    with closing(client(arena.engine, DATABASE)) as own:

        def drop(method: str, request: bytes) -> bool:
            if method == "DescribeCollection" and b"notes" in request and own.has_collection("notes"):
                own.drop_collection("notes")
            return False

        arena.proxy.fail("silence", when=drop)
        yield {}
    arena.proxy.heal()
    _fill(arena.engine)


@contextmanager
def _away(arena: _Arena) -> Iterator[Config]:
    arena.proxy.close()
    yield {}


FAULTS = (
    Faults(
        title="Milvus",
        system="milvus",
        store="Milvus at 127.0.0.1",
        fixture="milvus",
        arena=_arena,
        recipe=_recipe,
        cells=(
            Cell(fault="wrong token", place="listing", harm=_wrong_token),
            Cell(fault="refused", place="listing", harm=_away, alone=True),
            *(_cell(fault, place) for fault in INJECTED for place in _PLACES),
            Cell(
                fault="collection dropped in between",
                place="reading",
                harm=_dropped,
                item=f"{DATABASE}.notes",
            ),
        ),
    ),
)
