"""The picture of a walk: it has the edges of the walk, says what it leaves out, and holds nothing that runs."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from catalog.recorded import proposals, write_local
from datahub_llmops.api import CatalogClient
from datahub_llmops.catalog.protocol import Direction, Edge, Lineage, Node
from datahub_llmops.queries.labels import Names
from datahub_llmops.queries.picture import MOST_DRAWN
from datahub_llmops.queries.walk import LineageResult
from support.seen_html import AS_TEXT, EVIL, Seen

TABLE = "urn:li:dataset:(urn:li:dataPlatform:postgres,shop.t{},PROD)"


def node(number: int, name: str = "", hops: int = 1) -> Node:
    return Node(
        urn=TABLE.format(number), type="dataset", platform="postgres", name=name or f"t{number}", hops=hops
    )


def edge(upstream: int, downstream: int, since: str | None = None) -> Edge:
    return Edge(
        upstream=TABLE.format(upstream),
        downstream=TABLE.format(downstream),
        aspect="upstreamLineage",
        not_confirmed_since=since,
    )


def walk(nodes: list[Node], edges: list[Edge], direction: Direction = "up") -> LineageResult:
    found = Lineage(root=nodes[0].urn, direction=direction, nodes=tuple(nodes), edges=tuple(edges))
    return LineageResult(walk=found, hops=5, names=Names({node.urn: node.name for node in nodes}))


def arrows(html: str) -> set[str]:
    return set(re.findall(r"<path [^>]*><title>(.*?)</title>", html))


def test_it_draws_the_edges_of_the_walk() -> None:
    found = walk([node(0, hops=0), node(1), node(2)], [edge(1, 0), edge(2, 1), edge(2, 0)])
    assert arrows(found._repr_html_()) == {"t1 → t0", "t2 → t1", "t2 → t0"}
    assert "2 assets upstream, within 5 hops." in found._repr_html_()


def test_the_asset_that_was_asked_for_is_at_the_end_of_what_feeds_it() -> None:
    up = walk([node(0, hops=0), node(1)], [edge(1, 0)])
    down = walk([node(0, hops=0), node(1)], [edge(0, 1)], "down")
    for found, places in ((up, {"t0": "232", "t1": "2"}), (down, {"t0": "2", "t1": "232"})):
        boxes = re.findall(r'<svg x="([\d.]+)"[^>]*><title>(\w+) ', found._repr_html_())
        assert {name: x.removesuffix(".0") for x, name in boxes} == places


def test_an_edge_that_is_not_confirmed_says_so() -> None:
    html = walk([node(0, hops=0), node(1)], [edge(1, 0, since="2026-11-29T05:30:00+00:00")])._repr_html_()
    assert arrows(html) == {"t1 → t0, not confirmed since 2026-11-29 05:30 UTC"}
    assert "stroke-dasharray" in html


def test_an_asset_that_the_catalog_does_not_hold_is_drawn() -> None:
    html = walk([node(0, hops=0), node(2, hops=2)], [edge(1, 0), edge(2, 1)])._repr_html_()
    assert arrows(html) == {"shop.t1 → t0", "t2 → shop.t1"}
    assert "not in the catalog · postgres" in html


def test_circles_are_drawn() -> None:
    html = walk([node(0, hops=0), node(1)], [edge(1, 0), edge(0, 1)])._repr_html_()
    assert arrows(html) == {"t1 → t0", "t0 → t1"}


def test_it_says_how_many_assets_it_does_not_draw() -> None:
    many = MOST_DRAWN + 9
    found = walk(
        [node(0, hops=0), *(node(number) for number in range(1, many))],
        [edge(number, 0) for number in range(1, many)],
    )
    html = found._repr_html_()
    assert f"The {MOST_DRAWN} nearest are drawn; 9 more are not." in html
    assert len(arrows(html)) == MOST_DRAWN - 1
    # The table has all.
    assert html.count("<tr>") == many + 1


def test_a_long_table_says_where_the_rest_is() -> None:
    html = walk([node(0, hops=0), *(node(number) for number in range(1, 1_010))], [])._repr_html_()
    assert "<summary>1,010 assets</summary>" in html
    assert html.count("<tr>") == 1 + 1_000
    assert "10 more are in <code>nodes</code> of the result." in html


def test_names_are_text() -> None:
    seen = Seen(walk([node(0, EVIL, hops=0), node(1, EVIL)], [edge(1, 0)])._repr_html_())
    assert not seen.tags & {"script", "a", "img", "iframe", "style", "foreignobject"}
    assert not {name for name in seen.attributes if name.startswith("on") or name in ("href", "src")}
    assert AS_TEXT in seen.text
    long = walk([node(0, "x" * 10_000, hops=0)], [])._repr_html_()
    assert len(long) < 10_000


def test_what_the_walk_of_a_column_does_not_reach_stands_below(tmp_path: Path) -> None:
    with CatalogClient(write_local(tmp_path / "catalog.db", proposals())) as catalog:
        found = catalog.lineage("postgres:shop.public.customers#email", "down")
        html = found._repr_html_()
        assert "Column of shop.public.customers · postgres" in html
        assert "1 more asset reads reviews without column lineage: reviews-retriever" in html
        assert "<td>shop.public.customers.email</td>" in html.replace(' style="text-align:left"', "")
        assert "◆ Personal data" in html
        assert (
            "There may be more: hops=N goes further."
            in catalog.lineage(found.root, "down", hops=1)._repr_html_()
        )
        # Names are for people: they are no part of the answer.
        assert replace(found, names=Names()) == found
        assert "Personal data" not in found.to_json()


def test_a_search_is_a_table(tmp_path: Path) -> None:
    with CatalogClient(write_local(tmp_path / "catalog.db", proposals())) as catalog:
        seen = Seen(catalog.search("public customers")._repr_html_())
        none = Seen(catalog.search("<b>nothing</b>")._repr_html_())
    assert "1 asset with every word of public customers" in seen.text
    assert "shop.public.customersTablepostgres" in seen.text
    assert "0 assets with every word of <b>nothing</b>" in none.text
