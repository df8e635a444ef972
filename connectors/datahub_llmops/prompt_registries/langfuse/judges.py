"""Who scored: what Langfuse tells of its own evaluators."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

from datahub_llmops.assets.observations import Judge
from datahub_llmops.errors import DeniedError, UnreachableError, VanishedError
from datahub_llmops.ingestion.once import Once
from datahub_llmops.net.json_values import mapping, mappings, moment, text
from datahub_llmops.prompt_registries.langfuse.client import LangfuseServer
from datahub_llmops.prompt_registries.langfuse.metrics import midnight, written_time


class Judges:
    """The judges of one project's scores."""

    def __init__(self, server: LangfuseServer) -> None:
        self._server = server
        self._evaluators = Once(self._read_evaluators)
        self._found: dict[tuple[str, date], Judge] = {}

    def judge(self, metric: str, source: str, day: date) -> Judge:
        """Return who gave the scores of one metric on one day.

        ``ANNOTATION`` is a person. ``API`` is a program, which may pass on what a person said: Langfuse does not know.
        ``EVAL`` is one of Langfuse's own evaluators, which the last score of the day names.
        """
        if source == "ANNOTATION":
            return Judge(kind="human")
        if source != "EVAL":
            return Judge(kind="code")
        key = (metric, day)
        if key not in self._found:
            self._found[key] = self._read_judge(metric, day)
        return self._found[key]

    def _read_judge(self, metric: str, day: date) -> Judge:
        asked: dict[str, str | int] = {
            "name": metric,
            "source": "eval",
            "fields": "details",
            "fromTimestamp": written_time(midnight(day)),
            "toTimestamp": written_time(midnight(day + timedelta(days=1))),
            "limit": 1,
        }
        try:
            found = mappings(self._server.get("/v3/scores", asked).get("data"))
        except (VanishedError, UnreachableError):
            # Langfuse 3 has no such endpoint.
            return Judge(kind="llm")
        score = found[0] if found else {}
        details = mapping(score.get("metadata"))
        evaluator = self._evaluators().get(text(details.get("evaluator_id")) or "", {})
        return Judge(
            kind="code" if evaluator.get("type") == "code" else "llm",
            name=text(evaluator.get("name")),
            version=text(details.get("evaluator_version_id")),
            model=_model(evaluator, moment(score.get("timestamp"))),
        )

    def _read_evaluators(self) -> Mapping[str, Mapping[str, Any]]:
        try:
            found = {text(entry.get("id")): entry for entry in self._server.pages("/unstable/evaluators")}
        except (VanishedError, UnreachableError, DeniedError):
            # Not in all versions, and not for all keys: the version of the evaluator still tells judges apart.
            return {}
        return {id: entry for id, entry in found.items() if id}


def _model(evaluator: Mapping[str, Any], scored: datetime | None) -> str | None:
    """Return the evaluator's model, unless the evaluator was changed after the score."""
    changed, config = moment(evaluator.get("updatedAt")), mapping(evaluator.get("modelConfig"))
    provider, model = text(config.get("provider")), text(config.get("model"))
    if model is None or changed is None or scored is None or changed > scored:
        return None
    return f"{provider}/{model}" if provider else model
