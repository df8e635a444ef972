"""Runs every check over one asset: the one way that the command, Python, agents and ``llm-health`` share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final, TypeAlias

from datahub_llmops.catalog.protocol import FullCatalog, Lineage
from datahub_llmops.catalog.urn_text import asset_of, entity_type, full_name, platform
from datahub_llmops.errors import UnknownAssetError
from datahub_llmops.governance.affected import users_of
from datahub_llmops.governance.checks import (
    allowed,
    coverage,
    fresh,
    model_lives,
    one_meaning,
    one_vector_space,
    schema,
    trusted_sources,
)
from datahub_llmops.governance.facts import EMBEDDING_JOB, HOPS, INDEX, RETRIEVER, Facts, gather
from datahub_llmops.governance.finding import Affected, CheckReport, Evidence, Finding
from datahub_llmops.governance.lifecycle import Lifecycles
from datahub_llmops.governance.lifecycle_list import packaged
from datahub_llmops.governance.lineage_gaps import with_gaps
from datahub_llmops.governance.policy import Policy
from datahub_llmops.governance.policy_names import compared

Check: TypeAlias = Callable[[Facts, Policy], Finding]

CHECKS: Final[Mapping[str, Check]] = {
    fresh.NAME: fresh.check,
    coverage.NAME: coverage.check,
    schema.NAME: schema.check,
    trusted_sources.NAME: trusted_sources.check,
    one_meaning.NAME: one_meaning.check,
    allowed.NAME: allowed.check,
    one_vector_space.NAME: one_vector_space.check,
    model_lives.NAME: model_lives.check,
}
"""All checks by name, in the order in which they are shown."""
_BESIDE: Final = "index"
"""What replaces the checks of an index if the question is about a job or a retriever."""
_OF_JOBS: Final = frozenset({fresh.NAME, coverage.NAME, schema.NAME})
"""Checks that look at what the jobs read that fill the asset."""
_OF_ALL_UPSTREAM: Final = frozenset({trusted_sources.NAME, one_meaning.NAME, allowed.NAME})
_OF_COLUMNS: Final = frozenset({schema.NAME, one_meaning.NAME, allowed.NAME})
_ONLY_OF_INDEXES: Final = frozenset({fresh.NAME, coverage.NAME, schema.NAME, one_vector_space.NAME})


def check_asset(
    catalog: FullCatalog, urn: str, policy: Policy | None = None, *, now: datetime | None = None
) -> CheckReport:
    """Check one asset, by ``default_policy`` unless another is given.

    Raises:
        UnknownAssetError: the catalog does not know it, or it is a column, of which lineage shows a part only.
        CatalogError: the catalog cannot answer.
    """
    if entity_type(urn) == "schemaField":
        asset = asset_of(urn)
        raise UnknownAssetError(
            f"a column is not checked by itself; check what has it: "
            f"datahub-llmops check {platform(asset)}:{full_name(asset)}"
        )
    facts = gather(catalog, urn, now=now or datetime.now(UTC))
    downstream = catalog.lineage(urn, "down", HOPS)
    found = report(
        facts, compared(policy or default_policy(), catalog), users_of(catalog, downstream, facts.now)
    )
    beside = _beside_an_index(facts, downstream)
    return found if beside is None else replace(found, findings=(beside, *found.findings))


def _beside_an_index(facts: Facts, downstream: Lineage) -> Finding | None:
    """Keep the checks of a job or a retriever from looking like those of the index that it writes or reads."""
    root = facts.root
    if root.subtype == RETRIEVER:
        kind, does = "a retriever", "reads"
        near = [node for urn in facts.feeders(root.urn) if (node := facts.nodes.get(urn)) is not None]
    else:
        kind, does = "a job", "writes"
        near = [node for node in downstream.nodes if node.hops == 1] if root.type == "dataJob" else []
    known = [node for node in near if node.type == "dataset"]
    if root.subtype not in {RETRIEVER, EMBEDDING_JOB}:
        known = [node for node in known if node.subtype == INDEX]
        if not known:
            return None
    typed = ", ".join(f"datahub-llmops check {platform(node.urn)}:{full_name(node.urn)}" for node in known)
    return Finding(
        check=_BESIDE,
        verdict="not known",
        code="no_index",
        message=f"It is {kind}. Whether the index that it {does} can be trusted is not known from it.",
        missing=f"Check the index that it {does}" + (f": {typed}." if typed else "."),
        evidence=tuple(Evidence(urn=node.urn, aspect="subTypes") for node in known),
        path=(known[0].urn, root.urn) if known and root.subtype == RETRIEVER else (),
    )


def default_policy() -> Policy:
    """Return what holds without options: the packaged list of model lifecycles."""
    return Policy(lifecycles=Lifecycles([packaged()]))


def report(facts: Facts, policy: Policy, affected: tuple[Affected, ...]) -> CheckReport:
    """Run the checks that apply to the asset over facts that were gathered."""
    left_out = frozenset() if facts.is_index else _ONLY_OF_INDEXES
    if not policy.forbidden:
        left_out |= {allowed.NAME}  # Nothing was asked.
    return CheckReport(
        urn=facts.root.urn,
        name=facts.root.name,
        subtype=facts.root.subtype,
        platform=facts.root.platform,
        findings=tuple(_find(name, facts, policy) for name in CHECKS if name not in left_out),
        owners=facts.owners(),
        affected=affected,
    )


def _find(name: str, facts: Facts, policy: Policy) -> Finding:
    found = CHECKS[name](facts, policy)
    if name not in _OF_JOBS | _OF_ALL_UPSTREAM:
        return found
    return with_gaps(facts, found, whole_walk=name in _OF_ALL_UPSTREAM, by_column=name in _OF_COLUMNS)
