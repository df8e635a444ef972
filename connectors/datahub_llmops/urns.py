"""Every URN that the package writes is built here; a change of one is a breaking change.

Names follow DataHub's own builders: commas and parentheses in a name are percent-encoded, a platform instance is
a prefix of the dataset name (https://docs.datahub.com/docs/what/urn/).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from datahub.emitter.mce_builder import datahub_guid, make_schema_field_urn
from datahub.metadata.urns import (
    AssertionUrn,
    ContainerUrn,
    DataFlowUrn,
    DataJobUrn,
    DataPlatformInstanceUrn,
    DataPlatformUrn,
    DataProcessInstanceUrn,
    DatasetUrn,
    DataTypeUrn,
    DomainUrn,
    EntityTypeUrn,
    IncidentUrn,
    MlModelUrn,
    StructuredPropertyUrn,
    VersionSetUrn,
)

from datahub_llmops.assets.collections import Container, Name
from datahub_llmops.assets.templates import PROMPT_PREFIX, short_digest

ATTRIBUTION_SOURCE: Final = "urn:li:dataHubAction:datahub-llmops"
"""Who attached a term or tag that was propagated."""

ACTOR: Final = "urn:li:corpuser:datahub"
"""DataHub's own system user, as its ingestion sources write it."""

PROPERTY_NAMESPACE: Final = "datahub_llmops"

UNKNOWN_PLATFORM: Final = "custom"
"""Platform of what has no platform of its own: a model without a provider, a job without an orchestrator."""

DEFAULT_ENV: Final = "PROD"
"""Environment of a recipe that states none."""

DEFAULT_FRAMEWORK: Final = "langchain"
"""Platform of an application whose framework nobody states."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """One installation of a platform: the part of every URN that the recipe decides, not the system.

    DataHub calls ``env`` the fabric and ``instance`` the platform instance.
    """

    platform: str
    env: str = "PROD"
    instance: str | None = None


def platform(name: str) -> str:
    """
    >>> platform("chroma")
    'urn:li:dataPlatform:chroma'
    """
    return DataPlatformUrn(name).urn()


def platform_instance(platform_name: str, instance: str) -> str:
    """URN of one deployment of a platform."""
    return DataPlatformInstanceUrn(platform_name, instance).urn()


def dataset(platform_name: str, name: str, *, env: str, instance: str | None = None) -> str:
    """A table, a collection, a prompt version ...

    >>> dataset("chroma", "default_database.docs", env="PROD")
    'urn:li:dataset:(urn:li:dataPlatform:chroma,default_database.docs,PROD)'
    >>> dataset("chroma", "a,b.docs", env="PROD", instance="eu")
    'urn:li:dataset:(urn:li:dataPlatform:chroma,eu.a%2Cb.docs,PROD)'
    """
    full = f"{instance}.{name}" if instance else name
    return DatasetUrn(platform=platform_name, name=full, env=env).urn()


def collection(deployment: Deployment, name: Name) -> str:
    """A vector collection: its path joined by dots.

    >>> collection(Deployment(platform="chroma"), ("default_database", "docs"))
    'urn:li:dataset:(urn:li:dataPlatform:chroma,default_database.docs,PROD)'
    """
    return dataset(deployment.platform, ".".join(name), env=deployment.env, instance=deployment.instance)


def schema_field(dataset_urn: str, path: str) -> str:
    """A column or payload field."""
    return make_schema_field_urn(dataset_urn, path)


def container(deployment: Deployment, path: tuple[Container, ...]) -> str:
    """The innermost of ``path``: a GUID over platform, instance, env and every level's kind and name."""
    levels = json.dumps([[level.kind, level.name] for level in path], ensure_ascii=False)
    bag = {
        "platform": deployment.platform,
        "instance": deployment.instance or "",
        "env": deployment.env,
        "path": levels,
    }
    return ContainerUrn(datahub_guid(bag)).urn()


def flow(orchestrator: str, name: str, *, env: str) -> str:
    """The pipeline that an embedding job belongs to."""
    return DataFlowUrn(orchestrator=orchestrator, flow_id=name, cluster=env).urn()


def job(flow_urn: str, name: str) -> str:
    """An embedding job or application."""
    return DataJobUrn(flow=flow_urn, job_id=name).urn()


def model(name: str, *, env: str) -> str:
    """An embedding model or LLM, ``provider/model`` split at the first slash.

    >>> model("openai/text-embedding-3-small", env="PROD")
    'urn:li:mlModel:(urn:li:dataPlatform:openai,text-embedding-3-small,PROD)'
    >>> model("huggingface/BAAI/bge-m3", env="PROD")
    'urn:li:mlModel:(urn:li:dataPlatform:huggingface,BAAI/bge-m3,PROD)'
    """
    provider, slash, rest = name.partition("/")
    if not slash:
        provider, rest = UNKNOWN_PLATFORM, name
    return MlModelUrn(platform=provider, name=rest, env=env).urn()


def sibling_model(model: str, name: str) -> str:
    """Another model of the same provider and environment; ``name`` may be a whole URN.

    >>> sibling_model("urn:li:mlModel:(urn:li:dataPlatform:openai,gpt-4o,PROD)", "gpt-5")
    'urn:li:mlModel:(urn:li:dataPlatform:openai,gpt-5,PROD)'
    """
    if name.startswith("urn:li:"):
        return name
    known = MlModelUrn.from_string(model)
    return MlModelUrn(platform=known.platform, name=name, env=known.env).urn()


def prompt_version(registry: str, name: str, version: str, *, env: str, instance: str | None = None) -> str:
    """One version of a prompt that has a name, in the registry that keeps it.

    >>> prompt_version("langfuse", "support/answer", "3", env="PROD")
    'urn:li:dataset:(urn:li:dataPlatform:langfuse,support/answer.v3,PROD)'
    """
    return dataset(registry, f"{name}.v{version}", env=env, instance=instance)


def prompt_set(registry: str, name: str, *, env: str, instance: str | None = None) -> str:
    """The version set of a prompt that has a name: a GUID over registry and name, as DataHub's own sources build it.

    Instance and environment are part of it where they are not the default, since versions of two deployments are no
    versions of each other. https://github.com/datahub-project/datahub/pull/19923

    >>> prompt_set("langfuse", "support/answer", env="PROD")
    'urn:li:versionSet:(9facce3df36879e29b31c10cebf9db69,dataset)'
    """
    bag = {"platform": registry, "name": name}
    if instance:
        bag["instance"] = instance
    if env != DEFAULT_ENV:
        bag["env"] = env
    return VersionSetUrn(datahub_guid(bag), "dataset").urn()


def prompt(framework: str, application: str, digest: str, *, env: str) -> str:
    """A prompt without a name: the first twelve characters of its digest identify it within its application.

    The version of the digest is not part of them.

    >>> prompt("langchain", "support-bot", "t1:3fd2f819836c4b07", env="PROD")
    'urn:li:dataset:(urn:li:dataPlatform:langchain,support-bot.prompt-3fd2f819836c,PROD)'
    """
    return dataset(framework, f"{application}.{PROMPT_PREFIX}{short_digest(digest)}", env=env)


def retriever(framework: str, application: str, name: str, *, env: str) -> str:
    """A retriever of an application.

    >>> retriever("llama-index", "support-bot", "VectorIndexRetriever", env="PROD")
    'urn:li:dataset:(urn:li:dataPlatform:llama-index,support-bot.VectorIndexRetriever,PROD)'
    """
    return dataset(framework, f"{application}.{name}", env=env)


def answer_log(framework: str, application: str, *, env: str) -> str:
    """The dataset that stands for the answers of an application.

    >>> answer_log("langchain", "support-bot", env="PROD")
    'urn:li:dataset:(urn:li:dataPlatform:langchain,support-bot.answers,PROD)'
    """
    return dataset(framework, f"{application}.answers", env=env)


def process_instance(key: Mapping[str, str]) -> str:
    """One run of a job: a GUID over ``key``."""
    return DataProcessInstanceUrn(datahub_guid(dict(key))).urn()


def embedding_mismatch(index: str) -> str:
    """The incident that queries of ``index`` are embedded with another model; there is one for each index."""
    return IncidentUrn(datahub_guid({"kind": "embedding-model-mismatch", "index": index})).urn()


def evaluation(key: Mapping[str, str]) -> str:
    """The assertion that a metric of an asset is within its threshold: a GUID over ``key``."""
    return AssertionUrn(datahub_guid(dict(key))).urn()


def check_assertion(asset: str, check: str) -> str:
    """The assertion of one check on an asset."""
    return AssertionUrn(datahub_guid({"kind": "health", "asset": asset, "check": check})).urn()


def check_incident(asset: str, check: str) -> str:
    """The incident that one check of an asset is not ok; there is one for each check."""
    return IncidentUrn(datahub_guid({"kind": "health", "asset": asset, "check": check})).urn()


def structured_property(name: str) -> str:
    """
    >>> structured_property("dimension")
    'urn:li:structuredProperty:datahub_llmops.dimension'
    """
    return StructuredPropertyUrn(f"{PROPERTY_NAMESPACE}.{name}").urn()


def data_type(name: str) -> str:
    """One of DataHub's own types of property values.

    >>> data_type("string")
    'urn:li:dataType:datahub.string'
    """
    return DataTypeUrn(f"datahub.{name}").urn()


def entity_type(name: str) -> str:
    """One of DataHub's own types of entities.

    >>> entity_type("dataset")
    'urn:li:entityType:datahub.dataset'
    """
    return EntityTypeUrn(f"datahub.{name}").urn()


def domain(name: str) -> str:
    """A domain, by its URN or id.

    >>> domain("support")
    'urn:li:domain:support'
    """
    return DomainUrn(name).urn()
