"""The recipe options of ``llm-spans``."""

from __future__ import annotations

from typing import Any, Literal, Self

from datahub.configuration.common import ConfigModel, TransparentSecretStr
from datahub.ingestion.source.state.stateful_ingestion_base import (
    StatefulIngestionConfig,
    StatefulIngestionConfigBase,
)
from pydantic import ConfigDict, Field, field_validator, model_validator

from datahub_llmops.answers.prices import PricesConfig
from datahub_llmops.answers.resolver import MapConfig, is_dataset
from datahub_llmops.ingestion.options import CatalogOptions
from datahub_llmops.ingestion.score_options import ScoreOptions
from datahub_llmops.net.http import HttpOptions
from datahub_llmops.spans.resolve import IndexRule


class ClickHouseConfig(HttpOptions, ConfigModel):
    """A ClickHouse server that the OpenTelemetry Collector's `clickhouseexporter` writes to."""

    model_config = ConfigDict(hide_input_in_errors=True)

    url: str = Field(
        description="Root of the server's HTTP interface, for example `https://clickhouse:8443` or `${CLICKHOUSE_URL}`."
    )
    database: str = Field(
        default="default",
        description="Database of the table, as `database` of the exporter says, for example `otel`.",
    )
    table: str = Field(
        default="otel_traces",
        description="Table of the spans, as `traces_table_name` of the exporter says, for example `otel_traces`.",
    )
    user: str = Field(
        default="default", description="User with the right to `SELECT` from the table, for example `reader`."
    )
    password: TransparentSecretStr = Field(
        default=TransparentSecretStr(""),
        description="Password of the user, for example `${CLICKHOUSE_PASSWORD}`.",
    )
    columns: dict[str, str] = Field(
        default_factory=dict,
        description="The exporter's name of a column -> its name in the table, if they differ, for example "
        "`{ServiceName: service}`.",
    )
    timeout_sec: float = Field(
        default=300.0, gt=0, description="Seconds that one statement may take in all, for example `600`."
    )


class ApplicationConfig(ConfigModel):
    """What an application is called."""

    attribute: str = Field(
        default="service.name",
        min_length=1,
        description="Attribute of the process, or of the span that an answer begins with, that names the application, "
        "for example `app.name`. A name that our hooks stamped takes precedence.",
    )
    default: str | None = Field(
        default=None,
        min_length=1,
        description="Name of the application whose spans do not name one, as those in MLflow's archive, for example "
        "`support-bot`. Without it their answers are left out, and the run fails.",
    )


class SpansConfig(
    CatalogOptions, StatefulIngestionConfigBase[StatefulIngestionConfig], MapConfig, PricesConfig
):
    """Recipe options of `llm-spans`."""

    model_config = ConfigDict(hide_input_in_errors=True)

    files: str | list[str] | None = Field(
        default=None,
        description="Folders or patterns of files that hold spans, on this machine or in a bucket, for example "
        "`s3://traces/otel/year=*/month=*/day=*/**`. A folder means everything below it.",
    )
    storage: dict[str, Any] = Field(
        default_factory=dict,
        description="Options of fsspec's file system for the bucket, for example `{endpoint_url: 'https://minio:9000', "
        "key: '${S3_KEY}', secret: '${S3_SECRET}'}`. Without it, credentials come from the environment.",
    )
    clickhouse: ClickHouseConfig | None = Field(
        default=None, description="The ClickHouse server that holds the spans, instead of `files`."
    )
    max_days: int = Field(
        default=30,
        ge=1,
        le=3_650,
        description="How many days back are read, today included, for example `30`.",
    )
    application: ApplicationConfig = Field(
        default_factory=ApplicationConfig, description="What an application is called."
    )
    application_platform: str | None = Field(
        default=None,
        description="Platform that applications are drawn on, for example `langchain`. Default: their framework.",
    )
    data_source_ids: dict[str, str] = Field(
        default_factory=dict,
        description="`gen_ai.data_source.id` of spans -> URN of the index, for example `{kb-1: "
        "'urn:li:dataset:(urn:li:dataPlatform:qdrant,docs,PROD)'}`.",
    )
    indexes: list[IndexRule] = Field(
        default_factory=list,
        description="Rules that say which index a retriever searches, first match wins, for example "
        "`[{application: support-bot, urn: 'urn:li:dataset:(urn:li:dataPlatform:qdrant,docs,PROD)'}]`.",
    )
    stores: list[str] = Field(
        default_factory=list,
        description="Recipes of the stores that may be asked which index has the ids of retrieved chunks, for example "
        "`[recipes/qdrant.dhub.yaml]`. Without them no store is asked.",
    )
    probe_seconds: float = Field(
        default=300.0,
        gt=0,
        description="How long a run may ask stores for ids, in seconds, for example `300`.",
    )

    max_embedding_runs: int = Field(
        default=100,
        ge=0,
        description="How many of the newest runs of embedding jobs, from sealed segments, become process instances, "
        "for example `10`.",
    )

    evaluations: ScoreOptions | Literal[False] = Field(
        default_factory=ScoreOptions,
        description="Evaluations and decisions of guardrails on spans; `false` leaves them out.",
    )

    @field_validator("data_source_ids")
    @classmethod
    def _are_datasets(cls, value: dict[str, str]) -> dict[str, str]:
        wrong = sorted(name for name, urn in value.items() if not is_dataset(urn))
        if wrong:
            raise ValueError(
                f"{', '.join(wrong)}: its value is not the URN of a dataset with its environment"
            )
        return value

    @model_validator(mode="after")
    def _has_one_door(self) -> Self:
        if (self.files is None) == (self.clickhouse is None):
            raise ValueError("give either `files` or `clickhouse`: where the spans are")
        return self

    @property
    def patterns(self) -> tuple[str, ...]:
        """The folders or patterns of ``files``."""
        return (self.files,) if isinstance(self.files, str) else tuple(self.files or ())
