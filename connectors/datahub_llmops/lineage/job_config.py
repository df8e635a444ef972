"""Options of declared embedding jobs: the same words for every store."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import sqlglot
from datahub.configuration.common import ConfigModel
from datahub.emitter.mce_builder import ALL_ENV_TYPES
from datahub.metadata.urns import CorpGroupUrn, CorpUserUrn, DataJobUrn, Urn
from datahub.sql_parsing.sqlglot_utils import get_dialect
from datahub.utilities.urns.error import InvalidUrnError
from pydantic import Field, PrivateAttr, field_validator, model_validator

MAX_SQL_LENGTH: Final = 1_000_000
"""Characters of one statement or script; what is longer is generated, and no lineage comes out of it in time."""

UNKNOWN_ORCHESTRATOR: Final = "custom"
"""Platform of a job whose orchestrator is not named."""

_DEFAULT_SCHEMAS: Final = {"sqlite": "main"}


class UpstreamConfig(ConfigModel):
    """Where a job reads from: SQL or tables of one platform."""

    platform: str = Field(
        description="Platform of the tables, by DataHub's name for it, for example `postgres`."
    )
    env: str = Field(
        default="PROD", description="Environment of the tables in the catalog, for example `PROD`."
    )
    platform_instance: str | None = Field(
        default=None, description="Platform instance of the tables in the catalog, for example `eu-west`."
    )
    default_db: str | None = Field(
        default=None, description="Database of table names that have none, for example `shop`."
    )
    default_schema: str | None = Field(
        default=None, description="Schema of table names that have none, for example `public`."
    )
    override_dialect: str | None = Field(
        default=None,
        description="SQL dialect, by sqlglot's name for it, where it is not the platform's, for example `trino`.",
    )
    convert_urns_to_lowercase: bool = Field(
        default=False,
        description="Lower-case the names of tables that no catalog spells, as the warehouse's own recipe does"
        " with the same option, for example `true`.",
    )
    sql: str | None = Field(
        default=None,
        description="The query that the job embeds the result of, for example `select id, body from docs`.",
    )
    sql_file: str | None = Field(
        default=None,
        description="File that holds the query, relative to the working directory, for example `embed.sql`.",
    )
    tables: list[str] | None = Field(
        default=None,
        description="Tables that the job reads, where there is no SQL, as names or dataset URNs,"
        " for example `[main.entry_docs]`.",
    )
    _text: str | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _one_way(self) -> UpstreamConfig:
        given = [name for name in ("sql", "sql_file", "tables") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(
                "upstream takes exactly one of sql, sql_file and tables;"
                f" it has {' and '.join(given) if given else 'none of them'}"
            )
        if self.env not in ALL_ENV_TYPES:
            raise ValueError(f"upstream.env {self.env!r} is no environment of DataHub: write it as PROD")
        if self.tables is not None:
            self._check_tables(self.tables)
            return self
        self._text = self.sql if self.sql is not None else _read(self.sql_file or "")
        if len(self._text) > MAX_SQL_LENGTH:
            raise ValueError(
                f"upstream: the SQL is longer than {MAX_SQL_LENGTH} characters; name its tables instead"
            )
        try:
            get_dialect(self.override_dialect or self.platform)
        except ValueError as error:
            raise ValueError(
                f"upstream: sqlglot has no dialect {self.override_dialect or self.platform!r};"
                " set override_dialect to the one that is nearest, for example postgres"
            ) from error
        return self

    @property
    def text(self) -> str | None:
        """The SQL, as given or as read from ``sql_file``; ``None`` where tables are named."""
        return self._text

    @property
    def schema_default(self) -> str | None:
        """``default_schema``, else the one that the platform always has (SQLite: ``main``)."""
        return self.default_schema or _DEFAULT_SCHEMAS.get(self.platform)

    @property
    def dialect(self) -> sqlglot.Dialect:
        """The SQL dialect to read the statements in."""
        return get_dialect(self.override_dialect or self.platform)

    @staticmethod
    def _check_tables(tables: list[str]) -> None:
        if not tables or any(not name.strip(" .") for name in tables):
            raise ValueError("upstream.tables names no table, or an empty one: name each as schema.table")
        for name in tables:
            if name.startswith("urn:"):
                _check_urn(name, ("dataset",), "upstream.tables", "a dataset URN")


class ChunkingConfig(ConfigModel):
    """How texts are cut before they are embedded."""

    method: str = Field(description="How texts are cut, in the splitter's own word, for example `recursive`.")
    size: int | None = Field(default=None, ge=1, description="Largest size of a chunk, for example `512`.")
    overlap: int | None = Field(
        default=None, ge=0, description="How much neighbouring chunks share, for example `64`."
    )

    @model_validator(mode="after")
    def _smaller(self) -> ChunkingConfig:
        if self.size is not None and self.overlap is not None and self.overlap >= self.size:
            raise ValueError(f"chunking.overlap {self.overlap} is not smaller than chunking.size {self.size}")
        return self


class EmbeddingJobConfig(ConfigModel):
    """One declared embedding job: what it reads, which index it writes, and how."""

    name: str = Field(min_length=1, description="Name of the job, for example `embed-docs`.")
    index: str = Field(
        min_length=1, description="Collection that the job writes, in the store's words, for example `docs`."
    )
    flow: str | None = Field(
        default=None,
        description="Flow (DAG, project) that the job belongs to, for example `knowledge-base`; the job's name"
        " where it stands alone.",
    )
    orchestrator: str | None = Field(
        default=None,
        description="Platform that runs the job, for example `airflow`; `custom` where none is named.",
    )
    job_urn: str | None = Field(
        default=None,
        description="The job itself where the orchestrator's own DataHub plugin owns it, in place of `flow` and"
        " `orchestrator`: it gets inputs and outputs only,"
        " for example `urn:li:dataJob:(urn:li:dataFlow:(airflow,kb,PROD),embed-docs)`.",
    )
    schedule: str | None = Field(default=None, description="When the job runs, for example `@daily`.")
    owners: list[str] = Field(
        default_factory=list,
        description="Owners of the job as URNs of users or groups, for example `['urn:li:corpuser:ada']`.",
    )
    upstream: list[UpstreamConfig] = Field(
        default_factory=list,
        description="What the job reads: one mapping or a list of them,"
        " for example `{platform: postgres, sql: 'select id, body from docs'}`.",
    )
    text_columns: list[str] = Field(
        default_factory=list,
        description="Output columns that make the embedded text: they feed the document and the vector,"
        " for example `[body]`.",
    )
    fields: dict[str, str] = Field(
        default_factory=dict,
        description="Output column -> payload field, where the names differ, for example `{qualified_name: name}`.",
    )
    embedding_model: str | None = Field(
        default=None,
        description="Model that embeds, as provider/model, for example `openai/text-embedding-3-small`.",
    )
    chunking: ChunkingConfig | None = Field(
        default=None,
        description="How texts are cut, for example `{method: recursive, size: 512, overlap: 64}`.",
    )

    @field_validator("upstream", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        return [value] if isinstance(value, dict | UpstreamConfig) else value

    @field_validator("owners")
    @classmethod
    def _owners(cls, owners: list[str]) -> list[str]:
        for owner in owners:
            types = (CorpUserUrn.ENTITY_TYPE, CorpGroupUrn.ENTITY_TYPE)
            _check_urn(owner, types, "owners", "the URN of a user or group, as in urn:li:corpuser:ada")
        return list(dict.fromkeys(owners))

    @field_validator("embedding_model")
    @classmethod
    def _named(cls, model: str | None) -> str | None:
        if model is not None and "" in (part.strip() for part in model.split("/", 1)):
            raise ValueError(f"embedding_model {model!r} lacks a part: write provider/model")
        return model

    @model_validator(mode="after")
    def _one_owner(self) -> EmbeddingJobConfig:
        if self.job_urn is None:
            return self
        _check_urn(self.job_urn, (DataJobUrn.ENTITY_TYPE,), "job_urn", "the URN of a dataJob")
        extra = [name for name in ("flow", "orchestrator", "schedule", "owners") if getattr(self, name)]
        if extra:
            raise ValueError(
                f"embedding job {self.name!r}: job_urn names a job that the orchestrator's plugin describes;"
                f" leave out {', '.join(extra)}"
            )
        return self

    @property
    def flow_name(self) -> str:
        """The flow's name: the job's own where none is given."""
        return self.flow or self.name

    @property
    def orchestrator_name(self) -> str:
        """Platform of the flow."""
        return self.orchestrator or UNKNOWN_ORCHESTRATOR

    @property
    def model(self) -> tuple[str | None, str] | None:
        """Provider and name of the embedding model, split at the first slash; no slash, no provider.

        >>> EmbeddingJobConfig(name="j", index="i", embedding_model="huggingface/BAAI/bge-m3").model
        ('huggingface', 'BAAI/bge-m3')
        """
        if self.embedding_model is None:
            return None
        provider, slash, name = self.embedding_model.partition("/")
        return (provider, name) if slash else (None, self.embedding_model)


def _read(name: str) -> str:
    path = Path(name).expanduser()
    try:
        if path.stat().st_size > 4 * MAX_SQL_LENGTH:
            raise ValueError(
                f"upstream.sql_file {name!r} is too large to be a query; name its tables instead"
            )
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ValueError(
            f"upstream.sql_file {name!r} cannot be read from {Path.cwd()}: {error.strerror or error}"
        ) from error
    except UnicodeDecodeError as error:
        raise ValueError(f"upstream.sql_file {name!r} is not UTF-8 text") from error


def _check_urn(text: str, types: tuple[str, ...], option: str, wanted: str) -> None:
    try:
        urn = Urn.from_string(text)
    except InvalidUrnError as error:
        raise ValueError(f"{option}: {text!r} is not {wanted}") from error
    if urn.entity_type not in types:
        raise ValueError(f"{option}: {text!r} is not {wanted}")
