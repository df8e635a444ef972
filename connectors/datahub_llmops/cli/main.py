"""The command ``datahub-llmops``: reads a catalog from a terminal or a program.

Exit codes: 0 done, 1 not found, ambiguous or unreadable, 2 wrong usage; those of ``check`` are verdicts. The command
has to start fast, so rich is imported only to print for people, and DataHub only for a server's URL.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click

from datahub_llmops import __version__
from datahub_llmops.catalog.runs_in_walks import without_runs
from datahub_llmops.cli import answers
from datahub_llmops.cli.affected import affected
from datahub_llmops.cli.check import check
from datahub_llmops.cli.completion import complete_asset, completion
from datahub_llmops.cli.doctor import doctor
from datahub_llmops.cli.init import init
from datahub_llmops.cli.mcp_server import mcp
from datahub_llmops.cli.models import models
from datahub_llmops.cli.opening import opened, shown
from datahub_llmops.cli.output import Command
from datahub_llmops.cli.paths import NewFile, Place
from datahub_llmops.cli.prompts import prompts
from datahub_llmops.cli.report import report
from datahub_llmops.errors import UnknownAssetError
from datahub_llmops.queries.asset import read_asset
from datahub_llmops.queries.found import read_carrying, read_search
from datahub_llmops.queries.labels import Labels
from datahub_llmops.queries.walk import read_lineage, read_names

_EXAMPLES = """
\b
Examples:
  datahub-llmops search docs
  datahub-llmops show chroma:default_database.docs
  datahub-llmops lineage docs
  datahub-llmops lineage sqlite:main.maintainers#email --down --columns
  datahub-llmops --catalog http://localhost:8080 lineage docs --json
  datahub-llmops export catalog.json

ASSET is a URN or a short name: the asset's name or its last parts. Put the platform and a colon in front if the name
alone is ambiguous, and add #column to mean one of its columns.
"""

_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")


def _print_versions(context: click.Context, parameter: click.Parameter, wanted: bool) -> None:
    if not wanted or context.resilient_parsing:
        return
    # From the metadata of its package: the import of DataHub takes seconds.
    from importlib.metadata import PackageNotFoundError, version

    try:
        datahub = version("acryl-datahub")
    except PackageNotFoundError:
        datahub = "not installed"
    python = ".".join(str(part) for part in sys.version_info[:3])
    click.echo(f"datahub-llmops {__version__} (DataHub {datahub}, Python {python})")
    context.exit()


@click.group(
    cls=Command,
    epilog=_EXAMPLES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "--catalog",
    "where",
    type=Place(str),
    metavar="PATH|URL",
    help="The catalog to read: a local file, or the URL of a DataHub server (whose token comes from DATAHUB_GMS_TOKEN "
    "or ~/.datahubenv). Default: DATAHUB_LLMOPS_CATALOG, else the file that the sink llm-local writes by default.",
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_versions,
    help="Show the versions of the plugin, of DataHub and of Python, and exit.",
)
@click.pass_context
def main(context: click.Context, where: str | None) -> None:
    """See which tables, columns, owners and terms feed a vector index, and what depends on them."""
    context.obj = where


@main.command()
@click.argument("asset", metavar="ASSET", shell_complete=complete_asset)
@click.option("--up", is_flag=True, help="Follow lineage upstream, which is the default.")
@click.option("--down", is_flag=True, help="Follow lineage downstream.")
@click.option(
    "--hops", type=click.IntRange(min=1), default=5, show_default=True, help="Maximum number of steps."
)
@click.option("--columns", is_flag=True, help="Also show column lineage. JSON always has it.")
@_JSON
@click.pass_obj
def lineage(
    where: str | None, asset: str, up: bool, down: bool, hops: int, columns: bool, as_json: bool
) -> None:
    """Show what feeds an asset, back to tables and columns, or what it feeds.

    \b
    datahub-llmops lineage docs                             the tables behind the index
    datahub-llmops lineage docs --columns                   and their columns
    datahub-llmops lineage sqlite:main.people#email --down  where personal data goes
    """
    if up and down:
        raise click.UsageError("give --up or --down, not both")
    with opened(where) as catalog:
        found = read_lineage(catalog, asset, "down" if down else "up", hops)
        if as_json:
            click.echo(found.to_json())
            return
        from datahub_llmops.cli import render

        found = replace(found, walk=without_runs(found.walk))
        names = read_names(catalog, found)
        tree = render.lineage_tree(found.walk, names, columns=columns)
        render.show(tree, *render.sentences(found, names))


@main.command()
@click.argument("asset", metavar="ASSET", shell_complete=complete_asset)
@_JSON
@click.pass_obj
def show(where: str | None, asset: str, as_json: bool) -> None:
    """Show everything that the catalog holds about one asset, or everything that carries a glossary term.

    \b
    datahub-llmops show chroma:default_database.docs
    datahub-llmops show docs --json
    datahub-llmops show Privacy.PersonalData      which indexes hold personal data, and from which column
    """
    with opened(where) as catalog:
        found = read_asset(catalog, asset)
        if as_json:
            click.echo(found.to_json())
            return
        from datahub_llmops.cli import render
        from datahub_llmops.cli.asset_page import gather, page
        from datahub_llmops.cli.term_page import holders_table

        labels = Labels(catalog=catalog)
        render.show(page(gather(catalog, found), labels))
        if found.carried_by:
            render.show("", holders_table(found.carried_by, labels))
        elif found.carried_by is not None:
            render.show("", "Nothing in the catalog carries it.")


@main.command()
@click.argument("words", nargs=-1)
@click.option("--term", metavar="TERM", help="List what carries this glossary term, its own and propagated.")
@click.option(
    "--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="Maximum number of results."
)
@_JSON
@click.pass_obj
def search(where: str | None, words: tuple[str, ...], term: str | None, limit: int, as_json: bool) -> None:
    """Find assets whose name, URN or description contains every word, best match first.

    With --term: everything that carries the term and whose name or URN contains every word, with the path that the term
    took.

    \b
    datahub-llmops search customer email
    datahub-llmops search --term Privacy.PersonalData
    datahub-llmops search --term Privacy.PersonalData chroma
    """
    if term is not None:
        _search_term(where, term, words, limit, as_json=as_json)
        return
    if not words:
        raise click.UsageError("give words to search for, or --term TERM")
    with opened(where) as catalog:
        found = read_search(catalog, " ".join(words), limit)
        if as_json:
            click.echo(found.to_json())
        if not found.nodes:
            raise UnknownAssetError(f"no asset in the catalog contains every word of {found.query!r}")
        if as_json:
            return
        from datahub_llmops.cli import render

        labels = Labels(catalog=catalog)
        labels.learn_nodes(found.nodes)
        render.show_found(found.nodes, labels)


@main.command()
@click.argument("file", type=NewFile())
@click.option("--force", is_flag=True, help="Overwrite FILE if it exists.")
@click.option(
    "--custom-aspects",
    is_flag=True,
    help="Include the typed aspects of this plugin. Only for a server that has loaded the model plugin: any other "
    "server refuses whole batches of such a file.",
)
@click.pass_obj
def export(where: str | None, file: Path, force: bool, custom_aspects: bool) -> None:
    """Write the whole catalog to FILE in DataHub's metadata file format.

    DataHub's `file` source loads it into a server:

    \b
    source: {type: file, config: {path: FILE}}
    sink: {type: datahub-rest, config: {server: 'http://localhost:8080'}}
    """
    from datahub_llmops.catalog.export import export_catalog

    with opened(where) as catalog:
        written, left_out = export_catalog(catalog, file, overwrite=force, custom_aspects=custom_aspects)
    click.echo(f"Wrote {written:,} records to {shown(str(file))}")
    if left_out:
        click.echo(
            f"Left out {left_out:,} typed aspects, which a server without the model plugin refuses; "
            "--custom-aspects includes them."
        )


def _search_term(where: str | None, typed: str, words: Sequence[str], limit: int, *, as_json: bool) -> None:
    with opened(where) as catalog:
        found = read_carrying(catalog, typed, " ".join(words), limit)
        if as_json:
            click.echo(found.to_json())
        if not found.carried_by:
            raise UnknownAssetError(f"nothing in the catalog carries the term {typed!r}")
        if as_json:
            return
        from datahub_llmops.cli import render
        from datahub_llmops.cli.term_page import holders_table

        more = [f"{found.left_out:,} more; --limit N lists them"] if found.left_out else []
        render.show(holders_table(found.carried_by, Labels(catalog=catalog)), *more)


main.add_command(answers.answers)
main.add_command(answers.explain)
main.add_command(affected)
main.add_command(check)
main.add_command(completion)
main.add_command(doctor)
main.add_command(init)
main.add_command(mcp)
main.add_command(models)
main.add_command(prompts)
main.add_command(report)


if __name__ == "__main__":
    sys.exit(main())
