"""Which index a retrieval searched, in the order of the ways that can tell."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from datahub_llmops.answer_store.recorded import Chunk, Retrieval
from datahub_llmops.answers.resolver import Resolver
from datahub_llmops.spans.resolve import IndexRule, SpanNames

DOCS = "urn:li:dataset:(urn:li:dataPlatform:qdrant,docs,PROD)"
OTHER = "urn:li:dataset:(urn:li:dataPlatform:qdrant,other,PROD)"
RETRIEVER = "urn:li:dataset:(urn:li:dataPlatform:langchain,bot.docs,PROD)"


def names(*rules: IndexRule, **data_sources: str) -> SpanNames:
    return SpanNames(
        Resolver((), env="PROD"),
        data_sources=data_sources,
        rules=rules,
    )


def retrieval(raw: dict[str, Any], *ids: str | None, source: str | None = None) -> Retrieval:
    return Retrieval(
        retriever={"class": "VectorStoreRetriever"},
        index=raw,
        index_number=None,
        embedding=None,
        chunks=tuple(Chunk(id=one, source={"value": source} if source else None) for one in ids),
        milliseconds=1,
        status="ok",
    )


def searched(by: SpanNames, raw: dict[str, Any], *ids: str | None, source: str | None = None) -> str | None:
    return by.searched(retrieval(raw, *ids, source=source), RETRIEVER, "bot")


STAMPED = {"platform": "qdrant", "collection": "docs", "seen_by": "attribute"}
DATABASE = {"platform": "qdrant", "collection": "docs", "seen_by": "database_span"}
CLASS = {"class": "QdrantVectorStore", "service": "bot", "seen_by": "class"}
RULE = IndexRule(application="bot", store_class="Qdrant.*", urn=OTHER)
ANY = IndexRule(urn=OTHER)


@pytest.mark.parametrize(
    ("raw", "rules", "index", "way"),
    [
        (STAMPED, (ANY,), DOCS, "span attribute"),
        ({"urn": DOCS, "seen_by": "attribute"}, (ANY,), DOCS, "span attribute"),
        (DATABASE, (ANY,), OTHER, "recipe rule"),
        (DATABASE, (RULE,), DOCS, "database span"),
        (CLASS, (RULE,), OTHER, "recipe rule"),
        ({"data_source": "kb", "seen_by": "data_source"}, (), DOCS, "recipe rule"),
        ({"platform": "qdrant", "collection": "docs"}, (ANY,), DOCS, "hook"),
    ],
)
def test_the_first_way_that_can_tell_is_taken(
    raw: dict[str, Any], rules: tuple[IndexRule, ...], index: str, way: str
) -> None:
    by = names(*rules, kb=DOCS)
    assert searched(by, raw, "a") == index
    assert by.found == {way: 1}
    assert by.ways == {RETRIEVER: {index: {way}}}
    assert not by.pending


@pytest.mark.parametrize(
    "raw",
    [
        CLASS,
        {"data_source": "unknown", "seen_by": "data_source"},
        {"urn": "nonsense", "seen_by": "attribute"},
        {"platform": "milvus", "collection": "docs", "seen_by": "database_span"},  # Which database?
        {},
    ],
)
def test_what_no_way_tells_is_pending_with_a_sample_of_ids(raw: dict[str, Any]) -> None:
    by = names()
    key = searched(by, raw, "a", "b")
    assert searched(by, raw, "b", None, "c") == key
    (group,) = by.pending.values()
    (part,) = group.all_parts()
    assert (part.key, part.retrievals, part.ids) == (key, 2, ["a", "b", "c"])
    assert not by.found


def test_the_class_of_the_store_tells_its_platform() -> None:
    by = names()
    searched(by, CLASS, "a")
    searched(by, {"class": "SomethingOfTheirOwn", "seen_by": "class"}, "a")
    assert [one.platform for one in by.pending.values()] == ["qdrant", None]


def test_sources_of_chunks_are_noted_where_the_index_is_not_known() -> None:
    by = names()
    searched(by, CLASS, "a", "b", source="s3://kb/a.md")
    (group,) = by.pending.values()
    (part,) = group.all_parts()
    assert part.sources == {"s3://kb/a.md": 2}


def test_a_rule_names_a_dataset() -> None:
    with pytest.raises(ValidationError, match="is not the URN of a dataset"):
        IndexRule(urn="docs")
