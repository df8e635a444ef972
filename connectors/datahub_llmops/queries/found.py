"""Assets by words of their names, and what carries a glossary term: the answers of ``search``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from datahub_llmops.catalog.kinds import kind_in_words
from datahub_llmops.catalog.overriding import override
from datahub_llmops.catalog.protocol import FullCatalog, Node
from datahub_llmops.catalog.result import Result
from datahub_llmops.governance.term_holders import Holder, holders_of, matching
from datahub_llmops.queries.names import resolve_term
from datahub_llmops.queries.walk import node_obj


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class SearchResult(Result):
    """The assets that contain every word of a query, best match first."""

    query: str
    nodes: tuple[Node, ...]

    @override
    def to_obj(self) -> dict[str, Any]:
        """Return the result as plain JSON."""
        return {"query": self.query, "nodes": [node_obj(node, hops=False) for node in self.nodes]}

    def _repr_html_(self) -> str:
        """Return the result as a notebook shows it."""
        from datahub_llmops.notebook.rendering import render

        shown = [(node, kind_in_words(node.subtype, node.type)) for node in self.nodes]
        return render("assets", query=self.query, nodes=shown)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class TermResult(Result):
    """What carries a glossary term, indexes first. ``left_out`` counts what a limit left out."""

    term: str
    carried_by: tuple[Holder, ...]
    left_out: int = 0

    @override
    def to_obj(self) -> dict[str, Any]:
        """Return the result as plain JSON."""
        return {
            "term": self.term,
            "carried_by": [holder.to_obj() for holder in self.carried_by],
            "left_out": self.left_out,
        }


def read_search(catalog: FullCatalog, query: str, limit: int) -> SearchResult:
    """Find the assets whose name, URN or description contains every word.

    Raises:
        CatalogError: the catalog cannot answer.
    """
    return SearchResult(query=query, nodes=tuple(catalog.search(query, limit)))


def read_carrying(catalog: FullCatalog, term: str, query: str, limit: int) -> TermResult:
    """Find what carries a term, its own or propagated, and has every word in its name or URN.

    Raises:
        UnknownAssetError: there is no such term.
        CatalogError: the catalog cannot answer.
    """
    urn = resolve_term(catalog, term)
    found = tuple(matching(holders_of(catalog, urn), query.split()))
    return TermResult(term=urn, carried_by=found[:limit], left_out=len(found[limit:]))
