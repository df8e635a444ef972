"""Streams of LlamaIndex: each is one answer with its documents and its model, wherever and whenever it is read."""

from __future__ import annotations

import asyncio
import gc
import inspect
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeAlias
from weakref import WeakKeyDictionary

import pytest
from llama_index.core import Settings, VectorStoreIndex
from llama_index.core.base.llms.types import ChatMessage, ChatResponse, MessageRole
from llama_index.core.base.response.schema import AsyncStreamingResponse, StreamingResponse
from llama_index.core.instrumentation import get_dispatcher  # type: ignore[attr-defined]  # re-exported
from llama_index.core.llms.callbacks import llm_chat_callback
from llama_index.core.memory import Memory
from llama_index.core.postprocessor import LLMRerank
from llama_index.core.query_engine import CustomQueryEngine, RouterQueryEngine
from llama_index.core.response_synthesizers import BaseSynthesizer
from llama_index.core.selectors import LLMSingleSelector
from llama_index.core.tools import QueryEngineTool
from pydantic import Field, PrivateAttr
from typing_extensions import override

import datahub_llmops.hooks as lineage
from hooks.llamaindex.test_handlers import DOCUMENTS, RAW, Model
from hooks.seen import Host
from hooks.test_shortcuts import LlamaEvents, LlamaSpans


class Chooses(Model):
    """Answers selectors and rerankers in their format, and everything else in words."""

    @llm_chat_callback()
    @override
    def chat(self, messages: Any, **kwargs: Any) -> ChatResponse:
        asked = str(messages)
        said = "forty two"
        if "choices" in asked:
            said = '[{"choice": 1, "reason": "r"}]'
        elif "A list of documents" in asked:
            said = "Doc: 1, Relevance: 9"
        return ChatResponse(message=ChatMessage(role=MessageRole.ASSISTANT, content=said), raw=RAW)

    @llm_chat_callback()
    @override
    def stream_chat(self, messages: Any, **kwargs: Any) -> Any:
        return iter_words()

    @llm_chat_callback()
    @override
    async def astream_chat(self, messages: Any, **kwargs: Any) -> Any:
        async def steps() -> AsyncIterator[ChatResponse]:
            for step in iter_words():
                yield step

        return steps()


def iter_words() -> Iterator[ChatResponse]:
    for word, text in (("forty", "forty"), (" two", "forty two")):
        message = ChatMessage(role=MessageRole.ASSISTANT, content=text)
        yield ChatResponse(message=message, delta=word, raw=RAW)


class BreaksOff(Model):
    """Fails in the middle of a stream."""

    @llm_chat_callback()
    @override
    def stream_chat(self, messages: Any, **kwargs: Any) -> Any:
        def steps() -> Iterator[ChatResponse]:
            yield ChatResponse(
                message=ChatMessage(role=MessageRole.ASSISTANT, content="forty"), delta="forty", raw=RAW
            )
            raise TimeoutError("planted")

        return steps()


class FollowsStreams(LlamaSpans):
    """Ends the span of a stream, as OpenInference does, once a response holds what the span has returned."""

    found: list[str] = Field(default_factory=list)
    _open: WeakKeyDictionary[Any, list[str]] = PrivateAttr(default_factory=WeakKeyDictionary)

    @override
    def span_exit(
        self, id_: str, bound_args: Any, instance: Any = None, result: Any = None, **_: Any
    ) -> None:
        if isinstance(result, (Generator, AsyncGenerator)) and isinstance(instance, BaseSynthesizer):
            self._open.setdefault(result, []).append(id_.partition("-")[0])
        elif isinstance(result, (StreamingResponse, AsyncStreamingResponse)):
            self.found += self._open.pop(result.response_gen, [])


@pytest.fixture
def index(host: Host) -> VectorStoreIndex:
    from llama_index.core import MockEmbedding

    Settings.embed_model = MockEmbedding(8, model_name="embed-test")
    Settings.llm = Chooses()
    return VectorStoreIndex.from_documents(DOCUMENTS)


def engine_of(index: VectorStoreIndex, **options: Any) -> Any:
    return index.as_query_engine(streaming=True, similarity_top_k=1, **options)


def read(response: Any) -> str:
    return "".join(response.response_gen)


async def read_later(response: Any) -> str:
    return "".join([token async for token in response.async_response_gen()])


def in_thread(call: Callable[[], Any]) -> Any:
    """The result of a call in a thread that has nothing of this context."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(call).result()


Case: TypeAlias = Callable[[VectorStoreIndex], object]


def asked_elsewhere(index: VectorStoreIndex) -> None:
    read(in_thread(lambda: engine_of(index).query("q")))


def read_elsewhere(index: VectorStoreIndex) -> None:
    response = engine_of(index).query("q")
    in_thread(lambda: read(response))


def a_token_in_each_of_two_threads(index: VectorStoreIndex) -> None:
    response = engine_of(index).query("q")
    first, second = (in_thread(lambda: next(response.response_gen)) for _ in range(2))
    assert [first, second, *response.response_gen]


def asked_in_a_task(index: VectorStoreIndex) -> None:
    async def run() -> None:
        await read_later(await asyncio.create_task(engine_of(index).aquery("q")))

    asyncio.run(run())


def asked_under_a_deadline(index: VectorStoreIndex) -> None:
    async def run() -> None:
        await read_later(await asyncio.wait_for(engine_of(index).aquery("q"), 60))

    asyncio.run(run())


def asked_in_a_worker_of_the_loop(index: VectorStoreIndex) -> None:
    async def run() -> None:
        read(await asyncio.to_thread(engine_of(index).query, "q"))

    asyncio.run(run())


def as_text(index: VectorStoreIndex) -> None:
    assert str(engine_of(index).query("q"))


def printed(index: VectorStoreIndex) -> None:
    engine_of(index).query("q").print_response_stream()


def chat(mode: str, *, worker: bool = False) -> Case:
    def ask(index: VectorStoreIndex) -> None:
        engine: Any = index.as_chat_engine(chat_mode=mode, similarity_top_k=1)  # type: ignore[arg-type]  # a name of the enum
        read(in_thread(lambda: engine.stream_chat("q")) if worker else engine.stream_chat("q"))

    return ask


def chat_later(mode: str) -> Case:
    async def run(index: VectorStoreIndex) -> None:
        engine: Any = index.as_chat_engine(chat_mode=mode, similarity_top_k=1)  # type: ignore[arg-type]  # a name of the enum
        await read_later(await engine.astream_chat("q"))

    return lambda index: asyncio.run(run(index))


def of_ones_own(index: VectorStoreIndex) -> None:
    class Own(CustomQueryEngine):
        @override
        def custom_query(self, query_str: str) -> Any:
            nodes = index.as_retriever(similarity_top_k=1).retrieve(query_str)
            tokens = (chunk.delta or "" for chunk in Model().stream_complete(query_str))
            return StreamingResponse(tokens, source_nodes=nodes)

        def set(self) -> None: ...

    read(Own().query("q"))


WAYS: dict[str, Case] = {
    "here": lambda index: read(engine_of(index).query("q")),
    "asked elsewhere": asked_elsewhere,
    "read elsewhere": read_elsewhere,
    "a token in each of two threads": a_token_in_each_of_two_threads,
    "asked in a task": asked_in_a_task,
    "asked under a deadline": asked_under_a_deadline,
    "asked in a worker of the loop": asked_in_a_worker_of_the_loop,
    "as text": as_text,
    "printed": printed,
    "tree summarize": lambda index: read(engine_of(index, response_mode="tree_summarize").query("q")),
    "context chat": chat("context"),
    "context chat, asked elsewhere": chat("context", worker=True),
    "context chat, async": chat_later("context"),
    "condensed question": chat("condense_question"),
    "condensed question, async": chat_later("condense_question"),
    "condensed question with context": chat("condense_plus_context"),
    "condensed question with context, async": chat_later("condense_plus_context"),
    "an engine of one's own": of_ones_own,
}


class TestOneAnswer:
    @pytest.mark.parametrize("way", WAYS)
    def test_with_documents_and_model(self, host: Host, index: VectorStoreIndex, way: str) -> None:
        WAYS[way](index)
        found = host.answer()
        assert (found.status, found.error) == ("ok", None)
        assert [len(one.chunks) for one in found.retrievals] == [1]
        assert [(one.status, one.tokens_in) for one in found.models] == [("ok", 30)]

    @pytest.mark.parametrize("way", ["read elsewhere", "context chat", "asked in a task"])
    def test_beside_another_tracer(self, host: Host, index: VectorStoreIndex, way: str) -> None:
        root = get_dispatcher()
        events, spans = LlamaEvents(), LlamaSpans()
        root.add_event_handler(events)
        root.add_span_handler(spans)
        try:
            WAYS[way](index)
        finally:
            root.event_handlers.remove(events)
            root.span_handlers.remove(spans)
        found = host.answer()
        assert (len(found.retrievals), len(found.models)) == (1, 1)

    @pytest.mark.parametrize("later", [False, True], ids=["sync", "async"])
    def test_another_tracer_finds_the_generator_that_it_has_seen(
        self, host: Host, index: VectorStoreIndex, later: bool
    ) -> None:
        root = get_dispatcher()
        tracer = FollowsStreams()
        root.add_span_handler(tracer)
        try:
            asked_in_a_task(index) if later else read_elsewhere(index)
        finally:
            root.span_handlers.remove(tracer)
        assert (
            tracer.found
            == ["CompactAndRefine.aget_response" if later else "CompactAndRefine.get_response"] * 2
        )
        found = host.answer()
        assert (len(found.retrievals), len(found.models)) == (1, 1)

    def test_a_chat_without_documents(self, host: Host, index: VectorStoreIndex) -> None:
        chat_later("simple")(index)
        found = host.answer()
        assert (found.root, len(found.models)) == ("SimpleChatEngine.astream_chat", 1)

    @pytest.mark.parametrize("kind", ["router", "reranker", "second turn"])
    def test_after_another_call_of_the_model(self, host: Host, index: VectorStoreIndex, kind: str) -> None:
        if kind == "router":
            tools = [
                QueryEngineTool.from_defaults(engine_of(index), name=name, description=name) for name in "ab"
            ]
            router = RouterQueryEngine(
                selector=LLMSingleSelector.from_defaults(), query_engine_tools=tools, llm=Settings.llm
            )
            read(router.query("q"))
        elif kind == "reranker":
            read(engine_of(index, node_postprocessors=[LLMRerank(top_n=1)]).query("q"))
        else:
            engine: Any = index.as_chat_engine(chat_mode="condense_question", similarity_top_k=1)  # type: ignore[arg-type]  # a name of the enum
            history = [ChatMessage(role="user", content="hi"), ChatMessage(role="assistant", content="ho")]
            read(engine.stream_chat("q", chat_history=history))
        found = host.answer()
        assert len(found.retrievals) == 1
        assert [one.prompt for one in found.models] == [0, 1]

    @pytest.mark.parametrize("later", [False, True], ids=["sync", "async"])
    def test_two_that_are_asked_before_either_is_read(
        self, host: Host, index: VectorStoreIndex, later: bool
    ) -> None:
        engine = engine_of(index)

        async def ask() -> None:
            for response in await asyncio.gather(engine.aquery("a"), engine.aquery("b")):
                await read_later(response)

        if later:
            asyncio.run(ask())
        else:
            first, second = engine.query("a"), engine.query("b")
            alternating = [next(first.response_gen), next(second.response_gen)]
            assert [*alternating, *second.response_gen, *first.response_gen]
        assert [(len(one.retrievals), len(one.models)) for one in host.answers()] == [(1, 1)] * 2

    def test_read_inside_another_query(self, host: Host, index: VectorStoreIndex) -> None:
        response = engine_of(index).query("first")

        class Reads(CustomQueryEngine):
            @override
            def custom_query(self, query_str: str) -> Any:
                return read(response) + str(index.as_query_engine(similarity_top_k=1).query(query_str))

        Reads().query("second")
        assert [(len(one.retrievals), len(one.models)) for one in host.answers()] == [(1, 1)] * 2

    def test_asked_in_a_block_and_read_after_it(self, host: Host, index: VectorStoreIndex) -> None:
        with lineage.answer() as answer:
            response = engine_of(index).query("q")
        Model().complete("of somebody else")
        read(response)
        found, other = sorted(host.answers(), key=lambda one: len(one.models) - len(one.retrievals))
        assert (found.id, len(found.retrievals), len(found.models)) == (answer.id, 1, 1)
        assert (len(other.retrievals), len(other.models)) == (0, 1)

    def test_the_memory_of_a_chat_asks_a_model_as_well(self, host: Host, index: VectorStoreIndex) -> None:
        class Remembers(Memory):
            @override
            def put(self, message: ChatMessage) -> None:
                Model().complete("what to remember")
                super().put(message)

        engine = index.as_chat_engine(
            chat_mode="context",  # type: ignore[arg-type]  # a name of the enum
            memory=Remembers.from_defaults(),
        )
        response: Any = engine.stream_chat("q")
        read(response)
        found = host.answer()
        assert len(found.models) == 3


class TestLeft:
    def test_a_stream_that_nobody_reads_takes_nothing_of_what_follows(
        self, host: Host, index: VectorStoreIndex
    ) -> None:
        gone = engine_of(index).query("a secret of user A")
        assert list(Model().stream_chat([ChatMessage(content="a title for user B")]))
        del gone
        gc.collect()
        first, second = host.answers()
        assert (len(first.retrievals), len(first.models)) == (1, 0)
        assert (second.root, len(second.models)) == ("Model.stream_chat", 1)

    def test_a_stream_that_is_left_is_closed(self, host: Host, index: VectorStoreIndex) -> None:
        response = engine_of(index).query("q")
        next(response.response_gen)
        response.response_gen.close()
        found = host.answer()
        assert (found.status, [one.status for one in found.models]) == ("interrupted", ["interrupted"])

    def test_a_stream_that_is_dropped_is_freed_at_once(self, host: Host, index: VectorStoreIndex) -> None:
        gc.disable()
        try:
            response = engine_of(index).query("q")
            next(response.response_gen)
            del response
            assert host.answer().status == "interrupted"
        finally:
            gc.enable()

    def test_an_asynchronous_one(self, host: Host, index: VectorStoreIndex) -> None:
        async def run() -> None:
            response: Any = await engine_of(index).aquery("q")
            await anext(response.response_gen)
            await response.response_gen.aclose()

        asyncio.run(run())
        found = host.answer()
        assert (found.status, [one.status for one in found.models]) == ("interrupted", ["interrupted"])

    def test_a_stream_that_breaks_off(self, host: Host, index: VectorStoreIndex) -> None:
        response = engine_of(index, llm=BreaksOff()).query("q")
        with pytest.raises(TimeoutError):
            read(response)
        found = host.answer()
        assert (found.status, found.error) == ("error", "TimeoutError")
        assert [one.error for one in found.models] == ["TimeoutError"]

    def test_one_of_a_model_alone(self, host: Host, index: VectorStoreIndex) -> None:
        stream: Any = Settings.llm.stream_chat([ChatMessage(content="q")])
        next(stream)
        stream.close()
        found = host.answer()
        assert (found.status, [one.status for one in found.models]) == ("interrupted", ["interrupted"])

    def test_a_stream_after_one_that_was_left(self, host: Host, index: VectorStoreIndex) -> None:
        engine = engine_of(index)
        left = engine.query("a")
        read(engine.query("b"))
        assert left is not None
        assert [len(one.models) for one in host.answers()] == [0, 1]


class TestTheApplication:
    def test_gets_generators(self, host: Host, index: VectorStoreIndex) -> None:
        stream = engine_of(index).query("q").response_gen
        assert isinstance(stream, Iterator)
        assert not isinstance(stream, AsyncIterator)
        assert inspect.isgenerator(stream)
        states = [inspect.getgeneratorstate(stream)]
        next(stream)
        states.append(inspect.getgeneratorstate(stream))
        stream.close()
        states.append(inspect.getgeneratorstate(stream))
        assert states == [inspect.GEN_CREATED, inspect.GEN_SUSPENDED, inspect.GEN_CLOSED]

        async def ask() -> Any:
            return (await engine_of(index).aquery("q")).response_gen

        later = asyncio.run(ask())
        assert isinstance(later, AsyncIterator)
        assert not isinstance(later, Iterator)
        assert inspect.isasyncgen(later)

    def test_gets_no_token_sooner(self, host: Host, index: VectorStoreIndex) -> None:
        made: list[int] = []

        class Counts(Model):
            @llm_chat_callback()
            @override
            def stream_chat(self, messages: Any, **kwargs: Any) -> Any:
                def steps() -> Iterator[ChatResponse]:
                    for number in range(3):
                        made.append(number)
                        yield ChatResponse(message=ChatMessage(content="x"), delta="x")

                return steps()

        response = engine_of(index, llm=Counts()).query("q")
        assert made == []
        next(response.response_gen)
        assert made == [0]

    def test_what_it_builds_itself_is_left_alone(self, host: Host) -> None:
        tokens = iter(["a"])
        made = (token for token in ["a"])
        assert StreamingResponse(tokens).response_gen is tokens  # type: ignore[arg-type]  # no generator
        assert StreamingResponse(made).response_gen is made

    def test_threads_at_once(self, host: Host, index: VectorStoreIndex) -> None:
        engine = engine_of(index)
        responses = [engine.query(f"q{number}") for number in range(8)]
        threads = [threading.Thread(target=read, args=(one,)) for one in responses]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [(len(one.retrievals), len(one.models)) for one in host.answers()] == [(1, 1)] * 8
