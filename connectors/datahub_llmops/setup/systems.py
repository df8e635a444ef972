"""The systems that ``init`` writes recipes for: the options of each, and the variables that usually hold them.

A name of a variable is one that the vendor's own client reads, or that recipes of this package use.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

Kind: TypeAlias = Literal["vector store", "prompts", "answers"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One option of a recipe that ``init`` knows how to fill.

    ``name`` is dotted where the option is part of another one. ``label`` is what a question calls it. ``comment`` is
    written behind it.
    """

    name: str
    label: str
    variables: tuple[str, ...] = ()
    """Environment variables that usually hold it, the most usual first."""
    default: str | None = None
    """What it is if nobody says otherwise."""
    is_secret: bool = False
    """A secret is only ever written as the name of a variable."""
    is_optional: bool = False
    is_sign: bool = True
    """Whether a variable of it tells that the system is used."""
    needs: str | None = None
    """Another option without which this one is invalid."""
    excluded_by: str | None = None
    """Another option beside which this one is invalid."""
    comment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """A kind of system, or one of the two ways to read it."""

    key: str
    """What a person types to choose it."""
    title: str
    kind: Kind
    options: tuple[Option, ...]
    type: str = ""
    """The recipe's type behind ``llm-``; the key, if empty."""
    packages: tuple[str, ...] = ()
    """Distributions that applications of this system have installed."""
    always: Mapping[str, str] | None = None
    """Options that its recipes always have."""

    @property
    def name(self) -> str:
        """The recipe's type without ``llm-``."""
        return self.type or self.key

    @property
    def place(self) -> Option:
        """The option that says where it is."""
        return self.options[0]

    def option(self, name: str) -> Option:
        """Return the option of this name."""
        return next(option for option in self.options if option.name == name)


def _address(port: int | None = None, *variables: str, example: str = "") -> Option:
    default = f"http://localhost:{port}" if port else None
    return Option(name="url", label="Address", variables=variables, default=default, comment=example)


def _secret(
    name: str,
    label: str,
    *variables: str,
    comment: str = "",
    needs: str | None = None,
    without: str | None = None,
) -> Option:
    return Option(
        name=name,
        label=label,
        variables=variables,
        is_secret=True,
        is_optional=True,
        needs=needs,
        excluded_by=without,
        comment=comment,
    )


def _needed_secret(name: str, label: str, *variables: str, comment: str = "") -> Option:
    return Option(name=name, label=label, variables=variables, is_secret=True, comment=comment)


def _user(*variables: str, without: str | None = None) -> Option:
    return Option(
        name="username",
        label="User",
        variables=variables,
        is_optional=True,
        is_sign=False,
        needs="password",
        excluded_by=without,
    )


CHROMA_FOLDER: Final = System(
    key="chroma-folder",
    type="chroma",
    title="Chroma folder",
    kind="vector store",
    options=(Option(name="path", label="Folder", default="./chroma"),),
)
CHROMA: Final = System(
    key="chroma",
    title="Chroma server",
    kind="vector store",
    options=(_address(8000, "CHROMA_URL"), _secret("token", "token", "CHROMA_TOKEN")),
    packages=("chromadb", "langchain-chroma", "llama-index-vector-stores-chroma"),
)
CHROMA_CLOUD: Final = System(
    key="chroma-cloud",
    type="chroma",
    title="Chroma Cloud",
    kind="vector store",
    options=(
        Option(name="tenant", label="Tenant", variables=("CHROMA_TENANT",), is_sign=False),
        _needed_secret("token", "API key", "CHROMA_API_KEY"),
    ),
    always={"url": "https://api.trychroma.com", "token_header": "X-Chroma-Token"},
)
LANCEDB: Final = System(
    key="lancedb",
    title="LanceDB folder",
    kind="vector store",
    options=(
        Option(name="path", label="Folder", default="./lancedb", comment="or uri: s3://bucket/lancedb"),
    ),
    packages=("lancedb", "langchain-lancedb", "llama-index-vector-stores-lancedb"),
)
QDRANT: Final = System(
    key="qdrant",
    title="Qdrant",
    kind="vector store",
    options=(
        _address(6333, "QDRANT_URL"),
        _secret("api_key", "API key", "QDRANT_API_KEY", comment="a read-only key is enough"),
    ),
    packages=("qdrant-client", "langchain-qdrant", "llama-index-vector-stores-qdrant"),
)
WEAVIATE: Final = System(
    key="weaviate",
    title="Weaviate",
    kind="vector store",
    options=(
        _address(8080, "WEAVIATE_URL"),
        _secret("api_key", "API key", "WEAVIATE_API_KEY", comment="a read-only role is enough"),
    ),
    packages=("weaviate-client", "langchain-weaviate", "llama-index-vector-stores-weaviate"),
)
MILVUS: Final = System(
    key="milvus",
    title="Milvus",
    kind="vector store",
    options=(
        _address(19530, "MILVUS_URL", "MILVUS_URI"),
        _secret("token", "token", "MILVUS_TOKEN", comment="user:password or an API key"),
    ),
    packages=("pymilvus", "langchain-milvus", "llama-index-vector-stores-milvus"),
)
PGVECTOR: Final = System(
    key="pgvector",
    title="Postgres with pgvector",
    kind="vector store",
    options=(
        Option(name="connection.host", label="Host", variables=("PGHOST",), default="localhost"),
        Option(name="connection.port", label="Port", variables=("PGPORT",), is_optional=True, is_sign=False),
        Option(
            name="connection.user",
            label="User",
            variables=("PGUSER",),
            is_optional=True,
            is_sign=False,
        ),
        _secret("connection.password", "password", "PGVECTOR_PASSWORD", "PGPASSWORD"),
        Option(
            name="connection.dbname",
            label="Database",
            variables=("PGDATABASE",),
            is_optional=True,
            is_sign=False,
            comment="omit to read all databases of the server",
        ),
    ),
    packages=("pgvector", "langchain-postgres", "llama-index-vector-stores-postgres"),
)
PGVECTOR_STRING: Final = System(
    key="pgvector-string",
    type="pgvector",
    title="Postgres with pgvector, by a connection string",
    kind="vector store",
    options=(
        _needed_secret(
            "connection", "connection string", "PGVECTOR_CONNECTION", "PGVECTOR_CONNECTION_STRING"
        ),
    ),
)
PINECONE: Final = System(
    key="pinecone",
    title="Pinecone",
    kind="vector store",
    options=(
        _needed_secret("api_key", "API key", "PINECONE_API_KEY", comment="the role ProjectViewer is enough"),
    ),
    packages=("pinecone", "pinecone-client", "langchain-pinecone"),
)
OPENSEARCH: Final = System(
    key="opensearch",
    title="OpenSearch",
    kind="vector store",
    options=(
        _address(9200, "OPENSEARCH_URL"),
        _user("OPENSEARCH_USERNAME", "OPENSEARCH_USER"),
        _secret("password", "password", "OPENSEARCH_PASSWORD", needs="username"),
    ),
    packages=("opensearch-py", "llama-index-vector-stores-opensearch"),
)
ELASTICSEARCH: Final = System(
    key="elasticsearch",
    title="Elasticsearch",
    kind="vector store",
    options=(
        _address(9200, "ELASTICSEARCH_URL", "ES_URL", "ELASTIC_URL"),
        _secret("api_key", "API key", "ELASTICSEARCH_API_KEY", "ES_API_KEY", "ELASTIC_API_KEY"),
        _user("ELASTICSEARCH_USERNAME", "ES_USERNAME", "ELASTIC_USERNAME", without="api_key"),
        _secret(
            "password",
            "password",
            *("ELASTICSEARCH_PASSWORD", "ES_PASSWORD", "ELASTIC_PASSWORD"),
            needs="username",
            without="api_key",
        ),
    ),
    packages=("elasticsearch", "langchain-elasticsearch", "llama-index-vector-stores-elasticsearch"),
)
LANGFUSE: Final = System(
    key="langfuse",
    title="Langfuse",
    kind="prompts",
    options=(
        Option(
            name="url",
            label="Address",
            variables=("LANGFUSE_HOST", "LANGFUSE_BASE_URL"),
            default="https://cloud.langfuse.com",
        ),
        _needed_secret("public_key", "public key", "LANGFUSE_PUBLIC_KEY", comment="of the project"),
        _needed_secret("secret_key", "secret key", "LANGFUSE_SECRET_KEY"),
    ),
    packages=("langfuse",),
)
LANGSMITH: Final = System(
    key="langsmith",
    title="LangSmith",
    kind="prompts",
    options=(
        Option(
            name="url",
            label="Address",
            variables=("LANGSMITH_ENDPOINT", "LANGCHAIN_ENDPOINT"),
            default="https://api.smith.langchain.com",
        ),
        _needed_secret("api_key", "API key", "LANGSMITH_API_KEY", "LANGCHAIN_API_KEY"),
        Option(
            name="workspace_id",
            label="Id of the workspace",
            variables=("LANGSMITH_WORKSPACE_ID",),
            is_optional=True,
            is_sign=False,
        ),
    ),
)
PHOENIX: Final = System(
    key="phoenix",
    title="Phoenix",
    kind="prompts",
    options=(
        _address(6006, "PHOENIX_COLLECTOR_ENDPOINT", "PHOENIX_BASE_URL"),
        _secret("api_key", "API key", "PHOENIX_API_KEY", comment="the role viewer is enough"),
    ),
    packages=("arize-phoenix", "arize-phoenix-client", "arize-phoenix-otel"),
)
WEAVE: Final = System(
    key="weave",
    title="Weave",
    kind="prompts",
    options=(
        Option(name="project", label="Project, as entity/project", comment="entity/project"),
        _needed_secret("api_key", "API key", "WANDB_API_KEY"),
        Option(
            name="url",
            label="Address",
            variables=("WF_TRACE_SERVER_URL",),
            default="https://trace.wandb.ai",
            is_sign=False,
        ),
    ),
    packages=("weave",),
)
MLFLOW: Final = System(
    key="mlflow",
    title="MLflow",
    kind="prompts",
    options=(
        _address(5000, "MLFLOW_TRACKING_URI"),
        _user("MLFLOW_TRACKING_USERNAME"),
        _secret("password", "password", "MLFLOW_TRACKING_PASSWORD", needs="username"),
        _secret("token", "token", "MLFLOW_TRACKING_TOKEN", without="password"),
    ),
    packages=("mlflow", "mlflow-skinny"),
)
PROMPT_FILES: Final = System(
    key="prompt-files",
    title="Prompt files",
    kind="prompts",
    options=(Option(name="path", label="Folder", default="./prompts"),),
)
RUNS: Final = System(
    key="runs",
    title="Answers that the hooks recorded",
    kind="answers",
    options=(Option(name="store", label="File"),),
)
SPANS: Final = System(
    key="spans",
    title="Spans in files",
    kind="answers",
    options=(Option(name="files", label="Folder or pattern", default="./spans"),),
)
CLICKHOUSE: Final = System(
    key="spans-clickhouse",
    type="spans",
    title="Spans in ClickHouse",
    kind="answers",
    options=(
        Option(
            name="clickhouse.url",
            label="Address",
            variables=("CLICKHOUSE_URL",),
            default="http://localhost:8123",
        ),
        # Most ClickHouse servers hold other things than spans: somebody has to say where these are.
        Option(
            name="clickhouse.database",
            label="Database that the Collector writes to",
            variables=("CLICKHOUSE_DATABASE",),
            is_sign=False,
            comment="as in the Collector's clickhouseexporter",
        ),
        Option(
            name="clickhouse.user",
            label="User",
            variables=("CLICKHOUSE_USER",),
            is_optional=True,
            is_sign=False,
            comment="needs SELECT on otel_traces, nothing more",
        ),
        Option(
            name="clickhouse.password",
            label="password",
            variables=("CLICKHOUSE_PASSWORD",),
            is_secret=True,
            is_optional=True,
            is_sign=False,
        ),
    ),
)

SYSTEMS: Final = (
    *(
        CHROMA_FOLDER,
        CHROMA,
        CHROMA_CLOUD,
        ELASTICSEARCH,
        LANCEDB,
        MILVUS,
        OPENSEARCH,
        PGVECTOR,
        PGVECTOR_STRING,
    ),
    *(
        PINECONE,
        QDRANT,
        WEAVIATE,
        LANGFUSE,
        LANGSMITH,
        MLFLOW,
        PHOENIX,
        PROMPT_FILES,
        WEAVE,
        RUNS,
        SPANS,
        CLICKHOUSE,
    ),
)
"""In the order in which their recipes should run: stores, prompts, and then the answers that refer to both."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A system that was found or named, as far as it is known.

    ``values`` are texts of a recipe by the names of options: literal ones, or ``${NAME}``. ``found`` says how it was
    found.
    """

    system: System
    values: Mapping[str, str]
    found: str
    asks_for_login: bool = False
    """Whether its server refuses to say anything without a login."""

    @property
    def place(self) -> str:
        """Where it is, as in its recipe."""
        return self.values.get(self.system.place.name) or (self.system.always or {}).get("url", "")

    @property
    def missing(self) -> tuple[Option, ...]:
        """The options that its recipe needs and nobody gave."""
        return tuple(
            option
            for option in self.system.options
            if not option.is_optional and option.name not in self.values
        )


def valid_together(system: System, values: Mapping[str, str]) -> dict[str, str]:
    """Return the options that one recipe may have, in the order of the system's.

    >>> list(valid_together(MLFLOW, {"token": "${T}", "password": "${P}"}))
    ['token']
    """
    whole = {
        option.name: values[option.name]
        for option in system.options
        if option.name in values and (option.needs is None or option.needs in values)
    }
    return {name: text for name, text in whole.items() if system.option(name).excluded_by not in whole}


def variable(name: str) -> str:
    """Return the text of a recipe that stands for the value of a variable."""
    return f"${{{name}}}"


def literal(text: str) -> str:
    r"""Return the text of a recipe that stands for ``text`` itself.

    DataHub replaces variables in texts with ``${...}`` in them only, and backslashes are taken as escapes there.

    >>> print(literal("./a$b"), literal("./${a}"))
    ./a$b ./\${a}
    """
    if "${" not in text:
        return text
    return text.replace("\\", "\\\\").replace("$", "\\$")
