"""A Weaviate server over its REST API and GraphQL (Weaviate 1.24 and later, and Weaviate Cloud).

https://docs.weaviate.io/weaviate/api/rest
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from datahub_llmops.assets.collections import Container
from datahub_llmops.errors import DeniedError, UnreachableError, UnreadableError, VanishedError
from datahub_llmops.ingestion.once import Once
from datahub_llmops.net.http import HttpClient, Query
from datahub_llmops.net.json_values import is_since, mapping, text, whole
from datahub_llmops.vector_stores.weaviate.facts import Described
from datahub_llmops.vector_stores.weaviate.queries import (
    Ask,
    Group,
    has_errors,
    query_of,
    results_of,
)

_ASKS_A_QUERY: Final = 10
_FIRST_WITH_ALIASES: Final = (1, 32)
_ACTIVE: Final = frozenset({"ACTIVE", "HOT"})


def absent(status: int, answer: object) -> bool:
    """Is a thing or an interface not there, in Weaviate's words? Whether a collection is, only its schema says."""
    if status == 422:
        return "graphql api is disabled" in str(mapping(answer).get("error"))
    return status in (404, 410) and isinstance(answer, Mapping)


class WeaviateServer:
    """What the reader asks of one server, safe for several threads. ``client`` is closed with it.

    All methods raise as ``HttpClient.get`` does, and ``UnreadableError`` for answers of another shape.
    """

    def __init__(self, client: HttpClient) -> None:
        self._client = client
        self._has_graphql = True
        self._schema: Mapping[str, Described] | None = None
        self.container = Once(self._described)
        self._aliases = Once(self._listed_aliases)

    @property
    def name(self) -> str:
        """For messages."""
        return f"Weaviate at {self._client.server}"

    def _described(self) -> Container:
        """The server, once it has shown that it is a Weaviate."""
        answer = mapping(self._client.get("/v1/meta"))
        version = text(answer.get("version"))
        if version is None or "hostname" not in answer:
            raise UnreachableError(
                f"{self.name}: what answers is not Weaviate. Set url to the root of its REST API, for example "
                "http://localhost:8080."
            )
        return Container(kind="Server", name=self._client.server, properties={"version": version})

    def schema(self, *, anew: bool) -> Mapping[str, Described]:
        """All collections that the key may see, by their names; ``anew`` asks again."""
        known = self._schema
        if known is None or anew:
            listed = mapping(self._client.get("/v1/schema")).get("classes")
            found = [
                Described(schema=mapping(entry)) for entry in (listed if isinstance(listed, list) else [None])
            ]
            known = {item.name: item for item in found if item.name is not None}
            if len(known) != len(found):
                raise self.odd("/v1/schema")
            self._schema = known
        return known

    def aliases(self, collection: str) -> tuple[str, ...]:
        """Servers have them from 1.32 on."""
        if not is_since(self.container().properties["version"], _FIRST_WITH_ALIASES):
            return ()
        return self._aliases().get(collection, ())

    def _listed_aliases(self) -> Mapping[str, tuple[str, ...]]:
        listed = mapping(self._client.get("/v1/aliases")).get("aliases")
        if not isinstance(listed, list):
            raise self.odd("/v1/aliases")
        pairs = [(text(item.get("class")), text(item.get("alias"))) for item in map(mapping, listed)]
        return {
            target: tuple(sorted(alias for other, alias in pairs if alias and other == target))
            for target, _ in pairs
            if target
        }

    def tenants(self, collection: str) -> dict[str, bool]:
        """All tenants by name, sorted, and whether each is active."""
        place = f"/v1/schema/{quote(collection, safe='')}/tenants"
        listed = self._client.get(place)
        if not isinstance(listed, list):
            raise self.odd(place)
        found = {
            name: text(item.get("activityStatus")) in _ACTIVE
            for item in map(mapping, listed)
            if (name := text(item.get("name")))
        }
        if len(found) != len(listed):
            raise self.odd(place)
        return dict(sorted(found.items()))

    def estimate(self, collection: str) -> int | None:
        """How many objects the nodes say that their shards hold, which lags behind writes.

        ``None`` where a shard is not loaded on any node, and so not counted.
        """
        place = f"/v1/nodes/{quote(collection, safe='')}"
        nodes = mapping(self._client.get(place, {"output": "verbose"})).get("nodes")
        if not isinstance(nodes, list):
            raise self.odd(place)
        # A shard is on as many nodes as it has replicas.
        counts: dict[str, int] = {}
        for shard in (mapping(shard) for node in map(mapping, nodes) for shard in node.get("shards") or ()):
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
        """So many objects in the order of their ids, of an active tenant where the collection has tenants."""
        query: dict[str, str | int | Sequence[str]] = {"class": collection, "limit": limit}
        query |= {"tenant": tenant} if tenant is not None else {}
        query |= {"after": after} if after is not None else {}
        query |= {"include": "vector"} if vectors else {}
        return self._objects(query)

    def _objects(self, query: Query) -> list[Mapping[str, Any]]:
        found = mapping(self._client.get("/v1/objects", query)).get("objects")
        if not isinstance(found, list):
            raise self.odd("/v1/objects")
        return [mapping(item) for item in found]

    def aggregate(self, collection: str, asks: Sequence[Ask]) -> list[list[Group]] | None:
        """Answers to ``asks``, ``None`` where GraphQL is switched off, kept away by a proxy, or not for this key.

        Weaviate lets a key use it that may read the schema of all collections.
        """
        results: list[list[Group]] = []
        for start in range(0, len(asks), _ASKS_A_QUERY):
            part = asks[start : start + _ASKS_A_QUERY]
            if not self._has_graphql:
                return None
            try:
                answer = self._client.post("/v1/graphql", {"query": query_of(collection, part)}, reads=True)
            except (DeniedError, VanishedError, UnreachableError):
                # Whether the server is there at all shows in what is asked in place of it.
                self._has_graphql = False
                return None
            failed, refused = has_errors(answer)
            if refused:
                raise DeniedError(
                    f"{self.name}: POST /v1/graphql may not read {collection}. Give the key's role read_data on it."
                )
            found = None if failed else results_of(answer, part)
            if found is None:
                raise self.odd("/v1/graphql")
            results += found
        return results

    def odd(self, place: str) -> UnreadableError:
        return UnreadableError(
            f"{self.name}: the answer to {place} is not what Weaviate answers. Look for a proxy in between, and at the "
            "server's version and log."
        )

    def close(self) -> None:
        self._client.close()
