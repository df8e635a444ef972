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

from datahub_llmops.hooks import llamaindex_spans, patching
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
    """Where LlamaIndex's functions are not as they were, nothing is hooked and nothing is lost but time."""
    module = sys.modules.get("llama_index_instrumentation.dispatcher")
    tags = getattr(module, "active_instrument_tags", None)
    for name, handlers, signature, make in (
        ("event", root.event_handlers, ("self", "event"), functools.partial(_event, tags)),
        (
            "span_enter",
            root.span_handlers,
            ("self", "id_", "bound_args", "instance", "parent_id"),
            _span_enter,
        ),
        ("span_exit", root.span_handlers, ("self", "id_", "bound_args", "instance", "result"), _span_exit),
    ):
        code = getattr(getattr(type(root), name, None), "__code__", None)
        if code is None or code.co_varnames[: len(signature)] != signature or tags is None:
            continue
        if all(type(one) in _NOTHING for one in handlers if one not in _handlers):
            patching.wrap(type(root), name, functools.partial(make, root, list(handlers)))


_NOTHING: Final = (NullEventHandler, NullSpanHandler)


def _event(tags: Any, root: Any, alone: list[Any], function: Any) -> Any:
    handle = _handlers[0].handle

    @functools.wraps(function)
    def event(self: Any, event: Any, **kwargs: Any) -> None:
        # A dispatcher that reports to the root alone, and the root to us and to those that do nothing.
        if (
            not self.event_handlers
            and root.event_handlers == alone
            and self.propagate
            and self.parent_name == self.root_name
        ):
            found = tags.get()
            if found:
                event.tags.update(found)
            handle(event)
        else:
            function(self, event, **kwargs)

    return event


def _span_enter(root: Any, alone: list[Any], function: Any) -> Any:
    enter = _handlers[1].span_enter

    @functools.wraps(function)
    def span_enter(
        self: Any,
        id_: str,
        bound_args: Any,
        instance: Any = None,
        parent_id: Any = None,
        tags: Any = None,
        **kwargs: Any,
    ) -> None:
        if (
            not self.span_handlers
            and root.span_handlers == alone
            and self.propagate
            and self.parent_name == self.root_name
        ):
            enter(id_, bound_args, instance, parent_id)
        else:
            function(self, id_, bound_args, instance, parent_id, tags, **kwargs)

    return span_enter


def _span_exit(root: Any, alone: list[Any], function: Any) -> Any:
    leave = _handlers[1].span_exit

    @functools.wraps(function)
    def span_exit(
        self: Any, id_: str, bound_args: Any, instance: Any = None, result: Any = None, **kwargs: Any
    ) -> None:
        if (
            not self.span_handlers
            and root.span_handlers == alone
            and self.propagate
            and self.parent_name == self.root_name
        ):
            leave(id_, bound_args, instance, result)
        else:
            function(self, id_, bound_args, instance, result, **kwargs)

    return span_exit
