"""Runs of jobs, out of their process instances: when each ended, how, and what it says that it wrote."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from datahub_llmops.catalog.protocol import Aspect
from datahub_llmops.governance.finding import Evidence
from datahub_llmops.net.json_values import mapping, text, utc, whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run that ended well."""

    urn: str
    ended: datetime
    outputs: str | None = None
    """URNs of the datasets that it wrote, as one text; ``None`` if it does not say."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """What the hooks counted: ``added``, ``updated``, ``skipped``, ``deleted``, ``failed`` chunks."""

    @property
    def evidence(self) -> Evidence:
        """Where the catalog has it."""
        return Evidence(urn=self.urn, aspect="dataProcessInstanceRunEvent", at=self.ended)


def read_runs(instances: Mapping[str, Mapping[str, Aspect]]) -> tuple[Run, ...]:
    """List the runs that ended well, the newest first. One that failed, or has not ended, wrote nothing for certain."""
    found = [run for urn, aspects in instances.items() if (run := _read(urn, aspects)) is not None]
    return tuple(sorted(found, key=lambda run: (run.ended, run.urn), reverse=True))


def newest_into(runs: Iterable[Run], dataset: str) -> Run | None:
    """Return the first of ``runs`` that wrote ``dataset``, or does not say what it wrote."""
    return next((run for run in runs if run.outputs is None or dataset in run.outputs), None)


def _read(urn: str, aspects: Mapping[str, Aspect]) -> Run | None:
    event = mapping(aspects.get("dataProcessInstanceRunEvent"))
    at = whole(event.get("timestampMillis"))
    ended = None if at is None else utc(at / 1000)
    if ended is None or event.get("status") != "COMPLETE":
        return None
    if mapping(event.get("result")).get("type") != "SUCCESS":
        return None
    stated = mapping(mapping(aspects.get("dataProcessInstanceProperties")).get("customProperties"))
    counts = {
        name: int(value)
        for name in ("added", "updated", "skipped", "deleted", "failed")
        if isinstance(value := stated.get(name), str) and value.isascii() and value.isdecimal()
    }
    outputs = text(stated.get("outputs"))
    cut = outputs is not None and outputs.endswith(" more")  # Of many outputs the first ones are named.
    return Run(urn=urn, ended=ended, outputs=None if cut else outputs, counts=counts)
