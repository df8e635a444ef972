"""Parameters of database drivers, and templates, in the tokens of one statement.

sqlglot knows ``?`` and ``:name`` in every dialect, but ``%s``, ``%(name)s``, ``:1`` and ``$1`` in some only. Where it
takes them for something else, they are replaced by ``?``. Parameters are values, so they have no lineage.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from sqlglot import Token, TokenType

_FORMATS: Final = frozenset({"s", "b", "t", "d", "i", "f"})
"""The letters behind ``%`` in the parameters of Python's drivers."""

_OPERANDS: Final = frozenset(
    {
        *(TokenType.VAR, TokenType.IDENTIFIER, TokenType.NUMBER, TokenType.STRING, TokenType.PLACEHOLDER),
        *(TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.R_BRACE, TokenType.END),
    }
)
"""Tokens after which ``%`` divides and ``:`` selects a part."""

_NO_OPERANDS: Final = frozenset(
    {"TOP", "FIRST", "NEXT", "LIMIT", "OFFSET", "INTERVAL", "SAMPLE", "ANY", "SOME"}
)
"""Words that some dialects read as names, and that stand before values."""

_PSEUDO_COLUMNS: Final = frozenset({"$ACTION", "$IDENTITY", "$ROWGUID", "$PARTITION"})
"""Names of SQL Server that begin with a dollar sign.

https://learn.microsoft.com/en-us/sql/t-sql/statements/merge-transact-sql#output_clause
"""


def fill_parameters(text: str, tokens: Sequence[Token], *, dollars: bool) -> str:
    """Return the text of a statement with ``?`` for each parameter that sqlglot does not know. Positions stay.

    ``tokens`` are those of the statement, with positions in a script in which ``text`` begins at the first of them.
    ``dollars`` is true if the dialect itself has names such as ``$1``.
    """
    origin = tokens[0].start
    pieces: list[str] = []
    done = 0
    for start, end, instead in _replacements(tokens, dollars=dollars):
        begin, behind = start - origin, end + 1 - origin
        pieces += (text[done:begin], instead.ljust(behind - begin))
        done = behind
    return "".join((*pieces, text[done:]))


def is_template(tokens: Sequence[Token]) -> bool:
    """Return whether a statement is not SQL yet: it has Jinja, braces, or names that a client program replaces."""
    for i, token in enumerate(tokens):
        kind, behind = token.token_type, tokens[i + 1] if i + 1 < len(tokens) else None
        if kind in (TokenType.BLOCK_START, TokenType.BLOCK_END):
            return True
        if behind is None or behind.start != token.end + 1:
            continue
        if kind is TokenType.L_BRACE and (
            behind.token_type in (TokenType.L_BRACE, TokenType.MOD) or _closes(tokens, i + 2, behind)
        ):
            return True
        if token.text == "$" and behind.token_type is TokenType.L_PAREN:  # sqlcmd
            return True
        if (
            kind is TokenType.COLON
            and behind.token_type is TokenType.IDENTIFIER
            and not _ends_operand(tokens, i)
        ):
            return True
    return False


def _closes(tokens: Sequence[Token], i: int, name: Token) -> bool:
    return tokens[i : i + 1] != [] and tokens[i].token_type is TokenType.R_BRACE and name.text.isidentifier()


def _replacements(tokens: Sequence[Token], *, dollars: bool) -> Iterator[tuple[int, int, str]]:
    """Yield the first and last position of each parameter, and what replaces it."""
    skip = 0
    for i, token in enumerate(tokens):
        if i < skip:
            continue
        last = _last_of_percent(tokens, i) or _last_of_colon(tokens, i)
        if last is not None:
            yield token.start, tokens[last].end, "?"
            skip = last + 1
        elif token.text == "%" and _touches(tokens, i, "%"):  # A driver's escape for one %.
            yield token.start, tokens[i + 1].end, "%"
            skip = i + 2
        elif not dollars and _is_dollar(tokens, i):
            yield token.start, token.end, "?"


def _last_of_percent(tokens: Sequence[Token], i: int) -> int | None:
    """The index of the last token of a ``%s`` or ``%(name)s`` that begins at ``i``, or ``None``."""
    token = tokens[i]
    if token.token_type not in (TokenType.MOD, TokenType.VAR):
        return None
    if token.text[:1] == "%" and token.text[1:].lower() in _FORMATS:  # Teradata
        return i
    if token.text != "%" or i + 1 >= len(tokens):
        return None
    if not _touches(tokens, i, "("):
        is_format = tokens[i + 1].start == token.end + 1 and tokens[i + 1].text.lower() in _FORMATS
        return i + 1 if is_format and not _ends_operand(tokens, i) else None
    for j in range(i + 2, len(tokens) - 1):
        if tokens[j].token_type is TokenType.R_PAREN:
            is_format = tokens[j + 1].start == tokens[j].end + 1 and tokens[j + 1].text.lower() in _FORMATS
            return j + 1 if is_format else None
    return None


def _last_of_colon(tokens: Sequence[Token], i: int) -> int | None:
    """The index of the last token of a ``:1`` or ``:'name'`` that begins at ``i``, or ``None``."""
    if tokens[i].token_type is not TokenType.COLON or i + 1 >= len(tokens) or _ends_operand(tokens, i):
        return None
    name = tokens[i + 1]
    is_value = name.token_type in (TokenType.NUMBER, TokenType.STRING) and name.start == tokens[i].end + 1
    return i + 1 if is_value else None


def _ends_operand(tokens: Sequence[Token], i: int) -> bool:
    """Return whether an operand ends before the token ``i``, so that an operator stands there."""
    return i > 0 and tokens[i - 1].token_type in _OPERANDS and tokens[i - 1].text.upper() not in _NO_OPERANDS


def _touches(tokens: Sequence[Token], i: int, text: str) -> bool:
    behind = tokens[i + 1] if i + 1 < len(tokens) else None
    return behind is not None and behind.text == text and behind.start == tokens[i].end + 1


def _is_dollar(tokens: Sequence[Token], i: int) -> bool:
    token = tokens[i]
    if token.token_type is not TokenType.VAR or not token.text.startswith("$") or token.text == "$":
        return False
    part = i > 0 and tokens[i - 1].token_type is TokenType.DOT
    return not part and token.text.upper() not in _PSEUDO_COLUMNS
