"""Looks up the versions of registries' prompts in the catalog by the digest of their template.

An application whose code holds a copy of a template is recognised by it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import Final

from datahub_llmops.assets.templates import DIGEST_PREFIX, short_digest
from datahub_llmops.catalog.protocol import FullCatalog
from datahub_llmops.mapping.applications import PROMPT
from datahub_llmops.mapping.properties import property_values
from datahub_llmops.prompts.observed_uses import digest_in_urn

_TOGETHER: Final = 200
"""Assets whose aspects are read at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Originals:
    """The versions with one template: of each prompt the newest one, and the others."""

    newest: tuple[str, ...] = ()
    older: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Version:
    urn: str
    prompt: str
    """Version set, or the version itself if it is in none."""
    sort_id: str


@dataclass(kw_only=True)
class PromptOriginals:
    """Reads all versions in the catalog once, when the first digest is asked for."""

    catalog: FullCatalog | None
    _known: dict[str, Originals] = field(default_factory=dict)

    def of(self, digest: object) -> Originals:
        """Return the versions whose template has this digest; none without a catalog.

        Raises:
            CatalogError: the catalog cannot answer.
        """
        if self.catalog is None or not isinstance(digest, str) or not digest.startswith(DIGEST_PREFIX):
            return Originals()
        if digest not in self._known:
            self._known[digest] = _split(self._by_digest.get(digest, ()))
        return self._known[digest]

    def short_digests(self) -> frozenset[str]:
        """Return the short digests of all versions in the catalog, whichever recipe reads their registry.

        Raises:
            CatalogError: the catalog cannot answer.
        """
        return frozenset(map(short_digest, self._by_digest))

    @cached_property
    def _by_digest(self) -> dict[str, list[_Version]]:
        found: dict[str, list[_Version]] = {}
        for digest, version in self._versions():
            found.setdefault(digest, []).append(version)
        return found

    def _versions(self) -> Iterator[tuple[str, _Version]]:
        if self.catalog is None:
            return
        listed = (urn for urn in self.catalog.of_subtypes([PROMPT]) if digest_in_urn(urn) is None)
        while part := list(islice(listed, _TOGETHER)):
            found = self.catalog.aspects_of(part, ("structuredProperties", "versionProperties"))
            for urn, aspects in found.items():
                place = aspects.get("versionProperties", {})
                version = _Version(
                    urn=urn, prompt=place.get("versionSet", urn), sort_id=place.get("sortId", "")
                )
                assigned = property_values(aspects.get("structuredProperties", {}))
                for digest in assigned.get("template_digest", ()):
                    yield str(digest), version


def _split(versions: list[_Version] | tuple[()]) -> Originals:
    newest: dict[str, _Version] = {}
    for version in sorted(versions, key=lambda version: (version.sort_id, version.urn)):
        newest[version.prompt] = version
    chosen = {version.urn for version in newest.values()}
    return Originals(
        newest=tuple(sorted(chosen)),
        older=tuple(sorted(version.urn for version in versions if version.urn not in chosen)),
    )
