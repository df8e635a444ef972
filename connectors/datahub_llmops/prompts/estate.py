"""All prompts of a catalog: their versions and labels, and the applications that run them.

Nothing here loads DataHub, so the command answers fast. An application runs a version that is an input of its job, or
of which it holds a copy: a prompt without a name whose lineage leads to the version.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Final, NamedTuple

from datahub_llmops.catalog.aspect_facts import LISTED_PROPERTIES
from datahub_llmops.catalog.protocol import FullCatalog, Group
from datahub_llmops.catalog.urn_text import full_name, platform
from datahub_llmops.net.json_values import mapping, objects, text
from datahub_llmops.prompts.findings import Use
from datahub_llmops.prompts.observed_uses import MARK, digest_in_urn, uses_by_dataset
from datahub_llmops.prompts.version_names import PlacedVersion, place_versions

PROMPT: Final = "Prompt"
APPLICATION: Final = "LLM Application"
"""Subtypes in the catalog."""
LABELS: Final = "prompt_labels"
DIGEST: Final = "template_digest"
FINDING: Final = "prompt_finding"
SCORES: Final = "last_scores"


class Version(NamedTuple):
    """One version of a prompt, as far as a list needs it. A tuple, since a catalog has ten thousands of them."""

    urn: str
    version: str
    labels: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()
    scores: tuple[str, ...] = ()
    """One line of text for each metric."""
    uses: tuple[Use, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownPrompt:
    """One prompt with its versions: numbers in their order, others by their text.

    ``application`` is that of a prompt without a name, which is not a version of a registry.
    """

    platform: str
    instance: str | None
    name: str
    placed: tuple[PlacedVersion, ...]
    noted: tuple[Version, ...] = ()
    """The versions of which more is known than that they exist. Of a large registry, these are few."""
    application: str | None = None

    @property
    def versions(self) -> tuple[Version, ...]:
        """All versions."""
        noted = {version.urn: version for version in self.noted}
        return tuple(noted.get(one.urn) or Version(one.urn, one.version) for one in self.placed)

    @property
    def shown(self) -> str:
        """The name that tells it from all others: ``langfuse:support/answer``, ``langfuse:eu.support/answer``."""
        return (
            f"{self.platform}:{self.instance}.{self.name}"
            if self.instance
            else f"{self.platform}:{self.name}"
        )

    @property
    def uses(self) -> tuple[Use, ...]:
        """The uses of all versions."""
        return tuple(use for version in self.noted for use in version.uses)

    @property
    def last_use(self) -> date | None:
        """The day of the last use; ``None`` if none was seen, or nobody says when."""
        return max((use.last_seen for use in self.uses if use.last_seen is not None), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Estate:
    """All prompts, by platform and name, and whether the use of any prompt was ever observed."""

    prompts: tuple[KnownPrompt, ...] = ()
    observed: bool = False


def read_estate(catalog: FullCatalog) -> Estate:
    """Read all prompts of a catalog.

    Raises:
        CatalogError: the catalog cannot answer.
    """
    groups = list(catalog.groups(PROMPT, LISTED_PROPERTIES))
    unnamed = {urn: group for group in groups for urn in group.urns if digest_in_urn(urn) is not None}
    uses = uses_by_dataset(catalog.aspects_of(catalog.of_subtypes([APPLICATION]), ["dataJobInputOutput"]))
    observed = any(use.last_seen is not None for found in uses.values() for use in found)
    registered = _follow_copies(catalog, unnamed, uses)
    known = _Known(uses)
    for group in groups:
        known.add(group, [urn for urn in group.urns if urn not in unnamed] if unnamed else group.urns)
    copies = [_unnamed(urn, unnamed[urn], uses) for urn in sorted(unnamed.keys() - registered)]
    ranked = sorted([*known.prompts(), *copies], key=lambda one: (one.name, one.platform, one.instance or ""))
    return Estate(prompts=tuple(ranked), observed=observed)


class _Known:
    """Gathers the prompts of registries, group by group."""

    def __init__(self, uses: Mapping[str, Sequence[Use]]) -> None:
        self._uses = uses
        self._named: dict[tuple[str, str], tuple[str, str]] = {}
        """The first URN of each prompt, and its display name: somebody may have edited that of one version."""
        self._placed: dict[tuple[str, str], list[PlacedVersion]] = {}
        self._noted: dict[str, Mapping[str, Sequence[str | float]]] = {urn: {} for urn in uses}

    def add(self, group: Group, urns: Sequence[str]) -> None:
        self._noted.update(group.properties)
        for whole, versions in place_versions(group.platform, group.name, urns).items():
            key = group.platform or "", whole
            named = min(version.urn for version in versions), group.name
            self._named[key] = min(self._named.get(key, named), named)
            self._placed.setdefault(key, []).extend(versions)

    def prompts(self) -> Iterator[KnownPrompt]:
        for (platform_name, whole), placed in self._placed.items():
            _, name = self._named[platform_name, whole]
            instance = _instance(whole, name)
            placed.sort()
            yield KnownPrompt(
                platform=platform_name,
                instance=instance,
                name=name if instance else whole,
                placed=tuple(placed),
                noted=tuple(
                    _version(one.urn, one.version, self._noted[one.urn], self._uses)
                    for one in placed
                    if one.urn in self._noted
                ),
            )


def _instance(whole: str, name: str) -> str | None:
    return whole[: -len(name) - 1] if whole.endswith(f".{name}") else None


def _version(
    urn: str, version: str, found: Mapping[str, Sequence[str | float]], uses: Mapping[str, Sequence[Use]]
) -> Version:
    return Version(
        urn,
        version,
        labels=_strings(found.get(LABELS)),
        findings=_strings(found.get(FINDING)),
        scores=_strings(found.get(SCORES)),
        uses=tuple(uses.get(urn, ())),
    )


def _unnamed(urn: str, group: Group, uses: Mapping[str, Sequence[Use]]) -> KnownPrompt:
    whole = full_name(urn)
    return KnownPrompt(
        platform=group.platform or platform(urn) or "",
        instance=None,
        name=whole,
        placed=(PlacedVersion("", urn, ""),),
        noted=(_version(urn, "", group.properties.get(urn, {}), uses),),
        application=whole.partition(MARK)[0],
    )


def _strings(values: Iterable[object] | None) -> tuple[str, ...]:
    return tuple(str(value) for value in values or ())


def _follow_copies(catalog: FullCatalog, unnamed: Collection[str], uses: dict[str, list[Use]]) -> set[str]:
    """Add the uses of copies to the versions that they are copies of; return the copies that have one."""
    registered: set[str] = set()
    lineage = catalog.aspects_of(unnamed, ["upstreamLineage"]) if unnamed else {}
    for copy, aspects in lineage.items():
        for edge in objects(mapping(aspects.get("upstreamLineage")).get("upstreams")):
            version = text(edge.get("dataset"))
            ways = str(mapping(edge.get("properties")).get("found_by") or "").split(",")
            if version is None or "digest" not in ways:
                continue
            registered.add(copy)
            uses.setdefault(version, []).extend(
                replace(use, found_by=("digest",)) for use in uses.get(copy, ())
            )
    return registered
