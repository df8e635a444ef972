"""Retrievals whose index no span names, grouped until stores can be asked for the ids of their chunks.

One retriever may search several indexes under one name. Retrievals that found a chunk in common searched the same one,
so each group is divided by that: a part is settled as a whole, and never mixes two indexes as long as there are few
enough parts.
"""

from __future__ import annotations

import heapq
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from datahub_llmops.answer_store.recorded import Raw
from datahub_llmops.ingestion.reader import MAX_IDS

MAX_PARTS: Final = 32
"""Parts of one group. What fits into none of them is one more part, which is settled only if its ids agree."""
MAX_IDS_KNOWN: Final = 50_000
"""Ids of one group whose part is remembered."""
MAX_SOURCES: Final = 10_000
"""Different sources of the chunks of one part that are counted."""


@dataclass(slots=True, kw_only=True)
class Pending:
    """Retrievals that searched one index, as far as their chunks tell."""

    key: str
    """What they are counted under until the index is known."""
    retrievals: int = 0
    sources: dict[str, int] = field(default_factory=dict)
    """What the chunks name as their source, with the number of chunks. They leave as URNs only."""
    sources_left_out: int = 0
    joined: Pending | None = None
    """The part that this one turned out to belong to."""
    _sample: list[tuple[int, str]] = field(default_factory=list)
    _sampled: set[str] = field(default_factory=set)

    @property
    def ids(self) -> list[str]:
        """Up to 20 of the ids, chosen evenly among all that were seen and the same in each run."""
        return sorted(self._sampled)

    def add_ids(self, ids: Iterable[str]) -> None:
        """Take ids into the sample: it has those whose checksums are lowest."""
        for one in ids:
            if one in self._sampled:
                continue
            rank = -zlib.crc32(one.encode("utf-8", "replace"))
            if len(self._sample) < MAX_IDS:
                self._sampled.add(one)
                heapq.heappush(self._sample, (rank, one))
            elif rank > self._sample[0][0]:
                self._sampled.add(one)
                self._sampled.discard(heapq.heappushpop(self._sample, (rank, one))[1])

    def add_source(self, source: Raw | None, chunks: int = 1) -> None:
        """Count the source that chunks name."""
        value = (source.get("urn") or source.get("value")) if source else None
        if not isinstance(value, str) or not value:
            return
        self._count_source(value, chunks)

    def _count_source(self, value: str, chunks: int) -> None:
        if value in self.sources or len(self.sources) < MAX_SOURCES:
            self.sources[value] = self.sources.get(value, 0) + chunks
        else:
            self.sources_left_out += chunks

    def join(self, other: Pending) -> None:
        """Become a part of ``other``, which takes over what is known of this one."""
        self.joined = other
        other.retrievals += self.retrievals
        other.sources_left_out += self.sources_left_out
        other.add_ids(self.ids)
        for value, chunks in self.sources.items():
            other._count_source(value, chunks)

    def final(self) -> Pending:
        """Return the part that this one belongs to now."""
        found = self
        while found.joined is not None:
            found = found.joined
        return found


@dataclass(slots=True, kw_only=True)
class Group:
    """The retrievals of one retriever whose index is not known, by the part that they belong to."""

    key: str
    application: str
    retriever: str
    """URN of the retriever."""
    store_class: str | None
    platform: str | None
    """Platform of the index, if it is known."""
    why: str | None = None
    """Why the identity on the span was not enough, if there is one."""
    parts: list[Pending] = field(default_factory=list)
    without_ids: Pending | None = None
    rest: Pending | None = None
    """What fits into no part once there are too many."""
    _part_of: dict[int, Pending] = field(default_factory=dict)
    """By the hash of an id."""

    def part(self, ids: Sequence[str]) -> Pending:
        """Return the part that a retrieval with these chunks belongs to, with the ids in its sample."""
        if not ids:
            if self.without_ids is None:
                self.without_ids = Pending(key=f"{self.key} without ids")
            return self.without_ids
        hashes = [hash(one) for one in ids]
        found: Pending | None = None
        for one in hashes:
            other = self._part_of.get(one)
            if other is not None:
                other = other.final()
                if found is None:
                    found = other
                elif other is not found:
                    other.join(found)
        if found is None:
            found = self._new_part()
        if found is not self.rest and len(self._part_of) < MAX_IDS_KNOWN:
            for one in hashes:
                self._part_of[one] = found
        found.add_ids(ids)
        return found

    def _new_part(self) -> Pending:
        live = sum(part.joined is None for part in self.parts) if len(self.parts) >= MAX_PARTS else 0
        if live >= MAX_PARTS:
            if self.rest is None:
                self.rest = Pending(key=f"{self.key} rest")
            return self.rest
        part = Pending(key=f"{self.key}.{len(self.parts)}")
        self.parts.append(part)
        return part

    def all_parts(self) -> Iterator[Pending]:
        """Yield every part, also those that joined others."""
        yield from self.parts
        for one in (self.rest, self.without_ids):
            if one is not None:
                yield one
