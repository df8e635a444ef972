"""Builds recorded answers of drafts."""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any, Final

from datahub_llmops.answer_store.recorded import ModelCall, Raw, RecordedAnswer, ToolCall
from datahub_llmops.answer_store.values import LAST_MOMENT
from datahub_llmops.assets import span_names
from datahub_llmops.hooks.names import clean_name
from datahub_llmops.spans import attributes as names
from datahub_llmops.spans import models, retrievals, stamps
from datahub_llmops.spans.drafts import Draft
from datahub_llmops.spans.span import Attributes, Span
from datahub_llmops.spans.status import milliseconds, status_of

MAX_NAME: Final = 200
MAX_PARTS: Final = 1_000
"""The most parts of one kind that an answer has. The rest is counted."""
_NO_NAME: Final = "unknown_service"
"""How OpenTelemetry begins the name of a service that has none."""
_METHODS: Final = (".call", ".acall", ".__call__")
_ID_LENGTH: Final = 16
"""Hexadecimal digits of a span's id. Ids of tools are longer."""
_NOTHING: Final[Mapping[str, Any]] = {}


def build(
    draft: Draft, outer: set[int], application: str, answer_id: str | None, default: str | None = None
) -> RecordedAnswer | None:
    """Build the answer of a draft, or return ``None`` if nothing names its application.

    Args:
        draft: what its spans say.
        outer: places of inferences that a span below them reports too.
        application: the attribute that names the application.
        answer_id: the id that the hooks gave the answer, if they did.
        default: what the application is called if nothing names it.
    """
    top = draft.top
    stamped = _stamped(draft)
    try:
        name, version, host = of_process(tuple(top.resource.items()), application)
    except TypeError:  # A list, which names nothing.
        return None
    if stamped or application in top.attributes:
        given = _name(stamped.get(span_names.APPLICATION))
        name = given or _proper(top.attributes.get(application)) or name
    if name is None:
        name = _name(names.first(top.attributes, names.APPLICATION)) or default
    if name is None:
        return None
    calls, used = _calls(draft, outer)
    service = top.resource.get("service.name")
    numbers: dict[int, int] = {}
    found = [retrievals.build(draft, one, service, numbers) for one in draft.searches[:MAX_PARTS]]
    status, error = status_of(top)
    if stamped:
        version = _name(stamped.get(span_names.VERSION)) or version
        host = _name(stamped.get(span_names.HOST)) or host
    elif version is None:
        version = version_of(top)
    return RecordedAnswer(
        id=answer_id or id_of(top),
        application=name,
        version=version,
        framework=_framework(draft),
        framework_version=None,
        root=top.name[:MAX_NAME],
        host=host,
        started=top.started,
        ended=max(top.ended, top.started),
        status="unfinished" if status == "open" else status,
        error=error,
        weight=top.weight,
        retrievals=tuple(found),
        prompts=tuple(used),
        models=tuple(calls[:MAX_PARTS]),
        tools=tuple([call for _, call in tools_of(draft)]),
        parts_cut=_cut(draft.searches, calls, draft.tools),
        recorded_on=_name(stamped.get(span_names.HOST)) if stamped.get(span_names.RECORDED) is True else None,
    )


def stamped_ids(drafts: Sequence[Draft]) -> dict[int, str]:
    """Return the ids that the hooks gave to answers, by the identity of the draft.

    The hooks stamp the current span, which belongs to the answer or is around it. A span around several answers has
    the ids of all of them, in the order in which they began.
    """
    found: dict[int, str] = {}
    below: dict[int, list[Draft]] = {}
    for draft in drafts:
        if draft.stamps:
            own = _ids(draft.stamps)
            if own:
                found[id(draft)] = own[0]
        elif draft.around is not None:
            below.setdefault(id(draft.around), []).append(draft)
    for several in below.values():
        around = several[0].around
        assert around is not None
        given = _ids((around,))
        if len(given) == len(several):
            in_order = sorted(several, key=lambda draft: (draft.top.started, draft.top.id))
            found.update(zip(map(id, in_order), given, strict=True))
    return found if len(set(found.values())) == len(found) else _each_once(found)


def _each_once(found: Mapping[int, str]) -> dict[int, str]:
    """Leave out ids that several answers would have."""
    times: dict[str, int] = {}
    for one in found.values():
        times[one] = times.get(one, 0) + 1
    return {key: one for key, one in found.items() if times[one] == 1}


def _ids(spans: Iterable[Span]) -> list[str]:
    """Return the ids on spans, each once, sorted by the time with which each begins."""
    found: set[str] = set()
    for span in spans:
        listed = span.attributes.get(span_names.ANSWER_IDS)
        given = listed if isinstance(listed, list) else [span.attributes.get(span_names.ANSWER_ID)]
        found.update(one for one in given if isinstance(one, str) and _GIVEN_ID.fullmatch(one))
    return sorted(found)


_GIVEN_ID: Final = re.compile(r"[0-9a-f]{12,64}")


def _stamped(draft: Draft) -> Mapping[str, Any]:
    """Return what the hooks stamped on a span of the answer, else on the one around it."""
    for span in draft.stamps:
        if span_names.APPLICATION in span.attributes:
            return span.attributes
    return _NOTHING if draft.around is None else draft.around.attributes


def _calls(draft: Draft, outer: set[int]) -> tuple[list[ModelCall], list[Raw]]:
    """Return the calls of models, and the prompts of the answer."""
    inferences = inferences_of(draft, outer)
    stamped: list[Raw] = []
    for span in draft.stamps:
        stamped += stamps.read_prompts(span.attributes)
    if not stamped and draft.around is not None:
        stamped += stamps.read_prompts(draft.around.attributes)
    used: list[Raw] = []
    only = stamped[0] if len(stamped) == 1 and len(inferences) == 1 else None
    calls = []
    for _, span, prompt in inferences:
        raw = prompt if prompt is not None else only
        calls.append(models.read_model(span, None if raw is None else _place(raw, used)))
    for rendered in draft.prompts.values():
        for _, prompt in rendered:
            if prompt is not None:
                _place(prompt, used)
    for raw in stamped:
        _place(raw, used)
    return calls, used


def inferences_of(draft: Draft, outer: set[int]) -> list[tuple[int, Span, Raw | None]]:
    """Return the inferences that are calls of a model, in the order of time."""
    found = draft.inferences
    if outer or len(found) > 1:
        # Places are in order of time; spans are read in the order of the tree.
        found = sorted([one for one in found if one[0] not in outer], key=_place_of)
    return found


_place_of: Final = itemgetter(0)


def _place(raw: Raw, used: list[Raw]) -> int:
    """Return the place of a prompt among those of the answer, after adding it."""
    try:
        return used.index(raw)
    except ValueError:
        used.append(raw)
        return len(used) - 1


def _cut(*parts: Sequence[object]) -> int:
    """Return how many parts are left out."""
    return sum([len(one) - MAX_PARTS for one in parts if len(one) > MAX_PARTS])


@functools.lru_cache(1_000)
def of_process(
    resource: tuple[tuple[str, Any], ...], application: str
) -> tuple[str | None, str | None, str | None]:
    """Return application, its version and its host, as the attributes of the process say."""
    known = dict(resource)
    version, host = names.first(known, names.SERVICE_VERSION), names.first(known, names.HOST)
    return _proper(known.get(application)), _name(version), _name(host)


def _proper(value: object) -> str | None:
    """Return the name of an application, or ``None`` if OpenTelemetry made it up."""
    name = _name(value)
    return None if name is None or name.startswith(_NO_NAME) else name


def _name(value: object) -> str | None:
    return _cleaned(value) if isinstance(value, str) else clean_name(value)


@functools.lru_cache(10_000)
def _cleaned(value: str) -> str | None:
    return clean_name(value.strip('"'))


def _framework(draft: Draft) -> str | None:
    """Return the framework that made an answer, by the tracer of its spans."""
    found = framework_of(draft.top.scope)
    if found is not None:
        return found
    for span in (*(one.span for one in draft.searches), *(span for _, span, _ in draft.inferences)):
        found = framework_of(span.scope)
        if found is not None:
            return found
    # Tools trace both. LlamaIndex names spans by class and method, LangChain by class.
    return "llama-index" if _LLAMA_INDEX.fullmatch(draft.top.name) else None


_LLAMA_INDEX: Final = re.compile(
    r"[A-Z]\w+\.(_?a?(query|retrieve|chat|stream_chat|complete|predict|synthesize|get_response)|run)"
)


@functools.lru_cache(1_000)
def framework_of(scope: str) -> str | None:
    """Return the framework that a tracer traces, or ``None`` if it is not a known one.

    >>> framework_of("openinference.instrumentation.llama_index"), framework_of("opentelemetry.instrumentation.qdrant")
    ('llama-index', None)
    """
    letters = re.sub(r"[^a-z]", "", scope.lower())
    if "langchain" in letters or "langgraph" in letters:
        return "langchain"
    return "llama-index" if "llamaindex" in letters else None


def tools_of(draft: Draft) -> list[tuple[Span, ToolCall]]:
    """Return the calls of tools that are named. MLflow's spans of LlamaIndex have the name of a method."""
    found = []
    for span in draft.tools[:MAX_PARTS]:
        name = _name(names.first(span.attributes, names.TOOL)) or span.name.removeprefix("execute_tool ")
        if not name.endswith(_METHODS):
            call = ToolCall(name=name[:MAX_NAME], milliseconds=milliseconds(span), status=status_of(span)[0])
            found.append((span, call))
    return found


def version_of(top: Span) -> str | None:
    """Return the version of the application that a span names itself."""
    return _name(names.first(top.attributes, names.SERVICE_VERSION))


_OF_TOOLS: Final = re.compile(r"mlflow|langfuse")
_MODEL_METHOD: Final = re.compile(r"[A-Z]\w+\._?a?(stream_)?(chat|complete|predict|stream)\w*")
_OF_LANGCHAIN: Final = (*names.PROVIDER_OF_LANGCHAIN, *names.MODEL_IN_METADATA)


@functools.lru_cache(1_000)
def is_of_tool(scope: str) -> bool:
    """Return whether a tracer belongs to a tool, which uses one tracer for frameworks and SDKs."""
    return _OF_TOOLS.search(scope.lower()) is not None


def framework_of_inference(name: str, attributes: Attributes, scope: str) -> str | None:
    """Return the framework that reports an inference, or ``None`` if an SDK does."""
    found = framework_of(scope)
    if found is not None or not is_of_tool(scope):
        return found
    metadata = attributes.get(names.METADATA[0])
    if names.first(attributes, _OF_LANGCHAIN) or (isinstance(metadata, dict) and "ls_provider" in metadata):
        return "langchain"
    return "llama-index" if _MODEL_METHOD.fullmatch(name) else None


def id_of(top: Span) -> str:
    """Return an id that begins with the time, like the hooks' ids, and ends with the id of the span."""
    started, end = top.started, top.id
    start = int(started * 1000) if 0.0 <= started <= LAST_MOMENT else 0
    if len(end) != _ID_LENGTH or not (end.isascii() and end.isalnum()):
        end = hashlib.blake2b(f"{top.trace}:{end}".encode("utf-8", "replace"), digest_size=8).hexdigest()
    return f"{start:012x}{end}"
