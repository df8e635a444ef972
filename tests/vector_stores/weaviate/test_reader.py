"""What the reader says of what a real Weaviate answered, and of a stand-in that answers alike."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

import grpc
import pytest
import weaviate
from google.protobuf.json_format import MessageToDict, ParseDict
from hypothesis import given
from hypothesis import strategies as st

from datahub_llmops.assets.collections import (
    Collection,
    Container,
    PayloadField,
    ProvenanceCount,
    Vector,
)
from datahub_llmops.errors import DeniedError, UnreachableError, UnreadableError, VanishedError
from datahub_llmops.net.http import HttpClient
from datahub_llmops.testing import KnownIds, OpenReader, StoreContract
from datahub_llmops.vector_stores.weaviate.client import WeaviateServer, absent
from datahub_llmops.vector_stores.weaviate.facts import CollectionSchema
from datahub_llmops.vector_stores.weaviate.queries import Ask, build_query, parse_results
from datahub_llmops.vector_stores.weaviate.reader import WeaviateReader
from datahub_llmops.vector_stores.weaviate.source import WeaviateSource
from support import paths
from support.stub import Call, Reply, Stub, answer_json
from vector_stores.weaviate.grpc import MESSAGES, WeaviateGrpc, asking, served
from vector_stores.weaviate.service import LOOKUPS, PLANTED, RECORDED, WeaviateService, said

FIELDS = ("source", "uri", "page", "table", "dataset", "path", "file_path", "file_name", "ref_doc_id")
GRAPH = {
    "dynamicEfFactor": "8",
    "dynamicEfMax": "500",
    "dynamicEfMin": "100",
    "ef": "-1",
    "efConstruction": "128",
    "filterStrategy": "acorn",
    "flatSearchCutoff": "40000",
    "maxConnections": "32",
}


GRPC = json.loads((paths.WIRE / "weaviate" / "grpc.json").read_text(encoding="utf-8"))


def reader_of(url: str, **options: Any) -> WeaviateReader:
    client = HttpClient(system="Weaviate", base_url=url, absent=absent, backoff=0.01, timeout=10.0)
    return WeaviateReader(WeaviateServer(client), **{"provenance_fields": FIELDS, **options})


@pytest.fixture
def service() -> Iterator[WeaviateService]:
    with WeaviateService() as server:
        yield server


def uid(block: int, number: int) -> str:
    """The id of an object as `fill.py` gave it, but for its offset of one."""
    return f"00000000-0000-{block:04x}-0000-{number:012x}"


class TestContract(StoreContract):
    source = WeaviateSource

    @pytest.fixture
    def open_reader(self, service: WeaviateService) -> OpenReader:
        return lambda: reader_of(service.url)

    @pytest.fixture
    def known_ids(self) -> KnownIds:
        return {
            ("Article",): [uid(2, 1), uid(2, 40)],
            ("Notes",): [uid(10, 1), uid(10, 12)],
            ("Llama",): [uid(11, 2), uid(11, 3)],
        }

    @pytest.fixture
    def open_faulty(self, service: WeaviateService) -> OpenReader:
        true = service.answer
        wrong = answer_json({"data": {"Get": {"a0": [{"_additional": {"id": 7}}]}}})
        service.answer = lambda call: wrong if call.path == "/v1/graphql" else true(call)
        return lambda: reader_of(service.url)


@pytest.fixture
def read(service: WeaviateService) -> Callable[..., Collection]:
    def one(name: str, **options: Any) -> Collection:
        with closing(reader_of(service.url, **options)) as reader:
            return reader.read((name,))

    return one


def counts(item: Collection) -> dict[str, dict[str, int]]:
    return {found.field: dict(found.values) for found in item.provenance}


def test_ids_are_looked_up_in_all_tenants(service: WeaviateService) -> None:
    with closing(reader_of(service.url)) as reader:
        assert reader.has(("Awake",), [uid(5, 1), uid(4, 2), uid(2, 1)]) == {uid(5, 1), uid(4, 2)}
        # One of its tenants is not active.
        assert reader.has(("Tenanted",), [uid(5, 1), uid(4, 2)]) == {uid(5, 1), uid(4, 2)}
        with pytest.raises(UnreadableError, match="not active, or there are more than max_tenants"):
            reader.has(("Tenanted",), [uid(5, 1), uid(2, 1)])
    with closing(reader_of(service.url, max_tenants=1)) as reader:
        assert reader.has(("Awake",), [uid(5, 1)]) == {uid(5, 1)}
        with pytest.raises(UnreadableError, match="Raise max_tenants"):
            reader.has(("Awake",), [uid(4, 2)])


def test_a_uuid_is_the_same_however_it_is_written(service: WeaviateService) -> None:
    written = uid(11, 2)
    forms = [written, written.replace("-", ""), written.upper(), f"urn:uuid:{written}"]
    with closing(reader_of(service.url)) as reader:
        assert reader.has(("Llama",), forms) == set(forms)
    [call] = [call for call in service.calls if call.method == "POST"]
    assert call.json["query"].count("valueText") == 1


@pytest.mark.parametrize("graphql", ["off", "refused"])
def test_without_graphql_ids_are_looked_up_one_by_one(
    service: WeaviateService, graphql: Literal["off", "refused"]
) -> None:
    service.graphql = graphql
    with closing(reader_of(service.url)) as reader:
        assert reader.has(("Article",), [uid(2, 1), uid(2, 40), uid(11, 2)]) == {uid(2, 1), uid(2, 40)}
        assert reader.has(("Awake",), [uid(5, 1), uid(4, 2), uid(2, 1)]) == {uid(5, 1), uid(4, 2)}
        with pytest.raises(VanishedError):
            reader.has(("Gone",), [uid(2, 1)])
    assert {call.method for call in service.calls if "/objects/" in call.path} == {"HEAD"}


def test_a_gateway_that_answers_404_to_every_head_is_not_believed(service: WeaviateService) -> None:
    service.graphql = "off"
    service.fail("gateway_404", when=lambda call: call.method == "HEAD")
    with closing(reader_of(service.url)) as reader, pytest.raises(UnreachableError):
        reader.has(("Article",), [uid(2, 1)])


def test_many_tenants_are_not_asked_one_by_one(service: WeaviateService) -> None:
    service.graphql = "off"
    service.tenants["Awake"] = [{"name": f"t{n}", "activityStatus": "HOT"} for n in range(201)]
    with (
        closing(reader_of(service.url, max_tenants=1_000)) as reader,
        pytest.raises(UnreadableError, match="201 tenants of Awake"),
    ):
        reader.has(("Awake",), [uid(5, 1)])
    assert not any(call.method == "HEAD" for call in service.calls)


def paths_of(calls: list[Call]) -> list[str]:
    return [call.path for call in calls]


# The stand-in


def comparable(answer: Any) -> Any:
    """Groups of equal size come in any order."""
    if isinstance(answer, dict):
        return {key: comparable(value) for key, value in answer.items()}
    if isinstance(answer, list):
        return sorted(
            (comparable(item) for item in answer), key=lambda item: json.dumps(item, sort_keys=True)
        )
    return answer


def test_over_grpc_it_answers_as_the_server_did() -> None:
    service = WeaviateGrpc(lambda name: {"properties": GRPC["properties"][name]})
    with served(service.answer) as port, grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        for call in GRPC["calls"]:
            asked, answered = MESSAGES[call["method"]]
            reply = asking(channel, call["method"])(ParseDict(call["request"], asked()))
            assert unordered(reply) == unordered(ParseDict(call["reply"], answered())), call["method"]
    assert {call["method"] for call in GRPC["calls"]} == set(MESSAGES)


def unordered(reply: Any) -> dict[str, Any]:
    """A reply without what means nothing in the stand-in."""
    found: dict[str, Any] = MessageToDict(reply, preserving_proto_field_name=True)
    for result in found.get("results", ()):
        result["metadata"].pop("score", None)
    found.get("results", []).sort(key=lambda result: result["metadata"]["id"])
    return found


@pytest.mark.parametrize(
    "call", LOOKUPS["calls"], ids=[f"{n} {call['method']}" for n, call in enumerate(LOOKUPS["calls"])]
)
def test_the_stand_in_looks_up_ids_as_the_server_did(call: dict[str, Any], service: WeaviateService) -> None:
    service.classes = LOOKUPS["classes"]
    active = [one["name"] for one in LOOKUPS["tenants"] if "activityStatus" not in one]
    scopes = [("Docs", None), ("Other", None), *(("Tenanted", name) for name in active)]
    service.objects = {
        scope: [one for one in LOOKUPS["objects"] if (one["class"], one.get("tenant")) == scope]
        for scope in scopes
    }
    body = b"" if call["body"] is None else json.dumps(call["body"]).encode()
    parts = urlsplit(call["path"])
    reply = service.answer(
        Call(method=call["method"], path=parts.path, query=parse_qs(parts.query), body=body)
    )
    answer = json.loads(reply.body) if reply.body else None
    assert reply.status == call["status"]
    assert without_places(answer) == without_places(call["answer"])


def without_places(answer: Any) -> Any:
    """An answer in no order, without the places of errors in a query."""
    for error in (answer or {}).get("errors", ()):
        error.pop("locations", None)
        error.setdefault("path", None)
    return comparable(answer)


@pytest.mark.parametrize(
    "call", RECORDED["calls"], ids=[f"{c['path']}?{c['query']}"[:60] for c in RECORDED["calls"]]
)
def test_the_stand_in_answers_what_the_server_answered(
    call: dict[str, Any], service: WeaviateService
) -> None:
    body = b"" if call["body"] is None else json.dumps(call["body"]).encode()
    query = parse_qs(call["query"], keep_blank_values=True)
    reply = service.answer(Call(method=call["method"], path=call["path"], query=query, body=body))
    answer = json.loads(reply.body) if reply.body else None
    assert reply.status == call["status"]
    if answer is not None and b"file_name" in body:
        # Of more values than it groups each shard tells some.
        assert answer["data"]["Aggregate"].keys() == call["answer"]["data"]["Aggregate"].keys()
    else:
        assert comparable(answer) == comparable(call["answer"])


def test_weaviates_own_client_reads_the_same_of_the_stand_in(
    read: Callable[..., Collection], service: WeaviateService
) -> None:
    client = weaviate.connect_to_local(port=service.port, grpc_port=9, skip_init_checks=True)
    try:
        configs = client.collections.list_all(simple=False)
        aliases = client.alias.list_all()
        nodes = client.cluster.nodes(collection="Plain", output="verbose")
    finally:
        client.close()
    assert set(configs) == service.names
    for name, config in configs.items():
        mine = read(name)
        assert {item.name for item in config.properties} <= {field.path for field in mine.fields}
        assert {vector.name.lstrip("#") for vector in mine.vectors} == set(config.vector_config or ["vector"])
    assert {alias for alias, found in aliases.items() if found.collection == "Article"} == set(
        read("Article").aliases
    )
    assert sum(shard.object_count for node in nodes for shard in node.shards) == 250


# What it reads


def test_all_collections_are_listed_in_one_order_by_one_request(service: WeaviateService) -> None:
    with closing(reader_of(service.url)) as reader:
        assert list(reader.names()) == sorted((name,) for name in service.names)
        assert paths_of(service.calls) == ["/v1/meta", "/v1/schema"]


def test_a_collection_takes_two_requests(service: WeaviateService) -> None:
    with closing(reader_of(service.url)) as reader:
        names = list(reader.names())
        reader.read(("Plain",))
        before = len(service.calls)
        reader.read(("Notes",))
        assert ("Notes",) in names
    assert [(call.method, call.path) for call in service.calls[before:]] == [
        ("POST", "/v1/graphql"),
        ("GET", "/v1/objects"),
    ]


def test_named_vectors_of_every_kind(read: Callable[..., Collection]) -> None:
    body, flat, grows, late, unused = read("Article").vectors
    assert body == Vector(
        # There is a property called body, which is what is embedded.
        name="#body",
        dimension=4,
        metric="cosine",
        index_type="hnsw",
        index_parameters={
            **GRAPH,
            "efConstruction": "120",
            "maxConnections": "24",
            "quantization_trainingLimit": "5000",
            "quantization_rescoreLimit": "10",
            "vectorizer": "text2vec-openai",
            "source_properties": "body",
        },
        quantization="sq",
        embedding_model="openai/text-embedding-3-small",
    )
    assert flat == Vector(
        name="flat",
        dimension=3,
        metric="dot",
        index_type="flat",
        index_parameters={"quantization_cache": "false", "quantization_rescoreLimit": "7"},
        quantization="bq",
    )
    assert (grows.index_type, grows.quantization, grows.dimension) == ("dynamic", "flat bq, hnsw pq", 2)
    assert grows.index_parameters["threshold"] == "20000"
    assert grows.index_parameters["hnsw_maxConnections"] == "32"
    assert grows.index_parameters["hnsw_quantization_centroids"] == "64"
    assert (late.native_type, late.multivector) == ("multivector(4)", True)
    assert late.index_parameters["muvera_ksim"] == "4"
    assert late.index_parameters["aggregation"] == "maxSim"
    # No object carries it.
    assert unused == Vector(name="unused", metric="cosine", index_type="hnsw", index_parameters=GRAPH)


def test_the_one_vector_of_a_class(read: Callable[..., Collection]) -> None:
    legacy = read("Legacy")
    graph = {**GRAPH, "vectorizer": "text2vec-openai"}
    assert legacy.vectors == (
        # skip: no graph is built. The property is called as the vector is.
        Vector(
            name="#vector",
            dimension=3,
            metric="dot",
            index_parameters=graph,
            embedding_model="openai/text-embedding-ada-002",
        ),
    )
    assert legacy.properties["object_ttl_seconds"] == "86400000"
    assert legacy.properties["object_ttl_from"] == "_creationTimeUnix"
    assert read("Notes").vectors[0].name == "vector"
    assert read("Author").vectors[0].name == "default"


def test_properties_have_weaviates_types(read: Callable[..., Collection]) -> None:
    def field(path: str, kind: Any, native: str, description: str | None = None) -> PayloadField:
        return PayloadField(path=path, type=kind, native_type=native, description=description)

    assert read("Article").fields == (
        field("body", "string", "text"),
        field("dataset", "string", "uuid"),
        field("metadata", "object", "object"),
        field("metadata.more", "array", "object[]"),
        field("metadata.more.lang", "string", "text"),
        field("metadata.source", "string", "text", "Where a loader found it"),
        field("page", "integer", "int"),
        field("phone", "object", "phoneNumber"),
        field("place", "object", "geoCoordinates"),
        field("raw", "bytes", "blob"),
        field("ready", "boolean", "boolean"),
        field("score", "float", "number"),
        field("seen", "datetime", "date"),
        field("source", "string", "text"),
        field("table", "array", "int[]"),
        field("title", "string", "text", "What is read first"),
        field("uri", "array", "text[]"),
        field("writtenBy", "array", "Author"),
    )


def test_what_else_a_server_says(read: Callable[..., Collection], service: WeaviateService) -> None:
    article = read("Article")
    assert article.containers == (
        Container(
            kind="Server",
            name=f"127.0.0.1:{service.port}",
            properties={"version": RECORDED["version"]},
        ),
    )
    assert (article.count, article.count_is_estimate) == (40, False)
    assert article.aliases == ("Articles", "Current")
    assert (article.description, article.text_field) == ("Release notes", "body")
    assert (article.created, article.modified, article.size_bytes, article.partitions) == (
        None,
        None,
        None,
        (),
    )
    assert article.properties == {
        "shards": "1",
        "replication_factor": "1",
        "replication_deletion_strategy": "TimeBasedResolution",
        "bm25_k1": "1.1",
        "bm25_b": "0.7",
        "stopwords": "en",
        "modules": "generative-openai, reranker-cohere",
    }
    assert read("Plain").properties["shards"] == "2"
    assert PLANTED not in str([article.fields, article.vectors, article.properties, article.containers])


def test_an_empty_collection_says_only_how_it_was_made(read: Callable[..., Collection]) -> None:
    empty = read("Empty")
    assert (empty.count, empty.fields, empty.text_field, empty.provenance) == (0, (), None, ())
    assert empty.vectors == (
        Vector(name="vector", metric="cosine", index_type="hnsw", index_parameters=GRAPH),
    )


def test_an_older_server_is_not_asked_for_aliases(service: WeaviateService) -> None:
    for version, asked in (("1.31.9", 0), ("1.32.0", 1), ("2.0.0", 1)):
        service.calls.clear()
        service.meta["version"] = version
        with closing(reader_of(service.url)) as reader:
            reader.read(("Article",))
        assert service.count("/v1/aliases") == asked


def test_what_langchain_writes(read: Callable[..., Collection]) -> None:
    notes = read("Notes")
    # Weaviate's own words about properties that nobody declared are no description.
    assert [(item.path, item.native_type, item.description) for item in notes.fields] == [
        ("page", "number", None),
        ("source", "text", None),
        ("text", "text", None),
    ]
    assert notes.text_field == "text"
    assert counts(notes) == {"source": {f"/kb/{n}.md": 4 for n in range(3)}}
    assert (notes.vectors[0].native_type, notes.vectors[0].embedding_model) == ("vector(8)", None)


def test_what_llamaindex_writes(read: Callable[..., Collection]) -> None:
    llama = read("Llama")
    written = {item.path: item.description for item in llama.fields}
    assert "Written by LlamaIndex" in str(written["_node_content"])
    assert "Written by LlamaIndex" in str(written["doc_id"])
    assert llama.text_field == "text"
    assert counts(llama)["file_path"] == {"/kb/1.md": 1, "/kb/2.md": 1}
    assert counts(llama)["ref_doc_id"] == {"doc-1": 1, "doc-2": 1}


@pytest.mark.parametrize(
    ("vectorizer", "model"),
    [
        (
            {"text2vec-openai": {"model": "text-embedding-3-large", "baseURL": "x"}},
            "openai/text-embedding-3-large",
        ),
        ({"text2vec-openai": {"model": "ada", "modelVersion": "002"}}, "openai/text-embedding-ada-002"),
        ({"text2vec-google": {"modelId": "gemini-embedding-001"}}, "google/gemini-embedding-001"),
        ({"text2vec-palm": {"modelId": "textembedding-gecko"}}, "google/textembedding-gecko"),
        (
            {"text2vec-huggingface": {"passageModel": "BAAI/bge-m3", "queryModel": "q"}},
            "huggingface/BAAI/bge-m3",
        ),
        ({"text2vec-aws": {"service": "bedrock", "model": "amazon.titan"}}, "bedrock/amazon.titan"),
        ({"text2vec-aws": {"service": "sagemaker", "endpoint": "mine"}}, None),
        ({"text2multivec-jinaai": {"model": "jina-colbert-v2"}}, "jina/jina-colbert-v2"),
        ({"text2vec-voyageai": {"model": "voyage-3"}}, "voyage/voyage-3"),
        # The module has a default, which the server may change: it is not said.
        ({"text2vec-cohere": {}}, None),
        ({"text2vec-transformers": {"poolingStrategy": "masked_mean"}}, None),
        ({"none": {}}, None),
        ({}, None),
    ],
)
def test_the_model_where_the_vectorizer_names_it(vectorizer: Any, model: str | None) -> None:
    spec = {"vectorizer": vectorizer, "vectorIndexType": "hnsw", "vectorIndexConfig": {}}
    assert CollectionSchema(schema={"vectorConfig": {"v": spec}}).vectors([], {})[0].embedding_model == model


def test_the_dimension_that_a_vectorizer_is_told_where_no_object_shows_it() -> None:
    spec = {"vectorizer": {"text2vec-openai": {"dimensions": 512}}, "vectorIndexType": "hnsw"}
    described = CollectionSchema(schema={"vectorConfig": {"v": spec}})
    assert described.vectors([], {})[0].dimension == 512
    assert described.vectors([], {"v": 256})[0].dimension == 256


# Counting


def test_provenance_is_grouped_by_the_engine(
    read: Callable[..., Collection], service: WeaviateService
) -> None:
    found = {item.field: item for item in read("Article").provenance}
    sources = {f"kb:{PLANTED}:{n}": 10 for n in range(4)}
    assert found["source"] == ProvenanceCount(field="source", values=sources, rows_scanned=40, rows_total=40)
    assert found["uri"].values == {"s3://bucket/0": 20, "s3://bucket/1": 20, "s3://bucket/all": 40}
    # Weaviate writes 31000000 as 3.1e+07.
    assert found["page"].values == {str(n * 1_000_000): 1 for n in range(40)}
    assert found["table"].values == {"0": 14, "1": 13, "2": 13}
    assert len(found["dataset"].values) == 2
    # Inside of an object nothing can be grouped by.
    assert found["metadata.source"].values == {f"/kb/{n}.md": 8 for n in range(5)}
    queries = [call.json["query"] for call in service.calls if call.path == "/v1/graphql"]
    assert len(queries) == 1
    assert "metadata" not in queries[0]


def test_what_has_too_many_values_to_group_is_scanned(
    read: Callable[..., Collection], service: WeaviateService
) -> None:
    names = {f"{n}.md": 1 for n in range(250)}
    found = {item.field: item for item in read("Plain").provenance}
    assert found["file_name"] == ProvenanceCount(
        field="file_name", values=names, rows_scanned=250, rows_total=250
    )
    assert found["source"].values == {"s3://b/0": 67, "s3://b/1": 67, "s3://b/2": 66}
    pages = [call for call in service.calls if call.path == "/v1/objects" and "include" not in call.query]
    # Only the empty page is the last one.
    assert len(pages) == 4
    bounded = {item.field: item for item in read("Plain", max_rows=10, max_values=4).provenance}
    assert (bounded["source"].rows_scanned, bounded["source"].rows_total) == (250, 250)
    assert (bounded["file_name"].rows_scanned, bounded["file_name"].rows_total) == (10, 250)
    assert (len(bounded["file_name"].values), bounded["file_name"].values_dropped) == (4, 6)
    del service.objects["Plain", None][199:]
    service.calls.clear()
    assert len(counts(read("Plain"))["file_name"]) == 199
    assert not any(call.path == "/v1/objects" and "include" not in call.query for call in service.calls)


@pytest.mark.parametrize("graphql", ["off", "refused"])
def test_both_ways_of_counting_agree(
    graphql: Any, read: Callable[..., Collection], service: WeaviateService
) -> None:
    names = sorted(service.names)
    by_engine = {name: (counts(read(name)), read(name).count) for name in names}
    service.graphql = graphql
    assert {name: counts(read(name)) for name in names} == {name: by_engine[name][0] for name in names}
    # A scan that came to the end counted exactly. Where there is nothing to scan for, the nodes say it; they had not
    # counted the only object of two collections when they were asked, 75 s after it was written.
    assert {name: read(name).count for name in names} == {name: by_engine[name][1] for name in names}
    assert read("Article").count_is_estimate is False
    assert read("Author").count_is_estimate is True


def test_a_proxy_that_keeps_graphql_away_is_asked_once(service: WeaviateService) -> None:
    service.fail("login_page", when=lambda call: call.path == "/v1/graphql")
    with closing(reader_of(service.url)) as reader:
        for name in list(reader.names()):
            assert isinstance(name, tuple)
            reader.read(name)
    assert service.count("/v1/graphql") == 1


@pytest.mark.parametrize("rows", [10, 100, 120])
def test_a_bounded_scan_says_how_far_it_came(
    read: Callable[..., Collection], service: WeaviateService, rows: int
) -> None:
    service.graphql = "off"
    plain = read("Plain", max_rows=rows)
    source = next(item for item in plain.provenance if item.field == "source")
    assert (source.rows_scanned, source.rows_total) == (rows, 250)
    # Every fifth object carries none.
    assert sum(source.values.values()) == rows - rows // 5
    assert (plain.count, plain.count_is_estimate) == (250, True)


def test_a_scan_pages_by_id(service: WeaviateService) -> None:
    service.graphql = "off"
    with closing(reader_of(service.url)) as reader:
        assert sum(counts(reader.read(("Plain",)))["path"].values()) == 250
    pages = [
        call.query for call in service.calls if call.path == "/v1/objects" and "include" not in call.query
    ]
    assert [page["limit"] for page in pages] == [["100"]] * 4
    assert [page.get("after", [""])[0][-3:] for page in pages] == ["", "064", "0c8", "0fa"]


@pytest.mark.parametrize(("most", "dropped"), [(1, 30), (2, 20), (4, 0)])
def test_values_beyond_the_bound_are_counted_as_dropped(
    read: Callable[..., Collection], most: int, dropped: int
) -> None:
    source = read("Article", max_values=most).provenance[0]
    assert (len(source.values), source.values_dropped) == (most, dropped)


def test_an_estimate_is_marked_as_one(read: Callable[..., Collection], service: WeaviateService) -> None:
    plain = read("Plain", exact_count=False, provenance_fields=())
    assert (plain.count, plain.count_is_estimate, plain.provenance) == (250, True, ())
    assert service.count("/v1/graphql") == 0


def test_a_shard_that_no_node_has_loaded_is_not_counted(
    read: Callable[..., Collection], service: WeaviateService
) -> None:
    shards = service.nodes["Plain"]["nodes"][0]["shards"]
    shards[0] |= {"loaded": False, "objectCount": 0}
    assert read("Plain", exact_count=False, provenance_fields=()).count is None
    # A replica of it is.
    service.nodes["Plain"]["nodes"].append(
        {"name": "node2", "shards": [{**shards[0], "loaded": True, "objectCount": 7}]}
    )
    assert read("Plain", exact_count=False, provenance_fields=()).count == 7 + shards[1]["objectCount"]
    service.nodes["Plain"]["nodes"].append({"name": "node3", "shards": [shards[0]]})
    service.nodes["Plain"]["nodes"].append({"name": "node4", "status": "UNAVAILABLE", "shards": None})
    assert read("Plain", exact_count=False, provenance_fields=()).count == 7 + shards[1]["objectCount"]


# Tenants


def test_tenants_are_partitions_and_a_sleeping_one_is_not_woken(
    read: Callable[..., Collection], service: WeaviateService
) -> None:
    tenanted = read("Tenanted")
    assert tenanted.partitions == ("acme", "globex", "initech")
    # How many objects the sleeping one holds nobody says.
    assert (tenanted.count, tenanted.count_is_estimate) == (None, False)
    source = tenanted.provenance[0]
    assert source.values == {"s3://acme/0": 5, "s3://acme/1": 5, "s3://globex/0": 3, "s3://globex/1": 2}
    assert (source.rows_scanned, source.rows_total) == (15, None)
    service.graphql = "off"
    assert counts(read("Tenanted")) == counts(tenanted)
    # A question about a tenant wakes it, where the collection says so.
    assert tenanted.properties["auto_tenant_activation"] == "true"
    asked = [str(call.query) + call.body.decode() for call in service.calls]
    assert not any("initech" in text for text in asked)


def test_tenants_that_are_all_awake_are_counted(read: Callable[..., Collection]) -> None:
    awake = read("Awake")
    assert (awake.count, awake.count_is_estimate, awake.partitions) == (15, False, ("acme", "globex"))
    assert (awake.provenance[0].rows_scanned, awake.provenance[0].rows_total) == (15, 15)
    assert awake.vectors[0].dimension == 2


def test_of_many_tenants_the_first_ones_are_asked(
    read: Callable[..., Collection], service: WeaviateService
) -> None:
    # As many as were seen, since the nodes had not counted a single one yet.
    assert read("Awake", max_tenants=1).count == 10
    for shard, counted in zip(service.nodes["Awake"]["nodes"][0]["shards"], (9, 5), strict=True):
        shard["objectCount"] = counted
    awake = read("Awake", max_tenants=1)
    assert awake.partitions == ("acme",)
    assert (awake.count, awake.count_is_estimate) == (14, True)
    assert (awake.provenance[0].rows_scanned, awake.provenance[0].rows_total) == (10, 14)


def test_no_tenants_are_asked_for_where_none_may_be(
    read: Callable[..., Collection], service: WeaviateService
) -> None:
    awake = read("Awake", max_tenants=0)
    assert (awake.partitions, awake.count, awake.provenance) == ((), None, ())
    assert awake.vectors[0].dimension is None
    assert service.count("/tenants") + service.count("/objects") + service.count("/nodes") == 0


def test_a_query_asks_ten_things_at_most(service: WeaviateService) -> None:
    service.tenants["Awake"] += [{"name": f"t{n:02d}", "activityStatus": "ACTIVE"} for n in range(23)]
    service.objects |= {("Awake", f"t{n:02d}"): [] for n in range(23)}
    with closing(reader_of(service.url)) as reader:
        assert reader.read(("Awake",)).count == 15
    queries = [call.json["query"] for call in service.calls if call.path == "/v1/graphql"]
    assert [query.count("meta{count}") for query in queries] == [10, 10, 10, 10, 10]


@given(
    tenant=st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True),
    path=st.from_regex(r"[_A-Za-z][_0-9A-Za-z]{0,230}", fullmatch=True),
    collection=st.from_regex(r"[A-Z][_0-9A-Za-z]{0,254}", fullmatch=True),
)
def test_any_name_that_weaviate_takes_can_be_asked_about(tenant: str, path: str, collection: str) -> None:
    ask = Ask(tenant=tenant, path=path, limit=5)
    query = build_query(collection, [ask])
    assert query.count("{") == query.count("}")
    found = parse_results(
        {"data": {"Aggregate": {"a0": [{"meta": {"count": 3}, "groupedBy": {"value": "x"}}]}}}, [ask]
    )
    assert found is not None
    assert [(group.value, group.count) for group in found[0]] == [("x", 3)]


# What goes wrong


@pytest.mark.parametrize("graphql", ["on", "off"])
def test_deleted_between_listing_and_reading(graphql: Any, service: WeaviateService) -> None:
    service.graphql = graphql
    with closing(reader_of(service.url)) as reader:
        assert ("Notes",) in list(reader.names())
        service.drop("Notes")
        with pytest.raises(VanishedError, match="Notes"):
            reader.read(("Notes",))
        assert reader.read(("Plain",)).count == 250


@pytest.mark.parametrize("path", ["/v1/graphql", "/v1/objects", "/v1/nodes/Author"])
def test_a_404_about_what_the_schema_still_has_is_no_deletion(service: WeaviateService, path: str) -> None:
    service.fail("404", when=lambda call: call.path == path)
    with closing(reader_of(service.url, exact_count=path != "/v1/nodes/Author")) as reader:
        if path == "/v1/graphql":
            assert reader.read(("Author",)).count_is_estimate
        else:
            with pytest.raises(UnreadableError, match="The collection is still in the schema"):
                reader.read(("Author",))


@pytest.mark.parametrize(
    ("path", "refusal"),
    [
        ("/v1/objects", "one-key GET /v1/objects?class=Other&limit=1"),
        ("/v1/nodes/Author", "one-key GET /v1/nodes/Docs?output=verbose"),
    ],
)
def test_what_roles_refuse(service: WeaviateService, path: str, refusal: str) -> None:
    usual = service.answer
    service.answer = lambda call: said(refusal) if call.path == path else usual(call)
    with closing(reader_of(service.url, exact_count=False)) as reader, pytest.raises(DeniedError, match=path):
        reader.read(("Author",))


def test_a_refusal_inside_of_graphql_is_one(service: WeaviateService) -> None:
    words = f"rbac: authorization, forbidden action: user 'one' has insufficient permissions, {PLANTED}"
    usual = service.answer
    service.answer = lambda call: (
        answer_json({"data": {"Aggregate": {"a0": None}}, "errors": [{"message": words}]})
        if call.path == "/v1/graphql"
        else usual(call)
    )
    with closing(reader_of(service.url)) as reader, pytest.raises(DeniedError, match="read_data") as caught:
        reader.read(("Author",))
    assert PLANTED not in str(caught.value)


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/v1/schema", {"classes": None}),
        ("/v1/schema", {"classes": [{"class": 3}]}),
        ("/v1/schema", {"classes": [{"class": "Docs"}, {"class": "Docs"}]}),
        ("/v1/schema", []),
        ("/v1/aliases", {}),
        ("/v1/objects", {"objects": {}}),
        ("/v1/graphql", {"data": {"Aggregate": {"a0": [{"meta": {"count": "many"}}]}}}),
        ("/v1/graphql", {"data": {"Aggregate": {"a0": []}}}),
        ("/v1/graphql", {"data": None, "errors": [{"message": "no"}]}),
        ("/v1/schema/Awake/tenants", {"error": []}),
        ("/v1/schema/Awake/tenants", [{"name": "a"}, {"activityStatus": "HOT"}]),
        ("/v1/nodes/Awake", {"nodes": None}),
    ],
)
def test_an_answer_of_another_shape_is_no_fact(service: WeaviateService, path: str, answer: object) -> None:
    usual = service.answer
    service.answer = lambda call: answer_json(answer) if call.path == path else usual(call)
    options = {"max_tenants": 1} if "nodes" in path else {}
    with (
        closing(reader_of(service.url, **options)) as reader,
        pytest.raises(UnreadableError, match=f"{path} does not look like an answer of Weaviate"),
    ):
        reader.read(("Awake",))


def test_an_answer_without_the_one_number_asked_for_is_none() -> None:
    assert parse_results({"data": {"Aggregate": {"a0": []}}}, [Ask()]) is None
    # Grouped, no object is not a group.
    found = parse_results({"data": {"Aggregate": {"a0": []}}}, [Ask(path="source", limit=5)])
    assert found == [[]]


@pytest.mark.parametrize(
    "answer", [{}, [], {"version": 1, "hostname": "x"}, {"title": "qdrant", "version": "1"}]
)
def test_something_else_than_weaviate_is_not_read(answer: object) -> None:
    def respond(call: Call) -> Reply:
        return answer_json(answer)

    with (
        Stub(respond) as stub,
        closing(reader_of(stub.url)) as reader,
        pytest.raises(UnreachableError, match="not Weaviate"),
    ):
        list(reader.names())
