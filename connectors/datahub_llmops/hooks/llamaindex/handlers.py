"""LlamaIndex's handlers: a span handler, which gets the live objects, and an event handler on the root dispatcher.

https://docs.llamaindex.ai/en/stable/module_guides/observability/instrumentation/. LlamaIndex runs handlers inline and
drops their exceptions without a log, so ours are guarded. The import hook loads this module.

Why there is a fast path: for each of the forty spans and events of a query LlamaIndex goes through the handlers of
every dispatcher above. Where ours are the only ones that do anything, they are called at once, which takes less time
than LlamaIndex without any handler.
"""

from __future__ import annotations

import functools
import sys
from typing import Any, Final

from llama_index.core.instrumentation.event_handlers import BaseEventHandler, NullEventHandler
from llama_index.core.instrumentation.span_handlers import BaseSpanHandler, NullSpanHandler
from typing_extensions import override

from datahub_llmops.hooks import patching, runtime
from datahub_llmops.hooks.llamaindex import spans as llamaindex_spans
from datahub_llmops.hooks.llamaindex import streams
from datahub_llmops.hooks.llamaindex.model_calls import EVENTS
from datahub_llmops.hooks.llamaindex.spans import NAME, PARTS, is_inside, spans


class Events(BaseEventHandler):
    """Looks an event up by its class. Events that occur once a token are not in the table."""

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
    """Overrides the three methods themselves: the standard way builds an object and takes a lock for every span.

    Most spans are mere nodes of the tree and are handled right here: with forty spans a query each call counts.
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
        above = spans.get(parent_id)
        if runtime.streams_read:
            stream = runtime.read_stream.get()
            if stream is not None and not is_inside(above, stream):
                above = stream
        if above is None:
            if id_.startswith(_WRITES_HISTORY):
                above = streams.find_stream(instance)
            if above is None:
                llamaindex_spans.root_entered(id_, bound_args, instance)
                return
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


_WRITES_HISTORY: Final = "StreamingAgentChatResponse."
"""Reads a stream into the history of a chat, in a thread or task, mostly after the chat has returned."""
_handlers: Final = (Events(), Spans())


def attach(instrumentation: Any) -> None:
    """Put both handlers on the root dispatcher of ``llama_index.core.instrumentation``, once."""
    global _root
    root = _root = instrumentation.get_dispatcher()
    events, ours = _handlers
    if not any(one is events for one in root.event_handlers):
        root.add_event_handler(events)
    if not any(one is ours for one in root.span_handlers):
        root.add_span_handler(ours)
    _hook_dispatch(root)
    runtime.enclosing["llama-index"] = llamaindex_spans.find_enclosing
    runtime.sweep_regularly(llamaindex_spans.sweep)


_root: Any = None


def detach() -> None:
    """Remove both handlers."""
    if _root is not None:
        events, ours = _handlers
        _root.event_handlers[:] = [one for one in _root.event_handlers if one is not events]
        _root.span_handlers[:] = [one for one in _root.span_handlers if one is not ours]
    spans.clear()
    llamaindex_spans.open_calls.clear()


# The fast path


def _hook_dispatch(root: Any) -> None:
    """Wrap the dispatcher's methods. Beside other handlers nothing is wrapped and only time is lost."""
    events, ours = _handlers
    module = sys.modules.get("llama_index_instrumentation.dispatcher")
    tags: Any = getattr(module, "active_instrument_tags", None)

    def handle_event(event: Any, **kwargs: Any) -> None:
        current = tags.get()
        if current:
            event.tags.update(current)
        events.handle(event)

    for name, handlers, call in (
        ("event", "event_handlers", handle_event if tags is not None else None),
        ("span_enter", "span_handlers", ours.span_enter),
        ("span_exit", "span_handlers", ours.span_exit),
    ):
        others = [one for one in getattr(root, handlers) if one not in _handlers]
        if call is not None and all(type(one) in (NullEventHandler, NullSpanHandler) for one in others):
            patching.wrap(type(root), name, functools.partial(_fast_dispatch, root, handlers, call))


def _fast_dispatch(root: Any, handlers: str, call: Any, function: Any) -> Any:
    """Do ``call`` in place of ``function`` while a dispatcher reports to the unchanged root and nobody else."""
    expected = list(getattr(root, handlers))

    @functools.wraps(function)
    def dispatch(self: Any, *args: Any, **kwargs: Any) -> None:
        if (
            not getattr(self, handlers)
            and getattr(root, handlers) == expected
            and self.propagate
            and self.parent_name == self.root_name
        ):
            call(*args, **kwargs)
        else:
            function(self, *args, **kwargs)

    return dispatch
