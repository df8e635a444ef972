"""Process instances of jobs, as ``llm-runs`` writes them."""

from __future__ import annotations

from datetime import datetime

from governance.cases import Change
from governance.estate import INDEX, OWNER, Facts, milliseconds


def run_of(
    job: str, ended: datetime, result: str = "SUCCESS", *, outputs: str = INDEX, **counts: int
) -> Change:
    """A run of a job that ended at a time."""

    def change(facts: Facts) -> None:
        urn = f"urn:li:dataProcessInstance:{abs(hash((job, ended, result)))}"
        at = milliseconds(ended)
        facts[urn, "dataProcessInstanceProperties"] = {
            "name": "run",
            "created": {"time": at - 1000, "actor": OWNER},
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
