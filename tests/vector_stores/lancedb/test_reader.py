"""What the reader says of LanceDB tables on disk, that it leaves them as they are, and what damage does."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import lance
import lancedb
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datahub_llmops.assets.collections import (
    Collection,
    Container,
    PayloadField,
    ProvenanceCount,
    Vector,
)
from datahub_llmops.errors import (
    ConnectorError,
    DeniedError,
    UnreachableError,
    UnreadableError,
    VanishedError,
)
from datahub_llmops.testing import KnownIds, OpenReader, StoreContract
from datahub_llmops.vector_stores.lancedb.facts import Index, Table, countable, moment_of
from datahub_llmops.vector_stores.lancedb.reader import LanceReader
from datahub_llmops.vector_stores.lancedb.source import LanceSource
from faults.matrix import as_nobody
from vector_stores.lancedb.stores import PLANTED, TABLES, vectors

FIELDS = ("source", "uri", "table", "file_path", "it's", "page", "kind", "score", "raw")
Read = Callable[..., Collection]


def reader_of(folder: Path, **options: Any) -> LanceReader:
    return LanceReader(path=folder, **{"provenance_fields": FIELDS, **options})


class TestContract(StoreContract):
    source = LanceSource

    @pytest.fixture
    def open_reader(self, lancedb_written: Path) -> OpenReader:
        return lambda: reader_of(lancedb_written)

    @pytest.fixture
    def known_ids(self, lancedb_written: Path) -> KnownIds:
        db = lancedb.connect(lancedb_written)
        return {
            ("articles",): ["0", "511"],
            **{(name,): db.open_table(name).to_arrow()["id"].to_pylist()[:2] for name in ("notes", "llama")},
        }

    @pytest.fixture
    def open_faulty(self, lancedb_folder: Path) -> OpenReader:
        for file in (lancedb_folder / "articles.lance" / "data").iterdir():
            file.write_bytes(b"\0" * file.stat().st_size)
        return lambda: reader_of(lancedb_folder)


@pytest.fixture
def read(lancedb_written: Path) -> Read:
    def one(*name: str, **options: Any) -> Collection:
        with closing(reader_of(lancedb_written, **options)) as reader:
            return reader.read(name)

    return one


def counts(item: Collection) -> dict[str, dict[str, int]]:
    return {found.field: dict(found.values) for found in item.provenance}


def test_tables_of_all_namespaces_are_listed(lancedb_written: Path) -> None:
    with closing(reader_of(lancedb_written)) as reader:
        names = [name for name in reader.names() if isinstance(name, tuple)]
    assert {".".join(name) for name in names} == TABLES
    assert names[-2:] == [("team", "top"), ("team", "kb", "inner")]


def test_vectors_and_their_indexes(read: Read) -> None:
    assert read("articles").vectors == (
        Vector(
            name="dense",
            dimension=16,
            metric="cosine",
            index_type="IvfHnswSq",
            index_parameters={
                "max_connections": "24",
                "construction_ef": "150",
                "max_level": "7",
                "num_bits": "8",
            },
            element_type="float32",
            quantization="sq",
        ),
        Vector(
            name="half",
            dimension=8,
            metric="dot",
            index_type="IvfPq",
            index_parameters={"num_bits": "8", "num_sub_vectors": "4"},
            element_type="float16",
            quantization="pq",
        ),
        # Without an index there is no metric: it is chosen by each query.
        Vector(name="late", dimension=2, element_type="float32", multivector=True),
    )


def test_columns_have_arrows_types(read: Read) -> None:
    def field(
        path: str, kind: Any, native: str, nullable: bool = True, note: str | None = None
    ) -> PayloadField:
        return PayloadField(path=path, type=kind, native_type=native, nullable=nullable, description=note)

    assert read("articles").fields == (
        field("id", "integer", "int64", False, "The row's number"),
        # Whole numbers of a fixed length are no vector unless something says so.
        field("box", "array", "fixed_size_list<int32>[4]"),
        field("source", "string", "string"),
        field("uri", "array", "list<string>"),
        field("table", "integer", "int32"),
        field("kind", "string", "dictionary<string>"),
        field("metadata", "object", "struct"),
        field("metadata.file_path", "string", "string"),
        field("metadata.page", "integer", "int64"),
        field("metadata.seen", "unknown", "null"),
        field("metadata.it's", "string", "string"),
        field("seen", "datetime", "timestamp[us, tz=UTC]"),
        field("raw", "bytes", "binary"),
        field("ready", "boolean", "bool"),
        field("score", "float", "double"),
    )


def test_what_else_a_table_says(read: Read, lancedb_written: Path) -> None:
    articles = read("articles")
    assert articles.containers == (Container(kind="Database", name=lancedb_written.name),)
    assert (articles.count, articles.count_is_estimate) == (512, False)
    assert articles.description == "Release notes"
    assert articles.properties == {
        "metadata_keys": "owner",
        "payload_indexes": "source: Bitmap",
        "tags": "prod: version 1",
    }
    assert articles.size_bytes is not None
    # 512 rows of 16 floats alone.
    assert articles.size_bytes > 512 * 16 * 4
    assert PLANTED not in str([articles.fields, articles.vectors, articles.properties])


def test_versions_tell_times_in_any_zone(lancedb_written: Path, tmp_path: Path) -> None:
    # Lance gives them in the zone of the machine without saying so.
    program = (
        "import sys; from pathlib import Path; from datahub_llmops.vector_stores.lancedb.reader import LanceReader\n"
        "found = LanceReader(path=Path(sys.argv[1])).read(('articles',))\n"
        "print(found.created.isoformat(), found.modified.isoformat())"
    )
    said = set()
    for zone in ("UTC", "Asia/Kolkata", "America/New_York"):
        done = subprocess.run(
            [sys.executable, "-c", program, str(lancedb_written)],
            env={**os.environ, "TZ": zone},
            capture_output=True,
            text=True,
            check=True,
        )
        said.add(done.stdout)
    assert len(said) == 1
    created, modified = (datetime.fromisoformat(word) for word in said.pop().split())
    now = datetime.now(UTC)
    assert now - timedelta(hours=1) < created < modified < now


@pytest.mark.parametrize("written", [datetime.min, datetime.max, None, "2026-11-02", 2**70])
def test_a_time_of_no_year_is_not_known(written: object, monkeypatch: pytest.MonkeyPatch) -> None:
    for zone in ("Pacific/Kiritimati", "Pacific/Pago_Pago"):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        found = moment_of({"timestamp": written})
        assert found is None or found.tzinfo is UTC
    monkeypatch.undo()
    time.tzset()


def test_when_first_versions_are_cleaned_away_that_is_said(tmp_path: Path) -> None:
    table = lancedb.connect(tmp_path).create_table("t", pa.table({"vector": vectors(2, 2)}))
    with closing(reader_of(tmp_path)) as reader:
        before = reader.read(("t",))
        table.add(pa.table({"vector": vectors(2, 2)}))
        grown = reader.read(("t",))
        table.optimize(cleanup_older_than=timedelta(0))
        cleaned = reader.read(("t",))
    assert before.created == grown.created
    assert before.modified is not None
    assert grown.modified is not None
    assert grown.modified > before.modified
    assert "created_at_the_latest" not in grown.properties
    assert cleaned.properties["created_at_the_latest"] == "true"
    assert cleaned.created == cleaned.modified


def test_namespaces_are_containers(read: Read, lancedb_written: Path) -> None:
    inner = read("team", "kb", "inner")
    assert [(level.kind, level.name) for level in inner.containers] == [
        ("Database", lancedb_written.name),
        ("Namespace", "team"),
        ("Namespace", "kb"),
    ]
    assert counts(inner) == {"source": {"s3://b/1": 1, "s3://b/2": 1}}


def test_provenance_is_counted_by_the_engine_over_all_rows(read: Read) -> None:
    articles = read("articles")
    found = {item.field: item for item in articles.provenance}
    assert [item.field for item in articles.provenance] == [
        "source",
        "uri",
        "table",
        "metadata.file_path",
        "metadata.it's",
        "metadata.page",
        "kind",
    ]
    sources = {f"kb:{PLANTED}:{n}": 128 for n in range(4)}
    assert found["source"] == ProvenanceCount(
        field="source", values=sources, rows_scanned=512, rows_total=512
    )
    assert found["uri"].values == {"s3://bucket/0": 256, "s3://bucket/1": 256, "s3://bucket/all": 512}
    assert found["table"].values == {"0": 171, "1": 171, "2": 170}
    assert found["metadata.file_path"].values == {
        f"/kb/{n}.md": n_rows for n, n_rows in enumerate([103, 103, 102, 102, 102])
    }
    assert found["metadata.it's"].values == {"x0": 256, "x1": 256}
    assert found["kind"].values == {PLANTED: 512}


@pytest.mark.parametrize("most", [1, 3])
def test_values_beyond_the_bound_are_counted_as_dropped(read: Read, most: int) -> None:
    source = read("articles", max_values=most).provenance[0]
    assert len(source.values) == most
    assert source.values_dropped == 512 - 128 * most
    assert read("articles", max_values=4).provenance[0].values_dropped == 0


def test_missing_values_are_not_counted(read: Read) -> None:
    assert counts(read("bare")) == {"source": {"a": 1, "b": 1}}


def test_an_empty_table(read: Read) -> None:
    empty = read("empty")
    assert (empty.count, empty.size_bytes, empty.provenance) == (0, None, ())
    assert empty.vectors[0].native_type == "vector(8)"
    assert empty.created is not None


def test_the_embedding_function_is_what_the_table_records(read: Read) -> None:
    house = read("house")
    assert house.vectors[0].embedding_model == "house/acme/encoder-3"
    assert house.text_field == "body"
    assert house.properties == {"embedding_functions": "house"}
    # Its arguments, a key among them, stay where they are.
    assert PLANTED not in str(house)


def test_a_function_that_this_process_does_not_know(lancedb_written: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from datahub_llmops.vector_stores.lancedb.reader import LanceReader\n"
        "print(LanceReader(path=Path(sys.argv[1])).read(('house',)).vectors[0].embedding_model)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(lancedb_written)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "house/acme/encoder-3"


def test_what_langchain_writes(read: Read) -> None:
    notes = read("notes")
    # Its package keeps a document's metadata as JSON text.
    assert [(item.path, item.native_type) for item in notes.fields] == [
        ("text", "string"),
        ("metadata", "string"),
        ("id", "string"),
        ("metadata.owner", "string"),
        ("metadata.page", "integer"),
        ("metadata.source", "string"),
    ]
    assert notes.text_field == "text"
    assert counts(notes)["metadata.source"] == {f"/kb/{n}.md": 10 for n in range(3)}
    assert notes.vectors[0].native_type == "vector(8)"
    bounded = read("notes", max_rows=6).provenance[0]
    assert (bounded.rows_scanned, bounded.rows_total, sum(bounded.values.values())) == (6, 30, 6)


def test_what_llamaindex_writes(read: Read) -> None:
    llama = read("llama")
    marked = {item.path: bool(item.description) for item in llama.fields}
    assert marked == {
        "id": False,
        "doc_id": True,
        "text": False,
        "metadata": False,
        "metadata.file_path": False,
        "metadata._node_content": True,
        "metadata._node_type": True,
        "metadata.document_id": True,
        "metadata.doc_id": True,
        "metadata.ref_doc_id": True,
    }
    assert llama.text_field == "text"
    assert counts(llama) == {"metadata.file_path": {"/kb/1.md": 1, "/kb/2.md": 1}}


def test_without_provenance_fields_nothing_is_counted(read: Read) -> None:
    assert read("articles", provenance_fields=()).provenance == ()


SCHEMA = pa.schema(
    [
        ("bits", pa.list_(pa.uint8(), 8)),
        ("list", pa.list_(pa.float64())),
        ("deep", pa.struct([("inner", pa.struct([("v", pa.list_(pa.float32(), 3)), ("a.b", pa.string())]))])),
    ]
)


def test_what_is_called_a_vector_is_one() -> None:
    bare = Table(schema=SCHEMA)
    assert [vector.name for vector in bare.vectors()] == ["deep.inner.v"]
    # A list of any length is not a vector column for LanceDB.
    assert {"bits", "list"} <= {field.path for field in bare.fields()}
    index = Index(column="bits", kind="IvfFlat", metric="hamming", details={})
    found = Table(schema=SCHEMA, indexes=[index]).vectors()[0]
    assert (found.name, found.element_type, found.metric) == ("bits", "uint8", "hamming")


def test_metadata_that_is_no_json_says_nothing() -> None:
    for written in (b"{", b"[" * 100_000, b"3", b'[{"model": 3}]', b"\xff"):
        table = Table(schema=SCHEMA.with_metadata({b"embedding_functions": written}))
        assert table.vectors()[0].embedding_model is None
        assert table.source_column() is None


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0`."), min_size=1, max_size=20)


@given(NAMES, NAMES)
def test_any_column_name_is_counted_as_it_is(outer: str, inner: str) -> None:
    row = {outer: [{inner: "x"}, {inner: "y"}, {inner: "x"}]}
    table = pa.table(row)
    path = f"{outer}.{inner}"
    values = countable(table.schema, path)
    assert values is not None
    with tempfile.TemporaryDirectory() as folder:
        data = lance.write_dataset(table, f"{folder}/t.lance")
        batches = (
            data.sql(f"SELECT {values} AS v, count(*) FROM dataset GROUP BY v").build().to_batch_records()
        )
    found = {
        str(v): int(n)
        for batch in batches
        for v, n in zip(*(c.to_pylist() for c in batch.columns), strict=True)
    }
    assert found == {"x": 2, "y": 1}


def state(folder: Path) -> dict[str, tuple[str, int]]:
    """Every file below a folder: its bytes and its time; folders too."""
    found = {}
    for path in [folder, *folder.rglob("*")]:
        content = path.read_bytes() if path.is_file() else b""
        found[str(path.relative_to(folder))] = (hashlib.sha256(content).hexdigest(), path.stat().st_mtime_ns)
    return found


def read_all(folder: Path, **options: Any) -> list[Collection]:
    with closing(reader_of(folder, **options)) as reader:
        return [reader.read(name) for name in list(reader.names()) if isinstance(name, tuple)]


def test_reading_changes_no_byte_and_no_time(lancedb_folder: Path) -> None:
    before = state(lancedb_folder)
    assert len(read_all(lancedb_folder)) == len(TABLES)
    assert state(lancedb_folder) == before


WRITER = """
import sys, numpy, lancedb, pyarrow as pa
from datetime import timedelta
db = lancedb.connect(sys.argv[1])
def rows(n):
    values = pa.array(numpy.ones(n * 2, dtype='float32'))
    return pa.table({'vector': pa.FixedSizeListArray.from_arrays(values, 2), 'source': ['a'] * n})
table = db.create_table('busy', rows(10))
print('ready', flush=True)
while True:
    table.add(rows(10))
    table.optimize(cleanup_older_than=timedelta(seconds=30))
    db.create_table('flicker', rows(1), mode='overwrite')
    db.drop_table('flicker')
"""


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield
    finally:
        process.kill()
        process.wait()


def test_while_another_process_writes(lancedb_folder: Path) -> None:
    still = {path: content for path, content in state(lancedb_folder).items() if path.startswith("articles")}
    seen: list[int] = []
    with writing(lancedb_folder), closing(reader_of(lancedb_folder)) as reader:
        until = time.monotonic() + 3
        while time.monotonic() < until or len(set(seen)) < 2:
            for name in list(reader.names()):
                if name == ("flicker",):
                    # Made and dropped all the time: gone, or there and not whole yet.
                    with suppress(VanishedError, UnreadableError):
                        reader.read(name)
                elif name == ("busy",):
                    busy = reader.read(name)
                    assert busy.count is not None
                    seen.append(busy.count)
                    # One version: the rows that are counted are those that the values are counted over.
                    assert counts(busy) == {"source": {"a": busy.count}}
    assert seen == sorted(seen)
    after = {path: content for path, content in state(lancedb_folder).items() if path.startswith("articles")}
    assert after == still


def test_deleted_between_listing_and_reading(lancedb_folder: Path) -> None:
    with closing(reader_of(lancedb_folder)) as reader:
        assert ("bare",) in list(reader.names())
        lancedb.connect(lancedb_folder).drop_table("bare")
        with pytest.raises(VanishedError, match="bare"):
            reader.read(("bare",))
        with pytest.raises(VanishedError, match="elsewhere"):
            reader.read(("elsewhere", "docs"))
        assert reader.read(("notes",)).count == 30


def test_a_dropped_namespace_took_its_tables_with_it(lancedb_folder: Path) -> None:
    with closing(reader_of(lancedb_folder)) as reader:
        db = lancedb.connect(lancedb_folder)
        db.drop_table("inner", namespace_path=["team", "kb"])
        db.drop_namespace(["team", "kb"])
        with pytest.raises(VanishedError):
            reader.read(("team", "kb", "inner"))
        assert ("team", "kb", "inner") not in list(reader.names())


def manifest(folder: Path, table: str) -> Path:
    """The newest one: Lance counts downwards, so that it sorts first."""
    return min((folder / f"{table}.lance" / "_versions").glob("*.manifest"))


def empty(folder: Path) -> None:
    for inside in folder.iterdir():
        shutil.rmtree(inside)


def broken_in_every_way(folder: Path) -> Iterator[str]:
    """Does one thing at a time to the table ``bare`` and puts it back."""
    place = folder / "bare.lance"
    kept = folder.parent / "kept"
    shutil.copytree(place, kept)
    data = next((place / "data").iterdir())
    newest = manifest(folder, "bare")
    whole = newest.read_bytes()
    ways: dict[str, Callable[[], object]] = {
        "manifest empty": lambda: newest.write_bytes(b""),
        "manifest half": lambda: newest.write_bytes(whole[: len(whole) // 2]),
        "manifest without its end": lambda: newest.write_bytes(whole[:-1]),
        "manifest garbage": lambda: newest.write_bytes(random.Random(1).randbytes(600)),
        "no manifest": newest.unlink,
        "no versions": lambda: shutil.rmtree(place / "_versions"),
        "an empty folder": lambda: empty(place),
        "data empty": lambda: data.write_bytes(b""),
        "data half": lambda: data.write_bytes(data.read_bytes()[:300]),
        "data garbage": lambda: data.write_bytes(random.Random(1).randbytes(900)),
        "data gone": data.unlink,
    }
    for way, harm in ways.items():
        harm()
        yield way
        shutil.rmtree(place)
        shutil.copytree(kept, place)


@pytest.mark.parametrize("place", ["_versions/*", "data/*"])
def test_a_pipe_among_the_files_of_a_table_is_not_waited_for(lancedb_folder: Path, place: str) -> None:
    file = min((lancedb_folder / "articles.lance").glob(place))
    file.unlink()
    os.mkfifo(file)
    with closing(LanceReader(path=lancedb_folder)) as reader:
        with pytest.raises(UnreadableError, match="not a regular file") as caught:
            reader.read(("articles",))
        assert file.name in str(caught.value)
        others = [name for name in reader.names() if isinstance(name, tuple) and name != ("articles",)]
        assert all(reader.read(name) for name in others)


def test_a_damaged_table_is_unreadable_and_the_others_are_read(lancedb_folder: Path) -> None:
    with closing(reader_of(lancedb_folder)) as reader:
        for way in broken_in_every_way(lancedb_folder):
            assert ("bare",) in list(reader.names()), way
            with pytest.raises(UnreadableError, match="bare") as caught:
                reader.read(("bare",))
            assert str(lancedb_folder) in str(caught.value), way
            assert reader.read(("notes",)).count == 30, way
        assert reader.read(("bare",)).count == 3


def outcome_of(reader: LanceReader) -> Collection | ConnectorError:
    try:
        return reader.read(("articles",))
    except ConnectorError as error:
        return error


def test_no_flipped_byte_ends_in_anything_but_the_contract(lancedb_folder: Path) -> None:
    # Some of these make Lance's Rust code panic.
    chance = random.Random(7)
    files = [path for path in (lancedb_folder / "articles.lance").rglob("*") if path.is_file()]
    outcomes: set[type] = set()
    with closing(reader_of(lancedb_folder)) as reader:
        for path in sorted(files):
            whole = path.read_bytes()
            for _ in range(6):
                flipped = bytearray(whole)
                flipped[chance.randrange(max(0, len(whole) - 200), len(whole))] ^= 1 << chance.randrange(8)
                path.write_bytes(flipped)
                outcome = outcome_of(reader)
                outcomes.add(type(outcome))
                assert isinstance(outcome, Collection) or PLANTED not in str(outcome)
            path.write_bytes(whole)
        assert reader.read(("articles",)).count == 512
    assert outcomes == {Collection, UnreadableError}


def test_a_panic_of_the_engine_is_an_unreadable_table(lancedb_folder: Path) -> None:
    # The type of a column that this version of Lance does not know: it panics.
    newest = manifest(lancedb_folder, "articles")
    newest.write_bytes(newest.read_bytes().replace(b"fixed_size_list:float:2", b"fixed_size_dist:float:2"))
    with closing(reader_of(lancedb_folder)) as reader:
        with pytest.raises(UnreadableError, match="RustPanic"):
            reader.read(("articles",))
        assert reader.read(("notes",)).count == 30


def test_the_folder_is_gone_in_the_middle(lancedb_folder: Path) -> None:
    with closing(reader_of(lancedb_folder)) as reader:
        names = [name for name in reader.names() if isinstance(name, tuple)]
        lancedb_folder.rename(lancedb_folder.with_name("elsewhere"))
        for name in names:
            with pytest.raises(UnreachableError, match="is gone"):
                reader.read(name)
        with pytest.raises(UnreachableError, match="no folder"):
            list(reader.names())


def test_a_wrong_path_is_an_error_and_makes_nothing(tmp_path: Path, lancedb_folder: Path) -> None:
    nowhere, empty, file = tmp_path / "nowhere", tmp_path / "empty", tmp_path / "file"
    empty.mkdir()
    file.touch()
    for path, message in (
        (nowhere, "there is no folder"),
        (empty, "contains no table"),
        (file, "path is the file"),
        (lancedb_folder / "notes.lance", "path is the table"),
    ):
        with pytest.raises(UnreachableError, match=f"{message}.*Set path"):
            reader_of(path)
    assert not nowhere.exists()
    assert list(empty.iterdir()) == []


@pytest.fixture
def open_to_all(lancedb_folder: Path) -> Iterator[Path]:
    """A copy where nobody else's folders are in the way."""
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        yield Path(shutil.copytree(lancedb_folder, Path(place) / "db"))


def test_what_may_not_be_read_is_denied(open_to_all: Path) -> None:
    with closing(reader_of(open_to_all)) as reader:
        names = list(reader.names())
        hidden = [
            open_to_all / "bare.lance" / "_versions",
            next((open_to_all / "house.lance" / "data").iterdir()),
        ]
        for place in hidden:
            place.chmod(0)
        with as_nobody():
            assert list(reader.names()) == names
            for table in ("bare", "house"):
                with pytest.raises(DeniedError, match=f"no permission to read all of the table {table}"):
                    reader.read((table,))
            assert reader.read(("notes",)).count == 30
        open_to_all.chmod(0)
        with as_nobody(), pytest.raises(DeniedError, match="no permission to read"):
            reader_of(open_to_all)
        open_to_all.chmod(0o755)


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("db://my-database", "LanceDB Cloud"),
        ("file:///tmp/x", "as path"),
        ("/tmp/x", "as path"),
        ("s3://key:secret@bucket/x", "storage_options"),
        ("s3://bucket/x?token=secret", "storage_options"),
        ("", "cannot be used"),
    ],
)
def test_a_uri_that_cannot_be_used(uri: str, message: str) -> None:
    with pytest.raises(UnreachableError, match=message) as caught:
        LanceReader(uri=uri)
    assert "secret" not in str(caught.value)


def test_a_table_without_ids_cannot_be_asked_for_them(lancedb_written: Path) -> None:
    with closing(reader_of(lancedb_written)) as reader:
        with pytest.raises(UnreadableError, match="no column of ids"):
            reader.has(("bare",), ["1"])
        assert reader.has(("bare",), []) == frozenset()


def test_ids_may_be_in_a_column_called_node_id_and_repeat(tmp_path: Path) -> None:
    db = lancedb.connect(tmp_path)
    rows = [{"node_id": "it's" if n % 2 else "b", "vector": [1.0, 2.0]} for n in range(60)]
    db.create_table("docs", pa.Table.from_pylist(rows))
    with closing(reader_of(tmp_path)) as reader:
        assert reader.has(("docs",), ["it's", "b", "c"]) == {"it's", "b"}
