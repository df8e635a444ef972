"""Whether the columns that are embedded or mapped still exist, with the type that they had.

The columns are those of the lineage into the asset, and those by which the SQL of its jobs joins, filters, groups or
sorts. A column that its table does not have any more was dropped or renamed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from datahub_llmops.catalog.aspect_facts import read_columns
from datahub_llmops.catalog.column_uses import ORDER, uses_on_edges
from datahub_llmops.catalog.urn_text import asset_of, full_name, schema_field, simple_path
from datahub_llmops.governance.facts import Facts
from datahub_llmops.governance.finding import Evidence, Finding
from datahub_llmops.governance.policy import Policy

NAME: Final = "schema"


def check(facts: Facts, policy: Policy) -> Finding:
    """Look up each column that feeds the asset in the present schema of its table."""
    del policy
    uses = _uses(facts)
    used = sorted({column for columns in facts.feeding_columns.values() for column in columns} | uses.keys())
    if not used:
        return Finding(
            check=NAME,
            verdict="not known",
            code="no_columns",
            message="Which columns feed it is not known.",
            missing="Declare the job that fills it, with its SQL.",
        )
    lost: list[str] = []
    # The lineage of a table that the catalog does not hold, or that was removed, is left out with its columns.
    unseen = [urn for urn in facts.sources if urn not in facts.nodes]
    for column in used:
        schema = facts.aspect(asset_of(column), "schemaMetadata")
        if not schema:
            unseen.append(asset_of(column))
        elif simple_path(full_name(column)) not in read_columns(schema):
            lost.append(column)
    if lost:
        first = lost[0]
        more = f" {len(lost) - 1} more columns are gone." if len(lost) > 1 else ""
        return Finding(
            check=NAME,
            verdict="not ok",
            code="column_gone",
            message=f"{facts.name(asset_of(first))} has no column {full_name(first)} any more"
            f"{_used_in(uses.get(first, ()))}.{more}",
            evidence=tuple(Evidence(urn=column, aspect="schemaMetadata") for column in lost),
            path=facts.path(asset_of(first)),
            to_do="Correct the job's SQL, then run it again.",
        )
    retyped = _retyped(facts, used)
    if retyped is not None and facts.is_dated:
        return retyped
    if unseen:
        names = ", ".join(sorted({facts.name(urn) for urn in unseen}))
        return Finding(
            check=NAME,
            verdict="not known",
            code="no_schema",
            message=f"The columns of {names} are not known.",
            missing="Run DataHub's source of these tables; if they were dropped, correct the job's SQL.",
            evidence=tuple(Evidence(urn=urn, aspect="schemaMetadata") for urn in sorted(set(unseen))),
        )
    if silent := facts.jobs_without_columns:
        return Finding(
            check=NAME,
            verdict="not known",
            code="job_columns",
            message=f"Which columns {', '.join(facts.name(urn) for urn in silent)} reads is not known.",
            missing="Declare the job with its SQL.",
            evidence=tuple(Evidence(urn=urn, aspect="dataJobInputOutput") for urn in silent),
        )
    if retyped is not None:
        return Finding(
            check=NAME,
            verdict="not known",
            code="types_before",
            message=f"All {len(used)} columns exist. Some were retyped, and whether that was after the index was last "
            "written is not known.",
            missing="Attach the hooks to the job that fills it, or use a store that tells when it was written.",
            evidence=retyped.evidence,
        )
    if facts.columns_before is None:
        return Finding(
            check=NAME,
            verdict="not known",
            code="types_before",
            message=f"All {len(used)} columns exist; whether one was retyped since the last run is not known.",
            missing="Check in a local catalog (sink llm-local), which keeps earlier schemas; a server is not asked.",
            evidence=tuple(
                Evidence(urn=urn, aspect="schemaMetadata") for urn in sorted({asset_of(one) for one in used})
            ),
        )
    return Finding(
        check=NAME,
        verdict="ok",
        code="columns_there",
        message=f"All {len(used)} columns that feed it, or that its jobs use, exist.",
        evidence=tuple(
            Evidence(urn=urn, aspect="schemaMetadata")
            for urn in sorted({asset_of(column) for column in used})
        ),
    )


def _uses(facts: Facts) -> dict[str, tuple[str, ...]]:
    """Each column that the SQL of a job upstream uses for what feeds the asset -> its uses."""
    found: dict[str, set[str]] = {}
    for aspects in facts.aspects.values():
        for index, (stated, _) in uses_on_edges(aspects.get("dataJobInputOutput", {})).items():
            if index in facts.nodes:
                for part in stated:
                    for table, columns in part.columns.items():
                        for column, uses in columns.items():
                            found.setdefault(schema_field(table, column), set()).update(uses)
    return {column: tuple(use for use in ORDER if use in uses) for column, uses in found.items()}


def _used_in(uses: Sequence[str]) -> str:
    return f", which the job's SQL uses ({', '.join(uses)})" if uses else ""


def _retyped(facts: Facts, used: Iterable[str]) -> Finding | None:
    """Find columns whose type is another one than when the index was last written."""
    changed = []
    for column in used:
        table, path = asset_of(column), simple_path(full_name(column))
        before = (facts.columns_before or {}).get(table, {}).get(path)
        now = read_columns(facts.aspect(table, "schemaMetadata")).get(path)
        if before and now and before != now:
            changed.append((column, before, now))
    if not changed:
        return None
    column, before, now = changed[0]
    more = f" {len(changed) - 1} more columns were retyped." if len(changed) > 1 else ""
    return Finding(
        check=NAME,
        verdict="not ok",
        code="column_retyped",
        message=f"{facts.name(asset_of(column))}.{full_name(column)} is {now} now and was {before} when the index was "
        f"last written.{more}",
        evidence=tuple(Evidence(urn=one, aspect="schemaMetadata") for one, _, _ in changed),
        path=facts.path(asset_of(column)),
        to_do="Check what the job makes of the new type, then run it again.",
    )
