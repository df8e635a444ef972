"""What a recipe of ``llm-spans`` remembers: how far it has read, the indexes it has found, and the models that served.

DataHub commits it after the sink's flush. A run that ends early keeps what the last one remembered.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, Final

from datahub.ingestion.api.common import PipelineContext
from datahub.ingestion.source.state.checkpoint import Checkpoint, CheckpointStateBase
from datahub.ingestion.source.state.stateful_ingestion_base import StateProviderWrapper
from pydantic import BaseModel, Field
from typing_extensions import override

from datahub_llmops.ingestion.recipe_memory import RecipeMemory

ASKED_AGAIN: Final = timedelta(days=7)
"""Age after which the stores are asked again for an index."""
MAX_FOUND: Final = 10_000
FORMAT: Final = 1
"""The form in which spans are counted. Raise it when what was sent before has to be sent again."""


class FoundIndex(BaseModel):
    """What the stores said of one retriever."""

    indexes: dict[str, str] = Field(default_factory=dict)
    """The indexes that it searches, with the days of the questions in ISO form."""
    reason: str = ""
    """Why there is none."""
    on: str
    """The day of the oldest question."""

    def holds(self, today: date) -> bool:
        """Whether the answer is new enough."""
        asked = date.fromisoformat(self.on)
        return asked <= today < asked + ASKED_AGAIN


class SpansState(CheckpointStateBase):
    """What the last run that ended knew."""

    format: int = 0
    typed: bool = False
    """Whether the target accepted typed aspects. Those of the past are sent once it does."""
    place: str = ""
    """The door, and what it reads."""
    position: dict[str, Any] = Field(default_factory=dict)
    whole_since: str | None = None
    """The first day, in ISO form, since which every run has understood everything."""
    stores: list[str] = Field(default_factory=list)
    found: dict[str, FoundIndex] = Field(default_factory=dict)
    """By application, retriever, class of the store and platform."""
    served: dict[str, Any] = Field(default_factory=dict)
    """The models that served last: see ``answers.served_models``."""
    scored: dict[str, str] = Field(default_factory=dict)
    """By asset and metric: the days of their last scores, in ISO form."""

    def is_outdated(self, place: str, *, typed: bool) -> bool:
        """Whether everything has to be counted again."""
        return self.format < FORMAT or self.place != place or (typed and not self.typed)


class SpansMemory(RecipeMemory[SpansState]):
    """Keeps ``SpansState`` from one run to the next."""

    subject = "position"
    state_type = SpansState

    def __init__(self, provider: StateProviderWrapper, ignored: bool, ctx: PipelineContext) -> None:
        super().__init__(provider, None, ctx, "llm-spans")
        self._ignored = ignored
        self._last: SpansState | None = None

    @override
    def is_checkpointing_enabled(self) -> bool:
        # This state removes nothing.
        return bool(self._provider.is_stateful_ingestion_configured())

    @override
    def create_checkpoint(self) -> Checkpoint[SpansState] | None:
        if self._ignored or not self._ctx.pipeline_name:
            return None
        return super().create_checkpoint()

    def last(self) -> SpansState:
        """Return what the last run remembered."""
        if self._last is None:
            self._last = self.read_state()
        return self._last

    def reached(self, state: SpansState) -> None:
        """Set what is committed after the sink has confirmed."""
        current = self.state_to_commit()
        if current is not None:
            for name in SpansState.model_fields:
                if name in state.model_fields_set:
                    setattr(current, name, getattr(state, name))

    def keep(self) -> None:
        """Keep what the last run remembered if this one ended early."""
        if not self.committed and self.is_checkpointing_enabled():
            self.reached(self.last())
