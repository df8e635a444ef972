"""What the commands say of an application by its short name, and of a term that is not an asset."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from datahub_llmops.cli.agent_tools import Tools
from datahub_llmops.cli.main import main
from governance.estate import ANSWERS, BOT, INDEX, NOW, RETRIEVER, estate, milliseconds, write

PERSONAL = "urn:li:glossaryTerm:Privacy.Personal"


def usage(**more: Any) -> dict[str, Any]:
    return {
        "timestampMillis": milliseconds(NOW),
        "eventGranularity": {"unit": "DAY", "multiple": 1},
        "partitionSpec": {"partition": "host=a", "type": "PARTITION"},
        "calls": 40,
        **more,
    }


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "catalog.db"
    write(found, estate()).close()
    return found


def output(path: Path, *words: str, code: int = 0) -> str:
    done = CliRunner().invoke(main, ["--catalog", str(path), *words])
    assert done.exit_code == code, done.output
    return done.output


def test_the_short_name_of_an_application_is_its_job(path: Path) -> None:
    assert json.loads(output(path, "show", "docs-bot", "--json"))["urn"] == BOT


def test_an_application_shows_the_usage_of_its_answer_log(path: Path) -> None:
    shown = output(path, "show", "docs-bot")
    assert "214 calls on 1 day (2026-11-28)" in shown
    assert re.search("^Cost +not known$", shown, re.MULTILINE)
    assert json.loads(output(path, "show", ANSWERS, "--json"))["usage"]["calls"] == 214


def test_an_application_shows_its_tokens_and_cost(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    typed = usage(errors=1, inputTokens=1000, outputTokens=50, cost=0.25, currency="EUR")
    write(path, {**estate(), (ANSWERS, "llmUsage"): typed}).close()
    shown = output(path, "show", "docs-bot")
    assert "40 calls on 1 day (2026-11-29), 1 of them with errors" in shown
    assert "1,000 in, 50 out" in shown
    assert "0.2500 EUR" in shown


def test_what_nobody_uses_shows_no_usage(path: Path) -> None:
    assert "usage" not in json.loads(output(path, "show", INDEX, "--json"))


@pytest.mark.parametrize("named", ["Privacy.Personal", PERSONAL])
def test_affected_points_from_a_term_to_show(path: Path, named: str) -> None:
    assert f"what carries it: datahub-llmops show {named}" in output(path, "affected", named, code=1)


def test_an_agent_gets_the_candidates_of_an_ambiguous_name(path: Path) -> None:
    tools = Tools(where=str(path))
    assert tools.check_index("docs") == {
        "error": "ambiguous_name",
        "verdict": "not known",
        "hint": "Several assets have this name: use one of the candidates.",
        "candidates": {"count": 2, "urns": sorted([INDEX, RETRIEVER])},
    }
