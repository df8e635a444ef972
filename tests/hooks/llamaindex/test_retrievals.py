"""What LlamaIndex's retrievers found, and what of it their caller was given."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from llama_index.core import MockEmbedding, PropertyGraphIndex, Settings, StorageContext, VectorStoreIndex
from llama_index.core.indices.property_graph import (
    ImplicitPathExtractor,
    LLMSynonymRetriever,
    VectorContextRetriever,
)
from llama_index.core.llms import MockLLM
from llama_index.core.postprocessor import LLMRerank, SimilarityPostprocessor
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.retrievers import AutoMergingRetriever, BaseRetriever
from llama_index.core.schema import NodeRelationship, NodeWithScore, TextNode
from typing_extensions import override

import datahub_llmops.hooks as lineage
from hooks.llamaindex.test_handlers import DOCUMENTS, Model
from hooks.llamaindex.test_streams import Chooses
from hooks.seen import Host


@pytest.fixture
def index(host: Host) -> VectorStoreIndex:
    Settings.embed_model, Settings.llm = MockEmbedding(8), Chooses()
    return VectorStoreIndex.from_documents(DOCUMENTS)


class TestPostprocessors:
    @pytest.mark.parametrize("later", [False, True], ids=["sync", "async"])
    def test_what_they_leave_is_what_the_caller_is_given(
        self, host: Host, index: VectorStoreIndex, later: bool
    ) -> None:
        engine = index.as_query_engine(similarity_top_k=3, node_postprocessors=[LLMRerank(top_n=1)])
        response: Any = asyncio.run(engine.aquery("q")) if later else engine.query("q")
        [retrieval] = host.answer().retrievals
        assert [chunk.id for chunk in retrieval.chunks] == [one.node_id for one in response.source_nodes]
        assert len(retrieval.chunks) == 1
        assert retrieval.retriever["reranker"] == "llama_index.LLMRerank"

    def test_nothing(self, host: Host, index: VectorStoreIndex) -> None:
        cutoff = SimilarityPostprocessor(similarity_cutoff=2.0)
        index.as_query_engine(node_postprocessors=[cutoff]).query("q")
        found = host.answer()
        assert found.retrievals[0].chunks == ()
        assert found.models == ()

    def test_one_after_the_other(self, host: Host, index: VectorStoreIndex) -> None:
        chain: list[Any] = [SimilarityPostprocessor(similarity_cutoff=0.1), LLMRerank(top_n=1)]
        index.as_query_engine(similarity_top_k=3, node_postprocessors=chain).query("q")
        assert [len(one.chunks) for one in host.answer().retrievals] == [1]

    def test_called_by_itself_it_is_no_answer(self, host: Host, index: VectorStoreIndex) -> None:
        nodes = index.as_retriever().retrieve("q")
        SimilarityPostprocessor(similarity_cutoff=2.0).postprocess_nodes(nodes)
        assert [len(one.retrievals) for one in host.answers()] == [1]


class TestComposites:
    def test_nodes_that_were_merged_are_of_the_index(self, host: Host, index: VectorStoreIndex) -> None:
        parent = TextNode(text="both", id_="parent")
        children = [TextNode(text=text, id_=text) for text in ("one", "two")]
        for child in children:
            child.relationships[NodeRelationship.PARENT] = parent.as_related_node_info()
        parent.relationships[NodeRelationship.CHILD] = [one.as_related_node_info() for one in children]
        storage = StorageContext.from_defaults()
        storage.docstore.add_documents([parent, *children])
        leaves: Any = VectorStoreIndex(children, storage_context=storage).as_retriever(similarity_top_k=2)
        RetrieverQueryEngine.from_args(AutoMergingRetriever(leaves, storage, verbose=False)).query("q")
        found = host.answer()
        outer, inner = found.retrievals
        assert [chunk.id for chunk in outer.chunks] == ["parent"]
        assert (outer.index, outer.composite, len(inner.chunks)) == (inner.index, True, 2)

    def test_documents_that_were_dropped_and_added(self, host: Host, index: VectorStoreIndex) -> None:
        class Own(BaseRetriever):
            @override
            def _retrieve(self, query_bundle: Any) -> list[NodeWithScore]:
                added = TextNode(text="web", id_="web", metadata={"source": "https://example.org/web"})
                return [
                    *index.as_retriever().retrieve(query_bundle)[:1],
                    NodeWithScore(node=added, score=1.0),
                ]

        given = [one.node_id for one in Own().retrieve("q")]
        outer, inner = host.answer().retrievals
        assert [chunk.id for chunk in outer.chunks] == given
        assert (outer.composite, inner.within, len(inner.chunks)) == (True, 0, 2)

    def test_nodes_that_cannot_be_read_leave_the_answer_whole(
        self, host: Host, index: VectorStoreIndex, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from datahub_llmops.hooks import guard

        class Odd(BaseRetriever):
            @override
            def _retrieve(self, query_bundle: Any) -> Any:
                return []

            @override
            def _handle_recursive_retrieval(self, query_bundle: Any, nodes: Any) -> Any:
                return [object()]

        monkeypatch.setattr(guard, "reraise", False)
        monkeypatch.setattr(
            "llama_index.core.base.base_retriever.RetrievalEndEvent", lambda **kwargs: TextNode(text="")
        )
        Odd().retrieve("q")
        Model().complete("q")
        first, _ = host.answers()
        assert (first.status, [one.status for one in first.retrievals]) == ("ok", ["ok"])


class TestQuestions:
    @pytest.mark.parametrize("later", [False, True], ids=["sync", "async"])
    @pytest.mark.parametrize("how", ["all", "synonyms", "vectors"])
    def test_of_a_property_graph(self, host: Host, how: str, later: bool) -> None:
        Settings.embed_model, Settings.llm = MockEmbedding(8), MockLLM()
        index = PropertyGraphIndex.from_documents(DOCUMENTS, kg_extractors=[ImplicitPathExtractor()])
        graph = index.property_graph_store
        retriever: Any = {
            "all": index.as_retriever(),
            "synonyms": LLMSynonymRetriever(graph),
            "vectors": VectorContextRetriever(graph, vector_store=index.vector_store),
        }[how]
        lineage.attach("support-bot", store=host.path, capture_text=True)
        asyncio.run(retriever.aretrieve("how?")) if later else retriever.retrieve("how?")
        assert host.answer().query_text == "how?"
