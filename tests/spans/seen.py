"""What each instrumentation shows, counted over the recordings: the table in docs/spans.md is built from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from datahub_llmops.answer_store.digests import HMAC_PREFIX
from datahub_llmops.answer_store.recorded import ModelCall, RecordedAnswer, Retrieval
from spans.recordings import FOLDER, Recording, recordings

FILE: Final = FOLDER / "seen.json"
LOST: Final = frozenset(
    ("openllmetry-llama-index/features", step) for step in ("model fails", "retriever fails", "stream")
)
"""OpenLLMetry's LlamaIndex exports no span that failed, nor those around a stream: what is below lacks a parent."""
NAMED: Final = frozenset({"attribute", "data_source", "database_span", "document"})
"""Ways in which a span names its index by itself."""


def pairs(recording: Recording) -> Iterator[tuple[Mapping[str, Any], RecordedAnswer]]:
    """Answers of the hooks beside what the spans say, where each has traces of its own.

    Where the client of a model has a trace of its own beside the framework's, that of the framework is the answer.
    """
    traces = Counter(trace for one in recording.expected["answers"] for trace in one["traces"])
    for expected in recording.expected["answers"]:
        seen = recording.seen(expected)
        if (recording.name, expected["step"]) in LOST:
            continue
        if len(seen) > 1:
            seen = [one for one in seen if one.framework == recording.framework]
        if len(seen) == 1 and all(traces[trace] == 1 for trace in expected["traces"]):
            yield expected, seen[0]


def searches(
    expected: Mapping[str, Any], seen: RecordedAnswer
) -> Iterator[tuple[Mapping[str, Any], Retrieval]]:
    """Retrievals that read an index, if the spans have as many as the hooks saw."""
    ours = [one for one in expected["retrievals"] if not one["composite"]]
    theirs = [one for one in seen.retrievals if not one.composite]
    return zip(ours, theirs, strict=True) if len(ours) == len(theirs) else iter(())


def known_id(chunk: Mapping[str, Any]) -> str | None:
    """The id of a chunk that the hooks saw. Without one they keep a digest of its text, which no span can have."""
    found = chunk["id"]
    return None if found is None or found.startswith(HMAC_PREFIX) else str(found)


def calls(expected: Mapping[str, Any], seen: RecordedAnswer) -> Iterator[tuple[Mapping[str, Any], ModelCall]]:
    """Calls of models, if the spans have as many as the hooks saw."""
    return zip(expected["models"], seen.models, strict=True) if _as_many(expected, seen) else iter(())


def _as_many(expected: Mapping[str, Any], seen: RecordedAnswer) -> bool:
    return len(expected["models"]) == len(seen.models)


def summary() -> dict[str, Any]:
    """Counts of each folder of recordings: of how many parts that the hooks saw the spans say the same."""
    folders: dict[str, list[Recording]] = {}
    for one in recordings():
        if one.case == "stamped":  # The hooks show that.
            continue
        folders.setdefault(one.name.partition("/")[0], []).append(one)
    return {name: _count(group) for name, group in folders.items()}


def _count(group: Iterable[Recording]) -> dict[str, Any]:
    of: Counter[str] = Counter()
    found: Counter[str] = Counter()
    versions: dict[str, str] = {}
    for recording in group:
        versions |= recording.expected["versions"]
        of["answers"] += len(recording.expected["answers"])
        for expected, seen in pairs(recording):
            found["answers"] += 1
            for name, there, same in _facts(expected, seen):
                of[name] += there
                found[name] += there and same
    return {"versions": versions, "seen": {name: [found[name], of[name]] for name in sorted(of) if of[name]}}


def _facts(expected: Mapping[str, Any], seen: RecordedAnswer) -> Iterator[tuple[str, bool, bool]]:
    """Name of a fact, whether the hooks saw it, and whether the spans say the same."""
    named = {_prompt(one) for one in seen.prompts}
    for prompt in expected["prompts"]:
        yield "prompt", "name" in prompt, _prompt(prompt) in named
    for tool in expected["tools"]:
        yield "tool", True, tool["name"] in {one.name for one in seen.tools}
    yield "error", expected["error"] is not None, seen.error is not None and seen.error != "error"
    models: list[tuple[Mapping[str, Any], ModelCall | None]] = list(calls(expected, seen))
    models = models or [(one, None) for one in expected["models"]]
    for ours, theirs in models:
        asked = theirs.asked.get("name") if theirs else None
        yield "model asked", True, asked == ours["asked"]["name"]
        served = (theirs.served or {}).get("name") if theirs else None
        yield "model served", ours["served"] is not None, served is not None
        for name, field in (
            ("tokens", "tokens_in"),
            ("tokens cached", "tokens_cached"),
            ("tokens of reasoning", "tokens_reasoning"),
        ):
            yield name, ours[field] is not None, getattr(theirs, field, None) == ours[field]
        yield "cost", ours["tokens_in"] is not None, theirs is not None and theirs.cost is not None
        yield (
            "fingerprint",
            ours["tokens_in"] is not None,
            theirs is not None and theirs.fingerprint is not None,
        )
    retrievals = list(searches(expected, seen))
    leaves = [one for one in expected["retrievals"] if not one["composite"] and one["chunks"]]
    yield from (("retrieval", True, index < len(retrievals)) for index, _ in enumerate(leaves))
    for ours_found, theirs_found in retrievals:
        if not ours_found["chunks"]:
            continue
        ids = [one.id for one in theirs_found.chunks if one.id]
        index = theirs_found.index or {}
        yield "ids of chunks", any(map(known_id, ours_found["chunks"])), bool(ids)
        yield "sources of chunks", True, any(one.source for one in theirs_found.chunks)
        yield (
            "class of the store",
            ours_found["index"] is not None,
            bool(index.get("class") or index.get("platform")),
        )
        yield "index named", ours_found["index"] is not None, index.get("seen_by") in NAMED
        resolvable = index.get("seen_by") in NAMED or bool(ids)
        yield "index named or ids", ours_found["index"] is not None, resolvable


def _prompt(raw: Mapping[str, Any]) -> tuple[Any, Any, Any]:
    return raw.get("registry"), raw.get("name"), raw.get("version")
