"""One line in a LangChain or LlamaIndex application, and every answer can be traced to a column.

    import datahub_llmops.hooks as lineage
    lineage.attach(application="support-bot")

Importing this and attaching imports neither DataHub nor a framework.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from datahub_llmops.hooks.answers import Answer, application
from datahub_llmops.hooks.attaching import Handle, attach
from datahub_llmops.hooks.scope import answer, current_answer

if TYPE_CHECKING:
    from datahub_llmops.hooks.extractors import name_index
    from datahub_llmops.hooks.extractors import register as register_extractor
    from datahub_llmops.hooks.indexing import aindex, apipeline, index, job, pipeline
    from datahub_llmops.hooks.middleware import prompt_middleware

__all__ = [
    "Answer",
    "Handle",
    "aindex",
    "answer",
    "apipeline",
    "application",
    "attach",
    "current_answer",
    "index",
    "job",
    "name_index",
    "pipeline",
    "prompt_middleware",
    "register_extractor",
]

_LATER = {
    "aindex": ("indexing", "aindex"),
    "apipeline": ("indexing", "apipeline"),
    "index": ("indexing", "index"),
    "job": ("indexing", "job"),
    "name_index": ("extractors", "name_index"),
    "pipeline": ("indexing", "pipeline"),
    "prompt_middleware": ("middleware", "prompt_middleware"),
    "register_extractor": ("extractors", "register"),
}


def __getattr__(name: str) -> Any:
    where = _LATER.get(name)
    if where is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{where[0]}"), where[1])
