"""Puts the answers of many traces together, and reads traces of one shape only once.

The shape of a trace is the classes of its spans (``Span.of_class``) in the order of their starts, with the place of the
parent of each. Traces of one shape have the same answers with the same parts; only ids, times, counts and documents
differ. So the assembler keeps a plan of each shape that comes again, and fills it in. A trace has no plan if times or
ids decide what is an answer, or if a span has no class. ``assemble`` reads such traces.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat
from operator import itemgetter
from typing import Any, Final, NamedTuple, TypeAlias

from datahub_llmops.answer_store.recorded import ModelCall, RecordedAnswer, Retrieval, ToolCall
from datahub_llmops.spans import answers, indexes, models, retrievals
from datahub_llmops.spans.assemble import Assembled, AssembleOptions, Read, assemble, read
from datahub_llmops.spans.drafts import Draft, Search
from datahub_llmops.spans.quick import quick
from datahub_llmops.spans.scores import scores_of
from datahub_llmops.spans.shapes import ABSENT, MAX_SPANS, NO_PARENT, ListedSpans, ShapedSpans
from datahub_llmops.spans.span import Attributes, Span

MAX_SHAPES: Final = 5_000
"""Shapes that are kept at a time. Beyond that, all are dropped."""
_MAX_PROCESSES: Final = 20_000
_id, _parent, _start, _resource, _class = map(itemgetter, (1, 2, 4, 8, 11))
_make_answer, _make_tool_call = quick(RecordedAnswer), quick(ToolCall)
_Shape: TypeAlias = tuple[object, ...]


class Assembler:
    """Assembles traces of one run. ``plans`` has a plan for each shape, or whether it came once or can have none."""

    def __init__(self, options: AssembleOptions) -> None:
        self._options = options
        self.plans: dict[_Shape, Plan | bool] = {}
        self._services: dict[tuple[str, str], int] = {}
        self._processes: dict[int, tuple[Attributes, int]] = {}

    def __call__(self, spans: Sequence[Span]) -> Assembled:
        """Assemble the answers in all spans of one trace."""
        shape: _Shape | None
        if isinstance(spans, ShapedSpans):
            kept = spans
            shape = (spans.shape, *map(self._service, spans.resources))
        else:
            ordered = sorted(spans, key=_start)
            kept = ListedSpans(ordered)
            shape = self._shape(ordered)
        if shape is None:
            return assemble(spans, self._options)
        plan = self.plans.get(shape)
        if isinstance(plan, Plan):
            return plan.fill(kept)
        if plan is None:
            if len(self.plans) >= MAX_SHAPES:
                self.plans.clear()
            self.plans[shape] = True
        elif plan:
            self.plans[shape] = make_plan(list(kept), self._options) or False
        return assemble(list(spans), self._options)

    def _shape(self, spans: Sequence[Span]) -> _Shape | None:
        """Return the shape of a trace, or ``None`` if it has none. The spans are in the order of their starts."""
        count = len(spans)
        places = dict(zip(map(_id, spans), range(count), strict=True))
        classes = list(map(_class, spans))
        if count > MAX_SPANS or len(places) < count or 0 in classes or len(set(map(_start, spans))) < count:
            return None
        places[""] = NO_PARENT
        parents = map(places.get, map(_parent, spans), repeat(ABSENT))
        resources = list(map(_resource, spans))
        service = self._service(resources[0])
        if resources.count(resources[0]) == count:
            return (service, *classes, *parents)
        return (tuple(map(self._service, resources)), *classes, *parents)

    def _service(self, resource: Attributes) -> int:
        """Return a number for what tells the application of a process."""
        known = self._processes.get(id(resource))
        if known is None:
            if len(self._processes) >= _MAX_PROCESSES:
                self._processes.clear()
            key = repr(resource.get(self._options.application)), repr(resource.get("service.name"))
            number = self._services.setdefault(key, len(self._services))
            # The object is kept too, so that no other object gets its id.
            known = self._processes[id(resource)] = resource, number
        return known[1]


class _Call(NamedTuple):
    place: int
    call: ModelCall


class _Tool(NamedTuple):
    place: int
    call: ToolCall


class _Search(NamedTuple):
    """Places of the spans of a retrieval, and what they tell of its index, if it has one."""

    place: int
    inner: int | None
    reranked: int | None
    clients: tuple[int, ...]
    told: retrievals.Told | None
    store_class: str | None
    retrieval: Retrieval

    def build(self, spans: ShapedSpans, numbers: dict[int, int]) -> Retrieval:
        search, retrieval = spans.own(self.place), self.retrieval
        found = retrievals.chunks_of(
            search,
            None if self.inner is None else spans.own(self.inner),
            None if self.reranked is None else spans.own(self.reranked),
            [spans.own(place) for place in self.clients],
            retrieval.composite,
            self.store_class,
        )
        index = None if self.told is None else self.told.index_of(search)
        return retrievals.build_alike(retrieval, spans.took(self.place), found, index, numbers)


class _Answer(NamedTuple):
    """One answer in a shape."""

    place: int
    answer: RecordedAnswer
    resource: Attributes
    application: str
    version: str | None
    """The version that the span names itself."""
    searches: tuple[_Search, ...]
    calls: tuple[_Call, ...]
    tools: tuple[_Tool, ...]
    scored: tuple[int, ...]
    """Places of the spans with scores of the answer."""

    def build(self, spans: ShapedSpans) -> RecordedAnswer:
        top, known = spans.span(self.place), self.answer
        version, host = known.version, known.host
        if top.resource is not self.resource:
            _, version, host = answers.of_process(tuple(top.resource.items()), self.application)
            version = self.version if version is None else version
        numbers: dict[int, int] = {}
        return _make_answer(
            id=answers.id_of(top),
            application=known.application,
            version=version,
            framework=known.framework,
            framework_version=None,
            root=known.root,
            host=host,
            started=top.started,
            ended=max(top.ended, top.started),
            status=known.status,
            error=known.error,
            weight=known.weight,
            retrievals=tuple([one.build(spans, numbers) for one in self.searches]),
            prompts=known.prompts,
            models=tuple([models.read_alike(call, spans.own(place), spans.took(place)) for place, call in self.calls]),
            tools=tuple([
                _make_tool_call(name=call.name, milliseconds=spans.took(place), status=call.status)
                for place, call in self.tools
            ]),
            parts_cut=known.parts_cut,
            scores=scores_of([spans[place] for place in self.scored]) if self.scored else (),
        )  # fmt: skip


class Plan(NamedTuple):
    """How the answers of all traces of a shape are built."""

    answers: tuple[_Answer, ...]
    others: Assembled
    """What else a trace of this shape counts."""
    unscored: tuple[int, ...]
    """Places of the spans with scores of no answer."""

    def fill(self, spans: ShapedSpans) -> Assembled:
        """Return what a trace of the shape holds. The spans are in the order of their starts."""
        found = Assembled(tuple([one.build(spans) for one in self.answers]), *self.others[1:])
        if self.unscored:
            found = found._replace(unscored=len(scores_of([spans[place] for place in self.unscored])))
        return found


def make_plan(spans: Sequence[Span], options: AssembleOptions) -> Plan | None:
    """Return the plan of the shape of a trace, or ``None`` if its answers depend on more than the shape."""
    found = read(spans, options)
    if found.by_time or any(map(_is_stamped, found.drafts)):
        return None
    places = {id(span): place for place, span in enumerate(found.tree.spans)}
    made = [
        answers.build(draft, found.reading.outer, options.application, None, options.default)
        for draft in found.drafts
    ]
    of_answers, of_none = found.scored(made)
    planned = [
        _plan_answer(draft, answer, found, places, options.application, of_answers.get(number, ()))
        for number, (draft, answer) in enumerate(zip(found.drafts, made, strict=True))
        if answer is not None
    ]
    return Plan(tuple(planned), found.assembled(made), tuple([places[id(span)] for span in of_none]))


def _is_stamped(draft: Draft) -> bool:
    return bool(draft.stamps) or draft.around is not None


def _plan_answer(
    draft: Draft,
    answer: RecordedAnswer,
    found: Read,
    places: dict[int, int],
    application: str,
    scored: Sequence[Span],
) -> _Answer:
    top = draft.top
    inferences = answers.inferences_of(draft, found.reading.outer)
    service: Any = top.resource.get("service.name")
    return _Answer(
        place=places[id(top)],
        answer=answer,
        resource=top.resource,
        application=application,
        version=answers.version_of(top),
        searches=tuple([
            _plan_search(draft, search, retrieval, service, places)
            for search, retrieval in zip(draft.searches, answer.retrievals, strict=False)
        ]),
        calls=tuple([
            _Call(place, call) for (place, _, _), call in zip(inferences, answer.models, strict=False)
        ]),
        tools=tuple([_Tool(places[id(span)], call) for span, call in answers.tools_of(draft)]),
        scored=tuple([places[id(span)] for span in scored]),
    )  # fmt: skip


def _plan_search(
    draft: Draft, search: Search, retrieval: Retrieval, service: str | None, places: dict[int, int]
) -> _Search:
    def place(span: Span | None) -> int | None:
        return None if span is None else places[id(span)]

    return _Search(
        place=places[id(search.span)],
        inner=place(search.inner),
        reranked=place(search.reranked),
        clients=tuple([places[id(one)] for one in search.clients]),
        told=None if search.composite else retrievals.told(draft, search, service),
        store_class=indexes.told(search.span.attributes)[1],
        retrieval=retrieval,
    )
