"""Lines in the log while a door reads."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from datahub.utilities.logging_manager import DATAHUB_PACKAGES

from datahub_llmops.spans.doors import progress
from datahub_llmops.spans.doors.door import ReadCounts
from datahub_llmops.spans.doors.progress import Progress
from spans.doors.making import as_line, call, run


def test_a_line_comes_only_after_a_while(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    clock = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    seen = Progress(ReadCounts(spans_read=12_345))
    for seconds in (0, 29, 2, 1, 30):
        clock[0] += seconds
        seen.at("new objects read", int(clock[0]), 1_000)
    assert caplog.messages == [
        "131 of 1,000 new objects read, 12,345 spans read in all",
        "162 of 1,000 new objects read, 12,345 spans read in all",
    ]


def test_datahub_shows_where_a_long_run_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(progress, "SECONDS", 0.0)
    (tmp_path / "1.json").write_bytes(as_line([call(1)]))
    first = run(tmp_path)
    (tmp_path / "2.json").write_bytes(as_line([call(2)]))
    run(tmp_path, position=first.position)
    said = {record.getMessage().partition(",")[0]: record.name for record in caplog.records}
    places = ("0 of 1 new objects read", "0 of 1 objects of the same days read", "0 of 1 days counted")
    assert said.keys() >= set(places)
    # Its command hides what other packages say below a warning.
    assert {said[place].partition(".")[0] for place in places} <= set(DATAHUB_PACKAGES)
