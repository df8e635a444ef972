"""Which models Langfuse has a price for. It tells the cost 0 for those that it has none for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import regex  # type: ignore[import-untyped]  # ships no types

from datahub_llmops.errors import PatternError
from datahub_llmops.ingestion.once import Once
from datahub_llmops.lineage.patterns import full_match
from datahub_llmops.net.json_values import mapping, objects, text
from datahub_llmops.prompt_registries.langfuse.client import LangfuseServer

_SECONDS: Final = 0.1


class Prices:
    """The price list of one project, read when it is first needed."""

    def __init__(self, server: LangfuseServer) -> None:
        self._server = server
        self._models = Once(self._read)
        self._known: dict[str, bool] = {}

    def has_price(self, model: str) -> bool:
        """Whether a model of this name has a price, which may be 0."""
        if model not in self._known:
            self._known[model] = any(_matches(pattern, model) for pattern in self._models())
        return self._known[model]

    def _read(self) -> list[str]:
        priced = (entry for entry in self._server.pages("/models") if _is_priced(entry))
        return [pattern for entry in priced if (pattern := text(entry.get("matchPattern")))]


def _is_priced(entry: Mapping[str, Any]) -> bool:
    return bool(mapping(entry.get("prices"))) or any(
        mapping(tier.get("prices")) for tier in objects(entry.get("pricingTiers"))
    )


def _matches(pattern: str, model: str) -> bool:
    """Whether a model is meant. Patterns are written for PostgreSQL: what another engine cannot read is not known."""
    try:
        return full_match(pattern, model, seconds=_SECONDS) is not None
    except (PatternError, regex.error):
        return False
