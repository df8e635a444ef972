"""Which refusals Weave means, and which say nothing."""

from __future__ import annotations

from typing import Any

import pytest

from datahub_llmops.prompt_registries.weave.client import absent
from prompt_registries.weave.recordings import recorded

_FORBIDDEN = {"type": "extra_forbidden", "loc": ["body", "limit"]}


@pytest.mark.parametrize(
    ("file", "number", "says"),
    [
        ("obj_read", 1, True),
        ("obj_read", 2, True),
        ("refused", 0, True),
        ("refused", 1, False),
        ("refused", 2, False),
    ],
    ids=["deleted", "never there", "an unknown option", "no such path", "no project"],
)
def test_what_the_recorded_server_says_does_not_exist(file: str, number: int, *, says: bool) -> None:
    answer = recorded(file)[number]["response"]
    assert absent(answer["status"], answer["body"]) is says


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (404, None),
        (404, "Obj p:latest not found"),
        (404, {"reason": "Project acme/rag-bot not found"}),
        (400, {"reason": "Obj p:latest not found"}),
        (422, {"detail": [_FORBIDDEN]}),
        (422, {"detail": "include_tags_and_aliases"}),
        (422, {"detail": [{"type": "bool_type", "loc": ["body", "include_tags_and_aliases"]}]}),
    ],
)
def test_everything_else_says_nothing(status: int, answer: Any) -> None:
    assert not absent(status, answer)
