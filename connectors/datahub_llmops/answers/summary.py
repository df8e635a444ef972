"""Adds up the usage of recorded answers by one dimension. It needs no catalog, and does not import DataHub."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from datahub_llmops.answer_store.recorded import ModelCall, RecordedAnswer
from datahub_llmops.assets.usage import Totals, model_name

if TYPE_CHECKING:
    from datahub_llmops.answers.prices import PricesConfig


def added_up(answers: Iterable[RecordedAnswer], by: str, prices: PricesConfig | None) -> dict[str, Totals]:
    """Add up usage by ``application``, ``version``, ``day`` (local time), ``model`` or ``prompt``."""
    found: dict[str, Totals] = {}
    for answer in answers:
        if by in ("model", "prompt"):
            for call in answer.models:
                name = _model(call) if by == "model" else _prompt(answer, call)
                total = found.setdefault(name, Totals())
                total.add(weight=answer.weight, started=answer.started, ended=answer.ended)
                total.add_end(
                    weight=answer.weight, milliseconds=call.milliseconds, failed=call.status == "error"
                )
                _tokens(total, answer, call, prices)
            continue
        total = found.setdefault(_of(answer, by), Totals())
        total.add(weight=answer.weight, started=answer.started, ended=answer.ended)
        spent = round((answer.ended - answer.started) * 1000)
        total.add_end(weight=answer.weight, milliseconds=spent, failed=answer.status == "error")
        for call in answer.models:
            _tokens(total, answer, call, prices)
    return found


def _tokens(total: Totals, answer: RecordedAnswer, call: ModelCall, prices: PricesConfig | None) -> None:
    total.add_tokens(
        weight=answer.weight, tokens=call.tokens, cost=prices.call_cost(call) if prices else None
    )


def _of(answer: RecordedAnswer, by: str) -> str:
    if by == "day":
        return time.strftime("%Y-%m-%d", time.gmtime(answer.started))
    return answer.application if by == "application" else f"{answer.application} {answer.version or '-'}"


def _model(call: ModelCall) -> str:
    return model_name(call.served) or model_name(call.asked) or "unknown"


def _prompt(answer: RecordedAnswer, call: ModelCall) -> str:
    """Describe a prompt by name and version, or by the beginning of its digest if it has no name."""
    if call.prompt is None or call.prompt >= len(answer.prompts):
        return "no prompt known"
    raw = answer.prompts[call.prompt]
    name = raw.get("name") or raw.get("urn") or f"template {str(raw.get('digest'))[:12]}"
    return f"{name} {raw['version']}" if raw.get("version") else str(name)
