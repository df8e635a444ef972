"""Errors of the server, by its engine where it makes them, and what a statement may never do."""

from __future__ import annotations

import logging
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest

from datahub_llmops.errors import (
    ConnectorError,
    DeniedError,
    TooLargeError,
    UnreachableError,
    UnreadableError,
)
from datahub_llmops.spans.doors.clickhouse.client import ClickHouse, Statement
from datahub_llmops.spans.doors.clickhouse.options import ClickHouseOptions
from datahub_llmops.spans.doors.clickhouse.table import check_names
from datahub_llmops.spans.doors.door import Problem
from spans.doors.clickhouse.engine import PASSWORD, Engine
from spans.doors.clickhouse.exporting import PlainCounting, rows_of_spans
from spans.doors.clickhouse.test_door import call_of, opened
from spans.world import span
from support.stub import Reply, Stub

QUICK = Statement(text="SELECT 1, 'a'")


def ask(options: ClickHouseOptions, statement: Statement = QUICK) -> Any:
    with closing(ClickHouse(options)) as client:
        return client.rows(statement)


def test_values_are_bound(engine: Engine) -> None:
    value = "it's {x} \\ \t\n` é"
    statement = Statement(text="SELECT {v:String}, {n:Int64} + 1", values={"v": value, "n": 2**40})
    ((text, number),) = ask(engine.options("default"), statement)
    assert (text, int(number)) == (value, 2**40 + 1)


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"password": "wrong"}, DeniedError, "user or password are wrong"),
        ({"user": "nobody"}, DeniedError, "Grant SELECT"),
        ({"database": "absent"}, UnreachableError, "database does not exist"),
        ({"table": "absent"}, UnreachableError, "table does not exist"),
        ({"columns": {"SpanName": "absent"}}, UnreachableError, "no column SpanName"),
        ({"table": "other"}, UnreachableError, "is not a table of the collector's clickhouseexporter"),
    ],
)
def test_what_is_wrong_is_said_with_what_to_do(
    engine: Engine, given: dict[str, Any], error: type[ConnectorError], words: str
) -> None:
    database = engine.database()
    engine.command(f"CREATE TABLE {database}.other (Timestamp DateTime64(9)) ENGINE = Memory")
    door = opened(engine, database)
    door._client.close()
    options = engine.options(**{"database": database, **given})
    door = opened(engine, database, **{key: getattr(options, key) for key in given if key != "database"})
    if "database" in given:
        door._options = options
        door._client = ClickHouse(options)
    with pytest.raises(error, match=words) as caught:
        door.check()
    assert PASSWORD not in str(caught.value)
    with pytest.raises(error):
        door.days({})


def test_a_user_that_may_change_no_settings_reads(engine: Engine) -> None:
    database = engine.database()
    engine.insert(database, rows_of_spans([root := span("chain", kind="CHAIN"), call_of(root)]))
    door = opened(engine, database, user="bound")
    assert door.count(door.days({}), PlainCounting()).answers == 1


def test_statements_are_read_only_and_bounded() -> None:
    with Stub(lambda call: Reply(body=b'{"data": [[1]]}')) as stub:
        ask(ClickHouseOptions(url=stub.url, user="u", password=PASSWORD, timeout_sec=100.0))
        (call,) = stub.calls
    assert call.query["readonly"] == ["2"]
    assert call.query["max_execution_time"] == ["90"]
    assert call.query["query_id"][0].startswith("datahub-llmops-")
    assert (call.headers["X-Clickhouse-User"], call.headers["X-Clickhouse-Key"]) == ("u", PASSWORD)
    assert PASSWORD not in repr(call.query)


def test_the_engine_stops_a_statement_that_takes_too_long(engine: Engine) -> None:
    options = engine.options("default", retry_max_times=0)
    slow = Statement(
        text="SELECT count() FROM numbers(1000000000000) WHERE sipHash64(number) = 1 SETTINGS max_execution_time = 1"
    )
    with pytest.raises(TooLargeError, match="Raise `timeout_sec`"):
        ask(options, slow)


@pytest.mark.parametrize(
    ("reply", "error", "words"),
    [
        (
            Reply(body=b"<html>Sign in</html>", headers={"Content-Type": "text/html"}),
            UnreachableError,
            "web page",
        ),
        (Reply(body=b'{"data": [[1], [2'), UnreadableError, "not answered with JSON"),
        (
            Reply(body=b'{"data": [[1]], "exception": "Code: 159. DB::Exception: secret"}'),
            TooLargeError,
            "timeout_sec",
        ),
        (Reply(body=b'{"data": 1}'), UnreadableError, "does not look like"),
        (Reply(status=500, body=b"Code: 241. DB::Exception: secret"), TooLargeError, "max_memory_usage"),
        (Reply(status=500, body=b"secret"), UnreadableError, "answered 500"),
        (Reply(status=404, body=b"Code: 36. DB::Exception: secret"), UnreadableError, "code 36"),
    ],
)
def test_answers_that_are_none(reply: Reply, error: type[ConnectorError], words: str) -> None:
    with Stub(lambda call: reply) as stub, pytest.raises(error, match=words) as caught:
        ask(ClickHouseOptions(url=stub.url, password=PASSWORD, retry_max_times=0))
    assert "secret" not in str(caught.value)
    assert PASSWORD not in str(caught.value)


def test_a_stream_that_breaks_off_is_asked_again_and_then_an_error() -> None:
    with Stub(lambda call: Reply(body=b'{"data": [[1]]}')) as stub:
        stub.fail("half", times=1)
        assert ask(ClickHouseOptions(url=stub.url)) == [[1]]
        stub.fail("half")
        with pytest.raises(UnreadableError):
            ask(ClickHouseOptions(url=stub.url, retry_max_times=1))


def test_a_day_that_cannot_be_read_is_a_failure_and_left_out(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    database = engine.database()
    first = span("chain", kind="CHAIN", input__value="CANARY")
    other = span("chain", kind="CHAIN")
    other = other._replace(trace="b" * 32, started=other.started + 5 * 86_400, ended=other.ended + 5 * 86_400)
    later = call_of(other)._replace(trace="b" * 32, started=other.started, ended=other.ended)
    engine.insert(database, rows_of_spans([first, call_of(first), other, later]))
    told: list[Problem] = []
    door = opened(engine, database, told)
    days = door.days({})
    rows = door._client.rows
    broken = str(days[0] * 10**9)

    def fail(statement: Statement) -> Any:
        if broken in statement.text:
            raise UnreadableError("ClickHouse at x: POST / failed.")
        return rows(statement)

    monkeypatch.setattr(door._client, "rows", fail)
    with caplog.at_level(logging.DEBUG):
        found = door.count(days, PlainCounting())
    assert found.answers == 1
    assert {day for _, day, _ in found.whole} == {days[1]}
    assert [(one.kind, one.days) for one in told] == [("failure", (days[0],))]
    assert list(door.position()["days"]) == [str(days[1])]
    assert "CANARY" not in caplog.text
    assert PASSWORD not in repr(engine.options(database)) + caplog.text


def test_attributes_of_ten_megabytes(engine: Engine) -> None:
    database = engine.database()
    root = span("chain", kind="CHAIN", input__value="x" * 10_000_000, agent__name="y" * 10_000)
    engine.insert(database, rows_of_spans([root, call_of(root)]))
    door = opened(engine, database)
    assert door.count(door.days({}), PlainCounting()).answers == 1
    (seen,) = [one for one in door.trace(root.trace, None) if one.id == root.id]
    assert len(repr(seen)) < 1_000


def test_a_table_of_an_older_exporter(engine: Engine) -> None:
    database = engine.database()
    engine.command(
        f"CREATE TABLE {database}.old (ts DateTime64(6), TraceId String, SpanId String, ParentSpanId String, "
        "SpanName String, ServiceName String, ResourceAttributes Map(String, String), "
        "SpanAttributes Map(String, String), Duration Int64, StatusCode String) ENGINE = MergeTree ORDER BY ts"
    )
    root = span("chain", kind="CHAIN", error="error")
    rows = [
        {
            **{
                key: value
                for key, value in row.items()
                if key not in ("Timestamp", "TraceState", "ScopeName")
            },
            "ts": row["Timestamp"],
            "StatusCode": {"Error": "STATUS_CODE_ERROR"}.get(row["StatusCode"], "STATUS_CODE_UNSET"),
        }
        for row in rows_of_spans([root, call_of(root)])
    ]
    engine.insert(database, rows, "old")
    door = opened(engine, database, table="old", columns={"Timestamp": "ts"})
    found = door.count(door.days({}), PlainCounting())
    assert found.answers == 1
    (total,) = found.whole.values()
    assert (total.errors, total.tokens) == (1.0, {"input": 10.0, "output": 5.0})


def test_names_of_columns_are_checked() -> None:
    assert check_names({"SpanName": "name"}) is None
    assert "is not a column of the exporter" in str(check_names({"Name": "name"}))
    assert "cannot be the name of a column" in str(check_names({"SpanName": "a\nb"}))


def test_options_hide_the_password() -> None:
    assert PASSWORD not in repr(replace(ClickHouseOptions(url="http://x"), password=PASSWORD))
