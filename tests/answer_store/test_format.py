"""The format of the answer store: what older releases wrote is read, and what is dumped is loaded again."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import override

from datahub_llmops.answer_store.database import Store
from datahub_llmops.answer_store.format import dump_answer, dump_writes, load_answer, load_writes
from datahub_llmops.answer_store.keys import FACTS, VERSION
from datahub_llmops.answer_store.queries import Kind, Queries
from datahub_llmops.answer_store.recorded import (
    Chunk,
    Identities,
    ModelCall,
    RecordedAnswer,
    RecordedWrites,
    Retrieval,
    ToolCall,
)
from datahub_llmops.answer_store.values import LAST_MOMENT
from datahub_llmops.cli.main import main
from datahub_llmops.errors import StoreError

WIRE = Path(__file__).parents[1] / "wire" / "answer_store"
RELEASES = sorted(path.stem for path in WIRE.glob("*.sql"))


@pytest.mark.parametrize("release", RELEASES)
class TestAStoreOfAnOlderRelease:
    @pytest.fixture
    def path(self, release: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """The store, on a host without a catalog that has the key of the store."""
        monkeypatch.setenv("DATAHUB_LLMOPS_KEY", "the key of this fixture")
        for variable in ("HOME", "XDG_DATA_HOME", "LOCALAPPDATA"):
            monkeypatch.setenv(variable, str(tmp_path))
        path = tmp_path / "answers.db"
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript((WIRE / f"{release}.sql").read_text("utf-8"))
        return path

    @pytest.fixture
    def said(self, release: str) -> dict[str, Any]:
        """What that release read from it."""
        found: dict[str, Any] = json.loads((WIRE / f"{release}.json").read_text("ascii"))
        return found

    def test_every_answer_and_write_is_read_as_before(self, path: Path, said: dict[str, Any]) -> None:
        with closing(Store.read(path)) as store:
            identities = Identities(store)
            answers = [without_later_fields(asdict(load_answer(row, identities))) for row in store.answers()]
            writes = [asdict(load_writes(row, identities)) for row in store.writes()]
        assert json.loads(json.dumps(answers)) == said["answers"]
        assert json.loads(json.dumps(writes)) == said["writes"]

    def test_it_is_dumped_as_it_was_written(self, path: Path) -> None:
        with closing(Store.open(str(path))) as store, store.transaction():
            identities = Identities(store)
            answers = list(store.answers())
            for row in answers:
                dumped = dump_answer(
                    load_answer(row, identities), store.intern, query_digest=row.body.get("q")
                )
                assert dumped._replace(seq=row.seq) == row._replace(body=without_trailing_nulls(row.body))
            for written in store.writes():
                dumped_writes = dump_writes(load_writes(written, identities), store.intern)
                assert dumped_writes._replace(seq=written.seq) == written._replace(
                    body=with_one_count_of_unknown_sources(written.body)
                )
        assert answers

    def test_the_commands_print_what_they_printed(self, path: Path, said: dict[str, Any]) -> None:
        everything = ("--json", "--since", "36500d")
        given = [len(each_once(one["documents"])) for one in said["explain --json, without its answer"]]
        counts = {answer["id"]: count for answer, count in zip(said["answers"], given, strict=True)}
        expected = [{**one, "documents": counts[one["id"]]} for one in said["answers --json"]]
        assert printed("answers", *everything, "--limit", "1000", store=path) == expected
        usage = [
            printed("answers", "usage", *everything, "--by", by, store=path)
            for by in ("application", "version", "model", "prompt", "day")
        ]
        assert usage == said["answers usage --json"]

    def test_explain_prints_what_it_printed(self, path: Path, said: dict[str, Any]) -> None:
        for answer, explanation in zip(
            said["answers"], said["explain --json, without its answer"], strict=True
        ):
            found = printed("explain", answer["id"], "--json", store=path)
            # Later releases say this too.
            assert found.pop("not_confirmed") == []
            for model in found["models"]:
                del model["prompt"]
            found["answer"] = without_later_fields(found["answer"])
            documents = each_once(explanation["documents"])
            assert found == {"answer": answer, **explanation, "documents": documents}


def without_later_fields(answer: dict[str, Any]) -> dict[str, Any]:
    """Take away what later releases say too. An older store has nothing there."""
    assert answer.pop("recorded_on") is None
    assert not answer.pop("scores")
    for call in answer["models"]:
        assert call.pop("cost") is None
        assert call.pop("fingerprint") is None
    return answer


def each_once(documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Release 0.1.0 listed a document twice that a retriever got from another one."""
    return list({document["chunk"]: document for document in documents}.values())


def without_trailing_nulls(body: dict[str, Any]) -> dict[str, Any]:
    """Where a chunk has metadata of no use, the encoder writes a null for each of it."""
    retrievals = body.get("r")
    if retrievals is None:
        return body
    trimmed = [{**one, "c": [trim(chunk) for chunk in one["c"]]} if "c" in one else one for one in retrievals]
    return {**body, "r": trimmed}


def trim(chunk: list[Any]) -> list[Any]:
    return chunk[:1] + chunk[1 : max((n for n, value in enumerate(chunk, 1) if value is not None), default=1)]


def with_one_count_of_unknown_sources(body: dict[str, Any]) -> dict[str, Any]:
    """Sources beyond the bound are stored apart from unknown ones and read as one number; no sources are no key."""
    unknown = body.get("s0", 0) + body.get("sx", 0)
    rest = {key: value for key, value in body.items() if key not in ("s0", "sx") and value != {}}
    return {**rest, **({"s0": unknown} if unknown else {})}


def printed(*arguments: str, store: Path) -> Any:
    """What the command prints, as JSON."""
    done = CliRunner().invoke(main, [*arguments, "--store", str(store)])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


# What is dumped is loaded again

TEXTS = st.text(max_size=8)
WORDS = st.text(min_size=1, max_size=8)
COUNTS = st.integers(0, 10**9)
MILLISECONDS = st.integers(0, int(LAST_MOMENT) * 1000)
TIMES = MILLISECONDS.map(lambda milliseconds: milliseconds / 1000)
SCALARS = TEXTS | st.booleans() | st.integers(-(2**53), 2**53)
RAW = st.dictionaries(WORDS, SCALARS | st.lists(WORDS, max_size=2), max_size=3)
NO_OR = st.none().__or__
CHUNKS = st.builds(
    Chunk,
    id=NO_OR(TEXTS),
    score=NO_OR(st.floats(allow_nan=False, allow_infinity=False)),
    source=NO_OR(RAW),
    key=NO_OR(TEXTS),
    run=NO_OR(TEXTS),
    place=st.dictionaries(st.sampled_from(["page", "row"]), st.integers(0, 10**6)),
)
RETRIEVALS = st.builds(
    Retrieval,
    retriever=RAW,
    index=NO_OR(RAW),
    index_number=st.none(),
    embedding=NO_OR(RAW),
    chunks=st.lists(CHUNKS, max_size=3).map(tuple),
    milliseconds=NO_OR(COUNTS),
    status=WORDS,
    composite=st.booleans(),
    within=NO_OR(COUNTS),
    chunks_cut=COUNTS,
)
MODELS = st.builds(
    ModelCall,
    asked=RAW,
    served=NO_OR(RAW),
    prompt=NO_OR(COUNTS),
    milliseconds=NO_OR(COUNTS),
    status=WORDS,
    error=NO_OR(TEXTS),
    cached=st.booleans(),
    tokens_in=NO_OR(COUNTS),
    tokens_out=NO_OR(COUNTS),
    tokens_cached=NO_OR(COUNTS),
    tokens_cache_write=NO_OR(COUNTS),
    tokens_reasoning=NO_OR(COUNTS),
    cost=NO_OR(st.floats(0, 1000)),
    fingerprint=NO_OR(TEXTS),
)
TOOLS = st.builds(ToolCall, name=TEXTS, milliseconds=NO_OR(COUNTS), status=WORDS)
ANSWERS = st.builds(
    RecordedAnswer,
    id=st.builds("{:012x}{:016x}".format, MILLISECONDS, st.integers(0, 2**64 - 1)),
    application=TEXTS,
    version=NO_OR(TEXTS),
    framework=NO_OR(TEXTS),
    framework_version=NO_OR(TEXTS),
    root=NO_OR(TEXTS),
    host=NO_OR(TEXTS),
    started=st.just(0.0),
    ended=TIMES,
    status=WORDS,
    error=NO_OR(TEXTS),
    weight=st.floats(0.5, 1000),
    retrievals=st.lists(RETRIEVALS, max_size=2).map(tuple),
    prompts=st.lists(RAW, max_size=2).map(tuple),
    models=st.lists(MODELS, max_size=2).map(tuple),
    tools=st.lists(TOOLS, max_size=2).map(tuple),
    parts_cut=COUNTS,
    query_text=NO_OR(TEXTS),
    answer_text=NO_OR(TEXTS),
)
WRITES = st.builds(
    RecordedWrites,
    run=WORDS,
    application=TEXTS,
    index=RAW,
    index_number=st.just(0),
    embedding=NO_OR(RAW),
    started=TIMES,
    ended=TIMES,
    framework=TEXTS,
    host=NO_OR(TEXTS),
    job=NO_OR(TEXTS),
    flow=NO_OR(TEXTS),
    orchestrator=NO_OR(TEXTS),
    counts=st.dictionaries(st.sampled_from(["added", "deleted", "failed"]), COUNTS),
    sources=st.lists(st.tuples(RAW, COUNTS), max_size=3, unique_by=lambda one: json.dumps(one[0])).map(tuple),
    sources_unknown=COUNTS,
    splitter=NO_OR(RAW),
    facts=st.dictionaries(st.sampled_from(FACTS), WORDS | st.lists(WORDS, max_size=2)),
    error=NO_OR(TEXTS),
)


class Numbers(Queries):
    """Identities of a store, in memory."""

    def __init__(self) -> None:
        self._raws: list[tuple[Kind, Mapping[str, Any]]] = []

    def intern(self, kind: Kind, raw: Mapping[str, Any]) -> int:
        texts = [(kind, json.dumps(one)) for kind, one in self._raws]
        if (kind, json.dumps(raw)) not in texts:
            self._raws.append((kind, raw))
            return len(self._raws) - 1
        return texts.index((kind, json.dumps(raw)))

    @override
    def identity(self, number: int) -> dict[str, Any]:
        return dict(self._raws[number][1])


@given(ANSWERS, WRITES)
def test_what_is_dumped_is_loaded_again(answer: RecordedAnswer, writes: RecordedWrites) -> None:
    numbers = Numbers()
    row = stored(dump_answer(answer, numbers.intern))
    loaded = asdict(load_answer(row, Identities(numbers)))
    expected = asdict(answer)
    for one in expected["retrievals"]:
        one["index_number"] = None if one["index"] is None else numbers.intern("index", one["index"])
    assert loaded == {**expected, "started": row.started}
    written = stored(dump_writes(writes, numbers.intern))
    loaded = asdict(load_writes(written, Identities(numbers)))
    assert loaded == {**asdict(writes), "index_number": numbers.intern("index", writes.index)}


def stored(row: Any) -> Any:
    """A row whose body has been JSON."""
    return row._replace(body=json.loads(json.dumps(row.body)))


# Versions


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "answers.db"
    Store.open(str(path)).close()
    return path


def set_version(path: Path, version: int) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version={version}")


@pytest.mark.parametrize("how", [Store.read, Store.open])
def test_a_newer_version_is_refused(path: Path, how: Any) -> None:
    set_version(path, VERSION + 1)
    with pytest.raises(StoreError) as caught:
        how(str(path))
    assert str(caught.value) == (
        f"answer store {path} has format version {VERSION + 1}, this release reads version {VERSION}:"
        " upgrade datahub-llmops"
    )


@pytest.mark.parametrize("how", [Store.read, Store.open])
def test_a_store_without_a_version_has_the_first_one(path: Path, how: Any) -> None:
    with closing(Store.open(str(path))) as store, store.transaction():
        store.put_answer("0" * 28, 1.0, store.intern("application", {"name": "a"}), "ok", "{}", ())
    set_version(path, 0)
    with closing(how(str(path))) as store:
        assert [load_answer(row, Identities(store)).application for row in store.answers()] == ["a"]
