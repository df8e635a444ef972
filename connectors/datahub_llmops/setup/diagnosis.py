"""What ``doctor`` found out about one thing, as plain data: the terminal and ``--json`` show the same."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal, TypeAlias

from datahub_llmops.governance.finding import Verdict, overall
from datahub_llmops.net.attempts import within

Section: TypeAlias = Literal["versions", "recipes", "catalog", "pipelines", "hooks", "server"]

SECTIONS: Final[tuple[Section, ...]] = ("versions", "recipes", "catalog", "pipelines", "hooks", "server")
"""The order in which they are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """One thing that was examined.

    ``message`` says what was seen, and ``to_do`` what to do about it. Neither contains a secret.
    """

    section: Section
    name: str
    verdict: Verdict
    message: str
    to_do: str | None = None


def report(found: Iterable[Diagnosis]) -> dict[str, Any]:
    """Return all diagnoses as plain JSON, with the verdict over all of them."""
    ordered = sorted(found, key=lambda one: SECTIONS.index(one.section))
    return {
        "verdict": overall(one.verdict for one in ordered),
        "diagnoses": [asdict(one) for one in ordered],
    }


def in_time(
    section: Section, name: str, seconds: float, examine: Callable[[], list[Diagnosis]]
) -> list[Diagnosis]:
    """Return what ``examine`` finds, or that it took longer than ``seconds``."""
    try:
        return within(seconds, examine)
    except TimeoutError:
        return [too_slow(section, name, seconds)]


def too_slow(section: Section, name: str, seconds: float) -> Diagnosis:
    """Say that something took longer than ``seconds``."""
    return Diagnosis(
        section=section,
        name=name,
        verdict="not known",
        message=f"No verdict within {seconds:g} seconds.",
        to_do="Give it more time with --timeout, or see what it waits for.",
    )
