"""Which catalogs, answer stores and servers are examined: those that are named, and nothing twice."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml

from datahub_llmops.setup import doctor
from datahub_llmops.setup.diagnosis import Diagnosis, in_time, report
from datahub_llmops.setup.doctor import examine
from setup.test_servers import recorded, serving
from support.stub import Stub


@pytest.fixture(autouse=True)
def _at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("XDG_DATA_HOME", "XDG_STATE_HOME", "HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)


def put(name: str, kind: str, sink: str | dict[str, Any], **config: Any) -> None:
    written = {"type": "llm-local", "config": {"path": sink}} if isinstance(sink, str) else sink
    Path(name).write_text(yaml.safe_dump({"source": {"type": kind, "config": config}, "sink": written}))


def names(found: Iterable[Diagnosis], section: str) -> list[str]:
    return list(dict.fromkeys(one.name for one in found if one.section == section))


def test_an_empty_folder_has_versions_and_the_default_files(tmp_path: Path) -> None:
    found = examine([], None, 5, 7)
    assert names(found, "recipes") == []
    assert names(found, "catalog") == [str(tmp_path / "home" / "datahub-llmops" / "catalog.db")]
    assert names(found, "hooks") == [str(tmp_path / "home" / "datahub-llmops" / "answers.db")]
    assert list(tmp_path.iterdir()) == []


def test_everything_that_recipes_name_is_examined_once(server: Stub) -> None:
    rest = {"type": "datahub-rest", "config": {"server": server.url}}
    put("a.dhub.yaml", "llm-runs", "./c.db", store="./answers.db")
    put("b.dhub.yaml", "llm-runs", "c.db", store="./answers.db")
    put("c.dhub.yaml", "llm-runs", rest, store="./others.db")
    put("d.dhub.yaml", "llm-runs", rest)
    found = examine([], server.url, 5, 7)
    assert names(found, "recipes") == ["a.dhub.yaml", "b.dhub.yaml", "c.dhub.yaml", "d.dhub.yaml"]
    assert names(found, "catalog") == ["./c.db"]
    assert names(found, "server") == [server.url]
    assert [Path(name).name for name in names(found, "hooks")] == ["answers.db", "others.db", "answers.db"]
    assert len(server.calls) == 1


def test_the_catalog_of_the_option_is_examined(tmp_path: Path) -> None:
    found = examine([], str(tmp_path / "mine.db"), 5, 7)
    assert names(found, "catalog") == [str(tmp_path / "mine.db")]


def slowly(*_: object) -> list[Any]:
    time.sleep(2)
    return []


def test_what_takes_too_long_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    (found,) = in_time("server", "http://gms", 0.05, slowly)
    assert (found.verdict, found.name) == ("not known", "http://gms")
    monkeypatch.setattr(doctor, "find_recipes", slowly)
    (hung,) = (one for one in examine([], None, 0.5, 7) if one.section == "recipes")
    assert (hung.verdict, hung.message) == ("not known", "No verdict within 0.5 seconds.")


def test_the_report_is_json_by_sections_with_one_verdict() -> None:
    found = report(
        [
            Diagnosis(section="server", name="b", verdict="not known", message="m"),
            Diagnosis(section="versions", name="a", verdict="ok", message="m", to_do="t"),
        ]
    )
    assert json.loads(json.dumps(found)) == {
        "verdict": "not known",
        "diagnoses": [
            {"section": "versions", "name": "a", "verdict": "ok", "message": "m", "to_do": "t"},
            {"section": "server", "name": "b", "verdict": "not known", "message": "m", "to_do": None},
        ],
    }


@pytest.fixture
def server() -> Iterable[Stub]:
    with serving(recorded("config")) as found:
        yield found
