"""Reads what a Weaviate server says of its collections, and counts where their objects come from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Final

from datahub_llmops.assets.collections import Collection, Name, ProvenanceCount
from datahub_llmops.errors import ConnectorError, UnreachableError, UnreadableError, VanishedError
from datahub_llmops.ingestion.sampling import ValueCounter, provenance_paths
from datahub_llmops.net.json_values import mapping, text
from datahub_llmops.vector_stores.weaviate.client import WeaviateServer
from datahub_llmops.vector_stores.weaviate.facts import can_be_provenance, dimensions
from datahub_llmops.vector_stores.weaviate.queries import Ask, value_of

_ROWS_A_PAGE: Final = 100
_GROUPS: Final = 200
"""Weaviate groups by passing over all objects, and keeps the groups in order by copying them for each value that it
meets: 100,000 different ones take seconds with this limit, and more than five minutes with one of 10,000."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scopes:
    """What of a collection is asked: its active tenants; ``None``, all of it, where it has no tenants."""

    tenants: tuple[str, ...] = ()
    asked: tuple[str | None, ...] = (None,)
    active: bool = True
    """Is every tenant? Nothing can be asked of one that is not, without activating it."""
    whole: bool = True
    """Is all that there is asked?"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Counted:
    """How many objects were looked at, whether these are all, and what they carry."""

    rows: int = 0
    whole: bool = False
    paths: frozenset[str] = frozenset()
    """Of which nothing more is to be counted."""
    found: tuple[ProvenanceCount, ...] = ()

    def of(self, count: int | None) -> Iterator[ProvenanceCount]:
        """``count`` objects there are."""
        return (replace(item, rows_scanned=self.rows, rows_total=count) for item in self.found)


class WeaviateReader:
    """A ``Reader`` of one server, which is closed with it.

    ``provenance_fields`` are grouped and counted by the server over all objects, where it has GraphQL and lets us use
    it; else, and for fields inside of objects or with many different values, counted in at most ``max_rows`` objects.
    Up to ``max_values`` different values each. Of a multi-tenant collection the first ``max_tenants`` tenants are
    named and, those of them that are active, asked. ``exact_count`` has objects counted; without it, and where nobody
    counted them all, the numbers that the nodes keep are taken, which lag behind.
    """

    def __init__(
        self,
        server: WeaviateServer,
        *,
        provenance_fields: Sequence[str] = (),
        max_rows: int = 100_000,
        max_values: int = 10_000,
        max_tenants: int = 100,
        exact_count: bool = True,
    ) -> None:
        self._server = server
        self._fields = tuple(provenance_fields)
        self._max_rows = max_rows
        self._max_values = max_values
        self._max_tenants = max_tenants
        self._exact_count = exact_count

    def names(self) -> Iterator[Name]:
        """All collections that the key may see, sorted: one request says of all of them what they are."""
        self._server.container()
        yield from ((name,) for name in sorted(self._server.schema(anew=True)))

    def read(self, name: Name) -> Collection:
        try:
            return self._read(name)
        except (VanishedError, UnreadableError, UnreachableError) as error:
            # Of a dropped collection Weaviate says now 404 without a word, now an error of GraphQL, and a gateway says
            # the like of one that is there: the schema decides.
            if self._is_gone(name):
                raise VanishedError(f"{self._server.name}: no collection {'.'.join(name)!r}.") from None
            if isinstance(error, VanishedError):
                raise UnreadableError(f"{error} Yet the collection is in the schema.") from None
            raise

    def close(self) -> None:
        self._server.close()

    def _is_gone(self, name: Name) -> bool:
        try:
            return len(name) != 1 or name[0] not in self._server.schema(anew=True)
        except ConnectorError:
            return False

    def _read(self, name: Name) -> Collection:
        container = self._server.container()
        known = self._server.schema(anew=False).get(name[0]) if len(name) == 1 else None
        if known is None:
            raise VanishedError(f"{self._server.name}: not in the schema.")
        scopes = self._scopes(name[0]) if known.is_multi_tenant else _Scopes()
        fields = known.fields()
        paths = [item.path for item in fields]
        wanted = provenance_paths(self._fields, (item.path for item in fields if can_be_provenance(item)))
        grouped = self._grouped(name[0], scopes, known.counted_by_engine(wanted))
        scanned = self._scanned(name[0], scopes, [path for path in wanted if path not in grouped.paths])
        parts = (grouped, scanned)
        exact = next((part.rows for part in parts if part.whole), None)
        sample = self._sample(name[0], scopes)
        seen = max(len(sample), *(part.rows for part in parts))
        count = self._estimate(name[0], scopes, seen) if exact is None else exact
        provenance = {item.field: item for part in parts for item in part.of(count)}
        return Collection(
            name=name,
            containers=(container,),
            vectors=known.vectors(paths, dimensions(sample[0]) if sample else {}),
            fields=fields,
            text_field=known.text_field(),
            count=count,
            count_is_estimate=exact is None and count is not None,
            aliases=self._server.aliases(name[0]),
            partitions=scopes.tenants,
            description=known.description,
            properties=known.properties(),
            provenance=tuple(provenance[path] for path in wanted if path in provenance),
        )

    def _scopes(self, collection: str) -> _Scopes:
        if not self._max_tenants:
            return _Scopes(asked=(), active=False, whole=False)
        found = self._server.tenants(collection)
        first = dict(islice(found.items(), self._max_tenants))
        active = all(found.values())
        return _Scopes(
            tenants=tuple(first),
            asked=tuple(name for name, is_active in first.items() if is_active),
            active=active,
            whole=active and len(first) == len(found),
        )

    def _estimate(self, collection: str, scopes: _Scopes, seen: int) -> int | None:
        """Unknown where a tenant sleeps: the nodes leave its objects out without saying how many.

        Not less than was ``seen``: the nodes count what is on their disks, which comes there a minute later or so.
        """
        kept = self._server.estimate(collection) if scopes.active else None
        return None if kept is None else max(kept, seen)

    def _sample(self, collection: str, scopes: _Scopes) -> list[Mapping[str, Any]]:
        """One object, for the length of its vectors: the schema does not say it."""
        for tenant in scopes.asked[:1]:
            return self._server.objects(collection, tenant, 1, vectors=True)
        return []

    def _grouped(self, collection: str, scopes: _Scopes, kinds: Mapping[str, str]) -> _Counted:
        """Counted by the engine, as far as it lets us: of no path with more different values than it groups well."""
        asks = [Ask(tenant=tenant) for tenant in scopes.asked]
        asks += [Ask(tenant=tenant, path=path, limit=_GROUPS) for path in kinds for tenant in scopes.asked]
        answers = self._server.aggregate(collection, asks) if self._exact_count or kinds else None
        if answers is None:
            return _Counted()
        rows = 0
        counters = {path: ValueCounter([path], self._max_values) for path in kinds}
        for ask, groups in zip(asks, answers, strict=True):
            if ask.path is None:
                rows += sum(group.count for group in groups)
            elif len(groups) >= _GROUPS:
                counters.pop(ask.path, None)
            elif ask.path in counters:
                for group in groups:
                    counters[ask.path].add(ask.path, value_of(group, kinds[ask.path]), group.count)
        return _Counted(
            rows=rows,
            whole=scopes.whole,
            paths=frozenset(counters),
            found=tuple(item for counter in counters.values() for item in counter.result(None)),
        )

    def _scanned(self, collection: str, scopes: _Scopes, paths: Sequence[str]) -> _Counted:
        """Counted here, in the first objects by id."""
        if not paths:
            return _Counted()
        counter = ValueCounter(paths, self._max_values)
        finished = [self._scan(collection, tenant, counter) for tenant in scopes.asked]
        return _Counted(rows=counter.rows, whole=scopes.whole and all(finished), found=counter.result(None))

    def _scan(self, collection: str, tenant: str | None, counter: ValueCounter) -> bool:
        """Count on in one tenant; returns whether to its end."""
        after: str | None = None
        while counter.rows < self._max_rows:
            limit = min(_ROWS_A_PAGE, self._max_rows - counter.rows)
            found = self._server.objects(collection, tenant, limit, after=after)
            counter.add_rows(mapping(item.get("properties")) for item in found)
            if len(found) < limit:
                return True
            after = text(found[-1].get("id"))
            if after is None:
                raise self._server.odd("/v1/objects")
        return False
