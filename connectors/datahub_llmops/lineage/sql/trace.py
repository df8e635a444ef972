"""Traces SQL to the datasets that it reads, and to the source columns of each of its output columns.

The module splits a script into statements and joins what they read and write. ``readings`` finds the queries of one
statement; ``columns`` traces each. What cannot be traced correctly is left out, with a warning.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlglot import exp

from datahub_llmops.errors import StatementError
from datahub_llmops.lineage.job_config import UpstreamConfig
from datahub_llmops.lineage.provenance import Rules
from datahub_llmops.lineage.schema_lookup import SchemaLookup
from datahub_llmops.lineage.sql.columns import Output, QueryLineage, QueryTracer, joined_row, without_itself
from datahub_llmops.lineage.sql.namespace import chosen_namespace
from datahub_llmops.lineage.sql.readings import Definition, Reading, readings
from datahub_llmops.lineage.sql.routines import body_of, without_control, without_declarations
from datahub_llmops.lineage.sql.statements import Script, Statement, parse, split
from datahub_llmops.lineage.sql.tables import Source, Tables, folder
from datahub_llmops.lineage.sql.values import NOTHING, Column, Name, row_of
from datahub_llmops.lineage.sql.without_data import is_without_data
from datahub_llmops.lineage.warning import Kind, LineageWarning, WarningLog

SCRIPT_SECONDS: Final = 120
"""Wall time after which no further statement of a script is read. The time of one statement is limited too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlLineage:
    """What a statement or script reads and gives.

    ``inputs`` are dataset URNs, sorted. ``unknown`` are those that the catalog does not have; they are not among the
    inputs. ``complete`` is false where output columns may be missing. ``stopped_at_tables`` counts the statements with
    output columns that could not be traced to columns, and ``untraced`` are the inputs of these statements, sorted.
    """

    inputs: tuple[str, ...] = ()
    outputs: tuple[Output, ...] = ()
    unknown: tuple[str, ...] = ()
    complete: bool = True
    stopped_at_tables: int = 0
    untraced: tuple[str, ...] = ()
    warnings: tuple[LineageWarning, ...] = ()


def trace(config: UpstreamConfig, lookup: SchemaLookup, rules: Rules) -> SqlLineage:
    """Lineage of the SQL of ``config``. A statement that cannot be traced does not affect the others.

    Raises:
        CatalogError: the catalog cannot answer.
    """
    script = _Script(config, lookup, rules)
    script.run()
    return script.result()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """One reading of the script, traced.

    ``target`` is the folded name of the table that it writes. ``defines`` is true if it only creates the table.
    """

    lineage: QueryLineage
    target: str | None
    creates: bool
    defines: bool = False


class _Script:
    """Traces statements in their order, so that later ones see the tables that earlier ones made."""

    def __init__(self, config: UpstreamConfig, lookup: SchemaLookup, rules: Rules) -> None:
        self._config = config
        self._fold = folder(config.dialect)
        self._tables = Tables(config, lookup, rules)
        self._warnings = WarningLog()
        self._steps: list[_Step] = []
        self._by_target: defaultdict[str, list[_Step]] = defaultdict(list)
        self._read_again: set[str] = set()
        self._complete = True

    def run(self) -> None:
        script = Script(text=self._config.text or "", origin=self._config.text_origin)
        try:
            statements = split(script, self._config.dialect)
        except StatementError as error:
            self._leave_out("unparsed_sql", "SQL not understood", str(error), "the SQL")
            return
        if not statements:
            self._warnings.add(
                "unparsed_sql",
                "SQL without a statement",
                "The SQL has no statement. Correct `sql` or the file of `sql_file`.",
                "the SQL",
            )
        deadline = time.monotonic() + SCRIPT_SECONDS
        for statement in statements:
            try:
                if time.monotonic() > deadline:
                    raise StatementError(
                        f"The statements before it took more than {SCRIPT_SECONDS} seconds, so it was not read. Split"
                        " the SQL into several jobs, or name its tables instead."
                    )
                self._trace_statement(statement)
            except StatementError as error:
                self._leave_out("unparsed_sql", "SQL not understood", str(error), statement.label)

    def result(self) -> SqlLineage:
        # A table that a later statement reads stands between the sources and the output; it is no output itself.
        final = [step.lineage for step in self._steps if step.target not in self._read_again]
        sources: dict[str, set[Column]] = {}
        stopped: set[str] = set()
        for lineage in final:
            for output in lineage.outputs:
                sources.setdefault(output.name, set()).update(output.sources)
                stopped.update([output.name] if output.stopped else ())
        return SqlLineage(
            inputs=tuple(sorted(frozenset().union(*(lineage.inputs for lineage in final)))),
            outputs=tuple(
                Output(name=name, sources=tuple(sorted(columns)), stopped=name in stopped)
                for name, columns in sources.items()
            ),
            unknown=tuple(dict.fromkeys(self._tables.unknown)),
            complete=self._complete and all(lineage.complete for lineage in final),
            stopped_at_tables=sum(lineage.stopped for lineage in final),
            untraced=tuple(sorted({urn for lineage in final if lineage.stopped for urn in lineage.inputs})),
            warnings=tuple(dict.fromkeys((*self._tables.warnings, *self._warnings))),
        )

    def _trace_statement(self, given: Statement) -> None:
        body = body_of(given)
        if body is not None:
            self._trace_body(body)
            return
        statement = without_control(given)
        if statement is None:
            return
        chosen = chosen_namespace(statement.tokens, self._config.platform)
        if chosen is not None:
            self._tables.choose(chosen)
        elif not is_without_data(statement.tokens):
            self._trace_data(statement)

    def _trace_body(self, body: Script) -> None:
        for statement in without_declarations(split(body, self._config.dialect)):
            try:
                self._trace_statement(statement)
            except StatementError as error:
                self._leave_out("unparsed_sql", "SQL not understood", str(error), statement.label)

    def _trace_data(self, statement: Statement) -> None:
        for reading in readings(parse(statement, self._config.dialect)):
            if isinstance(reading, Definition):
                names = (Name(key=self._fold(name), written=name) for name in reading.names)
                lineage = QueryLineage(row=row_of(names, NOTHING))
                target = self._tables.key(reading.target)
                self._add(_Step(lineage=lineage, target=target, creates=True, defines=True))
            else:
                self._add(self._trace_reading(reading, statement.label))

    def _add(self, step: _Step) -> None:
        self._steps.append(step)
        if step.target:
            self._by_target[step.target].append(step)

    def _trace_reading(self, reading: Reading, label: str) -> _Step:
        tracer = QueryTracer(
            dialect=self._config.dialect,
            folded=self._fold,
            resolve=lambda table: self._resolve(table, reading, label),
            files=lambda addresses: self._tables.files(addresses, label),
            warnings=WarningLog() if reading.silent else self._warnings,
            label=label,
        )
        self._fetch_tables(reading.query)
        lineage = tracer.trace(reading, self._target_columns)
        if reading.silent:
            lineage = QueryLineage(inputs=lineage.inputs)
        target = self._tables.key(reading.target) or None if reading.target is not None else None
        if reading.target is not None:
            lineage = without_itself(lineage, self._tables.own(reading.target, sole=reading.sole).datasets)
        return _Step(lineage=lineage, target=target, creates=reading.creates)

    def _fetch_tables(self, query: exp.Query) -> None:
        """Ask the catalog for the tables of a query, before the time for its analysis starts."""
        inner = {self._fold(one.alias) for one in query.find_all(exp.CTE)}
        for table in query.find_all(exp.Table):
            if len(table.parts) > 1 or self._fold(table.name) not in inner:
                self._tables.fetch(table)

    def _resolve(self, table: exp.Table, reading: Reading, label: str) -> Source:
        key = self._tables.key(table)
        made = self._by_target.get(key, ())
        if any(step.creates for step in made) and any(not step.defines for step in made):
            self._read_again.add(key)
            return Source(
                datasets=tuple(sorted(frozenset().union(*(step.lineage.inputs for step in made)))),
                row=joined_row([step.lineage.row for step in made]),
            )
        if reading.target is not None and key and key == self._tables.key(reading.target):
            return self._tables.own(table, sole=reading.sole)
        return self._tables.resolve(table, label)

    def _target_columns(self, target: exp.Table) -> Sequence[str] | None:
        key = self._tables.key(target)
        for step in self._by_target.get(key, ()):
            if step.creates:
                return [output.name for output in step.lineage.outputs]
        return self._tables.known_columns(target)

    def _leave_out(self, kind: Kind, title: str, message: str, context: str) -> None:
        self._complete = False
        self._warnings.add(kind, title, message, context)
