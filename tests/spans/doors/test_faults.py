"""What bad input gets: one test a line of the table. The run says what it read and what not."""

from __future__ import annotations

import gzip
import io
import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import fsspec
import pytest
import zstandard
from fsspec.implementations.memory import MemoryFileSystem

from datahub_llmops.answer_store.segments import dump_line
from datahub_llmops.errors import AccessError, DeniedError
from datahub_llmops.spans.doors import files, matching
from datahub_llmops.spans.doors.files import FilesDoor
from datahub_llmops.spans.doors.reading import ObjectReader
from datahub_llmops.spans.doors.spool import Spool
from spans.doors import making
from spans.doors.making import (
    CANARY,
    TODAY,
    Made,
    as_line,
    as_message,
    as_observation,
    call,
    prefixed,
    run,
)


@pytest.mark.parametrize("compress", [gzip.compress, zstandard.compress])
def test_a_truncated_object_counts_up_to_there_and_is_read_again(
    tmp_path: Path, compress: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "1.json.gz"
    # Random ids, so that the compressed bytes are many.
    lines = b"".join(
        as_line([Made(**{**call(number).__dict__, "name": os.urandom(40).hex()})])
        for number in range(1, 3_000)
    )
    whole = compress(lines)
    path.write_bytes(whole[: len(whole) // 2])
    first = run(tmp_path)
    assert 0 < len(first.counted.answers) < 2_999
    assert first.titles == ["Truncated objects"]
    assert first.problems[0].kind == "failure"
    path.write_bytes(whole)
    second = run(tmp_path, position=first.position)
    assert len(second.counted.answers) == 2_999
    assert not second.problems


@pytest.mark.parametrize("form", ["lines", "messages"])
def test_a_half_written_record_at_the_end_is_left_for_the_next_run(tmp_path: Path, form: str) -> None:
    def written(number: int) -> bytes:
        spans = [call(number)]
        return as_line(spans) if form == "lines" else prefixed([as_message(spans)])

    path = tmp_path / "traces"
    path.write_bytes(written(1) + written(2)[:-9])
    first = run(tmp_path)
    assert len(first.counted.answers) == 1
    assert first.door.counts.records_unfinished == 1
    assert not first.problems
    # Nobody has written on: it is said, by each run, until the record is finished.
    unchanged = run(tmp_path, position=first.position)
    assert unchanged.days == ()
    assert [one.context for one in unchanged.problems] == [f"{path}: its last record is cut off"]
    assert unchanged.problems[0].kind == "failure"
    assert unchanged.titles == ["Records that stay half-written"]
    path.write_bytes(written(1) + written(2) + written(3))
    second = run(tmp_path, position=unchanged.position)
    assert len(second.counted.answers) == 3
    assert second.door.counts.records_unfinished == 0
    assert not second.problems


def test_a_half_written_record_of_an_object_that_does_not_grow_is_said_at_once(tmp_path: Path) -> None:
    (tmp_path / "traces.json.gz").write_bytes(gzip.compress(as_line([call(1)]) + as_line([call(2)])[:-9]))
    found = run(tmp_path)
    assert found.titles == ["Truncated objects"]
    assert len(found.counted.answers) == 1


def test_a_last_line_that_is_whole_but_no_json_is_said_at_once(tmp_path: Path) -> None:
    line = as_line([call(1)]).rstrip(b"\n")
    (tmp_path / "1.json").write_bytes(line[:-1] + b', "more": NaN}')
    (tmp_path / "2.json").write_bytes(as_line([call(2)]))
    found = run(tmp_path)
    assert [(one.kind, one.title) for one in found.problems] == [
        ("failure", "Records that cannot be understood")
    ]
    assert "1.json" in found.problems[0].context
    assert len(found.counted.answers) == 1


def test_an_indented_document_that_is_half_written_is_read_by_the_next_run(tmp_path: Path) -> None:
    path = tmp_path / "1.json"
    whole = json.dumps(json.loads(as_line([call(1)])), indent=1).encode()
    path.write_bytes(whole[:-20])
    first = run(tmp_path)
    assert first.titles == ["Truncated objects"]
    path.write_bytes(whole)
    second = run(tmp_path, position=first.position)
    assert not second.problems
    assert len(second.counted.answers) == 1


def test_a_file_that_is_renamed_while_we_read_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in (1, 2):
        (tmp_path / f"{number}.json").write_bytes(as_line([call(number)]))
    opened = ObjectReader.read

    def rotate(self: ObjectReader, file: Any, part: Any) -> Any:
        if (tmp_path / "2.json").exists():
            (tmp_path / "2.json").rename(tmp_path / "2-rotated.json")
        return opened(self, file, part)

    with monkeypatch.context() as patched:
        patched.setattr(ObjectReader, "read", rotate)
        first = run(tmp_path)
    assert not first.problems
    assert len(first.counted.answers) == 2
    second = run(tmp_path, position=first.position)
    assert second.days == ()
    assert second.door.counts.objects_unchanged == 2


def test_a_file_that_is_renamed_after_it_was_listed_is_read_by_the_next_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in (1, 2):
        (tmp_path / f"{number}.json").write_bytes(as_line([call(number)]))
    listed = matching.match

    def and_rotate(*given: Any) -> Any:
        found = listed(*given)
        (tmp_path / "2.json").rename(tmp_path / "2-rotated.json")
        return found

    with monkeypatch.context() as patched:
        patched.setattr(matching, "match", and_rotate)
        first = run(tmp_path)
    assert first.door.counts.objects_vanished == 1
    assert not first.problems
    assert len(run(tmp_path, position=first.position).counted.answers) == 2


def test_an_object_deleted_between_listing_and_reading_is_counted_and_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in (1, 2):
        (tmp_path / f"{number}.json").write_bytes(as_line([call(number)]))
    listed = matching.match

    def and_delete(*given: Any) -> Any:
        found = listed(*given)
        (tmp_path / "2.json").unlink()
        return found

    monkeypatch.setattr(matching, "match", and_delete)
    found = run(tmp_path)
    assert found.door.counts.objects_vanished == 1
    assert len(found.counted.answers) == 1
    assert not found.problems


def test_days_of_an_object_that_was_counted_and_is_deleted_before_it_is_read_say_why_they_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "1.json"
    path.write_bytes(as_line([call(1)]))
    first = run(tmp_path)
    path.write_bytes(as_line([call(1)]) + as_line([call(2)]))
    (tmp_path / "2.json").write_bytes(as_line([call(3)]))
    part = FilesDoor._part

    def and_delete(found: Any) -> Any:
        known = part(found)
        path.unlink(missing_ok=True)
        return known

    monkeypatch.setattr(FilesDoor, "_part", staticmethod(and_delete))
    found = run(tmp_path, position=first.position)
    assert not found.counted.answers
    assert found.titles == ["Days that cannot be counted again"]
    assert found.problems[0].context.startswith(f"{path}: not found; ")


def test_what_is_no_plain_file_is_a_failure_and_a_link_to_a_file_is_read(tmp_path: Path) -> None:
    spans, away = tmp_path / "spans", tmp_path / "away"
    spans.mkdir()
    away.mkdir()
    (away / "1.json").write_bytes(as_line([call(1)]))
    (spans / "1.json").symlink_to(away / "1.json")
    (spans / "more").symlink_to(away)
    os.mkfifo(spans / "pipe")
    found = run(spans)
    assert len(found.counted.answers) == 1
    assert sorted(one.context.partition(". ")[0] for one in found.problems) == [
        f"{spans / 'more'}: it is not a regular file",
        f"{spans / 'pipe'}: it is not a regular file",
    ]
    assert {one.kind for one in found.problems} == {"failure"}


def test_clocks_an_hour_apart_do_not_tear_a_trace_apart(tmp_path: Path) -> None:
    top = Made(
        trace=f"{1:032x}",
        id=f"{1:016x}",
        started=TODAY + 1_000.0,
        attributes={"openinference.span.kind": "CHAIN"},
    )
    early = Made(**{**call(1, span=2, at=TODAY - 2_600.0).__dict__, "parent": top.id})
    (tmp_path / "1.json").write_bytes(as_line([top, early]))
    found = run(tmp_path)
    assert len(found.counted.answers) == 1
    assert found.door.counts.orphans == 0
    assert found.counted.tokens == 10


def test_attributes_of_ten_megabytes_take_bounded_memory(tmp_path: Path) -> None:
    big = "x" * 10_000_000
    attributes = {
        "input.value": big,
        "gen_ai.agent.name": big,
        "retrieval.documents.0.document.metadata": big,
    }
    spans = [call(number, attributes=attributes) for number in (1, 2)]
    for name, content in (("lines", as_line(spans)), ("messages", prefixed([as_message(spans)]))):
        (tmp_path / name).write_bytes(content)
        found = run(tmp_path / name)
        assert len(found.counted.answers) == 2
        assert found.counted.tokens == 20
        assert found.door.counts.values_too_long == 4
    script = (
        "import re, sys\n"
        "sys.path[:0] = ['tests']\n"
        "from spans.doors.making import run\n"
        "print(len(run(sys.argv[1]).counted.answers))\n"
        # Not that of getrusage, which begins with what the process had that started this one.
        "print(int(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1]) // 1024)\n"
    )
    out = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "messages")],
        cwd=Path(__file__).parents[3],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    # DataHub takes 150 MB. The message has sixty, and its parsed form up to twice as much.
    assert int(out[0]) == 2
    assert int(out[1]) < 450


def test_a_line_without_an_end_does_not_fill_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datahub_llmops.spans.doors import records

    monkeypatch.setattr(records, "LONGEST_RECORD", 10_000)
    (tmp_path / "1.json").write_bytes(
        b'{"resourceSpans": "' + b"x" * 3_000_000 + b'"}\n' + as_line([call(1)])
    )
    found = run(tmp_path)
    assert len(found.counted.answers) == 1
    assert found.titles == ["Records that cannot be understood"]
    assert "1 longer" in found.problems[0].context


def test_sampled_spans_count_for_those_that_were_left_out(tmp_path: Path) -> None:
    (tmp_path / "1.json").write_bytes(as_line([call(1, state="ot=th:c")]))
    assert [one.weight for one in run(tmp_path).counted.answers] == [4.0]


def test_duplicated_spans_count_once(tmp_path: Path) -> None:
    (tmp_path / "1.json").write_bytes(as_line([call(1), call(1), call(2)]))
    (tmp_path / "2.bin").write_bytes(prefixed([as_message([call(1)]), as_message([call(2)])]))
    found = run(tmp_path)
    assert found.counted.tokens == 20
    assert found.door.counts.duplicates == 3


def test_an_object_of_no_known_format_is_said(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_bytes(b"# Traces of the support bot\n")
    (tmp_path / "1.json").write_bytes(as_line([call(1)]))
    found = run(tmp_path)
    assert [(one.kind, one.title) for one in found.problems] == [("failure", "Objects in no known format")]
    assert "README.md" in found.problems[0].context
    assert len(found.counted.answers) == 1


def test_unknown_attributes_and_odd_values_are_left_out(tmp_path: Path) -> None:
    odd = {
        "resourceSpans": [
            {
                "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "bot"}}]},
                "scopeSpans": [
                    {
                        "spans": [
                            {
                                "traceId": call(1).trace,
                                "spanId": call(1).id,
                                "startTimeUnixNano": int(call(1).started * 1e9),
                                "attributes": [
                                    {"key": "openinference.span.kind", "value": {"stringValue": "LLM"}},
                                    {"key": "llm.model_name"},
                                    {"key": "llm.token_count.prompt", "value": {"intValue": "many"}},
                                    {"key": "new.attribute", "value": {"kvlistValue": {}}},
                                    {"key": 3, "value": {"stringValue": "x"}},
                                    "nothing",
                                ],
                            },
                            {"traceId": "", "spanId": "1"},
                            {"spanId": 5},
                            "no span",
                        ]
                    },
                    None,
                ],
            },
            7,
        ]
    }
    (tmp_path / "1.json").write_bytes(json.dumps(odd).encode() + b"\n")
    found = run(tmp_path)
    assert len(found.counted.answers) == 1
    assert found.door.counts.spans_unusable == 2


@pytest.mark.parametrize(
    "content",
    [prefixed([b"\xff\xff\xff", as_message([call(1)])]), b"{not json}\n" + as_line([call(1)])],
)
def test_garbage_is_a_failure_by_name_and_the_rest_counts(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.json").write_bytes(content)
    (tmp_path / "good.json").write_bytes(as_line([call(1)]))
    found = run(tmp_path)
    assert len(found.counted.answers) == 1
    (problem,) = found.problems
    assert problem.kind == "failure"
    assert "bad.json" in problem.context
    assert found.door.counts.records_unreadable == 1


def test_a_message_that_is_not_whole_is_read_again_by_the_next_run(tmp_path: Path) -> None:
    whole = as_message([call(1)])
    (tmp_path / "bad.pb").write_bytes(whole[:-5])
    found = run(tmp_path)
    (problem,) = found.problems
    assert (problem.kind, "bad.pb" in problem.context) == ("failure", True)
    assert found.counted.answers == []
    (tmp_path / "bad.pb").write_bytes(whole)
    again = run(tmp_path, position=found.position)
    assert (again.problems, len(again.counted.answers)) == ([], 1)


def test_a_spool_without_room_is_no_silence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "1.json").write_bytes(as_line([call(1)]))

    def full(*given: Any) -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Spool, "put", full)
    with pytest.raises(AccessError, match="set TMPDIR"):
        run(tmp_path)


class Forbidding(MemoryFileSystem):  # type: ignore[misc]
    """A bucket whose policy denies what is asked of it."""

    protocol = "forbidding"
    denied = "ls"
    store: ClassVar[dict[str, Any]] = {}
    pseudo_dirs: ClassVar[list[str]] = [""]

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return super()._strip_protocol(path.replace("forbidding://", "memory://"))  # type: ignore[no-any-return]

    def ls(self, path: str, detail: bool = True, **given: Any) -> Any:
        if self.denied == "ls":
            raise PermissionError(13, f"AccessDenied {CANARY}")
        return super().ls(path, detail, **given)

    def cat_file(self, path: str, *given: Any, **named: Any) -> Any:
        if self.denied == "open":
            raise PermissionError(13, f"AccessDenied {CANARY}")
        return super().cat_file(path, *given, **named)


def test_without_the_right_to_list_the_run_stops_and_says_what_to_grant() -> None:
    fsspec.register_implementation("forbidding", Forbidding, clobber=True)
    Forbidding.denied = "ls"
    with pytest.raises(DeniedError, match="s3:ListBucket") as raised:
        run("forbidding://bucket")
    assert CANARY not in str(raised.value)


def test_without_the_right_to_read_each_object_is_a_failure() -> None:
    fsspec.register_implementation("forbidding", Forbidding, clobber=True)
    Forbidding.denied = ""
    fsspec.filesystem("forbidding").pipe("/bucket/1.json", as_line([call(1)]))
    Forbidding.denied = "open"
    found = run("forbidding://bucket")
    assert found.titles == ["Objects that cannot be read"]
    assert found.problems[0].context == "/bucket/1.json: access denied"
    Forbidding.denied = ""
    assert len(run("forbidding://bucket", position=found.position).counted.answers) == 1


def test_no_content_gets_anywhere(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    spans = [
        call(1, error="openai.RateLimitError"),
        Made(**{**call(2).__dict__, "name": "retriever", "attributes": {**making.CONTENT}}),
    ]
    (tmp_path / "1.json").write_bytes(as_line(spans))
    (tmp_path / "2.bin").write_bytes(prefixed([as_message(spans)]))
    (tmp_path / "3.jsonl").write_bytes(
        b"".join(json.dumps(as_observation(one)).encode() + b"\n" for one in spans)
    )
    (tmp_path / "4.json").write_bytes(
        b'{"resourceSpans": "' + CANARY.encode() + b'\n{"' + CANARY.encode() + b"\n"
    )
    (tmp_path / "5.bin").write_bytes(prefixed([as_message(spans)[:-20] + CANARY.encode()]))
    (tmp_path / "6.json.gz").write_bytes(gzip.compress(as_line(spans))[:-10])
    from spans.doors.test_files import answer

    sealed = dump_line(answer(7, query_text=CANARY, answer_text=CANARY), texts=True)
    (tmp_path / "7.jsonl.zst").write_bytes(zstandard.compress(sealed))
    problems: list[Any] = []
    door = making.open_door(tmp_path, problems=problems)
    counted = making.Collected()
    days = door.days({})
    door.count(days, counted)  # type: ignore[arg-type]
    spooled = io.BytesIO()
    for spool in (door._spool, door._sealed):
        spool._file.seek(0)
        spooled.write(spool._file.read())
    assert call(1).trace.encode() in spooled.getvalue(), "the spool is not what is looked at"
    classes = door._reader.classes
    assert "openinference.span.kind" in repr(classes.listed), "the classes are not what is looked at"
    position = door.position()
    door.close()
    seen = (counted.answers, counted.recorded, problems, caplog.records, position, door.counts)
    assert counted.answers
    assert counted.recorded
    assert problems
    assert CANARY.encode() not in spooled.getvalue()
    assert CANARY not in repr((classes.listed, classes.processes))
    assert CANARY not in repr(seen)
    assert CANARY not in caplog.text


def test_a_trace_of_far_too_many_spans_is_cut_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "MAX_TRACE", 20)
    chain = Made(**{**call(1).__dict__, "attributes": {"openinference.span.kind": "CHAIN"}})
    below = [call(1, span=number, parent=1, at=chain.started + number) for number in range(2, 60)]
    # What is around them ends last, so it comes last.
    (tmp_path / "1.json").write_bytes(b"".join(as_line([one]) for one in [*below, chain]))
    found = run(tmp_path)
    assert found.titles == ["Traces with too many spans"]
    assert found.door.counts.traces_cut == 1
    assert [len(one.models) for one in found.counted.answers] == [19]


def test_fifty_thousand_spans_in_one_trace_are_one_trace(tmp_path: Path) -> None:
    spans = [
        Made(
            trace=f"{1:032x}",
            id=f"{number:016x}",
            parent=f"{number // 2:016x}" if number > 1 else "",
            attributes={"openinference.span.kind": "CHAIN" if number < 25_000 else "LLM"},
        )
        for number in range(1, 50_001)
    ]
    batches = [as_message(spans[start : start + 500]) for start in range(0, len(spans), 500)]
    (tmp_path / "1.bin").write_bytes(prefixed(batches))
    found = run(tmp_path)
    assert found.door.counts.traces == 1
    assert len(found.counted.answers) == 1
    assert not found.problems
