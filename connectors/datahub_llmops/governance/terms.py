"""Which glossary terms reach an asset, through which column, and which of them exclude each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from datahub_llmops.catalog.labels import read_labels
from datahub_llmops.catalog.urn_text import asset_of, field_urns
from datahub_llmops.governance.facts import Facts
from datahub_llmops.governance.policy import Policy
from datahub_llmops.governance.policy_names import short


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """A term, the field of the asset that it reaches, and the asset or column that carries it by itself."""

    term: str
    field: str | None
    """``schemaField`` URN of the asset's own field; ``None`` for the asset as a whole."""
    origin: str


def reached(facts: Facts) -> list[Reached]:
    """List the terms of the asset, of the columns that feed it, and of the datasets that feed it as a whole."""
    return sorted(set(_reached(facts)), key=lambda one: (one.term, one.field or "", one.origin))


def _reached(facts: Facts) -> Iterator[Reached]:
    root = facts.root.urn
    for term, path, origin in _carried(facts, root):
        for field in field_urns(root, path)[:1] if path else (None,):
            yield Reached(term=term, field=field, origin=origin or field or root)
    for field, columns in facts.feeding_columns.items():
        for column in columns:
            for term in _terms_of_column(facts, column):
                yield Reached(term=term, field=field, origin=column)
    for urn in facts.sources:
        for term, path, origin in _carried(facts, urn):
            if path is None:
                yield Reached(term=term, field=None, origin=origin or urn)


def possibly_reached(facts: Facts) -> set[str]:
    """Return the terms of the datasets upstream of which it is not known which columns feed the asset."""
    of_columns = {term for column in facts.vague_columns for term in _terms_of_column(facts, column)}
    nodes = (facts.nodes.get(urn) for urn in facts.vague_sources)
    return of_columns.union(*(node.terms for node in nodes if node is not None))


def _carried(facts: Facts, urn: str) -> Iterator[tuple[str, str | None, str | None]]:
    for attached in read_labels(facts.aspects.get(urn, {})):
        if attached.label.kind == "term":
            yield attached.label.urn, attached.path, attached.origin


def _terms_of_column(facts: Facts, column: str) -> set[str]:
    asset = asset_of(column)
    on_schema = {
        term
        for term, path, _ in _carried(facts, asset)
        if path is not None and column in field_urns(asset, path)
    }
    own = read_labels(facts.columns.get(column, {}))
    return on_schema | {one.label.urn for one in own if one.label.kind == "term" and one.path is None}


def exclude_each_other(policy: Policy, terms: Iterable[str]) -> list[tuple[str, str]]:
    """List the pairs of ``terms`` that the policy lets not meet: of one exclusive node, or listed together."""
    ordered = sorted(set(terms))
    return [
        (one, other)
        for at, one in enumerate(ordered)
        for other in ordered[at + 1 :]
        if _excludes(policy, one, other)
    ]


def without_node(policy: Policy, terms: Iterable[str]) -> list[str]:
    """List the terms of which it is not known whether they are under an exclusive node: the catalog lacks them."""
    if not policy.exclusive_nodes:
        return []
    return sorted({term for term in terms if term not in policy.nodes and "." not in short(term)})


def _nodes_of(policy: Policy, term: str) -> set[str]:
    """Return the names of the nodes above a term: those of the catalog, and those that its own name tells."""
    parts = short(term).split(".")
    told = {".".join(parts[:end]) for end in range(1, len(parts))}
    return told | {short(node) for node in policy.nodes.get(term, ())}


def _excludes(policy: Policy, one: str, other: str) -> bool:
    first, second = short(one), short(other)
    nodes = {short(node) for node in policy.exclusive_nodes}
    if _nodes_of(policy, one) & _nodes_of(policy, other) & nodes:
        return True
    listed = ({short(term) for term in group} for group in policy.exclusive_terms)
    return any({first, second} <= group for group in listed)
