"""All prompts of a catalog: their versions and labels, and the applications that run them.

Nothing here loads DataHub, so the command answers fast. An application runs a version that is an input of its job, or
of which it holds a copy: a prompt without a name whose lineage leads to the version.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final, NamedTuple

from datahub_llmops.catalog.protocol import FullCatalog, Listed
from datahub_llmops.catalog.urn_text import full_name, platform
from datahub_llmops.net.json_values import mapping, objects, text
from datahub_llmops.prompts.findings import Use

PROMPT: Final = "Prompt"
APPLICATION: Final = "LLM Application"
"""Subtypes in the catalog."""
LABELS: Final = "prompt_labels"
DIGEST: Final = "template_digest"
FINDING: Final = "prompt_finding"
SCORES: Final = "last_scores"
PROPERTIES: Final = (LABELS, FINDING, SCORES)
"""Structured properties that a list of prompts shows."""
_MARK: Final = ".prompt-"
_UNNAMED: Final = re.compile(rf".+{re.escape(_MARK)}[0-9a-f]{{12}}$")
"""Name in the URN of a prompt that is known by its digest only."""


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

    ``application`` is that of a prompt without a name, which is no version of a registry.
    """

    platform: str
    instance: str | None
    name: str
    versions: tuple[Version, ...]
    application: str | None = None

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
        return tuple(use for version in self.versions for use in version.uses)

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
    listed = [(full_name(item.urn), item) for item in catalog.listed(PROMPT, PROPERTIES)]
    unnamed = {item.urn for whole, item in listed if _MARK in whole and _UNNAMED.match(whole)}
    uses = _uses(catalog)
    observed = any(use.last_seen is not None for found in uses.values() for use in found)
    registered = _follow_copies(catalog, unnamed, uses)
    prompts: dict[tuple[str, str], list[Version]] = {}
    names: dict[tuple[str, str], str] = {}
    copies: list[KnownPrompt] = []
    for whole, item in listed:
        if item.urn in unnamed:
            if item.urn not in registered:
                copies.append(_unnamed(item, whole, uses))
            continue
        name, version = split_version(whole, item.name)
        key = item.platform or "", name
        names.setdefault(key, item.name)
        prompts.setdefault(key, []).append(_version(item, version, uses))
    known = [
        KnownPrompt(
            platform=key[0],
            instance=_instance(key[1], names[key]),
            name=names[key] if _instance(key[1], names[key]) or names[key] == key[1] else key[1],
            versions=tuple(sorted(versions, key=_order)),
        )
        for key, versions in prompts.items()
    ]
    ranked = sorted([*known, *copies], key=lambda one: (one.name, one.platform, one.instance or ""))
    return Estate(prompts=tuple(ranked), observed=observed)


def split_version(whole: str, name: str) -> tuple[str, str]:
    """Split the name in a version's URN into that of the prompt, with the platform instance, and the version.

    >>> split_version("support/answer.v3", "support/answer"), split_version("eu.a.v1.v2", "a.v1")
    (('support/answer', '3'), ('eu.a.v1', '2'))
    """
    marked = f"{name}.v"
    at = whole.find(marked)
    if at > 0 and whole[at - 1] != ".":
        at = -1
    if at < 0:
        before, _, version = whole.rpartition(".v")
        return (before, version) if before else (whole, "")
    end = at + len(name)
    return whole[:end], whole[end + 2 :]


def _instance(whole: str, name: str) -> str | None:
    return whole[: -len(name) - 1] if whole.endswith(f".{name}") else None


def _order(version: Version) -> tuple[int, int, str]:
    """Numbers by value, others as text; the page of one prompt has the registry's own order."""
    number = version.version
    return (
        (0, int(number), "")
        if number.isascii() and number.isdecimal() and len(number) < 20
        else (1, 0, number)
    )


def _version(item: Listed, version: str, uses: Mapping[str, Sequence[Use]]) -> Version:
    found = item.properties
    used = tuple(uses[item.urn]) if item.urn in uses else ()
    if not found:
        return Version(item.urn, version, uses=used)
    return Version(
        item.urn,
        version,
        labels=_strings(found.get(LABELS)),
        findings=_strings(found.get(FINDING)),
        scores=_strings(found.get(SCORES)),
        uses=used,
    )


def _unnamed(item: Listed, whole: str, uses: Mapping[str, Sequence[Use]]) -> KnownPrompt:
    return KnownPrompt(
        platform=item.platform or platform(item.urn) or "",
        instance=None,
        name=whole,
        versions=(_version(item, "", uses),),
        application=whole.partition(_MARK)[0],
    )


def _strings(values: Iterable[object] | None) -> tuple[str, ...]:
    return tuple(str(value) for value in values or ())


def _uses(catalog: FullCatalog) -> dict[str, list[Use]]:
    """Dataset -> the applications whose job has it as an input."""
    found: dict[str, list[Use]] = {}
    jobs = catalog.aspects_of(catalog.of_subtypes([APPLICATION]), ["dataJobInputOutput"])
    for job, aspects in sorted(jobs.items()):
        for edge in objects(mapping(aspects.get("dataJobInputOutput")).get("inputDatasetEdges")):
            target = text(edge.get("destinationUrn"))
            if target is not None:
                found.setdefault(target, []).append(_use(job, mapping(edge.get("properties"))))
    return found


def _use(application: str, properties: Mapping[str, Any]) -> Use:
    ways = text(properties.get("found_by")) or ""
    return Use(
        application=application,
        last_seen=_day(properties.get("last_seen")),
        found_by=tuple(way for way in ways.split(",") if way),
    )


def _day(value: object) -> date | None:
    try:
        return date.fromisoformat(value[:10]) if isinstance(value, str) else None
    except ValueError:
        return None


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
