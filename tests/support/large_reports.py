"""Reports of any size, always the same: estates as large as companies have them, for limits and measurements."""

from __future__ import annotations

from random import Random

from datahub_llmops.governance.finding import Verdict
from datahub_llmops.report.model import (
    Asset,
    Check,
    Column,
    ColumnEdge,
    ColumnRef,
    Edge,
    Fact,
    Mark,
    Owner,
    Report,
    Run,
)

_TIME = "2026-11-29T04:00:00Z"
_WORDS = (
    *(
        "customer",
        "order",
        "invoice",
        "ticket",
        "product",
        "review",
        "article",
        "contract",
        "payment",
        "account",
    ),
    *(
        "address",
        "shipment",
        "campaign",
        "visit",
        "session",
        "event",
        "message",
        "refund",
        "supplier",
        "warehouse",
    ),
)
_PATHS = ("id", "name", "email", "created_at", "status", "body")
_PEOPLE = ("Ada", "Hana", "Jonas", "Mei", "Omar", "Rosa", "Sven", "Tomás")
_TERMS = ("Personal data", "Public documentation", "Financial data", "Confidential")


def seeded_report(assets: int, edges: int, seed: int = 16) -> Report:
    """Build an estate of tables, jobs, indexes and applications, layer on layer, with 6 columns a dataset."""
    random = Random(seed)
    built = [_asset(number, assets, random) for number in range(assets)]
    pairs: set[tuple[int, int]] = set()
    reach = max(8, assets // 20)
    while len(pairs) < edges:
        down = random.randrange(1, assets)
        pairs.add((max(0, down - random.randrange(1, reach)), down))
    return Report(
        assets=tuple(sorted(built, key=lambda one: (one.name, one.urn))),
        edges=tuple(
            sorted(
                (_edge(built[up], built[down], random) for up, down in pairs),
                key=lambda one: (one.upstream, one.downstream),
            )
        ),
        as_of=_TIME,
    )


def _asset(number: int, count: int, random: Random) -> Asset:
    name = f"{random.choice(_WORDS)}_{random.choice(_WORDS)}_{number}"
    share = number / count
    if share > 0.4 and number % 4 == 0:
        return Asset(
            urn=f"urn:li:dataJob:(urn:li:dataFlow:(airflow,nightly,PROD),{name})",
            type="dataJob",
            kind="Embedding Job",
            name=name,
            platform="airflow",
            owners=_owners(random),
            facts=(Fact(title="schedule", text="daily"),),
            runs=(
                Run(
                    urn=f"urn:li:dataProcessInstance:{number}",
                    name=name,
                    started=_TIME,
                    ended=_TIME,
                    succeeded=True,
                ),
            ),
        )
    platform, kind, path = (
        ("snowflake", "Table", ("analytics", f"schema_{number % 25}"))
        if share < 0.7
        else ("qdrant", "Vector Collection", (f"cluster_{number % 5}",))
        if share < 0.9
        else ("langchain", "Retriever", ())
    )
    verdict: Verdict = random.choice(("ok", "ok", "not ok", "not known"))
    index = kind == "Vector Collection"
    return Asset(
        urn=f"urn:li:dataset:(urn:li:dataPlatform:{platform},{'.'.join((*path, name))},PROD)",
        type="dataset",
        kind=kind,
        name=name,
        platform=platform,
        path=path,
        owners=_owners(random),
        marks=_marks(random),
        updated=_TIME,
        facts=(Fact(title="Rows", text=str(random.randrange(10**6))), Fact(title="Columns", text="6")),
        columns=tuple(
            Column(path=path, type="string", marks=_marks(random) if random.random() < 0.1 else ())
            for path in _PATHS
        ),
        verdict=verdict if index else "not known",
        checks=(
            Check(name="Sources are older than the index", kind="Index Health", verdict=verdict, at=_TIME),
        )
        if index
        else (),
    )


def _owners(random: Random) -> tuple[Owner, ...]:
    name = random.choice(_PEOPLE)
    return (Owner(urn=f"urn:li:corpuser:{name}", name=name, role="technical owner"),)


def _marks(random: Random) -> tuple[Mark, ...]:
    if random.random() < 0.6:
        return ()
    name = random.choice(_TERMS)
    return (Mark(kind="term", urn=f"urn:li:glossaryTerm:{name}", name=name),)


def _edge(upstream: Asset, downstream: Asset, random: Random) -> Edge:
    paths = random.sample(_PATHS, 3) if upstream.columns and downstream.columns else []
    return Edge(
        upstream=upstream.urn,
        downstream=downstream.urn,
        aspect="upstreamLineage",
        found_by=("declared",),
        columns=tuple(
            ColumnEdge(upstream=ColumnRef(upstream.urn, path), downstream=ColumnRef(downstream.urn, path))
            for path in sorted(paths)
        ),
    )
