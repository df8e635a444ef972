"""Trace every answer of a LangChain or LlamaIndex application to a column, with one line in the application.

    import datahub_llmops.hooks as lineage
    lineage.attach(application="support-bot")

Importing this and attaching imports neither DataHub nor a framework.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from datahub_llmops.hooks.attaching import Handle, attach
from datahub_llmops.hooks.parts import Answer
from datahub_llmops.hooks.scope import answer, application, current_answer

if TYPE_CHECKING:
    from datahub_llmops.hooks.index_check import IndexVerdict, check
    from datahub_llmops.hooks.jobs import aindex, apipeline, index, job, pipeline
    from datahub_llmops.hooks.langchain.middleware import prompt_middleware
    from datahub_llmops.hooks.store_identity import name_index
    from datahub_llmops.hooks.store_identity import register as register_extractor

__all__ = [
    "Answer",
    "Handle",
    "IndexVerdict",
    "aindex",
    "answer",
    "apipeline",
    "application",
    "attach",
    "check",
    "current_answer",
    "index",
    "job",
    "name_index",
    "pipeline",
    "prompt_middleware",
    "register_extractor",
]

_LATER = {
    "IndexVerdict": ("index_check", "IndexVerdict"),
    "check": ("index_check", "check"),
    "aindex": ("jobs", "aindex"),
    "apipeline": ("jobs", "apipeline"),
    "index": ("jobs", "index"),
    "job": ("jobs", "job"),
    "name_index": ("store_identity", "name_index"),
    "pipeline": ("jobs", "pipeline"),
    "prompt_middleware": ("langchain.middleware", "prompt_middleware"),
    "register_extractor": ("store_identity", "register"),
}


def __getattr__(name: str) -> Any:
    where = _LATER.get(name)
    if where is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{where[0]}"), where[1])
