"""Writes what the tests read into a Phoenix database, by a server and Phoenix's own client: run by its environment.

``python seed.py ENVIRONMENT`` makes the folder ``seeded-<digest of this script>`` in it: ``phoenix.db``, and
``seeded.json`` with the keys and ids that Phoenix gave.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

SCRIPT = Path(__file__).resolve()
TARGET = Path(sys.argv[1]).resolve() / f"seeded-{hashlib.sha256(SCRIPT.read_bytes()).hexdigest()[:12]}"
FOLDER = Path(tempfile.mkdtemp())
ADMIN = "admin-secret-of-a-test-" + "1" * 16
SETTINGS = {
    "PHOENIX_HOST": "127.0.0.1",
    # Any free one: nobody asks for it.
    "PHOENIX_GRPC_PORT": "0",
    "PHOENIX_ENABLE_AUTH": "true",
    "PHOENIX_SECRET": "secret-of-a-test-" + "1" * 24,
    "PHOENIX_ADMIN_SECRET": ADMIN,
    "PHOENIX_TELEMETRY_ENABLED": "false",
    "PHOENIX_ALLOW_EXTERNAL_RESOURCES": "false",
    "PHOENIX_DISABLE_AGENT_ASSISTANT": "true",
}
PLANTED = "planted-payload-c0ffee"
PASSWORD = "Fake-Passw0rd-1"
TRACES: dict[str, str] = {}
"""The trace of each span that was written."""
SYSTEM = {"role": "system", "content": "You are {{persona}}."}


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


PORT = free_port()
BASE = f"http://127.0.0.1:{PORT}"
http = httpx.Client(base_url=BASE, timeout=60)


def call(method: str, path: str, key: str = "", **body: Any) -> Any:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    answer = http.request(method, path, json=body or None, headers=headers)
    answer.raise_for_status()
    return answer.json() if answer.content else None


def wait(server: subprocess.Popen[bytes]) -> None:
    while server.poll() is None:
        try:
            if http.get("/healthz").status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.2)
    raise SystemExit(f"Phoenix does not start: {(FOLDER / 'log').read_text()[-500:]}")


def make_user(name: str, role: str) -> str:
    """Make a user, and return a key of it."""
    user = {"email": f"{name}@acme.example", "username": name, "role": role}
    account = {**user, "auth_method": "LOCAL", "password": PASSWORD}
    call("POST", "/v1/users", ADMIN, user=account, send_welcome_email=False)
    with httpx.Client(base_url=BASE, timeout=60) as session:
        session.post("/auth/login", json={"email": user["email"], "password": PASSWORD}).raise_for_status()
        made = session.post("/v1/user/api_keys", json={"data": {"name": "connector"}})
        made.raise_for_status()
        return str(made.json()["data"]["key"])


def ask(key: str, query: str, **variables: Any) -> Any:
    answer = call("POST", "/graphql", key, query=query, variables=variables)
    if answer.get("errors"):
        raise SystemExit(str(answer["errors"]))
    return answer["data"]


def make_version(key: str, name: str, content: Any, about: dict[str, Any] | None = None, **more: Any) -> str:
    """Make a prompt, or one more version of it, and return the id of the version."""
    version = {
        "model_provider": "OPENAI",
        "model_name": "gpt-4o",
        "template_type": "CHAT",
        "template_format": "MUSTACHE",
        "template": {"type": "chat", "messages": content},
        "invocation_parameters": {"type": "openai", "openai": {}},
        **more,
    }
    made = call("POST", "/v1/prompts", key, prompt={"name": name, **(about or {})}, version=version)
    return str(made["data"]["id"])


def user_says(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def write_prompts(key: str, other: str) -> list[str]:
    """Settings, tools, tags and labels of two people, a clone, and more versions than one page."""
    versions = [
        make_version(
            key,
            "support-answer",
            [SYSTEM, user_says("{{question}} / {{context}}")],
            {"description": "answers to customers", "metadata": {"domain": "support", "nested": {"a": 1}}},
            description="first",
            model_name="gpt-4o-mini",
            invocation_parameters={
                "type": "openai",
                "openai": {"temperature": 0.2, "max_tokens": 256, "stop": ["END"]},
            },
        ),
        make_version(
            other,
            "support-answer",
            [SYSTEM, user_says("Q: {{question}} C: {{context}}")],
            description="bigger model",
        ),
        make_version(
            key,
            "support-answer",
            [user_says("Q: {{question}} C: {{context}}")],
            description="shorter",
            model_provider="ANTHROPIC",
            model_name="claude-sonnet-4-20250514",
            invocation_parameters={"type": "anthropic", "anthropic": {"max_tokens": 1000}},
        ),
    ]
    for version, tag, who in ((versions[0], "production", key), (versions[2], "staging", key)):
        call("POST", f"/v1/prompt_versions/{version}/tags", who, name=tag, description="live")
    call("POST", f"/v1/prompt_versions/{versions[1]}/tags", other, name="production")
    call("POST", f"/v1/prompt_versions/{versions[1]}/tags", key, name="eu")
    schema = {"type": "object", "properties": {"topic": {"type": "string"}}, "required": ["topic"]}
    lookup = {"name": "lookup", "description": "find a ticket", "parameters": {"type": "object"}}
    make_version(
        key,
        "classify-ticket",
        [user_says("Topic of {text}?")],
        template_format="F_STRING",
        response_format={
            "type": "json_schema",
            "json_schema": {"name": "topic", "schema": schema, "strict": True},
        },
        tools={"type": "tools", "tools": [{"type": "function", "function": lookup}]},
    )
    make_version(key, "summary", [user_says("Summary of {{text}}, {braces} kept")])
    make_version(key, "plain-text", [user_says("No {{variables}} here")], template_format="NONE")
    parts = [{"type": "text", "text": "Look for {{id}}"}]
    lookup_call = {"type": "function", "name": "lookup", "arguments": "{}"}
    used = {"type": "tool_call", "tool_call_id": "1", "tool_call": lookup_call}
    make_version(key, "with-parts", [{"role": "user", "content": parts}])
    make_version(key, "with-tools", [{"role": "ai", "content": [used]}])
    for number in range(103):
        make_version(key, "often-changed", [user_says(f"Draft {number}: {{{{x}}}}")])
    prompts = {
        edge["node"]["name"]: edge["node"]["id"]
        for edge in ask(key, "{prompts(first:50){edges{node{id name}}}}")["prompts"]["edges"]
    }
    made = ask(
        key, 'mutation{createPromptLabel(input:{name:"approved",color:"#00ff00"}){promptLabels{id name}}}'
    )
    label = made["createPromptLabel"]["promptLabels"][0]["id"]
    ask(
        key,
        "mutation($p:ID!,$l:[ID!]!){setPromptLabels(input:{promptId:$p,promptLabelIds:$l}){__typename}}",
        p=prompts["support-answer"],
        l=[label],
    )
    ask(
        key,
        'mutation($p:ID!){clonePrompt(input:{promptId:$p,name:"summary-clone"}){id}}',
        p=prompts["summary"],
    )
    return versions


def at(day: int, hour: int, second: int = 0) -> int:
    """Nanoseconds since 1970."""
    return int(datetime(2026, 11, day, hour, 0, second, tzinfo=UTC).timestamp()) * 10**9


def write_answers(key: str, versions: list[str]) -> list[str]:
    """Two days of an application with all three versions, another one in the same project, and one of its own."""
    from openinference.semconv.resource import ResourceAttributes
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.trace import Status, StatusCode, set_span_in_context

    tracers = {}
    for project in ("support-bot", "batch"):
        provider = TracerProvider(resource=Resource({ResourceAttributes.PROJECT_NAME: project}))
        exporter = OTLPSpanExporter(f"{BASE}/v1/traces", headers={"authorization": f"Bearer {key}"})
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        tracers[project] = provider.get_tracer("seed")

    def answer(
        begin: int,
        version: str | None,
        model: str | None = "gpt-4o-mini",
        provider: str | None = "openai",
        *,
        application: str = "support-bot",
        failed: bool = False,
        tokens: tuple[int, int] = (100, 20),
        project: str = "support-bot",
    ) -> str:
        common = {
            "metadata": json.dumps({"application": application, "note": PLANTED}),
            "input.value": PLANTED,
        }
        tracer = tracers[project]
        root = tracer.start_span(
            "answer", start_time=begin, attributes={**common, "openinference.span.kind": "AGENT"}
        )
        within = set_span_in_context(root)
        found = {"openinference.span.kind": "RETRIEVER", "retrieval.documents.0.document.content": PLANTED}
        search = tracer.start_span("search", within, start_time=begin, attributes={**common, **found})
        search.end(begin + 10**8)
        told: dict[str, Any] = {**common, "openinference.span.kind": "LLM", "output.value": PLANTED}
        if model:
            told["llm.model_name"] = model
        if provider:
            told["llm.provider"] = provider
        if version:
            told["llm.prompt_template.version"] = version
            told["llm.prompt_template.template"] = PLANTED
        if not failed:
            told["llm.token_count.prompt"], told["llm.token_count.completion"] = tokens
            told["llm.token_count.total"] = sum(tokens)
        llm = tracer.start_span("generate", within, start_time=begin + 10**8, attributes=told)
        if failed:
            llm.set_status(Status(StatusCode.ERROR, PLANTED))
        llm.end(begin + 10**9)
        root.end(begin + 2 * 10**9)
        span = format(llm.get_span_context().span_id, "016x")
        TRACES[span] = format(llm.get_span_context().trace_id, "032x")
        return span

    first, second, third = versions
    made = [
        answer(at(20, 9), second, "gpt-4o"),
        answer(at(20, 10), second, "gpt-4o", tokens=(200, 40)),
        answer(at(20, 23, 59), first),
        answer(at(21, 0), first, failed=True),
        answer(at(21, 8), third, "claude-sonnet-4-20250514", "anthropic"),
        answer(at(21, 9), None, 'it\'s "mine"', None, tokens=(50, 5), application="other-bot"),
        answer(at(21, 10), "1.2-of-the-application", "gpt-4o", "azure"),
    ]
    answer(at(21, 11), second, "gpt-4o", project="batch", application="nightly")
    return made


def write_scores(key: str, spans: list[str]) -> None:
    """Of a judge, of code and of a person: numbers, numbers with labels, labels alone, with and without a config."""

    def give(number: int, name: str, kind: str, **result: Any) -> dict[str, Any]:
        return {"span_id": spans[number], "name": name, "annotator_kind": kind, "result": result}

    values = [{"label": "friendly", "score": 1}, {"label": "rude", "score": 0}]
    call(
        "POST",
        "/v1/annotation_configs",
        key,
        name="tone",
        type="CATEGORICAL",
        optimization_direction="MAXIMIZE",
        values=values,
    )
    data = [
        give(0, "faithfulness", "LLM", score=0.9, label="yes", explanation=PLANTED),
        give(1, "faithfulness", "LLM", score=0.6, label="no", explanation=PLANTED),
        give(2, "faithfulness", "LLM", score=1.0, label="yes"),
        give(4, "faithfulness", "LLM", score=0.4, label="no"),
        give(0, "helpful", "HUMAN", score=1.0),
        give(0, "tone", "HUMAN", label="friendly"),
        give(1, "tone", "HUMAN", label="rude"),
        give(0, "remark", "HUMAN", label=f"typed freely, {PLANTED}"),
        give(1, "short", "CODE", score=1.0),
    ]
    http.post(
        "/v1/span_annotations?sync=true", json={"data": data}, headers={"Authorization": f"Bearer {key}"}
    ).raise_for_status()

    def judge(number: int, name: str, kind: str, **result: Any) -> dict[str, Any]:
        return {"trace_id": TRACES[spans[number]], "name": name, "annotator_kind": kind, "result": result}

    # Of whole traces, one of them with the name of an annotation of spans.
    data = [
        judge(0, "resolved", "HUMAN", score=1.0, explanation=PLANTED),
        judge(1, "resolved", "HUMAN", score=0.0),
        judge(0, "helpful", "LLM", score=0.5),
        judge(0, "remark on all", "HUMAN", label=f"typed freely, {PLANTED}"),
    ]
    http.post(
        "/v1/trace_annotations?sync=true", json={"data": data}, headers={"Authorization": f"Bearer {key}"}
    ).raise_for_status()


def write_experiments(key: str, versions: list[str]) -> None:
    """Two on a version that they name in their metadata, one that names none; and an evaluator with its prompt."""
    from phoenix.client import Client

    client = Client(base_url=BASE, api_key=key)
    data = client.datasets.create_dataset(
        name="qa-golden",
        inputs=[{"question": f"{PLANTED} {number}"} for number in range(4)],
        outputs=[{"answer": "42" if number else "41"} for number in range(4)],
    )

    def exact(output: str, expected: dict[str, str]) -> bool:
        return output == expected["answer"]

    for name, metadata in (
        ("answer v2", {"prompt": "support-answer", "prompt_version": versions[1]}),
        ("answer v3", {"prompt": "support-answer", "prompt_version": versions[2]}),
        ("unlinked", {}),
    ):
        client.experiments.run_experiment(
            dataset=data,
            task=lambda input: "42",
            evaluators=[exact],
            experiment_name=name,
            experiment_metadata=metadata,
            print_summary=False,
        )
    ask(
        key,
        """mutation($d:ID!){createDatasetLlmEvaluator(input:{datasetId:$d,name:"correctness",description:"is it right",
 inputMapping:{literalMapping:{},pathMapping:{output:"output"}},
 outputConfigs:[{categorical:{name:"correctness",optimizationDirection:MAXIMIZE,values:[{label:"correct",score:1},
 {label:"wrong",score:0}]}}],
 promptVersion:{templateFormat:MUSTACHE,
 template:{messages:[{role:USER,content:[{text:{text:"Is {{output}} right?"}}]}]},
 invocationParameters:{openai:{temperature:0}},modelProvider:OPENAI,modelName:"gpt-4o",
 tools:{toolChoice:{functionName:"correctness"},tools:[{function:{name:"correctness",description:"is it right",
 parameters:{type:"object",properties:{label:{type:"string",enum:["correct","wrong"],description:"correctness"}},
 required:["label"]}}}]}}}){evaluator{id name}}}""",
        d=data.id,
    )


def seed() -> dict[str, Any]:
    ada, jonas, vera = (
        make_user(name, role) for name, role in (("ada", "MEMBER"), ("jonas", "MEMBER"), ("vera", "VIEWER"))
    )
    versions = write_prompts(ada, jonas)
    spans = write_answers(ada, versions)
    found = 0
    for _ in range(300):
        projects = ask(ada, "{projects(first:50){edges{node{name recordCount}}}}")["projects"]["edges"]
        found = sum(edge["node"]["recordCount"] for edge in projects)
        if found == 3 * (len(spans) + 1):
            break
        time.sleep(0.2)
    else:
        raise SystemExit(f"{found} spans arrived")
    write_scores(ada, spans)
    write_experiments(ada, versions)
    return {
        "settings": SETTINGS,
        "key": ada,
        "viewer": vera,
        "versions": versions,
        "version": http.get("/arize_phoenix_version").text,
        "today": datetime.now(UTC).date().isoformat(),
    }


def main() -> None:
    environment = {
        **os.environ,
        **SETTINGS,
        "PHOENIX_WORKING_DIR": str(FOLDER),
        "PHOENIX_PORT": str(PORT),
    }
    with (FOLDER / "log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "phoenix.server.main", "serve"], env=environment, stdout=log, stderr=log
        )
    try:
        wait(server)
        seeded = seed()
    finally:
        server.terminate()
        server.wait()
    # Whole or not at all: other runs of the tests look for it too.
    part = TARGET.with_name(f"{TARGET.name}.{os.getpid()}")
    part.mkdir(parents=True)
    (part / "seeded.json").write_text(json.dumps(seeded))
    for path in FOLDER.glob("phoenix.db*"):
        shutil.copy(path, part / path.name)
    if not TARGET.is_dir():
        part.rename(TARGET)
    shutil.rmtree(part, ignore_errors=True)
    shutil.rmtree(FOLDER, ignore_errors=True)


main()
