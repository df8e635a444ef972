"""Reads the prompts of one Weave project.

All names take one request for 1,000 versions, each prompt one for 200 of its versions, and each listing one more.
https://docs.wandb.ai/weave/guides/core-types/prompts
"""

from __future__ import annotations

from collections.abc import Iterator

from datahub_llmops.assets.collections import Name
from datahub_llmops.assets.prompts import Prompt, PromptVersion
from datahub_llmops.errors import ConnectorError, UnreadableError, VanishedError
from datahub_llmops.net.json_values import mapping, text
from datahub_llmops.prompt_registries.weave.client import WeaveServer
from datahub_llmops.prompt_registries.weave.facts import Published, mark, template_of


class WeaveReader:
    """A ``PromptReader`` of one project. It closes ``server``."""

    def __init__(self, server: WeaveServer) -> None:
        self._server = server
        self._marks: dict[str, str] = {}
        self._closed = False

    def names(self) -> Iterator[Name]:
        """List all prompts by the name that they were published under."""
        self._check_open()
        found: dict[str, list[Published]] = {}
        for version in self._server.list_versions():
            found.setdefault(version.name, []).append(version)
        for name, versions in found.items():
            self._marks[name] = mark(versions)
            yield (name,)

    def mark(self, name: Name) -> str | None:
        """Return what changes with the versions of the prompt and their labels."""
        return self._marks.get("".join(name))

    def read(self, name: Name) -> Prompt:
        self._check_open()
        if len(name) != 1 or not name[0]:
            raise VanishedError(f"{self._server.name}: no prompt {list(name)}.")
        by_digest = {version.digest: version for version in self._server.read_versions(name[0])}
        if not by_digest:
            raise self._server.confirm_gone(name[0])
        versions = sorted(by_digest.values(), key=lambda version: version.index)
        unreadable: dict[str, ConnectorError] = {
            version.digest: self._server.unexpected() for version in versions if not version.value
        }
        if len(unreadable) == len(versions):
            # One error of the prompt says more than the same error of each version.
            raise self._server.unexpected()
        return Prompt(
            name=name,
            versions=tuple(self._version(version) for version in versions if version.value),
            unreadable=unreadable,
            description=text(mapping(versions[-1].value).get("description")),
        )

    def close(self) -> None:
        self._closed = True
        self._server.close()

    def _version(self, version: Published) -> PromptVersion:
        properties = {"version_index": str(version.index)}
        if version.kind:
            properties["class"] = version.kind
        return PromptVersion(
            version=version.digest,
            template=template_of(mapping(version.value)),
            labels=version.labels,
            created=version.created,
            author=version.author,
            url=self._server.page(version.name, version.digest),
            properties=properties,
        )

    def _check_open(self) -> None:
        if self._closed:
            raise UnreadableError(f"{self._server.name}: the reader is closed.")
