"""Typed classes of the aspects of datahub-llmops, generated from the PDL in ``schemas/``: do not edit.

Change the PDL and run ``make schemas``. What each field means and where it is shown: ``docs/schemas.md``.
"""

from __future__ import annotations

from typing import ClassVar, Final

from datahub_llmops.aspects.base import Field, LlmopsAspect, LlmopsRecord, field, register_classes, schema_of

SCHEMAS_VERSION: Final = "0.2.0"
"""Version of the schemas, and of the model plugin in this package."""


class LatencyBucketClass(LlmopsRecord):
    """Number of calls in one range of latency."""

    RECORD_SCHEMA = schema_of("org.datahubllmops.metadata.LatencyBucket")

    le: Field[str] = field(
        "Upper bound of the range in milliseconds, itself included, as a decimal number; +Inf for the last "
        "one. The range begins above the next lower bound."
    )
    calls: Field[int] = field("Number of calls in the range, not in those below it.")


class ScoreCategoryClass(LlmopsRecord):
    """How often a score was one category."""

    RECORD_SCHEMA = schema_of("org.datahubllmops.metadata.ScoreCategory")

    category: Field[str] = field("The category, as the tool defines it.")
    count: Field[int] = field("Number of scores with this category.")


class UsagePartitionClass(LlmopsRecord):
    """One of several parts of the usage of the same stretch of time, in the form of DataHub's
    PartitionSpec.
    """

    RECORD_SCHEMA = schema_of("org.datahubllmops.metadata.UsagePartition")

    partition: Field[str] = field(
        "Name of the part: the writer's host, and the dimension where one is rolled up separately."
    )


class UsageWindowClass(LlmopsRecord):
    """Length of a bucket, in the form of DataHub's TimeWindowSize."""

    RECORD_SCHEMA = schema_of("org.datahubllmops.metadata.UsageWindow")

    unit: Field[str] = field(
        "Unit of the length. One of: SECOND, MINUTE, HOUR, DAY, WEEK, MONTH, QUARTER, YEAR."
    )
    multiple: Field[int] = field("How many units.")


class VectorRowClass(LlmopsRecord):
    """One vector of an index. A text that the store does not say is empty, not left out, so that every row
    has the same columns. The dimension alone may be left out: a sparse vector has none.
    """

    RECORD_SCHEMA = schema_of("org.datahubllmops.metadata.VectorRow")

    name: Field[str] = field("Field path of the vector in the schema.")
    dimension: Field[int | None] = field("Number of dimensions of the vector.", default=None)
    metric: Field[str] = field("Distance metric of the vector index, in the store's own word.")
    indexType: Field[str] = field("Kind of the vector index: hnsw, ivfflat, flat ...")
    parameters: Field[str] = field(
        "Parameters of the vector index as name=value, sorted by name, joined by commas."
    )
    quantization: Field[str] = field("How the stored vectors are compressed, in the store's own word.")
    elementType: Field[str] = field("Type of one element, in the store's own word: float32, int8, binary ...")
    sparse: Field[bool] = field("Whether only the elements that are not zero are stored.")
    multivector: Field[bool] = field("Whether a row holds several vectors, one for each token for example.")


class VectorIndexInfoClass(LlmopsAspect):
    """What a vector index is: the engine that serves it and where. Its vectors are in vectorIndexVectors,
    what it holds in embeddingInfo.
    """

    ASPECT_NAME: ClassVar[str] = "vectorIndexInfo"
    ASPECT_TYPE: ClassVar[str] = "default"
    ASPECT_INFO: ClassVar[dict[str, object]] = {}
    RECORD_SCHEMA = schema_of("org.datahubllmops.metadata.VectorIndexInfo")

    engine: Field[str] = field(
        "Vector store that serves the index, by the name of its DataHub platform: chroma, qdrant, postgres "
        "..."
    )
    engineVersion: Field[str | None] = field("Version of the engine, as it says itself.", default=None)
    region: Field[str | None] = field(
        "Cloud region, or site, that the index is served from, in the vendor's own word.", default=None
    )
    indexType: Field[str | None] = field(
        "Kinds of its vector indexes (hnsw, ivfflat, flat ...), each named once, joined by commas.",
        default=None,
    )
    vectorFields: Field[int | None] = field("Number of vector fields.", default=None)
    countIsEstimate: Field[bool | None] = field(
        "Whether the row count of the profile is the store's estimate, not a count.", default=None
    )
    aliases: Field[str | None] = field(
        "Other names that the store answers to for this index, joined by commas.", default=None
    )


class VectorIndexVectorsClass(LlmopsAspect):
    """The vectors of an index, a row each. Never written without a row. A row with a dimension stands
    first, because the table in the UI takes its columns from the first row.
    """

    ASPECT_NAME: ClassVar[str] = "vectorIndexVectors"
    ASPECT_TYPE: ClassVar[str] = "default"
    ASPECT_INFO: ClassVar[dict[str, object]] = {}
    RECORD_SCHEMA = schema_of("org.datahubllmops.metadata.VectorIndexVectors")

    vectors: Field[list[VectorRowClass]] = field("One row for every vector of the index.")


class EmbeddingInfoClass(LlmopsAspect):
    """What a vector index holds: the model that made its vectors and how the texts were cut, each with how
    it is known.
    """

    ASPECT_NAME: ClassVar[str] = "embeddingInfo"
    ASPECT_TYPE: ClassVar[str] = "default"
    ASPECT_INFO: ClassVar[dict[str, object]] = {}
    RECORD_SCHEMA = schema_of("org.datahubllmops.metadata.EmbeddingInfo")

    embeddingModel: Field[str | None] = field(
        "Model that made the vectors, as provider/model: declared by a job or recorded by the store.",
        default=None,
    )
    embeddingModels: Field[list[str] | None] = field(
        "URNs of the models, more than one where vectors of one index come from different models. Lineage: "
        "the models are upstream of the index.",
        default=None,
    )
    embeddingModelKnownFrom: Field[str | None] = field(
        "How the model is known: a job declares it, the store records it, or it was observed while the "
        "index was written. One of: declared, recorded, observed.",
        default=None,
    )
    chunkingMethod: Field[str | None] = field(
        "How documents are split before they are embedded.", default=None
    )
    chunkSize: Field[int | None] = field(
        "Largest size of a chunk, in the unit of the splitter.", default=None
    )
    chunkOverlap: Field[int | None] = field(
        "Overlap of neighbouring chunks, in the unit of the splitter.", default=None
    )
    chunkingKnownFrom: Field[str | None] = field(
        "How the chunking is known: a job declares it, the store records it, or it was observed while the "
        "index was written. One of: declared, recorded, observed.",
        default=None,
    )
    textFields: Field[str | None] = field(
        "Payload fields that hold the embedded text, joined by commas.", default=None
    )
    textFieldsKnownFrom: Field[str | None] = field(
        "How the text fields are known: a job declares them, the store records them, or they were observed "
        "while the index was written. One of: declared, recorded, observed.",
        default=None,
    )


class PromptInfoClass(LlmopsAspect):
    """One version of a prompt as its registry keeps it."""

    ASPECT_NAME: ClassVar[str] = "promptInfo"
    ASPECT_TYPE: ClassVar[str] = "default"
    ASPECT_INFO: ClassVar[dict[str, object]] = {}
    RECORD_SCHEMA = schema_of("org.datahubllmops.metadata.PromptInfo")

    registry: Field[str] = field(
        "Registry or application that the prompt comes from, by the name of its DataHub platform."
    )
    promptName: Field[str | None] = field(
        "Name of the prompt in the registry, the same for all of its versions.", default=None
    )
    promptVersion: Field[str | None] = field(
        "Version in the registry's own form. Absent for a prompt that is known by its digest only.",
        default=None,
    )
    labels: Field[str | None] = field(
        "Labels or aliases that point at this version, joined by commas.", default=None
    )
    variables: Field[str | None] = field("Variables of the template, joined by commas.", default=None)
    templateDigest: Field[str | None] = field(
        "Digest of the template, as t1:<hex>; t1 is the version of the normal form. The same template has "
        "the same digest in every registry, file and framework.",
        default=None,
    )
    templateFormat: Field[str | None] = field(
        "How variables are written in the template: f-string, mustache, jinja2 ...", default=None
    )
    model: Field[str | None] = field(
        "Model that the registry keeps with the prompt, as provider/model or the model alone.", default=None
    )
    modelParameters: Field[str | None] = field(
        "Parameters of the model that are kept with the prompt as name=value, sorted by name, joined by "
        "commas.",
        default=None,
    )
    text: Field[str | None] = field(
        "Text of the template. Written only where that is turned on.", default=None
    )
    finding: Field[str | None] = field(
        "What the last run found about its use: orphan (carries a production label, and nothing uses it), "
        "behind (an application uses it though the label points at another version), unregistered (an "
        'application uses it, and no registry has it), or "not known".',
        default=None,
    )


class RetrieverInfoClass(LlmopsAspect):
    """How a retriever searches its indexes. Lineage is in upstreamLineage."""

    ASPECT_NAME: ClassVar[str] = "retrieverInfo"
    ASPECT_TYPE: ClassVar[str] = "default"
    ASPECT_INFO: ClassVar[dict[str, object]] = {}
    RECORD_SCHEMA = schema_of("org.datahubllmops.metadata.RetrieverInfo")

    searchType: Field[str | None] = field(
        "How it searches: similarity, mmr, similarity_score_threshold, hybrid ...", default=None
    )
    k: Field[int | None] = field("Number of chunks that it returns at most.", default=None)
    scoreThreshold: Field[float | None] = field("Lowest score of a chunk that it returns.", default=None)
    filterKeys: Field[str | None] = field(
        "Payload fields that its filter asks for, joined by commas. Never the values.", default=None
    )
    reranker: Field[str | None] = field("Model or class that reorders what was found.", default=None)
    framework: Field[str | None] = field(
        "Framework that the retriever is written in, by the name of its DataHub platform: langchain, llama-"
        "index ...",
        default=None,
    )
    frameworkVersion: Field[str | None] = field("Version of the framework.", default=None)
    indexNames: Field[str | None] = field(
        "Names of the indexes that it searches, joined by commas.", default=None
    )
    indexes: Field[list[str] | None] = field(
        "URNs of the indexes that it searches. Not lineage: that is said by upstreamLineage.", default=None
    )


class LlmUsageClass(LlmopsAspect):
    """What was used in one stretch of time, of an application, a prompt, an index, a retriever or a model.
    Writing the same stretch, window, partition and message again replaces it.
    """

    ASPECT_NAME: ClassVar[str] = "llmUsage"
    ASPECT_TYPE: ClassVar[str] = "timeseries"
    ASPECT_INFO: ClassVar[dict[str, object]] = {}
    RECORD_SCHEMA = schema_of("org.datahubllmops.metadata.LlmUsage")

    timestampMillis: Field[int] = field("Start of the bucket, in milliseconds since 1970, UTC.")
    eventGranularity: Field[UsageWindowClass | None] = field("Length of the bucket.", default=None)
    partitionSpec: Field[UsagePartitionClass | None] = field(
        "Which part of the usage this is. Writers that do not know of each other use different partitions.",
        default=None,
    )
    messageId: Field[str | None] = field(
        "Tells apart buckets that would otherwise replace each other.", default=None
    )
    calls: Field[int] = field("Number of calls, failed ones included.")
    errors: Field[int | None] = field("Number of calls that failed.", default=None)
    inputTokens: Field[int | None] = field("Tokens sent to the model, cached ones included.", default=None)
    cachedInputTokens: Field[int | None] = field(
        "Input tokens that the provider served from its cache.", default=None
    )
    cacheWriteTokens: Field[int | None] = field(
        "Input tokens that the provider wrote to its cache.", default=None
    )
    outputTokens: Field[int | None] = field(
        "Tokens that the model returned, reasoning included.", default=None
    )
    reasoningTokens: Field[int | None] = field(
        "Output tokens that the model spent on reasoning.", default=None
    )
    cost: Field[float | None] = field("Cost of the calls, in the currency beside it.", default=None)
    currency: Field[str | None] = field(
        "Currency of the cost, as its ISO 4217 code: USD, EUR ...", default=None
    )
    latencyMillis: Field[float | None] = field(
        "Sum of the latencies of all calls, in milliseconds.", default=None
    )
    latencyHistogram: Field[list[LatencyBucketClass] | None] = field(
        "Calls by latency. Histograms are merged by adding the counts of equal bounds.", default=None
    )
    distinctChunks: Field[int | None] = field(
        "Number of different chunks that were retrieved. It cannot be added up over buckets.", default=None
    )


class LlmScoresClass(LlmopsAspect):
    """The scores of one metric that a version of a prompt, or an application's answers, got in one
    experiment or on one day. Writing the same time, window, partition and message again replaces it.
    """

    ASPECT_NAME: ClassVar[str] = "llmScores"
    ASPECT_TYPE: ClassVar[str] = "timeseries"
    ASPECT_INFO: ClassVar[dict[str, object]] = {}
    RECORD_SCHEMA = schema_of("org.datahubllmops.metadata.LlmScores")

    timestampMillis: Field[int] = field(
        "When the scores were given, or the start of the bucket, in milliseconds since 1970, UTC."
    )
    eventGranularity: Field[UsageWindowClass | None] = field(
        "Length of the bucket. Absent for an experiment.", default=None
    )
    partitionSpec: Field[UsagePartitionClass | None] = field(
        "Which scores these are: the tool, the metric, the evaluation data set and the judge.", default=None
    )
    messageId: Field[str | None] = field(
        "Tells apart runs that would otherwise replace each other.", default=None
    )
    metric: Field[str] = field("Name of the metric.")
    kind: Field[str] = field("Kind of the scores. One of: numeric, boolean, categorical.")
    scores: Field[int] = field("Number of scores.")
    mean: Field[float | None] = field(
        "Mean of numeric scores; of boolean ones the share that is true. Absent for categories.", default=None
    )
    categories: Field[list[ScoreCategoryClass] | None] = field(
        "How often each category was given.", default=None
    )
    unexpected: Field[int | None] = field("Number of scores outside of the tool's own limit.", default=None)
    failed: Field[int | None] = field("Number of attempts of the judge that gave no score.", default=None)
    atLeast: Field[float | None] = field("Lowest mean that passes.", default=None)
    atMost: Field[float | None] = field("Highest mean that passes.", default=None)
    passed: Field[bool | None] = field(
        "Whether the mean is within its limits. Absent without a limit, and where it is not known.",
        default=None,
    )
    judgeKind: Field[str] = field("Kind of the judge. One of: human, code, llm.")
    judgeName: Field[str | None] = field("Name of the judge, as the tool states it.", default=None)
    judgeVersion: Field[str | None] = field("Version of the judge.", default=None)
    judgeModel: Field[str | None] = field(
        "Model of the judge, as provider/model or the model alone.", default=None
    )
    judgePrompt: Field[str | None] = field("The judge's own prompt, as name and version.", default=None)
    dataSet: Field[str | None] = field("Name of the evaluation data set. Absent for traffic.", default=None)
    run: Field[str | None] = field(
        "Identifies the run within the tool: an experiment, or a day in ISO form.", default=None
    )
    url: Field[str | None] = field("Page of the run in the tool.", default=None)
    shown: Field[str | None] = field(
        "The scores as one line of text: metric, mean, number of scores, and whether they passed.",
        default=None,
    )


class EmbeddingJobInfoClass(LlmopsAspect):
    """What an embedding job declares. What its index really holds is in embeddingInfo of the index."""

    ASPECT_NAME: ClassVar[str] = "embeddingJobInfo"
    ASPECT_TYPE: ClassVar[str] = "default"
    ASPECT_INFO: ClassVar[dict[str, object]] = {}
    RECORD_SCHEMA = schema_of("org.datahubllmops.metadata.EmbeddingJobInfo")

    embeddingModel: Field[str | None] = field(
        "Model that the job embeds with, as provider/model.", default=None
    )
    embeddingModelUrn: Field[str | None] = field(
        "URN of the model. Not lineage: that the job uses the model is said by downstreamJobs of "
        "mlModelProperties.",
        default=None,
    )
    chunkingMethod: Field[str | None] = field(
        "How the job splits documents before it embeds them.", default=None
    )
    chunkSize: Field[int | None] = field(
        "Largest size of a chunk, in the unit of the splitter.", default=None
    )
    chunkOverlap: Field[int | None] = field(
        "Overlap of neighbouring chunks, in the unit of the splitter.", default=None
    )
    textColumns: Field[str | None] = field(
        "Output columns of the SQL that make the embedded text, joined by commas.", default=None
    )
    sqlDigest: Field[str | None] = field(
        "Digest of the SQL that reads the rows, as sha256:<hex>. It tells two versions of the job apart.",
        default=None,
    )
    batchSize: Field[int | None] = field("Number of texts that are embedded in one call.", default=None)
    schedule: Field[str | None] = field(
        "When the job runs, in the orchestrator's own form: a cron expression, @daily ...", default=None
    )
    acceptedGaps: Field[str | None] = field(
        "Gaps in the job's lineage that its recipe accepts, by their kinds, joined by commas: unknown_table"
        " ...",
        default=None,
    )
    notConfirmedSince: Field[str | None] = field(
        "When a run could not confirm the job's lineage for the first time since it last did, in ISO format"
        " and UTC. What earlier runs found is kept. Absent while the last run confirmed it.",
        default=None,
    )


class LlmApplicationInfoClass(LlmopsAspect):
    """What an LLM application, chain or agent is built of."""

    ASPECT_NAME: ClassVar[str] = "llmApplicationInfo"
    ASPECT_TYPE: ClassVar[str] = "default"
    ASPECT_INFO: ClassVar[dict[str, object]] = {}
    RECORD_SCHEMA = schema_of("org.datahubllmops.metadata.LlmApplicationInfo")

    framework: Field[str | None] = field(
        "Framework that the application is written in, by the name of its DataHub platform: langchain, "
        "llama-index ...",
        default=None,
    )
    frameworkVersion: Field[str | None] = field("Version of the framework.", default=None)
    applicationVersion: Field[str | None] = field("Version that the application gives itself.", default=None)
    promptCount: Field[int | None] = field("Number of prompts that it uses.", default=None)
    prompts: Field[str | None] = field("Names of the prompts that it uses, joined by commas.", default=None)
    retrieverCount: Field[int | None] = field("Number of retrievers that it uses.", default=None)
    retrievers: Field[str | None] = field(
        "Names of the retrievers that it uses, joined by commas.", default=None
    )
    modelCount: Field[int | None] = field("Number of models that it calls.", default=None)
    models: Field[str | None] = field(
        "Names of the models that it calls, as provider/model, joined by commas.", default=None
    )


ASPECTS: Final[tuple[type[LlmopsAspect], ...]] = (
    VectorIndexInfoClass,
    VectorIndexVectorsClass,
    EmbeddingInfoClass,
    PromptInfoClass,
    RetrieverInfoClass,
    LlmUsageClass,
    LlmScoresClass,
    EmbeddingJobInfoClass,
    LlmApplicationInfoClass,
)
"""Every aspect, in the order of the registry."""

RECORDS: Final[tuple[type[LlmopsRecord], ...]] = (
    LatencyBucketClass,
    ScoreCategoryClass,
    UsagePartitionClass,
    UsageWindowClass,
    VectorRowClass,
)
"""Every record that an aspect holds."""


def register() -> None:
    """Let DataHub read our aspects back as these classes, from files and servers. May be called again."""
    register_classes(ASPECTS, RECORDS)
