"""A report of the estate of the checks: every fact of an asset, and every edge with its columns."""

from __future__ import annotations

from pathlib import Path

import pytest

from catalog.local.local_runs import column
from datahub_llmops.catalog.local.catalog import LocalCatalog
from datahub_llmops.report.dot import write_dot
from datahub_llmops.report.filters import Filters
from datahub_llmops.report.gather import gather
from datahub_llmops.report.html.page import write_page
from datahub_llmops.report.markdown import write_markdown
from datahub_llmops.report.mermaid import write_mermaid
from datahub_llmops.report.model import Asset, ColumnEdge, ColumnRef, Report
from datahub_llmops.report.selection import select_all, select_around
from governance.estate import (
    ANSWERS,
    BOT,
    CUSTOMERS,
    INDEX,
    JOB,
    MODEL,
    OWNER,
    RETRIEVER,
    REVIEWS,
    Facts,
    estate,
    write,
)

TERM = "urn:li:glossaryTerm:Privacy.Personal"
PROPERTY = "urn:li:structuredProperty:datahub_llmops.embedding_model"


def propagated(origin: str) -> dict[str, object]:
    return {
        "urn": TERM,
        "attribution": {
            "time": 0,
            "actor": OWNER,
            "source": "urn:li:dataHubAction:datahub-llmops",
            "sourceDetail": {"propagated": "true", "origin": origin},
        },
    }


def facts() -> Facts:
    stamp = {"time": 0, "actor": OWNER}
    return {
        **estate(),
        ("urn:li:glossaryTerm:Privacy.Personal", "glossaryTermInfo"): {
            "definition": "",
            "termSource": "INTERNAL",
            "name": "Personal data",
        },
        (OWNER, "corpUserInfo"): {"active": True, "displayName": "Ada"},
        (PROPERTY, "propertyDefinition"): {
            "qualifiedName": "datahub_llmops.embedding_model",
            "displayName": "Embedding model",
            "valueType": "urn:li:dataType:datahub.string",
            "entityTypes": ["urn:li:entityType:datahub.dataset"],
        },
        (INDEX, "structuredProperties"): {
            "properties": [{"propertyUrn": PROPERTY, "values": [{"string": "openai/small"}]}]
        },
        (column(INDEX, "email"), "glossaryTerms"): {
            "terms": [propagated(column(CUSTOMERS, "email"))],
            "auditStamp": stamp,
        },
        (CUSTOMERS, "glossaryTerms"): {"terms": [{"urn": TERM}], "auditStamp": stamp},
    }


@pytest.fixture
def catalog(tmp_path: Path) -> LocalCatalog:
    return write(tmp_path / "catalog.db", facts())


@pytest.fixture
def report(catalog: LocalCatalog) -> Report:
    return gather(catalog, select_all(catalog))


def asset(report: Report, urn: str) -> Asset:
    return report.by_urn[urn]


def test_every_asset_in_lineage_is_there_once_by_name(report: Report) -> None:
    assert {one.urn for one in report.assets} == {
        *(ANSWERS, BOT, CUSTOMERS, INDEX, JOB, MODEL, RETRIEVER, REVIEWS)
    }
    assert [one.name for one in report.assets] == [
        *("customers", "docs", "docs", "docs-bot", "docs-bot answers", "embed-docs", "reviews"),
        "text-embedding-3-small",
    ]


def test_an_asset_has_its_kind_properties_owners_and_typed_facts(report: Report) -> None:
    index, job = asset(report, INDEX), asset(report, JOB)
    assert (index.kind, index.platform, index.updated) == (
        "Vector Collection",
        "chroma",
        "2026-11-29T04:00:00Z",
    )
    assert [(one.title, one.text) for one in index.facts] == [("Embedding model", "openai/small")]
    assert index.tables[0].rows[0] == ("embeddingModel", "openai/text-embedding-3-small")
    assert [(one.urn, one.name, one.role) for one in job.owners] == [(OWNER, "Ada", "technical owner")]


def test_a_column_says_where_its_term_came_from(report: Report) -> None:
    email = next(one for one in asset(report, INDEX).columns if one.path == "email")
    (mark,) = email.marks
    assert (mark.name, mark.origin, mark.origin_name) == (
        *("Personal data", column(CUSTOMERS, "email"), "customers.email"),
    )
    (own,) = asset(report, CUSTOMERS).marks
    assert own.origin is None


def test_edges_have_their_columns_where_they_enter_the_asset(report: Report, catalog: LocalCatalog) -> None:
    walk = catalog.lineage(ANSWERS, "up", 20)
    assert {(one.upstream, one.downstream) for one in report.edges} == {
        (one.upstream, one.downstream) for one in walk.edges
    }
    entering = next(one for one in report.edges if (one.upstream, one.downstream) == (JOB, INDEX))
    assert entering.columns == (
        ColumnEdge(upstream=ColumnRef(CUSTOMERS, "email"), downstream=ColumnRef(INDEX, "email")),
        ColumnEdge(upstream=ColumnRef(REVIEWS, "body"), downstream=ColumnRef(INDEX, "document")),
    )


def test_an_application_has_the_usage_of_its_answer_log(report: Report) -> None:
    usage = asset(report, BOT).usage
    assert usage is not None
    assert (usage.calls, usage.days, usage.first_day, usage.cost) == (214, 1, "2026-11-28", None)
    assert asset(report, ANSWERS).usage == usage


def test_what_was_not_checked_is_not_known(report: Report) -> None:
    assert {one.verdict for one in report.assets} == {"not known"}


def test_the_neighbourhood_is_that_of_the_walk(catalog: LocalCatalog) -> None:
    chosen = select_around(catalog, INDEX, ["up"])
    assert set(chosen.assets) == {INDEX, JOB, MODEL, CUSTOMERS, REVIEWS}
    assert gather(catalog, chosen).roots == (INDEX,)


def test_columns_of_assets_that_were_left_out_are_counted_in_every_format(catalog: LocalCatalog) -> None:
    made = gather(catalog, select_all(catalog, Filters(platforms=("airflow", "chroma"))))
    said = "2 columns come from assets outside of this report"
    assert f"{said}." in made.notes
    assert said in write_page(made).decode()
    assert said in write_dot(made)
    assert said in write_mermaid(made)
    assert write_markdown(made).count(said) == 1
    assert not any("outside" in note for note in gather(catalog, select_all(catalog)).notes)
