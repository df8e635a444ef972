"""Typed classes of the aspects of datahub-llmops, generated from the PDL in ``schemas/``: do not edit.

Change the PDL and run ``make schemas``. What each field means and where it is shown: ``docs/schemas.md``.
"""

from __future__ import annotations

from typing import ClassVar, Final

from datahub_llmops.aspects.base import LlmopsAspect, LlmopsRecord, register_classes, schema_of

SCHEMAS_VERSION: Final = "0.1.0"
"""Version of the schemas, and of the model plugin in this package."""


class LatencyBucketClass(LlmopsRecord):
    """Number of calls in one range of latency."""

    RECORD_SCHEMA = schema_of("org.datahubllmops.metadata.LatencyBucket")

    def __init__(
        self,
        *,
        le: str,
        calls: int,
    ) -> None:
        super().__init__()
        self.le = le
        self.calls = calls

    @property
    def le(self) -> str:
        """Upper bound of the range in milliseconds, itself included, as a decimal number; +Inf for the
        last one. The range begins above the next lower bound.
        """
        value: str = self._inner_dict["le"]
        return value

    @le.setter
    def le(self, value: str) -> None:
        self._inner_dict["le"] = value

    @property
    def calls(self) -> int:
        """Number of calls in the range, not in those below it."""
        value: int = self._inner_dict["calls"]
        return value

    @calls.setter
    def calls(self, value: int) -> None:
        self._inner_dict["calls"] = value


class UsagePartitionClass(LlmopsRecord):
    """One of several parts of the usage of the same stretch of time, in the form of DataHub's
    PartitionSpec.
    """

    RECORD_SCHEMA = schema_of("org.datahubllmops.metadata.UsagePartition")

    def __init__(
        self,
        *,
        partition: str,
    ) -> None:
        super().__init__()
        self.partition = partition

    @property
    def partition(self) -> str:
        """Name of the part: the writer's host, and the dimension where one is rolled up separately."""
        value: str = self._inner_dict["partition"]
        return value

    @partition.setter
    def partition(self, value: str) -> None:
        self._inner_dict["partition"] = value


class UsageWindowClass(LlmopsRecord):
    """Length of a bucket, in the form of DataHub's TimeWindowSize."""

    RECORD_SCHEMA = schema_of("org.datahubllmops.metadata.UsageWindow")

    def __init__(
        self,
        *,
        unit: str,
        multiple: int,
    ) -> None:
        super().__init__()
        self.unit = unit
        self.multiple = multiple

    @property
    def unit(self) -> str:
        """Unit of the length. One of: SECOND, MINUTE, HOUR, DAY, WEEK, MONTH, QUARTER, YEAR."""
        value: str = self._inner_dict["unit"]
        return value

    @unit.setter
    def unit(self, value: str) -> None:
        self._inner_dict["unit"] = value

    @property
    def multiple(self) -> int:
        """How many units."""
        value: int = self._inner_dict["multiple"]
        return value

    @multiple.setter
    def multiple(self, value: int) -> None:
        self._inner_dict["multiple"] = value


class VectorRowClass(LlmopsRecord):
    """One vector of an index. A text that the store does not say is empty, not left out, so that every row
    has the same columns. The dimension alone may be left out: a sparse vector has none.
    """

    RECORD_SCHEMA = schema_of("org.datahubllmops.metadata.VectorRow")

    def __init__(
        self,
        *,
        name: str,
        metric: str,
        indexType: str,
        parameters: str,
        quantization: str,
        elementType: str,
        sparse: bool,
        multivector: bool,
        dimension: int | None = None,
    ) -> None:
        super().__init__()
        self.name = name
        self.dimension = dimension
        self.metric = metric
        self.indexType = indexType
        self.parameters = parameters
        self.quantization = quantization
        self.elementType = elementType
        self.sparse = sparse
        self.multivector = multivector

    @property
    def name(self) -> str:
        """Field path of the vector in the schema."""
        value: str = self._inner_dict["name"]
        return value

    @name.setter
    def name(self, value: str) -> None:
        self._inner_dict["name"] = value

    @property
    def dimension(self) -> int | None:
        """Number of dimensions of the vector."""
        value: int | None = self._inner_dict["dimension"]
        return value

    @dimension.setter
    def dimension(self, value: int | None) -> None:
        self._inner_dict["dimension"] = value

    @property
    def metric(self) -> str:
        """Distance metric of the vector index, in the store's own word."""
        value: str = self._inner_dict["metric"]
        return value

    @metric.setter
    def metric(self, value: str) -> None:
        self._inner_dict["metric"] = value

    @property
    def indexType(self) -> str:
        """Kind of the vector index: hnsw, ivfflat, flat ..."""
        value: str = self._inner_dict["indexType"]
        return value

    @indexType.setter
    def indexType(self, value: str) -> None:
        self._inner_dict["indexType"] = value

    @property
    def parameters(self) -> str:
        """Parameters of the vector index as name=value, sorted by name, joined by commas."""
        value: str = self._inner_dict["parameters"]
        return value

    @parameters.setter
    def parameters(self, value: str) -> None:
        self._inner_dict["parameters"] = value

    @property
    def quantization(self) -> str:
        """How the stored vectors are compressed, in the store's own word."""
        value: str = self._inner_dict["quantization"]
        return value

    @quantization.setter
    def quantization(self, value: str) -> None:
        self._inner_dict["quantization"] = value

    @property
    def elementType(self) -> str:
        """Type of one element, in the store's own word: float32, int8, binary ..."""
        value: str = self._inner_dict["elementType"]
        return value

    @elementType.setter
    def elementType(self, value: str) -> None:
        self._inner_dict["elementType"] = value

    @property
    def sparse(self) -> bool:
        """Whether only the elements that are not zero are stored."""
        value: bool = self._inner_dict["sparse"]
        return value

    @sparse.setter
    def sparse(self, value: bool) -> None:
        self._inner_dict["sparse"] = value

    @property
    def multivector(self) -> bool:
        """Whether a row holds several vectors, one for each token for example."""
        value: bool = self._inner_dict["multivector"]
        return value

    @multivector.setter
    def multivector(self, value: bool) -> None:
        self._inner_dict["multivector"] = value


class VectorIndexInfoClass(LlmopsAspect):
    """What a vector index is: the engine that serves it and where. Its vectors are in vectorIndexVectors,
    what it holds in embeddingInfo.
    """

    ASPECT_NAME: ClassVar[str] = "vectorIndexInfo"
    ASPECT_TYPE: ClassVar[str] = "default"
    ASPECT_INFO: ClassVar[dict[str, object]] = {}
    RECORD_SCHEMA = schema_of("org.datahubllmops.metadata.VectorIndexInfo")

    def __init__(
        self,
        *,
        engine: str,
        engineVersion: str | None = None,
        region: str | None = None,
        indexType: str | None = None,
        vectorFields: int | None = None,
        countIsEstimate: bool | None = None,
        aliases: str | None = None,
    ) -> None:
        super().__init__()
        self.engine = engine
        self.engineVersion = engineVersion
        self.region = region
        self.indexType = indexType
        self.vectorFields = vectorFields
        self.countIsEstimate = countIsEstimate
        self.aliases = aliases

    @property
    def engine(self) -> str:
        """Vector store that serves the index, by the name of its DataHub platform: chroma, qdrant,
        postgres ...
        """
        value: str = self._inner_dict["engine"]
        return value

    @engine.setter
    def engine(self, value: str) -> None:
        self._inner_dict["engine"] = value

    @property
    def engineVersion(self) -> str | None:
        """Version of the engine, as it says itself."""
        value: str | None = self._inner_dict["engineVersion"]
        return value

    @engineVersion.setter
    def engineVersion(self, value: str | None) -> None:
        self._inner_dict["engineVersion"] = value

    @property
    def region(self) -> str | None:
        """Cloud region, or site, that the index is served from, in the vendor's own word."""
        value: str | None = self._inner_dict["region"]
        return value

    @region.setter
    def region(self, value: str | None) -> None:
        self._inner_dict["region"] = value

    @property
    def indexType(self) -> str | None:
        """Kinds of its vector indexes (hnsw, ivfflat, flat ...), each named once, joined by commas."""
        value: str | None = self._inner_dict["indexType"]
        return value

    @indexType.setter
    def indexType(self, value: str | None) -> None:
        self._inner_dict["indexType"] = value

    @property
    def vectorFields(self) -> int | None:
        """Number of vector fields."""
        value: int | None = self._inner_dict["vectorFields"]
        return value

    @vectorFields.setter
    def vectorFields(self, value: int | None) -> None:
        self._inner_dict["vectorFields"] = value

    @property
    def countIsEstimate(self) -> bool | None:
        """Whether the row count of the profile is the store's estimate, not a count."""
        value: bool | None = self._inner_dict["countIsEstimate"]
        return value

    @countIsEstimate.setter
    def countIsEstimate(self, value: bool | None) -> None:
        self._inner_dict["countIsEstimate"] = value

    @property
    def aliases(self) -> str | None:
        """Other names that the store answers to for this index, joined by commas."""
        value: str | None = self._inner_dict["aliases"]
        return value

    @aliases.setter
    def aliases(self, value: str | None) -> None:
        self._inner_dict["aliases"] = value


class VectorIndexVectorsClass(LlmopsAspect):
    """The vectors of an index, a row each. Never written without a row. A row with a dimension stands
    first, because the table in the UI takes its columns from the first row.
    """

    ASPECT_NAME: ClassVar[str] = "vectorIndexVectors"
    ASPECT_TYPE: ClassVar[str] = "default"
    ASPECT_INFO: ClassVar[dict[str, object]] = {}
    RECORD_SCHEMA = schema_of("org.datahubllmops.metadata.VectorIndexVectors")

    def __init__(
        self,
        *,
        vectors: list[VectorRowClass],
    ) -> None:
        super().__init__()
        self.vectors = vectors

    @property
    def vectors(self) -> list[VectorRowClass]:
        """One row for every vector of the index."""
        value: list[VectorRowClass] = self._inner_dict["vectors"]
        return value

    @vectors.setter
    def vectors(self, value: list[VectorRowClass]) -> None:
        self._inner_dict["vectors"] = value


class EmbeddingInfoClass(LlmopsAspect):
    """What a vector index holds: the model that made its vectors and how the texts were cut, each with how
    it is known.
    """

    ASPECT_NAME: ClassVar[str] = "embeddingInfo"
    ASPECT_TYPE: ClassVar[str] = "default"
    ASPECT_INFO: ClassVar[dict[str, object]] = {}
    RECORD_SCHEMA = schema_of("org.datahubllmops.metadata.EmbeddingInfo")

    def __init__(
        self,
        *,
        embeddingModel: str | None = None,
        embeddingModels: list[str] | None = None,
        embeddingModelKnownFrom: str | None = None,
        chunkingMethod: str | None = None,
        chunkSize: int | None = None,
        chunkOverlap: int | None = None,
        chunkingKnownFrom: str | None = None,
        textFields: str | None = None,
        textFieldsKnownFrom: str | None = None,
    ) -> None:
        super().__init__()
        self.embeddingModel = embeddingModel
        self.embeddingModels = embeddingModels
        self.embeddingModelKnownFrom = embeddingModelKnownFrom
        self.chunkingMethod = chunkingMethod
        self.chunkSize = chunkSize
        self.chunkOverlap = chunkOverlap
        self.chunkingKnownFrom = chunkingKnownFrom
        self.textFields = textFields
        self.textFieldsKnownFrom = textFieldsKnownFrom

    @property
    def embeddingModel(self) -> str | None:
        """Model that made the vectors, as provider/model: declared by a job or recorded by the store."""
        value: str | None = self._inner_dict["embeddingModel"]
        return value

    @embeddingModel.setter
    def embeddingModel(self, value: str | None) -> None:
        self._inner_dict["embeddingModel"] = value

    @property
    def embeddingModels(self) -> list[str] | None:
        """URNs of the models, more than one where vectors of one index come from different models.
        Lineage: the models are upstream of the index.
        """
        value: list[str] | None = self._inner_dict["embeddingModels"]
        return value

    @embeddingModels.setter
    def embeddingModels(self, value: list[str] | None) -> None:
        self._inner_dict["embeddingModels"] = value

    @property
    def embeddingModelKnownFrom(self) -> str | None:
        """How the model is known: a job declares it, the store records it, or it was observed while the
        index was written. One of: declared, recorded, observed.
        """
        value: str | None = self._inner_dict["embeddingModelKnownFrom"]
        return value

    @embeddingModelKnownFrom.setter
    def embeddingModelKnownFrom(self, value: str | None) -> None:
        self._inner_dict["embeddingModelKnownFrom"] = value

    @property
    def chunkingMethod(self) -> str | None:
        """How documents are split before they are embedded."""
        value: str | None = self._inner_dict["chunkingMethod"]
        return value

    @chunkingMethod.setter
    def chunkingMethod(self, value: str | None) -> None:
        self._inner_dict["chunkingMethod"] = value

    @property
    def chunkSize(self) -> int | None:
        """Largest size of a chunk, in the unit of the splitter."""
        value: int | None = self._inner_dict["chunkSize"]
        return value

    @chunkSize.setter
    def chunkSize(self, value: int | None) -> None:
        self._inner_dict["chunkSize"] = value

    @property
    def chunkOverlap(self) -> int | None:
        """Overlap of neighbouring chunks, in the unit of the splitter."""
        value: int | None = self._inner_dict["chunkOverlap"]
        return value

    @chunkOverlap.setter
    def chunkOverlap(self, value: int | None) -> None:
        self._inner_dict["chunkOverlap"] = value

    @property
    def chunkingKnownFrom(self) -> str | None:
        """How the chunking is known: a job declares it, the store records it, or it was observed while the
        index was written. One of: declared, recorded, observed.
        """
        value: str | None = self._inner_dict["chunkingKnownFrom"]
        return value

    @chunkingKnownFrom.setter
    def chunkingKnownFrom(self, value: str | None) -> None:
        self._inner_dict["chunkingKnownFrom"] = value

    @property
    def textFields(self) -> str | None:
        """Payload fields that hold the embedded text, joined by commas."""
        value: str | None = self._inner_dict["textFields"]
        return value

    @textFields.setter
    def textFields(self, value: str | None) -> None:
        self._inner_dict["textFields"] = value

    @property
    def textFieldsKnownFrom(self) -> str | None:
        """How the text fields are known: a job declares them, the store records them, or they were
        observed while the index was written. One of: declared, recorded, observed.
        """
        value: str | None = self._inner_dict["textFieldsKnownFrom"]
        return value

    @textFieldsKnownFrom.setter
    def textFieldsKnownFrom(self, value: str | None) -> None:
        self._inner_dict["textFieldsKnownFrom"] = value


class PromptInfoClass(LlmopsAspect):
    """One version of a prompt as its registry keeps it."""

    ASPECT_NAME: ClassVar[str] = "promptInfo"
    ASPECT_TYPE: ClassVar[str] = "default"
    ASPECT_INFO: ClassVar[dict[str, object]] = {}
    RECORD_SCHEMA = schema_of("org.datahubllmops.metadata.PromptInfo")

    def __init__(
        self,
        *,
        registry: str,
        promptName: str | None = None,
        promptVersion: str | None = None,
        labels: str | None = None,
        variables: str | None = None,
        templateDigest: str | None = None,
        templateFormat: str | None = None,
        modelParameters: str | None = None,
        text: str | None = None,
    ) -> None:
        super().__init__()
        self.registry = registry
        self.promptName = promptName
        self.promptVersion = promptVersion
        self.labels = labels
        self.variables = variables
        self.templateDigest = templateDigest
        self.templateFormat = templateFormat
        self.modelParameters = modelParameters
        self.text = text

    @property
    def registry(self) -> str:
        """Registry or application that the prompt comes from, by the name of its DataHub platform."""
        value: str = self._inner_dict["registry"]
        return value

    @registry.setter
    def registry(self, value: str) -> None:
        self._inner_dict["registry"] = value

    @property
    def promptName(self) -> str | None:
        """Name of the prompt in the registry, the same for all of its versions."""
        value: str | None = self._inner_dict["promptName"]
        return value

    @promptName.setter
    def promptName(self, value: str | None) -> None:
        self._inner_dict["promptName"] = value

    @property
    def promptVersion(self) -> str | None:
        """Version in the registry's own form. Absent for a prompt that is known by its digest only."""
        value: str | None = self._inner_dict["promptVersion"]
        return value

    @promptVersion.setter
    def promptVersion(self, value: str | None) -> None:
        self._inner_dict["promptVersion"] = value

    @property
    def labels(self) -> str | None:
        """Labels or aliases that point at this version, joined by commas."""
        value: str | None = self._inner_dict["labels"]
        return value

    @labels.setter
    def labels(self, value: str | None) -> None:
        self._inner_dict["labels"] = value

    @property
    def variables(self) -> str | None:
        """Variables of the template, joined by commas."""
        value: str | None = self._inner_dict["variables"]
        return value

    @variables.setter
    def variables(self, value: str | None) -> None:
        self._inner_dict["variables"] = value

    @property
    def templateDigest(self) -> str | None:
        """Digest of the template, as sha256:<hex>."""
        value: str | None = self._inner_dict["templateDigest"]
        return value

    @templateDigest.setter
    def templateDigest(self, value: str | None) -> None:
        self._inner_dict["templateDigest"] = value

    @property
    def templateFormat(self) -> str | None:
        """How variables are written in the template: f-string, mustache, jinja2 ..."""
        value: str | None = self._inner_dict["templateFormat"]
        return value

    @templateFormat.setter
    def templateFormat(self, value: str | None) -> None:
        self._inner_dict["templateFormat"] = value

    @property
    def modelParameters(self) -> str | None:
        """Parameters of the model that are kept with the prompt as name=value, sorted by name, joined by
        commas.
        """
        value: str | None = self._inner_dict["modelParameters"]
        return value

    @modelParameters.setter
    def modelParameters(self, value: str | None) -> None:
        self._inner_dict["modelParameters"] = value

    @property
    def text(self) -> str | None:
        """Text of the template. Written only where that is turned on."""
        value: str | None = self._inner_dict["text"]
        return value

    @text.setter
    def text(self, value: str | None) -> None:
        self._inner_dict["text"] = value


class RetrieverInfoClass(LlmopsAspect):
    """How a retriever searches its indexes. Lineage is in upstreamLineage."""

    ASPECT_NAME: ClassVar[str] = "retrieverInfo"
    ASPECT_TYPE: ClassVar[str] = "default"
    ASPECT_INFO: ClassVar[dict[str, object]] = {}
    RECORD_SCHEMA = schema_of("org.datahubllmops.metadata.RetrieverInfo")

    def __init__(
        self,
        *,
        searchType: str | None = None,
        k: int | None = None,
        scoreThreshold: float | None = None,
        filterKeys: str | None = None,
        reranker: str | None = None,
        framework: str | None = None,
        frameworkVersion: str | None = None,
        indexNames: str | None = None,
        indexes: list[str] | None = None,
    ) -> None:
        super().__init__()
        self.searchType = searchType
        self.k = k
        self.scoreThreshold = scoreThreshold
        self.filterKeys = filterKeys
        self.reranker = reranker
        self.framework = framework
        self.frameworkVersion = frameworkVersion
        self.indexNames = indexNames
        self.indexes = indexes

    @property
    def searchType(self) -> str | None:
        """How it searches: similarity, mmr, similarity_score_threshold, hybrid ..."""
        value: str | None = self._inner_dict["searchType"]
        return value

    @searchType.setter
    def searchType(self, value: str | None) -> None:
        self._inner_dict["searchType"] = value

    @property
    def k(self) -> int | None:
        """Number of chunks that it returns at most."""
        value: int | None = self._inner_dict["k"]
        return value

    @k.setter
    def k(self, value: int | None) -> None:
        self._inner_dict["k"] = value

    @property
    def scoreThreshold(self) -> float | None:
        """Lowest score of a chunk that it returns."""
        value: float | None = self._inner_dict["scoreThreshold"]
        return value

    @scoreThreshold.setter
    def scoreThreshold(self, value: float | None) -> None:
        self._inner_dict["scoreThreshold"] = value

    @property
    def filterKeys(self) -> str | None:
        """Payload fields that its filter asks for, joined by commas. Never the values."""
        value: str | None = self._inner_dict["filterKeys"]
        return value

    @filterKeys.setter
    def filterKeys(self, value: str | None) -> None:
        self._inner_dict["filterKeys"] = value

    @property
    def reranker(self) -> str | None:
        """Model or class that reorders what was found."""
        value: str | None = self._inner_dict["reranker"]
        return value

    @reranker.setter
    def reranker(self, value: str | None) -> None:
        self._inner_dict["reranker"] = value

    @property
    def framework(self) -> str | None:
        """Framework that the retriever is written in, by the name of its DataHub platform: langchain,
        llama-index ...
        """
        value: str | None = self._inner_dict["framework"]
        return value

    @framework.setter
    def framework(self, value: str | None) -> None:
        self._inner_dict["framework"] = value

    @property
    def frameworkVersion(self) -> str | None:
        """Version of the framework."""
        value: str | None = self._inner_dict["frameworkVersion"]
        return value

    @frameworkVersion.setter
    def frameworkVersion(self, value: str | None) -> None:
        self._inner_dict["frameworkVersion"] = value

    @property
    def indexNames(self) -> str | None:
        """Names of the indexes that it searches, joined by commas."""
        value: str | None = self._inner_dict["indexNames"]
        return value

    @indexNames.setter
    def indexNames(self, value: str | None) -> None:
        self._inner_dict["indexNames"] = value

    @property
    def indexes(self) -> list[str] | None:
        """URNs of the indexes that it searches. Not lineage: that is said by upstreamLineage."""
        value: list[str] | None = self._inner_dict["indexes"]
        return value

    @indexes.setter
    def indexes(self, value: list[str] | None) -> None:
        self._inner_dict["indexes"] = value


class LlmUsageClass(LlmopsAspect):
    """What was used in one stretch of time, of an application, a prompt, an index, a retriever or a model.
    Writing the same stretch, window, partition and message again replaces it.
    """

    ASPECT_NAME: ClassVar[str] = "llmUsage"
    ASPECT_TYPE: ClassVar[str] = "timeseries"
    ASPECT_INFO: ClassVar[dict[str, object]] = {}
    RECORD_SCHEMA = schema_of("org.datahubllmops.metadata.LlmUsage")

    def __init__(
        self,
        *,
        timestampMillis: int,
        calls: int,
        eventGranularity: UsageWindowClass | None = None,
        partitionSpec: UsagePartitionClass | None = None,
        messageId: str | None = None,
        errors: int | None = None,
        inputTokens: int | None = None,
        cachedInputTokens: int | None = None,
        cacheWriteTokens: int | None = None,
        outputTokens: int | None = None,
        reasoningTokens: int | None = None,
        cost: float | None = None,
        currency: str | None = None,
        latencyMillis: float | None = None,
        latencyHistogram: list[LatencyBucketClass] | None = None,
        distinctChunks: int | None = None,
    ) -> None:
        super().__init__()
        self.timestampMillis = timestampMillis
        self.eventGranularity = eventGranularity
        self.partitionSpec = partitionSpec
        self.messageId = messageId
        self.calls = calls
        self.errors = errors
        self.inputTokens = inputTokens
        self.cachedInputTokens = cachedInputTokens
        self.cacheWriteTokens = cacheWriteTokens
        self.outputTokens = outputTokens
        self.reasoningTokens = reasoningTokens
        self.cost = cost
        self.currency = currency
        self.latencyMillis = latencyMillis
        self.latencyHistogram = latencyHistogram
        self.distinctChunks = distinctChunks

    @property
    def timestampMillis(self) -> int:
        """Start of the bucket, in milliseconds since 1970, UTC."""
        value: int = self._inner_dict["timestampMillis"]
        return value

    @timestampMillis.setter
    def timestampMillis(self, value: int) -> None:
        self._inner_dict["timestampMillis"] = value

    @property
    def eventGranularity(self) -> UsageWindowClass | None:
        """Length of the bucket."""
        value: UsageWindowClass | None = self._inner_dict["eventGranularity"]
        return value

    @eventGranularity.setter
    def eventGranularity(self, value: UsageWindowClass | None) -> None:
        self._inner_dict["eventGranularity"] = value

    @property
    def partitionSpec(self) -> UsagePartitionClass | None:
        """Which part of the usage this is. Writers that do not know of each other use different
        partitions.
        """
        value: UsagePartitionClass | None = self._inner_dict["partitionSpec"]
        return value

    @partitionSpec.setter
    def partitionSpec(self, value: UsagePartitionClass | None) -> None:
        self._inner_dict["partitionSpec"] = value

    @property
    def messageId(self) -> str | None:
        """Tells apart buckets that would otherwise replace each other."""
        value: str | None = self._inner_dict["messageId"]
        return value

    @messageId.setter
    def messageId(self, value: str | None) -> None:
        self._inner_dict["messageId"] = value

    @property
    def calls(self) -> int:
        """Number of calls, failed ones included."""
        value: int = self._inner_dict["calls"]
        return value

    @calls.setter
    def calls(self, value: int) -> None:
        self._inner_dict["calls"] = value

    @property
    def errors(self) -> int | None:
        """Number of calls that failed."""
        value: int | None = self._inner_dict["errors"]
        return value

    @errors.setter
    def errors(self, value: int | None) -> None:
        self._inner_dict["errors"] = value

    @property
    def inputTokens(self) -> int | None:
        """Tokens sent to the model, cached ones included."""
        value: int | None = self._inner_dict["inputTokens"]
        return value

    @inputTokens.setter
    def inputTokens(self, value: int | None) -> None:
        self._inner_dict["inputTokens"] = value

    @property
    def cachedInputTokens(self) -> int | None:
        """Input tokens that the provider served from its cache."""
        value: int | None = self._inner_dict["cachedInputTokens"]
        return value

    @cachedInputTokens.setter
    def cachedInputTokens(self, value: int | None) -> None:
        self._inner_dict["cachedInputTokens"] = value

    @property
    def cacheWriteTokens(self) -> int | None:
        """Input tokens that the provider wrote to its cache."""
        value: int | None = self._inner_dict["cacheWriteTokens"]
        return value

    @cacheWriteTokens.setter
    def cacheWriteTokens(self, value: int | None) -> None:
        self._inner_dict["cacheWriteTokens"] = value

    @property
    def outputTokens(self) -> int | None:
        """Tokens that the model returned, reasoning included."""
        value: int | None = self._inner_dict["outputTokens"]
        return value

    @outputTokens.setter
    def outputTokens(self, value: int | None) -> None:
        self._inner_dict["outputTokens"] = value

    @property
    def reasoningTokens(self) -> int | None:
        """Output tokens that the model spent on reasoning."""
        value: int | None = self._inner_dict["reasoningTokens"]
        return value

    @reasoningTokens.setter
    def reasoningTokens(self, value: int | None) -> None:
        self._inner_dict["reasoningTokens"] = value

    @property
    def cost(self) -> float | None:
        """Cost of the calls, in the currency beside it."""
        value: float | None = self._inner_dict["cost"]
        return value

    @cost.setter
    def cost(self, value: float | None) -> None:
        self._inner_dict["cost"] = value

    @property
    def currency(self) -> str | None:
        """Currency of the cost, as its ISO 4217 code: USD, EUR ..."""
        value: str | None = self._inner_dict["currency"]
        return value

    @currency.setter
    def currency(self, value: str | None) -> None:
        self._inner_dict["currency"] = value

    @property
    def latencyMillis(self) -> float | None:
        """Sum of the latencies of all calls, in milliseconds."""
        value: float | None = self._inner_dict["latencyMillis"]
        return value

    @latencyMillis.setter
    def latencyMillis(self, value: float | None) -> None:
        self._inner_dict["latencyMillis"] = value

    @property
    def latencyHistogram(self) -> list[LatencyBucketClass] | None:
        """Calls by latency. Histograms are merged by adding the counts of equal bounds."""
        value: list[LatencyBucketClass] | None = self._inner_dict["latencyHistogram"]
        return value

    @latencyHistogram.setter
    def latencyHistogram(self, value: list[LatencyBucketClass] | None) -> None:
        self._inner_dict["latencyHistogram"] = value

    @property
    def distinctChunks(self) -> int | None:
        """Number of different chunks that were retrieved. It cannot be added up over buckets."""
        value: int | None = self._inner_dict["distinctChunks"]
        return value

    @distinctChunks.setter
    def distinctChunks(self, value: int | None) -> None:
        self._inner_dict["distinctChunks"] = value


class EmbeddingJobInfoClass(LlmopsAspect):
    """What an embedding job declares. What its index really holds is in embeddingInfo of the index."""

    ASPECT_NAME: ClassVar[str] = "embeddingJobInfo"
    ASPECT_TYPE: ClassVar[str] = "default"
    ASPECT_INFO: ClassVar[dict[str, object]] = {}
    RECORD_SCHEMA = schema_of("org.datahubllmops.metadata.EmbeddingJobInfo")

    def __init__(
        self,
        *,
        embeddingModel: str | None = None,
        embeddingModelUrn: str | None = None,
        chunkingMethod: str | None = None,
        chunkSize: int | None = None,
        chunkOverlap: int | None = None,
        textColumns: str | None = None,
        sqlDigest: str | None = None,
        batchSize: int | None = None,
        schedule: str | None = None,
    ) -> None:
        super().__init__()
        self.embeddingModel = embeddingModel
        self.embeddingModelUrn = embeddingModelUrn
        self.chunkingMethod = chunkingMethod
        self.chunkSize = chunkSize
        self.chunkOverlap = chunkOverlap
        self.textColumns = textColumns
        self.sqlDigest = sqlDigest
        self.batchSize = batchSize
        self.schedule = schedule

    @property
    def embeddingModel(self) -> str | None:
        """Model that the job embeds with, as provider/model."""
        value: str | None = self._inner_dict["embeddingModel"]
        return value

    @embeddingModel.setter
    def embeddingModel(self, value: str | None) -> None:
        self._inner_dict["embeddingModel"] = value

    @property
    def embeddingModelUrn(self) -> str | None:
        """URN of the model. Not lineage: that the job uses the model is said by downstreamJobs of
        mlModelProperties.
        """
        value: str | None = self._inner_dict["embeddingModelUrn"]
        return value

    @embeddingModelUrn.setter
    def embeddingModelUrn(self, value: str | None) -> None:
        self._inner_dict["embeddingModelUrn"] = value

    @property
    def chunkingMethod(self) -> str | None:
        """How the job splits documents before it embeds them."""
        value: str | None = self._inner_dict["chunkingMethod"]
        return value

    @chunkingMethod.setter
    def chunkingMethod(self, value: str | None) -> None:
        self._inner_dict["chunkingMethod"] = value

    @property
    def chunkSize(self) -> int | None:
        """Largest size of a chunk, in the unit of the splitter."""
        value: int | None = self._inner_dict["chunkSize"]
        return value

    @chunkSize.setter
    def chunkSize(self, value: int | None) -> None:
        self._inner_dict["chunkSize"] = value

    @property
    def chunkOverlap(self) -> int | None:
        """Overlap of neighbouring chunks, in the unit of the splitter."""
        value: int | None = self._inner_dict["chunkOverlap"]
        return value

    @chunkOverlap.setter
    def chunkOverlap(self, value: int | None) -> None:
        self._inner_dict["chunkOverlap"] = value

    @property
    def textColumns(self) -> str | None:
        """Output columns of the SQL that make the embedded text, joined by commas."""
        value: str | None = self._inner_dict["textColumns"]
        return value

    @textColumns.setter
    def textColumns(self, value: str | None) -> None:
        self._inner_dict["textColumns"] = value

    @property
    def sqlDigest(self) -> str | None:
        """Digest of the SQL that reads the rows, as sha256:<hex>. It tells two versions of the job apart."""
        value: str | None = self._inner_dict["sqlDigest"]
        return value

    @sqlDigest.setter
    def sqlDigest(self, value: str | None) -> None:
        self._inner_dict["sqlDigest"] = value

    @property
    def batchSize(self) -> int | None:
        """Number of texts that are embedded in one call."""
        value: int | None = self._inner_dict["batchSize"]
        return value

    @batchSize.setter
    def batchSize(self, value: int | None) -> None:
        self._inner_dict["batchSize"] = value

    @property
    def schedule(self) -> str | None:
        """When the job runs, in the orchestrator's own form: a cron expression, @daily ..."""
        value: str | None = self._inner_dict["schedule"]
        return value

    @schedule.setter
    def schedule(self, value: str | None) -> None:
        self._inner_dict["schedule"] = value


class LlmApplicationInfoClass(LlmopsAspect):
    """What an LLM application, chain or agent is built of."""

    ASPECT_NAME: ClassVar[str] = "llmApplicationInfo"
    ASPECT_TYPE: ClassVar[str] = "default"
    ASPECT_INFO: ClassVar[dict[str, object]] = {}
    RECORD_SCHEMA = schema_of("org.datahubllmops.metadata.LlmApplicationInfo")

    def __init__(
        self,
        *,
        framework: str | None = None,
        frameworkVersion: str | None = None,
        applicationVersion: str | None = None,
        promptCount: int | None = None,
        prompts: str | None = None,
        retrieverCount: int | None = None,
        retrievers: str | None = None,
        modelCount: int | None = None,
        models: str | None = None,
    ) -> None:
        super().__init__()
        self.framework = framework
        self.frameworkVersion = frameworkVersion
        self.applicationVersion = applicationVersion
        self.promptCount = promptCount
        self.prompts = prompts
        self.retrieverCount = retrieverCount
        self.retrievers = retrievers
        self.modelCount = modelCount
        self.models = models

    @property
    def framework(self) -> str | None:
        """Framework that the application is written in, by the name of its DataHub platform: langchain,
        llama-index ...
        """
        value: str | None = self._inner_dict["framework"]
        return value

    @framework.setter
    def framework(self, value: str | None) -> None:
        self._inner_dict["framework"] = value

    @property
    def frameworkVersion(self) -> str | None:
        """Version of the framework."""
        value: str | None = self._inner_dict["frameworkVersion"]
        return value

    @frameworkVersion.setter
    def frameworkVersion(self, value: str | None) -> None:
        self._inner_dict["frameworkVersion"] = value

    @property
    def applicationVersion(self) -> str | None:
        """Version that the application gives itself."""
        value: str | None = self._inner_dict["applicationVersion"]
        return value

    @applicationVersion.setter
    def applicationVersion(self, value: str | None) -> None:
        self._inner_dict["applicationVersion"] = value

    @property
    def promptCount(self) -> int | None:
        """Number of prompts that it uses."""
        value: int | None = self._inner_dict["promptCount"]
        return value

    @promptCount.setter
    def promptCount(self, value: int | None) -> None:
        self._inner_dict["promptCount"] = value

    @property
    def prompts(self) -> str | None:
        """Names of the prompts that it uses, joined by commas."""
        value: str | None = self._inner_dict["prompts"]
        return value

    @prompts.setter
    def prompts(self, value: str | None) -> None:
        self._inner_dict["prompts"] = value

    @property
    def retrieverCount(self) -> int | None:
        """Number of retrievers that it uses."""
        value: int | None = self._inner_dict["retrieverCount"]
        return value

    @retrieverCount.setter
    def retrieverCount(self, value: int | None) -> None:
        self._inner_dict["retrieverCount"] = value

    @property
    def retrievers(self) -> str | None:
        """Names of the retrievers that it uses, joined by commas."""
        value: str | None = self._inner_dict["retrievers"]
        return value

    @retrievers.setter
    def retrievers(self, value: str | None) -> None:
        self._inner_dict["retrievers"] = value

    @property
    def modelCount(self) -> int | None:
        """Number of models that it calls."""
        value: int | None = self._inner_dict["modelCount"]
        return value

    @modelCount.setter
    def modelCount(self, value: int | None) -> None:
        self._inner_dict["modelCount"] = value

    @property
    def models(self) -> str | None:
        """Names of the models that it calls, as provider/model, joined by commas."""
        value: str | None = self._inner_dict["models"]
        return value

    @models.setter
    def models(self, value: str | None) -> None:
        self._inner_dict["models"] = value


ASPECTS: Final[tuple[type[LlmopsAspect], ...]] = (
    VectorIndexInfoClass,
    VectorIndexVectorsClass,
    EmbeddingInfoClass,
    PromptInfoClass,
    RetrieverInfoClass,
    LlmUsageClass,
    EmbeddingJobInfoClass,
    LlmApplicationInfoClass,
)
"""Every aspect, in the order of the registry."""

RECORDS: Final[tuple[type[LlmopsRecord], ...]] = (
    LatencyBucketClass,
    UsagePartitionClass,
    UsageWindowClass,
    VectorRowClass,
)
"""Every record that an aspect holds."""


def register() -> None:
    """Let DataHub read our aspects back as these classes, from files and servers. May be called again."""
    register_classes(ASPECTS, RECORDS)
