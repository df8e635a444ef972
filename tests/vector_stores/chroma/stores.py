"""A populated Chroma store and a real Chroma server, for tests."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import chromadb
import urllib3
from chromadb.api.types import EmbeddingFunction, Embeddings
from chromadb.config import Settings
from langchain_chroma import Chroma
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding
from typing_extensions import override

PLANTED = "planted-payload-c0ffee"
"""In every text, every metadata value and every provenance value: it must turn up nowhere."""

ODD_DATABASE = """o'b/r.i,en (é) "x" %2F?#"""


class HouseEmbedding(EmbeddingFunction[Any]):
    """A user's own embedding function, with the model's name where Chroma records it."""

    def __init__(self) -> None:
        pass

    @override
    def __call__(self, input: Any) -> Embeddings:
        import numpy

        return [numpy.ones(4, dtype=numpy.float32) for _ in input]

    @staticmethod
    @override
    def name() -> str:
        return "house"

    @override
    def get_config(self) -> dict[str, Any]:
        return {"model_name": "acme/encoder-2", "api_key_env_var": "HOUSE_KEY"}

    @staticmethod
    @override
    def build_from_config(config: dict[str, Any]) -> EmbeddingFunction[Any]:
        return HouseEmbedding()


def fill(folder: Path) -> None:
    """Collections of every kind that the tests ask about, in two databases."""
    settings = Settings(is_persistent=True, persist_directory=str(folder), anonymized_telemetry=False)
    client: Any = chromadb.PersistentClient(str(folder), settings=settings)
    mixed = client.create_collection(
        "mixed",
        metadata={"hnsw:space": "cosine", "hnsw:M": 33, "description": "Release notes", "owner": PLANTED},
    )
    mixed.add(
        ids=[f"m{n}" for n in range(40)],
        embeddings=[[float(n), 1.0, 2.0] for n in range(40)],
        documents=[f"{PLANTED} {n}" for n in range(40)],
        uris=[f"s3://bucket/{n % 2}" for n in range(40)],
        metadatas=[
            {
                "source": f"kb:{PLANTED}:{n % 4}",
                "page": n,
                "score": 0.5,
                "ready": True,
                "tags": ["a", PLANTED],
                "either": n if n % 2 else float(n),
                "any": n if n % 2 else PLANTED,
            }
            for n in range(40)
        ],
    )
    client.create_collection("empty", configuration={"hnsw": {"space": "ip", "max_neighbors": 24}})
    house = client.create_collection("house", embedding_function=HouseEmbedding())
    house.add(ids=["1"], documents=[PLANTED])
    shadows = client.create_collection("shadows", embedding_function=None)
    shadows.add(ids=["1"], embeddings=[[1.0, 2.0]], metadatas=[{"document": PLANTED, "embedding": 1}])
    llama = client.create_collection("llama", embedding_function=None)
    llama.add(
        ids=["1", "2"],
        embeddings=[[1.0, 2.0], [2.0, 1.0]],
        documents=[PLANTED, PLANTED],
        metadatas=[
            {
                "_node_content": f'{{"text": "{PLANTED}"}}',
                "_node_type": "TextNode",
                "ref_doc_id": f"d{n}",
                "file_path": f"/kb/{n}.md",
            }
            for n in (1, 2)
        ],
    )
    fill_with_langchain(client)
    admin = chromadb.AdminClient(settings)
    admin.create_database(ODD_DATABASE)
    odd = chromadb.PersistentClient(str(folder), settings=settings, database=ODD_DATABASE)
    odd.create_collection("odd.one-1_2", embedding_function=None)


def fill_with_langchain(client: Any) -> None:
    store = Chroma("notes", DeterministicFakeEmbedding(size=8), client=client)
    store.add_documents(
        [
            Document(page_content=f"{PLANTED} {n}", metadata={"source": f"/kb/{n % 3}.md", "page": n})
            for n in range(30)
        ]
    )


def copy_of(folder: Path, to: Path) -> Path:
    """The folder as it is now, with its times."""
    return Path(shutil.copytree(folder, to))


class ChromaServer:
    """`chroma run` on a folder, until closed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        command = Path(sys.executable).with_name("chroma")
        self._process = subprocess.Popen(
            [str(command), "run", "--path", str(folder), "--host", "127.0.0.1", "--port", str(self.port)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._await()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def client(self) -> Any:
        """Chroma's own client, to change what is served."""
        return chromadb.HttpClient("127.0.0.1", self.port, settings=Settings(anonymized_telemetry=False))

    def close(self) -> None:
        """May be called twice."""
        self._process.terminate()
        self._process.wait(timeout=20)

    def _await(self) -> None:
        pool = urllib3.PoolManager(retries=False, timeout=2.0)
        until(lambda: _answers(pool, f"{self.url}/api/v2/heartbeat"))


def until(condition: Callable[[], bool]) -> None:
    """Wait for it; the suite's own time limit is the bound."""
    while not condition():
        time.sleep(0.05)


def _answers(pool: urllib3.PoolManager, url: str) -> bool:
    try:
        return pool.request("GET", url).status == 200
    except urllib3.exceptions.HTTPError:
        return False
