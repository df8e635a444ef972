"""Which index has the ids of retrieved chunks, asked of real stores by the recipes that read them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import chromadb
import lancedb
import numpy as np
import pytest

from datahub_llmops.errors import RecipeError, UnreachableError
from datahub_llmops.ingestion import id_probe
from datahub_llmops.ingestion.id_probe import ProbedStore, StoreProbe, open_store, platform_of

DOCS = "urn:li:dataset:(urn:li:dataPlatform:chroma,default_database.docs,PROD)"
TABLE = "urn:li:dataset:(urn:li:dataPlatform:lancedb,articles,PROD)"
IDS = [f"chunk-of-docs-{number}" for number in range(30)]


@pytest.fixture
def chroma(tmp_path: Path) -> str:
    """The recipe of a Chroma folder with two collections, of which a pattern lets one be read."""
    client: Any = chromadb.PersistentClient(str(tmp_path / "chroma"))
    with client:
        for name, ids in (("docs", IDS), ("other", ["chunk-of-other"]), ("hidden", IDS)):
            found = client.create_collection(name)
            found.add(ids=ids, embeddings=np.ones((len(ids), 2), np.float32), documents=["CANARY"] * len(ids))
    return recipe(
        tmp_path / "chroma.dhub.yaml",
        "llm-chroma",
        {
            "path": str(tmp_path / "chroma"),
            "collection_pattern": {"deny": ["hidden"]},
            "stateful_ingestion": {"enabled": True},
            "catalog": str(tmp_path / "no.db"),
        },
    )


@pytest.fixture
def lance(tmp_path: Path) -> str:
    rows = [{"id": one, "vector": [1.0, 0.0]} for one in ["row-of-articles-1", IDS[0]]]
    lancedb.connect(tmp_path / "lance").create_table("articles", rows)
    return recipe(tmp_path / "lance.dhub.yaml", "llm-lancedb", {"path": str(tmp_path / "lance")})


def recipe(path: Path, kind: str, config: dict[str, Any]) -> str:
    path.write_text(json.dumps({"source": {"type": kind, "config": config}}))
    return str(path)


@pytest.fixture
def ask(request: pytest.FixtureRequest) -> Iterator[Any]:
    opened: list[StoreProbe] = []

    def make(*recipes: str, seconds: float = 60.0) -> StoreProbe:
        opened.append(StoreProbe(recipes, seconds=seconds))
        return opened[-1]

    yield make
    for one in opened:
        one.close()


def test_the_only_index_that_has_all_of_them_is_found(ask: Any, chroma: str, lance: str) -> None:
    probe = ask(chroma, lance)
    assert probe.find(IDS[1:4], None).index == DOCS
    assert probe.find(["row-of-articles-1"], None).index == TABLE
    assert probe.problems == {}


@pytest.mark.parametrize(
    ("ids", "reason"),
    [
        ([IDS[0], IDS[1]], "several indexes have some of the ids"),
        ([IDS[1], "chunk-of-nobody"], "an index has some of the ids, but not all"),
        ([IDS[1], "chunk-of-other"], "several indexes have some of the ids"),
        (["chunk-of-nobody"], "no index of the stores has any of the ids"),
        (["1", "2", "3"], "the ids are small numbers, which any index may have"),
        ([], "the retrieved chunks have no ids"),
    ],
)
def test_nothing_is_guessed(ask: Any, chroma: str, lance: str, ids: Sequence[str], reason: str) -> None:
    verdict = ask(chroma, lance).find(ids, None)
    assert (verdict.index, verdict.reason, verdict.final) == (None, reason, True)


def test_only_stores_of_the_platform_may_have_them(ask: Any, chroma: str, lance: str) -> None:
    probe = ask(chroma, lance)
    # LanceDB has the first id as well.
    assert probe.find(IDS[:2], "chroma").index == DOCS
    assert probe.find(IDS[:2], "qdrant").reason == "no recipe under `stores` is of the platform qdrant"


def test_an_index_that_was_found_before_is_asked_alone(
    ask: Any, chroma: str, lance: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    probe = ask(chroma, lance)
    asked: list[str] = []
    has = ProbedStore._has

    def noted(self: ProbedStore, name: tuple[str, ...], ids: Sequence[str]) -> frozenset[str]:
        asked.append(name[-1])
        return has(self, name, ids)

    monkeypatch.setattr(ProbedStore, "_has", noted)
    assert probe.find(IDS[1:4], None, likely=[DOCS]).index == DOCS
    assert asked == ["docs"]
    # It no longer has all of them: then every index is asked.
    asked.clear()
    assert probe.find(["row-of-articles-1"], None, likely=[DOCS]).index == TABLE
    assert sorted(asked) == ["articles", "docs", "docs", "other"]


def test_collections_are_listed_once(ask: Any, chroma: str, monkeypatch: pytest.MonkeyPatch) -> None:
    listed: list[str] = []
    list_all = ProbedStore._list

    def noted(self: ProbedStore) -> dict[str, tuple[str, ...]]:
        listed.append(self.recipe)
        return list_all(self)

    monkeypatch.setattr(ProbedStore, "_list", noted)
    probe = ask(chroma)
    for ids in (IDS[:2], IDS[3:5], ["chunk-of-nobody"]):
        probe.find(ids, None)
    assert listed == [chroma]


def test_nothing_is_accepted_while_a_store_was_not_asked(ask: Any, chroma: str, tmp_path: Path) -> None:
    gone = recipe(
        tmp_path / "gone.dhub.yaml",
        "llm-qdrant",
        {"url": "http://127.0.0.1:9", "retry_max_times": 0, "api_key": "CANARY-secret"},
    )
    probe = ask(chroma, gone)
    verdict = probe.find(IDS[:2], None)
    assert verdict.index is None
    assert not verdict.final
    assert "gone.dhub.yaml" in verdict.reason
    assert list(probe.problems) == [gone]
    assert "CANARY" not in str(probe.problems)
    # A store of another platform cannot have them.
    assert probe.find(IDS[:2], "chroma").index == DOCS


def test_nothing_is_accepted_when_the_time_is_over(ask: Any, chroma: str) -> None:
    probe = ask(chroma, seconds=0.0)
    assert not probe.find(IDS[:2], None).final
    assert "probe_seconds" in str(probe.problems)


def test_a_store_that_breaks_in_the_middle_was_not_asked(
    ask: Any, chroma: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: ProbedStore, name: tuple[str, ...], ids: Sequence[str]) -> frozenset[str]:
        if name[-1] == "other":
            raise UnreachableError("gone")
        return frozenset(ids)

    monkeypatch.setattr(ProbedStore, "_has", broken)
    assert not ask(chroma).find(IDS[:2], None).final


def test_a_store_with_too_many_collections_is_not_asked(
    ask: Any, chroma: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(id_probe, "MAX_COLLECTIONS", 1)
    assert not ask(chroma).find(IDS[:2], None).final


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "cannot be read as a recipe"),
        ("a: 1", "has no `source`"),
        ("source: {type: llm-langfuse, config: {}}", "is not a vector store"),
        ("source: {type: no-such-thing, config: {}}", "its extra"),
        ("source: {type: llm-qdrant, config: {url: '${NOT_SET_ANYWHERE}'}}", "variables"),
    ],
)
def test_a_recipe_that_cannot_be_used_says_so_without_its_values(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "x.dhub.yaml"
    path.write_text(text)
    with pytest.raises(RecipeError, match=message) as raised:
        open_store(str(path))
    assert "CANARY" not in str(raised.value)


def test_a_store_that_cannot_be_opened_might_have_the_ids_of_its_own_platform_only(
    ask: Any, chroma: str, tmp_path: Path
) -> None:
    wrong = recipe(tmp_path / "wrong.dhub.yaml", "llm-qdrant", {"api_key": "CANARY"})
    gone = recipe(tmp_path / "gone.dhub.yaml", "llm-lancedb", {"path": str(tmp_path / "nowhere")})
    probe = ask(chroma, wrong, gone)
    assert probe.find(IDS[:2], "chroma").index == DOCS
    assert "the option url is missing" in probe.problems[wrong]
    assert "CANARY" not in str(probe.problems)
    for platform, recipes in (("qdrant", [wrong]), ("lancedb", [gone]), (None, [wrong, gone])):
        verdict = probe.find(IDS[:2], platform)
        assert (verdict.index, verdict.final) == (None, False)
        assert [one for one in (chroma, wrong, gone) if one in verdict.reason] == recipes


def test_a_recipe_that_cannot_be_used_is_a_store_that_was_not_asked(ask: Any, chroma: str) -> None:
    probe = ask(chroma, "nowhere.dhub.yaml")
    assert not probe.find(IDS[:2], None).final
    assert list(probe.problems) == ["nowhere.dhub.yaml"]


def test_no_store_is_asked_without_recipes() -> None:
    with closing(StoreProbe([], seconds=1)) as probe:
        assert "stores" in probe.find(IDS, None).reason


def test_a_class_of_two_platforms_tells_none() -> None:
    assert platform_of(None) is None
    assert platform_of("Whatever") is None
