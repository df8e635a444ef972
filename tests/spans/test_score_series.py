"""Scores on spans as assertions, series and last values of an answer log, through a real pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from datahub_llmops.catalog.local.catalog import LocalCatalog
from datahub_llmops.ingestion.applications import rollup
from datahub_llmops.spans import score_series
from datahub_llmops.testing.runs import assigned, failures, graph_of, outputs, report
from spans.doors.making import TODAY, as_line, call
from spans.test_scores import RATED
from spans.test_source import ANY_AGE, LOG, World

FAITHFUL = {"metric": "faithfulness", "at_least": 0.5}


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path)
    made.record(RATED)
    return made


def series(folder: Path) -> dict[str, Mapping[str, Any]]:
    with closing(LocalCatalog(folder / "catalog.db")) as catalog:
        return {one["metric"]: one for one in catalog.series(LOG, "llmScores", 0)}


def rated(path: Path, at: float, **attributes: Any) -> None:
    """Write a file with one answer that has a score."""
    given = {f"evaluation.{key}": value for key, value in attributes.items()}
    path.write_bytes(as_line([call(int(at), at=at, attributes=given)]))


def test_scores_become_a_series_and_the_last_ones_a_property(world: World) -> None:
    pipeline = world.run()
    assert failures(pipeline) == []
    found = series(world.folder)
    assert {name: (one["kind"], one["scores"], one.get("mean")) for name, one in found.items()} == {
        "faithfulness": ("numeric", 3, pytest.approx(0.4)),
        "tone": ("categorical", 3, None),
        "Relevance": ("numeric", 2, 4.0),
        "Content Safety": ("categorical", 3, None),
    }
    assert found["Relevance"]["failed"] == 2
    assert found["Content Safety"]["categories"] == [
        {"category": "allow", "count": 2},
        {"category": "deny", "count": 1},
    ]
    assert found["tone"]["partitionSpec"]["partition"] == "source=opentelemetry/tone/traffic/human"
    assert (report(pipeline).scores_read, report(pipeline).assertions) == (4, 0)
    assert 'Content Safety "allow" 2 of 3' in str(graph_of(world.folder)[LOG, "structuredProperties"])


def test_a_threshold_makes_an_assertion_with_its_runs(world: World) -> None:
    pipeline = world.run(evaluations={"thresholds": [FAITHFUL, {"metric": "tone", "at_least": 1}]})
    assert report(pipeline).assertions == 1
    assert [one.title for one in report(pipeline).warnings] == ["Threshold without effect"]
    graph = graph_of(world.folder)
    (info,) = [one for (_, name), one in graph.items() if name == "assertionInfo"]
    (event,) = [one for (_, name), one in graph.items() if name == "assertionRunEvent"]
    assert info["entityUrn"] == event["asserteeUrn"] == LOG
    assert (event["result"]["type"], event["result"]["rowCount"]) == ("FAILURE", 3)


def test_scores_can_be_chosen_and_left_out(world: World) -> None:
    assert report(world.run(evaluations=False)).scores_read == 0
    assert series(world.folder) == {}
    chosen = world.folder / "chosen"
    chosen.mkdir()
    world.run(catalog=chosen, evaluations={"metric_pattern": {"allow": ["tone"]}})
    assert series(chosen).keys() == {"tone"}


def test_a_day_that_is_counted_again_replaces_its_scores(tmp_path: Path) -> None:
    world = World(tmp_path)
    at = TODAY - 86_400.0 * 2
    rated(world.spans / "1.jsonl", at, name="tone", score=0.5)
    world.run()
    rated(world.spans / "2.jsonl", at + 60, name="tone", score=1.0)
    world.run()
    with closing(LocalCatalog(tmp_path / "catalog.db")) as catalog:
        (one,) = catalog.series(LOG, "llmScores", 0)
    assert (one["scores"], one["mean"]) == (2, 0.75)


def test_the_only_prompt_of_an_answer_is_scored_with_it(tmp_path: Path) -> None:
    world = World(tmp_path)
    one = {"gen_ai.prompt.name": "triage", "gen_ai.prompt.version": "3"}
    two = {"gen_ai.prompt.name": "tone", "gen_ai.prompt.version": "1"}
    scored = {"evaluation.name": "tone", "evaluation.score": 0.5}
    at = TODAY - 86_400.0
    first = [call(1, at=at, attributes={**one, **scored})]
    # Which of two prompts a score is about is not known.
    top = call(2, at=at + 60, attributes={**scored, "openinference.span.kind": "CHAIN"})
    both = [
        call(2, span=2 + place, parent=1, at=at + 61 + place, attributes=named)
        for place, named in enumerate((one, two))
    ]
    (world.spans / "1.jsonl").write_bytes(as_line(first) + as_line([top, *both]))
    world.run(evaluations={"thresholds": [{"metric": "tone", "at_least": 0.4, "prompt": "triage"}]})
    with closing(LocalCatalog(tmp_path / "catalog.db")) as catalog:
        found = {
            urn: [one["scores"] for one in catalog.series(urn, "llmScores", 0)]
            for urn in {urn for urn, _ in graph_of(tmp_path)}
            if urn == LOG or "triage" in urn or "tone" in urn
        }
    assert found.pop(LOG) == [2]
    (prompt,) = [urn for urn, counts in found.items() if counts]
    assert found[prompt] == [1]
    assert "triage.v3" in prompt
    assert assigned(tmp_path, prompt)["last_scores"] == "tone 0.5 of 1, passed"


def test_scores_of_an_old_day_do_not_become_the_last_ones(tmp_path: Path) -> None:
    world = World(tmp_path)
    rated(world.spans / "new.jsonl", TODAY - 86_400.0, name="tone", score=0.5)
    world.run()
    rated(world.spans / "old.jsonl", TODAY - 86_400.0 * 9, name="tone", score=1.0)
    world.run()
    assert assigned(tmp_path, LOG)["last_scores"] == "tone 0.5 of 1"


def test_labels_that_are_all_different_are_texts_and_stay_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(score_series, "MAX_CATEGORIES", 2)
    world = World(tmp_path)
    for number in range(3):
        rated(world.spans / f"{number}.jsonl", TODAY - 86_400.0 + number, name="tone", label=f"note {number}")
    world.run()
    found = series(tmp_path)["tone"]
    assert (found["scores"], found.get("categories")) == (3, None)
    assert "note" not in str(found)


def test_metrics_are_bounded_and_what_is_left_out_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rollup, "MAX_SERIES", 2)
    world = World(tmp_path)
    for number in range(5):
        rated(world.spans / f"{number}.jsonl", TODAY - 86_400.0 + number, name=f"m{number}", score=1.0)
    said = report(world.run())
    assert said.scores_read == 2
    assert [(one.title, list(one.context)) for one in said.warnings] == [("Too many metrics", ["3 scores"])]


def test_nothing_that_was_said_beside_a_score_leaves(world: World) -> None:
    target = world.folder / "out"
    target.mkdir()
    shown = outputs(target, "spans", {"files": str(world.spans), "max_days": ANY_AGE})
    assert any("faithfulness" in one for one in shown)
    assert not any("CANARY" in one for one in shown)
