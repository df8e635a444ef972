"""The engine's sums are those of answers that are put together one by one."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

import pytest

from datahub_llmops.answer_store.recorded import RecordedAnswer
from datahub_llmops.spans import attributes as names
from datahub_llmops.spans.assemble import REPEATED, AssembleOptions, assemble
from datahub_llmops.spans.attributes import Selection
from datahub_llmops.spans.doors.clickhouse.client import Statement
from datahub_llmops.spans.doors.clickhouse.door import ClickHouseDoor
from datahub_llmops.spans.doors.clickhouse.statements import MAX_SPANS
from datahub_llmops.spans.doors.door import Problem
from datahub_llmops.spans.span import Span
from spans.doors.clickhouse.engine import COLLECTOR, Engine
from spans.doors.clickhouse.exporting import (
    PlainCounting,
    differences,
    rows_of_otlp,
    rows_of_spans,
    shown,
)
from spans.recordings import Recording, raw_lines, recordings
from spans.test_instrumentations import APART, is_sdk
from spans.world import BEGIN, OTHER_SERVICE, span

RECORDINGS: Final = recordings()
ASSEMBLE: Final = partial(assemble, options=AssembleOptions())


def opened(engine: Engine, database: str, told: list[Problem] | None = None, **given: Any) -> ClickHouseDoor:
    """A door whose problems are failures of the test, unless ``told`` takes them."""

    def tell(problem: Problem) -> None:
        assert told is not None, problem
        told.append(problem)

    return ClickHouseDoor(
        engine.options(database, **given),
        selection=Selection(application="service.name"),
        assemble=ASSEMBLE,
        tell=tell,
    )


@contextmanager
def exchanges_of(door: ClickHouseDoor) -> Iterator[list[tuple[str, str]]]:
    """What the engine is asked meanwhile, each with what it answers."""
    exchanged: list[tuple[str, str]] = []
    ask = door._client.rows

    def rows(statement: Statement) -> Sequence[Sequence[Any]]:
        found = ask(statement)
        exchanged.append((statement.text, repr(found)))
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(door._client, "rows", rows)
        yield exchanged


def contents_in(exchanged: Sequence[tuple[str, str]]) -> list[str]:
    """The contents of spans that stand in answers, each with what is around it."""
    return [text[max(0, at - 100) : at + 20] for _, text in exchanged if (at := text.find("CANARY")) >= 0]


def rolled_up(answers: list[RecordedAnswer]) -> dict[str, Any]:
    return shown(PlainCounting().roll_up(sorted(answers, key=lambda one: one.started)))


@pytest.mark.parametrize("table", ["otel_traces", "otel_traces_json"])
def test_recordings_count_as_their_answers(engine: Engine, table: str) -> None:
    database = engine.database()
    answers = []
    rows: list[dict[str, Any]] = []
    for recording in RECORDINGS if table == "otel_traces" else RECORDINGS[:4]:
        rows += rows_of_otlp(raw_lines(recording.name), as_json=table.endswith("json"))
        found_here = [one for assembled in recording.assembled.values() for one in assembled.answers]
        # What the SDK reports in traces of its own is what the framework reports too.
        twice = recording.name.partition("/")[0] in APART
        answers += [one for one in found_here if not (twice and is_sdk(one))]
    engine.insert(database, rows, table)
    door = opened(engine, database, table=table, timeout_sec=300.0)
    with exchanges_of(door) as exchanged:
        found = shown(door.count(door.days({}), PlainCounting()))
    assert contents_in(exchanged) == []
    differ = differences(found, rolled_up(answers))
    # Where one retriever searches several indexes, and another span says which, nobody knows whose the chunks are.
    assert [one for one in differ if "/chunks: None != " not in one] == []
    assert door.counts.answers == len(answers)


@pytest.mark.parametrize("user", ["reader", "bound"])
@pytest.mark.parametrize("table", ["otel_traces", "otel_traces_json"])
def test_scores_of_attributes_and_of_events_count_as_their_answers(
    engine: Engine, table: str, user: str
) -> None:
    # To a user who may change no settings, the server does not say whether names of attributes can be read alone.
    database = engine.database()
    rows = rows_of_otlp(raw_lines("evaluations/rated"), as_json=table.endswith("json"))
    engine.insert(database, rows, table)
    answers = [one for trace in Recording("evaluations/rated").assembled.values() for one in trace.answers]
    door = opened(engine, database, table=table, user=user)
    found = shown(door.count(door.days({}), PlainCounting()))
    assert door._described().has_parts == (user == "reader" and table == "otel_traces")
    assert not differences(found, rolled_up(answers))
    assert len(found["scores"]) == 4


@pytest.mark.parametrize(
    ("event", "as_rows"), [({"gen_ai.evaluation.score.value": 0.5}, False), ({"error.type": "timeout"}, True)]
)
def test_the_engine_adds_up_events_of_evaluations_that_did_not_fail(
    engine: Engine, event: dict[str, Any], as_rows: bool
) -> None:
    database = engine.database()
    judged = {names.EVALUATION_EVENT: [{"gen_ai.evaluation.name": "tone", **event}] * 2}
    root = span("chain", kind="CHAIN")
    root = root._replace(attributes={**root.attributes, **judged})
    engine.insert(database, rows_of_spans([root, call_of(root)]))
    door = opened(engine, database)
    with exchanges_of(door) as exchanged:
        found = shown(door.count(door.days({}), PlainCounting()))
    assert not differences(found, rolled_up(list(ASSEMBLE([root, call_of(root)]).answers)))
    assert any("BY trace\n" in asked for asked, _ in exchanged) is as_rows


@pytest.mark.parametrize(("recorded", "shapes"), [(False, 1), (True, 3)])
def test_hosts_that_only_stamp_spans_are_added_up(engine: Engine, recorded: bool, shapes: int) -> None:
    database = engine.database()
    spans = []
    for number in range(1, 4):
        stamps: dict[str, Any] = {"application": "support-bot", "host": f"pod-{number}", "recorded": recorded}
        stamps["answer.id"] = f"01a20b810a04{number:016x}"
        stamps["answer.ids"] = [f"01a20b810a03{number:016x}", stamps["answer.id"]]
        attributes = {f"datahub_llmops.{name}": value for name, value in stamps.items()}
        root = span("chain", kind="CHAIN")
        root = root._replace(trace=f"{number:032x}", attributes={**root.attributes, **attributes})
        spans += [root, call_of(root)._replace(trace=root.trace)]
    engine.insert(database, rows_of_spans(spans))
    door = opened(engine, database)
    counting = PlainCounting()
    assert shown(door.count(door.days({}), counting))["answers"] == 3
    assert len(counting.answers) == shapes
    assert {one.recorded_on for one in counting.answers} == (
        {"pod-1", "pod-2", "pod-3"} if recorded else {None}
    )
    one = next(one for one in door.trace(spans[0].trace, None) if not one.parent)
    assert one.attributes == Selection().pick(spans[0].attributes)


@pytest.mark.parametrize("bound", ["MAX_DIGESTS", "MAX_IDS"])
def test_the_engine_counts_documents_that_are_too_many_to_come_back(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, bound: str
) -> None:
    monkeypatch.setattr(f"datahub_llmops.spans.doors.clickhouse.statements.{bound}", 1)
    recording = Recording("openinference-langchain/chroma")
    database = engine.database()
    engine.insert(database, rows_of_otlp(raw_lines(recording.name)))
    door = opened(engine, database)
    with exchanges_of(door) as exchanged:
        found = shown(door.count(door.days({}), PlainCounting()))
    assert not differences(
        found, rolled_up([one for each in recording.assembled.values() for one in each.answers])
    )
    assert [asked for asked, _ in exchanged if "uniqExact" in asked]


def test_rows_of_a_real_collector_count_as_what_it_was_sent(engine: Engine) -> None:
    database = engine.database()
    file = engine.folder / f"{database}.native"
    file.write_bytes(gzip.decompress((COLLECTOR / "otel_traces.native.gz").read_bytes()))
    engine.command(f"INSERT INTO {database}.otel_traces SELECT * FROM file('{file}', 'Native')")
    sent = ("openinference-langchain/chroma", "genai-langchain/chroma", "mlflow-langchain/chroma")
    assembled = [one for name in sent for one in Recording(name).assembled.values()]
    door = opened(engine, database)
    found = shown(door.count(door.days({}), PlainCounting()))
    assert not differences(found, rolled_up([one for each in assembled for one in each.answers]))
    assert found["answers"]


@pytest.mark.parametrize(
    ("user", "among"), [("reader", " IN (SELECT DISTINCT"), ("bound", " GLOBAL IN (SELECT DISTINCT")]
)
def test_an_application_among_many_spans_of_other_services(engine: Engine, user: str, among: str) -> None:
    front = span("GET /chat", resource=OTHER_SERVICE, scope="http")
    root = span("chain", front, kind="CHAIN")
    trace = [front, root, call_of(root)]
    others = [
        span("GET /", resource=OTHER_SERVICE, scope="http")._replace(trace=f"{number:032x}")
        for number in range(20)
    ]
    database = engine.database()
    engine.insert(database, rows_of_spans([*trace, *others]))
    door = opened(engine, database, user=user)
    with exchanges_of(door) as exchanged:
        found = shown(door.count(door.days({}), PlainCounting()))
    assert not differences(found, rolled_up(list(ASSEMBLE(trace).answers)))
    assert found["answers"] == 1
    assert door.counts.spans_read == len(trace)
    assert any(among in asked for asked, _ in exchanged)


class TestOddTraces:
    """Traces that the engine hands back as rows count like all others."""

    def counted(self, engine: Engine, spans: list[Span]) -> tuple[dict[str, Any], ClickHouseDoor]:
        database = engine.database()
        engine.insert(database, rows_of_spans(spans))
        door = opened(engine, database)
        return shown(door.count(door.days({}), PlainCounting())), door

    def test_a_trace_with_many_spans(self, engine: Engine) -> None:
        root = span("chain", kind="CHAIN")
        calls = [call_of(root) for _ in range(MAX_SPANS + 10)]
        found, door = self.counted(engine, [root, *calls])
        assert not differences(found, rolled_up(list(ASSEMBLE([root, *calls]).answers)))
        assert (door.counts.spans_read, door.counts.traces) == (MAX_SPANS + 11, 1)

    def test_cycles_duplicates_and_spans_that_have_not_ended(self, engine: Engine) -> None:
        root = span("chain", kind="CHAIN")
        ring = [call_of(root), call_of(root)]
        ring = [ring[0]._replace(parent=ring[1].id), ring[1]._replace(parent=ring[0].id)]
        unended = span("chat", root, kind="LLM", took=None)
        spans = [root, *ring, ring[0], unended]
        found, door = self.counted(engine, spans)
        assert not differences(found, rolled_up(list(ASSEMBLE(spans).answers)))
        assert door.counts.duplicates == 1

    def test_a_trace_over_midnight_belongs_to_the_day_of_its_start(self, engine: Engine) -> None:
        midnight = int(BEGIN) // 86_400 * 86_400 + 86_400.0
        root = span("chain", kind="CHAIN")._replace(started=midnight - 1, ended=midnight + 5)
        call = call_of(root)._replace(started=midnight + 1, ended=midnight + 2)
        found, _ = self.counted(engine, [root, call])
        assert found["answers"] == 1
        assert {day for _, day, _ in found["whole"]} == {int(midnight) - 86_400}
        assert found["whole"][("support-bot", int(midnight) - 86_400, "spans")]["tokens"] == {
            "input": 10,
            "output": 5,
        }

    def test_what_only_times_can_tell(self, engine: Engine) -> None:
        chat = span("ChatOpenAI", kind="LLM", took=2.0, **TOKENS)._replace(trace="a" * 32)
        sdk = span("chat gpt", kind="LLM", scope="openinference.instrumentation.openai", took=0.5, **TOKENS)
        sdk = sdk._replace(trace="a" * 32)
        assert len(ASSEMBLE([chat, sdk]).answers) == 1
        found, _ = self.counted(engine, [chat, sdk])
        assert found["answers"] == 1

    def test_a_day_in_slices(self, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("datahub_llmops.spans.doors.clickhouse.day_answers.SLICE_SPANS", 4)
        spans: list[Span] = []
        answers: list[RecordedAnswer] = []
        for number in range(12):
            root = span("chain", kind="CHAIN")._replace(trace=f"{number:032x}")
            call = call_of(root)._replace(trace=root.trace)
            spans += [root, call]
            answers += ASSEMBLE([root, call]).answers
        found, door = self.counted(engine, spans)
        assert not differences(found, rolled_up(answers))
        assert door.counts.statements > 8


TOKENS: Final[dict[str, Any]] = {
    "llm__model_name": "gpt-5",
    "llm__provider": "openai",
    "llm__token_count__prompt": 10,
    "llm__token_count__completion": 5,
}


def call_of(parent: Span, **more: Any) -> Span:
    """An inference below ``parent``."""
    return span("ChatOpenAI", parent, kind="LLM", **{**TOKENS, **more})


class TestDays:
    def test_a_day_is_read_again_when_its_spans_have_become_more(self, engine: Engine) -> None:
        database = engine.database()
        told: list[Problem] = []
        door = opened(engine, database, told)
        assert door.days({}) == ()
        told.clear()
        root = span("chain", kind="CHAIN")
        engine.insert(database, rows_of_spans([root]))
        days = door.days({})
        assert days == (int(root.started) // 86_400 * 86_400,)
        assert door.position()["days"] == {}
        door.count(days, PlainCounting())
        position = json.loads(json.dumps(door.position()))
        assert door.days(position) == ()
        assert door.position() == position
        engine.insert(database, rows_of_spans([call_of(root)]))
        assert door.days(position) == days
        assert not told

    def test_a_day_that_has_to_be_counted_again_has_more_than_was_remembered(self, engine: Engine) -> None:
        database = engine.database()
        told: list[Problem] = []
        door = opened(engine, database, told)
        engine.insert(database, rows_of_spans([span("chain", kind="CHAIN")]))
        days = door.days({})
        door.count(days, PlainCounting())
        again = json.loads(json.dumps(door.position(again=True)))
        assert door.days(again) == days
        door.count(days, PlainCounting())
        assert door.days(door.position()) == ()
        assert not told

    def test_a_day_that_lost_spans_stays_as_it_was_counted(self, engine: Engine) -> None:
        database = engine.database()
        told: list[Problem] = []
        door = opened(engine, database, told)
        root = span("chain", kind="CHAIN")
        engine.insert(database, rows_of_spans([root]))
        days = door.days({})
        position = {"attributes": names.VERSION, "days": {str(days[0]): 5}}
        assert door.days(position) == ()
        assert door.position() == position
        assert [(one.kind, one.title) for one in told] == [
            ("warning", "A day of spans has fewer than before")
        ]

    def test_a_position_of_another_table_of_attributes_is_none(self, engine: Engine) -> None:
        database = engine.database()
        engine.insert(database, rows_of_spans([span("chain", kind="CHAIN")]))
        door = opened(engine, database)
        days = door.days({})
        assert door.days({"attributes": names.VERSION - 1, "days": {str(days[0]): 1}}) == days

    def test_spans_from_the_future_are_left_out_and_said(self, engine: Engine) -> None:
        database = engine.database()
        told: list[Problem] = []
        door = opened(engine, database, told)
        near = span("chain", kind="CHAIN")
        far = near._replace(id="f" * 16, started=time.time() + 9 * 86_400)
        engine.insert(database, rows_of_spans([near, far]))
        days = door.days({})
        assert days == (int(near.started) // 86_400 * 86_400,)
        position = json.loads(json.dumps(door.position()))
        # The next run says it too, but fails no more.
        door.days(position)
        assert [(one.kind, one.title) for one in told] == [
            ("failure", "Spans from the future"),
            ("info", "Spans from the future"),
        ]
        assert door.counts.spans_in_future == 1

    def test_a_table_without_anything_to_read_is_said(self, engine: Engine) -> None:
        told: list[Problem] = []
        database = engine.database()
        assert opened(engine, database, told).days({}) == ()
        assert [(one.kind, one.title) for one in told] == [("warning", "Nothing to read")]
        assert database in told[0].context


def test_of_a_trace_with_too_many_spans_the_earliest_are_read_and_it_is_said(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("door", "day_answers", "traces"):
        monkeypatch.setattr(f"datahub_llmops.spans.doors.clickhouse.{module}.MAX_SPANS", 140)
    database = engine.database()
    root = span("chain", kind="CHAIN")
    below = [call_of(root) for _ in range(150)]
    engine.insert(database, rows_of_spans([*reversed(below), root]))
    told: list[Problem] = []
    counting = PlainCounting()
    door = opened(engine, database, told)
    door.count(door.days({}), counting)
    assert [len(one.models) for one in counting.answers] == [139]
    assert [(one.kind, one.title) for one in told] == [("failure", "Traces with too many spans")]
    assert door.counts.traces_cut == 1


@pytest.mark.parametrize(
    "output",
    [
        [{"id": "a", "page_content": None, "metadata": {"source": "kb/1"}}, {"id": "b", "page_content": "x"}],
        [{"id": None, "page_content": None, "metadata": {"source": "kb/1"}}],
        [
            json.dumps({"node": {"id_": None, "metadata": {"source": "kb/1"}}, "score": 0.5}),
            json.dumps({"node": {"id_": "b", "metadata": {}}, "score": 0.5}),
        ],
        [{"id": "a", "page_content": "x"}, {"id": "b", "text": "of something else"}],
    ],
)
def test_documents_of_which_something_is_null_are_those_of_a_file(engine: Engine, output: list[Any]) -> None:
    written = json.dumps(output)
    if output[0].__class__ is dict:
        written = json.dumps({"documents": output})
    retrieval = span("VectorStoreRetriever", kind="RETRIEVER", output__value=written)
    database = engine.database()
    engine.insert(database, rows_of_spans([retrieval]))
    picked = retrieval._replace(attributes=Selection().pick(retrieval.attributes))
    expected = ASSEMBLE([picked]).answers
    door = opened(engine, database)
    counting = PlainCounting()
    found = shown(door.count(door.days({}), counting))
    assert not differences(found, rolled_up(list(expected)))
    whole = ASSEMBLE(door.trace(retrieval.trace, None)).answers
    by_sums, of_one, of_file = (answers[0].retrievals[0] for answers in (counting.answers, whole, expected))
    for field in ("id", "source"):
        by_door = [
            sorted(repr(value) for chunk in one.chunks if (value := getattr(chunk, field)))
            for one in (by_sums, of_one, of_file)
        ]
        assert by_door == [by_door[-1]] * 3


class TestTrace:
    @pytest.mark.parametrize("with_time", [True, False])
    def test_it_has_all_spans_as_a_door_yields_them(self, engine: Engine, with_time: bool) -> None:
        recording = Recording("openinference-langchain/chroma")
        database = engine.database()
        engine.insert(database, rows_of_otlp(raw_lines(recording.name)))
        door = opened(engine, database)
        for trace, spans in recording.traces.items():
            at = datetime.fromtimestamp(spans[0].started, UTC) if with_time else None
            found = door.trace(trace, at)
            assert sorted(one.id for one in found) == sorted(one.id for one in spans)
            assert ASSEMBLE(found).answers == ASSEMBLE(spans).answers

    def test_an_answer_is_found_by_its_id(self, engine: Engine) -> None:
        recording = Recording("openinference-langchain/chroma")
        database = engine.database()
        engine.insert(database, rows_of_otlp(raw_lines(recording.name)))
        door = opened(engine, database)
        for trace, assembled in recording.assembled.items():
            for answer in assembled.answers:
                assert {one.trace for one in door.trace(answer.id, None)} == {trace}
        assert door.trace("0" * 32, None) == []
        assert door.trace("0" * 28, None) == []

    def test_no_content_leaves_the_engine(self, engine: Engine) -> None:
        of_each = {one.instrumentation: one for one in RECORDINGS}.values()
        database = engine.database()
        engine.insert(database, [row for one in of_each for row in rows_of_otlp(raw_lines(one.name))])
        engine.insert(database, rows_of_otlp(raw_lines("evaluations/rated")))
        door = opened(engine, database)
        for recording in of_each:
            with exchanges_of(door) as exchanged:
                assert "CANARY" not in repr(door.trace(next(iter(recording.traces)), None))
            assert exchanged
            assert contents_in(exchanged) == []


@pytest.mark.parametrize(
    "name",
    [
        "openinference-openai-langchain/qdrant",
        "openinference-openai-langchain/features",
        "mlflow-openai-langchain/chroma",
    ],
)
def test_what_a_framework_reports_in_another_trace_counts_once(engine: Engine, name: str) -> None:
    database = engine.database()
    engine.insert(database, rows_of_otlp(raw_lines(name)))
    door = opened(engine, database)
    found = shown(door.count(door.days({}), PlainCounting()))
    answers = [one for trace in Recording(name).assembled.values() for one in trace.answers]
    assert found["answers"] == len(Recording(name).expected["answers"])
    differ = differences(found, rolled_up([one for one in answers if not is_sdk(one)]))
    assert [one for one in differ if "/chunks: None != " not in one] == []
    others: dict[str, int] = {}
    for trace in Recording(name).assembled.values():
        for word, number in trace.others().items():
            others[word] = others.get(word, 0) + number
    apart = len(answers) - found["answers"]
    assert door.counts.others == {**others, REPEATED: others.get(REPEATED, 0) + apart}
