"""The output columns of one prepared query, and the source columns of each.

DataHub's ``sqlglot_lineage`` does the tracing, so that edges agree with those of the warehouse connectors. It looks
columns up by name. Output columns are therefore numbered while it runs, and get their real names back afterwards.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from datahub.sql_parsing.sqlglot_lineage import SqlParsingResult, sqlglot_lineage
from sqlglot import exp
from sqlglot.optimizer.scope import traverse_scope

from datahub_llmops.errors import StatementError
from datahub_llmops.lineage.job_config import UpstreamConfig
from datahub_llmops.lineage.sql.outputs import OUTPUT, feeds_output, leftmost, number_outputs
from datahub_llmops.lineage.sql.prepare import Draft, limited
from datahub_llmops.lineage.sql.readings import Reading
from datahub_llmops.lineage.sql.statements import quiet
from datahub_llmops.lineage.sql.tables import Column, Source, StandIns
from datahub_llmops.lineage.warning import Kind, WarningLog

_UNNAMED: Final = re.compile(r"_col_\d+", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """One output column as the statement spells it, and the columns that its values come from, sorted."""

    name: str
    sources: tuple[Column, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryLineage:
    """Lineage of one query. ``complete`` is false where output columns may be missing."""

    inputs: frozenset[str] = frozenset()
    outputs: tuple[Output, ...] = ()
    complete: bool = True


class QueryTracer:
    """Traces one prepared query. Warnings go to ``warnings``, with ``label`` as the name of the statement."""

    def __init__(self, prepared: Draft, config: UpstreamConfig, warnings: WarningLog, label: str) -> None:
        self._prepared = prepared
        self._config = config
        self._warnings = warnings
        self._label = label

    def trace(
        self, reading: Reading, target_columns: Callable[[exp.Table], Sequence[str] | None]
    ) -> QueryLineage:
        """Lineage of the query. ``target_columns`` lists the columns of a table in order, if they are known.

        Raises:
            StatementError: DataHub's lineage cannot analyse the query.
        """
        with limited():
            complete = self._check_columns()
        names = self._output_names(reading, target_columns)
        query, sources = self._prepared.query, self._prepared.sources
        number_outputs(query)
        with quiet():
            result = sqlglot_lineage(
                query, StandIns(self._config, sources), override_dialect=self._config.dialect
            )
        if result.debug_info.table_error is not None:
            raise StatementError("DataHub cannot analyse the statement. Name its tables instead.")
        if result.debug_info.column_error is not None:
            complete = False
            self._warn(
                "stopped_at_tables",
                "No column lineage",
                "DataHub traced the tables of the statement, but not its columns, or took too long for them.",
            )
        inputs = {urn for name in result.in_tables if name in sources for urn in sources[name].datasets}
        return QueryLineage(
            inputs=frozenset(inputs), outputs=tuple(self._outputs(result, names)), complete=complete
        )

    def _check_columns(self) -> bool:
        """Warn of columns that no schema settles. Returns whether all output columns are known."""
        complete = True
        loose: list[str] = []
        for scope in traverse_scope(self._prepared.query):
            if not isinstance(scope.expression, exp.Select) or not feeds_output(scope):
                continue
            selects = scope.expression.selects
            if any(projection.is_star or projection.find(exp.Columns) for projection in selects):
                complete = False
                self._warn(
                    "stopped_at_tables",
                    "SELECT * without a schema",
                    "The catalog does not know the columns behind a *, so no column edges were drawn from it. Run the"
                    " recipe of the tables' platform first, or name the columns.",
                )
            unqualified = {id(column) for column in scope.unqualified_columns}
            loose += [
                column.name
                for projection in selects
                for column in projection.find_all(exp.Column)
                if id(column) in unqualified
            ]
        if loose:
            known = all(source.columns is not None for source in self._prepared.sources.values())
            self._warn(
                "ambiguous_column" if known else "stopped_at_tables",
                "Column of an unknown table",
                "More than one table may have this column, or no table in the catalog has it. Qualify it with its"
                " table, or correct the name.",
                {name.lower() for name in loose},
            )
        return complete

    def _output_names(
        self, reading: Reading, target_columns: Callable[[exp.Table], Sequence[str] | None]
    ) -> list[str | None]:
        """Names of the outputs by position, ``None`` for stars and for columns without a name."""
        selects = leftmost(self._prepared.query).selects
        known = not any(projection.is_star for projection in selects)
        names: Sequence[str] | None = reading.names
        if reading.positional and reading.target is not None:
            names = target_columns(reading.target)
        if names is not None and known and len(names) == len(selects):
            return list(names)
        if names is not None or reading.positional:
            self._warn(
                "note",
                "Target columns not matched",
                "The columns of the statement's target are unknown, or differ in number from the output of its query,"
                " so the query's own names were used. List the columns of the target.",
            )
        spelling = self._prepared.spelling
        if spelling.names is not None:
            return list(spelling.names)
        cataloged = {
            name: columns[0].column
            for source in self._prepared.sources.values()
            for name, columns in (source.columns or {}).items()
            if columns and not source.made
        }
        return [_output_name(projection, {**spelling.all, **cataloged}) for projection in selects]

    def _outputs(self, result: SqlParsingResult, names: Sequence[str | None]) -> list[Output]:
        outputs: list[Output] = []
        missing: set[str] = set()
        unnamed = False
        traced = {one.downstream.column.lower(): one.upstreams for one in result.column_lineage or ()}
        for position, name in enumerate(names):
            upstreams = traced.get(f"{OUTPUT}{position}") or ()
            if name is None:
                unnamed = unnamed or bool(upstreams)
                continue
            sources: set[Column] = set()
            for upstream in upstreams:
                columns = self._find_columns(upstream.table, self._prepared.fold(upstream.column))
                if columns is None:
                    missing.add(upstream.column.lower())
                sources.update(columns or ())
            outputs.append(Output(name=name, sources=tuple(sorted(sources))))
        if missing:
            self._warn(
                "unknown_column",
                "Column not in the catalog",
                "The table has no such column in the catalog, so no edge was drawn from it.",
                missing,
            )
        if unnamed:
            self._warn(
                "unmatched_output",
                "Output column without a name",
                "An output column has no name, so it cannot be mapped to a field. Name it with AS.",
            )
        return outputs

    def _find_columns(self, stand_in: str, name: str) -> tuple[Column, ...] | None:
        """The columns that a folded name means in a source, or ``None`` if its schema lacks the name."""
        source, spelling = self._prepared.sources.get(stand_in, Source()), self._prepared.spelling
        if source.columns is None:
            text = spelling.quoted.get(name, name.lower())
            return tuple(Column(dataset=urn, column=text) for urn in source.datasets)
        # A field of a struct that the schema does not list belongs to the struct.
        columns = source.columns.get(name, source.columns.get(name.split(".", 1)[0]))
        if columns is None or len(columns) < 2 or source.made:
            return columns
        exact = tuple(column for column in columns if column.column in spelling.written)
        return exact or columns

    def _warn(self, kind: Kind, title: str, message: str, columns: Iterable[str] = ()) -> None:
        self._warnings.add(
            kind, title, message, ", in ".join(filter(None, (", ".join(sorted(columns)), self._label)))
        )


def _output_name(projection: exp.Expr, spelled: Mapping[str, str]) -> str | None:
    name = projection.alias_or_name
    if projection.is_star or _UNNAMED.fullmatch(name):
        return None
    return spelled.get(name, name.lower())
