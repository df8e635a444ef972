"""Looks up what a policy names in the catalog. A misspelt name would forbid nothing, and find nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from difflib import get_close_matches
from itertools import islice
from typing import Final, Literal, TypeAlias, get_args

from datahub_llmops.catalog.aspect_facts import PROPERTY_PREFIX, read_columns, read_properties
from datahub_llmops.catalog.protocol import FullCatalog
from datahub_llmops.catalog.urn_text import entity_type, full_name
from datahub_llmops.governance.facts import INDEX
from datahub_llmops.governance.finding import Finding
from datahub_llmops.governance.indexes import list_embedded
from datahub_llmops.governance.policy import Policy
from datahub_llmops.net.json_values import text

_TERM: Final = "urn:li:glossaryTerm:"
_NODE: Final = "urn:li:glossaryNode:"
_DOMAIN: Final = "urn:li:domain:"
_NODES: Final = {
    "glossaryTerm": ("glossaryTermInfo", "parentNode"),
    "glossaryNode": ("glossaryNodeInfo", "parentNode"),
}
_DOMAINS: Final = {"domain": ("domainProperties", "parentDomain")}
"""Entity type -> the aspect and field that name the parent."""
_MOST_COMPARED: Final = 20_000
"""Names of a catalog that a misspelt one is compared with, which takes a second."""

Facet: TypeAlias = Literal["region", "purpose"]
FACETS: Final[tuple[Facet, ...]] = get_args(Facet)
"""Structured properties of indexes that rules of a policy name."""


def compared(policy: Policy, catalog: FullCatalog) -> Policy:
    """Look up what the policy names, and fill ``Policy.unknown``, ``nodes`` and ``domains``.

    Raises:
        CatalogError: the catalog cannot answer.
    """
    unknown = {
        **_unknown_assets(policy, catalog),
        **_unknown_values(policy, catalog),
        **_unknown_columns(policy, catalog),
    }
    nodes = _above(catalog, _NODES) if policy.exclusive_nodes else {}
    domains = _above(catalog, _DOMAINS) if any(rule.domain for rule in policy.forbidden) else {}
    return replace(policy, unknown=unknown, nodes=nodes, domains=domains)


def _above(catalog: FullCatalog, parents: Mapping[str, tuple[str, str]]) -> Mapping[str, frozenset[str]]:
    """Map each asset of a tree to all that are above it. Those made in DataHub have no name in their URN that tells."""
    found = catalog.aspects_of(catalog.assets(list(parents)), [aspect for aspect, _ in parents.values()])
    parent_of = {
        urn: text(aspects.get(aspect, {}).get(field))
        for urn, aspects in found.items()
        for aspect, field in [parents[entity_type(urn)]]
    }
    above: dict[str, frozenset[str]] = {}
    for urn in parent_of:
        higher: set[str] = set()
        parent = parent_of[urn]
        while parent is not None and parent not in higher:
            higher.add(parent)
            parent = parent_of.get(parent)
        above[urn] = frozenset(higher)
    return above


def misspelt(check: str, policy: Policy, names: Iterable[str]) -> Finding | None:
    """Return what a check says that would be ok but for these names of its policy, if the catalog lacks some."""
    shown = ", ".join(
        f"{short(name)} (did you mean {policy.unknown[name]}?)" if policy.unknown[name] else short(name)
        for name in sorted(set(names) & policy.unknown.keys())
    )
    if not shown:
        return None
    return Finding(
        check=check,
        verdict="not known",
        code="unknown_name",
        message=f"The policy names {shown}, which the catalog does not have.",
        missing="Correct the policy (a name is the end of the URN), or ingest what it names.",
    )


def short(urn: str) -> str:
    """Return the part of a URN after its type, or a name as it is.

    >>> short("urn:li:glossaryTerm:Privacy.PersonalData"), short("region us-east-1")
    ('Privacy.PersonalData', 'region us-east-1')
    """
    return urn.split(":", 3)[-1] if urn.startswith("urn:") else urn


def domain_urn(named: str) -> str:
    """Return the URN of a domain that a policy names by URN, or by the part of it after ``urn:li:domain:``.

    >>> domain_urn("marketing")
    'urn:li:domain:marketing'
    """
    return named if named.startswith("urn:") else f"{_DOMAIN}{named}"


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the one of ``known`` that ``name`` may be a slip of, whatever its case.

    >>> nearest("us-est-1", ["eu-west-1", "us-east-1"]), nearest("x", ["us-east-1"])
    ('us-east-1', None)
    """
    spelled = {one.casefold(): one for one in known}
    near = get_close_matches(name.casefold(), spelled, n=1)
    return spelled[near[0]] if near else None


def facet_name(facet: Facet, value: str) -> str:
    """Return the name of a region or purpose in ``Policy.unknown``."""
    return f"{facet} {value}"


def column_name(table: str, column: str) -> str:
    """Return the name of a change column in ``Policy.unknown``."""
    return f"{full_name(table)}#{column}"


def _unknown_assets(policy: Policy, catalog: FullCatalog) -> Mapping[str, str | None]:
    terms = {rule.term for rule in policy.forbidden}.union(*policy.exclusive_terms)
    urns = {
        named: named if named.startswith("urn:") else f"{prefix}{named}"
        for prefix, group in ((_TERM, terms), (_NODE, policy.exclusive_nodes))
        for named in group
    }
    # By URN: a domain may have the name of a term.
    urns |= {urn: urn for rule in policy.forbidden if rule.domain and (urn := domain_urn(rule.domain))}
    urns |= {urn: urn for urn in policy.change_columns}
    if not urns:
        return {}
    known = {node.urn for node in catalog.nodes(sorted(set(urns.values())))}
    return {named: _nearest_asset(catalog, urn) for named, urn in urns.items() if urn not in known}


def _nearest_asset(catalog: FullCatalog, urn: str) -> str | None:
    others = islice(catalog.assets([entity_type(urn)]), _MOST_COMPARED)
    return nearest(full_name(urn), map(full_name, others))


def _unknown_values(policy: Policy, catalog: FullCatalog) -> Mapping[str, str | None]:
    """The regions and purposes of rules that no index has."""
    stated: list[tuple[Facet, str | None]] = [
        pair for rule in policy.forbidden for pair in (("region", rule.region), ("purpose", rule.purpose))
    ]
    named = {(facet, value) for facet, value in stated if value is not None}
    if not named:
        return {}
    held = set(_values_held(catalog))
    return {
        facet_name(facet, value): nearest(value, (one for kind, one in held if kind == facet))
        for facet, value in named
        if (facet, value) not in held
    }


def _values_held(catalog: FullCatalog) -> Iterator[tuple[str, str]]:
    wanted = {f"{PROPERTY_PREFIX}{facet}": facet for facet in FACETS}
    tables = catalog.aspects_of([*list_embedded(catalog)], ["structuredProperties"]).values()
    of_tables = (read_properties(one.get("structuredProperties", {}), wanted) for one in tables)
    of_indexes = (held for group in catalog.groups(INDEX, FACETS) for held in group.properties.values())
    for properties in (*of_tables, *of_indexes):
        for facet, values in properties.items():
            yield from ((facet, str(value)) for value in values)


def _unknown_columns(policy: Policy, catalog: FullCatalog) -> Mapping[str, str | None]:
    """The change columns that their tables do not have. Of a table without a schema nothing is known."""
    if not policy.change_columns:
        return {}
    found = catalog.aspects_of(policy.change_columns, ["schemaMetadata"])
    columns = {
        table: read_columns(aspects["schemaMetadata"])
        for table, aspects in found.items()
        if "schemaMetadata" in aspects
    }
    return {
        column_name(table, column): nearest(column, columns[table])
        for table, column in policy.change_columns.items()
        if table in columns and column not in columns[table]
    }
