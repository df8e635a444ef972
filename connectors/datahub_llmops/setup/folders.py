"""What is below a folder: stores, prompt files, answers and spans, each recognised by its layout or first bytes.

The walk is bounded and reads no folder of packages or of tools. What it did not look into is part of its result.
"""

from __future__ import annotations

import os
import time
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final

from datahub_llmops.answer_store import sqlite_file
from datahub_llmops.answer_store.ownership import APPLICATION_ID
from datahub_llmops.prompt_registries.prompt_files.selection import DEFAULT_INCLUDE, matches
from datahub_llmops.setup.systems import (
    CHROMA_FOLDER,
    LANCEDB,
    PROMPT_FILES,
    RUNS,
    SPANS,
    Candidate,
    System,
    literal,
)
from datahub_llmops.setup.words import several

_NOT_ENTERED: Final = frozenset(
    {"node_modules", "site-packages", "dist-packages", "__pycache__", "venv", "build", "dist"}
)
_TESTS: Final = "tests"
"""Spans below a folder of this name are examples."""
_SPAN_ENDINGS: Final = (".json", ".jsonl", ".ndjson", ".otlp", ".pb", ".proto", ".binpb", ".bin")
_DATABASE_ENDINGS: Final = (".db", ".sqlite", ".sqlite3")
_GZIP: Final = b"\x1f\x8b"
_HEAD: Final = 4_096
"""Bytes at the beginning of a file that tell what it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How far a walk goes: folders below the first one, entries in all, and seconds."""

    depth: int = 6
    entries: int = 50_000
    seconds: float = 5.0


@dataclass(slots=True, kw_only=True)
class Below:
    """What a walk saw, by paths as they begin with the folder that it was given."""

    chroma: list[Path] = field(default_factory=list)
    lancedb: list[Path] = field(default_factory=list)
    prompts: list[Path] = field(default_factory=list)
    answers: list[Path] = field(default_factory=list)
    spans: list[Path] = field(default_factory=list)
    repositories: list[Path] = field(default_factory=list)
    """Folders that are the root of a work tree of git."""
    not_seen: list[str] = field(default_factory=list)
    """Folders that could not be read, and what the limits left out, in words."""


def look_below(
    root: Path, limits: Limits | None = None, clock: Callable[[], float] = time.monotonic
) -> Below:
    """Walk through ``root``, folders that lie higher first. Symbolic links are not followed."""
    within = limits or Limits()
    seen = Below()
    until = clock() + within.seconds
    left = within.entries
    too_deep = 0
    waiting = deque([(root, 0)])
    while waiting:
        folder, depth = waiting.popleft()
        if left <= 0 or clock() > until:
            seen.not_seen.append(
                f"{several(len(waiting) + 1, 'folder', 'folders')}, as the search takes too long"
            )
            break
        try:
            with os.scandir(folder) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError as error:
            seen.not_seen.append(f"{folder}: {error.strerror or 'cannot be read'}")
            continue
        left -= len(entries)
        inner = _take(folder, entries, seen, root)
        if depth < within.depth:
            waiting.extend((path, depth + 1) for path in inner)
        else:
            too_deep += len(inner)
    if too_deep:
        seen.not_seen.append(f"{several(too_deep, 'folder', 'folders')} more than {within.depth} levels down")
    return seen


def candidates(seen: Below, root: Path) -> list[Candidate]:
    """Name the systems that ``seen`` consists of. Paths are relative to ``root``."""
    return [
        *(_at(CHROMA_FOLDER, path, root, "a folder of Chroma") for path in seen.chroma),
        *(_at(LANCEDB, path, root, "a folder of LanceDB") for path in seen.lancedb),
        *_prompt_candidates(seen, root),
        *(_at(RUNS, path, root, "an answer store") for path in seen.answers),
        *(
            _at(SPANS, path, root, several(len(files), "file of spans", "files of spans"))
            for path, files in _by_top(seen.spans, root).items()
        ),
    ]


def shown_path(path: Path, root: Path) -> str:
    """Return a path as a recipe has it: relative to ``root`` and with a dot in front, or absolute if not below it."""
    try:
        inner = path.relative_to(root).as_posix()
    except ValueError:
        return str(path)
    return "." if inner == "." else f"./{inner}"


def _at(system: System, path: Path, root: Path, found: str) -> Candidate:
    return Candidate(system=system, values={system.place.name: literal(shown_path(path, root))}, found=found)


def _take(folder: Path, entries: Sequence[os.DirEntry[str]], seen: Below, root: Path) -> list[Path]:
    """Note what the entries of a folder are, and return the folders to look into."""
    folders = [entry for entry in entries if entry.is_dir(follow_symlinks=False)]
    files = [entry for entry in entries if entry.is_file(follow_symlinks=False)]
    if any(entry.name == ".git" for entry in entries):
        seen.repositories.append(folder)
    if any(entry.name == "chroma.sqlite3" and _is_sqlite(entry.path) for entry in files):
        seen.chroma.append(folder)
        # The other files and folders are Chroma's own.
        return []
    if any(_is_lance_table(entry) for entry in folders):
        seen.lancedb.append(folder)
        return []
    for entry in files:
        _take_file(Path(entry.path), entry.name.lower(), seen, root)
    return [Path(entry.path) for entry in folders if _is_entered(entry)]


def _take_file(path: Path, name: str, seen: Below, root: Path) -> None:
    inner = path.relative_to(root)
    if matches(inner.as_posix(), DEFAULT_INCLUDE):
        seen.prompts.append(path)
    elif name.endswith(_DATABASE_ENDINGS):
        if is_answer_store(path):
            seen.answers.append(path)
    elif _may_be_spans(name) and _TESTS not in inner.parts and _holds_spans(_head(path)):
        seen.spans.append(path)


def _may_be_spans(name: str) -> bool:
    return name.removesuffix(".gz").endswith(_SPAN_ENDINGS)


def _is_entered(entry: os.DirEntry[str]) -> bool:
    return not (
        entry.name.startswith(".") or entry.name in _NOT_ENTERED or Path(entry.path, "pyvenv.cfg").is_file()
    )


def _is_lance_table(entry: os.DirEntry[str]) -> bool:
    return entry.name.endswith(".lance") and Path(entry.path, "_versions").is_dir()


def _is_sqlite(path: str) -> bool:
    return _head(Path(path)).startswith(sqlite_file.HEADER)


def is_answer_store(path: Path) -> bool:
    """Whether the header of a file says that the hooks wrote it."""
    head = _head(path)
    return head.startswith(sqlite_file.HEADER) and int.from_bytes(head[68:72], "big") == APPLICATION_ID


def _head(path: Path) -> bytes:
    """Return the first bytes of a file, out of its gzip; none if it cannot be read."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
        return zlib.decompressobj(wbits=31).decompress(head, _HEAD) if head.startswith(_GZIP) else head
    except (OSError, zlib.error):
        return b""


def _holds_spans(head: bytes) -> bool:
    """Whether a file begins with OTLP, as JSON or as protobuf, with or without a length in front.

    https://opentelemetry.io/docs/specs/otel/protocol/file-exporter/
    """
    if b'"resourceSpans"' in head or b'"resource_spans"' in head:
        return True
    first = head[:1] == b"\n" or head[4:5] == b"\n"
    return first and (b"service.name" in head or b"telemetry.sdk" in head)


def _prompt_candidates(seen: Below, root: Path) -> Iterator[Candidate]:
    above = _repository_above(root)
    groups: dict[Path | None, list[Path]] = {}
    for path in seen.prompts:
        owner = next((folder for folder in path.parents if folder in seen.repositories), above)
        groups.setdefault(owner, []).append(path)
    for owner, files in groups.items():
        top = owner if owner is not None and owner.is_relative_to(root) else root
        words = several(len(files), "prompt file", "prompt files") + (" in git" if owner is not None else "")
        yield _at(PROMPT_FILES, _folder_of_prompts(files, top), root, words)


def _repository_above(root: Path) -> Path | None:
    absolute = root.absolute()
    return next((folder for folder in (absolute, *absolute.parents) if (folder / ".git").exists()), None)


def _folder_of_prompts(files: Sequence[Path], top: Path) -> Path:
    """Return the lowest folder below which a recipe finds all these files without further options."""
    lowest = _common_folder(files)
    for folder in (lowest, *lowest.parents):
        if folder == top or all(
            matches(PurePosixPath(path.relative_to(folder)).as_posix(), DEFAULT_INCLUDE) for path in files
        ):
            return folder
    return top


def _common_folder(files: Iterable[Path]) -> Path:
    return Path(os.path.commonpath([path.parent for path in files]))


def _by_top(files: Iterable[Path], root: Path) -> Mapping[Path, list[Path]]:
    """Group files by the folder of ``root`` that they are in, and name each group by the lowest folder of it."""
    groups: dict[str, list[Path]] = {}
    for path in files:
        parts = path.relative_to(root).parts
        groups.setdefault(parts[0] if len(parts) > 1 else "", []).append(path)
    return {
        (_common_folder(group) if top or len(group) > 1 else group[0]): group for top, group in groups.items()
    }
