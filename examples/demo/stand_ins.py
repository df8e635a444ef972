"""Stand-ins for your own models in the demo. They need no key, network or download, and always give the same results.

The embedding hashes words, so it finds texts that share words, not texts that share a meaning. The model only quotes,
and says so. The job and the application also open the demo's collection here.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import chromadb
from chromadb.config import Settings
from langchain_chroma import Chroma
from langchain_core.embeddings import Embeddings
from langchain_core.language_models import LangSmithParams, SimpleChatModel
from langchain_core.messages import BaseMessage
from typing_extensions import override

COLLECTION = "docs"
DIMENSIONS = 256
MODEL = "first-passage"
TEMPLATE = """\
Answer from these passages of the documentation:

{context}

Question: {question}"""
"""The prompt of the demo's application."""


class HashingEmbeddings(Embeddings):
    """Replaces the user's model: it counts words in ``DIMENSIONS`` signed buckets, at unit length."""

    @override
    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [self.embed_query(text) for text in texts]

    @override
    def embed_query(self, text: str) -> list[float]:
        vector = [0.0] * DIMENSIONS
        for word in re.findall(r"\w+", text.lower()):
            code = crc32(word.encode())
            vector[code % DIMENSIONS] += 1.0 if code & 0x80000000 else -1.0
        length = math.sqrt(sum(value * value for value in vector)) or 1.0
        return [value / length for value in vector]


def quote(prompt: str) -> str:
    """Answer a filled ``TEMPLATE`` with the first sentence of the first passage."""
    passage = prompt.partition("\n\n")[2]
    sentence = re.split(r"(?<=[.:])\s|\n\n", passage.strip(), maxsplit=1)[0]
    return f"[a stand-in for a model, which quotes] {' '.join(sentence.split())}"


class ChatStandIn(SimpleChatModel):
    """The stand-in model with the interface of LangChain."""

    model: str = MODEL

    @property
    @override
    def _llm_type(self) -> str:
        return "stand-in"

    @override
    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        return {**super()._get_ls_params(stop, **kwargs), "ls_provider": "custom"}

    @override
    def _call(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: Any = None,
        **kwargs: Any,
    ) -> str:
        return quote(str(messages[-1].content))


@dataclass(frozen=True, slots=True)
class KnowledgeBase:
    """The demo's collection, as Chroma's client sees it and as a LangChain vector store."""

    collection: chromadb.Collection
    langchain: Chroma


def knowledge_base(folder: str) -> KnowledgeBase:
    """Open the collection in a Chroma folder, and create it if necessary."""
    client = chromadb.PersistentClient(folder, settings=Settings(anonymized_telemetry=False))
    store = Chroma(
        COLLECTION,
        HashingEmbeddings(),
        client=client,
        collection_configuration={"hnsw": {"space": "cosine"}},
    )
    return KnowledgeBase(client.get_collection(COLLECTION, embedding_function=None), store)
