"""What the two readers say of real stores, written by Chroma's own client and by LangChain."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typing_extensions import override

from datahub_llmops.assets.collections import (
    Collection,
    Container,
    Name,
    PayloadField,
    ProvenanceCount,
    Vector,
)
from datahub_llmops.errors import AccessError, UnreadableError, VanishedError
from datahub_llmops.ingestion.reader import Reader
from datahub_llmops.net.http import HttpClient
from datahub_llmops.net.paging import Client, Pages
from datahub_llmops.testing import KnownIds, OpenReader, StoreContract
from datahub_llmops.vector_stores.chroma import rest_reader as rest_reader_module
from datahub_llmops.vector_stores.chroma.file_reader import ChromaFileReader
from datahub_llmops.vector_stores.chroma.rest_reader import ChromaRestReader, absent
from datahub_llmops.vector_stores.chroma.source import ChromaSource
from support import paths
from support.stub import Call, Reply, Stub, answer_json, forward
from vector_stores.chroma.stores import ODD_DATABASE, PLANTED, ChromaServer

TENANT = "default_tenant"
FIELDS = ("source", "tags", "uri", "file_path", "page")
DEFAULT = "default_database"

WIRE = paths.WIRE / "chroma"

NAMES: list[Name] = [
    (DEFAULT, "empty"),
    (DEFAULT, "house"),
    (DEFAULT, "llama"),
    (DEFAULT, "mixed"),
    (DEFAULT, "notes"),
    (DEFAULT, "shadows"),
    (ODD_DATABASE, "odd.one-1_2"),
]


def file_reader(folder: Path, **options: Any) -> ChromaFileReader:
    return ChromaFileReader(folder, tenant=TENANT, **{"provenance_fields": FIELDS, **options})


def rest_reader(url: str, *, tenant: str = TENANT, **options: Any) -> ChromaRestReader:
    client = HttpClient(system="Chroma", base_url=url, absent=absent, backoff=0.01, timeout=10.0)
    return ChromaRestReader(client, tenant=tenant, **{"provenance_fields": FIELDS, **options})


@pytest.fixture(params=["path", "url"])
def open_either(
    request: pytest.FixtureRequest, chroma_written: Path, chroma_server: ChromaServer
) -> OpenReader:
    if request.param == "path":
        return lambda: file_reader(chroma_written)
    return lambda: rest_reader(chroma_server.url)


class FewPages(Pages):
    """Pages of a listing, of which there are at most 20."""

    @classmethod
    @override
    def of(cls, client: Client, path: str, most: int = 20) -> Pages:
        return super().of(client, path, most)


def langchain_ids(folder: Path) -> list[str]:
    """Ids that LangChain's package made."""
    with closing(sqlite3.connect(folder / "chroma.sqlite3")) as file:
        rows = file.execute(
            "SELECT e.embedding_id FROM embeddings e JOIN segments s ON s.id = e.segment_id "
            "JOIN collections c ON c.id = s.collection WHERE c.name = 'notes' ORDER BY e.id LIMIT 3"
        ).fetchall()
    return [row[0] for row in rows]


class TestFolder(StoreContract):
    source = ChromaSource

    @pytest.fixture
    def open_reader(self, chroma_written: Path) -> OpenReader:
        return lambda: file_reader(chroma_written)

    @pytest.fixture
    def known_ids(self, chroma_written: Path) -> KnownIds:
        return {(DEFAULT, "mixed"): ["m0", "m7", "m39"], (DEFAULT, "notes"): langchain_ids(chroma_written)}

    @pytest.fixture
    def open_faulty(self, chroma_folder: Path) -> OpenReader:
        with sqlite3.connect(chroma_folder / "chroma.sqlite3") as file:
            file.execute("DELETE FROM segments WHERE scope = 'METADATA'")
        file.close()
        return lambda: file_reader(chroma_folder)


class TestServer(StoreContract):
    source = ChromaSource
    missing_facts = frozenset({"size", "created", "modified"})

    @pytest.fixture
    def open_reader(self, chroma_server: ChromaServer) -> OpenReader:
        return lambda: rest_reader(chroma_server.url)

    @pytest.fixture
    def known_ids(self, chroma_written: Path) -> KnownIds:
        return {(DEFAULT, "mixed"): ["m0", "m7", "m39"], (DEFAULT, "notes"): langchain_ids(chroma_written)}

    @pytest.fixture
    def open_faulty(self, chroma_server: ChromaServer) -> Iterator[OpenReader]:
        true, wrong = forward(chroma_server.url), answer_json({"ids": "m0", "include": []})
        with Stub(lambda call: wrong if call.path.endswith("/get") else true(call)) as stub:
            yield lambda: rest_reader(stub.url)


@pytest.fixture
def reader(open_either: OpenReader) -> Iterator[Reader[Collection]]:
    with closing(open_either()) as opened:
        yield opened


def test_all_collections_of_all_databases_are_listed(reader: Reader[Collection]) -> None:
    assert sorted(reader.names(), key=str) == sorted(NAMES, key=str)


def test_answers_about_ids_hold_nothing_else(chroma_server: ChromaServer) -> None:
    with (
        Stub(forward(chroma_server.url)) as stub,
        closing(rest_reader(stub.url)) as reader,
    ):
        assert reader.has((DEFAULT, "mixed"), ["m1", "m2"]) == {"m1", "m2"}
        [asked] = [call for call in stub.calls if call.path.endswith("/get")]
        assert PLANTED not in stub.answer(asked).body.decode()


def test_a_collection_with_everything(reader: Reader[Collection]) -> None:
    mixed = reader.read((DEFAULT, "mixed"))
    assert mixed.vectors == (
        Vector(
            name="embedding",
            dimension=3,
            metric="cosine",
            index_type="hnsw",
            index_parameters={
                "max_neighbors": "33",
                "ef_construction": "100",
                "ef_search": "100",
                "batch_size": "100",
                "sync_threshold": "1000",
                "resize_factor": "1.2",
            },
        ),
    )
    assert mixed.fields == (
        PayloadField(path="document", type="string", native_type="string"),
        PayloadField(path="any", type="unknown", native_type="int | string"),
        PayloadField(path="either", type="float", native_type="float | int"),
        PayloadField(path="page", type="integer", native_type="int"),
        PayloadField(path="ready", type="boolean", native_type="bool"),
        PayloadField(path="score", type="float", native_type="float"),
        PayloadField(path="source", type="string", native_type="string"),
        PayloadField(path="tags", type="string", native_type="string"),
    )
    assert mixed.text_field == "document"
    assert mixed.count == 40
    assert mixed.description == "Release notes"
    assert {**mixed.properties, "collection_id": ""} == {
        "collection_id": "",
        "embedding_function": "default",
        "metadata_keys": "description, owner",
    }
    assert PLANTED not in str(replace(mixed, provenance=()))


def test_provenance_is_counted(reader: Reader[Collection]) -> None:
    mixed = {found.field: found for found in reader.read((DEFAULT, "mixed")).provenance}
    assert list(mixed) == ["source", "tags", "uri", "page"]
    sources = {f"kb:{PLANTED}:{n}": 10 for n in range(4)}
    assert mixed["source"] == ProvenanceCount(field="source", values=sources, rows_scanned=40, rows_total=40)
    assert mixed["tags"].values == {"a": 40, PLANTED: 40}
    assert mixed["uri"].values == {"s3://bucket/0": 20, "s3://bucket/1": 20}
    assert mixed["page"].values == {str(n): 1 for n in range(40)}


def test_what_langchain_and_llamaindex_write_is_recognised(reader: Reader[Collection]) -> None:
    notes = reader.read((DEFAULT, "notes"))
    assert [field.path for field in notes.fields] == ["document", "page", "source"]
    assert notes.vectors[0].embedding_model is None
    assert "embedding_function" not in notes.properties
    assert notes.provenance[0].values == {f"/kb/{n}.md": 10 for n in range(3)}
    llama = reader.read((DEFAULT, "llama"))
    assert {field.path: bool(field.description) for field in llama.fields} == {
        "document": False,
        "_node_content": True,
        "_node_type": True,
        "file_path": False,
        "ref_doc_id": True,
    }
    assert llama.provenance[0].values == {"/kb/1.md": 1, "/kb/2.md": 1}


def test_the_embedding_model_is_what_the_function_names(reader: Reader[Collection]) -> None:
    house = reader.read((DEFAULT, "house"))
    assert house.vectors[0].embedding_model == "house/acme/encoder-2"
    assert house.properties["embedding_function"] == "house"
    assert "HOUSE_KEY" not in str(house)


def test_before_the_first_insert_there_is_no_dimension(reader: Reader[Collection]) -> None:
    empty = reader.read((DEFAULT, "empty"))
    assert empty.count == 0
    assert (empty.vectors[0].dimension, empty.vectors[0].metric) == (None, "ip")
    assert empty.vectors[0].native_type == "vector"
    assert empty.vectors[0].index_parameters["max_neighbors"] == "24"
    assert (empty.created, empty.modified, empty.size_bytes, empty.provenance) == (None, None, None, ())


def test_payload_keys_that_are_called_like_chromas_own(reader: Reader[Collection]) -> None:
    shadows = reader.read((DEFAULT, "shadows"))
    assert [field.path for field in shadows.fields] == ["#document", "document", "embedding"]
    assert (shadows.text_field, shadows.vectors[0].name) == ("#document", "#embedding")


def test_database_names_may_hold_anything(reader: Reader[Collection]) -> None:
    odd = reader.read((ODD_DATABASE, "odd.one-1_2"))
    assert odd.name == (ODD_DATABASE, "odd.one-1_2")
    assert odd.containers[-1] == Container(kind="Database", name=ODD_DATABASE)


def test_both_ways_agree(chroma_written: Path, chroma_server: ChromaServer) -> None:
    with closing(file_reader(chroma_written)) as file, closing(rest_reader(chroma_server.url)) as rest:
        for name in NAMES:
            by_path, by_url = file.read(name), rest.read(name)
            assert shared(by_path) == shared(by_url)
            assert by_path.containers[1:] == by_url.containers[1:]


def shared(item: Collection) -> Collection:
    """Without what only the file tells, or only the server."""
    return replace(item, created=None, modified=None, size_bytes=None, containers=())


def test_the_server_is_named(chroma_written: Path, chroma_server: ChromaServer) -> None:
    with closing(file_reader(chroma_written)) as file, closing(rest_reader(chroma_server.url)) as rest:
        assert file.read(NAMES[0]).containers[0] == Container(
            kind="Server",
            name="chroma",
            properties={"schema_version": "embeddings_queue 2, metadb 6, sysdb 10"},
        )
        server = rest.read(NAMES[0]).containers[0]
        assert (server.kind, server.name) == ("Server", f"127.0.0.1:{chroma_server.port}")
        assert set(server.properties) == {"api_version"}


def test_the_file_tells_times_and_size(chroma_written: Path) -> None:
    with closing(file_reader(chroma_written)) as reader:
        mixed = reader.read((DEFAULT, "mixed"))
    now = datetime.now(UTC)
    assert mixed.created is not None
    assert mixed.modified is not None
    assert now - timedelta(hours=1) < mixed.created <= mixed.modified <= now + timedelta(seconds=2)
    assert mixed.size_bytes == sum(
        file.stat().st_size
        for file in chroma_written.glob("*/*.bin")
        if file.parent.name == segment_of(chroma_written)
    )


def segment_of(folder: Path, collection: str = "mixed") -> str:
    with closing(sqlite3.connect(f"{(folder / 'chroma.sqlite3').as_uri()}?mode=ro", uri=True)) as file:
        found = file.execute(
            "SELECT s.id FROM segments s JOIN collections c ON s.collection = c.id "
            "WHERE s.scope = 'VECTOR' AND c.name = ?",
            (collection,),
        )
        return str(found.fetchone()[0])


@pytest.mark.parametrize("values", [1, 3])
def test_distinct_values_are_bounded(chroma_written: Path, chroma_server: ChromaServer, values: int) -> None:
    for reader in (
        file_reader(chroma_written, max_values=values),
        rest_reader(chroma_server.url, max_values=values),
    ):
        with closing(reader):
            source = reader.read((DEFAULT, "mixed")).provenance[0]
        assert len(source.values) == values
        assert source.values_dropped == 40 - 10 * values


def test_a_scan_over_rest_says_how_far_it_came(chroma_server: ChromaServer) -> None:
    with closing(rest_reader(chroma_server.url, max_rows=10)) as reader:
        source = reader.read((DEFAULT, "mixed")).provenance[0]
    assert (source.rows_scanned, source.rows_total, sum(source.values.values())) == (10, 40, 10)


def test_without_provenance_fields_no_payload_is_asked_for(chroma_server: ChromaServer) -> None:
    with (
        Stub(forward(chroma_server.url)) as stub,
        closing(rest_reader(stub.url, provenance_fields=())) as reader,
    ):
        assert reader.read((DEFAULT, "mixed")).provenance == ()
        assert stub.count("/get") == 0


def test_a_collection_need_not_be_opened(chroma_server: ChromaServer) -> None:
    with (
        Stub(forward(chroma_server.url)) as stub,
        closing(rest_reader(stub.url, provenance_fields=(), exact_count=False)) as reader,
    ):
        mixed = reader.read((DEFAULT, "mixed"))
        assert (mixed.count, mixed.vectors[0].dimension) == (None, 3)
        assert stub.count("/count") == stub.count("/get") == 0
    with closing(rest_reader(chroma_server.url, exact_count=False)) as reader:
        source = reader.read((DEFAULT, "mixed")).provenance[0]
        assert (source.rows_scanned, source.rows_total) == (40, None)


def test_an_unknown_tenant_is_an_error_not_an_empty_store(
    chroma_written: Path, chroma_server: ChromaServer
) -> None:
    with pytest.raises(AccessError, match=r"no tenant 'nobody'.*default_tenant.*Set tenant"):
        file_reader(chroma_written, tenant="nobody") if False else ChromaFileReader(
            chroma_written, tenant="nobody"
        )
    with (
        closing(rest_reader(chroma_server.url, tenant="nobody")) as reader,
        pytest.raises(AccessError, match=r"no tenant 'nobody'.*Set tenant"),
    ):
        list(reader.names())


@pytest.fixture
def scratch(chroma_server: ChromaServer) -> Iterator[Any]:
    """A collection of one test's own on the shared server."""
    client = chroma_server.client()
    made = client.create_collection("scratch", embedding_function=None)
    ids = [f"s{n}" for n in range(10)]
    made.add(ids=ids, embeddings=[[1.0, 2.0]] * 10, metadatas=[{"source": "a"}] * 10)
    yield made
    if "scratch" in [collection.name for collection in client.list_collections()]:
        client.delete_collection("scratch")


@pytest.fixture(params=["path", "url"])
def live(request: pytest.FixtureRequest, chroma_server: ChromaServer) -> Iterator[Reader[Collection]]:
    """Readers of what a server is writing to at the same time."""
    made: Reader[Collection] = (
        file_reader(chroma_server.folder) if request.param == "path" else rest_reader(chroma_server.url)
    )
    with closing(made) as opened:
        yield opened


def test_deleted_between_listing_and_reading(
    live: Reader[Collection], scratch: Any, chroma_server: ChromaServer
) -> None:
    assert (DEFAULT, "scratch") in list(live.names())
    assert live.read((DEFAULT, "scratch")).count == 10
    chroma_server.client().delete_collection("scratch")
    with pytest.raises(VanishedError, match="scratch"):
        live.read((DEFAULT, "scratch"))
    assert live.read((DEFAULT, "notes")).count == 30


def test_the_count_follows_deletions_and_new_versions(live: Reader[Collection], scratch: Any) -> None:
    assert live.read((DEFAULT, "scratch")).count == 10
    scratch.delete(ids=["s0", "s1"])
    scratch.upsert(ids=["s2", "new"], embeddings=[[1.0, 2.0]] * 2, metadatas=[{"source": "x"}] * 2)
    after = live.read((DEFAULT, "scratch"))
    assert after.count == 9
    assert after.provenance[0].values == {"a": 7, "x": 2}


def test_an_update_moves_the_time_of_the_last_change(chroma_server: ChromaServer) -> None:
    # An update of what is there leaves embeddings.created_at alone: only the log shows it.
    notes = chroma_server.client().get_collection("notes")
    with closing(file_reader(chroma_server.folder)) as reader:
        before = reader.read((DEFAULT, "notes"))
    known = notes.get(limit=1)
    notes.update(ids=known["ids"], metadatas=known["metadatas"])
    with closing(file_reader(chroma_server.folder)) as reader:
        after = reader.read((DEFAULT, "notes"))
    assert before.modified is not None
    assert after.modified is not None
    assert after.modified > before.modified
    assert after.created == before.created


class TestListingOverRest:
    """Pages by offset lose an item when one before it is deleted; a lost item would be taken for deleted."""

    def answer(self, stub_calls: Callable[[int], list[str]]) -> Callable[[Call], Any]:
        pages = iter(range(10_000))

        def respond(call: Call) -> Any:
            if call.path.endswith("/heartbeat"):
                return answer_json({"nanosecond heartbeat": 1})
            if call.path.endswith("/version"):
                return answer_json("1.0.0")
            if call.path.endswith("/collections"):
                everything = stub_calls(next(pages))
                start, size = int(call.query["offset"][0]), int(call.query["limit"][0])
                return answer_json([{"id": name, "name": name} for name in everything[start : start + size]])
            if call.path.endswith("/databases"):
                return answer_json([{"id": "d", "name": "db"}])
            return answer_json({"name": "default_tenant"})

        return respond

    def test_nothing_that_exists_is_lost_by_a_deletion_in_between(self) -> None:
        names = [f"c{n:04d}" for n in range(350)]
        with (
            Stub(self.answer(lambda page: names if page < 2 else names[1:])) as stub,
            closing(rest_reader(stub.url)) as reader,
        ):
            listed = [name[1] for name in reader.names() if isinstance(name, tuple)]
        assert sorted(listed) == names

    def test_nor_by_a_creation(self) -> None:
        names = [f"c{n:04d}" for n in range(350)]
        with (
            Stub(self.answer(lambda page: names if page < 2 else ["a", *names])) as stub,
            closing(rest_reader(stub.url)) as reader,
        ):
            listed = [name[1] for name in reader.names() if isinstance(name, tuple)]
        assert sorted(listed) == ["a", *names]

    @pytest.mark.parametrize("cap", [1, 2, 7, 50, 99])
    def test_a_short_page_is_not_the_last_one(self, cap: int) -> None:
        """A gateway or a quota may give fewer items than were asked for."""
        names = [f"c{n:04d}" for n in range(80)]
        whole = self.answer(lambda page: names)

        def capped(call: Call) -> Reply:
            reply: Reply = whole(call)
            if not call.path.endswith("/collections"):
                return reply
            return answer_json(json.loads(reply.body)[:cap])

        with Stub(capped) as stub, closing(rest_reader(stub.url)) as reader:
            listed = list(reader.names())
        if cap > 1:
            assert listed == [("db", name) for name in names]
        else:
            # Pages of one item cannot overlap: nothing is listed as if it were all.
            assert any(not isinstance(entry, tuple) for entry in listed)

    @pytest.mark.parametrize(
        ("name_at", "bound", "said"),
        [
            (lambda n: n, 10**12, "has entries at position 1,000,000,000"),
            # A server that refuses so large an offset.
            (lambda n: n, 10**6, "more than 20 pages"),
            (lambda n: n if n % 99 else n % 297, 10**12, "same page again"),
            # The last entry of a page is new, and all others come again.
            (lambda n: n if n % 99 == 0 else n % 99, 10**12, "has entries at position 1,000,000,000"),
        ],
    )
    def test_a_listing_without_end_is_unlisted(
        self, monkeypatch: pytest.MonkeyPatch, name_at: Callable[[int], int], bound: int, said: str
    ) -> None:
        monkeypatch.setattr(rest_reader_module, "Pages", FewPages)

        def answer(call: Call) -> Reply:
            if not call.path.endswith("/collections"):
                other: Reply = whole(call)
                return other
            start = int(call.query["offset"][0])
            if start > bound:
                return answer_json({"error": "InvalidArgumentError"}, 400)
            names = [f"c{name_at(n)}" for n in range(start, start + 100)]
            return answer_json([{"id": name, "name": name} for name in names])

        whole = self.answer(lambda page: [])
        with Stub(answer) as stub, closing(rest_reader(stub.url)) as reader:
            (only,) = reader.names()
            assert stub.count("/collections") <= 22
        assert not isinstance(only, tuple)
        assert only.name == ("db",)
        assert said in str(only.error)

    def test_a_long_listing_has_an_end(
        self, monkeypatch: pytest.MonkeyPatch, chroma_server: ChromaServer
    ) -> None:
        """Chroma itself answers a page far beyond the last item, with nothing."""
        monkeypatch.setattr(rest_reader_module, "_NAMES_A_PAGE", 2)
        monkeypatch.setattr(rest_reader_module, "_PAGES_BEFORE_PROBE", 1)
        with Stub(forward(chroma_server.url)) as stub, closing(rest_reader(stub.url)) as reader:
            assert set(NAMES) <= set(reader.names())
            probes = [call for call in stub.calls if call.query.get("offset") == ["1000000000"]]
        assert probes

    def test_rows_that_come_again_are_no_more_rows(self) -> None:
        def answer(call: Call) -> Reply:
            if call.path.endswith("/heartbeat"):
                return answer_json({"nanosecond heartbeat": 1})
            if call.path.endswith("/get"):
                return answer_json({"ids": ["1"], "metadatas": [{"source": "s3://b/1"}]})
            if call.path.endswith("/count"):
                return answer_json(50)
            return answer_json({"id": "c", "name": "docs"})

        with (
            Stub(answer) as stub,
            closing(rest_reader(stub.url)) as reader,
            pytest.raises(UnreadableError, match="same entries again"),
        ):
            reader.read(("db", "docs"))

    def test_a_listing_that_never_rests_is_unlisted(self) -> None:
        names = [f"c{n:04d}" for n in range(350)]
        with (
            Stub(self.answer(lambda page: names[page:])) as stub,
            closing(rest_reader(stub.url)) as reader,
        ):
            last = list(reader.names())[-1]
        assert not isinstance(last, tuple)
        assert last.name == ("db",)
        assert "kept changing" in str(last.error)


@pytest.mark.parametrize("version", ["0.6.3", "1.0.15"])
class TestOlderServers:
    """Recorded answers of servers that keep no schema: the payload's fields are sampled."""

    @pytest.fixture
    def recorded(self, version: str) -> Iterator[Stub]:
        answers = json.loads((WIRE / f"rest-{version}.json").read_text())

        def answer(call: Call) -> Reply:
            found = answers[f"{call.method} {call.path}"]
            whole, start = found["answer"], int(call.query.get("offset", ["0"])[0])
            return answer_json(whole[start:] if isinstance(whole, list) else whole, found["status"])

        with Stub(answer) as stub:
            yield stub

    def test_they_are_read(self, recorded: Stub, version: str) -> None:
        with closing(rest_reader(recorded.url)) as reader:
            assert sorted(map(str, reader.names())) == [str((DEFAULT, "docs")), str((DEFAULT, "plain"))]
            docs, plain = (reader.read((DEFAULT, name)) for name in ("docs", "plain"))
        vector = docs.vectors[0]
        assert (vector.dimension, vector.metric, vector.index_type) == (3, "cosine", "hnsw")
        assert vector.index_parameters["max_neighbors"] == "24"
        assert [(field.path, field.native_type) for field in docs.fields] == [
            ("document", "string"),
            ("ok", "bool"),
            ("page", "float"),
            ("source", "string"),
        ]
        assert docs.provenance[0].values == {"s3://b/1": 2, "s3://b/2": 1}
        assert (plain.count, plain.vectors[0].dimension, plain.vectors[0].metric) == (0, None, "l2")

    def test_a_missing_collection_has_vanished(self, recorded: Stub, version: str) -> None:
        # Version 0.6 says so with 400.
        with closing(rest_reader(recorded.url)) as reader, pytest.raises(VanishedError):
            reader.read((DEFAULT, "nope"))

    def test_both_ways_agree(self, recorded: Stub, version: str, tmp_path: Path) -> None:
        with closing(sqlite3.connect(tmp_path / "chroma.sqlite3")) as file:
            file.executescript((WIRE / f"store-{version}.sql").read_text())
        with closing(file_reader(tmp_path)) as by_path, closing(rest_reader(recorded.url)) as by_url:
            for name in ("docs", "plain"):
                assert shared(by_path.read((DEFAULT, name))) == shared(by_url.read((DEFAULT, name)))


def test_a_server_that_is_too_old_is_named() -> None:
    """What Chroma 0.5.23 answers: version 1 of the API is there, version 2 is not."""
    routes = {"/api/v1": {"nanosecond heartbeat": 1}, "/api/v1/version": "0.5.23"}

    def answer(call: Call) -> Reply:
        found = routes.get(call.path.rstrip("/"))
        return answer_json({"detail": "Not Found"}, 404) if found is None else answer_json(found)

    with (
        Stub(answer) as stub,
        closing(rest_reader(stub.url)) as reader,
        pytest.raises(AccessError, match=r"Chroma 0\.5\.23.*0\.6 or newer.*by path"),
    ):
        list(reader.names())
