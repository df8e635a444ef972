"""Identifies a live vector store by platform, host or path, tenant, database and collection.

The result is never a URN: environment, platform instance and case are known to the recipe that reads the records. What
a store does not reveal is left out; an unknown store has its class name only. Credentials never get in: of an address
only host, port and path prefix are kept.
"""

from __future__ import annotations

import contextlib
import re
import weakref
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Final

from datahub_llmops.hooks import runtime
from datahub_llmops.hooks.addresses import MAX_TEXT, has_secret
from datahub_llmops.hooks.names import dataset_urn
from datahub_llmops.hooks.retriever_cache import own_attributes
from datahub_llmops.hooks.vendor_attributes import KNOWN, Extractor, Raw, find_attribute, short_text

_registered: dict[str, Extractor] = {}
_named: dict[int, tuple[weakref.ref[Any] | Any, str]] = {}
_static: dict[int, _CachedIdentity] = {}


def register(store_class: type | str, extractor: Extractor) -> None:
    """Register a store class of your own.

    ``extractor(store)`` returns some of ``platform``, ``host``, ``path``, ``tenant``, ``database``, ``schema``,
    ``collection``, or ``urn`` where it knows better. ``store_class`` is the class or its name.
    """
    _registered[store_class if isinstance(store_class, str) else store_class.__name__] = extractor
    _static.clear()


def name_index(store: object, urn: str) -> None:
    """Name the dataset of ``store`` where the hooks cannot know it (an in-memory index, a store of your own)."""
    known = dataset_urn(urn)
    if known is None:
        runtime.refuse("lineage.name_index(store, urn): it is not the URN of a dataset, and was ignored")
        return
    key = id(store)
    try:
        ref: Any = weakref.ref(store, lambda _gone: _named.pop(key, None))
    except TypeError:
        ref = store  # Without weak references it must be kept alive, or another object may get its id.
    _named[key] = (ref, known)


def identify_store(store: object) -> Raw:
    """Return the raw identity of a LangChain or LlamaIndex store, at least its class. Callers must not change it."""
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
            return _drop_redundant_class({"class": class_name(store), **_clean(own(store))})
        if name in KNOWN:
            return _known(store, *KNOWN[name])
    return {"class": class_name(store)}


def _drop_redundant_class(raw: Raw) -> Raw:
    """Drop the class if the rest names an index, so that both frameworks give it the same identity."""
    if "collection" in raw and "platform" in raw:
        del raw["class"]
    return raw


class _CachedIdentity:
    """The location of a store, read once (it parses addresses). Its collection is read every time: it can change."""

    __slots__ = ("_found", "_last_moving", "_location", "_moving", "ref")

    def __init__(self, ref: weakref.ref[Any], place: Raw, moving: Extractor) -> None:
        self.ref = ref
        self._location = place
        self._moving = moving
        self._last_moving: Mapping[str, Any] | None = None
        self._found: Raw = {}

    def identity(self, store: object) -> Raw:
        """Return the same dictionary while nothing changes."""
        moved = self._moving(store)
        if moved != self._last_moving:
            self._found = _drop_redundant_class({**self._location, **_clean(moved)})
            self._last_moving = moved
        return self._found


def _known(store: object, platform: str, static: Extractor, moving: Extractor) -> Raw:
    key = id(store)
    place = {"platform": platform, **_clean(static(store)), "class": class_name(store)}
    try:
        found = _static[key] = _CachedIdentity(
            weakref.ref(store, lambda _gone: _static.pop(key, None)), place, moving
        )
    except TypeError:
        return _drop_redundant_class({**place, **_clean(moving(store))})
    return found.identity(store)


def class_name(thing: object) -> str:
    """Return top-level package and class, such as ``langchain_chroma.Chroma``."""
    kind = type(thing)
    return f"{kind.__module__.partition('.')[0]}.{kind.__qualname__}"


def _class_names(thing: object) -> Iterator[str]:
    for kind in type(thing).__mro__:
        yield kind.__name__


def _clean(raw: Mapping[str, Any]) -> Raw:
    return {key: value[:MAX_TEXT] for key, value in raw.items() if isinstance(value, str) and value}


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


_EMBEDDING_MODELS: Final = (
    "_embedding_function",
    "embedding_function",
    "_embeddings",
    "embeddings",
    "_embedding",
    "embedding",
    "embedding_func",
    "embedding_model",
    "embedding_service",
)
"""What the classes of LangChain's packages call it."""


def find_embedding_model(store: object) -> Any:
    """Return the embedding model of a LangChain store, or ``None`` if it is not known.

    Only what the object holds is read. Its property ``embeddings`` is code of anybody, which may take its time or end
    the process.
    """
    own = own_attributes(store)
    inner = own.get("_PGVectorStore__vs")
    if inner is not None:
        own = own_attributes(inner)
    for name in _EMBEDDING_MODELS:
        model = own.get(name)
        if model is not None:
            return model
    # A store of the application's own may call it as it likes.
    found = [value for value in own.values() if hasattr(type(value), "embed_query")]
    return found[0] if len(found) == 1 else None


def identify_embedding(model: object) -> Raw | None:
    """Return class of an embedding model object, and its provider and name if it has them."""
    if model is None:
        return None
    key = id(model)
    known = _embeddings.get(key)
    if known is not None and known[0]() is model:
        return known[1]
    raw = _read_embedding(model)
    with contextlib.suppress(TypeError):
        _embeddings[key] = (weakref.ref(model, lambda _gone: _embeddings.pop(key, None)), raw)
    return raw


_embeddings: dict[int, tuple[weakref.ref[Any], Raw]] = {}


def _read_embedding(model: object) -> Raw:
    raw: Raw = {"class": class_name(model)}
    name = short_text(
        find_attribute(model, "model_name", "model", "model_id", "deployment", "deployment_name")
    )
    if name is not None and name != "unknown":
        raw["model"] = name
        word = type(model).__name__.lower().removesuffix("embeddings").removesuffix("embedding")
        provider = _PROVIDERS.get(word)
        if provider is not None:
            raw["provider"] = provider
    return raw


MAX_FILTER_PARTS: Final = 300
"""The most parts of a filter that are looked at, on the application's thread. A filter may hold itself."""


_FIELD: Final = re.compile(r"[^\W\d][\w.-]*( [\w.-]+){0,2}")
_TOKEN: Final = re.compile(r"(?=[^\W_]*\d[^\W_\d])[^\W_]{16}|(\d[A-Za-z]+){3}|(\d+[A-Za-z]){3}")
"""Letters and digits as in keys and passwords, and in the names of no fields."""


def field_name(key: object) -> str | None:
    """Return the name of a field in a filter, or ``None`` for an operator and for what may be a value.

    >>> field_name("meta.author-id"), field_name("$and"), field_name("jane@example.org"), field_name("sk-live-9f8e7d")
    ('meta.author-id', None, None, None)
    """
    if not isinstance(key, str):
        return None
    name = str.__str__(key)[:80]
    return None if has_secret(name) or _TOKEN.search(name) or not _FIELD.fullmatch(name) else name


def filter_keys(value: object) -> list[str]:
    """Return the names of the fields in a filter, never the values that they are compared with."""
    found: set[str] = set()
    waiting: list[tuple[object, int]] = [(value, 0)]
    left = MAX_FILTER_PARTS
    while waiting and left > 0 and len(found) < 20:
        part, depth = waiting.pop()
        left -= 1
        if depth > 4 or part is None or isinstance(part, (str, bytes, int, float)):
            continue
        inner: Iterable[object] = ()
        if isinstance(part, Mapping):
            members = list(islice(part.items(), left))
            found.update(field for key, _ in members if (field := field_name(key)) is not None)
            inner = (one for _, one in members)
        elif isinstance(part, (list, tuple)):
            inner = part[:50]
        else:
            field = field_name(find_attribute(part, "key"))
            if field is not None:
                found.add(field)
            nested = find_attribute(part, "filters")
            inner = nested[:50] if isinstance(nested, list) else ()
        waiting += [(one, depth + 1) for one in islice(inner, left)]
    return sorted(found)[:20]


def describe_langchain_retriever(retriever: object) -> tuple[Raw, object]:
    """Return facts of a LangChain retriever (class, k, search type, filter keys, parts) and its store."""
    facts: Raw = {"class": class_name(retriever)}
    own = own_attributes(retriever)
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
        model = short_text(find_attribute(compressor, "model", "model_name", "model.model_name"))
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


_SEARCH_NUMBERS: Final = frozenset({"k", "fetch_k", "lambda_mult", "score_threshold", "alpha"})
_SEARCH_FILTERS: Final = frozenset({"filter", "where", "pre_filter", "expr"})


def describe_llamaindex_retriever(retriever: object) -> tuple[Raw, object]:
    """Return facts of a LlamaIndex retriever and its store."""
    facts: Raw = {"class": class_name(retriever)}
    own = own_attributes(retriever)
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
        index_id = short_text(find_attribute(index, "index_id"))
        if index_id is not None:
            facts["index_id"] = index_id
    parts = own.get("_retrievers")
    if isinstance(parts, list):
        facts["parts"] = [class_name(part) for part in parts[:10]]
    store = own.get("_vector_store") or own.get("vector_store")
    if store is None and index is not None:
        store = find_attribute(index, "vector_store", "_vector_store")
    return facts, store
