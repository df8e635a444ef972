"""Which prompts count as orphans, and which applications as behind."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from datahub_llmops.prompts.findings import Finding, KnownVersion, Use, find, is_observed

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
MOVED = datetime(2026, 11, 10, 8, tzinfo=UTC)
QUARTER = timedelta(days=90)
BOT, DESK = "urn:li:dataJob:bot", "urn:li:dataJob:desk"


def use(day: str | None, application: str = BOT) -> Use:
    return Use(application=application, last_seen=date.fromisoformat(day) if day else None)


def version(number: str, *uses: Use, labels: tuple[str, ...] = ()) -> KnownVersion:
    return KnownVersion(version=number, labels=labels, uses=uses)


def findings(*versions: KnownVersion, **options: Any) -> list[Finding]:
    known: dict[str, Any] = {
        "production": ("production", "live"),
        "labelled_since": {"production": MOVED},
        "observed": True,
        "now": NOW,
        "unused_after": QUARTER,
    }
    return find(versions, **{**known, **options})


def kinds(found: list[Finding]) -> list[tuple[str, str]]:
    return [(finding.kind, finding.version) for finding in found]


def test_31_prompts_of_which_22_are_unused_are_22_orphans() -> None:
    prompts = [
        version("1", *([use("2026-11-20")] if number < 9 else []), labels=("production",))
        for number in range(31)
    ]
    uses = [one for prompt in prompts for one in prompt.uses]
    observed = is_observed(uses, now=NOW, unused_after=QUARTER)
    found = [kinds(findings(prompt, observed=observed)) for prompt in prompts]
    assert found == [[]] * 9 + [[("orphan", "1")]] * 22


def test_none_is_an_orphan_where_nothing_is_observed() -> None:
    assert not is_observed([], now=NOW, unused_after=QUARTER)
    assert kinds(findings(version("1", labels=("production",)), observed=False)) == [("not known", "1")]


@pytest.mark.parametrize(
    ("day", "observed"), [("2026-11-29", True), ("2026-08-31", True), ("2026-08-30", False), (None, False)]
)
def test_use_is_observed_within_the_time(day: str | None, observed: bool) -> None:
    assert is_observed([use(day)], now=NOW, unused_after=QUARTER) == observed


def test_a_use_long_ago_is_an_orphan_since_then() -> None:
    found = findings(version("1", use("2026-08-30"), use("2026-08-01"), labels=("production",)))
    assert kinds(found) == [("orphan", "1")]
    assert found[0].since == datetime(2026, 8, 30, tzinfo=UTC)
    assert kinds(findings(version("1", use("2026-08-31"), labels=("production",)))) == []


def test_a_prompt_that_was_never_used_is_an_orphan_since_it_was_labelled() -> None:
    (found,) = findings(version("1"), version("2", labels=("production",)))
    assert (found.kind, found.version, found.since) == ("orphan", "2", MOVED)


def test_a_use_of_which_nobody_says_when_is_a_use() -> None:
    assert findings(version("1", use(None), labels=("production",))) == []


def test_a_prompt_without_a_production_label_has_no_finding() -> None:
    assert findings(version("1", use("2026-11-20")), version("2", labels=("staging",))) == []


def test_an_application_that_still_runs_another_version_is_behind() -> None:
    found = findings(
        version("3", use("2026-11-28"), use("2026-11-20", DESK)),
        version("4", use("2026-11-28", DESK), labels=("production",)),
    )
    assert found == [Finding(kind="behind", version="3", since=MOVED, applications=(BOT,))]


@pytest.mark.parametrize("day", ["2026-11-09", "2026-11-10"])
def test_a_use_before_the_label_moved_is_not_behind(day: str) -> None:
    assert findings(version("3", use(day)), version("4", labels=("production",))) == []


def test_an_application_that_runs_both_is_not_behind() -> None:
    both = [version("3", use("2026-11-28")), version("4", use("2026-11-28"), labels=("production",))]
    assert findings(*both) == []


def test_any_of_several_production_labels_is_right() -> None:
    assert (
        findings(
            version("3", use("2026-11-28"), labels=("live",)),
            version("4", labels=("production",)),
        )
        == []
    )


def test_when_the_label_came_is_not_known() -> None:
    behind = [version("3", use("2026-11-28")), version("4", labels=("production",))]
    assert findings(*behind, labelled_since={}) == []
