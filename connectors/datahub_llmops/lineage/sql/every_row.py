"""Whether a query gives exactly one row for each row of the one table that it reads."""

from __future__ import annotations

from typing import Final

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

_CLAUSES: Final = frozenset({"expressions", "from", "from_", "order"})
"""Parts of a query that neither drop nor multiply rows."""
_TABLE_PARTS: Final = frozenset({"this", "db", "catalog", "alias"})
_VALUES: Final = (
    exp.Column,
    exp.Identifier,
    exp.Star,
    exp.Alias,
    exp.Cast,
    exp.DataType,
    exp.DataTypeParam,
    exp.Literal,
    exp.Null,
    exp.Boolean,
    exp.Paren,
    exp.Binary,
    exp.Concat,
    exp.Coalesce,
    exp.Lower,
    exp.Upper,
    exp.Trim,
)
"""What gives one value for each row. A function that is not listed may be an aggregate, or give several rows."""


def gives_every_row(sql: str, dialect: sqlglot.Dialect) -> bool:
    """Return whether ``sql`` is one query over one table without a filter, a join, a group or a limit.

    A query that cannot be parsed, or has a part that is not known to keep the number of rows, is none.

    >>> duckdb = sqlglot.Dialect.get_or_raise("duckdb")
    >>> gives_every_row("select id, body from docs", duckdb), gives_every_row("select id from docs limit 3", duckdb)
    (True, False)
    """
    try:
        parsed = sqlglot.parse(sql, read=dialect)
    except (SqlglotError, RecursionError):
        return False
    statements = [one for one in parsed if one is not None]
    if len(statements) != 1 or not isinstance(statements[0], exp.Select):
        return False
    query = statements[0]
    if any(value for part, value in query.args.items() if part not in _CLAUSES):
        return False
    origin = query.args.get("from_") or query.args.get("from")
    table = origin.this if isinstance(origin, exp.From) else None
    if not isinstance(table, exp.Table) or not isinstance(table.this, exp.Identifier):
        return False
    if any(value for part, value in table.args.items() if part not in _TABLE_PARTS):
        return False
    return all(isinstance(node, _VALUES) for one in query.expressions for node in one.walk())
