"""Record what MLflow's archival writes of recorded spans; README.md says what for. Run by the environment ``mlflow``.

``cd tests && ../.venv/environments/mlflow/bin/python -m wire.spans.record_mlflow_archive``
"""

from __future__ import annotations

import gzip
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import requests
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

SPANS: Final = Path(__file__).resolve().parent
TARGET: Final = SPANS / "mlflow-archive"
SENT: Final = ("mlflow-langchain/chroma", "openinference-langchain/chroma")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        database = f"sqlite:///{folder}/mlflow.db"
        command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", database]
        command += ["--port", str(port), "--workers", "1"]
        server = subprocess.Popen(command, cwd=folder)
        try:
            for name in SENT:
                _send(f"http://127.0.0.1:{port}/v1/traces", f"{SPANS}/{name}.otlp.pb.gz")
        finally:
            server.terminate()
            server.wait(30)
        location = Path(folder) / "archive"
        # What its server runs every few minutes; traces of the last minute stay.
        store = SqlAlchemyStore(database, f"{folder}/artifacts")
        archived = store.archive_traces(
            resolved_trace_archival_location=location.as_uri(),
            broader_retention="1m",
            long_retention_allowlist=set(),
            max_traces_per_pass=None,
        )
        assert archived, "nothing is a minute old"
        shutil.rmtree(TARGET, ignore_errors=True)
        shutil.copytree(location, TARGET)


def _send(url: str, file: str) -> None:
    body = gzip.decompress(Path(file).read_bytes())
    headers = {"Content-Type": "application/x-protobuf", "x-mlflow-experiment-id": "0"}
    for _ in range(300):
        try:
            answer = requests.post(url, data=body, headers=headers, timeout=60)
        except requests.ConnectionError:
            time.sleep(0.2)
            continue
        assert answer.ok, answer.text
        return
    raise AssertionError("the server does not start")


if __name__ == "__main__":
    main()
