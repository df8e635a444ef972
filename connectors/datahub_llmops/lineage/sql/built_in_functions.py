"""The functions in FROM that each dialect has built in, and that compute their rows from their arguments alone.

Any other function may read tables that the statement does not show. Built-in functions that read tables, files or the
server itself (``dblink``, ``result_scan``, ``read_files``) are not listed for the same reason.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from sqlglot import exp

_POSTGRES: Final = frozenset(
    {
        *(
            "generate_series",
            "exploding_generate_series",
            "generate_subscripts",
            "unnest",
            "aclexplode",
            "string_to_table",
            "ts_parse",
        ),
        *("ts_debug", "regexp_matches", "regexp_split_to_table", "pg_options_to_table", "txid_snapshot_xip"),
        *("json_array_elements", "json_array_elements_text", "json_each", "json_each_text"),
        *("json_object_keys", "json_populate_record", "json_populate_recordset", "json_to_record"),
        *("json_to_recordset", "jsonb_array_elements", "jsonb_array_elements_text", "jsonb_each"),
        *("jsonb_each_text", "jsonb_object_keys", "jsonb_path_query", "jsonb_path_query_tz"),
        *("jsonb_populate_record", "jsonb_populate_recordset", "jsonb_to_record", "jsonb_to_recordset"),
        *("json_table", "xmltable", "each", "skeys", "svals", "populate_record", "show_trgm", "st_dump"),
        *("st_dumppoints", "st_dumprings", "st_subdivide", "st_squaregrid", "st_hexagongrid"),
    }
)
"""Functions that return sets, from ``pg_proc`` of PostgreSQL 18, and those of its extensions hstore and PostGIS."""

_SPARK: Final = frozenset(
    {
        *(
            "collations",
            "explode",
            "explode_outer",
            "inline",
            "inline_outer",
            "json_tuple",
            "parse_url_tuple",
        ),
        *("posexplode", "posexplode_outer", "range", "sql_keywords", "stack", "variant_explode"),
        *("variant_explode_outer", "generate_series"),
    }
)
"""https://spark.apache.org/docs/latest/sql-ref-syntax-qry-select-tvf.html"""

_TRINO: Final = frozenset({"generate_series", "json_table", "sequence", "unnest"})
"""https://trino.io/docs/current/functions/table.html"""

_BUILT_IN: Final[Mapping[str, frozenset[str]]] = {
    "athena": _TRINO,
    # https://cloud.google.com/bigquery/docs/reference/standard-sql/table-functions-built-in
    "bigquery": frozenset(
        {"generate_array", "generate_date_array", "generate_series", "generate_timestamp_array", "unnest"}
    ),
    # https://clickhouse.com/docs/sql-reference/table-functions
    "clickhouse": frozenset(
        {
            *("format", "generate_random", "generaterandom", "generate_series", "generateseries", "null"),
            *("numbers", "numbers_mt", "values", "zeros", "zeros_mt"),
        }
    ),
    "databricks": _SPARK,
    "duckdb": frozenset(
        {
            *("generate_series", "json_each", "json_tree", "range", "regexp_split_to_table", "repeat"),
            *("repeat_row", "unnest"),
        }
    ),
    # https://cwiki.apache.org/confluence/display/hive/languagemanual+udf
    "hive": _SPARK,
    "materialize": _POSTGRES,
    "mysql": frozenset({"json_table"}),
    # https://docs.oracle.com/en/database/oracle/oracle-database/23/arpls/dbms_vector_chain1.html
    "oracle": frozenset(
        {
            *("apex_string.split", "apex_string.split_clobs", "dbms_vector.utl_to_chunks", "json_table"),
            *("dbms_vector.utl_to_embeddings", "dbms_vector_chain.utl_to_chunks"),
            *("dbms_vector_chain.utl_to_embeddings", "sys.odcidatelist", "sys.odcinumberlist"),
            *("sys.odcivarchar2list", "table", "the", "xmlsequence", "xmltable"),
        }
    ),
    "postgres": _POSTGRES,
    "presto": _TRINO,
    "redshift": _POSTGRES,
    "risingwave": _POSTGRES,
    # https://docs.snowflake.com/en/sql-reference/functions-table
    "snowflake": frozenset(
        {"explode", "flatten", "generator", "split_to_table", "strtok_split_to_table", "unnest"}
    ),
    "spark": _SPARK,
    "spark2": _SPARK,
    "sqlite": frozenset({"generate_series", "json_each", "json_tree", "jsonb_each", "jsonb_tree"}),
    # https://docs.teradata.com/r/Enterprise_IntelliFlex_VMware/SQL-Functions-Expressions-and-Predicates
    "teradata": frozenset(
        {"json_table", "regexp_split_to_table", "strtok_split_to_table", "table", "unnest", "xmltable"}
    ),
    "trino": _TRINO,
    # https://learn.microsoft.com/en-us/sql/t-sql/functions/functions
    "tsql": frozenset(
        {
            *("ai_generate_chunks", "generate_series", "openjson", "openxml", "regexp_matches"),
            *("regexp_split_to_table", "string_split"),
        }
    ),
}
_ANY: Final = frozenset[str]().union(*_BUILT_IN.values())
"""The functions of dialects that have no list of their own."""

_SCALARS_IN_FROM: Final = frozenset({"postgres", "materialize", "risingwave"})
"""Dialects in which FROM may have any function, as in ``from docs d, lower(d.title) t``."""

_NOT_OF_POSTGRES: Final = (exp.Explode, exp.Flatten, exp.Split)
"""Functions of other dialects with names that people give to functions of their own."""


def is_built_in(language: str, function: exp.Expr, name: str, schema: Sequence[str]) -> bool:
    """Whether a function in FROM is built in and reads nothing but its arguments.

    ``name`` is that of the function in lower case, and ``schema`` the names before it.
    """
    known = _BUILT_IN.get("tsql" if language == "fabric" else language, _ANY)
    before = [one.lower() for one in schema]
    if before and before != ["pg_catalog"]:
        return ".".join((*before, name)) in known
    if name in known:
        return True
    scalar = isinstance(function, exp.Func) and not isinstance(function, (exp.Anonymous, *_NOT_OF_POSTGRES))
    return scalar and language in _SCALARS_IN_FROM
