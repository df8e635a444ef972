"""Declared embedding jobs: what they read, and which source columns end in which fields of the index."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

from datahub_llmops.assets.collections import Collection
from datahub_llmops.lineage import provenance
from datahub_llmops.lineage.job_config import ChunkingConfig, EmbeddingJobConfig, UpstreamConfig
from datahub_llmops.lineage.provenance import ProvenanceConfig, Rules, SourceCount, identity
from datahub_llmops.lineage.schema_lookup import SchemaLookup
from datahub_llmops.lineage.sql.tables import Column, Tables
from datahub_llmops.lineage.sql.trace import Output, SqlLineage, trace
from datahub_llmops.lineage.warning import LineageWarning

__all__ = [
    "ChunkingConfig",
    "ColumnEdge",
    "EmbeddingJobConfig",
    "FoundBy",
    "Input",
    "JobLineage",
    "Joined",
    "UpstreamConfig",
    "join",
    "resolve",
]

FoundBy: TypeAlias = Literal["declared", "payload", "hook"]
"""Which way found an edge; an edge lists them in this order."""

_WAYS: Final[tuple[FoundBy, ...]] = ("declared", "payload", "hook")

_NESTED: Final = "metadata."
"""Where LangChain nests a chunk's metadata in stores whose payloads nest."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Input:
    """A dataset that feeds an index, and which ways found it. ``chunks`` is the payload's count, where it has one."""

    urn: str
    found_by: tuple[FoundBy, ...]
    chunks: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class ColumnEdge:
    """A column of ``dataset`` feeds the field ``field`` of the index."""

    dataset: str
    column: str
    field: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobLineage:
    """What one declared job reads and writes.

    ``inputs`` and ``columns`` are sorted. ``unknown`` are datasets that the job names and the catalog does not have:
    no edge ends there. ``sql`` holds the job's statements as declared.
    """

    job: EmbeddingJobConfig
    index_urn: str
    inputs: tuple[Input, ...] = ()
    columns: tuple[ColumnEdge, ...] = ()
    sql: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    warnings: tuple[LineageWarning, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """Declared and found sources of one index, each edge once.

    ``rest`` are the sources that only the payload shows: they belong into the index's own ``upstreamLineage``.
    """

    jobs: tuple[JobLineage, ...]
    rest: tuple[Input, ...]


def resolve(
    job: EmbeddingJobConfig,
    collection: Collection,
    index_urn: str,
    lookup: SchemaLookup,
    rules: Rules | None = None,
) -> JobLineage:
    """Lineage of one declared job into ``collection``.

    ``lookup`` is the catalog, or ``NoCatalog()`` where none is configured. ``rules`` turn files that SQL reads into
    datasets; without them the built-in ones do.

    Raises:
        CatalogError: the catalog cannot answer.
    """
    return _Job(job, collection, index_urn, lookup, rules).lineage()


def join(jobs: Sequence[JobLineage], found: Iterable[SourceCount]) -> Joined:
    """Put declared inputs and payload sources together: a table that is both is one edge, spelled as declared.

    Jobs that were declared for one index share what its payload shows.
    """
    chunks: dict[str, int] = {}
    spelled: dict[str, str] = {}
    for source in found:
        key = identity(source.urn)
        chunks[key] = chunks.get(key, 0) + source.chunks
        spelled.setdefault(key, source.urn)

    def both(one: Input) -> Input:
        key = identity(one.urn)
        if key not in chunks:
            return one
        names = tuple(way for way in _WAYS if way == "payload" or way in one.found_by)
        return replace(one, found_by=names, chunks=chunks[key])

    # The index is no source of itself.
    seen = {identity(urn) for job in jobs for urn in (job.index_urn, *(one.urn for one in job.inputs))}
    return Joined(
        jobs=tuple(replace(job, inputs=tuple(both(one) for one in job.inputs)) for job in jobs),
        rest=tuple(
            sorted(
                Input(urn=urn, found_by=("payload",), chunks=chunks[key])
                for key, urn in spelled.items()
                if key not in seen
            )
        ),
    )


class _Job:
    """Works out one job; ``lineage`` is called once."""

    def __init__(
        self,
        job: EmbeddingJobConfig,
        collection: Collection,
        index_urn: str,
        lookup: SchemaLookup,
        rules: Rules | None,
    ) -> None:
        self._job = job
        self._index_urn = index_urn
        self._lookup = lookup
        self._rules = rules
        self._fields = _Fields(collection)
        self._text_fields = _text_fields(collection)
        self._warnings: list[LineageWarning] = []
        self._edges: set[ColumnEdge] = set()

    def lineage(self) -> JobLineage:
        traced = [self._upstream(upstream) for upstream in self._job.upstream]
        outputs = [output for one in traced for output in one.outputs]
        complete = all(one.complete for one in traced)
        self._map_fields(outputs, complete)
        self._map_text(outputs, complete)
        inputs = {urn for one in traced for urn in one.inputs}
        return JobLineage(
            job=self._job,
            index_urn=self._index_urn,
            inputs=tuple(Input(urn=urn, found_by=("declared",)) for urn in sorted(inputs)),
            columns=tuple(sorted(self._edges)),
            sql=tuple(upstream.text.strip() for upstream in self._job.upstream if upstream.text is not None),
            unknown=tuple(sorted({urn for one in traced for urn in one.unknown})),
            warnings=tuple(dict.fromkeys(self._warnings)),
        )

    def _upstream(self, upstream: UpstreamConfig) -> SqlLineage:
        rules = self._rules or provenance.compile(ProvenanceConfig(), env=upstream.env)
        result = self._tables(upstream, rules) if upstream.tables else trace(upstream, self._lookup, rules)
        name = self._job.name
        self._warnings += [replace(one, context=f"job {name}: {one.context}") for one in result.warnings]
        return result

    def _tables(self, upstream: UpstreamConfig, rules: Rules) -> SqlLineage:
        """Listed tables as if all their columns were selected; a name that two of them have is nobody's."""
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
                    "Ambiguous column",
                    "Several of the listed tables have this column, so no edge was drawn from it:"
                    " give the SQL of the job.",
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
            warnings=tuple(tables.warnings),
        )

    def _map_fields(self, outputs: Sequence[Output], complete: bool) -> None:
        mapped: Mapping[str, str] = self._job.fields
        for column, field in mapped.items():
            path = self._fields.find(field)
            if path is None:
                self._warn(
                    "Mapped field not in the index",
                    "The index has no such payload field, so no edge was drawn to it: correct fields, or fill the"
                    " index first.",
                    field,
                )
            for output in self._named(column, outputs, complete):
                if path is not None:
                    self._feed(output, path)
        # What the recipe maps goes where it says, and nothing else goes there.
        taken = {output.name for column in mapped for output in _find(column, outputs)}
        filled = {self._fields.find(field) for field in mapped.values()}
        for output in outputs:
            path = None if output.name in taken else self._fields.find(output.name)
            if path is not None and path not in filled:
                self._feed(output, path)

    def _map_text(self, outputs: Sequence[Output], complete: bool) -> None:
        if self._job.text_columns and not self._text_fields:
            self._warn(
                "No field for the text",
                "The index shows neither a text field nor a dense vector, so text_columns feed nothing.",
                ", ".join(self._job.text_columns),
            )
        for column in self._job.text_columns:
            for output in self._named(column, outputs, complete):
                for field in self._text_fields:
                    self._feed(output, field)

    def _named(self, column: str, outputs: Sequence[Output], complete: bool) -> Sequence[Output]:
        found = _find(column, outputs)
        if not found:
            self._warn(
                "Column not in the output",
                "The job's upstream gives no such column, so no edge was drawn from it: correct text_columns or"
                " fields, or the SQL."
                if complete
                else "Not all columns that the job's upstream gives are known, and this one is not among those that"
                " are: see the other warnings of the job.",
                column,
            )
        return found

    def _feed(self, output: Output, field: str) -> None:
        self._edges.update(
            ColumnEdge(dataset=source.dataset, column=source.column, field=field) for source in output.sources
        )

    def _warn(self, title: str, message: str, what: str) -> None:
        self._warnings.append(
            LineageWarning(title=title, message=message, context=f"job {self._job.name}: {what}")
        )


class _Fields:
    """The payload fields of an index, found by the name that a recipe or a query gives them."""

    def __init__(self, collection: Collection) -> None:
        paths = [field.path for field in collection.fields]
        if collection.text_field is not None:
            paths.append(collection.text_field)
        self._paths = frozenset(paths)
        self._by_case: dict[str, set[str]] = {}
        for path in paths:
            self._by_case.setdefault(path.lower(), set()).add(path)

    def find(self, name: str) -> str | None:
        """The path of ``name``: spelled so, else in another case, else below ``metadata.``; ``None`` if ambiguous."""
        for wanted in (name, f"{_NESTED}{name}"):
            if wanted in self._paths:
                return wanted
            matches = self._by_case.get(wanted.lower(), set())
            if len(matches) == 1:
                return next(iter(matches))
        return None


def _find(column: str, outputs: Sequence[Output]) -> Sequence[Output]:
    exact = [output for output in outputs if output.name == column]
    return exact or [output for output in outputs if output.name.lower() == column.lower()]


def _text_fields(collection: Collection) -> tuple[str, ...]:
    text = (collection.text_field,) if collection.text_field is not None else ()
    return (*text, *(vector.name for vector in collection.vectors if not vector.sparse))
