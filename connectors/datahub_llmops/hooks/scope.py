"""``lineage.answer()``: what belongs to one answer, as context manager and decorator, sync and async."""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import TracebackType
from typing import Any, TypeVar, cast

from datahub_llmops.hooks import parts, runtime
from datahub_llmops.hooks.guard import guarded
from datahub_llmops.hooks.parts import Answer, Skipped

F = TypeVar("F", bound=Callable[..., Any])


class answer:
    """Everything that happens inside is one answer, across frameworks and threads that copy their context.

    ``with lineage.answer() as a`` gives the answer, ``a.id`` names it. As a decorator it takes functions,
    coroutine functions and generators of both kinds. Inside another answer it is that answer.
    """

    __slots__ = ("_stack",)

    def __init__(self) -> None:
        self._stack: list[tuple[Any, Answer | Skipped, bool]] = []

    def __enter__(self) -> Answer:
        outer = parts.active.get()
        if outer is not None and not (isinstance(outer, Answer) and outer.ended is not None):
            self._stack.append((outer, outer, False))
            return outer if isinstance(outer, Answer) else _unrecorded()
        current = _begin()
        if current is None:
            current = parts.SKIPPED
        self._stack.append((outer, current, True))
        parts.active.set(current)
        if isinstance(current, Answer):
            parts.last.set(current)
            return current
        return _unrecorded()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        outer, current, opened = self._stack.pop()
        if opened:
            parts.active.set(outer)
            _end(current, error)

    async def __aenter__(self) -> Answer:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)

    def __call__(self, function: F) -> F:
        """As a decorator; every call is an answer of its own."""
        import inspect  # Costs 5 ms that attaching does without.

        if inspect.isasyncgenfunction(function):
            return cast("F", _async_generator(function))
        if inspect.isgeneratorfunction(function):
            return cast("F", _generator(function))
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def later(*args: Any, **kwargs: Any) -> Any:
                with answer():
                    return await function(*args, **kwargs)

            return cast("F", later)

        @functools.wraps(function)
        def now(*args: Any, **kwargs: Any) -> Any:
            with answer():
                return function(*args, **kwargs)

        return cast("F", now)


def _generator(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def steps(*args: Any, **kwargs: Any) -> Any:
        inner = function(*args, **kwargs)
        current = _begin() or parts.SKIPPED
        error: BaseException | None = None
        try:
            value = _step(current, inner.__next__)
            while True:
                try:
                    sent = yield value
                except GeneratorExit:
                    raise
                except BaseException as thrown:  # noqa: BLE001 - handed on to the generator, which decides
                    value = _step(current, inner.throw, thrown)
                else:
                    value = _step(current, inner.send, sent)
        except StopIteration as stop:
            return stop.value
        except BaseException as raised:
            error = raised
            raise
        finally:
            _step(current, inner.close)
            _end(current, error)

    return steps


def _step(current: Answer | Skipped, call: Callable[..., Any], *args: Any) -> Any:
    """One step with the answer in force: between steps the consumer's context is its own."""
    outer = parts.active.get()
    parts.active.set(current)
    try:
        return call(*args)
    finally:
        parts.active.set(outer)


def _async_generator(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    async def steps(*args: Any, **kwargs: Any) -> Any:
        inner = function(*args, **kwargs)
        current = _begin() or parts.SKIPPED
        error: BaseException | None = None
        try:
            while True:
                outer = parts.active.get()
                parts.active.set(current)
                try:
                    value = await inner.__anext__()
                except StopAsyncIteration:
                    return
                finally:
                    parts.active.set(outer)
                yield value
        except BaseException as raised:
            error = raised
            raise
        finally:
            await inner.aclose()
            _end(current, error)

    return steps


@guarded("answer.begin")
def _begin() -> Answer | Skipped:
    settings = runtime.settings
    if not runtime.enabled:
        return parts.SKIPPED
    return parts.begin(settings.application, settings.version, settings.sample, explicit=True)


@guarded("answer.end")
def _end(current: Answer | Skipped, error: BaseException | None) -> None:
    if isinstance(current, Answer):
        if error is None:
            runtime.finish(current)
        else:
            status, name = runtime.failure(error)
            runtime.finish(current, status, name)


def _unrecorded() -> Answer:
    """For the user's ``a.id`` where nothing is recorded: hooks that are off, or an answer left out by sampling."""
    return Answer(runtime.settings.application, None, framework=None, explicit=True, weight=0.0)


def current_answer() -> Answer | None:
    """The answer that is being made in this context, else the one made last in it."""
    current = parts.active.get()
    return current if isinstance(current, Answer) else parts.last.get()
