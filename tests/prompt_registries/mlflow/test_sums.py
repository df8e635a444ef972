"""What is known of a day once its numbers are added and taken away: cost above all."""

from __future__ import annotations

from datahub_llmops.assets.usage import Tokens
from datahub_llmops.prompt_registries.mlflow.sums import DaySums, Key, ModelSums


def day(counted: dict[Key, float]) -> DaySums:
    made = DaySums()
    made.counted.update(counted)
    return made


def calls(
    model: str, *, count: float, errors: float = 0, cost: float = 0, priced: float = 0
) -> dict[Key, float]:
    numbers = {"calls": count, "errors": errors, "cost": cost, "priced": priced}
    return {("model", model, name): number for name, number in numbers.items()}


def test_a_failed_call_without_a_cost_leaves_the_cost_known() -> None:
    (model,) = day(calls("m", count=3, errors=1, cost=0.2, priced=2)).models()
    assert model == ModelSums(model="m", calls=3, errors=1, cost=0.2)


def test_a_call_without_a_cost_makes_it_unknown() -> None:
    (model,) = day(calls("m", count=3, cost=0.2, priced=2)).models()
    assert model.cost is None


def test_a_sum_of_nothing_is_no_cost_of_nothing() -> None:
    assert day(calls("m", count=3)).cost is None


def test_a_call_whose_model_mlflow_does_not_know_makes_the_whole_cost_unknown() -> None:
    known = calls("m", count=2, cost=0.2, priced=2)
    assert day({**known, ("typed",): 2, ("typed with a model",): 2}).cost == 0.2
    assert day({**known, ("typed",): 3, ("typed with a model",): 2}).cost is None


def test_two_providers_of_a_model_and_one_that_is_not_named() -> None:
    parts: dict[Key, float] = {
        ("provider", "m", "azure", "calls"): 1,
        ("provider", "m", "openai", "calls"): 2,
        ("provider", "m", "openai", "cost"): 0.2,
        ("provider", "m", "openai", "priced"): 2,
    }
    found = day({**calls("m", count=4, cost=0.3, priced=3), **parts}).models()
    assert [(model.model, model.calls, model.cost and round(model.cost, 3)) for model in found] == [
        ("azure/m", 1, None),
        ("openai/m", 2, 0.2),
        ("m", 1, 0.1),
    ]


def test_what_is_taken_away_leaves_what_was_there_before() -> None:
    whole = day({("calls",): 3, ("finished",): 3, ("milliseconds",): 6000, ("tokens", "input"): 300})
    whole.add(day({("calls",): 1, ("finished",): 1, ("milliseconds",): 2000, ("tokens", "input"): 100}), -1)
    assert (whole.calls, whole.milliseconds, whole.tokens) == (2, 4000, Tokens(input=200))


def test_a_trace_that_is_not_finished_has_no_latency_yet() -> None:
    assert day({("calls",): 2, ("finished",): 1, ("milliseconds",): 2000}).milliseconds is None
