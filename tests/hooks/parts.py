"""Parts of applications: models that say tokens and names as providers do, documents, chains."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import Runnable, RunnablePassthrough
from langchain_core.vectorstores import InMemoryVectorStore, VectorStore
from typing_extensions import override

__all__ = [
    "DOCUMENTS",
    "PROMPT",
    "InMemoryVectorStore",
    "Model",
    "NamedEmbedding",
    "Overloaded",
    "joined",
    "rag",
]
USAGE = {
    "input_tokens": 30,
    "output_tokens": 5,
    "total_tokens": 35,
    "input_token_details": {"cache_read": 10},
    "output_token_details": {"reasoning": 2},
}


class NamedEmbedding(DeterministicFakeEmbedding):
    """Embeddings that know their model, as OpenAI's do."""

    model: str = "text-embedding-3-small"


class Model(BaseChatModel):
    """Answers ``text``; asked as ``model_name``, served by another, with tokens."""

    model_name: str = "gpt-test"
    text: str = "forty two"
    fail: bool = False

    @property
    @override
    def _llm_type(self) -> str:
        return "test-model"

    @override
    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> Any:
        return {
            **super()._get_ls_params(stop=stop, **kwargs),
            "ls_provider": "openai",
            "ls_model_name": self.model_name,
        }

    @override
    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        if self.fail:
            raise Overloaded("planted secret in a message")
        message = AIMessage(
            self.text,
            usage_metadata=USAGE,
            response_metadata={"model_name": f"{self.model_name}-2026-01"},
        )
        return ChatResult(generations=[ChatGeneration(message=message)])

    @override
    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        for word in self.text.split(" "):
            chunk = ChatGenerationChunk(message=AIMessageChunk(content=word + " "))
            if run_manager is not None:
                run_manager.on_llm_new_token(word, chunk=chunk)
            yield chunk

    @override
    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
        return self


class Overloaded(Exception):
    """As a provider raises it."""

    status_code = 529


DOCUMENTS = [
    Document(
        f"text {number}",
        id=f"chunk-{number}",
        metadata={"source": f"s3://papers/{number}.pdf", "page": number},
    )
    for number in range(4)
]
PROMPT = ChatPromptTemplate.from_messages([("system", "Use: {context}"), ("human", "{question}")])


def joined(documents: list[Document]) -> str:
    """What a chain does with what it found."""
    return "\n".join(document.page_content for document in documents)


def rag(store: VectorStore, model: BaseChatModel | None = None) -> Runnable[str, BaseMessage]:
    """The chain of nine runs."""
    retriever = store.as_retriever(search_kwargs={"k": 2})
    return {"context": retriever | joined, "question": RunnablePassthrough()} | PROMPT | (model or Model())
