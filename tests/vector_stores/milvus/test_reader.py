"""What the reader says of collections of a real Milvus server, and of what newer servers add, replayed."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from hypothesis import given, settings
from hypothesis import strategies as st
from pymilvus import DataType, MilvusClient
from pymilvus.grpc_gen import milvus_pb2, schema_pb2

from datahub_llmops.assets.collections import (
    Collection,
    Container,
    PayloadField,
    ProvenanceCount,
    Vector,
)
from datahub_llmops.errors import DeniedError, UnreachableError, UnreadableError, VanishedError
from datahub_llmops.testing import FactsContract, KnownIds, OpenReader, StoreContract
from datahub_llmops.vector_stores.milvus.client import MilvusGrpcClient
from datahub_llmops.vector_stores.milvus.facts import Description
from datahub_llmops.vector_stores.milvus.reader import MilvusReader
from datahub_llmops.vector_stores.milvus.rows import Rows, _parse_page
from datahub_llmops.vector_stores.milvus.source import MilvusSource
from support.examples import examples
from vector_stores.milvus import probe
from vector_stores.milvus.engine import OLDEST, ROOT, MilvusEngine, run
from vector_stores.milvus.proxy import MilvusProxy
from vector_stores.milvus.replay import replayed
from vector_stores.milvus.stores import ARTICLES, COLLECTIONS, DATABASE, PLANTED, client

FIELDS = ("source", "uri", "path", "page", "file_path", "tenant", "odd key")


def reader_of(url: str, **options: Any) -> MilvusReader:
    calls = MilvusGrpcClient(url, token=ROOT, timeout=options.pop("timeout", 20.0), retries=0)
    return MilvusReader(calls, **{"provenance_fields": FIELDS, "database": DATABASE, **options})


def keys_of(engine: MilvusEngine, name: str) -> list[str]:
    """The first primary keys of a collection that a framework wrote."""
    with closing(client(engine, DATABASE)) as kb:
        key = next(one["name"] for one in kb.describe_collection(name)["fields"] if one.get("is_primary"))
        rows = kb.query(name, filter="", limit=2, output_fields=[key], consistency_level="Strong")
    return [str(row[key]) for row in rows]


class TestServer(StoreContract):
    source = MilvusSource
    # Newer servers do: TestNewer.
    missing_facts = frozenset({"several vectors", "sparse vectors", "multivectors", "embedding model"})

    @pytest.fixture
    def open_reader(self, milvus: MilvusEngine) -> OpenReader:
        return lambda: reader_of(milvus.url)

    @pytest.fixture
    def known_ids(self, milvus: MilvusEngine) -> KnownIds:
        return {
            (DATABASE, "articles"): [f"k\"{n}\\'é" for n in (0, 7, ARTICLES - 1)],
            **{(DATABASE, name): keys_of(milvus, name) for name in ("notes", "llama")},
        }

    @pytest.fixture
    def open_faulty(self, milvus_proxy: MilvusProxy) -> OpenReader:
        milvus_proxy.fail("empty", when=lambda method, request: method == "Query")
        return lambda: reader_of(milvus_proxy.url)


class TestNewer(FactsContract):
    source = MilvusSource
    # Its collections are not loaded.
    missing_facts = frozenset({"count"})

    @pytest.fixture
    def open_reader(self) -> Iterator[OpenReader]:
        with replayed("2.6") as url:
            yield lambda: reader_of(url, database=None)


@pytest.mark.parametrize("name", ["asleep", "bits"])
def test_ids_are_not_known_unless_all_of_a_collection_is_loaded(milvus: MilvusEngine, name: str) -> None:
    with closing(reader_of(milvus.url)) as reader:
        with pytest.raises(UnreadableError, match="not loaded as a whole"):
            reader.has((DATABASE, name), ["7"])
        # No key of this collection is text.
        assert reader.has((DATABASE, name), ["seven"]) == frozenset()


@pytest.fixture
def read(milvus: MilvusEngine) -> Callable[..., Collection]:
    def one(name: str, **options: Any) -> Collection:
        with closing(reader_of(milvus.url, **options)) as reader:
            return reader.read((DATABASE, name))

    return one


@pytest.fixture
def own(milvus: MilvusEngine) -> Iterator[MilvusClient]:
    """A client in a database of its own, for tests that write."""
    name = f"own_{uuid.uuid4().hex[:12]}"
    with closing(client(milvus)) as first:
        first.create_database(name)
    with closing(client(milvus, name)) as opened:
        opened.own_database = name
        yield opened
        for collection in opened.list_collections():
            opened.drop_collection(collection)
    with closing(client(milvus)) as last:
        last.drop_database(name)


def counts(item: Collection) -> dict[str, dict[str, int]]:
    return {found.field: dict(found.values) for found in item.provenance}


def test_all_collections_of_all_databases_are_listed(milvus: MilvusEngine) -> None:
    with closing(reader_of(milvus.url, database=None)) as reader:
        # Other tests may have databases of their own meanwhile.
        names = [
            ".".join(name) for name in reader.names() if isinstance(name, tuple) and name[0][:4] != "own_"
        ]
    assert names == sorted(COLLECTIONS)


def test_one_database_is_read_without_asking_for_the_others(milvus_proxy: MilvusProxy) -> None:
    with closing(reader_of(milvus_proxy.url, database="archive")) as reader:
        assert list(reader.names()) == [("archive", "notes")]
    assert milvus_proxy.calls == ["GetVersion", "ShowCollections"]


def test_vectors_and_their_indexes(read: Callable[..., Collection]) -> None:
    assert read("articles").vectors == (
        Vector(
            name="dense",
            dimension=4,
            metric="COSINE",
            index_type="HNSW",
            index_parameters={"M": "24", "efConstruction": "120"},
            element_type="float32",
        ),
    )
    assert read("bits").vectors == (
        Vector(
            name="flags",
            dimension=16,
            metric="JACCARD",
            index_type="BIN_IVF_FLAT",
            index_parameters={"nlist": "8"},
            element_type="binary",
        ),
    )
    assert read("asleep").vectors[0].quantization == "SQ8"
    # No index, no metric.
    assert read("bare").vectors == (Vector(name="vector", dimension=2, element_type="float32"),)


def test_columns_and_what_a_sample_shows_beside_them(read: Callable[..., Collection]) -> None:
    def column(path: str, kind: Any, native: str, description: str | None = None) -> PayloadField:
        return PayloadField(path=path, type=kind, native_type=native, nullable=False, description=description)

    def sampled(path: str, kind: Any) -> PayloadField:
        return PayloadField(path=path, type=kind, native_type=kind)

    assert read("articles").fields == (
        column("extra", "object", "JSON"),
        sampled("extra.deep", "object"),
        sampled("extra.deep.lang", "string"),
        sampled("extra.source", "string"),
        column("id", "string", "VARCHAR(64)"),
        sampled("odd key", "string"),
        column("page", "integer", "INT32"),
        sampled("path", "integer"),
        column("score", "float", "DOUBLE"),
        sampled("source", "string"),
        column("tenant", "string", "VARCHAR(32)", "Customer"),
        column("uri", "array", "ARRAY<VARCHAR(90)>(4)"),
    )


def test_what_else_a_server_says(read: Callable[..., Collection], milvus: MilvusEngine) -> None:
    started = datetime.now(UTC)
    articles = read("articles")
    assert articles.containers == (
        Container(kind="Server", name=f"127.0.0.1:{milvus.port}", properties={"version": "v2.3.5-lite"}),
        Container(kind="Database", name="kb"),
    )
    assert (articles.count, articles.count_is_estimate) == (ARTICLES, False)
    assert articles.created is not None
    assert 0 < (started - articles.created).total_seconds() < 3600
    assert (articles.modified, articles.size_bytes) == (None, None)
    assert articles.aliases == ("a_stable", "current")
    assert articles.description == "Release notes"
    assert articles.properties == {
        "primary_key": "id",
        "dynamic_fields": "true",
        "partition_key": "tenant",
        "num_partitions": "64",
        "shards": "1",
        "consistency_level": "Bounded",
        "payload_indexes": "page: STL_SORT",
        "collection.ttl.seconds": "864000",
    }
    assert PLANTED not in str([articles.fields, articles.vectors, articles.properties, articles.containers])


def test_partitions_are_shown_where_somebody_made_them(read: Callable[..., Collection]) -> None:
    assert read("bits").partitions == ("_default", "eu", "us")
    # With a partition key they are Milvus' own buckets.
    assert read("articles").partitions == ()
    assert read("notes").partitions == ()


def test_an_empty_collection_says_only_how_it_was_made(read: Callable[..., Collection]) -> None:
    bare = read("bare")
    assert (bare.count, bare.description, bare.aliases, bare.text_field) == (0, None, (), None)
    assert bare.provenance == ()


def test_a_scan_reads_every_row_once(read: Callable[..., Collection]) -> None:
    articles = read("articles")
    each = {f"kb:{PLANTED}:{n}": 513 if n < 2 else 512 for n in range(4)}
    assert counts(articles) == {
        "source": each,
        "extra.source": {f"/kb/{n}.md": 513 if n < 2 else 512 for n in range(4)},
        "uri": {"s3://bucket/0": 1025, "s3://bucket/1": 1025, "s3://bucket/all": ARTICLES},
        "path": {"0": 1025, "1": 1025},
        "page": {str(n): 410 for n in range(5)},
        "tenant": {f"{PLANTED}-{n}": 684 if n == 0 else 683 for n in range(3)},
        "odd key": {PLANTED: ARTICLES},
    }
    assert {(item.rows_scanned, item.rows_total) for item in articles.provenance} == {(ARTICLES, ARTICLES)}


@pytest.mark.parametrize("rows", [10, 1000, 1500])
def test_a_bounded_scan_says_how_far_it_came(read: Callable[..., Collection], rows: int) -> None:
    source = read("articles", max_rows=rows).provenance[0]
    assert (source.rows_scanned, source.rows_total, sum(source.values.values())) == (rows, ARTICLES, rows)


@pytest.mark.parametrize("most", [1, 3])
def test_values_beyond_the_bound_are_counted_as_dropped(read: Callable[..., Collection], most: int) -> None:
    source = read("articles", max_values=most).provenance[0]
    assert len(source.values) == most
    assert source.values_dropped == ARTICLES - sum(source.values.values())


def test_what_is_not_loaded_stays_so(read: Callable[..., Collection], milvus: MilvusEngine) -> None:
    asleep = read("asleep")
    assert (asleep.count, asleep.count_is_estimate) == (40, True)
    # Its rows cannot be asked for: no dynamic field is known, and no source was looked at.
    assert [field.path for field in asleep.fields] == ["id", "source"]
    assert asleep.provenance == (ProvenanceCount(field="source", values={}, rows_scanned=0, rows_total=40),)
    with closing(client(milvus, DATABASE)) as kb:
        assert str(kb.get_load_state("asleep")["state"]) == "NotLoad"


def test_of_a_collection_that_is_partly_loaded_that_part_is_read(
    read: Callable[..., Collection], milvus: MilvusEngine
) -> None:
    bits = read("bits")
    with closing(client(milvus, DATABASE)) as kb:
        # Milvus calls it loaded, and counts what is.
        assert str(kb.get_load_state("bits")["state"]) == "Loaded"
        assert kb.query("bits", filter="", output_fields=["count(*)"])[0]["count(*)"] == 30
    assert (bits.count, bits.count_is_estimate) == (80, True)
    source = bits.provenance[0]
    assert (source.rows_scanned, source.rows_total, sum(source.values.values())) == (30, 80, 30)


def test_deleted_rows_are_not_counted_but_may_be_estimated(own: MilvusClient, milvus: MilvusEngine) -> None:
    own.create_collection("docs", dimension=2)
    own.insert("docs", [{"id": n, "vector": [1.0, float(n)], "source": "a"} for n in range(50)])
    own.flush("docs")
    own.delete("docs", filter="id < 20")
    own.query("docs", filter="", output_fields=["count(*)"], consistency_level="Strong")
    seen = {}
    for exact in (True, False):
        with closing(reader_of(milvus.url, database=own.own_database, exact_count=exact)) as reader:
            docs = reader.read((own.own_database, "docs"))
            seen[docs.count_is_estimate] = (docs.count, docs.provenance[0].values)
    assert seen == {False: (30, {"a": 30}), True: (50, {"a": 30})}


def test_released_between_asking_and_reading(own: MilvusClient, milvus_proxy: MilvusProxy) -> None:
    own.create_collection("docs", dimension=2)
    own.insert("docs", [{"id": 1, "vector": [1.0, 2.0], "source": "a"}])
    own.flush("docs")

    def release(method: str, request: bytes) -> bool:
        if method == "Query":
            own.release_collection("docs")
        return False

    milvus_proxy.fail("silence", when=release)
    with closing(reader_of(milvus_proxy.url)) as reader:
        docs = reader.read((own.own_database, "docs"))
    assert (docs.count, docs.count_is_estimate) == (1, True)
    assert docs.provenance[0].rows_scanned == 0


def test_without_provenance_fields_only_the_sample_is_asked_for(milvus_proxy: MilvusProxy) -> None:
    with closing(reader_of(milvus_proxy.url, provenance_fields=())) as reader:
        assert reader.read((DATABASE, "articles")).provenance == ()
        assert reader.read((DATABASE, "asleep")).provenance == ()
    # The count, and the sample.
    assert milvus_proxy.calls.count("Query") == 2
    assert not {"LoadCollection", "LoadPartitions", "Connect"} & set(milvus_proxy.calls)


def test_what_langchain_writes(read: Callable[..., Collection]) -> None:
    notes = read("notes")
    assert [(item.path, item.native_type) for item in notes.fields] == [
        ("page", "INT64"),
        ("pk", "INT64"),
        ("source", "VARCHAR(65535)"),
        ("text", "VARCHAR(65535)"),
    ]
    assert (notes.text_field, notes.count, notes.vectors[0].native_type) == ("text", 30, "vector(8)")
    assert counts(notes)["source"] == {f"/kb/{n}.md": 10 for n in range(3)}
    nested = read("nested")
    assert nested.text_field == "text"
    assert {item.path for item in nested.fields} == {
        "metadata", "metadata.page", "metadata.source", "pk", "text",
    }  # fmt: skip
    assert counts(nested)["metadata.source"] == {f"/kb/{n}.md": 10 for n in range(3)}


def test_what_llamaindex_writes(read: Callable[..., Collection]) -> None:
    llama = read("llama")
    assert {item.path: bool(item.description) for item in llama.fields} == {
        "_node_content": True,
        "_node_type": True,
        "doc_id": True,
        "document_id": True,
        "file_path": False,
        "id": False,
        "ref_doc_id": True,
        "text": False,
    }
    assert llama.text_field == "text"
    assert counts(llama) == {"file_path": {"/kb/1.md": 1, "/kb/2.md": 1}}


def test_the_oldest_pymilvus_reads_the_same(milvus: MilvusEngine) -> None:
    options = [milvus.url, ROOT, DATABASE]
    assert json.loads(run(OLDEST, "probe.py", *options)) == probe.everything(*options)


def test_deleted_between_listing_and_reading(own: MilvusClient, milvus: MilvusEngine) -> None:
    own.create_collection("scratch", dimension=2)
    own.create_collection("kept", dimension=2)
    name = (own.own_database, "scratch")
    with closing(reader_of(milvus.url, database=own.own_database)) as reader:
        assert name in list(reader.names())
        assert reader.read(name).count == 0
        own.drop_collection("scratch")
        with pytest.raises(VanishedError, match="scratch"):
            reader.read(name)
        # Its name may be an alias of another one by now.
        own.create_alias("kept", "scratch")
        with pytest.raises(VanishedError, match="scratch"):
            reader.read(name)


def test_a_database_that_is_not_there(milvus: MilvusEngine) -> None:
    with (
        closing(reader_of(milvus.url, database="nobodys")) as reader,
        pytest.raises(UnreachableError, match="Check the option `database`"),
    ):
        list(reader.names())


def test_an_answer_that_is_too_large_is_asked_for_in_smaller_parts(
    milvus: MilvusEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("datahub_llmops.vector_stores.milvus.client.MAX_BYTES", 4_000)
    with closing(MilvusGrpcClient(milvus.url, token=ROOT, retries=0)) as calls:
        rows = Rows(calls, DATABASE, "articles", key=("id", True), item="articles")
        pages = list(rows.pages(["tenant"], 300))
        assert [sum(map(len, pages)), len({row["id"] for page in pages for row in page})] == [300, 300]
        assert max(map(len, pages)) < 300
        monkeypatch.undo()


@pytest.mark.parametrize("token", [None, "root:wrong", "an-api-key", "root"])
def test_a_wrong_token_is_refused(milvus: MilvusEngine, token: str | None) -> None:
    with (
        closing(MilvusReader(MilvusGrpcClient(milvus.url, token=token))) as reader,
        pytest.raises(DeniedError, match=r"not allowed .*Check token"),
    ):
        list(reader.names())


def test_a_user_in_the_url_is_taken(milvus: MilvusEngine) -> None:
    url = milvus.url.replace("//", f"//{ROOT}@")
    with closing(MilvusReader(MilvusGrpcClient(url), database="archive")) as reader:
        assert list(reader.names()) == [("archive", "notes")]
        assert "root" not in str(reader.read(("archive", "notes")).containers)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("milvus:19530", "must begin with http"),
        ("./milvus.db", "must begin with http"),
        ("http://host:19530/kb", "Set the option `database`"),
        ("http://a:secret@host:19530", "Remove one of them"),
    ],
)
def test_an_address_that_cannot_be_used(url: str, message: str) -> None:
    with pytest.raises(UnreachableError, match=message) as caught:
        MilvusGrpcClient(url, token="t")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("http://host", "host:19530"),
        ("https://cluster.zillizcloud.com", "cluster.zillizcloud.com:443"),
        ("https://host:19540/", "host:19540"),
        ("http://[::1]:7", "[::1]:7"),
    ],
)
def test_the_port_is_milvus_own_where_none_is_named(url: str, server: str) -> None:
    with closing(MilvusGrpcClient(url)) as calls:
        assert calls.server == server


def test_a_certificate_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UnreachableError, match="ca_certificate_path cannot be read"):
        MilvusGrpcClient("https://host", authorities=tmp_path / "none.pem")


def test_an_answer_without_a_schema_is_no_collection() -> None:
    with (
        replayed("2.6", odd={"DescribeCollection": {"status": {}}}) as url,
        closing(reader_of(url)) as reader,
        pytest.raises(UnreadableError, match="has no schema"),
    ):
        reader.read(("default", "texts"))


def test_what_newer_servers_add() -> None:
    with replayed("2.6") as url, closing(reader_of(url)) as reader:
        texts = {vector.name: vector for vector in reader.read(("default", "texts")).vectors}
        assert texts["dense"].embedding_model == "openai/text-embedding-3-small"
        assert (texts["dense"].metric, texts["dense"].index_type) == ("COSINE", "AUTOINDEX")
        sparse = texts["sparse"]
        assert (sparse.sparse, sparse.dimension, sparse.metric, sparse.embedding_model) == (
            True,
            None,
            "BM25",
            None,
        )
        assert sparse.index_parameters == {
            "function": "BM25",
            "function_input": "document",
            "inverted_index_algo": "DAAT_MAXSCORE",
            "bm25_k1": "1.2",
            "bm25_b": "0.75",
        }
        found = reader.read(("default", "texts"))
        assert found.text_field == "document"
        assert found.properties["functions"] == "BM25(document) -> sparse, TextEmbedding(document) -> dense"
        # What a user wrote into the properties may be private.
        assert found.properties["property_keys"] == "owner"
        assert "planted" not in str(found)
        kinds = {vector.name: vector for vector in reader.read(("default", "kinds")).vectors}
        assert {name: vector.element_type for name, vector in kinds.items()} == {
            "half": "float16",
            "brain": "bfloat16",
            "small": "int8",
            "clips.shot": "float32",
        }
        assert (kinds["clips.shot"].multivector, kinds["clips.shot"].native_type) == (True, "multivector(16)")
        assert kinds["half"].quantization == "SQ"
        fields = {field.path: field for field in reader.read(("default", "kinds")).fields}
        assert fields["source"].nullable
        assert fields["clips"].native_type == "ARRAY<STRUCT>"
        # Inside of a struct array every field is an array, one value a struct.
        assert fields["clips.caption"].native_type == "ARRAY<VARCHAR(200)>(100)"


def _column(name: str, **scalars: Any) -> Any:
    return schema_pb2.FieldData(field_name=name, scalars=schema_pb2.ScalarField(**scalars))


def test_rows_without_a_value_whichever_way_they_are_packed() -> None:
    keys = _column("id", long_data=schema_pb2.LongArray(data=[1, 2, 3]))
    for data in (["a", "", "c"], ["a", "c"]):
        column = _column("source", string_data=schema_pb2.StringArray(data=data))
        column.valid_data.extend([True, False, True])
        answer = milvus_pb2.QueryResults(fields_data=[keys, column])
        found, rows = _parse_page(answer, "id")
        assert found == [1, 2, 3]
        assert [row["source"] for row in rows] == ["a", None, "c"]


@given(st.binary(max_size=20))
def test_json_that_is_none_is_no_value(written: bytes) -> None:
    column = _column("extra", json_data=schema_pb2.JSONArray(data=[written]))
    keys = _column("id", long_data=schema_pb2.LongArray(data=[1]))
    _, rows = _parse_page(milvus_pb2.QueryResults(fields_data=[keys, column]), "id")
    try:
        expected = json.loads(written)
    except ValueError:
        expected = None
    assert json.dumps(rows[0]["extra"]) == json.dumps(expected)


def test_what_the_server_does_not_say_is_absent() -> None:
    schema = schema_pb2.CollectionSchema(
        name="c",
        fields=[
            schema_pb2.FieldSchema(name="id", is_primary_key=True, data_type=5),
            schema_pb2.FieldSchema(name="v", data_type=101),
        ],
    )
    answer = milvus_pb2.DescribeCollectionResponse(schema=schema)
    bare = Description(info=MessageToDict(answer, preserving_proto_field_name=True))
    assert bare.vectors() == (Vector(name="v", element_type="float32"),)
    assert (bare.created, bare.aliases, bare.description()) == (None, (), None)
    assert bare.properties() == {"primary_key": "id"}
    empty = Description(info={})
    assert (empty.vectors(), empty.fields(()), empty.properties(), empty.name) == ((), (), {}, None)


KEYS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=12).filter(
    lambda key: "\0" not in key
)


@settings(max_examples=examples(10), derandomize=True)
@given(keys=st.sets(KEYS, min_size=3, max_size=12))
def test_a_scan_goes_on_behind_any_key(keys: set[str], scan_of_keys: Callable[[set[str]], list[str]]) -> None:
    assert sorted(scan_of_keys(keys)) == sorted(keys)


@pytest.fixture(scope="module")
def scan_of_keys(milvus: MilvusEngine) -> Iterator[Callable[[set[str]], list[str]]]:
    """Writes rows with these keys, and reads them in pages of one."""
    name = f"own_keys_{uuid.uuid4().hex[:8]}"
    with closing(client(milvus)) as first:
        first.create_database(name)
    with closing(client(milvus, name)) as opened, closing(MilvusGrpcClient(milvus.url, token=ROOT)) as calls:
        schema = opened.create_schema()
        schema.add_field("id", DataType.VARCHAR, is_primary=True, max_length=100)
        schema.add_field("v", DataType.FLOAT_VECTOR, dim=2)
        params = opened.prepare_index_params()
        params.add_index("v", index_type="FLAT", metric_type="L2")
        opened.create_collection("keys", schema=schema, index_params=params)

        def scan(keys: set[str]) -> list[str]:
            opened.delete("keys", filter='id >= ""')
            opened.insert("keys", [{"id": key, "v": [1.0, 2.0]} for key in keys])
            opened.query("keys", filter="", output_fields=["count(*)"], consistency_level="Strong")
            rows = Rows(calls, name, "keys", key=("id", True), item="keys")
            found: list[str] = []
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr("datahub_llmops.vector_stores.milvus.rows.ROWS_A_PAGE", 1)
                for page in rows.pages([], 100):
                    found += [row["id"] for row in page]
            return found

        yield scan
        opened.drop_collection("keys")
    with closing(client(milvus)) as last:
        last.drop_database(name)
