"""What the documentation says works: code blocks run or validate by kind, links lead somewhere."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from datahub.configuration.config_loader import load_config_file
from datahub.ingestion.run.pipeline_config import PipelineConfig
from datahub.ingestion.sink.sink_registry import sink_registry
from datahub.ingestion.source.source_registry import source_registry
from datahub.ingestion.source.state_provider.state_provider_registry import (
    ingestion_checkpoint_provider_registry,
)
from datahub.ingestion.transformer.transform_registry import transform_registry

from datahub_llmops.health.options import PolicyConfig
from journeys.demo import DEMO_SECONDS, Demo
from journeys.processes import run
from support.documents import PAGES, Block, anchors, blocks, links, prose
from support.paths import ROOT

BLOCKS = [block for page in PAGES for block in blocks(page)]
RECIPES = sorted(path for folder in ("recipes", "examples") for path in (ROOT / folder).rglob("*.dhub.yaml"))
SHELL = ("sh", "bash", "console", "crontab", "dockerfile")
INERT = {"text", "mermaid"}

pytestmark = pytest.mark.timeout(DEMO_SECONDS)

# Commands that a page may tell people to type, and why they are not typed here.
NOT_RUN = {
    "make": "checked against the Makefile",
    "pip": "installs",
    "docker": "needs a container engine",
    "datahub": "the recipe it names is checked",
    "git": "needs the network",
}


def by_language(*languages: str, mark: str | None = None) -> list[Any]:
    # A block with a title is part of a file that is built and run as a whole.
    found = [b for b in BLOCKS if b.language in languages and b.mark == mark and b.title is None]
    return [pytest.param(block, id=block.name) for block in found]


def test_no_block_is_of_a_kind_that_is_not_checked() -> None:
    checked = {*SHELL, *INERT, "python", "yaml", "json"}
    assert [block.name for block in BLOCKS if block.language not in checked] == []


@pytest.mark.parametrize("block", by_language("json"))
def test_json_is_json(block: Block) -> None:
    json.loads(block.text)


@pytest.mark.parametrize("block", by_language("python"))
def test_python_runs(block: Block, demo: Demo) -> None:
    run(["python", "-c", block.text], demo.copy)


@pytest.mark.parametrize("block", by_language("python", mark="compile"))
def test_python_that_needs_more_than_this_package_compiles(block: Block) -> None:
    compile(block.text, block.name, "exec")


def commands(block: Block) -> Iterator[list[str]]:
    """The commands of a block, one by one, without what surrounds them in its kind of file."""
    for line in block.text.replace("\\\n", " ").splitlines():
        if block.language == "console" and not line.startswith("$ "):
            continue
        if block.language == "dockerfile":
            instruction, _, line = line.partition(" ")
            if instruction != "RUN":
                continue
        if block.language == "crontab":
            line = re.sub(r"^(\S+ +){5}", "", line) if not line.startswith("#") else ""
        for part in re.split("&&|;", re.sub(r"(^| )#.*", "", line).removeprefix("$ ")):
            words = shlex.split(part, comments=True)
            if words and words[0] != "cd":
                yield [Path(words[0]).name, *words[1:]]


@pytest.mark.parametrize("block", by_language(*SHELL) + by_language("dockerfile", mark="dockerfile"))
def test_commands_work(block: Block, demo: Demo) -> None:
    for command in commands(block):
        if command[0] in NOT_RUN:
            check_unrun(command)
            continue
        assert command[0] in ("datahub-llmops", "python"), f"nothing checks {command[0]}"
        printed = run(command, demo.copy)
        if "--json" in command:
            json.loads(printed)


def check_unrun(command: list[str]) -> None:
    if command[0] == "make":
        targets = [word for word in command[1:] if "=" not in word]
        makefile = "".join((ROOT / name).read_text() for name in ("Makefile", "schemas/schemas.mk"))
        assert all(re.search(rf"^{target}:", makefile, flags=re.MULTILINE) for target in targets)
    named = [word for word in command if word.endswith((".yaml", ".yml")) and "/" in word]
    assert all((ROOT / name).is_file() for name in named), command


@pytest.mark.parametrize("block", by_language("yaml", mark="workflow"))
def test_a_workflow_names_what_there_is(block: Block) -> None:
    jobs = yaml.safe_load(block.text)["jobs"]
    steps = [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
    assert steps
    for step in steps:
        command = shlex.split(step)
        assert command[0] in NOT_RUN
        check_unrun(command)


@pytest.mark.parametrize("block", by_language("yaml", mark="a step"))
def test_a_step_names_an_action_and_its_inputs(block: Block) -> None:
    for step in yaml.safe_load(block.text):
        name = step["uses"].partition("/.github/")[2].partition("@")[0]
        action = yaml.safe_load((ROOT / ".github" / name / "action.yml").read_text())
        required = {key for key, value in action["inputs"].items() if value.get("required")}
        assert required <= step["with"].keys() <= action["inputs"].keys()


@pytest.mark.parametrize("block", by_language("yaml", mark="pre-commit"))
def test_a_hook_calls_a_command_that_there_is(block: Block) -> None:
    for repository in yaml.safe_load(block.text)["repos"]:
        for hook in repository["hooks"]:
            check_unrun(shlex.split(hook["entry"]))


@pytest.mark.parametrize("block", by_language("yaml", mark="policy"))
def test_a_policy_in_a_page_is_valid(block: Block) -> None:
    PolicyConfig.model_validate(yaml.safe_load(block.text))


@pytest.mark.parametrize("block", by_language("yaml", mark="collector"))
def test_a_collector_in_a_page_uses_what_it_declares(block: Block) -> None:
    config = yaml.safe_load(block.text)
    # Components are named `<type>` or `<type>/<name>`; those are the ones that a page tells of.
    assert {name.partition("/")[0] for name in config["exporters"]} <= {"file", "awss3", "clickhouse"}
    for pipeline in config["service"]["pipelines"].values():
        for kind in ("receivers", "processors", "exporters"):
            assert set(pipeline[kind]) <= config[kind].keys()


@pytest.mark.parametrize("block", by_language("yaml"))
def test_a_recipe_in_a_page_is_valid(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(block.text)
    check_recipe(path, monkeypatch)


@pytest.mark.parametrize("path", [pytest.param(path, id=str(path.relative_to(ROOT))) for path in RECIPES])
def test_a_recipe_is_valid(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Secrets come from the environment, never from the file.
    for line in path.read_text().splitlines():
        if re.match(r"\s*(token|password|api_key)\s*:", line):
            assert "${" in line, line
    check_recipe(path, monkeypatch)


def check_recipe(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Against the config classes of everything that it names, ours and DataHub's; an unknown option is an error."""
    for name in re.findall(r"\$\{(\w+)\}", path.read_text()):
        monkeypatch.setenv(name, "http://localhost:8080" if name.endswith("URL") else "a-secret")
    monkeypatch.chdir(ROOT)
    recipe = load_config_file(path, resolve_env_vars=True)
    PipelineConfig.model_validate(recipe)
    source = recipe["source"]
    config = source.get("config", {})
    config_of(source_registry, source["type"]).model_validate(config)
    sink = recipe.get("sink", {"type": "datahub-rest", "config": {}})
    config_of(sink_registry, sink["type"]).model_validate(sink.get("config", {}))
    for transformer in recipe.get("transformers", []):
        created = transform_registry.get(transformer["type"])
        assert created.create(transformer.get("config", {}), pipeline_context())
    stateful = config.get("stateful_ingestion") or {}
    if stateful.get("enabled"):
        assert recipe.get("pipeline_name"), "stateful ingestion needs a pipeline_name"
        check_state_provider(stateful.get("state_provider"), sink["type"])


def check_state_provider(provider: Mapping[str, Any] | None, sink: str) -> None:
    if provider is None:
        # On a server DataHub keeps the state itself.
        assert sink == "datahub-rest"
        return
    ingestion_checkpoint_provider_registry.get(provider["type"])
    assert set(provider.get("config", {})) <= {"path"}


def pipeline_context() -> Any:
    from datahub.ingestion.api.common import PipelineContext

    return PipelineContext(run_id="docs")


def config_of(registry: Any, name: str) -> Any:
    return registry.get(name).get_config_class()


@pytest.mark.parametrize("page", [pytest.param(page, id=str(page.relative_to(ROOT))) for page in PAGES])
def test_links_lead_somewhere(page: Path) -> None:
    for target in links(page):
        if target.startswith(("https://", "http://")):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), target
        if anchor:
            assert anchor in anchors(file), target


@pytest.mark.parametrize("page", [pytest.param(page, id=str(page.relative_to(ROOT))) for page in PAGES])
def test_lines_of_a_page_have_at_most_120_columns(page: Path) -> None:
    # Code is exempt, and so is a line that holds nothing but one link.
    long = [
        line
        for line in prose(page).splitlines()
        if len(line) > 120 and not re.fullmatch(r" *\S*\[.*?\]\(\S+", line)
    ]
    assert long == []


def test_the_site_has_every_page() -> None:
    named = re.findall(r"^ *- (?:.*: )?(\S+\.md)$", (ROOT / "mkdocs.yml").read_text(), flags=re.MULTILINE)
    pages = [page for name in named for page in ROOT.glob(name)]
    assert sorted(pages) == sorted(PAGES)


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached: set[Path] = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in reached or page.suffix != ".md":
            continue
        reached.add(page)
        local = (target.partition("#")[0] for target in links(page) if "://" not in target)
        waiting.extend((page.parent / target).resolve() for target in local if target)
    assert [str(page.relative_to(ROOT)) for page in PAGES if page not in reached] == []


def test_a_store_whose_entry_point_is_not_installed_is_not_left_out_of_the_table(tmp_path: Path) -> None:
    copy = tmp_path / "docs"
    for page in ("generate.py", "reference.py", "stores.md", "connectors/chroma.md", "connectors/nowhere.md"):
        (copy / page).parent.mkdir(exist_ok=True)
        (copy / page).write_text((ROOT / "docs" / page.replace("nowhere", "chroma")).read_text())
    done = subprocess.run(
        [sys.executable, "docs/generate.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "llm-nowhere: not installed, run `pip install -e .`" in done.stderr
    assert (copy / "stores.md").read_text() == (ROOT / "docs" / "stores.md").read_text()


def test_generated_parts_are_fresh() -> None:
    run(["python", "docs/generate.py", "--check"], ROOT)
