"""LangChain's asynchronous events, straight to our handler where there is no other.

LangChain gathers the handlers that are not inline at every event even where there are none, which takes longer than all
that ours does (``ahandle_event`` in
https://python.langchain.com/api_reference/core/callbacks/langchain_core.callbacks.manager.ahandle_event.html).
"""

from __future__ import annotations

import functools
import sys
from typing import Any

from datahub_llmops.hooks import patching
from datahub_llmops.hooks.guard import guarded


def hook(handler: Any) -> None:
    """Where LangChain's function is not as it was, nothing is hooked and nothing is lost but time."""
    manager: Any = sys.modules.get("langchain_core.callbacks.manager")
    code = getattr(getattr(manager, "ahandle_event", None), "__code__", None)
    if code is not None and code.co_varnames[:3] == ("handlers", "event_name", "ignore_condition_name"):
        patching.wrap(manager, "ahandle_event", functools.partial(_straight, handler))


def _straight(handler: Any, function: Any) -> Any:
    @functools.wraps(function)
    async def ahandle_event(
        handlers: Any, event_name: str, ignore_condition_name: str | None, *args: Any, **kwargs: Any
    ) -> None:
        if len(handlers) == 1 and handlers[0] is handler:
            _alone(handler, event_name, ignore_condition_name, args, kwargs)
        else:
            await function(handlers, event_name, ignore_condition_name, *args, **kwargs)

    return ahandle_event


@guarded("langchain.alone")
def _alone(handler: Any, event_name: str, ignore_condition_name: str | None, args: Any, kwargs: Any) -> None:
    if ignore_condition_name is None or not getattr(handler, ignore_condition_name):
        getattr(handler, event_name)(*args, **kwargs)
