"""The runs of a job, out of its process instances. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from datahub_llmops.catalog.protocol import Aspect
from datahub_llmops.net.json_values import mapping, text
from datahub_llmops.report.model import Fact, Run
from datahub_llmops.report.times import iso_time

_ENDED: Final = {"SUCCESS": True, "FAILURE": False}
_REPEATED: Final = frozenset({"inputs", "outputs"})
"""Properties that say the same as the lineage of the job."""


def read_job_runs(instances: Mapping[str, Mapping[str, Aspect]]) -> tuple[Run, ...]:
    """Read the runs of one job, newest first. ``instances`` is what ``FullCatalog.runs`` gives of it."""
    found = [_run(urn, aspects) for urn, aspects in instances.items()]
    return tuple(sorted(found, key=lambda run: (run.ended or run.started or "", run.urn), reverse=True))


def _run(urn: str, aspects: Mapping[str, Aspect]) -> Run:
    about = mapping(aspects.get("dataProcessInstanceProperties"))
    event = mapping(aspects.get("dataProcessInstanceRunEvent"))
    result = text(mapping(event.get("result")).get("type")) or ""
    ended = event.get("status") == "COMPLETE"
    stated = mapping(about.get("customProperties"))
    return Run(
        urn=urn,
        name=text(about.get("name")) or urn,
        started=iso_time(mapping(about.get("created")).get("time")),
        ended=iso_time(event.get("timestampMillis")) if ended else None,
        succeeded=_ENDED.get(result) if ended else None,
        result=result.replace("_", " ").lower() if ended else "",
        facts=tuple(
            Fact(title=str(key), text=str(value))
            for key, value in sorted(stated.items())
            if key not in _REPEATED
        ),
    )
