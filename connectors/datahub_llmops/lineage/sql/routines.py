"""Procedures, functions and blocks: the statements in their bodies, without what controls their order.

Every branch of IF and every round of a loop may run, so that the statements of all of them count.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Final

from sqlglot import Token, TokenType

from datahub_llmops.errors import StatementError
from datahub_llmops.lineage.sql.statements import Script, Statement
from datahub_llmops.lineage.sql.without_data import is_without_data, leading_words

_ROUTINES: Final = frozenset({"PROCEDURE", "PROC", "FUNCTION", "TRIGGER", "EVENT", "TASK", "RULE"})
_BODIES: Final = frozenset({TokenType.STRING, TokenType.HEREDOC_STRING, TokenType.RAW_STRING})
_SQL: Final = frozenset({"SQL", "PLPGSQL", "PLSQL"})
_OPENS: Final = frozenset({"TRY", "CATCH", "ATOMIC", "NOT"})
_CLOSES: Final = frozenset({"TRY", "CATCH", "IF", "LOOP", "WHILE", "FOR", "CASE", "REPEAT"})
_DROPPED: Final = frozenset({"ELSE", "LOOP", "REPEAT", "TRY", "CATCH", "EXCEPTION", "PERFORM"})
_QUERY: Final = re.compile(r"\bSELECT\b", re.IGNORECASE)
_MODES: Final = frozenset({"IN", "OUT", "INOUT", "VARIADIC"})
_CONDITIONS: Final = {
    **dict.fromkeys(("IF", "ELSEIF", "ELSIF", "WHEN"), ("THEN",)),
    "WHILE": ("DO", "LOOP"),
}


def body_of(statement: Statement) -> Script | None:
    """The body of a routine that stands in a string, as a script with the same positions, or ``None``.

    Raises:
        StatementError: the body is not SQL.
    """
    tokens = statement.tokens
    first = leading_words(tokens, 1)[0]
    if not (first == "DO" or _is_routine(tokens)):
        return None
    # The tokenizer gives what follows DO as one text.
    string = tokens[-1] if first == "DO" and len(tokens) > 1 else _string(tokens)
    if string is None:
        return None
    language = _word_after(tokens, "LANGUAGE")
    if language and language not in _SQL:
        if "FUNCTION" in leading_words(tokens, 6) and "TABLE" not in leading_words(tokens, 30):
            return None  # It computes one value.
        raise StatementError(
            f"The body of the routine is not SQL, but {language}. Name the tables that it reads instead."
        )
    text = statement.script.text
    inner = _inner_range(text, tokens[0].start, string)
    blank = "".join(char if char == "\n" else " " for char in text[: inner[0]])
    body = (
        text[inner[0] : inner[1]].replace("''", "' ")
        if text[inner[0] - 1] == "'"
        else text[inner[0] : inner[1]]
    )
    return Script(text=blank + body, origin=statement.script.origin)


class Flow:
    """Tells which statements surely run: those under no IF, in no loop and in no handler of exceptions."""

    def __init__(self) -> None:
        self._blocks: list[bool] = []
        self._next = False
        self._lost = False

    def pass_word(self, tokens: Sequence[Token], rest: Sequence[Token]) -> None:
        """Take note of the first word of ``tokens``. ``rest`` is what follows it."""
        first, second = leading_words(tokens, 2)
        if first in ("BEGIN", "LOOP", "REPEAT", "FOR"):
            self._blocks.append(self._next or first != "BEGIN" or second == "CATCH")
            self._next = False
        elif first == "END":
            self._lost = self._lost or not self._blocks
            self._blocks = self._blocks[:-1]
            self._next = False
        elif first in ("IF", "WHILE") and (rest or tokens[-1].text.upper() in ("THEN", "DO", "LOOP")):
            self._blocks.append(True)
        elif first in ("IF", "WHILE", "ELSE"):  # T-SQL: they govern the next statement or block.
            self._next = True
        elif first in ("WHEN", "EXCEPTION") and self._blocks:
            self._blocks[-1] = True

    def pass_statement(self, tokens: Sequence[Token]) -> bool:
        """Take note of a statement. Returns whether it surely runs."""
        first, second = leading_words(tokens, 2)
        if first == "FOR" or (first in ("BEGIN", "END") and second == ""):
            self.pass_word(tokens, ())
        runs = not (self._next or self._lost or any(self._blocks))
        self._next = self._next and first == "BEGIN"
        return runs


def without_control(statement: Statement, flow: Flow) -> Statement | None:
    """The statement without the words around it that control the flow, or ``None`` if there is nothing else."""
    tokens: Sequence[Token] = statement.tokens
    while tokens:
        rest = _without_one(tokens)
        if rest is tokens:
            break
        flow.pass_word(tokens, rest)
        tokens = rest
    if not tokens:
        return None
    offset = tokens[0].start - statement.tokens[0].start
    return replace(statement, tokens=tuple(tokens), text=statement.text[offset:]) if offset else statement


def without_declarations(statements: Sequence[Statement]) -> list[Statement]:
    """The statements of a body without the variables between DECLARE, or Oracle's IS, and BEGIN."""
    begins = [i for i, one in enumerate(statements) if leading_words(one.tokens, 1)[0] == "BEGIN"]
    kept: list[Statement] = []
    declares = False
    for i, one in enumerate(statements):
        opens = leading_words(one.tokens, 1)[0] == "DECLARE" or _is_open_head(one.tokens)
        declares = (opens or declares) and i not in begins and any(at > i for at in begins)
        if not declares or _QUERY.search(one.text):
            kept.append(one)
    return kept


def _is_open_head(tokens: Sequence[Token]) -> bool:
    """Whether a statement is the head of a routine with the first of its variables, and no more."""
    words = {token.text.upper() for token in tokens}
    if not _is_routine(tokens) or "BEGIN" in words or _string(tokens) is not None:
        return False
    return bool(words & {"IS", "DECLARE"}) or ("AS" in words and "TASK" not in words)


def is_procedural(statement: Statement) -> bool:
    """Whether the body of a routine is in PL/pgSQL, in which SELECT ... INTO means variables."""
    if leading_words(statement.tokens, 1)[0] == "DO":
        return True
    return _word_after(statement.tokens, "LANGUAGE") == "PLPGSQL"


def parameters_of(tokens: Sequence[Token]) -> list[str]:
    """The names of the parameters in the head of a routine."""
    names: list[str] = []
    depth = 0
    for i, token in enumerate(tokens):
        depth += (token.token_type is TokenType.L_PAREN) - (token.token_type is TokenType.R_PAREN)
        if token.token_type is TokenType.R_PAREN and depth == 0:
            break
        if depth == 1 and (token.token_type in (TokenType.L_PAREN, TokenType.COMMA)):
            words = leading_words(_skip(tokens[i + 1 :], _MODES), 2)
            if words[0].isidentifier() and words[1].isidentifier():
                names.append(words[0])
    return names


def _is_routine(tokens: Sequence[Token]) -> bool:
    words = leading_words(tokens, 6)
    return words[0] in ("CREATE", "ALTER") and bool(_ROUTINES & set(words[1:5]))


def _without_one(tokens: Sequence[Token]) -> Sequence[Token]:
    """Remove one word of control, or return ``tokens`` if there is none."""
    first, second = leading_words(tokens, 2)
    if _is_routine(tokens) and _string(tokens) is None:
        return _without_head(tokens)
    if is_without_data(tokens):
        return tokens
    if first == "BEGIN":
        return _skip(tokens[1:], _OPENS)
    if first == "END":
        rest = _skip(tokens[1:], _CLOSES)
        return () if len(rest) <= 1 else rest
    if first in _CONDITIONS:
        return _behind(tokens, _CONDITIONS[first])
    if first == "RETURN":
        rest = tokens[2:] if second in ("QUERY", "NEXT") else tokens[1:]
        return rest if any(token.token_type is TokenType.SELECT for token in rest) else ()
    if first in _DROPPED and not (first == "REPEAT" and second == ""):
        return tokens[1:]
    return tokens


def _without_head(tokens: Sequence[Token]) -> Sequence[Token]:
    """What stands behind the head of a routine: behind BEGIN, or behind AS or DO."""
    depth = 0
    for i, token in enumerate(tokens):
        depth += (token.token_type is TokenType.L_PAREN) - (token.token_type is TokenType.R_PAREN)
        if depth == 0 and token.text.upper() == "BEGIN":
            return tokens[i:]
    words = leading_words(tokens, 6)
    if "FUNCTION" in words:
        return tokens  # The parser knows them.
    for i, token in enumerate(tokens):
        depth += (token.token_type is TokenType.L_PAREN) - (token.token_type is TokenType.R_PAREN)
        if depth == 0 and i > 2 and token.text.upper() in ("AS", "DO", "IS"):
            return tokens[i + 1 :]
    return tokens


def _behind(tokens: Sequence[Token], words: tuple[str, ...]) -> Sequence[Token]:
    """What follows a condition. In T-SQL nothing does, because the next statement has been split off."""
    depth = 0
    for i, token in enumerate(tokens):
        depth += token.token_type in (TokenType.L_PAREN, TokenType.CASE)
        depth -= token.token_type in (TokenType.R_PAREN, TokenType.END)
        if depth == 0 and i > 0 and token.text.upper() in words:
            return tokens[i + 1 :]
    return ()


def _skip(tokens: Sequence[Token], words: frozenset[str]) -> Sequence[Token]:
    while tokens and tokens[0].text.upper() in words:
        tokens = tokens[1:]
    return tokens


def _string(tokens: Sequence[Token]) -> Token | None:
    """The string behind AS that holds a body, or ``None``."""
    for before, token in pairwise(tokens):
        if token.token_type in _BODIES and before.text.upper() == "AS":
            return token
    return None


def _word_after(tokens: Sequence[Token], word: str) -> str:
    for token, behind in pairwise(tokens):
        if token.text.upper() == word:
            return behind.text.upper()
    return ""


def _inner_range(text: str, start: int, body: Token) -> tuple[int, int]:
    """The positions of what is between the quotes of a body."""
    end = body.end + 1
    opening = (
        text.find("$", start)
        if text[end - 1] == "$"
        else text.rfind("'", start, max(body.start + 1, start + 1))
    )
    if text[end - 1] == "$":
        delimiter = text[opening : text.index("$", opening + 1) + 1]
        return opening + len(delimiter), end - len(delimiter)
    return (body.start if opening < 0 else opening) + 1, end - 1
