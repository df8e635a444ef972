"""The demo's application. It answers three questions over the collection with LangChain, one with LlamaIndex too.

``attach`` makes its answers traceable. ``lineage.answer()`` joins the parts of each answer. OpenInference traces them
once more, as in many applications.

    python examples/demo/ask.py demo/chroma demo/answers.db
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from langchain_core.prompts import ChatPromptTemplate
from llama_index.core import PromptTemplate, VectorStoreIndex
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.llms import CompletionResponse, CompletionResponseGen, CustomLLM, LLMMetadata
from llama_index.core.llms.callbacks import llm_completion_callback
from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import NodeWithScore, QueryBundle
from llama_index.vector_stores.chroma import ChromaVectorStore
from stand_ins import MODEL, TEMPLATE, ChatStandIn, HashingEmbeddings, KnowledgeBase, knowledge_base, quote
from tracing import trace_into
from typing_extensions import override

import datahub_llmops.hooks as lineage

QUESTIONS = (
    "How do I wrap a single paragraph of text, returning a list of wrapped lines?",
    "How do I return a random integer in a range, including both end points?",
    "How do I return a shell-escaped version of a string?",
)
PASSAGES = 2
PROMPT = {"prompt_name": "answer-from-docs", "prompt_version": "1"}


def with_langchain(base: KnowledgeBase, question: str) -> tuple[str, str]:
    """Return the id of the answer, and the answer."""
    retriever = base.langchain.as_retriever(search_kwargs={"k": PASSAGES})
    prompt = ChatPromptTemplate.from_template(TEMPLATE)
    prompt.metadata = PROMPT
    with lineage.answer() as answer:
        passages = "\n\n".join(found.page_content for found in retriever.invoke(question))
        message = ChatStandIn().invoke(prompt.invoke({"context": passages, "question": question}))
    return answer.id, str(message.content)


class TextOnly(BaseNodePostprocessor):
    """Keeps the payload out of the prompt. By default LlamaIndex writes it before each passage."""

    @override
    def _postprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        for found in nodes:
            found.node.excluded_llm_metadata_keys = [*found.node.metadata]
        return nodes


class HashedByLlamaIndex(BaseEmbedding):
    """The stand-in embedding with the interface of LlamaIndex."""

    @override
    def _get_query_embedding(self, query: str) -> list[float]:
        return HashingEmbeddings().embed_query(query)

    @override
    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_query_embedding(query)

    @override
    def _get_text_embedding(self, text: str) -> list[float]:
        return self._get_query_embedding(text)


class QuotedByLlamaIndex(CustomLLM):
    """The stand-in model with the interface of LlamaIndex."""

    @property
    @override
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(model_name=MODEL)

    @llm_completion_callback()
    @override
    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        return CompletionResponse(text=quote(prompt))

    @llm_completion_callback()
    @override
    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseGen:
        yield CompletionResponse(text=quote(prompt))


def with_llamaindex(base: KnowledgeBase, question: str) -> tuple[str, str]:
    """Answer with a LlamaIndex query engine over the same collection, prompt and stand-ins. A query is one answer.

    Its prompt has no name: the text is a copy in the code. The catalog recognises it by its digest.
    """
    store = ChromaVectorStore(chroma_collection=base.collection)
    engine = VectorStoreIndex.from_vector_store(store, embed_model=HashedByLlamaIndex()).as_query_engine(
        llm=QuotedByLlamaIndex(),
        similarity_top_k=PASSAGES,
        node_postprocessors=[TextOnly()],
        text_qa_template=PromptTemplate(
            TEMPLATE, template_var_mappings={"context_str": "context", "query_str": "question"}
        ),
    )
    response = engine.query(question)
    current = lineage.current_answer()
    return current.id if current else "", str(response)


def main() -> None:
    if len(sys.argv) != 3:
        sys.exit("usage: python examples/demo/ask.py CHROMA_FOLDER ANSWER_STORE")
    folder, answers = sys.argv[1:]
    tracer = trace_into(Path(answers).parent / "spans" / "traces.proto", "docs-bot")
    handle = lineage.attach(application="docs-bot", version="1", store=answers, source_keys="clear")
    base = knowledge_base(folder)
    asked = [*((with_langchain, question) for question in QUESTIONS), (with_llamaindex, QUESTIONS[0])]
    for ask, question in asked:
        with tracer.start_as_current_span("answer", attributes={"openinference.span.kind": "CHAIN"}):
            name, text = ask(base, question)
        print(f"\n{question} ({ask.__name__.replace('_', ' ')})\n  {text}\n  answer {name}", flush=True)
    handle.flush()


if __name__ == "__main__":
    main()
