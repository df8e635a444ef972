"""Finds the block of ``lineage.answer()`` or ``lineage.application()`` that is in force for the calling code.

A block holds for its context until it ends. A block in a generator is different: its consumer runs between two steps,
in the same context, and may take each step in another one, as web servers do that stream from worker threads. It is in
force while the generator runs, so it is found by the frame of the generator on the call stack. Threads and tasks that
were begun inside it find it in the context that they have copied.
"""

from __future__ import annotations

import contextlib
import functools
import sys
import threading
from collections.abc import Callable
from contextvars import ContextVar
from inspect import CO_ASYNC_GENERATOR, CO_GENERATOR
from types import FrameType
from typing import Final, Generic, TypeVar

from datahub_llmops.hooks.parts import Answer, Skipped

T = TypeVar("T")

open_answer: Final[ContextVar[Answer | Skipped | None]] = ContextVar("datahub_llmops_answer", default=None)
answer_of_generator: Final[ContextVar[Step[Answer | Skipped] | None]] = ContextVar(
    "datahub_llmops_answer_of_generator", default=None
)
named_application: Final[ContextVar[tuple[str, str | None] | None]] = ContextVar(
    "datahub_llmops_application", default=None
)
application_of_generator: Final[ContextVar[Step[tuple[str, str | None]] | None]] = ContextVar(
    "datahub_llmops_application_of_generator", default=None
)


class Step(Generic[T]):
    """The value of a block in a generator, and the thread and task that entered it."""

    __slots__ = ("left", "place", "value")

    def __init__(self, value: T) -> None:
        self.value = value
        self.place = find_place()
        self.left = False


class Blocks(Generic[T]):
    """The blocks of one kind. A block has a value: an answer, or the name and version of an application."""

    __slots__ = ("_in_context", "_in_generator", "_steps", "used")

    def __init__(self, in_context: ContextVar[T | None], in_generator: ContextVar[Step[T] | None]) -> None:
        self._in_context = in_context
        self._in_generator = in_generator
        self.used = False
        """Whether there has been a block in this process: most applications have none, and nothing to find."""
        self._steps: dict[int, Step[T]] = {}
        """Blocks in generators that have not ended, by the number of the generator's frame."""

    def enter(self, value: T, caller: FrameType) -> Callable[[], None]:
        """Put ``value`` in force for the code of ``caller``, and return what takes it out of force."""
        if not _is_generator(caller):
            return self.enter_context(value)
        self.used = True
        step = self._steps[id(caller)] = Step(value)
        self._in_generator.set(step)
        return functools.partial(self._leave_generator, id(caller), step)

    def enter_context(self, value: T) -> Callable[[], None]:
        """Put ``value`` in force for this context, and return what takes it out of force."""
        outer = self._in_context.get()
        self.used = True
        self._in_context.set(value)
        return functools.partial(self._leave_context, value, outer)

    def _leave_context(self, value: T, outer: T | None) -> None:
        # A coroutine that was left alone is closed in somebody else's context.
        if self._in_context.get() is value:
            self._in_context.set(outer)

    def _leave_generator(self, number: int, step: Step[T]) -> None:
        step.left = True
        self._steps.pop(number, None)
        if self._in_generator.get() is step:
            self._in_generator.set(None)

    def find(self) -> T | None:
        """Return the value of the block that is in force here."""
        if self._steps:
            step = self._find_frame()
            if step is not None:
                return step.value
        value = self._in_context.get()
        if value is not None and not (isinstance(value, (Answer, Skipped)) and value.ended is not None):
            return value
        step = self._in_generator.get()
        # Between two steps the context is that of the consumer.
        return None if step is None or step.left or step.place == find_place() else step.value

    def _find_frame(self) -> Step[T] | None:
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            step = self._steps.get(id(frame))
            if step is not None:
                return step
            frame = frame.f_back
        return None


answers: Final = Blocks(open_answer, answer_of_generator)
"""Blocks of ``lineage.answer()``. An answer that has ended takes nothing that begins later."""
applications: Final = Blocks(named_application, application_of_generator)
"""Blocks of ``lineage.application()``."""


def find_place() -> object:
    """Return what stands for the thread, and the task if there is one, that run this code."""
    thread = threading.get_ident()
    if "asyncio" not in sys.modules:
        return thread
    asyncio = sys.modules["asyncio"]
    # Asking for a task where no loop runs raises an exception, which takes longer than the rest.
    loop = asyncio._get_running_loop()
    return thread if loop is None else (thread, id(asyncio.current_task(loop)))


def _is_generator(caller: FrameType) -> bool:
    """Return whether a frame is that of a generator which is read step by step, and not of a context manager."""
    if not caller.f_code.co_flags & (CO_GENERATOR | CO_ASYNC_GENERATOR):
        return False
    reader = caller.f_back
    return reader is None or reader.f_code.co_filename != contextlib.__file__
