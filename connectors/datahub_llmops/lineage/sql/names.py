"""The full names that a table name may have in DataHub, for each platform."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeAlias

from datahub_llmops.lineage.sql.namespace import Namespace

Part: TypeAlias = tuple[str, bool]
"""One part of a table name as written, and whether it was quoted."""

_TWO_PARTS: Final = frozenset(
    {
        *("athena", "clickhouse", "doris", "glue", "hana", "hive", "iceberg", "impala", "mariadb", "mysql"),
        *("oracle", "presto-on-hive", "singlestore", "spark", "sqlite", "starrocks", "teradata", "tidb"),
    }
)
"""Platforms on which a database holds tables without a schema between them, and DataHub's sources name them so."""

_ONE_PART: Final = frozenset({"druid"})
"""Platforms on which DataHub's source names a table without its schema."""

_USUAL_CATALOG: Final[Mapping[str, str]] = {
    "athena": "awsdatacatalog",
    "doris": "internal",
    "glue": "awsdatacatalog",
    "hive": "spark_catalog",
    "mariadb": "def",
    "mysql": "def",
    "presto-on-hive": "hive",
    "spark": "spark_catalog",
    "starrocks": "default_catalog",
}
"""The catalog in which tables are if a statement names none. DataHub's sources leave it out, except for StarRocks.

Athena: https://docs.aws.amazon.com/athena/latest/ug/understanding-tables-databases-and-the-data-catalog.html
Doris: https://doris.apache.org/docs/lakehouse/catalog-overview
Spark: https://spark.apache.org/docs/latest/sql-ref-identifier.html
StarRocks: https://docs.starrocks.io/docs/data_source/catalog/catalog_overview/
"""

_DATABASE_AND_TABLE: Final = 2

_USUAL_SCHEMA: Final[Mapping[str, str]] = {"mssql": "dbo", "fabric-onelake": "dbo", "snowflake": "public"}
"""The schema that is meant in ``shop..docs``, unless there is a default."""


def full_names(parts: tuple[Part, ...], platform: str, namespace: Namespace) -> tuple[tuple[Part, ...], ...]:
    """Return the full names that ``parts`` may have, the most likely one first. A catalog settles which it is.

    There is more than one where DataHub's source has an option for the number of parts.
    """
    default_db, default_schema = namespace.db, namespace.schema
    if platform in _ONE_PART:
        return (parts[-1:],)
    if platform not in _TWO_PARTS:
        schema = default_schema or _USUAL_SCHEMA.get(platform, "")
        filled = tuple(part if part[0] else (schema, False) for part in parts)
        return (_complete(filled, (default_db, default_schema)),)
    usual = _USUAL_CATALOG.get(platform)
    if len(parts) > 2 and parts[0][0].lower() == usual:
        parts = parts[1:]
    catalog = default_db if default_schema and default_db and default_db.lower() != usual else None
    database = default_schema or default_db
    if catalog == database:
        catalog = None
    if platform == "starrocks":
        catalog = catalog or usual
    likely, short = _complete(parts, (catalog, database)), _complete(parts, (database,))
    long = _complete(parts, (default_db, database)) if len(parts) == _DATABASE_AND_TABLE else short
    return tuple(dict.fromkeys((likely, short, long)))


def _complete(parts: tuple[Part, ...], defaults: tuple[str | None, ...]) -> tuple[Part, ...]:
    missing = defaults[: max(0, len(defaults) + 1 - len(parts))]
    return (*((name, False) for name in missing if name), *parts)
