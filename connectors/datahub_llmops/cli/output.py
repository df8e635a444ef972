"""Standard output of every command: an error of writing ends the command in one line."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import TextIOBase, TextIOWrapper
from typing import Any, TextIO, cast

import click

from datahub_llmops.catalog.overriding import override


class Command(click.Group):
    """A command whose output may be a full disk. A pipe that nobody reads is left to click, which ends in silence."""

    @override
    def main(self, *args: Any, **kwargs: Any) -> Any:
        before = sys.stdout
        if isinstance(before, TextIOWrapper):
            # A letter that the terminal cannot show becomes a question mark.
            before.reconfigure(errors="replace")
        # Here, and not in the callback: --help and --version print before it.
        # Python has no standard output at all if it was closed before.
        output = _Output(before or cast("TextIO", _Closed()))
        sys.stdout = cast("TextIO", output)
        try:
            return super().main(*args, **kwargs)
        finally:
            sys.stdout = before
            output.end()


class _Closed(TextIOBase):
    @override
    def write(self, text: str, /) -> int:
        raise OSError(errno.EBADF, "it is closed")


class _Output:
    """A stream of text whose errors are those of the command."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._failed = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        with self._explained():
            return self._stream.write(text)

    def flush(self) -> None:
        with self._explained():
            self._stream.flush()

    def end(self) -> None:
        """After an error, let Python write what it still holds to nowhere: at its exit it would fail again."""
        if self._failed:
            with suppress(OSError):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, self._stream.fileno())
                os.close(nowhere)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except BrokenPipeError:
            raise
        except OSError as error:
            self._failed = True
            raise click.ClickException(f"the output cannot be written: {error.strerror}") from error
