"""What a door needs to know, as plain values of a recipe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class FilesOptions:
    """Where the objects are.

    ``files`` are folders, which mean everything below, or patterns with ``*`` and ``**``. ``storage`` is passed to
    fsspec's file system: keys, an endpoint. ``max_days`` is how far back is read.
    """

    files: tuple[str, ...]
    storage: Mapping[str, Any] = field(default_factory=dict)
    max_days: int = 30
