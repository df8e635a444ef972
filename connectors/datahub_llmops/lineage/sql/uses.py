"""What a query does with a column besides giving its values: it joins, filters, groups or sorts by it.

Such a column decides which rows there are and which belong together. Its values reach no output, so it has no edge.
The kinds are the indirect transformations of OpenLineage's column lineage, apart from conditions: a column in CASE is
an operand of the value and has an edge. https://openlineage.io/docs/spec/facets/dataset-facets/column_lineage_facet
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from datahub_llmops.lineage.sql.values import Column, Value

Use: TypeAlias = Literal["join", "filter", "group by", "sort", "window", "select"]
"""``window`` is the partition or order of a window function. ``select`` is a column that the SQL names, and that feeds
no field of the index and is used in no other way: without it the SQL fails."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Uses:
    """What a query does with columns.

    ``columns`` are those that it uses, ``named`` all those that it names. ``hidden`` is true if it uses columns that
    are not among them, because a name could not be resolved or part of the query could not be read.
    """

    columns: frozenset[tuple[Column, Use]] = frozenset()
    named: frozenset[Column] = frozenset()
    hidden: bool = False


NO_USES: Final = Uses()


@dataclass(slots=True)
class UseLog:
    """Collects the uses of one statement."""

    columns: set[tuple[Column, Use]] = field(default_factory=set)
    named: set[Column] = field(default_factory=set)
    hidden: bool = False

    def add(self, use: Use, value: Value) -> None:
        """Note that the statement uses everything that ``value`` comes from."""
        self.columns.update((column, use) for column in value.sources)
        self.hidden = self.hidden or bool(value.gaps)

    def add_all(self, uses: Uses) -> None:
        """Note the uses behind a table that an earlier statement made."""
        self.columns |= uses.columns
        self.named |= uses.named
        self.hidden = self.hidden or uses.hidden

    def found(self) -> Uses:
        """Return everything that was noted."""
        return Uses(columns=frozenset(self.columns), named=frozenset(self.named), hidden=self.hidden)


def joined_uses(parts: Iterable[Uses]) -> Uses:
    """The uses of several queries together."""
    log = UseLog()
    for one in parts:
        log.add_all(one)
    return log.found()
