"""Random sequences of upserts, patches and deletes, in random runs, against a model of plain dictionaries."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from datahub.metadata.schema_classes import (
    GlossaryTermAssociationClass,
    MetadataAttributionClass,
    MetadataChangeProposalClass,
    TagAssociationClass,
    UpstreamClass,
)
from datahub.specific.dataset import DatasetPatchBuilder
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.local.local_runs import column, contents, dataset, raw, run
from datahub_llmops.catalog.local.catalog import LocalCatalog
from support.examples import examples

TABLES = [dataset(name) for name in ("a", "b", "c", "d")]
TERMS = [f"urn:li:glossaryTerm:{number}" for number in range(2)]
TAGS = [f"urn:li:tag:{number}" for number in range(2)]
SOURCES = ["", "urn:li:dataHubAction:one", "urn:li:dataHubAction:two"]
STAMP = {"time": 0, "actor": "urn:li:corpuser:a"}

Keyed: TypeAlias = "dict[tuple[str, str], None]"


@dataclass
class Asset:
    """What one asset should hold; ``None`` for an aspect that it has not."""

    removed: bool | None = None
    name: str | None = None
    properties: dict[str, str] | None = None
    terms: Keyed | None = None
    tags: Keyed | None = None
    upstreams: dict[str, str | None] | None = None
    """Dataset -> found_by."""
    columns: set[tuple[str, str]] = field(default_factory=set)


@dataclass(frozen=True)
class Step:
    """One change: what is written, and what it does to the model."""

    kind: str
    urn: str
    first: str = ""
    second: str = ""
    many: tuple[tuple[str, str], ...] = ()
    flag: bool = False


def attributed(source: str) -> MetadataAttributionClass | None:
    return MetadataAttributionClass(time=1, actor="urn:li:corpuser:a", source=source) if source else None


def entry(key: str, urn: str, source: str) -> dict[str, Any]:
    attribution = (
        {"attribution": {"time": 1, "actor": "urn:li:corpuser:a", "source": source}} if source else {}
    )
    return {key: urn, **attribution}


def written(step: Step) -> list[MetadataChangeProposalClass]:
    urn, patch = step.urn, DatasetPatchBuilder(step.urn)
    if step.kind == "status":
        return [raw(urn, "status", {"removed": step.flag})]
    if step.kind == "delete":
        return [raw(urn, "datasetKey", None, "DELETE")]
    if step.kind == "properties":
        return [raw(urn, "datasetProperties", {"name": step.first, "customProperties": dict(step.many)})]
    if step.kind == "terms":
        return [
            raw(
                urn,
                "glossaryTerms",
                {"terms": [entry("urn", *pair) for pair in step.many], "auditStamp": STAMP},
            )
        ]
    if step.kind == "tags":
        return [raw(urn, "globalTags", {"tags": [entry("tag", *pair) for pair in step.many]})]
    if step.kind == "upstreams":
        upstreams = [
            {"dataset": up, "type": "COPY", "properties": {"found_by": way}} for up, way in step.many
        ]
        fine = [
            {
                "upstreamType": "FIELD_SET",
                "upstreams": [column(up, "x")],
                "downstreamType": "FIELD",
                "downstreams": [column(urn, "y")],
            }
            for up, _ in step.many
        ]
        return [raw(urn, "upstreamLineage", {"upstreams": upstreams, "fineGrainedLineages": fine})]
    if step.kind == "add property":
        patch.add_custom_property(step.first, step.second)
    elif step.kind == "remove property":
        patch.remove_custom_property(step.first)
    elif step.kind == "add term":
        patch.add_term(GlossaryTermAssociationClass(urn=step.first, attribution=attributed(step.second)))
    elif step.kind == "remove term":
        patch.remove_term(step.first, attribution_source=step.second or None)
    elif step.kind == "add tag":
        patch.add_tag(TagAssociationClass(tag=step.first, attribution=attributed(step.second)))
    elif step.kind == "remove tag":
        patch.remove_tag(step.first, attribution_source=step.second or None)
    elif step.kind == "add upstream":
        patch.add_upstream_lineage(UpstreamClass(dataset=step.first, type="COPY"))
    elif step.kind == "remove upstream":
        patch.remove_upstream_lineage(step.first)
    return patch.build()


def change_keyed(keyed: Keyed | None, step: Step) -> Keyed:
    after = dict(keyed or {})
    if step.kind.startswith("add"):
        after[step.first, step.second] = None
    else:
        # Without a source every source's goes.
        after = {
            key: None for key in after if key[0] != step.first or (step.second and key[1] != step.second)
        }
    return after


def change(model: dict[str, Asset], step: Step) -> None:
    asset = model.setdefault(step.urn, Asset())
    if step.kind == "status":
        asset.removed = step.flag
    elif step.kind == "delete":
        del model[step.urn]
    elif step.kind == "properties":
        asset.name, asset.properties = step.first, dict(step.many)
    elif step.kind == "terms":
        asset.terms = dict.fromkeys(step.many)
    elif step.kind == "tags":
        asset.tags = dict.fromkeys(step.many)
    elif step.kind == "upstreams":
        asset.upstreams = dict(step.many)
        asset.columns = {(column(up, "x"), column(step.urn, "y")) for up, _ in step.many}
    elif step.kind == "add property":
        asset.properties = {**(asset.properties or {}), step.first: step.second}
    elif step.kind == "remove property":
        asset.properties = {
            key: value for key, value in (asset.properties or {}).items() if key != step.first
        }
    elif step.kind.endswith("term"):
        asset.terms = change_keyed(asset.terms, step)
    elif step.kind.endswith("tag"):
        asset.tags = change_keyed(asset.tags, step)
    elif step.kind == "add upstream":
        asset.upstreams = {**(asset.upstreams or {}), step.first: None}
    elif step.kind == "remove upstream":
        asset.upstreams = {up: way for up, way in (asset.upstreams or {}).items() if up != step.first}


def pairs(of: list[str], among: list[str]) -> st.SearchStrategy[tuple[tuple[str, str], ...]]:
    return st.lists(
        st.tuples(st.sampled_from(of), st.sampled_from(among)), max_size=3, unique_by=lambda pair: pair
    ).map(tuple)


def distinct(of: list[str], among: list[str]) -> st.SearchStrategy[tuple[tuple[str, str], ...]]:
    return st.dictionaries(st.sampled_from(of), st.sampled_from(among), max_size=3).map(
        lambda made: tuple(made.items())
    )


urns = st.sampled_from(TABLES)
keys = st.sampled_from(["k", "l/m", "n~"])
STEPS = st.one_of(
    st.builds(Step, kind=st.just("status"), urn=urns, flag=st.booleans()),
    st.builds(Step, kind=st.just("delete"), urn=urns),
    st.builds(
        Step,
        kind=st.just("properties"),
        urn=urns,
        first=st.sampled_from(["one", "two"]),
        many=distinct(["k", "l/m"], ["1", "2"]),
    ),
    st.builds(Step, kind=st.just("terms"), urn=urns, many=pairs(TERMS, SOURCES)),
    st.builds(Step, kind=st.just("tags"), urn=urns, many=pairs(TAGS, SOURCES)),
    st.builds(Step, kind=st.just("upstreams"), urn=urns, many=distinct(TABLES, ["declared", "payload"])),
    st.builds(
        Step, kind=st.sampled_from(["add property", "remove property"]), urn=urns, first=keys, second=keys
    ),
    st.builds(
        Step,
        kind=st.sampled_from(["add term", "remove term"]),
        urn=urns,
        first=st.sampled_from(TERMS),
        second=st.sampled_from(SOURCES),
    ),
    st.builds(
        Step,
        kind=st.sampled_from(["add tag", "remove tag"]),
        urn=urns,
        first=st.sampled_from(TAGS),
        second=st.sampled_from(SOURCES),
    ),
    st.builds(Step, kind=st.sampled_from(["add upstream", "remove upstream"]), urn=urns, first=urns),
)


def keyed_of(aspect: Any, entries: str, key: str) -> set[tuple[str, str]] | None:
    if aspect is None:
        return None
    return {(one[key], one.get("attribution", {}).get("source", "")) for one in aspect[entries]}


def check(path: Path, model: dict[str, Asset]) -> None:
    stored = contents(path)
    assert {urn for urn, _ in stored} == {urn for urn, asset in model.items() if asset != Asset()}
    for urn, asset in model.items():
        properties = stored.get((urn, "datasetProperties"), {})
        assert stored.get((urn, "status"), {}).get("removed") == asset.removed
        assert properties.get("name") == asset.name
        assert properties.get("customProperties") == asset.properties
        assert keyed_of(stored.get((urn, "glossaryTerms")), "terms", "urn") == (
            None if asset.terms is None else set(asset.terms)
        )
        assert keyed_of(stored.get((urn, "globalTags")), "tags", "tag") == (
            None if asset.tags is None else set(asset.tags)
        )
    check_graph(path, model)


def live(model: dict[str, Asset]) -> Iterator[tuple[str, Asset]]:
    yield from ((urn, asset) for urn, asset in model.items() if asset != Asset() and not asset.removed)


def check_graph(path: Path, model: dict[str, Asset]) -> None:
    alive = dict(live(model))
    with LocalCatalog(path) as catalog:
        nodes = {node.urn: node for node in catalog.nodes(TABLES)}
        assert set(nodes) == set(alive)
        for urn, asset in alive.items():
            assert nodes[urn].name == (asset.name or urn.split(",")[1])
            assert set(nodes[urn].terms) == {term for term, _ in asset.terms or {}}
            assert set(nodes[urn].tags) == {tag for tag, _ in asset.tags or {}}
            edges = {edge.upstream: edge for edge in catalog.lineage(urn, "up", 1).edges}
            ghosts = {up for up in asset.upstreams or {} if up not in model or model[up] == Asset()}
            gone = {up for up in asset.upstreams or {} if up in model and model[up].removed}
            assert set(edges) == set(asset.upstreams or {}) - ghosts - gone
            for up, edge in edges.items():
                way = (asset.upstreams or {})[up]
                assert edge.found_by == ((way,) if way else ())
                found = {(pair.upstream, pair.downstream) for pair in edge.columns}
                assert found == {pair for pair in asset.columns if pair[0] == column(up, "x")}


def facts(path: Path) -> Any:
    """All that is derived, whatever way it came about."""
    with LocalCatalog(path) as catalog:
        walks = [catalog.lineage(node.urn, way) for node in catalog.nodes(TABLES) for way in ("up", "down")]
        return sorted(catalog.nodes(TABLES), key=lambda node: node.urn), list(catalog.labelled()), walks


@settings(max_examples=examples(60))
@given(runs=st.lists(st.lists(STEPS, min_size=1, max_size=8), min_size=1, max_size=4))
def test_the_catalog_holds_what_a_plain_model_holds(runs: list[list[Step]]) -> None:
    model: dict[str, Asset] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "catalog.db"
        for steps in runs:
            for step in steps:
                change(model, step)
            report = run(path, *(proposal for step in steps for proposal in written(step)))
            assert list(report.failures) == []
            check(path, model)
        # What was maintained change by change is what the aspects alone say.
        with LocalCatalog(path) as catalog:
            records = list(catalog.records())
        if records:
            again = Path(folder) / "again.db"
            run(again, *(raw(record.urn, record.name, dict(record.aspect)) for record in records))
            assert facts(again) == facts(path)
            unchanged = run(path, *(raw(record.urn, record.name, dict(record.aspect)) for record in records))
            assert (unchanged.changed, unchanged.removed, unchanged.unchanged) == (0, 0, len(records))
