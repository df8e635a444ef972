"""A wrapper around methods of other people's classes that observes each call and its result.

The frame of a wrapped call is current while the call runs: calls inside it are part of it.
"""

from __future__ import annotations

import functools
import inspect
import time
from collections.abc import Callable
from types import CoroutineType, TracebackType
from typing import Any

from datahub_llmops.hooks import runtime
from datahub_llmops.hooks.parts import Retrieval


class Frame:
    """A wrapped call that is running in this context; calls inside it are part of it.

    A task that it started has a copy of its context and may outlive it: ``done`` tells that it has ended.
    """

    __slots__ = ("done", "kind", "recorded", "retrieval")

    def __init__(self, kind: str, retrieval: Retrieval | None = None) -> None:
        self.kind = kind
        self.done = False
        self.recorded = False
        self.retrieval = retrieval


def running() -> Frame | None:
    """Return the wrapped call that runs around this code."""
    frame = runtime.running_call.get()
    return None if frame is None or frame.done else frame


class Call:
    """A wrapped call and its result. Arguments are those that the application gave."""

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
        self.started = time.time()
        self.outer = running()
        self._after = after

    def __enter__(self) -> Call:
        runtime.running_call.set(self.frame)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if runtime.running_call.get() is self.frame:
            runtime.running_call.set(self.outer)
        if error is None and type(self.result) is CoroutineType:
            self.result = self._finish(self.result)
            return
        self.frame.done = True
        self.error = error
        self._after(self)

    async def _finish(self, result: Any) -> Any:
        """Await what the function has returned: a decorator may hide that it is a coroutine function."""
        with self:
            self.result = None
            self.result = await result
        return self.result

    def argument(self, position: int, *names: str) -> Any:
        """Return the argument at ``position``, where the object itself is number 0, or under one of ``names``."""
        if len(self.args) > position:
            return self.args[position]
        for name in names:
            if name in self.kwargs:
                return self.kwargs[name]
        return None


def watch(
    before: Callable[[Any, Any, Any], Frame | None],
    after: Callable[[Call], None],
    change: Callable[[Any, Any, Any], Any] | None = None,
) -> Callable[[Any], Any]:
    """Build a decorator: ``before`` returns the frame, or ``None`` to stay out; ``after`` records the call.

    ``change`` may return other arguments and keywords for the call.
    """

    def decorate(function: Any) -> Any:
        def begin(args: Any, kwargs: Any) -> Call | None:
            frame = before(function, args, kwargs) if runtime.enabled else None
            return None if frame is None else Call(frame, function, args, kwargs, after)

        def change_arguments(args: Any, kwargs: Any) -> Any:
            return (change(function, args, kwargs) if change is not None else None) or (args, kwargs)

        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def later(*args: Any, **kwargs: Any) -> Any:
                call = begin(args, kwargs)
                if call is None:
                    return await function(*args, **kwargs)
                with call:
                    args, kwargs = change_arguments(args, kwargs)
                    call.result = await function(*args, **kwargs)
                return call.result

            return later

        @functools.wraps(function)
        def now(*args: Any, **kwargs: Any) -> Any:
            call = begin(args, kwargs)
            if call is None:
                return function(*args, **kwargs)
            with call:
                args, kwargs = change_arguments(args, kwargs)
                call.result = function(*args, **kwargs)
            return call.result

        return now

    return decorate
