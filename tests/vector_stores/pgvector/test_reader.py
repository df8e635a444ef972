"""What the reader says of tables that plain SQL and the frameworks' own packages made, on a real Postgres."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import psycopg
import pytest
from psycopg import sql

from datahub_llmops.assets.collections import Collection, FailedListing, Vector
from datahub_llmops.errors import DeniedError, UnreadableError, VanishedError
from datahub_llmops.testing import KnownIds, OpenReader, ReaderContract, StoreContract
from datahub_llmops.vector_stores.pgvector import queries
from datahub_llmops.vector_stores.pgvector.client import Connections
from datahub_llmops.vector_stores.pgvector.keys import find_key
from datahub_llmops.vector_stores.pgvector.reader import PgvectorReader
from datahub_llmops.vector_stores.pgvector.source import PgvectorSource
from vector_stores.pgvector.stores import SHOP_TABLES, Postgres

SHARED = ("frames", "public", "langchain_pg_embedding")


class TestPlainSql(ReaderContract):
    @pytest.fixture
    def open_reader(self, postgres: Postgres) -> OpenReader:
        return lambda: postgres.reader("shop")


class TestFrameworks(ReaderContract):
    @pytest.fixture
    def open_reader(self, postgres: Postgres) -> OpenReader:
        return lambda: postgres.reader("frames")


class TestAllDatabases(StoreContract):
    source = PgvectorSource

    @pytest.fixture
    def open_reader(self, postgres: Postgres) -> OpenReader:
        return lambda: postgres.reader(None)

    @pytest.fixture
    def known_ids(self, postgres: Postgres) -> KnownIds:
        shared = "langchain_pg_embedding"
        with postgres.connected("frames") as connection:
            written = connection.execute(
                "SELECT c.name, array_agg(e.id) FROM langchain_pg_embedding e "
                "JOIN langchain_pg_collection c ON c.uuid = e.collection_id GROUP BY 1"
            ).fetchall()
            [store] = connection.execute("SELECT array_agg(langchain_id::text) FROM store_docs").fetchall()
            [llama] = connection.execute("SELECT array_agg(node_id) FROM data_llama").fetchall()
        return {
            ("shop", "public", "docs"): ["150", "400"],
            **{("frames", "public", shared, name): ids for name, ids in written},
            ("frames", "public", "store_docs"): store[0],
            ("frames", "public", "data_llama"): llama[0],
        }

    @pytest.fixture
    def open_faulty(self, postgres: Postgres) -> Iterator[OpenReader]:
        """An answer does not come: a session holds the table."""
        with closing(psycopg.connect(postgres.uri("shop"))) as session:
            session.execute("LOCK TABLE docs")
            yield lambda: postgres.reader("shop", timeout=0.5)


@pytest.fixture
def shop(postgres: Postgres) -> Iterator[dict[str, Collection]]:
    """Every table of the database ``shop``, by its name."""
    with closing(postgres.reader("shop")) as reader:
        yield {str(name[-1]): reader.read(tuple(name)) for name in reader.names() if isinstance(name, tuple)}


def vector(item: Collection, name: str = "embedding") -> Vector:
    return next(vector for vector in item.vectors if vector.name == name)


def test_only_what_holds_vectors_is_listed(postgres: Postgres) -> None:
    """Neither partitions apart from their table, nor views, nor somebody's own type of a pgvector name."""
    with closing(postgres.reader("shop")) as reader:
        assert set(reader.names()) == SHOP_TABLES


def test_every_fact_of_a_table(shop: dict[str, Collection]) -> None:
    docs = shop["docs"]
    assert docs.vectors == (
        Vector(
            name="embedding",
            dimension=8,
            metric="cosine",
            index_type="hnsw",
            index_parameters={"m": "24", "ef_construction": "120"},
            element_type="float4",
            embedding_model="openai/text-embedding-3-small",
        ),
    )
    assert (docs.count, docs.count_is_estimate) == (400, True)
    assert docs.size_bytes is not None
    assert docs.size_bytes > 100_000
    assert docs.description == "Handbook, cut into chunks"
    assert (docs.created, docs.modified) == (None, None)
    assert {field.path: (field.type, field.native_type, field.nullable) for field in docs.fields} == {
        "id": ("integer", "bigint", False),
        "source": ("string", "text", False),
        "body": ("string", "text", True),
        "page": ("integer", "integer", True),
        "price": ("float", "numeric(8,2)", True),
        "seen": ("datetime", "timestamp with time zone", True),
        "tags": ("array", "text[]", True),
        "metadata": ("object", "jsonb", True),
        "metadata.lang": ("string", "string", True),
        "metadata.n": ("float", "number", True),
        "metadata.nested": ("object", "object", True),
        "metadata.source": ("string", "string", True),
    }


def test_no_index_no_metric_and_no_analyze_no_count(shop: dict[str, Collection]) -> None:
    assert shop["seen"].vectors == (Vector(name="embedding", dimension=8, element_type="float4"),)
    assert (shop["seen"].count, shop["seen"].count_is_estimate) == (None, False)
    assert vector(shop["domains"]) == Vector(name="embedding", dimension=12, element_type="float4")


def test_every_type_of_vector(shop: dict[str, Collection]) -> None:
    odd = shop["Tab, (é) le"]
    half = Vector(
        name="My Vector",
        dimension=16,
        metric="l2",
        index_type="hnsw",
        element_type="float2",
        quantization="halfvec",
    )
    assert odd.vectors == (
        half,
        Vector(name="sparse", dimension=100, metric="ip", index_type="hnsw", sparse=True),
        Vector(name="free", element_type="float4"),
        Vector(name="many", dimension=4, element_type="float4", multivector=True),
        Vector(name="flags", dimension=32, metric="hamming", index_type="hnsw", element_type="bit"),
    )


def test_indexes_over_expressions_quantize(shop: dict[str, Collection]) -> None:
    both = vector(shop["quantized"])
    assert (both.metric, both.index_type, both.quantization) == ("cosine, hamming", "hnsw", "binary, halfvec")
    # The condition of a partial index may hold values: that there is one is all that is said.
    assert both.index_parameters == {"quantized_half.m": "8", "quantized_half.partial": "true"}
    lists = vector(shop["quantized"], "other")
    assert (lists.metric, lists.index_type, lists.quantization) == ("l2", "ivfflat", None)
    assert lists.index_parameters == {"lists": "10"}


def test_a_partitioned_table_is_one_collection(shop: dict[str, Collection]) -> None:
    parted = shop["parted"]
    assert parted.partitions == ("public.parted_high", "public.parted_low")
    assert (parted.count, vector(parted).metric) == (100, "l1")
    (source,) = parted.provenance
    assert (source.values, source.rows_scanned) == ({"s3://parts/0": 50, "s3://parts/1": 50}, 100)


def test_an_index_that_is_not_valid_says_nothing(postgres: Postgres) -> None:
    database = postgres.fresh(
        "CREATE EXTENSION vector; CREATE TABLE t (v vector(3)); CREATE INDEX i ON t USING hnsw (v vector_l2_ops);"
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'i'::regclass"
    )
    with closing(postgres.reader(database)) as reader:
        assert vector(reader.read((database, "public", "t")), "v").metric is None


def test_values_are_counted_by_statistics_and_json_by_a_sample(shop: dict[str, Collection]) -> None:
    plain, inner = shop["docs"].provenance
    assert plain.field == "source"
    assert plain.values == {f"s3://kb/{i}.pdf": 100 for i in range(4)}
    assert (plain.rows_scanned, plain.rows_total) == (400, 400)
    assert inner.field == "metadata.source"
    assert inner.values == {"s3://meta/0": 133, "s3://meta/1": 134, "s3://meta/2": 133}
    assert (inner.rows_scanned, inner.rows_total) == (400, 400)


WIDE = """
CREATE EXTENSION vector;
CREATE TABLE wide (source text, metadata jsonb, embedding vector(3));
INSERT INTO wide SELECT CASE WHEN i % 2 = 0 THEN 's3://kb/common' ELSE 's3://kb/' || i END,
  jsonb_build_object('source', jsonb_build_array('s3://kb/a', 's3://kb/b' || i % 2)), '[1,2,3]'
  FROM generate_series(1, 60000) i;
ANALYZE wide
"""


def test_statistics_and_samples_say_how_much_they_cover(postgres: Postgres) -> None:
    database = postgres.fresh(WIDE)
    with closing(postgres.reader(database, sample_rows=2000)) as reader:
        plain, inner = reader.read((database, "public", "wide")).provenance
    # Half of the rows carry the common value; the other half's are all different.
    assert 25_000 < plain.values["s3://kb/common"] < 35_000
    assert 25_000 < plain.rows_scanned < 40_000
    assert plain.rows_total == 60_000
    assert 1000 < inner.rows_scanned <= 2000
    assert inner.rows_total == 60_000
    assert set(inner.values) == {"s3://kb/a", "s3://kb/b0", "s3://kb/b1"}
    assert inner.values["s3://kb/a"] == inner.rows_scanned


def scans(postgres: Postgres, database: str, table: str) -> tuple[int, int]:
    """Sequential scans, and tuples they and samples read.

    A session adds what it did to the statistics before it leaves the list of sessions, which may be after the client
    has hung up.
    """
    others = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND backend_type = 'client backend' "
        "AND pid <> pg_backend_pid()"
    )
    with postgres.connected(database) as connection:
        while connection.execute(others, (database,)).fetchone() != (0,):
            time.sleep(0.02)
        row = connection.execute(
            "SELECT seq_scan, seq_tup_read FROM pg_stat_user_tables WHERE relname = %s", (table,)
        ).fetchone()
    assert row is not None
    return int(row[0]), int(row[1])


def test_no_table_is_scanned_unless_the_recipe_names_it(postgres: Postgres) -> None:
    database = postgres.fresh(WIDE)
    name = (database, "public", "wide")
    before = scans(postgres, database, "wide")
    with closing(postgres.reader(database, sample_rows=0)) as reader:
        (plain,) = reader.read(name).provenance
    assert plain.field == "source"
    assert scans(postgres, database, "wide") == before
    with closing(postgres.reader(database, sample_rows=1000)) as reader:
        assert len(reader.read(name).provenance) == 2
    sampled = scans(postgres, database, "wide")
    assert sampled[0] == before[0]
    assert sampled[1] - before[1] <= 1000
    full = f"{database}.public.wide"
    with closing(postgres.reader(database, scan=lambda table: table == full)) as reader:
        whole = reader.read(name)
    assert (whole.count, whole.count_is_estimate) == (60_000, False)
    exact = {one.field: one for one in whole.provenance}
    assert exact["source"].values["s3://kb/common"] == 30_000
    assert exact["source"].rows_scanned == exact["source"].rows_total == 60_000
    # More than max_values different ones: the rest is counted, and nobody is left out silently.
    assert sum(exact["source"].values.values()) + exact["source"].values_dropped == 60_000
    assert len(exact["source"].values) == 10_000
    assert exact["metadata.source"].values == {
        "s3://kb/a": 60_000,
        "s3://kb/b0": 30_000,
        "s3://kb/b1": 30_000,
    }
    assert scans(postgres, database, "wide")[0] > sampled[0]


def test_queries_for_a_database(postgres: Postgres) -> None:
    for database in ("shop", "frames"):
        with closing(postgres.reader(database)) as reader:
            names = list(reader.names())
            for name in names:
                assert isinstance(name, tuple)
                reader.read(name)
            tables = {name[:3] for name in names if isinstance(name, tuple)}
            assert reader._connections.queries <= 2 + 2 * len(tables)


@pytest.mark.parametrize("statement", ["CREATE TABLE public.mine ()", "DELETE FROM public.docs RETURNING id"])
def test_nothing_can_be_written(statement: str, postgres: Postgres) -> None:
    connections = Connections(postgres.parameters(), timeout=5)
    with closing(connections), pytest.raises(UnreadableError, match="SQLSTATE 25006"):
        connections.query("shop", sql.SQL(statement), what="a write")


# What the frameworks write.


def test_langchains_shared_table_is_told_apart_by_collection(postgres: Postgres) -> None:
    with closing(postgres.reader("frames")) as reader:
        names = list(reader.names())
        assert (*SHARED, "handbook") in names
        assert (*SHARED, "Fragen & Antworten") in names
        table = reader.read(SHARED)
        book = reader.read((*SHARED, "handbook"))
        questions = reader.read((*SHARED, "Fragen & Antworten"))
    # Neither a dimension nor an index, as LangChain leaves it.
    assert table.vectors == (Vector(name="embedding", element_type="float4"),)
    assert table.count == 9
    # Where the chunks came from is said of the collection, not of the table that they share.
    assert table.provenance == ()
    assert (book.count, book.count_is_estimate) == (6, False)
    assert book.text_field == "document"
    assert book.properties == {"table": "frames.public.langchain_pg_embedding"}
    (source,) = book.provenance
    assert source.field == "cmetadata.source"
    assert source.values == {"s3://handbook/0.md": 3, "s3://handbook/1.md": 3}
    assert (questions.count, questions.provenance[0].values) == (
        3,
        {"s3://fragen/0.md": 2, "s3://fragen/1.md": 1},
    )
    assert "cmetadata.page" in {field.path for field in questions.fields}


def test_without_a_sample_statistics_count_collections(postgres: Postgres) -> None:
    with closing(postgres.reader("frames", sample_rows=0)) as reader:
        book = reader.read((*SHARED, "handbook"))
    assert (book.count, book.count_is_estimate, book.provenance) == (6, True, ())


def test_langchains_own_table(postgres: Postgres) -> None:
    with closing(postgres.reader("frames")) as reader:
        found = reader.read(("frames", "public", "store_docs"))
    assert found.text_field == "content"
    assert vector(found).dimension == 8
    (source,) = found.provenance
    assert source.field == "langchain_metadata.source"
    assert source.values == {"s3://store/0.md": 3, "s3://store/1.md": 2}


def test_llama_indexes_table(postgres: Postgres) -> None:
    with closing(postgres.reader("frames", provenance_fields=["source", "ref_doc_id"])) as reader:
        found = reader.read(("frames", "public", "data_llama"))
    assert found.text_field == "text"
    assert vector(found).metric == "cosine"
    assert vector(found).index_parameters == {"m": "16", "ef_construction": "64"}
    values = {one.field: one.values for one in found.provenance}
    assert values == {
        "metadata_.source": {"s3://llama/0.md": 2, "s3://llama/1.md": 2},
        "metadata_.ref_doc_id": {"file-0": 2, "file-1": 2},
    }
    notes = {field.path: field.description for field in found.fields if field.description}
    assert "metadata_._node_content" in notes


def test_a_field_may_be_named_with_its_column(postgres: Postgres) -> None:
    with closing(postgres.reader("shop", provenance_fields=["metadata.source"])) as reader:
        found = reader.read(("shop", "public", "docs"))
    assert [one.field for one in found.provenance] == ["metadata.source"]


def test_a_table_of_langchains_name_and_another_shape(postgres: Postgres) -> None:
    database = postgres.fresh(
        "CREATE EXTENSION vector; CREATE TABLE langchain_pg_embedding (source text, embedding vector(3))"
    )
    with closing(postgres.reader(database)) as reader:
        assert list(reader.names()) == [(database, "public", "langchain_pg_embedding")]
        assert reader.read((database, "public", "langchain_pg_embedding")).vectors[0].dimension == 3


def test_a_table_without_vectors_reads_without_vectors(postgres: Postgres) -> None:
    """So that the run after a column was dropped can tell that from a table that is gone."""
    with closing(postgres.reader("shop")) as reader:
        assert reader.read(("shop", "public", "plain")).vectors == ()


def test_a_table_dropped_in_between_has_vanished(postgres: Postgres) -> None:
    database = postgres.fresh("CREATE EXTENSION vector; CREATE TABLE t (source text, v vector(3))")
    with closing(postgres.reader(database)) as reader:
        assert list(reader.names()) == [(database, "public", "t")]
        postgres.execute(database, "DROP TABLE t")
        with pytest.raises(VanishedError, match=r"t is gone"):
            reader.read((database, "public", "t"))


def test_the_model_in_a_comment_must_say_that_it_is_one(postgres: Postgres) -> None:
    for comment, model in {
        "embedding_model=openai/text-embedding-3-small": "openai/text-embedding-3-small",
        "Embedding model: BAAI/bge-m3.": "BAAI/bge-m3",
        "We like openai/text-embedding-3-small": None,
    }.items():
        database = postgres.fresh(
            f"CREATE EXTENSION vector; CREATE TABLE t (v vector(3)); COMMENT ON TABLE t IS '{comment}'"
        )
        with closing(postgres.reader(database)) as reader:
            assert reader.read((database, "public", "t")).vectors[0].embedding_model == model


def test_no_permission_names_the_table_and_what_to_grant(postgres: Postgres) -> None:
    guest = postgres.guest()
    database = postgres.fresh(
        "CREATE EXTENSION vector; CREATE TABLE open (source text, v vector(3));"
        "CREATE TABLE closed (source text, v vector(3)); "
        f"GRANT SELECT ON open TO {guest}"
    )
    options = {"user": guest}
    with closing(
        PgvectorReader(
            Connections({**postgres.parameters(), **options}, timeout=5),
            database=database,
            provenance_fields=["source"],
        )
    ) as reader:
        assert len(list(reader.names())) == 2
        assert reader.read((database, "public", "open")).vectors
        with pytest.raises(DeniedError, match=r"public\.closed.*source.*GRANT SELECT"):
            reader.read((database, "public", "closed"))
    with closing(
        PgvectorReader(Connections({**postgres.parameters(), **options}, timeout=5), database=database)
    ) as reader:
        # What the catalog says needs no permission, when nothing else is asked.
        found = reader.read((database, "public", "closed"))
        assert replace(found.vectors[0], element_type=None) == Vector(name="v", dimension=3)


def test_a_schema_that_may_not_be_looked_into_is_said_to_be_one(postgres: Postgres) -> None:
    guest = postgres.guest()
    database = postgres.fresh(
        "CREATE EXTENSION vector; CREATE SCHEMA hidden; CREATE TABLE hidden.t (source text, v vector(3));"
        f"GRANT SELECT ON hidden.t TO {guest}"
    )
    connections = Connections(postgres.parameters(user=guest), timeout=5)
    reader = PgvectorReader(connections, database=database, provenance_fields=["source"])
    with closing(reader), pytest.raises(DeniedError, match=r"hidden\.t.*USAGE on the schema"):
        reader.read((database, "hidden", "t"))


HALF_HIDDEN = """
CREATE EXTENSION vector;
CREATE TABLE t (source text, metadata jsonb, v vector(3));
INSERT INTO t SELECT 's3://kb/' || i % 2, '{"lang": "en"}', '[1,2,3]' FROM generate_series(1, 10) i;
ANALYZE t;
ALTER TABLE t ENABLE ROW LEVEL SECURITY;
CREATE POLICY half ON t USING (source = 's3://kb/1');
"""


@pytest.mark.parametrize("scanned", [False, True])
def test_rows_that_a_policy_may_hide_leave_counts_unknown(postgres: Postgres, scanned: bool) -> None:
    guest = postgres.guest()
    database = postgres.fresh(f"{HALF_HIDDEN}; GRANT SELECT ON t TO {guest}")
    connections = Connections(postgres.parameters(user=guest), timeout=5)
    reader = PgvectorReader(
        connections, database=database, provenance_fields=["source"], scan=lambda _: scanned
    )
    with closing(reader):
        item = reader.read((database, "public", "t"))
    assert item.count is None
    assert item.hidden is not None
    assert "BYPASSRLS" in item.hidden
    (source,) = item.provenance
    assert source.values == {"s3://kb/1": 5}
    assert source.rows_total is None
    assert "metadata.lang" in {field.path for field in item.fields}


def test_policies_hide_nothing_from_the_owner(postgres: Postgres) -> None:
    database = postgres.fresh(HALF_HIDDEN)
    with closing(postgres.reader(database)) as reader:
        item = reader.read((database, "public", "t"))
    assert (item.count, item.hidden) == (10, None)


def test_collections_that_a_policy_may_hide_are_a_failure(postgres: Postgres) -> None:
    guest = postgres.guest()
    database = postgres.fresh(
        "CREATE EXTENSION vector;"
        "CREATE TABLE langchain_pg_collection (uuid uuid PRIMARY KEY, name text, cmetadata json);"
        "CREATE TABLE langchain_pg_embedding (id text PRIMARY KEY, collection_id uuid, embedding vector(3), "
        "document text, cmetadata jsonb);"
        "INSERT INTO langchain_pg_collection SELECT gen_random_uuid(), n FROM unnest(ARRAY['wiki', 'mails']) n;"
        "ALTER TABLE langchain_pg_collection ENABLE ROW LEVEL SECURITY;"
        "CREATE POLICY own ON langchain_pg_collection USING (name = 'wiki');"
        f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {guest}"
    )
    connections = Connections(postgres.parameters(user=guest), timeout=5)
    with closing(PgvectorReader(connections, database=database)) as reader:
        listed = list(reader.names())
    (failed,) = [entry for entry in listed if isinstance(entry, FailedListing)]
    assert "collection_pattern.allow" in str(failed.error)
    assert (database, "public", "langchain_pg_embedding", "wiki") in listed


PARTITIONED = """
CREATE EXTENSION vector;
CREATE TABLE chunks (lang text, id int, embedding vector(8)) PARTITION BY LIST (lang);
CREATE TABLE chunks_en PARTITION OF chunks FOR VALUES IN ('en');
CREATE TABLE chunks_de PARTITION OF chunks FOR VALUES IN ('de');
CREATE INDEX ON chunks_en USING hnsw (embedding vector_cosine_ops) WITH (m = 24);
CREATE INDEX ON chunks_de USING hnsw (embedding vector_cosine_ops) WITH (m = 24);
CREATE TABLE flags (lang text, bits bit(32)) PARTITION BY LIST (lang);
CREATE TABLE flags_en PARTITION OF flags FOR VALUES IN ('en');
CREATE TABLE flags_de PARTITION OF flags FOR VALUES IN ('de');
CREATE INDEX ON flags_en USING hnsw (bits bit_hamming_ops);
CREATE TABLE mixed (model text, embedding vector) PARTITION BY LIST (model);
CREATE TABLE mixed_small PARTITION OF mixed FOR VALUES IN ('small');
CREATE TABLE mixed_large PARTITION OF mixed FOR VALUES IN ('large');
CREATE INDEX ON mixed_small USING hnsw ((embedding::vector(4)) vector_cosine_ops);
CREATE INDEX ON mixed_large USING hnsw ((embedding::vector(8)) vector_l2_ops);
"""


def test_indexes_of_partitions_describe_their_table(postgres: Postgres) -> None:
    """CREATE INDEX CONCURRENTLY cannot be used on a partitioned table, so each partition gets its own index."""
    database = postgres.fresh(PARTITIONED)
    with closing(postgres.reader(database)) as reader:
        found = {entry[-1]: reader.read(entry) for entry in reader.names() if isinstance(entry, tuple)}
    assert set(found) == {"chunks", "flags", "mixed"}
    chunks, flags = vector(found["chunks"]), vector(found["flags"], "bits")
    assert (chunks.index_type, chunks.metric, chunks.index_parameters) == ("hnsw", "cosine", {"m": "24"})
    assert (flags.index_type, flags.metric) == ("hnsw", "hamming")
    assert flags.index_parameters == {"partitions": "1 of 2"}
    assert vector(found["mixed"]).metric == "cosine, l2"


def test_what_fails_for_a_shared_table_is_tried_once(postgres: Postgres) -> None:
    guest = postgres.guest()
    database = postgres.fresh(
        "CREATE EXTENSION vector; CREATE TABLE langchain_pg_collection (uuid uuid, name text, cmetadata json);"
        "CREATE TABLE langchain_pg_embedding (collection_id uuid, document text, cmetadata jsonb, embedding vector);"
        "INSERT INTO langchain_pg_collection SELECT gen_random_uuid(), 'c' || i FROM generate_series(1, 20) i;"
        f"GRANT SELECT ON langchain_pg_collection TO {guest}"
    )
    connections = Connections(postgres.parameters(user=guest), timeout=5)
    with closing(PgvectorReader(connections, database=database, provenance_fields=["source"])) as reader:
        names = [name for name in reader.names() if isinstance(name, tuple)]
        assert len(names) == 21
        for name in names:
            with pytest.raises(DeniedError, match="cmetadata"):
                reader.read(name)
    assert connections.queries == 3


UUIDS = [f"00000000-0000-4000-8000-{n:012d}" for n in range(3)]
KEYS = {
    "by_uuid": ("id uuid PRIMARY KEY", UUIDS, [UUIDS[0].replace("-", "")]),
    "by_text": ("key varchar(64) PRIMARY KEY", ["a", "b'c", "100%"], []),
    "by_number": ("id smallint PRIMARY KEY", ["1", "2", "3"], []),
    "by_amount": ("id numeric PRIMARY KEY", ["1.50", "2"], []),
    "without_key": ("id text", ["a", "b"], []),
    "in_parts": ("part int, id int, PRIMARY KEY (part, id)", ["1", "2"], []),
}
"""Table -> its key columns, the ids in it, and other spellings of some of them."""


@pytest.mark.parametrize("table", KEYS)
def test_ids_are_looked_up_in_the_key_of_a_table(postgres: Postgres, table: str) -> None:
    columns, ids, spellings = KEYS[table]
    key = "key" if table == "by_text" else "id"
    rows = ", ".join(
        f"({'1, ' if table == 'in_parts' else ''}'{one.replace(chr(39), chr(39) * 2)}', '[1,2]')"
        for one in ids
    )
    into = f"{'part, ' if table == 'in_parts' else ''}{key}, embedding"
    database = postgres.fresh(
        f"CREATE EXTENSION vector; CREATE TABLE {table} ({columns}, embedding vector(2));"
        f"INSERT INTO {table} ({into}) VALUES {rows}"
    )
    with closing(postgres.reader(database)) as reader:
        name = (database, "public", table)
        assert reader.has(name, [*ids, *spellings, "70000", "z"]) == {*ids, *spellings}


def test_a_table_without_a_key_cannot_be_asked_for_ids(postgres: Postgres) -> None:
    database = postgres.fresh(
        "CREATE EXTENSION vector; CREATE TABLE docs (a int, b int, embedding vector(2), PRIMARY KEY (a, b))"
    )
    with closing(postgres.reader(database)) as reader, pytest.raises(UnreadableError, match="no primary key"):
        reader.has((database, "public", "docs"), ["1"])


def test_ids_that_a_policy_may_hide_are_not_known(postgres: Postgres) -> None:
    guest = postgres.guest()
    database = postgres.fresh(
        "CREATE EXTENSION vector; CREATE TABLE docs (id int PRIMARY KEY, embedding vector(2));"
        "INSERT INTO docs VALUES (1, '[1,2]'), (2, '[1,2]'); ALTER TABLE docs ENABLE ROW LEVEL SECURITY;"
        f"CREATE POLICY first ON docs USING (id = 1); GRANT SELECT ON docs TO {guest}"
    )
    connections = Connections(postgres.parameters(user=guest), timeout=10.0)
    with closing(PgvectorReader(connections, database=database)) as reader:
        assert reader.has((database, "public", "docs"), ["1"]) == {"1"}
        with pytest.raises(DeniedError, match="row-level security"):
            reader.has((database, "public", "docs"), ["1", "2"])


def test_ids_of_an_older_table_of_langchain_are_the_custom_ones(postgres: Postgres) -> None:
    """As langchain-community's ``PGVector`` made it."""
    database = postgres.fresh(
        "CREATE EXTENSION vector; CREATE TABLE langchain_pg_collection (uuid uuid PRIMARY KEY, name varchar);"
        "CREATE TABLE langchain_pg_embedding (uuid uuid PRIMARY KEY, collection_id uuid, embedding vector,"
        " document varchar, cmetadata json, custom_id varchar);"
        f"INSERT INTO langchain_pg_collection VALUES ('{UUIDS[0]}', 'a'), ('{UUIDS[1]}', 'b');"
        f"INSERT INTO langchain_pg_embedding (uuid, collection_id, custom_id) VALUES"
        f" ('{UUIDS[0]}', '{UUIDS[0]}', 'one'), ('{UUIDS[1]}', '{UUIDS[1]}', 'two')"
    )
    shared = (database, "public", "langchain_pg_embedding")
    with closing(postgres.reader(database)) as reader:
        assert reader.has((*shared, "a"), ["one", "two", UUIDS[0]]) == {"one"}
        assert reader.has((*shared, "b"), ["one", "two"]) == {"two"}
        assert reader.has(shared, ["one", "two"]) == {"one", "two"}


@pytest.mark.parametrize("table", ["by_uuid", "by_text", "by_number"])
def test_ids_are_looked_up_by_the_index(postgres: Postgres, table: str) -> None:
    columns, ids, _ = KEYS[table]
    database = postgres.fresh(
        f"CREATE EXTENSION vector; CREATE TABLE {table} ({columns}, embedding vector(2))"
    )
    with postgres.connected(database) as connection:
        rows = connection.execute(queries.COLUMNS, ("public", table)).fetchall()
        column = find_key(rows)
        assert column is not None
        keys = [key for one in ids if (key := column.parse(one)) is not None]
        statement = queries.lookup("public", table, column.name, keys, cast=column.cast)
        connection.execute("SET enable_seqscan = off")
        plan = connection.execute(sql.SQL("EXPLAIN ") + statement).fetchall()
    assert "Index" in str(plan)
