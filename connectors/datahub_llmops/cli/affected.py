"""The command ``affected``: who must be told if a model ends, or a column goes."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from datahub_llmops.cli.completion import complete_asset
from datahub_llmops.cli.opening import opened
from datahub_llmops.cli.paths import Place
from datahub_llmops.governance.impact import impact_of
from datahub_llmops.queries.labels import Labels
from datahub_llmops.queries.names import resolve_affecting


@click.command()
@click.argument("asset", metavar="ASSET", shell_complete=complete_asset)
@click.option(
    "--policy",
    "policy_file",
    type=Place(),
    metavar="FILE",
    help="A recipe of llm-health, or a YAML file with its options. It may name lists of the dates on which models "
    "retire.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
@click.pass_obj
def affected(where: str | None, asset: str, policy_file: Path | None, as_json: bool) -> None:
    """Show what depends on an asset: indexes, jobs, prompts, applications and owners.

    \b
    datahub-llmops affected openai/text-embedding-3-small     what a retired model affects
    datahub-llmops affected sqlite:main.entries#doc           what breaks if this column goes
    """
    from datahub_llmops.cli.check import read_policy_file
    from datahub_llmops.governance.verdict import default_policy

    with opened(where) as catalog:
        policy = read_policy_file(policy_file) or default_policy()
        found = impact_of(
            catalog, resolve_affecting(catalog, asset), policy.lifecycles, now=datetime.now(UTC)
        )
        if as_json:
            click.echo(found.to_json())
            return
        from datahub_llmops.cli import render
        from datahub_llmops.cli.affected_page import page

        render.show(page(found, Labels(catalog=catalog)))
