"""The text of a recipe: valid whatever the options are, with a name of its own, and nothing unescaped."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml
from datahub.ingestion.run.pipeline_config import PipelineConfig
from datahub.ingestion.source.source_registry import source_registry

from datahub_llmops.setup.connection import fill_in
from datahub_llmops.setup.plan import make_plan
from datahub_llmops.setup.recipe_text import Recipe, build_text, existing_places, pipeline_name
from datahub_llmops.setup.systems import (
    CHROMA_FOLDER,
    QDRANT,
    SYSTEMS,
    Candidate,
    Option,
    System,
    literal,
    valid_together,
    variable,
)
from datahub_llmops.setup.target import Target, local_target, server_target
from datahub_llmops.setup.variables import Variables

VALUE = "postgresql://value:1234/x"
"""What every variable holds: an address, and a connection string."""
FOLDER = Path("/srv/bot")
LOCAL = local_target(None, Path("/home/ada/catalog.db"), FOLDER)
SERVER = server_target("http://gms:8080", Variables(environment=frozenset({"DATAHUB_GMS_TOKEN"}), files={}))


def text_of(option: Option) -> str:
    if option.is_secret:
        return variable(option.variables[0])
    return {"project": "acme/bot", "connection.port": "5432"}.get(option.name, option.default or "./x")


def with_all(system: System, *, optional: bool) -> Candidate:
    values = {option.name: text_of(option) for option in system.options if optional or not option.is_optional}
    return Candidate(system=system, values=valid_together(system, values), found="")


def loaded(text: str) -> dict[str, Any]:
    """A recipe as `datahub ingest` reads it."""
    recipe = yaml.safe_load(text)
    names = set(re.findall(r"\$\{(\w+)\}", text))
    return fill_in(recipe, dict.fromkeys(names, VALUE))


def validate(recipe: dict[str, Any]) -> Any:
    PipelineConfig.model_validate(recipe)
    source = recipe["source"]
    found: Any = source_registry.get(source["type"])
    return found.get_config_class().model_validate(source["config"])


@pytest.mark.engine
@pytest.mark.parametrize(
    ("system", "optional", "target"),
    [
        pytest.param(system, optional, target, id=f"{system.key}-{'all' if optional else 'few'}-{name}")
        for system, optional, (name, target) in product(
            SYSTEMS, (True, False), (("local", LOCAL), ("server", SERVER))
        )
    ],
)
def test_every_recipe_is_valid(system: System, optional: bool, target: Target) -> None:
    recipe = Recipe(name=system.name, candidate=with_all(system, optional=optional))
    text = build_text(recipe, target, FOLDER)
    config = validate(loaded(text))
    assert config.stateful_ingestion.enabled
    # What is commented out is valid, too.
    lines = [
        line for line in text.splitlines() if not re.match(r" +# (\w+: \$\{|Prices|The job|config:)", line)
    ]
    more = re.sub(r"(?m)^( +)# ", r"\1", "\n".join(lines))
    validate(loaded(more))
    assert all(len(line) <= 120 for line in text.splitlines())


@pytest.mark.engine
def test_a_place_with_any_letters_is_that_place() -> None:
    for place in (
        "./a$b",
        "./${HOME}",
        "./a: b #c",
        "./'q\"",
        "./Ä\u202e",
        "./x\\y ${z}",
        "./- [a]",
        "./a\nb",
    ):
        candidate = Candidate(system=CHROMA_FOLDER, values={"path": literal(place)}, found="")
        text = build_text(Recipe(name="chroma", candidate=candidate), LOCAL, FOLDER)
        assert loaded(text)["source"]["config"]["path"] == place
        assert "\u202e" not in text


def test_a_failed_test_stands_in_a_comment_and_nowhere_else() -> None:
    candidate = with_all(QDRANT, optional=False)
    message = "Cannot reach: it.\nsource: {type: evil}\x1b[0m"
    text = build_text(Recipe(name="qdrant", candidate=candidate), LOCAL, FOLDER, message)
    assert (
        "# The test of this connection did not succeed:\n#   Cannot reach: it.\n#   source: {type: evil}"
        in text
    )
    assert "\x1b" not in text
    assert yaml.safe_load(text)["source"]["type"] == "llm-qdrant"


def test_no_two_pipelines_have_one_name() -> None:
    here = Recipe(name="qdrant", candidate=with_all(QDRANT, optional=False))
    there = Candidate(system=QDRANT, values={"url": "http://other:6333"}, found="")
    names = {
        pipeline_name(here, FOLDER),
        pipeline_name(here, Path("/srv/other/bot")),
        pipeline_name(Recipe(name="qdrant", candidate=there), FOLDER),
    }
    assert len(names) == 3
    assert pipeline_name(here, FOLDER).startswith("qdrant-bot-")


def test_two_of_a_kind_get_names_and_instances() -> None:
    folders = [
        Candidate(system=CHROMA_FOLDER, values={"path": path}, found="") for path in ("./a", "./b", "./B")
    ]
    plan = make_plan(folders, {})
    assert [(one.name, one.instance) for one in plan.recipes] == [
        ("chroma", None),
        ("chroma-b", "chroma-b"),
        ("chroma-2", "chroma-2"),
    ]


def test_a_recipe_that_exists_is_kept_by_what_it_reads() -> None:
    texts = {
        "mine.yaml": "source: {type: llm-chroma, config: {path: ./a}}",
        "chroma.dhub.yaml": "source: {type: llm-chroma, config: {url: 'http://c'}}",
        "broken.yaml": "a: [",
        "list.yaml": "- a",
        "pg.yaml": "source: {type: llm-pgvector, config: {connection: {host: db}}}",
        "odd.yaml": "source: {type: llm-pgvector, config: {connection: [1]}}",
    }
    assert existing_places(texts) == {
        ("chroma", "./a"): "mine.yaml",
        ("chroma", "http://c"): "chroma.dhub.yaml",
        ("pgvector", "db"): "pg.yaml",
    }
    known, new = (Candidate(system=CHROMA_FOLDER, values={"path": path}, found="") for path in ("./a", "./b"))
    plan = make_plan([known, new], texts)
    assert plan.kept == ((known, "mine.yaml"),)
    assert [(one.name, one.instance) for one in plan.recipes] == [("chroma-b", "chroma-b")]
