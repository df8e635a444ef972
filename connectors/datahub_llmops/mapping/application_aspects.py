"""Applications, retrievers, prompts, jobs and usage that hooks saw, as our own typed aspects."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from datahub.metadata.urns import DatasetUrn

from datahub_llmops.aspects.generated import (
    EmbeddingJobInfoClass,
    LatencyBucketClass,
    LlmApplicationInfoClass,
    LlmUsageClass,
    PromptInfoClass,
    RetrieverInfoClass,
    UsagePartitionClass,
    UsageWindowClass,
)
from datahub_llmops.assets.templates import DIGEST_PREFIX
from datahub_llmops.assets.usage import Totals
from datahub_llmops.mapping.index_aspects import joined


def usage_aspect(
    day: int, counted_by: str, total: Totals, *, currency: str, dimension: tuple[str, str] | None = None
) -> LlmUsageClass:
    """Build the usage of one asset on one day, as one host or tool counted it.

    ``counted_by``, ``host=<host>`` or ``source=<tool>``, is part of the partition, or two workers would overwrite each
    other. A dimension that is counted on its own is part of it too, which distinguishes the parts from the whole.
    """
    partition = counted_by + (f"/{dimension[0]}={dimension[1]}" if dimension else "")
    cost = total.cost
    return LlmUsageClass(
        timestampMillis=day * 1000,
        eventGranularity=UsageWindowClass(unit="DAY", multiple=1),
        partitionSpec=UsagePartitionClass(partition=partition),
        messageId=partition,
        calls=round(total.calls),
        errors=_rounded(total.errors),
        inputTokens=_rounded(total.tokens.get("input")),
        cachedInputTokens=_rounded(total.tokens.get("cached")),
        cacheWriteTokens=_rounded(total.tokens.get("cache_write")),
        outputTokens=_rounded(total.tokens.get("output")),
        reasoningTokens=_rounded(total.tokens.get("reasoning")),
        cost=cost,
        currency=None if cost is None else currency,
        latencyMillis=total.milliseconds,
        latencyHistogram=[
            LatencyBucketClass(le="+Inf" if bound is None else str(bound), calls=calls)
            for bound, calls in total.histogram
        ]
        or None,
        distinctChunks=total.distinct_chunks,
    )


def _rounded(value: float | None) -> int | None:
    return None if value is None else round(value)


def retriever_aspect(
    raw: Mapping[str, Any],
    *,
    framework: str,
    version: str | None,
    indexes: Iterable[str],
    present: Mapping[str, Any],
) -> RetrieverInfoClass:
    """Build how a retriever searched last; ``raw`` is what was seen of it.

    Hooks know the version of the framework. Without one it was seen in spans, which do not say how it searches: what
    the catalog (``present``) says of that stays.
    """
    known = present if version is None else {}
    urns = sorted(indexes)
    keys = raw.get("filter_keys")
    k, threshold = raw.get("k"), raw.get("score_threshold")
    return RetrieverInfoClass(
        searchType=raw.get("search_type") or known.get("searchType"),
        k=k if isinstance(k, int) else known.get("k"),
        scoreThreshold=float(threshold)
        if isinstance(threshold, (int, float))
        else known.get("scoreThreshold"),
        filterKeys=joined(map(str, keys)) if isinstance(keys, list) else known.get("filterKeys"),
        reranker=raw.get("reranker_model") or raw.get("reranker") or known.get("reranker"),
        framework=framework,
        frameworkVersion=version or known.get("frameworkVersion"),
        indexNames=joined(DatasetUrn.from_string(urn).name for urn in urns),
        indexes=urns or None,
    )


def prompt_aspect(urn: str, raw: Mapping[str, Any], present: Mapping[str, Any]) -> PromptInfoClass | None:
    """Build what an application knows of a prompt. Facts in the catalog (``present``) take precedence.

    Returns ``None`` if the catalog holds a fact that this version of the schemas would lose.
    """
    digest = _template_digest(raw.get("digest"))
    seen = {
        "registry": DatasetUrn.from_string(urn).get_data_platform_urn().platform_name,
        "promptName": raw.get("name"),
        "promptVersion": raw.get("version"),
        "variables": raw.get("variables"),
        "templateDigest": digest,
        "templateFormat": raw.get("format"),
    }
    if present.keys() - {field.name for field in PromptInfoClass.RECORD_SCHEMA.fields}:
        return None
    return PromptInfoClass(**{**seen, **present})


def _template_digest(recorded: object) -> str | None:
    """Return a digest with what it is: of a template's normal form, or plain, as earlier releases recorded it."""
    if not isinstance(recorded, str) or not recorded:
        return None
    return recorded if recorded.startswith(DIGEST_PREFIX) else f"sha256:{recorded}"


def application_aspect(
    *,
    framework: str | None,
    framework_versions: Mapping[str, str],
    version: str | None,
    prompts: Iterable[str],
    retrievers: Iterable[str],
    models: Iterable[str],
    present: Mapping[str, Any],
) -> LlmApplicationInfoClass:
    """Build the names of the parts of an application. The versions of several frameworks are named with them.

    A tool does not know the framework (``None``): what the catalog (``present``) says of it, and of the application's
    version, stays then. So do both versions if no version of a framework was seen: spans do not say it, and not all of
    them say that of the application.
    """
    if framework is not None:
        own = {"framework": framework, "frameworkVersion": _name_versions(framework, framework_versions)}
        own["applicationVersion"] = version
        if not framework_versions and present.get("framework") == framework:
            own["frameworkVersion"] = present.get("frameworkVersion")
            own["applicationVersion"] = version or present.get("applicationVersion")
    else:
        own = {key: present.get(key) for key in ("framework", "frameworkVersion", "applicationVersion")}
        own["applicationVersion"] = version or own["applicationVersion"]
    parts = [sorted(set(names)) for names in (prompts, retrievers, models)]
    return LlmApplicationInfoClass(
        **own,
        promptCount=len(parts[0]),
        prompts=joined(parts[0]),
        retrieverCount=len(parts[1]),
        retrievers=joined(parts[1]),
        modelCount=len(parts[2]),
        models=joined(parts[2]),
    )


def _name_versions(framework: str, versions: Mapping[str, str]) -> str | None:
    if versions.keys() <= {framework}:
        return versions.get(framework)
    return joined(f"{name} {version}" for name, version in sorted(versions.items()))


def job_aspect(
    model: str | None, model_urn: str | None, splitter: Mapping[str, Any]
) -> EmbeddingJobInfoClass:
    """Build what hooks saw of a job that no recipe declares."""
    size, overlap = splitter.get("size"), splitter.get("overlap")
    return EmbeddingJobInfoClass(
        embeddingModel=model,
        embeddingModelUrn=model_urn,
        chunkingMethod=splitter.get("class"),
        chunkSize=size if isinstance(size, int) else None,
        chunkOverlap=overlap if isinstance(overlap, int) else None,
    )
