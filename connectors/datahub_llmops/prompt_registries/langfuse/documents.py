"""Counts where the documents of answers came from, in the metadata of retrievers' observations.

Langfuse has no place for documents: applications write them into the metadata under keys of their own. They come one by
one, so that only a bounded number is read, newest first, and only if the recipe asks for it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from datahub_llmops.assets.collections import FailedListing
from datahub_llmops.assets.observations import RetrievedSource, Window
from datahub_llmops.errors import UnreadableError
from datahub_llmops.net.json_values import mapping, moment, strings
from datahub_llmops.prompt_registries.langfuse.client import LangfuseServer
from datahub_llmops.prompt_registries.langfuse.metrics import Metrics, Row, midnight, written_time
from datahub_llmops.prompt_registries.langfuse.usage import Usage, is_internal

_A_PAGE: Final = 1_000


@dataclass(slots=True)
class _Seen:
    chunks: int = 0
    last: datetime | None = None


class Documents:
    """The sources that ``keys`` of the metadata name, in at most ``sample_rows`` observations of a window."""

    def __init__(
        self, server: LangfuseServer, metrics: Metrics, usage: Usage, keys: Sequence[str], sample_rows: int
    ) -> None:
        self._server = server
        self._metrics = metrics
        self._usage = usage
        self._keys = tuple(keys)
        self._sample_rows = sample_rows

    def sources(self, window: Window) -> Iterator[RetrievedSource | FailedListing]:
        """Yield each source once for each application, with the number of documents from it."""
        if not self._keys or not self._sample_rows:
            return
        if self._metrics.is_legacy():
            yield self._note(
                window, "the server keeps traces in the form of Langfuse 3, so documents cannot be read."
            )
            return
        found: defaultdict[tuple[str, str, str], _Seen] = defaultdict(_Seen)
        for number, row in enumerate(self._list(window)):
            if number >= self._sample_rows:
                yield self._note(
                    window,
                    f"the documents of the newest {number:,} searches from {window.first} to {window.last} were read, "
                    "those of earlier ones were not. Raise applications.sample_rows to read more.",
                )
                break
            self._count(row, found)
        for (application, key, value), seen in found.items():
            yield RetrievedSource(
                application=application, field=key, value=value, chunks=seen.chunks, last=seen.last
            )

    def _list(self, window: Window) -> Iterator[Mapping[str, Any]]:
        return self._server.cursors(
            "/v2/observations",
            {
                "type": "RETRIEVER",
                "fields": "core,basic,metadata,trace_context",
                # Without it, values are cut after 200 characters.
                "expandMetadata": ",".join(self._keys),
                "fromStartTime": written_time(midnight(window.first)),
                "toStartTime": written_time(midnight(window.last + timedelta(days=1))),
                "limit": min(_A_PAGE, self._sample_rows + 1),
            },
        )

    def _count(self, row: Mapping[str, Any], found: defaultdict[tuple[str, str, str], _Seen]) -> None:
        when = moment(row.get("startTime"))
        if when is None:
            raise self._server.unexpected("/v2/observations")
        # As an aggregate calls it.
        as_row = Row(day=when.date(), values={**row, "traceRelease": row.get("release")})
        if is_internal(as_row):
            return
        metadata = mapping(row.get("metadata"))
        for application in self._usage.applications_of(as_row):
            for key in self._keys:
                value = metadata.get(key)
                for source in strings(value if isinstance(value, list) else [value]):
                    seen = found[application, key, source]
                    seen.chunks += 1
                    seen.last = when if seen.last is None else max(seen.last, when)

    def _note(self, window: Window, what: str) -> FailedListing:
        """Tell what was not read. It concerns days, and not one application, which a filter could leave out."""
        error = UnreadableError(f"{self._server.name}: {what}")
        return FailedListing(name=(window.last.isoformat(),), error=error, is_item=False)
