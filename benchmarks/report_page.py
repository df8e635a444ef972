"""Measures the HTML report in Chromium: its size, its first paint, a graph, a search.

    python benchmarks/report_page.py [CATALOG]

CATALOG is a local catalog, such as that of the demo. The others are seeded: tables, jobs, indexes and retrievers, with
six fields a dataset, and four column edges for each edge between two datasets. A graph is drawn for 30 assets, and a
search is typed letter by letter; the table has the median and the longest of each. Times are those of a processor, but
for the first paint and the moment from which the page can be used, which are those of a clock.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from playwright.sync_api import Browser, Page

from datahub_llmops.catalog.local.catalog import LocalCatalog
from datahub_llmops.report.gather import gather
from datahub_llmops.report.html.page import write_page
from datahub_llmops.report.model import Report
from datahub_llmops.report.selection import select_all
from support.browser import NAMES, find_chromium, open_browser
from support.large_reports import seeded_report

SIZES = ((2_000, 5_000), (20_000, 50_000))
QUERY = "customer order"

# The browser has laid out the page when it says its height.
DRAW = """(place) => {
    history.replaceState(null, "", place < 0 ? "#/lineage" : routeOf(ASSETS[place]));
    showPage();
    document.body.offsetHeight;
}"""
LIST = """() => {
    history.replaceState(null, "", "#/");
    showPage();
    document.body.offsetHeight;
}"""
SEARCH = """(query) => {
    const input = document.getElementById("q");
    input.value = query;
    input.dispatchEvent(new Event("input"));
    document.body.offsetHeight;
}"""


class Clock:
    """The time for which the page's thread is at work: other programs of the machine do not lengthen it."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._session = page.context.new_cdp_session(page)
        self._session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def run(self, script: str, argument: int | str = 0) -> float:
        """Run a script, and return its milliseconds."""
        before = self._busy()
        self._page.evaluate(script, argument)
        return self._busy() - before

    def _busy(self) -> float:
        metrics = self._session.send("Performance.getMetrics")["metrics"]
        return 1000 * float(next(one["value"] for one in metrics if one["name"] == "TaskDuration"))


def reports(catalog: Path | None) -> Iterator[tuple[str, Report]]:
    if catalog:
        opened = LocalCatalog(catalog)
        yield str(catalog), gather(opened, select_all(opened))
    for assets, edges in SIZES:
        yield f"{assets:,} assets, {edges:,} edges", seeded_report(assets, edges)


def measure(browser: Browser, name: str, report: Report, folder: Path) -> list[str]:
    start = time.process_time()
    written = write_page(report)
    seconds = time.process_time() - start
    file = folder / "report.html"
    file.write_bytes(written)
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    # A second visit: the first one warms what every page of the browser shares.
    for _ in range(2):
        page.goto(file.as_uri())
        page.wait_for_function("() => performance.getEntriesByName('first-contentful-paint').length")
    paint, ready = page.evaluate(
        "[performance.getEntriesByName('first-contentful-paint')[0].startTime,"
        " performance.getEntriesByType('navigation')[0].domContentLoadedEventStart]"
    )
    count = len(report.assets)
    clock = Clock(page)
    drawn = [clock.run(DRAW, count * at // 30) for at in range(30)]
    whole = clock.run(DRAW, -1)
    clock.run(LIST)
    found = [clock.run(SEARCH, QUERY[:end]) for end in range(1, len(QUERY) + 1)]
    page.close()
    return [
        name,
        f"{len(written) / 1000:,.0f} kB",
        f"{seconds:.2f} s",
        f"{paint:,.0f} ms",
        f"{ready:,.0f} ms",
        _spread(drawn),
        f"{whole:,.0f} ms",
        _spread(found),
    ]


def _spread(milliseconds: Sequence[float]) -> str:
    return f"{statistics.median(milliseconds):,.0f} ms, {max(milliseconds):,.0f} ms"


def main() -> None:
    executable = find_chromium()
    if executable is None:
        sys.exit(f"none of {', '.join(NAMES)} is installed")
    table = Table(
        "Report", "Size", "Written in", "First paint", "Usable", "Page of an asset", "Whole graph", "Search"
    )
    with open_browser(executable) as browser, tempfile.TemporaryDirectory() as folder:
        for name, report in reports(Path(sys.argv[1]) if len(sys.argv) > 1 else None):
            table.add_row(*measure(browser, name, report, Path(folder)))
    Console(width=150).print(table)


if __name__ == "__main__":
    main()
