"""Warnings of lineage for the person who runs the recipe. They are data; the source reports them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class LineageWarning:
    """One warning. ``title`` and ``message`` are constants, so that a report can group warnings.

    ``context`` names the job, the statement (its position and first words), the table, the column or the rule. It
    never holds a payload value or a literal from SQL.
    """

    title: str
    message: str
    context: str


class WarningLog:
    """Collects warnings in the order in which they arise, each one once."""

    def __init__(self) -> None:
        self._warnings: dict[LineageWarning, None] = {}

    def add(self, title: str, message: str, context: str) -> None:
        """Add a warning unless the log has an equal one."""
        self._warnings[LineageWarning(title=title, message=message, context=context)] = None

    def __iter__(self) -> Iterator[LineageWarning]:
        return iter(self._warnings)
