"""LangChain's runs that have begun and not ended: which answer a run belongs to, and inside which retriever it is.

A run that is nothing but a place in the tree, as most are, is known by the entry of its parent. Keys are the numbers of
the run ids: a ``UUID`` is hashed and compared in Python, at every event.
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
    """By id: the part of the answer that a run is, or that of the nearest run above it which is one."""

    __slots__ = ("_child_config",)

    def __init__(self) -> None:
        super().__init__()
        self._child_config: ContextVar[Any] | None = None

    def look_up(self, module: Any) -> None:
        """Find the variable of ``langchain_core.runnables.config`` that holds the config of the run around."""
        variable = getattr(module, "var_child_runnable_config", None)
        self._child_config = variable if isinstance(variable, ContextVar) else None

    def place(self, parent: int | None) -> tuple[Answer | Skipped, bool, Retrieval | None]:
        """Answer, whether the run is its root, and the retriever that it runs inside."""
        if parent is None:
            # A fallback's attempts carry no parent; the config that surrounds them does.
            variable = self._child_config
            config = variable.get() if variable is not None else None
            if config:
                surrounding = getattr(config.get("callbacks"), "parent_run_id", None)
                parent = None if surrounding is None else surrounding.int
        held = self.get(parent) if parent is not None else None
        if held is not None:
            return held.answer, False, held if type(held) is Retrieval else None
        if len(self) >= runtime.MAX_OPEN:
            self.sweep()
        return runtime.enter("langchain"), True, None

    def end(self, run: int) -> Any:
        """What the run was; nothing for one that is known by its parent's entry."""
        held = self.pop(run, None)
        return held if held is not None and held.key == run else None

    def sweep(self) -> None:
        """Give up what never ends."""
        if self:
            runtime.sweep(self, _begun)


def _begun(key: Any, held: Any) -> float | None:
    """When a run began; of one that is known by its parent's entry, when its answer ended."""
    begun = held.started if held.key == key else getattr(held.answer, "ended", None)
    return begun if isinstance(begun, float) else None
