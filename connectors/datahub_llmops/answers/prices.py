"""Computes the cost of model calls from the user's prices. A price list of ours would be wrong within weeks."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from datahub_llmops.answer_store.recorded import ModelCall
from datahub_llmops.assets.usage import Tokens, model_name
from datahub_llmops.catalog.valid_config import valid_config
from datahub_llmops.errors import RecipeError
from datahub_llmops.ingestion.recipe_file import Regex, read_options


class PriceConfig(BaseModel):
    """Prices of one model, for a million tokens each."""

    model_config = ConfigDict(extra="forbid")

    model: Regex = Field(
        description="Regular expression over the whole name of the model that served, as provider/model, for example "
        "`openai/gpt-5(-\\d{4}-\\d{2}-\\d{2})?`."
    )
    input: float = Field(ge=0, description="Price of a million tokens in, for example `1.25`.")
    cached_input: float | None = Field(
        default=None,
        ge=0,
        description="Price of a million tokens in from the provider's cache, for example `0.125`.",
    )
    cache_write: float | None = Field(
        default=None,
        ge=0,
        description="Price of a million tokens written to the provider's cache, for example `1.56`.",
    )
    output: float = Field(
        ge=0, description="Price of a million tokens out, reasoning included, for example `10`."
    )

    def cost(self, tokens: Tokens) -> float | None:
        """Compute the cost of one call, or ``None`` if a number of tokens or a price is unknown.

        >>> price = PriceConfig(model="m", input=2, output=10)
        >>> price.cost(Tokens(input=1_000_000, output=100_000))
        3.0
        >>> price.cost(Tokens(input=1_000_000, cached=5, output=0)) is None
        True
        """
        if tokens.input is None or tokens.output is None:
            return None
        cached, written = tokens.cached or 0, tokens.cache_write or 0
        plain = tokens.input - cached - written
        if plain < 0:  # Then they are not part of the input, and nobody says what is.
            return None
        total = plain * self.input + tokens.output * self.output
        for number, price in ((cached, self.cached_input), (written, self.cache_write)):
            if number:
                if price is None:
                    return None
                total += number * price
        return total / 1_000_000


class PricesConfig(BaseModel):
    """The options of a recipe for prices."""

    currency: str = Field(
        default="USD",
        pattern="^[A-Z]{3}$",
        description="Currency of `prices` as its ISO 4217 code, for example `EUR`.",
    )
    prices: list[PriceConfig] = Field(
        default_factory=list,
        description="What models cost, first match wins. Without prices no cost is reported. For example `[{model: "
        "'openai/gpt-5.*', input: 1.25, cached_input: 0.125, output: 10}]`.",
    )

    def cost(
        self, names: Iterable[str | None], tokens: Tokens, *, cached: bool = False, failed: bool = False
    ) -> float | None:
        """Compute the cost of one call, or ``None`` if it is unknown.

        Args:
            names: the model as provider/model, the one that served first.
            tokens: what the provider reported.
            cached: answered from a cache of the application, which costs nothing.
            failed: an error; providers do not charge for one without tokens.
        """
        if not self.prices:
            return None
        if cached or (failed and tokens == Tokens()):
            return 0.0
        for name in names:
            for price in self.prices:
                if name is not None and re.fullmatch(price.model, name):
                    return price.cost(tokens)
        return None

    def call_cost(self, call: ModelCall) -> float | None:
        """Compute the cost of a recorded call, or ``None`` if it is unknown.

        The user's price counts; without one, what the span of the call says, which is in US dollars.
        """
        if self.prices:
            names = (model_name(call.served), model_name(call.asked))
            own = self.cost(names, call.tokens, cached=call.cached, failed=call.status == "error")
            if own is not None:
                return own
        return call.cost if self.currency == "USD" else None


def read(path: Path) -> PricesConfig:
    """Read prices from a YAML or JSON file with ``prices`` and ``currency``, such as a recipe of ``llm-runs``.

    Raises:
        RecipeError: it cannot be read, or holds none.
    """
    found = read_options(path, PricesConfig.model_fields)
    if not found.get("prices"):
        raise RecipeError(f"no `prices` in {path}: docs/hooks.md says how they are written")
    return valid_config(PricesConfig, found, of=f"prices in {path}")
