"""The part of a registry's source that looks up who uses its prompts: copies of templates, and findings.

It reads the catalog as earlier runs left it. A use that another part of the same run reports counts from the next run.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from typing_extensions import override

from datahub_llmops.assets.prompts import Prompt
from datahub_llmops.assets.templates import short_digest
from datahub_llmops.catalog.protocol import Aspect, FullCatalog
from datahub_llmops.ingestion.emitter import Emission, emit
from datahub_llmops.ingestion.parts import SourcePart
from datahub_llmops.ingestion.prompt_memory import PromptMemory, RememberedPrompt
from datahub_llmops.ingestion.prompt_originals import PromptOriginals
from datahub_llmops.ingestion.prompt_registry_config import PromptRegistryConfig, PromptRegistryReport
from datahub_llmops.ingestion.reader import Reader
from datahub_llmops.mapping.applications import APPLICATION
from datahub_llmops.mapping.edge_properties import found_by
from datahub_llmops.mapping.prompt_copies import copy_proposals
from datahub_llmops.mapping.prompts import version_urn
from datahub_llmops.mapping.properties import AssetPatch, property_values
from datahub_llmops.prompts.findings import Finding, KnownVersion, Use, find, is_observed
from datahub_llmops.prompts.observed_uses import digest_in_urn, uses_by_dataset
from datahub_llmops.urns import Deployment

FINDING: Final = "prompt_finding"
_TOGETHER: Final = 200
"""Assets whose aspects are read at once."""
_USAGE: Final = {"llmUsage": "calls", "datasetUsageStatistics": "totalSqlQueries"}
"""Time series of usage, and their number of calls."""

Uses = dict[str, list[Use]]


@dataclass(kw_only=True)
class PromptUses(SourcePart[Prompt]):
    """Emits edges from copies to their originals, and what is found about the use of each prompt."""

    memory: PromptMemory
    catalog: FullCatalog | None
    is_unwritten: bool
    """The first run has yet to write the catalog, so it certainly holds nothing."""
    deployment: Deployment
    config: PromptRegistryConfig
    report: PromptRegistryReport
    now: datetime

    @override
    def conclusion(self, reader: Reader[Prompt]) -> Iterator[Emission]:
        if self.catalog is not None or self.is_unwritten:
            yield from self.report.guard(self._conclude(self.catalog))

    def _conclude(self, catalog: FullCatalog | None) -> Iterator[Emission]:
        uses = self._observed_uses(catalog)
        unnamed = {urn: digest for urn in uses if (digest := digest_in_urn(urn)) is not None}
        observed = is_observed(
            (use for found in uses.values() for use in found), now=self.now, unused_after=self._unused_after
        )
        present = self._aspects(catalog, unnamed, ("structuredProperties", "upstreamLineage"))
        originals = self._originals(set(unnamed.values()))
        for urn, digest in sorted(unnamed.items()):
            yield from self._copy(urn, originals.get(digest, []), uses, present.get(urn, {}))
        self._pass_on(catalog, uses)
        for name, known in sorted(self.memory.now.items()):
            yield from self._findings(catalog, name, known, uses, observed=observed)
        if not self.report.failures:
            unknown = {urn for urn, digest in unnamed.items() if digest not in originals}
            yield from self._unregistered(catalog, unnamed, unknown, uses, present)

    @property
    def _unused_after(self) -> timedelta:
        return timedelta(days=self.config.unused_after_days)

    def _observed_uses(self, catalog: FullCatalog | None) -> Uses:
        """Map each dataset that an application reads to these uses, whatever it is."""
        jobs = catalog.of_subtypes([APPLICATION]) if catalog is not None else ()
        return uses_by_dataset(self._aspects(catalog, jobs, ("dataJobInputOutput",)))

    def _aspects(
        self, catalog: FullCatalog | None, urns: Iterable[str], names: tuple[str, ...]
    ) -> dict[str, Mapping[str, Aspect]]:
        found: dict[str, Mapping[str, Aspect]] = {}
        if catalog is not None:
            listed = list(urns)
            for start in range(0, len(listed), _TOGETHER):
                found.update(catalog.aspects_of(listed[start : start + _TOGETHER], names))
        return found

    def _originals(self, digests: Collection[str]) -> dict[str, list[str]]:
        """Map each of these short digests to the versions with this template: of each prompt the newest one."""
        found: dict[str, dict[str, str]] = {}
        for name, known in self.memory.now.items():
            for version, key in known.versions.items():
                if short_digest(key) in digests:
                    urn = version_urn(self.deployment, name, version)
                    found.setdefault(short_digest(key), {})[name] = urn
        return {digest: list(urns.values()) for digest, urns in found.items()}

    def _copy(
        self, urn: str, originals: list[str], uses: Uses, present: Mapping[str, Aspect]
    ) -> Iterator[Emission]:
        lineage = present.get("upstreamLineage", {})
        own = {edge["dataset"] for edge in lineage.get("upstreams") or [] if self._is_own(edge["dataset"])}
        last = max((use.last_seen for use in uses[urn] if use.last_seen is not None), default=None)
        outdated = own if not self.report.failures else ()
        yield from emit(copy_proposals(urn, originals, last, lineage, outdated=outdated), primary=False)
        for original in originals:
            uses.setdefault(original, []).extend(replace(use, found_by=("digest",)) for use in uses[urn])

    def _is_own(self, urn: str) -> bool:
        return f"dataPlatform:{self.deployment.platform}," in urn

    def _pass_on(self, catalog: FullCatalog | None, uses: Uses) -> None:
        """Whoever uses a version uses what it includes. Prompts may include each other."""
        includes: dict[str, list[str]] = {}
        front = {urn for urn in uses if self._is_own(urn)}
        while front:
            unread = sorted(front - includes.keys())
            found = self._aspects(catalog, unread, ("upstreamLineage",))
            includes.update((urn, _included(found.get(urn, {}))) for urn in unread)
            reached = [(urn, included) for urn in front for included in includes[urn]]
            front = set()
            for urn, included in reached:
                known = uses.setdefault(included, [])
                if more := set(uses[urn]) - set(known):
                    known.extend(more)
                    front.add(included)

    def _findings(
        self, catalog: FullCatalog | None, name: str, known: RememberedPrompt, uses: Uses, *, observed: bool
    ) -> Iterator[Emission]:
        urns = {version: version_urn(self.deployment, name, version) for version in known.versions}
        labels: dict[str, list[str]] = {}
        for label, place in known.labels.items():
            for version in place.versions:
                labels.setdefault(version, []).append(label)
        production = set(self.config.production_labels)
        found: list[Finding] = []
        if production & known.labels.keys():
            if not any(uses.get(urn) for urn in urns.values()):
                # Edges go some time after the last use; the time series stay.
                uses.update(self._counted_uses(catalog, urns.values()))
            found = find(
                [
                    KnownVersion(
                        version=version,
                        labels=tuple(labels.get(version, ())),
                        uses=tuple(uses.get(urn, ())),
                    )
                    for version, urn in urns.items()
                ],
                production=production,
                labelled_since={label: place.since for label, place in known.labels.items()},
                observed=observed,
                now=self.now,
                unused_after=self._unused_after,
            )
        self.report.findings += len(found)
        kinds: dict[str, list[str]] = {}
        for finding in found:
            kinds.setdefault(finding.version, []).append(finding.kind)
        last = known.findings
        for version, urn in urns.items():
            now = sorted(kinds.get(version, ()))
            if now:
                yield from emit(AssetPatch(urn).set_properties({FINDING: tuple(now)}).build())
            elif last.get(version):
                yield from emit(AssetPatch(urn).remove_properties([FINDING]).build())
        known.findings = {version: sorted(found) for version, found in kinds.items()}

    def _counted_uses(self, catalog: FullCatalog | None, urns: Iterable[str]) -> Uses:
        found: Uses = {}
        for urn, series in (catalog.latest_of(urns) if catalog is not None else {}).items():
            days = [
                datetime.fromtimestamp(record["timestampMillis"] / 1000, UTC).date()
                for name, count in _USAGE.items()
                if (record := series.get(name, {})).get(count)
            ]
            if days:
                found[urn] = [Use(application=None, last_seen=max(days))]
        return found

    def _unregistered(
        self,
        catalog: FullCatalog | None,
        unnamed: Iterable[str],
        unknown: set[str],
        uses: Uses,
        present: Mapping[str, Mapping[str, Aspect]],
    ) -> Iterator[Emission]:
        recent = {
            urn for urn in unknown if is_observed(uses[urn], now=self.now, unused_after=self._unused_after)
        }
        elsewhere = PromptOriginals(catalog=catalog).short_digests() if recent else frozenset()
        for urn in sorted(unnamed):
            assigned = property_values(present.get(urn, {}).get("structuredProperties", {})).get(FINDING, ())
            if urn in recent and digest_in_urn(urn) not in elsewhere:
                self.report.findings += 1
                patch = AssetPatch(urn).set_properties({FINDING: ("unregistered",)})
                yield from emit(patch.build(), primary=False)
            elif "unregistered" in assigned:
                yield from emit(AssetPatch(urn).remove_properties([FINDING]).build(), primary=False)


def _included(aspects: Mapping[str, Aspect]) -> list[str]:
    """List the versions that one includes, as its registry states."""
    edges = aspects.get("upstreamLineage", {}).get("upstreams") or []
    return [edge["dataset"] for edge in edges if "registry" in found_by(edge)]
