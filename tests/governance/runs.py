"""Process instances of jobs, as ``llm-runs`` writes them."""

from __future__ import annotations

from datetime import datetime, timedelta

from governance.cases import Change
from governance.estate import INDEX, OWNER, Facts, milliseconds


def run_of(
    job: str,
    ended: datetime,
    result: str = "SUCCESS",
    *,
    outputs: str = INDEX,
    took: timedelta = timedelta(seconds=1),
    **counts: int,
) -> Change:
    """A run of a job that ended at a time."""

    def change(facts: Facts) -> None:
        urn = f"urn:li:dataProcessInstance:{abs(hash((job, ended, result)))}"
        at = milliseconds(ended)
        facts[urn, "dataProcessInstanceProperties"] = {
            "name": "run",
            "created": {"time": milliseconds(ended - took), "actor": OWNER},
            "customProperties": {
                "outputs": outputs,
                **{name: str(count) for name, count in counts.items()},
            },
        }
        facts[urn, "dataProcessInstanceRelationships"] = {"parentTemplate": job, "upstreamInstances": []}
        facts[urn, "dataProcessInstanceRunEvent"] = {
            "timestampMillis": at,
            "status": "COMPLETE",
            "result": {"type": result, "nativeResultType": "hooks"},
        }

    return change


def running(job: str, began: datetime) -> Change:
    """A run of a job that has not ended."""

    def change(facts: Facts) -> None:
        run_of(job, began, "RUNNING", took=timedelta())(facts)
        facts[
            f"urn:li:dataProcessInstance:{abs(hash((job, began, 'RUNNING')))}", "dataProcessInstanceRunEvent"
        ] = {
            "timestampMillis": milliseconds(began),
            "status": "STARTED",
        }

    return change
