"""Which version of which prompt a span was made with, by the names that prompt registries leave on spans."""

from __future__ import annotations

import functools
from typing import Any, Final

from datahub_llmops.answer_store.recorded import Raw
from datahub_llmops.spans import attributes as names
from datahub_llmops.spans.span import Attributes

MAX_NAME: Final = 256
_REGISTRY_OF: Final = {
    "langfuse.observation.prompt.name": "langfuse",
    "lc_hub_repo": "langsmith",
    "prompt.id": "phoenix",
}
_VENDORS: Final = {"arize": "phoenix", "arize-phoenix": "phoenix"}


def read_prompt(attributes: Attributes) -> Raw | None:
    """Return the identity of the prompt that the attributes name, or ``None`` if they name none."""
    for key in names.PROMPTS_LINKED:
        linked = attributes.get(key)
        if linked and isinstance(linked, list):
            one = linked[0]
            return prompt_raw("mlflow", one["name"], one["version"])
    for key in names.PROMPT_NAME:
        name = attributes.get(key)
        if isinstance(name, str) and name:
            version = names.first(attributes, names.PROMPT_VERSION)
            vendor = attributes.get(names.PROMPT_VENDOR[0])
            registry = _REGISTRY_OF.get(key) or (vendor if isinstance(vendor, str) else None) or "custom"
            return prompt_raw(
                _VENDORS.get(registry, registry), name, None if version is None else str(version)
            )
    return None


@functools.lru_cache(10_000)
def prompt_raw(registry: str, name: str, version: str | None) -> Raw:
    """Return the raw identity of a prompt, the same object for the same version of it."""
    found: dict[str, Any] = {"registry": registry, "name": name[:MAX_NAME]}
    if version:
        found["version"] = version[:MAX_NAME]
    return found
