"""Which of a tool's rows make a total."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from datahub_llmops import urns
from datahub_llmops.assets.observations import Observed
from datahub_llmops.assets.prompts import PromptRef
from datahub_llmops.assets.usage import Tokens
from datahub_llmops.ingestion.applications.rollup import Rollup
from datahub_llmops.ingestion.applications.tool_totals import Seen, Tool, add_up
from support.scripted_tool import observed, on

START = int(on(19, 0).timestamp())
ONE = PromptRef(name="answer", version="1")
TWO = PromptRef(name="answer", version="2")
TOOL = Tool(
    platform="langfuse",
    env="PROD",
    currency="USD",
    prompt_urn=lambda ref: urns.prompt_version("langfuse", ref.name, ref.version, env="PROD"),
)


def total(*rows: Observed, **missed: Any) -> Rollup:
    seen = Seen(**missed)
    for row in rows:
        seen.rows[row.application, row.day].append(row)
    return add_up(seen, TOOL, {row.application: "langchain" for row in rows})


def calls(found: Rollup) -> dict[str, float]:
    """Calls by what they are counted for, of one day of one application."""
    counted = {
        f"prompt {urn.split(',')[1]}": one.calls
        for (urn, _, _), one in found.usage.items()
        if "langfuse" in urn
    }
    counted |= {f"model {name}": one.calls for (name, _, _), one in found.models.items()}
    counted |= {f"version {name}": one.calls for (_, name, _, _), one in found.versions.items()}
    if found.whole:
        [whole] = found.whole.values()
        counted["whole"] = whole.calls
    return counted


def test_a_total_that_the_tool_states_is_not_the_sum_of_its_parts() -> None:
    found = total(
        observed(19, 10),
        observed(19, 6, version="7"),
        observed(19, 3, version="8"),
        observed(19, 20, prompt=ONE),
        observed(19, 11, prompt=ONE, model="a/m"),
        observed(19, 8, prompt=ONE, model="a/n"),
        observed(19, 5, prompt=TWO, model="a/m"),
        observed(19, 30, model="a/m"),
    )
    assert calls(found) == {
        "whole": 10,
        "version 7": 6,
        "version 8": 3,
        "prompt answer.v1": 20,
        "prompt answer.v2": 5,
        "model a/m": 30,
        "model a/n": 8,
    }
    assert found.whole["support-bot", START, "langfuse"].calls == 10


def test_answers_are_the_sum_over_versions_and_never_that_of_calls() -> None:
    assert calls(total(observed(19, 6, version="7"), observed(19, 3, version="8")))["whole"] == 9
    assert "whole" not in calls(total(observed(19, 6, model="a/m"), observed(19, 3, prompt=ONE)))


def test_shared_assets_are_added_up_over_applications() -> None:
    found = total(
        observed(19, 1, model="a/m", tokens=Tokens(input=5), cost=0.1),
        observed(19, 2, application="other", model="a/m", tokens=Tokens(input=7, output=1), cost=0.2),
    )
    one = found.models["a/m", START, "langfuse"]
    assert (one.calls, one.tokens) == (3, {"input": 12, "output": 1})
    assert one.cost == pytest.approx(0.3)


def test_one_unknown_number_leaves_the_sum_unknown() -> None:
    found = total(
        observed(19, 1, model="a/m", errors=0, cost=0.1, milliseconds=10),
        observed(19, 2, application="other", model="a/m"),
    )
    one = found.models["a/m", START, "langfuse"]
    assert (one.errors, one.cost, one.milliseconds) == (None, None, None)


def test_costs_of_two_currencies_are_not_added_up() -> None:
    found = total(
        observed(19, 1, model="a/m", cost=0.1),
        observed(19, 2, application="other", model="a/m", cost=0.2, currency="EUR"),
    )
    assert found.models["a/m", START, "langfuse"].cost is None


@pytest.mark.parametrize(
    "missed",
    [
        {"missed_applications": {"other"}},
        {"missed": {("other", date(2026, 11, 19))}},
    ],
)
def test_a_total_over_applications_without_one_of_them_is_none(missed: dict[str, Any]) -> None:
    found = total(
        observed(19), observed(19, model="a/m"), observed(19, 2, application="other", model="a/m"), **missed
    )
    assert not found.models
    assert found.whole
    assert found.applications.keys() == {"support-bot"}
    assert found.applications["support-bot"].models == {"a/m": START + 86_399}


def test_the_time_of_the_last_call_lies_within_the_day() -> None:
    found = total(observed(19, prompt=ONE, last=on(20)), observed(18, prompt=TWO, last=on(18, 7)))
    application = found.applications["support-bot"]
    assert sorted(application.prompts.values()) == [on(18, 7).timestamp(), START + 86_399]


def test_names_that_fit_no_urn_are_counted_and_the_rest_is_taken() -> None:
    found = total(observed(19), observed(19, model="a/"), observed(19, model="a/m"))
    assert {name for name, _, _ in found.models} == {"a/m"}
    assert found.unnamed == 1
    assert found.whole
