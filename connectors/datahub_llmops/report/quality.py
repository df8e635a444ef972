"""What a catalog says of an asset's quality: the newest result of each assertion, and open incidents. Pure.

Nothing is checked here, so that the same catalog gives the same report: ``llm-health`` writes what checks find.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from datahub_llmops.catalog.protocol import Aspect
from datahub_llmops.governance.finding import HEALTH, Verdict, overall
from datahub_llmops.net.json_values import mapping, text
from datahub_llmops.report.model import Check, Incident
from datahub_llmops.report.times import iso_time

_VERDICTS: Final[Mapping[str, Verdict]] = {"SUCCESS": "ok", "FAILURE": "not ok"}
"""Any other result is not known: an error, or an assertion that still learns."""


def read_checks(about: Mapping[str, Mapping[str, Aspect]]) -> tuple[Check, ...]:
    """List the assertions about one asset by kind and name, those of ``llm-health`` first.

    ``about`` is what ``FullCatalog.quality`` gives of the asset.
    """
    found = [_check(aspects) for _, aspects in sorted(about.items()) if "assertionInfo" in aspects]
    return tuple(sorted(found, key=lambda one: (one.kind != HEALTH, one.kind, one.name)))


def verdict_of(checks: tuple[Check, ...]) -> Verdict:
    """The verdict over the checks of ``llm-health``; without any it is not known."""
    return overall(one.verdict for one in checks if one.kind == HEALTH)


def read_incidents(about: Mapping[str, Mapping[str, Aspect]]) -> tuple[Incident, ...]:
    """List the open incidents about one asset by title."""
    found = [
        _incident(mapping(aspects["incidentInfo"]))
        for _, aspects in sorted(about.items())
        if mapping(mapping(aspects.get("incidentInfo")).get("status")).get("state") == "ACTIVE"
    ]
    return tuple(sorted(found, key=lambda one: (one.title, one.kind)))


def _check(aspects: Mapping[str, Aspect]) -> Check:
    info, event = mapping(aspects["assertionInfo"]), mapping(aspects.get("assertionRunEvent"))
    result = mapping(event.get("result"))
    custom = mapping(info.get("customAssertion"))
    kind = text(custom.get("type")) or text(info.get("type")) or ""
    # Other tools put values of the data there. What llm-health writes has none.
    stated = mapping(result.get("nativeResults")) if kind == HEALTH else {}
    done = event.get("status") == "COMPLETE"
    return Check(
        name=_name(info, custom, kind),
        kind=kind,
        verdict=_VERDICTS.get(str(result.get("type")), "not known") if done else "not known",
        message=text(stated.get("message")) or "",
        code=text(stated.get("code")),
        missing=text(stated.get("missing")),
        at=iso_time(event.get("timestampMillis")) if done else None,
    )


def _name(info: Mapping[str, object], custom: Mapping[str, object], kind: str) -> str:
    if kind == HEALTH and (check := text(custom.get("nativeType"))):
        return check
    return text(info.get("description")) or text(custom.get("nativeType")) or kind or "assertion"


def _incident(info: Mapping[str, object]) -> Incident:
    kind = text(info.get("customType")) or text(info.get("type")) or ""
    status = mapping(info.get("status"))
    return Incident(
        title=text(info.get("title")) or kind or "incident",
        kind=kind,
        description=text(info.get("description")) or "",
        since=iso_time(info.get("startedAt"))
        or iso_time(mapping(info.get("created")).get("time"))
        or iso_time(mapping(status.get("lastUpdated")).get("time")),
    )
