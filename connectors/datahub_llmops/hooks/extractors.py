"""From a live vector store to its raw identity: platform, host or path, tenant, database, collection.

Never a URN: environment, platform instance and case are knowledge of the recipe that reads the records. What a store
does not say is left out, what is not known at all is recorded by class name only. Credentials never get in: of an
address only scheme-less host, port and path prefix are kept.
"""

from __future__ import annotations

import contextlib
import os
import weakref
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

from datahub_llmops.hooks.answers import held

Raw: TypeAlias = dict[str, Any]
Extractor: TypeAlias = Callable[[Any], Mapping[str, Any]]

MAX_TEXT: Final = 512
_registered: dict[str, Extractor] = {}
_named: dict[int, tuple[weakref.ref[Any] | Any, str]] = {}
_static: dict[int, _Known] = {}


def register(store_class: type | str, extractor: Extractor) -> None:
    """Teach the hooks a store class of your own.

    ``extractor(store)`` returns some of ``platform``, ``host``, ``path``, ``tenant``, ``database``, ``schema``,
    ``collection``, or ``urn`` where it knows better. ``store_class`` is the class or its name.
    """
    _registered[store_class if isinstance(store_class, str) else store_class.__name__] = extractor
    _static.clear()


def name_index(store: object, urn: str) -> None:
    """Say which dataset ``store`` is, where the hooks cannot know (an in-memory index, a store of your own)."""
    key = id(store)
    try:
        ref: Any = weakref.ref(store, lambda _gone: _named.pop(key, None))
    except TypeError:
        ref = store  # Without weak references it must be kept, or its id would name another object.
    _named[key] = (ref, str(urn))


def identity(store: object) -> Raw:
    """The raw identity of a vector store object of LangChain or LlamaIndex; at least its class. Not to be changed."""
    key = id(store)
    given = _named.get(key)
    if given is not None:
        return {"urn": given[1], "class": class_name(store)}
    known = _static.get(key)
    if known is not None and known.ref() is store:
        return known.identity(store)
    for name in _class_names(store):
        own = _registered.get(name)
        if own is not None:
            return _told_apart({"class": class_name(store), **_clean(own(store))})
        if name in _KNOWN:
            return _known(store, *_KNOWN[name])
    return {"class": class_name(store)}


def _told_apart(raw: Raw) -> Raw:
    """Without the class where the rest names an index: both frameworks then say the same of it."""
    if "collection" in raw and "platform" in raw:
        del raw["class"]
    return raw


class _Known:
    """Place of a store, read once (it parses addresses); the collection's name is read every time (it can change)."""

    __slots__ = ("_found", "_moved", "_moving", "_place", "ref")

    def __init__(self, ref: weakref.ref[Any], place: Raw, moving: Extractor) -> None:
        self.ref = ref
        self._place = place
        self._moving = moving
        self._moved: Mapping[str, Any] | None = None
        self._found: Raw = {}

    def identity(self, store: object) -> Raw:
        """The same dictionary as long as nothing changes."""
        moved = self._moving(store)
        if moved != self._moved:
            self._found = _told_apart({**self._place, **_clean(moved)})
            self._moved = moved
        return self._found


def _known(store: object, platform: str, static: Extractor, moving: Extractor) -> Raw:
    key = id(store)
    place = {"platform": platform, **_clean(static(store)), "class": class_name(store)}
    try:
        found = _static[key] = _Known(weakref.ref(store, lambda _gone: _static.pop(key, None)), place, moving)
    except TypeError:
        return _told_apart({**place, **_clean(moving(store))})
    return found.identity(store)


def class_name(thing: object) -> str:
    """``langchain_chroma.Chroma``: top-level package and class."""
    kind = type(thing)
    return f"{kind.__module__.partition('.')[0]}.{kind.__qualname__}"


def _class_names(thing: object) -> Iterator[str]:
    for kind in type(thing).__mro__:
        yield kind.__name__


def attribute(thing: object, *paths: str) -> Any:
    """The first of the dotted ``paths`` that leads to something; vendors rename their private attributes."""
    for path in paths:
        value: Any = thing
        for step in path.split("."):
            try:
                value = held(value, step)
            except (RuntimeError, ValueError, KeyError, TypeError):
                value = None  # A property that wants a connection or an initialised object.
            if value is None:
                break
        if value is not None:
            return value
    return None


def text(value: object) -> str | None:
    """A short string or nothing; what is no string is no name."""
    if isinstance(value, str) and value:
        return value[:MAX_TEXT]
    return None


def address(value: object) -> str | None:
    """Host, port and path prefix of an address, without scheme, user, password, query and fragment.

    >>> address("https://user:secret@qdrant.example.org:6333/prefix?api_key=x")
    'qdrant.example.org:6333/prefix'
    >>> address("localhost:19530")
    'localhost:19530'
    """
    said = text(value)
    if said is None:
        return None
    try:
        parts = urlsplit(said if "://" in said else f"//{said}")
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if not host:
        return None
    if ":" in host:
        host = f"[{host}]"
    return f"{host}:{port}{parts.path.rstrip('/')}" if port else f"{host}{parts.path.rstrip('/')}"


def _clean(raw: Mapping[str, Any]) -> Raw:
    return {key: value[:MAX_TEXT] for key, value in raw.items() if isinstance(value, str) and value}


def _path(value: object) -> str | None:
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    said = text(value)
    if said is None or said == ":memory:":
        return None
    if "://" in said:
        return said.split("?", 1)[0] if "@" not in said else address(said)
    return os.path.abspath(os.path.expanduser(said))


def _nothing(_store: Any) -> Raw:
    return {}


# Chroma: https://docs.trychroma.com/reference/python/client


def _chroma_place(store: Any) -> Raw:
    client = attribute(store, "_client", "_collection._client", "client._client")
    collection = attribute(store, "_chroma_collection", "_collection", "client")
    settings = attribute(client, "_system.settings", "_server._system.settings", "_settings")
    raw: Raw = {
        "tenant": text(attribute(client, "tenant")) or text(attribute(collection, "tenant")),
        "database": text(attribute(client, "database")) or text(attribute(collection, "database")),
    }
    host = text(attribute(settings, "chroma_server_host"))
    if host is not None:
        port = attribute(settings, "chroma_server_http_port")
        raw["host"] = address(host if port is None or ":" in host.rpartition("]")[2] else f"{host}:{port}")
    elif attribute(settings, "is_persistent"):
        raw["path"] = _path(attribute(settings, "persist_directory"))
    return raw


def _chroma_collection(store: Any) -> Raw:
    return {
        "collection": text(
            attribute(store, "_chroma_collection.name", "_collection.name", "client.name", "_collection_name")
        )
    }


# PostgreSQL: https://github.com/langchain-ai/langchain-postgres


def _postgres(url: Any) -> Raw:
    """Of a SQLAlchemy engine's URL or a connection string."""
    host, port, database = (attribute(url, name) for name in ("host", "port", "database"))
    if host is None and database is None and isinstance(url, str):
        try:
            parts = urlsplit(url)
            host, port, database = parts.hostname, parts.port, parts.path.lstrip("/") or None
        except ValueError:
            return {}
    return {"host": f"{host}:{port or 5432}" if host else None, "database": text(database)}


def _pgvector_place(store: Any) -> Raw:
    url = attribute(
        store, "_engine.url", "_async_engine.url", "_bind.url", "connection_string", "_bind.engine.url"
    )
    return {**_postgres(url), "schema": "public", "collection": "langchain_pg_embedding"}


def _pgvector_part(store: Any) -> Raw:
    return {"partition": text(attribute(store, "collection_name"))}


def _pgvectorstore_place(store: Any) -> Raw:
    if type(store).__module__.startswith("llama_index"):  # The same class name, with other attributes.
        return _pg_llamaindex_place(store)
    inner = attribute(store, "_PGVectorStore__vs", "_vs") or store
    url = attribute(inner, "engine.url", "_engine.url", "engine._pool.url")
    return {
        **_postgres(url),
        "schema": text(attribute(inner, "schema_name")) or "public",
        "collection": text(attribute(inner, "table_name")),
    }


def _pg_llamaindex_place(store: Any) -> Raw:
    table = text(attribute(store, "table_name"))
    return {
        **_postgres(attribute(store, "connection_string", "_engine.url")),
        "schema": text(attribute(store, "schema_name")) or "public",
        "collection": f"data_{table.lower()}" if table else None,
    }


# Qdrant: https://python-client.qdrant.tech


def _qdrant_place(store: Any) -> Raw:
    client = attribute(store, "_client", "client", "_aclient")
    inner = attribute(client, "_client")
    location = attribute(inner, "location")
    if isinstance(location, str):
        return {"path": _path(location)}
    return {"host": address(attribute(inner, "rest_uri", "_rest_uri", "_host") or attribute(store, "url"))}


# LanceDB: https://lancedb.github.io/lancedb/python


def _lance_place(store: Any) -> Raw:
    uri = attribute(store, "_connection.uri", "uri", "_uri")
    return (
        {"host": address(uri)} if isinstance(uri, str) and uri.startswith("db://") else {"path": _path(uri)}
    )


def _lance_table(store: Any) -> Raw:
    name = text(attribute(store, "_table_name", "table_name"))
    return {"collection": name or text(attribute(store, "_table.name"))}


# Pinecone: https://docs.pinecone.io/reference/python-sdk


def _pinecone_place(store: Any) -> Raw:
    index = attribute(store, "_index", "_pinecone_index", "index")
    host = address(
        attribute(index, "_config.host", "config.host", "_host") or attribute(store, "_host", "host")
    )
    name = text(attribute(store, "index_name", "_index_name"))
    return {"host": host, "database": name}


def _pinecone_namespace(store: Any) -> Raw:
    return {"collection": text(attribute(store, "_namespace", "namespace")) or "__default__"}


# Milvus: https://milvus.io/api-reference/pymilvus


def _milvus_place(store: Any) -> Raw:
    said = attribute(store, "_connection_args", "connection_args")
    arguments: Mapping[str, Any] = said if isinstance(said, Mapping) else {}
    uri = arguments.get("uri") or attribute(store, "uri", "_milvusclient._config.uri", "client._config.uri")
    if uri is None and arguments.get("host"):
        uri = f"{arguments['host']}:{arguments.get('port', 19530)}"
    raw: Raw = {
        "database": text(arguments.get("db_name"))
        or text(attribute(store, "client._config.db_name"))
        or "default"
    }
    if isinstance(uri, str) and uri.endswith(".db") and "://" not in uri:
        raw["path"] = _path(uri)
    else:
        raw["host"] = address(uri)
    return raw


# OpenSearch, Elasticsearch, Weaviate


def _hosts(client: Any) -> str | None:
    first = attribute(client, "transport.hosts", "transport.node_pool.all", "transport._node_pool.all")
    first = first() if callable(first) else first
    if isinstance(first, (list, tuple)) and first:
        node = first[0]
        if isinstance(node, Mapping):
            host = text(node.get("host"))
            return address(f"{host}:{node.get('port') or 9200}") if host else None
        return address(attribute(node, "base_url"))
    return None


def _search_place(store: Any) -> Raw:
    client = attribute(store, "client", "_client", "_store.client", "_store._client", "_os_client")
    return {"host": _hosts(client) or address(attribute(store, "opensearch_url", "es_url", "_endpoint"))}


def _weaviate_place(store: Any) -> Raw:
    client = attribute(store, "_client", "client")
    return {
        "host": address(attribute(client, "_connection.url", "url")),
        "tenant": text(attribute(store, "_tenant")),
    }


def _collection(*paths: str) -> Extractor:
    def named(store: Any) -> Raw:
        return {"collection": text(attribute(store, *paths))}

    return named


_INDEX_NAME: Final = _collection(
    "index_name", "_index_name", "_store.index", "_index", "index", "_client._index", "client._index"
)
_KNOWN: Final[dict[str, tuple[str, Extractor, Extractor]]] = {
    "Chroma": ("chroma", _chroma_place, _chroma_collection),
    "ChromaVectorStore": ("chroma", _chroma_place, _chroma_collection),
    "PGVector": ("postgres", _pgvector_place, _pgvector_part),
    "PGVectorStore": ("postgres", _pgvectorstore_place, _nothing),
    "AsyncPGVectorStore": ("postgres", _pgvectorstore_place, _nothing),
    "QdrantVectorStore": ("qdrant", _qdrant_place, _collection("collection_name", "_collection_name")),
    "Qdrant": ("qdrant", _qdrant_place, _collection("collection_name")),
    "LanceDB": ("lancedb", _lance_place, _lance_table),
    "LanceDBVectorStore": ("lancedb", _lance_place, _lance_table),
    "PineconeVectorStore": ("pinecone", _pinecone_place, _pinecone_namespace),
    "Pinecone": ("pinecone", _pinecone_place, _pinecone_namespace),
    "Milvus": ("milvus", _milvus_place, _collection("collection_name")),
    "Zilliz": ("milvus", _milvus_place, _collection("collection_name")),
    "MilvusVectorStore": ("milvus", _milvus_place, _collection("collection_name")),
    "OpenSearchVectorSearch": ("opensearch", _search_place, _INDEX_NAME),
    "OpensearchVectorStore": ("opensearch", _search_place, _INDEX_NAME),
    "ElasticsearchStore": ("elasticsearch", _search_place, _INDEX_NAME),
    "WeaviateVectorStore": ("weaviate", _weaviate_place, _INDEX_NAME),
    "Weaviate": ("weaviate", _weaviate_place, _INDEX_NAME),
    "FAISS": ("faiss", _nothing, _nothing),
    "FaissVectorStore": ("faiss", _nothing, _nothing),
    "InMemoryVectorStore": ("in-memory", _nothing, _nothing),
    "SimpleVectorStore": ("in-memory", _nothing, _nothing),
}


# Embedding models and retrievers

_PROVIDERS: Final = {
    "azureopenai": "openai",
    "azure": "openai",
    "openai": "openai",
    "cohere": "cohere",
    "huggingface": "huggingface",
    "huggingfaceendpoint": "huggingface",
    "huggingfaceinference": "huggingface",
    "huggingfacebge": "huggingface",
    "huggingfaceinstruct": "huggingface",
    "sentencetransformer": "huggingface",
    "fastembed": "fastembed",
    "ollama": "ollama",
    "bedrock": "bedrock",
    "vertexai": "vertexai",
    "googlegenerativeai": "google",
    "googlegenai": "google",
    "gemini": "google",
    "mistralai": "mistral",
    "voyageai": "voyage",
    "voyage": "voyage",
    "jina": "jina",
    "jinaai": "jina",
    "nvidia": "nvidia",
}


def embedding(model: object) -> Raw | None:
    """Provider and name of an embedding model object, its class where it does not say them."""
    if model is None:
        return None
    key = id(model)
    known = _embeddings.get(key)
    if known is not None and known[0]() is model:
        return known[1]
    raw = _embedding(model)
    with contextlib.suppress(TypeError):
        _embeddings[key] = (weakref.ref(model, lambda _gone: _embeddings.pop(key, None)), raw)
    return raw


_embeddings: dict[int, tuple[weakref.ref[Any], Raw]] = {}


def _embedding(model: object) -> Raw:
    raw: Raw = {"class": class_name(model)}
    name = text(attribute(model, "model_name", "model", "model_id", "deployment", "deployment_name"))
    if name is not None and name != "unknown":
        raw["model"] = name
        word = type(model).__name__.lower().removesuffix("embeddings").removesuffix("embedding")
        provider = _PROVIDERS.get(word)
        if provider is not None:
            raw["provider"] = provider
    return raw


def filter_keys(value: object, depth: int = 0) -> list[str]:
    """Names of the fields that a filter looks at, never what it compares them with."""
    found: list[str] = []
    if depth > 4:
        return found
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if isinstance(key, str) and not key.startswith("$") and len(found) < 20:
                found.append(key[:80])
            found += filter_keys(inner, depth + 1)
    elif isinstance(value, (list, tuple)):
        for inner in value[:50]:
            found += filter_keys(inner, depth + 1)
    else:
        key = attribute(value, "key")
        if isinstance(key, str):
            found.append(key[:80])
        inner = attribute(value, "filters")
        if isinstance(inner, list):
            found += filter_keys(inner, depth + 1)
    return sorted(set(found))[:20]


def langchain_retriever(retriever: object) -> tuple[Raw, object]:
    """Facts of a LangChain retriever (class, k, search type, filter keys, parts) and the store behind it."""
    facts: Raw = {"class": class_name(retriever)}
    own = _own(retriever)
    name = own.get("name")
    if isinstance(name, str):
        facts["name"] = name[:MAX_TEXT]
    search = own.get("search_type")
    if search is not None:
        facts["search_type"] = str(getattr(search, "value", search))[:40]
    options = own.get("search_kwargs")
    if isinstance(options, Mapping):
        _search_options(options, facts)
    k = own.get("k")
    if isinstance(k, int):
        facts.setdefault("k", k)
    compressor = own.get("base_compressor")
    if compressor is not None:
        facts["reranker"] = class_name(compressor)
        model = text(attribute(compressor, "model", "model_name", "model.model_name"))
        if model is not None:
            facts["reranker_model"] = model
    parts = own.get("retrievers")
    if isinstance(parts, list):
        facts["parts"] = [class_name(part) for part in parts[:10]]
    for key in ("vectorstore", "vector_store", "_vectorstore", "store"):
        store = own.get(key)
        if store is not None:
            return facts, store
    return facts, None


def _search_options(options: Mapping[str, Any], facts: Raw) -> None:
    for key, value in options.items():
        if key in _SEARCH_NUMBERS and isinstance(value, (int, float)):
            facts[key] = value
        elif key in _SEARCH_FILTERS:
            keys = filter_keys(value)
            if keys:
                facts["filter_keys"] = keys


def _own(thing: object) -> Mapping[str, Any]:
    """Attributes of the object itself. Asking a pydantic model for one that it lacks costs ten times as much."""
    found = getattr(thing, "__dict__", None)
    return found if isinstance(found, dict) else {}


_SEARCH_NUMBERS: Final = frozenset({"k", "fetch_k", "lambda_mult", "score_threshold", "alpha"})
_SEARCH_FILTERS: Final = frozenset({"filter", "where", "pre_filter", "expr"})


def llamaindex_retriever(retriever: object) -> tuple[Raw, object]:
    """The same of a LlamaIndex retriever."""
    facts: Raw = {"class": class_name(retriever)}
    own = _own(retriever)
    k = own.get("_similarity_top_k", own.get("similarity_top_k"))
    if isinstance(k, int):
        facts["k"] = k
    mode = own.get("_vector_store_query_mode")
    if mode is not None:
        facts["search_type"] = str(getattr(mode, "value", mode))[:40]
    alpha = own.get("_alpha")
    if isinstance(alpha, (int, float)):
        facts["alpha"] = alpha
    filters = own.get("_filters")
    if filters is not None:
        keys = filter_keys(filters)
        if keys:
            facts["filter_keys"] = keys
    index = own.get("_index")
    if index is not None:
        index_id = text(attribute(index, "index_id"))
        if index_id is not None:
            facts["index_id"] = index_id
    parts = own.get("_retrievers")
    if isinstance(parts, list):
        facts["parts"] = [class_name(part) for part in parts[:10]]
    store = own.get("_vector_store") or own.get("vector_store")
    if store is None and index is not None:
        store = attribute(index, "vector_store", "_vector_store")
    return facts, store
