from __future__ import annotations

from datahub_llmops.mapping.applications import retriever_names

DOCS = "urn:li:dataset:(urn:li:dataPlatform:chroma,kb.docs,PROD)"
KIND = "langchain_core.VectorStoreRetriever"


def test_retrievers_of_one_index_are_told_apart_also_when_only_one_was_seen() -> None:
    faq = ("faq", KIND, {DOCS}, None)
    both = retriever_names(
        {"a": ("VectorStoreRetriever", KIND, {DOCS}, None), "b": ("docs", KIND, {DOCS}, None)}
    )
    assert both == {"a": "docs (VectorStoreRetriever)", "b": "docs"}
    alone = retriever_names({"a": ("VectorStoreRetriever", KIND, {DOCS}, both["a"]), "b": faq})
    assert alone == {"a": both["a"], "b": "faq"}


def test_a_retriever_that_reads_another_index_now_has_another_name() -> None:
    moved = DOCS.replace("docs", "manual")
    shown = retriever_names({"a": ("VectorStoreRetriever", KIND, {moved}, "docs (VectorStoreRetriever)")})
    assert shown == {"a": "manual"}
