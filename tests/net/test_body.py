"""Bodies that are small on the wire and large, slow or deep once they are taken apart."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator

import pytest

from datahub_llmops.errors import UnreadableError
from datahub_llmops.net import body
from datahub_llmops.net.attempts import Deadline
from datahub_llmops.net.body import BodyError, parse_json
from datahub_llmops.net.http import HttpClient
from support.stub import Reply, Stub

EMPTY_MEMBER = gzip.compress(b"", mtime=0)


def packed(block: bytes, times: int) -> bytes:
    """``block`` so many times over, as one gzip member."""
    member = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join(member.compress(block) for _ in range(times)) + member.flush()


def ask(content: bytes, encoding: str, *, timeout: float = 10.0) -> object:
    reply = Reply(body=content, headers={"Content-Type": "application/json", "Content-Encoding": encoding})
    with Stub(lambda call: reply) as server:
        client = HttpClient(system="Shelf", base_url=server.url, timeout=timeout, retries=0)
        return client.get("/items")


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", " GZIP "])
def test_one_layer_of_gzip_is_undone(encoding: str) -> None:
    answer = {"items": ["x" * 100, *range(100_000)]}
    assert ask(gzip.compress(json.dumps(answer).encode()), encoding) == answer


@pytest.mark.parametrize("size", [65_535, 65_536, 65_537, 131_072, 200_000])
def test_a_body_ends_where_it_ends_whatever_the_size_of_a_piece(size: int) -> None:
    assert ask(gzip.compress(b'"' + b"a" * (size - 2) + b'"'), "gzip") == "a" * (size - 2)


def test_members_one_after_the_other_are_one_body_and_what_follows_them_is_none() -> None:
    assert ask(gzip.compress(b"[1,") + EMPTY_MEMBER + gzip.compress(b"2]") + b"\0\0garbage", "gzip") == [1, 2]


@pytest.mark.parametrize(
    "encoding", ["gzip, gzip", "gzip, gzip, gzip", "br", "zstd", "deflate", "gzip,br", "x" * 3000]
)
def test_an_encoding_that_was_not_asked_for_is_refused(encoding: str) -> None:
    with pytest.raises(UnreadableError, match="encoding that was not asked for"):
        ask(gzip.compress(gzip.compress(b"{}")), encoding)


def test_three_layers_of_empty_members_cost_nothing() -> None:
    # Undoing them would take minutes: the suite's own time limit is the assertion.
    three = gzip.compress(packed(EMPTY_MEMBER * 52_429, 100))
    with pytest.raises(UnreadableError, match="encoding"):
        ask(three, "gzip, gzip, gzip", timeout=2.0)


def test_empty_members_without_end_are_left_at_the_deadline() -> None:
    with pytest.raises(UnreadableError, match="no answer within"):
        ask(EMPTY_MEMBER * 5_000_000, "gzip", timeout=0.5)


def test_a_bomb_ends_at_the_largest_body() -> None:
    with pytest.raises(UnreadableError, match="more than 64 MB"):
        ask(packed(b" " * (1 << 20), 1024), "gzip")


def test_a_deadline_is_looked_at_between_pieces() -> None:
    now = iter(range(1_000))
    deadline = Deadline(at=5, clock=lambda: float(next(now)))

    class Response:
        def __init__(self) -> None:
            self.headers: dict[str, str] = {}

        def stream(self, size: int, *, decode_content: bool) -> Iterator[bytes]:
            while True:
                yield b" "

    with pytest.raises(TimeoutError):
        body.read_body(Response(), most_bytes=1 << 20, deadline=deadline)  # type: ignore[arg-type]  # what it uses


@pytest.mark.parametrize(
    "content",
    [
        b"[" + b"[]," * 3_000_000 + b"[]]",
        b"[" + b"{}," * 3_000_000 + b"{}]",
        b"[" + b"1," * 3_000_000 + b"1]",
        b"{" + b'"a":[],' * 2_500_000 + b'"b":1}',
        b"[" * 3_000_000,
        rb'"\"\"\"' * 1_000_000,
    ],
    ids=["lists", "objects", "numbers", "members", "unclosed", "quotes"],
)
def test_values_are_counted_before_they_take_memory(content: bytes) -> None:
    with pytest.raises((BodyError, ValueError)):
        parse_json(content)


def test_commas_in_texts_are_no_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "MAX_VALUES", 10)
    text = {"a": ",[{" * 100, 'b"\\': '\\",,,,,,,,,,,,,,,,,,,,,,,,'}
    assert parse_json(json.dumps(text).encode()) == text
    with pytest.raises(BodyError, match="more than 10 values"):
        parse_json(json.dumps([*range(20), "a"]).encode())
