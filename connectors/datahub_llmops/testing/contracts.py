"""What every connector keeps to, as classes that its tests inherit.

``ReaderContract`` is for any reader. ``StoreContract`` is for those of vector stores, ``RegistryContract`` for those of
registries of prompts: the facts that one reads are those that its source declares (``FactsContract``). What is for a
whole source is in ``recipe_contracts``.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar, TypeAlias, cast

import pytest

from datahub_llmops.assets.collections import Collection, Container, FailedListing, Name
from datahub_llmops.assets.prompts import Prompt
from datahub_llmops.errors import ConnectorError, UnreadableError, VanishedError
from datahub_llmops.ingestion.capabilities import Fact, present_facts
from datahub_llmops.ingestion.prompt_capabilities import PromptFact
from datahub_llmops.ingestion.prompt_capabilities import present_facts as present_prompt_facts
from datahub_llmops.ingestion.prompt_reader import PromptReader
from datahub_llmops.ingestion.prompt_registry import PromptRegistrySource
from datahub_llmops.ingestion.reader import MAX_IDS, Reader, StoreReader
from datahub_llmops.ingestion.vector_store import VectorStoreSource

OpenReader: TypeAlias = Callable[[], Reader[Any]]
KnownIds: TypeAlias = Mapping[Name, Sequence[str]]
Config: TypeAlias = dict[str, Any]

NO_SUCH = "no-such-item-7f3a"
UNKNOWN_IDS = (NO_SUCH, "0dead0de-0000-4000-8000-00000000dead", "7700000000000000077")
"""Ids that no chunk has: text, a UUID, and an integer."""
ODD_IDS = (
    *("", " ", "\0", "a\0b", "\ud800", "x" * 5_000, "é漢 字", "../..", "a,b", "*", "%", "null", "true"),
    *("'", "''", '"', "\\", "`", "') OR 1=1 --", '"] or 1 == 1 or "" in ["', "{}", "$1", "%s"),
    *("+7", "007", "-0", "1.0", "1e3", str(2**64), str(-(2**63) - 1), "0x1", "٣"),
)
"""Ids that a careless reader sends as they are, or as others."""
_STAND_INS = frozenset({"", "unknown", "none", "null", "n/a", "undefined", "nan"})
_MAY_SAY_UNKNOWN = frozenset({"type", "native_type"})
_COUNTS_FROM_ONE = frozenset({"dimension", "size_bytes"})


class ReaderContract:
    """Each method is one check. The fixture ``open_reader`` opens readers of one system, which holds several items."""

    def test_lists_something(self, open_reader: OpenReader) -> None:
        with closing(open_reader()) as reader:
            assert _names(reader)

    def test_names_are_paths_of_words(self, open_reader: OpenReader) -> None:
        with closing(open_reader()) as reader:
            for name in _names(reader):
                assert isinstance(name, tuple)
                assert name
                assert all(isinstance(part, str) and part for part in name)
                assert isinstance(name, Hashable)

    def test_names_are_unique(self, open_reader: OpenReader) -> None:
        with closing(open_reader()) as reader:
            names = _names(reader)
            assert len(set(names)) == len(names)

    def test_listing_twice_gives_the_same(self, open_reader: OpenReader) -> None:
        with closing(open_reader()) as reader:
            first = _names(reader)
            assert _names(reader) == first
        with closing(open_reader()) as other:
            assert _names(other) == first

    def test_what_is_listed_reads_back_under_its_name(self, open_reader: OpenReader) -> None:
        with closing(open_reader()) as reader:
            for name in _names(reader):
                assert reader.read(name).name == name

    def test_reads_without_listing(self, open_reader: OpenReader) -> None:
        with closing(open_reader()) as reader:
            expected = {name: reader.read(name) for name in _names(reader)}
        with closing(open_reader()) as other:
            assert {name: other.read(name) for name in reversed(expected)} == expected

    def test_a_missing_item_has_vanished(self, open_reader: OpenReader) -> None:
        with closing(open_reader()) as reader:
            name = _names(reader)[0]
            for missing in (
                (*name[:-1], NO_SUCH),
                (*name[:-1], f"{name[-1]}x"),
                tuple(NO_SUCH for _ in name),
            ):
                with pytest.raises(VanishedError):
                    reader.read(missing)

    def test_odd_names_raise_connector_errors_only(self, open_reader: OpenReader) -> None:
        with closing(open_reader()) as reader:
            name = _names(reader)[0]
            odd: list[Name] = [(), ("a",), (*name, "more", "parts")]
            odd += [
                (*name[:-1], part)
                for part in ("../..", "a/b?c#d", "'\"`", "é漢 字", "%2e", "x" * 5000, "a\x00b")
            ]
            for missing in odd:
                with pytest.raises(ConnectorError):
                    reader.read(missing)

    def test_what_is_not_said_is_absent(self, open_reader: OpenReader) -> None:
        with closing(open_reader()) as reader:
            for name in _names(reader):
                for path, value in _leaves(reader.read(name)):
                    assert not _is_stand_in(path, value), f"{path} = {value!r} in {name}"

    def test_field_paths_are_unique(self, open_reader: OpenReader) -> None:
        with closing(open_reader()) as reader:
            for item in _collections(reader):
                paths = [field.path for field in item.fields] + [vector.name for vector in item.vectors]
                assert len(set(paths)) == len(paths)

    def test_the_text_field_is_a_field(self, open_reader: OpenReader) -> None:
        with closing(open_reader()) as reader:
            for item in _collections(reader):
                assert item.text_field is None or item.text_field in {field.path for field in item.fields}

    def test_neighbours_share_their_containers(self, open_reader: OpenReader) -> None:
        with closing(open_reader()) as reader:
            seen: dict[Name, tuple[Container, ...]] = {}
            for item in _collections(reader):
                assert seen.setdefault(item.name[:-1], item.containers) == item.containers

    def test_threads_read_what_one_reads(self, open_reader: OpenReader) -> None:
        with closing(open_reader()) as reader:
            names = _names(reader)
            alone = [reader.read(name) for name in names]
            with ThreadPoolExecutor(max_workers=8) as pool:
                assert list(pool.map(reader.read, names * 4)) == alone * 4

    def test_closes_twice(self, open_reader: OpenReader) -> None:
        reader = open_reader()
        names = _names(reader)
        reader.close()
        reader.close()
        # After that it may refuse, or open itself anew: but in the words of the contract.
        with suppress(ConnectorError):
            reader.read(names[0])


class FactsContract(ReaderContract):
    """The system has to hold an example of every fact that the connector declares."""

    source: ClassVar[type[VectorStoreSource[Any]]]
    missing_facts: ClassVar[frozenset[Fact]] = frozenset()
    """Declared facts that this reader does not read, where another reader of the connector does."""

    def test_tells_what_its_source_declares(self, open_reader: OpenReader) -> None:
        with closing(open_reader()) as reader:
            seen = {fact for item in _collections(reader) for fact in present_facts(item)}
        declared = set(self.source.declares) - self.missing_facts
        assert seen == declared, f"undeclared: {sorted(seen - declared)}; not read: {sorted(declared - seen)}"


class StoreContract(FactsContract):
    """The contract of a vector store's reader, which is asked for ids too.

    Two more fixtures: ``known_ids`` names ids of at least one collection, and no other holds one of them.
    ``open_faulty`` opens readers of the same system, where lookups in the first of these collections get an answer that
    makes no sense.
    """

    def test_has_the_ids_that_it_holds(self, open_reader: OpenReader, known_ids: KnownIds) -> None:
        assert known_ids
        with closing(_store(open_reader)) as reader:
            for name, ids in known_ids.items():
                assert ids
                assert reader.has(name, ids) == frozenset(ids)
                assert reader.has(name, [ids[0], ids[0], *UNKNOWN_IDS]) == {ids[0]}

    def test_has_no_id_that_nobody_wrote(self, open_reader: OpenReader, known_ids: KnownIds) -> None:
        with closing(_store(open_reader)) as reader:
            for name in known_ids:
                assert reader.has(name, UNKNOWN_IDS) == frozenset()
                assert reader.has(name, ()) == frozenset()

    def test_has_looks_up_a_bounded_number_of_ids(self, open_reader: OpenReader, known_ids: KnownIds) -> None:
        with closing(_store(open_reader)) as reader:
            for name, ids in known_ids.items():
                many = [f"0dead0de-0000-4000-8000-{number:012d}" for number in range(MAX_IDS - 1)]
                assert reader.has(name, [*many, ids[0]]) == {ids[0]}
                with pytest.raises(ValueError, match=str(MAX_IDS)):
                    reader.has(name, [*many, *ids[:1], NO_SUCH])

    def test_ids_that_cannot_exist_are_not_there(self, open_reader: OpenReader, known_ids: KnownIds) -> None:
        with closing(_store(open_reader)) as reader:
            for name, ids in known_ids.items():
                odd = [*ODD_IDS, f" {ids[0]}", f"{ids[0]} ", f"{ids[0]}\n"]
                for start in range(0, len(odd), MAX_IDS - 1):
                    part = odd[start : start + MAX_IDS - 1]
                    assert reader.has(name, [*part, ids[0]]) == {ids[0]}
                    assert reader.has(name, part) == frozenset()

    def test_no_other_collection_has_its_ids(self, open_reader: OpenReader, known_ids: KnownIds) -> None:
        with closing(_store(open_reader)) as reader:
            for name, ids in known_ids.items():
                # A table may hold several collections, and has what they have.
                others = [other for other in _names(reader) if other != name[: len(other)]]
                answers = [_ask(reader, other, ids) for other in others]
                assert [answer for answer in answers if answer] == []
                assert frozenset() in answers
                with pytest.raises(VanishedError):
                    reader.has((*name[:-1], NO_SUCH), ids)

    def test_an_answer_without_sense_is_no_answer(self, open_faulty: OpenReader, known_ids: KnownIds) -> None:
        name, ids = next(iter(known_ids.items()))
        with closing(_store(open_faulty)) as reader, pytest.raises(UnreadableError):
            reader.has(name, ids)

    def test_threads_find_what_one_finds(self, open_reader: OpenReader, known_ids: KnownIds) -> None:
        with closing(_store(open_reader)) as reader, ThreadPoolExecutor(max_workers=8) as pool:
            asked = list(known_ids.items()) * 4
            found = list(pool.map(lambda one: reader.has(*one), asked))
            assert found == [frozenset(ids) for _, ids in asked]


class RegistryContract(ReaderContract):
    """The registry has to hold an example of every fact that the connector declares."""

    source: ClassVar[type[PromptRegistrySource[Any]]]
    missing_facts: ClassVar[frozenset[PromptFact]] = frozenset()
    """Declared facts that this reader does not read, where another reader of the connector does."""

    def test_tells_what_its_source_declares(self, open_reader: OpenReader) -> None:
        with closing(open_reader()) as reader:
            seen = {fact for prompt in _prompts(reader) for fact in present_prompt_facts(prompt)}
        declared = set(self.source.declares) - self.missing_facts
        assert seen == declared, f"undeclared: {sorted(seen - declared)}; not read: {sorted(declared - seen)}"

    def test_a_name_is_the_whole_name_of_a_prompt(self, open_reader: OpenReader) -> None:
        with closing(open_reader()) as reader:
            assert all(len(name) == 1 for name in _names(reader))

    def test_each_version_is_there_once(self, open_reader: OpenReader) -> None:
        with closing(open_reader()) as reader:
            for prompt in _prompts(reader):
                versions = [version.version for version in prompt.versions]
                assert versions
                assert len(set(versions)) == len(versions)
                assert not prompt.unreadable.keys() & set(versions)

    def test_what_is_read_was_read(self, open_reader: OpenReader) -> None:
        with closing(open_reader()) as reader:
            assert not any(prompt.unchanged for prompt in _prompts(reader))

    def test_labels_are_sorted_and_point_at_what_they_point_at(self, open_reader: OpenReader) -> None:
        with closing(open_reader()) as reader:
            for prompt in _prompts(reader):
                there = {version.version for version in prompt.versions} | prompt.unreadable.keys()
                assert not there & set(prompt.dangling.values())
                for version in prompt.versions:
                    assert list(version.labels) == sorted(set(version.labels))

    def test_what_did_not_change_keeps_its_mark(self, open_reader: OpenReader) -> None:
        with closing(open_reader()) as reader, closing(open_reader()) as other:
            names = _names(reader)
            assert _names(other) == names
            marks = [cast(PromptReader, reader).mark(name) for name in names]
            assert [cast(PromptReader, other).mark(name) for name in names] == marks
            assert "" not in marks


CHECKS = frozenset(name for name in vars(ReaderContract) if name.startswith("test_"))


def _names(reader: Reader[Any]) -> list[Name]:
    entries = list(reader.names())
    return [entry for entry in entries if not isinstance(entry, FailedListing)]


def _store(open_reader: OpenReader) -> StoreReader:
    return cast(StoreReader, open_reader())


def _ask(reader: StoreReader, name: Name, ids: Sequence[str]) -> frozenset[str] | None:
    """Return which of the ids a collection has; ``None`` if that is not known."""
    try:
        return reader.has(name, ids)
    except UnreadableError:
        return None


def _collections(reader: Reader[Any]) -> Iterator[Collection]:
    for name in _names(reader):
        item = reader.read(name)
        if isinstance(item, Collection):
            yield item


def _prompts(reader: Reader[Any]) -> list[Prompt]:
    return [reader.read(name) for name in _names(reader)]


def _leaves(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Yield every plain value below a dataclass with its path."""
    if is_dataclass(value):
        for item in fields(value):
            yield from _leaves(getattr(value, item.name), f"{path}.{item.name}")
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}[{key}]")
    elif isinstance(value, (tuple, list)):
        for inner in value:
            yield from _leaves(inner, path)
    else:
        yield path, value


def _is_stand_in(path: str, value: object) -> bool:
    word = path.rpartition(".")[2]
    if isinstance(value, str):
        return value.strip().lower() in _STAND_INS and word not in _MAY_SAY_UNKNOWN
    if isinstance(value, datetime):
        return value.tzinfo is None or value < datetime(1990, 1, 1, tzinfo=UTC)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value < (1 if word in _COUNTS_FROM_ONE else 0)
    return False
