"""Limits for calls to other systems: a deadline for each call, retries with pauses, and a circuit breaker.

Every client of this package uses them, whatever its protocol. A deadline covers a call as a whole, with all its
retries, because the time-outs of most libraries cover a single read: a server that sends one byte a second keeps them
busy for ever. How it is enforced depends on what can be stopped:

- A ``Deadline`` is passed down to a socket or library that can be asked to stop by itself.
- ``watchdog`` stops a call from outside, for example by shutting down its socket.
- ``within`` abandons a call that nothing can stop.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from datahub_llmops.errors import ConnectorError, UnreachableError

logger = logging.getLogger(__name__)

T = TypeVar("T")

BREAK_AFTER: Final = 10
"""Failed calls in a row after which a server is taken to be down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadline:
    """The moment ``at`` on a monotonic clock by which a call has to end."""

    at: float
    clock: Callable[[], float] = time.monotonic

    @classmethod
    def after(cls, seconds: float, clock: Callable[[], float] = time.monotonic) -> Deadline:
        return cls(at=clock() + seconds, clock=clock)

    def left(self) -> float:
        """Seconds until the deadline; zero or negative once it has passed."""
        return self.at - self.clock()


def within(seconds: float, call: Callable[[], T]) -> T:
    """Return the result of ``call``, which runs in a thread of its own.

    Raises:
        TimeoutError: it took longer than ``seconds``. The thread goes on, but nobody waits for it.
        BaseException: whatever ``call`` raises.
    """
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(call())
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread, whatever it is
            errors.append(error)

    thread = threading.Thread(target=run, name="datahub-llmops-call", daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not results:
        raise TimeoutError
    return results[0]


@contextmanager
def watchdog(seconds: float, stop: Callable[[], None]) -> Iterator[threading.Event]:
    """Call ``stop`` from another thread if the block runs longer than ``seconds``.

    Yields an event that is set before ``stop`` is called.
    """
    expired = threading.Event()

    def expire() -> None:
        expired.set()
        stop()

    timer = threading.Timer(seconds, expire)
    timer.daemon = True
    timer.start()
    try:
        yield expired
    finally:
        timer.cancel()


class Breaker:
    """A circuit breaker: open after ``limit`` failures in a row, closed again by a success. Thread-safe."""

    def __init__(self, limit: int = BREAK_AFTER) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self.failures = 0
        """Failures since the last success."""

    @property
    def is_open(self) -> bool:
        return self.failures >= self._limit

    def record(self, *, failed: bool) -> None:
        with self._lock:
            self.failures = self.failures + 1 if failed else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An attempt without a usable answer."""

    error: type[ConnectorError]
    what: str
    """What went wrong and what to do about it, as the rest of a sentence that begins with the name of the call."""
    again: bool = False
    """Another attempt may succeed."""
    wait: float | None = None
    """Seconds that the server asked to wait for (Retry-After)."""
    broken: bool = False
    """The server itself may be down, so the failure counts for the breaker."""
    late: bool = False
    """The deadline of the call cut the attempt off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Success(Generic[T]):
    value: T


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempts:
    """How the calls to one server are made: ``timeout`` seconds each, and up to ``retries`` attempts after the first.

    The pause before the first retry is ``backoff`` seconds and doubles with each one; up to half of it is left out at
    random, so that many clients do not come back all at once.
    """

    timeout: float
    retries: int
    backoff: float
    breaker: Breaker = field(default_factory=Breaker)
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def call(
        self,
        name: str,
        attempt: Callable[[Deadline], Success[T] | Failure],
        *,
        separator: str = " ",
        repeatable: bool = True,
    ) -> T:
        """Return the value of the first attempt that succeeds. Error messages are ``name separator what``.

        Raises:
            UnreachableError: the breaker is open, so nothing was sent.
            ConnectorError: the error of the failure that ended the call.
        """
        if self.breaker.is_open:
            raise UnreachableError(
                f"{name}{separator}was not sent: the last {self.breaker.failures} calls failed, one after the other. "
                "Check that the server is healthy, then run again."
            )
        deadline = Deadline.after(self.timeout, self.clock)
        tries = 0
        earlier: Failure | None = None
        while True:
            tries += 1
            result = attempt(deadline)
            if isinstance(result, Success):
                self.breaker.record(failed=False)
                return result.value
            if result.late:
                break
            earlier = result
            pause = self._pause(tries, result.wait)
            if not (result.again and repeatable) or tries > self.retries or pause >= deadline.left():
                break
            logger.debug("%s%s%s; next attempt in %.1f s", name, separator, result.what, pause)
            self.sleep(pause)
        self.breaker.record(failed=result.broken)
        # What the server said earlier explains more than that there was no time for another attempt.
        reported = earlier or result
        cut = f", the last one cut off after {self.timeout:g} s in all" if reported is not result else ""
        times = f" ({tries} tries{cut})" if tries > 1 else ""
        raise reported.error(f"{name}{separator}{reported.what}{times}.")

    def _pause(self, tries: int, asked: float | None) -> float:
        return asked if asked is not None else self.backoff * 2 ** (tries - 1) * (0.5 + random.random() / 2)
