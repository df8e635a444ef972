"""`llm-pgvector`: tables of Postgres that hold vectors, on the datasets that DataHub's `postgres` source writes.

https://github.com/pgvector/pgvector
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, Literal, Self

from datahub.configuration.common import AllowDenyPattern, ConfigModel, TransparentSecretStr
from datahub.ingestion.api.decorators import (
    SourceCapability,
    SupportStatus,
    capability,
    config_class,
    platform_name,
    support_status,
)
from datahub.metadata.schema_classes import ContainerClass, DatasetLineageTypeClass, UpstreamClass
from datahub.specific.dataset import DatasetPatchBuilder
from pydantic import ConfigDict, Field, model_validator
from typing_extensions import override

from datahub_llmops import urns
from datahub_llmops.assets.collections import Collection, Name
from datahub_llmops.assets.extras import not_installed
from datahub_llmops.ingestion.capabilities import Fact, always
from datahub_llmops.ingestion.emitter import Emission, RunEmitter, emit
from datahub_llmops.ingestion.parts import SourcePart
from datahub_llmops.ingestion.reader import StoreReader
from datahub_llmops.ingestion.vector_store import VectorStoreConfig, VectorStoreSource
from datahub_llmops.lineage.patterns import is_allowed
from datahub_llmops.lineage.schema_lookup import SchemaLookup
from datahub_llmops.mapping.collections import PlacedCollection
from datahub_llmops.mapping.edge_properties import key_proposal
from datahub_llmops.mapping.proposals import propose

_NO_LIBPQ: Final = (
    "connection is not a libpq connection string: write postgresql://user@host:5432/database with special "
    "characters percent-encoded, or a mapping with host, port, user, password and dbname"
)


class ConnectionParts(ConfigModel):
    """The parts of a connection, under libpq's names."""

    model_config = ConfigDict(hide_input_in_errors=True)

    host: str | None = Field(
        default=None, description="Host, or folder of a socket, for example `db.example`."
    )
    port: int | None = Field(default=None, description="Port, for example `5432`.")
    user: str | None = Field(default=None, description="User, for example `datahub`.")
    password: TransparentSecretStr | None = Field(
        default=None, description="Password, for example `${PGVECTOR_PASSWORD}`."
    )
    dbname: str | None = Field(default=None, description="Database, for example `kb`.")
    sslmode: Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"] | None = Field(
        default=None, description="How TLS is used, for example `verify-full`."
    )
    sslrootcert: str | None = Field(
        default=None, description="File with the trusted certificates, for example `/etc/ssl/ca.pem`."
    )
    sslcert: str | None = Field(
        default=None, description="File with the client's certificate, for example `client.crt`."
    )
    sslkey: str | None = Field(
        default=None, description="File with the client's key, for example `client.key`."
    )
    passfile: str | None = Field(default=None, description="File with passwords, for example `~/.pgpass`.")
    target_session_attrs: str | None = Field(
        default=None, description="Which of several hosts to use, for example `prefer-standby`."
    )


class PgvectorConfig(VectorStoreConfig):
    """Recipe options of `llm-pgvector`."""

    # The connection contains a password, and DataHub shows the input of errors when it runs in debug mode.
    model_config = ConfigDict(hide_input_in_errors=True)

    connection: TransparentSecretStr | ConnectionParts = Field(
        description="The server: a libpq connection string or URI, or its parts as a mapping, for example "
        "`{host: db.example, user: datahub, password: '${PGVECTOR_PASSWORD}'}`.",
    )
    database: str | None = Field(
        default=None,
        description="Database to read, for example `kb`. Default: the database of the connection, or all databases.",
    )
    database_pattern: AllowDenyPattern = Field(
        default_factory=AllowDenyPattern.allow_all,
        description="Databases to read if no database is named, for example `{deny: ['test_.*']}`.",
    )
    schema_pattern: AllowDenyPattern = Field(
        default_factory=AllowDenyPattern.allow_all,
        description="Schemas to read, for example `{allow: ['public']}`.",
    )
    table_pattern: AllowDenyPattern = Field(
        default_factory=AllowDenyPattern.allow_all,
        description="Tables to read, as `database.schema.table` like in DataHub's `postgres` source, for example "
        "`{allow: ['kb\\.public\\..*']}`.",
    )
    collection_pattern: AllowDenyPattern = Field(
        default_factory=AllowDenyPattern.allow_all,
        description="Collections to read in the table that LangChain's PGVector shares among them, for example "
        "`{deny: ['test_.*']}`.",
    )
    sample_rows: int = Field(
        default=10_000,
        ge=0,
        description="Number of rows of a table to read for provenance without server statistics, mostly keys of JSON "
        "columns, for example `10000`; `0` reads no rows.",
    )
    scan_pattern: AllowDenyPattern = Field(
        default_factory=lambda: AllowDenyPattern(allow=[], deny=[".*"]),
        description="Tables that may be read completely to count rows and provenance exactly, as "
        "`database.schema.table`, for example `{allow: ['kb\\.public\\.docs']}`. Default: none.",
    )
    timeout_sec: float = Field(
        default=30.0,
        gt=0,
        description="Seconds for one statement, and for opening a connection, for example `30`.",
    )

    @model_validator(mode="after")
    def _connects(self) -> Self:
        try:
            parameters = self.parameters()
        except ImportError:
            # Opening it says what to install.
            return self
        if "@" in parameters.get("host", ""):
            raise ValueError("the password in connection has an @: write it as %40, or use a mapping")
        return self

    def parameters(self) -> dict[str, str]:
        """Parameters of the connection, under libpq's names.

        Raises:
            ValueError: it is a text that libpq cannot parse.
            ImportError: it is a text, and the package that parses it is not installed.
        """
        if isinstance(self.connection, ConnectionParts):
            given = self.connection.model_dump(exclude_none=True)
            if self.connection.password is not None:
                given["password"] = self.connection.password.get_secret_value()
            return {key: str(value) for key, value in given.items()}
        import psycopg
        from psycopg.conninfo import conninfo_to_dict

        try:
            given = conninfo_to_dict(self.connection.get_secret_value())
        except psycopg.Error:
            # The message of psycopg quotes the text that it cannot parse, which may be the password.
            raise ValueError(_NO_LIBPQ) from None
        return {key: str(value) for key, value in given.items() if value is not None}


@platform_name("pgvector", id="pgvector")
@config_class(PgvectorConfig)
@support_status(SupportStatus.ALPHA)
@capability(
    SourceCapability.DELETION_DETECTION,
    "By stateful ingestion: facts of dropped columns, collections of LangChain; tables are the `postgres` source's",
)
@capability(SourceCapability.SCHEMA_METADATA, "Left to DataHub's `postgres` source", supported=False)
class PgvectorSource(VectorStoreSource[PgvectorConfig]):
    """Reads vector tables of Postgres."""

    platform: ClassVar[str] = "postgres"
    config_type: ClassVar[type[PgvectorConfig]] = PgvectorConfig
    declares: ClassVar[Mapping[Fact, str]] = {
        **always(
            "dimension", "index type", "index parameters", "element type", "quantization", "several vectors"
        ),
        **always("sparse vectors", "multivectors", "size", "partitions"),
        "metric": "if there is an index",
        "embedding model": "if a comment names one",
        "payload fields": "columns, and JSON keys from a sample",
        "text field": "recognised by the layouts of LangChain and LlamaIndex",
        "count": "if `scan_pattern` names the table, or the sample covered all of it",
        "estimated count": "from the planner",
        "description": "the comment",
        "sources of chunks": "from statistics, otherwise a sample; complete if `scan_pattern` names the table",
    }
    # Tables and the collections within one are filtered by their whole name: see ``allowed``.
    name_filters: ClassVar[tuple[str, ...]] = ("database_pattern", "schema_pattern")

    @classmethod
    @override
    def open(cls, config: PgvectorConfig) -> StoreReader:
        try:
            # Imported here because only pgvector needs it.
            from datahub_llmops.vector_stores.pgvector.client import Connections
            from datahub_llmops.vector_stores.pgvector.reader import INITIAL_DATABASE, PgvectorReader
        except ImportError as error:
            raise not_installed("pgvector", "pgvector", error) from error
        parameters = config.parameters()
        connections = Connections(parameters, timeout=config.timeout_sec)
        # Finds a wrong address or password before anything is listed.
        connections.check(config.database or parameters.get("dbname") or INITIAL_DATABASE)
        return PgvectorReader(
            connections,
            database=config.database or parameters.get("dbname"),
            provenance_fields=config.counted_fields,
            sample_rows=min(config.sample_rows, config.provenance.max_rows),
            max_values=config.provenance.max_values,
            scan=config.scan_pattern.allowed,
        )

    @override
    def is_shared(self, name: Name) -> bool:
        """Whether it is a table, which the `postgres` source describes. Collections in LangChain's table are ours."""
        return len(name) == 3

    @override
    def build_parts(self) -> Sequence[SourcePart[Collection]]:
        return (*super().build_parts(), _TableViews(self.emitter, self.lookup))

    @override
    def allowed(self, name: Name) -> bool:
        return (
            super().allowed(name)
            and (len(name) < 3 or is_allowed(self.config.table_pattern, ".".join(name[:3])))
            and (len(name) < 4 or is_allowed(self.config.collection_pattern, name[3]))
        )


@dataclass(slots=True)
class _TableViews(SourcePart[Collection]):
    """Ties a collection of LangChain to the table that it is a view of, and puts it where that lies."""

    emitter: RunEmitter
    lookup: SchemaLookup

    @override
    def emissions(self, placed: PlacedCollection) -> Iterator[Emission]:
        if placed.shared:
            return
        table = urns.collection(placed.deployment, placed.name[:3])
        patch = DatasetPatchBuilder(placed.urn)
        patch.add_upstream_lineage(UpstreamClass(dataset=table, type=DatasetLineageTypeClass.VIEW))
        yield from emit(patch.build())
        if schema := self.emitter.read_aspect(table, "container").get("container"):
            yield Emission(propose(placed.urn, ContainerClass(container=schema)))
        if not self.lookup.schemas(table):
            yield Emission(key_proposal(table), primary=False)
