"""A real Milvus server (``milvus`` 2.3.5, Go and C++) out of an environment of its own, one for all workers of a run.

Its package and those that write into it need other versions than the tests: ``make environments`` installs them from
``tests/environments``.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from support import engines
from support.paths import ENVIRONMENTS
from support.paths import ROOT as REPOSITORY

HERE = Path(__file__).parent
SERVER = ENVIRONMENTS / "milvus" / "bin" / "python"
"""With the server, pymilvus 3 and LangChain's package."""
OLDEST = ENVIRONMENTS / "pymilvus-2.6" / "bin" / "python"
"""With the oldest pymilvus that the connector takes, and LlamaIndex's package, which needs one before 3."""

NAME = "Milvus server"

ROOT = "root:Milvus"
"""The user that a server has from the start."""

_START_SECONDS = 180


@dataclass(frozen=True, slots=True, kw_only=True)
class MilvusEngine:
    """A running server that asks for a token."""

    port: int
    pid: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def needs(python: Path) -> None:
    """Skip where an environment is not there: not every platform has its packages."""
    if not python.is_file():
        cannot_run(f"{python.parent.parent} is not installed, `make environments` does it")


def cannot_run(reason: str) -> NoReturn:
    engines.cannot_run(NAME, reason)


@contextmanager
def running(folder: Path, fill: Callable[[MilvusEngine], None]) -> Iterator[MilvusEngine]:
    """The server of ``folder``, started and filled by the first who asks for it; it ends after the last one ended."""
    needs(SERVER)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "users").open("w") as users, (folder / "start").open("w") as start:
        fcntl.flock(start, fcntl.LOCK_EX)
        fcntl.flock(users, fcntl.LOCK_SH)
        ready = folder / "ready"
        fresh = not ready.is_file()
        if fresh:
            _start(folder)
        port, pid = ready.read_text().split()
        engine = MilvusEngine(port=int(port), pid=int(pid))
        if fresh:
            fill(engine)
        fcntl.flock(start, fcntl.LOCK_UN)
        engines.ran(NAME, "2.3.5, with packages that write into it")
        yield engine


def _start(folder: Path) -> None:
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            [str(SERVER), str(HERE / "serve.py"), str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    end = time.monotonic() + _START_SECONDS
    while not (folder / "ready").is_file():
        if process.poll() is not None or time.monotonic() > end:
            process.terminate()
            cannot_run(f"it does not start: {(folder / 'log').read_text()[-500:]}")
        time.sleep(0.2)


def run(python: Path, script: str, *arguments: str) -> str:
    """What a script beside this one prints, run in one of the environments."""
    needs(python)
    done = subprocess.run(
        [str(python), str(HERE / script), *arguments],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY / "connectors")},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout
