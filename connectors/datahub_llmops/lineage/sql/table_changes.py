"""Statements that drop, empty or rename tables, by their tokens. sqlglot reads some of their forms only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import sqlglot
from sqlglot import Token, TokenType, exp

from datahub_llmops.lineage.sql.without_data import leading_words

_BEFORE_NAME: Final = frozenset({"IF", "NOT", "EXISTS", "ONLY", "TABLE", "FROM"})
_KINDS: Final = frozenset({"TABLE", "TABLES", "VIEW", "VIEWS"})
_TO: Final = frozenset({"TO", "AS"})


@dataclass(frozen=True, slots=True, kw_only=True)
class TableChange:
    """What a statement does to tables: it drops or empties each, or gives the first the name of the second.

    A swap exchanges their names.
    """

    kind: Literal["drop", "empty", "rename", "swap"]
    tables: tuple[exp.Table, ...]


def table_changes(tokens: Sequence[Token], dialect: sqlglot.Dialect) -> tuple[TableChange, ...]:
    """What a statement changes. Empty if it is another one, or changes a part of a table only."""
    words = leading_words(tokens, 4)
    if words[0] in ("RENAME", "EXCHANGE") and len(tokens) == 2:  # The tokenizer gives the rest as one text.
        tokens = (tokens[0], *dialect.tokenize(tokens[1].text))
    if words[0] == "DROP" and _KINDS & set(words):
        behind = next(i for i, word in enumerate(words) if word in _KINDS) + 1
        return (TableChange(kind="drop", tables=_list(tokens[behind:])),)
    if words[0] == "TRUNCATE":
        return (TableChange(kind="empty", tables=_list(tokens[1:])),)
    if words[0] == "DELETE":
        table, rest = _name(_skip(tokens[1:]))
        return (TableChange(kind="empty", tables=(table,)),) if table is not None and not rest else ()
    if words[0] == "ALTER" and words[1] in _KINDS:
        return _altered(tokens[2:])
    if words[0] == "RENAME":
        return tuple(_renames(_skip(tokens[1:])))
    if words[:2] == ["EXCHANGE", "TABLES"]:
        table, rest = _name(tokens[2:])
        other, _ = _name(rest[1:])
        return _pair("swap", table, other)
    if words[0] in ("EXEC", "EXECUTE") and words[1] == "SP_RENAME":
        texts = [
            one.text for one in tokens[2:] if one.token_type in (TokenType.STRING, TokenType.NATIONAL_STRING)
        ]
        if len(texts) == 2 and len(tokens) <= 5:
            return _pair("rename", *(exp.to_table(text, dialect="tsql") for text in texts))
    return ()


def tables_made(tokens: Sequence[Token]) -> Iterator[exp.Table]:
    """The tables that a statement would make, if it could be read."""
    words = leading_words(tokens, len(tokens))
    if words[0] == "CREATE":
        behind = next((i for i, word in enumerate(words[:8]) if word in _KINDS), None)
        table = _name(_skip(tokens[behind + 1 :]))[0] if behind is not None else None
    elif words[0] in ("SELECT", "WITH") and "INTO" in words:
        table = _name(tokens[words.index("INTO") + 1 :])[0]
    else:
        table = None
    if table is not None:
        yield table


def _altered(tokens: Sequence[Token]) -> tuple[TableChange, ...]:
    table, rest = _name(_skip(tokens))
    words = leading_words(rest, 2) if rest else ["", ""]
    if words == ["SWAP", "WITH"]:
        return _pair("swap", table, _name(rest[2:])[0])
    if words[0] == "RENAME":
        other, behind = _name(rest[2:] if words[1] in _TO else rest[1:])
        return _pair("rename", table, other) if not behind else ()
    return ()


def _renames(tokens: Sequence[Token]) -> Iterator[TableChange]:
    while tokens:
        table, rest = _name(tokens)
        other, rest = _name(rest[1:])
        yield from _pair("rename", table, other)
        tokens = rest[1:]


def _pair(
    kind: Literal["rename", "swap"], table: exp.Table | None, other: exp.Table | None
) -> tuple[TableChange, ...]:
    if table is None or other is None:
        return ()
    if len(other.parts) == 1:  # A new name without a schema stays in that of the old one.
        for key in ("db", "catalog"):
            if isinstance(table.args.get(key), exp.Expr):
                other.set(key, table.args[key].copy())
    return (TableChange(kind=kind, tables=(table, other)),)


def _list(tokens: Sequence[Token]) -> tuple[exp.Table, ...]:
    tables: list[exp.Table] = []
    rest = tokens
    while rest:
        table, rest = _name(_skip(rest))
        if table is not None:
            tables.append(table)
        if not rest or rest[0].token_type is not TokenType.COMMA:
            break
        rest = rest[1:]
    return tuple(tables)


def _skip(tokens: Sequence[Token]) -> Sequence[Token]:
    while (
        tokens and tokens[0].token_type is not TokenType.IDENTIFIER and tokens[0].text.upper() in _BEFORE_NAME
    ):
        tokens = tokens[1:]
    return tokens


def _name(tokens: Sequence[Token]) -> tuple[exp.Table | None, Sequence[Token]]:
    """The table whose name begins the tokens, and what follows it."""
    if len(tokens) > 1 and tokens[0].text == "@":  # a variable that is a table
        return exp.Table(this=exp.Parameter(this=exp.var(tokens[1].text))), tokens[2:]
    parts: list[exp.Identifier] = []
    i = 0
    while i < len(tokens):
        marks = 0
        while i < len(tokens) and tokens[i].text == "#":
            marks, i = marks + 1, i + 1
        if i >= len(tokens) or not _is_word(tokens[i]):
            break
        part = exp.to_identifier(tokens[i].text, quoted=tokens[i].token_type is TokenType.IDENTIFIER)
        if marks:
            part.set("temporary" if marks == 1 else "global_", True)
        parts.append(part)
        i += 1
        if i >= len(tokens) or tokens[i].text != ".":
            break
        i += 1
    if not parts:
        return None, tokens
    names = dict(zip(("this", "db", "catalog"), reversed(parts), strict=False))
    return exp.Table(**names), tokens[i:]


def _is_word(token: Token) -> bool:
    return (
        token.token_type is TokenType.IDENTIFIER or token.text.replace("_", "a").replace("$", "a").isalnum()
    )
