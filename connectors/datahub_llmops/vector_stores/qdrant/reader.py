"""Reads a Qdrant server over its REST API (Qdrant 1.0 and later, and Qdrant Cloud).

https://api.qdrant.tech/api-reference
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from datahub_llmops.assets.collections import Collection, Container, Name, ProvenanceCount
from datahub_llmops.errors import UnreachableError, UnreadableError, VanishedError
from datahub_llmops.ingestion.once import Once
from datahub_llmops.ingestion.sampling import (
    ValueCounter,
    described,
    infer,
    provenance_paths,
    text_path,
)
from datahub_llmops.net.http import HttpClient
from datahub_llmops.net.json_values import is_since, mapping, text, whole
from datahub_llmops.vector_stores.qdrant.facts import Described, json_path, shard_keys

_SAMPLE: Final = 100
_ROWS_A_PAGE: Final = 1_000
_FIRST_WITH_FACETS: Final = (1, 12)
_NOT_IN_NAMES: Final = frozenset('<>:"/\\|?*\0\x1f')
"""Qdrant refuses collections whose names hold one of these."""


def absent(status: int, answer: object) -> bool:
    """Is this Qdrant's own word that a collection is not there?"""
    error = text(mapping(mapping(answer).get("status")).get("error")) or ""
    return status == 404 and error.startswith("Not found: Collection")


class QdrantReader:
    """A ``Reader`` of one server. ``client`` is closed with it.

    ``provenance_fields`` are counted by the server where it has an index that can (facets, from Qdrant 1.12 on), over
    all points; else by scrolling through at most ``max_rows`` points. Up to ``max_values`` different values each.
    ``exact_count`` counts points one by one; without it the server's estimate is taken.
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
        self._server = Once(self._described)

    def names(self) -> Iterator[Name]:
        """All collections that the key may see, sorted: a server lists them in any order."""
        self._server()
        listed = self._mapping(self._client.get("/collections"), "/collections").get("collections")
        entries = listed if isinstance(listed, list) else [None]
        names = [text(mapping(entry).get("name")) for entry in entries]
        if None in names:
            raise self._odd("/collections")
        yield from ((name,) for name in sorted({name for name in names if name}))

    def read(self, name: Name) -> Collection:
        base = self._place(name)
        server = self._server()
        found = Described(info=self._mapping(self._client.get(base), base))
        if not found.info.get("config"):
            raise self._odd(base)
        count = self._count(base) if self._exact_count else found.approximate_count
        rows, complete = self._sample(base, found) if count != 0 else ([], True)
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
            aliases=self._aliases(base),
            partitions=self._partitions(base) if found.is_sharded_by_key else (),
            description=found.description(),
            properties=found.properties(),
            provenance=self._provenance(base, found, provenance_paths(self._fields, paths), count),
        )

    def close(self) -> None:
        self._client.close()

    def _place(self, name: Name) -> str:
        if len(name) != 1 or not name[0] or not _NOT_IN_NAMES.isdisjoint(name[0]):
            raise VanishedError(f"Qdrant at {self._client.server}: no collection {'.'.join(name)!r}.")
        if name[0] in (".", ".."):
            raise UnreadableError(
                f"Qdrant at {self._client.server}: a collection called {name[0]!r} has no address over HTTP. Make an "
                "alias, copy it under another name, or filter it out by collection_pattern."
            )
        return f"/collections/{quote(name[0], safe='')}"

    def _described(self) -> Container:
        """The server, once it has shown that it is a Qdrant."""
        answer = mapping(self._client.get("/"))
        version = text(answer.get("version"))
        if "qdrant" not in (text(answer.get("title")) or "").lower():
            raise UnreachableError(
                f"Qdrant at {self._client.server}: what answers is not Qdrant. Set url to its root and REST port, for "
                "example http://localhost:6333."
            )
        properties = {"version": version} if version else {}
        return Container(kind="Server", name=self._client.server, properties=properties)

    @property
    def _has_facets(self) -> bool:
        return is_since(self._server().properties.get("version"), _FIRST_WITH_FACETS)

    def _mapping(self, answer: object, place: str) -> Mapping[str, Any]:
        """The result inside Qdrant's envelope."""
        envelope = mapping(answer)
        result = envelope.get("result")
        if envelope.get("status") != "ok" or not isinstance(result, Mapping):
            raise self._odd(place)
        return result

    def _ask(self, place: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        return self._mapping(self._client.post(place, body, reads=True), place)

    def _odd(self, place: str) -> UnreadableError:
        return UnreadableError(
            f"Qdrant at {self._client.server}: the answer to {place} is not what Qdrant answers. Look for a proxy in "
            "between, and at the server's version."
        )

    def _count(self, base: str, condition: Mapping[str, Any] | None = None) -> int:
        body = {"exact": True} if condition is None else {"exact": True, "filter": condition}
        count = whole(self._ask(f"{base}/points/count", body).get("count"))
        if count is None or count < 0:
            raise self._odd(f"{base}/points/count")
        return count

    def _aliases(self, base: str) -> tuple[str, ...]:
        listed = self._mapping(self._client.get(f"{base}/aliases"), f"{base}/aliases").get("aliases")
        names = (
            text(mapping(item).get("alias_name")) for item in (listed if isinstance(listed, list) else ())
        )
        return tuple(sorted(name for name in names if name))

    def _partitions(self, base: str) -> tuple[str, ...]:
        return shard_keys(self._mapping(self._client.get(f"{base}/cluster"), f"{base}/cluster"))

    def _sample(self, base: str, found: Described) -> tuple[list[Mapping[str, Any]], bool]:
        """The first points' payload, and whether these are all points."""
        limit = min(_SAMPLE, found.largest_limit or _SAMPLE)
        rows, following = self._page(base, limit, None, True)
        return rows, following is None

    def _page(
        self, base: str, limit: int, offset: object, payload: bool | Sequence[str]
    ) -> tuple[list[Mapping[str, Any]], object]:
        place = f"{base}/points/scroll"
        body = {"limit": limit, "with_payload": payload, "with_vector": False}
        answer = self._ask(place, body if offset is None else {**body, "offset": offset})
        points = answer.get("points")
        if not isinstance(points, list):
            raise self._odd(place)
        return [mapping(mapping(point).get("payload")) for point in points], answer.get("next_page_offset")

    def _provenance(
        self, base: str, found: Described, paths: Sequence[str], count: int | None
    ) -> tuple[ProvenanceCount, ...]:
        """In the order of ``paths``; one scroll counts all fields that have no index for it."""
        keys = {path: found.facet_key(path) if self._has_facets else None for path in paths}
        counted = {
            item.field: item
            for path, key in keys.items()
            if key is not None and (item := self._facet(base, found, path, key, count))
        }
        scanned = self._scrolled(base, found, [path for path, key in keys.items() if key is None], count)
        counted |= {item.field: item for item in scanned}
        return tuple(counted[path] for path in paths if path in counted)

    def _facet(
        self, base: str, found: Described, path: str, key: str, count: int | None
    ) -> ProvenanceCount | None:
        """Values counted by the engine over all points.

        Beyond ``max_values`` it does not say how many there are; the points that carry the field are counted then.
        https://qdrant.tech/documentation/concepts/payload/#facet-counts
        """
        limit = min(self._max_values, found.largest_limit or self._max_values)
        place = f"{base}/facet"
        hits = self._ask(place, {"key": key, "limit": limit, "exact": True}).get("hits")
        if not isinstance(hits, list):
            raise self._odd(place)
        counter = ValueCounter([path], limit)
        for hit in map(mapping, hits):
            value, times = hit.get("value"), whole(hit.get("count"))
            written = value if isinstance(value, str) else whole(value)
            if times is None:
                raise self._odd(place)
            if written is not None:
                counter.add(path, str(written), times)
        values = next(iter(counter.result(None)), None)
        if values is None:
            return None
        carried = self._count(base, {"must_not": [{"is_empty": {"key": key}}]}) if len(hits) >= limit else 0
        total = count if count is not None else carried
        return ProvenanceCount(
            field=path,
            values=values.values,
            rows_scanned=total,
            rows_total=total,
            values_dropped=max(0, carried - sum(values.values.values())),
        )

    def _scrolled(
        self, base: str, found: Described, paths: Sequence[str], count: int | None
    ) -> tuple[ProvenanceCount, ...]:
        counter = ValueCounter(paths, self._max_values)
        wanted = _payload_paths(paths)
        offset: object = None
        while paths and counter.rows < self._max_rows:
            limit = min(_ROWS_A_PAGE, found.largest_limit or _ROWS_A_PAGE, self._max_rows - counter.rows)
            rows, offset = self._page(base, limit, offset, wanted)
            counter.add_rows(rows)
            if offset is None or not rows:
                break
        return counter.result(counter.rows if offset is None else count)


def _payload_paths(paths: Sequence[str]) -> bool | list[str]:
    """What to ask of each point: these fields, or the whole payload where one of them cannot be written as a path."""
    asked: list[str] = []
    for path in paths:
        written = json_path(path)
        if written is None:
            return True
        # A name may hold a dot itself: both readings are asked for.
        asked += [written, f'"{path}"'] if "." in path else [written]
    return asked
