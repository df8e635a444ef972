"""Reads the SQL that a recipe names: text in UTF-8, from a plain file of bounded size."""

from __future__ import annotations

import codecs
import os
import stat
from pathlib import Path
from typing import Final

MAX_SQL_LENGTH: Final = 1_000_000
"""Longest statement or script, in characters. Longer SQL is generated, and its analysis would take too long."""

_MAX_BYTES: Final = 4 * MAX_SQL_LENGTH
_BYTE_ORDER_MARK: Final = "\ufeff"
_OTHER_ENCODINGS: Final = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)


def read_sql_file(name: str) -> str:
    """Return the text of a SQL file.

    Raises:
        ValueError: the file cannot be read, is not a plain file, is too large, or is not UTF-8. The message says which.
    """
    data = _read_bytes(name)
    for mark, encoding in _OTHER_ENCODINGS:
        if data.startswith(mark):
            raise ValueError(f"upstream.sql_file {name!r} is {encoding}; save it as UTF-8")
    if b"\0" in data:
        raise ValueError(
            f"upstream.sql_file {name!r} holds zero bytes: it is UTF-16 or not text. Save it as UTF-8"
        )
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ValueError(
            f"upstream.sql_file {name!r} is not UTF-8 text: line {line} has bytes of another encoding. Save it as UTF-8"
        ) from error


def without_marks(text: str) -> str:
    """Blank byte order marks, which editors on Windows put in front of each file. Positions stay."""
    return text.replace(_BYTE_ORDER_MARK, " ")


def _read_bytes(name: str) -> bytes:
    # Without O_NONBLOCK, opening a FIFO would wait for a writer.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
    try:
        descriptor = os.open(Path(name).expanduser(), flags)
        try:
            mode = os.fstat(descriptor).st_mode
            if not stat.S_ISREG(mode):
                raise ValueError(f"upstream.sql_file {name!r} is not a plain file, but {_kind(mode)}")
            with open(descriptor, "rb", closefd=False) as file:
                data = file.read(_MAX_BYTES + 1)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise ValueError(
            f"upstream.sql_file {name!r} cannot be read from {Path.cwd()}: {error.strerror or error}"
        ) from error
    if len(data) > _MAX_BYTES:
        raise ValueError(f"upstream.sql_file {name!r} is too large to be a query; name its tables instead")
    return data


def _kind(mode: int) -> str:
    if stat.S_ISFIFO(mode):
        return "a pipe (FIFO)"
    if stat.S_ISSOCK(mode):
        return "a socket"
    return "a folder" if stat.S_ISDIR(mode) else "a device"
