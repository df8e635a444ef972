"""Queries of the kinds people embed from; tables and columns are written by hand, not taken from the output."""

from __future__ import annotations

from pathlib import Path

import pytest

from lineage.estate import TABLES, inputs, outputs, read, titles

Expected = dict[str, str]

QUERIES: list[tuple[str, str, str, str, Expected]] = [
    # name, platform, SQL, input tables, output column -> source columns
    ("columns", "postgres", "select id, body from docs", "docs", {"id": "docs.id", "body": "docs.body"}),
    (
        "qualified name",
        "postgres",
        "select d.body from shop.public.docs d",
        "docs",
        {"body": "docs.body"},
    ),
    (
        "column qualified by schema",
        "postgres",
        "select public.docs.body from public.docs",
        "docs",
        {"body": "docs.body"},
    ),
    (
        "concatenation",
        "postgres",
        "select id, title || E'\\n\\n' || coalesce(body, '') as text from docs",
        "docs",
        {"id": "docs.id", "text": "docs.title docs.body"},
    ),
    (
        "concat_ws over a join",
        "postgres",
        "select d.id, concat_ws(' ', d.title, d.body, a.name) as text, a.email as contact"
        " from docs d join authors a on a.id = d.author_id where d.body is not null",
        "docs authors",
        {"id": "docs.id", "text": "docs.title docs.body authors.name", "contact": "authors.email"},
    ),
    (
        "unqualified columns over a join",
        "postgres",
        "select title, email from docs join authors on authors.id = docs.author_id",
        "docs authors",
        {"title": "docs.title", "email": "authors.email"},
    ),
    (
        "join using",
        "postgres",
        "select id, title, name from docs join authors using (id)",
        "docs authors",
        {"id": "docs.id authors.id", "title": "docs.title", "name": "authors.name"},
    ),
    (
        "left join of a view",
        "postgres",
        "select p.title, a.name from published p left join authors a on a.id = p.id",
        "published authors",
        {"title": "published.title", "name": "authors.name"},
    ),
    (
        "self join",
        "postgres",
        "select d.title, parent.title as parent_title from docs d left join docs parent on parent.id = d.meta",
        "docs",
        {"title": "docs.title", "parent_title": "docs.title"},
    ),
    (
        "comma join",
        "postgres",
        "select d.title, c.body as comment from docs d, comments c where c.doc_id = d.id",
        "docs comments",
        {"title": "docs.title", "comment": "comments.body"},
    ),
    (
        "star",
        "postgres",
        "select * from published",
        "published",
        {"id": "published.id", "title": "published.title", "body": "published.body"},
    ),
    (
        "star of one table in a join",
        "postgres",
        "select p.*, a.name from published p join authors a on a.id = p.id",
        "published authors",
        {"id": "published.id", "title": "published.title", "body": "published.body", "name": "authors.name"},
    ),
    (
        "star over a subquery",
        "postgres",
        "select * from (select title, upper(body) as shout from docs) s",
        "docs",
        {"title": "docs.title", "shout": "docs.body"},
    ),
    (
        "equal names from two tables",
        "postgres",
        "insert into chunks (doc_id, author_id) select d.id, a.id from docs d join authors a on a.id = d.author_id",
        "docs authors",
        {"doc_id": "docs.id", "author_id": "authors.id"},
    ),
    (
        "cte",
        "postgres",
        "with live as (select id, title, body from docs where tags is null) select title, body as text from live",
        "docs",
        {"title": "docs.title", "text": "docs.body"},
    ),
    (
        "chain of ctes",
        "postgres",
        "with a as (select id, body from docs), b as (select a.id, a.body || c.body as both from a"
        " join comments c on c.doc_id = a.id), d as (select id, left(both, 100) as cut from b)"
        " select id, cut as text from d",
        "docs comments",
        {"id": "docs.id", "text": "docs.body comments.body"},
    ),
    (
        "cte named as its table",
        "postgres",
        "with docs as (select * from docs where tags is not null) select body from docs",
        "docs",
        {"body": "docs.body"},
    ),
    (
        "recursive cte",
        "postgres",
        "with recursive tree as (select id, title from docs where meta is null union all"
        " select d.id, tree.title || '/' || d.title from docs d join tree on tree.id = d.meta)"
        " select id, title as path from tree",
        "docs",
        {"id": "docs.id", "path": "docs.title"},
    ),
    (
        "union of different columns",
        "postgres",
        "select id, body as text from docs union all select id, body from comments",
        "docs comments",
        {"id": "docs.id comments.id", "text": "docs.body comments.body"},
    ),
    (
        "union of three, names from the first",
        "postgres",
        "(select title as text from docs) union (select name from authors) union all (select body from comments)",
        "docs authors comments",
        {"text": "docs.title authors.name comments.body"},
    ),
    (
        "union in a subquery",
        "postgres",
        "select text from (select body as text, id from docs union all select body, id from comments) u where id > 1",
        "docs comments",
        {"text": "docs.body comments.body"},
    ),
    (
        "intersect",
        "postgres",
        "select id from docs intersect select doc_id from comments",
        "docs comments",
        {"id": "docs.id comments.doc_id"},
    ),
    (
        "window",
        "postgres",
        "select title, first_value(body) over (partition by author_id order by id desc) as latest from docs",
        "docs",
        {"title": "docs.title", "latest": "docs.body docs.author_id docs.id"},
    ),
    (
        "latest row by window in a subquery",
        "postgres",
        "select title, body from (select d.*, row_number() over (partition by author_id order by id desc) as n"
        " from docs d) ranked where n = 1",
        "docs",
        {"title": "docs.title", "body": "docs.body"},
    ),
    (
        "string_agg",
        "postgres",
        "select doc_id, string_agg(body, E'\\n') as text from comments group by doc_id",
        "comments",
        {"doc_id": "comments.doc_id", "text": "comments.body"},
    ),
    (
        "aggregate over a join",
        "postgres",
        "select d.id, d.title || ': ' || string_agg(c.body, ' ') as thread, count(*) as answers"
        " from docs d join comments c on c.doc_id = d.id group by d.id, d.title",
        "docs comments",
        {"id": "docs.id", "thread": "docs.title comments.body", "answers": ""},
    ),
    (
        "case",
        "postgres",
        "select case when tags = 'x' then title else body end as text from docs",
        "docs",
        {"text": "docs.tags docs.title docs.body"},
    ),
    (
        "json operators",
        "postgres",
        "select meta ->> 'lang' as lang, meta #>> '{author,name}' as who,"
        " jsonb_path_query_first(meta, '$.x') as x from docs",
        "docs",
        {"lang": "docs.meta", "who": "docs.meta", "x": "docs.meta"},
    ),
    (
        "json row",
        "postgres",
        "select id, jsonb_build_object('title', title, 'body', body)::text as text from docs",
        "docs",
        {"id": "docs.id", "text": "docs.title docs.body"},
    ),
    (
        "whole row",
        "postgres",
        "select to_jsonb(p) as text from published p",
        "published",
        {"text": "published.id published.title published.body"},
    ),
    (
        "json elements in from",
        "postgres",
        "select d.id, tag.value as tag from docs d, jsonb_array_elements_text(d.tags) tag",
        "docs",
        {"id": "docs.id", "tag": "docs.tags"},
    ),
    (
        "json elements by alias alone",
        "postgres",
        "select d.id, tag from docs d cross join lateral jsonb_array_elements_text(d.tags) as tag",
        "docs",
        {"id": "docs.id", "tag": "docs.tags"},
    ),
    (
        "recordset",
        "postgres",
        "select d.id, r.heading from docs d cross join lateral jsonb_to_recordset(d.meta) as r(heading text, n int)",
        "docs",
        {"id": "docs.id", "heading": "docs.meta"},
    ),
    (
        "unnest",
        "postgres",
        "select d.id, t as tag from docs d cross join unnest(d.tags) t",
        "docs",
        {"id": "docs.id", "tag": "docs.tags"},
    ),
    (
        "unnest in select",
        "postgres",
        "select id, unnest(tags) as tag from docs",
        "docs",
        {"id": "docs.id", "tag": "docs.tags"},
    ),
    (
        "lateral subquery",
        "postgres",
        "select d.id, c.text from docs d left join lateral"
        " (select string_agg(x.body, ' ') as text from comments x where x.doc_id = d.id) c on true",
        "docs comments",
        {"id": "docs.id", "text": "comments.body"},
    ),
    (
        "lateral subquery with outer columns",
        "postgres",
        "select c.text from docs d cross join lateral"
        " (select d.title || x.body as text from comments x where x.doc_id = d.id) c",
        "docs comments",
        {"text": "docs.title comments.body"},
    ),
    (
        "scalar subquery",
        "postgres",
        "select id, (select d.title || ' by ' || a.name from authors a where a.id = d.author_id) as text from docs d",
        "docs authors",
        {"id": "docs.id", "text": "docs.title authors.name"},
    ),
    (
        "filter subqueries",
        "postgres",
        "select id, body from docs where author_id in (select id from authors) and exists (select * from comments c"
        " where c.doc_id = docs.id)",
        "docs authors comments",
        {"id": "docs.id", "body": "docs.body"},
    ),
    (
        "derived tables, nested",
        "postgres",
        "select t.text from (select s.body as text from (select body, id from docs) s where s.id > 3) t",
        "docs",
        {"text": "docs.body"},
    ),
    (
        "distinct on",
        "postgres",
        "select distinct on (author_id) author_id, body from docs order by author_id, id desc",
        "docs",
        {"author_id": "docs.author_id", "body": "docs.body"},
    ),
    (
        "parameters",
        "postgres",
        "select body from docs where id > %(last)s and title = :t and tags = $1",
        "docs",
        {"body": "docs.body"},
    ),
    (
        "comments in SQL",
        "postgres",
        "-- what we embed\nselect body /* the text */ from docs; -- done",
        "docs",
        {"body": "docs.body"},
    ),
    (
        "order by an alias",
        "postgres",
        "select body as text from docs order by text limit 10",
        "docs",
        {"text": "docs.body"},
    ),
    (
        "generate_series",
        "postgres",
        "select d.body, n from docs d, generate_series(1, 3) n",
        "docs",
        {"body": "docs.body", "n": ""},
    ),
    (
        "values",
        "postgres",
        "select d.body, v.lang from docs d cross join (values ('en'), ('de')) as v(lang)",
        "docs",
        {"body": "docs.body", "lang": ""},
    ),
    (
        "table without a schema",
        "postgres",
        "select r.text, d.title from raw r join docs d on d.id = r.id",
        "raw docs",
        {"text": "raw.text", "title": "docs.title"},
    ),
    (
        "the one table without a schema",
        "postgres",
        "select anything, title from raw join docs on true",
        "raw docs",
        {"anything": "raw.anything", "title": "docs.title"},
    ),
    # Snowflake
    (
        "snowflake upper case",
        "snowflake",
        "SELECT ID, BODY AS TEXT FROM SHOP.PUBLIC.DOCS",
        "docs",
        {"ID": "docs.id", "TEXT": "docs.body"},
    ),
    (
        "snowflake quoted",
        "snowflake",
        'select "id", "TITLE" as "Title" from "SHOP"."PUBLIC"."DOCS"',
        "docs",
        {"id": "docs.id", "Title": "docs.title"},
    ),
    (
        "snowflake quoted alias in a cte",
        "snowflake",
        'with t as (select body as "Text" from docs) select "Text" as text from t',
        "docs",
        {"text": "docs.body"},
    ),
    (
        "snowflake flatten",
        "snowflake",
        "select d.id, f.value:name::string as tag from docs d, lateral flatten(input => d.tags) f",
        "docs",
        {"id": "docs.id", "tag": "docs.tags"},
    ),
    (
        "snowflake table flatten",
        "snowflake",
        "select f.value::string as tag from docs d, table(flatten(input => parse_json(d.meta), path => 'x')) f",
        "docs",
        {"tag": "docs.meta"},
    ),
    (
        "snowflake qualify",
        "snowflake",
        "select title, body from docs qualify row_number() over (partition by author_id order by id desc) = 1",
        "docs",
        {"title": "docs.title", "body": "docs.body"},
    ),
    (
        "snowflake cortex",
        "snowflake",
        "select id, snowflake.cortex.embed_text_768('e5-base-v2', body) as embedding from docs",
        "docs",
        {"id": "docs.id", "embedding": "docs.body"},
    ),
    (
        "snowflake path",
        "snowflake",
        "select meta:author.name::string as who from docs",
        "docs",
        {"who": "docs.meta"},
    ),
    (
        "snowflake listagg",
        "snowflake",
        "select doc_id, listagg(body, ' ') as text from comments group by doc_id",
        "comments",
        {"doc_id": "comments.doc_id", "text": "comments.body"},
    ),
    (
        "snowflake exclude and rename",
        "snowflake",
        "select * exclude (id) rename (body as text) from published",
        "published",
        {"title": "published.title", "text": "published.body"},
    ),
    (
        "snowflake identifier()",
        "snowflake",
        "select body from identifier('shop.public.docs')",
        "docs",
        {"body": "docs.body"},
    ),
    # BigQuery
    (
        "bigquery backticks",
        "bigquery",
        "SELECT Title, d.BODY AS text FROM `shop.kb.docs` AS d",
        "docs",
        {"Title": "docs.title", "text": "docs.body"},
    ),
    (
        "bigquery unnest",
        "bigquery",
        "SELECT d.id, tag FROM docs d, UNNEST(d.tags) AS tag WITH OFFSET AS n",
        "docs",
        {"id": "docs.id", "tag": "docs.tags"},
    ),
    (
        "bigquery implicit unnest",
        "bigquery",
        "SELECT d.id, t.name FROM docs d, d.tags AS t",
        "docs",
        {"id": "docs.id", "name": "docs.tags"},
    ),
    (
        "bigquery struct",
        "bigquery",
        "SELECT d.meta.lang, STRUCT(title, body) AS text FROM docs d",
        "docs",
        {"lang": "docs.meta", "text": "docs.title docs.body"},
    ),
    (
        "bigquery except and replace",
        "bigquery",
        "SELECT * EXCEPT (id) REPLACE (UPPER(body) AS body) FROM published",
        "published",
        {"title": "published.title", "body": "published.body"},
    ),
    (
        "bigquery pipes",
        "bigquery",
        "FROM docs |> WHERE id > 1 |> SELECT title, body AS text",
        "docs",
        {"title": "docs.title", "text": "docs.body"},
    ),
    (
        "bigquery json",
        "bigquery",
        "SELECT JSON_VALUE(meta, '$.lang') AS lang FROM docs",
        "docs",
        {"lang": "docs.meta"},
    ),
    (
        "bigquery array_agg",
        "bigquery",
        "SELECT doc_id, ARRAY_AGG(STRUCT(id, body)) AS all_of_it FROM comments GROUP BY 1",
        "comments",
        {"doc_id": "comments.doc_id", "all_of_it": "comments.id comments.body"},
    ),
    # MySQL
    (
        "mysql",
        "mysql",
        "select `Id`, concat(title, ' ', Body) as `Text` from Docs",
        "docs",
        {"Id": "docs.id", "Text": "docs.title docs.body"},
    ),
    (
        "mysql group_concat",
        "mysql",
        "select d.title, group_concat(c.body separator ' ') as text from docs d"
        " join shop.comments c on c.doc_id = d.id group by d.title",
        "docs comments",
        {"title": "docs.title", "text": "comments.body"},
    ),
    (
        "mysql json",
        "mysql",
        "select meta ->> '$.lang' as lang, json_unquote(json_extract(meta, '$.x')) as x from docs",
        "docs",
        {"lang": "docs.meta", "x": "docs.meta"},
    ),
    (
        "mysql json_table",
        "mysql",
        "select d.id, t.tag from docs d, json_table(d.tags, '$[*]' columns (tag varchar(40) path '$')) t",
        "docs",
        {"id": "docs.id", "tag": "docs.tags"},
    ),
    (
        "mysql full text",
        "mysql",
        "select title, body from docs where match (body) against ('x') limit 5 offset 3",
        "docs",
        {"title": "docs.title", "body": "docs.body"},
    ),
    # SQLite
    (
        "sqlite",
        "sqlite",
        "select d.id, d.title, a.email as maintainer from main.docs d join authors a on a.id = d.author_id",
        "docs authors",
        {"id": "docs.id", "title": "docs.title", "maintainer": "authors.email"},
    ),
    ("sqlite brackets", "sqlite", "select [Body] as text from [Docs]", "docs", {"text": "docs.body"}),
    (
        "sqlite json_each",
        "sqlite",
        "select d.id, j.value as tag from docs d, json_each(d.tags) j",
        "docs",
        {"id": "docs.id", "tag": "docs.tags"},
    ),
    (
        "sqlite json_each without alias",
        "sqlite",
        "select value as tag from docs, json_each(tags)",
        "docs",
        {"tag": "docs.tags"},
    ),
    (
        "sqlite json",
        "sqlite",
        "select json_extract(meta, '$.a') as a, meta ->> '$.b' as b from docs",
        "docs",
        {"a": "docs.meta", "b": "docs.meta"},
    ),
    (
        "sqlite group_concat",
        "sqlite",
        "select doc_id, group_concat(body, char(10)) as text from comments group by doc_id",
        "comments",
        {"doc_id": "comments.doc_id", "text": "comments.body"},
    ),
    (
        "sqlite printf",
        "sqlite",
        "select printf('%s: %s', title, body) as text from docs",
        "docs",
        {"text": "docs.title docs.body"},
    ),
    # DuckDB
    ("duckdb from first", "duckdb", "from docs select body as text", "docs", {"text": "docs.body"}),
    (
        "duckdb from alone",
        "duckdb",
        "from published",
        "published",
        {"id": "published.id", "title": "published.title", "body": "published.body"},
    ),
    (
        "duckdb unnest",
        "duckdb",
        "select d.id, t.x as tag from docs d, unnest(d.tags) as t(x)",
        "docs",
        {"id": "docs.id", "tag": "docs.tags"},
    ),
    (
        "duckdb struct",
        "duckdb",
        "select {'t': title, 'b': body} as text from docs",
        "docs",
        {"text": "docs.title docs.body"},
    ),
    (
        "duckdb lambda",
        "duckdb",
        "select list_transform(tags, x -> x || title) as labels from docs",
        "docs",
        {"labels": "docs.tags docs.title"},
    ),
    # others
    (
        "redshift",
        "redshift",
        "select listagg(body, ' ') within group (order by id) as text from comments",
        "comments",
        {"text": "comments.body comments.id"},
    ),
    (
        "mssql",
        "mssql",
        "select top 10 [Title], isnull(Body, '') as Text from dbo.Docs with (nolock)",
        "docs",
        {"Title": "docs.title", "Text": "docs.body"},
    ),
    (
        "mssql string_agg",
        "mssql",
        "select d.title, x.text from docs d"
        " cross apply (select string_agg(c.body, ' ') as text from comments c where c.doc_id = d.id) x",
        "docs comments",
        {"title": "docs.title", "text": "comments.body"},
    ),
    (
        "databricks lateral view",
        "databricks",
        "select d.id, e.tag from docs d lateral view explode(d.tags) e as tag",
        "docs",
        {"id": "docs.id", "tag": "docs.tags"},
    ),
]


@pytest.mark.parametrize(
    ("platform", "sql", "tables", "columns"),
    [pytest.param(*query[1:], id=query[0]) for query in QUERIES],
)
def test_tables_and_columns(platform: str, sql: str, tables: str, columns: Expected) -> None:
    lineage = read(platform, sql)
    assert inputs(platform, lineage) == set(tables.split())
    assert outputs(platform, lineage) == {name: set(sources.split()) for name, sources in columns.items()}
    assert titles(lineage) == []
    assert lineage.complete
    assert lineage.unknown == ()


def test_there_are_enough_of_them() -> None:
    assert len(QUERIES) >= 40
    assert len({query[1] for query in QUERIES}) >= 5


def shapes() -> list[tuple[str, str, str]]:
    """The queries of ``shapes.txt``: platform, SQL, and what its outputs come from."""
    lines = (Path(__file__).parent / "shapes.txt").read_text(encoding="utf-8").splitlines()
    found: list[tuple[str, str, str]] = []
    for line in lines:
        if line and not line.startswith("#"):
            platform, _, rest = line.partition(" | ")
            sql, _, wanted = rest.rpartition(" | ")
            found.append((platform, sql, wanted))
    return found


def expand(wanted: str) -> dict[str, set[str]]:
    """``text: docs.body authors.*`` as the sources of each output."""
    found: dict[str, set[str]] = {}
    for part in wanted.split(";"):
        name, _, sources = part.partition(":")
        found[name.strip()] = {
            f"{table}.{column}"
            for table, _, only in (source.partition(".") for source in sources.split())
            for column in ((TABLES[table] or "").split() if only == "*" else [only])
        }
    return found


@pytest.mark.parametrize(("platform", "sql", "wanted"), shapes())
def test_shapes_of_queries(platform: str, sql: str, wanted: str) -> None:
    lineage = read(platform, sql)
    assert outputs(platform, lineage) == expand(wanted)
    assert titles(lineage) == []
    assert lineage.stopped_at_tables == 0


@pytest.mark.parametrize(
    ("platform", "sql", "function"),
    [
        (
            "postgres",
            "select id, query_to_xml('select * from authors', true, true, '') as x from docs",
            "query_to_xml",
        ),
        ("postgres", "select id, table_to_xml('authors', true, true, '') as x from docs", "table_to_xml"),
        ("oracle", "select id, dbms_xmlgen.getxml('select * from authors') as x from docs", "getxml"),
        ("clickhouse", "select id, dictGet('shop.authors', 'name', author_id) as x from docs", "dictget"),
        ("clickhouse", "select id, joinGet('shop.names', 'name', author_id) as x from docs", "joinget"),
    ],
)
def test_a_function_that_reads_by_name_is_named(platform: str, sql: str, function: str) -> None:
    lineage = read(platform, sql)
    assert inputs(platform, lineage) == {"docs"}
    assert outputs(platform, lineage)["id"] == {"docs.id"}
    assert lineage.stopped_at_tables == 1
    assert [(one.kind, one.context.partition(",")[0]) for one in lineage.warnings] == [
        ("unknown_function", function)
    ]


@pytest.mark.parametrize(
    ("platform", "sql"),
    [
        ("trino", "select * from table(system.query(query => 'select id from docs'))"),
        ("trino", "select id from table(shop.system.query(query => 'select id from docs'))"),
        ("mssql", "select id from openquery(elsewhere, 'select id from docs')"),
        ("clickhouse", "select id from remote('elsewhere', shop, docs)"),
        ("duckdb", "select id from documents(since := 3)"),
    ],
)
def test_a_table_function_without_a_value_of_the_statement_is_not_understood(platform: str, sql: str) -> None:
    lineage = read(platform, sql)
    assert (lineage.inputs, lineage.complete, titles(lineage)) == (
        (),
        False,
        ["Table function not understood"],
    )
