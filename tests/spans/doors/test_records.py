from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datahub_llmops.spans.doors import records
from datahub_llmops.spans.doors.records import Cut, Framing, cut, framing_of


def pieces(content: bytes, size: int) -> Iterator[bytes]:
    return (content[start : start + size] for start in range(0, len(content), size))


@given(st.lists(st.binary(max_size=40).filter(lambda one: b"\n" not in one)), st.integers(1, 50))
def test_lines_are_the_same_in_pieces_of_any_size(lines: list[bytes], size: int) -> None:
    content = b"".join(line + b"\n" for line in lines)
    found = list(cut(pieces(content, size), Framing.LINES))
    assert [one.record for one in found] == lines
    assert not found or found[-1].end == len(content)
    assert all(one.finished for one in found)


@given(st.lists(st.binary(max_size=40)), st.integers(1, 50), st.integers(0, 60))
def test_messages_are_the_same_in_pieces_of_any_size(messages: list[bytes], size: int, missing: int) -> None:
    content = b"".join(len(one).to_bytes(4, "big") + one for one in messages)
    content = content[: len(content) - missing] if missing else content
    whole: list[bytes] = []
    left = content
    while len(left) >= 4 and len(left) - 4 >= int.from_bytes(left[:4], "big"):
        length = int.from_bytes(left[:4], "big")
        whole.append(left[4 : 4 + length])
        left = left[4 + length :]
    found = list(cut(pieces(content, size), Framing.MESSAGES))
    assert [one.record for one in found if one.finished] == whole
    assert [one for one in found if not one.finished] == ([Cut(b"", len(content), False)] if left else [])


@pytest.mark.parametrize("size", [1, 3, 7, 100])
def test_a_record_that_is_too_long_is_passed_over(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(records, "LONGEST_RECORD", 10)
    lines = b"short\n" + b"x" * 50 + b"\nafter\n"
    assert [one.record for one in cut(pieces(lines, size), Framing.LINES)] == [b"short", None, b"after"]
    messages = b"".join(len(one).to_bytes(4, "big") + one for one in (b"short", b"x" * 50, b"after"))
    found = list(cut(pieces(messages, size), Framing.MESSAGES))
    assert [one.record for one in found] == [b"short", None, b"after"]
    assert found[-1].end == len(messages)
    assert [one.record for one in cut(pieces(lines, size), Framing.WHOLE)] == [None]


@pytest.mark.parametrize(
    ("head", "framing"),
    [
        (b"", Framing.EMPTY),
        (b'{"resourceSpans":', Framing.LINES),
        (b"\xef\xbb\xbf\n {", Framing.LINES),
        (b"\n\x8c\x01", Framing.WHOLE),
        (b"\x00\x00\x01\x00\n", Framing.MESSAGES),
        (b"PAR1\x15", Framing.PARQUET),
        (b"[{", Framing.DOCUMENT),
        (b'{\n  "resourceSpans"', Framing.DOCUMENT),
        (b"plain text", Framing.UNKNOWN),
        (b"\x89PNG\r\n", Framing.UNKNOWN),
    ],
)
def test_the_framing_is_told_by_the_beginning(head: bytes, framing: Framing) -> None:
    assert framing_of(head) is framing
