"""A small server that speaks OpenAI's API, so that its real client and what instruments it can run without OpenAI.

Answers are deterministic and follow https://platform.openai.com/docs/api-reference/chat/object and ``.../embeddings``:
another model serves than was asked, tokens are counted with those of the cache and of reasoning, and every call has
counts of its own. The model ``OVERLOADED`` is refused.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from support.stub import Call, Reply, answer_json

SIZE: Final = 8
"""Of a vector."""
SERVED: Final = "-2024-07-18"
"""Suffix of the snapshot that serves a chat model."""
ANSWER: Final = "CANARY-ANSWER forty two"
OVERLOADED: Final = "gpt-4-turbo"
"""One that LlamaIndex knows: it asks for no other."""
ARGUMENT: Final = "CANARY-ARGUMENT"


def embed(text: str) -> list[float]:
    """The vector of a text: any one, but always the same."""
    digest = hashlib.sha256(text.encode()).digest()
    return [byte / 255 for byte in digest[:SIZE]]


@dataclass(slots=True)
class OpenAiServer:
    """Answers as OpenAI; ``answer`` is what a ``Stub`` asks."""

    serial: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def answer(self, call: Call) -> Reply:
        if call.path.endswith("/embeddings"):
            return answer_json(_embeddings(call.json))
        if call.path.endswith("/chat/completions"):
            asked = call.json
            if asked["model"] == OVERLOADED:
                return _refused(asked["model"])
            return self._chat(asked)
        return answer_json({"error": {"message": "unknown path", "type": "invalid_request_error"}}, 404)

    def _chat(self, asked: dict[str, Any]) -> Reply:
        number = next(self.serial)
        head = {
            "id": f"chatcmpl-{number:04d}",
            "created": 1_790_000_000 + number,
            "model": asked["model"] + SERVED,
            "service_tier": "default",
            "system_fingerprint": "fp_0ba0d124f1",
        }
        usage = _usage(number)
        call = _tool_call(asked, number)
        if not asked.get("stream"):
            message: dict[str, Any] = {"role": "assistant", "content": ANSWER, "refusal": None}
            if call is not None:
                message |= {"content": None, "tool_calls": [call]}
            choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _reason(call)}
            return answer_json({**head, "object": "chat.completion", "choices": [choice], "usage": usage})
        deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
        if call is None:
            deltas += [{"content": word} for word in ("CANARY-ANSWER", " forty", " two")]
        else:
            deltas.append({"tool_calls": [{"index": 0, **call}]})
        chunks = [_chunk(head, [{"index": 0, "delta": delta, "finish_reason": None}]) for delta in deltas]
        chunks.append(_chunk(head, [{"index": 0, "delta": {}, "finish_reason": _reason(call)}]))
        if (asked.get("stream_options") or {}).get("include_usage"):
            chunks.append(_chunk(head, []) | {"usage": usage})
        body = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"
        return Reply(body=body.encode(), headers={"Content-Type": "text/event-stream"})


def _usage(number: int) -> dict[str, Any]:
    prompt, completion = 100 + number, 20 + number
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": 64, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 7,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def _tool_call(asked: dict[str, Any], number: int) -> dict[str, Any] | None:
    """A call of the first tool, unless its result is there already."""
    tools = asked.get("tools")
    if not tools or any(one["role"] == "tool" for one in asked["messages"]):
        return None
    function = tools[0]["function"]
    arguments = dict.fromkeys(function["parameters"]["properties"], ARGUMENT)
    return {
        "id": f"call_{number:04d}",
        "type": "function",
        "function": {"name": function["name"], "arguments": json.dumps(arguments)},
    }


def _reason(call: dict[str, Any] | None) -> str:
    return "stop" if call is None else "tool_calls"


def _chunk(head: dict[str, Any], choices: list[dict[str, Any]]) -> dict[str, Any]:
    return {**head, "object": "chat.completion.chunk", "choices": choices, "usage": None}


def _embeddings(asked: dict[str, Any]) -> dict[str, Any]:
    given = asked["input"]
    texts = [given] if isinstance(given, str) else given
    vectors: list[Any] = [embed(text) for text in texts]
    if asked.get("encoding_format") == "base64":
        vectors = [base64.b64encode(struct.pack(f"<{SIZE}f", *vector)).decode() for vector in vectors]
    return {
        "object": "list",
        "data": [
            {"object": "embedding", "index": index, "embedding": vector}
            for index, vector in enumerate(vectors)
        ],
        "model": asked["model"],
        "usage": {"prompt_tokens": 3 * len(texts), "total_tokens": 3 * len(texts)},
    }


def _refused(model: str) -> Reply:
    message = f"CANARY-ERROR: rate limit reached for {model}"
    error = {"message": message, "type": "requests", "param": None, "code": "rate_limit_exceeded"}
    return answer_json({"error": error}, 429)
