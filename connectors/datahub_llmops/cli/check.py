"""The command ``check``: whether an index can be trusted."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path
from typing import Any

import click

from datahub_llmops.catalog.open import resolve
from datahub_llmops.catalog.overriding import override
from datahub_llmops.cli.completion import complete_asset
from datahub_llmops.cli.opening import opened, shown
from datahub_llmops.cli.paths import Place
from datahub_llmops.errors import RecipeError
from datahub_llmops.governance.finding import EXIT_CODES
from datahub_llmops.governance.policy import Policy
from datahub_llmops.governance.verdict import check_asset
from datahub_llmops.queries.labels import Labels


class VerdictCommand(click.Command):
    """Ends with the exit code of *not known* if it could not look: an error is not a verdict.

    The usual code of an error is 1, here that of *not ok*. Click's code for wrong usage is 2 already.
    """

    @override
    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except click.ClickException as error:
            error.show()
        except click.exceptions.Exit:
            raise
        except (KeyboardInterrupt, BrokenPipeError, click.Abort):
            pass
        except Exception:  # noqa: BLE001 - whatever it is, Python would end with 1
            traceback.print_exc()
        raise click.exceptions.Exit(EXIT_CODES["not known"])


@click.command(cls=VerdictCommand)
@click.argument("asset", metavar="ASSET", shell_complete=complete_asset)
@click.option(
    "--policy",
    "policy_file",
    type=Place(),
    metavar="FILE",
    help="A recipe of llm-health, or a YAML file with its options: grace, exclusive and forbidden terms, and when "
    "models retire.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
@click.pass_obj
def check(where: str | None, asset: str, policy_file: Path | None, as_json: bool) -> None:
    """Say whether an index can be trusted: ok, not ok or not known.

    Exit codes: 0 ok, 1 not ok, 2 not known. An error ends with 2, too, and prints no report.

    \b
    datahub-llmops check chroma:default_database.docs
    datahub-llmops check docs --policy health.dhub.yaml
    datahub-llmops check docs --json
    """
    with opened(where) as catalog:
        report = check_asset(catalog, resolve(catalog, asset), read_policy_file(policy_file))
        if as_json:
            click.echo(report.to_json())
        else:
            from datahub_llmops.cli import render
            from datahub_llmops.cli.check_page import page

            render.show(page(report, Labels(catalog=catalog)))
    sys.exit(EXIT_CODES[report.verdict])


def read_policy_file(file: Path | None) -> Policy | None:
    """Read the policy of ``--policy``; ``None`` without one.

    Raises:
        click.ClickException: it cannot be read; the message says what to correct.
    """
    if file is None:
        return None
    # Recipes need pydantic and DataHub, whose import takes long.
    from datahub_llmops.health.options import read_policy

    try:
        policy = read_policy(file)
    except RecipeError as error:
        raise click.ClickException(shown(str(error))) from error
    for problem in policy.lifecycles.problems:
        click.echo(f"Warning: {shown(problem)}", err=True)
    return policy
