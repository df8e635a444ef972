"""Reads OpenSearch and Elasticsearch over the REST API that both have (OpenSearch 1.0, Elasticsearch 7.9 and later).

https://docs.opensearch.org/latest/api-reference/
https://www.elastic.co/docs/api/doc/elasticsearch/
"""

from __future__ import annotations

import threading
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from datahub_llmops.assets.collections import Collection, Name, ProvenanceCount
from datahub_llmops.errors import DeniedError, UnreachableError, UnreadableError, VanishedError
from datahub_llmops.ingestion.chunk_ids import find_ids, parse_keys, parse_text
from datahub_llmops.ingestion.once import Once
from datahub_llmops.ingestion.sampling import ValueCounter, provenance_paths
from datahub_llmops.net.http import HttpClient, split_for_urls
from datahub_llmops.net.json_values import mapping, mappings, strings, text, whole
from datahub_llmops.vector_stores.search.facts import (
    Countable,
    Index,
    embedded_text,
    is_mapping,
    model_of,
    visible_aliases,
)

_NOT_IN_NAMES: Final = frozenset('\\/*?"<>| ,#:')
"""Neither engine accepts an index whose name contains one of these."""

_LONGEST_NAME: Final = 255
"""Maximum length of an index name in bytes."""

_BYTES_OF_NAMES: Final = 3_000
"""Bytes of names in one request: a URL may have 4,096 bytes in all (``http.max_initial_line_length``)."""

_LONGEST_ID: Final = 512
"""Maximum length of a document's id in bytes."""

_HITS: Final = 100
"""Hits of one search for ids: in a data stream several documents may have the same one."""

_BUCKETS: Final = 60_000
"""Values that one search may count, slightly below the engines' own limit (``search.max_buckets``)."""

_GONE: Final = frozenset({"index_not_found_exception", "resource_not_found_exception"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """One of the two engines. ``distribution`` is the name by which a cluster identifies itself."""

    name: str
    source: str
    distribution: str


OPENSEARCH: Final = Product(name="OpenSearch", source="llm-opensearch", distribution="opensearch")
ELASTICSEARCH: Final = Product(name="Elasticsearch", source="llm-elasticsearch", distribution="elasticsearch")


def absent(status: int, answer: object) -> bool:
    """Whether the engine itself says that an index, or an inference endpoint, does not exist."""
    return status == 404 and text(mapping(mapping(answer).get("error")).get("type")) in _GONE


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cluster:
    version: str | None
    serverless: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Listed:
    """An index or data stream. ``described_by`` is the index whose mapping counts: the newest one of a stream."""

    name: str
    described_by: str
    closed: bool = False

    @property
    def is_stream(self) -> bool:
        return self.described_by != self.name


class SearchReader:
    """A ``Reader`` of the indexes and data streams with vectors in one cluster. It closes ``client``.

    It lists the indexes that match the expression ``indices``. The engine counts ``provenance_fields`` by an
    aggregation over all documents if it can; otherwise the reader counts them in one page of at most ``max_rows``. At
    most ``max_values`` different values are kept of each. ``ask_endpoints`` reads the model of each inference endpoint
    that a mapping names.
    """

    def __init__(
        self,
        client: HttpClient,
        product: Product,
        *,
        indices: str = "*",
        provenance_fields: Sequence[str] = (),
        max_rows: int = 100_000,
        max_values: int = 10_000,
        ask_endpoints: bool = False,
    ) -> None:
        self._client = client
        self._product = product
        self._indices = indices
        self._fields = tuple(provenance_fields)
        self._max_rows = max_rows
        self._max_values = max_values
        self._ask_endpoints = ask_endpoints
        self._lock = threading.Lock()
        self._models_lock = threading.Lock()
        self._cluster = Once(self._read_cluster)
        self._listed: dict[str, _Listed] = {}
        self._models: dict[str, str | None] = {}

    def names(self) -> Iterator[Name]:
        """List indexes with a vector field, sorted. Data streams are listed by their own names."""
        self._cluster()
        listed = [item for item in self._resolve(self._indices) if not item.name.startswith(".")]
        with self._lock:
            self._listed = {item.name: item for item in listed}
        for part in split_for_urls(sorted(listed, key=_name_of), _as_list_item, _BYTES_OF_NAMES):
            described = self._read_mappings(part)
            for item in part:
                found = described.get(item.described_by)
                # Reading tells why an index is missing in the answer, and whether its mapping is damaged.
                known = isinstance(found, Mapping) and is_mapping(found.get("mappings"))
                if not known or self._index(mapping(found)).has_vectors:
                    yield (item.name,)

    def read(self, name: Name) -> Collection:
        item = self._find(name)
        cluster = self._cluster()
        index = self._read_index(item)
        if not index.has_vectors:
            raise VanishedError(f"{self._client.name}: {item.name} has no vector field (any more).")
        count = None if item.closed else self._read_count(item.name)
        fields = index.fields()
        paths = [field.path for field in fields]
        more = {"version": cluster.version, "closed": "true" if item.closed else None}
        return Collection(
            name=name,
            vectors=index.vectors({key: self._find_model(key) for key in self._list_endpoints(index)}),
            fields=fields,
            text_field=embedded_text(paths),
            count=count,
            size_bytes=None if item.closed or cluster.serverless else self._read_size(item.name),
            # Only the oldest index of a stream would know, which may have been deleted long ago.
            created=None if item.is_stream else index.created,
            aliases=tuple(self._list_stream_aliases(item.name) if item.is_stream else index.aliases),
            description=index.description,
            properties={**index.properties(), **{key: value for key, value in more.items() if value}},
            provenance=self._count_provenance(item.name, index, paths, count) if count else (),
        )

    def has(self, name: Name, ids: Sequence[str]) -> frozenset[str]:
        keys = parse_keys(ids, _parse_id)
        if not keys:
            return frozenset()
        item = self._find(name)
        if item.closed:
            raise UnreadableError(
                f"{self._client.name}: {item.name} is closed, so ids cannot be looked up. Open it, or leave it out by "
                "index_pattern."
            )
        # Neither `_mget` nor a GET finds documents of a data stream, or of an index with its own routing.
        left = set(keys)
        while left:
            body = {"query": {"ids": {"values": sorted(left)}}, "size": _HITS, "_source": False}
            hits = mapping(self._search(item.name, body).get("hits")).get("hits")
            found = [text(hit.get("_id")) for hit in mappings(hits)]
            if not isinstance(hits, list) or None in found:
                raise self._client.unexpected(f"/{_quote(item.name)}/_search")
            if left.isdisjoint(found):
                break
            left.difference_update(found)
            if len(found) < _HITS:
                break
        return find_ids(keys, keys.keys() - left)

    def close(self) -> None:
        self._client.close()

    def _read_cluster(self) -> _Cluster:
        """Describe the cluster, after checking that it is the product of this source."""
        answer = mapping(self._client.get("/"))
        version = mapping(answer.get("version"))
        self._check_distribution(_find_distribution(answer))
        serverless = version.get("build_flavor") == "serverless"
        return _Cluster(version=text(version.get("number")), serverless=serverless)

    def _check_distribution(self, distribution: str | None) -> None:
        if distribution == self._product.distribution:
            return
        for other in (OPENSEARCH, ELASTICSEARCH):
            if distribution == other.distribution:
                raise UnreachableError(
                    f"{self._client.name}: this is {other.name}. Use the source {other.source}."
                )
        raise UnreachableError(
            f"{self._client.name}: what answers is not {self._product.name}. Set url to the root of its REST API, as "
            "in https://search.example:9200."
        )

    def _index(self, info: Mapping[str, Any]) -> Index:
        return Index(info=info, opensearch=self._product is OPENSEARCH)

    def _resolve(self, expression: str) -> list[_Listed]:
        """List the data streams, and the indexes outside of them, without hidden and system indexes."""
        path = f"/_resolve/index/{quote(expression, safe='*,-')}"
        answer = mapping(self._client.get(path, {"expand_wildcards": "all"}))
        indices, streams = answer.get("indices"), answer.get("data_streams")
        if not isinstance(indices, list) or not isinstance(streams, list):
            raise self._client.unexpected(path)
        found: list[_Listed] = []
        for entry in mappings(indices):
            name, attributes = text(entry.get("name")), entry.get("attributes")
            if name is None or not isinstance(attributes, list):
                raise self._client.unexpected(path)
            if not entry.get("data_stream") and not {"hidden", "system"} & set(strings(attributes)):
                found.append(_Listed(name=name, described_by=name, closed="closed" in attributes))
        for entry in mappings(streams):
            name, backing = text(entry.get("name")), entry.get("backing_indices")
            # A single name is written as a string.
            newest = text(backing[-1] if isinstance(backing, list) and backing else backing)
            if name is None or newest is None:
                raise self._client.unexpected(path)
            found.append(_Listed(name=name, described_by=newest))
        return found

    def _find(self, name: Name) -> _Listed:
        """Return the index or data stream as it was listed, or look it up now."""
        if len(name) != 1 or not _is_valid_name(name[0]):
            raise UnreadableError(
                f"{self._client.name}: {'.'.join(name)!r} cannot be read by its name. Leave it out by index_pattern."
            )
        with self._lock:
            known = self._listed.get(name[0])
        if known is None:
            known = next((item for item in self._resolve(name[0]) if item.name == name[0]), None)
        if known is None:
            raise VanishedError(f"{self._client.name}: no index or data stream {name[0]!r}.")
        return known

    def _read_mappings(self, part: Sequence[_Listed]) -> Mapping[str, Any]:
        names = ",".join(_quote(item.described_by) for item in part)
        answer = self._client.get(f"/{names}/_mapping", {"ignore_unavailable": "true"})
        if not isinstance(answer, Mapping):
            raise self._client.unexpected("/<indexes>/_mapping")
        return answer

    def _read_index(self, item: _Listed) -> Index:
        path = f"/{_quote(item.described_by)}"
        info = mapping(mapping(self._client.get(path)).get(item.described_by))
        if not is_mapping(info.get("mappings")):
            raise self._client.unexpected(path)
        return self._index(info)

    def _read_count(self, name: str) -> int:
        """Count the documents; ``docs.count`` of the engines' statistics includes nested ones."""
        path = f"/{_quote(name)}/_count"
        answer = self._check_shards(path, self._client.get(path))
        count = whole(answer.get("count"))
        if count is None or count < 0:
            raise self._client.unexpected(path)
        return count

    def _read_size(self, name: str) -> int | None:
        """Return the bytes on disk, including replicas."""
        path = f"/{_quote(name)}/_stats/store"
        answer = self._check_shards(path, self._client.get(path, {"filter_path": "_shards,_all.total.store"}))
        store = mapping(mapping(mapping(answer.get("_all")).get("total")).get("store"))
        return whole(store.get("size_in_bytes")) or None

    def _list_stream_aliases(self, name: str) -> list[str]:
        answer = mapping(self._client.get(f"/{_quote(name)}/_alias"))
        return sorted({alias for info in answer.values() for alias in visible_aliases(mapping(info))})

    def _check_shards(self, path: str, answer: object) -> Mapping[str, Any]:
        """Return an answer if no shard failed: the engines only report a number of the failed ones."""
        found = mapping(answer)
        failed = whole(mapping(found.get("_shards")).get("failed"))
        if failed is None:
            raise self._client.unexpected(path)
        if failed or found.get("timed_out") is True:
            raise UnreadableError(
                f"{self._client.name}: the answer to {path} is incomplete: shards of the index did not answer. Check "
                "the health of the cluster, then run again."
            )
        return found

    def _list_endpoints(self, index: Index) -> list[str]:
        return index.inference_ids if self._ask_endpoints else []

    def _find_model(self, endpoint: str) -> str | None:
        """Return the model of an inference endpoint; ``None`` if its service names none, or it was deleted."""
        with self._models_lock:
            if endpoint not in self._models:
                self._models[endpoint] = self._read_model(endpoint)
            return self._models[endpoint]

    def _read_model(self, endpoint: str) -> str | None:
        try:
            answer = mapping(self._client.get(f"/_inference/{_quote(endpoint)}"))
        except VanishedError:
            return None
        except DeniedError as error:
            raise DeniedError(
                f"{error} Grant the cluster privilege monitor_inference, or set inference_endpoints: false."
            ) from None
        # Older servers write `models`, and some of them return only the endpoint.
        listed = answer.get("endpoints") or answer.get("models")
        return model_of(mapping(listed[0]) if isinstance(listed, list) and listed else answer)

    def _search(self, name: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        path = f"/{_quote(name)}/_search"
        parameters = {"allow_partial_search_results": "false"}
        whole_body = {**body, "track_total_hits": False}
        return self._check_shards(path, self._client.post(path, whole_body, reads=True, params=parameters))

    def _count_provenance(
        self, name: str, index: Index, paths: Sequence[str], count: int
    ) -> tuple[ProvenanceCount, ...]:
        """Count by one search all fields that the engine can count, and by another one the rest."""
        mapped = provenance_paths(self._fields, paths)
        wanted = [(path, index.countable(path)) for path in mapped]
        countable = [found for _, found in wanted if found is not None]
        countable += index.flattened(self._fields)
        seen = [path for path, found in wanted if found is None]
        seen += [path for path in index.unmapped(self._fields) if path not in mapped]
        return (
            *(self._count_by_aggregation(name, countable, count) if countable else ()),
            *(self._count_by_reading(name, index, seen, count) if seen else ()),
        )

    def _count_by_aggregation(
        self, name: str, countable: Sequence[Countable], count: int
    ) -> Iterator[ProvenanceCount]:
        limit = max(1, min(self._max_values, _BUCKETS // len(countable)))
        asked = {str(n): _build_aggregation(item, limit) for n, item in enumerate(countable)}
        answer = mapping(self._search(name, {"size": 0, "aggs": asked}).get("aggregations"))
        for n, item in enumerate(countable):
            found = mapping(answer.get(str(n)))
            values = mapping(found.get("values"))
            buckets = values.get("buckets")
            if not isinstance(buckets, list):
                raise self._client.unexpected(f"/{_quote(name)}/_search")
            counter = ValueCounter([item.path], limit)
            for bucket in mappings(buckets):
                key, times = bucket.get("key"), whole(bucket.get("doc_count"))
                written = key if isinstance(key, str) else whole(key)
                if written is not None and times:
                    counter.add(item.path, str(written), times)
            ignored = whole(mapping(found.get("ignored")).get("doc_count")) or 0
            beyond = whole(values.get("sum_other_doc_count")) or 0
            for counted in counter.result(None):
                yield ProvenanceCount(
                    field=item.path,
                    values=counted.values,
                    rows_scanned=count,
                    rows_total=count,
                    values_dropped=beyond + ignored,
                )

    def _count_by_reading(
        self, name: str, index: Index, paths: Sequence[str], count: int
    ) -> tuple[ProvenanceCount, ...]:
        """Count in the first documents, as many as one page may hold."""
        body = {
            "size": min(self._max_rows, index.largest_page),
            "sort": ["_doc"],
            "_source": list(paths),
        }
        hits = mapping(self._search(name, body).get("hits")).get("hits")
        if not isinstance(hits, list):
            raise self._client.unexpected(f"/{_quote(name)}/_search")
        counter = ValueCounter(paths, self._max_values)
        counter.add_rows(mapping(hit.get("_source")) for hit in mappings(hits))
        return counter.result(count)


def _build_aggregation(item: Countable, limit: int) -> dict[str, Any]:
    """Build the aggregation of a field's values over documents, or nested documents if it is in a nested object."""
    inner: dict[str, Any] = {"values": {"terms": {"field": item.key, "size": limit}}}
    if item.nested_in is not None:
        return {"nested": {"path": item.nested_in}, "aggs": inner}
    if item.may_ignore:
        inner["ignored"] = {"filter": {"term": {"_ignored": item.key}}}
    return {"filter": {"match_all": {}}, "aggs": inner}


def _find_distribution(answer: Mapping[str, Any]) -> str | None:
    """Return the distribution. Elasticsearch shows only its motto, which Amazon's fork of 7.10 has, too."""
    named = text(mapping(answer.get("version")).get("distribution"))
    if named is not None:
        return named
    motto = text(answer.get("tagline")) or ""
    return "elasticsearch" if motto == "You Know, for Search" else None


def _parse_id(written: str) -> str | None:
    key = parse_text(written)
    return key if key is not None and len(key.encode()) <= _LONGEST_ID else None


def _quote(name: str) -> str:
    # Half of a surrogate pair cannot be sent; no index has one in its name.
    return quote(name, safe="", errors="replace")


def _name_of(item: _Listed) -> str:
    return item.name


def _as_list_item(item: _Listed) -> str:
    return f"{_quote(item.described_by)},"


def _is_valid_name(name: str) -> bool:
    return (
        bool(name)
        and name[0] not in "-_+."
        and _NOT_IN_NAMES.isdisjoint(name)
        and not any(unicodedata.category(sign) in ("Cc", "Cs") for sign in name)
        and len(name.encode()) <= _LONGEST_NAME
    )
