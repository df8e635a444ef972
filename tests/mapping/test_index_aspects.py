"""A collection and its jobs as typed aspects, and who fills which field of the schemas."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from datahub_llmops.aspects.base import LlmopsAspect
from datahub_llmops.aspects.generated import (
    ASPECTS,
    EmbeddingInfoClass,
    EmbeddingJobInfoClass,
    VectorIndexInfoClass,
    VectorIndexVectorsClass,
    VectorRowClass,
)
from datahub_llmops.assets.collections import Collection, Container, Vector
from datahub_llmops.assets.observations import Judge, Limit, Scores
from datahub_llmops.assets.prompts import Prompt, PromptRef, PromptVersion
from datahub_llmops.assets.templates import Message, Template
from datahub_llmops.assets.usage import Tokens, Totals
from datahub_llmops.lineage.declared_jobs import JobLineage
from datahub_llmops.lineage.job_config import EmbeddingJobConfig
from datahub_llmops.lineage.warning import LineageWarning
from datahub_llmops.mapping import application_aspects
from datahub_llmops.mapping.embedding_jobs import declared_properties
from datahub_llmops.mapping.index_aspects import has_facts, index_aspects, job_aspect
from datahub_llmops.mapping.prompts import place_prompt, prompt_info
from datahub_llmops.mapping.scores import Evaluation, scores_aspect
from datahub_llmops.urns import Deployment

MODEL = "urn:li:mlModel:(urn:li:dataPlatform:openai,text-embedding-3-small,PROD)"
MODELS = {"openai/text-embedding-3-small": MODEL}
INDEX = "urn:li:dataset:(urn:li:dataPlatform:chroma,db.docs,PROD)"

FULL = Collection(
    name=("db", "docs"),
    containers=(Container(kind="Server", name="s", properties={"version": "1.5.9", "region": "eu-west-1"}),),
    vectors=(
        Vector(name="words", sparse=True, index_type="inverted"),
        Vector(
            name="embedding",
            dimension=768,
            metric="cosine",
            index_type="hnsw",
            index_parameters={"m": "16", "ef": "100"},
            element_type="float32",
            quantization="int8",
            multivector=True,
            embedding_model="openai/text-embedding-3-small",
        ),
    ),
    text_field="document",
    aliases=("current", "best"),
    count_is_estimate=True,
)
PROMPT = Prompt(
    name=("support",),
    versions=(
        PromptVersion(
            version="3",
            template=Template(
                messages=(Message(role="user", text="Answer {{question}}"),), format="mustache"
            ),
            labels=("production",),
            model="openai/gpt-5",
            parameters={"temperature": "0"},
        ),
    ),
)
JOB = EmbeddingJobConfig.model_validate(
    {
        "name": "embed-docs",
        "index": "docs",
        "schedule": "@daily",
        "accept": ["unknown_table"],
        "text_columns": ["title", "body"],
        "embedding_model": "openai/text-embedding-3-small",
        "chunking": {"method": "recursive", "size": 512, "overlap": 64},
    }
)
GAP = LineageWarning(
    kind="unknown_table", title="Unknown table", message="It is not there.", context="embed-docs"
)
LINEAGE = JobLineage(job=JOB, index_urn=INDEX, sql=("select title, body from docs",), warnings=(GAP,))


def typed(collection: Collection, declared: Any = None) -> dict[str, LlmopsAspect]:
    found = list(index_aspects(collection, engine="chroma", declared=declared or {}, models=MODELS))
    for aspect in found:
        aspect.check()
    return {aspect.ASPECT_NAME: aspect for aspect in found}


def test_everything_that_a_store_says() -> None:
    assert typed(FULL) == {
        "vectorIndexInfo": VectorIndexInfoClass(
            engine="chroma",
            engineVersion="1.5.9",
            region="eu-west-1",
            indexType="inverted, hnsw",
            vectorFields=2,
            countIsEstimate=True,
            aliases="current, best",
        ),
        "vectorIndexVectors": VectorIndexVectorsClass(
            vectors=[
                VectorRowClass(
                    name="embedding",
                    dimension=768,
                    metric="cosine",
                    indexType="hnsw",
                    parameters="ef=100, m=16",
                    quantization="int8",
                    elementType="float32",
                    sparse=False,
                    multivector=True,
                ),
                VectorRowClass(
                    name="words",
                    metric="",
                    indexType="inverted",
                    parameters="",
                    quantization="",
                    elementType="",
                    sparse=True,
                    multivector=False,
                ),
            ]
        ),
        "embeddingInfo": EmbeddingInfoClass(
            embeddingModel="openai/text-embedding-3-small",
            embeddingModels=[MODEL],
            embeddingModelKnownFrom="recorded",
            textFields="document",
            textFieldsKnownFrom="recorded",
        ),
    }


def test_what_a_job_declares_goes_before_what_the_store_records() -> None:
    other = JOB.model_copy(update={"embedding_model": "openai/another"})
    embedding = typed(FULL, declared_properties(other))["embeddingInfo"]
    assert embedding == EmbeddingInfoClass(
        embeddingModel="openai/another",
        embeddingModels=None,
        embeddingModelKnownFrom="declared",
        chunkingMethod="recursive",
        chunkSize=512,
        chunkOverlap=64,
        chunkingKnownFrom="declared",
        textFields="document",
        textFieldsKnownFrom="recorded",
    )


def test_no_edge_to_a_model_that_is_not_in_the_catalog() -> None:
    (embedding,) = (
        aspect
        for aspect in index_aspects(FULL, engine="chroma", declared={}, models={})
        if isinstance(aspect, EmbeddingInfoClass)
    )
    assert (embedding.embeddingModel, embedding.embeddingModels) == ("openai/text-embedding-3-small", None)


def test_what_is_not_said_is_absent() -> None:
    found = typed(Collection(name=("db", "empty")))
    assert found == {
        "vectorIndexInfo": VectorIndexInfoClass(engine="chroma", vectorFields=0),
        "embeddingInfo": EmbeddingInfoClass(),
    }
    assert not has_facts(found["embeddingInfo"])
    assert has_facts(found["vectorIndexInfo"])


def test_what_a_job_declares() -> None:
    aspect = job_aspect(LINEAGE, MODEL)
    aspect.check()
    assert aspect.sqlDigest is not None
    assert aspect.sqlDigest.startswith("sha256:")
    assert aspect == EmbeddingJobInfoClass(
        embeddingModel="openai/text-embedding-3-small",
        embeddingModelUrn=MODEL,
        chunkingMethod="recursive",
        chunkSize=512,
        chunkOverlap=64,
        textColumns="title, body",
        sqlDigest=aspect.sqlDigest,
        schedule="@daily",
        acceptedGaps="unknown_table",
    )
    changed = job_aspect(JobLineage(job=JOB, index_urn=INDEX, sql=("select body from docs",)), MODEL)
    assert changed.sqlDigest != aspect.sqlDigest


def test_a_job_that_declares_nothing_says_nothing() -> None:
    bare = EmbeddingJobConfig(name="embed", index="docs")
    assert not has_facts(job_aspect(JobLineage(job=bare, index_urn=INDEX), None))
    assert has_facts(job_aspect(LINEAGE, MODEL))


TEXT = "nothing: the text of a template is the definition of its version, viewProperties"
FINDING = "nothing: what a run finds about the use of a version is patched as the property only"
HOOKS = "the hooks, once they see how many texts a job embeds at once"
MARK = "nothing: a run that confirms a job writes the aspect, and one that does not only patches the property"
NOT_YET = {
    "promptInfo.text": TEXT,
    "promptInfo.finding": FINDING,
    "embeddingJobInfo.batchSize": HOOKS,
    "embeddingJobInfo.notConfirmedSince": MARK,
}
"""Fields that no code fills today -> what will."""

SEEN_RETRIEVER = {
    "search_type": "similarity_score_threshold",
    "k": 4,
    "score_threshold": 0.5,
    "filter_keys": ["tenant", "language"],
    "reranker": "CohereRerank",
    "reranker_model": "rerank-3",
}
SEEN_PROMPT = {
    "name": "support",
    "version": "3",
    "digest": "0" * 64,
    "variables": "a, b",
    "format": "f-string",
}


SCORED = Evaluation(
    asset="urn:li:dataset:(urn:li:dataPlatform:langfuse,support.v3,PROD)",
    limit=Limit(at_least=0.5, at_most=0.9),
    tool=Deployment(platform="langfuse"),
    scores=Scores(
        metric="faithfulness",
        subject=PromptRef(name="support", version="3"),
        kind="boolean",
        judge=Judge(
            kind="llm",
            name="grader",
            version="2",
            model="openai/gpt-5",
            prompt=PromptRef(name="judge", version="1"),
        ),
        run="exp-1",
        at=datetime(2026, 11, 19, tzinfo=UTC),
        count=3,
        mean=0.66,
        categories={"true": 2, "false": 1},
        unexpected=1,
        failed=1,
        data_set="qa",
        url="https://tool/exp-1",
    ),
)
SCORED_DAY = replace(SCORED, scores=replace(SCORED.scores, run="2026-11-19", data_set=None))


def used() -> Totals:
    """A day of which everything is known."""
    total = Totals()
    total.add(weight=1, started=1.0, ended=2.0)
    total.add_end(weight=1, milliseconds=5, failed=True)
    total.add_tokens(
        weight=1, tokens=Tokens(input=5, cached=1, cache_write=1, output=4, reasoning=2), cost=0.5
    )
    total.add_chunks(["chunk"])
    return total


def filled() -> dict[str, LlmopsAspect]:
    """Every aspect as the code makes it of all that can be known."""
    scored = scores_aspect(SCORED)
    scored.eventGranularity = scores_aspect(SCORED_DAY).eventGranularity  # Of an experiment it is not known.
    made: list[LlmopsAspect] = [
        *typed(FULL, declared_properties(JOB)).values(),
        job_aspect(LINEAGE, MODEL),
        prompt_info(place_prompt(PROMPT, Deployment(platform="langfuse")), PROMPT.versions[0]),
        application_aspects.retriever_aspect(
            SEEN_RETRIEVER, framework="langchain", version="1.5", indexes=[INDEX], present={}
        ),
        application_aspects.application_aspect(
            framework="langchain",
            framework_versions={"langchain": "1.5"},
            version="2",
            prompts=["support.v3"],
            retrievers=["docs"],
            models=["openai/gpt-5"],
            present={},
        ),
        application_aspects.usage_aspect(86_400, "host=1", used(), currency="EUR"),
        scored,
    ]
    for aspect in made:
        aspect.check()
    return {aspect.ASPECT_NAME: aspect for aspect in made}


@pytest.mark.parametrize(
    ("aspect", "field"),
    [
        pytest.param(kind.ASPECT_NAME, field.name, id=f"{kind.ASPECT_NAME}.{field.name}")
        for kind in ASPECTS
        for field in kind.RECORD_SCHEMA.fields
    ],
)
def test_every_field_is_filled_or_says_what_will_fill_it(aspect: str, field: str) -> None:
    assert (filled()[aspect]._inner_dict[field] is not None) != (f"{aspect}.{field}" in NOT_YET)


@pytest.mark.parametrize(
    ("framework", "seen", "version"),
    [
        ("langchain", {}, "1.5"),
        ("langchain", {"langchain": "1.6"}, "1.6"),
        ("llama-index", {}, None),
    ],
)
def test_the_version_of_a_framework_stays_until_another_is_seen(
    framework: str, seen: dict[str, str], version: str | None
) -> None:
    aspect = application_aspects.application_aspect(
        framework=framework,
        framework_versions=seen,
        version=None,
        prompts=[],
        retrievers=[],
        models=[],
        present={"framework": "langchain", "frameworkVersion": "1.5"},
    )
    assert aspect.frameworkVersion == version


@pytest.mark.parametrize(("version", "kept"), [(None, True), ("1.6", False)])
def test_how_a_retriever_searches_stays_if_spans_see_it(version: str | None, kept: bool) -> None:
    present = {"searchType": "mmr", "k": 4, "scoreThreshold": 0.5, "filterKeys": "a", "reranker": "r"}
    aspect = application_aspects.retriever_aspect(
        {},
        framework="langchain",
        version=version,
        indexes=[INDEX],
        present={**present, "frameworkVersion": "1.5"},
    )
    seen = {name: value for name in present if (value := aspect._inner_dict[name]) is not None}
    assert seen == (present if kept else {})
    assert aspect.frameworkVersion == ("1.5" if kept else "1.6")


def test_what_was_seen_of_a_retriever() -> None:
    aspect = application_aspects.retriever_aspect(
        SEEN_RETRIEVER, framework="langchain", version=None, indexes=[INDEX], present={}
    )
    assert (aspect.filterKeys, aspect.reranker) == ("tenant, language", "rerank-3")
    assert (aspect.indexNames, aspect.indexes) == ("db.docs", [INDEX])


def test_a_retriever_of_which_nothing_is_known() -> None:
    aspect = application_aspects.retriever_aspect(
        {}, framework="langchain", version=None, indexes=[], present={}
    )
    assert {key for key, value in aspect._inner_dict.items() if value is not None} == {"framework"}


def test_a_prompt_that_the_catalog_knows_more_of_than_these_schemas_is_left_alone() -> None:
    urn = "urn:li:dataset:(urn:li:dataPlatform:langfuse,support.v3,PROD)"
    known = {"registry": "langfuse", "approvedBy": "ada"}
    assert application_aspects.prompt_aspect(urn, SEEN_PROMPT, known) is None


def test_usage_of_hosts_and_of_dimensions_does_not_overwrite() -> None:
    keys = set()
    for host, dimension in (("a", None), ("b", None), ("a", ("version", "1")), ("a", ("version", "2"))):
        aspect = application_aspects.usage_aspect(0, host, used(), currency="USD", dimension=dimension)
        keys.add((aspect.partitionSpec.partition if aspect.partitionSpec else None, aspect.messageId))
    assert len(keys) == 4


def test_every_column_of_a_vector_is_filled() -> None:
    (vectors,) = (one for one in typed(FULL).values() if isinstance(one, VectorIndexVectorsClass))
    assert all(value not in (None, "") for value in vectors.vectors[0]._inner_dict.values())
