from __future__ import annotations

from typing import Any

import pytest

from datahub_llmops.assets.collections import Collection, PayloadField, Vector
from datahub_llmops.lineage.declared_jobs import (
    ColumnEdge,
    EmbeddingJobConfig,
    FoundBy,
    Input,
    JobLineage,
    merge_sources,
    trace_job,
)
from datahub_llmops.lineage.provenance import SourceCount
from datahub_llmops.lineage.schema_lookup import NoCatalog, SchemaLookup
from lineage.estate import Known, tables, urn

INDEX = "urn:li:dataset:(urn:li:dataPlatform:chroma,default_database.docs,PROD)"


def collection(
    *paths: str, text: str | None = "document", vectors: tuple[Vector, ...] | None = None
) -> Collection:
    return Collection(
        name=("default_database", "docs"),
        fields=tuple(PayloadField(path=path, type="string", native_type="str") for path in paths),
        text_field=text,
        vectors=(Vector(name="embedding", dimension=8),) if vectors is None else vectors,
    )


def job(**options: Any) -> EmbeddingJobConfig:
    given = {"name": "embed-docs", "index": "docs", "orchestrator": "airflow", **options}
    return EmbeddingJobConfig.model_validate(given)


def sql(text: str, platform: str = "sqlite", **options: Any) -> dict[str, Any]:
    return {"platform": platform, "sql": text, **options}


def edges(lineage: JobLineage) -> set[str]:
    names = {one.dataset.split(",")[1] for one in lineage.columns}
    assert names <= {one.urn.split(",")[1] for one in lineage.inputs}
    return {f"{one.dataset.split(',')[1]}.{one.column} -> {one.field}" for one in lineage.columns}


def warned(lineage: JobLineage) -> list[tuple[str, str]]:
    return [(warning.title, warning.context) for warning in lineage.warnings]


RECIPE = job(
    upstream=sql(
        "select d.id, d.title, d.body, a.email as maintainer from docs d join authors a on a.id = d.author_id",
        default_schema="main",
    ),
    text_columns=["body"],
    fields={"title": "name"},
)


def test_the_recipe() -> None:
    lineage = trace_job(RECIPE, collection("id", "name", "maintainer", "source"), INDEX, tables("sqlite"))
    assert lineage.inputs == (
        Input(urn=urn("sqlite", "main.authors"), found_by=("declared",)),
        Input(urn=urn("sqlite", "main.docs"), found_by=("declared",)),
    )
    assert lineage.columns == (
        ColumnEdge(dataset=urn("sqlite", "main.authors"), column="email", field="maintainer"),
        ColumnEdge(dataset=urn("sqlite", "main.docs"), column="body", field="document"),
        ColumnEdge(dataset=urn("sqlite", "main.docs"), column="body", field="embedding"),
        ColumnEdge(dataset=urn("sqlite", "main.docs"), column="id", field="id"),
        ColumnEdge(dataset=urn("sqlite", "main.docs"), column="title", field="name"),
    )
    assert lineage.sql == (RECIPE.upstream[0].sql,)
    assert lineage.index_urn == INDEX
    assert lineage.warnings == ()


class TestFields:
    def test_a_name_in_another_case_is_equal(self) -> None:
        lineage = trace_job(
            job(upstream=sql("select ID, Body as BODY from docs"), text_columns=["body"]),
            collection("Id"),
            INDEX,
            tables("sqlite"),
        )
        assert edges(lineage) == {
            "main.docs.id -> Id",
            "main.docs.body -> document",
            "main.docs.body -> embedding",
        }

    def test_an_exact_name_comes_before_another_case(self) -> None:
        lineage = trace_job(
            job(upstream=sql("select title from docs")), collection("Title", "title"), INDEX, tables("sqlite")
        )
        assert edges(lineage) == {"main.docs.title -> title"}

    def test_two_cases_are_nobodys(self) -> None:
        lineage = trace_job(
            job(upstream=sql("select TITLE from docs")), collection("Title", "title"), INDEX, tables("sqlite")
        )
        assert edges(lineage) == set()

    def test_nested_metadata(self) -> None:
        lineage = trace_job(
            job(upstream=sql("select title, body from docs"), fields={"title": "heading"}),
            collection("metadata.heading", "metadata.body"),
            INDEX,
            tables("sqlite"),
        )
        assert edges(lineage) == {"main.docs.title -> metadata.heading", "main.docs.body -> metadata.body"}

    def test_what_is_mapped_goes_there_only(self) -> None:
        lineage = trace_job(
            job(upstream=sql("select title, body as name from docs"), fields={"title": "name"}),
            collection("name", "title"),
            INDEX,
            tables("sqlite"),
        )
        assert edges(lineage) == {"main.docs.title -> name"}

    def test_a_mapped_field_that_the_index_does_not_have(self) -> None:
        lineage = trace_job(
            job(upstream=sql("select title from docs"), fields={"title": "gone"}),
            collection("name"),
            INDEX,
            tables("sqlite"),
        )
        assert warned(lineage) == [
            ("Mapped field not in the index", "job embed-docs: gone; the fields are document, name")
        ]
        assert edges(lineage) == set()

    @pytest.mark.parametrize("options", [{"text_columns": ["nope"]}, {"fields": {"nope": "document"}}])
    def test_a_column_that_the_sql_does_not_give(self, options: dict[str, Any]) -> None:
        lineage = trace_job(
            job(upstream=sql("select title from docs"), **options),
            collection("title"),
            INDEX,
            tables("sqlite"),
        )
        assert warned(lineage) == [
            ("Column not in the output", "job embed-docs: nope; the columns are title")
        ]

    def test_a_column_behind_a_star_that_is_not_known(self) -> None:
        lineage = trace_job(
            job(upstream=sql("select * from raw"), text_columns=["body"]),
            collection(),
            INDEX,
            tables("sqlite"),
        )
        assert [title for title, _ in warned(lineage)] == [
            "SELECT * without a schema",
            "Column not in the output",
        ]
        assert "could not be read completely" in lineage.warnings[1].message
        assert [one.urn for one in lineage.inputs] == [urn("sqlite", "main.raw")]

    def test_every_dense_vector_is_fed(self) -> None:
        vectors = (
            Vector(name="title_vector"),
            Vector(name="body_vector", multivector=True),
            Vector(name="words", sparse=True),
        )
        lineage = trace_job(
            job(upstream=sql("select title, body from docs"), text_columns=["title", "body"]),
            collection(text=None, vectors=vectors),
            INDEX,
            tables("sqlite"),
        )
        assert edges(lineage) == {
            f"main.docs.{column} -> {vector}"
            for column in ("title", "body")
            for vector in ("title_vector", "body_vector")
        }

    def test_nowhere_for_the_text(self) -> None:
        lineage = trace_job(
            job(upstream=sql("select body from docs"), text_columns=["body"]),
            collection(text=None, vectors=()),
            INDEX,
            tables("sqlite"),
        )
        assert warned(lineage) == [("No field for the text", "job embed-docs: body")]


class TestOutputsWithoutAField:
    """A column that the SQL selects for the payload has to end somewhere; where it does, nothing is said."""

    def unmatched(self, text: str, *paths: str, **options: Any) -> list[str]:
        lineage = trace_job(job(upstream=sql(text), **options), collection(*paths), INDEX, tables("sqlite"))
        assert {one.kind for one in lineage.unresolved} <= {"unmatched_output"}
        return [one.context.removeprefix("job embed-docs: ") for one in lineage.unresolved]

    def test_it_names_the_nearest_fields(self) -> None:
        text = "select d.body, a.email from docs d join authors a on a.id = d.author_id"
        assert self.unmatched(text, "cmetadata.mail", "cmetadata.title", text_columns=["body"]) == [
            "email; the nearest fields are cmetadata.mail"
        ]

    @pytest.mark.parametrize("layout", ["", "metadata.", "cmetadata.", "langchain_metadata.", "metadata_."])
    def test_what_a_framework_nests_is_found(self, layout: str) -> None:
        text = "select d.body, a.email from docs d join authors a on a.id = d.author_id"
        assert self.unmatched(text, f"{layout}email", text_columns=["body"]) == []

    @pytest.mark.parametrize(
        "text",
        [
            "select id, author_id, author_id as docId, id as row_uuid, body from docs",  # keys make ids of chunks
            "select * from docs",  # names no column
            "select body, 'en' as language, current_timestamp as embedded_at from docs",  # comes from no column
        ],
    )
    def test_what_no_field_needs_to_take(self, text: str) -> None:
        assert self.unmatched(text, "source", text_columns=["body"]) == []

    def test_listed_tables_name_no_columns(self) -> None:
        lineage = trace_job(
            job(upstream={"platform": "sqlite", "tables": ["docs"]}, text_columns=["body"]),
            collection("source"),
            INDEX,
            tables("sqlite"),
        )
        assert lineage.unresolved == ()
        assert lineage.homeless == ("author_id", "id", "meta", "tags", "title")

    def test_an_index_without_fields_says_nothing_about_them(self) -> None:
        lineage = trace_job(
            job(upstream=sql("select title, body from docs"), text_columns=["body"]),
            collection(text=None),
            INDEX,
            tables("sqlite"),
        )
        assert [one.kind for one in lineage.warnings] == ["stopped_at_tables"]

    def test_the_recipe_may_accept_it(self) -> None:
        text = "select title, body from docs"
        assert self.unmatched(text, "source", text_columns=["body"], accept=["unmatched_output"]) == []
        lineage = trace_job(
            job(upstream=sql(text), text_columns=["body"], accept=["unmatched_output"]),
            collection("source"),
            INDEX,
            tables("sqlite"),
        )
        assert lineage.accepted == ("unmatched_output",)


class TestParseErrors:
    EARLIER = frozenset({ColumnEdge(dataset=urn("sqlite", "main.docs"), column="body", field="body")})

    def kinds(self, **options: Any) -> list[str]:
        lineage = trace_job(
            job(upstream=sql("select body as text from docs where ("), text_columns=["text"], **options),
            collection("body"),
            INDEX,
            tables("sqlite"),
            earlier=self.EARLIER,
        )
        return [one.kind for one in lineage.warnings]

    def test_one_message_says_it(self) -> None:
        assert self.kinds(fields={"id": "body"}) == ["unparsed_sql"]

    def test_what_an_earlier_run_knew_counts_where_it_is_accepted(self) -> None:
        assert self.kinds(accept=["unparsed_sql"]) == ["unparsed_sql", "less_than_before"]


class TestUpstreams:
    def test_several(self) -> None:
        both = Known(
            {
                urn("sqlite", "main.docs"): ["id", "body"],
                urn("postgres", "crm.public.people"): ["id", "email"],
            }
        )
        lineage = trace_job(
            job(
                upstream=[
                    sql("select id, body from docs"),
                    sql(
                        "select email as maintainer from people",
                        "postgres",
                        default_db="crm",
                        default_schema="public",
                    ),
                ],
                text_columns=["body"],
            ),
            collection("id", "maintainer"),
            INDEX,
            both,
        )
        assert [one.urn for one in lineage.inputs] == [
            urn("postgres", "crm.public.people"),
            urn("sqlite", "main.docs"),
        ]
        assert "crm.public.people.email -> maintainer" in edges(lineage)
        assert len(lineage.sql) == 2
        assert lineage.warnings == ()

    def test_tables(self) -> None:
        lineage = trace_job(
            job(
                upstream={"platform": "sqlite", "tables": ["main.Docs", "authors"]},
                text_columns=["body"],
                fields={"title": "name"},
            ),
            collection("name", "email", "id"),
            INDEX,
            tables("sqlite"),
        )
        assert [one.urn for one in lineage.inputs] == [
            urn("sqlite", "main.authors"),
            urn("sqlite", "main.docs"),
        ]
        # Both tables have an id: which of them it is, nobody said.
        assert edges(lineage) == {
            "main.docs.body -> document",
            "main.docs.body -> embedding",
            "main.docs.title -> name",
            "main.authors.email -> email",
        }
        assert lineage.warnings == ()
        assert lineage.sql == ()

    def test_a_text_column_that_two_tables_have(self) -> None:
        lineage = trace_job(
            job(upstream={"platform": "sqlite", "tables": ["docs", "comments"]}, text_columns=["body"]),
            collection(),
            INDEX,
            tables("sqlite"),
        )
        assert warned(lineage) == [("Ambiguous column", "job embed-docs: body")]
        assert edges(lineage) == set()

    def test_tables_by_urn(self) -> None:
        given = urn("postgres", "SHOP.public.docs")
        lookup = Known({urn("postgres", "shop.public.docs"): ["body"]})
        lineage = trace_job(
            job(upstream={"platform": "postgres", "tables": [given]}, text_columns=["body"]),
            collection(),
            INDEX,
            lookup,
        )
        assert [one.urn for one in lineage.inputs] == [urn("postgres", "shop.public.docs")]
        assert edges(lineage) == {"shop.public.docs.body -> document", "shop.public.docs.body -> embedding"}

    def test_an_unknown_table(self) -> None:
        lineage = trace_job(
            job(upstream={"platform": "sqlite", "tables": ["nowhere"]}), collection(), INDEX, tables("sqlite")
        )
        assert [title for title, _ in warned(lineage)] == ["Unknown table"]
        assert lineage.inputs == ()
        assert lineage.unknown == (urn("sqlite", "main.nowhere"),)

    def test_tables_without_a_catalog(self) -> None:
        lineage = trace_job(
            job(upstream={"platform": "sqlite", "tables": ["main.Docs"]}, text_columns=["body"]),
            collection(),
            INDEX,
            NoCatalog(),
        )
        assert [one.urn for one in lineage.inputs] == [urn("sqlite", "main.Docs")]
        assert lineage.warnings[0].title == "Column not in the output"

    @pytest.mark.parametrize("lookup", [NoCatalog(), tables("sqlite")])
    def test_no_upstream(self, lookup: SchemaLookup) -> None:
        lineage = trace_job(job(), collection("id"), INDEX, lookup)
        assert (lineage.inputs, lineage.columns, lineage.warnings) == ((), (), ())

    def test_files_that_sql_reads(self) -> None:
        lineage = trace_job(
            job(
                upstream=sql("select body from read_parquet('s3://lake/docs.parquet')", "duckdb"),
                text_columns=["body"],
            ),
            collection(),
            INDEX,
            tables("duckdb"),
        )
        assert [one.urn for one in lineage.inputs] == [urn("s3", "lake/docs.parquet")]


class TestJoin:
    def lineage(self, *names: str, found_by: tuple[FoundBy, ...] = ("declared",)) -> JobLineage:
        return JobLineage(
            job=job(),
            index_urn=INDEX,
            inputs=tuple(Input(urn=urn("sqlite", name), found_by=found_by) for name in names),
        )

    def test_declared_and_found_is_one_edge(self) -> None:
        found = [
            SourceCount(urn=urn("sqlite", "main.docs"), chunks=5),
            SourceCount(urn=urn("s3", "kb/a"), chunks=7),
        ]
        joined = merge_sources([self.lineage("main.docs", "main.authors")], found)
        assert joined.jobs[0].inputs == (
            Input(urn=urn("sqlite", "main.docs"), found_by=("declared", "payload"), chunks=5),
            Input(urn=urn("sqlite", "main.authors"), found_by=("declared",)),
        )
        assert joined.rest == (Input(urn=urn("s3", "kb/a"), found_by=("payload",), chunks=7),)

    def test_case_makes_no_second_edge(self) -> None:
        found = [
            SourceCount(urn=urn("sqlite", "main.DOCS"), chunks=5),
            SourceCount(urn=urn("sqlite", "main.docs"), chunks=2),
        ]
        joined = merge_sources([self.lineage("main.Docs")], found)
        assert joined.jobs[0].inputs == (
            Input(urn=urn("sqlite", "main.Docs"), found_by=("declared", "payload"), chunks=7),
        )
        assert joined.rest == ()

    def test_objects_are_told_apart_by_case(self) -> None:
        found = [SourceCount(urn=urn("s3", "kb/A"), chunks=1), SourceCount(urn=urn("s3", "kb/a"), chunks=2)]
        assert [one.chunks for one in merge_sources([], found).rest] == [1, 2]

    def test_ways_stand_in_their_order(self) -> None:
        found = [SourceCount(urn=urn("sqlite", "a"), chunks=1)]
        joined = merge_sources([self.lineage("a", found_by=("declared", "hook"))], found)
        assert joined.jobs[0].inputs[0].found_by == ("declared", "payload", "hook")
        assert merge_sources(joined.jobs, found) == joined

    def test_two_jobs_share_what_is_found(self) -> None:
        found = [SourceCount(urn=urn("sqlite", "a"), chunks=1), SourceCount(urn=urn("sqlite", "b"), chunks=2)]
        joined = merge_sources([self.lineage("a"), self.lineage("a", "b")], found)
        assert [[one.chunks for one in lineage.inputs] for lineage in joined.jobs] == [[1], [1, 2]]
        assert joined.rest == ()

    def test_without_a_job_everything_is_the_indexs_own(self) -> None:
        found = [SourceCount(urn=urn("sqlite", "b"), chunks=2), SourceCount(urn=urn("sqlite", "a"), chunks=1)]
        assert [one.urn for one in merge_sources([], found).rest] == [urn("sqlite", "a"), urn("sqlite", "b")]

    def test_the_index_is_no_source_of_itself(self) -> None:
        assert merge_sources([self.lineage()], [SourceCount(urn=INDEX, chunks=3)]).rest == ()


class TestInPlace:
    """The usual layout of pgvector: text and vector are columns of one table."""

    TABLE = urn("postgres", "shop.public.docs")
    UPDATE = "update docs d set embedding = embed(d.title || body || a.name) from authors a where a.id = d.author_id"

    def traced(self, statement: str, **options: Any) -> JobLineage:
        known = Known(
            {
                self.TABLE: ["id", "author_id", "title", "body", "embedding"],
                urn("postgres", "shop.public.authors"): ["id", "name", "email"],
            }
        )
        upstream = sql(statement, "postgres", default_db="shop", default_schema="public")
        declared = job(upstream=upstream, **options)
        index = collection("id", "author_id", "title", text="body")
        return trace_job(declared, index, self.TABLE, known)

    def found(self, lineage: JobLineage) -> set[str]:
        assert lineage.warnings == ()
        assert [one.urn for one in lineage.inputs] in ([urn("postgres", "shop.public.authors")], [])
        return {
            f"{one.dataset.split(',')[1].split('.')[-1]}.{one.column} -> {one.field}"
            for one in lineage.columns
        }

    @pytest.mark.parametrize("options", [{"text_columns": ["embedding"]}, {}])
    def test_an_update_feeds_the_vector(self, options: dict[str, Any]) -> None:
        assert self.found(self.traced(self.UPDATE, **options)) == {
            "docs.title -> embedding",
            "docs.body -> embedding",
            "authors.name -> embedding",
        }

    def test_a_select_feeds_the_vector_and_no_column_itself(self) -> None:
        lineage = self.traced(
            "select d.id, d.title, d.body, a.name as author from docs d join authors a on a.id = d.author_id"
            " where d.embedding is null",
            text_columns=["title", "body", "author"],
        )
        assert self.found(lineage) == {
            "docs.title -> embedding",
            "docs.body -> embedding",
            "authors.name -> embedding",
        }

    def test_a_table_that_only_feeds_itself_has_no_input(self) -> None:
        lineage = self.traced("update docs set embedding = embed(body)", text_columns=["embedding"])
        assert lineage.inputs == ()
        assert self.found(lineage) == {"docs.body -> embedding"}

    def test_another_query_may_compute_the_vector(self) -> None:
        lineage = self.traced(
            "update docs set embedding = c.v from (select id, embed(title || body) as v from docs) c"
            " where c.id = docs.id",
            text_columns=["embedding"],
        )
        assert self.found(lineage) == {"docs.title -> embedding", "docs.body -> embedding"}


class TestUses:
    def found(self, lineage: JobLineage) -> set[str]:
        return {f"{one.dataset.split(',')[1]}.{one.column}: {one.use}" for one in lineage.uses.columns}

    def test_what_has_an_edge_is_not_only_named(self) -> None:
        text = (
            "select d.id, d.title, d.body, a.email from docs d join authors a on a.id = d.author_id"
            " where d.title <> ''"
        )
        one = job(upstream=sql(text, default_schema="main"), text_columns=["body"])
        lineage = trace_job(one, collection("title", "email"), INDEX, tables("sqlite"))
        assert self.found(lineage) == {
            "main.authors.id: join",
            "main.docs.author_id: join",
            "main.docs.title: filter",
            "main.docs.id: select",  # The index has no field for it.
        }
        assert lineage.uses.hidden == ()

    def test_the_uses_of_several_statements_count_together(self) -> None:
        upstream = [
            sql("select body from docs where id > 1", default_schema="main"),
            sql("select body from comments order by id", default_schema="main"),
        ]
        lineage = trace_job(
            job(upstream=upstream, text_columns=["body"]), collection("body"), INDEX, tables("sqlite")
        )
        assert self.found(lineage) == {"main.docs.id: filter", "main.comments.id: sort"}

    def test_a_list_of_tables_says_nothing_of_uses(self) -> None:
        upstream = {"platform": "sqlite", "default_schema": "main", "tables": ["docs"]}
        lineage = trace_job(
            job(upstream=upstream, text_columns=["body"]), collection("body"), INDEX, tables("sqlite")
        )
        assert lineage.uses.columns == ()
        assert lineage.uses.hidden == (urn("sqlite", "main.docs"),)

    def test_a_table_that_is_its_own_index(self) -> None:
        docs = urn("postgres", "shop.public.docs")
        defaults = {"default_db": "shop", "default_schema": "public"}
        one = job(upstream=sql("update docs set meta = body where tags = 'x'", "postgres", **defaults))
        lineage = trace_job(one, collection("meta", text="meta"), docs, tables("postgres"))
        assert "shop.public.docs.tags: filter" in self.found(lineage)
