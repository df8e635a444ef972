"""Which version of which prompt a span was made with, by what prompt registries leave on spans."""

from __future__ import annotations

import functools
from typing import Final

from datahub_llmops.answer_store.recorded import Raw
from datahub_llmops.hooks.prompt_identity import MAX_NAME, identify_prompt
from datahub_llmops.spans import attributes as names
from datahub_llmops.spans.facts import Facts
from datahub_llmops.spans.span import Attributes

_REGISTRIES: Final = {name: "langsmith" for name in names.PROMPT_NAME if name.endswith("lc_hub_repo")} | {
    "langfuse.observation.prompt.name": "langfuse"
}
"""Attributes that only one registry writes."""
_VENDORS: Final = {
    "langfuse": "langfuse",
    "langsmith": "langsmith",
    "langchain-hub": "langsmith",
    "langchain hub": "langsmith",
    "mlflow": "mlflow",
    "phoenix": "phoenix",
    "arize-phoenix": "phoenix",
    "weave": "weave",
}
_NO_REGISTRY: Final = "custom"
"""As the hooks call it."""
MARKS: Final = frozenset((*names.PROMPT_NAME, *names.PROMPT_URI, *names.PROMPTS_LINKED))
"""A span that names a prompt has one of these, or its metadata has."""
_FACTS: Final = Facts(
    names.PROMPTS_LINKED,
    *([name] for name in names.PROMPT_NAME),
    names.PROMPT_VERSION,
    names.PROMPT_OWNER,
    names.PROMPT_VENDOR,
    names.PROMPT_URI,
)
_NAMES: Final = len(names.PROMPT_NAME)


def read_prompt(attributes: Attributes) -> Raw | None:
    """Return the identity of the prompt that a span names, or ``None`` if it names none or several.

    The hooks record the same identity for the same prompt. Equal identities are one object.
    """
    linked, *named, version, owner, vendor, uri = _FACTS.read(attributes)
    if isinstance(linked, list) and linked:
        # A span that loads two prompts does not say which one is meant.
        return prompt_raw("mlflow", linked[0]["name"], linked[0]["version"]) if len(linked) == 1 else None
    for key, value in zip(names.PROMPT_NAME, named, strict=True):
        name = _text(value)
        if name is not None:
            registry = _REGISTRIES.get(key) or _VENDORS.get((_text(vendor) or "").lower(), _NO_REGISTRY)
            if registry == "langsmith":
                name = _owned(name, _text(owner))
            return prompt_raw(registry, name, _text(version))
    text = _text(uri)
    return None if text is None else _of_uri(text)


def _owned(name: str, owner: str | None) -> str:
    return f"{owner}/{name}" if owner and owner != "-" else name


@functools.lru_cache(10_000)
def _of_uri(uri: str) -> Raw | None:
    return identify_prompt({"prompt_uri": uri})


@functools.lru_cache(10_000)
def prompt_raw(registry: str, name: str, version: str | None) -> Raw:
    """Return the raw identity of a prompt, as the hooks record it."""
    found = {"registry": registry, "name": name[:MAX_NAME]}
    if version:
        found["version"] = version[:MAX_NAME]
    return found


def _text(value: object) -> str | None:
    if isinstance(value, str):
        return value.strip('"') or None
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None
