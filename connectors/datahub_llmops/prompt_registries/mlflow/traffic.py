"""The applications of an MLflow server within one window of days, and which of their traces are traffic."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from datahub_llmops.assets.collections import FailedListing
from datahub_llmops.assets.observations import Window
from datahub_llmops.assets.prompts import PromptRef
from datahub_llmops.errors import ConnectorError, DeniedError, UnreachableError, UnreadableError
from datahub_llmops.net.http import HttpClient, path_part
from datahub_llmops.prompt_registries.mlflow.listing import quoted
from datahub_llmops.prompt_registries.mlflow.metrics import PATH, Metrics, Question, Scope
from datahub_llmops.prompt_registries.mlflow.ratings import BY_NAME
from datahub_llmops.prompt_registries.mlflow.sums import CALLS
from datahub_llmops.prompt_registries.mlflow.tracking import (
    NO_TRAFFIC,
    SOURCE_RUN,
    Experiment,
    LoggedModel,
    Run,
    Sighting,
    Tracking,
)

NamedBy: TypeAlias = Literal["logged_model", "experiment", "trace_name"]
"""What counts as an application."""

_JUDGED_BY: Final = "trace.tag.`mlflow.trace.sourceScorer`"
_SERVER_INFO: Final = "/api/3.0/mlflow/server-info"
_NAMES: Final = Question(
    view="TRACES", metric="trace_count", aggregations=("COUNT",), dimensions=("trace_name",)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What is asked of a server. ``prompts_of`` lists the versions of the prompts of an experiment."""

    url: str
    """Root of the server's pages."""
    named_by: NamedBy = "logged_model"
    is_wanted: Callable[[str], bool] = lambda name: True
    prompts_of: Callable[[str], Iterable[PromptRef]] = lambda experiment: ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the traces of an application are: all that it is in one experiment, or one version of it."""

    application: str
    scope: Scope
    conditions: tuple[str, ...] = ()
    """The same as ``scope``, as ``traces/search`` writes it."""
    version: str | None = None
    page: str | None = None
    prompts: tuple[PromptRef, ...] = ()
    """Versions of prompts that it may have used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """Traces to subtract from a sum, or to add again since two others subtracted them."""

    sign: int
    conditions: tuple[str, ...]


class Traffic:
    """What is asked about one window. Every method raises ``ConnectorError`` only."""

    def __init__(self, client: HttpClient, settings: Settings, window: Window) -> None:
        self.window = window
        self.tracking = Tracking(client)
        self.metrics = Metrics(client)
        self._client = client
        self._settings = settings
        self._experiments: list[Experiment] = []
        self._models: list[LoggedModel] = []
        self._runs: dict[str, list[Run]] = {}
        self._terms: dict[str, list[Term]] = {}

    def look_up(self) -> FailedListing | None:
        """Find experiments, applications and runs; return why nothing can be asked about traces, if so.

        Raises:
            DeniedError: the user may see no experiment.
        """
        self._experiments = self.tracking.experiments()
        if not self._experiments:
            return None
        if error := self._explain_old_server():
            return FailedListing(name=("traces",), error=error, is_item=False)
        self._models = self.tracking.models(self._experiments)
        for run in self.tracking.runs(self._experiments, self.window, deleted=True):
            if run.type in NO_TRAFFIC:
                self._runs.setdefault(run.experiment, []).append(run)
        return None

    def _explain_old_server(self) -> ConnectorError | None:
        denied: DeniedError | None = None
        for experiment in self._experiments:
            try:
                self._is_there(Scope(experiment=experiment.id))
            except DeniedError as error:
                denied = error
            except UnreachableError:
                if not self._lacks_newer_paths():
                    raise
                return UnreadableError(
                    f"{self._client.name} has no {PATH}, so it is too old to say what applications did: prompts are "
                    "read, applications and scores are not. Upgrade MLflow, or set applications and evaluations to "
                    "false."
                )
            else:
                return None
        if denied is not None:
            raise denied
        return None

    def _lacks_newer_paths(self) -> bool:
        """Whether the server still answers, and lacks another path of its newer releases too.

        It answers unknown paths as a gateway or a login page in front of it may, so one path alone says nothing.
        """
        self.tracking.experiments()
        try:
            self._client.get(_SERVER_INFO)
        except UnreachableError:
            return True
        return False

    @property
    def experiments(self) -> list[Experiment]:
        return self._experiments

    def applications_of(self, run: Run) -> set[str]:
        """The wanted applications that a run evaluated, as far as MLflow says so."""
        if self._settings.named_by == "logged_model":
            names = {model.name for model in self._models if run.id in model.runs}
        elif self._settings.named_by == "experiment":
            names = {experiment.name for experiment in self._experiments if experiment.id == run.experiment}
        else:
            names = set()
        return {name for name in names if self._settings.is_wanted(name)}

    def places(self) -> Iterator[Place | FailedListing]:
        """List the applications that are wanted, with where their traces are."""
        if self._settings.named_by == "logged_model":
            for model in self._models:
                if self._settings.is_wanted(model.name):
                    condition = f"metadata.`mlflow.modelId` = '{model.id}'"
                    yield Place(
                        application=model.name,
                        scope=Scope(experiment=model.experiment, conditions=(f"trace.{condition}",)),
                        conditions=(condition,),
                        version=model.id,
                        page=self.page(model.experiment, f"models/{path_part(model.id)}"),
                        prompts=model.prompts,
                    )
        else:
            find: Callable[[Experiment], Iterator[Place | FailedListing]]
            find = self._experiment if self._settings.named_by == "experiment" else self._trace_names
            for experiment in self._experiments:
                yield from find(experiment)

    def _experiment(self, experiment: Experiment) -> Iterator[Place]:
        if self._settings.is_wanted(experiment.name):
            yield Place(
                application=experiment.name,
                scope=Scope(experiment=experiment.id),
                page=self.page(experiment.id, "traces"),
                prompts=tuple(self._settings.prompts_of(experiment.id)),
            )

    def _trace_names(self, experiment: Experiment) -> Iterator[Place | FailedListing]:
        rows = self.metrics.ask(_NAMES, Scope(experiment=experiment.id), self.window)
        for name in sorted({row.dimensions[0] for row in rows}):
            if not name or not self._settings.is_wanted(name):
                continue
            value = quoted(name)
            if value is None:
                error = UnreadableError(
                    f"{self._client.name}: traces named {name!r} cannot be asked for, because the name has both kinds "
                    "of quotation marks. Leave it out by applications.pattern."
                )
                yield FailedListing(name=(name,), error=error)
                continue
            condition = f"tag.`mlflow.traceName` = {value}"
            yield Place(
                application=name,
                scope=Scope(experiment=experiment.id, conditions=(f"trace.{condition}",)),
                conditions=(condition,),
                page=self.page(experiment.id, "traces"),
                prompts=tuple(self._settings.prompts_of(experiment.id)),
            )

    def terms(self, experiment: str) -> list[Term]:
        """What is not traffic in an experiment: traces of evaluations, and of judges.

        Most experiments have neither, so each is counted once for the whole experiment before it is subtracted.
        """
        if experiment not in self._terms:
            scope = Scope(experiment=experiment)
            runs = [
                f"trace.{SOURCE_RUN} = '{run.id}'"
                for run in self._runs.get(experiment, [])
                if self._ran(run, scope)
            ]
            names = {row.dimensions[0] for row in self.metrics.ask(BY_NAME, scope, self.window)}
            values = (quoted(name) for name in sorted(names))
            judges = [
                condition
                for value in values
                if value and self._is_there(scope.narrowed(condition := f"{_JUDGED_BY} = {value}"))
            ]
            self._terms[experiment] = [
                *(Term(sign=-1, conditions=(condition,)) for condition in (*runs, *judges)),
                *(Term(sign=1, conditions=(run, judge)) for run in runs for judge in judges),
            ]
        return self._terms[experiment]

    def _ran(self, run: Run, scope: Scope) -> bool:
        """Whether a run made the traces that MLflow lists for it; one that rated traffic is linked to it, too."""
        if not self._is_there(scope.narrowed(f"trace.{SOURCE_RUN} = '{run.id}'")):
            return False
        linked = (f"{SOURCE_RUN} = '{run.id}'", f"{SOURCE_RUN} IS NULL")
        return self.tracking.newest(scope.experiment, self.window, linked) is None

    def _is_there(self, scope: Scope) -> bool:
        return any(row.values["COUNT"] > 0 for row in self.metrics.ask(CALLS, scope, self.window))

    def newest(self, experiment: str, conditions: tuple[str, ...]) -> Sighting | None:
        """Find the newest trace of the window that meets the conditions and is not an evaluation's."""
        found = self.tracking.newest(experiment, self.window, conditions)
        if found and found.run in {run.id for run in self._runs.get(experiment, ())}:
            found = self.tracking.newest(experiment, self.window, (*conditions, f"{SOURCE_RUN} IS NULL"))
        return found

    def page(self, experiment: str, part: str) -> str:
        """Address of a page about an experiment."""
        return f"{self._settings.url}/#/experiments/{path_part(experiment)}/{part}"
