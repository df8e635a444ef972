"""The tables that the statements of a script make, fill, empty, rename and drop.

A table that is dropped and made anew has the columns of its last definition only. Under IF and in loops a statement may
or may not run; then the table may be either, and all of its definitions count.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from datahub_llmops.lineage.sql.columns import QueryLineage, joined_row
from datahub_llmops.lineage.sql.tables import Source
from datahub_llmops.lineage.sql.uses import joined_uses
from datahub_llmops.lineage.sql.values import NOTHING, Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One reading of the script, traced.

    ``creates`` is true if it creates the table that it writes, ``defines`` if it does nothing else, and ``temporary``
    if that table is a temporary one.
    """

    lineage: QueryLineage
    creates: bool = False
    defines: bool = False
    temporary: bool = False


@dataclass(eq=False, slots=True, kw_only=True)
class Version:
    """What fills a table from one definition of it to the next. ``passed`` is true if a later one took its place."""

    steps: list[Step] = field(default_factory=list)
    read: bool = False
    passed: bool = False

    @property
    def made(self) -> bool:
        """Whether the script creates the table and fills it."""
        return any(step.creates for step in self.steps) and any(not step.defines for step in self.steps)

    @property
    def temporary(self) -> bool:
        """Whether it is gone with the session."""
        return any(step.temporary for step in self.steps)

    def source(self, *, result: bool) -> Source:
        """The table as a source. Unless it is the ``result`` of the statement, it only stands before the output."""
        self.read = self.read or not result
        return Source(
            datasets=tuple(sorted(frozenset().union(*(step.lineage.inputs for step in self.steps)))),
            row=joined_row([step.lineage.row for step in self.steps]),
            uses=joined_uses(step.lineage.uses for step in self.steps),
        )

    def columns(self) -> list[str] | None:
        """The names of its columns in their order, or ``None`` if the script does not say them."""
        step = next((step for step in self.steps if step.creates), None)
        return [output.name for output in step.lineage.outputs] or None if step is not None else None


class ScriptTables:
    """The versions of all tables of a script, by the keys of the tables."""

    def __init__(self) -> None:
        self._all: list[Version] = []
        self._current: dict[str, Version] = {}
        self._dropped: dict[str, Version] = {}

    def version(self, key: str) -> Version | None:
        """The present version of a table."""
        return self._current.get(key)

    def add(self, key: str | None, step: Step, *, anew: bool = False) -> None:
        """Add a step that writes the table ``key``, or no table. ``anew`` is true if it surely makes the table."""
        if key is None:
            self._all.append(Version(steps=[step]))
            return
        if anew:
            self.drop(key)
        version = self._current.get(key)
        if version is None:
            version = self._current[key] = Version()
            self._all.append(version)
            before = self._dropped.pop(key, None)
            if before is not None:
                before.passed = True
        version.steps.append(step)

    def drop(self, key: str) -> None:
        """Forget a table that a statement surely drops."""
        version = self._current.pop(key, None)
        if version is not None:
            self._dropped[key] = version

    def empty(self, key: str) -> None:
        """Forget the rows of a table that a statement surely empties. Its columns stay."""
        before = self._current.get(key)
        if before is None:
            return
        self.drop(key)
        for step in before.steps:
            if step.creates:
                self.add(key, _without_rows(step))

    def rename(self, key: str, other: str, *, swap: bool = False) -> None:
        """Give a table another name, or exchange the names of two tables."""
        version, replaced = self._current.pop(key, None), self._current.pop(other, None)
        if version is not None:
            self._current[other] = version
        if replaced is not None and swap:
            self._current[key] = replaced

    def results(self) -> list[QueryLineage]:
        """The lineage of the script's own output, in the order of the tables that hold it.

        A table that is gone at the end, and that no statement reads, is output only if the script has no other.
        """
        left = [version for version in self._all if not version.read and not version.passed]
        gone = [one for one in left if one.temporary or one in self._dropped.values()]
        others = any(step.lineage.row.fields for one in left if one not in gone for step in one.steps)
        return [
            QueryLineage(inputs=step.lineage.inputs, uses=step.lineage.uses)
            if others and version in gone
            else step.lineage
            for version in left
            for step in version.steps
        ]


def _without_rows(step: Step) -> Step:
    fields = tuple(replace(one, value=NOTHING) for one in step.lineage.row.fields)
    row = Row(fields=fields, unlisted=step.lineage.row.unlisted)
    return replace(step, lineage=QueryLineage(row=row), defines=True)
