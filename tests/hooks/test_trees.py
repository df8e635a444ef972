"""Random run trees with random ends, orders and interleavings, against a plain model of what must be stored."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.documents import Document
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, LLMResult

import datahub_llmops.hooks as lineage
from datahub_llmops.hooks.langchain import handler as langchain
from hooks.parts import Model
from hooks.seen import stored_answers
from support.examples import examples

KINDS = ["chain", "retriever", "model", "tool", "prompt"]
ENDS = ["end", "error", "never"]


@dataclass
class Run:
    """A run of the tree under test."""

    kind: str
    ending: str
    parent: int | None
    id: UUID = field(default_factory=uuid4)
    open: bool = False


@st.composite
def trees(draw: st.DrawFn) -> list[tuple[Run, ...]]:
    """Runs in the order of their starts; a parent starts before its children."""
    size = draw(st.integers(1, 12))
    runs: list[Run] = []
    for number in range(size):
        parent = draw(st.one_of(st.none(), st.integers(0, number - 1))) if number else None
        runs.append(Run(draw(st.sampled_from(KINDS)), draw(st.sampled_from(ENDS)), parent))
    return [tuple(runs)]


def begin(handler: Any, run: Run, parent: UUID | None) -> None:
    """The start event of a run."""
    common = {"run_id": run.id, "parent_run_id": parent}
    if run.kind == "chain":
        handler.on_chain_start(None, {"question": "q"}, name="chain", **common)
    elif run.kind == "prompt":
        handler.on_chain_start({"kwargs": {"template": "t"}}, {}, run_type="prompt", **common)
    elif run.kind == "retriever":
        handler.on_retriever_start(None, "q", name="r", **common)
    elif run.kind == "model":
        handler.on_chat_model_start(None, [[]], metadata={"ls_model_name": "m"}, **common)
    else:
        handler.on_tool_start({"name": "t"}, "x", **common)


def finish(handler: Any, run: Run) -> None:
    """The end or error event of a run."""
    if run.ending == "error":
        name = {"retriever": "retriever", "model": "llm", "tool": "tool"}.get(run.kind, "chain")
        getattr(handler, f"on_{name}_error")(ValueError("x"), run_id=run.id)
    elif run.kind == "retriever":
        handler.on_retriever_end([Document("d", id="1")], run_id=run.id)
    elif run.kind == "model":
        handler.on_llm_end(LLMResult(generations=[[ChatGeneration(message=AIMessage("a"))]]), run_id=run.id)
    elif run.kind == "tool":
        handler.on_tool_end("x", run_id=run.id)
    else:
        handler.on_chain_end({}, run_id=run.id)


def root_of(runs: tuple[Run, ...], number: int) -> int:
    """Position of the root above a run, with every parent open when its child begins."""
    parent = runs[number].parent
    return number if parent is None else root_of(runs, parent)


@settings(max_examples=examples(150))
@given(tree=trees(), order=st.randoms(use_true_random=False))
def test_each_root_is_an_answer_with_all_its_parts(tree: list[tuple[Run, ...]], order: Any) -> None:
    runs = tree[0]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "answers.db"
        handle = lineage.attach("a", store=path)
        Model().invoke("first")
        handler = langchain.attached()
        assert handler is not None
        handler.runs.clear()
        for run in runs:
            begin(handler, run, None if run.parent is None else runs[run.parent].id)
        ending = [run for run in runs if run.ending != "never"]
        order.shuffle(ending)
        for run in ending:
            finish(handler, run)
        assert len(handler.runs) == sum(run.ending == "never" for run in runs)
        assert handle.flush(10)
        stored = [one for one in stored_answers(path) if "gpt-test" not in str(one.models)]
        handle.detach()

    expected = []
    for number, run in enumerate(runs):
        if run.parent is None and run.ending != "never":
            below = [one for position, one in enumerate(runs) if root_of(runs, position) == number]
            expected.append(
                (
                    "ok" if run.ending == "end" else "error",
                    sorted(status_of(one) for one in below if one.kind == "retriever"),
                    sorted(status_of(one) for one in below if one.kind == "model"),
                    sorted(status_of(one) for one in below if one.kind == "tool"),
                    sum(one.kind == "prompt" for one in below),
                )
            )
    found = [
        (
            one.status,
            sorted(part.status for part in one.retrievals),
            sorted(part.status for part in one.models),
            sorted(part.status for part in one.tools),
            len(one.prompts),
        )
        for one in stored
    ]
    assert sorted(found) == sorted(expected)


def status_of(run: Run) -> str:
    """What the store says of a part."""
    return {"end": "ok", "error": "error", "never": "open"}[run.ending]
