"""Record what a Weaviate server answers; see README.md for where the server comes from.

python tests/wire/weaviate/record.py /path/to/weaviate-server
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import urllib3

sys.path += [str(Path(__file__).parents[2])]

from datahub_llmops.net.http import HttpClient
from datahub_llmops.vector_stores.weaviate.client import WeaviateServer, absent
from datahub_llmops.vector_stores.weaviate.reader import WeaviateReader
from support.stub import Call, Reply, Stub, forward

FIELDS: Final = ("source", "uri", "page", "table", "dataset", "path", "file_path", "file_name", "ref_doc_id")
_OPEN: Final = {
    "AUTHENTICATION_ANONYMOUS_ACCESS_ENABLED": "true",
    "ASYNC_INDEXING": "true",
    "OBJECTS_TTL_DELETE_SCHEDULE": "@every 24h",
}
_WITH_ROLES: Final = {
    "AUTHENTICATION_APIKEY_ENABLED": "true",
    "AUTHENTICATION_APIKEY_ALLOWED_KEYS": "root-key,viewer-key,one-key,nothing-key",
    "AUTHENTICATION_APIKEY_USERS": "root,viewer,one,nothing",
    "AUTHORIZATION_RBAC_ENABLED": "true",
    "AUTHORIZATION_RBAC_ROOT_USERS": "root",
}
_WITHOUT_GRAPHQL: Final = {"AUTHENTICATION_ANONYMOUS_ACCESS_ENABLED": "true", "DISABLE_GRAPHQL": "true"}
_AFTER_FLUSH: Final = 75
"""Seconds until the nodes have counted what was written."""


@contextmanager
def running(binary: str, port: int, settings: dict[str, str]) -> Iterator[str]:
    ports = {
        "GRPC_PORT": port + 1,
        "CLUSTER_GOSSIP_BIND_PORT": port + 2,
        "CLUSTER_ADVERTISE_PORT": port + 2,
        "CLUSTER_DATA_BIND_PORT": port + 3,
        "RAFT_PORT": port + 4,
        "RAFT_INTERNAL_RPC_PORT": port + 5,
    }
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            **os.environ,
            **{name: str(number) for name, number in ports.items()},
            "PERSISTENCE_DATA_PATH": folder,
            "CLUSTER_HOSTNAME": "node1",
            "CLUSTER_IN_LOCALHOST": "true",
            "CLUSTER_ADVERTISE_ADDR": "127.0.0.1",
            "RAFT_BOOTSTRAP_EXPECT": "1",
            "DEFAULT_VECTORIZER_MODULE": "none",
            "DISABLE_TELEMETRY": "true",
            "GO_PROFILING_DISABLE": "true",
            "LOG_LEVEL": "error",
            **settings,
        }
        command = [binary, "--host", "127.0.0.1", "--port", str(port), "--scheme", "http"]
        server = subprocess.Popen(command, env=environment)
        try:
            url = f"http://127.0.0.1:{port}"
            _wait_for(url)
            yield url
        finally:
            server.terminate()
            server.wait(60)


def _wait_for(url: str) -> None:
    for _ in range(120):
        try:
            if urllib3.request("GET", f"{url}/v1/.well-known/ready", retries=False).status == 200:
                return
        except urllib3.exceptions.HTTPError:
            pass
        time.sleep(0.5)
    raise SystemExit(f"{url} does not answer")


class Recorder(Stub):
    """Hands on to a server, and keeps each different call with its answer."""

    def __init__(self, url: str) -> None:
        self._forward = forward(url)
        self.kept: dict[str, dict[str, Any]] = {}
        super().__init__(self._kept)

    def _kept(self, call: Call) -> Reply:
        reply = self._forward(call)
        entry = {
            "method": call.method,
            "path": call.path,
            "query": urlencode(call.query, doseq=True),
            "body": json.loads(call.body) if call.body else None,
            "status": reply.status,
            "answer": json.loads(reply.body) if reply.body else None,
        }
        self.kept.setdefault(json.dumps([entry[key] for key in ("method", "path", "query", "body")]), entry)
        return reply


def ask(url: str, method: str, path: str, body: object = None, key: str | None = None) -> Any:
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
    response = urllib3.request(method, url + path, body=json.dumps(body) if body else None, headers=headers)
    return {"status": response.status, "answer": json.loads(response.data) if response.data else None}


def query(text: str) -> dict[str, str]:
    return {"query": text}


def of_an_open_server(url: str) -> list[dict[str, Any]]:
    with Recorder(url) as recorder:
        here = recorder.url
        for name in sorted(entry["class"] for entry in ask(here, "GET", "/v1/schema")["answer"]["classes"]):
            tenants = ask(here, "GET", f"/v1/schema/{name}/tenants")
            named = tenants["answer"] if tenants["status"] == 200 else [{"name": "", "activityStatus": "HOT"}]
            for tenant in (item["name"] for item in named if item["activityStatus"] == "HOT"):
                scope = f"&tenant={tenant}" if tenant else ""
                ask(here, "GET", f"/v1/objects?class={name}&limit=1000&include=vector{scope}")
            ask(here, "GET", f"/v1/nodes/{name}?output=verbose")
        for path in (
            "/v1/objects?class=Gone&limit=1",
            "/v1/objects?class=Tenanted&limit=1",
            "/v1/nodes/Gone?output=verbose",
            "/v1/nosuch",
        ):
            ask(here, "GET", path)
        ask(here, "POST", "/v1/graphql", query("{Aggregate{a0:Gone{meta{count}}}}"))
        variants: list[dict[str, Any]] = [{}, {"max_rows": 120}]
        for options in variants:
            client = HttpClient(system="Weaviate", base_url=here, absent=absent)
            reader = WeaviateReader(WeaviateServer(client), provenance_fields=FIELDS, **options)
            with closing(reader):
                for found in list(reader.names()):
                    reader.read(found)
        return list(recorder.kept.values())


def of_roles(url: str) -> dict[str, dict[str, Any]]:
    """Refusals, by key and call."""
    for name in ("Docs", "Other"):
        schema = {
            "class": name,
            "vectorizer": "none",
            "properties": [{"name": "source", "dataType": ["text"]}],
        }
        ask(url, "POST", "/v1/schema", schema, "root-key")
    permissions = [
        {"action": "read_collections", "collections": {"collection": "Docs"}},
        {"action": "read_data", "data": {"collection": "Docs"}},
    ]
    ask(url, "POST", "/v1/authz/roles", {"name": "one", "permissions": permissions}, "root-key")
    for user, role in (("one", "one"), ("viewer", "viewer")):
        ask(url, "POST", f"/v1/authz/users/{user}/assign", {"roles": [role]}, "root-key")
    calls: list[tuple[str, str, object]] = [
        ("GET", "/v1/schema", None),
        ("GET", "/v1/aliases", None),
        ("GET", "/v1/nodes/Docs?output=verbose", None),
        ("GET", "/v1/objects?class=Docs&limit=1", None),
        ("GET", "/v1/objects?class=Other&limit=1", None),
        ("POST", "/v1/graphql", query("{Aggregate{a0:Docs{meta{count}}}}")),
    ]
    return {
        f"{key} {method} {path}": ask(url, method, path, body, key)
        for key in ("wrong-key", "nothing-key", "one-key", "viewer-key")
        for method, path, body in calls
    }


def main() -> None:
    binary = sys.argv[1]
    with running(binary, 18080, _OPEN) as url:
        here = Path(__file__).with_name("fill.py")
        subprocess.run([sys.executable, str(here), "--port", "18080", "--grpc-port", "18081"], check=True)
        time.sleep(_AFTER_FLUSH)
        calls = of_an_open_server(url)
    with running(binary, 18180, _WITH_ROLES) as url:
        refusals = of_roles(url)
    with running(binary, 18280, _WITHOUT_GRAPHQL) as url:
        ask(url, "POST", "/v1/schema", {"class": "Docs", "vectorizer": "none"})
        off = ask(url, "POST", "/v1/graphql", query("{Aggregate{a0:Docs{meta{count}}}}"))
    packages = ("weaviate-client", "langchain-weaviate", "llama-index-vector-stores-weaviate")
    server = next(call["answer"]["version"] for call in calls if call["path"] == "/v1/meta")
    about = {"version": server, "written_by": {name: version(name) for name in packages}}
    ordered = sorted(calls, key=lambda call: (call["path"], call["query"], json.dumps(call["body"])))
    parts = [f'"{name}": {json.dumps(value)}' for name, value in about.items()]
    parts += [f'"graphql switched off": {json.dumps(off)}', f'"roles": {lines("{}", refusals)}']
    parts += [f'"calls": {lines("[]", ordered)}']
    out = Path(__file__).with_name("recorded.json")
    out.write_text("{\n" + ",\n".join(parts) + "\n}\n", encoding="utf-8")


def lines(brackets: str, value: Any) -> str:
    """One entry a line: to be compared by people."""
    named = isinstance(value, dict)
    entries = [f"{json.dumps(key)}: {json.dumps(value[key])}" if named else json.dumps(key) for key in value]
    return brackets[0] + "\n" + ",\n".join(entries) + "\n" + brackets[1]


if __name__ == "__main__":
    main()
