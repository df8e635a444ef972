"""All state of the hooks in this process and in the current context, and the life of an answer.

Every context variable of the hooks is here or in ``blocks``. Frameworks copy the context into threads and tasks, so
each variable holds for the code that runs inside the block or call that set it.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable, MutableMapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

from datahub_llmops.hooks import blocks, guard, spans
from datahub_llmops.hooks.parts import (
    SKIPPED,
    Answer,
    Metadata,
    ModelCall,
    Part,
    Retrieval,
    Skipped,
    ToolCall,
)
from datahub_llmops.hooks.recorder import Recorder
from datahub_llmops.hooks.settings import Settings
from datahub_llmops.hooks.write_events import Job, WriteEvent

if TYPE_CHECKING:
    from datahub_llmops.hooks.wrapping import Frame

MAX_OPEN: Final = 16_384
"""The most open runs per framework; beyond it the oldest are given up."""
MAX_AGE: Final = 3_600.0
"""Seconds after which a run that has not ended is given up."""

# The process

enabled = False
settings = Settings("application")
recorder: Recorder | None = None
degraded: dict[str, int] = {}
"""Private hooks of the frameworks that were not found, and what is less exact because of it."""
abandoned = 0
counts: Final = dict.fromkeys(("answers_without_model", "models_without_answer", "late_parts"), 0)
"""What has probably lost its other half: an answer that retrieved and asked no model, a model call that is an answer of
its own, and parts that ended after their answer."""
_chance: Final = random.Random()  # Not the shared generator: an application may have seeded that one.

# The current context

last_answer: Final[ContextVar[Answer | None]] = ContextVar("datahub_llmops_last_answer", default=None)
"""The answer that was begun last, with or without ``lineage.answer()``.

Tasks and threads have copies of the context that show the same answer. What they begin overtakes it: the code around
them cannot tell whether their answer is the one that it has been given.
"""
named_prompt: Final[ContextVar[Metadata | None]] = ContextVar("datahub_llmops_prompt", default=None)
"""The identity of an agent's system prompt, which the optional middleware sets for the model call inside it."""
passed_retriever: Final[ContextVar[Any]] = ContextVar("datahub_llmops_retriever", default=None)
"""The call of a LangChain retriever on its way from ``invoke`` to ``on_retriever_start``, and nowhere else."""
current_retrieval: Final[ContextVar[Retrieval | None]] = ContextVar("datahub_llmops_retrieval", default=None)
"""The LangChain retrieval that runs; searches of a store inside it belong to it."""
running_call: Final[ContextVar[Frame | None]] = ContextVar("datahub_llmops_store_call", default=None)
"""The wrapped store method that runs."""
current_job: Final[ContextVar[Job | None]] = ContextVar("datahub_llmops_job", default=None)
"""The job of ``lineage.job``, ``lineage.index`` or ``lineage.pipeline``."""
indexing_facts: Final[ContextVar[tuple[dict[str, Any], dict[str, Any] | None] | None]] = ContextVar(
    "datahub_llmops_indexing", default=None
)
"""Facts and embedding model that only the caller of a store knows (LlamaIndex). Set while an index is written."""
read_stream: Final[ContextVar[Any]] = ContextVar("datahub_llmops_stream", default=None)
"""The span of the LlamaIndex stream whose next token is being made; what runs meanwhile belongs to its answer."""
streams_read = False
"""Whether ``read_stream`` was set in this process: every span asks for it otherwise."""

enclosing: Final[dict[str, Callable[[], tuple[Answer | Skipped, Part | None] | None]]] = {}
"""By framework, what finds the answer that runs in this context, and the retrieval or model call around us."""


def remember_answer(answer: Answer) -> None:
    """Make ``answer`` the last one of this context."""
    before = last_answer.get()
    if before is not None:
        before.overtaken = True
        answer.overtaken = before.ended is None  # As in a batch, whose answers all begin here.
    answer.place = blocks.find_place()
    last_answer.set(answer)


def find_last_answer() -> Answer | None:
    """Return the answer that this code began last, if nothing that it has started began another since."""
    last = last_answer.get()
    return last if last is not None and not last.overtaken and last.place == blocks.find_place() else None


def start(new: Settings) -> Recorder:
    """Take ``new`` settings. A process has one recorder."""
    global enabled, settings, recorder
    settings = new
    if recorder is None:
        recorder = Recorder(new)
        recorder.watched["degraded"] = degraded
    if recorder.settings.records and not new.records:
        recorder.flush(2.0)
    recorder.settings = new
    enabled = True
    return recorder


def stop() -> None:
    """Record nothing from now on."""
    global enabled
    enabled = False


def sweep_regularly(sweep: Callable[[], None]) -> None:
    """Have the recorder's thread call ``sweep`` every few seconds."""
    if recorder is not None and sweep not in recorder.tick:
        recorder.tick.append(sweep)


def begin_answer(
    application: str,
    version: str | None,
    sample: float,
    *,
    framework: str | None = None,
    explicit: bool = False,
) -> Answer | Skipped:
    """Begin an answer of the application in force. Sampling may leave it out."""
    if sample < 1.0 and _chance.random() >= sample:
        return SKIPPED
    override = blocks.applications.find() if blocks.applications.used else None
    if override is not None:
        application, version = override
    answer = Answer(
        application, version, framework=framework, explicit=explicit, weight=1.0 / sample if sample else 1.0
    )
    if spans.CONTEXT in sys.modules:
        spans.begin(answer)
    return answer


def enter_answer(framework: str) -> tuple[Answer | Skipped, bool, Part | None]:
    """Return the answer that a run without a parent belongs to, whether the run is its root, and what encloses it.

    The answer is that of the other framework if this framework is called inside of it, else the one that the user has
    opened, else a new one. Where an index is written, a model that is asked makes no answer.
    """
    for other in enclosing:
        found = enclosing[other]() if other != framework else None
        if found is not None:
            _note_framework(found[0], framework)
            return found[0], False, found[1]
    current = blocks.answers.find() if blocks.answers.used else None
    if current is not None:
        _note_framework(current, framework)
        return current, True, None
    if indexing_facts.get() is not None or current_job.get() is not None:
        return SKIPPED, True, None
    answer = begin_answer(settings.application, settings.version, settings.sample, framework=framework)
    if isinstance(answer, Answer):
        remember_answer(answer)
    return answer, True, None


def find_running() -> tuple[Answer | Skipped, Part | None] | None:
    """Return the answer that a framework makes around the code that calls this."""
    for find in enclosing.values():
        found = find()
        if found is not None:
            return found
    return None


_MODULES: Final = {"langchain": "langchain_core", "llama-index": "llama_index.core"}


def framework_version(framework: str | None) -> str | None:
    """Return the version of a framework that the application has imported. Importing it here could cost a second."""
    version = getattr(sys.modules.get(_MODULES.get(framework or "", "")), "__version__", None)
    return version if isinstance(version, str) else None


def _note_framework(answer: Answer | Skipped, framework: str) -> None:
    if isinstance(answer, Answer) and answer.framework is None:
        answer.framework = framework


def finish_answer(answer: Answer, status: str = "ok", error: str | None = None) -> None:
    """End an answer and hand it to the recorder."""
    answer.ended = time.time()
    answer.rendered = None
    if answer.span is not None:
        spans.end(answer, settings.records)
    if status != "ok":
        answer.status, answer.error = status, error
    lacks = None
    kinds = set(map(type, answer.parts))
    if Retrieval in kinds:
        if ModelCall not in kinds:
            lacks = "answers_without_model"
    elif ModelCall in kinds and not answer.explicit and answer.parts[0].root:
        lacks = "models_without_answer"
    if lacks is not answer.lacks:
        _count(answer, lacks)
    send(answer)


def _count(answer: Answer, lacks: str | None) -> None:
    """Count an answer that lacks a half; one that ends again, as after a stream, may have it by then."""
    for name, step in ((answer.lacks, -1), (lacks, 1)):
        if name is not None:
            counts[name] += step
    answer.lacks = lacks


def end_part(part: Part, status: str = "ok", error: str | None = None) -> None:
    """End a part. The root of an answer ends the answer too; a late part sends its answer again."""
    part.ended = time.time()
    part.status, part.error = status, error
    answer = part.answer
    if isinstance(answer, Skipped):
        return
    if spans.CONTEXT in sys.modules and type(part) is not ToolCall:
        spans.end_part(answer, part, settings.records)
    if part.root and not answer.explicit:
        finish_answer(answer, status, error)
    elif answer.ended is not None:
        _send_late(answer)


def end_root(answer: Answer, status: str = "ok", error: str | None = None) -> None:
    """End an answer whose root has ended. An answer that the user has opened ends with its block instead."""
    if not answer.explicit:
        finish_answer(answer, status, error)
    elif answer.ended is not None:
        _send_late(answer)


def _send_late(answer: Answer) -> None:
    """Send an answer again of which a part ends after the answer."""
    counts["late_parts"] += 1
    send(answer)


def send(item: Answer | WriteEvent) -> None:
    """Hand an item to the recorder if the hooks are on."""
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


def describe_error(error: object) -> tuple[str, str | None]:
    """Return status and error of an exception: its class and HTTP status, never its message.

    An exception that a framework uses for control flow is not an error.
    """
    for kind in type(error).__mro__:
        if kind.__name__ in _CONTROL_FLOW:
            return "interrupted", None
    status = getattr(error, "status_code", None)
    name = type(error).__name__
    return "error", f"{name} {int.__repr__(status)}" if isinstance(status, int) else name


def sweep(runs: MutableMapping[Any, Any], get_start: Callable[[Any, Any], float | None]) -> None:
    """Give up runs that never end: those older than an hour, and the oldest eighth if there are too many.

    Their answers are recorded as ``unfinished``.
    """
    global abandoned
    edge = time.time() - MAX_AGE
    excess = len(runs) - MAX_OPEN + MAX_OPEN // 8 if len(runs) >= MAX_OPEN else 0
    for number, key in enumerate(list(runs)):
        entry = runs.get(key)
        if entry is None:
            continue
        start = get_start(key, entry)
        if number >= excess:
            if start is None:
                continue
            if start > edge:
                break
        if runs.pop(key, None) is None:
            continue
        abandoned += 1
        answer = getattr(entry, "answer", None)
        if isinstance(answer, Answer) and answer.ended is None and not answer.explicit and entry.root:
            finish_answer(answer, "unfinished")


def refuse(what: str) -> None:
    """Say once that something which the application gave was ignored. ``what`` names the argument, and no value."""
    if what not in degraded:
        degraded[what] = 0
        import logging

        logging.getLogger("datahub_llmops.hooks").warning("datahub-llmops: %s", what)
    degraded[what] += 1


def current_application() -> tuple[str, str | None]:
    """Return name and version of the application in force, for what is recorded outside an answer."""
    return blocks.applications.find() or (settings.application, settings.version)


def reset() -> None:
    """Forget the state of this context and all counts. For tests."""
    global abandoned
    variables: tuple[ContextVar[Any], ...] = (
        blocks.open_answer,
        blocks.answer_of_generator,
        blocks.named_application,
        blocks.application_of_generator,
        last_answer,
        named_prompt,
        passed_retriever,
        current_retrieval,
        running_call,
        current_job,
        indexing_facts,
        read_stream,
    )
    for variable in variables:
        variable.set(None)
    abandoned = 0
    counts.update(dict.fromkeys(counts, 0))
    degraded.clear()
    guard.errors.clear()
