"""The ``dh_*`` keys in a chunk's metadata, put there at the store's write and only when asked.

Earlier would break things: a key that changes from run to run, set before hashing, makes LangChain's ``index`` delete
and add everything again, and LlamaIndex embed other text and process every node anew. So what is stamped is a copy, on
its way into the store, after hashing and deduplication; stores whose schema is fixed and lacks the fields get nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from datahub_llmops.answer_store import digests
from datahub_llmops.hooks import (
    chunk_sources,
    runtime,
    store_identity,
    vendor_attributes,
    write_events,
)
from datahub_llmops.hooks.write_events import Job

FLEXIBLE: Final = frozenset(
    {
        "Chroma",
        "ChromaVectorStore",
        "Qdrant",
        "QdrantVectorStore",
        "PGVector",
        "PGVectorStore",
        "AsyncPGVectorStore",
        "Pinecone",
        "PineconeVectorStore",
        "OpenSearchVectorSearch",
        "OpensearchVectorStore",
        "ElasticsearchStore",
        "FAISS",
        "FaissVectorStore",
        "InMemoryVectorStore",
        "SimpleVectorStore",
    }
)
"""Stores that take any metadata. Milvus without dynamic fields and LanceDB refuse unknown keys, Weaviate may."""
KEYS: Final = ("dh_source_urn", "dh_source_key", "dh_embed_run", "dh_content_hmac", "dh_text_fields")


def takes_new_keys(store: object) -> bool:
    """Whether chunks of ``store`` may carry keys that its schema does not declare."""
    if vendor_attributes.attribute(store, "enable_dynamic_field", "_enable_dynamic_field") is True:
        return True
    return any(kind.__name__ in FLEXIBLE for kind in type(store).__mro__)


def source_of(job: Job, metadata: Mapping[str, Any]) -> str | None:
    """URN of the source of a chunk: what the job says, else what its metadata does."""
    said = job.source(dict(metadata)) if callable(job.source) else job.source
    if said is None:
        said = metadata.get("dh_source_urn", metadata.get("datahub_urn"))
    return said if isinstance(said, str) and said.startswith("urn:li:") else None


def picked(metadata: object) -> dict[str, Any]:
    """Allow-listed metadata of a chunk that is written, completed by what the job knows."""
    found = chunk_sources.pick(metadata)
    job = write_events.job.get()
    if job is not None:
        urn = source_of(job, metadata if isinstance(metadata, Mapping) else {})
        if urn is not None:
            found["dh_source_urn"] = urn
        if job.fields:
            found["dh_text_fields"] = ",".join(job.fields)
    return found


def stamps(job: Job, metadata: Mapping[str, Any], text: object, secret: bytes) -> dict[str, str]:
    """The keys of ``standards`` for one chunk, as flat strings."""
    found = {"dh_embed_run": job.run}
    urn = source_of(job, metadata)
    if urn is not None:
        found["dh_source_urn"] = urn
    if job.key_field is not None and metadata.get(job.key_field) is not None:
        value = str(metadata[job.key_field])
        mode = runtime.settings.source_keys
        if mode == "clear":
            found["dh_source_key"] = value
        elif mode == "hmac":
            found["dh_source_key"] = chunk_sources.HMAC_PREFIX + digests.digest(secret, value).hex()
    if isinstance(text, str):
        found["dh_content_hmac"] = digests.digest(secret, text).hex()
    if job.fields:
        found["dh_text_fields"] = ",".join(job.fields)
    return found


def _secret() -> bytes:
    found = digests.key(runtime.settings.store)
    assert found is not None
    return found


def langchain(job: Job, store: Any, method: str, args: Any, kwargs: Any) -> Any:
    """Arguments of a LangChain write with stamped copies in place of the documents or metadatas."""
    if not takes_new_keys(store):
        _refused(store)
        return None
    secret = _secret()
    if method == "add_documents":
        documents = args[1] if len(args) > 1 else kwargs.get("documents")
        if not isinstance(documents, (list, tuple)):
            return None
        copies = [_document(job, one, secret) for one in documents]
        return _with(args, kwargs, 1, "documents", copies)
    if method == "add_texts":
        texts = args[1] if len(args) > 1 else kwargs.get("texts")
        if not isinstance(texts, (list, tuple)):
            return None
        given = args[2] if len(args) > 2 else kwargs.get("metadatas")
        metadatas: Sequence[Any] = given if isinstance(given, (list, tuple)) else [{}] * len(texts)
        merged = [
            {**(meta or {}), **stamps(job, meta or {}, text, secret)}
            for text, meta in zip(texts, metadatas, strict=False)
        ]
        return _with(args, kwargs, 2, "metadatas", merged)
    return None


def _document(job: Job, document: Any, secret: bytes) -> Any:
    metadata = document.metadata or {}
    return document.model_copy(
        update={"metadata": {**metadata, **stamps(job, metadata, document.page_content, secret)}}
    )


def nodes(job: Job, store: Any, given: Sequence[Any]) -> list[Any] | None:
    """Stamped copies of LlamaIndex nodes; the keys stay out of the embedded and of the prompted text."""
    if not takes_new_keys(store):
        _refused(store)
        return None
    secret = _secret()
    copies = []
    for node in given:
        added = stamps(job, node.metadata, getattr(node, "text", None), secret)
        copies.append(
            node.model_copy(
                update={
                    "metadata": {**node.metadata, **added},
                    "excluded_embed_metadata_keys": sorted({*node.excluded_embed_metadata_keys, *added}),
                    "excluded_llm_metadata_keys": sorted({*node.excluded_llm_metadata_keys, *added}),
                }
            )
        )
    return copies


def _with(args: Any, kwargs: Any, position: int, name: str, value: Any) -> Any:
    if len(args) > position:
        return (*args[:position], value, *args[position + 1 :]), kwargs
    return args, {**kwargs, name: value}


def _refused(store: Any) -> None:
    runtime.unresolved[
        f"stamp: {store_identity.class_name(store)} takes declared fields only; nothing was stamped"
    ] = 1
