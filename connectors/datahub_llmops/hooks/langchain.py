"""LangChain: one callback handler for every chain, graph, agent, retriever, model and tool of the process.

Registered as the default of a context variable, the one registration that also sees threads
(https://python.langchain.com/api_reference/core/tracers/langchain_core.tracers.context.register_configure_hook.html).
Imported by the import hook only, when the application itself imports LangChain.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Sequence
from contextvars import ContextVar
from typing import Any, Final

from langchain_core.callbacks.base import BaseCallbackHandler
from typing_extensions import override

from datahub_llmops.hooks import answers, extractors, patching, provenance, runtime, templates
from datahub_llmops.hooks.answers import Answer, ModelCall, Prompt, Retrieval, Skipped, ToolCall, keep, said
from datahub_llmops.hooks.guard import guarded

handed_over: ContextVar[Any] = ContextVar("datahub_llmops_retriever", default=None)
"""The retriever object on its way from ``_get_ls_params`` to ``on_retriever_start``, and nowhere else."""
searching: ContextVar[Retrieval | None] = ContextVar("datahub_llmops_retrieval", default=None)
"""The retrieval that runs in this context; searches of a store inside it belong to it."""

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


class Inner:
    """A run that is open and is nothing but a place in the tree."""

    __slots__ = ("answer", "retrieval", "root", "started")

    def __init__(self, answer: Answer | Skipped, root: bool, retrieval: Retrieval | None) -> None:
        self.answer = answer
        self.root = root
        self.retrieval = retrieval
        self.started = time.time()


def started(held: Any) -> float | None:
    """When an open run began."""
    begun = held.started
    return begun if isinstance(begun, float) else None


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
        self.runs: dict[Any, Any] = {}
        self._child_config: ContextVar[Any] | None = _child_config()

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

    def sweep(self) -> None:
        """Give up what never ends."""
        if self.runs:
            runtime.sweep(self.runs, started)

    # The tree

    def _parent(self, parent_run_id: Any) -> Any:
        if parent_run_id is not None:
            return self.runs.get(parent_run_id)
        # A fallback's attempts carry no parent; the config that surrounds them does.
        variable = self._child_config
        config = variable.get() if variable is not None else None
        if not config:
            return None
        surrounding = getattr(config.get("callbacks"), "parent_run_id", None)
        return self.runs.get(surrounding) if surrounding is not None else None

    def _place(self, parent_run_id: Any) -> tuple[Answer | Skipped, bool, Retrieval | None]:
        """Answer, whether the run is its root, and the retriever that it runs inside."""
        held = self._parent(parent_run_id)
        if held is not None:
            if type(held) is Retrieval:
                return held.answer, False, held
            return held.answer, False, held.retrieval if type(held) is Inner else None
        if len(self.runs) >= runtime.MAX_OPEN:
            runtime.sweep(self.runs, started)
        return runtime.enter("langchain"), True, None

    def surroundings(self) -> tuple[Answer | Skipped, bool, Retrieval | None]:
        """The same for what has no run of its own."""
        return self._place(None)

    def _begin(self, part: Any, root: bool) -> None:
        part.root = root
        self.runs[part.key] = part

    # Chains, graphs, prompts

    @override
    @guarded("langchain.on_chain_start")
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
        answer, root, retrieval = self._place(parent_run_id)
        if run_type == "prompt" and type(answer) is Answer:
            identity = None
            if metadata and not _PROMPT_KEYS.isdisjoint(metadata):
                identity = templates.identity(metadata)
            prompt = Prompt(
                answer, run_id, parent_run_id, identity=identity, template=serialized, role="human"
            )
            keep(answer.prompts, prompt)
            self._begin(prompt, root)
            return
        self.runs[run_id] = Inner(answer, root, retrieval)
        if root and type(answer) is Answer:
            if answer.root is None:
                answer.root = name
            if answer.query is None:
                answer.query = said(inputs)

    @override
    @guarded("langchain.on_chain_end")
    def on_chain_end(self, outputs: Any, *, run_id: Any, **kwargs: Any) -> None:
        held = self.runs.pop(run_id, None)
        if held is None or not held.root:
            if type(held) is Prompt:
                runtime.ended(held)
            return
        answer = held.answer
        if type(answer) is not Answer:
            return
        if type(held) is Prompt:
            runtime.ended(held)
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
        held = self.runs.pop(run_id, None)
        if held is None:
            return
        status, name = runtime.failure(error)
        if type(held) is Prompt:
            runtime.ended(held, status, name)
        elif held.root and type(held.answer) is Answer:
            answer = held.answer
            if not answer.explicit:
                runtime.finish(answer, status, name)
            elif answer.ended is not None:
                runtime.send(answer)

    # Retrievers

    @override
    @guarded("langchain.on_retriever_start")
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
        retriever = handed_over.get()
        handed_over.set(None)
        answer, root, within = self._place(parent_run_id)
        retrieval = Retrieval(answer, run_id, parent_run_id)
        searching.set(retrieval)
        if type(answer) is not Answer:
            self.runs[run_id] = retrieval
            return
        if within is not None:
            within.composite = True
            retrieval.within = within
        metadata = metadata or {}
        if retriever is not None:
            describe(retrieval, retriever)
        else:
            shown = name or metadata.get("ls_retriever_name")
            retrieval.retriever = {"name": shown} if isinstance(shown, str) else {}
            provider = metadata.get("ls_vector_store_provider")
            if isinstance(provider, str):
                retrieval.index = {"class": provider}
        urn = metadata.get("datahub_urn")
        if isinstance(urn, str):
            retrieval.index = {**(retrieval.index or {}), "urn": urn}
        if answer.query is None:
            answer.query = query
        keep(answer.retrievals, retrieval)
        self._begin(retrieval, root)

    @override
    @guarded("langchain.on_retriever_end")
    def on_retriever_end(self, documents: Sequence[Any], *, run_id: Any, **kwargs: Any) -> None:
        held = self.runs.pop(run_id, None)
        if type(held) is Retrieval:
            if type(held.answer) is Answer:
                held.chunks = chunks_of(documents, held.scores)
            runtime.ended(held)

    @override
    @guarded("langchain.on_retriever_error")
    def on_retriever_error(self, error: BaseException, *, run_id: Any, **kwargs: Any) -> None:
        self._part_failed(error, run_id)

    # Models

    @override
    @guarded("langchain.on_chat_model_start")
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
        call = self._model(run_id, parent_run_id, metadata, kwargs)
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
            call.prompt = system_prompt(answer, call, identity, content if isinstance(content, str) else None)

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
        if call is not None:
            call.prompt = prompt_of(call.answer, parent_run_id)

    def _model(
        self, run_id: Any, parent_run_id: Any, metadata: Any, options: dict[str, Any]
    ) -> ModelCall | None:
        answer, root, _ = self._place(parent_run_id)
        if type(answer) is not Answer:
            self.runs[run_id] = Inner(answer, root, None)
            return None
        call = ModelCall(answer, run_id, parent_run_id)
        if metadata:
            call.asked, call.provider = metadata.get("ls_model_name"), metadata.get("ls_provider")
        if call.asked is None:
            parameters = options.get("invocation_params") or {}
            call.asked = parameters.get("model") or parameters.get("model_name") or parameters.get("_type")
        keep(answer.models, call)
        self._begin(call, root)
        return call

    @override
    @guarded("langchain.on_llm_end")
    def on_llm_end(self, response: Any, *, run_id: Any, **kwargs: Any) -> None:
        call = self.runs.pop(run_id, None)
        if type(call) is not ModelCall:
            return
        generations = response.generations
        first = generations[0][0] if generations and generations[0] else None
        message = getattr(first, "message", None)
        if message is not None:
            usage = getattr(message, "usage_metadata", None)
            if usage:
                call.cached = usage.get("total_cost") == 0 and "total_cost" in usage
                call.usage = tokens(usage)
            said_by = getattr(message, "response_metadata", None)
            if said_by:
                call.served = said_by.get("model_name") or said_by.get("model") or said_by.get("model_id")
        output = response.llm_output
        if output and call.usage is None and isinstance(output.get("token_usage"), dict):
            call.usage = tokens(output["token_usage"])
        if output and call.served is None:
            call.served = output.get("model_name")
        if (
            first is not None
            and isinstance(first.text, str)
            and first.text
            and isinstance(call.answer, Answer)
        ):
            call.answer.text = first.text
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
        answer, root, _ = self._place(parent_run_id)
        if type(answer) is not Answer:
            self.runs[run_id] = Inner(answer, root, None)
            return
        name = kwargs.get("name") or (serialized or {}).get("name")
        tool = ToolCall(answer, run_id, parent_run_id, name if isinstance(name, str) else "tool")
        keep(answer.tools, tool)
        self._begin(tool, root)

    @override
    @guarded("langchain.on_tool_end")
    def on_tool_end(self, output: Any, *, run_id: Any, **kwargs: Any) -> None:
        held = self.runs.pop(run_id, None)
        if type(held) is ToolCall:
            runtime.ended(held)

    @override
    @guarded("langchain.on_tool_error")
    def on_tool_error(self, error: BaseException, *, run_id: Any, **kwargs: Any) -> None:
        self._part_failed(error, run_id)

    def _part_failed(self, error: BaseException, run_id: Any) -> None:
        held = self.runs.pop(run_id, None)
        if held is not None and type(held) is not Inner:
            status, name = runtime.failure(error)
            runtime.ended(held, status, name)


def describe(retrieval: Retrieval, retriever: Any) -> None:
    """Facts of the live retriever: its class and options, its index, the model that embeds the queries."""
    facts, store = extractors.langchain_retriever(retriever)
    retrieval.retriever = {key: facts.pop(key) for key in ("class", "name") if key in facts}
    retrieval.facts = facts
    if store is not None:
        at_store(retrieval, store)


def at_store(retrieval: Retrieval, store: Any) -> None:
    """Index and embedding model of a retrieval, from the store object."""
    retrieval.index = extractors.identity(store)
    retrieval.embedding = extractors.embedding(extractors.model_of(store))


def chunks_of(
    documents: Sequence[Any], scores: dict[int, float] | None
) -> list[tuple[Any, Any, Any, dict[str, Any]]]:
    """Id, score, text and allow-listed metadata of the documents found."""
    found = []
    for document in documents:
        metadata = document.metadata
        score = scores.get(id(document)) if scores else None
        if score is None and metadata:
            score = metadata.get("relevance_score")
        identity = getattr(document, "id", None)
        if identity is None and metadata:
            # Where Qdrant's and Milvus' packages put it.
            identity = metadata.get("_id", metadata.get("pk"))
        # The text is the name of a chunk that has no id.
        text = document.page_content if identity is None else None
        found.append((identity, score, text, provenance.pick(metadata)))
    return found


def prompt_of(answer: Answer | Skipped, parent: Any, *, beside_only: bool = False) -> Prompt | None:
    """The prompt that a model call was rendered from: the last one beside it, else the last of the answer."""
    if isinstance(answer, Skipped):
        return None
    prompts = answer.prompts
    for prompt in reversed(prompts):
        if prompt.parent == parent:
            return prompt
    return prompts[-1] if prompts and not beside_only else None


def system_prompt(answer: Answer, call: ModelCall, identity: Any, content: str | None) -> Prompt:
    """An agent renders no prompt: its system message stands for it, once an answer."""
    for prompt in answer.prompts:
        if prompt.template == content and prompt.identity == identity:
            return prompt
    prompt = Prompt(answer, None, call.key, identity=identity, template=content, role="system")
    prompt.ended = prompt.started
    keep(answer.prompts, prompt)
    return prompt


def tokens(usage: Any) -> dict[str, int]:
    """Tokens in and out, and of these the cached and the reasoning ones."""
    found: dict[str, int] = {}
    for short, names in _TOKENS:
        for name in names:
            value = usage.get(name)
            if isinstance(value, int):
                found[short] = value
                break
    for short, group, name in _TOKEN_DETAILS:
        details = usage.get(group)
        value = details.get(name) if isinstance(details, dict) else None
        if isinstance(value, int) and value:
            found[short] = value
    return found


_TOKENS: Final = (("in", ("input_tokens", "prompt_tokens")), ("out", ("output_tokens", "completion_tokens")))
_TOKEN_DETAILS: Final = (
    ("cr", "input_token_details", "cache_read"),
    ("cw", "input_token_details", "cache_creation"),
    ("rs", "output_token_details", "reasoning"),
)


def _child_config() -> ContextVar[Any] | None:
    import sys

    module = sys.modules.get("langchain_core.runnables.config")
    variable = getattr(module, "var_child_runnable_config", None)
    return variable if isinstance(variable, ContextVar) else None


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


def hook_retrievers(base: Any) -> None:
    """Have every retriever hand itself over to the event of its start. Nothing is added to what others see."""
    if not patching.wrap(base, "_get_ls_params", _handing_over) and not patching.wrapped(
        getattr(base, "_get_ls_params", None)
    ):
        runtime.unresolved["langchain: BaseRetriever._get_ls_params (retrievers by class name only)"] = 1
    for kind in patching.every_subclass(base):
        if kind is not base:
            _hook_retriever(kind)
    patching.on_new_subclass(base, _hook_retriever)


@guarded("langchain.hook_retriever")
def _hook_retriever(kind: type) -> None:
    # EnsembleRetriever has an invoke of its own, which asks nobody for parameters.
    patching.wrap(kind, "invoke", _invoking)
    patching.wrap(kind, "ainvoke", _ainvoking)


def _handing_over(function: Any) -> Any:
    @functools.wraps(function)
    def _get_ls_params(self: Any, **kwargs: Any) -> Any:
        handed_over.set(self)
        return function(self, **kwargs)

    return _get_ls_params


def _invoking(function: Any) -> Any:
    @functools.wraps(function)
    def invoke(self: Any, *args: Any, **kwargs: Any) -> Any:
        handed_over.set(self)
        try:
            return function(self, *args, **kwargs)
        finally:
            handed_over.set(None)

    return invoke


def _ainvoking(function: Any) -> Any:
    @functools.wraps(function)
    async def ainvoke(self: Any, *args: Any, **kwargs: Any) -> Any:
        handed_over.set(self)
        try:
            return await function(self, *args, **kwargs)
        finally:
            handed_over.set(None)

    return ainvoke


def attach() -> Handler:
    """Register once a process; later calls switch the same handler on again."""
    global _registered
    handler = _the_handler()
    handler._child_config = _child_config()
    if not _registered:
        from langchain_core.tracers.context import register_configure_hook

        _registered = True
        register_configure_hook(ContextVar("datahub_llmops_handler", default=handler), inheritable=True)
    handler.switch(True)
    return handler


_registered = False
