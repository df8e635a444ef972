"""Reads the spans of one trace, parents first, into drafts of answers."""

from __future__ import annotations

from operator import itemgetter
from typing import Final

from datahub_llmops.answer_store.recorded import Raw
from datahub_llmops.spans import indexes, kinds, models, prompts, retrievals, scores, stamps
from datahub_llmops.spans.drafts import NOTHING, Above, Draft, Search
from datahub_llmops.spans.kinds import CHAIN, OTHER, Kind, kind_of
from datahub_llmops.spans.span import Attributes, Span
from datahub_llmops.spans.tree import Tree

_BEGINS: Final = frozenset(
    {
        kinds.LLM,
        kinds.CHAIN,
        kinds.AGENT,
        kinds.RETRIEVER,
        kinds.RERANKER,
        kinds.PROMPT,
        kinds.GUARDRAIL,
        kinds.EVALUATOR,
    }
)
"""Kinds of spans that an answer can begin with."""
_MARKS: Final = prompts.MARKS | stamps.MARKS
_ALL_MARKS: Final = _MARKS | scores.MARKS
_CHANGES_NOTHING: Final = frozenset({kinds.PROMPT, kinds.EMBEDDING, kinds.RERANKER, kinds.GUARDRAIL})
"""Kinds of spans that change nothing for the spans below, once an answer has begun."""
_LEVELS: Final = 8
"""How far above an inference its template may be rendered."""
_start: Final = itemgetter(0)


class Reading:
    """The drafts in a tree of spans.

    ``outer`` has the places of inferences that another span reports too: one below them, or one above that names the
    model where they do not. ``nested`` has those below another one. ``application`` is the attribute that tells
    applications apart.
    """

    def __init__(self, tree: Tree, application: str) -> None:
        self._tree = tree
        self.drafts: list[Draft] = []
        self.outer: set[int] = set()
        self.nested: set[int] = set()
        self.guardrails = self.evaluations = 0
        self.scored: list[tuple[Draft | None, Span]] = []
        """Spans with scores, each with the answer that it is a part of."""
        self._read(application)

    def _read(self, application: str) -> None:
        spans, parents = self._tree.spans, self._tree.parents
        above = [NOTHING] * len(spans)
        known: object = None
        service: str | None = None
        for place in self._tree.order:
            _, _, _, name, _, _, _, attributes, resource, _, _, _ = span = spans[place]
            parent = parents[place]
            state = above[parent] if parent >= 0 else NOTHING
            if resource is not known:
                known, service = resource, _service(resource, application)
            kind = kind_of(name, attributes)
            marked = not _ALL_MARKS.isdisjoint(attributes)
            is_scored = marked and not scores.MARKS.isdisjoint(attributes)
            marked = marked and not _MARKS.isdisjoint(attributes)
            metadata = attributes.get("metadata")
            prompted = type(metadata) is dict and not prompts.MARKS.isdisjoint(metadata)
            # Most spans change nothing: the steps of a chain that has begun, and what is not about models.
            if not marked and not prompted and (kind == OTHER or (kind == CHAIN and service in state.drafts)):
                above[place] = state
            else:
                above[place] = self._enter(place, span, kind, service, state, marked, prompted)
            if is_scored:
                inside = above[place]
                self.scored.append((inside.drafts.get(service) or inside.within_inference, span))

    def _enter(
        self,
        place: int,
        span: Span,
        kind: Kind,
        service: str | None,
        state: Above,
        marked: bool,
        prompted: bool,
    ) -> Above:
        """Take a span into the answer that it belongs to, and return what holds below it.

        ``marked`` is whether its attributes name a prompt or are stamps, ``prompted`` whether its metadata names one.
        """
        attributes = span.attributes
        own = state.drafts.get(service)
        prompt = prompts.read_prompt(attributes) if marked or prompted else None
        stamped = marked and not stamps.MARKS.isdisjoint(attributes)
        same = own is not None and prompt is None and not stamped and kind in _CHANGES_NOTHING
        new = state if same else state.copy()
        if prompt is not None and kind != kinds.PROMPT:
            new.prompt = prompt
        if stamped:
            new.stamp = span
        draft = own or state.within_inference
        if draft is None:
            if kind == kinds.DATABASE and state.search is not None:
                _note_client(state.search, span)
                return new
            if kind not in _BEGINS and (kind != kinds.DATABASE or _searched(span) is None):
                return new
            draft = Draft(span, kind, service, state.stamp)
            self.drafts.append(draft)
        if draft is not own and (kind in _BEGINS or draft.top is span):
            new.drafts = {**state.drafts, service: draft}
        around = state.search
        search = around if around is not None and around.draft is draft else None
        if kind == kinds.LLM:
            self._inference(draft, place, span, new)
        elif kind == kinds.RETRIEVER:
            _begin_search(draft, span, search, new)
        elif kind == kinds.PROMPT:
            parent = self._tree.parents[place]
            draft.prompts.setdefault(parent, []).append((span.started, prompt or new.prompt))
        elif kind == kinds.EMBEDDING:
            if search is not None and search.embedding is None:
                search.embedding = span
        elif kind == kinds.DATABASE:
            if search is not None:
                _note_client(search, span)
            else:
                _search_directly(draft, span, new)
        elif kind == kinds.RERANKER:
            _note_reranker(draft, span, search)
        elif kind == kinds.TOOL:
            draft.tools.append(span)
            new.leave_inference()
        elif kind == kinds.AGENT:
            new.leave_inference()
        elif kind == kinds.EVALUATOR:
            new.evaluator = True
            self.evaluations += 1
        elif kind == kinds.GUARDRAIL:
            self.guardrails += 1
        if stamped:
            _note_stamp(draft, span, new.search if kind == kinds.RETRIEVER else search)
        return new

    def _inference(self, draft: Draft, place: int, span: Span, new: Above) -> None:
        if new.inference >= 0:
            self.nested.add(place)
            above = self._tree.spans[new.inference]
            if models.names_model(span.attributes) or not models.names_model(above.attributes):
                self.outer.add(new.inference)
                new.inference = place
            else:
                self.outer.add(place)
        else:
            new.inference = place
        new.within_inference = draft
        draft.judged += new.evaluator
        prompt = new.prompt
        if prompt is None and draft.prompts:
            prompt = self._rendered(draft, place)
        draft.inferences.append((place, span, prompt))

    def _rendered(self, draft: Draft, place: int) -> Raw | None:
        """Return the prompt that was rendered last before an inference, beside it or beside what is around it."""
        spans, parents = self._tree.spans, self._tree.parents
        for _ in range(_LEVELS):
            started = spans[place].started
            place = parents[place]
            before = [one for one in draft.prompts.get(place, ()) if one[0] <= started]
            if before:
                return max(before, key=_start)[1]
            if place < 0 or spans[place] is draft.top:
                return None
        return None


def _service(resource: Attributes, application: str) -> str | None:
    """Return what tells the process of a span from others: its application, else its service."""
    found = resource.get(application) or resource.get("service.name")
    return found if found is None or isinstance(found, str) else repr(found)


def _begin_search(draft: Draft, span: Span, outer: Search | None, new: Above) -> None:
    if outer is not None:
        if retrievals.is_inner(span, outer):
            outer.inner = span
            return
        outer.composite = True
    new.search = Search(draft, span, retrievals.retriever_of(span), outer)
    draft.searches.append(new.search)


def _searched(span: Span) -> Raw | None:
    """Return what the span of a store's client says of the index that it searched, if the store only searches."""
    raw = indexes.of_database(span.attributes) if indexes.is_search(span) else None
    return raw if raw is not None and indexes.is_store(raw) else None


def _search_directly(draft: Draft, span: Span, new: Above) -> None:
    """Take a search by the store's client without a retriever around it as a retrieval."""
    raw = _searched(span)
    if raw is not None:
        new.search = Search(draft, span, retrievals.direct(raw["platform"]), None)
        new.search.clients.append(span)
        draft.searches.append(new.search)


def _note_client(search: Search, span: Span) -> None:
    if indexes.is_search(span):
        search.clients.append(span)


def _note_reranker(draft: Draft, span: Span, within: Search | None) -> None:
    """Note a reranker of the retrieval around it, else of the last one before it."""
    search = within
    if search is None:
        search = next((one for one in reversed(draft.searches) if one.within is None), None)
    if search is not None:
        search.reranked = span


def _note_stamp(draft: Draft, span: Span, search: Search | None) -> None:
    draft.stamps.append(span)
    found = stamps.read_indexes(span.attributes)
    if search is not None:
        search.stamped += found
    else:
        draft.indexes += found
