"""Moves of labels between versions of a prompt, as ``operation`` records: a stock server keeps them as a history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import zip_longest
from typing import Any, Final

from datahub.metadata.schema_classes import OperationClass, OperationTypeClass

from datahub_llmops.assets.prompts import LabelMove
from datahub_llmops.mapping.proposals import Proposal, propose

LABEL_MOVED: Final = "label moved"
"""``customOperationType`` of a move."""


def moves_of(
    label: str,
    was: Sequence[str],
    now: Sequence[str],
    *,
    after: datetime,
    before: datetime,
    by: str | None = None,
) -> list[LabelMove]:
    """Compare the versions that a label pointed at with those that it points at now."""
    left, came = sorted(set(was) - set(now)), sorted(set(now) - set(was))
    return [
        LabelMove(label=label, origin=origin, target=target, after=after, before=before, by=by)
        for origin, target in zip_longest(left, came)
    ]


def move_proposal(version_urn: str, move: LabelMove) -> Proposal:
    """Record a move on the version that the label came to, or left if it is gone.

    The record is dated by the last run that saw the label at its old place, so that a run that repeats one which could
    not end replaces its records.
    """
    properties = {
        "label": move.label,
        "from": move.origin or "",
        "to": move.target or "",
        "after": _text(move.after),
        "before": _text(move.before),
        **({"by": move.by} if move.by else {}),
    }
    return propose(
        version_urn,
        OperationClass(
            timestampMillis=_millis(move.after),
            messageId=f"{LABEL_MOVED}: {move.label} from {move.origin or '-'} to {move.target or '-'}",
            operationType=OperationTypeClass.CUSTOM,
            customOperationType=LABEL_MOVED,
            lastUpdatedTimestamp=_millis(move.before),
            customProperties=properties,
        ),
    )


def read_move(operation: Mapping[str, Any]) -> LabelMove | None:
    """Read a move back from an ``operation`` of the catalog; ``None`` if it is something else."""
    if operation.get("customOperationType") != LABEL_MOVED:
        return None
    stated = operation.get("customProperties") or {}
    try:
        return LabelMove(
            label=stated["label"],
            origin=stated["from"] or None,
            target=stated["to"] or None,
            after=datetime.fromisoformat(stated["after"]),
            before=datetime.fromisoformat(stated["before"]),
            by=stated.get("by"),
        )
    except (KeyError, ValueError):
        return None


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")


def _millis(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
