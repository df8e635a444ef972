"""Changes of the model that served an application: an ``operation`` record of its answer log, as a history.

A DataHub server keeps ``operation`` records of datasets only, so the application and the model have the last change as
a custom property.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from datahub.metadata.schema_classes import OperationClass, OperationTypeClass

from datahub_llmops.mapping.observed_edges import day
from datahub_llmops.mapping.proposals import Proposal, propose

SERVED_CHANGED: Final = "served model changed"
"""``customOperationType`` of a change."""
PREFIX: Final = "served_for "
"""Begins the custom property about a model that is asked for, on an application and on the model that serves."""
_MOST: Final = 5


def change_proposal(
    log: str, asked: str, part: str, before: Sequence[str], now: Sequence[str], seen_before: int, on: int
) -> Proposal:
    """Record a change on an answer log. Days are their starts, in seconds since the epoch.

    The record is that of the day, so that every host and every repeat writes the same one.
    """
    text = f"{SERVED_CHANGED}: {asked}, {part} from {_listed(before)} to {_listed(now)}"
    return propose(
        log,
        OperationClass(
            timestampMillis=on * 1000,
            messageId=text,
            operationType=OperationTypeClass.CUSTOM,
            customOperationType=SERVED_CHANGED,
            lastUpdatedTimestamp=on * 1000,
            customProperties={
                "asked": asked,
                "part": part,
                "from": _listed(before),
                "to": _listed(now),
                "after": day(seen_before),
                "before": day(on),
            },
        ),
    )


def change_property(
    asked: str, part: str, before: Sequence[str], now: Sequence[str], on: int
) -> tuple[str, str]:
    """Return the custom property that tells of the last change."""
    what = "" if part == "model" else "fingerprint "
    return f"{PREFIX}{asked}", f"{what}{_listed(now)} since {day(on)}, before it {_listed(before)}"


def kept_properties(present: Mapping[str, Any]) -> dict[str, str]:
    """Return the custom properties about changes that an asset has; ``present`` is the aspect that holds them."""
    found = present.get("customProperties") or {}
    return {key: str(value) for key, value in found.items() if key.startswith(PREFIX)}


def _listed(values: Sequence[str]) -> str:
    rest = len(values) - _MOST
    return ", ".join([*values[:_MOST], *([f"and {rest} more"] if rest > 0 else [])])
