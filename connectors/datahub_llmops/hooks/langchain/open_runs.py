"""LangChain's open runs: which answer a run belongs to, and which retriever encloses it.

Most runs are mere nodes of the tree; such a run maps to the entry of its parent. Keys are the numbers of the run ids,
because a ``UUID`` is hashed and compared in Python, at every event.
"""

from __future__ import annotations

import time
from contextvars import ContextVar
from typing import Any
from uuid import UUID

from datahub_llmops.hooks import runtime
from datahub_llmops.hooks.parts import Answer, ModelCall, Part, Retrieval, Skipped


class Root:
    """A chain, graph or agent that is the root of an answer, or of a part of one that the user has opened."""

    __slots__ = ("answer", "key", "root", "started")

    def __init__(self, answer: Answer | Skipped, key: int, root: bool) -> None:
        self.answer = answer
        self.key = key
        self.root = root
        self.started = time.time()


class OpenRuns(dict[int, Any]):
    """Maps a run id to its part of the answer; a run that is not a part maps to that of its nearest ancestor."""

    __slots__ = ("_child_config",)

    def __init__(self) -> None:
        super().__init__()
        self._child_config: ContextVar[Any] | None = None

    def look_up(self, module: Any) -> None:
        """Find the variable of ``langchain_core.runnables.config`` that holds the config of the enclosing run."""
        variable = getattr(module, "var_child_runnable_config", None)
        self._child_config = variable if isinstance(variable, ContextVar) else None

    def enclosing(self, above: UUID | None) -> tuple[Answer | Skipped, bool, Part | None]:
        """Return the answer of a new run, whether the run is its root, and the enclosing retrieval or model call.

        ``above`` is the id of the run that it was begun in.
        """
        # Attempts of a fallback have no parent; the config around them has.
        parent = self._parent_in_config() if above is None else above.int
        entry = self.get(parent)
        if entry is not None:
            inside = type(entry) is Retrieval or (type(entry) is ModelCall and entry.key != parent)
            return entry.answer, False, entry if inside else None
        outer = runtime.current_retrieval.get()
        if outer is not None and outer.ended is None:
            return outer.answer, False, outer  # A retriever that does not pass its callbacks on.
        if len(self) >= runtime.MAX_OPEN:
            self.sweep()
        return runtime.enter_answer("langchain")

    def find_enclosing(self) -> tuple[Answer | Skipped, Part | None] | None:
        """Return the answer of the run that calls this code, and the retrieval that it is, for the other framework."""
        entry = runtime.current_retrieval.get()
        if entry is None or entry.ended is not None:
            entry = self.get(self._parent_in_config())
        return None if entry is None else (entry.answer, entry if type(entry) is Retrieval else None)

    def _parent_in_config(self) -> Any:
        variable = self._child_config
        config = variable.get() if variable is not None else None
        enclosing = getattr(config.get("callbacks"), "parent_run_id", None) if config else None
        return None if enclosing is None else enclosing.int

    def end(self, run: int) -> Any:
        """Remove a run and return its part; ``None`` for a run that is not a part."""
        entry = self.pop(run, None)
        return entry if entry is not None and entry.key == run else None

    def sweep(self) -> None:
        """Give up what never ends."""
        if self:
            runtime.sweep(self, _start_of)


def _start_of(key: Any, entry: Any) -> float | None:
    """Return when a run began; for a run that is not a part, when its answer ended."""
    start = entry.started if entry.key == key else getattr(entry.answer, "ended", None)
    return start if isinstance(start, float) else None
