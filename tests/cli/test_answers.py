"""The command ``answers``: what one answer used, sums, prices, and what an application may not do to a terminal."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from langchain_core.documents import Document
from langchain_core.prompts import ChatPromptTemplate

import datahub_llmops.hooks as lineage
from datahub_llmops.cli import main
from datahub_llmops.hooks.names import clean_name
from datahub_llmops.mapping.edge_properties import key_proposal
from hooks.parts import Model, NamedEmbedding, Overloaded
from runs.world import TABLE, World

PRICES = {
    "currency": "EUR",
    "prices": [{"model": "openai/gpt-test-.*", "input": 2, "cached_input": 1, "output": 10}],
}
COST = (20 * 2 + 10 * 1 + 5 * 10) / 1_000_000


@pytest.fixture
def prices(tmp_path: Path) -> str:
    path = tmp_path / "prices.yaml"
    path.write_text(yaml.safe_dump(PRICES))
    return str(path)


def run(world: World, *arguments: str, code: int = 0) -> str:
    assert world.handle.flush(5)
    done = CliRunner().invoke(
        main.main, ["--catalog", str(world.catalog), *arguments, "--store", str(world.store)]
    )
    assert done.exit_code == code, done.output
    return str(done.output)


def rows(world: World, *arguments: str) -> dict[str, dict[str, Any]]:
    """What ``answers usage`` says, by what it adds up by."""
    found = json.loads(run(world, "answers", "usage", "--json", *arguments))
    return {next(iter(row.values())): row for row in found}


def test_an_answer_says_what_it_used(world: World, prices: str) -> None:
    world.ask()
    [found] = json.loads(run(world, "answers", "--json", "--prices", prices))
    assert found["tokens"] == {"input": 30, "cached": 10, "output": 5, "reasoning": 2}
    assert found["cost"] == pytest.approx(COST)
    assert (found["currency"], found["status"]) == ("EUR", "ok")
    assert found["milliseconds"] >= 0
    shown = run(world, "answers", "--prices", prices)
    assert "tokens 30 in, 10 of them cached, 5 out, 2 of them reasoning" in shown
    assert "0.000100 EUR" in shown
    assert "EUR" not in run(world, "answers")


def test_sums_by_one_thing_at_a_time(world: World, prices: str) -> None:
    world.ask()
    with lineage.application("other-bot", version="2"):
        world.ask()
        with pytest.raises(Overloaded):
            Model(fail=True).invoke("q")
    by_application = rows(world, "--prices", prices)
    assert {name: (row["calls"], row["errors"]) for name, row in by_application.items()} == {
        "support-bot": (1, 0),
        "other-bot": (2, 1),
    }
    assert by_application["other-bot"]["cost"] == pytest.approx(COST)
    assert rows(world, "--by", "version").keys() == {"support-bot 7", "other-bot 2"}
    models = rows(world, "--by", "model", "--prices", prices)
    assert models["openai/gpt-test-2026-01"]["tokens"]["input"] == 60
    assert models["openai/gpt-test"]["errors"] == 1
    assert rows(world, "--by", "prompt").keys() == {"support 3", "no prompt known"}
    assert len(rows(world, "--by", "day")) in (1, 2)
    assert rows(world, "--application", "other-bot").keys() == {"other-bot"}
    shown = run(world, "answers", "usage", "--by", "model", "--prices", prices)
    assert "openai/gpt-test-2026-01  2 calls  0 errors" in shown


def test_the_recipe_of_llm_runs_is_a_price_list(world: World, tmp_path: Path) -> None:
    recipe = tmp_path / "runs.dhub.yaml"
    recipe.write_text(yaml.safe_dump({"source": {"type": "llm-runs", "config": {"store": "x", **PRICES}}}))
    world.ask()
    assert rows(world, "--prices", str(recipe))["support-bot"]["currency"] == "EUR"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: [", "not YAML"),
        ("currency: EUR", "no `prices`"),
        ("prices: [{model: 'a(', input: 1, output: 1}]", "not a regular expression"),
        ("prices: [{model: a, input: -1, output: 1}]", "greater than or equal"),
        ("prices: [{model: a, input: 1, output: 1, cached: 3}]", "cached"),
        (None, "cannot be read"),
    ],
)
def test_prices_that_are_none_are_refused(
    world: World, tmp_path: Path, text: str | None, expected: str
) -> None:
    path = tmp_path / "bad.yaml"
    if text is not None:
        path.write_text(text)
    assert expected in run(world, "answers", "--prices", str(path), code=1)


EVIL = "evil\x1b[2J\x1b]0;owned\x07\u202edocs'; drop table answers; --"


def evil_answer(world: World) -> str:
    """An answer whose every name and key would steer a terminal."""
    document = Document("text", id=EVIL, metadata={"source": f"s3://kb/{EVIL}.md", "row_id": EVIL})
    with lineage.job(EVIL, source=None, key_field="row_id", stamp=True, flow=EVIL):
        world.chroma().add_documents([document])
    world.embedding = NamedEmbedding(size=8, model=EVIL)
    with lineage.application(EVIL, version=EVIL), lineage.answer() as a:
        world.chroma().as_retriever(name=EVIL).invoke("q")
        Model(model_name=EVIL).invoke("q")
    return a.id


def test_what_an_application_says_does_not_reach_the_terminal(world: World, tmp_path: Path) -> None:
    world.emit(key_proposal(TABLE))
    answer = evil_answer(world)
    out = tmp_path / "out.jsonl"
    for arguments in (
        ("answers",),
        ("answers", "--json"),
        ("answers", "usage"),
        ("answers", "usage", "--by", "version"),
        ("answers", "usage", "--by", "model"),
        ("explain", answer),
        ("explain", answer, "--json"),
        ("answers", "export", str(out)),
    ):
        shown = run(world, *arguments)
        assert not {"\x1b", "\x07", "\u202e"} & set(shown), arguments
    assert "evil\\x1b[2J" in run(world, "explain", answer)
    [exported] = [json.loads(line) for line in out.read_text("ascii").splitlines()]
    assert exported["application"] == clean_name(EVIL)
    assert "\x1b" not in out.read_text("ascii")
    assert json.loads(run(world, "answers", "--json"))[0]["id"] == answer  # The table is still there.


def test_it_does_not_after_a_run_into_the_catalog_either(world: World) -> None:
    answer = evil_answer(world)
    world.connector()
    world.runs()
    shown = run(world, "explain", answer)
    assert not {"\x1b", "\x07", "\u202e"} & set(shown)


def test_an_explanation_names_the_prompt_of_each_model_call(world: World) -> None:
    world.emit(key_proposal(TABLE))
    with lineage.answer() as a:
        prompt = ChatPromptTemplate.from_template("Say {a}")
        prompt.metadata = {"prompt_name": "say", "prompt_version": 2}
        Model().invoke(prompt.invoke({"a": "b"}))
        Model().invoke("no prompt")
    shown = run(world, "explain", a.id)
    assert "openai/gpt-test-2026-01, asked for openai/gpt-test, prompt say version 2, " in shown
    assert "openai/gpt-test-2026-01, asked for openai/gpt-test, prompt not known, " in shown
    models = json.loads(run(world, "explain", a.id, "--json"))["models"]
    assert [one["prompt"] for one in models] == [0, None]


def test_an_explanation_says_what_is_not_known(world: World) -> None:
    world.emit(key_proposal(TABLE))
    with lineage.answer() as a:
        pass
    headings = ("1. Prompt", "2. Documents", "3. Sources", "4. Jobs, owners, freshness", "5. Models")
    lines = [line.rstrip() for line in run(world, "explain", a.id).splitlines()]
    assert all(lines[lines.index(heading) + 1] == "  not known" for heading in headings)


def test_a_pasted_answer_is_found_by_the_whole_of_it(world: World) -> None:
    world.emit(key_proposal(TABLE))
    world.ask()
    newest = world.ask()
    found = json.loads(run(world, "explain", "--text", "forty two", "--json"))
    assert found["answer"]["id"] == newest
    assert found["gaps"][0].startswith("which of 2 answers with this text is meant: this is the newest")
    assert "this text" in run(world, "explain", "--text", "forty", code=1)
    assert world.handle.flush(5)
    piped = CliRunner().invoke(
        main.main,
        ["--catalog", str(world.catalog), "explain", "--text", "-", "--json", "--store", str(world.store)],
        input="forty two",
    )
    assert json.loads(piped.output)["answer"]["id"] == newest


def test_the_first_characters_of_an_id_are_enough_if_no_other_id_begins_so(world: World) -> None:
    world.emit(key_proposal(TABLE))
    first, second = world.ask(), world.ask()
    same = first[: next(at for at, letter in enumerate(first) if letter != second[at])]
    assert json.loads(run(world, "explain", first[: len(same) + 1], "--json"))["answer"]["id"] == first
    said = run(world, "explain", same, code=1)
    assert f"several answers begin with {same}: {second}, {first}; give more of the id" in said
    assert "no answer 02" in run(world, "explain", "02", code=1)


def test_times_are_in_utc_as_in_the_catalog(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.emit(key_proposal(TABLE))
    answer = world.ask()
    started = json.loads(run(world, "explain", answer, "--json"))["answer"]["started"]
    when = time.gmtime(started)
    # A zone in which it is another day.
    monkeypatch.setenv("TZ", "EAST-14" if when.tm_hour >= 10 else "WEST+12")
    time.tzset()
    try:
        shown = time.strftime("%Y-%m-%d %H:%M:%S UTC", when)
        assert f"  {shown}  " in run(world, "answers")
        assert f", {shown}, ok" in run(world, "explain", answer)
        assert list(rows(world, "--by", "day")) == [shown[:10]]
    finally:
        monkeypatch.delenv("TZ")
        time.tzset()


def test_the_store_holds_no_text_to_find_it_by(world: World) -> None:
    world.ask()
    assert world.handle.flush(5)
    whole = b"".join(path.read_bytes() for path in world.folder.glob("answers.db*"))
    assert b"forty two" not in whole


def rows_given(world: World) -> set[str]:
    """The rows by which the one answer is found."""
    listed = {f"row-{n}": json.loads(run(world, "answers", "--row", f"row-{n}", "--json")) for n in range(3)}
    assert {found["id"] for answers in listed.values() for found in answers} == set(world.ids)
    return {row for row, answers in listed.items() if answers}


def test_answers_are_found_by_a_row_that_they_were_given(world: World) -> None:
    world.index()
    world.connector()
    explained = json.loads(run(world, "explain", world.ask(), "--json"))
    assert rows_given(world) == {document["key"] for document in explained["documents"]}
    assert run(world, "answers", "--row", "row-9") == "No answers in this period were given this row.\n"


def test_a_row_is_found_by_its_digest_too(tmp_path: Path) -> None:
    handle = lineage.attach("support-bot", store=tmp_path / "answers.db", source_keys="hmac")
    world = World(tmp_path, handle, [], NamedEmbedding(size=8))
    world.index()
    world.ask()
    assert len(rows_given(world)) == 2
    handle.detach()


def test_documents_without_a_key_are_not_known_to_be_of_another_row(world: World) -> None:
    world.chroma().add_documents([Document("text", id="chunk-0")])
    world.ask()
    shown = run(world, "answers", "--row", "row-0")
    assert "Not known: 1 more answers" in shown
    assert "were given this row" in shown


def test_an_export_does_not_overwrite_a_file(world: World, tmp_path: Path) -> None:
    first, second = world.ask(), world.ask()
    out = tmp_path / "out.jsonl"
    run(world, "answers", "export", str(out))
    assert [json.loads(line)["id"] for line in out.read_text().splitlines()] == [first, second]
    assert "--force" in run(world, "answers", "export", str(out), code=1)
    run(world, "answers", "export", str(out), "--force")
    assert "cannot be written" in run(world, "answers", "export", str(tmp_path / "no" / "out"), code=1)


def test_an_export_does_not_overwrite_the_store(world: World) -> None:
    answer = world.ask()
    assert "is a database" in run(world, "answers", "export", str(world.store), "--force", code=1)
    assert answer in run(world, "answers")


def test_explain_takes_what_the_recipe_of_llm_runs_knows(world: World, tmp_path: Path) -> None:
    documents = [Document("text", id="a", metadata={"source": "kb/refunds"})]
    world.chroma().add_documents(documents)
    answer = world.ask()
    for instance in ("eu", "us"):
        path = str(world.folder / "chroma")
        world.ingest("llm-chroma", {"path": path, "platform_instance": instance}, state=False)
    doubtful = run(world, "explain", answer)
    assert "--recipe" in doubtful
    assert "eu.default_database.docs" in doubtful

    recipe = tmp_path / "runs.dhub.yaml"
    known = {
        "instances": [{"platform": "chroma", "platform_instance": "us"}],
        "source_rules": [
            {"match": "kb/(?P<t>.+)", "urn": "urn:li:dataset:(urn:li:dataPlatform:postgres,kb.{t},PROD)"}
        ],
    }
    recipe.write_text(yaml.safe_dump({"source": {"type": "llm-runs", "config": {"store": "x", **known}}}))
    found = json.loads(run(world, "explain", answer, "--recipe", str(recipe), "--json"))
    [document] = found["documents"]
    assert document["index"] == "urn:li:dataset:(urn:li:dataPlatform:chroma,us.default_database.docs,PROD)"
    assert document["source"] == "urn:li:dataset:(urn:li:dataPlatform:postgres,kb.refunds,PROD)"
    assert "may be" not in str(found["gaps"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("instances: [{at: x}]", "platform"),
        ("a: [", "not YAML"),
        (None, "cannot be read"),
        ("source: {type: llm-chroma, config: {path: x}}", "name one of llm-runs or of llm-spans"),
    ],
)
def test_a_recipe_that_cannot_be_read_is_refused(
    world: World, tmp_path: Path, text: str | None, expected: str
) -> None:
    path = tmp_path / "bad.yaml"
    if text is not None:
        path.write_text(text)
    assert expected in run(world, "explain", world.ask(), "--recipe", str(path), code=1)


def test_what_is_exported_is_its_owners_alone(world: World, tmp_path: Path) -> None:
    world.ask()
    out = tmp_path / "out.jsonl"
    run(world, "answers", "export", str(out))
    assert out.stat().st_mode & 0o777 == 0o600
    out.chmod(0o644)
    run(world, "answers", "export", str(out), "--force")
    assert out.stat().st_mode & 0o777 == 0o600
    assert len(out.read_text("ascii").splitlines()) == 1


@pytest.mark.parametrize("since", ["9" * 10 + "d", "9" * 5_000 + "s", "1e400d", "nan", "-5d", "9999-12-31"])
def test_a_length_of_time_that_is_none_is_a_usage_error(since: str, tmp_path: Path) -> None:
    done = CliRunner().invoke(main.main, ["answers", "--since", since, "--store", str(tmp_path / "a.db")])
    assert done.exit_code == 2
    assert "is not a length of time" in done.output
