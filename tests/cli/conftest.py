"""The estate of ``runs``, with answers to ask for."""

from __future__ import annotations

from runs.conftest import world

__all__ = ["world"]
