"""Statements that change what the names behind them mean: USE, SET SCHEMA, SET search_path and their relatives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlglot import Token, TokenType

from datahub_llmops.errors import StatementError
from datahub_llmops.lineage.sql.without_data import leading_words

_DATABASES: Final = frozenset({"CATALOG", "DATABASE"})
_SCHEMAS: Final = frozenset({"NAMESPACE", "SCHEMA"})

_NO_NAMESPACES: Final = frozenset({"ROLE", "SECONDARY", "WAREHOUSE"})

_USE_SCHEMA: Final = frozenset({"databricks", "presto", "trino"})
"""Platforms on which ``USE x`` chooses a schema. On others it chooses a database."""

_UNCLEAR: Final = frozenset({"duckdb"})
"""Platforms on which ``USE x`` may choose either."""

_SCHEMA_OF_NEW_DATABASE: Final = {"snowflake": "public"}
"""https://docs.snowflake.com/en/sql-reference/sql/use-database"""

_IMPLICIT: Final = frozenset({"$user", "pg_catalog", "pg_temp"})
"""Entries of Postgres' ``search_path`` that hold no tables of users, or of one user only."""

_VARIABLES: Final = frozenset(
    {"SEARCH_PATH", "SCHEMA", "CURRENT_SCHEMA", "CURRENT", "DATASET_ID", "DATASET_PROJECT_ID"}
)
_SCOPES: Final = frozenset({"SESSION", "LOCAL", "GLOBAL"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Namespace:
    """Database and schema of names that have none. ``None`` means that a statement does not change it."""

    db: str | None = None
    schema: str | None = None


def chosen_namespace(tokens: Sequence[Token], platform: str) -> Namespace | None:
    """Return the namespace that a statement chooses, or ``None`` if it does something else.

    Raises:
        StatementError: what the names mean afterwards is not known.
    """
    first, second, third = leading_words(tokens, 3)
    if first == "USE" and second not in _NO_NAMESPACES:
        return _use(tokens, second, platform)
    if first == "DATABASE":  # Teradata
        return Namespace(schema=_single(_names(tokens[1:])))
    if first == "ALTER" and second == "SESSION" and third == "SET":
        return _set(tokens[3:])
    if first == "SET":
        return _set(tokens[2:] if second in _SCOPES else tokens[1:])
    return None


def _use(tokens: Sequence[Token], kind: str, platform: str) -> Namespace:
    names = _names(tokens[2:] if kind in _DATABASES | _SCHEMAS else tokens[1:])
    if len(names) == len(("database", "schema")):
        return Namespace(db=names[0], schema=names[1])
    name = _single(names)
    if platform in _UNCLEAR:
        raise _unknown()
    if kind in _SCHEMAS or (kind not in _DATABASES and platform in _USE_SCHEMA):
        return Namespace(schema=name)
    return Namespace(db=name, schema=_SCHEMA_OF_NEW_DATABASE.get(platform))


def _set(tokens: Sequence[Token]) -> Namespace | None:
    while tokens and tokens[0].text == "@":
        tokens = tokens[1:]
    variable, second, _ = leading_words(tokens, 3)
    if variable not in _VARIABLES or (variable == "CURRENT" and second != "SCHEMA"):
        return None
    values = [
        token
        for token in tokens[2 if variable == "CURRENT" else 1 :]
        if token.text.upper() not in ("TO", "=")
    ]
    names = [name for name in _names(values) if name.lower() not in _IMPLICIT]
    if variable == "DATASET_PROJECT_ID":
        return Namespace(db=_single(names))
    return Namespace(schema=_single(names))


def _names(tokens: Sequence[Token]) -> list[str]:
    return [token.text for token in tokens if token.token_type not in (TokenType.DOT, TokenType.COMMA)]


def _single(names: Sequence[str]) -> str:
    if len(names) != 1 or not names[0]:
        raise _unknown()
    return names[0]


def _unknown() -> StatementError:
    return StatementError(
        "The statement changes what the names of tables mean, and it is not clear how. Write the names of the tables"
        " in full, or remove the statement and set `default_db` and `default_schema`."
    )
