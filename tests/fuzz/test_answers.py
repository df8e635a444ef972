"""Damaged answer stores, records that no release wrote, and filters and addresses of any shape."""

from __future__ import annotations

import json
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

import datahub_llmops.hooks as lineage
from datahub_llmops.answer_store.database import Store
from datahub_llmops.answer_store.format import load_answer, load_writes
from datahub_llmops.answer_store.recorded import Identities
from datahub_llmops.answer_store.replacement import open_or_replace
from datahub_llmops.answers.daily_totals import roll_up
from datahub_llmops.answers.names import HookNames
from datahub_llmops.answers.resolver import Resolver
from datahub_llmops.cli.main import main
from datahub_llmops.errors import RecordError, StoreError
from datahub_llmops.hooks import addresses, chunk_sources, vendor_attributes
from datahub_llmops.hooks.store_identity import filter_keys
from datahub_llmops.runs.config import RunsConfig
from fuzz.mutate import mutate_json
from fuzz.rounds import rounds
from hooks.parts import DOCUMENTS, InMemoryVectorStore, NamedEmbedding, rag

pytestmark = pytest.mark.fuzz

SECRET = "PLANTED"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with writes and three hundred answers with their texts, without a log."""
    path = tmp_path_factory.mktemp("whole") / "answers.db"
    handle = lineage.attach("support-bot", version="1", store=path, capture_text=True)
    with lineage.job("nightly"):
        chain = rag(InMemoryVectorStore.from_documents(DOCUMENTS, NamedEmbedding(size=8)))
    for number in range(300):
        with lineage.answer() as a:
            chain.invoke(f"{SECRET} {number}")
            a.text = f"{SECRET} {number}"
    assert handle.flush(10)
    handle.detach()
    copied = path.with_name("copied.db")  # Without a log: the recorder keeps the original open.
    with closing(sqlite3.connect(path)) as db, closing(sqlite3.connect(copied)) as copy:
        db.backup(copy)
        copy.execute("pragma journal_mode=delete")
    return copied


def test_damaged_stores(whole: Path, tmp_path: Path) -> None:
    data = whole.read_bytes()
    with closing(Store.read(whole)) as store:
        some = next(store.answers()).id
    path = tmp_path / "damaged.db"
    for chance in rounds("answer_store"):
        changed = bytearray(data)
        for _ in range(chance.choice((1, 1, 3, 20))):
            changed[chance.randrange(100, len(changed))] ^= 1 << chance.randrange(8)
        if chance.random() < 0.1:
            del changed[chance.randrange(len(changed)) :]
        for arguments in (
            ("answers",),
            ("answers", "--json"),
            ("answers", "usage", "--by", "model"),
            ("explain", some),
            ("answers", "export", str(tmp_path / "out.jsonl"), "--force"),
        ):
            path.write_bytes(changed)
            begun = time.monotonic()
            done = CliRunner().invoke(main, [*arguments, "--store", str(path)])
            assert time.monotonic() - begun < 30, f"seed {chance.number} of answer_store hangs"
            if done.exception is not None and not isinstance(done.exception, SystemExit):
                raise AssertionError(f"seed {chance.number} of answer_store: {arguments}") from done.exception
            if done.exit_code:
                assert SECRET not in done.output, f"seed {chance.number} of answer_store quotes a row"
        path.write_bytes(changed)
        with chance.tells("answer_store", StoreError):
            store, _ = open_or_replace(str(path))
            store.close()
        for left in tmp_path.glob("damaged.db*"):
            left.unlink()


def test_records(whole: Path, tmp_path: Path) -> None:
    path = tmp_path / "records.db"
    config = RunsConfig()
    for chance in rounds("records_of_answers"):
        path.write_bytes(whole.read_bytes())
        with closing(sqlite3.connect(path)) as db:
            table = chance.choice(("answers", "identities", "identities", "writes"))
            for number, text in db.execute(f"select rowid, body from {table} limit 20").fetchall():
                mutated = json.dumps(mutate_json(json.loads(text), chance))
                db.execute(f"update or ignore {table} set body = ? where rowid = ?", (mutated, number))
            db.commit()
        passed: list[str] = []
        with closing(Store.read(path)) as store, chance.tells("records_of_answers", StoreError):
            known = Identities(store)
            answers = []
            for row in store.answers():
                try:
                    answers.append(load_answer(row, known))
                except RecordError as error:
                    passed.append(str(error))
            roll_up(answers, HookNames(Resolver([], env="PROD")), config, lambda *_: None)
            for written in store.writes():
                try:
                    load_writes(written, known)
                except RecordError as error:
                    passed.append(str(error))
        assert all(one.isascii() and len(one) < 100 for one in passed), f"seed {chance.number}"


def test_filters_and_addresses() -> None:
    letters = "aZ0/:@?#[]%;=& '\"\\+.,-_!$~|<>(){}"
    for chance in rounds("filters_and_addresses"):
        value = mutate_json(
            {"$and": [{"year": {"$gt": 5}}, {"$or": [{"lang": ["en"]}, {"a": None}]}]}, chance
        )
        with chance.tells("filters_and_addresses"):
            assert len(filter_keys(value)) <= 20
            before, after = ("".join(chance.choices(letters, k=chance.randrange(8))) for _ in "12")
            for scheme, rest in (("postgresql", "db:5432/kb"), ("https", "host/x.db"), ("s3", "bucket/x")):
                address = f"{scheme}://user:{before}{SECRET}{after}@{rest}"
                store = SimpleNamespace(connection_args={"uri": address})
                kept = (
                    addresses.parse_address(address),
                    addresses.parse_dsn(address),
                    addresses.parse_path(address),
                    vendor_attributes._milvus_location(store),
                    vendor_attributes._milvus_collection(store),
                    chunk_sources.clean_address(address, lambda _: "0"),
                )
                assert SECRET.lower() not in str(kept).lower()
