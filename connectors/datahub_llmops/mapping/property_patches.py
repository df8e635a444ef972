"""Patches of structured properties without those whose definition the catalog does not have.

A DataHub server stores such an assignment, indexes it as empty, and never finds it again, even once there is a
definition.
"""

from __future__ import annotations

import json
from collections.abc import Collection

from datahub.metadata.schema_classes import GenericAspectClass, MetadataChangeProposalClass

from datahub_llmops import urns
from datahub_llmops.mapping.proposals import Proposal


def without_properties(proposal: Proposal, names: Collection[str]) -> Proposal | None:
    """Remove assignments of the structured properties ``names`` from a patch; ``None`` if nothing is left of it.

    A proposal of anything else is returned as it is.
    """
    if proposal.aspectName != "structuredProperties" or not isinstance(proposal, MetadataChangeProposalClass):
        return proposal
    if not names or proposal.aspect is None:
        return proposal
    urns_of = {urns.structured_property(name) for name in names}
    patch = json.loads(proposal.aspect.value)
    operations = patch["patch"] if isinstance(patch, dict) else patch
    kept = [step for step in operations if not any(urn in str(step["path"]) for urn in urns_of)]
    if len(kept) == len(operations):
        return proposal
    if not kept:
        return None
    body = json.dumps({**patch, "patch": kept} if isinstance(patch, dict) else kept).encode()
    aspect = GenericAspectClass(value=body, contentType=proposal.aspect.contentType)
    return MetadataChangeProposalClass.from_obj({**proposal.to_obj(), "aspect": aspect.to_obj()})
