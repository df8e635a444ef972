"""Client of a Weaviate server's REST API and GraphQL (Weaviate 1.24 and later, and Weaviate Cloud).

https://docs.weaviate.io/weaviate/api/rest
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from datahub_llmops.assets.collections import Container
from datahub_llmops.errors import DeniedError, UnreachableError, UnreadableError, VanishedError
from datahub_llmops.ingestion.once import Once
from datahub_llmops.net.http import HttpClient, path_part
from datahub_llmops.net.json_values import array, is_since, mapping, mappings, text, whole
from datahub_llmops.vector_stores.weaviate.facts import CollectionSchema
from datahub_llmops.vector_stores.weaviate.queries import (
    Ask,
    Group,
    build_lookup,
    build_query,
    has_errors,
    parse_lookup,
    parse_results,
)

_ASKS_A_QUERY: Final = 10
_MOST_HEADS: Final = 200
"""Maximum number of requests for the objects of one lookup, where GraphQL is not available."""
_ALIASES_SINCE: Final = (1, 32)
_ACTIVE: Final = frozenset({"ACTIVE", "HOT"})


def absent(status: int, answer: object) -> bool:
    """Whether Weaviate itself says that something does not exist. For collections only the schema decides."""
    if status == 422:
        return "graphql api is disabled" in str(mapping(answer).get("error"))
    return status in (404, 410) and isinstance(answer, Mapping)


class WeaviateServer:
    """The requests of the reader to one server. Thread-safe; closes ``client``.

    All methods raise like ``HttpClient.get``, and ``UnreadableError`` for answers of an unexpected shape.
    """

    def __init__(self, client: HttpClient) -> None:
        self._client = client
        self._has_graphql = True
        self._schema: Mapping[str, CollectionSchema] | None = None
        self.unexpected = client.unexpected
        self.name = client.name
        """The system and its server, as messages begin."""
        self.timeout = client.timeout
        """The deadline of one call in seconds."""
        self.container = Once(self._read_server)
        self._aliases = Once(self._list_aliases)

    def _read_server(self) -> Container:
        """Describe the server, after checking that it is Weaviate."""
        answer = mapping(self._client.get("/v1/meta"))
        version = text(answer.get("version"))
        if version is None or "hostname" not in answer:
            raise UnreachableError(
                f"{self.name}: what answers is not Weaviate. Set url to the root of its REST API, for example "
                "http://localhost:8080."
            )
        return Container(kind="Server", name=self._client.server, properties={"version": version})

    def schema(self, *, refresh: bool) -> Mapping[str, CollectionSchema]:
        """Return all collections that the key may see, by name. ``refresh`` asks the server again."""
        known = self._schema
        if known is None or refresh:
            listed = mapping(self._client.get("/v1/schema")).get("classes")
            found = [CollectionSchema(schema=entry) for entry in mappings(listed)]
            known = {item.name: item for item in found if item.name is not None}
            if not isinstance(listed, list) or len(known) != len(found):
                raise self.unexpected("/v1/schema")
            self._schema = known
        return known

    def aliases(self, collection: str) -> tuple[str, ...]:
        """List the aliases of a collection. Servers before 1.32 have none."""
        if not is_since(self.container().properties["version"], _ALIASES_SINCE):
            return ()
        return self._aliases().get(collection, ())

    def _list_aliases(self) -> Mapping[str, tuple[str, ...]]:
        listed = mapping(self._client.get("/v1/aliases")).get("aliases")
        if not isinstance(listed, list):
            raise self.unexpected("/v1/aliases")
        pairs = [(text(item.get("class")), text(item.get("alias"))) for item in map(mapping, listed)]
        return {
            target: tuple(sorted(alias for other, alias in pairs if alias and other == target))
            for target, _ in pairs
            if target
        }

    def tenants(self, collection: str) -> dict[str, bool]:
        """Return for each tenant, sorted by name, whether it is active."""
        path = f"/v1/schema/{path_part(collection)}/tenants"
        listed = self._client.get(path)
        if not isinstance(listed, list):
            raise self.unexpected(path)
        found = {
            name: text(item.get("activityStatus")) in _ACTIVE
            for item in map(mapping, listed)
            if (name := text(item.get("name")))
        }
        if len(found) != len(listed):
            raise self.unexpected(path)
        return dict(sorted(found.items()))

    def estimate(self, collection: str) -> int | None:
        """Return the number of objects that the nodes report for their shards, which lags behind writes.

        ``None`` if a shard is loaded on no node, so that its objects are not counted.
        """
        path = f"/v1/nodes/{path_part(collection)}"
        nodes = mapping(self._client.get(path, {"output": "verbose"})).get("nodes")
        if not isinstance(nodes, list):
            raise self.unexpected(path)
        # A shard is reported by each node that has a replica of it.
        counts: dict[str, int] = {}
        for shard in (mapping(shard) for node in map(mapping, nodes) for shard in array(node.get("shards"))):
            name, count = text(shard.get("name")), whole(shard.get("objectCount"))
            if name is None or text(shard.get("class")) not in (None, collection):
                continue
            known = count if shard.get("loaded") is not False and count is not None else -1
            counts[name] = max(counts.get(name, -1), known)
        return None if not counts or min(counts.values()) < 0 else sum(counts.values())

    def objects(
        self,
        collection: str,
        tenant: str | None,
        limit: int,
        *,
        after: str | None = None,
        vectors: bool = False,
    ) -> list[Mapping[str, Any]]:
        """Return ``limit`` objects by id. ``tenant`` must be active; ``None`` is a collection without tenants."""
        query: dict[str, str | int | Sequence[str]] = {"class": collection, "limit": limit}
        query |= {"tenant": tenant} if tenant is not None else {}
        query |= {"after": after} if after is not None else {}
        query |= {"include": "vector"} if vectors else {}
        found = mapping(self._client.get("/v1/objects", query)).get("objects")
        if not isinstance(found, list):
            raise self.unexpected("/v1/objects")
        return [mapping(item) for item in found]

    def aggregate(self, collection: str, asks: Sequence[Ask]) -> list[list[Group]] | None:
        """Return the answers to ``asks``; ``None`` if GraphQL is off, blocked by a proxy, or denied to this key.

        Weaviate allows it to keys that may read the schema of all collections.
        """
        results: list[list[Group]] = []
        for start in range(0, len(asks), _ASKS_A_QUERY):
            part = asks[start : start + _ASKS_A_QUERY]
            answer = self._ask(collection, build_query(collection, part))
            if answer is None:
                return None
            found = parse_results(answer, part)
            if found is None:
                raise self.unexpected("/v1/graphql")
            results += found
        return results

    def find(self, collection: str, tenants: Sequence[str | None], ids: Sequence[str]) -> set[str]:
        """Return those UUIDs of ``ids`` that one of the tenants holds.

        Raises also ``UnreadableError`` if GraphQL is not available and there are too many tenants to ask otherwise.
        """
        found: set[str] = set()
        for start in range(0, len(tenants), _ASKS_A_QUERY):
            part = tenants[start : start + _ASKS_A_QUERY]
            answer = self._ask(collection, build_lookup(collection, part, ids))
            if answer is None:
                return self._find_by_head(collection, tenants, ids)
            there = parse_lookup(answer, part)
            if there is None:
                raise self.unexpected("/v1/graphql")
            found.update(there)
        return found

    def _find_by_head(self, collection: str, tenants: Sequence[str | None], ids: Sequence[str]) -> set[str]:
        if len(tenants) * len(ids) > _MOST_HEADS:
            raise UnreadableError(
                f"{self.name}: without GraphQL ids cannot be looked up in {len(tenants)} tenants of {collection}. "
                "Give this key POST /v1/graphql, or leave the collection out by collection_pattern."
            )
        # A gateway may answer 404 as well. Only Weaviate itself refuses what is no UUID.
        objects = f"/v1/objects/{path_part(collection)}"
        self._client.head(f"{objects}/no-uuid", expected=frozenset({422}))
        return {
            one
            for one in ids
            if any(self._exists(f"{objects}/{path_part(one)}", tenant) for tenant in tenants)
        }

    def _exists(self, path: str, tenant: str | None) -> bool:
        query = {} if tenant is None else {"tenant": tenant}
        return self._client.head(path, query, expected=frozenset({204, 404})) == 204

    def _ask(self, collection: str, query: str) -> object:
        """Return the answer of GraphQL; ``None`` if it is off, blocked by a proxy, or denied to this key."""
        if not self._has_graphql:
            return None
        try:
            answer = self._client.post("/v1/graphql", {"query": query}, reads=True)
        except (DeniedError, VanishedError, UnreachableError):
            # If the server itself is down, the requests that replace this one will fail.
            self._has_graphql = False
            return None
        failed, refused = has_errors(answer)
        if refused:
            raise DeniedError(
                f"{self.name}: POST /v1/graphql may not read {collection}. Give the key's role read_data on it."
            )
        if failed or answer is None:
            raise self.unexpected("/v1/graphql")
        return answer

    def close(self) -> None:
        self._client.close()
