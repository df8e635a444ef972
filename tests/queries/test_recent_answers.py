"""Answers that hooks recorded in a real application, traced back for a report."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from datahub_llmops.answer_store.keys import AnswerKey
from datahub_llmops.catalog.local.catalog import LocalCatalog
from datahub_llmops.cli.main import main
from datahub_llmops.errors import StoreError
from datahub_llmops.queries.recent_answers import RecentAnswers, read_recent_answers
from runs.conftest import world
from runs.world import INDEX, JOB, PROMPT, TABLE, World

__all__ = ["world"]


@pytest.fixture
def recorded(world: World) -> World:
    """Three answers, whose index and application are in the catalog."""
    world.index()
    for _ in range(3):
        world.ask()
    world.connector()
    world.runs()
    return world


def read(world: World, count: int = 10, inside: set[str] | None = None) -> RecentAnswers:
    assert world.handle.flush(5)
    with closing(LocalCatalog(world.catalog)) as catalog:
        return read_recent_answers(catalog, count, inside=inside, store=world.store)


def test_the_way_back_of_the_newest_answers(recorded: World) -> None:
    found = read(recorded, 2)
    assert [one.id for one in found.answers] == recorded.ids[:0:-1]
    assert found.notes == ()
    answer = found.answers[0]
    assert (answer.application, answer.urn, answer.version, answer.status) == ("support-bot", JOB, "7", "ok")
    assert [(one.urn, one.name, one.version) for one in answer.prompts] == [(PROMPT, "support", "3")]
    assert [(one.name, one.tokens_in, one.tokens_out) for one in answer.models] == [
        ("openai/gpt-test-2026-01", 30, 5)
    ]
    assert len(answer.documents) == 2
    assert {(one.index, one.source, one.rests_on) for one in answer.documents} == {(INDEX, TABLE, "row")}
    assert answer.indexes == (INDEX,)
    assert [(one.name, one.urn) for one in answer.jobs] == [
        ("embed articles", "urn:li:dataJob:(urn:li:dataFlow:(langchain,support-bot,PROD),embed articles)")
    ]
    assert answer.started is not None
    assert answer.started.endswith("Z")


def test_no_question_and_no_text_is_in_a_report(recorded: World, tmp_path: Path) -> None:
    assert recorded.handle.flush(5)
    for name in ("x.html", "x.md"):
        command = [
            "--catalog",
            str(recorded.catalog),
            "report",
            "--answers",
            "5",
            "--store",
            str(recorded.store),
        ]
        done = CliRunner().invoke(main, [*command, "--out", str(tmp_path / name)])
        assert done.exit_code == 0, done.output
        written = (tmp_path / name).read_text("utf-8")
        assert recorded.ids[0] in written
        for text in ("text 0", "row-0", "Use {context}", "{question}"):
            assert text not in written


def test_a_part_of_the_catalog_has_its_own_answers_only(recorded: World) -> None:
    assert len(read(recorded, inside={JOB}).answers) == 3
    assert len(read(recorded, inside={INDEX}).answers) == 3
    nothing = read(recorded, inside={TABLE})
    assert nothing.answers == ()
    assert nothing.notes == ("The answer store has no answer of an application or an index in this report.",)


def test_a_record_that_cannot_be_understood_is_counted(recorded: World) -> None:
    assert recorded.handle.flush(5)
    with closing(sqlite3.connect(recorded.store)) as db:
        db.execute("update answers set body = 'nonsense' where id = ?", (recorded.ids[0],))
        db.commit()
    found = read(recorded)
    assert [one.id for one in found.answers] == recorded.ids[:0:-1]
    assert found.notes == ("1 recorded answer cannot be understood and is left out.",)


def test_an_answer_of_another_framework_is_of_the_application_that_the_catalog_has(recorded: World) -> None:
    assert recorded.handle.flush(5)
    with closing(sqlite3.connect(recorded.store)) as db:
        db.execute(
            "update answers set body = json_set(body, ?, 'llama-index')", (f"$.{AnswerKey.FRAMEWORK}",)
        )
        db.commit()
    assert {one.urn for one in read(recorded).answers} == {JOB}
    assert len(read(recorded, inside={JOB}).answers) == 3


def test_a_store_that_is_not_there_is_an_error(recorded: World, tmp_path: Path) -> None:
    with (
        closing(LocalCatalog(recorded.catalog)) as catalog,
        pytest.raises(StoreError, match="no answer store"),
    ):
        read_recent_answers(catalog, 1, store=tmp_path / "none.db")
