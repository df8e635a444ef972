"""Keeps a server running for as long as somebody uses it: a process of its own, whoever started it.

``python keep.py FOLDER HEALTH COMMAND...``: ``{port}`` in ``HEALTH`` and ``COMMAND`` is a free port. ``FOLDER/ready``
holds the port once ``HEALTH`` answers. Everybody who uses the server holds a shared lock on ``FOLDER/users``; when
nobody does any more, however they ended, it stops.
"""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path


def main() -> None:
    folder = Path(sys.argv[1])
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = str(taken.getsockname()[1])
    health, *command = (part.replace("{port}", port) for part in sys.argv[2:])
    # A group of its own, so that what the server starts ends with it.
    process = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        wait_until_healthy(process, health)
        written = folder / "ready.part"
        written.write_text(port)
        written.rename(folder / "ready")
        wait_while_used(process, folder)
    finally:
        (folder / "ready").unlink(missing_ok=True)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait_until_healthy(process: subprocess.Popen[bytes], health: str) -> None:
    while process.poll() is None:
        with suppress(OSError), urllib.request.urlopen(health, timeout=5):
            return
        time.sleep(0.2)
    sys.exit("the server ended while it started")


def wait_while_used(process: subprocess.Popen[bytes], folder: Path) -> None:
    with (folder / "users").open("w") as users:
        while process.poll() is None:
            time.sleep(0.5)
            with suppress(BlockingIOError):
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # Whoever comes now waits for the lock, and then finds no server.
                (folder / "ready").unlink(missing_ok=True)
                return


if __name__ == "__main__":
    main()
