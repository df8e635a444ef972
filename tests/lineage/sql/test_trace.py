"""What DataHub's sqlglot lineage gets wrong without a word: put right here, or refused with a warning."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from typing_extensions import override

from datahub_llmops.errors import CatalogError
from datahub_llmops.lineage.job_config import UpstreamConfig
from datahub_llmops.lineage.schema_lookup import NoCatalog, SchemaLookup
from datahub_llmops.lineage.sql.trace import trace
from lineage.estate import RULES, TABLES, Known, inputs, outputs, read, tables, titles, unchecked, urn
from support.examples import examples


def columns(sql: str, platform: str = "postgres") -> dict[str, set[str]]:
    lineage = read(platform, sql)
    assert titles(lineage) == []
    return outputs(platform, lineage)


class TestTargets:
    """The names of output columns are the target's."""

    def test_insert_list(self) -> None:
        sql = "insert into chunks (doc_id, chunk) select id, body from docs"
        assert columns(sql) == {"doc_id": {"docs.id"}, "chunk": {"docs.body"}}

    def test_insert_list_swapped(self) -> None:
        sql = "insert into chunks (body, id) select id, body from docs"
        assert columns(sql) == {"body": {"docs.id"}, "id": {"docs.body"}}

    def test_insert_list_over_star(self) -> None:
        sql = "insert into chunks (a, b, c) select * from published"
        assert columns(sql) == {"a": {"published.id"}, "b": {"published.title"}, "c": {"published.body"}}

    def test_insert_with_cte_before_and_behind(self) -> None:
        before = (
            "with p as (select id, body from docs) insert into chunks (doc_id, chunk) select id, body from p"
        )
        behind = (
            "insert into chunks (doc_id, chunk) with p as (select id, body from docs) select id, body from p"
        )
        assert columns(before) == columns(behind) == {"doc_id": {"docs.id"}, "chunk": {"docs.body"}}

    def test_insert_over_union(self) -> None:
        sql = "insert into chunks (k, v) select id, body from docs union all select id, body from comments"
        assert columns(sql) == {"k": {"docs.id", "comments.id"}, "v": {"docs.body", "comments.body"}}

    def test_insert_without_list_goes_by_the_targets_order(self) -> None:
        sql = "insert into authors select id, title, body, author_id from docs"
        assert columns(sql) == {
            "id": {"docs.id"},
            "name": {"docs.title"},
            "email": {"docs.body"},
            "team_id": {"docs.author_id"},
        }

    def test_insert_without_list_into_an_unknown_target_is_warned_of(self) -> None:
        lineage = read("postgres", "insert into chunks select id, body from docs")
        assert titles(lineage) == ["Target columns not matched"]
        assert outputs("postgres", lineage) == {"id": {"docs.id"}, "body": {"docs.body"}}

    def test_insert_list_of_another_length_is_warned_of(self) -> None:
        assert titles(read("postgres", "insert into c (a) select id, body from docs")) == [
            "Target columns not matched"
        ]

    def test_insert_by_name(self) -> None:
        sql = "insert into chunks by name select id as doc_id, body as chunk from docs"
        assert columns(sql, "duckdb") == {"doc_id": {"docs.id"}, "chunk": {"docs.body"}}

    def test_upsert_and_replace(self) -> None:
        wanted = {"doc_id": {"docs.id"}, "chunk": {"docs.body"}}
        tail = "into chunks (doc_id, chunk) select id, body from docs"
        assert columns(f"insert {tail} on conflict (doc_id) do update set chunk = excluded.chunk") == wanted
        assert columns(f"insert or replace {tail}", "sqlite") == wanted
        assert columns(f"replace {tail}", "mysql") == wanted

    def test_merge(self) -> None:
        sql = (
            "merge into chunks c using (select id, body, title from docs) d on c.doc_id = d.id"
            " when matched then update set chunk = d.body, seen = c.seen + 1"
            " when not matched then insert (doc_id, chunk, head) values (d.id, upper(d.body), title)"
            " when not matched by source then delete"
        )
        assert columns(sql) == {
            "chunk": {"docs.body"},
            "seen": set(),
            "doc_id": {"docs.id"},
            "head": {"docs.title"},
        }

    def test_merge_of_a_table(self) -> None:
        sql = "merge into c using docs d on c.id = d.id when matched then update set c.chunk = d.body"
        assert columns(sql) == {"chunk": {"docs.body"}}

    def test_merge_of_all_columns(self) -> None:
        sql = (
            "merge into c using published p on c.id = p.id when matched then update set *"
            " when not matched then insert *"
        )
        wanted = {"id": {"published.id"}, "title": {"published.title"}, "body": {"published.body"}}
        assert columns(sql, "databricks") == wanted

    def test_update(self) -> None:
        sql = "update chunks set chunk = d.title || d.body from docs d where d.id = chunks.doc_id"
        assert columns(sql) == {"chunk": {"docs.title", "docs.body"}}
        sql = "update chunks x join docs d on d.id = x.doc_id set x.chunk = d.body, x.head = upper(d.title)"
        assert columns(sql, "mysql") == {"chunk": {"docs.body"}, "head": {"docs.title"}}
        sql = "update chunks set (a, b) = (select d.title, d.body from docs d where d.id = chunks.doc_id)"
        assert columns(sql) == {"a": {"docs.title"}, "b": {"docs.body"}}

    def test_view_columns(self) -> None:
        sql = "create view v (p, q) as select id, body from docs"
        assert columns(sql) == {"p": {"docs.id"}, "q": {"docs.body"}}

    def test_create_table_as_and_select_into(self) -> None:
        wanted = {"id": {"docs.id"}, "text": {"docs.body"}}
        assert columns("create table t as select id, body as text from docs") == wanted
        assert columns("select id, body as text into t from docs") == wanted

    def test_copy_out(self) -> None:
        assert columns("copy (select id, body as text from docs) to stdout") == {
            "id": {"docs.id"},
            "text": {"docs.body"},
        }
        assert columns("copy docs (title, body) to '/tmp/x.csv'") == {
            "title": {"docs.title"},
            "body": {"docs.body"},
        }
        assert columns("copy into @stage/x from (select body from docs)", "snowflake") == {
            "body": {"docs.body"}
        }

    def test_cursor(self) -> None:
        assert columns("declare c cursor for select id, body from docs") == {
            "id": {"docs.id"},
            "body": {"docs.body"},
        }
        assert columns("declare c binary no scroll cursor with hold for select id from docs") == {
            "id": {"docs.id"}
        }

    def test_a_target_that_is_read_back_is_no_input(self) -> None:
        lineage = read(
            "postgres",
            "insert into chunks (body) select d.body from docs d left join chunks c on c.id = d.id where c.id is null",
        )
        assert inputs("postgres", lineage) == {"docs"}
        assert titles(lineage) == []


class TestSchemas:
    def test_star_without_a_schema(self) -> None:
        lineage = read("postgres", "select * from raw")
        assert titles(lineage) == ["SELECT * without a schema"]
        assert lineage.warnings[0].context == "statement 1 (select * from raw ...)"
        assert inputs("postgres", lineage) == {"raw"}
        assert lineage.outputs == ()
        assert not lineage.complete

    def test_star_of_a_subquery_without_a_schema_gives_any_column(self) -> None:
        lineage = read(
            "postgres",
            "with r as (select * from raw) select r.text, d.title from r join docs d on d.id = r.id",
        )
        assert titles(lineage) == []
        assert outputs("postgres", lineage) == {"text": {"raw.text"}, "title": {"docs.title"}}

    def test_star_in_a_filter_says_nothing(self) -> None:
        lineage = read(
            "postgres", "select body from docs where exists (select * from raw where raw.id = docs.id)"
        )
        assert titles(lineage) == []
        assert lineage.complete

    def test_columns_that_no_schema_settles(self) -> None:
        lineage = unchecked("postgres", "select id, text from a join b on b.k = a.k")
        assert titles(lineage) == ["Column of an unknown table"]
        assert lineage.warnings[0].context == "id, text, in statement 1 (select id, text ...)"

    def test_an_ambiguous_column(self) -> None:
        lineage = read("postgres", "select id, title from docs join authors on authors.id = docs.author_id")
        assert titles(lineage) == ["Ambiguous column"]
        assert outputs("postgres", lineage) == {"id": set(), "title": {"docs.title"}}

    def test_an_ambiguous_column_inside(self) -> None:
        lineage = read(
            "postgres", "with x as (select d.title || body as t from docs d, comments c) select t from x"
        )
        assert titles(lineage) == ["Ambiguous column"]
        assert lineage.warnings[0].context.startswith("body (output t), in ")

    def test_ambiguous_columns_of_a_filter_say_nothing(self) -> None:
        lineage = unchecked("postgres", "select a.text from a join b on b.k = a.k where flag order by rank")
        assert titles(lineage) == []

    def test_a_column_that_the_catalog_does_not_have(self) -> None:
        lineage = read("postgres", "select d.text, d.body from docs d")
        assert titles(lineage) == ["Column not in the catalog"]
        assert outputs("postgres", lineage) == {"text": set(), "body": {"docs.body"}}
        assert titles(read("postgres", "select text from docs")) == ["Column not in the catalog"]

    def test_rows_of_an_array_without_a_schema(self) -> None:
        lineage = read("postgres", "select r.id, tag from raw r cross join unnest(r.tags) tag")
        assert outputs("postgres", lineage) == {"id": {"raw.id"}, "tag": {"raw.tags"}}
        assert titles(lineage) == []

    def test_struct_fields_that_the_schema_lists(self) -> None:
        lookup = Known({urn("bigquery", "shop.kb.docs"): ["id", "Meta", "Meta.Author", "Meta.Author.Name"]})
        lineage = read(
            "bigquery",
            "select d.meta.author.name, d.meta.other from docs d",
            lookup,
            default_db="shop",
            default_schema="kb",
        )
        assert outputs("bigquery", lineage) == {"name": {"docs.Meta.Author.Name"}, "other": {"docs.Meta"}}

    def test_output_without_a_name(self) -> None:
        lineage = read("postgres", "select upper(body), id from docs")
        assert titles(lineage) == ["Output column without a name"]
        assert outputs("postgres", lineage) == {"id": {"docs.id"}}
        assert titles(read("postgres", "select count(*), id from docs group by id")) == []

    def test_equal_output_names_are_one_output(self) -> None:
        lineage = read("postgres", "select d.id, a.id from docs d join authors a on a.id = d.author_id")
        assert outputs("postgres", lineage) == {"id": {"docs.id", "authors.id"}}


class TestNames:
    """Names meet the catalog without regard to case, and edges end at the catalog's own spelling."""

    SQLITE: Mapping[str, str | None] = {"main.Entries": "Id Qualified_Name Doc", "main.modules": "id name"}

    @pytest.mark.parametrize(
        "name", ["entries", "Entries", "ENTRIES", '"entries"', "main.entries", "MAIN.Entries", "[Entries]"]
    )
    def test_no_ghost_beside_a_mixed_case_table(self, name: str) -> None:
        lineage = read("sqlite", f"select e.doc as text, e.ID from {name} e", tables("sqlite", self.SQLITE))
        assert lineage.inputs == (urn("sqlite", "main.Entries"),)
        assert outputs("sqlite", lineage) == {"text": {"Entries.Doc"}, "ID": {"Entries.Id"}}
        assert titles(lineage) == []

    def test_sqlite_tables_are_in_main_without_an_option(self) -> None:
        lineage = read("sqlite", "select doc from entries", tables("sqlite", self.SQLITE), env="PROD")
        assert lineage.inputs == (urn("sqlite", "main.Entries"),)

    def test_star_takes_the_catalogs_spelling(self) -> None:
        lineage = read("sqlite", "select * from entries", tables("sqlite", self.SQLITE))
        assert [output.name for output in lineage.outputs] == ["Id", "Qualified_Name", "Doc"]

    def test_unknown_table_is_a_warning_and_no_ghost(self) -> None:
        lineage = read("postgres", "select d.body, n.text from docs d join nowhere n on n.id = d.id")
        assert titles(lineage) == ["Unknown table"]
        assert urn("postgres", "shop.public.nowhere") in lineage.warnings[0].context
        assert lineage.unknown == (urn("postgres", "shop.public.nowhere"),)
        assert inputs("postgres", lineage) == {"docs"}
        assert outputs("postgres", lineage) == {"body": {"docs.body"}, "text": set()}

    def test_an_unknown_table_is_named_once(self) -> None:
        lineage = read(
            "postgres", "select a.x from nowhere a join nowhere b on a.id = b.id; select body from docs"
        )
        assert titles(lineage) == ["Unknown table"]

    def test_several_matches(self) -> None:
        lookup = Known(
            {urn("sqlite", "main.Docs"): ["id", "body"], urn("sqlite", "main.DOCS"): ["id", "text"]}
        )
        exact = read("sqlite", 'select body from "Docs"', lookup)
        assert titles(exact) == ["Ambiguous table name"]
        assert urn("sqlite", "main.Docs") in exact.warnings[0].context
        assert urn("sqlite", "main.DOCS") in exact.warnings[0].context
        assert exact.inputs == (urn("sqlite", "main.Docs"),)
        neither = read("sqlite", "select body from docs", lookup)
        assert titles(neither) == ["Ambiguous table name"]
        assert neither.inputs == ()

    def test_columns_that_differ_in_case_only(self) -> None:
        lookup = Known({urn("postgres", "shop.public.docs"): ["body", "Body"]})
        lineage = read("postgres", 'select "Body" as text from docs', lookup)
        assert outputs("postgres", lineage) == {"text": {"docs.Body"}}

    def test_platform_instance(self) -> None:
        lookup = Known({urn("postgres", "eu.shop.public.Docs"): ["body"]})
        lineage = read(
            "postgres",
            "select body from docs",
            lookup,
            platform_instance="eu",
            default_db="shop",
            default_schema="public",
        )
        assert lineage.inputs == (urn("postgres", "eu.shop.public.Docs"),)

    def test_env(self) -> None:
        lineage = unchecked("postgres", "select body from a.docs", env="DEV")
        assert lineage.inputs == ("urn:li:dataset:(urn:li:dataPlatform:postgres,a.docs,DEV)",)

    def test_a_view_is_a_dataset(self) -> None:
        assert inputs("postgres", read("postgres", "select title from PUBLISHED")) == {"published"}

    def test_without_a_catalog_names_stay_as_datahub_writes_them(self) -> None:
        assert unchecked("postgres", "select a from Docs", default_schema="public").inputs == (
            urn("postgres", "public.docs"),
        )
        assert unchecked("postgres", 'select a from "Docs"', default_schema="public").inputs == (
            urn("postgres", "public.Docs"),
        )
        assert unchecked("bigquery", "select a from `p.D.Docs`").inputs == (urn("bigquery", "p.D.Docs"),)
        lower = unchecked("bigquery", "select a from `p.D.Docs`", convert_urns_to_lowercase=True)
        assert lower.inputs == (urn("bigquery", "p.d.docs"),)

    def test_override_dialect(self) -> None:
        lineage = unchecked("glue", "select `a` from `kb`.`docs`", override_dialect="spark")
        assert lineage.inputs == (urn("glue", "kb.docs"),)

    def test_bigquery_shards_are_one_dataset(self) -> None:
        lookup = Known({urn("bigquery", "shop.kb.events_yyyymmdd"): ["body"]})
        lineage = read("bigquery", "select body from `shop.kb.events_20240101`", lookup)
        assert lineage.inputs == (urn("bigquery", "shop.kb.events_yyyymmdd"),)

    def test_a_catalog_that_fails_is_not_an_unknown_table(self) -> None:
        class Broken(SchemaLookup):
            @override
            def schemas(self, urn: str) -> Mapping[str, Mapping[str, str] | None]:
                raise CatalogError("catalog.db is locked")

            @override
            def describes(self, platform: str) -> bool:
                raise CatalogError("catalog.db is locked")

        with pytest.raises(CatalogError, match="locked"):
            read("postgres", "select a from b", Broken())

    def test_a_later_schema_is_not_answered_from_a_cache(self) -> None:
        sql = "select * from docs"
        first = read("sqlite", sql, Known({urn("sqlite", "main.docs"): ["id"]}))
        second = read("sqlite", sql, Known({urn("sqlite", "main.docs"): ["id", "body"]}))
        assert [len(first.outputs), len(second.outputs)] == [1, 2]


class TestFunctions:
    EMBED = (
        "select {} from ml.generate_embedding(model `shop.kb.m`,"
        " (select id, body as content from docs), struct(true as flatten_json_output)) as e"
    )

    def test_bigquery_embedding_is_no_table(self) -> None:
        lineage = read("bigquery", self.EMBED.format("e.id, ml_generate_embedding_result as vector, content"))
        assert inputs("bigquery", lineage) == {"docs"}
        assert outputs("bigquery", lineage) == {
            "id": {"docs.id"},
            "vector": {"docs.body"},
            "content": {"docs.body"},
        }
        assert titles(lineage) == []

    def test_bigquery_embedding_star(self) -> None:
        lineage = read("bigquery", self.EMBED.format("*"))
        assert outputs("bigquery", lineage)["ml_generate_embedding_result"] == {"docs.body"}
        assert outputs("bigquery", lineage)["id"] == {"docs.id"}

    def test_bigquery_embedding_of_a_table(self) -> None:
        lookup = Known({urn("bigquery", "shop.kb.texts"): ["id", "content"]})
        sql = "select t.id, t.embedding from ai.generate_embedding(model shop.kb.m, table shop.kb.texts) t"
        lineage = read("bigquery", sql, lookup)
        assert lineage.inputs == (urn("bigquery", "shop.kb.texts"),)
        assert outputs("bigquery", lineage) == {"id": {"texts.id"}, "embedding": {"texts.content"}}

    def test_bigquery_text_embedding(self) -> None:
        sql = "select text_embedding from ml.generate_text_embedding(model m, (select title as content from docs))"
        assert outputs("bigquery", read("bigquery", sql)) == {"text_embedding": {"docs.title"}}

    def test_vector_search(self) -> None:
        sql = (
            "select base.id, query.body as text, distance"
            " from vector_search(table shop.kb.docs, 'meta', (select body from comments))"
        )
        lineage = read("bigquery", sql)
        assert inputs("bigquery", lineage) == {"docs", "comments"}
        assert outputs("bigquery", lineage) == {
            "id": {"docs.id"},
            "text": {"comments.body"},
            "distance": {"docs.meta", "comments.body"},
        }
        assert titles(lineage) == []

    @pytest.mark.parametrize(
        ("sql", "dataset"),
        [
            ("select a from read_parquet('s3://lake/kb/docs.parquet')", urn("s3", "lake/kb/docs.parquet")),
            ("select a from 's3://lake/kb/docs.parquet'", urn("s3", "lake/kb/docs.parquet")),
            ("select a from read_parquet('s3://lake/kb/*/docs-*.parquet')", urn("s3", "lake/kb")),
            ("select a from read_csv('gs://lake/x.csv', header = true) t", urn("gcs", "lake/x.csv")),
            ("select a from read_json_auto('/srv/kb/x.json')", urn("file", "/srv/kb")),
            ("select a from '/srv/kb/x.parquet'", urn("file", "/srv/kb")),
            ("select a from delta_scan('s3://lake/kb')", urn("s3", "lake/kb")),
        ],
    )
    def test_duckdb_files(self, sql: str, dataset: str) -> None:
        lineage = read("duckdb", sql)
        assert lineage.inputs == (dataset,)
        assert [source.column for source in lineage.outputs[0].sources] == ["a"]
        assert titles(lineage) == []

    def test_duckdb_files_join_tables(self) -> None:
        lineage = read(
            "duckdb",
            "select f.text, d.title from read_csv(['s3://b/a.csv', 's3://b/c.csv']) f join docs d on d.id = f.id",
        )
        assert inputs("duckdb", lineage) == {"docs", "s3:b/a.csv", "s3:b/c.csv"}
        assert outputs("duckdb", lineage) == {
            "text": {"s3:b/a.csv.text", "s3:b/c.csv.text"},
            "title": {"docs.title"},
        }

    def test_a_file_that_the_catalog_knows_has_columns(self) -> None:
        lookup = Known({urn("s3", "lake/docs.parquet"): ["Id", "Body"]})
        lineage = read("duckdb", "select * from read_parquet('s3://lake/docs.parquet')", lookup)
        assert [output.name for output in lineage.outputs] == ["Id", "Body"]

    def test_spark_paths(self) -> None:
        assert unchecked("databricks", "select a from parquet.`s3://lake/kb`").inputs == (
            urn("s3", "lake/kb"),
        )

    @pytest.mark.parametrize(
        ("platform", "sql", "title"),
        [
            ("duckdb", "select a from read_json_auto('docs.json')", "File without a dataset"),
            ("duckdb", "select a from read_parquet($path)", "Table function not understood"),
            (
                "duckdb",
                "select a from postgres_scan('host=h password=pw', 'public', 'docs')",
                "Table function not understood",
            ),
            (
                "postgres",
                "select x from dblink('host=h password=pw', 'select 1') as t(x int)",
                "Table function not understood",
            ),
            (
                "bigquery",
                "select a from external_query('c', 'select a from x')",
                "Table function not understood",
            ),
            ("snowflake", "select $1 from @stage/docs", "Table not understood"),
            ("duckdb", "select columns('b.*') from docs", "COLUMNS by a pattern"),
        ],
    )
    def test_what_is_not_understood_is_warned_of(self, platform: str, sql: str, title: str) -> None:
        assert title in titles(read(platform, sql))

    def test_generators_miss_nothing(self) -> None:
        assert titles(read("postgres", "select d.body from generate_series(1, 3) g, docs d")) == []
        assert titles(read("duckdb", "select d.body from range(3) r, docs d")) == []


class TestScripts:
    def test_every_statement_is_judged(self) -> None:
        lineage = read("postgres", "select body from docs; select from where; select name from authors;")
        assert titles(lineage) == ["SQL not understood"]
        assert lineage.warnings[0].context == "statement 2 (select from where ...)"
        assert outputs("postgres", lineage) == {"body": {"docs.body"}, "name": {"authors.name"}}
        assert not lineage.complete

    def test_semicolons_in_strings_and_comments(self) -> None:
        lineage = read("postgres", "select body || ';' as t from docs where title = $$a;b$$ /* ; */ -- ;\n")
        assert outputs("postgres", lineage) == {"t": {"docs.body"}}
        assert titles(lineage) == []

    def test_temporary_tables_are_looked_through(self) -> None:
        sql = (
            "create temp table live as select id, title || body as text from docs where tags is null;"
            "insert into chunks (doc_id, chunk, who) select l.id, l.text, a.name from live l join authors a using (id);"
        )
        lineage = read("postgres", sql)
        assert inputs("postgres", lineage) == {"docs", "authors"}
        assert outputs("postgres", lineage) == {
            "doc_id": {"docs.id"},
            "chunk": {"docs.title", "docs.body"},
            "who": {"authors.name"},
        }
        assert titles(lineage) == []

    def test_temporary_tables_that_are_defined_first(self) -> None:
        sql = (
            "create temp table live (k int, v text);"
            "insert into live select id, body from docs;"
            "insert into live (v, k) select body, id from comments;"
            "select v as text from live"
        )
        lineage = read("postgres", sql)
        assert outputs("postgres", lineage) == {"text": {"docs.body", "comments.body"}}
        assert inputs("postgres", lineage) == {"docs", "comments"}

    def test_statements_without_data_say_nothing(self) -> None:
        lineage = read(
            "postgres", "begin; delete from chunks; drop table if exists x; select body from docs; commit"
        )
        assert titles(lineage) == []
        assert outputs("postgres", lineage) == {"body": {"docs.body"}}

    @pytest.mark.parametrize(
        ("sql", "reason"),
        [
            ("select {{ column }} from docs", "template"),
            ("{% if x %} select 1 {% endif %}", "template"),
            ("select {column} from docs", "template"),
            ("select body from ${schema}.docs", "template"),
            ("garbage in here", "not a statement that reads data"),
            ("explain select body from docs", "not a statement that reads data"),
            ("select body from docs where (", "does not parse"),
            ("select 'unfinished from docs", "does not end"),
            ("set search_path to kb, public", "default_schema"),
            ("copy docs from '/tmp/x.csv'", "loads a file"),
        ],
    )
    def test_refused(self, sql: str, reason: str) -> None:
        lineage = read("postgres", sql)
        assert titles(lineage) == ["SQL not understood"]
        assert reason in lineage.warnings[0].message
        assert lineage.inputs == ()
        assert not lineage.complete

    def test_airflow_macros_inside_strings_do_no_harm(self) -> None:
        assert titles(read("postgres", "select body from docs where meta = '{{ ds }}'")) == []

    @pytest.mark.parametrize("sql", ["", "   ", ";;", "-- nothing here\n"])
    def test_empty(self, sql: str) -> None:
        assert titles(read("postgres", sql)) == ["SQL without a statement"]

    def test_deep_nesting_is_refused_and_no_crash(self) -> None:
        assert titles(read("postgres", f"select {'(' * 5000}body{')' * 5000} as t from docs")) == [
            "SQL not understood"
        ]

    def test_too_large_a_statement_is_refused(self) -> None:
        lineage = read("postgres", "select a" + ", a" * 110_000 + " from docs")
        assert "too large" in lineage.warnings[0].message

    def test_long_lists_of_literals_are_no_burden(self) -> None:
        values = ", ".join(str(value) for value in range(20_000))
        lineage = read("postgres", f"select body from docs where id in ({values})")
        assert outputs("postgres", lineage) == {"body": {"docs.body"}}


SECRET = "hunter2-s3cr3t"


@pytest.mark.parametrize(
    "sql",
    [
        f"select '{SECRET}' from nowhere",
        f"select dblink('{SECRET}') from where",
        f"select a from dblink('password={SECRET}', 'select 1') as t(x int)",
        f"call login('{SECRET}')",
        f"execute immediate '{SECRET}'",
        f"create pipe p as copy into t from '{SECRET}'",
        f"'{SECRET}'",
        f"select * from read_csv('https://h/x.csv?token={SECRET}')",
        f"copy into docs from 's3://b/x' credentials=(aws_secret_key='{SECRET}')",
        f"select upper('{SECRET}' || body) from docs union select {{{{ x }}}}",
    ],
)
@pytest.mark.parametrize("platform", ["postgres", "snowflake", "duckdb"])
def test_no_literal_reaches_a_warning_or_a_log(
    platform: str, sql: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        lineage = read(platform, sql)
    assert lineage.warnings
    assert SECRET not in repr(lineage.warnings)
    assert SECRET not in caplog.text


WORDS = [
    "select",
    "from",
    "docs",
    "body",
    "*",
    ",",
    "(",
    ")",
    ";",
    "join",
    "on",
    "as",
    "with",
    "union",
    "insert into",
    "'x'",
    ".",
    "=",
    "1",
    "{{",
    "$",
    '"',
    "values",
    "case when",
    "lateral",
    "unnest",
]


@settings(max_examples=examples(300))
@example(["select", "$", ";", "from", "docs", "(", "$"], "postgres")
@given(
    st.lists(st.sampled_from(WORDS) | st.text(max_size=4), max_size=14),
    st.sampled_from(["postgres", "snowflake", "bigquery", "sqlite", "duckdb"]),
)
def test_no_text_breaks_it(words: list[str], platform: str) -> None:
    lineage = read(platform, " ".join(words))
    known = tables(platform).datasets()
    assert {dataset for dataset in lineage.inputs if f"dataPlatform:{platform}," in dataset} <= known


QUERY = (
    "select d.title as head, upper(body) as text, a.email from docs d"
    " join authors a on a.id = author_id where tags = 'x'"
)


@given(st.data(), st.sampled_from(["postgres", "snowflake", "bigquery", "sqlite", "mysql", "duckdb"]))
def test_case_never_matters(data: st.DataObject, platform: str) -> None:
    flips = data.draw(st.lists(st.booleans(), min_size=len(QUERY), max_size=len(QUERY)))
    sql = "".join(char.upper() if flip else char for char, flip in zip(QUERY, flips, strict=True))
    lineage = read(platform, sql)
    assert titles(lineage) == []
    found = {name.lower(): sources for name, sources in outputs(platform, lineage).items()}
    assert found == {"head": {"docs.title"}, "text": {"docs.body"}, "email": {"authors.email"}}


COLUMNS = [f"docs.{name}" for name in (TABLES["docs"] or "").split()]


@settings(max_examples=examples(50))
@given(st.lists(st.sampled_from(COLUMNS), min_size=1, max_size=6), st.data())
def test_targets_go_by_position(sources: list[str], data: st.DataObject) -> None:
    names = data.draw(st.permutations(["id", "title", "body", "x", "y", "z"]))[: len(sources)]
    sql = f"insert into target ({', '.join(names)}) select {', '.join(sources)} from docs"
    lineage = read("postgres", sql)
    assert [
        (output.name, {f"docs.{one.column}" for one in output.sources}) for output in lineage.outputs
    ] == [(name, {source}) for name, source in zip(names, sources, strict=True)]


def test_a_table_is_unknown_only_to_a_catalog_that_has_others_of_its_platform() -> None:
    config = UpstreamConfig(platform="postgres", sql="select body from kb.docs")
    assert trace(config, NoCatalog(), RULES).inputs == (urn("postgres", "kb.docs"),)
    # As long as nothing has described the platform, a table that is missing says nothing.
    empty = trace(config, Known({urn("mysql", "kb.docs"): ["body"]}), RULES)
    assert empty.inputs == (urn("postgres", "kb.docs"),)
    assert [(one.kind, one.context) for one in empty.warnings] == [("note", "postgres")]
    assert trace(config, Known({urn("postgres", "kb.other"): ["body"]}), RULES).inputs == ()
