"""Base classes of DataHub sources, and all that a connector is made of: one import for its author.

    from datahub_llmops.ingestion import Collection, Reader, Vector, VectorStoreConfig, VectorStoreSource

The names are imported on first use, so that ``datahub_llmops.ingestion.reader`` does not load DataHub.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datahub_llmops import errors
    from datahub_llmops.assets.collections import (
        Collection,
        Container,
        FailedListing,
        FieldType,
        Name,
        PayloadField,
        ProvenanceCount,
        Vector,
    )
    from datahub_llmops.assets.platforms import Platform
    from datahub_llmops.ingestion.capabilities import Fact, always
    from datahub_llmops.ingestion.chunk_ids import find_ids, parse_integer, parse_keys, parse_text, parse_uuid
    from datahub_llmops.ingestion.once import Once
    from datahub_llmops.ingestion.reader import MAX_IDS, IdProbe, Reader, StoreReader
    from datahub_llmops.ingestion.sampling import (
        ValueCounter,
        infer,
        provenance_paths,
        text_path,
        without_collisions,
    )
    from datahub_llmops.ingestion.shared_dataset import SharedStoreConfig, SharedStoreSource
    from datahub_llmops.ingestion.vector_store import VectorStoreConfig, VectorStoreReport, VectorStoreSource
    from datahub_llmops.net.http import HttpClient, HttpOptions

_NAMES = {
    "assets.collections": (
        "Collection",
        "Container",
        "FieldType",
        "Name",
        "PayloadField",
        "ProvenanceCount",
        "FailedListing",
        "Vector",
    ),
    "assets.platforms": ("Platform",),
    "ingestion.capabilities": ("Fact", "always"),
    "ingestion.chunk_ids": ("find_ids", "parse_integer", "parse_keys", "parse_text", "parse_uuid"),
    "ingestion.once": ("Once",),
    "ingestion.reader": ("MAX_IDS", "IdProbe", "Reader", "StoreReader"),
    "ingestion.sampling": ("ValueCounter", "without_collisions", "infer", "provenance_paths", "text_path"),
    "ingestion.shared_dataset": ("SharedStoreConfig", "SharedStoreSource"),
    "ingestion.vector_store": ("VectorStoreConfig", "VectorStoreReport", "VectorStoreSource"),
    "net.http": ("HttpClient", "HttpOptions"),
}
_MODULES = {name: module for module, names in _NAMES.items() for name in names}

__all__ = [
    "MAX_IDS",
    "Collection",
    "Container",
    "Fact",
    "FailedListing",
    "FieldType",
    "HttpClient",
    "HttpOptions",
    "IdProbe",
    "Name",
    "Once",
    "PayloadField",
    "Platform",
    "ProvenanceCount",
    "Reader",
    "SharedStoreConfig",
    "SharedStoreSource",
    "StoreReader",
    "ValueCounter",
    "Vector",
    "VectorStoreConfig",
    "VectorStoreReport",
    "VectorStoreSource",
    "always",
    "errors",
    "find_ids",
    "infer",
    "parse_integer",
    "parse_keys",
    "parse_text",
    "parse_uuid",
    "provenance_paths",
    "text_path",
    "without_collisions",
]


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name == "errors":
        return import_module("datahub_llmops.errors")
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"datahub_llmops.{_MODULES[name]}"), name)
