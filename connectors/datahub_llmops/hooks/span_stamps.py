"""Stamps OpenTelemetry spans, so that whoever reads spans knows which index and prompt an answer came from.

``spans`` decides which span that is, and loads this module with the first one. ``assets.span_names`` says what each
attribute means. Tracers of LangChain and LlamaIndex often have spans that are never in force; the stamp is then on the
span around them.
"""

from __future__ import annotations

import functools
import socket
import weakref
from collections.abc import Sequence
from typing import Any, Final

from datahub_llmops.answer_store import digests
from datahub_llmops.assets import span_names
from datahub_llmops.assets.index_identity import index_urn
from datahub_llmops.hooks import chunk_sources, prompt_identity
from datahub_llmops.hooks.identity_text import dump_sorted, plain
from datahub_llmops.hooks.names import dataset_urn
from datahub_llmops.hooks.parts import Answer, Metadata, ModelCall, Part, Prompt, Retrieval

MAX_TEMPLATE: Final = 50_000
"""Characters of a template that are digested on the application's thread; a longer one is left out of the span."""
_CACHED: Final = 500

answers = 0
"""Answers that a span was stamped for, in this process."""


class _Stamps:
    """What a span has so far. Lists of attributes are set as a whole."""

    __slots__ = ("cut", "ids", "lists", "ref")

    def __init__(self, ref: Any) -> None:
        self.ref = ref
        self.ids: list[str] = []
        self.lists: dict[str, dict[str, None]] = {}
        self.cut = False

    def add(self, name: str, value: str, changed: dict[str, Any]) -> None:
        """Add a value to a list, and to ``changed`` what has to be set because of it."""
        known = self.lists.get(name)
        if known is None:
            known = self.lists[name] = {}
        elif value in known:
            return
        if len(known) < span_names.MAX_LISTED:
            known[value] = None
            changed[name] = tuple(known)
        elif not self.cut:
            self.cut = changed[span_names.CUT] = True


_stamped: Final[dict[int, _Stamps]] = {}


def _stamps_of(span: Any) -> _Stamps:
    key = id(span)
    known = _stamped.get(key)
    if known is not None and known.ref() is span:
        return known
    known = _stamped[key] = _Stamps(weakref.ref(span, lambda _gone: _stamped.pop(key, None)))
    return known


def stamp_answer(span: Any, answer: Answer, *, recorded: bool) -> None:
    """Stamp a span with what is known when an answer begins."""
    changed = _begun(answer, recorded)
    answer.stamped = True
    _add_id(_stamps_of(span), answer.id, changed)
    span.set_attributes(changed)


def _begun(answer: Answer, recorded: bool) -> dict[str, Any]:
    global answers
    answers += 1
    known: dict[str, Any] = {
        span_names.APPLICATION: answer.application,
        span_names.RECORDED: recorded,
        span_names.HOST: host(),
    }
    if answer.version is not None:
        known[span_names.VERSION] = answer.version
    return known


def _add_id(stamps: _Stamps, answer_id: str, changed: dict[str, Any]) -> None:
    changed[span_names.ANSWER_ID] = answer_id
    if len(stamps.ids) < span_names.MAX_LISTED:
        stamps.ids.append(answer_id)
        if len(stamps.ids) > 1:
            changed[span_names.ANSWER_IDS] = tuple(stamps.ids)
    elif not stamps.cut:
        stamps.cut = changed[span_names.CUT] = True


def stamp_part(span: Any, answer: Answer, part: Part, *, recorded: bool) -> None:
    """Stamp a span with the index of a retrieval, or with a prompt that was rendered or given to a model."""
    changed: dict[str, Any] = {}
    stamps = _stamps_of(span)
    if type(part) is Retrieval:
        _add_index(stamps, part, changed)
    else:
        prompt = part.prompt if type(part) is ModelCall else part
        if type(prompt) is not Prompt:
            return
        prompt.stamped = True
        text = _describe_prompt(prompt)
        if text is not None:
            stamps.add(span_names.PROMPT, text, changed)
    if changed:
        if not answer.stamped:  # It began outside of every span: this one has to say whose it is.
            answer.stamped = True
            changed.update(_begun(answer, recorded))
        if answer.id not in stamps.ids:
            _add_id(stamps, answer.id, changed)
        span.set_attributes(changed)


def stamp_prompts(span: Any, answer: Answer, *, recorded: bool) -> None:
    """Stamp a span with the prompts that no model was given yet, as with LlamaIndex's streams."""
    for part in answer.parts:
        if type(part) is Prompt and not part.stamped:
            stamp_part(span, answer, part, recorded=recorded)


def _add_index(stamps: _Stamps, part: Retrieval, changed: dict[str, Any]) -> None:
    if part.index:
        urn, text = _describe_index(part.index)
        stamps.add(span_names.INDEX_RAW, text, changed)
        if urn is not None:
            stamps.add(span_names.INDEX, urn, changed)
    if part.chunks:
        found = _digest_sources(part.chunks)
        if found is not None:
            stamps.add(span_names.SOURCES, found, changed)


_indexes: Final[dict[int, tuple[Metadata, str | None, str]]] = {}


def _describe_index(raw: Metadata) -> tuple[str | None, str]:
    """Return the URN of an index, if it has one, and its raw identity as JSON, as the store keeps it."""
    known = _indexes.get(id(raw))
    if known is not None:  # It keeps the dictionary alive, so that no other object gets its id.
        return known[1], known[2]
    if len(_indexes) >= _CACHED:
        _indexes.clear()
    given = raw.get("urn")
    urn = index_urn(raw) if given is None else dataset_urn(given)
    text = dump_sorted(plain(raw))
    _indexes[id(raw)] = raw, urn, text
    return urn, text


_prompts: Final[dict[Any, tuple[object, str | None]]] = {}


def _describe_prompt(prompt: Prompt) -> str | None:
    """Return the identity of a prompt as JSON: what names its version, else the digest of its template."""
    identity, template = prompt.identity, prompt.template
    if identity is not None and ("urn" in identity or "version" in identity):
        template = None
    # LangChain passes the same cached object every time. The cache keeps it alive, so its id stays its own.
    by_value = template if isinstance(template, (str, tuple)) else id(template)
    key = (prompt.role, by_value, None if identity is None else tuple(identity.items()))
    known = _prompts.get(key)
    if known is None:
        if len(_prompts) >= _CACHED:
            _prompts.clear()
        known = _prompts[key] = template, _dump_prompt(identity, template, prompt.role)
    return known[1]


def _dump_prompt(identity: Metadata | None, template: object, role: str) -> str | None:
    found = dict(identity or {})
    length = (
        sum(map(len, template))
        if isinstance(template, tuple)
        else len(template)
        if isinstance(template, str)
        else 0
    )
    if template is not None and length <= MAX_TEMPLATE:
        digest = prompt_identity.describe_template(template, role, capture_text=False).get("digest")
        if digest is not None:
            found["digest"] = digest
    return dump_sorted(found) if found else None


def _digest_sources(chunks: Sequence[object]) -> str | None:
    """Digest the sources of chunks in a flat list, as ``chunk_sources.append_chunk`` fills it."""
    found = []
    start, length = 0, len(chunks)
    while start < length:
        end = chunks.index(None, start + 3)
        if end == start + 3:
            return None  # This chunk has no source.
        found.append(tuple(chunks[start + 3 : end]))
        start = end + 1
    return _digest_picked(tuple(found))


@functools.lru_cache(_CACHED)
def _digest_picked(found: tuple[tuple[Any, ...], ...]) -> str | None:
    return digests.digest_sources(map(_clear_source, found))


@functools.lru_cache(2_000)
def _clear_source(picked: tuple[Any, ...]) -> dict[str, str] | None:
    """Identify a source that is a URN or an address, from the keys and values of a chunk's allow-listed metadata."""
    return chunk_sources.identify_source(
        dict(zip(picked[::2], picked[1::2], strict=True)), _no_digest, "hmac"
    )


def _no_digest(text: str) -> str:
    return ""


@functools.cache
def host() -> str:
    """Return the name of this host, as recorded answers have it."""
    return socket.gethostname()
