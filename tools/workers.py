"""Print how many processes run the tests: four for each core, but no more than there is memory for."""

from __future__ import annotations

import os
from pathlib import Path

FOR_A_CORE = 4
MEMORY = 1_500_000
"""Kilobytes that a process needs, with the servers that it starts."""


def workers(cores: int, meminfo: str) -> int:
    """Return the number of processes. ``meminfo`` is ``/proc/meminfo``; without it, memory sets no bound."""
    available = [int(line.split()[1]) for line in meminfo.splitlines() if line.startswith("MemAvailable:")]
    return max(1, min([FOR_A_CORE * cores, *(kilobytes // MEMORY for kilobytes in available)]))


if __name__ == "__main__":
    source = Path("/proc/meminfo")
    print(workers(os.cpu_count() or 1, source.read_text("utf-8") if source.exists() else ""))
