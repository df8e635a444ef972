"""The demo shows what the README says, and a second run changes nothing."""

from __future__ import annotations

import re
import sqlite3

import pytest
import yaml

from journeys.demo import DEMO_SECONDS, Demo, run_demo
from support.documents import PAGES, Block, blocks
from support.paths import ROOT

pytestmark = pytest.mark.timeout(DEMO_SECONDS)

SAMPLES = [
    pytest.param(block, id=block.name)
    for page in PAGES
    for block in blocks(page)
    if (block.language, block.mark) == ("text", "the demo prints this")
]


def steady(text: str) -> str:
    """What the demo prints without what differs from run to run: ids, times, and how the day's Python counts rows."""
    for pattern, word in (
        (r"\b(?:[0-9a-f]{28,64}|[0-9a-f]{12})\b", "ID"),
        (r"\b\d{4}-\d\d-\d\d(?: \d\d:\d\d:\d\d)?\b", "TIME"),
        (r"\bscore 0\.\d+", "SCORE"),
        (r"\brow \d+", "ROW"),
    ):
        text = re.sub(pattern, word, text)
    return text


def test_the_demo_shows_the_way_back_to_columns_owners_and_terms(demo: Demo) -> None:
    folder, printed = demo.folder, demo.printed
    back = printed.partition("== 4.")[2].partition("== 5.")[0]
    for name in ("docs", "embed-docs", "entry_docs", "entries", "modules", "maintainers"):
        assert re.search(rf"\b{name}\b", back), back
    for word in (
        "Vector Collection",
        "Embedding Job",
        "Personal data",
        "Public documentation",
        "hana",
        "jonas",
    ):
        assert word in back
    forth = printed.partition("== 5.")[2].partition("== 6.")[0]
    assert re.search(r"email.*maintainer", forth, flags=re.DOTALL)
    assert (folder / "demo" / "catalog.db").is_file()


def test_the_demo_checks_the_index_before_and_after_the_repair(demo: Demo) -> None:
    printed = demo.printed
    before, told, after = (
        printed.partition(f"== {number}.")[2].partition("\n== ")[0] for number in (18, 19, 22)
    )
    assert re.search(r"not ok +fresh", before), before
    assert re.search(r"not ok +model lives", before), before
    assert "embed-docs (owned by ada)" in told
    assert "docs-bot" in told
    assert re.search(r"(?<!not )ok +fresh", after), after
    assert re.search(r"not ok +model lives", after), after


def test_a_second_demo_changes_nothing_and_says_so(demo: Demo) -> None:
    folder, first = demo.folder, demo.printed
    assert "Nothing changed" not in first
    second = run_demo(folder)
    assert "Nothing changed" in second, second
    assert second.count("unchanged)") == 3, second
    # The walks are the same ones, and the answers, by other names.
    for title, end in (("== 6.", "== 7."), ("== 9.", "== 10."), ("== 13.", "== 16.")):
        before, after = (steady(text.partition(title)[2].partition(end)[0]) for text in (first, second))
        assert after == before
    # Meanwhile the hooks were brought into the catalog: they found one of the edges too, and the way goes on.
    up, down = (
        [text.partition(title)[2].partition(end)[0] for text in (first, second)]
        for title, end in (("== 4.", "== 5."), ("== 5.", "== 6."))
    )
    assert up[1].replace("found by declared, payload, hook", "found by declared, payload") == up[0]
    assert "Answer Log" not in down[0]
    assert "docs-bot answers  Answer Log · langchain  ◆ Personal data" in down[1]


def test_the_demo_walks_an_answer_back_to_its_row_tables_owners_and_terms(demo: Demo) -> None:
    folder, printed = demo.folder, demo.printed
    asked, explained = (
        printed.partition(title)[2].partition(end)[0]
        for title, end in (("== 6.", "== 7."), ("== 9.", "== 10."))
    )
    assert asked.count("a stand-in for a model") == 4
    assert asked.count("(with langchain)") == 3
    assert "(with llamaindex)" in asked
    # Both frameworks found the same passage, in the index that LangChain wrote.
    answers = re.findall(r"which quotes\] (.+)", asked)
    assert answers[0] == answers[3] == "Wrap a single paragraph of text, returning a list of wrapped lines."
    # The row is the docstring's.
    row = re.search(r"from entry_docs row (\d+) \[row\]", explained)
    assert row, explained
    database = sqlite3.connect(folder / "demo" / "warehouse.db")
    try:
        (name,) = database.execute("select qualified_name from entries where id = ?", (row[1],)).fetchone()
    finally:
        database.close()
    assert name == "textwrap.wrap"
    assert "answer-from-docs version 1" in explained
    for table, owner, term in (
        ("entry_docs", "ada", "Public documentation"),
        ("entries", "jonas", "Public documentation"),
        ("maintainers", "hana", "Personal data"),
    ):
        part = explained.partition(f"  {table}  ")[2]
        assert re.match(rf".* · sqlite \[\w+\]\n    owners: {owner}\n    terms: {term}\n", part), part
    assert "airflow: knowledge-base / embed-docs, run " in explained
    assert "Not known" not in explained


def test_the_demo_shows_the_whole_chain(demo: Demo) -> None:
    chain = demo.printed.partition("== 10.")[2].partition("== 11.")[0]
    depths = {
        name: next(line for line in chain.splitlines() if f" {name}  " in line).index(name)
        for name in ("docs-bot", "docs (VectorStoreRetriever)", "docs", "embed-docs", "entry_docs", "entries")
    }
    assert list(depths.values()) == sorted(set(depths.values())), chain
    assert "\ndocs-bot answers  Answer Log" in chain, chain


def test_the_demos_spans_and_hooks_agree(demo: Demo) -> None:
    compared = demo.printed.partition("== 15.")[2].partition("== What")[0]
    assert (
        "VectorStoreRetriever <- default_database.docs: hooks say hook, spans say span attribute" in compared
    )
    assert "They agree." in compared


def test_the_demos_recipe_declares_the_query_that_its_job_runs() -> None:
    recipe = yaml.safe_load((ROOT / "recipes" / "chroma.dhub.yaml").read_text())
    (job,) = recipe["source"]["config"]["embedding_jobs"]
    assert job["upstream"]["sql"].split() == (ROOT / "examples" / "demo" / "embed.sql").read_text().split()


@pytest.mark.parametrize("block", SAMPLES)
def test_the_sample_is_what_the_demo_prints(block: Block, demo: Demo) -> None:
    printed = {line.rstrip() for line in steady(demo.printed).splitlines()}
    assert [line for line in steady(block.text).splitlines() if line.rstrip() not in printed] == []
