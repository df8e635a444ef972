"""Warnings of lineage for the person who runs the recipe. They are data; the source reports them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args

Kind: TypeAlias = Literal[
    "unparsed_sql",
    "unknown_table",
    "unknown_function",
    "ambiguous_table",
    "unknown_column",
    "ambiguous_column",
    "unknown_output",
    "unknown_field",
    "no_text_field",
    "unmatched_output",
    "missing_index",
    "ambiguous_index",
    "less_than_before",
    "stopped_at_tables",
    "note",
]
"""What a warning is about. A recipe names these words in ``accept``.

- ``unparsed_sql``: a statement was not understood, so what it reads is not known.
- ``unknown_table``: something that the SQL reads has no dataset: a table, a file or a stage.
- ``unknown_function``: the SQL calls a function of which nobody knows what it reads.
- ``ambiguous_table``: several datasets differ from a table's name in case only, and none was chosen.
- ``unknown_column``: a table has no column of this name in the catalog.
- ``ambiguous_column``: several tables have a column of this name, or none has it.
- ``unknown_output``: ``text_columns`` or ``fields`` name a column that the SQL does not give.
- ``unknown_field``: ``fields`` names a field that the index does not have.
- ``no_text_field``: the index has no field for the text.
- ``unmatched_output``: an output column lands in no field of the index.
- ``missing_index``, ``ambiguous_index``: no collection, or several, have the name in ``index``.
- ``less_than_before``: an earlier run drew column edges that this run could not trace.
- ``stopped_at_tables``: table edges are drawn; columns behind them could not be traced.
- ``note``: nothing is missing.
"""

HARMLESS: Final[frozenset[Kind]] = frozenset({"stopped_at_tables", "note"})
"""The kinds that leave a job resolved."""

UNRESOLVED: Final[frozenset[Kind]] = frozenset(get_args(Kind)) - HARMLESS
"""The kinds that make a job unresolved, unless its recipe accepts them. This is the only place that decides it."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class LineageWarning:
    """One warning. ``title`` and ``message`` are constants, so that a report can group warnings.

    ``context`` names the job, the statement (its position and first words), the table, the column or the rule. It
    never holds a payload value or a literal from SQL.
    """

    kind: Kind
    title: str
    message: str
    context: str


class WarningLog:
    """Collects warnings in the order in which they arise, each one once."""

    def __init__(self) -> None:
        self._warnings: dict[LineageWarning, None] = {}

    def add(self, kind: Kind, title: str, message: str, context: str) -> None:
        """Add a warning unless the log has an equal one."""
        self._warnings[LineageWarning(kind=kind, title=title, message=message, context=context)] = None

    def __iter__(self) -> Iterator[LineageWarning]:
        return iter(self._warnings)
