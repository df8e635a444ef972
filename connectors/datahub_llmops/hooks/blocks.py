"""Which block of ``lineage.answer()`` is in force where the code runs that asks.

A block holds for its context until it ends. A block in a generator is different: its consumer runs between two steps,
in the same context, and may take each step in another one, as web servers do that stream from worker threads. It is in
force while the generator runs, so it is found by the frame of the generator on the call stack. Threads and tasks that
were begun inside it find it in the context that they have copied.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from contextvars import ContextVar
from inspect import CO_ASYNC_GENERATOR, CO_GENERATOR
from types import FrameType
from typing import Final

from datahub_llmops.hooks.parts import Answer, Skipped

open_answer: Final[ContextVar[Answer | Skipped | None]] = ContextVar("datahub_llmops_answer", default=None)
"""The answer of the block that was entered in this context, unless a generator entered it."""
in_generator: Final[ContextVar[_Step | None]] = ContextVar("datahub_llmops_generator", default=None)
"""The block that a generator entered in this context, or in one that this is a copy of."""
_frames: Final[dict[int, _Step]] = {}
"""Blocks in generators that have not ended, by the number of the generator's frame."""


class _Step:
    """A block in a generator, and the thread and task that entered it."""

    __slots__ = ("answer", "place")

    def __init__(self, answer: Answer | Skipped) -> None:
        self.answer = answer
        self.place = find_place()


def find_place() -> tuple[int, int]:
    """Return the thread and the task that run this code."""
    asyncio = sys.modules.get("asyncio")
    # Asking for a task where no loop runs raises an exception, which takes longer than the rest.
    loop = None if asyncio is None else asyncio._get_running_loop()
    task = None if asyncio is None or loop is None else asyncio.current_task(loop)
    return threading.get_ident(), id(task)


def is_generator(caller: FrameType) -> bool:
    """Return whether a frame is that of a generator which is read step by step, and not of a context manager."""
    if not caller.f_code.co_flags & (CO_GENERATOR | CO_ASYNC_GENERATOR):
        return False
    reader = caller.f_back
    return reader is None or reader.f_code.co_filename != contextlib.__file__


def enter_generator(caller: FrameType, answer: Answer | Skipped) -> int:
    """Have a block be in force while the generator runs, and return its number for ``leave_generator``."""
    step = _frames[id(caller)] = _Step(answer)
    in_generator.set(step)
    return id(caller)


def leave_generator(number: int) -> None:
    """End the block of a generator."""
    step = _frames.pop(number, None)
    if step is not None and in_generator.get() is step:
        in_generator.set(None)


def find_open() -> Answer | Skipped | None:
    """Return the answer whose block is in force here. An answer that has ended takes nothing that begins later."""
    here = open_answer.get()
    if here is not None and not _is_over(here):
        return here
    step = _find_frame() if _frames else None
    if step is None:
        step = in_generator.get()
        if step is not None and step.place == find_place():
            return None  # Between two steps the context is that of the consumer.
    return None if step is None or _is_over(step.answer) else step.answer


def _is_over(answer: Answer | Skipped) -> bool:
    return answer.ended is not None


def _find_frame() -> _Step | None:
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        step = _frames.get(id(frame))
        if step is not None:
            return step
        frame = frame.f_back
    return None
