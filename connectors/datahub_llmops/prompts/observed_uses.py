"""Who uses which prompt, as edges in a catalog say, and which prompts are known by their digest only."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from datahub_llmops.assets.templates import PROMPT_PREFIX
from datahub_llmops.catalog.protocol import Aspect
from datahub_llmops.catalog.urn_text import entity_type, full_name
from datahub_llmops.net.json_values import mapping, objects, text
from datahub_llmops.prompts.findings import Use

MARK: Final = f".{PROMPT_PREFIX}"
"""Between application and digest in the name of a prompt without one of its own."""
_UNNAMED: Final = re.compile(rf"{re.escape(MARK)}([0-9a-f]{{12}})$")


def digest_in_urn(urn: str) -> str | None:
    """The short digest in the URN of a prompt without a name; ``None`` for any other asset.

    >>> digest_in_urn("urn:li:dataset:(urn:li:dataPlatform:langchain,support-bot.prompt-3fd2f819836c,PROD)")
    '3fd2f819836c'
    """
    if MARK not in urn or entity_type(urn) != "dataset":
        return None
    found = _UNNAMED.search(full_name(urn))
    return found[1] if found is not None else None


def uses_by_dataset(jobs: Mapping[str, Mapping[str, Aspect]]) -> dict[str, list[Use]]:
    """Map each dataset that is an input of a job to these uses. ``jobs`` is URN -> ``dataJobInputOutput``, by name."""
    found: dict[str, list[Use]] = {}
    for job, aspects in sorted(jobs.items()):
        for edge in objects(mapping(aspects.get("dataJobInputOutput")).get("inputDatasetEdges")):
            target = text(edge.get("destinationUrn"))
            if target is not None:
                found.setdefault(target, []).append(_use(job, mapping(edge.get("properties"))))
    return found


def _use(application: str, properties: Mapping[str, Any]) -> Use:
    ways = text(properties.get("found_by")) or ""
    return Use(
        application=application,
        last_seen=_day(properties.get("last_seen")),
        found_by=tuple(way for way in ways.split(",") if way),
    )


def _day(value: object) -> date | None:
    try:
        return date.fromisoformat(value[:10]) if isinstance(value, str) else None
    except ValueError:
        return None
