"""Recipes as they are found, read and tried: each says what keeps it from running."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from datahub_llmops.setup.diagnosis import Diagnosis
from datahub_llmops.setup.recipes import Recipe, examine_recipes, find_recipes, read_recipes
from support.stub import Stub, refused_url

SECRET = "planted-key-5ec7e7"


def put(file: Path, kind: str = "llm-chroma", sink: dict[str, Any] | None = None, **config: Any) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    recipe = {"source": {"type": kind, "config": config}, **({"sink": sink} if sink else {})}
    file.write_text(yaml.safe_dump(recipe), "utf-8")
    return file


def read(path: Path, **variables: str) -> Recipe:
    (found,) = read_recipes([path], variables)
    return found


def examined(path: Path, deadline: float = 20, **variables: str) -> list[Diagnosis]:
    found = examine_recipes([read(path, **variables)], deadline)
    assert SECRET not in str(found)
    return found


def test_recipes_are_found_below_the_folder(tmp_path: Path) -> None:
    wanted = [
        put(tmp_path / "a" / "b" / "kb.dhub.yaml"),
        put(tmp_path / "chroma.dhub.yaml"),
        put(tmp_path / "recipes" / "plain.yml"),
        put(tmp_path / "recipes" / "x.dhub.yaml"),
    ]
    broken = tmp_path / "recipes" / "broken.yaml"
    broken.write_text("source: {")
    put(tmp_path / "other.yaml")
    for hidden in (".venv", "node_modules", "a/b/c/d/e"):
        put(tmp_path / hidden / "deep.dhub.yaml")
    (tmp_path / "recipes" / "policy.yaml").write_text("grace_hours: 24")
    os.mkfifo(tmp_path / "pipe.dhub.yaml")
    (tmp_path / "loop").symlink_to(tmp_path)
    assert find_recipes(tmp_path) == sorted([*wanted, broken])
    assert find_recipes(tmp_path / "nothing") == []


def test_no_recipe_is_left_out_however_many_there_are(tmp_path: Path) -> None:
    wanted = [put(tmp_path / "recipes" / f"{number:03}.dhub.yaml") for number in range(201)]
    assert find_recipes(tmp_path) == wanted


def test_a_recipe_says_what_it_reads_and_writes(tmp_path: Path) -> None:
    local = {"type": "llm-local", "config": {"path": "./c.db"}}
    state = {"enabled": True, "state_provider": {"type": "llm-local", "config": {"path": "./state.db"}}}
    found = read(put(tmp_path / "a.yaml", sink=local, catalog="./read.db", stateful_ingestion=state))
    assert found.catalogs == ("./c.db", "./state.db", "./read.db")
    assert (found.server, found.store) == (None, None)
    rest = {"type": "datahub-rest", "config": {"server": "http://gms:8080", "token": "${T}"}}
    found = read(
        put(tmp_path / "b.yaml", "llm-runs", rest, store="./answers.db", catalog="http://gms:8080"), T=SECRET
    )
    assert found.catalogs == ()
    assert (found.server, found.store) == (("http://gms:8080", SECRET), "./answers.db")


def test_a_recipe_without_a_sink_writes_to_the_server_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATAHUB_GMS_URL", "http://gms:8080")
    assert read(put(tmp_path / "a.yaml")).server == ("http://gms:8080", None)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"source: {{password: {SECRET}", "This is not YAML"),
        ("config: {}", "it has no `source`"),
        ("source: {type: llm-chroma, config: {url: '${X'}}", "write variables as ${NAME}"),
    ],
)
def test_what_cannot_be_read_is_not_ok(text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(text)
    (found,) = examined(path)
    assert (found.verdict, found.name) == ("not ok", str(path))
    assert words in found.message
    assert found.to_do


def test_a_file_that_is_not_there_and_a_pipe(tmp_path: Path) -> None:
    (found,) = examined(tmp_path / "none.yaml")
    assert (found.verdict, found.message) == ("not ok", "There is no such file.")
    assert found.to_do == "Name a recipe that exists."
    os.mkfifo(tmp_path / "pipe.yaml")
    (found,) = examined(tmp_path / "pipe.yaml")
    assert found.verdict == "not ok"


def test_variables_that_are_not_set_are_named(tmp_path: Path) -> None:
    path = put(tmp_path / "a.yaml", url="${CHROMA_URL}", token="${CHROMA_TOKEN}")
    (found,) = examined(path, CHROMA_TOKEN=SECRET)
    assert (found.verdict, found.message) == ("not ok", "Variables that it names are not set: CHROMA_URL.")


SHOP = {"type": "llm-local", "config": {"path": "shop.db"}}


@pytest.mark.parametrize(
    ("sink", "name", "state", "message"),
    [
        ({"type": "llm-locale"}, "shop", None, "There is no sink 'llm-locale'."),
        (
            {"type": "llm-local", "config": {"pth": "shop.db"}},
            "shop",
            None,
            "The sink llm-local is not valid: there is no option pth; did you mean path?",
        ),
        (SHOP, None, SHOP, "Stale removal is on, and needs a `pipeline_name`."),
        (
            SHOP,
            "shop",
            None,
            "Stale removal is on, and would keep its state on a server, which the recipe does not name.",
        ),
        (SHOP, "shop", SHOP, None),
        ({"type": "datahub-rest", "config": {"server": "http://localhost:8080"}}, "shop", None, None),
    ],
)
def test_what_would_keep_a_run_from_beginning_is_not_ok(
    tmp_path: Path,
    chroma_folder: Path,
    sink: dict[str, Any],
    name: str | None,
    state: dict[str, Any] | None,
    message: str | None,
) -> None:
    stateful = {"enabled": "pth" not in str(sink) and sink["type"] != "llm-locale", "state_provider": state}
    path = put(tmp_path / "a.yaml", sink=sink, path=str(chroma_folder), stateful_ingestion=stateful)
    path.write_text(path.read_text("utf-8") + (f"pipeline_name: {name}\n" if name else ""), "utf-8")
    *wrong, tested = examined(path)
    assert tested.verdict == "ok"
    assert [(one.verdict, one.message, bool(one.to_do)) for one in wrong] == (
        [("not ok", message, True)] if message else []
    )


def test_missing_packages_are_named_even_without_the_variables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("datahub_llmops.setup.recipes.missing_packages", lambda extra: ("psycopg",))
    _, found = examined(put(tmp_path / "a.yaml", "llm-pgvector", connection="${PG}"))
    assert found.message == "Packages that llm-pgvector needs are missing: psycopg."
    assert found.to_do == "pip install 'datahub-llmops[pgvector]'"


@pytest.mark.engine
def test_connections_are_told_apart(tmp_path: Path, qdrant_server: Stub, chroma_folder: Path) -> None:
    qdrant_server.fail("403", when=lambda call: call.path != "/")
    with refused_url() as nobody:
        recipes = [
            put(tmp_path / "a.yaml", "llm-qdrant", url=qdrant_server.url, api_key=SECRET),
            put(tmp_path / "b.yaml", path=str(chroma_folder)),
            put(tmp_path / "c.yaml", url=nobody, retry_max_times=0),
            put(tmp_path / "d.yaml", "llm-chrome"),
            put(tmp_path / "e.yaml", "llm-runs", store="./answers.db"),
            put(tmp_path / "f.yaml", "csv-enricher", filename="x.csv"),
        ]
        found = examine_recipes(read_recipes(recipes, {}), 20)
    assert [one.name for one in found] == [str(path) for path in recipes]
    assert [one.verdict for one in found] == ["not ok", "ok", "not ok", "not ok", "not ok", "not known"]
    assert found[0].message.startswith("llm-qdrant: Not allowed: Qdrant at ")
    assert found[1].message == "llm-chroma: Works, sees 7 collections."
    assert found[2].message.startswith("llm-chroma: Cannot reach: Chroma at ")
    assert found[3].message.startswith("llm-chrome: There is no source 'llm-chrome'")
    assert found[5].to_do == f"Run it: datahub ingest -c {recipes[5]}"
    assert found[4].message.startswith("llm-runs: Cannot read: no answer store at ")
    assert SECRET not in str(found)


@pytest.mark.engine
def test_an_engine_that_hangs_is_not_known(tmp_path: Path, qdrant_server: Stub) -> None:
    qdrant_server.fail("silence")
    (found,) = examined(put(tmp_path / "a.yaml", "llm-qdrant", url=qdrant_server.url), deadline=1)
    assert found.verdict == "not known"
    assert "No verdict within 1 seconds" in found.message


def test_a_recipe_over_a_catalog_is_tried_on_that_of_its_sink(tmp_path: Path) -> None:
    sink = {"type": "llm-local", "config": {"path": str(tmp_path / "catalog.db")}}
    (found,) = examined(put(tmp_path / "a.yaml", "llm-propagation", sink))
    assert found.verdict == "not ok"
    assert "there is no such file" in found.message


def test_a_source_without_a_test_is_seen_by_its_last_run(tmp_path: Path) -> None:
    sink = {"type": "llm-local", "config": {"path": str(tmp_path / "catalog.db")}}
    (found,) = examined(put(tmp_path / "a.yaml", "csv-enricher", sink, filename="x.csv"))
    assert found.verdict == "ok"
    assert found.message.endswith("has no test of its connection; see below how its last run ended.")


def test_what_a_recipe_names_is_known_as_far_as_its_variables_are_set(tmp_path: Path) -> None:
    rest = {"type": "datahub-rest", "config": {"server": "${GMS}", "token": "${TOKEN}"}}
    path = put(tmp_path / "a.yaml", "llm-runs", rest, store="${STORE}", catalog="${FOLDER}/c.db", x="${MORE}")
    found = read(path, GMS="http://gms:8080", TOKEN=SECRET, STORE="./a.db", FOLDER="kb")
    assert found.problems
    assert (found.server, found.store, found.catalogs) == (
        ("http://gms:8080", SECRET),
        "./a.db",
        ("kb/c.db",),
    )
    found = read(path, GMS="http://gms:8080")
    assert (found.server, found.store, found.catalogs) == (None, None, ())
    local = read(put(tmp_path / "b.yaml", sink={"type": "llm-local", "config": {"path": "${FOLDER}/c.db"}}))
    assert (local.written, local.catalogs) == (None, ())
