"""Records writes to and deletes from LangChain's vector stores.

Of 90 store classes 86 override ``add_texts``, so a wrapper on the base class would see nothing. Methods are wrapped
on every class that defines them; ``__init_subclass__`` catches classes imported later. Only the outermost call records.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from datahub_llmops.hooks import patching, runtime, stamping, store_identity, wrapping
from datahub_llmops.hooks.guard import guarded
from datahub_llmops.hooks.langchain import searches
from datahub_llmops.hooks.record_write import record_write
from datahub_llmops.hooks.wrapping import Call, Frame
from datahub_llmops.hooks.write_events import Operation

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


def hook_stores(base: type) -> None:
    """Wrap every subclass of ``VectorStore``, now and later."""
    from datahub_llmops.hooks.langchain import handler

    handler.switch_on()  # A program that only searches its store never loads what registers the handler.
    for kind in patching.list_subclasses(base):
        _wrap_class(kind)
    patching.on_new_subclass(base, _wrap_class)


def _wrap_class(kind: type) -> None:
    """Wrap the methods that ``kind`` itself defines."""
    for names, make in (
        (WRITES, _write),
        (UPDATES, _update),
        (DELETES, _delete),
        (MAKERS, _maker),
        (searches.SEARCHES, searches.watch),
    ):
        for name in names:
            patching.wrap(kind, name, make)


# Writes


@guarded("stores.before_write")
def _before_write(function: Any, args: Any, kwargs: Any) -> Frame | None:
    outer = wrapping.running()
    return None if outer is not None and outer.kind in ("write", "delete") else Frame("write")


@guarded("stores.stamp")
def _stamp(function: Any, args: Any, kwargs: Any) -> Any:
    job = runtime.current_job.get()
    if job is None or not job.stamp or not args:
        return None
    return stamping.stamp_langchain(job, args[0], function.__name__.replace("aadd_", "add_"), args, kwargs)


@guarded("stores.after_write")
def _after_write(call: Call) -> None:
    if call.outer is not None:
        call.outer.recorded = True
    if not call.args:
        return
    items = call.argument(1, *_ITEMS)
    sources, count = _written(call.function.__name__, items, call.argument(2, "metadatas"))
    ids = call.result if isinstance(call.result, (list, tuple)) else call.kwargs.get("ids")
    _record(call, call.args[0], "add", count, ids, sources)


_ITEMS: Final = ("texts", "documents", "text_embeddings")


def _written(name: str, items: Any, metadatas: Any) -> tuple[list[dict[str, Any]], int]:
    """Return allow-listed metadata of the chunks written, and their number if it is known without consuming them."""
    given = isinstance(items, (list, tuple))
    if name.endswith("documents"):
        documents = items if given else ()
        return [stamping.pick_metadata(getattr(one, "metadata", None)) for one in documents], len(documents)
    count = len(items) if given else 0
    picked = (
        [stamping.pick_metadata(one) for one in metadatas]
        if isinstance(metadatas, (list, tuple))
        else [stamping.pick_metadata(None)] * count
    )
    return picked, count or len(picked)


def _record(
    call: Call, store: Any, operation: Operation, count: int, ids: Any, sources: Sequence[dict[str, Any]]
) -> None:
    embedding = store_identity.identify_embedding(store_identity.find_embedding_model(store))
    record_write(call, store, "langchain", operation, count, ids, sources, embedding=embedding)


@guarded("stores.after_update")
def _after_update(call: Call) -> None:
    """Record an update. Chroma takes one id and document, or lists of both."""
    if not call.args:
        return
    ids, documents = call.argument(1, "document_id", "ids"), call.argument(2, "document", "documents")
    if isinstance(ids, str):
        ids, documents = [ids], [documents]
    sources, count = _written("documents", documents, None)
    _record(call, call.args[0], "update", count, ids, sources)


# Deletes


@guarded("stores.before_delete")
def _before_delete(function: Any, args: Any, kwargs: Any) -> Frame | None:
    outer = wrapping.running()
    return None if outer is not None and outer.kind in ("write", "delete") else Frame("delete")


@guarded("stores.after_delete")
def _after_delete(call: Call) -> None:
    if call.args:
        ids = call.argument(1, "ids")
        count = len(ids) if isinstance(ids, (list, tuple)) else 0
        _record(call, call.args[0], "delete", count, ids, ())


# Constructors. In some 23 of 96 classes they do not reach add_texts (PGVector, FAISS).


@guarded("stores.before_make")
def _before_make(function: Any, args: Any, kwargs: Any) -> Frame | None:
    return Frame("make")


@guarded("stores.after_make")
def _after_make(call: Call) -> None:
    frame, outer = call.frame, call.outer
    if outer is not None:
        outer.recorded = outer.recorded or frame.recorded
    if frame.recorded or call.result is None or call.error is not None:
        return
    if outer is not None and outer.kind == "make":
        outer.recorded = True
    items = call.argument(1, *_ITEMS)
    sources, count = _written(call.function.__name__, items, call.argument(3, "metadatas"))
    _record(call, call.result, "add", count, call.kwargs.get("ids"), sources)


_write: Final = wrapping.watch(_before_write, _after_write, _stamp)
_update: Final = wrapping.watch(_before_write, _after_update)
_delete: Final = wrapping.watch(_before_delete, _after_delete)
_maker: Final = wrapping.watch(_before_make, _after_make)
