"""What the applications of both frameworks have in common."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

IDS: Final = [f"00000000-0000-4000-8000-{number:012d}" for number in range(3)]
"""UUIDs: Qdrant takes no other text."""
OTHER_IDS: Final = [f"00000000-0000-4000-9000-{number:012d}" for number in range(3)]
"""Of the index that is not asked."""
QUESTION: Final = "CANARY-QUESTION what is the answer?"
STORES: Final = ("chroma", "qdrant", "lancedb", "pgvector", "elasticsearch", "milvus")

STAMPED: Final = "stamped"
"""The case whose spans keep what our hooks stamped on them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Where OpenAI's stand-in is, and the engine that a case needs."""

    openai: str
    chroma: str = ""
    qdrant: str = ""
    lancedb: str = ""
    """A folder."""
    pgvector: str = ""
    """A connection string of SQLAlchemy."""
    elasticsearch: str = ""
    milvus: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that an application does."""

    name: str
    run: Callable[[], object]
    answers: int = 1
    """How many our hooks must have seen."""
    fails: bool = False
    """Whether ``run`` raises."""
