"""Queries of a Postgres server's own catalog, of its existing statistics, and of bounded samples.

https://www.postgresql.org/docs/current/catalogs.html, https://github.com/pgvector/pgvector
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from psycopg import sql

DATABASES: Final = sql.SQL(
    "SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate AND datname <> 'rdsadmin' ORDER BY 1"
)

# Types are identified by their extension, not by name: anybody may call a type "vector". Arrays of vectors and domains
# over them hold vectors, too.
_BASE: Final = """
WITH base AS (
  SELECT t.oid, t.typarray, t.typname::text AS kind FROM pg_extension e
  JOIN pg_depend d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e'
    AND d.classid = 'pg_type'::regclass
  JOIN pg_type t ON t.oid = d.objid
  WHERE e.extname = 'vector' AND t.typname IN ('vector', 'halfvec', 'sparsevec')
)"""

_TYPES: Final = """, types AS (
  SELECT oid FROM base UNION ALL SELECT typarray FROM base
  UNION ALL SELECT t.oid FROM pg_type t JOIN base b ON t.typbasetype = b.oid
)"""

# A bit column is a vector if it has an index of pgvector.
_INDEXED: Final = """EXISTS (
  SELECT FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_am am ON am.oid = i.relam
  WHERE (x.indrelid = c.oid OR c.relkind = 'p' AND x.indrelid IN (SELECT relid FROM pg_partition_tree(c.oid)))
    AND am.amname IN ('hnsw', 'ivfflat'))"""

TABLES: Final = sql.SQL(
    _BASE
    + _TYPES
    + """
SELECT n.nspname, c.relname,
  (SELECT row_security_active(l.oid) FROM pg_class l WHERE c.relname = 'langchain_pg_embedding'
    AND l.relnamespace = c.relnamespace AND l.relname = 'langchain_pg_collection')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'm') AND NOT c.relispartition AND c.relpersistence <> 't'
  AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
  AND (EXISTS (SELECT FROM pg_attribute a JOIN types k ON k.oid = a.atttypid
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) OR """
    + _INDEXED
    + ") ORDER BY 1, 2"
)
"""Schema, table, and if LangChain keeps collections in it, whether policies decide which of them this role sees.

A parent stands for its partitions. https://www.postgresql.org/docs/current/functions-info.html describes
``row_security_active``.
"""

_COLUMNS: Final = """
  SELECT json_agg(json_build_object(
    'name', a.attname, 'type', format_type(a.atttypid, a.atttypmod), 'category', t.typcategory,
    'base', format_type(coalesce(nullif(t.typbasetype, 0), t.oid), NULL), 'kind', k.kind, 'multi', k.typarray = t.oid,
    'dimension', CASE WHEN a.atttypmod > 0 THEN a.atttypmod WHEN t.typtypmod > 0 THEN t.typtypmod END,
    'not_null', a.attnotnull, 'comment', col_description(c.oid, a.attnum),
    'readable', has_column_privilege(c.oid, a.attnum, 'SELECT')) ORDER BY a.attnum)
  FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
  LEFT JOIN base k ON k.oid IN (t.oid, t.typbasetype) OR k.typarray = t.oid
  WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"""

# indclass and indkey have the same order; only the first column of a vector index is a vector. An index that was built
# on a partition alone has no parent: CREATE INDEX CONCURRENTLY cannot be used on the partitioned table.
_INDEXES: Final = """
  SELECT json_agg(json_build_object(
    'name', i.relname, 'method', am.amname, 'class', oc.opcname, 'options', i.reloptions,
    'partial', x.indpred IS NOT NULL, 'partition', CASE WHEN x.indrelid <> c.oid THEN x.indrelid::text END,
    'column', (SELECT a.attname FROM pg_attribute a WHERE a.attrelid = x.indrelid AND a.attnum = x.indkey[0]),
    'expression', CASE WHEN x.indkey[0] = 0 THEN pg_get_indexdef(i.oid, 1, false) END) ORDER BY i.relname)
  FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_am am ON am.oid = i.relam
  JOIN pg_opclass oc ON oc.oid = x.indclass[0]
  WHERE x.indisvalid AND am.amname IN ('hnsw', 'ivfflat') AND (x.indrelid = c.oid OR c.relkind = 'p'
    AND x.indrelid IN (SELECT relid FROM pg_partition_tree(c.oid) WHERE isleaf)
    AND NOT EXISTS (SELECT FROM pg_inherits h WHERE h.inhrelid = x.indexrelid))"""

_STATISTICS: Final = """
  SELECT json_agg(json_build_object(
    'column', s.attname, 'nulls', s.null_frac, 'values', s.most_common_vals::text::text[],
    'shares', s.most_common_freqs, 'distinct', s.n_distinct))
  FROM pg_stats s WHERE s.schemaname = n.nspname AND s.tablename = c.relname AND s.inherited = (c.relkind = 'p')
    AND s.attname = ANY(%s)"""

TABLE: Final = sql.SQL(
    _BASE
    + """
SELECT c.relkind::text, c.reltuples, c.relpages, obj_description(c.oid, 'pg_class'),
  has_schema_privilege(n.oid, 'USAGE'),
  CASE c.relkind WHEN 'p' THEN (SELECT sum(pg_total_relation_size(relid)) FROM pg_partition_tree(c.oid))
    ELSE pg_total_relation_size(c.oid) END,
  CASE c.relkind WHEN 'p' THEN (SELECT sum(pg_relation_size(relid)) FROM pg_partition_tree(c.oid))
    ELSE pg_relation_size(c.oid) END / current_setting('block_size')::int,
  (SELECT json_agg(p.relid::regclass::text ORDER BY p.relid::regclass::text)
    FROM pg_partition_tree(c.oid) p WHERE p.isleaf AND p.relid <> c.oid),
  ("""
    + _COLUMNS
    + "), ("
    + _INDEXES
    + "), ("
    + _STATISTICS
    + """), current_setting('server_version_num')::int, row_security_active(c.oid)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND c.relname = %s AND c.relkind IN ('r', 'p', 'm')"""
)
"""Parameters: the columns whose statistics are wanted, schema and table."""

COLUMNS: Final = sql.SQL("""
SELECT a.attname::text, format_type(coalesce(nullif(t.typbasetype, 0), t.oid), NULL),
  coalesce(a.attnum = ANY(x.indkey), false), row_security_active(c.oid)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_index x ON x.indrelid = c.oid AND x.indisprimary
WHERE n.nspname = %s AND c.relname = %s AND c.relkind IN ('r', 'p', 'm') AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum""")
"""Name and base type of each column, whether it is in the primary key, and if policies hide rows from this role.

Parameters: schema and table.
"""

_ROWS_FOR_KEYS: Final = 10_000


def collections(schema: str) -> sql.Composed:
    """Select name and id of the collections that LangChain's ``PGVector`` keeps in one table."""
    return sql.SQL("SELECT name, uuid::text FROM {} WHERE name IS NOT NULL ORDER BY 1, 2").format(
        sql.Identifier(schema, "langchain_pg_collection")
    )


def collection(schema: str, name: str) -> sql.Composed:
    """Select the ids of LangChain's collections of this name."""
    return sql.SQL("SELECT uuid::text FROM {} WHERE name = {}").format(
        sql.Identifier(schema, "langchain_pg_collection"), sql.Literal(name)
    )


def lookup(
    schema: str,
    table: str,
    column: str,
    keys: Sequence[str | int],
    *,
    cast: str | None,
    collections: Sequence[str] | None = None,
) -> sql.Composed:
    """Select those of ``keys`` that are in a column, as text.

    ``cast`` is the type with whose operators, and so by whose index, they are compared; ``None`` compares the column's
    text. ``collections`` are the ids of LangChain's collections in which to look, ``None`` is the whole table.
    """
    name = sql.Identifier(column)
    where = sql.SQL("t.{}{} = ANY({}::{}[])").format(
        name,
        sql.SQL("" if cast else "::text"),
        sql.Literal([str(key) for key in keys]),
        sql.SQL("text") if cast is None else sql.Identifier("pg_catalog", cast),
    )
    if collections is not None:
        where += sql.SQL(" AND t.collection_id = ANY({}::uuid[])").format(sql.Literal(list(collections)))
    return sql.SQL("SELECT DISTINCT t.{}::text FROM {} t WHERE {}").format(
        name, sql.Identifier(schema, table), where
    )


def sample(
    schema: str,
    table: str,
    *,
    texts: Sequence[str],
    documents: Sequence[str],
    fields: Sequence[tuple[str, str, str | None]],
    share: float | None,
    rows: int | None,
    values: int,
    by_collection: bool,
) -> sql.Composed:
    """Count rows, keys of JSON columns with their types, and values in a part of a table.

    ``fields`` are provenance fields as (name, column, key of the JSON column or ``None``). ``share`` is the percentage
    of the table's pages to read, ``None`` for the whole table. At most ``rows`` rows are read, and ``values`` different
    values returned of each field. The rows of the answer are (collection, what, name, value, rows); the value ``None``
    counts the values left out. ``by_collection`` is for LangChain's shared table, and returns every collection.
    """
    part = (
        sql.SQL("")
        if share is None
        else sql.SQL(" TABLESAMPLE SYSTEM ({}) REPEATABLE (1)").format(sql.Literal(share))
    )
    limit = sql.SQL("") if rows is None else sql.SQL(" LIMIT {}").format(sql.Literal(rows))
    columns: list[sql.Composable] = [
        sql.SQL("t.{0}::text AS {0}").format(sql.Identifier(name)) for name in texts
    ]
    columns += [sql.SQL("t.{0}::jsonb AS {0}").format(sql.Identifier(name)) for name in documents]
    whose = sql.SQL(", t.collection_id AS c") if by_collection else sql.SQL(", NULL::uuid AS c")
    parts: list[sql.Composable] = [
        sql.SQL(
            "SELECT c, 'rows' AS what, NULL::text AS name, NULL::text AS value, count(*) AS n FROM s GROUP BY 1"
        )
    ]
    parts += [_count_keys(name) for name in documents]
    parts += [_count_values(name, column, key, values) for name, column, key in fields]
    joined = sql.SQL(" UNION ALL ").join(parts)
    head = sql.SQL("WITH s AS {once} (SELECT {columns}{whose} FROM {table} t{part}{limit}) ").format(
        # A sample must be taken once. A whole table is cheaper to read again, by several workers, than to store.
        once=sql.SQL("NOT MATERIALIZED" if share is None else "MATERIALIZED"),
        columns=sql.SQL(", ").join(columns or [sql.SQL("1 AS one")]),
        whose=whose,
        table=sql.Identifier(schema, table),
        part=part,
        limit=limit,
    )
    if not by_collection:
        return head + joined
    names = sql.SQL(
        "SELECT l.name, 'collection', l.uuid::text, NULL, 0 FROM {collections} l WHERE l.name IS NOT NULL UNION ALL"
        " SELECT l.name, p.what, p.name, p.value, p.n FROM ({parts}) p JOIN {collections} l ON l.uuid = p.c"
        " WHERE l.name IS NOT NULL"
    ).format(parts=joined, collections=sql.Identifier(schema, "langchain_pg_collection"))
    return head + names


def _count_keys(column: str) -> sql.Composed:
    return sql.SQL(
        "SELECT c, 'key', {label} || '.' || k.key, jsonb_typeof(k.value), count(*)"
        " FROM (SELECT * FROM s LIMIT {most}) s,"
        " jsonb_each(CASE jsonb_typeof(s.{column}) WHEN 'object' THEN s.{column} END) k GROUP BY 1, 3, 4"
    ).format(label=sql.Literal(column), column=sql.Identifier(column), most=sql.Literal(_ROWS_FOR_KEYS))


def _count_values(name: str, column: str, key: str | None, most: int) -> sql.Composed:
    taken = sql.Identifier(column)
    if key is not None:
        taken_json = sql.SQL("s.{column} -> {key}").format(column=taken, key=sql.Literal(key))
        # An array contains several sources, an object none.
        source = sql.SQL(
            "s, jsonb_path_query({json}, '$[*]') v(j), LATERAL (SELECT v.j #>> '{{}}' AS value) w"
            " WHERE jsonb_typeof(v.j) IN ('string', 'number')"
        ).format(json=taken_json)
    else:
        source = sql.SQL("s, LATERAL (SELECT s.{column} AS value) w WHERE w.value IS NOT NULL").format(
            column=taken
        )
    return sql.SQL(
        "SELECT c, 'value', {label}, CASE WHEN place <= {most} THEN value END, sum(n)::bigint FROM ("
        "SELECT c, value, count(*) AS n, row_number() OVER (PARTITION BY c ORDER BY count(*) DESC, value) AS place"
        " FROM {source} GROUP BY c, value) g GROUP BY 1, 4"
    ).format(label=sql.Literal(name), most=sql.Literal(most), source=source)
