"""What is asked for once: by many threads, and after it failed."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from datahub_llmops.errors import UnreachableError
from datahub_llmops.ingestion.once import Once


def test_many_threads_ask_once_and_all_get_it() -> None:
    asked: list[str] = []

    def ask() -> str:
        asked.append("it")
        time.sleep(0.05)
        return f"answer {len(asked)}"

    once = Once(ask)
    with ThreadPoolExecutor(max_workers=8) as pool:
        assert {future.result() for future in [pool.submit(once) for _ in range(8)]} == {"answer 1"}
    assert asked == ["it"]


def test_nothing_is_an_answer_too() -> None:
    asked: list[str] = []
    once = Once(lambda: asked.append("it"))
    once()
    once()
    assert asked == ["it"]


def test_what_failed_is_asked_anew() -> None:
    answers: list[str | Exception] = [UnreachableError("refused"), "there"]

    def ask() -> str:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    once = Once(ask)
    with pytest.raises(UnreachableError):
        once()
    assert [once(), once()] == ["there", "there"]
