"""Never hurt the host: what catches everything is here, and where LangChain's events arrive, since each call counts.

An error inside the hooks is counted, logged once per entry point, and forgotten; the application gets its own result.
Our own tests set ``reraise``, so that our mistakes show there and nowhere else.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import TracebackType
from typing import Final, ParamSpec, TypeVar

from datahub_llmops.hooks import native_threads

P = ParamSpec("P")
R = TypeVar("R")

reraise = False
"""Set by the tests of this package alone; an application's own tests never see our mistakes."""

errors: dict[str, int] = {}
"""Counts errors by the name of the entry point."""

_counting = native_threads.allocate_lock()
_PATIENCE: Final = 0.05
"""Seconds."""

entry_points: dict[str, Callable[..., object]] = {}
"""Every guarded function by its name; the fault tests go through all of them."""


def pass_over(name: str, error: Exception) -> None:
    """Handle an error of a function that its caller guards: report it, or raise it again in our own tests."""
    if reraise:
        raise error
    report(name, error)


def report(name: str, error: BaseException) -> None:
    """Count ``error``, and log the first one of ``name``. The warning names types and lines, never a value."""
    if _count(name) == 0:
        try:
            import logging
        except ImportError:  # Python is shutting down and has unloaded its modules.
            return
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        line = (
            f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace is not None else "unknown line"
        )
        logging.getLogger("datahub_llmops.hooks").warning(
            "datahub-llmops: %s at %s (%s). The application is not affected, what this hook would have recorded is"
            " lost; further errors here are only counted in stats().",
            type(error).__name__,
            name,
            line,
        )


def _count(name: str) -> int:
    """Count an error of ``name``, and return how many there were before."""
    # A process that was forked by another thread may find the lock held for ever.
    held = native_threads.acquire(_counting, _PATIENCE)
    try:
        before = errors.get(name, 0)
        errors[name] = before + 1
        return before
    finally:
        if held:
            _counting.release()


class guarded:
    """Guards a function as a decorator, and a block as ``with guarded("name"):``.

    A guarded function returns ``None`` after an error. Cancellation and exit pass: they are not ours to stop. So do
    errors of the classes in ``passing``, which a block leaves to its caller.
    """

    __slots__ = ("_name", "_passing")

    def __init__(self, name: str, passing: tuple[type[Exception], ...] = ()) -> None:
        self._name = name
        self._passing = passing

    def __call__(self, function: Callable[P, R]) -> Callable[P, R | None]:
        name = self._name

        @functools.wraps(function)
        def run(*args: P.args, **kwargs: P.kwargs) -> R | None:
            try:
                return function(*args, **kwargs)
            except Exception as error:
                if reraise:
                    raise
                report(name, error)
                return None

        entry_points[name] = run
        return run

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if isinstance(error, Exception) and not reraise and not isinstance(error, self._passing):
            report(self._name, error)
            return True
        return False
