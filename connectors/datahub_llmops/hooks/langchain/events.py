"""Turns LangChain's events into parts of answers.

Each function takes what LangChain passes to the handler's method of that name, packed once: positional arguments and
keywords (https://python.langchain.com/api_reference/core/callbacks/langchain_core.callbacks.base.html). Most runs are
mere nodes of the tree; such a run maps to the entry of its parent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from datahub_llmops.hooks import prompt_identity, runtime, token_usage
from datahub_llmops.hooks.langchain import prompt_templates, rendered, retrievers
from datahub_llmops.hooks.langchain.open_runs import OpenRuns, Root
from datahub_llmops.hooks.parts import (
    Answer,
    ModelCall,
    Prompt,
    Retrieval,
    ToolCall,
    add_part,
    add_system_prompt,
)
from datahub_llmops.hooks.texts import find_question, find_reply

Given: TypeAlias = tuple[Any, ...]
Named: TypeAlias = dict[str, Any]

runs: Final = OpenRuns()


# Chains, graphs, prompts


def _on_chain_start(given: Given, named: Named) -> None:
    above = named.get("parent_run_id")
    prompt = named.get("run_type") == "prompt"
    if above is not None and not prompt:
        # Most runs end here, so this calls nothing.
        entry = runs.get(above.int)
        if entry is not None:
            runs[named["run_id"].int] = entry
            return
    run = named["run_id"].int
    answer, root, within = runs.enclosing(above)
    if type(answer) is not Answer:
        runs[run] = within if within is not None else Root(answer, run, root)
    elif prompt:
        identity = prompt_identity.identify_prompt(named.get("metadata"))
        template = prompt_templates.read_template(given[0])
        part = runs[run] = Prompt(answer, run, identity, template, "human")
        part.root = root
        part.inputs = given[1]
        if identity is not None:
            _check_name(answer, part, given[0])
        add_part(answer, part)
    else:
        runs[run] = within if within is not None else Root(answer, run, root)
        if root:
            if answer.root is None:
                answer.root = named.get("name")
            if answer.query is None:
                answer.query = find_question(given[1])


def _check_name(answer: Answer, prompt: Prompt, serialized: Any) -> None:
    """Take a name away that the config of a chain gives to several templates: it is not known which one is meant."""
    own = (serialized or {}).get("kwargs") or {}
    if prompt_identity.identify_prompt(own.get("metadata")) is not None:
        return
    prompt.from_config = prompt.identity
    for other in answer.parts:
        if (
            type(other) is Prompt
            and other.from_config == prompt.from_config
            and other.template != prompt.template
        ):
            prompt.identity = other.identity = None


def _on_chain_end(given: Given, named: Named) -> None:
    run = named["run_id"].int
    entry = runs.pop(run, None)
    if entry is None or entry.key != run:
        return
    answer = entry.answer
    if type(answer) is not Answer:
        return
    if type(entry) is Prompt:
        rendered.remember(answer, entry, given[0])
        runtime.end_part(entry)
        return
    if type(entry) is not Root or not entry.root:
        return
    if answer.query is None:
        # The input of a stream is known at its end.
        answer.query = find_question(named.get("inputs"))
    question = answer.query
    text = find_reply(given[0], question if type(question) is str else None)
    if text is not None:
        answer.text = text
    runtime.end_root(answer)


def _on_chain_error(given: Given, named: Named) -> None:
    entry = runs.end(named["run_id"].int)
    if entry is None:
        return
    status, name = runtime.describe_error(given[0])
    if type(entry) is Prompt:
        runtime.end_part(entry, status, name)
    elif type(entry) is Root and entry.root and type(entry.answer) is Answer:
        answer = entry.answer
        runtime.end_root(answer, status, name)


# Retrievers


def _on_retriever_start(given: Given, named: Named) -> None:
    call = runtime.passed_retriever.get()
    answer, root, within = runs.enclosing(named.get("parent_run_id"))
    outer = runtime.current_retrieval.get()
    if within is None and outer is not None and outer.ended is None:
        # A retriever calls another and does not pass its callbacks on.
        answer, root, within = outer.answer, False, outer
    run = named["run_id"].int
    retrieval = runs[run] = Retrieval(answer, run)
    retriever = None if call is None else call.retriever
    if retriever is not None:
        # Its end is certain, with or without an event. What runs meanwhile is a part of it.
        call.begin(retrieval, outer)
    if type(answer) is not Answer:
        return
    retrieval.root = root
    if type(within) is Retrieval:
        within.composite = True
        retrieval.within = within
    retrievers.describe(retrieval, retriever, named.get("metadata") or {}, named.get("name"))
    if root and answer.query is None:
        answer.query = given[1]
    add_part(answer, retrieval)


def _on_retriever_end(given: Given, named: Named) -> None:
    entry = runs.end(named["run_id"].int)
    if type(entry) is Retrieval:
        if type(entry.answer) is Answer:
            retrievers.note_documents(entry, given[0])
        runtime.end_part(entry)


# Models


def _on_chat_model_start(given: Given, named: Named) -> None:
    call = _begin_model_call(named)
    if call is None:
        return
    answer: Any = call.answer
    messages = given[1][0] if given[1] else ()
    call.prompt = rendered.find_prompt_of_messages(answer, messages)
    identity = runtime.named_prompt.get()
    if call.prompt is not None and identity is None:
        return
    if identity is None:
        identity = prompt_identity.identify_prompt(named.get("metadata"))
    first = messages[0] if messages else None
    content = getattr(first, "content", None) if getattr(first, "type", None) == "system" else None
    if identity is not None or isinstance(content, str):
        content = content if isinstance(content, str) else None
        call.prompt = add_system_prompt(answer, identity, content)


def _on_llm_start(given: Given, named: Named) -> None:
    call = _begin_model_call(named)
    if call is None:
        return
    answer: Any = call.answer
    call.prompt = rendered.find_prompt_of_text(answer, given[1][0]) if given[1] else None
    identity = prompt_identity.identify_prompt(named.get("metadata")) if call.prompt is None else None
    if identity is not None:
        call.prompt = add_system_prompt(answer, identity, None)


def _begin_model_call(named: Named) -> ModelCall | None:
    """Begin a model call, and return it if it is one of ours that has no prompt yet."""
    run = named["run_id"].int
    answer, root, within = runs.enclosing(named.get("parent_run_id"))
    if type(answer) is not Answer:
        runs[run] = Root(answer, run, root)
        return None
    if type(within) is ModelCall:
        # LlamaIndex asks a model through LangChain. It is one call, and LangChain knows more of it.
        call = runs[run] = within
    else:
        call = runs[run] = ModelCall(answer, run)
        call.root = root
        add_part(answer, call)
    metadata = named.get("metadata")
    if metadata:
        call.asked, call.provider = metadata.get("ls_model_name"), metadata.get("ls_provider")
    if call.asked is None:
        parameters = named.get("invocation_params") or {}
        call.asked = parameters.get("model") or parameters.get("model_name") or parameters.get("_type")
    return call if call is not within else None


def _on_llm_end(given: Given, named: Named) -> None:
    run = named["run_id"].int
    call = runs.pop(run, None)
    if type(call) is ModelCall:
        token_usage.take_response(call, given[0])
        if call.key == run:
            runtime.end_part(call)


# Tools


def _on_tool_start(given: Given, named: Named) -> None:
    run = named["run_id"].int
    answer, root, _ = runs.enclosing(named.get("parent_run_id"))
    if type(answer) is not Answer:
        runs[run] = Root(answer, run, root)
        return
    name = named.get("name") or (given[0] or {}).get("name")
    tool = runs[run] = ToolCall(answer, run, name if isinstance(name, str) else "tool")
    tool.root = root
    add_part(answer, tool)


def _on_tool_end(given: Given, named: Named) -> None:
    entry = runs.end(named["run_id"].int)
    if type(entry) is ToolCall:
        runtime.end_part(entry)


def _on_part_error(given: Given, named: Named) -> None:
    entry = runs.end(named["run_id"].int)
    if entry is not None and type(entry) is not Root:
        status, name = runtime.describe_error(given[0])
        runtime.end_part(entry, status, name)


EVENTS: Final[dict[str, Callable[[Given, Named], None]]] = {
    "on_chain_start": _on_chain_start,
    "on_chain_end": _on_chain_end,
    "on_chain_error": _on_chain_error,
    "on_retriever_start": _on_retriever_start,
    "on_retriever_end": _on_retriever_end,
    "on_retriever_error": _on_part_error,
    "on_chat_model_start": _on_chat_model_start,
    "on_llm_start": _on_llm_start,
    "on_llm_end": _on_llm_end,
    "on_llm_error": _on_part_error,
    "on_tool_start": _on_tool_start,
    "on_tool_end": _on_tool_end,
    "on_tool_error": _on_part_error,
}
"""By the name of the handler's method. Events that occur once a token are left out."""
