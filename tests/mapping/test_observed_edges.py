"""Edges that hooks saw, beside those of recipes and of others, and what becomes of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from datahub_llmops.catalog.local.patches import apply_patch, parse_patch
from datahub_llmops.mapping.observed_edges import BY_HOOKS, Sight, in_use, job_edges, upstream_edges
from datahub_llmops.mapping.proposals import Proposal

JOB = "urn:li:dataJob:(urn:li:dataFlow:(langchain,bot,PROD),bot)"
RETRIEVER = "urn:li:dataset:(urn:li:dataPlatform:langchain,bot.r,PROD)"
ONE, TWO = (f"urn:li:dataset:(urn:li:dataPlatform:postgres,shop.public.{name},PROD)" for name in "ab")
DAY = 86_400.0
NOW = datetime(2026, 11, 26, 12, tzinfo=UTC).timestamp()
OLD = "2026-10-20"
BY_TOOL = Sight(way="trace")


def edge(urn: str, **properties: str) -> dict[str, Any]:
    return {"destinationUrn": urn, "properties": properties}


def applied(proposals: list[Proposal], aspect: str, present: Mapping[str, Any]) -> Any:
    """What the aspect is after the patches, which the local catalog applies as a server does."""
    found: Any = present
    for proposal in proposals:
        assert proposal.aspectName == aspect
        found = apply_patch(aspect, found or None, parse_patch(proposal.aspect.value.decode()))  # type: ignore[union-attr]  # a patch has a body
    return found


def after(
    inputs: dict[str, float], *present: dict[str, Any], sight: Sight = BY_HOOKS, sources: Collection[str] = ()
) -> dict[str, dict[str, str]]:
    """Properties of a job's inputs by dataset."""
    there = {"inputDatasetEdges": list(present)}
    patches = list(job_edges(JOB, inputs, {}, there, NOW, sight=sight, sources=sources))
    found = applied(patches, "dataJobInputOutput", there)
    return {one["destinationUrn"]: one.get("properties") or {} for one in found["inputDatasetEdges"]}


def test_a_new_edge_says_who_saw_it_and_when() -> None:
    assert after({ONE: NOW}) == {ONE: {"found_by": "hook", "last_seen": "2026-11-26"}}


def test_an_edge_of_a_recipe_names_both_and_keeps_its_count() -> None:
    present = edge(ONE, found_by="declared,payload", chunks="12")
    assert after({ONE: NOW}, present) == {
        ONE: {"found_by": "declared,payload,hook", "chunks": "12", "last_seen": "2026-11-26"}
    }


@pytest.mark.parametrize("properties", [{}, {"by": "airflow"}])
def test_an_edge_of_somebody_else_stays_as_it_is(properties: dict[str, str]) -> None:
    assert after({ONE: NOW}, edge(ONE, **properties)) == {ONE: properties}


def test_a_late_record_does_not_set_the_day_back() -> None:
    present = edge(ONE, found_by="hook", last_seen="2026-11-25")
    assert after({ONE: NOW - 5 * DAY}, present)[ONE]["last_seen"] == "2026-11-25"


def test_what_was_not_seen_for_long_goes() -> None:
    stale = edge(ONE, found_by="hook", last_seen=OLD)
    fresh = edge(TWO, found_by="hook", last_seen="2026-10-28")
    assert after({}, stale, fresh) == {TWO: fresh["properties"]}


def test_a_record_that_is_older_than_that_brings_nothing_back() -> None:
    assert list(job_edges(JOB, {ONE: NOW - 40 * DAY}, {}, {}, NOW)) == []


def test_a_tool_and_hooks_share_an_edge_and_its_day() -> None:
    seen = after({ONE: NOW}, edge(ONE, found_by="hook", last_seen="2026-11-20"), sight=BY_TOOL)
    assert seen == {ONE: {"found_by": "hook,trace", "last_seen": "2026-11-26"}}
    stale = edge(ONE, found_by="hook,trace", last_seen=OLD)
    assert after({}, stale) == after({}, stale, sight=BY_TOOL) == {}


def test_who_cannot_see_an_edge_does_not_remove_it() -> None:
    retriever, prompt = (
        edge(ONE, found_by="hook", last_seen=OLD),
        edge(TWO, found_by="trace", last_seen=OLD),
    )
    assert after({}, retriever, prompt).keys() == {TWO}
    assert after({}, retriever, prompt, sight=BY_TOOL).keys() == {ONE}
    assert after({}, retriever, prompt, sight=Sight(way="trace", retires=False)).keys() == {ONE, TWO}
    assert in_use({}, [retriever, prompt], "destinationUrn", NOW, BY_TOOL) == {ONE}


def test_a_source_of_documents_is_found_in_the_payload_and_goes_with_the_tool() -> None:
    seen = after({ONE: NOW, TWO: NOW}, sight=BY_TOOL, sources={ONE})
    assert seen == {
        ONE: {"found_by": "payload,trace", "last_seen": "2026-11-26"},
        TWO: {"found_by": "trace", "last_seen": "2026-11-26"},
    }
    stale = edge(ONE, found_by="payload,trace", last_seen=OLD)
    declared = edge(TWO, found_by="declared,payload,trace", last_seen=OLD)
    assert after({}, stale, declared, sight=BY_TOOL) == {TWO: {"found_by": "declared"}}


def test_what_a_recipe_declares_too_stays_declared() -> None:
    present = edge(ONE, found_by="declared,hook", last_seen=OLD, chunks="3")
    assert after({}, present) == {ONE: {"found_by": "declared", "chunks": "3"}}


def test_a_second_run_changes_nothing() -> None:
    first = after({ONE: NOW}, edge(ONE, found_by="declared"))
    assert after({ONE: NOW}, edge(ONE, **first[ONE])) == first


def column(dataset: str, name: str) -> str:
    return f"urn:li:schemaField:({dataset},{name})"


def columns_after(
    indexes: dict[str, float], wanted: dict[str, list[str]], present: Any
) -> set[tuple[str, str]]:
    patches = list(upstream_edges(RETRIEVER, indexes, present, NOW, wanted))
    found = applied(patches, "upstreamLineage", present)
    return {
        (up, down)
        for fine in found.get("fineGrainedLineages") or []
        for up in fine["upstreams"]
        for down in fine["downstreams"]
    }


def test_columns_follow_what_is_seen_and_those_of_what_is_still_in_use_stay() -> None:
    text, title = column(RETRIEVER, "text"), column(RETRIEVER, "title")
    first: dict[str, Any] = {"upstreams": []}
    seen = list(
        upstream_edges(
            RETRIEVER, {ONE: NOW, TWO: NOW}, first, NOW, {text: [column(ONE, "text"), column(TWO, "text")]}
        )
    )
    present = applied(seen, "upstreamLineage", first)
    assert columns_after({ONE: NOW}, {title: [column(ONE, "title")]}, present) == {
        (column(ONE, "title"), title),
        (column(TWO, "text"), text),
    }
    # The second index is not read any more.
    later = NOW + 31 * DAY
    patches = list(upstream_edges(RETRIEVER, {ONE: later}, present, later, {text: [column(ONE, "text")]}))
    found = applied(patches, "upstreamLineage", present)
    assert [one["dataset"] for one in found["upstreams"]] == [ONE]
    [fine] = found["fineGrainedLineages"]
    assert (fine["upstreams"], fine["downstreams"]) == ([column(ONE, "text")], [text])


def test_in_use_is_what_was_seen_now_or_lately() -> None:
    edges = [edge(ONE, found_by="hook", last_seen=OLD), edge(TWO, found_by="hook", last_seen="2026-11-20")]
    assert in_use({}, edges, "destinationUrn", NOW) == {TWO}
    assert in_use({ONE: NOW}, edges, "destinationUrn", NOW) == {ONE, TWO}


@pytest.mark.parametrize("last", [5, None, "", "9999-12-31T23:59:59-14:00", "\ud800", ["2026-11-25"]])
def test_a_day_that_is_none_is_not_known(last: Any) -> None:
    """Somebody else may have written the property."""
    present: dict[str, Any] = {"destinationUrn": ONE, "properties": {"found_by": "hook", "last_seen": last}}
    assert after({ONE: NOW}, present)[ONE]["last_seen"] == "2026-11-26"
