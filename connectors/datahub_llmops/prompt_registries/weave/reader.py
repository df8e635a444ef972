"""Reads one Weave project: its prompts, what its applications did, and how they were scored.

All names of prompts take one request for 1,000 versions, each prompt one for 200 of its versions, and each listing one
more.
https://docs.wandb.ai/weave/guides/core-types/prompts
"""

from __future__ import annotations

from collections.abc import Iterator

from datahub_llmops.assets.collections import FailedListing, Name
from datahub_llmops.assets.observations import Observed, Scores, Window
from datahub_llmops.assets.prompts import Prompt, PromptRef, PromptVersion
from datahub_llmops.errors import ConnectorError, UnreadableError, VanishedError
from datahub_llmops.net.json_values import mapping, text
from datahub_llmops.prompt_registries.weave.calls import Calls
from datahub_llmops.prompt_registries.weave.client import WeaveServer
from datahub_llmops.prompt_registries.weave.facts import Published, mark, template_of
from datahub_llmops.prompt_registries.weave.feedback import Feedback
from datahub_llmops.prompt_registries.weave.scores import FeedbackScores
from datahub_llmops.prompt_registries.weave.usage import Namer, Naming, Usage


class WeaveReader:
    """A ``PromptReader``, ``UsageReader`` and ``ScoreReader`` of one project. It closes ``server``.

    ``naming`` says what an application is.
    """

    def __init__(self, server: WeaveServer, *, naming: Naming = "project") -> None:
        self._server = server
        calls, feedback, namer = Calls(server, self._versions), Feedback(server), Namer(server, naming)
        self._usage = Usage(calls, feedback, namer)
        self._scores = FeedbackScores(server, calls, feedback, namer)
        self._marks: dict[str, str] = {}
        self._listed: list[PromptRef] | ConnectorError | None = None
        self._closed = False

    def names(self) -> Iterator[Name]:
        """List all prompts by the name that they were published under."""
        self._check_open()
        found: dict[str, list[Published]] = {}
        try:
            for version in self._server.list_versions():
                found.setdefault(version.name, []).append(version)
        except ConnectorError as error:
            self._listed = error
            raise
        self._listed = [
            PromptRef(name=version.name, version=version.digest)
            for versions in found.values()
            for version in versions
        ]
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

    def observed(self, window: Window) -> Iterator[Observed | FailedListing]:
        """Yield the usage of each day in ``window``."""
        return self._usage.observed(window)

    def scores(self, window: Window) -> Iterator[Scores | FailedListing]:
        """Yield the scores that were given within ``window``."""
        return self._scores.scores(window)

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

    def _versions(self) -> list[PromptRef]:
        """All versions as they were listed. What could not be listed is not asked for again in the same run."""
        if self._listed is None:
            for _ in self.names():
                pass
        if isinstance(self._listed, ConnectorError):
            raise self._listed
        return self._listed or []

    def _check_open(self) -> None:
        if self._closed:
            raise UnreadableError(f"{self._server.name}: the reader is closed.")
