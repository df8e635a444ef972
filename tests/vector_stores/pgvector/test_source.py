"""`llm-pgvector` through DataHub's pipeline, beside DataHub's own `postgres` source on the same server."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from datahub.configuration.common import PipelineExecutionError
from datahub.ingestion.run.pipeline import Pipeline
from pydantic import ValidationError

from datahub_llmops.aspects.manifest import aspect_names
from datahub_llmops.catalog.local.catalog import LocalCatalog
from datahub_llmops.cli.main import main
from datahub_llmops.vector_stores.pgvector.source import PgvectorConfig, PgvectorSource
from propagation.estate import OURS as OUR_ATTRIBUTION
from propagation.estate import attached, propagate, terms, write
from vector_stores.pgvector.stores import PASSWORD, PLANTED, Postgres

SECRET = PASSWORD

KB = """
CREATE EXTENSION vector;
CREATE TABLE docs (id bigint PRIMARY KEY, source text, body text, metadata jsonb, embedding vector(8));
INSERT INTO docs SELECT i, 's3://kb/' || i % 2 || '.pdf', 'planted-payload-c0ffee', '{"source": "s3://meta/x"}',
  '[1,2,3,4,5,6,7,8]' FROM generate_series(1, 50) i;
CREATE INDEX docs_cosine ON docs USING hnsw (embedding vector_cosine_ops) WITH (m = 24);
CREATE TABLE "Two" (id int, title vector(4), body halfvec(6));
CREATE TABLE articles (id bigint PRIMARY KEY, title text, body text);
CREATE VIEW newest AS SELECT id, embedding FROM docs;
ANALYZE;
"""

OURS = {"structuredProperties", "upstreamLineage", "datasetProfile", "operation"}
"""What may be written on a table that the `postgres` source describes."""


def urn(name: str, *, instance: str = "") -> str:
    return f"urn:li:dataset:(urn:li:dataPlatform:postgres,{instance}{name},PROD)"


def column(table: str, name: str) -> str:
    return f"urn:li:schemaField:({urn(table)},{name})"


class Runs:
    """Both sources on one database, into one catalog."""

    def __init__(self, postgres: Postgres, database: str, catalog: Path) -> None:
        self.postgres = postgres
        self.database = database
        self.catalog = catalog

    def vectors(self, *, provider: Mapping[str, Any] | None = None, **options: Any) -> Pipeline:
        """`llm-pgvector`."""
        options = {"connection": self.postgres.uri(self.database), **options}
        state = provider or {"type": "llm-local", "config": {"path": str(self.catalog)}}
        return self._run(
            {
                "pipeline_name": "vectors",
                "source": {
                    "type": "llm-pgvector",
                    "config": {"stateful_ingestion": {"enabled": True, "state_provider": state}, **options},
                },
            }
        )

    def tables(self, **options: Any) -> Pipeline:
        """DataHub's `postgres`."""
        state = {"type": "llm-local", "config": {"path": str(self.catalog)}}
        uri = self.postgres.sqlalchemy(self.database, "psycopg2")
        config = {
            "host_port": "localhost",
            "sqlalchemy_uri": uri,
            "database": self.database,
            "include_stored_procedures": False,
        }
        pipeline = self._run(
            {
                "pipeline_name": "tables",
                "source": {
                    "type": "postgres",
                    "config": {
                        **config,
                        "stateful_ingestion": {"enabled": True, "state_provider": state},
                        **options,
                    },
                },
            }
        )
        pipeline.raise_from_status()
        return pipeline

    def _run(self, recipe: Mapping[str, Any]) -> Pipeline:
        sink = {"type": "llm-local", "config": {"path": str(self.catalog)}}
        pipeline = Pipeline.create({**recipe, "sink": sink}, no_progress=True, report_to=None)
        pipeline.run()
        return pipeline

    def aspects(self, asset: str) -> Mapping[str, Any]:
        with closing(LocalCatalog(self.catalog)) as catalog:
            return catalog.aspects(asset)

    def profile(self, table: str) -> Any:
        with closing(LocalCatalog(self.catalog)) as catalog:
            return catalog.latest(urn(f"{self.database}.{table}")).get("datasetProfile")

    def facts(self, asset: str) -> dict[str, Any]:
        """Structured properties of an asset, by their short names."""
        found = self.aspects(asset).get("structuredProperties", {"properties": []})
        return {
            item["propertyUrn"].rpartition(".")[2]: next(iter(item["values"][0].values()))
            for item in found["properties"]
        }

    def graph(self) -> dict[str, Any]:
        """Everything of the catalog but the times of the runs."""
        graph: dict[str, Any] = {}
        with closing(LocalCatalog(self.catalog)) as catalog:
            for record in catalog.records():
                text = json.dumps(record.aspect, sort_keys=True)
                aspect = json.loads(text)
                for clock in ("timestampMillis", "lastUpdatedTimestamp"):
                    aspect.pop(clock, None)
                if record.name in ("systemMetadata", "datahubIngestionCheckpoint"):
                    continue
                graph[f"{record.urn} {record.name}"] = _without_stamps(aspect)
        return graph


def _without_stamps(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_stamps(v) for k, v in value.items() if k not in ("auditStamp", "time", "created")}
    return [_without_stamps(item) for item in value] if isinstance(value, list) else value


def report(pipeline: Pipeline) -> Any:
    return pipeline.source.get_report()


def failures(pipeline: Pipeline) -> list[str]:
    return [str(context) for entry in report(pipeline).failures for context in entry.context]


@pytest.fixture
def runs(postgres: Postgres, tmp_path: Path) -> Runs:
    return Runs(postgres, postgres.fresh(KB), tmp_path / "catalog.db")


# Beside DataHub's own source.


def test_either_order_twice_gives_the_same_graph(runs: Runs, tmp_path: Path) -> None:
    graphs = []
    for order in ("vt", "tv"):
        runs.catalog = tmp_path / f"{order}.db"
        seen = []
        for _ in range(2):
            for source in order:
                pipeline = runs.vectors() if source == "v" else runs.tables()
                assert failures(pipeline) == []
            seen.append(runs.graph())
        assert seen[0].keys() == seen[1].keys()
        assert seen[0] == seen[1]
        graphs.append(seen[1])
    assert graphs[0].keys() == graphs[1].keys()
    assert graphs[0] == graphs[1]
    docs = urn(f"{runs.database}.public.docs")
    assert f"{docs} schemaMetadata" in graphs[0]
    assert f"{docs} structuredProperties" in graphs[0]


def test_only_what_the_owner_has_no_place_for_is_written(runs: Runs) -> None:
    runs.vectors()
    graph = runs.graph()
    for key in graph:
        asset, name = key.rsplit(" ", 1)
        if asset.startswith("urn:li:dataset:(urn:li:dataPlatform:postgres,"):
            assert name in OURS | set(aspect_names()), key
        assert not asset.startswith("urn:li:container:")
    before = runs.aspects(urn(f"{runs.database}.public.docs"))
    runs.tables()
    alone = runs.aspects(urn(f"{runs.database}.public.docs"))
    runs.vectors()
    after = runs.aspects(urn(f"{runs.database}.public.docs"))
    assert after == alone
    assert {name for name in alone if name in before} == before.keys()


def test_facts_of_one_vector_are_on_the_table_too(runs: Runs) -> None:
    runs.vectors()
    docs, two = f"{runs.database}.public.docs", f"{runs.database}.public.Two"
    facts = {"dimension": 8.0, "metric": "cosine", "index_type": "hnsw", "index_parameters": "m=24"}
    assert runs.facts(column(docs, "embedding")) == facts
    assert runs.facts(urn(docs)) == {**facts, "count_is_estimate": "true"}
    assert runs.facts(column(two, "title")) == {"dimension": 4.0}
    assert runs.facts(column(two, "body")) == {"dimension": 6.0, "quantization": "halfvec"}
    assert runs.facts(urn(two)) == {"count_is_estimate": "true"}


def test_the_urn_is_the_postgres_sources_with_an_instance_too(runs: Runs) -> None:
    runs.tables(platform_instance="eu")
    runs.vectors(platform_instance="eu")
    with closing(LocalCatalog(runs.catalog)) as catalog:
        found = catalog.aspects(urn(f"{runs.database}.public.Two", instance="eu."))
    assert {"schemaMetadata", "datasetProfile", "structuredProperties"} - found.keys() == {"datasetProfile"}


def test_a_profile_is_written_where_there_is_none(runs: Runs) -> None:
    runs.vectors()
    first = runs.profile("public.docs")
    assert (first["rowCount"], first.get("columnCount")) == (50, None)
    runs.postgres.execute(runs.database, "INSERT INTO docs (id) VALUES (51); ANALYZE docs")
    runs.vectors()
    assert runs.profile("public.docs")["rowCount"] == 51
    runs.tables(profiling={"enabled": True, "method": "sqlalchemy"}, profile_pattern={"allow": [".*docs"]})
    theirs = runs.profile("public.docs")
    assert theirs["fieldProfiles"]
    runs.vectors()
    assert runs.profile("public.docs") == theirs


def test_lineage_is_added_and_the_owners_stays(runs: Runs) -> None:
    job = {
        "name": "embed",
        "index": "docs",
        "upstream": {
            "platform": "postgres",
            "default_db": runs.database,
            "default_schema": "public",
            "sql": "select id, body from articles",
        },
        "text_columns": ["body"],
        "embedding_model": "openai/small",
    }
    runs.tables()
    view = runs.aspects(urn(f"{runs.database}.public.newest"))["upstreamLineage"]
    runs.vectors(embedding_jobs=[job])
    docs = f"{runs.database}.public.docs"
    with closing(LocalCatalog(runs.catalog)) as catalog:
        lineage = catalog.lineage(urn(docs), "up")
    up = {node.urn for node in lineage.nodes}
    columns = {(pair.upstream, pair.downstream) for edge in lineage.edges for pair in edge.columns}
    assert urn(f"{runs.database}.public.articles") in up
    assert "urn:li:dataset:(urn:li:dataPlatform:s3,kb/1.pdf,PROD)" in up
    assert "urn:li:dataset:(urn:li:dataPlatform:s3,meta/x,PROD)" in up
    assert (column(f"{runs.database}.public.articles", "body"), column(docs, "embedding")) in columns
    assert runs.facts(urn(docs))["embedding_model"] == "openai/small"
    assert runs.aspects(urn(f"{runs.database}.public.newest"))["upstreamLineage"] == view


# What is taken back.


def test_a_dropped_vector_column_loses_what_was_written_about_it(runs: Runs) -> None:
    docs = f"{runs.database}.public.docs"
    runs.tables()
    runs.vectors()
    assert len(runs.facts(urn(docs))) == 5
    runs.postgres.execute(runs.database, "ALTER TABLE docs DROP COLUMN embedding CASCADE")
    pipeline = runs.vectors()
    assert failures(pipeline) == []
    assert report(pipeline).facts_taken_back == 9 + 3
    assert runs.facts(urn(docs)) == {}
    assert runs.facts(column(docs, "embedding")) == {}
    # The table itself is there, and the postgres source's.
    assert runs.aspects(urn(docs))["status"] == {"removed": False}
    assert runs.facts(column(f"{runs.database}.public.Two", "title")) == {"dimension": 4.0}
    assert report(runs.vectors()).facts_taken_back == 0


def test_a_dropped_vector_column_loses_its_typed_aspects_too(runs: Runs) -> None:
    docs, two = (urn(f"{runs.database}.public.{table}") for table in ("docs", "Two"))
    runs.tables()
    runs.vectors()
    before = runs.aspects(docs)
    assert before["vectorIndexInfo"]["vectorFields"] == 1
    assert before["vectorIndexVectors"]["vectors"][0]["dimension"] == 8
    runs.postgres.execute(runs.database, "ALTER TABLE docs DROP COLUMN embedding CASCADE")
    # Filtered out it is still known, and what is switched off is not touched.
    for kept in ({"table_pattern": {"deny": [".*Two"]}}, {}):
        assert failures(runs.vectors(**kept)) == []
    after = runs.aspects(docs)
    assert after["vectorIndexInfo"] == {"engine": "postgres", "vectorFields": 0}
    (row,) = after["vectorIndexVectors"]["vectors"]
    assert {name: value for name, value in row.items() if value} == {"name": "(none)"}
    assert after.get("embeddingInfo", {}) == {}
    assert runs.aspects(two)["vectorIndexInfo"]["vectorFields"] == 2
    assert report(runs.vectors()).facts_taken_back == 0


def test_a_domain_that_the_recipe_names_is_added_and_a_stewards_stays(runs: Runs) -> None:
    docs = urn(f"{runs.database}.public.docs")
    runs.tables(domain={"urn:li:domain:shop": {"allow": [".*"]}})
    # The database `db1` and the schema are part of the name.
    runs.vectors(domain={"urn:li:domain:search": {"allow": [r".*\.public\.docs"]}})

    def domains(asset: str) -> set[str]:
        found = runs.aspects(asset)["domains"]
        return {*found["domains"], *(entry["domain"] for entry in found.get("domainAssociations") or ())}

    assert domains(docs) == {"urn:li:domain:shop", "urn:li:domain:search"}
    assert domains(urn(f"{runs.database}.public.Two")) == {"urn:li:domain:shop"}
    # It is a person's from then on: a recipe that does not name it takes nothing back.
    runs.vectors()
    assert "urn:li:domain:search" in domains(docs)


def test_the_only_vector_column_of_a_database_too(postgres: Postgres, tmp_path: Path) -> None:
    database = postgres.fresh("CREATE EXTENSION vector; CREATE TABLE t (id int, v vector(3))")
    runs = Runs(postgres, database, tmp_path / "catalog.db")
    runs.vectors()
    assert runs.facts(column(f"{database}.public.t", "v")) == {"dimension": 3.0}
    postgres.execute(database, "ALTER TABLE t DROP COLUMN v")
    assert failures(runs.vectors()) == []
    assert runs.facts(column(f"{database}.public.t", "v")) == {}
    assert runs.facts(urn(f"{database}.public.t")) == {}


def test_one_of_two_vectors_is_dropped_and_the_others_facts_stay(runs: Runs) -> None:
    two = f"{runs.database}.public.Two"
    runs.vectors()
    runs.postgres.execute(runs.database, 'ALTER TABLE "Two" DROP COLUMN title')
    runs.vectors()
    assert runs.facts(column(two, "title")) == {}
    assert runs.facts(column(two, "body")) == {"dimension": 6.0, "quantization": "halfvec"}
    assert runs.facts(urn(two))["dimension"] == 6.0


def test_an_index_that_goes_takes_its_metric_along(runs: Runs) -> None:
    docs = f"{runs.database}.public.docs"
    runs.vectors()
    runs.postgres.execute(runs.database, "DROP INDEX docs_cosine")
    runs.vectors()
    assert runs.facts(column(docs, "embedding")) == {"dimension": 8.0}


def test_what_a_job_declared_goes_with_the_job(runs: Runs) -> None:
    docs = urn(f"{runs.database}.public.docs")
    job = {"name": "embed", "index": "docs", "embedding_model": "openai/small", "upstream": []}
    runs.vectors(embedding_jobs=[job])
    assert runs.facts(docs)["embedding_model"] == "openai/small"
    runs.vectors()
    assert "embedding_model" not in runs.facts(docs)
    assert runs.facts(docs)["dimension"] == 8.0


def test_what_stewards_assigned_stays(runs: Runs) -> None:
    from datahub.ingestion.api.common import PipelineContext, RecordEnvelope
    from datahub.ingestion.api.sink import NoopWriteCallback
    from datahub.specific.dataset import DatasetPatchBuilder

    from datahub_llmops.catalog.local.sink import LocalSink

    docs = urn(f"{runs.database}.public.docs")
    runs.vectors()
    sink = LocalSink.create({"path": str(runs.catalog)}, PipelineContext(run_id="person"))
    for proposal in DatasetPatchBuilder(docs).set_structured_property("company.tier", "gold").build():
        sink.write_record_async(RecordEnvelope(proposal, {}), NoopWriteCallback())
    sink.flush()
    sink.close()
    runs.postgres.execute(runs.database, "ALTER TABLE docs DROP COLUMN embedding CASCADE")
    runs.vectors()
    assert runs.facts(docs) == {"tier": "gold"}


def test_a_run_with_a_failure_takes_nothing_back(runs: Runs) -> None:
    docs = f"{runs.database}.public.docs"
    runs.vectors()
    before = runs.facts(column(docs, "embedding"))
    runs.postgres.execute(
        runs.database,
        "ALTER TABLE docs DROP COLUMN embedding CASCADE; CREATE ROLE nobody_reads; DROP ROLE nobody_reads",
    )
    with runs.postgres.connected(runs.database) as connection:
        connection.execute('BEGIN; LOCK TABLE "Two" IN ACCESS EXCLUSIVE MODE')
        pipeline = runs.vectors(timeout_sec=1)
    assert "Two" in failures(pipeline)[0]
    assert runs.facts(column(docs, "embedding")) == before
    assert failures(runs.vectors()) == []
    assert runs.facts(column(docs, "embedding")) == {}


def test_a_filter_takes_nothing_back(runs: Runs) -> None:
    docs = f"{runs.database}.public.docs"
    runs.vectors()
    before = runs.facts(column(docs, "embedding"))
    assert failures(runs.vectors(table_pattern={"deny": [".*docs"]})) == []
    assert runs.facts(column(docs, "embedding")) == before
    runs.postgres.execute(runs.database, "ALTER TABLE docs DROP COLUMN embedding CASCADE")
    runs.vectors(table_pattern={"deny": [".*docs"]})
    assert runs.facts(column(docs, "embedding")) == {}


def test_a_database_that_lost_all_its_tables_at_once_keeps_the_facts(runs: Runs) -> None:
    docs = f"{runs.database}.public.docs"
    runs.vectors()
    runs.postgres.execute(runs.database, 'DROP VIEW newest; DROP TABLE docs, "Two"')
    pipeline = runs.vectors()
    assert "fail_safe_threshold" in str(report(pipeline).failures)
    assert runs.facts(column(docs, "embedding"))
    options = {"enabled": True, "fail_safe_threshold": 100.0}
    state = {"type": "llm-local", "config": {"path": str(runs.catalog)}}
    runs.vectors(stateful_ingestion={**options, "state_provider": state})
    assert runs.facts(column(docs, "embedding")) == {}


def test_the_memory_is_kept_by_any_state_provider(runs: Runs, tmp_path: Path) -> None:
    provider = {"type": "file", "config": {"filename": str(tmp_path / "state.json")}}
    docs = f"{runs.database}.public.docs"
    runs.vectors(provider=provider)
    # A run that never reached the server forgets nothing.
    runs.vectors(provider=provider, connection="host=127.0.0.1 port=1 dbname=x", timeout_sec=1)
    runs.postgres.execute(runs.database, "ALTER TABLE docs DROP COLUMN embedding CASCADE")
    assert report(runs.vectors(provider=provider)).facts_taken_back > 0
    assert runs.facts(column(docs, "embedding")) == {}


# Collections in LangChain's shared table.


def test_collections_of_one_table_are_datasets_of_their_own(postgres: Postgres, tmp_path: Path) -> None:
    runs = Runs(postgres, "frames", tmp_path / "catalog.db")
    job = {"name": "fill", "index": "handbook", "embedding_model": "openai/small", "upstream": []}
    for _ in range(2):
        runs.tables()
        assert failures(runs.vectors(embedding_jobs=[job])) == []
    table = urn("frames.public.langchain_pg_embedding")
    book = urn("frames.public.langchain_pg_embedding.handbook")
    found = runs.aspects(book)
    assert found["subTypes"]["typeNames"] == ["Vector Collection"]
    assert found["container"] == runs.aspects(table)["container"]
    assert found["datasetProperties"]["name"] == "handbook"
    assert runs.facts(book)["embedding_model"] == "openai/small"
    assert "embedding_model" not in runs.facts(table)
    edges = {edge["dataset"]: edge for edge in found["upstreamLineage"]["upstreams"]}
    assert edges[table]["type"] == "VIEW"
    assert "urn:li:dataset:(urn:li:dataPlatform:s3,handbook/0.md,PROD)" in edges
    assert not any("fragen" in edge for edge in edges)
    assert runs.aspects(table)["subTypes"]["typeNames"] == ["Table"]


def test_a_collection_that_is_deleted_is_retired_and_the_table_stays(
    postgres: Postgres, tmp_path: Path
) -> None:
    from vector_stores.pgvector.stores import langchain_collections

    database = postgres.fresh()
    langchain_collections(postgres, database)
    runs = Runs(postgres, database, tmp_path / "catalog.db")
    runs.vectors()
    postgres.execute(database, "DELETE FROM langchain_pg_collection WHERE name = 'handbook'")
    assert failures(runs.vectors()) == []
    shared = f"{database}.public.langchain_pg_embedding"
    assert runs.aspects(urn(f"{shared}.handbook"))["status"] == {"removed": True}
    assert runs.aspects(urn(f"{shared}.Fragen & Antworten"))["status"] == {"removed": False}
    assert "status" not in runs.aspects(urn(shared))


@pytest.mark.parametrize(
    ("table", "text", "layout"),
    [
        ("langchain_pg_embedding", "document", "cmetadata"),
        ("articles_store", "content", "langchain_metadata"),
        ("data_articles", "text", "metadata_"),
    ],
)
def test_columns_end_in_the_json_of_a_framework(runs: Runs, table: str, text: str, layout: str) -> None:
    """LangChain's ``PGVector`` and ``PGVectorStore``, and LlamaIndex, each nest metadata in a column of its own."""
    runs.postgres.execute(
        runs.database,
        "CREATE TABLE customers (id int PRIMARY KEY, email text, full_name text);"
        f"CREATE TABLE {table} (id text PRIMARY KEY, {text} text, {layout} jsonb, embedding vector(3));"
        f"""INSERT INTO {table} VALUES ('1', 'a', '{{"email": "x", "name": "y"}}', '[1,2,3]')""",
    )
    runs.tables()
    job: dict[str, Any] = {
        "name": "embed",
        "index": table,
        "upstream": {
            "platform": "postgres",
            "default_db": runs.database,
            "default_schema": "public",
            "sql": "select a.body, c.email from articles a join customers c on c.id = a.id",
        },
        "text_columns": ["body"],
    }
    assert failures(runs.vectors(embedding_jobs=[job])) == []
    with closing(LocalCatalog(runs.catalog)) as catalog:
        lineage = catalog.lineage(urn(f"{runs.database}.public.{table}"), "up")
    columns = {(pair.upstream, pair.downstream) for edge in lineage.edges for pair in edge.columns}
    email = column(f"{runs.database}.public.customers", "email")
    assert (email, column(f"{runs.database}.public.{table}", f"{layout}.email")) in columns
    job["upstream"]["sql"] = job["upstream"]["sql"].replace("c.email", "c.full_name")
    (failure,) = failures(runs.vectors(embedding_jobs=[job]))
    assert f"full_name; the nearest fields are {layout}.name" in failure


# Faults.


@pytest.fixture
def known(runs: Runs) -> Runs:
    """The catalog after one good run."""
    assert failures(runs.vectors()) == []
    return runs


def check_nothing_is_lost(runs: Runs, before: Mapping[str, Any]) -> None:
    after = runs.graph()
    lost = {key for key in before if key not in after}
    assert lost == set()
    gone = {key for key, aspect in after.items() if key.endswith(" status") and aspect == {"removed": True}}
    assert gone == set()
    facts = [key for key in before if key.endswith("structuredProperties")]
    assert facts
    assert {key: after[key] for key in facts} == {key: before[key] for key in facts}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"user": "locked", "password": f"not {SECRET}"}, "user or password is wrong"),
        ({"user": "locked"}, "user or password is wrong"),
        ({"user": "no_such_user"}, "no such user"),
        ({"user": "barred"}, "pg_hba.conf"),
        ({"dbname": "no_such_database"}, "no such database"),
        ({"host": "/nowhere"}, "connection was refused"),
        ({"host": "127.0.0.1", "port": "1"}, "connection was refused"),
        ({"host": "no-such-host.invalid"}, "host is not known"),
        (
            {"host": "127.0.0.1", "port": "1", "sslmode": "verify-full", "sslrootcert": "/no.pem"},
            "Postgres at",
        ),
    ],
)
def test_a_server_that_does_not_let_us_in_loses_nothing(
    change: dict[str, str], words: str, known: Runs
) -> None:
    before = known.graph()
    connection = {**known.postgres.parameters(), "dbname": known.database, **change}
    started = time.monotonic()
    pipeline = known.vectors(connection=connection, timeout_sec=2)
    assert time.monotonic() - started < 30
    (message,) = failures(pipeline)
    assert words in message
    assert SECRET not in message
    check_nothing_is_lost(known, before)


def test_connection_tells_apart(postgres: Postgres) -> None:
    def said(**change: str) -> tuple[bool, str]:
        connection = {**postgres.parameters(), "dbname": "shop", **change}
        found = PgvectorSource.test_connection(
            {"connection": connection, "timeout_sec": 2}
        ).basic_connectivity
        assert found is not None
        return found.capable, found.failure_reason or found.mitigation_message or ""

    assert said() == (True, "Works, sees 6 tables.")
    assert said(user="locked", password=SECRET) == (True, "Works, sees 6 tables.")
    assert said(user="locked", password="x")[1].startswith("Not allowed: ")
    assert said(host="/nowhere")[1].startswith("Cannot reach: ")


def test_a_statement_that_takes_too_long_is_named(known: Runs) -> None:
    known.postgres.execute(
        known.database,
        "CREATE TABLE slow (source text, metadata jsonb, embedding vector(3));"
        "INSERT INTO slow SELECT i::text, jsonb_build_object('source', repeat(i::text, 90)), '[1,2,3]'"
        " FROM generate_series(1, 300000) i; ANALYZE slow",
    )
    before = known.graph()
    pipeline = known.vectors(timeout_sec=0.05, scan_pattern={"allow": [".*slow"]}, connection=patient(known))
    # On a busy machine another table may take that long too.
    found = failures(pipeline)
    assert any(".slow: not read within 0.05 s" in message for message in found)
    assert all("not read within 0.05 s" in message for message in found)
    assert report(pipeline).items_scanned + len(found) == 3
    check_nothing_is_lost(known, before)


def patient(runs: Runs) -> dict[str, str]:
    return {**runs.postgres.parameters(), "dbname": runs.database}


def test_a_session_that_is_ended_is_opened_anew(postgres: Postgres) -> None:
    with closing(postgres.reader("shop")) as reader:
        names = [name for name in reader.names() if isinstance(name, tuple)]
        with postgres.connected() as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'datahub-llmops'"
            )
        assert [reader.read(name).name for name in names] == names


# Privacy and options.


def test_no_secret_and_no_payload_in_logs_report_or_events(
    known: Runs, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("psycopg").setLevel(logging.DEBUG)
    known.postgres.execute(
        known.database,
        "GRANT SELECT ON ALL TABLES IN SCHEMA public TO locked;"
        f"UPDATE docs SET source = '{PLANTED}', metadata = '{{\"source\": \"{PLANTED} x\"}}'; ANALYZE docs;"
        "CREATE INDEX ON docs USING hnsw (embedding vector_l2_ops) WHERE source <> 'planted-payload-c0ffee'",
    )
    shown: list[str] = []
    parts = {**known.postgres.parameters(), "dbname": known.database, "user": "locked", "password": SECRET}
    quoted = SECRET.replace(" ", "%20").replace("@", "%40")
    uri = f"postgresql://locked:{quoted}@/{known.database}?host={known.postgres.folder}"
    words = f"host={known.postgres.folder} dbname={known.database} user=locked password='{SECRET}'"
    for connection in (parts, uri, words, {**parts, "password": f"{SECRET}!"}):
        pipeline = known.vectors(connection=connection)
        shown += [report(pipeline).as_string(), str(pipeline.config)]
        shown.append(repr(pipeline.source.config))  # type: ignore[attr-defined]  # every source of ours has it
    shown += [caplog.text, known.catalog.read_bytes().decode("latin-1")]
    for text in shown[1:]:
        if text == str(pipeline.config):
            # DataHub's own object of the recipe, as it was given.
            continue
        assert PLANTED not in text
    for text in [caplog.text, *shown[0::3], *shown[2::3], shown[-1]]:
        assert SECRET not in text
        assert quoted not in text


@pytest.mark.parametrize(
    "connection",
    [
        f"host=localhost {SECRET}",
        f"postgresql://user:{SECRET}@localhost:port/db",
        f"postgresql://user:word@{SECRET}@host/db",
        {"host": "localhost", "passwort": SECRET},
        {"host": "localhost", "port": SECRET},
        [SECRET],
    ],
)
def test_a_connection_that_is_not_understood_is_not_shown(
    connection: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATAHUB_DEBUG", "true")
    with pytest.raises(ValidationError) as caught:
        PgvectorConfig.model_validate({"connection": connection})
    for part in (SECRET, "5ec7e7"):
        assert part not in str(caught.value)
        assert part not in repr(caught.value)
    said = PgvectorSource.test_connection({"connection": connection})
    assert "5ec7e7" not in str(said.as_obj())


def test_the_filters_are_databases_schemas_tables_and_collections(postgres: Postgres, tmp_path: Path) -> None:
    runs = Runs(postgres, "frames", tmp_path / "catalog.db")
    pipeline = runs.vectors(
        connection=postgres.parameters(),
        database_pattern={"allow": ["frames", "shop"]},
        schema_pattern={"deny": ["Odd.*"]},
        table_pattern={"allow": [r"shop\.public\.d.*", r"frames\.public\.langchain.*"]},
        collection_pattern={"deny": ["Fragen.*"]},
    )
    assert failures(pipeline) == []
    datasets = {
        key.split(",")[1] for key in runs.graph() if key.startswith("urn:li:dataset:(urn:li:dataPlatform:p")
    }
    shared = "frames.public.langchain_pg_embedding"
    assert datasets == {"shop.public.docs", "shop.public.domains", shared, f"{shared}.handbook"}


def test_a_database_that_refuses_us_is_named_and_the_others_are_read(
    postgres: Postgres, tmp_path: Path
) -> None:
    closed = postgres.fresh("CREATE EXTENSION vector; CREATE TABLE t (v vector(3))")
    postgres.execute("postgres", f"REVOKE CONNECT ON DATABASE {closed} FROM PUBLIC")
    runs = Runs(postgres, "shop", tmp_path / "catalog.db")
    pipeline = runs.vectors(
        connection={**postgres.parameters(), "user": "locked", "password": SECRET},
        database_pattern={"allow": ["shop", closed]},
        provenance={"fields": []},
    )
    (message,) = failures(pipeline)
    assert f"database {closed}: the user may not connect" in message
    assert report(pipeline).items_scanned == 6


# What the role cannot see is not gone.


def test_rows_that_a_policy_hides_take_no_edge_away(postgres: Postgres, tmp_path: Path) -> None:
    guest = postgres.guest()
    runs = Runs(postgres, postgres.fresh(f"{KB}; GRANT SELECT ON docs TO {guest}"), tmp_path / "catalog.db")
    connection = {**postgres.parameters(user=guest), "dbname": runs.database}
    options: dict[str, Any] = {"connection": connection, "scan_pattern": {"allow": [".*"]}}
    docs = urn(f"{runs.database}.public.docs")
    runs.vectors(**options)
    before = runs.aspects(docs)["upstreamLineage"]["upstreams"]
    assert len(before) == 3
    assert runs.profile("public.docs")["rowCount"] == 50

    postgres.execute(runs.database, "ALTER TABLE docs ENABLE ROW LEVEL SECURITY")
    pipeline = runs.vectors(**options)
    after = runs.aspects(docs)["upstreamLineage"]["upstreams"]
    assert [edge["dataset"] for edge in after] == [edge["dataset"] for edge in before]
    assert {edge["properties"]["chunks"] for edge in after} == {"25", "50"}
    assert all("not_confirmed_since" in edge["properties"] for edge in after)
    assert runs.profile("public.docs")["rowCount"] == 50
    assert any("hidden" in (entry.title or "") for entry in report(pipeline).warnings)
    assert report(pipeline).collections_with_hidden_rows == 1

    postgres.execute(runs.database, "ALTER TABLE docs DISABLE ROW LEVEL SECURITY")
    runs.vectors(**options)
    assert runs.aspects(docs)["upstreamLineage"]["upstreams"] == before


IN_PLACE = """
CREATE EXTENSION vector;
CREATE TABLE authors (id int PRIMARY KEY, name text, email text);
CREATE TABLE docs (id int PRIMARY KEY, author_id int, title text, body text, embedding vector(3));
INSERT INTO docs SELECT i, 1, 't', 'b', '[1,2,3]' FROM generate_series(1, 10) i;
CREATE INDEX ON docs USING hnsw (embedding vector_cosine_ops);
ANALYZE;
"""

TERM = "urn:li:glossaryTerm:Personal"


class TestInPlace:
    """The usual layout: a table has the text and the vector, so a job's columns stay within the table."""

    UPDATE = "update docs d set embedding = embed(d.title || d.body || a.name) from authors a where a.id = d.author_id"
    SELECT = "select d.id, d.title, d.body, a.name as author from docs d join authors a on a.id = d.author_id"
    ALONE = "update docs set embedding = embed(title || body)"

    @pytest.fixture
    def runs(self, postgres: Postgres, tmp_path: Path) -> Runs:
        return Runs(postgres, postgres.fresh(IN_PLACE), tmp_path / "catalog.db")

    def embed(self, runs: Runs, sql: str, *texts: str) -> None:
        runs.tables()
        upstream = {
            "platform": "postgres",
            "default_db": runs.database,
            "default_schema": "public",
            "sql": sql,
        }
        job = {"name": "embed-docs", "index": "docs", "upstream": upstream, "text_columns": list(texts)}
        runs.vectors(embedding_jobs=[job]).raise_from_status()

    def labelled(self, runs: Runs, asset: str) -> str | None:
        found = attached(runs.catalog, asset)
        assert found.keys() <= {(TERM, None), (TERM, OUR_ATTRIBUTION)}
        return found.get((TERM, OUR_ATTRIBUTION))

    def lineage(self, runs: Runs, *arguments: str) -> str:
        done = CliRunner().invoke(main, ["--catalog", str(runs.catalog), "lineage", *arguments])
        assert done.exit_code == 0, done.output
        return done.output

    @pytest.mark.parametrize(
        ("sql", "texts"),
        [(UPDATE, ["embedding"]), (UPDATE, []), (SELECT, ["title", "body", "author"]), (ALONE, [])],
    )
    def test_terms_reach_the_vector_of_the_same_table(self, runs: Runs, sql: str, texts: list[str]) -> None:
        self.embed(runs, sql, *texts)
        docs, authors = (urn(f"{runs.database}.public.{table}") for table in ("docs", "authors"))
        vector = f"urn:li:schemaField:({docs},embedding)"
        for table, name in ((docs, "title"), (docs, "body"), (authors, "name"), (docs, "author_id")):
            origin = f"urn:li:schemaField:({table},{name})"
            reaches = name in ("title", "body") or (name == "name" and sql != self.ALONE)
            write(runs.catalog, [terms(origin, TERM)])
            report = propagate(runs.catalog.parent)
            assert (report.labels_added, report.late_edges) == (3 if reaches else 0, 0)
            assert self.labelled(runs, vector) == (origin if reaches else None)
            assert self.labelled(runs, origin) is None
            assert self.labelled(runs, authors) is None
            assert propagate(runs.catalog.parent).labels_kept == (3 if reaches else 0)
            write(runs.catalog, [terms(origin)])
            assert propagate(runs.catalog.parent).labels_removed == (3 if reaches else 0)

    def test_a_term_stays_while_the_text_column_is_renamed(self, runs: Runs) -> None:
        self.embed(runs, self.ALONE)
        docs = urn(f"{runs.database}.public.docs")
        write(runs.catalog, [terms(f"urn:li:schemaField:({docs},body)", TERM)])
        propagate(runs.catalog.parent)
        runs.postgres.execute(runs.database, "ALTER TABLE docs RENAME COLUMN body TO content")
        runs.tables()
        with pytest.raises(PipelineExecutionError, match="Labels are not confirmed"):
            propagate(runs.catalog.parent)
        assert self.labelled(runs, f"urn:li:schemaField:({docs},embedding)")

    @pytest.mark.parametrize("sql", [UPDATE, ALONE])
    def test_the_command_shows_what_feeds_the_vector(self, runs: Runs, sql: str) -> None:
        self.embed(runs, sql)
        docs = f"postgres:{runs.database}.public.docs"
        up = self.lineage(runs, f"{docs}#embedding", "--up", "--columns")
        assert "docs.title → " in up
        assert "docs.body → " in up
        down = self.lineage(runs, f"{docs}#body", "--down", "--columns")
        assert "docs.body → " in down
        assert "embedding" in down
        whole = " ".join(self.lineage(runs, docs, "--down").split())
        assert "Nothing else downstream of it is in the catalog." in whole
        assert "Within the table:" in whole
        assert "by embed-docs" in whole
        shown = json.loads(self.lineage(runs, docs, "--down", "--json"))
        (within,) = shown["within"]
        ends = {pair["upstream"].rpartition(",")[2] for pair in within["columns"]}
        assert ends == {"title)", "body)"}
