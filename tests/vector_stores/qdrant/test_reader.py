"""What the reader says of collections that live in Qdrant's real engine, behind its REST paths."""

from __future__ import annotations

import json
import string
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

import pytest
import qdrant_edge as edge
from hypothesis import given, settings
from hypothesis import strategies as st
from qdrant_client import QdrantClient

from datahub_llmops.assets.collections import (
    Collection,
    Container,
    PayloadField,
    ProvenanceCount,
    Vector,
)
from datahub_llmops.errors import UnreachableError, UnreadableError, VanishedError
from datahub_llmops.net.http import HttpClient
from datahub_llmops.testing import KnownIds, OpenReader, StoreContract
from datahub_llmops.vector_stores.qdrant.facts import CollectionInfo, json_path
from datahub_llmops.vector_stores.qdrant.reader import QdrantReader, absent
from datahub_llmops.vector_stores.qdrant.source import QdrantSource
from support.examples import examples
from support.stub import Call, Reply, Stub, answer_json
from vector_stores.qdrant.engine import QdrantEngine
from vector_stores.qdrant.stores import COLLECTIONS, ODD, PLANTED

FIELDS = ("source", "uri", "path", "page", "table", "file_path", "odd file", "a.b")


def reader_of(url: str, **options: Any) -> QdrantReader:
    client = HttpClient(system="Qdrant", base_url=url, absent=absent, backoff=0.01, timeout=10.0)
    return QdrantReader(client, **{"provenance_fields": FIELDS, **options})


def points_of(engine: QdrantEngine, name: str) -> list[str]:
    """The first ids of a collection that a framework wrote."""
    records, _ = engine.held[name].shard.scroll(edge.ScrollRequest(limit=2))
    return [str(record.id) for record in records]


class TestContract(StoreContract):
    source = QdrantSource

    @pytest.fixture
    def open_reader(self, qdrant_server: Stub) -> OpenReader:
        return lambda: reader_of(qdrant_server.url)

    @pytest.fixture
    def known_ids(self, qdrant_engine: QdrantEngine) -> KnownIds:
        return {
            ("articles",): ["0", "7", "39"],
            ("plain",): [f"00000000-0000-4000-8000-{n:012d}" for n in (0, 2_049)],
            ("notes",): points_of(qdrant_engine, "notes"),
            ("llama",): points_of(qdrant_engine, "llama"),
        }

    @pytest.fixture
    def open_faulty(self, qdrant_server: Stub) -> OpenReader:
        true = qdrant_server.answer
        wrong = answer_json({"result": [{"id": 1.5}], "status": "ok", "time": 0.0})
        qdrant_server.answer = lambda call: wrong if call.path.endswith("/points") else true(call)
        return lambda: reader_of(qdrant_server.url)


@pytest.fixture
def read(qdrant_server: Stub) -> Callable[..., Collection]:
    def one(name: str, **options: Any) -> Collection:
        with closing(reader_of(qdrant_server.url, **options)) as reader:
            return reader.read((name,))

    return one


def counts(item: Collection) -> dict[str, dict[str, int]]:
    return {found.field: dict(found.values) for found in item.provenance}


def test_all_collections_are_listed_in_one_order(qdrant_server: Stub) -> None:
    with closing(reader_of(qdrant_server.url)) as reader:
        assert list(reader.names()) == sorted((name,) for name in COLLECTIONS)
        assert len(list(reader.names())) == 6


def test_a_uuid_is_the_same_however_it_is_written(qdrant_server: Stub) -> None:
    written = "00000000-0000-4000-8000-000000000007"
    forms = [written, written.replace("-", ""), f"urn:uuid:{written}"]
    with closing(reader_of(qdrant_server.url)) as reader:
        assert reader.has(("plain",), forms) == set(forms)
        assert reader.has(("plain",), ["0b9e6c2a-3f9e-4b1c-8d7a-6f5e4d3c2b1a", "7"]) == set()


def test_answers_about_ids_hold_nothing_else(qdrant_server: Stub) -> None:
    with closing(reader_of(qdrant_server.url)) as reader:
        assert reader.has(("articles",), ["1", "2"]) == {"1", "2"}
    [asked] = [call for call in qdrant_server.calls if call.path.endswith("/points")]
    answer = json.loads(qdrant_server.answer(asked).body)["result"]
    assert [one["id"] for one in answer] == [1, 2]
    assert not any(one["payload"] or one["vector"] for one in answer)


def test_vectors_with_names_sparse_ones_and_multivectors(read: Callable[..., Collection]) -> None:
    graph = {"m": "24", "ef_construct": "120", "full_scan_threshold": "20"}
    assert read("articles").vectors == (
        Vector(
            # The payload has a field called dense.
            name="#dense",
            dimension=4,
            metric="Cosine",
            index_type="hnsw",
            index_parameters={**graph, "quantization_quantile": "0.99", "vectors_on_disk": "true"},
            element_type="float16",
            quantization="scalar int8",
            embedding_model="openai/text-embedding-3-small",
        ),
        Vector(
            # m: 0 leaves the graph out.
            name="late",
            dimension=3,
            metric="Dot",
            index_parameters={
                "m": "0",
                "ef_construct": "50",
                "full_scan_threshold": "10",
                "quantization_always_ram": "true",
                "comparator": "max_sim",
            },
            quantization="binary",
            multivector=True,
        ),
        Vector(name="bm25", sparse=True, index_parameters={"modifier": "idf", "on_disk": "true"}),
    )


def test_the_vector_without_a_name(read: Callable[..., Collection]) -> None:
    vector = read("empty").vectors[0]
    assert (vector.name, vector.native_type, vector.metric) == ("vector", "vector(8)", "Dot")
    assert (vector.quantization, vector.element_type, vector.embedding_model) == (None, None, None)
    assert read("plain").vectors[0].name == "#vector"


def test_indexed_fields_have_qdrants_types_and_others_sampled_ones(read: Callable[..., Collection]) -> None:
    def field(path: str, kind: Any, native: str) -> PayloadField:
        return PayloadField(path=path, type=kind, native_type=native, nullable=False)

    assert read("articles").fields == (
        field("dense", "string", "string"),
        field("page", "integer", "integer"),
        field("path", "string", "string"),
        field("place", "object", "geo"),
        field("place.lat", "float", "float"),
        field("place.lon", "float", "float"),
        field("score", "float", "float"),
        field("seen", "datetime", "datetime"),
        field("source", "string", "keyword"),
        field("table", "integer", "integer"),
        field("tenant", "string", "keyword"),
        field("uri", "array", "array<keyword>"),
    )


def test_what_else_a_server_says(read: Callable[..., Collection], qdrant_server: Stub) -> None:
    articles = read("articles")
    assert articles.containers == (
        Container(kind="Server", name=f"127.0.0.1:{qdrant_server.port}", properties={"version": "1.19.1"}),
    )
    assert (articles.count, articles.count_is_estimate) == (40, False)
    assert articles.created == datetime(2026, 11, 2, 8, 30, 0, 123456, tzinfo=UTC)
    assert (articles.modified, articles.size_bytes) == (None, None)
    assert articles.aliases == ("a-stable", "current")
    assert articles.partitions == ("eu", "us")
    assert articles.description == "Release notes"
    assert articles.properties == {
        "shard_number": "2",
        "replication_factor": "2",
        "write_consistency_factor": "1",
        "sharding_method": "custom",
        "on_disk_payload": "true",
        "tenant_fields": "tenant",
        "metadata_keys": "description, embedding_model, owner",
    }
    assert PLANTED not in str([articles.fields, articles.vectors, articles.properties, articles.containers])


def test_an_empty_collection_says_only_how_it_was_made(read: Callable[..., Collection]) -> None:
    empty = read("empty")
    assert (empty.count, empty.created, empty.aliases, empty.partitions) == (0, None, (), ())
    assert (empty.fields, empty.text_field, empty.provenance) == ((), None, ())


def test_indexed_provenance_is_counted_by_the_engine(
    read: Callable[..., Collection], qdrant_server: Stub
) -> None:
    before = len(qdrant_server.calls)
    found = {item.field: item for item in read("articles").provenance}
    asked = qdrant_server.calls[before:]
    sources = {f"kb:{PLANTED}:{n}": 10 for n in range(4)}
    assert found["source"] == ProvenanceCount(field="source", values=sources, rows_scanned=40, rows_total=40)
    assert found["uri"].values == {"s3://bucket/0": 20, "s3://bucket/1": 20, "s3://bucket/all": 40}
    assert found["table"].values == {"0": 14, "1": 13, "2": 13}
    # Neither has an index that counts: one has none, the other one for ranges.
    assert found["path"].values == {f"/kb/{n}.md": 8 for n in range(5)}
    assert found["page"].values == {str(n): 1 for n in range(40)}
    facets = [call.json["key"] for call in asked if call.path.endswith("/facet")]
    assert facets == ["source", "uri", "table"]
    scrolls = [call.json["with_payload"] for call in asked if call.path.endswith("/scroll")]
    assert scrolls == [True, ["path", "page"]]


def test_the_engine_refuses_to_count_what_has_no_index(qdrant_server: Stub) -> None:
    # Local mode of qdrant-client, which answers this, would hide it.
    client = HttpClient(system="Qdrant", base_url=qdrant_server.url, absent=absent)
    with closing(client), pytest.raises(UnreadableError, match="400"):
        client.post("/collections/articles/facet", {"key": "path", "exact": True}, reads=True)


def test_both_ways_of_counting_agree(qdrant_engine: QdrantEngine, read: Callable[..., Collection]) -> None:
    # A server before 1.12 has no facets.
    by_facet = counts(read("articles"))
    qdrant_engine.version = "1.11.5"
    assert counts(read("articles")) == by_facet


def test_a_server_without_facets_is_not_asked_for_them(
    qdrant_engine: QdrantEngine, qdrant_server: Stub
) -> None:
    for version in ("1.11.5", "0.11.0", "dev"):
        qdrant_engine.version = version
        with closing(reader_of(qdrant_server.url)) as reader:
            reader.read(("articles",))
    assert qdrant_server.count("/facet") == 0


def test_a_scroll_pages_through_everything(read: Callable[..., Collection]) -> None:
    plain = read("plain")
    assert counts(plain) == {
        "source": {"s3://b/0": 684, "s3://b/1": 683, "s3://b/2": 683},
        "odd file": {"f0": 1025, "f1": 1025},
        "a.b": {"0": 1025, "1": 1025},
    }
    assert {(item.rows_scanned, item.rows_total) for item in plain.provenance} == {(2050, 2050)}


@pytest.mark.parametrize("rows", [10, 1000, 1500])
def test_a_bounded_scroll_says_how_far_it_came(read: Callable[..., Collection], rows: int) -> None:
    source = read("plain", max_rows=rows).provenance[0]
    assert (source.rows_scanned, source.rows_total, sum(source.values.values())) == (rows, 2050, rows)


@pytest.mark.parametrize("most", [1, 3])
def test_values_beyond_the_bound_are_counted_as_dropped(read: Callable[..., Collection], most: int) -> None:
    source = read("articles", max_values=most).provenance[0]
    assert len(source.values) == most
    assert source.values_dropped == 40 - 10 * most
    # As many as there are: nothing was dropped.
    assert read("articles", max_values=4).provenance[0].values_dropped == 0


def test_strict_mode_bounds_what_is_asked_for(qdrant_engine: QdrantEngine, qdrant_server: Stub) -> None:
    strict = {"enabled": True, "max_query_limit": 2}
    qdrant_engine.held["articles"].extra["config"]["strict_mode_config"] = strict
    with closing(reader_of(qdrant_server.url)) as reader:
        articles = reader.read(("articles",))
    assert articles.properties["strict_mode"] == "true"
    limits = [call.json["limit"] for call in qdrant_server.calls if b'"limit"' in call.body]
    assert max(limits) == 2
    assert articles.provenance[0].values_dropped == 20
    assert articles.provenance[2].rows_scanned == 40
    strict["enabled"] = False
    with closing(reader_of(qdrant_server.url)) as reader:
        assert "strict_mode" not in reader.read(("articles",)).properties


def test_without_provenance_fields_only_the_sample_is_asked_for(qdrant_server: Stub) -> None:
    before = len(qdrant_server.calls)
    with closing(reader_of(qdrant_server.url, provenance_fields=())) as reader:
        assert reader.read(("articles",)).provenance == ()
    asked = [call.path for call in qdrant_server.calls[before:]]
    assert sum(path.endswith("/scroll") for path in asked) == 1
    assert not any(path.endswith("/facet") for path in asked)


def test_an_estimate_is_marked_as_one(read: Callable[..., Collection], qdrant_server: Stub) -> None:
    before = len(qdrant_server.calls)
    articles = read("articles", exact_count=False)
    assert (articles.count, articles.count_is_estimate) == (40, True)
    assert not any("/count" in call.path for call in qdrant_server.calls[before:])


def test_what_langchain_writes(read: Callable[..., Collection]) -> None:
    notes = read("notes")
    assert [(item.path, item.native_type) for item in notes.fields] == [
        ("metadata", "object"),
        ("metadata.page", "integer"),
        ("metadata.source", "keyword"),
        ("page_content", "string"),
    ]
    assert notes.text_field == "page_content"
    assert counts(notes)["metadata.source"] == {f"/kb/{n}.md": 10 for n in range(3)}
    assert notes.vectors[0].native_type == "vector(8)"
    assert notes.vectors[0].embedding_model is None


def test_what_llamaindex_writes(read: Callable[..., Collection]) -> None:
    llama = read("llama")
    assert {item.path: bool(item.description) for item in llama.fields} == {
        "_node_content": True,
        "_node_type": True,
        "doc_id": True,
        "document_id": True,
        "file_path": False,
        "ref_doc_id": True,
    }
    assert llama.text_field == "_node_content"
    assert counts(llama) == {"file_path": {"/kb/1.md": 1, "/kb/2.md": 1}}


def test_qdrants_own_client_reads_the_same_of_the_served_engine(
    read: Callable[..., Collection], qdrant_server: Stub
) -> None:
    # The shapes that the tests serve are those that Qdrant's own models take.
    client = QdrantClient(url=qdrant_server.url)
    info = client.get_collection("articles")
    articles = read("articles")
    assert info.config.hnsw_config.m == int(articles.vectors[0].index_parameters["m"])
    assert client.count("articles").count == articles.count
    assert {alias.alias_name for alias in client.get_collection_aliases("articles").aliases} == set(
        articles.aliases
    )
    hits = client.facet("articles", "source", limit=10, exact=True).hits
    assert {str(hit.value): hit.count for hit in hits} == counts(articles)["source"]
    assert (set(info.payload_schema), info.config.metadata) == (
        {"source", "uri", "page", "table", "score", "seen", "place", "tenant"},
        qdrant_engine_metadata(qdrant_server),
    )
    client.close()


def qdrant_engine_metadata(server: Stub) -> Any:
    answer = server.answer(Call(method="GET", path="/collections/articles"))
    return json.loads(answer.body)["result"]["config"]["metadata"]


def test_deleted_between_listing_and_reading(qdrant_engine: QdrantEngine, qdrant_server: Stub) -> None:
    qdrant_engine.create("scratch", {"vectors": {"size": 2, "distance": "Dot"}})
    with closing(reader_of(qdrant_server.url)) as reader:
        assert ("scratch",) in list(reader.names())
        assert reader.read(("scratch",)).count == 0
        qdrant_engine.held.pop("scratch").shard.close()
        with pytest.raises(VanishedError, match="scratch"):
            reader.read(("scratch",))
        assert reader.read(("notes",)).count == 30


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/collections", {"result": [], "status": "ok"}),
        ("/collections", {"result": {"collections": [{"name": 3}]}, "status": "ok"}),
        ("/collections", {"result": {"collections": []}, "status": {"error": "no"}}),
        ("/collections/docs", {"result": {"status": "green"}, "status": "ok"}),
        ("/collections/docs", []),
    ],
)
def test_an_answer_of_another_shape_is_no_empty_store(path: str, answer: object) -> None:
    def respond(call: Call) -> Reply:
        return answer_json(
            answer if call.path == path else {"title": "qdrant - vector search engine", "version": "1.19.1"}
        )

    with (
        Stub(respond) as stub,
        closing(reader_of(stub.url)) as reader,
        pytest.raises(UnreadableError, match=f"{path} does not look like an answer of Qdrant"),
    ):
        list(reader.names()) if path == "/collections" else reader.read(("docs",))


@pytest.mark.parametrize("following", [1, "a", {"a": 1}, [1], 1.5])
def test_a_scroll_that_leads_back_ends(qdrant_server: Stub, following: object) -> None:
    whole = qdrant_server.answer

    def answer(call: Call) -> Reply:
        if not call.path.endswith("/scroll"):
            return whole(call)
        points = [{"id": 1, "payload": {"path": "/kb/a.md"}}]
        return answer_json({"status": "ok", "result": {"points": points, "next_page_offset": following}})

    with (
        Stub(answer) as stub,
        closing(reader_of(stub.url, provenance_fields=("path",))) as reader,
        pytest.raises(UnreadableError, match=r"same page again|mark of the next page"),
    ):
        reader.read(("articles",))


@pytest.mark.parametrize("place", ["/points/count", "/facet", "/points/scroll"])
def test_an_odd_answer_in_the_middle_is_no_fact(
    qdrant_engine: QdrantEngine, qdrant_server: Stub, place: str
) -> None:
    odd = {"result": {"count": "many", "hits": None, "points": {}}, "status": "ok"}
    qdrant_server.answer = lambda call: (
        answer_json(odd) if call.path.endswith(place) else qdrant_engine.answer(call)
    )
    with closing(reader_of(qdrant_server.url)) as reader, pytest.raises(UnreadableError, match=place):
        reader.read(("articles",))


def test_another_server_is_not_taken_for_qdrant() -> None:
    with (
        Stub(lambda call: answer_json({"version": {"number": "8.0"}})) as stub,
        closing(reader_of(stub.url)) as reader,
        pytest.raises(UnreachableError, match="what answers is not Qdrant"),
    ):
        list(reader.names())


def test_names_that_have_no_address_are_errors_and_no_other_path(qdrant_server: Stub) -> None:
    with closing(reader_of(qdrant_server.url)) as reader:
        for name in (".", ".."):
            with pytest.raises(UnreadableError, match="has no URL"):
                reader.read((name,))


NAMES = st.text(
    st.characters(codec="utf-8", exclude_characters='<>:"/\\|?*\0\x1f'), min_size=1, max_size=60
).filter(lambda name: name not in (".", ".."))


@settings(max_examples=examples(60))
@given(name=NAMES)
def test_any_name_that_qdrant_takes_is_read_under_it(name: str) -> None:
    asked: list[str] = []
    info = {"config": {"params": {"vectors": {"size": 2, "distance": "Dot"}}}, "points_count": 0}

    def respond(call: Call) -> Reply:
        if call.path == "/":
            return answer_json({"title": "qdrant - vector search engine", "version": "1.19.1"})
        asked.append(call.path)
        if call.path == "/collections":
            return answer_json({"status": "ok", "result": {"collections": [{"name": name}]}})
        return answer_json({"status": "ok", "result": {**info, "count": 0, "aliases": []}})

    with Stub(respond) as stub, closing(reader_of(stub.url)) as reader:
        (listed,) = list(reader.names())
        assert listed == (name,)
        assert reader.read((name,)).name == (name,)
    assert {unquote(path.split("/")[2]) for path in asked if path != "/collections"} == {name}


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"scalar": {"type": "int8", "quantile": 0.99, "always_ram": True}}, "scalar int8"),
        ({"product": {"compression": "x16"}}, "product x16"),
        ({"binary": {}}, "binary"),
        ({"binary": {"encoding": "two_bits"}}, "binary two_bits"),
        ({"turbo": {"bits": "bits4"}}, "turbo bits4"),
        ({}, None),
        (None, None),
    ],
)
def test_quantization_in_words(config: Any, words: str | None) -> None:
    params = {"vectors": {"size": 2, "distance": "Dot", "quantization_config": config}}
    info = {"config": {"params": params, "quantization_config": None}}
    assert CollectionInfo(info=info).vectors(())[0].quantization == words


def test_what_the_server_does_not_say_is_absent() -> None:
    vector = CollectionInfo(info={"config": {"params": {"vectors": {"size": 4}}}}).vectors(())[0]
    assert vector == Vector(name="vector", dimension=4)
    bare = CollectionInfo(info={"config": {}})
    assert (bare.vectors(()), bare.fields(()), bare.properties(), bare.created) == ((), (), {}, None)


def test_one_model_for_all_vectors() -> None:
    vectors = {"a": {"size": 2}, "b": {"size": 3}}
    info = {"config": {"params": {"vectors": vectors}, "metadata": {"embedding_model": "cohere/embed-v4"}}}
    assert {vector.embedding_model for vector in CollectionInfo(info=info).vectors(())} == {"cohere/embed-v4"}


@given(st.text(string.printable, min_size=1))
def test_a_payload_path_is_written_so_that_it_reads_back(path: str) -> None:
    written = json_path(path)
    assert (written is None) == ('"' in path)
    if written is not None:
        assert written.replace('"', "") == path


def test_the_odd_name_is_read(read: Callable[..., Collection]) -> None:
    assert read(ODD).vectors[0].metric == "Manhattan"
