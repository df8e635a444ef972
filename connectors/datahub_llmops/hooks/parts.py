"""An answer and its parts while the application makes it: plain objects, filled on the application's threads.

Nothing here computes. Strings are held by reference; the recorder's thread digests, interns and writes them. Every
container of a waiting answer brings the application's next garbage collection nearer, so an answer has one list of
parts, a retrieval has its chunks in a flat list, keys are numbers or strings, and no object of a framework is held.
"""

from __future__ import annotations

import itertools
import os
import time
import weakref
from collections.abc import Mapping, Sequence
from typing import Any, Final

MAX_PARTS: Final = 1_000
"""The most retrievals, prompts, model calls and tools that one answer holds. The rest, as of an endless agent, is
counted."""

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
        "lacks",
        "overtaken",
        "parts",
        "place",
        "query",
        "rendered",
        "root",
        "serial",
        "span",
        "stamped",
        "stamps",
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
        self.lacks: str | None = None
        """The count of ``runtime.counts`` that the answer is in."""
        self.place: object = None
        """The thread and task that began it, and whether another answer was begun from there since."""
        self.overtaken = False
        self.span: Any = None
        """The OpenTelemetry span that it began in, until it ends."""
        self.stamps: Any = None
        """What that span has been stamped with, until then."""
        self.stamped = False
        """Whether a span says whose answer it is."""
        self.rendered: list[tuple[Prompt, Any, Any]] | None = None
        """LangChain's rendered prompts with their inputs and values, until the answer ends."""

    @property
    def id(self) -> str:
        """Start time in 1/65536 ms (16 hex digits), then a random serial (12). Sorts by time; unique per process."""
        return f"{max(0, int(self.started * 65_536_000)):016x}{self.serial & 0xFFFF_FFFF_FFFF:012x}"

    @property
    def finished(self) -> bool:
        """Whether the answer has ended."""
        return self.ended is not None


def _start_serials() -> None:
    # Count on from a random number: asking the system for random bytes takes longer than the rest of an answer.
    global _serials
    _serials = itertools.count(int.from_bytes(os.urandom(6), "big"))


_serials: itertools.count[int]
_start_serials()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_serials)


class Part:
    """Something that happens inside an answer and has a start, an end and a status."""

    __slots__ = ("answer", "ended", "error", "key", "root", "started", "status")

    def __init__(self, answer: Answer | Skipped, key: object) -> None:
        self.answer = answer
        self.key = key
        self.root = False
        self.started = time.time()
        self.ended: float | None = None
        self.status = "ok"
        self.error: str | None = None


_NOTHING: Final[Metadata] = {}
"""Stands for a missing description and is never changed."""


class Retrieval(Part):
    """One search in an index. ``within`` is the composite retriever that made it."""

    __slots__ = ("chunks", "composite", "embedding", "facts", "index", "retriever", "scores", "within")

    def __init__(self, answer: Answer | Skipped, key: object) -> None:
        Part.__init__(self, answer, key)
        self.retriever = _NOTHING
        self.facts = _NOTHING
        self.index: Metadata | None = None
        self.embedding: Metadata | None = None
        self.chunks: Sequence[object] = ()
        """A flat list, as ``chunk_sources.append_chunk`` fills it."""
        self.scores: dict[int, Sequence[Any]] | None = None
        """Documents with their scores, by the number of the document, until the retriever ends."""
        self.composite = False
        self.within: Retrieval | None = None


class Prompt(Part):
    """A prompt that was rendered, with an identity from its metadata, its template, or both.

    The template is LangChain's serialised one (the same object each time), a text, or a tuple as
    ``prompt_identity.read_llamaindex`` builds it.
    """

    __slots__ = ("from_config", "identity", "inputs", "role", "stamped", "template")

    def __init__(
        self,
        answer: Answer,
        key: object,
        identity: Metadata | None,
        template: object,
        role: str,
    ) -> None:
        Part.__init__(self, answer, key)
        self.identity = identity
        self.template = template
        self.role = role
        self.from_config: Metadata | None = None
        """The identity that the config around it gives, and not the prompt itself."""
        self.stamped = False
        """Whether it is on a span."""
        self.inputs: object = None
        """What LangChain renders it with, until it is rendered."""


class ModelCall(Part):
    """One call of a language model."""

    __slots__ = ("asked", "cached", "fingerprint", "prompt", "provider", "served", "usage")

    def __init__(self, answer: Answer | Skipped, key: object) -> None:
        Part.__init__(self, answer, key)
        self.provider: str | None = None
        self.asked: str | None = None
        self.served: str | None = None
        self.fingerprint: str | None = None
        """OpenAI's ``system_fingerprint``: the configuration that the model was served with."""
        self.usage: Metadata | None = None
        self.cached = False
        self.prompt: Prompt | None = None


class ToolCall(Part):
    """One call of a tool."""

    __slots__ = ("name",)

    def __init__(self, answer: Answer, key: object, name: str) -> None:
        Part.__init__(self, answer, key)
        self.name = name


class Skipped:
    """Stands for an answer that sampling left out. Its parts find it and do nothing."""

    __slots__ = ("ended",)

    def __init__(self) -> None:
        self.ended: float | None = None
        """When the block ended that was left out: what outlives it is not left out with it."""


SKIPPED: Final = Skipped()


def add_part(answer: Answer, part: Part) -> None:
    """Add a part, up to ``MAX_PARTS`` of one answer."""
    if len(answer.parts) < MAX_PARTS:
        answer.parts.append(part)
    else:
        answer.cut += 1


def add_system_prompt(answer: Answer, identity: Metadata | None, content: str | None) -> Prompt:
    """Add the system message of an agent, which renders no prompt, once per answer."""
    for known in answer.parts:
        if type(known) is Prompt and known.template == content and known.identity == identity:
            return known
    prompt = Prompt(answer, None, identity, content, "system")
    prompt.ended = prompt.started
    add_part(answer, prompt)
    return prompt


def text_of(value: object) -> str | None:
    """Return the text of a query or an answer in any shape that the frameworks pass, or ``None``."""
    if isinstance(value, str):
        return value or None
    if value is None:
        return None
    if isinstance(value, Mapping):
        for key in ("answer", "output", "result", "text", "input", "question", "query"):
            text = value.get(key)
            if isinstance(text, str) and text:
                return text
        messages = value.get("messages")
        return text_of(messages[-1]) if isinstance(messages, list) and messages else None
    if isinstance(value, (list, tuple)) and value and isinstance(value[0], Mapping):
        texts = [part.get("text") for part in value if isinstance(part, Mapping)]
        return "".join(text for text in texts if isinstance(text, str)) or None
    # Its own attributes first: most have the text there, and a property may do anything.
    own = getattr(value, "__dict__", None) or {}
    for name in _TEXTS:
        text = own.get(name)
        if text and isinstance(text, str):
            return text
    for name in _TEXTS:
        text = get_fast(value, name)
        if isinstance(text, str) and text:
            return text
        if isinstance(text, list) and name == "content":
            return text_of(text)
    return None


_TEXTS: Final = ("content", "text", "response", "query_str")


def get_fast(thing: object, name: str) -> Any:
    """Do ``getattr(thing, name, None)`` without asking a pydantic model for what it lacks, which takes 0.2 ms."""
    own = getattr(thing, "__dict__", None)
    if own is not None and name in own:
        return own[name]
    kind = type(thing)
    try:
        lacks = _lacks[id(kind)][name]
    except KeyError:
        lacks = _know(kind)[name] = _is_model_without(kind, name)
    if not lacks:
        return getattr(thing, name, None)
    private = getattr(thing, "__pydantic_private__", None)
    return private.get(name) if private else None


_lacks: Final[dict[int, dict[str, bool]]] = {}
_kinds: Final[dict[int, weakref.ref[type]]] = {}
"""Which attributes a class lacks, by the number of the class. A class that is defined again is not kept alive."""


def _know(kind: type) -> dict[str, bool]:
    key = id(kind)
    known = _lacks.get(key)
    if known is not None:
        return known

    def forget(_gone: object) -> None:
        _lacks.pop(key, None)
        _kinds.pop(key, None)

    _kinds[key] = weakref.ref(kind, forget)
    return _lacks.setdefault(key, {})


def _is_model_without(kind: type, name: str) -> bool:
    namespaces = [one.__dict__ for one in kind.__mro__]
    return not any(name in one for one in namespaces) and any(
        "__pydantic_private__" in one for one in namespaces
    )
