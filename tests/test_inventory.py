"""Every connector is whole: module, recipe, page, extra, test; and everything that is registered loads."""

from __future__ import annotations

import importlib
import re
import tomllib
from collections.abc import Mapping
from typing import Any

import pytest
from datahub.ingestion.api.sink import Sink
from datahub.ingestion.api.source import Source

from support.paths import ROOT

PROJECT: Mapping[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
ENTRY_POINTS: Mapping[str, Mapping[str, str]] = PROJECT["entry-points"]
SOURCES = ENTRY_POINTS["datahub.ingestion.source.plugins"]
SINKS = ENTRY_POINTS["datahub.ingestion.sink.plugins"]
PACKAGE = ROOT / "connectors" / "datahub_llmops"
CONNECTORS = {
    plugin: plugin.removeprefix("llm-")
    for plugin, target in SOURCES.items()
    if target.startswith("datahub_llmops.vector_stores.")
}


def resolve(target: str) -> Any:
    module, _, name = target.partition(":")
    return getattr(importlib.import_module(module), name)


def test_there_are_connectors() -> None:
    assert CONNECTORS["llm-chroma"] == "chroma"


@pytest.mark.parametrize("group", sorted(ENTRY_POINTS))
def test_what_is_registered_loads_and_is_prefixed(group: str) -> None:
    # A name that DataHub has, or will have, breaks every recipe of the environment.
    for plugin, target in ENTRY_POINTS[group].items():
        assert plugin.startswith("llm-")
        assert isinstance(resolve(target), type)


def test_sources_and_sinks_are_datahubs() -> None:
    assert all(issubclass(resolve(target), Source) for target in SOURCES.values())
    assert all(issubclass(resolve(target), Sink) for target in SINKS.values())


def test_no_slot_of_the_whole_environment_is_taken() -> None:
    # Only one package in an environment may hold it: a second one breaks `import datahub` for everybody.
    assert "datahub.custom_packages" not in ENTRY_POINTS


def test_no_connector_is_left_unregistered() -> None:
    written: set[type] = set()
    for path in (PACKAGE / "vector_stores").glob("*/*.py"):
        module = importlib.import_module(f"datahub_llmops.vector_stores.{path.parent.name}.{path.stem}")
        own = (
            thing for thing in vars(module).values() if getattr(thing, "__module__", None) == module.__name__
        )
        written.update(thing for thing in own if isinstance(thing, type) and issubclass(thing, Source))
    assert written == {resolve(SOURCES[plugin]) for plugin in CONNECTORS}


@pytest.mark.parametrize(("plugin", "system"), sorted(CONNECTORS.items()))
def test_a_connector_has_recipe_page_extra_test_and_logo(plugin: str, system: str) -> None:
    assert plugin == f"llm-{system}"
    assert (ROOT / "recipes" / f"{system}.dhub.yaml").is_file()
    assert (ROOT / "docs" / "connectors" / f"{system}.md").is_file()
    folder = resolve(SOURCES[plugin]).__module__.split(".")[2]
    tests = list((ROOT / "tests" / "vector_stores" / folder).glob("test_*.py"))
    # Of the contract: without it, what the connector declares to tell is only a claim.
    contract = rf"\(StoreContract\):\n    source = {resolve(SOURCES[plugin]).__name__}\n"
    assert any(re.search(contract, path.read_text()) for path in tests)
    assert system in PROJECT["optional-dependencies"]
    assert system in str(PROJECT["optional-dependencies"]["all"])
    assert f"connectors/{system}.md" in (ROOT / "docs" / "index.md").read_text()


@pytest.mark.parametrize("plugin", sorted({*SOURCES, *SINKS}))
def test_readme_and_changelog_name_what_is_registered(plugin: str) -> None:
    assert f"`{plugin}`" in (ROOT / "README.md").read_text()
    assert f"`{plugin}`" in (ROOT / "CHANGELOG.md").read_text()


@pytest.mark.parametrize("plugin", sorted(SOURCES))
def test_every_option_is_described(plugin: str) -> None:
    config = resolve(SOURCES[plugin]).get_config_class()
    assert [name for name, field in config.model_fields.items() if not field.description] == []


def test_the_platform_of_every_connector_has_a_logo() -> None:
    platforms = {resolve(SOURCES[plugin]).platform for plugin in CONNECTORS}
    logos = {path.stem for path in (PACKAGE / "mapping" / "logos").glob("*.svg")}
    # DataHub ships these itself.
    assert platforms - {"postgres", "elasticsearch", "pinecone"} <= logos
