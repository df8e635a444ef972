"""``datahub-llmops models``: installs the model plugin for a DataHub server and shows whether it is loaded."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

import click

from datahub_llmops.cli.paths import Place
from datahub_llmops.errors import LlmopsError


@click.group()
def models() -> None:
    """Manage the model plugin, which adds the typed aspects and their tabs to a DataHub server."""


@models.command()
@click.argument("directory", type=Place())
def install(directory: Path) -> None:
    """Install the model plugin into DIRECTORY, from which the server loads model plugins.

    Needs neither a JDK nor Maven. DataHub's quickstart loads plugins from ~/.datahub/plugins/models.
    """
    from datahub_llmops.aspects import plugin

    try:
        done = plugin.install(directory.expanduser())
    except LlmopsError as error:
        raise click.ClickException(str(error)) from error
    if not done.changed:
        click.echo(f"{done.path} is already installed; nothing was changed.")
        return
    click.echo(f"Installed {done.path}")
    if done.older:
        click.echo(f"Other versions in the folder: {', '.join(done.older)}. The server uses {done.version}.")
    if done.created_folder:
        click.echo(
            "The folder is new: restart the server, which watches only folders that existed when it started."
        )
    else:
        click.echo(
            "A running server loads it within a few minutes; lineage to embedding models needs a restart."
        )
    click.echo("Search fields need a SystemUpdate with the folder mounted: see docs/install-on-server.md.")


@models.command()
@click.argument("url", metavar="URL")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
def status(url: str, as_json: bool) -> None:
    """Show whether the server at URL has loaded the model plugin, and which typed aspects it would receive.

    The token comes from DATAHUB_GMS_TOKEN or ~/.datahubenv. The exit code is 1 if it would receive none.
    """
    from datahub_llmops.aspects.admission import decide, plugin_state
    from datahub_llmops.catalog.server.client import Gms, connect

    try:
        with closing(Gms(connect(url))) as server:
            config = server.config()
    except LlmopsError as error:
        raise click.ClickException(str(error)) from error
    found = plugin_state(config)
    decision = decide("auto", "server", config=config)
    if as_json:
        click.echo(
            json.dumps({**asdict(found), "aspects": sorted(decision.fields), "message": decision.message})
        )
    else:
        click.echo(decision.message)
        if found.reason and found.state != "failed":
            click.echo(f"Another version failed to load: {found.reason}")
    if not decision.enabled:
        raise SystemExit(1)
