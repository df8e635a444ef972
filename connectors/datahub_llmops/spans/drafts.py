"""What is known of the answers of a trace while its spans are read, parents first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from datahub_llmops.answer_store.recorded import Raw
from datahub_llmops.spans.kinds import Kind
from datahub_llmops.spans.span import Span


class Search:
    """One retrieval: the span of a retriever, or of a store's client without a retriever around it."""

    __slots__ = (
        "clients",
        "composite",
        "draft",
        "embedding",
        "inner",
        "number",
        "reranked",
        "retriever",
        "span",
        "stamped",
        "within",
    )

    def __init__(self, draft: Draft, span: Span, retriever: Raw, within: Search | None) -> None:
        self.draft = draft
        self.span = span
        self.retriever = retriever
        self.within = within
        self.number = len(draft.searches)
        """Place among the retrievals of the answer."""
        self.composite = False
        self.clients: list[Span] = []
        """Searches by the store's client below it."""
        self.inner: Span | None = None
        """The span of the same retriever directly below, as LlamaIndex's ``retrieve`` calls ``_retrieve``."""
        self.embedding: Span | None = None
        self.reranked: Span | None = None
        self.stamped: list[Raw] = []
        """Indexes that the hooks stamped on its span, or below it."""


class Draft:
    """One answer while its spans are read."""

    __slots__ = (
        "around",
        "indexes",
        "inferences",
        "judged",
        "kind",
        "prompts",
        "searches",
        "service",
        "stamps",
        "tools",
        "top",
    )

    def __init__(self, top: Span, kind: Kind, service: Any, around: Span | None) -> None:
        self.top = top
        self.kind = kind
        self.service = service
        self.around = around
        """The innermost span around the answer that the hooks stamped."""
        self.inferences: list[tuple[int, Span, Raw | None]] = []
        """Place of the span, the span, and its prompt."""
        self.judged = 0
        """Inferences of evaluators."""
        self.searches: list[Search] = []
        self.tools: list[Span] = []
        self.stamps: list[Span] = []
        """Spans of the answer that the hooks stamped."""
        self.indexes: list[Raw] = []
        """Indexes that they stamped on spans that are not part of one retrieval."""
        self.prompts: dict[int, list[tuple[float, Raw | None]]] = {}
        """Start and identity of the templates that were rendered, by the place of the span around each."""


class Above:
    """What holds below a span. A span that changes nothing shares the object of its parent."""

    __slots__ = ("drafts", "evaluator", "inference", "prompt", "search", "stamp", "within_inference")

    def __init__(self) -> None:
        self.drafts: Mapping[Any, Draft] = {}
        """The answer of each service that is begun above."""
        self.inference = -1
        """Place of the inference around it, unless a tool or an agent is between them."""
        self.within_inference: Draft | None = None
        """The answer of that inference: what a gateway does is a part of it."""
        self.search: Search | None = None
        self.prompt: Raw | None = None
        self.stamp: Span | None = None
        """The innermost span around it, or itself, that the hooks stamped."""
        self.evaluator = False

    def leave_inference(self) -> None:
        """Note that what is below a tool or an agent is not part of the inference around it."""
        self.inference = -1
        self.within_inference = None

    def copy(self) -> Above:
        """Return a copy to change."""
        new = Above.__new__(Above)
        new.drafts = self.drafts
        new.inference = self.inference
        new.within_inference = self.within_inference
        new.search = self.search
        new.prompt = self.prompt
        new.stamp = self.stamp
        new.evaluator = self.evaluator
        return new


NOTHING: Final = Above()
"""What holds above the first span."""
