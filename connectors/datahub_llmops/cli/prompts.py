"""The command ``prompts``: every prompt with its versions, labels, use and scores, one of them whole, and a diff."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import click

from datahub_llmops.catalog.urn_text import full_name
from datahub_llmops.cli.opening import opened, print_json
from datahub_llmops.net.shown import clean, clean_name

if TYPE_CHECKING:
    # Loaded when one of these commands runs: all others start without them.
    from datahub_llmops.prompts.diff import Difference
    from datahub_llmops.prompts.estate import Estate, KnownPrompt
    from datahub_llmops.prompts.findings import Use
    from datahub_llmops.prompts.page import PromptPage, VersionPage

_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
_UNKNOWN: Final = "not known"
_MARKS: Final = {"orphan": "ORPHAN", "behind": "BEHIND", "unregistered": "UNREGISTERED", "not known": ""}
_WIDEST: Final = 48
"""Characters of a column of the list."""


@click.group(invoke_without_command=True)
@click.option("--platform", help="Only prompts of this registry, such as langfuse.")
@click.option(
    "--finding",
    type=click.Choice(["orphan", "behind", "unregistered"]),
    help="Only prompts with this finding: orphan (labelled for production, and nothing runs it), behind (an "
    "application runs another version than the labelled one), unregistered (an application runs a template that no "
    "registry has).",
)
@_JSON
@click.pass_context
def prompts(context: click.Context, platform: str | None, finding: str | None, as_json: bool) -> None:
    """List every prompt: its versions, labels, the applications that run it, last use, scores and findings.

    \b
    datahub-llmops prompts
    datahub-llmops prompts --finding orphan
    datahub-llmops prompts show support/answer
    datahub-llmops prompts diff support/answer 3 production

    Use is known only if something observes it: the hooks with llm-runs, or a tool's own traces. Otherwise it is "not
    known".
    """
    if context.invoked_subcommand is not None:
        return
    from datahub_llmops.prompts.estate import read_estate

    with opened(context.obj) as catalog:
        estate = read_estate(catalog)
        wanted = [
            one
            for one in estate.prompts
            if (platform is None or one.platform == platform)
            and (finding is None or any(finding in version.findings for version in one.noted))
        ]
        if as_json:
            from datahub_llmops.prompts.page import read_pages

            print_json([_page_json(page) for page in read_pages(catalog, wanted)])
            return
    if not wanted:
        click.echo(
            "No prompt matches."
            if estate.prompts
            else "No prompts in the catalog. `datahub-llmops init` writes a recipe that reads them; docs/registries.md "
            "lists the tools that have prompts."
        )
        return
    _print_table(
        ("PROMPT", "VERSIONS", "LABELS", "RUN BY", "LAST USE", "LAST SCORES", ""),
        [_row(one, estate) for one in wanted],
    )


@prompts.command("show")
@click.argument("name")
@_JSON
@click.pass_context
def show(context: click.Context, name: str, as_json: bool) -> None:
    """Show one prompt: versions newest first, labels and when they moved, where it is used, scores and cost.

    \b
    datahub-llmops prompts show support/answer
    datahub-llmops prompts show langfuse:support/answer --json
    """
    from datahub_llmops.prompts.estate import read_estate
    from datahub_llmops.prompts.page import find_prompt, read_page

    with opened(context.obj) as catalog:
        estate = read_estate(catalog)
        page = read_page(catalog, find_prompt(estate, name))
    if as_json:
        print_json(_page_json(page))
        return
    for line in _page_lines(page, estate):
        _say(line)


@prompts.command("diff")
@click.argument("name")
@click.argument("old")
@click.argument("new")
@_JSON
@click.pass_context
def diff(context: click.Context, name: str, old: str, new: str, as_json: bool) -> None:
    """Compare two versions of a prompt, each given as a version, a label, or `latest`.

    \b
    datahub-llmops prompts diff support/answer 3 production
    datahub-llmops prompts diff support/answer production latest
    """
    from datahub_llmops.prompts.diff import compare, find_version
    from datahub_llmops.prompts.estate import read_estate
    from datahub_llmops.prompts.page import find_prompt, read_page

    with opened(context.obj) as catalog:
        page = read_page(catalog, find_prompt(read_estate(catalog), name))
        found = compare(find_version(page, old), find_version(page, new))
    if as_json:
        print_json(_difference_json(found))
        return
    for line in _difference_lines(found):
        _say(line)


def _row(prompt: KnownPrompt, estate: Estate) -> tuple[str, ...]:
    labels = [f"{label}={version.version}" for version in prompt.noted for label in version.labels]
    scores = next((version.scores for version in reversed(prompt.noted) if version.scores), ())
    findings = dict.fromkeys(
        _MARKS[kind] for version in prompt.noted for kind in version.findings if kind in _MARKS
    )
    count = "" if prompt.application is not None else str(len(prompt.placed))
    newest = prompt.placed[-1].version
    if newest.isdecimal():  # Of hashes only the registry knows the order, which a list does not read.
        count = f"{count}, newest {newest}"
    return (
        prompt.shown,
        count,
        ", ".join(labels),
        ", ".join(_applications(prompt.uses)),
        _last_use(prompt, estate),
        "; ".join(scores),
        " ".join(mark for mark in findings if mark),
    )


def _applications(uses: Iterable[Use]) -> list[str]:
    return sorted({full_name(use.application) for use in uses if use.application is not None})


def _last_use(prompt: KnownPrompt, estate: Estate) -> str:
    if prompt.last_use is not None:
        return prompt.last_use.isoformat()
    if prompt.uses or not estate.observed:
        return _UNKNOWN
    return "never seen"


def _print_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print aligned columns. It is faster than rich, which takes a second for a thousand rows."""
    cells = [[clean_name(cell) for cell in row] for row in rows]
    widths = [min(max(map(len, column)), _WIDEST) for column in zip(heads, *cells, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (heads, *cells)
    ]
    click.echo("\n".join(lines))


def _page_lines(page: PromptPage, estate: Estate) -> Iterator[str]:
    prompt = page.prompt
    yield f"{prompt.shown}  {len(prompt.versions)} version{'' if len(prompt.versions) == 1 else 's'}"
    if prompt.application is not None:
        yield f"  a template in the code of {prompt.application}, in no registry under a name"
    for finding in page.findings:
        since = f" since {_day(finding.since)}" if finding.since else ""
        yield f"  {finding.kind}{since}" + (f": version {finding.version}" if finding.version else "")
    for one in page.versions:
        yield ""
        yield from _version_lines(one, estate)
    if page.moves:
        yield ""
        yield "Labels moved"
    for move in page.moves:
        by = f" by {move.by}" if move.by else ""
        yield (
            f"  {move.label}: {move.origin or 'none'} -> {move.target or 'none'}{by}, between {move.after} and "
            f"{move.before}"
        )


def _version_lines(page: VersionPage, estate: Estate) -> Iterator[str]:
    known = page.known
    labels = f"  [{', '.join(known.labels)}]" if known.labels else ""
    yield f"version {known.version or _UNKNOWN}{labels}"
    facts = {
        "created": _day(page.created) if page.created else None,
        "author": page.author,
        "message": page.message.splitlines()[0] if page.message else None,
        "model": ", ".join([*filter(None, [page.model]), *(f"{k}={v}" for k, v in page.settings.items())]),
        "variables": ", ".join(page.variables),
        "digest": page.digest,
        "link": page.url,
    }
    for name, value in facts.items():
        if value:
            yield f"  {name:<10} {value}"
    if known.uses:
        for use in known.uses:
            when = f", last {use.last_seen}" if use.last_seen else ", when is not known"
            how = f" (by {', '.join(use.found_by)})" if use.found_by else ""
            who = full_name(use.application) if use.application else "somebody"
            yield f"  {'run by':<10} {who}{when}{how}"
    else:
        yield f"  {'run by':<10} {'nothing that was seen' if estate.observed else _UNKNOWN}"
    for score in page.scores:
        verdict = {True: ", passed", False: ", failed", None: ""}[score.passed]
        value = f"{score.value:.4g}" if score.value is not None else _UNKNOWN
        of = f" of {score.count}" if score.count is not None else ""
        on = f" on {score.data_set}" if score.data_set else ""
        yield f"  {'score':<10} {score.metric} {value}{of}{on}{verdict}"
    if page.usage is not None:
        usage = page.usage
        cost = f"{usage.cost:.4f} {usage.currency}" if usage.cost is not None else f"cost {_UNKNOWN}"
        tokens = f", {usage.tokens:,} tokens" if usage.tokens is not None else ""
        days = f"{usage.days} day{'' if usage.days == 1 else 's'}"
        yield f"  {'usage':<10} {usage.calls:,} calls on {days}{tokens}, {cost}"


def _difference_lines(found: Difference) -> Iterator[str]:
    for name, (old, new) in found.facts.items():
        yield f"{name}: {old or 'none'} -> {new or 'none'}"
    if found.lines is None:
        same = {True: "The template is the same.", False: "The template differs.", None: None}[
            found.same_template
        ]
        yield same or "Whether the template differs is not known."
        yield "The catalog does not hold both texts: set `include_text: true` in the registry's recipe."
    elif found.lines:
        yield from found.lines
    else:
        yield "The template is the same."


def _day(when: datetime) -> str:
    return when.date().isoformat()


def _page_json(page: PromptPage) -> dict[str, Any]:
    return {
        "name": page.prompt.name,
        "platform": page.prompt.platform,
        "platform_instance": page.prompt.instance,
        "versions": [
            {
                "version": one.known.version,
                "urn": one.known.urn,
                "digest": one.digest,
                "labels": list(one.known.labels),
                "variables": list(one.variables),
                "created": one.created.isoformat() if one.created else None,
                "author": one.author,
                "used_by": [
                    {
                        "urn": use.application,
                        "last_seen": use.last_seen.isoformat() if use.last_seen else None,
                        "found_by": list(use.found_by),
                    }
                    for use in one.known.uses
                ],
                "scores": [
                    {
                        "metric": score.metric,
                        "value": score.value,
                        "count": score.count,
                        "passed": score.passed,
                    }
                    for score in one.scores
                ],
            }
            for one in page.versions
        ],
        "moves": [
            {
                "label": move.label,
                "from": move.origin,
                "to": move.target,
                "after": move.after,
                "before": move.before,
                "by": move.by,
            }
            for move in page.moves
        ],
        "findings": [
            {
                "kind": finding.kind,
                "version": finding.version,
                "since": finding.since.isoformat() if finding.since else None,
            }
            for finding in page.findings
        ],
    }


def _difference_json(found: Difference) -> dict[str, Any]:
    return {
        "old": found.old.known.version,
        "new": found.new.known.version,
        "facts": {name: {"old": old, "new": new} for name, (old, new) in found.facts.items()},
        "same_template": found.same_template,
        "diff": list(found.lines) if found.lines is not None else None,
    }


def _say(line: str) -> None:
    click.echo(clean(line))
