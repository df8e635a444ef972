"""Stamps the ``dh_*`` keys into the metadata of chunks on their way into a store, and only on request.

Stamping earlier would break things: a key that changes from run to run, set before hashing, makes LangChain's ``index``
delete and add everything again, and makes LlamaIndex embed other text and process every node again. So a copy is
stamped after hashing and deduplication. A store with a fixed schema that lacks the fields gets nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from datahub_llmops.answer_store import digests
from datahub_llmops.assets.platforms import PLATFORMS
from datahub_llmops.hooks import (
    chunk_sources,
    runtime,
    store_identity,
    vendor_attributes,
)
from datahub_llmops.hooks.names import dataset_urn
from datahub_llmops.hooks.write_events import Job

FLEXIBLE: Final = frozenset(
    store.name for entry in PLATFORMS.values() for store in entry.store_classes if store.any_metadata
)
"""Stores that accept any metadata. Milvus without dynamic fields and LanceDB reject unknown keys; Weaviate may."""
KEYS: Final = ("dh_source_urn", "dh_source_key", "dh_embed_run", "dh_content_hmac", "dh_text_fields")


def takes_new_keys(store: object) -> bool:
    """Return whether chunks of ``store`` may carry keys that its schema does not declare."""
    if vendor_attributes.find_attribute(store, "enable_dynamic_field", "_enable_dynamic_field") is True:
        return True
    return any(kind.__name__ in FLEXIBLE for kind in type(store).__mro__)


def find_source(job: Job, metadata: Mapping[str, Any]) -> str | None:
    """Return the URN of a chunk's source, from the job, else from its metadata."""
    urn = job.source(dict(metadata)) if callable(job.source) else job.source
    if urn is None:
        urn = metadata.get("dh_source_urn", metadata.get("datahub_urn"))
    return dataset_urn(urn)


def pick_metadata(metadata: object) -> dict[str, Any]:
    """Return the allow-listed metadata of a chunk that is written, completed from the job in force."""
    found = chunk_sources.pick_metadata(metadata)
    job = runtime.current_job.get()
    if job is not None:
        urn = find_source(job, metadata if isinstance(metadata, Mapping) else {})
        if urn is not None:
            found["dh_source_urn"] = urn
        if job.fields:
            found["dh_text_fields"] = ",".join(job.fields)
    return found


def build_stamp(job: Job, metadata: Mapping[str, Any], text: object, secret: bytes | None) -> dict[str, str]:
    """Build the ``dh_*`` keys of one chunk, as flat strings. Without a key there are no digests."""
    found = {"dh_embed_run": job.run}
    urn = find_source(job, metadata)
    if urn is not None:
        found["dh_source_urn"] = urn
    if job.key_field is not None and metadata.get(job.key_field) is not None:
        value = str(metadata[job.key_field])
        mode = runtime.settings.source_keys
        if mode == "clear":
            found["dh_source_key"] = value
        elif mode == "hmac" and secret is not None:
            found["dh_source_key"] = digests.HMAC_PREFIX + digests.digest(secret, value).hex()
    if isinstance(text, str) and secret is not None:
        found["dh_content_hmac"] = digests.digest(secret, text).hex()
    if job.fields:
        found["dh_text_fields"] = ",".join(job.fields)
    return found


def _secret() -> bytes | None:
    settings = runtime.settings
    found = digests.key(settings.store) if settings.records else digests.shared_key()
    if found is None:
        runtime.degraded[f"stamp: store=False has no key for digests: set {digests.KEY_VARIABLE}"] = 1
    return found


def stamp_langchain(job: Job, store: Any, method: str, args: Any, kwargs: Any) -> Any:
    """Return the arguments of a LangChain write with stamped copies of its documents or metadatas."""
    if not takes_new_keys(store):
        _report_fixed_schema(store)
        return None
    secret = _secret()
    if method == "add_documents":
        documents = args[1] if len(args) > 1 else kwargs.get("documents")
        if not isinstance(documents, (list, tuple)):
            return None
        copies = [_stamp_document(job, one, secret) for one in documents]
        return _replace_argument(args, kwargs, 1, "documents", copies)
    if method == "add_texts":
        texts = args[1] if len(args) > 1 else kwargs.get("texts")
        if not isinstance(texts, (list, tuple)):
            return None
        given = args[2] if len(args) > 2 else kwargs.get("metadatas")
        metadatas: Sequence[Any] = given if isinstance(given, (list, tuple)) else [{}] * len(texts)
        merged = [
            {**(meta or {}), **build_stamp(job, meta or {}, text, secret)}
            for text, meta in zip(texts, metadatas, strict=False)
        ]
        return _replace_argument(args, kwargs, 2, "metadatas", merged)
    return None


def _stamp_document(job: Job, document: Any, secret: bytes | None) -> Any:
    metadata = document.metadata or {}
    return document.model_copy(
        update={"metadata": {**metadata, **build_stamp(job, metadata, document.page_content, secret)}}
    )


def stamp_nodes(job: Job, store: Any, given: Sequence[Any]) -> list[Any] | None:
    """Return stamped copies of LlamaIndex nodes; the keys stay out of the embedded and the prompted text."""
    if not takes_new_keys(store):
        _report_fixed_schema(store)
        return None
    secret = _secret()
    copies = []
    for node in given:
        added = build_stamp(job, node.metadata, getattr(node, "text", None), secret)
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


def _replace_argument(args: Any, kwargs: Any, position: int, name: str, value: Any) -> Any:
    if len(args) > position:
        return (*args[:position], value, *args[position + 1 :]), kwargs
    return args, {**kwargs, name: value}


def _report_fixed_schema(store: Any) -> None:
    runtime.degraded[
        f"stamp: {store_identity.class_name(store)} takes declared fields only; nothing was stamped"
    ] = 1
