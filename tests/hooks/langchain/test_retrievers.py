"""Retrievers that end in any way, call one another, and return what they like."""

from __future__ import annotations

import asyncio
import functools
import uuid
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import pytest
from langchain_chroma import Chroma
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableLambda
from langchain_core.vectorstores import InMemoryVectorStore
from typing_extensions import override

import datahub_llmops.hooks as lineage
from datahub_llmops.answers.given_documents import list_given
from hooks.parts import DOCUMENTS, Model, NamedEmbedding
from hooks.seen import Host


class Does(BaseRetriever):
    """A retriever that does what it is told."""

    what: Any

    @override
    def _get_relevant_documents(self, query: str, *, run_manager: Any = None, **kwargs: Any) -> Any:
        return self.what(query)

    @override
    async def _aget_relevant_documents(self, query: str, *, run_manager: Any = None, **kwargs: Any) -> Any:
        return await self.what(query)


@pytest.fixture
def store() -> InMemoryVectorStore:
    return InMemoryVectorStore.from_documents(DOCUMENTS, NamedEmbedding(size=8))


async def forever(query: str) -> Any:
    await asyncio.Event().wait()


async def cancelled() -> None:
    task = asyncio.create_task(Does(what=forever).ainvoke("q"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def timed_out() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await Does(what=forever).ainvoke("q")


async def one_of_a_group() -> None:
    async def fails() -> None:
        await asyncio.sleep(0)
        raise KeyError("x")

    with pytest.raises(ExceptionGroup):  # noqa: PT012 - the group has to end inside
        async with asyncio.TaskGroup() as group:
            group.create_task(Does(what=forever).ainvoke("q"))
            group.create_task(fails())


async def left_alone() -> None:
    coroutine = Does(what=forever).ainvoke("q")
    coroutine.send(None)
    coroutine.close()


class TestARetrieverThatNeverEnds:
    @pytest.mark.parametrize("how", [cancelled, timed_out, one_of_a_group, left_alone])
    def test_takes_nothing_that_comes_later(
        self, host: Host, store: InMemoryVectorStore, how: Callable[[], Any]
    ) -> None:
        async def run() -> None:
            async with lineage.answer():
                await how()
                assert len(await store.asimilarity_search("q", k=2)) == 2
                await Model().ainvoke("q")
            assert len(await store.asimilarity_search("q", k=1)) == 1

        asyncio.run(run())
        first, second = host.answers()
        stopped, searched = first.retrievals
        assert (stopped.status, stopped.index, stopped.chunks) == ("interrupted", None, ())
        assert (searched.status, len(searched.chunks)) == ("ok", 2)
        assert searched.index is not None
        assert len(first.models) == 1
        assert len(second.retrievals[0].chunks) == 1

    @pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit])
    def test_nor_one_that_is_interrupted(self, host: Host, store: InMemoryVectorStore, error: Any) -> None:
        def stop(query: str) -> Any:
            raise error

        with pytest.raises(error):
            Does(what=stop).invoke("q")
        for _ in range(2):
            with lineage.answer():
                store.similarity_search("q", k=2)
                Model().invoke("q")
        stopped, *others = host.answers()
        assert (stopped.status, stopped.retrievals[0].status) == ("interrupted", "interrupted")
        assert [(len(one.retrievals[0].chunks), len(one.models)) for one in others] == [(2, 1), (2, 1)]

    def test_a_task_that_it_has_begun_and_that_outlives_it_is_not_inside_it(
        self, host: Host, store: InMemoryVectorStore
    ) -> None:
        tasks = []

        async def begin(query: str) -> Any:
            async def later() -> None:
                await done.wait()
                await store.asimilarity_search("q", k=1)

            done = asyncio.Event()
            tasks.append((asyncio.create_task(later()), done))
            return []

        async def run() -> None:
            await Does(what=begin).ainvoke("q")
            task, done = tasks[0]
            done.set()
            await task

        asyncio.run(run())
        first, second = host.answers()
        assert (first.retrievals[0].index, first.retrievals[0].chunks) == (None, ())
        assert len(second.retrievals[0].chunks) == 1


def numbers() -> Iterator[Document]:
    yield Document("a")


class TestWhatItReturns:
    @pytest.mark.parametrize("returned", [None, [], (), {"documents": []}, "text"])
    def test_nothing_of_use(self, host: Host, store: InMemoryVectorStore, returned: Any) -> None:
        assert Does(what=lambda query: returned).invoke("q") is returned
        store.similarity_search("q", k=1)
        first, second = host.answers()
        assert (first.status, first.retrievals[0].status, first.retrievals[0].chunks) == ("ok", "ok", ())
        assert len(second.retrievals[0].chunks) == 1

    def test_an_iterator_is_left_to_the_application(self, host: Host) -> None:
        assert len(list(Does(what=lambda query: numbers()).invoke("q"))) == 1
        assert host.answer().retrievals[0].status == "ok"

    def test_other_things_among_the_documents(self, host: Host) -> None:
        found: list[Any] = [None, {"page_content": "a"}, Document("b", id="b"), "c"]
        assert Does(what=lambda query: found).invoke("q") is found
        assert [one.id for one in host.answer().retrievals[0].chunks] == ["b"]

    def test_ids_paths_and_numbers_of_other_types(self, host: Host) -> None:
        found = [
            Document(
                "a", metadata={"_id": uuid.UUID(int=5), "source": PurePosixPath("kb/a.md"), "page": 3.0}
            ),
            Document("b", metadata={"_id": np.int64(7), "source": np.str_("kb/b.md"), "page": np.int64(4)}),
            Document("c", metadata={"pk": 12, "source": "kb/c.md", "row": 2}),
            Document("d", metadata={"_id": object(), "source": "kb/d.md"}),
        ]
        Does(what=lambda query: found).invoke("q")
        chunks = host.answer().retrievals[0].chunks
        *known, unknown = [one.id for one in chunks]
        assert known == [str(uuid.UUID(int=5)), "7", "12"]
        assert str(unknown).startswith("hmac:")  # Of its text.
        assert [(one.source or {})["value"] for one in chunks] == [f"kb/{name}.md" for name in "abcd"]
        assert [one.place for one in chunks] == [{"page": 3}, {"page": 4}, {"row": 2}, {}]

    def test_documents_that_were_made_anew_have_no_scores_of_others(
        self, host: Host, store: InMemoryVectorStore
    ) -> None:
        def several(query: str) -> list[Document]:
            found = []
            for number in range(20):
                hits = store.similarity_search_with_score(query, k=2)
                texts = [one.page_content for one, _ in hits]
                del hits
                found += [Document(text, id=f"{number}-{text}") for text in texts]
            return found

        Does(what=several).invoke("q")
        assert {one.score for one in host.answer().retrievals[0].chunks} == {None}

    def test_the_same_documents_have_their_scores(self, host: Host, store: InMemoryVectorStore) -> None:
        def reversed_(query: str) -> list[Document]:
            return [one for one, _ in store.similarity_search_with_score(query, k=3)][::-1]

        Does(what=reversed_).invoke("q")
        scores = [one.score for one in host.answer().retrievals[0].chunks]
        assert None not in scores
        assert scores == sorted(scores)  # type: ignore[type-var]  # there is no None


class TestRetrieversInside:
    @pytest.mark.parametrize("passes_callbacks_on", [True, False])
    @pytest.mark.parametrize("where", ["alone", "in a block", "in a chain"])
    def test_a_document_is_given_once_with_the_index_that_found_it(
        self, host: Host, tmp_path: Any, where: str, passes_callbacks_on: bool
    ) -> None:
        chroma = Chroma.from_documents(
            DOCUMENTS, NamedEmbedding(size=8), collection_name="docs", persist_directory=str(tmp_path / "c")
        )

        class Corrects(BaseRetriever):
            inner: Any

            @override
            def _get_relevant_documents(self, query: str, *, run_manager: Any) -> list[Document]:
                config = {"callbacks": run_manager.get_child()} if passes_callbacks_on else None
                found: list[Document] = self.inner.invoke(query, config=config)[:1]
                return [
                    *found,
                    Document("from the web", id="web", metadata={"source": "https://example.org/w"}),
                ]

        retriever = Corrects(inner=chroma.as_retriever(search_kwargs={"k": 3}))
        if where == "alone":
            given = retriever.invoke("q")
        elif where == "in a block":
            with lineage.answer():
                given = retriever.invoke("q")
        else:
            step: RunnableLambda[str, Any] = RunnableLambda(lambda question: retriever.invoke(question))
            given = step.invoke("q")
        outer, inner = host.answer().retrievals
        assert (outer.composite, inner.within, len(inner.chunks)) == (True, 0, 3)
        found = list_given([outer, inner])
        assert [chunk.id for _, chunk in found] == [one.id for one in given]
        assert [one and (one.index or {})["collection"] for one, _ in found] == ["docs", None]

    def test_a_model_that_a_retriever_asks_is_a_part_of_the_answer(self, host: Host) -> None:
        def grade(query: str) -> list[Document]:
            Model().invoke(query)
            return []

        Does(what=grade).invoke("q")
        found = host.answer()
        assert (len(found.retrievals), len(found.models)) == (1, 1)


def test_a_decorator_may_hide_that_a_retriever_is_asynchronous(
    host: Host, store: InMemoryVectorStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.handle.detach()
    original = BaseRetriever.ainvoke

    @functools.wraps(original)
    def traced(self: Any, *args: Any, **kwargs: Any) -> Any:
        return original(self, *args, **kwargs)

    monkeypatch.setattr(BaseRetriever, "ainvoke", traced)
    lineage.attach("support-bot", store=host.path)
    assert len(asyncio.run(store.as_retriever(search_kwargs={"k": 2}).ainvoke("q"))) == 2
    [retrieval] = host.answer().retrievals
    assert retrieval.index is not None
    assert [one.score is not None for one in retrieval.chunks] == [True, True]
    host.handle.detach()


class TestASearchWithoutARetriever:
    @pytest.mark.parametrize("how", ["by position", "by name"])
    def test_has_its_k_and_the_question(self, host: Host, store: InMemoryVectorStore, how: str) -> None:
        lineage.attach("support-bot", store=host.path, capture_text=True)
        if how == "by position":
            store.similarity_search("How long?", 3)
        else:
            store.similarity_search(query="How long?", k=3)
        found = host.answer()
        assert (found.query_text, found.retrievals[0].retriever["k"]) == ("How long?", 3)


class TestTheQuestion:
    def test_is_that_of_the_user_and_not_of_the_retriever(
        self, host: Host, store: InMemoryVectorStore
    ) -> None:
        lineage.attach("support-bot", store=host.path, capture_text=True)
        retriever = store.as_retriever()

        def step(state: Any) -> Any:
            retriever.invoke("rephrased")
            return {"generation": "Five days.", **state}

        chain: RunnableLambda[Any, Any] = RunnableLambda(step)
        chain.invoke({"messages": [{"role": "user", "content": "How long?"}]})
        list(chain.stream({"question": "How long?"}))
        for found in host.answers():
            assert (found.query_text, found.answer_text) == ("How long?", "Five days.")

    def test_of_a_retriever_by_itself(self, host: Host, store: InMemoryVectorStore) -> None:
        lineage.attach("support-bot", store=host.path, capture_text=True)
        store.as_retriever().invoke("How long?")
        assert host.answer().query_text == "How long?"
