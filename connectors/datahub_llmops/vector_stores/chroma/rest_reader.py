"""Reads a Chroma server over its REST API, version 2 (Chroma 0.6 and later, and Chroma Cloud).

https://docs.trychroma.com/reference/chroma-server-api
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from datahub_llmops.assets.collections import (
    Collection,
    Container,
    FailedListing,
    Name,
    PayloadField,
    ProvenanceCount,
)
from datahub_llmops.errors import (
    AccessError,
    ConnectorError,
    DeniedError,
    UnreachableError,
    UnreadableError,
    VanishedError,
)
from datahub_llmops.ingestion.chunk_ids import find_ids, parse_keys, parse_text
from datahub_llmops.ingestion.once import Once
from datahub_llmops.ingestion.sampling import ValueCounter, infer
from datahub_llmops.net.http import HttpClient, path_part
from datahub_llmops.net.json_values import array, mapping, mappings, text, whole
from datahub_llmops.net.paging import EndlessError, Pages
from datahub_llmops.vector_stores.chroma.facts import Stored, containers

_API: Final = "/api/v2"
_NAMES_A_PAGE: Final = 100
_PAGES_BEFORE_PROBE: Final = 10
_BEYOND: Final = 1_000_000_000
"""An offset that no listing reaches. Chroma reads it as a number of 32 bits."""
_ROWS_A_PAGE: Final = 250
"""Chroma Cloud refuses more than 300 rows at once."""
_SAMPLE: Final = 100
_LISTINGS: Final = 5
"""How often a listing starts again because something was created or deleted in the meantime."""


def absent(status: int, answer: object) -> bool:
    """Whether Chroma itself says that an item does not exist. Version 0.6 says it with status 400."""
    return (status, mapping(answer).get("error")) in ((404, "NotFoundError"), (400, "InvalidCollection"))


class ChromaRestReader:
    """A ``Reader`` of one tenant of a server. It closes ``client``.

    It counts ``provenance_fields`` by paging through at most ``max_rows`` rows of a collection, with at most
    ``max_values`` different values each, because Chroma cannot count values itself. Without ``exact_count`` and
    ``provenance_fields`` no collection is opened: a server keeps the index of every opened collection in memory.
    """

    def __init__(
        self,
        client: HttpClient,
        *,
        tenant: str,
        provenance_fields: Sequence[str] = (),
        max_rows: int = 100_000,
        max_values: int = 10_000,
        exact_count: bool = True,
    ) -> None:
        self._client = client
        self._exact_count = exact_count
        self._tenant = tenant
        self._base = f"{_API}/tenants/{path_part(tenant)}"
        self._fields = tuple(provenance_fields)
        self._max_rows = max_rows
        self._max_values = max_values
        self._server = Once(self._read_server)

    def names(self) -> Iterator[Name | FailedListing]:
        """List the collections of all databases of the tenant, in the order of the server's ids."""
        self._check_tenant()
        for database in self._list_names(f"{self._base}/databases"):
            try:
                for collection in self._list_names(f"{self._path_of(database)}/collections"):
                    yield (database, collection)
            except (DeniedError, UnreachableError, UnreadableError, VanishedError) as error:
                # If the database was deleted, the next run does not list it.
                yield FailedListing(name=(database,), error=error)

    def read(self, name: Name) -> Collection:
        server = self._server()
        stored, path = self._read_collection(name)
        count = self._read_count(path) if self._exact_count else None
        return Collection(
            name=name,
            containers=containers(server, self._tenant, name[0]),
            vectors=stored.vectors(),
            fields=stored.fields(() if stored.has_schema else self._sample(path)),
            text_field=stored.text_field,
            count=count,
            description=stored.description(),
            properties=stored.properties(),
            provenance=self._count_provenance(path, count),
        )

    def has(self, name: Name, ids: Sequence[str]) -> frozenset[str]:
        keys = parse_keys(ids, parse_text)
        if not keys:
            return frozenset()
        _, path = self._read_collection(name)
        # Without `include` it would answer with documents and metadata.
        answer = mapping(self._client.post(f"{path}/get", {"ids": list(keys), "include": []}, reads=True))
        found = answer.get("ids")
        if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
            raise self._client.unexpected(f"{path}/get")
        return find_ids(keys, found)

    def close(self) -> None:
        self._client.close()

    def _read_collection(self, name: Name) -> tuple[Stored, str]:
        """Read what describes a collection, and the path of its contents."""
        if len(name) != 2:
            raise VanishedError(f"{self._client.name}: no collection {'.'.join(name)}.")
        collections = f"{self._path_of(name[0])}/collections"
        stored = _parse_collection(name, self._client.get(f"{collections}/{path_part(name[1])}"))
        return stored, f"{collections}/{path_part(stored.identity)}"

    def _path_of(self, database: str) -> str:
        return f"{self._base}/databases/{path_part(database)}"

    def _read_server(self) -> Container:
        """Describe the server, after checking that it is Chroma of a version that is known."""
        try:
            heartbeat = self._client.get(f"{_API}/heartbeat")
        except (UnreachableError, VanishedError):
            self._check_version()
            raise
        if "nanosecond heartbeat" not in mapping(heartbeat):
            raise UnreachableError(
                f"{self._client.name}: what answers is not Chroma. Set url to its root, for example "
                "http://localhost:8000."
            )
        version = self._client.get(f"{_API}/version")
        properties = {"api_version": version} if isinstance(version, str) else {}
        return Container(kind="Server", name=self._client.server, properties=properties)

    def _check_version(self) -> None:
        """Raise if it is a Chroma before 0.6, which has version 1 of the API only."""
        try:
            version = self._client.get("/api/v1/version")
        except ConnectorError:
            return
        if isinstance(version, str):
            raise AccessError(
                f"{self._client.name}: it is Chroma {version[:20]}, too old for REST: 0.6 or newer is needed. "
                "Upgrade it, or read its folder by path, which works from 0.4.15 on."
            )

    def _check_tenant(self) -> None:
        """Raise if there is no such tenant: the server would list no databases instead of an error."""
        self._server()
        missing = False
        try:
            self._client.get(self._base)
        except VanishedError:
            missing = True
        if missing:
            raise AccessError(f"{self._client.name}: there is no tenant {self._tenant!r}. Set tenant.")

    def _list_names(self, path: str) -> Iterator[str]:
        """Yield all names of a listing once.

        Pages are selected by offset: if an item of an earlier page is deleted in the meantime, an existing item falls
        between two pages and would be taken for deleted. So pages overlap by one item, and if that item differs, the
        listing starts again. Only a page without another item is the last one: a gateway or a quota may shorten others.

        Raises:
            EndlessError: it has no end. No name of it was yielded.
            UnreadableError: it kept changing.
        """
        names: dict[str, None] = {}
        problem: ConnectorError = UnreadableError(
            f"{self._client.name}: {path} kept changing while it was listed. Run again at a quieter time."
        )
        try:
            if any(self._add_names(path, names) for _ in range(_LISTINGS)):
                yield from names
                return
        except EndlessError:
            raise
        except ConnectorError as error:
            problem = error
        yield from names
        raise problem

    def _add_names(self, path: str, names: dict[str, None]) -> bool:
        """Add the names of a listing up to its end; return ``False`` if it changed before."""
        pages = Pages.of(self._client, path)
        page = self._read_page(path, 0)
        names.update((name, None) for _, name in page)
        if len(page) == 1:
            # The next page cannot overlap with a single item. It is the same for a server that ignores the offset.
            return self._read_page(path, 1) in ([], page)
        offset = number = 0
        while len(page) > 1:
            last = page[-1][0]
            pages.add(key for key, _ in page[offset > 0 :])
            pages.turn(last)
            number += 1
            if number == _PAGES_BEFORE_PROBE:
                self._check_end(path)
            offset += len(page) - 1
            page = self._read_page(path, offset)
            if not page or page[0][0] != last:
                return False
            names.update((name, None) for _, name in page)
        return True

    def _check_end(self, path: str) -> None:
        """Raise if a long listing has entries far beyond any number of items: it would go on for ever."""
        try:
            beyond = self._read_page(path, _BEYOND)
        except UnreadableError:
            return  # The server refuses such an offset. The bounds of ``Pages`` remain.
        if beyond:
            raise EndlessError(
                f"{self._client.name}: {path} has entries at position {_BEYOND:,}, so it has no end. Look for a proxy "
                "in between, and at the server's log."
            )

    def _read_page(self, path: str, offset: int) -> list[tuple[str, str]]:
        """Read one page of a listing as pairs of id and name."""
        answer = self._client.get(path, {"limit": _NAMES_A_PAGE, "offset": offset})
        pairs = [(text(item.get("id")), text(item.get("name"))) for item in mappings(answer)]
        found = [(key, name) for key, name in pairs if key and name]
        if not isinstance(answer, list) or len(found) != len(pairs):
            raise self._client.unexpected(path)
        return found

    def _read_count(self, path: str) -> int:
        count = whole(self._client.get(f"{path}/count"))
        if count is None:
            raise self._client.unexpected(f"{path}/count")
        return count

    def _sample(self, path: str) -> tuple[PayloadField, ...]:
        """Infer the fields from the first rows: servers before 1.1 keep no schema."""
        return infer(
            row for row in self._read_rows(path, 0, _SAMPLE, Pages.of(self._client, f"{path}/get")) if row
        )

    def _count_provenance(self, path: str, count: int | None) -> tuple[ProvenanceCount, ...]:
        counter = ValueCounter(self._fields, self._max_values)
        most = self._max_rows if count is None else min(count, self._max_rows)
        wanted = most if self._fields else 0
        pages = Pages.of(self._client, f"{path}/get", self._max_rows)
        while counter.rows < wanted:
            rows = self._read_rows(path, counter.rows, min(_ROWS_A_PAGE, wanted - counter.rows), pages)
            if not rows:
                break
            counter.add_rows(rows)
        return counter.result(count)

    def _read_rows(self, path: str, offset: int, limit: int, pages: Pages) -> list[Mapping[str, Any] | None]:
        """Read the payload of rows in the order of insertion. What ``uris=`` wrote becomes the field ``uri``."""
        include = ["metadatas", "uris"] if "uri" in self._fields else ["metadatas"]
        body = {"include": include, "limit": limit, "offset": offset}
        answer = mapping(self._client.post(f"{path}/get", body, reads=True))
        rows = answer.get("metadatas")
        if not isinstance(rows, list):
            raise self._client.unexpected(f"{path}/get")
        ids = array(answer.get("ids"))
        if ids:
            pages.add(ids)
            pages.turn(ids[0])
        uris = answer.get("uris")
        if isinstance(uris, list) and len(uris) == len(rows):
            return [
                {"uri": uri, **mapping(row)} if uri else mapping(row)
                for uri, row in zip(uris, rows, strict=True)
            ]
        return [mapping(row) for row in rows]


def _parse_collection(name: Name, answer: object) -> Stored:
    spec = mapping(answer)
    identity, dimension = spec.get("id"), spec.get("dimension")
    if not isinstance(identity, str) or spec.get("name") != name[-1]:
        raise UnreadableError(
            f"Chroma: the answer about {'.'.join(name)} does not look like a collection of Chroma."
        )
    return Stored(
        identity=identity,
        name=name,
        dimension=whole(dimension),
        schema=mapping(spec.get("schema")),
        configuration=mapping(spec.get("configuration_json")),
        metadata=mapping(spec.get("metadata")),
    )
