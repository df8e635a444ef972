"""The registry of platforms: what each room reads there is what it knew by itself before."""

from __future__ import annotations

import doctest
from collections import Counter
from typing import Any

import pytest

from datahub_llmops.assets import platforms
from datahub_llmops.assets.platforms import PLATFORMS, StoreClass
from datahub_llmops.hooks import stamping, vendor_attributes
from datahub_llmops.ingestion.sampling import text_path
from datahub_llmops.mapping.platforms import logo_url, platform_info
from support.paths import ROOT
from test_inventory import CONNECTORS, SOURCES, resolve

LOGOS = ROOT / "connectors" / "datahub_llmops" / "assets" / "logos"
CLASSES = {
    "Chroma": "chroma",
    "ChromaVectorStore": "chroma",
    "PGVector": "postgres",
    "PGVectorStore": "postgres",
    "AsyncPGVectorStore": "postgres",
    "QdrantVectorStore": "qdrant",
    "Qdrant": "qdrant",
    "LanceDB": "lancedb",
    "LanceDBVectorStore": "lancedb",
    "PineconeVectorStore": "pinecone",
    "Pinecone": "pinecone",
    "Milvus": "milvus",
    "MilvusVectorStore": "milvus",
    "OpenSearchVectorSearch": "opensearch",
    "OpensearchVectorStore": "opensearch",
    "ElasticsearchStore": "elasticsearch",
    "AsyncElasticsearchStore": "elasticsearch",
    "WeaviateVectorStore": "weaviate",
    "Weaviate": "weaviate",
    "FAISS": "faiss",
    "FaissVectorStore": "faiss",
    "InMemoryVectorStore": "in-memory",
    "SimpleVectorStore": "in-memory",
}
DECLARED_FIELDS_ONLY = {
    "LanceDB",
    "LanceDBVectorStore",
    "Milvus",
    "MilvusVectorStore",
    "AsyncElasticsearchStore",
    "WeaviateVectorStore",
    "Weaviate",
}


def test_the_examples_in_the_docstrings_hold() -> None:
    result = doctest.testmod(platforms)
    assert result.attempted >= 3
    assert result.failed == 0


def test_each_platform_has_one_entry_and_each_class_one_platform() -> None:
    entries = Counter(entry.name for entry in platforms._ENTRIES)
    classes = Counter(store.name for entry in PLATFORMS.values() for store in entry.store_classes)
    assert set(entries.values()) == {1}
    assert set(classes.values()) == {1}


def test_every_logo_belongs_to_an_entry() -> None:
    named = {entry.logo for entry in PLATFORMS.values() if entry.logo}
    assert named == {path.name for path in LOGOS.glob("*.svg")}


def test_the_hooks_know_the_classes_of_every_platform() -> None:
    assert {name: known[0] for name, known in vendor_attributes.KNOWN.items()} == CLASSES
    assert CLASSES.keys() - DECLARED_FIELDS_ONLY == stamping.FLEXIBLE


@pytest.mark.parametrize("key", sorted({*vendor_attributes._LOCATIONS, *vendor_attributes._COLLECTIONS}))
def test_what_reads_a_store_is_kept_by_a_name_of_the_registry(key: str) -> None:
    assert key in PLATFORMS or key in CLASSES


def test_a_store_of_plain_attributes_needs_no_code(monkeypatch: pytest.MonkeyPatch) -> None:
    class Acme:
        url = "https://user:secret@acme.example.org:99/kb?key=x"
        name = "docs"

    declared = StoreClass("Acme", host=("_client.url", "url"), collection=("name",))
    assert vendor_attributes._location(declared)(Acme())["host"] == "acme.example.org:99/kb"
    assert vendor_attributes._collection(declared)(Acme()) == {"collection": "docs"}


@pytest.mark.parametrize("plugin", sorted(CONNECTORS))
def test_a_connector_has_an_entry_that_its_filters_follow(plugin: str) -> None:
    source: Any = resolve(SOURCES[plugin])
    entry = PLATFORMS[source.platform]
    assert entry.kind == "vector store"
    if plugin == "llm-pgvector":  # Its tables are filtered by their whole name.
        assert source.name_filters == ("database_pattern", "schema_pattern")
    else:
        assert source.name_filters == tuple(f"{level}_pattern" for level in entry.levels)
        assert source.get_platform_name() in (entry.display_name, "OpenSearch")
    assert set(source.name_filters) <= set(source.get_config_class().model_fields)


@pytest.mark.parametrize(
    ("platform", "key"),
    [
        ("chroma", ("database", "collection")),
        ("milvus", ("database", "collection")),
        ("pinecone", ("database", "collection")),
        ("postgres", ("database", "schema", "collection")),
        ("qdrant", ("collection",)),
        ("acme", ("collection",)),
    ],
)
def test_the_keys_of_a_raw_identity_follow_from_the_levels(platform: str, key: tuple[str, ...]) -> None:
    assert platforms.find(platform).raw_keys == key


@pytest.mark.parametrize(
    ("platform", "name"),
    [
        ("chroma", "Chroma"),
        ("llama-index", "LlamaIndex"),
        ("openai", "openai"),
        ("pinecone", None),
        ("acme", None),
    ],
)
def test_only_a_platform_with_a_logo_is_described(platform: str, name: str | None) -> None:
    found: list[Any] = [proposal.aspect for proposal in platform_info(platform)]
    assert [info.displayName for info in found] == ([name] if name else [])
    assert [info.displayName for info in platform_info_of_any(platform)] == [name or platform]


def platform_info_of_any(platform: str) -> list[Any]:
    found: list[Any] = [proposal.aspect for proposal in platform_info(platform, any_logo=True)]
    assert [info.logoUrl for info in found] == [logo_url(platform) or logo_url("custom")]
    return found


@pytest.mark.parametrize(
    ("platform", "paths", "field"),
    [
        ("", ["page_content", "metadata", "text"], "page_content"),
        ("", ["text", "metadata"], None),
        ("lancedb", ["text", "metadata"], "text"),
        ("lancedb", ["text"], None),
        ("lancedb", ["page_content", "metadata", "text"], "page_content"),
        ("pinecone", ["text"], "text"),
        ("pinecone", ["_node_content"], "_node_content"),
        ("qdrant", ["text", "metadata"], None),
    ],
)
def test_the_text_is_where_a_framework_puts_it(platform: str, paths: list[str], field: str | None) -> None:
    assert text_path(paths, platform) == field
