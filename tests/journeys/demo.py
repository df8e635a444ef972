"""Folders in which the demo ran."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from journeys.processes import run

DEMO_SECONDS: Final = 1_200
"""A time limit for a test that uses the demo, which writes a whole estate and starts a process a step: minutes, on a
slow machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """Folders in which the demo ran. The repository's own folder stays as it is."""

    folder: Path
    """For the tests of the demo, which run it again."""
    copy: Path
    """As the first run left it: for commands that somebody types after it."""
    printed: str
    """What the first run printed."""


def run_demo(folder: Path) -> str:
    """Run the demo in a folder, and return what it printed."""
    return run(["python", "examples/demo/run.py"], folder, HOME=str(folder))
