"""Five real stores, filled alike: rows of tables as chunks with the keys that the hooks stamp."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import chromadb
import lancedb
import numpy as np
import pyarrow as pa
from osmem_server import OsmemServer  # type: ignore[import-untyped]  # it has no types

from datahub_llmops.urns import Deployment
from vector_stores.pgvector.stores import Postgres
from vector_stores.qdrant.engine import QdrantEngine, served
from vector_stores.search.stores import create, insert

VECTOR: Final = [0.1, 0.2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """A chunk of a row; ``key`` is the row's."""

    number: int
    key: str
    text: str
    label: str

    @property
    def payload(self) -> dict[str, str]:
        return {"dh_source_key": self.key, "label": self.label}


Collections = Mapping[str, Sequence[Chunk]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """A store with collections, and the recipe of its source without the jobs."""

    type: str
    config: dict[str, Any]
    platform: str
    prefix: str = ""
    """What stands before the name of a collection in its dataset."""

    @property
    def deployment(self) -> Deployment:
        return Deployment(platform=self.platform)


def fill_chroma(folder: Path, collections: Collections) -> Filled:
    client = chromadb.PersistentClient(str(folder))
    for name, chunks in collections.items():
        client.create_collection(name).add(
            ids=[str(one.number) for one in chunks],
            embeddings=np.array([VECTOR] * len(chunks), dtype=np.float32),
            documents=[one.text for one in chunks],
            metadatas=[dict(one.payload) for one in chunks],
        )
    return Filled(
        type="llm-chroma", config={"path": str(folder)}, platform="chroma", prefix="default_database."
    )


def fill_lancedb(folder: Path, collections: Collections) -> Filled:
    db = lancedb.connect(folder)
    for name, chunks in collections.items():
        vectors = pa.FixedSizeListArray.from_arrays(pa.array(VECTOR * len(chunks), pa.float32()), 2)
        columns = {
            "vector": vectors,
            "text": [one.text for one in chunks],
            **{key: [one.payload[key] for one in chunks] for key in ("dh_source_key", "label")},
        }
        db.create_table(name, pa.table(columns))
    return Filled(type="llm-lancedb", config={"path": str(folder)}, platform="lancedb")


@contextmanager
def fill_qdrant(folder: Path, collections: Collections) -> Iterator[Filled]:
    engine = QdrantEngine(folder)
    for name, chunks in collections.items():
        engine.create(name, {"vectors": {"size": 2, "distance": "Cosine"}})
        engine.insert(
            name,
            [
                {"id": one.number, "vector": VECTOR, "payload": {"page_content": one.text, **one.payload}}
                for one in chunks
            ],
        )
    with served(engine) as stub:
        yield Filled(type="llm-qdrant", config={"url": stub.url}, platform="qdrant")
    engine.close()


def fill_pgvector(postgres: Postgres, collections: Collections) -> Filled:
    database = postgres.fresh()
    with postgres.connected(database) as connection:
        for name, chunks in collections.items():
            connection.execute(
                f'CREATE TABLE "{name}" (body text, embedding vector(2), dh_source_key text, label text)'
            )
            for one in chunks:
                connection.execute(
                    f'INSERT INTO "{name}" VALUES (%s, %s, %s, %s)',
                    (one.text, str(VECTOR), one.key, one.label),
                )
        connection.commit()
    config = {"connection": postgres.uri(database), "scan_pattern": {"allow": [".*"], "deny": []}}
    return Filled(type="llm-pgvector", config=config, platform="postgres", prefix=f"{database}.public.")


@contextmanager
def fill_opensearch(collections: Collections) -> Iterator[Filled]:
    mappings = {
        "properties": {
            "vector_field": {"type": "knn_vector", "dimension": 2},
            "text": {"type": "text"},
            "dh_source_key": {"type": "keyword"},
            "label": {"type": "keyword"},
        }
    }
    with OsmemServer.start() as server:
        for name, chunks in collections.items():
            create(server.url, name, mappings)
            insert(
                server.url,
                name,
                [{"vector_field": VECTOR, "text": one.text, **one.payload} for one in chunks],
            )
        yield Filled(type="llm-opensearch", config={"url": server.url}, platform="elasticsearch")


@contextmanager
def five_stores(
    folder: Path, postgres: Postgres, collections: Callable[[str], Collections]
) -> Iterator[dict[str, Filled]]:
    """Fill each store with ``collections`` of its own name."""
    with ExitStack() as stack:
        yield {
            "chroma": fill_chroma(folder / "chroma", collections("chroma")),
            "lancedb": fill_lancedb(folder / "lancedb", collections("lancedb")),
            "qdrant": stack.enter_context(fill_qdrant(folder / "qdrant", collections("qdrant"))),
            "pgvector": fill_pgvector(postgres, collections("pgvector")),
            "opensearch": stack.enter_context(fill_opensearch(collections("opensearch"))),
        }
