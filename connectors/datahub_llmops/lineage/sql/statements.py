"""Splits SQL into statements, and parses each into its syntax tree.

Every edit of the text keeps its length, so that positions in messages are those of the text that the user wrote.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import sqlglot
from datahub.sql_parsing.sqlglot_utils import parse_statement
from sqlglot import Token, TokenType, exp
from sqlglot.dialects.snowflake import Snowflake
from sqlglot.dialects.tsql import TSQL
from sqlglot.errors import SqlglotError
from typing_extensions import override

from datahub_llmops.errors import StatementError
from datahub_llmops.lineage.sql.bounds import check_script, check_statement, is_nested
from datahub_llmops.lineage.sql.client import without_client_lines
from datahub_llmops.lineage.sql.parameters import fill_parameters, is_template
from datahub_llmops.lineage.sql.probe import check_parses
from datahub_llmops.lineage.sql.tsql import statement_starts

_LABEL_WORDS: Final = 4
_CURSOR: Final = re.compile(
    r"DECLARE\s+\S+\s+(?:(?:BINARY|INSENSITIVE|ASENSITIVE|NO\s+SCROLL|SCROLL)\s+)*CURSOR\s+"
    r"(?:WITH(?:OUT)?\s+HOLD\s+)?(?:FOR|IS)\s+",
    re.IGNORECASE,
)
_ON_COMMIT: Final = re.compile(
    r"(?<=\s)ON\s+COMMIT\s+(?:DROP|DELETE\s+ROWS|PRESERVE\s+ROWS)(?=\s+AS\s+(?:\(|SELECT|WITH))",
    re.IGNORECASE,
)
"""PostgreSQL has it before the query, where sqlglot does not read it."""
_REPLACE: Final = re.compile(r"REPLACE(\s+INTO\s)", re.IGNORECASE)
_LITERALS: Final = frozenset(
    kind for kind in TokenType if kind.name.endswith("STRING") or kind in (TokenType.NUMBER, TokenType.DOLLAR)
)
_OFFSET: Final = re.compile(r"from \d+:(\d+)")

PARSE_ERRORS: Final = (SqlglotError, ValueError, TypeError, AttributeError, LookupError, RecursionError)
"""Exceptions that sqlglot raises on SQL that it does not understand. They have no common base class of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """SQL as the user wrote it. ``origin`` is what messages call its place."""

    text: str
    origin: str

    def position(self, offset: int) -> str:
        """Say where ``offset`` is."""
        line, column = self.text.count("\n", 0, offset) + 1, offset - self.text.rfind("\n", 0, offset)
        return f"line {line}, column {column} of {self.origin}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One statement of a script. ``label`` names it in warnings, and contains no literal of it."""

    script: Script
    text: str
    label: str
    tokens: tuple[Token, ...]


def split(script: Script, dialect: sqlglot.Dialect, first: int = 1) -> tuple[Statement, ...]:
    """Split a script into statements at its semicolons, or in T-SQL also where a new statement begins.

    ``first`` is the number of the first statement.

    Raises:
        StatementError: the text cannot be split into tokens, or has too many statements.
    """
    text = without_client_lines(script.text, dialect)
    tokens = _tokenize(text, script, dialect)
    starts: frozenset[int] = frozenset()
    if isinstance(dialect, TSQL) and not is_template(tokens):
        starts = statement_starts(text, tokens)
    statements: list[Statement] = []
    pending: list[Token] = []
    for token in (*tokens, None):
        if pending and (token is None or token.token_type is TokenType.SEMICOLON or token.start in starts):
            statements.append(build_statement(script, text, first + len(statements), pending))
            pending = []
        if token is not None and token.token_type is not TokenType.SEMICOLON:
            pending.append(token)
    check_script(statements)
    return tuple(statements)


def build_statement(script: Script, text: str, number: int, tokens: Sequence[Token]) -> Statement:
    """Make a statement of the tokens. ``text`` is the script's text, or an edited one of the same length."""
    words = ""
    for i, token in enumerate(tokens[:_LABEL_WORDS]):
        if token.token_type in _LITERALS:
            break
        # What stands between two tokens may be a comment.
        words += token.text if i == 0 or token.start == tokens[i - 1].end + 1 else f" {token.text}"
    line = tokens[0].line
    place = "" if line == 1 and script.origin.startswith("`") else f" at line {line} of {script.origin}"
    return Statement(
        script=script,
        text=text[tokens[0].start : tokens[-1].end + 1],
        label=f"statement {number} ({words} ...){place}",
        tokens=tuple(tokens),
    )


def parse(statement: Statement, dialect: sqlglot.Dialect) -> exp.Expression:
    """Parse one statement into its syntax tree.

    Raises:
        StatementError: the statement is a template, is too large, or does not parse.
    """
    tokens = statement.tokens
    if is_template(tokens):
        raise StatementError(
            "The statement is a template (Jinja, braces, or variables of a client program). Give the SQL as it runs,"
            " for example the file that dbt compiles, or name its tables instead."
        )
    check_statement(tokens)
    text = fill_parameters(statement.text, tokens, dollars=isinstance(dialect, Snowflake))
    cursor = _CURSOR.match(text)
    text = f"{' ' * cursor.end()}{text[cursor.end() :]}" if cursor else text
    text = _ON_COMMIT.sub(lambda found: " " * len(found[0]), text, count=1)
    text = _REPLACE.sub(r"INSERT \1", text, count=1) if _REPLACE.match(text) else text
    if is_nested(tokens):
        check_parses(text, dialect)
    try:
        with quiet():
            return parse_statement(text, dialect)
    except PARSE_ERRORS as error:
        raise StatementError(
            f"The statement does not parse{_error_position(error, statement)}. Check the syntax there, and that"
            " `platform` or `override_dialect` names the dialect."
        ) from error


@contextmanager
def quiet() -> Iterator[None]:
    """Keep sqlglot from logging the SQL that it does not understand. The caller warns of it without quoting it."""
    loggers = [logging.getLogger("sqlglot"), logging.getLogger("datahub.sql_parsing.sqlglot_lineage")]
    silence = _Silence()
    for logger in loggers:
        logger.addFilter(silence)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(silence)


class _Silence(logging.Filter):
    """Drops the log records of the thread that created the filter."""

    def __init__(self) -> None:
        super().__init__()
        self._thread = threading.get_ident()

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        return record.thread != self._thread


def _tokenize(text: str, script: Script, dialect: sqlglot.Dialect) -> list[Token]:
    try:
        return dialect.tokenize(text)
    except PARSE_ERRORS as error:
        found = _OFFSET.search(str(error.__context__))
        place = f" that begins at {script.position(int(found[1]))}" if found else ""
        raise StatementError(
            f"The SQL cannot be read, because a string, comment or quoted name{place} does not end."
        ) from error


def _error_position(error: BaseException, statement: Statement) -> str:
    """Say where in the script sqlglot stopped."""
    details = getattr(error, "errors", None)
    if not details or not details[0].get("line"):
        return ""
    lines = statement.text.split("\n")[: details[0]["line"] - 1]
    offset = statement.tokens[0].start + sum(len(line) + 1 for line in lines)
    column = max(details[0].get("col", 1) - len(details[0].get("highlight") or " "), 0)
    return f" at {statement.script.position(offset + column)}"
