"""LangChain's events, straight to our handler where there is no other.

For every event LangChain goes through the handlers, asks what each of them gave back, and in asynchronous code gathers
those that are not inline even where there are none: that takes longer than all that ours does (``handle_event``,
``ahandle_event`` in
https://python.langchain.com/api_reference/core/callbacks/langchain_core.callbacks.manager.handle_event.html). A chat
model moreover asks each handler whether it takes streams, by a protocol's ``isinstance``: that takes as long as a dozen
events. Beside other handlers LangChain's own functions do everything.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from datahub_llmops.hooks import patching

_SIGNATURE = ("handlers", "event_name", "ignore_condition_name")


def hook_events(handler: Any, calls: Mapping[str, Callable[[Any, Any], object]], manager: Any) -> None:
    """Where LangChain's function is not as it was, nothing is hooked and nothing is lost but time.

    ``calls`` are the handler's methods by name, with arguments and keywords packed; ``manager`` is the module
    ``langchain_core.callbacks.manager``.
    """
    for name, make in (("handle_event", _straight), ("ahandle_event", _straight_later)):
        code = getattr(getattr(manager, name, None), "__code__", None)
        if code is not None and code.co_varnames[:3] == _SIGNATURE:
            patching.wrap(manager, name, functools.partial(make, handler, calls))


def hook_models(handler: Any, base: type) -> None:
    """Have chat models not ask our handler, which takes no streams; the same where the method is not as it was."""
    code = getattr(vars(base).get("_should_stream"), "__code__", None)
    if code is not None and "run_manager" in code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]:
        patching.wrap(base, "_should_stream", functools.partial(_unasked, handler))


def _unasked(handler: Any, function: Any) -> Any:
    @functools.wraps(function)
    def _should_stream(self: Any, *args: Any, run_manager: Any = None, **kwargs: Any) -> Any:
        handlers: Any = getattr(run_manager, "handlers", ())
        if len(handlers) == 1 and handlers[0] is handler:
            run_manager = None
        return function(self, *args, run_manager=run_manager, **kwargs)

    return _should_stream


def _straight(handler: Any, calls: Mapping[str, Any], function: Any) -> Any:
    @functools.wraps(function)
    def handle_event(
        handlers: Any, event_name: str, ignore_condition_name: str | None, *args: Any, **kwargs: Any
    ) -> None:
        if len(handlers) == 1 and handlers[0] is handler and not handler.ignore_chain:
            call = calls.get(event_name)
            if call is not None:
                call(args, kwargs)
        else:
            function(handlers, event_name, ignore_condition_name, *args, **kwargs)

    return handle_event


def _straight_later(handler: Any, calls: Mapping[str, Any], function: Any) -> Any:
    @functools.wraps(function)
    async def ahandle_event(
        handlers: Any, event_name: str, ignore_condition_name: str | None, *args: Any, **kwargs: Any
    ) -> None:
        if len(handlers) == 1 and handlers[0] is handler and not handler.ignore_chain:
            call = calls.get(event_name)
            if call is not None:
                call(args, kwargs)
        else:
            await function(handlers, event_name, ignore_condition_name, *args, **kwargs)

    return ahandle_event
