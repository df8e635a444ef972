"""Puts a file where ``fsspec`` can: whole or not at all, and the same again after a crash."""

from __future__ import annotations

import os
from typing import Any, Final

from datahub_llmops.answer_store import segments
from datahub_llmops.errors import StoreError

_PUTS_AT_ONCE: Final = frozenset(
    {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "adl", "az", "oss", "oci", "tos", "memory"}
)
"""Stores of objects: one is there once all of it has arrived. Elsewhere a file is renamed when it is complete."""


class Bucket:
    """A folder at an fsspec path. What it takes to get there, ``fsspec`` reads from its configuration.

    https://filesystem-spec.readthedocs.io/en/latest/features.html#configuration
    """

    def __init__(self, path: str) -> None:
        """
        Raises:
            StoreError: the address cannot be understood, or a package for it is missing.
        """
        try:
            from fsspec.core import url_to_fs
        except ImportError:
            raise segments.missing() from None
        self._shown = segments.shown(path)
        try:
            self._files, self._root = url_to_fs(path)
        except Exception as error:  # noqa: BLE001 - the client of any bucket has errors of its own
            raise self._error(error) from None

    def put(self, name: str, content: bytes) -> None:
        """Put ``content`` at the path ``name`` below the folder.

        Raises:
            StoreError: it cannot be put there now.
        """
        path = f"{self._root.rstrip('/')}/{name}"
        try:
            self._put(path, content)
        except Exception as error:  # noqa: BLE001 - as above
            raise self._error(error) from None

    def _put(self, path: str, content: bytes) -> None:
        protocols = self._protocols()
        if not protocols.isdisjoint(_PUTS_AT_ONCE):
            self._files.pipe_file(path, content)
            return
        folder, _, name = path.rpartition("/")
        part = f"{folder}/.{name}.part"
        self._files.makedirs(folder, exist_ok=True)
        if not protocols.isdisjoint({"file", "local"}):
            handle = os.open(
                part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0), 0o644
            )
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, path)
            return
        self._files.pipe_file(part, content)
        self._files.mv(part, path)

    def _protocols(self) -> frozenset[str]:
        found: Any = self._files.protocol
        return frozenset((found,) if isinstance(found, str) else found)

    def _error(self, error: Exception) -> StoreError:
        return StoreError(f"segments at {self._shown}: {segments.describe(error)}")
