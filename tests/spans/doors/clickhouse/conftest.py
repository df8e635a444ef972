"""The engine that the tests of this folder share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from spans.doors.clickhouse.engine import Engine, running
from support.shared_server import folder_of


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with running(folder_of(tmp_path_factory, "clickhouse")) as found:
        yield found
