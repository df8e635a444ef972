"""Scores as an assertion with its runs where a threshold is known, and as a time series everywhere.

A server shows an assertion without a run as "Initializing" for ever, and it shows no value of a run. So there is no
assertion without a threshold, and the last score of each metric is a structured property too.
https://docs.datahub.com/docs/generated/metamodel/entities/assertion
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any, Final

from datahub.metadata.schema_classes import (
    AssertionInfoClass,
    AssertionNoteClass,
    AssertionResultClass,
    AssertionResultErrorClass,
    AssertionRunEventClass,
    AssertionSourceClass,
    AssertionStdParameterClass,
    AssertionStdParametersClass,
    CustomAssertionInfoClass,
)

from datahub_llmops import urns
from datahub_llmops.aspects.generated import (
    LlmScoresClass,
    ScoreCategoryClass,
    UsagePartitionClass,
    UsageWindowClass,
)
from datahub_llmops.assets.observations import Judge, Limit, Scores
from datahub_llmops.mapping.platforms import platform_instance
from datahub_llmops.mapping.properties import AssetPatch
from datahub_llmops.mapping.proposals import Proposal, propose
from datahub_llmops.urns import Deployment

EVALUATION: Final = "LLM Evaluation"
"""Type of the assertions: a server groups them by it."""
LAST_SCORES: Final = "last_scores"
_VERDICTS: Final = {True: "passed", False: "failed", None: "not known"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """Scores of one asset, with the threshold that holds for them."""

    asset: str
    """URN of the version of a prompt, or of an application's answer log."""
    scores: Scores
    limit: Limit | None
    tool: Deployment

    @property
    def urn(self) -> str:
        """URN of the assertion. Another judge, model of a judge or data set is another series."""
        return urns.evaluation(
            {
                "kind": "evaluation",
                "tool": self.tool.platform,
                "instance": self.tool.instance or "",
                "asset": self.asset,
                "metric": self.scores.metric,
                "data_set": self.scores.data_set or "",
                **{f"judge_{name}": value for name, value in judge_facts(self.scores.judge).items()},
            }
        )

    @property
    def mean(self) -> float | None:
        """The mean, if there is one."""
        mean = self.scores.mean
        known = self.scores.count and mean is not None and math.isfinite(mean)
        return mean if known and self.scores.kind != "categorical" else None

    @property
    def passed(self) -> bool | None:
        """Whether the mean is within the threshold; ``None`` if that is not known."""
        return None if self.limit is None or self.mean is None else self.limit.holds(self.mean)

    @property
    def day(self) -> date | None:
        """The day of traffic that the scores are of; ``None`` for an experiment."""
        try:
            return date.fromisoformat(self.scores.run) if self.scores.data_set is None else None
        except ValueError:
            return None

    @property
    def milliseconds(self) -> int:
        """Time of the scores. A day has one time, however often it is read, so that a repeat replaces it."""
        at = self.scores.at if self.day is None else datetime.combine(self.day, time(), UTC)
        return round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)

    @property
    def shown(self) -> str:
        """The scores in one line: ``faithfulness 0.91 of 120, passed``."""
        scores = self.scores
        if scores.kind == "categorical" and scores.categories:
            most, times = min(scores.categories.items(), key=lambda item: (-item[1], item[0]))
            said = f'"{most.replace(chr(34), chr(39))}" {times} of {scores.count}'
        else:
            said = f"{_number(self.mean)} of {scores.count}" if self.mean is not None else "not known"
        verdict = f", {_VERDICTS[self.passed]}" if self.limit is not None and self.mean is not None else ""
        return f"{scores.metric} {said}{verdict}"


def judge_facts(judge: Judge) -> dict[str, str]:
    """What identifies a judge, as far as the tool states it."""
    prompt = f"{judge.prompt.name}.v{judge.prompt.version}" if judge.prompt else None
    facts = {
        "kind": judge.kind,
        "name": judge.name,
        "version": judge.version,
        "model": judge.model,
        "prompt": prompt,
    }
    return {name: value for name, value in facts.items() if value}


def assertion_proposals(evaluation: Evaluation, present: Mapping[str, Any]) -> Iterator[Proposal]:
    """Describe the assertion. ``present`` is its ``assertionInfo`` in the catalog, whose note belongs to people."""
    limit, scores = evaluation.limit, evaluation.scores
    if limit is None:
        return
    operator, parameters = _condition(limit)
    note = present.get("note")
    yield propose(
        evaluation.urn,
        AssertionInfoClass(
            type="CUSTOM",
            customAssertion=CustomAssertionInfoClass(
                type=EVALUATION,
                entity=evaluation.asset,
                scope="DATASET_ROWS",
                aggregation="MEAN",
                operator=operator,
                parameters=parameters,
                nativeType=scores.metric,
                nativeParameters={
                    **{f"judge_{name}": value for name, value in judge_facts(scores.judge).items()},
                    **({"data_set": scores.data_set} if scores.data_set else {}),
                },
            ),
            source=AssertionSourceClass(type="EXTERNAL"),
            description=f"{scores.metric} {_words(limit)} {_where(scores)}, {_judged(scores.judge)}",
            note=AssertionNoteClass.from_obj(note) if note else None,
            entityUrn=evaluation.asset,
        ),
    )
    yield propose(evaluation.urn, platform_instance(evaluation.tool))


def run_event(evaluation: Evaluation) -> Proposal:
    """Report one run of the assertion. What is not known is an error, and no success."""
    scores, passed = evaluation.scores, evaluation.passed
    kind = "ERROR" if passed is None else "SUCCESS" if passed else "FAILURE"
    native = {
        **{
            ("judge" if name == "name" else f"judge_{name}"): value
            for name, value in judge_facts(scores.judge).items()
        },
        **({"mean": _number(evaluation.mean)} if evaluation.mean is not None else {}),
        **({"failed": str(scores.failed)} if scores.failed else {}),
        **({"data_set": scores.data_set} if scores.data_set else {}),
    }
    return propose(
        evaluation.urn,
        AssertionRunEventClass(
            timestampMillis=evaluation.milliseconds,
            runId=scores.run,
            messageId=scores.run,
            asserteeUrn=evaluation.asset,
            assertionUrn=evaluation.urn,
            status="COMPLETE",
            result=AssertionResultClass(
                type=kind,
                rowCount=scores.count,
                unexpectedCount=scores.unexpected,
                actualAggValue=evaluation.mean,
                nativeResults=native,
                externalUrl=scores.url,
                error=AssertionResultErrorClass(type="INSUFFICIENT_DATA") if passed is None else None,
            ),
        ),
    )


def scores_aspect(evaluation: Evaluation) -> LlmScoresClass:
    """Build the record of the time series of scores."""
    scores, limit = evaluation.scores, evaluation.limit
    judge = judge_facts(scores.judge)
    series = [scores.metric, scores.data_set or "traffic", *judge.values()]
    return LlmScoresClass(
        timestampMillis=evaluation.milliseconds,
        eventGranularity=UsageWindowClass(unit="DAY", multiple=1) if evaluation.day else None,
        partitionSpec=UsagePartitionClass(
            partition="/".join([f"source={evaluation.tool.platform}", *series])
        ),
        messageId=scores.run,
        metric=scores.metric,
        kind=scores.kind,
        scores=scores.count,
        mean=evaluation.mean,
        categories=[
            ScoreCategoryClass(category=category, count=count)
            for category, count in sorted(scores.categories.items())
        ]
        or None,
        unexpected=scores.unexpected,
        failed=scores.failed or None,
        atLeast=limit.at_least if limit else None,
        atMost=limit.at_most if limit else None,
        passed=evaluation.passed,
        judgeKind=scores.judge.kind,
        judgeName=scores.judge.name,
        judgeVersion=scores.judge.version,
        judgeModel=scores.judge.model,
        judgePrompt=judge.get("prompt"),
        dataSet=scores.data_set,
        run=scores.run,
        url=scores.url,
        shown=evaluation.shown,
    )


def last_scores(asset: str, newest: Iterable[Evaluation], present: Mapping[str, Any]) -> Iterator[Proposal]:
    """Assign the last score of each metric. Those of other metrics in ``present``, ``structuredProperties``, stay."""
    lines = {evaluation.scores.metric: evaluation.shown for evaluation in newest}
    urn = urns.structured_property(LAST_SCORES)
    held = [
        str(next(iter(value.values())) if isinstance(value, dict) else value)
        for one in present.get("properties") or ()
        if one.get("propertyUrn") == urn
        for value in one.get("values") or ()
    ]
    kept = [line for line in held if not any(_is_of(metric, line) for metric in lines)]
    yield from (
        AssetPatch(asset).set_properties({LAST_SCORES: tuple(sorted([*kept, *lines.values()]))}).build()
    )


def _is_of(metric: str, line: str) -> bool:
    """Whether a line shows this metric, and none whose name only begins alike."""
    said = rf'{re.escape(metric)} (not known|("[^"]*" )?\S+ of \d+(, (passed|failed))?)'
    return re.fullmatch(said, line) is not None


def _number(value: float) -> str:
    return f"{value:.4g}"


def _words(limit: Limit) -> str:
    bounds = (("at least", limit.at_least), ("at most", limit.at_most))
    return " and ".join(f"{word} {_number(bound)}" for word, bound in bounds if bound is not None)


def _where(scores: Scores) -> str:
    return f"on data set {scores.data_set}" if scores.data_set else "in traffic"


def _judged(judge: Judge) -> str:
    who = " ".join(filter(None, (judge.name, judge.version)))
    by = {"human": "by people", "code": "by code", "llm": "by an LLM"}[judge.kind]
    model = f" with {judge.model}" if judge.model else ""
    return f"judged {by}{f' ({who})' if who else ''}{model}"


def _condition(limit: Limit) -> tuple[str, AssertionStdParametersClass]:
    def number(value: float) -> AssertionStdParameterClass:
        return AssertionStdParameterClass(value=str(value), type="NUMBER")

    if limit.at_least is not None and limit.at_most is not None:
        return "BETWEEN", AssertionStdParametersClass(
            minValue=number(limit.at_least), maxValue=number(limit.at_most)
        )
    if limit.at_least is not None:
        return "GREATER_THAN_OR_EQUAL_TO", AssertionStdParametersClass(value=number(limit.at_least))
    return "LESS_THAN_OR_EQUAL_TO", AssertionStdParametersClass(value=number(limit.at_most or 0.0))
