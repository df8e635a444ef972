"""`explain <trace id> --recipe spans.dhub.yaml`: one answer, read where its spans lie."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import zstandard
from click.testing import CliRunner, Result
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from datahub_llmops.answer_store.segments import SegmentName, dump_line
from datahub_llmops.cli.main import main
from datahub_llmops.spans.doors.objects import Object, Place
from datahub_llmops.testing.runs import run
from spans.test_source import ANY_AGE, CHROMA, DOCS, World, recorded, stamped

TRACE = CHROMA.expected["answers"][0]["traces"][0]


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Spans in a folder, the store in the catalog, and the recipe of both."""
    made = World(tmp_path)
    made.record(CHROMA)
    recipe(made, stores=[made.chroma()])
    run(tmp_path, "llm-chroma", {"path": str(tmp_path / "chroma")})
    return made


def recipe(world: World, **config: Any) -> None:
    options = {"files": str(world.spans), "max_days": ANY_AGE, **config}
    (world.folder / "spans.dhub.yaml").write_text(
        json.dumps({"source": {"type": "llm-spans", "config": options}})
    )


def explain(world: World, identity: str, *more: str) -> Result:
    where = ["--catalog", str(world.folder / "catalog.db"), "explain", identity]
    return CliRunner().invoke(main, [*where, "--recipe", str(world.folder / "spans.dhub.yaml"), *more])


def test_a_trace_is_explained_with_the_catalog(world: World) -> None:
    found = json.loads(explain(world, TRACE, "--json").output)
    assert found["answer"]["application"] == "support-bot"
    assert {one["index"] for one in found["documents"]} == {DOCS}
    assert [one["urn"] for one in found["indexes"]] == [DOCS]
    assert [one["served"] for one in found["models"]] == ["openai/gpt-4o-mini-2024-07-18"]
    # Spans do not show who wrote a chunk, and it is said.
    assert found["writers"] == []
    assert any("runs wrote the documents" in one for one in found["gaps"])
    shown = explain(world, TRACE)
    assert shown.exit_code == 0
    assert "CANARY" not in shown.output


def test_a_trace_is_found_by_the_id_that_mlflow_shows(world: World) -> None:
    found = json.loads(explain(world, f"tr-{TRACE}", "--json").output)
    assert found["answer"]["application"] == "support-bot"


def test_the_answer_is_found_by_its_own_id_too(world: World) -> None:
    answer = json.loads(explain(world, TRACE, "--json").output)["answer"]["id"]
    assert json.loads(explain(world, answer, "--json").output)["answer"]["id"] == answer


ANSWER = CHROMA.expected["answers"][0]["id"]


def seal_in_hour(world: World, answer: Any, host: str = "web-1", serial: str = "0") -> Path:
    """Seal an answer as `attach(segments=...)` does, below its application, day and hour."""
    name = SegmentName(
        application="support-bot", hour=int(answer.started) // 3600 * 3600, host=host, ulid=serial * 26
    )
    path = world.spans / name.path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(zstandard.compress(dump_line(answer)))
    return path


def test_an_answer_that_only_a_segment_has_is_explained(world: World) -> None:
    for path in world.spans.iterdir():
        path.unlink()
    kept = recorded(CHROMA.expected["answers"][0])
    seal_in_hour(world, replace(kept, status="unfinished"))
    seal_in_hour(world, kept, serial="1")  # Its newest state.
    found = json.loads(explain(world, ANSWER, "--json").output)
    assert (found["answer"]["id"], found["answer"]["status"]) == (ANSWER, "ok")
    assert [one["index"] for one in found["documents"]] == [DOCS] * 2
    assert [one["digest"] for one in found["prompts"]] == [kept.prompts[0]["digest"]]
    assert any("runs wrote the documents" in one for one in found["gaps"])


def test_a_trace_whose_answer_was_sealed_too_has_what_the_segment_has(world: World) -> None:
    path = next(world.spans.iterdir())
    stamped(path, "web-1")
    bare = json.loads(explain(world, TRACE, "--json").output)
    assert bare["prompts"] == []  # The template of a prompt without a name is text.
    answer = replace(recorded(CHROMA.expected["answers"][0]), id=bare["answer"]["id"])
    seal_in_hour(world, answer)
    found = json.loads(explain(world, TRACE, "--json").output)
    assert found["answer"]["id"] == answer.id
    assert [one["digest"] for one in found["prompts"]] == [answer.prompts[0]["digest"]]


def test_a_segment_that_cannot_be_read_is_a_gap(world: World) -> None:
    kept = recorded(CHROMA.expected["answers"][0])
    seal_in_hour(world, kept)
    broken = seal_in_hour(world, kept, host="web-2")
    broken.write_bytes(broken.read_bytes()[:-9])
    found = json.loads(explain(world, ANSWER, "--json").output)
    assert found["answer"]["id"] == ANSWER
    assert [one for one in found["gaps"] if "1 segments could not be read" in one and "web-2" in one]


def test_only_segments_of_the_hour_are_opened(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = recorded(CHROMA.expected["answers"][0])
    seal_in_hour(world, kept)
    for hours in range(2, 40):
        seal_in_hour(world, replace(kept, started=kept.started - hours * 3600), host="web-2")
    opened: list[str] = []
    original = Place.open

    def counted(place: Place, one: Object) -> Any:
        opened.append(one.name)
        return original(place, one)

    monkeypatch.setattr(Place, "open", counted)
    assert explain(world, ANSWER).exit_code == 0
    assert len(opened) == 1


def test_an_index_that_is_not_known_is_a_gap_with_its_reason(world: World) -> None:
    recipe(world)
    found = json.loads(explain(world, TRACE, "--json").output)
    assert {one["index"] for one in found["documents"]} == {None}
    assert any("no store may be asked" in one for one in found["gaps"])


def test_an_object_that_cannot_be_read_is_a_gap(world: World) -> None:
    recipe(world)
    (world.spans / "README.md").write_text("Traces of the support bot\n")
    gaps = json.loads(explain(world, TRACE, "--json").output)["gaps"]
    assert [one for one in gaps if one.startswith("whether the trace is whole: 1 objects could not be read")]


def test_a_trace_that_is_not_there_says_what_to_look_at(world: World) -> None:
    missing = explain(world, "f" * 32)
    assert missing.exit_code == 1
    assert "--at" in missing.output


def test_a_trace_of_several_answers_lists_them(world: World) -> None:
    path = world.record(CHROMA)
    request = ExportTraceServiceRequest.FromString(path.read_bytes())
    for resource in request.resource_spans:
        for scope in resource.scope_spans:
            for span in scope.spans:
                span.trace_id = bytes.fromhex(TRACE)
    path.write_bytes(request.SerializeToString())
    listed = explain(world, TRACE)
    assert listed.exit_code == 1
    assert "the trace has 2 answers" in listed.output
    chosen = listed.output.partition("answers: ")[2].split(" ")[0]
    assert json.loads(explain(world, chosen, "--json").output)["answer"]["id"] == chosen


def test_options_that_do_not_go_together(world: World) -> None:
    assert "instead of an answer store (--store)" in explain(world, TRACE, "--store", "x.db").output
    bare = CliRunner().invoke(main, ["explain", TRACE, "--at", "2026-11-30T12:00"])
    assert "(--at) goes with a recipe of llm-spans" in bare.output


def test_a_recipe_that_cannot_be_used_says_so_without_its_values(world: World) -> None:
    path = world.folder / "spans.dhub.yaml"
    path.write_text(
        json.dumps({"source": {"type": "llm-spans", "config": {"files": 3, "storage": "CANARY"}}})
    )
    refused = explain(world, TRACE)
    assert refused.exit_code == 1
    assert "CANARY" not in refused.output
