"""Takes the two pictures of the demo's report that stand in the README, with the Chromium of the machine.

make demo && python tools/report_pictures.py
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from playwright.sync_api import Browser

from datahub_llmops.catalog.local.catalog import LocalCatalog
from datahub_llmops.report.gather import gather
from datahub_llmops.report.html.page import write_page
from datahub_llmops.report.selection import select_all
from support.browser import NAMES, find_chromium, open_browser
from support.paths import ROOT

CATALOG = ROOT / "demo" / "catalog.db"
INDEX = "urn:li:dataset:(urn:li:dataPlatform:chroma,default_database.docs,PROD)"
PICTURES = {"report-lineage": f"#/asset/{INDEX}?field=maintainer", "report-assets": "#/"}


def take_picture(browser: Browser, page: Path, name: str) -> None:
    opened = browser.new_page(viewport={"width": 1440, "height": 620})
    opened.goto(page.as_uri() + PICTURES[name])
    # The graph moves to its place in the next frame.
    opened.wait_for_timeout(500)
    opened.screenshot(path=ROOT / "docs" / "pictures" / f"{name}.png")


def main() -> None:
    executable = find_chromium()
    if executable is None:
        sys.exit(f"none of {', '.join(NAMES)} is installed")
    if not CATALOG.exists():
        sys.exit(f"there is no {CATALOG}: run `make demo` first")
    catalog = LocalCatalog(CATALOG)
    with open_browser(executable) as browser, tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "report.html"
        page.write_bytes(write_page(gather(catalog, select_all(catalog))))
        for name in PICTURES:
            take_picture(browser, page, name)


if __name__ == "__main__":
    main()
