"""A stand-in for Pinecone: what its reference documents, in the shape of the API version that a request names.

No engine of Pinecone runs outside of Pinecone. Answers are the documented ones of ``tests/wire/pinecone`` with the
names, vectors and counts of a test's own indexes put in. Every index has a host of its own, told apart by its path.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from support import paths
from support.stub import Call, Reply, Stub, answer_json

WIRE = paths.WIRE / "pinecone"
KEY = "planted-key-5ec7e7"
PLANTED = "planted-payload-c0ffee"
"""In every payload value: it must turn up nowhere."""

NOT_FOUND = {"code": 5, "message": "Index not found", "details": []}
"""In the words of an index's host; those of the control plane are in ``tests/wire/pinecone``."""


def documented(version: str, call: str) -> Any:
    """An example answer of Pinecone's reference."""
    answers = json.loads((WIRE / f"{version}.json").read_text(encoding="utf-8"))
    return copy.deepcopy(answers["calls"][call]["answer"])


@dataclass(slots=True)
class FakeIndex:
    """One index, with the metadata or the documents of each namespace by their ids."""

    name: str
    fields: Mapping[str, Mapping[str, Any]] = field(
        default_factory=lambda: {"_values": {"type": "dense_vector", "dimension": 4, "metric": "cosine"}}
    )
    namespaces: dict[str, dict[str, Any]] = field(default_factory=dict)
    deployment: Mapping[str, Any] | None = None
    more: Mapping[str, Any] = field(default_factory=dict)
    stats: Mapping[str, Any] = field(default_factory=dict)
    """What ``describe_index_stats`` says beside the namespaces."""
    counts: Mapping[str, int] | None = None
    """Instead of the number of records, where a test needs none."""

    @property
    def documents(self) -> bool:
        return not set(self.fields) <= {"_values", "_sparse_values"}


def records(count: int, **values: Any) -> dict[str, Any]:
    """``count`` records with these values, with the record's number where a value holds ``{n}``."""
    return {
        f"id-{n:05d}": {
            key: value.format(n=n) if isinstance(value, str) else value for key, value in values.items()
        }
        for n in range(count)
    }


class PineconeService(Stub):
    """Answers as the control plane at its root and as the host of an index below ``/hosts/<index>``."""

    def __init__(self, *indexes: FakeIndex, **options: Any) -> None:
        self.indexes = {item.name: item for item in indexes}
        self.page = 100
        not_found = documented("2026-04", "GET /indexes/example-index 404")
        super().__init__(self._answered, missing=not_found, **options)

    def described(self, item: FakeIndex, version: str) -> dict[str, Any]:
        """As the API version says it."""
        host = f"{self.url}/hosts/{item.name}"
        if version < "2026-07":
            return self._as_before(item, host)
        answer = documented("2026-07", "GET /indexes")["indexes"][0]
        answer |= {"name": item.name, "host": host, "schema": {"fields": dict(item.fields)}}
        return {**answer, **({"deployment": item.deployment} if item.deployment else {}), **item.more}

    def _as_before(self, item: FakeIndex, host: str) -> dict[str, Any]:
        answer = documented("2026-04", "GET /indexes")["indexes"][1]
        answer |= {"name": item.name, "host": host, "status": {"ready": True, "state": "Ready"}}
        answer["deletion_protection"] = item.more.get("deletion_protection", "disabled")
        for spec in item.fields.values():
            answer |= {key: spec[key] for key in ("dimension", "metric") if key in spec}
        return dict(answer)

    def _answered(self, call: Call) -> Reply:
        if call.headers.get("Api-Key") != KEY:
            return answer_json(documented("2026-04", "GET /indexes 401"), 401)
        version = call.headers.get("X-Pinecone-Api-Version", "2024-07")
        parts = [unquote(part) for part in call.path.strip("/").split("/")]
        if parts[0] == "hosts" and parts[1] in self.indexes:
            return self._of_host(self.indexes[parts[1]], parts[2:], call)
        if parts == ["indexes"]:
            return answer_json({"indexes": [self.described(item, version) for item in self.indexes.values()]})
        if parts[0] == "indexes" and len(parts) == 2 and parts[1] in self.indexes:
            return answer_json(self.described(self.indexes[parts[1]], version))
        return answer_json(NOT_FOUND if parts[0] == "hosts" else self.missing, 404)

    def _of_host(self, item: FakeIndex, parts: list[str], call: Call) -> Reply:
        if parts == ["describe_index_stats"]:
            return answer_json(self._stats(item))
        if parts == ["namespaces"]:
            entries = [
                {
                    "name": name or "__default__",
                    "record_count": str(len(found)),
                    "size_bytes": str(1000 * len(found)),
                }
                for name, found in sorted(item.namespaces.items())
            ]
            return self._page(entries, "namespaces", call.query.get("paginationToken"), {})
        if parts == ["vectors", "list"]:
            name = call.query["namespace"][0]
            prefix, limit = call.query.get("prefix", [""])[0], int(call.query.get("limit", ["100"])[0])
            ids = [{"id": key} for key in sorted(self._records(item, name)) if key.startswith(prefix)]
            usage = {"namespace": name, "usage": {"readUnits": 1}}
            return self._page(ids, "vectors", call.query.get("paginationToken"), usage, limit)
        if parts == ["vectors", "fetch"]:
            return answer_json(self._fetched(item, call.query["namespace"][0], call.query["ids"]))
        if parts[0] == "namespaces" and parts[2:] == ["documents", "list"]:
            prefix, limit = call.json.get("prefix", ""), call.json.get("limit", 100)
            ids = [{"_id": key} for key in sorted(self._records(item, parts[1])) if key.startswith(prefix)]
            token = call.json.get("pagination_token")
            usage = {"namespace": parts[1], "usage": {"read_units": 1}}
            return self._page(ids, "documents", [token] if token else None, usage, limit)
        if parts[0] == "namespaces" and parts[2:] == ["documents", "fetch"]:
            there = self._records(item, parts[1])
            found = {key: {"_id": key, **there[key]} for key in call.json["ids"] if key in there}
            return answer_json({"documents": found, "namespace": parts[1], "usage": {"read_units": 1}})
        return answer_json({"code": 12, "message": "not implemented by the stand-in", "details": []}, 501)

    def _records(self, item: FakeIndex, name: str) -> dict[str, Any]:
        return item.namespaces.get("" if name == "__default__" and "" in item.namespaces else name, {})

    def _stats(self, item: FakeIndex) -> dict[str, Any]:
        answer = documented("2026-07", "POST /describe_index_stats")
        counts = item.counts or {name: len(found) for name, found in item.namespaces.items()}
        answer["namespaces"] = {name: {"vectorCount": count} for name, count in counts.items()}
        dimensions = [spec["dimension"] for spec in item.fields.values() if "dimension" in spec]
        answer |= {
            "totalVectorCount": sum(counts.values()),
            "dimension": dimensions[0] if dimensions else None,
        }
        answer |= item.stats
        return {key: value for key, value in answer.items() if value is not None}

    def _fetched(self, item: FakeIndex, name: str, ids: list[str]) -> dict[str, Any]:
        answer = documented("2026-04", "GET /vectors/fetch")
        there = self._records(item, name)
        vectors = {
            key: {"id": key, "values": [0.5] * 4, "metadata": there[key]} for key in ids if key in there
        }
        return {**answer, "namespace": name, "usage": {"readUnits": -(-len(ids) // 10)}, "vectors": vectors}

    def _page(
        self,
        entries: list[Any],
        key: str,
        token: list[str] | None,
        more: Mapping[str, Any],
        limit: int = 100,
    ) -> Reply:
        start = int(token[0]) if token else 0
        end = start + min(self.page, limit)
        following = {"pagination": {"next": str(end)}} if end < len(entries) else {}
        return answer_json({key: entries[start:end], **following, **more})
