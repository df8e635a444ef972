"""Reads Pinecone over its REST API: one control plane, and a host for the data of each index.

https://docs.pinecone.io/reference/api/introduction
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final
from urllib.parse import quote, urlsplit

from datahub_llmops.assets.collections import (
    Collection,
    Name,
    PayloadField,
    ProvenanceCount,
    Unlisted,
)
from datahub_llmops.errors import (
    AccessError,
    ConnectorError,
    DeniedError,
    UnreachableError,
    UnreadableError,
    VanishedError,
)
from datahub_llmops.ingestion.sampling import ValueCounter, infer, text_path
from datahub_llmops.net.http import HttpClient
from datahub_llmops.net.json_values import mapping, text
from datahub_llmops.vector_stores.pinecone.facts import (
    Index,
    Namespace,
    Stats,
    index,
    namespace,
    number,
    stats,
)

API_VERSION: Final = "2026-07"
_NAMESPACES_A_PAGE: Final = 100
_IDS_A_PAGE: Final = 100
_BYTES_OF_IDS: Final = 6_000
"""Ids of one fetch stand in its address, which must not become longer than servers take."""
_SAMPLE: Final = 1_000
_NOT_FOUND: Final = 5
"""Of gRPC, which the hosts of the indexes answer with."""


def absent(status: int, answer: object) -> bool:
    """Is this Pinecone's own word that something is not there?"""
    spec = mapping(answer)
    code = mapping(spec.get("error")).get("code")
    return status == 404 and (code == "NOT_FOUND" or spec.get("code") == _NOT_FOUND)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opened:
    """An index with its host and what its host said."""

    index: Index
    client: HttpClient
    stats: Stats
    namespaces: Mapping[str, Namespace] = field(default_factory=dict)


class PineconeReader:
    """A ``Reader`` of the indexes of one project. ``client``, of the control plane, is closed with it.

    An index that ``wanted`` does not let through is listed as its own path, and its host is not asked. Hosts are asked
    by ``workers`` threads, ``private`` ones where there are some. Of each namespace the payload of up to
    ``sample_rows`` records is read, which costs read units; ``provenance_fields`` are counted in it, up to
    ``max_values`` different values each. With ``describe_namespaces`` sizes and fields to filter by are asked for.
    """

    def __init__(
        self,
        client: HttpClient,
        *,
        wanted: Callable[[str], bool] = lambda name: True,
        workers: int = 8,
        private: bool = False,
        describe_namespaces: bool = False,
        sample_rows: int = 0,
        provenance_fields: Sequence[str] = (),
        max_values: int = 10_000,
    ) -> None:
        self._client = client
        self._wanted = wanted
        self._workers = workers
        self._private = private
        self._describe = describe_namespaces
        self._sample_rows = sample_rows
        self._fields = tuple(provenance_fields)
        self._max_values = max_values
        self._lock = threading.Lock()
        self._opened: dict[str, _Opened] = {}
        self.read_units = 0
        """What reading records has cost so far, as Pinecone says."""

    def names(self) -> Iterator[Name | Unlisted]:
        """Namespaces of all indexes, sorted: one request for the indexes, and one to each of their hosts."""
        indexes = self._listed()
        pool = ThreadPoolExecutor(max_workers=self._workers, thread_name_prefix="pinecone")
        try:
            asked: list[tuple[Index, Future[_Opened | ConnectorError] | None]] = [
                (found, pool.submit(self._looked_at, found) if self._wanted(found.name) else None)
                for found in indexes
            ]
            for found, future in asked:
                if future is None:
                    yield (found.name,)
                else:
                    yield from self._names_of(found, future.result())
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def read(self, name: Name) -> Collection:
        if len(name) != 2:
            raise VanishedError(f"{self._where}: no namespace {'.'.join(name)!r}.")
        opened = self._open(name[0])
        if name[1] not in opened.stats.namespaces:
            raise VanishedError(f"{self._where}: no namespace {name[1]!r} in the index {name[0]}.")
        count = opened.stats.namespaces[name[1]]
        sampled, provenance = self._payload(opened, name[1], count) if self._sample_rows else ((), ())
        more = opened.namespaces.get(name[1], Namespace())
        fields = opened.index.fields(sampled, more.filterable)
        paths = [item.path for item in fields]
        return Collection(
            name=name,
            containers=(opened.index.container(),),
            vectors=opened.index.vectors(opened.stats, paths),
            fields=fields,
            # A namespace is flat: LangChain's text lies beside its metadata, under "text" by default.
            text_field=opened.index.text_field or text_path(paths) or ("text" if "text" in paths else None),
            count=count,
            size_bytes=more.size_bytes,
            region=opened.index.region,
            properties={**opened.index.properties(), "index": name[0], "namespace": name[1]},
            provenance=provenance,
        )

    def close(self) -> None:
        self._client.close()

    @property
    def _where(self) -> str:
        return f"Pinecone at {self._client.server}"

    def _listed(self) -> list[Index]:
        try:
            entries = mapping(self._client.get("/indexes")).get("indexes")
        except VanishedError as error:
            raise UnreachableError(f"{error} Set url to the root of Pinecone's control plane.") from None
        if not isinstance(entries, list):
            raise UnreachableError(
                f"{self._where}: what answers is not Pinecone's control plane. Set url to its root, as in "
                "https://api.pinecone.io."
            )
        found = [index(entry) for entry in entries]
        known = {item.name: item for item in found if item is not None}
        if len(known) != len(entries):
            raise UnreadableError(f"{self._where}: /indexes does not answer as Pinecone {API_VERSION} does.")
        return [known[name] for name in sorted(known)]

    def _names_of(self, found: Index, opened: _Opened | ConnectorError) -> Iterator[Name | Unlisted]:
        if isinstance(opened, VanishedError):
            return
        if isinstance(opened, ConnectorError):
            yield Unlisted(name=(found.name,), error=opened)
            return
        if opened.stats.ambiguous:
            message = (
                f"{self._where}: the index {found.name} lists its default namespace twice. Run again later."
            )
            yield Unlisted(name=(found.name,), error=UnreadableError(message))
        yield from ((found.name, name) for name in opened.stats.namespaces)

    def _looked_at(self, found: Index) -> _Opened | ConnectorError:
        try:
            opened = self._asked(found)
        except ConnectorError as error:
            return error
        with self._lock:
            self._opened[found.name] = opened
        return opened

    def _open(self, name: str) -> _Opened:
        """As it was listed, else asked for now."""
        with self._lock:
            known = self._opened.get(name)
        if known is not None:
            return known
        described = index(self._client.get(f"/indexes/{quote(name, safe='')}"))
        if described is None or described.name != name:
            raise UnreadableError(f"{self._where}: the answer about {name!r} is not an index of that name.")
        opened = self._looked_at(described)
        if isinstance(opened, ConnectorError):
            raise opened
        return opened

    def _asked(self, found: Index) -> _Opened:
        """What the host of an index says.

        Raises:
            VanishedError: the control plane says that there is no such index (any more).
            UnreadableError: its host does not answer; those of other indexes may.
        """
        client = self._host(found)
        try:
            said = self._stats(found, client)
            more = self._namespaces(client) if self._describe and found.can_list else {}
        except (UnreachableError, VanishedError) as error:
            # The host goes with its index. Whether that is why, only the control plane knows.
            if self._is_gone(found.name):
                raise VanishedError(
                    f"{self._where}: the index {found.name} is not there (any more)."
                ) from None
            raise UnreadableError(str(error)) from None
        return _Opened(index=found, client=client, stats=said, namespaces=more)

    def _host(self, found: Index) -> HttpClient:
        host = (found.private_host if self._private else None) or found.host
        if host is None:
            raise UnreadableError(
                f"{self._where}: the index {found.name} has no host ({found.state or 'no state'}). Run again when "
                "it is ready, or leave it out by index_pattern."
            )
        address = host if "://" in host else f"https://{host}"
        if not address.startswith("https:") and not self._client.is_plain:
            raise UnreadableError(
                f"{self._where}: the host of the index {found.name} is not https, and the key was not sent there."
            )
        if urlsplit(address).username is not None:
            raise UnreadableError(
                f"{self._where}: the host of the index {found.name} holds credentials; it was not asked."
            )
        return self._client.at(address)

    def _stats(self, found: Index, client: HttpClient) -> Stats:
        said = stats(client.post("/describe_index_stats", {}, reads=True))
        if said is None:
            raise UnreadableError(
                f"Pinecone at {client.server}: the counts of the index {found.name} are not what Pinecone answers."
            )
        return said

    def _namespaces(self, client: HttpClient) -> dict[str, Namespace]:
        found: dict[str, Namespace] = {}
        for page in self._pages(client, "/namespaces", {"limit": _NAMESPACES_A_PAGE}, "namespaces"):
            found |= dict(filter(None, map(namespace, page)))
        return found

    def _is_gone(self, name: str) -> bool:
        try:
            self._client.get(f"/indexes/{quote(name, safe='')}")
        except VanishedError:
            return True
        except ConnectorError:
            pass
        return False

    def _payload(
        self, opened: _Opened, name: str, count: int | None
    ) -> tuple[tuple[PayloadField, ...], tuple[ProvenanceCount, ...]]:
        """Fields and provenance of the first records, in the order of their ids."""
        if not opened.index.can_list:
            nothing = [
                ProvenanceCount(field=item, values={}, rows_scanned=0, rows_total=count)
                for item in self._fields[:1]
            ]
            return (), tuple(nothing)
        counter = ValueCounter(self._fields, self._max_values)
        kept: list[Mapping[str, Any]] = []
        try:
            for rows in self._rows(opened, name):
                counter.add_rows(rows)
                kept += islice(rows, max(0, _SAMPLE - len(kept)))
        except (AccessError, VanishedError) as error:
            raise self._of_one(opened, name, error) from None
        return infer(kept, complete=count == len(kept)), counter.result(count)

    def _of_one(self, opened: _Opened, name: str, error: ConnectorError) -> ConnectorError:
        """Records could not be read: is the namespace gone, or may this key count but not read?"""
        if isinstance(error, DeniedError):
            return DeniedError(f"{error} Set sample_rows to 0 to do without the payload.")
        if isinstance(error, VanishedError):
            again = self._looked_at(opened.index)
            gone = isinstance(again, VanishedError)
            if gone or (isinstance(again, _Opened) and name not in again.stats.namespaces):
                return error
        return UnreadableError(str(error))

    def _rows(self, opened: _Opened, name: str) -> Iterator[list[Mapping[str, Any]]]:
        left = self._sample_rows
        documents = opened.index.holds_documents
        place = f"/namespaces/{quote(name, safe='')}/documents"
        if documents:
            pages = self._pages(opened.client, f"{place}/list", {"limit": _IDS_A_PAGE}, "documents")
        else:
            query: dict[str, str | int] = {"namespace": name, "limit": _IDS_A_PAGE}
            pages = self._pages(opened.client, "/vectors/list", query, "vectors")
        for page in pages:
            ids = [text(mapping(item).get("_id" if documents else "id")) for item in page]
            wanted = [key for key in ids if key][:left]
            left -= len(wanted)
            for part in _parts(wanted):
                if documents:
                    yield self._documents(opened, place, part)
                else:
                    yield self._metadata(opened.client, name, part)
            if left <= 0:
                return

    def _metadata(self, client: HttpClient, name: str, ids: Sequence[str]) -> list[Mapping[str, Any]]:
        answer = mapping(client.get("/vectors/fetch", {"ids": ids, "namespace": name}))
        self._spent(answer)
        found = answer.get("vectors")
        if not isinstance(found, Mapping):
            raise UnreadableError(f"Pinecone at {client.server}: /vectors/fetch has no vectors.")
        return [mapping(mapping(item).get("metadata")) for item in found.values()]

    def _documents(self, opened: _Opened, place: str, ids: Sequence[str]) -> list[Mapping[str, Any]]:
        """Of a document the fields that are neither its id nor a vector."""
        client = opened.client
        answer = mapping(client.post(f"{place}/fetch", {"ids": list(ids)}, reads=True))
        self._spent(answer)
        found = answer.get("documents")
        if not isinstance(found, Mapping):
            raise UnreadableError(f"Pinecone at {client.server}: {place}/fetch has no documents.")
        vectors = {vector.name for vector in opened.index.vectors(opened.stats, ())}
        return [
            {key: value for key, value in mapping(item).items() if key not in vectors and key[:1] != "_"}
            for item in found.values()
        ]

    def _pages(
        self, client: HttpClient, place: str, query: Mapping[str, str | int], key: str
    ) -> Iterator[list[Any]]:
        """Entries under ``key``, page by page. Documents are listed by a request with a body, all else by a query."""
        token: str | None = None
        while True:
            if key == "documents":
                body = query if token is None else {**query, "pagination_token": token}
                answer = mapping(client.post(place, body, reads=True))
            else:
                asked = query if token is None else {**query, "paginationToken": token}
                answer = mapping(client.get(place, asked))
            self._spent(answer)
            page = answer.get(key)
            if not isinstance(page, list):
                raise UnreadableError(f"Pinecone at {client.server}: {place} has no {key}.")
            yield page
            following = text(mapping(answer.get("pagination")).get("next"))
            if following is None:
                return
            if following == token:
                raise UnreadableError(f"Pinecone at {client.server}: {place} answers the same page for ever.")
            token = following

    def _spent(self, answer: Mapping[str, Any]) -> None:
        usage = mapping(answer.get("usage"))
        with self._lock:
            self.read_units += number(usage.get("readUnits", usage.get("read_units"))) or 0


def _parts(ids: Sequence[str]) -> Iterator[list[str]]:
    """As many ids together as one address can carry."""
    part: list[str] = []
    size = 0
    for key in ids:
        length = len(quote(key, safe="")) + len("&ids=")
        if part and size + length > _BYTES_OF_IDS:
            yield part
            part, size = [], 0
        part.append(key)
        size += length
    if part:
        yield part
