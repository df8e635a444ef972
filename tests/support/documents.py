"""Reads the repository's own documentation: its pages, their code blocks, links and headings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from support.paths import ROOT

PAGES = (*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md")))

_FENCE = re.compile(r"^(?P<fence>`{3,})(?P<info>[^`]*)$")
_MARK = re.compile(r"<!-- test: *(?P<mark>.*?) *-->")
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\((?P<target>[^)\s]+)\)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One fenced code block. ``mark`` is the comment ``<!-- test: ... -->`` in the line before it, if any."""

    page: Path
    line: int
    language: str
    title: str | None
    mark: str | None
    text: str

    @property
    def name(self) -> str:
        """Where it stands, for a test's id."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(page: Path) -> Iterator[Block]:
    """Every fenced block of a page, in order."""
    lines = page.read_text(encoding="utf-8").splitlines()
    at = 0
    while at < len(lines):
        opening = _FENCE.match(lines[at])
        if opening is None:
            at += 1
            continue
        mark = _MARK.fullmatch(lines[at - 1].strip()) if at else None
        end = next(number for number in range(at + 1, len(lines)) if lines[number] == opening["fence"])
        language, _, rest = opening["info"].strip().partition(" ")
        title = re.fullmatch(r'title="(.+)"', rest.strip())
        yield Block(
            page=page,
            line=at + 1,
            language=language,
            title=title[1] if title else None,
            mark=mark["mark"] if mark else None,
            text="\n".join(lines[at + 1 : end]) + "\n",
        )
        at = end + 1


def prose(page: Path) -> str:
    """The page without its code blocks."""
    kept: list[str] = []
    fence: str | None = None
    for line in page.read_text(encoding="utf-8").splitlines():
        opening = _FENCE.match(line)
        if fence is None and opening:
            fence = opening["fence"]
        elif line == fence:
            fence = None
        elif fence is None:
            kept.append(line)
    return "\n".join(kept)


def links(page: Path) -> Iterator[str]:
    """Targets of the links in a page's prose."""
    yield from (match["target"] for match in _LINK.finditer(prose(page)))


def anchors(page: Path) -> set[str]:
    """The anchors that a page's headings make, as GitHub makes them."""
    headings = re.findall(r"^#+ +(.+)$", prose(page), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
