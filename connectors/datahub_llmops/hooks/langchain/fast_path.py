"""A shorter way for LangChain's events to our handler, where there is no other.

For every event LangChain goes through its handlers, looks at what each returned and, in asynchronous code, gathers the
handlers that are not inline even if there are none. That takes longer than everything our handler does
(``handle_event`` and ``ahandle_event`` in
https://python.langchain.com/api_reference/core/callbacks/langchain_core.callbacks.manager.handle_event.html). A chat
model also asks each handler whether it takes streams, by the ``isinstance`` of a protocol, which takes as long as a
dozen events. So both are wrapped: our handler is called at once if it is the only one; beside other handlers
LangChain's own functions do everything. Decision 11 has the measurements, and the tests compare both ways.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from types import FunctionType
from typing import Any

from datahub_llmops.hooks import guard, patching

_SIGNATURE = ("handlers", "event_name", "ignore_condition_name")


def hook_events(handler: Any, calls: Mapping[str, Callable[[Any, Any], object]], manager: Any) -> None:
    """Wrap LangChain's functions. If one has another signature, it is left alone and only time is lost.

    ``calls`` are the functions by event, with arguments and keywords packed; none while the handler is off.
    ``manager`` is the module ``langchain_core.callbacks.manager``.
    """
    for name, make in (("handle_event", _fast_handle_event), ("ahandle_event", _fast_ahandle_event)):
        function: Any = getattr(manager, name, None)
        # What another tool has put there is called for every event: there is no shorter way.
        plain = type(function) is FunctionType and not hasattr(function, "__wrapped__")
        if plain and function.__code__.co_varnames[:3] == _SIGNATURE:
            patching.wrap(manager, name, functools.partial(make, handler, calls))


def hook_models(handler: Any, base: type) -> None:
    """Keep chat models from asking our handler, which takes no streams; leave a method of another shape alone."""
    code = getattr(vars(base).get("_should_stream"), "__code__", None)
    if code is not None and "run_manager" in code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]:
        patching.wrap(base, "_should_stream", functools.partial(_without_our_handler, handler))


def _without_our_handler(handler: Any, function: Any) -> Any:
    @functools.wraps(function)
    def _should_stream(self: Any, *args: Any, run_manager: Any = None, **kwargs: Any) -> Any:
        handlers: Any = getattr(run_manager, "handlers", ())
        if len(handlers) == 1 and handlers[0] is handler:
            run_manager = None
        return function(self, *args, run_manager=run_manager, **kwargs)

    return _should_stream


def _fast_handle_event(handler: Any, calls: Mapping[str, Any], function: Any) -> Any:
    @functools.wraps(function)
    def handle_event(
        handlers: Any, event_name: str, ignore_condition_name: str | None, *args: Any, **kwargs: Any
    ) -> None:
        if len(handlers) == 1 and handlers[0] is handler:
            call = calls.get(event_name)
            if call is not None:
                try:
                    call(args, kwargs)
                except Exception as error:  # noqa: BLE001 - guarded here: one more call would be felt
                    guard.pass_over(f"langchain.{event_name}", error)
        else:
            function(handlers, event_name, ignore_condition_name, *args, **kwargs)

    return handle_event


def _fast_ahandle_event(handler: Any, calls: Mapping[str, Any], function: Any) -> Any:
    @functools.wraps(function)
    async def ahandle_event(
        handlers: Any, event_name: str, ignore_condition_name: str | None, *args: Any, **kwargs: Any
    ) -> None:
        if len(handlers) == 1 and handlers[0] is handler:
            call = calls.get(event_name)
            if call is not None:
                try:
                    call(args, kwargs)
                except Exception as error:  # noqa: BLE001 - guarded here: one more call would be felt
                    guard.pass_over(f"langchain.{event_name}", error)
        else:
            await function(handlers, event_name, ignore_condition_name, *args, **kwargs)

    return ahandle_event
