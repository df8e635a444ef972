"""A stand-in for LangSmith that answers in the shapes of its types, for other prompts and runs too.

``test_service.py`` sends it every request of ``tests/wire/langsmith`` and compares. Nobody asked the service itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import unquote

from datahub_llmops.net.http import HttpClient
from datahub_llmops.prompt_registries.langsmith.client import LangSmithServer, absent
from datahub_llmops.prompt_registries.langsmith.reader import LangSmithReader
from prompt_registries.langsmith.recordings import exchanges, recorded
from support.stub import Call, Reply, Stub, answer_json

API_KEY = "lsv2-planted-5ec7e7"
A, B, C = ("a" * 64, "b" * 64, "c" * 64)
PROJECT = "00000000-0000-4000-8000-000000000002"
EXPERIMENT = "00000000-0000-4000-8000-000000000003"
WORKSPACE = "00000000-0000-4000-8000-000000000001"
_NO_COMMIT = {"detail": "Commit not found"}


def chat(text: str, *variables: str) -> dict[str, Any]:
    """A chat prompt with one message, as LangChain writes it."""
    manifest: dict[str, Any] = recorded("commit_manifest")[0]["response"]["body"]["manifest"]
    manifest["kwargs"]["input_variables"] = list(variables)
    manifest["kwargs"]["messages"][0]["kwargs"]["prompt"]["kwargs"] |= {
        "template": text,
        "input_variables": list(variables),
    }
    return manifest


def plain_text(text: str, *variables: str) -> dict[str, Any]:
    """A text prompt, as LangChain writes it."""
    inner: dict[str, Any] = chat(text, *variables)["kwargs"]["messages"][0]["kwargs"]["prompt"]
    return inner


def with_model(prompt: dict[str, Any]) -> dict[str, Any]:
    """A prompt with the recorded model."""
    manifest: dict[str, Any] = recorded("commit_manifest")[1]["response"]["body"]["manifest"]
    manifest["kwargs"]["first"] = prompt
    return manifest


@dataclass(slots=True, kw_only=True)
class FakeCommit:
    hash: str
    prompt: Any
    model: bool = False
    message: str | None = None
    digest: str | None = None

    def manifest(self, include_model: bool) -> Any:
        return with_model(self.prompt) if self.model and include_model else self.prompt


@dataclass(slots=True, kw_only=True)
class FakeRepo:
    handle: str
    commits: list[FakeCommit]
    """Oldest first."""
    labels: dict[str, str] = field(default_factory=dict)
    told: dict[str, Any] = field(default_factory=dict)

    def entry(self) -> dict[str, Any]:
        """As the listing tells it."""
        return {
            **recorded("repos")[0]["response"]["body"]["repos"][0],
            "repo_handle": self.handle,
            "full_name": f"acme/{self.handle}",
            "num_commits": len(self.commits),
            "last_commit_hash": self.commits[-1].hash if self.commits else None,
            "commit_tags": sorted(self.labels),
            **self.told,
        }

    def listed(self) -> list[dict[str, Any]]:
        """Its commits as the listing tells them, newest first."""
        shape = recorded("commits")[0]["response"]["body"]["commits"]
        known = {entry["commit_hash"]: entry for entry in shape}
        entries = []
        for number, commit in enumerate(self.commits):
            own = known.get(commit.hash, {}) if self.handle == "support-answer" else {}
            entries.append(
                {
                    **shape[0],
                    "commit_hash": commit.hash,
                    "parent_commit_hash": self.commits[number - 1].hash if number else None,
                    "description": commit.message,
                    "manifest_sha": commit.digest or commit.hash[:40],
                    **own,
                }
            )
        return entries[::-1]


def repo(handle: str, *texts: str, labels: Mapping[str, int] | None = None, **told: Any) -> FakeRepo:
    """A prompt with one commit for each text."""
    commits = [
        FakeCommit(
            hash=f"{number:x}{handle.encode().hex()}".ljust(64, "0")[:64], prompt=chat(text, "question")
        )
        for number, text in enumerate(texts, 1)
    ]
    marked = {label: commits[number - 1].hash for label, number in (labels or {}).items()}
    return FakeRepo(handle=handle, commits=commits, labels=marked, told=told)


def workspace() -> list[FakeRepo]:
    """The prompts of the recorded workspace; what was not recorded of them is made up."""
    first, second, third = (
        FakeCommit(hash=hash, prompt=chat(f"v{number}: {{question}} {{context}}", "question", "context"))
        for number, hash in enumerate((A, B, C), 1)
    )
    second.model = True
    entries = {
        entry["repo_handle"]: entry
        for exchange in recorded("repos")
        for entry in exchange["response"]["body"].get("repos", [])
    }
    return [
        FakeRepo(
            handle="support-answer",
            commits=[first, second, third],
            labels={"production": B, "staging": C},
            told=entries["support-answer"],
        ),
        FakeRepo(
            handle="classify-ticket",
            commits=[
                FakeCommit(hash="d" * 64, prompt=chat("v2: {question} {context}"), digest=B[:40]),
                FakeCommit(
                    hash="e" * 64, prompt=plain_text("Is {text} about billing?", "text"), message="text"
                ),
            ],
            labels={"production": "e" * 64, "staging": "e" * 64},
            told=entries["classify-ticket"],
        ),
        FakeRepo(handle="support-agent", commits=[], told=entries["support-agent"]),
    ]


@dataclass(slots=True, kw_only=True)
class FakeRun:
    """One run; ``feedback`` is what it was given, by the metric."""

    trace: str
    type: str = "chain"
    start: str = "2026-11-29T08:00:00Z"
    session: str = PROJECT
    metadata: dict[str, Any] = field(default_factory=dict)
    root: bool = False
    failed: bool = False
    input: int = 0
    output: int = 0
    cost: float = 0.0
    feedback: dict[str, float] = field(default_factory=dict)


def hub(hash: str, *, owner: str = "-", name: str = "support-answer") -> dict[str, Any]:
    """The metadata of a run that pulled a prompt."""
    return {"lc_hub_owner": owner, "lc_hub_repo": name, "lc_hub_commit_hash": hash}


def trace(id: str, *, hash: str | None = None, inherits: bool = False, **more: Any) -> list[FakeRun]:
    """One answer: the chain, its prompt, and the call of the model."""
    feedback, failed = more.pop("feedback", {}), more.pop("failed", False)
    used = hub(hash) if hash else {}
    model = {"ls_provider": "openai", "ls_model_name": "gpt-4o"}
    spent: dict[str, Any] = {"input": 300, "output": 40, "cost": 0.00115}
    called = FakeRun(trace=id, type="llm", metadata={**model, **(used if inherits else {})}, **spent, **more)
    return [
        FakeRun(trace=id, root=True, feedback=feedback, failed=failed, **spent, **more),
        FakeRun(trace=id, type="prompt", metadata=used, **more),
        called,
    ]


class LangSmithService(Stub):
    """Answers as one workspace."""

    def __init__(self, *repos: FakeRepo, **options: Any) -> None:
        self.repos = {item.handle: item for item in repos or workspace()}
        self.runs: list[FakeRun] = []
        self.key = API_KEY
        self.sessions: list[dict[str, Any]] = [
            entry for exchange in recorded("sessions_v2") for entry in exchange["response"]["body"]["items"]
        ]
        super().__init__(self._answered, missing=_NO_COMMIT, **options)

    def _answered(self, call: Call) -> Reply:
        given = {name.lower(): value for name, value in call.headers.items()}.get("x-api-key")
        if given != self.key:
            return answer_json({"detail": "Invalid token"}, 401)
        asked = {name: values[0] for name, values in call.query.items()}
        path = re.sub(r"^/api/v1", "", call.path)
        if (call.method, path) == ("GET", "/settings"):
            return answer_json({"id": WORKSPACE, "display_name": "Acme", "tenant_handle": "acme"})
        if (call.method, path) == ("GET", "/repos"):
            return answer_json(self._list(asked))
        if match := re.fullmatch(r"/repos/(?:-|acme)/([^/]+)", path):
            found = self.repos.get(unquote(match[1]))
            return answer_json(
                {"repo": found.entry()} if found else {"detail": "Repo not found"}, 200 if found else 404
            )
        if match := re.fullmatch(r"/commits/(?:-|acme)/([^/]+)(?:/([^/]+))?", path):
            return self._commits(unquote(match[1]), unquote(match[2] or ""), asked)
        if (replayed := _replay(call)) is not None:
            return replayed
        if path == "/api/v2/sessions":
            return answer_json({"items": self.sessions, "next_cursor": None})
        if path == "/runs/stats":
            return answer_json(_stats(self._narrowed(call.json)))
        if path == "/api/v2/runs/query":
            return answer_json(self._page(call.json))
        listed = {"/platform/evaluators": "evaluators", "/api/v2/datasets": "datasets_v2"}
        if path in listed:
            return answer_json(exchanges(listed[path])[0]["response"]["body"])
        return answer_json({"detail": "Not Found"}, 404)

    def _list(self, asked: Mapping[str, str]) -> dict[str, Any]:
        entries = [item.entry() for item in self.repos.values()]
        if kind := asked.get("repo_type"):
            entries = [entry for entry in entries if entry["repo_type"] == kind]
        first, limit = int(asked.get("offset", 0)), int(asked.get("limit", 20))
        return {"repos": entries[first : first + limit], "total": len(entries)}

    def _commits(self, handle: str, which: str, asked: Mapping[str, str]) -> Reply:
        found = self.repos.get(handle)
        if found is None:
            return answer_json(_NO_COMMIT, 404)
        if which:
            hash = found.labels.get(which, found.commits[-1].hash if which == "latest" else which)
            for commit in found.commits:
                if commit.hash == hash:
                    manifest = commit.manifest(asked.get("include_model") == "true")
                    return answer_json({"commit_hash": hash, "manifest": manifest, "examples": []})
            return answer_json(_NO_COMMIT, 404)
        entries = found.listed()
        if tag := asked.get("tag"):
            entries = [entry for entry in entries if entry["commit_hash"] == found.labels.get(tag)]
        first, limit = int(asked.get("offset", 0)), int(asked.get("limit", 20))
        return answer_json({"commits": entries[first : first + limit], "total": len(entries)})

    def _narrowed(self, body: Mapping[str, Any]) -> list[FakeRun]:
        sessions: list[str] = body.get("session") or body["project_ids"]
        start, end = body.get("start_time"), body.get("end_time")
        start, end = start or body["min_start_time"], end or body["max_start_time"]
        rows = [
            run
            for run in self.runs
            if run.session in sessions
            and datetime.fromisoformat(start)
            <= datetime.fromisoformat(run.start)
            <= datetime.fromisoformat(end)
            and body.get("is_root") in (None, run.root)
            and body.get("run_type", run.type).lower() == run.type
            and _holds(body.get("filter"), run)
        ]
        if tree := body.get("tree_filter"):
            traces = {run.trace for run in self.runs if _holds(tree, run)}
            rows = [run for run in rows if run.trace in traces]
        return rows

    def _page(self, body: Mapping[str, Any]) -> dict[str, Any]:
        assert body["selects"] == ["METADATA"], "texts must not be asked for"
        rows = self._narrowed(body)[::-1]
        first = int(body.get("cursor", 0))
        end = first + body["page_size"]
        items = [{"id": run.trace, "metadata": run.metadata} for run in rows[first:end]]
        return {"items": items, "next_cursor": str(end) if end < len(rows) else None}


def _holds(filter: str | None, run: FakeRun) -> bool:
    """The two filters that the connector writes."""
    if filter is None:
        return True
    if match := re.fullmatch(r'eq\(metadata_key, "([^"]*)"\)', filter):
        return match[1] in run.metadata
    match = re.fullmatch(r'and\(eq\(metadata_key, "([^"]*)"\), eq\(metadata_value, "([^"]*)"\)\)', filter)
    assert match, f"not a filter of LangSmith: {filter}"
    return bool(run.metadata.get(match[1]) == match[2])


def _stats(runs: list[FakeRun]) -> dict[str, Any]:
    """Statistics in the recorded shape."""
    given: dict[str, list[float]] = {}
    for run in runs:
        for metric, value in run.feedback.items():
            given.setdefault(metric, []).append(value)
    return {
        **exchanges("runs_stats")[0]["response"]["body"],
        "run_count": len(runs),
        "prompt_tokens": sum(run.input for run in runs),
        "completion_tokens": sum(run.output for run in runs),
        "total_cost": str(sum(run.cost for run in runs)) if runs else None,
        "error_rate": sum(run.failed for run in runs) / len(runs) if runs else None,
        "last_run_start_time": max((run.start for run in runs), default=None),
        "feedback_stats": {
            metric: {"n": len(values), "avg": sum(values) / len(values), "values": {}}
            for metric, values in given.items()
        },
    }


def _replay(call: Call) -> Reply | None:
    for exchange in _all(("info", "sessions_v2", "runs_query_v2", "runs_stats", "datasets_v2", "evaluators")):
        request = exchange["request"]
        query: dict[str, list[str]] = {}
        for name, value in request["query"] or ():
            query.setdefault(name, []).append(value)
        body = json.loads(call.body) if call.body else None
        if (request["method"], request["path"], query, request["body"]) == (
            call.method,
            call.path,
            dict(call.query),
            body,
        ):
            return answer_json(exchange["response"]["body"], exchange["response"]["status"])
    return None


def _all(files: Iterable[str]) -> Iterable[dict[str, Any]]:
    return (exchange for file in files for exchange in exchanges(file))


def open_at(url: str, *, key: str = API_KEY, **options: Any) -> LangSmithReader:
    """A reader of the service at ``url``, which does not wait long before it tries again."""
    client = HttpClient(
        system="LangSmith",
        base_url=url,
        headers={"x-api-key": key},
        absent=absent,
        backoff=0.01,
        timeout=10.0,
    )
    return LangSmithReader(LangSmithServer(client), **options)
