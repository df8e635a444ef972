"""Versions of different prompts that would be one asset: version ``1.v2`` of ``a``, and version ``2`` of ``a.v1``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from datahub_llmops.assets.collections import Name
from datahub_llmops.assets.prompts import Prompt
from datahub_llmops.catalog.urn_text import full_name
from datahub_llmops.errors import UnreadableError
from datahub_llmops.mapping.prompts import version_urn
from datahub_llmops.urns import Deployment, collection

_BEFORE_VERSION = ".v"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClashFilter:
    """Takes versions that share a URN out of prompts: both are unreadable then, since neither may be written."""

    deployment: Deployment
    versions_of: Callable[[Prompt], Iterable[str]]

    def in_order(self, names: Iterable[Name]) -> list[Name]:
        """Sort names so that of two prompts whose versions can clash, the one with the shorter name comes first."""
        return sorted(names, key=lambda name: len(self._stem(name)))

    def without_clashes(
        self, items: Iterable[tuple[Name, Prompt]], names: Iterable[Name]
    ) -> Iterator[tuple[Name, Prompt]]:
        """Yield the prompts, which come in the order of ``in_order``, without the versions that clash.

        A prompt with a version that may clash is held until all others have been seen. There is hardly ever one.
        """
        stems = {self._stem(name) for name in names}
        held: list[tuple[Name, Prompt]] = []
        claims: dict[str, list[tuple[Name, str]]] = {}
        for name, prompt in items:
            texts = {version: self._text(name, version) for version in self.versions_of(prompt)}
            if any(self._may_clash(name, text, stems) for text in texts.values()):
                held.append((name, prompt))
                for version, text in texts.items():
                    claims.setdefault(text, []).append((name, version))
                continue
            for version, text in texts.items():
                if text in claims:
                    claims[text].append((name, version))
            yield name, self._without(name, prompt, claims)
        for name, prompt in held:
            yield name, self._without(name, prompt, claims)

    def _may_clash(self, name: Name, text: str, stems: set[str]) -> bool:
        own = len(self._stem(name))
        at = text.find(_BEFORE_VERSION, own + 1)
        while at >= 0:
            if text[:at] in stems:
                return True
            at = text.find(_BEFORE_VERSION, at + 1)
        return False

    def _without(self, name: Name, prompt: Prompt, claims: dict[str, list[tuple[Name, str]]]) -> Prompt:
        clashing = {
            version: claimed
            for version in self.versions_of(prompt)
            if len(claimed := claims.get(self._text(name, version), [])) > 1
        }
        if not clashing:
            return prompt
        errors = {
            version: UnreadableError(
                f"{_listed(claimed)} are one URN, {version_urn(self.deployment, name[0], version)}. Neither was "
                "written, since the catalog could not tell them apart. Rename one prompt, or filter one out."
            )
            for version, claimed in clashing.items()
        }
        return replace(
            prompt,
            versions=tuple(version for version in prompt.versions if version.version not in clashing),
            unreadable={**prompt.unreadable, **errors},
        )

    def _stem(self, name: Name) -> str:
        return full_name(collection(self.deployment, name))

    def _text(self, name: Name, version: str) -> str:
        return full_name(version_urn(self.deployment, name[0], version))


def _listed(claimed: Iterable[tuple[Name, str]]) -> str:
    return " and ".join(f"version {version!r} of {name[0]!r}" for name, version in claimed)
