"""The graph of an answer log or an index shows assets, whatever the number of days and runs."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from datahub.metadata.schema_classes import (
    AuditStampClass,
    DataProcessInstanceInputClass,
    DataProcessInstanceOutputClass,
    DataProcessInstancePropertiesClass,
    DataProcessInstanceRelationshipsClass,
    EdgeClass,
)

from datahub_llmops import urns
from datahub_llmops.catalog.local.catalog import LocalCatalog
from datahub_llmops.mapping import applications as mapping
from datahub_llmops.mapping.proposals import Proposal, propose
from runs.world import INDEX, JOB, LOG, TABLE, World

AIRFLOW_RUN = "urn:li:dataProcessInstance:of-airflow"


def neighbours(world: World, urn: str) -> set[str]:
    """Types of what stands before an asset in its graph."""
    catalog = LocalCatalog(world.catalog)
    walk = catalog.lineage(urn, "up", 1)
    catalog.close()
    return {node.type for node in walk.nodes if node.urn != urn}


def instances(world: World) -> list[str]:
    catalog = LocalCatalog(world.catalog)
    found = sorted({record.urn for record in catalog.records() if "dataProcessInstance:" in record.urn})
    catalog.close()
    return found


def forget_the_format(world: World) -> None:
    """Leave the checkpoint as an earlier release did."""
    with closing(sqlite3.connect(world.catalog)) as db:
        db.execute("delete from checkpoint where job = 'llm-runs_watermark'")
        db.commit()


def with_edges(instance: str) -> list[Proposal]:
    """What earlier releases wrote on an instance, in place of the properties."""
    return [
        propose(
            instance,
            DataProcessInstanceInputClass(inputs=[], inputEdges=[EdgeClass(destinationUrn=TABLE)]),
        ),
        propose(
            instance,
            DataProcessInstanceOutputClass(
                outputs=[], outputEdges=[EdgeClass(destinationUrn=one) for one in (LOG, INDEX)]
            ),
        ),
    ]


def test_ten_days_and_runs_are_no_neighbours(world: World) -> None:
    for _ in range(10):
        world.index()
        world.ask()
        world.long_ago(86_400)
    world.connector()
    world.runs()
    assert len(instances(world)) == 20
    assert neighbours(world, LOG) == {"dataJob"}
    assert "dataProcessInstance" not in neighbours(world, INDEX)
    facts = [
        world.aspect(urn, "dataProcessInstanceProperties")["customProperties"] for urn in instances(world)
    ]
    assert [one["outputs"] for one in facts].count(LOG) == 10
    assert [(one["inputs"], one["outputs"]) for one in facts if "inputs" in one] == [(TABLE, INDEX)] * 10


def test_edges_that_earlier_releases_wrote_are_taken_back(world: World) -> None:
    """Also those of days that the store has dropped."""
    for _ in range(2):
        world.index()
        world.ask()
        world.long_ago(86_400)
    world.runs()
    before = instances(world)
    dropped = list(
        mapping.instance_proposals(
            {"application": JOB, "version": "6", "day": "2020-01-01", "host": "gone"},
            "support-bot 6 2020-01-01",
            JOB,
            started=0,
            ended=0,
            properties={"version": "6", "host": "gone"},
            inputs=(),
            outputs=(LOG,),
            failed=False,
        )
    )
    gone = urns.process_instance({"application": JOB, "version": "6", "day": "2020-01-01", "host": "gone"})
    world.emit(*dropped, *(one for urn in [*before, gone] for one in with_edges(urn)))
    assert "dataProcessInstance" in neighbours(world, LOG) & neighbours(world, INDEX)
    forget_the_format(world)
    world.runs()
    assert "dataProcessInstance" not in neighbours(world, LOG) | neighbours(world, INDEX)
    assert world.edges(JOB, "outputDatasetEdges") == {LOG}


def test_instances_of_others_stay(world: World) -> None:
    world.index()
    world.ask()
    world.runs()
    world.emit(
        propose(
            AIRFLOW_RUN,
            DataProcessInstancePropertiesClass(
                name="support-bot 7 2026-01-01",
                created=AuditStampClass(time=0, actor=urns.ACTOR),
                customProperties={"run": "scheduled", "version": "7", "host": "h"},
            ),
        ),
        propose(AIRFLOW_RUN, DataProcessInstanceRelationshipsClass(upstreamInstances=[], parentTemplate=JOB)),
        *with_edges(AIRFLOW_RUN),
    )
    forget_the_format(world)
    world.runs()
    assert "dataProcessInstance" in neighbours(world, LOG) & neighbours(world, INDEX)


def test_many_inputs_are_listed_in_part() -> None:
    [properties, *_] = mapping.instance_proposals(
        {"run": "r"},
        "r",
        JOB,
        started=0,
        ended=0,
        properties={},
        inputs=[f"urn:{number}" for number in range(100)],
        outputs=(),
        failed=False,
    )
    assert isinstance(properties.aspect, DataProcessInstancePropertiesClass)
    assert properties.aspect.customProperties["inputs"].endswith("urn:19, and 80 more")


@pytest.mark.parametrize("urn", [LOG, INDEX])
def test_a_catalog_without_the_asset_has_nothing_to_take_back(world: World, urn: str) -> None:
    world.ask()
    world.runs()
    assert "dataProcessInstance" not in neighbours(world, urn)
