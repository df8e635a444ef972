"""Gathers the pages of the documentation for ``mkdocs.yml``. Called by ``make site``.

The pages link to each other, to recipes and to files of the repository as they do on a code host. The site keeps these
links: the pages and whatever they link to are copied into ``build/site-pages``, in their own folders.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

ROOT: Final = Path(__file__).resolve().parents[1]
PAGES: Final = ROOT / "build" / "site-pages"
_LINK: Final = re.compile(r"!?\[[^\]]*\]\(<?([^)\s>]+)")


def list_pages() -> list[Path]:
    """Return the pages of the site: those of ``docs/``, and what lies beside the README."""
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def find_targets(page: Path) -> Iterator[Path]:
    """Yield the files of the repository that a page links to."""
    for link in _LINK.findall(page.read_text(encoding="utf-8")):
        parts = urlsplit(link)
        if parts.scheme or not parts.path:
            continue
        target = (page.parent / unquote(parts.path)).resolve()
        if target.is_file() and target.is_relative_to(ROOT):
            yield target


def main() -> None:
    shutil.rmtree(PAGES, ignore_errors=True)
    pages = list_pages()
    for source in {*pages, *(target for page in pages for target in find_targets(page))}:
        copy = PAGES / source.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, copy)


if __name__ == "__main__":
    main()
