"""Matches the regular expressions of a recipe within a limit of time: some take for ever on an unlucky text.

Python's own ``re`` cannot be stopped, not even from another thread, because it holds the interpreter while it searches.
The library ``regex`` understands the same expressions and takes a time-out. https://github.com/mrabarnett/mrab-regex
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import regex  # type: ignore[import-untyped]  # ships no types
from datahub.configuration.common import AllowDenyPattern

from datahub_llmops.errors import PatternError

SECONDS: Final = 5.0
"""How long one expression may search one text."""


def full_match(pattern: str, text: str, *, seconds: float | None = None) -> dict[str, str | None] | None:
    """Return the named groups of an expression over the whole ``text``, or ``None`` if it does not match.

    Raises:
        PatternError: it took longer than ``seconds``.
    """
    compiled = regex.compile(pattern)
    found = _search(pattern, compiled.fullmatch, text, SECONDS if seconds is None else seconds)
    return None if found is None else found.groupdict()


def is_allowed(pattern: AllowDenyPattern, text: str) -> bool:
    """Whether a filter of a recipe lets ``text`` through, as ``AllowDenyPattern.allowed`` decides.

    Raises:
        PatternError: one of its expressions took too long.
    """
    flags = regex.IGNORECASE if pattern.ignoreCase else 0

    def matches(expression: str) -> bool:
        return _search(expression, regex.compile(expression, flags).match, text, SECONDS) is not None

    return not any(map(matches, pattern.deny)) and any(map(matches, pattern.allow))


def _search(expression: str, search: Callable[..., Any], text: str, seconds: float) -> Any:
    try:
        # With a timeout of zero there would be no limit.
        return search(text, timeout=max(seconds, 0.001))
    except TimeoutError:
        raise PatternError(
            f"the regular expression {expression!r} takes too long. Write it without a repetition inside of a "
            "repetition, as in (a+)+"
        ) from None
