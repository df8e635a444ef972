"""A registry of prompts that answers what a test wrote down: for the source, not for readers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from datahub.ingestion.api.decorators import SupportStatus, config_class, platform_name, support_status
from typing_extensions import override

from datahub_llmops.assets.collections import FailedListing, Name
from datahub_llmops.assets.prompts import Prompt, PromptVersion
from datahub_llmops.assets.templates import Message, Template
from datahub_llmops.errors import ConnectorError, VanishedError
from datahub_llmops.ingestion.prompt_reader import PromptReader
from datahub_llmops.ingestion.prompt_registry import PromptRegistryConfig, PromptRegistrySource

REGISTRY: dict[str, Prompt | Exception | FailedListing] = {}
"""What the scripted registry holds, by the name of the prompt; each test fills it."""

UNLISTED: set[str] = set()
"""Names that it leaves out of its list, as a registry does with what a role may not see."""

MARKS: dict[str, str] = {}
"""What the registry says changes with the prompt."""

READ: list[str] = []
"""The names that were read, in any order."""

SOURCE = f"{__name__}.ScriptedPromptSource"
"""Type of the source in a recipe."""

PLATFORM = "scripted-prompts"


def text(words: str) -> Template:
    return Template(messages=(Message(role="user", text=words),), format="mustache")


def version(number: str, words: str = "Answer {{question}}.", **facts: Any) -> PromptVersion:
    created = datetime(
        2026, 11, int(number) if number.isdecimal() and 0 < int(number) < 29 else 1, tzinfo=UTC
    )
    return PromptVersion(
        version=number, **{"template": text(f"{words} {number}"), "created": created, **facts}
    )


def prompt(name: str, *versions: PromptVersion, **facts: Any) -> Prompt:
    return Prompt(name=(name,), versions=versions or (version("1"),), **facts)


def fill(*prompts: Prompt) -> None:
    REGISTRY.update({item.name[0]: item for item in prompts})


def clear() -> None:
    for held in (REGISTRY, UNLISTED, MARKS, READ):
        held.clear()


class ScriptedPromptReader:
    def names(self) -> Iterable[Name | FailedListing]:
        for name, answer in REGISTRY.items():
            if name not in UNLISTED:
                yield answer if isinstance(answer, FailedListing) else (name,)

    def read(self, name: Name) -> Prompt:
        READ.append(name[0])
        answer = REGISTRY.get(name[0], VanishedError("gone"))
        if isinstance(answer, Prompt):
            return answer
        assert isinstance(answer, Exception)
        raise answer

    def mark(self, name: Name) -> str | None:
        return MARKS.get(name[0])

    def close(self) -> None:
        pass


@platform_name("Scripted prompts", id=PLATFORM)
@config_class(PromptRegistryConfig)
@support_status(SupportStatus.ALPHA)
class ScriptedPromptSource(PromptRegistrySource[PromptRegistryConfig]):
    platform = PLATFORM
    config_type = PromptRegistryConfig

    @classmethod
    @override
    def open(cls, config: PromptRegistryConfig) -> PromptReader:
        return ScriptedPromptReader()


def unreadable(**errors: ConnectorError) -> Mapping[str, ConnectorError]:
    return errors
