"""LangChain's callback handler: one for every chain, graph, agent, retriever, model and tool of the process.

It is registered as the default of a context variable, the only registration that also reaches threads
(https://python.langchain.com/api_reference/core/tracers/langchain_core.tracers.context.register_configure_hook.html).
The import hook loads this module once the application has imported LangChain.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Final

from langchain_core.callbacks.base import BaseCallbackHandler
from typing_extensions import override

from datahub_llmops.hooks import guard, runtime
from datahub_llmops.hooks.langchain import events, fast_path
from datahub_llmops.hooks.langchain.events import EVENTS, Given, Named
from datahub_llmops.hooks.parts import Answer, Part, Skipped


class Handler(BaseCallbackHandler):
    """Fills answers. It runs inline, in async code too, so it must never wait."""

    run_inline = True
    raise_error = False
    # Plain attributes in place of the properties of the base class: they are read at every event.
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
        # In a pickled or copied config it becomes the handler of the process where it arrives.
        return _the_handler, ()

    def __copy__(self) -> Handler:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Handler:
        return self

    def switch(self, on: bool) -> None:
        """Turn the handler on or off. LangChain has no way to unregister it."""
        self.ignore_llm = self.ignore_chain = self.ignore_agent = not on
        self.ignore_retriever = self.ignore_chat_model = not on
        if on:
            calls.update(EVENTS)
        else:
            calls.clear()
            self.runs.clear()

    def enclosing(self) -> tuple[Answer | Skipped, bool, Part | None]:
        """Return the open answer, whether it starts here, and the enclosing retrieval: for a call without a run."""
        return self.runs.enclosing(None)


calls: Final[dict[str, Callable[[Given, Named], None]]] = {}
"""What LangChain's events call: ``EVENTS``, or nothing while the handler is off."""


def _method(name: str) -> Any:
    def method(self: Handler, *given: Any, **named: Any) -> None:
        try:
            EVENTS[name](given, named)
        except Exception as error:  # noqa: BLE001 - guarded here, as on the fast path
            guard.pass_over(f"langchain.{name}", error)

    return method


for _name in EVENTS:
    setattr(Handler, _name, _method(_name))

_handler: Handler | None = None


def _the_handler() -> Handler:
    global _handler
    if _handler is None:
        _handler = Handler()
        _handler.switch(False)
    return _handler


def detach() -> None:
    """Turn the handler off."""
    if _handler is not None:
        _handler.switch(False)


def attached() -> Handler | None:
    """Return the handler if it is on."""
    return _handler if _handler is not None and not _handler.ignore_chain else None


def hook_events(manager: Any) -> None:
    """Send events straight to the handler where it is the only one."""
    fast_path.hook_events(_the_handler(), calls, manager)


def hook_config(config: Any) -> None:
    """Let runs find the enclosing run where LangChain does not pass it."""
    _the_handler().runs.look_up(config)


def hook_models(base: type) -> None:
    """Keep chat models from asking the handler what it is."""
    fast_path.hook_models(_the_handler(), base)


def attach(tracers: Any) -> None:
    """Turn the handler on, and register it with ``langchain_core.tracers.context`` once a process."""
    global _registered
    handler = _the_handler()
    if not _registered:
        _registered = True
        variable = ContextVar("datahub_llmops_handler", default=handler)
        tracers.register_configure_hook(variable, inheritable=True)
    switch_on()


def switch_on() -> None:
    """Turn the handler on."""
    handler = _the_handler()
    handler.switch(True)
    runtime.enclosing["langchain"] = handler.runs.find_enclosing
    runtime.sweep_regularly(handler.runs.sweep)


_registered = False
