"""`llm-spans` over ClickHouse through DataHub's pipeline: what the files of the same spans give."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from datahub_llmops.cli.main import main
from datahub_llmops.spans.source import SpansSource
from datahub_llmops.testing.runs import failures, graph_of, report
from faults.matrix import LEAKS, SECRET
from spans.doors.clickhouse.engine import PASSWORD, Engine
from spans.doors.clickhouse.exporting import rows_of_otlp
from spans.recordings import Recording, raw_lines
from spans.test_source import ANY_AGE, CHROMA, DOCS, LOG, World

RECORDINGS = (CHROMA, Recording("openinference-langchain/features"))


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def config(engine: Engine, database: str, **more: Any) -> dict[str, Any]:
    """A recipe's options."""
    server = {"url": engine.url, "database": database, "user": "reader", "password": PASSWORD}
    return {"files": None, "clickhouse": {**server, **more}, "max_days": ANY_AGE}


@pytest.fixture
def database(engine: Engine) -> str:
    made = engine.database()
    for recording in RECORDINGS:
        engine.insert(made, rows_of_otlp(raw_lines(recording.name)))
    return made


def test_the_same_assets_edges_and_usage_as_from_files(world: World, engine: Engine, tmp_path: Path) -> None:
    database = engine.database()
    engine.insert(database, rows_of_otlp(raw_lines(CHROMA.name)))
    files, clickhouse = tmp_path / "by-files", tmp_path / "by-clickhouse"
    for folder in (files, clickhouse):
        folder.mkdir()
    world.record(CHROMA)
    stores = [world.chroma()]
    assert failures(world.run(catalog=files, stores=stores)) == []
    pipeline = world.run(catalog=clickhouse, stores=stores, **config(engine, database))
    assert failures(pipeline) == []
    assert graph_of(clickhouse).keys() == graph_of(files).keys()
    for name in ("dataJobInputOutput", "upstreamLineage"):
        ours, theirs = (
            {key: one for key, one in graph_of(folder).items() if key[1] == name}
            for folder in (clickhouse, files)
        )
        assert ours == theirs


def test_a_day_is_counted_again_only_if_it_has_anything_new(
    world: World, engine: Engine, database: str
) -> None:
    given = config(engine, database)
    first = report(world.run(stores=[world.chroma()], **given))
    assert first.answers > 2
    assert world.usage(LOG) == {"source=spans": first.answers}
    assert report(world.run(stores=[str(world.recipe)], **given)).days == 0
    engine.insert(database, rows_of_otlp(raw_lines("openllmetry-langchain/chroma")))
    again = report(world.run(stores=[str(world.recipe)], **given))
    assert again.answers == first.answers + 2
    assert world.usage(LOG) == {"source=spans": again.answers}


def test_one_trace_is_explained(world: World, engine: Engine, database: str) -> None:
    given = {**config(engine, database), "stores": [world.chroma()]}
    del given["files"]
    recipe = world.folder / "spans.dhub.yaml"
    recipe.write_text(json.dumps({"source": {"type": "llm-spans", "config": given}}))
    trace = CHROMA.expected["answers"][0]["traces"][0]
    shown = CliRunner().invoke(main, ["explain", trace, "--recipe", str(recipe), "--json"])
    found = json.loads(shown.output)
    assert {one["index"] for one in found["documents"]} == {DOCS}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"password": SECRET}, "Not allowed"),
        ({"url": "http://127.0.0.1:9", "retry_max_times": 0}, "Cannot reach"),
        ({"table": "no_such_table"}, "does not exist"),
    ],
)
def test_a_server_that_cannot_be_asked_fails_by_name(
    world: World, engine: Engine, database: str, change: dict[str, Any], says: str
) -> None:
    world.run(stores=[world.chroma()], **config(engine, database))
    before = graph_of(world.folder)
    given = config(engine, database, **change)
    pipeline = world.run(stores=[str(world.recipe)], **given)
    assert failures(pipeline)
    assert graph_of(world.folder) == before
    tested = SpansSource.test_connection({key: one for key, one in given.items() if one is not None})
    assert tested.basic_connectivity is not None
    assert says in str(tested.basic_connectivity.failure_reason)
    assert not LEAKS.search(report(pipeline).as_string() + str(tested.basic_connectivity.failure_reason))
