"""Every connector has its recipe, page, extra, tests and entries; and everything that is registered loads."""

from __future__ import annotations

import importlib
import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from datahub.ingestion.api.sink import Sink
from datahub.ingestion.api.source import Source

from datahub_llmops.assets.platforms import PLATFORMS
from support.paths import ROOT

PROJECT: Mapping[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
ENTRY_POINTS: Mapping[str, Mapping[str, str]] = PROJECT["entry-points"]
SOURCES = ENTRY_POINTS["datahub.ingestion.source.plugins"]
SINKS = ENTRY_POINTS["datahub.ingestion.sink.plugins"]
PACKAGE = ROOT / "connectors" / "datahub_llmops"
SHIPPED = frozenset({"postgres", "elasticsearch", "pinecone", "mlflow"})
"""Platforms that DataHub draws itself."""


def of_room(room: str) -> dict[str, str]:
    return {
        plugin: plugin.removeprefix("llm-")
        for plugin, target in SOURCES.items()
        if target.startswith(f"datahub_llmops.{room}.")
    }


CONNECTORS = of_room("vector_stores")
REGISTRIES = of_room("prompt_registries")


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
    for path in (*PACKAGE.glob("vector_stores/*/*.py"), *PACKAGE.glob("prompt_registries/*/*.py")):
        room = path.parent.parent.name
        module = importlib.import_module(f"datahub_llmops.{room}.{path.parent.name}.{path.stem}")
        own = (
            thing for thing in vars(module).values() if getattr(thing, "__module__", None) == module.__name__
        )
        written.update(thing for thing in own if isinstance(thing, type) and issubclass(thing, Source))
    assert written == {resolve(SOURCES[plugin]) for plugin in (*CONNECTORS, *REGISTRIES)}


def missing(plugin: str, system: str) -> Iterator[str]:
    """What a connector lacks, each with how to add it."""
    source = resolve(SOURCES[plugin])
    extras = PROJECT["optional-dependencies"]
    entry = PLATFORMS.get(source.platform)
    _, room, package, *_ = source.__module__.split(".")
    tests = ROOT / "tests" / room / package
    kind, table = ("Store", "stores.md") if room == "vector_stores" else ("Registry", "registries.md")
    # Without the contract, what the connector declares is only a claim.
    contract = rf"\({kind}Contract\):\n    source = {source.__name__}\n"
    skeleton = f"`make connector NAME={system}` writes one" if kind == "Store" else "docs/add-a-connector.md"
    for there, what, how in (
        ((ROOT / "recipes" / f"{system}.dhub.yaml").is_file(), f"recipes/{system}.dhub.yaml", skeleton),
        ((ROOT / "docs" / "connectors" / f"{system}.md").is_file(), f"docs/connectors/{system}.md", skeleton),
        (
            any(re.search(contract, path.read_text()) for path in tests.glob("test_*.py")),
            f"{tests.relative_to(ROOT)}: a class TestContract({kind}Contract)",
            skeleton,
        ),
        (system in extras, "pyproject.toml: an extra", f"add `{system} = [...]` with what the reader needs"),
        (system in str(extras["all"]), "pyproject.toml: its part of the extra `all`", f"add `{system}`"),
        (
            entry is not None,
            f"assets/platforms.py: an entry {source.platform!r}",
            f"add Platform(name={source.platform!r}, ...)",
        ),
        (
            (entry is not None and entry.logo is not None) or source.platform in SHIPPED,
            f"assets/logos/{system}.svg",
            f"{skeleton}; name it in the platform's entry",
        ),
        (
            f"connectors/{system}.md" in (ROOT / "docs" / table).read_text(),
            f"docs/{table}",
            "`make docs`",
        ),
        (f"`{plugin}`" in (ROOT / "README.md").read_text(), "README.md", "`make docs`"),
        (f"`{plugin}`" in (ROOT / "CHANGELOG.md").read_text(), "CHANGELOG.md", f"add a line with `{plugin}`"),
    ):
        if not there:
            yield f"{what}: {how}"


@pytest.mark.parametrize(("plugin", "system"), sorted({**CONNECTORS, **REGISTRIES}.items()))
def test_a_connector_is_whole(plugin: str, system: str) -> None:
    assert plugin == f"llm-{system}"
    assert list(missing(plugin, system)) == []


def test_what_is_missing_is_said_with_how_to_add_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SOURCES, "llm-acme", SOURCES["llm-chroma"])
    found = list(missing("llm-acme", "acme"))
    assert found[0] == "recipes/acme.dhub.yaml: `make connector NAME=acme` writes one"
    assert [line.partition(":")[0] for line in found[1:]] == [
        "docs/connectors/acme.md",
        "pyproject.toml",
        "pyproject.toml",
        "docs/stores.md",
        "README.md",
        "CHANGELOG.md",
    ]


@pytest.mark.parametrize("plugin", sorted({*SOURCES, *SINKS}))
def test_readme_and_changelog_name_what_is_registered(plugin: str) -> None:
    assert f"`{plugin}`" in (ROOT / "README.md").read_text()
    assert f"`{plugin}`" in (ROOT / "CHANGELOG.md").read_text()


@pytest.mark.parametrize("plugin", sorted(SOURCES))
def test_every_option_is_described(plugin: str) -> None:
    config = resolve(SOURCES[plugin]).get_config_class()
    assert [name for name, field in config.model_fields.items() if not field.description] == []
