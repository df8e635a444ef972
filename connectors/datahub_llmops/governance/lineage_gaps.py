"""What is known to be missing in the lineage of an asset: a check that found nothing amiss has not seen that.

A recipe that could not resolve a job keeps its earlier edges, marked ``not_confirmed_since``. One that accepted a gap
says which on the job.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from datahub_llmops.catalog.confirmation import NOT_CONFIRMED_SINCE
from datahub_llmops.governance.facts import Facts
from datahub_llmops.governance.finding import Evidence, Finding

_HIDES_TABLES: Final = frozenset({"unparsed_sql", "unknown_table", "unknown_function", "ambiguous_table"})
"""Accepted gaps behind which a table may stand that the job reads. Behind the others there are columns."""


def with_gaps(facts: Facts, found: Finding, *, whole_walk: bool, by_column: bool) -> Finding:
    """Return a finding that is ok as one that is not known, if what it looked at has a gap.

    ``whole_walk`` is of a check that looks at everything upstream, not only at what the jobs read that fill the asset.
    ``by_column`` is of one that looks at the columns that feed it.
    """
    if found.verdict != "ok":
        return found
    near = {facts.root.urn, *(job.urn for job in facts.jobs)}
    marks = [
        (since, edge.upstream, edge.downstream, edge.aspect)
        for edge in facts.upstream.edges
        if (since := edge.not_confirmed_since) and (whole_walk or edge.downstream in near)
    ]
    if marks:
        since, upstream, downstream, aspect = min(marks)
        return _not_known(
            found,
            "not_confirmed",
            f"That {facts.name(upstream)} feeds {facts.name(downstream)} could not be confirmed since {since[:10]}, so "
            "something else may feed it too.",
            "Correct what the recipe of the store fails on, or let it read all rows (provenance.max_rows).",
            Evidence(urn=downstream if aspect == "upstreamLineage" else upstream, aspect=aspect),
        )
    jobs = [node.urn for node in facts.upstream.nodes if node.type == "dataJob"] if whole_walk else near
    for job in sorted(jobs):
        gaps = _gaps(facts, job, by_column=by_column)
        if gaps:
            return _not_known(
                found,
                "lineage_gap",
                f"The lineage of {facts.name(job)} has gaps that its recipe accepts: {', '.join(gaps)}.",
                "Close the gaps of the job, or check by hand what is behind them.",
                Evidence(urn=job, aspect="structuredProperties"),
            )
    return found


def _gaps(facts: Facts, job: str, *, by_column: bool) -> list[str]:
    if facts.property(job, NOT_CONFIRMED_SINCE):
        return ["not confirmed"]
    stated = ", ".join(map(str, facts.property(job, "accepted_gaps"))).split(", ")
    return sorted(gap for gap in stated if gap and (by_column or gap in _HIDES_TABLES))


def _not_known(found: Finding, code: str, why: str, missing: str, *evidence: Evidence) -> Finding:
    return replace(
        found,
        verdict="not known",
        code=code,
        message=f"{found.message} {why}",
        missing=missing,
        evidence=(*found.evidence, *evidence),
    )
