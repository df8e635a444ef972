"""Reads a Langfuse project: its prompts, what its applications did, and how they were scored.

Prompts take one request for 100 names, and one for each version. https://langfuse.com/docs/prompt-management
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

from datahub_llmops.assets.collections import FailedListing, Name
from datahub_llmops.assets.observations import Observed, RetrievedSource, Scores, Window
from datahub_llmops.assets.prompts import Prompt, PromptRef, PromptVersion
from datahub_llmops.errors import ConnectorError, UnreadableError, VanishedError
from datahub_llmops.prompt_registries.langfuse.client import LangfuseServer
from datahub_llmops.prompt_registries.langfuse.documents import Documents
from datahub_llmops.prompt_registries.langfuse.experiments import Experiments
from datahub_llmops.prompt_registries.langfuse.facts import (
    Found,
    Include,
    Listed,
    parse_version,
    prompt_page,
)
from datahub_llmops.prompt_registries.langfuse.judges import Judges
from datahub_llmops.prompt_registries.langfuse.metrics import Metrics
from datahub_llmops.prompt_registries.langfuse.prices import Prices
from datahub_llmops.prompt_registries.langfuse.scores import ScoreAggregates
from datahub_llmops.prompt_registries.langfuse.usage import ApplicationName, Usage


class LangfuseReader:
    """A ``PromptReader``, ``UsageReader`` and ``ScoreReader`` of one project. It closes ``server``.

    At most ``workers`` versions are read at the same time. ``application`` is what Langfuse is taken to call one.
    ``document_keys`` are the keys of a search's metadata that name documents; ``sample_rows`` searches are read.
    """

    def __init__(
        self,
        server: LangfuseServer,
        *,
        workers: int = 8,
        application: ApplicationName = "trace_name",
        document_keys: Sequence[str] = (),
        sample_rows: int = 0,
    ) -> None:
        self._server = server
        metrics = Metrics(server)
        self._usage = Usage(server, metrics, name=application, has_price=Prices(server).has_price)
        self._documents = Documents(server, metrics, self._usage, document_keys, sample_rows)
        self._scores = ScoreAggregates(
            server, metrics, self._usage, Judges(server), Experiments(server, metrics)
        )
        self._listed: dict[str, Listed] = {}
        self._labelled: dict[tuple[str, str], str | None] = {}
        self._lock = threading.Lock()
        self._closed = False
        # One pool for all prompts: those with many versions and those with few keep it equally busy.
        self._pool = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="langfuse")

    def names(self) -> Iterator[Name]:
        """List all prompts by name."""
        self._server.project()
        for listed in self._server.list_prompts():
            self._listed[listed.name] = listed
            yield (listed.name,)

    def mark(self, name: Name) -> str | None:
        """Return when the prompt was changed last, with a digest of its versions, labels and tags."""
        listed = self._listed.get("".join(name))
        return listed.mark if listed else None

    def read(self, name: Name) -> Prompt:
        if len(name) != 1 or not name[0]:
            raise VanishedError(f"{self._server.name}: no prompt {list(name)}.")
        listed = self._listed.get(name[0]) or self._find(name[0])
        page = prompt_page(self._server.address, self._server.project().id, listed.name)
        found, unreadable = self._read_versions(listed, page)
        versions: list[PromptVersion] = []
        for item in found:
            try:
                versions.append(self._with_sources(listed.name, item))
            except ConnectorError as error:
                unreadable[item.version.version] = error
        return Prompt(
            name=name,
            versions=tuple(self._settle(listed, versions) if not unreadable else versions),
            unreadable=unreadable,
            tags=listed.tags,
            url=page,
        )

    def observed(self, window: Window) -> Iterator[Observed | RetrievedSource | FailedListing]:
        """Yield the usage of each day in ``window``, and where documents came from."""
        yield from self._usage.observed(window)
        yield from self._documents.sources(window)

    def scores(self, window: Window) -> Iterator[Scores | FailedListing]:
        """Yield the scores that were given within ``window``."""
        return self._scores.scores(window)

    def close(self) -> None:
        self._closed = True
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._server.close()

    def _find(self, name: str) -> Listed:
        """Ask for a prompt that was not listed. An empty listing does not prove that it is gone."""
        for listed in self._server.list_prompts(name=name):
            if listed.name == name:
                return listed
        raise self._server.confirm_gone(name)

    def _read_versions(self, listed: Listed, page: str) -> tuple[list[Found], dict[str, ConnectorError]]:
        """Read all versions of one prompt, oldest first, and the errors of those that could not be read."""
        if self._closed:
            raise UnreadableError(f"{self._server.name}: the reader is closed.")
        under_way: list[tuple[int, Future[Found]]] = [
            (number, self._pool.submit(self._read_version, listed.name, number, page))
            for number in listed.versions
        ]
        found: list[Found] = []
        unreadable: dict[str, ConnectorError] = {}
        gone: VanishedError | None = None
        for number, future in under_way:
            try:
                found.append(future.result())
            except VanishedError as error:
                gone = error
            except ConnectorError as error:
                unreadable[str(number)] = error
        if not found:
            # One error of the prompt says more than the same error of each version.
            raise next(
                iter(unreadable.values()), gone or UnreadableError(f"{self._server.name}: no version.")
            )
        return found, unreadable

    def _read_version(self, name: str, number: int, page: str) -> Found:
        answer = self._server.read_version(name, number)
        found = parse_version(answer, page)
        if found is None or found.version.version != str(number) or answer.get("name") != name:
            raise self._server.unexpected("/v2/prompts")
        return found

    def _with_sources(self, name: str, found: Found) -> PromptVersion:
        """Add the versions that a version includes."""
        own = PromptRef(name=name, version=found.version.version)
        sources = {ref for include in found.includes if (ref := self._resolve(include)) and ref != own}
        return replace(found.version, derived_from=tuple(sorted(sources)))

    def _resolve(self, include: Include) -> PromptRef | None:
        """Return the version that is included now; ``None`` if no version has the label."""
        version = include.version
        if version is None and include.label is not None:
            key = (include.name, include.label)
            with self._lock:
                known = key in self._labelled
                version = self._labelled.get(key)
            if not known:
                version = self._find_label(*key)
                with self._lock:
                    self._labelled[key] = version
        return PromptRef(name=include.name, version=version) if version else None

    def _find_label(self, name: str, label: str) -> str | None:
        """Return the version that carries a label, in one request."""
        for listed in self._server.list_prompts(name=name, label=label):
            if listed.name == name:
                return str(listed.versions[-1])
        return None

    def _settle(self, listed: Listed, versions: Sequence[PromptVersion]) -> Iterable[PromptVersion]:
        """Ask again for labels that moved while the versions were read, one after the other.

        Without it, a label would seem to be on two versions, or on none.
        """
        seen = Counter(label for version in versions for label in version.labels)
        unsettled = {label for label in {*seen, *listed.labels} if seen[label] != 1}
        where: Mapping[str, str | None] = {
            label: self._find_label(listed.name, label) for label in sorted(unsettled)
        }
        for version in versions:
            kept = {label for label in version.labels if label not in unsettled}
            kept |= {label for label, carrier in where.items() if carrier == version.version}
            yield replace(version, labels=tuple(sorted(kept)))
