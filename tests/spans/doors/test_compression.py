from __future__ import annotations

import gzip
from collections.abc import Callable

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from datahub_llmops.spans.doors.compression import BrokenOffError, plain, plain_message

PACK: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "zstd": zstandard.compress, "none": bytes}


@given(st.lists(st.binary(max_size=5_000), min_size=1), st.sampled_from(sorted(PACK)), st.integers(1, 3_000))
def test_members_and_frames_one_after_the_other(parts: list[bytes], kind: str, size: int) -> None:
    content = b"".join(PACK[kind](part) for part in parts)
    if kind == "none" and content[:2] in (b"\x1f\x8b", b"\x28\xb5"):
        return
    chunks = [content[start : start + size] for start in range(0, len(content), size)]
    assert b"".join(plain(chunks, content[:8])) == b"".join(parts)


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_every_place_of_a_cut_is_noticed(kind: str) -> None:
    content = PACK[kind](bytes(range(256)) * 20)
    for end in range(4, len(content)):
        with pytest.raises(BrokenOffError):
            list(plain([content[:end]], content[:8]))


def test_zeros_after_a_gzip_member_are_padding() -> None:
    content = gzip.compress(b"text") + bytes(512)
    assert b"".join(plain([content], content[:8])) == b"text"


def test_a_bomb_comes_in_pieces() -> None:
    gigabyte = zstandard.ZstdCompressor().compress(bytes(2**28))
    assert len(gigabyte) < 2**16
    largest = max(len(piece) for piece in plain([gigabyte], gigabyte[:8]))
    assert largest <= 2**26
    with pytest.raises(BrokenOffError, match="too long"):
        plain_message(gigabyte, 2**20)
