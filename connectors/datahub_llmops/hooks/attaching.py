"""``attach``: what is hooked, and when."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from datahub_llmops.hooks import guard, patching, runtime
from datahub_llmops.hooks.import_watch import Finder
from datahub_llmops.hooks.settings import Settings, disabled

if TYPE_CHECKING:
    from typing_extensions import override
else:

    def override(method):
        """Nothing at run time: importing the real one takes a third of what attaching may take."""
        return method


class Handle:
    """What ``attach`` gives back; one per process."""

    __slots__ = ()

    @override
    def __reduce__(self) -> Any:
        return _the_handle, ()

    def detach(self) -> None:
        """Take every hook off that still is ours, and write what was recorded."""
        with guard.shield("detach"):
            _detach()

    def flush(self, timeout: float = 5.0) -> bool:
        """Write everything recorded so far; true when it is in the store. For processes that are frozen or killed.

        ``timeout`` is in seconds.
        """
        with guard.shield("flush"):
            return runtime.recorder is None or runtime.recorder.flush(timeout)
        return False

    def stats(self) -> dict[str, Any]:
        """Counts of this process: recorded, written, waiting, dropped; errors of ours by place; what is degraded."""
        found: dict[str, Any] = {"enabled": runtime.enabled, "application": runtime.settings.application}
        if runtime.recorder is not None:
            found.update(runtime.recorder.stats())
        shipping: Any = sys.modules.get("datahub_llmops.hooks.ship")
        if shipping is not None:
            found.update(shipping.stats())
        found["abandoned"] = runtime.abandoned
        found["errors"] = dict(guard.errors)
        found["degraded"] = sorted(runtime.unresolved)
        found["notes"] = list(runtime.settings.notes)
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
    store: str | os.PathLike[str] | None = None,
    capture_text: bool | None = None,
    source_keys: str | None = None,
    sample: float | None = None,
    ship: str | os.PathLike[str] | None = None,
    ship_every: float | None = None,
    max_bytes: int | None = None,
    max_days: float | None = None,
) -> Handle:
    """Record which prompt, retriever, index, model and chunks make each answer of this process.

    Called again, the latest arguments win on the same handle. What is not given here is taken from
    ``DATAHUB_LLMOPS_APPLICATION``, ``..._VERSION``, ``..._STORE`` and so on, else: ``store`` in the user's state
    directory, ``capture_text=False``, ``source_keys="hmac"`` (or ``clear``, ``off``), ``sample=1.0``, no ``ship``,
    ``ship_every=900`` seconds, 512 MiB and 30 days at most.

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
        max_bytes=max_bytes,
        max_days=max_days,
    )
    if disabled():
        settings.notes.append("turned off by DATAHUB_LLMOPS_DISABLED")
        runtime.settings = settings
        return _handle
    with guard.shield("attach"):
        recorder = runtime.start(settings)
        _hook()
        if settings.ship:
            from datahub_llmops.hooks import ship as shipping

            shipping.start(recorder)
    return _handle


def _hook() -> None:
    global _hooked
    if _hooked:
        return
    _hooked = True
    when = _finder.when
    when("langchain_core.tracers.context", _langchain_callbacks)
    when("langchain_core.callbacks.manager", _langchain_events)
    when("langchain_core.runnables.config", _langchain_config)
    when("langchain_core.language_models.chat_models", _langchain_models)
    when("langchain_core.retrievers", _langchain_retrievers)
    when("langchain_core.vectorstores.base", _langchain_stores)
    when("llama_index.core.instrumentation", _llamaindex_callbacks)
    when("llama_index.core.vector_stores.types", _llamaindex_stores)
    when("llama_index.core.indices.vector_store.base", _llamaindex_index)
    when("llama_index.core.ingestion.pipeline", _llamaindex_pipeline)


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


def _langchain_callbacks() -> None:
    from datahub_llmops.hooks.langchain import handler as langchain

    handler = langchain.attach()
    if runtime.recorder is not None:
        sweep = handler.runs.sweep
        if sweep not in runtime.recorder.tick:
            runtime.recorder.tick.append(sweep)


def _langchain_events() -> None:
    from datahub_llmops.hooks.langchain import handler as langchain

    langchain.hook_events(sys.modules["langchain_core.callbacks.manager"])


def _langchain_config() -> None:
    from datahub_llmops.hooks.langchain import handler as langchain

    langchain.hook_config(sys.modules["langchain_core.runnables.config"])


def _langchain_models() -> None:
    from datahub_llmops.hooks.langchain import handler as langchain

    langchain.hook_models(sys.modules["langchain_core.language_models.chat_models"].BaseChatModel)


def _langchain_retrievers() -> None:
    from datahub_llmops.hooks.langchain import retrievers

    retrievers.hook_retrievers(sys.modules["langchain_core.retrievers"].BaseRetriever)


def _langchain_stores() -> None:
    from datahub_llmops.hooks.langchain import writes

    writes.hook_langchain(sys.modules["langchain_core.vectorstores.base"].VectorStore)


def _llamaindex_callbacks() -> None:
    from datahub_llmops.hooks.llamaindex import handlers, spans

    handlers.attach()
    if runtime.recorder is not None and spans.sweep not in runtime.recorder.tick:
        runtime.recorder.tick.append(spans.sweep)


def _llamaindex_stores() -> None:
    from datahub_llmops.hooks.llamaindex import stores as llamaindex_stores

    llamaindex_stores.hook_stores(sys.modules["llama_index.core.vector_stores.types"].BasePydanticVectorStore)


def _llamaindex_index() -> None:
    from datahub_llmops.hooks.llamaindex import stores as llamaindex_stores

    llamaindex_stores.hook_index(sys.modules["llama_index.core.indices.vector_store.base"].VectorStoreIndex)


def _llamaindex_pipeline() -> None:
    from datahub_llmops.hooks.llamaindex import stores as llamaindex_stores

    llamaindex_stores.hook_pipeline(sys.modules["llama_index.core.ingestion.pipeline"].IngestionPipeline)
