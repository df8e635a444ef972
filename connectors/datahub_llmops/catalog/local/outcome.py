"""Tells the sink ``llm-local`` how the run ended, which a DataHub pipeline tells its reporters only.

The sink asks for this reporter itself, so no recipe has to name it.
"""

from __future__ import annotations

from typing import Any, Final, Protocol, runtime_checkable

from datahub.configuration.common import IgnorableError
from datahub.ingestion.api.common import PipelineContext
from datahub.ingestion.api.pipeline_run_listener import PipelineRunListener
from datahub.ingestion.api.sink import Sink
from datahub.ingestion.run.pipeline_config import PipelineConfig, ReporterConfig
from typing_extensions import override

from datahub_llmops.catalog.local.pipeline_runs import OUTCOMES, RunOutcome


@runtime_checkable
class NotesOutcome(Protocol):
    """A sink that wants to know how the run ended."""

    def begin_run(self) -> None:
        """Take note that the outcome will be told."""

    def end_run(self, outcome: RunOutcome) -> None:
        """Take note of the outcome."""


class OutcomeReporter(PipelineRunListener):
    """Hands the status of the run on to the sink."""

    def __init__(self, sink: NotesOutcome) -> None:
        self._sink = sink

    @classmethod
    @override
    def create(
        cls, config_dict: dict[str, Any], ctx: PipelineContext, sink: Sink[Any, Any]
    ) -> OutcomeReporter:
        """
        Raises:
            IgnorableError: the sink of the pipeline is another one, and ``llm-local`` that of a reporter.
        """
        if not isinstance(sink, NotesOutcome):
            raise IgnorableError(f"{type(sink).__name__} takes no outcome")
        sink.begin_run()
        return cls(sink)

    @override
    def on_start(self, ctx: PipelineContext) -> None:
        """The sink knows that the run began."""

    @override
    def on_completion(self, status: str, report: dict[str, Any], ctx: PipelineContext) -> None:
        self._sink.end_run(next((one for one in OUTCOMES if one == status), "UNKNOWN"))


_TYPE: Final = f"{OutcomeReporter.__module__}.{OutcomeReporter.__name__}"


def ask_for_outcome(config: PipelineConfig | None) -> None:
    """Let the pipeline that is being built make an ``OutcomeReporter``. The sink is built before the reporters are."""
    if config is not None and all(reporter.type != _TYPE for reporter in config.reporting):
        config.reporting.append(ReporterConfig(type=_TYPE, required=False))
