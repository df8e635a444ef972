"""Which assets of a catalog a report is about, by what a person may filter by."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from datahub_llmops.catalog.kinds import kind_in_words
from datahub_llmops.catalog.protocol import FullCatalog, Node
from datahub_llmops.catalog.urn_text import full_name
from datahub_llmops.errors import UnknownAssetError
from datahub_llmops.report.model import Fact
from datahub_llmops.report.quality import read_checks, verdict_of

_Forms: TypeAlias = tuple[str, ...]
"""The ways to write one thing that an asset has. The first is the one that people are shown."""
_LISTED: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What the assets of a report must have: of each filter that is given, one of its values.

    Case counts for nothing. A type is a kind in words or DataHub's entity type, an owner or a term a name or a URN.
    """

    types: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    terms: tuple[str, ...] = ()
    verdicts: tuple[str, ...] = ()

    @property
    def facts(self) -> tuple[Fact, ...]:
        """The filters that are given, for people."""
        given = {
            "Type": self.types,
            "Platform": self.platforms,
            "Owner": self.owners,
            "Term": self.terms,
            "Verdict": self.verdicts,
        }
        return tuple(Fact(title=title, text=" or ".join(values)) for title, values in given.items() if values)


def find_matching(catalog: FullCatalog, filters: Filters, urns: Iterable[str]) -> set[str]:
    """Return those of some live assets that pass every filter.

    Raises:
        UnknownAssetError: none of them does. The message names the filter, and what there is instead.
        CatalogError: the catalog cannot answer.
    """
    nodes = list(catalog.nodes(urns))
    names = _read_names(catalog, filters, nodes)

    def named(urns: Iterable[str]) -> list[_Forms]:
        return [(names.get(urn) or full_name(urn), full_name(urn), urn) for urn in urns]

    nodes = _having(
        nodes, "type", filters.types, lambda node: [(kind_in_words(node.subtype, node.type), node.type)]
    )
    nodes = _having(nodes, "platform", filters.platforms, lambda node: [(node.platform or "none",)])
    nodes = _having(nodes, "owner", filters.owners, lambda node: named(node.owners))
    nodes = _having(nodes, "term", filters.terms, lambda node: named(node.terms))
    about = catalog.quality(node.urn for node in nodes) if filters.verdicts else {}
    nodes = _having(
        nodes, "verdict", filters.verdicts, lambda node: [(verdict_of(read_checks(about.get(node.urn, {}))),)]
    )
    return {node.urn for node in nodes}


def _read_names(catalog: FullCatalog, filters: Filters, nodes: Iterable[Node]) -> dict[str, str]:
    """Read the names of owners and terms, if they are asked for."""
    urns: set[str] = set()
    for node in nodes:
        urns.update(node.owners if filters.owners else (), node.terms if filters.terms else ())
    return {node.urn: node.name for node in catalog.nodes(sorted(urns))} if urns else {}


def _having(
    nodes: list[Node], title: str, wanted: Sequence[str], read: Callable[[Node], Sequence[_Forms]]
) -> list[Node]:
    if not wanted or not nodes:
        return nodes
    asked = {value.casefold() for value in wanted}
    found = [node for node in nodes if any(form.casefold() in asked for one in read(node) for form in one)]
    if not found:
        there = sorted({one[0] for node in nodes for one in read(node)})
        listed = ", ".join(there[:_LISTED]) + (", ..." if len(there) > _LISTED else "")
        raise UnknownAssetError(
            f"none of {len(nodes):,} assets has the {title} {' or '.join(map(repr, wanted))}; there "
            f"{'are' if len(there) > 1 else 'is'} {listed or 'none'}"
        )
    return found
