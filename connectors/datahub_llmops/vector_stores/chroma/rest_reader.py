"""Reads a Chroma server over its REST API, version 2 (Chroma 0.6 and later, and Chroma Cloud).

https://docs.trychroma.com/reference/chroma-server-api
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from datahub_llmops.assets.collections import (
    Collection,
    Container,
    Name,
    PayloadField,
    ProvenanceCount,
    Unlisted,
)
from datahub_llmops.errors import (
    AccessError,
    DeniedError,
    UnreachableError,
    UnreadableError,
    VanishedError,
)
from datahub_llmops.ingestion.once import Once
from datahub_llmops.ingestion.sampling import ValueCounter, infer
from datahub_llmops.net.http import HttpClient
from datahub_llmops.net.json_values import mapping
from datahub_llmops.vector_stores.chroma.facts import Stored, containers

_API: Final = "/api/v2"
_NAMES_A_PAGE: Final = 100
_ROWS_A_PAGE: Final = 250
"""Chroma Cloud refuses more than 300 rows at once."""
_SAMPLE: Final = 100
_LISTINGS: Final = 5
"""How often a listing starts anew because something was created or deleted in the middle of it."""


def absent(status: int, answer: object) -> bool:
    """Is this Chroma's own word that an item is not there? Version 0.6 says it with 400."""
    return (status, mapping(answer).get("error")) in ((404, "NotFoundError"), (400, "InvalidCollection"))


class ChromaRestReader:
    """A ``Reader`` of one tenant of a server. ``client`` is closed with it.

    ``provenance_fields`` are counted by paging through at most ``max_rows`` rows of a collection, up to
    ``max_values`` different values each: Chroma has no way to count values itself. Without ``exact_count`` and
    ``provenance_fields`` no collection is opened: a server keeps the index of each that it opened in memory.
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
        self._base = f"{_API}/tenants/{quote(tenant, safe='')}"
        self._fields = tuple(provenance_fields)
        self._max_rows = max_rows
        self._max_values = max_values
        self._server = Once(self._described)

    def names(self) -> Iterator[Name | Unlisted]:
        """Collections of all databases of the tenant, in the order of the server's ids."""
        self._check_tenant()
        for database in self._listed(f"{self._base}/databases"):
            try:
                for collection in self._listed(f"{self._database(database)}/collections"):
                    yield (database, collection)
            except (DeniedError, UnreachableError, UnreadableError, VanishedError) as error:
                # A database that is really gone is not listed by the next run.
                yield Unlisted(name=(database,), error=error)

    def read(self, name: Name) -> Collection:
        if len(name) != 2:
            raise VanishedError(f"Chroma at {self._client.server}: no collection {'.'.join(name)}.")
        database, collection = name
        server = self._server()
        stored = _stored(
            name, self._client.get(f"{self._database(database)}/collections/{quote(collection, safe='')}")
        )
        place = f"{self._database(database)}/collections/{quote(stored.identity, safe='')}"
        count = self._counted(place) if self._exact_count else None
        return Collection(
            name=name,
            containers=containers(server, self._tenant, database),
            vectors=stored.vectors(),
            fields=stored.fields(() if stored.has_schema else self._sampled(place)),
            text_field=stored.text_field,
            count=count,
            description=stored.description(),
            properties=stored.properties(),
            provenance=self._provenance(place, count),
        )

    def close(self) -> None:
        self._client.close()

    def _database(self, database: str) -> str:
        return f"{self._base}/databases/{quote(database, safe='')}"

    def _described(self) -> Container:
        """The server, once it has shown that it is a Chroma."""
        if "nanosecond heartbeat" not in mapping(self._client.get(f"{_API}/heartbeat")):
            raise UnreachableError(
                f"Chroma at {self._client.server}: what answers is not Chroma. Set url to its root, for example "
                "http://localhost:8000."
            )
        version = self._client.get(f"{_API}/version")
        properties = {"api_version": version} if isinstance(version, str) else {}
        return Container(kind="Server", name=self._client.server, properties=properties)

    def _check_tenant(self) -> None:
        """A server lists the databases of a tenant that it does not have as none at all."""
        self._server()
        missing = False
        try:
            self._client.get(self._base)
        except VanishedError:
            missing = True
        if missing:
            raise AccessError(
                f"Chroma at {self._client.server}: there is no tenant {self._tenant!r}. Set tenant."
            )

    def _listed(self, path: str) -> Iterator[str]:
        """Names behind a listing, each once, none lost.

        Pages are cut by offset: if an item of a page before is deleted meanwhile, one that still exists slips
        through between two pages, and would be taken for deleted. So pages overlap by one item, and where that is
        not the same on both the listing starts anew.
        """
        seen: set[str] = set()
        for _ in range(_LISTINGS):
            offset, last = 0, None
            while True:
                page = self._page(path, offset)
                if last is not None and (not page or page[0][0] != last):
                    break
                for _, name in page:
                    if name not in seen:
                        seen.add(name)
                        yield name
                if len(page) < _NAMES_A_PAGE:
                    return
                offset, last = offset + len(page) - 1, page[-1][0]
        raise UnreadableError(
            f"Chroma at {self._client.server}: {path} kept changing while it was listed. Run again when it is quieter."
        )

    def _page(self, path: str, offset: int) -> list[tuple[str, str]]:
        """Ids and names."""
        answer = self._client.get(path, {"limit": _NAMES_A_PAGE, "offset": offset})
        items = [mapping(item) for item in answer] if isinstance(answer, list) else [mapping(None)]
        pairs = [(item.get("id"), item.get("name")) for item in items]
        found = [
            (key, name) for key, name in pairs if isinstance(key, str) and isinstance(name, str) and name
        ]
        if len(found) != len(pairs):
            raise UnreadableError(
                f"Chroma at {self._client.server}: {path} is not a list as Chroma answers it."
            )
        return found

    def _counted(self, place: str) -> int:
        count = self._client.get(f"{place}/count")
        if not isinstance(count, int) or isinstance(count, bool):
            raise UnreadableError(f"Chroma at {self._client.server}: {place}/count is no number.")
        return count

    def _sampled(self, place: str) -> tuple[PayloadField, ...]:
        """Servers below 1.1 keep no schema."""
        return infer(row for row in self._rows(place, 0, _SAMPLE) if row)

    def _provenance(self, place: str, count: int | None) -> tuple[ProvenanceCount, ...]:
        counter = ValueCounter(self._fields, self._max_values)
        most = self._max_rows if count is None else min(count, self._max_rows)
        wanted = most if self._fields else 0
        while counter.rows < wanted:
            rows = self._rows(place, counter.rows, min(_ROWS_A_PAGE, wanted - counter.rows))
            if not rows:
                break
            counter.add_rows(rows)
        return counter.result(count)

    def _rows(self, place: str, offset: int, limit: int) -> list[Mapping[str, Any] | None]:
        """Payload of some rows, in the order of insertion; what ``uris=`` wrote is the field ``uri``."""
        include = ["metadatas", "uris"] if "uri" in self._fields else ["metadatas"]
        body = {"include": include, "limit": limit, "offset": offset}
        answer = mapping(self._client.post(f"{place}/get", body, reads=True))
        rows = answer.get("metadatas")
        if not isinstance(rows, list):
            raise UnreadableError(f"Chroma at {self._client.server}: {place}/get has no metadatas.")
        uris = answer.get("uris")
        if isinstance(uris, list) and len(uris) == len(rows):
            return [
                {"uri": uri, **mapping(row)} if uri else mapping(row)
                for uri, row in zip(uris, rows, strict=True)
            ]
        return [mapping(row) for row in rows]


def _stored(name: Name, answer: object) -> Stored:
    spec = mapping(answer)
    identity, dimension = spec.get("id"), spec.get("dimension")
    if not isinstance(identity, str) or spec.get("name") != name[-1]:
        raise UnreadableError(
            f"Chroma: the answer about {'.'.join(name)} is not a collection as Chroma describes it."
        )
    return Stored(
        identity=identity,
        name=name,
        dimension=dimension if isinstance(dimension, int) else None,
        schema=mapping(spec.get("schema")),
        configuration=mapping(spec.get("configuration_json")),
        metadata=mapping(spec.get("metadata")),
    )
