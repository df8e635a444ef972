from __future__ import annotations

from dataclasses import FrozenInstanceError
from typing import Any, Final

import pytest

from datahub_llmops.answer_store.recorded import Chunk, ModelCall, RecordedAnswer, Retrieval, ToolCall
from datahub_llmops.spans.quick import quick

CHUNK = {"id": "a"}
TOOL = {"name": "search", "milliseconds": 5, "status": "ok"}
RETRIEVAL: Final[dict[str, Any]] = {
    "retriever": {},
    "index": None,
    "index_number": None,
    "embedding": None,
    "chunks": (),
}
CALL: Final[dict[str, Any]] = {
    "asked": {},
    "served": None,
    "prompt": None,
    "milliseconds": 5,
    "status": "ok",
    "error": None,
    "cached": False,
}
ANSWER = {
    **dict.fromkeys(("version", "framework", "framework_version", "root", "host", "error")),
    **dict.fromkeys(("retrievals", "prompts", "models", "tools"), ()),
    **{"id": "a", "application": "bot", "started": 1.0, "ended": 2.0, "status": "ok", "weight": 1.0},
}


@pytest.mark.parametrize(
    ("made", "values"),
    [
        (Chunk, CHUNK),
        (ToolCall, TOOL),
        (Retrieval, {**RETRIEVAL, "milliseconds": 5, "status": "ok"}),
        (ModelCall, CALL),
        (RecordedAnswer, ANSWER),
    ],
)
def test_what_is_made_quickly_is_an_instance_like_any_other(made: Any, values: dict[str, Any]) -> None:
    make = quick(made)
    one = make(**values)
    assert type(one) is made
    assert one == made(**values)
    assert repr(one) == repr(made(**values))
    with pytest.raises(FrozenInstanceError):
        setattr(one, next(iter(values)), "other")
    with pytest.raises(TypeError):
        make()
    with pytest.raises(TypeError):
        make(**values, other=1)


def test_a_default_that_is_made_anew_is_not_shared() -> None:
    make = quick(Chunk)
    assert make(**CHUNK).place is not make(**CHUNK).place
