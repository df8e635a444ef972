"""The report of a run of ``llm-spans``."""

from __future__ import annotations

from dataclasses import dataclass, field

from datahub.ingestion.source.state.stateful_ingestion_base import StatefulIngestionReport

from datahub_llmops.ingestion.report import CleanReport
from datahub_llmops.spans.doors.door import Problem, ReadCounts


@dataclass
class SpansReport(CleanReport, StatefulIngestionReport):
    """What was read, counted and found."""

    event_not_produced_warn: bool = False
    read: ReadCounts = field(default_factory=ReadCounts)
    days: int = 0
    """Days that were counted as a whole."""
    applications: int = 0
    answers: int = 0
    indexes_found_by: dict[str, int] = field(default_factory=dict)
    """Retrievals whose index was found, by the way that found it."""
    indexes_not_known: dict[str, int] = field(default_factory=dict)
    """Retrievals whose index is not known, by application and store, with the reason."""
    sources_unmatched: int = 0
    """Different values that name the source of a chunk and that no rule turns into a dataset."""
    probe_questions: int = 0
    """Retrievers whose chunks were looked up in stores."""
    stores_not_asked: int = 0
    embedding_runs: int = 0
    """Runs of jobs that wrote into an index, from sealed segments."""
    unmatched_sources: int = 0
    """Chunks that such a run wrote, whose source no rule turns into a dataset."""
    scores_read: int = 0
    """Series of scores by day, metric and kind of judge."""
    assertions: int = 0
    """Series that a threshold holds for."""
    unnamed_parts: int = 0
    """Prompts, retrievals and model calls whose name cannot be part of a URN."""
    answers_passed_over: int = 0
    """Answers whose application has no usable name."""
    models_that_changed: int = 0
    models_not_observable: list[str] = field(default_factory=list)
    """Models asked for by a name that moves, such as `*-latest`, where no span says which one served."""
    custom_aspects: str = ""
    """What was decided about typed aspects, and why."""
    understood_less: bool = False
    """Whether something could not be read, so that no edge is retired."""

    def tell(self, problem: Problem) -> None:
        """Take up what a door has to say."""
        say = {"failure": self.failure, "warning": self.warning, "info": self.info}[problem.kind]
        say(title=problem.title, message=problem.message, context=problem.context)
        self.understood_less |= problem.kind != "warning"
