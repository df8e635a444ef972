"""Reads a Milvus server (2.2.9 and later, and Zilliz Cloud) over its gRPC service.

https://milvus.io/docs
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from datahub_llmops.assets.collections import (
    Collection,
    Container,
    Name,
    PayloadField,
    ProvenanceCount,
    Unlisted,
)
from datahub_llmops.errors import DeniedError, UnreachableError, UnreadableError, VanishedError
from datahub_llmops.ingestion.once import Once
from datahub_llmops.ingestion.sampling import (
    ValueCounter,
    described,
    infer,
    provenance_paths,
    text_path,
)
from datahub_llmops.net.json_values import mapping
from datahub_llmops.vector_stores.milvus.client import (
    InvalidError,
    MilvusCalls,
    NoIndexError,
    NotLoadedError,
)
from datahub_llmops.vector_stores.milvus.facts import DYNAMIC, Described, row_count
from datahub_llmops.vector_stores.milvus.protobuf import milvus_pb2
from datahub_llmops.vector_stores.milvus.rows import Rows

_SAMPLE: Final = 100
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,254}")
_ONLY_PARTITION: Final = "_default"
_LOADED: Final = "LoadStateLoaded"


_Loaded: TypeAlias = Literal["whole", "part", "no"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    database: str
    collection: str

    @property
    def is_possible(self) -> bool:
        """Does Milvus let anybody call them so?"""
        return all(_NAME.fullmatch(name) for name in (self.database, self.collection))

    @property
    def words(self) -> str:
        """For messages."""
        return f"collection {f'{self.database}.{self.collection}'!r}"

    @property
    def ids(self) -> dict[str, str]:
        return {"database": self.database, "collection": self.collection}

    @property
    def names(self) -> dict[str, str]:
        """As requests have them."""
        return {"db_name": self.database, "collection_name": self.collection}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    fields: tuple[PayloadField, ...]
    count: int | None
    is_estimate: bool
    provenance: tuple[ProvenanceCount, ...]


class MilvusReader:
    """A ``Reader`` of one server. ``calls`` are closed with it.

    ``database`` reads this one alone, without asking for the others. ``provenance_fields`` are counted by reading at
    most ``max_rows`` rows of loaded collections, up to ``max_values`` different values each; nothing is ever loaded.
    ``exact_count`` counts rows where they are loaded; else, and without it, the server's statistics are taken, in which
    deleted rows may still be.
    """

    def __init__(
        self,
        calls: MilvusCalls,
        *,
        database: str | None = None,
        provenance_fields: Sequence[str] = (),
        max_rows: int = 100_000,
        max_values: int = 10_000,
        exact_count: bool = True,
    ) -> None:
        self._calls = calls
        self._database = database
        self._fields = tuple(provenance_fields)
        self._max_rows = max_rows
        self._max_values = max_values
        self._exact_count = exact_count
        self._server = Once(self._described)

    def names(self) -> Iterator[Name | Unlisted]:
        """All collections that the token may see, sorted, database by database."""
        self._server()
        for database in self._databases():
            try:
                listed = self._calls.ask(
                    "ShowCollections",
                    milvus_pb2.ShowCollectionsRequest(db_name=database),
                    f"the collections of database {database!r}",
                )
            except VanishedError as error:
                if database == self._database:
                    raise UnreachableError(f"{error} Check the option `database`.") from error
            except (DeniedError, UnreachableError, UnreadableError) as error:
                yield Unlisted(name=(database,), error=error)
            else:
                yield from ((database, name) for name in sorted(set(listed.collection_names)) if name)

    def _databases(self) -> list[str]:
        if self._database is not None:
            return [self._database]
        try:
            listed = self._calls.ask("ListDatabases", milvus_pb2.ListDatabasesRequest(), "its databases")
        except DeniedError as error:
            raise DeniedError(f"{error} Or name one by the option `database`.") from error
        names = sorted({name for name in listed.db_names if name})
        if not names:
            # There is always one, `default`.
            raise UnreadableError(
                f"Milvus at {self._calls.server}: it lists no database. Name one by the option `database`, or give its "
                "user the privilege ListDatabases."
            )
        return names

    def read(self, name: Name) -> Collection:
        if len(name) != 2 or not all(name):
            raise VanishedError(f"Milvus at {self._calls.server}: no collection {'.'.join(name)!r}.")
        place = _Place(database=name[0], collection=name[1])
        server = self._server()
        found = self._describe(place)
        partitions = self._partitions(place)
        loaded = self._loaded(place, found, partitions)
        try:
            seen = self._seen(place, found, loaded)
        except NotLoadedError:
            # Released since it was asked about.
            seen = self._seen(place, found, "no")
        return Collection(
            name=name,
            containers=(server, Container(kind="Database", name=name[0])),
            vectors=found.vectors(),
            fields=seen.fields,
            text_field=text_path(field.path for field in seen.fields) or found.text_field(),
            count=seen.count,
            count_is_estimate=seen.is_estimate,
            created=found.created,
            aliases=found.aliases,
            # With a partition key they are the store's own buckets.
            partitions=() if found.partition_key or partitions == (_ONLY_PARTITION,) else partitions,
            description=found.description(),
            properties=found.properties(),
            provenance=seen.provenance,
        )

    def close(self) -> None:
        self._calls.close()

    def _described(self) -> Container:
        """The server, once it has shown that it is a Milvus."""
        try:
            version = self._calls.version()
        except (UnreadableError, VanishedError) as error:
            raise UnreachableError(str(error)) from error
        properties = {"version": version} if version else {}
        return Container(kind="Server", name=self._calls.server, properties=properties)

    def _ask(self, method: str, request: Message, place: _Place) -> Mapping[str, Any]:
        answer = self._calls.ask(method, request, place.words)
        return mapping(MessageToDict(answer, preserving_proto_field_name=True))

    def _describe(self, place: _Place) -> Described:
        try:
            info = self._ask("DescribeCollection", milvus_pb2.DescribeCollectionRequest(**place.names), place)
        except InvalidError as error:
            if place.is_possible:
                raise
            raise VanishedError(str(error)) from error
        try:
            indexes = self._ask("DescribeIndex", milvus_pb2.DescribeIndexRequest(**place.names), place)
        except NoIndexError:
            indexes = {}
        found = Described(info=info, indexes=indexes.get("index_descriptions") or ())
        if found.name is None or found.primary_key is None:
            raise UnreadableError(
                f"Milvus at {self._calls.server}: {place.words}: the answer has no schema. Look for a proxy in "
                "between, and at the server's version."
            )
        if found.name != place.collection:
            # Dropped since, and its name became an alias of another one.
            raise VanishedError(f"Milvus at {self._calls.server}: {place.words}: it is not there.")
        return found

    def _partitions(self, place: _Place) -> tuple[str, ...]:
        answer = self._ask("ShowPartitions", milvus_pb2.ShowPartitionsRequest(**place.names), place)
        return tuple(sorted(answer.get("partition_names") or ()))

    def _loaded(self, place: _Place, found: Described, partitions: Sequence[str]) -> _Loaded:
        """A collection counts as loaded for Milvus as soon as one of its partitions is."""
        try:
            if not self._is_loaded(place, ()):
                return "no"
            whole = found.partition_key is not None or len(partitions) < 2
            return "whole" if whole or self._is_loaded(place, partitions) else "part"
        except DeniedError:
            # Before 2.4 the state was shown to those alone who may change it.
            in_memory = self._in_memory(place)
            return "no" if not in_memory else "whole" if in_memory >= set(partitions) else "part"

    def _is_loaded(self, place: _Place, partitions: Sequence[str]) -> bool:
        request = milvus_pb2.GetLoadStateRequest(**place.names, partition_names=partitions)
        return bool(self._ask("GetLoadState", request, place).get("state") == _LOADED)

    def _in_memory(self, place: _Place) -> set[str]:
        request = milvus_pb2.ShowPartitionsRequest(**place.names, type="InMemory")
        answer = self._ask("ShowPartitions", request, place)
        shares = zip(
            answer.get("partition_names") or (), answer.get("inMemory_percentages") or (), strict=False
        )
        return {name for name, share in shares if share == "100"}

    def _seen(self, place: _Place, found: Described, loaded: _Loaded) -> _Seen:
        """What counting, a sample and a scan show, as far as the rows can be asked for."""
        key = found.primary_key or ("", False)
        rows = Rows(self._calls, **place.ids, key=key, item=place.words) if loaded != "no" else None
        exact = rows.count() if rows and loaded == "whole" and self._exact_count else None
        count = exact if exact is not None else self._estimate(place)
        columns = [*found.json_columns, *([DYNAMIC] if found.has_dynamic_fields else [])]
        pages = rows.pages(columns, _SAMPLE) if rows and columns and count != 0 else iter(())
        sampled = [row for page in pages for row in page]
        fields = described(found.fields(infer(sampled, complete=exact is not None and exact <= _SAMPLE)))
        paths = [field.path for field in fields]
        spelled = provenance_paths(self._fields, paths, nested_in=("metadata", *found.json_columns))
        wanted = {path: column for path in spelled if (column := found.column_of(path))}
        return _Seen(
            fields=fields,
            count=count,
            is_estimate=exact is None and count is not None,
            provenance=self._scanned(rows, wanted, count, whole=loaded == "whole")
            if rows
            else self._unseen(found, tuple(wanted), count),
        )

    def _estimate(self, place: _Place) -> int | None:
        request = milvus_pb2.GetCollectionStatisticsRequest(**place.names)
        return row_count(self._ask("GetCollectionStatistics", request, place).get("stats"))

    def _scanned(
        self, rows: Rows, wanted: Mapping[str, str], count: int | None, *, whole: bool
    ) -> tuple[ProvenanceCount, ...]:
        counter = ValueCounter(tuple(wanted), self._max_values)
        if wanted and count != 0:
            for page in rows.pages(sorted(set(wanted.values())), self._max_rows):
                counter.add_rows(page)
        ended = whole and counter.rows < self._max_rows
        return counter.result(counter.rows if ended or count is None else max(count, counter.rows))

    def _unseen(
        self, found: Described, paths: Sequence[str], count: int | None
    ) -> tuple[ProvenanceCount, ...]:
        """No row was looked at, of so many: said for each field that would have been."""
        hidden = [DYNAMIC] if found.has_dynamic_fields else []
        return tuple(
            ProvenanceCount(field=path, values={}, rows_scanned=0, rows_total=count)
            for path in (paths or hidden)
            if self._fields and count
        )
