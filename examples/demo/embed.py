"""The demo's embedding job: rows of the warehouse, cut into chunks, embedded, kept in a Chroma collection.

It is an ordinary job that knows nothing of DataHub; recipes/chroma.dhub.yaml declares what it does. Its
embedding stands in for your own model: it hashes words, needs no key, network or download, and gives the same
vectors everywhere. It finds texts that share words, not texts that share a meaning.

    python examples/demo/embed.py demo/warehouse.db demo/chroma
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import sqlite3
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from zlib import crc32

import chromadb
from chromadb.config import Settings
from langchain_core.embeddings import Embeddings
from langchain_text_splitters import RecursiveCharacterTextSplitter
from typing_extensions import override

COLLECTION = "docs"
DIMENSIONS = 256
BATCH = 1000
QUERY = Path(__file__).with_name("embed.sql")


class HashingEmbeddings(Embeddings):
    """Stands in for the user's model: counts words in ``DIMENSIONS`` buckets, signed, at unit length."""

    @override
    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [self.embed_query(text) for text in texts]

    @override
    def embed_query(self, text: str) -> list[float]:
        vector = [0.0] * DIMENSIONS
        for word in re.findall(r"\w+", text.lower()):
            code = crc32(word.encode())
            vector[code % DIMENSIONS] += 1.0 if code & 0x80000000 else -1.0
        length = math.sqrt(sum(value * value for value in vector)) or 1.0
        return [value / length for value in vector]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """One piece of text as it goes into the index, with where it came from."""

    text: str
    metadata: dict[str, str]

    @property
    def id(self) -> str:
        """Of the content, so that a second run finds what is there already."""
        content = json.dumps([self.text, self.metadata], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:32]


def chunks(warehouse: Path) -> Iterator[Chunk]:
    """What the query gives, cut into pieces of at most 512 characters that overlap by up to 64."""
    splitter = RecursiveCharacterTextSplitter(chunk_size=512, chunk_overlap=64)
    database = sqlite3.connect(f"file:{warehouse}?mode=ro", uri=True)
    try:
        for _, name, doc, module, maintainer in database.execute(QUERY.read_text()):
            metadata = {
                "name": name,
                "module": module,
                "maintainer": maintainer,
                "source": "sqlite:///main.entry_docs",
            }
            for text in splitter.split_text(doc):
                yield Chunk(text=text, metadata=metadata)
    finally:
        database.close()


def synchronise(collection: chromadb.Collection, wanted: Mapping[str, Chunk]) -> tuple[int, int]:
    """Make the collection hold exactly these chunks; how many were added and removed."""
    present = set(collection.get(include=[])["ids"])
    gone = sorted(present - wanted.keys())
    for start in range(0, len(gone), BATCH):
        collection.delete(ids=gone[start : start + BATCH])
    model = HashingEmbeddings()
    missing = iter([(key, chunk) for key, chunk in wanted.items() if key not in present])
    added = 0
    while batch := list(islice(missing, BATCH)):
        texts = [chunk.text for _, chunk in batch]
        vectors: list[Sequence[float] | Sequence[int]] = [*model.embed_documents(texts)]
        collection.add(
            ids=[key for key, _ in batch],
            documents=texts,
            embeddings=vectors,
            metadatas=[chunk.metadata for _, chunk in batch],
        )
        added += len(batch)
        print(f"  embedded {added:,} chunks", flush=True)
    return added, len(gone)


def main() -> None:
    if len(sys.argv) != 3:
        sys.exit("usage: python examples/demo/embed.py DATABASE CHROMA_FOLDER")
    wanted = {chunk.id: chunk for chunk in chunks(Path(sys.argv[1]))}
    client = chromadb.PersistentClient(sys.argv[2], settings=Settings(anonymized_telemetry=False))
    collection = client.get_or_create_collection(
        COLLECTION, configuration={"hnsw": {"space": "cosine"}}, embedding_function=None
    )
    added, removed = synchronise(collection, wanted)
    changes = f"{added:,} added, {removed:,} removed" if added or removed else "unchanged"
    print(f"{sys.argv[2]}: collection {COLLECTION}, {collection.count():,} chunks ({changes})")


if __name__ == "__main__":
    main()
