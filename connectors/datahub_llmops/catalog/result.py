"""What every answer of a catalog can do: become plain JSON, in one way for the command and for programs."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Collection
from dataclasses import fields, is_dataclass
from typing import Any, Final

from datahub_llmops.catalog.overriding import override

_LONGEST: Final = 100
"""Letters of a text in a ``repr``."""


class Result(ABC):
    """An answer that the command prints with ``--json``."""

    __slots__ = ()

    @abstractmethod
    def to_obj(self) -> dict[str, Any]:
        """Return the answer as plain JSON: dictionaries, lists, strings, numbers, booleans and ``None``."""

    def to_json(self) -> str:
        """Return what the command prints with ``--json``, without its last line break.

        It is ASCII only, so that JSON escapes whatever could control a terminal.
        """
        return json.dumps(self.to_obj(), indent=2)

    @override
    def __repr__(self) -> str:
        """Write the answer in a line: what is said once, and the number of what there are several of."""
        return _shown(self)


def _shown(value: object) -> str:
    if is_dataclass(value):
        parts = ((one.name, getattr(value, one.name)) for one in fields(value) if one.repr)
        said = (f"{name}={_shown(part)}" for name, part in parts if part not in (None, "", (), {}))
        return f"{type(value).__name__}({', '.join(said)})"
    if isinstance(value, Collection) and not isinstance(value, str):
        return f"<{len(value):,}>"
    written = repr(value)
    return written if len(written) <= _LONGEST else f"{written[:_LONGEST]}..."
