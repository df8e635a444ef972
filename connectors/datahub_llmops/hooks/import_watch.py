"""Calls back when a module is imported, so that attaching imports no framework.

``llama_index.core`` alone takes more than a second. A finder in front of ``sys.meta_path`` lets the other finders find
the module and calls back after it has been executed; nothing of ours stays on the module or its loader.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

from datahub_llmops.hooks import guard

if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec


class Finder:
    """Waits for modules by name."""

    def __init__(self) -> None:
        self.waiting: dict[str, list[Callable[[], None]]] = {}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of the other finders, with a loader that calls back."""
        if fullname not in self.waiting:
            return None
        for finder in sys.meta_path:
            if finder is self or not hasattr(finder, "find_spec"):
                continue
            spec: ModuleSpec | None = finder.find_spec(fullname, path, target)
            if spec is not None:
                with guard.guarded("imports"):
                    self._listen(fullname, spec)
                return spec
        return None

    def _listen(self, name: str, spec: Any) -> None:
        loader = spec.loader
        execute = loader.exec_module

        def exec_module(module: ModuleType) -> None:
            del loader.exec_module
            execute(module)
            self.arrived(name)

        loader.exec_module = exec_module

    def arrived(self, name: str) -> None:
        """Call everything that waits for ``name``."""
        for call in self.waiting.pop(name, []):
            with guard.guarded(f"hook.{name}"):
                call()

    def when(self, name: str, call: Callable[[], None]) -> None:
        """Call now if ``name`` has been imported, else after its import."""
        module = sys.modules.get(name)
        spec = getattr(module, "__spec__", None)
        if module is not None and not getattr(spec, "_initializing", False):
            with guard.guarded(f"hook.{name}"):
                call()
            return
        self.waiting.setdefault(name, []).append(call)
        if not any(one is self for one in sys.meta_path):
            sys.meta_path.insert(0, self)

    def stop(self) -> None:
        """Stop waiting."""
        self.waiting.clear()
        sys.meta_path[:] = [one for one in sys.meta_path if one is not self]
