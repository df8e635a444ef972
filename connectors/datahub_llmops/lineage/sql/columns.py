"""The output columns of one query, the source columns of each, and what could not be traced.

The walk follows values from FROM to the output by itself. DataHub's ``sqlglot_lineage`` looks columns up by name in a
rewritten query; it loses edges of nested rows, LATERAL and BY NAME, and invents some, without saying so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Final

import sqlglot
from datahub.utilities.cooperative_timeout import CooperativeTimeoutError, cooperative_timeout
from sqlglot import exp

from datahub_llmops.errors import StatementError
from datahub_llmops.lineage.index_fields import nearest
from datahub_llmops.lineage.sql.expressions import value_of
from datahub_llmops.lineage.sql.queries import row_of
from datahub_llmops.lineage.sql.readings import Reading
from datahub_llmops.lineage.sql.scopes import Walk
from datahub_llmops.lineage.sql.statements import PARSE_ERRORS, quiet
from datahub_llmops.lineage.sql.tables import Source, fold
from datahub_llmops.lineage.sql.uses import NO_USES, Uses
from datahub_llmops.lineage.sql.values import Column, Field, Gap, Missing, Name, Row, Scope, Value
from datahub_llmops.lineage.warning import Kind, WarningLog

TRACE_SECONDS: Final = 30.0
"""Wall time in which the columns of one statement must be traced."""

_NAMES_SHOWN: Final = 20
_NEAREST_SHOWN: Final = 3

_GAPS: Final[Mapping[Missing, tuple[Kind, str, str]]] = {
    "unknown_column": (
        "unknown_column",
        "Column not in the catalog",
        "The table has no such column in the catalog, so no edge was drawn from it. Correct the name, or run the"
        " recipe of the table's platform again.",
    ),
    "ambiguous_column": (
        "ambiguous_column",
        "Ambiguous column",
        "Several tables of the statement have this column, so no edge was drawn from it. Qualify it with its table.",
    ),
    "unsettled_column": (
        "stopped_at_tables",
        "Column of an unknown table",
        "Several tables may have this column, and the catalog does not know the columns of one of them, so no edge"
        " was drawn from it. Qualify it with its table.",
    ),
    "star": (
        "stopped_at_tables",
        "SELECT * without a schema",
        "The catalog does not know the columns behind a * or a whole row, so no column edges were drawn from it. Run"
        " the recipe of the tables' platform first, or name the columns.",
    ),
    "pattern": (
        "stopped_at_tables",
        "COLUMNS by a pattern",
        "Which columns a pattern or lambda in COLUMNS chooses is not known, so no column edges were drawn from it."
        " Name the columns.",
    ),
    "function": (
        "stopped_at_tables",
        "Columns of a table function",
        "A table function reads tables, and does not show which of their columns it gives. The edges stop at the"
        " tables.",
    ),
    "syntax": (
        "stopped_at_tables",
        "Columns not traced",
        "Columns cannot be followed through this part of the statement. The edges stop at the tables.",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """One output column as the statement spells it, and the columns that its values come from, sorted.

    ``stopped`` is true if some of them are not known.
    """

    name: str
    sources: tuple[Column, ...] = ()
    stopped: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryLineage:
    """Lineage of one query. ``row`` has its output columns, under the names of the target.

    ``complete`` is false where output columns may be missing. ``uses`` are what it does with columns besides.
    """

    inputs: frozenset[str] = frozenset()
    row: Row = field(default_factory=Row)
    complete: bool = True
    uses: Uses = NO_USES

    @property
    def outputs(self) -> tuple[Output, ...]:
        """The output columns that have a name."""
        return tuple(
            Output(
                name=one.shown,
                sources=tuple(sorted(one.value.sources)),
                stopped=bool(one.value.gaps),
            )
            for one in self.row.fields
            if one.shown is not None
        )

    @property
    def stopped(self) -> bool:
        """Whether edges end at tables because columns could not be traced."""
        return not self.row.whole or any(one.value.gaps for one in self.row.fields)


@dataclass(kw_only=True)
class QueryTracer:
    """Traces the queries of one statement.

    ``resolve`` and ``files`` find the sources of tables and files. ``variables`` are those of the script. Warnings go
    to ``warnings``, with ``label`` as the name of the statement.
    """

    dialect: sqlglot.Dialect
    folded: Callable[[str], str]
    resolve: Callable[[exp.Table], Source]
    files: Callable[[tuple[str, ...]], Source]
    warnings: WarningLog
    label: str
    variables: Mapping[str, Value] = field(default_factory=dict)

    def trace(
        self, reading: Reading, target_columns: Callable[[exp.Table], Sequence[str] | None]
    ) -> QueryLineage:
        """Lineage of the query. ``target_columns`` lists the columns of a table in order, if they are known.

        Raises:
            StatementError: the query cannot be traced, or takes too long.
            CatalogError: the catalog cannot answer.
        """
        walk = Walk(
            dialect=self.dialect,
            fold=self.folded,
            resolve=self.resolve,
            files=self.files,
            evaluate=row_of,
            value=value_of,
            variables=self.variables,
        )
        query = reading.query.copy()
        fold(query, self.folded)
        with limited():
            row = row_of(walk, query, Scope())
            _read_the_rest(walk, query)
        complete = self._check(row, walk)
        row = self._renamed(_spread_struct(row), reading, target_columns)
        self._report(row)
        walk.uses.hidden = walk.uses.hidden or bool(walk.unread)
        return QueryLineage(inputs=frozenset(walk.inputs), row=row, complete=complete, uses=walk.uses.found())

    def _check(self, row: Row, walk: Walk) -> bool:
        """Warn of output columns that are missing. Returns whether there are none."""
        for name in sorted(walk.unread):
            self._warn(
                "unknown_function",
                "Table function not understood",
                "The function is not built in, or reads what the statement does not show. Which tables it reads, and"
                " where its columns come from, is not known. Write its query in its place, name the tables that it"
                " reads in `tables` of a further `upstream`, or accept `unknown_function`.",
                (name,),
            )
        if row.unlisted is not None:
            for why in dict.fromkeys(one.why for one in sorted(row.unlisted.star)):
                if why in _GAPS:
                    self._warn(*_GAPS[why])
        return row.whole and not walk.unread

    def _renamed(
        self,
        row: Row,
        reading: Reading,
        target_columns: Callable[[exp.Table], Sequence[str] | None],
    ) -> Row:
        """The row under the names of the target's columns, if they are known."""
        names: Sequence[str] | None = reading.names
        if reading.positional and reading.target is not None:
            names = target_columns(reading.target)
        if names is not None and row.whole and len(names) == len(row.fields):
            return row.named([Name(key=self.folded(name), written=name) for name in names])
        if names is not None or reading.positional:
            self._warn(
                "note",
                "Target columns not matched",
                "The columns of the statement's target are unknown, or differ in number from the output of its query,"
                " so the query's own names were used. List the columns of the target.",
            )
        return row

    def _report(self, row: Row) -> None:
        """Warn of outputs that are not, or not wholly, traced to columns."""
        missing: dict[Missing, dict[str, None]] = {}
        unknown: list[Gap] = []
        for one in row.fields:
            for gap in sorted(one.value.gaps):
                if gap.why in _GAPS:
                    subject = (
                        gap.name if one.shown in (None, gap.name) else f"{gap.name} (output {one.shown})"
                    )
                    missing.setdefault(gap.why, {})[subject] = None
                    unknown += [gap] if gap.why == "unknown_column" else []
        said = {one.why for one in row.unlisted.star} if row.unlisted is not None else set()
        for why, subjects in missing.items():
            if why not in said:
                self._warn(*_GAPS[why], subjects, _nearest(unknown) if why == "unknown_column" else "")
        if any(one.shown is None and (one.value.sources or one.value.gaps) for one in row.fields):
            self._warn(
                "unmatched_output",
                "Output column without a name",
                "An output column has no name, so it cannot be mapped to a field. Name it with AS.",
            )

    def _warn(
        self, kind: Kind, title: str, message: str, subjects: Iterable[str] = (), hint: str = ""
    ) -> None:
        names = list(subjects)
        shown = ", ".join(names[:_NAMES_SHOWN])
        if len(names) > _NAMES_SHOWN:
            shown += f" and {len(names) - _NAMES_SHOWN} more"
        self.warnings.add(kind, title, message, f"{shown}{hint}, in {self.label}" if shown else self.label)


def _nearest(gaps: Sequence[Gap]) -> str:
    """Name the columns that are spelled most like the first of those that were not found."""
    hints = [
        nearest(
            "columns",
            gap.name.rpartition(".")[2],
            (one.shown for row in gap.rows for one in row.fields if one.shown is not None),
        )
        for gap in gaps[:_NEAREST_SHOWN]
    ]
    return "".join(f"; {hint}" for hint in dict.fromkeys(hints) if not hint.startswith("there are no"))


def _spread_struct(row: Row) -> Row:
    """The columns of a query of structs (``SELECT AS STRUCT``), which is a table of their fields."""
    if len(row.fields) == 1 and row.fields[0].shown is None and row.fields[0].value.row is not None:
        return row.fields[0].value.row
    return row


def _read_the_rest(walk: Walk, query: exp.Expr) -> None:
    """Find the sources of tables in parts of the statement that give no values."""
    queries = {one.alias for one in query.find_all(exp.CTE)}
    for table in query.find_all(exp.Table):
        if id(table) in walk.seen or isinstance(table.this, exp.Func):
            continue
        if len(table.parts) > 1 or table.name not in queries:
            walk.inputs.update(walk.resolve(table).datasets)


@contextmanager
def limited() -> Iterator[None]:
    """Limit the time of the analysis, and turn failures of it into ``StatementError``.

    A query that cannot be analysed has no lineage; the run goes on.
    """
    try:
        with quiet(), cooperative_timeout(TRACE_SECONDS):
            yield
    except CooperativeTimeoutError as error:
        raise StatementError(
            "The analysis of the statement took too long. Name its tables instead."
        ) from error
    except PARSE_ERRORS as error:
        raise StatementError("The statement cannot be analysed. Name its tables instead.") from error


def joined_row(rows: Sequence[Row]) -> Row:
    """The row of a table that several statements fill, by the names of its columns."""
    values: dict[str, Field] = {}
    for row in rows:
        for one in row.fields:
            if one.key is None:
                continue
            before = values.get(one.key)
            values[one.key] = (
                one
                if before is None
                else replace(
                    before,
                    value=replace(
                        before.value,
                        sources=before.value.sources | one.value.sources,
                        gaps=before.value.gaps | one.value.gaps,
                        row=None,
                    ),
                )
            )
    unlisted = next((row.unlisted for row in rows if row.unlisted is not None), None)
    return Row(fields=tuple(values.values()), unlisted=unlisted)


def without_itself(lineage: QueryLineage, own: Sequence[str]) -> QueryLineage:
    """The lineage of a query that writes the datasets ``own``.

    A table is an upstream of itself only where one of its columns feeds another one.
    """
    if not own:
        return lineage
    fields = tuple(
        replace(one, value=replace(one.value, sources=_others(one, own))) if one.value.sources else one
        for one in lineage.row.fields
    )
    read = {source.dataset for one in fields for source in one.value.sources}
    return replace(
        lineage,
        inputs=lineage.inputs - {urn for urn in own if urn not in read},
        row=replace(lineage.row, fields=fields),
    )


def _others(field: Field, own: Sequence[str]) -> frozenset[Column]:
    name = (field.shown or "").lower()
    return frozenset(
        one for one in field.value.sources if one.dataset not in own or one.column.lower() != name
    )
