"""Stamps on real spans of the OpenTelemetry SDK: they say what the answer store says, and no more."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from pathlib import Path
from typing import Any, Final

import pytest
from langchain_chroma import Chroma
from langchain_core.documents import Document
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableLambda
from llama_index.core import MockEmbedding, VectorStoreIndex
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import INVALID_SPAN_CONTEXT, NonRecordingSpan
from typing_extensions import override

import datahub_llmops.hooks as lineage
from datahub_llmops.answer_store.digests import digest_sources
from datahub_llmops.answer_store.recorded import RecordedAnswer
from datahub_llmops.answers.resolver import Resolver
from datahub_llmops.assets import span_names
from datahub_llmops.hooks import guard
from hooks import test_privacy
from hooks.llamaindex import test_handlers as llama
from hooks.parts import DOCUMENTS, PROMPT, InMemoryVectorStore, Model, NamedEmbedding, joined, rag
from hooks.seen import Host

RESOLVER: Final = Resolver([], env="PROD")


class Traces:
    """A tracer, and the spans that have ended."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.tracer = provider.get_tracer("test")

    def span(self, name: str = "request") -> Any:
        return self.tracer.start_as_current_span(name)

    def attributes(self, name: str = "request") -> dict[str, Any]:
        """Those of the only span of this name."""
        found: list[ReadableSpan] = [one for one in self._exporter.get_finished_spans() if one.name == name]
        assert len(found) == 1
        return dict(found[0].attributes or {})


@pytest.fixture
def traces() -> Traces:
    return Traces()


@pytest.fixture
def chroma(tmp_path: Path) -> Chroma:
    return Chroma.from_documents(
        [
            Document(f"text {n}", id=f"c{n}", metadata={"source": f"s3://kb/{n % 2}.md?v=1", "page": n})
            for n in range(4)
        ],
        NamedEmbedding(size=8),
        collection_name="docs",
        persist_directory=str(tmp_path / "chroma"),
    )


def expected(answer: RecordedAnswer) -> dict[str, Any]:
    """What the answer store says, as a span with all of the answer says it."""
    indexes = [one.index for one in answer.retrievals if one.index is not None]
    urns = [urn for one in indexes if (urn := RESOLVER.index(one)) is not None]
    sources = [digest_sources(chunk.source for chunk in one.chunks) for one in answer.retrievals]
    found: dict[str, Any] = {
        span_names.ANSWER_ID: answer.id,
        span_names.APPLICATION: answer.application,
        span_names.VERSION: answer.version,
        span_names.RECORDED: True,
        span_names.HOST: answer.host,
        span_names.INDEX: tuple(dict.fromkeys(urns)),
        span_names.INDEX_RAW: tuple(dict.fromkeys(map(dump, indexes))),
        span_names.SOURCES: tuple(dict.fromkeys(one for one in sources if one is not None)),
        span_names.PROMPT: tuple(dict.fromkeys(dump(named(one)) for one in answer.prompts)),
    }
    return {key: value for key, value in found.items() if value not in ((), None)}


def named(prompt: Any) -> dict[str, Any]:
    """What identifies a stored prompt."""
    keys = ("registry", "name", "version", "urn")
    found = {key: prompt[key] for key in keys if key in prompt}
    return found if "version" in found or "urn" in found else {**found, "digest": prompt["digest"]}


def dump(raw: Any) -> str:
    return json.dumps(dict(raw), separators=(",", ":"), sort_keys=True)


class TestLangChain:
    def test_a_span_says_what_the_store_says(self, host: Host, traces: Traces, chroma: Chroma) -> None:
        with traces.span():
            rag(chroma).invoke("q")
        answer = host.answer()
        found = traces.attributes()
        assert found == expected(answer)
        assert found[span_names.INDEX] == (
            "urn:li:dataset:(urn:li:dataPlatform:chroma,default_database.docs,PROD)",
        )
        assert json.loads(found[span_names.INDEX_RAW][0])["path"].endswith("chroma")
        assert len(found[span_names.SOURCES]) == len(found[span_names.PROMPT]) == 1

    def test_async_in_a_stream_and_in_a_thread_that_has_the_context(
        self, host: Host, traces: Traces, chroma: Chroma
    ) -> None:
        async def run() -> None:
            with traces.span("async"):
                await rag(chroma).ainvoke("q")

        asyncio.run(run())
        with traces.span("stream"):
            list(rag(chroma).stream("q"))
        with traces.span("batch"):
            rag(chroma).batch(["q"])
        for name, answer in zip(("async", "stream", "batch"), host.answers(), strict=True):
            assert traces.attributes(name) == expected(answer)

    @pytest.mark.parametrize(
        ("metadata", "kept"),
        [
            ({"langfuse_prompt": {"name": "s", "version": 3}}, {"registry": "langfuse", "name": "s", "version": "3"}),
            ({"prompt_name": "s"}, None),
        ],
    )  # fmt: skip
    def test_a_prompt_of_a_registry(
        self, host: Host, traces: Traces, metadata: dict[str, Any], kept: dict[str, str] | None
    ) -> None:
        prompt = ChatPromptTemplate.from_template("Answer {question}")
        prompt.metadata = metadata
        with traces.span():
            (prompt | Model()).invoke({"question": "q"})
        found = traces.attributes()
        assert found == expected(host.answer())
        identity = json.loads(found[span_names.PROMPT][0])
        assert identity == kept or (identity["name"], identity["digest"][:3]) == ("s", "t1:")

    def test_a_span_of_its_own_has_its_part_and_the_outer_one_has_the_rest(
        self, host: Host, traces: Traces, chroma: Chroma
    ) -> None:
        with traces.span(), lineage.answer():
            with traces.span("search"):
                found = chroma.as_retriever().invoke("q")
            with traces.span("ask"):
                Model().invoke(PROMPT.invoke({"context": joined(found), "question": "q"}))
        everything = expected(host.answer())
        begun = {
            span_names.ANSWER_ID,
            span_names.APPLICATION,
            span_names.VERSION,
            span_names.RECORDED,
            span_names.HOST,
        }
        index = {span_names.ANSWER_ID, span_names.INDEX, span_names.INDEX_RAW, span_names.SOURCES}
        prompt = {span_names.ANSWER_ID, span_names.PROMPT}
        for name, keys in (("request", begun), ("search", index), ("ask", prompt)):
            assert traces.attributes(name) == {key: everything[key] for key in keys}

    def test_a_span_inside_an_answer_without_one_says_whose_it_is(
        self, host: Host, traces: Traces, chroma: Chroma
    ) -> None:
        with lineage.answer():
            with traces.span("search"):
                chroma.as_retriever().invoke("q")
            with traces.span("again"):
                chroma.as_retriever().invoke("q")
        everything = expected(host.answer())
        assert traces.attributes("search") == everything
        keys = {span_names.ANSWER_ID, span_names.INDEX, span_names.INDEX_RAW, span_names.SOURCES}
        assert traces.attributes("again") == {key: everything[key] for key in keys}

    def test_several_indexes_of_one_answer(
        self, host: Host, traces: Traces, chroma: Chroma, tmp_path: Path
    ) -> None:
        other = Chroma.from_documents(
            [Document("x", metadata={"source": "s3://kb/x.md"})],
            NamedEmbedding(size=8),
            collection_name="other",
            persist_directory=str(tmp_path / "chroma"),
        )
        with traces.span(), lineage.answer():
            for store in (chroma, other, chroma):
                store.as_retriever().invoke("q")
            other.similarity_search("q")
        found = traces.attributes()
        assert found == expected(host.answer())
        assert [len(found[key]) for key in (span_names.INDEX, span_names.INDEX_RAW)] == [2, 2]

    def test_a_span_of_several_answers_lists_all_of_both(
        self, host: Host, traces: Traces, chroma: Chroma
    ) -> None:
        prompts = [ChatPromptTemplate.from_template(f"{n} {{question}}") for n in range(2)]
        with traces.span():
            for prompt in prompts:
                (prompt | Model()).invoke({"question": "q"})
            chroma.as_retriever().invoke("q")
        answers = host.answers()
        found = traces.attributes()
        assert found[span_names.ANSWER_IDS] == tuple(one.id for one in answers)
        assert found[span_names.ANSWER_ID] == answers[-1].id
        assert found[span_names.PROMPT] == tuple(dump(named(one.prompts[0])) for one in answers[:2])
        assert len(found[span_names.INDEX]) == 1

    def test_an_index_that_the_application_names(self, host: Host, traces: Traces, chroma: Chroma) -> None:
        urn = "urn:li:dataset:(urn:li:dataPlatform:chroma,eu.db.docs,DEV)"
        lineage.name_index(chroma, urn)
        with traces.span():
            rag(chroma).invoke("q")
        assert traces.attributes()[span_names.INDEX] == (urn,)
        assert traces.attributes() == expected(host.answer())

    def test_an_index_in_memory_has_no_urn(self, host: Host, traces: Traces) -> None:
        store = InMemoryVectorStore.from_documents(DOCUMENTS, NamedEmbedding(size=8))
        with traces.span():
            rag(store).invoke("q")
        found = traces.attributes()
        assert span_names.INDEX not in found
        assert found == expected(host.answer())

    def test_an_answer_that_fails(self, host: Host, traces: Traces, chroma: Chroma) -> None:
        with traces.span(), pytest.raises(Exception, match="planted"):
            rag(chroma, Model(fail=True)).invoke("q")
        found = traces.attributes()
        assert host.answer().status == "error"
        assert {key: found[key] for key in expected(host.answer())} == expected(host.answer())

    def test_an_answer_without_index_and_prompt_is_on_its_span(self, host: Host, traces: Traces) -> None:
        with traces.span("a model"):
            Model().invoke("q")
        with traces.span("nothing"):
            RunnableLambda(len).invoke("q")
        with traces.span("a block"), lineage.answer():
            pass
        for name, answer in zip(("a model", "nothing", "a block"), host.answers(), strict=True):
            assert traces.attributes(name) == expected(answer)

    def test_a_model_without_a_prompt_stamps_a_span_that_ends_before_the_answer(
        self, host: Host, traces: Traces
    ) -> None:
        # As that of a tracer whose handler comes before ours.
        with traces.span() as span, lineage.answer():
            Model().invoke("q")
            span.end()
        assert traces.attributes() == expected(host.answer())


class TestLlamaIndex:
    def test_a_query_and_a_stream(self, host: Host, traces: Traces) -> None:
        model = llama.Model()
        index = VectorStoreIndex.from_documents(llama.DOCUMENTS, embed_model=MockEmbedding(8))
        streaming = index.as_query_engine(llm=model, streaming=True)
        with traces.span("query"):
            index.as_query_engine(llm=model).query("q")
        with traces.span("stream"):
            inside: Any = streaming.query("q")
            list(inside.response_gen)
        with traces.span("left open"):
            later: Any = streaming.query("q")
        list(later.response_gen)
        first, second, third = host.answers()
        for name, answer in (("query", first), ("stream", second)):
            assert traces.attributes(name) == expected(answer)
            assert span_names.PROMPT in traces.attributes(name)
        # Its model was asked when the span was over.
        everything = expected(third)
        assert everything.pop(span_names.PROMPT)
        assert traces.attributes("left open") == everything


class TestNoSpan:
    def test_a_span_that_is_not_recorded_is_left_alone(self, host: Host, chroma: Chroma) -> None:
        tracer = TracerProvider(sampler=ALWAYS_OFF).get_tracer("test")
        before = host.handle.stats()["stamped"]
        with tracer.start_as_current_span("request"):
            rag(chroma).invoke("q")
        rag(chroma).invoke("q")
        assert len(host.answers()) == 2
        assert host.handle.stats()["stamped"] == before

    def test_a_span_that_has_ended_is_left_alone(
        self, host: Host, traces: Traces, chroma: Chroma, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.WARNING), traces.span() as span, lineage.answer():
            span.end()
            chroma.as_retriever().invoke("q")
            Model().invoke("q")
        assert span_names.INDEX not in traces.attributes()
        assert [one.message for one in caplog.records if "ended" in one.message] == [
            "Calling end() on an ended span."
        ]

    def test_a_thread_without_the_context_stamps_the_span_of_its_answer(
        self, host: Host, traces: Traces, chroma: Chroma
    ) -> None:
        import contextvars

        from opentelemetry import context

        def search() -> None:
            token = context.attach(context.Context())
            chroma.as_retriever().invoke("q")
            context.detach(token)

        with traces.span(), lineage.answer():
            thread = threading.Thread(target=contextvars.copy_context().run, args=(search,))
            thread.start()
            thread.join()
        assert traces.attributes() == expected(host.answer())


class Broken(NonRecordingSpan):
    """A tracer's span that fails when it is asked, or when it is stamped."""

    def __init__(self, *, asked: bool) -> None:
        super().__init__(INVALID_SPAN_CONTEXT)
        self._asked = asked

    @override
    def is_recording(self) -> bool:
        if self._asked:
            raise RuntimeError("PLANTED")
        return True

    @override
    def set_attributes(self, attributes: Any) -> None:
        raise RuntimeError("PLANTED")


@pytest.mark.parametrize("asked", [True, False])
def test_a_span_that_fails_costs_no_answer(
    host: Host, chroma: Chroma, asked: bool, caplog: pytest.LogCaptureFixture
) -> None:
    guard.reraise = False
    with trace.use_span(Broken(asked=asked), record_exception=False, set_status_on_exception=False):
        assert rag(chroma).invoke("q").content == "forty two"
    answer = host.answer()
    assert (len(answer.retrievals), len(answer.prompts), len(answer.models)) == (1, 1, 1)
    assert host.handle.stats()["errors"].keys() <= {"spans.begin", "spans.end_part", "spans.end"}
    assert ("spans.begin" if asked else "spans.end_part") in host.handle.stats()["errors"]
    assert "PLANTED" not in caplog.text


def test_nothing_planted_is_on_a_span(host: Host, traces: Traces, tmp_path: Path) -> None:
    with traces.span():
        test_privacy.application(tmp_path)
    stamped = str(traces.attributes())
    assert stamped.count("datahub_llmops.") >= 8
    for word in test_privacy.PLANTED:
        assert word not in stamped, word


def test_a_waiting_answer_keeps_no_span_alive(host: Host, traces: Traces, chroma: Chroma) -> None:
    with traces.span(), lineage.answer() as answer:
        assert answer.span is not None
        rag(chroma).invoke("q")
    assert answer.span is None
