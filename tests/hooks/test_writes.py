"""Which job wrote which chunks of which source into which index: real stores, sync and async."""

from __future__ import annotations

import asyncio
import inspect
from pathlib import Path
from typing import Any
from unittest.mock import create_autospec

import pytest
from langchain_chroma import Chroma
from langchain_community.vectorstores import FAISS, LanceDB
from langchain_core.documents import Document
from langchain_core.indexing import InMemoryRecordManager, index
from langchain_core.vectorstores import InMemoryVectorStore, VectorStore
from typing_extensions import override

import datahub_llmops.hooks as lineage
from datahub_llmops.answer_store import digests
from datahub_llmops.answer_store.database import Store
from datahub_llmops.hooks import stamping, store_identity
from hooks.parts import DOCUMENTS, NamedEmbedding
from hooks.seen import Host

pytestmark = pytest.mark.filterwarnings("ignore:.*langchain-community.*:DeprecationWarning")
TABLE = "urn:li:dataset:(urn:li:dataPlatform:postgres,shop.public.articles,PROD)"
SOURCES = [({"key": "source", "value": f"s3://papers/{number}.pdf"}, 1) for number in range(4)]


def empty(kind: str, folder: Path) -> VectorStore:
    """A store of each kind that the tests have."""
    embedding = NamedEmbedding(size=8)
    if kind == "chroma":
        return Chroma("docs", embedding, persist_directory=str(folder / "chroma"))
    if kind == "memory":
        return InMemoryVectorStore(embedding)
    if kind == "faiss":
        store = FAISS.from_texts(["first"], embedding)
        store.delete(list(store.index_to_docstore_id.values()))
        return store
    return LanceDB(uri=str(folder / "lance"), embedding=embedding, table_name="papers")


KINDS = ["chroma", "memory", "faiss", "lancedb"]


@pytest.mark.parametrize("kind", KINDS)
class TestEveryStore:
    @pytest.fixture
    def store(self, kind: str, tmp_path: Path) -> VectorStore:
        return empty(kind, tmp_path)

    @pytest.mark.parametrize("how", ["add_documents", "aadd_documents", "add_texts", "aadd_texts"])
    def test_adding_is_one_write(self, store: VectorStore, host: Host, how: str) -> None:
        texts = [one.page_content for one in DOCUMENTS]
        metadatas = [one.metadata for one in DOCUMENTS]
        method = getattr(store, how)
        ids = [str(one.id) for one in DOCUMENTS]
        done = method(DOCUMENTS, ids=ids) if how.endswith("documents") else method(texts, metadatas, ids=ids)
        written = asyncio.run(done) if inspect.iscoroutine(done) else done
        [found] = host.writes()
        assert found.counts == {"added": 4}
        assert sorted(found.sources, key=str) == sorted(SOURCES, key=str)
        assert found.embedding == {"class": "hooks.NamedEmbedding", "model": "text-embedding-3-small"}
        assert found.index == store_identity.identify_store(store)
        self.assert_chunks(host, found.index_number, written, found.run)

    def assert_chunks(self, host: Host, index_number: int, ids: list[str], run: str) -> None:
        store = Store.read(host.path)
        secret = digests.key(str(host.path))
        assert secret is not None
        for one in ids:
            writer = store.writer_of(index_number, digests.chunk_key(secret, one))
            assert writer is not None
            assert writer.run == run
        store.close()

    def test_deleting(self, store: VectorStore, host: Host, kind: str) -> None:
        ids = store.add_documents(DOCUMENTS, ids=[str(one.id) for one in DOCUMENTS])
        if kind == "lancedb":
            store.delete(ids=ids[:2])
        else:
            asyncio.run(store.adelete(ids[:2]))
        [found] = host.writes()
        assert found.counts == {"added": 4, "deleted": 2}
        opened = Store.read(host.path)
        secret = digests.key(str(host.path)) or b""
        gone = [opened.writer_of(found.index_number, digests.chunk_key(secret, one)) is None for one in ids]
        opened.close()
        assert gone == [True, True, False, False]


@pytest.mark.parametrize("how", ["from_documents", "from_texts", "afrom_documents", "afrom_texts"])
@pytest.mark.parametrize("kind", ["chroma", "memory", "faiss"])
def test_constructors_are_one_write(host: Host, tmp_path: Path, kind: str, how: str) -> None:
    options: dict[str, Any] = {}
    made: Any = {"chroma": Chroma, "memory": InMemoryVectorStore, "faiss": FAISS}[kind]
    if kind == "chroma":
        options = {"collection_name": "docs", "persist_directory": str(tmp_path / "chroma")}
    embedding = NamedEmbedding(size=8)
    if how.endswith("documents"):
        done = getattr(made, how)(DOCUMENTS, embedding, **options)
    else:
        texts = [one.page_content for one in DOCUMENTS]
        done = getattr(made, how)(texts, embedding, [one.metadata for one in DOCUMENTS], **options)
    store = asyncio.run(done) if inspect.iscoroutine(done) else done
    [found] = host.writes()
    assert found.counts == {"added": 4}
    assert sorted(found.sources, key=str) == sorted(SOURCES, key=str)
    assert found.index == store_identity.identify_store(store)


def test_embeddings_made_elsewhere(host: Host) -> None:
    store = FAISS.from_embeddings([("a", [0.1] * 8), ("b", [0.2] * 8)], NamedEmbedding(size=8))
    store.add_embeddings([("c", [0.3] * 8)], metadatas=[{"source": "c.pdf"}])
    [found] = host.writes()
    assert found.counts == {"added": 3}


def test_a_store_class_of_the_users_own_derived_later(host: Host) -> None:
    class Own(InMemoryVectorStore):
        @override
        def add_documents(self, documents: list[Document], ids: Any = None, **kwargs: Any) -> list[str]:
            return super().add_documents(documents, ids, **kwargs)

    store = Own(NamedEmbedding(size=8))
    lineage.register_extractor(
        Own, lambda _: {"platform": "own", "host": "h:1", "collection": "c", "secret": 3}
    )
    store.add_documents(DOCUMENTS)
    [found] = host.writes()
    assert found.counts == {"added": 4}
    assert {key: found.index[key] for key in ("platform", "host", "collection")} == {
        "platform": "own",
        "host": "h:1",
        "collection": "c",
    }


def test_a_failed_write_is_counted_as_failed_and_raises(host: Host) -> None:
    class Broken(NamedEmbedding):
        @override
        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            raise ConnectionError("planted")

    with pytest.raises(ConnectionError):
        InMemoryVectorStore(Broken(size=8)).add_documents(DOCUMENTS)
    [found] = host.writes()
    assert (found.counts, found.error) == ({"failed": 4}, "ConnectionError")


def test_wrapped_methods_keep_signature_and_autospec(host: Host) -> None:
    assert "documents" in inspect.signature(InMemoryVectorStore.add_documents).parameters
    assert inspect.iscoroutinefunction(InMemoryVectorStore.aadd_documents)
    mock = create_autospec(InMemoryVectorStore, instance=True)
    with pytest.raises(TypeError):
        mock.add_documents()


class TestIndexing:
    @pytest.mark.parametrize("kind", ["chroma", "memory"])
    @pytest.mark.parametrize("stamp", [False, True])
    def test_a_second_run_skips_everything(self, host: Host, tmp_path: Path, kind: str, stamp: bool) -> None:
        store = empty(kind, tmp_path)
        manager = InMemoryRecordManager(namespace="docs")
        manager.create_schema()

        def run() -> Any:
            return lineage.index(
                DOCUMENTS,
                manager,
                store,
                cleanup="full",
                key_encoder="sha256",
                stamp=stamp,
                source=TABLE,
                key_field="page",
                text_fields=("title", "body"),
                job_name="nightly",
            )

        assert run()["num_added"] == 4
        second = run()
        assert (second["num_added"], second["num_skipped"], second["num_deleted"]) == (0, 4, 0)
        first_run, second_run = host.writes()
        assert (first_run.job, first_run.facts["namespace"]) == ("nightly", "docs")
        assert first_run.counts["added"] == 4
        assert second_run.counts["skipped"] == 4
        assert first_run.sources == (({"urn": TABLE, "fields": "title,body"}, 4),)

    def test_stamps_reach_the_store_and_not_the_application(self, host: Host, tmp_path: Path) -> None:
        store = empty("chroma", tmp_path)
        manager = InMemoryRecordManager(namespace="docs")
        lineage.index(
            DOCUMENTS, manager, store, key_encoder="sha256", stamp=True, source=TABLE, key_field="page"
        )
        assert not any(key.startswith("dh_") for one in DOCUMENTS for key in one.metadata)
        [found] = host.writes()
        kept = store.get()  # type: ignore[attr-defined]  # of Chroma
        for metadata in kept["metadatas"]:
            assert metadata["dh_source_urn"] == TABLE
            assert metadata["dh_embed_run"] == found.run
            assert metadata["dh_source_key"].startswith("hmac:")
            assert set(metadata) <= {"source", "page", *stamping.KEYS}

    def test_keys_in_clear_where_asked(self, host: Host, tmp_path: Path) -> None:
        lineage.attach("support-bot", store=host.path, source_keys="clear")
        store = empty("chroma", tmp_path)
        with lineage.job("nightly", source=TABLE, key_field="page", stamp=True):
            store.add_documents(DOCUMENTS)
        store.as_retriever(search_kwargs={"k": 1}).invoke("q")
        [chunk] = host.answer().retrievals[0].chunks
        assert chunk.key == (chunk.id or "").removeprefix("chunk-")
        assert chunk.source == {"urn": TABLE}
        assert chunk.run == host.writes()[0].run

    def test_a_store_with_a_fixed_schema_is_never_stamped(self, host: Host, tmp_path: Path) -> None:
        store = empty("lancedb", tmp_path)
        store.add_documents(DOCUMENTS)
        with lineage.job("nightly", source=TABLE, stamp=True):
            store.add_documents(DOCUMENTS)
        assert any("LanceDB" in line for line in host.handle.stats()["degraded"])
        assert host.writes()[1].counts == {"added": 4}

    def test_frameworks_own_index_is_seen_at_the_store(self, host: Host, tmp_path: Path) -> None:
        store = empty("memory", tmp_path)
        manager = InMemoryRecordManager(namespace="docs")
        index(DOCUMENTS, manager, store, cleanup="full", key_encoder="sha256")
        index(DOCUMENTS[:2], manager, store, cleanup="full", key_encoder="sha256")
        [found] = host.writes()
        assert found.counts == {"added": 4, "deleted": 2}

    def test_asynchronous(self, host: Host, tmp_path: Path) -> None:
        store = empty("memory", tmp_path)
        manager = InMemoryRecordManager(namespace="docs")
        done = asyncio.run(lineage.aindex(DOCUMENTS, manager, store, key_encoder="sha256", source=TABLE))
        assert done["num_added"] == 4
        [found] = host.writes()
        assert found.counts["added"] == 4

    def test_airflow_names_the_flow(self, host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AIRFLOW_CTX_DAG_ID", "papers")
        with lineage.job("embed"):
            InMemoryVectorStore(NamedEmbedding(size=8)).add_documents(DOCUMENTS)
        [found] = host.writes()
        assert (found.orchestrator, found.flow, found.job) == ("airflow", "papers", "embed")
