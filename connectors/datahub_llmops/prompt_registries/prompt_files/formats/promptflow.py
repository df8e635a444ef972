"""Promptflow's ``flow.dag.yaml``: a flow is an application, and its nodes name the templates that it prompts with.

https://microsoft.github.io/promptflow/reference/flow-yaml-schema-reference.html
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from datahub_llmops.prompt_registries.prompt_files.formats.parsed import MalformedError
from datahub_llmops.prompt_registries.prompt_files.formats.values import (
    first_text,
    mapping,
    mappings_of,
    text,
)
from datahub_llmops.prompt_registries.prompt_files.formats.yaml_text import load_yaml

FLOW_FILE: Final = "flow.dag.yaml"
_PROMPTING: Final = frozenset({"llm", "prompt"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """A flow: the paths of its templates from the root of what is read, and the models that its nodes call."""

    templates: tuple[str, ...]
    models: tuple[str, ...]
    outside: tuple[str, ...] = ()
    """Nodes whose template lies outside of what is read."""


def parse_flow(source: str, path: str) -> Flow:
    """Parse the flow at ``path``.

    Raises:
        MalformedError: it has no list `nodes`.
    """
    found = load_yaml(source)
    if not isinstance(found, Mapping) or not isinstance(found.get("nodes"), list):
        raise MalformedError("it has no list `nodes`")
    templates: dict[str, None] = {}
    models: dict[str, None] = {}
    outside: list[str] = []
    for node in _nodes(found):
        if node.get("type") not in _PROMPTING:
            continue
        inputs = mapping(node.get("inputs"))
        if model := first_text(inputs.get("model"), inputs.get("deployment_name")):
            provider = text(node.get("provider")) or text(node.get("api_provider"))
            models.setdefault(f"{provider.lower()}/{model}" if provider else model)
        template = text(mapping(node.get("source")).get("path"))
        if template is None:
            continue
        where = posixpath.normpath(posixpath.join(posixpath.dirname(path), template))
        if where.startswith(("..", "/")):
            outside.append(text(node.get("name")) or "a node without a name")
        else:
            templates.setdefault(where)
    return Flow(templates=tuple(templates), models=tuple(models), outside=tuple(outside))


def _nodes(flow: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """All nodes, with the default variant of those that have several."""
    found = []
    variants = mapping(flow.get("node_variants"))
    for node in mappings_of(flow.get("nodes")):
        if node.get("use_variants"):
            choice = mapping(variants.get(str(node.get("name"))))
            default = mapping(mapping(choice.get("variants")).get(str(choice.get("default_variant_id"))))
            node = {**node, **mapping(default.get("node"))}
        found.append(node)
    return found
