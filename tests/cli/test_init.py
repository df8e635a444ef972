"""The command ``init``: read in a terminal as a new user does, and run by scripts. What it writes runs as it is."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
import yaml

from runs.world import World
from support.repositories import Repository
from support.stub import Stub, refused_url
from support.terminal import Terminal

BIN = Path(sys.executable).parent
SECRET = "planted-secret-5ec7e7"
INGEST = """
import sys
from datahub.entrypoints import datahub
for recipe in sys.argv[1:]:
    try:
        datahub.main(["ingest", "run", "-c", recipe], standalone_mode=False)
    except SystemExit as end:
        assert not end.code, (recipe, end.code)
"""

pytestmark = pytest.mark.process


def environment(home: Path, **more: str) -> dict[str, str]:
    """That of a new user: nothing is configured, and DataHub sends nothing home."""
    return {
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(home / "home"),
        "LANG": "C.UTF-8",
        "DATAHUB_TELEMETRY_ENABLED": "false",
        **more,
    }


def run(
    arguments: Sequence[str], folder: Path, env: Mapping[str, str], code: int = 0
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [str(BIN / "datahub-llmops"), *arguments],
        cwd=folder,
        env=dict(env),
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


def init(folder: Path, env: Mapping[str, str]) -> Terminal:
    return Terminal([str(BIN / "datahub-llmops"), "init", "--no-ports"], cwd=folder, env=env)


def recipes(folder: Path) -> dict[str, str]:
    out = folder / "recipes"
    return {path.name: path.read_text() for path in sorted(out.iterdir())} if out.exists() else {}


@pytest.fixture
def project(world: World, chroma_folder: Path, lancedb_folder: Path, tmp_path: Path) -> Path:
    """A folder as users have it: two stores, prompts in git, and the answers of an application."""
    world.index()
    world.ask()
    assert world.handle.flush(5)
    prompt = {"bot/answer.prompty": "---\nname: answer\n---\nsystem:\nAnswer {{question}}.\n"}
    Repository(tmp_path / "prompts").commit(prompt)
    (tmp_path / "prompts" / "bot").mkdir()
    for name, text in prompt.items():
        (tmp_path / "prompts" / name).write_text(text)
    return tmp_path


@pytest.mark.engine
def test_what_it_writes_runs_as_it_is(project: Path, qdrant_server: Stub) -> None:
    env = environment(project, QDRANT_URL=qdrant_server.url, QDRANT_API_KEY=SECRET)
    shown = run(["init", "--yes", "--no-ports"], project, env).stdout
    written = re.findall(r"Wrote (\S+)", shown)
    names = ["chroma", "lancedb", "qdrant", "prompt-files", "runs"]
    assert written == [f"recipes/{name}.dhub.yaml" for name in names]
    assert "not ok" not in shown
    assert "not known" not in shown
    assert re.findall(r"datahub ingest -c (\S+)", shown) == written
    done = subprocess.run(
        [sys.executable, "-c", INGEST, *written],
        cwd=project,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("Pipeline finished successfully") == len(names)
    # The commands that it ends with answer.
    search, lineage = re.findall(r"  datahub-llmops (.+)", shown)
    assert run(search.split(), project, env).stdout
    assert run(lineage.split(), project, env).stdout
    for name in ("chroma", "lancedb", "qdrant", "prompt-files"):
        assert run(["search", name], project, env).stdout, name
    assert "support-bot" in run(["lineage", "support-bot"], project, env).stdout
    assert SECRET not in shown + done.stdout + done.stderr + "".join(recipes(project).values())


@pytest.mark.engine
def test_a_new_user_reads_it(chroma_folder: Path, tmp_path: Path) -> None:
    env = environment(tmp_path)
    with init(tmp_path, env) as terminal:
        terminal.expect("1  Chroma folder  ./chroma  (a folder of Chroma)")
        terminal.answer("Which of them get a recipe?", "2")
        terminal.expect("Error: type numbers from 1 to 1, or all, or none")
        terminal.answer("Which of them get a recipe?")
        terminal.answer("A system to add?")
        terminal.expect("Testing the connections ...")
        terminal.expect("ok         Chroma folder: Works, sees 7 collections.")
        terminal.expect("Wrote recipes/chroma.dhub.yaml")
        terminal.expect("datahub ingest -c recipes/chroma.dhub.yaml")
        terminal.expect("datahub-llmops search ")
        assert terminal.end() == 0
    config = yaml.safe_load(recipes(tmp_path)["chroma.dhub.yaml"])["source"]["config"]
    assert config["path"] == "./chroma"


@pytest.mark.engine
def test_a_system_that_was_not_found_is_asked_for_and_corrected(qdrant_server: Stub, tmp_path: Path) -> None:
    qdrant_server.fail("403", when=lambda call: call.path != "/" and call.headers.get("Api-Key") != SECRET)
    env = environment(tmp_path, MY_KEY=SECRET, DATAHUB_GMS_URL="http://gms.invalid:8080")
    with init(tmp_path, env) as terminal:
        terminal.expect("Nothing was found.")
        terminal.answer("A system to add?", "qdrant")
        terminal.answer("Address [http://localhost:6333]", f"http://ada:{SECRET}@q:1")
        terminal.expect("Error: an address must not hold a login here")
        terminal.answer("Address [http://localhost:6333]", qdrant_server.url)
        terminal.answer("variable with the API key, or none [none]")
        terminal.answer("Another system to add?")
        terminal.expect("1  ")
        terminal.expect("2  the DataHub server of DATAHUB_GMS_URL")
        terminal.answer("Number [1]", "2")
        terminal.expect("not ok     Qdrant: Not allowed: Qdrant at ")
        terminal.answer("change its options, write the recipe all the same, or leave it out?")
        terminal.answer("Address [")
        terminal.answer("variable with the API key", SECRET)
        terminal.expect("Error: give the name of a variable, in capitals")
        terminal.answer("variable with the API key", "MY_KEY")
        terminal.expect("ok         Qdrant: Works, sees ")
        terminal.expect("Wrote recipes/qdrant.dhub.yaml")
        terminal.expect('datahub-llmops --catalog "$DATAHUB_GMS_URL" lineage ')
        assert terminal.end() == 0
    text = recipes(tmp_path)["qdrant.dhub.yaml"]
    assert SECRET not in text
    recipe = yaml.safe_load(text)
    assert recipe["source"]["config"]["api_key"] == "${MY_KEY}"
    assert recipe["sink"] == {"type": "datahub-rest", "config": {"server": "${DATAHUB_GMS_URL}"}}
    assert "did not succeed" not in text


@pytest.mark.parametrize(("answer", "written"), [("write", True), ("leave", False)])
def test_a_recipe_whose_connection_failed_is_written_on_wish_only(
    answer: str, written: bool, tmp_path: Path
) -> None:
    with refused_url() as nobody, init(tmp_path, environment(tmp_path, QDRANT_URL=nobody)) as terminal:
        terminal.answer("Which of them get a recipe?")
        terminal.answer("A system to add?")
        terminal.expect("not ok     Qdrant: Cannot reach: ")
        terminal.answer("or leave it out?", answer)
        assert terminal.end() == (0 if written else 1)
        assert ("No recipe was written." in terminal.shown) is not written
    texts = recipes(tmp_path)
    assert ("qdrant.dhub.yaml" in texts) is written
    if written:
        assert (
            "# The test of this connection did not succeed:\n#   Cannot reach: " in texts["qdrant.dhub.yaml"]
        )


@pytest.mark.parametrize("at", ["Which of them get a recipe?", "A system to add?", "or leave it out?"])
def test_ctrl_c_leaves_nothing_behind(at: str, tmp_path: Path) -> None:
    with refused_url() as nobody, init(tmp_path, environment(tmp_path, QDRANT_URL=nobody)) as terminal:
        for question in ("Which of them get a recipe?", "A system to add?", "or leave it out?"):
            terminal.expect(question)
            if question == at:
                break
            terminal.press("\n")
        terminal.interrupt("Stopped. Nothing was written.")
        assert terminal.end() == 1
    assert recipes(tmp_path) == {}
    assert not (tmp_path / "recipes").exists()


def test_a_terminal_without_colours_gets_none(tmp_path: Path) -> None:
    for more, coloured in (({"NO_COLOR": "1"}, False), ({}, True)):
        with (
            refused_url() as nobody,
            init(tmp_path, environment(tmp_path, QDRANT_URL=nobody, **more)) as terminal,
        ):
            terminal.answer("Which of them get a recipe?")
            terminal.answer("A system to add?")
            terminal.expect("not ok")
            terminal.expect("or leave it out?")
            assert (b"\x1b[1;31m" in terminal.raw) is coloured


def test_without_a_terminal_it_says_what_to_give(tmp_path: Path) -> None:
    done = run(["init"], tmp_path, environment(tmp_path), code=2)
    assert "there is no terminal to ask in" in done.stderr
    for option in ("init --yes", "--out", "--catalog"):
        assert option in done.stderr
    done = run(["init", "--failed"], tmp_path, environment(tmp_path), code=2)
    assert "--failed belongs to --yes" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_script_is_told_what_was_left_out_and_why(tmp_path: Path) -> None:
    with refused_url() as nobody:
        env = environment(tmp_path, QDRANT_URL=nobody, WANDB_API_KEY=SECRET)
        done = run(["init", "--yes", "--no-ports"], tmp_path, env, code=1)
        assert "Left out: Weave, which needs: Project, as entity/project." in done.stdout
        assert "Left out Qdrant: its connection failed." in done.stdout
        assert "No recipe was written." in done.stdout
        assert recipes(tmp_path) == {}
        done = run(["init", "--yes", "--no-ports", "--failed"], tmp_path, env)
        assert "Wrote recipes/qdrant.dhub.yaml" in done.stdout
    assert SECRET not in done.stdout


def test_a_script_that_finds_nothing_is_told_what_to_do(tmp_path: Path) -> None:
    done = run(["init", "--yes", "--no-ports"], tmp_path, environment(tmp_path), code=1)
    assert "Nothing was found.\n\nNo recipe was written. " in done.stdout
    for what in ("the folder of your project", "QDRANT_URL", "without --yes"):
        assert what in done.stdout


def test_a_variable_of_an_env_file_is_named_and_its_value_not_used(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"PINECONE_API_KEY={SECRET}\nLANGFUSE_SECRET_KEY={SECRET}\n")
    done = run(["init", "--yes", "--no-ports"], tmp_path, environment(tmp_path))
    assert "Pinecone  (PINECONE_API_KEY is in .env)" in done.stdout
    assert "not known  Pinecone: Not tested: set PINECONE_API_KEY in the environment first." in done.stdout
    assert "Left out: Langfuse, which needs: public key (LANGFUSE_PUBLIC_KEY)." in done.stdout
    assert "  set -a; . ./.env; set +a\n  datahub ingest -c recipes/pinecone.dhub.yaml" in done.stdout
    text = recipes(tmp_path)["pinecone.dhub.yaml"]
    assert "api_key: ${PINECONE_API_KEY}" in text
    everything = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and path.name != ".env"]
    assert SECRET.encode() not in b"".join(everything)
    assert SECRET not in done.stdout + done.stderr


def test_what_exists_is_kept_and_named(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PINECONE_API_KEY=x\n")
    env = environment(tmp_path)
    run(["init", "--yes", "--no-ports"], tmp_path, env)
    path = tmp_path / "recipes" / "pinecone.dhub.yaml"
    path.write_text(path.read_text() + "# mine\n")
    before = recipes(tmp_path)
    done = run(["init", "--yes", "--no-ports"], tmp_path, env)
    assert "Kept recipes/pinecone.dhub.yaml, which reads Pinecone already." in done.stdout
    assert "datahub ingest -c recipes/pinecone.dhub.yaml" in done.stdout
    assert recipes(tmp_path) == before


def test_the_catalog_of_the_command_is_that_of_the_recipes(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PINECONE_API_KEY=x\nDATAHUB_GMS_TOKEN=y\n")
    env = environment(tmp_path)
    run(["--catalog", "kb.db", "init", "--yes", "--no-ports", "--out", "a"], tmp_path, env)
    local = yaml.safe_load((tmp_path / "a" / "pinecone.dhub.yaml").read_text())
    assert local["sink"] == {"type": "llm-local", "config": {"path": "./kb.db"}}
    done = run(["--catalog", ".", "init", "--yes", "--no-ports", "--out", "c"], tmp_path, env, code=1)
    assert "this is a folder; name a file in it" in done.stderr
    assert not (tmp_path / "c").exists()
    done = run(["--catalog", "http://gms:8080", "init", "--yes", "--no-ports", "--out", "b"], tmp_path, env)
    assert "datahub-llmops --catalog http://gms:8080 lineage NAME" in done.stdout
    server = yaml.safe_load((tmp_path / "b" / "pinecone.dhub.yaml").read_text())
    assert server["sink"]["config"] == {"server": "http://gms:8080", "token": "${DATAHUB_GMS_TOKEN}"}
    done = run(
        ["--catalog", f"http://ada:{SECRET}@gms:8080", "init", "--yes", "--no-ports"], tmp_path, env, code=1
    )
    assert "must not hold a login" in done.stderr
    assert SECRET not in done.stdout + done.stderr
