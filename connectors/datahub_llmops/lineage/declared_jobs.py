"""Lineage of declared embedding jobs: what each job reads, and which source columns feed which fields."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Final

from datahub_llmops.assets.collections import Collection
from datahub_llmops.lineage import provenance
from datahub_llmops.lineage.found_by import WAYS, FoundBy, Input
from datahub_llmops.lineage.index_fields import IndexFields, nearest
from datahub_llmops.lineage.job_config import ChunkingConfig, EmbeddingJobConfig, UpstreamConfig
from datahub_llmops.lineage.provenance import ProvenanceConfig, Rules, SourceCount, identity
from datahub_llmops.lineage.schema_lookup import SchemaLookup
from datahub_llmops.lineage.sql.columns import Output
from datahub_llmops.lineage.sql.every_row import gives_every_row
from datahub_llmops.lineage.sql.tables import Tables
from datahub_llmops.lineage.sql.trace import SqlLineage, UsedColumn, trace
from datahub_llmops.lineage.sql.values import Column
from datahub_llmops.lineage.warning import UNRESOLVED, Kind, LineageWarning, WarningLog

__all__ = [
    "WAYS",
    "ChunkingConfig",
    "ColumnEdge",
    "EmbeddingJobConfig",
    "FoundBy",
    "Input",
    "JobLineage",
    "Joined",
    "UpstreamConfig",
    "merge_sources",
    "trace_job",
]

_LOSES_COLUMNS: Final[frozenset[Kind]] = frozenset({"stopped_at_tables", "less_than_before"})
"""Warnings about a job, apart from those of its SQL, after which columns of any of its tables may lack an edge."""

_HIDES_TABLES: Final[frozenset[Kind]] = frozenset({"unparsed_sql", "unknown_table", "unknown_function"})
"""Warnings behind which a table may stand that the job reads."""

_KEY: Final = re.compile(r"(^|_)(id|ids|pk|uuid|guid|key|rowid|oid)$|(?-i:[a-z]I[dD]$)", re.IGNORECASE)
"""Names of columns that are keys of rows."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class ColumnEdge:
    """An edge from a column of ``dataset`` to the field ``field`` of the collection."""

    dataset: str
    column: str
    field: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobUses:
    """What the SQL of a job does with columns besides giving their values to the index.

    ``columns`` are sorted; a column that the SQL only names has the use ``select``. ``hidden`` are the datasets of
    which it may use further columns, sorted: a name could not be resolved, or the job has no SQL.
    """

    columns: tuple[UsedColumn, ...] = ()
    hidden: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class JobLineage:
    """What one declared job reads and writes.

    ``inputs`` and ``columns`` are sorted. ``unknown`` are datasets that the job names but the catalog does not have;
    they get no edges. ``sql`` holds the SQL of the job as declared. ``stopped_at_tables`` counts its statements whose
    edges end at tables because columns could not be traced. ``untraced`` are the tables of which columns without an
    edge may be in the collection nevertheless. ``homeless`` are output columns for which the collection has no field.
    ``uses`` are the columns by which its SQL joins, filters, groups and sorts.
    """

    job: EmbeddingJobConfig
    index_urn: str
    inputs: tuple[Input, ...] = ()
    columns: tuple[ColumnEdge, ...] = ()
    sql: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    homeless: tuple[str, ...] = ()
    stopped_at_tables: int = 0
    untraced: tuple[str, ...] = ()
    uses: JobUses = JobUses()
    every_row_of: tuple[str, ...] = ()
    """The inputs of which the job embeds every row, if that is so of all that it reads; else empty."""
    warnings: tuple[LineageWarning, ...] = ()

    @property
    def unresolved(self) -> tuple[LineageWarning, ...]:
        """The gaps that the recipe does not accept. With one of them, nothing of the job may be written."""
        return tuple(one for one in self._gaps if one.kind not in self.job.accept)

    @property
    def accepted(self) -> tuple[Kind, ...]:
        """The kinds of the gaps that the recipe accepts, sorted."""
        return tuple(sorted({one.kind for one in self._gaps if one.kind in self.job.accept}))

    @property
    def _gaps(self) -> Iterator[LineageWarning]:
        return (one for one in self.warnings if one.kind in UNRESOLVED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """Declared sources and payload sources of one collection, without duplicates.

    ``rest`` are the sources that only the payload names. They belong in the collection's own ``upstreamLineage``.
    """

    jobs: tuple[JobLineage, ...]
    rest: tuple[Input, ...]


def trace_job(
    job: EmbeddingJobConfig,
    collection: Collection,
    index_urn: str,
    lookup: SchemaLookup,
    rules: Rules | None = None,
    earlier: Set[ColumnEdge] = frozenset(),
) -> JobLineage:
    """Trace one declared job into ``collection``.

    ``lookup`` is the catalog, or ``NoCatalog()`` if none is configured. ``rules`` turn files that SQL reads into
    datasets. By default these are the built-in rules. ``earlier`` are the column edges into the collection that the
    job has in the catalog: a run that knows less than before says so.

    Raises:
        CatalogError: the catalog cannot answer.
    """
    return _Job(job, collection, index_urn, lookup, rules, earlier).lineage()


def merge_sources(
    jobs: Sequence[JobLineage], found: Iterable[SourceCount], *, counts_known: bool = True
) -> Joined:
    """Merge the declared inputs of a collection's jobs with the sources that its payload names.

    A table that is both becomes one edge, spelled as declared. Every job of the collection gets the payload's counts,
    unless ``counts_known`` is false because rows may be hidden.
    """
    chunks: dict[str, int] = {}
    spelled: dict[str, str] = {}
    for source in found:
        key = identity(source.urn)
        chunks[key] = chunks.get(key, 0) + source.chunks
        spelled.setdefault(key, source.urn)

    def add_payload(source: Input) -> Input:
        key = identity(source.urn)
        if key not in chunks:
            return source
        ways = tuple(way for way in WAYS if way == "payload" or way in source.found_by)
        return replace(source, found_by=ways, chunks=chunks[key] if counts_known else None)

    # A collection is not a source of itself.
    declared = {
        identity(urn) for job in jobs for urn in (job.index_urn, *(source.urn for source in job.inputs))
    }
    return Joined(
        jobs=tuple(replace(job, inputs=tuple(map(add_payload, job.inputs))) for job in jobs),
        rest=tuple(
            sorted(
                Input(urn=urn, found_by=("payload",), chunks=chunks[key] if counts_known else None)
                for key, urn in spelled.items()
                if key not in declared
            )
        ),
    )


class _Job:
    """Traces one job. Call ``lineage`` once."""

    def __init__(
        self,
        job: EmbeddingJobConfig,
        collection: Collection,
        index_urn: str,
        lookup: SchemaLookup,
        rules: Rules | None,
        earlier: Set[ColumnEdge],
    ) -> None:
        self._job = job
        self._index_urn = index_urn
        self._lookup = lookup
        self._rules = rules
        self._earlier = earlier
        self._fields = IndexFields(collection)
        self._warnings = WarningLog()
        self._edges: set[ColumnEdge] = set()
        self._homeless: set[str] = set()
        self._in_place = False
        self._stopped_at_tables = 0

    def lineage(self) -> JobLineage:
        traced = [self._trace_upstream(upstream) for upstream in self._job.upstream]
        outputs = [output for one in traced for output in one.outputs]
        complete = all(one.complete for one in traced)
        self._stopped_at_tables = sum(one.stopped_at_tables for one in traced)
        read = {urn for one in traced for urn in one.inputs}
        # A table with vectors may hold the text as well. It is not its own upstream, but its columns feed the vector.
        inputs = {urn for urn in read if identity(urn) != identity(self._index_urn)}
        self._in_place = inputs != read
        of_sql = set(self._warnings)
        self._map_fields(outputs, complete)
        self._map_text(outputs, complete)
        self._check_others(outputs)
        self._compare_with_earlier(read)
        lost = any(one.kind in _LOSES_COLUMNS for one in self._warnings if one not in of_sql)
        untraced = {urn for one in traced for urn in one.untraced} if complete and not lost else read
        return JobLineage(
            job=self._job,
            index_urn=self._index_urn,
            inputs=tuple(Input(urn=urn, found_by=("declared",)) for urn in sorted(inputs)),
            columns=tuple(sorted(self._edges)),
            sql=self._job.statements,
            unknown=tuple(sorted({urn for one in traced for urn in one.unknown})),
            homeless=tuple(sorted(self._homeless)),
            stopped_at_tables=self._stopped_at_tables,
            untraced=tuple(sorted(untraced)),
            uses=self._uses(traced),
            every_row_of=self._every_row_of(traced),
            warnings=tuple(self._warnings),
        )

    def _uses(self, traced: Sequence[SqlLineage]) -> JobUses:
        """Collect the uses of all statements. A column with an edge, or with another use, is not only named."""
        found = {use for one in traced for use in one.uses}
        known = {(edge.dataset, edge.column) for edge in self._edges}
        known |= {(one.dataset, one.column) for one in found if one.use != "select"}
        return JobUses(
            columns=tuple(
                sorted(one for one in found if one.use != "select" or (one.dataset, one.column) not in known)
            ),
            hidden=tuple(sorted({urn for one in traced for urn in one.uses_hidden})),
        )

    def _every_row_of(self, traced: Sequence[SqlLineage]) -> tuple[str, ...]:
        read = [one.inputs[0] for one in traced if len(one.inputs) == 1 and not one.unknown]
        whole = all(
            upstream.text is not None and gives_every_row(upstream.text, upstream.dialect)
            for upstream in self._job.upstream
        )
        return tuple(sorted(read)) if whole and len(set(read)) == len(traced) else ()

    def _trace_upstream(self, upstream: UpstreamConfig) -> SqlLineage:
        rules = self._rules or provenance.compile_rules(ProvenanceConfig(), env=upstream.env)
        traced = (
            self._list_tables(upstream, rules) if upstream.tables else trace(upstream, self._lookup, rules)
        )
        for warning in traced.warnings:
            self._warn(warning.kind, warning.title, warning.message, warning.context)
        return traced

    def _list_tables(self, upstream: UpstreamConfig, rules: Rules) -> SqlLineage:
        """Lineage of listed tables, as if the job selected all their columns.

        A column name that several tables have gets no source.
        """
        tables = Tables(upstream, self._lookup, rules)
        inputs: set[str] = set()
        owners: dict[str, list[Column]] = {}
        complete = True
        for name in upstream.tables or ():
            source = tables.by_name(name, "tables")
            inputs.update(source.datasets)
            complete = complete and source.columns is not None
            for same in (source.columns or {}).values():
                for column in same:
                    owners.setdefault(column.column.lower(), []).append(column)
        wanted = {name.lower() for name in (*self._job.text_columns, *self._job.fields)}
        for name, columns in sorted(owners.items()):
            if len(columns) > 1 and name in wanted:
                self._warn(
                    "ambiguous_column",
                    "Ambiguous column",
                    "Several of the listed tables have this column, so no edge was drawn from it."
                    " Give the SQL of the job instead of tables.",
                    name,
                )
        outputs = tuple(
            Output(name=columns[0].column, sources=(columns[0],) if len(columns) == 1 else ())
            for _, columns in sorted(owners.items())
        )
        return SqlLineage(
            inputs=tuple(sorted(inputs)),
            outputs=outputs,
            unknown=tuple(tables.unknown),
            complete=complete,
            uses_hidden=tuple(sorted(inputs)),
            warnings=tuple(tables.warnings),
        )

    def _map_fields(self, outputs: Sequence[Output], complete: bool) -> None:
        mapped: Mapping[str, str] = self._job.fields
        for column, field in mapped.items():
            path = self._fields.find(field)
            if path is None:
                self._warn(
                    "unknown_field",
                    "Mapped field not in the index",
                    "The collection has no payload field of this name, so no edge was drawn to it. Correct `fields`,"
                    " or fill the collection first.",
                    f"{field}; {self._fields.nearest(field)}",
                )
            for output in self._find_outputs(column, outputs, complete):
                if path is not None:
                    self._add_edges(output, path)
        # A mapped column feeds only its field, and a mapped field takes no other column.
        mapped_outputs = {output.name for column in mapped for output in _find(column, outputs)}
        mapped_paths = {self._fields.find(field) for field in mapped.values()}
        for output in outputs:
            path = None if output.name in mapped_outputs else self._fields.find(output.name)
            if path is not None and path not in mapped_paths:
                self._add_edges(output, path)

    def _map_text(self, outputs: Sequence[Output], complete: bool) -> None:
        if self._job.text_columns and not self._fields.text:
            self._warn(
                "no_text_field",
                "No field for the text",
                "The collection has neither a text field nor a dense vector, so no edge was drawn from `text_columns`."
                " Fill the collection first.",
                ", ".join(self._job.text_columns),
            )
        for column in self._job.text_columns:
            for output in self._find_outputs(column, outputs, complete):
                for field in self._fields.vectors if self._in_place else self._fields.text:
                    self._add_edges(output, field)
        if self._in_place and not self._job.text_columns:
            for field in self._fields.vectors:  # UPDATE ... SET embedding = f(body)
                for output in _find(field, outputs):
                    self._add_edges(output, field)

    def _find_outputs(self, column: str, outputs: Sequence[Output], complete: bool) -> Sequence[Output]:
        """The outputs with the name ``column``. Warns if there are none."""
        matches = _find(column, outputs)
        if not matches and (complete or not self._misses_sql):
            self._warn(
                "unknown_output" if complete else "stopped_at_tables",
                "Column not in the output",
                "The upstream of the job has no output column of this name, so no edge was drawn from it. Correct"
                " `text_columns`, `fields` or the SQL."
                if complete
                else "The job's upstream could not be read completely, and what was read has no such column."
                " See the other warnings of the job.",
                f"{column}; {nearest('columns', column, (output.name for output in outputs))}"
                if complete
                else column,
            )
        return matches

    def _check_others(self, outputs: Sequence[Output]) -> None:
        """Name the output columns that land nowhere: neither text nor mapped, and no field has their name."""
        declared = {name.lower() for name in (*self._job.text_columns, *self._job.fields)}
        for output in outputs:
            found = self._fields.find(output.name)
            vector = self._in_place and output.name in self._fields.vectors
            if not output.sources or found is not None or vector or output.name.lower() in declared:
                continue
            self._homeless.add(output.name)
            if not self._fields.paths:
                self._warn(
                    "stopped_at_tables",
                    "Index without fields",
                    "The collection shows no fields, so which of them take the columns of the SQL is not known. Fill"
                    " the collection first.",
                    self._job.index,
                )
            elif self._marks_for_payload(output.name) or self._had_field(output):
                self._warn(
                    "unmatched_output",
                    "Output column without a field",
                    "The SQL selects this column and no field of the collection has its name, so where it ends is not"
                    " known. Map it in `fields`, drop it from the SQL, or accept `unmatched_output`.",
                    f"{output.name}; {self._fields.nearest(output.name)}",
                )

    def _marks_for_payload(self, column: str) -> bool:
        """Whether the SQL names a column, which is not a key of a row: keys serve to make the ids of chunks.

        A * names nothing, and a list of tables does not either.
        """
        if _KEY.search(column):
            return False
        named = re.compile(rf"(?<!\w){re.escape(column)}(?!\w)", re.IGNORECASE)
        return any(named.search(sql) for sql in self._job.statements)

    def _had_field(self, output: Output) -> bool:
        """Whether an earlier run drew an edge from this column to a field that the collection does not show now."""
        sources = {(source.dataset, source.column) for source in output.sources}
        known = self._fields.paths | {*self._fields.vectors}
        return any(
            (edge.dataset, edge.column) in sources and edge.field not in known for edge in self._earlier
        )

    def _compare_with_earlier(self, inputs: Set[str]) -> None:
        """Warn if an earlier run traced columns that this run had no way to trace."""
        if self._misses_sql and "unparsed_sql" not in self._job.accept:
            return  # The job fails, and says why.
        accepted = _HIDES_TABLES.intersection(self._job.accept)
        any_table = any(one.kind in accepted for one in self._warnings)
        stopped = self._stopped_at_tables or any(one.kind == "stopped_at_tables" for one in self._warnings)
        if not stopped and not any_table and self._fields.paths:
            return
        # A table that the catalog no longer describes is spelled as the statement writes it.
        read = {identity(urn) for urn in inputs}
        # An unknown table may be the earlier one, misspelt, and a function or a statement that was not understood may
        # read it. Whoever accepts these did not accept that.
        lost = {edge for edge in self._earlier - self._edges if any_table or identity(edge.dataset) in read}
        if lost:
            self._warn(
                "less_than_before",
                "Less is known than before",
                "An earlier run traced these columns and this one could not. See the other warnings of the job, or"
                " accept `less_than_before` once if the job has changed.",
                ", ".join(sorted({edge.column for edge in lost})),
            )

    @property
    def _misses_sql(self) -> bool:
        """Whether a statement was not understood, so that what else is missing follows from it."""
        return any(one.kind == "unparsed_sql" for one in self._warnings)

    def _add_edges(self, output: Output, field: str) -> None:
        self._edges.update(
            ColumnEdge(dataset=source.dataset, column=source.column, field=field)
            for source in output.sources
            if source.column.lower() != field.lower() or identity(source.dataset) != identity(self._index_urn)
        )

    def _warn(self, kind: Kind, title: str, message: str, subject: str) -> None:
        self._warnings.add(kind, title, message, f"job {self._job.name}: {subject}")


def _find(column: str, outputs: Sequence[Output]) -> Sequence[Output]:
    """The outputs with the name ``column``, or if there are none, those with the name in another case."""
    exact = [output for output in outputs if output.name == column]
    return exact or [output for output in outputs if output.name.lower() == column.lower()]
