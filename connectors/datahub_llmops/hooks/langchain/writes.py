"""The concrete methods of every vector store class, wrapped: writes and deletes of LangChain's, and records of both.

Of 90 LangChain store classes 86 override ``add_texts``, so wrapping the base class sees nothing: every class that
defines a method has it wrapped, those imported later by ``__init_subclass__``. The outermost wrapped call records.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from datahub_llmops.hooks import patching, runtime, stamping, store_identity, wrapping, write_events
from datahub_llmops.hooks.guard import guarded
from datahub_llmops.hooks.langchain import searches
from datahub_llmops.hooks.wrapping import Done, Frame
from datahub_llmops.hooks.write_events import WriteEvent

WRITES: Final = (
    "add_texts",
    "add_documents",
    "add_embeddings",
    "aadd_texts",
    "aadd_documents",
    "aadd_embeddings",
)
UPDATES: Final = ("update_document", "update_documents")
DELETES: Final = ("delete", "adelete")
MAKERS: Final = (
    "from_texts",
    "from_documents",
    "from_embeddings",
    "afrom_texts",
    "afrom_documents",
    "afrom_embeddings",
)


def hook_langchain(base: type) -> None:
    """Wrap every ``VectorStore`` class there is and will be."""
    for kind in patching.every_subclass(base):
        wrap_langchain(kind)
    patching.on_new_subclass(base, wrap_langchain)


@guarded("stores.wrap")
def wrap_langchain(kind: type) -> None:
    """Wrap what ``kind`` itself defines."""
    for names, make in (
        (WRITES, _write),
        (UPDATES, _update),
        (DELETES, _delete),
        (MAKERS, _maker),
        (searches.SEARCHES, searches.watched),
    ):
        for name in names:
            patching.wrap(kind, name, make)


# Writes


@guarded("stores.before_write")
def _before_write(function: Any, args: Any, kwargs: Any) -> Frame | None:
    outer = wrapping.running.get()
    return None if outer is not None and outer.kind in ("write", "delete") else Frame("write")


@guarded("stores.stamp")
def _stamp(function: Any, args: Any, kwargs: Any) -> Any:
    job = write_events.job.get()
    if job is None or not job.stamp or not args:
        return None
    return stamping.langchain(job, args[0], function.__name__.replace("aadd_", "add_"), args, kwargs)


@guarded("stores.after_write")
def _after_write(call: Done) -> None:
    if call.outer is not None:
        call.outer.recorded = True
    if not call.args:
        return
    items = call.argument(1, *_ITEMS)
    sources, count = _written(call.function.__name__, items, call.argument(2, "metadatas"))
    ids = call.result if isinstance(call.result, (list, tuple)) else call.kwargs.get("ids")
    record(call, call.args[0], "langchain", "add", count, ids, sources)


_ITEMS: Final = ("texts", "documents", "text_embeddings")


def _written(name: str, items: Any, metadatas: Any) -> tuple[list[dict[str, Any]], int]:
    """Allow-listed metadata of what was written, and how much it was where that can be known without consuming it."""
    given = isinstance(items, (list, tuple))
    if name.endswith("documents"):
        documents = items if given else ()
        return [stamping.picked(getattr(one, "metadata", None)) for one in documents], len(documents)
    count = len(items) if given else 0
    picked = (
        [stamping.picked(one) for one in metadatas]
        if isinstance(metadatas, (list, tuple))
        else [stamping.picked(None)] * count
    )
    return picked, count or len(picked)


def record(
    call: Done,
    store: Any,
    framework: str,
    operation: write_events.Operation,
    count: int,
    ids: Any,
    sources: Sequence[dict[str, Any]],
    *,
    embedding: dict[str, Any] | None = None,
    facts: Mapping[str, Any] | None = None,
) -> None:
    """One write or delete, to the recorder."""
    event = WriteEvent(operation, framework, store_identity.identity(store), call.started)
    event.application, event.version = runtime.application()
    model = store_identity.model_of(store) if framework == "langchain" else None
    event.embedding = embedding or store_identity.embedding(model)
    event.ids = (
        [str(one) for one in ids if isinstance(one, (str, int))] if isinstance(ids, (list, tuple)) else []
    )
    event.count = count or len(event.ids)
    event.sources = list(sources)
    job = write_events.job.get()
    if job is not None:
        event.run = job.run
        event.facts = dict(job.facts)
    if facts:
        event.facts.update(facts)
    if call.error is not None:
        event.error = runtime.failure(call.error)[1] or "interrupted"
    runtime.send(event)


@guarded("stores.after_update")
def _after_update(call: Done) -> None:
    """Of Chroma: one id and document, or lists of both."""
    if not call.args:
        return
    ids, documents = call.argument(1, "document_id", "ids"), call.argument(2, "document", "documents")
    if isinstance(ids, str):
        ids, documents = [ids], [documents]
    sources, count = _written("documents", documents, None)
    record(call, call.args[0], "langchain", "update", count, ids, sources)


# Deletes


@guarded("stores.before_delete")
def _before_delete(function: Any, args: Any, kwargs: Any) -> Frame | None:
    outer = wrapping.running.get()
    return None if outer is not None and outer.kind in ("write", "delete") else Frame("delete")


@guarded("stores.after_delete")
def _after_delete(call: Done) -> None:
    if call.args:
        ids = call.argument(1, "ids")
        count = len(ids) if isinstance(ids, (list, tuple)) else 0
        record(call, call.args[0], "langchain", "delete", count, ids, ())


# Constructors: in some 23 of 96 classes they do not reach add_texts (PGVector, FAISS)


@guarded("stores.before_make")
def _before_make(function: Any, args: Any, kwargs: Any) -> Frame | None:
    return Frame("make")


@guarded("stores.after_make")
def _after_make(call: Done) -> None:
    frame, outer = call.frame, call.outer
    if outer is not None:
        outer.recorded = outer.recorded or frame.recorded
    if frame.recorded or call.result is None or call.error is not None:
        return
    if outer is not None and outer.kind == "make":
        outer.recorded = True
    items = call.argument(1, *_ITEMS)
    sources, count = _written(call.function.__name__, items, call.argument(3, "metadatas"))
    record(call, call.result, "langchain", "add", count, call.kwargs.get("ids"), sources)


_write: Final = wrapping.watched(_before_write, _after_write, _stamp)
_update: Final = wrapping.watched(_before_write, _after_update)
_delete: Final = wrapping.watched(_before_delete, _after_delete)
_maker: Final = wrapping.watched(_before_make, _after_make)
