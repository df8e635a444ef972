"""Examines local catalogs: whether each can be read, how large it is, and whether its file is whole."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from datahub_llmops.answer_store import sqlite_file
from datahub_llmops.catalog.local.condition import Condition, examine
from datahub_llmops.catalog.local.file import DAMAGED
from datahub_llmops.catalog.sizes import size_text
from datahub_llmops.errors import CatalogError, NoCatalogError
from datahub_llmops.governance.finding import Verdict
from datahub_llmops.net.shown import clean
from datahub_llmops.setup import words
from datahub_llmops.setup.diagnosis import Diagnosis


def examine_catalog(where: str, now: float, seconds: float) -> list[Diagnosis]:
    """Examine the local catalog at a path. Checking its pages takes ``seconds`` at most."""
    path = Path(where).expanduser()
    name = clean(where)
    try:
        found = examine(path, seconds)
    except CatalogError as error:
        return [_unreadable(name, path, error)]
    return [_judged(name, found, now, seconds)]


def _judged(name: str, found: Condition, now: float, seconds: float) -> Diagnosis:
    shown = (
        f"{words.several(found.assets, 'asset')}, {size_text(found.bytes)}, format {found.format}, "
        f"changed {words.age(now - found.written)}"
    )
    if found.whole is None:
        return Diagnosis(
            section="catalog",
            name=name,
            verdict="not known",
            message=f"{shown}. Its pages could not all be checked within {seconds:g} seconds.",
            to_do="Give the check more time with --timeout.",
        )
    if not found.whole:
        message, to_do = _split(DAMAGED)
        return Diagnosis(
            section="catalog", name=name, verdict="not ok", message=f"{shown}. {message}", to_do=to_do
        )
    return Diagnosis(section="catalog", name=name, verdict="ok", message=shown)


def _unreadable(name: str, path: Path, error: CatalogError) -> Diagnosis:
    message, to_do = _split(str(error).removeprefix(f"local catalog {path}: "))
    verdict: Verdict = "not known" if isinstance(error, NoCatalogError) or _is_locked(error) else "not ok"
    return Diagnosis(section="catalog", name=name, verdict=verdict, message=message, to_do=to_do)


def _is_locked(error: CatalogError) -> bool:
    cause = error.__cause__
    return isinstance(cause, sqlite3.Error) and sqlite_file.classify(cause) is sqlite_file.Problem.LOCKED


def _split(text: str) -> tuple[str, str | None]:
    """Split a message of ours at its semicolon: what is wrong, and what to do."""
    message, _, to_do = text.partition("; ")
    return f"{clean(message[:1].upper() + message[1:])}.", clean(
        to_do[:1].upper() + to_do[1:] + "."
    ) if to_do else None
