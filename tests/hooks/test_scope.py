"""Which answer the code belongs to that asks for it, and when it belongs to none."""

from __future__ import annotations

import asyncio
import contextvars
from typing import Any

import pytest
from langchain_core.runnables import RunnableLambda
from langchain_core.vectorstores import InMemoryVectorStore

import datahub_llmops.hooks as lineage
from hooks.parts import DOCUMENTS, Model, NamedEmbedding, rag
from hooks.seen import Host


@pytest.fixture
def chain() -> Any:
    return rag(InMemoryVectorStore.from_documents(DOCUMENTS, NamedEmbedding(size=8)))


def current() -> str | None:
    found = lineage.current_answer()
    return None if found is None else str(found.query)


class TestCurrentAnswer:
    def test_one_after_the_other(self, host: Host, chain: Any) -> None:
        for question in ("a", "b"):
            chain.invoke(question)
            assert current() == question

    def test_one_task_after_the_other(self, host: Host, chain: Any) -> None:
        async def run() -> list[str | None]:
            found = []
            for question in ("a", "b"):
                await chain.ainvoke(question)
                found.append(current())
            return found

        assert asyncio.run(run()) == ["a", "b"]

    @pytest.mark.parametrize(
        "ask",
        [
            lambda chain: asyncio.create_task(chain.ainvoke("b")),
            lambda chain: asyncio.gather(chain.ainvoke("b"), chain.ainvoke("c")),
            lambda chain: asyncio.to_thread(chain.invoke, "b"),
            lambda chain: chain.abatch(["b", "c"]),
        ],
    )
    def test_after_answers_that_were_made_elsewhere_it_is_none(
        self, host: Host, chain: Any, ask: Any
    ) -> None:
        async def run() -> str | None:
            await chain.ainvoke("a")
            assert current() == "a"
            await ask(chain)
            return current()

        assert asyncio.run(run()) is None
        assert {one.status for one in host.answers()} == {"ok"}

    def test_after_a_time_limit_it_is_its_own_or_none(self, host: Host, chain: Any) -> None:
        async def run() -> str | None:
            await chain.ainvoke("a")
            await asyncio.wait_for(chain.ainvoke("b"), 60)
            return current()

        assert asyncio.run(run()) in ("b", None)  # Python 3.12 waits in the same task.

    def test_after_a_batch_it_is_none(self, host: Host, chain: Any) -> None:
        chain.invoke("a")
        chain.batch(["b", "c"])
        assert current() is None

    def test_after_a_copied_context_it_is_none(self, host: Host, chain: Any) -> None:
        chain.invoke("a")
        contextvars.copy_context().run(chain.invoke, "b")
        assert current() is None

    def test_in_a_task_it_is_not_that_of_the_task_around_it(self, host: Host, chain: Any) -> None:
        async def run() -> str | None:
            await chain.ainvoke("a")

            async def later() -> str | None:
                return current()

            return await asyncio.create_task(later())

        assert asyncio.run(run()) is None

    def test_while_a_stream_is_read(self, host: Host, chain: Any) -> None:
        chain.invoke("a")
        ids = {lineage.current_answer() for _ in chain.stream("b")}
        assert len(ids) == 1
        assert ids == {lineage.current_answer()}
        assert current() == "b"

    def test_inside_a_step_of_a_chain(self, host: Host) -> None:
        seen: list[Any] = []

        def step(question: str) -> str:
            seen.append(lineage.current_answer())
            return str(Model().invoke(question).content)

        RunnableLambda(step).invoke("a")
        assert [one.id for one in seen] == [host.answer().id]


class TestInsideAnother:
    @pytest.mark.parametrize("kind", ["function", "coroutine", "generator", "asynchronous generator"])
    def test_a_decorated_function_is_a_part_of_it(self, host: Host, kind: str) -> None:
        @lineage.answer()
        def now() -> str:
            return str(Model().invoke("a").content)

        @lineage.answer()
        async def later() -> str:
            return str((await Model().ainvoke("a")).content)

        @lineage.answer()
        def steps() -> Any:
            yield Model().invoke("a").content

        @lineage.answer()
        async def later_steps() -> Any:
            yield (await Model().ainvoke("a")).content

        async def run() -> None:
            async with lineage.answer():
                if kind == "coroutine":
                    await later()
                else:
                    assert [one async for one in later_steps()] == ["forty two"]

        if kind in ("function", "generator"):
            with lineage.answer():
                assert now() if kind == "function" else list(steps())
        else:
            asyncio.run(run())
        assert len(host.answer().models) == 1

    def test_a_block_in_a_node_names_the_answer_of_the_graph(self, host: Host) -> None:
        ids = []

        def node(question: str) -> str:
            with lineage.answer() as answer:
                ids.append(answer.id)
                return str(Model().invoke(question).content)

        RunnableLambda(node).invoke("a")
        found = host.answer()
        assert ids == [found.id]
        assert len(found.models) == 1


def test_a_block_that_sampling_leaves_out_takes_nothing_with_it_that_outlives_it(host: Host) -> None:
    lineage.attach("support-bot", store=host.path, sample=0.0)
    with lineage.answer():
        context = contextvars.copy_context()
    lineage.attach("support-bot", store=host.path, sample=1.0)
    context.run(Model().invoke, "a")
    assert len(host.answer().models) == 1


def test_a_block_that_is_closed_in_another_context_leaves_the_block_there_in_force(host: Host) -> None:
    async def left_alone() -> None:
        async with lineage.answer():
            await asyncio.sleep(0)

    coroutine = left_alone()
    contextvars.copy_context().run(coroutine.send, None)
    with lineage.answer() as answer:
        coroutine.close()
        Model().invoke("a")
    assert [(one.id, len(one.models)) for one in host.answers() if one.models] == [(answer.id, 1)]


class TestWhatIsCounted:
    def counts(self, host: Host) -> tuple[int, int, int]:
        found = host.handle.stats()
        return found["answers_without_model"], found["models_without_answer"], found["late_parts"]

    def test_an_answer_that_is_whole(self, host: Host, chain: Any) -> None:
        chain.invoke("q")
        assert self.counts(host) == (0, 0, 0)

    def test_a_retrieval_and_a_model_that_do_not_find_each_other(self, host: Host) -> None:
        store = InMemoryVectorStore.from_documents(DOCUMENTS, NamedEmbedding(size=8))
        store.as_retriever().invoke("q")
        Model().invoke("q")
        assert self.counts(host) == (1, 1, 0)

    def test_a_part_that_comes_late(self, host: Host) -> None:
        async def run() -> None:
            ready = asyncio.Event()

            async def slow(question: str) -> str:
                await ready.wait()
                return question

            async with lineage.answer():
                task = asyncio.create_task(RunnableLambda(slow).ainvoke("a"))
                await asyncio.sleep(0)
            ready.set()
            await task

        asyncio.run(run())
        assert self.counts(host)[2] == 1
