"""``attach(store=False)``: spans are stamped, and nothing else is left anywhere."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.documents import Document
from opentelemetry.sdk.trace import TracerProvider

import datahub_llmops.hooks as lineage
from datahub_llmops.answer_store import digests
from datahub_llmops.assets import span_names
from datahub_llmops.hooks import recorder as recording
from datahub_llmops.hooks import runtime
from datahub_llmops.hooks.langchain import events
from datahub_llmops.hooks.open_store import OpenStore
from datahub_llmops.hooks.settings import Settings
from hooks.parts import DOCUMENTS, InMemoryVectorStore, Model, NamedEmbedding, rag
from hooks.seen import Host, stored_answers

TRACER = TracerProvider().get_tracer("test")


@pytest.fixture
def handle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[lineage.Handle]:
    """Attached without a store, in an empty folder that is also the home of the user."""
    monkeypatch.chdir(tmp_path)
    for variable in ("HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(variable, str(tmp_path))
    handle = lineage.attach("support-bot", version="7", store=False)
    yield handle
    handle.detach()


def stamped(span: Any) -> dict[str, Any]:
    return dict(span.attributes or {})


def test_an_answer_is_on_its_span_and_nowhere_else(
    handle: lineage.Handle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def opened(*given: object) -> Any:
        pytest.fail("a store was opened")

    monkeypatch.setattr(OpenStore, "open", opened)
    before = handle.stats()
    store = InMemoryVectorStore.from_documents(DOCUMENTS, NamedEmbedding(size=8))
    with TRACER.start_as_current_span("request") as span:
        rag(store).invoke("q")
    last = lineage.current_answer()
    assert last is not None
    found = stamped(span)
    assert (found[span_names.ANSWER_ID], found[span_names.RECORDED]) == (last.id, False)
    assert {span_names.INDEX_RAW, span_names.PROMPT, span_names.SOURCES, span_names.HOST} <= found.keys()
    assert handle.flush(1)
    stats = handle.stats()
    for name in ("recorded", "written", "dropped"):
        assert stats[name] == before[name]
    assert (stats["waiting"], stats["store"], stats["stamped"]) == (0, None, before["stamped"] + 1)
    assert stats["notes"] == [] == list(tmp_path.iterdir())


def test_a_block_is_an_answer(handle: lineage.Handle) -> None:
    with TRACER.start_as_current_span("request") as span, lineage.answer() as answer:
        Model().invoke("a")
        assert lineage.current_answer() is answer
    assert stamped(span)[span_names.ANSWER_ID] == answer.id
    assert answer.finished


def test_chunks_are_stamped_without_digests_unless_there_is_a_key(
    handle: lineage.Handle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = InMemoryVectorStore(NamedEmbedding(size=8))

    def write() -> dict[str, Any]:
        with lineage.job("nightly", key_field="row", stamp=True):
            (name,) = store.add_documents([Document("a", metadata={"row": 7})])
        return dict(store.store[name]["metadata"])

    assert write().keys() == {"row", "dh_embed_run"}
    assert digests.KEY_VARIABLE in str(handle.stats()["degraded"])
    monkeypatch.setenv(digests.KEY_VARIABLE, "shared by all hosts")
    assert write().keys() == {"row", "dh_embed_run", "dh_source_key", "dh_content_hmac"}
    assert list(tmp_path.iterdir()) == []


def test_runs_that_never_end_are_given_up(handle: lineage.Handle, monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread that writes the store elsewhere sweeps here."""
    monkeypatch.setattr(recording, "TICK", 0.05)
    monkeypatch.setattr(runtime, "MAX_AGE", 0.0)
    before = handle.stats()["abandoned"]
    Model().invoke("a")
    stream = rag(InMemoryVectorStore.from_documents(DOCUMENTS, NamedEmbedding(size=8))).stream("q")
    next(stream)
    assert events.runs
    while handle.stats()["abandoned"] == before:
        pass


def test_what_waited_is_written_before_the_store_goes(host: Host) -> None:
    Model().invoke("a")
    lineage.attach("support-bot", store=False)
    Model().invoke("b")
    assert len(stored_answers(host.path)) == 1
    lineage.attach("support-bot", store=host.path)
    Model().invoke("c")
    assert len(host.answers()) == 2


@pytest.mark.parametrize("argument", ["ship", "segments"])
def test_nothing_is_sent_of_no_store(argument: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match=rf"^attach\(store=False, {argument}=\.\.\.\): without a store"):
        Settings("a", store=False, **{argument: "x"})  # type: ignore[arg-type]  # one of two arguments
    monkeypatch.setenv(f"DATAHUB_LLMOPS_{argument.upper()}", "x")
    assert f"DATAHUB_LLMOPS_{argument.upper()} is ignored" in str(Settings("a", store=False).notes)


def test_the_environment_can_say_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATAHUB_LLMOPS_STORE", "false")
    assert (Settings("a").records, Settings("a").store) == (False, "")
    given = Settings("a", store=tmp_path / "a.db")
    assert (given.records, given.store) == (True, str(tmp_path / "a.db"))


PROGRAM = """
import sys
if sys.argv[1] == "without":
    sys.modules["opentelemetry"] = None
import datahub_llmops.hooks as lineage
handle = lineage.attach("a", store=False)
from hooks.parts import *
rag(InMemoryVectorStore.from_documents(DOCUMENTS, NamedEmbedding(size=8))).invoke("q")
with lineage.answer() as answer:
    pass
assert answer.id and handle.flush(1)
stats = handle.stats()
print(stats["stamped"], stats["errors"], "sqlite3" in sys.modules, stats["notes"])
"""


def test_without_opentelemetry_it_does_nothing_and_says_so(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, "without"],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env={**os.environ, "HOME": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    note = "store=False, and the application uses no OpenTelemetry: answers leave no trace"
    assert done.stdout == f"0 {{}} False {[note]}\n"
    assert list(tmp_path.iterdir()) == []
