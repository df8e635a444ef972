"""Runs that die, and runs that meet: the catalog is as before a run or as after it, never between."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from catalog.local.local_runs import contents, dataset, raw, run
from datahub_llmops.catalog.local.catalog import LocalCatalog
from datahub_llmops.errors import NoCatalogError
from support.paths import TESTS

ASSETS = 600

WRITER = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from catalog.local.local_runs import dataset, new_sink, raw, write
path, word, assets = Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])
sink = new_sink(path)
print("writing", flush=True)
for number in range(assets):
    above = {"dataset": dataset(f"{word}{number + 1}"), "type": "COPY"}
    write(sink, [
        raw(dataset(f"t{number}"), "datasetProperties", {"name": word}),
        raw(dataset(f"t{number}"), "upstreamLineage", {"upstreams": [above]}),
        raw(dataset(f"{word}{number}"), "status", {"removed": False}),
    ])
print("storing", flush=True)
if sys.argv[5:]:
    sys.stdin.readline()
sink.flush()
print("stored", sink.get_report().changed, flush=True)
sink.close()
"""


def start(path: Path, word: str, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(TESTS), str(path), word, str(ASSETS), *more]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def wait_for(process: subprocess.Popen[str], word: str) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(word):
            return
    pytest.fail(f"the writer ended before {word}")


def finish(process: subprocess.Popen[str]) -> str:
    output, _ = process.communicate(timeout=120)
    return output


def words(path: Path) -> dict[str, int]:
    """How many assets have the name that the run of that word gave them."""
    found: dict[str, int] = {}
    for (_, name), aspect in contents(path).items():
        if name == "datasetProperties":
            found[aspect["name"]] = found.get(aspect["name"], 0) + 1
    return found


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL there")
@pytest.mark.parametrize("delay", [0.0, 0.02, 0.05, 0.1, 0.2, 0.4])
def test_a_killed_run_leaves_the_catalog_as_before_or_as_after(delay: float, tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    run(
        path,
        *(raw(dataset(f"t{number}"), "datasetProperties", {"name": "before"}) for number in range(ASSETS)),
    )
    before = contents(path)
    process = start(path, "after", "wait")
    wait_for(process, "storing")
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()
    time.sleep(delay)
    process.send_signal(signal.SIGKILL)
    finish(process)
    assert words(path) in ({"before": ASSETS}, {"after": ASSETS})
    if words(path) == {"before": ASSETS}:
        assert contents(path) == before
    # What the dead run held is free, and the next one goes through.
    run(path, raw(dataset("t0"), "datasetProperties", {"name": "next"}))
    assert words(path)["next"] == 1
    with LocalCatalog(path) as catalog:
        connection = catalog._connection
        assert connection is not None
        assert connection.execute("pragma integrity_check").fetchone() == ("ok",)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL there")
def test_a_first_run_killed_while_it_reads_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    process = start(path, "first")
    wait_for(process, "writing")
    process.send_signal(signal.SIGKILL)
    finish(process)
    with pytest.raises(NoCatalogError):
        LocalCatalog(path)


@pytest.mark.parametrize("first", [True, False], ids=["a new file", "a file that is there"])
def test_two_runs_into_one_file_at_once_both_end_complete(first: bool, tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    if not first:
        run(path, raw(dataset("t0"), "status", {"removed": False}))
    runs = [start(path, word, "wait") for word in ("one", "two")]
    for process in runs:
        wait_for(process, "storing")
    for process in runs:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    outputs = [finish(process) for process in runs]
    assert [process.returncode for process in runs] == [0, 0]
    assert all("stored" in output for output in outputs)
    assert words(path) in ({"one": ASSETS}, {"two": ASSETS})
    stored = contents(path)
    for word in ("one", "two"):
        assert sum((dataset(f"{word}{number}"), "status") in stored for number in range(ASSETS)) == ASSETS


def test_readers_see_a_run_whole_or_not_at_all_while_it_is_stored(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    run(
        path,
        *(raw(dataset(f"t{number}"), "datasetProperties", {"name": "before"}) for number in range(ASSETS)),
    )
    process = start(path, "after", "wait")
    wait_for(process, "storing")
    seen: list[set[str]] = []
    done = threading.Event()

    def read() -> None:
        with LocalCatalog(path) as catalog:
            while True:
                over = done.is_set()
                names = {
                    node.name for node in catalog.nodes(dataset(f"t{number}") for number in range(ASSETS))
                }
                seen.append(names)
                if over:
                    return

    reader = threading.Thread(target=read)
    reader.start()
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()
    finish(process)
    done.set()
    reader.join()
    assert {frozenset(names) for names in seen} <= {frozenset({"before"}), frozenset({"after"})}
    assert seen[-1] == {"after"}
