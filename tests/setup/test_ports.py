"""Servers of this machine: each real one is told by its own answer, and nothing is told by an open port alone."""

from __future__ import annotations

import json
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from typing_extensions import override

from datahub_llmops.setup.ports import PROBES, Running, find_servers
from datahub_llmops.setup.systems import System
from prompt_registries.mlflow.engine import MlflowServer
from prompt_registries.phoenix.engine import PhoenixEngine
from support.paths import WIRE
from support.stub import FAULTS, Reply, Stub, answer_json, refused_url
from vector_stores.chroma.stores import ChromaServer
from vector_stores.milvus.engine import MilvusEngine
from vector_stores.pgvector.stores import Postgres
from vector_stores.weaviate.service import WeaviateService

pytestmark = pytest.mark.engine


def all_at(port: int) -> Running:
    """Ask one port what it is by every question that there is."""
    return find_servers([replace(probe, port=port) for probe in PROBES])


def only(url: str) -> System:
    """What a server is taken for: one system."""
    port = urlsplit(url).port
    assert port is not None
    found = all_at(port)
    (one,) = found.sources
    assert found.datahub is None
    assert one.values == {"url": f"http://localhost:{port}"}
    return one.system


def test_chroma(chroma_server: ChromaServer) -> None:
    assert only(chroma_server.url).key == "chroma"


def test_qdrant_that_asks_for_a_key(qdrant_server: Stub) -> None:
    qdrant_server.fail("401", when=lambda call: call.path != "/")
    assert only(qdrant_server.url).key == "qdrant"


def test_weaviate() -> None:
    with WeaviateService() as server:
        assert only(server.url).key == "weaviate"


def test_milvus_that_asks_for_a_token(milvus: MilvusEngine) -> None:
    assert only(milvus.url).key == "milvus"


def test_opensearch(opensearch: Stub) -> None:
    assert only(opensearch.url).key == "opensearch"


def test_elasticsearch(elasticsearch: Stub) -> None:
    assert only(elasticsearch.url).key == "elasticsearch"


def test_phoenix(phoenix: PhoenixEngine) -> None:
    assert only(phoenix.url).key == "phoenix"


def test_mlflow(mlflow: MlflowServer) -> None:
    assert only(mlflow.url).key == "mlflow"


def test_langfuse_by_its_recorded_answer() -> None:
    first = json.loads((WIRE / "langfuse" / "mode_legacy.json").read_text())[0]
    assert first["request"]["path"] == "/api/public/health"
    with Stub(lambda call: answer_json(first["response"]["body"])) as server:
        assert only(server.url).key == "langfuse"


REFUSALS = {
    "qdrant": Reply(status=401, body=b"Must provide an API key or an Authorization bearer token"),
    "weaviate": Reply(
        status=401,
        body=b'{"code":401,"message":"anonymous access not enabled, please provide an auth scheme such as OIDC"}',
    ),
    "opensearch": Reply(
        status=401, body=b"Unauthorized", headers={"WWW-Authenticate": 'Basic realm="OpenSearch Security"'}
    ),
    "elasticsearch": Reply(
        status=401,
        body=b'{"error":{"type":"security_exception"},"status":401}',
        headers={"WWW-Authenticate": "ApiKey"},
    ),
}
"""What each says without a login: Qdrant's src/actix/auth.rs, Weaviate's anonymous.go, and the security plugins."""


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("key", REFUSALS)
def test_a_refusal_in_its_own_words_tells_the_system(key: str, tls: bool) -> None:
    with Stub(lambda call: REFUSALS[key], tls=tls) as server:
        (one,) = all_at(server.port).sources
    assert (one.system.key, one.asks_for_login) == (key, True)
    assert one.found.endswith("of this machine, and asks for a login")
    assert one.values == {"url": f"{'https' if tls else 'http'}://localhost:{server.port}"}


def test_a_refusal_that_anybody_may_have_written_tells_nothing() -> None:
    refused = Reply(status=401, body=b'{"message":"Unauthorized"}', headers={"WWW-Authenticate": "Bearer"})
    with Stub(lambda call: refused) as server:
        assert all_at(server.port) == Running()


@pytest.mark.parametrize("tls", [False, True])
def test_clickhouse_by_its_ping(tls: bool) -> None:
    with Stub(lambda call: Reply(status=200, body=b"Ok.\n"), tls=tls) as server:
        found = all_at(server.port).sources
    assert {one.system.key for one in found} == {"spans-clickhouse"}
    # Nobody knows yet whether it has spans: the database has to be named.
    assert {option.name for one in found for option in one.missing} == {"clickhouse.database"}
    assert found[0].values == {"clickhouse.url": f"{'https' if tls else 'http'}://localhost:{server.port}"}


def test_postgres(postgres: Postgres) -> None:
    with over_tcp(Path(postgres.folder) / ".s.PGSQL.5432") as port:
        (one,) = all_at(port).sources
    assert one.system.key == "pgvector"
    assert one.values == {"connection.host": "localhost", "connection.port": str(port)}


def test_a_datahub_server_is_no_source() -> None:
    recorded = json.loads((WIRE / "gms" / "config.json").read_text())[0]["response"]["body"]
    with Stub(lambda call: answer_json(recorded)) as server:
        assert all_at(server.port) == Running(datahub=f"http://localhost:{server.port}")


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault != "silence"])
def test_what_is_none_of_them_is_nothing(fault: str) -> None:
    with Stub(lambda call: Reply(status=200, body=b"<html>hello</html>")) as server:
        assert all_at(server.port) == Running()
        server.fail(fault)  # type: ignore[arg-type]  # they are Faults
        assert all_at(server.port) == Running()


def test_one_that_hangs_or_is_not_there_ends() -> None:
    with Stub(lambda call: Reply()) as server:
        server.fail("silence")
        assert all_at(server.port) == Running()
    with refused_url() as nobody:
        assert all_at(urlsplit(nobody).port or 0) == Running()


@contextmanager
def over_tcp(path: Path) -> Iterator[int]:
    """The server of a socket file at a port, one message each way."""

    class Relay(socketserver.BaseRequestHandler):
        @override
        def handle(self) -> None:
            with socket.socket(socket.AF_UNIX) as real:
                real.connect(str(path))
                real.sendall(self.request.recv(4096))
                real.settimeout(1)
                self.request.sendall(real.recv(4096))

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Relay) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()
