"""What SQL does with columns besides selecting them: a table of statements, and DuckDB as the judge of many."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache

import duckdb
import pytest

from lineage.estate import PREFIX, TABLES, Known, read, short, unchecked, urn
from lineage.random_sql import TABLES as RANDOM_TABLES
from lineage.random_sql import Writer

CASES: list[tuple[str, str, str]] = [
    # Joins
    ("postgres", "select d.title from docs d join authors a on a.id = d.author_id", "join: authors.id docs.author_id"),
    ("bigquery", "select d.title from docs d join authors a on a.id = d.author_id", "join: authors.id docs.author_id"),
    ("snowflake", "select d.title from docs d join authors a on a.id = d.author_id", "join: authors.id docs.author_id"),
    ("duckdb", "select d.title from docs d join authors a on a.id = d.author_id", "join: authors.id docs.author_id"),
    ("postgres", "select d.title from docs d left join authors a on lower(a.name) = d.body and a.team_id > 1",
     "join: authors.name authors.team_id docs.body"),
    ("postgres", "select title from docs join comments using (id)", "join: comments.id docs.id"),
    ("postgres", "select title from docs join published p using (id, title)",
     "join: docs.id published.id docs.title published.title"),
    ("postgres", "select name from authors natural join docs", "join: authors.id docs.id"),
    ("duckdb", "select title from docs semi join comments on comments.doc_id = docs.id",
     "join: comments.doc_id docs.id"),
    ("duckdb", "select title from docs anti join comments using (id)", "join: comments.id docs.id"),
    ("duckdb", "select d.title from docs d asof join comments c on d.author_id = c.author_id and d.id >= c.id",
     "join: docs.author_id comments.author_id docs.id comments.id"),
    ("postgres", "select d.title from docs d cross join authors a", ""),
    ("postgres", "select d.title from docs d, authors a where a.id = d.author_id",
     "filter: authors.id docs.author_id"),
    ("postgres", "select a.name from docs d join (comments c join authors a on a.id = c.author_id) on c.doc_id = d.id",
     "join: authors.id comments.author_id comments.doc_id docs.id"),
    ("postgres", "select d.title, c.body from docs d left join lateral"
     " (select m.body from comments m where doc_id = d.id order by m.id limit 1) c on true",
     "filter: comments.doc_id docs.id; sort: comments.id"),
    ("postgres", "select d.title from docs d join authors a on a.id = d.author_id and exists"
     " (select 1 from comments c where c.author_id = a.id)",
     "join: authors.id docs.author_id; filter: comments.author_id authors.id"),
    # Filters
    ("postgres", "select title from docs where tags = 'x' and author_id > 1", "filter: docs.tags docs.author_id"),
    ("snowflake", "select title from docs where tags = 'x'", "filter: docs.tags"),
    ("bigquery", "select title from docs where tags is not null or length(body) > 3", "filter: docs.tags docs.body"),
    ("duckdb", "from docs select title where tags like '%x%'", "filter: docs.tags"),
    ("postgres", "select title from docs where author_id in (select a.id from authors a where team_id = 1)",
     "filter: docs.author_id authors.id authors.team_id"),
    ("postgres", "select title from docs d where exists (select 1 from comments c where c.doc_id = d.id)",
     "filter: comments.doc_id docs.id"),
    ("postgres", "select title from docs d where not exists (select c.body from comments c where c.doc_id = d.id)",
     "filter: comments.doc_id docs.id; select: comments.body"),
    ("snowflake", "select title from docs where (id, author_id) in (select doc_id, author_id from comments)",
     "filter: docs.id docs.author_id comments.doc_id comments.author_id"),
    ("postgres", "select title from docs where id = any (select doc_id from comments)",
     "filter: docs.id comments.doc_id"),
    ("postgres", "select title from docs where body > (select max(body) from comments)",
     "filter: docs.body comments.body"),
    ("bigquery", "select title from docs where 'x' in unnest(tags)", "filter: docs.tags"),
    ("postgres", "select d.title, (select max(c.body) from comments c where c.doc_id = d.id) as c from docs d",
     "filter: comments.doc_id docs.id"),
    ("snowflake", "select title from docs qualify row_number() over (partition by author_id order by id) = 1",
     "filter: docs.author_id docs.id; window: docs.author_id docs.id"),
    ("bigquery", "select title from docs where true qualify rank() over (order by id) = 1",
     "filter: docs.id; window: docs.id"),
    ("duckdb", "select title from docs qualify count(*) over (partition by author_id) > 1",
     "filter: docs.author_id; window: docs.author_id"),
    ("clickhouse", "select title from docs prewhere author_id = 1 where tags != ''",
     "filter: docs.author_id docs.tags"),
    ("oracle", "select name from authors connect by prior id = team_id start with team_id is null",
     "filter: authors.id authors.team_id"),
    ("postgres", "select title from docs except select title from published where id = 1",
     "filter: published.title published.id"),
    # Groups
    ("postgres", "select max(title) as t from docs group by author_id", "group by: docs.author_id"),
    ("postgres", "select title, count(*) as n from docs group by 1", "group by: docs.title"),
    ("postgres", "select max(title) as t from docs group by author_id having min(id) > 1",
     "group by: docs.author_id; filter: docs.id"),
    ("bigquery", "select lower(tags) as k, max(title) as t from docs group by k", "group by: docs.tags"),
    ("snowflake", "select author_id, max(title) as t from docs group by all", "group by: docs.author_id"),
    ("duckdb", "select author_id, tags, max(title) as t from docs group by all", "group by: docs.author_id docs.tags"),
    ("postgres", "select max(title) as t from docs group by grouping sets ((author_id), (tags))",
     "group by: docs.author_id docs.tags"),
    ("snowflake", "select max(title) as t from docs group by cube (author_id, tags)",
     "group by: docs.author_id docs.tags"),
    ("postgres", "select max(title) as t from docs group by rollup (author_id)", "group by: docs.author_id"),
    ("postgres", "select distinct on (author_id) title from docs order by author_id, id",
     "group by: docs.author_id; sort: docs.author_id docs.id"),
    ("postgres", "select distinct title from docs", ""),
    # Order
    ("postgres", "select title from docs order by id desc nulls last", "sort: docs.id"),
    ("bigquery", "select title from docs order by id limit 3", "sort: docs.id"),
    ("postgres", "select title, body from docs order by 2", "sort: docs.body"),
    ("postgres", "select lower(tags) as title from docs order by title", "sort: docs.tags"),
    ("duckdb", "select title, body from docs order by all", "sort: docs.title docs.body"),
    ("postgres", "select title from docs union all select body from comments order by title",
     "sort: docs.title comments.body"),
    ("hive", "select title from docs distribute by author_id sort by id", "sort: docs.author_id docs.id"),
    # Windows
    ("postgres", "select row_number() over (partition by author_id order by id) as n, title from docs",
     "window: docs.author_id docs.id"),
    ("snowflake", "select first_value(title) over (partition by author_id order by id) as t from docs",
     "window: docs.author_id docs.id"),
    ("duckdb", "select sum(id) over w as s from docs window w as (partition by author_id)", "window: docs.author_id"),
    ("snowflake", "select * from docs match_recognize (partition by author_id order by id"
     " measures last(title) as t pattern (a b+) define b as tags = 'x')",
     "window: docs.author_id docs.id; filter: docs.tags"),
    # Queries in WITH and FROM, and names that nothing uses
    ("postgres", "with x as (select id, title from docs where tags = 'a') select title from x order by id",
     "filter: docs.tags; sort: docs.id"),
    ("bigquery", "with x as (select id as k, title from docs) select x.title from x join comments c on c.doc_id = x.k",
     "join: docs.id comments.doc_id"),
    ("postgres", "with x as (select author_id || tags as k, title from docs) select title from x where k = 'a'",
     "filter: docs.author_id docs.tags"),
    ("postgres", "with unused as (select email from authors) select title from docs", "select: authors.email"),
    ("snowflake", "select * from (select title, id from docs) where id > 3", "filter: docs.id"),
    ("postgres", "with recursive t as (select id, team_id, name from authors where team_id = 0 union all"
     " select a.id, a.team_id, a.name from authors a join t on t.id = a.team_id) select name from t",
     "filter: authors.team_id; join: authors.id authors.team_id"),
    ("postgres", "select * from docs where id = 1", "filter: docs.id"),
    ("postgres", "select count(*) as n from docs", ""),
    ("snowflake", "select * from docs pivot (max(title) for tags in ('a', 'b'))", "group by: docs.tags"),
    ("duckdb", "pivot docs on tags using max(title)", "group by: docs.tags; select: docs.title"),
    ("bigquery", "select d.title from docs d, unnest(d.tags) t where t = 'x'", "filter: docs.tags"),
    # Statements that write
    ("postgres", "insert into published (title) select title from docs where tags = 'x'", "filter: docs.tags"),
    ("snowflake", "create table t as select title from docs where tags = 'x'", "filter: docs.tags"),
    ("postgres", "update published p set title = d.title from docs d where d.id = p.id",
     "filter: docs.id published.id"),
    ("mssql", "update p set title = d.title from published p join docs d on d.id = p.id where d.tags = 'x'",
     "join: docs.id published.id; filter: docs.tags"),
    # Changes
    ("postgres", "delete from docs where tags = 'x'", "filter: docs.tags"),
    ("postgres", "delete from docs", ""),
    ("snowflake", "delete from docs where author_id in (select id from authors where team_id = 1)",
     "filter: docs.author_id authors.id authors.team_id"),
    ("postgres", "delete from docs d using authors a where a.id = d.author_id and a.name = 'x'",
     "filter: authors.id authors.name docs.author_id"),
    ("mysql", "delete d from docs d join authors a on a.id = d.author_id where a.name = 'x'",
     "filter: authors.name; join: authors.id docs.author_id"),
    ("postgres", "delete from docs where tags = 'x'; insert into published (title) select title from docs",
     "filter: docs.tags"),
    ("postgres", "with old as (select id from authors where team_id = 1) delete from docs"
     " where author_id in (select id from old)", "filter: docs.author_id authors.id authors.team_id"),
    ("postgres", "update published set title = d.title from docs d where d.id = published.id and d.tags = 'x'",
     "filter: docs.id published.id docs.tags"),
    ("snowflake", "merge into published p using docs d on d.id = p.id when matched and d.tags = 'x' then update"
     " set title = d.title", "join: docs.id published.id; filter: docs.tags"),
    ("bigquery", "merge published p using (select id, title from docs where tags = 'x') d on d.id = p.id"
     " when not matched then insert (id, title) values (d.id, d.title)",
     "join: docs.id published.id; filter: docs.tags"),
    ("postgres", "create temp table t as select id, title from docs where tags = 'x';"
     " insert into published (title) select t.title from t join comments c on c.doc_id = t.id",
     "filter: docs.tags; join: docs.id comments.doc_id"),
    ("postgres", "create temp table t as select title from docs where tags = 'x'; drop table t;"
     " create temp table t as select title from docs; select title from t", ""),
    ("bigquery", "declare x string default (select max(tags) from docs where id = 1);"
     " select title from published where title > x", "filter: docs.id published.title docs.tags"),
]  # fmt: skip


def _uses(platform: str, sql: str) -> str:
    """The uses as the table has them. Columns that are selected, and so have edges, are left out."""
    lineage = read(platform, sql)
    selected = {source for output in lineage.outputs for source in output.sources}
    edges = {(one.dataset, one.column) for one in selected}
    found: dict[str, list[str]] = {}
    for one in lineage.uses:
        if one.use != "select" or (one.dataset, one.column) not in edges:
            found.setdefault(one.use, []).append(f"{short(platform, one.dataset)}.{one.column}")
    assert not lineage.uses_hidden
    return _sorted("; ".join(f"{use}: {' '.join(columns)}" for use, columns in found.items()))


def _sorted(text: str) -> str:
    parts = (part.partition(":") for part in text.split("; ") if part)
    return "; ".join(sorted(f"{use}: {' '.join(sorted(columns.split()))}" for use, _, columns in parts))


@pytest.mark.parametrize(("platform", "sql", "wanted"), CASES)
def test_uses(platform: str, sql: str, wanted: str) -> None:
    assert _uses(platform, sql) == _sorted(wanted)


def test_the_table_is_large() -> None:
    assert len(CASES) >= 60
    assert {"postgres", "bigquery", "snowflake", "duckdb"} <= {platform for platform, _, _ in CASES}


@pytest.mark.parametrize(
    ("sql", "hidden"),
    [
        ("select title from docs where nope = 1", {"docs"}),
        ("select d.title from docs d join authors a on a.id = d.author_id where name2 = 'x'", {"docs", "authors"}),
        ("select d.title from docs d natural join raw r", {"docs", "raw"}),
        ("select title from docs; this is no statement", {"docs"}),
    ],
)  # fmt: skip
def test_uses_that_are_not_all_known(sql: str, hidden: set[str]) -> None:
    assert {short("postgres", one) for one in read("postgres", sql).uses_hidden} == hidden


def test_a_table_without_a_schema_has_the_columns_that_the_sql_names() -> None:
    lineage = unchecked("postgres", "select d.title from docs d where d.kind = 'x' order by d.id")
    assert {(one.column, one.use) for one in lineage.uses if one.use != "select"} == {
        ("kind", "filter"),
        ("id", "sort"),
    }
    assert lineage.uses_hidden == ()


# DuckDB as the judge: a query fails without a column if, and only if, lineage says that it uses or selects the column.
# A star names no column, and is left out.

_DUCKDB = [
    sql for platform, sql, _ in CASES if platform in ("duckdb", "postgres") and "temp table" not in sql
]
_NOT_ALIKE = re.compile(r"natural|update |insert |with unused|pivot docs|select c.body")
"""NATURAL joins what is left, changes name columns twice, and DuckDB does not look into what it does not need."""


@cache
def _database() -> duckdb.DuckDBPyConnection:
    """One for all queries, since opening a database takes longer than a query."""
    return duckdb.connect(":memory:", config={"threads": 1})


def _fails_without(sql: str, table: str, column: str, tables: dict[str, list[str]]) -> bool:
    database = _database()
    database.begin()
    try:
        for name, columns in tables.items():
            kept = [one for one in columns if (name, one.split()[0]) != (table, column)]
            database.execute(f"create table {name} ({', '.join(kept)})")
        try:
            database.execute(sql)
        except duckdb.Error:
            return True
        return False
    finally:
        database.rollback()


def _claimed(sql: str, lookup: Known | None = None) -> set[tuple[str, str]]:
    lineage = read("duckdb", sql, lookup) if lookup else read("duckdb", sql)
    return {
        (one.dataset.split(",")[1].removeprefix("main."), one.column.split(".")[0]) for one in lineage.uses
    }


def _typed(column: str) -> str:
    return f"{column} {'integer' if column == 'id' or column.endswith('_id') else 'varchar'}"


@pytest.mark.parametrize("sql", [one for one in _DUCKDB if not _NOT_ALIKE.search(one)])
def test_a_query_fails_without_a_column_exactly_if_it_is_used_or_selected(sql: str) -> None:
    tables = {
        name: [_typed(column) for column in columns.split()] for name, columns in TABLES.items() if columns
    }
    if _fails_without(sql, "", "", tables):
        pytest.skip("DuckDB does not run this statement of PostgreSQL's")
    claimed = _claimed(sql)
    fails = {
        (table, column.split()[0])
        for table, columns in tables.items()
        for column in columns
        if _fails_without(sql, table, column.split()[0], tables)
    }
    assert claimed == fails


def test_random_queries_fail_without_the_columns_that_they_name() -> None:
    kinds = {
        "text": "varchar",
        "list": "varchar[]",
        "struct": "struct(lang varchar, author struct(name varchar, mail varchar))",
    }
    tables = {
        name: ["k integer", "g integer", *(f"{column} {kinds[kind]}" for column, kind in columns.items())]
        for name, columns in RANDOM_TABLES.items()
    }
    known = Known(
        {
            urn("duckdb", f"{PREFIX['duckdb']}{name}"): [one.split()[0] for one in columns]
            for name, columns in tables.items()
        }
    )
    writer = Writer(5)
    wrong: list[tuple[str, set[tuple[str, str]]]] = []
    seen = 0
    while seen < 5:
        sql = writer.query()
        names = Counter(re.findall(r"\bw\d+\b", sql))
        if 1 in names.values() or _fails_without(sql, "", "", tables):
            continue  # DuckDB does not look into queries in WITH that nothing reads.
        claimed = _claimed(sql, known)
        fails = {
            (table, column.split()[0])
            for table, columns in tables.items()
            for column in columns
            if _fails_without(sql, table, column.split()[0], tables)
        }
        seen += 1
        wrong += [(sql, claimed ^ fails)] if claimed != fails else []
    assert wrong == []
