"""A real Phoenix server out of an environment of its own, one for all workers of a run.

Its database is filled once for each environment, by Phoenix's own client: that takes longer than the start of the
server.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from support import engines
from support.paths import ENVIRONMENTS
from support.shared_server import shared_server
from support.stub import Answer, Call, Stub, forward

NAME: Final = "Phoenix"
PLANTED: Final = "planted-payload-c0ffee"
"""In every text of a trace, and in no template."""
ABSENT: Final = "Not Found"
"""Phoenix's own word for what is not there."""
ENVIRONMENT: Final = ENVIRONMENTS / "phoenix"
SEED: Final = Path(__file__).with_name("seed.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoenixEngine:
    """A running server, and the keys and ids of what is in it."""

    url: str
    seeded: dict[str, Any]

    @property
    def answer(self) -> Answer:
        """Hands every request on, with the key of a member in place of any other."""
        return forward(self.url, {"Authorization": f"Bearer {self.seeded['key']}"})

    def served(self, *, tls: bool = False) -> Stub:
        """The server behind one that can fail."""
        return Stub(self.answer, missing=ABSENT, tls=tls)


@contextmanager
def running(folder: Path) -> Iterator[PhoenixEngine]:
    """The server of ``folder``; what is in it is not to be changed."""
    python = ENVIRONMENT / "bin" / "python"
    if not python.is_file():
        engines.cannot_run(NAME, f"{ENVIRONMENT} is not installed, `make environments` does it")
    written = _seeded(python)
    seeded = json.loads((written / "seeded.json").read_text())
    with shared_server(
        NAME,
        folder,
        prepare=lambda target: _copy(written, target),
        # The port is told by the environment alone.
        command=["env", "PHOENIX_PORT={port}", str(python), "-m", "phoenix.server.main", "serve"],
        health="http://127.0.0.1:{port}/healthz",
        environment={**seeded["settings"], "PHOENIX_WORKING_DIR": str(folder)},
    ) as url:
        engines.ran(NAME, seeded["version"])
        yield PhoenixEngine(url=url, seeded=seeded)


def is_about(name: str, call: Call) -> bool:
    """Whether a request is about one prompt: its versions, or itself."""
    return f"/prompts/{name}/" in call.path or f'"name": "{name}"'.encode() in call.body


def _copy(written: Path, target: Path) -> None:
    for path in written.glob("phoenix.db*"):
        shutil.copy(path, target / path.name)


def _seeded(python: Path) -> Path:
    """The folder with the filled database; filled now if the environment has none of this script yet."""
    folder = ENVIRONMENT / f"seeded-{hashlib.sha256(SEED.read_bytes()).hexdigest()[:12]}"
    if not folder.is_dir():
        done = subprocess.run(
            [str(python), str(SEED), str(ENVIRONMENT)],
            capture_output=True,
            text=True,
            timeout=400,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
    return folder
