"""LangChain: one callback handler for every chain, graph, agent, retriever, model and tool of the process.

Registered as the default of a context variable, the one registration that also sees threads
(https://python.langchain.com/api_reference/core/tracers/langchain_core.tracers.context.register_configure_hook.html).
Imported by the import hook only, when the application itself imports LangChain.

The methods that LangChain calls take its keywords and hand on what is needed, by position: a guard around keywords
would pack and unpack all of them at every event. A run that is nothing but a place in the tree, as most are, is
known by the entry of its parent.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import ContextVar
from typing import Any, Final

from langchain_core.callbacks.base import BaseCallbackHandler
from typing_extensions import override

from datahub_llmops.hooks import answers, dispatch, model_calls, retrievers, runtime, templates
from datahub_llmops.hooks.answers import (
    Answer,
    ModelCall,
    Prompt,
    Retrieval,
    Skipped,
    ToolCall,
    keep,
    prompt_of,
    said,
    system_prompt,
)
from datahub_llmops.hooks.guard import guarded
from datahub_llmops.hooks.open_runs import OpenRuns, Root

_PROMPT_KEYS: Final = frozenset(
    {
        "datahub_urn",
        "lc_hub_repo",
        "langfuse_prompt",
        "mlflow_prompt",
        "mlflow.linkedPrompts",
        "mlflow_prompt_uri",
        "prompt_uri",
        "prompt_name",
    }
)


class Handler(BaseCallbackHandler):
    """Fills answers. Runs inline in sync and async code: it must never wait, and it does not."""

    run_inline = True
    raise_error = False
    # Plain attributes, not the properties of the base class: they are looked up at every event.
    ignore_llm = False
    ignore_chain = False
    ignore_agent = False
    ignore_retriever = False
    ignore_chat_model = False
    ignore_retry = True
    ignore_custom_event = True

    def __init__(self) -> None:
        self.runs = OpenRuns()

    @override
    def __reduce__(self) -> Any:
        # In a config that is pickled or copied: the handler of the process where it arrives.
        return _the_handler, ()

    def __copy__(self) -> Handler:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Handler:
        return self

    def switch(self, on: bool) -> None:
        """See everything, or nothing. A hook of LangChain's cannot be unregistered."""
        self.ignore_llm = self.ignore_chain = self.ignore_agent = not on
        self.ignore_retriever = self.ignore_chat_model = not on
        if not on:
            self.runs.clear()

    def surroundings(self) -> tuple[Answer | Skipped, bool, Retrieval | None]:
        """Answer, whether it begins there, and the retriever around, for what has no run of its own."""
        return self.runs.place(None)

    # Chains, graphs, prompts

    @override
    def on_chain_start(
        self,
        serialized: dict[str, Any],
        inputs: dict[str, Any],
        *,
        run_id: Any,
        parent_run_id: Any = None,
        tags: list[str] | None = None,
        metadata: dict[str, Any] | None = None,
        run_type: str | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        held = self.runs.get(parent_run_id) if parent_run_id is not None else None
        if held is not None and run_type != "prompt":
            self.runs[run_id] = held
        else:
            self._chain_start(serialized, inputs, run_id, parent_run_id, metadata, run_type, name)

    @guarded("langchain.on_chain_start")
    def _chain_start(
        self,
        serialized: Any,
        inputs: Any,
        run_id: Any,
        parent_run_id: Any,
        metadata: Any,
        run_type: str | None,
        name: str | None,
    ) -> None:
        answer, root, within = self.runs.place(parent_run_id)
        if run_type == "prompt" and type(answer) is Answer:
            identity = None
            if metadata and not _PROMPT_KEYS.isdisjoint(metadata):
                identity = templates.identity(metadata)
            prompt = Prompt(
                answer, run_id, parent_run_id, identity=identity, template=serialized, role="human"
            )
            keep(answer.prompts, prompt)
            self.runs.begin(prompt, root)
            return
        self.runs[run_id] = within if within is not None else Root(answer, run_id, root)
        if root and type(answer) is Answer:
            if answer.root is None:
                answer.root = name
            if answer.query is None:
                answer.query = said(inputs)

    @override
    def on_chain_end(
        self, outputs: Any, *, run_id: Any, parent_run_id: Any = None, tags: Any = None, **kwargs: Any
    ) -> None:
        held = self.runs.pop(run_id, None)
        if held is not None and (held.key is run_id or held.key == run_id):
            self._chain_end(held, outputs)

    @guarded("langchain.on_chain_end")
    def _chain_end(self, held: Any, outputs: Any) -> None:
        answer = held.answer
        if type(answer) is not Answer:
            return
        if type(held) is Prompt:
            runtime.ended(held)
            return
        if type(held) is not Root or not held.root:
            return
        text = said(outputs)
        if text is not None:
            answer.text = text
        if not answer.explicit:
            runtime.finish(answer)
        elif answer.ended is not None:
            runtime.send(answer)

    @override
    @guarded("langchain.on_chain_error")
    def on_chain_error(self, error: BaseException, *, run_id: Any, **kwargs: Any) -> None:
        held = self.runs.end(run_id)
        if held is None:
            return
        status, name = runtime.failure(error)
        if type(held) is Prompt:
            runtime.ended(held, status, name)
        elif held.root and type(held) is Root and type(held.answer) is Answer:
            answer = held.answer
            if not answer.explicit:
                runtime.finish(answer, status, name)
            elif answer.ended is not None:
                runtime.send(answer)

    # Retrievers

    @override
    def on_retriever_start(
        self,
        serialized: dict[str, Any],
        query: str,
        *,
        run_id: Any,
        parent_run_id: Any = None,
        tags: list[str] | None = None,
        metadata: dict[str, Any] | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        self._retriever_start(query, run_id, parent_run_id, metadata, name)

    @guarded("langchain.on_retriever_start")
    def _retriever_start(
        self, query: str, run_id: Any, parent_run_id: Any, metadata: dict[str, Any] | None, name: str | None
    ) -> None:
        retriever = retrievers.handed_over.get()
        retrievers.handed_over.set(None)
        answer, root, within = self.runs.place(parent_run_id)
        retrieval = Retrieval(answer, run_id, parent_run_id)
        retrievers.searching.set(retrieval)
        if type(answer) is not Answer:
            self.runs.begin(retrieval, False)
            return
        if within is not None:
            within.composite = True
            retrieval.within = within
        retrievers.describe(retrieval, retriever, metadata or {}, name)
        if answer.query is None:
            answer.query = query
        keep(answer.retrievals, retrieval)
        self.runs.begin(retrieval, root)

    @override
    def on_retriever_end(
        self,
        documents: Sequence[Any],
        *,
        run_id: Any,
        parent_run_id: Any = None,
        tags: Any = None,
        **kwargs: Any,
    ) -> None:
        self._retriever_end(documents, run_id)

    @guarded("langchain.on_retriever_end")
    def _retriever_end(self, documents: Sequence[Any], run_id: Any) -> None:
        held = self.runs.end(run_id)
        if type(held) is Retrieval:
            if type(held.answer) is Answer:
                held.chunks = retrievers.chunks_of(documents, held.scores)
            runtime.ended(held)

    @override
    @guarded("langchain.on_retriever_error")
    def on_retriever_error(self, error: BaseException, *, run_id: Any, **kwargs: Any) -> None:
        self._part_failed(error, run_id)

    # Models

    @override
    def on_chat_model_start(
        self,
        serialized: dict[str, Any],
        messages: list[list[Any]],
        *,
        run_id: Any,
        parent_run_id: Any = None,
        tags: list[str] | None = None,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        self._chat_model_start(messages, run_id, parent_run_id, metadata, kwargs)

    @guarded("langchain.on_chat_model_start")
    def _chat_model_start(
        self, messages: list[list[Any]], run_id: Any, parent_run_id: Any, metadata: Any, options: Any
    ) -> None:
        call = self._model(run_id, parent_run_id, metadata, options)
        if call is None or isinstance(call.answer, Skipped):
            return
        answer = call.answer
        agent = metadata is not None and "lc_agent_name" in metadata
        call.prompt = prompt_of(answer, parent_run_id, beside_only=agent)
        named = answers.prompt_named.get()
        if call.prompt is not None and named is None:
            return
        identity = named
        if identity is None and metadata and not _PROMPT_KEYS.isdisjoint(metadata):
            identity = templates.identity(metadata)
        first = messages[0][0] if messages and messages[0] else None
        content = getattr(first, "content", None) if getattr(first, "type", None) == "system" else None
        if identity is not None or isinstance(content, str):
            content = content if isinstance(content, str) else None
            call.prompt = system_prompt(answer, call.key, identity, content)

    @override
    @guarded("langchain.on_llm_start")
    def on_llm_start(
        self,
        serialized: dict[str, Any],
        prompts: list[str],
        *,
        run_id: Any,
        parent_run_id: Any = None,
        tags: list[str] | None = None,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        call = self._model(run_id, parent_run_id, metadata, kwargs)
        if call is not None and isinstance(call.answer, Answer):
            call.prompt = prompt_of(call.answer, parent_run_id)

    def _model(
        self, run_id: Any, parent_run_id: Any, metadata: Any, options: dict[str, Any]
    ) -> ModelCall | None:
        answer, root, _ = self.runs.place(parent_run_id)
        if type(answer) is not Answer:
            self.runs[run_id] = Root(answer, run_id, root)
            return None
        call = ModelCall(answer, run_id, parent_run_id)
        if metadata:
            call.asked, call.provider = metadata.get("ls_model_name"), metadata.get("ls_provider")
        if call.asked is None:
            parameters = options.get("invocation_params") or {}
            call.asked = parameters.get("model") or parameters.get("model_name") or parameters.get("_type")
        keep(answer.models, call)
        self.runs.begin(call, root)
        return call

    @override
    def on_llm_end(
        self, response: Any, *, run_id: Any, parent_run_id: Any = None, tags: Any = None, **kwargs: Any
    ) -> None:
        self._llm_end(response, run_id)

    @guarded("langchain.on_llm_end")
    def _llm_end(self, response: Any, run_id: Any) -> None:
        call = self.runs.end(run_id)
        if type(call) is not ModelCall:
            return
        model_calls.answered(call, response)
        runtime.ended(call)

    @override
    @guarded("langchain.on_llm_error")
    def on_llm_error(self, error: BaseException, *, run_id: Any, **kwargs: Any) -> None:
        self._part_failed(error, run_id)

    # Tools

    @override
    @guarded("langchain.on_tool_start")
    def on_tool_start(
        self,
        serialized: dict[str, Any],
        input_str: str,
        *,
        run_id: Any,
        parent_run_id: Any = None,
        **kwargs: Any,
    ) -> None:
        answer, root, _ = self.runs.place(parent_run_id)
        if type(answer) is not Answer:
            self.runs[run_id] = Root(answer, run_id, root)
            return
        name = kwargs.get("name") or (serialized or {}).get("name")
        tool = ToolCall(answer, run_id, parent_run_id, name if isinstance(name, str) else "tool")
        keep(answer.tools, tool)
        self.runs.begin(tool, root)

    @override
    @guarded("langchain.on_tool_end")
    def on_tool_end(self, output: Any, *, run_id: Any, **kwargs: Any) -> None:
        held = self.runs.end(run_id)
        if type(held) is ToolCall:
            runtime.ended(held)

    @override
    @guarded("langchain.on_tool_error")
    def on_tool_error(self, error: BaseException, *, run_id: Any, **kwargs: Any) -> None:
        self._part_failed(error, run_id)

    def _part_failed(self, error: BaseException, run_id: Any) -> None:
        held = self.runs.end(run_id)
        if held is not None and type(held) is not Root:
            status, name = runtime.failure(error)
            runtime.ended(held, status, name)


_handler: Handler | None = None


def _the_handler() -> Handler:
    global _handler
    if _handler is None:
        _handler = Handler()
        _handler.switch(False)
    return _handler


def detach() -> None:
    """See nothing from now on."""
    if _handler is not None:
        _handler.switch(False)


def attached() -> Handler | None:
    """The handler, where it is on."""
    return _handler if _handler is not None and not _handler.ignore_chain else None


def attach() -> Handler:
    """Register once a process; later calls switch the same handler on again."""
    global _registered
    handler = _the_handler()
    handler.runs.look_up()
    dispatch.hook(handler)
    if not _registered:
        from langchain_core.tracers.context import register_configure_hook

        _registered = True
        register_configure_hook(ContextVar("datahub_llmops_handler", default=handler), inheritable=True)
    handler.switch(True)
    return handler


_registered = False
