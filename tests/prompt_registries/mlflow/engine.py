"""A real MLflow server out of an environment of its own, one for all workers of a run.

Its database is filled once for each environment, by MLflow's own SDK: that takes longer than the start of the server.
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

NAME: Final = "MLflow"
PLANTED: Final = "planted-payload-c0ffee"
"""In every text of a trace, and in no template."""
ABSENT: Final = {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "Registered Model with name=x not found"}
"""MLflow's own word for what is not there."""
ENVIRONMENT: Final = ENVIRONMENTS / "mlflow"
SEED: Final = Path(__file__).with_name("seed.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class MlflowServer:
    """A running server, and the identifiers of what is in it."""

    url: str
    seeded: dict[str, Any]


@contextmanager
def running(folder: Path) -> Iterator[MlflowServer]:
    """The server of ``folder``; what is in it is not to be changed."""
    python = ENVIRONMENT / "bin" / "python"
    if not python.is_file():
        engines.cannot_run(NAME, f"{ENVIRONMENT} is not installed, `make environments` does it")
    written = _seeded(python)
    seeded = json.loads((written / "seeded.json").read_text())
    database = "sqlite:///mlflow.db"
    serve = (
        "server",
        "--backend-store-uri",
        database,
        "--artifacts-destination",
        "./artifacts",
        "--serve-artifacts",
    )
    with shared_server(
        NAME,
        folder,
        prepare=lambda target: _copy(written, target),
        command=[
            str(python),
            "-m",
            "mlflow",
            *serve,
            "--host",
            "127.0.0.1",
            "--port",
            "{port}",
            "--workers",
            "1",
        ],
        health="http://127.0.0.1:{port}/health",
        environment={
            "MLFLOW_DISABLE_TELEMETRY": "true",
            # Seven more processes, for jobs that no test asks for.
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            "MLFLOW_CRYPTO_KEK_PASSPHRASE": "of a test",
        },
    ) as url:
        engines.ran(NAME, seeded["version"])
        yield MlflowServer(url=url, seeded=seeded)


def _copy(written: Path, target: Path) -> None:
    shutil.copy(written / "mlflow.db", target / "mlflow.db")


def _seeded(python: Path) -> Path:
    """The folder with the filled database; filled now if the environment has none of this script yet."""
    folder = ENVIRONMENT / f"seeded-{hashlib.sha256(SEED.read_bytes()).hexdigest()[:12]}"
    if not folder.is_dir():
        done = subprocess.run(
            [str(python), str(SEED), str(ENVIRONMENT)],
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
    return folder
