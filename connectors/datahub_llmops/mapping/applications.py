"""Builds the aspects of applications, answer logs, retrievers, prompts and embedding runs that the hooks recorded.

A lineage graph draws a job as a square without a name. Hence an application always has an answer log as output, which
carries its name, its usage and its quality.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from datahub.metadata.schema_classes import (
    AuditStampClass,
    DataFlowInfoClass,
    DataJobInfoClass,
    DataProcessInstanceInputClass,
    DataProcessInstanceOutputClass,
    DataProcessInstancePropertiesClass,
    DataProcessInstanceRelationshipsClass,
    DataProcessInstanceRunEventClass,
    DataProcessInstanceRunResultClass,
    DatasetPropertiesClass,
    DatasetUsageStatisticsClass,
    IncidentInfoClass,
    IncidentSourceClass,
    IncidentStatusClass,
    OtherSchemaClass,
    PartitionSpecClass,
    SchemaFieldClass,
    SchemaFieldDataTypeClass,
    SchemaMetadataClass,
    StringTypeClass,
    SubTypesClass,
    TimeWindowSizeClass,
)
from datahub.metadata.urns import DatasetUrn

from datahub_llmops import urns
from datahub_llmops.mapping.embedding_jobs import EMBEDDING_JOB
from datahub_llmops.mapping.proposals import Proposal, propose

APPLICATION: Final = "LLM Application"
ANSWER_LOG: Final = "Answer Log"
RETRIEVER: Final = "Retriever"
PROMPT: Final = "Prompt"
TOKEN_WORDS: Final = {
    "input": "in",
    "cached": "cached",
    "cache_write": "cache_write",
    "output": "out",
    "reasoning": "reasoning",
}
"""Kind of tokens -> its name in the properties of an application's day."""
ANSWER_FIELD: Final = "answer"
"""Field of an answer log that the retrieved fields flow into."""

_LOG_FIELDS: Final = (
    ("answer_id", "Id that `datahub-llmops explain` takes.", "string"),
    ("status", "ok, error, interrupted.", "string"),
    (
        ANSWER_FIELD,
        "Text of the answer, which is not kept here. It may repeat whatever the retrievers returned.",
        "string",
    ),
)
_RETRIEVER_FIELDS: Final = (
    ("chunk_id", "Id of the chunk.", "string"),
    ("score", "Score that the store gave it.", "number"),
)
_VECTOR: Final = re.compile(r"(sparse|multi|half)?_?vec(tor)?\b", re.IGNORECASE)
"""Native types of vectors, as our connectors and DataHub's ``postgres`` source write them."""


def application_urns(name: str, platform: str, env: str) -> tuple[str, str, str]:
    """Build the URNs of an application's flow, of its job and of its answer log."""
    flow = urns.flow(platform, name, env=env)
    return flow, urns.job(flow, name), urns.answer_log(platform, name, env=env)


def application_proposals(
    name: str,
    platform: str,
    env: str,
    url: str | None = None,
    properties: Mapping[str, str] | None = None,
) -> Iterator[Proposal]:
    """Describe an application and its answer log, without edges.

    ``url`` is a tool's page of the application, and ``properties`` are its custom properties.
    """
    flow, job, log = application_urns(name, platform, env)
    yield propose(flow, DataFlowInfoClass(name=name, env=env))
    info = DataJobInfoClass(
        name=name, type="APPLICATION", flowUrn=flow, externalUrl=url, customProperties=dict(properties or {})
    )
    yield propose(job, info)
    yield propose(job, SubTypesClass(typeNames=[APPLICATION]))
    yield from dataset_proposals(log, f"{name} answers", ANSWER_LOG, _LOG_FIELDS, platform)


def dataset_proposals(
    urn: str,
    name: str,
    subtype: str,
    fields: Sequence[tuple[str, str, str]],
    platform: str,
    properties: Mapping[str, str] | None = None,
) -> Iterator[Proposal]:
    """Describe a dataset that only the hooks know. ``fields`` are paths with description and type."""
    yield propose(urn, DatasetPropertiesClass(name=name, customProperties=dict(properties or {})))
    yield propose(urn, SubTypesClass(typeNames=[subtype]))
    if fields:
        yield fields_proposal(urn, name, fields, platform)


def fields_proposal(urn: str, name: str, fields: Sequence[tuple[str, str, str]], platform: str) -> Proposal:
    """Describe the schema of such a dataset."""
    return propose(
        urn,
        SchemaMetadataClass(
            schemaName=name,
            platform=urns.platform(platform),
            version=0,
            hash="",
            platformSchema=OtherSchemaClass(rawSchema=""),
            fields=[
                SchemaFieldClass(
                    fieldPath=path,
                    type=_text_type(),
                    nativeDataType=native,
                    description=text or None,
                    nullable=True,
                )
                for path, text, native in fields
            ],
        ),
    )


def _text_type() -> SchemaFieldDataTypeClass:
    return SchemaFieldDataTypeClass(type=StringTypeClass())  # type: ignore[no-untyped-call]  # of DataHub's generator


def returned_fields(schema: Mapping[str, str]) -> dict[str, str]:
    """List the fields of an index, with their types, that a search returns: all but the vectors."""
    return {path: native for path, native in schema.items() if not _VECTOR.match(native)}


def prompt_fields(variables: object) -> list[tuple[str, str, str]]:
    """List the variables of a prompt as fields of its schema. ``variables`` are their names, joined by commas."""
    return variable_fields(variables.split(", ") if isinstance(variables, str) else ())


def variable_fields(variables: Iterable[str]) -> list[tuple[str, str, str]]:
    """List the variables of a prompt as fields of its schema."""
    return [(name, "Variable of the template.", "string") for name in variables if name]


def fuller(seen: str | None, present: Mapping[str, Any], name: str) -> str | None:
    """Return what was seen, or the custom property ``name`` of ``present`` if that says the same and more.

    ``present`` are ``datasetProperties``. Spans may leave out the package of a class, or the provider of a model.

    >>> known = {"customProperties": {"class": "langchain_core.VectorStoreRetriever"}}
    >>> fuller("VectorStoreRetriever", known, "class"), fuller("BM25Retriever", known, "class")
    ('langchain_core.VectorStoreRetriever', 'BM25Retriever')
    """
    known = (present.get("customProperties") or {}).get(name)
    if not isinstance(known, str):
        return seen
    return known if seen is None or known.endswith((f".{seen}", f"/{seen}")) else seen


def retriever_names(
    retrievers: Mapping[str, tuple[str, str | None, Collection[str], str | None]],
) -> dict[str, str]:
    """Choose the names under which the retrievers of one application are shown, each of them once.

    ``retrievers`` is URN -> (name in the URN, class, indexes, name that is shown now). A retriever that is only called
    by its class is shown by what it reads: `docs` says more than `VectorStoreRetriever`. A name that tells it from
    another one stays, also if that one was not seen this time.
    """
    shown = {}
    for urn, (name, kind, indexes, _) in retrievers.items():
        read = ", ".join(sorted(DatasetUrn.from_string(index).name.rpartition(".")[2] for index in indexes))
        by_class = kind is not None and name == kind.rpartition(".")[2]
        shown[urn] = read if by_class and read else name
    often = Counter(shown.values())
    return {
        urn: f"{shown[urn]} ({name})"
        if shown[urn] != name and (often[shown[urn]] > 1 or present == f"{shown[urn]} ({name})")
        else shown[urn]
        for urn, (name, _, _, present) in retrievers.items()
    }


QUERY_MODEL: Final = "query_embedding_model"
"""Custom property of a retriever. The check of vector spaces reads it."""


def retriever_proposals(
    urn: str,
    name: str,
    platform: str,
    returned: Mapping[str, str],
    *,
    kind: str | None = None,
    model: str | None = None,
) -> Iterator[Proposal]:
    """Describe a retriever, without edges. ``returned`` are the fields that it returns, with their types.

    ``kind`` is its class, and ``model`` the one that embedded the newest query of its indexes.
    """
    own = {path for path, _, _ in _RETRIEVER_FIELDS}
    more = [(path, "", native or "unknown") for path, native in sorted(returned.items()) if path not in own]
    properties = {
        **({"class": kind} if kind else {}),
        **({QUERY_MODEL: model} if model else {}),
    }
    yield from dataset_proposals(urn, name, RETRIEVER, [*_RETRIEVER_FIELDS, *more], platform, properties)


def usage_proposal(urn: str, day: int, counted_by: str, calls: int) -> Proposal:
    """Report the calls of one day. Who counted them is the partition, or two workers would overwrite each other.

    ``counted_by`` is ``host=<host>`` or ``source=<tool>``.

    DataHub's own chart shows the newest record of each day, not a sum: an hourly record would replace its whole day.
    https://github.com/datahub-project/datahub/blob/master/metadata-io/src/main/java/com/linkedin/metadata/timeseries/elastic/UsageServiceUtil.java
    """
    return propose(
        urn,
        DatasetUsageStatisticsClass(
            timestampMillis=day * 1000,
            eventGranularity=TimeWindowSizeClass(unit="DAY", multiple=1),
            partitionSpec=PartitionSpecClass(type="PARTITION", partition=counted_by),
            totalSqlQueries=calls,
        ),
    )


def instance_proposals(
    key: Mapping[str, str],
    name: str,
    job: str,
    *,
    started: float,
    ended: float,
    properties: Mapping[str, str],
    inputs: Sequence[str],
    outputs: Sequence[str],
    failed: bool,
    running: bool = False,
    seen_by: str = "hooks",
) -> Iterator[Proposal]:
    """Describe a process instance of ``job``: an embedding run, or a day of one version of an application.

    A ``running`` one has not ended, as far as anybody knows. ``seen_by`` is who says how it ended: the hooks, or the
    platform of a tool.

    What it read and wrote are properties. Edges of instances would take the places of assets in a lineage graph, and
    the job has them.
    """
    urn = urns.process_instance(key)
    begun, done = round(started * 1000), round(ended * 1000)
    stamp = AuditStampClass(time=begun, actor=urns.ACTOR)
    yield propose(
        urn,
        DataProcessInstancePropertiesClass(
            name=name,
            created=stamp,
            customProperties={**properties, **_listed("inputs", inputs), **_listed("outputs", outputs)},
            type="BATCH_SCHEDULED",
        ),
    )
    yield propose(urn, DataProcessInstanceRelationshipsClass(upstreamInstances=[], parentTemplate=job))
    yield propose(urn, DataProcessInstanceRunEventClass(timestampMillis=begun, status="STARTED"))
    if running:
        return
    result = DataProcessInstanceRunResultClass(
        type="FAILURE" if failed else "SUCCESS", nativeResultType=seen_by
    )
    yield propose(
        urn,
        DataProcessInstanceRunEventClass(
            timestampMillis=max(done, begun + 1),
            status="COMPLETE",
            result=result,
            durationMillis=done - begun,
        ),
    )


_MAX_LISTED: Final = 20


def _listed(name: str, datasets: Sequence[str]) -> dict[str, str]:
    """Return a property with the URNs of ``datasets``, the first ones if there are many."""
    if not datasets:
        return {}
    rest = len(datasets) - _MAX_LISTED
    return {name: ", ".join([*datasets[:_MAX_LISTED], *([f"and {rest} more"] if rest > 0 else [])])}


def without_instance_edges(instance: str, present: Sequence[str]) -> Iterator[Proposal]:
    """Take back the edges of a process instance; ``present`` names the aspects that it has."""
    if "dataProcessInstanceInput" in present:
        yield propose(instance, DataProcessInstanceInputClass(inputs=[], inputEdges=[]))
    if "dataProcessInstanceOutput" in present:
        yield propose(instance, DataProcessInstanceOutputClass(outputs=[], outputEdges=[]))


def embedding_job_proposals(
    orchestrator: str, flow: str, job: str, env: str, properties: Mapping[str, str]
) -> tuple[str, list[Proposal]]:
    """Build the URN and the aspects of a job that hooks saw writing, without edges."""
    flow_urn = urns.flow(orchestrator, flow, env=env)
    urn = urns.job(flow_urn, job)
    info = DataJobInfoClass(name=job, type="EMBEDDING", flowUrn=flow_urn, customProperties=dict(properties))
    return urn, [
        propose(flow_urn, DataFlowInfoClass(name=flow, env=env)),
        propose(urn, info),
        propose(urn, SubTypesClass(typeNames=[EMBEDDING_JOB])),
    ]


def mismatch_proposal(
    index: str, built: str, queried: Sequence[str], hosts: Sequence[str], now: float, *, solved: bool
) -> Proposal:
    """Raise or resolve the incident of an index. ``hosts`` saw the mismatch: only they can tell that it is over."""
    stamp = AuditStampClass(time=round(now * 1000), actor=urns.ACTOR)
    models, seen_on = (", ".join(f"`{one}`" for one in words) for words in (queried, hosts))
    text = (
        f"The index was built with `{built}`; queries are embedded with {models}, as seen on host {seen_on}."
    )
    return propose(
        urns.embedding_mismatch(index),
        IncidentInfoClass(
            type="CUSTOM",
            customType="Embedding model mismatch",
            title="Queries are embedded with another model than the index",
            description="Queries are embedded with the model of the index again." if solved else text,
            entities=[index],
            status=IncidentStatusClass(state="RESOLVED" if solved else "ACTIVE", lastUpdated=stamp),
            created=stamp,
            source=IncidentSourceClass(type="MANUAL"),
        ),
    )


def seen_on(incident: Mapping[str, Any], host: str) -> bool:
    """Whether this host saw what raised an incident of ours."""
    return f"`{host}`" in str(incident.get("description"))
