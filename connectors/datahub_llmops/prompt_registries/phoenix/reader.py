"""Reads a Phoenix server: its prompts, what its applications did, and how they were scored.

Prompts take one request of GraphQL for 100 names, and one of REST for each prompt with 100 versions.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from datahub_llmops.assets.collections import FailedListing, Name
from datahub_llmops.assets.observations import Observed, Scores, Window
from datahub_llmops.assets.prompts import Prompt, PromptRef, PromptVersion
from datahub_llmops.errors import ConnectorError, UnreadableError, VanishedError
from datahub_llmops.ingestion.once import Once
from datahub_llmops.prompt_registries.phoenix.client import GRAPHQL, MovedError, PhoenixServer
from datahub_llmops.prompt_registries.phoenix.facts import (
    EVALUATOR,
    PROMPT_FIELDS,
    VERSION_FIELDS,
    PromptFacts,
    VersionFacts,
    parse_prompt,
    parse_version,
    parse_version_facts,
    prompt_page,
)
from datahub_llmops.prompt_registries.phoenix.scores import AnnotationScores
from datahub_llmops.prompt_registries.phoenix.usage import PROJECT, Usage

_LIST: Final = f"""query($after:String){{prompts(first:100,after:$after){{
 pageInfo{{hasNextPage endCursor}} edges{{node{{{PROMPT_FIELDS}}}}}}}}}"""
_FIND: Final = f"""query($after:String,$name:String!){{prompts(first:100,after:$after,filter:{{col:name,value:$name}}){{
 pageInfo{{hasNextPage endCursor}} edges{{node{{{PROMPT_FIELDS}}}}}}}}}"""
_VERSIONS: Final = f"""query($after:String,$id:ID!){{node(id:$id){{... on Prompt{{
 promptVersions(first:100,after:$after){{
 pageInfo{{hasNextPage endCursor}} edges{{node{{{VERSION_FIELDS}}}}}}}}}}}}}"""


class PhoenixReader:
    """A ``PromptReader``, ``UsageReader`` and ``ScoreReader`` of one server. It closes ``server``.

    ``named_by`` says what an application is: ``project``, or ``metadata.<key>``. Those are read whose name
    ``is_wanted``.
    """

    def __init__(
        self,
        server: PhoenixServer,
        *,
        named_by: str = PROJECT,
        is_wanted: Callable[[str], bool] = lambda name: True,
    ) -> None:
        self._server = server
        self._usage = Usage(server, named_by=named_by, is_wanted=is_wanted, refs=Once(self._refs))
        self._scores = AnnotationScores(server, self._usage)
        self._lock = threading.Lock()
        self._listed: dict[str, PromptFacts] = {}
        self._moved: MovedError | None = None

    def names(self) -> Iterator[Name | FailedListing]:
        """List all prompts, by REST alone if the GraphQL of the server is another one."""
        # A prompt that is made meanwhile moves others to the next page.
        seen: set[str] = set()
        try:
            for node in self._server.connection(_LIST, {}, "prompts"):
                yield from self._list(node, GRAPHQL, seen)
        except MovedError as error:
            self._moved = error
            yield FailedListing(name=("graphql",), error=self._explain_moved(error), is_item=False)
            for item in self._server.list_prompts():
                yield from self._list(item, "/v1/prompts", seen)

    def mark(self, name: Name) -> str | None:
        """Return a digest of the prompt's versions, tags, labels and description. REST alone has none."""
        with self._lock:
            found = self._listed.get("".join(name))
        return found.mark if found and self._moved is None else None

    def read(self, name: Name) -> Prompt:
        if len(name) != 1 or not name[0]:
            raise VanishedError(f"{self._server.name}: no prompt {list(name)}.")
        with self._lock:
            facts = self._listed.get(name[0])
        facts = facts or self._find(name[0])
        items = self._server.read_versions(facts.name)
        if not items:
            raise self._confirm_gone(facts.name)
        facts = self._complete(facts, [str(item.get("id")) for item in items])
        page = prompt_page(self._server.address, facts.id)
        versions: list[PromptVersion] = []
        unreadable: dict[str, ConnectorError] = {}
        for item in reversed(items):
            own = facts.versions[str(item.get("id"))]
            version = parse_version(item, own, prompt=facts, page=page)
            if version is None:
                unreadable[str(own.number)] = self._server.unexpected("/v1/prompts")
            else:
                versions.append(version)
        return Prompt(
            name=name,
            versions=tuple(versions),
            unreadable=unreadable,
            moved_by=facts.moved_by,
            description=facts.description,
            tags=facts.tags,
            url=page,
        )

    def observed(self, window: Window) -> Iterator[Observed | FailedListing]:
        """Yield the usage of each day in ``window``."""
        return self._usage.observed(window)

    def scores(self, window: Window) -> Iterator[Scores | FailedListing]:
        """Yield the scores that were given within ``window``."""
        return self._scores.scores(window)

    def _refs(self) -> dict[str, PromptRef]:
        """Return the versions of all prompts but the evaluators', by the ids that applications write into traces."""
        for _ in () if self._listed else self.names():
            pass
        with self._lock:
            prompts = [facts for facts in self._listed.values() if EVALUATOR not in facts.labels]
        return {
            id: PromptRef(name=facts.name, version=str(version.number))
            for facts in prompts
            for id, version in (self._all_versions(facts) if facts.has_more else facts).versions.items()
        }

    def close(self) -> None:
        self._server.close()

    def _list(self, node: Mapping[str, Any], path: str, seen: set[str]) -> Iterator[Name]:
        found = parse_prompt(node)
        if found is None:
            raise self._server.unexpected(path)
        with self._lock:
            self._listed[found.name] = found
        if found.name not in seen:
            seen.add(found.name)
            yield (found.name,)

    def _find(self, name: str) -> PromptFacts:
        """Ask for a prompt that was not listed."""
        try:
            # The filter finds the names that contain it.
            nodes = self._server.connection(_FIND, {"name": name}, "prompts")
            found = next((node for node in nodes if node.get("name") == name), None)
        except MovedError as error:
            self._moved = error
            listed = self._server.list_prompts()
            found = next((node for node in listed if node.get("name") == name), None)
        if found is None:
            raise self._confirm_gone(name, was_listed=False)
        facts = parse_prompt(found)
        if facts is None:
            raise self._server.unexpected(GRAPHQL)
        return facts

    def _confirm_gone(self, name: str, *, was_listed: bool = True) -> ConnectorError:
        """Return ``VanishedError`` if Phoenix does not list a prompt and has no version of it, else why not."""
        try:
            if was_listed:
                self._find(name)
            elif not self._server.has_prompt(name):
                return VanishedError(f"{self._server.name}: the prompt {name!r} does not exist (any more).")
        except ConnectorError as error:
            return error
        return UnreadableError(
            f"{self._server.name}: {name!r} is in one answer and missing in another. Run again; look for a proxy in "
            "between."
        )

    def _complete(self, facts: PromptFacts, ids: list[str]) -> PromptFacts:
        """Add the facts of versions that were not listed with their prompt, or came after it was listed."""
        if self._moved is not None:
            # Phoenix counts the versions of a prompt, which cannot be deleted one by one.
            return replace(
                facts,
                versions={
                    id: VersionFacts(number=number, tags=self._tags(id))
                    for number, id in enumerate(reversed(ids), 1)
                },
            )
        if not facts.versions.keys() >= set(ids):
            facts = self._all_versions(facts)
        if not facts.versions.keys() >= set(ids):
            raise UnreadableError(
                f"{self._server.name}: {facts.name!r} changed while it was read. Run again; if it happens again, look "
                "for a proxy in between."
            )
        return facts

    def _all_versions(self, facts: PromptFacts) -> PromptFacts:
        nodes = self._server.connection(_VERSIONS, {"id": facts.id}, "node", "promptVersions")
        versions = parse_version_facts(list(nodes))
        if versions is None:
            raise self._server.unexpected(GRAPHQL)
        return replace(facts, versions=versions, has_more=False)

    def _tags(self, version: str) -> tuple[str, ...]:
        names = [tag.get("name") for tag in self._server.read_tags(version)]
        return tuple(sorted({name for name in names if isinstance(name, str) and name}))

    def _explain_moved(self, error: MovedError) -> UnreadableError:
        return UnreadableError(
            f"{error} Prompts are read by REST, which has no authors, times and labels of prompts."
        )
