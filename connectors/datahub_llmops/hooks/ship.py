"""Ships answers from pods without a volume: a child process runs the recipe of ``llm-runs`` regularly and at exit.

Inside the application's process, building a hundred events would take 25 to 45 ms of CPU under its interpreter lock.
One worker of a host ships at a time: the child holds a lock while it runs.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from datahub_llmops.hooks import runtime

if TYPE_CHECKING:
    from datahub_llmops.hooks.recorder import Recorder

_child: subprocess.Popen[bytes] | None = None
_next = 0.0
_failed = 0
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
    if runtime.settings.ship and time.monotonic() >= _next:
        _next = time.monotonic() + runtime.settings.ship_every
        _run(runtime.settings.ship)


def _leave() -> None:
    if runtime.settings.ship and runtime.recorder is not None and runtime.recorder.recorded:
        _run(runtime.settings.ship)


def _run(recipe: str) -> None:
    """Start a child unless ours still runs. It outlives us and writes a log beside the store."""
    global _child, _store
    _check_child()
    if _child is not None:
        return
    store = _store = runtime.settings.store
    environment = {**os.environ, "DATAHUB_LLMOPS_DISABLED": "1", "DATAHUB_LLMOPS_STORE": store}
    log = os.open(f"{store}.ship.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        _child = subprocess.Popen(
            [sys.executable, "-m", "datahub_llmops.hooks.ship", recipe, f"{store}.ship.lock"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment,
            start_new_session=True,
        )
    finally:
        os.close(log)


def _check_child() -> None:
    """Check how our child ended, and warn once if the recipe fails."""
    global _child, _failed
    if _child is None or _child.poll() is None:
        return
    if _child.returncode:
        _failed += 1
        if _failed == 1:
            import logging

            logging.getLogger("datahub_llmops.hooks").warning(
                "datahub-llmops: the recipe of ship=... failed, and is tried again: see %s.ship.log", _store
            )
    _child = None


def stats() -> dict[str, int]:
    """Return how often the recipe failed in this process."""
    _check_child()
    return {"ship_failed": _failed}


def main(recipe: str, lock_path: str) -> int:
    """Run the recipe in the child, unless another worker holds the lock."""
    handle = os.open(lock_path, os.O_RDWR | os.O_CREAT, 0o600)
    with contextlib.suppress(ImportError):
        import fcntl

        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return 0
    from datahub.configuration.config_loader import load_config_file
    from datahub.ingestion.run.pipeline import Pipeline

    pipeline = Pipeline.create(load_config_file(recipe, resolve_env_vars=True))
    pipeline.run()
    pipeline.raise_from_status()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
