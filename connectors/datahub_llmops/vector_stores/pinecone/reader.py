"""Reads Pinecone over its REST API: one control plane, and a host for the data of each index.

https://docs.pinecone.io/reference/api/introduction
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final
from urllib.parse import quote, urlsplit

from datahub_llmops.assets.collections import (
    Collection,
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
from datahub_llmops.ingestion.chunk_ids import Keys, find_ids, parse_keys, parse_text, parse_uuid
from datahub_llmops.ingestion.sampling import ValueCounter, infer, text_path
from datahub_llmops.net.connections import parse_url
from datahub_llmops.net.http import HttpClient, path_part, split_for_urls
from datahub_llmops.net.json_values import mapping, text
from datahub_llmops.net.paging import MOST_PAGES, Pages
from datahub_llmops.vector_stores.pinecone.facts import (
    Index,
    Namespace,
    Stats,
    number,
    parse_index,
    parse_namespace,
    parse_stats,
)

API_VERSION: Final = "2026-07"
_NAMESPACES_A_PAGE: Final = 100
_IDS_A_PAGE: Final = 100
_BYTES_OF_IDS: Final = 6_000
"""Ids of one fetch are part of its URL, whose length servers limit."""
_DOMAIN: Final = "pinecone.io"
"""The domain of every host of the service."""
_SAMPLE: Final = 1_000
_LONGEST_ID: Final = 512
"""Maximum length of a record's id, which is ASCII."""
_PAGES_OF_NODES: Final = 10
"""Pages of ids that are searched for LlamaIndex's nodes: 1,000 ids for 10 read units."""
_NOT_FOUND: Final = 5
"""A code of gRPC, which the hosts of the indexes use in their answers."""


def absent(status: int, answer: object) -> bool:
    """Whether Pinecone itself says that something does not exist."""
    spec = mapping(answer)
    code = mapping(spec.get("error")).get("code")
    return status == 404 and (code == "NOT_FOUND" or spec.get("code") == _NOT_FOUND)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opened:
    """An index, the client of its host, and the answers of that host."""

    index: Index
    client: HttpClient
    stats: Stats
    namespaces: Mapping[str, Namespace] = field(default_factory=dict)


class PineconeReader:
    """A ``Reader`` of the indexes of one project. It closes ``client``, which calls the control plane.

    An index that ``wanted`` rejects is listed by its own name, and its host is not called. ``workers`` threads call the
    other hosts, with ``private`` their private ones. It reads the payload of up to ``sample_rows`` records of each
    namespace, which costs read units, and counts ``provenance_fields`` in it, with at most ``max_values`` different
    values each. ``describe_namespaces`` also reads sizes and filterable fields.
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
        """Read units that Pinecone has charged so far."""

    def names(self) -> Iterator[Name | FailedListing]:
        """List the namespaces of all indexes, sorted, by one request for the indexes and one to each host."""
        indexes = self._list_indexes()
        pool = ThreadPoolExecutor(max_workers=self._workers, thread_name_prefix="pinecone")
        try:
            asked: list[tuple[Index, Future[_Opened | ConnectorError] | None]] = [
                (found, pool.submit(self._try_open, found) if self._wanted(found.name) else None)
                for found in indexes
            ]
            for found, future in asked:
                if future is None:
                    yield (found.name,)
                else:
                    yield from self._list_namespaces(found, future.result())
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def read(self, name: Name) -> Collection:
        opened = self._open_namespace(name)
        count = opened.stats.namespaces[name[1]]
        sampled, provenance = self._read_payload(opened, name[1], count) if self._sample_rows else ((), ())
        more = opened.namespaces.get(name[1], Namespace())
        fields = opened.index.fields(sampled, more.filterable)
        paths = [item.path for item in fields]
        return Collection(
            name=name,
            containers=(opened.index.container(),),
            vectors=opened.index.vectors(opened.stats, paths),
            fields=fields,
            # A namespace is flat: LangChain puts the text beside the metadata, by default under "text".
            text_field=opened.index.text_field or text_path(paths, "pinecone"),
            count=count,
            size_bytes=more.size_bytes,
            region=opened.index.region,
            properties={**opened.index.properties(), "index": name[0], "namespace": name[1]},
            provenance=provenance,
        )

    def has(self, name: Name, ids: Sequence[str]) -> frozenset[str]:
        """Look up ids by one listing each, or on pods by fetching the records.

        LlamaIndex reports the id of a node and writes ``<document>#<node>``. Such a node is found in the first 1,000
        ids only.
        """
        keys = parse_keys(ids, _parse_id)
        if not keys:
            return frozenset()
        opened = self._open_namespace(name)
        try:
            if not opened.index.can_list:
                return find_ids(keys, self._fetch_keys(opened, name[1], list(keys)))
            there = {key for key in keys if self._is_listed(opened, name[1], key)}
            return find_ids(keys, there) | self._find_nodes(opened, name[1], keys.keys() - there, keys)
        except (AccessError, VanishedError) as error:
            raise self._explain_error(opened, name[1], error) from None

    def close(self) -> None:
        self._client.close()

    def _open_namespace(self, name: Name) -> _Opened:
        if len(name) != 2:
            raise VanishedError(f"{self._client.name}: no namespace {'.'.join(name)!r}.")
        opened = self._open(name[0])
        if name[1] not in opened.stats.namespaces:
            raise VanishedError(f"{self._client.name}: no namespace {name[1]!r} in the index {name[0]}.")
        return opened

    def _list_indexes(self) -> list[Index]:
        try:
            entries = mapping(self._client.get("/indexes")).get("indexes")
        except VanishedError as error:
            raise UnreachableError(f"{error} Set url to the root of Pinecone's control plane.") from None
        if not isinstance(entries, list):
            raise UnreachableError(
                f"{self._client.name}: what answers is not Pinecone's control plane. Set url to its root, as in "
                "https://api.pinecone.io."
            )
        found = [parse_index(entry) for entry in entries]
        known = {item.name: item for item in found if item is not None}
        if len(known) != len(entries):
            raise UnreadableError(
                f"{self._client.name}: the answer to /indexes does not look like one of Pinecone's API {API_VERSION}."
            )
        return [known[name] for name in sorted(known)]

    def _list_namespaces(
        self, found: Index, opened: _Opened | ConnectorError
    ) -> Iterator[Name | FailedListing]:
        if isinstance(opened, VanishedError):
            return
        if isinstance(opened, ConnectorError):
            yield FailedListing(name=(found.name,), error=opened)
            return
        if opened.stats.ambiguous:
            message = f"{self._client.name}: the index {found.name} lists its default namespace twice. Run again later."
            yield FailedListing(name=(found.name,), error=UnreadableError(message))
        yield from ((found.name, name) for name in opened.stats.namespaces)

    def _try_open(self, found: Index) -> _Opened | ConnectorError:
        try:
            opened = self._call_host(found)
        except ConnectorError as error:
            return error
        with self._lock:
            self._opened[found.name] = opened
        return opened

    def _open(self, name: str) -> _Opened:
        """Return the index as it was listed, or read it now."""
        with self._lock:
            known = self._opened.get(name)
        if known is not None:
            return known
        described = parse_index(self._client.get(f"/indexes/{path_part(name)}"))
        if described is None or described.name != name:
            raise UnreadableError(
                f"{self._client.name}: the answer about {name!r} is not an index of that name."
            )
        opened = self._try_open(described)
        if isinstance(opened, ConnectorError):
            raise opened
        return opened

    def _call_host(self, found: Index) -> _Opened:
        """Call the host of an index.

        Raises:
            VanishedError: the control plane says that the index does not exist (any more).
            UnreadableError: its host does not answer; those of other indexes may.
        """
        client = self._client_of(found)
        try:
            counted = self._read_stats(found, client)
            more = self._describe_namespaces(client) if self._describe and found.can_list else {}
        except (UnreachableError, VanishedError) as error:
            # A host disappears with its index. Only the control plane knows whether that is the reason.
            if self._is_gone(found.name):
                raise VanishedError(
                    f"{self._client.name}: the index {found.name} does not exist (any more)."
                ) from None
            raise UnreadableError(str(error)) from None
        return _Opened(index=found, client=client, stats=counted, namespaces=more)

    def _client_of(self, found: Index) -> HttpClient:
        host = (found.private_host if self._private else None) or found.host
        if host is None:
            raise UnreadableError(
                f"{self._client.name}: the index {found.name} has no host ({found.state or 'no state'}). Run again "
                "when it is ready, or leave it out by index_pattern."
            )
        address = host if "://" in host else f"https://{host}"
        if problem := self._find_problem(address):
            raise UnreadableError(
                f"{self._client.name}: the host of the index {found.name} {problem}, so the key was not sent to it."
            )
        return self._client.at(address)

    def _find_problem(self, address: str) -> str | None:
        """Return why the key must not go to the host of an index, or ``None``.

        The control plane names the host. A wrong one could make the key go anywhere, so it has to belong to Pinecone or
        to the server in the recipe.
        """
        try:
            origin, _, login = parse_url(self._client.system, address)
        except UnreachableError:
            return "is not an address"
        if login is not None:
            return "contains credentials"
        if not origin.startswith("https:") and not self._client.is_plain:
            return "is not https"
        named, own = (urlsplit(url).hostname or "" for url in (origin, f"//{self._client.server}"))
        if not any(named == host or named.endswith(f".{host}") for host in (_DOMAIN, own)):
            return "belongs neither to pinecone.io nor to the url of the recipe"
        return None

    def _read_stats(self, found: Index, client: HttpClient) -> Stats:
        counted = parse_stats(client.post("/describe_index_stats", {}, reads=True))
        if counted is None:
            raise UnreadableError(
                f"{client.name}: the counts of the index {found.name} do not look like an answer of Pinecone."
            )
        return counted

    def _describe_namespaces(self, client: HttpClient) -> dict[str, Namespace]:
        found: dict[str, Namespace] = {}
        for page in self._read_pages(client, "/namespaces", {"limit": _NAMESPACES_A_PAGE}, "namespaces"):
            found |= dict(filter(None, map(parse_namespace, page)))
        return found

    def _is_gone(self, name: str) -> bool:
        try:
            self._client.get(f"/indexes/{path_part(name)}")
        except VanishedError:
            return True
        except ConnectorError:
            pass
        return False

    def _read_payload(
        self, opened: _Opened, name: str, count: int | None
    ) -> tuple[tuple[PayloadField, ...], tuple[ProvenanceCount, ...]]:
        """Return fields and provenance of the first records by id."""
        if not opened.index.can_list:
            nothing = [
                ProvenanceCount(field=item, values={}, rows_scanned=0, rows_total=count)
                for item in self._fields[:1]
            ]
            return (), tuple(nothing)
        counter = ValueCounter(self._fields, self._max_values)
        sample: list[Mapping[str, Any]] = []
        try:
            for rows in self._read_rows(opened, name):
                counter.add_rows(rows)
                sample += islice(rows, max(0, _SAMPLE - len(sample)))
        except DeniedError as error:
            raise DeniedError(f"{error} Set sample_rows to 0 to leave out the payload.") from None
        except (AccessError, VanishedError) as error:
            raise self._explain_error(opened, name, error) from None
        return infer(sample, complete=count == len(sample)), counter.result(count)

    def _explain_error(self, opened: _Opened, name: str, error: ConnectorError) -> ConnectorError:
        """Return the error of records that cannot be read: is the namespace gone, or may the key count but not read?"""
        if isinstance(error, DeniedError):
            return error
        if isinstance(error, VanishedError):
            again = self._try_open(opened.index)
            gone = isinstance(again, VanishedError)
            if gone or (isinstance(again, _Opened) and name not in again.stats.namespaces):
                return error
        return UnreadableError(str(error))

    def _read_rows(self, opened: _Opened, name: str) -> Iterator[list[Mapping[str, Any]]]:
        left = self._sample_rows
        for ids in self._list_ids(opened, name, most=max(MOST_PAGES, left)):
            wanted = ids[:left]
            left -= len(wanted)
            for part in split_for_urls(wanted, _as_parameter, _BYTES_OF_IDS):
                if opened.index.holds_documents:
                    yield self._fetch_documents(opened, f"{_documents(name)}/fetch", part)
                else:
                    yield self._fetch_metadata(opened.client, name, part)
            if left <= 0:
                return

    def _list_ids(self, opened: _Opened, name: str, *, most: int, **query: str | int) -> Iterator[list[str]]:
        """Yield the ids of records page by page, sorted by their bytes. ``query`` overrides the limit."""
        if opened.index.holds_documents:
            asked: dict[str, str | int] = {"limit": _IDS_A_PAGE, **query}
            pages = self._read_pages(opened.client, f"{_documents(name)}/list", asked, "documents", most)
        else:
            asked = {"namespace": name, "limit": _IDS_A_PAGE, **query}
            pages = self._read_pages(opened.client, "/vectors/list", asked, "vectors", most)
        key = "_id" if opened.index.holds_documents else "id"
        for page in pages:
            yield [one for item in page if (one := text(mapping(item).get(key)))]

    def _is_listed(self, opened: _Opened, name: str, key: str) -> bool:
        """Whether a record has this id: of all ids that begin with it, it is the first one."""
        return key in next(self._list_ids(opened, name, most=1, prefix=key, limit=1))

    def _find_nodes(
        self, opened: _Opened, name: str, missing: Iterable[str], keys: Keys[str]
    ) -> frozenset[str]:
        """Return the ids that are nodes of LlamaIndex, whose records are called ``<document>#<node>``.

        Raises:
            UnreadableError: the namespace has such records, and too many to list.
        """
        wanted = {node: key for key in missing if (node := parse_uuid(key))}
        found: set[str] = set()
        pages = self._list_ids(opened, name, most=MOST_PAGES) if wanted else iter(())
        for at, page in enumerate(pages):
            if at == _PAGES_OF_NODES:
                raise UnreadableError(
                    f"{self._client.name}: the namespace {name!r} of the index {opened.index.name} holds too many "
                    "records of LlamaIndex to look up the id of a node, which is only the end of a record's id. Give "
                    "the ids of the records, or leave it out by index_pattern."
                )
            nodes = {node for one in page if "#" in one and (node := parse_uuid(one.rpartition("#")[2]))}
            found |= nodes & wanted.keys()
            if len(found) == len(wanted) or (at == 0 and not nodes):
                break
        return find_ids(keys, (wanted[node] for node in found))

    def _fetch_keys(self, opened: _Opened, name: str, keys: Sequence[str]) -> list[str]:
        """Return the ids of the records that exist. Pods can only be asked for the records themselves."""
        found: list[str] = []
        for part in split_for_urls(keys, _as_parameter, _BYTES_OF_IDS):
            found += self._fetch(opened.client, name, part)
        return found

    def _fetch_metadata(self, client: HttpClient, name: str, ids: Sequence[str]) -> list[Mapping[str, Any]]:
        found = self._fetch(client, name, ids)
        return [mapping(mapping(item).get("metadata")) for item in found.values()]

    def _fetch(self, client: HttpClient, name: str, ids: Sequence[str]) -> Mapping[str, Any]:
        answer = mapping(client.get("/vectors/fetch", {"ids": ids, "namespace": name}))
        self._add_cost(answer)
        found = answer.get("vectors")
        if not isinstance(found, Mapping):
            raise client.unexpected("/vectors/fetch")
        return found

    def _fetch_documents(self, opened: _Opened, path: str, ids: Sequence[str]) -> list[Mapping[str, Any]]:
        """Fetch documents without their ids and vectors."""
        client = opened.client
        answer = mapping(client.post(path, {"ids": list(ids)}, reads=True))
        self._add_cost(answer)
        found = answer.get("documents")
        if not isinstance(found, Mapping):
            raise client.unexpected(path)
        vectors = {vector.name for vector in opened.index.vectors(opened.stats, ())}
        return [
            {key: value for key, value in mapping(item).items() if key not in vectors and key[:1] != "_"}
            for item in found.values()
        ]

    def _read_pages(
        self,
        client: HttpClient,
        path: str,
        query: Mapping[str, str | int],
        key: str,
        most: int = MOST_PAGES,
    ) -> Iterator[list[Any]]:
        """Yield the entries under ``key`` page by page. Documents are listed by a POST, everything else by a GET."""
        token: str | None = None
        pages = Pages.of(client, path, most)
        while True:
            if key == "documents":
                body = query if token is None else {**query, "pagination_token": token}
                answer = mapping(client.post(path, body, reads=True))
            else:
                asked = query if token is None else {**query, "paginationToken": token}
                answer = mapping(client.get(path, asked))
            self._add_cost(answer)
            page = answer.get(key)
            if not isinstance(page, list):
                raise client.unexpected(path)
            pages.add(map(_key_of, page))
            yield page
            token = text(mapping(answer.get("pagination")).get("next"))
            if token is None:
                return
            pages.turn(token)

    def _add_cost(self, answer: Mapping[str, Any]) -> None:
        usage = mapping(answer.get("usage"))
        with self._lock:
            self.read_units += number(usage.get("readUnits", usage.get("read_units"))) or 0


def _key_of(entry: object) -> str | None:
    """Return what tells an entry of a listing from the others: the id of a record, or the name of a namespace."""
    found = mapping(entry)
    return next((key for key in map(text, map(found.get, ("_id", "id", "name"))) if key is not None), None)


def _documents(name: str) -> str:
    return f"/namespaces/{path_part(name)}/documents"


def _parse_id(written: str) -> str | None:
    key = parse_text(written)
    return key if key is not None and key.isascii() and len(key) <= _LONGEST_ID else None


def _as_parameter(key: str) -> str:
    # Half of a surrogate pair cannot be sent; no record has one in its id.
    return f"&ids={quote(key, safe='', errors='replace')}"
