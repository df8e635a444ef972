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
    FailedListing,
    Name,
    PayloadField,
    ProvenanceCount,
)
from datahub_llmops.errors import DeniedError, UnreachableError, UnreadableError, VanishedError
from datahub_llmops.ingestion.chunk_ids import find_ids, parse_integer, parse_keys, parse_text
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
    MilvusGrpcClient,
    NoIndexError,
    NotLoadedError,
)
from datahub_llmops.vector_stores.milvus.facts import DYNAMIC, Description, row_count
from datahub_llmops.vector_stores.milvus.protobuf import milvus_pb2
from datahub_llmops.vector_stores.milvus.rows import Row, Rows

_SAMPLE: Final = 100
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,254}")
_ONLY_PARTITION: Final = "_default"
_LOADED: Final = "LoadStateLoaded"

_Loaded: TypeAlias = Literal["whole", "part", "no"]
"""How much of a collection is in memory, where its rows can be queried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Address:
    database: str
    collection: str

    @property
    def is_valid(self) -> bool:
        """Whether Milvus allows these names."""
        return all(_NAME.fullmatch(name) for name in (self.database, self.collection))

    @property
    def label(self) -> str:
        """The collection as messages name it."""
        return f"collection {f'{self.database}.{self.collection}'!r}"

    @property
    def parameters(self) -> dict[str, str]:
        """The fields of a request that select the collection."""
        return {"db_name": self.database, "collection_name": self.collection}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Contents:
    """What counting, a sample and a scan of the rows show."""

    fields: tuple[PayloadField, ...]
    count: int | None
    is_estimate: bool
    provenance: tuple[ProvenanceCount, ...]


class MilvusReader:
    """A ``Reader`` of one server. It closes ``client``.

    With ``database`` it reads only that one and does not list the others. It counts ``provenance_fields`` in at most
    ``max_rows`` rows of loaded collections, with at most ``max_values`` different values each, and never loads a
    collection. ``exact_count`` counts the rows of loaded collections; for others, and without it, the server's
    statistics are used, which may include deleted rows.
    """

    def __init__(
        self,
        client: MilvusGrpcClient,
        *,
        database: str | None = None,
        provenance_fields: Sequence[str] = (),
        max_rows: int = 100_000,
        max_values: int = 10_000,
        exact_count: bool = True,
    ) -> None:
        self._client = client
        self._database = database
        self._fields = tuple(provenance_fields)
        self._max_rows = max_rows
        self._max_values = max_values
        self._exact_count = exact_count
        self._server = Once(self._read_server)

    def names(self) -> Iterator[Name | FailedListing]:
        """List all collections that the token may see, database by database, sorted."""
        self._server()
        for database in self._list_databases():
            try:
                listed = self._client.ask(
                    "ShowCollections",
                    milvus_pb2.ShowCollectionsRequest(db_name=database),
                    f"the collections of database {database!r}",
                )
            except VanishedError as error:
                if database == self._database:
                    raise UnreachableError(f"{error} Check the option `database`.") from error
            except (DeniedError, UnreachableError, UnreadableError) as error:
                yield FailedListing(name=(database,), error=error)
            else:
                yield from ((database, name) for name in sorted(set(listed.collection_names)) if name)

    def _list_databases(self) -> list[str]:
        if self._database is not None:
            return [self._database]
        try:
            listed = self._client.ask("ListDatabases", milvus_pb2.ListDatabasesRequest(), "its databases")
        except DeniedError as error:
            raise DeniedError(f"{error} Or set the option `database`.") from error
        names = sorted({name for name in listed.db_names if name})
        if not names:
            # There is always at least the database `default`.
            raise UnreadableError(
                f"Milvus at {self._client.server}: it lists no database. Set the option `database`, or give the "
                "user the privilege ListDatabases."
            )
        return names

    def read(self, name: Name) -> Collection:
        address = self._address_of(name)
        server = self._server()
        found = self._read_description(address)
        partitions = self._list_partitions(address)
        loaded = self._find_loaded(address, found, partitions)
        try:
            contents = self._read_contents(address, found, loaded)
        except NotLoadedError:
            # It was released in the meantime.
            contents = self._read_contents(address, found, "no")
        return Collection(
            name=name,
            containers=(server, Container(kind="Database", name=name[0])),
            vectors=found.vectors(),
            fields=contents.fields,
            text_field=text_path(field.path for field in contents.fields) or found.text_field(),
            count=contents.count,
            count_is_estimate=contents.is_estimate,
            created=found.created,
            aliases=found.aliases,
            # With a partition key the partitions are buckets of the store.
            partitions=() if found.partition_key or partitions == (_ONLY_PARTITION,) else partitions,
            description=found.description(),
            properties=found.properties(),
            provenance=contents.provenance,
        )

    def has(self, name: Name, ids: Sequence[str]) -> frozenset[str]:
        texts = parse_keys(ids, parse_text)
        if not texts:
            return frozenset()
        address = self._address_of(name)
        found = self._read_description(address)
        is_text = found.primary_key is not None and found.primary_key[1]
        keys = texts if is_text else parse_keys(ids, parse_integer)
        if not keys:
            return frozenset()
        loaded = self._find_loaded(address, found, self._list_partitions(address))
        there = self._open_rows(address, found).find(list(keys)) if loaded != "no" else []
        if loaded != "whole" and len(set(there)) < len(keys):
            raise NotLoadedError(
                f"Milvus at {self._client.server}: {address.label}: ids cannot be looked up, because it is not loaded "
                "as a whole. Load it, or leave it out by collection_pattern."
            )
        return find_ids(keys, there)

    def close(self) -> None:
        self._client.close()

    def _address_of(self, name: Name) -> _Address:
        if len(name) != 2 or not all(name):
            raise VanishedError(f"Milvus at {self._client.server}: no collection {'.'.join(name)!r}.")
        return _Address(database=name[0], collection=name[1])

    def _read_server(self) -> Container:
        """Describe the server, after checking that it is Milvus."""
        try:
            version = self._client.version()
        except (UnreadableError, VanishedError) as error:
            raise UnreachableError(str(error)) from error
        properties = {"version": version} if version else {}
        return Container(kind="Server", name=self._client.server, properties=properties)

    def _ask(self, method: str, request: Message, address: _Address) -> Mapping[str, Any]:
        answer = self._client.ask(method, request, address.label)
        return mapping(MessageToDict(answer, preserving_proto_field_name=True))

    def _read_description(self, address: _Address) -> Description:
        try:
            info = self._ask(
                "DescribeCollection", milvus_pb2.DescribeCollectionRequest(**address.parameters), address
            )
        except InvalidError as error:
            if address.is_valid:
                raise
            raise VanishedError(str(error)) from error
        try:
            indexes = self._ask(
                "DescribeIndex", milvus_pb2.DescribeIndexRequest(**address.parameters), address
            )
        except NoIndexError:
            indexes = {}
        found = Description(info=info, indexes=indexes.get("index_descriptions") or ())
        if found.name is None or found.primary_key is None:
            raise UnreadableError(
                f"Milvus at {self._client.server}: {address.label}: the answer has no schema. Look for a proxy in "
                "between, and check the server's version."
            )
        if found.name != address.collection:
            # It was dropped in the meantime, and its name became an alias of another collection.
            raise VanishedError(f"Milvus at {self._client.server}: {address.label}: it does not exist.")
        return found

    def _list_partitions(self, address: _Address) -> tuple[str, ...]:
        answer = self._ask("ShowPartitions", milvus_pb2.ShowPartitionsRequest(**address.parameters), address)
        return tuple(sorted(answer.get("partition_names") or ()))

    def _find_loaded(self, address: _Address, found: Description, partitions: Sequence[str]) -> _Loaded:
        """Find out how much is loaded. Milvus calls a collection loaded as soon as one of its partitions is."""
        try:
            if not self._is_loaded(address, ()):
                return "no"
            whole = found.partition_key is not None or len(partitions) < 2
            return "whole" if whole or self._is_loaded(address, partitions) else "part"
        except DeniedError:
            # Before 2.4 only users who may change the state could see it.
            in_memory = self._list_in_memory(address)
            return "no" if not in_memory else "whole" if in_memory >= set(partitions) else "part"

    def _is_loaded(self, address: _Address, partitions: Sequence[str]) -> bool:
        request = milvus_pb2.GetLoadStateRequest(**address.parameters, partition_names=partitions)
        return bool(self._ask("GetLoadState", request, address).get("state") == _LOADED)

    def _list_in_memory(self, address: _Address) -> set[str]:
        request = milvus_pb2.ShowPartitionsRequest(**address.parameters, type="InMemory")
        answer = self._ask("ShowPartitions", request, address)
        shares = zip(
            answer.get("partition_names") or (), answer.get("inMemory_percentages") or (), strict=False
        )
        return {name for name, share in shares if share == "100"}

    def _read_contents(self, address: _Address, found: Description, loaded: _Loaded) -> _Contents:
        """Read as much as can be queried: nothing of a collection that is not loaded but its estimated count."""
        rows = self._open_rows(address, found) if loaded != "no" else None
        exact = rows.count() if rows and loaded == "whole" and self._exact_count else None
        count = exact if exact is not None else self._estimate_count(address)
        sample = self._sample(rows, found) if rows and count != 0 else []
        fields = described(found.fields(infer(sample, complete=exact is not None and exact <= _SAMPLE)))
        paths = provenance_paths(
            self._fields, [field.path for field in fields], nested_in=("metadata", *found.json_columns)
        )
        wanted = {path: column for path in paths if (column := found.column_of(path))}
        if rows:
            provenance = self._count_provenance(rows, wanted, count, whole=loaded == "whole")
        else:
            provenance = self._report_unread(found, tuple(wanted), count)
        return _Contents(
            fields=fields,
            count=count,
            is_estimate=exact is None and count is not None,
            provenance=provenance,
        )

    def _open_rows(self, address: _Address, found: Description) -> Rows:
        key = found.primary_key or ("", False)
        return Rows(self._client, address.database, address.collection, key=key, item=address.label)

    def _estimate_count(self, address: _Address) -> int | None:
        request = milvus_pb2.GetCollectionStatisticsRequest(**address.parameters)
        return row_count(self._ask("GetCollectionStatistics", request, address).get("stats"))

    def _sample(self, rows: Rows, found: Description) -> list[Row]:
        """Read the first rows of the columns whose fields the schema does not declare."""
        columns = [*found.json_columns, *([DYNAMIC] if found.has_dynamic_fields else [])]
        pages = rows.pages(columns, _SAMPLE) if columns else ()
        return [row for page in pages for row in page]

    def _count_provenance(
        self, rows: Rows, wanted: Mapping[str, str], count: int | None, *, whole: bool
    ) -> tuple[ProvenanceCount, ...]:
        counter = ValueCounter(tuple(wanted), self._max_values)
        if wanted and count != 0:
            for page in rows.pages(sorted(set(wanted.values())), self._max_rows):
                counter.add_rows(page)
        complete = whole and counter.rows < self._max_rows
        return counter.result(counter.rows if complete or count is None else max(count, counter.rows))

    def _report_unread(
        self, found: Description, paths: Sequence[str], count: int | None
    ) -> tuple[ProvenanceCount, ...]:
        """Report for each field that would have been counted that none of ``count`` rows was read."""
        hidden = [DYNAMIC] if found.has_dynamic_fields else []
        return tuple(
            ProvenanceCount(field=path, values={}, rows_scanned=0, rows_total=count)
            for path in (paths or hidden)
            if self._fields and count
        )
