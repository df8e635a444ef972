"""The fault matrix of `faults.py`: every connector, every fault, every place, through DataHub's pipeline.

``make faults`` writes ``docs/faults`` anew from what the cells saw; otherwise a cell that differs from it fails.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from datahub.ingestion.run.pipeline import Pipeline

from datahub_llmops.net.http import HttpClient
from datahub_llmops.testing.runs import ingest, report
from faults.matrix import LEAKS, Cell, Config, Faults, Known, declared, in_time, judge
from support.paths import ROOT
from test_inventory import CONNECTORS, REGISTRIES

SHOWN = ROOT / "docs" / "faults"
WRITE = os.environ.get("WRITE_FAULTS") == "1"

DECLARED = declared()
CELLS = [
    pytest.param(faults, cell, id=f"{faults.key}-{cell.fault}-{cell.place}".replace(" ", "_"))
    for faults in DECLARED
    for cell in faults.cells
]


class Arenas(dict[str, tuple[Any, Known]]):
    """Of each declaration one arena for all cells that are mended afterwards, and a catalog that knows it."""

    def __init__(
        self, request: pytest.FixtureRequest, stack: ExitStack, folders: pytest.TempPathFactory
    ) -> None:
        self.request = request
        self.stack = stack
        self.folders = folders

    def of(self, faults: Faults) -> tuple[Any, Known]:
        if faults.key not in self:
            folder = self.folders.mktemp("arena")
            arena = self.stack.enter_context(
                faults.arena(self.request.getfixturevalue(faults.fixture), folder)
            )
            self[faults.key] = (arena, Known.of(faults, arena, folder / "catalog"))
        return self[faults.key]


@pytest.fixture(scope="module")
def arenas(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arenas]:
    with ExitStack() as stack:
        yield Arenas(request, stack, tmp_path_factory)


@contextmanager
def arena_of(faults: Faults, cell: Cell, arenas: Arenas, folder: Path) -> Iterator[tuple[Any, Known]]:
    if cell.alone:
        with ExitStack() as stack:
            if cell.unprivileged:
                folder = Path(stack.enter_context(TemporaryDirectory()))
            own = folder / cell.fault
            own.mkdir()
            engine = arenas.request.getfixturevalue(faults.fixture)
            arena = stack.enter_context(faults.arena(engine, own))
            known = Known.of(faults, arena, folder / "catalog")
            if cell.unprivileged:
                for path in (folder, own, known.folder, *known.folder.iterdir()):
                    path.chmod(0o777)
            yield arena, known
    else:
        arena, known = arenas.of(faults)
        copy = Path(shutil.copytree(known.folder, folder / "catalog"))
        yield arena, Known(folder=copy, scanned=known.scanned, graph=known.graph)


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests are tried again without a pause."""
    defaults = HttpClient.__init__.__kwdefaults__
    assert defaults is not None
    monkeypatch.setitem(defaults, "backoff", 0.0)


@pytest.fixture(scope="module")
def levels() -> Iterator[dict[str, int]]:
    """What loggers were set to before they had to say everything."""
    before: dict[str, int] = {}
    root = logging.root.level
    logging.root.setLevel(logging.DEBUG)
    yield before
    logging.root.setLevel(root)
    for name, level in before.items():
        logging.getLogger(name).setLevel(level)


@pytest.fixture
def everything_logged(levels: dict[str, int]) -> None:
    """All loggers say all they have to say."""
    for name, logger in list(logging.root.manager.loggerDict.items()):
        # Setting a level is slow even where it changes nothing.
        if isinstance(logger, logging.Logger) and logger.level != logging.NOTSET:
            levels[name] = logger.level
            logger.setLevel(logging.NOTSET)


@pytest.mark.usefixtures("at_once", "everything_logged")
@pytest.mark.parametrize(("faults", "cell"), CELLS)
def test_nothing_that_goes_wrong_deletes_hangs_or_tells_secrets(
    faults: Faults,
    cell: Cell,
    arenas: Arenas,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    with arena_of(faults, cell, arenas, tmp_path) as (arena, known):
        config = faults.recipe(arena)
        # A cell may run as a user who may not read it.
        shown = shown_of(faults, cell)
        caplog.clear()
        capfd.readouterr()
        with cell.harm(arena) as change:

            def run_and_judge(change: Config) -> tuple[Pipeline, dict[str, Any]]:
                pipeline = in_time(
                    lambda: ingest(
                        known.folder, faults.system, **faults.options({**config, **faults.again, **change})
                    )
                )
                met = cell.met(arena)
                seen = judge(faults, cell, known, pipeline, met=met)
                assert met, "nothing met the fault"
                assert WRITE or seen == shown, "docs/faults says otherwise: look, then run `make faults`"
                return pipeline, seen

            # On a busy machine a healthy request takes longer than the short limit of such a cell.
            more = [10, 40] if "timeout_sec" in change and not cell.alone else []
            for factor in [1, *more]:
                limits = {"timeout_sec": factor * change["timeout_sec"]} if more else {}
                try:
                    pipeline, seen = run_and_judge({**change, **limits})
                    break
                except AssertionError:
                    if factor == [1, *more][-1]:
                        raise
        catalog = (known.folder / "catalog.db").read_bytes().decode("utf-8", "replace")
    said = capfd.readouterr()
    sink = pipeline.sink.get_report().as_string()
    for text in (caplog.text, report(pipeline).as_string(), sink, catalog, said.out, said.err):
        found = LEAKS.search(text)
        assert not found, text[max(0, found.start() - 300) : found.end() + 50]
    if WRITE:
        keep(faults, seen)


def shown_cells(faults: Faults) -> list[dict[str, Any]]:
    path = SHOWN / f"{faults.key}.json"
    cells: list[dict[str, Any]] = json.loads(path.read_text())["cells"] if path.exists() else []
    return cells


def shown_of(faults: Faults, cell: Cell) -> dict[str, Any] | None:
    """What docs/faults says of a cell."""
    found = [one for one in shown_cells(faults) if (one["fault"], one["place"]) == (cell.fault, cell.place)]
    assert found or WRITE, "not in docs/faults: run `make faults`"
    return found[0] if found else None


def keep(faults: Faults, seen: dict[str, Any]) -> None:
    known = {(cell["fault"], cell["place"]): cell for cell in [*shown_cells(faults), seen]}
    there = [(cell.fault, cell.place) for cell in faults.cells]
    lines = ",\n".join(f"  {json.dumps(known[place])}" for place in there if place in known)
    path = SHOWN / f"{faults.key}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f'{{"title": {json.dumps(faults.title)}, "cells": [\n{lines}\n]}}\n')


def test_every_connector_is_in_the_matrix() -> None:
    assert {f"llm-{faults.system}" for faults in DECLARED} == {*CONNECTORS, *REGISTRIES, "llm-spans"}


def test_the_page_shows_the_cells_that_there_are() -> None:
    shown = {path.stem: json.loads(path.read_text()) for path in SHOWN.glob("*.json")}
    assert {key: found["title"] for key, found in shown.items()} == {
        item.key: item.title for item in DECLARED
    }
    for faults in DECLARED:
        cells = [(cell["fault"], cell["place"]) for cell in shown[faults.key]["cells"]]
        assert cells == [(cell.fault, cell.place) for cell in faults.cells]


@pytest.mark.parametrize("faults", DECLARED, ids=lambda faults: faults.key)
def test_what_is_declared_plants_what_could_leak(faults: Faults, arenas: Arenas) -> None:
    if faults.secret:
        assert LEAKS.search(str(faults.recipe(arenas.of(faults)[0])))
