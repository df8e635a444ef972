"""The command ``report``: what it selects, where it writes, and what it says of what it cannot do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from catalog.recorded import proposals, recorded_server, scrolled, stored, write_local
from datahub_llmops.cli.main import main
from governance.estate import CUSTOMERS, INDEX, RETRIEVER, REVIEWS, write
from report.test_gather import facts
from support.terminal import Terminal

COMMAND = Path(sys.executable).with_name("datahub-llmops")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write(tmp_path / "catalog.db", facts()).close()
    return tmp_path / "catalog.db"


def run(path: Path | str, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["--catalog", str(path), "report", *arguments])


def output(path: Path | str, *arguments: str) -> str:
    done = run(path, *arguments)
    assert done.exit_code == 0, done.output
    return done.stdout


def failed(path: Path | str, *arguments: str, code: int = 1) -> str:
    done = run(path, *arguments)
    assert done.exit_code == code, done.output
    assert "Traceback" not in done.output
    return done.stderr


def names(markdown: str) -> list[str]:
    """The names in the table of assets."""
    rows = [line.split(" | ") for line in markdown.splitlines() if line.startswith("| ")]
    return [row[0].removeprefix("| ").strip("`") for row in rows[2:]]


ALL = [*("customers", "docs", "docs", "docs-bot", "docs-bot answers", "embed-docs", "reviews")]
ALL += ["text-embedding-3-small"]


def test_the_whole_catalog_as_markdown(path: Path) -> None:
    written = output(path, "--format", "md")
    assert names(written) == ALL
    assert "```mermaid\nflowchart LR\n" in written


def test_a_page_is_one_file(path: Path, tmp_path: Path) -> None:
    file = tmp_path / "lineage.html"
    assert output(path, "--out", str(file)) == f"Wrote 8 assets and 7 edges to {file}\n"
    written = file.read_text("utf-8")
    assert written.startswith("<!doctype html>")
    assert "docs-bot answers" in written


@pytest.mark.parametrize(
    ("name", "begins"),
    [
        ("x.md", "# Lineage"),
        ("x.mmd", "flowchart LR"),
        ("x.DOT", "digraph"),
        ("x.gv", "digraph"),
        ("x", "<!doctype"),
    ],
)
def test_the_name_of_the_file_says_the_format(path: Path, tmp_path: Path, name: str, begins: str) -> None:
    output(path, "--out", str(tmp_path / name))
    assert (tmp_path / name).read_text("utf-8").startswith(begins)


def test_the_format_that_is_given_wins_over_the_name(path: Path, tmp_path: Path) -> None:
    output(path, "--out", str(tmp_path / "x.txt"), "--format", "dot")
    assert (tmp_path / "x.txt").read_text("utf-8").startswith("digraph")


@pytest.mark.parametrize("form", ["md", "dot", "mermaid"])
def test_a_file_holds_what_standard_output_gets(path: Path, tmp_path: Path, form: str) -> None:
    output(path, "--format", form, "--out", str(tmp_path / "x"))
    assert (tmp_path / "x").read_text("utf-8") == output(path, "--format", form)


@pytest.mark.parametrize("form", ["html", "md", "dot", "mermaid"])
def test_the_same_catalog_gives_the_same_bytes(path: Path, tmp_path: Path, form: str) -> None:
    files = []
    for seed in ("1", "2"):
        files.append(tmp_path / f"{seed}.out")
        command = [
            str(COMMAND),
            "--catalog",
            str(path),
            "report",
            "--columns",
            "--format",
            form,
            "--out",
            str(files[-1]),
        ]
        subprocess.run(command, check=True, env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True)
    assert files[0].read_bytes() == files[1].read_bytes()


def test_one_asset_up_down_and_both(path: Path) -> None:
    up = output(path, "chroma:default_database.docs", "--up", "--format", "md")
    down = output(path, "chroma:default_database.docs", "--down", "--format", "md")
    both = output(path, "chroma:default_database.docs", "--format", "md")
    assert names(up) == ["customers", "docs", "embed-docs", "reviews", "text-embedding-3-small"]
    assert names(down) == ["docs", "docs", "docs-bot", "docs-bot answers"]
    assert names(both) == ALL
    assert both == output(path, "chroma:default_database.docs", "--up", "--down", "--format", "md")
    assert "Asked for: docs, upstream, within 5 hops." in up


def test_several_assets_are_joined(path: Path) -> None:
    done = run(path, "shop.public.customers", "langchain:docs-bot.answers", "--hops", "1", "--format", "md")
    assert names(done.stdout) == ["customers", "docs-bot", "docs-bot answers", "embed-docs"]
    assert done.stderr == "The walk ended after 1 hop. There may be more: --hops N goes further.\n"


def test_columns_are_drawn_if_asked_for(path: Path) -> None:
    assert '["email"]' in output(path, "--columns", "--format", "mermaid")
    assert '["email"]' not in output(path, "--format", "mermaid")


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (["--platform", "CHROMA"], ["docs"]),
        (["--platform", "chroma", "--platform", "openai"], ["docs", "text-embedding-3-small"]),
        (["--type", "vector collection"], ["docs"]),
        (["--type", "mlModel"], ["text-embedding-3-small"]),
        (["--owner", "Ada"], ["embed-docs"]),
        (["--owner", "urn:li:corpuser:ada"], ["embed-docs"]),
        (["--term", "Privacy.Personal"], ["customers", "docs"]),
        (["--term", "personal data", "--type", "Table"], ["customers"]),
        (["--verdict", "not known", "--platform", "postgres"], ["customers", "reviews"]),
    ],
)
def test_filters(path: Path, filters: list[str], expected: list[str]) -> None:
    assert names(output(path, *filters, "--format", "md")) == expected


def test_what_filters_leave_out_is_said(path: Path) -> None:
    done = run(path, "--platform", "chroma", "--format", "md")
    assert done.stderr == ("The filters leave out 7 other assets, and the lineage that goes through them.\n")
    assert "Filtered by: Platform chroma." in done.stdout


def test_filters_of_a_neighbourhood_keep_what_was_asked_for(path: Path) -> None:
    written = output(path, "chroma:default_database.docs", "--platform", "postgres", "--format", "md")
    assert names(written) == ["customers", "docs", "reviews"]


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        (
            ["--platform", "qdrant"],
            "none of 8 assets has the platform 'qdrant'; there are airflow, chroma, langchain, openai, postgres",
        ),
        (["--owner", "bob"], "none of 8 assets has the owner 'bob'; there is Ada"),
        (["--owner", "bob", "--platform", "chroma"], "none of 1 assets has the owner 'bob'; there is none"),
        (["--verdict", "ok", "--verdict", "not ok"], "the verdict 'ok' or 'not ok'; there is not known"),
    ],
)
def test_filters_that_match_nothing_say_what_there_is(path: Path, filters: list[str], message: str) -> None:
    assert message in failed(path, *filters, "--format", "md")


def test_names_that_match_nothing_or_much_are_errors_like_those_of_show(path: Path) -> None:
    assert failed(path, "nothing", "--format", "md") == (
        "Error: no asset in the catalog is named 'nothing'; search for it: datahub-llmops search WORDS\n"
    )
    ambiguous = failed(path, "docs", "--format", "md")
    assert "is ambiguous; use one of these URNs" in ambiguous
    assert INDEX in ambiguous
    assert RETRIEVER in ambiguous


def test_options_that_do_not_go_together(path: Path) -> None:
    for option in (["--up"], ["--down"], ["--hops", "3"]):
        assert "go with an ASSET" in failed(path, *option, "--format", "md", code=2)
    assert "go with --answers N" in failed(path, "--store", "x", "--format", "md", code=2)
    assert "a page needs a file: --out lineage.html" in failed(path, code=2)


def test_a_file_that_is_there_is_kept_without_force(path: Path, tmp_path: Path) -> None:
    file = tmp_path / "x.md"
    file.write_text("mine")
    assert "exists; --force overwrites it" in failed(path, "--out", str(file))
    assert file.read_text() == "mine"
    output(path, "--out", str(file), "--force")
    assert file.read_text("utf-8").startswith("# Lineage")


def test_a_catalog_and_a_name_that_is_too_long_are_refused(path: Path) -> None:
    held = path.read_bytes()
    assert "is a database" in failed(path, "--out", str(path), "--force", "--format", "md")
    assert path.read_bytes() == held
    assert "cannot be written (File name too long); name another" in failed(path, "--out", "x" * 300)


def test_a_dash_is_standard_output(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert output(path, "--format", "md", "--out", "-") == output(path, "--format", "md")
    assert "a page needs a file" in failed(path, "--out", "-", code=2)
    assert not Path("-").exists()


def test_a_diagram_that_is_too_large_leaves_what_was_there(tmp_path: Path) -> None:
    big = {
        ("urn:li:dataset:(urn:li:dataPlatform:postgres,t,PROD)", "upstreamLineage"): {
            "upstreams": [
                {
                    "dataset": f"urn:li:dataset:(urn:li:dataPlatform:postgres,t{number},PROD)",
                    "type": "TRANSFORMED",
                    "auditStamp": {"time": 0, "actor": "urn:li:corpuser:ada"},
                }
                for number in range(501)
            ]
        }
    }
    write(tmp_path / "big.db", big).close()
    file = tmp_path / "x.mmd"
    file.write_text("mine")
    error = failed(tmp_path / "big.db", "--out", str(file), "--force")
    assert "501 edges, and Mermaid draws at most 500; ask for an ASSET, or for --format html" in error
    assert file.read_text() == "mine"
    assert [one.name for one in tmp_path.iterdir() if one.suffix == ".part"] == []


def terminal(path: Path, tmp_path: Path, *arguments: str) -> Terminal:
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"]}
    command = [str(COMMAND), "--catalog", str(path), "report", *arguments]
    return Terminal(command, cwd=tmp_path, env=environment)


def test_a_terminal_is_asked_where_to_write(path: Path, tmp_path: Path) -> None:
    with terminal(path, tmp_path) as shown:
        shown.answer("Write the report to [lineage.html]: ")
        shown.expect("Wrote 8 assets and 7 edges to lineage.html")
        assert shown.end() == 0
    assert (tmp_path / "lineage.html").is_file()


def test_a_terminal_is_asked_before_a_file_goes(path: Path, tmp_path: Path) -> None:
    file = tmp_path / "x.md"
    file.write_text("mine")
    with terminal(path, tmp_path, "--out", "x.md") as shown:
        shown.answer("x.md exists. Overwrite it? [y/N]: ", "n")
        assert shown.end() == 1
    assert file.read_text() == "mine"
    with terminal(path, tmp_path, "--out", "x.md") as shown:
        shown.answer("x.md exists. Overwrite it? [y/N]: ", "y")
        assert shown.end() == 0
    assert file.read_text("utf-8").startswith("# Lineage")


def test_an_empty_catalog_gives_a_report_that_says_what_to_do(tmp_path: Path) -> None:
    write(tmp_path / "empty.db", {("urn:li:corpuser:ada", "corpUserInfo"): {"active": True}}).close()
    for form in ("md", "dot", "mermaid"):
        done = run(tmp_path / "empty.db", "--format", form)
        assert done.exit_code == 0
        assert "datahub ingest" in done.stdout
        assert "datahub ingest -c RECIPE" in done.stderr
    output(tmp_path / "empty.db", "--out", str(tmp_path / "x.html"))
    assert "datahub ingest -c RECIPE" in (tmp_path / "x.html").read_text("utf-8")


def test_a_catalog_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    failed(tmp_path / "none.db", "--format", "md")


def lineage_of(urn: str, *upstreams: str) -> dict[tuple[str, str], object]:
    stamp = {"time": 0, "actor": "urn:li:corpuser:ada"}
    edges = [{"dataset": up, "type": "TRANSFORMED", "auditStamp": stamp} for up in upstreams]
    return {(urn, "upstreamLineage"): {"upstreams": edges}}


def test_a_catalog_without_edges_and_one_with_circles(tmp_path: Path) -> None:
    write(tmp_path / "none.db", {(REVIEWS, "datasetProperties"): {"name": "reviews"}}).close()
    assert "1 asset, 0 edges." in output(tmp_path / "none.db", "--format", "md")
    circle = {**lineage_of(REVIEWS, CUSTOMERS), **lineage_of(CUSTOMERS, REVIEWS, CUSTOMERS)}
    write(tmp_path / "circle.db", circle).close()
    for form in ("md", "dot", "mermaid"):
        written = output(tmp_path / "circle.db", "shop.public.reviews", "--format", form)
        assert written.count("> n") == 3, written
    output(tmp_path / "circle.db", "--out", str(tmp_path / "x.html"))


@pytest.mark.parametrize(
    "asked",
    [
        ["chroma:default_database.reviews", "--up", "--columns"],
        [],
        ["--platform", "postgres", "--platform", "airflow"],
    ],
)
def test_a_server_gives_the_report_that_its_file_gives(tmp_path: Path, asked: list[str]) -> None:
    write_local(tmp_path / "catalog.db", proposals()).close()
    with recorded_server(stored(proposals())) as (server, stub):
        # No assertion and no incident is in the model.
        server.extra.update(entity=scrolled([]), entities=scrolled([]))
        for form in ("md", "dot", "mermaid"):
            assert output(stub.url, *asked, "--format", form) == output(
                tmp_path / "catalog.db", *asked, "--format", form
            )
