"""Stamps OpenTelemetry spans, so that whoever reads spans knows which index and prompt an answer came from.

``spans`` decides which span that is, and loads this module with the first one. ``assets.span_names`` says what each
attribute means. Tracers of LangChain and LlamaIndex often have spans that are never the current one; the stamp is then
on the span around them.
"""

from __future__ import annotations

import functools
import socket
import weakref
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

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
Lists: TypeAlias = Mapping[str, tuple[str, ...]]
"""Something that a span says: attributes, each a list of one value. What is said again is the same object."""

answers = 0
"""Answers that a span was stamped for, in this process."""


class _Stamps:
    """What a span has so far. Lists of attributes are set as a whole."""

    __slots__ = ("cut", "firsts", "ids", "lists", "ref")

    def __init__(self, ref: Any) -> None:
        self.ref = ref
        self.ids: list[str] = []
        self.firsts: dict[str, Lists] = {}
        """By kind what the span says of it first, which in most spans is all."""
        self.lists: dict[str, list[str]] = {}
        """The lists of which there was more."""
        self.cut = False

    def add(self, kind: str, found: Lists, changed: dict[str, Any]) -> None:
        """Add what was found to the lists, and to ``changed`` what has to be set because of it."""
        first = self.firsts.get(kind)
        if first is None:
            self.firsts[kind] = found
            changed.update(found)
        elif first is not found:
            self._add_more(first, found, changed)

    def _add_more(self, first: Lists, found: Lists, changed: dict[str, Any]) -> None:
        for name, values in found.items():
            known = self.lists.get(name)
            if known is None:
                known = self.lists[name] = list(first.get(name, ()))
            if values[0] in known:
                continue
            if len(known) < span_names.MAX_LISTED:
                known += values
                changed[name] = tuple(known)
            elif not self.cut:
                self.cut = changed[span_names.CUT] = True

    def add_id(self, answer_id: str, changed: dict[str, Any]) -> None:
        """Add an answer that the span belongs to."""
        changed[span_names.ANSWER_ID] = answer_id
        if len(self.ids) < span_names.MAX_LISTED:
            self.ids.append(answer_id)
            if len(self.ids) > 1:
                changed[span_names.ANSWER_IDS] = tuple(self.ids)
        elif not self.cut:
            self.cut = changed[span_names.CUT] = True


_stamped: Final[dict[int, _Stamps]] = {}


def find_stamps(span: Any) -> _Stamps:
    """Return what a span has been stamped with."""
    key = id(span)
    known = _stamped.get(key)
    if known is not None and known.ref() is span:
        return known
    known = _stamped[key] = _Stamps(weakref.ref(span, lambda _gone: _stamped.pop(key, None)))
    return known


def stamp_answer(span: Any, stamps: _Stamps, answer: Answer, recorded: bool) -> None:
    """Stamp a span with whose answer it is, and nothing else."""
    changed: dict[str, Any] = {}
    _add_answer(stamps, answer, recorded, changed)
    span.set_attributes(changed)


def _add_answer(stamps: _Stamps, answer: Answer, recorded: bool, changed: dict[str, Any]) -> None:
    global answers
    answers += 1
    answer.stamped = True
    changed.update(_describe_application(answer.application, answer.version, recorded))
    stamps.add_id(answer.id, changed)


@functools.lru_cache(_CACHED)
def _describe_application(name: str, version: str | None, recorded: bool) -> Mapping[str, Any]:
    known: dict[str, Any] = {
        span_names.APPLICATION: name,
        span_names.RECORDED: recorded,
        span_names.HOST: host(),
    }
    if version is not None:
        known[span_names.VERSION] = version
    return known


def stamp_part(span: Any, answer: Answer, part: Part, recorded: bool) -> None:
    """Stamp a span with the index of a retrieval, or with a prompt that was rendered or given to a model.

    What is set together costs the application less. So the first part of an answer brings whose answer it is.
    """
    own = answer.span
    stamps = answer.stamps if span is own else find_stamps(span)
    changed: dict[str, Any] = {}
    if type(part) is Retrieval:
        if part.index:
            stamps.add("index", _describe_index(part.index), changed)
        if part.chunks:
            found = _digest_sources(part.chunks)
            if found is not None:
                stamps.add("sources", found, changed)
    else:
        prompt = part.prompt if type(part) is ModelCall else part
        if type(prompt) is Prompt:
            prompt.stamped = True
            found = _describe_prompt(prompt)
            if found is not None:
                stamps.add("prompt", found, changed)
    if not answer.stamped:
        if own is None or own is span or not own.is_recording():
            if changed or own is span:
                # If it began outside of every span, this one has to say whose it is.
                _add_answer(stamps, answer, recorded, changed)
        else:
            stamp_answer(own, answer.stamps, answer, recorded)
    if changed:
        if span is not own and answer.id not in stamps.ids:
            stamps.add_id(answer.id, changed)
        span.set_attributes(changed)


def stamp_rest(answer: Answer, recorded: bool) -> None:
    """Stamp the span that an answer began in with the prompts that no model was given yet, as with LlamaIndex's
    streams, and with whose answer it is, unless it says so already.
    """
    for part in answer.parts:
        if type(part) is Prompt and not part.stamped:
            stamp_part(answer.span, answer, part, recorded)
    if not answer.stamped:
        stamp_answer(answer.span, answer.stamps, answer, recorded)


_indexes: Final[dict[int, tuple[Metadata, Lists]]] = {}


def _describe_index(raw: Metadata) -> Lists:
    """Return the raw identity of an index as JSON, as the store keeps it, and its URN, if it has one."""
    known = _indexes.get(id(raw))
    if known is not None:  # It keeps the dictionary alive, so that no other object gets its id.
        return known[1]
    if len(_indexes) >= _CACHED:
        _indexes.clear()
    given = raw.get("urn")
    urn = index_urn(raw) if given is None else dataset_urn(given)
    found = {span_names.INDEX_RAW: (dump_sorted(plain(raw)),)}
    if urn is not None:
        found[span_names.INDEX] = (urn,)
    _indexes[id(raw)] = raw, found
    return found


_prompts: Final[dict[Any, tuple[object, Lists | None]]] = {}


def _describe_prompt(prompt: Prompt) -> Lists | None:
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
        text = _dump_prompt(identity, template, prompt.role)
        known = _prompts[key] = template, None if text is None else {span_names.PROMPT: (text,)}
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


def _digest_sources(chunks: Sequence[object]) -> Lists | None:
    """Digest the sources of chunks in a flat list, as ``chunk_sources.append_chunk`` fills it."""
    # Most chunks of a retrieval have the same keys. Then ids, scores and texts are at equal distances, and go at once.
    length = chunks.index(None, 3) + 1
    if length == 4:
        return None  # This chunk has no source.
    sources = list(chunks)
    del sources[::length], sources[:: length - 1], sources[:: length - 2]
    try:
        found = _digest_even(length - 3, tuple(sources))
    except TypeError:  # They were not, and a score cannot be hashed.
        found = _UNEVEN
    return _digest_picked(_split(chunks)) if found is _UNEVEN else found


_UNEVEN: Final[Lists] = {}


@functools.lru_cache(_CACHED)
def _digest_even(length: int, sources: tuple[Any, ...]) -> Lists | None:
    """Digest keys and values of chunks, each of which ends with ``None``, if each takes ``length`` places.

    No key and no value is ``None``. So at the first chunk that is longer or shorter one stands where none should, or
    none where one should.
    """
    found = [sources[start : start + length] for start in range(0, len(sources), length)]
    if any(None in one[:-1] or one[-1] is not None for one in found):
        return _UNEVEN
    return _digest_picked(tuple(one[:-1] for one in found))


def _split(chunks: Sequence[object]) -> tuple[tuple[Any, ...], ...]:
    found = []
    start, length = 0, len(chunks)
    while start < length:
        end = chunks.index(None, start + 3)
        found.append(tuple(chunks[start + 3 : end]))
        start = end + 1
    return tuple(found)


@functools.lru_cache(_CACHED)
def _digest_picked(found: tuple[tuple[Any, ...], ...]) -> Lists | None:
    digest = digests.digest_sources(map(_clear_source, found))
    return None if digest is None else {span_names.SOURCES: (digest,)}


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
