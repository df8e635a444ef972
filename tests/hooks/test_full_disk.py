"""The store on a disk of its own that is really full: nobody notices, the newest are kept, the rest is counted."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from datahub_llmops.answer_store.database import Store
from hooks.application import WAITING_AT_MOST
from hooks.seen import explained, stored_answers
from hooks.test_faults import ENVIRONMENT, HERE

ON_A_SMALL_DISK = """
mount -t tmpfs -o size=1m tmpfs "$1" || exit 125
disk=$1 kept=$2
shift 2
"$@"
code=$?
cp -a "$disk/." "$kept"
exit $code
"""
"""In a mount namespace of its own, which takes the disk with it, however it ends."""


def may_mount(disk: Path) -> list[str]:
    """What gives a program a mount namespace here: as root, else by a user namespace. Skips where neither does."""
    if shutil.which("unshare") is None:
        pytest.skip("there is no unshare: nothing can be mounted for a test alone")
    said = []
    for command in (["unshare", "--mount"], ["unshare", "--map-root-user", "--mount"]):
        mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
        done = subprocess.run([*command, *mount], capture_output=True, text=True, check=False, timeout=60)
        if done.returncode == 0:
            return command
        said.append(f"{' '.join(command)}: {done.stderr.strip()}")
    pytest.skip(f"no tmpfs may be mounted here: {'; '.join(said)}")


@pytest.mark.parametrize("first", [0, 3], ids=["full before there is a store", "full later"])
def test_a_full_disk_and_then_room(tmp_path: Path, first: int) -> None:
    disk, kept = tmp_path / "disk", tmp_path / "kept"
    disk.mkdir()
    kept.mkdir()
    on_it = [*may_mount(disk), "sh", "-c", ON_A_SMALL_DISK, "sh", str(disk), str(kept)]
    application = [sys.executable, str(HERE / "application.py"), str(disk / "answers.db")]
    done = subprocess.run(
        [*on_it, *application, "full-disk", str(first)],
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    *made, dropped = done.stdout.split()
    assert len(made) == len(set(made)) == first + 120 + 1
    # Those written before, of those that found no room the newest, and the one after.
    left = made[:first] + made[-1 - WAITING_AT_MOST :]
    path = kept / "answers.db"
    assert [one.id for one in stored_answers(path)] == left
    assert explained(path) == set(left)
    # Before its first answer the application fills its index, which is a record too.
    lost = 120 + (first == 0) - WAITING_AT_MOST
    assert dropped == f"dropped={lost}"
    with closing(Store.read(path)) as store:
        assert store.counters() == {"records_dropped": lost}
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert list(kept.glob("*.damaged*")) == []
    assert done.stderr.count("the store cannot be written") == 1
    assert done.stderr.count("datahub-llmops:") == 1
    assert "Traceback" not in done.stderr
