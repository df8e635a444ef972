"""``datahub-llmops models``: install the model plugin for a DataHub server, and see whether it is loaded."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

import click

from datahub_llmops.errors import LlmopsError


@click.group()
def models() -> None:
    """The model plugin, which gives a DataHub server our typed aspects and their tabs."""


@models.command()
@click.argument("directory", type=click.Path(path_type=Path))
def install(directory: Path) -> None:
    """Put the model plugin into DIRECTORY, the folder that the server reads its model plugins from.

    Needs neither a JDK nor Maven. Quickstart reads ~/.datahub/plugins/models.
    """
    from datahub_llmops.aspects import plugin

    try:
        done = plugin.install(directory.expanduser())
    except LlmopsError as error:
        raise click.ClickException(str(error)) from error
    if not done.changed:
        click.echo(f"{done.path} is there already, nothing was changed.")
        return
    click.echo(f"Installed {done.path}")
    if done.older:
        click.echo(f"Also there: {', '.join(done.older)}. The server lets {done.version} win.")
    if done.created_folder:
        click.echo(
            "The folder is new: restart the server, which looks into it only if it was there at its start."
        )
    else:
        click.echo("A running server loads it within a minute; lineage to embedding models needs a restart.")
    click.echo("Search fields need a SystemUpdate with the folder mounted: see docs/install-on-server.md.")


@models.command()
@click.argument("url", metavar="URL")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
def status(url: str, as_json: bool) -> None:
    """Whether the server at URL has loaded the model plugin, and what would be written to it.

    The token comes from DATAHUB_GMS_TOKEN or ~/.datahubenv. Exit code 1 when nothing would be written.
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
