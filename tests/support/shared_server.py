"""A server of an engine's own environment that all workers of a run share: the first one who asks starts it."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from support import engines

_KEEP: Final = Path(__file__).with_name("keep.py")
_START_SECONDS: Final = 240


def folder_of(factory: pytest.TempPathFactory, name: str) -> Path:
    """A folder that is the same for all workers of a run."""
    root = factory.getbasetemp()
    return (root.parent if "PYTEST_XDIST_WORKER" in os.environ else root) / name


@contextmanager
def shared_server(
    engine: str,
    folder: Path,
    *,
    prepare: Callable[[Path], None],
    command: Sequence[str],
    health: str,
    environment: Mapping[str, str],
) -> Iterator[str]:
    """The address of the server of ``folder``. It ends after the last one who uses it has ended.

    ``prepare`` fills the folder before the start. ``{port}`` in ``command`` and ``health`` is the server's port.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "users").open("w") as users, (folder / "start").open("w") as start:
        fcntl.flock(start, fcntl.LOCK_EX)
        fcntl.flock(users, fcntl.LOCK_SH)
        if not (folder / "ready").is_file():
            prepare(folder)
            _start(engine, folder, [health, *command], environment)
        port = (folder / "ready").read_text()
        fcntl.flock(start, fcntl.LOCK_UN)
        yield f"http://127.0.0.1:{port}"


def _start(engine: str, folder: Path, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, str(_KEEP), str(folder), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env={**os.environ, **environment},
        )
    end = time.monotonic() + _START_SECONDS
    while not (folder / "ready").is_file():
        if process.poll() is not None or time.monotonic() > end:
            process.terminate()
            engines.cannot_run(engine, f"it does not start: {(folder / 'log').read_text()[-500:]}")
        time.sleep(0.2)
