"""The command ``report``: a catalog, or a part of it, as one file."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, get_args

import click

from datahub_llmops.cli.answers import STORE
from datahub_llmops.cli.completion import complete_asset
from datahub_llmops.cli.opening import explained, opened, shown
from datahub_llmops.cli.paths import Place
from datahub_llmops.governance.finding import Verdict

if TYPE_CHECKING:
    from datahub_llmops.catalog.protocol import Direction, FullCatalog
    from datahub_llmops.report.filters import Filters
    from datahub_llmops.report.model import Report
    from datahub_llmops.report.selection import Selection

Format: TypeAlias = Literal["html", "mermaid", "dot", "md"]

_BY_SUFFIX: Final[dict[str, Format]] = {
    ".md": "md",
    ".mmd": "mermaid",
    ".mermaid": "mermaid",
    ".dot": "dot",
    ".gv": "dot",
}
_HOPS: Final = 5
_SILENT_SECONDS: Final = 2.0
_EMPTY: Final = (
    "The catalog has no asset with lineage yet. Run a recipe into it: datahub ingest -c RECIPE, then write the "
    "report again."
)


@click.command()
@click.argument("assets", metavar="[ASSET]...", nargs=-1, shell_complete=complete_asset)
@click.option("--up", is_flag=True, help="Only what feeds the assets. Default: both directions.")
@click.option("--down", is_flag=True, help="Only what the assets feed.")
@click.option(
    "--hops", type=click.IntRange(min=1), help=f"Maximum number of steps from an ASSET.  [default: {_HOPS}]"
)
@click.option(
    "--columns", is_flag=True, help="Draw column lineage. An HTML report always has it, a click away."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(get_args(Format)),
    help="html is a page to look at, md is for wikis and pull requests, mermaid and dot are diagrams. Default: by the "
    "name of FILE, else html.",
)
@click.option(
    "--out",
    type=Place(),
    metavar="FILE",
    help="The file to write. Default: standard output, also -; html always needs a file.",
)
@click.option("--force", is_flag=True, help="Overwrite FILE if it exists.")
@click.option(
    "--type",
    "types",
    multiple=True,
    metavar="TYPE",
    help="Only assets of this type, such as 'Vector Collection'.",
)
@click.option(
    "--platform", "platforms", multiple=True, metavar="PLATFORM", help="Only assets of this platform."
)
@click.option("--owner", "owners", multiple=True, metavar="OWNER", help="Only assets of this owner.")
@click.option(
    "--term",
    "terms",
    multiple=True,
    metavar="TERM",
    help="Only assets that carry this glossary term, or have a column that does.",
)
@click.option(
    "--verdict",
    "verdicts",
    multiple=True,
    type=click.Choice(get_args(Verdict)),
    help="Only assets with this verdict of llm-health.",
)
@click.option(
    "--answers",
    "count",
    type=click.IntRange(1, 1000),
    metavar="N",
    help="Add the newest N recorded answers, each traced back as in explain. The report has no questions and no texts.",
)
@STORE
@click.option(
    "--recipe",
    type=Place(),
    help="With --answers: the recipe of llm-runs, which decides which index is meant.",
)
@click.pass_obj
def report(
    where: str | None,
    /,
    assets: tuple[str, ...],
    up: bool,
    down: bool,
    hops: int | None,
    columns: bool,
    form: Format | None,
    out: Path | None,
    force: bool,
    count: int | None,
    path: Path | None,
    recipe: Path | None,
    **filters: tuple[str, ...],
) -> None:
    """Write a catalog, or the neighbourhood of assets, as one file: a page, a diagram, or Markdown.

    Each filter may be given several times: an asset has to have one value of each.

    \b
    datahub-llmops report --out lineage.html
    datahub-llmops report docs --up --columns --out docs.html
    datahub-llmops report docs --format md
    datahub-llmops report --platform chroma --platform postgres --format dot
    """
    if not assets and (up or down or hops):
        raise click.UsageError("--up, --down and --hops go with an ASSET")
    if count is None and (path or recipe):
        raise click.UsageError("--store and --recipe go with --answers N")
    form, out = _choose_target(form, out)
    if out is not None:
        _check(out, force=force)
    progress = _Progress()
    with opened(where) as catalog:
        from datahub_llmops.report.filters import Filters
        from datahub_llmops.report.gather import gather

        progress("the catalog")
        wanted = Filters(**filters)
        made = gather(
            catalog, _select(catalog, assets, _directions(up, down), hops or _HOPS, wanted), progress
        )
        made = replace(made, columns=columns, filters=wanted.facts)
        if not made.assets:
            made = replace(made, notes=(*made.notes, _EMPTY))
        if count is not None:
            made = _with_answers(catalog, made, count, path, recipe, progress)
    progress("the file", "Writing")
    with explained():
        _write(made, form, out)


def _choose_target(form: Format | None, out: Path | None) -> tuple[Format, Path | None]:
    """Choose the format by the name of the file, and ask for a file if a page has none. ``-`` is standard output."""
    if out == Path("-"):
        out = None
    if form is None:
        form = _BY_SUFFIX.get(out.suffix.lower(), "html") if out is not None else "html"
    if form == "html" and out is None:
        if not sys.stdin.isatty():
            raise click.UsageError(
                "a page needs a file: --out lineage.html. Or choose --format md, mermaid or dot"
            )
        out = Path(click.prompt("Write the report to", default="lineage.html", err=True))
    return form, out


def _check(out: Path, *, force: bool) -> None:
    """End the command before the work if the file cannot be written. A person is asked whether to overwrite it."""
    from datahub_llmops.catalog.whole_file import check_target

    asks = sys.stdin.isatty()
    with explained():
        check_target(out, overwrite=force or asks)
    if asks and not force and out.exists():
        click.confirm(f"{shown(str(out))} exists. Overwrite it?", err=True, abort=True)


def _directions(up: bool, down: bool) -> tuple[Direction, ...]:
    return ("up", "down") if up == down else ("up",) if up else ("down",)


def _select(
    catalog: FullCatalog,
    assets: tuple[str, ...],
    directions: tuple[Direction, ...],
    hops: int,
    filters: Filters,
) -> Selection:
    from datahub_llmops.catalog.open import resolve
    from datahub_llmops.report.selection import join_selections, narrow, select_all, select_around

    given = filters if filters.facts else None
    if not assets:
        return select_all(catalog, given)
    chosen = join_selections(
        [select_around(catalog, resolve(catalog, asset), directions, hops) for asset in assets]
    )
    return narrow(catalog, chosen, given) if given else chosen


def _with_answers(
    catalog: FullCatalog,
    made: Report,
    count: int,
    store: Path | None,
    recipe: Path | None,
    progress: _Progress,
) -> Report:
    from datahub_llmops.queries.recent_answers import read_recent_answers

    inside = made.by_urn.keys() if made.roots or made.filters else None
    found = read_recent_answers(catalog, count, inside=inside, store=store, recipe=recipe, step=progress)
    return replace(made, answers=found.answers, notes=(*made.notes, *found.notes))


def _write(made: Report, form: Format, out: Path | None) -> None:
    from datahub_llmops.catalog.whole_file import write_whole

    written = _written(made, form)
    if out is None:
        click.echo(written.decode(), nl=False)
    else:
        write_whole(out, lambda file: file.write(written))
        click.echo(f"Wrote {len(made.assets):,} assets and {len(made.edges):,} edges to {shown(str(out))}")
    for note in made.notes:
        click.echo(shown(note), err=True)


def _written(made: Report, form: Format) -> bytes:
    """Write the report. Each format is loaded only if it is asked for."""
    if form == "html":
        from datahub_llmops.report.html.page import write_page

        return write_page(made)
    from datahub_llmops.report.dot import write_dot
    from datahub_llmops.report.markdown import write_markdown
    from datahub_llmops.report.mermaid import write_mermaid

    writers: dict[str, Callable[[Report], str]] = {
        "mermaid": write_mermaid,
        "dot": write_dot,
        "md": write_markdown,
    }
    return writers[form](made).encode()


class _Progress:
    """Says on standard error what is done, once a command has taken long enough for somebody to wonder."""

    def __init__(self) -> None:
        self._begun = time.monotonic()

    def __call__(self, what: str, verb: str = "Reading") -> None:
        if time.monotonic() - self._begun > _SILENT_SECONDS:
            click.echo(f"{verb} {what} ...", err=True)
