"""Builds the package and proves that what was built can be installed and used without the checkout.

Called by ``make dist``::

    python tools/distribution/check.py --uv UV --out dist 3.11 3.12 3.13

It builds the source distribution and a wheel out of it, compares that wheel with one built from the checkout, runs
``twine check --strict``, and then, for each Python, installs the wheel with all extras into an empty environment and
runs ``first_use.py`` there, in an empty folder. A Python that this machine does not have is a failure, not a skip.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
FIRST_USE: Final = Path(__file__).with_name("first_use.py")


def run(*command: str | Path, cwd: Path = ROOT) -> None:
    """Run a command without the variables of this environment that would let it see the checkout.

    Raises:
        SystemExit: the command failed. Its own output says why.
    """
    hidden = {"PYTHONPATH", "VIRTUAL_ENV", "UV_PROJECT_ENVIRONMENT"}
    env = {name: value for name, value in os.environ.items() if name not in hidden}
    done = subprocess.run([str(part) for part in command], cwd=cwd, env=env, check=False)
    if done.returncode:
        raise SystemExit(f"failed with exit code {done.returncode}: {' '.join(map(str, command))}")


def read_wheel(path: Path) -> dict[str, bytes]:
    """Return the files of a wheel by name."""
    with zipfile.ZipFile(path) as wheel:
        return {name: wheel.read(name) for name in wheel.namelist()}


def find_one(folder: Path, pattern: str) -> Path:
    """Return the only file of a folder that matches."""
    (found,) = folder.glob(pattern)
    return found


def build(uv: Path, out: Path) -> Path:
    """Build into ``out``, which is emptied first, and return the wheel.

    Raises:
        SystemExit: a build failed, or the source distribution lacks something that the wheel has.
    """
    out.mkdir(parents=True, exist_ok=True)
    for old in [*out.glob("datahub_llmops-*.whl"), *out.glob("datahub_llmops-*.tar.gz")]:
        old.unlink()
    # uv builds the wheel out of the source distribution.
    run(uv, "build", "--quiet", "--out-dir", out)
    wheel = find_one(out, "*.whl")
    with tempfile.TemporaryDirectory() as scratch:
        run(uv, "build", "--quiet", "--wheel", "--out-dir", scratch)
        ours, theirs = read_wheel(find_one(Path(scratch), "*.whl")), read_wheel(wheel)
    different = {name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name)}
    if different:
        raise SystemExit(f"the source distribution gives another wheel: {', '.join(sorted(different))}")
    return wheel


def try_out(uv: Path, wheel: Path, python: str) -> None:
    """Install the wheel with all extras into an empty environment, and use it in an empty folder."""
    print(f"Python {python}: installing the wheel with all extras, and using it ...", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        environment = Path(scratch) / "environment"
        folder = Path(scratch) / "folder"
        folder.mkdir()
        run(uv, "venv", "--quiet", "--no-project", "--python", python, environment, cwd=folder)
        interpreter = environment / "bin" / "python"
        run(uv, "pip", "install", "--quiet", "--python", interpreter, f"{wheel}[all]", cwd=folder)
        run(interpreter, "-I", FIRST_USE, cwd=folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--uv", type=Path, required=True, help="the uv to build and install with")
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="where the built files go")
    parser.add_argument("pythons", nargs="*", help="versions or paths of the Pythons to try")
    options = parser.parse_args()
    uv, out = options.uv.resolve(), options.out.resolve()
    wheel = build(uv, out)
    run(sys.executable, "-m", "twine", "check", "--strict", *sorted(out.glob("datahub_llmops-*")))
    for python in options.pythons:
        try_out(uv, wheel, python)
    print(f"{wheel.name} is ready, in {out}")


if __name__ == "__main__":
    main()
