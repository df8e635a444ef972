"""A wrapper around methods of other people's classes that says when one runs, and what came of it.

The frame of a wrapped call is in force while it runs: what is called inside is part of it.
"""

from __future__ import annotations

import functools
import inspect
import time
from collections.abc import Callable
from contextvars import ContextVar
from types import TracebackType
from typing import Any

from datahub_llmops.hooks import runtime
from datahub_llmops.hooks.parts import Retrieval


class Frame:
    """A wrapped call that is running in this context; calls inside it are part of it."""

    __slots__ = ("kind", "recorded", "retrieval")

    def __init__(self, kind: str, retrieval: Retrieval | None = None) -> None:
        self.kind = kind
        self.recorded = False
        self.retrieval = retrieval


running: ContextVar[Frame | None] = ContextVar("datahub_llmops_store_call", default=None)
"""The wrapped call that runs in this context."""


class Done:
    """A wrapped call and what came of it; what it was called with is what the application gave."""

    __slots__ = ("_after", "args", "error", "frame", "function", "kwargs", "outer", "result", "started")

    def __init__(
        self, frame: Frame, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], after: Any
    ) -> None:
        self.frame = frame
        self.function = function
        self.args = args
        self.kwargs = kwargs
        self.result: Any = None
        self.error: BaseException | None = None
        self._after = after

    def __enter__(self) -> Done:
        self.outer = running.get()
        running.set(self.frame)
        self.started = time.time()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        running.set(self.outer)
        self.error = error
        self._after(self)

    def argument(self, position: int, *names: str) -> Any:
        """The argument at ``position``, the object itself being the first, or of one of ``names``."""
        if len(self.args) > position:
            return self.args[position]
        for name in names:
            if name in self.kwargs:
                return self.kwargs[name]
        return None


def watched(
    before: Callable[[Any, Any, Any], Frame | None],
    after: Callable[[Done], None],
    change: Callable[[Any, Any, Any], Any] | None = None,
) -> Callable[[Any], Any]:
    """A maker of wrappers: ``before`` gives the frame, or ``None`` to stay out; ``after`` records.

    ``change`` may give other arguments and keywords for the call.
    """

    def make(function: Any) -> Any:
        def begin(args: Any, kwargs: Any) -> Done | None:
            frame = before(function, args, kwargs) if runtime.enabled else None
            return None if frame is None else Done(frame, function, args, kwargs, after)

        def given(args: Any, kwargs: Any) -> Any:
            return (change(function, args, kwargs) if change is not None else None) or (args, kwargs)

        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def later(*args: Any, **kwargs: Any) -> Any:
                call = begin(args, kwargs)
                if call is None:
                    return await function(*args, **kwargs)
                with call:
                    args, kwargs = given(args, kwargs)
                    call.result = await function(*args, **kwargs)
                    return call.result

            return later

        @functools.wraps(function)
        def now(*args: Any, **kwargs: Any) -> Any:
            call = begin(args, kwargs)
            if call is None:
                return function(*args, **kwargs)
            with call:
                args, kwargs = given(args, kwargs)
                call.result = function(*args, **kwargs)
                return call.result

        return now

    return make
