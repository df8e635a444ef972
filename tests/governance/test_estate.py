"""A seeded estate over five real stores: planted faults of every kind, their clean twins, and both with facts withheld.

The tables are in SQLite, and DataHub's own source reads and profiles them. The stores are read by our sources, with a
declared job for each index. Runs are what ``llm-runs`` writes of the hooks.
"""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from datahub.emitter.mcp import MetadataChangeProposalWrapper
from datahub.ingestion.run.pipeline import Pipeline
from datahub.metadata.schema_classes import (
    AuditStampClass,
    DeprecationClass,
    GlossaryNodeInfoClass,
    GlossaryTermAssociationClass,
    GlossaryTermInfoClass,
    GlossaryTermsClass,
    OperationClass,
)

from catalog.local.local_runs import column, dataset, run
from datahub_llmops.catalog.local.catalog import LocalCatalog
from datahub_llmops.governance.finding import CheckReport, Finding
from datahub_llmops.governance.lifecycle import Lifecycles
from datahub_llmops.governance.lifecycle_list import LifecycleList, Listed
from datahub_llmops.governance.policy import Forbidden, Policy
from datahub_llmops.governance.verdict import check_asset
from datahub_llmops.mapping.applications import instance_proposals, mismatch_proposal
from governance.stores import Chunk, Filled, five_stores
from vector_stores.pgvector.stores import Postgres

SEED: Final = 20261129
KINDS: Final = {
    "fresh": "fresh",
    "coverage": "coverage",
    "schema": "schema",
    "trusted": "trusted sources",
    "meaning": "one meaning",
    "allowed": "allowed",
    "space": "one vector space",
    "lives": "model lives",
}
"""A word for the names of tables and indexes -> the check that finds the fault."""
STORES: Final = ("chroma", "lancedb", "qdrant", "pgvector", "opensearch")
TWINS: Final = ("faulty", "clean")
CODES: Final = {
    "fresh": {"source_changed"},
    "coverage": {"rows_missing", "orphans"},
    "schema": {"column_gone"},
    "trusted": {"deprecated"},
    "meaning": {"conflicting_terms"},
    "allowed": {"forbidden_term"},
    "space": {"other_query_model"},
    "lives": {"retired", "retires"},
}
STAMP: Final = AuditStampClass(time=0, actor="urn:li:corpuser:ada")
OLD, NEW = "openai/embed-old", "openai/embed-new"


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """One index with its table: a fault of one kind, or its clean twin."""

    kind: str
    store: str
    faulty: bool

    @property
    def name(self) -> str:
        return f"{self.kind}_{self.store}_{'faulty' if self.faulty else 'clean'}"

    @property
    def table(self) -> str:
        return dataset(f"main.{self.name}", "sqlite")


PLANTED: Final = [
    Planted(kind=kind, store=store, faulty=faulty)
    for kind in KINDS
    for store in STORES
    for faulty in (True, False)
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Estate:
    """The catalog of the estate, when its checks run, and the URN of each index."""

    catalog: Path
    now: datetime
    indexes: Mapping[Planted, str]


def rows_of(one: Planted) -> int:
    return random.Random(f"{SEED} {one.kind} {one.store}").randint(3, 6)  # alike for both twins


def chunks_of(one: Planted) -> list[Chunk]:
    """A chunk for each row. The faulty twin of coverage lacks one, or has one of a row that is gone."""
    rows = list(range(1, rows_of(one) + 1))
    if one.kind == "coverage" and one.faulty:
        if STORES.index(one.store) % 2:
            rows.append(999)
        else:
            rows.pop()
    return [Chunk(number=row, key=str(row), text=f"text {row}", label="x") for row in rows]


def ingest(catalog: Path, kind: str, config: Mapping[str, Any]) -> None:
    pipeline = Pipeline.create(
        {
            "source": {"type": kind, "config": dict(config)},
            "sink": {"type": "llm-local", "config": {"path": str(catalog)}},
        },
        no_progress=True,
    )
    pipeline.run()
    pipeline.raise_from_status()


def read_tables(catalog: Path, warehouse: Path) -> None:
    profiling = {"enabled": True, "profile_table_level_only": True}
    uri = f"sqlite:///{warehouse}"
    ingest(catalog, "sqlalchemy", {"platform": "sqlite", "connect_uri": uri, "profiling": profiling})


def job_of(one: Planted) -> dict[str, Any]:
    return {
        "name": f"embed-{one.name}",
        "index": one.name,
        "flow": "kb",
        "orchestrator": "airflow",
        "schedule": "@daily",
        "upstream": {"platform": "sqlite", "sql": f"select id, body, label from {one.name}"},
        "text_columns": ["body"],
        "embedding_model": OLD if one.kind == "lives" and one.faulty else NEW,
    }


@pytest.fixture(scope="module")
def estate(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres) -> Estate:
    folder = tmp_path_factory.mktemp("estate")
    catalog, warehouse = folder / "catalog.db", folder / "warehouse.db"
    with closing(sqlite3.connect(warehouse)) as database:
        for one in PLANTED:
            database.execute(f"create table {one.name} (id integer primary key, body text, label text)")
            database.executemany(
                f"insert into {one.name} values (?, ?, 'x')",
                [(row, f"text {row}") for row in range(1, rows_of(one) + 1)],
            )
        database.commit()
    read_tables(catalog, warehouse)
    indexes: dict[Planted, str] = {}
    with five_stores(
        folder, postgres, lambda store: {one.name: chunks_of(one) for one in PLANTED if one.store == store}
    ) as stores:
        embedded = datetime.now(UTC)
        for store, filled in stores.items():
            mine = [one for one in PLANTED if one.store == store]
            ingest(catalog, filled.type, {**filled.config, "embedding_jobs": [job_of(one) for one in mine]})
            indexes.update({one: index_of(filled, one) for one in mine})
    run(catalog, *glossary())
    for one in PLANTED:
        run(catalog, *ran(one, indexes[one], embedded), *seeded(one, indexes[one], embedded))
    with closing(sqlite3.connect(warehouse)) as database:
        for one in PLANTED:
            if one.kind == "schema" and one.faulty:
                change = (
                    "drop column label" if STORES.index(one.store) % 2 else "rename column body to content"
                )
                database.execute(f"alter table {one.name} {change}")
        database.commit()
    read_tables(catalog, warehouse)
    return Estate(catalog=catalog, now=embedded + timedelta(hours=48), indexes=indexes)


def index_of(filled: Filled, one: Planted) -> str:
    return dataset(f"{filled.prefix}{one.name}", filled.platform)


def job_urn(one: Planted) -> str:
    return f"urn:li:dataJob:(urn:li:dataFlow:(airflow,kb,PROD),embed-{one.name})"


def ran(one: Planted, index: str, at: datetime) -> Iterator[Any]:
    """The run of the job, and queries that were seen with a model."""
    ended = at.timestamp()
    yield from instance_proposals(
        {"run": one.name, "index": index},
        one.name,
        job_urn(one),
        started=ended - 60,
        ended=ended,
        properties={"added": str(len(chunks_of(one)))},
        inputs=(one.table,),
        outputs=(index,),
        failed=False,
    )
    other = one.kind == "space" and one.faulty
    yield mismatch_proposal(index, NEW, [OLD if other else NEW], ["host"], ended, solved=not other)


def seeded(one: Planted, index: str, embedded: datetime) -> Iterator[Any]:
    """What stewards and the warehouse say of the table."""
    late = one.kind == "fresh" and one.faulty
    changed = round((embedded + timedelta(hours=10 if late else -10)).timestamp() * 1000)
    about: list[tuple[str, Any]] = [
        (
            one.table,
            OperationClass(timestampMillis=changed, lastUpdatedTimestamp=changed, operationType="UPDATE"),
        ),
    ]
    if one.kind == "trusted" and one.faulty:
        about.append((one.table, DeprecationClass(deprecated=True, note="", actor="urn:li:corpuser:ada")))
    if one.kind == "meaning":
        about += [
            (column(one.table, "body"), term("Privacy.Public")),
            (column(one.table, "label"), term("Privacy.Personal" if one.faulty else "Privacy.Public")),
        ]
    if one.kind == "allowed":
        about.append((column(one.table, "label"), term("Legal.Secret" if one.faulty else "Legal.Open")))
    for urn, aspect in about:
        yield MetadataChangeProposalWrapper(entityUrn=urn, aspect=aspect)


def glossary() -> Iterator[Any]:
    for urn, info in (
        ("urn:li:glossaryNode:Privacy", GlossaryNodeInfoClass(definition="")),
        ("urn:li:glossaryTerm:Legal.Secret", GlossaryTermInfoClass(definition="", termSource="INTERNAL")),
    ):
        yield MetadataChangeProposalWrapper(entityUrn=urn, aspect=info)


def term(name: str) -> GlossaryTermsClass:
    association = GlossaryTermAssociationClass(urn=f"urn:li:glossaryTerm:{name}")
    return GlossaryTermsClass(terms=[association], auditStamp=STAMP)


def policy(now: datetime, *, lists: bool = True) -> Policy:
    listed = (
        Listed(provider="openai", model="embed-old", on=now.date() + timedelta(days=30)),
        Listed(provider="openai", model="embed-new", on=now.date() + timedelta(days=700)),
    )
    return Policy(
        exclusive_nodes=frozenset({"Privacy"}),
        forbidden=(Forbidden(term="Legal.Secret"),),
        lifecycles=Lifecycles([LifecycleList(source="a list", models=listed if lists else ())]),
    )


def judge(catalog: Path, estate: Estate, *, lists: bool = True) -> dict[Planted, CheckReport]:
    with LocalCatalog(catalog) as opened:
        return {
            one: check_asset(opened, urn, policy(estate.now, lists=lists), now=estate.now)
            for one, urn in estate.indexes.items()
        }


def finding(report: CheckReport, kind: str) -> Finding:
    return next(one for one in report.findings if one.check == KINDS[kind])


@pytest.fixture(scope="module")
def judged(estate: Estate) -> dict[Planted, CheckReport]:
    return judge(estate.catalog, estate)


def test_every_planted_fault_is_found_and_nothing_else(judged: dict[Planted, CheckReport]) -> None:
    faulty = [one for one in judged if one.faulty]
    assert len(faulty) >= 40
    wrong = {
        one.name: [(found.check, found.code) for found in judged[one].findings if found.verdict == "not ok"]
        for one in faulty
    }
    assert {name: [check for check, _ in found] for name, found in wrong.items()} == {
        one.name: [KINDS[one.kind]] for one in faulty
    }
    assert all({code for _, code in wrong[one.name]} <= CODES[one.kind] for one in faulty)


def test_every_clean_twin_is_ok_in_every_check(judged: dict[Planted, CheckReport]) -> None:
    clean = [one for one in judged if not one.faulty]
    assert len(clean) >= 40
    others = {
        one.name: [
            (found.check, found.code, found.message)
            for found in judged[one].findings
            if found.verdict != "ok"
        ]
        for one in clean
    }
    assert {name: found for name, found in others.items() if found} == {}
    assert {len(judged[one].findings) for one in clean} == {len(KINDS)}


WITHHELD: Final = {
    "fresh": ["delete from series where name = 'operation' and asset in ({tables})"],
    "coverage": ["delete from series where name = 'datasetProfile' and asset in ({indexes})"],
    "schema": ["delete from aspect where name = 'schemaMetadata' and asset in ({tables})"],
    "trusted": ["delete from aspect where asset in ({tables})", "update asset set emitted = 0 where id in ({tables})"],
    "space": ["delete from aspect where name = 'incidentInfo'", "delete from subject"],
    "lives": [],
}  # fmt: skip
WITHHELD["meaning"] = WITHHELD["allowed"] = [
    "delete from aspect where name = 'glossaryTerms'",
    *WITHHELD["trusted"],
]
_TABLES = "select id from asset where urn like 'urn:li:dataset:(urn:li:dataPlatform:sqlite,%'"
_INDEXES = "select id from asset where urn like 'urn:li:dataset:%' and urn not like '%:sqlite,%'"


@pytest.mark.parametrize("kind", KINDS)
def test_with_its_facts_withheld_nothing_is_ok(kind: str, estate: Estate, tmp_path: Path) -> None:
    catalog = Path(shutil.copy(estate.catalog, tmp_path / "catalog.db"))
    with closing(sqlite3.connect(catalog)) as database:
        for statement in WITHHELD[kind]:
            database.execute(statement.format(tables=_TABLES, indexes=_INDEXES))
        database.commit()
    found = judge(catalog, estate, lists=kind != "lives")
    verdicts = {one.name: finding(report, kind).verdict for one, report in found.items()}
    assert set(verdicts.values()) == {"not known"}, {
        name: verdict for name, verdict in verdicts.items() if verdict != "not known"
    }
