"""Servers at their usual ports of this machine, each told by what its own protocol answers.

A question is one GET without a login, or the first bytes of a protocol. An open port alone says nothing. A refusal in a
system's own words says as much as an answer. Behind TLS any certificate will do: nothing is sent that is secret.
"""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any, Final

from datahub_llmops.net.attempts import within
from datahub_llmops.setup.systems import (
    CHROMA,
    CLICKHOUSE,
    ELASTICSEARCH,
    LANGFUSE,
    MILVUS,
    MLFLOW,
    OPENSEARCH,
    PGVECTOR,
    PHOENIX,
    QDRANT,
    WEAVIATE,
    Candidate,
    System,
)

_HOST: Final = "localhost"
_CONNECT: Final = 0.5
_SECONDS: Final = 2.0
_MOST_BYTES: Final = 65_536
_MILVUS_LOGIN: Final = 1800
"""The code of Milvus for a login that is missing, with the status 200."""
_SSL_REQUEST: Final = b"\x00\x00\x00\x08\x04\xd2\x16\x2f"
"""https://www.postgresql.org/docs/current/protocol-message-formats.html"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a server said to one GET."""

    status: int
    text: str
    headers: Mapping[str, str]
    """By their names in lower case."""

    @property
    def json(self) -> dict[str, Any]:
        """The answer as a JSON object; empty if it is none."""
        try:
            value = json.loads(self.text)
        except (ValueError, RecursionError):
            return {}
        return value if isinstance(value, dict) else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """How one system is recognised."""

    system: System | None
    """``None`` is a DataHub server, which is not a source."""
    port: int
    path: str = ""
    """Empty where the protocol is not HTTP."""
    is_it: Callable[[Answer], bool] = lambda answer: False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """A system that answered a probe."""

    probe: Probe
    url: str = ""
    """Empty where the protocol is not HTTP."""
    asks_for_login: bool = False


def _is_chroma(answer: Answer) -> bool:
    return isinstance(answer.json.get("nanosecond heartbeat"), int)


def _is_qdrant(answer: Answer) -> bool:
    return str(answer.json.get("title", "")).startswith("qdrant") or (
        answer.status == 401 and answer.text.startswith("Must provide an API key or an Authorization bearer")
    )


def _is_weaviate(answer: Answer) -> bool:
    return {"modules", "hostname", "version"} <= answer.json.keys() or (
        answer.status == 401 and str(answer.json.get("message")).startswith("anonymous access not enabled")
    )


def _is_elasticsearch(answer: Answer) -> bool:
    return (
        answer.headers.get("x-elastic-product") == "Elasticsearch"
        or answer.json.get("tagline") == "You Know, for Search"
        or ("ApiKey" in answer.headers.get("www-authenticate", "") and "security_exception" in answer.text)
    ) and not _is_opensearch(answer)


def _is_opensearch(answer: Answer) -> bool:
    version = answer.json.get("version")
    return (isinstance(version, dict) and version.get("distribution") == "opensearch") or (
        "OpenSearch" in answer.headers.get("www-authenticate", "")
    )


def _is_milvus(answer: Answer) -> bool:
    found = answer.json
    return found.get("code") == _MILVUS_LOGIN or (
        found.get("code") in (0, 200) and isinstance(found.get("data"), list)
    )


def _is_langfuse(answer: Answer) -> bool:
    return answer.json.get("status") == "OK" and isinstance(answer.json.get("version"), str)


def _is_phoenix(answer: Answer) -> bool:
    return "x-phoenix-server-version" in answer.headers


def _is_mlflow(answer: Answer) -> bool:
    return "experiment" in answer.json or (answer.status == 401 and "mlflow" in answer.text.lower())


def _is_clickhouse(answer: Answer) -> bool:
    """https://clickhouse.com/docs/interfaces/http"""
    return answer.status == 200 and answer.text == "Ok.\n"


def _is_datahub(answer: Answer) -> bool:
    versions = answer.json.get("versions")
    return isinstance(versions, dict) and any("datahub" in str(name) for name in versions)


PROBES: Final = (
    Probe(system=CHROMA, port=8000, path="/api/v2/heartbeat", is_it=_is_chroma),
    Probe(system=QDRANT, port=6333, path="/", is_it=_is_qdrant),
    Probe(system=WEAVIATE, port=8080, path="/v1/meta", is_it=_is_weaviate),
    Probe(system=MILVUS, port=19530, path="/v1/vector/collections", is_it=_is_milvus),
    Probe(system=PGVECTOR, port=5432),
    Probe(system=OPENSEARCH, port=9200, path="/", is_it=_is_opensearch),
    Probe(system=ELASTICSEARCH, port=9200, path="/", is_it=_is_elasticsearch),
    Probe(system=LANGFUSE, port=3000, path="/api/public/health", is_it=_is_langfuse),
    Probe(system=PHOENIX, port=6006, path="/healthz", is_it=_is_phoenix),
    Probe(system=MLFLOW, port=5000, path="/api/2.0/mlflow/experiments/get?experiment_id=0", is_it=_is_mlflow),
    Probe(system=CLICKHOUSE, port=8123, path="/ping", is_it=_is_clickhouse),
    Probe(system=CLICKHOUSE, port=8443, path="/ping", is_it=_is_clickhouse),
    Probe(system=None, port=8080, path="/config", is_it=_is_datahub),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """What answers at the usual ports: sources, and the address of a DataHub server."""

    sources: tuple[Candidate, ...] = ()
    datahub: str | None = None


def find_servers(probes: Sequence[Probe] = PROBES) -> Running:
    """Ask all ports at the same time. It takes two seconds at most and raises nothing."""
    with ThreadPoolExecutor(len(probes) or 1, thread_name_prefix="probe") as pool:
        answered = [found for found in pool.map(_ask, probes) if found is not None]
    return Running(
        sources=tuple(
            Candidate(
                system=found.probe.system,
                values=_values(found),
                found=f"answers at port {found.probe.port} of this machine"
                + (", and asks for a login" if found.asks_for_login else ""),
                asks_for_login=found.asks_for_login,
            )
            for found in answered
            if found.probe.system is not None
        ),
        datahub=next((found.url for found in answered if found.probe.system is None), None),
    )


def _values(found: _Found) -> dict[str, str]:
    if found.url and found.probe.system is not None:
        return {found.probe.system.place.name: found.url}
    return {"connection.host": _HOST, "connection.port": str(found.probe.port)}


def _ask(probe: Probe) -> _Found | None:
    try:
        return within(_SECONDS, lambda: _over_http(probe) if probe.path else _as_postgres(probe))
    except Exception:  # noqa: BLE001 - whatever listens there may answer anything
        return None


def _over_http(probe: Probe) -> _Found | None:
    for scheme in ("http", "https"):
        with suppress(OSError, HTTPException):
            answer = _get(scheme, probe)
            if probe.is_it(answer):
                return _Found(
                    probe=probe,
                    url=f"{scheme}://{_HOST}:{probe.port}",
                    asks_for_login=answer.status in (401, 403) or answer.json.get("code") == _MILVUS_LOGIN,
                )
    return None


def _get(scheme: str, probe: Probe) -> Answer:
    connection = (
        HTTPConnection(_HOST, probe.port, timeout=_SECONDS)
        if scheme == "http"
        else HTTPSConnection(_HOST, probe.port, timeout=_SECONDS, context=_any_certificate())
    )
    with closing(connection):
        connection.request("GET", probe.path, headers={"Accept": "application/json"})
        response = connection.getresponse()
        return Answer(
            status=response.status,
            text=response.read(_MOST_BYTES).decode("utf-8", "replace"),
            headers={name.lower(): value for name, value in response.headers.items()},
        )


def _any_certificate() -> ssl.SSLContext:
    """Only to see what listens there. The recipe checks the certificate, unless its options say otherwise."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _as_postgres(probe: Probe) -> _Found | None:
    """Ask whether it speaks TLS. Only Postgres answers that with one letter."""
    with socket.create_connection((_HOST, probe.port), timeout=_CONNECT) as connection:
        connection.settimeout(_SECONDS)
        connection.sendall(_SSL_REQUEST)
        return _Found(probe=probe) if connection.recv(2) in (b"S", b"N") else None
