"""Segments: a line needs no other line, and a damaged file says so without a word of its content."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from answer_store.test_format import ANSWERS, WRITES
from datahub_llmops.answer_store import segments
from datahub_llmops.answer_store.queries import start_of
from datahub_llmops.answer_store.recorded import RecordedAnswer, RecordedWrites, Retrieval
from datahub_llmops.answer_store.segments import Record, dump_line, iterate, load_line
from datahub_llmops.errors import RecordError, StoreError

CANARY = "CANARY-4711"


def without_numbers(record: Record) -> dict[str, Any]:
    """A record as plain values, without the numbers of indexes."""
    found = asdict(record)
    found.pop("index_number", None)
    for one in found.get("retrievals", ()):
        assert (one.pop("index_number") is None) == (one["index"] is None)
    return found


@given(ANSWERS)
def test_an_answer_is_loaded_as_it_was_dumped(answer: RecordedAnswer) -> None:
    line = dump_line(answer, texts=True)
    assert (line.count(b"\n"), line[-1:]) == (1, b"\n")
    loaded = load_line(line)
    assert without_numbers(loaded) == {**without_numbers(numbered(answer)), "started": start_of(answer.id)}


def numbered(answer: RecordedAnswer) -> RecordedAnswer:
    """With a number where there is an index."""
    retrievals = (replace(one, index_number=None if one.index is None else 0) for one in answer.retrievals)
    return replace(answer, retrievals=tuple(retrievals))


@given(WRITES)
def test_writes_are_loaded_as_they_were_dumped(writes: RecordedWrites) -> None:
    assert without_numbers(load_line(dump_line(writes))) == without_numbers(writes)


def an_answer(**changes: Any) -> RecordedAnswer:
    given: dict[str, Any] = {
        "id": f"{1_700_000_000_000:012x}{7:016x}",
        "application": "support-bot",
        "version": "7",
        "framework": "langchain",
        "framework_version": "1.0",
        "root": None,
        "host": "pod-1",
        "started": 1_700_000_000.0,
        "ended": 1_700_000_001.0,
        "status": "ok",
        "error": None,
        "weight": 1.0,
        "retrievals": (),
        "prompts": (),
        "models": (),
        "tools": (),
    }
    return RecordedAnswer(**{**given, **changes})


def test_texts_are_left_out_unless_they_are_asked_for() -> None:
    prompt = {"digest": "t1:ab", "messages": [["human", CANARY]]}
    answer = an_answer(query_text=CANARY, answer_text=CANARY, prompts=(prompt,))
    kept = load_line(dump_line(answer))
    assert CANARY not in dump_line(answer).decode()
    assert isinstance(kept, RecordedAnswer)
    assert (kept.query_text, kept.answer_text, kept.prompts) == (None, None, ({"digest": "t1:ab"},))
    assert load_line(dump_line(answer, texts=True)) == answer


def test_indexes_of_one_answer_have_different_numbers() -> None:
    """``explain`` tells chunks of the same id in two indexes apart by them."""
    retrievals = tuple(
        Retrieval(
            retriever={"class": "R"},
            index={"platform": "chroma", "collection": name},
            index_number=None,
            embedding=None,
            chunks=(),
            milliseconds=1,
            status="ok",
        )
        for name in ("a", "b", "a")
    )
    loaded = load_line(dump_line(an_answer(retrievals=retrievals)))
    assert isinstance(loaded, RecordedAnswer)
    first, second, third = (one.index_number for one in loaded.retrievals)
    assert first == third != second


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"\xff\n", "it is not JSON"),
        (b"[]\n", "it is not a JSON object"),
        (b"{}\n", "it is not a line of a segment"),
        (b'{"segment":2}\n', "it has format 2, this release reads format 1: upgrade datahub-llmops"),
        (b'{"segment":1}\n', "it has neither an answer nor writes"),
        (b'{"segment":1,"answer":{"id":"000000000000","application":3}}', "an identity is missing"),
        (b'{"segment":1,"answer":{"id":7}}', "the number of an identity is missing"),
    ],
)  # fmt: skip
def test_a_line_that_cannot_be_understood(line: bytes, said: str) -> None:
    with pytest.raises(RecordError, match=f"^{said}$"):
        load_line(line)


def test_what_json_cannot_hold_is_refused() -> None:
    with pytest.raises(RecordError):
        dump_line(an_answer(weight=float("nan")))


JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)


@given(ANSWERS | WRITES, st.data())
def test_a_line_with_anything_in_a_place_is_loaded_or_refused(record: Record, data: st.DataObject) -> None:
    members = json.loads(dump_line(record))
    place = members[data.draw(st.sampled_from([key for key in members if key != "segment"]))]
    if isinstance(place, dict) and "body" in place and place["body"] and data.draw(st.booleans()):
        place = place["body"]
    if place:
        keys = list(range(len(place))) if isinstance(place, list) else sorted(place)
        place[data.draw(st.sampled_from(keys))] = data.draw(JSON)
    with contextlib.suppress(RecordError):
        load_line(json.dumps(members).encode())


# Files


def sealed(path: Path, lines: Iterable[bytes]) -> Path:
    path.write_bytes(zstandard.ZstdCompressor(write_checksum=True).compress(b"".join(lines)))
    return path


def test_a_segment_is_iterated_and_bad_lines_are_named(tmp_path: Path) -> None:
    lines = [dump_line(an_answer()), b"nonsense\n", dump_line(an_answer(application="other"))]
    passed: list[tuple[int, str]] = []
    path = sealed(tmp_path / "a.jsonl.zst", lines)
    found = list(iterate(str(path), lambda number, error: passed.append((number, str(error)))))
    assert [one.application for one in found] == ["support-bot", "other"]
    assert passed == [(2, "it is not JSON")]


def never(number: int, error: RecordError) -> None:
    pytest.fail(f"line {number}: {error}")


@pytest.mark.parametrize("part", [0.0, 0.3, 0.7, 0.99])
def test_a_segment_that_was_cut_off_is_not_taken_for_a_whole_one(tmp_path: Path, part: float) -> None:
    lines = [dump_line(an_answer(id=f"{n:012x}{n:016x}")) for n in range(20_000)]
    path = sealed(tmp_path / "a.jsonl.zst", lines)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * part)])
    passed: list[int] = []
    with pytest.raises(StoreError, match=r"ends too early|is damaged"):
        list(iterate(str(path), lambda number, error: passed.append(number)))


def test_a_segment_whose_bytes_changed_is_damaged(tmp_path: Path) -> None:
    path = sealed(tmp_path / "a.jsonl.zst", [dump_line(an_answer(root=f"{n}")) for n in range(1000)])
    content = bytearray(path.read_bytes())
    content[-6] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(StoreError, match="is damaged"):
        list(iterate(str(path), lambda number, error: None))


def test_a_segment_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="No such file"):
        list(iterate(str(tmp_path / "none.jsonl.zst"), never))


def test_a_package_that_is_missing_is_named() -> None:
    with pytest.raises(StoreError, match="install fsspec's package"):
        list(iterate("nosuchprotocol://bucket/a.jsonl.zst", never))


def test_a_line_that_is_too_long_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "MAX_LINE_BYTES", 2_000)
    monkeypatch.setattr(segments, "_READ_BYTES", 100)
    lines = [
        dump_line(an_answer()),
        b"x" * 5_000 + b"\n",
        dump_line(an_answer(application="other")),
        b"y" * 5_000,
    ]
    packed = zstandard.ZstdCompressor().compress(b"".join(lines))
    passed: list[int] = []
    found = list(segments.read(io.BytesIO(packed), "a", lambda number, error: passed.append(number)))
    assert [one.application for one in found] == ["support-bot", "other"]
    assert passed == [2, 4]
