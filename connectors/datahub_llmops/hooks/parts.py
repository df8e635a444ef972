"""What belongs to one answer while it is being made: plain objects, filled on the application's threads.

Nothing here computes: strings are kept by reference, and the recorder's thread digests, interns and writes them.
Until then an answer waits, and every container of it brings the application's next garbage collection nearer: so one
list of parts, chunks in a flat list, keys that are numbers or strings, and no object of the frameworks.
"""

from __future__ import annotations

import itertools
import os
import random
import sys
import time
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from types import TracebackType
from typing import Any, Final

MAX_PARTS: Final = 1_000
"""Retrievals, prompts, model calls and tools kept of one answer; an endless agent is cut there and says so."""

Metadata = dict[str, Any]


class Answer:
    """One answer of the application. ``id`` names it in ``datahub-llmops explain``."""

    __slots__ = (
        "__weakref__",
        "application",
        "cut",
        "ended",
        "error",
        "explicit",
        "framework",
        "parts",
        "query",
        "root",
        "serial",
        "started",
        "status",
        "text",
        "version",
        "weight",
    )

    def __init__(
        self, application: str, version: str | None, *, framework: str | None, explicit: bool, weight: float
    ) -> None:
        self.started = time.time()
        self.serial = next(_serials)
        self.application = application
        self.version = version
        self.framework = framework
        self.explicit = explicit
        self.weight = weight
        self.ended: float | None = None
        self.status = "ok"
        self.error: str | None = None
        self.root: str | None = None
        self.query: object = None
        self.text: object = None
        self.parts: list[Part] = []
        self.cut = 0

    @property
    def id(self) -> str:
        """Milliseconds and their fraction, so that ids of a process sort by time, then a number no other has."""
        return f"{int(self.started * 65_536_000):016x}{self.serial & 0xFFFF_FFFF_FFFF:012x}"

    @property
    def finished(self) -> bool:
        """Whether everything that makes the answer has ended."""
        return self.ended is not None


def _from_anywhere() -> None:
    # Counting on from a random number: asking the system for random bytes takes longer than the rest of an answer.
    global _serials
    _serials = itertools.count(int.from_bytes(os.urandom(6), "big"))


_serials: itertools.count[int]
_from_anywhere()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_from_anywhere)


class Part:
    """Something that happens inside an answer and has a start, an end and a state."""

    __slots__ = ("answer", "ended", "error", "key", "parent", "root", "started", "status")

    def __init__(self, answer: Answer | Skipped, key: object, parent: object) -> None:
        self.answer = answer
        self.key = key
        self.parent = parent
        self.root = False
        self.started = time.time()
        self.ended: float | None = None
        self.status = "ok"
        self.error: str | None = None


_NOTHING: Final[Metadata] = {}
"""Of what has not been described; never added to."""


class Retrieval(Part):
    """One search in an index. ``within`` is the composite retriever that made it."""

    __slots__ = ("chunks", "composite", "embedding", "facts", "index", "retriever", "scores", "within")

    def __init__(self, answer: Answer | Skipped, key: object, parent: object) -> None:
        Part.__init__(self, answer, key, parent)
        self.retriever = _NOTHING
        self.facts = _NOTHING
        self.index: Metadata | None = None
        self.embedding: Metadata | None = None
        self.chunks: Sequence[object] = ()
        """Flat, as ``provenance.note`` fills it."""
        self.scores: dict[int, float] | None = None
        self.composite = False
        self.within: Retrieval | None = None


class Prompt(Part):
    """A prompt that was rendered: an identity from its metadata, its template, or both.

    A template is LangChain's serialised one (the same object each time), a text, or ``templates.Template``.
    """

    __slots__ = ("identity", "role", "template")

    def __init__(
        self,
        answer: Answer,
        key: object,
        parent: object,
        identity: Metadata | None,
        template: object,
        role: str,
    ) -> None:
        Part.__init__(self, answer, key, parent)
        self.identity = identity
        self.template = template
        self.role = role


class ModelCall(Part):
    """One call of a language model."""

    __slots__ = ("asked", "cached", "prompt", "provider", "served", "usage")

    def __init__(self, answer: Answer | Skipped, key: object, parent: object) -> None:
        Part.__init__(self, answer, key, parent)
        self.provider: str | None = None
        self.asked: str | None = None
        self.served: str | None = None
        self.usage: Metadata | None = None
        self.cached = False
        self.prompt: Prompt | None = None


class ToolCall(Part):
    """One call of a tool."""

    __slots__ = ("name",)

    def __init__(self, answer: Answer, key: object, parent: object, name: str) -> None:
        Part.__init__(self, answer, key, parent)
        self.name = name


class Skipped:
    """Stands for an answer that sampling left out: its children find it and do nothing."""

    __slots__ = ()


SKIPPED: Final = Skipped()

active: ContextVar[Answer | Skipped | None] = ContextVar("datahub_llmops_answer", default=None)
"""The answer opened by ``lineage.answer()``."""
last: ContextVar[Answer | None] = ContextVar("datahub_llmops_last_answer", default=None)
"""The answer that was begun last in this context, without ``lineage.answer()``."""
named: ContextVar[tuple[str, str | None] | None] = ContextVar("datahub_llmops_application", default=None)
"""The application of ``lineage.application(...)``."""
_chance: Final = random.Random()  # Not the generator of everybody: an application may have seeded that one.
prompt_named: ContextVar[Metadata | None] = ContextVar("datahub_llmops_prompt", default=None)
"""Identity of an agent's system prompt, set by the optional middleware for the model call inside it."""


class application:
    """``with lineage.application("name", version="...")``: another application for a block."""

    __slots__ = ("_before", "_name", "_version")

    def __init__(self, name: str, *, version: str | None = None) -> None:
        self._name = name
        self._version = version
        self._before: list[tuple[str, str | None] | None] = []

    def __enter__(self) -> None:
        self._before.append(named.get())
        named.set((self._name, self._version))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        named.set(self._before.pop())

    async def __aenter__(self) -> None:
        self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)


def begin(
    application: str,
    version: str | None,
    sample: float,
    *,
    framework: str | None = None,
    explicit: bool = False,
) -> Answer | Skipped:
    """A new answer under the application in force, or the stand-in for one that sampling leaves out."""
    if sample < 1.0 and _chance.random() >= sample:
        return SKIPPED
    override = named.get()
    if override is not None:
        application, version = override
    answer = Answer(
        application, version, framework=framework, explicit=explicit, weight=1.0 / sample if sample else 1.0
    )
    _mark_span(answer)
    return answer


def _mark_span(answer: Answer) -> None:
    """Set the id on the OpenTelemetry span in force, where the application uses OpenTelemetry."""
    # The context first: it is empty in most calls, and asking for the span takes three times as long.
    context = sys.modules.get("opentelemetry.context")
    trace = sys.modules.get("opentelemetry.trace")
    if context is None or trace is None or not context.get_current():
        return
    span = trace.get_current_span()
    if span.is_recording():
        span.set_attribute("datahub_llmops.answer.id", answer.id)


def keep(answer: Answer, part: Part) -> None:
    """Append within the bound of one answer."""
    if len(answer.parts) < MAX_PARTS:
        answer.parts.append(part)
    else:
        answer.cut += 1


def prompt_of(answer: Answer, parent: object, *, beside_only: bool = False) -> Prompt | None:
    """The prompt that a model call was rendered from: the last one beside it, else the last of the answer."""
    last: Prompt | None = None
    for prompt in reversed(answer.parts):
        if type(prompt) is Prompt:
            if prompt.parent == parent:
                return prompt
            last = last or prompt
    return None if beside_only else last


def system_prompt(answer: Answer, key: object, identity: Metadata | None, content: str | None) -> Prompt:
    """An agent renders no prompt: its system message stands for it, once an answer."""
    for known in answer.parts:
        if type(known) is Prompt and known.template == content and known.identity == identity:
            return known
    prompt = Prompt(answer, None, key, identity, content, "system")
    prompt.ended = prompt.started
    keep(answer, prompt)
    return prompt


def said(value: object) -> str | None:
    """The text of a query or an answer in any of the shapes that frameworks pass on; ``None`` where there is none."""
    if isinstance(value, str):
        return value or None
    if value is None:
        return None
    if isinstance(value, Mapping):
        for key in ("answer", "output", "result", "text", "input", "question", "query"):
            found = value.get(key)
            if isinstance(found, str) and found:
                return found
        messages = value.get("messages")
        return said(messages[-1]) if isinstance(messages, list) and messages else None
    if isinstance(value, (list, tuple)) and value and isinstance(value[0], Mapping):
        texts = [part.get("text") for part in value if isinstance(part, Mapping)]
        return "".join(text for text in texts if isinstance(text, str)) or None
    kind = type(value)
    said_last = _said_in.get(kind)
    if said_last is not None:
        found = getattr(value, "__dict__", _NOTHING).get(said_last)
        if isinstance(found, str) and found:
            return found
    for name in ("content", "text", "response", "query_str"):
        found = held(value, name)
        if isinstance(found, str) and found:
            if len(_said_in) < 1_024:
                _said_in[kind] = name
            return found
        if isinstance(found, list) and name == "content":
            return said(found)
    return None


_said_in: Final[dict[type, str]] = {}
"""Where objects of a class had their text: looked at first."""


def held(thing: object, name: str) -> Any:
    """``getattr(thing, name, None)``, without asking a pydantic model for what it lacks: that takes it 0.2 ms."""
    own = getattr(thing, "__dict__", None)
    if own is not None and name in own:
        return own[name]
    kind = type(thing)
    lacks = _lacks.get((kind, name))
    if lacks is None:
        if len(_lacks) >= 1_024:
            _lacks.clear()
        lacks = _lacks[kind, name] = _is_model_without(kind, name)
    if not lacks:
        return getattr(thing, name, None)
    private = getattr(thing, "__pydantic_private__", None)
    return private.get(name) if private else None


_lacks: Final[dict[tuple[type, str], bool]] = {}


def _is_model_without(kind: type, name: str) -> bool:
    above = [one.__dict__ for one in kind.__mro__]
    return not any(name in one for one in above) and any("__pydantic_private__" in one for one in above)
