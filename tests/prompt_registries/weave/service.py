"""A stand-in for Weave's trace server that answers in the recorded shapes, for other prompts too.

``test_service.py`` sends it every request of ``tests/wire/weave`` and compares.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from datahub_llmops.net.http import HttpClient
from datahub_llmops.prompt_registries.weave.client import WeaveServer, absent
from datahub_llmops.prompt_registries.weave.reader import WeaveReader
from datahub_llmops.prompt_registries.weave.source import WeaveConfig
from datahub_llmops.prompt_registries.weave.usage import Naming
from prompt_registries.weave.recordings import recorded
from support.stub import Call, Reply, Stub, answer_json

API_KEY = "weave-planted-5ec7e7"
PROJECT = "acme/rag-bot"
_KNOWN = frozenset({"project_id", "filter", "limit", "offset", "sort_by", "metadata_only"})
_ALIASES = "include_tags_and_aliases"


def published() -> list[dict[str, Any]]:
    """All recorded versions of prompts with their templates, oldest first."""
    found = {
        entry["digest"]: entry
        for exchange in recorded("objs_read")
        for entry in exchange["response"]["body"]["objs"]
    }
    return sorted(found.values(), key=lambda entry: entry["created_at"])


def digests(name: str) -> list[str]:
    """The versions of a recorded prompt, oldest first."""
    return [entry["digest"] for entry in published() if entry["object_id"] == name]


def prompt(name: str, *texts: str) -> list[dict[str, Any]]:
    """A text prompt with one version for each text."""
    shape = published()[0]
    return [
        {
            **shape,
            "object_id": name,
            "digest": f"{name}{number:04d}".ljust(43, "x"),
            "version_index": number,
            "is_latest": int(number == len(texts) - 1),
            "created_at": f"2026-11-30T01:{number // 60:02d}:{number % 60:02d}",
            "val": {**shape["val"], "name": name, "content": written},
        }
        for number, written in enumerate(texts)
    ]


def kept_calls() -> list[dict[str, Any]]:
    """All recorded calls as the server keeps them, with inputs and outputs, oldest first."""
    found: list[dict[str, Any]] = recorded("calls_kept")[0]["response"]["body"]
    return sorted(found, key=lambda call: str(call["started_at"]))


def kept_feedback() -> list[dict[str, Any]]:
    """All recorded feedback without notes, oldest first."""
    return [entry for exchange in recorded("feedback") for entry in exchange["response"]["body"]["result"]]


def call(number: int, at: str, **more: Any) -> dict[str, Any]:
    """A call of a trace of its own that began at ``at`` and was given nothing."""
    shape = next(one for one in kept_calls() if "/op/answer:" in one["op_name"])
    told = {"id": f"call-{number:06d}", "trace_id": f"trace-{number:06d}", "started_at": at, "ended_at": at}
    return {**shape, **told, "inputs": {"question": "planted"}, **more}


class WeaveService(Stub):
    """Answers as one project. With ``aliases``, a mapping of digests, it is as new as the service."""

    def __init__(self, **options: Any) -> None:
        self.objects = published()
        self.traced: list[dict[str, Any]] = []
        self.feedback: list[dict[str, Any]] = []
        self.others = [
            answer["obj"]
            for exchange in recorded("obj_read")
            if (answer := exchange["response"]["body"]).get("obj", {}).get("object_id") == "no-prompt"
        ]
        self.deleted = {
            exchange["request"]["body"]["object_id"]: exchange["response"]["body"]
            for exchange in recorded("obj_read")
            if "deleted_at" in exchange["response"]["body"]
        }
        self.aliases: Mapping[str, list[str]] | None = None
        self.key = API_KEY
        missing = {"reason": "Obj nosuch:latest not found"}
        super().__init__(self._answered, missing=missing, **options)

    def trace(self) -> None:
        """Have the recorded calls and what was said of them."""
        self.traced, self.feedback = kept_calls(), kept_feedback()

    def unpublish(self, name: str) -> None:
        """Delete a prompt as a person does."""
        self.objects = [entry for entry in self.objects if entry["object_id"] != name]
        self.deleted[name] = {
            "reason": f"{name}:v0 was deleted at 2026-11-30 02:00:00",
            "deleted_at": "2026-11-30T02:00:00",
        }

    def _answered(self, call: Call) -> Reply:
        given = {name.lower(): value for name, value in call.headers.items()}.get("authorization")
        if given != f"Basic {base64.b64encode(f'api:{self.key}'.encode()).decode()}":
            return answer_json({"detail": "Invalid credentials"}, 401)
        if (call.method, call.path) == ("POST", "/objs/query"):
            return self._query(call.json)
        if (call.method, call.path) == ("POST", "/obj/read"):
            return self._read(call.json)
        if (call.method, call.path) == ("POST", "/calls/stream_query"):
            lines = "".join(f"{json.dumps(row)}\n" for row in self._stream(call.json))
            return Reply(body=lines.encode(), headers={"Content-Type": "application/jsonl"})
        if (call.method, call.path) == ("POST", "/calls/query_stats"):
            count = len(self._stream(call.json))
            return answer_json({"count": count, "total_storage_size_bytes": 0})
        if (call.method, call.path) == ("POST", "/feedback/query"):
            return self._feedback(call.json)
        return answer_json({"detail": "Not Found"}, 404)

    def _query(self, body: dict[str, Any]) -> Reply:
        if "project_id" not in body:
            return answer_json(
                {
                    "detail": [
                        {
                            "type": "missing",
                            "loc": ["body", "project_id"],
                            "msg": "Field required",
                            "input": body,
                        }
                    ]
                },
                422,
            )
        known = _KNOWN if self.aliases is None else _KNOWN | {_ALIASES}
        if unknown := [name for name in body if name not in known]:
            told = {"type": "extra_forbidden", "msg": "Extra inputs are not permitted"}
            detail = [{**told, "loc": ["body", name], "input": body[name]} for name in unknown]
            return answer_json({"detail": detail}, 422)
        names = body["filter"].get("object_ids")
        assert body["filter"]["base_object_classes"] == ["Prompt"]
        found = [
            {**entry, "val": {} if body["metadata_only"] else entry["val"], **self._labels(entry, body)}
            for entry in sorted(self.objects, key=lambda entry: str(entry["created_at"]))
            if body["project_id"] == PROJECT and (names is None or entry["object_id"] in names)
        ]
        first, limit = body["offset"], body["limit"]
        return answer_json({"objs": found[first : first + limit]})

    def _labels(self, entry: Mapping[str, Any], body: Mapping[str, Any]) -> dict[str, Any]:
        if self.aliases is None or not body.get(_ALIASES):
            return {}
        return {"aliases": self.aliases.get(entry["digest"], []), "tags": []}

    def _stream(self, body: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Calls as the SQLite server tells them. It compares no time with a number, and selects whole columns only."""
        narrowed = body.get("filter") or {}
        found = [
            row
            for row in self.traced
            if body["project_id"] == PROJECT
            and (row["parent_id"] is None or not narrowed.get("trace_roots_only"))
            and row["id"] in narrowed.get("call_ids", [row["id"]])
            and row["trace_id"] in narrowed.get("trace_ids", [row["trace_id"]])
            and _refers(row["inputs"], narrowed.get("input_refs"))
        ]
        first, limit = body.get("offset") or 0, body.get("limit") or len(found)
        return [_selected(row, body.get("columns")) for row in found[first : first + limit]]

    def _feedback(self, body: Mapping[str, Any]) -> Reply:
        found = [entry for entry in self.feedback if body["project_id"] == PROJECT]
        first, limit = body["offset"], body["limit"]
        return answer_json({"result": found[first : first + limit]})

    def _read(self, body: Mapping[str, Any]) -> Reply:
        name = body["object_id"]
        for entry in (*self.objects, *self.others):
            if entry["object_id"] == name and entry["is_latest"] and body["digest"] == "latest":
                return answer_json({"obj": {**entry, "val": {}}})
        if name in self.deleted:
            return answer_json(self.deleted[name], 404)
        return answer_json({"reason": f"Obj {name}:{body['digest']} not found"}, 404)


def _refers(inputs: object, refs: list[str] | None) -> bool:
    written = json.dumps(inputs)
    return refs is None or any(ref in written for ref in refs)


def _selected(row: Mapping[str, Any], columns: list[str] | None) -> dict[str, Any]:
    """A call with some of its columns, in the server's own way."""
    if columns is None:
        return dict(row)
    chosen = {column.partition(".")[0] for column in columns} | {"id", "trace_id", "project_id", "op_name"}
    if "summary" in chosen:
        chosen |= {"ended_at", "exception", "display_name"}
    found = {key: value if key in chosen | {"started_at"} else None for key, value in row.items()}
    if "summary" not in chosen:
        name = row["op_name"].rpartition("/")[2].partition(":")[0]
        found["summary"] = {"weave": {"status": "running", "trace_name": name}}
    return found | {key: row[key] if key in chosen else {} for key in ("attributes", "inputs")}


def open_at(
    url: str, *, key: str = API_KEY, project: str = PROJECT, naming: Naming = "project"
) -> WeaveReader:
    """A reader of the project at ``url``, which does not wait long before it tries again."""
    config = WeaveConfig.model_validate({"url": url, "project": project, "api_key": key})
    client = HttpClient(
        system="Weave", base_url=url, headers=config.headers(), absent=absent, backoff=0.01, timeout=10.0
    )
    return WeaveReader(WeaveServer(client, project), naming=naming)
