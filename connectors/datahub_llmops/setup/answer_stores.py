"""Examines what the hooks left on this host: the answer store, what they lost, and the log of what they ship."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from datahub_llmops.answer_store import sqlite_file
from datahub_llmops.answer_store.database import Store, reading
from datahub_llmops.answer_store.location import default_store
from datahub_llmops.catalog.sizes import size_text
from datahub_llmops.errors import RecordError, StoreError, StoreLockedError
from datahub_llmops.governance.finding import Verdict
from datahub_llmops.hooks.settings import Settings, disabled
from datahub_llmops.net.shown import clean
from datahub_llmops.setup import words
from datahub_llmops.setup.diagnosis import Diagnosis

_TOO_FULL: Final = "Raise max_bytes of attach(), or run the recipe of llm-runs more often."
_NO_ROOM: Final = "Make room on its disk, or find out who keeps it locked."
_REPORT: Final = "Report it, with the warning in the log of the application. The application is not affected."
_CORRECT: Final = "Correct the call that it names, or install versions that were tested."
_DAY: Final = 86_400
_LOST: Final = (
    (
        "records_dropped",
        ("record", "records"),
        "the store could not be written",
        "Make room on its disk, or find out who keeps it locked.",
    ),
    ("answers_dropped", ("answer", "answers"), "the store is full", _TOO_FULL),
    ("writes_dropped", ("run of writes", "runs of writes"), "the store is full", _TOO_FULL),
)
"""Counters of what is gone before its time, what it counts, why, and what to do. What expired is not among them: that
is what ``max_days`` asks for."""


def examine_hooks(stores: tuple[str, ...], now: float, seconds: float, most_days: float) -> list[Diagnosis]:
    """Examine the environment of the hooks, and each answer store; ``stores`` are those that recipes name."""
    own = default_store()
    paths = list(dict.fromkeys((*stores, own) if os.path.lexists(own) or not stores else stores))
    return [
        *_environment(),
        *(one for path in paths for one in _store(path, path in stores, now, seconds, most_days)),
    ]


def _environment() -> Iterator[Diagnosis]:
    if disabled():
        yield _hooks("environment", "not ok", "The hooks are turned off.", "Unset DATAHUB_LLMOPS_DISABLED.")
    for note in Settings("doctor").notes:
        yield _hooks("environment", "not ok", f"{clean(note)}.", "Correct the variable.")


def _store(path: str, wanted: bool, now: float, seconds: float, most_days: float) -> Iterator[Diagnosis]:
    name = clean(path)
    if not os.path.lexists(path):
        yield _none_yet(name, wanted)
    else:
        try:
            with reading(path) as store:
                yield from _examined(name, path, store, now, seconds, most_days)
        except StoreError as error:
            yield _unreadable(name, path, error)
    yield from _beside(name, Path(path), now)


def _none_yet(name: str, wanted: bool) -> Diagnosis:
    if wanted:
        return _hooks(
            name,
            "not known",
            "There is no answer store, so no application has recorded here.",
            "Call lineage.attach() in the application, or correct `store` of the recipe.",
        )
    return _hooks(name, "ok", "There is no answer store: no application of this user has attached the hooks.")


def _examined(
    name: str, path: str, store: Store, now: float, seconds: float, most_days: float
) -> Iterator[Diagnosis]:
    answers, writes = store.totals()
    applications = sorted({str(body.get("name")) for _, body in store.identities("application")})
    size = sum(one.st_size for one in sqlite_file.files_of(Path(path)))
    shown = [
        words.several(answers, "answer"),
        words.several(writes, "run of writes", "runs of writes"),
        size_text(size),
        f"format {max(1, store.format_version())}",
    ]
    if applications:
        shown.append(f"of {clean(', '.join(applications[:5]))}" + (" and others" if applications[5:] else ""))
    if last := _last(store, now):
        shown.append(last)
    message = ", ".join(shown)
    whole = store.is_whole(seconds)
    if whole is None:
        yield _hooks(
            name,
            "not known",
            f"{message}. Its pages could not all be checked within {seconds:g} seconds.",
            "Give the check more time with --timeout.",
        )
    elif not whole:
        yield _hooks(
            name,
            "not ok",
            f"{message}. The file is damaged.",
            "Nothing: the next application that writes moves it aside and begins a new one.",
        )
    else:
        yield _hooks(name, "ok", message)
    yield from _counters(name, store, now, most_days)


def _last(store: Store, now: float) -> str | None:
    newest = next(store.answers(limit=1), None)
    if newest is None:
        return None
    try:
        return f"the newest {words.age(now - newest.started)}"
    except RecordError:
        return None


def _counters(name: str, store: Store, now: float, most_days: float) -> Iterator[Diagnosis]:
    counters = store.counters()
    found = [
        (counter, f"Dropped because {why}: {words.several(count, *noun)}", to_do)
        for counter, noun, why, to_do in _LOST
        if (count := counters.get(counter, 0))
    ]
    for counter, count in sorted(counters.items()):
        kind, _, what = counter.partition(": ")
        if kind == "error":
            found.append((counter, f"The hooks failed {words.several(count, 'time')} at {what}", _REPORT))
        elif kind == "degraded":
            found.append((counter, f"Less is recorded than could be: {what}", _CORRECT))
    for counter, message, to_do in found:
        yield _counted(name, clean(message), to_do, store.counted_at(counter), now, most_days)


def _counted(name: str, message: str, to_do: str, at: int | None, now: float, most_days: float) -> Diagnosis:
    """What happened is not ok until it has not happened again for ``most_days``."""
    if at is None:
        return _hooks(name, "not ok", f"{message}; it is not known when.", to_do)
    shown = f"{message}, the last time {words.age(now - at)}."
    return _hooks(name, "ok", shown) if now - at > most_days * _DAY else _hooks(name, "not ok", shown, to_do)


def _unreadable(name: str, path: str, error: StoreError) -> Diagnosis:
    verdict: Verdict = "not known" if isinstance(error, StoreLockedError) else "not ok"
    text = (
        str(error).replace(f"answer store {path}", "the answer store", 1).replace("the answer store: ", "", 1)
    )
    message, _, to_do = text.partition("; ")
    return _hooks(
        name,
        verdict,
        f"{clean(message[:1].upper() + message[1:])}.",
        f"{clean(to_do[:1].upper() + to_do[1:])}." if to_do else None,
    )


def _beside(name: str, path: Path, now: float) -> Iterator[Diagnosis]:
    """What lies beside a store: damaged ones that were moved aside, and the log of the child that ships."""
    try:
        aside = sorted(path.parent.glob(f"{path.name}.damaged-*"))
        aside = [one for one in aside if not one.name.endswith(("-wal", "-shm"))]
    except OSError:
        return
    if aside:
        last = max(one.stat().st_mtime for one in aside)
        yield _hooks(
            name,
            "not ok",
            f"{words.several(len(aside), 'damaged store was', 'damaged stores were')} moved aside, the last "
            f"{words.age(now - last)}. Their answers are in no catalog unless llm-runs had read them.",
            f"Check the disk. Then delete {clean(str(aside[-1]))}"
            + (" and the others." if aside[1:] else "."),
        )


def _hooks(name: str, verdict: Verdict, message: str, to_do: str | None = None) -> Diagnosis:
    return Diagnosis(section="hooks", name=name, verdict=verdict, message=message, to_do=to_do)
