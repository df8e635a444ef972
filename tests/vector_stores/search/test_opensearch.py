"""The reader of `llm-opensearch`, against OpenSearch's emulator and answers that its reference documents."""

from __future__ import annotations

import json
import string
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

import pytest
from datahub.emitter.mce_builder import make_dataset_urn_with_platform_instance
from datahub.metadata.urns import DatasetUrn
from hypothesis import given, settings
from hypothesis import strategies as st

from datahub_llmops import urns
from datahub_llmops.assets.collections import Collection, ProvenanceCount, Vector
from datahub_llmops.errors import UnreachableError, UnreadableError, VanishedError
from datahub_llmops.net.http import HttpClient
from datahub_llmops.testing import KnownIds, OpenReader, StoreContract
from datahub_llmops.vector_stores.search.facts import Index, embedded_text
from datahub_llmops.vector_stores.search.opensearch import OpenSearchSource
from datahub_llmops.vector_stores.search.reader import (
    ELASTICSEARCH,
    OPENSEARCH,
    SearchReader,
    absent,
)
from support.examples import examples
from support.stub import Call, Reply, Stub, answer_json
from vector_stores.search.stores import (
    ARTICLES,
    COLLECTIONS,
    NO_INDEX,
    ODD,
    PLANTED,
    VECTOR,
    create,
    hits_of,
    insert,
)

FIELDS = ("source", "uri", "url", "path", "file_path", "table")


def reader_of(url: str, **options: Any) -> SearchReader:
    client = HttpClient(system="OpenSearch", base_url=url, timeout=20.0, retries=0, absent=absent)
    return SearchReader(client, OPENSEARCH, **{"provenance_fields": FIELDS, **options})


def read(url: str, name: str, **options: Any) -> Collection:
    with closing(reader_of(url, **options)) as reader:
        return reader.read((name,))


class TestContract(StoreContract):
    source = OpenSearchSource

    @pytest.fixture
    def open_reader(self, opensearch: Stub) -> OpenReader:
        return lambda: reader_of(opensearch.url)

    @pytest.fixture
    def known_ids(self, opensearch: Stub) -> KnownIds:
        written: dict[tuple[str, ...], list[str]] = {
            (name,): hits_of(opensearch.url, name) for name in ("notes", "llama")
        }
        return {("articles",): ["17", "19"], **written}

    @pytest.fixture
    def open_faulty(self, opensearch: Stub) -> OpenReader:
        true, wrong = (
            opensearch.answer,
            answer_json({"_shards": {"failed": 0}, "hits": {"hits": [{"_id": 4}]}}),
        )
        opensearch.answer = lambda call: wrong if call.path.endswith("/_search") else true(call)
        return lambda: reader_of(opensearch.url)


def test_indexes_with_vectors_are_listed_and_no_others(opensearch: Stub) -> None:
    with closing(reader_of(opensearch.url)) as reader:
        assert list(reader.names()) == [(name,) for name in sorted(COLLECTIONS)]
    # One request for the cluster, one for the names, one for all mappings.
    assert [call.path for call in opensearch.calls][:2] == ["/", "/_resolve/index/*"]
    assert opensearch.count() == 3


def test_every_fact_of_an_index(opensearch: Stub) -> None:
    found = read(opensearch.url, "articles")
    dense, disk, passages = found.vectors
    assert dense == Vector(
        name="dense",
        schema_path="[version=2.0].[type=knn_vector].dense",
        dimension=4,
        metric="innerproduct",
        index_type="hnsw",
        index_parameters={"engine": "faiss", "m": "24", "ef_construction": "120", "encoder.clip": "true"},
        quantization="sq fp16",
        embedding_model="openai/text-embedding-3-small",
    )
    assert disk == Vector(
        name="disk",
        schema_path="[version=2.0].[type=knn_vector].disk",
        dimension=8,
        metric="l2",
        index_parameters={"mode": "on_disk", "compression_level": "16x"},
        quantization="16x",
    )
    assert passages == Vector(
        name="passages.vector",
        schema_path="[version=2.0].[type=properties].passages.[type=knn_vector].vector",
        dimension=2,
        index_parameters={"nested_in": "passages"},
        element_type="byte",
    )
    assert {field.path: (field.type, field.native_type) for field in found.fields} == {
        "passages": ("object", "nested"),
        "passages.body": ("string", "text"),
        "path": ("string", "text"),
        "path.raw": ("string", "keyword"),
        "ready": ("boolean", "boolean"),
        "seen": ("datetime", "date"),
        "source": ("string", "keyword"),
        "table": ("integer", "integer"),
        "url": ("string", "text"),
    }
    assert (found.aliases, found.description) == (("current",), "Release notes")
    assert found.created is not None
    assert found.size_bytes is not None
    assert found.properties == {
        "num_shards": "2",
        "num_replicas": "1",
        "meta_keys": "description, embedding_model, owner",
        "version": "3.8.0",
    }


def test_documents_are_counted_without_their_nested_ones(opensearch: Stub) -> None:
    assert read(opensearch.url, "articles").count == 20
    statistics = json.loads(_get(opensearch, "/articles/_stats/docs").body)
    assert statistics["_all"]["primaries"]["docs"]["count"] == 60


def _get(stub: Stub, path: str) -> Reply:
    return stub.answer(Call(method="GET", path=path))


def test_sources_are_counted_by_the_engine_where_it_can(opensearch: Stub) -> None:
    found = {item.field: item for item in read(opensearch.url, "articles").provenance}
    assert found["source"].values == {f"kb:{PLANTED}:{n}": 5 for n in range(4)}
    assert found["path"].values == {f"/kb/{n}.md": 4 for n in range(5)}
    assert found["table"].values == {"0": 7, "1": 7, "2": 6}
    assert (found["source"].rows_scanned, found["source"].rows_total) == (20, 20)
    searches = [call.json for call in opensearch.calls if call.path == "/articles/_search"]
    counted, looked_at = searches
    fields = [item["aggs"]["values"]["terms"]["field"] for item in counted["aggs"].values()]
    assert fields == ["source", "path.raw", "table"]
    # A text without a keyword is looked for in documents, of which nothing else is asked for.
    assert (looked_at["_source"], looked_at["size"]) == (["url"], 10_000)
    assert found["url"].values == {f"https://kb.example/{PLANTED}/{n}": 10 for n in range(2)}


def test_a_page_of_documents_says_what_part_it_is(opensearch: Stub) -> None:
    found = {item.field: item for item in read(opensearch.url, "articles", max_rows=5).provenance}
    assert (found["url"].rows_scanned, found["url"].rows_total) == (5, 20)
    assert (found["source"].rows_scanned, found["source"].rows_total) == (20, 20)


def test_of_many_values_the_most_frequent_are_kept_apart(opensearch: Stub) -> None:
    found = {item.field: item for item in read(opensearch.url, "articles", max_values=2).provenance}
    assert len(found["source"].values) == 2
    assert found["source"].values_dropped == 10
    # Of seven, seven and six.
    assert found["table"].values == {"0": 7, "1": 7}
    assert found["table"].values_dropped == 6


def test_fields_that_no_mapping_names_are_found_in_documents(opensearch: Stub) -> None:
    found = read(opensearch.url, ODD)
    assert found.fields == ()
    assert [(item.field, item.values) for item in found.provenance] == [
        ("uri", {"s3://b/0": 1, "s3://b/1": 1})
    ]


def test_a_closed_index_says_what_its_mapping_says(opensearch: Stub) -> None:
    found = read(opensearch.url, "closed")
    assert found.vectors[0].dimension == 3
    assert (found.count, found.size_bytes, found.properties["closed"]) == (None, None, "true")
    assert not [call for call in opensearch.calls if call.path.startswith("/closed/")]


def test_an_index_without_documents_is_not_searched(opensearch: Stub) -> None:
    found = read(opensearch.url, "empty")
    assert (found.count, found.provenance) == (0, ())
    assert opensearch.count("_search") == 0


def test_langchain_is_recognised(opensearch: Stub) -> None:
    found = read(opensearch.url, "notes")
    assert (found.text_field, found.count) == ("text", 30)
    (vector,) = found.vectors
    assert (vector.name, vector.dimension, vector.metric, vector.index_type) == (
        "vector_field",
        8,
        "l2",
        "hnsw",
    )
    assert found.provenance == (
        ProvenanceCount(
            field="metadata.source",
            values={f"/kb/{n}.md": 10 for n in range(3)},
            rows_scanned=30,
            rows_total=30,
        ),
    )


def test_llamaindex_is_recognised(opensearch: Stub) -> None:
    found = read(opensearch.url, "llama")
    assert (found.text_field, found.count) == ("content", 2)
    marked = {field.path for field in found.fields if field.description}
    assert {"metadata._node_content", "metadata.ref_doc_id"} <= marked
    assert [item.field for item in found.provenance] == ["metadata.file_path"]


def test_rank_features_are_sparse_vectors_here(opensearch: Stub) -> None:
    (vector,) = read(opensearch.url, "sparse").vectors
    assert (vector.name, vector.sparse, vector.dimension) == ("tokens", True, None)
    elsewhere = Index(
        info={"mappings": {"properties": {"tokens": {"type": "rank_features"}}}}, opensearch=False
    )
    assert not elsewhere.has_vectors


KINDS: list[Any] = [None, 5, "", [], {}]
DAMAGED: list[Any] = [
    *(None, 5, [], "x", {"properties": None}, {"properties": []}, {"properties": {"v": 5}}),
    *({"properties": {"v": {"type": kind}}} for kind in KINDS),
    {"properties": {"v": {"type": "text", "fields": []}}},
    {"properties": {"v": {"type": "nested", "properties": {"w": {"type": True}}}}},
]


@pytest.mark.parametrize("mappings", DAMAGED, ids=str)
@pytest.mark.parametrize("whole", [True, False], ids=["index", "mapping"])
def test_a_damaged_mapping_is_no_index_without_vectors(
    opensearch: Stub, mappings: object, whole: bool
) -> None:
    before = opensearch.answer
    damaged = {"mappings": mappings} if whole else mappings

    def answer(call: Call) -> Reply:
        reply = before(call)
        if call.path not in ("/sparse", "/sparse/_mapping") and "/_mapping" not in call.path:
            return reply
        said = json.loads(reply.body)
        said["sparse"] = damaged
        return answer_json(said)

    opensearch.answer = answer
    with closing(reader_of(opensearch.url)) as reader:
        assert ("sparse",) in list(reader.names())
        with pytest.raises(UnreadableError, match="does not look like an answer"):
            reader.read(("sparse",))


def described(properties: Mapping[str, Any], **more: Any) -> Index:
    return Index(info={"mappings": {"properties": properties, **more}}, opensearch=True)


class TestMappings:
    """As https://docs.opensearch.org/3.9/mappings/supported-field-types/knn-vector/ and its neighbours write them."""

    @pytest.mark.parametrize(
        ("spec", "expected"),
        [
            (
                # knn-methods-engines: Lucene's own scalar quantization
                {
                    "method": {
                        "name": "hnsw",
                        "engine": "lucene",
                        "space_type": "l2",
                        "parameters": {
                            "encoder": {"name": "sq", "parameters": {"confidence_interval": 1.0}},
                            "ef_construction": 256,
                            "m": 8,
                        },
                    }
                },
                ("l2", "hnsw", "sq"),
            ),
            (
                {
                    "method": {
                        "name": "ivf",
                        "engine": "faiss",
                        "space_type": "l2",
                        "parameters": {
                            "nlist": 4,
                            "encoder": {"name": "pq", "parameters": {"code_size": 8, "m": 8}},
                        },
                    }
                },
                ("l2", "ivf", "pq"),
            ),
            (
                {"method": {"name": "hnsw", "parameters": {"encoder": {"name": "flat"}}}},
                (None, "hnsw", None),
            ),
            ({"space_type": "hamming", "data_type": "binary"}, ("hamming", None, None)),
            ({"mode": "in_memory", "compression_level": "1x"}, (None, None, None)),
            ({"model_id": "my-model"}, (None, None, None)),
        ],
        ids=["lucene sq", "ivf pq", "flat", "binary", "in memory", "trained"],
    )
    def test_a_vector(self, spec: dict[str, Any], expected: tuple[object, ...]) -> None:
        (found,) = described({"v": {"type": "knn_vector", **spec}}).vectors({})
        assert (found.metric, found.index_type, found.quantization) == expected

    def test_the_index_may_say_the_space_for_all(self) -> None:
        info = {
            "mappings": {"properties": {"v": {"type": "knn_vector", "dimension": 3}}},
            "settings": {"index": {"knn": "true", "knn.space_type": "cosinesimil"}},
        }
        (found,) = Index(info=info, opensearch=True).vectors({})
        assert found.metric == "cosinesimil"

    def test_a_sparse_index(self) -> None:
        method = {"name": "seismic", "parameters": {"n_postings": 300, "cluster_ratio": 0.1}}
        (found,) = described({"v": {"type": "sparse_vector", "method": method}}).vectors({})
        assert (found.sparse, found.index_type) == (True, "seismic")
        assert found.index_parameters == {"n_postings": "300", "cluster_ratio": "0.1"}

    def test_a_semantic_field_is_text_beside_its_vector(self) -> None:
        embedding = {"type": "knn_vector", "dimension": 768}
        chunks = {"type": "nested", "properties": {"embedding": embedding, "text": {"type": "text"}}}
        found = described(
            {
                "passage": {"type": "semantic", "model_id": "n17yX5cBsaYnPfyOzmQU"},
                "passage_semantic_info": {"properties": {"chunks": chunks}},
            }
        )
        assert [vector.name for vector in found.vectors({})] == ["passage_semantic_info.chunks.embedding"]
        assert "passage" in {field.path for field in found.fields()}

    def test_values_that_the_engine_changes_or_does_not_keep_are_not_counted_by_it(self) -> None:
        found = described(
            {
                "a": {"type": "keyword", "normalizer": "lowercase"},
                "b": {"type": "keyword", "doc_values": False},
                "c": {"type": "text", "fields": {"k": {"type": "keyword", "normalizer": "lowercase"}}},
                "d": {"type": "text", "fielddata": True},
                "e": {"type": "keyword", "ignore_above": 20},
            }
        )
        assert [found.countable(path) for path in "abcd"] == [None] * 4
        counted = found.countable("e")
        assert counted is not None
        assert (counted.key, counted.may_ignore) == ("e", True)

    @pytest.mark.parametrize("dynamic", [False, "false", "runtime"])
    def test_where_a_mapping_does_not_look(self, dynamic: object) -> None:
        found = described(
            {"f": {"type": "flat_object"}, "o": {"type": "object", "enabled": False}}, dynamic=dynamic
        )
        assert found.unmapped(["source"]) == ["f.source", "o.source", "source"]
        assert described({"f": {"type": "keyword"}}, dynamic="strict").unmapped(["source"]) == []


def scripted(changes: Mapping[str, object], stub: Stub) -> Callable[[Call], Reply]:
    """The emulator, with some answers replaced by their path."""
    inner = stub.answer

    def answer(call: Call) -> Reply:
        return answer_json(changes[call.path]) if call.path in changes else inner(call)

    return answer


def test_long_values_that_an_index_ignores_are_counted_as_dropped(opensearch: Stub) -> None:
    """Asked for and answered as documented; the emulator does not know ``_ignored``."""
    create(opensearch.url, "long", {"properties": {"v": VECTOR, "source": {"type": "keyword"}}})
    insert(opensearch.url, "long", [{"source": "s3://b/k"}] * 3)
    mappings = {
        "properties": {"v": {"type": "knn_vector"}, "source": {"type": "keyword", "ignore_above": 10}}
    }
    buckets = {"buckets": [{"key": "s3://b/k", "doc_count": 3}], "sum_other_doc_count": 0}
    found = {"0": {"doc_count": 5, "values": buckets, "ignored": {"doc_count": 2}}}
    shards = {"total": 1, "successful": 1, "skipped": 0, "failed": 0}
    changes = {
        "/long": {"long": {"mappings": mappings, "settings": {}}},
        "/long/_search": {"_shards": shards, "timed_out": False, "aggregations": found},
    }
    opensearch.answer = scripted(changes, opensearch)
    (counted,) = read(opensearch.url, "long").provenance
    assert (counted.values, counted.values_dropped) == ({"s3://b/k": 3}, 2)
    (asked,) = [call.json["aggs"] for call in opensearch.calls if call.path == "/long/_search"]
    assert asked["0"]["aggs"]["ignored"] == {"filter": {"term": {"_ignored": "source"}}}


def test_sources_of_nested_documents_are_counted(opensearch: Stub) -> None:
    chunk = {"type": "nested", "properties": {"source": {"type": "keyword"}, "v": VECTOR}}
    create(opensearch.url, "nested", {"properties": {"metadata": chunk}})
    insert(
        opensearch.url,
        "nested",
        [{"metadata": [{"source": "a"}, {"source": "b"}]}, {"metadata": {"source": "a"}}],
    )
    (counted,) = read(opensearch.url, "nested").provenance
    assert (counted.field, counted.values) == ("metadata.source", {"a": 2, "b": 1})


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/articles/_count", {"count": 7, "_shards": {"total": 2, "successful": 1, "failed": 1}}),
        ("/articles/_count", {"count": 7}),
        ("/articles/_count", {"count": True, "_shards": {"failed": 0}}),
        ("/articles/_search", {"timed_out": True, "_shards": {"failed": 0}, "aggregations": {}}),
        ("/articles/_search", {"timed_out": False, "_shards": {"failed": 0}, "aggregations": {}}),
        ("/articles/_stats/store", {"_shards": {"failed": 1}, "_all": {}}),
        ("/articles", {}),
        ("/articles", {"articles": {"aliases": {}}}),
        ("/_resolve/index/articles", {"indices": [{"name": "articles"}], "data_streams": []}),
        ("/_resolve/index/articles", {"data_streams": []}),
    ],
    ids=str,
)
def test_an_answer_that_is_not_whole_is_unreadable(path: str, answer: object, opensearch: Stub) -> None:
    opensearch.answer = scripted({path: answer}, opensearch)
    with pytest.raises(UnreadableError):
        read(opensearch.url, "articles")


def test_an_index_that_lost_its_vectors_has_vanished(opensearch: Stub) -> None:
    with pytest.raises(VanishedError, match="no vector field"):
        read(opensearch.url, "plain")


def test_an_alias_is_no_index(opensearch: Stub) -> None:
    with pytest.raises(VanishedError):
        read(opensearch.url, "current")


@pytest.mark.parametrize("name", ["a,b", "a*", "<a>", "-a", "cluster:a", "_all", ".", "a/b", "a\ud800"])
def test_names_that_mean_something_else_are_never_asked_for(name: str, opensearch: Stub) -> None:
    with pytest.raises(UnreadableError):
        read(opensearch.url, name)
    assert opensearch.count() == 0


def test_what_vanishes_while_mappings_are_listed_is_left_to_reading(opensearch: Stub) -> None:
    inner = opensearch.answer

    def answer(call: Call) -> Reply:
        reply = inner(call)
        if call.path.endswith("/_mapping"):
            body = json.loads(reply.body)
            del body["notes"]
            return replace(reply, body=json.dumps(body).encode())
        return reply

    opensearch.answer = answer
    with closing(reader_of(opensearch.url)) as reader:
        assert ("notes",) in list(reader.names())
        assert reader.read(("notes",)).count == 30


def test_many_names_are_asked_for_in_parts(opensearch: Stub) -> None:
    names = [f"{'x' * 200}{n}" for n in range(40)]
    listed = {
        "indices": [{"name": n, "attributes": ["open"]} for n in names],
        "aliases": [],
        "data_streams": [],
    }
    vectors = {"mappings": {"properties": {"v": {"type": "knn_vector"}}}}

    def answer(call: Call) -> Reply:
        if call.path.endswith("/_mapping"):
            assert len(call.path) < 3_500
            return answer_json(dict.fromkeys(call.path.split("/")[1].split(","), vectors))
        return answer_json(listed) if "_resolve" in call.path else _get(opensearch, "/")

    with Stub(answer) as server, closing(reader_of(server.url)) as reader:
        assert list(reader.names()) == [(name,) for name in sorted(names)]
        assert server.count("/_mapping") == 3


ROOTS: Mapping[str, Any] = {
    "elasticsearch": {
        "version": {"number": "9.1.0", "build_flavor": "default"},
        "tagline": "You Know, for Search",
    },
    "opensearch": {
        "version": {"distribution": "opensearch", "number": "2.19.0"},
        "tagline": "The OpenSearch Project",
    },
    "something": {"hello": "world"},
}


@pytest.mark.parametrize(
    ("product", "root", "message"),
    [
        (
            OPENSEARCH,
            "elasticsearch",
            "this is Elasticsearch. Use the source llm-elasticsearch",
        ),
        (ELASTICSEARCH, "opensearch", "this is OpenSearch. Use the source llm-opensearch"),
        (OPENSEARCH, "something", "what answers is not OpenSearch. Set url"),
        (ELASTICSEARCH, "something", "what answers is not Elasticsearch. Set url"),
    ],
)
def test_the_wrong_source_says_which_one_is_right(product: Any, root: str, message: str) -> None:
    with Stub(lambda call: answer_json(ROOTS[root])) as server:
        client = HttpClient(system=product.name, base_url=server.url)
        with closing(SearchReader(client, product)) as reader, pytest.raises(UnreachableError, match=message):
            list(reader.names())


@pytest.mark.parametrize(
    ("status", "answer", "gone"),
    [
        (404, NO_INDEX, True),
        (404, {"error": {"type": "resource_not_found_exception"}}, True),
        (404, {"error": "no handler found for uri"}, False),
        (404, {"message": "no route"}, False),
        (404, None, False),
        (410, NO_INDEX, False),
    ],
)
def test_only_the_engines_own_words_mean_that_an_index_is_gone(
    status: int, answer: object, gone: bool
) -> None:
    assert absent(status, answer) is gone


@pytest.mark.parametrize(
    ("paths", "field"),
    [
        (["text", "metadata", "vector"], "text"),
        (["content", "metadata", "metadata._node_content"], "content"),
        (["page_content", "metadata"], "page_content"),
        (["text", "vector"], None),
        ([], None),
    ],
)
def test_the_text_is_told_by_shape(paths: list[str], field: str | None) -> None:
    assert embedded_text(paths) == field


def _takes(name: str) -> bool:
    """As both engines check a name, https://docs.opensearch.org/latest/api-reference/index-apis/create-index/."""
    return name == name.lower() and name[0] not in "-_+." and len(name.encode()) <= 255


NAMES = st.text(
    st.characters(
        exclude_categories=("Cc", "Cs"), exclude_characters=r'\/*?"<>| ,#:' + string.ascii_uppercase
    ),
    min_size=1,
    max_size=60,
).filter(_takes)


@settings(max_examples=examples(200))
@given(name=NAMES)
def test_any_name_survives_address_and_urn(name: str) -> None:
    def answer(call: Call) -> Reply:
        if call.path == "/":
            return answer_json(ROOTS["opensearch"])
        last = call.path.rpartition("/")[2]
        if "_resolve" in call.path:
            found = [{"name": unquote(last), "attributes": ["open"]}]
            return answer_json({"indices": found, "aliases": [], "data_streams": []})
        if call.path.endswith(("/_count", "/_stats/store")):
            return answer_json({"count": 0, "_shards": {"failed": 0}})
        return answer_json({unquote(last): {"mappings": {"properties": ARTICLES["properties"]}}})

    with Stub(answer) as server:
        assert read(server.url, name).name == (name,)
    urn = urns.collection(urns.Deployment(platform="elasticsearch"), (name,))
    # The one that DataHub's own source writes.
    assert urn == make_dataset_urn_with_platform_instance("elasticsearch", name, None, "PROD")
    if "%" not in name:
        assert unquote(DatasetUrn.from_string(urn).name) == name


def test_a_closed_index_cannot_be_asked_for_ids(opensearch: Stub) -> None:
    with (
        closing(reader_of(opensearch.url)) as reader,
        pytest.raises(UnreadableError, match="closed is closed"),
    ):
        reader.has(("closed",), ["1"])


def test_answers_about_ids_hold_nothing_else(opensearch: Stub) -> None:
    with closing(reader_of(opensearch.url)) as reader:
        assert reader.has(("articles",), ["1", "2"]) == {"1", "2"}
    [asked] = [call for call in opensearch.calls if call.path.endswith("/_search")]
    hits = json.loads(opensearch.answer(asked).body)["hits"]["hits"]
    assert [hit["_id"] for hit in hits] == ["1", "2"]
    assert not any("_source" in hit for hit in hits)
