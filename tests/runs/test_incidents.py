"""Queries embedded with another model than the index: one incident, raised and resolved by itself."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

import pytest

from datahub_llmops.runs.embedding_mismatch import SETTLED, Built, Mismatch, mismatch
from datahub_llmops.urns import embedding_mismatch
from runs.world import INDEX, RETRIEVER, World


def incident(world: World) -> Any:
    return world.aspect(embedding_mismatch(INDEX), "incidentInfo")


@pytest.fixture
def wrong(world: World) -> World:
    """An index whose queries are embedded with another model, which the catalog knows."""
    world.index()
    world.embedded_with("another")
    world.ask()
    world.long_ago(2 * SETTLED)
    world.runs()
    return world


def test_it_is_raised_on_the_index(wrong: World) -> None:
    info = incident(wrong)
    assert info["status"]["state"] == "ACTIVE"
    assert info["entities"] == [INDEX]
    assert "`another`" in info["description"]
    assert "`text-embedding-3-small`" in info["description"]


def test_it_is_not_raised_again_while_it_is_open(wrong: World) -> None:
    before = incident(wrong)
    wrong.ask()
    wrong.runs()
    assert incident(wrong) == before


def test_it_is_resolved_when_queries_use_the_model_of_the_index(wrong: World) -> None:
    wrong.embedded_with("text-embedding-3-small")
    wrong.ask()
    wrong.runs()
    info = incident(wrong)
    assert info["status"]["state"] == "RESOLVED"
    assert info["entities"] == [INDEX]
    wrong.embedded_with("another")
    wrong.ask()
    wrong.runs()
    assert incident(wrong)["status"]["state"] == "ACTIVE"


def test_it_is_resolved_when_the_index_is_built_anew_with_the_model_of_the_queries(wrong: World) -> None:
    wrong.index()
    wrong.ask()
    wrong.runs()
    assert incident(wrong)["status"]["state"] == "RESOLVED"


def test_right_and_wrong_queries_at_the_same_time_keep_it_open(wrong: World) -> None:
    wrong.ask()
    wrong.embedded_with("text-embedding-3-small")
    wrong.ask()
    wrong.runs()
    assert incident(wrong)["status"]["state"] == "ACTIVE"


def test_another_host_whose_queries_are_right_does_not_resolve_it(wrong: World) -> None:
    wrong.embedded_with("text-embedding-3-small")
    wrong.ask()
    assert wrong.handle.flush(10)
    with closing(sqlite3.connect(wrong.store)) as db:
        # A host keeps its own answers only.
        db.execute("delete from answers where seq = 1")
        db.execute("update answers set body = json_set(body, '$.h', 'elsewhere')")
        db.commit()
    wrong.runs()
    assert incident(wrong)["status"]["state"] == "ACTIVE"


def test_turned_off_there_is_none(world: World) -> None:
    world.index()
    world.embedded_with("another")
    world.ask()
    world.runs(incidents=False)
    assert incident(world) is None


def test_a_model_that_is_not_known_raises_none(world: World) -> None:
    world.ask()  # Nobody saw the index being built.
    world.runs()
    assert incident(world) is None


BUILT = Built(model="right", since=1_000.0)


@pytest.mark.parametrize(
    ("queried", "expected"),
    [
        pytest.param({("right", "a"): 2_000.0}, Mismatch(models=(), hosts=(), right_on=("a",)), id="right"),
        pytest.param(
            {("wrong", "a"): 2_000.0}, Mismatch(models=("wrong",), hosts=("a",), right_on=()), id="wrong"
        ),
        pytest.param(
            {("wrong", "a"): 900.0}, Mismatch(models=(), hosts=(), right_on=()), id="before-it-was-built"
        ),
        pytest.param(
            {("wrong", "a"): 2_000.0, ("right", "a"): 2_000.0 + SETTLED - 1},
            Mismatch(models=("wrong",), hosts=("a",), right_on=()),
            id="not-for-long-enough",
        ),
        pytest.param(
            {("wrong", "a"): 2_000.0, ("right", "a"): 2_000.0 + SETTLED},
            Mismatch(models=(), hosts=(), right_on=("a",)),
            id="over",
        ),
        pytest.param(
            {("wrong", "a"): 2_000.0, ("right", "b"): 9_000.0},
            Mismatch(models=("wrong",), hosts=("a",), right_on=("b",)),
            id="another-host",
        ),
    ],
)
def test_what_is_wrong_now(queried: dict[tuple[str, str], float], expected: Mismatch) -> None:
    assert mismatch(BUILT, queried) == expected


def test_the_retriever_says_which_model_embedded_the_newest_query(wrong: World) -> None:
    def model() -> str:
        stated: dict[str, str] = wrong.aspect(RETRIEVER, "datasetProperties")["customProperties"]
        return stated["query_embedding_model"]

    assert model() == "another"
    wrong.embedded_with("text-embedding-3-small")
    wrong.ask()
    wrong.runs()
    assert model() == "text-embedding-3-small"
