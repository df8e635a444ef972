"""Writes a file that appears under its name when it is whole, not before."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, TypeVar

from datahub_llmops.answer_store.sqlite_file import HEADER
from datahub_llmops.errors import OutputError

T = TypeVar("T")


def check_target(path: Path, *, overwrite: bool) -> None:
    """Say before the work whether a file can be written.

    Raises:
        OutputError: it cannot; the message says what to do.
    """
    try:
        problem = _problem(path, overwrite=overwrite)
    except OSError as error:
        problem = f"{path} cannot be written ({error.strerror}); name another file"
    if problem:
        raise OutputError(problem)


def _problem(path: Path, *, overwrite: bool) -> str | None:
    folder = _real(path).parent
    if path.is_dir():
        return f"{path} is a folder; name a file in it"
    if path.exists() and not path.is_file():
        return f"{path} is not a regular file, and would be replaced by one; name another"
    if lost := describe_loss(path):
        return lost
    if path.exists() and not overwrite:
        return f"{path} exists; --force overwrites it"
    if not folder.is_dir():
        return f"{path} cannot be written: there is no folder {folder}; create it, or name another"
    if not os.access(folder, os.W_OK | os.X_OK):
        return f"{path} cannot be written: you may not write in {folder}; name another folder"
    return None


def describe_loss(path: Path) -> str | None:
    """Say what would be lost if a file were replaced, if it is a database. One that may not be read is none of ours."""
    if not path.is_file() or not os.access(path, os.R_OK):
        return None
    with path.open("rb") as file:
        is_database = file.read(len(HEADER)) == HEADER
    lost = f"{path} is a database, such as a catalog or an answer store, and would be lost; name another file"
    return lost if is_database else None


def write_whole(path: Path, write: Callable[[IO[bytes]], T]) -> T:
    """Let ``write`` fill a file beside ``path``, and put it in its place; a link leads to the file that is replaced.

    Raises:
        OutputError: it cannot be written; what was there is as before. So it is with whatever ``write`` raises.
    """
    path = _real(path)
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name[:100]}.", suffix=".part", dir=path.parent)
        part = Path(name)
        try:
            with os.fdopen(handle, "wb") as out:
                result = write(out)
                out.flush()
                os.fsync(out.fileno())
            part.chmod(_mode(path))
            part.replace(path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise OutputError(
            f"{path} could not be written ({error.strerror}); what was there is as before"
        ) from error
    return result


def _real(path: Path) -> Path:
    """Follow links. Unlike ``Path.resolve``, this raises nothing for a link to itself."""
    return Path(os.path.realpath(path))


def _mode(path: Path) -> int:
    """Return the permissions of the file that is replaced, or those of a new file."""
    if path.exists():
        return path.stat().st_mode & 0o777
    return new_file_mode()


def new_file_mode() -> int:
    """Return the permissions that ``open`` gives a new file; those of ``tempfile`` are for their owner only."""
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
