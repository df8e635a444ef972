"""Never hurt the host: the one place of the package that catches everything.

Whatever goes wrong inside the hooks is counted, warned about once a place, and forgotten; the application sees its
own result. Our own tests set ``reraise`` instead, so that a mistake of ours is seen there and nowhere else.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import TracebackType
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

reraise = False
"""Set by the conftest of this package alone; an application's own tests never see our mistakes."""

errors: dict[str, int] = {}
"""How often something went wrong, by place."""

places: dict[str, Callable[..., object]] = {}
"""Every guarded entry point by the name it is counted under; the fault tests go through all of them."""


def caught(place: str, error: BaseException) -> None:
    """Count ``error``, warn the first time at ``place``. The warning names types and lines, never a value."""
    count = errors.get(place, 0)
    errors[place] = count + 1
    if count == 0:
        try:
            import logging
        except ImportError:  # Python takes its modules apart: nobody can be told any more.
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
            place,
            line,
        )


def guarded(place: str) -> Callable[[Callable[P, R]], Callable[P, R | None]]:
    """Decorator: an exception inside becomes ``None``. Cancellation and exit pass, they are not ours to stop."""

    def decorate(function: Callable[P, R]) -> Callable[P, R | None]:
        @functools.wraps(function)
        def run(*args: P.args, **kwargs: P.kwargs) -> R | None:
            try:
                return function(*args, **kwargs)
            except Exception as error:
                if reraise:
                    raise
                caught(place, error)
                return None

        places[place] = run
        return run

    return decorate


class shield:
    """The same for a block: ``with shield("import")``. Errors of kinds in ``passing`` are the caller's."""

    __slots__ = ("_passing", "_place")

    def __init__(self, place: str, passing: tuple[type[Exception], ...] = ()) -> None:
        self._place = place
        self._passing = passing

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if isinstance(error, Exception) and not reraise and not isinstance(error, self._passing):
            caught(self._place, error)
            return True
        return False
