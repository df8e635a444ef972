"""Finds where statements begin in T-SQL, which needs no semicolon between them.

DataHub's ``split_statements`` finds most of them. It takes the table hint ``WITH (NOLOCK)`` for a statement, though,
and leaves ``SET NOCOUNT ON`` and some others at the end of the statement before.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterator, Sequence
from typing import Final

from datahub.sql_parsing.split_statements import split_statements
from sqlglot import Token, TokenType

_STATEMENTS: Final = frozenset(
    {
        *("CLOSE", "COMMIT", "DBCC", "DEALLOCATE", "DECLARE", "DENY", "GRANT", "OPEN", "PRINT", "RAISERROR"),
        *("RETURN", "REVOKE", "ROLLBACK", "USE", "WAITFOR"),
    }
)
"""Reserved words that only stand at the beginning of a statement.

https://learn.microsoft.com/en-us/sql/t-sql/language-elements/reserved-keywords-transact-sql
"""

_BEFORE_NAMES: Final = frozenset({"WITH", "AS", ".", "@", "GRANT", ","})
_ASSIGNS: Final = frozenset(
    {"=", ".", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "+", "-", "*", "/", "%", "&", "|"}
)
"""Tokens behind the first word of UPDATE's SET. They never stand behind the first word of an option."""

_QUERIES: Final = frozenset(
    {
        *(
            TokenType.SELECT,
            TokenType.INSERT,
            TokenType.UPDATE,
            TokenType.DELETE,
            TokenType.MERGE,
            TokenType.WITH,
        ),
        TokenType.CREATE,
    }
)
"""Tokens that begin a statement after ``DECLARE @t TABLE (...)``."""


def statement_starts(text: str, tokens: Sequence[Token]) -> frozenset[int]:
    """Positions of the first words of the statements."""
    positions = [token.start for token in tokens]
    plain = _without_hints(text, tokens)
    starts: set[int] = set()
    behind = 0
    for chunk in split_statements(plain, "tsql"):
        begin = plain.index(chunk, behind)
        behind = begin + len(chunk)
        found = bisect_left(positions, begin)
        if found == 0 or tokens[found - 1].text.upper() != "DENY":
            starts.update(positions[found : found + 1])
    return frozenset(starts | set(_more_starts(tokens, starts)))


def _without_hints(text: str, tokens: Sequence[Token]) -> str:
    """Blank each WITH that is not the beginning of common table expressions, and the parentheses behind it."""
    pieces: list[str] = []
    done = 0
    for i, token in enumerate(tokens):
        if token.token_type is TokenType.WITH and not _begins_expressions(tokens, i):
            last = _closing(tokens, i + 1)
            pieces += (text[done : token.start], " " * (tokens[last].end + 1 - token.start))
            done = tokens[last].end + 1
    return "".join((*pieces, text[done:]))


def _begins_expressions(tokens: Sequence[Token], i: int) -> bool:
    name, behind = ([token.token_type for token in tokens[i + 1 : i + 3]] + [None] * 2)[:2]
    return name is not TokenType.L_PAREN and behind in (TokenType.ALIAS, TokenType.L_PAREN)


def _closing(tokens: Sequence[Token], i: int) -> int:
    """The index of the parenthesis that closes the one at ``i``, or the index before ``i`` if there is none."""
    depth = 0
    for j in range(i, len(tokens)):
        if tokens[j].token_type is TokenType.L_PAREN:
            depth += 1
        elif tokens[j].token_type is TokenType.R_PAREN:
            depth -= 1
        if depth == 0:
            return j if j > i else i - 1
    return i - 1


def _more_starts(tokens: Sequence[Token], found: Collection[int]) -> Iterator[int]:
    depth = cases = 0
    declares = False
    for i, token in enumerate(tokens):
        if token.token_type is TokenType.L_PAREN:
            depth += 1
        elif token.token_type is TokenType.R_PAREN:
            depth -= 1
        elif token.token_type is TokenType.CASE or (cases and token.token_type is TokenType.END):
            cases += 1 if token.token_type is TokenType.CASE else -1
        elif depth == 0 and token.token_type is TokenType.ELSE:
            if not cases and i > 0 and tokens[i - 1].token_type is not TokenType.END:
                yield token.start
        elif depth == 0:
            behind_table = declares and tokens[i - 1].token_type is TokenType.R_PAREN
            if _is_start(tokens, i) or (behind_table and token.token_type in _QUERIES):
                yield token.start
                declares = token.token_type is TokenType.DECLARE
            elif token.start in found:
                declares = token.token_type is TokenType.DECLARE


def _is_start(tokens: Sequence[Token], i: int) -> bool:
    token = tokens[i]
    if token.token_type in (TokenType.IDENTIFIER, TokenType.STRING):
        return False
    before = tokens[i - 1].text.upper() if i > 0 else ""
    if before in _BEFORE_NAMES:
        return False
    if token.token_type is TokenType.SET:
        behind = tokens[i + 2].text if i + 2 < len(tokens) else ""
        return i + 1 < len(tokens) and tokens[i + 1].text != "@" and behind not in _ASSIGNS
    return token.text.upper() in _STATEMENTS
