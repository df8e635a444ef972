"""What every answer of a catalog can do: become plain JSON, in one way for the command and for programs."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from typing import Any


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
