"""``lineage.answer()`` and ``lineage.application()``: what a block of the user's code belongs to, sync and async."""

from __future__ import annotations

import functools
import sys
import time
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, TypeVar, cast

from datahub_llmops.hooks import blocks, runtime
from datahub_llmops.hooks.guard import guarded
from datahub_llmops.hooks.names import clean_name
from datahub_llmops.hooks.parts import Answer, Skipped

F = TypeVar("F", bound=Callable[..., Any])


class application:
    """``with lineage.application("name", version="...")``: another application for a block."""

    __slots__ = ("_name", "_stack", "_version")

    def __init__(self, name: str, *, version: str | None = None) -> None:
        self._name = clean_name(name)
        self._version = clean_name(version)
        self._stack: list[Callable[[], None] | None] = []

    def __enter__(self) -> None:
        self._enter(sys._getframe(1))

    def _enter(self, caller: FrameType) -> None:
        if self._name is None:
            self._stack.append(None)
            runtime.refuse(
                "lineage.application(name): the name is not text; the name around the block was kept"
            )
        else:
            self._stack.append(blocks.applications.enter((self._name, self._version), caller))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        leave = self._stack.pop()
        if leave is not None:
            leave()

    async def __aenter__(self) -> None:
        self._enter(sys._getframe(1))

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)


class answer:
    """Makes everything inside one answer, across frameworks and across threads that copy their context.

    ``with lineage.answer() as a`` gives the answer, and ``a.id`` names it. As a decorator it takes functions,
    coroutine functions and generators of both kinds. Inside another answer it gives that answer. In a generator, what
    the consumer does between two steps is outside.
    """

    __slots__ = ("_stack",)

    def __init__(self) -> None:
        self._stack: list[tuple[Answer | Skipped, Callable[[], object]] | None] = []

    def __enter__(self) -> Answer:
        return self._enter(sys._getframe(1))

    def _enter(self, caller: FrameType) -> Answer:
        current, opened = _join_or_begin()
        self._stack.append((current, blocks.answers.enter(current, caller)) if opened else None)
        if opened and isinstance(current, Answer):
            runtime.remember_answer(current)
        return current if isinstance(current, Answer) else _unrecorded()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        opened = self._stack.pop()
        if opened is not None:
            current, close = opened
            close()
            _end(current, error)

    async def __aenter__(self) -> Answer:
        return self._enter(sys._getframe(1))

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)

    def __call__(self, function: F) -> F:
        """Decorate ``function``; every call of it is an answer of its own."""
        import inspect  # Takes 5 ms, which attaching saves.

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


@guarded("answer.find")
def _find() -> Answer | Skipped | None:
    """Return the answer that is being made around the caller, by a block or by a framework."""
    found = runtime.find_running()
    return found[0] if found is not None and found[0].ended is None else blocks.answers.find()


def _join_or_begin() -> tuple[Answer | Skipped, bool]:
    """Return the answer that is being made here, or begin one; and whether it was begun."""
    found = _find()
    if found is not None:
        return found, False
    return _begin() or Skipped(), True


def _generator(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def steps(*args: Any, **kwargs: Any) -> Any:
        inner = function(*args, **kwargs)
        current, opened = _join_or_begin()
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
            if opened:
                _end(current, error)

    return steps


def _step(current: Answer | Skipped, call: Callable[..., Any], *args: Any) -> Any:
    """Take one step with the answer in force. Between steps the context is the consumer's."""
    leave = blocks.answers.enter_context(current)
    try:
        return call(*args)
    finally:
        leave()


def _async_generator(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    async def steps(*args: Any, **kwargs: Any) -> Any:
        inner = function(*args, **kwargs)
        current, opened = _join_or_begin()
        error: BaseException | None = None
        try:
            while True:
                leave = blocks.answers.enter_context(current)
                try:
                    value = await inner.__anext__()
                except StopAsyncIteration:
                    return
                finally:
                    leave()
                yield value
        except BaseException as raised:
            error = raised
            raise
        finally:
            await inner.aclose()
            if opened:
                _end(current, error)

    return steps


@guarded("answer.begin")
def _begin() -> Answer | Skipped:
    settings = runtime.settings
    if not runtime.enabled:
        return Skipped()
    begun = runtime.begin_answer(settings.application, settings.version, settings.sample, explicit=True)
    return begun if isinstance(begun, Answer) else Skipped()


@guarded("answer.end")
def _end(current: Answer | Skipped, error: BaseException | None) -> None:
    if isinstance(current, Skipped):
        current.ended = time.time()
    elif error is None:
        runtime.finish_answer(current)
    else:
        status, name = runtime.describe_error(error)
        runtime.finish_answer(current, status, name)


def _unrecorded() -> Answer:
    """Return an answer for the user's ``a.id`` if the hooks are off or sampling leaves the answer out."""
    return Answer(runtime.settings.application, None, framework=None, explicit=True, weight=0.0)


def current_answer() -> Answer | None:
    """Return the answer that is being made here, else the last one that this code has made itself.

    It is ``None`` after ``asyncio.wait_for``, ``gather``, ``to_thread`` or a batch, because their answers were made
    elsewhere; for an answer that sampling leaves out; and while the hooks are turned off or not attached.
    """
    current = _find()
    return current if isinstance(current, Answer) else runtime.find_last_answer()
