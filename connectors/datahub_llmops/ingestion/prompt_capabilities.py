"""The facts that a registry may state of a prompt: each connector declares its own; its contract test checks them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Literal, TypeAlias, get_args

from datahub_llmops.assets.prompts import Prompt, PromptVersion

PromptFact: TypeAlias = Literal[
    "text prompts",
    "chat prompts",
    "stated variables",
    "labels",
    "author",
    "created",
    "commit message",
    "model",
    "parameters",
    "composition",
    "version link",
    "prompt link",
    "description",
    "tags",
]
PROMPT_FACTS: Final[tuple[PromptFact, ...]] = get_args(PromptFact)


def always(*facts: PromptFact) -> dict[PromptFact, str]:
    """Declare facts that the registry always states, without a remark."""
    return dict.fromkeys(facts, "yes")


def _any(has: Callable[[PromptVersion], object]) -> Callable[[Prompt], object]:
    return lambda prompt: any(has(version) for version in prompt.versions)


_PRESENT: Final[Mapping[PromptFact, Callable[[Prompt], object]]] = {
    "text prompts": _any(lambda version: version.template is not None and not version.template.is_chat),
    "chat prompts": _any(lambda version: version.template is not None and version.template.is_chat),
    "stated variables": _any(lambda version: version.variables),
    "labels": _any(lambda version: version.labels),
    "author": _any(lambda version: version.author),
    "created": _any(lambda version: version.created),
    "commit message": _any(lambda version: version.message),
    "model": _any(lambda version: version.model),
    "parameters": _any(lambda version: version.parameters),
    "composition": _any(lambda version: version.derived_from),
    "version link": _any(lambda version: version.url),
    "prompt link": lambda prompt: prompt.url,
    "description": lambda prompt: prompt.description,
    "tags": lambda prompt: prompt.tags,
}


def present_facts(prompt: Prompt) -> frozenset[PromptFact]:
    """Find the facts that a registry states of a prompt.

    >>> sorted(present_facts(Prompt(name=("answer",), versions=(PromptVersion(version="1", labels=("production",)),))))
    ['labels']
    """
    return frozenset(fact for fact in PROMPT_FACTS if _PRESENT[fact](prompt))
