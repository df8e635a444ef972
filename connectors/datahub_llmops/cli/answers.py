"""The commands ``answers`` and ``explain``: what the hooks recorded on this host, and one answer walked back."""

from __future__ import annotations

import json
import os
import re
import stat
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from datahub_llmops.catalog.overriding import override
from datahub_llmops.catalog.whole_file import describe_loss
from datahub_llmops.cli.paths import NewFile, Place
from datahub_llmops.errors import CatalogError, LlmopsError, NoCatalogError, QuestionError, RecordError

if TYPE_CHECKING:
    from datahub_llmops.answer_store.database import Store
    from datahub_llmops.answer_store.recorded import RecordedAnswer
    from datahub_llmops.answers.prices import PricesConfig
    from datahub_llmops.assets.usage import Totals
    from datahub_llmops.catalog.protocol import FullCatalog

STORE = click.option(
    "--store",
    "path",
    type=Place(),
    help="The answer store to read. Default: DATAHUB_LLMOPS_STORE, else the file that applications of this user write "
    "by default.",
)
_PRICES = click.option(
    "--prices",
    "price_list",
    type=Place(),
    help="Prices of models: the recipe of llm-runs, or a YAML file with the same `prices` and `currency`.",
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


class Since(click.ParamType):  # type: ignore[type-arg]  # generic in newer releases of click only
    """A length of time such as ``30m``, ``1h`` or ``7d``, as the seconds since the epoch at which it began."""

    name = "TIME"

    @override
    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Parse the text of the option; a malformed one ends the command with a usage error."""
        found = re.fullmatch(r"(\d{1,9})([smhd])", str(value))
        if found is None:
            self.fail(f"{value!r} is not a length of time: write 30m, 1h or 7d", param, ctx)
        return time.time() - int(found[1]) * _UNITS[found[2]]


@click.group(invoke_without_command=True)
@click.option("--application", help="Only answers of this application.")
@click.option(
    "--since", type=Since(), default="24h", show_default=True, help="How far to look back, such as 1h or 7d."
)
@click.option(
    "--limit",
    type=click.IntRange(1, 100_000),
    default=20,
    show_default=True,
    help="Maximum number of answers.",
)
@click.option(
    "--row",
    metavar="KEY",
    help="Only answers that received this row of a table. KEY is the value of the job's `key_field`.",
)
@_PRICES
@STORE
@_JSON
@click.pass_context
def answers(
    context: click.Context,
    application: str | None,
    since: float,
    limit: int,
    row: str | None,
    price_list: Path | None,
    path: Path | None,
    as_json: bool,
) -> None:
    """List the answers that applications on this host gave, newest first.

    \b
    datahub-llmops answers
    datahub-llmops answers --application support-bot --since 1h
    datahub-llmops answers --since 30d --row 3622
    datahub-llmops answers usage --since 7d --by model --prices runs.dhub.yaml
    datahub-llmops answers export answers.jsonl
    """
    if context.invoked_subcommand is not None:
        return
    from datahub_llmops.net.shown import moment

    prices = _prices(price_list)
    with _store(path) as store:
        found = list(_read(store, since, application, limit if row is None else None))
        if row is not None:
            found = _given_row(store, found, row)[:limit]
        if as_json:
            click.echo(json.dumps([_brief(one, prices) for one in found], indent=2))
            return
        if not found:
            click.echo(f"No answers in this period{' were given this row' if row is not None else ''}.")
        for one in found:
            when = moment(one.started)
            documents = _count_documents(one)
            models = ", ".join(
                sorted(
                    {str((call.served or call.asked).get("name", "model not known")) for call in one.models}
                )
            )
            parts = [
                one.id,
                when,
                one.application,
                one.status,
                f"{documents} document{'' if documents == 1 else 's'}",
                models,
            ]
            _say("  ".join([*parts, *_figures(_total(one, prices), prices)]))


@answers.command("usage")
@click.option("--application", help="Only answers of this application.")
@click.option(
    "--since", type=Since(), default="24h", show_default=True, help="How far to look back, such as 1h or 7d."
)
@click.option(
    "--by",
    type=click.Choice(["application", "version", "model", "prompt", "day"]),
    default="application",
    show_default=True,
    help="What to group by.",
)
@_PRICES
@STORE
@_JSON
def usage(
    application: str | None,
    since: float,
    by: str,
    price_list: Path | None,
    path: Path | None,
    as_json: bool,
) -> None:
    """Add up calls, errors, latency, tokens and cost.

    Grouped by application, version or day, a call is an answer; grouped by model or prompt, it is a model call.
    """
    from datahub_llmops.answers.summary import added_up

    prices = _prices(price_list)
    with _store(path) as store:
        found = sorted(added_up(_read(store, since, application, None), by, prices).items())
        if as_json:
            click.echo(json.dumps([{by: name, **_usage(total, prices)} for name, total in found], indent=2))
            return
        if not found:
            click.echo("No answers in this period.")
        for name, total in found:
            calls = f"{round(total.calls):,} calls"
            errors = [] if total.errors is None else [f"{round(total.errors):,} errors"]
            _say("  ".join([name, calls, *errors, *_figures(total, prices)]))


@answers.command("export")
@click.argument("file", type=NewFile())
@click.option("--force", is_flag=True, help="Overwrite FILE if it exists.")
@STORE
def export(file: Path, force: bool, path: Path | None) -> None:
    """Write every stored answer to FILE as one line of JSON, oldest first."""
    count = 0
    with _store(path) as store:
        try:
            if lost := describe_loss(file):
                raise click.ClickException(lost)
            with _open_private(file, force=force) as out:
                for one in reversed(list(_read(store, 0.0, None, None))):
                    out.write(json.dumps(asdict(one), default=str) + "\n")
                    count += 1
        except FileExistsError as error:
            raise click.ClickException(f"{file} exists; --force overwrites it") from error
        except OSError as error:
            raise click.ClickException(f"{file} cannot be written: {error.strerror}") from error
    click.echo(f"Wrote {count:,} answers to {file}")


@click.command()
@click.argument("answer", required=False)
@click.option(
    "--text",
    help="Find the answer by its whole text instead of its id; - reads the text from standard input.",
)
@click.option("--env", help="Environment of assets whose URN has none. Default: that of --recipe, else PROD.")
@click.option(
    "--recipe",
    type=Place(),
    help="The recipe of llm-runs. Its `instances`, `source_rules` and `env` decide which index is meant. Or the recipe "
    "of llm-spans: then the answer is read from its spans.",
)
@click.option(
    "--at",
    type=click.DateTime(["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%d"]),
    help="With a recipe of llm-spans: a time in UTC at which the trace ran. Only spans recorded around this time are "
    "read.",
)
@STORE
@_JSON
@click.pass_obj
def explain(
    where: str | None,
    answer: str | None,
    text: str | None,
    env: str | None,
    recipe: Path | None,
    at: datetime | None,
    path: Path | None,
    as_json: bool,
) -> None:
    """Show what an answer was made from: prompt, documents, their tables and owners, jobs, models.

    ANSWER is an id or the first characters of one. `datahub-llmops answers` lists ids; an application gets the id from
    `lineage.answer()` or `lineage.current_answer()`, and it is on the answer's OpenTelemetry span. With a recipe of
    llm-spans, ANSWER is the id of a trace or the whole id of an answer.

    \b
    datahub-llmops explain 01a20b810a049f9b00d68c1f9c35
    datahub-llmops explain --text "Refunds take five days."
    datahub-llmops explain 4bf92f3577b34da6a3ce929d0e0e4736 --recipe spans.dhub.yaml --at 2026-11-30T12:00
    """
    from datahub_llmops.queries.way_back import prepare_explanation

    try:
        text = sys.stdin.read() if text == "-" else text
        ask = prepare_explanation(answer, text=text, store=path, recipe=recipe, env=env, at=at)
        with _catalog(where) as catalog:
            found = ask(catalog)
            if as_json:
                click.echo(found.to_json())
                return
            from datahub_llmops.cli.explanation import explanation_lines
            from datahub_llmops.cli.render import show

            show(*explanation_lines(found, catalog), soft_wrap=True)
    except QuestionError as error:
        raise click.UsageError(str(error)) from error
    except LlmopsError as error:
        raise click.ClickException(_shown(str(error))) from error


def _open_private(file: Path, *, force: bool) -> TextIO:
    """Open a file for writing that only its owner can read: answers may hold texts. A device keeps its mode."""
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if force else os.O_EXCL), 0o600)
    if stat.S_ISREG(os.fstat(handle).st_mode) and hasattr(os, "fchmod"):
        os.fchmod(handle, 0o600)
    return os.fdopen(handle, "w", encoding="ascii")


def _read(store: Store, since: float, application: str | None, limit: int | None) -> Iterator[RecordedAnswer]:
    from datahub_llmops.answer_store.format import load_answer
    from datahub_llmops.answer_store.recorded import Identities

    known = Identities(store)
    passed_over = 0
    for row in store.answers(since=since, application=application, limit=limit):
        try:
            yield load_answer(row, known)
        except RecordError:
            passed_over += 1
    if passed_over:
        click.echo(f"{passed_over:,} records cannot be understood and were skipped.", err=True)


def _given_row(store: Store, found: Sequence[RecordedAnswer], key: str) -> list[RecordedAnswer]:
    """The answers that were given a row; says how many do not show it."""
    from datahub_llmops.answers.rows import forms_of_key, uses_row

    forms = forms_of_key(store, key)
    used = [(one, uses_row(one, forms)) for one in found]
    if unknown := sum(verdict == "not known" for _, verdict in used):
        click.echo(
            f"Not known: {unknown:,} more answers in this period have documents that do not name their row. A job "
            "stamps the row with `key_field` and `stamp=True`.",
            err=True,
        )
    return [one for one, verdict in used if verdict == "yes"]


def _count_documents(one: RecordedAnswer) -> int:
    from datahub_llmops.answers.given_documents import list_given

    return len(list_given(one.retrievals))


def _brief(one: RecordedAnswer, prices: PricesConfig | None) -> dict[str, object]:
    usage = _usage(_total(one, prices), prices)
    return {
        "id": one.id,
        "application": one.application,
        "version": one.version,
        "started": one.started,
        "ended": one.ended,
        "status": one.status,
        "error": one.error,
        "documents": _count_documents(one),
        "models": [dict(call.served or call.asked) for call in one.models],
        **{key: value for key, value in usage.items() if key not in ("calls", "errors")},
    }


def _total(one: RecordedAnswer, prices: PricesConfig | None) -> Totals:
    from datahub_llmops.answers.summary import added_up

    return added_up([one], "application", prices)[one.application]


def _usage(total: Totals, prices: PricesConfig | None) -> dict[str, object]:
    """Totals for programs; an unknown value is ``null``."""
    return {
        "calls": round(total.calls),
        "errors": None if total.errors is None else round(total.errors),
        "milliseconds": None if total.milliseconds is None else round(total.milliseconds),
        "tokens": {kind: round(number) for kind, number in total.tokens.items()},
        "cost": total.cost,
        "currency": prices.currency if prices is not None and total.cost is not None else None,
    }


def _figures(total: Totals, prices: PricesConfig | None) -> Iterator[str]:
    """Mean latency, tokens and cost for people; unknown values are left out."""
    if total.milliseconds is not None:
        yield f"{total.milliseconds / total.calls / 1000:.2f} s"
    words = {"input": "in", "cached": "of them cached", "output": "out", "reasoning": "of them reasoning"}
    counts = [f"{round(total.tokens[kind]):,} {word}" for kind, word in words.items() if kind in total.tokens]
    if counts:
        yield f"tokens {', '.join(counts)}"
    if prices is not None and total.cost is not None:
        yield f"{total.cost:.6f} {prices.currency}"


def _prices(path: Path | None) -> PricesConfig | None:
    if path is None:
        return None
    from datahub_llmops.answers import prices

    try:
        return prices.read(path)
    except LlmopsError as error:
        raise click.ClickException(_shown(str(error))) from error


@contextmanager
def _store(path: Path | None) -> Iterator[Store]:
    from datahub_llmops.answer_store.database import reading
    from datahub_llmops.answer_store.location import default_store

    try:
        with reading(path or default_store()) as store:
            yield store
    except LlmopsError as error:
        raise click.ClickException(_shown(str(error))) from error


@contextmanager
def _catalog(where: str | None) -> Iterator[FullCatalog | None]:
    """The catalog, or ``None`` if none was named and there is none yet: the answer store alone explains half."""
    from datahub_llmops.catalog.open import open_catalog

    catalog: FullCatalog | None = None
    try:
        catalog = open_catalog(where)
    except CatalogError as error:
        if where is not None or not isinstance(error, NoCatalogError):
            raise click.ClickException(_shown(str(error))) from error
    with closing(catalog) if catalog is not None else nullcontext():
        yield catalog


def _say(line: str) -> None:
    click.echo(_shown(line))


def _shown(text: str) -> str:
    from datahub_llmops.net.shown import clean

    return "\n".join(clean(line) for line in text.splitlines())
