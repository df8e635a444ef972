"""Statements beside the query that neither read data into a table nor change what a name means.

sqlglot reads many of them as expressions, or not at all, so they are recognised by their first words.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from sqlglot import Token, Tokenizer, TokenType

_FIRST_WORDS: Final = frozenset(
    {
        *(
            "ABORT",
            "ANALYZE",
            "ANALYSE",
            "ASSERT",
            "BREAK",
            "BT",
            "CANCEL",
            "CHECK",
            "CHECKPOINT",
            "CLOSE",
            "CLUSTER",
        ),
        *(
            "COLLECT",
            "COMMENT",
            "COMMIT",
            "CONTINUE",
            "DBCC",
            "DEALLOCATE",
            "DEFINE",
            "DELIMITER",
            "DENY",
            "DESC",
        ),
        *(
            "DESCRIBE",
            "DETACH",
            "DIAGNOSTIC",
            "DISCARD",
            "DROP",
            "ET",
            "EXIT",
            "FLUSH",
            "GET",
            "GOTO",
            "GRANT",
            "HELP",
        ),
        *(
            "INSTALL",
            "ITERATE",
            "KILL",
            "LEAVE",
            "LIST",
            "LISTEN",
            "LOCK",
            "LS",
            "MSCK",
            "NOTIFY",
            "NULL",
            "OPTIMIZE",
        ),
        *(
            "PRAGMA",
            "PRINT",
            "PURGE",
            "PUT",
            "QUIT",
            "RAISE",
            "RAISERROR",
            "RECONFIGURE",
            "REFRESH",
            "REINDEX",
        ),
        *(
            "RELEASE",
            "REMOVE",
            "REPAIR",
            "RESET",
            "RESIGNAL",
            "REVOKE",
            "RM",
            "ROLLBACK",
            "SAVE",
            "SAVEPOINT",
        ),
        *(
            "SHOW",
            "SIGNAL",
            "SPOOL",
            "SYSTEM",
            "THROW",
            "TRUNCATE",
            "UNCACHE",
            "UNDEFINE",
            "UNDROP",
            "UNLISTEN",
        ),
        *("UNLOCK", "UNSET", "VACUUM", "WAITFOR", "WHENEVER"),
    }
)

_WORDS: Final = frozenset(
    {
        *(("ADD", "JAR"), ("ADD", "FILE"), ("ADD", "FILES"), ("ADD", "ARCHIVE"), ("CLEAR", "CACHE")),
        *(("END", "TRANSACTION"), ("FORCE", "INSTALL"), ("FORCE", "CHECKPOINT"), ("RENAME", "TABLE")),
        *(
            ("SECURITY", "LABEL"),
            ("START", "TRANSACTION"),
            ("UPDATE", "EXTENSIONS"),
            ("UPDATE", "STATISTICS"),
        ),
        *(
            ("BACKUP", "DATABASE"),
            ("BACKUP", "LOG"),
            ("USE", "WAREHOUSE"),
            ("USE", "ROLE"),
            ("USE", "SECONDARY"),
        ),
        *(("XA", "START"), ("XA", "END")),
    }
)

_TRANSACTION: Final = frozenset(
    {"TRANSACTION", "TRAN", "WORK", "ISOLATION", "READ", "DEFERRED", "IMMEDIATE", "EXCLUSIVE", "CONCURRENT"}
)
"""Words after BEGIN that make it the beginning of a transaction, not of a block."""

_CREATE_MODIFIERS: Final = frozenset(
    {
        *(
            "OR",
            "REPLACE",
            "ALTER",
            "TEMP",
            "TEMPORARY",
            "UNIQUE",
            "CLUSTERED",
            "NONCLUSTERED",
            "COLUMNSTORE",
        ),
        *(
            "FULLTEXT",
            "SPATIAL",
            "BITMAP",
            "SEARCH",
            "VECTOR",
            "PERSISTENT",
            "FOREIGN",
            "SECURE",
            "PUBLIC",
            "GLOBAL",
        ),
        *("EXTERNAL", "HASH", "JOIN", "PRIMARY", "XML"),
    }
)

_CREATED: Final = frozenset(
    {
        *(
            "ACCESS",
            "AGGREGATE",
            "ASSIGNMENT",
            "CAPACITY",
            "CAST",
            "CATALOG",
            "COLLATION",
            "CONNECTION",
            "CONVERSION",
            "CREDENTIAL",
        ),
        *(
            "DATABASE",
            "DICTIONARY",
            "DIRECTORY",
            "DOMAIN",
            "EXTENSION",
            "FILE",
            "GROUP",
            "INDEX",
            "INTEGRATION",
            "LANGUAGE",
        ),
        *(
            "LIBRARY",
            "LOGIN",
            "MASKING",
            "NAMESPACE",
            "NETWORK",
            "NOTIFICATION",
            "OPERATOR",
            "PARTITION",
            "POLICY",
        ),
        *("PROFILE", "PUBLICATION", "RESERVATION", "RESOURCE", "ROLE", "ROW", "SCHEMA", "SECRET", "SECURITY"),
        *(
            "SEQUENCE",
            "SERVER",
            "SHARE",
            "STAGE",
            "STATISTICS",
            "STORAGE",
            "STREAM",
            "SUBSCRIPTION",
            "SYNONYM",
            "TABLESPACE",
            "TAG",
        ),
        *("TYPE", "USER", "VOLUME", "WAREHOUSE"),
    }
)
"""What CREATE makes without reading data."""

_MOVES_ROWS: Final = frozenset({"APPEND", "ATTACH", "EXCHANGE", "SWITCH", "SWAP", "MOVE"})
"""Words in an ALTER TABLE that give a table the rows of another one, or may."""

_COMMANDS: Final = Tokenizer.COMMANDS

_QUERY: Final = re.compile(r"\b(?:SELECT|CURSOR|TABLE)\b", re.IGNORECASE)


def is_without_data(tokens: Sequence[Token]) -> bool:
    """Return whether a statement is one of those that have no lineage."""
    words = leading_words(tokens, 8)
    first, second = words[0], words[1]
    if first in _FIRST_WORDS or (first, second) in _WORDS:
        return True
    if first == "BEGIN":
        return second in _TRANSACTION or second == ""
    if first == "END":
        return second == ""
    if first == "LOAD":
        return second not in ("DATA", "XML", "TABLE")
    if first == "ATTACH":
        return second not in ("TABLE", "VIEW")
    if first == "CREATE":
        kind = next((word for word in words[1:] if word not in _CREATE_MODIFIERS), "")
        return kind in _CREATED
    if first == "ALTER":
        return second not in ("TABLE", "") or not any(_is_word(token, _MOVES_ROWS) for token in tokens[2:])
    if first == "CACHE":
        return not any(token.token_type is TokenType.SELECT for token in tokens)
    if first in ("SET", "DECLARE"):
        return not any(_QUERY.search(token.text) for token in tokens if _is_open(token, tokens[0]))
    return False


def leading_words(tokens: Sequence[Token], count: int) -> list[str]:
    """Return the first words of a statement in upper case, with empty texts for what is not a word or not there."""
    words: list[str] = []
    for token in tokens[:count]:
        words += token.text.upper().split() if _is_open(token, tokens[0]) else [""]
    words = words[:count]
    return words + [""] * (count - len(words))


def _is_open(token: Token, first: Token) -> bool:
    """Return whether a token is not a literal. What follows some words is one token, whatever it holds."""
    return token.token_type not in (TokenType.STRING, TokenType.IDENTIFIER) or first.token_type in _COMMANDS


def _is_word(token: Token, words: frozenset[str]) -> bool:
    return token.token_type is not TokenType.IDENTIFIER and token.text.upper() in words
