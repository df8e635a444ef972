"""``llm-health`` on a server: how many requests it sends for each index, and that none of its checks takes more."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from typing import Any

from datahub.ingestion.api.common import PipelineContext
from datahub.ingestion.graph.client import DataHubGraph
from datahub.ingestion.graph.config import DatahubClientConfig

from catalog.recorded import RecordedServer, exchanges, proposals, scrolled, stored
from datahub_llmops.catalog.server.catalog import ServerCatalog
from datahub_llmops.health.source import HealthConfig, HealthSource
from support.stub import Call, Reply, Stub, answer_json

INDEX = "urn:li:dataset:(urn:li:dataPlatform:chroma,default_database.reviews,PROD)"
TABLES = [
    f"urn:li:dataset:(urn:li:dataPlatform:postgres,shop.public.{name},PROD)"
    for name in ("reviews", "customers")
]
JOB = "urn:li:dataJob:(urn:li:dataFlow:(airflow,nightly,PROD),embed-reviews)"
WRITTEN = 1_795_469_436_371
"""When the recorded index says that it was written."""
HOUR = 3_600_000


def numbered(text: str, number: int) -> str:
    """The same asset, with a number in the name of each table, index and job."""
    for name in ("reviews", "customers"):
        text = text.replace(f"public.{name}", f"public.{name}{number}")
    text = text.replace("default_database.reviews", f"default_database.reviews{number}")
    return text.replace("embed-reviews", f"embed-reviews{number}")


def estate(indexes: int, *, runs: int = 1) -> dict[str, dict[str, Any]]:
    """The recorded model, so many times: each index with a job and two tables of its own, of which profiles tell."""
    held = stored(proposals())
    model = {urn: held[urn] for urn in (INDEX, JOB, *TABLES)}
    for number in range(indexes):
        copies = json.loads(numbered(json.dumps(model), number))
        for table in (numbered(one, number) for one in TABLES):
            copies[table]["datasetProfile"] = profile(WRITTEN + HOUR, 10)
        for run in range(runs):
            copies[f"urn:li:dataProcessInstance:{number}-{run}"] = {
                "dataProcessInstanceProperties": {"name": "r", "created": {"time": WRITTEN - run * HOUR}},
                "dataProcessInstanceRelationships": {
                    "parentTemplate": numbered(JOB, number),
                    "upstreamInstances": [],
                },
                "dataProcessInstanceRunEvent": {
                    "timestampMillis": WRITTEN - run * HOUR,
                    "status": "COMPLETE",
                    "result": {"type": "SUCCESS"},
                },
            }
        held.update(copies)
    return held


def profile(at: int, rows: int) -> dict[str, Any]:
    return {"timestampMillis": at, "rowCount": rows}


def served(held: dict[str, dict[str, Any]]) -> tuple[RecordedServer, Any]:
    server = RecordedServer(held)
    server.extra = {
        "entity": scrolled([]),
        "entities": scrolled([]),
    }

    def answer(call: Call) -> Reply:
        if call.path == "/config":
            return answer_json(exchanges("config")[0]["response"]["body"])
        if call.path.startswith("/aspects"):
            series = [
                profile(WRITTEN + HOUR, 10),
                profile(WRITTEN + HOUR // 2, 12),
                profile(WRITTEN - HOUR, 12),
            ]
            values = [
                {"aspect": {"value": json.dumps(one), "contentType": "application/json"}} for one in series
            ]
            return answer_json({"value": {"values": values}})
        return server.answer(call)

    return server, answer


def graph(url: str) -> DataHubGraph:
    return DataHubGraph(DatahubClientConfig(server=url, retry_max_times=0))


def test_an_index_takes_three_requests_at_most() -> None:
    indexes = 100
    server, answer = served(estate(indexes))
    with Stub(answer) as stub:
        context = PipelineContext(run_id="r", graph=graph(stub.url))
        now = datetime.fromtimestamp((WRITTEN + 48 * HOUR) / 1000, UTC)
        source = HealthSource(HealthConfig(), context, now=lambda: now)
        emitted = [one.proposal for one in source.emissions()]
        asked = Counter(call.path.partition("?")[0] for call in stub.calls)
    assert server.unmatched == []
    assert not source.report.failures
    assert source.report.assets_checked == indexes + 2  # The recorded index and answer log are among them.
    codes = source.report.findings_by_code
    assert codes["source_changed"] == indexes  # By the profiles, which were asked for.
    assert codes["types_before"] == indexes + 1  # A server's timeline is not asked.
    assert "columns_there" not in codes
    assert len(emitted) >= 7 * indexes
    assert {str(one.aspectName) for one in emitted} == {"assertionInfo", "assertionRunEvent", "incidentInfo"}
    assert all(one.validate() for one in emitted)  # Against DataHub's own schemas.
    assert asked["/aspects"] == 2 * indexes
    assert asked.total() <= 3 * indexes, asked


def test_runs_of_a_busy_job_hide_none_of_a_quiet_one() -> None:
    held = estate(2, runs=30)
    quiet = estate(3)["urn:li:dataProcessInstance:2-0"]
    quiet["dataProcessInstanceProperties"]["created"]["time"] = 1
    held["urn:li:dataProcessInstance:quiet"] = quiet
    jobs = [numbered(JOB, number) for number in range(3)]
    server, answer = served(held)
    with Stub(answer) as stub:
        found = ServerCatalog(graph(stub.url)).runs(jobs, most=5)
    assert server.unmatched == []
    assert {job: len(runs) for job, runs in found.items()} == dict(zip(jobs, (5, 5, 1), strict=True))
    assert list(found[jobs[0]]) == [f"urn:li:dataProcessInstance:0-{run}" for run in range(5)]


def test_jobs_are_searched_together() -> None:
    jobs = [numbered(JOB, number) for number in range(40)]
    _, answer = served(estate(40))
    with Stub(answer) as stub:
        assert list(ServerCatalog(graph(stub.url)).runs(jobs)) == jobs
        assert sum(call.path == "/api/graphql" for call in stub.calls) == 1
