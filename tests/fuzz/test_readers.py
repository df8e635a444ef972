"""Whatever a store answers, a reader gives a description or one of our own errors, and it ends."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from datahub_llmops.assets.collections import Collection
from datahub_llmops.errors import ConnectorError
from datahub_llmops.ingestion.reader import Reader
from datahub_llmops.net.http import HttpClient
from datahub_llmops.vector_stores.chroma import rest_reader as chroma
from datahub_llmops.vector_stores.pinecone import reader as pinecone
from datahub_llmops.vector_stores.qdrant import reader as qdrant
from datahub_llmops.vector_stores.search import reader as search
from datahub_llmops.vector_stores.weaviate import client as weaviate
from datahub_llmops.vector_stores.weaviate.reader import WeaviateReader
from fuzz.mutate import mutate_body, mutate_json
from fuzz.rounds import rounds
from support import paths
from support.stub import Answer, Call, Reply, Stub, answer_json

pytestmark = pytest.mark.fuzz

FIELDS = ("source", "path", "file_path", "ref_doc_id", "page", "uri")


def client_of(url: str, absent: Callable[[int, object], bool]) -> HttpClient:
    return HttpClient(system="Store", base_url=url, absent=absent, timeout=20.0, retries=0)


def chroma_of(url: str) -> Reader[Collection]:
    client = client_of(url, chroma.absent)
    return chroma.ChromaRestReader(client, tenant="default_tenant", provenance_fields=FIELDS, max_rows=2_000)


def qdrant_of(url: str) -> Reader[Collection]:
    return qdrant.QdrantReader(client_of(url, qdrant.absent), provenance_fields=FIELDS, max_rows=2_000)


def weaviate_of(url: str) -> Reader[Collection]:
    server = weaviate.WeaviateServer(client_of(url, weaviate.absent))
    return WeaviateReader(server, provenance_fields=FIELDS, max_rows=2_000)


def pinecone_of(url: str) -> Reader[Collection]:
    from vector_stores.pinecone.service import KEY

    headers = {"Api-Key": KEY, "X-Pinecone-Api-Version": pinecone.API_VERSION}
    client = HttpClient(
        system="Pinecone", base_url=url, headers=headers, absent=pinecone.absent, timeout=20.0, retries=0
    )
    return pinecone.PineconeReader(
        client, sample_rows=200, provenance_fields=FIELDS, describe_namespaces=True, workers=2
    )


def search_of(product: search.Product) -> Callable[[str], Reader[Collection]]:
    return lambda url: search.SearchReader(
        client_of(url, search.absent), product, provenance_fields=FIELDS, max_rows=2_000, ask_endpoints=True
    )


@contextmanager
def chroma_answers(request: pytest.FixtureRequest) -> Iterator[tuple[Stub, Answer]]:
    """The recorded answers of a server, page by page."""
    answers = json.loads((paths.WIRE / "chroma" / "rest-1.0.15.json").read_text())

    def answer(call: Call) -> Reply:
        found = answers.get(
            f"{call.method} {call.path}", {"status": 404, "answer": {"error": "NotFoundError"}}
        )
        whole, start = found["answer"], int(call.query.get("offset", ["0"])[0])
        return answer_json(whole[start:] if isinstance(whole, list) else whole, found["status"])

    with Stub(answer) as stub:
        yield stub, answer


@contextmanager
def service_answers(service: Any) -> Iterator[tuple[Stub, Answer]]:
    with service as stub:
        yield stub, stub.answer


def answers_of(system: str, request: pytest.FixtureRequest) -> Any:
    if system == "chroma":
        return chroma_answers(request)
    if system == "weaviate":
        from vector_stores.weaviate.service import WeaviateService

        return service_answers(WeaviateService())
    if system == "pinecone":
        from vector_stores.pinecone.estate import estate
        from vector_stores.pinecone.service import PineconeService

        return service_answers(PineconeService(*estate()))
    stub = request.getfixturevalue("qdrant_server" if system == "qdrant" else system)
    return service_answers(_Open(stub))


class _Open:
    """A server that a fixture opened and closes."""

    def __init__(self, stub: Stub) -> None:
        self._stub = stub

    def __enter__(self) -> Stub:
        return self._stub

    def __exit__(self, *error: object) -> None:
        pass


SYSTEMS: Mapping[str, Callable[[str], Reader[Collection]]] = {
    "chroma": chroma_of,
    "qdrant": qdrant_of,
    "weaviate": weaviate_of,
    "pinecone": pinecone_of,
    "opensearch": search_of(search.OPENSEARCH),
    "elasticsearch": search_of(search.ELASTICSEARCH),
}


def read_all(reader: Reader[Collection]) -> int:
    read = 0
    for name in reader.names():
        if isinstance(name, tuple):
            try:
                reader.read(name)
            except ConnectorError:
                continue
            read += 1
    return read


def _answer(known: Mapping[str, Reply], missing: Reply, call: Call) -> Reply:
    return known.get(key_of(call), missing)


def key_of(call: Call) -> str:
    return f"{call.method} {call.path} {json.dumps(dict(call.query), sort_keys=True)} {call.body!r}"


@pytest.mark.parametrize("system", SYSTEMS)
def test_answers_over_http(system: str, request: pytest.FixtureRequest) -> None:
    known: dict[str, Reply] = {}
    with answers_of(system, request) as (stub, answer):

        def record(call: Call) -> Reply:
            return known.setdefault(key_of(call), answer(call))

        stub.answer = record
        with closing(SYSTEMS[system](stub.url)) as reader:
            assert read_all(reader)
        missing = answer_json(stub.missing, 404)
        for chance in rounds(system):
            odd = chance.choice(sorted(known))
            reply = Reply(status=known[odd].status, body=mutate_body(known[odd].body, chance))
            stub.answer = partial(_answer, {**known, odd: reply}, missing)
            stub.calls.clear()
            with chance.tells(system, ConnectorError), closing(SYSTEMS[system](stub.url)) as reader:
                read_all(reader)


def test_answers_of_milvus() -> None:
    """The messages of its protocol, whose types its own library checks."""
    from datahub_llmops.vector_stores.milvus.client import MilvusGrpcClient
    from datahub_llmops.vector_stores.milvus.reader import MilvusReader
    from vector_stores.milvus.replay import WIRE, replayed

    held = json.loads((WIRE / "2.6.json").read_text())
    answers = [(method, answer) for found in held["collections"].values() for method, answer in found.items()]
    for chance in rounds("milvus"):
        method, answer = chance.choice(answers)
        with replayed("2.6", {method: _fitting(method, mutate_json(answer, chance), answer)}) as url:
            calls = MilvusGrpcClient(url, token="root:Milvus", timeout=20.0, retries=0)
            with (
                chance.tells("milvus", ConnectorError),
                closing(MilvusReader(calls, provenance_fields=FIELDS, database="default")) as reader,
            ):
                read_all(reader)


def _fitting(method: str, changed: Any, before: Any) -> Any:
    """Return the changed message if the protocol allows it, which no server can break."""
    from google.protobuf.json_format import ParseDict
    from pymilvus.grpc_gen import milvus_pb2

    try:
        ParseDict(changed, getattr(milvus_pb2, f"{method}Response")())
    except Exception:  # noqa: BLE001 - the library raises whatever it likes, even SystemError for half a surrogate
        return before
    return changed


def test_files_of_lancedb(lancedb_folder: Path) -> None:
    from datahub_llmops.vector_stores.lancedb.reader import LanceReader
    from fuzz.mutate import mutate_bytes

    files = sorted(path for path in (lancedb_folder / "articles.lance").rglob("*") if path.is_file())
    for chance in rounds("lancedb"):
        path = chance.choice(files)
        whole = path.read_bytes()
        path.write_bytes(mutate_bytes(whole, chance))
        with chance.tells("lancedb", ConnectorError), closing(LanceReader(path=lancedb_folder)) as reader:
            assert ("articles",) in list(reader.names())
            read_all(reader)
        path.write_bytes(whole)
