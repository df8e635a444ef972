"""The command ``datahub-llmops``: reads a catalog from a terminal or a program.

Exit codes: 0 done, 1 not found, ambiguous or unreadable, 2 wrong usage; those of ``check`` are verdicts. The command
has to start fast, so rich is imported only to print for people, and DataHub only for a server's URL.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from io import TextIOWrapper
from pathlib import Path
from typing import Any, Final

import click

from datahub_llmops import __version__
from datahub_llmops.catalog.column_stops import ColumnStop, edges_within, find_stops
from datahub_llmops.catalog.open import resolve
from datahub_llmops.catalog.protocol import Direction, Edge, FullCatalog, Lineage, Node
from datahub_llmops.catalog.runs_in_walks import without_runs
from datahub_llmops.catalog.untraced import untraced_of
from datahub_llmops.catalog.urn_text import asset_of, entity_type
from datahub_llmops.cli import answers
from datahub_llmops.cli.affected import affected
from datahub_llmops.cli.check import check
from datahub_llmops.cli.column_uses import named, open_stops, use_json, uses_below
from datahub_llmops.cli.completion import complete_asset, completion
from datahub_llmops.cli.mcp_server import mcp
from datahub_llmops.cli.models import models
from datahub_llmops.cli.opening import opened, print_json, shown
from datahub_llmops.cli.prompts import prompts
from datahub_llmops.errors import UnknownAssetError
from datahub_llmops.governance.term_holders import holders_of, matching

_DIRECTIONS: Final[tuple[Direction, Direction]] = ("up", "down")

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
    epilog=_EXAMPLES, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.option(
    "--catalog",
    "where",
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
    if isinstance(sys.stdout, TextIOWrapper):
        # A letter that the terminal cannot show becomes a question mark.
        sys.stdout.reconfigure(errors="replace")
    context.obj = where


@main.command()
@click.argument("asset", metavar="ASSET", shell_complete=complete_asset)
@click.option("--up/--down", "up", default=True, help="Follow lineage upstream (the default) or downstream.")
@click.option(
    "--hops", type=click.IntRange(min=1), default=5, show_default=True, help="Maximum number of steps."
)
@click.option("--columns", is_flag=True, help="Also show column lineage. JSON always has it.")
@_JSON
@click.pass_obj
def lineage(where: str | None, asset: str, up: bool, hops: int, columns: bool, as_json: bool) -> None:
    """Show what feeds an asset, back to tables and columns, or what it feeds.

    \b
    datahub-llmops lineage docs                             the tables behind the index
    datahub-llmops lineage docs --columns                   and their columns
    datahub-llmops lineage sqlite:main.people#email --down  where personal data goes
    """
    with opened(where) as catalog:
        urn = resolve(catalog, asset)
        direction: Direction = "up" if up else "down"
        walk = catalog.lineage(urn, direction, hops)
        above = _edges_above(catalog, walk)
        within = edges_within(walk, above)
        uses = uses_below(catalog, walk)
        stops = open_stops(_column_stops(catalog, walk, above, hops), uses)
        if as_json:
            shown = {
                "uses": [use_json(use) for use in uses],
                "within": [_edge_json(edge) for edge in within],
                "stops": [_stop_json(stop) for stop in stops],
            }
            print_json({**_walk_json(walk), **{key: found for key, found in shown.items() if found}})
            return
        from datahub_llmops.cli import render

        walk = without_runs(walk)
        labels = render.Labels(catalog)
        labels.learn_nodes(walk.nodes)
        labels.learn(end for stop in stops for end in (stop.reached, stop.beyond))
        labels.learn(edge.upstream for edge in within)
        labels.learn(named(uses))
        render.show(
            render.lineage_tree(walk, labels, columns=columns),
            render.lineage_summary(walk, hops, within=bool(within)),
            *render.within_lines(within, labels),
            *render.use_lines(uses, labels),
            *render.stop_lines(stops, labels, walk.direction),
        )


@main.command()
@click.argument("asset", metavar="ASSET", shell_complete=complete_asset)
@_JSON
@click.pass_obj
def show(where: str | None, asset: str, as_json: bool) -> None:
    """Show everything that the catalog holds about one asset, and of a glossary term everything that carries it.

    \b
    datahub-llmops show chroma:default_database.docs
    datahub-llmops show docs --json
    datahub-llmops show Privacy.PersonalData      which indexes hold personal data, and from which column
    """
    from datahub_llmops.cli.term_page import holders_json, holders_table, resolve_shown

    with opened(where) as catalog:
        urn = resolve_shown(catalog, asset)
        is_term = entity_type(urn) == "glossaryTerm"
        holders = holders_of(catalog, urn) if is_term else ()
        node = _node(catalog, urn, described=not holders)
        if as_json:
            carried = {"carried_by": holders_json(holders)} if is_term else {}
            print_json({**_asset_json(catalog, node), **carried})
            return
        from datahub_llmops.cli import render
        from datahub_llmops.cli.asset_page import gather, page

        labels = render.Labels(catalog)
        render.show(page(gather(catalog, node, *_next_steps(catalog, node)), labels))
        if holders:
            render.show("", holders_table(holders, labels))
        elif is_term:
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

    With --term: everything that carries the term and whose name or URN contains every word, with the way that the term
    came by.

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
        query = " ".join(words)
        found = list(catalog.search(query, limit))
        if as_json:
            print_json({"query": query, "nodes": [_node_json(node, hops=False) for node in found]})
        if not found:
            raise UnknownAssetError(f"no asset in the catalog contains every word of {query!r}")
        if as_json:
            return
        from datahub_llmops.cli import render

        labels = render.Labels(catalog)
        labels.learn_nodes(found)
        render.show(render.search_table(found, labels))


@main.command()
@click.argument("file", type=click.Path(path_type=Path))
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
    from datahub_llmops.cli.term_page import holders_json, holders_table, resolve_term

    with opened(where) as catalog:
        term = resolve_term(catalog, typed)
        found = matching(holders_of(catalog, term), words)
        listed, left = found[:limit], len(found[limit:])
        if as_json:
            print_json({"term": term, "carried_by": holders_json(listed), "left_out": left})
        if not found:
            raise UnknownAssetError(f"nothing in the catalog carries the term {typed!r}")
        if as_json:
            return
        from datahub_llmops.cli import render

        more = [f"{left:,} more; --limit N lists them"] if left else []
        render.show(holders_table(listed, render.Labels(catalog)), *more)


def _node(catalog: FullCatalog, urn: str, *, described: bool = True) -> Node:
    """Read the asset. A soft-deleted one has a page too, and a term that is attached and not ``described``."""
    found = catalog.nodes([urn])
    if found:
        return found[0]
    if described and not catalog.aspects(urn):
        raise UnknownAssetError(f"{urn} is not in the catalog; search for it: datahub-llmops search WORDS")
    from datahub_llmops.catalog import urn_text

    return Node(
        urn=urn, type=urn_text.entity_type(urn), platform=urn_text.platform(urn), name=urn_text.full_name(urn)
    )


def _edges_above(catalog: FullCatalog, walk: Lineage) -> tuple[Edge, ...]:
    """The edges into the table of a walk down: a job that feeds the table from its own columns is among them only."""
    asset = asset_of(walk.root)
    if walk.direction == "up" or entity_type(asset) != "dataset":
        return ()
    try:
        return catalog.lineage(asset, "up", 1).edges
    except UnknownAssetError:
        return ()


def _column_stops(
    catalog: FullCatalog, walk: Lineage, above: Sequence[Edge], hops: int
) -> tuple[ColumnStop, ...]:
    """Where the walk of a column ends although lineage of its table goes on; nothing for a walk of assets."""
    asset = asset_of(walk.root)
    if asset == walk.root:
        return ()
    try:
        assets = catalog.lineage(asset, walk.direction, hops)
        ends = {end for edge in (*assets.edges, *above) for end in (edge.upstream, edge.downstream)}
        jobs = sorted(urn for urn in ends if entity_type(urn) == "dataJob")
        return find_stops(walk, assets, untraced_of(catalog.aspects_of(jobs)) if jobs else None)
    except UnknownAssetError:
        return ()


def _stop_json(stop: ColumnStop) -> dict[str, Any]:
    shown = asdict(stop)
    if not stop.partly:
        del shown["partly"]
    return shown


def _edge_json(edge: Edge) -> dict[str, Any]:
    shown = asdict(edge)
    if edge.not_confirmed_since is None:
        del shown["not_confirmed_since"]
    return shown


def _walk_json(walk: Lineage) -> dict[str, object]:
    return {
        "root": walk.root,
        "direction": walk.direction,
        "nodes": [_node_json(node) for node in walk.nodes],
        "edges": [_edge_json(edge) for edge in walk.edges],
    }


def _node_json(node: Node, *, hops: bool = True) -> dict[str, Any]:
    shown = asdict(node)
    if not hops:
        del shown["hops"]
    return shown


def _next_steps(catalog: FullCatalog, node: Node) -> tuple[Lineage, Lineage]:
    """The walks to the direct upstream and downstream assets; a soft-deleted asset has none."""
    try:
        up, down = (catalog.lineage(node.urn, direction, 1) for direction in _DIRECTIONS)
    except UnknownAssetError:
        up, down = (
            Lineage(root=node.urn, direction=direction, nodes=(), edges=()) for direction in _DIRECTIONS
        )
    return up, down


def _asset_json(catalog: FullCatalog, node: Node) -> dict[str, object]:
    up, down = _next_steps(catalog, node)
    unconfirmed = [_edge_json(edge) for edge in (*up.edges, *down.edges) if edge.not_confirmed_since]
    return {
        **_node_json(node, hops=False),
        "aspects": dict(catalog.aspects(node.urn)),
        "latest": dict(catalog.latest(node.urn)),
        "upstream": [other.urn for other in up.nodes if other.hops],
        "downstream": [other.urn for other in down.nodes if other.hops],
        **({"not_confirmed": unconfirmed} if unconfirmed else {}),
    }


main.add_command(answers.answers)
main.add_command(answers.explain)
main.add_command(affected)
main.add_command(check)
main.add_command(completion)
main.add_command(mcp)
main.add_command(models)
main.add_command(prompts)


if __name__ == "__main__":
    sys.exit(main())
