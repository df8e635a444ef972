"""Putting files: complete or not there, on file systems that rename and on stores of objects."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import fsspec
import pytest
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.memory import MemoryFileSystem
from typing_extensions import override

from datahub_llmops.answer_store.bucket import Bucket
from datahub_llmops.errors import StoreError

NAME: Final = "bot/2026-11-30/04/pod-00000000000000000000000000.jsonl.zst"


class Renaming(LocalFileSystem):  # type: ignore[misc]  # fsspec has no types
    """A server that renames, such as one of SFTP, and shows what it was asked to do."""

    protocol = "renaming"
    asked: Final[list[str]] = []

    @override
    def pipe_file(self, path: str, value: bytes, *given: Any, **named: Any) -> Any:
        self.asked.append(f"write {Path(path).name}")
        return super().pipe_file(path, value, *given, **named)

    @override
    def mv(self, path1: str, path2: str, *given: Any, **named: Any) -> Any:
        self.asked.append(f"rename to {Path(path2).name}")
        return super().mv(path1, path2, *given, **named)


def test_a_folder(tmp_path: Path) -> None:
    for content in (b"first", b"again"):
        Bucket(str(tmp_path / "bucket")).put(NAME, content)
        assert [path.name for path in (tmp_path / "bucket").rglob("*") if path.is_file()] == [Path(NAME).name]
        assert (tmp_path / "bucket" / NAME).read_bytes() == content


def test_a_folder_as_an_address(tmp_path: Path) -> None:
    Bucket(f"file://{tmp_path}/bucket").put(NAME, b"x")
    assert (tmp_path / "bucket" / NAME).read_bytes() == b"x"


def test_a_store_of_objects_is_written_once() -> None:
    Bucket("memory://bucket/answers").put(NAME, b"x")
    files = MemoryFileSystem()
    assert files.find("/bucket") == [f"/bucket/answers/{NAME}"]
    assert files.cat_file(f"/bucket/answers/{NAME}") == b"x"


def test_elsewhere_a_file_is_renamed_when_it_is_complete(tmp_path: Path) -> None:
    fsspec.register_implementation("renaming", Renaming, clobber=True)
    Renaming.asked.clear()
    Bucket(f"renaming://{tmp_path}/bucket").put(NAME, b"x")
    name = Path(NAME).name
    assert Renaming.asked == [f"write .{name}.part", f"rename to {name}"]
    assert (tmp_path / "bucket" / NAME).read_bytes() == b"x"


@pytest.mark.parametrize(
    "address", ["nosuch://user:PLANTED@host/a?key=PLANTED", "sftp://user:PLANTED@localhost:1/a"]
)
def test_an_address_that_leads_nowhere_is_said_without_its_password(address: str) -> None:
    with pytest.raises(
        StoreError, match=r"^segments at .*: (ImportError|ValueError): check the address"
    ) as caught:
        Bucket(address)
    assert "PLANTED" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("package", ["fsspec", "zstandard"])
def test_a_package_that_is_missing_is_said_with_the_extra(package: str, tmp_path: Path) -> None:
    program = (
        f"import sys; sys.modules[{package!r}] = None\n"
        "from datahub_llmops.answer_store.sealing import seal\n"
        f"seal({str(tmp_path / 'a.db')!r}, {str(tmp_path)!r}, texts=False, say=print)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "segments need fsspec and zstandard: pip install 'datahub-llmops[segments]'" in done.stderr
