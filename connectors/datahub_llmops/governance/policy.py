"""What checks hold an asset to, as plain data. Recipes and the command's policy file fill it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from datahub_llmops.governance.lifecycle import Lifecycles

DEFAULT_GRACE: Final = timedelta(hours=24)
"""How long a changed source may wait for the next embedding run where neither a schedule nor an option tells."""
CLOCK_TOLERANCE: Final = timedelta(minutes=5)
"""How far clocks may be apart. A time that lies further ahead is not evidence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forbidden:
    """A glossary term that an index must not carry, by the index's domain, region or purpose.

    Values are URNs of domains, or values of the structured properties ``region`` and ``purpose``. An empty one applies
    to every index.
    """

    term: str
    """URN, or the name of the term."""
    domain: str | None = None
    region: str | None = None
    purpose: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Options of the checks."""

    grace: timedelta | None = None
    """Overrides the grace that follows from the schedule of an index's job."""
    exclusive_nodes: frozenset[str] = frozenset()
    """URNs or names of glossary nodes. Two different terms of one of them must not meet."""
    exclusive_terms: tuple[frozenset[str], ...] = ()
    """Sets of terms, by URN or name, of which no two must meet."""
    forbidden: tuple[Forbidden, ...] = ()
    retires_within: timedelta = timedelta(days=90)
    """A model that retires sooner than this is not ok."""
    change_columns: Mapping[str, str] = field(default_factory=dict)
    """URN of a dataset -> the column that holds the time of each row's last change."""
    lifecycles: Lifecycles = field(default_factory=Lifecycles)
    """When models retire."""
    nodes: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """URN of a glossary term of the catalog -> URNs of the nodes that it is under, at any depth."""
    domains: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """URN of a domain of the catalog -> URNs of the domains that it is in, at any depth."""
    unknown: Mapping[str, str | None] = field(default_factory=dict)
    """What the options name and the catalog does not have -> the nearest name that it has.

    Terms and nodes as they are named, domains and tables by URN, the others as ``policy_names`` spells them.
    """
