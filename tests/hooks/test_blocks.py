"""``with lineage.answer()`` in generators, tasks and threads: membership ends with the block."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from langchain_core.runnables import RunnableLambda
from langchain_core.vectorstores import InMemoryVectorStore

import datahub_llmops.hooks as lineage
from hooks.parts import DOCUMENTS, Model, NamedEmbedding
from hooks.seen import Host


@pytest.fixture
def retriever() -> Any:
    store = InMemoryVectorStore.from_documents(DOCUMENTS, NamedEmbedding(size=8))
    return store.as_retriever(search_kwargs={"k": 1})


def stream(retriever: Any, question: str) -> Generator[str, None, None]:
    """What a web application gives its server to read."""
    with lineage.answer():
        yield retriever.invoke(question)[0].page_content
        yield str(Model().invoke(question).content)


async def stream_later(retriever: Any, question: str) -> AsyncGenerator[str, None]:
    async with lineage.answer():
        yield (await retriever.ainvoke(question))[0].page_content
        yield str((await Model().ainvoke(question)).content)


def parts(host: Host) -> list[tuple[int, int]]:
    """Retrievals and model calls of each answer."""
    return [(len(one.retrievals), len(one.models)) for one in host.answers()]


class TestGenerators:
    def test_read_at_once(self, host: Host, retriever: Any) -> None:
        assert len(list(stream(retriever, "q"))) == 2
        assert parts(host) == [(1, 1)]

    def test_each_step_in_a_context_and_thread_of_its_own(self, host: Host, retriever: Any) -> None:
        # This is how Starlette reads a plain generator.
        steps = stream(retriever, "q")
        read: list[str] = []
        while True:
            with ThreadPoolExecutor(1) as pool:
                context = contextvars.copy_context()
                token = pool.submit(context.run, lambda: next(steps, "")).result()
            if not token:
                break
            read.append(token)
        assert len(read) == 2
        assert parts(host) == [(1, 1)]

    def test_two_that_are_read_in_turn(self, host: Host, retriever: Any) -> None:
        assert len(list(zip(stream(retriever, "a"), stream(retriever, "b"), strict=True))) == 2
        assert parts(host) == [(1, 1)] * 2

    def test_what_the_consumer_does_between_two_steps_is_not_in_it(self, host: Host, retriever: Any) -> None:
        for _ in stream(retriever, "q"):
            Model().invoke("of the consumer")
        assert sorted(parts(host)) == [(0, 1), (0, 1), (1, 1)]

    def test_one_that_is_left_alone(self, host: Host, retriever: Any) -> None:
        left = stream(retriever, "a")
        next(left)
        with lineage.answer():
            retriever.invoke("b")
        Model().invoke("c")
        left.close()
        assert sorted(parts(host)) == [(0, 1), (1, 0), (1, 0)]

    def test_inside_a_block_it_is_a_part_of_it(self, host: Host, retriever: Any) -> None:
        with lineage.answer():
            assert len(list(stream(retriever, "a"))) == 2
            Model().invoke("b")
        assert parts(host) == [(1, 2)]

    def test_that_fail(self, host: Host, retriever: Any) -> None:
        def fails() -> Iterator[str]:
            with lineage.answer():
                yield retriever.invoke("q")[0].page_content
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            list(fails())
        found = host.answer()
        assert (found.status, found.error) == ("error", "ZeroDivisionError")

    def test_asynchronous_ones_in_turn(self, host: Host, retriever: Any) -> None:
        async def read() -> None:
            first, second = stream_later(retriever, "a"), stream_later(retriever, "b")
            for _ in range(2):
                await anext(first)
                await anext(second)
                await Model().ainvoke("of the consumer")
            await first.aclose()
            await second.aclose()

        asyncio.run(read())
        assert sorted(parts(host)) == [(0, 1), (0, 1), (1, 1), (1, 1)]

    def test_each_step_in_a_task_of_its_own(self, host: Host, retriever: Any) -> None:
        async def read() -> list[str]:
            steps = stream_later(retriever, "q")
            return [await asyncio.create_task(anext(steps)) for _ in range(2)]

        assert len(asyncio.run(read())) == 2
        assert parts(host) == [(1, 1)]

    def test_tasks_that_a_step_begins(self, host: Host, retriever: Any) -> None:
        async def steps() -> AsyncIterator[str]:
            async with lineage.answer():
                yield (await retriever.ainvoke("q"))[0].page_content
                for message in await asyncio.gather(Model().ainvoke("a"), Model().ainvoke("b")):
                    yield str(message.content)

        async def read() -> list[str]:
            return [token async for token in steps()]

        assert len(asyncio.run(read())) == 3
        assert parts(host) == [(1, 2)]

    def test_threads_that_a_step_begins(self, host: Host, retriever: Any) -> None:
        def steps() -> Iterator[int]:
            with lineage.answer():
                retriever.invoke("q")
                context = contextvars.copy_context()
                with ThreadPoolExecutor(1) as pool:
                    pool.submit(context.run, Model().invoke, "q").result()
                yield 1

        list(steps())
        assert parts(host) == [(1, 1)]

    def test_one_that_was_begun_before_the_block_of_its_consumer(self, host: Host, retriever: Any) -> None:
        steps = stream(retriever, "a")
        next(steps)
        with lineage.answer():
            assert len(list(steps)) == 1
            retriever.invoke("b")
        assert sorted(parts(host)) == [(1, 0), (1, 1)]

    def test_the_application_of_a_generator_is_not_that_of_its_consumer(self, host: Host) -> None:
        def steps() -> Iterator[str]:
            with lineage.application("billing-bot"):
                yield str(Model().invoke("a").content)
                yield str(Model().invoke("b").content)

        for _ in steps():
            Model().invoke("of the consumer")
        assert [one.application for one in host.answers()] == ["billing-bot", "support-bot"] * 2


class TestContextManagers:
    def test_of_ones_own(self, host: Host, retriever: Any) -> None:
        @contextlib.contextmanager
        def request() -> Iterator[lineage.Answer]:
            with lineage.answer() as answer:
                yield answer

        with request() as answer:
            retriever.invoke("q")
            Model().invoke("q")
        assert host.answer().id == answer.id
        assert parts(host) == [(1, 1)]

    def test_asynchronous_ones(self, host: Host, retriever: Any) -> None:
        @contextlib.asynccontextmanager
        async def request() -> AsyncIterator[lineage.Answer]:
            async with lineage.answer() as answer:
                yield answer

        async def run() -> None:
            async with request():
                await retriever.ainvoke("q")
                await Model().ainvoke("q")

        asyncio.run(run())
        assert parts(host) == [(1, 1)]


class TestMembership:
    def test_ends_with_the_block(self, host: Host, retriever: Any) -> None:
        with lineage.answer():
            retriever.invoke("a")
            context = contextvars.copy_context()
        context.run(Model().invoke, "later")
        assert parts(host) == [(1, 0), (0, 1)]

    def test_a_worker_that_the_first_request_begins(self, host: Host, retriever: Any) -> None:
        async def serve(queue: asyncio.Queue[Any]) -> None:
            while True:
                question, done = await queue.get()
                done.set_result(await Model().ainvoke(question))

        async def run() -> None:
            queue: asyncio.Queue[Any] = asyncio.Queue()
            workers: list[asyncio.Task[None]] = []

            async def request(number: int) -> None:
                async with lineage.answer():
                    await retriever.ainvoke(f"q{number}")
                    if not workers:
                        workers.append(asyncio.create_task(serve(queue)))
                    done = asyncio.get_running_loop().create_future()
                    await queue.put((f"k{number}", done))
                    await done

            for number in range(2):
                await asyncio.create_task(request(number))
            workers[0].cancel()

        asyncio.run(run())
        # Nothing says for whom a worker works after the first request: it is never somebody else's.
        assert parts(host) == [(1, 1), (1, 0), (0, 1)]

    @pytest.mark.parametrize("make", [lambda call: RunnableLambda(call)])
    def test_inside_a_chain_it_is_the_answer_of_the_chain(
        self, host: Host, retriever: Any, make: Callable[[Any], Any]
    ) -> None:
        ids = []

        def step(question: str) -> str:
            with lineage.answer() as answer:
                ids.append(answer.id)
                return str(retriever.invoke(question)[0].page_content)

        (make(step) | Model()).invoke("q")
        found = host.answer()
        assert ids == [found.id]
        assert parts(host) == [(1, 1)]
