"""The page as a person meets it: opened from a file in a real browser that is offline."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from datahub_llmops.net.shown import clean
from datahub_llmops.report.html.page import write_page
from datahub_llmops.report.model import Asset, Report
from report.reports import CUSTOMERS, HOSTILE, INDEX, JOB, LOG, PROMPT, edge, hostile, sample
from support import engines
from support.browser import NAMES, find_chromium, open_browser
from support.large_reports import seeded_report

SERIOUS = {"serious", "critical"}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    executable = find_chromium()
    if executable is None:
        engines.cannot_run("Chromium", f"none of {', '.join(NAMES)} is installed; apt-get install chromium")
    with open_browser(executable) as opened:
        engines.ran("Chromium", opened.version)
        yield opened


class Reader:
    """Opens reports. What a page asks the network for, and what goes wrong in its script, is kept."""

    def __init__(self, browser: Browser, folder: Path) -> None:
        self._browser = browser
        self._folder = folder
        self.requests: list[str] = []
        self.errors: list[str] = []

    def open(self, report: Report, route: str = "", **options: Any) -> Page:
        """Open the page at ``route``. ``options`` are those of a context, such as ``color_scheme``."""
        file = self._folder / "report.html"
        file.write_bytes(write_page(report))
        context = self._browser.new_context(
            **{"viewport": {"width": 1280, "height": 900}, **options}, offline=True
        )
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda message: self.errors.append(message.text))
        page.goto(f"{file.as_uri()}{route}")
        return page

    def check(self) -> None:
        """Fail if something else than the file was asked for, or if the browser complained."""
        assert {url.partition("#")[0] for url in self.requests} == {(self._folder / "report.html").as_uri()}
        assert self.errors == []


@pytest.fixture
def reader(browser: Browser, tmp_path: Path) -> Iterator[Reader]:
    found = Reader(browser, tmp_path)
    yield found
    for context in browser.contexts:
        context.close()
    found.check()


def asset_route(urn: str) -> str:
    return f"#/asset/{urn}"


def names(page: Page) -> list[str]:
    """The assets that the list shows."""
    return page.locator(".list tbody a").all_text_contents()


def card(page: Page, name: str) -> Any:
    return page.locator(".card", has=page.get_by_role("link", name=name, exact=True))


# The list


def test_the_list_has_every_asset_and_searches_names_fields_owners_and_terms(reader: Reader) -> None:
    page = reader.open(sample())
    assert len(names(page)) == len(sample().assets)
    search = page.get_by_role("searchbox")
    for words, found in (
        ("docs", ["docs", "embed-docs"]),
        ("hana", ["customers"]),
        ("contact", ["bot.retriever", "docs"]),
        ("personal vector", ["docs"]),
        ("nothing like it", []),
    ):
        search.fill(words)
        assert names(page) == found
    expect(page.get_by_role("status")).to_contain_text("No asset matches")


def test_a_table_has_the_terms_of_its_columns_in_the_list_and_in_the_graph(reader: Reader) -> None:
    report = sample()
    page = reader.open(replace(report, assets=tuple(_only_columns_marked(one) for one in report.assets)))
    page.get_by_role("searchbox").fill("personal data")
    assert names(page) == ["customers", "docs"]
    row = page.locator(".list tbody tr", has=page.get_by_role("link", name="customers", exact=True))
    assert row.locator("mark").all_text_contents() == ["Personal data"]
    page.goto(page.url.partition("#")[0] + "#/lineage")
    expect(card(page, "customers").locator(".marks")).to_have_text("◆ Personal data")


def _only_columns_marked(asset: Asset) -> Asset:
    return replace(asset, marks=()) if asset.urn == CUSTOMERS else asset


def test_filters_narrow_the_list_and_stand_in_the_address(reader: Reader) -> None:
    page = reader.open(sample())
    page.get_by_label("Platform").select_option("postgres")
    assert names(page) == ["customers", "orders"]
    page.get_by_label("Owner").select_option("Hana")
    assert names(page) == ["customers"]
    page.reload()
    assert names(page) == ["customers"]
    page.get_by_label("Owner").select_option("")
    page.get_by_label("Platform").select_option("")
    page.get_by_label("Verdict").select_option("not ok")
    assert names(page) == ["docs"]
    page.get_by_label("Verdict").select_option("")
    page.get_by_label("Term or tag").select_option("Personal data")
    assert names(page) == ["customers", "docs"]


def test_a_long_list_shows_more_when_asked(reader: Reader) -> None:
    page = reader.open(seeded_report(130, 200))
    assert len(names(page)) == 50
    page.get_by_role("button", name="Show 50 more of 80").click()
    page.get_by_role("button", name="Show 30 more of 30").click()
    assert len(names(page)) == 130


# The page of an asset


def test_an_asset_opens_with_its_facts_and_back_leads_to_the_search(reader: Reader) -> None:
    page = reader.open(sample())
    page.get_by_role("searchbox").fill("docs")
    page.get_by_role("link", name="docs", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("docs")
    for text in ("What the bot reads.", "768", "customers changed", "Stale index", "technical owner"):
        expect(page.get_by_text(text).first).to_be_visible()
    assert page.title().startswith("docs")
    page.go_back()
    assert names(page) == ["docs", "embed-docs"]


def test_a_link_names_an_asset_and_follows_into_the_report(reader: Reader) -> None:
    page = reader.open(sample(), asset_route(INDEX))
    expect(page.get_by_role("heading", level=1)).to_have_text("docs")
    page.locator(".side").get_by_role("link", name="embed-docs").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("embed-docs")
    assert page.evaluate("decodeURIComponent(location.hash)") == asset_route(JOB)
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_have_text("docs")


def test_an_address_of_something_else_says_so(reader: Reader) -> None:
    page = reader.open(sample(), asset_route("urn:li:dataset:(urn:li:dataPlatform:x,gone,PROD)"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Not in this report")
    page.get_by_role("link", name="Show all assets").click()
    assert len(names(page)) == len(sample().assets)


def test_prompts_and_answers_have_pages(reader: Reader) -> None:
    page = reader.open(sample(), asset_route(PROMPT))
    page.locator(".body").get_by_role("link", name="langfuse:answer").click()
    for text in ("Findings", "Moves of labels", "faithful 0.91"):
        expect(page.get_by_text(text).first).to_be_visible()
    page.get_by_role("link", name="Answers").click()
    page.get_by_role("link", name="01a22cdb8762").click()
    expect(page.get_by_text("Stale: customers changed after docs was written.")).to_be_visible()
    page.get_by_role("link", name="embed-docs").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("embed-docs")


def test_a_report_of_one_asset_opens_with_it(reader: Reader) -> None:
    page = reader.open(replace(sample(), roots=(INDEX,), columns=True))
    expect(page.get_by_role("heading", level=1)).to_have_text("docs")
    expect(card(page, "customers").get_by_role("button", name="email")).to_be_visible()
    page.get_by_role("link", name="Left out").click()
    expect(page.get_by_text("1 asset is named by others and not in the catalog.")).to_be_visible()


# The graph


def drawn_edges(page: Page) -> set[tuple[str, str]]:
    """Names of the cards at the ends of each drawn edge."""
    return {
        (str(up), str(down))
        for up, down in page.evaluate(
            """() => {
                const names = [...document.querySelectorAll(".card > a")].map((link) => link.textContent);
                const edges = [...document.querySelectorAll(".edge")];
                return edges.map(({dataset}) => [names[dataset.from], names[dataset.to]]);
            }"""
        )
    }


def edges_of(report: Report) -> set[tuple[str, str]]:
    return {(report.by_urn[one.upstream].name, report.by_urn[one.downstream].name) for one in report.edges}


def test_the_edges_drawn_are_those_of_the_report(reader: Reader) -> None:
    page = reader.open(sample(), "#/lineage")
    assert drawn_edges(page) == edges_of(sample())
    assert page.locator(".edge.open").count() == 1


def test_the_graph_of_an_asset_is_what_lies_up_and_down_of_it(reader: Reader) -> None:
    page = reader.open(sample(), asset_route(INDEX))
    beside = {pair for pair in edges_of(sample()) if "answer" not in pair}
    assert drawn_edges(page) == beside
    page.get_by_label("Hops").select_option("1")
    assert drawn_edges(page) == {pair for pair in beside if "docs" in pair} | {
        ("text-embedding-3-small", "embed-docs")
    }


def test_cards_lie_left_to_right_and_none_on_another(reader: Reader) -> None:
    page = reader.open(seeded_report(60, 110), "#/lineage")
    boxes = page.evaluate("graph.cards.map((card, at) => ({...graph.corner(at), w: card.w, h: card.h}))")
    for link in page.evaluate("graph.links.filter((_, at) => !graph.drawing.back.has(at))"):
        assert boxes[link["from"]]["x"] + boxes[link["from"]]["w"] < boxes[link["to"]]["x"]
    for at, one in enumerate(boxes):
        for other in boxes[:at]:
            apart = (
                one["x"] != other["x"]
                or one["y"] >= other["y"] + other["h"]
                or other["y"] >= one["y"] + one["h"]
            )
            assert apart, (one, other)


def test_heights_of_cards_are_those_that_their_contents_need(reader: Reader) -> None:
    page = reader.open(sample(), "#/lineage")
    page.get_by_role("button", name="Show fields").click()
    too_low = page.locator(".card").evaluate_all(
        "(cards) => cards.filter((card) => card.scrollHeight > card.clientHeight).map((card) => card.textContent)"
    )
    assert too_low == []


def lit(page: Page, count: int | None = None) -> set[str]:
    """Fields on the path that is shown, each with its card. It waits until there are any, or ``count`` of them."""
    fields = page.locator(".card li.on")
    if count is None:
        expect(fields).not_to_have_count(0)
    else:
        expect(fields).to_have_count(count)
    return set(
        page.locator(".card li.on").evaluate_all(
            """(rows) => rows.map((row) => {
                const asset = row.closest(".card").querySelector("a").textContent;
                return asset + "." + row.querySelector("button").firstChild.data;
            })"""
        )
    )


def test_a_field_lights_its_path_through_jobs_and_back_puts_it_out(reader: Reader) -> None:
    page = reader.open(sample(), asset_route(INDEX))
    card(page, "docs").get_by_role("button", name="2 fields of docs").click()
    card(page, "docs").get_by_role("button", name="contact").click()
    path = {"customers.email", "docs.contact", "bot.retriever.contact", "bot answers.answer"}
    assert lit(page, len(path)) == path
    # customers to the job to docs, docs to the retriever, and on through the application.
    assert page.locator("path.column").count() == 5
    expect(page.locator(".says")).to_contain_text("docs.contact comes from customers.email")
    on = page.locator(".card.on > a").all_text_contents()
    assert set(on) == {"customers", "embed-docs", "docs", "bot.retriever", "bot", "bot answers"}
    page.go_back()
    expect(page.locator(".card li.on")).to_have_count(0)
    page.go_forward()
    assert lit(page, len(path)) == path


def test_a_path_has_an_address_also_if_only_edges_name_the_field(reader: Reader) -> None:
    page = reader.open(sample(), f"{asset_route(CUSTOMERS)}?field=email")
    path = {"customers.email", "docs.contact", "bot.retriever.contact", "bot answers.answer"}
    assert lit(page, len(path)) == path
    page.goto(page.url.partition("#")[0] + f"#/lineage?field=note&of={sample().edges[6].downstream}")
    orders = next(one.urn for one in sample().assets if one.name == "orders")
    page.goto(page.url.partition("#")[0] + f"#/asset/{orders}?field=note")
    assert lit(page, 2) == {"orders.note", "docs.text"}


def test_a_field_of_the_table_shows_its_path_in_the_graph(reader: Reader) -> None:
    page = reader.open(sample(), asset_route(INDEX))
    page.locator(".fields").get_by_role("button", name="contact").click()
    assert "customers.email" in lit(page)


def test_above_300_assets_containers_are_cards_that_open(reader: Reader) -> None:
    report = seeded_report(700, 1500)
    page = reader.open(report, "#/lineage")
    groups = page.locator(".card.group")
    before = groups.count()
    assert before > 0
    assert page.locator(".card").count() <= 300
    assert page.evaluate("graph.count") == len(report.edges)
    groups.first.get_by_role("button").click()
    assert page.locator(".card:not(.group)").count() > 10
    assert page.evaluate("graph.count") == len(report.edges)


def test_cycles_and_loops_are_drawn(reader: Reader) -> None:
    urns = [f"urn:li:dataset:(urn:li:dataPlatform:x,{name},PROD)" for name in "abc"]
    a, b, c = urns
    assets = tuple(Asset(urn=urn, type="dataset", kind="Table", name=urn[-7], platform="x") for urn in urns)
    edges = (edge(a, b, (a, "k", "k")), edge(b, c, (b, "k", "k")), edge(c, a, (c, "k", "k")), edge(b, b))
    page = reader.open(Report(assets=assets, edges=edges), f"{asset_route(b)}?field=k")
    assert drawn_edges(page) == {("a", "b"), ("b", "c"), ("c", "a"), ("b", "b")}
    assert page.evaluate("new Set(graph.drawing.corners.map(({x}) => x)).size") == 3
    assert lit(page, 3) == {"a.k", "b.k", "c.k"}


# Whoever it is read by


def tab_to(page: Page, selector: str) -> None:
    """Press Tab until something of ``selector`` has the focus."""
    for _ in range(40):
        if page.evaluate("(selector) => document.activeElement.matches(selector)", selector):
            return
        page.keyboard.press("Tab")
    pytest.fail(f"Tab leads to no {selector}")


def test_the_keyboard_alone_is_enough(reader: Reader) -> None:
    page = reader.open(sample())
    press = page.keyboard.press
    press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    press("/")
    page.keyboard.type("docs")
    assert names(page) == ["docs", "embed-docs"]
    tab_to(page, ".list a")
    press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("docs")
    tab_to(page, ".view")
    press("ArrowRight")
    expect(card(page, "docs").get_by_role("link")).to_be_focused()
    press("ArrowLeft")
    expect(card(page, "embed-docs").get_by_role("link")).to_be_focused()
    press("ArrowRight")
    expect(card(page, "docs").get_by_role("link")).to_be_focused()
    press("Tab")
    press("Enter")
    expect(card(page, "docs").locator("li").first).to_be_visible()
    press("Tab")
    press("Tab")
    press("Enter")
    assert "customers.email" in lit(page)
    press("Escape")
    expect(page.locator(".card li.on")).to_have_count(0)
    scale = page.evaluate("graph.scale")
    press("+")
    assert page.evaluate("graph.scale") > scale


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(reader: Reader, scheme: str) -> None:
    page = reader.open(replace(sample(), columns=True), color_scheme=scheme)
    for route in (
        "#/",
        f"{asset_route(INDEX)}?field=contact",
        "#/lineage",
        "#/prompt/langfuse:answer",
        "#/answers",
    ):
        page.goto(page.url.partition("#")[0] + route)
        # Cards that are not on a lit path are faint on purpose.
        found = Axe().run(page, context={"exclude": [".lit .card:not(.on)"]}).response["violations"]
        assert [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in SERIOUS] == [], (
            route
        )


def test_names_are_text_on_every_page(reader: Reader) -> None:
    report = hostile()
    page = reader.open(report)
    title = page.title()
    assert [clean(name) for name in HOSTILE] == names(page)
    for asset in report.assets:
        page.evaluate("(place) => { location.hash = routeOf(ASSETS[place]); }", report.assets.index(asset))
        expect(page.get_by_role("heading", level=1)).to_have_text(" ".join(clean(asset.name).split()))
        expect(page.locator("#out, main img, main script")).to_have_count(0)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.locator('main a[href^="javascript"]').count() == 0
    assert title == "Lineage report"


def test_without_javascript_the_list_and_the_pages_read(reader: Reader) -> None:
    page = reader.open(sample(), java_script_enabled=False)
    shown = page.locator("summary").all_text_contents()
    assert len(shown) == len(sample().assets) + 2
    assert not page.get_by_text("Loading").is_visible()
    page.locator("summary", has_text="embed-docs").click()
    link = page.locator("details[open] li a").first
    target = page.locator(f"[id='{str(link.get_attribute('href')).removeprefix('#')}']")
    expect(target).to_be_hidden()
    link.click()
    expect(target).to_be_visible()


@pytest.mark.parametrize("route", ["", asset_route(INDEX), "#/lineage", "#/answers", asset_route(LOG)])
def test_a_phone_scrolls_down_only(reader: Reader, route: str) -> None:
    page = reader.open(
        sample(), route, viewport={"width": 360, "height": 700}, has_touch=True, is_mobile=True
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_print_has_the_whole_graph_and_no_tools(reader: Reader) -> None:
    page = reader.open(sample(), asset_route(INDEX))
    page.emulate_media(media="print")
    expect(page.get_by_role("button", name="Fit")).to_be_hidden()
    expect(page.get_by_role("navigation")).to_be_hidden()
    width = page.evaluate("graph.drawing.width * graph.scale")
    assert width <= 700
    assert page.pdf(format="A4").startswith(b"%PDF")


# Little


def test_an_empty_report_says_so(reader: Reader) -> None:
    page = reader.open(Report())
    expect(page.get_by_text("There is nothing in this report")).to_be_visible()


def test_assets_without_edges_say_so(reader: Reader) -> None:
    report = replace(sample(), edges=())
    page = reader.open(report, asset_route(INDEX))
    expect(page.get_by_text("No lineage of this asset is in the report.")).to_be_visible()
    assert page.get_by_role("link", name="Lineage", exact=True).count() == 0
