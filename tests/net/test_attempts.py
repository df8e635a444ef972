"""Deadlines, retries and breakers, by a clock that moves only when it is told to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import pytest

from datahub_llmops.errors import DeniedError, UnreachableError, UnreadableError
from datahub_llmops.net.attempts import (
    BREAK_AFTER,
    Attempts,
    Breaker,
    Deadline,
    Failure,
    Success,
    watchdog,
    within,
)

BUSY = Failure(error=UnreadableError, what="is busy", again=True, broken=True)
DENIED = Failure(error=DeniedError, what="is denied")
LATE = Failure(error=UnreadableError, what="is late", broken=True, late=True)
ANSWER = Success(value=42)


class Clock:
    """Time that passes only by sleeping; ``slept`` are the pauses."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


class Script:
    """Attempts that end as they are told, each after ``seconds``; the last one repeats for ever."""

    def __init__(self, clock: Clock, results: Sequence[Success[int] | Failure], seconds: float = 0.0) -> None:
        self.clock = clock
        self.results = list(results)
        self.seconds = seconds
        self.left: list[float] = []

    def __call__(self, deadline: Deadline) -> Success[int] | Failure:
        self.left.append(deadline.left())
        self.clock.now += self.seconds
        return self.results.pop(0) if len(self.results) > 1 else self.results[0]


def attempts(clock: Clock, **options: Any) -> Attempts:
    given = {"timeout": 10.0, "retries": 3, "backoff": 1.0, **options}
    return Attempts(clock=clock, sleep=clock.sleep, **given)


def test_a_deadline_tells_what_is_left() -> None:
    clock = Clock()
    deadline = Deadline.after(10.0, clock)
    clock.now += 4
    assert deadline.left() == 6.0
    clock.now += 7
    assert deadline.left() == -1.0


def test_the_first_success_is_returned_and_every_attempt_gets_the_same_deadline() -> None:
    clock = Clock()
    script = Script(clock, [BUSY, BUSY, ANSWER], seconds=0.5)
    assert attempts(clock).call("GET /", script) == 42
    assert script.left == pytest.approx([10.0, 9.5 - clock.slept[0], 9.0 - sum(clock.slept)])


def test_pauses_double_and_are_shortened_at_random_by_half_at_most() -> None:
    clock = Clock()
    with pytest.raises(UnreadableError, match=r"^GET / is busy \(4 tries\)\.$"):
        attempts(clock).call("GET /", Script(clock, [BUSY]))
    assert len(clock.slept) == 3
    for pause, longest in zip(clock.slept, (1, 2, 4), strict=True):
        assert longest / 2 <= pause <= longest


def test_a_pause_that_the_server_asks_for_is_kept() -> None:
    clock = Clock()
    asked = Failure(error=UnreadableError, what="is busy", again=True, wait=7.0)
    assert attempts(clock).call("GET /", Script(clock, [asked, ANSWER])) == 42
    assert clock.slept == [7.0]


@pytest.mark.parametrize("wait", [10.0, 3600.0])
def test_there_is_no_attempt_after_the_deadline(wait: float) -> None:
    clock = Clock()
    asked = Failure(error=UnreadableError, what="is busy", again=True, wait=wait)
    with pytest.raises(UnreadableError, match=r"is busy\.$"):
        attempts(clock).call("GET /", Script(clock, [asked, ANSWER]))
    assert clock.slept == []


def test_only_what_may_pass_and_may_be_repeated_is_tried_again() -> None:
    clock = Clock()
    with pytest.raises(DeniedError, match=r"^GET / is denied\.$"):
        attempts(clock).call("GET /", Script(clock, [DENIED]))
    with pytest.raises(UnreadableError, match=r"^POST / is busy\.$"):
        attempts(clock).call("POST /", Script(clock, [BUSY]), repeatable=False)
    assert clock.slept == []


def test_an_attempt_that_was_cut_off_reports_what_an_earlier_one_was_told() -> None:
    clock = Clock()
    with pytest.raises(UnreadableError) as caught:
        attempts(clock).call("GET /", Script(clock, [BUSY, LATE]), separator=": ")
    assert str(caught.value) == "GET /: is busy (2 tries, the last one cut off after 10 s in all)."
    with pytest.raises(UnreadableError, match=r"^GET / is late\.$"):
        attempts(clock).call("GET /", Script(clock, [LATE]))


def test_the_breaker_opens_after_failures_in_a_row_and_then_nothing_is_sent() -> None:
    clock = Clock()
    server = attempts(clock, retries=0)
    for _ in range(BREAK_AFTER):
        with pytest.raises(UnreadableError):
            server.call("GET /", Script(clock, [BUSY]))
    script = Script(clock, [ANSWER])
    with pytest.raises(UnreachableError, match=r"^GET / was not sent: the last 10 calls failed"):
        server.call("GET /", script)
    assert script.left == []


@pytest.mark.parametrize("between", [ANSWER, DENIED])
def test_a_server_that_answers_in_between_is_not_down(between: Success[int] | Failure) -> None:
    clock = Clock()
    server = attempts(clock, retries=0)
    for result in [*[BUSY] * (BREAK_AFTER - 1), between] * 2:
        with suppress(UnreadableError, DeniedError):
            server.call("GET /", Script(clock, [result]))
        assert not server.breaker.is_open


def test_each_server_has_a_breaker_of_its_own() -> None:
    assert attempts(Clock()).breaker is not attempts(Clock()).breaker


def test_a_breaker_counts_failures_in_a_row() -> None:
    breaker = Breaker(3)
    for failed in (True, True, False, True, True):
        breaker.record(failed=failed)
        assert not breaker.is_open
    breaker.record(failed=True)
    assert breaker.is_open


def raising(error: BaseException) -> Callable[[], None]:
    def call() -> None:
        raise error

    return call


def test_within_returns_or_raises_what_the_call_does() -> None:
    assert within(60.0, lambda: 42) == 42
    assert within(60.0, lambda: None) is None
    for error in (ValueError("x"), KeyboardInterrupt()):
        with pytest.raises(type(error)) as caught:
            within(60.0, raising(error))
        assert caught.value is error


def test_within_does_not_wait_for_a_call_without_end() -> None:
    ended = threading.Event()
    with pytest.raises(TimeoutError):
        within(0.01, ended.wait)
    ended.set()


def test_a_watchdog_stops_a_block_that_takes_too_long() -> None:
    stopped = threading.Event()
    with watchdog(0.01, stopped.set) as expired:
        # Without the watchdog this waits for ever: the suite's own time limit is the assertion.
        stopped.wait()
        assert expired.is_set()


def test_a_watchdog_leaves_a_block_alone_that_ends_in_time() -> None:
    # Threads of other tests may end meanwhile, so they are not counted.
    before = set(threading.enumerate())
    with watchdog(3600.0, lambda: pytest.fail("stopped")) as expired:
        (waiting,) = (
            thread for thread in set(threading.enumerate()) - before if isinstance(thread, threading.Timer)
        )
    waiting.join()
    assert not expired.is_set()
