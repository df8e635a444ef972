"""Names of every store: whatever it accepts has a URN that gives the name back, and names that share one are reported.

A grammar says what a store accepts as the parts of a name: any text for each level, unless one is written down here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import pytest
from datahub.ingestion.api.common import PipelineContext
from datahub.metadata.urns import DatasetUrn
from hypothesis import given, settings
from hypothesis import strategies as st
from typing_extensions import override

from datahub_llmops import urns
from datahub_llmops.assets import platforms
from datahub_llmops.assets.collections import Collection, Name
from datahub_llmops.catalog.urn_text import full_name, schema_field
from datahub_llmops.errors import VanishedError
from datahub_llmops.ingestion.reader import StoreReader
from datahub_llmops.urns import Deployment
from support.examples import examples
from support.scripted import STORE, ScriptedConfig, ScriptedReader, ScriptedSource
from test_inventory import CONNECTORS


def anything(without: str = "") -> st.SearchStrategy[str]:
    """Any text; often one of few letters, so that names meet."""
    letters = [letter for letter in "a14.,(%2C\u241f" if letter not in without]
    wide = st.text(st.characters(codec="utf-8", exclude_characters=without), min_size=1, max_size=30)
    return wide | st.text(st.sampled_from(letters), min_size=1, max_size=6)


def matching(pattern: str) -> st.SearchStrategy[str]:
    return st.from_regex(pattern, fullmatch=True)


_SQL = anything(without="\0")
_WORD = matching(r"[A-Za-z_][A-Za-z0-9_]{0,20}")
# Lowercase is what its own lowercase is: digits are.
_SEARCH_INDEX = anything(without='\\/*?"<>| ,#:').map(str.lower).filter(lambda name: name[0] not in "-_+.")

_NARROWER: Final[Mapping[str, st.SearchStrategy[Name]]] = {
    "chroma": st.tuples(anything(without="\0"), matching(r"[a-zA-Z0-9][a-zA-Z0-9._-]{1,20}[a-zA-Z0-9]")),
    "elasticsearch": st.tuples(_SEARCH_INDEX),
    # Parts of a namespace, then the table.
    "lancedb": st.lists(matching(r"[a-zA-Z0-9_.-]{1,8}"), min_size=1, max_size=4).map(tuple),
    "milvus": st.tuples(_WORD, _WORD),
    "opensearch": st.tuples(_SEARCH_INDEX),
    # A table, or a collection in LangChain's shared one.
    "pgvector": st.tuples(_SQL, _SQL, _SQL)
    | st.tuples(_SQL, _SQL, st.just("langchain_pg_embedding"), anything(without="\0")),
    "pinecone": st.tuples(matching(r"[a-z0-9]([a-z0-9-]{0,43}[a-z0-9])?"), anything(without="\0")),
    "qdrant": st.tuples(anything(without='<>:"/\\|?*\0\x1f')),
    "weaviate": st.tuples(matching(r"[A-Z][_0-9A-Za-z]{0,254}")),
}
GRAMMARS: Final[Mapping[str, st.SearchStrategy[Name]]] = {
    system: _NARROWER[system]
    if system in _NARROWER
    else st.tuples(*(anything(without="\0") for _ in platforms.find(system).levels))
    for system in CONNECTORS.values()
}
"""What each store accepts as the parts of a name: any text, unless it is known to be narrower."""

EVERY_STORE = pytest.mark.parametrize("store", sorted(GRAMMARS))
DEPLOYMENTS = st.sampled_from([Deployment(platform="x"), Deployment(platform="x", env="DEV", instance="eu")])


CODES: Final = {",": "%2C", "(": "%28", ")": "%29", "\u241f": "%E2%90%9F"}
"""https://docs.datahub.com/docs/what/urn/#restrictions"""


def spelled(name: Name) -> str:
    """As DataHub writes it: joined by dots, reserved characters in percent."""
    joined = ".".join(name)
    for letter, code in CODES.items():
        joined = joined.replace(letter, code)
    return joined


def holds_a_code(text: str) -> bool:
    """Then its URN is another name's too: DataHub leaves percent signs as they are."""
    return any(code in text for code in CODES.values())


def siblings(name: Name) -> Iterator[Name]:
    """What shares the URN of a name: parted at another of its dots, or with a letter as its code."""
    pieces, parts = ".".join(name).split("."), len(name)
    yield (*pieces[: parts - 1], ".".join(pieces[parts - 1 :]))
    yield (".".join(pieces[: len(pieces) - parts + 1]), *pieces[len(pieces) - parts + 1 :])
    yield tuple(part.replace(",", "%2C") for part in name)
    yield tuple(part.replace("%2C", ",") for part in name)


def test_every_connector_has_a_grammar() -> None:
    assert set(CONNECTORS.values()) == set(GRAMMARS)
    assert set(_NARROWER) <= set(GRAMMARS)


@EVERY_STORE
@given(data=st.data(), deployment=DEPLOYMENTS)
def test_a_name_makes_a_urn_and_the_urn_the_name(
    store: str, data: st.DataObject, deployment: Deployment
) -> None:
    name = data.draw(GRAMMARS[store])
    prefix = f"{deployment.instance}." if deployment.instance else ""
    urn = urns.collection(deployment, name)
    parsed = DatasetUrn.from_string(urn)
    assert parsed.urn() == urn
    assert parsed.name == prefix + spelled(name)
    if not holds_a_code(".".join(name)):
        assert full_name(urn) == prefix + ".".join(name)


@given(path=anything())
def test_a_column_makes_a_urn_and_the_urn_the_column(path: str) -> None:
    asset = urns.dataset("x", "a,b", env="PROD")
    assert schema_field(asset, path) == urns.schema_field(asset, path)
    if not holds_a_code(path):
        assert full_name(schema_field(asset, path)) == path


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a%41", "a%41"),
        ("50%", "50%"),
        ("a%2cb", "a%2cb"),
        ("a%20b", "a%20b"),
        # One URN for both.
        ("a,b", "a,b"),
        ("a%2Cb", "a,b"),
    ],
)
def test_only_what_datahub_encodes_is_decoded(name: str, shown: str) -> None:
    assert full_name(urns.dataset("x", name, env="PROD")) == shown


class Listed(ScriptedReader):
    """Lists the names of the script, and notes which of them are read."""

    def __init__(self) -> None:
        self.read_names: list[Name] = []

    @override
    def read(self, name: Name) -> Collection:
        self.read_names.append(name)
        raise VanishedError("only names are of interest")


def run_over(names: Sequence[Name]) -> tuple[list[Name], list[str]]:
    """What a source reads of a store with these names, and the failures that it reports."""
    reader = Listed()

    class Source(ScriptedSource):
        @classmethod
        @override
        def open(cls, config: ScriptedConfig) -> StoreReader:
            return reader

    STORE.clear()
    STORE.update(dict.fromkeys(names, VanishedError("unused")))
    source = Source(ScriptedConfig(), PipelineContext(run_id="names"))
    list(source.get_workunits_internal())
    return reader.read_names, [str(text) for entry in source.report.failures for text in entry.context]


@EVERY_STORE
@settings(max_examples=examples(60))
@given(data=st.data())
def test_names_that_share_a_urn_are_reported_and_not_read(store: str, data: st.DataObject) -> None:
    drawn = data.draw(st.lists(GRAMMARS[store], max_size=4))
    related = [other for name in drawn for other in siblings(name) if all(other)]
    names = list(dict.fromkeys([*drawn, *related[: data.draw(st.integers(0, 6))]]))
    sharing = {name: [other for other in names if spelled(other) == spelled(name)] for name in names}
    read, failures = run_over(names)
    assert sorted(read) == sorted(name for name in names if len(sharing[name]) == 1)
    for name in names:
        assert any(str(list(name)) in text for text in failures) == (len(sharing[name]) > 1)


def test_there_are_names_that_share_a_urn() -> None:
    for names in ([("a.b", "c"), ("a", "b.c"), ("a", "d")], [("a,b",), ("a%2Cb",), ("a", "d")]):
        read, failures = run_over(names)
        assert read == [("a", "d")]
        assert len(failures) == 1
