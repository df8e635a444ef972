"""How many walks a plan needs, and that a walk which was cut off does not stand for others."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from datahub.emitter.mcp import MetadataChangeProposalWrapper
from datahub.metadata.schema_classes import (
    AuditStampClass,
    DatasetLineageTypeClass,
    GlossaryTermAssociationClass,
    GlossaryTermsClass,
    StatusClass,
    UpstreamClass,
    UpstreamLineageClass,
    _Aspect,
)
from typing_extensions import override

from catalog.recorded import write_local
from datahub_llmops.catalog.local.catalog import LocalCatalog
from datahub_llmops.catalog.protocol import Direction, Lineage
from datahub_llmops.propagation.plan import plan

TABLES = [f"urn:li:dataset:(urn:li:dataPlatform:sqlite,main.t{number},PROD)" for number in range(5)]
FIRST, SECOND = "urn:li:glossaryTerm:first", "urn:li:glossaryTerm:second"


class Counting(LocalCatalog):
    """A catalog that notes where walks start."""

    @override
    def lineage(
        self, urn: str, direction: Direction, hops: int = 5, *, through_removed: bool = False
    ) -> Lineage:
        walked.append(urn)
        return super().lineage(urn, direction, hops, through_removed=through_removed)


walked: list[str] = []


@pytest.mark.parametrize(
    ("max_hops", "walks", "reached_by_second"), [(20, TABLES[:1], TABLES[2:]), (3, TABLES[:2], TABLES[2:])]
)
def test_a_walk_stands_for_those_below_it_unless_it_was_cut_off(
    tmp_path: Path, max_hops: int, walks: list[str], reached_by_second: list[str]
) -> None:
    aspects: list[tuple[str, _Aspect]] = [(table, StatusClass(removed=False)) for table in TABLES]
    for up, down in pairwise(TABLES):
        upstream = UpstreamClass(dataset=up, type=DatasetLineageTypeClass.COPY)
        aspects.append((down, UpstreamLineageClass(upstreams=[upstream])))
    for table, term in ((TABLES[0], FIRST), (TABLES[1], SECOND)):
        stamp = AuditStampClass(time=0, actor="urn:li:corpuser:ada")
        terms = GlossaryTermsClass(terms=[GlossaryTermAssociationClass(urn=term)], auditStamp=stamp)
        aspects.append((table, terms))
    path = tmp_path / "catalog.db"
    write_local(
        path,
        [MetadataChangeProposalWrapper(entityUrn=urn, aspect=aspect).make_mcp() for urn, aspect in aspects],
    ).close()
    walked.clear()
    with Counting(path) as catalog:
        found = plan(catalog, allowed=lambda _: True, max_hops=max_hops)
    assert walked == walks
    assert [change.urn for change in found.changes if change.label.urn == SECOND] == reached_by_second
