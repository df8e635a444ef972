"""Weaviate's gRPC before its stand-in: what is written is held, and every object is as near to a question as any other.

The messages are those that Weaviate's own client brings; order and scores mean nothing. ``test_weaviate`` asks it what
a real server was asked (``tests/wire/weaviate/grpc.json``), and compares.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Final
from uuid import UUID

import grpc
import numpy as np
from weaviate.proto.v1 import batch_pb2, search_get_pb2

MESSAGES: Final[dict[str, tuple[Any, Any]]] = {
    "BatchObjects": (batch_pb2.BatchObjectsRequest, batch_pb2.BatchObjectsReply),
    "Search": (search_get_pb2.SearchRequest, search_get_pb2.SearchReply),
}
"""Request and reply by the method."""
_SERVICE: Final = "weaviate.v1.Weaviate"
_VALUES: Final = {"text": "text_value", "uuid": "uuid_value"}
"""Where a value of a data type stands in an answer; a test that needs another one adds it."""


class WeaviateGrpc:
    """``schema_of`` gives the schema of a collection, as REST does."""

    def __init__(self, schema_of: Callable[[str], dict[str, Any]]) -> None:
        self._schema_of = schema_of
        self.held: dict[str, dict[str, Any]] = {}

    def answer(self, name: str, request: Any) -> Any:
        return self._written(request) if name == "BatchObjects" else self._found(request)

    def _written(self, request: Any) -> Any:
        for item in request.objects:
            self.held.setdefault(item.collection, {})[item.uuid] = item
        return batch_pb2.BatchObjectsReply()

    def _found(self, request: Any) -> Any:
        found = list(self.held.get(request.collection, {}).values())[: request.limit]
        results = [self._result(request, item) for item in found]
        return search_get_pb2.SearchReply(results=results, generative_grouped_result="")

    def _result(self, request: Any, item: Any) -> Any:
        given = item.properties.non_ref_properties.fields
        result = search_get_pb2.SearchResult()
        result.properties.target_collection = request.collection
        fields = result.properties.non_ref_props.fields
        for known in self._schema_of(request.collection)["properties"]:
            name, [kind] = known["name"], known["dataType"]
            if name in given:
                setattr(fields[name], _VALUES[kind], given[name].string_value)
            else:
                fields[name].null_value = 0
        result.metadata.id = item.uuid
        result.metadata.id_as_bytes = UUID(item.uuid).bytes
        result.metadata.score, result.metadata.score_present = 0.5, True
        if request.metadata.vector:
            result.metadata.vector_bytes = item.vector_bytes
            result.metadata.vector.extend(np.frombuffer(item.vector_bytes, "<f4").tolist())
        return result


def asking(channel: Any, name: str) -> Callable[[Any], Any]:
    """A method of the server at the end of ``channel``: request in, reply out."""
    asked, answered = MESSAGES[name]
    call: Callable[[Any], Any] = channel.unary_unary(
        f"/{_SERVICE}/{name}",
        request_serializer=asked.SerializeToString,
        response_deserializer=answered.FromString,
    )
    return call


@contextmanager
def served(call: Callable[[str, Any], Any]) -> Iterator[int]:
    """The port that ``call`` is served on: of the name of a method and a request it makes the reply."""

    def handler(name: str) -> Any:
        asked, answered = MESSAGES[name]
        return grpc.unary_unary_rpc_method_handler(
            lambda request, _: call(name, request),
            request_deserializer=asked.FromString,
            response_serializer=answered.SerializeToString,
        )

    server = grpc.server(ThreadPoolExecutor(4))
    handlers = {name: handler(name) for name in MESSAGES}
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(_SERVICE, handlers)])
    port: int = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield port
    finally:
        server.stop(None)
