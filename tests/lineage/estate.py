"""A small warehouse as a catalog knows it, on every platform under the names that DataHub's source gives it there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from typing_extensions import override

from datahub_llmops.lineage.job_config import UpstreamConfig
from datahub_llmops.lineage.provenance import ProvenanceConfig, compile_rules
from datahub_llmops.lineage.schema_lookup import NoCatalog, SchemaLookup
from datahub_llmops.lineage.sql.trace import SqlLineage, trace

RULES = compile_rules(ProvenanceConfig(), env="PROD")

TABLES: Mapping[str, str | None] = {
    "docs": "id title body tags author_id meta",
    "authors": "id name email team_id",
    "comments": "id doc_id body author_id",
    "published": "id title body",  # a view
    "raw": None,  # known, without a schema
}
PREFIX = {
    "postgres": "shop.public.",
    "redshift": "shop.public.",
    "snowflake": "shop.public.",
    "mssql": "shop.dbo.",
    "bigquery": "shop.kb.",
    "databricks": "shop.kb.",
    "mysql": "shop.",
    "sqlite": "main.",
    "duckdb": "main.",
    "trino": "shop.kb.",
    "oracle": "shop.kb.",
    "clickhouse": "shop.",
    "hive": "shop.",
    "teradata": "shop.",
}
DEFAULTS: Mapping[str, Mapping[str, str]] = {
    "postgres": {"default_db": "shop", "default_schema": "public"},
    "redshift": {"default_db": "shop", "default_schema": "public"},
    "snowflake": {"default_db": "shop", "default_schema": "public"},
    "mssql": {"default_db": "shop", "default_schema": "dbo"},
    "bigquery": {"default_db": "shop", "default_schema": "kb"},
    "databricks": {"default_db": "shop", "default_schema": "kb"},
    "mysql": {"default_schema": "shop"},
    "sqlite": {"default_schema": "main"},
    "duckdb": {"default_schema": "main"},
    "trino": {"default_db": "shop", "default_schema": "kb"},
    "oracle": {"default_db": "shop", "default_schema": "kb"},
    "clickhouse": {"default_schema": "shop"},
    "hive": {"default_schema": "shop"},
    "teradata": {"default_schema": "shop"},
}


class Known(SchemaLookup):
    """A catalog that knows these datasets."""

    def __init__(self, datasets: Mapping[str, Iterable[str] | None]) -> None:
        self._datasets = {
            urn: None if columns is None else dict.fromkeys(columns, "TEXT")
            for urn, columns in datasets.items()
        }

    def datasets(self) -> set[str]:
        return set(self._datasets)

    @override
    def schemas(self, urn: str) -> Mapping[str, Mapping[str, str] | None]:
        return {known: columns for known, columns in self._datasets.items() if known.lower() == urn.lower()}

    @override
    def describes(self, platform: str) -> bool:
        return any(
            urn.startswith(f"urn:li:dataset:(urn:li:dataPlatform:{platform},")
            for urn, columns in self._datasets.items()
            if columns is not None
        )


def urn(platform: str, name: str) -> str:
    return f"urn:li:dataset:(urn:li:dataPlatform:{platform},{name},PROD)"


def tables(platform: str, names: Mapping[str, str | None] = TABLES) -> Known:
    """``{"main.docs": "id body"}`` on one platform."""
    prefix = PREFIX[platform] if names is TABLES else ""
    return Known(
        {
            urn(platform, prefix + name): None if columns is None else columns.split()
            for name, columns in names.items()
        }
    )


def read(platform: str, sql: str, lookup: SchemaLookup | None = None, **options: str | bool) -> SqlLineage:
    """Lineage of ``sql`` over the estate, or over ``lookup``."""
    given = options or DEFAULTS[platform]
    config = UpstreamConfig.model_validate({"platform": platform, "sql": sql, **given})
    return trace(config, lookup if lookup is not None else tables(platform), RULES)


def unchecked(platform: str, sql: str, **options: str | bool) -> SqlLineage:
    """Lineage of ``sql`` where no catalog is configured."""
    return read(platform, sql, NoCatalog(), **options)


def short(platform: str, dataset: str) -> str:
    """A dataset's name without platform and prefix; with its platform where that is another one."""
    body = dataset.removeprefix("urn:li:dataset:(urn:li:dataPlatform:").removesuffix(",PROD)")
    where, _, name = body.partition(",")
    return name.removeprefix(PREFIX[platform]) if where == platform else f"{where}:{name}"


def inputs(platform: str, lineage: SqlLineage) -> set[str]:
    return {short(platform, dataset) for dataset in lineage.inputs}


def outputs(platform: str, lineage: SqlLineage) -> dict[str, set[str]]:
    return {
        output.name: {f"{short(platform, source.dataset)}.{source.column}" for source in output.sources}
        for output in lineage.outputs
    }


def titles(lineage: SqlLineage) -> list[str]:
    return [warning.title for warning in lineage.warnings]
