"""Retrievals: which retriever, which index, and who says so."""

from __future__ import annotations

import json
from typing import Any

import pytest

from datahub_llmops.answer_store.recorded import RecordedAnswer, Retrieval
from datahub_llmops.spans.assemble import AssembleOptions, assemble
from datahub_llmops.spans.span import Span

from .recordings import Recording, raw_lines
from .world import span

CHROMA: dict[str, Any] = {"metadata": {"ls_vector_store_provider": "Chroma"}}
DOCS = {"collection": "docs", "database": "default_database", "host": "chroma:8000", "platform": "chroma"}
FAQ = {**DOCS, "collection": "faq"}


# The database's span


def test_the_span_of_the_stores_client_names_the_collection() -> None:
    search = span("VectorStoreRetriever", kind="RETRIEVER")
    client = span("qdrant.query_points", search, db__system="Qdrant", qdrant__search__collection_name="docs")
    assert retrieval(search, client).index == {
        "platform": "qdrant",
        "collection": "docs",
        "seen_by": "database_span",
    }


def test_a_standard_database_span_names_host_and_collection() -> None:
    search = span("ElasticsearchRetriever", kind="RETRIEVER")
    client = span(
        "search",
        search,
        db__system__name="elasticsearch",
        db__operation__name="search",
        db__collection__name="docs",
        server__address="search.example.org",
        server__port=9200,
    )
    assert retrieval(search, client).index == {
        "platform": "elasticsearch",
        "host": "search.example.org:9200",
        "collection": "docs",
        "seen_by": "database_span",
    }


def test_a_host_of_pinecone_names_the_index() -> None:
    search = span("VectorStoreRetriever", kind="RETRIEVER")
    client = span(
        "pinecone.query",
        search,
        db__system="Pinecone",
        server__address="https://docs-a1b2c3d.svc.aped-4627-b74a.pinecone.io",
    )
    assert retrieval(search, client).index == {
        "platform": "pinecone",
        "host": "docs-a1b2c3d.svc.aped-4627-b74a.pinecone.io",
        "database": "docs",
        "collection": "__default__",
        "seen_by": "database_span",
    }


def test_writes_are_no_searches_and_two_collections_are_none() -> None:
    search = span("VectorStoreRetriever", kind="RETRIEVER")
    write = span("qdrant.upsert", search, db__system="Qdrant", db__collection__name="memory")
    first = span("qdrant.query_points", search, db__system="Qdrant", db__collection__name="docs")
    second = span("qdrant.query_points", search, db__system="Qdrant", db__collection__name="faq")
    assert (retrieval(search, write, first).index or {})["collection"] == "docs"
    assert retrieval(search, write, first, second).index == {
        "platform": "qdrant",
        "seen_by": "database_span",
    }


def test_a_search_without_a_retriever_is_a_retrieval() -> None:
    root = span("help", kind="CHAIN")
    client = span("chroma.query", root, db__system="chroma", db__operation="query")
    client = client._replace(attributes={**client.attributes, "db.query.result.id": ["c1", "c2"]})
    inner = span("chroma.query.segment._query", client, db__system="chroma", db__operation="_query")
    found = retrieval(root, client, inner)
    assert found.retriever == {"class": "chroma", "direct": True}
    assert found.index == {"platform": "chroma", "seen_by": "database_span"}
    assert [chunk.id for chunk in found.chunks] == ["c1", "c2"]


# What else names an index


def test_the_store_writes_its_collection_into_the_documents() -> None:
    documents = [{"id": None, "metadata": {"_id": "c1", "_collection_name": "docs"}}]
    search = span("VectorStoreRetriever", kind="RETRIEVER")
    search = with_attributes(
        search, {"output.value": documents, "metadata": {"ls_vector_store_provider": "QdrantVectorStore"}}
    )
    found = retrieval(search)
    assert found.index == {
        "platform": "qdrant",
        "collection": "docs",
        "class": "QdrantVectorStore",
        "seen_by": "document",
    }
    assert [chunk.id for chunk in found.chunks] == ["c1"]
    other = with_attributes(search, {"metadata": {"ls_vector_store_provider": "Chroma"}})
    assert (retrieval(other).index or {})["seen_by"] == "class"


@pytest.mark.parametrize("tracer", ["openinference", "openllmetry", "mlflow"])
def test_the_address_of_a_database_is_no_source(tracer: str) -> None:
    """LangChain's package for LanceDB writes it over the source of each document that it finds."""
    recording = Recording(f"{tracer}-langchain/lancedb")
    found = [one for each in recording.assembled.values() for seen in each.answers for one in seen.retrievals]
    assert found
    assert any("/lancedb" in line for line in raw_lines(recording.name))
    assert {chunk.source for one in found for chunk in one.chunks} == {None}


@pytest.mark.parametrize(
    ("store", "values", "kept"),
    [
        ("LanceDB", ["/data/lance", "/data/lance"], 0),
        ("LanceDB", ["s3://lake/kb.lancedb"], 0),
        ("LanceDB", ["/kb/a.md", "/kb/a.md"], 2),
        ("LanceDB", ["/kb/a", "/kb/b"], 2),
        ("LanceDBVectorStore", ["/kb/a", "/kb/a"], 2),
        ("Chroma", ["/kb/a", "/kb/a"], 2),
    ],
)
def test_only_what_can_be_a_database_is_left_out(store: str, values: list[str], kept: int) -> None:
    documents = [{"id": None, "metadata": {"source": value}} for value in values]
    search = span("VectorStoreRetriever", kind="RETRIEVER")
    search = with_attributes(
        search, {"output.value": documents, "metadata": {"ls_vector_store_provider": store}}
    )
    found = retrieval(search)
    assert len(found.chunks) == len(values)
    assert sum(chunk.source is not None for chunk in found.chunks) == kept


def test_a_data_source_and_an_index_that_the_application_names() -> None:
    search = span("retrieval handbook", gen_ai__operation__name="retrieval", gen_ai__data_source__id="kb-1")
    assert retrieval(search).index == {"data_source": "kb-1", "seen_by": "data_source"}
    urn = "urn:li:dataset:(urn:li:dataPlatform:qdrant,docs,PROD)"
    search = with_attributes(search, {"metadata": {"datahub_urn": urn}})
    assert retrieval(search).index == {"urn": urn, "seen_by": "attribute"}


# What the hooks stamped


def test_the_hooks_stamp_on_a_retrieval_counts_first() -> None:
    search = stamped(span("VectorStoreRetriever", kind="RETRIEVER"), DOCS)
    client = span("chroma.query", search, db__system="chroma", db__collection__name="other")
    assert retrieval(search, client).index == {**DOCS, "seen_by": "attribute"}
    inner = span("VectorStoreRetriever", kind="RETRIEVER")
    below = stamped(span("POST", inner), DOCS)
    assert retrieval(inner, below).index == {**DOCS, "seen_by": "attribute"}


def test_a_urn_is_used_where_there_is_no_raw_identity() -> None:
    urn = "urn:li:dataset:(urn:li:dataPlatform:qdrant,docs,PROD)"
    search = with_attributes(span("Mine", kind="RETRIEVER"), {"datahub_llmops.index": [urn]})
    assert retrieval(search).index == {"urn": urn, "seen_by": "attribute"}


def test_the_only_index_on_the_span_of_a_request_is_that_of_the_only_retrieval() -> None:
    request = stamped(span("GET /help"), DOCS)
    root = span("RunnableSequence", request, kind="CHAIN")
    search = span("VectorIndexRetriever.retrieve", root, kind="RETRIEVER")
    assert retrieval(request, root, search).index == {**DOCS, "seen_by": "attribute"}
    second = span("BM25Retriever.retrieve", root, kind="RETRIEVER")
    assert [one.index for one in answer(request, root, search, second).retrievals] == [
        {"service": "support-bot", "seen_by": "class"},
        {"service": "support-bot", "seen_by": "class"},
    ]


def test_the_platform_of_the_store_chooses_among_the_indexes_of_a_request() -> None:
    qdrant = {"platform": "qdrant", "collection": "manual"}
    request = stamped(span("GET /help"), DOCS, qdrant)
    root = span("RunnableSequence", request, kind="CHAIN")
    search = with_attributes(span("VectorStoreRetriever", root, kind="RETRIEVER"), CHROMA)
    assert retrieval(request, root, search).index == {**DOCS, "seen_by": "attribute"}
    two = stamped(request, DOCS, FAQ)
    assert (retrieval(two, root, search).index or {})["seen_by"] == "class"


def test_a_stamp_of_one_retrieval_says_nothing_about_another() -> None:
    root = span("RunnableSequence", kind="CHAIN")
    first = with_attributes(stamped(span("VectorStoreRetriever", root, kind="RETRIEVER"), DOCS), CHROMA)
    second = with_attributes(span("VectorStoreRetriever", root, kind="RETRIEVER"), CHROMA)
    found = answer(root, first, second).retrievals
    assert [(one.index or {})["seen_by"] for one in found] == ["attribute", "class"]


@pytest.mark.parametrize("text", ["", "{", "[1]", "{}", '{"platform": "chroma"}'])
def test_a_stamp_that_names_no_index_is_passed_over(text: str) -> None:
    search = with_attributes(span("Mine", kind="RETRIEVER"), {"datahub_llmops.index.raw": [text]})
    assert retrieval(search).index == {"service": "support-bot", "seen_by": "class"}


# Retrievers


def test_both_halves_of_a_retriever_are_one_retrieval() -> None:
    outer = span("VectorIndexRetriever.retrieve", kind="RETRIEVER")
    inner = span("VectorIndexRetriever._retrieve", outer, kind="RETRIEVER")
    embedding = span(
        "OpenAIEmbedding.get_query_embedding", inner, kind="EMBEDDING", embedding__model_name="e3"
    )
    found = retrieval(outer, inner, embedding)
    assert (found.retriever, found.composite) == ({"class": "VectorIndexRetriever"}, False)
    assert found.embedding == {"model": "e3"}


def test_a_retriever_that_asks_others_has_no_index() -> None:
    outer = span("EnsembleRetriever", kind="RETRIEVER")
    parts = [with_attributes(span("VectorStoreRetriever", outer, kind="RETRIEVER"), CHROMA) for _ in range(2)]
    found = answer(outer, *parts).retrievals
    assert [(one.composite, one.within) for one in found] == [(True, None), (False, 0), (False, 0)]
    assert [one.index is None for one in found] == [True, False, False]
    assert found[1].index is found[2].index
    assert (found[1].index_number, found[2].index_number) == (0, 0)


def test_a_reranker_leaves_some_of_the_chunks() -> None:
    root = span("help", kind="CHAIN")
    search = span(
        "VectorStoreRetriever",
        root,
        kind="RETRIEVER",
        retrieval__documents__0__document__id="c1",
        retrieval__documents__1__document__id="c2",
    )
    reranker = span(
        "CohereRerank",
        root,
        kind="RERANKER",
        reranker__model_name="rerank-3",
        reranker__output_documents__0__document__id="c2",
    )
    found = retrieval(root, search, reranker)
    assert [chunk.id for chunk in found.chunks] == ["c2"]
    assert found.retriever == {
        "name": "VectorStoreRetriever",
        "reranker": "CohereRerank",
        "reranker_model": "rerank-3",
    }


def test_opentelemetry_names_no_retriever_but_the_store() -> None:
    search = span("retrieval", gen_ai__operation__name="retrieval", gen_ai__provider__name="Chroma")
    found = retrieval(search)
    assert found.retriever == {"class": "VectorStoreRetriever"}
    assert found.index == {"class": "Chroma", "service": "support-bot", "seen_by": "class"}
    unnamed = span("retrieval", gen_ai__operation__name="retrieval")
    assert retrieval(unnamed).retriever == {}


def stamped(one: Span, *raws: dict[str, str]) -> Span:
    texts = [json.dumps(raw, sort_keys=True) for raw in raws]
    return with_attributes(one, {"datahub_llmops.index.raw": texts})


def with_attributes(one: Span, attributes: dict[str, Any]) -> Span:
    return one._replace(attributes={**one.attributes, **attributes})


def answer(*spans: Span) -> RecordedAnswer:
    (found,) = assemble(spans, AssembleOptions()).answers
    return found


def retrieval(*spans: Span) -> Retrieval:
    (found,) = answer(*spans).retrievals
    return found
