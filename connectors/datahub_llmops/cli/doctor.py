"""The command ``doctor``: what is installed, reachable, configured and stale, and what to do about it."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import click

from datahub_llmops.cli.check import VerdictCommand
from datahub_llmops.cli.opening import print_json
from datahub_llmops.cli.paths import Place
from datahub_llmops.governance.finding import EXIT_CODES


@click.command(cls=VerdictCommand)
@click.argument("recipes", metavar="[RECIPE]...", nargs=-1, type=Place())
@click.option(
    "--timeout",
    type=click.FloatRange(min=0.1, max=3_600),
    default=20.0,
    show_default=True,
    metavar="SECONDS",
    help="How long each test may take.",
)
@click.option(
    "--max-age",
    type=click.FloatRange(min=0.01),
    default=7.0,
    show_default=True,
    metavar="DAYS",
    help="A pipeline whose last run is older is stale.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
@click.pass_obj
def doctor(
    where: str | None, recipes: tuple[Path, ...], timeout: float, max_age: float, as_json: bool
) -> None:
    """Examine versions, recipes, catalogs, the hooks' answer stores and servers, and say what to do.

    Without RECIPE: what is in the folder recipes, and every *.dhub.yaml below the working folder. It writes nothing.

    Exit codes: 0 ok, 1 not ok, 2 not known.

    \b
    datahub-llmops doctor
    datahub-llmops doctor recipes/chroma.dhub.yaml
    datahub-llmops --catalog http://localhost:8080 doctor --json
    """
    from datahub_llmops.setup.diagnosis import report
    from datahub_llmops.setup.doctor import examine

    # Sources warn about what the report says anyway.
    logging.getLogger().addHandler(logging.NullHandler())
    found = report(examine(recipes, where, timeout, max_age))
    if as_json:
        print_json(found)
    else:
        from datahub_llmops.cli import render
        from datahub_llmops.cli.doctor_page import page

        render.show(page(found))
    sys.exit(EXIT_CODES[found["verdict"]])
