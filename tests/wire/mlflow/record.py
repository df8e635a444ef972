"""Records what an MLflow server with users answers to one who may read nothing.

``python tests/wire/mlflow/record.py PYTHON``: the Python of an environment with ``mlflow[auth]``, a server for which it
starts in a temporary folder. The answers go to ``auth.json`` beside this script: caller -> exchanges.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import requests

HERE: Final = Path(__file__).parent
IS_PROMPT: Final = "tag.`mlflow.prompt.is_prompt` = 'true'"
CONFIG: Final = """[mlflow]
default_permission = NO_PERMISSIONS
database_uri = sqlite:///auth.db
admin_username = admin
authorization_function = mlflow.server.auth:authenticate_request_basic_auth
"""


def main() -> None:
    python = sys.argv[1]
    admin, reader = ("admin", secrets.token_urlsafe(16)), ("reader", secrets.token_urlsafe(16))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    base = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "auth.ini").write_text(CONFIG)
        serve = ["--backend-store-uri", "sqlite:///m.db", "--app-name", "basic-auth", "--workers", "1"]
        server = subprocess.Popen(
            [python, "-m", "mlflow", "server", *serve, "--host", "127.0.0.1", "--port", str(port)],
            cwd=folder,
            env={
                **os.environ,
                "MLFLOW_DISABLE_TELEMETRY": "true",
                "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
                "MLFLOW_AUTH_ADMIN_PASSWORD": admin[1],
                "MLFLOW_FLASK_SERVER_SECRET_KEY": secrets.token_urlsafe(16),
                "MLFLOW_AUTH_CONFIG_PATH": f"{folder}/auth.ini",
            },
        )
        try:
            wait_for(base, server)
            fill(base, admin, reader)
            recorded = {
                "version": requests.get(f"{base}/version", auth=admin, timeout=60).text,
                "nobody": exchanges(base, None),
                "without permission": exchanges(base, reader),
                "admin": exchanges(base, admin),
            }
        finally:
            server.terminate()
            server.wait()
    (HERE / "auth.json").write_text(json.dumps(recorded, indent=1) + "\n")


def wait_for(base: str, server: subprocess.Popen[bytes]) -> None:
    while server.poll() is None:
        try:
            if requests.get(f"{base}/health", timeout=5).ok:
                return
        except requests.RequestException:
            time.sleep(0.5)
    sys.exit("the server ended while it started")


def fill(base: str, admin: tuple[str, str], reader: tuple[str, str]) -> None:
    """A user without any permission, a prompt, an experiment."""

    def create(what: str, **body: Any) -> None:
        requests.post(
            f"{base}/api/2.0/mlflow/{what}/create", json=body, auth=admin, timeout=60
        ).raise_for_status()

    is_prompt = {"key": "mlflow.prompt.is_prompt", "value": "true"}
    create("users", username=reader[0], password=reader[1])
    create("registered-models", name="p", tags=[is_prompt])
    create(
        "model-versions",
        name="p",
        source="dummy-source",
        tags=[is_prompt, {"key": "mlflow.prompt.text", "value": "hi {{x}}"}],
    )
    create("experiments", name="private")


def exchanges(base: str, auth: tuple[str, str] | None) -> list[dict[str, Any]]:
    """The calls of the connector, and what they are answered."""
    v2, v3 = "/api/2.0/mlflow", "/api/3.0/mlflow"
    place = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": "1"}}
    count = {
        "view_type": "TRACES",
        "metric_name": "trace_count",
        "aggregations": [{"aggregation_type": "COUNT"}],
    }
    asked: list[tuple[str, str, dict[str, Any], dict[str, Any] | None]] = [
        ("GET", f"{v2}/registered-models/search", {"filter": IS_PROMPT}, None),
        ("GET", f"{v2}/registered-models/get", {"name": "p"}, None),
        ("GET", f"{v2}/registered-models/get", {"name": "no such"}, None),
        ("GET", f"{v2}/model-versions/search", {"filter": f"name = 'p' AND {IS_PROMPT}"}, None),
        ("POST", f"{v2}/experiments/search", {}, {"max_results": 500}),
        ("GET", f"{v2}/experiments/get", {"experiment_id": "0"}, None),
        ("GET", f"{v2}/experiments/get", {"experiment_id": "1"}, None),
        ("POST", f"{v2}/logged-models/search", {}, {"experiment_ids": ["1"]}),
        ("POST", f"{v2}/runs/search", {}, {"experiment_ids": ["1"]}),
        ("POST", f"{v3}/traces/search", {}, {"locations": [place], "max_results": 1}),
        ("POST", f"{v3}/traces/metrics", {}, {"experiment_ids": ["1"], **count}),
    ]
    found = []
    for method, path, query, body in asked:
        answer = requests.request(method, base + path, params=query, json=body, auth=auth, timeout=60)
        found.append(
            {
                "request": {"method": method, "path": path, "query": query, "body": body},
                "response": {
                    "status": answer.status_code,
                    "type": answer.headers.get("Content-Type", ""),
                    "body": answer.text,
                },
            }
        )
    return found


if __name__ == "__main__":
    main()
