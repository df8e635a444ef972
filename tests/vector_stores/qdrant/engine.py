"""Qdrant's REST paths over its real Rust engine (``qdrant-edge-py``), since no Qdrant server comes as a package.

What is the engine's own: points, counts, facets and their refusal, scrolling, payload indexes, and the configuration of
vectors, graph and quantization, which is read back from the ``edge_config.json`` that the engine wrote. What is ours,
since the engine has no layer of collections: the envelope, names, aliases, and ``extra`` (shards, metadata,
strict mode, creation time), in the shapes of https://github.com/qdrant/qdrant/tree/master/docs/redoc (v1.19.x).
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from uuid import UUID

import qdrant_edge as edge

from support.stub import Call, Reply, Stub, answer_json

VERSION = "1.19.1"
_DISTANCES = {name.lower(): getattr(edge.Distance, name) for name in ("Cosine", "Dot", "Euclid", "Manhattan")}
_DATATYPES = {
    "float32": edge.VectorStorageDatatype.Float32,
    "float16": edge.VectorStorageDatatype.Float16,
    "uint8": edge.VectorStorageDatatype.Uint8,
}
_INDEXES = {
    kind.lower(): getattr(edge.PayloadSchemaType, kind)
    for kind in ("Keyword", "Integer", "Float", "Geo", "Text", "Bool", "Datetime", "Uuid")
}
_INDEX_PARAMS = {"keyword": edge.KeywordIndexParams, "integer": edge.IntegerIndexParams}


def missing(name: str) -> dict[str, Any]:
    """Qdrant's own word for a collection that is not there."""
    return {"status": {"error": f"Not found: Collection `{name}` doesn't exist!"}, "time": 0.00001}


@dataclass(slots=True)
class Held:
    """One collection: an engine's shard, and what only a server knows of it."""

    path: Path
    shard: Any
    extra: dict[str, Any] = field(default_factory=dict)
    """Merged into ``CollectionInfo``: top-level keys, with ``config`` and ``config.params`` one level deeper."""
    shard_keys: tuple[str, ...] = ()


class QdrantEngine:
    """Collections below ``folder``; ``answer`` is what a ``Stub`` asks."""

    def __init__(self, folder: Path, *, version: str = VERSION) -> None:
        self.folder = folder
        self.version = version
        self.held: dict[str, Held] = {}
        self.aliases: dict[str, str] = {}
        self._lock = threading.Lock()

    def create(
        self, name: str, spec: Mapping[str, Any], *, shard_keys: tuple[str, ...] = (), **extra: Any
    ) -> Held:
        """``spec`` is the body of Qdrant's own "create collection"."""
        path = self.folder / f"c{len(list(self.folder.glob('c*')))}"
        path.mkdir(parents=True)
        shard = edge.EdgeShard.create(str(path), _config(spec))
        params = {
            "shard_number": 1,
            "replication_factor": 1,
            "write_consistency_factor": 1,
            "on_disk_payload": True,
        }
        params |= {key: spec[key] for key in params if spec.get(key) is not None}
        if spec.get("sharding_method"):
            params["sharding_method"] = spec["sharding_method"]
        more = {"params": params, **({"metadata": spec["metadata"]} if spec.get("metadata") else {})}
        config = {**more, **extra.pop("config", {})}
        self.held[name] = Held(path, shard, {**extra, "config": config}, shard_keys)
        return self.held[name]

    def insert(self, name: str, points: list[Mapping[str, Any]]) -> None:
        """As Qdrant's own "upsert points"."""
        made = [
            edge.Point(item["id"], _vector(item["vector"]), dict(item.get("payload") or {}))
            for item in points
        ]
        self.held[name].shard.update(edge.UpdateOperation.upsert_points(made))

    def index(self, name: str, key: str, schema: str | Mapping[str, Any]) -> None:
        """As Qdrant's own "create payload index"."""
        spec = {"type": schema} if isinstance(schema, str) else dict(schema)
        kind = str(spec.pop("type")).lower()
        made = _INDEX_PARAMS[kind](**spec) if spec else _INDEXES[kind]
        self.held[name].shard.update(edge.UpdateOperation.create_field_index(key, made))

    def close(self) -> None:
        for held in self.held.values():
            held.shard.close()
        self.held.clear()

    def answer(self, call: Call) -> Reply:
        with self._lock:
            return self._answer(call)

    def _answer(self, call: Call) -> Reply:
        if call.path == "/":
            title = "qdrant - vector search engine"
            return answer_json({"title": title, "version": self.version, "commit": "0" * 40})
        parts = [unquote(part) for part in call.path.strip("/").split("/")]
        body = call.json if call.body else {}
        if parts == ["collections"]:
            return _ok({"collections": [{"name": name} for name in self.held]})
        if len(parts) < 2 or parts[0] != "collections":
            # A path that the server does not know has no body.
            return Reply(status=404, body=b"", headers={})
        name, rest = parts[1], f"{call.method} {'/'.join(parts[2:])}".strip()
        if rest == "PUT":
            self.create(name, body)
            return _ok(True)
        if rest == "GET exists":
            return _ok({"exists": name in self.held})
        held = self.held.get(self.aliases.get(name, name))
        if held is None:
            return answer_json(missing(name), 404)
        return self._of_collection(name, held, rest, body)

    def _of_collection(self, name: str, held: Held, rest: str, body: Mapping[str, Any]) -> Reply:
        if rest == "GET":
            return _ok(_info(held))
        if rest == "GET aliases":
            pairs = sorted(self.aliases.items())
            found = [{"alias_name": a, "collection_name": c} for a, c in pairs if c == name]
            return _ok({"aliases": found})
        if rest == "GET cluster":
            local = [
                {"shard_id": n, "shard_key": key, "points_count": 0, "state": "Active"}
                for n, key in enumerate(held.shard_keys)
            ]
            return _ok(
                {
                    "peer_id": 1,
                    "shard_count": len(local),
                    "local_shards": local[:1],
                    "remote_shards": [{**shard, "peer_id": 2} for shard in local[1:]],
                    "shard_transfers": [],
                }
            )
        if rest == "PUT points":
            self.insert(name, body["points"])
            return _ok({"operation_id": 1, "status": "completed"})
        if rest == "PUT index":
            self.index(name, body["field_name"], body["field_schema"])
            return _ok({"operation_id": 1, "status": "completed"})
        return self._points(held, rest, body)

    def _points(self, held: Held, rest: str, body: Mapping[str, Any]) -> Reply:
        if rest == "POST points/count":
            request = edge.CountRequest(exact=body.get("exact", True), filter=_filter(body.get("filter")))
            return _ok({"count": held.shard.count(request)})
        if rest == "POST points":
            try:
                ids = [_point_id(one) for one in body["ids"]]
            except ValueError as error:
                return answer_json({"status": {"error": f"Format error in JSON body: {error}"}}, 400)
            records = held.shard.retrieve(ids, body.get("with_payload", True), body.get("with_vector", False))
            return _ok([{"id": one.id, "payload": one.payload, "vector": one.vector} for one in records])
        if rest == "POST points/query":
            query = body["query"]["nearest"] if isinstance(body["query"], dict) else body["query"]
            wanted = edge.Query.Nearest(query, using=body.get("using") or None)
            nearest = edge.QueryRequest(limit=body.get("limit", 10), query=wanted, with_payload=True)
            hits = held.shard.query(nearest)
            fields = ("id", "version", "score", "payload")
            return _ok({"points": [{name: getattr(hit, name) for name in fields} for hit in hits]})
        if rest == "POST points/delete":
            held.shard.update(edge.UpdateOperation.delete_points(body["points"]))
            return _ok({"operation_id": 1, "status": "completed"})
        if rest == "POST facet":
            asked = edge.FacetRequest(
                body["key"], limit=body.get("limit", 10), exact=body.get("exact", False)
            )
            try:
                hits = held.shard.facet(asked).hits
            except Exception as error:  # noqa: BLE001  # the engine raises nothing narrower
                return answer_json({"status": {"error": f"Bad request: {error}"}, "time": 0.0}, 400)
            return _ok({"hits": [{"value": hit.value, "count": hit.count} for hit in hits]})
        if rest == "POST points/scroll":
            page = edge.ScrollRequest(
                offset=body.get("offset"),
                limit=body.get("limit", 10),
                with_payload=body.get("with_payload", True),
                with_vector=False,
            )
            try:
                records, following = held.shard.scroll(page)
            except Exception as error:  # noqa: BLE001  # as above
                return answer_json({"status": {"error": f"Bad request: {error}"}, "time": 0.0}, 400)
            points = [{"id": record.id, "payload": record.payload} for record in records]
            return _ok({"points": points, "next_page_offset": following})
        return Reply(status=404, body=b"", headers={})


@contextmanager
def served(engine: QdrantEngine) -> Iterator[Stub]:
    """The engine behind HTTP."""
    with Stub(engine.answer, missing=missing("docs")) as stub:
        yield stub


def _ok(result: object) -> Reply:
    # The engine's ids and values may be UUIDs and the like.
    body = json.dumps({"result": result, "status": "ok", "time": 0.0001}, default=str).encode()
    return Reply(body=body)


def _point_id(given: object) -> int | str:
    """As Qdrant takes it: an unsigned integer of 64 bits, or a UUID in any form."""
    if isinstance(given, int) and not isinstance(given, bool) and 0 <= given < 1 << 64:
        return given
    if isinstance(given, str):
        return str(UUID(given))
    raise ValueError("data did not match any variant of untagged enum ExtendedPointId")


def _filter(spec: Mapping[str, Any] | None) -> Any:
    if spec is None:
        return None
    return edge.Filter(must_not=[edge.IsEmptyCondition(item["is_empty"]["key"]) for item in spec["must_not"]])


def _vector(given: Any) -> Any:
    if isinstance(given, list):
        return given
    return {
        name: edge.SparseVector(item["indices"], item["values"]) if isinstance(item, dict) else item
        for name, item in given.items()
    }


def _config(spec: Mapping[str, Any]) -> Any:
    vectors = spec.get("vectors") or {}
    vectors = {"": vectors} if "size" in vectors else vectors
    sparse = spec.get("sparse_vectors") or {}
    return edge.EdgeConfig(
        vectors={name: _vector_params(item) for name, item in vectors.items()},
        sparse_vectors={name: _sparse_params(item) for name, item in sparse.items()},
        hnsw_config=_hnsw(spec.get("hnsw_config")),
        quantization_config=_quantization(spec.get("quantization_config")),
    )


def _vector_params(spec: Mapping[str, Any]) -> Any:
    multi = spec.get("multivector_config")
    return edge.EdgeVectorParams(
        size=spec["size"],
        distance=_DISTANCES[str(spec["distance"]).lower()],
        on_disk=spec.get("on_disk"),
        datatype=_DATATYPES[spec["datatype"]] if spec.get("datatype") else None,
        multivector_config=edge.MultiVectorConfig(edge.MultiVectorComparator.MaxSim) if multi else None,
        hnsw_config=_hnsw(spec.get("hnsw_config")) if spec.get("hnsw_config") else None,
        quantization_config=_quantization(spec.get("quantization_config")),
    )


def _sparse_params(spec: Mapping[str, Any] | None) -> Any:
    index = (spec or {}).get("index") or {}
    modifier = edge.Modifier.Idf if (spec or {}).get("modifier") == "idf" else None
    return edge.EdgeSparseVectorParams(modifier=modifier, on_disk=index.get("on_disk"))


def _hnsw(spec: Mapping[str, Any] | None) -> Any:
    # Without these the engine takes its own, which are the server's.
    return edge.HnswIndexConfig(
        **{"m": 16, "ef_construct": 100, "full_scan_threshold": 10_000, **(spec or {})}
    )


def _quantization(spec: Mapping[str, Any] | None) -> Any:
    if not spec:
        return None
    ((kind, options),) = spec.items()
    if kind == "scalar":
        return edge.ScalarQuantizationConfig(**{**options, "type": edge.ScalarType.Int8})
    if kind == "product":
        return edge.ProductQuantizationConfig(
            compression=getattr(edge.CompressionRatio, options["compression"])
        )
    return edge.BinaryQuantizationConfig(**options)


def _info(held: Held) -> dict[str, Any]:
    """``CollectionInfo``: configuration and statistics as the engine has them, the rest as the test said."""
    stored = json.loads((held.path / "edge_config.json").read_text())
    dense = stored.get("vectors") or {}
    sparse = {
        name: {
            "index": {key: value for key, value in item.items() if key != "modifier"},
            **({"modifier": item["modifier"]} if item.get("modifier") else {}),
        }
        for name, item in (stored.get("sparse_vectors") or {}).items()
    }
    params = {"vectors": dense[""] if set(dense) == {""} else dense}
    if sparse:
        params["sparse_vectors"] = sparse
    extra_config = held.extra["config"]
    config = {
        "hnsw_config": stored["hnsw_config"],
        "optimizer_config": {
            "deleted_threshold": 0.2,
            "vacuum_min_vector_number": 1000,
            "default_segment_number": 0,
            "flush_interval_sec": 5,
        },
        "wal_config": {"wal_capacity_mb": 32, "wal_segments_ahead": 0},
        "quantization_config": stored.get("quantization_config"),
        **extra_config,
        "params": {**params, **extra_config.get("params", {})},
    }
    info = held.shard.info()
    statistics = {
        "status": "green",
        "optimizer_status": "ok",
        "indexed_vectors_count": info.indexed_vectors_count,
        "points_count": info.points_count,
        "segments_count": info.segments_count,
        "payload_schema": {key: _index_info(item) for key, item in info.payload_schema.items()},
    }
    return {**statistics, **held.extra, "config": config}


def _index_info(item: Any) -> dict[str, Any]:
    kind = str(item.data_type).rpartition(".")[2].lower()
    params = {
        key: value
        for key in ("is_tenant", "lookup", "range", "on_disk")
        if item.params is not None and (value := getattr(item.params, key, None)) is not None
    }
    return {
        "data_type": kind,
        "points": item.points,
        **({"params": {"type": kind, **params}} if params else {}),
    }
