"""Which models Phoenix has a price for. It tells the cost 0 for those that it has none for."""

from __future__ import annotations

from typing import Final

import regex  # type: ignore[import-untyped]  # ships no types

from datahub_llmops.errors import PatternError
from datahub_llmops.ingestion.once import Once
from datahub_llmops.lineage.patterns import full_match
from datahub_llmops.net.json_values import objects, text
from datahub_llmops.prompt_registries.phoenix.client import PhoenixServer

_SECONDS: Final = 0.1
_QUERY: Final = """query($after:String){generativeModels(first:200,after:$after){pageInfo{hasNextPage endCursor}
 edges{node{id namePattern tokenPrices{costPerToken}}}}}"""


class Prices:
    """The price list of one server, read when it is first needed."""

    def __init__(self, server: PhoenixServer) -> None:
        self._server = server
        self._models = Once(self._read)

    def has_price(self, model: str) -> bool:
        """Whether a model of this name has a price, which may be 0."""
        return any(_matches(pattern, model) for pattern in self._models())

    def _read(self) -> list[str]:
        models = self._server.connection(_QUERY, {}, "generativeModels")
        priced = [
            model
            for model in models
            if any(price.get("costPerToken") is not None for price in objects(model.get("tokenPrices")))
        ]
        return [pattern for model in priced if (pattern := text(model.get("namePattern")))]


def _matches(pattern: str, model: str) -> bool:
    """Whether a model is meant: its name contains what the pattern describes. What cannot be read is not known."""
    try:
        return full_match(f".*(?:{pattern}).*", model, seconds=_SECONDS) is not None
    except (PatternError, regex.error):
        return False
