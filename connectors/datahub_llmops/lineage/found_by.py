"""How an edge was found. Plain data, so that sources without SQL need not load its parser."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

FoundBy: TypeAlias = Literal[
    "declared",
    "payload",
    "hook",
    "trace",
    "span attribute",
    "recipe rule",
    "database span",
    "id probe",
    "registry",
    "digest",
]
"""How an edge was found.

``trace``: a tool, or a span, saw the application use it. Spans rarely name an index; then the edge says how it was
found: ``span attribute``, the hooks stamped it; ``recipe rule``, the recipe says so; ``database span``, the span of the
store's client names it; ``id probe``, it is the only index that has the ids of the retrieved chunks. ``registry``: a
registry of prompts states it. ``digest``: both ends have one template.
"""

WAYS: Final[tuple[FoundBy, ...]] = (
    "declared",
    "payload",
    "hook",
    "trace",
    "span attribute",
    "recipe rule",
    "database span",
    "id probe",
    "registry",
    "digest",
)
"""Every ``FoundBy``, in the order in which an edge lists them."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Input:
    """A dataset that feeds a collection, and how it was found.

    ``chunks`` counts the chunks whose payload names the dataset. It is ``None`` if no payload does.
    """

    urn: str
    found_by: tuple[FoundBy, ...]
    chunks: int | None = None
