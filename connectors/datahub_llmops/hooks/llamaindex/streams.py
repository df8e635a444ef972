"""Ties a stream to the answer that it belongs to, by the generator itself.

LlamaIndex asks the model when a stream is read: perhaps in another thread, task or context, after other calls, beside
another stream, or never. Hence a response that holds a generator is given one that names the answer while a token is
made. It reads no further than its reader does. Other tracers find a stream again by its generator, so what the response
is given equals that generator and passes for one.
"""

from __future__ import annotations

import functools
from collections.abc import AsyncGenerator, Generator
from types import AsyncGeneratorType, GeneratorType
from typing import Any, Final

from typing_extensions import override

from datahub_llmops.hooks import patching, runtime
from datahub_llmops.hooks.guard import guarded
from datahub_llmops.hooks.llamaindex.spans import Span, current_span
from datahub_llmops.hooks.parts import Answer

_STREAMS: Final = ("response_gen", "chat_stream", "achat_stream")


def hook_response(kind: type) -> None:
    """Have a class of streaming responses tie what it is given to the answer that makes it."""
    if not patching.wrap(kind, "__init__", _tie_after) and not patching.is_wrapped(
        vars(kind).get("__init__")
    ):
        runtime.degraded[
            f"llama-index: {kind.__name__} (the model of a stream counts as a separate answer)"
        ] = 1


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
    if above is None:
        return
    own = response.__dict__
    for name in _STREAMS:
        stream = own.get(name)
        kind = type(stream)
        if kind is GeneratorType or kind is AsyncGeneratorType:
            runtime.streams_read = True
            # A reference to the response would be a cycle.
            span = Span(None, above.answer, above, root=False)
            own[name] = Stream(stream, span) if kind is GeneratorType else AsyncStream(stream, span)


def find_stream(response: Any) -> Span | None:
    """Return the stream that a chat response writes into the history of the chat."""
    own = getattr(response, "__dict__", {})
    for name in _STREAMS:
        stream: Any = own.get(name)
        if type(stream) in (Stream, AsyncStream):
            return stream.span  # type: ignore[no-any-return]  # one of ours
    return None


class _Tied:
    """A generator that reads a stream, in place of that stream, and equal to it."""

    __slots__ = ("__weakref__", "_stream", "reader", "span")

    _stream: Any
    reader: Any
    span: Span

    @property  # type: ignore[misc]  # a generator for ``isinstance`` and ``inspect``
    @override
    def __class__(self) -> type:
        return type(self._stream)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.reader, name)

    @override
    def __eq__(self, other: object) -> bool:
        return other is self or other is self._stream

    @override
    def __hash__(self) -> int:
        return hash(self._stream)


class Stream(_Tied):
    """A generator in place of another."""

    __slots__ = ()

    def __init__(self, stream: Any, span: Span) -> None:
        self._stream, self.span, self.reader = stream, span, _read(stream, span)

    def __iter__(self) -> Any:
        return self.reader

    def __next__(self) -> Any:
        return next(self.reader)


class AsyncStream(_Tied):
    """An asynchronous generator in place of another."""

    __slots__ = ()

    def __init__(self, stream: Any, span: Span) -> None:
        self._stream, self.span, self.reader = stream, span, _read_later(stream, span)

    def __aiter__(self) -> Any:
        return self.reader

    def __anext__(self) -> Any:
        return self.reader.__anext__()


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
