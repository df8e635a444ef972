"""Proposals, and the assets that they are about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeAlias, TypeVar

from datahub.emitter.mcp import MetadataChangeProposalWrapper
from datahub.metadata.schema_classes import MetadataChangeProposalClass

from datahub_llmops.assets.collections import Name
from datahub_llmops.mapping.properties import PropertyValue, PropertyValues
from datahub_llmops.urns import Deployment

Proposal: TypeAlias = MetadataChangeProposalWrapper | MetadataChangeProposalClass

ItemT = TypeVar("ItemT")


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedAsset(Generic[ItemT]):
    """What a reader returned for one item, as an asset of the catalog."""

    item: ItemT
    name: Name
    urn: str
    deployment: Deployment
    shared: bool = False
    """Another DataHub source describes the asset too: only facts that it has no place for are added."""
    declared: PropertyValues = field(default_factory=dict)
    """Structured properties that the recipe declares and the system does not record."""
    assigned: Mapping[str, Mapping[str, PropertyValue]] = field(default_factory=dict)
    """Every structured property that this run assigns: URN of the asset or of one of its fields -> name -> value."""


def propose(urn: str, aspect: Any) -> MetadataChangeProposalWrapper:
    """Build the proposal that writes ``aspect`` to the asset ``urn``."""
    return MetadataChangeProposalWrapper(entityUrn=urn, aspect=aspect)
