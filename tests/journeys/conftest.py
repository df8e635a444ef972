"""The demo, run once for all processes of the tests."""

from __future__ import annotations

import fcntl
import shutil

import pytest

from journeys.demo import Demo, run_demo
from support.paths import ROOT
from support.shared_server import folder_of


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """Whoever asks first runs it; the others wait."""
    root = folder_of(tmp_path_factory, "demo")
    root.mkdir(exist_ok=True)
    folder, copy, printed = root / "estate", root / "copy", root / "printed"
    with (root / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not printed.is_file():
            for one in (folder, copy):
                one.mkdir()
                for name in ("examples", "recipes"):
                    (one / name).symlink_to(ROOT / name)
            text = run_demo(folder)
            shutil.copytree(folder / "demo", copy / "demo")
            printed.write_text(text, encoding="utf-8")
    return Demo(folder=folder, copy=copy, printed=printed.read_text(encoding="utf-8"))
