"""Every check of the contract of registries fails on a reader that is broken in that way, and on a sound one none."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest
from typing_extensions import override

from datahub_llmops.assets.collections import FailedListing, Name
from datahub_llmops.assets.prompts import Prompt, PromptVersion
from datahub_llmops.errors import UnreadableError, VanishedError
from datahub_llmops.ingestion.prompt_capabilities import always
from datahub_llmops.testing import CHECKS, OpenReader, RegistryContract
from support.scripted_prompts import ScriptedPromptSource, version


class Declaring(ScriptedPromptSource):
    declares = always("text prompts", "created", "labels")


class Contract(RegistryContract):
    source = Declaring


class Sound:
    """A reader as it should be, over two prompts in memory."""

    def __init__(self) -> None:
        versions = (version("1"), version("2", labels=("latest", "production")))
        self.items = {(name,): Prompt(name=(name,), versions=versions) for name in ("answer", "support/b")}

    def names(self) -> Iterable[Name | FailedListing]:
        return list(self.items)

    def read(self, name: Name) -> Prompt:
        if name not in self.items:
            raise VanishedError(f"Shelf: no {name}")
        return self.items[name]

    def mark(self, name: Name) -> str | None:
        return "7" if name in self.items else None

    def close(self) -> None:
        pass


class TestSound(RegistryContract):
    source = Declaring

    @pytest.fixture
    def open_reader(self) -> OpenReader:
        return Sound


class ChangesWhatItReads(Sound):
    @override
    def read(self, name: Name) -> Prompt:
        return self.changed(super().read(name))

    def changed(self, prompt: Prompt) -> Prompt:
        raise NotImplementedError


class TellsMore(ChangesWhatItReads):
    @override
    def changed(self, prompt: Prompt) -> Prompt:
        return replace(prompt, description="Answers mails.")


class TellsLess(ChangesWhatItReads):
    @override
    def changed(self, prompt: Prompt) -> Prompt:
        return replace(prompt, versions=(version("1"),))


class NamesInParts(Sound):
    @override
    def names(self) -> Iterable[Name | FailedListing]:
        return [("support", "b")]


class OneVersionTwice(ChangesWhatItReads):
    @override
    def changed(self, prompt: Prompt) -> Prompt:
        return replace(prompt, versions=(*prompt.versions, version("2")))


class NoVersion(ChangesWhatItReads):
    @override
    def changed(self, prompt: Prompt) -> Prompt:
        return replace(prompt, versions=())


class ReadAndUnreadable(ChangesWhatItReads):
    @override
    def changed(self, prompt: Prompt) -> Prompt:
        return replace(prompt, unreadable={"2": UnreadableError("time-out")})


class SaysUnchanged(ChangesWhatItReads):
    @override
    def changed(self, prompt: Prompt) -> Prompt:
        return replace(prompt, unchanged=True)


class LabelsInAnyOrder(ChangesWhatItReads):
    @override
    def changed(self, prompt: Prompt) -> Prompt:
        return replace(prompt, versions=(PromptVersion(version="1", labels=("production", "latest")),))


class DanglesAtWhatIsThere(ChangesWhatItReads):
    @override
    def changed(self, prompt: Prompt) -> Prompt:
        return replace(prompt, dangling={"staging": "2"})


class MarksAnew(Sound):
    turn = 0

    @override
    def mark(self, name: Name) -> str | None:
        MarksAnew.turn += 1
        return str(MarksAnew.turn)


class EmptyMark(Sound):
    @override
    def mark(self, name: Name) -> str | None:
        return ""


BROKEN: dict[str, tuple[type[Sound], ...]] = {
    "test_tells_what_its_source_declares": (TellsMore, TellsLess),
    "test_a_name_is_the_whole_name_of_a_prompt": (NamesInParts,),
    "test_each_version_is_there_once": (OneVersionTwice, NoVersion, ReadAndUnreadable),
    "test_what_is_read_was_read": (SaysUnchanged,),
    "test_labels_are_sorted_and_point_at_what_they_point_at": (LabelsInAnyOrder, DanglesAtWhatIsThere),
    "test_what_did_not_change_keeps_its_mark": (MarksAnew, EmptyMark),
}


@pytest.mark.parametrize(
    ("check", "broken"), [(check, broken) for check, readers in BROKEN.items() for broken in readers]
)
def test_the_check_fails_on_a_reader_broken_in_that_way(check: str, broken: type[Sound]) -> None:
    with pytest.raises(AssertionError):
        getattr(Contract(), check)(broken)


def test_no_check_lacks_its_broken_reader() -> None:
    own = {name for name in vars(RegistryContract) if name.startswith("test_")}
    assert set(BROKEN) == own
    # Those of any reader are shown to bite on the reader of a store.
    assert not own & CHECKS
