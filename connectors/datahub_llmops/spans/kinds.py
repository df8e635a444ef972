"""What kind of work a span is, by the names that instrumentations have for it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Final

from datahub_llmops.spans import attributes as names
from datahub_llmops.spans.span import Span


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
    Kind.RETRIEVER: ("retriever", "retrieval"),
    Kind.RERANKER: ("reranker", "rerank"),
    Kind.CHAIN: ("chain", "parser", "invoke_workflow", "plan"),
    Kind.AGENT: ("agent", "invoke_agent"),
    Kind.TOOL: ("tool", "execute_tool"),
    Kind.GUARDRAIL: ("guardrail",),
    Kind.EVALUATOR: ("evaluator", "evaluation"),
    Kind.PROMPT: ("prompt",),
}
_BY_WORD: Final[dict[str, Kind]] = {word: kind for kind, words in _WORDS.items() for word in words}
_VAGUE: Final = frozenset({"workflow", "task"})
"""OpenLLMetry's and MLflow's words for whatever has no word of its own there. The span's name says more."""
_BY_NAME: Final = (
    ("retriever", Kind.RETRIEVER),
    ("embedding", Kind.EMBEDDING),
    ("rerank", Kind.RERANKER),
    ("prompttemplate", Kind.PROMPT),
)
_DATABASES: Final = ("chroma.", "qdrant.", "milvus.", "pinecone.", "lancedb.", "db.")


def kind_of(span: Span) -> Kind:
    """Return the kind of a span, by its attributes, else by its name."""
    attributes = span.attributes
    vague = False
    for name in names.KIND:
        word = attributes.get(name)
        if word is None:
            continue
        kind = _BY_WORD.get(word)
        if kind is not None:
            return kind
        # MLflow writes attributes as JSON, and each vendor has capitals of its own.
        lower = word.strip('"').lower() if isinstance(word, str) else ""
        kind = _BY_WORD.get(lower)
        if kind is not None:
            return kind
        vague = vague or lower in _VAGUE
    if vague:
        return _by_name(span.name)
    for name in names.DB_SYSTEM:
        if name in attributes:
            return Kind.DATABASE
    return Kind.DATABASE if span.name.startswith(_DATABASES) else Kind.OTHER


def _by_name(name: str) -> Kind:
    lower = name.lower()
    for part, kind in _BY_NAME:
        if part in lower:
            return kind
    return Kind.CHAIN
