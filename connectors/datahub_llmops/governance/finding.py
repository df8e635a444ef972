"""What a check found, as plain data. The command, Python, an agent and a server get the same findings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias

from datahub_llmops.catalog.overriding import override
from datahub_llmops.catalog.result import Result

Verdict: TypeAlias = Literal["ok", "not ok", "not known"]
"""``not known`` is what a check says that could not see everything it needs; it is never ``ok``."""

HEALTH: Final = "Index Health"
"""Type of the assertions and incidents that findings become in a catalog. Checks do not take them for evidence."""

EXIT_CODES: Final[Mapping[Verdict, int]] = {"ok": 0, "not ok": 1, "not known": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Where a fact is in the catalog: the asset's URN, its aspect, and the time of the fact, if it has one."""

    urn: str
    aspect: str
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The answer to one check of one asset.

    ``code`` is a stable word for programs, such as ``source_changed``. ``message`` has names and numbers, never a value
    of the data. ``missing`` says what to provide where the verdict is not known, and ``to_do`` what to do otherwise.
    """

    check: str
    verdict: Verdict
    code: str
    message: str
    since: datetime | None = None
    """When the asset stopped being ok, if the catalog knows."""
    evidence: tuple[Evidence, ...] = ()
    path: tuple[str, ...] = ()
    """URNs from the cause to the asset, upstream first."""
    missing: str | None = None
    to_do: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Affected:
    """An application that uses the asset, with its answers a day, if usage is observed."""

    urn: str
    name: str
    answers_a_day: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class CheckReport(Result):
    """All findings about one asset, in the order of the checks."""

    urn: str
    name: str
    subtype: str | None
    platform: str | None
    findings: tuple[Finding, ...]
    owners: tuple[str, ...] = ()
    """URNs."""
    affected: tuple[Affected, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """The verdict over all findings: see ``overall``."""
        return overall(one.verdict for one in self.findings)

    @override
    def to_obj(self) -> dict[str, Any]:
        """Return the report as plain JSON, equal byte by byte wherever it is asked for."""
        return {
            "urn": self.urn,
            "name": self.name,
            "subtype": self.subtype,
            "platform": self.platform,
            "verdict": self.verdict,
            "findings": [_finding_to_obj(one) for one in self.findings],
            "owners": list(self.owners),
            "affected": [
                {"urn": one.urn, "name": one.name, "answers_a_day": one.answers_a_day}
                for one in self.affected
            ],
        }

    @override
    def __repr__(self) -> str:
        """Write the verdict, which no field has, and how many checks it is over."""
        return f"CheckReport(urn={self.urn!r}, verdict={self.verdict!r}, findings=<{len(self.findings)}>)"

    def _repr_html_(self) -> str:
        """Return the report as a notebook shows it."""
        from datahub_llmops.notebook.rendering import render

        return render("check", report=self)


def overall(verdicts: Iterable[Verdict]) -> Verdict:
    """Combine verdicts: one that is not ok decides, then one that is not known. No verdict at all is not known.

    >>> overall(["ok", "not known"]), overall(["not known", "not ok"]), overall([])
    ('not known', 'not ok', 'not known')
    """
    found = set(verdicts)
    if "not ok" in found:
        return "not ok"
    return "ok" if found == {"ok"} else "not known"


def _finding_to_obj(one: Finding) -> dict[str, Any]:
    return {
        "check": one.check,
        "verdict": one.verdict,
        "code": one.code,
        "message": one.message,
        "since": _moment(one.since),
        "evidence": [
            {"urn": each.urn, "aspect": each.aspect, "at": _moment(each.at)} for each in one.evidence
        ],
        "path": list(one.path),
        "missing": one.missing,
        "to_do": one.to_do,
    }


def _moment(when: datetime | None) -> str | None:
    return None if when is None else when.isoformat(timespec="seconds")
