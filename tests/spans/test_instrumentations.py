"""Recorded spans of real instrumentations say what the hooks saw of the same answers, or nothing: never anything else.

``WRITE_SEEN=1`` writes anew what each shows, from which the table in docs/spans.md is built.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any, Final

import pytest

from datahub_llmops.answer_store.recorded import ModelCall, RecordedAnswer
from spans.recordings import Recording, raw_lines, recordings
from spans.seen import FILE, LOST, NAMED, calls, known_id, pairs, searches, summary

RECORDINGS: Final = recordings()
TOGETHER: Final = {
    ("openllmetry-langchain/features", "batch"),
    ("langfuse-langchain/features", "batch"),
    ("openinference-openai-langchain/features", "batch"),
    ("openinference-openllmetry-langchain/features", "batch"),
    ("mlflow-openai-langchain/features", "batch"),
}
"""Answers whose traces cannot be told apart, most because the instrumentation leaves its context behind."""
APART: Final = frozenset(
    {"openinference-openai-langchain", "openinference-openllmetry-langchain", "mlflow-openai-langchain"}
)
"""Two instrumentations that share no context: what both report has two traces. ``test_twins`` counts them once."""
RELEASE: Final = "2026.11"
"""The version of the application as Langfuse is told it."""
TOKENS: Final = ("tokens_in", "tokens_out", "tokens_cached", "tokens_cache_write", "tokens_reasoning")

each = pytest.mark.parametrize("recording", RECORDINGS, ids=[one.name for one in RECORDINGS])


def test_there_are_recordings() -> None:
    assert {one.instrumentation for one in RECORDINGS} >= {
        "openinference",
        "openllmetry",
        "genai",
        "mlflow",
        "langfuse",
        "langsmith",
    }
    assert {one.framework for one in RECORDINGS} == {"langchain", "llama-index"}


@each
def test_one_answer_of_the_hooks_is_one_of_the_spans(recording: Recording) -> None:
    for expected in recording.expected["answers"]:
        found = recording.seen(expected)
        if (recording.name, expected["step"]) in TOGETHER | LOST:
            continue
        if recording.name.partition("/")[0] in APART:
            whole = [one for one in found if one.retrievals or not is_sdk(one)]
            assert len(whole) == 1, expected["step"]
            assert all(len(one.models) == 1 for one in found if one not in whole)
        else:
            assert len(found) == 1, expected["step"]


@pytest.mark.parametrize(("name", "step"), sorted(LOST))
def test_what_has_lost_its_parent_is_no_other_answer(name: str, step: str) -> None:
    [expected] = [one for one in Recording(name).expected["answers"] if one["step"] == step]
    ids = {chunk["id"] for one in expected["retrievals"] for chunk in one["chunks"]}
    for seen in Recording(name).seen(expected):
        assert seen.application == expected["application"]
        assert {chunk.id for one in seen.retrievals for chunk in one.chunks} <= ids
        assert len(seen.models) <= len(expected["models"])


@each
def test_no_other_trace_is_an_answer(recording: Recording) -> None:
    used = {trace for one in recording.expected["answers"] for trace in one["traces"]}
    others = {trace: found.answers for trace, found in recording.assembled.items() if trace not in used}
    assert not any(others.values())


@each
def test_answers_are_the_same(recording: Recording) -> None:
    for expected, seen in pairs(recording):
        assert seen.application == expected["application"]
        assert seen.version in (None, expected["version"], RELEASE)
        assert seen.status == expected["status"], expected["step"]
        assert_error(seen.error, expected["error"])
        assert abs(seen.started - expected["started"]) < 1


@each
def test_models_are_the_same_or_not_known(recording: Recording) -> None:
    for expected, seen in pairs(recording):
        assert len(seen.models) == len(expected["models"]), expected["step"]
        for ours, theirs in calls(expected, seen):
            assert_model(theirs, ours)


@each
def test_retrievals_are_the_same_or_not_known(recording: Recording) -> None:
    for expected, seen in pairs(recording):
        for ours, theirs in searches(expected, seen):
            assert theirs.status == ours["status"]
            ids = [one.id for one in theirs.chunks]
            known = [known_id(one) for one in ours["chunks"]]
            # Sorted: one of the two may have the order that a reranker made.
            assert not any(ids) or sorted(map(str, ids)) == sorted(map(str, known)), expected["step"]
            sources = [one.source for one in theirs.chunks if one.source is not None]
            assert all(one in [chunk["source"] for chunk in ours["chunks"]] for one in sources)
            index = theirs.index or {}
            if index.get("seen_by") in NAMED:
                named = {key: index[key] for key in ("platform", "collection") if key in index}
                assert named.items() <= ours["index"].items()


@each
def test_ids_of_chunks_belong_to_the_index_that_the_hooks_saw_and_to_no_other(recording: Recording) -> None:
    for expected, seen in pairs(recording):
        for ours, theirs in searches(expected, seen):
            ids = {one.id for one in theirs.chunks if one.id}
            holding = [name for name, held in recording.expected["indexes"].items() if ids & set(held)]
            if ids and holding:
                assert len(holding) == 1
                # PGVector's are partitions of one table, LlamaIndex puts a word before its tables.
                name = ours["index"].get("partition") or ours["index"]["collection"]
                assert name.endswith(holding[0]), expected["step"]


@each
def test_prompts_are_the_same_or_not_known(recording: Recording) -> None:
    for expected, seen in pairs(recording):
        known = [(one.get("registry"), one.get("name"), one.get("version")) for one in expected["prompts"]]
        for prompt in seen.prompts:
            assert (prompt.get("registry"), prompt.get("name"), prompt.get("version")) in known, expected[
                "step"
            ]


@each
def test_tools_are_the_same_or_not_known(recording: Recording) -> None:
    for expected, seen in pairs(recording):
        assert {one.name for one in seen.tools} <= {one["name"] for one in expected["tools"]}


@pytest.mark.parametrize("name", [one.name for one in RECORDINGS if one.case == "stamped"])
def test_what_the_hooks_stamped_says_which_answer_which_index_and_which_prompt(name: str) -> None:
    answers = list(pairs(Recording(name)))
    assert answers
    for expected, seen in answers:
        assert seen.id == expected["id"]
        assert seen.recorded_on is not None
        assert [dict(one) for one in seen.prompts] == [
            {"digest": one["digest"]} for one in expected["prompts"]
        ]
        found = list(searches(expected, seen))
        assert found
        for ours, theirs in found:
            index = dict(theirs.index or {})
            assert index.pop("seen_by") == "attribute"
            assert ours["index"].items() <= index.items()


@each
def test_nothing_that_was_said_is_kept(recording: Recording) -> None:
    assert any("CANARY" in line for line in raw_lines(recording.name))
    assert "CANARY" not in repr(recording.traces)
    assert "CANARY" not in repr(recording.assembled)
    assert "CANARY" not in json.dumps(recording.expected)


def test_what_is_shown_is_written_down() -> None:
    found = summary()
    if os.environ.get("WRITE_SEEN") == "1":
        FILE.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    assert json.loads(FILE.read_text(encoding="utf-8")) == found


def is_sdk(answer: RecordedAnswer) -> bool:
    """Whether an answer is the call of an SDK alone."""
    return answer.root in ("ChatCompletion", "openai.chat", "Completions", "AsyncCompletions")


def assert_error(seen: str | None, expected: str | None) -> None:
    """The hooks add the status of HTTP to the class; spans may name the class alone, its module too, or nothing."""
    if seen not in (None, "error"):
        assert expected is not None
        assert seen.rpartition(".")[2] == expected.split(" ")[0]


def assert_model(seen: ModelCall, expected: Mapping[str, Any]) -> None:
    served = expected["served"] or expected["asked"]
    if seen.served is None:  # A span that names one model may name the one that served.
        assert seen.asked["name"] in (expected["asked"]["name"], served["name"])
    else:
        assert seen.asked.get("name") in (None, expected["asked"]["name"])
        assert seen.served["name"] == served["name"]
    for one in (seen.asked, seen.served or {}):
        assert one.get("provider") in (None, expected["asked"]["provider"])
    assert seen.status == expected["status"]
    assert_error(seen.error, expected["error"])
    for field in TOKENS:
        assert getattr(seen, field) in (None, expected[field]), field


def test_a_wrong_answer_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison can fail: a model call with one token more is no longer that of the hooks."""
    [expected, seen] = next(pairs(RECORDINGS[0]))
    call = seen.models[0]
    assert call.tokens_in is not None
    monkeypatch.setitem(expected["models"][0], "tokens_in", call.tokens_in + 1)
    with pytest.raises(AssertionError):
        assert_model(call, expected["models"][0])
