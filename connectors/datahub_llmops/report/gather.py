"""Reads everything that a report shows out of a catalog: a local file or a server.

Every question is for all assets of the report at once, so that the cost grows with what is shown and not with the
number of questions.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

from datahub_llmops.aspects.manifest import tabs
from datahub_llmops.catalog import protocol, urn_text
from datahub_llmops.catalog.aspect_facts import read_facts, read_schema_fields
from datahub_llmops.catalog.column_uses import ORDER, StatedUses, uses_on_edges
from datahub_llmops.catalog.kinds import kind_in_words
from datahub_llmops.catalog.protocol import Aspect, FullCatalog
from datahub_llmops.catalog.untraced import untraced_of
from datahub_llmops.catalog.usage_totals import PLAIN, TYPED, UsageTotals, read_usage
from datahub_llmops.governance.affected import ANSWER_LOG, APPLICATION
from datahub_llmops.net.json_values import mapping, text
from datahub_llmops.prompts.estate import PROMPT, read_estate
from datahub_llmops.prompts.page import read_pages
from datahub_llmops.report import asset_facts
from datahub_llmops.report.asset_facts import AttachedMark, ColumnFacts
from datahub_llmops.report.job_runs import read_job_runs
from datahub_llmops.report.model import (
    NOT_IN_CATALOG,
    Asset,
    Column,
    ColumnEdge,
    ColumnRef,
    ColumnUse,
    Edge,
    Fact,
    Mark,
    Owner,
    Prompt,
    PromptVersion,
    Report,
    Run,
    Table,
    Text,
    Usage,
)
from datahub_llmops.report.prompt_facts import build_prompts, build_versions
from datahub_llmops.report.quality import read_checks, read_incidents, verdict_of
from datahub_llmops.report.selection import Selection
from datahub_llmops.report.times import iso_time

_SHOWN_RUNS: Final = 10
_Aspects: TypeAlias = Mapping[str, Mapping[str, Aspect]]
Step: TypeAlias = Callable[[str], None]
"""Told what is read next, in a few words."""


@dataclass(frozen=True, kw_only=True)
class _Read:
    """What was read about all assets of a report."""

    aspects: _Aspects
    newest: _Aspects
    fields: _Aspects
    quality: Mapping[str, _Aspects]
    runs: Mapping[str, tuple[Run, ...]]
    usage: Mapping[str, Usage]
    versions: Mapping[str, PromptVersion]
    columns: Mapping[str, Sequence[ColumnFacts]]
    names: dict[str, str] = field(default_factory=dict)

    def name(self, urn: str) -> str:
        """Return the name that people know something by."""
        return self.names.get(urn) or urn_text.full_name(urn)


def gather(catalog: FullCatalog, selection: Selection, step: Step = lambda _: None) -> Report:
    """Read the facts of the chosen assets, and build the report without answers.

    Raises:
        CatalogError: the catalog cannot answer.
    """
    step("assets")
    aspects, newest = catalog.aspects_of(selection.assets), catalog.latest_of(selection.assets)
    step("prompts")
    prompts, versions = _read_prompts(catalog, selection.assets, aspects)
    step("columns")
    fields = _read_fields(catalog, aspects)
    columns = {urn: list(asset_facts.read_column_facts(urn, held, fields)) for urn, held in aspects.items()}
    step("checks")
    quality = catalog.quality(selection.assets)
    step("runs and usage")
    jobs = [urn for urn in selection.assets if urn_text.entity_type(urn) == "dataJob"]
    read = _Read(
        aspects=aspects,
        newest=newest,
        fields=fields,
        quality=quality,
        runs={job: read_job_runs(found) for job, found in catalog.runs(jobs, _SHOWN_RUNS).items()},
        usage=_read_usage(catalog, newest),
        versions=versions,
        columns=columns,
    )
    step("names")
    read.names.update(_read_names(catalog, selection, read))
    assets = [_asset(urn, read) for urn in selection.assets] + [_unknown(urn) for urn in selection.unknown]
    edges = tuple(_edges(selection.edges, aspects))
    assets = _with_usage_of_logs(assets, edges)
    return Report(
        assets=tuple(sorted(assets, key=lambda one: (one.name.casefold(), one.name, one.urn))),
        edges=edges,
        prompts=prompts,
        as_of=_newest_time(assets, newest),
        roots=selection.roots,
        directions=selection.directions,
        hops=selection.hops,
        notes=tuple(_notes(selection, edges)),
    )


# What is read


def _read_prompts(
    catalog: FullCatalog, assets: Sequence[str], aspects: _Aspects
) -> tuple[tuple[Prompt, ...], Mapping[str, PromptVersion]]:
    of_prompts = {urn for urn in assets if _subtype(aspects.get(urn, {})) == PROMPT}
    if not of_prompts:
        return (), {}
    estate = read_estate(catalog)
    shown = [one for one in estate.prompts if any(version.urn in of_prompts for version in one.placed)]
    pages = read_pages(catalog, shown)
    return build_prompts(pages, of_prompts, observed=estate.observed), build_versions(pages)


def _read_fields(catalog: FullCatalog, aspects: _Aspects) -> _Aspects:
    """Read what is attached to columns themselves."""
    return catalog.aspects_of(
        field_urn
        for urn, held in aspects.items()
        for path, _ in read_schema_fields("schemaMetadata", held)
        for field_urn in urn_text.field_urns(urn, path)
    )


def _read_usage(catalog: FullCatalog, newest: _Aspects) -> dict[str, Usage]:
    counted = [urn for urn, found in newest.items() if TYPED in found or PLAIN in found]
    if not counted:
        return {}
    totals = {urn: read_usage(series) for urn, series in catalog.series_of(counted, (TYPED, PLAIN)).items()}
    return {urn: _usage(total) for urn, total in totals.items() if total is not None}


def _read_names(catalog: FullCatalog, selection: Selection, read: _Read) -> dict[str, str]:
    """Read the names of everything that assets refer to, and take those of the assets themselves."""
    names = {urn: _name(urn, read.aspects.get(urn, {})) for urn in selection.assets}
    wanted: set[str] = set()
    for urn, held in read.aspects.items():
        wanted |= asset_facts.named_in(held, read.columns.get(urn, ()))
    for node in catalog.nodes(sorted(wanted - names.keys())):
        names[node.urn] = node.name
    return names


# What it says


def _asset(urn: str, read: _Read) -> Asset:
    held, newest, about = read.aspects.get(urn, {}), read.newest.get(urn, {}), read.quality.get(urn, {})
    checks = read_checks(about)
    entity_type, name = urn_text.entity_type(urn), read.name(urn)
    description = asset_facts.read_description(held)
    return Asset(
        urn=urn,
        type=entity_type,
        kind=kind_in_words(_subtype(held), entity_type),
        name=name,
        platform=_platform(urn, held),
        path=tuple(read.name(step) for step in asset_facts.read_container_path(held)),
        description=description,
        owners=tuple(
            Owner(urn=owner, name=read.name(owner), role=role)
            for owner, role in asset_facts.read_owner_roles(held)
        ),
        domains=tuple(read.name(domain) for domain in asset_facts.read_domains(held)),
        marks=_marks(asset_facts.read_marks(held), read),
        version=asset_facts.read_version(held) or None,
        deprecated=asset_facts.read_deprecation(held) or None,
        updated=iso_time(asset_facts.last_change(held, newest)),
        url=_url(held),
        facts=tuple(
            Fact(title=title, text=value)
            for title, value in (
                *asset_facts.property_rows(held, read.name),
                *asset_facts.size_rows(newest),
                *asset_facts.model_rows(entity_type, name),
                *asset_facts.custom_rows(held),
            )
        ),
        columns=tuple(_column(column, read) for column in read.columns.get(urn, ())),
        tables=tuple(Table(title=tab.title, columns=tab.columns, rows=tab.rows) for tab in tabs(held)),
        texts=tuple(
            Text(title="Template" if urn in read.versions else "SQL", text=statement)
            for statement in asset_facts.read_statements(held)
            if asset_facts.one_line(statement) not in asset_facts.one_line(description)
        ),
        verdict=verdict_of(checks),
        checks=checks,
        incidents=read_incidents(about),
        runs=read.runs.get(urn, ()),
        usage=read.usage.get(urn),
        prompt=read.versions.get(urn),
    )


def _unknown(urn: str) -> Asset:
    return Asset(
        urn=urn,
        type=urn_text.entity_type(urn),
        kind=NOT_IN_CATALOG,
        name=urn_text.full_name(urn),
        platform=urn_text.platform(urn),
        in_catalog=False,
    )


def _stated(held: Mapping[str, Aspect], key: str) -> str | None:
    """Return what the aspects state of an asset: its ``name``, ``subtype`` or ``platform``."""
    found = (read_facts(name, aspect).get(key) for name, aspect in sorted(held.items()))
    return next((value for value in found if isinstance(value, str)), None)


def _name(urn: str, held: Mapping[str, Aspect]) -> str:
    return _stated(held, "edited_name") or _stated(held, "name") or urn_text.full_name(urn)


def _subtype(held: Mapping[str, Aspect]) -> str | None:
    return _stated({"subTypes": held["subTypes"]}, "subtype") if "subTypes" in held else None


def _platform(urn: str, held: Mapping[str, Aspect]) -> str | None:
    return _stated(held, "platform") or urn_text.platform(urn)


def _url(held: Mapping[str, Aspect]) -> str | None:
    return next(
        (url for _, held_one in sorted(held.items()) if (url := text(held_one.get("externalUrl")))), None
    )


def _marks(attached: Iterable[AttachedMark], read: _Read) -> tuple[Mark, ...]:
    found = [
        Mark(
            kind=mark.label.kind,
            urn=mark.label.urn,
            name=read.name(mark.label.urn),
            origin=mark.origin,
            origin_name=_origin_name(mark.origin, read) if mark.origin else None,
        )
        for mark in attached
    ]
    return tuple(
        sorted(found, key=lambda mark: (mark.kind != "term", mark.name, mark.urn, mark.origin or ""))
    )


def _origin_name(urn: str, read: _Read) -> str:
    asset = urn_text.asset_of(urn)
    name = read.name(asset)
    return name if asset == urn else f"{name}.{urn_text.simple_path(urn_text.full_name(urn))}"


def _column(column: ColumnFacts, read: _Read) -> Column:
    return Column(
        path=column.path,
        type=column.type,
        description=column.description,
        marks=_marks(column.marks, read),
        facts=tuple(Fact(title=read.name(urn), text=value) for urn, value in column.properties),
    )


def _usage(total: UsageTotals) -> Usage:
    first, last = iso_time(total.first_day), iso_time(total.last_day)
    return Usage(
        calls=total.calls,
        days=total.days,
        first_day=first[:10] if first else None,
        last_day=last[:10] if last else None,
        errors=total.errors,
        input_tokens=total.input_tokens,
        output_tokens=total.output_tokens,
        cost=total.cost,
        currency=total.currency,
    )


def _with_usage_of_logs(assets: Sequence[Asset], edges: Iterable[Edge]) -> list[Asset]:
    """Give applications the usage of their answer logs: it is counted there, and people ask the application."""
    logs = {asset.urn: asset.usage for asset in assets if asset.kind == ANSWER_LOG and asset.usage}
    of_job = {edge.upstream: logs[edge.downstream] for edge in edges if edge.downstream in logs}
    return [
        replace(asset, usage=of_job[asset.urn])
        if asset.kind == APPLICATION and asset.usage is None and asset.urn in of_job
        else asset
        for asset in assets
    ]


# Edges


def _edges(edges: Iterable[protocol.Edge], aspects: _Aspects) -> Iterator[Edge]:
    jobs = {urn: held for urn, held in aspects.items() if urn_text.entity_type(urn) == "dataJob"}
    uses = {urn: uses_on_edges(mapping(held.get("dataJobInputOutput"))) for urn, held in jobs.items()}
    untraced = untraced_of(jobs)
    for edge in edges:
        stated, _ = uses.get(edge.upstream, {}).get(edge.downstream, ([], None))
        yield Edge(
            upstream=edge.upstream,
            downstream=edge.downstream,
            aspect=edge.aspect,
            found_by=edge.found_by,
            not_confirmed_since=edge.not_confirmed_since,
            columns=tuple(
                sorted(
                    {
                        ColumnEdge(
                            upstream=_column_ref(pair.upstream), downstream=_column_ref(pair.downstream)
                        )
                        for pair in edge.columns
                    }
                )
            ),
            uses=_uses(stated),
            untraced=tuple(sorted(untraced.get((edge.upstream, edge.downstream), ()))),
            hidden=tuple(sorted({table for part in stated for table in part.hidden})),
        )


def _column_ref(urn: str) -> ColumnRef:
    return ColumnRef(urn_text.asset_of(urn), urn_text.simple_path(urn_text.full_name(urn)))


def _uses(stated: Iterable[StatedUses]) -> tuple[ColumnUse, ...]:
    found: dict[ColumnRef, set[str]] = {}
    for part in stated:
        for table, columns in part.columns.items():
            for column, uses in columns.items():
                found.setdefault(ColumnRef(table, urn_text.simple_path(column)), set()).update(uses)
    return tuple(
        ColumnUse(column=column, used_in=tuple(use for use in ORDER if use in uses))
        for column, uses in sorted(found.items())
    )


# About the report


def _newest_time(assets: Iterable[Asset], newest: _Aspects) -> str | None:
    """The newest time of a fact. The time at which the report is made would make it another one each time."""
    times = [
        iso_time(record.get("timestampMillis")) for found in newest.values() for record in found.values()
    ]
    for asset in assets:
        times += [asset.updated, *(check.at for check in asset.checks)]
        times += [one for run in asset.runs for one in (run.started, run.ended)]
    return max((time for time in times if time), default=None)


def _notes(selection: Selection, edges: Iterable[Edge]) -> Iterator[str]:
    if selection.reached_limit:
        hops = f"{selection.hops} hop{'' if selection.hops == 1 else 's'}"
        yield f"The walk ended after {hops}. There may be more: --hops N goes further."
    if selection.unknown:
        number = len(selection.unknown)
        yield (f"{number:,} asset{'s are' if number > 1 else ' is'} named by others and not in the catalog.")
    if selection.left_out:
        others = f"{selection.left_out:,} other asset{'s' if selection.left_out > 1 else ''}"
        yield f"The filters leave out {others}, and the lineage that goes through them."
    if outside := _fed_from_outside(edges, {*selection.assets, *selection.unknown}):
        columns = "1 column comes" if outside == 1 else f"{outside:,} columns come"
        yield f"{columns} from assets outside of this report."


def _fed_from_outside(edges: Iterable[Edge], inside: Collection[str]) -> int:
    """Count the columns that a column of no asset of the report feeds: a source of a job that was left out."""
    pairs = (pair for edge in edges for pair in edge.columns)
    return len({pair.downstream for pair in pairs if pair.upstream.asset not in inside})
