"""State of the hooks in this process: settings, recorder, the answers that are being made."""

from __future__ import annotations

import time
from collections.abc import Callable, MutableMapping
from typing import Any, Final

from datahub_llmops.hooks import parts
from datahub_llmops.hooks.parts import Answer, Part, Skipped
from datahub_llmops.hooks.recorder import Recorder
from datahub_llmops.hooks.settings import Settings
from datahub_llmops.hooks.write_events import WriteEvent

MAX_OPEN: Final = 16_384
"""Runs that have begun and not ended, per framework; beyond it the oldest are given up."""
MAX_AGE: Final = 3_600.0
"""Seconds after which a run that has not ended is given up."""
LATE: Final = 300.0
"""Seconds after its end in which an answer still takes what was begun inside it."""

enabled = False
settings = Settings("application")
recorder: Recorder | None = None
unresolved: dict[str, int] = {}
"""Private hooks of the frameworks that were not there, and what is degraded because of it."""
abandoned = 0


def start(new: Settings) -> Recorder:
    """Take ``new`` settings; the recorder is made once a process."""
    global enabled, settings, recorder
    settings = new
    if recorder is None:
        recorder = Recorder(new)
    recorder.settings = new
    enabled = True
    return recorder


def stop() -> None:
    """See nothing from now on."""
    global enabled
    enabled = False


def enter(framework: str) -> Answer | Skipped:
    """The answer that a root run belongs to: the one opened by the user, else one of its own."""
    current = parts.active.get()
    if current is not None and (
        isinstance(current, Skipped) or current.ended is None or time.time() - current.ended < LATE
    ):
        if isinstance(current, Answer) and current.framework is None:
            current.framework = framework
        return current
    answer = parts.begin(settings.application, settings.version, settings.sample, framework=framework)
    if isinstance(answer, Answer):
        parts.last.set(answer)
    return answer


def finish(answer: Answer, status: str = "ok", error: str | None = None) -> None:
    """The answer has ended: hand it to the recorder."""
    answer.ended = time.time()
    if status != "ok":
        answer.status, answer.error = status, error
    send(answer)


def ended(part: Part, status: str = "ok", error: str | None = None) -> None:
    """A part has ended. The root of an answer of its own ends the answer; a late part sends it again."""
    part.ended = time.time()
    part.status, part.error = status, error
    answer = part.answer
    if isinstance(answer, Skipped):
        return
    if part.root and not answer.explicit:
        finish(answer, status, error)
    elif answer.ended is not None:
        send(answer)


def root_ended(answer: Answer, status: str = "ok", error: str | None = None) -> None:
    """The root of an answer has ended, and the answer with it; one that the user has opened ends with its block."""
    if not answer.explicit:
        finish(answer, status, error)
    elif answer.ended is not None:
        send(answer)


def send(item: Answer | WriteEvent) -> None:
    """To the recorder, if the hooks are on."""
    if recorder is not None and enabled:
        recorder.record(item)


_CONTROL_FLOW: Final = frozenset(
    {
        "GraphBubbleUp",
        "GraphInterrupt",
        "NodeInterrupt",
        "ParentCommand",
        "CancelledError",
        "GeneratorExit",
        "StopIteration",
        "StopAsyncIteration",
        "WorkflowCancelledByUser",
    }
)


def failure(error: object) -> tuple[str, str | None]:
    """Status and error of an exception: class and HTTP status, never its message. Control flow is no failure."""
    for kind in type(error).__mro__:
        if kind.__name__ in _CONTROL_FLOW:
            return "interrupted", None
    status = getattr(error, "status_code", None)
    name = type(error).__name__
    return "error", f"{name} {status}" if isinstance(status, int) else name


def sweep(runs: MutableMapping[Any, Any], began: Callable[[Any, Any], float | None]) -> None:
    """Give up runs that never end: those older than an hour, and the oldest eighth where there are too many.

    Their answers are recorded as ``unfinished``.
    """
    global abandoned
    edge = time.time() - MAX_AGE
    excess = len(runs) - MAX_OPEN + MAX_OPEN // 8 if len(runs) >= MAX_OPEN else 0
    for number, key in enumerate(list(runs)):
        held = runs.get(key)
        if held is None:
            continue
        begun = began(key, held)
        if number >= excess:
            if begun is None:
                continue
            if begun > edge:
                break
        if runs.pop(key, None) is None:
            continue
        abandoned += 1
        answer = getattr(held, "answer", None)
        if isinstance(answer, Answer) and answer.ended is None and not answer.explicit and held.root:
            finish(answer, "unfinished")


def application() -> tuple[str, str | None]:
    """The application in force, for what is recorded outside an answer."""
    return parts.named.get() or (settings.application, settings.version)
