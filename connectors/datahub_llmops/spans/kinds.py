"""What kind of work a span is, by the words that instrumentations have for it."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from enum import Enum
from typing import Final

from datahub_llmops.spans import attributes as names
from datahub_llmops.spans.span import Attributes


class Kind(Enum):
    """Kinds of work that are told apart."""

    LLM = "llm"
    """One inference of a language model."""
    EMBEDDING = "embedding"
    RETRIEVER = "retriever"
    RERANKER = "reranker"
    CHAIN = "chain"
    AGENT = "agent"
    TOOL = "tool"
    GUARDRAIL = "guardrail"
    EVALUATOR = "evaluator"
    PROMPT = "prompt"
    """A template that is rendered."""
    DATABASE = "database"
    OTHER = "other"


_WORDS: Final[Mapping[Kind, tuple[str, ...]]] = {
    Kind.LLM: (
        "llm",
        "chat",
        "chat_model",
        "text_completion",
        "completion",
        "generate_content",
        "generation",
    ),
    Kind.EMBEDDING: ("embedding", "embeddings"),
    Kind.RETRIEVER: ("retriever", "retrieval", "vector_db_retrieve"),
    Kind.RERANKER: ("reranker", "rerank"),
    Kind.CHAIN: ("chain", "parser", "invoke_workflow", "plan", "workflow", "task", "execute_task"),
    Kind.AGENT: ("agent", "invoke_agent"),
    Kind.TOOL: ("tool", "execute_tool"),
    Kind.GUARDRAIL: ("guardrail",),
    Kind.EVALUATOR: ("evaluator", "evaluation"),
    Kind.PROMPT: ("prompt",),
}
_BY_WORD: Final[dict[object, Kind]] = {word: kind for kind, words in _WORDS.items() for word in words}
_VAGUE: Final = frozenset({"task", "workflow"})
"""OpenLLMetry's words for whatever has no word of its own there. The name of the span may say more."""
_BY_NAME: Final = (
    ("retriever", Kind.RETRIEVER),
    ("embedding", Kind.EMBEDDING),
    ("rerank", Kind.RERANKER),
    ("prompttemplate", Kind.PROMPT),
)
_DATABASES: Final = ("chroma.", "qdrant.", "milvus.", "pinecone.", "lancedb.", "db.")
_KIND: Final = names.KIND
_DB_SYSTEM: Final = names.DB_SYSTEM


def kind_of(name: str, attributes: Attributes) -> Kind:
    """Return the kind of a span, by its attributes, else by its name."""
    for key in _KIND:
        word = attributes.get(key)
        if word is None:
            continue
        kind = _BY_WORD.get(word) if type(word) is str else None
        if kind is None:
            kind = _of_word(word) if isinstance(word, str) else None
            if kind is None:
                continue
        if kind is Kind.CHAIN:
            return _of_chain(name, word in _VAGUE)
        if kind is Kind.LLM and "." in name:
            return _of_method(name)
        return kind
    for key in _DB_SYSTEM:
        if key in attributes:
            return Kind.DATABASE
    return Kind.DATABASE if name.startswith(_DATABASES) else Kind.OTHER


@functools.lru_cache(1_000)
def _of_word(word: str) -> Kind | None:
    """Return the kind of a word with capitals, or in quotation marks, as MLflow writes it."""
    return _BY_WORD.get(word.strip('"').lower())


@functools.lru_cache(10_000)
def _of_chain(name: str, vague: bool) -> Kind:
    lower = name.lower()
    if lower.endswith("prompttemplate"):
        return Kind.PROMPT
    if vague:
        for part, kind in _BY_NAME:
            if part in lower:
                return kind
    return Kind.CHAIN


@functools.lru_cache(10_000)
def _of_method(name: str) -> Kind:
    """Return the kind of a model's method. OpenInference calls all methods of LlamaIndex's models inferences.

    >>> _of_method("OpenAI.chat"), _of_method("OpenAI._prepare_chat_with_tools"), _of_method("chat gpt-5.1")
    (<Kind.LLM: 'llm'>, <Kind.CHAIN: 'chain'>, <Kind.LLM: 'llm'>)
    """
    method = name.rpartition(".")[2].lstrip("_")
    return Kind.CHAIN if method.startswith(_NO_INFERENCE) and " " not in name else Kind.LLM


_NO_INFERENCE: Final = ("prepare_", "get_tool_calls", "validate_")
