"""Every check of the reader contract fails on a reader that is broken in that way, and on a sound one none does."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import ClassVar

import pytest
from typing_extensions import override

from datahub_llmops.assets.collections import (
    Collection,
    Container,
    FailedListing,
    Name,
    PayloadField,
    Vector,
)
from datahub_llmops.errors import UnreadableError, VanishedError
from datahub_llmops.ingestion.capabilities import always
from datahub_llmops.ingestion.chunk_ids import find_ids, parse_keys, parse_text
from datahub_llmops.ingestion.reader import MAX_IDS
from datahub_llmops.testing import CHECKS, KnownIds, OpenReader, ReaderContract, StoreContract
from support.scripted import ScriptedSource

DOCS: Name = ("db", "docs")
CODE: Name = ("db", "code")


class Sound:
    """A reader as it should be, over two collections in memory."""

    def __init__(self) -> None:
        self.items = {name: collection(name) for name in (CODE, DOCS)}

    def names(self) -> Iterable[Name | FailedListing]:
        return list(self.items)

    def read(self, name: Name) -> Collection:
        if name not in self.items:
            raise VanishedError(f"Shelf: no {name}")
        return self.items[name]

    def close(self) -> None:
        pass


def collection(name: Name) -> Collection:
    return Collection(
        name=name,
        containers=(Container(kind="Database", name=name[0]),),
        vectors=(Vector(name="embedding", dimension=3),),
        fields=(PayloadField(path="document", type="string", native_type="string"),),
        text_field="document",
        count=0,
        created=datetime(2026, 1, 1, tzinfo=UTC),
    )


class TestSound(ReaderContract):
    @pytest.fixture
    def open_reader(self) -> OpenReader:
        return Sound


class Empty(Sound):
    def __init__(self) -> None:
        self.items = {}


class EmptyWord(Sound):
    def __init__(self) -> None:
        self.items = {name: collection(name) for name in (("db", ""), DOCS)}


class Twice(Sound):
    @override
    def names(self) -> Iterable[Name | FailedListing]:
        return [DOCS, CODE, DOCS]


class AnotherOrder(Sound):
    turn = 0

    @override
    def names(self) -> Iterable[Name | FailedListing]:
        AnotherOrder.turn += 1
        return list(self.items)[:: 1 if AnotherOrder.turn % 2 else -1]


class AnotherName(Sound):
    @override
    def read(self, name: Name) -> Collection:
        found = super().read(name)
        return replace(found, name=(found.name[-1],))


class KnowsOnlyWhatItListed(Sound):
    def __init__(self) -> None:
        super().__init__()
        self.listed = False

    @override
    def names(self) -> Iterable[Name | FailedListing]:
        self.listed = True
        return super().names()

    @override
    def read(self, name: Name) -> Collection:
        if not self.listed:
            raise VanishedError("Shelf: list first")
        return super().read(name)


class InventsWhatIsMissing(Sound):
    @override
    def read(self, name: Name) -> Collection:
        return self.items.get(name) or collection(name or ("db",))


class BreaksOnOddNames(Sound):
    @override
    def read(self, name: Name) -> Collection:
        database, _ = name
        return super().read((database, name[1]))


class SaysUnknown(Sound):
    @override
    def read(self, name: Name) -> Collection:
        return replace(super().read(name), vectors=(Vector(name="embedding", metric="unknown"),))


class SaysZero(Sound):
    @override
    def read(self, name: Name) -> Collection:
        return replace(super().read(name), vectors=(Vector(name="embedding", dimension=0),))


class SaysMinusOne(Sound):
    @override
    def read(self, name: Name) -> Collection:
        return replace(super().read(name), count=-1)


class SaysEpoch(Sound):
    @override
    def read(self, name: Name) -> Collection:
        return replace(super().read(name), modified=datetime(1970, 1, 1, tzinfo=UTC))


class SaysLocalTime(Sound):
    @override
    def read(self, name: Name) -> Collection:
        return replace(super().read(name), modified=datetime(2026, 1, 1))


class TwoFieldsOfOnePath(Sound):
    @override
    def read(self, name: Name) -> Collection:
        return replace(super().read(name), vectors=(Vector(name="document"),))


class TextInNoField(Sound):
    @override
    def read(self, name: Name) -> Collection:
        return replace(super().read(name), text_field="page_content")


class ContainersThatDiffer(Sound):
    @override
    def read(self, name: Name) -> Collection:
        return replace(super().read(name), containers=(Container(kind="Database", name=name[1]),))


class OneThreadOnly(Sound):
    def __init__(self) -> None:
        super().__init__()
        self.owner = threading.get_ident()

    @override
    def read(self, name: Name) -> Collection:
        found = super().read(name)
        return found if threading.get_ident() == self.owner else replace(found, count=None)


class ClosesOnce(Sound):
    closed = False

    @override
    def close(self) -> None:
        assert not self.closed, "closed already"
        self.closed = True


class BreaksWhenClosed(ClosesOnce):
    @override
    def read(self, name: Name) -> Collection:
        if self.closed:
            raise ValueError("I/O operation on closed reader")
        return super().read(name)

    @override
    def close(self) -> None:
        self.closed = True


BROKEN: dict[str, tuple[type[Sound], ...]] = {
    "test_lists_something": (Empty,),
    "test_names_are_paths_of_words": (EmptyWord,),
    "test_names_are_unique": (Twice,),
    "test_listing_twice_gives_the_same": (AnotherOrder,),
    "test_what_is_listed_reads_back_under_its_name": (AnotherName,),
    "test_reads_without_listing": (KnowsOnlyWhatItListed,),
    "test_a_missing_item_has_vanished": (InventsWhatIsMissing,),
    "test_odd_names_raise_connector_errors_only": (BreaksOnOddNames, InventsWhatIsMissing),
    "test_what_is_not_said_is_absent": (SaysUnknown, SaysZero, SaysMinusOne, SaysEpoch, SaysLocalTime),
    "test_field_paths_are_unique": (TwoFieldsOfOnePath,),
    "test_the_text_field_is_a_field": (TextInNoField,),
    "test_neighbours_share_their_containers": (ContainersThatDiffer,),
    "test_threads_read_what_one_reads": (OneThreadOnly,),
    "test_closes_twice": (ClosesOnce, BreaksWhenClosed),
}


@pytest.mark.parametrize(
    ("check", "broken"), [(check, broken) for check, readers in BROKEN.items() for broken in readers]
)
def test_the_check_fails_on_a_reader_broken_in_that_way(check: str, broken: type[Sound]) -> None:
    with pytest.raises((AssertionError, ValueError, VanishedError, pytest.fail.Exception)):
        getattr(ReaderContract(), check)(broken)


@pytest.mark.parametrize("check", sorted(CHECKS))
def test_the_check_passes_on_the_sound_reader(check: str) -> None:
    getattr(ReaderContract(), check)(Sound)


def test_no_check_lacks_its_broken_reader() -> None:
    assert set(BROKEN) == CHECKS


PHOTOS: Name = ("db", "photos")
IDS = ("0b9e6c2a-3f9e-4b1c-8d7a-6f5e4d3c2b1a", "42")


class Holding(Sound):
    """A sound reader that is asked for ids too; a third collection cannot be asked."""

    held: ClassVar[dict[Name, tuple[str, ...]]] = {DOCS: IDS, CODE: ("43",)}

    def __init__(self) -> None:
        self.items = {name: collection(name) for name in (CODE, DOCS, PHOTOS)}

    def has(self, name: Name, ids: Sequence[str]) -> frozenset[str]:
        keys = parse_keys(ids, parse_text)
        if name == PHOTOS:
            raise UnreadableError("Shelf: photos have no ids")
        if name not in self.held:
            raise VanishedError(f"Shelf: no {name}")
        return find_ids(keys, self.held[name])


class Failing(Holding):
    @override
    def has(self, name: Name, ids: Sequence[str]) -> frozenset[str]:
        raise UnreadableError("Shelf: no answer")


class DeclaringSource(ScriptedSource):
    declares = always("dimension", "payload fields", "text field", "count", "created")


class TestHolding(StoreContract):
    source = DeclaringSource

    @pytest.fixture
    def open_reader(self) -> OpenReader:
        return Holding

    @pytest.fixture
    def known_ids(self) -> KnownIds:
        return {DOCS: IDS}

    @pytest.fixture
    def open_faulty(self) -> OpenReader:
        return Failing


class SaysAll(Holding):
    @override
    def has(self, name: Name, ids: Sequence[str]) -> frozenset[str]:
        super().has(name, ids)
        return frozenset(ids)


class SaysNone(Holding):
    @override
    def has(self, name: Name, ids: Sequence[str]) -> frozenset[str]:
        super().has(name, ids)
        return frozenset()


class AddsIds(Holding):
    @override
    def has(self, name: Name, ids: Sequence[str]) -> frozenset[str]:
        found = super().has(name, ids)
        return found | {"43"} if found else found


class FindsTheFirst(Holding):
    @override
    def has(self, name: Name, ids: Sequence[str]) -> frozenset[str]:
        return super().has(name, ids[:1])


class MixesCollections(Holding):
    held: ClassVar[dict[Name, tuple[str, ...]]] = {DOCS: (*IDS, "43"), CODE: (*IDS, "43")}


class CannotAskOthers(Holding):
    @override
    def has(self, name: Name, ids: Sequence[str]) -> frozenset[str]:
        if name == CODE:
            raise UnreadableError("Shelf: no answer")
        return super().has(name, ids)


class TakesWhatIsMissingForEmpty(Holding):
    @override
    def has(self, name: Name, ids: Sequence[str]) -> frozenset[str]:
        return super().has(name, ids) if name in self.items else frozenset()


class AsksForAny(Holding):
    @override
    def has(self, name: Name, ids: Sequence[str]) -> frozenset[str]:
        return frozenset(one for one in ids if one in self.held.get(name, ()))


class AsksForTheFirst(Holding):
    @override
    def has(self, name: Name, ids: Sequence[str]) -> frozenset[str]:
        return super().has(name, ids[:MAX_IDS])


class Trims(Holding):
    @override
    def has(self, name: Name, ids: Sequence[str]) -> frozenset[str]:
        trimmed = {one.strip() for one in super().has(name, [one.strip() for one in ids])}
        return frozenset(one for one in ids if one.strip() in trimmed)


class BreaksOnOddIds(Holding):
    @override
    def has(self, name: Name, ids: Sequence[str]) -> frozenset[str]:
        for one in ids:
            one.encode()
        return super().has(name, ids)


class TellsLessToThreads(Holding):
    def __init__(self) -> None:
        super().__init__()
        self.owner = threading.get_ident()

    @override
    def has(self, name: Name, ids: Sequence[str]) -> frozenset[str]:
        return super().has(name, ids) if threading.get_ident() == self.owner else frozenset()


BROKEN_PROBES: dict[str, tuple[type[Holding], ...]] = {
    "test_has_the_ids_that_it_holds": (SaysNone, AddsIds, FindsTheFirst),
    "test_has_no_id_that_nobody_wrote": (SaysAll,),
    "test_has_looks_up_a_bounded_number_of_ids": (AsksForAny, AsksForTheFirst, FindsTheFirst),
    "test_ids_that_cannot_exist_are_not_there": (SaysAll, Trims, BreaksOnOddIds),
    "test_no_other_collection_has_its_ids": (
        MixesCollections,
        CannotAskOthers,
        TakesWhatIsMissingForEmpty,
    ),
    "test_an_answer_without_sense_is_no_answer": (Holding, SaysNone),
    "test_threads_find_what_one_finds": (TellsLessToThreads,),
}
PROBES = frozenset(name for name in vars(StoreContract) if name.startswith("test_"))


def check_ids(check: str, opened: type[Holding], faulty: type[Holding]) -> None:
    """Run one check of the lookup of ids. Where only the wrong answer counts, ``faulty`` gives it."""
    method = getattr(StoreContract(), check)
    given = {"open_reader": opened, "open_faulty": faulty, "known_ids": {DOCS: IDS}}
    method(**{name: given[name] for name in inspect.signature(method).parameters})


@pytest.mark.parametrize(
    ("check", "broken"), [(check, broken) for check, readers in BROKEN_PROBES.items() for broken in readers]
)
def test_the_check_of_ids_fails_on_a_reader_broken_in_that_way(check: str, broken: type[Holding]) -> None:
    with pytest.raises((AssertionError, ValueError, pytest.fail.Exception)):
        check_ids(check, broken, broken)


@pytest.mark.parametrize("check", sorted(PROBES))
def test_the_check_of_ids_passes_on_the_sound_reader(check: str) -> None:
    check_ids(check, Holding, Failing)


def test_no_check_of_ids_lacks_its_broken_reader() -> None:
    assert set(BROKEN_PROBES) == PROBES
