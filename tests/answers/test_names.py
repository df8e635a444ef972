"""What is remembered of names."""

from __future__ import annotations

from datahub_llmops.answer_store.recorded import ModelCall, Raw, Retrieval
from datahub_llmops.answers.names import KnownNames, content


class Asked:
    """Names that note what they were asked."""

    def __init__(self) -> None:
        self.asked: list[object] = []

    def searched(self, retrieval: Retrieval, retriever: str | None, application: str) -> str | None:
        return None

    def prompt(self, raw: Raw, application: str, platform: str) -> str | None:
        self.asked.append((dict(raw), application, platform))
        return f"{application} {raw['name']}"

    def retriever(self, raw: Raw, application: str, framework: str) -> str | None:
        return None

    def model(self, raw: Raw | None) -> str | None:
        self.asked.append(raw)
        return None if raw is None or raw.get("name") == "(" else "urn"


def call(asked: Raw, served: Raw | None) -> ModelCall:
    return ModelCall(
        asked=asked, served=served, prompt=None, milliseconds=None, status="ok", error=None, cached=False
    )


def test_equal_identities_are_asked_for_once_and_others_apart() -> None:
    asked = Asked()
    names = KnownNames(asked)
    first = {"name": "a", "version": "1"}
    for raw in (first, first, {"version": "1", "name": "a"}):
        assert names.prompt(raw, "bot", "langchain") == "bot a"
    assert names.prompt(first, "other", "langchain") == "other a"
    assert names.prompt({"name": "b", "labels": ["x"]}, "bot", "langchain") == "bot b"
    assert len(asked.asked) == 3


def test_the_model_that_served_comes_before_the_one_asked_for() -> None:
    names = KnownNames(Asked())
    small, dated = {"provider": "openai", "name": "small"}, {"provider": "openai", "name": "small-2026"}
    assert names.usable(call(small, dated)) == "openai/small-2026"
    assert names.usable(call(small, None)) == "openai/small"
    assert names.usable(call(small, {"name": "("})) == "openai/small"
    assert names.usable(call({"name": "("}, None)) is None


def test_what_cannot_be_hashed_still_has_a_key() -> None:
    assert content({"a": [1], "b": 2}) == content({"b": 2, "a": [1]})
    assert content({"a": [1]}) != content({"a": [2]})
