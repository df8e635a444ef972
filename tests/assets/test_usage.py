"""Sums in which nothing unknown becomes a number, and what calls cost."""

from __future__ import annotations

from typing import Any

import pytest

from datahub_llmops.answers.prices import PriceConfig, PricesConfig
from datahub_llmops.assets.usage import ChunkSet, Latencies, Tokens, Totals

PRICE = PriceConfig(model="openai/big(-.*)?", input=2.0, cached_input=0.5, cache_write=2.5, output=8.0)
CALL = Tokens(input=1_000, cached=400, cache_write=100, output=200, reasoning=50)


def total(*calls: tuple[int | None, float]) -> Totals:
    found = Totals()
    for milliseconds, weight in calls:
        found.add(weight=weight, started=10.0, ended=11.0)
        found.add_end(weight=weight, milliseconds=milliseconds, failed=False)
    return found


def test_sums_of_a_tool_are_added_and_what_it_does_not_state_stays_unknown() -> None:
    found = Totals()
    known: dict[str, Any] = {"started": 10.0, "ended": 20.0, "errors": 1, "cost": 0.5, "milliseconds": 300.0}
    found.add_sums(calls=4, tokens=Tokens(input=10), **known)
    found.add_sums(calls=6, tokens=Tokens(input=5, output=0), **known)
    assert (found.calls, found.errors, found.cost, found.milliseconds) == (10, 2, 1.0, 600.0)
    assert (found.first, found.last, found.tokens) == (10.0, 20.0, {"input": 15.0, "output": 0.0})
    assert found.histogram == []
    found.add_sums(calls=1, tokens=Tokens(), **{**known, "errors": None, "cost": None, "milliseconds": None})
    assert (found.calls, found.errors, found.cost, found.milliseconds) == (11, None, None, None)
    assert found.tokens == {"input": 15.0, "output": 0.0}


def test_every_kind_of_token_has_its_price() -> None:
    # 500 plain, 400 cached, 100 written, 200 out with the reasoning ones in them.
    assert PRICE.cost(CALL) == pytest.approx((500 * 2 + 400 * 0.5 + 100 * 2.5 + 200 * 8) / 1_000_000)


@pytest.mark.parametrize(
    ("price", "tokens"),
    [
        pytest.param(PRICE, Tokens(), id="nothing-reported"),
        pytest.param(PRICE, Tokens(input=5), id="no-output-reported"),
        pytest.param(PRICE, Tokens(input=5, cached=6, output=1), id="cached-tokens-beside-the-input"),
        pytest.param(PriceConfig(model="m", input=2, output=8), CALL, id="no-price-for-cached-ones"),
    ],
)
def test_a_cost_that_cannot_be_known_is_none(price: PriceConfig, tokens: Tokens) -> None:
    assert price.cost(tokens) is None


def test_the_model_that_served_goes_before_the_one_that_was_asked_for() -> None:
    served = PriceConfig(model="openai/big-2026", input=1, output=1)
    prices = PricesConfig(prices=[PriceConfig(model="openai/big", input=9, output=9), served])
    tokens = Tokens(input=1_000_000, output=0)
    assert prices.cost(("openai/big-2026", "openai/big"), tokens) == 1.0
    assert prices.cost(("openai/big-2027", "openai/big"), tokens) == 9.0
    assert prices.cost(("openai/bigger", None), tokens) is None


def test_what_costs_nothing_and_what_nobody_knows() -> None:
    prices = PricesConfig(prices=[PRICE])
    assert prices.cost(("openai/big",), Tokens(), cached=True) == 0.0
    assert prices.cost(("openai/big",), Tokens(), failed=True) == 0.0
    assert prices.cost(("openai/big",), Tokens()) is None
    assert PricesConfig().cost(("openai/big",), Tokens(), cached=True) is None


def test_sums_of_tokens_are_of_those_that_were_reported() -> None:
    found = Totals()
    assert found.tokens == {}
    found.add_tokens(weight=1, tokens=Tokens(input=10), cost=1.0)
    found.add_tokens(weight=4, tokens=Tokens(input=5, output=0), cost=0.5)
    assert found.tokens == {"input": 30, "output": 0}
    assert found.cost == 3.0


def test_one_unknown_cost_leaves_the_sum_unknown() -> None:
    found = Totals()
    found.add_tokens(weight=1, tokens=Tokens(input=10), cost=1.0)
    found.add_tokens(weight=1, tokens=Tokens(), cost=None)
    assert found.cost is None


def test_latency_is_known_only_of_all_calls() -> None:
    assert total((100, 1.0), (300, 2.0)).milliseconds == 700
    assert total((100, 1.0), (None, 1.0)).milliseconds is None
    assert Totals().milliseconds is None


def test_calls_by_latency() -> None:
    found = total((0, 1.0), (10, 1.0), (11, 1.0), (81_920, 2.0), (81_921, 1.0), (None, 1.0))
    assert found.histogram == [(10, 2), (20, 1), (81_920, 2), (None, 1)]


def test_what_cannot_fail_has_no_errors() -> None:
    found = Totals()
    found.add(weight=1, started=1.0, ended=2.0)
    assert found.errors is None
    assert total((1, 1.0)).errors == 0.0


@pytest.mark.parametrize(
    ("retrieved", "expected"),
    [
        pytest.param([], None, id="nothing"),
        pytest.param([["a", "b"], ["b"]], 2, id="all-known"),
        pytest.param([["a"], None], None, id="not-all-known"),
    ],
)
@pytest.mark.parametrize("closed", [False, True])
def test_different_chunks_are_counted_where_all_are_known(
    retrieved: list[list[str] | None], expected: int | None, closed: bool
) -> None:
    found = Totals()
    for ids in retrieved:
        found.add_chunks(ids)
    if closed:
        found.close()
    assert found.distinct_chunks == expected


def test_a_chunk_after_the_end_leaves_their_number_unknown() -> None:
    found = Totals()
    found.add_chunks(["a"])
    found.close()
    found.add_chunks(["a"])
    assert found.distinct_chunks is None


def test_latencies_that_an_engine_added_up_count_as_the_calls_they_are_of() -> None:
    single, summed = Totals(), Totals()
    for milliseconds in (5, 15, 16, 100_000):
        single.add(weight=2.0, started=1.0, ended=2.0)
        single.add_end(weight=2.0, milliseconds=milliseconds, failed=False)
    latencies = Latencies.of(100_036, {10: 1, 20: 2, None: 1})
    summed.add(weight=8.0, started=1.0, ended=2.0)
    summed.add_end(weight=8.0, milliseconds=latencies, failed=False)
    assert summed.histogram == single.histogram == [(10, 2), (20, 4), (None, 2)]
    assert summed.milliseconds == single.milliseconds == 200_072
    assert latencies == 25_009


class TestChunksThatAnEngineCounts:
    def test_their_sets_are_named_until_the_engine_has_counted_them(self) -> None:
        total = Totals()
        total.add_chunks(ChunkSet("a", frozenset({1})))
        total.add_chunks(ChunkSet(None, frozenset({2})))
        assert total.chunk_sets == ChunkSet(frozenset({"a"}), frozenset({1, 2}))
        total.close()
        assert total.distinct_chunks is None
        total.count_chunks(7)
        found: tuple[object, object] = (total.distinct_chunks, total.chunk_sets)
        assert found == (7, None)

    def test_with_chunks_that_nobody_counted_their_number_is_unknown(self) -> None:
        total = Totals()
        total.add_chunks(ChunkSet("a"))
        total.add_chunks(None)
        assert total.chunk_sets is None
        assert total.distinct_chunks is None

    def test_the_engine_may_not_know_either(self) -> None:
        total = Totals()
        total.add_chunks(ChunkSet("a"))
        total.count_chunks(None)
        assert total.distinct_chunks is None
