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
from datahub_llmops.hooks.llamaindex_spans import EVENTS

_on = False


class Events(BaseEventHandler):
    """Looks an event up by its class; those of every token are not in the table."""

    @classmethod
    @override
    def class_name(cls) -> str:
        return "DataHubLlmopsEvents"

    @override
    def handle(self, event: Any, **kwargs: Any) -> None:
        call = EVENTS.get(type(event).__name__)
        if call is not None and _on:
            call(event)


class Spans(BaseSpanHandler):  # type: ignore[type-arg]  # the span class is a type of theirs that is not used
    """The three methods themselves: the standard way builds an object and takes a lock for every span."""

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
        if _on:
            llamaindex_spans.entered(id_, bound_args, instance, parent_id)

    @override
    def span_exit(
        self, id_: str, bound_args: Any, instance: Any = None, result: Any = None, **kwargs: Any
    ) -> None:
        if _on:
            llamaindex_spans.exited(id_, result)

    @override
    def span_drop(
        self, id_: str, bound_args: Any, instance: Any = None, err: BaseException | None = None, **kwargs: Any
    ) -> None:
        if _on:
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
    global _handlers, _on
    if _handlers is None:
        _handlers = Events(), Spans()
    root = _dispatcher()
    events, spans = _handlers
    if not any(one is events for one in root.event_handlers):
        root.add_event_handler(events)
    if not any(one is spans for one in root.span_handlers):
        root.add_span_handler(spans)
    _on = True


def detach() -> None:
    """Take them off again."""
    global _on
    _on = False
    llamaindex_spans.spans.clear()
    llamaindex_spans.open_calls.clear()
    if _handlers is not None:
        root = _dispatcher()
        root.event_handlers[:] = [one for one in root.event_handlers if one is not _handlers[0]]
        root.span_handlers[:] = [one for one in root.span_handlers if one is not _handlers[1]]
