"""Promptflow's flows as applications: a file defines each, and its nodes name the templates that it prompts with."""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from datahub.metadata.schema_classes import DataJobInfoClass, EdgeClass
from datahub.specific.datajob import DataJobPatchBuilder
from typing_extensions import override

from datahub_llmops.assets.prompts import Prompt
from datahub_llmops.ingestion.emitter import Emission, RunEmitter, emit
from datahub_llmops.ingestion.parts import SourcePart
from datahub_llmops.ingestion.prompt_registry_config import PromptRegistryReport
from datahub_llmops.ingestion.reader import Reader
from datahub_llmops.mapping import applications as mapping
from datahub_llmops.mapping.edge_properties import edge_properties, found_by, without
from datahub_llmops.mapping.prompts import version_urn
from datahub_llmops.mapping.proposals import Proposal, propose
from datahub_llmops.prompt_registries.prompt_files.formats.promptflow import Flow
from datahub_llmops.prompt_registries.prompt_files.reader import PromptFilesReader
from datahub_llmops.urns import Deployment


@dataclass(slots=True, kw_only=True)
class Flows(SourcePart[Prompt]):
    """Emits one application for each flow, with the versions of prompts that it has now as its inputs."""

    env: str
    emitter: RunEmitter
    report: PromptRegistryReport
    deployment: Deployment

    @override
    def conclusion(self, reader: Reader[Prompt]) -> Iterator[Emission]:
        if not isinstance(reader, PromptFilesReader):
            return
        for path, flow in sorted(reader.flows.items()):
            for node in flow.outside:
                self.report.warning(
                    title="A template outside of what is read",
                    message="Its flow is shown without it. Set `path` to a folder that holds both.",
                    context=f"{path}: node {node}",
                )
            yield from self.report.guard(self._flow(reader, path, flow))

    def _flow(self, reader: PromptFilesReader, path: str, flow: Flow) -> Iterator[Emission]:
        name = flow_name(path)
        platform = self.deployment.platform
        flow_urn, job, log = mapping.application_urns(name, platform, self.env)
        yield from emit(
            _with_definition(proposal, job, name, flow_urn, path)
            for proposal in mapping.application_proposals(name, platform, self.env)
        )
        prompts: set[str] = set()
        unknown = False
        for template in flow.templates:
            prompt = reader.prompt_of(template)
            version = reader.current_version(prompt) if prompt else None
            if prompt is None or version is None:
                unknown = True
                self.report.warning(
                    title="A flow's template could not be read",
                    message="What the catalog knows of the flow's other prompts is kept.",
                    context=f"{path}: {template}",
                )
            else:
                prompts.add(version_urn(self.deployment, prompt, version))
        present = self.emitter.read_aspect(job, "dataJobInputOutput")
        yield from emit(_edges(job, log, prompts, present, keep=unknown), primary=False)
        for model in flow.models:
            self.emitter.add_model_user(model, job)
        for model in flow.models:
            yield from self.emitter.emit_model(model)


def flow_name(path: str) -> str:
    """The name of the flow at ``path``: its folder.

    >>> flow_name("support/bot/flow.dag.yaml"), flow_name("flow.dag.yaml")
    ('support/bot', 'flow')
    """
    return posixpath.dirname(path) or "flow"


def _with_definition(proposal: Proposal, job: str, name: str, flow: str, path: str) -> Proposal:
    if proposal.entityUrn != job or proposal.aspectName != "dataJobInfo":
        return proposal
    info = DataJobInfoClass(
        name=name, type="APPLICATION", flowUrn=flow, customProperties={"definition": path}
    )
    return propose(job, info)


def _edges(
    job: str, log: str, prompts: Collection[str], present: Mapping[str, Any], *, keep: bool
) -> Iterator[Proposal]:
    """Patch the inputs so that those which the flow declares are ``prompts``; ``keep`` the ones of earlier runs."""
    patch = DataJobPatchBuilder(job)
    there = {edge["destinationUrn"]: edge for edge in present.get("inputDatasetEdges") or []}
    for urn, edge in there.items():
        if urn in prompts or keep or "declared" not in found_by(edge):
            continue
        rest = without("declared", edge)
        if rest is None:
            patch.remove_input_dataset(urn)
        else:
            patch.add_input_dataset(EdgeClass(destinationUrn=urn, properties=rest))
    for urn in sorted(prompts):
        edge = there.get(urn) or {}
        ways = ("declared", *found_by(edge))
        patch.add_input_dataset(
            EdgeClass(destinationUrn=urn, properties=edge_properties(ways, None, edge.get("properties")))
        )
    patch.add_output_dataset(EdgeClass(destinationUrn=log, properties=edge_properties(("declared",), None)))
    yield from patch.build()
