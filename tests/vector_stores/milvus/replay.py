"""A stand-in for a newer Milvus server: answers its gRPC service out of ``tests/wire/milvus``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
from google.protobuf.json_format import ParseDict
from pymilvus.grpc_gen import milvus_pb2, milvus_pb2_grpc

from support import paths
from support.stub import CERTIFICATE, TLS

WIRE = paths.WIRE / "milvus"
_NOT_FOUND = {"error_code": "UnexpectedError", "code": 100, "reason": "collection not found"}


@contextmanager
def replayed(version: str, odd: Mapping[str, Any] | None = None, *, tls: bool = False) -> Iterator[str]:
    """Address of a server that answers what ``<version>.json`` holds; ``odd`` are other answers of some methods."""
    held = json.loads((WIRE / f"{version}.json").read_text())
    server = grpc.server(ThreadPoolExecutor(16))
    milvus_pb2_grpc.add_MilvusServiceServicer_to_server(ReplayedService(held, odd or {}), server)
    pair = ((TLS / "key.pem").read_bytes(), CERTIFICATE.read_bytes())
    port = (
        server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([pair]))
        if tls
        else server.add_insecure_port("127.0.0.1:0")
    )
    server.start()
    try:
        yield f"http{'s' if tls else ''}://127.0.0.1:{port}"
    finally:
        server.stop(None)


class ReplayedService(milvus_pb2_grpc.MilvusServiceServicer):  # type: ignore[misc]  # pymilvus ships no types for it
    def __init__(self, held: Mapping[str, Any], odd: Mapping[str, Any]) -> None:
        self._held = held
        self._odd = odd

    def answers_of(self, name: str) -> Mapping[str, Any]:
        """By method, for one collection."""
        found: Mapping[str, Any] = self._held["collections"].get(name, {})
        return found

    def _answer(self, method: str, request: Any) -> Any:
        answers = self.answers_of(getattr(request, "collection_name", ""))
        if getattr(request, "db_name", "default") not in ("", "default"):
            answers = {}
        found = self._odd.get(method) or answers.get(method) or {"status": _NOT_FOUND}
        return ParseDict(found, getattr(milvus_pb2, f"{method}Response")())

    def GetVersion(self, request: Any, context: Any) -> Any:
        return milvus_pb2.GetVersionResponse(status={}, version=self._held["version"])

    def ListDatabases(self, request: Any, context: Any) -> Any:
        return milvus_pb2.ListDatabasesResponse(status={}, db_names=["default"])

    def ShowCollections(self, request: Any, context: Any) -> Any:
        return milvus_pb2.ShowCollectionsResponse(status={}, collection_names=list(self._held["collections"]))

    def DescribeCollection(self, request: Any, context: Any) -> Any:
        return self._answer("DescribeCollection", request)

    def DescribeIndex(self, request: Any, context: Any) -> Any:
        return self._answer("DescribeIndex", request)

    def ShowPartitions(self, request: Any, context: Any) -> Any:
        return self._answer("ShowPartitions", request)

    def GetLoadState(self, request: Any, context: Any) -> Any:
        return self._answer("GetLoadState", request)

    def GetCollectionStatistics(self, request: Any, context: Any) -> Any:
        return self._answer("GetCollectionStatistics", request)
