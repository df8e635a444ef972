"""A stand-in for Weaviate over HTTP: it holds what a real server answered (``tests/wire/weaviate``), and answers alike.

``test_weaviate`` asks it everything that the server was asked, and compares.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final, Literal
from urllib.parse import parse_qs, unquote

from support import paths
from support.stub import Call, Reply, Stub, answer_json

RECORDED: Final[Mapping[str, Any]] = json.loads(
    (paths.WIRE / "weaviate" / "recorded.json").read_text(encoding="utf-8")
)
LOOKUPS: Final[Mapping[str, Any]] = json.loads(
    (paths.WIRE / "weaviate" / "lookups.json").read_text(encoding="utf-8")
)
"""What another server answered when it was asked for ids, with what it held."""
PLANTED: Final = "planted-payload-c0ffee"
"""In payload values: it must turn up nowhere."""

_ASK: Final = re.compile(r"(a\d+):(\w+)(?:\((.*?)\))?\{meta\{count\}( groupedBy\{value\})?\}")
_LOOKUP: Final = re.compile(
    r'(a\d+):(\w+)\((?:tenant:("[^"]*"),)?limit:(\d+),where:(\{.*?\})\)\{_additional\{id\}\}'
)
_ID: Final = re.compile(r'path:\["id"\],operator:Equal,valueText:("[^"]*")')
_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_ARGUMENT: Final = re.compile(r'(\w+):(\[?"(?:[^"\\]|\\.)*"\]?|\d+)')


def answered(path: str, query: str = "") -> Any:
    """What the server answered to a GET."""
    return next(
        json.loads(json.dumps(call["answer"]))
        for call in RECORDED["calls"]
        if (call["method"], call["path"], call["query"]) == ("GET", path, query)
    )


class WeaviateService(Stub):
    """One server. Tests change what it holds, take a key, or switch GraphQL off."""

    def __init__(self, **options: Any) -> None:
        self.meta = answered("/v1/meta")
        self.classes: list[dict[str, Any]] = answered("/v1/schema")["classes"]
        self.aliases: list[dict[str, str]] = answered("/v1/aliases")["aliases"]
        self.tenants: dict[str, list[dict[str, str]]] = {}
        self.nodes: dict[str, Any] = {}
        self.objects: dict[tuple[str, str | None], list[dict[str, Any]]] = {}
        self.key: str | None = None
        self.graphql: Literal["on", "off", "refused"] = "on"
        for call in RECORDED["calls"]:
            self._hold(call["path"].split("/")[2:], parse_qs(call["query"]), call)
        missing = {"code": 404, "message": "path was not found"}
        super().__init__(self._answered, missing=missing, **options)

    @property
    def names(self) -> set[str]:
        return {item["class"] for item in self.classes}

    def schema_of(self, name: str) -> dict[str, Any]:
        return next(item for item in self.classes if item["class"] == name)

    def drop(self, name: str) -> None:
        """As if somebody deleted the collection."""
        self.classes = [item for item in self.classes if item["class"] != name]
        self.objects = {key: found for key, found in self.objects.items() if key[0] != name}
        self.nodes.pop(name, None)

    def _hold(self, parts: list[str], query: Mapping[str, list[str]], call: Mapping[str, Any]) -> None:
        if call["status"] != 200:
            return
        answer = json.loads(json.dumps(call["answer"]))
        if parts[:1] == ["nodes"] and len(parts) == 2:
            self.nodes[parts[1]] = answer
        elif parts[:1] == ["schema"] and len(parts) == 3:
            self.tenants[parts[1]] = answer
        elif parts == ["objects"] and query["limit"] == ["1000"]:
            self.objects[query["class"][0], query.get("tenant", [None])[0]] = answer["objects"]

    def _answered(self, call: Call) -> Reply:
        if self.key is not None and call.headers.get("Authorization") != f"Bearer {self.key}":
            return said("wrong-key GET /v1/schema")
        parts = [unquote(part) for part in call.path.strip("/").split("/")]
        kind, rest = parts[1] if len(parts) > 1 else "", parts[2:]
        if (kind, rest) == ("graphql", []) and call.method == "POST":
            return self._asked(call.json["query"])
        if (kind, call.method, len(rest)) == ("objects", "HEAD", 2):
            return Reply(status=self._status_of(rest[0], rest[1], call.query.get("tenant", [None])[0]))
        answers: dict[tuple[str, int], Any] = {
            ("meta", 0): lambda: answer_json(self.meta),
            ("schema", 0): lambda: answer_json({"classes": self.classes}),
            ("schema", 1): lambda: self._class(rest[0]),
            ("schema", 2): lambda: self._tenants(rest[0]),
            ("aliases", 0): lambda: answer_json({"aliases": self.aliases}),
            ("nodes", 1): lambda: self._nodes(rest[0]),
            ("objects", 0): lambda: self._objects({key: value[0] for key, value in call.query.items()}),
        }
        if parts[:1] == ["v1"] and (kind, len(rest)) in answers:
            reply: Reply = answers[kind, len(rest)]()
            return reply
        return answer_json({"code": 404, "message": f"path {call.path} was not found"}, 404)

    def _class(self, name: str) -> Reply:
        return answer_json(self.schema_of(name)) if name in self.names else Reply(status=404)

    def _tenants(self, name: str) -> Reply:
        if name in self.tenants:
            return answer_json(self.tenants[name])
        words = "failed to execute query: could not get tenants: could not get tenants: "
        words += f'multi-tenancy is not enabled for class "{name}"'
        return answer_json({"error": [{"message": words}]}, 422)

    def _nodes(self, name: str) -> Reply:
        if name in self.nodes:
            return answer_json(self.nodes[name])
        return answer_json({"error": [{"message": f'class "{name}" not found'}]}, 404)

    def _objects(self, query: Mapping[str, str]) -> Reply:
        name, tenant = query["class"], query.get("tenant")
        if name not in self.names:
            return Reply(status=404)
        if (name, tenant) not in self.objects:
            words = f"msg:search index {name.lower()} code:422 err:class {name} has multi-tenancy enabled, "
            words += "but request was without tenant"
            return answer_json({"error": [{"message": words}]}, 422)
        found = [item for item in self.objects[name, tenant] if item["id"] > query.get("after", "")]
        shown = found[: int(query["limit"])]
        if query.get("include") != "vector":
            shown = [{key: item[key] for key in item if key not in ("vector", "vectors")} for item in shown]
        answer = {"deprecations": [], "objects": shown}
        return answer_json({**answer, "totalResults": len(shown)} if shown else answer)

    def _status_of(self, name: str, key: str, tenant: str | None) -> int:
        if not _UUID.fullmatch(key):
            return 422
        if name not in self.names:
            return 404
        if (name, tenant) not in self.objects:
            return 422
        return 204 if any(item["id"] == key for item in self.objects[name, tenant]) else 404

    def _looked_up(self, query: str) -> Reply:
        results: dict[str, Any] = {}
        errors: list[dict[str, Any]] = []
        for alias, name, tenant, limit, where in _LOOKUP.findall(query):
            if name not in self.names:
                return self._unknown(name, query, "GetObjectsObj")
            scope = (name, json.loads(tenant) if tenant else None)
            if scope not in self.objects:
                words = f"explorer: list class: search: object search at index {name.lower()}: "
                words += (
                    f"tenant not active: '{scope[1]}'"
                    if tenant
                    else f"class {name} has multi-tenancy enabled, but request was without tenant"
                )
                errors.append({"message": words, "path": ["Get", alias]})
                results[alias] = None
                continue
            wanted = {json.loads(one) for one in _ID.findall(where)}
            found = [item["id"] for item in self.objects[scope] if item["id"] in wanted][: int(limit)]
            results[alias] = [{"_additional": {"id": one}} for one in found]
        return answer_json({"data": {"Get": results}, **({"errors": errors} if errors else {})})

    def _asked(self, query: str) -> Reply:
        if self.graphql == "off":
            off = RECORDED["graphql switched off"]
            return answer_json(off["answer"], off["status"])
        if self.graphql == "refused":
            return said("one-key POST /v1/graphql")
        return self._looked_up(query) if query.startswith("{Get{") else self._counted(query)

    def _counted(self, query: str) -> Reply:
        results: dict[str, Any] = {}
        for alias, name, given, groups in _ASK.findall(query):
            if name not in self.names:
                return self._unknown(name, query, "AggregateObjectsObj")
            arguments = {key: json.loads(value) for key, value in _ARGUMENT.findall(given)}
            held = self.objects[name, arguments.get("tenant")]
            if groups:
                results[alias] = _grouped(held, arguments["groupBy"][0], arguments["limit"])
            else:
                results[alias] = [{"meta": {"count": len(held)}}]
        return answer_json({"data": {"Aggregate": results}})

    def _unknown(self, name: str, query: str, kind: str) -> Reply:
        words = f'Cannot query field "{name}" on type "{kind}".'
        places = [{"column": query.index(":") - 1, "line": 1}]
        return answer_json({"errors": [{"locations": places, "message": words, "path": None}]})


def said(call: str) -> Reply:
    """What a server with roles answered to a key that may not."""
    entry = RECORDED["roles"][call]
    return answer_json(entry["answer"], entry["status"])


def _values(item: Mapping[str, Any], path: str) -> list[Any]:
    value = item["properties"].get(path)
    return value if isinstance(value, list) else [] if value is None else [value]


def _grouped(held: list[dict[str, Any]], path: str, limit: int) -> list[dict[str, Any]]:
    """Numbers as Go writes its floats."""
    counts = Counter(value for item in held for value in set(_values(item, path)))
    return [
        {
            "groupedBy": {"value": value if isinstance(value, str) else _float(value)},
            "meta": {"count": count},
        }
        for value, count in counts.most_common(limit)
    ]


def _float(value: int) -> str:
    """
    >>> _float(0), _float(3), _float(31000000), _float(123456)
    ('0', '3', '3.1e+07', '123456')
    """
    if value < 10**6:
        return str(value)
    digits = str(value).rstrip("0")
    rest = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{digits[0]}{rest}e+{len(str(value)) - 1:02d}"
