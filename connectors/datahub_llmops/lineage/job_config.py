"""Options of declared embedding jobs. They are the same for every store."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any, Final

import sqlglot
from datahub.configuration.common import ConfigModel
from datahub.emitter.mce_builder import ALL_ENV_TYPES
from datahub.metadata.urns import CorpGroupUrn, CorpUserUrn, DataJobUrn, Urn
from datahub.sql_parsing.sqlglot_utils import get_dialect
from datahub.utilities.urns.error import InvalidUrnError
from pydantic import Field, PrivateAttr, field_validator, model_validator

from datahub_llmops.lineage.sql_file import MAX_SQL_LENGTH, read_sql_file, without_marks
from datahub_llmops.lineage.warning import UNRESOLVED, Kind
from datahub_llmops.urns import UNKNOWN_PLATFORM

_DEFAULT_SCHEMAS: Final = {"sqlite": "main"}


class UpstreamConfig(ConfigModel):
    """What a job reads: SQL over one platform, or tables of it."""

    platform: str = Field(
        description="Platform of the tables, by its name in DataHub, for example `postgres`."
    )
    env: str = Field(
        default="PROD", description="Environment of the tables in the catalog, for example `PROD`."
    )
    platform_instance: str | None = Field(
        default=None, description="Platform instance of the tables in the catalog, for example `eu-west`."
    )
    default_db: str | None = Field(
        default=None, description="Database of tables whose name has none, for example `shop`."
    )
    default_schema: str | None = Field(
        default=None, description="Schema of tables whose name has none, for example `public`."
    )
    override_dialect: str | None = Field(
        default=None,
        description="SQL dialect, by its name in sqlglot, if it is not the platform's own, for example `trino`.",
    )
    convert_urns_to_lowercase: bool = Field(
        default=False,
        description="Whether the names of tables that are not in the catalog are written in lower case. Set it as in"
        " the recipe of the warehouse, which has the same option; for example `true`.",
    )
    sql: str | None = Field(
        default=None,
        description="Query whose result the job embeds, for example `select id, body from docs`.",
    )
    sql_file: str | None = Field(
        default=None,
        description="File that holds the query, relative to the working directory, for example `embed.sql`.",
    )
    tables: list[str] | None = Field(
        default=None,
        description="Tables that the job reads, as names or dataset URNs, if you cannot give its SQL;"
        " for example `[main.entry_docs]`.",
    )
    _text: str | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _check_upstream(self) -> UpstreamConfig:
        given = [name for name in ("sql", "sql_file", "tables") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(
                "upstream takes exactly one of sql, sql_file and tables;"
                f" it has {' and '.join(given) if given else 'none of them'}"
            )
        if self.env not in ALL_ENV_TYPES:
            raise ValueError(
                f"upstream.env {self.env!r} is not an environment of DataHub, such as PROD or DEV"
            )
        if self.tables is not None:
            self._check_tables(self.tables)
            return self
        self._text = without_marks(self.sql if self.sql is not None else read_sql_file(self.sql_file or ""))
        if len(self._text) > MAX_SQL_LENGTH:
            raise ValueError(
                f"upstream: the SQL has more than {MAX_SQL_LENGTH} characters; name its tables instead"
            )
        try:
            get_dialect(self.override_dialect or self.platform)
        except ValueError as error:
            raise ValueError(
                f"upstream: sqlglot has no dialect {self.override_dialect or self.platform!r};"
                " set override_dialect to the closest one, for example postgres"
            ) from error
        return self

    @property
    def text(self) -> str | None:
        """The SQL as given or as read from ``sql_file``, or ``None`` if the options name tables."""
        return self._text

    @property
    def text_origin(self) -> str:
        """What messages call the place of the SQL: its file, or the option that holds it."""
        return self.sql_file if self.sql_file is not None else "`sql`"

    @property
    def schema_default(self) -> str | None:
        """``default_schema``, or the platform's fixed one if it is not set (SQLite: ``main``)."""
        return self.default_schema or _DEFAULT_SCHEMAS.get(self.platform)

    @property
    def dialect(self) -> sqlglot.Dialect:
        """The SQL dialect in which the statements, or the names of ``tables``, are written."""
        try:
            return get_dialect(self.override_dialect or self.platform)
        except ValueError:
            # Statements without a dialect are refused above. Datasets of any platform may be listed, as of S3.
            return sqlglot.Dialect()

    @staticmethod
    def _check_tables(tables: list[str]) -> None:
        if not tables or any(not name.strip(" .") for name in tables):
            raise ValueError(
                "upstream.tables is empty or has an empty name: write each table as schema.table"
            )
        for name in tables:
            if name.startswith("urn:"):
                _check_urn(name, ("dataset",), "upstream.tables", "a dataset URN")


class ChunkingConfig(ConfigModel):
    """How a job splits texts into chunks."""

    method: str = Field(description="Name of the splitting method, for example `recursive`.")
    size: int | None = Field(default=None, ge=1, description="Maximum size of a chunk, for example `512`.")
    overlap: int | None = Field(
        default=None,
        ge=0,
        description="Overlap of neighbouring chunks, in the unit of `size`, for example `64`.",
    )

    @model_validator(mode="after")
    def _check_overlap(self) -> ChunkingConfig:
        if self.size is not None and self.overlap is not None and self.overlap >= self.size:
            raise ValueError(f"chunking.overlap {self.overlap} is not smaller than chunking.size {self.size}")
        return self


class EmbeddingJobConfig(ConfigModel):
    """One declared embedding job: what it reads, which collection it writes, and how."""

    name: str = Field(min_length=1, description="Name of the job, for example `embed-docs`.")
    index: str = Field(
        min_length=1,
        description="Collection that the job writes, by its name in the store, for example `docs`.",
    )
    flow: str | None = Field(
        default=None,
        description="Flow (DAG, project) that the job belongs to, for example `knowledge-base`. By default a flow with"
        " the name of the job.",
    )
    orchestrator: str | None = Field(
        default=None,
        description="Platform that runs the job, for example `airflow`. By default `custom`.",
    )
    job_urn: str | None = Field(
        default=None,
        description="URN of the job if the orchestrator's own DataHub plugin describes it. It replaces `flow` and"
        " `orchestrator`, and the job gets only inputs and outputs;"
        " for example `urn:li:dataJob:(urn:li:dataFlow:(airflow,kb,PROD),embed-docs)`.",
    )
    schedule: str | None = Field(default=None, description="When the job runs, for example `@daily`.")
    owners: list[str] = Field(
        default_factory=list,
        description="Owners of the job, as URNs of users or groups, for example `['urn:li:corpuser:ada']`.",
    )
    upstream: list[UpstreamConfig] = Field(
        default_factory=list,
        description="What the job reads, as one mapping or a list of them,"
        " for example `{platform: postgres, sql: 'select id, body from docs'}`.",
    )
    text_columns: list[str] = Field(
        default_factory=list,
        description="Output columns that form the embedded text. They feed the text and the vector of the collection;"
        " for example `[body]`.",
    )
    fields: dict[str, str] = Field(
        default_factory=dict,
        description="Mapping of output columns to payload fields with another name, for example"
        " `{qualified_name: name}`.",
    )
    embedding_model: str | None = Field(
        default=None,
        description="Embedding model, as provider/model, for example `openai/text-embedding-3-small`.",
    )
    chunking: ChunkingConfig | None = Field(
        default=None,
        description="How the job splits texts, for example `{method: recursive, size: 512, overlap: 64}`.",
    )
    key_field: str | None = Field(
        default=None,
        min_length=1,
        description="Payload field with the key of the row that a chunk comes from, for example `review_id`. Runs count"
        " how many different keys there are. By default `dh_source_key`, which the hooks stamp.",
    )
    chunks_per_row: int | None = Field(
        default=None,
        ge=1,
        description="Number of chunks that the job makes of each row, if it is always the same, for example `1`.",
    )
    change_column: str | None = Field(
        default=None,
        min_length=1,
        description="Column with the time of each row's last change, in the tables that the job reads, for example"
        " `updated_at`. The check `fresh` compares its largest value, which profiling of the tables finds.",
    )
    accept: list[Kind] = Field(
        default_factory=list,
        description="Kinds of gaps in the lineage of the job that you accept, for example `[unknown_table]`. A gap"
        " that is not accepted fails the run, and nothing of the job is written.",
    )

    @field_validator("accept", mode="before")
    @classmethod
    def _check_accept(cls, kinds: Any) -> Any:
        for kind in kinds if isinstance(kinds, list) else [kinds]:
            if kind not in UNRESOLVED:
                near = get_close_matches(str(kind), UNRESOLVED, n=1)
                raise ValueError(
                    f"accept: {kind!r} is not a kind of gap"
                    f"{f'; did you mean {near[0]}' if near else ''}. The kinds are {', '.join(sorted(UNRESOLVED))}"
                )
        return kinds

    @field_validator("upstream", mode="before")
    @classmethod
    def _wrap_upstream(cls, value: Any) -> Any:
        return [value] if isinstance(value, dict | UpstreamConfig) else value

    @field_validator("owners")
    @classmethod
    def _check_owners(cls, owners: list[str]) -> list[str]:
        for owner in owners:
            types = (CorpUserUrn.ENTITY_TYPE, CorpGroupUrn.ENTITY_TYPE)
            _check_urn(owner, types, "owners", "the URN of a user or group, as in urn:li:corpuser:ada")
        return list(dict.fromkeys(owners))

    @field_validator("embedding_model")
    @classmethod
    def _check_model(cls, model: str | None) -> str | None:
        if model is not None and "" in (part.strip() for part in model.split("/", 1)):
            raise ValueError(f"embedding_model {model!r} is incomplete: write provider/model")
        return model

    @model_validator(mode="after")
    def _check_job_urn(self) -> EmbeddingJobConfig:
        if self.job_urn is None:
            return self
        _check_urn(self.job_urn, (DataJobUrn.ENTITY_TYPE,), "job_urn", "the URN of a dataJob")
        extra = [name for name in ("flow", "orchestrator", "schedule", "owners") if getattr(self, name)]
        if extra:
            raise ValueError(
                f"embedding job {self.name!r}: job_urn names a job that the orchestrator's plugin describes;"
                f" remove {', '.join(extra)}"
            )
        return self

    @property
    def statements(self) -> tuple[str, ...]:
        """The SQL of the job as declared, without white space around it."""
        return tuple(upstream.text.strip() for upstream in self.upstream if upstream.text is not None)

    @property
    def flow_name(self) -> str:
        """Name of the flow. By default it is the job's name."""
        return self.flow or self.name

    @property
    def orchestrator_name(self) -> str:
        """Platform of the flow."""
        return self.orchestrator or UNKNOWN_PLATFORM

    @property
    def model(self) -> tuple[str | None, str] | None:
        """Provider and name of the embedding model, split at the first slash. Without a slash there is no provider.

        >>> EmbeddingJobConfig(name="j", index="i", embedding_model="huggingface/BAAI/bge-m3").model
        ('huggingface', 'BAAI/bge-m3')
        """
        if self.embedding_model is None:
            return None
        provider, slash, name = self.embedding_model.partition("/")
        return (provider, name) if slash else (None, self.embedding_model)


def _check_urn(text: str, types: tuple[str, ...], option: str, wanted: str) -> None:
    try:
        urn = Urn.from_string(text)
    except InvalidUrnError as error:
        raise ValueError(f"{option}: {text!r} is not {wanted}") from error
    if urn.entity_type not in types:
        raise ValueError(f"{option}: {text!r} is not {wanted}")
