"""A populated LanceDB folder for tests: tables by hand, by LangChain and by LlamaIndex, by their own packages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lancedb
import numpy
import pyarrow as pa
from lancedb.embeddings import EmbeddingFunctionConfig, TextEmbeddingFunction, register
from lancedb.index import Bitmap, HnswSq, IvfPq
from lancedb.pydantic import LanceModel, Vector
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_lancedb import LanceDB  # type: ignore[import-untyped]  # ships no types
from llama_index.core.schema import NodeRelationship, RelatedNodeInfo, TextNode
from llama_index.vector_stores.lancedb import LanceDBVectorStore
from typing_extensions import override

PLANTED = "planted-payload-c0ffee"
"""In every text, every metadata value and every provenance value: it must turn up nowhere."""

TABLES = {"articles", "bare", "empty", "house", "llama", "notes", "odd.one-1_2", "team.kb.inner", "team.top"}


@register("house")  # type: ignore[no-untyped-call]  # ships few types
class HouseEmbedding(TextEmbeddingFunction):
    """A user's own embedding function; the arguments that it was made with are recorded, a key among them."""

    name: str = "acme/encoder-2"
    api_key: str = "none"

    @override
    def ndims(self) -> int:
        return 4

    @override
    def generate_embeddings(self, texts: Any, *args: Any, **kwargs: Any) -> Any:
        return [numpy.ones(4) for _ in texts]


class HouseRow(LanceModel):
    body: str
    vector: Vector(4)  # type: ignore[valid-type]  # LanceDB's own way to declare a vector
    source: str


def fill(folder: Path) -> Path:
    """Tables of every kind that the tests ask about, and two namespaces."""
    db = lancedb.connect(folder)
    _articles(db)
    db.create_table("bare", pa.table({"vector": vectors(3, 2), "source": ["a", "b", None]}))
    schema = pa.schema([("id", pa.int64()), ("vector", pa.list_(pa.float32(), 8))])
    db.create_table("empty", schema=schema)
    db.create_table("odd.one-1_2", pa.table({"vector": vectors(1, 2)}))
    _house(db)
    fill_with_langchain(folder)
    fill_with_llamaindex(folder)
    db.create_namespace(["team"])
    db.create_namespace(["team", "kb"])
    small = pa.table({"vector": vectors(2, 2), "source": ["s3://b/1", "s3://b/2"]})
    db.create_table("top", small, namespace_path=["team"])
    db.create_table("inner", small, namespace_path=["team", "kb"])
    return folder


def vectors(rows: int, size: int, kind: str = "float32") -> Any:
    """A column of vectors, the same ones each time."""
    values = numpy.random.default_rng(1).random(rows * size).astype(kind)
    return pa.FixedSizeListArray.from_arrays(pa.array(values), size)


def _articles(db: Any) -> None:
    rows = 512
    columns = {
        "id": pa.array(range(rows), pa.int64()),
        "dense": vectors(rows, 16),
        "half": vectors(rows, 8, "float16"),
        "late": pa.array([[[1.0, 2.0], [3.0, 4.0]]] * rows, pa.list_(pa.list_(pa.float32(), 2))),
        "box": pa.array([[1, 2, 3, 4]] * rows, pa.list_(pa.int32(), 4)),
        "source": [f"kb:{PLANTED}:{n % 4}" for n in range(rows)],
        "uri": [[f"s3://bucket/{n % 2}", "s3://bucket/all"] for n in range(rows)],
        "table": pa.array([n % 3 for n in range(rows)], pa.int32()),
        "kind": pa.array([PLANTED] * rows).dictionary_encode(),
        "metadata": [
            {"file_path": f"/kb/{n % 5}.md", "page": n, "seen": None, "it's": f"x{n % 2}"}
            for n in range(rows)
        ],
        "seen": pa.array([0] * rows, pa.timestamp("us", "UTC")),
        "raw": [PLANTED.encode()] * rows,
        "ready": [True] * rows,
        "score": [0.5] * rows,
    }
    table = pa.table(columns)
    fields = [
        field.with_nullable(False).with_metadata({"description": "The row's number"})
        if field.name == "id"
        else field
        for field in table.schema
    ]
    metadata = {"description": "Release notes", "owner": PLANTED}
    made = db.create_table("articles", table.cast(pa.schema(fields, metadata=metadata)))
    made.create_index("dense", config=HnswSq(distance_type="cosine", m=24, ef_construction=150))
    made.create_index("half", config=IvfPq(distance_type="dot", num_partitions=1, num_sub_vectors=4))
    made.create_index("source", config=Bitmap())
    made.tags.create("prod", 1)


def _house(db: Any) -> None:
    chosen = {"name": "acme/encoder-3", "api_key": PLANTED}
    function = HouseEmbedding.create(**chosen)  # type: ignore[no-untyped-call]  # ships few types
    declared = EmbeddingFunctionConfig(source_column="body", vector_column="vector", function=function)
    house = db.create_table("house", schema=HouseRow, embedding_functions=[declared])
    house.add([{"body": PLANTED, "source": "s3://b/1"}])


def fill_with_langchain(folder: Path) -> None:
    """Through its own package."""
    store = LanceDB(embedding_function=DeterministicFakeEmbedding(size=8), uri=folder, table_name="notes")
    store.add_texts(
        [f"{PLANTED} {n}" for n in range(30)],
        metadatas=[{"source": f"/kb/{n % 3}.md", "page": n, "owner": PLANTED} for n in range(30)],
    )


def fill_with_llamaindex(folder: Path) -> None:
    """Through its own package."""
    nodes: list[Any] = [
        TextNode(
            text=f"{PLANTED} {n}",
            metadata={"file_path": f"/kb/{n}.md"},
            embedding=[1.0, 2.0, float(n)],
            relationships={NodeRelationship.SOURCE: RelatedNodeInfo(node_id=f"doc-{n}")},
        )
        for n in (1, 2)
    ]
    LanceDBVectorStore(uri=str(folder), table_name="llama").add(nodes)
