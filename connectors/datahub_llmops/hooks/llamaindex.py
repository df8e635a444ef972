"""LlamaIndex: a span handler, which gets the live objects, and an event handler on the root dispatcher.

https://docs.llamaindex.ai/en/stable/module_guides/observability/instrumentation/. Handlers there run inline and their
exceptions vanish without a log, so ours are guarded. Imported by the import hook only.
"""

from __future__ import annotations

from typing import Any

from llama_index.core import instrumentation
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.span_handlers import BaseSpanHandler
from typing_extensions import override

from datahub_llmops.hooks import llamaindex_spans
from datahub_llmops.hooks.llamaindex_spans import EVENTS, NAME, PARTS, spans


class Events(BaseEventHandler):
    """Looks an event up by its class; those of every token are not in the table."""

    @classmethod
    @override
    def class_name(cls) -> str:
        return "DataHubLlmopsEvents"

    @override
    def handle(self, event: Any, **kwargs: Any) -> None:
        call = EVENTS.get(type(event).__name__)
        if call is not None:
            call(event)


class Spans(BaseSpanHandler):  # type: ignore[type-arg]  # the span class is a type of theirs that is not used
    """The three methods themselves: the standard way builds an object and takes a lock for every span.

    A span that is nothing but a place in the tree, as most are, is dealt with here: a call more is felt at 40 a query.
    """

    @classmethod
    @override
    def class_name(cls) -> str:
        return "DataHubLlmopsSpans"

    @override
    def span_enter(
        self,
        id_: str,
        bound_args: Any,
        instance: Any = None,
        parent_id: Any = None,
        tags: Any = None,
        **kwargs: Any,
    ) -> None:
        above = spans.get(parent_id) if parent_id is not None else None
        if above is None:
            llamaindex_spans.root_entered(id_, bound_args, instance)
        elif instance is None or not id_.endswith(PARTS, 0, NAME):
            spans[id_] = above
        else:
            llamaindex_spans.part_entered(id_, instance, above)

    @override
    def span_exit(
        self, id_: str, bound_args: Any, instance: Any = None, result: Any = None, **kwargs: Any
    ) -> None:
        span = spans.pop(id_, None)
        if span is not None and span.key == id_ and (span.root or span.part is not None):
            llamaindex_spans.exited(span, result)

    @override
    def span_drop(
        self, id_: str, bound_args: Any, instance: Any = None, err: BaseException | None = None, **kwargs: Any
    ) -> None:
        llamaindex_spans.dropped(id_, err)

    @override
    def new_span(self, *args: Any, **kwargs: Any) -> None:
        return None

    @override
    def prepare_to_exit_span(self, *args: Any, **kwargs: Any) -> None:
        return None

    @override
    def prepare_to_drop_span(self, *args: Any, **kwargs: Any) -> None:
        return None


_handlers: tuple[Events, Spans] | None = None


def _dispatcher() -> Any:
    return instrumentation.get_dispatcher()  # type: ignore[attr-defined]  # re-exported without saying so


def attach() -> None:
    """Put both handlers on the root dispatcher, once."""
    global _handlers
    if _handlers is None:
        _handlers = Events(), Spans()
    root = _dispatcher()
    events, ours = _handlers
    if not any(one is events for one in root.event_handlers):
        root.add_event_handler(events)
    if not any(one is ours for one in root.span_handlers):
        root.add_span_handler(ours)


def detach() -> None:
    """Take them off again."""
    if _handlers is not None:
        root = _dispatcher()
        root.event_handlers[:] = [one for one in root.event_handlers if one is not _handlers[0]]
        root.span_handlers[:] = [one for one in root.span_handlers if one is not _handlers[1]]
    spans.clear()
    llamaindex_spans.open_calls.clear()
