"""Bounds on the SQL that reaches the parser.

sqlglot's parser is compiled and calls itself for what is nested. Deep nesting overflows the stack and kills the
process, which no exception handler can prevent. Some chains of operators take time that grows with their square.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from sqlglot import Token, TokenType

from datahub_llmops.errors import StatementError

MAX_STATEMENTS: Final = 5_000
"""Maximum number of statements in one script."""

MAX_TOKENS: Final = 200_000
"""Maximum number of tokens in one statement."""

MAX_DEPTH: Final = 100
"""How deep brackets, CASE and words that take what follows them may be nested. People write some ten levels."""

SAFE_DEPTH: Final = 12
"""How deep a statement may be nested that every parser reads within a second."""

MAX_CHAIN: Final = 1_000
"""How often a suffix such as ``[1]`` or ``::int`` may follow another one."""

MAX_JOINS: Final = 1_000
"""Maximum number of joins in one statement. The parser nests those that have no condition yet."""

_OPEN: Final = frozenset({TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.L_BRACE, TokenType.CASE})
_CLOSE: Final = frozenset({TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.R_BRACE})
_VALUES: Final = frozenset(
    {TokenType.VAR, TokenType.IDENTIFIER, TokenType.NUMBER, TokenType.STRING, TokenType.STAR}
)
_JOINS: Final = frozenset({TokenType.JOIN, TokenType.STRAIGHT_JOIN})
_SUFFIXES: Final = frozenset({TokenType.L_BRACKET, TokenType.DCOLON, TokenType.DOT, TokenType.COLON})


def check_script(statements: Sequence[object]) -> None:
    """Check the number of statements.

    Raises:
        StatementError: there are too many.
    """
    if len(statements) > MAX_STATEMENTS:
        raise StatementError(
            f"The SQL has more than {MAX_STATEMENTS} statements, so it was not read. Give the statements that fill the"
            " collection, or name its tables instead."
        )


def check_statement(tokens: Sequence[Token]) -> None:
    """Check the size of one statement, before it is parsed.

    Raises:
        StatementError: the statement is too large, or nested too deeply.
    """
    if len(tokens) > MAX_TOKENS:
        raise StatementError("The statement is too large to be analysed. Name its tables instead.")
    if _depth(tokens) > MAX_DEPTH:
        raise StatementError(
            f"The statement is nested more than {MAX_DEPTH} levels deep, so it was not read. Name its tables instead."
        )
    if sum(token.token_type in _JOINS for token in tokens) > MAX_JOINS:
        raise StatementError(
            f"The statement has more than {MAX_JOINS} joins, so it was not read. Name its tables instead."
        )
    if _chain(tokens) > MAX_CHAIN:
        raise StatementError(
            f"A value in the statement has more than {MAX_CHAIN} suffixes, so it was not read. Name its tables instead."
        )


def is_nested(tokens: Sequence[Token]) -> bool:
    """Return whether a statement is nested so deeply that its parser may not come to an end in time."""
    return _depth(tokens, runs=False) > SAFE_DEPTH


def _depth(tokens: Sequence[Token], *, runs: bool = True) -> int:
    """The depth of brackets and CASE, or the longest run of words and operators without a value between them."""
    deepest = level = run = cases = 0
    for token in tokens:
        kind = token.token_type
        if kind in _OPEN:
            level += 1
            cases += kind is TokenType.CASE
        elif kind in _CLOSE:
            level = max(level - 1, 0)
        elif kind is TokenType.END and cases:
            level, cases = max(level - 1, 0), cases - 1
        run = 0 if kind in _VALUES or kind in _CLOSE else run + 1
        deepest = max(deepest, level, run if runs else 0)
    return deepest


def _chain(tokens: Sequence[Token]) -> int:
    """The largest number of suffixes of one value."""
    longest = length = 0
    for before, token in pairwise(tokens):
        if token.token_type in _SUFFIXES and before.token_type is not TokenType.COMMA:
            length += 1
        elif token.token_type in (TokenType.COMMA, TokenType.SELECT, TokenType.FROM):
            length = 0
        longest = max(longest, length)
    return longest
