"""Objects of git that unpack to more than they should: what is said, and that they are not unpacked."""

from __future__ import annotations

import tracemalloc
import zlib
from pathlib import Path

import pytest
from dulwich.object_store import DiskObjectStore
from dulwich.objects import Blob

from datahub_llmops.errors import UnreadableError
from datahub_llmops.prompt_registries.prompt_files import git_sizes
from datahub_llmops.prompt_registries.prompt_files.git_sizes import MOST_OBJECT_BYTES, ObjectTooLargeError
from prompt_registries.prompt_files.test_git_files import PATH, open_files, text
from support.repositories import Repository

BOMB = MOST_OBJECT_BYTES * 2


def loose(folder: Path, name: str) -> Path:
    return folder / ".git" / "objects" / name[:2] / name[2:]


def plant(path: Path, kind: bytes, stated: int) -> None:
    """Write an object of ``BOMB`` zeros that states another size."""
    pack = zlib.compressobj()
    parts = [pack.compress(b"%s %d\0" % (kind, stated))]
    parts += [pack.compress(bytes(2**20)) for _ in range(BOMB // 2**20)]
    path.chmod(0o644)
    path.write_bytes(b"".join([*parts, pack.flush()]))
    assert path.stat().st_size < 200_000


@pytest.mark.parametrize("stated", [10, BOMB])
def test_a_version_that_is_a_bomb_has_no_template_and_is_never_unpacked(tmp_path: Path, stated: int) -> None:
    made = Repository(tmp_path)
    made.commit({PATH: text("a")})
    made.commit({PATH: text("b")})
    plant(loose(tmp_path, Blob.from_string(text("a").encode()).id.decode()), b"blob", stated)
    tracemalloc.start()
    try:
        first, second = open_files(tmp_path).read(PATH).versions
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < MOST_OBJECT_BYTES / 4
    assert first.content is None
    assert "more than" in str(first.problem)
    assert "exclude" in str(first.problem)
    assert second.content == text("b")


def test_a_commit_that_is_a_bomb_is_a_failure(tmp_path: Path) -> None:
    made = Repository(tmp_path)
    plant(loose(tmp_path, made.commit({PATH: text("a")})), b"commit", 10)
    with pytest.raises(UnreadableError, match="unpacks to more than 64 MB"):
        open_files(tmp_path)


def test_packed_objects_are_checked_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Repository(tmp_path)
    made.commit({PATH: text("a") * 100})
    made.commit({PATH: text("b")})
    store = DiskObjectStore(str(tmp_path / ".git" / "objects"))
    store.pack_loose_objects()
    store.close()
    assert not loose(tmp_path, Blob.from_string(text("b").encode()).id.decode()).exists()
    assert [one.problem for one in open_files(tmp_path).read(PATH).versions] == [None, None]
    monkeypatch.setattr(git_sizes, "MOST_OBJECT_BYTES", 2_000)
    first, second = open_files(tmp_path).read(PATH).versions
    assert first.content is None
    assert second.content == text("b")


def test_a_stream_that_goes_on_is_not_unpacked() -> None:
    whole = zlib.compress(bytes(1_000_000))
    with pytest.raises(ObjectTooLargeError):
        git_sizes._count(iter([whole]), 999_999)
    assert git_sizes._count(iter([whole]), 1_000_000) == bytes(64)


def test_the_size_of_what_a_delta_makes() -> None:
    # A source of 5 bytes, a result of 300.
    assert git_sizes._delta_result(b"\x05\xac\x02rest") == 300
    with pytest.raises(ValueError, match="no delta"):
        git_sizes._delta_result(b"\xff\xff")
