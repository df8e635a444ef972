"""The test of a recipe's connection: it says what the source sees or what to do, and never waits for one that hangs."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from datahub.ingestion.api.source import (
    CapabilityReport,
    SourceCapability,
    SourceReport,
    TestableSource,
    TestConnectionReport,
)
from typing_extensions import override

from datahub_llmops.errors import RecipeError
from datahub_llmops.setup.connection import (
    Connection,
    check_connection,
    check_connections,
    fill_in,
    load_recipe,
    unset_variables,
)
from support.stub import Reply, Stub, refused_url

SECRET = "planted-key-5ec7e7"


def recipe(system: str, **config: Any) -> dict[str, Any]:
    return {"source": {"type": f"llm-{system}", "config": config}}


def written(folder: Path, text: str, name: str = "recipe.yaml") -> Path:
    path = folder / name
    path.write_text(text, "utf-8")
    return path


@pytest.mark.engine
def test_a_store_that_is_there_says_what_it_holds(chroma_folder: Path) -> None:
    found = check_connection(recipe("chroma", path=str(chroma_folder)))
    assert found == Connection(verdict="ok", message="Works, sees 7 collections.")


@pytest.mark.engine
def test_several_are_told_apart(qdrant_server: Stub, chroma_folder: Path) -> None:
    qdrant_server.fail("403", when=lambda call: call.path != "/")
    with refused_url() as nobody:
        found = check_connections(
            [
                recipe("qdrant", url=qdrant_server.url, api_key=SECRET),
                recipe("chroma", path=str(chroma_folder)),
                recipe("chroma", url=nobody, retry_max_times=0),
                recipe("chroma", path=str(chroma_folder), token=SECRET),
                recipe("chrome"),
                {"source": {"type": "csv-enricher"}},
            ]
        )
    assert [one.verdict for one in found] == ["not ok", "ok", "not ok", "not ok", "not ok", "not known"]
    refused, _, away, invalid, unknown, untested = (one.message for one in found)
    assert refused.startswith("Not allowed: Qdrant at ")
    assert away.startswith("Cannot reach: Chroma at ")
    assert "a token belongs to a url" in invalid
    assert (
        unknown == "There is no source 'llm-chrome'; `datahub check plugins` lists those that are installed."
    )
    assert untested == "The source 'csv-enricher' has no test of its connection."
    assert SECRET not in "".join(one.message for one in found)


@pytest.mark.engine
def test_one_that_hangs_is_not_known_and_delays_nobody(qdrant_server: Stub, chroma_folder: Path) -> None:
    qdrant_server.fail("silence")
    found = check_connections(
        [recipe("qdrant", url=qdrant_server.url), recipe("chroma", path=str(chroma_folder))], deadline=3
    )
    assert [one.verdict for one in found] == ["not known", "ok"]
    assert found[0].message.startswith("No verdict within 3 seconds.")


def test_whoever_stops_it_does_not_wait_for_one_that_hangs() -> None:
    with Stub(lambda call: Reply()) as server:
        server.fail("silence")
        tested = [recipe("qdrant", url=server.url, timeout_sec=600)]
        program = (
            "from datahub_llmops.setup.connection import check_connections\n"
            f"check_connections({tested!r}, deadline=600)"
        )
        running = subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE, text=True)
        try:
            while not server.calls:
                assert running.poll() is None
                time.sleep(0.05)
            running.send_signal(signal.SIGINT)
            _, said = running.communicate(timeout=60)
        finally:
            running.kill()
    assert said.rstrip().endswith("KeyboardInterrupt")


def test_a_login_in_an_address_is_not_shown() -> None:
    with refused_url() as nobody:
        url = nobody.replace("//", f"//ada:{SECRET}@")
        found = check_connection(recipe("qdrant", url=url, retry_max_times=0))
    assert found.verdict == "not ok"
    assert SECRET not in found.message


def test_a_recipe_is_read_with_its_variables(tmp_path: Path) -> None:
    path = written(tmp_path, "source: {type: llm-qdrant, config: {url: '${QDRANT_URL}', api_key: '${A:-b}'}}")
    assert load_recipe(path, {"QDRANT_URL": "http://q:6333"}) == recipe(
        "qdrant", url="http://q:6333", api_key="b"
    )


def test_all_variables_that_are_not_set_are_named_at_once(tmp_path: Path) -> None:
    path = written(
        tmp_path, "source: {type: llm-chroma, config: {url: '${CHROMA_URL}', token: '${CHROMA_TOKEN}'}}"
    )
    with pytest.raises(RecipeError, match="set CHROMA_URL, CHROMA_TOKEN in the environment first"):
        load_recipe(path, {})
    assert unset_variables(recipe("chroma", url="${CHROMA_URL}", token="${X:-y}"), {}) == ("CHROMA_URL",)
    with pytest.raises(RecipeError, match=r"write variables as \$\{NAME\}"):
        fill_in(recipe("chroma", url="${CHROMA_URL"), {})


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        (f"source: {{password: {SECRET}", "a.yaml", "this is not YAML"),
        (f'{{"source": {SECRET}', "a.json", "this is not YAML, JSON or TOML"),
        ("config: {}", "a.yaml", "is not a recipe"),
        ("- source", "a.yaml", "is not a recipe"),
        ("", "a.yaml", "is not a recipe"),
        ("source: {}", "a.txt", "Only .toml, .yml, and .json are supported"),
    ],
)
def test_what_is_no_recipe_is_named_without_its_content(
    text: str, name: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(RecipeError, match=message) as caught:
        load_recipe(written(tmp_path, text, name))
    assert name in str(caught.value)
    assert SECRET not in str(caught.value)


def test_a_recipe_that_is_not_there_or_is_no_text_is_named_once(tmp_path: Path) -> None:
    missing, binary = tmp_path / "missing.yaml", tmp_path / "binary.yaml"
    binary.write_bytes(b"source: \xff")
    for path, reason in (
        (missing, "there is no such file"),
        (binary, "this is not text in UTF-8"),
        (tmp_path, "Only .toml"),
    ):
        with pytest.raises(RecipeError) as caught:
            load_recipe(path)
        assert str(caught.value).startswith(f"{path}: {reason}")
        assert str(caught.value).count(str(path)) == 1


class QuotingSource(TestableSource):
    """Quotes its options, as sources of others may."""

    @override
    def get_report(self) -> SourceReport:
        raise NotImplementedError

    @staticmethod
    @override
    def test_connection(config_dict: dict[str, Any]) -> TestConnectionReport:
        quoted = CapabilityReport(capable=False, failure_reason=f"refused {config_dict}")
        works = CapabilityReport(capable=True, mitigation_message=f"Works with {config_dict}")
        return TestConnectionReport(
            basic_connectivity=works, capability_report={SourceCapability.USAGE_STATS: quoted}
        )


def test_secrets_that_a_source_quotes_are_hidden() -> None:
    config = {"user": "ada", "password": SECRET, "options": {"deep": [f"x{SECRET}"]}}
    found = check_connection({"source": {"type": f"{__name__}.QuotingSource", "config": config}})
    assert found.verdict == "ok"
    assert "'password': '***'" in found.message
    assert "'ada'" in found.message
    assert len(found.incapable) == 1
    assert found.incapable[0].startswith(f"{SourceCapability.USAGE_STATS.value}: refused ")
    assert SECRET not in str(found)
