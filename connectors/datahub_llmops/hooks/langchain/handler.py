"""LangChain: one callback handler for every chain, graph, agent, retriever, model and tool of the process.

Registered as the default of a context variable, the one registration that also sees threads
(https://python.langchain.com/api_reference/core/tracers/langchain_core.tracers.context.register_configure_hook.html).
Imported by the import hook only, when the application itself imports LangChain.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any, Final

from langchain_core.callbacks.base import BaseCallbackHandler
from typing_extensions import override

from datahub_llmops.hooks.guard import guarded
from datahub_llmops.hooks.langchain import events, fast_path
from datahub_llmops.hooks.langchain.events import EVENTS
from datahub_llmops.hooks.parts import Answer, Retrieval, Skipped


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
    runs = events.runs

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


CALLS: Final = {name: guarded(f"langchain.{name}")(call) for name, call in EVENTS.items()}


def _method(call: Any) -> Any:
    def method(self: Handler, *given: Any, **named: Any) -> None:
        call(given, named)

    return method


for _name, _call in CALLS.items():
    setattr(Handler, _name, _method(_call))

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


def hook_events(manager: Any) -> None:
    """Have events go straight to the handler where it is the only one."""
    fast_path.hook_events(_the_handler(), CALLS, manager)


def hook_config(config: Any) -> None:
    """Have runs know the run around them where LangChain does not say it."""
    _the_handler().runs.look_up(config)


def hook_models(base: type) -> None:
    """Have chat models not ask the handler what it is."""
    fast_path.hook_models(_the_handler(), base)


def attach() -> Handler:
    """Register once a process; later calls switch the same handler on again."""
    global _registered
    handler = _the_handler()
    if not _registered:
        from langchain_core.tracers.context import register_configure_hook

        _registered = True
        register_configure_hook(ContextVar("datahub_llmops_handler", default=handler), inheritable=True)
    handler.switch(True)
    return handler


_registered = False
