"""Propagation over random estates in a local catalog, changed and run again, against what a plain model says."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from datahub.emitter.mcp import MetadataChangeProposalWrapper
from datahub.ingestion.api.common import PipelineContext
from datahub.metadata.schema_classes import (
    DataJobInputOutputClass,
    EdgeClass,
    EditableSchemaMetadataClass,
    FineGrainedLineageClass,
    GlobalTagsClass,
    GlossaryTermsClass,
    SchemaMetadataClass,
    StatusClass,
    UpstreamLineageClass,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from datahub_llmops.catalog.local.catalog import LocalCatalog
from datahub_llmops.catalog.urn_text import asset_of
from datahub_llmops.propagation import PropagationSource
from propagation.estate import OURS, Written, column, write
from support.examples import examples

DATASETS = [f"urn:li:dataset:(urn:li:dataPlatform:sqlite,main.t{n},PROD)" for n in range(4)]
JOBS = [f"urn:li:dataJob:(urn:li:dataFlow:(cron,nightly,PROD),j{n})" for n in range(2)]
COLUMNS = [column(asset, name) for asset in DATASETS for name in ("a", "b")]
LABELS = ["urn:li:glossaryTerm:pii", "urn:li:glossaryTerm:secret", "urn:li:tag:raw"]
PLACES = ("entity", "schemaMetadata", "editableSchemaMetadata")
_STAMP = {"time": 0, "actor": "urn:li:corpuser:ada"}


@dataclass(frozen=True)
class World:
    """What others say: column edges with the job in between, table edges, labels by place, what is soft-deleted."""

    columns: frozenset[tuple[str, str, str | None]]
    tables: frozenset[tuple[str, str]]
    labels: frozenset[tuple[str, str, str]]
    """(Dataset or column, place, label)"""
    gone: frozenset[str]
    dropped: frozenset[str]
    """Columns that the schemas of their datasets lack."""


def worlds() -> st.SearchStrategy[World]:
    column_edges = st.tuples(
        st.sampled_from(COLUMNS), st.sampled_from(COLUMNS), st.sampled_from([None, *JOBS])
    )
    table_edges = st.tuples(st.sampled_from(DATASETS), st.sampled_from(DATASETS))
    held = st.tuples(
        st.sampled_from([*DATASETS, *COLUMNS]), st.sampled_from(PLACES), st.sampled_from(LABELS)
    ).map(lambda label: (label[0], "entity", label[2]) if label[0] in DATASETS else label)
    return st.builds(
        World,
        columns=st.frozensets(column_edges, max_size=7),
        tables=st.frozensets(table_edges.filter(lambda edge: edge[0] != edge[1]), max_size=3),
        labels=st.frozensets(held, max_size=6),
        gone=st.frozensets(st.sampled_from([*DATASETS, *JOBS]), max_size=1),
        dropped=st.frozensets(st.sampled_from(COLUMNS), max_size=2),
    )


def model(world: World, origins: Collection[tuple[str, str]], max_hops: int) -> dict[tuple[str, str], str]:
    """(Asset or column, label) -> origin: every walk from every origin, step by step."""
    columns = {
        (up, down, via)
        for up, down, via in world.columns
        if not {asset_of(up), asset_of(down), via} & world.gone
    }
    assets = {(up, down) for up, down in world.tables if not {up, down} & world.gone}
    for up, down, via in world.columns:
        ways = [(asset_of(up), via), (via, asset_of(down))] if via else [(asset_of(up), asset_of(down))]
        assets |= {(str(x), str(y)) for x, y in ways if not {x, y} & world.gone}
    offers: dict[tuple[str, str], set[tuple[int, str]]] = {}
    for origin, label in origins:
        if asset_of(origin) in world.gone:
            continue
        if origin in DATASETS:
            far = walk(origin, dict.fromkeys(assets, 1), max_hops)
            found = {(target, hops) for target, hops in far.items() if target != origin}
        else:
            lengths: dict[tuple[str, str], int] = {}
            for up, down, via in sorted(columns, key=str):
                lengths[up, down] = min(lengths.get((up, down), 9), 2 if via else 1)
            far = walk(origin, lengths, max_hops)
            found = {(at, far[end]) for end in far.keys() - {origin} for at in (end, asset_of(end))}
            found |= {
                (via, far[up] + 1) for up, _, via in columns if via and up in far and far[up] + 2 <= max_hops
            }
        for target, hops in found:
            offers.setdefault((target, label), set()).add((hops, origin))
    return {key: min(found)[1] for key, found in offers.items()}


def expected(
    world: World, before: Mapping[tuple[str, str], str], max_hops: int
) -> dict[tuple[str, str], str]:
    """(Asset or column, label) -> origin of ours, from those of ours ``before``.

    Where somebody else attached the label, ours is not. What the world does not give stays if it was not taken away,
    and a way leads there through datasets that are gone, or from a column that left its schema.
    """
    theirs = {(at, label) for at, label in attached(world) if asset_of(at) not in world.gone}
    given = {
        key: origin
        for key, origin in model(world, attached(world), max_hops).items()
        if key not in theirs and key[0] not in world.dropped
    }
    left = {key: origin for key, origin in before.items() if key not in given and key not in theirs}
    untaken = {
        key: origin
        for key, origin in left.items()
        if (origin, key[1]) in theirs or asset_of(origin) in world.gone or origin in world.dropped
    }
    starts = {(origin, label) for (_, label), origin in untaken.items()}
    starts |= {key for key in untaken if key[0] in world.dropped}
    starts |= {(at, label) for at, label in theirs if label in {label for _, label in starts}}
    seen_through = replace(world, gone=world.gone - {*DATASETS})
    ways = model(seen_through, starts, max_hops)
    edges = [edge for edge in world.columns if edge[2] not in world.gone]
    read = {up for up, _, _ in edges}
    kept = {
        key for key in left if (key in starts and key[0] in read if key[0] in world.dropped else key in ways)
    }
    kept |= renamed({key: left[key] for key in left.keys() - kept}, theirs, seen_through, edges, max_hops)
    return {**given, **{key: left[key] for key in kept}}


def renamed(
    left: Mapping[tuple[str, str], str],
    theirs: set[tuple[str, str]],
    world: World,
    edges: Collection[tuple[str, str, str | None]],
    max_hops: int,
) -> set[tuple[str, str]]:
    """What stays because the labelled column left its schema, while another column of its table feeds the same."""
    orphans = {
        (origin, label)
        for (_, label), origin in left.items()
        if origin in world.dropped and (origin, label) in theirs
    }
    siblings = {
        (other, label)
        for origin, label in orphans
        for other in COLUMNS
        if asset_of(other) == asset_of(origin) and other not in world.dropped
    }
    ways = model(world, siblings, max_hops)
    lost = {key for key, origin in left.items() if (origin, key[1]) in orphans}
    fed = {key for key in lost if key in ways and key[0] in COLUMNS and key[0] not in world.dropped}
    holders = {(asset_of(at), label) for at, label in fed}
    holders |= {(via, label) for _, down, via in edges if via for at, label in fed if at == down}
    return fed | (lost & holders)


def attached(world: World) -> set[tuple[str, str]]:
    """What others attached. A label in a schema goes with its column."""
    return {
        (at, label)
        for at, place, label in world.labels
        if not (place == "schemaMetadata" and at in world.dropped)
    }


def walk(start: str, lengths: Mapping[tuple[str, str], int], max_hops: int) -> dict[str, int]:
    """Bellman's and Ford's."""
    far = {start: 0}
    for _ in range(max_hops):
        for (up, down), length in lengths.items():
            if up in far and far[up] + length <= max_hops:
                far[down] = min(far.get(down, max_hops), far[up] + length)
    return far


def proposals(world: World, present: Mapping[str, Mapping[str, Any]]) -> list[Written]:
    """Everything that the world says; what propagation attached stays beside it, as when a person edits a list."""
    found: list[Written] = []

    def add(urn: str, aspect: Any) -> None:
        found.append(MetadataChangeProposalWrapper(entityUrn=urn, aspect=aspect))

    for urn in (*DATASETS, *JOBS):
        add(urn, StatusClass(removed=urn in world.gone))
    for asset in DATASETS:
        add(asset, schema(world, asset))
        edited = [
            {"fieldPath": name, **field_labels(world, asset, name, "editableSchemaMetadata")} for name in "ab"
        ]
        add(asset, EditableSchemaMetadataClass.from_obj({"editableSchemaFieldInfo": edited}))
        direct = [(up, down) for up, down, via in world.columns if via is None and asset_of(down) == asset]
        tables = {up for up, down in world.tables if down == asset} | {asset_of(up) for up, _ in direct}
        upstreams = [{"dataset": up, "type": "COPY"} for up in sorted(tables)]
        fine = [fine_grained(up, down) for up, down in sorted(direct)]
        add(asset, UpstreamLineageClass.from_obj({"upstreams": upstreams, "fineGrainedLineages": fine}))
    for job in JOBS:
        carried = sorted((up, down) for up, down, via in world.columns if via == job)
        add(
            job,
            DataJobInputOutputClass(
                inputDatasets=[],
                outputDatasets=[],
                inputDatasetEdges=[EdgeClass(up) for up in sorted({asset_of(up) for up, _ in carried})],
                outputDatasetEdges=[
                    EdgeClass(down) for down in sorted({asset_of(down) for _, down in carried})
                ],
                fineGrainedLineages=[
                    FineGrainedLineageClass.from_obj(fine_grained(up, down)) for up, down in carried
                ],
            ),
        )
    for urn in (*DATASETS, *COLUMNS):
        names = [label for at, place, label in sorted(world.labels) if at == urn and place == "entity"]
        terms, tags = lists(names)
        kept = present.get(urn, {})
        terms += [entry for entry in kept.get("glossaryTerms", {}).get("terms", ()) if "attribution" in entry]
        tags += [entry for entry in kept.get("globalTags", {}).get("tags", ()) if "attribution" in entry]
        add(urn, GlossaryTermsClass.from_obj({"terms": terms, "auditStamp": _STAMP}))
        add(urn, GlobalTagsClass.from_obj({"tags": tags}))
    return found


def lists(labels: list[str]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    terms: list[dict[str, Any]] = [{"urn": label} for label in labels if "glossaryTerm" in label]
    return terms, [{"tag": label} for label in labels if "glossaryTerm" not in label]


def field_labels(world: World, asset: str, name: str, place: str) -> dict[str, Any]:
    key = (column(asset, name), place)
    terms, tags = lists([label for at, where, label in sorted(world.labels) if (at, where) == key])
    return {"glossaryTerms": {"terms": terms, "auditStamp": _STAMP}, "globalTags": {"tags": tags}}


def schema(world: World, asset: str) -> SchemaMetadataClass:
    fields = [
        {
            "fieldPath": name,
            "type": {"type": {"com.linkedin.schema.StringType": {}}},
            "nativeDataType": "text",
            **field_labels(world, asset, name, "schemaMetadata"),
        }
        for name in "ab"
        if column(asset, name) not in world.dropped
    ]
    return SchemaMetadataClass.from_obj(
        {
            "schemaName": "s",
            "platform": "urn:li:dataPlatform:sqlite",
            "version": 0,
            "hash": "",
            "platformSchema": {"com.linkedin.schema.OtherSchema": {"rawSchema": ""}},
            "fields": fields,
        }
    )


def fine_grained(up: str, down: str) -> dict[str, Any]:
    return {"upstreamType": "FIELD_SET", "upstreams": [up], "downstreamType": "FIELD", "downstreams": [down]}


def run(path: Path, max_hops: int) -> int:
    """One run of the source into the catalog that it reads; how many patches it sent."""
    config = {"catalog": str(path), "max_hops": max_hops}
    source = PropagationSource.create(config, PipelineContext(run_id="test"))
    sent = [unit.metadata for unit in source.get_workunits()]
    assert {failure.title for failure in source.report.failures} <= {"Labels are not confirmed"}
    assert bool(source.report.labels_not_confirmed) == bool(source.report.failures)
    write(path, sent)
    return len(sent)


def stored(path: Path) -> dict[str, Mapping[str, Any]]:
    with LocalCatalog(path) as catalog:
        return dict(catalog.aspects_of([*DATASETS, *JOBS, *COLUMNS]))


def by_us(held: Mapping[str, Mapping[str, Any]]) -> dict[tuple[str, str], str]:
    """(Asset or column, label) -> origin, of what propagation attached."""
    return {
        (urn, label): detail["sourceDetail"]["origin"]
        for urn, label, detail in entries(held)
        if detail is not None
    }


def by_others(held: Mapping[str, Mapping[str, Any]]) -> set[tuple[str, str]]:
    return {(urn, label) for urn, label, detail in entries(held) if detail is None}


def entries(held: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, str, Any]]:
    found = []
    for urn, aspects in held.items():
        for entry in aspects.get("glossaryTerms", {}).get("terms", ()):
            found.append((urn, entry["urn"], entry.get("attribution")))
        for entry in aspects.get("globalTags", {}).get("tags", ()):
            found.append((urn, entry["tag"], entry.get("attribution")))
    assert all(detail is None or detail["source"] == OURS for _, _, detail in found)
    return found


@settings(max_examples=examples(20))
@given(history=st.lists(worlds(), min_size=2, max_size=3), max_hops=st.integers(1, 8))
def test_whatever_happens_between_two_runs_the_second_makes_it_right_and_takes_nothing_unseen(
    history: list[World], max_hops: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "catalog.db"
        for world in history:
            before = stored(path) if path.exists() else {}
            write(path, proposals(world, before))
            run(path, max_hops)
            held = stored(path)
            live, was_live = (
                {key: origin for key, origin in by_us(of).items() if asset_of(key[0]) not in world.gone}
                for of in (held, before)
            )
            assert live == expected(world, was_live, max_hops)
            assert by_others(held) == {(at, label) for at, place, label in world.labels if place == "entity"}
            assert run(path, max_hops) == 0
            assert stored(path) == held
