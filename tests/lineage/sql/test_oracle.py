"""Column lineage agrees with DuckDB on random queries. ``make oracle`` tries thousands."""

from __future__ import annotations

import pytest

from lineage.duckdb_oracle import Oracle, judge_random

QUERIES = 40


@pytest.fixture(scope="module")
def oracle() -> Oracle:
    return Oracle()


def test_no_edge_of_a_random_query_is_wrong_or_missing(oracle: Oracle) -> None:
    verdicts, refused = judge_random(oracle, QUERIES, seed=12)
    assert len(verdicts) == QUERIES
    assert len(refused) < QUERIES / 4
    assert [one for one in verdicts if one.wrong or one.missing or one.warnings] == []
    assert sum(one.edges for one in verdicts) > QUERIES


def test_the_oracle_sees_influence(oracle: Oracle) -> None:
    """It tells values from filters, parts of a struct from the whole, and what SQL computes away."""
    sql = (
        "select d.k, d.g, upper(d.title) as a, d.meta.author.name as b, a.email || '' as c,"
        " {'x': d.body, 'y': a.name}.x as d"
        " from docs d join authors a on a.k = d.k where d.g <> 1"
    )
    assert oracle.influences(sql, 0) == {
        "a": {"docs.title"},
        "b": {"docs.meta.author.name"},
        "c": {"authors.email"},
        "d": {"docs.body"},
    }
