"""A stand-in for Langfuse that answers as the recorded server did, for other prompts too.

``test_service.py`` sends it every recorded request and compares. The prompts of a test's own take the shape of the
recorded ones. What was not recorded, and does not follow from the prompts, is a web page with status 404, as Langfuse
answers paths that it does not serve.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypeAlias
from urllib.parse import unquote

from datahub_llmops.net.http import HttpClient
from datahub_llmops.prompt_registries.langfuse.client import LangfuseServer, absent
from datahub_llmops.prompt_registries.langfuse.reader import LangfuseReader
from prompt_registries.langfuse.aggregates import Rows, aggregate, observations, scores, traces
from prompt_registries.langfuse.recordings import exchanges, recorded
from support.stub import Call, Reply, Stub, answer_json

PUBLIC_KEY = "pk-lf-00000000-fake-fake-fake-000000000000"
SECRET_KEY = "sk-lf-planted-5ec7e7"
API = "/api/public"
PROMPTS = f"{API}/v2/prompts"

Mode: TypeAlias = Literal["dual", "events_only", "legacy"]
"""How the server stores traces, which decides about its endpoints."""


def authorization(public: str = PUBLIC_KEY, secret: str = SECRET_KEY) -> str:
    return "Basic " + base64.b64encode(f"{public}:{secret}".encode()).decode()


@dataclass(slots=True, kw_only=True)
class FakeVersion:
    """One version of a prompt; ``prompt`` is a text, or the messages of a chat."""

    version: int
    prompt: Any
    labels: list[str] = field(default_factory=list)
    config: Any = field(default_factory=dict)
    commit_message: str | None = None
    created: str = "2026-11-29T01:45:12.549Z"
    updated: str = "2026-11-29T01:45:12.549Z"
    created_by: str = "API"

    def told(self, name: str, tags: Iterable[str]) -> dict[str, Any]:
        """As the server tells it."""
        answer = recorded("prompt_get")[1]["response"]["body"]
        return {
            **answer,
            "id": f"id-{name}-{self.version}",
            "createdAt": self.created,
            "updatedAt": self.updated,
            "createdBy": self.created_by,
            "prompt": self.prompt,
            "name": name,
            "version": self.version,
            "type": "text" if isinstance(self.prompt, str) else "chat",
            "isActive": "production" in self.labels,
            "config": self.config,
            "tags": list(tags),
            "labels": self.labels,
            "commitMessage": self.commit_message,
        }


@dataclass(slots=True, kw_only=True)
class FakePrompt:
    name: str
    versions: list[FakeVersion]
    tags: list[str] = field(default_factory=list)

    def listed(self, versions: list[FakeVersion]) -> dict[str, Any]:
        """As the listing tells those versions of it that its filters leave."""
        last = versions[-1]
        return {
            "name": self.name,
            "tags": self.tags,
            "lastUpdatedAt": max(version.updated for version in versions),
            "versions": [version.version for version in versions],
            "labels": sorted({label for version in versions for label in version.labels}),
            "type": "text" if isinstance(last.prompt, str) else "chat",
            "lastConfig": last.config,
        }


def prompt(name: str, *texts: Any, labels: Mapping[str, int] | None = None, **more: Any) -> FakePrompt:
    """A prompt with one version for each text; ``latest`` is on the last one."""
    found = [FakeVersion(version=number, prompt=text) for number, text in enumerate(texts, 1)]
    for label, number in {"latest": len(texts), **(labels or {})}.items():
        found[number - 1].labels.append(label)
    return FakePrompt(name=name, versions=found, **more)


def project() -> list[FakePrompt]:
    """The prompts of the recorded project. Versions whose text was not recorded have that of the seed."""
    seeded = [
        prompt("shared/tone", "", "Be {{adjective}}, short, and cite your sources.", tags=["shared"]),
        prompt(
            "classify-ticket",
            "Is {{text}} about billing?",
            "Which topic has {{text}}?",
            "Topic of {{text}} (one word)?",
            "Topic of {{text}}, one of {{topics}}?",
            labels={"production": 4},
            tags=["support"],
        ),
        *(prompt(f"drafts/{number}", f"Draft {number}: {{{{x}}}}") for number in range(4)),
        prompt("support/answer", "", "", "", tags=["rag", "support"]),
        prompt("Résumé & summary (long) 50%", ""),
        prompt("support/escalate", "", tags=["support"]),
    ]
    prompts = {item.name: item for item in seeded}
    prompts["shared/tone"].versions[1].labels.append("staging")
    for version in prompts["classify-ticket"].versions:
        version.config = {"model": "claude-sonnet-4-20250514"}
    for exchange in recorded("prompts_list"):
        for entry in exchange["response"]["body"].get("data", []):
            for version in prompts[entry["name"]].versions:
                if [version.version] == entry["versions"] or entry["name"] == "classify-ticket":
                    version.updated = entry["lastUpdatedAt"]
    for exchange in recorded("prompt_get"):
        body = exchange["response"]["body"]
        if "prompt" in body and body["resolutionGraph"] is None:
            version = prompts[body["name"]].versions[body["version"] - 1]
            version.prompt, version.labels, version.config = body["prompt"], body["labels"], body["config"]
            version.commit_message, version.created_by = body["commitMessage"], body["createdBy"]
            version.created, version.updated = body["createdAt"], body["updatedAt"]
    return list(prompts.values())


class LangfuseService(Stub):
    """Answers as the server of one project."""

    def __init__(self, *prompts: FakePrompt, mode: Mode = "dual", **options: Any) -> None:
        self.prompts = {item.name: item for item in prompts or project()}
        self.mode: Mode = mode
        self.authorization = authorization()
        self.observations: Rows = observations()
        """What the project's applications did; a test adds rows, or takes others in their place."""
        self.scores: Rows = scores()
        self.rows = {file: _rows(file) for file in ("experiments", "experiment_items", "scores_v3")}
        self.rows["observations"] = _observations()
        self.models: list[dict[str, Any]] = _models()
        super().__init__(
            self._answered,
            missing={"message": "Prompt not found", "error": "LangfuseNotFoundError"},
            **options,
        )

    def _answered(self, call: Call) -> Reply:
        if (refused := self._refuse(call)) is not None:
            return refused
        if call.path == PROMPTS and call.method == "GET":
            return self._list(call)
        if call.path.startswith(f"{PROMPTS}/") and call.method == "GET":
            return self._get(call)
        numbered = {f"{API}/unstable/evaluators": "evaluators", f"{API}/v2/datasets": "datasets"}
        if call.path in numbered and call.query.get("limit") == ["100"]:
            rows = _rows(numbered[call.path])
            return answer_json({"data": rows, "meta": {"page": 1, "limit": 100, "totalPages": 1}})
        if call.path == f"{API}/models" and call.query == {"page": ["1"], "limit": ["100"]}:
            return answer_json({"data": self.models, "meta": {"page": 1, "limit": 100, "totalPages": 1}})
        if (listed := self._list_rows(call)) is not None:
            return listed
        measured = {f"{API}/v2/metrics": "legacy", f"{API}/metrics": "events_only"}
        if call.path in measured and self.mode != measured[call.path]:
            return self._measure(call)
        return self._replay(call)

    def _measure(self, call: Call) -> Reply:
        """Aggregate. What the server refuses, it refused when it was recorded."""
        refused = self._replay(call, "metrics_errors")
        if refused.status == 400:
            return refused
        query = json.loads(call.query["query"][0])
        rows = traces_as_rows() if query["view"] == "traces" else self.observations
        return answer_json({"data": aggregate(query, rows, self.scores)})

    def _refuse(self, call: Call) -> Reply | None:
        given = call.headers.get("Authorization")
        if given == self.authorization:
            return None
        none, wrong, _, bearer = (item for item in exchanges("errors") if "auth" in item["request"])
        return reply(none if given is None else bearer if given.startswith("Bearer ") else wrong)

    def _list(self, call: Call) -> Reply:
        asked = {name: values[0] for name, values in call.query.items()}
        page, limit = asked.get("page", "1"), asked.get("limit", "10")
        if not (limit.isdecimal() and 0 < int(limit) <= 100 and page.isdecimal() and int(page) > 0):
            return self._replay(call)
        entries = []
        for item in sorted(self.prompts.values(), key=lambda item: item.name):
            versions = [
                version
                for version in item.versions
                if asked.get("label") in (None, *version.labels)
                and asked.get("tag") in (None, *item.tags)
                and asked.get("name") in (None, item.name)
                and version.updated >= asked.get("fromUpdatedAt", "")
            ]
            if versions:
                entries.append(item.listed(versions))
        first = (int(page) - 1) * int(limit)
        meta = {
            "page": int(page),
            "limit": int(limit),
            "totalPages": -(-len(entries) // int(limit)),
            "totalItems": len(entries),
        }
        return answer_json({"data": entries[first : first + int(limit)], "meta": meta, "pagination": meta})

    def _get(self, call: Call) -> Reply:
        name = unquote(call.path.removeprefix(f"{PROMPTS}/"))
        if "/" in call.path.removeprefix(f"{PROMPTS}/"):
            return _web_page()
        asked = {key: values[0] for key, values in call.query.items()}
        if {"version", "label"} <= asked.keys():
            return answer_json(
                {"message": "Cannot specify both version and label", "error": "InvalidRequestError"}, 400
            )
        label = asked.get("label", "production")
        for version in self.prompts[name].versions if name in self.prompts else ():
            if str(version.version) == asked.get("version") or (
                "version" not in asked and label in version.labels
            ):
                told = version.told(name, self.prompts[name].tags)
                # What another prompt resolves to is not worked out here, but was recorded.
                composed = (
                    "@@@langfusePrompt" in json.dumps(version.prompt) and asked.get("resolve") != "false"
                )
                return self._replay(call) if composed else answer_json(told)
        which = f"version {asked['version']}" if "version" in asked else f"label '{label}'"
        return answer_json(
            {"message": f"Prompt not found: '{name}' with {which}", "error": "LangfuseNotFoundError"}, 404
        )

    def _list_rows(self, call: Call) -> Reply | None:
        """Answer a listing with a cursor out of the recorded rows. Without fields that were not asked for."""
        files = {
            "experiments": "experiments",
            "experiment-items": "experiment_items",
            "v3/scores": "scores_v3",
            "v2/observations": "observations",
        }
        file = files.get(call.path.removeprefix(f"{API}/"))
        if file is None or "limit" not in call.query or (self.mode == "legacy" and file != "scores_v3"):
            return None
        asked = {name: values[0] for name, values in call.query.items()}
        time = "timestamp" if file == "scores_v3" else "startTime"
        start = asked.get("fromTimestamp") or asked.get("fromStartTime", "0001-01-01T00:00:00Z")
        end = asked.get("toTimestamp") or asked.get("toStartTime", "9999-01-01T00:00:00Z")
        rows = [
            row
            for row in self.rows[file]
            if _at(start) <= _at(row[time]) <= _at(end)
            and asked.get("name") in (None, row.get("name"))
            and asked.get("source", "").upper() in ("", row.get("source"))
            and asked.get("type") in (None, row.get("type"))
            and asked.get("experimentId") in (None, row.get("experimentId"))
        ]
        first, limit = int(asked.get("cursor", 0)), int(asked["limit"])
        more = {"cursor": str(first + limit)} if first + limit < len(rows) else {}
        return answer_json({"data": rows[first : first + limit], "meta": more})

    def _replay(self, call: Call, *only: str) -> Reply:
        files = [] if self.mode == "dual" else [f"mode_{self.mode}"]
        files += ["prompts_list", "prompt_get", "errors", "projects", "models"]
        for file in only or files:
            for exchange in exchanges(file):
                request = exchange["request"]
                # A mode refuses an endpoint whatever it is asked.
                refused = file.startswith("mode_") and exchange["response"]["status"] == 404
                if "auth" not in request and (
                    _is_same(request, call) or (refused and request["path"] == call.path)
                ):
                    return reply(exchange)
        return _web_page()


def traces_as_rows() -> Rows:
    """The traces as the older endpoint counts them."""
    return [{**trace, "startTime": trace["timestamp"]} for trace in traces()]


def _rows(file: str) -> Rows:
    """The rows of a recorded listing, each once: newest first, as it tells them."""
    bodies = [exchange["response"]["body"] for exchange in recorded(file)]
    rows = [row for body in bodies if isinstance(body.get("data"), list) for row in body["data"]]
    # The fullest of several recordings of one row.
    found = {row["id"]: row for row in sorted(rows, key=len) if "id" in row}
    return [found[id] for id in dict.fromkeys(row["id"] for row in rows if "id" in row)]


def _observations() -> Rows:
    """Observations with what their traces were recorded with: the field group ``trace_context``."""
    traced = {trace["id"]: trace for trace in traces()}
    return [
        {
            **row,
            "traceName": traced[row["traceId"]]["name"],
            "release": traced[row["traceId"]]["release"],
            "tags": traced[row["traceId"]]["tags"],
        }
        for row in _rows("observations")
    ]


def _at(written: str) -> datetime:
    return datetime.fromisoformat(written)


def _models() -> list[dict[str, Any]]:
    """The prices of the models of the recorded project."""
    bodies = [exchange["response"]["body"] for exchange in exchanges("models")]
    return [body for body in bodies if "modelName" in body]


def reply(exchange: Mapping[str, Any]) -> Reply:
    """The answer of a recorded exchange."""
    response = exchange["response"]
    body = response["body"]
    content = body if isinstance(body, str) else json.dumps(body)
    return Reply(status=response["status"], body=content.encode(), headers=response["headers"])


def _is_same(request: Mapping[str, Any], call: Call) -> bool:
    query = {name: [str(value)] for name, value in (request["query"] or {}).items()}
    return (request["method"], request["path"], query) == (call.method, call.path, dict(call.query))


def _web_page() -> Reply:
    body = b"<!DOCTYPE html><html>... cut ...</html>"
    return Reply(status=404, body=body, headers={"Content-Type": "text/html; charset=utf-8"})


def open_at(url: str, *, key: str | None = None, **options: Any) -> LangfuseReader:
    """A reader of the service at ``url``, which does not wait long before it tries again."""
    client = HttpClient(
        system="Langfuse",
        base_url=url,
        headers={"Authorization": key or authorization()},
        absent=absent,
        backoff=0.01,
        timeout=10.0,
    )
    return LangfuseReader(LangfuseServer(client), **options)
