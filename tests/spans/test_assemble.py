"""Answers from spans: what begins one, what is part of it, and that order, duplicates and odd shapes change nothing."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datahub_llmops.answer_store.queries import start_of
from datahub_llmops.spans import attributes as names
from datahub_llmops.spans.assemble import Assembled, AssembleOptions, assemble
from datahub_llmops.spans.attributes import Selection
from datahub_llmops.spans.span import Span
from support.examples import examples

from .world import OTHER_SERVICE, SERVICE, span

OPTIONS: Final = AssembleOptions()


def test_a_rag_chain_is_one_answer_with_its_parts() -> None:
    root = span("RunnableSequence", kind="CHAIN")
    search = span(
        "VectorStoreRetriever",
        root,
        kind="RETRIEVER",
        retrieval__documents__0__document__id="c1",
        retrieval__documents__0__document__score=0.5,
        retrieval__documents__1__document__id="c2",
    )
    call = span(
        "ChatOpenAI",
        root,
        kind="LLM",
        llm__model_name="gpt-5",
        llm__provider="openai",
        llm__token_count__prompt=12,
        llm__token_count__completion=3,
    )
    (answer,) = assembled(call, root, search).answers
    assert (answer.application, answer.version, answer.framework) == ("support-bot", "3", "langchain")
    assert (answer.status, answer.root, answer.weight) == ("ok", "RunnableSequence", 1.0)
    assert abs(start_of(answer.id) - answer.started) < 0.002
    (retrieval,) = answer.retrievals
    assert [(chunk.id, chunk.score) for chunk in retrieval.chunks] == [("c1", 0.5), ("c2", None)]
    assert retrieval.retriever == {"name": "VectorStoreRetriever"}
    assert retrieval.index == {"service": "support-bot", "seen_by": "class"}
    (model,) = answer.models
    assert model.asked == {"provider": "openai", "name": "gpt-5"}
    assert (model.tokens_in, model.tokens_out) == (12, 3)


# Which span of an inference counts


def test_only_the_innermost_of_several_spans_of_an_inference_is_a_call() -> None:
    root = span("RunnableSequence", kind="CHAIN")
    outer = span("ChatOpenAI", root, kind="LLM", llm__token_count__prompt=12)
    inner = span("chat gpt-5", outer, gen_ai__operation__name="chat", gen_ai__usage__input_tokens=13)
    (answer,) = assembled(root, outer, inner).answers
    assert [call.tokens_in for call in answer.models] == [13]


def test_what_a_gateway_reports_belongs_to_the_answer_of_the_application_that_asked_it() -> None:
    root = span("RunnableSequence", kind="CHAIN")
    outer = span("ChatOpenAI", root, kind="LLM", llm__token_count__prompt=12)
    post = span("POST /chat", outer, resource=OTHER_SERVICE)
    served = span("chat", post, kind="LLM", resource=OTHER_SERVICE, llm__token_count__prompt=13)
    (answer,) = assembled(root, outer, post, served).answers
    assert answer.application == "support-bot"
    assert [call.tokens_in for call in answer.models] == [13]


def test_an_application_that_a_tool_asks_gives_an_answer_of_its_own() -> None:
    root = span("agent", kind="AGENT")
    asked = span("ChatOpenAI", root, kind="LLM")
    tool = span("ask the handbook", root, kind="TOOL")
    other = span("RunnableSequence", tool, kind="CHAIN", resource=OTHER_SERVICE)
    call = span("ChatOpenAI", other, kind="LLM", resource=OTHER_SERVICE)
    found = assembled(root, asked, tool, other, call).answers
    assert [(one.application, len(one.models)) for one in found] == [("support-bot", 1), ("handbook", 1)]
    assert [one.name for one in found[0].tools] == ["ask the handbook"]


@pytest.mark.parametrize("of_tool", [SERVICE, OTHER_SERVICE])
@pytest.mark.parametrize("kind", ["TOOL", "AGENT"])
def test_a_tool_below_an_inference_ends_what_is_a_part_of_it(of_tool: Mapping[str, Any], kind: str) -> None:
    asked = span("chat", kind="LLM")
    tool = span("ask the handbook", asked, kind=kind, resource=of_tool)
    other = span("chat", tool, kind="LLM", resource=OTHER_SERVICE)
    found = assembled(asked, tool, other).answers
    services = ["support-bot"] if (kind, of_tool) == ("AGENT", OTHER_SERVICE) else ["support-bot", "handbook"]
    assert [one.application for one in found] == services
    assert sum(len(one.models) for one in found) == 2


def test_the_span_of_an_sdk_beside_that_of_a_framework_is_the_same_inference() -> None:
    request = span("GET /help")
    root = span("RunnableSequence", request, kind="CHAIN", took=0.9)
    outer = span("ChatOpenAI", root, kind="LLM", llm__token_count__prompt=12, took=0.8)
    beside = span(
        "ChatCompletion", request, kind="LLM", scope="openinference.instrumentation.openai", took=0.7
    )
    found = assembled(request, root, outer, beside)
    assert (len(found.answers), found.repeated) == (1, 1)
    later = beside._replace(started=outer.ended + 1, ended=outer.ended + 2)
    assert len(assembled(request, root, outer, later).answers) == 2
    another = beside._replace(attributes={**beside.attributes, "llm.token_count.prompt": 13})
    assert len(assembled(request, root, outer, another).answers) == 2


# What is not an answer


def test_indexing_is_no_answer() -> None:
    alone = span("embeddings", kind="EMBEDDING")
    pipeline = span("IngestionPipeline.run", kind="CHAIN", scope="openinference.instrumentation.llama_index")
    extractor = span("OpenAI.predict", pipeline, kind="LLM")
    steps = span("RunnableSequence", kind="CHAIN")
    embedded = span("OpenAIEmbeddings", steps, kind="EMBEDDING")
    stored = span("qdrant.upsert", db__system="Qdrant", qdrant__upsert__collection_name="docs")
    found = assembled(alone, pipeline, extractor, steps, embedded, stored)
    assert (found.answers, found.indexing) == ((), 2)


def test_other_work_is_no_answer() -> None:
    found = assembled(
        span("GET /help"),
        span("SELECT", db__system="clickhouse", db__collection__name="events"),
        span("toxicity", kind="GUARDRAIL"),
    )
    assert (found.answers, found.guardrails, found.indexing) == ((), 1, 0)


def test_what_asks_a_model_only_to_judge_is_no_answer() -> None:
    judge = span("faithfulness", kind="EVALUATOR")
    asked = span("ChatOpenAI", judge, kind="LLM")
    scorer = span("scorer", kind="CHAIN")
    scorer = scorer._replace(attributes={**scorer.attributes, names.JUDGE[0]: "relevance"})
    scored = span("ChatOpenAI", scorer, kind="LLM")
    langfuse = span("evaluate", kind="CHAIN", langfuse__environment="langfuse-llm-as-a-judge")
    judged = span("ChatOpenAI", langfuse, kind="LLM")
    run = span("experiment", kind="CHAIN")
    within = span("correctness", run, kind="EVALUATOR")
    last = span("ChatOpenAI", within, kind="LLM")
    found = assembled(judge, asked, scorer, scored, langfuse, judged, run, within, last)
    assert (found.answers, found.judged, found.evaluations) == ((), 4, 2)


def test_an_answer_that_is_judged_as_it_is_given_is_one() -> None:
    root = span("RunnableSequence", kind="CHAIN")
    call = span("ChatOpenAI", root, kind="LLM")
    check = span("faithfulness", root, kind="EVALUATOR")
    judged = span("ChatOpenAI", check, kind="LLM")
    found = assembled(root, call, check, judged)
    assert (len(found.answers), found.judged) == (1, 0)
    assert len(found.answers[0].models) == 2


# Applications


def test_an_attribute_of_the_process_or_of_a_span_names_the_application() -> None:
    call = span("chat", kind="LLM", resource={"service.name": "api", "k8s.deployment.name": "support"})
    (answer,) = assemble([call], AssembleOptions(application="k8s.deployment.name")).answers
    assert answer.application == "support"
    call = span("chat", kind="LLM", app="support")
    (answer,) = assemble([call], AssembleOptions(application="app")).answers
    assert answer.application == "support"


def test_a_name_that_opentelemetry_made_up_is_none() -> None:
    call = span("chat", kind="LLM", resource={"service.name": "unknown_service:python"})
    assert (assembled(call).answers, assembled(call).unnamed) == ((), 1)
    assert assembled(call).others() == {"answers left out because nothing names their application": 1}
    named = call._replace(attributes={**call.attributes, "langfuse.trace.name": "support"})
    assert assembled(named).answers[0].application == "support"
    for one, name in ((call, "bot"), (named, "support")):
        found = assemble([one], AssembleOptions(default="bot"))
        assert [answer.application for answer in found.answers] == [name]
        assert found.unnamed == 0


def test_a_span_without_an_end_is_an_unfinished_answer() -> None:
    (answer,) = assembled(span("chat", kind="LLM", took=None)).answers
    assert (answer.status, answer.ended, answer.models[0].status) == ("unfinished", answer.started, "open")
    assert answer.models[0].milliseconds is None


def test_an_answer_has_the_weight_of_its_first_span() -> None:
    (answer,) = assembled(span("chat", kind="LLM", weight=20.0)).answers
    assert answer.weight == 20.0


def test_parts_beyond_the_bound_are_counted() -> None:
    root = span("agent", kind="AGENT")
    tools = [span("search", root, kind="TOOL") for _ in range(1_010)]
    (answer,) = assembled(root, *tools, span("chat", root, kind="LLM")).answers
    assert (len(answer.tools), answer.parts_cut) == (1_000, 10)


# Against a plain model

KINDS: Final = ("LLM", "CHAIN", "AGENT", "RETRIEVER", "EMBEDDING", "TOOL", None)
BEGINS: Final = frozenset({"LLM", "CHAIN", "AGENT", "RETRIEVER"})
NODES: Final = st.lists(
    st.tuples(
        st.sampled_from(KINDS),
        st.sampled_from(["api", "api", "handbook"]),
        st.integers(0, 10**6),
        st.none() | st.integers(0, 1_000),
        st.integers(0, 5),
    ),
    min_size=2,
    max_size=30,
)
"""Kind, service, a number that chooses the parent, tokens, and start."""


def build_trace(nodes: Sequence[tuple[str | None, str, int, int | None, int]]) -> list[Span]:
    made = []
    for number, (kind, service, parent, tokens, start) in enumerate(nodes):
        attributes: dict[str, Any] = {"openinference.span.kind": kind} if kind else {}
        if tokens is not None:
            attributes["llm.token_count.prompt"] = tokens
        # One of the three before it, so that trees are deep; now and then none, or one that is missing.
        choice = parent % 8
        above = f"{number - 1 - choice % 3:016x}" if choice < 6 and choice % 3 < number else ""
        made.append(
            Span(
                trace="0" * 32,
                id=f"{number:016x}",
                parent=above if choice != 7 else "f" * 16,
                name=f"step {number}",
                started=1_790_000_000.0 + start,
                ended=1_790_000_010.0 + number,
                error=None,
                attributes=attributes,
                resource={"service.name": service},
                scope="openinference.instrumentation.langchain",
            )
        )
    return made


class Plain:
    """What the answers of a trace are, the long way round."""

    def __init__(self, spans: Sequence[Span]) -> None:
        self.by_id = {one.id: one for one in spans}
        self.spans = list(self.by_id.values())

    def above(self, one: Span) -> list[Span]:
        """What is around a span, the innermost first."""
        found = []
        parent = self.by_id.get(one.parent)
        while parent is not None:
            found.append(parent)
            parent = self.by_id.get(parent.parent)
        return found

    def owner(self, one: Span) -> str | None:
        """The first span of the answer that a span belongs to."""
        around = self.above(one)
        for outer in reversed(around):
            if kind_of(outer) in BEGINS and outer.resource == one.resource:
                return self.owner(outer)
        for outer in around:
            if kind_of(outer) == "LLM":
                return self.owner(outer)
            if kind_of(outer) in ("TOOL", "AGENT"):
                break
        return one.id if kind_of(one) in BEGINS else None

    def is_call(self, one: Span) -> bool:
        return kind_of(one) == "LLM" and not any(self.inference(other) is one for other in self.spans)

    def inference(self, one: Span) -> Span | None:
        """The inference that this one is a part of."""
        for outer in self.above(one) if kind_of(one) == "LLM" else ():
            if kind_of(outer) in ("LLM", "TOOL", "AGENT"):
                return outer if kind_of(outer) == "LLM" else None
        return None

    def is_within(self, one: Span) -> bool:
        """Whether another retriever of the answer made this retrieval."""
        around = next((other for other in self.above(one) if kind_of(other) == "RETRIEVER"), None)
        return around is not None and self.owner(around) == self.owner(one)

    def totals(self) -> dict[str, tuple[int, int, int]]:
        """Calls of models, tokens, and retrievals that no other made, by the id that an answer's id ends with."""
        found: dict[str, tuple[int, int, int]] = {}
        for one in self.spans:
            owner = self.owner(one)
            if owner is None or kind_of(one) not in ("LLM", "RETRIEVER"):
                continue
            calls, tokens, searches = found.get(owner, (0, 0, 0))
            if self.is_call(one):
                calls, tokens = calls + 1, tokens + one.attributes.get("llm.token_count.prompt", 0)
            alone = kind_of(one) == "RETRIEVER" and not self.is_within(one)
            found[owner] = (calls, tokens, searches + alone)
        return found


def kind_of(one: Span) -> Any:
    return one.attributes.get("openinference.span.kind")


@settings(max_examples=examples(600))
@given(NODES, st.randoms(use_true_random=False))
def test_answers_calls_and_tokens_are_those_of_a_plain_model(
    nodes: list[tuple[str | None, str, int, int | None, int]], chance: random.Random
) -> None:
    spans = build_trace(nodes)
    expected = Plain(spans).totals()
    chance.shuffle(spans)
    found = assembled(*spans).answers
    assert {
        one.id[12:]: (
            len(one.models),
            sum(call.tokens_in or 0 for call in one.models),
            sum(search.within is None for search in one.retrievals),
        )
        for one in found
    } == expected


@settings(max_examples=examples(300))
@given(NODES, st.randoms(use_true_random=False), st.data())
def test_order_and_duplicates_change_nothing(
    nodes: list[tuple[str | None, str, int, int | None, int]], chance: random.Random, data: st.DataObject
) -> None:
    spans = build_trace(nodes)
    if data.draw(st.booleans()):  # Parents that come last, and rings of them.
        spans = [
            one._replace(
                parent=f"{chance.randrange(len(spans)):016x}" if chance.random() < 0.3 else one.parent
            )
            for one in spans
        ]
    first = assembled(*spans)
    again = [*spans, *(chance.choice(spans) for _ in spans[:5])]
    unfinished = [one._replace(ended=0.0, attributes={}) for one in spans[::3]]
    again += unfinished
    chance.shuffle(again)
    second = assembled(*again)
    assert sorted(second.answers, key=by_id) == sorted(first.answers, key=by_id)
    assert second.duplicates == len(again) - len(spans)
    assert (second.orphans, second.cycles) == (first.orphans, first.cycles)


def by_id(answer: Any) -> str:
    return str(answer.id)


ANYTHING: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=5,
)
KNOWN: Final = sorted(Selection().rules)


@given(
    st.lists(
        st.tuples(
            st.dictionaries(
                st.sampled_from([*KNOWN, "datahub_llmops.index.raw", "retrieval.documents.0.document.id"]),
                ANYTHING | st.sampled_from(["llm", "retriever", "[{}]", "[1]", '{"a": [1]}']),
                max_size=6,
            ),
            st.sampled_from(["LLM", "RETRIEVER", "RERANKER", "PROMPT", "CHAIN", "TOOL", "EMBEDDING", None]),
        ),
        max_size=6,
    )
)
def test_no_value_of_an_attribute_is_an_error(rows: list[tuple[dict[str, Any], str | None]]) -> None:
    selection = Selection()
    above: Span | None = span("root", kind="CHAIN")
    spans = [above] if above else []
    for given_attributes, kind in rows:
        attributes = selection.pick(
            {**given_attributes, **({"openinference.span.kind": kind} if kind else {})}
        )
        above = span("step", above)._replace(attributes=attributes, resource=attributes)
        spans.append(above)
    assembled(*spans)


def test_fifty_thousand_spans_in_one_trace_and_in_one_chain() -> None:
    root = span("agent", kind="AGENT")
    spans = [root]
    for number in range(50_000):
        spans.append(
            span("step", spans[-1 if number % 2 else 0], kind="LLM" if number % 10 == 0 else "CHAIN")
        )
    deep = [root]
    for number in range(50_000):
        deep.append(span("step", deep[-1], kind="LLM" if number % 10 == 0 else "CHAIN"))
    wide = assembled(*reversed(spans)).answers
    assert (len(wide), len(wide[0].models), wide[0].parts_cut) == (1, 1_000, 4_000)
    found = assembled(*reversed(deep)).answers
    assert [len(one.models) for one in found] == [1]


def assembled(*spans: Span) -> Assembled:
    return assemble(spans, OPTIONS)
