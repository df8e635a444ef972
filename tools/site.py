"""Gathers the pages of the documentation, and what the site's generator is told about them. Called by ``make site``.

The pages link to each other, to recipes and to files of the repository as they do on a code host. The site keeps these
links: the pages and whatever they link to are copied into ``build/site-pages``, in their own folders. A pattern in the
navigation of ``mkdocs.yml``, such as ``docs/connectors/*.md``, becomes an entry for each page, so that a new page of
such a folder needs no entry.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

ROOT: Final = Path(__file__).resolve().parents[1]
BUILD: Final = ROOT / "build"
PAGES: Final = BUILD / "site-pages"
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


def list_entries(pattern: str) -> Iterator[str]:
    """Yield an entry of the navigation for each page that matches, by the title of the page."""
    for page in sorted(ROOT.glob(pattern)):
        title = page.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ").replace("'", "''")
        yield f"'{title}': {page.relative_to(ROOT)}"


def fill_in(config: str) -> str:
    """Return the configuration with an entry for each page instead of the patterns."""
    return re.sub(
        r"^( *- )(\S*\*\S*)$",
        lambda line: "\n".join(f"{line[1]}{entry}" for entry in list_entries(line[2])),
        config,
        flags=re.MULTILINE,
    )


def main() -> None:
    shutil.rmtree(PAGES, ignore_errors=True)
    pages = list_pages()
    for source in {*pages, *(target for page in pages for target in find_targets(page))}:
        copy = PAGES / source.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, copy)
    config = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    (BUILD / "mkdocs.yml").write_text(fill_in(config), encoding="utf-8")


if __name__ == "__main__":
    main()
