"""Reads host or path, tenant, database and collection from the private attributes of each vendor's store class.

The attributes were found in the sources of the integration packages, which document none of them. The location is read
once per object, the name of the collection every time, since it can change. In-memory databases have ``:memory:`` as
their path.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from datahub_llmops.assets.platforms import PLATFORMS, StoreClass
from datahub_llmops.hooks.addresses import (
    MAX_TEXT,
    MEMORY,
    parse_address,
    parse_dsn,
    parse_path,
    split_address,
)
from datahub_llmops.hooks.parts import get_fast

Raw: TypeAlias = dict[str, Any]
Extractor: TypeAlias = Callable[[Any], Mapping[str, Any]]


def find_attribute(thing: object, *paths: str) -> Any:
    """Return the value at the first dotted path that exists; vendors rename their private attributes."""
    for path in paths:
        value: Any = thing
        for step in path.split("."):
            try:
                value = get_fast(value, step)
            except (RuntimeError, ValueError, KeyError, TypeError):
                value = None  # A property that wants a connection or an initialised object.
            if value is None:
                break
        if value is not None:
            return value
    return None


def short_text(value: object) -> str | None:
    """Return a string, cut to ``MAX_TEXT``, or ``None`` for anything else."""
    if isinstance(value, str) and value:
        return value[:MAX_TEXT]
    return None


def _read_nothing(_store: Any) -> Raw:
    return {}


def _location(declared: StoreClass) -> Extractor:
    if not declared.host and not declared.path:
        return _read_nothing

    def read(store: Any) -> Raw:
        return {
            "host": parse_address(find_attribute(store, *declared.host)),
            "path": parse_path(find_attribute(store, *declared.path)),
        }

    return read


def _collection(declared: StoreClass) -> Extractor:
    if not declared.collection:
        return _read_nothing

    def read(store: Any) -> Raw:
        return {"collection": short_text(find_attribute(store, *declared.collection))}

    return read


# Chroma: https://docs.trychroma.com/reference/python/client


def _chroma_location(store: Any) -> Raw:
    client = find_attribute(store, "_client", "_collection._client", "client._client")
    collection = find_attribute(store, "_chroma_collection", "_collection", "client")
    settings = find_attribute(
        client, "_system.settings", "_server._system.settings", "_settings", "_server._settings"
    )
    raw: Raw = {
        "tenant": short_text(find_attribute(client, "tenant"))
        or short_text(find_attribute(collection, "tenant")),
        "database": short_text(find_attribute(client, "database"))
        or short_text(find_attribute(collection, "database")),
    }
    host = short_text(find_attribute(settings, "chroma_server_host"))
    if host is not None:
        port = find_attribute(settings, "chroma_server_http_port")
        raw["host"] = parse_address(
            host if port is None or ":" in host.rpartition("]")[2] else f"{host}:{port}"
        )
    elif settings is not None:
        raw["path"] = (
            parse_path(find_attribute(settings, "persist_directory"))
            if find_attribute(settings, "is_persistent")
            else MEMORY
        )
    return raw


# PostgreSQL: https://github.com/langchain-ai/langchain-postgres,
# https://docs.llamaindex.ai/en/stable/api_reference/storage/vector_store/postgres/


def _pgvector_location(store: Any) -> Raw:
    raw = parse_dsn(
        find_attribute(
            store, "_engine.url", "_async_engine.url", "_bind.url", "connection_string", "connection"
        )
    )
    # Its tables have no schema: they are in the first one of the search path.
    return {**raw, "schema": raw.get("schema") or "public", "collection": "langchain_pg_embedding"}


def _pgvector_part(store: Any) -> Raw:
    # https://github.com/langchain-ai/langchain-postgres: all collections share that one table.
    return {"partition": short_text(find_attribute(store, "collection_name"))}


def _pgvectorstore_location(store: Any) -> Raw:
    if type(store).__module__.startswith("llama_index"):  # The same class name, with other attributes.
        table = short_text(find_attribute(store, "table_name"))
        url = find_attribute(store, "_engine.url", "connection_string", "async_connection_string")
        return {
            **parse_dsn(url),
            "schema": short_text(find_attribute(store, "schema_name")) or "public",
            "collection": f"data_{table.lower()}" if table else None,
        }
    inner = find_attribute(store, "_PGVectorStore__vs", "_vs") or store
    return {
        **parse_dsn(find_attribute(inner, "engine.url", "_engine.url", "engine._pool.url")),
        "schema": short_text(find_attribute(inner, "schema_name")) or "public",
        "collection": short_text(find_attribute(inner, "table_name")),
    }


# Qdrant: https://python-client.qdrant.tech


def _qdrant_location(store: Any) -> Raw:
    client = find_attribute(store, "_client", "client", "_aclient")
    inner = find_attribute(client, "_client")
    location = find_attribute(inner, "location")
    if isinstance(location, str):
        return {"path": parse_path(location)}
    return {
        "host": parse_address(
            find_attribute(inner, "rest_uri", "_rest_uri", "_host") or find_attribute(store, "url")
        )
    }


# LanceDB: https://lancedb.github.io/lancedb/python


def _lance_location(store: Any) -> Raw:
    uri = find_attribute(store, "_connection.uri", "uri", "_uri")
    return (
        {"host": parse_address(uri)}
        if isinstance(uri, str) and uri.startswith("db://")
        else {"path": parse_path(uri)}
    )


# Pinecone: https://docs.pinecone.io/reference/python-sdk


def _pinecone_location(store: Any) -> Raw:
    index = find_attribute(store, "_pinecone_index", "_index", "_async_index", "index")
    host = parse_address(
        find_attribute(store, "_index_host")
        or find_attribute(
            index, "_config.host", "config.host", "_openapi_config.host", "_host", "configuration.host"
        )
    )
    name = short_text(find_attribute(store, "index_name", "_index_name"))
    if name is None and host is not None:
        found = _PINECONE_HOST.match(host)
        name = found.group(1) if found else None
    return {"host": host, "database": name}


_PINECONE_HOST: Final = re.compile(r"([a-z0-9-]+)-[a-z0-9]{7}\.svc\.")
"""An index's host begins with its name and the seven characters of its project:
https://docs.pinecone.io/guides/manage-data/target-an-index"""


def _pinecone_namespace(store: Any) -> Raw:
    return {"collection": short_text(find_attribute(store, "_namespace", "namespace")) or "__default__"}


# Milvus: https://milvus.io/api-reference/pymilvus


def _milvus_location(store: Any) -> Raw:
    arguments = _milvus_arguments(store)
    # LlamaIndex' class has a field ``uri`` too, which keeps its default whatever was given.
    uri = arguments.get("uri") or find_attribute(store, "client._config.uri") or _milvus_connection(store)
    if uri is None and arguments.get("host"):
        uri = f"{arguments['host']}:{arguments.get('port', 19530)}"
    if not isinstance(uri, str):
        return {}
    if uri.endswith(".db"):
        return {"path": parse_path(uri)}
    host = (parse_address(uri) or "").partition("/")[0]
    if not host:
        return {}
    if ":" not in host.rpartition("]")[2]:
        host += ":443" if uri.startswith("https") else ":19530"
    path = _milvus_lite(host)
    return {"path": path} if path is not None else {"host": host}


def _milvus_connection(store: Any) -> Any:
    """Return the address of a client before pymilvus 3, which keeps the addresses of all clients by name."""
    name = find_attribute(store, "client._using")
    known = find_attribute(sys.modules.get("pymilvus.orm.connections"), "connections._alias_config")
    config = known.get(name) if isinstance(known, Mapping) else None
    return config.get("address") if isinstance(config, Mapping) else None


def _milvus_arguments(store: Any) -> Mapping[str, Any]:
    given = find_attribute(store, "_connection_args", "connection_args")
    return given if isinstance(given, Mapping) else {}


def _milvus_lite(host: str) -> str | None:
    """Return the file behind a server that Milvus Lite runs in this process, on a port that changes."""
    servers = find_attribute(
        sys.modules.get("milvus_lite.server_manager"), "server_manager_instance._servers"
    )
    if isinstance(servers, Mapping):
        for path, server in list(servers.items()):
            if isinstance(server, tuple) and host == f"127.0.0.1:{server[-1]}":
                return short_text(path)
    return None


def _milvus_collection(store: Any) -> Raw:
    arguments = _milvus_arguments(store)
    # The database can be changed on the client.
    database = find_attribute(store, "client._config.db_name", "client._db_name")
    if not database:
        uri = short_text(arguments.get("uri")) or ""
        parts = split_address(uri) if "://" in uri else None
        in_uri = parts.path.strip("/").partition("/")[0] if parts is not None else None
        database = arguments.get("db_name") or in_uri
    return {
        "database": short_text(database) or "default",
        "collection": short_text(find_attribute(store, "collection_name")),
    }


# OpenSearch, Elasticsearch: https://opensearch.org/docs/latest/clients/python-low-level/,
# https://elasticsearch-py.readthedocs.io


def _hosts(client: Any) -> str | None:
    first = find_attribute(client, "transport.hosts", "transport.node_pool.all", "transport._node_pool.all")
    first = first() if callable(first) else first
    if isinstance(first, (list, tuple)) and first:
        node = first[0]
        if isinstance(node, Mapping):
            host = short_text(node.get("host"))
            return parse_address(f"{host}:{node.get('port') or 9200}") if host else None
        return parse_address(find_attribute(node, "base_url"))
    return None


def _search_location(store: Any) -> Raw:
    client = find_attribute(
        store, "_os_client", "_client._os_client", "client._os_client", "_store.client", "client", "_client"
    )
    return {
        "host": _hosts(client)
        or parse_address(find_attribute(store, "opensearch_url", "es_url", "_client._endpoint"))
    }


# Weaviate: https://weaviate-python-client.readthedocs.io


def _weaviate_location(store: Any) -> Raw:
    client = find_attribute(store, "_client", "_aclient", "_client_async", "client")
    return {
        "host": parse_address(
            find_attribute(client, "_connection.url", "_connection._connection_params.http")
        )
    }


def _weaviate_collection(store: Any) -> Raw:
    name = short_text(find_attribute(store, "_collection.name", "_index_name", "index_name"))
    # The client writes the first letter of every name large.
    return {"collection": name[:1].upper() + name[1:] if name else None}


_LOCATIONS: Final[dict[str, Extractor]] = {
    "chroma": _chroma_location,
    "elasticsearch": _search_location,
    "lancedb": _lance_location,
    "milvus": _milvus_location,
    "opensearch": _search_location,
    "pinecone": _pinecone_location,
    "postgres": _pgvectorstore_location,
    "qdrant": _qdrant_location,
    "weaviate": _weaviate_location,
    "PGVector": _pgvector_location,
}
"""How to read the address of a store, by its platform or its class; of others the attributes in their entry."""
_COLLECTIONS: Final[dict[str, Extractor]] = {
    "milvus": _milvus_collection,
    "pinecone": _pinecone_namespace,
    "weaviate": _weaviate_collection,
    "PGVector": _pgvector_part,
}
"""How to read the name of a collection, which can change, by the platform or the class of a store."""

KNOWN: Final[dict[str, tuple[str, Extractor, Extractor]]] = {
    store.name: (
        entry.name,
        _LOCATIONS.get(store.name) or _LOCATIONS.get(entry.name) or _location(store),
        _COLLECTIONS.get(store.name) or _COLLECTIONS.get(entry.name) or _collection(store),
    )
    for entry in PLATFORMS.values()
    for store in entry.store_classes
}
"""Platform, location and what can change, by the name of a class or of a base class (``Zilliz`` is a Milvus)."""
