"""Splits SQL into statements, and parses each into its syntax tree."""

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
from sqlglot.errors import SqlglotError
from typing_extensions import override

from datahub_llmops.errors import StatementError

MAX_TOKENS: Final = 200_000
"""Maximum number of tokens in one statement.

sqlglot takes minutes for more, and its own timeout covers the last of its steps only.
"""

_LABEL_WORDS: Final = 4
_CURSOR: Final = re.compile(
    r"DECLARE\s+\S+\s+(?:(?:BINARY|INSENSITIVE|ASENSITIVE|NO\s+SCROLL|SCROLL)\s+)*CURSOR\s+"
    r"(?:WITH(?:OUT)?\s+HOLD\s+)?(?:FOR|IS)\s+",
    re.IGNORECASE,
)
_REPLACE: Final = re.compile(r"REPLACE(\s+INTO\s)", re.IGNORECASE)
_LITERALS: Final = frozenset(
    kind for kind in TokenType if kind.name.endswith("STRING") or kind in (TokenType.NUMBER, TokenType.DOLLAR)
)

PARSE_ERRORS: Final = (SqlglotError, ValueError, TypeError, AttributeError, LookupError, RecursionError)
"""Exceptions that sqlglot raises on SQL that it does not understand. They have no common base class of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One statement of a script. ``label`` names it in warnings, and contains no literal of it."""

    position: int
    text: str
    label: str
    tokens: tuple[Token, ...]


def split(sql: str, dialect: sqlglot.Dialect) -> tuple[Statement, ...]:
    """Split a script into statements at its semicolons.

    Raises:
        StatementError: the text cannot be split into tokens.
    """
    try:
        tokens = dialect.tokenize(sql)
    except PARSE_ERRORS as error:
        raise StatementError(
            "The SQL cannot be read, because a string, comment or quoted name does not end."
        ) from error
    statements: list[Statement] = []
    pending: list[Token] = []
    for token in (*tokens, None):
        if token is not None and token.token_type is not TokenType.SEMICOLON:
            pending.append(token)
        elif pending:
            statements.append(_build_statement(len(statements) + 1, sql, pending))
            pending = []
    return tuple(statements)


def parse(statement: Statement, dialect: sqlglot.Dialect) -> exp.Expression:
    """Parse one statement into its syntax tree.

    Raises:
        StatementError: the statement is a template, is too large, or does not parse.
    """
    tokens = statement.tokens
    if _is_template(tokens):
        raise StatementError(
            "The statement is a template (Jinja or braces). Give the SQL as it runs, or name its tables instead."
        )
    if len(tokens) > MAX_TOKENS:
        raise StatementError("The statement is too large to be analysed. Name its tables instead.")
    text = _CURSOR.sub("", statement.text, count=1) if _CURSOR.match(statement.text) else statement.text
    text = _REPLACE.sub(r"INSERT\1", text, count=1) if _REPLACE.match(text) else text
    try:
        with quiet():
            return parse_statement(text, dialect)
    except PARSE_ERRORS as error:
        raise StatementError(
            f"The statement does not parse{_error_position(error)}. Check it, and `override_dialect`."
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


def _build_statement(position: int, sql: str, tokens: list[Token]) -> Statement:
    words: list[str] = []
    for token in tokens[:_LABEL_WORDS]:
        if token.token_type in _LITERALS:
            break
        words.append(token.text)
    text = sql[tokens[0].start : tokens[-1].end + 1]
    return Statement(
        position=position,
        text=text,
        label=f"statement {position} ({' '.join(words)} ...)",
        tokens=tuple(tokens),
    )


def _is_template(tokens: Sequence[Token]) -> bool:
    if any(token.token_type in (TokenType.BLOCK_START, TokenType.BLOCK_END) for token in tokens):
        return True
    kinds = [token.token_type for token in tokens]
    for i, kind in enumerate(kinds):
        if kind is not TokenType.L_BRACE:
            continue
        if kinds[i + 1 : i + 2] == [TokenType.L_BRACE] and tokens[i + 1].start == tokens[i].start + 1:
            return True
        if kinds[i + 2 : i + 3] == [TokenType.R_BRACE] and tokens[i + 1].text.isidentifier():
            return True
    return False


def _error_position(error: BaseException) -> str:
    details = getattr(error, "errors", None)
    if details and details[0].get("line"):
        return f" at line {details[0]['line']}, column {details[0].get('col')}"
    return ""
