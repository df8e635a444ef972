"""Whether the columns that are embedded or mapped still exist, with the type that they had.

The columns are those of the lineage into the asset. A column that its table does not have any more was dropped or
renamed.
"""

from __future__ import annotations

from typing import Final

from datahub_llmops.catalog.aspect_facts import read_columns
from datahub_llmops.catalog.urn_text import asset_of, full_name, simple_path
from datahub_llmops.governance.facts import Facts
from datahub_llmops.governance.finding import Evidence, Finding
from datahub_llmops.governance.policy import Policy

NAME: Final = "schema"


def check(facts: Facts, policy: Policy) -> Finding:
    """Look up each column that feeds the asset in the present schema of its table."""
    del policy
    used = sorted({column for columns in facts.feeding_columns.values() for column in columns})
    if not used:
        return Finding(
            check=NAME,
            verdict="not known",
            code="no_columns",
            message="Which columns feed it is not known.",
            missing="Declare the job that fills it, with its SQL.",
        )
    lost, unseen = [], []
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
            message=f"{facts.name(asset_of(first))} has no column {full_name(first)} any more.{more}",
            evidence=tuple(Evidence(urn=column, aspect="schemaMetadata") for column in lost),
            path=facts.path(asset_of(first)),
            to_do="Correct the job's SQL, then run it again.",
        )
    if unseen:
        names = ", ".join(sorted({facts.name(urn) for urn in unseen}))
        return Finding(
            check=NAME,
            verdict="not known",
            code="no_schema",
            message=f"The columns of {names} are not known.",
            missing="Run DataHub's source of these tables.",
            evidence=tuple(Evidence(urn=urn, aspect="schemaMetadata") for urn in sorted(set(unseen))),
        )
    return Finding(
        check=NAME,
        verdict="ok",
        code="columns_there",
        message=f"All {len(used)} columns that feed it exist.",
        evidence=tuple(
            Evidence(urn=urn, aspect="schemaMetadata")
            for urn in sorted({asset_of(column) for column in used})
        ),
    )
