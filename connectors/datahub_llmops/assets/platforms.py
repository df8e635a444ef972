"""Every platform that the package knows, one entry each: its names, its logo, and how to recognise its stores.

Connectors, the mapping, the resolver of answers, and the hooks read these entries. The hooks run in users' processes,
so this is plain data without an import beyond the standard library.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple, TypeAlias

Kind: TypeAlias = Literal[
    "vector store", "prompt registry", "framework", "model provider", "scheduler", "other"
]


class StoreClass(NamedTuple):
    """A class of LangChain or LlamaIndex that writes to and searches a vector store.

    ``host``, ``path`` and ``collection`` are dotted attributes; the first one with a value counts. The hooks read them.
    A store whose address needs more than attributes has a function in ``hooks.vendor_attributes``.
    """

    name: str
    collection: tuple[str, ...] = ()
    host: tuple[str, ...] = ()
    path: tuple[str, ...] = ()
    any_metadata: bool = False
    """Whether chunks may be stamped: the class writes metadata keys that no schema declares."""


class TextLayout(NamedTuple):
    """The payload field that holds the embedded text, and the fields that must be beside it."""

    field: str
    beside: tuple[str, ...] = ()

    def find(self, paths: frozenset[str]) -> str | None:
        """The field, if ``paths`` have this layout.

        >>> TextLayout("text", beside=("metadata",)).find(frozenset({"text", "metadata", "metadata.page"}))
        'text'
        """
        return self.field if paths.issuperset((self.field, *self.beside)) else None


class Platform(NamedTuple):
    """One platform: what all rooms need to know about it."""

    name: str
    """DataHub's word for it: the platform of URNs."""
    display_name: str
    kind: Kind
    logo: str | None = None
    """File in ``assets/logos``; ``None`` if DataHub ships a logo or none is needed."""
    levels: tuple[str, ...] = ("collection",)
    """What the parts of a name are called, outermost first. ``<level>_pattern`` is the option that filters by one."""
    noun: str | None = None
    """What one dataset is called, if not as the last level."""
    has_aliases: bool = False
    """Whether applications may use other names for a collection."""
    cataloged_as: str | None = None
    """The platform in its URNs, if it is another one."""
    store_classes: tuple[StoreClass, ...] = ()
    text_layout: TextLayout | None = None
    """How LangChain writes a text to this store, if not as ``page_content``."""

    def text_field(self, paths: frozenset[str]) -> str | None:
        """The payload field with the embedded text, if LangChain laid the payload out for this platform."""
        return self.text_layout.find(paths) if self.text_layout else None

    @property
    def raw_keys(self) -> tuple[str, ...]:
        """The keys of a raw identity that make up the name of an asset, outermost first."""
        return _RAW_KEYS[len(self.levels)]


_RAW_KEYS: Final = {
    1: ("collection",),
    2: ("database", "collection"),
    3: ("database", "schema", "collection"),
}
_TEXT_AND_METADATA: Final = TextLayout("text", beside=("metadata",))

_ENTRIES: Final = (
    Platform(
        name="chroma",
        display_name="Chroma",
        kind="vector store",
        logo="chroma.svg",
        levels=("database", "collection"),
        store_classes=(
            StoreClass(
                "Chroma",
                collection=(
                    "_chroma_collection.name",
                    "_collection.name",
                    "client.name",
                    "_collection_name",
                ),
                any_metadata=True,
            ),
            StoreClass(
                "ChromaVectorStore",
                collection=("_collection.name", "client.name", "collection_name"),
                any_metadata=True,
            ),
        ),
    ),
    Platform(
        name="elasticsearch",
        display_name="Elasticsearch",
        kind="vector store",
        levels=("index",),
        noun="collection",
        has_aliases=True,
        store_classes=(
            StoreClass(
                "ElasticsearchStore",
                collection=("_store.index", "index_name", "_index_name"),
                any_metadata=True,
            ),
            StoreClass("AsyncElasticsearchStore", collection=("_store.index", "index_name", "_index_name")),
        ),
        text_layout=_TEXT_AND_METADATA,
    ),
    Platform(
        name="faiss",
        display_name="faiss",
        kind="vector store",
        store_classes=(
            StoreClass("FAISS", any_metadata=True),
            StoreClass("FaissVectorStore", any_metadata=True),
        ),
    ),
    Platform(
        name="in-memory",
        display_name="in-memory",
        kind="vector store",
        store_classes=(
            StoreClass("InMemoryVectorStore", any_metadata=True),
            StoreClass("SimpleVectorStore", any_metadata=True),
        ),
    ),
    Platform(
        name="lancedb",
        display_name="LanceDB",
        kind="vector store",
        logo="lancedb.svg",
        levels=("table",),
        store_classes=tuple(
            StoreClass(name, collection=("_full_table_name", "_table_name", "table_name", "_table.name"))
            for name in ("LanceDB", "LanceDBVectorStore")
        ),
        text_layout=_TEXT_AND_METADATA,
    ),
    Platform(
        name="milvus",
        display_name="Milvus",
        kind="vector store",
        logo="milvus.svg",
        levels=("database", "collection"),
        has_aliases=True,
        # Both take any key where the collection has dynamic fields, which the hooks ask the object for.
        store_classes=(StoreClass("Milvus"), StoreClass("MilvusVectorStore")),
    ),
    Platform(
        name="opensearch",
        display_name="OpenSearch",
        kind="vector store",
        levels=("index",),
        noun="collection",
        # DataHub's own source for Elasticsearch reads OpenSearch too, and writes these URNs.
        cataloged_as="elasticsearch",
        store_classes=tuple(
            StoreClass(name, collection=("index_name", "_client._index", "client._index"), any_metadata=True)
            for name in ("OpenSearchVectorSearch", "OpensearchVectorStore")
        ),
        text_layout=_TEXT_AND_METADATA,
    ),
    Platform(
        name="pinecone",
        display_name="Pinecone",
        kind="vector store",
        levels=("index", "namespace"),
        store_classes=(
            StoreClass("PineconeVectorStore", any_metadata=True),
            StoreClass("Pinecone", any_metadata=True),
        ),
        text_layout=TextLayout("text"),
    ),
    Platform(
        name="postgres",
        display_name="PostgreSQL",
        kind="vector store",
        levels=("database", "schema", "table"),
        store_classes=(
            StoreClass("PGVector", any_metadata=True),
            StoreClass("PGVectorStore", any_metadata=True),
            StoreClass("AsyncPGVectorStore", any_metadata=True),
        ),
    ),
    Platform(
        name="qdrant",
        display_name="Qdrant",
        kind="vector store",
        logo="qdrant.svg",
        has_aliases=True,
        store_classes=(
            StoreClass(
                "QdrantVectorStore", collection=("collection_name", "_collection_name"), any_metadata=True
            ),
            StoreClass("Qdrant", collection=("collection_name",), any_metadata=True),
        ),
    ),
    Platform(
        name="weaviate",
        display_name="Weaviate",
        kind="vector store",
        logo="weaviate.svg",
        has_aliases=True,
        store_classes=(StoreClass("WeaviateVectorStore"), StoreClass("Weaviate")),
    ),
    Platform(name="mlflow", display_name="MLflow", kind="prompt registry"),
    Platform(name="langfuse", display_name="Langfuse", kind="prompt registry", logo="langfuse.svg"),
    Platform(name="phoenix", display_name="Phoenix", kind="prompt registry", logo="phoenix.svg"),
    Platform(name="langsmith", display_name="LangSmith", kind="prompt registry", logo="langsmith.svg"),
    Platform(name="weave", display_name="Weave", kind="prompt registry", logo="weave.svg"),
    Platform(
        name="langchain",
        display_name="LangChain",
        kind="framework",
        logo="langchain.svg",
        text_layout=TextLayout("page_content", beside=("metadata",)),
    ),
    Platform(name="llama-index", display_name="LlamaIndex", kind="framework", logo="llama-index.svg"),
    Platform(
        name="prompt-files", display_name="Prompt files", kind="prompt registry", logo="prompt-files.svg"
    ),
    # Their display names are what earlier versions wrote.
    Platform(name="cohere", display_name="cohere", kind="model provider", logo="cohere.svg"),
    Platform(name="huggingface", display_name="huggingface", kind="model provider", logo="huggingface.svg"),
    Platform(name="ollama", display_name="ollama", kind="model provider", logo="ollama.svg"),
    Platform(name="openai", display_name="openai", kind="model provider", logo="openai.svg"),
    Platform(
        name="sentence-transformers",
        display_name="sentence-transformers",
        kind="model provider",
        logo="sentence-transformers.svg",
    ),
    Platform(name="cron", display_name="cron", kind="scheduler", logo="cron.svg"),
    Platform(
        name="github-actions", display_name="github-actions", kind="scheduler", logo="github-actions.svg"
    ),
    Platform(name="custom", display_name="custom", kind="other", logo="custom.svg"),
)

PLATFORMS: Final[dict[str, Platform]] = {entry.name: entry for entry in _ENTRIES}


def find(name: str) -> Platform:
    """Find the entry of a platform. A platform without one gets an entry with one level of names.

    >>> find("pinecone").levels, find("pinecone").raw_keys
    (('index', 'namespace'), ('database', 'collection'))
    >>> find("acme").display_name
    'acme'
    """
    return PLATFORMS.get(name) or Platform(name=name, display_name=name, kind="other")
