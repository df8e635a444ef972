"""What depends on a model, a column or a table."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from catalog.local.local_runs import column, dataset
from datahub_llmops.catalog.column_uses import USED_COLUMNS, StatedUses, write_uses
from datahub_llmops.catalog.local.catalog import LocalCatalog
from datahub_llmops.errors import UnknownAssetError
from datahub_llmops.governance.finding import Affected
from datahub_llmops.governance.impact import End, impact_of
from datahub_llmops.governance.lifecycle import Lifecycles
from datahub_llmops.governance.lifecycle_list import LifecycleList, Listed
from governance.estate import (
    BOT,
    CUSTOMERS,
    INDEX,
    JOB,
    MODEL,
    NOW,
    OTHER_JOB,
    OWNER,
    REVIEWS,
    estate,
    fine_grained,
    inputs_and_outputs,
    write,
)

LISTS = Lifecycles(
    [
        LifecycleList(
            source="a list",
            complete=True,
            models=(
                Listed(
                    provider="openai",
                    model="text-embedding-3-small",
                    on=date(2027, 1, 14),
                    replacement="text-embedding-4",
                    price=0.02,
                ),
                Listed(provider="openai", model="text-embedding-4", price=0.05),
            ),
        )
    ]
)


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[LocalCatalog]:
    facts = estate()
    facts[INDEX, "datasetProfile"] = {"timestampMillis": 0, "rowCount": 12_480}
    facts[INDEX, "structuredProperties"] = {
        "properties": [
            {
                "propertyUrn": "urn:li:structuredProperty:datahub_llmops.chunk_size",
                "values": [{"double": 512.0}],
            }
        ]
    }
    with write(tmp_path / "catalog.db", facts) as catalog:
        yield catalog


def test_a_model_takes_its_jobs_indexes_and_applications_along(catalog: LocalCatalog) -> None:
    found = impact_of(catalog, MODEL, LISTS, now=NOW)
    assert found.ends == (End(on="2027-01-14", replacement="text-embedding-4", source="a list"),)
    assert [one.urn for one in found.jobs] == [JOB]
    assert [one.urn for one in found.indexes] == [INDEX]
    assert found.applications == (Affected(urn=BOT, name="docs-bot", answers_a_day=214.0),)
    assert found.owners == (OWNER,)


def test_embedding_again_costs_at_most_what_the_replacement_asks(catalog: LocalCatalog) -> None:
    found = impact_of(catalog, MODEL, LISTS, now=NOW)
    (index,) = found.indexes
    assert (index.chunks, index.tokens) == (12_480, 12_480 * 512)
    assert found.priced_by == "text-embedding-4"
    assert index.cost == pytest.approx(12_480 * 512 * 0.05 / 1e6)


def test_what_nobody_states_is_not_known(catalog: LocalCatalog) -> None:
    found = impact_of(catalog, MODEL, Lifecycles(), now=NOW)
    assert found.ends == ()
    assert found.indexes[0].cost is None


def test_a_column_affects_what_its_values_reach(catalog: LocalCatalog) -> None:
    reached = impact_of(catalog, column(REVIEWS, "body"), LISTS, now=NOW)
    assert [one.urn for one in reached.indexes] == [INDEX]
    assert reached.indexes[0].cost is None  # No model is asked for.
    lonely = impact_of(catalog, column(REVIEWS, "id"), LISTS, now=NOW)
    assert (lonely.indexes, lonely.jobs) == ((), ())


def test_a_table_affects_everything_downstream(catalog: LocalCatalog) -> None:
    found = impact_of(catalog, CUSTOMERS, LISTS, now=NOW)
    assert [one.urn for one in found.indexes] == [INDEX]
    assert {one.subtype for one in found.others} == {"Retriever", "Answer Log"}


def test_an_unknown_asset_is_an_error(catalog: LocalCatalog) -> None:
    with pytest.raises(UnknownAssetError):
        impact_of(catalog, dataset("nothing"), LISTS, now=NOW)


@pytest.fixture
def joined(tmp_path: Path) -> Iterator[LocalCatalog]:
    """The estate, whose job says that it joins by ids, and a second job that does not say what it does."""
    facts = estate()
    uses = StatedUses(columns={REVIEWS: {"customer_id": ["join"]}, CUSTOMERS: {"id": ["join"]}})
    facts[JOB, "dataJobInputOutput"]["outputDatasetEdges"][0]["properties"] = {
        USED_COLUMNS: write_uses({"kb": uses})
    }
    facts[OTHER_JOB, "dataJobInfo"] = {"name": "embed-more", "type": {"string": "SQL"}}
    facts[OTHER_JOB, "dataJobInputOutput"] = inputs_and_outputs([CUSTOMERS], dataset("more", "chroma"))
    with write(tmp_path / "catalog.db", facts) as catalog:
        yield catalog


def test_a_column_affects_what_a_job_joins_by_it(joined: LocalCatalog) -> None:
    found = impact_of(joined, column(CUSTOMERS, "id"), LISTS, now=NOW)
    assert [(one.column, one.job, one.index, one.used_in) for one in found.uses] == [
        (column(CUSTOMERS, "id"), JOB, INDEX, ("join",))
    ]
    assert [one.urn for one in found.indexes] == [INDEX]
    assert [one.urn for one in found.jobs] == [JOB]
    assert [one.urn for one in found.applications] == [BOT]
    assert {JOB, INDEX, BOT} <= set(found.indirect)
    assert [(one.job, one.used_in) for one in found.not_known] == [(OTHER_JOB, ())]
    assert found.to_obj()["uses"][0]["used_in"] == ["join"]


def test_what_values_reach_is_not_indirect(joined: LocalCatalog) -> None:
    found = impact_of(joined, column(CUSTOMERS, "email"), LISTS, now=NOW)
    assert [one.urn for one in found.indexes] == [INDEX]
    assert INDEX not in found.indirect
    assert found.uses == ()


def test_a_column_that_no_job_uses_affects_nothing(joined: LocalCatalog) -> None:
    found = impact_of(joined, column(REVIEWS, "id"), LISTS, now=NOW)
    assert (found.indexes, found.jobs, found.uses, found.not_known) == ((), (), (), ())


def test_what_a_view_joins_by_is_not_known(tmp_path: Path) -> None:
    view = dataset("shop.public.review_docs")
    facts = estate()
    facts[view, "datasetProperties"] = {"name": "review_docs"}
    facts[view, "subTypes"] = {"typeNames": ["View"]}
    facts[view, "upstreamLineage"] = {
        "upstreams": [{"dataset": REVIEWS, "type": "VIEW", "auditStamp": {"time": 0, "actor": OWNER}}],
        "fineGrainedLineages": fine_grained((column(REVIEWS, "body"), column(view, "body"))),
    }
    with write(tmp_path / "catalog.db", facts) as catalog:
        found = impact_of(catalog, column(REVIEWS, "customer_id"), LISTS, now=NOW)
        assert [(one.column, one.job, one.job_name) for one in found.not_known] == [
            (column(REVIEWS, "customer_id"), JOB, "embed-docs"),
            (column(REVIEWS, "customer_id"), view, "review_docs"),
        ]
        selected = impact_of(catalog, column(REVIEWS, "body"), LISTS, now=NOW)
        assert view in [one.urn for one in selected.others]
        assert selected.not_known == ()
