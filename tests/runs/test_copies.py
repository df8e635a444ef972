"""An application whose code holds a copy of a registry's template is linked to the version that it copied."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from datahub.metadata.schema_classes import DatasetLineageTypeClass, UpstreamClass
from datahub.specific.dataset import DatasetPatchBuilder
from langchain_core.prompts import ChatPromptTemplate

import datahub_llmops.hooks as lineage
from datahub_llmops import urns
from datahub_llmops.answers.resolver import Resolver
from datahub_llmops.assets.templates import Message, Template, digest, short_digest
from datahub_llmops.catalog.local.catalog import LocalCatalog
from datahub_llmops.ingestion.prompt_originals import Originals, PromptOriginals
from datahub_llmops.mapping.application_aspects import prompt_aspect
from hooks.parts import Model
from runs.world import World
from support.scripted_prompts import PLATFORM, SOURCE, clear, fill, prompt, version

MESSAGES = [("system", "Answer from {context}."), ("human", "{question}")]
DIGEST = digest(MESSAGES, "f-string")
COPY = urns.prompt("langchain", "support-bot", DIGEST, env="PROD")
PEOPLES = "urn:li:dataset:(urn:li:dataPlatform:git,notes,PROD)"


@pytest.fixture(autouse=True)
def registry() -> Iterator[None]:
    clear()
    yield
    clear()


def template(system: str = "Answer from {{context}}.") -> Template:
    """As a registry keeps it, in other words than LangChain."""
    written = (Message(role="system", text=system), Message(role="user", text="{{ question }} "))
    return Template(messages=written, format="mustache", is_chat=True)


def same(number: str) -> Any:
    return version(number, template=template())


def other(number: str) -> Any:
    return version(number, template=template("Reply from {{context}}."))


def ask(world: World) -> None:
    with lineage.answer():
        Model().invoke(ChatPromptTemplate.from_messages(MESSAGES).invoke({"context": "c", "question": "q"}))
    world.runs()


def upstreams(world: World) -> dict[str, Any]:
    found = (world.aspect(COPY, "upstreamLineage") or {}).get("upstreams", [])
    return {edge["dataset"]: (edge["type"], edge.get("properties")) for edge in found}


def urn(name: str, number: str) -> str:
    return urns.prompt_version(PLATFORM, name, number, env="PROD")


def test_a_copy_leads_to_the_newest_version_with_its_template_of_each_prompt(world: World) -> None:
    fill(
        prompt("answer", same("1"), same("9"), same("10"), other("11")),
        prompt("elsewhere", same("1")),
        prompt("near", other("1")),
    )
    world.ingest(SOURCE, {})
    ask(world)
    edge = ("COPY", {"found_by": "digest", "last_seen": datetime.now(UTC).date().isoformat()})
    assert upstreams(world) == {urn("answer", "10"): edge, urn("elsewhere", "1"): edge}


def test_it_moves_to_a_newer_version_and_what_people_drew_stays(world: World) -> None:
    fill(prompt("answer", same("1"), same("2"), other("3")))
    world.ingest(SOURCE, {})
    drawn = DatasetPatchBuilder(COPY)
    for upstream, properties in (
        (PEOPLES, None),
        (urn("answer", "1"), {"found_by": "digest", "last_seen": "2026-01-01"}),
        (urn("answer", "3"), None),
    ):
        drawn.add_upstream_lineage(
            UpstreamClass(dataset=upstream, type=DatasetLineageTypeClass.TRANSFORMED, properties=properties)
        )
    world.emit(*drawn.build())
    ask(world)
    found = upstreams(world)
    assert found.keys() == {PEOPLES, urn("answer", "2"), urn("answer", "3")}
    assert found[PEOPLES] == found[urn("answer", "3")] == ("TRANSFORMED", None)


def test_a_template_that_no_registry_has_comes_from_nowhere(world: World) -> None:
    fill(prompt("near", other("1")))
    world.ingest(SOURCE, {})
    ask(world)
    assert world.aspect(COPY, "datasetProperties") is not None
    assert upstreams(world) == {}


def test_without_a_catalog_nothing_is_known() -> None:
    assert PromptOriginals(catalog=None).of(DIGEST) == Originals()


def test_what_earlier_releases_recorded_keeps_its_urn_and_equals_no_registrys(world: World) -> None:
    plain = DIGEST.removeprefix("t1:")
    resolver = Resolver([], env="PROD")
    asset = resolver.prompt({"digest": plain}, "support-bot", "langchain")
    assert asset == f"urn:li:dataset:(urn:li:dataPlatform:langchain,support-bot.prompt-{plain[:12]},PROD)"
    old, new = (prompt_aspect(asset, {"digest": one}, {}) for one in (plain, DIGEST))
    assert old is not None
    assert new is not None
    assert (old.templateDigest, new.templateDigest) == (f"sha256:{plain}", DIGEST)
    fill(prompt("answer", same("1")))
    world.ingest(SOURCE, {})
    catalog = LocalCatalog(world.catalog)
    found = PromptOriginals(catalog=catalog)
    assert (found.of(plain), found.of(DIGEST).newest) == (Originals(), (urn("answer", "1"),))
    assert found.short_digests() == {short_digest(DIGEST)}
    catalog.close()
