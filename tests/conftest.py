"""What holds for all tests: what kind each one is, which share a process, which engines ran, where the time went.

A test is of one kind, by its folder and its fixtures, or by a mark of its own:

* ``faults``: a cell of the fault matrix;
* ``engine``: reads a store, most of them real ones, or needs a vendor's packages;
* ``process``: starts other processes;
* ``fuzz``: takes as long as it is given, and runs with ``make fuzz`` only;
* ``unit``: everything else. ``pytest -m unit`` takes seconds; ``make quick`` runs it.
"""

from __future__ import annotations

import asyncio
import gc
import os
import re
import shutil
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, settings
from typing_extensions import override
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]  # it has no types

from support import engines
from support.examples import THOROUGH, examples
from support.paths import ROOT, TESTS

pytest_plugins = ("support.stores",)

# Their assertions are shown as those of a test's own file are.
pytest.register_assert_rewrite("faults.matrix")

# No test measures time: a busy machine is not a finding.
settings.register_profile("full", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile(
    "fast", settings.get_profile("full"), max_examples=examples(100), derandomize=True, database=None
)
settings.load_profile("full" if THOROUGH else "fast")

# Files in memory: the tests write thousands of databases, each with an fsync. A run of DataHub writes some of its own.
_MEMORY = Path("/dev/shm")
if os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > 4 << 30:
    for _variable in ("PYTEST_DEBUG_TEMPROOT", "TMPDIR"):
        os.environ.setdefault(_variable, str(_MEMORY))
    # pytest has looked it up already.
    tempfile.tempdir = None

KINDS: Final = ("unit", "engine", "process", "faults", "fuzz")
KIND_OF: Final = {
    TESTS / "faults": "faults",
    TESTS / "fuzz": "fuzz",
    TESTS / "vector_stores": "engine",
    TESTS / "prompt_registries": "engine",
    TESTS / "report" / "browser": "engine",
    TESTS / "journeys": "process",
    TESTS / "governance" / "test_estate.py": "engine",
    TESTS / "hooks" / "test_real_stores.py": "engine",
    TESTS / "hooks" / "test_tracers.py": "process",
    TESTS / "lineage" / "sql" / "test_oracle.py": "engine",
}
"""Folders and files all of whose tests are of one kind."""


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Importing the vendors' packages takes longer than all unit tests, so they are not even looked at."""
    return True if config.option.markexpr == "unit" and collection_path in KIND_OF else None


# Nothing of a collection is garbage, and each process collects ten thousand tests: looking at all of it again and again
# takes a third of the time, so the collector starts afterwards and never looks at them.
gc.disable()


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if not any(item.get_closest_marker(kind) for kind in KINDS):
            item.add_marker(_kind(item))


def _kind(item: pytest.Item) -> str:
    for path in (item.path, *item.path.parents):
        if path in KIND_OF:
            return KIND_OF[path]
    module = getattr(item, "module", None)
    return "process" if hasattr(module, "subprocess") else "unit"


APART: Final = re.compile(r"tests/(hooks/|cli/test_init|setup/|test_imports|catalog/local/test_crashes)")
"""Files of long tests that share nothing: each test goes to whichever process is free."""


class _ByEngine(LoadScopeScheduling):  # type: ignore[misc]  # of an untyped base
    """Gives all tests of an engine, and of a file, to one process, so that what they share is made once a session."""

    @override
    def _split_scope(self, nodeid: str) -> str:
        path, _, test = nodeid.partition("::")
        folder, *rest = path.removeprefix("tests/").split("/")
        if folder == "faults" and "[" in test:
            return re.split(r"[-\]]", test.partition("[")[2])[0]
        if path.startswith("tests/report/browser/"):
            return "browser"
        if folder == "prompt_registries":
            return f"{folder}/{rest[0]}"
        if folder == "vector_stores":
            # Two engines share a folder.
            return rest[0] if rest[0] != "search" else re.split(r"[_.]", rest[1])[1]
        return nodeid if APART.match(path) else path


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    # Not the marks and --dist=loadgroup of xdist 3.8: they are without effect in pytest 9.2, whose node ids are fixed.
    return _ByEngine(config, log) if config.getvalue("dist") == "loadscope" else None


@pytest.fixture(autouse=True, scope="session")
def _no_version_check() -> None:
    """DataHub's pipeline asks the internet for its newest version, 2 s at most, where its thread has an event loop."""
    asyncio.set_event_loop(None)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker of xdist hands over what it knows."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["engines"] = dict(engines.state)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """What a worker knew; one that crashed says nothing."""
    engines.state.update(getattr(node, "workeroutput", {}).get("engines", {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if engines.state:
        terminalreporter.section("engines")
        for line in engines.summary(engines.state):
            terminalreporter.write_line(line)
    _write_durations(terminalreporter)


def _write_durations(terminalreporter: pytest.TerminalReporter) -> None:
    """Keep what each file and each test took, in ``build/durations.txt``."""
    files: defaultdict[str, float] = defaultdict(float)
    tests: defaultdict[str, float] = defaultdict(float)
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                files[report.location[0]] += report.duration
                tests[report.nodeid] += report.duration
    target = ROOT / "build" / "durations.txt"
    target.parent.mkdir(exist_ok=True)
    with target.open("w", encoding="utf-8") as out:
        out.write(f"{sum(files.values()):.0f} s in {len(tests)} tests, all processes together\n")
        for title, found in (("files", files), ("tests", tests)):
            out.write(f"\n{title}\n")
            longest = sorted(found.items(), key=lambda entry: -entry[1])
            out.writelines(f"{seconds:9.2f}  {name}\n" for name, seconds in longest[:200])
