"""One full example of every aspect, and where the schemas lie."""

from __future__ import annotations

from typing import Final

from datahub_llmops.aspects.base import LlmopsAspect
from datahub_llmops.aspects.generated import (
    EmbeddingInfoClass,
    EmbeddingJobInfoClass,
    LatencyBucketClass,
    LlmApplicationInfoClass,
    LlmScoresClass,
    LlmUsageClass,
    PromptInfoClass,
    RetrieverInfoClass,
    ScoreCategoryClass,
    UsagePartitionClass,
    UsageWindowClass,
    VectorIndexInfoClass,
    VectorIndexVectorsClass,
    VectorRowClass,
)
from support.paths import ROOT

PDL: Final = ROOT / "schemas" / "src" / "main" / "pegasus" / "org" / "datahubllmops" / "metadata"
WIRE: Final = ROOT / "tests" / "wire" / "gms"

INDEX: Final = "urn:li:dataset:(urn:li:dataPlatform:chroma,default_database.docs,PROD)"
MODEL: Final = "urn:li:mlModel:(urn:li:dataPlatform:openai,text-embedding-3-small,PROD)"
JOB: Final = "urn:li:dataJob:(urn:li:dataFlow:(airflow,knowledge-base,PROD),embed-docs)"


def row(name: str, dimension: int | None = None, *, sparse: bool = False) -> VectorRowClass:
    return VectorRowClass(
        name=name,
        dimension=dimension,
        metric="cosine",
        indexType="hnsw",
        parameters="ef=100, m=16",
        quantization="",
        elementType="float32",
        sparse=sparse,
        multivector=False,
    )


def examples() -> list[tuple[str, LlmopsAspect]]:
    """URN and aspect, every field of every aspect filled."""
    return [
        (
            INDEX,
            VectorIndexInfoClass(
                engine="chroma",
                engineVersion="1.5.9",
                region="eu-west-1",
                indexType="hnsw",
                vectorFields=2,
                countIsEstimate=True,
                aliases="current, best",
            ),
        ),
        (INDEX, VectorIndexVectorsClass(vectors=[row("embedding", 768), row("words", sparse=True)])),
        (
            INDEX,
            EmbeddingInfoClass(
                embeddingModel="openai/text-embedding-3-small",
                embeddingModels=[MODEL],
                embeddingModelKnownFrom="declared",
                chunkingMethod="recursive",
                chunkSize=512,
                chunkOverlap=64,
                chunkingKnownFrom="observed",
                textFields="document",
                textFieldsKnownFrom="recorded",
            ),
        ),
        (
            INDEX,
            PromptInfoClass(
                registry="langfuse",
                promptName="support",
                promptVersion="7",
                labels="production, latest",
                variables="question, context",
                templateDigest="t1:00",
                templateFormat="mustache",
                model="openai/gpt-5",
                modelParameters="temperature=0",
                text="Answer {{question}}",
                finding="orphan",
            ),
        ),
        (
            INDEX,
            RetrieverInfoClass(
                searchType="similarity",
                k=4,
                scoreThreshold=0.5,
                filterKeys="tenant",
                reranker="cohere/rerank-3",
                framework="langchain",
                frameworkVersion="1.5",
                indexNames="docs",
                indexes=[INDEX],
            ),
        ),
        (
            MODEL,
            LlmUsageClass(
                timestampMillis=1_767_225_600_000,
                eventGranularity=UsageWindowClass(unit="HOUR", multiple=1),
                partitionSpec=UsagePartitionClass(partition="host-1"),
                messageId="host-1/1",
                calls=10,
                errors=1,
                inputTokens=1000,
                cachedInputTokens=100,
                cacheWriteTokens=10,
                outputTokens=500,
                reasoningTokens=50,
                cost=0.25,
                currency="USD",
                latencyMillis=1234.5,
                latencyHistogram=[
                    LatencyBucketClass(le="100", calls=9),
                    LatencyBucketClass(le="+Inf", calls=1),
                ],
                distinctChunks=33,
            ),
        ),
        (
            INDEX,
            LlmScoresClass(
                timestampMillis=1_767_225_600_000,
                eventGranularity=UsageWindowClass(unit="DAY", multiple=1),
                partitionSpec=UsagePartitionClass(partition="source=langfuse/metric=tone"),
                messageId="2026-01-01",
                metric="tone",
                kind="categorical",
                scores=10,
                mean=0.9,
                categories=[ScoreCategoryClass(category="kind", count=9)],
                unexpected=1,
                failed=2,
                atLeast=0.8,
                atMost=1.0,
                passed=True,
                judgeKind="llm",
                judgeName="tone-judge",
                judgeVersion="3",
                judgeModel="openai/gpt-5",
                judgePrompt="judge.v1",
                dataSet="mails",
                run="2026-01-01",
                url="https://langfuse/scores",
                shown="tone 0.9 of 10, passed",
            ),
        ),
        (
            JOB,
            EmbeddingJobInfoClass(
                embeddingModel="openai/text-embedding-3-small",
                embeddingModelUrn=MODEL,
                chunkingMethod="recursive",
                chunkSize=512,
                chunkOverlap=64,
                textColumns="doc",
                sqlDigest="sha256:00",
                batchSize=100,
                schedule="@daily",
                acceptedGaps="unknown_table",
                notConfirmedSince="2026-11-29T05:30:00+00:00",
            ),
        ),
        (
            JOB,
            LlmApplicationInfoClass(
                framework="langchain",
                frameworkVersion="1.5",
                applicationVersion="2",
                promptCount=1,
                prompts="support",
                retrieverCount=1,
                retrievers="docs",
                modelCount=1,
                models="openai/gpt-5",
            ),
        ),
    ]
