"""Turns LlamaIndex's events into prompts and model calls."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Final

from datahub_llmops.hooks import prompt_identity, runtime
from datahub_llmops.hooks.guard import guarded
from datahub_llmops.hooks.llamaindex.spans import Span, open_calls, own_span, spans, sweep
from datahub_llmops.hooks.parts import (
    Answer,
    ModelCall,
    Prompt,
    Skipped,
    add_part,
    add_system_prompt,
    get_fast,
    text_of,
)
from datahub_llmops.hooks.token_usage import find_tokens, get_value, read_fingerprint


@guarded("llamaindex.prompt")
def _prompt(event: Any) -> None:
    span = spans.get(event.span_id)
    if span is None or not isinstance(span.answer, Answer):
        return
    answer = span.answer
    span = own_span(event.span_id, span)
    identity = prompt_identity.identify_prompt(get_fast(event.template, "metadata"))
    template = prompt_identity.read_llamaindex(event.template)
    for known in reversed(answer.parts):
        if type(known) is Prompt and known.template == template and known.identity == identity:
            span.prompt = known
            return
    prompt = Prompt(answer, event.span_id, identity, template, "human")
    prompt.ended = prompt.started
    add_part(answer, prompt)
    span.prompt = prompt


@guarded("llamaindex.model_start")
def _model_start(event: Any) -> None:
    key = event.span_id
    span = spans.get(key)
    root = False
    if span is not None:
        if span.call is not None:
            return  # A chat that completes, or an asynchronous call that makes a synchronous one, is one call.
        span = own_span(key, span)
        answer: Answer | Skipped = span.answer
    else:
        answer, root, _ = runtime.enter_answer("llama-index")
    if not isinstance(answer, Answer):
        return
    described = event.model_dict
    call = ModelCall(answer, key)
    call.root = root
    asked = described.get("model_name") or described.get("model")
    call.asked = asked if isinstance(asked, str) and asked != "unknown" else None
    call.provider = _provider(described.get("class_name"))
    if span is not None:
        span.call = call
        call.prompt = span.prompt
    if call.prompt is None:
        call.prompt = _system(answer, event)
    stream: Span | None = runtime.read_stream.get()
    if stream is not None and stream.answer is answer:
        stream.call = call  # Some models ask another one while their tokens are read, when this span is over.
    add_part(answer, call)
    if len(open_calls) >= runtime.MAX_OPEN:
        sweep()
    open_calls[key] = call


def _system(answer: Answer, event: Any) -> Prompt | None:
    """Return the system message as a prompt: agents and chat engines render no template."""
    messages = get_fast(event, "messages")
    first = messages[0] if messages else None
    role = getattr(first, "role", None)
    content = getattr(first, "content", None)
    if getattr(role, "value", role) != "system" or not isinstance(content, str):
        return None
    return add_system_prompt(answer, None, content)


@functools.lru_cache(256)
def _provider(name: object) -> str | None:
    if not isinstance(name, str):
        return None
    return name.lower().removesuffix("_llm").removesuffix("llm").removesuffix("_") or None


@guarded("llamaindex.model_end")
def _model_end(event: Any) -> None:
    call = _take_call(event)
    if call is None:
        return
    response = event.response
    if response is not None:
        raw = get_fast(response, "raw")
        message = get_fast(response, "message")
        found = find_tokens(raw) if raw else None
        if not found:
            more = get_fast(response, "additional_kwargs"), get_fast(message, "additional_kwargs")
            found = find_tokens(*more) or (find_tokens(get_value(raw, "meta")) if raw else None)
        call.usage = found or call.usage
        if raw is not None:
            served = get_value(raw, "model") or get_value(raw, "model_version")
            call.served = served if isinstance(served, str) else call.served
            call.fingerprint = read_fingerprint(raw) or call.fingerprint
        text = text_of(message or response)
        if text is not None and isinstance(call.answer, Answer):
            call.answer.text = text
    runtime.end_part(call)


@guarded("llamaindex.model_error")
def _stream_error(event: Any) -> None:
    """End a model call whose stream was left or has failed. That of any other call ends with its span."""
    call = _take_call(event)
    if call is None:
        return
    status, error = runtime.describe_error(event.exception)
    runtime.end_part(call, status, error)
    if isinstance(call.answer, Answer) and call.answer.ended is not None:
        runtime.end_root(call.answer, status, error)


def _take_call(event: Any) -> ModelCall | None:
    call = open_calls.pop(event.span_id, None)
    span = spans.get(event.span_id)
    if span is not None:
        span.call = None
    stream: Span | None = runtime.read_stream.get()
    if stream is not None and stream.call is call:
        stream.call = None
    return call


EVENTS: Final[dict[str, Callable[[Any], Any]]] = {
    "LLMPredictStartEvent": _prompt,
    "LLMStructuredPredictStartEvent": _prompt,
    "LLMChatStartEvent": _model_start,
    "LLMCompletionStartEvent": _model_start,
    "LLMChatEndEvent": _model_end,
    "LLMCompletionEndEvent": _model_end,
    "ExceptionEvent": _stream_error,
}
"""By the class of the event. Events that occur once a token are left out."""
