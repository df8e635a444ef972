"""What ``doctor`` says of a DataHub server: recorded answers of real ones, and every way to fail."""

from __future__ import annotations

import json
from typing import Any

import pytest

from datahub_llmops.setup.diagnosis import Diagnosis
from datahub_llmops.setup.servers import examine_server
from support.paths import WIRE
from support.stub import FAULTS, Fault, Stub, refused_url, replay

SECRET = "planted-token-5ec7e7"


def recorded(name: str) -> Any:
    (exchange,) = json.loads((WIRE / "gms" / f"{name}.json").read_text(encoding="utf-8"))
    return exchange["response"]["body"]


def serving(config: object) -> Stub:
    return Stub(replay({"GET /config": config}, missing={}))


def examined(url: str, seconds: float = 10) -> list[Diagnosis]:
    found = examine_server(url, SECRET, seconds)
    assert SECRET not in str(found)
    return found


def test_a_server_says_its_version_and_its_plugin() -> None:
    with serving(recorded("config")) as server:
        version, plugin = examined(server.url)
        assert server.calls[0].headers["Authorization"] == f"Bearer {SECRET}"
    assert (version.verdict, version.message) == ("ok", "It answers: DataHub 1.7.0 (tested: 1.7.0).")
    assert (plugin.verdict, plugin.message) == (
        "ok",
        "Typed aspects are off: the server has no model plugin datahub-llmops.",
    )
    assert plugin.to_do == "See docs/install-on-server.md for how to install it."


@pytest.mark.parametrize(
    ("name", "words"),
    [("config_plugin_loaded", "datahub-llmops models install"), ("config_plugin_failed", "could not load")],
)
def test_an_old_plugin_and_one_that_failed_are_not_ok(name: str, words: str) -> None:
    with serving(recorded(name)) as server:
        _, plugin = examined(server.url)
    assert plugin.verdict == "not ok"
    assert words in plugin.message


def test_another_version_is_not_known() -> None:
    config = recorded("config")
    config["versions"]["acryldata/datahub"]["version"] = "v1.9.0"
    with serving(config) as server:
        version, _ = examined(server.url)
    assert (version.verdict, version.message) == ("not known", "It answers: DataHub 1.9.0 (tested: 1.7.0).")
    with serving({"noCode": "true", "models": {}}) as server:
        assert examined(server.url)[0].verdict == "not known"


@pytest.mark.parametrize("fault", FAULTS)
def test_a_server_that_fails_is_not_ok(fault: Fault) -> None:
    with serving(recorded("config")) as server:
        server.fail(fault)
        (found,) = examined(server.url, seconds=1)
    assert found.verdict == "not ok"
    assert found.message
    assert found.to_do


def test_a_server_that_is_down_says_what_to_do() -> None:
    with refused_url() as url:
        (found,) = examined(url)
    assert (found.message, found.to_do) == (
        "Nobody answers there (connection refused).",
        "Start the server or correct the address.",
    )


def test_a_login_in_the_address_is_not_shown() -> None:
    (found,) = examined(f"http://ada:{SECRET}@127.0.0.1:9")
    assert found.verdict == "not ok"
