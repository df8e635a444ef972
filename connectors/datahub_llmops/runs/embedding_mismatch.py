"""Finds indexes whose queries are embedded with another model than their content."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from datahub_llmops.answer_store.recorded import RecordedWrites
from datahub_llmops.answers.resolver import Resolver
from datahub_llmops.assets.usage import model_name

SETTLED: Final = 3_600
"""Seconds of queries with the right model after which those with another are over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """The model that embedded the content of an index, and since when (seconds since the epoch)."""

    model: str
    since: float


def built_with(writes: Iterable[RecordedWrites], resolver: Resolver) -> dict[str, Built]:
    """Map each index to the model that embedded it last."""
    found: dict[str, Built] = {}
    for one in sorted(writes, key=lambda one: one.ended):
        index, model = resolver.index(one.index), model_name(one.embedding)
        if index is None or model is None or not one.counts.get("added"):
            continue
        before = found.get(index)
        if before is None or before.model != model:
            found[index] = Built(model=model, since=one.started)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Mismatch:
    """Models that embed the queries of an index but did not embed its content, and the hosts that saw this."""

    models: tuple[str, ...]
    hosts: tuple[str, ...]
    right_on: tuple[str, ...]
    """Hosts that saw queries with the model of the index, and none with another."""


def mismatch(built: Built, queried: Mapping[tuple[str, str], float]) -> Mismatch:
    """Find a current mismatch, without queries before the index got its model and without those that ended for good.

    Queries have ended for good when others with the right model followed on the same host for ``SETTLED`` seconds.
    """
    right = {host: when for (model, host), when in queried.items() if model == built.model}
    wrong = {
        (model, host)
        for (model, host), when in queried.items()
        if model != built.model and when >= built.since and when > right.get(host, 0.0) - SETTLED
    }
    hosts = {host for _, host in wrong}
    return Mismatch(
        models=tuple(sorted({model for model, _ in wrong})),
        hosts=tuple(sorted(hosts)),
        right_on=tuple(sorted(right.keys() - hosts)),
    )
