"""The public Python API: it answers what the command answers, byte for byte, from a local catalog and from a server."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

import datahub_llmops
from catalog.recorded import proposals, recorded_server, stored, write_local
from datahub_llmops.api import CatalogClient
from datahub_llmops.catalog.result import Result
from datahub_llmops.cli.main import main
from datahub_llmops.errors import NoCatalogError, QuestionError, RecipeError, StoreError, UnknownAssetError
from governance.estate import CUSTOMERS, INDEX, MODEL, estate, write
from health.test_server_requests import served
from runs.conftest import world
from runs.world import World
from support.stub import Stub

__all__ = ["world"]

REVIEWS = "chroma:default_database.reviews"
REVIEWS_URN = "urn:li:dataset:(urn:li:dataPlatform:chroma,default_database.reviews,PROD)"
EMAIL = "postgres:shop.public.customers#email"
TERM = "urn:li:glossaryTerm:PersonalData"


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The recorded model, in a local catalog."""
    path = tmp_path_factory.mktemp("local") / "catalog.db"
    write_local(path, proposals()).close()
    return str(path)


@pytest.fixture
def server() -> Iterator[str]:
    with recorded_server(stored(proposals())) as (_, stub):
        yield stub.url


@pytest.fixture
def healthy(tmp_path: Path) -> str:
    path = tmp_path / "estate.db"
    write(path, estate()).close()
    return str(path)


def command(where: str, *words: str) -> str:
    return CliRunner().invoke(main, ["--catalog", where, *words, "--json"]).stdout


def asked(where: str, ask: Callable[[CatalogClient], Result]) -> str:
    with datahub_llmops.open_catalog(where) as catalog:
        return f"{ask(catalog).to_json()}\n"


BOTH: list[tuple[list[str], Callable[[CatalogClient], Result]]] = [
    (["lineage", REVIEWS], lambda catalog: catalog.lineage(REVIEWS)),
    (["lineage", REVIEWS, "--down"], lambda catalog: catalog.lineage(REVIEWS, "down")),
    (["show", REVIEWS], lambda catalog: catalog.show(REVIEWS)),
    (["search", "reviews"], lambda catalog: catalog.search("reviews")),
]
"""What the recorded server answers too."""
LOCAL: list[tuple[list[str], Callable[[CatalogClient], Result]]] = [
    *BOTH,
    (["lineage", EMAIL, "--down"], lambda catalog: catalog.lineage(EMAIL, "down")),
    (["lineage", REVIEWS, "--hops", "1"], lambda catalog: catalog.lineage(REVIEWS, hops=1)),
    (["show", EMAIL], lambda catalog: catalog.show(EMAIL)),
    (["show", TERM], lambda catalog: catalog.show(TERM)),
    (["search", "public", "customers"], lambda catalog: catalog.search("public customers")),
    (["search", "public", "--limit", "1"], lambda catalog: catalog.search("public", limit=1)),
    (["search", "nothing"], lambda catalog: catalog.search("nothing")),
    (["search", "--term", TERM], lambda catalog: catalog.search_term(TERM)),
    (
        ["search", "--term", TERM, "chroma", "--limit", "1"],
        lambda catalog: catalog.search_term(TERM, "chroma", limit=1),
    ),
    (["affected", EMAIL], lambda catalog: catalog.affected(EMAIL)),
    (["affected", "openai/text-embedding-3-small"], lambda c: c.affected("openai/text-embedding-3-small")),
]


@pytest.mark.parametrize(
    ("words", "ask"), LOCAL, ids=lambda part: " ".join(part) if isinstance(part, list) else ""
)
def test_the_answer_is_what_the_command_prints(
    local: str, words: list[str], ask: Callable[[CatalogClient], Result]
) -> None:
    printed = command(local, *words)
    assert printed.startswith("{")
    assert asked(local, ask) == printed


@pytest.mark.parametrize(
    ("words", "ask"), BOTH, ids=lambda part: " ".join(part) if isinstance(part, list) else ""
)
def test_of_a_server_the_answer_is_what_the_command_prints(
    server: str, words: list[str], ask: Callable[[CatalogClient], Result]
) -> None:
    printed = command(server, *words)
    assert printed.startswith("{")
    assert asked(server, ask) == printed


@pytest.mark.parametrize("what", ["check", "affected"])
def test_of_a_server_verdicts_and_what_is_affected_are_what_the_command_prints(what: str) -> None:
    recorded, answer = served(stored(proposals()))
    with Stub(answer) as stub:
        printed = command(stub.url, what, REVIEWS_URN)
        assert printed.startswith("{")
        assert asked(stub.url, lambda catalog: getattr(catalog, what)(REVIEWS_URN)) == printed
    assert recorded.unmatched == []


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    """Options of the checks, by which the embedding model has retired."""
    ends = tmp_path / "ends.yaml"
    ends.write_text(yaml.safe_dump({"models": {"openai/text-embedding-3-small": {"retires": "2026-01-14"}}}))
    path = tmp_path / "policy.yaml"
    path.write_text(yaml.safe_dump({"own_lifecycles": str(ends)}))
    return path


def test_the_verdict_is_what_the_command_prints(healthy: str, policy: Path) -> None:
    assert asked(healthy, lambda catalog: catalog.check(INDEX)) == command(healthy, "check", INDEX)
    printed = command(healthy, "check", INDEX, "--policy", str(policy))
    assert asked(healthy, lambda catalog: catalog.check(INDEX, policy)) == printed
    with datahub_llmops.open_catalog(healthy) as catalog:
        verdicts = {finding.check: finding.verdict for finding in catalog.check(INDEX, policy).findings}
    assert (verdicts["fresh"], verdicts["model lives"]) == ("ok", "not ok")


def test_what_a_model_affects_takes_dates_from_the_policy(healthy: str, policy: Path) -> None:
    printed = command(healthy, "affected", MODEL, "--policy", str(policy))
    assert "2026-01-14" in printed
    assert asked(healthy, lambda catalog: catalog.affected(MODEL, policy)) == printed


def test_what_is_wrong_with_a_list_of_models_is_a_warning(healthy: str, tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(yaml.safe_dump({"lifecycles": str(tmp_path / "absent.json")}))
    with (
        datahub_llmops.open_catalog(healthy) as catalog,
        pytest.warns(UserWarning, match=r"absent\.json") as warned,
    ):
        report = catalog.check(INDEX, policy)
    assert warned[0].filename == __file__
    assert report.verdict != "ok"


def test_a_column_names_the_indexes_that_it_reaches(healthy: str) -> None:
    with datahub_llmops.open_catalog(healthy) as catalog:
        walk = catalog.lineage(f"urn:li:schemaField:({CUSTOMERS},email)", "down")
    assert walk.root == walk.nodes[0].urn
    assert INDEX in {node.urn for node in walk.nodes}
    assert {pair.upstream for edge in walk.edges for pair in edge.columns} == {walk.root}


def test_an_answer_is_explained_as_the_command_does(world: World) -> None:
    world.index()
    answer = world.ask()
    world.connector()
    world.runs()
    printed = command(str(world.catalog), "explain", answer, "--store", str(world.store))
    where = str(world.catalog)
    assert asked(where, lambda catalog: catalog.explain(answer, store=world.store)) == printed
    with datahub_llmops.open_catalog(world.catalog) as catalog:
        found = catalog.explain(answer[:20], store=world.store)
        assert [document.rests_on for document in found.documents] == ["row", "row"]
        with pytest.raises(StoreError, match="answers"):
            catalog.explain("ffff", store=world.store)


def test_arguments_that_do_not_go_together_are_refused(local: str, tmp_path: Path) -> None:
    with datahub_llmops.open_catalog(local) as catalog:
        with pytest.raises(QuestionError, match="either the id"):
            catalog.explain()
        with pytest.raises(QuestionError, match="either the id"):
            catalog.explain("01", text="Refunds take five days.")
        with pytest.raises(QuestionError, match="llm-spans"):
            catalog.explain("01", at=datetime(2026, 11, 30, tzinfo=UTC))
        with pytest.raises(RecipeError):
            catalog.check(REVIEWS, tmp_path / "absent.yaml")


def test_errors_are_those_of_the_package(local: str, tmp_path: Path) -> None:
    with pytest.raises(NoCatalogError, match=r"absent\.db"):
        datahub_llmops.open_catalog(tmp_path / "absent.db")
    with datahub_llmops.open_catalog(local) as catalog:
        for ask in (catalog.lineage, catalog.show, catalog.check, catalog.affected):
            with pytest.raises(UnknownAssetError, match="search WORDS"):
                ask("nothing")
        with pytest.raises(UnknownAssetError, match="ambiguous"):
            catalog.show("reviews")
        with pytest.raises(UnknownAssetError, match="no term"):
            catalog.search_term("Nothing")


def test_the_environment_names_the_catalog(local: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATAHUB_LLMOPS_CATALOG", local)
    with datahub_llmops.open_catalog() as catalog:
        assert catalog.search("customers").nodes


def test_the_package_exports_it_and_nothing_else() -> None:
    assert datahub_llmops.__all__ == ["__version__", "open_catalog"]
    with pytest.raises(AttributeError, match="no attribute 'close_catalog'"):
        datahub_llmops.close_catalog  # noqa: B018


def test_a_local_catalog_is_asked_without_datahub(local: str) -> None:
    program = (
        "import sys, datahub_llmops\n"
        f"with datahub_llmops.open_catalog({local!r}) as catalog:\n"
        f"    catalog.check({REVIEWS!r}), catalog.lineage({REVIEWS!r}), catalog.show({REVIEWS!r})\n"
        "print({'datahub', 'pydantic', 'requests', 'sqlglot'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda catalog: catalog.lineage(REVIEWS, hops=0), "hops is 0; give at least 1"),
        (
            lambda catalog: catalog.lineage(REVIEWS, "upstream"),
            "direction is 'upstream'; give 'up' or 'down'",
        ),
        (lambda catalog: catalog.search("reviews", limit=0), "limit is 0; give at least 1"),
        (lambda catalog: catalog.search_term(TERM, limit=-1), "limit is -1; give at least 1"),
    ],
)
def test_an_argument_without_an_answer_is_refused(
    local: str, ask: Callable[[CatalogClient], Result], message: str
) -> None:
    with datahub_llmops.open_catalog(local) as catalog, pytest.raises(QuestionError, match=f"^{message}$"):
        ask(catalog)


def test_an_answer_is_one_short_line_in_a_terminal(healthy: str) -> None:
    with datahub_llmops.open_catalog(healthy) as catalog:
        found = [
            *(catalog.search("docs"), catalog.show(INDEX), catalog.lineage(INDEX), catalog.check(INDEX)),
            catalog.affected(CUSTOMERS),
        ]
    shown = [repr(one) for one in found]
    assert max(map(len, shown)) < 600
    assert shown[0] == f"SearchResult(query='docs', nodes=<{len(found[0].to_obj()['nodes'])}>)"
    assert shown[3].startswith(f"CheckReport(urn='{INDEX}', verdict='")
