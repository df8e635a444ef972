"""What was found is put together: a server that variables name is one system, and a login goes nowhere else."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from datahub_llmops.setup.discovery import Discovery, discover
from datahub_llmops.setup.ports import PROBES, Probe
from support.stub import Reply, Stub, answer_json

QDRANT = next(probe for probe in PROBES if probe.system is not None and probe.system.key == "qdrant")


def found(folder: Path, environment: dict[str, str], *probes: Probe) -> list[tuple[str, dict[str, str]]]:
    looked: Discovery = discover(folder, environment, probes)
    return [(one.system.key, dict(one.values)) for one in looked.candidates]


@pytest.fixture(autouse=True)
def _no_store_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATAHUB_LLMOPS_STORE", str(tmp_path / "elsewhere" / "answers.db"))


def test_a_server_that_runs_here_and_that_a_variable_names_is_one(tmp_path: Path) -> None:
    with Stub(lambda call: answer_json({"title": "qdrant - vector search engine"})) as server:
        probe = replace(QDRANT, port=server.port)
        here = ("qdrant", {"url": f"http://localhost:{server.port}"})
        assert found(tmp_path, {}, probe) == [here]
        # A key without an address may be about this server.
        with_key = {**here[1], "api_key": "${QDRANT_API_KEY}"}
        key_alone = found(tmp_path, {"QDRANT_API_KEY": "k"}, probe)
        assert ("qdrant", with_key) in key_alone
        same = {"QDRANT_URL": f"http://127.0.0.1:{server.port}/", "QDRANT_API_KEY": "k"}
        by_name = ("qdrant", {"url": "${QDRANT_URL}", "api_key": "${QDRANT_API_KEY}"})
        assert found(tmp_path, same, probe) == [by_name]
        # Its key is not for the server of this machine.
        other = {**same, "QDRANT_URL": "http://q.acme.example:6333"}
        assert sorted(found(tmp_path, other, probe), key=str) == sorted([by_name, here], key=str)


def test_a_server_that_asks_for_a_login_gets_a_variable_for_it_that_holds_no_other_login(
    tmp_path: Path,
) -> None:
    refusal = Reply(status=401, body=b"Must provide an API key or an Authorization bearer token")
    with Stub(lambda call: refusal) as server:
        probe = replace(QDRANT, port=server.port)
        url = f"http://localhost:{server.port}"
        asked = [("qdrant", {"url": url, "api_key": "${QDRANT_API_KEY}"})]
        assert found(tmp_path, {}, probe) == asked
        elsewhere = {"QDRANT_URL": "http://q.acme.example:6333", "QDRANT_API_KEY": "k"}
        assert ("qdrant", {"url": url, "api_key": "${LOCAL_QDRANT_API_KEY}"}) in found(
            tmp_path, elsewhere, probe
        )


def test_an_address_that_is_not_known_is_taken_for_the_server_that_runs_here(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("QDRANT_URL=http://anywhere\n")
    with Stub(lambda call: answer_json({"title": "qdrant - vector search engine"})) as server:
        assert found(tmp_path, {}, replace(QDRANT, port=server.port)) == [
            ("qdrant", {"url": "${QDRANT_URL}"})
        ]


def test_the_users_own_answer_store_is_found_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = tmp_path / "elsewhere" / "answers.db"
    store.parent.mkdir()
    database = sqlite3.connect(store)
    database.execute(f"PRAGMA application_id = {0x44484C53}")
    database.execute("CREATE TABLE t (a)")
    database.close()
    assert found(tmp_path, {}) == [("runs", {"store": "./elsewhere/answers.db"})]
    project = tmp_path / "project"
    project.mkdir()
    assert found(project, {}) == [("runs", {"store": str(store)})]


def test_clients_without_a_system_are_hints(tmp_path: Path) -> None:
    hints = {system.key for system in discover(tmp_path, {}, ()).hints}
    assert "chroma" in hints
    assert "chroma" not in {system.key for system in discover(tmp_path, {"CHROMA_URL": "http://c"}, ()).hints}


def test_recipes_come_in_the_order_in_which_they_should_run(tmp_path: Path) -> None:
    environment = dict.fromkeys(("LANGFUSE_HOST", "QDRANT_URL", "CHROMA_URL", "PHOENIX_API_KEY"), "x")
    assert [key for key, _ in found(tmp_path, environment)] == ["chroma", "qdrant", "langfuse", "phoenix"]
