"""What a notebook shows of one asset: names in place of URNs, every aspect, and nothing that runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from catalog.recorded import proposals, write_local
from datahub_llmops.api import CatalogClient
from datahub_llmops.catalog.usage_totals import UsageTotals
from datahub_llmops.queries.labels import Names
from support.seen_html import AS_TEXT, EVIL, Seen

CUSTOMERS = "postgres:shop.public.customers"


def test_an_asset_is_shown_by_names_and_with_all_its_aspects(tmp_path: Path) -> None:
    with CatalogClient(write_local(tmp_path / "catalog.db", proposals())) as catalog:
        found = catalog.show("chroma:default_database.reviews")
    seen = Seen(found._repr_html_())
    assert "TermsPersonal data" in "".join(seen.text.split("\n"))
    assert "Depends onembed-reviews" in "".join(seen.text.split("\n"))
    assert all(name in seen.text for name in found.aspects)
    assert '"rowCount": 12345' in seen.text
    # Names are for people: they are no part of the answer.
    assert replace(found, names=Names()) == found


def test_a_term_says_what_carries_it(tmp_path: Path) -> None:
    with CatalogClient(write_local(tmp_path / "catalog.db", proposals())) as catalog:
        seen = Seen(catalog.show("urn:li:glossaryTerm:PersonalData")._repr_html_())
    assert "shop.public.customers" in seen.text


def test_an_application_says_what_was_counted(tmp_path: Path) -> None:
    counted = UsageTotals(
        days=1,
        first_day=1_795_996_800_000,
        last_day=1_795_996_800_000,
        calls=4,
        errors=None,
        input_tokens=None,
        output_tokens=None,
        cost=None,
        currency=None,
    )
    with CatalogClient(write_local(tmp_path / "catalog.db", proposals())) as catalog:
        seen = Seen(replace(catalog.show(CUSTOMERS), usage=counted)._repr_html_())
    assert "Usage4 calls on 1 day" in seen.text
    assert "Costnot known" in seen.text


def test_what_an_asset_holds_is_text(tmp_path: Path) -> None:
    with CatalogClient(write_local(tmp_path / "catalog.db", proposals())) as catalog:
        found = catalog.show(CUSTOMERS)
    evil = {"datasetProperties": {"description": EVIL}, EVIL: {"value": "x" * 100_000}}
    html = replace(found, aspects=evil, node=replace(found.node, name=EVIL))._repr_html_()
    seen = Seen(html)
    assert seen.tags <= {
        *("div", "p", "strong", "span", "table", "tbody", "tr", "th", "td", "details", "summary", "pre")
    }
    assert seen.attributes == {"class", "style"}
    assert seen.text.count(AS_TEXT) == 3
    assert len(html) < 30_000
