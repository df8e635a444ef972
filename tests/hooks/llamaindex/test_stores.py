"""What is written to LlamaIndex's indexes; a model that is asked meanwhile makes no answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from llama_index.core import (
    Document,
    DocumentSummaryIndex,
    KnowledgeGraphIndex,
    MockEmbedding,
    PropertyGraphIndex,
    Settings,
    TreeIndex,
    VectorStoreIndex,
)
from llama_index.core.extractors import SummaryExtractor, TitleExtractor
from llama_index.core.indices.property_graph import SimpleLLMPathExtractor
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.schema import TransformComponent
from typing_extensions import override

import datahub_llmops.hooks as lineage
from hooks.llamaindex.test_handlers import DOCUMENTS, Model
from hooks.seen import Host


class Enriches(TransformComponent):
    """A step of one's own that asks models, one of them LangChain's."""

    @override
    def __call__(self, nodes: Any, **kwargs: Any) -> Any:
        from hooks.parts import Model as LangChainModel

        for node in nodes:
            node.metadata["about"] = Model().complete(node.text).text
            LangChainModel().invoke(node.text)
        return nodes


def later(documents: list[Document]) -> object:
    steps: list[Any] = [SentenceSplitter(), TitleExtractor(llm=Model()), SummaryExtractor(llm=Model())]
    return asyncio.run(IngestionPipeline(transformations=steps).arun(documents=documents))


BUILDS: dict[str, Callable[[list[Document]], object]] = {
    "summaries": lambda documents: DocumentSummaryIndex.from_documents(documents),
    "property graph": lambda documents: PropertyGraphIndex.from_documents(
        documents, kg_extractors=[SimpleLLMPathExtractor(llm=Model())]
    ),
    "knowledge graph": lambda documents: KnowledgeGraphIndex.from_documents(documents),
    "tree": lambda documents: TreeIndex.from_documents(documents, num_children=2),
    "extractors": lambda documents: VectorStoreIndex.from_documents(
        documents, transformations=[TitleExtractor(llm=Model())]
    ),
    "pipeline": lambda documents: IngestionPipeline(transformations=[Enriches()]).run(documents=documents),
    "pipeline, async": later,
    "inserted": lambda documents: DocumentSummaryIndex.from_documents([]).insert(documents[0]),
    "refreshed": lambda documents: DocumentSummaryIndex.from_documents([]).refresh_ref_docs(documents),
}


@pytest.fixture(autouse=True)
def _models() -> None:
    Settings.embed_model, Settings.llm = MockEmbedding(8, model_name="embed-test"), Model()


def assert_no_answer(host: Host) -> None:
    """Only what is asked now is one."""
    Model().complete("q")
    assert [one.root for one in host.answers()] == ["Model.complete"]


class TestBuilding:
    @pytest.mark.parametrize("how", BUILDS)
    def test_an_index_by_a_model_is_no_answer(self, host: Host, how: str) -> None:
        BUILDS[how](DOCUMENTS)
        assert_no_answer(host)

    def test_a_job_that_asks_a_model_is_no_answer(self, host: Host) -> None:
        with lineage.job("nightly"):
            Model().complete("summarise this")
        assert_no_answer(host)

    def test_what_is_asked_afterwards_is_one(self, host: Host) -> None:
        index = DocumentSummaryIndex.from_documents(DOCUMENTS)
        index.as_query_engine().query("q")
        assert len(host.answer().retrievals) == 1

    def test_inside_an_answer_it_is_a_part_of_it(self, host: Host) -> None:
        with lineage.answer():
            DocumentSummaryIndex.from_documents(DOCUMENTS).as_query_engine().query("q")
        assert len(host.answer().models) > 1
