"""Runs of jobs, out of their process instances: when each began and ended, how, and what it says that it wrote."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, TypeAlias

from datahub_llmops.catalog.protocol import Aspect
from datahub_llmops.governance.finding import Evidence
from datahub_llmops.governance.times import time_of
from datahub_llmops.net.json_values import mapping, text, utc, whole

State: TypeAlias = Literal["good", "empty", "failed", "running"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run that wrote something, or may have.

    ``good`` ended well. ``empty`` ended well and found nothing to embed, as one that could not list its sources does.
    ``failed`` ended in another way, or could not write all of its chunks. ``running`` has not ended, as far as the
    catalog knows.
    """

    urn: str
    state: State
    began: datetime | None
    """``None`` if the catalog does not know."""
    at: datetime
    """When it ended; of a running one the time of its last event."""
    outputs: str | None = None
    """URNs of the datasets that it wrote, as one text; ``None`` if it does not say."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """What the hooks counted: ``added``, ``updated``, ``skipped``, ``deleted``, ``failed`` chunks."""

    @property
    def is_idle(self) -> bool:
        """Whether it found everything in the index already, and changed nothing."""
        changed = any(self.counts.get(name) for name in ("added", "updated", "deleted"))
        return self.state == "good" and "skipped" in self.counts and not changed

    @property
    def evidence(self) -> Evidence:
        """Where the catalog has it."""
        return Evidence(urn=self.urn, aspect="dataProcessInstanceRunEvent", at=self.at)


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The runs of one job into one dataset."""

    good: Run | None = None
    """The last run that ended well."""
    broken: Run | None = None
    """The last run of another state, unless one that ended well began after it."""

    last_seen: datetime | None = None
    """The last time at which a run is known to have been at work."""
    last_change: datetime | None = None
    """The last time at which a run may have changed the dataset; ``None`` if none has that is known."""


def read_runs(instances: Mapping[str, Mapping[str, Aspect]]) -> tuple[Run, ...]:
    """List the runs, the newest first, without those that were skipped."""
    found = [run for urn, aspects in instances.items() if (run := _read(urn, aspects)) is not None]
    return tuple(sorted(found, key=lambda run: (run.at, run.urn), reverse=True))


def history(runs: Iterable[Run], dataset: str) -> History:
    """Return what ``runs``, the newest first, say about ``dataset``. A run that does not say what it wrote counts."""
    into = [run for run in runs if run.outputs is None or dataset in run.outputs]
    good = next((run for run in into if run.state == "good"), None)
    broken = next((run for run in into if run.state != "good"), None)
    # The orchestrator's run of a task holds those that the hooks saw within it: one that failed, and one after it.
    if broken is not None and any(run.state == "good" and (run.began or run.at) >= broken.at for run in into):
        broken = None
    return History(
        good=good,
        broken=broken,
        last_seen=next((run.at for run in into), None),
        last_change=next((run.at for run in into if not run.is_idle), None),
    )


def _read(urn: str, aspects: Mapping[str, Aspect]) -> Run | None:
    event = mapping(aspects.get("dataProcessInstanceRunEvent"))
    properties = mapping(aspects.get("dataProcessInstanceProperties"))
    milliseconds = whole(event.get("timestampMillis"))
    at = None if milliseconds is None else utc(milliseconds / 1000)
    result = mapping(event.get("result")).get("type")
    if at is None or result == "SKIPPED":
        return None
    stated = mapping(properties.get("customProperties"))
    counts = {
        name: int(value)
        for name in ("added", "updated", "skipped", "deleted", "failed")
        if isinstance(value := stated.get(name), str) and value.isascii() and value.isdecimal()
    }
    outputs = text(stated.get("outputs"))
    cut = outputs is not None and outputs.endswith(" more")  # Of many outputs the first ones are named.
    return Run(
        urn=urn,
        state=_state(event.get("status"), result, counts),
        began=_began(event, properties, at),
        at=at,
        outputs=None if cut else outputs,
        counts=counts,
    )


def _state(status: object, result: object, counts: Mapping[str, int]) -> State:
    if status != "COMPLETE":
        return "running"
    if result != "SUCCESS" or counts.get("failed"):
        return "failed"
    looked = any(counts.get(name) for name in ("added", "updated", "skipped"))
    return "empty" if "skipped" in counts and not looked else "good"


def _began(event: Mapping[str, object], properties: Mapping[str, object], at: datetime) -> datetime | None:
    """Return the earliest time that is named: what changes later may not be in the index."""
    created = time_of(mapping(properties.get("created")).get("time"))
    duration = whole(event.get("durationMillis"))
    known = [
        created,
        *([at - timedelta(milliseconds=duration)] if duration is not None and 0 <= duration < 10**12 else []),
        *([at] if event.get("status") == "STARTED" else []),
    ]
    return min((one for one in known if one is not None and one <= at), default=None)
