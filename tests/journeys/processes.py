"""Commands as a user types them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path


def environment(**more: str) -> dict[str, str]:
    """Ours, with this interpreter's commands in front, an output that is no terminal, and no catalog of the user's."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DATAHUB")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', '')}"
    return {**kept, "PATH": path, "DATAHUB_TELEMETRY_ENABLED": "false", "NO_COLOR": "1", **more}


def run(command: Sequence[str], folder: Path, **more: str) -> str:
    """What a command printed, run in ``folder``; it must succeed."""
    program = [sys.executable, *command[1:]] if command[0] == "python" else list(command)
    done = subprocess.run(
        program,
        cwd=folder,
        env=environment(**more),
        capture_output=True,
        text=True,
        timeout=1_000,
        check=False,
    )
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout
