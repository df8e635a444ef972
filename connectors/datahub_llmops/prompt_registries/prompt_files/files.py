"""Prompt files of one folder, each with its versions, whatever keeps them: git, or the folder alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from datahub_llmops.errors import UnreadableError

MOST_BYTES: Final = 10 * 2**20
"""The largest prompt file that is read."""


class UnusableContentError(UnreadableError):
    """What a version holds is not text, or too large. It never gets any better."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileVersion:
    """One version of a file.

    ``content`` is ``None`` if it is unusable, and ``problem`` says why; or if it could not be read this time, and
    ``error`` says why.
    """

    version: str | None
    """``None`` if what it holds decides on the version."""
    content: str | None
    problem: str | None = None
    error: UnreadableError | None = None
    labels: tuple[str, ...] = ()
    created: datetime | None = None
    author: str | None = None
    message: str | None = None
    url: str | None = None
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionedFile:
    """A file with its versions, oldest first. The last one is what the file holds now.

    ``unknown_version`` is the commit at which the history is cut, so that the version before it is not known.
    """

    versions: Sequence[FileVersion]
    unknown_version: str | None = None


class Files(Protocol):
    """Where prompt files come from. Methods raise only ``ConnectorError``, and may be called from several threads."""

    def follow(self, paths: Sequence[str]) -> None:
        """Say which files are prompts, before any is read: one walk may serve all of them."""
        ...

    def paths(self) -> Sequence[str]:
        """List the paths of all regular files, relative to the folder."""
        ...

    def skipped(self) -> Mapping[str, str]:
        """What was not looked at, and what to do about it, by path."""
        ...

    def current(self, path: str) -> str:
        """Read what a file holds now.

        Raises:
            VanishedError: there is no such file.
            UnreadableError: it is too large, or no text.
        """
        ...

    def read(self, path: str) -> VersionedFile:
        """Read all versions of a file. Raises as ``current``."""
        ...

    def mark(self) -> str | None:
        """What changes whenever any file or label may have changed; ``None`` if that is not known without reading."""
        ...

    def close(self) -> None: ...


def decode(content: bytes, path: str) -> str:
    """Decode the text of a file.

    Raises:
        UnusableContentError: it is not text in UTF-8.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UnusableContentError(f"{path}: it is not UTF-8 text. Save it in that encoding.") from None
    if "\0" in text:
        raise UnusableContentError(f"{path}: it is not text. Leave it out by `exclude`.")
    return text


def too_large(path: str, size: int) -> UnusableContentError:
    """The error for a file above the limit."""
    return UnusableContentError(
        f"{path}: {size:,} bytes are more than the {MOST_BYTES:,} that a prompt may have. Leave it out by `exclude`."
    )
