"""Prompt files of a plain folder: one version each, named by the digest of its template."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from datahub_llmops.errors import DeniedError, UnreachableError, UnreadableError, VanishedError
from datahub_llmops.prompt_registries.prompt_files.files import (
    MOST_BYTES,
    FileVersion,
    VersionedFile,
    decode,
    too_large,
)

_NOT_ENTERED: Final = frozenset({".git", ".hg", ".svn", ".venv", "node_modules", "__pycache__"})
_MOST_FILES: Final = 1_000_000


class FolderFiles:
    """The regular files below a folder. Symbolic links are not followed."""

    def __init__(self, root: Path) -> None:
        """Raises ``UnreachableError`` if ``root`` is not a folder."""
        self._root = root
        if not root.is_dir():
            raise UnreachableError(
                f"{root}: there is no such folder. Set path to the folder with the prompts."
            )

    def follow(self, paths: Sequence[str]) -> None:
        pass

    def paths(self) -> Sequence[str]:
        found: list[str] = []
        for path in self._walk(self._root):
            found.append(path)
            if len(found) > _MOST_FILES:
                raise UnreadableError(
                    f"{self._root}: more than {_MOST_FILES:,} files. Set path to a smaller folder."
                )
        return sorted(found)

    def _walk(self, folder: Path) -> Iterator[str]:
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except PermissionError:
            raise DeniedError(f"{folder}: not allowed to read the folder.") from None
        except OSError as error:
            raise UnreadableError(f"{folder}: cannot be read: {error.strerror}.") from None
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                if entry.name not in _NOT_ENTERED:
                    yield from self._walk(Path(entry.path))
            elif entry.is_file(follow_symlinks=False):
                yield Path(entry.path).relative_to(self._root).as_posix()

    def skipped(self) -> Mapping[str, str]:
        return {}

    def current(self, path: str) -> str:
        handle = self._open(path)
        with os.fdopen(handle, "rb") as file:
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode):
                raise VanishedError(f"{path}: no such file.")
            if status.st_size > MOST_BYTES:
                raise too_large(path, status.st_size)
            return decode(file.read(MOST_BYTES), path)

    def _open(self, path: str) -> int:
        """Open a file below the root by its parts, so that no link of the way leads out of it."""
        parts = path.split("/")
        if not path or any(part in ("", ".", "..") or "\0" in part for part in parts):
            raise VanishedError(f"{path[:200]!r}: no such file.")
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0)
        folder = os.open(self._root, os.O_RDONLY)
        try:
            for part in parts[:-1]:
                inner = os.open(part, flags | getattr(os, "O_DIRECTORY", 0), dir_fd=folder)
                os.close(folder)
                folder = inner
            # A pipe in its place would be waited for, so it is opened without waiting.
            return os.open(parts[-1], flags | getattr(os, "O_NONBLOCK", 0), dir_fd=folder)
        except (FileNotFoundError, NotADirectoryError):
            raise VanishedError(f"{path}: no such file.") from None
        except PermissionError:
            raise DeniedError(f"{path}: not allowed to read the file.") from None
        except OSError as error:
            if path_is_too_long(error):
                raise VanishedError(f"{path[:200]!r}: no such file.") from None
            raise UnreadableError(f"{path}: cannot be read: {error.strerror}.") from None
        finally:
            os.close(folder)

    def read(self, path: str) -> VersionedFile:
        return VersionedFile(versions=(FileVersion(version=None, content=self.current(path), path=path),))

    def mark(self) -> str | None:
        return None

    def close(self) -> None:
        pass


def path_is_too_long(error: OSError) -> bool:
    """Whether no file can have this name, or the last part of it is a link."""
    import errno

    return error.errno in (errno.ENAMETOOLONG, errno.ELOOP)
