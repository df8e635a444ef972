"""What every command over a catalog does: opens it, explains its errors, and prints for terminals and programs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager

import click

from datahub_llmops.catalog.open import open_catalog
from datahub_llmops.catalog.protocol import FullCatalog
from datahub_llmops.errors import LlmopsError


@contextmanager
def opened(where: str | None) -> Iterator[FullCatalog]:
    """Open the catalog for one command; an error of it ends the command with its message."""
    with explained(), closing(open_catalog(where)) as catalog:
        yield catalog


@contextmanager
def explained() -> Iterator[None]:
    """End the command with the message of an error of ours."""
    try:
        yield
    except LlmopsError as error:
        raise click.ClickException(shown(str(error))) from error
    except RecursionError:
        raise click.ClickException(
            "what the catalog holds about it is nested too deeply to be shown"
        ) from None


def print_json(value: object) -> None:
    """Print ASCII only, so that JSON escapes whatever could control a terminal."""
    click.echo(json.dumps(value, indent=2))


def shown(message: str) -> str:
    """Make every line of a message safe for a terminal."""
    from datahub_llmops.net.shown import clean

    return "\n".join(clean(line) for line in message.splitlines())
