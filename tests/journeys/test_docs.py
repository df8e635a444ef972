"""What the documentation says works: the demo runs, code blocks run or validate by kind, links lead somewhere."""

from __future__ import annotations

import filecmp
import json
import os
import re
import shlex
import shutil
import sqlite3
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
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
from support.documents import PAGES, Block, anchors, blocks, links, prose
from support.paths import ROOT

BLOCKS = [block for page in PAGES for block in blocks(page)]
RECIPES = sorted(path for folder in ("recipes", "examples") for path in (ROOT / folder).rglob("*.dhub.yaml"))
SHELL = ("sh", "bash", "console", "crontab", "dockerfile")
INERT = {"text", "mermaid"}

# The demo writes a whole estate and starts a process a step: minutes, on a slow machine.
pytestmark = pytest.mark.timeout(1_200)

# Commands that a page may tell people to type, and why they are not typed here.
NOT_RUN = {
    "make": "checked against the Makefile",
    "pip": "installs",
    "docker": "needs a container engine",
    "datahub": "the recipe it names is checked",
    "git": "needs the network",
}


# What a connector is added to.
COPIED = (
    "CHANGELOG.md",
    "README.md",
    "connectors",
    "docs",
    "examples",
    "pyproject.toml",
    "uv.lock",
    "recipes",
    "tests",
    "tools",
)
GENERATED = {"README.md", "docs/faults.md", "docs/faults/acme-db.json", "docs/stores.md"}


def environment(**more: str) -> dict[str, str]:
    """Ours, with this interpreter's commands in front, an output that is no terminal, and no catalog of the user's."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DATAHUB")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', '')}"
    return {**kept, "PATH": path, "DATAHUB_TELEMETRY_ENABLED": "false", "NO_COLOR": "1", **more}


@pytest.fixture(scope="module")
def estate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder in which the demo ran, and what it printed. The repository's own folder stays as it is."""
    folder = tmp_path_factory.mktemp("estate")
    for name in ("examples", "recipes"):
        (folder / name).symlink_to(ROOT / name)
    return folder, run_demo(folder)


def run(command: Sequence[str], folder: Path, **more: str) -> str:
    """What a command printed, run in ``folder``; it must succeed."""
    program = [sys.executable, *command[1:]] if command[0] == "python" else list(command)
    done = subprocess.run(
        program,
        cwd=folder,
        env=environment(**more),
        capture_output=True,
        text=True,
        timeout=1_000,
        check=False,
    )
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout


def run_demo(folder: Path) -> str:
    return run(["python", "examples/demo/run.py"], folder, HOME=str(folder))


def by_language(*languages: str, mark: str | None = None) -> list[Any]:
    # A block with a title is part of a file that is built and run as a whole.
    found = [b for b in BLOCKS if b.language in languages and b.mark == mark and b.title is None]
    return [pytest.param(block, id=block.name) for block in found]


def steady(text: str) -> str:
    """What the demo prints without what differs from run to run: ids, times, and how the day's Python counts rows."""
    for pattern, word in (
        (r"\b(?:[0-9a-f]{28,64}|[0-9a-f]{12})\b", "ID"),
        (r"\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\b", "TIME"),
        (r"\bscore 0\.\d+", "SCORE"),
        (r"\brow \d+", "ROW"),
    ):
        text = re.sub(pattern, word, text)
    return text


def test_the_demo_shows_the_way_back_to_columns_owners_and_terms(estate: tuple[Path, str]) -> None:
    folder, printed = estate
    back = printed.partition("== 4.")[2].partition("== 5.")[0]
    for name in ("docs", "embed-docs", "entry_docs", "entries", "modules", "maintainers"):
        assert re.search(rf"\b{name}\b", back), back
    for word in (
        "Vector Collection",
        "Embedding Job",
        "Personal data",
        "Public documentation",
        "hana",
        "jonas",
    ):
        assert word in back
    forth = printed.partition("== 5.")[2].partition("== 6.")[0]
    assert re.search(r"email.*maintainer", forth, flags=re.DOTALL)
    assert (folder / "demo" / "catalog.db").is_file()


def test_the_demo_checks_the_index_before_and_after_the_repair(estate: tuple[Path, str]) -> None:
    _, printed = estate
    before, told, after = (
        printed.partition(f"== {number}.")[2].partition("\n== ")[0] for number in (18, 19, 22)
    )
    assert re.search(r"not ok +fresh", before), before
    assert re.search(r"not ok +model lives", before), before
    assert "embed-docs (owned by ada)" in told
    assert "docs-bot" in told
    assert re.search(r"(?<!not )ok +fresh", after), after
    assert re.search(r"not ok +model lives", after), after


def test_a_second_demo_changes_nothing_and_says_so(estate: tuple[Path, str]) -> None:
    folder, first = estate
    assert "Nothing changed" not in first
    second = run_demo(folder)
    assert "Nothing changed" in second, second
    assert second.count("unchanged)") == 3, second
    # The walks are the same ones, and the answers, by other names.
    for title, end in (("== 6.", "== 7."), ("== 9.", "== 10."), ("== 13.", "== 16.")):
        before, after = (steady(text.partition(title)[2].partition(end)[0]) for text in (first, second))
        assert after == before
    # Meanwhile the hooks were brought into the catalog: they found one of the edges too, and the way goes on.
    up, down = (
        [text.partition(title)[2].partition(end)[0] for text in (first, second)]
        for title, end in (("== 4.", "== 5."), ("== 5.", "== 6."))
    )
    assert up[1].replace("found by declared, payload, hook", "found by declared, payload") == up[0]
    assert "Answer Log" not in down[0]
    assert "docs-bot answers  Answer Log · langchain  ◆ Personal data" in down[1]


def test_the_demo_walks_an_answer_back_to_its_row_tables_owners_and_terms(estate: tuple[Path, str]) -> None:
    folder, printed = estate
    asked, explained = (
        printed.partition(title)[2].partition(end)[0]
        for title, end in (("== 6.", "== 7."), ("== 9.", "== 10."))
    )
    assert asked.count("a stand-in for a model") == 4
    assert asked.count("(with langchain)") == 3
    assert "(with llamaindex)" in asked
    # Both frameworks found the same passage, in the index that LangChain wrote.
    answers = re.findall(r"which quotes\] (.+)", asked)
    assert answers[0] == answers[3] == "Wrap a single paragraph of text, returning a list of wrapped lines."
    # The row is the docstring's.
    row = re.search(r"from entry_docs row (\d+) \[row\]", explained)
    assert row, explained
    database = sqlite3.connect(folder / "demo" / "warehouse.db")
    try:
        (name,) = database.execute("select qualified_name from entries where id = ?", (row[1],)).fetchone()
    finally:
        database.close()
    assert name == "textwrap.wrap"
    assert "answer-from-docs version 1" in explained
    for table, owner, term in (
        ("entry_docs", "ada", "Public documentation"),
        ("entries", "jonas", "Public documentation"),
        ("maintainers", "hana", "Personal data"),
    ):
        part = explained.partition(f"  {table}  ")[2]
        assert re.match(rf".* · sqlite \[\w+\]\n    owners: {owner}\n    terms: {term}\n", part), part
    assert "airflow: knowledge-base / embed-docs, run " in explained
    assert "Not known" not in explained


def test_the_demo_shows_the_whole_chain(estate: tuple[Path, str]) -> None:
    chain = estate[1].partition("== 10.")[2].partition("== 11.")[0]
    depths = {
        name: next(line for line in chain.splitlines() if f" {name}  " in line).index(name)
        for name in ("docs-bot", "docs (VectorStoreRetriever)", "docs", "embed-docs", "entry_docs", "entries")
    }
    assert list(depths.values()) == sorted(set(depths.values())), chain
    assert "\ndocs-bot answers  Answer Log" in chain, chain


def test_the_demos_spans_and_hooks_agree(estate: tuple[Path, str]) -> None:
    compared = estate[1].partition("== 15.")[2].partition("== What")[0]
    assert (
        "VectorStoreRetriever <- default_database.docs: hooks say hook, spans say span attribute" in compared
    )
    assert "They agree." in compared


def test_the_demos_recipe_declares_the_query_that_its_job_runs() -> None:
    recipe = yaml.safe_load((ROOT / "recipes" / "chroma.dhub.yaml").read_text())
    (job,) = recipe["source"]["config"]["embedding_jobs"]
    assert job["upstream"]["sql"].split() == (ROOT / "examples" / "demo" / "embed.sql").read_text().split()


def test_no_block_is_of_a_kind_that_is_not_checked() -> None:
    checked = {*SHELL, *INERT, "python", "yaml", "json"}
    assert [block.name for block in BLOCKS if block.language not in checked] == []


@pytest.mark.parametrize("block", by_language("json"))
def test_json_is_json(block: Block) -> None:
    json.loads(block.text)


@pytest.mark.parametrize("block", by_language("python"))
def test_python_runs(block: Block, estate: tuple[Path, str]) -> None:
    run(["python", "-c", block.text], estate[0])


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
def test_commands_work(block: Block, estate: tuple[Path, str]) -> None:
    for command in commands(block):
        if command[0] in NOT_RUN:
            check_unrun(command)
            continue
        assert command[0] in ("datahub-llmops", "python"), f"nothing checks {command[0]}"
        printed = run(command, estate[0])
        if "--json" in command:
            json.loads(printed)


def check_unrun(command: list[str]) -> None:
    if command[0] == "make":
        targets = [word for word in command[1:] if "=" not in word]
        makefile = "".join((ROOT / name).read_text() for name in ("Makefile", "schemas/schemas.mk"))
        assert all(re.search(rf"^{target}:", makefile, flags=re.MULTILINE) for target in targets)
    named = [word for word in command if word.endswith((".yaml", ".yml")) and "/" in word]
    assert all((ROOT / name).is_file() for name in named), command


@pytest.mark.parametrize("block", by_language("text", mark="the demo prints this"))
def test_the_sample_is_what_the_demo_prints(block: Block, estate: tuple[Path, str]) -> None:
    printed = {line.rstrip() for line in steady(estate[1]).splitlines()}
    assert [line for line in steady(block.text).splitlines() if line.rstrip() not in printed] == []


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


@pytest.fixture(scope="module")
def with_connector(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A copy of the repository with a new connector, as docs/add-a-connector.md says, and its PYTHONPATH."""
    copy = tmp_path_factory.mktemp("checkout")
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, copy / name)
    run(["python", "tools/connector/new.py", "acme", "--title", "Acme DB"], copy)
    # Stands for installing the copy: the entry point that the skeleton added to pyproject.toml.
    added = tomllib.loads((copy / "pyproject.toml").read_text())["project"]["entry-points"]
    target = added["datahub.ingestion.source.plugins"]["llm-acme"]
    info = tmp_path_factory.mktemp("installed") / "acme-0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 0\n")
    (info / "entry_points.txt").write_text(f"[datahub.ingestion.source.plugins]\nllm-acme = {target}\n")
    path = os.pathsep.join(map(str, (copy / "connectors", info.parent)))
    pytest_of = ["python", "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider"]
    run([*pytest_of, "tests/vector_stores/acme"], copy, PYTHONPATH=path)
    run([*pytest_of, "tests/faults/test_matrix.py", "-k", "acme"], copy, PYTHONPATH=path, WRITE_FAULTS="1")
    run(["python", "docs/generate.py"], copy, PYTHONPATH=path)
    return copy, path


def test_the_skeleton_of_a_connector_is_whole_and_well_formed(with_connector: tuple[Path, str]) -> None:
    copy, path = with_connector
    run(["python", "-m", "ruff", "check", "."], copy)
    run(["python", "-m", "ruff", "format", "--check", "."], copy)
    run(
        [
            "python",
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "tests/test_inventory.py",
            "-k",
            "acme or left",
        ],
        copy,
        PYTHONPATH=path,
    )


def test_a_new_connector_touches_as_many_files_as_the_page_says(with_connector: tuple[Path, str]) -> None:
    copy, _ = with_connector
    files = {
        path.relative_to(copy)
        for path in copy.rglob("*")
        if path.is_file() and not {"__pycache__", ".ruff_cache", ".hypothesis", "build"} & set(path.parts)
    }
    touched = {
        path
        for path in files
        if not (ROOT / path).is_file() or filecmp.cmp(ROOT / path, copy / path, False) is False
    }
    package = {
        path for path in touched if path.is_relative_to("connectors/datahub_llmops/vector_stores/acme")
    }
    generated = {path for path in touched - package if path.as_posix() in GENERATED}
    page = (ROOT / "docs" / "add-a-connector.md").read_text()
    said = re.search(r"\*\*(\d+) files by hand and (\d+) that commands write\*\*", page)
    assert said is not None
    by_hand = touched - package - generated
    # And uv.lock, which knows the extras: renewing it needs the network.
    assert (len(by_hand), len(generated) + 1) == (int(said[1]), int(said[2])), sorted(touched)
    assert len(by_hand) <= 8


def test_the_connector_of_the_skeleton_works(with_connector: tuple[Path, str], tmp_path: Path) -> None:
    copy, path = with_connector
    folder = tmp_path / "vectors"
    folder.mkdir()
    for name in ("guides", "notes"):
        point = {"vector": [0.1, 0.9], "payload": {"text": "Fold.", "source": "s3://kb/guides.pdf"}}
        (folder / f"{name}.jsonl").write_text(f"{json.dumps(point)}\n")
    recipe = str(copy / "recipes" / "acme.dhub.yaml")
    run(["python", str(ROOT / "examples/demo/ingest.py"), recipe], tmp_path, PYTHONPATH=path)
    walk = run(["datahub-llmops", "--catalog", "catalog.db", "lineage", "acme:guides", "--up"], tmp_path)
    assert "kb/guides.pdf" in walk


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
