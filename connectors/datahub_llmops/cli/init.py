"""The command ``init``: finds systems, tests their connections, and writes a recipe for each."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from datahub_llmops.answer_store.location import default_catalog, environment
from datahub_llmops.cli.opening import shown
from datahub_llmops.cli.paths import Place
from datahub_llmops.errors import LlmopsError, NoCatalogError, RecipeError

if TYPE_CHECKING:
    from datahub_llmops.setup.connection import Connection
    from datahub_llmops.setup.discovery import Discovery
    from datahub_llmops.setup.plan import Plan
    from datahub_llmops.setup.recipe_text import Recipe
    from datahub_llmops.setup.systems import Candidate
    from datahub_llmops.setup.target import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tried:
    """A recipe with its text and what its test found."""

    recipe: Recipe
    text: str
    connection: Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class _Prepared:
    """Everything that is known before the first recipe is written."""

    found: Discovery
    target: Target
    plan: Plan
    tried: tuple[_Tried, ...]


@click.command()
@click.option("--yes", is_flag=True, help="Take what is found, and ask nothing: for scripts.")
@click.option(
    "--out",
    type=Place(file_okay=False),
    default=Path("recipes"),
    show_default=True,
    metavar="FOLDER",
    help="Folder for the recipes. An existing recipe is kept.",
)
@click.option("--ports/--no-ports", default=True, help="Probe the usual ports of this machine, or do not.")
@click.option(
    "--failed",
    is_flag=True,
    help="With --yes: also write recipes whose connection failed. A comment in them says why.",
)
@click.pass_obj
def init(where: str | None, yes: bool, out: Path, ports: bool, failed: bool) -> None:
    """Find stores, prompts and answers, test each connection, and write a recipe for each.

    It looks at the names of environment variables, also in .env; at the usual ports of this machine; and below the
    working folder. It asks for the rest. Recipes name the variables that hold secrets, never a secret. They write to
    the catalog of --catalog, or to the default one.

    Exit codes: 0 if there is a recipe for at least one system, 1 if there is none, 2 wrong usage.

    \b
    datahub-llmops init
    datahub-llmops init --yes --out recipes
    datahub-llmops --catalog http://localhost:8080 init --yes
    """
    if failed and not yes:
        raise click.UsageError("--failed belongs to --yes; without it you are asked")
    if not yes and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise click.UsageError(
            "there is no terminal to ask in. `datahub-llmops init --yes` takes what is found; --out names the folder "
            "of the recipes, and `datahub-llmops --catalog PATH|URL init` the catalog"
        )
    try:
        prepared = _prepare(where, out, yes=yes, ports=ports)
        _finish(prepared, out, yes=yes, failed=failed)
    except LlmopsError as error:
        raise click.ClickException(shown(str(error))) from error


def _prepare(where: str | None, out: Path, *, yes: bool, ports: bool) -> _Prepared:
    """Do all that may be stopped without a trace."""
    try:
        return _look_and_try(where, out, yes=yes, ports=ports)
    except (click.Abort, KeyboardInterrupt):
        click.echo("\nStopped. Nothing was written.", err=True)
        sys.exit(1)


def _look_and_try(where: str | None, out: Path, *, yes: bool, ports: bool) -> _Prepared:
    from datahub_llmops.setup.discovery import discover
    from datahub_llmops.setup.plan import make_plan, read_existing
    from datahub_llmops.setup.ports import PROBES

    folder = Path.cwd()
    existing = read_existing(out)
    click.echo(f"Looking at this machine and below {shown(str(folder))} ...\n")
    found = discover(folder, os.environ, PROBES if ports else ())
    _show_found(found)
    chosen = _complete(found.candidates, found) if yes else _choose(found)
    target = _target(where, found, folder, yes=yes)
    plan = make_plan(chosen, existing)
    _show_kept(plan, out)
    tried = _try(plan.recipes, target, found, folder, yes=yes)
    return _Prepared(found=found, target=target, plan=plan, tried=tuple(tried))


def _finish(prepared: _Prepared, out: Path, *, yes: bool, failed: bool) -> None:
    wanted = [one for one in prepared.tried if one.connection.verdict != "not ok" or not yes or failed]
    written = _write(wanted, out)
    _show_left_out([one for one in prepared.tried if one not in wanted])
    if not written and not prepared.plan.kept:
        _show_nothing_written(prepared.found, yes=yes)
        sys.exit(1)
    _show_next(written, prepared, out)


def _show_nothing_written(found: Discovery, *, yes: bool) -> None:
    if found.candidates or not yes:
        click.echo("\nNo recipe was written.")
        return
    click.echo(
        "No recipe was written. Go to the folder of your project, set the variable of a system, such as QDRANT_URL, or "
        "run init without --yes: it asks for the systems."
    )


def _show_found(found: Discovery) -> None:
    if not found.candidates:
        click.echo("Nothing was found.")
    for number, one in enumerate(found.candidates, 1):
        place = "" if one.system.place.is_secret or not one.place else f"  {one.place}"
        click.echo(shown(f"  {number}  {one.system.title}{place}  ({one.found})"))
    for line in found.not_seen:
        click.echo(shown(f"Not looked into: {line}."))
    click.echo()


def _choose(found: Discovery) -> list[Candidate]:
    from datahub_llmops.cli.questions import ask_missing, ask_others, ask_which

    chosen = ask_which(found.candidates) if found.candidates else []
    chosen = [ask_missing(one, found.variables) for one in chosen]
    return [*chosen, *ask_others(found.variables, found.hints)]


def _complete(candidates: Sequence[Candidate], found: Discovery) -> list[Candidate]:
    """Return the systems of which enough is known, and say what the others need."""
    for one in candidates:
        if one.missing:
            needs = ", ".join(
                f"{option.label} ({option.variables[0]})" if option.variables else option.label
                for option in one.missing
            )
            click.echo(
                shown(f"Left out: {one.system.title}, which needs: {needs}. Without --yes you are asked.")
            )
    return [one for one in candidates if not one.missing]


def _target(where: str | None, found: Discovery, folder: Path, *, yes: bool) -> Target:
    from datahub_llmops.catalog.open import open_catalog
    from datahub_llmops.cli.questions import ask_target
    from datahub_llmops.setup.target import (
        configured_server,
        local_target,
        server_of_datahub,
        server_of_variables,
        server_target,
    )

    named = where or environment("CATALOG")
    if named and named.lower().startswith(("http://", "https://")):
        return server_target(named, found.variables)
    if named and "://" in named:
        raise RecipeError(
            "name a catalog by the path of a file, or by a server's URL with http:// or https://"
        )
    local = local_target(where, default_catalog(), folder)
    if named:
        # Its recipes could write nothing. A file that is not there yet is what they begin.
        with suppress(NoCatalogError), closing(open_catalog(named)):
            pass
        return local
    servers = [server_of_variables(found.variables), server_of_datahub(configured_server())]
    known = [one for one in servers if one is not None]
    if found.datahub and not known:
        known = [server_target(found.datahub, found.variables)]
    if not yes:
        return ask_target([local, *known])
    for one in known:
        click.echo(
            shown(f"There is also {one.shown}; `datahub-llmops --catalog URL init` writes recipes for it.")
        )
    return local


def _show_kept(plan: Plan, out: Path) -> None:
    for candidate, file in plan.kept:
        click.echo(shown(f"Kept {out / file}, which reads {candidate.system.title} already."))


def _try(
    recipes: Sequence[Recipe], target: Target, found: Discovery, folder: Path, *, yes: bool
) -> list[_Tried]:
    """Test the connections, and ask what becomes of those that failed."""
    if not recipes:
        return []
    click.echo("Testing the connections ...")
    tried = _test(recipes, target, found, folder)
    for one in tried:
        _show_verdict(one)
    if yes:
        return tried
    return [kept for one in tried if (kept := _settle(one, target, found, folder)) is not None]


def _test(recipes: Sequence[Recipe], target: Target, found: Discovery, folder: Path) -> list[_Tried]:
    from datahub_llmops.setup.recipe_text import build_text
    from datahub_llmops.setup.trial import try_texts

    results = try_texts([build_text(one, target, folder) for one in recipes], os.environ, found.variables)
    return [
        _Tried(
            recipe=recipe,
            connection=result,
            text=build_text(recipe, target, folder, None if result.verdict == "ok" else result.message),
        )
        for recipe, result in zip(recipes, results, strict=True)
    ]


def _settle(one: _Tried, target: Target, found: Discovery, folder: Path) -> _Tried | None:
    """Ask about a recipe whose connection failed, until it works, is wanted all the same, or is left out."""
    from dataclasses import replace

    from datahub_llmops.cli.questions import ask_after_failure, ask_options

    while one.connection.verdict == "not ok":
        answer = ask_after_failure(one.recipe.candidate)
        if answer == "write":
            return one
        if answer == "leave":
            return None
        changed = ask_options(one.recipe.candidate, found.variables)
        (one,) = _test([replace(one.recipe, candidate=changed)], target, found, folder)
        _show_verdict(one)
    return one


def _show_verdict(one: _Tried) -> None:
    from rich.text import Text

    from datahub_llmops.cli import render
    from datahub_llmops.cli.check_page import STYLES

    verdict = one.connection.verdict
    line = Text(f"  {verdict:<9}", style=STYLES[verdict])
    first, *more = shown("\n".join((one.connection.message, *one.connection.incapable))).splitlines() or [""]
    line.append(f"  {one.recipe.candidate.system.title}: {first}", style="not bold default")
    render.show(line, *(Text(f"             {text}") for text in more), soft_wrap=True)


def _write(tried: Sequence[_Tried], out: Path) -> list[_Tried]:
    from datahub_llmops.setup.writing import write_new

    if not tried:
        return []
    there = set(write_new(out, {one.recipe.file_name: one.text for one in tried}))
    click.echo()
    for one in tried:
        path = shown(str(out / one.recipe.file_name))
        click.echo(f"Kept {path}, which exists." if one.recipe.file_name in there else f"Wrote {path}")
    return [one for one in tried if one.recipe.file_name not in there]


def _show_left_out(tried: Sequence[_Tried]) -> None:
    for one in tried:
        click.echo(shown(f"Left out {one.recipe.candidate.system.title}: its connection failed."))
    if tried:
        click.echo("Correct what is wrong and run this again, or write them all the same with --failed.")


def _show_next(written: Sequence[_Tried], prepared: _Prepared, out: Path) -> None:
    click.echo("\nWhat to type next:\n")
    for line in _variables_to_load(written, prepared.found):
        click.echo(f"  {shown(line)}")
    files = [*(file for _, file in prepared.plan.kept), *(one.recipe.file_name for one in written)]
    for file in dict.fromkeys(files):
        click.echo(f"  datahub ingest -c {shown(shlex.quote(str(out / file)))}")
    option = prepared.target.option
    command = f"datahub-llmops --catalog {_quoted(option)}" if option else "datahub-llmops"
    asset = _example(written)
    click.echo(shown(f"  {command} search {asset}"))
    click.echo(shown(f"  {command} lineage {asset}"))


def _example(written: Sequence[_Tried]) -> str:
    """Return the name of an index that one of the recipes reads, as a shell takes it, or a word in its place."""
    from datahub_llmops.setup.trial import name_of_one

    tried = (one for one in written if one.connection.verdict == "ok")
    name = next((name for one in tried if (name := name_of_one(one.text, os.environ))), None)
    return shlex.quote(name) if name else "NAME"


def _quoted(option: str) -> str:
    return option if option.startswith('"$') else shlex.quote(option)


def _variables_to_load(written: Sequence[_Tried], found: Discovery) -> list[str]:
    """Return the shell's lines that set what recipes name and this environment does not have."""
    import yaml

    from datahub_llmops.setup.connection import unset_variables

    unset: Mapping[str, None] = dict.fromkeys(
        name for one in written for name in unset_variables(yaml.safe_load(one.text), os.environ)
    )
    files = dict.fromkeys(found.variables.files[name] for name in unset if name in found.variables.files)
    return [
        *(f"set -a; . ./{file}; set +a" for file in files),
        *(f"export {name}=..." for name in unset if name not in found.variables),
    ]
