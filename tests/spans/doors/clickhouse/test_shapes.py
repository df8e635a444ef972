"""Random traces, by the engine's sums and put together one by one."""

from __future__ import annotations

import random
from typing import Any, Final

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datahub_llmops.spans.attributes import EVALUATION_EVENT, Selection
from datahub_llmops.spans.span import Span
from spans.doors.clickhouse.engine import Engine
from spans.doors.clickhouse.exporting import PlainCounting, differences, rows_of_spans, shown
from spans.doors.clickhouse.test_door import ASSEMBLE, opened, rolled_up
from spans.world import BEGIN

KINDS: Final = (
    "CHAIN",
    "LLM",
    "RETRIEVER",
    "TOOL",
    "AGENT",
    "EMBEDDING",
    "PROMPT",
    "EVALUATOR",
    "GUARDRAIL",
    "db",
    "http",
    "http",
)
SERVICES: Final = ("support-bot", "search-bot", "")
SCOPES: Final = ("openinference.instrumentation.langchain", "openinference.instrumentation.openai")
TRACES: Final = 40


def random_traces(seed: int) -> list[list[Span]]:
    """Traces with everything that makes them different, most of them like others."""
    chance = random.Random(seed)
    patterns = [chance.getrandbits(32) for _ in range(6)]
    traces = []
    for number in range(TRACES):
        # What a trace looks like comes of its pattern, and its times and numbers are its own.
        like = random.Random(chance.choice(patterns))
        traces.append(_trace(f"{seed:016x}{number:016x}", like, random.Random(seed * 1_000 + number)))
    return traces


def _trace(trace: str, like: random.Random, own: random.Random) -> list[Span]:
    spans: list[Span] = []
    begin = BEGIN + own.randrange(0, 86_400)
    weight = 4.0 if like.random() < 0.1 else 1.0
    for number in range(like.randint(1, 9)):
        parent = (
            like.choice([*[one.id for one in spans], *[one.id for one in spans], "", "f" * 16])
            if spans
            else ""
        )
        kind = like.choice(KINDS)
        service = like.choice(SERVICES[:2]) if like.random() < 0.3 else SERVICES[0]
        started = begin + number * 0.01 + (-0.015 if like.random() < 0.1 else 0.0)
        spans.append(
            Span(
                trace=trace,
                id=f"{own.getrandbits(64) | 1:016x}",
                parent=parent,
                name=f"{kind.lower()}-{like.randint(0, 1)}" if kind != "db" else "qdrant.query",
                started=round(started, 3),
                ended=round(started + own.choice((0.004, 0.012, 0.09, 1.3, 200.0)), 3),
                error="error" if like.random() < 0.1 else None,
                attributes=_attributes(kind, like, own) | _events(like, own),
                resource={"service.name": service, "service.version": like.choice("12")} if service else {},
                scope=like.choice(SCOPES),
                weight=weight,
            )
        )
    if like.random() < 0.1 and len(spans) > 2:
        spans[0] = spans[0]._replace(parent=spans[-1].id)
    if like.random() < 0.1:
        spans.append(spans[own.randrange(len(spans))])
    own.shuffle(spans)
    return spans


def _attributes(kind: str, like: random.Random, own: random.Random) -> dict[str, Any]:
    if kind == "http":
        return {"server.address": f"host-{own.randint(0, 9)}", "url.full": "CANARY"}
    if kind == "db":
        return {
            "db.system": "qdrant",
            "db.collection.name": like.choice(("docs", "faq")),
            "server.address": "q",
        }
    found: dict[str, Any] = {"openinference.span.kind": kind, "input.value": f"CANARY {own.random()}"}
    if kind == "LLM":
        found["llm.model_name"] = like.choice(("gpt-5", "gpt-5-mini"))
        if like.random() < 0.8:
            found |= {
                "llm.provider": "openai",
                "llm.token_count.prompt": own.randint(1, 500),
                "llm.token_count.completion": own.randint(0, 500),
            }
            if like.random() < 0.5:
                found["llm.token_count.prompt_details.cache_read"] = own.randint(0, 50)
        elif like.random() < 0.5:
            found["gen_ai.usage.input_tokens"] = "no number"
        if like.random() < 0.3:
            found["llm.cost.total"] = own.randint(0, 100) / 64
    if kind in ("LLM", "CHAIN") and like.random() < 0.3:
        found |= {"langfuse.observation.prompt.name": "triage", "langfuse.observation.prompt.version": "3"}
    if kind == "RETRIEVER":
        for number in range(like.randint(0, 2)):
            prefix = f"retrieval.documents.{number}.document"
            found[f"{prefix}.id"] = f"chunk {own.randint(0, 30)}"
            found[f"{prefix}.metadata"] = f'{{"source": "s3://kb/{own.randint(0, 3)}.md", "text": "CANARY"}}'
        if like.random() < 0.3:
            found["gen_ai.data_source.id"] = "kb"
    if kind == "GUARDRAIL":
        found |= {
            "gen_ai.guardian.name": "safety",
            "gen_ai.security.decision.type": like.choice(("allow", "deny")),
        }
    if kind in ("EVALUATOR", "LLM", "CHAIN") and like.random() < 0.2:
        listed = like.choice(("evaluations.0.evaluation", "trace.annotations.0.annotation", "evaluation"))
        found[f"{listed}.name"] = like.choice(("tone", "faithfulness"))
        found[f"{listed}.annotator_kind"] = like.choice(("LLM", "HUMAN", "else"))
        if like.random() < 0.7:
            found[f"{listed}.score"] = own.randint(-64, 64) / 64
        else:
            found[f"{listed}.label"] = like.choice(("good", "bad", "CANARY " * 20))
        found[f"{listed}.explanation"] = f"CANARY {own.random()}"
    if kind == "EMBEDDING":
        found["embedding.model_name"] = "embed"
    return found


def _events(like: random.Random, own: random.Random) -> dict[str, Any]:
    """Events of evaluations, some of them without a name, with an error, or too many to be added up."""
    if like.random() > 0.08:
        return {}
    name = "gen_ai.evaluation.name"
    value, label = "gen_ai.evaluation.score.value", "gen_ai.evaluation.score.label"
    events = []
    for _ in range(like.choice((1, 1, 2, 3, 20))):
        event: dict[str, Any] = {"gen_ai.evaluation.explanation": "CANARY"}
        event |= {name: like.choice(("tone", "relevance"))} if like.random() < 0.9 else {}
        event |= {value: own.randint(-64, 64) / 64} if like.random() < 0.7 else {}
        event |= {label: like.choice(("good", "bad", "CANARY " * 20))} if like.random() < 0.4 else {}
        events.append(event | ({"error.type": "timeout"} if like.random() < 0.05 else {}))
    return {EVALUATION_EVENT: events}


@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
def test_random_traces_count_as_their_answers(engine: Engine, seed: int) -> None:
    traces = random_traces(seed)
    database = engine.database()
    engine.insert(database, rows_of_spans(one for spans in traces for one in spans))
    door = opened(engine, database)
    found = shown(door.count(door.days({}), PlainCounting()))
    answers = [answer for spans in traces for answer in ASSEMBLE(_decoded(spans)).answers]
    differ = differences(found, rolled_up(answers))
    # Where a client's span tells which of several indexes was searched, the chunks are not known: never a wrong number.
    assert [one for one in differ if "/chunks: None != " not in one] == []
    # The engine leaves out traces that have nothing to do with an application.
    ours = [spans for spans in traces if any(one.name[:4] != "http" or _is_judged(one) for one in spans)]
    assert door.counts.spans_read == sum(map(len, ours))


def _is_judged(span: Span) -> bool:
    return any("gen_ai.evaluation.name" in one for one in span.attributes.get(EVALUATION_EVENT, ()))


def _decoded(spans: list[Span]) -> list[Span]:
    """What the files' door makes of them: the metadata of documents is an object there, and content is gone."""
    selection = Selection(application="service.name")
    resources: dict[str, Any] = {}
    found = []
    for one in spans:
        kept = selection.pick(one.attributes)
        for event in one.attributes.get(EVALUATION_EVENT, ()):
            selection.event(EVALUATION_EVENT, event, kept)
        resource = resources.setdefault(repr(one.resource), dict(one.resource))
        found.append(one._replace(attributes=kept, resource=resource))
    return found
