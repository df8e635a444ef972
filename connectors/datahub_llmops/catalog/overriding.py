"""The decorator ``override`` for modules that every command loads.

Importing ``typing_extensions`` takes a fifth of the time in which a command starts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from typing_extensions import override as override
else:
    _T = TypeVar("_T")

    def override(method: _T) -> _T:
        """Mark a method that overrides one of its base class, for type checkers."""
        return method
