"""Whatever goes wrong with `llm-spans`, nothing is lost, the message says what to do, and no secret is told."""

from __future__ import annotations

import json
import logging
import re
import shutil
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from datahub.ingestion.api.common import PipelineContext
from pydantic import ValidationError

from datahub_llmops.spans.config import ApplicationConfig, SpansConfig
from datahub_llmops.spans.memory import FORMAT, SpansState
from datahub_llmops.spans.source import SpansSource, place_of
from datahub_llmops.testing.runs import failures, graph_of, report
from faults.matrix import LEAKS, NEXT_STEP, SECRET, as_nobody
from spans.recordings import Recording
from spans.test_source import CHROMA, JOB, LOG, World, stamped

FEATURES = Recording("openinference-langchain/features")
NEXT = re.compile(f"{NEXT_STEP.pattern}|Keep|Repair|Correct", re.IGNORECASE)
OLD = "urn:li:dataset:(urn:li:dataPlatform:chroma,default_database.old,PROD)"


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Spans that were counted, and more that come."""
    made = World(tmp_path)
    made.record(CHROMA)
    assert failures(made.run(stores=[made.chroma()])) == []
    made.record(FEATURES, "later.pb")
    return made


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def garble(path: Path) -> None:
    path.write_bytes(b"these are no spans\n" * 500)


def away(path: Path) -> None:
    path.rename(path.with_name("away"))


def refuse(world: World) -> None:
    """A server that nobody runs, with secrets in its recipe."""
    config = {"url": f"http://user:{SECRET}@127.0.0.1:9", "token": SECRET, "retry_max_times": 0}
    recipe = {"source": {"type": "llm-chroma", "config": config}}
    (world.folder / "refuses.dhub.yaml").write_text(json.dumps(recipe))


EARLIER = "openinference-langchain-chroma.pb"
FAULTS: dict[str, tuple[Callable[[World], None], Callable[[World], dict[str, Any]]]] = {
    "a new object is truncated": (lambda world: truncate(world.spans / "later.pb"), lambda world: {}),
    "a new object is garbage": (lambda world: garble(world.spans / "later.pb"), lambda world: {}),
    "an earlier object is gone": (lambda world: (world.spans / EARLIER).unlink(), lambda world: {}),
    "a store is gone": (lambda world: away(world.folder / "chroma"), lambda world: {}),
    "a recipe of a store is gone": (
        lambda world: None,
        lambda world: {"stores": [str(world.folder / "gone.dhub.yaml")]},
    ),
    "a store refuses": (refuse, lambda world: {"stores": [str(world.folder / "refuses.dhub.yaml")]}),
    "no such file system": (lambda world: None, lambda world: {"files": "nonsense://bucket/x"}),
}
"""What goes wrong beside the cells of the fault matrix, and what the recipe says then."""


@pytest.mark.parametrize("fault", FAULTS)
def test_nothing_is_lost_and_the_message_says_what_to_do(
    world: World, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    before = graph_of(world.folder)
    harm, change = FAULTS[fault]
    harm(world)
    caplog.set_level(logging.DEBUG)
    pipeline = world.run(**{"stores": [str(world.recipe)], **change(world)})
    messages = failures(pipeline)
    assert messages, "no failure"
    said = report(pipeline)
    for entry in said.failures:
        assert NEXT.search(f"{entry.title}: {entry.message} {entry.context}"), entry
    assert said.understood_less
    after = graph_of(world.folder)
    kept = {key for key in before if key[1] in ("status", "upstreamLineage")}
    assert {key: after.get(key) for key in kept} == {key: before[key] for key in kept}
    edges = {one["destinationUrn"] for one in before[JOB, "dataJobInputOutput"]["inputDatasetEdges"]}
    now = {one["destinationUrn"] for one in after[JOB, "dataJobInputOutput"]["inputDatasetEdges"]}
    assert edges <= now
    told = (
        caplog.text + said.as_string() + (world.folder / "catalog.db").read_bytes().decode("utf-8", "replace")
    )
    assert not LEAKS.search(told)
    assert "CANARY" not in told


def test_what_our_user_may_not_read_is_a_failure_by_name(world: World) -> None:
    place = Path(tempfile.mkdtemp(dir="/tmp"))
    shutil.copytree(world.folder, place, dirs_exist_ok=True)
    for path in (place, *place.rglob("*")):
        path.chmod(0o777)
    (place / "spans" / "later.pb").chmod(0)
    with as_nobody():
        pipeline = world.run(catalog=place, files=str(place / "spans"))
    shutil.rmtree(place)
    assert any("later.pb" in one for one in failures(pipeline))


def test_the_next_run_reads_what_was_missed(world: World) -> None:
    whole = (world.spans / "later.pb").read_bytes()
    truncate(world.spans / "later.pb")
    world.run(stores=[str(world.recipe)])
    (world.spans / "later.pb").write_bytes(whole)
    pipeline = world.run(stores=[str(world.recipe)])
    assert failures(pipeline) == []
    answers = sum(len(one.answers) for made in (CHROMA, FEATURES) for one in made.assembled.values())
    assert sum(world.usage(LOG).values()) == answers


@pytest.mark.parametrize(
    "config",
    [
        {"files": "x", "storage": {"secret": SECRET}, "max_days": "planted-many"},
        {"clickhouse": {"url": 3, "password": SECRET}},
        {"clickhouse": {"url": "http://x", "password": {"planted-secret": SECRET}}},
        {"files": "x", "data_source_ids": {"kb": SECRET}},
        {"files": "x", "clickhouse": {"url": "http://x", "password": SECRET}},
    ],
)
def test_a_recipe_that_is_not_valid_does_not_tell_its_secrets(config: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as refused:
        SpansConfig.model_validate(config)
    assert not LEAKS.search(str(refused.value))
    tested = SpansSource.test_connection(config)
    assert not LEAKS.search(str(tested.internal_failure_reason))


def test_the_position_of_another_place_says_nothing_of_this_one() -> None:
    here = SpansConfig(files="s3://a/**")
    assert place_of(here) != place_of(SpansConfig(files="s3://b/**"))
    assert place_of(here) != place_of(
        SpansConfig(files="s3://a/**", application=ApplicationConfig(attribute="app"))
    )
    state = SpansState(format=FORMAT, place=place_of(here))
    assert not state.is_outdated(place_of(here), typed=False)
    assert state.is_outdated("another", typed=False)
    assert state.is_outdated(place_of(here), typed=True)


class TestAnEdgeThatNoSpanShows:
    """An edge to an index that was seen last long ago, by spans."""

    @pytest.fixture
    def old(self, world: World, monkeypatch: pytest.MonkeyPatch) -> World:
        """The index was called otherwise until two months ago."""
        moved = datetime.now(UTC) + timedelta(days=60)
        (world.spans / "later.pb").unlink()
        world.record(CHROMA, "again.pb")
        self.later(monkeypatch, moved)
        return world

    @staticmethod
    def later(monkeypatch: pytest.MonkeyPatch, now: datetime) -> None:
        made = SpansSource.__init__

        def begin(self: SpansSource, config: SpansConfig, ctx: PipelineContext) -> None:
            made(self, config, ctx)
            self.now = now

        monkeypatch.setattr(SpansSource, "__init__", begin)

    def test_is_retired_by_runs_that_understood_everything(self, old: World) -> None:
        assert old.indexes()
        old.run(indexes=[{"urn": OLD}])
        assert old.indexes() == {}

    def test_stays_after_a_failure(self, old: World) -> None:
        garble(old.spans / "broken.pb")
        pipeline = old.run(indexes=[{"urn": OLD}])
        assert failures(pipeline)
        assert old.indexes()

    def test_stays_while_one_run_of_the_month_did_not_understand(
        self, old: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        garble(old.spans / "broken.pb")
        old.run(indexes=[{"urn": OLD}])
        (old.spans / "broken.pb").unlink()
        old.record(CHROMA, "third.pb")
        assert failures(old.run(indexes=[{"urn": OLD}])) == []
        assert old.indexes()


def test_a_damaged_stamp_is_no_reason_to_fail(world: World) -> None:
    stamped(world.spans / "later.pb", "")
    assert failures(world.run(stores=[str(world.recipe)])) == []
