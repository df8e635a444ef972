"""``check`` inside of an application: from memory, off its threads, and the same as the command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from langchain_chroma import Chroma
from langchain_core.embeddings import DeterministicFakeEmbedding

import datahub_llmops.hooks as lineage
from datahub_llmops.hooks import guard, index_check
from datahub_llmops.hooks.index_check import IndexVerdict
from governance.estate import INDEX, estate, write
from support.paths import TESTS


@pytest.fixture
def catalog(tmp_path: Path) -> str:
    path = tmp_path / "catalog.db"
    write(path, estate()).close()
    return str(path)


@pytest.fixture(autouse=True)
def _nothing_kept() -> None:
    index_check._kept.clear()


def answered(ask: Callable[[], IndexVerdict]) -> IndexVerdict:
    """Ask until the catalog has answered; the suite's own time limit is the bound."""
    while (found := ask()).age is None:
        time.sleep(0.05)
    return found


def test_the_first_answer_is_not_known_and_the_next_ones_come_from_memory(catalog: str) -> None:
    first = lineage.check(INDEX, catalog=catalog)
    assert (first.verdict, first.urn, first.ok) == ("not known", INDEX, False)
    assert first.reason is not None
    found = answered(lambda: lineage.check(INDEX, catalog=catalog))
    assert found.urn == INDEX
    assert "not_counted" in found.codes


def test_it_says_what_the_command_says(catalog: str) -> None:
    found = answered(lambda: lineage.check(INDEX, catalog=catalog))
    command = [
        sys.executable,
        "-m",
        "datahub_llmops.cli.main",
        "--catalog",
        catalog,
        "check",
        INDEX,
        "--json",
    ]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    assert json.dumps(found.report, indent=2) + "\n" == said


def test_a_retriever_is_checked_by_its_index(catalog: str, tmp_path: Path) -> None:
    store = Chroma(
        collection_name="docs",
        embedding_function=DeterministicFakeEmbedding(size=8),
        persist_directory=str(tmp_path / "chroma"),
    )
    found = answered(lambda: lineage.check(store.as_retriever(), catalog=catalog))
    assert found.urn == INDEX
    assert answered(lambda: lineage.check(store, catalog=catalog)).urn == INDEX


def test_a_short_name_will_do(catalog: str) -> None:
    assert answered(lambda: lineage.check("chroma:default_database.docs", catalog=catalog)).urn == INDEX


def test_an_old_verdict_is_not_known(catalog: str) -> None:
    answered(lambda: lineage.check(INDEX, catalog=catalog))
    found = lineage.check(INDEX, catalog=catalog, max_age=0.0)
    assert (found.verdict, found.reason) == ("not known", "the last verdict is too old")


@pytest.mark.parametrize("name", ["nothing", "urn:li:dataset:(urn:li:dataPlatform:chroma,nothing,PROD)"])
def test_an_index_that_the_catalog_does_not_know_is_not_known(catalog: str, name: str) -> None:
    found = answered(lambda: lineage.check(name, catalog=catalog))
    assert found.verdict == "not known"
    assert "nothing" in str(found.reason)


def test_a_catalog_that_is_not_there_is_not_known(tmp_path: Path) -> None:
    found = answered(lambda: lineage.check(INDEX, catalog=str(tmp_path / "none.db")))
    assert found.verdict == "not known"
    assert "none.db" in str(found.reason)


def test_a_server_that_refuses_is_not_known() -> None:
    found = answered(lambda: lineage.check(INDEX, catalog="http://127.0.0.1:1"))
    assert found.verdict == "not known"
    assert found.reason


@pytest.mark.parametrize("target", [None, 3, object(), [], "", "--help", type, lambda: None])
def test_anything_else_is_not_known(target: object) -> None:
    assert lineage.check(target).verdict == "not known"


class Hostile:
    def __getattr__(self, name: str) -> Any:
        raise ZeroDivisionError(name)


def test_it_never_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "reraise", False)
    assert lineage.check(Hostile()).verdict == "not known"

    def fail(_name: object) -> None:
        raise RuntimeError("out of threads")

    monkeypatch.setattr(index_check, "_ask", fail)
    assert lineage.check(INDEX).verdict == "not known"


PROGRAM = """
import sys, time
from _thread import get_ident  # The interpreter's own, before gevent replaces it.
application = get_ident()
here = []

def audit(event, arguments):
    if get_ident() == application and event.startswith(("socket.", "subprocess.", "sqlite3.")):
        here.append(event)

{before}
import datahub_llmops.hooks as lineage
sys.addaudithook(audit)
while lineage.check({index!r}, catalog={catalog!r}).age is None:
    time.sleep(0.05)
found = lineage.check({index!r}, catalog={catalog!r})
print(found.urn, here, sorted(name for name in ("datahub", "pydantic", "sqlite3") if name in sys.modules))
"""


@pytest.mark.parametrize(
    "before", ["", "from gevent import monkey; monkey.patch_all()"], ids=["threads", "gevent"]
)
def test_nothing_happens_on_the_caller_s_thread(catalog: str, before: str) -> None:
    program = PROGRAM.format(index=INDEX, catalog=catalog, before=before)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=TESTS
    )
    assert done.stdout.strip() == f"{INDEX} [] []", done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_worker_asks_for_itself(catalog: str) -> None:
    lineage.check(INDEX, catalog=catalog)
    program = (
        "import os, time, datahub_llmops.hooks as lineage\n"
        f"lineage.check({INDEX!r}, catalog={catalog!r})\n"
        "if os.fork():\n    os.wait()\nelse:\n"
        f"    while lineage.check({INDEX!r}, catalog={catalog!r}).age is None:\n        time.sleep(0.05)\n"
        f"    print(lineage.check({INDEX!r}, catalog={catalog!r}).urn, flush=True)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.stdout.strip() == INDEX, done.stderr
