"""The fault matrix: what every connector makes of everything that can go wrong, by one declaration a connector.

A connector declares how it is put through it as ``FAULTS``, a tuple, in ``<room>/<system>/faults.py``; over HTTP
by ``over_http``, else by cells of its own. ``test_matrix.py`` finds the declarations and runs each cell through
DataHub's pipeline with stale removal: once over a healthy store, then over the broken one. What must hold of every cell
is in ``judge``; what came of it is kept in ``docs/faults/<connector>.json`` and shown by ``docs/faults.md``.
"""

from __future__ import annotations

import gc
import importlib
import os
import re
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

from datahub.ingestion.run.pipeline import Pipeline
from datahub.ingestion.source.source_registry import source_registry
from datahub.metadata.urns import DatasetUrn

from datahub_llmops.testing.runs import failures, graph_of, ingest, report
from support.paths import TESTS
from support.stub import CERTIFICATE, FAULTS, SLOW, Fault, Reply, Stub, When

Config: TypeAlias = dict[str, Any]
Place: TypeAlias = Literal["listing", "reading", "counting", "observing"]
"""What a connector was about to do: ``counting`` the sources of chunks, ``observing`` what applications did."""

SECRET = "planted-secret-5ec7e7"
"""For the recipes of the declarations. Of what begins with ``planted-`` nothing may turn up anywhere."""

LEAKS = re.compile(r"planted[-%]|5ec7e7|c0ffee|dXNlcjpwbGFudGVk")
"""Secrets and payload of the tests' stores, whole or in part; the last one is how ``user:planted`` goes over HTTP."""

NEXT_STEP = re.compile(
    r"\b(Add|Check|Give|GRANT|Grant|Install|Keep|Leave|Look|Lower|Name|Open|Raise|Rename|Repair|Run|Say|Set|Take|Try|Upgrade|Wait|Write)\b"
)
_SELF_SIGNED = "self-signed certificate"

ROOMS = ("vector_stores", "prompt_registries", "spans")
"""Where connectors are."""

HANGS = 90.0
"""Seconds after which a run is taken to hang; cells that wait for a time-out take one or two."""

WORDS: Mapping[Fault, str] = {
    "404": "404 in the store's own words",
    "gateway_404": "404 of a gateway",
    "429": "429 with Retry-After",
    "killed": "killed in the middle, then refused",
    "reset": "reset in the middle",
    "silence": "accepts and never answers",
    "drip_headers": "a byte at a time, in the headers",
    "drip_body": "a byte at a time, in the body",
    "half": "half an answer",
    "empty": "an empty answer",
    "login_page": "login page with 200",
    "redirect": "redirect to another host",
}
"""How the page calls what has another name in ``stub.py``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One thing that goes wrong at one place."""

    fault: str
    place: Place
    harm: Callable[[Any], AbstractContextManager[Config]]
    """Breaks what ``Faults.arena`` gave, for as long as the block lasts; yields what the recipe says instead."""
    item: str = ""
    """The item that is hit, by its dotted name, or the scope around several; nothing where all are."""
    alone: bool = False
    """Not mended afterwards: it gets an arena of its own."""
    unprivileged: bool = False
    """Run by a user who may not read everything: its folders are open to all."""
    met: Callable[[Any], int] = lambda arena: 1
    """How many requests met the fault: more than one were tries."""

    @property
    def name(self) -> str:
        return f"{self.fault}, {self.place}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """One way to read a store, and everything that can go wrong with it."""

    title: str
    """As the page calls it: ``Chroma, by url``."""
    system: str
    """The source is ``llm-<system>``."""
    store: str
    """How a message names the store."""
    fixture: str
    """The fixture of the session that has the engine."""
    arena: Callable[[Any, Path], AbstractContextManager[Any]]
    """From the engine, with a folder: what a cell breaks."""
    recipe: Callable[[Any], Config]
    """How the healthy arena is read; secrets begin with ``planted-``."""
    cells: tuple[Cell, ...]
    secret: bool = True
    """Is there a secret in its recipe? A folder is read without one."""
    item_of: Callable[[str], str] = lambda dataset: dataset
    """From the name of a dataset, the item that it belongs to: a prompt has a dataset for each version."""
    again: Mapping[str, Any] = field(default_factory=dict)
    """Options of the run that meets the fault: what has it read what the healthy run has read."""
    options: Callable[[Config], Config] = lambda config: config
    """From what ``recipe``, ``again`` and a cell say, the options of the source."""
    counts: Callable[[Any], tuple[int, int]] = lambda said: (said.items_scanned, said.items_vanished)
    """From the report, how many items were read, and how many had vanished."""
    hit: Callable[[Known, str], int] | None = None
    """How many items a cell hits that names one, or none; ``None``: its datasets are counted."""
    messages: Callable[[Pipeline], list[str]] = failures
    """What the failures of a run say."""

    @property
    def platform(self) -> str:
        source: Any = source_registry.get(f"llm-{self.system}")
        return str(getattr(source, "platform", self.system))

    @property
    def key(self) -> str:
        """Names its file below ``docs/faults``."""
        return re.sub(r"[^a-z0-9]+", "-", self.title.lower()).strip("-")


@dataclass(frozen=True, slots=True, kw_only=True)
class At:
    """Requests of one place, and the item (or the scope around several) that is theirs; nothing where all are."""

    requests: When
    item: str = ""


def over_http(
    *,
    title: str,
    system: str,
    store: str,
    fixture: str,
    stub: Callable[..., Stub],
    recipe: Callable[[str], Config],
    listing: At,
    reading: At,
    counting: At | None = None,
    observing: At | None = None,
    vendors_client: bool = False,
    item_of: Callable[[str], str] = lambda dataset: dataset,
    again: Mapping[str, Any] | None = None,
    **more: Any,
) -> Faults:
    """The cells of whatever is read over HTTP: all faults of ``stub.py`` at each place.

    ``stub`` makes one from the engine; it takes ``tls``, and hands it on. ``recipe`` is given its URL. Which
    certificates a ``vendors_client`` trusts, and how often it tries again, is its own.
    """
    places: dict[Place, At | None] = {
        "listing": listing,
        "reading": reading,
        "counting": counting,
        "observing": observing,
    }
    cells = [
        _http_cell(fault, place, at, counted=not vendors_client)
        for fault in FAULTS
        for place, at in places.items()
        if at is not None
    ]
    cells.append(Cell(fault="refused", place="listing", harm=_away, alone=True))
    if not vendors_client:
        cells.append(Cell(fault=_SELF_SIGNED, place="listing", harm=_distrusted, alone=True))

    @contextmanager
    def arena(engine: Any, folder: Path) -> Iterator[Stub]:
        # An arena of the cell alone is in a folder that is called after the fault.
        with stub(engine, tls=folder.name == _SELF_SIGNED) as server:
            yield server

    def healthy(server: Stub) -> Config:
        trusted = {"ca_certificate_path": str(CERTIFICATE)} if server.url.startswith("https:") else {}
        return {"timeout_sec": 20.0, "max_workers": 1, **recipe(server.url), **trusted}

    return Faults(
        title=title,
        system=system,
        store=store,
        fixture=fixture,
        arena=arena,
        recipe=healthy,
        cells=tuple(cells),
        item_of=item_of,
        again=again or {},
        **more,
    )


def version_less(dataset: str) -> str:
    """The prompt that a version belongs to."""
    return dataset.rpartition(".v")[0] or dataset


def with_login(url: str) -> str:
    """The address with a planted password in it."""
    return url.replace("//", f"//user:{SECRET}@")


def _http_cell(fault: Fault, place: Place, at: At, *, counted: bool) -> Cell:
    away = fault == "killed"

    @contextmanager
    def harm(server: Stub) -> Iterator[Config]:
        del server.calls[:]
        with Stub(lambda call: Reply(status=403)) as other:
            server.redirect_to = other.url
            server.fail(fault, when=at.requests)
            try:
                # A cell that is killed cannot be judged again, so a busy machine has more time for it.
                yield (
                    {"timeout_sec": 0.5}
                    if fault in SLOW
                    else {"timeout_sec": 2}
                    if away and not counted
                    else {}
                )
            finally:
                server.heal()
            for call in other.calls:
                assert not LEAKS.search(str(call)), "credentials followed the redirect"
                assert "Authorization" not in call.headers, "credentials followed the redirect"

    def met(server: Stub) -> int:
        found = sum(at.requests(call) for call in server.calls)
        return found if counted else min(found, 1)

    named = WORDS.get(fault, fault)
    return Cell(fault=named, place=place, harm=harm, item=at.item, alone=away, met=met)


@contextmanager
def _away(server: Stub) -> Iterator[Config]:
    server.close()
    yield {}


@contextmanager
def _distrusted(server: Stub) -> Iterator[Config]:
    del server.calls[:]
    yield {"ca_certificate_path": None}
    assert server.count() == 0


@contextmanager
def as_nobody() -> Iterator[None]:
    """Without root's right to read everything."""
    if os.geteuid() != 0:
        yield
        return
    # Earlier runs of DataHub leave folders of root's to the garbage collector, which could not remove them.
    gc.collect()
    gc.disable()
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)
        gc.enable()


def folder_cell(fault: str, place: Place, harm: Callable[[Path], object], *, item: str = "") -> Cell:
    """A folder is harmed, read, and put back."""

    @contextmanager
    def harmed(folder: Path) -> Iterator[Config]:
        kept = folder.with_name("kept")
        shutil.copytree(folder, kept)
        harm(folder)
        try:
            yield {}
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            kept.rename(folder)

    return Cell(fault=fault, place=place, item=item, harm=harmed)


def unreadable(place: Place, hidden: Callable[[Path], Path], item: str = "") -> Cell:
    """A part of the store's folder that our user may not read."""

    @contextmanager
    def harm(folder: Path) -> Iterator[Config]:
        target = hidden(folder)
        mode = target.stat().st_mode
        target.chmod(0)
        with as_nobody():
            yield {}
        target.chmod(mode)

    return Cell(fault="no permission", place=place, harm=harm, item=item, alone=True, unprivileged=True)


def declared() -> list[Faults]:
    """All declarations, by their titles."""
    modules = [
        ".".join(path.relative_to(TESTS).with_suffix("").parts)
        for room in ROOMS
        for path in sorted((TESTS / room).glob("*/*faults.py"))
        if not path.name.startswith("test_")
    ]
    found = [faults for module in modules for faults in importlib.import_module(module).FAULTS]
    return sorted(found, key=lambda faults: faults.title)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A catalog after a run over a healthy store."""

    folder: Path
    scanned: int
    graph: Mapping[tuple[str, str], Any]

    @classmethod
    def of(cls, faults: Faults, arena: Any, folder: Path) -> Known:
        folder.mkdir(parents=True, exist_ok=True)
        pipeline = ingest(folder, faults.system, **faults.options(faults.recipe(arena)))
        assert failures(pipeline) == []
        scanned, _ = faults.counts(report(pipeline))
        assert scanned > 1
        return cls(folder=folder, scanned=scanned, graph=graph_of(folder))

    def named(self, platform: str, item: str) -> set[str]:
        """URNs of the datasets that are called so, or lie in the scope that is."""
        own = f"urn:li:dataset:(urn:li:dataPlatform:{platform},"
        urns = {urn for urn, _ in self.graph if urn.startswith(own)}
        names = {urn: DatasetUrn.from_string(urn).name for urn in urns}
        return {urn for urn, name in names.items() if not item or f"{name}.".startswith(f"{item}.")}


def in_time(run: Callable[[], Pipeline]) -> Pipeline:
    """What came of a run that has to end."""
    done: list[Pipeline] = []
    thread = threading.Thread(target=lambda: done.append(run()), daemon=True)
    thread.start()
    thread.join(HANGS)
    assert not thread.is_alive(), "the run hangs"
    assert done, "the run raised"
    return done[0]


def judge(faults: Faults, cell: Cell, known: Known, pipeline: Pipeline, *, met: int) -> dict[str, Any]:
    """What must hold whatever went wrong; returns what is shown of the cell."""
    after = graph_of(known.folder)
    # What applications did is not an item: all items are read whatever becomes of it.
    hit = known.named(faults.platform, cell.item) if cell.place != "observing" else set[str]()
    items = {faults.item_of(DatasetUrn.from_string(urn).name) for urn in hit}
    lost = {urn for urn, _ in known.graph if _removed(after, urn) and not _removed(known.graph, urn)}
    read, vanished = faults.counts(report(pipeline))
    gone = hit if vanished else set()
    count = len(items) if faults.hit is None else faults.hit(known, cell.item)
    assert vanished in (0, count)
    assert lost <= gone, f"deleted without a word of the store: {lost - gone}"
    changed = {urn for (urn, name), aspect in known.graph.items() if after.get((urn, name)) != aspect}
    assert {urn for urn in changed if not any(item in urn for item in gone)} == set(), "facts were lost"
    messages = faults.messages(pipeline)
    assert bool(messages) != bool(vanished), messages
    for message in messages:
        assert faults.store in message, message
        assert NEXT_STEP.search(message), f"no next step: {message}"
    if cell.item and messages:
        assert any(cell.item in message for message in messages), messages
    others = known.scanned - count
    assert read <= others, "what was hit was read all the same"
    return {
        "fault": cell.fault,
        "place": cell.place,
        "ends": "gone" if vanished else "failure",
        "tries": met > 1,
        "others": ("read" if read == others else "not read") if others else "none",
    }


def _removed(graph: Mapping[tuple[str, str], Any], urn: str) -> bool:
    return bool(graph.get((urn, "status"), {}).get("removed"))
