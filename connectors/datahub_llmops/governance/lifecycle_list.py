"""Reads lists of model lifecycles: the packaged snapshot, LiteLLM's own format, and a list of the user's.

The packaged one holds, by provider and model: the date of retirement, the successor, the provider's page, and the price
of a million tokens of an embedding model in USD; what is not known is null, or left out at the end.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

from datahub_llmops.errors import RecipeError
from datahub_llmops.governance.providers import provider_word
from datahub_llmops.net.json_values import mapping, text

PACKAGED: Final = Path(__file__).parent / "data" / "lifecycles.json"
MAX_BYTES: Final = 8_000_000
"""Largest list that is read. LiteLLM's has 2 MB."""
_MODES: Final = frozenset({"embedding", "chat", "completion", "responses", "rerank", "moderation"})

_OWN_OPTIONS: Final = frozenset({"retires", "replacement", "link"})
"""What an entry of the user's own list may hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One model in a list. ``price`` is in USD for a million tokens of an embedding model."""

    provider: str
    model: str
    on: date | None = None
    replacement: str | None = None
    link: str | None = None
    price: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LifecycleList:
    """A list with its name, such as ``LiteLLM 1.110.2``."""

    source: str
    models: tuple[Listed, ...]
    complete: bool = False
    """Whether a model without a date lives on. In a list of the world's models, its date may just not be there."""


@cache
def packaged() -> LifecycleList:
    """Read the snapshot in the package."""
    found = json.loads(PACKAGED.read_text("utf-8"))
    return LifecycleList(
        source=found["source"],
        models=tuple(
            _listed(provider, model, *entry)
            for provider, models in found["models"].items()
            for model, entry in models.items()
        ),
    )


def _listed(
    provider: str,
    model: str,
    on: str | None = None,
    replacement: str | None = None,
    link: str | None = None,
    price: float | None = None,
) -> Listed:
    return Listed(
        provider=provider,
        model=model,
        on=date.fromisoformat(on) if on else None,
        replacement=replacement,
        link=link,
        price=price,
    )


def dump_list(found: LifecycleList) -> str:
    """Write a list in the packaged form, one line a model, in order."""
    by_provider: dict[str, dict[str, list[Any]]] = {}
    for one in sorted(found.models, key=lambda one: (one.provider, one.model)):
        entry = [one.on.isoformat() if one.on else None, one.replacement, one.link, one.price]
        while entry and entry[-1] is None:
            entry.pop()
        by_provider.setdefault(one.provider, {})[one.model] = entry
    lines = [f'{{"source": {json.dumps(found.source)},', f'"licence": {json.dumps(_LICENCE)},', '"models": {']
    providers = []
    for provider, models in by_provider.items():
        rows = ",\n".join(f"{json.dumps(name)}: {json.dumps(entry)}" for name, entry in models.items())
        providers.append(f"{json.dumps(provider)}: {{\n{rows}\n}}")
    return "\n".join([*lines, ",\n".join(providers), "}}"]) + "\n"


_LICENCE: Final = (
    "From LiteLLM's model_prices_and_context_window.json, https://github.com/BerriAI/litellm, "
    "Copyright (c) 2023 Berri AI, MIT License"
)


def read_litellm(content: object, *, source: str) -> LifecycleList:
    """Read a list in LiteLLM's own form: models with a date of retirement, and embedding models with a price.

    Raises:
        RecipeError: it is not such a list.
    """
    if not isinstance(content, Mapping) or len(content) < 10:
        raise RecipeError(f"{source}: this is not a list of models in LiteLLM's form")
    found: dict[tuple[str, str], Listed] = {}
    for key, entry in content.items():
        facts = mapping(entry)
        spelled, mode = text(facts.get("litellm_provider")), facts.get("mode")
        if not isinstance(key, str) or spelled is None or mode not in _MODES:
            continue
        provider = provider_word(spelled)
        name = _bare(key, provider)
        successor = text(facts.get("successor_model"))
        price = facts.get("input_cost_per_token")
        one = Listed(
            provider=provider,
            model=name,
            on=_date(facts.get("deprecation_date")),
            replacement=_bare(successor, provider) if successor else None,
            link=text(facts.get("deprecation_source")) if facts.get("deprecation_date") else None,
            price=round(price * 1e6, 6)
            if mode == "embedding" and isinstance(price, (int, float)) and price
            else None,
        )
        known = found.get((provider, name))
        # A model that stands twice, by two keys: the entry with a date says more, and the earlier date is the safe one.
        if known is None or _is_better(one, known):
            found[provider, name] = one
    found = {key: one for key, one in found.items() if one.on is not None or one.price is not None}
    if not any(one.on for one in found.values()):
        raise RecipeError(f"{source}: no model in it has a date of retirement")
    return LifecycleList(source=source, models=tuple(found.values()))


def _is_better(one: Listed, known: Listed) -> bool:
    if one.on is None:
        return False
    return known.on is None or one.on < known.on


def _bare(key: str, provider: str) -> str:
    """Return the model's own name, without the provider in front of it."""
    first, slash, rest = key.partition("/")
    return rest if slash and provider_word(first) == provider else key


def _date(value: object) -> date | None:
    try:
        return date.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None


def read_own(content: object, *, source: str) -> LifecycleList:
    """Read a list of the user's: ``models: {provider/model: {retires: 2027-01-14, replacement: other}}``.

    An entry without ``retires`` says that the model has no end that anybody knows of.

    Raises:
        RecipeError: it has another form; the message says which entry.
    """
    models = content.get("models") if isinstance(content, Mapping) else None
    if not isinstance(models, Mapping):
        raise RecipeError(f"{source}: it needs `models:`, with a `provider/model:` for each model")
    return LifecycleList(source=source, models=tuple(_own(source, models)), complete=True)


def _own(source: str, models: Mapping[Any, Any]) -> Iterable[Listed]:
    for key, entry in models.items():
        provider, slash, model = str(key).partition("/")
        facts = mapping(entry)
        # An entry without a date says that the model is safe: a misspelt option must not say so.
        if (entry is not None and not isinstance(entry, Mapping)) or not facts.keys() <= _OWN_OPTIONS:
            raise RecipeError(
                f"{source}: {key}: write {{retires: 2027-01-14, replacement: other}}, or {{}} if no end is known; "
                f"an entry has the options {', '.join(sorted(_OWN_OPTIONS))}"
            )
        on = facts.get("retires")
        if isinstance(on, str):
            on = _date(on)
        if isinstance(on, datetime):
            on = on.date()
        if not slash or ("retires" in facts and not isinstance(on, date)):
            raise RecipeError(
                f"{source}: {key}: write provider/model, and `retires` as a date like 2027-01-14"
            )
        successor = text(facts.get("replacement"))
        yield Listed(
            provider=provider_word(provider),
            model=model,
            on=on if isinstance(on, date) else None,
            replacement=_bare(successor, provider_word(provider)) if successor else None,
            link=text(facts.get("link")),
        )
