"""Reads the collections of a Weaviate server, and counts where their objects come from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Final, TypeVar

from datahub_llmops.assets.collections import Collection, Name, ProvenanceCount
from datahub_llmops.errors import ConnectorError, UnreachableError, UnreadableError, VanishedError
from datahub_llmops.ingestion.chunk_ids import Keys, find_ids, parse_keys, parse_uuid
from datahub_llmops.ingestion.sampling import ValueCounter, provenance_paths
from datahub_llmops.net.json_values import mapping, text
from datahub_llmops.net.paging import Pages
from datahub_llmops.vector_stores.weaviate.client import WeaviateServer
from datahub_llmops.vector_stores.weaviate.facts import CollectionSchema, can_be_provenance, read_dimensions
from datahub_llmops.vector_stores.weaviate.queries import Ask, parse_value

_ROWS_A_PAGE: Final = 100
_GROUPS: Final = 200
"""Weaviate scans all objects to group them, and copies the sorted groups for each value that it meets: 100,000
different values take seconds with this limit, and more than five minutes with a limit of 10,000."""


T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scopes:
    """The tenants of a collection, and those of them that can be queried; ``None`` is a collection without tenants."""

    tenants: tuple[str, ...] = ()
    queried: tuple[str | None, ...] = (None,)
    active: bool = True
    """Whether every tenant is active. Any other cannot be queried without activating it."""
    whole: bool = True
    """Whether ``queried`` covers the whole collection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Counted:
    """The number of objects seen, whether these are all, and the values that they carry."""

    rows: int = 0
    whole: bool = False
    paths: frozenset[str] = frozenset()
    """Fields that need no further counting."""
    found: tuple[ProvenanceCount, ...] = ()

    def of(self, count: int | None) -> Iterator[ProvenanceCount]:
        """Return the values for a collection of ``count`` objects."""
        return (replace(item, rows_scanned=self.rows, rows_total=count) for item in self.found)


class WeaviateReader:
    """A ``Reader`` of one server, which it closes.

    The server groups and counts ``provenance_fields`` over all objects if GraphQL is available. Otherwise, and for
    fields inside objects or with many different values, the reader counts them in at most ``max_rows`` objects. At
    most ``max_values`` different values are kept of each. The first ``max_tenants`` tenants of a multi-tenant
    collection are listed, and queried if they are active. ``exact_count`` counts the objects; without it, and if not
    all objects could be counted, the counts of the nodes are used, which lag behind.
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
        """List all collections that the key may see, sorted. One request describes them all."""
        self._server.container()
        yield from ((name,) for name in sorted(self._server.schema(refresh=True)))

    def read(self, name: Name) -> Collection:
        return self._confirm(name, lambda: self._read(name))

    def has(self, name: Name, ids: Sequence[str]) -> frozenset[str]:
        keys = parse_keys(ids, parse_uuid)
        return self._confirm(name, lambda: self._find(name, keys)) if keys else frozenset()

    def close(self) -> None:
        self._server.close()

    def _confirm(self, name: Name, read: Callable[[], T]) -> T:
        try:
            return read()
        except (VanishedError, UnreadableError, UnreachableError) as error:
            # For a dropped collection Weaviate answers with an empty 404 or with a GraphQL error; a gateway may do the
            # same for an existing one. So ask the schema.
            if self._is_gone(name):
                raise VanishedError(f"{self._server.name}: no collection {'.'.join(name)!r}.") from None
            if isinstance(error, VanishedError):
                raise UnreadableError(f"{error} The collection is still in the schema.") from None
            raise

    def _is_gone(self, name: Name) -> bool:
        try:
            return len(name) != 1 or name[0] not in self._server.schema(refresh=True)
        except ConnectorError:
            return False

    def _find(self, name: Name, keys: Keys[str]) -> frozenset[str]:
        self._server.container()
        schema = self._schema_of(name)
        scopes = self._read_scopes(name[0]) if schema.is_multi_tenant else _Scopes()
        found = self._server.find(name[0], scopes.queried, list(keys))
        if not scopes.whole and len(found) < len(keys):
            raise UnreadableError(
                f"{self._server.name}: ids cannot be looked up in all tenants of {name[0]}: some are not active, or "
                "there are more than max_tenants. Raise max_tenants, or leave it out by collection_pattern."
            )
        return find_ids(keys, found)

    def _schema_of(self, name: Name) -> CollectionSchema:
        schema = self._server.schema(refresh=False).get(name[0]) if len(name) == 1 else None
        if schema is None:
            raise VanishedError(f"{self._server.name}: not in the schema.")
        return schema

    def _read(self, name: Name) -> Collection:
        container = self._server.container()
        schema = self._schema_of(name)
        scopes = self._read_scopes(name[0]) if schema.is_multi_tenant else _Scopes()
        fields = schema.fields()
        paths = [item.path for item in fields]
        wanted = provenance_paths(self._fields, (item.path for item in fields if can_be_provenance(item)))
        grouped = self._count_by_groups(name[0], scopes, schema.counted_by_engine(wanted))
        scanned = self._count_by_scanning(
            name[0], scopes, [path for path in wanted if path not in grouped.paths]
        )
        parts = (grouped, scanned)
        exact = next((part.rows for part in parts if part.whole), None)
        sample = self._read_sample(name[0], scopes)
        seen = max(len(sample), *(part.rows for part in parts))
        count = self._estimate_count(name[0], scopes, seen) if exact is None else exact
        provenance = {item.field: item for part in parts for item in part.of(count)}
        return Collection(
            name=name,
            containers=(container,),
            vectors=schema.vectors(paths, read_dimensions(sample[0]) if sample else {}),
            fields=fields,
            text_field=schema.text_field(),
            count=count,
            count_is_estimate=exact is None and count is not None,
            aliases=self._server.aliases(name[0]),
            partitions=scopes.tenants,
            description=schema.description,
            properties=schema.properties(),
            provenance=tuple(provenance[path] for path in wanted if path in provenance),
        )

    def _read_scopes(self, collection: str) -> _Scopes:
        if not self._max_tenants:
            return _Scopes(queried=(), active=False, whole=False)
        found = self._server.tenants(collection)
        first = dict(islice(found.items(), self._max_tenants))
        active = all(found.values())
        return _Scopes(
            tenants=tuple(first),
            queried=tuple(name for name, is_active in first.items() if is_active),
            active=active,
            whole=active and len(first) == len(found),
        )

    def _estimate_count(self, collection: str, scopes: _Scopes, seen: int) -> int | None:
        """Return the count of the nodes; ``None`` if a tenant is inactive, because they leave its objects out.

        It is at least ``seen``: the nodes count what is on their disks, about a minute after it was written.
        """
        counted = self._server.estimate(collection) if scopes.active else None
        return None if counted is None else max(counted, seen)

    def _read_sample(self, collection: str, scopes: _Scopes) -> list[Mapping[str, Any]]:
        """Read one object for the length of its vectors, which the schema does not contain."""
        for tenant in scopes.queried[:1]:
            return self._server.objects(collection, tenant, 1, vectors=True)
        return []

    def _count_by_groups(self, collection: str, scopes: _Scopes, kinds: Mapping[str, str]) -> _Counted:
        """Have the engine count, except for fields with more different values than it groups well."""
        asks = [Ask(tenant=tenant) for tenant in scopes.queried]
        asks += [Ask(tenant=tenant, path=path, limit=_GROUPS) for path in kinds for tenant in scopes.queried]
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
                    counters[ask.path].add(ask.path, parse_value(group, kinds[ask.path]), group.count)
        return _Counted(
            rows=rows,
            whole=scopes.whole,
            paths=frozenset(counters),
            found=tuple(item for counter in counters.values() for item in counter.result(None)),
        )

    def _count_by_scanning(self, collection: str, scopes: _Scopes, paths: Sequence[str]) -> _Counted:
        """Count in the first objects by id."""
        if not paths:
            return _Counted()
        counter = ValueCounter(paths, self._max_values)
        finished = [self._scan(collection, tenant, counter) for tenant in scopes.queried]
        return _Counted(rows=counter.rows, whole=scopes.whole and all(finished), found=counter.result(None))

    def _scan(self, collection: str, tenant: str | None, counter: ValueCounter) -> bool:
        """Count in one tenant, and return whether the end of it was reached."""
        after: str | None = None
        pages = Pages.of(self._server, "/v1/objects", self._max_rows)
        while counter.rows < self._max_rows:
            limit = min(_ROWS_A_PAGE, self._max_rows - counter.rows)
            found = self._server.objects(collection, tenant, limit, after=after)
            counter.add_rows(mapping(item.get("properties")) for item in found)
            if not found:
                return True
            pages.add(item.get("id") for item in found)
            after = text(found[-1].get("id"))
            if after is None:
                raise self._server.unexpected("/v1/objects")
            pages.turn(after)
        return False
