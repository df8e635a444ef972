"""Ships answers from pods without a volume: a child process runs regularly and at exit.

It seals segments for a bucket (``segments=``), then runs the recipe of ``llm-runs`` (``ship=``), or does one of them.
Inside the application's process, building a hundred events would take 25 to 45 ms of CPU under its interpreter lock.
One worker of a host ships at a time: the child holds a lock while it runs. A child that hangs ends itself after a
while, also when its parent has gone, and with it its lock.
"""

from __future__ import annotations

import contextlib
import os
import stat
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Final

from datahub_llmops.answer_store import location
from datahub_llmops.answer_store.location import PREFIX
from datahub_llmops.hooks import runtime

if TYPE_CHECKING:
    from datahub_llmops.hooks.recorder import Recorder

TOOK_TOO_LONG: Final = 75
"""Exit status of a child that ended itself."""
NOT_SEALED: Final = 76
"""Exit status of a child that could not seal the segments, and whose recipe, if there is one, was run."""
FIRST_LIMIT: Final = 30.0
"""Seconds that a child may take if ``ship_every`` is shorter than half of it; else it is twice ``ship_every``."""
LONGEST_LIMIT: Final = 86_400.0
MOST_LOG: Final = 2**20
"""Bytes of a log that is kept after a failure."""

_child: subprocess.Popen[bytes] | None = None
_next = 0.0
_failed = 0
_keep_log = False
"""Whether the last child failed: then the log says why, and the next child writes behind it."""
_stopped = 0
"""Children in a row that took too long. Each next one gets twice the time: the first run may have a lot to send."""
_store = ""


def start(recorder: Recorder) -> None:
    """Ship every ``ship_every`` seconds from now on, and at exit."""
    global _next
    _next = time.monotonic() + runtime.settings.ship_every
    if _tick not in recorder.tick:
        recorder.tick.append(_tick)
        recorder.leaving.append(_leave)


def _tick() -> None:
    global _next
    if _wanted() and time.monotonic() >= _next:
        _next = time.monotonic() + runtime.settings.ship_every
        _run()


def _leave() -> None:
    if _wanted() and runtime.recorder is not None and runtime.recorder.recorded:
        _run()


def _wanted() -> bool:
    return bool(runtime.settings.ship or runtime.settings.segments)


def _run() -> None:
    """Start a child unless ours still runs. It outlives us and writes a log beside the store."""
    global _child, _store
    _check_child()
    if _child is not None:
        return
    settings = runtime.settings
    store = _store = settings.store
    # In the environment, because others see the arguments of a process, and an address may have a password.
    environment = {
        **os.environ,
        PREFIX + "DISABLED": "1",
        PREFIX + "STORE": store,
        PREFIX + "SEGMENTS": settings.segments or "",
        PREFIX + "CAPTURE_TEXT": "1" if settings.capture_text else "0",
    }
    limit = min(max(2 * settings.ship_every, FIRST_LIMIT) * 2**_stopped, LONGEST_LIMIT)
    log = _open_log(f"{store}.ship.log")
    try:
        _child = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "datahub_llmops.hooks.ship",
                settings.ship or "",
                f"{store}.ship.lock",
                str(limit),
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment,
            start_new_session=True,
        )
    finally:
        if log >= 0:
            os.close(log)


def _open_log(path: str) -> int:
    """Open the log at its end, or return ``DEVNULL`` if it is anything else than a file of its own: a link, a pipe.

    It is emptied unless it says why the last child failed.
    """
    flags = (
        os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    )
    try:
        handle = os.open(path, flags, 0o600)
    except OSError:
        return subprocess.DEVNULL
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
        os.close(handle)
        return subprocess.DEVNULL
    if not _keep_log or found.st_size > MOST_LOG:
        os.ftruncate(handle, 0)
    return handle


def _check_child() -> None:
    """Check how our child ended, and warn once if the recipe fails."""
    global _child, _failed, _keep_log, _stopped
    if _child is None or _child.poll() is None:
        return
    _keep_log = bool(_child.returncode)
    _stopped = min(_stopped + 1, 12) if _child.returncode == TOOK_TOO_LONG else 0
    if _child.returncode:
        _failed += 1
        if _failed == 1:
            import logging

            what = "the recipe of ship=..." if runtime.settings.ship else "sealing for segments=..."
            if _child.returncode == NOT_SEALED:
                what = "sealing for segments=..."
            logging.getLogger("datahub_llmops.hooks").warning(
                "datahub-llmops: %s %s, and is tried again: see %s.ship.log",
                what,
                "took too long and was stopped" if _stopped else "failed",
                _store,
            )
    _child = None


def stats() -> dict[str, int]:
    """Return how often a child of this process failed."""
    _check_child()
    return {"ship_failed": _failed}


def main(recipe: str, lock_path: str, limit: float) -> int:
    """Seal and run the recipe in the child, for ``limit`` seconds at most, unless another worker holds the lock."""
    _end_after(limit)
    handle = os.open(lock_path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
    with contextlib.suppress(ImportError):
        import fcntl

        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return 0
    sealed = _seal()
    if recipe:
        from datahub.configuration.config_loader import load_config_file
        from datahub.ingestion.run.pipeline import Pipeline

        pipeline = Pipeline.create(load_config_file(recipe, resolve_env_vars=True))
        pipeline.run()
        pipeline.raise_from_status()
    return 0 if sealed else NOT_SEALED


def _seal() -> bool:
    """Seal segments if they are wanted, and return whether that went well. What went wrong is for the log."""
    target = location.environment("SEGMENTS")
    if target is None:
        return True
    from datahub_llmops.answer_store.sealing import seal
    from datahub_llmops.errors import StoreError

    texts = location.environment("CAPTURE_TEXT") == "1"
    try:
        done = seal(location.default_store(), target, texts=texts, say=_say)
    except StoreError as error:
        _say(str(error))
        return False
    _say(f"segments: {done.records} records were sealed in {done.segments} segments")
    return True


def _say(message: str) -> None:
    os.write(2, f"{message}\n".encode("utf-8", "replace"))


def _end_after(limit: float) -> None:
    """End this process after ``limit`` seconds, whatever it waits for."""

    def end() -> None:
        _say(f"it was stopped after {limit:.0f} seconds")
        os._exit(TOOK_TOO_LONG)

    timer = threading.Timer(limit, end)
    timer.daemon = True
    timer.start()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], float(sys.argv[3])))
