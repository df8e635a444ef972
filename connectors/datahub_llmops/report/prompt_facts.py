"""The prompts of a report, out of what ``datahub-llmops prompts`` knows of them. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from datahub_llmops.catalog.urn_text import full_name
from datahub_llmops.prompts.findings import Use
from datahub_llmops.prompts.page import PromptPage, VersionPage
from datahub_llmops.report.model import (
    Fact,
    LabelMove,
    Prompt,
    PromptFinding,
    PromptUse,
    PromptVersion,
    Score,
)
from datahub_llmops.report.times import written


def build_prompts(
    pages: Iterable[PromptPage], inside: Collection[str], *, observed: bool
) -> tuple[Prompt, ...]:
    """Build the prompts of which the report has a version, with those versions that it has (``inside``), by name."""
    found = [
        Prompt(
            name=page.prompt.shown,
            platform=page.prompt.platform,
            versions=tuple(one.known.urn for one in page.versions if one.known.urn in inside),
            moves=tuple(
                LabelMove(
                    label=move.label,
                    origin=move.origin,
                    target=move.target,
                    after=move.after,
                    before=move.before,
                    by=move.by,
                )
                for move in page.moves
            ),
            findings=tuple(
                PromptFinding(kind=one.kind, version=one.version, since=written(one.since))
                for one in page.findings
            ),
            observed=observed,
        )
        for page in pages
    ]
    return tuple(sorted((one for one in found if one.versions), key=lambda one: one.name))


def build_versions(pages: Iterable[PromptPage]) -> dict[str, PromptVersion]:
    """Map the URN of every version of these prompts to what is known of it."""
    return {one.known.urn: _version(page.prompt.shown, one) for page in pages for one in page.versions}


def _version(prompt: str, one: VersionPage) -> PromptVersion:
    return PromptVersion(
        prompt=prompt,
        version=one.known.version,
        labels=one.known.labels,
        variables=one.variables,
        created=written(one.created),
        author=one.author,
        message=one.message,
        model=one.model,
        settings=_facts(one.settings),
        digest=one.digest,
        scores=tuple(
            Score(
                metric=score.metric,
                value=score.value,
                count=score.count,
                passed=score.passed,
                at=written(score.when),
                data_set=score.data_set,
                judge=score.judge,
            )
            for score in one.scores
        ),
        uses=tuple(sorted(map(_use, one.known.uses), key=lambda use: (use.name or "", use.urn or ""))),
    )


def _use(use: Use) -> PromptUse:
    return PromptUse(
        urn=use.application,
        name=full_name(use.application) if use.application is not None else None,
        last_seen=use.last_seen.isoformat() if use.last_seen is not None else None,
        found_by=use.found_by,
    )


def _facts(stated: Mapping[str, str]) -> tuple[Fact, ...]:
    return tuple(Fact(title=key, text=value) for key, value in sorted(stated.items()))
