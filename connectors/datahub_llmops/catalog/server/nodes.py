"""Builds the nodes of a server's assets and columns from their aspects. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from datahub_llmops.catalog import urn_text as names
from datahub_llmops.catalog.aspect_facts import SCHEMA_ASPECTS, read_facts, read_schema_fields
from datahub_llmops.catalog.labels import Label, read_labels
from datahub_llmops.catalog.protocol import Aspect, Node


def is_removed(aspects: Mapping[str, Aspect]) -> bool:
    """Whether an asset with these aspects is soft-deleted."""
    return aspects.get("status", {}).get("removed") is True


def column_urns(urn: str, aspects: Mapping[str, Aspect]) -> list[str]:
    """List the URNs of an asset's columns in both forms of a path, because terms may be attached to either."""
    return [
        column
        for name in SCHEMA_ASPECTS
        for path, _ in read_schema_fields(name, aspects)
        for column in names.field_urns(urn, path)
    ]


def labels_of(aspects: Mapping[str, Aspect]) -> set[Label]:
    """List every term and tag of the asset and of its fields."""
    return {attached.label for attached in read_labels(aspects)}


def build_node(urn: str, aspects: Mapping[str, Aspect], labels: Iterable[Label], hops: int) -> Node:
    """Build the node of an asset or column."""
    facts: dict[str, Any] = {}
    for name, aspect in aspects.items():
        facts.update(read_facts(name, aspect))
    unique = sorted(set(labels))
    return Node(
        urn=urn,
        type=names.entity_type(urn),
        subtype=facts.get("subtype"),
        platform=facts.get("platform") or names.platform(urn),
        name=facts.get("edited_name") or facts.get("name") or names.full_name(urn),
        owners=tuple(facts["owners"].split("\n")) if facts.get("owners") else (),
        terms=tuple(label.urn for label in unique if label.kind == "term"),
        tags=tuple(label.urn for label in unique if label.kind == "tag"),
        hops=hops,
    )


def build_column(urn: str, own: Mapping[str, Aspect], asset: Mapping[str, Aspect]) -> Node | None:
    """Return the column as a node if its asset's schema has it or something is attached to it, else ``None``."""
    holder = names.asset_of(urn)
    attached = {found.label for found in read_labels(asset) if found.path and urn in found.targets(holder)}
    if not own and not attached and urn not in column_urns(holder, asset):
        return None
    return build_node(urn, own, labels_of(own) | attached, 0)
