"""Methods that somebody else has wrapped, cached or built otherwise stay what they are to the application."""

from __future__ import annotations

import asyncio
import functools
import gc
import pickle
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import wrapt
from langchain_core.retrievers import BaseRetriever
from langchain_core.vectorstores import InMemoryVectorStore
from typing_extensions import override

import datahub_llmops.hooks as lineage
from datahub_llmops.hooks import guard, patching
from hooks.parts import DOCUMENTS, NamedEmbedding
from hooks.seen import Host

Search = Callable[..., Any]


def by_wrapt(search: Search) -> Any:
    @wrapt.decorator
    def apm(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        assert isinstance(instance, InMemoryVectorStore)
        return wrapped(*args, **kwargs)

    return apm(search)


def by_wraps(search: Search) -> Any:
    @functools.wraps(search)
    def traced(*args: Any, **kwargs: Any) -> Any:
        return search(*args, **kwargs)

    return traced


def by_another_name(search: Search) -> Any:
    return lambda *args, **kwargs: search(*args, **kwargs)


def counting(search: Search) -> Any:
    @functools.wraps(search)
    def counted(*args: Any, **kwargs: Any) -> Any:
        counted.calls += 1  # type: ignore[attr-defined]  # set below
        return search(*args, **kwargs)

    counted.calls = 0  # type: ignore[attr-defined]  # as decorators do
    return counted


def in_a_descriptor(search: Search) -> Any:
    class Descriptor:
        def __get__(self, instance: Any, owner: Any) -> Any:
            return self if instance is None else functools.partial(search, instance)

    return Descriptor()


def single_dispatch(search: Search) -> Any:
    found = functools.singledispatchmethod(search)
    found.register(int, lambda self, number, k=4: search(self, str(number), k))
    return found


WAYS: dict[str, Callable[[Search], Any]] = {
    "wrapt": by_wrapt,
    "functools.wraps": by_wraps,
    "a function of another name": by_another_name,
    "a counter": counting,
    "functools.lru_cache": functools.lru_cache,
    "functools.cache": functools.cache,
    "functools.partialmethod": functools.partialmethod,
    "functools.singledispatchmethod": single_dispatch,
    "a descriptor": in_a_descriptor,
    "a property": lambda search: property(lambda self: functools.partial(search, self)),
}


def copied_from(function: Any) -> Callable[[Any], Any]:
    """As ``functools.wraps``, with no types."""
    return functools.wraps(function)


def cached(function: Any) -> Any:
    """As ``functools.lru_cache``, with no types."""
    return functools.lru_cache(function)


def search_once(make: Callable[[Search], Any]) -> tuple[Any, list[str]]:
    """Define a store with a method made in this way, fill it and search it."""

    def similarity_search(self: Any, query: str, k: int = 4) -> Any:
        return InMemoryVectorStore.similarity_search(self, query, k)

    kind: Any = type("Own", (InMemoryVectorStore,), {"similarity_search": make(similarity_search)})
    store = kind(NamedEmbedding(size=8))
    store.add_documents(DOCUMENTS)
    return store, [one.id for one in store.similarity_search("q", k=2)]


class TestAMethodOfAnotherKind:
    @pytest.mark.parametrize("way", WAYS)
    def test_gives_what_it_gives_without_hooks_and_is_recorded_once(self, way: str, tmp_path: Any) -> None:
        _, without = search_once(WAYS[way])
        handle = lineage.attach("support-bot", store=tmp_path / "answers.db")
        try:
            _, found = search_once(WAYS[way])
            [retrieval] = Host(handle, tmp_path / "answers.db").answer().retrievals
        finally:
            handle.detach()
        assert found == without
        assert [chunk.id for chunk in retrieval.chunks] == found

    def test_a_cache_can_be_asked_and_emptied_from_the_object_and_the_class(self, host: Host) -> None:
        store, _ = search_once(functools.lru_cache(maxsize=10))
        store.similarity_search("q", k=2)
        assert store.similarity_search.cache_info().hits == 1
        assert type(store).similarity_search.cache_info().currsize == 1
        store.similarity_search.cache_clear()
        assert type(store).similarity_search.cache_info().currsize == 0
        type(store).similarity_search.cache_clear()

    def test_a_counter_counts_and_can_be_set_back(self, host: Host) -> None:
        store, _ = search_once(counting)
        assert (store.similarity_search.calls, type(store).similarity_search.calls) == (1, 1)
        type(store).similarity_search.calls = 0
        store.similarity_search("q")
        assert store.similarity_search.calls == 1

    def test_single_dispatch_still_dispatches_and_registers(self, host: Host) -> None:
        store, found = search_once(single_dispatch)
        assert len(store.similarity_search(7, k=1)) == 1
        type(store).similarity_search.register(bytes, lambda self, query, k=4: found)
        assert store.similarity_search(b"q") == found

    def test_a_class_method_that_is_cached(self, host: Host) -> None:
        class Own(InMemoryVectorStore):
            from_texts = classmethod(functools.partial(InMemoryVectorStore.from_texts.__func__))  # type: ignore[attr-defined]  # an odd way on purpose

        assert type(Own.from_texts(["a"], NamedEmbedding(size=8))) is Own
        assert sum(one.counts["added"] for one in host.writes()) == 1

    def test_bound_methods_are_compared_hashed_shown_and_pickled_as_before(self, host: Host) -> None:
        store, _ = search_once(functools.lru_cache)
        bound = store.similarity_search
        assert bound == store.similarity_search
        assert hash(bound) == hash(store.similarity_search)
        assert bound.__self__ is store
        assert bound.__name__ == "similarity_search"
        assert "bound method" in repr(bound)
        vectors = InMemoryVectorStore(NamedEmbedding(size=8))
        assert pickle.loads(pickle.dumps(vectors.similarity_search)).__name__ == "similarity_search"

    def test_an_odd_attribute_does_not_keep_the_rest_of_a_class_from_being_seen(
        self, host: Host, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class Hostile:
            def __getattr__(self, name: str) -> Any:
                if name == "__isabstractmethod__" and armed:
                    raise RuntimeError(name)
                raise AttributeError(name)

        class Own:
            delete = None
            add_texts = Hostile()

            def similarity_search(self) -> None:
                return None

        def wrapped(function: Any) -> Any:
            return functools.wraps(function)(lambda self: "wrapped")

        armed = [1]
        monkeypatch.setattr(guard, "reraise", False)
        assert not patching.wrap(Own, "delete", wrapped)
        assert not patching.wrap(Own, "add_texts", wrapped)
        assert patching.wrap(Own, "similarity_search", wrapped)
        assert Own().similarity_search() == "wrapped"  # type: ignore[func-returns-value]  # as it is now
        assert guard.errors == {"patching.wrap": 1}


class TestAsynchronousMethods:
    @pytest.mark.parametrize("hidden", [False, True])
    def test_a_coroutine_function_may_be_hidden_by_a_decorator(self, host: Host, hidden: bool) -> None:
        def decorate(function: Any) -> Any:
            return by_wraps(function) if hidden else by_wrapt(function)

        class Own(InMemoryVectorStore):
            @override
            @decorate
            async def asimilarity_search(self, query: str, k: int = 4, **kwargs: Any) -> Any:
                await asyncio.sleep(0)
                return await super().asimilarity_search(query, k, **kwargs)

        store = Own(NamedEmbedding(size=8))
        store.add_documents(DOCUMENTS)
        assert len(asyncio.run(store.asimilarity_search("q", k=3))) == 3
        [retrieval] = host.answer().retrievals
        assert len(retrieval.chunks) == 3


class TestBesideAnotherTool:
    @pytest.mark.parametrize("first", ["the hooks", "the other tool"])
    def test_both_see_each_call_whoever_was_first(self, tmp_path: Any, first: str) -> None:
        class Own(InMemoryVectorStore):
            @override
            def similarity_search(self, query: str, k: int = 4, **kwargs: Any) -> Any:
                return super().similarity_search(query, k, **kwargs)

        class Finds(BaseRetriever):
            store: Any

            @override
            def _get_relevant_documents(self, query: str, **kwargs: Any) -> Any:
                return self.store.similarity_search(query, k=1)

            @override
            def invoke(self, *args: Any, **kwargs: Any) -> Any:
                return super().invoke(*args, **kwargs)

        seen: list[str] = []

        def apm(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
            seen.append(f"{type(instance).__name__}.{wrapped.__name__}")
            return wrapped(*args, **kwargs)

        def wrap_all() -> None:
            wrapt.wrap_function_wrapper(Own, "similarity_search", apm)
            wrapt.wrap_function_wrapper(Own, "from_documents", apm)
            wrapt.wrap_function_wrapper(Finds, "invoke", apm)

        path = tmp_path / "answers.db"
        if first == "the other tool":
            wrap_all()
        handle = lineage.attach("support-bot", store=path)
        if first == "the hooks":
            wrap_all()
        store = Own.from_documents(DOCUMENTS, NamedEmbedding(size=8))
        Finds(store=store).invoke("q")
        store.similarity_search("q", k=2)
        found = Host(handle, path).answers()
        handle.detach()
        store.similarity_search("q", k=2)
        assert [(len(one.retrievals), len(one.retrievals[0].chunks)) for one in found] == [(1, 1), (1, 2)]
        assert found[0].retrievals[0].retriever["class"].endswith("Finds")
        assert seen == [
            "type.from_documents" if seen[0].startswith("type") else seen[0],
            "Finds.invoke",
            "Own.similarity_search",
            "Own.similarity_search",
            "Own.similarity_search",
        ]

    def test_detaching_leaves_what_another_tool_has_put_on_top(self, host: Host) -> None:
        class Own(InMemoryVectorStore):
            @override
            def similarity_search(self, query: str, k: int = 4, **kwargs: Any) -> Any:
                return super().similarity_search(query, k, **kwargs)

        wrapt.wrap_function_wrapper(Own, "similarity_search", lambda wrapped, _, args, kwargs: wrapped(*args))
        on_top = vars(Own)["similarity_search"]
        host.handle.detach()
        assert vars(Own)["similarity_search"] is on_top

    def test_a_copy_of_our_mark_is_no_wrapper_of_ours(self, host: Host) -> None:
        class Own(InMemoryVectorStore):
            @override
            @copied_from(InMemoryVectorStore.similarity_search)
            def similarity_search(self, query: str, k: int = 4, **kwargs: Any) -> Any:
                return DOCUMENTS[:k]

        assert len(Own(NamedEmbedding(size=8)).similarity_search("q", k=2)) == 2
        assert len(host.answer().retrievals[0].chunks) == 2


def test_what_is_restored_is_what_was_there(host: Host) -> None:
    class Own(InMemoryVectorStore):
        @override
        @cached
        def similarity_search(self, query: str, k: int = 4) -> Any:
            return []

    original = Own.similarity_search
    assert vars(Own)["similarity_search"] is not original
    host.handle.detach()
    assert vars(Own)["similarity_search"] is original


def test_classes_that_are_defined_again_and_again_are_freed(host: Host) -> None:
    def script() -> list[weakref.ref[Any]]:
        lineage.attach("support-bot", store=host.path)

        class Own(InMemoryVectorStore):
            @override
            @cached
            def similarity_search(self, query: str, k: int = 4) -> Any:
                return super().similarity_search(query, k)

        class Finds(BaseRetriever):
            store: Any

            @override
            def _get_relevant_documents(self, query: str, **kwargs: Any) -> Any:
                return self.store.similarity_search(query, k=1)

            @override
            def invoke(self, *args: Any, **kwargs: Any) -> Any:
                return super().invoke(*args, **kwargs)

        store = Own(NamedEmbedding(size=8))
        store.add_documents(DOCUMENTS)
        assert len(Finds(store=store).invoke("q")) == 1
        store.own_retriever = store.as_retriever()  # type: ignore[attr-defined]  # a store may hold its retriever
        assert store.own_retriever.invoke("q")  # type: ignore[attr-defined]  # as above
        return [weakref.ref(Own), weakref.ref(Finds)]

    gc.collect()
    before = len(patching._owners)
    made = [ref for _ in range(5) for ref in script()]
    assert host.handle.flush(10)
    gc.collect()
    assert [ref() for ref in made] == [None] * 10
    assert len(patching._owners) <= before
