"""Completion in real shells: commands, options and names of assets. Whatever is wrong offers nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from catalog.recorded import proposals, write_local
from datahub_llmops.cli.main import main
from support.stub import Stub, answer_json
from support.terminal import Terminal

BIN = Path(sys.executable).parent


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_local(tmp_path / "catalog.db", proposals()).close()
    return tmp_path / "catalog.db"


def environment(catalog: Path | str) -> dict[str, str]:
    return {
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "HOME": os.environ["HOME"],
        "DATAHUB_LLMOPS_CATALOG": str(catalog),
    }


def offered(typed: str, *before: str) -> list[str]:
    """What is offered for ``typed`` behind other words, in this process."""
    shell = ShellComplete(main, {}, "datahub-llmops", "_DATAHUB_LLMOPS_COMPLETE")
    return [item.value for item in shell.get_completions(list(before), typed)]


def shell(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def test_bash_completes_names_of_assets(path: Path) -> None:
    script = """
    eval "$(datahub-llmops completion bash)"
    complete -p datahub-llmops
    for typed in revi shop.public.c "postgres : shop.public.c" "chroma :"; do
        COMP_WORDS=(datahub-llmops show $typed); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); COMPREPLY=()
        $(complete -p datahub-llmops | sed 's/.*-F \\([^ ]*\\).*/\\1/') datahub-llmops $typed show
        echo "${COMPREPLY[@]}"
    done
    """
    done = subprocess.run(
        [shell("bash"), "--norc", "-c", script],
        env=environment(path),
        capture_output=True,
        text=True,
        check=True,
    )
    first, *completed = done.stdout.splitlines()
    assert first.endswith(" datahub-llmops")
    # Bash ends a word at a colon, and puts what is offered behind it.
    assert completed == [
        "reviews reviews-retriever",
        "shop.public.customers",
        "shop.public.customers",
        "default_database.reviews",
    ]
    assert done.stderr == ""


def test_fish_completes_with_descriptions(path: Path) -> None:
    script = 'datahub-llmops completion fish | source; complete -C "datahub-llmops check revi"'
    done = subprocess.run(
        [shell("fish"), "--no-config", "-c", script],
        env=environment(path),
        capture_output=True,
        text=True,
        check=True,
    )
    assert "reviews\tTable · postgres or Vector Collection · chroma" in done.stdout.splitlines()


def test_zsh_completes_at_a_prompt(path: Path, tmp_path: Path) -> None:
    with Terminal([shell("zsh"), "-f", "-i"], cwd=tmp_path, env=environment(path)) as zsh:
        zsh.press(
            'PS1="ready> "; autoload -U compinit; compinit -u -D; eval "$(datahub-llmops completion zsh)"\n'
        )
        zsh.expect("zsh)")
        zsh.expect("ready> ")
        zsh.press("datahub-llmops show shop.public.cust\t")
        zsh.expect("shop.public.customers")


def test_a_name_is_as_long_as_what_was_typed(path: Path) -> None:
    where = ("--catalog", str(path), "lineage")
    assert offered("REVI", *where)[0] == "reviews"
    assert offered("default_database.r", *where) == ["default_database.reviews"]
    assert offered("chroma:default", *where) == ["chroma:default_database.reviews"]
    assert offered("nobody", *where) == []
    assert "reviews" in offered("", *where)


def test_what_is_wrong_offers_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATAHUB_LLMOPS_CATALOG", str(tmp_path / "absent.db"))
    assert offered("r", "show") == []
    broken = tmp_path / "broken.db"
    broken.write_bytes(b"SQLite format 3\0" + b"\xff" * 5000)
    assert offered("r", "--catalog", str(broken), "show") == []
    with Stub(lambda call: answer_json({})) as server:
        assert offered("r", "--catalog", server.url, "show") == []
        assert server.calls == []
    assert not any(tmp_path.glob("absent*"))
    assert capfd.readouterr() == ("", "")


def test_an_unknown_shell_is_named() -> None:
    done = CliRunner().invoke(main, ["completion", "tcsh"])
    assert done.exit_code == 2
    assert "'bash', 'zsh', 'fish'" in done.stderr
