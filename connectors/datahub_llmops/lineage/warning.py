"""What lineage has to say to the person who runs the recipe: data, which the source reports."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class LineageWarning:
    """One warning. ``title`` and ``message`` are constants, so that a report groups them.

    ``context`` names the thing: a job, a statement by position and first words, a table, a column, a rule. It never
    holds a payload value or a literal out of SQL.
    """

    title: str
    message: str
    context: str
