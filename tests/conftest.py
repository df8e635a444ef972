"""What holds for all tests: the engines that they ran against are printed once, whichever process ran them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from support import engines

# What they assert is shown, as in a test's own file.
pytest.register_assert_rewrite("contract", "faults.matrix")

# No test measures time: a busy machine is no finding.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")


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
