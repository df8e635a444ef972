"""SQL -> the datasets it reads, and the source columns of each of its output columns.

DataHub's ``sqlglot_lineage`` does the tracing, so that answers agree with those of the warehouse connectors. What it
gets wrong without saying so is put right before it sees a statement, or refused with a warning:

* names are folded and replaced by stand-ins that were resolved against the catalog, without regard to case;
* output columns are numbered, so that equal names, unnamed columns and the target lists of INSERT, MERGE, CREATE
  ... AS and UPDATE give the right names;
* ``SELECT *`` and unqualified columns that no schema settles are warned of.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import sqlglot
from datahub.sql_parsing.sqlglot_lineage import SqlParsingResult, sqlglot_lineage
from datahub.utilities.cooperative_timeout import CooperativeTimeoutError, cooperative_timeout
from sqlglot import exp
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.qualify_tables import qualify_tables
from sqlglot.optimizer.scope import traverse_scope

from datahub_llmops.errors import StatementError
from datahub_llmops.lineage.job_config import UpstreamConfig
from datahub_llmops.lineage.provenance import Rules
from datahub_llmops.lineage.schema_lookup import SchemaLookup
from datahub_llmops.lineage.sql.outputs import (
    OUTPUT,
    Spelling,
    feeds_output,
    leftmost,
    number_outputs,
    physical_tables,
    shorten,
)
from datahub_llmops.lineage.sql.rewrites import WARN, Functions, bring_outer_tables, spread_rows
from datahub_llmops.lineage.sql.statements import (
    PARSE_ERRORS,
    Definition,
    Reading,
    Statement,
    parse,
    quiet,
    readings,
    split,
)
from datahub_llmops.lineage.sql.tables import Column, Source, StandIns, Tables, fold, folder
from datahub_llmops.lineage.warning import LineageWarning

QUALIFY_SECONDS: Final = 30.0
"""Wall time for finding out where the columns of one statement come from; DataHub bounds the tracing itself (10 s)."""

_STAND_IN: Final = "llmops_t"
_UNNAMED: Final = re.compile(r"_col_\d+", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """One output column as the statement spells it, and the columns that its values come from, sorted."""

    name: str
    sources: tuple[Column, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlLineage:
    """What a statement or script reads and gives.

    ``inputs`` are dataset URNs, sorted. ``unknown`` are those that the catalog does not have; they are not among the
    inputs. ``complete`` is false where output columns may be missing.
    """

    inputs: tuple[str, ...] = ()
    outputs: tuple[Output, ...] = ()
    unknown: tuple[str, ...] = ()
    complete: bool = True
    warnings: tuple[LineageWarning, ...] = ()


def trace(config: UpstreamConfig, lookup: SchemaLookup, rules: Rules) -> SqlLineage:
    """Lineage of the SQL of ``config``; every statement is judged by itself.

    Raises:
        CatalogError: the catalog cannot answer.
    """
    script = _Script(config, lookup, rules)
    script.run()
    return script.result()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Traced:
    """Lineage of one reading. ``target`` is the folded name of the table it writes."""

    inputs: frozenset[str]
    outputs: tuple[Output, ...]
    complete: bool
    target: str | None = None
    creates: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Prepared:
    """A reading whose tables are resolved and replaced by stand-ins. ``sources`` are keyed by stand-in."""

    query: exp.Query
    sources: Mapping[str, Source]
    spelling: Spelling


class _Script:
    def __init__(self, config: UpstreamConfig, lookup: SchemaLookup, rules: Rules) -> None:
        self._config = config
        self._dialect = config.dialect
        self._fold = folder(config.dialect)
        self._tables = Tables(config, lookup, rules)
        self._warnings: list[LineageWarning] = []
        self._traced: list[_Traced] = []
        self._read_again: set[str] = set()
        self._refused = False

    def run(self) -> None:
        try:
            statements = split(self._config.text or "", self._dialect)
        except StatementError as error:
            self._refuse("the SQL", error)
            return
        if not statements:
            self._warn(
                "SQL without a statement", "There is no statement in it: correct sql or sql_file.", "the SQL"
            )
        for statement in statements:
            try:
                self._statement(statement)
            except StatementError as error:
                self._refuse(statement.label, error)

    def result(self) -> SqlLineage:
        kept = [one for one in self._traced if one.target not in self._read_again]
        sources: dict[str, set[Column]] = {}
        for one in kept:
            for output in one.outputs:
                sources.setdefault(output.name, set()).update(output.sources)
        return SqlLineage(
            inputs=tuple(sorted(frozenset().union(*(one.inputs for one in kept)))),
            outputs=tuple(Output(name=name, sources=tuple(sorted(found))) for name, found in sources.items()),
            unknown=tuple(dict.fromkeys(self._tables.unknown)),
            complete=not self._refused and all(one.complete for one in kept),
            warnings=tuple(dict.fromkeys((*self._tables.warnings, *self._warnings))),
        )

    def _statement(self, statement: Statement) -> None:
        for reading in readings(parse(statement, self._dialect)):
            if isinstance(reading, Definition):
                outputs = tuple(Output(name=name) for name in reading.names)
                target = self._tables.key(reading.target)
                self._traced.append(
                    _Traced(inputs=frozenset(), outputs=outputs, complete=True, target=target, creates=True)
                )
                continue
            prepared = self._prepare(reading, statement.label)
            self._traced.append(self._trace(reading, prepared, statement.label))

    def _prepare(self, reading: Reading, label: str) -> _Prepared:
        query = reading.query.copy()
        fold(query, self._fold)
        spelling = Spelling(query)
        shorten(query)
        functions = Functions(self._fold)
        functions.rewrite(query)
        if functions.unknown:
            self._warn("Table function not understood", WARN, label)
            self._refused = True
        with _sqlglot():
            query = qualify_tables(query, dialect=self._dialect)
            tables = physical_tables(query)
        sources: dict[str, Source] = {}
        for table in tables:
            name = self._fold(f"{_STAND_IN}{len(sources)}")
            sources[name] = self._source(table, reading.target, functions.files, label)
            table.set("this", exp.to_identifier(name, quoted=True))
            table.set("db", None)
            table.set("catalog", None)
        spread_rows(query, lambda table: sources[table.name].columns if table.name in sources else None)
        with _sqlglot():
            return _Prepared(query=self._qualified(query, sources), sources=sources, spelling=spelling)

    def _source(
        self, table: exp.Table, target: exp.Table | None, files: Mapping[str, tuple[str, ...]], label: str
    ) -> Source:
        if table.name in files:
            return self._tables.files(files[table.name], label)
        key = self._tables.key(table)
        made = [one for one in self._traced if key and one.target == key]
        if any(one.creates for one in made):
            self._read_again.add(key)
            return self._made_before(made)
        if target is not None and key and key == self._tables.key(target):
            # What a statement reads back from its own target is no upstream, known or not.
            return Source()
        return self._tables.resolve(table, label)

    def _made_before(self, made: Sequence[_Traced]) -> Source:
        """A table that earlier statements of the script made: what they read stands behind it."""
        columns: dict[str, tuple[Column, ...]] = {}
        for one in made:
            for output in one.outputs:
                name = self._fold(output.name)
                columns[name] = tuple(sorted({*columns.get(name, ()), *output.sources}))
        return Source(
            datasets=tuple(sorted(frozenset().union(*(one.inputs for one in made)))),
            columns=columns if all(one.complete for one in made) else None,
            made=True,
        )

    def _qualified(self, query: exp.Expr, sources: Mapping[str, Source]) -> exp.Query:
        schema = sqlglot.MappingSchema(dialect=self._dialect, normalize=False)
        for name, source in sources.items():
            if source.columns is not None:
                table = exp.Table(this=exp.to_identifier(name, quoted=True))
                schema.add_table(table, dict.fromkeys(source.columns, "UNKNOWN"))
        query = qualify(
            query,
            dialect=self._dialect,
            schema=schema,
            validate_qualify_columns=False,
            allow_partial_qualification=True,
            # Valid SQL names a column without its table only where one table can have it.
            infer_schema=True,
            identify=True,
        )
        if not isinstance(query, exp.Query):
            raise TypeError(f"expected a query, got {type(query).__name__}")
        bring_outer_tables(query)
        return query

    def _trace(self, reading: Reading, prepared: _Prepared, label: str) -> _Traced:
        with _sqlglot():
            complete = self._judge(prepared, label)
        names = self._output_names(reading, prepared, label)
        number_outputs(prepared.query)
        with quiet():
            result = sqlglot_lineage(
                prepared.query, StandIns(self._config, prepared.sources), override_dialect=self._dialect
            )
        if result.debug_info.table_error is not None:
            raise StatementError("DataHub's lineage cannot analyse it: name its tables instead.")
        if result.debug_info.column_error is not None:
            complete = False
            self._warn(
                "No column lineage",
                "DataHub's lineage traced its tables but not its columns, or took too long for them.",
                label,
            )
        target = reading.target
        inputs = {
            urn
            for name in result.in_tables
            if name in prepared.sources
            for urn in prepared.sources[name].datasets
        }
        return _Traced(
            inputs=frozenset(inputs),
            outputs=tuple(self._outputs(result, prepared, names, label)),
            complete=complete,
            target=self._tables.key(target) or None if target is not None else None,
            creates=reading.creates,
        )

    def _judge(self, prepared: _Prepared, label: str) -> bool:
        """Warn of what no schema settles; whether all output columns are known."""
        complete = True
        loose: list[str] = []
        for scope in traverse_scope(prepared.query):
            if not isinstance(scope.expression, exp.Select) or not feeds_output(scope):
                continue
            if any(one.is_star or one.find(exp.Columns) for one in scope.expression.selects):
                complete = False
                self._warn(
                    "SELECT * without a schema",
                    "The columns behind a * are not known to the catalog, so no column edges were drawn from it:"
                    " run the recipe of the tables' platform first, or name the columns.",
                    label,
                )
            unqualified = {id(column) for column in scope.unqualified_columns}
            loose += [
                column.name
                for projection in scope.expression.selects
                for column in projection.find_all(exp.Column)
                if id(column) in unqualified
            ]
        if loose:
            self._warn(
                "Column of an unknown table",
                "More than one table may have this column, or none has it in the catalog:"
                " write the table before it, or correct the name.",
                f"{', '.join(sorted({name.lower() for name in loose}))}, in {label}",
            )
        return complete

    def _output_names(self, reading: Reading, prepared: _Prepared, label: str) -> list[str | None]:
        """Names of the outputs by position, ``None`` for stars and for columns without a name."""
        selects = leftmost(prepared.query).selects
        known = not any(projection.is_star for projection in selects)
        fixed = reading.names
        if reading.positional and reading.target is not None:
            fixed = self._target_columns(reading.target)
        if fixed is not None and known and len(fixed) == len(selects):
            return list(fixed)
        if fixed is not None or reading.positional:
            self._warn(
                "Target columns not matched",
                "The columns of its target are not known, or are not as many as its query is known to give:"
                " the query's own names were taken. Name the target's columns.",
                label,
            )
        if prepared.spelling.names is not None:
            return list(prepared.spelling.names)
        spelled = {
            name: columns[0].column
            for source in prepared.sources.values()
            for name, columns in (source.columns or {}).items()
            if columns and not source.made
        }
        return [self._star_name(one, {**prepared.spelling.all, **spelled}) for one in selects]

    def _target_columns(self, target: exp.Table) -> tuple[str, ...] | None:
        key = self._tables.key(target)
        for one in self._traced:
            if one.creates and one.target == key:
                return tuple(output.name for output in one.outputs)
        return self._tables.known_columns(target)

    @staticmethod
    def _star_name(projection: exp.Expr, spelled: Mapping[str, str]) -> str | None:
        name = projection.alias_or_name
        if projection.is_star or _UNNAMED.fullmatch(name):
            return None
        return spelled.get(name, name.lower())

    def _outputs(
        self, result: SqlParsingResult, prepared: _Prepared, names: Sequence[str | None], label: str
    ) -> list[Output]:
        outputs: list[Output] = []
        missing: set[str] = set()
        unnamed = False
        traced = {one.downstream.column.lower(): one.upstreams for one in result.column_lineage or ()}
        for position, name in enumerate(names):
            upstreams = traced.get(f"{OUTPUT}{position}")
            if name is None:
                unnamed = unnamed or bool(upstreams)
                continue
            found: set[Column] = set()
            for upstream in upstreams or ():
                columns = self._columns(prepared, upstream.table, self._fold(upstream.column))
                if columns is None:
                    missing.add(upstream.column.lower())
                found.update(columns or ())
            outputs.append(Output(name=name, sources=tuple(sorted(found))))
        if missing:
            self._warn(
                "Column not in the catalog",
                "The catalog's schema of its table lacks this column, so no edge was drawn from it.",
                f"{', '.join(sorted(missing))}, in {label}",
            )
        if unnamed:
            self._warn(
                "Output column without a name",
                "An output column has no name that a field could be mapped to: give it one with AS.",
                label,
            )
        return outputs

    @staticmethod
    def _columns(prepared: _Prepared, name: str, column: str) -> tuple[Column, ...] | None:
        """The columns that a folded name means in a source; ``None`` where its schema lacks the name."""
        source = prepared.sources.get(name, Source())
        if source.columns is None:
            text = prepared.spelling.quoted.get(column, column.lower())
            return tuple(Column(dataset=urn, column=text) for urn in source.datasets)
        # A field of a struct that the schema does not list belongs to the struct.
        found = source.columns.get(column, source.columns.get(column.split(".", 1)[0]))
        if found is None or len(found) < 2 or source.made:
            return found
        exact = tuple(one for one in found if one.column in prepared.spelling.written)
        return exact or found

    def _refuse(self, label: str, error: StatementError) -> None:
        self._refused = True
        self._warn("SQL not understood", str(error), label)

    def _warn(self, title: str, message: str, context: str) -> None:
        self._warnings.append(LineageWarning(title=title, message=message, context=context))


@contextmanager
def _sqlglot() -> Iterator[None]:
    """What sqlglot fails on, or takes too long for, is a statement without lineage, not a broken run."""
    try:
        with quiet(), cooperative_timeout(QUALIFY_SECONDS):
            yield
    except CooperativeTimeoutError as error:
        raise StatementError("It took too long to analyse: name its tables instead.") from error
    except PARSE_ERRORS as error:
        raise StatementError("sqlglot cannot analyse it: name its tables instead.") from error
