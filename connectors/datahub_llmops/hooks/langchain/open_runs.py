"""LangChain's open runs: which answer a run belongs to, and which retriever encloses it.

Most runs are mere nodes of the tree; such a run maps to the entry of its parent. Keys are the numbers of the run ids,
because a ``UUID`` is hashed and compared in Python, at every event.
"""

from __future__ import annotations

import time
from contextvars import ContextVar
from typing import Any

from datahub_llmops.hooks import runtime
from datahub_llmops.hooks.parts import Answer, Retrieval, Skipped


class Root:
    """A chain, graph or agent that is the root of an answer, or of a part of one that the user has opened."""

    __slots__ = ("answer", "key", "root", "started")

    def __init__(self, answer: Answer | Skipped, key: int, root: bool) -> None:
        self.answer = answer
        self.key = key
        self.root = root
        self.started = time.time()


class OpenRuns(dict[int, Any]):
    """Maps a run id to its part of the answer; a run that is no part maps to that of its nearest ancestor."""

    __slots__ = ("_child_config",)

    def __init__(self) -> None:
        super().__init__()
        self._child_config: ContextVar[Any] | None = None

    def look_up(self, module: Any) -> None:
        """Find the variable of ``langchain_core.runnables.config`` that holds the config of the enclosing run."""
        variable = getattr(module, "var_child_runnable_config", None)
        self._child_config = variable if isinstance(variable, ContextVar) else None

    def enclosing(self, parent: int | None) -> tuple[Answer | Skipped, bool, Retrieval | None]:
        """Return the answer of a new run, whether the run is its root, and the enclosing retrieval."""
        if parent is None:
            # Attempts of a fallback have no parent; the config around them has.
            variable = self._child_config
            config = variable.get() if variable is not None else None
            if config:
                enclosing = getattr(config.get("callbacks"), "parent_run_id", None)
                parent = None if enclosing is None else enclosing.int
        entry = self.get(parent) if parent is not None else None
        if entry is not None:
            return entry.answer, False, entry if type(entry) is Retrieval else None
        if len(self) >= runtime.MAX_OPEN:
            self.sweep()
        return runtime.enter_answer("langchain"), True, None

    def end(self, run: int) -> Any:
        """Remove a run and return its part; ``None`` for a run that is no part."""
        entry = self.pop(run, None)
        return entry if entry is not None and entry.key == run else None

    def sweep(self) -> None:
        """Give up what never ends."""
        if self:
            runtime.sweep(self, _start_of)


def _start_of(key: Any, entry: Any) -> float | None:
    """Return when a run began; for a run that is no part, when its answer ended."""
    start = entry.started if entry.key == key else getattr(entry.answer, "ended", None)
    return start if isinstance(start, float) else None
