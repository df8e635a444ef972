"""Reads a Qdrant server over its REST API (Qdrant 1.0 and later, and Qdrant Cloud).

https://api.qdrant.tech/api-reference
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from datahub_llmops.assets.collections import Collection, Container, Name, ProvenanceCount
from datahub_llmops.errors import UnreachableError, UnreadableError, VanishedError
from datahub_llmops.ingestion.chunk_ids import find_ids, parse_integer, parse_keys, parse_uuid
from datahub_llmops.ingestion.once import Once
from datahub_llmops.ingestion.sampling import (
    ValueCounter,
    described,
    infer,
    provenance_paths,
    text_path,
)
from datahub_llmops.net.http import HttpClient, path_part
from datahub_llmops.net.json_values import is_since, mapping, mappings, text, whole
from datahub_llmops.net.paging import Pages
from datahub_llmops.vector_stores.qdrant.facts import CollectionInfo, json_path, shard_keys

_SAMPLE: Final = 100
_ROWS_A_PAGE: Final = 1_000
_FACETS_SINCE: Final = (1, 12)
_NOT_IN_NAMES: Final = frozenset('<>:"/\\|?*\0\x1f')
"""Qdrant refuses a collection whose name contains one of these."""


def absent(status: int, answer: object) -> bool:
    """Whether Qdrant itself says that a collection does not exist."""
    error = text(mapping(mapping(answer).get("status")).get("error")) or ""
    return status == 404 and error.startswith("Not found: Collection")


class QdrantReader:
    """A ``Reader`` of one server. It closes ``client``.

    The server counts ``provenance_fields`` over all points if it has a suitable index (facets, since Qdrant 1.12);
    otherwise the reader scrolls through at most ``max_rows`` points. At most ``max_values`` different values are kept
    of each. ``exact_count`` counts the points one by one; without it the server's estimate is used.
    """

    def __init__(
        self,
        client: HttpClient,
        *,
        provenance_fields: Sequence[str] = (),
        max_rows: int = 100_000,
        max_values: int = 10_000,
        exact_count: bool = True,
    ) -> None:
        self._client = client
        self._fields = tuple(provenance_fields)
        self._max_rows = max_rows
        self._max_values = max_values
        self._exact_count = exact_count
        self._server = Once(self._read_server)

    def names(self) -> Iterator[Name]:
        """List all collections that the key may see, sorted, because a server lists them in any order."""
        self._server()
        listed = self._unwrap(self._client.get("/collections"), "/collections").get("collections")
        names = [text(entry.get("name")) for entry in mappings(listed)]
        if not isinstance(listed, list) or None in names:
            raise self._client.unexpected("/collections")
        yield from ((name,) for name in sorted({name for name in names if name}))

    def read(self, name: Name) -> Collection:
        base = self._path_of(name)
        server = self._server()
        found = CollectionInfo(info=self._unwrap(self._client.get(base), base))
        if not found.info.get("config"):
            raise self._client.unexpected(base)
        count = self._read_count(base) if self._exact_count else found.approximate_count
        rows, complete = self._read_sample(base, found) if count != 0 else ([], True)
        fields = described(found.fields(infer(rows, complete=complete)))
        paths = [item.path for item in fields]
        return Collection(
            name=name,
            containers=(server,),
            vectors=found.vectors(paths),
            fields=fields,
            text_field=text_path(paths),
            count=count,
            count_is_estimate=not self._exact_count and count is not None,
            created=found.created,
            aliases=self._list_aliases(base),
            partitions=self._list_partitions(base) if found.is_sharded_by_key else (),
            description=found.description(),
            properties=found.properties(),
            provenance=self._count_provenance(base, found, provenance_paths(self._fields, paths), count),
        )

    def has(self, name: Name, ids: Sequence[str]) -> frozenset[str]:
        keys = parse_keys(ids, _parse_key)
        if not keys:
            return frozenset()
        path = f"{self._path_of(name)}/points"
        body = {"ids": list(keys), "with_payload": False, "with_vector": False}
        envelope = mapping(self._client.post(path, body, reads=True))
        points = envelope.get("result")
        if envelope.get("status") != "ok" or not isinstance(points, list):
            raise self._client.unexpected(path)
        found = [_parse_key(str(point.get("id"))) for point in mappings(points)]
        if None in found:
            raise self._client.unexpected(path)
        return find_ids(keys, (key for key in found if key is not None))

    def close(self) -> None:
        self._client.close()

    def _path_of(self, name: Name) -> str:
        if len(name) != 1 or not name[0] or not _NOT_IN_NAMES.isdisjoint(name[0]):
            raise VanishedError(f"{self._client.name}: no collection {'.'.join(name)!r}.")
        if name[0] in (".", ".."):
            raise UnreadableError(
                f"{self._client.name}: a collection named {name[0]!r} has no URL. Create an alias, "
                "copy it under another name, or filter it out by collection_pattern."
            )
        return f"/collections/{path_part(name[0])}"

    def _read_server(self) -> Container:
        """Describe the server, after checking that it is Qdrant."""
        answer = mapping(self._client.get("/"))
        version = text(answer.get("version"))
        if "qdrant" not in (text(answer.get("title")) or "").lower():
            raise UnreachableError(
                f"{self._client.name}: what answers is not Qdrant. Set url to its root and REST port, for "
                "example http://localhost:6333."
            )
        properties = {"version": version} if version else {}
        return Container(kind="Server", name=self._client.server, properties=properties)

    @property
    def _has_facets(self) -> bool:
        return is_since(self._server().properties.get("version"), _FACETS_SINCE)

    def _unwrap(self, answer: object, path: str) -> Mapping[str, Any]:
        """Return the result inside Qdrant's envelope."""
        envelope = mapping(answer)
        result = envelope.get("result")
        if envelope.get("status") != "ok" or not isinstance(result, Mapping):
            raise self._client.unexpected(path)
        return result

    def _ask(self, path: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        return self._unwrap(self._client.post(path, body, reads=True), path)

    def _read_count(self, base: str, condition: Mapping[str, Any] | None = None) -> int:
        body = {"exact": True} if condition is None else {"exact": True, "filter": condition}
        count = whole(self._ask(f"{base}/points/count", body).get("count"))
        if count is None or count < 0:
            raise self._client.unexpected(f"{base}/points/count")
        return count

    def _list_aliases(self, base: str) -> tuple[str, ...]:
        listed = self._unwrap(self._client.get(f"{base}/aliases"), f"{base}/aliases").get("aliases")
        names = (text(item.get("alias_name")) for item in mappings(listed))
        return tuple(sorted(name for name in names if name))

    def _list_partitions(self, base: str) -> tuple[str, ...]:
        return shard_keys(self._unwrap(self._client.get(f"{base}/cluster"), f"{base}/cluster"))

    def _read_sample(self, base: str, found: CollectionInfo) -> tuple[list[Mapping[str, Any]], bool]:
        """Return the payload of the first points, and whether these are all points."""
        limit = min(_SAMPLE, found.largest_limit or _SAMPLE)
        rows, following = self._read_page(base, limit, None, True)
        return rows, following is None

    def _read_page(
        self, base: str, limit: int, offset: object, payload: bool | Sequence[str]
    ) -> tuple[list[Mapping[str, Any]], object]:
        path = f"{base}/points/scroll"
        body = {"limit": limit, "with_payload": payload, "with_vector": False}
        answer = self._ask(path, body if offset is None else {**body, "offset": offset})
        points = answer.get("points")
        if not isinstance(points, list):
            raise self._client.unexpected(path)
        return [mapping(point.get("payload")) for point in mappings(points)], answer.get("next_page_offset")

    def _count_provenance(
        self, base: str, found: CollectionInfo, paths: Sequence[str], count: int | None
    ) -> tuple[ProvenanceCount, ...]:
        """Count in the order of ``paths``. One scroll counts all fields without a suitable index."""
        keys = {path: found.facet_key(path) if self._has_facets else None for path in paths}
        counted = {
            item.field: item
            for path, key in keys.items()
            if key is not None and (item := self._count_by_facet(base, found, path, key, count))
        }
        scanned = self._count_by_scrolling(
            base, found, [path for path, key in keys.items() if key is None], count
        )
        counted |= {item.field: item for item in scanned}
        return tuple(counted[path] for path in paths if path in counted)

    def _count_by_facet(
        self, base: str, found: CollectionInfo, path: str, key: str, count: int | None
    ) -> ProvenanceCount | None:
        """Have the engine count the values of one field over all points.

        It does not say how many values there are beyond ``max_values``, so the points with the field are counted then.
        https://qdrant.tech/documentation/concepts/payload/#facet-counts
        """
        limit = min(self._max_values, found.largest_limit or self._max_values)
        request = f"{base}/facet"
        hits = self._ask(request, {"key": key, "limit": limit, "exact": True}).get("hits")
        if not isinstance(hits, list):
            raise self._client.unexpected(request)
        counter = ValueCounter([path], limit)
        for hit in mappings(hits):
            value, times = hit.get("value"), whole(hit.get("count"))
            written = value if isinstance(value, str) else whole(value)
            if times is None:
                raise self._client.unexpected(request)
            if written is not None:
                counter.add(path, str(written), times)
        values = next(iter(counter.result(None)), None)
        if values is None:
            return None
        carrying = (
            self._read_count(base, {"must_not": [{"is_empty": {"key": key}}]}) if len(hits) >= limit else 0
        )
        total = count if count is not None else carrying
        return ProvenanceCount(
            field=path,
            values=values.values,
            rows_scanned=total,
            rows_total=total,
            values_dropped=max(0, carrying - sum(values.values.values())),
        )

    def _count_by_scrolling(
        self, base: str, found: CollectionInfo, paths: Sequence[str], count: int | None
    ) -> tuple[ProvenanceCount, ...]:
        counter = ValueCounter(paths, self._max_values)
        wanted = _payload_paths(paths)
        offset: object = None
        pages = Pages.of(self._client, f"{base}/points/scroll", self._max_rows)
        while paths and counter.rows < self._max_rows:
            limit = min(_ROWS_A_PAGE, found.largest_limit or _ROWS_A_PAGE, self._max_rows - counter.rows)
            rows, offset = self._read_page(base, limit, offset, wanted)
            counter.add_rows(rows)
            if offset is None or not rows:
                break
            pages.turn(offset)
        return counter.result(counter.rows if offset is None else count)


def _parse_key(written: str) -> str | int | None:
    """Return an id as Qdrant takes it: an unsigned integer of 64 bits, or a UUID."""
    number = parse_integer(written, 0, 2**64 - 1)
    return parse_uuid(written) if number is None else number


def _payload_paths(paths: Sequence[str]) -> bool | list[str]:
    """Return the fields to ask for, or ``True`` (the whole payload) if one of them cannot be written as a path."""
    asked: list[str] = []
    for path in paths:
        written = json_path(path)
        if written is None:
            return True
        # The dot may be part of a name, so ask for both readings.
        asked += [written, f'"{path}"'] if "." in path else [written]
    return asked
