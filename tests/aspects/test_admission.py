"""What a run writes of our aspects, against recorded ``/config`` bodies; the version is edited for older and newer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from aspects.examples import INDEX, WIRE, examples, row
from datahub_llmops.aspects.admission import (
    AspectGate,
    Decision,
    FieldPaths,
    PluginState,
    decide,
    plugin_state,
    released_fields,
)
from datahub_llmops.aspects.base import LlmopsAspect
from datahub_llmops.aspects.generated import (
    ASPECTS,
    SCHEMAS_VERSION,
    PromptInfoClass,
    VectorIndexInfoClass,
    VectorIndexVectorsClass,
)
from datahub_llmops.aspects.manifest import version_key
from datahub_llmops.errors import AspectValueError, CatalogError


def recorded(name: str, version: str | None = None) -> dict[str, Any]:
    """A recorded ``/config`` body, the plugin's version exchanged where one is given."""
    (exchange,) = json.loads((WIRE / f"{name}.json").read_text(encoding="utf-8"))
    body: dict[str, Any] = exchange["response"]["body"]
    if version is not None:
        (said,) = body["models"]["datahub-llmops"].values()
        body["models"]["datahub-llmops"] = {version: said}
    return body


OURS = "0.3.0"
EVERYTHING = released_fields()[SCHEMAS_VERSION]
VERSIONS: Mapping[str, FieldPaths] = {
    "0.1.0": {"vectorIndexInfo": frozenset({"engine", "region"})},
    "0.2.0": {
        "vectorIndexInfo": frozenset({"engine", "region", "aliases"}),
        "vectorIndexVectors": frozenset(
            {"vectors"}
            | {f"vectors.{name}" for name in row("a")._inner_dict if name not in ("dimension", "elementType")}
        ),
    },
    OURS: EVERYTHING,
}


def asked(config: Mapping[str, Any]) -> Decision:
    return decide("auto", "server", config=config, ours=OURS, versions=VERSIONS)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (recorded("config"), PluginState(state="none")),
        (recorded("config_plugin_loaded", "0.2.0"), PluginState(state="older", version="0.2.0")),
        (recorded("config_plugin_loaded", OURS), PluginState(state="same", version=OURS)),
        (recorded("config_plugin_loaded", "0.10.0"), PluginState(state="newer", version="0.10.0")),
        (
            recorded("config_plugin_failed", OURS),
            PluginState(
                state="failed",
                version=OURS,
                reason="java.lang.IllegalArgumentException: Aspect vectorIndexInfo does not exist",
            ),
        ),
    ],
    ids=["none", "older", "same", "newer", "failed"],
)
def test_the_five_states(config: dict[str, Any], expected: PluginState) -> None:
    assert plugin_state(config, OURS) == expected


def test_without_a_plugin_nothing_is_written_and_the_way_out_is_said() -> None:
    decision = asked(recorded("config"))
    assert not decision.enabled
    assert not decision.warning
    assert "docs/install-on-server.md" in decision.message


@pytest.mark.parametrize("version", [OURS, "0.3", "1.0.0"])
def test_the_same_or_a_newer_plugin_gets_everything(version: str) -> None:
    decision = asked(recorded("config_plugin_loaded", version))
    assert decision.fields == EVERYTHING
    assert version in decision.message


def test_a_plugin_that_failed_gets_nothing_and_a_warning_with_the_reason() -> None:
    decision = asked(recorded("config_plugin_failed", OURS))
    assert not decision.enabled
    assert decision.warning
    assert "Aspect vectorIndexInfo does not exist" in decision.message


@pytest.mark.parametrize(("loaded", "known"), [("0.2.0", "0.2.0"), ("0.2.5", "0.2.0"), ("0.1.0", "0.1.0")])
def test_an_older_plugin_gets_what_it_knows(loaded: str, known: str) -> None:
    decision = asked(recorded("config_plugin_loaded", loaded))
    assert decision.fields == VERSIONS[known]
    assert decision.warning
    assert "models install" in decision.message


def test_a_version_below_all_that_is_known_gets_nothing() -> None:
    decision = asked(recorded("config_plugin_loaded", "0.0.9"))
    assert not decision.enabled
    assert decision.warning


def test_the_highest_loaded_version_counts_and_a_failed_one_beside_it_does_not() -> None:
    config = recorded("config_plugin_loaded", "0.2.0")
    failed = recorded("config_plugin_failed")["models"]["datahub-llmops"]["0.1.0"]
    loaded = config["models"]["datahub-llmops"]["0.2.0"]
    config["models"]["datahub-llmops"] = {"0.10.0": loaded, "0.9.0": loaded, "0.11.0": failed}
    found = plugin_state(config, OURS)
    assert (found.state, found.version) == ("newer", "0.10.0")
    assert found.reason


@pytest.mark.parametrize(
    "models", [None, [], "x", {"datahub-llmops": None}, {"datahub-llmops": {"0.1.0": "x"}}]
)
def test_a_config_of_another_shape_writes_nothing(models: object) -> None:
    assert not asked({"models": models}).enabled
    assert not asked({}).enabled


def test_a_server_that_cannot_be_asked_gets_nothing_and_a_warning() -> None:
    decision = decide("auto", "server", problem="nobody answers there")
    assert not decision.enabled
    assert decision.warning
    assert "nobody answers there" in decision.message


def test_where_no_server_is() -> None:
    assert decide("auto", "local").fields == EVERYTHING
    assert not decide("auto", "file").enabled
    assert "custom_aspects: on" in decide("auto", "file").message


@pytest.mark.parametrize("target", ["local", "server", "file"])
def test_on_and_off_ask_nobody(target: Any) -> None:
    assert decide("on", target).fields == EVERYTHING
    assert not decide("off", target).enabled


def test_the_table_knows_every_field_of_every_aspect() -> None:
    assert set(EVERYTHING) == {kind.ASPECT_NAME for kind in ASPECTS}
    everything = decide("on", "local")
    for _, aspect in examples():
        assert everything.cut(aspect) == aspect


def test_an_aspect_is_cut_down_to_what_is_known() -> None:
    full = VectorIndexInfoClass(engine="chroma", region="eu", aliases="a", indexType="hnsw")
    decision = asked(recorded("config_plugin_loaded", "0.2.0"))
    assert decision.cut(full) == VectorIndexInfoClass(engine="chroma", region="eu", aliases="a")
    assert decision.cut(PromptInfoClass(registry="langfuse")) is None
    assert full.indexType == "hnsw"


def test_records_inside_are_cut_too() -> None:
    cut = asked(recorded("config_plugin_loaded", "0.2.0")).cut(VectorIndexVectorsClass(vectors=[row("a", 3)]))
    assert cut is not None
    assert cut.vectors[0].dimension is None
    assert cut.vectors[0].metric == "cosine"


@pytest.mark.parametrize(
    ("lower", "higher"), [("0.1.0", "0.2.0"), ("0.9.0", "0.10.0"), ("1.0.0-rc1", "1.0.0"), ("0.9", "1")]
)
def test_versions_are_ordered_as_numbers(lower: str, higher: str) -> None:
    assert version_key(lower) < version_key(higher)
    assert version_key("0.1") == version_key("0.1.0")


class Server:
    """Takes all aspects but those of some names."""

    def __init__(self, *refuses: str) -> None:
        self.refuses = refuses
        self.sent: list[str] = []

    def write(self, urn: str, aspect: LlmopsAspect) -> None:
        self.sent.append(aspect.ASPECT_NAME)
        if aspect.ASPECT_NAME in self.refuses:
            raise CatalogError(f"Unknown aspect {aspect.ASPECT_NAME} for entity dataset")


def test_an_aspect_that_is_refused_all_the_same_is_left_out_and_reported_once() -> None:
    server, reports = Server("vectorIndexInfo"), list[tuple[str, str]]()
    gate = AspectGate(
        decide("on", "server"), send=server.write, report_rejection=lambda *report: reports.append(report)
    )
    for _ in range(3):
        assert gate.admit(INDEX, VectorIndexInfoClass(engine="chroma")) is None
        assert gate.admit(INDEX, PromptInfoClass(registry="langfuse")) is not None
    assert server.sent == ["vectorIndexInfo", "promptInfo"]
    assert reports == [("vectorIndexInfo", "Unknown aspect vectorIndexInfo for entity dataset")]


def test_nothing_is_sent_of_what_is_off_or_not_valid() -> None:
    server = Server()
    assert (
        AspectGate(decide("off", "server"), send=server.write).admit(INDEX, PromptInfoClass(registry="x"))
        is None
    )
    with pytest.raises(AspectValueError, match="vectors must not be empty"):
        AspectGate(decide("on", "server"), send=server.write).admit(
            INDEX, VectorIndexVectorsClass(vectors=[])
        )
    assert server.sent == []


def test_a_local_catalog_needs_no_trial() -> None:
    aspect = PromptInfoClass(registry="x")
    assert AspectGate(decide("auto", "local")).admit(INDEX, aspect) == aspect
