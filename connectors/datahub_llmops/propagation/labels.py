"""Reads glossary terms and tags from the aspects of one asset or column, with who attached them. It is pure.

A column's are read from all three places that hold them: ``schemaMetadata``, ``editableSchemaMetadata`` and the
aspects of its ``schemaField`` entity. Only in the last of these does DataHub keep attribution apart, so only there do
we write.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from datahub_llmops.catalog import urn_text
from datahub_llmops.catalog.aspect_facts import read_schema_fields
from datahub_llmops.catalog.labels import AttachedLabel, read_labels
from datahub_llmops.catalog.protocol import Aspect
from datahub_llmops.net.json_values import mapping
from datahub_llmops.urns import ATTRIBUTION_SOURCE


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """The labels and columns of one asset or ``schemaField``, as propagation needs them.

    ``own`` are the labels of the entity itself. Of a dataset, ``fields`` are those of its columns in the two schema
    aspects, by ``schemaField`` URN as the aspect spells the path, and ``columns`` the columns of its schema: canonical
    URN to the URNs that the schema spells, ``None`` where no schema is known.
    """

    urn: str
    exists: bool
    removed: bool = False
    own: tuple[AttachedLabel, ...] = ()
    fields: tuple[tuple[str, AttachedLabel], ...] = ()
    columns: Mapping[str, tuple[str, ...]] | None = None


def source_detail(origin: str) -> dict[str, str]:
    """Describe the origin of a label in the form of DataHub's own propagation."""
    return {"propagated": "true", "origin": origin}


def canonical(column: str) -> str:
    """Return the same URN for both forms of a column's path, with types and without. Lineage uses either.

    >>> table = "urn:li:dataset:(urn:li:dataPlatform:kafka,users,PROD)"
    >>> canonical(f"urn:li:schemaField:({table},[version=2.0].[type=struct].[type=string].email)")
    'urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:kafka,users,PROD),email)'
    """
    field = urn_text.split_field(column) if "[version=2.0]" in column else None
    return urn_text.schema_field(field[0], urn_text.simple_path(field[1])) if field else column


def is_origin(urn: str) -> bool:
    """Return whether labels propagate from the entity. Only those of datasets and columns do."""
    return urn_text.entity_type(urn) in ("dataset", "schemaField")


def is_ours(attached: AttachedLabel) -> bool:
    """Return whether propagation attached the label."""
    return attached.attribution.get("source") == ATTRIBUTION_SOURCE


def read_holder(urn: str, aspects: Mapping[str, Aspect]) -> Holder:
    """Read the aspects of one entity. An entity without aspects was never emitted."""
    found = list(read_labels(aspects))
    return Holder(
        urn=urn,
        exists=bool(aspects),
        removed=mapping(aspects.get("status")).get("removed") is True,
        own=tuple(attached for attached in found if attached.path is None),
        fields=tuple(
            (urn_text.schema_field(urn, attached.path), attached) for attached in found if attached.path
        ),
        columns=_read_columns(urn, aspects) if "schemaMetadata" in aspects else None,
    )


def _read_columns(urn: str, aspects: Mapping[str, Aspect]) -> dict[str, tuple[str, ...]]:
    """Map the canonical URN of every column to its URNs as the schema spells them."""
    found: dict[str, dict[str, None]] = {}
    for path, _ in read_schema_fields("schemaMetadata", aspects):
        column = urn_text.schema_field(urn, path)
        found.setdefault(canonical(column), {})[column] = None
    return {column: tuple(spellings) for column, spellings in found.items()}
