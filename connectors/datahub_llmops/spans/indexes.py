"""Which index a retrieval searched, as far as spans say: the raw identity, and who saw it.

``seen_by`` is ``attribute`` for what the hooks stamped, ``data_source`` for an id of the application's own,
``database_span`` for the span of the store's client, ``document`` for what the store's package wrote into the metadata
of what it found, and ``class`` where only the class of the store is known. Equal identities are one object.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from datahub_llmops.answer_store.recorded import Raw
from datahub_llmops.assets import platforms
from datahub_llmops.hooks.addresses import parse_address
from datahub_llmops.spans import attributes as names
from datahub_llmops.spans.facts import Facts
from datahub_llmops.spans.span import Attributes, Span

MAX_NAME: Final = 512
_ALIASES: Final = {"postgresql": "postgres", "pgvector": "postgres", "chromadb": "chroma"}
_PLATFORM_OF: Final = {
    store.name: entry.name for entry in platforms.PLATFORMS.values() for store in entry.store_classes
}
_SEARCHES: Final = frozenset(
    {
        "query",
        "search",
        "get",
        "do",
        "fetch",
        "select",
        "near",
        "bm25",
        "hybrid",
        "scroll",
        "recommend",
        "discover",
    }
)
_WRITES: Final = frozenset(
    {"add", "upsert", "insert", "update", "delete", "create", "upload", "index", "bulk"}
)
_INNER_QUERY: Final = "chroma.query.segment._query"
"""OpenLLMetry's span of what Chroma does inside of a query."""
_PINECONE_HOST: Final = re.compile(r"([a-z0-9-]+)-[a-z0-9]{7}\.svc\.")
"""An index's host begins with its name and the seven characters of its project:
https://docs.pinecone.io/guides/manage-data/target-an-index"""


@functools.lru_cache(1_000)
def platform_of(store_class: str | None) -> str | None:
    """Return the platform of a class of LangChain or LlamaIndex, or ``None`` for one that is not known.

    >>> platform_of("QdrantVectorStore"), platform_of("langchain_chroma.Chroma"), platform_of("Mine")
    ('qdrant', 'chroma', None)
    """
    return _PLATFORM_OF.get((store_class or "").rpartition(".")[2])


def told(attributes: Attributes) -> tuple[str | None, str | None, str | None]:
    """Return URN, class of the store, and id of the data source that a retriever's span tells."""
    metadata = attributes.get("metadata")
    if type(metadata) is not dict:
        metadata = _NOTHING
    urn = metadata.get("datahub_urn") or names.first(attributes, names.URN)
    store = metadata.get("ls_vector_store_provider") or names.first(attributes, names.STORE_CLASS)
    if store is None and attributes.get("gen_ai.operation.name") == "retrieval":
        store = attributes.get("gen_ai.provider.name")  # OpenTelemetry's LangChain writes the class there.
    return _plain(urn), _plain(store), _plain(attributes.get(names.DATA_SOURCE[0]))


_NOTHING: Final[Mapping[str, Any]] = {}


def _plain(value: object) -> str | None:
    return value.strip('"')[:MAX_NAME] or None if isinstance(value, str) else None


def of_class(name: str | None, service: str | None) -> Raw:
    """Return what is known of an index that no span names: the class of its store, and the service that asked it."""
    return _raw((("class", name), ("service", service), ("seen_by", "class")))


def of_platform(platform: str) -> Raw:
    """Return what is known of an index if the span of the store's client names only its platform."""
    return _raw((("platform", platform), ("seen_by", "database_span")))


def of_urn(urn: str) -> Raw:
    """Return the identity of an index that the application has named by its URN."""
    return _raw((("urn", urn), ("seen_by", "attribute")))


def of_data_source(identity: str, name: str | None) -> Raw:
    """Return the identity of an index that the application names in its own way."""
    return _raw((("data_source", identity[:MAX_NAME]), ("class", name), ("seen_by", "data_source")))


_CLIENT_FACTS: Final = Facts(
    names.DB_SYSTEM, names.DB_COLLECTION, names.DB_NAMESPACE, names.SERVER, names.PORT
)


def of_database(attributes: Attributes, name: str | None = None) -> Raw | None:
    """Return the identity of the collection on the span of a store's client; ``None`` if the span is not of a store.

    ``name`` is the class of the store. A client that names no collection names its platform at least.
    """
    system, collection, namespace, server, port = _CLIENT_FACTS.read(attributes)
    if not isinstance(system, str):
        return None
    place = f"{server}:{port}" if server and port else _text(server)
    return _of_client(system, _text(collection), _text(namespace), place, name)


def of_documents(attributes: Attributes, name: str | None) -> Raw | None:
    """Return the identity of the collection that all documents name in their metadata, or ``None``."""
    if platform_of(name) != "qdrant":
        return None  # Of others it could be any field of the user's.
    found = {
        value.get("_collection_name") if isinstance(value, Mapping) else None
        for key, value in attributes.items()
        if key.endswith(".document.metadata")
    }
    for key in names.DOCUMENTS_OUTPUT if not found else ():
        listed = attributes.get(key)
        if isinstance(listed, list):
            found = {(one.get("metadata") or {}).get("_collection_name") for one in listed}
    collection = next(iter(found)) if len(found) == 1 else None
    if not isinstance(collection, str) or not collection:
        return None
    return _raw(
        (("platform", "qdrant"), ("collection", collection), ("class", name), ("seen_by", "document"))
    )


def is_search(span: Span) -> bool:
    """Return whether the span of a store's client is a search, and not a write."""
    if span.name == _INNER_QUERY:
        return False
    operation = names.first(span.attributes, names.DB_OPERATION)
    return is_reading(operation if isinstance(operation, str) else span.name)


def is_store(raw: Raw) -> bool:
    """Return whether the platform does nothing but search. For a general database, the purpose of a query is not
    known."""
    return raw["platform"] in _STORES


@functools.lru_cache(1_000)
def is_reading(operation: str) -> bool:
    """Return whether an operation of a store is a search.

    >>> is_reading("query_points"), is_reading("upsert"), is_reading("delete_by_query")
    (True, False, False)
    """
    words = re.split(r"[^a-z0-9]", operation.lower())
    return not _SEARCHES.isdisjoint(words) and _WRITES.isdisjoint(words)


_STORES: Final = frozenset({"chroma", "lancedb", "milvus", "pinecone", "qdrant", "weaviate"})


@functools.lru_cache(10_000)
def _of_client(
    system: str, collection: str | None, namespace: str | None, host: str | None, name: str | None
) -> Raw | None:
    platform = _ALIASES.get(system.lower(), system.lower())
    place = parse_address(host) if host else None
    database: str | None = None
    if platform == "pinecone":
        index = _PINECONE_HOST.match(place or "")
        database = index[1] if index else None
        collection = namespace or "__default__" if index else None
    elif "database" in platforms.find(platform).raw_keys:
        database = namespace
    if collection is None and platform not in _STORES:
        return None
    return _raw(
        (
            ("platform", platform),
            ("host", place),
            ("database", database),
            ("collection", collection),
            ("class", name),
            ("seen_by", "database_span"),
        )
    )


@functools.lru_cache(20_000)
def _raw(items: tuple[tuple[str, str | None], ...]) -> Raw:
    return {key: value for key, value in items if value}


def _text(value: object) -> str | None:
    return value[:MAX_NAME] or None if isinstance(value, str) else None


def choose(raws: Iterable[Raw], hint: str | None, *, alone: bool) -> Raw | None:
    """Return the one of several identities that a retrieval can mean, or ``None`` if that is not known.

    Args:
        raws: identities; equal ones are one object.
        hint: the platform of the retriever's store, if it is known.
        alone: whether a single identity is the right one where there is no hint.
    """
    different = list({id(raw): raw for raw in raws}.values())
    if hint is not None:
        different = [raw for raw in different if raw.get("platform", hint) == hint]
    elif not alone:
        return None
    return different[0] if len(different) == 1 and names_index(different[0]) else None


def names_index(raw: Raw) -> bool:
    """Return whether an identity names an index, and not only its platform or class."""
    return "urn" in raw or "collection" in raw
