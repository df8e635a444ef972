"""A version of a prompt as a DataHub dataset of subtype ``Prompt``, in the version set of its prompt.

https://docs.datahub.com/docs/generated/metamodel/entities/versionset
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, TypeAlias

from datahub.emitter.mcp import MetadataChangeProposalWrapper
from datahub.metadata.schema_classes import (
    AuditStampClass,
    DatasetLineageTypeClass,
    DatasetPropertiesClass,
    SubTypesClass,
    TimeStampClass,
    UpstreamClass,
    VersioningSchemeClass,
    VersionPropertiesClass,
    VersionSetPropertiesClass,
    VersionTagClass,
    ViewPropertiesClass,
)
from datahub.specific.dataset import DatasetPatchBuilder

from datahub_llmops import urns
from datahub_llmops.aspects.generated import PromptInfoClass
from datahub_llmops.assets.prompts import Prompt, PromptRef, PromptVersion
from datahub_llmops.mapping.applications import PROMPT, fields_proposal, variable_fields
from datahub_llmops.mapping.edge_properties import edge_properties, found_by, without
from datahub_llmops.mapping.index_aspects import joined
from datahub_llmops.mapping.platforms import platform_instance
from datahub_llmops.mapping.properties import AssetPatch, PropertyValue, property_values
from datahub_llmops.mapping.proposals import PlacedAsset, Proposal, propose
from datahub_llmops.urns import Deployment

PlacedPrompt: TypeAlias = PlacedAsset[Prompt]

_SORT_DIGITS: Final = 10
"""Versions are ordered by text, so numbers are padded; as many digits as DataHub's own sources write."""


def place_prompt(prompt: Prompt, deployment: Deployment) -> PlacedPrompt:
    """Compute once what every later step needs: URNs, and the structured properties of each version.

    The URN of the whole is that of no asset. It tells prompts apart, and recognises one in the memory of a recipe.
    """
    return PlacedAsset(
        item=prompt,
        name=prompt.name,
        urn=urns.collection(deployment, prompt.name),
        deployment=deployment,
        assigned={
            version_urn(deployment, prompt.name[0], version.version): version_facts(version)
            for version in prompt.versions
        },
    )


def version_urn(deployment: Deployment, name: str, version: str) -> str:
    """URN of one version of the prompt called ``name``."""
    return urns.prompt_version(
        deployment.platform, name, version, env=deployment.env, instance=deployment.instance
    )


def version_facts(version: PromptVersion) -> dict[str, PropertyValue]:
    """List the facts of one version as structured properties."""
    facts: dict[str, PropertyValue] = {}
    if version.labels:
        facts["prompt_labels"] = tuple(sorted(version.labels))
    if version.template is not None:
        facts["template_digest"] = version.template.digest
    if version.model:
        facts["prompt_model"] = version.model
    return facts


def holds_version(
    aspects: Mapping[str, Any], template_key: str, labels: Sequence[str], findings: Sequence[str]
) -> bool:
    """Whether ``aspects`` of a catalog are those of a live version with this template, these labels and findings.

    ``template_key`` is the beginning of the template's digest, without the version of the normal form.
    """
    if aspects.get("status", {}).get("removed") is not False:
        return False
    assigned = property_values(aspects.get("structuredProperties", {}))
    digest = str(next(iter(assigned.get("template_digest", ())), ""))
    return (
        bool(digest) == bool(template_key)
        and digest.rpartition(":")[2].startswith(template_key)
        and sorted(map(str, assigned.get("prompt_labels", ()))) == sorted(labels)
        and sorted(map(str, assigned.get("prompt_finding", ()))) == sorted(findings)
    )


def sort_ids(versions: Sequence[PromptVersion]) -> list[str]:
    """Number the versions, oldest first, so that their order as text is that of the registry.

    Versions that are numbers keep them, so that one that is deleted, or cannot be read, moves no other.
    """
    names = [version.version for version in versions]
    if not all(name.isascii() and name.isdecimal() for name in names):
        names = [str(number) for number in range(1, len(names) + 1)]
    return [name.zfill(_SORT_DIGITS) for name in names]


def variables_of(version: PromptVersion) -> tuple[str, ...]:
    """The variables that the registry states, else those of the template, each once."""
    template = version.template.variables if version.template is not None else ()
    return tuple(dict.fromkeys(version.variables or template))


def membership_proposal(
    placed: PlacedPrompt, version: PromptVersion, sort_id: str
) -> MetadataChangeProposalWrapper:
    """Put a version into the version set. The server works out by itself which version is the latest."""
    created = version.created
    properties = VersionPropertiesClass(
        versionSet=set_urn(placed),
        version=VersionTagClass(versionTag=version.version),
        sortId=sort_id,
        comment=version.message,
        versioningScheme=VersioningSchemeClass.LEXICOGRAPHIC_STRING,
        sourceCreatedTimestamp=AuditStampClass(time=_millis(created), actor=urns.ACTOR) if created else None,
    )
    return propose(version_urn(placed.deployment, placed.name[0], version.version), properties)


def set_proposal(placed: PlacedPrompt, latest: PromptVersion) -> Proposal:
    """Describe the version set. A server refuses it before the first version is in it."""
    properties = VersionSetPropertiesClass(
        latest=version_urn(placed.deployment, placed.name[0], latest.version),
        versioningScheme=VersioningSchemeClass.LEXICOGRAPHIC_STRING,
    )
    return propose(set_urn(placed), properties)


def set_urn(placed: PlacedPrompt) -> str:
    """URN of the prompt's version set."""
    to = placed.deployment
    return urns.prompt_set(to.platform, placed.name[0], env=to.env, instance=to.instance)


def version_proposals(
    placed: PlacedPrompt, version: PromptVersion, text: str | None, left_out: int | None = None
) -> Iterator[Proposal]:
    """Describe one version, apart from its place in the version set and its lineage.

    ``text`` is that of its template, and ``None`` if it is not to be written. ``left_out`` is its size in bytes if that
    is why.
    """
    name, urn = placed.name[0], version_urn(placed.deployment, placed.name[0], version.version)
    yield propose(urn, platform_instance(placed.deployment))
    yield propose(urn, SubTypesClass(typeNames=[PROMPT]))
    properties = _properties(placed.item, version)
    if left_out is not None:
        properties.customProperties["text_left_out"] = f"{left_out:,} bytes"
    yield propose(urn, properties)
    # Always, since a page opens at its schema, and a version that has one is known to be described by its registry.
    fields = variable_fields(variables_of(version))
    yield fields_proposal(urn, name, fields, placed.deployment.platform)
    if text is not None and version.template is not None:
        yield propose(urn, text_aspect(text, version.template.format))
    if facts := placed.assigned.get(urn):
        yield from AssetPatch(urn).set_properties(facts).build()


def text_aspect(text: str, language: str) -> ViewPropertiesClass:
    """The text of a template, as the definition of its version: the UI shows it in a tab of its own."""
    return ViewPropertiesClass(materialized=False, viewLogic=text, viewLanguage=language.upper())


def prompt_info(placed: PlacedPrompt, version: PromptVersion) -> PromptInfoClass:
    """Build what the registry says of a version, as our own typed aspect."""
    template = version.template
    parameters = sorted(version.parameters.items())
    return PromptInfoClass(
        registry=placed.deployment.platform,
        promptName=placed.name[0],
        promptVersion=version.version,
        labels=joined(sorted(version.labels)),
        variables=joined(variables_of(version)),
        templateDigest=template.digest if template is not None else None,
        templateFormat=template.format if template is not None else None,
        model=version.model,
        modelParameters=joined(f"{key}={value}" for key, value in parameters),
    )


def composition_proposals(
    placed: PlacedPrompt, version: PromptVersion, present: Mapping[str, Any]
) -> Iterator[Proposal]:
    """Patch the version's edges to those that it includes, or is a fork of, so that they are what the registry says.

    ``present`` is its ``upstreamLineage`` in the catalog. Edges that others drew stay.
    """
    urn = version_urn(placed.deployment, placed.name[0], version.version)
    patch = DatasetPatchBuilder(urn)
    there = {edge["dataset"]: edge for edge in present.get("upstreams") or []}
    wanted = set(included_versions(placed, version))
    for upstream, edge in sorted(there.items()):
        if "registry" in found_by(edge) and upstream not in wanted:
            if rest := without(("registry",), edge):
                patch.add_upstream_lineage(upstream_edge(upstream, rest))
            else:
                patch.remove_upstream_lineage(upstream)
    for upstream in sorted(wanted):
        edge = there.get(upstream) or {}
        properties = edge_properties(("registry", *found_by(edge)), None, edge.get("properties"))
        patch.add_upstream_lineage(upstream_edge(upstream, properties))
    yield from patch.build()


def included_versions(placed: PlacedPrompt, version: PromptVersion) -> list[str]:
    """List the URNs of the versions that one includes, or is a fork of, without itself."""
    own = PromptRef(name=placed.name[0], version=version.version)
    refs: Iterable[PromptRef] = (ref for ref in version.derived_from if ref != own)
    return sorted({version_urn(placed.deployment, ref.name, ref.version) for ref in refs})


def upstream_edge(
    urn: str, properties: dict[str, str], kind: str = DatasetLineageTypeClass.TRANSFORMED
) -> UpstreamClass:
    """Build an edge of a prompt's dataset from ``urn``."""
    return UpstreamClass(dataset=urn, type=kind, properties=properties)


def _properties(prompt: Prompt, version: PromptVersion) -> DatasetPropertiesClass:
    created = TimeStampClass(time=_millis(version.created)) if version.created is not None else None
    return DatasetPropertiesClass(
        # Without the version, which the UI shows as a pill beside the name.
        name=prompt.name[0],
        qualifiedName=f"{prompt.name[0]}.v{version.version}",
        description=prompt.description,
        created=created,
        lastModified=created,
        externalUrl=version.url or prompt.url,
        customProperties=_custom_properties(prompt, version),
    )


def _custom_properties(prompt: Prompt, version: PromptVersion) -> dict[str, str]:
    properties = dict(version.properties)
    properties.update({f"model.{key}": value for key, value in sorted(version.parameters.items())})
    stated = {
        "author": version.author,
        "commit_message": version.message,
        "tags": ", ".join(prompt.tags),
        "characters": str(version.template.size) if version.template is not None else None,
    }
    return properties | {key: value for key, value in stated.items() if value}


def _millis(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
