"""The reader of `llm-elasticsearch`, against a stand-in that answers as Elasticsearch's reference documents."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from contextlib import closing
from typing import Any

import pytest
from pydantic import ValidationError

from datahub_llmops.assets.collections import Collection, Vector
from datahub_llmops.errors import DeniedError, UnreadableError, VanishedError
from datahub_llmops.net.http import HttpClient
from datahub_llmops.testing import KnownIds, OpenReader, StoreContract
from datahub_llmops.vector_stores.search.elasticsearch import (
    ElasticsearchConfig,
    ElasticsearchSource,
)
from datahub_llmops.vector_stores.search.facts import Index, model_of
from datahub_llmops.vector_stores.search.opensearch import OpenSearchConfig
from datahub_llmops.vector_stores.search.reader import ELASTICSEARCH, SearchReader, absent
from support.stub import Call, Reply, Stub, answer_json
from vector_stores.search.service import (
    BACKING,
    COLLECTIONS,
    STREAM,
    ElasticService,
    answering,
    documented,
)
from vector_stores.search.stores import PLANTED, hits_of

FIELDS = ("source", "url", "path", "file_path")


def reader_of(url: str, **options: Any) -> SearchReader:
    client = HttpClient(system="Elasticsearch", base_url=url, timeout=20.0, retries=0, absent=absent)
    return SearchReader(
        client, ELASTICSEARCH, **{"provenance_fields": FIELDS, "ask_endpoints": True, **options}
    )


def read(url: str, name: str, **options: Any) -> Collection:
    with closing(reader_of(url, **options)) as reader:
        return reader.read((name,))


class TestContract(StoreContract):
    source = ElasticsearchSource

    @pytest.fixture
    def open_reader(self, elasticsearch: Stub) -> OpenReader:
        return lambda: reader_of(elasticsearch.url)

    @pytest.fixture
    def known_ids(self, elasticsearch: Stub) -> KnownIds:
        written: dict[tuple[str, ...], list[str]] = {
            (name,): hits_of(elasticsearch.url, name) for name in ("langchain", "llama")
        }
        return {("articles",): ["4", "5"], **written}

    @pytest.fixture
    def open_faulty(self, elasticsearch: Stub) -> OpenReader:
        true, wrong = (
            elasticsearch.answer,
            answer_json({"_shards": {"failed": 0}, "hits": {"hits": [{"_id": 4}]}}),
        )
        elasticsearch.answer = lambda call: wrong if call.path.endswith("/_search") else true(call)
        return lambda: reader_of(elasticsearch.url)


def test_streams_go_by_their_name_and_system_indexes_are_left_out(elasticsearch: Stub) -> None:
    with closing(reader_of(elasticsearch.url)) as reader:
        assert list(reader.names()) == [(name,) for name in sorted(COLLECTIONS)]


def test_every_fact_of_an_index(elasticsearch: Stub) -> None:
    found = read(elasticsearch.url, "articles")
    bits, dense, late, tokens = found.vectors
    assert dense == Vector(
        name="dense",
        schema_path="[version=2.0].[type=dense_vector].dense",
        dimension=3,
        metric="cosine",
        index_type="hnsw",
        index_parameters={"m": "16", "ef_construction": "100"},
        quantization="int8",
        embedding_model="cohere/embed-v4",
    )
    assert (bits.dimension, bits.element_type, bits.index_type, bits.metric) == (40, "bit", None, None)
    assert (late.multivector, late.dimension, late.element_type) == (True, 3, "byte")
    assert (tokens.name, tokens.sparse) == ("text.tokens", True)
    assert tokens.index_parameters == {"prune": "true", "pruning_config.tokens_freq_ratio_threshold": "5"}
    assert (found.count, found.aliases, found.description) == (6, ("current",), "Release notes")
    assert {field.path: field.native_type for field in found.fields} == {
        "source": "keyword",
        "text": "object",
        "url": "text",
        "url.keyword": "keyword",
    }
    assert {item.field: item.values for item in found.provenance} == {
        "source": {f"kb:{PLANTED}:0": 3, f"kb:{PLANTED}:1": 3},
        "url": {"s3://b/u": 6},
    }


def test_semantic_text_is_a_vector_with_its_model(elasticsearch: Stub) -> None:
    found = read(elasticsearch.url, "semantic")
    content, terms = found.vectors
    assert content == Vector(
        name="content",
        schema_path="[version=2.0].[type=semantic_text].content",
        dimension=1536,
        metric="dot_product",
        index_type="hnsw",
        index_parameters={"m": "16", "ef_construction": "100", "inference_id": "openai-embeddings"},
        element_type="float",
        quantization="bbq",
        embedding_model="openai/text-embedding-3-small",
    )
    assert (terms.sparse, terms.dimension) == (True, None)
    assert terms.embedding_model == "elasticsearch/.elser_model_2"
    assert found.properties["content.chunking.strategy"] == "sentence"
    assert [field.path for field in found.fields] == ["source"]


def test_an_endpoint_is_asked_once(elasticsearch: Stub) -> None:
    with closing(reader_of(elasticsearch.url)) as reader:
        for _ in range(3):
            reader.read(("semantic",))
    assert elasticsearch.count("/_inference/openai-embeddings") == 1


def test_an_endpoint_that_was_deleted_leaves_the_model_open(elastic: ElasticService) -> None:
    elastic.endpoints.clear()
    with elastic.served() as server:
        assert {vector.embedding_model for vector in read(server.url, "semantic").vectors} == {None}


def test_an_endpoint_that_may_not_be_asked_says_what_to_do(elasticsearch: Stub) -> None:
    elasticsearch.fail("403", when=lambda call: call.path.startswith("/_inference"))
    with pytest.raises(DeniedError, match="monitor_inference, or set inference_endpoints: false"):
        read(elasticsearch.url, "semantic")
    content, _ = read(elasticsearch.url, "semantic", ask_endpoints=False).vectors
    assert (content.dimension, content.embedding_model) == (1536, None)


def test_a_data_stream_is_one_collection(elasticsearch: Stub) -> None:
    found = read(elasticsearch.url, STREAM)
    (vector,) = found.vectors
    assert (vector.dimension, vector.metric) == (3, "l2_norm")
    # Its oldest index may be deleted long since: when the stream was made, nobody says.
    assert (found.count, found.created) == (4, None)
    assert [(item.field, item.values) for item in found.provenance] == [
        ("path", {"/kb/a.md": 2, "/kb/b.md": 2})
    ]
    asked = {call.path for call in elasticsearch.calls}
    assert f"/{BACKING[1]}" in asked
    assert f"/{BACKING[0]}" not in asked


def test_aliases_of_a_data_stream(elastic: ElasticService) -> None:
    said = {STREAM: {"aliases": {"kb": {}, "secret": {"is_hidden": True}}}}
    with Stub(answering(elastic, {f"/{STREAM}/_alias": said})) as server:
        assert read(server.url, STREAM).aliases == ("kb",)


def test_an_index_of_a_stream_is_no_item_of_its_own(elasticsearch: Stub) -> None:
    with pytest.raises(UnreadableError):
        read(elasticsearch.url, BACKING[0])


def test_serverless_is_read_without_what_it_does_not_have(elastic: ElasticService) -> None:
    elastic.serverless = True
    with elastic.served() as server:
        found = read(server.url, "articles")
        assert (found.count, found.size_bytes, found.properties["version"]) == (6, None, "8.11.0")
        assert server.count("_stats") == 0


def test_langchain_is_recognised(elasticsearch: Stub) -> None:
    found = read(elasticsearch.url, "langchain")
    assert (found.text_field, found.count) == ("text", 9)
    assert [(vector.name, vector.dimension, vector.metric) for vector in found.vectors] == [
        ("vector", 8, "cosine")
    ]
    (counted,) = found.provenance
    assert (counted.field, counted.values) == ("metadata.source", {f"/kb/{n}.md": 3 for n in range(3)})


def test_llamaindex_is_recognised(elasticsearch: Stub) -> None:
    found = read(elasticsearch.url, "llama")
    assert (found.text_field, found.count) == ("content", 2)
    assert [(vector.name, vector.dimension) for vector in found.vectors] == [("embedding", 3)]
    (counted,) = found.provenance
    assert (counted.field, counted.values) == ("metadata.file_path", {"/kb/1.md": 1, "/kb/2.md": 1})


class TestDocumentedAnswers:
    """The reader over the answers as they stand in ``tests/wire/elasticsearch``."""

    def test_a_listing(self) -> None:
        spec = {"mappings": {"properties": {"v": {"type": "dense_vector", "dims": 3}}}}
        listed = documented("GET /_resolve/index")
        stream = listed["data_streams"][0]["backing_indices"][0]
        answers: Mapping[str, object] = {
            "/": documented("GET /"),
            "/_resolve/index/*": listed,
            f"/{stream}": {stream: spec},
            "/foo/_alias": {"foo": {"aliases": {}}},
            "/foo/_count": documented("GET /_count"),
            "/foo/_stats/store": {"_shards": {"failed": 0}, "_all": {"total": {"store": {}}}},
        }

        def answer(call: Call) -> Reply:
            if call.path.endswith("/_mapping"):
                return answer_json(dict.fromkeys(("foo_closed", "freeze-index", stream), spec))
            return answer_json(answers[call.path])

        with Stub(answer) as server, closing(reader_of(server.url, provenance_fields=())) as reader:
            assert list(reader.names()) == [
                ("foo",),
                ("foo_closed",),
                ("freeze-index",),
                ("remoteCluster1:bar-01",),
            ]
            found = reader.read(("foo",))
            assert (found.count, found.size_bytes, found.properties["version"]) == (1, None, "8.12.1")
            # Of another cluster: it has a recipe of its own.
            with pytest.raises(UnreadableError):
                reader.read(("remoteCluster1:bar-01",))

    def test_endpoints(self) -> None:
        assert model_of(documented("GET /_inference/my-elser-model")) == "elasticsearch/.elser_model_2"
        listed = documented("GET /_inference endpoints")["endpoints"]
        assert [model_of(endpoint) for endpoint in listed] == ["openai/text-embedding-3-small"]
        assert model_of({"service": "hugging_face", "service_settings": {"url": "https://h"}}) is None

    def test_what_is_gone(self) -> None:
        assert absent(404, documented("404"))
        assert absent(404, documented("404 inference"))
        assert not absent(410, documented("410 serverless"))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"type": "hnsw"}, ("hnsw", None)),
        ({"type": "int8_hnsw"}, ("hnsw", "int8")),
        ({"type": "int4_hnsw"}, ("hnsw", "int4")),
        ({"type": "bbq_hnsw"}, ("hnsw", "bbq")),
        ({"type": "flat"}, ("flat", None)),
        ({"type": "int8_flat"}, ("flat", "int8")),
        ({"type": "bbq_flat"}, ("flat", "bbq")),
        ({"type": "bbq_disk"}, ("disk", "bbq")),
        ({"type": "something_new"}, ("something_new", None)),
        ({}, (None, None)),
        (None, (None, None)),
    ],
    ids=str,
)
def test_index_options(options: Any, expected: tuple[object, ...]) -> None:
    """All that the page of ``dense_vector`` lists (9.1), and what may come."""
    spec = {"type": "dense_vector", "dims": 64, "index_options": options}
    (found,) = Index(info={"mappings": {"properties": {"v": spec}}}, opensearch=False).vectors({})
    assert (found.index_type, found.quantization) == expected


def test_rescoring_is_a_parameter() -> None:
    options = {"type": "bbq_hnsw", "rescore_vector": {"oversample": 3.0}, "confidence_interval": 0.95}
    spec = {"type": "dense_vector", "index_options": options}
    (found,) = Index(info={"mappings": {"properties": {"v": spec}}}, opensearch=False).vectors({})
    assert found.index_parameters == {"rescore_vector.oversample": "3.0", "confidence_interval": "0.95"}


def test_keys_of_flattened_objects_are_counted(elastic: ElasticService) -> None:
    """Asked for and answered as documented; the emulator has no ``flattened`` of its own."""
    mappings = {"properties": {"v": {"type": "dense_vector"}, "metadata": {"type": "flattened"}}}
    shards = {"total": 1, "successful": 1, "skipped": 0, "failed": 0}
    buckets = {"buckets": [{"key": "s3://b/k", "doc_count": 3}], "sum_other_doc_count": 0}
    nothing: dict[str, Any] = {"buckets": [], "sum_other_doc_count": 0}
    found = {str(n): {"doc_count": 6, "values": nothing} for n in range(len(FIELDS))}
    found["0"] = {"doc_count": 6, "values": buckets, "ignored": {"doc_count": 1}}
    changes = {
        "/articles": {"articles": {"mappings": mappings, "settings": {}}},
        "/articles/_search": {"_shards": shards, "timed_out": False, "aggregations": found},
    }
    with Stub(answering(elastic, changes)) as server:
        (counted,) = read(server.url, "articles").provenance
        asked = [call.json["aggs"] for call in server.calls if call.path == "/articles/_search"]
    assert (counted.field, counted.values, counted.values_dropped) == ("metadata.source", {"s3://b/k": 3}, 1)
    assert asked[0]["0"]["aggs"]["values"]["terms"]["field"] == "metadata.source"


def authorization(config: ElasticsearchConfig | OpenSearchConfig) -> str | None:
    return config.headers().get("Authorization")


def test_every_way_to_be_let_in() -> None:
    def config(**given: Any) -> ElasticsearchConfig:
        return ElasticsearchConfig.model_validate({"url": "http://e", **given})

    encoded = base64.b64encode(b"id:secret").decode()
    assert authorization(config(api_key=f"{encoded}\n")) == f"ApiKey {encoded}"
    assert authorization(config(api_key="id:secret")) == f"ApiKey {encoded}"
    assert authorization(config(token="jwt")) == "Bearer jwt"
    basic = base64.b64encode("ada:pä:ss".encode()).decode()
    assert authorization(config(username="ada", password="pä:ss")) == f"Basic {basic}"
    assert authorization(config()) is None


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"username": "ada", "password": "s", "token": "t"}, "username and token"),
        ({"api_key": "k", "token": "t"}, "token and api_key"),
        ({"username": "ada"}, "belong together"),
        ({"password": "s"}, "belong together"),
        ({"indices": ""}, "indices"),
        ({"index_pattern": {"allow": ["("]}}, "index_pattern"),
        ({"hosts": "x"}, "hosts"),
    ],
    ids=str,
)
def test_a_wrong_recipe_says_what_is_wrong(given: Mapping[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ElasticsearchConfig.model_validate({"url": "http://e", **given})


def test_opensearch_has_no_api_keys() -> None:
    with pytest.raises(ValidationError, match="api_key"):
        OpenSearchConfig.model_validate({"url": "http://o", "api_key": "k"})


def test_a_missing_index_has_vanished_however_the_cluster_says_it(elastic: ElasticService) -> None:
    nothing: dict[str, Any] = {"indices": [], "aliases": [], "data_streams": []}
    with Stub(answering(elastic, {"/_resolve/index/gone": nothing})) as server, pytest.raises(VanishedError):
        read(server.url, "gone")


def test_ids_of_a_stream_are_looked_up_in_all_its_indexes(elasticsearch: Stub) -> None:
    """Here each of two indexes has documents of the same ids."""
    with closing(reader_of(elasticsearch.url)) as reader:
        assert reader.has((STREAM,), ["0", "1", "2"]) == {"0", "1"}


def test_ids_behind_a_full_page_of_hits_are_asked_for_again(elasticsearch: Stub) -> None:
    true = elasticsearch.answer

    def answer(call: Call) -> Reply:
        if not call.path.endswith("/_search"):
            return true(call)
        first = min(call.json["query"]["ids"]["values"])
        return answer_json({"_shards": {"failed": 0}, "hits": {"hits": [{"_id": first}] * 100}})

    elasticsearch.answer = answer
    with closing(reader_of(elasticsearch.url)) as reader:
        assert reader.has(("articles",), ["a", "b", "c"]) == {"a", "b", "c"}
    assert elasticsearch.count("/_search") == 3
