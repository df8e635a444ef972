"""Attaching: what it imports, takes from the environment, refuses, and gives back."""

from __future__ import annotations

import inspect
import os
import pkgutil
import subprocess
import sys
from contextvars import ContextVar
from importlib import import_module
from pathlib import Path

import pytest

import datahub_llmops.hooks as lineage
from datahub_llmops.hooks import attaching, blocks, runtime
from datahub_llmops.hooks.settings import Settings
from hooks.seen import Host, stored_answers


def fresh(program: str, **environment: str) -> str:
    """What a program prints in an interpreter of its own."""
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment},
    )
    return done.stdout.strip()


def test_it_imports_nobody(tmp_path: Path) -> None:
    program = (
        "import sys, datahub_llmops.hooks as l\n"
        f"h = l.attach('a', store={str(tmp_path / 'a.db')!r})\n"
        "with l.answer(): pass\n"
        "assert h.flush(5)\n"
        "print(sorted({n.partition('.')[0] for n in sys.modules}"
        " & {'datahub', 'langchain', 'langchain_core', 'llama_index', 'pydantic', 'requests', 'typing_extensions'}))"
    )
    assert fresh(program) == "[]"
    assert len(stored_answers(tmp_path / "a.db")) == 1


@pytest.mark.parametrize("first", ["attach", "import"])
def test_what_is_imported_before_and_after_is_hooked(tmp_path: Path, first: str) -> None:
    attach = f"import datahub_llmops.hooks as l; h = l.attach('a', store={str(tmp_path / 'a.db')!r})\n"
    use = (
        "from hooks.parts import *\nfrom llama_index.core import VectorStoreIndex, Document, MockEmbedding\n"
    )
    program = (attach + use if first == "attach" else use + attach) + (
        "rag(InMemoryVectorStore.from_documents(DOCUMENTS, NamedEmbedding(size=8))).invoke('q')\n"
        "VectorStoreIndex.from_documents([Document(text='a')], embed_model=MockEmbedding(8))"
        ".as_retriever().retrieve('q')\n"
        "assert h.flush(5)\n"
        "import sys; print(h.stats()['errors'], h.stats()['degraded'],"
        " [type(f).__name__ for f in sys.meta_path if type(f).__name__ == 'Finder'])"
    )
    said = fresh(program)
    assert said.startswith("{} []")
    assert [one.framework for one in stored_answers(tmp_path / "a.db")] == ["langchain", "llama-index"]


def test_the_import_hook_leaves_nothing_on_modules(tmp_path: Path) -> None:
    program = (
        f"import datahub_llmops.hooks as l; l.attach('a', store={str(tmp_path / 'a.db')!r})\n"
        "import langchain_core.retrievers as r\n"
        "print(type(r.__loader__).__name__, 'exec_module' in vars(r.__loader__))"
    )
    assert fresh(program) == "SourceFileLoader False"


def test_the_environment_configures_and_code_wins(tmp_path: Path) -> None:
    environment = {
        "DATAHUB_LLMOPS_APPLICATION": "from-environment",
        "DATAHUB_LLMOPS_STORE": str(tmp_path / "a.db"),
        "DATAHUB_LLMOPS_SAMPLE": "seven",
        "DATAHUB_LLMOPS_SOURCE_KEYS": "clear",
    }
    program = (
        "import datahub_llmops.hooks as l; from datahub_llmops.hooks import runtime\n"
        "h = l.attach(); s = runtime.settings; print(s.application, s.sample, s.source_keys, len(s.notes))\n"
        "h = l.attach('from-code', source_keys='off'); s = runtime.settings; print(s.application, s.source_keys)"
    )
    assert fresh(program, **environment).splitlines() == ["from-environment 1.0 clear 1", "from-code off"]


def test_turned_off_by_the_environment(tmp_path: Path) -> None:
    program = (
        f"import datahub_llmops.hooks as l; h = l.attach('a', store={str(tmp_path / 'a.db')!r})\n"
        "from hooks.parts import Model\n"
        "with l.answer() as a: Model().invoke('q')\n"
        "print(bool(a.id), h.stats()['enabled'], h.flush(1))"
    )
    assert fresh(program, DATAHUB_LLMOPS_DISABLED="1") == "True False True"
    assert not (tmp_path / "a.db").exists()


@pytest.mark.parametrize(
    "options",
    [{"sample": 1.5}, {"source_keys": "plain"}, {"ship_every": 0}, {"application": " "}, {"max_bytes": 5}],
)
def test_mistakes_of_the_caller_are_told_at_once(options: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        Settings(**options)  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize(
    ("vendor", "attribute", "module", "function"), attaching.HOOKS, ids=[one[0] for one in attaching.HOOKS]
)
def test_every_hook_resolves(vendor: str, attribute: str, module: str, function: str) -> None:
    imported = import_module(vendor)
    assert not attribute or inspect.isclass(getattr(imported, attribute))
    hook = getattr(import_module(f"datahub_llmops.hooks.{module}"), function)
    assert len(inspect.signature(hook).parameters) == 1


def test_reset_forgets_every_context_variable() -> None:
    variables = {
        name: one
        for module in pkgutil.walk_packages(lineage.__path__, f"{lineage.__name__}.")
        for name, one in vars(import_module(module.name)).items()
        if isinstance(one, ContextVar)
    }
    rooms = {**vars(runtime), **vars(blocks)}
    assert set(variables) == {name for name, one in rooms.items() if isinstance(one, ContextVar)}
    for one in variables.values():
        one.set("something")
    runtime.reset()
    assert {one.get() for one in variables.values()} == {None}


def test_detached_in_the_middle_of_an_answer(host: Host) -> None:
    from hooks.parts import Model

    with lineage.answer():
        Model().invoke("q")
        host.handle.detach()
        Model().invoke("q")
    assert not host.path.exists()


def test_a_key_that_hosts_share(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from datahub_llmops.answer_store import digests

    one, other = (digests.key(str(tmp_path / name)) for name in ("a.db", "b.db"))
    assert one != other
    assert digests.key(str(tmp_path / "a.db")) == one
    monkeypatch.setenv("DATAHUB_LLMOPS_KEY", "shared")
    assert digests.key(str(tmp_path / "a.db")) == digests.key(str(tmp_path / "b.db"))
