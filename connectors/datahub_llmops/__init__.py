"""DataHub plugin for LLM systems: vector indexes, embedding jobs, prompts and retrievers, with lineage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datahub_llmops.api import open_catalog

__all__ = ["__version__", "open_catalog"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    # Everything imports this module, also the hooks in an application: the API is loaded when it is asked for.
    if name != "open_catalog":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return import_module(f"{__name__}.api").open_catalog
