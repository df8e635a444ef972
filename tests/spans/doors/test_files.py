from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import pytest
import zstandard

from datahub_llmops.answer_store.recorded import RecordedAnswer
from datahub_llmops.answer_store.segments import dump_line
from datahub_llmops.errors import AccessError, DeniedError, RecipeError, UnreadableError
from datahub_llmops.spans.doors.objects import Object, Place
from datahub_llmops.spans.doors.reading import ObjectReader
from datahub_llmops.spans.doors.storage_errors import StorageError
from spans.doors import making
from spans.doors.making import DAY, TODAY, Made, as_line, as_message, call, key, prefixed, run


def answer(number: int, *, started: float = TODAY + 3.0, **given: Any) -> RecordedAnswer:
    """Build an answer as a pod seals it."""
    return RecordedAnswer(
        id=f"{int(started * 1000):012x}{number:016x}",
        application="support-bot",
        framework="langchain",
        framework_version=None,
        root=None,
        host="pod-1",
        started=started,
        ended=started + 1,
        status="ok",
        error=None,
        weight=1.0,
        retrievals=(),
        prompts=(),
        models=(),
        tools=(),
        **{"version": None, **given},
    )


def test_a_folder_is_everything_below_it_in_every_format(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "lines.json").write_bytes(as_line([call(1)]) + as_line([call(2)]))
    (tmp_path / "a" / "messages.bin").write_bytes(prefixed([as_message([call(3)]), as_message([call(4)])]))
    (tmp_path / "a" / "b" / "whole").write_bytes(as_message([call(5)]))
    (tmp_path / "a" / "packed.json").write_bytes(gzip.compress(as_line([call(6)])))
    (tmp_path / "a" / "frames").write_bytes(
        zstandard.compress(as_line([call(7)])) + zstandard.compress(as_line([call(8)]))
    )
    (tmp_path / "a" / "by_message").write_bytes(prefixed([zstandard.compress(as_message([call(9)]))]))
    found = run(tmp_path)
    assert found.days == (TODAY,)
    assert len(found.counted.answers) == 9
    assert found.counted.tokens == 90
    assert not found.problems
    assert found.door.counts.objects_read == 6
    assert {one.application for one in found.counted.answers} == {"support-bot"}


def test_a_trace_in_two_objects_an_hour_apart_is_one(tmp_path: Path) -> None:
    chain: dict[str, Any] = {"openinference.span.kind": "CHAIN"}
    top = Made(trace=f"{1:032x}", id=f"{1:016x}", name="chain", attributes=chain)
    below = call(1, span=2, at=top.started + 3_599)
    below = Made(**{**below.__dict__, "parent": top.id})
    (tmp_path / "1.json").write_bytes(as_line([below]))
    (tmp_path / "2.bin").write_bytes(prefixed([as_message([top])]))
    found = run(tmp_path)
    assert len(found.counted.answers) == 1
    assert found.counted.tokens == 10
    assert found.door.counts.orphans == 0


def test_a_late_span_counts_its_day_again_as_a_whole(tmp_path: Path) -> None:
    (tmp_path / "1.json").write_bytes(as_line([call(1), call(2)]))
    (tmp_path / "other.json").write_bytes(as_line([call(9, at=TODAY - 40_000)]))
    first = run(tmp_path)
    assert first.days == (TODAY - DAY, TODAY)
    assert run(tmp_path, position=first.position).days == ()
    (tmp_path / "2.json").write_bytes(as_line([call(3)]))
    second = run(tmp_path, position=first.position)
    assert second.days == (TODAY,)
    assert len(second.counted.answers) == 3
    assert second.door.counts.objects_unchanged == 2
    # The object of the other day was not opened.
    counts = second.door.counts
    assert (counts.objects_read, counts.objects_read_again) == (1, 1)
    assert run(tmp_path, position=second.position).days == ()


def test_a_kill_before_the_position_was_kept_counts_everything_once(tmp_path: Path) -> None:
    (tmp_path / "1.json").write_bytes(as_line([call(1), call(2)]))
    killed, again = run(tmp_path), run(tmp_path)
    assert making.ids(killed.counted.answers) == making.ids(again.counted.answers)
    assert len(again.counted.answers) == 2


def test_a_copied_object_counts_once(tmp_path: Path) -> None:
    for name in ("1.json", "2.json"):
        (tmp_path / name).write_bytes(as_line([call(1), call(2)]))
    found = run(tmp_path)
    assert len(found.counted.answers) == 2
    assert found.counted.tokens == 20
    assert found.door.counts.duplicates == 2


@pytest.mark.parametrize("form", ["lines", "messages"])
def test_a_file_that_has_grown_is_read_from_where_it_ended(tmp_path: Path, form: str) -> None:
    def written(spans: list[Made]) -> bytes:
        return as_line(spans) if form == "lines" else prefixed([as_message(spans)])

    path = tmp_path / "traces"
    path.write_bytes(written([call(number, at=TODAY - 40_000) for number in range(1, 30)]))
    first = run(tmp_path)
    assert first.days == (TODAY - DAY,)
    with path.open("ab") as file:
        file.write(written([call(100)]))
    second = run(tmp_path, position=first.position)
    assert second.days == (TODAY,)
    assert len(second.counted.answers) == 1
    assert second.door.counts.spans_read == 1
    with path.open("ab") as file:
        file.write(written([call(101, at=TODAY - 30_000)]))
    third = run(tmp_path, position=second.position)
    assert third.days == (TODAY - DAY,)
    assert len(third.counted.answers) == 30


def test_a_rotated_file_is_the_same_object_under_another_name(tmp_path: Path) -> None:
    path = tmp_path / "traces.json"
    path.write_bytes(as_line([call(1)]) + as_line([call(2)]))
    first = run(tmp_path)
    path.rename(tmp_path / "traces-2026-11-29T03-38-05.123.json")
    path.write_bytes(as_line([call(3, at=TODAY - 40_000)]))
    second = run(tmp_path, position=first.position)
    assert second.days == (TODAY - DAY,)
    assert second.door.counts.objects_unchanged == 1
    assert not second.problems


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_a_rotated_file_may_be_compressed_later(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "traces.json"
    path.write_bytes(b"".join(as_line([call(number)]) for number in range(1, 60)))
    first = run(tmp_path)
    (tmp_path / "traces.json.1.packed").write_bytes(pack(path.read_bytes() + as_line([call(60)])))
    path.write_bytes(as_line([call(61)]))
    second = run(tmp_path, position=first.position)
    assert not second.problems
    assert len(second.counted.answers) == 61
    third = run(tmp_path, position=second.position)
    assert (third.days, third.door.counts.objects_unchanged, third.problems) == ((), 2, [])


def test_a_compressed_file_that_only_begins_alike_keeps_the_totals_of_the_day(tmp_path: Path) -> None:
    path = tmp_path / "traces.json"
    lines = [as_line([call(number)]) for number in range(1, 60)]
    path.write_bytes(b"".join(lines))
    first = run(tmp_path)
    path.unlink()
    (tmp_path / "traces.json.1.gz").write_bytes(gzip.compress(b"".join(lines[:50])))
    second = run(tmp_path, position=first.position)
    assert second.titles == ["Days whose objects were removed"]
    assert not second.counted.answers


def test_a_file_that_is_still_being_compressed_is_read_by_the_next_run(tmp_path: Path) -> None:
    path = tmp_path / "traces.json"
    path.write_bytes(b"".join(as_line([call(number)]) for number in range(1, 60)))
    packed = gzip.compress(path.read_bytes())
    first = run(tmp_path)
    path.unlink()
    (tmp_path / "traces.json.1.gz").write_bytes(packed[:-30])
    second = run(tmp_path, position=first.position)
    assert "Truncated objects" in second.titles
    assert not second.counted.answers
    (tmp_path / "traces.json.1.gz").write_bytes(packed)
    third = run(tmp_path, position=second.position)
    assert not third.problems
    assert len(third.counted.answers) == 59


@pytest.mark.parametrize("backwards", [False, True])
def test_copies_of_a_file_and_a_shorter_one_that_begins_alike_stay_what_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backwards: bool
) -> None:
    lines = [as_line([call(number)]) for number in range(1, 30)]
    for name, content in (("1", lines), ("2", lines), ("3", lines[:3])):
        (tmp_path / name).write_bytes(b"".join(content))
    listed = Place.list
    order = [False]

    def in_order(self: Place, wanted: Any) -> Any:
        return sorted(listed(self, wanted), reverse=order[-1])

    monkeypatch.setattr(Place, "list", in_order)
    first = run(tmp_path)
    order.append(backwards)
    (tmp_path / "4").write_bytes(as_line([call(100)]))
    second = run(tmp_path, position=first.position)
    assert (second.door.counts.objects_unchanged, second.problems) == (3, [])
    assert len(second.counted.answers) == 30


def test_a_small_file_that_grows_stays_the_same_object(tmp_path: Path) -> None:
    path = tmp_path / "traces.json"
    position: dict[str, Any] = {}
    for number in range(1, 40):
        with path.open("ab") as file:
            file.write(as_line([call(number)]))
        found = run(tmp_path, position=position)
        position = found.position
        assert not found.problems
        assert len(found.counted.answers) == number


def test_an_object_of_a_counted_day_that_was_removed_keeps_the_totals_of_the_day(tmp_path: Path) -> None:
    (tmp_path / "1.json").write_bytes(as_line([call(1)]))
    first = run(tmp_path)
    (tmp_path / "1.json").unlink()
    (tmp_path / "2.json").write_bytes(as_line([call(2)]) + as_line([call(3, at=TODAY - 40_000)]))
    second = run(tmp_path, position=first.position)
    assert second.days == (TODAY - DAY, TODAY)
    assert [one.started for one in second.counted.answers] == [TODAY - 40_000]
    (problem,) = second.problems
    assert problem.kind == "failure"
    assert problem.days == (TODAY,)
    # It is a failure once: the next run has nothing new, and what comes after that cannot be mended any more.
    third = run(tmp_path, position=second.position)
    assert third.days == ()
    (tmp_path / "3.json").write_bytes(as_line([call(4)]))
    fourth = run(tmp_path, position=third.position)
    assert [(one.kind, one.title, one.days) for one in fourth.problems] == [("info", problem.title, (TODAY,))]
    assert fourth.counted.answers == []


def test_a_removed_object_with_a_clock_of_another_year_holds_back_no_later_day(tmp_path: Path) -> None:
    (tmp_path / "1.json").write_bytes(
        as_line([call(1, at=TODAY - 40_000.0), call(2, at=TODAY + 3_000.0 * DAY)])
    )
    first = run(tmp_path)
    (tmp_path / "1.json").unlink()
    (tmp_path / "2.json").write_bytes(as_line([call(3, at=TODAY + 43_200.0 + 2 * DAY)]))
    later = run(tmp_path, position=first.position, now=TODAY + 43_200.0 + 3 * DAY)
    assert not later.problems
    assert len(later.counted.answers) == 1


def test_a_file_with_the_same_beginning_and_another_rest_is_read_from_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "traces.json"
    same = b"".join(as_line([call(number, at=TODAY - 40_000.0)]) for number in range(1, 12))
    path.write_bytes(same + as_line([call(100)]))
    first = run(tmp_path)
    path.write_bytes(same + as_line([call(101)]) + as_line([call(102)]))
    second = run(tmp_path, position=first.position)
    assert second.days == (TODAY - DAY, TODAY)
    assert len(second.counted.answers) == 13


def test_a_file_that_was_written_anew_and_is_smaller_keeps_the_totals_of_what_it_held(tmp_path: Path) -> None:
    path = tmp_path / "traces.json"
    same = b"".join(as_line([call(number)]) for number in range(1, 12))
    path.write_bytes(same + as_line([call(100)]))
    first = run(tmp_path)
    path.write_bytes(same)
    second = run(tmp_path, position=first.position)
    assert second.titles == ["Days whose objects were removed"]
    assert second.counted.answers == []


def test_an_object_that_has_grown_and_broken_keeps_the_totals_of_its_days(tmp_path: Path) -> None:
    path = tmp_path / "traces.json.gz"
    path.write_bytes(gzip.compress(as_line([call(1)])))
    first = run(tmp_path)
    whole = path.read_bytes() + gzip.compress(as_line([call(2)]))
    path.write_bytes(whole[:-20])
    (tmp_path / "other.json").write_bytes(as_line([call(3)]))
    second = run(tmp_path, position=first.position)
    assert second.titles == ["Truncated objects", "Days that cannot be counted again"]
    assert second.counted.answers == []
    path.write_bytes(whole)
    third = run(tmp_path, position=second.position)
    assert not third.problems
    assert len(third.counted.answers) == 3


def test_an_earlier_object_that_cannot_be_read_keeps_the_day_and_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = tmp_path / "1.json"
    old.write_bytes(as_line([call(1)]))
    first = run(tmp_path)
    (tmp_path / "2.json").write_bytes(as_line([call(2)]))
    opened = ObjectReader.read
    calls: list[str] = []

    def refuse(self: ObjectReader, file: Any, part: Any) -> Any:
        calls.append("read")
        if len(calls) == 2:  # The new object comes first.
            raise StorageError(PermissionError(13, "Permission denied"))
        return opened(self, file, part)

    with monkeypatch.context() as patched:
        patched.setattr(ObjectReader, "read", refuse)
        second = run(tmp_path, position=first.position)
    assert second.days == (TODAY,)
    assert second.counted.answers == []
    assert second.titles == ["Days that cannot be counted again"]
    third = run(tmp_path, position=second.position)
    assert third.days == (TODAY,)
    assert len(third.counted.answers) == 2


def test_a_local_file_that_cannot_be_opened_is_said_and_its_day_is_counted_by_a_later_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "1.json").write_bytes(as_line([call(1)]))
    first = run(tmp_path)
    (tmp_path / "2.json").write_bytes(as_line([call(2)]))
    opened = Place.open

    def refuse(self: Place, one: Object) -> Any:
        if one.name.endswith("1.json"):
            raise StorageError(PermissionError(13, "Permission denied"))
        return opened(self, one)

    with monkeypatch.context() as patched:
        patched.setattr(Place, "open", refuse)
        second = run(tmp_path, position=first.position)
    assert second.titles == ["Objects that cannot be read", "Days whose objects were removed"]
    assert second.counted.answers == []
    third = run(tmp_path, position=second.position)
    assert not third.problems
    assert len(third.counted.answers) == 2


def test_answers_belong_to_the_day_in_which_they_began(tmp_path: Path) -> None:
    midnight = float(TODAY)
    chain: dict[str, Any] = {"openinference.span.kind": "CHAIN"}
    top = Made(
        trace=f"{1:032x}", id=f"{1:016x}", name="chain", attributes=chain, started=midnight - 5, took=20
    )
    inner = call(1, span=2, at=midnight + 5)
    web = Made(trace=f"{2:032x}", id=f"{1:016x}", name="POST /ask", started=midnight - 1, service="web")
    late = call(2, span=2, at=midnight + 1)
    spans = [
        top,
        Made(**{**inner.__dict__, "parent": top.id}),
        web,
        Made(**{**late.__dict__, "parent": web.id}),
    ]
    for number, one in enumerate(spans):
        (tmp_path / f"{number}.json").write_bytes(as_line([one]))
    found = run(tmp_path)
    assert found.days == (TODAY - DAY, TODAY)
    assert [(one.started, len(one.models)) for one in found.counted.answers] == [
        (midnight - 5, 1),
        (midnight + 1, 1),
    ]
    # Something new on the second day alone leaves both right.
    (tmp_path / "9.json").write_bytes(as_line([call(3, at=midnight + 50_000)]))
    again = run(tmp_path, position=found.position)
    assert again.days == (TODAY,)
    assert sorted(one.started for one in again.counted.answers) == [midnight + 1, midnight + 50_000]


def test_days_come_one_after_the_other(tmp_path: Path) -> None:
    for number in range(40):
        path = tmp_path / f"{number}.json"
        path.write_bytes(as_line([call(number + 1, at=TODAY - DAY * (number % 5) + 100 * number)]))
    found = run(tmp_path)
    days = [int(one.started) // DAY for one in found.counted.answers]
    assert days == sorted(days)
    assert len(days) == 40


def test_what_is_older_than_max_days_is_not_read(tmp_path: Path) -> None:
    old = tmp_path / key(TODAY - 60 * DAY)
    new = tmp_path / key(TODAY - 3_600) / "hour=23"
    for folder in (old, new):
        folder.mkdir(parents=True)
        (folder / "1.json").write_bytes(as_line([call(1)]) + as_line([call(2, at=TODAY - 9 * DAY)]))
    aged = tmp_path / "aged.json"
    aged.write_bytes(as_line([call(4)]))
    os.utime(aged, (TODAY - 40 * DAY,) * 2)
    found = run(f"{tmp_path}/**", max_days=7, now=float(TODAY + 100))
    assert found.days == (TODAY,)
    assert found.door.counts.objects_read == 1
    assert found.door.counts.objects_too_old == 1
    assert found.door.counts.spans_too_old == 1


def test_a_clock_of_another_year_makes_no_day(tmp_path: Path) -> None:
    (tmp_path / "1.json").write_bytes(as_line([call(1, at=TODAY + 400.0 * DAY), call(2)]))
    found = run(tmp_path)
    assert found.days == (TODAY,)
    assert found.door.counts.spans_in_future == 1
    assert [(one.kind, one.title, one.context) for one in found.problems] == [
        ("failure", "Spans from the future", f"{tmp_path / '1.json'}: 1 spans")
    ]


def test_a_place_without_anything_to_read_is_said(tmp_path: Path) -> None:
    aged = tmp_path / "1.json"
    aged.write_bytes(as_line([call(1)]))
    os.utime(aged, (TODAY - 40 * DAY,) * 2)
    (tmp_path / "2.json").write_bytes(as_line([call(2)]))
    places = (tmp_path / "1*", tmp_path / "2*", tmp_path / "3*")
    found = run(*places)
    assert [(one.kind, one.title, one.context) for one in found.problems] == [
        ("warning", "Nothing to read", str(place)) for place in (places[0], places[2])
    ]
    # What was read before is something.
    assert not run(places[1], position=found.position).problems


def test_answers_of_sealed_segments_come_as_they_were_recorded(tmp_path: Path) -> None:
    folder = tmp_path / "support-bot" / key(TODAY, "%Y-%m-%d/00")
    folder.mkdir(parents=True)
    older, newer = answer(1), answer(1, version="2", query_text=making.CANARY)
    (folder / "pod-1-01.jsonl.zst").write_bytes(zstandard.compress(dump_line(older) + dump_line(answer(2))))
    (folder / "pod-1-02.jsonl.zst").write_bytes(zstandard.compress(dump_line(newer, texts=True)))
    found = run(tmp_path)
    assert found.days == (TODAY,)
    assert making.ids(found.counted.recorded) == [older.id, answer(2).id]
    assert [one.version for one in found.counted.recorded if one.id == older.id] == ["2"]
    assert all(one.query_text is None for one in found.counted.recorded)
    assert found.door.counts.segments == 2
    assert found.counted.answers == []


def test_objects_of_a_bucket_are_told_by_their_names() -> None:
    files = fsspec.filesystem("memory")
    files.pipe(f"/bucket/{key(TODAY)}/1.json", as_line([call(1)]))
    try:
        first = run("memory://bucket/year=*/month=*/day=*/**")
        assert len(first.counted.answers) == 1
        assert run("memory://bucket", position=first.position).days == ()
        files.pipe(f"/bucket/{key(TODAY)}/2.json", as_line([call(2)]))
        again = run("memory://bucket", position=first.position)
        assert len(again.counted.answers) == 2
    finally:
        files.rm("/bucket", recursive=True)


def test_a_place_says_what_to_do_about_it(tmp_path: Path) -> None:
    with pytest.raises(AccessError, match="There is nothing at"):
        run(tmp_path / "missing")
    with pytest.raises(RecipeError, match="a file system that fsspec does not know"):
        run("nowhere://bucket/x")
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(UnreadableError, match="has no objects"):
        making.open_door(empty).check()
    (empty / "1.json").write_bytes(as_line([call(1)]))
    making.open_door(empty).check()


def test_a_bucket_that_may_not_be_listed_is_denied(monkeypatch: pytest.MonkeyPatch) -> None:
    files = fsspec.filesystem("memory")

    def refuse(*given: Any, **named: Any) -> Any:
        raise PermissionError(13, "secret-in-the-text")

    monkeypatch.setattr(type(files), "ls", refuse)
    with pytest.raises(DeniedError, match="s3:ListBucket") as raised:
        run("memory://bucket")
    assert "secret" not in str(raised.value)


def test_the_position_of_a_hundred_thousand_objects_is_small(tmp_path: Path) -> None:
    (tmp_path / "1.json").write_bytes(as_line([call(1)]))
    position = run(tmp_path).position
    assert len(json.dumps(position)) < 300
    assert str(tmp_path) not in json.dumps(position)
