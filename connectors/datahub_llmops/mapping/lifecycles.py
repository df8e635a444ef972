"""The end of a model as DataHub's ``deprecation`` aspect, which people write too.

The aspect has no place for an attribution, so our own ones end with a mark in their note. One without it is somebody
else's, and stays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time
from typing import Any, Final

from datahub.metadata.schema_classes import DeprecationClass

from datahub_llmops import urns
from datahub_llmops.governance.lifecycle import Retirement
from datahub_llmops.mapping.proposals import Proposal, propose

MARK: Final = "[datahub-llmops: llm-lifecycle]"


def is_ours(present: Mapping[str, Any]) -> bool:
    """Whether a ``deprecation`` aspect was written by us."""
    return str(present.get("note") or "").endswith(MARK)


def deprecation(model: str, stated: Sequence[Retirement], present: Mapping[str, Any]) -> Proposal | None:
    """State the end of a model, or take our statement back; ``None`` if nothing changes, or it is somebody else's.

    ``stated`` is what the lists say, that of greatest weight first; ``present`` is the aspect in the catalog.
    """
    if present.get("deprecated") is True and not is_ours(present):
        return None
    if not stated:
        if present.get("deprecated") is True:
            return propose(model, DeprecationClass(deprecated=False, note=MARK, actor=urns.ACTOR))
        return None
    first = stated[0]
    wanted = DeprecationClass(
        deprecated=True,
        decommissionTime=round(datetime.combine(first.on, time(), UTC).timestamp() * 1000),
        note=_note(stated),
        actor=urns.ACTOR,
        replacement=urns.sibling_model(model, first.replacement) if first.replacement else None,
    )
    return None if wanted.to_obj() == _without_nulls(present) else propose(model, wanted)


def _note(stated: Sequence[Retirement]) -> str:
    first = stated[0]
    lines = [f"Retires {first.on} according to {first.source}."]
    if first.replacement:
        lines[0] = f"Retires {first.on} according to {first.source}; replacement {first.replacement}."
    lines += [f"{other.source} says {other.on}." for other in stated[1:] if other.on != first.on]
    if first.link:
        lines.append(first.link)
    return "\n".join([*lines, MARK])


def _without_nulls(present: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in present.items() if value is not None}
