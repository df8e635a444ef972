"""What went wrong in a file system. Each library behind fsspec raises exceptions of its own.

They become one exception where they are raised, so that our own mistakes are never taken for theirs.
"""

from __future__ import annotations

from contextlib import suppress
from types import TracebackType
from typing import IO, Final


class StorageError(Exception):
    """An object cannot be opened or read. The text says why in a few words."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(reason(error))
        self.is_missing = is_missing(error)


class Watched:
    """An open object. Whatever its library raises becomes a ``StorageError``."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def read(self, size: int = -1) -> bytes:
        """Read up to ``size`` bytes."""
        try:
            return self._file.read(size)
        except Exception as error:  # noqa: BLE001 - each library raises its own
            raise StorageError(error) from None

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a place."""
        try:
            return self._file.seek(offset, whence)
        except Exception as error:  # noqa: BLE001
            raise StorageError(error) from None

    def tell(self) -> int:
        """Return the place."""
        return self._file.tell()

    def close(self) -> None:
        """Close the object. What fails here loses nothing, because it was only read."""
        with suppress(Exception):
            self._file.close()

    @property
    def closed(self) -> bool:
        """Whether it is closed."""
        return bool(self._file.closed)

    def readable(self) -> bool:
        """Return that it can be read."""
        return True

    def seekable(self) -> bool:
        """Return that it can seek."""
        return True

    def writable(self) -> bool:
        """Return that it cannot be written."""
        return False

    def __enter__(self) -> Watched:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


_DENIED: Final = (
    "AccessDenied",
    "Forbidden",
    "403",
    "NoCredentials",
    "CredentialsError",
    "Unauthorized",
    "401",
)


def is_missing(error: BaseException) -> bool:
    """Return whether an object, a folder or a bucket is not there."""
    return isinstance(error, FileNotFoundError)


def is_denied(error: BaseException) -> bool:
    """Return whether credentials are missing or do not suffice."""
    if isinstance(error, PermissionError):
        return True
    shown = f"{type(error).__name__} {getattr(error, 'code', '')} {getattr(error, 'status', '')}"
    return any(word in shown for word in _DENIED)


def reason(error: BaseException) -> str:
    """Say what happened in a few words. The library's own text may have an address with a signature in it."""
    if is_denied(error):
        return "access denied"
    if is_missing(error):
        return "not found"
    if isinstance(error, TimeoutError):
        return "timed out"
    if isinstance(error, OSError) and error.errno is not None and error.strerror:
        return error.strerror
    return type(error).__name__
