"""A memory of the assets that the last run checked, so that the assertions of those that are gone are removed.

It holds one URN for each asset. DataHub's own memory would hold one for each assertion, several times over.
"""

from __future__ import annotations

from collections.abc import Iterable

from datahub.ingestion.source.state.checkpoint import CheckpointStateBase
from pydantic import Field

from datahub_llmops.ingestion.recipe_memory import RecipeMemory


class CheckedState(CheckpointStateBase):
    """The assets that a recipe checked, by URN."""

    assets: list[str] = Field(default_factory=list)


class CheckedAssets(RecipeMemory[CheckedState]):
    """The memory of one recipe. Without stateful ingestion it is empty, and nothing is removed."""

    subject = "checked_assets"
    state_type = CheckedState

    def last(self) -> frozenset[str]:
        """Return what the last run checked."""
        return frozenset(self.read_state().assets)

    def remember(self, assets: Iterable[str]) -> None:
        """Set what is committed after the sink has confirmed."""
        state = self.state_to_commit()
        if state is not None:
            state.assets = sorted(assets)

    def keep(self) -> None:
        """Remember what the last run checked, if this one ended early."""
        if not self.committed and self.is_checkpointing_enabled():
            self.remember(self.last())
