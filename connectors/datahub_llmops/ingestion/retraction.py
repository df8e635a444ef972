"""The part of a source that retracts outdated facts of earlier runs.

``docs/decisions/0005-facts-are-taken-back.md`` says why.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

from typing_extensions import override

from datahub_llmops.aspects.base import LlmopsAspect
from datahub_llmops.assets.collections import Name
from datahub_llmops.errors import ConnectorError, VanishedError
from datahub_llmops.ingestion.assigned_facts import AssignedDataset, AssignedFacts
from datahub_llmops.ingestion.emitter import Emission, emit
from datahub_llmops.ingestion.parts import ItemT, SourcePart
from datahub_llmops.ingestion.reader import Reader
from datahub_llmops.ingestion.report import unexpected
from datahub_llmops.ingestion.run_target import RunTarget
from datahub_llmops.ingestion.source import CatalogReport
from datahub_llmops.mapping.properties import AssetPatch
from datahub_llmops.mapping.proposals import PlacedAsset


@dataclass(slots=True, kw_only=True)
class Retraction(SourcePart[ItemT]):
    """Remembers what this run assigns, and at its end retracts what only earlier runs assigned."""

    assigned: AssignedFacts
    target: RunTarget
    report: CatalogReport
    is_shared: Callable[[Name], bool]
    """Whether another DataHub source describes the asset of this name."""
    is_wanted: Callable[[Name], bool]
    """Whether the recipe's filters let an item of this name be read."""
    list_assets: Callable[[str, ItemT], Collection[str]]
    """The assets that facts of an item may sit on, given its URN; none if facts no longer apply to it."""
    empty_aspects: Sequence[LlmopsAspect]
    """What replaces outdated typed aspects."""
    own_assets: bool = False
    """Whether the assets of an item are datasets of its own. Stale removal retires one that is gone, with its facts."""

    is_unchanged: Callable[[ItemT], bool] = lambda item: False
    """Whether an item is as the last run left it, and was not read again."""

    @override
    def emissions(self, placed: PlacedAsset[ItemT]) -> Iterator[Emission]:
        if self.is_unchanged(placed.item):
            self.assigned.carry_over(placed.urn)
            return
        typed = self.target.decision.enabled
        self.assigned.remember(placed.urn, placed.name, placed.assigned, typed=typed)
        yield from ()

    @override
    def conclusion(self, reader: Reader[ItemT]) -> Iterator[Emission]:
        vanished = self._verify_missing(reader) if not self.report.failures else []
        if self.report.failures:
            self.assigned.keep_for_next_run()
            return
        for urn in self.assigned.find_outdated_typed(vanished):
            for emission in emit(self.target.admit(urn, self.empty_aspects), primary=False):
                self.report.facts_taken_back += 1
                yield emission
        there = {asset for item in self.assigned.now.values() for asset in item.properties}
        for asset, names in self.assigned.retract_properties(vanished):
            if self.own_assets and asset not in there:
                continue
            patch = AssetPatch(asset).remove_properties(names)
            for emission in emit(patch.build(), primary=self.own_assets):
                self.report.facts_taken_back += len(names)
                yield emission

    def _verify_missing(self, reader: Reader[ItemT]) -> list[str]:
        """Read every asset again that an earlier run described and this one did not.

        Returns the URNs of shared ones that are gone. Stale removal retires an asset of our own, with its facts.
        """
        vanished: list[str] = []
        # One whose URN is another now, since the recipe's env or platform_instance is, is not missing.
        read = {tuple(one.name) for one in self.assigned.now.values()}
        for urn, old in self.assigned.read_last_run().items():
            name = tuple(old.name)
            if urn in self.assigned.now:
                continue
            if not self.is_shared(name):
                if name not in read and self.is_wanted(name):
                    self._verify_gone(name, reader)
                continue
            try:
                self._confirm_present(urn, name, old, reader.read(name))
            except VanishedError:
                vanished.append(urn)
            except ConnectorError as error:
                self.report.failure(
                    title="Could not be read",
                    message="Whether the facts that earlier runs wrote about it still hold is not known, so they were "
                    "kept.",
                    context=f"{'.'.join(name)}: {error}",
                )
        if self.assigned.exceeds_threshold(len(vanished)):
            self.report.failure(
                title="Too much is gone at once",
                message="Facts about it were kept. If this is intended, raise stateful_ingestion.fail_safe_threshold.",
                context=", ".join(vanished[:10]),
            )
        return vanished

    def _verify_gone(self, name: Name, reader: Reader[ItemT]) -> None:
        """Ask for an item that is no longer listed by its name: a list leaves out what a role may not see."""
        problem = "it is not listed, but it can be read. Run again"
        try:
            reader.read(name)
        except VanishedError:
            return
        except ConnectorError as error:
            problem = f"{error} If this role is not meant to see it any more, filter it out"
        except Exception as error:  # noqa: BLE001 - what it is, is reported
            problem = str(unexpected(error)).removesuffix(".")
        self.report.failure(
            title="Not listed, and not known to be gone",
            message="Nothing is deleted in this run.",
            context=f"{'.'.join(name)}: {problem}.",
        )

    def _confirm_present(self, urn: str, name: Name, old: AssignedDataset, item: ItemT) -> None:
        """Keep the facts on the assets that an item still has: it was only filtered out, or lost a part."""
        assets = self.list_assets(urn, item)
        kept = {asset: names for asset, names in old.properties.items() if asset in assets}
        self.assigned.remember(urn, name, kept, typed=old.typed and bool(assets))

    @override
    def close(self) -> None:
        # A run that broke off retracted nothing, and must not forget what there is to retract.
        self.assigned.keep_for_next_run()
