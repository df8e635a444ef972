"""Traces SQL to the datasets that it reads, and to the source columns of each of its output columns.

The module splits a script into statements and joins what they read and write. ``readings`` finds the queries of one
statement; ``columns`` traces each. What cannot be traced correctly is left out, with a warning.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from sqlglot import TokenType, exp

from datahub_llmops.errors import StatementError
from datahub_llmops.lineage.job_config import UpstreamConfig
from datahub_llmops.lineage.provenance import Rules
from datahub_llmops.lineage.schema_lookup import SchemaLookup
from datahub_llmops.lineage.sql.columns import Output, QueryLineage, QueryTracer, without_itself
from datahub_llmops.lineage.sql.namespace import chosen_namespace
from datahub_llmops.lineage.sql.readings import FROM_VARIABLES, Definition, Reading, readings
from datahub_llmops.lineage.sql.routines import (
    Flow,
    body_of,
    is_procedural,
    parameters_of,
    without_control,
    without_declarations,
)
from datahub_llmops.lineage.sql.script_tables import ScriptTables, Step
from datahub_llmops.lineage.sql.statements import Script, Statement, parse, split
from datahub_llmops.lineage.sql.table_changes import TableChange, table_changes, tables_made
from datahub_llmops.lineage.sql.tables import Source, Tables, folder
from datahub_llmops.lineage.sql.uses import Use, Uses, joined_uses
from datahub_llmops.lineage.sql.values import NOTHING, Column, Name, Value, row_of, union
from datahub_llmops.lineage.sql.variables import assigns, declared_names, without_into
from datahub_llmops.lineage.sql.without_data import is_without_data, leading_words
from datahub_llmops.lineage.warning import LineageWarning, WarningLog

_BLOCKS: Final = frozenset({"oracle", "snowflake"})
"""Dialects whose blocks declare all variables before BEGIN."""

SCRIPT_SECONDS: Final = 120
"""Wall time after which no further statement of a script is read. The time of one statement is limited too."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class UsedColumn:
    """A column by which a statement or script joins, filters, groups or sorts, or that it only names."""

    dataset: str
    column: str
    use: Use


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlLineage:
    """What a statement or script reads and gives.

    ``inputs`` are dataset URNs, sorted. ``unknown`` are those that the catalog does not have; they are not among the
    inputs. ``complete`` is false where output columns may be missing. ``stopped_at_tables`` counts the statements with
    output columns that could not be traced to columns, and ``untraced`` are the inputs of these statements, sorted.
    ``uses`` has every column that the SQL names, with what it does with it; those that it does nothing else with are
    there with ``select``. ``uses_hidden`` are the datasets of which it may use further columns, sorted.
    """

    inputs: tuple[str, ...] = ()
    outputs: tuple[Output, ...] = ()
    unknown: tuple[str, ...] = ()
    complete: bool = True
    stopped_at_tables: int = 0
    untraced: tuple[str, ...] = ()
    uses: tuple[UsedColumn, ...] = ()
    uses_hidden: tuple[str, ...] = ()
    warnings: tuple[LineageWarning, ...] = ()


def trace(config: UpstreamConfig, lookup: SchemaLookup, rules: Rules) -> SqlLineage:
    """Lineage of the SQL of ``config``. A statement that cannot be traced does not affect the others.

    Raises:
        CatalogError: the catalog cannot answer.
    """
    script = _Script(config, lookup, rules)
    script.run()
    return script.result()


class _Script:
    """Traces statements in their order, so that later ones see the tables and variables that earlier ones made."""

    def __init__(self, config: UpstreamConfig, lookup: SchemaLookup, rules: Rules) -> None:
        self._config = config
        self._fold = folder(config.dialect)
        self._tables = Tables(config, lookup, rules)
        self._warnings = WarningLog()
        self._made = ScriptTables()
        self._variables: dict[str, Value] = {}
        self._not_made: set[str] = set()
        self._complete = True
        self._deadline = 0.0

    def run(self) -> None:
        script = Script(text=self._config.text or "", origin=self._config.text_origin)
        try:
            statements = split(script, self._config.dialect)
        except StatementError as error:
            self._leave_out("the SQL", error)
            return
        if not statements:
            self._warnings.add(
                "unparsed_sql",
                "SQL without a statement",
                "The SQL has no statement. Correct `sql` or the file of `sql_file`.",
                "the SQL",
            )
        self._deadline = time.monotonic() + SCRIPT_SECONDS
        if (
            type(self._config.dialect).__name__.lower() in _BLOCKS
        ):  # Others declare variables in statements of their own.
            statements = tuple(without_declarations(statements))
        self._trace_all(statements, in_routine=False)

    def result(self) -> SqlLineage:
        # A table that a later statement reads stands between the sources and the output; it is not an output itself.
        final = self._made.results()
        sources: dict[str, set[Column]] = {}
        stopped: set[str] = set()
        for lineage in final:
            for output in lineage.outputs:
                sources.setdefault(output.name, set()).update(output.sources)
                stopped.update([output.name] if output.stopped else ())
        inputs = tuple(sorted(frozenset().union(*(lineage.inputs for lineage in final))))
        # The conditions of a statement have no inputs of their own: they may be about any.
        hidden = {urn for lineage in final if lineage.uses.hidden for urn in lineage.inputs or inputs}
        return SqlLineage(
            inputs=inputs,
            outputs=tuple(
                Output(name=name, sources=tuple(sorted(columns)), stopped=name in stopped)
                for name, columns in sources.items()
            ),
            unknown=tuple(dict.fromkeys(self._tables.unknown)),
            complete=self._complete and all(lineage.complete for lineage in final),
            stopped_at_tables=sum(lineage.stopped for lineage in final),
            untraced=tuple(sorted({urn for lineage in final if lineage.stopped for urn in lineage.inputs})),
            uses=_used_columns(joined_uses(lineage.uses for lineage in final)),
            uses_hidden=tuple(sorted(hidden)) if self._complete else inputs,
            warnings=tuple(dict.fromkeys((*self._tables.warnings, *self._warnings))),
        )

    def _trace_all(self, statements: Sequence[Statement], *, in_routine: bool) -> None:
        flow = Flow()
        for statement in statements:
            try:
                if time.monotonic() > self._deadline:
                    raise StatementError(
                        f"The statements before it took more than {SCRIPT_SECONDS} seconds, so it was not read. Split"
                        " the SQL into several jobs, or name its tables instead."
                    )
                self._trace_statement(statement, flow, in_routine=in_routine)
            except StatementError as error:
                self._leave_out(statement.label, error)
                self._not_made.update(self._tables.key(table) for table in tables_made(statement.tokens))

    def _trace_statement(self, given: Statement, flow: Flow, *, in_routine: bool) -> None:
        body = body_of(given)
        if body is not None:
            self._trace_body(given, body)
            return
        statement = without_control(given, flow)
        if statement is None:
            return
        surely = flow.pass_statement(statement.tokens)
        chosen = chosen_namespace(statement.tokens, self._config.platform)
        if chosen is not None:
            self._tables.choose(chosen)
            return
        changes = table_changes(statement.tokens, self._config.dialect)
        for change in changes:
            self._change(change, surely=surely)
        if any(change.kind in ("rename", "swap") for change in changes):
            return
        given_value = assigns(statement.tokens) and self._takes_value(statement)
        if given_value or not (assigns(statement.tokens) or is_without_data(statement.tokens)):
            self._trace_data(statement, surely=surely, in_routine=in_routine)

    def _trace_body(self, given: Statement, body: Script) -> None:
        statements = split(body, self._config.dialect)
        outside = dict(self._variables)
        names = (*parameters_of(given.tokens), *declared_names(statements))
        self._variables.update((self._fold(name), NOTHING) for name in names)
        self._trace_all(without_declarations(statements), in_routine=is_procedural(given))
        self._variables = outside

    def _takes_value(self, statement: Statement) -> bool:
        """Whether an assignment gives a variable the value of a query or of another variable."""
        tokens = statement.tokens
        if leading_words(tokens, 1)[0] in ("SET", "DECLARE"):
            reads = not is_without_data(tokens)
        else:
            reads = any(token.token_type is TokenType.SELECT for token in tokens)
        if reads:
            return True
        known = {name for name, value in self._variables.items() if value.sources or value.gaps}
        words = {self._fold(token.text) for token in statement.tokens}
        return any(name.removeprefix("@") in words for name in known)

    def _change(self, change: TableChange, *, surely: bool) -> None:
        keys = [self._key(table) for table in change.tables]
        if not surely or not all(keys):
            return
        if change.kind in ("rename", "swap"):
            self._made.rename(keys[0], keys[1], swap=change.kind == "swap")
        else:
            forget = self._made.drop if change.kind == "drop" else self._made.empty
            for key in keys:
                forget(key)

    def _trace_data(self, given: Statement, *, surely: bool, in_routine: bool) -> None:
        plain = without_into(given, self._config.dialect, in_routine=in_routine)
        tree = parse(plain.statement, self._config.dialect)
        found = list(readings(tree, lambda name: self._fold(name) in self._variables))
        if plain.names and found and isinstance(found[-1], Reading):
            found[-1] = replace(found[-1], assigns=plain.names, silent=True, target=None)
        for reading in found:
            target = self._target(reading)
            if isinstance(reading, Definition):
                names = (Name(key=self._fold(name), written=name) for name in reading.names)
                lineage = QueryLineage(row=row_of(names, NOTHING))
                step = Step(lineage=lineage, creates=True, defines=True, temporary=reading.temporary)
            else:
                step = self._trace_reading(reading, given.label, adds=plain.adds or not surely)
                if reading.overwrites and surely and target:
                    self._made.empty(target)
            self._made.add(target, step, anew=surely and getattr(reading, "anew", False))

    def _trace_reading(self, reading: Reading, label: str, *, adds: bool) -> Step:
        tracer = QueryTracer(
            dialect=self._config.dialect,
            folded=self._fold,
            resolve=lambda table: self._resolve(table, reading, label),
            files=lambda addresses: self._tables.files(addresses, label),
            warnings=WarningLog() if reading.silent or reading.conditions else self._warnings,
            label=label,
            variables=self._variables,
        )
        self._fetch_tables(reading.query)
        try:
            lineage = tracer.trace(reading, self._target_columns)
        except StatementError:
            if not reading.conditions:
                raise
            lineage = QueryLineage(uses=Uses(hidden=True))
        if reading.assigns:
            self._assign(reading.assigns, lineage, adds=adds)
        if reading.conditions:
            # It shows how the statement chooses rows. What the statement reads, its other readings say.
            return Step(lineage=QueryLineage(uses=lineage.uses), defines=True)
        if reading.silent:
            lineage = QueryLineage(inputs=lineage.inputs, uses=lineage.uses)
        elif reading.target is not None and not reading.temporary:
            lineage = without_itself(lineage, self._tables.own(reading.target, sole=reading.sole).datasets)
        return Step(lineage=lineage, creates=reading.creates, temporary=reading.temporary)

    def _assign(self, names: Sequence[str], lineage: QueryLineage, *, adds: bool) -> None:
        """Give variables the values of a row: one each, or the row to a record."""
        fields = lineage.row.fields
        whole = len(names) == 1 and len(fields) != 1
        for i, name in enumerate(names):
            value = lineage.row.value() if whole or i >= len(fields) else fields[i].value
            key = self._fold(name)
            before = self._variables.get(key) if adds else None
            self._variables[key] = union((before, value)) if before is not None else value

    def _fetch_tables(self, query: exp.Query) -> None:
        """Ask the catalog for the tables of a query, before the time for its analysis starts."""
        inner = {self._fold(one.alias) for one in query.find_all(exp.CTE)}
        for table in query.find_all(exp.Table):
            if len(table.parts) > 1 or self._fold(table.name) not in inner:
                self._tables.fetch(table)

    def _resolve(self, table: exp.Table, reading: Reading, label: str) -> Source:
        key = self._key(table)
        target = self._target(reading)
        version = self._made.version(key)
        if version is not None and version.made:
            return version.source(result=key == target and not reading.anew)
        if key in self._not_made:
            return Source(unknown=True)
        if key and key == target and not reading.temporary:
            return self._tables.own(table, sole=reading.sole)
        return self._tables.resolve(table, None if reading.conditions else label)

    def _key(self, table: exp.Table) -> str:
        """The key of a table that a statement reads or changes. Without a schema, a temporary one comes first."""
        temporary = self._tables.temporary_key(table)
        return temporary if self._made.version(temporary) is not None else self._tables.key(table)

    def _target(self, reading: Reading | Definition) -> str | None:
        if reading.target is None:
            return None
        creates = isinstance(reading, Definition) or reading.creates
        if creates and reading.temporary:
            return self._tables.temporary_key(reading.target) or None
        return (self._tables.key(reading.target) if creates else self._key(reading.target)) or None

    def _target_columns(self, target: exp.Table) -> Sequence[str] | None:
        version = self._made.version(self._key(target))
        columns = version.columns() if version is not None else None
        return columns if columns is not None else self._tables.known_columns(target)

    def _leave_out(self, context: str, error: StatementError) -> None:
        follows = not self._complete and str(error) == FROM_VARIABLES
        self._complete = False
        if not follows:  # The statement that could not be read may have given the variables their values.
            self._warnings.add("unparsed_sql", "SQL not understood", str(error), context)


def _used_columns(uses: Uses) -> tuple[UsedColumn, ...]:
    """Every column that is named, once with each of its uses, or with ``select`` if it has none."""
    used = {column for column, _ in uses.columns}
    found = {*uses.columns, *((column, "select") for column in uses.named - used)}
    return tuple(sorted(UsedColumn(dataset=one.dataset, column=one.column, use=use) for one, use in found))
