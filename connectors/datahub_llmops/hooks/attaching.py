"""``attach``: what is hooked, and when. ``HOOKS`` lists every function that hooks a part of a framework."""

from __future__ import annotations

import functools
import os
import sys
from typing import TYPE_CHECKING, Any, Final, Literal

from datahub_llmops.hooks import guard, patching, runtime
from datahub_llmops.hooks.import_watch import Finder
from datahub_llmops.hooks.settings import Settings, disabled

if TYPE_CHECKING:
    from typing_extensions import override
else:

    def override(method):
        """Do nothing: importing the real one takes a third of the time that attaching may take."""
        return method


class Handle:
    """The result of ``attach``; one per process."""

    __slots__ = ()

    @override
    def __reduce__(self) -> Any:
        return _the_handle, ()

    def detach(self) -> None:
        """Remove every hook that is still ours, and write what was recorded."""
        with guard.guarded("detach"):
            _detach()

    def flush(self, timeout: float = 5.0) -> bool:
        """Write everything recorded so far, and return whether it is in the store.

        For processes that are frozen or killed. ``timeout`` is in seconds.
        """
        with guard.guarded("flush"):
            return runtime.recorder is None or runtime.recorder.flush(timeout)
        return False

    def stats(self) -> dict[str, Any]:
        """Return counts of this process: records, our own errors by entry point, what is degraded, and what was lost.

        ``stamped`` answers began in an OpenTelemetry span; ``answers_without_model`` retrieved and asked no model;
        ``models_without_answer`` are model calls outside of any chain or block; ``late_parts`` ended after their
        answer.
        """
        found: dict[str, Any] = {"enabled": runtime.enabled, "application": runtime.settings.application}
        if runtime.recorder is not None:
            found.update(runtime.recorder.stats())
        shipping: Any = sys.modules.get("datahub_llmops.hooks.ship")
        if shipping is not None:
            found.update(shipping.stats())
        stamps: Any = sys.modules.get("datahub_llmops.hooks.span_stamps")
        found["stamped"] = stamps.answers if stamps is not None else 0
        found["abandoned"] = runtime.abandoned
        found.update(runtime.counts)
        found["errors"] = dict(guard.errors)
        found["degraded"] = sorted(runtime.degraded)
        found["notes"] = list(runtime.settings.notes)
        if not runtime.settings.records and "opentelemetry.trace" not in sys.modules:
            found["notes"].append(
                "store=False, and the application uses no OpenTelemetry: answers leave no trace"
            )
        return found

    @override
    def __repr__(self) -> str:
        return f"<lineage hooks of {runtime.settings.application}, {'on' if runtime.enabled else 'off'}>"


_handle = Handle()
_finder = Finder()
_hooked = False


def _the_handle() -> Handle:
    return _handle


def attach(
    application: str | None = None,
    *,
    version: str | None = None,
    store: str | os.PathLike[str] | Literal[False] | None = None,
    capture_text: bool | None = None,
    source_keys: str | None = None,
    sample: float | None = None,
    ship: str | os.PathLike[str] | None = None,
    ship_every: float | None = None,
    segments: str | os.PathLike[str] | None = None,
    max_bytes: int | None = None,
    max_days: float | None = None,
) -> Handle:
    """Record which prompt, retriever, index, model and chunks make each answer of this process.

    If it is called again, the latest arguments apply to the same handle. What is not given here is taken from
    ``DATAHUB_LLMOPS_APPLICATION``, ``..._VERSION``, ``..._STORE`` and so on, else: ``store`` in the user's state
    directory, ``capture_text=False``, ``source_keys="hmac"`` (or ``clear``, ``off``), ``sample=1.0``, no ``ship``,
    ``ship_every=900`` seconds, no ``segments``, 512 MiB and 30 days at most. ``store=False`` records nothing and opens
    no file: the answers are stamped on the application's OpenTelemetry spans, and nowhere else.

    Raises:
        ValueError: an argument is out of range. Nothing else, and nothing later, raises.
    """
    settings = Settings(
        application,
        version=version,
        store=store,
        capture_text=capture_text,
        source_keys=source_keys,
        sample=sample,
        ship=ship,
        ship_every=ship_every,
        segments=segments,
        max_bytes=max_bytes,
        max_days=max_days,
    )
    if disabled():
        settings.notes.append("turned off by DATAHUB_LLMOPS_DISABLED")
        runtime.settings = settings
        return _handle
    with guard.guarded("attach"):
        recorder = runtime.start(settings)
        _hook()
        if settings.ship or settings.segments:
            from datahub_llmops.hooks import ship as shipping

            shipping.start(recorder)
    return _handle


HOOKS: Final = (
    ("langchain_core.tracers.context", "", "langchain.handler", "attach"),
    ("langchain_core.callbacks.manager", "", "langchain.handler", "hook_events"),
    ("langchain_core.runnables.config", "", "langchain.handler", "hook_config"),
    ("langchain_core.language_models.chat_models", "BaseChatModel", "langchain.handler", "hook_models"),
    ("langchain_core.retrievers", "BaseRetriever", "langchain.retrievers", "hook_retrievers"),
    ("langchain_core.vectorstores.base", "VectorStore", "langchain.writes", "hook_stores"),
    ("llama_index.core.instrumentation", "", "llamaindex.handlers", "attach"),
    ("llama_index.core.vector_stores.types", "BasePydanticVectorStore", "llamaindex.stores", "hook_stores"),
    ("llama_index.core.base.response.schema", "StreamingResponse", "llamaindex.streams", "hook_response"),
    (
        "llama_index.core.base.response.schema",
        "AsyncStreamingResponse",
        "llamaindex.streams",
        "hook_response",
    ),
    (
        "llama_index.core.chat_engine.types",
        "StreamingAgentChatResponse",
        "llamaindex.streams",
        "hook_response",
    ),
    (
        "llama_index.core.postprocessor.types",
        "BaseNodePostprocessor",
        "llamaindex.postprocessors",
        "hook_postprocessors",
    ),
    ("llama_index.core.indices.base", "BaseIndex", "llamaindex.stores", "hook_indexes"),
    ("llama_index.core.indices.vector_store.base", "VectorStoreIndex", "llamaindex.stores", "hook_index"),
    ("llama_index.core.ingestion.pipeline", "IngestionPipeline", "llamaindex.stores", "hook_pipeline"),
)
"""A framework's module, a class in it or ``""`` for the module itself, our module, and our function that hooks it."""


def _hook() -> None:
    global _hooked
    if _hooked:
        return
    _hooked = True
    for vendor, attribute, module, function in HOOKS:
        _finder.when(vendor, functools.partial(_call, vendor, attribute, module, function))


def _call(vendor: str, attribute: str, module: str, function: str) -> None:
    from importlib import import_module

    hook = getattr(import_module(f"datahub_llmops.hooks.{module}"), function)
    imported = sys.modules[vendor]
    hook(getattr(imported, attribute) if attribute else imported)


def _detach() -> None:
    global _hooked
    _finder.stop()
    patching.restore()
    patching.restore_subclass_hooks()
    for name in ("langchain.handler", "llamaindex.handlers"):
        module: Any = sys.modules.get(f"datahub_llmops.hooks.{name}")
        if module is not None:
            module.detach()
    _hooked = False
    if runtime.recorder is not None and runtime.enabled:
        runtime.recorder.flush(2.0)
    runtime.stop()
