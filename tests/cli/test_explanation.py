"""What ``explain`` prints for people: short names, one arrow, a legend, and edges that are not confirmed."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from datahub.metadata.schema_classes import (
    DatasetLineageTypeClass,
    DatasetPropertiesClass,
    UpstreamClass,
    UpstreamLineageClass,
)
from langchain_core.documents import Document

import datahub_llmops.hooks as lineage
from datahub_llmops.cli.main import main
from datahub_llmops.mapping.edge_properties import key_proposal
from datahub_llmops.mapping.proposals import propose
from runs.world import INDEX, TABLE, World

SINCE = "2026-11-29T05:30:00+00:00"
NAMESAKE = "urn:li:dataset:(urn:li:dataPlatform:chroma,other_database.docs,PROD)"


@pytest.fixture
def answer(world: World) -> str:
    """An answer from an index that a table feeds by an edge that is not confirmed, and a namesake of it."""
    world.index()
    answer = world.ask()
    world.connector()
    world.runs()
    marked = UpstreamClass(
        dataset=TABLE,
        type=DatasetLineageTypeClass.TRANSFORMED,
        properties={"found_by": "declared", "not_confirmed_since": SINCE},
    )
    also = UpstreamClass(dataset=NAMESAKE, type=DatasetLineageTypeClass.COPY)
    world.emit(
        key_proposal(TABLE),
        propose(NAMESAKE, DatasetPropertiesClass(name="docs")),
        propose(INDEX, UpstreamLineageClass(upstreams=[marked, also])),
    )
    return answer


def explain(world: World, *arguments: str) -> str:
    assert world.handle.flush(5)
    return invoke("--catalog", str(world.catalog), "explain", *arguments, "--store", str(world.store))


def invoke(*command: str) -> str:
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_an_edge_that_is_not_confirmed_is_named(world: World, answer: str) -> None:
    line = "  shop.public.articles → chroma:default_database.docs not confirmed since 2026-11-29 05:30 UTC\n"
    assert line in explain(world, answer)
    assert json.loads(explain(world, answer, "--json"))["not_confirmed"] == [
        {"upstream": TABLE, "downstream": INDEX, "since": SINCE}
    ]


def test_a_source_that_does_not_tell_when_it_changed_is_named_under_freshness(
    world: World, answer: str
) -> None:
    section = explain(world, answer).partition("4. Jobs")[2].partition("5. Models")[0]
    assert "  freshness not known: when chroma:other_database.docs, shop.public.articles changed\n" in section


def test_names_are_short_and_those_of_two_are_whole(world: World, answer: str) -> None:
    printed = explain(world, answer)
    assert "urn:li:" not in printed
    assert "->" not in printed
    assert "  shop.public.articles  Dataset · postgres [row]\n" in printed
    assert "  chroma:default_database.docs  Vector Collection · chroma [index]\n" in printed
    assert "  chroma:other_database.docs  Dataset · chroma [index]\n" in printed


def test_the_legend_says_what_this_explanation_has(world: World, answer: str) -> None:
    printed = explain(world, answer)
    assert "[row]: the chunk has the key of its row" in printed
    assert "[index]: it feeds the index as a whole" in printed
    assert "[source]:" not in printed
    assert "long ids are cut" not in printed


def test_without_a_catalog_it_names_the_index_and_how_to_name_a_catalog(world: World) -> None:
    world.index()
    answer = world.ask()
    assert world.handle.flush(5)
    printed = invoke("explain", answer, "--store", str(world.store))
    section = printed.partition("3. Sources\n")[2].partition("4. Jobs")[0]
    assert section == "  chroma:default_database.docs  the index that was searched\n"
    assert "Name a catalog: datahub-llmops --catalog" in printed


def test_a_digest_as_the_id_of_a_chunk_is_cut(world: World) -> None:
    digest = "83ba6e7fb73df6b57d9c17518e475549c8d61d6ff6a835583cb68e5751b87738"
    with lineage.job("embed", source=TABLE):
        world.chroma().add_documents([Document("text", id=digest)])
    world.connector()
    printed = explain(world, world.ask())
    assert "  83ba6e7fb73d score" in printed
    assert digest not in printed
    assert "long ids are cut; --json has them whole" in printed
