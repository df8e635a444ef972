"""Variables of scripts and procedures: where SELECT ... INTO, SET, DECLARE, FETCH and ``:=`` put values.

Most dialects have no other SELECT ... INTO than into variables. In PostgreSQL and its followers it makes a table, but
in the body of a routine in PL/pgSQL it means variables too:
https://www.postgresql.org/docs/current/plpgsql-statements.html
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import sqlglot
from sqlglot import Token, TokenType, exp

from datahub_llmops.lineage.sql.statements import Statement
from datahub_llmops.lineage.sql.without_data import leading_words

_TABLES: Final = frozenset({"postgres", "redshift", "materialize", "risingwave", "tsql", "fabric", "sqlite"})
"""Dialects in which SELECT ... INTO makes a table outside of routines."""

_READS: Final = frozenset({"SELECT", "SEL", "WITH", "INSERT", "UPDATE", "DELETE", "MERGE"})
_CHANGES: Final = frozenset({"INSERT", "UPDATE", "DELETE", "MERGE"})
_NAMES_COLUMNS: Final = frozenset({"PIVOT", "UNPIVOT"})
"""Words behind which INTO names columns, in DuckDB."""
_MARKS: Final = frozenset({"@", ":", "$"})
_OPERATORS: Final = frozenset({"+", "-", "*", "/", "%", "&", "|", "^"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Assigning:
    """A statement without its INTO, and the variables behind that word. They are empty if it has none.

    ``adds`` is true if a variable keeps what it had, as in ``@x += y``.
    """

    statement: Statement
    names: tuple[str, ...] = ()
    adds: bool = False


def without_into(statement: Statement, dialect: sqlglot.Dialect, *, in_routine: bool) -> Assigning:
    """Take INTO and its variables out of a statement, and write other assignments as sqlglot reads them.

    Positions stay. ``in_routine`` is true in the body of a routine, in a language in which INTO means variables.
    """
    statement = _with_all_tokens(statement, dialect)
    plain = _with_plain_assignment(_with_plain_operators(statement))
    adds = len(plain.tokens) < len(statement.tokens)
    first = leading_words(plain.tokens, 1)[0]
    start = _into(plain.tokens, first) if first in _READS else None
    if start is None:
        return Assigning(statement=plain, adds=adds)
    names, end = _targets(plain.tokens, start + 1)
    marked = start + 1 < len(plain.tokens) and plain.tokens[start + 1].text in _MARKS
    language = type(dialect).__name__.lower()
    if not names or not (marked or in_routine or language not in _TABLES):
        return Assigning(statement=plain, adds=adds)
    return Assigning(statement=_blanked(plain, start, end), names=tuple(names), adds=adds)


def assigns(tokens: Sequence[Token]) -> bool:
    """Whether a statement only gives values to variables."""
    return leading_words(tokens, 1)[0] in ("SET", "DECLARE", "LET") or _assignment(tokens) is not None


def assignments(tree: exp.Expr) -> Iterator[tuple[tuple[str, ...], exp.Query]]:
    """What a statement gives to variables: their names, each with the query of its values."""
    if isinstance(tree, exp.Declare):
        for item in tree.find_all(exp.DeclareItem):
            if isinstance(item.args.get("default"), exp.Expr):
                yield _names(item.this), _query(item.args["default"], 1)
    elif isinstance(tree, exp.Set):
        for item in tree.expressions:
            if isinstance(item, exp.SetItem) and isinstance(item.this, exp.EQ):
                names = _names(item.this.this)
                yield names, _query(item.this.expression, len(names))
    elif isinstance(tree, exp.PropertyEQ):
        yield _names(tree.this), _query(tree.expression, 1)
    elif isinstance(tree, exp.Select) and tree.expressions and all(map(_assigned, tree.expressions)):
        query = tree.copy()
        pairs = list(query.expressions)
        query.set("expressions", [pair.expression for pair in pairs])
        yield tuple(name for pair in pairs for name in _names(pair.this)), query
    elif isinstance(tree, exp.Select):
        for pair in tree.find_all(exp.PropertyEQ):  # MySQL's SELECT @x := y, which gives y too.
            if isinstance(pair.this, exp.Parameter) and pair.find_ancestor(exp.Query) is tree:
                query = tree.copy()
                query.set("expressions", [pair.expression.copy()])
                yield _names(pair.this), query


def key_of(node: exp.Expr) -> str:
    """The name of a variable as a key: ``@x`` and ``x`` are two."""
    return f"@{node.name}" if isinstance(node, exp.Parameter | exp.SessionParameter) else node.name


def declared_names(statements: Sequence[Statement]) -> list[str]:
    """The names of variables that stand between DECLARE and BEGIN of a body."""
    names: list[str] = []
    declares = False
    for one in statements:
        first = leading_words(one.tokens, 1)[0]
        declares = first == "DECLARE" or (declares and first != "BEGIN")
        if declares:
            rest = one.tokens[1:] if first == "DECLARE" else one.tokens
            # PostgreSQL's tokenizer gives what follows DECLARE as one text.
            names += rest[0].text.split()[:1] if rest and rest[0].text != "@" else []
    return names


def _assigned(node: exp.Expr) -> bool:
    return isinstance(node, exp.EQ) and isinstance(node.this, exp.Parameter)


def _query(value: exp.Expr, count: int) -> exp.Query:
    """The query that gives the values of ``count`` variables."""
    inner = value.unnest() if isinstance(value, exp.Subquery) else value
    if isinstance(inner, exp.Query):
        return inner.copy()
    members = inner.expressions if count > 1 and isinstance(inner, exp.Tuple) else [inner]
    return exp.select(*(one.copy() for one in members))


def _names(node: object) -> tuple[str, ...]:
    nodes = node if isinstance(node, list) else node.expressions if isinstance(node, exp.Tuple) else [node]
    return tuple(key_of(one) for one in nodes if isinstance(one, exp.Expr) and one.name)


def _into(tokens: Sequence[Token], first: str) -> int | None:
    """The index of INTO outside of parentheses, behind SELECT or RETURNING."""
    depth = 0
    change = next((i for i, one in enumerate(tokens) if one.text.upper() in _CHANGES), None)
    returns = first not in _CHANGES and not (first == "WITH" and change is not None)
    for i, token in enumerate(tokens):
        depth += (token.token_type is TokenType.L_PAREN) - (token.token_type is TokenType.R_PAREN)
        if depth == 0 and token.token_type is not TokenType.IDENTIFIER:
            word = token.text.upper()
            if word in _NAMES_COLUMNS:
                return None
            returns = returns or word == "RETURNING"
            if returns and (word == "INTO" or token.token_type is TokenType.BULK_COLLECT_INTO):
                return i
    return None


def _targets(tokens: Sequence[Token], i: int) -> tuple[list[str], int]:
    """The names of the variables that begin at ``i``, and the index behind them."""
    names: list[str] = []
    if i < len(tokens) and tokens[i].text.upper() == "STRICT":
        i += 1
    while i < len(tokens):
        mark = ""
        if tokens[i].text in _MARKS:
            mark, i = tokens[i].text, i + 1
        if i >= len(tokens) or not _is_name(tokens[i]):
            return [], i
        name = tokens[i].text
        i += 1
        while i + 1 < len(tokens) and tokens[i].text in (
            ".",
            "[",
        ):  # A field of a record, an element of an array.
            i += 2 if tokens[i].text == "." else 3
        names.append(f"@{name}" if mark == "@" else name)
        if i >= len(tokens) or tokens[i].token_type is not TokenType.COMMA:
            break
        i += 1
    return names, i


def _is_name(token: Token) -> bool:
    return token.token_type is TokenType.IDENTIFIER or token.text.replace("_", "a").isalnum()


def _blanked(statement: Statement, start: int, end: int) -> Statement:
    """The statement with white space instead of the tokens from ``start`` up to ``end``."""
    tokens, origin = statement.tokens, statement.tokens[0].start
    begin, behind = tokens[start].start - origin, tokens[end - 1].end + 1 - origin
    text = statement.text
    hole = "".join(char if char == "\n" else " " for char in text[begin:behind])
    return replace(
        statement, text=text[:begin] + hole + text[behind:], tokens=(*tokens[:start], *tokens[end:])
    )


def _with_all_tokens(statement: Statement, dialect: sqlglot.Dialect) -> Statement:
    """The statement with all tokens of ``DECLARE x text := y``, which PostgreSQL's tokenizer gives as one."""
    first = statement.tokens[0]
    if len(statement.tokens) != 2 or first.text.upper() != "DECLARE" or ":=" not in statement.tokens[1].text:
        return statement
    behind = len(first.text)
    blank = " " * (first.start + behind)
    return replace(statement, tokens=(first, *dialect.tokenize(blank + statement.text[behind:])))


def _with_plain_operators(statement: Statement) -> Statement:
    """The statement with ``@x = y`` for T-SQL's ``@x += y``, which sqlglot does not read."""
    tokens, text, origin = statement.tokens, statement.text, statement.tokens[0].start
    gone: list[int] = []
    for i in range(2, len(tokens) - 1):
        if (
            tokens[i].text in _OPERATORS
            and tokens[i + 1].text == "="
            and tokens[i].end + 1 == tokens[i + 1].start
            and tokens[i - 2].text == "@"
        ):
            gone.append(i)
            position = tokens[i].start - origin
            text = f"{text[:position]} {text[position + 1 :]}"
    if not gone:
        return statement
    return replace(
        statement, text=text, tokens=tuple(one for i, one in enumerate(tokens) if i not in set(gone))
    )


def _assignment(tokens: Sequence[Token]) -> int | None:
    """The index of the ``:=`` of a statement that gives one variable a value."""
    depth = 0
    for i, token in enumerate(tokens):
        depth += (token.token_type is TokenType.L_PAREN) - (token.token_type is TokenType.R_PAREN)
        if token.token_type in (TokenType.SELECT, TokenType.SET, TokenType.INSERT, TokenType.WITH):
            return None
        if depth == 0 and token.token_type is TokenType.COLON_EQ:
            return i
    return None


def _with_plain_assignment(statement: Statement) -> Statement:
    """The statement with ``x := y`` for ``LET x text := y`` and ``DECLARE x CONSTANT text := y``."""
    sign = _assignment(statement.tokens)
    if sign is None or sign < 2:
        return statement
    name = 1 if leading_words(statement.tokens, 1)[0] in ("LET", "DECLARE") else 0
    if statement.tokens[name + 1].text == ".":  # A field of a record.
        return statement
    plain = _blanked(statement, name + 1, sign) if name + 1 < sign else statement
    return replace(
        plain,
        text=plain.text[plain.tokens[name].start - plain.tokens[0].start :],
        tokens=plain.tokens[name:],
    )
