"""Measures the way from `datahub-llmops init` to a first lineage, on the folder of `make demo`, as a new user goes it.

The command runs in a pseudo-terminal, every question is answered with Enter, and the commands that it ends with are
typed. Printed are the seconds of each step, and those of the command `datahub --version` for comparison: most of a step
is the start of DataHub.

    make demo
    python benchmarks/first_lineage.py [demo]
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from support.terminal import Terminal

BIN = Path(sys.executable).parent
QUESTIONS = ("Which of them get a recipe?", "A system to add?")


def main() -> None:
    demo = Path(sys.argv[1] if len(sys.argv) > 1 else "demo")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copytree(demo, folder / "demo", ignore=shutil.ignore_patterns("catalog.db*", "later.db*"))
        env = {**os.environ, "HOME": name, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
        env = {key: value for key, value in env.items() if not key.startswith(("DATAHUB_", "XDG_"))}
        env["DATAHUB_TELEMETRY_ENABLED"] = "false"
        started = time.monotonic()
        shown = ask(folder, env)
        print(f"{time.monotonic() - started:6.1f} s  datahub-llmops init, {len(QUESTIONS)} times Enter")
        commands = re.findall(
            r"^  (datahub(?:-llmops)? .+?)$", shown.partition("What to type next")[2], re.MULTILINE
        )
        for command in commands:
            print(f"{run(command, folder, env):6.1f} s  {command}")
        whole = time.monotonic() - started
        print(f"{whole:6.1f} s  in all")
        start = run("datahub --version", folder, env)
        print(f"{start:6.1f} s  datahub --version; all of it took {whole / start:.0f} times as long")


def ask(folder: Path, env: dict[str, str]) -> str:
    """Answer every question with Enter, and return what was shown."""
    with Terminal([str(BIN / "datahub-llmops"), "init"], cwd=folder, env=env, timeout=300) as terminal:
        for question in QUESTIONS:
            terminal.answer(question)
        if terminal.end() != 0:
            sys.exit(terminal.shown)
        return terminal.shown


def run(command: str, folder: Path, env: dict[str, str]) -> float:
    """Run a command, and return its seconds."""
    started = time.monotonic()
    done = subprocess.run(
        shlex.split(command), cwd=folder, env=env, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{command}: {done.stdout}{done.stderr}")
    return time.monotonic() - started


if __name__ == "__main__":
    main()
