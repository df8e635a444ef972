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
from datahub_llmops.ingestion.once import Once
from datahub_llmops.ingestion.sampling import ValueCounter, provenance_paths
from datahub_llmops.net.http import HttpClient
from datahub_llmops.net.json_values import mapping, text, whole
from datahub_llmops.vector_stores.search.facts import (
    Countable,
    Index,
    embedded_text,
    model_of,
    visible_aliases,
)

_NOT_IN_NAMES: Final = frozenset('\\/*?"<>| ,#:')
"""Neither engine takes an index whose name holds one of these."""

_LONGEST_NAME: Final = 255
"""Bytes of an index's name."""

_BYTES_OF_NAMES: Final = 3_000
"""Names that one request asks for: an address may have 4,096 bytes in all (``http.max_initial_line_length``)."""

_BUCKETS: Final = 60_000
"""Values that one search may count, a little below the engines' own limit (``search.max_buckets``)."""

_GONE: Final = frozenset({"index_not_found_exception", "resource_not_found_exception"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """Which of the two a source reads. ``distribution`` is what the cluster calls itself."""

    name: str
    source: str
    distribution: str


OPENSEARCH: Final = Product(name="OpenSearch", source="llm-opensearch", distribution="opensearch")
ELASTICSEARCH: Final = Product(name="Elasticsearch", source="llm-elasticsearch", distribution="elasticsearch")


def absent(status: int, answer: object) -> bool:
    """Is this the engine's own word that an index, or an inference endpoint, is not there?"""
    return status == 404 and mapping(mapping(answer).get("error")).get("type") in _GONE


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cluster:
    version: str | None
    serverless: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Listed:
    """An index or data stream. ``described_by`` is the index whose mapping holds: of a stream the newest one."""

    name: str
    described_by: str
    closed: bool = False

    @property
    def is_stream(self) -> bool:
        return self.described_by != self.name


class SearchReader:
    """A ``Reader`` of the indexes and data streams with vectors of one cluster. ``client`` is closed with it.

    ``indices`` is the index expression that is listed. ``provenance_fields`` are counted by the engine where it can
    (an aggregation), over all documents; else in one page of at most ``max_rows``. Up to ``max_values`` different
    values each. With ``ask_endpoints`` the inference endpoints that a mapping names are asked for their model.
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
        self._asking_for_models = threading.Lock()
        self._cluster = Once(self._found)
        self._listed: dict[str, _Listed] = {}
        self._models: dict[str, str | None] = {}

    def names(self) -> Iterator[Name]:
        """Indexes with a vector field, sorted; an index of a data stream goes by the stream's name."""
        self._cluster()
        listed = [item for item in self._resolved(self._indices) if not item.name.startswith(".")]
        with self._lock:
            self._listed = {item.name: item for item in listed}
        for part in _parts(sorted(listed, key=lambda item: item.name)):
            mappings = self._mappings(part)
            for item in part:
                found = mappings.get(item.described_by)
                # What is not in the answer may have been deleted, or not be shown: reading it tells.
                if found is None or self._index(mapping(found)).has_vectors:
                    yield (item.name,)

    def read(self, name: Name) -> Collection:
        item = self._listed_as(name)
        cluster = self._cluster()
        index = self._described(item)
        if not index.has_vectors:
            raise VanishedError(f"{self._where}: {item.name} has no vector field (any more).")
        count = None if item.closed else self._count(item.name)
        fields = index.fields()
        paths = [field.path for field in fields]
        more = {"version": cluster.version, "closed": "true" if item.closed else None}
        return Collection(
            name=name,
            vectors=index.vectors({key: self._model(key) for key in self._endpoints(index)}),
            fields=fields,
            text_field=embedded_text(paths),
            count=count,
            size_bytes=None if item.closed or cluster.serverless else self._size(item.name),
            # Of a stream only its oldest index could say it, which may be deleted long since.
            created=None if item.is_stream else index.created,
            aliases=tuple(self._stream_aliases(item.name) if item.is_stream else index.aliases),
            description=index.description,
            properties={**index.properties(), **{key: value for key, value in more.items() if value}},
            provenance=self._provenance(item.name, index, paths, count) if count else (),
        )

    def close(self) -> None:
        self._client.close()

    @property
    def _where(self) -> str:
        return f"{self._product.name} at {self._client.server}"

    def _odd(self, place: str) -> UnreadableError:
        return UnreadableError(
            f"{self._where}: the answer to {place} is not what {self._product.name} answers. Look for a proxy in "
            "between, and at the cluster's version."
        )

    def _found(self) -> _Cluster:
        """What the cluster says of itself, once it has shown that it is the product of this source."""
        answer = mapping(self._client.get("/"))
        version = mapping(answer.get("version"))
        self._check(_distribution(answer))
        serverless = version.get("build_flavor") == "serverless"
        return _Cluster(version=text(version.get("number")), serverless=serverless)

    def _check(self, distribution: str | None) -> None:
        if distribution == self._product.distribution:
            return
        for other in (OPENSEARCH, ELASTICSEARCH):
            if distribution == other.distribution:
                raise UnreachableError(
                    f"{self._where}: what answers is {other.name}. Take the source {other.source}."
                )
        raise UnreachableError(
            f"{self._where}: what answers is not {self._product.name}. Set url to the root of its REST API, as in "
            "https://search.example:9200."
        )

    def _index(self, info: Mapping[str, Any]) -> Index:
        return Index(info=info, opensearch=self._product is OPENSEARCH)

    def _resolved(self, expression: str) -> list[_Listed]:
        """Indexes that belong to no data stream, and data streams. Hidden and system indexes are left out."""
        place = f"/_resolve/index/{quote(expression, safe='*,-')}"
        answer = mapping(self._client.get(place, {"expand_wildcards": "all"}))
        indices, streams = answer.get("indices"), answer.get("data_streams")
        if not isinstance(indices, list) or not isinstance(streams, list):
            raise self._odd(place)
        found: list[_Listed] = []
        for entry in map(mapping, indices):
            name, attributes = text(entry.get("name")), entry.get("attributes")
            if name is None or not isinstance(attributes, list):
                raise self._odd(place)
            if not entry.get("data_stream") and not {"hidden", "system"} & set(attributes):
                found.append(_Listed(name=name, described_by=name, closed="closed" in attributes))
        for entry in map(mapping, streams):
            name, backing = text(entry.get("name")), entry.get("backing_indices")
            # One alone is written as a text.
            newest = text(backing[-1] if isinstance(backing, list) and backing else backing)
            if name is None or newest is None:
                raise self._odd(place)
            found.append(_Listed(name=name, described_by=newest))
        return found

    def _listed_as(self, name: Name) -> _Listed:
        """As it was listed, else asked for now."""
        if len(name) != 1 or not _may_be_a_name(name[0]):
            raise UnreadableError(
                f"{self._where}: {'.'.join(name)!r} cannot be asked for by its name. Leave it out by index_pattern."
            )
        with self._lock:
            known = self._listed.get(name[0])
        if known is None:
            known = next((item for item in self._resolved(name[0]) if item.name == name[0]), None)
        if known is None:
            raise VanishedError(f"{self._where}: no index or data stream {name[0]!r}.")
        return known

    def _mappings(self, part: Sequence[_Listed]) -> Mapping[str, Any]:
        names = ",".join(_quoted(item.described_by) for item in part)
        answer = self._client.get(f"/{names}/_mapping", {"ignore_unavailable": "true"})
        if not isinstance(answer, Mapping):
            raise self._odd("/<indexes>/_mapping")
        return answer

    def _described(self, item: _Listed) -> Index:
        place = f"/{_quoted(item.described_by)}"
        info = mapping(self._client.get(place)).get(item.described_by)
        if not isinstance(mapping(info).get("mappings"), Mapping):
            raise self._odd(place)
        return self._index(mapping(info))

    def _count(self, name: str) -> int:
        """Documents; ``docs.count`` of the engines' statistics counts nested ones too."""
        place = f"/{_quoted(name)}/_count"
        answer = self._whole(place, self._client.get(place))
        count = whole(answer.get("count"))
        if count is None or count < 0:
            raise self._odd(place)
        return count

    def _size(self, name: str) -> int | None:
        """Bytes on disk, replicas included."""
        place = f"/{_quoted(name)}/_stats/store"
        answer = self._whole(place, self._client.get(place, {"filter_path": "_shards,_all.total.store"}))
        store = mapping(mapping(mapping(answer.get("_all")).get("total")).get("store"))
        return whole(store.get("size_in_bytes")) or None

    def _stream_aliases(self, name: str) -> list[str]:
        answer = mapping(self._client.get(f"/{_quoted(name)}/_alias"))
        return sorted({alias for info in answer.values() for alias in visible_aliases(mapping(info))})

    def _whole(self, place: str, answer: object) -> Mapping[str, Any]:
        """An answer to which every shard has contributed: of the others the engines say nothing but a number."""
        found = mapping(answer)
        failed = whole(mapping(found.get("_shards")).get("failed"))
        if failed is None:
            raise self._odd(place)
        if failed or found.get("timed_out") is True:
            raise UnreadableError(
                f"{self._where}: the answer to {place} is not whole: shards of the index did not answer. Look at the "
                "health of the cluster, then run again."
            )
        return found

    def _endpoints(self, index: Index) -> list[str]:
        return index.inference_ids if self._ask_endpoints else []

    def _model(self, endpoint: str) -> str | None:
        """The model behind an inference endpoint; ``None`` where its service names none, or it was deleted."""
        with self._asking_for_models:
            if endpoint not in self._models:
                self._models[endpoint] = self._asked_for_model(endpoint)
            return self._models[endpoint]

    def _asked_for_model(self, endpoint: str) -> str | None:
        try:
            answer = mapping(self._client.get(f"/_inference/{_quoted(endpoint)}"))
        except VanishedError:
            return None
        except DeniedError as error:
            raise DeniedError(
                f"{error} Grant the cluster privilege monitor_inference, or set inference_endpoints: false."
            ) from None
        # Older servers say models, and some of them give the endpoint alone.
        listed = answer.get("endpoints") or answer.get("models")
        return model_of(mapping(listed[0]) if isinstance(listed, list) else answer)

    def _search(self, name: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        place = f"/{_quoted(name)}/_search"
        parameters = {"allow_partial_search_results": "false"}
        whole_body = {**body, "track_total_hits": False}
        return self._whole(place, self._client.post(place, whole_body, reads=True, params=parameters))

    def _provenance(
        self, name: str, index: Index, paths: Sequence[str], count: int
    ) -> tuple[ProvenanceCount, ...]:
        """One search counts all fields that the engine can count, one looks at documents for the others."""
        mapped = provenance_paths(self._fields, paths)
        wanted = [(path, index.countable(path)) for path in mapped]
        countable = [found for _, found in wanted if found is not None]
        countable += index.flattened(self._fields)
        seen = [path for path, found in wanted if found is None]
        seen += [path for path in index.unmapped(self._fields) if path not in mapped]
        return (
            *(self._aggregated(name, countable, count) if countable else ()),
            *(self._looked_at(name, index, seen, count) if seen else ()),
        )

    def _aggregated(self, name: str, countable: Sequence[Countable], count: int) -> Iterator[ProvenanceCount]:
        limit = max(1, min(self._max_values, _BUCKETS // len(countable)))
        asked = {str(n): _aggregation(item, limit) for n, item in enumerate(countable)}
        answer = mapping(self._search(name, {"size": 0, "aggs": asked}).get("aggregations"))
        for n, item in enumerate(countable):
            found = mapping(answer.get(str(n)))
            values = mapping(found.get("values"))
            buckets = values.get("buckets")
            if not isinstance(buckets, list):
                raise self._odd(f"/{_quoted(name)}/_search")
            counter = ValueCounter([item.path], limit)
            for bucket in map(mapping, buckets):
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

    def _looked_at(
        self, name: str, index: Index, paths: Sequence[str], count: int
    ) -> tuple[ProvenanceCount, ...]:
        """In the first documents, as many as one page may hold."""
        body = {
            "size": min(self._max_rows, index.largest_page),
            "sort": ["_doc"],
            "_source": list(paths),
        }
        hits = mapping(self._search(name, body).get("hits")).get("hits")
        if not isinstance(hits, list):
            raise self._odd(f"/{_quoted(name)}/_search")
        counter = ValueCounter(paths, self._max_values)
        counter.add_rows(mapping(mapping(hit).get("_source")) for hit in hits)
        return counter.result(count)


def _aggregation(item: Countable, limit: int) -> dict[str, Any]:
    """Values of one field with their documents; of a field in a nested object with its nested documents."""
    inner: dict[str, Any] = {"values": {"terms": {"field": item.key, "size": limit}}}
    if item.nested_in is not None:
        return {"nested": {"path": item.nested_in}, "aggs": inner}
    if item.may_ignore:
        inner["ignored"] = {"filter": {"term": {"_ignored": item.key}}}
    return {"filter": {"match_all": {}}, "aggs": inner}


def _distribution(answer: Mapping[str, Any]) -> str | None:
    """Which product answers. Elasticsearch says it in its motto alone; Amazon's fork of 7.10 has that motto too."""
    named = text(mapping(answer.get("version")).get("distribution"))
    if named is not None:
        return named
    motto = text(answer.get("tagline")) or ""
    return "elasticsearch" if motto == "You Know, for Search" else None


def _quoted(name: str) -> str:
    # A half of a character cannot be sent; no index has it in its name.
    return quote(name, safe="", errors="replace")


def _may_be_a_name(name: str) -> bool:
    return (
        bool(name)
        and name[0] not in "-_+."
        and _NOT_IN_NAMES.isdisjoint(name)
        and not any(unicodedata.category(sign) in ("Cc", "Cs") for sign in name)
        and len(name.encode()) <= _LONGEST_NAME
    )


def _parts(listed: Sequence[_Listed]) -> Iterator[list[_Listed]]:
    """As many together as one address can name."""
    part: list[_Listed] = []
    size = 0
    for item in listed:
        length = len(_quoted(item.described_by)) + 1
        if part and size + length > _BYTES_OF_NAMES:
            yield part
            part, size = [], 0
        part.append(item)
        size += length
    if part:
        yield part
