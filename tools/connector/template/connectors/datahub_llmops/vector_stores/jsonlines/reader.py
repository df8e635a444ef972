"""Reads a folder of JSON lines. It writes nothing and keeps no file open."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TextIO

from datahub_llmops.vector_stores.jsonlines.facts import collection_of, ids_of

from datahub_llmops.errors import DeniedError, UnreachableError, UnreadableError, VanishedError
from datahub_llmops.ingestion import Collection, Name, find_ids, parse_keys, parse_text

_ENDING: Final = ".jsonl"


class JsonLinesReader:
    """The reader of one folder."""

    def __init__(self, folder: Path, *, provenance_fields: Sequence[str], max_values: int) -> None:
        self._folder = folder
        self._provenance_fields = provenance_fields
        self._max_values = max_values

    def names(self) -> Iterator[Name]:
        """List the files, in a stable order."""
        if not self._folder.is_dir():
            raise UnreachableError(
                f"JSON lines: {self._folder} is not a folder. Check `folder` in the recipe."
            )
        try:
            paths = sorted(self._folder.iterdir())
        except PermissionError as error:
            raise DeniedError(
                f"JSON lines: {self._folder} may not be listed. Give this user access."
            ) from error
        for path in paths:
            if path.suffix == _ENDING and path.stem:
                yield (path.stem,)

    def read(self, name: Name) -> Collection:
        """Read one file in full."""
        with self._open(name) as (path, lines):
            return collection_of(
                name,
                lines,
                folder=self._folder.name,
                stat=path.stat(),
                provenance_fields=self._provenance_fields,
                max_values=self._max_values,
            )

    def has(self, name: Name, ids: Sequence[str]) -> frozenset[str]:
        """Read the ids of one file. Most stores look them up by their key, in one request."""
        keys = parse_keys(ids, parse_text)
        if not keys:
            return frozenset()
        with self._open(name) as (_, lines):
            return find_ids(keys, ids_of(name, lines))

    def close(self) -> None:
        """Nothing is held between calls."""

    @contextmanager
    def _open(self, name: Name) -> Iterator[tuple[Path, TextIO]]:
        """Open the file of a collection, and translate what goes wrong while it is read."""
        shown = ".".join(name)
        # Check a name before it becomes a path: it may come from anywhere.
        if len(name) != 1 or any(sign in name[0] for sign in "/\\\0"):
            raise VanishedError(f"JSON lines: {shown!r} names no file in {self._folder}.")
        path = self._folder / f"{name[0]}{_ENDING}"
        try:
            with path.open(encoding="utf-8") as lines:
                yield path, lines
        except FileNotFoundError as error:
            raise VanishedError(f"JSON lines: {shown} is gone.") from error
        except (OSError, UnicodeDecodeError) as error:
            raise UnreadableError(
                f"JSON lines: {shown} could not be read: {type(error).__name__}. Check the file {path}."
            ) from error
