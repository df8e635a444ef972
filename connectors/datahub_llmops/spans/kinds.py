"""What kind of work a span is, by the words that instrumentations have for it.

Kinds are plain texts: members of an ``Enum`` take longer to look up than the kind of a span may.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Final, TypeAlias

from datahub_llmops.spans import attributes as names
from datahub_llmops.spans.span import Attributes

Kind: TypeAlias = str

LLM: Final = "llm"
"""One inference of a language model."""
EMBEDDING: Final = "embedding"
RETRIEVER: Final = "retriever"
RERANKER: Final = "reranker"
CHAIN: Final = "chain"
AGENT: Final = "agent"
TOOL: Final = "tool"
GUARDRAIL: Final = "guardrail"
EVALUATOR: Final = "evaluator"
PROMPT: Final = "prompt"
"""A template that is rendered."""
DATABASE: Final = "database"
OTHER: Final = "other"

_WORDS: Final[Mapping[Kind, tuple[str, ...]]] = {
    LLM: ("llm", "chat", "chat_model", "text_completion", "completion", "generate_content", "generation"),
    EMBEDDING: ("embedding", "embeddings"),
    RETRIEVER: ("retriever", "retrieval", "vector_db_retrieve"),
    RERANKER: ("reranker", "rerank"),
    CHAIN: ("chain", "parser", "invoke_workflow", "plan", "workflow", "task", "execute_task"),
    AGENT: ("agent", "invoke_agent"),
    TOOL: ("tool", "execute_tool"),
    GUARDRAIL: ("guardrail", "apply_guardrail"),
    EVALUATOR: ("evaluator", "evaluation"),
    PROMPT: ("prompt",),
}
_BY_WORD: Final[dict[object, Kind]] = {
    form: kind
    for kind, words in _WORDS.items()
    for word in words
    # MLflow writes its attributes as JSON.
    for form in (word, word.upper(), f'"{word.upper()}"')
}
_VAGUE: Final = frozenset({"task", "workflow"})
"""OpenLLMetry's words for whatever has no word of its own there. The name of the span may say more."""
_BY_NAME: Final = (
    (("retriever",), RETRIEVER),
    (("embedding", "embeddings"), EMBEDDING),
    (("rerank", "reranker"), RERANKER),
    (("prompttemplate",), PROMPT),
)
"""How the class of a framework ends that a span is named after."""
_SUFFIXES: Final = (".task", ".workflow")
_DATABASES: Final = ("chroma.", "qdrant.", "milvus.", "pinecone.", "lancedb.", "db.")
_NO_INFERENCE: Final = ("prepare_", "get_tool_calls", "validate_")
_KIND: Final = names.KIND
_DB_SYSTEM: Final = names.DB_SYSTEM


def kind_of(name: str, attributes: Attributes) -> Kind:
    """Return the kind of a span, by its attributes, else by its name."""
    word = attributes.get(_OPENINFERENCE)
    if type(word) is not str:
        return _find(name, attributes)
    known = _known.get((name, word))
    if known is None:
        known = _find(name, attributes)
        if len(_known) < _MAX_KNOWN and word in _BY_WORD:
            _known[name, word] = known
    return known


_OPENINFERENCE: Final = names.KIND[0]
_MAX_KNOWN: Final = 10_000
_known: Final[dict[tuple[str, object], Kind]] = {}
"""By the name of a span and OpenInference's word, which counts first."""


def _find(name: str, attributes: Attributes) -> Kind:
    for key in _KIND:
        if key in attributes:
            word = attributes[key]
            kind = _BY_WORD.get(word) if type(word) is str else None
            if kind is None:
                kind = _of_word(word) if isinstance(word, str) else None
                if kind is None:
                    continue
            if kind == CHAIN:
                return _of_chain(name, word in _VAGUE)
            return _of_method(name) if kind == LLM else kind
    for key in _DB_SYSTEM:
        if key in attributes:
            return DATABASE
    return DATABASE if name.startswith(_DATABASES) else OTHER


@functools.lru_cache(1_000)
def _of_word(word: str) -> Kind | None:
    """Return the kind of a word with capitals of its own."""
    return _BY_WORD.get(word.strip('"').lower())


@functools.lru_cache(10_000)
def _of_chain(name: str, vague: bool) -> Kind:
    """Return the kind of a step.

    >>> _of_chain("VectorIndexRetriever.task", True), _of_chain("RetrieverQueryEngine.task", True)
    ('retriever', 'chain')
    """
    lower = name.lower()
    if lower.endswith("prompttemplate"):
        return PROMPT
    if vague:
        for suffix in _SUFFIXES:
            lower = lower.removesuffix(suffix)
        for ends, kind in _BY_NAME:
            if lower.endswith(ends):
                return kind
    return CHAIN


@functools.lru_cache(10_000)
def _of_method(name: str) -> Kind:
    """Return the kind of a model's method. OpenInference calls all methods of LlamaIndex's models inferences.

    >>> _of_method("OpenAI.chat"), _of_method("OpenAI._prepare_chat_with_tools"), _of_method("chat gpt-5.1")
    ('llm', 'chain', 'llm')
    """
    _, point, method = name.rpartition(".")
    return CHAIN if point and " " not in name and method.lstrip("_").startswith(_NO_INFERENCE) else LLM
