"""LlamaIndex: a span handler, which gets the live objects, and an event handler on the root dispatcher.

https://docs.llamaindex.ai/en/stable/module_guides/observability/instrumentation/. Handlers there run inline and their
exceptions vanish without a log, so ours are guarded. Imported by the import hook only.

For each of the forty spans and events of a query LlamaIndex goes through the handlers of every dispatcher above. Where
ours are the only ones that do anything they are called at once, which takes less than without any.
"""

from __future__ import annotations

import functools
import sys
from typing import Any, Final

from llama_index.core import instrumentation
from llama_index.core.instrumentation.event_handlers import BaseEventHandler, NullEventHandler
from llama_index.core.instrumentation.span_handlers import BaseSpanHandler, NullSpanHandler
from typing_extensions import override

from datahub_llmops.hooks import patching
from datahub_llmops.hooks.llamaindex import spans as llamaindex_spans
from datahub_llmops.hooks.llamaindex.spans import EVENTS, NAME, PARTS, spans


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
        else:
            spans[id_] = above
            if instance is not None and id_.endswith(PARTS, 0, NAME):
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


_handlers: Final = (Events(), Spans())


def _dispatcher() -> Any:
    return instrumentation.get_dispatcher()  # type: ignore[attr-defined]  # re-exported without saying so


def attach() -> None:
    """Put both handlers on the root dispatcher, once."""
    root = _dispatcher()
    events, ours = _handlers
    if not any(one is events for one in root.event_handlers):
        root.add_event_handler(events)
    if not any(one is ours for one in root.span_handlers):
        root.add_span_handler(ours)
    _straight(root)


def detach() -> None:
    """Take them off again."""
    root = _dispatcher()
    events, ours = _handlers
    root.event_handlers[:] = [one for one in root.event_handlers if one is not events]
    root.span_handlers[:] = [one for one in root.span_handlers if one is not ours]
    spans.clear()
    llamaindex_spans.open_calls.clear()


# Straight to our handlers


def _straight(root: Any) -> None:
    """Nothing is hooked beside other handlers, and nothing is lost but time."""
    events, ours = _handlers
    module = sys.modules.get("llama_index_instrumentation.dispatcher")
    tags: Any = getattr(module, "active_instrument_tags", None)

    def told(event: Any, **kwargs: Any) -> None:
        found = tags.get()
        if found:
            event.tags.update(found)
        events.handle(event)

    for name, handlers, call in (
        ("event", "event_handlers", told if tags is not None else None),
        ("span_enter", "span_handlers", ours.span_enter),
        ("span_exit", "span_handlers", ours.span_exit),
    ):
        others = [one for one in getattr(root, handlers) if one not in _handlers]
        if call is not None and all(type(one) in (NullEventHandler, NullSpanHandler) for one in others):
            patching.wrap(type(root), name, functools.partial(_short, root, handlers, call))


def _short(root: Any, handlers: str, call: Any, function: Any) -> Any:
    """``call`` instead of ``function`` where a dispatcher reports to the root alone, and that as it does now."""
    alone = list(getattr(root, handlers))

    @functools.wraps(function)
    def short(self: Any, *given: Any, **named: Any) -> None:
        if (
            not getattr(self, handlers)
            and getattr(root, handlers) == alone
            and self.propagate
            and self.parent_name == self.root_name
        ):
            call(*given, **named)
        else:
            function(self, *given, **named)

    return short
