"""LangChain's events as parts of answers.

Each function takes what LangChain passes to a handler's method of that name, packed once: its positional arguments and
its keywords (https://python.langchain.com/api_reference/core/callbacks/langchain_core.callbacks.base.html). A run that
is nothing but a place in the tree, as most are, is known by the entry of its parent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from datahub_llmops.hooks import parts, prompt_identity, runtime, token_usage
from datahub_llmops.hooks.langchain import retrievers
from datahub_llmops.hooks.langchain.open_runs import OpenRuns, Root
from datahub_llmops.hooks.parts import (
    Answer,
    ModelCall,
    Prompt,
    Retrieval,
    ToolCall,
    keep,
    prompt_of,
    said,
    system_prompt,
)

Given: TypeAlias = tuple[Any, ...]
Named: TypeAlias = dict[str, Any]

runs: Final = OpenRuns()


def _parent(named: Named) -> int | None:
    parent = named.get("parent_run_id")
    return None if parent is None else parent.int


# Chains, graphs, prompts


def _chain_start(given: Given, named: Named) -> None:
    above = named.get("parent_run_id")
    prompt = named.get("run_type") == "prompt"
    if above is not None and not prompt:
        # Most runs, so nothing is called for them.
        held = runs.get(above.int)
        if held is not None:
            runs[named["run_id"].int] = held
            return
    run = named["run_id"].int
    parent = _parent(named)
    answer, root, within = runs.place(parent)
    if type(answer) is not Answer:
        runs[run] = within if within is not None else Root(answer, run, root)
    elif prompt:
        identity = prompt_identity.identity(named.get("metadata"))
        part = runs[run] = Prompt(answer, run, parent, identity, given[0], "human")
        part.root = root
        keep(answer, part)
    else:
        runs[run] = within if within is not None else Root(answer, run, root)
        if root:
            if answer.root is None:
                answer.root = named.get("name")
            if answer.query is None:
                answer.query = said(given[1])


def _chain_end(given: Given, named: Named) -> None:
    run = named["run_id"].int
    held = runs.pop(run, None)
    if held is None or held.key != run:
        return
    answer = held.answer
    if type(answer) is not Answer:
        return
    if type(held) is Prompt:
        runtime.ended(held)
        return
    if type(held) is not Root or not held.root:
        return
    text = said(given[0])
    if text is not None:
        answer.text = text
    runtime.root_ended(answer)


def _chain_error(given: Given, named: Named) -> None:
    held = runs.end(named["run_id"].int)
    if held is None:
        return
    status, name = runtime.failure(given[0])
    if type(held) is Prompt:
        runtime.ended(held, status, name)
    elif type(held) is Root and held.root and type(held.answer) is Answer:
        answer = held.answer
        runtime.root_ended(answer, status, name)


# Retrievers


def _retriever_start(given: Given, named: Named) -> None:
    retriever = retrievers.handed_over.get()
    retrievers.handed_over.set(None)
    parent = _parent(named)
    answer, root, within = runs.place(parent)
    run = named["run_id"].int
    retrieval = runs[run] = Retrieval(answer, run, parent)
    retrievers.searching.set(retrieval)
    if type(answer) is not Answer:
        return
    retrieval.root = root
    if within is not None:
        within.composite = True
        retrieval.within = within
    retrievers.describe(retrieval, retriever, named.get("metadata") or {}, named.get("name"))
    if answer.query is None:
        answer.query = given[1]
    keep(answer, retrieval)


def _retriever_end(given: Given, named: Named) -> None:
    held = runs.end(named["run_id"].int)
    if type(held) is Retrieval:
        if type(held.answer) is Answer:
            held.chunks = retrievers.chunks_of(given[0], held.scores)
        runtime.ended(held)


# Models


def _chat_model_start(given: Given, named: Named) -> None:
    call = _model(named)
    if call is None:
        return
    answer: Any = call.answer
    metadata = named.get("metadata")
    call.prompt = prompt_of(
        answer, call.parent, beside_only=metadata is not None and "lc_agent_name" in metadata
    )
    identity = parts.prompt_named.get()
    if call.prompt is not None and identity is None:
        return
    if identity is None:
        identity = prompt_identity.identity(metadata)
    messages = given[1]
    first = messages[0][0] if messages and messages[0] else None
    content = getattr(first, "content", None) if getattr(first, "type", None) == "system" else None
    if identity is not None or isinstance(content, str):
        content = content if isinstance(content, str) else None
        call.prompt = system_prompt(answer, call.key, identity, content)


def _llm_start(given: Given, named: Named) -> None:
    call = _model(named)
    if call is not None and type(call.answer) is Answer:
        call.prompt = prompt_of(call.answer, call.parent)


def _model(named: Named) -> ModelCall | None:
    parent = _parent(named)
    run = named["run_id"].int
    answer, root, _ = runs.place(parent)
    if type(answer) is not Answer:
        runs[run] = Root(answer, run, root)
        return None
    call = runs[run] = ModelCall(answer, run, parent)
    call.root = root
    metadata = named.get("metadata")
    if metadata:
        call.asked, call.provider = metadata.get("ls_model_name"), metadata.get("ls_provider")
    if call.asked is None:
        parameters = named.get("invocation_params") or {}
        call.asked = parameters.get("model") or parameters.get("model_name") or parameters.get("_type")
    keep(answer, call)
    return call


def _llm_end(given: Given, named: Named) -> None:
    call = runs.end(named["run_id"].int)
    if type(call) is ModelCall:
        token_usage.answered(call, given[0])
        runtime.ended(call)


# Tools


def _tool_start(given: Given, named: Named) -> None:
    parent = _parent(named)
    run = named["run_id"].int
    answer, root, _ = runs.place(parent)
    if type(answer) is not Answer:
        runs[run] = Root(answer, run, root)
        return
    name = named.get("name") or (given[0] or {}).get("name")
    tool = runs[run] = ToolCall(answer, run, parent, name if isinstance(name, str) else "tool")
    tool.root = root
    keep(answer, tool)


def _tool_end(given: Given, named: Named) -> None:
    held = runs.end(named["run_id"].int)
    if type(held) is ToolCall:
        runtime.ended(held)


def _part_error(given: Given, named: Named) -> None:
    held = runs.end(named["run_id"].int)
    if held is not None and type(held) is not Root:
        status, name = runtime.failure(given[0])
        runtime.ended(held, status, name)


EVENTS: Final[dict[str, Callable[[Given, Named], None]]] = {
    "on_chain_start": _chain_start,
    "on_chain_end": _chain_end,
    "on_chain_error": _chain_error,
    "on_retriever_start": _retriever_start,
    "on_retriever_end": _retriever_end,
    "on_retriever_error": _part_error,
    "on_chat_model_start": _chat_model_start,
    "on_llm_start": _llm_start,
    "on_llm_end": _llm_end,
    "on_llm_error": _part_error,
    "on_tool_start": _tool_start,
    "on_tool_end": _tool_end,
    "on_tool_error": _part_error,
}
"""By the name of a handler's method; those of every token are not among them."""
