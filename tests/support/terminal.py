"""A program in a pseudo-terminal: what it shows is read, and answers are typed, as a person does."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from multiprocessing.connection import wait
from pathlib import Path
from types import TracebackType
from typing import Final, Self

_CONTROLS: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07]*\x07|[()][A-Z0-9]|[=>])|\r")


class Terminal:
    """A running program; use it as a context manager. ``shown`` is all that it has shown, without control sequences."""

    def __init__(
        self, command: Sequence[str], *, cwd: Path, env: Mapping[str, str], timeout: float = 60.0
    ) -> None:
        self._timeout = timeout
        self._master, slave = pty.openpty()
        try:
            self.process = subprocess.Popen(
                list(command),
                cwd=cwd,
                env={**env, "TERM": "xterm", "COLUMNS": "100", "LINES": "40"},
                stdin=slave,
                stdout=slave,
                stderr=slave,
                start_new_session=True,
                # Makes it the session's own terminal: without that, Ctrl-C is not a signal.
                preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
            )
        finally:
            os.close(slave)
        self._raw = b""
        self._read = 0

    @property
    def raw(self) -> bytes:
        """All that it has shown, with control sequences."""
        return self._raw

    @property
    def shown(self) -> str:
        return _CONTROLS.sub("", self._raw.decode("utf-8", "replace"))

    def expect(self, text: str) -> str:
        """Wait until ``text`` is shown behind what was expected before, and return what stands up to its end."""
        deadline = time.monotonic() + self._timeout
        while (at := self.shown.find(text, self._read)) < 0:
            if not self._more(deadline):
                raise AssertionError(f"{text!r} was not shown. The terminal:\n{self.shown}")
        start, self._read = self._read, at + len(text)
        return self.shown[start : self._read]

    def press(self, keys: str) -> None:
        """Type ``keys``; a line ends with a newline."""
        os.write(self._master, keys.encode())

    def answer(self, question: str, line: str = "") -> None:
        """Wait for a question, and type a line."""
        self.expect(question)
        self.press(f"{line}\n")

    def interrupt(self, text: str) -> None:
        """Press Ctrl-C until ``text`` is shown. A program that is about to read a line notices only the second one."""
        for _ in range(5):
            self.press("\x03")
            until = time.monotonic() + self._timeout / 10
            while text not in self.shown[self._read :] and self._more(until):
                pass
            if text in self.shown[self._read :]:
                break
        self.expect(text)

    def end(self) -> int:
        """Read to the end of the program, and return its exit code."""
        deadline = time.monotonic() + self._timeout
        while self._more(deadline):
            pass
        return self.process.wait(self._timeout)

    def _more(self, deadline: float) -> bool:
        if not wait([self._master], max(0.0, deadline - time.monotonic())):
            return False
        try:
            part = os.read(self._master, 65536)
        except OSError:  # Linux reports the end of the program as an error.
            return False
        self._raw += part
        return bool(part)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._master)
