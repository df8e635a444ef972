"""The names that people read instead of URNs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from datahub_llmops.catalog import urn_text
from datahub_llmops.catalog.protocol import Catalog, Node
from datahub_llmops.net.shown import clean_name


@dataclass(slots=True)
class Names:
    """Names by URN. A URN without one is shown by the name in it."""

    known: dict[str, str] = field(default_factory=dict)

    def of(self, urn: str) -> str:
        """Return the name, safe for a terminal."""
        return clean_name(self.known.get(urn) or urn_text.full_name(urn))

    def column(self, urn: str) -> str:
        """Describe a column by the name of its asset and its path."""
        path = urn_text.simple_path(urn_text.full_name(urn))
        return f"{self.of(urn_text.asset_of(urn))}.{clean_name(path)}"


@dataclass(slots=True, kw_only=True)
class Labels(Names):
    """The names of people, terms, tags and properties, to which other assets refer by URN, out of a catalog."""

    catalog: Catalog

    def learn(self, urns: Iterable[str]) -> None:
        """Look up all names that are not known yet, at once."""
        fresh = sorted({urn for urn in urns if urn not in self.known})
        if fresh:
            self.known.update({urn: urn_text.full_name(urn) for urn in fresh})
            self.known.update({node.urn: node.name for node in self.catalog.nodes(fresh)})

    def learn_nodes(self, nodes: Iterable[Node]) -> None:
        """Use the names of the nodes, and look up their owners, terms and tags."""
        listed = list(nodes)
        self.known.update({node.urn: node.name for node in listed})
        self.learn(urn for node in listed for urn in (*node.owners, *node.terms, *node.tags))
