"""Reads a LangSmith workspace: its prompts, what its applications did, and how they were scored.

Prompts take one request for 100 names, one for each label, one for 100 commits, and one for each commit.
https://docs.langchain.com/langsmith/prompt-engineering-concepts
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor

from datahub_llmops.assets.collections import FailedListing, Name
from datahub_llmops.assets.observations import Observed, Scores, Window
from datahub_llmops.assets.prompts import Prompt, PromptRef, PromptVersion
from datahub_llmops.errors import ConnectorError, UnreadableError, VanishedError
from datahub_llmops.net.http import path_part
from datahub_llmops.prompt_registries.langsmith.client import LangSmithServer
from datahub_llmops.prompt_registries.langsmith.facts import Commit, Listed, oldest_first
from datahub_llmops.prompt_registries.langsmith.manifests import parse_manifest
from datahub_llmops.prompt_registries.langsmith.scores import SessionScores
from datahub_llmops.prompt_registries.langsmith.sessions import Sessions
from datahub_llmops.prompt_registries.langsmith.traffic import Traffic
from datahub_llmops.prompt_registries.langsmith.usage import Usage


class LangSmithReader:
    """A ``PromptReader``, ``UsageReader`` and ``ScoreReader`` of one workspace. It closes ``server``.

    At most ``workers`` requests for prompts are under way at the same time.
    """

    def __init__(self, server: LangSmithServer, *, workers: int = 8) -> None:
        self._server = server
        sessions, traffic = Sessions(server), Traffic(server)
        self._usage = Usage(sessions, traffic)
        self._scores = SessionScores(server, sessions, traffic)
        self._listed: dict[str, Listed] = {}
        self._labels: dict[str, dict[str, Future[str | None]]] = {}
        self._upstreams: dict[str, list[Commit]] = {}
        self._lock = threading.Lock()
        self._closed = False
        self._pool = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="langsmith")

    def names(self) -> Iterator[Name]:
        """List all prompts by their handle, which is the name that an application of the workspace pulls."""
        self._server.workspace()
        for listed in self._server.list_prompts():
            self._add(listed)
            yield (listed.handle,)

    def mark(self, name: Name) -> str | None:
        """Return what changes with the prompt and its labels; ``None`` if a label could not be read."""
        listed = self._listed.get("".join(name))
        if listed is None:
            return None
        try:
            return listed.mark(self._read_labels(listed))
        except ConnectorError:
            return None  # ``read`` meets the same error, and reports it.

    def read(self, name: Name) -> Prompt:
        if len(name) != 1 or not name[0]:
            raise VanishedError(f"{self._server.name}: no prompt {list(name)}.")
        listed = self._listed.get(name[0]) or self._find(name[0])
        try:
            labels = self._read_labels(listed)
            commits = oldest_first(self._server.list_commits(listed.handle))
        except VanishedError:
            raise self._server.confirm_gone(listed.handle) from None
        if not commits:
            raise UnreadableError(
                f"{self._server.name}: the prompt {listed.handle} has no commit. Write one, or filter it out by "
                "prompt_pattern."
            )
        sources = self._sources(listed, commits[0])
        found, unreadable = self._read_versions(listed, commits, labels, sources)
        there = {commit.hash for commit in commits}
        return Prompt(
            name=name,
            versions=tuple(found),
            unreadable=unreadable,
            dangling={label: hash for label, hash in labels.items() if hash and hash not in there},
            description=listed.description,
            tags=listed.tags,
            url=self._page(listed.handle),
        )

    def observed(self, window: Window) -> Iterator[Observed | FailedListing]:
        """Yield the usage of each day in ``window``."""
        return self._usage.observed(window)

    def scores(self, window: Window) -> Iterator[Scores | FailedListing]:
        """Yield the scores that were given within ``window``."""
        return self._scores.scores(window)

    def close(self) -> None:
        self._closed = True
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._server.close()

    def _find(self, handle: str) -> Listed:
        """Ask for a prompt that was not listed."""
        listed = self._server.read_repo(handle)
        if listed.workspace != self._server.workspace().id or listed.kind != "prompt":
            raise UnreadableError(
                f"{self._server.name}: {handle} is not a prompt of this workspace. Check workspace_id, and run again."
            )
        self._add(listed)
        return listed

    def _add(self, listed: Listed) -> None:
        """Remember a prompt, and begin to ask which commits its labels are on."""
        if self._closed:
            raise UnreadableError(f"{self._server.name}: the reader is closed.")
        self._labels[listed.handle] = {
            label: self._pool.submit(self._server.find_label, listed.handle, label) for label in listed.labels
        }
        self._listed[listed.handle] = listed

    def _read_labels(self, listed: Listed) -> dict[str, str | None]:
        return {label: future.result() for label, future in self._labels[listed.handle].items()}

    def _read_versions(
        self,
        listed: Listed,
        commits: list[Commit],
        labels: Mapping[str, str | None],
        sources: Mapping[str, PromptRef],
    ) -> tuple[list[PromptVersion], dict[str, ConnectorError]]:
        """Read the commits, oldest first, and the errors of those that could not be read."""
        if self._closed:
            raise UnreadableError(f"{self._server.name}: the reader is closed.")
        under_way = [
            (commit, self._pool.submit(self._read_version, listed, commit, labels, sources.get(commit.hash)))
            for commit in commits
        ]
        found: list[PromptVersion] = []
        unreadable: dict[str, ConnectorError] = {}
        gone = False
        for commit, future in under_way:
            try:
                found.append(future.result())
            except VanishedError:
                gone = True
            except ConnectorError as error:
                unreadable[commit.hash] = error
        if not found:
            # One error of the prompt says more than the same error of each version.
            if gone and not unreadable:
                raise self._server.confirm_gone(listed.handle)
            raise next(iter(unreadable.values()))
        return found, unreadable

    def _read_version(
        self, listed: Listed, commit: Commit, labels: Mapping[str, str | None], source: PromptRef | None
    ) -> PromptVersion:
        manifest = parse_manifest(self._server.read_manifest(listed.handle, commit.hash))
        properties = {"class": manifest.kind} if manifest.kind else {}
        if listed.upstream and commit.parent is None:
            properties["fork_of"] = listed.upstream
        return PromptVersion(
            version=commit.hash,
            template=manifest.template,
            labels=tuple(sorted(label for label, hash in labels.items() if hash == commit.hash)),
            variables=manifest.variables,
            created=commit.created,
            author=commit.author,
            message=commit.message,
            url=self._page(listed.handle, commit.hash),
            model=manifest.model,
            parameters=manifest.parameters,
            properties=properties,
            derived_from=(source,) if source else (),
        )

    def _sources(self, listed: Listed, first: Commit) -> dict[str, PromptRef]:
        """Find the version that a fork began as: the newest of the other prompt with the same digest of LangSmith's.

        LangSmith only gives the name of the other prompt. One of another workspace is not in this catalog.
        """
        owner, _, handle = (listed.upstream or "").partition("/")
        if not handle or first.manifest_digest is None or owner not in ("-", self._server.workspace().handle):
            return {}
        with self._lock:
            if handle not in self._upstreams:
                try:
                    self._upstreams[handle] = self._server.list_commits(handle)
                except VanishedError:
                    self._upstreams[handle] = []  # Deleted after it was forked.
            commits = self._upstreams[handle]
        for commit in reversed(oldest_first(commits)):
            if commit.manifest_digest == first.manifest_digest and handle != listed.handle:
                return {first.hash: PromptRef(name=handle, version=commit.hash)}
        return {}

    def _page(self, handle: str, hash: str = "") -> str:
        commit = f"/{hash[:8]}" if hash else ""
        workspace = path_part(self._server.workspace().id)
        return f"{self._server.pages_at}/prompts/{path_part(handle)}{commit}?organizationId={workspace}"
