"""Names of span attributes: which are read, what they mean, and what their old names were.

OpenTelemetry GenAI, OpenInference, OpenLLMetry, MLflow, Langfuse and LangSmith use different names, and OpenTelemetry's
still change. Each tuple below lists the names of one fact, the preferred one first. The decoder drops an attribute that
is in no tuple: prompts, questions, answers and documents never get past a door.

Sources:
    https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/
    https://github.com/Arize-ai/openinference/blob/main/spec/semantic_conventions.md
    https://github.com/traceloop/openllmetry (``SpanAttributes``)
    https://mlflow.org/docs/latest/genai/tracing/
    https://langfuse.com/integrations/native/opentelemetry
    https://docs.langchain.com/langsmith/trace-with-opentelemetry
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeAlias

from datahub_llmops.hooks.chunk_sources import PICKED

VERSION: Final = 3
"""Raise it with every change of meaning, so that what was read with an older table is read again."""

MAX_TEXT: Final = 2_048
"""Longest text that is kept, in characters. No identifier is longer; a longer value is dropped and counted."""
MAX_LABEL: Final = 64
"""Longest label of an evaluation that is kept, in characters. A longer one is free text, not a category."""
MAX_JSON: Final = 1_000_000
"""Longest JSON text that is reduced, in characters. A longer one is dropped and counted."""
MAX_DOCUMENTS: Final = 1_000
"""Most documents that are read from one span."""
MAX_EVALUATIONS: Final = 1_000
"""Most evaluations that are read from one list, or from the events, of one span."""

METADATA: Final = ("metadata",)
"""OpenInference's JSON object of a framework's metadata. What is kept of it is a mapping of ``METADATA_KEYS``."""
METADATA_KEYS: Final = (
    "ls_provider",
    "ls_model_name",
    "ls_vector_store_provider",
    "ls_embedding_provider",
    "lc_hub_owner",
    "lc_hub_repo",
    "lc_hub_commit_hash",
    "prompt_name",
    "prompt_version",
    "mlflow_prompt_uri",
    "prompt_uri",
    "datahub_urn",
)
"""What LangChain, prompt registries and users put into the metadata of a run and that is not content."""
METADATA_PREFIXES: Final = (
    "",
    "traceloop.association.properties.",
    "langsmith.metadata.",
    "langfuse.observation.metadata.",
)
"""OpenLLMetry, LangSmith and Langfuse write each of ``METADATA_KEYS`` as a separate attribute with one of these
prefixes. LangSmith's bulk export has them as they are."""


def _everywhere(*keys: str) -> tuple[str, ...]:
    return tuple(prefix + key for prefix in METADATA_PREFIXES for key in keys)


# What kind of work a span is. LangSmith calls retrievers embeddings and prompts chats in ``gen_ai.operation.name``.
KIND: Final = (
    "openinference.span.kind",
    "langsmith.span.kind",
    "gen_ai.operation.name",
    "mlflow.spanType",
    "langfuse.observation.type",
    "traceloop.span.kind",
    "llm.request.type",
)
JUDGE: Final = ("mlflow.traceTag.mlflow.trace.sourceScorer",)
"""Says of a trace that a scorer has made it."""
ENVIRONMENT: Final = ("langfuse.environment",)
"""Langfuse's own work has one that begins with ``langfuse-``."""

# Models. OpenInference's ``llm.model_name`` is the model that was asked for or the one that served: see ``models``.
MODEL_ASKED: Final = (
    "gen_ai.request.model",
    "llm.request.model_name",
    "llm.model_name",
    "mlflow.llm.model",
    "langfuse.observation.model.name",
    *_everywhere("ls_model_name"),
)
MODEL_IN_METADATA: Final = _everywhere("ls_model_name")
"""The one that was asked for, whatever the others are."""
MODEL_SERVED: Final = ("gen_ai.response.model", "llm.response.model_name")
FINGERPRINT: Final = (
    "openai.response.system_fingerprint",
    "gen_ai.openai.response.system_fingerprint",
    "gen_ai.response.system_fingerprint",
    "gen_ai.openai.system_fingerprint",
)
PROVIDER_OF_LANGCHAIN: Final = _everywhere("ls_provider")
PROVIDER: Final = (
    *PROVIDER_OF_LANGCHAIN,
    "gen_ai.provider.name",
    "gen_ai.system",
    "llm.provider",
    "llm.system",
    "mlflow.llm.provider",
)
"""LangChain's word first, because the hooks record it too."""
EMBEDDING_MODEL: Final = ("embedding.model_name", *MODEL_ASKED)

# Tokens. ``cached`` and ``cache_write`` are part of the input, ``reasoning`` is part of the output.
TOKENS_IN: Final = (
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.prompt_tokens",
    "llm.token_count.prompt",
    "llm.usage.prompt_tokens",
)
TOKENS_OUT: Final = (
    "gen_ai.usage.output_tokens",
    "gen_ai.usage.completion_tokens",
    "llm.token_count.completion",
    "llm.usage.completion_tokens",
)
TOKENS_CACHED: Final = (
    "gen_ai.usage.cache_read.input_tokens",
    "gen_ai.usage.cache_read_input_tokens",
    "llm.token_count.prompt_details.cache_read",
)
TOKENS_CACHE_WRITE: Final = (
    "gen_ai.usage.cache_write.input_tokens",
    "gen_ai.usage.cache_creation.input_tokens",
    "gen_ai.usage.cache_creation_input_tokens",
    "llm.token_count.prompt_details.cache_write",
)
TOKENS_REASONING: Final = (
    "gen_ai.usage.reasoning.output_tokens",
    "gen_ai.usage.reasoning_tokens",
    "llm.usage.reasoning_tokens",
    "llm.token_count.completion_details.reasoning",
)
TOKENS_JSON: Final = (
    "mlflow.chat.tokenUsage",
    "langfuse.observation.usage_details",
    "langsmith.metadata.usage_metadata",
)
"""JSON objects of counts. Keys hold ``input`` or ``prompt``, ``output`` or ``completion``, ``cache``, ``reasoning``."""
COST: Final = ("llm.cost.total", "gen_ai.usage.cost.amount", "gen_ai.usage.cost")
COST_JSON: Final = ("langfuse.observation.cost_details", "mlflow.llm.cost")

# Prompts.
PROMPT_NAME: Final = (
    "gen_ai.prompt.name",
    "langfuse.observation.prompt.name",
    *_everywhere("lc_hub_repo"),
    "traceloop.prompt.key",
    *_everywhere("prompt_name"),
    "prompt.id",
)
PROMPT_OWNER: Final = _everywhere("lc_hub_owner")
PROMPT_URI: Final = _everywhere("mlflow_prompt_uri", "prompt_uri")
PROMPT_VERSION: Final = (
    "gen_ai.prompt.version",
    "langfuse.observation.prompt.version",
    *_everywhere("lc_hub_commit_hash"),
    "traceloop.prompt.version",
    *_everywhere("prompt_version"),
    "llm.prompt_template.version",
)
PROMPT_VENDOR: Final = ("prompt.vendor",)
PROMPTS_LINKED: Final = ("mlflow.linkedPrompts",)
"""A JSON list of ``{"name", "version"}``."""

# Applications and their parts.
SERVICE: Final = ("service.name",)
SERVICE_VERSION: Final = ("service.version", "langfuse.release", "langfuse.version")
HOST: Final = ("host.name", "k8s.pod.name", "service.instance.id")
APPLICATION: Final = (
    "traceloop.association.properties.app_name",
    "langfuse.trace.name",
    "langsmith.trace.session_name",
)
AGENT: Final = ("gen_ai.agent.name", "agent.name", "traceloop.entity.name")
TOOL: Final = ("gen_ai.tool.name", "tool.name")
ERROR_TYPE: Final = ("error.type", "exception.type")

# Retrievals.
DATA_SOURCE: Final = ("gen_ai.data_source.id",)
STORE_CLASS: Final = (
    "vector_store.class",
    *_everywhere("ls_vector_store_provider"),
)
EMBEDDING_CLASS: Final = _everywhere("ls_embedding_provider")
URN: Final = _everywhere("datahub_urn")
"""URN of the index of a retriever, or of a prompt, given by the application."""
DOCUMENTS_JSON: Final = ("gen_ai.retrieval.documents",)
DOCUMENTS_OUTPUT: Final = (
    "output.value",
    "traceloop.entity.output",
    "gen_ai.completion",
    "langfuse.observation.output",
    "mlflow.spanOutputs",
)
"""Outputs of retrievers: most tracers of LangChain write the ids of documents, or their sources, nowhere else. Ids and
sources are all that is kept of a document."""
DOCUMENTS_BEGIN: Final = (
    '{"documents": [{"',
    '{"documents":[{"',
    '[{"id":',
    '[{"page_content":',
    '["{\\"node\\": {',
)
"""How such an output begins. A door may look at the first bytes of a value before it reads the rest."""
RESULT_IDS: Final = "db.query.result.id"
"""The ids in OpenLLMetry's events of a search, as one list: see ``Selection.event``."""
RESULT_SCORES: Final = "db.query.result.score"
RESULT_METADATA: Final = "db.query.result.metadata"
DB_OPERATION: Final = ("db.operation.name", "db.operation")
DB_SYSTEM: Final = ("db.system.name", "db.system")
DB_COLLECTION: Final = (
    "db.collection.name",
    "qdrant.collection_name",
    "db.chroma.collection.name",
    "db.milvus.collection_name",
    "db.milvus.search.collection_name",
    "db.milvus.query.collection_name",
    "db.milvus.get.collection_name",
    "qdrant.search.collection_name",
    "qdrant.search_batch.collection_name",
    "qdrant.query.collection_name",
    "qdrant.search_groups.collection_name",
    "qdrant.query_points_groups.collection_name",
    "qdrant.discover.collection_name",
    "qdrant.recommend.collection_name",
    "qdrant.scroll.collection_name",
    "db.weaviate.collection_name",
    "db.elasticsearch.path_parts.index",
    "elasticsearch.index",
)
DB_NAMESPACE: Final = ("db.namespace", "db.name", "pinecone.namespace", "pinecone.query.namespace")
SERVER: Final = ("server.address", "net.peer.name", "db.pinecone.host", "pinecone.host")
PORT: Final = ("server.port", "net.peer.port")

RERANKER_MODEL: Final = ("reranker.model_name",)

# Guardrails and evaluations. OpenTelemetry's words for guardrails are a proposal, which Microsoft and Google write.
GUARDRAIL: Final = ("guardrail.name", "gen_ai.guardian.name", "microsoft.guardian.name")
DECISION: Final = ("gen_ai.security.decision.type", "microsoft.security.decision.type")
"""What a guardrail decided, as one of ``allow``, ``audit``, ``deny``, ``modify`` and ``warn``."""
EVALUATION_NAME: Final = ("gen_ai.evaluation.name", "evaluation.name", "annotation.name")
EVALUATION_SCORE: Final = ("gen_ai.evaluation.score.value", "evaluation.score", "annotation.score")
EVALUATION_EVENT: Final = "gen_ai.evaluation.result"
"""An event of a span, one for each evaluation. They are kept under its name, as a list of their attributes."""
EVALUATION_LABEL: Final = ("gen_ai.evaluation.score.label", "evaluation.label", "annotation.label")
EVALUATION_BY: Final = ("evaluation.annotator_kind", "annotation.annotator_kind")
EVALUATION_LISTS: Final = ("evaluations", "annotations", "trace.evaluations", "trace.annotations")
"""OpenInference's lists of evaluations: an attribute for each field of each. Those of a session are of no answer."""

_PLAIN: Final = frozenset(
    name
    for names in (
        KIND, JUDGE, ENVIRONMENT, MODEL_ASKED, MODEL_SERVED, FINGERPRINT, PROVIDER, EMBEDDING_MODEL, TOKENS_IN,
        TOKENS_OUT, TOKENS_CACHED, TOKENS_CACHE_WRITE, TOKENS_REASONING, COST, PROMPT_NAME, PROMPT_VERSION,
        PROMPT_OWNER, PROMPT_URI, PROMPT_VENDOR, SERVICE, SERVICE_VERSION, HOST, APPLICATION, AGENT, TOOL,
        ERROR_TYPE, DATA_SOURCE, STORE_CLASS, EMBEDDING_CLASS, URN, DB_SYSTEM, DB_OPERATION, DB_COLLECTION,
        DB_NAMESPACE, SERVER, PORT, RERANKER_MODEL, GUARDRAIL, DECISION, EVALUATION_NAME, EVALUATION_SCORE,
        EVALUATION_LABEL, EVALUATION_BY,
    )
    for name in names
)  # fmt: skip
_OURS: Final = "datahub_llmops."
"""Attributes that our hooks stamp: see ``assets.span_names``."""
_DOCUMENT: Final = re.compile(
    r"(?:retrieval\.documents|reranker\.output_documents)\.\d{1,6}\.document\.(id|score|metadata)"
)
_EVALUATION: Final = re.compile(
    r"(?:trace\.)?(?:evaluations\.\d{1,6}\.evaluation|annotations\.\d{1,6}\.annotation)"
    r"\.(name|score|label|annotator_kind)"
)

_VARYING: Final = frozenset(
    (
        *TOKENS_IN, *TOKENS_OUT, *TOKENS_CACHED, *TOKENS_CACHE_WRITE, *TOKENS_REASONING, *TOKENS_JSON, *COST,
        *COST_JSON, *DOCUMENTS_JSON, *DOCUMENTS_OUTPUT, RESULT_IDS, RESULT_SCORES, RESULT_METADATA, *EVALUATION_SCORE,
        EVALUATION_EVENT,
    )
)  # fmt: skip
RESULT_EVENTS: Final = frozenset({"db.query.result", "db.search.result"})
"""Events of OpenLLMetry, one for each result of a search. Their other attributes are content."""
EVENTS: Final = RESULT_EVENTS | {EVALUATION_EVENT}
"""Events that ``Selection.event`` reads. An event ``exception`` has the type of an error."""
_OF_EVALUATION: Final = (*EVALUATION_NAME, *EVALUATION_SCORE, *EVALUATION_LABEL, *ERROR_TYPE)
_OUTPUTS: Final = frozenset(DOCUMENTS_OUTPUT)
_RESULT_IDS: Final = (RESULT_IDS, "db.search.result.id")
_RESULT_SCORES: Final = (
    RESULT_SCORES,
    "db.query.result.distance",
    "db.search.result.score",
    "db.search.result.distance",
)
_SCORES: Final = ("relevance_score", "score")
"""Where LangChain's rerankers and MLflow put the score of a document."""
_SCORES_SET: Final = frozenset(_SCORES)
_IN_METADATA: Final = ("_id", "pk", "_collection_name")
"""Where Qdrant's and Milvus' packages put the id of a document, and Qdrant's its collection."""

_loads: Callable[[str], Any] = json.loads
with contextlib.suppress(ImportError):  # The extra that reads spans has it.
    import orjson

    _loads = orjson.loads


def is_document(name: str) -> bool:
    """Return whether an attribute is a part of one document of a span: its id, its score or its metadata."""
    return _DOCUMENT.fullmatch(name) is not None


def evaluation_field(name: str) -> str | None:
    """Return which field of a listed evaluation an attribute is: its name, score, label or the kind of its judge.

    >>> evaluation_field("trace.evaluations.0.evaluation.score"), evaluation_field("evaluations.0.evaluation.metadata")
    ('score', None)
    """
    match = _EVALUATION.fullmatch(name)
    return None if match is None else match[1]


def repeats_output(name: str) -> bool:
    """Return whether an attribute is a part of a document that an output of ``DOCUMENTS_OUTPUT`` has too."""
    return name.startswith("retrieval.documents.")


def without_repeats(kept: dict[str, Any]) -> dict[str, Any]:
    """Return what is kept of a span without documents that its output has as well."""
    if not _OUTPUTS.isdisjoint(kept):
        return {name: value for name, value in kept.items() if not repeats_output(name)}
    return kept


def varies(name: str) -> bool:
    """Return whether the values of an attribute differ from one span to the next of the same work.

    These are counts, costs, scores, documents, and what the hooks stamp. All others identify a part.
    """
    if name in _VARYING or name.startswith(_OURS) or is_document(name):
        return True
    return evaluation_field(name) == "score"


Reducer: TypeAlias = Callable[[Any], Any]
"""Makes what may be kept out of a value, or ``None`` if nothing may."""


def number(value: Any) -> float | None:
    """Return a number as it is, and ``None`` for anything else."""
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def keep(value: Any) -> Any:
    """Return a scalar or a list of scalars as it is, and ``None`` for what is too long to be an identifier."""
    if isinstance(value, str):
        return value if len(value) <= MAX_TEXT else None
    if isinstance(value, (list, tuple)):
        return [
            one
            for one in value[:MAX_DOCUMENTS]
            if isinstance(one, (str, int, float)) and keep(one) is not None
        ]
    return value if isinstance(value, (bool, int, float)) else None


def stamp(value: Any) -> Any:
    """Return what our hooks stamped, also if a list or a truth value is written as text, as in ClickHouse.

    >>> stamp('["urn:li:x"]'), stamp("true"), stamp("support-bot")
    (['urn:li:x'], True, 'support-bot')
    """
    if isinstance(value, str):
        if value in ("true", "false"):
            return value == "true"
        found = parsed(value) if value.startswith("[") else None
        if isinstance(found, list):
            return keep(found)
    return keep(value)


def label(value: Any) -> str | None:
    """Return the label of an evaluation, and ``None`` for what is too long to be one."""
    return value if isinstance(value, str) and len(value) <= MAX_LABEL else None


class Selection:
    """Decides by the name of an attribute what is kept of its value.

    ``rules`` maps names to reducers, or to ``None`` for names to drop. It grows as names are seen, up to a bound, so
    that a loop over millions of attributes asks a dictionary first. ``dropped`` counts wanted values that are too long.
    """

    def __init__(self, metadata_fields: Iterable[str] = (), application: str | None = None) -> None:
        """Keep ``metadata_fields`` of a document beside those that the hooks keep, and the attribute ``application``.

        Fields of a document's metadata name its source, or are its id.
        """
        self.fields = frozenset((*metadata_fields, *PICKED, *_IN_METADATA))
        """The fields of a document's metadata that are kept."""
        self.rules: dict[str, Reducer | None] = dict.fromkeys(_PLAIN, keep)
        if application is not None:
            self.rules[application] = keep
        self.rules.update(dict.fromkeys((*TOKENS_JSON, *COST_JSON), self.numbers))
        self.rules.update(dict.fromkeys(EVALUATION_LABEL, label))
        self.rules.update(dict.fromkeys(PROMPTS_LINKED, self.linked_prompts))
        self.rules.update(dict.fromkeys(DOCUMENTS_JSON, self.documents))
        self.rules.update(dict.fromkeys(DOCUMENTS_OUTPUT, self.documents_output))
        self.rules.update(dict.fromkeys(METADATA, self.run_metadata))
        self.dropped = 0

    def rule(self, name: str) -> Reducer | None:
        """Return the reducer of a name that ``rules`` does not have yet, and keep it there."""
        found: Reducer | None = None
        match = _DOCUMENT.fullmatch(name)
        if match is not None:
            found = self.metadata if match[1] == "metadata" else keep
        elif name.startswith(_OURS):
            found = stamp
        else:
            field = evaluation_field(name)
            found = label if field == "label" else keep if field is not None else None
        if len(self.rules) < 50_000:
            self.rules[name] = found
        return found

    def pick(self, attributes: Mapping[str, Any]) -> dict[str, Any]:
        """Return what is kept of attributes that are a mapping already."""
        kept = {}
        for name, value in attributes.items():
            reduce = self.rules[name] if name in self.rules else self.rule(name)
            if reduce is None or not is_wanted(name, value):
                continue
            found = reduce(value)
            if found is None:
                self.dropped += value is not None
            else:
                kept[name] = found
        return kept

    def event(self, name: str, attributes: Mapping[str, Any], kept: dict[str, Any]) -> None:
        """Add what an event of a span says to ``kept`` of the span: what a search found, and evaluations.

        Results of a search become lists. Errors are not kept: a door reads ``ERROR_TYPE`` of an event itself.
        """
        if name == EVALUATION_EVENT:
            listed = kept.setdefault(EVALUATION_EVENT, [])
            if len(listed) < MAX_EVALUATIONS:
                listed.append({
                    one: label(attributes[one]) if one in EVALUATION_LABEL else keep(attributes[one])
                    for one in _OF_EVALUATION
                    if one in attributes
                })  # fmt: skip
        elif name in RESULT_EVENTS:
            identity = first(attributes, _RESULT_IDS)
            if identity is None:
                return
            ids = kept.setdefault(RESULT_IDS, [])
            if len(ids) >= MAX_DOCUMENTS:
                return
            ids.append(keep(str(identity)))
            kept.setdefault(RESULT_SCORES, []).append(keep(first(attributes, _RESULT_SCORES)))
            metadata = self.metadata(attributes.get(RESULT_METADATA))
            kept.setdefault(RESULT_METADATA, []).append(metadata or {})

    def documents_output(self, value: Any) -> list[dict[str, Any]] | None:
        """Return id and source of the documents in a retriever's output, given as JSON text or an object."""
        found = parsed(value)
        listed = found.get("documents") if isinstance(found, dict) else found
        if not isinstance(listed, list):
            return None
        documents = []
        for one in listed[:MAX_DOCUMENTS]:
            document = self._document(one)
            if document is None:
                return None  # A list of anything else is not a retriever's.
            documents.append(document)
        return documents

    def _document(self, value: Any) -> dict[str, Any] | None:
        """Return id, score and source of a document of LangChain, or of a node of LlamaIndex as JSON text."""
        found = value if type(value) is dict else parsed(value)
        if not isinstance(found, dict):
            return None
        if "page_content" in found:
            metadata = found.get("metadata")
            if type(metadata) is not dict:
                metadata = parsed(metadata)
            has_score = isinstance(metadata, dict) and not _SCORES_SET.isdisjoint(metadata)
            return {
                "id": keep(found.get("id")),
                "score": number(first(metadata, _SCORES)) if has_score else None,
                "metadata": self.metadata(metadata) or {},
            }
        node = found.get("node")
        if not isinstance(node, dict) or "id_" not in node:
            return None
        return {
            "id": keep(node["id_"]),
            "score": keep(found.get("score")),
            "metadata": self.metadata(node.get("metadata")) or {},
        }

    @staticmethod
    def run_metadata(value: Any) -> dict[str, Any] | None:
        """Return ``METADATA_KEYS`` of a run's metadata, given as JSON text or an object."""
        found = parsed(value)
        if not isinstance(found, dict):
            return None
        return {
            name: found[name]
            for name in METADATA_KEYS
            if isinstance(found.get(name), (str, int)) and keep(found[name])
        }

    def metadata(self, value: Any) -> dict[str, Any] | None:
        """Return the fields of a document's metadata, given as JSON text or an object, that name its source."""
        found = value if type(value) is dict else parsed(value)
        if not isinstance(found, dict):
            return None
        inner = found.get("metadata")
        merged = {**inner, **found} if isinstance(inner, dict) else found
        fields = self.fields
        return {
            name: one
            for name, one in merged.items()
            if name in fields
            and (len(one) <= MAX_TEXT if type(one) is str else isinstance(one, (int, float)))
        }

    def documents(self, value: Any) -> list[dict[str, Any]] | None:
        """Return id, score and source of the documents in a JSON list, given as text or as a list."""
        found = parsed(value)
        if not isinstance(found, list):
            return None
        return [
            {
                **{key: keep(one[key]) for key in ("id", "score") if key in one},
                "metadata": self.metadata(one.get("metadata", one)) or {},
            }
            for one in found[:MAX_DOCUMENTS]
            if isinstance(one, dict)
        ]

    @staticmethod
    def numbers(value: Any) -> dict[str, float] | None:
        """Return the members of a JSON object that are numbers, also those of objects in it, as ``outer.inner``."""
        found = parsed(value)
        if not isinstance(found, dict):
            return None
        members = dict(found)
        for outer, inner in found.items():
            if isinstance(inner, dict):
                members |= {f"{outer}.{name}": one for name, one in inner.items()}
        return {
            str(name): one
            for name, one in members.items()
            if isinstance(one, (int, float)) and not isinstance(one, bool)
        }

    @staticmethod
    def linked_prompts(value: Any) -> list[dict[str, str]] | None:
        """Return name and version of the prompts in MLflow's list."""
        found = parsed(value)
        if not isinstance(found, list):
            return None
        return [
            {"name": str(one["name"]), "version": str(one["version"])}
            for one in found[:MAX_DOCUMENTS]
            if isinstance(one, dict) and keep(one.get("name")) and one.get("version") is not None
        ]


def parsed(value: Any) -> Any:
    """Return JSON text decoded, anything else as it is, and ``None`` for text that is too long or not JSON."""
    if not isinstance(value, str):
        return value
    if len(value) > MAX_JSON:
        return None
    try:
        return _loads(value)
    except (ValueError, RecursionError):
        pass
    if _loads is json.loads or ("NaN" not in value and "Infinity" not in value):
        return None
    try:
        return json.loads(value)  # Python writes numbers in this form, which JSON does not have.
    except (ValueError, RecursionError):
        return None


def is_wanted(name: str, value: Any) -> bool:
    """Return whether a value is worth reading, by how it begins: most outputs are not a retriever's."""
    return name not in _OUTPUTS or not isinstance(value, str) or value.startswith(DOCUMENTS_BEGIN)


def first(attributes: Mapping[str, Any], names: Iterable[str]) -> Any:
    """Return the value of the first of ``names`` that is there, or ``None``."""
    for name in names:
        value = attributes.get(name)
        if value is not None and value != "":
            return value
    return None
