from __future__ import annotations

from pathlib import Path

import pytest

from catalog.local.local_runs import dataset
from datahub_llmops.catalog.local.catalog import LocalCatalog
from datahub_llmops.errors import CatalogError
from datahub_llmops.report.filters import Filters
from datahub_llmops.report.selection import join_selections, narrow, select_all, select_around
from governance.estate import ANSWERS, BOT, CUSTOMERS, INDEX, JOB, MODEL, RETRIEVER, REVIEWS, estate, write

UNKNOWN = dataset("nobody.described", "s3")


@pytest.fixture
def catalog(tmp_path: Path) -> LocalCatalog:
    facts = estate()
    facts[REVIEWS, "upstreamLineage"] = {
        "upstreams": [
            {"dataset": UNKNOWN, "type": "COPY", "auditStamp": {"time": 0, "actor": "urn:li:corpuser:ada"}}
        ]
    }
    return write(tmp_path / "catalog.db", facts)


def test_too_many_assets_are_refused_with_what_to_do(catalog: LocalCatalog) -> None:
    assert len(select_all(catalog, most=8).assets) == 8
    message = r"more than 7 assets.*name an ASSET.* --type, --platform"
    with pytest.raises(CatalogError, match=message):
        select_all(catalog, most=7)
    with pytest.raises(CatalogError, match=message):
        select_around(catalog, INDEX, most=7)


def test_filters_are_asked_before_assets_are_counted(catalog: LocalCatalog) -> None:
    found = select_all(catalog, Filters(platforms=("postgres",)), most=2)
    assert found.assets == (CUSTOMERS, REVIEWS)
    assert found.left_out == 6
    assert found.unknown == ()


def test_edges_of_what_filters_left_out_go_with_it(catalog: LocalCatalog) -> None:
    found = select_all(catalog, Filters(platforms=("airflow", "chroma")))
    assert [(edge.upstream, edge.downstream) for edge in found.edges] == [(JOB, INDEX)]


def test_filters_of_a_neighbourhood_keep_its_root(catalog: LocalCatalog) -> None:
    around = select_around(catalog, INDEX, ["up"])
    assert UNKNOWN in around.unknown
    found = narrow(catalog, around, Filters(platforms=("openai",)))
    assert found.assets == (INDEX, MODEL)
    assert found.left_out == len({JOB, CUSTOMERS, REVIEWS, UNKNOWN})
    assert (found.roots, found.unknown) == ((INDEX,), ())


def test_neighbourhoods_are_joined(catalog: LocalCatalog) -> None:
    up, down = (select_around(catalog, urn, hops=1) for urn in (REVIEWS, ANSWERS))
    found = join_selections([up, down, down])
    assert set(found.assets) == {REVIEWS, JOB, ANSWERS, BOT}
    assert found.unknown == (UNKNOWN,)
    assert len(found.edges) == len(up.edges) + len(down.edges)
    assert found.roots == (REVIEWS, ANSWERS)
    assert found.reached_limit
    assert RETRIEVER not in found.assets
