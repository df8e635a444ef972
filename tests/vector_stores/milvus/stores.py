"""A populated Milvus server for tests: collections by pymilvus, by LangChain and by LlamaIndex."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import Any

from pymilvus import DataType, MilvusClient

from vector_stores.milvus.engine import OLDEST, ROOT, SERVER, MilvusEngine, run

PLANTED = "planted-payload-c0ffee"
"""In every text, every metadata value and every provenance value: it must turn up nowhere."""

DATABASE = "kb"
OTHER = "archive"
COLLECTIONS = {
    "archive.notes",
    "kb.articles",
    "kb.asleep",
    "kb.bare",
    "kb.bits",
    "kb.llama",
    "kb.nested",
    "kb.notes",
}
ARTICLES = 2_050
"""Rows of ``articles``: three pages of a scan."""


def client(engine: MilvusEngine, database: str = "default") -> MilvusClient:
    return MilvusClient(engine.url, token=ROOT, db_name=database)


def fill(engine: MilvusEngine) -> None:
    """Collections of every kind that the tests ask about, in two databases."""
    with closing(client(engine)) as first:
        first.create_database(DATABASE)
        first.create_database(OTHER)
    # Two of three spend their time with importing.
    with ThreadPoolExecutor() as pool:
        arguments = (engine.url, ROOT, DATABASE, PLANTED)
        written: list[Future[Any]] = [
            pool.submit(run, SERVER, "write_langchain.py", *arguments),
            pool.submit(run, OLDEST, "write_llama.py", *arguments),
            pool.submit(_by_hand, engine),
        ]
        for one in written:
            one.result()


def _by_hand(engine: MilvusEngine) -> None:
    with closing(client(engine, OTHER)) as other:
        other.create_collection("notes", dimension=2)
    with closing(client(engine, DATABASE)) as kb:
        _articles(kb)
        _bits(kb)
        _asleep(kb)
        schema = _schema(kb, key=DataType.INT64)
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=2)
        kb.create_collection("bare", schema=schema)


def fill_small(engine: MilvusEngine) -> None:
    """Two collections, for a server that does not live long."""
    with closing(client(engine)) as first:
        for name in ("docs", "other"):
            first.create_collection(name, dimension=2)


def _schema(kb: MilvusClient, *, key: DataType, **options: Any) -> Any:
    schema = kb.create_schema(auto_id=key == DataType.INT64, **options)
    schema.add_field("id", key, is_primary=True, max_length=64)
    return schema


def _index(kb: MilvusClient, field: str, **index: Any) -> Any:
    params = kb.prepare_index_params()
    params.add_index(field, **index)
    return params


def _articles(kb: MilvusClient) -> None:
    """Keys that have to be quoted, a partition key, JSON, arrays, dynamic fields, aliases, a scalar index."""
    schema = _schema(kb, key=DataType.VARCHAR, enable_dynamic_field=True, description="Release notes")
    schema.add_field("tenant", DataType.VARCHAR, max_length=32, is_partition_key=True, description="Customer")
    schema.add_field("page", DataType.INT32)
    schema.add_field("uri", DataType.ARRAY, element_type=DataType.VARCHAR, max_capacity=4, max_length=90)
    schema.add_field("extra", DataType.JSON)
    schema.add_field("score", DataType.DOUBLE)
    schema.add_field("dense", DataType.FLOAT_VECTOR, dim=4)
    params = _index(
        kb, "dense", index_type="HNSW", metric_type="COSINE", params={"M": 24, "efConstruction": 120}
    )
    params.add_index("page", index_type="STL_SORT")
    kb.create_collection(
        "articles", schema=schema, index_params=params, properties={"collection.ttl.seconds": 864_000}
    )
    kb.insert(
        "articles",
        [
            {
                "id": f"k\"{n}\\'é",
                "tenant": f"{PLANTED}-{n % 3}",
                "page": n % 5,
                "uri": [f"s3://bucket/{n % 2}", "s3://bucket/all"],
                "extra": {"source": f"/kb/{n % 4}.md", "deep": {"lang": PLANTED}},
                "score": 0.5,
                "dense": [1.0, 2.0, 3.0, float(n)],
                "source": f"kb:{PLANTED}:{n % 4}",
                "path": n % 2,
                "odd key": PLANTED,
            }
            for n in range(ARTICLES)
        ],
    )
    for alias in ("current", "a_stable"):
        kb.create_alias("articles", alias)
    kb.query("articles", filter="", output_fields=["count(*)"], consistency_level="Strong")


def _bits(kb: MilvusClient) -> None:
    """Binary vectors in partitions of which one is loaded; some rows deleted."""
    schema = _schema(kb, key=DataType.INT64)
    schema.add_field("source", DataType.VARCHAR, max_length=64)
    schema.add_field("flags", DataType.BINARY_VECTOR, dim=16)
    kb.create_collection("bits", schema=schema)
    for partition, rows in (("eu", 30), ("us", 50)):
        kb.create_partition("bits", partition)
        kb.insert(
            "bits",
            [{"source": f"s3://b/{n % 3}", "flags": b"ab"} for n in range(rows)],
            partition_name=partition,
        )
    kb.flush("bits")
    kb.create_index(
        "bits", _index(kb, "flags", index_type="BIN_IVF_FLAT", metric_type="JACCARD", params={"nlist": 8})
    )
    kb.load_partitions("bits", ["eu"])
    kb.query("bits", filter="", output_fields=["count(*)"], consistency_level="Strong")


def _asleep(kb: MilvusClient) -> None:
    """With an index that quantizes, and not loaded."""
    schema = _schema(kb, key=DataType.INT64, enable_dynamic_field=True)
    schema.add_field("source", DataType.VARCHAR, max_length=64)
    schema.add_field("embedding", DataType.FLOAT_VECTOR, dim=8)
    params = _index(kb, "embedding", index_type="IVF_SQ8", metric_type="IP", params={"nlist": 16})
    kb.create_collection("asleep", schema=schema, index_params=params)
    kb.insert(
        "asleep",
        [{"source": f"s3://b/{n % 3}", "embedding": [float(n)] * 8, "hidden": PLANTED} for n in range(40)],
    )
    kb.flush("asleep")
    kb.release_collection("asleep")
