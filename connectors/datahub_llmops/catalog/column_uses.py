"""What a declared job says of the columns that its SQL uses besides selecting them, on its edge to the index. Pure.

Such a column decides which rows the index has: the job joins, filters, groups or sorts by it. Its values are not in
the index. So it has no entry in ``fineGrainedLineages``: DataHub's UI, search by impact, and whatever carries terms
along lineage take every entry there for values, whatever its operation says.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from datahub_llmops.catalog.confirmation import NOT_CONFIRMED_SINCE
from datahub_llmops.catalog.protocol import Aspect
from datahub_llmops.catalog.urn_text import asset_of, entity_type, field_urns, full_name, simple_path
from datahub_llmops.net.json_values import mapping, objects, strings, text

USED_COLUMNS: Final = "used_columns"
"""Property of a job's edge to an index, as JSON: recipe -> ``columns`` (dataset -> column -> uses) and ``hidden``, the
datasets of which the SQL may use further columns. An edge without it says nothing about uses."""

ORDER: Final = ("join", "filter", "group by", "sort", "window", "select")
"""The uses, in the order in which they are listed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedUses:
    """What one declaration says: dataset -> column -> uses, and the datasets with further uses that are not known."""

    columns: Mapping[str, Mapping[str, Sequence[str]]] = field(default_factory=dict)
    hidden: Sequence[str] = ()

    def to_obj(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return {"columns": self.columns, "hidden": list(self.hidden)}


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class ColumnUse:
    """One column that the SQL of ``job`` uses for ``index``.

    ``used_in`` are the uses, such as ``join``. It is empty if the job reads the table and does not say what it does
    with this column; ``index`` is then ``None`` unless the job says so of one index.
    """

    column: str
    job: str
    index: str | None
    used_in: tuple[str, ...] = ()
    not_confirmed_since: str | None = None


def write_uses(stated: Mapping[str, StatedUses]) -> str:
    """Return the value of the property."""
    return json.dumps(
        {recipe: uses.to_obj() for recipe, uses in stated.items()}, sort_keys=True, ensure_ascii=False
    )


def read_uses(properties: Mapping[str, Any]) -> dict[str, StatedUses] | None:
    """Return what each recipe states; ``None`` if the property is absent or unreadable."""
    try:
        named = json.loads(text(properties.get(USED_COLUMNS)) or "null")
    except (ValueError, RecursionError):
        return None
    if not isinstance(named, dict):
        return None
    return {
        str(recipe): StatedUses(
            columns={
                str(dataset): {str(column): strings(uses) for column, uses in mapping(columns).items()}
                for dataset, columns in mapping(mapping(stated).get("columns")).items()
            },
            hidden=strings(mapping(stated).get("hidden")),
        )
        for recipe, stated in named.items()
    }


def uses_on_edges(aspect: Mapping[str, Any]) -> dict[str, tuple[list[StatedUses], str | None]]:
    """Map each index of a ``dataJobInputOutput`` that states uses to them, and to since when it is not confirmed."""
    found: dict[str, tuple[list[StatedUses], str | None]] = {}
    for edge in objects(aspect.get("outputDatasetEdges")):
        index, properties = text(edge.get("destinationUrn")), mapping(edge.get("properties"))
        stated = read_uses(properties)
        if index and stated is not None:
            found[index] = (list(stated.values()), text(properties.get(NOT_CONFIRMED_SINCE)))
    return found


class _Readable(Protocol):
    def jobs_using(self, columns: Iterable[str]) -> Iterable[str]: ...

    def aspects_of(
        self, urns: Iterable[str], names: Sequence[str] = ()
    ) -> Mapping[str, Mapping[str, Aspect]]: ...


def uses_of(catalog: _Readable, columns: Iterable[str]) -> tuple[ColumnUse, ...]:
    """List what jobs do with columns besides passing their values on, sorted.

    Raises:
        CatalogError: the catalog cannot answer.
    """
    wanted = sorted({urn for urn in columns if entity_type(urn) == "schemaField"})
    jobs = sorted(catalog.jobs_using(wanted)) if wanted else []
    if not jobs:
        return ()
    held = catalog.aspects_of(jobs, ["dataJobInputOutput"])
    return find_uses({job: mapping(held.get(job, {}).get("dataJobInputOutput")) for job in jobs}, wanted)


def find_uses(jobs: Mapping[str, Mapping[str, Any]], columns: Iterable[str]) -> tuple[ColumnUse, ...]:
    """List the uses of columns in the ``dataJobInputOutput`` of jobs, and the jobs that do not say."""
    wanted = [(column, asset_of(column), simple_path(full_name(column))) for column in columns]
    found: set[ColumnUse] = set()
    for job, aspect in jobs.items():
        stated, inputs = uses_on_edges(aspect), _inputs(aspect)
        for column, table, name in wanted:
            found.update(_stated_uses(job, stated, column, table, name))
            if not stated and table in inputs:
                found.add(ColumnUse(column=column, job=job, index=None))
    return tuple(sorted(found, key=lambda one: (one.column, one.job, one.index or "")))


def _stated_uses(
    job: str, stated: Mapping[str, tuple[list[StatedUses], str | None]], column: str, table: str, name: str
) -> Iterator[ColumnUse]:
    for index, (parts, since) in stated.items():
        used = {
            use
            for part in parts
            for named, uses in part.columns.get(table, {}).items()
            if simple_path(named) == name
            for use in uses
        }
        if used or any(table in part.hidden for part in parts):
            yield ColumnUse(
                column=column,
                job=job,
                index=index,
                used_in=tuple(use for use in ORDER if use in used),
                not_confirmed_since=since,
            )


def _inputs(aspect: Mapping[str, Any]) -> set[str]:
    edges = (text(edge.get("destinationUrn")) for edge in objects(aspect.get("inputDatasetEdges")))
    return {urn for urn in (*edges, *strings(aspect.get("inputDatasets"))) if urn}


def columns_named(aspect: Mapping[str, Any]) -> tuple[set[str], set[str]] | None:
    """Return the columns that a ``dataJobInputOutput`` says are used, and the tables of which it does not know all.

    Columns are in both spellings of their URN. ``None`` if it says nothing about uses.
    """
    stated = [part for parts, _ in uses_on_edges(aspect).values() for part in parts]
    if not uses_on_edges(aspect):
        return None
    columns = {
        urn
        for part in stated
        for table, named in part.columns.items()
        for column in named
        for urn in field_urns(table, column)
    }
    return columns, {urn for part in stated for urn in part.hidden}
