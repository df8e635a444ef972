"""ClickHouse's engine behind its HTTP interface, one for all workers of a run: see ``server.py``."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import urllib3

from datahub_llmops.spans.doors.clickhouse.options import ClickHouseOptions
from support import engines
from support.paths import ENVIRONMENTS, WIRE
from support.shared_server import shared_server

NAME: Final = "ClickHouse's engine (chdb)"
ENVIRONMENT: Final = ENVIRONMENTS / "clickhouse"
SERVER: Final = Path(__file__).with_name("server.py")
COLLECTOR: Final = WIRE / "spans" / "collector"
PASSWORD: Final = "s3cret"


@dataclass(frozen=True, slots=True)
class Engine:
    """A running server."""

    url: str
    folder: Path

    def command(self, text: str, database: str = "default") -> bytes:
        """Run a statement of the tests' own, which may write."""
        response = urllib3.request(
            "POST",
            f"{self.url}/?database={database}&default_format=JSONEachRow",
            body=text.encode(),
            headers={"X-Test-Command": "1"},
            retries=False,
            timeout=600,
        )
        assert response.status == 200, response.data.decode()[:2000]
        return response.data

    def database(self) -> str:
        """Make an empty database with the exporter's tables."""
        name = f"t{uuid.uuid4().hex}"
        self.command(f"CREATE DATABASE {name}")
        for kind in ("otel_traces", "otel_traces_json"):
            script = (COLLECTOR / f"{kind}.sql").read_text().replace('"otel"', f'"{name}"')
            for statement in script.split(";"):
                if statement.strip().startswith(("CREATE TABLE", "CREATE MATERIALIZED")):
                    self.command(statement)
        return name

    def insert(self, database: str, rows: Iterable[Mapping[str, Any]], table: str = "otel_traces") -> None:
        """Insert rows as the exporter does."""
        lines = "\n".join(json.dumps(row) for row in rows)
        if lines:
            self.command(f"INSERT INTO {database}.{table} FORMAT JSONEachRow {lines}")

    def options(self, database: str, **given: Any) -> ClickHouseOptions:
        """Options of a reader of a database."""
        found: dict[str, Any] = {
            "user": "reader",
            "password": PASSWORD,
            "max_days": 3650,
            "timeout_sec": 60.0,
        }
        return ClickHouseOptions(url=self.url, database=database, **{**found, **given})


@contextmanager
def running(folder: Path) -> Iterator[Engine]:
    """The server of a folder, with an empty database."""
    python = ENVIRONMENT / "bin" / "python"
    if not python.is_file():
        engines.cannot_run(NAME, f"{ENVIRONMENT} is not installed, `make environments` does it")
    with shared_server(
        NAME,
        folder,
        prepare=lambda target: None,
        command=[str(python), str(SERVER), "{port}", str(folder)],
        health="http://127.0.0.1:{port}/ping",
        environment={},
    ) as url:
        engine = Engine(url, folder)
        version = json.loads(engine.command("SELECT version() AS v"))["v"]
        engines.ran(NAME, version)
        yield engine
