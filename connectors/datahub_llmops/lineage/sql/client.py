"""Blanks the lines of a script that a client program reads and the database never sees. Positions stay."""

from __future__ import annotations

import re
from typing import Final

import sqlglot
from sqlglot.dialects.clickhouse import ClickHouse
from sqlglot.dialects.mysql import MySQL
from sqlglot.dialects.oracle import Oracle
from sqlglot.dialects.postgres import Postgres
from sqlglot.dialects.tsql import TSQL

_QUOTED: Final = r"'(?:[^']|'')*'|\"[^\"]*\"|\[[^\]]*\]|--[^\n]*|/\*.*?\*/|\$(\w*)\$.*?\$\1\$"
"""Strings, quoted names and comments, in which a line means nothing."""

_FLAGS: Final = re.IGNORECASE | re.MULTILINE | re.DOTALL

_GO: Final = re.compile(
    rf"{_QUOTED}|(?P<line>^[ \t]*GO(?:[ \t]+\d+)?[ \t]*;?[ \t]*(?:--[^\n]*)?\r?$)", _FLAGS
)
"""SQL Server: https://learn.microsoft.com/en-us/sql/t-sql/language-elements/sql-server-utilities-statements-go"""

_SLASH: Final = re.compile(rf"{_QUOTED}|(?P<line>^[ \t]*/[ \t]*\r?$)", _FLAGS)
"""Oracle's SQL*Plus ends a block with a slash."""

_BACKSLASH: Final = re.compile(
    rf"{_QUOTED}|(?P<line>^[ \t]*\\(?:echo|errverbose|encoding|o|pset|q|qecho|set|timing|unset|x)\b[^\n]*$)",
    _FLAGS,
)
"""psql: https://www.postgresql.org/docs/current/app-psql.html. Those that run other SQL are not among them."""

_DELIMITER: Final = re.compile(r"^[ \t]*DELIMITER[ \t]+(\S+)[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
"""MySQL: https://dev.mysql.com/doc/refman/8.4/en/stored-programs-defining.html"""


_DOLLAR: Final = re.compile(
    r"'(?:[^'\\]|\\.)*'|`[^`]*`|\"[^\"]*\"|--[^\n]*|/\*.*?\*/|(?P<line>\$\d+\b(?!\$))", _FLAGS
)
"""Parameters of drivers, which sqlglot takes for the beginning of a heredoc in ClickHouse."""


def without_client_lines(sql: str, dialect: sqlglot.Dialect) -> str:
    """Return a script of the same length without the lines that only its client program reads."""
    if isinstance(dialect, TSQL):
        return _replace(sql, _GO, ";")
    if isinstance(dialect, Oracle):
        return _replace(sql, _SLASH, ";")
    if isinstance(dialect, Postgres):
        return _replace(sql, _BACKSLASH, ";")
    if isinstance(dialect, ClickHouse):
        return _replace(sql, _DOLLAR, "?")
    if isinstance(dialect, MySQL):
        return _without_delimiters(sql)
    return sql


def _replace(sql: str, wanted: re.Pattern[str], instead: str) -> str:
    """Replace each ``line`` that the pattern finds. A line ends the statement before it."""
    return wanted.sub(lambda found: found[0] if found["line"] is None else instead.ljust(len(found[0])), sql)


def _without_delimiters(sql: str) -> str:
    pieces: list[str] = []
    done, delimiter = 0, ";"
    for found in _DELIMITER.finditer(sql):
        pieces += (
            sql[done : found.start()].replace(delimiter, ";".ljust(len(delimiter))),
            " " * len(found[0]),
        )
        done, delimiter = found.end(), found[1]
    return "".join((*pieces, sql[done:].replace(delimiter, ";".ljust(len(delimiter)))))
