from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import fsspec
import pytest

from datahub_llmops.errors import UnreadableError
from datahub_llmops.spans.doors.door import Problem
from datahub_llmops.spans.doors.objects import Object, Place
from spans.doors import making
from spans.doors.making import DAY, TODAY, Made, as_line, call, key, open_door, run

NOON = TODAY + 43_200


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    names: list[str] = []
    original = Place.open

    def count(self: Place, one: Object) -> Any:
        names.append(one.name)
        return original(self, one)

    monkeypatch.setattr(Place, "open", count)
    return names


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """A bucket with ten thousand objects, fourteen an hour over a month."""
    files = fsspec.filesystem("memory")
    for number in range(10_000):
        at = datetime.fromtimestamp(NOON - number * 260, UTC)
        folder = key(at.timestamp(), "year=%Y/month=%m/day=%d/hour=%H/minute=%M")
        files.pipe(
            f"/traces/otel/{folder}/{number}.json", as_line([call(number + 1, at=NOON - number * 260.0 - 30)])
        )
    yield "memory://traces/otel/**"
    files.store.clear()  # Its own removal takes a minute.
    files.pseudo_dirs[:] = [""]


def test_a_trace_of_a_known_hour_opens_only_objects_around_it(bucket: str, opened: list[str]) -> None:
    wanted = call(5_001)
    at = datetime.fromtimestamp(NOON - 5_000 * 260, UTC)
    (found,) = open_door(bucket).trace(wanted.trace, at)
    assert (found.trace, found.id) == (wanted.trace, wanted.id)
    # At most four hours, with fourteen objects each.
    assert 10 < len(opened) <= 56


def test_an_answer_has_its_hour_in_its_id(bucket: str, opened: list[str]) -> None:
    at = NOON - 3_000 * 260.0 - 30
    with pytest.MonkeyPatch.context():
        door = open_door(bucket)
        spans = door.trace(call(3_001).trace, datetime.fromtimestamp(at, UTC))
        (answer,) = door._assemble(spans).answers
        opened.clear()
        found = door.trace(answer.id, None)
    assert [one.id for one in found] == [one.id for one in spans]
    assert 10 < len(opened) <= 56


def test_an_id_of_x_ray_has_its_hour_in_it(tmp_path: Path, opened: list[str]) -> None:
    trace = f"{NOON:08x}" + "b" * 24
    for hour in range(24):
        folder = tmp_path / key(TODAY) / f"hour={hour:02}"
        folder.mkdir(parents=True)
        made = [call(hour + 1, at=TODAY + hour * 3_600.0)]
        if hour == 12:
            made.append(Made(**{**call(99, at=float(NOON)).__dict__, "trace": trace}))
        (folder / "1.json").write_bytes(as_line(made))
    for shown in (trace, f"1-{trace[:8]}-{trace[8:]}", trace.upper()):
        opened.clear()
        (found,) = open_door(tmp_path).trace(shown, None)
        assert found.trace == trace
        assert len(opened) == 3


def test_without_a_time_everything_is_looked_through(tmp_path: Path) -> None:
    (tmp_path / "1.json").write_bytes(as_line([call(1)]))
    (tmp_path / "2.json").write_bytes(as_line([call(1, span=2, parent=1)]))
    assert len(open_door(tmp_path).trace(call(1).trace, None)) == 2
    assert open_door(tmp_path).trace("f" * 32, None) == []


def test_an_id_that_only_looks_like_a_time_is_found_too(tmp_path: Path) -> None:
    trace = f"{TODAY - 9 * DAY:08x}" + "b" * 24
    folder = tmp_path / key(TODAY)
    folder.mkdir(parents=True)
    (folder / "1.json").write_bytes(as_line([Made(**{**call(9).__dict__, "trace": trace})]))
    assert len(open_door(tmp_path).trace(trace, None)) == 1


def test_what_could_not_be_read_is_not_nothing(tmp_path: Path) -> None:
    (tmp_path / "1.json").write_bytes(b"neither of them")
    with pytest.raises(UnreadableError, match="was not found, but 1 objects could not be read"):
        open_door(tmp_path).trace(call(1).trace, None)


@pytest.mark.parametrize("content", [b"neither of them", as_line([call(1)])[:-20], b'{"other": 1}\n'])
def test_a_trace_that_may_lack_something_says_so(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "1.json").write_bytes(as_line([call(1)]))
    told: list[Problem] = []
    assert len(open_door(tmp_path, problems=told).trace(call(1).trace, None)) == 1
    assert not told
    (tmp_path / "2.json").write_bytes(content)
    assert len(open_door(tmp_path, problems=told).trace(call(1).trace, None)) == 1
    assert [one.title for one in told] == ["Whether the trace is whole"]
    assert "1 objects could not be read, such as" in told[0].context
    assert "2.json" in told[0].context


def test_the_trace_of_a_counted_answer(tmp_path: Path) -> None:
    (tmp_path / "1.json").write_bytes(as_line([call(number) for number in range(1, 30)]))
    for answer in run(tmp_path).counted.answers[:3]:
        assert len(open_door(tmp_path).trace(answer.id, None)) == 1
    assert making.open_door(tmp_path).trace(f"{NOON * 1000:012x}" + "0" * 16, None) == []


def test_without_times_in_keys_the_last_change_says_what_is_too_old(
    tmp_path: Path, opened: list[str]
) -> None:
    for number, age in ((1, 9 * DAY), (2, 0), (3, -7_200)):
        path = tmp_path / f"{number}.json"
        path.write_bytes(as_line([call(number)]))
        os.utime(path, (NOON - age,) * 2)
    wanted = call(3).trace
    assert len(open_door(tmp_path).trace(wanted, datetime.fromtimestamp(NOON, UTC))) == 1
    # What was changed later may hold earlier spans.
    assert sorted(Path(name).name for name in opened) == ["2.json", "3.json"]
