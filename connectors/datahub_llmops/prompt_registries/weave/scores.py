"""Reads scores out of feedback: that of answers by day, that of an evaluation as a whole.

https://docs.wandb.ai/weave/guides/core-types/evaluations
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from datahub_llmops.assets.collections import FailedListing
from datahub_llmops.assets.observations import Judge, Scores, Window
from datahub_llmops.assets.prompts import PromptRef
from datahub_llmops.errors import UnreadableError
from datahub_llmops.net.http import path_part
from datahub_llmops.prompt_registries.weave.calls import CallRow, Calls
from datahub_llmops.prompt_registries.weave.client import WeaveServer
from datahub_llmops.prompt_registries.weave.days import MOST, Day, midnight
from datahub_llmops.prompt_registries.weave.feedback import Feedback, Given
from datahub_llmops.prompt_registries.weave.usage import Namer


@dataclass(frozen=True, slots=True)
class _Run:
    """A day of answers, or an evaluation: scores that belong together."""

    id: str
    at: datetime
    data_set: str | None
    url: str


class FeedbackScores:
    """A ``ScoreReader`` of one project."""

    def __init__(self, server: WeaveServer, calls: Calls, feedback: Feedback, namer: Namer) -> None:
        self._server = server
        self._calls = calls
        self._feedback = feedback
        self._namer = namer

    def scores(self, window: Window) -> Iterator[Scores | FailedListing]:
        """Yield the scores that were given within ``window``. Raises only ``ConnectorError``."""
        for day in self._feedback.by_day(window):
            if day.whole:
                yield from self._of_day(day)
            else:
                error = UnreadableError(
                    f"{self._server.name}: the project got more than {MOST:,} pieces of feedback on {day.day}. The "
                    "scores of that day are left out."
                )
                yield FailedListing(name=(day.day.isoformat(),), error=error, is_item=False)

    def _of_day(self, day: Day[Given]) -> Iterator[Scores | FailedListing]:
        given = [one for one in day.rows if one.call and one.values]
        traces = {row.id: row.trace for row in self._calls.of_ids(one.call for one in given)}
        roots = {row.trace: row for row in self._calls.roots_of(traces.values())}
        given = [one for one in given if traces.get(one.call) in roots]
        if not given:
            return
        prompts = self._prompts(roots)
        evaluations = self._calls.evaluations(root.id for root in roots.values() if root.is_evaluation)
        judges = self._judges(given)
        collected: dict[tuple[PromptRef | str, str, Judge, _Run], list[float | bool]] = defaultdict(list)
        nameless: set[str] = set()
        for one in given:
            root = roots[traces[one.call]]
            subjects: list[PromptRef | str] = list(prompts.get(root.trace, ()))
            if root.is_evaluation:
                run = self._evaluation(root, evaluations.get(root.id))
                if not subjects:
                    nameless.add(root.id)
            else:
                run = _Run(day.day.isoformat(), midnight(day.day), None, self._namer.page)
                subjects.append(self._namer.application(root))
            for metric, value in one.values.items():
                for subject in subjects:
                    collected[subject, metric, judges[one.scorer, one.judge], run].append(value)
        for (subject, metric, judge, run), values in collected.items():
            yield _build(subject, metric, judge, run, values)
        if nameless:
            yield self._without_prompt(nameless)

    def _prompts(self, roots: Mapping[str, CallRow]) -> dict[str, list[PromptRef]]:
        """Map traces to the versions that any of their calls was given."""
        found: dict[str, list[PromptRef]] = defaultdict(list)
        for ref in self._calls.used(min(root.at for root in roots.values())):
            for trace in self._calls.traces_given(ref, roots):
                found[trace].append(ref)
        return found

    def _judges(self, given: Collection[Given]) -> dict[tuple[object, str], Judge]:
        """Build a judge for each scorer. One that used a model is a model; one of its calls tells that."""
        example = {one.scorer: one.scored_by[0] for one in given if one.scorer and one.scored_by}
        calls = {row.id: row for row in self._calls.of_ids(example.values())}
        found: dict[tuple[object, str], Judge] = {}
        for one in given:
            if one.scorer is None:
                found[None, one.judge] = Judge(kind=one.judge)
            elif (one.scorer, one.judge) not in found:
                call = calls.get(example.get(one.scorer, ""))
                models = list(call.models) if call else []
                found[one.scorer, one.judge] = Judge(
                    kind="llm" if models else one.judge,
                    name=one.scorer.name,
                    version=one.scorer.digest,
                    model=models[0] if len(models) == 1 else None,
                )
        return found

    def _evaluation(self, root: CallRow, name: str | None) -> _Run:
        page = f"{self._server.pages}/calls/{path_part(root.id)}"
        return _Run(
            root.id, root.at, name or "evaluation", page
        )  # Without a name it must not be taken for traffic.

    def _without_prompt(self, evaluations: Iterable[str]) -> FailedListing:
        shown = sorted(evaluations)
        error = UnreadableError(
            f"{self._server.name}: {len(shown)} evaluations, such as {shown[0]}, were given no prompt of the project, "
            "so it is not known what their scores belong to. Publish the prompt, and hand it to the evaluated model."
        )
        return FailedListing(name=(shown[0],), error=error, is_item=False)


def _build(
    subject: PromptRef | str, metric: str, judge: Judge, run: _Run, values: list[float | bool]
) -> Scores:
    return Scores(
        metric=metric,
        subject=subject,
        kind="boolean" if all(isinstance(value, bool) for value in values) else "numeric",
        judge=judge,
        run=run.id,
        at=run.at,
        count=len(values),
        mean=sum(values) / len(values),
        data_set=run.data_set,
        url=run.url,
    )
