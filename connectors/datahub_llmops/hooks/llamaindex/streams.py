"""Ties a stream to the answer that it belongs to, by the generator itself.

LlamaIndex asks the model when a stream is read: perhaps in another thread, task or context, after other calls, beside
another stream, or never. Hence a response that holds a generator is given one that names the answer while a token is
made. It is a generator too, and reads no further than its reader does.
"""

from __future__ import annotations

import functools
from collections.abc import AsyncGenerator, Generator
from types import AsyncGeneratorType, GeneratorType
from typing import Any, Final
from weakref import WeakKeyDictionary

from datahub_llmops.hooks import patching, runtime
from datahub_llmops.hooks.guard import guarded
from datahub_llmops.hooks.llamaindex.spans import Span, current_span
from datahub_llmops.hooks.parts import Answer

_STREAMS: Final = ("response_gen", "chat_stream", "achat_stream")
_tied: Final[WeakKeyDictionary[Any, Span]] = WeakKeyDictionary()


def hook_response(kind: type) -> None:
    """Have a class of streaming responses tie what it is given to the answer that makes it."""
    if not patching.wrap(kind, "__init__", _tie_after) and not patching.is_wrapped(
        vars(kind).get("__init__")
    ):
        runtime.degraded[f"llama-index: {kind.__name__} (the model of a stream is an answer of its own)"] = 1


def _tie_after(function: Any) -> Any:
    @functools.wraps(function)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        function(self, *args, **kwargs)
        if runtime.enabled:
            _tie(self)

    return __init__


@guarded("llamaindex.tie")
def _tie(response: Any) -> None:
    above = current_span()
    own = response.__dict__
    for name in _STREAMS:
        stream = own.get(name)
        if above is None or stream in _tied:
            continue
        span = Span(None, above.answer, above, root=False)  # A reference to the response would be a cycle.
        if type(stream) is GeneratorType:
            own[name] = _read(stream, span)
        elif type(stream) is AsyncGeneratorType:
            own[name] = _read_later(stream, span)
        else:
            continue
        _tied[own[name]] = span


def find_stream(response: Any) -> Span | None:
    """Return the stream that a chat response writes into the history of the chat."""
    own = getattr(response, "__dict__", {})
    return next((_tied[own[name]] for name in _STREAMS if own.get(name) in _tied), None)


def _read(stream: Generator[Any, Any, Any], span: Span) -> Generator[Any, None, Any]:
    try:
        while True:
            before = runtime.read_stream.get()
            runtime.read_stream.set(span)
            try:
                token = next(stream)
            except StopIteration as stop:
                _finish(span, None)
                return stop.value
            finally:
                runtime.read_stream.set(before)
            yield token
    except BaseException as error:
        stream.close()
        _finish(span, error)
        raise


async def _read_later(stream: AsyncGenerator[Any, Any], span: Span) -> AsyncGenerator[Any, None]:
    try:
        while True:
            before = runtime.read_stream.get()
            runtime.read_stream.set(span)
            try:
                token = await anext(stream)
            except StopAsyncIteration:
                _finish(span, None)
                return
            finally:
                runtime.read_stream.set(before)
            yield token
    except BaseException as error:
        await stream.aclose()
        _finish(span, error)
        raise


@guarded("llamaindex.stream_end")
def _finish(span: Span, error: BaseException | None) -> None:
    """End an answer again once its stream is read, left or broken: until then it has no text and no model."""
    answer = span.answer
    if not isinstance(answer, Answer) or answer.ended is None:
        return
    if answer.explicit or error is None:
        runtime.end_root(answer)
    else:
        runtime.end_root(answer, *runtime.describe_error(error))
